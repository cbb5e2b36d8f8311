//! What runs at the site.

use serde::{Deserialize, Serialize};

use crate::container::PyxisRelease;
use crate::slurm::Release;

/// The releases that the cluster has: the settings' table `[cluster]`.
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
/// let cluster = Cluster {
///     slurm: Some("24.05".parse()?),
///     ..Cluster::default()
/// };
/// assert_eq!(Settings::new().with_cluster(cluster).cluster(), cluster);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Slurm's release, if it is named.
    pub slurm: Option<Release>,
    /// The release of pyxis, if it is named. Under another
    /// [runtime](crate::container::Runtime) it means nothing.
    pub pyxis: Option<PyxisRelease>,
}
