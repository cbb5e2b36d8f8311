//! What the controllers have of what an option may name, and what they have not
//! (tests/lab/controller.conf.in).

use nim_slurm::slurm::{Directives, NodeList, OptionName};

use super::slurms::Answer;

const FEATURES: [&str; 4] = ["h100", "nvme", "rack1", "rack2"];
const FILES: [&str; 4] = ["nodes", "more nodes", "nodes #1 (ü)", "variables"];
const LICENCES: [&str; 3] = ["ansys", "matlab@lic1", "flex-lm"];

/// What sbatch says of a job that is larger than the cluster, or asks for what only
/// another configuration has; and of what.
const REFUSED_FOR_ITS_SIZE: &[(&str, &str)] = &[
    (
        "Requested node configuration is not available",
        "nodes so large",
    ),
    ("Node count specification invalid", "so many nodes"),
    ("Requires more ports than can be reserved", "so many ports"),
    (
        "Preemption is required but is disabled",
        "preemption, of which R in a signal warns",
    ),
    (
        "Invalid accounting frequency requested",
        "samples so rare, of a job's memory",
    ),
    (
        "MULTIPLE_SHARING_GRES_PJ",
        "several tasks on a shared GPU, which a site must allow",
    ),
    (
        "Requested operation not supported on this system",
        "requeue=expedite, which a site must allow",
    ),
];

/// What a job needs and this site has not, if that is why it was refused.
pub(super) fn lacks(
    name: OptionName,
    directives: &Directives,
    answer: &Answer,
) -> Option<&'static str> {
    use OptionName as O;
    let size = REFUSED_FOR_ITS_SIZE
        .iter()
        .find(|(words, _)| answer.words.contains(words));
    if let Some((_, what)) = size {
        return Some(what);
    }
    let text = directives.get(name)?;
    let has_all = |parts: &[&str], known: &[&str]| parts.iter().all(|part| known.contains(part));
    let (has_it, what) = match name {
        O::Constraint | O::Prefer | O::Batch => {
            let names: Vec<_> = text
                .split(['&', '|', ',', '(', ')', '[', ']'])
                .map(|name| name.split('*').next().unwrap())
                .filter(|name| !name.is_empty())
                .collect();
            (has_all(&names, &FEATURES), "such a feature")
        }
        O::Nodelist | O::Exclude => {
            let all: Vec<_> = (1..=64).map(|number| format!("node{number}")).collect();
            let list = NodeList::parse(&text).unwrap();
            let has_all = list.hosts().all(|host| all.contains(&host));
            (has_all, "such a node")
        }
        O::Nodefile | O::Bbf | O::ExportFile => (
            FILES.contains(&text.trim_start_matches("./")),
            "such a file",
        ),
        O::Partition => {
            let names: Vec<_> = text.split(',').collect();
            (has_all(&names, &["batch", "gpu"]), "such a partition")
        }
        O::Reservation => {
            let names: Vec<_> = text.split(',').collect();
            (has_all(&names, &["bench", "maint"]), "such a reservation")
        }
        O::Licenses => {
            let entries = directives_licences(&text);
            let has_all = entries
                .iter()
                .all(|&(name, count)| LICENCES.contains(&name) && count <= 1000);
            (has_all, "such licences")
        }
        // No resources are described here; a licence's name will do.
        O::Resources => {
            let entries = directives_licences(&text);
            let has_all = entries
                .iter()
                .all(|&(name, count)| LICENCES.contains(&name) && count <= 1000);
            (has_all, "such a resource")
        }
        O::Gres => {
            let is_known = |entry: &str| {
                let name = entry.split(':').next().unwrap();
                ["gpu", "shard", "localscratch", "nvme-local"].contains(&name)
            };
            (text.split(',').all(is_known), "such a generic resource")
        }
        // Licences in there need slurmdbd.
        O::TresPerTask if text.contains("license/") => (false, "licences that are accounted for"),
        O::TresPerTask => {
            let is_known = |entry: &str| {
                let name = entry.split([':', '=']).next().unwrap();
                matches!(name, "cpu" | "gres/gpu" | "gres/shard")
            };
            (text.split(',').all(is_known), "such a generic resource")
        }
        O::Dependency => (text == "singleton", "such a job"),
        // Slurm looks each name of a list up there, but not one that stands alone.
        O::Qos => (!text.contains(','), "several QOS, and slurmdbd"),
        O::Clusters => (false, "another cluster, and slurmdbd"),
        _ => (true, ""),
    };
    (!has_it).then_some(what)
}

fn directives_licences(text: &str) -> Vec<(&str, u32)> {
    text.split([',', '|'])
        .map(|entry| {
            let (name, count) = entry.split_once(':').unwrap_or((entry, "1"));
            (name, count.parse().unwrap_or(u32::MAX))
        })
        .collect()
}
