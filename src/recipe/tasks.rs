//! What each task of a job array has of a recipe's work.

use super::{ArrayBy, DataFile, PrefixCache, Recipe, SweepPoint, UseCase, Variant};
use crate::load::{Load, PointFolder};
use crate::value::fnv_1a;

/// Seconds for which a client waits for the last answers of a point that a time ends. The point's time-out, which comes
/// first, is not named here: a point counts for a job with another time-out, too.
const GRACE: u32 = 24 * 60 * 60;

/// What one job measures: the launch job, a task of it, or a turn in it.
pub(crate) struct Task {
    result_name: String,
    points: Vec<SweepPoint>,
}

impl Recipe {
    /// The work of each task or turn, in their order; without an array and variants, there is one.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        let (sweep, name) = (&self.sweep, self.result_name());
        let task = |points| Task {
            result_name: name.to_string(),
            points,
        };
        let of_variant = |variant: &Variant, points| Task {
            result_name: format!("{name}-{}", variant.name),
            points,
        };
        let variants = &self.server.variants;
        match sweep.array {
            // A round of each variant, then the next round of each.
            None if !variants.is_empty() => (1..=sweep.repeat)
                .flat_map(|round| {
                    let mut points = sweep.points();
                    // A search has one round; it measures a level again when it must.
                    points.retain(|point| sweep.search.is_some() || point.repeat == round);
                    variants
                        .iter()
                        .map(move |variant| of_variant(variant, points.clone()))
                })
                .collect(),
            None => vec![task(sweep.points())],
            Some(ArrayBy::Point) => {
                let points = sweep.points();
                let round = points.iter().filter(|point| point.repeat == 1);
                let repeats = round.map(|first| {
                    let is_same = |point: &&SweepPoint| {
                        point.use_case == first.use_case && point.load == first.load
                    };
                    points.iter().filter(is_same).cloned().collect()
                });
                repeats.map(task).collect()
            }
            Some(ArrayBy::UseCase) => {
                let of = |use_case: &UseCase| {
                    let mut points = sweep.points();
                    points.retain(|point| point.use_case == *use_case);
                    task(points)
                };
                sweep.asked_use_cases().iter().map(of).collect()
            }
            Some(ArrayBy::Server) => variants
                .iter()
                .map(|variant| of_variant(variant, sweep.points()))
                .collect(),
        }
    }

    /// How many tasks the launch job has, if it is an array.
    pub(crate) fn task_count(&self) -> Option<usize> {
        let sweep = &self.sweep;
        Some(match sweep.array? {
            ArrayBy::Point => sweep.point_count() / sweep.repeat.max(1) as usize,
            ArrayBy::UseCase => sweep.use_cases.len(),
            ArrayBy::Server => self.server.variants.len(),
        })
    }

    /// How many turns the server's variants take in the launch job, if they do.
    pub(crate) fn turn_count(&self) -> Option<usize> {
        let variants = self.server.variants.len();
        let takes_turns = self.sweep.array.is_none() && variants > 0;
        takes_turns.then(|| variants * self.sweep.repeat as usize)
    }

    /// The sweep's rows in launch.sh: use case, input and output tokens, load,
    /// requests, number and seed of the prompts, and the repeat each; then, where the use case has a command of its
    /// own, the number of that, and of seconds for which requests are sent (0: until all are answered); in an array
    /// and in turns, behind the number of the task or turn. The prompts of a data set have no seed: in its place is how
    /// many of them the points before have. Of a trace, requests and seconds are `@` and its number among the data sets:
    /// launch.sh counts them.
    pub(crate) fn point_rows(&self) -> Vec<String> {
        let commands = self.own_commands();
        let first = self.first_prompts();
        let row = |point: &SweepPoint| {
            let first = first.iter().find(|(own, _)| own == point);
            let seed = first.map_or_else(
                || point_seed(self.client.random_seed, point).into(),
                |(_, first)| *first,
            );
            let place = (self.data_sets().into_iter())
                .position(|own| point.use_case.data_set() == Some(own));
            let data_set = place.unwrap_or_default();
            let mut row = row(point, seed, data_set);
            if let Some(own) = self.own_command(&point.use_case) {
                let number = commands.iter().position(|command| *command == own);
                let number = number.expect("it is one of them") + 1;
                let seconds = match point.load {
                    Load::Schedule => format!("@{data_set}"),
                    _ => point.seconds().unwrap_or(0).to_string(),
                };
                row.push_str(&format!(" {number} {seconds}"));
            }
            row
        };
        let tasks = self.tasks();
        let rows = tasks.iter().enumerate().flat_map(|(number, task)| {
            let rows = task.points.iter().map(row);
            rows.map(move |row| match self.sweep.array {
                None if self.server.variants.is_empty() => row,
                _ => format!("{number} {row}"),
            })
        });
        rows.collect()
    }

    /// The command that measures the points of a use case, where it is not the client's.
    fn own_command(&self, use_case: &UseCase) -> Option<Vec<String>> {
        let name = &self.server.served_model_name;
        let mut command =
            (!use_case.is_plain()).then(|| self.client.command_for(name, use_case, GRACE))?;
        if let Some(data) = use_case.data_set() {
            let number = self.data_sets().iter().position(|own| *own == data);
            let file = format!("{{data}}.{}.jsonl", number.unwrap_or_default());
            for word in command.iter_mut().filter(|word| *word == "{data}.jsonl") {
                word.clone_from(&file);
            }
        }
        Some(command)
    }

    /// Form and file of each data set once, in the order of the use cases.
    pub(crate) fn data_sets(&self) -> Vec<(String, &DataFile)> {
        let mut sets = Vec::new();
        for data in self.sweep.use_cases.iter().filter_map(UseCase::data_set) {
            if !sets.contains(&data) {
                sets.push(data);
            }
        }
        sets
    }

    /// How many prompts, or conversations, a data set must have: those of its largest point, and where a server
    /// keeps what it has seen, those of all points of a task or turn, which has a server of its own.
    pub(crate) fn prompts_needed(&self, data: &(String, &DataFile)) -> u64 {
        let of_task = |task: &Task| {
            let prompts = (task.points.iter())
                .filter(|point| point.use_case.data_set().as_ref() == Some(data))
                .map(SweepPoint::prompts);
            match self.server.prefix_cache {
                PrefixCache::On => prompts.fold(0, u64::saturating_add),
                PrefixCache::Off | PrefixCache::Flush => prompts.max().unwrap_or_default(),
            }
        };
        self.tasks().iter().map(of_task).max().unwrap_or_default()
    }

    /// Each point with a data set, and how many of its prompts the points before it have: those of a task or turn lie side by side.
    fn first_prompts(&self) -> Vec<(SweepPoint, u64)> {
        let sets = self.data_sets();
        if sets.is_empty() {
            return Vec::new();
        }
        let mut taken = vec![0_u64; sets.len()];
        let mut points: Vec<(SweepPoint, u64)> = Vec::new();
        let of_prompts = self.tasks().into_iter().flat_map(|task| task.points);
        for point in of_prompts.filter(|point| !point.use_case.is_scheduled()) {
            // Variants have the same points.
            if points.iter().any(|(own, _)| *own == point) {
                continue;
            }
            let place = sets
                .iter()
                .position(|own| point.use_case.data_set().as_ref() == Some(own));
            if let Some(taken) = place.map(|place| &mut taken[place]) {
                let first = *taken;
                *taken = first.saturating_add(point.prompts());
                points.push((point, first));
            }
        }
        points
    }

    /// Each of these commands once.
    pub(crate) fn own_commands(&self) -> Vec<Vec<String>> {
        let mut commands = Vec::new();
        for command in self
            .sweep
            .asked_use_cases()
            .iter()
            .filter_map(|it| self.own_command(it))
        {
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        commands
    }
}

impl Task {
    /// The points' folders, by a job of this name.
    pub(crate) fn folders(&self, gpus: u32, job: &str) -> Vec<String> {
        let name = &self.result_name;
        let folder = |point: &SweepPoint| {
            let use_case = &point.use_case;
            PointFolder {
                model: name,
                gpus,
                load: point.load,
                use_case: &use_case.folder_word(),
                lengths: (use_case.input(), use_case.output()),
                repeat: point.repeat,
                run: job,
            }
            .to_string()
        };
        self.points.iter().map(folder).collect()
    }
}

/// What is said of a point in its row, before its requests.
fn words_of(SweepPoint { use_case, load, .. }: &SweepPoint) -> String {
    let (input, output) = (use_case.input(), use_case.output());
    format!("{} {input} {output} {load}", use_case.folder_word())
}

fn row(point: &SweepPoint, seed: u64, data_set: usize) -> String {
    let SweepPoint {
        use_case,
        requests,
        repeat,
        ..
    } = point;
    // A time ends the point: at least one, and as many as have a prompt.
    let from = use_case.duration().map_or("", |_| "1-");
    let words = words_of(point);
    let prompts = point.prompts();
    if use_case.is_scheduled() {
        return format!("{words} @{data_set} @{data_set} {seed} {repeat}");
    }
    format!("{words} {from}{requests} {prompts} {seed} {repeat}")
}

fn point_seed(random_seed: u32, point: &SweepPoint) -> u32 {
    let words = words_of(point);
    match point.repeat {
        1 => seed_of(random_seed, &words),
        // In front, since seeds of texts that end in another way are too close together.
        repeat => seed_of(random_seed, &format!("{repeat} {words}")),
    }
}

/// The seed of a point's prompts. It depends on the recipe's seed, the point and its repeat alone,
/// so that each has prompts of its own, and the same ones whenever it is measured.
///
/// FNV-1a, folded to the 31 bits that both tools and what they call take.
fn seed_of(random_seed: u32, point: &str) -> u32 {
    let bytes = random_seed.to_le_bytes().into_iter().chain(point.bytes());
    let hash = fnv_1a(bytes);
    u32::try_from((hash ^ (hash >> 32)) & 0x7fff_ffff).expect("31 bits")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The letters that the client puts in front of GenAI-Perf's prompts count from the point's seed.
    #[test]
    fn points_of_the_built_in_recipes_have_no_letters_in_common() {
        for name in Recipe::BUILT_IN {
            let mut recipe = Recipe::built_in(name).unwrap();
            recipe.sweep.repeat = 5;
            let mut numbers = BTreeSet::new();
            for row in recipe.point_rows() {
                let words: Vec<&str> = row.rsplitn(4, ' ').collect();
                let [seed, prompts]: [u32; 2] =
                    [words[1], words[2]].map(|word| word.parse().unwrap());
                for number in 1..=prompts {
                    let is_new = numbers.insert((seed + number) % 52_u32.pow(4));
                    assert!(is_new, "{name}: {row}");
                }
            }
            assert!(numbers.len() >= 100, "{name}");
        }
    }

    /// A search decides by itself whether a level is measured once more.
    #[test]
    fn each_turn_of_a_search_has_all_its_points() {
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        let search = crate::recipe::Search::new(1, 4).with_itl("25".parse().unwrap());
        recipe.sweep = crate::recipe::Sweep::searching(["chat:128/128".parse().unwrap()], search);
        let variant = |name: &str| toml::from_str(&format!("name = '{name}'")).unwrap();
        recipe.server.variants = vec![variant("a"), variant("b")];
        let tasks = recipe.tasks();
        let points: Vec<_> = tasks.iter().map(|task| task.points.len()).collect();
        assert_eq!(points, [8, 8]);
        assert_eq!(recipe.turn_count(), Some(2));
    }

    /// What was measured before another time-out was set is the same measurement.
    #[test]
    fn the_time_out_of_a_point_is_in_no_command() {
        let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
        let use_case: UseCase = "chat:128/128".parse().unwrap();
        recipe.sweep.use_cases = vec![use_case.with_duration(60.try_into().unwrap())];
        let mut commands = || {
            recipe.sweep.point_timeout += 300;
            recipe.own_commands()
        };
        assert_eq!(commands(), commands());
    }

    /// It is part of what a rendered script says, and of what a measurement is.
    #[test]
    fn a_point_has_the_same_seed_for_ever() {
        assert_eq!(seed_of(0, "chat 128 128 1"), 1_582_286_884);
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        let rows = recipe.point_rows();
        recipe.sweep.concurrency.reverse();
        recipe.sweep.array = Some(ArrayBy::Point);
        for row in recipe.point_rows() {
            let (_, row) = row.split_once(' ').unwrap();
            assert!(rows.iter().any(|one| one == row), "{row}");
        }
    }

    #[test]
    fn points_have_seeds_of_their_own() {
        let mut seeds = BTreeSet::new();
        for random_seed in 0..20 {
            for use_case in ["chat 128 128", "chat 128 129", "summarization 4096 512"] {
                for concurrency in 1..=300 {
                    seeds.insert(seed_of(random_seed, &format!("{use_case} {concurrency}")));
                }
            }
        }
        assert_eq!(seeds.len(), 20 * 3 * 300);
        assert!(seeds.iter().all(|&seed| i32::try_from(seed).is_ok()));
    }
}
