//! The partitions of the jobs, as `sinfo` describes them. It explains what
//! `sbatch --test-only` says in few words, and what it does not say: a job above the
//! partition's time limit may be accepted, and then wait forever. Whether it does is
//! for its quality of service to say, so that is no error.

use super::access::Access;
use super::ask::Answer;
use super::fix::{Fix, words};
use super::{Finding, Preflight, Scripts, Severity, by_scripts, listed};
use crate::job_options::ScriptKind;
use crate::recipe::Recipe;
use crate::shell::shell_word;
use crate::slurm::{Directives, Gres, OptionName, TimeLimit};
use crate::status::ASSOCIATIONS;

/// sinfo's fields: partition, availability, time limit, state, number of nodes, GRES.
const FIELDS: &str = "%P|%a|%l|%T|%D|%G";

/// A partition, and its nodes in groups that are alike.
#[derive(Debug, PartialEq)]
struct Partition {
    /// The command that shows more: `sinfo`, with the cluster where one is named.
    sinfo: String,
    name: String,
    is_default: bool,
    is_up: bool,
    availability: String,
    time_limit: String,
    nodes: Vec<Nodes>,
}

/// Nodes of one partition that are in one state and have the same GRES.
#[derive(Debug, PartialEq)]
struct Nodes {
    state: String,
    count: u32,
    gres: String,
}

/// The partitions of a job's cluster; none where there is no sinfo, and none of several
/// clusters, of which Slurm takes one.
fn ask(
    preflight: &Preflight<'_>,
    directives: &Directives,
) -> Result<Option<Vec<Partition>>, Finding> {
    if directives.has_several_clusters() {
        return Ok(None);
    }
    let sinfo = directives.at_cluster("sinfo");
    let cluster = directives.option(OptionName::Clusters);
    let mut arguments = Vec::from_iter(cluster.as_deref());
    arguments.extend(["--all", "--noheader", "--format", FIELDS]);
    match preflight.ask("sinfo", &arguments) {
        Answer::Absent => Ok(None),
        Answer::Said(reply) if reply.is_success => Ok(Some(read(&reply.stdout, &sinfo))),
        answer => Err(preflight.unanswered(&sinfo, &answer, "which partitions there are")),
    }
}

/// The partitions of a script's cluster, where that is known.
fn of_script(preflight: &Preflight<'_>, kind: ScriptKind) -> Option<Vec<Partition>> {
    ask(preflight, preflight.plan.directives(kind))
        .ok()
        .flatten()
}

/// True when sinfo answers, and does not know a partition of this script.
pub(super) fn is_unknown(preflight: &Preflight<'_>, kind: ScriptKind) -> bool {
    let Some(partitions) = of_script(preflight, kind) else {
        return false;
    };
    let names = names(preflight.plan.directives(kind), &partitions);
    let is_there = |name: &String| partitions.iter().any(|partition| partition.name == *name);
    names.is_empty() || !names.iter().all(is_there)
}

/// True when sinfo says that no node of this script's only partition has the GRES.
pub(super) fn lacks_gres(preflight: &Preflight<'_>, kind: ScriptKind) -> bool {
    let Some(partitions) = of_script(preflight, kind) else {
        return false;
    };
    let directives = preflight.plan.directives(kind);
    let names = names(directives, &partitions);
    let own = partitions.iter().find(|own| names == [own.name.as_str()]);
    let lacks = own.zip(directives.gres_of_a_node());
    lacks.is_some_and(|(own, asked)| own.lacks(&asked))
}

/// True when sinfo says that nodes have what this script asks for, and none of them works now.
pub(super) fn is_without_nodes(preflight: &Preflight<'_>, kind: ScriptKind) -> bool {
    let Some(partitions) = of_script(preflight, kind) else {
        return false;
    };
    let directives = preflight.plan.directives(kind);
    let (names, asked) = (names(directives, &partitions), directives.gres_of_a_node());
    let fits =
        |nodes: &&Nodes| nodes.count > 0 && asked.as_ref().is_none_or(|asked| nodes.have(asked));
    let is_idle = |name: &String| {
        let own = partitions.iter().find(|own| own.name == *name);
        own.is_some_and(|own| {
            let mut fitting = own.nodes.iter().filter(fits).peekable();
            own.is_up && fitting.peek().is_some() && !fitting.any(Nodes::work)
        })
    };
    !names.is_empty() && names.iter().all(is_idle)
}

/// Nothing here stands in the way of a script that sbatch has `accepted`: the site may choose a
/// partition itself, or keep nodes for a reservation.
pub(super) fn check(preflight: &Preflight<'_>, accepted: &[ScriptKind]) -> Vec<Finding> {
    let of_clusters = preflight.by_cluster().into_iter();
    of_clusters
        .flat_map(|scripts| of_cluster(preflight, &scripts, accepted))
        .collect()
}

fn of_cluster(
    preflight: &Preflight<'_>,
    scripts: &Scripts,
    accepted: &[ScriptKind],
) -> Vec<Finding> {
    let partitions = match ask(preflight, preflight.plan.directives(scripts.first())) {
        Ok(Some(partitions)) => partitions,
        Ok(None) => return Vec::new(),
        Err(finding) => return vec![finding],
    };
    let access = Access::ask(preflight, preflight.plan.directives(scripts.first()));
    let mut findings = Vec::new();
    let mut used: Vec<&Partition> = Vec::new();
    let (mut problems, mut unused_gpus) = (Vec::new(), Vec::new());
    for kind in scripts.0.iter().copied() {
        let directives = preflight.plan.directives(kind);
        let names = names(directives, &partitions);
        let place = preflight.plan.place_of(kind, OptionName::Partition);
        let mut own = Vec::new();
        if names.is_empty() {
            own.push(Problem::new(
                "no partition is named, and Slurm has no default one".to_owned(),
                known("one", &partitions, &place),
            ));
        }
        // Of several partitions Slurm takes one that fits, and knows all of them.
        let has_choice = names.len() > 1;
        let find = |name: &String| partitions.iter().find(|own| own.name == *name);
        let fits = |own: &Partition| own.time(directives).is_none();
        let has_time = names.iter().filter_map(find).any(fits);
        own.extend(not_let_in(&access, &names, directives));
        for name in &names {
            match find(name) {
                Some(partition) => {
                    let mut problems = partition.problems(directives);
                    if has_time {
                        let time = partition.time(directives);
                        problems.retain(|problem| Some(problem) != time.as_ref());
                    }
                    let problems = problems.into_iter();
                    own.extend(problems.map(|problem| problem.at_most(has_choice)));
                    if kind == ScriptKind::Launch && !directives.asks_for_gpus_or_shares() {
                        unused_gpus
                            .extend(partition.unused_gpus(preflight.plan.recipe(), directives));
                    }
                    if !used.contains(&partition) {
                        used.push(partition);
                    }
                }
                None => own.push(Problem::new(
                    format!("Slurm has no partition {name}"),
                    known("another", &partitions, &place),
                )),
            }
        }
        let is_accepted = accepted.contains(&kind);
        let own = own.into_iter();
        problems.extend(own.map(|problem| (kind, problem.with_acceptance(is_accepted))));
    }
    findings.extend(used.into_iter().filter_map(Partition::describe));
    findings.extend(by_scripts(problems).into_iter().map(|(scripts, problem)| {
        Finding::new(
            problem.most.min(scripts.weight()),
            format!("{scripts}: {}", problem.message),
            Some(problem.fix),
        )
    }));
    findings.extend(unused_gpus);
    findings
}

/// What keeps a job out of all its partitions, though sbatch may take it.
fn not_let_in(access: &Access<'_>, names: &[String], directives: &Directives) -> Vec<Problem> {
    let refusals = names.iter().map(|name| access.refusals(name, directives));
    let refusals: Vec<_> = refusals.collect();
    if refusals.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let problem = |message| {
        let fix = words("name another partition, account or quality of service: ");
        Problem::new(message, fix.command(ASSOCIATIONS)).at_most(true)
    };
    refusals.into_iter().flatten().map(problem).collect()
}

/// What is wrong with a job and a partition.
#[derive(Debug, PartialEq)]
struct Problem {
    /// How much it can matter at most.
    most: Severity,
    message: String,
    fix: Fix,
}

impl Problem {
    fn new(message: String, fix: impl Into<Fix>) -> Self {
        Self {
            most: Severity::Error,
            message,
            fix: fix.into(),
        }
    }

    /// It stands in nobody's way when `is_less`.
    fn at_most(mut self, is_less: bool) -> Self {
        if is_less {
            self.most = Severity::Warning;
        }
        self
    }

    /// With what it is when sbatch, which asks the same controller, takes the script all the same.
    fn with_acceptance(self, is_accepted: bool) -> Self {
        if !is_accepted || self.most < Severity::Error {
            return self;
        }
        Self {
            most: Severity::Warning,
            message: format!("{}, yet sbatch would take the job", self.message),
            fix: words("if it does not start, ").then(self.fix),
        }
    }
}

/// The partitions that a job may run in: those that it names, or the default one.
fn names(directives: &Directives, partitions: &[Partition]) -> Vec<String> {
    match directives.get(OptionName::Partition) {
        Some(names) => names.split(',').map(str::to_owned).collect(),
        None => partitions
            .iter()
            .filter(|partition| partition.is_default)
            .map(|partition| partition.name.clone())
            .collect(),
    }
}

/// What to do: name `one` or `another` of those that there are.
fn known(what: &str, partitions: &[Partition], place: &str) -> String {
    /// More are for sinfo itself to show.
    const SHOWN: usize = 20;
    let names: Vec<_> = partitions.iter().map(|partition| &partition.name).collect();
    if names.is_empty() {
        return "ask the site which one is yours: sinfo lists none to you".to_owned();
    }
    let shown = listed(&names[..names.len().min(SHOWN)]);
    let more = match partitions {
        [first, ..] if names.len() > SHOWN => format!(", ... ({} -s)", first.sinfo),
        _ => String::new(),
    };
    format!("name {what}, with {place}: {shown}{more}")
}

/// Reads sinfo's answer; lines that are not of this form are left out.
fn read(text: &str, sinfo: &str) -> Vec<Partition> {
    let mut partitions: Vec<Partition> = Vec::new();
    for line in text.lines() {
        let mut fields = line.trim().splitn(6, '|').map(str::trim);
        let mut next = || fields.next();
        let (Some(name), Some(availability), Some(time_limit)) = (next(), next(), next()) else {
            continue;
        };
        let (Some(state), Some(count), Some(gres)) = (next(), next(), next()) else {
            continue;
        };
        let nodes = Nodes {
            state: state.to_owned(),
            count: count.parse().unwrap_or(0),
            gres: gres.to_owned(),
        };
        let plain = name.trim_end_matches('*');
        match partitions.iter_mut().find(|known| known.name == plain) {
            Some(known) => known.nodes.push(nodes),
            None => partitions.push(Partition {
                sinfo: sinfo.to_owned(),
                name: plain.to_owned(),
                is_default: name.ends_with('*'),
                is_up: availability == "up",
                availability: availability.to_owned(),
                time_limit: time_limit.to_owned(),
                nodes: vec![nodes],
            }),
        }
    }
    partitions
}

impl Partition {
    /// What there is to say of a partition in which jobs can run.
    fn describe(&self) -> Option<Finding> {
        let Self {
            name, time_limit, ..
        } = self;
        let count = |nodes: &mut dyn Iterator<Item = &Nodes>| nodes.map(|nodes| nodes.count).sum();
        let all: u32 = count(&mut self.nodes.iter());
        let working: u32 = count(&mut self.nodes.iter().filter(|nodes| nodes.work()));
        (self.is_up && working > 0).then(|| {
            Finding::ok(format!(
                "the partition {name} is up: {working} of {all} nodes work, with {}, time limit {time_limit}",
                self.gres()
            ))
        })
    }

    /// What keeps a job from running here.
    fn problems(&self, directives: &Directives) -> Vec<Problem> {
        let problems = [
            self.state(),
            self.time(directives),
            self.resources(directives),
        ];
        problems.into_iter().flatten().collect()
    }

    fn state(&self) -> Option<Problem> {
        let name = &self.name;
        if !self.is_up {
            return Some(Problem::new(
                format!(
                    "the partition {name} is {} and starts no jobs",
                    self.availability
                ),
                words("wait until it is up again, or name another one: ")
                    .command(&format!("{} -s", self.sinfo)),
            ));
        }
        (!self.nodes.iter().any(Nodes::work)).then(|| {
            let all: Vec<_> = self.nodes.iter().collect();
            Problem::new(
                format!(
                    "no node of the partition {name} works now: they are {}",
                    states(&all)
                ),
                self.sinfo_hint(),
            )
        })
    }

    fn sinfo_hint(&self) -> Fix {
        let (sinfo, name) = (&self.sinfo, shell_word(&self.name));
        words("see why, and until when: ").command(&format!("{sinfo} -R -p {name}"))
    }

    /// The GRES of its nodes, each kind once.
    fn gres(&self) -> String {
        let mut kinds: Vec<_> = self.nodes.iter().map(|nodes| nodes.gres.as_str()).collect();
        kinds.retain(|gres| *gres != "(null)" && !gres.is_empty());
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() {
            "no GRES".to_owned()
        } else {
            kinds.join(" or ")
        }
    }

    fn time(&self, directives: &Directives) -> Option<Problem> {
        let (name, limit) = (&self.name, &self.time_limit);
        // Slurm may lower the limit to --time-min.
        let option = [OptionName::TimeMin, OptionName::Time]
            .into_iter()
            .find(|&option| directives.is_set(option))?;
        let asked = directives.get(option)?;
        exceeds(&asked, limit).then(|| {
            Problem::new(
                format!(
                    "the partition {name} allows {limit}, so with {option}={asked} the job would wait forever, unless \
                     its quality of service allows more"
                ),
                format!("ask for at most {limit} with --time or time in the settings, or name another partition"),
            )
            .at_most(true)
        })
    }

    /// That launch.sh asks for none of the GPUs that its nodes have.
    fn unused_gpus(&self, recipe: &Recipe, directives: &Directives) -> Option<Finding> {
        let gres = self.gres();
        // Slurm gives a job that has its nodes alone all that they have.
        let all_have_some = self.nodes.iter().all(|nodes| nodes.gres.contains("gpu"));
        if all_have_some && directives.has_whole_nodes() {
            return None;
        }
        let mut kinds = gres_entries(&gres).filter(|(name, ..)| *name == "gpu");
        let kind = kinds.next().and_then(|(_, kind, _)| kind);
        let kind = kind.filter(|_| self.nodes.iter().all(|it| it.gres.contains(&gres)));
        let kind = kind.map_or_else(String::new, |kind| format!("{kind}:"));
        gres.contains("gpu").then(|| {
            let fix = format!(
                "add --sbatch launch.gres=gpu:{kind}{}, or gres in [slurm.launch] of the settings",
                recipe.server.gpus_per_node()
            );
            let words = format!(
                "launch.sh asks Slurm for no GPUs, and the nodes of {} have {gres}",
                self.name
            );
            Finding::warning(words, fix)
        })
    }

    /// True when none of its nodes has what is asked for. Of a cloud's nodes those that are off may not be shown.
    fn lacks(&self, asked: &Gres) -> bool {
        self.nodes.iter().any(|nodes| nodes.count > 0)
            && !self.nodes.iter().any(|nodes| nodes.have(asked))
    }

    fn resources(&self, directives: &Directives) -> Option<Problem> {
        let name = &self.name;
        let asked = directives.gres_of_a_node()?;
        if self.lacks(&asked) {
            return Some(Problem::new(
                format!("no node of {name} has the {asked} that is asked for: they have {}", self.gres()),
                "ask for what they have with --sbatch launch.gres=..., or gres in the settings; or name another partition".to_owned(),
            ));
        }
        let fitting = self.nodes.iter().filter(|nodes| nodes.have(&asked));
        let fitting: Vec<_> = fitting.collect();
        // Where no node at all works, that was said.
        let works = |nodes: &[&Nodes]| nodes.iter().any(|nodes| nodes.work());
        let is_idle = !fitting.is_empty() && !works(&fitting);
        (is_idle && self.nodes.iter().any(Nodes::work)).then(|| {
            Problem::new(
                format!(
                    "no node of {name} that has {asked} works now: they are {}",
                    states(&fitting)
                ),
                self.sinfo_hint(),
            )
        })
    }
}

/// The states of some nodes, each once.
fn states(nodes: &[&Nodes]) -> String {
    let mut states: Vec<_> = nodes.iter().map(|nodes| nodes.state.as_str()).collect();
    states.sort_unstable();
    states.dedup();
    listed(&states)
}

impl Nodes {
    /// False for a state in which a node takes no jobs. Source: sinfo(1), "Node state
    /// codes".
    fn work(&self) -> bool {
        let state = self
            .state
            .trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        let is_silent = self.state.ends_with('*');
        !is_silent
            && ![
                "down", "drain", "fail", "maint", "unk", "inval", "blocked", "future",
            ]
            .iter()
            .any(|idle| state.starts_with(idle))
    }

    /// True when each node has all that is asked for.
    fn have(&self, asked: &Gres) -> bool {
        asked.entries().all(|entry| {
            let of_kind = gres_entries(&self.gres).filter(|(name, kind, _)| {
                *name == entry.name() && (entry.kind().is_none() || *kind == entry.kind())
            });
            let count: u64 = of_kind.map(|(_, _, count)| count).sum();
            count >= entry.count()
        })
    }
}

/// Name, type and count of each entry of sinfo's GRES: `gpu:h100:8(S:0-1),shard:32`.
fn gres_entries(text: &str) -> impl Iterator<Item = (&str, Option<&str>, u64)> {
    // The sockets in parentheses may have commas.
    let mut depth = 0_u32;
    let entries = text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    entries.filter_map(|entry| {
        let entry = entry.split('(').next()?;
        let mut parts = entry.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        let rest: Vec<_> = parts.collect();
        let (kind, count) = match rest.as_slice() {
            [] => (None, "1"),
            [count] => (None, *count),
            [kind, .., count] => (Some(*kind), *count),
        };
        Some((name, kind, gres_count(count)?))
    })
}

/// A count, which large ones have with a unit: `8`, `2K`.
fn gres_count(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        "P" => 1 << 50,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// True when a job's time is above a partition's. What cannot be read is not.
fn exceeds(asked: &str, limit: &str) -> bool {
    let (Ok(asked), Ok(limit)) = (TimeLimit::parse(asked), TimeLimit::parse(limit)) else {
        return false;
    };
    // None is no limit.
    match (asked.minutes(), limit.minutes()) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(asked), Some(limit)) => asked > limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINFO: &str = "batch*|up|infinite|idle|2|gpu:h100:8(S:0-1),shard:32\n\
                         batch*|up|infinite|drained*|1|gpu:a100:4\n\
                         cpu|up|4:00:00|mixed|10|(null)\n\
                         old|down|1-00:00:00|down|1|gpu:8\n\
                         not a line of sinfo\n";

    fn directives(text: &str) -> Directives {
        toml::from_str(text).unwrap()
    }

    #[track_caller]
    fn against(partition: &str, launch: &str) -> Vec<String> {
        let partitions = read(SINFO, "sinfo");
        let partition = partitions.iter().find(|own| own.name == partition).unwrap();
        let problems = partition.problems(&directives(launch));
        problems
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    }

    #[test]
    fn partitions_and_their_nodes() {
        let partitions = read(SINFO, "sinfo");
        let names: Vec<_> = partitions.iter().map(|own| own.name.as_str()).collect();
        assert_eq!(names, ["batch", "cpu", "old"]);
        assert!(partitions[0].is_default && !partitions[1].is_default);
        assert_eq!(
            partitions[0].describe().unwrap().message(),
            "the partition batch is up: 2 of 3 nodes work, with gpu:a100:4 or gpu:h100:8(S:0-1),shard:32, time limit \
             infinite"
        );
        assert_eq!(partitions[2].describe(), None);
        assert_eq!(
            against("old", "gres = 'gpu:8'"),
            ["the partition old is down and starts no jobs"]
        );
        let drained = read(
            "batch*|up|infinite|drained|2|(null)\nbatch*|up|infinite|down*|1|(null)\n",
            "sinfo",
        );
        assert_eq!(drained[0].describe(), None);
        assert_eq!(
            drained[0].state().unwrap().message,
            "no node of the partition batch works now: they are down* and drained"
        );
    }

    #[test]
    fn what_to_name_is_told() {
        let partitions = read(SINFO, "sinfo");
        let told = |what, count| known(what, &partitions[..count], "--partition");
        assert_eq!(told("one", 2), "name one, with --partition: batch and cpu");
        assert_eq!(told("another", 1), "name another, with --partition: batch");
        assert_eq!(
            told("another", 0),
            "ask the site which one is yours: sinfo lists none to you"
        );
    }

    #[test]
    fn gres_of_nodes() {
        let entries: Vec<_> = gres_entries("gpu:h100:8(S:0,1),shard:2K,fpga,(null)").collect();
        assert_eq!(
            entries,
            [
                ("gpu", Some("h100"), 8),
                ("shard", None, 2048),
                ("fpga", None, 1)
            ]
        );
        for fits in ["gpu:8", "gpu:h100:1", "shard:32"] {
            assert!(
                against("batch", &format!("gres = '{fits}'")).is_empty(),
                "{fits}"
            );
        }
        assert_eq!(
            against("batch", "gres = 'gpu:9'"),
            [
                "no node of batch has the gpu:9 that is asked for: they have gpu:a100:4 or gpu:h100:8(S:0-1),shard:32"
            ]
        );
        assert_eq!(
            against("batch", "gpus_per_node = 'a100:4'"),
            ["no node of batch that has gpu:a100:4 works now: they are drained*"]
        );
        assert!(against("batch", "").is_empty());
        let off = &read("cloud|up|infinite|n/a|0|\n", "sinfo")[0];
        assert_eq!(off.problems(&directives("gres = 'gpu:8'")), []);
        assert!(!off.lacks(&Gres::parse("gpu:8").unwrap()));
        let partitions = read(SINFO, "sinfo");
        let recipe = Recipe::llama3_70b_h100x4_fp8();
        let finding = partitions[0].unused_gpus(&recipe, &directives("")).unwrap();
        assert_eq!(
            finding.to_string(),
            "warning: launch.sh asks Slurm for no GPUs, and the nodes of batch have gpu:a100:4 or \
             gpu:h100:8(S:0-1),shard:32; add --sbatch launch.gres=gpu:4, or gres in [slurm.launch] of the settings"
        );
        let alone = directives("exclusive = true");
        assert_eq!(partitions[0].unused_gpus(&recipe, &alone), None);
        assert_eq!(partitions[1].unused_gpus(&recipe, &directives("")), None);
    }

    #[test]
    fn times() {
        for (asked, limit, is_above) in [
            ("4:00:00", "4:00:00", false),
            ("4:00:01", "4:00:00", true),
            ("1-0", "infinite", false),
            ("UNLIMITED", "4:00:00", true),
            ("UNLIMITED", "infinite", false),
            ("30", "20:00", true),
            ("30", "n/a", false),
        ] {
            assert_eq!(exceeds(asked, limit), is_above, "{asked} {limit}");
        }
        assert_eq!(
            against("cpu", "time = '5:00:00'"),
            [
                "the partition cpu allows 4:00:00, so with --time=5:00:00 the job would wait forever, unless its \
                 quality of service allows more"
            ]
        );
        assert_eq!(
            against("cpu", "time = '5:00:00'\ntime_min = '1:00:00'"),
            [""; 0]
        );
    }
}
