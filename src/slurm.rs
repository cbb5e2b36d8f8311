//! The values that sbatch takes, each with a type of its own.
//!
//! A value is right from birth: what Slurm would refuse, or would read in a way
//! that nobody means, is refused when the value is made, with a sentence that says
//! what is allowed. What is accepted means the same in every Slurm from 20.11 to
//! 26.05. [`Directives`] holds the options of a job and writes the head of a
//! script.
//!
//! # What is easily misread
//!
//! | text | a person reads | Slurm reads |
//! |---|---|---|
//! | `--time=20:00` | twenty hours | twenty **minutes** |
//! | `--time=0` | at once | no limit (refused here) |
//! | `--time=1-` | an unfinished range | one day (refused here) |
//! | `--mem=0` | none | all memory of the node |
//! | `--mem=16` | 16 GB | 16 MiB |
//! | `--nodes=-4` | a typing error | one to four (refused here) |
//! | `--gres=gpu:-1` | a typing error | GPUs of the type "-1", on old releases (refused here) |
//! | `--array=%4` | a limit | index 0 (refused here) |
//! | `--mail-type=END,foo` | a mistake | `END` (refused here) |
//! | `--signal=USR1@60` | a signal to the script | a signal to the steps; `B:` is for the script |
//! | `--open-mode=apple` | a mistake | append (refused here) |
//! | `--delay-boot=10` | ten seconds | ten **minutes** |
//! | `--switches=1@10:00` | ten hours | ten minutes, and no more than the site allows |
//! | `--switches=1@soon` | a mistake | `1` (refused here) |
//! | `--begin=16:00` | today | today or, when that is past, tomorrow |
//! | `--begin=2030-02-31` | a mistake | the 3rd of March (refused here) |
//! | `--nice=x` | a mistake | 0 (refused here) |
//! | `--nice` | nothing much | 100 |
//! | `--cpus-per-task=65540` | 65540 | 4 (refused here) |
//! | `--export=HOME` | that one as well | that one and Slurm's own, for the steps too |
//! | `--exclusive user` | `--exclusive=user` | `--exclusive`, and an error for `user` |
//!
//! # What excludes and needs what
//!
//! [`Directives::conflicts`] names pairs that exclude or contradict each other,
//! [`Directives::needs`] options that mean nothing without another one, and
//! [`Directives::unknown_to`] what a [`Release`] does not know. A
//! [`Plan`](crate::Plan) asks all three.
#![doc = ""]
#![doc = include_str!("slurm/options.md")]

mod clusters;
mod count;
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
mod sampling;
mod signal;
mod switches;
mod texts;
mod time_limit;
mod tres_per_task;
mod word_lists;

pub use self::clusters::{ClusterConstraint, Clusters};
pub use self::count::{CoreSpec, Count, NodeCount, SmallCount, ThreadSpec};
pub use self::directives::{Conflict, Directives, Need, OptionName};
pub use self::distribution::Distribution;
pub use self::export::Export;
pub use self::file_path::FilePath;
pub use self::free_text::FreeText;
pub use self::frequency::{CpuFreq, GpuFreq};
pub use self::gpu_bind::{GpuBind, TresBind};
pub use self::gres::{GpuCount, GpuType, Gres, GresEntry};
pub use self::job::{Array, Condition, Dependency, JobId, SubmittedJob};
pub use self::job_time::JobTime;
pub use self::licenses::Licenses;
pub use self::mem_bind::MemBind;
pub use self::mem_update::MemUpdate;
pub use self::memory::Memory;
pub use self::modes::{
    Exclusive, Flag, KillOnInvalidDep, NoKill, OomKillStep, OpenMode, Power, Requeue, WaitAllNodes,
};
pub use self::names::{Account, Partition, Qos, Reservation};
pub use self::node_list::{Constraint, NodeList};
pub use self::node_shape::NodeShape;
pub use self::passthrough::Passthrough;
pub use self::priority::{Nice, Priority};
pub use self::release::{Release, UnknownOption};
pub use self::resv_ports::ResvPorts;
pub use self::sampling::AcctgFreq;
pub use self::signal::Signal;
pub use self::switches::Switches;
pub use self::texts::{Comment, JobName, MailType, MailUser, OutputPattern};
pub use self::time_limit::{BootDelay, TimeLimit};
pub use self::tres_per_task::TresPerTask;
pub use self::word_lists::{GresFlags, Hint, Profile, Propagate};
