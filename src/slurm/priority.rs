//! Which of a user's jobs come first.

use std::fmt;

use crate::value::{Fault, from_number, only, value};

/// How far the job steps back behind others.
///
/// # Syntax
///
/// A whole number from -2147483645 to 2147483645; a larger one is a lower
/// priority. Only operators may give a negative one. sbatch reads the option alone
/// as 100; here `true` is that. Source: sbatch(1), `--nice`.
///
/// # Errors
///
/// * `x`: Slurm would read 0
/// * `+5`, `1.5`, `2147483646`
///
/// ```
/// use nim_slurm::slurm::Nice;
///
/// assert_eq!(Nice::parse("-5")?.get(), -5);
/// assert!(Nice::parse("x").is_err());
/// assert_eq!(Nice::DEFAULT.get(), 100); // what a bare --nice means
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nice(i32);

impl Nice {
    /// What sbatch takes for the option alone.
    pub const DEFAULT: Self = Self(100);
    const MOST: i32 = 2_147_483_645;

    fn check(text: &str) -> Result<Self, Fault> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        only(
            digits,
            |c| c.is_ascii_digit(),
            "a whole number is allowed, also a negative one",
        )?;
        let number = text.parse().ok();
        let fits = number.filter(|n| (-Self::MOST..=Self::MOST).contains(n));
        fits.map(Self).ok_or_else(|| {
            Fault::rule(format!(
                "numbers from -{most} to {most} are allowed",
                most = Self::MOST
            ))
        })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Nice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(Nice, "nice value");
from_number!(Nice);

/// The job's priority, which only operators may set.
///
/// # Syntax
///
/// `TOP`, in any case: before all other jobs of the user; or a whole number from 1
/// to 4294967292. Source: sbatch(1), `--priority`.
///
/// # Errors
///
/// * `0`: the job would be held for good; there is `--hold` for that
/// * `x`: Slurm would read 0
/// * `4294967293`: Slurm's own number for `TOP`
///
/// ```
/// use nim_slurm::slurm::Priority;
///
/// assert_eq!(Priority::parse("top")?, Priority::TOP);
/// assert_eq!(Priority::parse("1000")?.get(), Some(1000));
/// assert!(Priority::parse("x").is_err());
/// assert_eq!(Priority::try_from(1000)?.get(), Some(1000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Priority(Option<u32>);

impl Priority {
    /// Before all other jobs of the user.
    pub const TOP: Self = Self(None);
    const MOST: u32 = 4_294_967_292;

    fn check(text: &str) -> Result<Self, Fault> {
        if text.eq_ignore_ascii_case("top") {
            return Ok(Self::TOP);
        }
        only(
            text,
            |c| c.is_ascii_digit(),
            "TOP or a whole number is allowed",
        )?;
        let fits = text.parse().ok().filter(|n| (1..=Self::MOST).contains(n));
        fits.map(|number| Self(Some(number))).ok_or_else(|| {
            Fault::rule(format!(
                "TOP and numbers from 1 to {} are allowed",
                Self::MOST
            ))
        })
    }

    /// The number; none for [`TOP`](Self::TOP).
    #[must_use]
    pub const fn get(self) -> Option<u32> {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("TOP"),
        }
    }
}

value!(Priority, "priority");
from_number!(Priority);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn nice() {
        accepts::<Nice>("-2147483645", "-2147483645");
        refuses::<Nice>(
            "2147483646",
            "cannot take \"2147483646\" as nice value: numbers from -2147483645 to 2147483645 are allowed",
        );
        for text in ["", "-", "--5", "+5", "5 ", "99999999999"] {
            assert!(Nice::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn priority() {
        accepts::<Priority>("Top", "TOP");
        accepts::<Priority>("4294967292", "4294967292");
        refuses::<Priority>(
            "0",
            "cannot take \"0\" as priority: TOP and numbers from 1 to 4294967292 are allowed",
        );
        for text in ["-1", "x", "", "4294967294"] {
            assert!(Priority::parse(text).is_err(), "{text}");
        }
    }
}
