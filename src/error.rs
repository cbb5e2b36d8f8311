//! The errors that concern more than one value.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;

use crate::container::Runtime;
use crate::mistakes::{self, FileMistake};
use crate::plain::plain;
use crate::slurm::{OptionName, Release};
use crate::value::{Fault, ValueError};

/// A recipe or settings file that cannot be used.
///
/// The text names the file, the line and the value:
///
/// ```
/// let error = nim_slurm::Settings::from_toml("[slurm]\npartition = 'gpu h100'\n").unwrap_err();
/// let text = error.to_string();
/// assert!(text.contains("line 2"), "{text}");
/// assert!(text.contains("unexpected character ' ' in partition \"gpu h100\""), "{text}");
/// assert_eq!(error.path(), None); // it was a text, not a file
/// assert_eq!(error.kind(), nim_slurm::FileErrorKind::Content);
/// assert_eq!((error.line(), error.value()), (Some(2), Some("'gpu h100'")));
/// assert_eq!(error.mistakes().len(), 1); // all that there are
/// ```
#[derive(Debug)]
pub struct FileError {
    what: &'static str,
    path: Option<Utf8PathBuf>,
    reason: FileReason,
}

/// What is wrong with a file, for a program.
///
/// ```
/// use nim_slurm::{FileErrorKind, Recipe, Settings};
///
/// let error = Recipe::read("/no/such/recipe.toml").unwrap_err();
/// assert_eq!(error.kind(), FileErrorKind::Read);
/// assert_eq!(Settings::from_toml("[slurm").unwrap_err().kind(), FileErrorKind::Syntax);
/// assert_eq!(Settings::from_toml("slrum = 1").unwrap_err().kind(), FileErrorKind::Content);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// It cannot be read; the error's source is the system's reason, where there is one.
    Read,
    /// It is no TOML.
    Syntax,
    /// It is TOML, but has an unknown key, lacks one, or has a value that is not
    /// allowed.
    Content,
}

#[derive(Debug)]
enum FileReason {
    Read(io::Error),
    /// At least one.
    Mistakes(FileErrorKind, Vec<FileMistake>),
}

/// A person writes some kilobytes; what is longer than this is another file.
const MOST_BYTES: u64 = 4 << 20;

/// The text of a file, which may be a pipe, and may be without end.
fn read_text(path: &Utf8Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {} MiB",
            MOST_BYTES >> 20
        )));
    }
    Ok(text)
}

impl FileError {
    pub(crate) fn read(what: &'static str, path: &Utf8Path) -> Result<String, Self> {
        read_text(path).map_err(|error| Self {
            what,
            path: Some(path.to_owned()),
            reason: FileReason::Read(error),
        })
    }

    /// A file whose text is no value of its kind.
    pub(crate) fn invalid_value(what: &'static str, path: &Utf8Path, error: &ValueError) -> Self {
        Self {
            what,
            path: Some(path.to_owned()),
            reason: FileReason::Mistakes(
                FileErrorKind::Content,
                vec![FileMistake::of_text(error.to_string())],
            ),
        }
    }

    /// Neither a file nor a name.
    pub(crate) fn no_recipe(path: &Utf8Path, built_in: &[&str]) -> Self {
        let words = match mistakes::nearest(path.as_str(), built_in) {
            Some(meant) => format!("perhaps {meant} is meant"),
            None => format!("built in are {}", built_in.join(", ")),
        };
        Self {
            what: "recipe",
            path: Some(path.to_owned()),
            reason: FileReason::Mistakes(
                FileErrorKind::Read,
                vec![FileMistake::of_text(format!(
                    "there is no such file, and none of this name is built in: {words}"
                ))],
            ),
        }
    }

    /// Reads a text as TOML. See [`mistakes::read`] for the samples.
    pub(crate) fn parse<T: DeserializeOwned>(
        what: &'static str,
        path: Option<&Utf8Path>,
        text: &str,
        samples: &[&str],
    ) -> Result<T, Self> {
        mistakes::read(text, samples).map_err(|mistakes| {
            let kind = match toml::from_str::<toml::Table>(text) {
                Ok(_) => FileErrorKind::Content,
                Err(_) => FileErrorKind::Syntax,
            };
            Self {
                what,
                path: path.map(Utf8Path::to_owned),
                reason: FileReason::Mistakes(kind, mistakes),
            }
        })
    }

    /// The file, unless the text did not come from one.
    #[must_use]
    pub fn path(&self) -> Option<&Utf8Path> {
        self.path.as_deref()
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn kind(&self) -> FileErrorKind {
        match &self.reason {
            FileReason::Read(_) => FileErrorKind::Read,
            FileReason::Mistakes(kind, _) => *kind,
        }
    }

    /// All mistakes in it, in the order of their lines; none in what cannot be read.
    #[must_use]
    pub fn mistakes(&self) -> &[FileMistake] {
        match &self.reason {
            FileReason::Read(_) => &[],
            FileReason::Mistakes(_, mistakes) => mistakes,
        }
    }

    /// The line of the first mistake, from 1, where it has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.mistakes().first()?.line()
    }

    /// What stands there, as the file has it: a value, or a key that is not known.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.mistakes().first()?.value()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match (&self.path, &self.reason) {
            (Some(path), FileReason::Read(_)) => write!(f, "cannot read {what} file {path}"),
            (None, FileReason::Read(_)) => write!(f, "cannot read the {what}"),
            (path, FileReason::Mistakes(_, mistakes)) => {
                f.write_str(what)?;
                if let Some(path) = path {
                    write!(f, " file {path}")?;
                }
                match mistakes.as_slice() {
                    [one] => write!(f, ": {one}"),
                    all => {
                        write!(f, ": {} mistakes", all.len())?;
                        all.iter().try_for_each(|mistake| write!(f, "\n{mistake}"))
                    }
                }
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            FileReason::Read(error) => Some(error),
            FileReason::Mistakes(..) => None,
        }
    }
}

/// An environment variable that cannot be used.
///
/// ```
/// let error = nim_slurm::Settings::new()
///     .with_environment([("SBATCH_TIMELIMIT", "1h")])
///     .unwrap_err();
/// assert!(error.to_string().starts_with("cannot use the variable SBATCH_TIMELIMIT"));
/// assert_eq!(error.name(), "SBATCH_TIMELIMIT");
/// assert_eq!(error.value_error().given(), "1h");
/// assert_eq!(error.value_error().kind(), nim_slurm::ValueErrorKind::Character('h'));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the variable {name}")]
pub struct VariableError {
    pub(crate) name: String,
    #[source]
    pub(crate) source: ValueError,
}

impl VariableError {
    /// The text of a variable's value, if it is one.
    pub(crate) fn text<'a>(name: &str, value: &'a OsStr) -> Result<&'a str, Self> {
        value.to_str().ok_or_else(|| Self {
            name: name.to_owned(),
            source: ValueError::new(
                "text",
                &value.to_string_lossy(),
                Fault::rule("it is not UTF-8"),
            ),
        })
    }

    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with its value.
    #[must_use]
    pub const fn value_error(&self) -> &ValueError {
        &self.source
    }
}

/// Everything that keeps a recipe and settings from becoming a plan.
///
/// ```
/// use nim_slurm::{Plan, Problem, Recipe, Settings};
///
/// let settings = Settings::from_toml("slurm.launch = { gres = 'gpu:2', nodes = 2 }")?;
/// let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// assert!(error.problems().iter().any(|problem| matches!(problem, Problem::TooFewGpus { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    problems: Vec<Problem>,
}

impl Problem {
    fn script(&mut self) -> Option<&mut String> {
        match self {
            Self::Conflict { script, .. }
            | Self::MissingOption { script, .. }
            | Self::Release { script, .. } => Some(script),
            _ => None,
        }
    }

    /// Names the script of another problem, too, if that is the same one of another script.
    fn takes_in(&mut self, other: &Self) -> bool {
        let mut same = other.clone();
        let (Some(script), Some(others)) = (self.script().cloned(), same.script()) else {
            return false;
        };
        let added = format!("{script}, {others}");
        others.clone_from(&script);
        let is_same = same == *self;
        if let Some(script) = self.script().filter(|_| is_same) {
            *script = added;
        }
        is_same
    }
}

/// `1 node`, `2 nodes`.
fn counted(count: impl fmt::Display, what: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {what}{plural}")
}

impl PlanError {
    /// `Ok` when there are no problems.
    pub(crate) fn check(found: Vec<Problem>) -> Result<(), Self> {
        let mut problems: Vec<Problem> = Vec::new();
        for problem in found {
            if !problems
                .iter_mut()
                .any(|earlier| earlier.takes_in(&problem))
            {
                problems.push(problem);
            }
        }
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
            // A word of a command may have line breaks.
            f.write_str(&plain(&problem.to_string()))?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanError {}

/// One reason why a recipe and settings do not go together. Its text is one
/// sentence: what was given, where, and what is allowed.
///
/// ```
/// use nim_slurm::{Plan, Problem, Recipe, Settings};
///
/// let settings = Settings::from_toml("slurm.launch.gres = 'gpu:2'")?;
/// let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// let Problem::TooFewGpus { requested, used, .. } = &error.problems()[0] else {
///     panic!("{error}");
/// };
/// assert_eq!((*requested, *used), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Two options of one script exclude each other.
    #[error(
        "{script}: {first} ({first_origin}) and {second} ({second_origin}) exclude each other: {reason}"
    )]
    Conflict {
        /// The script's file name, or several with ", " between them.
        script: String,
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
    MissingOption {
        /// The script's file name, or several with ", " between them.
        script: String,
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
        /// The script's file name, or several with ", " between them.
        script: String,
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
    /// The server, or all of several, use more GPUs than the job asks for.
    #[error(
        "launch.sh asks for {} with {option} ({origin}), the recipe's {} {used}", counted(requested, "GPU"),
        if *replicas == 1 { "server uses".to_owned() } else { format!("{replicas} servers use") }
    )]
    TooFewGpus {
        /// GPUs on a node that the job asks for.
        requested: u64,
        /// The option that asks.
        option: OptionName,
        /// Where it was given.
        origin: String,
        /// GPUs that are used.
        used: u32,
        /// Servers that use them.
        replicas: u32,
    },
    /// Several servers are to share one node, and each of them to run on several nodes.
    #[error(
        "the recipe has {replicas} servers side by side, each on {nodes} nodes: with several servers, server.nodes = 1 \
         is allowed"
    )]
    ReplicasOnNodes {
        /// Servers side by side.
        replicas: u32,
        /// Nodes of each.
        nodes: u32,
    },
    /// The ports of several servers are more than there are.
    #[error(
        "the recipe's {replicas} servers would listen on the ports from {port} to {last}: 65535 is the last one"
    )]
    Ports {
        /// Servers side by side.
        replicas: u32,
        /// The first one's port.
        port: u16,
        /// What would be the last one's.
        last: u64,
    },
    /// Several servers would all listen on the same port.
    #[error(
        "the recipe's {replicas} servers do not get ports of their own: {{port}} is needed in server.command or \
         server.environment"
    )]
    SharedPort {
        /// Servers side by side.
        replicas: u32,
    },
    /// One server cannot do what is asked of several.
    #[error(
        "the recipe's sweep.replicas is \"together\", but it has one server: server.replicas must be 2 or more"
    )]
    SingleReplica,
    /// Both the recipe's sweep and an option make the launch job an array.
    #[error(
        "launch.sh gets --array from the recipe's sweep.array, and {array} ({origin}): leave one of them out, and limit \
         the tasks that run at once with sweep.array_limit"
    )]
    ArrayTwice {
        /// What was asked for.
        array: String,
        /// Where it was given.
        origin: String,
    },
    /// A limit of an array that there is not.
    #[error(
        "the recipe's sweep.array_limit is {limit}, but there is no array: sweep.array is needed"
    )]
    LimitWithoutArray {
        /// The limit.
        limit: u32,
    },
    /// Variants of the server and an array by server need each other.
    #[error(
        "the recipe has {variants} server.variants, and its sweep.array is {array}: variants are for the tasks of \
         sweep.array = \"server\", which needs at least one"
    )]
    Variants {
        /// Variants of the server.
        variants: usize,
        /// What the array is by.
        array: &'static str,
    },
    /// A variant's results cannot be named.
    #[error("the results of the recipe's server.variants {variant} have no name: {reason}")]
    VariantName {
        /// The variant.
        variant: String,
        /// Why not.
        reason: String,
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
        "the recipe's engine has {} rank*.engine, but its server uses {}: one each is needed",
        counted(parts, "file"),
        counted(used, "GPU")
    )]
    EngineParts {
        /// Files `rank*.engine`.
        parts: usize,
        /// GPUs that the server uses.
        used: u32,
    },
    /// A key of the settings' `[cluster]` means nothing without another one.
    #[error(
        "[cluster] of the settings has {key}, which needs gpus = \"gres\" or \"gpus_per_node\""
    )]
    ClusterKey {
        /// The key.
        key: &'static str,
    },
    /// A registry has a mirror, and no image of the recipe comes from it.
    #[error(
        "[container] registries names a mirror for {registry:?}, and no image of this recipe comes from there: allowed \
         is {allowed}"
    )]
    UnusedMirror {
        /// The registry.
        registry: String,
        /// The registries of the recipe's images.
        allowed: String,
    },
    /// The launch job is warned by a signal that it does not know.
    #[error(
        "launch.sh asks for the signal {requested} ({origin}), on which it would not stop in order: B:USR1, B:USR2, B:TERM \
         and B:INT are allowed"
    )]
    Signal {
        /// What was asked for.
        requested: String,
        /// Where it was given.
        origin: String,
    },
    /// The recipe asks for what the release of its client's tool does not know.
    #[error("the recipe asks for {key}, which {tool} does not know: it came with {first}")]
    ClientRelease {
        /// The recipe's key.
        key: &'static str,
        /// The tool and its release.
        tool: String,
        /// The first release of the tool that knows it.
        first: String,
    },
    /// A revision is named of a tokenizer that has none.
    #[error(
        "the recipe's client.tokenizer_revision is {revision}, but its client.tokenizer is {tokenizer}: a revision is \
         allowed of a Hugging Face OWNER/NAME"
    )]
    TokenizerRevision {
        /// The revision.
        revision: String,
        /// The tokenizer.
        tokenizer: String,
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
        "launch.sh asks for {} ({origin}), but the recipe's server runs on {used}: nodes = {used} is allowed",
        counted(requested, "node")
    )]
    Nodes {
        /// What was asked for.
        requested: String,
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
    /// A recipe sets what is not a recipe's to say.
    #[error(
        "the recipe sets {option}, which is for settings and flags: a recipe may set options that say how many \
         resources and how much time a job needs"
    )]
    NotForRecipes {
        /// The option.
        option: String,
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
    /// The sweep would never end.
    #[error(
        "the recipe's sweep has {points} points, each use case at each concurrency: at most {most} are allowed"
    )]
    TooManyPoints {
        /// Use cases times concurrencies.
        points: usize,
        /// How many there may be.
        most: usize,
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
