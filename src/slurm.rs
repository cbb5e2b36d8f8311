//! The values that sbatch takes, each with a type of its own.
//!
//! A value is right from birth: what Slurm would refuse, or would read in a way
//! that nobody means, is refused when the value is made, with a sentence that says
//! what is allowed. What is accepted means the same in every Slurm from 20.11 to
//! 26.05: the tests ask a real 22.05, 24.11 and 26.05, and the others' source was
//! read. [`Directives`] holds the options of a job and writes the head of a script.
//!
//! ```
//! use nim_slurm::slurm::{Directives, OptionName, TimeLimit};
//!
//! let directives = Directives::new().partition("batch".parse()?).time("20:00".parse()?);
//! assert_eq!(directives.arguments(), ["--partition=batch", "--time=20:00"]);
//! assert_eq!(TimeLimit::parse("20:00")?.minutes(), Some(20)); // and not 20 hours
//! assert_eq!(directives.get(OptionName::Account), None); // the site's default
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is easily misread
//!
#![doc = include_str!("slurm/misread.md")]
//!
//! What is refused although Slurm takes it is listed at the end of this page.
//!
//! # What excludes and needs what
//!
//! [`Directives::conflicts`] names pairs that exclude or contradict each other,
//! [`Directives::needs`] options that mean nothing without another one, and
//! [`Directives::unknown_to`] what a [`Release`] does not know. A
//! [`Plan`](crate::Plan) asks all three.
#![doc = ""]
#![doc = include_str!("slurm/options.md")]
#![doc = ""]
#![doc = include_str!("slurm/refusals.md")]

mod array;
mod batch_script;
mod clusters;
mod constraint;
mod count;
mod dependency;
pub(crate) mod directives;
mod distribution;
mod export;
mod file_path;
mod free_text;
mod frequency;
mod gpu_bind;
mod gres;
mod job;
mod job_time;
mod licenses;
mod mem_bind;
mod mem_update;
mod memory;
mod modes;
mod names;
mod node_list;
mod node_shape;
mod passthrough;
mod priority;
mod release;
mod resv_ports;
mod run_id;
mod sampling;
mod signal;
mod switches;
mod texts;
mod time_limit;
mod tres_per_task;
mod word_lists;

pub use self::array::Array;
pub(crate) use self::batch_script::without_options;
pub use self::batch_script::{BatchScript, ScriptBody};
pub use self::clusters::{ClusterConstraint, Clusters};
pub use self::constraint::Constraint;
pub use self::count::{CoreSpec, Count, NodeCount, SmallCount, ThreadSpec};
pub use self::dependency::{Condition, Dependency};
pub use self::directives::{
    Conflict, Directives, DirectivesError, Need, OptionName, OptionProblem, UnknownOption,
};
pub use self::distribution::Distribution;
pub use self::export::Export;
pub use self::file_path::FilePath;
pub use self::free_text::{FreeText, Wckey};
pub use self::frequency::{CpuFreq, GpuFreq};
pub use self::gpu_bind::{GpuBind, TresBind};
pub use self::gres::{GpuCount, GpuType, Gres, GresEntry};
pub use self::job::{JobId, SubmittedJob};
pub use self::job_time::{Deadline, JobTime};
pub use self::licenses::Licenses;
pub use self::mem_bind::MemBind;
pub use self::mem_update::MemUpdate;
pub use self::memory::{Memory, MemoryPerGpu};
pub use self::modes::{
    Exclusive, Flag, KillOnInvalidDep, NoKill, OomKillStep, OpenMode, Power, Requeue, WaitAllNodes,
};
pub use self::names::{Account, Partition, Qos, Reservation};
pub use self::node_list::NodeList;
pub use self::node_shape::NodeShape;
pub use self::passthrough::Passthrough;
pub use self::priority::{Nice, Priority};
pub use self::release::Release;
pub use self::resv_ports::ResvPorts;
pub use self::run_id::RunId;
pub use self::sampling::AcctgFreq;
pub use self::signal::Signal;
pub use self::switches::Switches;
pub use self::texts::{Comment, JobName, MailType, MailUser, OutputPattern};
pub use self::time_limit::{BootDelay, TimeLimit};
pub use self::tres_per_task::TresPerTask;
pub use self::word_lists::{GresFlags, Hint, Profile, Propagate};
