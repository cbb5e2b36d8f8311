//! Shows how far a launch job is until it ends.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use camino::Utf8Path;
use indicatif::{ProgressBar, ProgressStyle};
use nim_slurm::results::{Metric, Run, Statistic};
use nim_slurm::slurm::SubmittedJob;
use nim_slurm::{
    ChainJob, Ending, Follower, JobRecord, JobStatus, Plan, PointState, Progress, Queue, Server,
    StagePath, StatusError, last_lines, shell_word,
};

use crate::common::{Failure, input, other, print};

/// How much of a log is shown when a job has failed.
const SHOWN_LINES: usize = 20;

/// Follows a launch job, and the jobs before it where they are known, to its end.
pub(crate) fn follow(
    plan: &Plan,
    launch: &SubmittedJob,
    chain: &[ChainJob],
) -> Result<(), Failure> {
    let stage_path = stage_path(plan)?;
    let queue = Queue::find().map_err(other)?;
    let mut follower =
        Follower::new(plan, &stage_path, queue, launch.clone()).with_chain(chain.iter().cloned());
    let way_back = WayBack::on_ctrl_c(launch, chain.first())?;
    let mut view = View::new();
    let ending = loop {
        match follower.look() {
            Ok(progress) => {
                view.show(&progress, launch, follower.results())?;
                if let Some(ending) = progress.ending {
                    break ending;
                }
                way_back.set(launch, progress.before.as_ref().map(|(job, _)| job));
            }
            Err(error @ StatusError::Unreachable { .. }) => {
                view.tell(&format!("{error}; it is asked again"))?;
            }
            Err(error) => {
                view.finish();
                way_back.show();
                return Err(other(error));
            }
        }
        thread::sleep(Follower::INTERVAL);
    };
    view.finish();
    if ending.is_success() {
        return print(&format!(
            "{ending}\nthe results are in {}\n",
            follower.results()
        ));
    }
    show_logs(&ending);
    Err(Failure::Other(ending.to_string().into()))
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

/// What to type when this program ends before the job does.
#[derive(Clone)]
struct WayBack(Arc<Mutex<String>>);

impl WayBack {
    /// Shows the way back on Ctrl-C, and ends this program. The job goes on.
    fn on_ctrl_c(launch: &SubmittedJob, before: Option<&ChainJob>) -> Result<Self, Failure> {
        let way_back = Self(Arc::default());
        way_back.set(launch, before);
        let shown = way_back.clone();
        ctrlc::set_handler(move || {
            shown.show();
            // 128 and the number of the signal, as a shell has it.
            std::process::exit(130);
        })
        .map_err(other)?;
        Ok(way_back)
    }

    /// Sets it for a launch job, and for the job that it waits for.
    fn set(&self, launch: &SubmittedJob, before: Option<&ChainJob>) {
        let words = format!(
            "the job goes on\n  to come back: {}\n  to cancel:    {}",
            command_to_come_back(launch),
            command_to_cancel(launch, before)
        );
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    fn show(&self) {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        eprintln!("\n{words}");
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

/// With the job that launch waits for, Slurm ends those between the two.
fn command_to_cancel(launch: &SubmittedJob, before: Option<&ChainJob>) -> String {
    let mut words = vec!["scancel".to_owned()];
    // All jobs of a chain are on one cluster.
    words.extend(launch.cluster().map(|name| format!("--clusters={name}")));
    let jobs = before.map(|job| &job.job).into_iter().chain([launch]);
    words.extend(jobs.map(|job| match job.task() {
        Some(task) => format!("{}_{task}", job.id()),
        None => job.id().to_string(),
    }));
    words.join(" ")
}

/// The last lines of the logs that tell why.
fn show_logs(ending: &Ending) {
    for log in &ending.logs {
        match last_lines(log, SHOWN_LINES) {
            Ok(lines) => {
                eprintln!("the last lines of {log}:");
                for line in lines {
                    eprintln!("  | {line}");
                }
            }
            Err(error) => eprintln!("cannot read {log}: {error}"),
        }
    }
}

/// What the user sees: a line for each thing that happens, and at a terminal a bar
/// below them for what is going on.
struct View {
    told: HashSet<String>,
    bar: Option<ProgressBar>,
}

impl View {
    fn new() -> Self {
        let is_terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self {
            told: HashSet::new(),
            bar: is_terminal.then(bar),
        }
    }

    fn show(
        &mut self,
        progress: &Progress,
        launch: &SubmittedJob,
        results: &Utf8Path,
    ) -> Result<(), Failure> {
        if let Some(bar) = &self.bar {
            bar.set_length(progress.points.len() as u64);
            bar.set_position(progress.finished() as u64);
            let now = progress.measuring.clone();
            let now = now.or_else(|| server(&progress.server));
            bar.set_message(now.unwrap_or_else(|| state(progress, launch)));
        }
        let has_ended = progress.ending.is_some();
        if !has_ended {
            self.tell(&state(progress, launch))?;
        }
        if let Some(text) = server(&progress.server) {
            self.tell(&text)?;
        }
        for line in points(progress, results) {
            self.tell(&line)?;
        }
        if let Some(measuring) = &progress.measuring {
            self.tell(measuring)?;
        }
        if has_ended {
            self.tell(&state(progress, launch))?;
        }
        Ok(())
    }

    /// Says it unless it was said already.
    fn tell(&mut self, line: &str) -> Result<(), Failure> {
        if !self.told.insert(line.to_owned()) {
            return Ok(());
        }
        let line = format!("{line}\n");
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
        JobStatus::Known(records) => in_words(&records[0]),
        JobStatus::Forgotten => "not known to Slurm any more".to_owned(),
    };
    let before = progress.before.as_ref().map(|(job, record)| {
        let (kind, job) = (job.kind.key(), &job.job);
        format!("; {kind}, job {job}: {}", in_words(record))
    });
    format!(
        "launch, job {launch}: {state}{}",
        before.unwrap_or_default()
    )
}

fn in_words(record: &JobRecord) -> String {
    let mut words = vec![record.state.to_string()];
    let restarts = record.restarts.filter(|&count| count > 0);
    words.extend(restarts.map(|count| format!("restart {count}")));
    words.extend(record.reason.clone());
    words.extend(record.nodes.as_ref().map(|nodes| format!("on {nodes}")));
    words.join(", ")
}

fn server(server: &Server) -> Option<String> {
    match server {
        Server::Loading { waited: None } => Some("the server is starting".to_owned()),
        Server::Loading {
            waited: Some((waited, answer)),
        } => Some(format!(
            "the server is loading since {} s: {answer}",
            waited.as_secs()
        )),
        Server::Ready { after: Some(after) } => {
            Some(format!("the server is ready after {} s", after.as_secs()))
        }
        Server::Ready { after: None } => Some("the server is ready".to_owned()),
        _ => None,
    }
}

/// A line for each point that is finished or failed.
fn points(progress: &Progress, results: &Utf8Path) -> Vec<String> {
    let count = progress.points.len();
    let mut lines = Vec::new();
    for (index, point) in progress.points.iter().enumerate() {
        let (number, folder) = (index + 1, &point.folder);
        match point.state {
            PointState::Finished => {
                let result = last_result(&results.join(folder)).map(|result| format!(": {result}"));
                lines.push(format!(
                    "point {number} of {count} is finished: {folder}{}",
                    result.unwrap_or_default()
                ));
            }
            PointState::Failed => lines.push(format!(
                "point {number} of {count} failed: {folder}: {}",
                point.detail.as_deref().unwrap_or("no reason is known")
            )),
            _ => {}
        }
    }
    lines
}

/// A finished point's time to first token, inter-token latency and throughput.
fn last_result(folder: &Utf8Path) -> Option<String> {
    let run = Run::read(folder).ok()?;
    let point = run.points().first()?;
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
    (!words.is_empty()).then(|| words.join(", "))
}
