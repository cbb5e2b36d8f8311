//! Options that exclude each other, and options that need others: what the crate says of
//! them, sbatch says as well, or the list in the crate's documentation has the reason.

use std::collections::BTreeSet;
use std::thread;

use nim_slurm::slurm::{Directives, OptionName};
use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

use super::refusals;
use super::slurms::{Slurm, hold_controllers, slurms};
use super::values::ROWS;
use crate::lab::Lab;

/// Options of which two may exclude each other, or which may need another one, in TOML.
const SAMPLES: &[&str] = &[
    "batch = 'h100'",
    "bb = 'x'",
    "bbf = 'nodes'",
    "begin = '2036-01-02'",
    "consolidate_segments = true",
    "constraint = 'h100&nvme'",
    "container = '/x'",
    "container_id = 'x'",
    "core_spec = 1",
    "cores_per_socket = 1",
    "cpus_per_gpu = 1",
    "cpus_per_task = 2",
    "deadline = '2036-01-01'",
    "distribution = 'arbitrary'",
    "distribution = 'plane=1'",
    "exclude = 'node1'",
    "exclusive = true",
    "extra_node_info = '*:1'",
    "extra_node_info = '1:1:1'",
    "gpu_bind = 'none'",
    "gpu_freq = 'medium'",
    "gpus = 2",
    "gpus_per_node = 2",
    "gpus_per_socket = 1",
    "gpus_per_task = 1",
    "gres = 'gpu:2'",
    "gres = 'shard:2'",
    "hint = 'nomultithread'",
    "licenses = 'ansys|flex-lm'",
    "mem = '1G'",
    "mem_per_cpu = '1G'",
    "mem_per_gpu = '1G'",
    "no_requeue = true",
    "nodefile = 'nodes'",
    "nodelist = 'node[1-2]'",
    "nodes = '1-2'",
    "nodes = 2",
    "ntasks = 2",
    "ntasks_per_core = 1",
    "ntasks_per_gpu = 1",
    "ntasks_per_node = 2",
    "ntasks_per_tres = 1",
    "oversubscribe = true",
    "prefer = 'nvme'",
    "requeue = true",
    "resources = 'ansys'",
    "resv_ports = 2",
    "segment = 1",
    "sockets_per_node = 1",
    "spread_job = true",
    "spread_segments = true",
    "stepmgr = true",
    "thread_spec = 1",
    "threads_per_core = 1",
    "time = 'UNLIMITED'",
    "time_min = 'UNLIMITED'",
    "tres_bind = 'gres/gpu:none'",
    "tres_per_task = 'cpu=2'",
    "tres_per_task = 'gres/gpu=1'",
    "tres_per_task = 'gres/shard=1'",
    "use_min_nodes = true",
];

/// Jobs of more than two options, in which what one says of tasks and GPUs meets the others.
const JOBS: &[&str] = &[
    "nodes = 2\nntasks_per_node = 4\ngpus_per_task = 1",
    "nodes = '1-2'\nntasks_per_node = 2\ngpus_per_task = 1",
    "nodelist = 'node[1-2]'\nntasks_per_node = 2\ngpus_per_task = 1",
    "nodes = 2\nntasks_per_node = 2\ntres_per_task = 'gres/gpu=1'",
    "gpus = 4\ngpus_per_task = 'h100:1'",
    "gpus = 'h100:4'\ngpus_per_task = 'h100:1'",
    "gpus = 5\ngpus_per_task = 2",
    "gpus = 4\ngpus_per_task = 2\nntasks = 2",
    "gpus = 4\ngpus_per_task = 2\nntasks = 3",
    "gpus = 4\ngpus_per_task = 2\nnodes = 1",
    "gpus = 4\ngpus_per_task = 2\nnodes = 2",
    "gpus = 4\ngpus_per_task = 1\nnodes = '1-2'",
    "gpus = 4\ngpus_per_task = 1\nnodes = 2\nntasks_per_node = 1",
    "gpus = 4\ngpus_per_task = 1\nnodes = 2\nntasks_per_node = 2",
    "gpus = 4\ngpus_per_task = 1\nnodes = '1-2'\nntasks_per_node = 1",
    "gpus = 4\ngpus_per_task = 1\nntasks_per_node = 2",
    "gpus = 4\ngpus_per_task = 1\nntasks_per_node = 4",
    "gpus = 4\ngpus_per_task = 1\nnodelist = 'node[1-2]'",
    "gpus = 4\ngpus_per_task = 1\nnodelist = 'node[1-2]'\nntasks_per_node = 2",
    "gpus = 4\ngpus_per_task = 1\ncpus_per_gpu = 2",
    "segment = 2\nnodes = 3",
    "segment = 2\nnodes = 4",
    "nodes = 2\nntasks = 1",
    "nodes = '2-4'\nntasks = 1",
    "nodes = '1-4'\nntasks = 1",
    "nodelist = 'node[1-2]'\nntasks = 1",
    "nodes = 2\ncpus_per_task = 4\ngpus_per_task = 1",
    "nodes = 2\ncpus_per_task = 4\ngpus_per_task = 1\nntasks_per_node = 2",
    "nodes = 2\ncpus_per_task = 4\ngpus_per_task = 1\ngpus = 2",
    "nodes = 2\ntres_per_task = 'cpu=4,gres/gpu=1'",
    "nodes = 2\ntres_per_task = 'cpu=4,gres/gpu=1'\nntasks = 2",
    "nodes = 2\nntasks = 2\nntasks_per_gpu = 2",
    "nodes = 2\nntasks = 2\nntasks_per_gpu = 2\ngpus_per_node = 1",
    "nodes = 2\nntasks = 4\nntasks_per_gpu = 2",
    "nodelist = 'node[1-2]'\nntasks = 2\nntasks_per_tres = 2",
    "nodes = 1\nntasks = 2\nntasks_per_node = 1",
    "nodes = '1-2'\nntasks = 3\nntasks_per_node = 1",
    "nodes = '1-2'\nntasks = 2\nntasks_per_node = 1",
    "threads_per_core = 2\nntasks_per_core = 9",
    "extra_node_info = '1:1:2'\nntasks_per_core = 9",
    "gpus = 4\ngpus_per_task = 1\nextra_node_info = '1:1:1'",
    "gpus = 4\ngpus_per_task = 2\nextra_node_info = '1:1:1'\nnodelist = 'node[1-2]'",
    "gpus = 4\ngpus_per_task = 1\nextra_node_info = '1:1:1'\nnodes = '1-2'",
];

fn job(toml: &str) -> Directives {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"))
}

fn samples() -> Vec<Directives> {
    SAMPLES.iter().map(|toml| job(toml)).collect()
}

fn name(sample: &Directives) -> OptionName {
    sample.names().next().unwrap()
}

/// The options of two samples, if they are two.
fn both(one: &Directives, other: &Directives) -> Option<Directives> {
    (name(one) != name(other)).then(|| one.clone().with_fallback(other))
}

/// The job with what it needs, so that sbatch has no other reason to refuse it.
fn with_needs(job: Directives, samples: &[Directives]) -> Directives {
    let lacks = job.needs();
    let Some(need) = lacks.first() else {
        return job;
    };
    let met = samples
        .iter()
        .filter(|own| need.one_of.contains(&name(own)));
    let more = met.map(|own| job.clone().with_fallback(own));
    let mut more = more.filter(|more| {
        more.needs().len() < lacks.len() && more.conflicts().len() == job.conflicts().len()
    });
    more.next()
        .map_or(job.clone(), |more| with_needs(more, samples))
}

/// True for an option from which Slurm may count nodes, tasks or GPUs.
fn may_be_needed(name: OptionName) -> bool {
    const BEGINNINGS: [&str; 6] = ["nod", "ntasks", "gpus", "gres", "tres-", "extra-"];
    BEGINNINGS.iter().any(|own| name.long().starts_with(own))
}

/// All jobs to ask about: pairs that the crate refuses, what needs others beside each sample that
/// may be meant, and the list above.
fn jobs() -> Vec<Directives> {
    let samples = samples();
    let mut jobs: Vec<_> = JOBS.iter().map(|toml| job(toml)).collect();
    for (place, one) in samples.iter().enumerate() {
        if !one.needs().is_empty() {
            jobs.push(one.clone());
            let needs = one.needs();
            let is_asked = |other: &&Directives| {
                let other = name(other);
                may_be_needed(other) || needs.iter().any(|need| need.one_of.contains(&other))
            };
            let others = samples.iter().filter(is_asked);
            jobs.extend(others.filter_map(|other| both(one, other)));
        }
        let others = samples[place + 1..].iter();
        let pairs = others.filter_map(|other| both(one, other));
        let pairs = pairs.filter(|pair| !pair.conflicts().is_empty());
        jobs.extend(pairs.map(|pair| with_needs(pair, &samples)));
    }
    let mut seen = BTreeSet::new();
    jobs.retain(|job| seen.insert(job.arguments()));
    jobs
}

/// What a Slurm says of all jobs.
#[derive(Default)]
struct Told {
    /// Where it and the crate differ, and the list has no reason for it.
    faults: Vec<String>,
    /// The rows of the list that are the reason for something.
    reasons: BTreeSet<usize>,
}

impl Told {
    fn add(&mut self, slurm: &Slurm, job: &Directives) {
        if !job.unknown_to(slurm.release()).is_empty() {
            return;
        }
        let answer = slurm.submit(&[], &(job.header() + "true\n"));
        let what = match (job.check(None), answer.job) {
            (Ok(()), None) if !site_lacks(&answer.words) => {
                format!("sbatch refuses it: {}", answer.words)
            }
            (Err(error), Some(_)) => match refusals::reasons_together(job) {
                Some(reasons) => {
                    self.reasons.extend(reasons);
                    return;
                }
                None => format!("sbatch takes it, and the list has no reason: {error}"),
            },
            _ => return,
        };
        let options = job.arguments().join(" ");
        self.faults
            .push(format!("Slurm {}: {options}: {what}", slurm.version));
    }
}

/// True where the job is right, and asks for what is not there.
fn site_lacks(words: &str) -> bool {
    ["Requires more ports than can be reserved", "slurmdbd"]
        .iter()
        .any(|known| words.contains(known))
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn sbatch_refuses_what_excludes_or_lacks_another() {
    let lab = Lab::without_images();
    let _held = hold_controllers();
    let slurms = slurms(&lab);
    let jobs = jobs();
    let ask = |slurm: &Slurm| {
        let mut told = Told::default();
        for job in &jobs {
            told.add(slurm, job);
        }
        slurm.cancel_all();
        told
    };
    let told: Vec<_> = thread::scope(|scope| {
        let ask = &ask;
        let slurms = slurms.iter();
        let threads: Vec<_> = slurms
            .map(|slurm| scope.spawn(move || ask(slurm)))
            .collect();
        let told = threads.into_iter().map(|thread| thread.join().unwrap());
        told.collect()
    });
    println!("{} jobs for {} releases", jobs.len(), slurms.len());
    let mut faults: Vec<_> = told.iter().flat_map(|told| told.faults.clone()).collect();
    // A reason that nothing has does not belong on the list.
    let unused = refusals::together()
        .into_iter()
        .enumerate()
        .filter(|(row, _)| !told.iter().any(|told| told.reasons.contains(row)));
    faults.extend(unused.map(|(_, row)| format!("nothing was refused for {:?}", row.options)));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A pair that no sample is of would be asked of no sbatch.
#[test]
fn each_option_that_excludes_another_has_a_sample() {
    let sampled: BTreeSet<_> = samples().iter().map(name).collect();
    let mut runner = TestRunner::deterministic();
    let mut texts = Vec::new();
    for &(key, pattern, _) in ROWS {
        let name = OptionName::from_key(key).unwrap();
        let strategy = string_regex(pattern).unwrap();
        for _ in 0..5 {
            let text = strategy.new_tree(&mut runner).unwrap().current();
            let mut own = Directives::new();
            if own.set(name, &text).is_ok() {
                texts.push(own);
            }
        }
    }
    for (place, one) in texts.iter().enumerate() {
        let others = texts[place..].iter().filter_map(|other| both(one, other));
        let pairs = others.flat_map(|pair| pair.conflicts());
        let needs = one.needs().into_iter().map(|need| need.option);
        let named = pairs
            .flat_map(|pair| [pair.first, pair.second])
            .chain(needs);
        for name in named {
            assert!(sampled.contains(&name), "SAMPLES has nothing for {name}");
        }
    }
}
