//! `run`: from a login node to results.

use clap::Args;
use nim_slurm::preflight::{Finding, Preflight, Severity};
use nim_slurm::{Plan, Sbatch};

use crate::check::{list, verdict};
use crate::follow::follow;
use crate::inputs::Inputs;
use crate::output::{Failure, note, other, print, program, tell_lines};
use crate::reattach::Reattach;
use crate::render::{Folder, notes, write};
use crate::shared::Look;
use crate::submit::{Jobs, launch, submit};

/// Check, write the scripts, submit what is needed, and show how far it is until it ends
///
/// Images and model that are there already, and are the right ones, are not fetched again. Ctrl-C leaves the jobs alone
/// and says how to come back.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: Folder,

    #[command(flatten)]
    inputs: Inputs,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.folder.check()?;
    let inputs = &arguments.inputs;
    let plan = inputs.plan()?;
    // The check names a missing stage path among all else.
    if plan.settings().stage_path().is_some() {
        Jobs::LAUNCH_ALONE.check(&plan, true)?;
    }
    let preflight = Preflight::new(&plan, std::env::vars_os());
    check(&plan, &preflight, arguments)?;
    let jobs = Jobs {
        setup: !preflight.are_images_there(),
        models: !preflight.is_model_there(),
    };
    jobs.check(&plan, true)?;

    let folder = arguments.folder.path(&plan);
    write(&plan, &folder, print)?;
    if !jobs.setup {
        print("the images are there: setup.sh is not submitted\n")?;
    }
    if !jobs.models {
        print("the model is there: prepare_models.sh is not submitted\n")?;
    }
    let reattach = Reattach::on_ctrl_c(inputs, &plan)?;
    let sbatch = Sbatch::find().map_err(other)?;
    let submitted = submit(inputs, &plan, &folder, jobs, &sbatch, &reattach, print)?;
    let way_on = command_to_submit(arguments, jobs.models);
    let look = Look::new(&plan, &submitted).or_end(sbatch, way_on);
    follow(&plan, launch(&submitted), Some(look), &reattach)
}

/// What submits the jobs, and looks at nothing.
fn command_to_submit(arguments: &Arguments, models_job: bool) -> String {
    let mut command = vec![program(), "submit".to_owned(), "--follow".to_owned()];
    if models_job {
        command.push("--models-job".to_owned());
    }
    command.extend(arguments.inputs.words());
    command.extend(arguments.folder.word());
    command.join(" ")
}

/// All that stands in the way, in one list; what is good to know is said in any case.
fn check(plan: &Plan, preflight: &Preflight<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let findings = preflight.check();
    // A finding may say the same, and more of the cluster.
    let is_said = |words: &String| {
        let beginning = words.split(';').next().unwrap_or_default();
        findings
            .iter()
            .any(|own| own.message().starts_with(beginning))
    };
    for words in notes(plan).iter().filter(|words| !is_said(words)) {
        note(words);
    }
    tell_lines(&list(&findings, Severity::Warning, &std::io::stderr()));
    let is_error = |finding: &Finding| finding.severity() == Severity::Error;
    if !findings.iter().any(is_error) {
        return Ok(());
    }
    if plan.settings().stage_path().is_none() {
        let words = format!("{}\nnothing was submitted", verdict(&findings));
        return Err(Failure::Other(words.into()));
    }
    let words = format!(
        "{}\nnothing was submitted; to submit without this check: {}",
        verdict(&findings),
        command_to_submit(arguments, !preflight.is_model_there())
    );
    Err(Failure::Other(words.into()))
}
