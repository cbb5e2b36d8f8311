//! What runs the containers.

use serde::{Deserialize, Serialize};

/// What runs the containers of a job.
///
/// ```
/// use nim_slurm::container::Runtime;
///
/// assert_eq!(Runtime::default(), Runtime::Pyxis);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Runtime {
    /// The pyxis plugin of Slurm with enroot: `srun --container-image`.
    #[default]
    Pyxis,
}
