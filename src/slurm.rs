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

mod count;
pub(crate) mod directives;
mod gres;
mod job;
mod memory;
mod modes;
mod names;
mod node_list;
pub(crate) mod release;
mod signal;
mod texts;
mod time_limit;

pub use self::count::{Count, NodeCount};
pub use self::directives::{Conflict, Directives, OptionName};
pub use self::gres::{GpuCount, Gres, GresEntry};
pub use self::job::{Array, Dependency, JobId, SubmittedJob};
pub use self::memory::Memory;
pub use self::modes::{Exclusive, Flag, OpenMode, Passthrough};
pub use self::names::{Account, Partition, Qos, Reservation};
pub use self::node_list::{Constraint, NodeList};
pub use self::signal::Signal;
pub use self::texts::{Comment, JobName, MailType, MailUser, OutputPattern};
pub use self::time_limit::TimeLimit;
