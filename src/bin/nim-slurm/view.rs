//! What a user sees of a job that is followed.

use std::collections::HashSet;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use camino::Utf8Path;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use nim_slurm::results::{Metric, Point, PointName, Run, Statistic};
use nim_slurm::slurm::{JobId, SubmittedJob};
use nim_slurm::{
    ChainJob, JobRecord, JobState, JobStatus, Measuring, PointProgress, PointState, Progress,
    ServerState, plain,
};

use crate::follow::has_written;
use crate::output::{Failure, is_quiet, print};
use crate::shared::node;

/// What the user sees: a line for each thing that happens, and at a terminal a bar
/// below them for what is going on.
pub(crate) struct View {
    printed: HashSet<String>,
    /// What Slurm said of each job when its state was printed last.
    states: Vec<(JobId, JobState)>,
    /// Folders of points that are known to be finished: a search finds more points on its way.
    finished: HashSet<String>,
    /// What was printed of this run of the job: in another one it may happen again.
    printed_in_run: HashSet<String>,
    restart: Option<u32>,
    bar: Option<ProgressBar>,
}

impl View {
    pub(crate) fn new() -> Self {
        let is_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let has_bar = is_terminal && !is_quiet();
        Self {
            printed: HashSet::new(),
            states: Vec::new(),
            finished: HashSet::new(),
            printed_in_run: HashSet::new(),
            restart: None,
            bar: has_bar.then(bar),
        }
    }

    pub(crate) fn show(
        &mut self,
        progress: &Progress,
        launch: &SubmittedJob,
        results: &Utf8Path,
    ) -> Result<(), Failure> {
        if let Some(restart) = progress.restart {
            let known = self.restart.replace(restart);
            // The first run has no manifest at first, and is the same run all the same.
            if known.is_some_and(|known| known != restart) {
                self.printed_in_run.clear();
            }
        }
        let is_seen = progress.server != (ServerState::Loading { waited: None })
            || has_written(launch, results);
        let points = self.new_lines(progress, results);
        // Below a new line, the bar says what is so now.
        self.update_bar(progress, launch, is_seen);
        for ChainJob { kind, id: job, .. } in &progress.completed_jobs {
            self.print_once(&format!("{}, job {job}, has succeeded", kind.key()))?;
        }
        let has_ended = progress.outcome.is_some();
        if !has_ended {
            self.print_state(progress, launch)?;
            if let Some(blocking_reason) = blocking_reason(progress) {
                self.print_once(&blocking_reason)?;
            }
        }
        if let Some(text) = server(&progress.server, is_seen) {
            self.print_once_in_run(&text)?;
        }
        for line in points {
            self.print(&line)?;
        }
        if self.bar.is_none() {
            for point in self.measuring(progress) {
                self.print_once_in_run(&format!("measuring {point}"))?;
            }
        }
        if has_ended {
            self.print_state(progress, launch)?;
        }
        Ok(())
    }

    /// What is to be said of points that have ended since the last look.
    fn new_lines(&mut self, progress: &Progress, results: &Utf8Path) -> Vec<String> {
        let count = progress.points.len();
        let names_model = has_several_models(&progress.points);
        let mut lines = Vec::new();
        for (index, point) in progress.points.iter().enumerate() {
            let number = format!("point {} of {count}", index + 1);
            match point.state {
                PointState::Finished if self.finished.contains(&point.folder) => {}
                PointState::Finished => {
                    // Its files may follow a moment later.
                    let result = last_result(&results.join(&point.folder));
                    if result.is_some() || progress.outcome.is_some() {
                        lines.push(finished(
                            &number,
                            &title(&point.folder, names_model),
                            result,
                        ));
                        self.finished.insert(point.folder.clone());
                    }
                }
                PointState::Failed => {
                    let line = failed(&number, &title(&point.folder, names_model), point);
                    if self.printed_in_run.insert(line.clone()) {
                        lines.push(line);
                    }
                }
                _ => {}
            }
        }
        lines
    }

    fn update_bar(&self, progress: &Progress, launch: &SubmittedJob, is_seen: bool) {
        let Some(bar) = &self.bar else {
            return;
        };
        if !progress.points.is_empty() {
            bar.set_style(style(TEMPLATE));
        }
        bar.set_length(progress.points.len() as u64);
        // As many as were told of.
        let is_told = |point: &&PointProgress| self.finished.contains(&point.folder);
        bar.set_position(progress.points.iter().filter(is_told).count() as u64);
        let measuring = self.measuring(progress);
        let now: Vec<_> = measuring.iter().map(ToString::to_string).collect();
        let now = Some(now.join("; ")).filter(|now| !now.is_empty());
        let now = now.or_else(|| self.between_points(progress));
        let now = now.or_else(|| server(&progress.server, is_seen));
        let now = now.unwrap_or_else(|| state(progress, launch));
        bar.set_message(cut_to(&plain(&now), room_for_words()));
    }

    /// Whether it is not yet known how the point ends.
    fn goes_on(&self, point: &PointProgress) -> bool {
        match point.state {
            PointState::Finished => !self.finished.contains(&point.folder),
            PointState::Open => point.detail.is_none(),
            _ => false,
        }
    }

    /// What is measured, once the points before it have ended: their tools still write results while the next point runs.
    fn measuring<'a>(&self, progress: &'a Progress) -> Vec<&'a Measuring> {
        let first = |point: &Measuring| point.number.saturating_sub(point.number_in_task);
        let has_its_turn = |point: &&Measuring| {
            let now = progress.points.get(point.number.saturating_sub(1));
            let has_ended = [PointState::Finished, PointState::Failed];
            if now.is_some_and(|now| has_ended.contains(&now.state)) {
                return false;
            }
            let own = first(point)..point.number.saturating_sub(1);
            let before = progress.points.get(own).unwrap_or_default();
            let going_on = before.iter().filter(|point| self.goes_on(point)).count();
            let at_once = progress.measuring.iter();
            going_on < at_once.filter(|other| first(other) == first(point)).count()
        };
        progress.measuring.iter().filter(has_its_turn).collect()
    }

    /// What the bar says while no point has its turn.
    fn between_points(&self, progress: &Progress) -> Option<String> {
        let (finished, known) = (progress.finished(), progress.points.len());
        let written = progress.points.iter().position(|point| self.goes_on(point));
        let is_finished = |place: usize| progress.points[place].state == PointState::Finished;
        match written.filter(|place| !progress.measuring.is_empty() || is_finished(*place)) {
            Some(place) => Some(format!(
                "point {} of {known}: the client writes its results",
                place + 1
            )),
            // A search finds more points on its way.
            None => (known > 0 && finished == known)
                .then(|| format!("{finished} of {known} points are finished; waiting for the job")),
        }
    }

    /// Says that the job writes elsewhere, where it has written nothing here for long.
    pub(crate) fn show_silence(
        &mut self,
        progress: &Progress,
        launch: &SubmittedJob,
        results: &Utf8Path,
        is_submitted_here: bool,
    ) -> Result<(), Failure> {
        match silence(progress, launch, results, is_submitted_here) {
            Some(words) => self.print_once_in_run(&words),
            None => Ok(()),
        }
    }

    /// Says where the jobs are. They may come back to a state, as from SUSPENDED; a reason that comes back is no news.
    fn print_state(&mut self, progress: &Progress, launch: &SubmittedJob) -> Result<(), Failure> {
        let line = state(progress, launch);
        if self.is_new_state(progress) {
            self.printed.remove(&line);
        }
        self.print_once(&line)
    }

    fn is_new_state(&mut self, progress: &Progress) -> bool {
        let launch = match &progress.launch {
            JobStatus::Known(records) => records.as_slice(),
            JobStatus::Unknown => &[],
        };
        let before = progress.earlier_job.iter().map(|(_, record)| record);
        let states = before.chain(launch);
        let mut states: Vec<_> = states.map(|it| (it.id, it.state.clone())).collect();
        states.sort_by_key(|(id, _)| *id);
        let last = std::mem::replace(&mut self.states, states);
        last != self.states
    }

    /// Says it unless it was said already.
    pub(crate) fn print_once(&mut self, line: &str) -> Result<(), Failure> {
        if self.printed.insert(line.to_owned()) {
            self.print(line)
        } else {
            Ok(())
        }
    }

    /// Says it unless it was said already of this run.
    fn print_once_in_run(&mut self, line: &str) -> Result<(), Failure> {
        if self.printed_in_run.insert(line.to_owned()) {
            self.print(line)
        } else {
            Ok(())
        }
    }

    fn print(&self, line: &str) -> Result<(), Failure> {
        let line = format!("{}\n", plain(line));
        match &self.bar {
            Some(bar) => bar.suspend(|| print(&line)),
            None => print(&line),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

const TEMPLATE: &str = "[{bar:10}] {pos}/{len}, {time}: {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the template is right");
    let style = style.with_key("time", |state: &ProgressState, text: &mut dyn Write| {
        let seconds = state.elapsed().as_secs();
        let _ = write!(text, "{}:{:02}", seconds / 60, seconds % 60);
    });
    style.progress_chars("=> ")
}

/// Without a bar, until it is known how many points there are.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0)
        .with_style(style("{time}: {wide_msg}"))
        .with_message("asking Slurm");
    bar.enable_steady_tick(std::time::Duration::from_secs(1));
    bar
}

/// How many columns the terminal has beside what stands in front of the bar's words.
fn room_for_words() -> usize {
    let in_front = "[==========] 1000/1000, 100:00: ".len();
    terminal_size::terminal_size().map_or(usize::MAX, |(width, _)| {
        usize::from(width.0).saturating_sub(in_front)
    })
}

/// The text, or as much of it as has room, with an ellipsis: a number that is cut looks like another number.
fn cut_to(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    kept + "…"
}

/// Where the launch job is, and what it waits for.
fn state(progress: &Progress, launch: &SubmittedJob) -> String {
    let state = match &progress.launch {
        JobStatus::Known(records) => all_in_words(records),
        JobStatus::Unknown => "Slurm does not know it".to_owned(),
    };
    let Some((job, record)) = &progress.earlier_job else {
        return format!("launch, job {launch}: {state}");
    };
    let before = format!("{}, job {}", job.kind.key(), job.id);
    let record = all_in_words(std::slice::from_ref(record));
    let reason = progress
        .launch
        .record()
        .and_then(|own| own.reason.as_deref());
    match reason {
        Some("Dependency") => {
            let waiting = progress.waiting_jobs.iter();
            let waiting = waiting.map(|job| job.kind.key());
            let launch = format!("launch, job {launch}");
            match &*waiting.collect::<Vec<_>>().join(" and ") {
                "" => format!("{before}: {record}; {launch}, waits"),
                others => format!("{before}: {record}; {launch}, waits for it and for {others}"),
            }
        }
        _ => format!("launch, job {launch}: {state}; {before}: {record}"),
    }
}

/// What keeps launch, or the job that it waits for, from starting.
fn blocking_reason(progress: &Progress) -> Option<String> {
    let before = progress.earlier_job.as_ref().map(|(_, record)| record);
    before.or(progress.launch.record())?.blocking_reason()
}

/// The records of one job, those of an array's tasks by what is said of them.
fn all_in_words(records: &[JobRecord]) -> String {
    let mut tasks_by_words: Vec<(String, Vec<&str>)> = Vec::new();
    for record in records {
        let words = in_words(record);
        let place = tasks_by_words.iter().position(|(own, _)| *own == words);
        let place = place.unwrap_or_else(|| {
            tasks_by_words.push((words, Vec::new()));
            tasks_by_words.len() - 1
        });
        // As in 0-3%1, where one may run at a time.
        let tasks = record
            .array
            .iter()
            .map(|(_, tasks)| tasks.split('%').next());
        let tasks = tasks.flatten();
        tasks_by_words[place].1.extend(tasks);
    }
    let parts = tasks_by_words.into_iter().map(|(words, mut tasks)| {
        // Slurm has the last task first.
        tasks.sort_by_key(|tasks| (tasks.len(), *tasks));
        match tasks.as_slice() {
            [] => words,
            tasks => format!("task {} {words}", tasks.join(",")),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

fn in_words(record: &JobRecord) -> String {
    let mut words = vec![record.state.to_string()];
    let restarts = record.restarts.filter(|&count| count > 0);
    words.extend(restarts.map(|count| format!("restart {count}")));
    words.extend(record.reason.clone());
    words.extend(record.nodes.as_ref().map(|nodes| format!("on {nodes}")));
    words.join(", ")
}

/// How long a job may run before it has written something to its results' folder.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A job that runs and has written nothing where its results are looked for: most likely it writes elsewhere.
fn silence(
    progress: &Progress,
    launch: &SubmittedJob,
    results: &Utf8Path,
    is_submitted_here: bool,
) -> Option<String> {
    let is_starting = progress.server == ServerState::Loading { waited: None };
    let record = progress.launch.record()?;
    let started = record.started.filter(|_| is_starting)?;
    if started.elapsed().ok()? < LONGEST_SILENCE || has_written(launch, results) {
        return None;
    }
    let stage_path = results.parent()?;
    let node = node(Some(record), "its node");
    let question = if is_submitted_here {
        format!("Do {node} and this machine share {stage_path}?")
    } else {
        format!(
            "Is {stage_path} its stage path, and do {node} and this machine share it? If it is another one, press Ctrl-C and give \
             --settings or --stage-path, or export STAGE_PATH, as it was when the job was submitted"
        )
    };
    Some(format!(
        "the job runs, but has written nothing to {results}. {question}"
    ))
}

/// What is known of the server; of a job that `is_seen` to write nothing, not that it starts one.
fn server(server: &ServerState, is_seen: bool) -> Option<String> {
    match server {
        ServerState::Loading { waited: None } => {
            is_seen.then(|| "the server is starting".to_owned())
        }
        ServerState::Loading {
            waited: Some((waited, answer)),
        } => Some(format!(
            "the server has been loading for {} s: {answer}",
            waited.as_secs()
        )),
        ServerState::Ready { after: Some(after) } => {
            Some(format!("the server is ready after {} s", after.as_secs()))
        }
        ServerState::Ready { after: None } => Some("the server is ready".to_owned()),
        _ => None,
    }
}

fn finished(number: &str, title: &str, result: Option<String>) -> String {
    let result = result.map(|result| format!(": {result}"));
    format!(
        "{number} is finished: {title}{}",
        result.unwrap_or_default()
    )
}

fn failed(number: &str, title: &str, point: &PointProgress) -> String {
    let reason = point.detail.as_deref().unwrap_or("no reason is known");
    format!("{number} failed: {title}: {reason}")
}

/// Whether the points are of several models, or of several variants of a server.
fn has_several_models(points: &[PointProgress]) -> bool {
    let names = points
        .iter()
        .filter_map(|point| PointName::parse(&point.folder));
    let models: HashSet<_> = names.map(|name| name.model().to_owned()).collect();
    models.len() > 1
}

/// As in `chat 128/128, concurrency 25`.
fn title(folder: &str, names_model: bool) -> String {
    let Some(name) = PointName::parse(folder) else {
        return folder.to_owned();
    };
    let model = if names_model {
        format!("{}: ", name.model())
    } else {
        String::new()
    };
    let repeat = match name.repeat() {
        1 => String::new(),
        repeat => format!(", repeat {repeat}"),
    };
    let (use_case, load) = (name.use_case(), name.load().in_words());
    format!(
        "{model}{use_case} {}/{}, {load}{repeat}",
        name.input(),
        name.output()
    )
}

/// A finished point's time to first token, inter-token latency and throughput, on each
/// of several servers.
fn last_result(folder: &Utf8Path) -> Option<String> {
    let run = Run::read(folder).ok()?;
    let results: Vec<_> = run.points().iter().filter_map(result).collect();
    (!results.is_empty()).then(|| results.join("; "))
}

fn result(point: &Point) -> Option<String> {
    let values = [
        (
            "TTFT",
            point.value(Metric::TimeToFirstToken, Statistic::Avg),
            "ms",
        ),
        (
            "ITL",
            point.value(Metric::InterTokenLatency, Statistic::Avg),
            "ms",
        ),
        ("throughput", point.throughput(), "output tokens/s"),
    ];
    let mut words: Vec<_> = values
        .into_iter()
        .filter_map(|(name, value, unit)| Some(format!("{name} {:.2} {unit}", value?)))
        .collect();
    if point.is_too_short() == Some(true) && !words.is_empty() {
        words.push("too short to rely on".to_owned());
    }
    let server = point.replica().map(|number| format!("server {number}: "));
    (!words.is_empty()).then(|| server.unwrap_or_default() + &words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_cut_say_so() {
        assert_eq!(
            cut_to("prepare_models, job 8019", 24),
            "prepare_models, job 8019"
        );
        assert_eq!(
            cut_to("prepare_models, job 8019", 23),
            "prepare_models, job 80…"
        );
        assert_eq!(cut_to("job", 0), "…");
    }

    #[test]
    fn a_point_that_was_too_short_says_so() {
        let run = |folder: &str| Run::read(format!("tests/data/{folder}")).unwrap();
        let short = result(&run("requests/aiperf-1").points()[0]).unwrap();
        assert!(
            short.ends_with(" output tokens/s, too short to rely on"),
            "{short}"
        );
        let whole = result(&run("search").points()[0]).unwrap();
        assert!(whole.ends_with(" output tokens/s"), "{whole}");
    }

    #[test]
    fn a_job_that_comes_back_to_a_state_is_told() {
        let mut view = View::new();
        let mut is_new = |state: JobState, reason: Option<&str>| {
            let mut record = JobRecord::new("7".parse().unwrap(), state);
            record.reason = reason.map(str::to_owned);
            view.is_new_state(&Progress::new(JobStatus::Known(vec![record])))
        };
        assert!(is_new(JobState::Pending, Some("Priority")));
        assert!(!is_new(JobState::Pending, Some("Resources")));
        assert!(is_new(JobState::Running, None));
        assert!(!is_new(JobState::Running, None));
        assert!(is_new(JobState::Suspended, None));
        assert!(is_new(JobState::Running, None));
    }

    #[test]
    fn a_point_has_its_turn_when_those_before_it_have_ended() {
        let mut view = View::new();
        let mut progress = Progress::new(JobStatus::Unknown);
        let point = |number| PointProgress::new(number, PointState::Open);
        progress.points = ["1", "2", "3", "4"].map(point).to_vec();
        let said = |view: &View, progress: &Progress| -> Vec<usize> {
            let measuring = view.measuring(progress);
            measuring.iter().map(|point| point.number).collect()
        };
        progress.measuring = vec![Measuring::new(2, 4, "b")];
        assert_eq!(said(&view, &progress), [0; 0]);
        let now = view.between_points(&progress);
        let words = "point 1 of 4: the client writes its results";
        assert_eq!(now.as_deref(), Some(words));
        progress.points[0].state = PointState::Finished;
        assert_eq!(
            said(&view, &progress),
            [0; 0],
            "its figures are not there yet"
        );
        view.finished.insert("1".to_owned());
        assert_eq!(said(&view, &progress), [2]);
        // Two servers measure two points at once.
        progress.measuring.push(Measuring::new(3, 4, "c"));
        assert_eq!(said(&view, &progress), [2, 3]);
        progress.measuring[0] = Measuring::new(4, 4, "d");
        assert_eq!(said(&view, &progress), [3]);
        // Tasks of an array do not wait for each other.
        let mut other = Measuring::new(3, 4, "c");
        other.number_in_task = 1;
        progress.measuring = vec![Measuring::new(2, 4, "b"), other];
        assert_eq!(said(&view, &progress), [2, 3]);
        // One that was left out is not waited for.
        progress.points[1].detail = Some("too little time".to_owned());
        progress.measuring = vec![Measuring::new(3, 4, "c")];
        assert_eq!(said(&view, &progress), [3]);
        // The client says so until the next one begins.
        for ended in [PointState::Failed, PointState::Finished] {
            progress.points[2].state = ended;
            assert_eq!(said(&view, &progress), [0; 0]);
        }
        let words = "point 3 of 4: the client writes its results";
        assert_eq!(view.between_points(&progress).as_deref(), Some(words));
    }
}
