//! How many leaf switches of the network a job may spread over.

use std::fmt;

use super::{Count, TimeLimit};
use crate::value::{Fault, value};

/// The most switches, and how long to wait for so few.
///
/// # Syntax
///
/// `COUNT` or `COUNT@TIME`; `TIME` as in [`TimeLimit`], but not rounded, so that
/// **`1@10:00` waits ten minutes**. The site's `max_switch_wait`, by default five minutes, is the most, and
/// holds where none is given. Source: sbatch(1), `--switches`.
///
/// # Errors
///
/// * `0`, `1@`
/// * `1@soon`: Slurm would drop the time silently
///
/// ```
/// use nim_slurm::slurm::Switches;
/// use std::time::Duration;
///
/// let switches = Switches::parse("1@10:00")?;
/// assert_eq!(switches.count(), 1);
/// assert_eq!(switches.max_wait(), Some(Duration::from_secs(600)));
/// assert!(Switches::parse("1@soon").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Switches {
    count: Count,
    wait: Option<TimeLimit>,
}

impl Switches {
    pub(super) fn check(text: &str) -> Result<Self, Fault> {
        let (count, wait) = match text.split_once('@') {
            Some((count, wait)) => (count, Some(TimeLimit::check(wait)?)),
            None => (text, None),
        };
        Ok(Self {
            count: Count::check(count)?,
            wait,
        })
    }

    /// The most switches.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count.get()
    }

    /// How long to wait for so few; none where the site's own time holds, and where
    /// it is unlimited.
    #[must_use]
    pub fn max_wait(&self) -> Option<std::time::Duration> {
        self.wait.as_ref().and_then(TimeLimit::exact)
    }
}

impl fmt::Display for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wait {
            Some(wait) => write!(f, "{}@{wait}", self.count),
            None => self.count.fmt(f),
        }
    }
}

value!(Switches, "number of switches");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn with_and_without_a_time() {
        accepts::<Switches>("2", "2");
        accepts::<Switches>("1@1-00:00", "1@1-00:00");
        refuses::<Switches>(
            "0",
            "cannot take \"0\" as number of switches: it must be at least 1",
        );
        for text in ["", "1@", "1@x", "@5", "1@0", "x"] {
            assert!(Switches::parse(text).is_err(), "{text}");
        }
    }
}
