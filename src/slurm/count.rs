//! Numbers of tasks, CPUs, and nodes.

use std::fmt;
use std::num::NonZeroU32;

use crate::value::{Fault, ValueError, from_number, positive_number, value, whole_number};

/// A number of tasks of a job.
///
/// # Syntax
///
/// A whole number from 1 to 2147483646. Source: sbatch(1), `--ntasks`.
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
/// assert_eq!(Count::try_from(16)?.get(), 16);
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
from_number!(Count);

/// Makes types of whole numbers within bounds.
macro_rules! bounded_numbers {
    ($($(#[$doc:meta])* $type:ident, $name:literal, $least:literal, $most:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $type(u16);

            impl $type {
                pub(super) fn check(text: &str) -> Result<Self, Fault> {
                    let number = whole_number(text)?;
                    let fits = u16::try_from(number).ok().filter(|n| ($least..=$most).contains(n));
                    fits.map(Self).ok_or_else(|| {
                        Fault::rule(concat!("numbers from ", $least, " to ", $most, " are allowed"))
                    })
                }

                /// The number.
                #[must_use]
                pub const fn get(self) -> u16 {
                    self.0
                }
            }

            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }

            value!($type, $name);
            from_number!($type);
        )*
    };
}

bounded_numbers! {
    /// A number of CPUs, cores, sockets or tasks of one node or task.
    ///
    /// # Syntax
    ///
    /// A whole number from 1 to 65533. Slurm keeps it in 16 bits and checks no
    /// bounds: of `--cpus-per-task=65540` it would keep 4. Source: Slurm's
    /// `slurm.h`, `job_desc_msg_t`.
    ///
    /// # Errors
    ///
    /// * `0`, `-1`, `65534`
    ///
    /// ```
    /// use nim_slurm::slurm::SmallCount;
    ///
    /// assert_eq!(SmallCount::parse("16")?.get(), 16);
    /// assert!(SmallCount::parse("65540").is_err());
    /// assert_eq!(SmallCount::try_from(16)?.get(), 16);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    SmallCount, "count", 1, 65533;

    /// Cores of each node that are kept for the system.
    ///
    /// # Syntax
    ///
    /// A whole number from 0 to 32767; one bit more marks threads. A site must allow
    /// it (`AllowSpecResourcesUsage`), else Slurm ignores it. Source: sbatch(1),
    /// `--core-spec`.
    ///
    /// # Errors
    ///
    /// * `-1`, `40000`
    ///
    /// ```
    /// use nim_slurm::slurm::CoreSpec;
    ///
    /// assert_eq!(CoreSpec::parse("0")?.get(), 0);
    /// assert!(CoreSpec::parse("40000").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    CoreSpec, "number of system cores", 0, 32767;

    /// Threads of each node that are kept for the system.
    ///
    /// # Syntax
    ///
    /// A whole number from 1 to 32767; old releases refuse 0. A site must
    /// allow it (`AllowSpecResourcesUsage`), else Slurm ignores it. Source:
    /// sbatch(1), `--thread-spec`.
    ///
    /// # Errors
    ///
    /// * `0`, `40000`
    ///
    /// ```
    /// use nim_slurm::slurm::ThreadSpec;
    ///
    /// assert_eq!(ThreadSpec::parse("2")?.get(), 2);
    /// assert!(ThreadSpec::parse("0").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ThreadSpec, "number of system threads", 1, 32767;
}

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
/// assert!(nodes.range().contains(&3));
/// assert_eq!(NodeCount::try_from(2)?.to_string(), "2");
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
                let allowed = "a number or a range is allowed, as in 4 or 2-4";
                let number = positive_number(text).map_err(|fault| fault.allowing(allowed))?;
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

    /// From as many nodes as `range` begins with to as many as it ends with.
    ///
    /// # Errors
    ///
    /// When the range begins with 0 or is empty.
    ///
    /// ```
    /// use nim_slurm::slurm::NodeCount;
    ///
    /// assert_eq!(NodeCount::between(2..=4)?.to_string(), "2-4");
    /// assert!(NodeCount::between(0..=4).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn between(range: std::ops::RangeInclusive<u32>) -> Result<Self, ValueError> {
        Self::parse(&format!("{}-{}", range.start(), range.end()))
    }

    /// The numbers of nodes that will do.
    #[must_use]
    pub const fn range(self) -> std::ops::RangeInclusive<u32> {
        self.min..=self.max
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
from_number!(NodeCount);

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
            "unexpected character '-' in count \"-1\": digits alone are allowed, as in 8",
        );
        refuses::<Count>(
            "2147483647",
            "cannot take \"2147483647\" as count: it is too large: at most 2147483646 is allowed",
        );
    }

    #[test]
    fn small_numbers() {
        accepts::<SmallCount>("65533", "65533");
        accepts::<CoreSpec>("0", "0");
        refuses::<SmallCount>(
            "65540",
            "cannot take \"65540\" as count: numbers from 1 to 65533 are allowed",
        );
        refuses::<ThreadSpec>(
            "0",
            "cannot take \"0\" as number of system threads: numbers from 1 to 32767 are allowed",
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
            "unexpected character 'k' in node count \"1k\": a number or a range is allowed, as in 4 or 2-4",
        );
        refuses::<NodeCount>(
            "4-1",
            "cannot take \"4-1\" as node count: the range is empty: its first number must not be the larger one",
        );
    }
}
