//! `follow`: shows how far a launch job is until it ends.

use std::thread;

use camino::Utf8Path;
use clap::Args;
use nim_slurm::results::Run;
use nim_slurm::slurm::{OptionName, SubmittedJob};
use nim_slurm::{
    Follower, JobRecord, JobState, JobStatus, LaunchOutcome, Plan, Progress, Queue, RunId,
    ScriptKind, StagePath, StatusError, last_lines, shell_word,
};

use crate::inputs::Inputs;
use crate::output::{Failure, input, is_reader_gone, note, other, print, program, tell};
use crate::reattach::Reattach;
use crate::shared::{Look, Unseen, node};
use crate::view::View;

/// Show how far a launch job is until it ends; Ctrl-C leaves it alone
///
/// What matters is the stage path, where the job's results are: give it as it was given when the job was submitted, by
/// --settings, --stage-path or STAGE_PATH, and the same recipe.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The launch job, as sbatch named it: 4711, or 4711_3 for a task of an array
    job: SubmittedJob,

    #[command(flatten)]
    inputs: Inputs,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.inputs.plan()?;
    if let Some(words) = overridden_stage_path(&plan) {
        note(&words);
    }
    let reattach = Reattach::on_ctrl_c(&arguments.inputs, &plan)?;
    reattach.set(&[], &arguments.job);
    follow(&plan, &arguments.job, None, &reattach)
}

/// How much of a log is shown when a job has failed.
const SHOWN_LINES: usize = 20;

/// Follows a launch job, and the jobs before it, to its end.
pub(crate) fn follow(
    plan: &Plan,
    launch: &SubmittedJob,
    mut look: Option<Look<'_>>,
    reattach: &Reattach,
) -> Result<(), Failure> {
    let stage_path = stage_path(plan)?;
    let queue = Queue::find().map_err(other)?;
    let mut follower = Follower::new(plan, &stage_path, queue.clone(), launch.clone());
    if let Some(look) = &look {
        follower = follower.with_chain(look.jobs().iter().cloned());
    }
    // What was to be said went nowhere, and the jobs go on.
    let lost = |_: &Failure| reattach.show();
    let mut view = View::new();
    let is_submitted_here = look.is_some();
    let mut is_known = is_submitted_here;
    let progress = loop {
        match follower.poll() {
            Ok(progress) => {
                is_known = true;
                let shown = view.show(&progress, launch, follower.results_folder());
                shown.inspect_err(|failure| match &progress.outcome {
                    Some(outcome) => tell(&outcome.to_string()),
                    None => lost(failure),
                })?;
                if progress.outcome.is_some() {
                    break progress;
                }
                let results = follower.results_folder();
                reattach.set(follower.earlier_jobs(), launch);
                let unseen = (look.as_mut()).and_then(|look| look.look(&progress, &queue, results));
                match unseen {
                    Some(Unseen::Noted(words)) => view.print_once(&words).inspect_err(lost)?,
                    Some(Unseen::Ended { reason, advice }) => {
                        view.finish();
                        tell(&format!("what to do: {advice}"));
                        return Err(Failure::Other(reason.into()));
                    }
                    None => {}
                }
                if !look.as_ref().is_some_and(Look::misses_images) {
                    let shown = view.show_silence(&progress, launch, results, is_submitted_here);
                    shown.inspect_err(lost)?;
                }
                if is_reader_gone() {
                    return Ok(());
                }
            }
            Err(error) if may_pass(&error, is_known) => {
                let shown = view.print_once(&format!("{error}; it is asked again"));
                shown.inspect_err(lost)?;
            }
            Err(error) => {
                view.finish();
                if is_known {
                    reattach.show();
                }
                return Err(other(error));
            }
        }
        thread::sleep(Follower::INTERVAL);
    };
    view.finish();
    let end = End {
        plan,
        launch,
        progress: &progress,
        results: follower.results_folder(),
        is_of_plan: follower.has_planned_points(&progress.points),
    };
    // Where nothing more can be printed, the end is told all the same.
    let outcome = progress.outcome.as_ref().expect("the loop ends with one");
    let unheard = |_: &Failure| tell(&outcome.to_string());
    if end
        .print(outcome, is_submitted_here, reattach)
        .inspect_err(unheard)?
    {
        return Ok(());
    }
    end.explain(outcome);
    if let Some(words) = look.and_then(|look| look.explain(&progress, &queue)) {
        tell(&words);
    }
    Err(Failure::Other(outcome.to_string().into()))
}

/// Whether it is worth asking again. A Slurm that has answered before is set up: its configuration is away for a moment, as
/// its controller may be.
fn may_pass(error: &StatusError, is_known: bool) -> bool {
    match error {
        StatusError::Unreachable { .. } => true,
        StatusError::NotConfigured { .. } => is_known,
        _ => false,
    }
}

/// A launch job that has ended.
struct End<'a> {
    plan: &'a Plan,
    launch: &'a SubmittedJob,
    progress: &'a Progress,
    results: &'a Utf8Path,
    /// Whether it measured the plan's points.
    is_of_plan: bool,
}

impl End<'_> {
    /// Prints where the results are, and whether the job succeeded.
    fn print(
        &self,
        outcome: &LaunchOutcome,
        is_submitted_here: bool,
        reattach: &Reattach,
    ) -> Result<bool, Failure> {
        let (progress, results) = (self.progress, self.results);
        let report = match progress.finished() {
            0 => String::new(),
            _ => format!(
                "to print them: {}\nto write a page of all jobs there: {} report {} --out report.html\n",
                command_to_report(progress, results),
                program(),
                shell_word(results.as_str())
            ),
        };
        if outcome.is_success() {
            let again = |flag: &str| {
                if is_submitted_here {
                    return format!("the same command with {flag}");
                }
                let command = self.is_of_plan.then(|| reattach.command_to_run_with(flag));
                command
                    .flatten()
                    .unwrap_or_else(|| format!("the command of its submission with {flag}"))
            };
            print(&format!(
                "{}\nthe results are in {results}\n{report}",
                too_short(progress, results, again).unwrap_or_else(|| outcome.to_string())
            ))?;
            return Ok(true);
        }
        if is_submitted_here && self.is_elsewhere() {
            print(&format!(
                "launch ended with 0, as Slurm says\nthe results are in {results} on {}, and are not seen from this machine\n\
                 to copy them to this folder:\n  {}\nthen, to print them: {}\n",
                self.node(),
                command_to_copy(self.plan, results, progress.launch.record()),
                command_to_report(progress, results.file_name().unwrap_or_default().into())
            ))?;
            return Ok(true);
        }
        print(&report)?;
        Ok(false)
    }

    /// Tells why it failed, and what to do.
    fn explain(&self, outcome: &LaunchOutcome) {
        show_logs(outcome);
        for line in &outcome.advice {
            tell(line);
        }
        if self.is_elsewhere() {
            tell(&format!(
                "what to do: if it had another stage path, give that: {} follow {} --stage-path PATH; else copy its results from {} \
                 to this folder:",
                program(),
                self.launch,
                self.node()
            ));
            let launch = self.progress.launch.record();
            tell(&format!(
                "  {}",
                command_to_copy(self.plan, self.results, launch)
            ));
        }
    }

    fn node(&self) -> &str {
        node(self.progress.launch.record(), "its node")
    }

    fn is_elsewhere(&self) -> bool {
        is_success_elsewhere(self.progress, self.launch, self.results)
    }
}

/// Whether Slurm says that launch succeeded, and nothing of it is seen here: it wrote to a folder of its node.
fn is_success_elsewhere(progress: &Progress, launch: &SubmittedJob, results: &Utf8Path) -> bool {
    let JobStatus::Known(records) = &progress.launch else {
        return false;
    };
    let has_succeeded = |record: &JobRecord| record.state == JobState::Completed;
    !records.is_empty() && records.iter().all(has_succeeded) && !has_written(launch, results)
}

/// Whether a job has written something to its results' folder.
pub(crate) fn has_written(launch: &SubmittedJob, results: &Utf8Path) -> bool {
    // .run_4711 while it runs, run_4711.json; of an array any task will do: run_4711-3.json.
    let run = format!("run_{}", launch.id());
    let is_own = |name: &str| {
        let rest = name.strip_prefix('.').unwrap_or(name).strip_prefix(&run);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut entries = results.read_dir_utf8().into_iter().flatten().flatten();
    entries.any(|entry| is_own(entry.file_name()))
}

/// What brings the results from launch's node, through srun.
fn command_to_copy(plan: &Plan, results: &Utf8Path, launch: Option<&JobRecord>) -> String {
    let directives = plan.directives(ScriptKind::Launch);
    let mut words = vec!["srun".to_owned()];
    let place = OptionName::WHERE.into_iter();
    words.extend(place.filter_map(|name| directives.option(name)));
    let nodes = launch.and_then(|record| record.nodes.as_ref());
    let node = nodes.filter(|nodes| !nodes.contains(['[', ',']));
    words.extend(node.map(|node| format!("--nodelist={node}")));
    words.extend(["--nodes=1", "--ntasks=1", "tar", "-C"].map(str::to_owned));
    words.extend(results.parent().map(ToString::to_string));
    words.extend(["-cf", "-"].map(str::to_owned));
    words.extend(results.file_name().map(str::to_owned));
    let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
    format!("{} | tar -xf -", words.join(" "))
}

/// What is said of a success whose figures are not to go by, and what would do; `again` makes a command of the flag for more requests.
fn too_short(
    progress: &Progress,
    results: &Utf8Path,
    again: impl Fn(&str) -> String,
) -> Option<String> {
    let run = Run::read_jobs(results, own_run(progress)).ok()?;
    let short = run.short_points();
    let shortest = short.iter().filter_map(|point| point.seconds());
    let shortest = shortest.reduce(f64::min)?;
    let command = run
        .enough_requests()
        .map(|enough| again(&enough.to_string()));
    let longer = run.longer_use_cases().join(" and ");
    let advice = match command {
        Some(command) if longer.is_empty() => format!(
            "to measure again: {command}\nthe report then shows the new points in place of these"
        ),
        Some(command) => {
            format!("take {longer}; then, to measure again: {command}")
        }
        None if longer.is_empty() => "measure again with more requests".to_owned(),
        None => format!("take {longer}, and measure again"),
    };
    Some(format!(
        "launch ended with 0: all points are finished, but {} of {} ran for less than 10 s (the shortest for {shortest:.1} s)\n\
         do not rely on their numbers; {advice}",
        short.len(),
        run.points().len(),
    ))
}

/// The launch itself. Its results are those that it measured, and those of earlier jobs that count by its manifest.
fn own_run(progress: &Progress) -> &[RunId] {
    progress.runs.get(..1).unwrap_or_default()
}

/// What shows the results of the launch.
fn command_to_report(progress: &Progress, results: &Utf8Path) -> String {
    let runs: Vec<_> = own_run(progress).iter().map(RunId::as_str).collect();
    format!(
        "{} report {} --job {}",
        program(),
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
            "the job's stage path is not known: give --settings or --stage-path, or export STAGE_PATH, as it was when the job was \
             submitted"
                .into(),
        )
    })
}

/// What to say of a stage path from a flag, where the jobs take another one.
pub(crate) fn overridden_stage_path(plan: &Plan) -> Option<String> {
    let (used, settings) = (exported_stage_path()?, plan.settings());
    if let Some(own) = settings.overridden_stage_path() {
        return Some(format!(
            "STAGE_PATH is exported as {used}, and wins over {own} of the settings: to use {own}, unset STAGE_PATH and type \
             this again"
        ));
    }
    let own = settings.stage_path()?;
    (used.trim_end_matches('/') != own.as_str()).then(|| {
        format!("STAGE_PATH is exported as {used}, and wins over {own} when a script runs: unset STAGE_PATH to use {own}")
    })
}

pub(crate) fn exported_stage_path() -> Option<String> {
    let path = std::env::var("STAGE_PATH").ok();
    path.filter(|path| !path.is_empty())
}

/// What the job showed of the logs that tell why, else their last lines.
fn show_logs(outcome: &LaunchOutcome) {
    for line in &outcome.log_lines {
        tell(line);
    }
    if !outcome.log_lines.is_empty() {
        return;
    }
    for log in &outcome.logs {
        match last_lines(log, SHOWN_LINES) {
            Ok(lines) => {
                tell(&format!("the last lines of {log}:"));
                for line in lines {
                    tell(&format!("  | {line}"));
                }
            }
            Err(error) => tell(&format!("cannot read {log}: {error}")),
        }
    }
}
