//! What runs at the site, and what its cluster can do.

use serde::{Deserialize, Serialize};

use super::values::{FolderPath, ModuleName, NoProxy, ProxyUrl};
use crate::container::PyxisRelease;
use crate::slurm::{Count, Directives, GpuType, OptionName, Release};

/// What the cluster has and can do: the settings' table `[cluster]`. One recipe then
/// renders for all clusters.
///
/// What a release does not know is refused by the [`Plan`](crate::Plan), with the
/// release that brought it. Where none is named, what any known release takes is
/// taken.
///
/// ```
/// use nim_slurm::{Cluster, Plan, Recipe, Settings};
///
/// let settings = Settings::from_toml(
///     "cluster = { slurm = '23.11', pyxis = '0.20' }\nslurm = { segment = 4 }",
/// )?;
/// let problems = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// assert!(problems.to_string().contains("Slurm 23.11 does not know --segment"));
///
/// let mut cluster = Cluster::default();
/// cluster.slurm = Some("24.05".parse()?);
/// assert_eq!(Settings::new().with_cluster(cluster.clone()).cluster(), &cluster);
///
/// // The recipe says how many GPUs its server uses; the site, how they are asked for.
/// let settings = Settings::from_toml("cluster = { gpus = 'gres', gpu_type = 'h100', nodes = 'shared' }")?;
/// let launch = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?.launch();
/// assert!(launch.text().contains("\n#SBATCH --gres=gpu:h100:4\n"));
/// assert!(!launch.text().contains("\n#SBATCH --exclusive\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Cluster {
    /// Slurm's release, if it is named.
    pub slurm: Option<Release>,
    /// The release of pyxis, if it is named. Under another
    /// [runtime](crate::container::Runtime) it means nothing.
    pub pyxis: Option<PyxisRelease>,
    /// How `launch.sh` asks for GPUs, where no option of `[slurm]` does.
    pub gpus: Option<GpuRequest>,
    /// The type of GPU that it asks for.
    pub gpu_type: Option<GpuType>,
    /// How many GPUs of each node it asks for, whatever the server uses: all that a node has, where jobs have
    /// whole nodes. By default as many as the server uses. With shared nodes it is refused.
    pub gpus_on_node: Option<Count>,
    /// Whether `launch.sh` has its nodes for itself. By default as the recipe says.
    pub nodes: Option<NodeUse>,
    /// Modules that each script loads first.
    pub modules: Vec<ModuleName>,
    /// Where enroot keeps what it has fetched, unless `ENROOT_CACHE_PATH` is set: a folder of one user, since
    /// enroot keeps it from others.
    pub enroot_cache_path: Option<FolderPath>,
    /// Where enroot unpacks, unless `ENROOT_TEMP_PATH` is set: a large folder, of one user or open to all
    /// (`chmod 1777`).
    pub enroot_temp_path: Option<FolderPath>,
    /// The way to the network outside.
    pub proxy: Proxy,
}

/// How a cluster is asked for GPUs.
///
/// ```
/// use nim_slurm::slurm::OptionName;
/// use nim_slurm::{Cluster, GpuRequest, Plan, Recipe, ScriptKind, Settings};
///
/// let mut cluster = Cluster::default();
/// cluster.gpus = Some(GpuRequest::GpusPerNode);
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new().with_cluster(cluster))?;
/// let launch = plan.directives(ScriptKind::Launch);
/// assert_eq!(launch.option(OptionName::GpusPerNode).as_deref(), Some("--gpus-per-node=4"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GpuRequest {
    /// `--gres=gpu:…`, which every Slurm with GPUs knows.
    Gres,
    /// `--gpus-per-node=…`, which needs the scheduler `cons_tres`.
    GpusPerNode,
    /// Not at all: Slurm does not manage GPUs there.
    None,
}

/// Whether jobs have their nodes for themselves.
///
/// ```
/// use nim_slurm::slurm::OptionName;
/// use nim_slurm::{Cluster, NodeUse, Plan, Recipe, ScriptKind, Settings};
///
/// let mut cluster = Cluster::default();
/// cluster.nodes = Some(NodeUse::Shared);
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new().with_cluster(cluster))?;
/// assert!(!plan.directives(ScriptKind::Launch).is_set(OptionName::Exclusive));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeUse {
    /// A job has its nodes and all their memory.
    Exclusive,
    /// Jobs share nodes: a recipe's `exclusive`, and its `mem = "0"`, which is all memory
    /// of a node, are left out.
    Shared,
}

/// Variables that lead programs to the network outside, where a job or shell has not set
/// them already.
///
/// ```
/// use nim_slurm::{Plan, Recipe, Settings};
///
/// let settings = Settings::from_toml("cluster.proxy.https = 'http://proxy.site:3128'")?;
/// let setup = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?.setup();
/// assert!(setup.text().contains("'https_proxy=http://proxy.site:3128'"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Proxy {
    /// `http_proxy`.
    pub http: Option<ProxyUrl>,
    /// `https_proxy`.
    pub https: Option<ProxyUrl>,
    /// `no_proxy`: hosts that are reached without it.
    pub no_proxy: Option<NoProxy>,
}

impl Proxy {
    /// `NAME=VALUE` each, in small letters.
    pub(crate) fn assignments(&self) -> Vec<String> {
        let Self {
            http,
            https,
            no_proxy,
        } = self;
        [
            http.as_ref().map(|url| format!("http_proxy={url}")),
            https.as_ref().map(|url| format!("https_proxy={url}")),
            no_proxy.as_ref().map(|hosts| format!("no_proxy={hosts}")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Cluster {
    /// What launch.sh asks for on this cluster, over what the recipe says.
    pub(crate) fn launch(&self, gpus_per_node: u32, recipe: &Directives) -> Directives {
        let mut own = Directives::new();
        let mut set = |name, text: &str| {
            own.set(name, text)
                .expect("a count and a checked type are a request");
        };
        let kind = self.gpu_type.as_ref();
        let kind = kind.map(|kind| format!("{kind}:")).unwrap_or_default();
        let used = Count::try_from(gpus_per_node).ok();
        match (self.gpus, self.gpus_on_node.or(used)) {
            (Some(GpuRequest::Gres), Some(count)) => {
                set(OptionName::Gres, &format!("gpu:{kind}{count}"));
            }
            (Some(GpuRequest::GpusPerNode), Some(count)) => {
                set(OptionName::GpusPerNode, &format!("{kind}{count}"));
            }
            _ => {}
        }
        match self.nodes {
            Some(NodeUse::Exclusive) => {
                set(OptionName::Exclusive, "true");
                set(OptionName::Mem, "0");
            }
            Some(NodeUse::Shared) => {
                own = own.without(OptionName::Exclusive);
                if recipe.get(OptionName::Mem).as_deref() == Some("0") {
                    own = own.without(OptionName::Mem);
                }
            }
            None => {}
        }
        own
    }

    /// A key that means nothing without another.
    pub(crate) const fn key_without_gpus(&self) -> Option<&'static str> {
        match self.gpus {
            Some(GpuRequest::Gres | GpuRequest::GpusPerNode) => None,
            _ if self.gpu_type.is_some() => Some("gpu_type"),
            _ if self.gpus_on_node.is_some() => Some("gpus_on_node"),
            _ => None,
        }
    }

    /// The GPUs that a job would have for itself on nodes that it shares.
    pub(crate) fn gpus_of_shared_node(&self) -> Option<u32> {
        let is_shared = self.nodes == Some(NodeUse::Shared);
        let gpus = self.gpus_on_node.filter(|_| is_shared)?;
        self.key_without_gpus().is_none().then_some(gpus.get())
    }
}
