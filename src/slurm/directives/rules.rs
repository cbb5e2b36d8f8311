//! Options that exclude each other, and options that need others.

use super::{Directives, OptionName};
use crate::slurm::{self, gres::is_part_of_gpu};

/// Two options of one job that exclude each other.
///
/// ```
/// use nim_slurm::slurm::{Directives, OptionName};
///
/// let directives = Directives::new().gres("gpu:8".parse()?).gpus_per_node(8);
/// let conflict = directives.conflicts()[0];
/// assert_eq!((conflict.first, conflict.second), (OptionName::Gres, OptionName::GpusPerNode));
/// assert_eq!(conflict.reason, "GPUs are asked for in one way");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// One option.
    pub first: OptionName,
    /// The other.
    pub second: OptionName,
    /// Why they do not go together.
    pub reason: &'static str,
}

/// An option that means nothing without another one.
///
/// ```
/// use nim_slurm::slurm::{Directives, OptionName};
///
/// let needs = Directives::new().cpus_per_gpu(8).needs();
/// assert_eq!(needs[0].option, OptionName::CpusPerGpu);
/// assert!(needs[0].one_of.contains(&OptionName::Gpus));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// The option that is set.
    pub option: OptionName,
    /// Options of which one is needed: `Nodes` as a single number, `ExtraNodeInfo` with a number
    /// of sockets.
    pub one_of: &'static [OptionName],
}

impl Need {
    /// The options of which one is needed, as they are typed.
    pub(crate) fn choices(&self) -> String {
        let choices = self.one_of.iter().map(|name| match name {
            Nodes => "--nodes=N".to_owned(),
            ExtraNodeInfo => "--extra-node-info=SOCKETS".to_owned(),
            name => name.to_string(),
        });
        choices.collect::<Vec<_>>().join(" or ")
    }
}

/// What of an option counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// That it is set.
    Any,
    /// That it asks for GPUs.
    Gpus,
    /// That it asks for GPUs, or for parts of them.
    GpusOrParts,
    /// That it asks for parts of GPUs, or says how fast whole ones are.
    PartsOfGpus,
    /// That it asks for CPUs.
    Cpus,
}

use OptionName::{
    Batch, Bb, Bbf, ConsolidateSegments, Constraint, Container, ContainerId, CoreSpec,
    CoresPerSocket, CpusPerGpu, CpusPerTask, Distribution, Exclusive, ExtraNodeInfo, GpuBind,
    GpuFreq, Gpus, GpusPerNode, GpusPerSocket, GpusPerTask, Gres, Hint, Mem, MemPerCpu, MemPerGpu,
    NoRequeue, Nodefile, Nodelist, Nodes, Ntasks, NtasksPerCore, NtasksPerGpu, NtasksPerNode,
    NtasksPerTres, Oversubscribe, Requeue, ResvPorts, Segment, SocketsPerNode, SpreadJob,
    SpreadSegments, Stepmgr, ThreadSpec, ThreadsPerCore, Time, TimeMin, TresBind, TresPerTask,
    UseMinNodes,
};

/// The options that may ask for GPUs.
const ANY_GPUS: &[OptionName] = &[
    Gres,
    GpusPerNode,
    Gpus,
    GpusPerTask,
    GpusPerSocket,
    TresPerTask,
];

/// Ways that may stand together: so many GPUs, and how many of them a task gets. Slurm counts the
/// tasks.
const WITH_TASKS: [OptionName; 2] = [Gpus, GpusPerTask];

const WHOLE: &str = "a frequency is that of whole GPUs, not of shard or mps";

/// Groups of options of which a job may have one. Source: `slurm_opt.c` and
/// `gres.c` of Slurm's releases.
const ONE_OF: &[(&[OptionName], Part, &str)] = &[
    (ANY_GPUS, Part::GpusOrParts, "GPUs are asked for in one way"),
    (&[Gres, GpuFreq], Part::PartsOfGpus, WHOLE),
    (&[TresPerTask, GpuFreq], Part::PartsOfGpus, WHOLE),
    (
        &[Mem, MemPerCpu, MemPerGpu],
        Part::Any,
        "memory is asked for in one way",
    ),
    (
        &[CpusPerTask, CpusPerGpu, TresPerTask],
        Part::Cpus,
        "the CPUs of a task are asked for in one way",
    ),
    (
        &[Exclusive, Oversubscribe],
        Part::Any,
        "a node is shared, or it is not",
    ),
    (
        &[Requeue, NoRequeue],
        Part::Any,
        "the job is queued again, or it is not",
    ),
    (
        &[Nodelist, Nodefile],
        Part::Any,
        "nodes are named in one place",
    ),
    (
        &[Bb, Bbf],
        Part::Any,
        "burst buffers are described in one place",
    ),
    (
        &[Container, ContainerId],
        Part::Any,
        "the job has one container",
    ),
    (
        &[CoreSpec, ThreadSpec],
        Part::Any,
        "Slurm keeps one number for both",
    ),
    (
        &[SpreadJob, UseMinNodes],
        Part::Any,
        "they ask for many nodes and for few",
    ),
    (
        &[SpreadSegments, ConsolidateSegments],
        Part::Any,
        "segments are spread, or they are not",
    ),
    (
        &[GpuBind, TresBind],
        Part::Any,
        "how tasks are tied to GPUs is said in one way",
    ),
    (
        &[NtasksPerGpu, NtasksPerTres],
        Part::Any,
        "they are two names of one thing",
    ),
];

/// What cannot stand beside either name of `--ntasks-per-gpu`, and what either needs.
const OTHER_TASKS: &[OptionName] = &[NtasksPerNode, GpusPerTask, GpusPerSocket, TresPerTask];
const TASKS_NEED: &[OptionName] = &[Gpus, GpusPerNode, Gres, Ntasks, Nodes];

const TASKS_FROM_GPUS: &str = "the number of tasks follows from the GPUs";
const NODE_SHAPE: &str = "the shape of a node is said in one way";
const HINT: &str = "a hint says how cores and threads are used";

/// Options that exclude others which may stand together.
const NONE_OF: &[(OptionName, &[OptionName], &str)] = &[
    (NtasksPerGpu, OTHER_TASKS, TASKS_FROM_GPUS),
    (NtasksPerTres, OTHER_TASKS, TASKS_FROM_GPUS),
    (
        ExtraNodeInfo,
        &[SocketsPerNode, CoresPerSocket, ThreadsPerCore],
        NODE_SHAPE,
    ),
    (
        Hint,
        &[
            NtasksPerCore,
            ThreadsPerCore,
            ExtraNodeInfo,
            SocketsPerNode,
            CoresPerSocket,
        ],
        HINT,
    ),
];

/// Options that need one of others. The source is that of [`ONE_OF`]. sbatch counts tasks from a
/// single number of nodes, and not all releases do from `--ntasks-per-node` alone.
const NEEDS: &[(OptionName, &[OptionName])] = &[
    (GpusPerSocket, &[SocketsPerNode, ExtraNodeInfo]),
    (GpusPerTask, &[Ntasks, Nodes, Gpus]),
    (TresPerTask, &[Ntasks, Nodes]),
    (Batch, &[Constraint]),
    (CpusPerGpu, ANY_GPUS),
    (MemPerGpu, ANY_GPUS),
    (NtasksPerGpu, TASKS_NEED),
    (NtasksPerTres, TASKS_NEED),
    (ResvPorts, &[Stepmgr]),
    (SpreadSegments, &[Segment]),
    (ConsolidateSegments, &[Segment]),
];

impl Directives {
    fn asks(&self, name: OptionName, part: Part) -> bool {
        let (gres, tres) = (self.values().gres(), self.values().tres_per_task());
        match (name, part) {
            (Gres, Part::Gpus) => gres.is_some_and(|gres| gres.gpus().is_some()),
            (Gres, Part::PartsOfGpus) => gres.is_some_and(slurm::Gres::has_parts_of_gpus),
            (TresPerTask, Part::Gpus) => tres.is_some_and(|tres| tres.gpus().is_some()),
            (TresPerTask, Part::PartsOfGpus) => {
                tres.is_some_and(slurm::TresPerTask::has_parts_of_gpus)
            }
            (Gres | TresPerTask, Part::GpusOrParts) => {
                self.asks(name, Part::Gpus) || self.asks(name, Part::PartsOfGpus)
            }
            (TresPerTask, Part::Cpus) => tres.is_some_and(|tres| tres.cpus().is_some()),
            _ => self.is_set(name),
        }
    }

    /// Whether an option is such that it needs others.
    fn has_need(&self, name: OptionName) -> bool {
        match name {
            // CPUs and licences are counted with the tasks, whatever their number.
            TresPerTask => {
                let tres = self.values().tres_per_task();
                tres.is_some_and(slurm::TresPerTask::has_generic_resources)
            }
            name => self.is_set(name),
        }
    }

    /// Whether an option says what another one needs.
    fn meets(&self, name: OptionName) -> bool {
        let values = self.values();
        match name {
            // Slurm counts no tasks from a range of nodes.
            Nodes => values
                .nodes()
                .is_some_and(|nodes| nodes.min() == nodes.max()),
            ExtraNodeInfo => {
                let shape = values.extra_node_info();
                shape.is_some_and(|shape| shape.sockets().is_some())
            }
            name => self.asks(name, Part::Gpus),
        }
    }

    /// True when this asks for GPUs, in whatever way.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// assert!(Directives::new().gpus_per_socket(4).asks_for_gpus());
    /// assert!(!Directives::new().gres("shard:2".parse()?).asks_for_gpus());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn asks_for_gpus(&self) -> bool {
        ANY_GPUS.iter().any(|&name| self.asks(name, Part::Gpus))
    }

    /// True when a job has its nodes alone, and so all that they have: `--exclusive` without a value.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// assert!(Directives::new().exclusive("true".parse()?).has_whole_nodes());
    /// assert!(!Directives::new().exclusive("user".parse()?).has_whole_nodes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn has_whole_nodes(&self) -> bool {
        self.get(OptionName::Exclusive).as_deref() == Some("")
    }

    /// True when this asks for GPUs, or for shares of one (`shard`, `mps`), in whatever way.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// assert!(Directives::new().gres("shard:2".parse()?).asks_for_gpus_or_shares());
    /// assert!(!Directives::new().gres("nvme:2".parse()?).asks_for_gpus_or_shares());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn asks_for_gpus_or_shares(&self) -> bool {
        let mut ways = ANY_GPUS.iter();
        ways.any(|&name| self.asks(name, Part::GpusOrParts))
    }

    /// These as a layer below others: where those ask for GPUs with another option, this one's is left out.
    ///
    /// An option that asks for something else as well (`gres = "gpu:8,nvme:2"`) stays, and so do two that
    /// exclude each other here already.
    pub(crate) fn below(&self, upper: &Self) -> Self {
        let asks = |own: &Self, name: OptionName| own.asks(name, Part::GpusOrParts);
        let ways = ANY_GPUS.iter().copied();
        let ways: Vec<_> = ways.filter(|&name| asks(self, name)).collect();
        let asks_for_more = match ways[..] {
            _ if ways == WITH_TASKS => false,
            [Gres] => {
                let mut entries = self
                    .values()
                    .gres()
                    .into_iter()
                    .flat_map(slurm::Gres::entries);
                entries.any(|entry| entry.name() != "gpu" && !is_part_of_gpu(entry.name()))
            }
            [TresPerTask] => true,
            [_] => false,
            _ => return self.clone(),
        };
        let is_another = |name: &OptionName| !ways.contains(name) && asks(upper, *name);
        if !asks_for_more && ANY_GPUS.iter().any(is_another) {
            ways.into_iter().fold(self.clone(), Self::without)
        } else {
            self.clone()
        }
    }

    /// The option that asks for GPUs.
    pub(crate) fn gpu_option(&self) -> Option<OptionName> {
        let mut ways = ANY_GPUS.iter().copied();
        ways.find(|&name| self.asks(name, Part::Gpus))
    }

    /// Pairs of options that exclude each other, and pairs whose values contradict
    /// each other.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let directives = Directives::new().gres("gpu:8".parse()?).gpus_per_node(8);
    /// let conflict = directives.conflicts()[0];
    /// assert_eq!((conflict.first, conflict.second), (OptionName::Gres, OptionName::GpusPerNode));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = self.exclusions();
        conflicts.extend(self.contradictions());
        conflicts
    }

    /// Pairs of options that exclude each other, whatever their values.
    pub(crate) fn exclusions(&self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for &(group, part, reason) in ONE_OF {
            let set: Vec<_> = group
                .iter()
                .copied()
                .filter(|&name| self.asks(name, part))
                .collect();
            for (index, &first) in set.iter().enumerate() {
                let others = set[index + 1..].iter().copied();
                let others = others.filter(|&second| [first, second] != WITH_TASKS);
                conflicts.extend(others.map(|second| Conflict {
                    first,
                    second,
                    reason,
                }));
            }
        }
        for &(first, others, reason) in NONE_OF {
            let others = others.iter().copied();
            let set = others.filter(|&second| self.is_set(first) && self.is_set(second));
            conflicts.extend(set.map(|second| Conflict {
                first,
                second,
                reason,
            }));
        }
        conflicts
    }

    /// Options that are set, but mean nothing without another one.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let directives = Directives::new().gpus_per_task(1);
    /// assert!(directives.needs()[0].one_of.contains(&OptionName::Ntasks));
    /// assert!(directives.clone().ntasks(4).needs().is_empty());
    /// // Slurm counts the tasks of a single number of nodes, and those that GPUs are for.
    /// assert!(directives.clone().nodes(2).ntasks_per_node(4).needs().is_empty());
    /// assert!(directives.gpus(4).check(None).is_ok());
    /// ```
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        const ARBITRARY: &[OptionName] = &[Nodelist];
        const ENDLESS: &[OptionName] = &[Time];
        const COUNTED: &[OptionName] = &[Ntasks, NtasksPerNode, Gpus];
        let is_met = |one_of: &[OptionName]| one_of.iter().any(|&name| self.meets(name));
        let rows = NEEDS.iter().copied();
        let mut needs: Vec<_> = rows
            .filter(|&(option, one_of)| self.has_need(option) && !is_met(one_of))
            .map(|(option, one_of)| Need { option, one_of })
            .collect();
        // With so many CPUs for each, sbatch hands on CPUs, and no number of tasks.
        let says_cpus = self.is_set(CpusPerTask) || self.asks(TresPerTask, Part::Cpus);
        if says_cpus && self.meets(Nodes) && !is_met(COUNTED) {
            let options = [GpusPerTask, TresPerTask].into_iter();
            needs.extend(
                options
                    .filter(|&option| self.has_need(option))
                    .map(|option| Need {
                        option,
                        one_of: COUNTED,
                    }),
            );
        }
        let distribution = self.values().distribution();
        if distribution.is_some_and(slurm::Distribution::is_arbitrary) && !is_met(ARBITRARY) {
            needs.push(Need {
                option: Distribution,
                one_of: ARBITRARY,
            });
        }
        let least = self.values().time_min();
        if least.is_some_and(|least| least.minutes().is_none()) && !is_met(ENDLESS) {
            needs.push(Need {
                option: TimeMin,
                one_of: ENDLESS,
            });
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use OptionName::{Begin, Deadline, Exclude, Licenses, Prefer, Resources};

    use super::*;

    fn directives(toml: &str) -> Directives {
        toml::from_str(toml).unwrap_or_else(|error| panic!("{error}"))
    }

    #[track_caller]
    fn exclude(toml: &str, first: OptionName, second: OptionName) {
        let conflicts = directives(toml).conflicts();
        let pairs: Vec<_> = conflicts
            .iter()
            .map(|pair| (pair.first, pair.second))
            .collect();
        assert_eq!(pairs, [(first, second)], "{toml}");
    }

    #[test]
    fn pairs() {
        exclude("mem = 0\nmem_per_gpu = '1G'", Mem, MemPerGpu);
        exclude(
            "cpus_per_task = 2\ncpus_per_gpu = 2",
            CpusPerTask,
            CpusPerGpu,
        );
        exclude(
            "cpus_per_task = 2\ntres_per_task = 'cpu=2'",
            CpusPerTask,
            TresPerTask,
        );
        exclude("gpus = 2\ntres_per_task = 'gres/gpu=1'", Gpus, TresPerTask);
        exclude(
            "exclusive = true\noversubscribe = true",
            Exclusive,
            Oversubscribe,
        );
        exclude("requeue = true\nno_requeue = true", Requeue, NoRequeue);
        exclude("bb = 'x'\nbbf = '/x'", Bb, Bbf);
        exclude("nodelist = 'n1'\nnodefile = '/x'", Nodelist, Nodefile);
        exclude("core_spec = 1\nthread_spec = 1", CoreSpec, ThreadSpec);
        exclude(
            "container = '/x'\ncontainer_id = 'x'",
            Container,
            ContainerId,
        );
        exclude(
            "ntasks_per_gpu = 1\nntasks_per_node = 2",
            NtasksPerGpu,
            NtasksPerNode,
        );
        exclude(
            "ntasks_per_gpu = 1\ngpus_per_task = 2",
            NtasksPerGpu,
            GpusPerTask,
        );
        exclude(
            "hint = 'nomultithread'\nthreads_per_core = 1",
            Hint,
            ThreadsPerCore,
        );
        exclude(
            "extra_node_info = '2:8'\nsockets_per_node = 2",
            ExtraNodeInfo,
            SocketsPerNode,
        );
        exclude("time = 10\ntime_min = '0:11:00'", TimeMin, Time);
        exclude("time = 10\ntime_min = 'UNLIMITED'", TimeMin, Time);
        exclude("ntasks_per_gpu = 4\nntasks = 2", NtasksPerGpu, Ntasks);
        exclude("ntasks_per_tres = 4\nntasks = 6", NtasksPerTres, Ntasks);
        exclude("gpus = 1\nnodes = 2", Gpus, Nodes);
        exclude("gpus = 1\nnodelist = 'node[1-2]'", Gpus, Nodelist);
        exclude(
            "gpus = 1\nntasks = 3\nntasks_per_node = 2",
            Gpus,
            NtasksPerNode,
        );
        exclude(
            "nodelist = 'node[1-2]'\nexclude = 'node[2-9]'",
            Nodelist,
            Exclude,
        );
        exclude("segment = 5\nnodes = 41", Segment, Nodes);
        exclude("segment = 2\nnodelist = 'node[1-3]'", Segment, Nodelist);
        exclude("licenses = 'a|b'\nresources = 'c'", Licenses, Resources);
        let arbitrary = "distribution = 'arbitrary'\nnodelist = 'n1,n1,n2'";
        exclude(&format!("{arbitrary}\nnodes = 2"), Nodes, Distribution);
        exclude(&format!("{arbitrary}\nntasks = 2"), Ntasks, Nodelist);
        exclude("constraint = 'a&b'\nbatch = 'a&c'", Batch, Constraint);
        exclude(
            "constraint = 'a&b'\nprefer = 'b'\nbatch = 'a'",
            Batch,
            Prefer,
        );
        exclude(
            "gpus = 1\ngpu_bind = 'none'\ntres_bind = 'gres/gpu:none'",
            GpuBind,
            TresBind,
        );
        exclude(
            "hint = 'multithread'\nsockets_per_node = 2",
            Hint,
            SocketsPerNode,
        );
        let planes = "distribution = 'plane=4'\nnodes = 3";
        exclude(planes, Distribution, Nodes);
        exclude(&format!("{planes}\nntasks = 8"), Distribution, Nodes);
        exclude(
            "distribution = 'plane=8'\nnodelist = 'node[1-2]'\nntasks = 8",
            Distribution,
            Nodelist,
        );
        exclude(
            "begin = '2030-01-02'\ndeadline = '2030-01-01T12:00'",
            Begin,
            Deadline,
        );
    }

    #[test]
    fn tasks_that_do_not_fit_the_nodes() {
        exclude("ntasks = 1\nnodes = 2", Nodes, Ntasks);
        exclude("ntasks = 1\nnodes = '2-4'", Nodes, Ntasks);
        exclude(
            "ntasks = 5\nnodes = '1-2'\nntasks_per_node = 2",
            Ntasks,
            NtasksPerNode,
        );
        exclude(
            "ntasks = 2\nnodes = 2\nntasks_per_gpu = 2",
            NtasksPerGpu,
            Nodes,
        );
        exclude(
            "ntasks = 2\nnodelist = 'node[1-2]'\nntasks_per_tres = 2",
            NtasksPerTres,
            Nodelist,
        );
    }

    #[test]
    fn more_tasks_than_threads() {
        exclude(
            "threads_per_core = 2\nntasks_per_core = 3",
            NtasksPerCore,
            ThreadsPerCore,
        );
        exclude(
            "extra_node_info = '1:1:2'\nntasks_per_core = 3",
            NtasksPerCore,
            ExtraNodeInfo,
        );
        for toml in [
            "threads_per_core = 2\nntasks_per_core = 2",
            "extra_node_info = '1:8'\nntasks_per_core = 2",
        ] {
            assert_eq!(directives(toml).conflicts(), [], "{toml}");
        }
    }

    #[test]
    fn gpus_for_another_number_of_tasks() {
        exclude(
            "gpus = 4\ngpus_per_task = 1\nextra_node_info = '1:1:1'",
            GpusPerTask,
            ExtraNodeInfo,
        );
        exclude("gpus = 5\ngpus_per_task = 2", Gpus, GpusPerTask);
        exclude("gpus = 4\ngpus_per_task = 'h100:1'", Gpus, GpusPerTask);
        exclude(
            "gpus = 4\ngpus_per_task = 2\nntasks = 3",
            GpusPerTask,
            Ntasks,
        );
        exclude("gpus = 4\ngpus_per_task = 1\nnodes = 2", GpusPerTask, Nodes);
        exclude(
            "gpus = 4\ngpus_per_task = 1\nntasks_per_node = 2",
            GpusPerTask,
            NtasksPerNode,
        );
    }

    #[test]
    fn parts_of_gpus_and_whole_ones() {
        let pair = |toml: &str| {
            let conflicts = directives(toml).conflicts();
            conflicts
                .iter()
                .map(|it| (it.first, it.second))
                .collect::<Vec<_>>()
        };
        for (toml, second) in [
            ("gres = 'shard:2'\ngpus_per_node = 8", GpusPerNode),
            (
                "gres = 'mps:50'\nntasks = 2\ntres_per_task = 'gres/gpu=1'",
                TresPerTask,
            ),
            ("gres = 'shard:2'\ngpu_freq = 'medium'", GpuFreq),
            (
                "gres = 'shard:2'\nntasks = 2\ntres_per_task = 'gres/shard=1'",
                TresPerTask,
            ),
        ] {
            assert_eq!(pair(toml), [(Gres, second)], "{toml}");
        }
    }

    #[test]
    fn what_goes_together() {
        for toml in [
            "gres = 'nvme:2'\ngpus_per_node = 8",
            "gres = 'gpu:2'\ngpu_freq = 'medium'",
            "cpus_per_task = 2\ntres_per_task = 'license/a=1'",
            "time = 'UNLIMITED'\ntime_min = 5",
            "begin = 'now'\ndeadline = '2030-01-01'",
            "sockets_per_node = 2\ncores_per_socket = 8",
            "gpus = 2\nnodes = '2-4'",
            "gpus = 4\ngpus_per_task = 1",
            "gpus = 'h100:4'\ngpus_per_task = 'h100:2'\nntasks = 2",
            "gpus = 4\ngpus_per_task = 1\nnodes = 2\nntasks_per_node = 2",
            "gpus = 4\ngpus_per_task = 1\nnodes = '1-2'\nntasks_per_node = 1",
            "gpus = 4\ngpus_per_task = 1\nnodelist = 'node[1-2]'",
            "ntasks_per_gpu = 2\nntasks = 8",
            "ntasks_per_gpu = 2\nntasks = 2\nnodes = 2\ngres = 'gpu:1'",
            "ntasks_per_gpu = 2\nntasks = 2\nnodes = '1-2'",
            "ntasks = 2\nnodes = '1-4'",
            "ntasks = 4\nnodes = '1-2'\nntasks_per_node = 2",
            "ntasks = 4\nnodelist = 'node1'\nntasks_per_node = 2",
            "distribution = 'plane=4'\nnodes = 3\nntasks = 9",
            "distribution = 'plane=4'\nnodes = 1",
            "distribution = 'arbitrary'\nnodelist = 'n1,n1,n2'\nntasks = 3",
            "nodelist = 'node[1-2]'\nexclude = 'node[3-9]'",
            "segment = 5\nnodes = 40",
            "segment = 5\nnodes = 3",
        ] {
            assert_eq!(directives(toml).conflicts(), [], "{toml}");
        }
    }

    #[test]
    fn needs() {
        for (option, lonely, met) in [
            (GpusPerSocket, "gpus_per_socket = 1", "sockets_per_node = 2"),
            (GpusPerTask, "gpus_per_task = 1", "ntasks = 2"),
            (GpusPerTask, "gpus_per_task = 1", "nodes = 2"),
            (GpusPerTask, "gpus_per_task = 1", "gpus = 4"),
            (
                GpusPerTask,
                "gpus_per_task = 1\nntasks_per_node = 4",
                "nodes = 2",
            ),
            (
                GpusPerTask,
                "gpus_per_task = 1\nnodes = '1-2'",
                "ntasks = 2",
            ),
            (
                GpusPerSocket,
                "gpus_per_socket = 1",
                "extra_node_info = '1:1:1'",
            ),
            (
                GpusPerTask,
                "gpus_per_task = 1\nnodes = 2\ncpus_per_task = 4",
                "ntasks_per_node = 2",
            ),
            (
                TresPerTask,
                "tres_per_task = 'cpu=4,gres/gpu=1'\nnodes = 2",
                "ntasks = 2",
            ),
            (TresPerTask, "tres_per_task = 'gres/gpu=1'", "ntasks = 2"),
            (TresPerTask, "tres_per_task = 'gres/shard=1'", "nodes = 2"),
            (NtasksPerGpu, "ntasks_per_gpu = 1", "nodes = 2"),
            (Batch, "batch = 'a'", "constraint = 'a&b'"),
            (CpusPerGpu, "cpus_per_gpu = 1", "gres = 'gpu:1'"),
            (MemPerGpu, "mem_per_gpu = '1G'", "gpus = 1"),
            (NtasksPerGpu, "ntasks_per_gpu = 1", "ntasks = 1"),
            (ResvPorts, "resv_ports = true", "stepmgr = true"),
            (TimeMin, "time_min = 'UNLIMITED'", "time = 'UNLIMITED'"),
            (
                Distribution,
                "distribution = 'arbitrary'",
                "nodelist = 'n1'",
            ),
        ] {
            let needs = directives(lonely).needs();
            assert_eq!(
                needs.iter().map(|need| need.option).collect::<Vec<_>>(),
                [option]
            );
            assert_eq!(directives(&format!("{lonely}\n{met}")).needs(), []);
        }
        // Slurm counts no tasks from a range of nodes.
        assert_eq!(
            directives("ntasks_per_gpu = 1\nnodes = '1-4'")
                .needs()
                .len(),
            1
        );
        // A shape that says nothing of sockets.
        let any_sockets = "gpus_per_socket = 1\nextra_node_info = '*:4'";
        assert_eq!(directives(any_sockets).needs().len(), 1);
        assert_eq!(
            directives("tres_per_task = 'cpu=8,license/a=1'").needs(),
            []
        );
        // Generic resources that are no GPUs are not enough.
        assert_eq!(
            directives("cpus_per_gpu = 1\ngres = 'shard:1'")
                .needs()
                .len(),
            1
        );
    }
}
