//! The table of sbatch's options.

use std::fmt;

use super::super::{
    Account, AcctgFreq, Array, BootDelay, ClusterConstraint, Clusters, Comment, Constraint,
    CoreSpec, Count, CpuFreq, Deadline, Dependency, Distribution, Exclusive, Export, FilePath,
    Flag, FreeText, GpuBind, GpuCount, GpuFreq, Gres, GresFlags, Hint, JobName, JobTime,
    KillOnInvalidDep, Licenses, MailType, MailUser, MemBind, MemUpdate, Memory, MemoryPerGpu, Nice,
    NoKill, NodeCount, NodeList, NodeShape, OomKillStep, OpenMode, OutputPattern, Partition,
    Passthrough, Power, Priority, Profile, Propagate, Qos, Release, Requeue, Reservation,
    ResvPorts, Signal, SmallCount, Switches, ThreadSpec, TimeLimit, TresBind, TresPerTask,
    WaitAllNodes, Wckey,
};
use super::value::{Argument, InVariable, OptionValue};
use crate::plain::plain;
use crate::value::ValueError;

/// What else is known of an option.
struct Row {
    /// Its letter.
    short: Option<char>,
    /// The variable from which sbatch takes it, and from which a layer of options does.
    variable: Option<&'static str>,
    /// Variables that change it as well.
    also: Option<&'static [&'static str]>,
    /// The first release that has it, if that is not the oldest one.
    first: Option<Release>,
    /// The last release that has it, if that is not the newest one.
    last: Option<Release>,
    /// Whether a recipe may set it: it describes resources or time.
    recipes: Option<bool>,
}

impl Row {
    const PLAIN: Self = Self {
        short: None,
        variable: None,
        also: None,
        first: None,
        last: None,
        recipes: None,
    };
}

/// The example of a setter, from the sample in its row of the table.
macro_rules! setter_example {
    ($variant:ident, $field:ident, $long:literal, Flag) => {
        setter_example!(@text $variant, "Flag, ", concat!(stringify!($field), "(Flag)"), $long)
    };
    ($variant:ident, $field:ident, $long:literal, $sample:literal alone) => {
        setter_example!(@text $variant, "", concat!(stringify!($field), "(\"", $sample, "\".parse()?)"), $long)
    };
    ($variant:ident, $field:ident, $long:literal, $sample:literal) => {
        setter_example!(
            @text $variant,
            "",
            concat!(stringify!($field), "(\"", $sample, "\".parse()?)"),
            concat!($long, "=", $sample)
        )
    };
    ($variant:ident, $field:ident, $long:literal, $sample:literal number) => {
        setter_example!(
            @text $variant,
            "",
            concat!(stringify!($field), "(", stringify!($sample), ")"),
            concat!($long, "=", $sample)
        )
    };
    (@text $variant:ident, $import:literal, $call:expr, $shown:expr) => {
        concat!(
            "```\n# use nim_slurm::slurm::{Directives, ", $import, "OptionName};\n",
            "let job = Directives::new().", $call, ";\n",
            "assert_eq!(job.option(OptionName::", stringify!($variant), ").unwrap(), \"--", $shown, "\");\n",
            "# Ok::<(), Box<dyn std::error::Error>>(())\n```"
        )
    };
}

/// The setter of an option. One of a number takes what may become one, and keeps what does not
/// for [`Directives::check`].
macro_rules! setter {
    ($(#[$doc:meta])* $field:ident, $variant:ident, $type:ty, $sample:literal number) => {
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, value: impl TryInto<$type, Error: Into<ValueError>>) -> Self {
            self.put(match value.try_into() {
                Ok(value) => Setting::$variant(value),
                Err(error) => Setting::Refused(OptionName::$variant, Box::new(error.into())),
            });
            self
        }
    };
    ($(#[$doc:meta])* $field:ident, $variant:ident, $type:ty, $($sample:tt)+) => {
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, value: $type) -> Self {
            self.put(Setting::$variant(value));
            self
        }
    };
}

/// Makes [`OptionName`] and [`Directives`] from one table, so that an option has
/// one name, one type, one variable and one place in the order everywhere.
macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $field:ident($($sample:tt)+), $type:ty, $long:literal
            $(, $key:ident = $value:expr)*;
    )*) => {
        /// The name of an option of sbatch that has a type here.
        ///
        /// ```
        /// use nim_slurm::slurm::OptionName;
        ///
        /// let name = OptionName::GpusPerNode;
        /// assert_eq!((name.long(), name.key(), name.short()), ("gpus-per-node", "gpus_per_node", None));
        /// assert_eq!(name.environment(), Some("SBATCH_GPUS_PER_NODE"));
        /// assert!(OptionName::ALL.contains(&name));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row { $($key: Some($value),)* ..Row::PLAIN },)*
                }
            }

            /// What a variable may say of it.
            pub(super) const fn in_variable(self) -> InVariable {
                match self {
                    $(Self::$variant => <$type as OptionValue>::IN_VARIABLE,)*
                }
            }

        }

        /// The options of a job, each at most once, each with its type.
        ///
        /// Nothing is set unless it is said: what is left out is the site's
        /// default. Setters take the typed value and cannot fail; the order in
        /// which they are called does not matter. Where a number is meant, a number
        /// or a text is taken as well: `nodes(2)`, `nodes("2-4")`. One that the option
        /// cannot have is a problem that [`check`](Self::check) names, with all others.
        ///
        /// ```
        /// use nim_slurm::slurm::Directives;
        ///
        /// let directives = Directives::new()
        ///     .time("01:00:00".parse()?)
        ///     .comment(r#"{"idle": "ok"} # see "wiki""#.parse()?)
        ///     .nodes(2)
        ///     .partition("batch".parse()?);
        /// assert_eq!(
        ///     directives.header(),
        ///     "#!/usr/bin/env bash\n\
        ///      #SBATCH --partition=batch\n\
        ///      #SBATCH --nodes=2\n\
        ///      #SBATCH --time=01:00:00\n\
        ///      #SBATCH --comment=\"{\\\"idle\\\": \\\"ok\\\"} # see \\\"wiki\\\"\"\n",
        /// );
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Directives {
            /// What is set, in the order in which it is written.
            pub(super) set: Vec<Setting>,
            pub(super) passthrough: Vec<Passthrough>,
            /// Options that a lower layer must not bring in.
            pub(super) omitted: Vec<OptionName>,
        }

        impl Directives {
            $(setter! {
                $(#[$doc])*
                #[doc = concat!("\n`--", $long, "`, in TOML `", stringify!($field), "`.\n")]
                #[doc = setter_example!($variant, $field, $long, $($sample)+)]
                $field, $variant, $type, $($sample)+
            })*
        }

        /// An option that is set, with its value.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(super) enum Setting {
            $($variant($type),)*
            /// What a setter was given, and why it is no value of the option.
            Refused(OptionName, Box<ValueError>),
        }

        impl Setting {
            pub(super) const fn name(&self) -> OptionName {
                match self {
                    $(Self::$variant(_) => OptionName::$variant,)*
                    Self::Refused(name, _) => *name,
                }
            }

            pub(super) fn from_text(name: OptionName, text: &str) -> Result<Self, ValueError> {
                match name {
                    $(OptionName::$variant => OptionValue::from_text(text).map(Self::$variant),)*
                }
            }

            /// What the option means without a value, if it has such a meaning.
            pub(super) fn alone(name: OptionName) -> Option<Self> {
                match name {
                    $(OptionName::$variant => OptionValue::TRUE.map(Self::$variant),)*
                }
            }

            pub(super) fn argument(&self) -> Argument {
                match self {
                    $(Self::$variant(value) => value.argument(),)*
                    // As it was given, for sbatch to refuse.
                    Self::Refused(_, error) => Argument::Text(plain(error.given()).into_owned()),
                }
            }
        }

        /// The values that are set, each with its type.
        #[derive(Clone, Copy)]
        pub(super) struct Values<'a>(pub(super) &'a Directives);

        #[allow(dead_code, reason = "no rule looks at some of the options")]
        impl<'a> Values<'a> {
            $(
                pub(super) fn $field(self) -> Option<&'a $type> {
                    match self.0.setting(OptionName::$variant)? {
                        Setting::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            )*
        }
    };
}

options! {
    // Who asks, and where.
    /// The job's name.
    JobName: job_name("bench"), JobName, "job-name", short = 'J', variable = "SBATCH_JOB_NAME",
        recipes = true;
    /// The account that is charged.
    Account: account("proj"), Account, "account", short = 'A', variable = "SBATCH_ACCOUNT";
    /// The partition, or several.
    Partition: partition("h100,h200"), Partition, "partition", short = 'p',
        variable = "SBATCH_PARTITION";
    /// The quality of service.
    Qos: qos("high"), Qos, "qos", short = 'q', variable = "SBATCH_QOS";
    /// A reservation.
    Reservation: reservation("maintenance"), Reservation, "reservation",
        variable = "SBATCH_RESERVATION";
    /// A key under which the site sums up what jobs use.
    Wckey: wckey("llm"), Wckey, "wckey", variable = "SBATCH_WCKEY";
    /// The group for which nodes are kept apart.
    McsLabel: mcs_label("group-a"), FreeText, "mcs-label";
    /// Clusters of which one gets the job.
    Clusters: clusters("east,west"), Clusters, "clusters", short = 'M',
        variable = "SBATCH_CLUSTERS",
        also = &["SLURM_CLUSTERS"];
    /// Features of a cluster, in a federation.
    ClusterConstraint: cluster_constraint("gpu"), ClusterConstraint, "cluster-constraint",
        variable = "SBATCH_CLUSTER_CONSTRAINT";
    /// Licences that the job holds.
    Licenses: licenses("matlab:2"), Licenses, "licenses", short = 'L';

    // Which nodes.
    /// Features that the nodes must have.
    Constraint: constraint("h100&nvme"), Constraint, "constraint", short = 'C',
        variable = "SBATCH_CONSTRAINT", recipes = true;
    /// Features that the nodes should have.
    Prefer: prefer("nvme"), Constraint, "prefer", first = Release::new(22, 5);
    /// Features that the node of the batch script must have.
    Batch: batch("nvme"), Constraint, "batch", variable = "SBATCH_BATCH";
    /// Nodes that must be among the job's.
    Nodelist: nodelist("node[1-2]"), NodeList, "nodelist", short = 'w';
    /// A file with the names of nodes that must be among the job's. sbatch reads it
    /// when the job is submitted.
    Nodefile: nodefile("nodes.txt"), FilePath, "nodefile", short = 'F';
    /// Nodes that must not be among the job's.
    Exclude: exclude("node3"), NodeList, "exclude", short = 'x';
    /// Sockets, cores and threads that a node must have.
    ExtraNodeInfo: extra_node_info("2:32:1"), NodeShape, "extra-node-info", short = 'B',
        recipes = true;
    /// Sockets that a node must have.
    SocketsPerNode: sockets_per_node(2 number), SmallCount, "sockets-per-node", recipes = true;
    /// Cores that a socket must have.
    CoresPerSocket: cores_per_socket(32 number), SmallCount, "cores-per-socket", recipes = true;
    /// Threads that a core must have, and of which the job uses so many.
    ThreadsPerCore: threads_per_core(1 number), SmallCount, "threads-per-core",
        variable = "SBATCH_THREADS_PER_CORE", recipes = true;
    /// CPUs that a node must have.
    Mincpus: mincpus(64 number), SmallCount, "mincpus", recipes = true;
    /// Space on local disks that a node must have.
    Tmp: tmp("500G"), Memory, "tmp", recipes = true;
    /// Neighbouring nodes only.
    Contiguous: contiguous(Flag), Flag, "contiguous", recipes = true;
    /// As many nodes as possible.
    SpreadJob: spread_job(Flag), Flag, "spread-job", variable = "SBATCH_SPREAD_JOB", recipes = true;
    /// As few of a range of nodes as possible.
    UseMinNodes: use_min_nodes(Flag), Flag, "use-min-nodes", variable = "SBATCH_USE_MIN_NODES",
        recipes = true;
    /// How many nodes.
    Nodes: nodes("2-4" number), NodeCount, "nodes", short = 'N', recipes = true;

    // Tasks and CPUs.
    /// How many tasks.
    Ntasks: ntasks(8 number), Count, "ntasks", short = 'n', recipes = true;
    /// How many tasks on each node.
    NtasksPerNode: ntasks_per_node(4 number), SmallCount, "ntasks-per-node", recipes = true;
    /// How many tasks on each socket at most.
    NtasksPerSocket: ntasks_per_socket(2 number), SmallCount, "ntasks-per-socket", recipes = true;
    /// How many tasks on each core at most.
    NtasksPerCore: ntasks_per_core(1 number), SmallCount, "ntasks-per-core", recipes = true;
    /// How many tasks for each GPU.
    NtasksPerGpu: ntasks_per_gpu(1 number), SmallCount, "ntasks-per-gpu", recipes = true;
    /// How many tasks for each GPU, under the name that it had first.
    NtasksPerTres: ntasks_per_tres(1 number), SmallCount, "ntasks-per-tres", recipes = true;
    /// How many CPUs for each task.
    CpusPerTask: cpus_per_task(8 number), SmallCount, "cpus-per-task", short = 'c', recipes = true;
    /// How many CPUs for each GPU.
    CpusPerGpu: cpus_per_gpu(8 number), SmallCount, "cpus-per-gpu", variable = "SBATCH_CPUS_PER_GPU",
        recipes = true;
    /// CPUs, generic resources and licences for each task.
    TresPerTask: tres_per_task("cpu=8,gres/gpu=1"), TresPerTask, "tres-per-task",
        variable = "SBATCH_TRES_PER_TASK",
        first = Release::new(23, 2), recipes = true;
    /// More tasks than CPUs.
    Overcommit: overcommit(Flag), Flag, "overcommit", short = 'O', variable = "SBATCH_OVERCOMMIT",
        recipes = true;
    /// Cores that are kept for the system.
    CoreSpec: core_spec(2 number), CoreSpec, "core-spec", short = 'S', variable = "SBATCH_CORE_SPEC",
        recipes = true;
    /// Threads that are kept for the system.
    ThreadSpec: thread_spec(2 number), ThreadSpec, "thread-spec", variable = "SBATCH_THREAD_SPEC",
        recipes = true;
    /// How tasks are spread over nodes, sockets and cores.
    Distribution: distribution("block:cyclic"), Distribution, "distribution", short = 'm',
        variable = "SBATCH_DISTRIBUTION", recipes = true;
    /// How tasks are tied to cores and threads.
    Hint: hint("nomultithread"), Hint, "hint", variable = "SBATCH_HINT", also = &["SLURM_HINT"],
        recipes = true;
    /// How fast the CPUs run.
    CpuFreq: cpu_freq("high"), CpuFreq, "cpu-freq", variable = "SBATCH_CPU_FREQ_REQ",
        recipes = true;

    // GPUs and other generic resources.
    /// Generic resources for each node. Not with the other ways to ask for GPUs.
    Gres: gres("gpu:h100:8"), Gres, "gres", variable = "SBATCH_GRES", recipes = true;
    /// GPUs for each node. Not with the other ways to ask for GPUs.
    GpusPerNode: gpus_per_node(8 number), GpuCount, "gpus-per-node", variable = "SBATCH_GPUS_PER_NODE",
        recipes = true;
    /// GPUs for the job. Not with the other ways to ask for GPUs.
    Gpus: gpus("h100:16" number), GpuCount, "gpus", short = 'G', variable = "SBATCH_GPUS", recipes = true;
    /// GPUs for each task. Not with the other ways to ask for GPUs.
    GpusPerTask: gpus_per_task(1 number), GpuCount, "gpus-per-task", variable = "SBATCH_GPUS_PER_TASK",
        recipes = true;
    /// GPUs for each socket. Not with the other ways to ask for GPUs.
    GpusPerSocket: gpus_per_socket(4 number), GpuCount, "gpus-per-socket",
        variable = "SBATCH_GPUS_PER_SOCKET", recipes = true;
    /// How tasks are tied to GPUs.
    GpuBind: gpu_bind("closest"), GpuBind, "gpu-bind", variable = "SBATCH_GPU_BIND", recipes = true;
    /// How fast the GPUs run.
    GpuFreq: gpu_freq("high"), GpuFreq, "gpu-freq", variable = "SBATCH_GPU_FREQ", recipes = true;
    /// How strictly generic resources are tied to cores.
    GresFlags: gres_flags("enforce-binding"), GresFlags, "gres-flags",
        variable = "SBATCH_GRES_FLAGS", recipes = true;
    /// How tasks are tied to generic resources.
    TresBind: tres_bind("gres/gpu:closest"), TresBind, "tres-bind", variable = "SBATCH_TRES_BIND",
        first = Release::new(23, 11), recipes = true;

    // Memory.
    /// Memory of each node; `0` is all of it.
    Mem: mem("0"), Memory, "mem", variable = "SBATCH_MEM_PER_NODE", recipes = true;
    /// Memory for each CPU.
    MemPerCpu: mem_per_cpu("4G"), Memory, "mem-per-cpu", variable = "SBATCH_MEM_PER_CPU",
        recipes = true;
    /// Memory for each GPU.
    MemPerGpu: mem_per_gpu("64G"), MemoryPerGpu, "mem-per-gpu", variable = "SBATCH_MEM_PER_GPU",
        recipes = true;
    /// How tasks are tied to memory.
    MemBind: mem_bind("local"), MemBind, "mem-bind", variable = "SBATCH_MEM_BIND", recipes = true;
    /// When Slurm takes unused memory back.
    MemUpdate: mem_update("10@60"), MemUpdate, "mem-update", first = Release::new(26, 5);
    /// Whether a whole step is killed when memory runs out.
    OomKillStep: oom_kill_step("1"), OomKillStep, "oom-kill-step", first = Release::new(24, 11);

    // Sharing.
    /// Whether the job shares its nodes.
    Exclusive: exclusive("true" alone), Exclusive, "exclusive", variable = "SBATCH_EXCLUSIVE",
        recipes = true;
    /// The job shares its nodes, and where the partition has it, its CPUs.
    Oversubscribe: oversubscribe(Flag), Flag, "oversubscribe", short = 's', recipes = true;

    // Time.
    /// How long the job may run.
    Time: time("01:30:00"), TimeLimit, "time", short = 't', variable = "SBATCH_TIMELIMIT",
        recipes = true;
    /// How short the limit may become if that lets the job start sooner.
    TimeMin: time_min("00:30:00"), TimeLimit, "time-min", recipes = true;
    /// When the job may begin.
    Begin: begin("now+1hour"), JobTime, "begin", short = 'b';
    /// When the job must have ended; one that cannot is removed.
    Deadline: deadline("2030-01-31T12:00"), Deadline, "deadline";
    /// How long the job waits for nodes that need no boot.
    DelayBoot: delay_boot("10"), BootDelay, "delay-boot", variable = "SBATCH_DELAY_BOOT";
    /// Whether the job begins before all its nodes are ready.
    WaitAllNodes: wait_all_nodes("1"), WaitAllNodes, "wait-all-nodes",
        variable = "SBATCH_WAIT_ALL_NODES";
    /// The nodes boot before the job begins. Only operators may say so.
    Reboot: reboot(Flag), Flag, "reboot";

    // The queue.
    /// The indexes of a job array.
    Array: array("0-7%2"), Array, "array", short = 'a', variable = "SBATCH_ARRAY_INX";
    /// What must happen before the job may start.
    Dependency: dependency("afterok:4711"), Dependency, "dependency", short = 'd';
    /// Whether a job whose dependency cannot hold is removed.
    KillOnInvalidDep: kill_on_invalid_dep("yes"), KillOnInvalidDep, "kill-on-invalid-dep";
    /// The job waits until it is released by hand.
    Hold: hold(Flag), Flag, "hold", short = 'H';
    /// How far the job steps back behind others.
    Nice: nice(100 number), Nice, "nice";
    /// The job's priority, which only operators may set.
    Priority: priority(1000 number), Priority, "priority";
    /// A warning before the time is up.
    Signal: signal("B:USR1@120"), Signal, "signal", variable = "SBATCH_SIGNAL", recipes = true;
    /// That the job may be queued again, after a failure of its node or by hand.
    Requeue: requeue("true" alone), Requeue, "requeue", variable = "SBATCH_REQUEUE",
        also = &["SBATCH_NO_REQUEUE"];
    /// The job is never queued again.
    NoRequeue: no_requeue(Flag), Flag, "no-requeue",
        also = &["SBATCH_NO_REQUEUE", "SBATCH_REQUEUE"];
    /// Whether the job goes on when one of its nodes fails.
    NoKill: no_kill("true" alone), NoKill, "no-kill", short = 'k', variable = "SBATCH_NO_KILL";

    // Files, environment, and mail.
    /// What happens to an output file that is there.
    OpenMode: open_mode("append"), OpenMode, "open-mode", variable = "SBATCH_OPEN_MODE";
    /// The file for what the job prints.
    Output: output("logs/%x-%j.out"), OutputPattern, "output", short = 'o',
        variable = "SBATCH_OUTPUT";
    /// The file for error messages, if it is another one.
    Error: error("logs/%x-%j.err"), OutputPattern, "error", short = 'e', variable = "SBATCH_ERROR";
    /// The file that the job reads from its standard input.
    Input: input("prompts.txt"), OutputPattern, "input", short = 'i', variable = "SBATCH_INPUT";
    /// The job's working folder. By default it is where the job is submitted.
    Chdir: chdir("/lustre/project/nim"), FilePath, "chdir", short = 'D';
    // No `variable`: its value may hold secrets, which no script may.
    /// The variables that the job gets from where it is submitted.
    Export: export("HOME,HF_HOME"), Export, "export", also = &["SBATCH_EXPORT"];
    /// A file with variables for the job, `NAME=value` each, with a zero byte behind
    /// each. sbatch reads it when the job is submitted.
    ExportFile: export_file("job.env"), FilePath, "export-file";
    /// The job gets the variables of a login shell.
    GetUserEnv: get_user_env(Flag), Flag, "get-user-env", also = &["SBATCH_GET_USER_ENV"];
    /// Which limits of the submitting shell the job gets.
    Propagate: propagate("NOFILE,MEMLOCK"), Propagate, "propagate";
    /// A comment.
    Comment: comment("nightly benchmark"), Comment, "comment";
    /// A text for the site's own plugins.
    Extra: extra("team=llm"), FreeText, "extra", first = Release::new(23, 2);
    /// The events that send mail.
    MailType: mail_type("END,FAIL"), MailType, "mail-type";
    /// Who gets mail.
    MailUser: mail_user("me@site.example"), MailUser, "mail-user";

    // What Slurm records, and how the job runs.
    /// How often Slurm samples what the job uses.
    AcctgFreq: acctg_freq("task=30,energy=10"), AcctgFreq, "acctg-freq",
        variable = "SBATCH_ACCTG_FREQ";
    /// What is sampled for a profile.
    Profile: profile("energy,task"), Profile, "profile", variable = "SBATCH_PROFILE";
    /// What Slurm may do about the job's power.
    Power: power("level"), Power, "power", variable = "SBATCH_POWER", last = Release::new(23, 11);
    /// Burst buffers, in the site's own words.
    Bb: bb("capacity=100GB"), FreeText, "bb", variable = "SBATCH_BURST_BUFFER";
    /// A file that says which burst buffers. sbatch reads it when the job is submitted.
    Bbf: bbf("buffers.conf"), FilePath, "bbf", also = &["SBATCH_BURST_BUFFER"];
    /// An OCI bundle in which the batch script runs. This is Slurm's own way, not
    /// pyxis.
    Container: container("/lustre/bundles/rocky9"), FilePath, "container",
        variable = "SBATCH_CONTAINER",
        first = Release::new(21, 8);
    /// A container that is there already, in which the batch script runs.
    ContainerId: container_id("rocky9"), FreeText, "container-id", variable = "SBATCH_CONTAINER_ID",
        first = Release::new(23, 2);
    /// The kind of the container.
    ContainerType: container_type("oci"), FreeText, "container-type",
        variable = "SBATCH_CONTAINER_TYPE", first = Release::new(26, 5);
    /// The job's SELinux context.
    Context: context("user_u:user_r:user_t:s0"), FreeText, "context", first = Release::new(21, 8);
    /// Resources in the site's own words.
    Resources: resources("rack=4"), FreeText, "resources", first = Release::new(25, 11);
    /// The steps are managed on the job's first node.
    Stepmgr: stepmgr(Flag), Flag, "stepmgr", first = Release::new(24, 5);

    // The network.
    /// What the job needs of the network, in the words of the site's plugin.
    Network: network("single_node_vni"), FreeText, "network", variable = "SBATCH_NETWORK";
    /// Ports that are reserved for the job.
    ResvPorts: resv_ports(4 number), ResvPorts, "resv-ports", first = Release::new(24, 5);
    /// How many leaf switches at most, and how long to wait for so few.
    Switches: switches("1@10:00"), Switches, "switches",
        also = &["SBATCH_REQ_SWITCH", "SBATCH_WAIT4SWITCH"], recipes = true;
    /// How many nodes a segment has, which lies in one topology block.
    Segment: segment(4 number), SmallCount, "segment", variable = "SBATCH_SEGMENT_SIZE",
        first = Release::new(24, 5), recipes = true;
    /// The segments lie as close together as possible.
    ConsolidateSegments: consolidate_segments(Flag), Flag, "consolidate-segments",
        variable = "SBATCH_CONSOLIDATE_SEGMENTS", first = Release::new(25, 11), recipes = true;
    /// Each segment lies in a block of its own.
    SpreadSegments: spread_segments(Flag), Flag, "spread-segments",
        variable = "SBATCH_SPREAD_SEGMENTS", first = Release::new(25, 11), recipes = true;
}

pub(super) const PASSTHROUGH: &str = "passthrough";

impl OptionName {
    /// What says where a job runs, and for whom. A command that is to reach the same nodes, as an `srun` by hand, says it, too.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let job = Directives::new().nodes(2).account("proj".parse()?).partition("batch".parse()?);
    /// let words: Vec<_> = OptionName::WHERE.into_iter().filter_map(|name| job.option(name)).collect();
    /// assert_eq!(words, ["--partition=batch", "--account=proj"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const WHERE: [Self; 6] = [
        Self::Clusters,
        Self::Partition,
        Self::Account,
        Self::Qos,
        Self::Reservation,
        Self::Constraint,
    ];

    /// True when the option has a meaning without a value.
    pub(crate) fn may_be_empty(self) -> bool {
        Setting::alone(self).is_some()
    }

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

    /// The option's letter, if it has one: `p` for `--partition`.
    #[must_use]
    pub const fn short(self) -> Option<char> {
        self.row().short
    }

    /// The environment variable from which the option is taken, as sbatch would. A
    /// variable that may hold secrets is not read, and neither are those that say
    /// only part of an option.
    #[must_use]
    pub const fn environment(self) -> Option<&'static str> {
        self.row().variable
    }

    /// Whether a recipe may set it: whether it says what resources and
    /// how much time a job needs, or how the job is called. A recipe is something that
    /// people download; where a job runs, and what it reads and writes, is for settings
    /// and flags.
    ///
    /// ```
    /// use nim_slurm::slurm::OptionName;
    ///
    /// assert!(OptionName::Mem.is_for_recipes());
    /// assert!(!OptionName::Output.is_for_recipes());
    /// ```
    #[must_use]
    pub const fn is_for_recipes(self) -> bool {
        matches!(self.row().recipes, Some(true))
    }

    /// True when sbatch would change the option because of this variable.
    pub(crate) fn is_changed_by(self, variable: &str) -> bool {
        let also = self.row().also.unwrap_or_default();
        self.environment() == Some(variable) || also.contains(&variable)
    }

    /// The first release of Slurm that has the option.
    ///
    /// ```
    /// use nim_slurm::slurm::{OptionName, Release};
    ///
    /// assert_eq!(OptionName::Segment.first_release(), Release::new(24, 5));
    /// assert_eq!(OptionName::Time.first_release(), Release::OLDEST);
    /// ```
    #[must_use]
    pub fn first_release(self) -> Release {
        self.row().first.unwrap_or(Release::OLDEST)
    }

    /// The last release of Slurm that has the option.
    ///
    /// ```
    /// use nim_slurm::slurm::{OptionName, Release};
    ///
    /// assert_eq!(OptionName::Power.last_release(), Release::new(23, 11));
    /// assert_eq!(OptionName::Time.last_release(), Release::NEWEST);
    /// ```
    #[must_use]
    pub fn last_release(self) -> Release {
        self.row().last.unwrap_or(Release::NEWEST)
    }
}

impl fmt::Display for OptionName {
    /// The option as it is typed: `--gpus-per-node`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{}", self.long())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_the_long_name() {
        for name in OptionName::ALL {
            assert_eq!(name.key().replace('_', "-"), name.long());
        }
    }

    /// No site could name a later release, and an option of one is passed through.
    #[test]
    fn each_option_has_releases_that_are_known() {
        for name in OptionName::ALL {
            let (first, last) = (name.first_release(), name.last_release());
            assert!(
                Release::OLDEST <= first && first <= last && last <= Release::NEWEST,
                "{name} is from {first} to {last}, and Release knows those from {} to {}",
                Release::OLDEST,
                Release::NEWEST
            );
        }
    }

    /// The reference in the documentation says what the table says.
    #[test]
    fn each_option_is_in_the_reference() {
        let reference = include_str!("../options.md");
        let rows: Vec<_> = reference
            .lines()
            .filter(|line| line.starts_with("| ["))
            .collect();
        for (place, name) in OptionName::ALL.iter().enumerate() {
            let letter = name
                .short()
                .map_or_else(String::new, |c| format!(", `-{c}`"));
            let start = format!("| [`{name}`](Directives::{}){letter} | [`", name.key());
            let row = rows.get(place).unwrap_or(&"");
            assert!(
                row.starts_with(&start),
                "src/slurm/options.md has {row:?} where a row begins with {start:?}"
            );
            let (first, last) = (name.first_release(), name.last_release());
            let end = match (first == Release::OLDEST, last == Release::NEWEST) {
                (true, true) => " |  |".to_owned(),
                (true, false) => format!("| to {last} |"),
                (false, _) => format!("| from {first} |"),
            };
            assert!(
                row.ends_with(&end),
                "src/slurm/options.md has {row:?}, which must end with {end:?}"
            );
        }
        assert_eq!(
            rows.len(),
            OptionName::ALL.len(),
            "src/slurm/options.md has rows for options that the table has not"
        );
    }
}
