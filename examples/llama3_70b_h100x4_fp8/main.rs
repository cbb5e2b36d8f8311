//! Writes the three scripts of a recipe, by default Llama3-70B FP8 on four H100
//! GPUs, and says what to type next.

#![expect(
    clippy::doc_markdown,
    reason = "the comments on the flags are their help text"
)]

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Parser, ValueEnum};
use common::{Failure, input, other, print};
use follow::{Reattach, command_to_cancel};
use nim_slurm::container::Mount;
use nim_slurm::preflight::Preflight;
use nim_slurm::recipe::{ModelSource, Tokenizer, UseCase};
use nim_slurm::slurm::{OptionName, SubmittedJob};
use nim_slurm::{
    Chain, ChainError, ChainJob, Plan, RunId, Sbatch, Script, ScriptKind, SubmitError, ValueError,
    WrittenFile, shell_word,
};
use site::Input;

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/site.rs"]
mod site;

mod follow;

/// Write the scripts that benchmark Llama3-70B FP8 on four H100 GPUs with NIM and GenAI-Perf.
///
/// Each option of sbatch is taken from the flags, else from sbatch's own variables (SBATCH_PARTITION, ...), else from
/// the settings file, else from the recipe.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Arguments {
    /// Folder for setup.sh, prepare_models.sh and launch.sh [default: ./ and the recipe's name]
    out_dir: Option<Utf8PathBuf>,

    #[command(flatten)]
    input: Input,

    /// Mount for both containers; may be given again
    #[arg(long = "mount", value_name = "SRC:DST[:FLAGS]")]
    mounts: Vec<Mount>,

    /// Requests in flight, one number for each point
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = requests_in_flight)]
    concurrency: Vec<u32>,

    /// Use cases: input and output sequence length in tokens
    #[arg(
        long = "use-case",
        value_name = "NAME:ISL/OSL,...",
        value_delimiter = ','
    )]
    use_cases: Vec<UseCase>,

    /// Tokenizer: an absolute path as the client's container sees it, or a Hugging Face name (needs HF_TOKEN in the job)
    #[arg(long, value_name = "PATH|HF-ID")]
    tokenizer: Option<Tokenizer>,

    /// Earlier job whose finished points are not measured again; may be given again
    #[arg(long, value_name = "JOB-ID")]
    resume: Vec<RunId>,

    /// Print one script, or the recipe in use as TOML, and write nothing
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["check", "submit"])]
    print: Option<Print>,

    /// Check everything and write nothing; needs no Slurm and no stage path
    #[arg(long, conflicts_with = "submit")]
    check: bool,

    /// Print each option of each script, where it was given, and which variable would override it
    #[arg(long, conflicts_with_all = ["print", "check", "submit"])]
    explain: bool,

    /// Write the scripts, then submit setup.sh, and launch.sh to follow when it ends well
    #[arg(long)]
    submit: bool,

    /// Submit prepare_models.sh, too, between the two: where the model is to be downloaded in a job
    #[arg(long, requires = "submit")]
    models_job: bool,

    /// Show how far the launch job is until it ends: the one that --submit submits, or JOB, which was submitted earlier
    #[arg(long, value_name = "JOB", num_args = 0..=1, require_equals = true, default_missing_value = "",
        conflicts_with_all = ["print", "check", "explain"])]
    follow: Option<Followed>,
}

/// Which launch job is followed.
#[derive(Clone)]
enum Followed {
    Submitted,
    Earlier(SubmittedJob),
}

impl FromStr for Followed {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() {
            return Ok(Self::Submitted);
        }
        SubmittedJob::parse(text).map(Self::Earlier)
    }
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Print {
    Setup,
    PrepareModels,
    Launch,
    Recipe,
}

impl Arguments {
    /// Where the scripts go: those of two recipes do not meet unless that is said.
    fn folder(&self, plan: &Plan) -> Utf8PathBuf {
        let by_name = || format!("./{}", plan.recipe().name).into();
        self.out_dir.clone().unwrap_or_else(by_name)
    }
}

fn main() -> ExitCode {
    let outcome = check_words(std::env::args()).and_then(|()| run(&Arguments::parse()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// A job behind `--follow` without `=` would be taken for the folder.
fn check_words(words: impl Iterator<Item = String>) -> Result<(), Failure> {
    let mut words = words.skip_while(|word| word != "--follow").skip(1);
    match words
        .next()
        .and_then(|word| SubmittedJob::parse(&word).ok())
    {
        Some(job) => Err(Failure::Input(
            format!("--follow takes its job behind '=': write --follow={job}").into(),
        )),
        None => Ok(()),
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    // What is printed to be typed must not look like an option.
    if let Some(folder) = &arguments.out_dir
        && folder.as_str().starts_with('-')
    {
        let words = format!("the folder {folder:?} begins with '-': write ./ in front of it");
        return Err(Failure::Input(words.into()));
    }
    let plan = plan(arguments)?;
    if arguments.submit {
        check_submission(arguments, &plan)?;
    }
    match (arguments.submit, &arguments.follow) {
        (false, Some(Followed::Earlier(job))) => {
            let reattach = Reattach::on_ctrl_c()?;
            reattach.set(&[], job);
            return follow::follow(&plan, job, None, &reattach);
        }
        (false, Some(Followed::Submitted)) => {
            return Err(Failure::Input(
                "--follow alone needs --submit; to come back to a launch job, give its number: --follow=4711"
                    .into(),
            ));
        }
        (true, Some(Followed::Earlier(_))) => {
            return Err(Failure::Input(
                "--follow=JOB comes back to an earlier job: leave --submit out, or =JOB".into(),
            ));
        }
        _ => {}
    }
    if arguments.print.is_none() {
        for note in notes(&plan) {
            eprintln!("note: {note}");
        }
    }
    match arguments.print {
        Some(Print::Setup) => print(plan.setup().text()),
        Some(Print::PrepareModels) => print(plan.prepare_models().text()),
        Some(Print::Launch) => print(plan.launch().text()),
        Some(Print::Recipe) => print(&plan.recipe().to_toml()),
        None if arguments.check => print(&summary(&plan)),
        None if arguments.explain => print(&explanation(&plan)),
        None => {
            let folder = arguments.folder(&plan);
            let scripts = ScriptKind::ALL.map(|kind| plan.script(kind));
            for script in &scripts {
                let written = script.write_to(&folder).map_err(other)?;
                print(&describe(script, &written))?;
            }
            if arguments.submit {
                submit(arguments, &plan, &folder)
            } else {
                print(&next_steps(&plan, &folder))
            }
        }
    }
}

fn plan(arguments: &Arguments) -> Result<Plan, Failure> {
    let mut recipe = arguments.input.recipe()?;
    if !arguments.concurrency.is_empty() {
        recipe = recipe.with_concurrency(arguments.concurrency.iter().copied());
    }
    if !arguments.use_cases.is_empty() {
        recipe = recipe.with_use_cases(arguments.use_cases.iter().cloned());
    }
    if let Some(tokenizer) = &arguments.tokenizer {
        recipe = recipe.with_tokenizer(tokenizer.clone());
    }

    let mut settings = arguments.input.settings()?;
    for mount in &arguments.mounts {
        settings = settings.with_mount(mount.clone());
    }
    for job in &arguments.resume {
        settings = settings.with_resumed_job(job.clone());
    }
    Plan::new(recipe, settings).map_err(input)
}

fn describe(script: &Script, written: &WrittenFile) -> String {
    let name = script.kind().file_name();
    match (&written.backup, written.unchanged) {
        (_, true) => format!("{} is there already, unchanged\n", written.path),
        (Some(backup), _) => format!(
            "wrote {}; the {name} that was there is {backup}\n",
            written.path
        ),
        (None, _) => format!("wrote {}\n", written.path),
    }
}

fn summary(plan: &Plan) -> String {
    let count = plan.points().len();
    let points = if count == 1 { "point" } else { "points" };
    let mut text = format!("ok: recipe {}, {count} {points}\n", plan.recipe().name);
    for kind in ScriptKind::ALL {
        text.push_str(&format!(
            "  {}: {}\n",
            kind.file_name(),
            plan.directives(kind).arguments().join(" ")
        ));
    }
    text
}

fn explanation(plan: &Plan) -> String {
    let mut text = String::new();
    for kind in ScriptKind::ALL {
        text.push_str(&format!("{}:\n", kind.file_name()));
        for option in plan.explain(kind, std::env::vars_os()) {
            text.push_str(&format!("  {option}\n"));
        }
    }
    text
}

/// sbatch's words for a script, as a person types them.
fn sbatch_line(plan: &Plan, kind: ScriptKind, folder: &Utf8Path) -> String {
    // No option wins over these variables.
    let variables_to_remove = plan.variables_to_remove(kind, std::env::vars_os());
    let mut words: Vec<_> = variables_to_remove
        .iter()
        .map(|name| format!("--unset={name}"))
        .collect();
    if !words.is_empty() {
        words.insert(0, "env".to_owned());
    }
    words.push("sbatch".to_owned());
    words.extend(
        plan.options_to_repeat(kind, std::env::vars_os())
            .iter()
            .map(|word| shell_word(word)),
    );
    words.push(shell_word(folder.join(kind.file_name()).as_str()));
    words.join(" ")
}

/// What is no mistake everywhere, but is one on most clusters.
fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::from_iter(plan.time_limit_warning());
    if !plan.directives(ScriptKind::Launch).asks_for_gpus() {
        notes.push(
            "launch.sh asks Slurm for no GPUs; where Slurm manages them, add --gres gpu:8 or what the site calls them"
                .to_owned(),
        );
    }
    notes
}

fn requests_in_flight(text: &str) -> Result<u32, String> {
    text.parse()
        .map(NonZeroU32::get)
        .map_err(|_| "a whole number of requests is allowed, 1 at least".to_owned())
}

fn next_steps(plan: &Plan, folder: &Utf8Path) -> String {
    let mut text = "\nnext, on the login node:\n".to_owned();
    let mut step = |line: &str, why: &str| text.push_str(&format!("  {line}\n      {why}\n"));
    step(
        "export NGC_API_KEY=...",
        "for images and model from NGC; not needed once they are there",
    );
    let recipe = plan.recipe();
    if let ModelSource::HuggingFace(model) = &recipe.model.weights.source {
        step(
            "export HF_TOKEN=...",
            &format!("for {model}, if it has a gate; not needed once it is there"),
        );
    }
    let tokenizer = recipe.client.tokenizer.as_ref();
    if let Some(tokenizer) = tokenizer.filter(|tokenizer| tokenizer.is_on_hub()) {
        step(
            "export HF_TOKEN=...",
            &format!("for the tokenizer {tokenizer}"),
        );
    }
    match plan.settings().stage_path() {
        None => step(
            "export STAGE_PATH=/lustre/...",
            "the folder for images, model and results",
        ),
        Some(path) => step(
            "export STAGE_PATH=/lustre/...",
            &format!("only to use another folder than {path}, which is in the scripts"),
        ),
    }
    step(
        &sbatch_line(plan, ScriptKind::Setup, folder),
        "fetches the two container images",
    );
    let models = folder.join(ScriptKind::PrepareModels.file_name());
    step(
        &format!("bash {}", shell_word(models.as_str())),
        &format!(
            "downloads the model; or as a job: {}",
            sbatch_line(plan, ScriptKind::PrepareModels, folder)
        ),
    );
    step(
        &sbatch_line(plan, ScriptKind::Launch, folder),
        "when both are done: runs the benchmark",
    );
    text
}

/// What can be said of a submission before anything is written or submitted.
fn check_submission(arguments: &Arguments, plan: &Plan) -> Result<(), Failure> {
    let launch = plan.directives(ScriptKind::Launch);
    let waits_for_any = |kind| {
        let own = plan.directives(kind).get(OptionName::Dependency);
        own.is_some_and(|own| own.contains('?'))
    };
    let problem = if waits_for_any(ScriptKind::Launch)
        || (arguments.models_job && waits_for_any(ScriptKind::PrepareModels))
    {
        "--submit adds a dependency on setup, which cannot be joined to one with '?'"
    } else if plan.settings().stage_path().is_none() {
        "the jobs need a stage path: give --stage-path, or export STAGE_PATH"
    } else if arguments.follow.is_some()
        && launch.is_set(OptionName::Array)
        && plan.recipe().sweep.array.is_none()
    {
        "--follow shows one job or the recipe's own array, and the settings make launch.sh an array: submit it, then \
         follow a task with --follow=JOB_TASK"
    } else {
        return Ok(());
    };
    Err(Failure::Input(problem.into()))
}

fn submit(arguments: &Arguments, plan: &Plan, folder: &Utf8Path) -> Result<(), Failure> {
    let mut chain = Chain::new(plan, Sbatch::find().map_err(other)?);
    if arguments.models_job {
        chain = chain.with_models_job();
    }
    note_earlier_jobs(&chain.queued_jobs(folder));
    let reattach = Reattach::on_ctrl_c()?;
    let mut printed = Ok(());
    let jobs = chain.submit(folder, |job| {
        reattach.add(job);
        let line = print(&format!("{} is job {}\n", job.kind.key(), job.job));
        printed = std::mem::replace(&mut printed, Ok(())).and(line);
    });
    printed?;
    let jobs = jobs.map_err(|error| {
        show_way_on(arguments, plan, &error);
        other(error)
    })?;
    let launch = &jobs.last().expect("a chain ends with launch").job;
    if arguments.models_job {
        print("launch starts when setup and prepare_models have ended well\n")?;
    } else if Preflight::new(plan, std::env::vars_os()).is_model_there() {
        print("launch starts when setup has ended well; the model is there\n")?;
    } else {
        let models = folder.join(ScriptKind::PrepareModels.file_name());
        print(&format!(
            "launch starts when setup has ended well, and it needs the model, which is not there yet:\n  bash {}\n",
            shell_word(models.as_str())
        ))?;
    }
    if arguments.follow.is_some() {
        follow::follow(plan, launch, Some(&jobs), &reattach)
    } else {
        Ok(())
    }
}

/// Two submissions of the same scripts measure the same points twice.
fn note_earlier_jobs(jobs: &[ChainJob]) {
    if let Some(command) = command_to_cancel(jobs, None) {
        let names = jobs
            .iter()
            .map(|ChainJob { kind, job, .. }| format!("{}, job {job}", kind.key()));
        let names: Vec<_> = names.collect();
        eprintln!(
            "note: the same scripts are in the queue already: {}; to end those: {command}",
            names.join("; ")
        );
    }
}

/// What to change so that Slurm takes the scripts, and what tells more.
fn show_way_on(arguments: &Arguments, plan: &Plan, error: &ChainError) {
    let ChainError::Submit { kind, source, .. } = error else {
        return;
    };
    if let Some(advice) = source.advice(plan, *kind) {
        eprintln!("what to do: {advice}");
    }
    if matches!(source, SubmitError::Refused { .. }) {
        let mut words = vec!["cargo run --example preflight --".to_owned()];
        words.extend(arguments.input.words());
        eprintln!("what else stands in the way: {}", words.join(" "));
    }
}
