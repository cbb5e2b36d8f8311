//! `submit`: writes the scripts and hands them to sbatch.

use camino::Utf8Path;
use clap::Args;
use nim_slurm::preflight::Preflight;
use nim_slurm::slurm::OptionName;
use nim_slurm::{
    Chain, ChainError, ChainJob, Plan, Recipe, Sbatch, ScriptKind, SubmitError, shell_word,
};
use serde_json::json;

use crate::follow::follow;
use crate::inputs::Inputs;
use crate::output::{Failure, is_reader_gone, note, other, print, print_json, program, tell};
use crate::reattach::{Reattach, command_to_cancel};
use crate::render::{Folder, note_all, write};
use crate::shared::Look;

/// Write the scripts, then submit setup.sh, and launch.sh to follow when it succeeds
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: Folder,

    /// Submit prepare_models.sh as well, between the two. Without it, fetch the model yourself before
    /// launch.sh starts
    #[arg(long)]
    models_job: bool,

    /// Show how far the launch job is until it ends
    #[arg(long)]
    follow: bool,

    #[command(flatten)]
    inputs: Inputs,

    /// Print {"schema": 1, "jobs": [{"script", "job"}]}
    #[arg(long, help_heading = "Output", conflicts_with = "follow")]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.folder.check()?;
    let inputs = &arguments.inputs;
    let plan = inputs.plan()?;
    let jobs = Jobs {
        setup: true,
        models: arguments.models_job,
    };
    jobs.check(&plan, arguments.follow)?;
    note_all(&plan);
    let preflight = Preflight::new(&plan, std::env::vars_os());
    for finding in preflight.exposed_logs() {
        let fix = finding.fix().unwrap_or_default();
        note(&format!("{}; {fix}", finding.message()));
    }
    let folder = arguments.folder.path(&plan);
    let say = if arguments.json {
        |_: &str| Ok(())
    } else {
        print
    };
    write(&plan, &folder, say)?;
    let reattach = Reattach::on_ctrl_c(inputs, &plan)?;
    let sbatch = Sbatch::find().map_err(other)?;
    let submitted = submit(inputs, &plan, &folder, jobs, &sbatch, &reattach, say)?;
    if arguments.json {
        let as_json = |ChainJob { kind, id: job, .. }: &ChainJob| json!({ "script": kind.key(), "job": job.to_string() });
        let jobs: Vec<_> = submitted.iter().map(as_json).collect();
        let printed = print_json(&json!({ "schema": 1, "jobs": jobs }));
        // Half of it is no JSON: nobody has the numbers.
        if printed.is_err() || is_reader_gone() {
            reattach.show();
        }
        return printed;
    }
    let said = if arguments.models_job {
        print("launch starts when setup and prepare_models have succeeded\n")
    } else if preflight.is_model_there() {
        print("launch starts when setup has succeeded; the model is there\n")
    } else {
        let models = folder.join(ScriptKind::PrepareModels.file_name());
        print(&format!(
            "launch starts when setup has succeeded, and fails without the model, which is not there yet; to fetch it now, \
             type:\n  bash {}\nnext time, --models-job submits that as a job, too\n",
            shell_word(models.as_str())
        ))
    };
    said.inspect_err(|_| reattach.show())?;
    let launch = launch(&submitted);
    if arguments.follow {
        return follow(&plan, launch, Some(Look::new(&plan, &submitted)), &reattach);
    }
    let which = if reattach.is_of_one_task() {
        "its first task, and the others by their numbers"
    } else {
        "it"
    };
    let command = reattach.command_to_come_back(launch);
    print(&format!("to follow {which}:\n  {command}\n"))
}

/// The jobs that launch waits for.
#[derive(Clone, Copy)]
pub(crate) struct Jobs {
    pub(crate) setup: bool,
    pub(crate) models: bool,
}

impl Jobs {
    pub(crate) const LAUNCH_ALONE: Self = Self {
        setup: false,
        models: false,
    };

    /// What can be said of a submission before anything is written or submitted.
    pub(crate) fn check(self, plan: &Plan, is_followed: bool) -> Result<(), Failure> {
        let launch = plan.directives(ScriptKind::Launch);
        let waits_for_any = |kind| {
            let own = plan.directives(kind).get(OptionName::Dependency);
            own.is_some_and(|own| own.contains('?'))
        };
        let problem = if (self.setup || self.models) && waits_for_any(ScriptKind::Launch)
            || self.setup && self.models && waits_for_any(ScriptKind::PrepareModels)
        {
            "--dependency with '?' (any of them) does not go together with jobs that wait for each other: ',' (all of them) \
             is allowed"
                .to_owned()
        } else if plan.settings().stage_path().is_none() {
            "the jobs need a stage path: give --stage-path, export STAGE_PATH, or set stage_path in the settings (--settings FILE)"
                .to_owned()
        } else if is_followed
            && launch.is_set(OptionName::Array)
            && plan.recipe().sweep.array.is_none()
        {
            format!(
                "one job or the recipe's own array can be followed, and the settings make launch.sh an array: submit \
                 it with {0} submit, then follow a task: {0} follow JOB_TASK",
                program()
            )
        } else {
            return Ok(());
        };
        Err(Failure::Input(problem.into()))
    }
}

/// The last job of a chain.
pub(crate) fn launch(jobs: &[ChainJob]) -> &nim_slurm::slurm::SubmittedJob {
    &jobs.last().expect("a chain ends with launch").id
}

/// Submits the scripts that are in the folder, and says the number of each job.
pub(crate) fn submit(
    inputs: &Inputs,
    plan: &Plan,
    folder: &Utf8Path,
    jobs: Jobs,
    sbatch: &Sbatch,
    reattach: &Reattach,
    say: impl Fn(&str) -> Result<(), Failure>,
) -> Result<Vec<ChainJob>, Failure> {
    let mut chain = Chain::new(plan, sbatch.clone());
    if !jobs.setup {
        chain = chain.without_setup();
    }
    if jobs.models {
        chain = chain.with_models_job();
    }
    note_earlier_jobs(&chain.queued_jobs(folder));
    let mut said = Ok(());
    let mut changed = None;
    let submitted = chain.submit(folder, |job| {
        reattach.add(job);
        for line in &job.warnings {
            tell(&format!("{}: {line}", job.kind.file_name()));
        }
        if !is_written(plan, folder, job.kind) {
            changed.get_or_insert(job.kind);
        }
        let sweep = if job.kind == ScriptKind::Launch {
            sweep(plan)
        } else {
            String::new()
        };
        let line = say(&format!("{} is job {}\n{sweep}", job.kind.key(), job.id));
        said = std::mem::replace(&mut said, Ok(())).and(line);
    });
    let submitted = submitted.map_err(|error| {
        show_way_on(inputs, plan, &error);
        other(error)
    })?;
    if let Some(kind) = changed {
        return Err(written_meanwhile(folder, kind, submitted, sbatch));
    }
    // What was to be said went nowhere, and the jobs go on.
    said.inspect_err(|_| reattach.show())?;
    Ok(submitted)
}

/// Whether the script is there as this plan has it.
fn is_written(plan: &Plan, folder: &Utf8Path, kind: ScriptKind) -> bool {
    let script = std::fs::read(folder.join(kind.file_name()));
    script.is_ok_and(|bytes| bytes == plan.script(kind).text().as_bytes())
}

/// Takes back jobs of which nobody knows whose script they run.
fn written_meanwhile(
    folder: &Utf8Path,
    kind: ScriptKind,
    jobs: Vec<ChainJob>,
    sbatch: &Sbatch,
) -> Failure {
    // The last first, so that none starts meanwhile.
    let ended = jobs.into_iter().rev().map(|job| sbatch.cancel(job));
    let ended: Vec<_> = ended.map(|job| format!("; {job}")).collect();
    let path = folder.join(kind.file_name());
    let words = format!(
        "{path} was changed while it was submitted, as by another {} with the same folder, so it may be another script that sbatch \
         took; name a folder of its own for each{}",
        program(),
        ended.concat()
    );
    Failure::Other(words.into())
}

/// What the launch job measures, in its order, where that is a list of points.
fn sweep(plan: &Plan) -> String {
    let Recipe { server, sweep, .. } = plan.recipe();
    // Variants of the server measure the points once each.
    if sweep.search.is_some() || sweep.array.is_some() || !server.variants.is_empty() {
        return String::new();
    }
    let points = plan.points();
    let loads: Vec<_> = points
        .iter()
        .filter_map(|point| point.load.concurrency())
        .collect();
    if loads.len() != points.len() {
        return String::new();
    }
    let mut levels = loads;
    levels.dedup();
    let order = match levels.len() {
        0 | 1 => "",
        _ if levels.is_sorted_by(|before, after| before > after) => ", the highest first",
        _ => ", in this order",
    };
    let levels: Vec<_> = levels.iter().map(u32::to_string).collect();
    let count = match points.len() {
        1 => "1 point".to_owned(),
        count => format!("{count} points"),
    };
    let use_cases = sweep.use_cases.iter();
    let use_cases = use_cases.map(|own| format!("{} {}/{}", own.name(), own.input(), own.output()));
    let use_cases: Vec<_> = use_cases.collect();
    format!(
        "launch measures {count}: {} (input/output tokens), at concurrency {}{order}\n",
        use_cases.join(", "),
        levels.join(", ")
    )
}

/// Two submissions of the same scripts measure the same points twice.
fn note_earlier_jobs(jobs: &[ChainJob]) {
    if let Some(command) = command_to_cancel(jobs, None) {
        let names = jobs
            .iter()
            .map(|ChainJob { kind, id: job, .. }| format!("{}, job {job}", kind.key()));
        let names: Vec<_> = names.collect();
        note(&format!(
            "the same scripts are in the queue already: {}; to end those: {command}",
            names.join("; ")
        ));
    }
}

/// What to change so that Slurm takes the scripts, and what tells more.
fn show_way_on(inputs: &Inputs, plan: &Plan, error: &ChainError) {
    let ChainError::Submit { kind, source, .. } = error else {
        return;
    };
    if let Some(advice) = source.advice(plan, *kind) {
        tell(&format!("what to do: {advice}"));
    }
    if matches!(source, SubmitError::Refused { .. }) {
        let mut words = vec![program(), "check".to_owned()];
        words.extend(inputs.words());
        tell(&format!("what else stands in the way: {}", words.join(" ")));
    }
}
