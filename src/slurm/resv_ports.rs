//! Ports of the nodes that a job keeps for itself.

use std::fmt;

use super::SmallCount;
use crate::value::{Fault, from_number, value};

/// Ports that Slurm reserves for the job's communication (Slurm 24.05).
///
/// # Syntax
///
/// `true`: as many as Slurm thinks right; or how many, from 1 to 65533. The job
/// needs `--stepmgr`. Source: sbatch(1), `--resv-ports`.
///
/// # Errors
///
/// * `0`, `8000-8010`
///
/// ```
/// use nim_slurm::slurm::{Directives, ResvPorts};
///
/// assert_eq!(Directives::new().resv_ports(ResvPorts::AUTO).arguments(), ["--resv-ports"]);
/// assert_eq!(ResvPorts::parse("4")?.count(), Some(4));
/// assert!(ResvPorts::parse("8000-8010").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResvPorts(Option<SmallCount>);

impl ResvPorts {
    /// As many as Slurm thinks right.
    pub const AUTO: Self = Self(None);

    fn check(text: &str) -> Result<Self, Fault> {
        if matches!(text, "" | "true") {
            return Ok(Self::AUTO);
        }
        SmallCount::check(text).map(|count| Self(Some(count)))
    }

    /// How many, unless Slurm is to say it.
    #[must_use]
    pub fn count(self) -> Option<u16> {
        self.0.map(SmallCount::get)
    }
}

impl fmt::Display for ResvPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => count.fmt(f),
            None => f.write_str("true"),
        }
    }
}

value!(ResvPorts, "number of ports");
from_number!(ResvPorts);
