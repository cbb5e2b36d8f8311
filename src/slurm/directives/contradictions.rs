//! Values of a job's options that contradict each other. The source is that of the
//! exclusions, and what 22.05, 24.11 and 26.05 refuse.

use super::{Conflict, Directives, MOST_HOSTS, OptionName, Values};
use crate::slurm::{Distribution, GpuCount, JobTime, Licenses, NodeShape, TimeLimit};

const A_GPU_EACH: &str = "each node needs one GPU at least";

const fn conflict(first: OptionName, second: OptionName, reason: &'static str) -> Conflict {
    Conflict {
        first,
        second,
        reason,
    }
}

impl Directives {
    /// Pairs of values that contradict each other.
    pub(crate) fn contradictions(&self) -> Vec<Conflict> {
        let values = self.values();
        let groups = [
            values.contradictions_of_times(),
            values.contradictions_of_tasks(),
            values.contradictions_of_gpus_and_tasks(),
            values.contradictions_of_cores(),
            values.contradictions_of_an_arbitrary_order(),
            values.contradictions_of_nodes(),
            values.contradictions_of_features(),
        ];
        groups.into_iter().flatten().collect()
    }
}

impl Values<'_> {
    fn contradictions_of_times(self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let limit = self.time().and_then(TimeLimit::minutes);
        let least = self.time_min().map(TimeLimit::minutes);
        if let (Some(limit), Some(least)) = (limit, least)
            && least.is_none_or(|least| least > limit)
        {
            let reason = "the least time is longer than the limit";
            conflicts.push(conflict(OptionName::TimeMin, OptionName::Time, reason));
        }
        let begin = self.begin().and_then(JobTime::sortable);
        let deadline = self.deadline();
        let deadline = deadline.and_then(|deadline| deadline.time().sortable());
        if let (Some(begin), Some(deadline)) = (begin, deadline)
            && begin >= deadline
        {
            let reason = "the job would begin after its deadline";
            conflicts.push(conflict(OptionName::Begin, OptionName::Deadline, reason));
        }
        conflicts
    }

    fn contradictions_of_tasks(self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let tasks = self.ntasks().map(|tasks| u64::from(tasks.get()));
        let plane = self.distribution().and_then(Distribution::plane);
        if let (Some(plane), Some((option, nodes))) = (plane, self.least_nodes())
            && nodes > 1
            && (nodes - 1) * u64::from(plane) >= tasks.unwrap_or(1)
        {
            let reason = "so few tasks leave nodes without a plane";
            conflicts.push(conflict(OptionName::Distribution, option, reason));
        }
        for (option, per_gpu) in [
            (OptionName::NtasksPerGpu, self.ntasks_per_gpu()),
            (OptionName::NtasksPerTres, self.ntasks_per_tres()),
        ] {
            if let (Some(per_gpu), Some(tasks)) = (per_gpu, tasks)
                && !tasks.is_multiple_of(per_gpu.get().into())
            {
                let reason = "the tasks fill no whole number of GPUs";
                conflicts.push(conflict(option, OptionName::Ntasks, reason));
            }
            // Where nothing else asks for GPUs, these are all.
            if let (Some(per_gpu), Some(tasks), Some((of_nodes, nodes))) =
                (per_gpu, tasks, self.least_nodes())
                && !self.0.asks_for_gpus()
                && tasks / u64::from(per_gpu.get()) < nodes
                && tasks >= nodes
            {
                conflicts.push(conflict(option, of_nodes, A_GPU_EACH));
            }
        }
        conflicts.extend(self.contradictions_of_tasks_and_nodes(tasks));
        let gpus = self.gpus().map(GpuCount::count);
        let nodes = self.least_nodes().or_else(|| self.nodes_of_tasks());
        if let (Some(gpus), Some((option, nodes))) = (gpus, nodes)
            && u64::from(gpus) < nodes
        {
            conflicts.push(conflict(OptionName::Gpus, option, A_GPU_EACH));
        }
        conflicts
    }

    /// Nodes that so many tasks do not need, and tasks for which there are not enough. Source: `_opt_verify`
    /// of sbatch's `opt.c`, and the controller.
    fn contradictions_of_tasks_and_nodes(self, tasks: Option<u64>) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let Some(tasks) = tasks else {
            return conflicts;
        };
        if self.nodes().is_some_and(|nodes| tasks < nodes.min().into()) {
            let reason = "a job gets no more nodes than tasks, so give as many tasks as nodes, or leave one of the two out";
            conflicts.push(conflict(OptionName::Nodes, OptionName::Ntasks, reason));
        }
        if let (Some(nodes), Some(of_a_node)) = (self.nodes(), self.ntasks_per_node())
            && tasks > u64::from(nodes.max()) * u64::from(of_a_node.get())
        {
            let reason = "the nodes take fewer tasks";
            conflicts.push(conflict(
                OptionName::Ntasks,
                OptionName::NtasksPerNode,
                reason,
            ));
        }
        conflicts
    }

    /// What contradicts so many GPUs, of which each task gets so many. Source: `_test_gres_cnt` of
    /// `gres.c`.
    fn contradictions_of_gpus_and_tasks(self) -> Vec<Conflict> {
        let (Some(gpus), Some(per_task)) = (self.gpus(), self.gpus_per_task()) else {
            return Vec::new();
        };
        if gpus.kind() != per_task.kind() {
            let reason = "they name different types of GPU";
            return vec![conflict(OptionName::Gpus, OptionName::GpusPerTask, reason)];
        }
        if !gpus.count().is_multiple_of(per_task.count()) {
            let reason = "the GPUs are for no whole number of tasks";
            return vec![conflict(OptionName::Gpus, OptionName::GpusPerTask, reason)];
        }
        let tasks = u64::from(gpus.count() / per_task.count());
        match self.counted_tasks() {
            Some((option, counted)) if counted != tasks => {
                let reason = "the GPUs are for another number of tasks";
                vec![conflict(OptionName::GpusPerTask, option, reason)]
            }
            _ => Vec::new(),
        }
    }

    /// How many tasks sbatch counts, and which option says so; none where it leaves that to the
    /// controller. From `--ntasks-per-node` on nodes whose number is not said, 22.05 counts.
    pub(super) fn counted_tasks(self) -> Option<(OptionName, u64)> {
        if let Some(tasks) = self.ntasks() {
            return Some((OptionName::Ntasks, tasks.get().into()));
        }
        let is_single = self.nodes().map(|nodes| nodes.min() == nodes.max());
        let of_a_node = self.ntasks_per_node().map(|tasks| u64::from(tasks.get()));
        let nodes = self.least_nodes().map_or(1, |(_, nodes)| nodes);
        let has_shape = self.extra_node_info().is_some();
        match (is_single, of_a_node) {
            (Some(true), None) => Some((OptionName::Nodes, nodes)),
            (None, None) if has_shape => Some((OptionName::ExtraNodeInfo, nodes)),
            (Some(false), _) | (None, None) => None,
            (_, Some(of_a_node)) => Some((OptionName::NtasksPerNode, nodes * of_a_node)),
        }
    }

    /// More tasks on a core than threads, which releases from 24.11 on refuse.
    fn contradictions_of_cores(self) -> Vec<Conflict> {
        let tasks = self.ntasks_per_core().map(|tasks| tasks.get());
        let threads = self.threads_per_core().map(|threads| threads.get());
        let of_shape = self.extra_node_info().and_then(NodeShape::threads);
        let mut conflicts = Vec::new();
        for (option, threads) in [
            (OptionName::ThreadsPerCore, threads),
            (OptionName::ExtraNodeInfo, of_shape),
        ] {
            if tasks > threads && threads.is_some() {
                let reason = "a core has more tasks than threads";
                conflicts.push(conflict(OptionName::NtasksPerCore, option, reason));
            }
        }
        conflicts
    }

    /// What contradicts the order of tasks that a list of nodes says.
    fn contradictions_of_an_arbitrary_order(self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        if !self.distribution().is_some_and(Distribution::is_arbitrary) {
            return conflicts;
        }
        if self.nodes().is_some() {
            let reason = "the list of nodes says how many";
            conflicts.push(conflict(
                OptionName::Nodes,
                OptionName::Distribution,
                reason,
            ));
        }
        let hosts = self
            .nodelist()
            .map(|list| list.hosts().take(MOST_HOSTS).count());
        if let (Some(tasks), Some(hosts)) = (self.ntasks(), hosts)
            && tasks.get() as usize != hosts
        {
            let reason = "an arbitrary distribution has one task for each node that is listed";
            conflicts.push(conflict(OptionName::Ntasks, OptionName::Nodelist, reason));
        }
        conflicts
    }

    fn contradictions_of_nodes(self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        if let (Some(named), Some(nodes)) = (self.0.named_nodes(), self.nodes())
            && named > u64::from(nodes.max())
        {
            let reason = "more nodes are named than asked for";
            conflicts.push(conflict(OptionName::Nodelist, OptionName::Nodes, reason));
        }
        if let (Some(segment), Some((option, nodes))) = (self.segment(), self.least_nodes())
            && nodes > segment.get().into()
            && !nodes.is_multiple_of(segment.get().into())
        {
            let reason = "the nodes fill no whole number of segments";
            conflicts.push(conflict(OptionName::Segment, option, reason));
        }
        if let (Some(named), Some(excluded)) = (self.nodelist(), self.exclude()) {
            let mut excluded: Vec<_> = excluded.hosts().take(MOST_HOSTS).collect();
            excluded.sort_unstable();
            let mut named = named.hosts().take(MOST_HOSTS);
            if named.any(|host| excluded.binary_search(&host).is_ok()) {
                let reason = "a node is in both lists";
                conflicts.push(conflict(OptionName::Nodelist, OptionName::Exclude, reason));
            }
        }
        conflicts
    }

    fn contradictions_of_features(self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for (option, among) in [
            (OptionName::Constraint, self.constraint()),
            (OptionName::Prefer, self.prefer()),
        ] {
            if let (Some(batch), Some(among)) = (self.batch(), among)
                && !batch
                    .features()
                    .all(|feature| among.features().any(|own| own == feature))
            {
                let reason = "the first node has features that the others need not have";
                conflicts.push(conflict(OptionName::Batch, option, reason));
            }
        }
        let needs_only_one = self.licenses().is_some_and(Licenses::needs_only_one);
        if needs_only_one && self.resources().is_some() {
            let reason = "resources are further licences, which do not go with '|'";
            conflicts.push(conflict(
                OptionName::Licenses,
                OptionName::Resources,
                reason,
            ));
        }
        conflicts
    }

    /// How many nodes the job has at least, and which option says so.
    fn least_nodes(self) -> Option<(OptionName, u64)> {
        let asked = self
            .nodes()
            .map(|nodes| (OptionName::Nodes, u64::from(nodes.min())));
        asked.or_else(|| Some((OptionName::Nodelist, self.0.named_nodes()?)))
    }

    /// How many nodes the tasks fill.
    fn nodes_of_tasks(self) -> Option<(OptionName, u64)> {
        let (tasks, of_a_node) = (self.ntasks()?.get(), self.ntasks_per_node()?.get());
        let nodes = tasks.div_ceil(of_a_node.into());
        Some((OptionName::NtasksPerNode, nodes.into()))
    }
}
