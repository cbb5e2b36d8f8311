//! Typed Slurm jobs that benchmark inference servers: NVIDIA NIM, vLLM, SGLang, TensorRT-LLM, or yours.
//!
//! A [`Recipe`] says what is run, [`Settings`] say where. Together they become a [`Plan`],
//! which is the one place that checks what only both together show; its three
//! [`Script`]s, for images, model and benchmark, are then plain functions of it:
//!
//! ```
//! use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
//! use nim_slurm::slurm::Directives;
//!
//! let settings = Settings::new()
//!     .with_stage_path("/lustre/project/nim".parse()?)
//!     .with_slurm(Directives::new().partition("batch".parse()?)) // of all three scripts
//!     .with_script_slurm(ScriptKind::Launch, Directives::new().gpus_per_node(4));
//! let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?; // all problems at once
//!
//! # let folder = tempfile::tempdir()?;
//! # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
//! for script in [plan.setup(), plan.prepare_models(), plan.launch()] {
//!     script.write_to(folder)?; // atomic; what was there is kept
//! }
//! assert!(std::fs::read_to_string(folder.join("launch.sh"))?.contains("#SBATCH --gpus-per-node=4\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to go on
//!
//! The [guides](guide), one for each task, from the [quick start](guide::quick_start) to
//! [troubleshooting](guide::troubleshooting); for programs, [rendering from Rust](guide::render) and
//! [tests of one's own scripts](guide::golden_files). Every public item has an example.
//!
//! # The way of the data
//!
//! ```text
//! Recipe (what is run)        Settings (where it runs)
//!         \                          /
//!          Plan::new(recipe, settings)          checked once
//!                      |
//!   plan.setup() .prepare_models() .launch()    Script: pure, cannot fail
//!                      |
//!   Script::write_to, Sbatch, Chain             files, jobs
//!                      |
//!   Queue, Follower                             how far it is
//!                      |
//!   results::Run, Report                        what came out
//! ```
//!
//! * [`slurm`]: the values that sbatch takes, each right from birth, and
//!   [`Directives`](slurm::Directives), the options of a job.
//! * [`container`]: images, mounts and variables, and what runs containers.
//! * [`recipe`]: [`Recipe`] and its parts. The built-in ones are TOML files.
//! * [`Settings`]: the site's answers, in layers: program over environment over
//!   file over recipe.
//!
//! `slurm` and `container` know nothing of recipes and can be used alone.
//!
//! # Features
//!
//! Without any, the crate checks values and renders scripts; a tool that only does that
//! builds in half the time. `cluster` adds what talks to Slurm:
//!
//! * [`preflight`]: what would keep a plan's jobs from doing their work, before
//!   they queue.
//! * [`Sbatch`], [`Chain`]: from a file, or all of them, to jobs.
//! * [`Queue`], [`Follower`]: from a job to its [`JobStatus`], and to a launch's
//!   [`Progress`].
//!
//! `results` adds what reads GenAI-Perf's and AIPerf's files:
//!
//! * [`results`]: what a run left behind, as typed points.
//! * [`Percentile`], [`Judgement`]: what a number of requests can say of a limit.
//! * [`Report`] says it as a table, CSV, JSON or a page.
//!
//! `cli` is for the program `nim-slurm`, which uses what these offer; it adds nothing here.
//!
//! ```toml
//! [dependencies]
//! nim-slurm = { path = "../nim-slurm", features = ["cluster", "results"] } # a clone of it
//! ```
//!
//! # What holds for every script
//!
//! What Slurm would refuse or misread is refused when the value is made. No value
//! can run: whatever bytes it has, the script treats it as data, but for a [`Hook`],
//! whose lines are meant to run. Secrets are named, never held. The same input gives
//! the same bytes.
//!
//! # What holds for every type
//!
//! Each is `Send` and `Sync`. What a later release may add to is `#[non_exhaustive]`: take
//! a value, such as `Cluster::default()` or a built-in recipe, and set its fields. Types of
//! other crates are in no signature, but for camino's paths and serde's traits.
//!
//! # What the crate does not do
//!
//! It installs nothing on the cluster, needs no service and no Python there, and
//! does not choose a partition, an account or a model for you. Results are
//! GenAI-Perf's or AIPerf's own files; it reads them, and writes none.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Parts of the core serve a feature alone. With all features nothing may be unused.
#![cfg_attr(
    not(all(feature = "cluster", feature = "results")),
    allow(dead_code, unreachable_pub, unused_imports)
)]

mod environment;
mod input;
mod job_options;
mod ladder;
mod load;
mod percentile;
mod plain;
mod plan;
mod script;
mod settings;
mod shell;
mod utc;
mod value;
mod write;

/// Paths that are text, as this crate takes and gives them.
///
/// ```
/// use nim_slurm::camino::Utf8Path;
///
/// let settings = nim_slurm::Settings::read(Utf8Path::new("examples/settings/shared-nodes.toml"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub use camino;

pub mod container;
pub mod guide;
pub mod recipe;
pub mod slurm;

#[cfg(feature = "cluster")]
mod command;
#[cfg(feature = "cluster")]
mod follow;
#[cfg(feature = "cluster")]
pub mod preflight;
#[cfg(feature = "cluster")]
mod status;
#[cfg(feature = "cluster")]
mod submit;

#[cfg(feature = "results")]
mod report;
#[cfg(feature = "results")]
pub mod results;

#[cfg(any(feature = "cluster", feature = "results"))]
mod file;
#[cfg(any(feature = "cluster", feature = "results"))]
mod manifest;

#[cfg(feature = "cluster")]
pub use self::follow::{
    Follower, LaunchOutcome, Measuring, PointProgress, PointState, Progress, ServerState,
    last_lines,
};
pub use self::input::{FileError, FileErrorKind, FileMistake};
pub use self::job_options::{JobOptions, ScriptKind};
pub use self::load::{Decimal, Length, Load};
pub use self::percentile::{Judgement, Percentile};
pub use self::plain::plain;
pub use self::plan::{Explanation, Plan, PlanError, Problem};
pub use self::recipe::Recipe;
#[cfg(feature = "results")]
pub use self::report::Report;
pub use self::script::Script;
pub use self::settings::{
    Cluster, FolderPath, GpuRequest, Hook, HookPlace, ModuleName, Mpi, NoProxy, NodeUse, Proxy,
    ProxyUrl, Settings, StagePath,
};
pub use self::shell::shell_word;
pub use self::slurm::RunId;
#[cfg(feature = "cluster")]
pub use self::status::{JobExit, JobRecord, JobState, JobStatus, Queue, StatusError};
#[cfg(feature = "cluster")]
pub use self::submit::{
    CancelError, Cancellation, Chain, ChainError, ChainJob, RetryPolicy, Sbatch, SubmitError,
};
pub use self::utc::utc;
pub use self::value::{ValueError, ValueErrorKind, VariableError};
pub use self::write::{Outsider, WriteError, WriteErrorKind, WrittenFile};

/// The README's Rust, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
