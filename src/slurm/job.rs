//! Jobs, and how one waits for another; arrays of them.

use std::fmt;

use super::Count;
use crate::value::{
    Fault, ValueError, at_most, only, positive_number, text_value, value, whole_number,
};

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
/// assert_eq!(JobId::parse("4711")?.get(), 4711);
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SubmittedJob {
    id: JobId,
    task: Option<u32>,
    cluster: Option<String>,
}

impl SubmittedJob {
    fn check(text: &str) -> Result<Self, Fault> {
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
    pub(crate) fn beside(&self, id: JobId) -> Self {
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
/// let any = Dependency::parse("afternotok:7?afterok:8")?;
/// assert!(any.is_any_enough() && !Dependency::after_any([JobId::parse("7")?]).is_any_enough());
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

    /// Waits for both: this one and another.
    ///
    /// # Errors
    ///
    /// When one of them has `?`, which Slurm does not take beside `,`.
    ///
    /// ```
    /// use nim_slurm::slurm::{Dependency, JobId};
    ///
    /// let own = Dependency::parse("singleton")?;
    /// let both = own.and(&Dependency::after_ok([JobId::parse("7")?]))?;
    /// assert_eq!(both.as_str(), "singleton,afterok:7");
    /// assert!(Dependency::parse("afterok:1?afterok:2")?.and(&own).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn and(&self, other: &Self) -> Result<Self, ValueError> {
        Self::parse(&format!("{self},{other}"))
    }

    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "TYPE:JOB is allowed, as in afterok:4711";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, ':' | ',' | '?' | '_' | '*' | '+'),
            ALLOWED,
        )?;
        at_most(text, 65_536)?;
        if text.contains(',') && text.contains('?') {
            return Err(Fault::rule("',' (all) and '?' (any) cannot be mixed"));
        }
        let canonical = text.to_ascii_lowercase();
        canonical
            .split([',', '?'])
            .try_for_each(|item| Condition::check(item).map(drop))?;
        Ok(Self(canonical))
    }

    /// The conditions, in order.
    ///
    /// ```
    /// use nim_slurm::slurm::Dependency;
    ///
    /// let dependency = Dependency::parse("afterok:7:8_3,singleton")?;
    /// let conditions: Vec<_> = dependency.conditions().collect();
    /// assert_eq!(conditions[0].kind(), "afterok");
    /// assert!(conditions[0].jobs().eq(["7", "8_3"]));
    /// assert_eq!(conditions[1].jobs().count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        // Each was checked when the value was made.
        self.0
            .split([',', '?'])
            .filter_map(|item| Condition::check(item).ok())
    }

    /// True when one of the conditions is enough.
    #[must_use]
    pub fn is_any_enough(&self) -> bool {
        self.0.contains('?')
    }
}

/// One condition of a [`Dependency`].
///
/// ```
/// use nim_slurm::slurm::Dependency;
///
/// let dependency = Dependency::parse("afterany:9_*")?;
/// let condition = dependency.conditions().next().unwrap();
/// assert_eq!(condition.kind(), "afterany");
/// assert!(condition.jobs().eq(["9_*"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition<'a> {
    kind: &'a str,
    jobs: &'a str,
}

impl<'a> Condition<'a> {
    /// What must happen: `afterok`, `singleton`.
    #[must_use]
    pub const fn kind(&self) -> &'a str {
        self.kind
    }

    /// The jobs to which it must happen, as they are given: `7`, `8_3`, `9_*`, and
    /// with `after` perhaps `7+5`, five minutes after the start of 7.
    pub fn jobs(&self) -> impl Iterator<Item = &'a str> {
        self.jobs.split(':').filter(|job| !job.is_empty())
    }

    fn check(item: &'a str) -> Result<Self, Fault> {
        const KINDS: [&str; 6] = [
            "after",
            "afterany",
            "afterok",
            "afternotok",
            "aftercorr",
            "afterburstbuffer",
        ];
        if item == "singleton" {
            return Ok(Self {
                kind: item,
                jobs: "",
            });
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
        Ok(Self { kind, jobs })
    }
}

text_value!(Dependency, "dependency");

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
    fn submitted_jobs() {
        for text in ["4711", "4711_0", "4711;west", "4711_3;west-2.site"] {
            accepts::<SubmittedJob>(text, text);
        }
        refuses::<SubmittedJob>(
            "12;",
            "cannot take \"12;\" as job: behind ';' the name of a cluster is allowed: letters, digits, '_', '-' and '.'",
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
