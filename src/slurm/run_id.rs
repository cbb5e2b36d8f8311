//! A run of launch.sh, by its job.

use crate::value::{Fault, positive_number, text_value, whole_number};

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
        let job = positive_number(job)?;
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

text_value!(RunId, "job id");
