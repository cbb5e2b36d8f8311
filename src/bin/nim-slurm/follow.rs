//! `follow`: shows how far a launch job is until it ends.

use std::thread;

use camino::Utf8Path;
use clap::Args;
use nim_slurm::slurm::SubmittedJob;
use nim_slurm::{
    Follower, LaunchOutcome, Plan, Progress, Queue, RunId, StagePath, StatusError, last_lines,
    shell_word,
};

use crate::inputs::Inputs;
use crate::output::{Failure, input, is_reader_gone, note, other, print, program, tell};
use crate::reattach::Reattach;
use crate::shared::{Look, Unseen};
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
    let reattach = Reattach::on_ctrl_c(&arguments.inputs)?;
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
    let mut view = View::new();
    let mut is_known = look.is_some();
    let progress = loop {
        match follower.poll() {
            Ok(progress) => {
                is_known = true;
                view.show(&progress, launch, follower.results_folder())?;
                if progress.outcome.is_some() {
                    break progress;
                }
                reattach.set(follower.earlier_jobs(), launch);
                match look.as_mut().and_then(|look| look.look(&progress, &queue)) {
                    Some(Unseen::Noted(words)) => view.print_once(&words)?,
                    Some(Unseen::Ended { reason, advice }) => {
                        view.finish();
                        tell(&format!("what to do: {advice}"));
                        return Err(Failure::Other(reason.into()));
                    }
                    None => {}
                }
                if is_reader_gone() {
                    return Ok(());
                }
            }
            Err(error @ StatusError::Unreachable { .. }) => {
                view.print_once(&format!("{error}; it is asked again"))?;
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
    let results = follower.results_folder();
    let report = match progress.finished() {
        0 => String::new(),
        _ => format!(
            "to report on them: {}\n",
            command_to_report(&progress, results)
        ),
    };
    let outcome = progress.outcome.as_ref().expect("the loop ends with one");
    if outcome.is_success() {
        return print(&format!(
            "{outcome}\nthe results are in {results}\n{report}"
        ));
    }
    print(&report)?;
    show_logs(outcome);
    for line in &outcome.advice {
        tell(line);
    }
    if let Some(words) = look.and_then(|look| look.explain(&progress, &queue)) {
        tell(&words);
    }
    Err(Failure::Other(outcome.to_string().into()))
}

/// What shows the results of all jobs of the run.
fn command_to_report(progress: &Progress, results: &Utf8Path) -> String {
    let runs: Vec<_> = progress.runs.iter().map(RunId::as_str).collect();
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
            "the job's stage path is not known: give --stage-path, or export STAGE_PATH".into(),
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
