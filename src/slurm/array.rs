//! A job that is many: the indexes of its tasks.

use std::fmt;

use crate::value::{Fault, ValueError, at_most, only, positive_number, text_value, whole_number};

/// The indexes of a job array: a task for each, which is a job of its own.
///
/// Each task runs the whole script, with its index in `SLURM_ARRAY_TASK_ID`. A task of
/// launch.sh measures the whole sweep, and names its results `JOB-INDEX`: that is for
/// repeated runs.
///
/// # Syntax
///
/// Entries with commas between them, then perhaps `%LIMIT`:
///
/// * `N`: one index, from 0
/// * `FIRST-LAST`: all from the first to the last
/// * `FIRST-LAST:STEP`: each `STEP`th of them; `0-15:4` is `0,4,8,12`
/// * `LIMIT`: how many tasks may run at once, 1 at least; without it, as many as there
///   is room for
///
/// 4096 bytes at most. Indexes go up to 4000000; the highest is one less than the site's
/// `MaxArraySize`, 1000 where nothing else is set: `scontrol show config | grep
/// MaxArraySize`. Source: sbatch(1), `--array`, and slurm.conf(5).
///
/// # Errors
///
/// * `5-1`, `0-15:0`, `1-`, `a`
/// * `0-3%`, `0-3%0`: no number of tasks
/// * `%4`: Slurm reads index 0
/// * `4000001`: no site can allow it
/// * `[0-3]`: the brackets are noise
///
/// ```
/// use nim_slurm::slurm::Array;
///
/// let array = Array::parse("0-15:4%2")?;
/// assert_eq!(array.limit(), Some(2));
/// assert!(Array::parse("5-1").is_err());
/// assert_eq!((array.as_str(), array.indexes().count()), ("0-15:4%2", 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Array(String);

/// `FIRST-LAST:STEP`.
struct Stride {
    first: u32,
    last: u32,
    step: u32,
}

impl Stride {
    fn check(token: &str) -> Result<Self, Fault> {
        let (range, step) = token
            .split_once(':')
            .map_or((token, None), |(range, step)| (range, Some(step)));
        let bound = |text: &str| {
            if text.is_empty() {
                return Err(Fault::rule(INDEXES));
            }
            match whole_number(text)? {
                index if index > LARGEST_INDEX => Err(Fault::rule(format!(
                    "indexes up to {LARGEST_INDEX} are allowed"
                ))),
                index => Ok(index),
            }
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (bound(first)?, bound(last)?),
            None if step.is_some() => {
                return Err(Fault::rule("a step needs a range, as in 0-15:4"));
            }
            None => (bound(range)?, bound(range)?),
        };
        if first > last {
            return Err(Fault::rule(format!(
                "the range {range:?} descends: its first index must not be the larger one"
            )));
        }
        let step = step.map(positive_number).transpose()?.unwrap_or(1);
        Ok(Self { first, last, step })
    }
}

impl fmt::Display for Stride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, step } = self;
        match (first == last, step) {
            (true, _) => write!(f, "{first}"),
            (false, 1) => write!(f, "{first}-{last}"),
            (false, step) => write!(f, "{first}-{last}:{step}"),
        }
    }
}

const LARGEST_INDEX: u32 = 4_000_000;

fn check_task_limit(text: &str) -> Result<u32, Fault> {
    positive_number(text).map_err(|_| {
        Fault::rule(
            "the number of tasks that may run at once is allowed behind '%', 1 at least, as in 0-15%4",
        )
    })
}

const INDEXES: &str = "indexes such as 0-15, 1,3,5 or 0-15:4%2 are allowed";

impl Array {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_digit() || matches!(c, '-' | ',' | ':' | '%'),
            INDEXES,
        )?;
        at_most(text, 4096)?;
        let (indexes, limit) = text
            .split_once('%')
            .map_or((text, None), |(indexes, limit)| (indexes, Some(limit)));
        let limit = limit.map(check_task_limit).transpose()?;
        let tokens: Result<Vec<_>, _> = indexes
            .split(',')
            .map(|token| Stride::check(token).map(|stride| stride.to_string()))
            .collect();
        let limit = limit.map_or_else(String::new, |limit| format!("%{limit}"));
        Ok(Self(tokens?.join(",") + &limit))
    }

    /// All indexes of a range.
    ///
    /// # Errors
    ///
    /// When the range is empty.
    ///
    /// ```
    /// use nim_slurm::slurm::Array;
    ///
    /// assert_eq!(Array::from_range(0..=15)?.as_str(), "0-15");
    /// assert!(Array::from_range(5..=1).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_range(range: std::ops::RangeInclusive<u32>) -> Result<Self, ValueError> {
        Self::parse(&format!("{}-{}", range.start(), range.end()))
    }

    /// The indexes, as they are given; one that is given twice comes twice.
    ///
    /// ```
    /// use nim_slurm::slurm::Array;
    ///
    /// assert!(Array::parse("7,0-8:4%2")?.indexes().eq([7, 0, 4, 8]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn indexes(&self) -> impl Iterator<Item = u32> {
        let indexes = self
            .0
            .split_once('%')
            .map_or(&*self.0, |(indexes, _)| indexes);
        // Each was checked when the value was made.
        indexes
            .split(',')
            .filter_map(|token| Stride::check(token).ok())
            .flat_map(|stride| (stride.first..=stride.last).step_by(stride.step as usize))
    }

    /// How many tasks may run at once, if that is limited.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.0
            .split_once('%')
            .and_then(|(_, limit)| limit.parse().ok())
    }
}

text_value!(Array, "array");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn arrays() {
        for text in ["0-15", "1,3,5", "0-15:4", "0-15%4", "7"] {
            accepts::<Array>(text, text);
        }
        accepts::<Array>("07,3-3:2,0-4:1%02", "7,3,0-4%2");
        refuses::<Array>(
            "5-1",
            "cannot take \"5-1\" as array: the range \"5-1\" descends: its first index must not be the larger one",
        );
        for text in ["0-3%", "0-3%0", "0-3%2%1", "0-3%9999999999"] {
            refuses::<Array>(
                text,
                &format!(
                    "cannot take {text:?} as array: the number of tasks that may run at once is allowed behind '%', \
                     1 at least, as in 0-15%4"
                ),
            );
        }
        for text in [
            "", "a", "0-15:0", "1-", "-1", "%4", "[0-3]", "1,", "1:2", "0-3%0", "0-3%2%1", "0-1-2",
        ] {
            assert!(Array::parse(text).is_err(), "{text}");
        }
    }
}
