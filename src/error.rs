//! The errors that concern more than one value.

use std::fmt;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::container::Runtime;
use crate::slurm::{OptionName, Release};
use crate::value::ValueError;

/// A recipe or settings file that cannot be used.
///
/// The text names the file, the line and the value:
///
/// ```
/// let error = nim_slurm::Settings::from_toml("[slurm]\npartition = 'gpu h100'\n").unwrap_err();
/// let text = error.to_string();
/// assert!(text.contains("line 2"), "{text}");
/// assert!(text.contains("unexpected character ' ' in partition \"gpu h100\""), "{text}");
/// ```
#[derive(Debug)]
pub struct FileError {
    what: &'static str,
    path: Option<Utf8PathBuf>,
    kind: FileErrorKind,
}

#[derive(Debug)]
enum FileErrorKind {
    Read(io::Error),
    /// toml's own text: the line, the place in it, and the reason.
    Syntax(String),
}

impl FileError {
    pub(crate) fn read(what: &'static str, path: &Utf8Path) -> Result<String, Self> {
        std::fs::read_to_string(path).map_err(|error| Self {
            what,
            path: Some(path.to_owned()),
            kind: FileErrorKind::Read(error),
        })
    }

    pub(crate) fn syntax(
        what: &'static str,
        path: Option<&Utf8Path>,
        error: &toml::de::Error,
    ) -> Self {
        Self {
            what,
            path: path.map(Utf8Path::to_owned),
            kind: FileErrorKind::Syntax(error.to_string().trim_end().to_owned()),
        }
    }

    /// The file, unless the text did not come from one.
    #[must_use]
    pub fn path(&self) -> Option<&Utf8Path> {
        self.path.as_deref()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match (&self.path, &self.kind) {
            (Some(path), FileErrorKind::Read(_)) => write!(f, "cannot read {what} file {path}"),
            (None, FileErrorKind::Read(_)) => write!(f, "cannot read the {what}"),
            (Some(path), FileErrorKind::Syntax(text)) => write!(f, "{what} file {path}: {text}"),
            (None, FileErrorKind::Syntax(text)) => write!(f, "{what}: {text}"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            FileErrorKind::Read(error) => Some(error),
            FileErrorKind::Syntax(_) => None,
        }
    }
}

/// An environment variable that cannot be used.
///
/// ```
/// let error = nim_slurm::Settings::new()
///     .with_environment([("SBATCH_TIMELIMIT".to_owned(), "1h".to_owned())])
///     .unwrap_err();
/// assert!(error.to_string().starts_with("cannot use the variable SBATCH_TIMELIMIT"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the variable {name}")]
pub struct VariableError {
    pub(crate) name: String,
    #[source]
    pub(crate) source: ValueError,
}

impl VariableError {
    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Everything that keeps a recipe and settings from becoming a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    problems: Vec<Problem>,
}

impl PlanError {
    /// `Ok` when there are no problems.
    pub(crate) fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// All problems, at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanError {}

/// One reason why a recipe and settings do not go together. Its text is one
/// sentence: what was given, where, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two options of one script exclude each other.
    #[error(
        "{script}: {first} ({first_origin}) and {second} ({second_origin}) exclude each other: {reason}"
    )]
    Conflict {
        /// The script's file name.
        script: &'static str,
        /// One option.
        first: OptionName,
        /// Where it was given.
        first_origin: String,
        /// The other.
        second: OptionName,
        /// Where that was given.
        second_origin: String,
        /// Why they do not go together.
        reason: String,
    },
    /// An option of a script means nothing without another one.
    #[error("{script}: {option} ({origin}) needs {one_of}")]
    Needed {
        /// The script's file name.
        script: &'static str,
        /// The option.
        option: OptionName,
        /// Where it was given.
        origin: String,
        /// What it needs: one option, or several with "or" between them.
        one_of: String,
    },
    /// The cluster's Slurm does not know an option of a script.
    #[error("{script}: Slurm {release} does not know {option} ({origin}): {reason}")]
    Release {
        /// The script's file name.
        script: &'static str,
        /// The cluster's release.
        release: Release,
        /// The option, with its value if that is what is not known.
        option: String,
        /// Where it was given.
        origin: String,
        /// Which releases know it.
        reason: String,
    },
    /// The cluster's pyxis does not know an option of launch.sh.
    #[error(
        "launch.sh starts containers with {option}, which came with pyxis {first}; the cluster has pyxis {release}"
    )]
    Pyxis {
        /// The option.
        option: &'static str,
        /// The cluster's release.
        release: String,
        /// The first release that knows it.
        first: String,
    },
    /// The runtime hands no MPI on from srun.
    #[error(
        "[srun] mpi = \"{mpi}\" does not go together with [container] runtime = \"{runtime}\": only pyxis hands srun's \
         MPI on into a container, so \"none\" is allowed"
    )]
    RuntimeMpi {
        /// The runtime.
        runtime: Runtime,
        /// The plugin that was asked for.
        mpi: String,
    },
    /// The runtime cannot mount this.
    #[error("{runtime} cannot mount \"{mount}\": {reason}")]
    RuntimeMount {
        /// The runtime.
        runtime: Runtime,
        /// The mount.
        mount: String,
        /// What it cannot do, and what is allowed.
        reason: String,
    },
    /// The runtime would take a registry's name for a part of the image's path.
    #[error(
        "{runtime} reads \"{registry}\" as a part of the image's path, and not as its registry: write a host with a '.' \
         or a port, as in {registry}:443"
    )]
    RuntimeRegistry {
        /// The runtime.
        runtime: Runtime,
        /// The registry.
        registry: String,
    },
    /// The server uses more GPUs than the job asks for.
    #[error(
        "launch.sh asks for {asked} GPUs with {option} ({origin}), the recipe's server uses {used}"
    )]
    TooFewGpus {
        /// GPUs on a node that the job asks for.
        asked: u64,
        /// The option that asks.
        option: OptionName,
        /// Where it was given.
        origin: String,
        /// GPUs that the server uses.
        used: u32,
    },
    /// The server's command splits the model over another number of GPUs.
    #[error(
        "the recipe's server command says {flag} {given}, but its gpus are {used}: write {flag} {{gpus}}"
    )]
    TensorParallelism {
        /// The command's flag.
        flag: String,
        /// What the flag says.
        given: String,
        /// GPUs that the server uses.
        used: u32,
    },
    /// The engine's file list has other parts than the server has GPUs.
    #[error(
        "the recipe's engine has {parts} files rank*.engine, but its server uses {used} GPUs: one each is needed"
    )]
    EngineParts {
        /// Files `rank*.engine`.
        parts: usize,
        /// GPUs that the server uses.
        used: u32,
    },
    /// The launch job is warned by a signal that it does not know.
    #[error(
        "launch.sh asks for the signal {asked} ({origin}), on which it would not stop in order: B:USR1, B:USR2, B:TERM \
         and B:INT are allowed"
    )]
    Signal {
        /// What was asked for.
        asked: String,
        /// Where it was given.
        origin: String,
    },
    /// A secret's value stands in the recipe.
    #[error(
        "the recipe's server.environment has a value for {name}: secrets are only named, in server.secrets"
    )]
    SecretValue {
        /// The variable.
        name: String,
    },
    /// A variable for the server would change how its step is started.
    #[error(
        "the recipe's server.environment has {name}, which would change srun itself: put env {name}=... in front of \
         server.command"
    )]
    StepVariable {
        /// The variable.
        name: String,
    },
    /// The job asks for another number of nodes than the server runs on.
    #[error(
        "launch.sh asks for {asked} nodes ({origin}), but the recipe's server runs on {used}: nodes = {used} is allowed"
    )]
    Nodes {
        /// What was asked for.
        asked: String,
        /// Where it was given.
        origin: String,
        /// Nodes that the server runs on.
        used: u32,
    },
    /// An engine is to be put into weights that are not fetched from NGC.
    #[error(
        "the recipe has an engine, which is fetched from NGC into the folder of weights from there, but its weights are \
         {weights}"
    )]
    EngineSource {
        /// Where the weights come from.
        weights: String,
    },
    /// Two images would be written to one file.
    #[error(
        "the images {server} and {client} have the same squash file {file}: give one of them another file"
    )]
    SquashFile {
        /// The server's image.
        server: String,
        /// The client's image.
        client: String,
        /// The file.
        file: String,
    },
    /// Two things would be mounted at one place.
    #[error(
        "{first} and {second} are both mounted at {destination}: each destination can be used once"
    )]
    MountDestination {
        /// One mount.
        first: String,
        /// The other.
        second: String,
        /// The place in the container.
        destination: String,
    },
    /// A list of the recipe is empty.
    #[error("the recipe's {list} is empty: at least one entry is needed")]
    Empty {
        /// The list's key.
        list: &'static str,
    },
    /// A list of the recipe has an entry twice.
    #[error("the recipe's {list} has {entry} twice: once is enough")]
    Repeated {
        /// The list's key.
        list: &'static str,
        /// The entry.
        entry: String,
    },
}
