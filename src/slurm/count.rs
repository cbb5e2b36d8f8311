//! Numbers of tasks, CPUs, and nodes.

use std::fmt;
use std::num::NonZeroU32;

use crate::value::{Fault, positive_number, value};

/// A number of tasks or CPUs.
///
/// # Syntax
///
/// A whole number from 1 to 2147483646. Source: sbatch(1), `--ntasks`,
/// `--cpus-per-task`.
///
/// # Errors
///
/// * `0`, `-1`, `+4`, `4k`, `1.5`
///
/// ```
/// use nim_slurm::slurm::Count;
///
/// assert_eq!(Count::parse("16")?.get(), 16);
/// assert!(Count::parse("0").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(NonZeroU32);

impl Count {
    pub(super) fn check(text: &str) -> Result<Self, Fault> {
        let number = positive_number(text)?;
        NonZeroU32::new(number)
            .map(Self)
            .ok_or_else(|| Fault::rule("it must be at least 1"))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(Count, "count");

/// How many nodes: a number, or a range.
///
/// # Syntax
///
/// `N` or `MIN-MAX`, whole numbers of at least 1. Source: sbatch(1), `--nodes`.
///
/// # Errors
///
/// * `0` and `0-2`: Slurm takes them for a job without nodes
/// * `-4`: Slurm reads one to four
/// * `4-1`: the range is empty
/// * `1k`: Slurm reads 1024
///
/// ```
/// use nim_slurm::slurm::NodeCount;
///
/// let nodes = NodeCount::parse("2-4")?;
/// assert_eq!((nodes.min(), nodes.max()), (2, 4));
/// assert!(NodeCount::parse("4-1").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeCount {
    min: u32,
    max: u32,
}

impl NodeCount {
    fn check(text: &str) -> Result<Self, Fault> {
        let (min, max) = match text.split_once('-') {
            Some((min, max)) if !min.is_empty() && !max.is_empty() => {
                (positive_number(min)?, positive_number(max)?)
            }
            Some(_) => return Err(Fault::rule("a range needs both ends, as in 1-4")),
            None => {
                let number = positive_number(text)?;
                (number, number)
            }
        };
        if min > max {
            return Err(Fault::rule(
                "the range is empty: its first number must not be the larger one",
            ));
        }
        Ok(Self { min, max })
    }

    /// The fewest nodes that will do.
    #[must_use]
    pub const fn min(self) -> u32 {
        self.min
    }

    /// The most nodes that are of use.
    #[must_use]
    pub const fn max(self) -> u32 {
        self.max
    }
}

impl fmt::Display for NodeCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{}-{}", self.min, self.max)
        }
    }
}

value!(NodeCount, "node count");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn counts() {
        accepts::<Count>("1", "1");
        accepts::<Count>("016", "16");
        refuses::<Count>("0", "cannot take \"0\" as count: it must be at least 1");
        refuses::<Count>(
            "-1",
            "unexpected character '-' in count \"-1\": a whole number is allowed",
        );
        refuses::<Count>(
            "2147483647",
            "cannot take \"2147483647\" as count: it is too large: at most 2147483646 is allowed",
        );
    }

    #[test]
    fn nodes() {
        accepts::<NodeCount>("1", "1");
        accepts::<NodeCount>("2-2", "2");
        accepts::<NodeCount>("2-8", "2-8");
        refuses::<NodeCount>(
            "-4",
            "cannot take \"-4\" as node count: a range needs both ends, as in 1-4",
        );
        refuses::<NodeCount>(
            "0-2",
            "cannot take \"0-2\" as node count: it must be at least 1",
        );
        refuses::<NodeCount>(
            "1k",
            "unexpected character 'k' in node count \"1k\": a whole number is allowed",
        );
        refuses::<NodeCount>(
            "4-1",
            "cannot take \"4-1\" as node count: the range is empty: its first number must not be the larger one",
        );
    }
}
