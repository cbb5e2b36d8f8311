//! The scripts of a plan, one after the other.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;

use super::{Sbatch, SubmitError};
use crate::command::{self, NoAnswer};
use crate::job_options::ScriptKind;
use crate::plan::Plan;
use crate::slurm::{Dependency, OptionName, SubmittedJob};
use crate::value::ValueError;

/// How long squeue and scancel may take. They try a controller that is away for a
/// while.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The scripts of a plan as jobs that wait for each other: setup, the model where
/// the site wants it fetched in a job, launch. Each starts when the one before has
/// succeeded, and is ended by Slurm when that one has not.
///
/// What the settings say of dependencies holds as well.
///
/// ```no_run
/// use nim_slurm::{Chain, Plan, Recipe, Sbatch, ScriptKind, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
/// for kind in ScriptKind::ALL {
///     plan.script(kind).write_to("scripts")?;
/// }
/// let chain = Chain::new(&plan, Sbatch::find()?).with_models_job();
/// let jobs = chain.submit("scripts", |job| println!("{} is job {}", job.kind.key(), job.job))?;
/// assert_eq!(jobs.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Chain<'a> {
    plan: &'a Plan,
    sbatch: Sbatch,
    setup_job: bool,
    models_job: bool,
}

/// A job of a chain.
///
/// ```no_run
/// use nim_slurm::{Chain, Plan, Recipe, Sbatch, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
/// for job in Chain::new(&plan, Sbatch::find()?).submit("bench", |_| ())? {
///     println!("{} is job {}", job.kind.file_name(), job.job);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainJob {
    /// The script that it runs.
    pub kind: ScriptKind,
    /// The job.
    pub job: SubmittedJob,
}

/// A job that was submitted in vain, and what became of it.
///
/// ```no_run
/// use nim_slurm::{Chain, ChainError, Plan, Recipe, Sbatch, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
/// let submitted = Chain::new(&plan, Sbatch::find()?).submit("bench", |_| ());
/// if let Err(ChainError::Submit { cancellations, .. }) = submitted {
///     for kept in cancellations.iter().filter(|one| one.error.is_some()) {
///         println!("scancel {}", kept.job.job);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancellation {
    /// The job.
    pub job: ChainJob,
    /// Why it could not be cancelled; none when it was.
    pub error: Option<String>,
}

/// A chain that was not submitted. Nothing of it is left in the queue, unless the
/// error names it.
///
/// ```
/// use nim_slurm::{Chain, ChainError, Plan, Recipe, Sbatch, Settings};
///
/// // Slurm cannot take "one of these" together with the chain's own "and that one".
/// let settings = Settings::from_toml("slurm.launch.dependency = 'afterok:7?afterok:8'")?;
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
/// let chain = Chain::new(&plan, Sbatch::at("/usr/bin/sbatch"));
/// let error = chain.submit("bench", |_| ()).unwrap_err();
/// assert!(matches!(error, ChainError::Dependency { .. })); // before the first submission
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A dependency of the settings cannot hold beside the chain's own. Nothing was
    /// submitted.
    #[error("{} cannot wait for the job before it and for what the settings say", kind.file_name())]
    Dependency {
        /// The script.
        kind: ScriptKind,
        /// The reason.
        #[source]
        source: ValueError,
    },
    /// A script was not submitted, so those before it were cancelled. Where it is
    /// [not known](SubmitError::Unanswered) whether it was, Slurm ends the job for
    /// that same reason.
    #[error("{} was not submitted{}", kind.file_name(), CancellationList(cancellations))]
    Submit {
        /// The script.
        kind: ScriptKind,
        /// The jobs before it.
        cancellations: Vec<Cancellation>,
        /// The reason.
        #[source]
        source: SubmitError,
    },
}

crate::plain::debug_in_words!(ChainError);

impl<'a> Chain<'a> {
    /// Setup and launch of a plan.
    #[must_use]
    pub const fn new(plan: &'a Plan, sbatch: Sbatch) -> Self {
        Self {
            plan,
            sbatch,
            setup_job: true,
            models_job: false,
        }
    }

    /// Fetches the model in a job between the two.
    #[must_use]
    pub fn with_models_job(mut self) -> Self {
        self.models_job = true;
        self
    }

    /// Fetches no images: they [are there](crate::preflight::Preflight::are_images_there).
    ///
    /// ```no_run
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::{Chain, Plan, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let mut chain = Chain::new(&plan, Sbatch::find()?);
    /// if Preflight::new(&plan, std::env::vars_os()).are_images_there() {
    ///     chain = chain.without_setup();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn without_setup(mut self) -> Self {
        self.setup_job = false;
        self
    }

    /// Submits the scripts, which were [written](crate::Script::write_to) into a
    /// folder, and tells of each job as soon as Slurm has it.
    ///
    /// # Errors
    ///
    /// When a dependency of the settings cannot be joined to the chain's, and when a
    /// script cannot be submitted. Jobs that were submitted before it are cancelled;
    /// one that could not be cancelled is named.
    pub fn submit(
        &self,
        folder: impl AsRef<Utf8Path>,
        mut submitted: impl FnMut(&ChainJob),
    ) -> Result<Vec<ChainJob>, ChainError> {
        self.check_dependencies()?;
        let mut jobs: Vec<ChainJob> = Vec::new();
        for kind in self.kinds() {
            // Checked above: it does not fail behind the first job.
            let sbatch = self.sbatch_for(kind, jobs.last())?;
            match sbatch.submit(folder.as_ref().join(kind.file_name())) {
                Ok(job) => {
                    let job = ChainJob { kind, job };
                    submitted(&job);
                    jobs.push(job);
                }
                Err(source) => {
                    return Err(ChainError::Submit {
                        kind,
                        // The last first, so that none starts meanwhile.
                        cancellations: jobs.into_iter().rev().map(ChainJob::cancel).collect(),
                        source,
                    });
                }
            }
        }
        Ok(jobs)
    }

    /// This user's jobs that are in the queue already and run the same scripts. None
    /// where squeue cannot be asked: it is good to know, and no more.
    ///
    /// ```no_run
    /// use nim_slurm::{Chain, Plan, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let chain = Chain::new(&plan, Sbatch::find()?);
    /// for job in chain.queued_jobs("bench") {
    ///     println!("{} is in the queue already, as job {}", job.kind.file_name(), job.job);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn queued_jobs(&self, folder: impl AsRef<Utf8Path>) -> Vec<ChainJob> {
        let mut squeue = Command::new("squeue");
        squeue.args(["--me", "--noheader", "--format=%F|%o"]);
        command::ignore_filters(&mut squeue, command::variable_names());
        let Ok(answer) = command::run(&mut squeue, TIMEOUT) else {
            return Vec::new();
        };
        let real = |path: &Utf8Path| path.canonicalize_utf8().ok();
        let scripts = self
            .kinds()
            .filter_map(|kind| Some((kind, real(&folder.as_ref().join(kind.file_name()))?)));
        let scripts: Vec<_> = scripts.collect();
        let mut jobs: Vec<_> = answer
            .stdout
            .lines()
            .filter_map(|line| {
                let (job, script) = line.trim().split_once('|')?;
                let script = real(Utf8Path::new(script))?;
                let (kind, _) = scripts.iter().find(|(_, own)| *own == script)?;
                let job = SubmittedJob::parse(job).ok()?;
                Some(ChainJob { kind: *kind, job })
            })
            .collect();
        // Tasks of an array have one number.
        jobs.sort_by_key(|job| job.job.id());
        jobs.dedup();
        jobs
    }

    fn kinds(&self) -> impl Iterator<Item = ScriptKind> {
        let (setup_job, models_job) = (self.setup_job, self.models_job);
        ScriptKind::ALL.into_iter().filter(move |kind| match kind {
            ScriptKind::Setup => setup_job,
            ScriptKind::PrepareModels => models_job,
            ScriptKind::Launch => true,
        })
    }

    /// What is known before the first job exists is said before it exists.
    fn check_dependencies(&self) -> Result<(), ChainError> {
        let no_job_yet = Dependency::after_ok([]);
        for kind in self.kinds().skip(1) {
            self.dependency(kind, &no_job_yet)?;
        }
        Ok(())
    }

    fn sbatch_for(
        &self,
        kind: ScriptKind,
        before: Option<&ChainJob>,
    ) -> Result<Sbatch, ChainError> {
        let sbatch = self.sbatch.for_script(self.plan, kind);
        let Some(ChainJob { job: before, .. }) = before else {
            return Ok(sbatch);
        };
        let dependency = self.dependency(kind, &Dependency::after_ok([before.id()]))?;
        // A job that waits for one that failed would wait forever, and jobs wait
        // only for jobs of their own cluster.
        let options = ["--kill-on-invalid-dep=yes".to_owned()].into_iter();
        Ok(sbatch
            .with_arguments(options.chain(before.cluster_option()))
            .after(&dependency))
    }

    /// What a script waits for: the job before it, and what the settings say.
    fn dependency(&self, kind: ScriptKind, before: &Dependency) -> Result<Dependency, ChainError> {
        let own = self.plan.directives(kind).get(OptionName::Dependency);
        own.map_or_else(
            || Ok(before.clone()),
            |own| Dependency::parse(&own).and_then(|own| own.and(before)),
        )
        .map_err(|source| ChainError::Dependency { kind, source })
    }
}

impl ChainJob {
    /// Asks Slurm to end the job.
    ///
    /// ```no_run
    /// use nim_slurm::{Chain, Plan, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let jobs = Chain::new(&plan, Sbatch::find()?).submit("bench", |_| ())?;
    /// // The last first, so that none starts meanwhile.
    /// for job in jobs.into_iter().rev() {
    ///     println!("{}", job.cancel()); // launch, job 4711, is cancelled
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cancel(self) -> Cancellation {
        let job = &self.job;
        let mut scancel = Command::new("scancel");
        scancel.args(job.cluster_option()).arg(job.number());
        // With a filter it could leave the job where it is.
        command::ignore_filters(&mut scancel, command::variable_names());
        let error = match command::run(&mut scancel, TIMEOUT) {
            Ok(answer) if answer.status.success() => None,
            Ok(answer) => Some(answer.message()),
            Err(NoAnswer::Start(error)) => Some(format!("cannot start scancel: {error}")),
            Err(NoAnswer::TimedOut) => Some("scancel did not end".to_owned()),
        };
        Cancellation { job: self, error }
    }
}

impl fmt::Display for Cancellation {
    /// What became of the job, and what to type if it is still there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChainJob { kind, job } = &self.job;
        let kind = kind.key();
        let Some(message) = &self.error else {
            return write!(f, "{kind}, job {job}, is cancelled");
        };
        let cluster = job.cluster().map(|name| format!("--clusters={name} "));
        write!(
            f,
            "{kind}, job {job}, is still there ({message}): to end it, scancel {}{}",
            cluster.unwrap_or_default(),
            job.number()
        )
    }
}

/// What became of the jobs before the one that failed, for a message.
struct CancellationList<'a>(&'a [Cancellation]);

impl fmt::Display for CancellationList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cancellations = self.0.iter();
        cancellations.try_for_each(|cancellation| write!(f, "; {cancellation}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_behind_is_named() {
        let job = |kind, job: &str| ChainJob {
            kind,
            job: job.parse().unwrap(),
        };
        let error = ChainError::Submit {
            kind: ScriptKind::Launch,
            cancellations: vec![
                Cancellation {
                    job: job(ScriptKind::PrepareModels, "8;west"),
                    error: None,
                },
                Cancellation {
                    job: job(ScriptKind::Setup, "7"),
                    error: Some("scancel: error: no".to_owned()),
                },
            ],
            source: SubmitError::NotFound,
        };
        assert_eq!(
            error.to_string(),
            "launch.sh was not submitted; prepare_models, job 8;west, is cancelled; setup, job 7, is still there \
             (scancel: error: no): to end it, scancel 7"
        );
    }
}
