//! The flags for what is run and where, which several example binaries have.

use camino::Utf8PathBuf;
use clap::Args;
use nim_slurm::slurm::{Account, Directives, Gres, Partition, TimeLimit};
use nim_slurm::{Recipe, Settings, StagePath, shell_word};

use crate::common::{Failure, input};

/// What is run, and where.
#[derive(Args)]
pub(crate) struct Input {
    /// Where it runs: a TOML file with stage path, sbatch's options, mounts
    #[arg(long, value_name = "FILE")]
    settings: Option<Utf8PathBuf>,

    #[arg(long, value_name = "FILE|NAME", help = what_is_run())]
    recipe: Option<Utf8PathBuf>,

    /// Account to charge
    #[arg(short = 'A', long)]
    account: Option<Account>,

    /// Partition, or several with commas between them
    #[arg(short, long)]
    partition: Option<Partition>,

    /// Generic resources for each node, such as gpu:8 or gpu:h100:8
    #[arg(long)]
    gres: Option<Gres>,

    /// Time limit: minutes, HH:MM:SS or D-HH:MM:SS (20:00 is twenty minutes)
    #[arg(short, long)]
    time: Option<TimeLimit>,

    /// Folder for images, model and results. A STAGE_PATH that is set when a script runs still wins
    #[arg(long, value_name = "PATH")]
    stage_path: Option<StagePath>,
}

fn what_is_run() -> String {
    let names = Recipe::BUILT_IN.join(", ");
    format!("What is run: a TOML file, or a built-in recipe: {names}")
}

impl Input {
    /// The recipe that is named, or the first one that is built in. A file wins over a
    /// name.
    pub(crate) fn recipe(&self) -> Result<Recipe, Failure> {
        let Some(path) = &self.recipe else {
            return Ok(Recipe::llama3_70b_h100x4_fp8());
        };
        Recipe::find(path).map_err(input)
    }

    /// Flags over the environment over the settings file.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let file = self
            .settings
            .as_ref()
            .map_or_else(|| Ok(Settings::new()), Settings::read)
            .map_err(input)?;
        let settings = file
            .with_environment(std::env::vars_os())
            .map_err(input)?
            .with_slurm(self.directives());
        Ok(match &self.stage_path {
            Some(path) => settings.with_stage_path(path.clone()),
            None => settings,
        })
    }

    /// These flags, as words of a command.
    #[allow(dead_code, reason = "not every example repeats them")]
    pub(crate) fn words(&self) -> Vec<String> {
        let file = |flag: &str, path: &Option<Utf8PathBuf>| {
            path.iter()
                .map(|path| format!("{flag}={path}"))
                .collect::<Vec<_>>()
        };
        let mut words = file("--settings", &self.settings);
        words.extend(file("--recipe", &self.recipe));
        words.extend(self.directives().arguments());
        let stage_path = self.stage_path.iter();
        words.extend(stage_path.map(|path| format!("--stage-path={path}")));
        words.iter().map(|word| shell_word(word)).collect()
    }

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
}
