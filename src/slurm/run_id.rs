//! A run of launch.sh, by its job.

use std::cmp::Ordering;

use crate::value::{Fault, job_number, text_value, whole_number};

/// A run of launch.sh, named by its job: the job's number, with the task's for an
/// array.
///
/// # Syntax
///
/// `JOB` or `ARRAY-TASK`, as in the names of results; `ARRAY_TASK`, as Slurm's own
/// programs write it, is the same.
///
/// ```
/// use nim_slurm::RunId;
///
/// assert_eq!(RunId::parse("4711-3")?.as_str(), "4711-3");
/// assert_eq!(RunId::parse("4711_3")?.as_str(), "4711-3");
/// assert!(RunId::parse("0").is_err());
/// assert!(RunId::parse("9-3")? < RunId::parse("10")?); // by the numbers
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId(String);

impl RunId {
    fn check(text: &str) -> Result<Self, Fault> {
        if text.starts_with(|c: char| !c.is_ascii_digit()) {
            return Err(Fault::rule(
                "a job's number is allowed, such as 4711, or 4711_3 for a task of an array",
            ));
        }
        let (job, task) = text
            .split_once(['-', '_'])
            .map_or((text, None), |(job, task)| (job, Some(task)));
        let job = job_number(job)?;
        let task = task.map(whole_number).transpose()?;
        Ok(Self(task.map_or_else(
            || job.to_string(),
            |task| format!("{job}-{task}"),
        )))
    }

    /// Whether `other` is this run, or a task of this array.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let array = other.0.split_once('-').map(|(array, _)| array);
        self == other || array == Some(self.as_str())
    }

    /// The job's number and the task's, for an order that people expect.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        let (job, task) = self.0.split_once('-').unwrap_or((&self.0, "0"));
        (
            job.parse().unwrap_or(u64::MAX),
            task.parse().unwrap_or(u64::MAX),
        )
    }
}

impl Ord for RunId {
    fn cmp(&self, other: &Self) -> Ordering {
        // A job comes before the tasks of an array with its number.
        let numbers = self.numbers().cmp(&other.numbers());
        numbers.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for RunId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

text_value!(RunId, "job id");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn numbers_and_their_order() {
        accepts::<RunId>("4294967293_3", "4294967293-3");
        refuses::<RunId>(
            "4294967294",
            "cannot take \"4294967294\" as job id: it is too large: at most 4294967293 is allowed",
        );
        let mut runs = ["10", "9-20", "9-3", "9-0", "9"].map(|run| RunId::parse(run).unwrap());
        runs.sort();
        assert_eq!(
            runs.each_ref().map(RunId::as_str),
            ["9", "9-0", "9-3", "9-20", "10"]
        );
    }
}
