//! How a job waits for others.

use super::SubmittedJob;
use crate::value::{
    Fault, ValueError, at_most, job_number, only, positive_number, text_value, whole_number,
};

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
/// use nim_slurm::slurm::{Dependency, JobId, SubmittedJob};
///
/// let dependency = Dependency::after_ok([JobId::try_from(7)?, JobId::try_from(8)?])?;
/// assert_eq!(dependency.as_str(), "afterok:7:8");
/// let task = SubmittedJob::parse("9_3")?; // of an array, as sbatch answered
/// assert_eq!(Dependency::after_ok([&task])?.as_str(), "afterok:9_3");
/// assert!(Dependency::parse("afterok:").is_err());
/// let any = Dependency::parse("afternotok:7?afterok:8")?;
/// assert!(any.needs_only_one() && !Dependency::after_any([JobId::parse("7")?])?.needs_only_one());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dependency(String);

impl Dependency {
    /// Waits until all these jobs, or tasks of arrays, have ended with exit code 0. One that ends
    /// otherwise keeps this one waiting for good, or ends it, as the site has it. They are
    /// of the job's own cluster, since Slurm looks for them nowhere else.
    ///
    /// # Errors
    ///
    /// When there is no job to wait for, or so many that the text has more than 65536 bytes.
    ///
    /// ```
    /// use nim_slurm::slurm::{Dependency, JobId};
    ///
    /// let jobs = [JobId::parse("7")?, JobId::parse("8")?];
    /// assert_eq!(Dependency::after_ok(jobs)?.as_str(), "afterok:7:8");
    /// let error = Dependency::after_ok([] as [JobId; 0]).unwrap_err();
    /// assert!(error.to_string().ends_with("afterok needs a job id, as in afterok:4711"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after_ok(
        jobs: impl IntoIterator<Item = impl Into<SubmittedJob>>,
    ) -> Result<Self, ValueError> {
        Self::after("afterok", jobs)
    }

    /// Waits until all these jobs, or tasks of arrays, have ended, in whatever way.
    ///
    /// # Errors
    ///
    /// As [`after_ok`](Self::after_ok).
    pub fn after_any(
        jobs: impl IntoIterator<Item = impl Into<SubmittedJob>>,
    ) -> Result<Self, ValueError> {
        Self::after("afterany", jobs)
    }

    fn after(
        kind: &str,
        jobs: impl IntoIterator<Item = impl Into<SubmittedJob>>,
    ) -> Result<Self, ValueError> {
        let jobs = jobs.into_iter().fold(String::new(), |text, job| {
            format!("{text}:{}", job.into().number())
        });
        Self::parse(&format!("{kind}{jobs}"))
    }

    /// Waits until no other job of this name and user runs.
    #[cfg(feature = "cluster")]
    pub(crate) fn singleton() -> Self {
        Self("singleton".to_owned())
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
    /// let both = own.and(&Dependency::after_ok([JobId::parse("7")?])?)?;
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
    pub fn needs_only_one(&self) -> bool {
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
            job_number(id)?;
            match task {
                None | Some("*") => {}
                Some(task) => drop(whole_number(task)?),
            }
        }
        Ok(Self { kind, jobs })
    }
}

text_value!(Dependency, "dependency");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn jobs_of_a_dependency() {
        let jobs = ["7_3;west", "8"].map(|job| SubmittedJob::parse(job).unwrap());
        let after_any = Dependency::after_any(&jobs).unwrap();
        assert_eq!(after_any.as_str(), "afterany:7_3:8");
        let nobody: [SubmittedJob; 0] = [];
        assert!(Dependency::after_ok(&nobody).is_err() && Dependency::after_any(nobody).is_err());
    }

    #[test]
    fn dependencies() {
        accepts::<Dependency>("singleton", "singleton");
        accepts::<Dependency>(
            "AfterOK:7:8_3:9_*,afterany:1",
            "afterok:7:8_3:9_*,afterany:1",
        );
        accepts::<Dependency>("after:7+5?afternotok:8", "after:7+5?afternotok:8");
        accepts::<Dependency>("afterok:4294967293", "afterok:4294967293");
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
            "afterok:4294967294",
            "afterok:1+5",
            "afterok:1,",
            "afterok:x",
        ] {
            assert!(Dependency::parse(text).is_err(), "{text}");
        }
    }
}
