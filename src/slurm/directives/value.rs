//! How a typed value stands in an option.

use super::super::{
    Account, AcctgFreq, Array, BootDelay, ClusterConstraint, Clusters, Comment, Constraint,
    CoreSpec, Count, CpuFreq, Deadline, Dependency, Distribution, Exclusive, Export, FilePath,
    Flag, FreeText, GpuBind, GpuCount, GpuFreq, Gres, GresFlags, Hint, JobName, JobTime,
    KillOnInvalidDep, Licenses, MailType, MailUser, MemBind, MemUpdate, Memory, MemoryPerGpu, Nice,
    NoKill, NodeCount, NodeList, NodeShape, OomKillStep, OpenMode, OutputPattern, Partition, Power,
    Priority, Profile, Propagate, Qos, Requeue, Reservation, ResvPorts, Signal, SmallCount,
    Switches, ThreadSpec, TimeLimit, TresBind, TresPerTask, WaitAllNodes, Wckey,
};
use crate::value::{Fault, ValueError};

/// What an option's value is on a command line and in TOML.
pub(super) enum Argument {
    /// The option alone.
    Flag,
    /// A number, which TOML has bare.
    Number(i64),
    /// Any other text.
    Text(String),
}

/// What an environment variable may say of an option.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InVariable {
    /// Its value.
    Text,
    /// Whether it is there.
    Switch,
    /// Its value, or whether it is there.
    TextOrSwitch,
}

/// How a typed value stands in an option.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how it stands in an option of sbatch",
    note = "name it in `text_options!` of src/slurm/directives/value.rs, or in `option_values!` there if its form in TOML \
            is a number or a flag"
)]
pub(super) trait OptionValue: Sized {
    /// The value that `true` stands for, and the option alone.
    const TRUE: Option<Self> = None;

    const IN_VARIABLE: InVariable = InVariable::Text;

    fn from_text(text: &str) -> Result<Self, ValueError>;

    fn argument(&self) -> Argument;
}

macro_rules! option_values {
    ($($type:ty $(= $yes:expr)? => |$value:ident| $argument:expr;)*) => {
        $(impl OptionValue for $type {
            $(const TRUE: Option<Self> = Some($yes);)?

            fn from_text(text: &str) -> Result<Self, ValueError> {
                Self::parse(text)
            }

            fn argument(&self) -> Argument {
                let $value = self;
                $argument
            }
        })*
    };
}

macro_rules! text_options {
    ($($type:ty),* $(,)?) => {
        option_values! { $($type => |value| Argument::Text(value.to_string());)* }
    };
}

text_options! {
    Account, AcctgFreq, Array, ClusterConstraint, Clusters, Comment, Constraint, CpuFreq, Deadline,
    Dependency, Distribution, Export, FilePath, FreeText, GpuBind, GpuFreq, Gres, GresFlags, Hint,
    JobName, JobTime, KillOnInvalidDep, Licenses, MailType, MailUser, MemBind, MemUpdate, Memory, MemoryPerGpu,
    NodeList, NodeShape, OpenMode, OutputPattern, Partition, Power, Profile, Propagate, Qos, Reservation,
    Signal, Switches, TimeLimit, TresBind, TresPerTask, BootDelay, Wckey,
}

option_values! {
    Count => |value| Argument::Number(value.get().into());
    CoreSpec => |value| Argument::Number(value.get().into());
    SmallCount => |value| Argument::Number(value.get().into());
    ThreadSpec => |value| Argument::Number(value.get().into());
    Nice = Nice::DEFAULT => |value| Argument::Number(value.get().into());
    OomKillStep = Self::WholeStep => |value| Argument::Number(i64::from(*value == Self::WholeStep));
    WaitAllNodes => |value| Argument::Number(i64::from(*value == Self::All));
    GpuCount => |value| match value.kind() {
        None => Argument::Number(value.count().into()),
        Some(_) => Argument::Text(value.to_string()),
    };
    NodeCount => |value| if value.min() == value.max() {
        Argument::Number(value.min().into())
    } else {
        Argument::Text(value.to_string())
    };
    Priority => |value| value.get().map_or_else(
        || Argument::Text(value.to_string()),
        |number| Argument::Number(number.into()),
    );
    Exclusive = Self::Node => |value| match value {
        Self::Node => Argument::Flag,
        other => Argument::Text(other.to_string()),
    };
    NoKill = Self::On => |value| match value {
        Self::On => Argument::Flag,
        other => Argument::Text(other.to_string()),
    };
    ResvPorts = Self::AUTO => |value| value.count().map_or(Argument::Flag, |count| Argument::Number(count.into()));
}

impl OptionValue for Flag {
    const TRUE: Option<Self> = Some(Self);

    const IN_VARIABLE: InVariable = InVariable::Switch;

    fn from_text(text: &str) -> Result<Self, ValueError> {
        match text {
            "" | "true" | "yes" => Ok(Self),
            _ => Err(ValueError::new(
                "flag",
                text,
                Fault::rule("true is allowed"),
            )),
        }
    }

    fn argument(&self) -> Argument {
        Argument::Flag
    }
}

impl OptionValue for Requeue {
    const TRUE: Option<Self> = Some(Self::Allowed);

    const IN_VARIABLE: InVariable = InVariable::TextOrSwitch;

    fn from_text(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }

    fn argument(&self) -> Argument {
        match self {
            Self::Allowed => Argument::Flag,
            other => Argument::Text(other.to_string()),
        }
    }
}
