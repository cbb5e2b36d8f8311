//! What the example binaries share: where their settings come from, and how they end.

use std::process::ExitCode;

use camino::Utf8PathBuf;
use clap::Args;
use nim_slurm::slurm::{Account, Directives, Gres, Partition, TimeLimit};
use nim_slurm::{Recipe, Settings, StagePath};

/// What is run, and where.
#[derive(Args)]
pub(crate) struct Input {
    /// Where it runs: a TOML file with stage path, sbatch's options, mounts
    #[arg(long, value_name = "FILE")]
    settings: Option<Utf8PathBuf>,

    /// What is run: a TOML file instead of the built-in recipe
    #[arg(long, value_name = "FILE")]
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

impl Input {
    /// The recipe that is named, or the built-in one.
    pub(crate) fn recipe(&self) -> Result<Recipe, Failure> {
        self.recipe
            .as_ref()
            .map_or_else(|| Ok(Recipe::llama3_70b_h100x4_fp8()), Recipe::read)
            .map_err(input)
    }

    /// Flags over the environment over the settings file.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let file = self
            .settings
            .as_ref()
            .map_or_else(|| Ok(Settings::new()), Settings::read)
            .map_err(input)?;
        let settings = file
            .with_environment(variables())
            .map_err(input)?
            .with_slurm(self.directives());
        Ok(match &self.stage_path {
            Some(path) => settings.with_stage_path(path.clone()),
            None => settings,
        })
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

/// The variables of this process that are text.
pub(crate) fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
        .collect()
}

/// What ends a program early: bad input, or anything else.
pub(crate) enum Failure {
    Input(Box<dyn std::error::Error>),
    Other(Box<dyn std::error::Error>),
}

pub(crate) fn input(error: impl std::error::Error + 'static) -> Failure {
    Failure::Input(Box::new(error))
}

pub(crate) fn other(error: impl std::error::Error + 'static) -> Failure {
    Failure::Other(Box::new(error))
}

impl Failure {
    /// Says on stderr what happened, and why; the exit code for it.
    pub(crate) fn report(&self) -> ExitCode {
        let (Self::Input(error) | Self::Other(error)) = self;
        let mut text = format!("error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        eprintln!("{text}");
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::from(1),
        }
    }
}

/// Prints to stdout; a reader that has gone away is no failure of ours to shout about.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write;

    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(other(error)),
        _ => Ok(()),
    }
}
