//! Writes the three scripts of a recipe, by default Llama3-70B FP8 on four H100
//! GPUs, and says what to type next.

#![expect(
    clippy::doc_markdown,
    reason = "the comments on the flags are their help text"
)]

use std::num::NonZeroU32;
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Parser, ValueEnum};
use common::{Failure, input, other, print};
use nim_slurm::container::Mount;
use nim_slurm::recipe::{Tokenizer, UseCase};
use nim_slurm::slurm::{Dependency, OptionName};
use nim_slurm::{Plan, RunId, Sbatch, Script, ScriptKind, Written, shell_word};
use site::{Input, variables};

mod common;
#[path = "common/site.rs"]
mod site;

/// Write the scripts that benchmark Llama3-70B FP8 on four H100 GPUs with NIM and GenAI-Perf.
///
/// Each option of sbatch is taken from the flags, else from sbatch's own variables (SBATCH_PARTITION, ...), else from
/// the settings file, else from the recipe.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Folder for setup.sh, prepare_models.sh and launch.sh
    #[arg(default_value = "./llama3-70b-h100x4-fp8")]
    out_dir: Utf8PathBuf,

    #[command(flatten)]
    input: Input,

    /// Mount for both containers; may be given again
    #[arg(long = "mount", value_name = "SRC:DST[:FLAGS]")]
    mounts: Vec<Mount>,

    /// Requests in flight, one number for each point
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    concurrency: Vec<NonZeroU32>,

    /// Use case: input and output sequence length in tokens; may be given again
    #[arg(long = "use-case", value_name = "NAME:ISL/OSL")]
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

    /// Write the scripts, then submit setup.sh, and launch.sh to follow when it ends well
    #[arg(long)]
    submit: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Print {
    Setup,
    PrepareModels,
    Launch,
    Recipe,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    // What is printed to be typed must not look like an option.
    if arguments.out_dir.as_str().starts_with('-') {
        let words = format!(
            "the folder {:?} begins with '-': write ./ in front of it",
            arguments.out_dir
        );
        return Err(Failure::Input(words.into()));
    }
    let plan = plan(arguments)?;
    let own = plan
        .directives(ScriptKind::Launch)
        .get(OptionName::Dependency);
    if arguments.submit && own.is_some_and(|own| own.contains('?')) {
        return Err(Failure::Input(
            "--submit adds a dependency on setup, which cannot be joined to one with '?'".into(),
        ));
    }
    if arguments.submit && plan.settings().stage_path().is_none() {
        return Err(Failure::Input(
            "the jobs need a stage path: give --stage-path, or export STAGE_PATH".into(),
        ));
    }
    match arguments.print {
        Some(Print::Setup) => print(plan.setup().text()),
        Some(Print::PrepareModels) => print(plan.prepare_models().text()),
        Some(Print::Launch) => print(plan.launch().text()),
        Some(Print::Recipe) => print(&plan.recipe().to_toml()),
        None if arguments.check => print(&summary(&plan)),
        None => {
            let scripts = ScriptKind::ALL.map(|kind| plan.script(kind));
            for script in &scripts {
                let written = script.write_to(&arguments.out_dir).map_err(other)?;
                print(&describe(script, &written))?;
            }
            if arguments.submit {
                submit(&plan, &arguments.out_dir)
            } else {
                print(&next_steps(&plan, &arguments.out_dir))
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
        settings = settings.with_resumed(job.clone());
    }
    Plan::new(recipe, settings).map_err(input)
}

fn describe(script: &Script, written: &Written) -> String {
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
    let mut text = format!(
        "ok: recipe {}, {} points\n",
        plan.recipe().name,
        plan.points().len()
    );
    for kind in ScriptKind::ALL {
        text.push_str(&format!(
            "  {}: {}\n",
            kind.file_name(),
            plan.directives(kind).arguments().join(" ")
        ));
    }
    text.push_str(note(plan));
    text
}

/// sbatch's words for a script, as a person types them.
fn sbatch_line(plan: &Plan, kind: ScriptKind, folder: &Utf8Path) -> String {
    let mut words = vec!["sbatch".to_owned()];
    words.extend(
        plan.pinned(kind, variables())
            .iter()
            .map(|word| shell_word(word)),
    );
    words.push(shell_word(folder.join(kind.file_name()).as_str()));
    words.join(" ")
}

/// What is no mistake everywhere, but is one on most clusters.
fn note(plan: &Plan) -> &'static str {
    use OptionName::{Gpus, GpusPerNode, GpusPerTask, Gres};
    let launch = plan.directives(ScriptKind::Launch);
    if [Gres, Gpus, GpusPerNode, GpusPerTask]
        .into_iter()
        .any(|name| launch.is_set(name))
    {
        ""
    } else {
        "note: launch.sh asks Slurm for no GPUs; where Slurm manages them, add --gres gpu:8 or what the site calls them\n"
    }
}

fn next_steps(plan: &Plan, folder: &Utf8Path) -> String {
    let mut text = format!("{}\nnext, on the login node:\n", note(plan));
    let mut step = |line: &str, why: &str| text.push_str(&format!("  {line}\n      {why}\n"));
    step(
        "export NGC_API_KEY=...",
        "for images and model from NGC; not needed once they are there",
    );
    let tokenizer = plan.recipe().client.tokenizer.as_ref();
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
            &format!("export STAGE_PATH={}", shell_word(path.as_str())),
            "only to use another folder: this one is in the scripts",
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

fn submit(plan: &Plan, folder: &Utf8Path) -> Result<(), Failure> {
    let sbatch = Sbatch::find().map_err(other)?;
    let pinned = |kind| sbatch.with_arguments(plan.pinned(kind, variables()));
    let script = |kind: ScriptKind| folder.join(kind.file_name());
    let setup = pinned(ScriptKind::Setup)
        .submit(script(ScriptKind::Setup))
        .map_err(other)?;
    print(&format!("setup is job {setup}\n"))?;
    // What the settings ask launch to wait for still holds beside setup.
    let after_setup = Dependency::after_ok([setup]);
    let dependency = match plan
        .directives(ScriptKind::Launch)
        .get(OptionName::Dependency)
    {
        Some(own) => Dependency::parse(&format!("{own},{after_setup}")).map_err(input)?,
        None => after_setup,
    };
    // Without setup, launch would wait for ever.
    let launch = pinned(ScriptKind::Launch)
        .with_arguments(["--kill-on-invalid-dep=yes".to_owned()])
        .after(&dependency)
        .submit(script(ScriptKind::Launch));
    match launch {
        Ok(launch) => print(&format!(
            "launch is job {launch}; it starts when setup has ended well, and it needs the model:\n  bash {}\n",
            shell_word(script(ScriptKind::PrepareModels).as_str())
        )),
        Err(error) => {
            eprintln!("setup is submitted and goes on; to end it: scancel {setup}");
            Err(other(error))
        }
    }
}
