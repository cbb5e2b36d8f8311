//! Jobs, and how one waits for another; arrays of them.

use std::fmt;

use super::Count;
use crate::value::{Fault, only, positive_number, text_value, value, whole_number};

/// A job's number.
///
/// # Syntax
///
/// A whole number of at least 1. Source: sbatch(1).
///
/// # Errors
///
/// * `0`, `12_3` (a task of an array), `job12`
///
/// ```
/// use nim_slurm::slurm::JobId;
///
/// assert_eq!(JobId::parse("4711")?.to_string(), "4711");
/// assert!(JobId::parse("0").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Count);

impl JobId {
    fn check(text: &str) -> Result<Self, Fault> {
        Count::check(text).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(JobId, "job id");

/// What must happen before a job may start.
///
/// # Syntax
///
/// * `singleton`: no other job of this name and user runs
/// * `TYPE:JOB[:JOB…]`, `TYPE` one of `after`, `afterany`, `afterok`, `afternotok`,
///   `aftercorr`, `afterburstbuffer`; `JOB` a job id, with `_TASK` or `_*` for an
///   array's; behind `after`, `+MINUTES` may follow each
///
/// Several with `,` between them must all hold, with `?` one is enough. Source:
/// sbatch(1), `--dependency`.
///
/// # Errors
///
/// * `afterok`, `afterok:0`, `4711` (say `afterany:4711`)
/// * `afterok:1,afterok:2?afterok:3`: `,` and `?` cannot be mixed
///
/// ```
/// use nim_slurm::slurm::{Dependency, JobId};
///
/// let dependency = Dependency::after_ok([JobId::parse("7")?, JobId::parse("8")?]);
/// assert_eq!(dependency.as_str(), "afterok:7:8");
/// assert!(Dependency::parse("afterok:").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dependency(String);

impl Dependency {
    /// Waits until all these jobs have ended with exit code 0. One that ends
    /// otherwise keeps this one waiting for good, or ends it, as the site has it.
    #[must_use]
    pub fn after_ok(jobs: impl IntoIterator<Item = JobId>) -> Self {
        Self::after("afterok", jobs)
    }

    /// Waits until all these jobs have ended, in whatever way.
    #[must_use]
    pub fn after_any(jobs: impl IntoIterator<Item = JobId>) -> Self {
        Self::after("afterany", jobs)
    }

    fn after(kind: &str, jobs: impl IntoIterator<Item = JobId>) -> Self {
        let jobs = jobs
            .into_iter()
            .fold(String::new(), |text, job| format!("{text}:{job}"));
        // Without a job there is nothing to wait for but the job's own kind.
        Self(if jobs.is_empty() {
            "singleton".to_owned()
        } else {
            format!("{kind}{jobs}")
        })
    }

    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "TYPE:JOB is allowed, as in afterok:4711";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, ':' | ',' | '?' | '_' | '*' | '+'),
            ALLOWED,
        )?;
        if text.contains(',') && text.contains('?') {
            return Err(Fault::rule("',' (all) and '?' (any) cannot be mixed"));
        }
        let canonical = text.to_ascii_lowercase();
        canonical.split([',', '?']).try_for_each(Self::check_item)?;
        Ok(Self(canonical))
    }

    fn check_item(item: &str) -> Result<(), Fault> {
        const KINDS: [&str; 6] = [
            "after",
            "afterany",
            "afterok",
            "afternotok",
            "aftercorr",
            "afterburstbuffer",
        ];
        if item == "singleton" {
            return Ok(());
        }
        let (kind, jobs) = item.split_once(':').unwrap_or((item, ""));
        if !KINDS.contains(&kind) {
            return Err(Fault::rule(format!(
                "{kind:?} is no kind of dependency: {} and singleton are allowed",
                KINDS.join(", ")
            )));
        }
        for job in jobs.split(':') {
            let job = match job.split_once('+') {
                Some((job, minutes)) if kind == "after" => {
                    positive_number(minutes)?;
                    job
                }
                Some(_) => {
                    return Err(Fault::rule(
                        "minutes behind '+' are allowed with \"after\" only",
                    ));
                }
                None => job,
            };
            let (id, task) = job
                .split_once('_')
                .map_or((job, None), |(id, task)| (id, Some(task)));
            if id.is_empty() {
                return Err(Fault::rule(format!(
                    "{kind} needs a job id, as in {kind}:4711"
                )));
            }
            positive_number(id)?;
            match task {
                None | Some("*") => {}
                Some(task) => drop(whole_number(task)?),
            }
        }
        Ok(())
    }
}

text_value!(Dependency, "dependency");

/// The indexes of a job array.
///
/// # Syntax
///
/// `N`, `FIRST-LAST` and `FIRST-LAST:STEP` with commas between them, then perhaps
/// `%LIMIT`, the number of tasks that may run at once. Most sites allow indexes up
/// to 1000. Source: sbatch(1), `--array`.
///
/// # Errors
///
/// * `5-1`, `0-15:0`, `1-`, `a`
/// * `%4`: Slurm reads index 0
/// * `[0-3]`: the brackets are noise
///
/// ```
/// use nim_slurm::slurm::Array;
///
/// let array = Array::parse("0-15:4%2")?;
/// assert_eq!(array.limit(), Some(2));
/// assert!(Array::parse("5-1").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Array(String);

impl Array {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "indexes such as 0-15, 1,3,5 or 0-15:4%2 are allowed";
        only(
            text,
            |c| c.is_ascii_digit() || matches!(c, '-' | ',' | ':' | '%'),
            ALLOWED,
        )?;
        let (indexes, limit) = text
            .split_once('%')
            .map_or((text, None), |(indexes, limit)| (indexes, Some(limit)));
        if let Some(limit) = limit {
            positive_number(limit)?;
        }
        for token in indexes.split(',') {
            let (range, step) = token
                .split_once(':')
                .map_or((token, None), |(range, step)| (range, Some(step)));
            let bound = |text: &str| {
                if text.is_empty() {
                    return Err(Fault::rule(ALLOWED));
                }
                whole_number(text)
            };
            match range.split_once('-') {
                Some((first, last)) => {
                    let (first, last) = (bound(first)?, bound(last)?);
                    if first > last {
                        return Err(Fault::rule(format!(
                            "the range {range:?} descends: its first index must not be the larger one"
                        )));
                    }
                }
                None if step.is_some() => {
                    return Err(Fault::rule("a step needs a range, as in 0-15:4"));
                }
                None => drop(bound(range)?),
            }
            if let Some(step) = step {
                positive_number(step)?;
            }
        }
        Ok(Self(text.to_owned()))
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
    fn dependencies() {
        accepts::<Dependency>("singleton", "singleton");
        accepts::<Dependency>(
            "AfterOK:7:8_3:9_*,afterany:1",
            "afterok:7:8_3:9_*,afterany:1",
        );
        accepts::<Dependency>("after:7+5?afternotok:8", "after:7+5?afternotok:8");
        refuses::<Dependency>(
            "afterok:",
            "cannot take \"afterok:\" as dependency: afterok needs a job id, as in afterok:4711",
        );
        refuses::<Dependency>(
            "afterok:1,afterok:2?afterok:3",
            "cannot take \"afterok:1,afterok:2?afterok:3\" as dependency: ',' (all) and '?' (any) cannot be mixed",
        );
        for text in [
            "",
            "foo:1",
            "4711",
            "afterok:0",
            "afterok:1+5",
            "afterok:1,",
            "afterok:x",
        ] {
            assert!(Dependency::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn arrays() {
        for text in ["0-15", "1,3,5", "0-15:4", "0-15%4", "7"] {
            accepts::<Array>(text, text);
        }
        refuses::<Array>(
            "5-1",
            "cannot take \"5-1\" as array: the range \"5-1\" descends: its first index must not be the larger one",
        );
        for text in [
            "", "a", "0-15:0", "1-", "-1", "%4", "[0-3]", "1,", "1:2", "0-3%0", "0-3%2%1", "0-1-2",
        ] {
            assert!(Array::parse(text).is_err(), "{text}");
        }
    }
}
