//! Shows how far a launch job is until it ends.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use camino::Utf8Path;
use indicatif::{ProgressBar, ProgressStyle};
use nim_slurm::results::{Metric, Point, Run, Statistic};
use nim_slurm::slurm::SubmittedJob;
use nim_slurm::{
    ChainJob, Follower, JobRecord, JobStatus, LaunchOutcome, Plan, PointProgress, PointState,
    Progress, Queue, RunId, ScriptKind, ServerState, StagePath, StatusError, last_lines, plain,
    shell_word,
};

use crate::common::{Failure, input, other, print};

/// How much of a log is shown when a job has failed.
const SHOWN_LINES: usize = 20;

/// Follows a launch job, and the jobs before it, to its end.
pub(crate) fn follow(
    plan: &Plan,
    launch: &SubmittedJob,
    chain: Option<&[ChainJob]>,
    reattach: &Reattach,
) -> Result<(), Failure> {
    let stage_path = stage_path(plan)?;
    let queue = Queue::find().map_err(other)?;
    let mut follower = Follower::new(plan, &stage_path, queue, launch.clone());
    if let Some(jobs) = chain {
        follower = follower.with_chain(jobs.iter().cloned());
    }
    let mut view = View::new();
    let progress = loop {
        match follower.poll() {
            Ok(progress) => {
                view.show(&progress, launch, follower.results_folder())?;
                if progress.outcome.is_some() {
                    break progress;
                }
                reattach.set(follower.earlier_jobs(), launch);
            }
            Err(error @ StatusError::Unreachable { .. }) => {
                view.print_once(&format!("{error}; it is asked again"))?;
            }
            Err(error) => {
                view.finish();
                reattach.show();
                return Err(other(error));
            }
        }
        thread::sleep(Follower::INTERVAL);
    };
    view.finish();
    let results = follower.results_folder();
    let report = match progress.finished() {
        0 => String::new(),
        _ => format!(
            "to report on them: {}\n",
            command_to_report(&progress, results)
        ),
    };
    let outcome = progress.outcome.expect("the loop ends with one");
    if outcome.is_success() {
        return print(&format!(
            "{outcome}\nthe results are in {results}\n{report}"
        ));
    }
    print(&report)?;
    show_logs(&outcome);
    for line in &outcome.advice {
        eprintln!("{line}");
    }
    Err(Failure::Other(outcome.to_string().into()))
}

/// What shows the results of all jobs of the run.
fn command_to_report(progress: &Progress, results: &Utf8Path) -> String {
    let runs: Vec<_> = progress.runs.iter().map(RunId::as_str).collect();
    format!(
        "cargo run --example report -- {} --job {}",
        shell_word(results.as_str()),
        runs.join(",")
    )
}

/// The folder that the job writes to: `STAGE_PATH` wins when a script runs.
fn stage_path(plan: &Plan) -> Result<StagePath, Failure> {
    if let Some(path) = exported_stage_path() {
        return StagePath::parse(&path).map_err(input);
    }
    plan.settings().stage_path().cloned().ok_or_else(|| {
        Failure::Input(
            "the job's stage path is not known: give --stage-path, or export STAGE_PATH".into(),
        )
    })
}

fn exported_stage_path() -> Option<String> {
    let path = std::env::var("STAGE_PATH").ok();
    path.filter(|path| !path.is_empty())
}

/// What to type when this program ends before the jobs do.
#[derive(Clone, Default)]
pub(crate) struct Reattach(Arc<Mutex<SubmittedJobs>>);

/// The jobs that were submitted, and have not ended well yet.
#[derive(Default)]
struct SubmittedJobs {
    before: Vec<ChainJob>,
    /// None while jobs are being submitted.
    launch: Option<SubmittedJob>,
}

impl Reattach {
    /// Shows the way back on Ctrl-C, and ends this program. The jobs go on.
    pub(crate) fn on_ctrl_c() -> Result<Self, Failure> {
        let reattach = Self::default();
        let shown = reattach.clone();
        ctrlc::set_handler(move || {
            shown.show();
            // 128 and the number of the signal, as a shell has it.
            std::process::exit(130);
        })
        .map_err(other)?;
        Ok(reattach)
    }

    /// Adds a job of a chain.
    pub(crate) fn add(&self, job: &ChainJob) {
        let mut jobs = self.jobs();
        if job.kind == ScriptKind::Launch {
            jobs.launch = Some(job.job.clone());
        } else {
            jobs.before.push(job.clone());
        }
    }

    /// Sets it for a launch job, and for those that it waits for.
    pub(crate) fn set(&self, before: &[ChainJob], launch: &SubmittedJob) {
        *self.jobs() = SubmittedJobs {
            before: before.to_vec(),
            launch: Some(launch.clone()),
        };
    }

    fn show(&self) {
        eprint!("\n{}", self.jobs().words());
    }

    fn jobs(&self) -> MutexGuard<'_, SubmittedJobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SubmittedJobs {
    fn words(&self) -> String {
        let before = self.before.iter();
        let mut names: Vec<_> = before
            .map(|job| format!("{}, job {}", job.kind.key(), job.job))
            .collect();
        names.extend(self.launch.as_ref().map(|job| format!("launch, job {job}")));
        let mut text = String::new();
        if !names.is_empty() {
            text.push_str(&format!("still there: {}\n", names.join("; ")));
        }
        if let Some(launch) = &self.launch {
            text.push_str(&format!(
                "  to come back: {}\n",
                command_to_come_back(launch)
            ));
        } else {
            text.push_str("a job may have been submitted just now: look with squeue --me\n");
        }
        if let Some(command) = command_to_cancel(&self.before, self.launch.as_ref()) {
            text.push_str(&format!("  to cancel:    {command}\n"));
        }
        text
    }
}

/// This command again, for the job that is there now.
fn command_to_come_back(launch: &SubmittedJob) -> String {
    let is_for_submission = |word: &String| {
        matches!(word.as_str(), "--submit" | "--models-job" | "--follow")
            || word.starts_with("--follow=")
    };
    let words = std::env::args().filter(|word| !is_for_submission(word));
    let follow = format!("--follow={launch}");
    let words: Vec<_> = words
        .chain([follow])
        .map(|word| shell_word(&word))
        .collect();
    let stage_path = match exported_stage_path() {
        Some(path) => format!("STAGE_PATH={} ", shell_word(&path)),
        None => String::new(),
    };
    stage_path + &words.join(" ")
}

/// What ends jobs of a chain, if there are any.
pub(crate) fn command_to_cancel(
    before: &[ChainJob],
    launch: Option<&SubmittedJob>,
) -> Option<String> {
    let jobs: Vec<_> = before.iter().map(|job| &job.job).chain(launch).collect();
    let mut words = vec!["scancel".to_owned()];
    // All jobs of a chain are on one cluster.
    let cluster = jobs.first()?.cluster();
    words.extend(cluster.map(|name| format!("--clusters={name}")));
    words.extend(jobs.iter().map(|job| match job.task() {
        Some(task) => format!("{}_{task}", job.id()),
        None => job.id().to_string(),
    }));
    Some(words.join(" "))
}

/// What the job showed of the logs that tell why, else their last lines.
fn show_logs(outcome: &LaunchOutcome) {
    for line in &outcome.log_lines {
        eprintln!("{line}");
    }
    if !outcome.log_lines.is_empty() {
        return;
    }
    for log in &outcome.logs {
        match last_lines(log, SHOWN_LINES) {
            Ok(lines) => {
                eprintln!("the last lines of {}:", plain(log.as_str()));
                for line in lines {
                    eprintln!("  | {line}");
                }
            }
            Err(error) => eprintln!("cannot read {}: {error}", plain(log.as_str())),
        }
    }
}

/// What the user sees: a line for each thing that happens, and at a terminal a bar
/// below them for what is going on.
struct View {
    printed: HashSet<String>,
    /// What was printed of this run of the job: in another one it may happen again.
    printed_in_run: HashSet<String>,
    restart: Option<u32>,
    bar: Option<ProgressBar>,
}

impl View {
    fn new() -> Self {
        let is_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self {
            printed: HashSet::new(),
            printed_in_run: HashSet::new(),
            restart: None,
            bar: is_terminal.then(bar),
        }
    }

    fn show(
        &mut self,
        progress: &Progress,
        launch: &SubmittedJob,
        results: &Utf8Path,
    ) -> Result<(), Failure> {
        if self.restart != progress.restart {
            self.restart = progress.restart;
            self.printed_in_run.clear();
        }
        if let Some(bar) = &self.bar {
            bar.set_length(progress.points.len() as u64);
            bar.set_position(progress.finished() as u64);
            let now = Some(progress.measuring.join("; ")).filter(|now| !now.is_empty());
            let now = now.or_else(|| server(&progress.server));
            let now = now.unwrap_or_else(|| state(progress, launch));
            bar.set_message(plain(&now).into_owned());
        }
        for ChainJob { kind, job, .. } in &progress.completed_jobs {
            self.print_once(&format!("{}, job {job}, has ended well", kind.key()))?;
        }
        let has_ended = progress.outcome.is_some();
        if !has_ended {
            self.print_once(&state(progress, launch))?;
            if let Some(blocking_reason) = blocking_reason(progress) {
                self.print_once(&blocking_reason)?;
            }
        }
        if let Some(text) = server(&progress.server) {
            self.print_once_in_run(&text)?;
        }
        let count = progress.points.len();
        for (index, point) in progress.points.iter().enumerate() {
            let number = format!("point {} of {count}", index + 1);
            match point.state {
                PointState::Finished => {
                    self.print_once(&finished(&number, &point.folder, results))?;
                }
                PointState::Failed => self.print_once_in_run(&failed(&number, point))?,
                _ => {}
            }
        }
        for measuring in &progress.measuring {
            self.print_once_in_run(measuring)?;
        }
        if has_ended {
            self.print_once(&state(progress, launch))?;
        }
        Ok(())
    }

    /// Says it unless it was said already.
    fn print_once(&mut self, line: &str) -> Result<(), Failure> {
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

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    const TEMPLATE: &str = "[{bar:24}] {pos}/{len} points, {elapsed} {wide_msg}";
    let style = ProgressStyle::with_template(TEMPLATE).expect("the template is right");
    let bar = ProgressBar::new(0).with_style(style.progress_chars("=> "));
    bar.enable_steady_tick(std::time::Duration::from_secs(1));
    bar
}

/// Where the launch job is, and what it waits for.
fn state(progress: &Progress, launch: &SubmittedJob) -> String {
    let state = match &progress.launch {
        JobStatus::Known(records) => all_in_words(records),
        JobStatus::Unknown => "Slurm tells nothing of it".to_owned(),
    };
    let before = progress.earlier_job.as_ref().map(|(job, record)| {
        let (kind, job) = (job.kind.key(), &job.job);
        format!("; {kind}, job {job}: {}", in_words(record))
    });
    format!(
        "launch, job {launch}: {state}{}",
        before.unwrap_or_default()
    )
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
        let tasks = record.array.iter().map(|(_, tasks)| tasks.as_str());
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
    let task = record
        .array
        .as_ref()
        .map(|(_, tasks)| format!("task {tasks} "));
    let mut words = vec![format!("{}{}", task.unwrap_or_default(), record.state)];
    let restarts = record.restarts.filter(|&count| count > 0);
    words.extend(restarts.map(|count| format!("restart {count}")));
    words.extend(record.reason.clone());
    words.extend(record.nodes.as_ref().map(|nodes| format!("on {nodes}")));
    words.join(", ")
}

fn server(server: &ServerState) -> Option<String> {
    match server {
        ServerState::Loading { waited: None } => Some("the server is starting".to_owned()),
        ServerState::Loading {
            waited: Some((waited, answer)),
        } => Some(format!(
            "the server is loading since {} s: {answer}",
            waited.as_secs()
        )),
        ServerState::Ready { after: Some(after) } => {
            Some(format!("the server is ready after {} s", after.as_secs()))
        }
        ServerState::Ready { after: None } => Some("the server is ready".to_owned()),
        _ => None,
    }
}

fn finished(number: &str, folder: &str, results: &Utf8Path) -> String {
    let result = last_result(&results.join(folder)).map(|result| format!(": {result}"));
    format!(
        "{number} is finished: {folder}{}",
        result.unwrap_or_default()
    )
}

fn failed(number: &str, point: &PointProgress) -> String {
    let reason = point.detail.as_deref().unwrap_or("no reason is known");
    format!("{number} failed: {}: {reason}", point.folder)
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
        ("throughput", point.throughput(), "tokens/s"),
    ];
    let words: Vec<_> = values
        .into_iter()
        .filter_map(|(name, value, unit)| Some(format!("{name} {:.2} {unit}", value?)))
        .collect();
    let server = point.replica().map(|number| format!("server {number}: "));
    (!words.is_empty()).then(|| server.unwrap_or_default() + &words.join(", "))
}
