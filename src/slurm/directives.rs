//! All options of a job, and how they are written for sbatch.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{
    Account, Array, Comment, Constraint, Count, Dependency, Exclusive, Flag, GpuCount, Gres,
    JobName, MailType, MailUser, Memory, NodeCount, NodeList, OpenMode, OutputPattern, Partition,
    Passthrough, Qos, Reservation, Signal, TimeLimit,
};
use crate::error::VariableError;
use crate::value::ValueError;

/// What an option's value is on a command line and in TOML.
enum Argument {
    /// The option alone.
    Flag,
    /// A number, which TOML has bare.
    Number(u32),
    /// Any other text.
    Text(String),
}

/// How a typed value stands in an option.
trait OptionValue: Sized {
    fn from_text(text: &str) -> Result<Self, ValueError>;
    /// The value that `true` stands for, if it does.
    fn from_true() -> Option<Self> {
        None
    }
    fn argument(&self) -> Argument;
}

macro_rules! option_values {
    ($($type:ty => |$value:ident| $argument:expr;)*) => {
        $(impl OptionValue for $type {
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

option_values! {
    Account => |value| Argument::Text(value.to_string());
    Array => |value| Argument::Text(value.to_string());
    Comment => |value| Argument::Text(value.to_string());
    Constraint => |value| Argument::Text(value.to_string());
    Count => |value| Argument::Number(value.get());
    Dependency => |value| Argument::Text(value.to_string());
    GpuCount => |value| match value.kind() {
        None => Argument::Number(value.count()),
        Some(_) => Argument::Text(value.to_string()),
    };
    Gres => |value| Argument::Text(value.to_string());
    JobName => |value| Argument::Text(value.to_string());
    MailType => |value| Argument::Text(value.to_string());
    MailUser => |value| Argument::Text(value.to_string());
    Memory => |value| Argument::Text(value.to_string());
    NodeCount => |value| if value.min() == value.max() {
        Argument::Number(value.min())
    } else {
        Argument::Text(value.to_string())
    };
    NodeList => |value| Argument::Text(value.to_string());
    OpenMode => |value| Argument::Text(value.to_string());
    OutputPattern => |value| Argument::Text(value.to_string());
    Partition => |value| Argument::Text(value.to_string());
    Qos => |value| Argument::Text(value.to_string());
    Reservation => |value| Argument::Text(value.to_string());
    Signal => |value| Argument::Text(value.to_string());
    TimeLimit => |value| Argument::Text(value.to_string());
}

impl OptionValue for Exclusive {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }

    fn from_true() -> Option<Self> {
        Some(Self::Node)
    }

    fn argument(&self) -> Argument {
        match self {
            Self::Node => Argument::Flag,
            other => Argument::Text(other.to_string()),
        }
    }
}

impl OptionValue for Flag {
    fn from_text(text: &str) -> Result<Self, ValueError> {
        match text {
            "" | "true" | "yes" => Ok(Self),
            _ => Err(ValueError::new(
                "flag",
                text,
                crate::value::Fault::rule("true is allowed"),
            )),
        }
    }

    fn from_true() -> Option<Self> {
        Some(Self)
    }

    fn argument(&self) -> Argument {
        Argument::Flag
    }
}

/// Makes [`OptionName`] and [`Directives`] from one table, so that an option has
/// one name, one type, one variable and one place in the order everywhere.
macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $field:ident, $type:ty, $long:literal, $variable:expr;
    )*) => {
        /// The name of an option of sbatch that has a type here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OptionName {
            $(
                #[doc = concat!("`--", $long, "`")]
                $variant,
            )*
        }

        /// The keys that a TOML table of options may have.
        pub(crate) const KEYS: &[&str] = &[$(stringify!($field),)* PASSTHROUGH];

        impl OptionName {
            /// All options, in the order in which they are written.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The long name, as in `--gpus-per-node`, without the hyphens in front.
            #[must_use]
            pub const fn long(self) -> &'static str {
                match self {
                    $(Self::$variant => $long,)*
                }
            }

            /// The key in TOML: the long name with `_` for `-`.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)*
                }
            }

            /// sbatch's input environment variable for the option, if it has one.
            #[must_use]
            pub const fn environment(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => $variable,)*
                }
            }
        }

        /// The options of a job, each at most once, each with its type.
        ///
        /// Nothing is set unless it is said: what is left out is the site's
        /// default. Setters take the typed value and cannot fail; the order in
        /// which they are called does not matter.
        ///
        /// ```
        /// use nim_slurm::slurm::Directives;
        ///
        /// let directives = Directives::new()
        ///     .time("01:00:00".parse()?)
        ///     .comment(r#"{"idle": "ok"} # see "wiki""#.parse()?)
        ///     .partition("batch".parse()?);
        /// assert_eq!(
        ///     directives.head(),
        ///     "#!/usr/bin/env bash\n\
        ///      #SBATCH --partition=batch\n\
        ///      #SBATCH --time=01:00:00\n\
        ///      #SBATCH --comment=\"{\\\"idle\\\": \\\"ok\\\"} # see \\\"wiki\\\"\"\n",
        /// );
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Directives {
            $($field: Option<$type>,)*
            passthrough: Vec<Passthrough>,
            /// Options that a lower layer must not bring in.
            omitted: Vec<OptionName>,
        }

        impl Directives {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(mut self, value: $type) -> Self {
                    self.forget(OptionName::$variant);
                    self.$field = Some(value);
                    self
                }
            )*

            fn forget(&mut self, name: OptionName) {
                self.omitted.retain(|&omitted| omitted != name);
                match name {
                    $(OptionName::$variant => self.$field = None,)*
                }
            }

            fn argument(&self, name: OptionName) -> Option<Argument> {
                match name {
                    $(OptionName::$variant => self.$field.as_ref().map(OptionValue::argument),)*
                }
            }

            /// Sets an option from text, as sbatch's command line has it.
            ///
            /// # Errors
            ///
            /// When the option's type refuses the text.
            pub fn set(&mut self, name: OptionName, text: &str) -> Result<(), ValueError> {
                self.forget(name);
                match name {
                    $(OptionName::$variant => self.$field = Some(OptionValue::from_text(text)?),)*
                }
                Ok(())
            }

            /// Reads the value of a map's key: a typed value, or `false` to leave
            /// the option out.
            pub(crate) fn take_entry<'de, A: MapAccess<'de>>(
                &mut self,
                key: OptionKey,
                map: &mut A,
            ) -> Result<(), A::Error> {
                match key {
                    OptionKey::Passthrough => self.passthrough = map.next_value()?,
                    $(OptionKey::Name(OptionName::$variant) => {
                        match map.next_value_seed(EntrySeed::<$type>::new(OptionName::$variant))? {
                            Some(value) => self.$field = Some(value),
                            None => self.omitted.push(OptionName::$variant),
                        }
                    })*
                }
                Ok(())
            }

            /// These options over those of a lower layer: where both say
            /// something, the upper one holds. Options passed through are joined;
            /// of two with the same name the upper one holds.
            #[must_use]
            pub fn over(self, lower: &Self) -> Self {
                let mut passthrough: Vec<_> = lower.passthrough.clone();
                passthrough.retain(|low| self.passthrough.iter().all(|own| own.name() != low.name()));
                passthrough.extend(self.passthrough);
                let mut omitted = self.omitted;
                $(
                    let $field = if omitted.contains(&OptionName::$variant) {
                        None
                    } else {
                        self.$field.or_else(|| lower.$field.clone())
                    };
                )*
                for &name in &lower.omitted {
                    if !omitted.contains(&name) {
                        omitted.push(name);
                    }
                }
                let mut merged = Self { $($field,)* passthrough, omitted };
                let set: Vec<_> = merged.names().collect();
                merged.omitted.retain(|name| !set.contains(name));
                merged
            }
        }
    };
}

options! {
    /// The job's name.
    JobName: job_name, JobName, "job-name", Some("SBATCH_JOB_NAME");
    /// The account that is charged.
    Account: account, Account, "account", Some("SBATCH_ACCOUNT");
    /// The partition, or several.
    Partition: partition, Partition, "partition", Some("SBATCH_PARTITION");
    /// The quality of service.
    Qos: qos, Qos, "qos", Some("SBATCH_QOS");
    /// A reservation.
    Reservation: reservation, Reservation, "reservation", Some("SBATCH_RESERVATION");
    /// Features that the nodes must have.
    Constraint: constraint, Constraint, "constraint", Some("SBATCH_CONSTRAINT");
    /// Nodes that must be among the job's.
    Nodelist: nodelist, NodeList, "nodelist", None;
    /// Nodes that must not be among the job's.
    Exclude: exclude, NodeList, "exclude", None;
    /// How many nodes.
    Nodes: nodes, NodeCount, "nodes", None;
    /// How many tasks.
    Ntasks: ntasks, Count, "ntasks", None;
    /// How many tasks on each node.
    NtasksPerNode: ntasks_per_node, Count, "ntasks-per-node", None;
    /// How many CPUs for each task.
    CpusPerTask: cpus_per_task, Count, "cpus-per-task", None;
    /// Generic resources for each node. Not with the other ways to ask for GPUs.
    Gres: gres, Gres, "gres", Some("SBATCH_GRES");
    /// GPUs for each node. Not with the other ways to ask for GPUs.
    GpusPerNode: gpus_per_node, GpuCount, "gpus-per-node", Some("SBATCH_GPUS_PER_NODE");
    /// GPUs for the job. Not with the other ways to ask for GPUs.
    Gpus: gpus, GpuCount, "gpus", Some("SBATCH_GPUS");
    /// GPUs for each task. Not with the other ways to ask for GPUs.
    GpusPerTask: gpus_per_task, GpuCount, "gpus-per-task", Some("SBATCH_GPUS_PER_TASK");
    /// Memory of each node; `0` is all of it.
    Mem: mem, Memory, "mem", Some("SBATCH_MEM_PER_NODE");
    /// Memory for each CPU.
    MemPerCpu: mem_per_cpu, Memory, "mem-per-cpu", Some("SBATCH_MEM_PER_CPU");
    /// Memory for each GPU.
    MemPerGpu: mem_per_gpu, Memory, "mem-per-gpu", Some("SBATCH_MEM_PER_GPU");
    /// Whether the job shares its nodes.
    Exclusive: exclusive, Exclusive, "exclusive", Some("SBATCH_EXCLUSIVE");
    /// How long the job may run.
    Time: time, TimeLimit, "time", Some("SBATCH_TIMELIMIT");
    /// How short the limit may become if that lets the job start sooner.
    TimeMin: time_min, TimeLimit, "time-min", None;
    /// The indexes of a job array.
    Array: array, Array, "array", Some("SBATCH_ARRAY_INX");
    /// What must happen before the job may start.
    Dependency: dependency, Dependency, "dependency", None;
    /// A warning before the time is up.
    Signal: signal, Signal, "signal", Some("SBATCH_SIGNAL");
    /// Whether the job may be queued again after a failure of its node.
    Requeue: requeue, Flag, "requeue", Some("SBATCH_REQUEUE");
    /// What happens to an output file that is there.
    OpenMode: open_mode, OpenMode, "open-mode", Some("SBATCH_OPEN_MODE");
    /// The file for what the job prints.
    Output: output, OutputPattern, "output", Some("SBATCH_OUTPUT");
    /// The file for error messages, if it is another one.
    Error: error, OutputPattern, "error", Some("SBATCH_ERROR");
    /// A comment.
    Comment: comment, Comment, "comment", None;
    /// The events that send mail.
    MailType: mail_type, MailType, "mail-type", None;
    /// Who gets mail.
    MailUser: mail_user, MailUser, "mail-user", None;
}

const PASSTHROUGH: &str = "passthrough";

impl OptionName {
    /// The option that a TOML key names.
    ///
    /// ```
    /// use nim_slurm::slurm::OptionName;
    ///
    /// assert_eq!(OptionName::from_key("gpus_per_node"), Some(OptionName::GpusPerNode));
    /// assert_eq!(OptionName::from_key("gpus-per-node"), None);
    /// ```
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.key() == key)
    }
}

impl OptionName {
    /// sbatch's input environment variable that takes the option back, if it has one.
    pub(crate) const fn opposite_variable(self) -> Option<&'static str> {
        match self {
            Self::Requeue => Some("SBATCH_NO_REQUEUE"),
            _ => None,
        }
    }

    /// Flags, for which an empty variable says something.
    pub(crate) const fn may_be_empty(self) -> bool {
        matches!(self, Self::Requeue | Self::Exclusive)
    }
}

impl fmt::Display for OptionName {
    /// The option as it is typed: `--gpus-per-node`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.long())
    }
}

/// A key of a TOML table of options.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OptionKey {
    Name(OptionName),
    Passthrough,
}

impl OptionKey {
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        if key == PASSTHROUGH {
            Some(Self::Passthrough)
        } else {
            OptionName::from_key(key).map(Self::Name)
        }
    }
}

impl<'de> de::Deserialize<'de> for OptionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = OptionKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an option of sbatch with '_' for '-'")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<OptionKey, E> {
                OptionKey::from_key(key).ok_or_else(|| unknown_key(key, &[]))
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

/// The error for a key that is no option, in a table that also takes `others`.
pub(crate) fn unknown_key<E: de::Error>(key: &str, others: &[&str]) -> E {
    let allowed = [others, KEYS].concat().join(", ");
    E::custom(format_args!("unknown key {key:?}: allowed are {allowed}"))
}

/// Reads an option's value; nothing for `false`.
struct EntrySeed<T> {
    name: OptionName,
    value: std::marker::PhantomData<T>,
}

impl<T> EntrySeed<T> {
    const fn new(name: OptionName) -> Self {
        Self {
            name,
            value: std::marker::PhantomData,
        }
    }
}

impl<'de, T: OptionValue> DeserializeSeed<'de> for EntrySeed<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: OptionValue> Visitor<'_> for EntrySeed<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for {}, or false to leave it out", self.name)
    }

    fn visit_bool<E: de::Error>(self, set: bool) -> Result<Self::Value, E> {
        if !set {
            return Ok(None);
        }
        let name = self.name;
        T::from_true()
            .map(Some)
            .ok_or_else(|| E::custom(format_args!("{name} needs a value: true is for flags")))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::from_text(text).map(Some).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }
}

impl<'de> de::Deserialize<'de> for Directives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableVisitor;

        impl<'de> Visitor<'de> for TableVisitor {
            type Value = Directives;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of sbatch's options")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Directives, A::Error> {
                let mut directives = Directives::default();
                while let Some(key) = map.next_key()? {
                    directives.take_entry(key, &mut map)?;
                }
                Ok(directives)
            }
        }

        deserializer.deserialize_map(TableVisitor)
    }
}

impl Serialize for Directives {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.give_entries(&mut map)?;
        map.end()
    }
}

/// Two options of one job that exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// One option.
    pub first: OptionName,
    /// The other.
    pub second: OptionName,
    /// Why they do not go together.
    pub reason: &'static str,
}

impl Directives {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds whole options for what the crate does not know.
    #[must_use]
    pub fn passthrough(mut self, options: impl IntoIterator<Item = Passthrough>) -> Self {
        self.passthrough.extend(options);
        self
    }

    /// Leaves an option out, whatever a lower layer says.
    #[must_use]
    pub fn without(mut self, name: OptionName) -> Self {
        self.forget(name);
        self.omitted.push(name);
        self
    }

    /// True when no option is set or left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True when the option has a value.
    #[must_use]
    pub fn is_set(&self, name: OptionName) -> bool {
        self.argument(name).is_some()
    }

    /// True when the option was left out on purpose.
    #[must_use]
    pub fn is_omitted(&self, name: OptionName) -> bool {
        self.omitted.contains(&name)
    }

    /// The options that are set, in the order in which they are written.
    pub fn names(&self) -> impl Iterator<Item = OptionName> + '_ {
        OptionName::ALL
            .iter()
            .copied()
            .filter(|&name| self.is_set(name))
    }

    /// An option's value as text; a flag's is empty.
    #[must_use]
    pub fn get(&self, name: OptionName) -> Option<String> {
        self.argument(name).map(|argument| match argument {
            Argument::Flag => String::new(),
            Argument::Number(number) => number.to_string(),
            Argument::Text(text) => text,
        })
    }

    /// The options that are passed through.
    pub(crate) fn passed_through(&self) -> &[Passthrough] {
        &self.passthrough
    }

    /// How many GPUs of a node this asks for, and with which option.
    pub(crate) fn gpus_of_a_node(&self) -> Option<(OptionName, u64)> {
        let gres = self
            .gres
            .as_ref()
            .and_then(Gres::gpus)
            .map(|count| (OptionName::Gres, count));
        let per_node = self
            .gpus_per_node
            .as_ref()
            .map(|count| (OptionName::GpusPerNode, u64::from(count.count())));
        let of_job = self
            .gpus
            .as_ref()
            .map(|count| (OptionName::Gpus, u64::from(count.count())));
        gres.or(per_node).or(of_job)
    }

    /// What this asks of each node: the entries of `--gres`, or the GPUs of another
    /// option for a job on one node.
    pub(crate) fn gres_of_a_node(&self) -> Option<Gres> {
        let gpus = self.gpus_per_node.as_ref().or(self.gpus.as_ref());
        // The types agree on what a type and a count are.
        let from_gpus = gpus.and_then(|count| Gres::parse(&format!("gpu:{count}")).ok());
        self.gres.clone().or(from_gpus)
    }

    /// How long before its end the batch script is warned; zero if it is not.
    pub(crate) fn seconds_of_warning(&self) -> u32 {
        self.signal
            .as_ref()
            .filter(|signal| signal.is_for_batch_shell())
            .map_or(0, Signal::seconds)
    }

    /// How many nodes are named that must be among the job's.
    pub(crate) fn named_nodes(&self) -> Option<u64> {
        self.nodelist.as_ref().map(NodeList::count)
    }

    /// True when GPUs are asked for in one of sbatch's ways.
    pub(crate) fn asks_for_gpus(&self) -> bool {
        let passed_through = self.passthrough.iter().map(Passthrough::name);
        self.gpus_of_a_node().is_some()
            || self.gpus_per_task.is_some()
            || passed_through
                .into_iter()
                .any(|name| name.contains("gpus") || name.contains("tres"))
    }

    /// A resource that `--gres` names with a type and without one.
    pub(crate) fn gres_with_and_without_type(&self) -> Option<&str> {
        let entries: Vec<_> = self.gres.iter().flat_map(Gres::entries).collect();
        let has_type = |name| {
            let mut entries = entries.iter();
            entries.any(|entry| entry.name() == name && entry.kind().is_some())
        };
        let mut plain = entries.iter().filter(|entry| entry.kind().is_none());
        plain
            .find(|entry| has_type(entry.name()))
            .map(super::GresEntry::name)
    }

    pub(crate) const fn node_count(&self) -> Option<NodeCount> {
        self.nodes
    }

    /// An option as it stands on sbatch's command line: `--name=value`, or
    /// `--name` for a flag.
    #[must_use]
    pub fn option(&self, name: OptionName) -> Option<String> {
        self.argument(name).map(|argument| match argument {
            Argument::Flag => format!("{name}"),
            Argument::Number(number) => format!("{name}={number}"),
            Argument::Text(text) => format!("{name}={text}"),
        })
    }

    /// All options as they stand on sbatch's command line, a word each.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// let directives = Directives::new().nodes("1".parse()?).exclusive("true".parse()?);
    /// assert_eq!(directives.arguments(), ["--nodes=1", "--exclusive"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let typed = self.names().filter_map(|name| self.option(name));
        typed
            .chain(self.passthrough.iter().map(ToString::to_string))
            .collect()
    }

    /// The head of a script: the `#!` line, and a line for each option, quoted by
    /// sbatch's own rules. sbatch reads no directive behind the first command, so
    /// nothing but comments may stand before or between them.
    #[must_use]
    pub fn head(&self) -> String {
        let mut head = String::from("#!/usr/bin/env bash\n");
        for argument in self.arguments() {
            head.push_str("#SBATCH ");
            push_word(&mut head, &argument);
            head.push('\n');
        }
        head
    }

    /// Pairs of options that exclude each other.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let directives = Directives::new().gres("gpu:8".parse()?).gpus_per_node("8".parse()?);
    /// let conflict = directives.conflicts()[0];
    /// assert_eq!((conflict.first, conflict.second), (OptionName::Gres, OptionName::GpusPerNode));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        use OptionName::{Gpus, GpusPerNode, GpusPerTask, Gres, Mem, MemPerCpu, MemPerGpu};
        const GPUS: &str = "GPUs are asked for in one way";
        const MEMORY: &str = "memory is asked for in one way";
        let asks = |name| {
            self.is_set(name)
                && (name != Gres || self.gres.as_ref().is_some_and(|gres| gres.gpus().is_some()))
        };
        let mut conflicts = Vec::new();
        for (group, reason) in [
            ([Gres, GpusPerNode, Gpus, GpusPerTask].as_slice(), GPUS),
            (&[Mem, MemPerCpu, MemPerGpu], MEMORY),
        ] {
            let set: Vec<_> = group.iter().copied().filter(|&name| asks(name)).collect();
            for (index, &first) in set.iter().enumerate() {
                conflicts.extend(set[index + 1..].iter().map(|&second| Conflict {
                    first,
                    second,
                    reason,
                }));
            }
        }
        conflicts
    }

    /// The options that sbatch would take from these environment variables. Other
    /// variables are ignored, and so are empty ones where an option needs a value.
    ///
    /// A flag's variable sets it when it is empty, `yes`, or a number but 0; any
    /// other text leaves it out. Source: sbatch(1), "Input environment variables".
    ///
    /// # Errors
    ///
    /// Names the variable whose value its option refuses.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// let variables = [("SBATCH_PARTITION", "batch"), ("SBATCH_REQUEUE", ""), ("HOME", "/root")];
    /// let directives = Directives::from_environment(variables.map(|(n, v)| (n.to_owned(), v.to_owned())))?;
    /// assert_eq!(directives.arguments(), ["--partition=batch", "--requeue"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_environment(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, VariableError> {
        let mut directives = Self::new();
        for (variable, text) in variables {
            let Some(&name) = OptionName::ALL
                .iter()
                .find(|name| name.environment() == Some(variable.as_str()))
            else {
                continue;
            };
            match name {
                OptionName::Requeue => {
                    let is_set = text.is_empty()
                        || text == "yes"
                        || text.parse::<i64>().is_ok_and(|number| number != 0);
                    directives = if is_set {
                        directives.requeue(Flag)
                    } else {
                        directives.without(name)
                    };
                }
                OptionName::Exclusive => {
                    directives
                        .set(name, &text)
                        .map_err(|source| VariableError {
                            name: variable,
                            source,
                        })?;
                }
                _ if text.is_empty() => {}
                _ => directives
                    .set(name, &text)
                    .map_err(|source| VariableError {
                        name: variable,
                        source,
                    })?,
            }
        }
        Ok(directives)
    }

    /// Writes the table's entries into a map that may have others.
    pub(crate) fn give_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for &name in OptionName::ALL {
            match self.argument(name) {
                Some(Argument::Flag) => map.serialize_entry(name.key(), &true)?,
                Some(Argument::Number(number)) => map.serialize_entry(name.key(), &number)?,
                Some(Argument::Text(text)) => map.serialize_entry(name.key(), &text)?,
                None if self.is_omitted(name) => map.serialize_entry(name.key(), &false)?,
                None => {}
            }
        }
        if !self.passthrough.is_empty() {
            map.serialize_entry(PASSTHROUGH, &self.passthrough)?;
        }
        Ok(())
    }
}

/// Appends `word` as sbatch's parser reads one. It takes quotes off and drops a
/// backslash also inside them; an unquoted `#` would end the line. Source:
/// Slurm's `src/sbatch/opt.c`.
fn push_word(line: &mut String, word: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%^-".contains(c);
    if word.chars().all(is_plain) {
        line.push_str(word);
        return;
    }
    // The name stays readable: only the value is quoted.
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, value),
        None => ("", word),
    };
    line.push_str(name);
    if !name.is_empty() {
        line.push('=');
    }
    line.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(toml: &str) -> Directives {
        toml::from_str(toml).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn toml_takes_numbers_bare_or_quoted() {
        let bare = directives("nodes = 2\nmem = 0\ntime = 30\ngpus_per_node = 8\nexclusive = true");
        let quoted = directives(
            "nodes = '2'\nmem = '0'\ntime = '30'\ngpus_per_node = '8'\nexclusive = 'true'",
        );
        assert_eq!(bare, quoted);
        assert_eq!(
            bare.arguments(),
            [
                "--nodes=2",
                "--gpus-per-node=8",
                "--mem=0",
                "--exclusive",
                "--time=30"
            ]
        );
    }

    #[test]
    fn toml_round_trip() {
        let table = "nodes = \"1-4\"\ngres = \"gpu:h100:8\"\nmem = false\nexclusive = \"user\"\nrequeue = true\n\
                     passthrough = [\"--switches=1@10:00\"]\n";
        assert_eq!(toml::to_string(&directives(table)).as_deref(), Ok(table));
    }

    #[test]
    fn toml_errors_point_at_the_line() {
        let error = toml::from_str::<Directives>("nodes = 1\npartiton = 'x'")
            .unwrap_err()
            .to_string();
        assert!(error.contains("2 | partiton = 'x'"), "{error}");
        assert!(
            error.contains("unknown key \"partiton\": allowed are job_name, account, partition"),
            "{error}"
        );
        let error = toml::from_str::<Directives>("time = '1h'")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("1 | time = '1h'") && error.contains("unexpected character 'h'"),
            "{error}"
        );
        let error = toml::from_str::<Directives>("partition = true")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--partition needs a value: true is for flags"),
            "{error}"
        );
    }

    #[test]
    fn layers() {
        let lower = directives(
            "partition = 'low'\nmem = '1G'\ntime = 5\npassthrough = ['--switches=1', '--contiguous']",
        );
        let upper = directives("partition = 'up'\nmem = false\npassthrough = ['--switches=2']");
        let merged = upper.over(&lower);
        assert_eq!(
            merged.arguments(),
            ["--partition=up", "--time=5", "--contiguous", "--switches=2"]
        );
        assert!(merged.is_omitted(OptionName::Mem));
        // A still higher layer may set it again.
        let top = Directives::new().mem("2G".parse().unwrap()).over(&merged);
        assert_eq!(top.get(OptionName::Mem).as_deref(), Some("2G"));
        assert!(!top.is_omitted(OptionName::Mem));
    }

    #[test]
    fn gres_without_gpus_is_no_gpu_request() {
        let both = directives("gres = 'shard:2'\ngpus_per_node = 8");
        assert!(both.conflicts().is_empty());
    }

    #[test]
    fn each_key_is_the_long_name() {
        for name in OptionName::ALL {
            assert_eq!(name.key().replace('_', "-"), name.long());
        }
    }
}
