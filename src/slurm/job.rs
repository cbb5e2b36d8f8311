//! Jobs, by the numbers that Slurm gives them.

use std::fmt;

use crate::value::{Fault, from_number, job_number, value, whole_number};

/// A job's number.
///
/// # Syntax
///
/// A whole number from 1 to 4294967293. Source: Slurm's `slurm.h`, `NO_VAL`.
///
/// # Errors
///
/// * `0`, `4294967294`, `12_3` (a task of an array), `job12`
///
/// ```
/// use nim_slurm::slurm::JobId;
///
/// assert_eq!(JobId::parse("4711")?.to_string(), "4711");
/// assert!(JobId::parse("0").is_err());
/// assert_eq!(JobId::try_from(4711)?.get(), 4711);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u32);

impl JobId {
    fn check(text: &str) -> Result<Self, Fault> {
        job_number(text).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(JobId, "job id");
from_number!(JobId);

/// A job as `sbatch --parsable` answers: its number, and its cluster where the
/// site has several. One task of an array has the task's index behind the number.
///
/// # Syntax
///
/// * `JOB`, `JOB_TASK`, `JOB;CLUSTER` or `JOB_TASK;CLUSTER`: whole numbers, and a
///   cluster of letters, digits, `_`, `-` and `.`
///
/// Source: sbatch(1), `--parsable`.
///
/// # Errors
///
/// * `0`, `job12`, `12_`, `12;`, `12_[0-3]`
///
/// ```
/// use nim_slurm::slurm::SubmittedJob;
///
/// let job = SubmittedJob::parse("4711;west")?;
/// assert_eq!((job.id().get(), job.task(), job.cluster()), (4711, None, Some("west")));
/// assert_eq!(SubmittedJob::parse("4711_3")?.task(), Some(3));
/// assert!(SubmittedJob::parse("4711;").is_err());
/// assert_eq!(SubmittedJob::from(job.id()).cluster(), None);
/// assert!(SubmittedJob::parse("9_3")? < SubmittedJob::parse("9_20")?); // by the numbers
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmittedJob {
    id: JobId,
    task: Option<u32>,
    cluster: Option<String>,
}

impl SubmittedJob {
    fn check(text: &str) -> Result<Self, Fault> {
        if text.starts_with(|c: char| !c.is_ascii_digit()) {
            return Err(Fault::rule(
                "a job's number is allowed, such as 4711, or 4711_3 for a task of an array",
            ));
        }
        let (job, cluster) = match text.split_once(';') {
            Some((job, cluster)) => (job, Some(cluster)),
            None => (text, None),
        };
        let is_name = |name: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            !name.is_empty() && name.chars().all(is_allowed)
        };
        if !cluster.is_none_or(is_name) {
            return Err(Fault::rule(
                "behind ';' the name of a cluster is allowed: letters, digits, '_', '-' and '.'",
            ));
        }
        let (id, task) = match job.split_once('_') {
            Some((id, task)) => (id, Some(whole_number(task)?)),
            None => (job, None),
        };
        Ok(Self {
            id: JobId::check(id)?,
            task,
            cluster: cluster.map(ToOwned::to_owned),
        })
    }

    /// The number.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.id
    }

    /// The index, if this is one task of an array.
    #[must_use]
    pub const fn task(&self) -> Option<u32> {
        self.task
    }

    /// The cluster, if Slurm named one.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// Another job of the same cluster.
    pub(crate) fn in_same_cluster(&self, id: JobId) -> Self {
        Self {
            id,
            task: None,
            cluster: self.cluster.clone(),
        }
    }

    /// The option that names the cluster to Slurm's programs.
    pub(crate) fn cluster_option(&self) -> Option<String> {
        let cluster = self.cluster.as_ref();
        cluster.map(|cluster| format!("--clusters={cluster}"))
    }

    /// The job as Slurm's programs take it: `4711`, or `4711_3` for a task.
    pub(crate) fn number(&self) -> String {
        self.numbers_with('_')
    }

    /// The job as the names of results and logs have it: a task is `4711-3`.
    pub(crate) fn in_file_names(&self) -> String {
        self.numbers_with('-')
    }

    fn numbers_with(&self, separator: char) -> String {
        match self.task {
            Some(task) => format!("{}{separator}{task}", self.id),
            None => self.id.to_string(),
        }
    }
}

impl From<JobId> for SubmittedJob {
    fn from(id: JobId) -> Self {
        Self {
            id,
            task: None,
            cluster: None,
        }
    }
}

impl From<&Self> for SubmittedJob {
    fn from(job: &Self) -> Self {
        job.clone()
    }
}

impl fmt::Display for SubmittedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number())?;
        match &self.cluster {
            Some(cluster) => write!(f, ";{cluster}"),
            None => Ok(()),
        }
    }
}

value!(SubmittedJob, "job");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn submitted_jobs() {
        for text in [
            "4711",
            "4711_0",
            "4711;west",
            "4711_3;west-2.site",
            "4294967293",
        ] {
            accepts::<SubmittedJob>(text, text);
        }
        refuses::<SubmittedJob>(
            "12;",
            "cannot take \"12;\" as job: behind ';' the name of a cluster is allowed: letters, digits, '_', '-' and '.'",
        );
        refuses::<JobId>(
            "4294967294",
            "cannot take \"4294967294\" as job id: it is too large: at most 4294967293 is allowed",
        );
        for text in [
            "",
            "0",
            "12_",
            "_1",
            "12_[0-3]",
            "12;a b",
            "12 ",
            "Submitted batch job 12",
        ] {
            assert!(SubmittedJob::parse(text).is_err(), "{text}");
        }
        let task = SubmittedJob::parse("4711_3;west").unwrap();
        assert_eq!(
            (task.number(), task.in_file_names()),
            ("4711_3".to_owned(), "4711-3".to_owned())
        );
    }
}
