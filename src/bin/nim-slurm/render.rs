//! `render`: writes the three scripts, and says what to type next.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use nim_slurm::container::{Image, Registry};
use nim_slurm::recipe::{ClientTool, ModelSource};
use nim_slurm::slurm::OptionName;
use nim_slurm::{GpuRequest, Outsider, Plan, ScriptKind, WrittenFile, shell_word};

use crate::follow::overridden_stage_path;
use crate::inputs::Inputs;
use crate::output::{Failure, note, other, print, program};

/// Write setup.sh, prepare_models.sh and launch.sh, and print the commands to type next
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: Folder,

    /// Print one script, or the recipe in use as TOML, and write nothing
    #[arg(long, value_name = "WHAT", conflicts_with = "check")]
    print: Option<Print>,

    /// Check everything and write nothing; needs no Slurm and no stage path
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    inputs: Inputs,
}

/// Where the scripts go.
#[derive(Args)]
pub(crate) struct Folder {
    /// Folder for the three scripts [default: ./ and the recipe's name]
    out_dir: Option<Utf8PathBuf>,
}

impl Folder {
    /// What is printed to be typed must not look like an option.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &self.out_dir {
            Some(folder) if folder.as_str().starts_with('-') => Err(Failure::Input(
                format!("the folder {folder:?} begins with '-': write ./ in front of it").into(),
            )),
            _ => Ok(()),
        }
    }

    /// The folder as a word of a command, if it was named.
    pub(crate) fn word(&self) -> Option<String> {
        self.out_dir
            .as_ref()
            .map(|folder| shell_word(folder.as_str()))
    }

    /// Those of two recipes do not meet unless that is said.
    pub(crate) fn path(&self, plan: &Plan) -> Utf8PathBuf {
        let by_name = || format!("./{}", plan.recipe().name).into();
        self.out_dir.clone().unwrap_or_else(by_name)
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

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.folder.check()?;
    let plan = arguments.inputs.plan()?;
    if arguments.print.is_none() {
        note_all(&plan);
    }
    match arguments.print {
        Some(Print::Setup) => print(plan.setup().text()),
        Some(Print::PrepareModels) => print(plan.prepare_models().text()),
        Some(Print::Launch) => print(plan.launch().text()),
        Some(Print::Recipe) => print(&plan.recipe().to_toml()),
        None if arguments.check => print(&summary(&plan)),
        None => {
            let folder = arguments.folder.path(&plan);
            write(&plan, &folder, print)?;
            print(&next_steps(&plan, &folder, &arguments.inputs))
        }
    }
}

/// Writes the scripts, and says what became of each.
pub(crate) fn write(
    plan: &Plan,
    folder: &Utf8Path,
    say: impl Fn(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    refuse_what_others_change(folder)?;
    for script in ScriptKind::ALL.map(|kind| plan.script(kind)) {
        let written = script.write_to(folder).map_err(other)?;
        say(&describe(&written))?;
    }
    // It may have been made by another meanwhile.
    refuse_what_others_change(folder)
}

/// Who can change the folder can exchange the scripts before they run.
fn refuse_what_others_change(folder: &Utf8Path) -> Result<(), Failure> {
    let problem = match Outsider::of(folder) {
        None => return Ok(()),
        Some(Outsider::Owner(user)) => format!(
            "{folder} belongs to another user (uid {user}), who could change the scripts there: name another folder"
        ),
        Some(_) => format!(
            "every user may write to {folder}, and so change the scripts there: name another folder, or type chmod go-w {}",
            shell_word(folder.as_str())
        ),
    };
    Err(Failure::Input(problem.into()))
}

fn describe(written: &WrittenFile) -> String {
    match (&written.backup, written.unchanged) {
        (_, true) => format!("{} is there already, unchanged\n", written.path),
        (Some(backup), _) => format!(
            "wrote {}; what was there is kept as {backup}\n",
            written.path
        ),
        (None, _) => format!("wrote {}\n", written.path),
    }
}

fn summary(plan: &Plan) -> String {
    let count = plan.points().len();
    let points = if count == 1 { "point" } else { "points" };
    let work = match &plan.recipe().sweep.search {
        Some(search) => {
            let ladder = search.ladder();
            let (most, levels) = (ladder.most_probes(), ladder.levels().len());
            format!("a search that measures at most {most} of {levels} levels for each use case")
        }
        None => format!("{count} {points}"),
    };
    let mut text = format!("ok: recipe {}, {work}\n", plan.recipe().name);
    for kind in ScriptKind::ALL {
        text.push_str(&format!(
            "  {}: {}\n",
            kind.file_name(),
            plan.directives(kind).arguments().join(" ")
        ));
    }
    text
}

/// What an image of NVIDIA's lacks that AIPerf as the client needs.
fn image_without_aiperf(plan: &Plan) -> Option<String> {
    let client = &plan.recipe().client;
    let image = client.image.to_string();
    let lacks = if image.starts_with("nvcr.io/nvidia/tritonserver:") {
        "has GenAI-Perf, and perhaps no AIPerf"
    } else if image.starts_with("nvcr.io/nvidia/ai-dynamo/aiperf") {
        "has none of curl, awk, find and sed, which the client needs"
    } else {
        return None;
    };
    matches!(client.tool, ClientTool::Aiperf(_)).then(|| {
        format!(
            "the client's image {image} {lacks}; two lines of a Dockerfile make one that has all: see the guide \
             of recipes, \"Choose the client's tool and release\""
        )
    })
}

/// What is no mistake everywhere, but is one on most clusters.
pub(crate) fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::from_iter(plan.time_limit_warning());
    notes.extend(overridden_stage_path(plan));
    notes.extend(image_without_aiperf(plan));
    notes.extend(plan.notes());
    let is_managed = plan.settings().cluster().gpus != Some(GpuRequest::None);
    if is_managed
        && !plan
            .directives(ScriptKind::Launch)
            .asks_for_gpus_or_shares()
    {
        let exclusive = plan
            .directives(ScriptKind::Launch)
            .get(OptionName::Exclusive);
        let what = if exclusive.as_deref() == Some("") {
            "and gets all of its nodes, which it has alone; to ask for them"
        } else {
            "and where Slurm manages them, it gets none"
        };
        notes.push(format!(
            "launch.sh asks Slurm for no GPUs, {what}: add --sbatch launch.gres=gpu:{}, or what the site calls them",
            plan.recipe().server.gpus_per_node()
        ));
    }
    let is_array = |kind: &ScriptKind| {
        let is_of_sweep = *kind == ScriptKind::Launch && plan.recipe().sweep.array.is_some();
        plan.directives(*kind).is_set(OptionName::Array) && !is_of_sweep
    };
    let arrays = ScriptKind::ALL.into_iter().filter(is_array);
    let arrays: Vec<_> = arrays.map(ScriptKind::file_name).collect();
    if !arrays.is_empty() {
        notes.push(format!(
            "--array is set for {}: each task does the whole work again; to share a sweep among tasks, leave --array \
             out and set sweep.array in the recipe",
            arrays.join(", ")
        ));
    }
    notes
}

pub(crate) fn note_all(plan: &Plan) {
    for words in notes(plan) {
        note(&words);
    }
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

fn next_steps(plan: &Plan, folder: &Utf8Path, inputs: &Inputs) -> String {
    let mut text = "\nnext, on the login node:\n".to_owned();
    let mut step = |line: &str, why: &str| text.push_str(&format!("  {line}\n      {why}\n"));
    let recipe = plan.recipe();
    let needs_key = |image: &Image| image.registry().is_some_and(Registry::needs_ngc_key);
    let needs_image = needs_key(&recipe.server.image) || needs_key(&recipe.client.image);
    let is_model_s = matches!(recipe.model.weights.source, ModelSource::Ngc(_));
    let why = match (needs_image, is_model_s) {
        (true, true) => Some("for images and model from NGC; not needed once they are there"),
        (true, false) => Some("for images from NGC; not needed once they are there"),
        (false, true) => Some("for the model from NGC; not needed once it is there"),
        (false, false) => None,
    };
    if let Some(why) = why {
        step("export NGC_API_KEY=...", why);
    }
    if let ModelSource::HuggingFace(model) = &recipe.model.weights.source {
        step(
            "export HF_TOKEN=...",
            &format!("for {model}, if it is gated; not needed once it is there"),
        );
    }
    let tokenizer = recipe.client.tokenizer.as_ref();
    if let Some(tokenizer) = tokenizer.filter(|tokenizer| tokenizer.is_on_hub()) {
        step(
            "export HF_TOKEN=...",
            &format!("for the tokenizer {tokenizer}, if it is gated"),
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
    let mut words = vec![program(), "run".to_owned()];
    words.extend(inputs.words());
    words.push(shell_word(folder.as_str()));
    step(
        &words.join(" "),
        "or, in place of these three: checks, submits what is missing, and shows how far it is",
    );
    text
}
