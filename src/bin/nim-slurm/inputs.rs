//! The flags for what is run and where, which several commands have.

use std::num::NonZeroU32;

use camino::Utf8PathBuf;
use clap::Args;
use nim_slurm::container::Mount;
use nim_slurm::recipe::{DataFormat, DataSet, Tokenizer, UseCase};
use nim_slurm::slurm::{Account, Directives, Gres, Partition, TimeLimit};
use nim_slurm::{Mpi, Plan, Recipe, RunId, ScriptKind, Settings, StagePath, shell_word};

use crate::output::{Failure, input};
use crate::sbatch_option::SbatchOption;

/// What is run, and where.
#[derive(Args)]
pub(crate) struct Inputs {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    run: WhatIsRun,
}

#[derive(Args)]
#[command(next_help_heading = "Where it runs")]
struct Place {
    /// TOML file with stage path, sbatch's options, mounts
    #[arg(long, value_name = "FILE")]
    settings: Option<Utf8PathBuf>,

    /// Account to charge
    #[arg(short = 'A', long)]
    account: Option<Account>,

    /// Partition, or several with commas between them
    #[arg(short, long)]
    partition: Option<Partition>,

    /// Generic resources for each node, such as gpu:8 or gpu:h100:8, also of the downloads: for launch.sh alone,
    /// --sbatch launch.gres=gpu:8
    #[arg(long)]
    gres: Option<Gres>,

    /// Time limit: minutes, HH:MM:SS or D-HH:MM:SS (20:00 is twenty minutes)
    #[arg(short, long)]
    time: Option<TimeLimit>,

    /// Any other option of sbatch, such as qos=night, or for one script (setup, prepare_models,
    /// launch) such as launch.mem=64G; false as VALUE leaves it out. May be given again
    #[arg(long, value_name = "[SCRIPT.]KEY=VALUE")]
    sbatch: Vec<SbatchOption>,

    /// Folder for images, model and results. A STAGE_PATH that is set when a script runs still wins
    #[arg(long, value_name = "PATH")]
    stage_path: Option<StagePath>,

    /// MPI plugin of srun for the server (see srun --mpi=list), such as none where there is no PMIx
    #[arg(long, value_name = "PLUGIN")]
    mpi: Option<Mpi>,

    /// Mount for both containers, at SRC where DST is left out; may be given again
    #[arg(long = "mount", value_name = "SRC[:DST[:FLAGS]]")]
    mounts: Vec<Mount>,
}

#[derive(Args)]
#[command(next_help_heading = "What is run")]
struct WhatIsRun {
    #[arg(long, value_name = "FILE|NAME", help = recipes())]
    recipe: Option<Utf8PathBuf>,

    /// Requests in flight, one number for each point
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', value_parser = requests_in_flight)]
    concurrency: Vec<u32>,

    /// Requests of each point, at least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    min_requests: Option<u32>,

    /// Requests of each point for each one in flight, at least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests_per_concurrency: Option<u32>,

    /// Use cases: input and output sequence length in tokens
    #[arg(
        long = "use-case",
        value_name = "NAME:ISL/OSL,...",
        value_delimiter = ','
    )]
    use_cases: Vec<UseCase>,

    /// Tokenizer: an absolute path as the client's container sees it, or a Hugging Face name (needs HF_TOKEN in the job if it is gated)
    #[arg(long, value_name = "PATH|HF-ID")]
    tokenizer: Option<Tokenizer>,

    /// Earlier job whose finished points are not measured again; may be given again
    #[arg(long, value_name = "JOB-ID")]
    resume: Vec<RunId>,
}

fn recipes() -> String {
    let names = Recipe::BUILT_IN.join(", ");
    format!("TOML file, or a built-in recipe: {names}")
}

fn requests_in_flight(text: &str) -> Result<u32, String> {
    text.parse().map(NonZeroU32::get).map_err(|_| {
        "a whole number from 1 to 4294967295 is allowed, or several with commas, as in 1,8"
            .to_owned()
    })
}

impl Inputs {
    /// Both together.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        Plan::new(self.run.recipe()?, self.settings()?).map_err(input)
    }

    /// Flags over the environment over the settings file.
    fn settings(&self) -> Result<Settings, Failure> {
        let place = &self.place;
        let file = place
            .settings
            .as_ref()
            .map_or_else(|| Ok(Settings::new()), Settings::read)
            .map_err(input)?;
        let settings = file.with_environment(std::env::vars_os()).map_err(input)?;
        let mut settings = settings.with_option_source("command line");
        for option in &place.sbatch {
            place.check_once(option)?;
            settings = settings.with_slurm(option.options().all.clone());
            for kind in ScriptKind::ALL {
                let own = option.options().script(kind).clone();
                settings = settings.with_script_slurm(kind, own);
            }
        }
        settings = settings.with_slurm(place.directives());
        if let Some(path) = &place.stage_path {
            settings = settings.with_stage_path(path.clone());
        }
        if let Some(mpi) = &place.mpi {
            settings = settings.with_mpi(mpi.clone());
        }
        for mount in &place.mounts {
            settings = settings.with_mount(mount.clone());
        }
        for job in &self.run.resume {
            settings = settings.with_resumed_job(job.clone());
        }
        Ok(settings)
    }

    /// These flags, as words of a command.
    pub(crate) fn words(&self) -> Vec<String> {
        self.flags().iter().map(|flag| shell_word(flag)).collect()
    }

    /// These flags, as a program gets them.
    pub(crate) fn flags(&self) -> Vec<String> {
        let (place, run) = (&self.place, &self.run);
        let mut words = Vec::new();
        let mut add = |flag: &str, values: Vec<String>| {
            words.extend(values.iter().map(|value| format!("--{flag}={value}")));
        };
        add("settings", texts(&place.settings));
        add("recipe", texts(&run.recipe));
        add("account", texts(&place.account));
        add("partition", texts(&place.partition));
        add("gres", texts(&place.gres));
        add("time", texts(&place.time));
        add("sbatch", texts(&place.sbatch));
        add("stage-path", texts(&place.stage_path));
        add("mpi", texts(&place.mpi));
        add("mount", texts(&place.mounts));
        let concurrency = texts(&run.concurrency).join(",");
        add(
            "concurrency",
            texts(Some(concurrency).filter(|all| !all.is_empty())),
        );
        add("min-requests", texts(run.min_requests));
        add(
            "requests-per-concurrency",
            texts(run.requests_per_concurrency),
        );
        add("use-case", texts(&run.use_cases));
        add("tokenizer", texts(&run.tokenizer));
        add("resume", texts(&run.resume));
        words
    }
}

fn texts(values: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

impl WhatIsRun {
    /// The recipe that is named, or the first one that is built in, with what the flags change.
    /// A file wins over a name.
    fn recipe(&self) -> Result<Recipe, Failure> {
        let mut recipe = match &self.recipe {
            Some(path) => Recipe::find(path).map_err(input)?,
            None => Recipe::llama3_70b_h100x4_fp8(),
        };
        once("--concurrency", &self.concurrency)?;
        once("--use-case", &self.use_cases)?;
        if !self.concurrency.is_empty() {
            recipe = recipe.with_concurrency(self.concurrency.iter().copied());
        }
        if !self.use_cases.is_empty() {
            recipe = recipe.with_use_cases(self.use_cases.iter().cloned());
        }
        if let Some(count) = self.min_requests {
            recipe.sweep.min_requests = count;
        }
        if let Some(count) = self.requests_per_concurrency {
            recipe.sweep.requests_per_concurrency = count;
        }
        let is_for_none = recipe.sweep.use_cases.iter().all(has_own_load);
        if let Some(number) = self.concurrency.first().filter(|_| is_for_none) {
            return Err(Failure::Input(
                format!(
                    "--concurrency {number} is for no use case: each has a request_rate or a trace; leave it out, or name \
                     a use case without one, as in --use-case chat:128/128"
                )
                .into(),
            ));
        }
        if let Some(tokenizer) = &self.tokenizer {
            recipe = recipe.with_tokenizer(tokenizer.clone());
        }
        Ok(recipe)
    }
}

/// Whether a use case says itself when its requests are sent.
fn has_own_load(use_case: &UseCase) -> bool {
    let is_trace = |data: &DataSet| data.format == DataFormat::Mooncake;
    !use_case.request_rate().is_empty() || use_case.data().is_some_and(is_trace)
}

/// Refuses what a flag has twice: the plan would say it of the recipe, which may not have it.
fn once<T: PartialEq + std::fmt::Display>(flag: &str, values: &[T]) -> Result<(), Failure> {
    let mut places = values.iter().enumerate();
    match places.find(|(place, value)| values[..*place].contains(value)) {
        Some((_, value)) => Err(Failure::Input(
            format!("{flag} has {value} twice: once is enough").into(),
        )),
        None => Ok(()),
    }
}

impl Place {
    fn directives(&self) -> Directives {
        let mut flags = Directives::new();
        if let Some(account) = &self.account {
            flags = flags.account(account.clone());
        }
        if let Some(partition) = &self.partition {
            flags = flags.partition(partition.clone());
        }
        if let Some(gres) = &self.gres {
            flags = flags.gres(gres.clone());
        }
        if let Some(time) = &self.time {
            flags = flags.time(time.clone());
        }
        flags
    }

    /// An option that has a flag of its own is given in one way.
    fn check_once(&self, option: &SbatchOption) -> Result<(), Failure> {
        let flags = self.directives();
        match option
            .options()
            .all
            .names()
            .find(|name| flags.is_set(*name))
        {
            Some(name) => Err(Failure::Input(
                format!(
                    "{name} is given twice, by its own flag and by --sbatch {option}: leave one out"
                )
                .into(),
            )),
            None => Ok(()),
        }
    }
}
