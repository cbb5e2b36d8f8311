//! Memory that Slurm takes back.

use std::fmt;

use super::SmallCount;
use crate::value::{Fault, value};

/// When Slurm lowers a job's memory to what it uses (Slurm 26.05).
///
/// # Syntax
///
/// `MARGIN@DELAY`: whole numbers from 1 to 65533, without units. Source: sbatch(1) of
/// 26.05, `--mem-update`.
///
/// # Errors
///
/// * `10`, `10@`, `10%@60`
/// * `10@86400`: Slurm keeps either in 16 bits
///
/// ```
/// use nim_slurm::slurm::MemUpdate;
///
/// let update = MemUpdate::parse("10@60")?;
/// assert_eq!((update.margin(), update.delay()), (10, 60));
/// assert!(MemUpdate::parse("10").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemUpdate {
    margin: SmallCount,
    delay: SmallCount,
}

impl MemUpdate {
    fn check(text: &str) -> Result<Self, Fault> {
        let (margin, delay) = text
            .split_once('@')
            .ok_or_else(|| Fault::rule("MARGIN@DELAY is allowed, as in 10@60"))?;
        Ok(Self {
            margin: SmallCount::check(margin)?,
            delay: SmallCount::check(delay)?,
        })
    }

    /// What the job keeps beyond what it uses.
    #[must_use]
    pub const fn margin(self) -> u16 {
        self.margin.get()
    }

    /// How long Slurm waits first.
    #[must_use]
    pub const fn delay(self) -> u16 {
        self.delay.get()
    }
}

impl fmt::Display for MemUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.margin, self.delay)
    }
}

value!(MemUpdate, "memory update");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn forms() {
        accepts::<MemUpdate>("10@060", "10@60");
        refuses::<MemUpdate>(
            "10",
            "cannot take \"10\" as memory update: MARGIN@DELAY is allowed, as in 10@60",
        );
        for text in ["", "@", "10@", "10%@60", "0@1", "1@2@3"] {
            assert!(MemUpdate::parse(text).is_err(), "{text}");
        }
    }
}
