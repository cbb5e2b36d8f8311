//! The scripts of a plan, one after the other.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;
use serde::{Serialize, Serializer};

use super::{Sbatch, SubmitError};
use crate::command::{self, NoAnswer};
use crate::job_options::ScriptKind;
use crate::plan::Plan;
use crate::shell::shell_word;
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
/// let jobs = chain.submit("scripts", |job| println!("{} is job {}", job.kind.key(), job.id))?;
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
///     println!("{} is job {}", job.kind.file_name(), job.id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChainJob {
    /// The script that it runs.
    #[serde(serialize_with = "as_key")]
    pub kind: ScriptKind,
    /// The job, by its number.
    pub id: SubmittedJob,
    /// What sbatch said when it took the job, as [`Sbatch::submit_with_warnings`] tells it. None of a job
    /// that another program submitted.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn as_key<S: Serializer>(kind: &ScriptKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.key())
}

impl ChainJob {
    /// A job that runs a script.
    ///
    /// ```
    /// use nim_slurm::{ChainJob, ScriptKind};
    ///
    /// let job = ChainJob::new(ScriptKind::Setup, "4711".parse()?);
    /// assert_eq!(format!("{} is job {}", job.kind.file_name(), job.id), "setup.sh is job 4711");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(kind: ScriptKind, id: SubmittedJob) -> Self {
        let warnings = Vec::new();
        Self { kind, id, warnings }
    }
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
///         println!("{kept}"); // ... is still there (...): to end it, scancel 4711
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
    /// What to type where it could not be.
    way_out: String,
}

impl Cancellation {
    /// What became of a job.
    ///
    /// ```
    /// use nim_slurm::{Cancellation, ChainError, ChainJob, ScriptKind, SubmitError};
    ///
    /// let setup = ChainJob::new(ScriptKind::Setup, "4711".parse()?);
    /// let error = ChainError::Submit {
    ///     kind: ScriptKind::Launch,
    ///     cancellations: vec![Cancellation::new(setup, None)],
    ///     source: SubmitError::NotFound,
    /// };
    /// assert_eq!(error.to_string(), "launch.sh was not submitted; setup, job 4711, is cancelled");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(job: ChainJob, error: Option<String>) -> Self {
        let way_out = command_to_cancel("scancel", &job.id);
        Self {
            job,
            error,
            way_out,
        }
    }
}

/// A job that could not be cancelled.
///
/// ```
/// use nim_slurm::Sbatch;
///
/// let sbatch = Sbatch::at("/no/such/folder/sbatch");
/// let error = sbatch.cancel_job(&"4711".parse()?).unwrap_err();
/// assert_eq!(error.job().id().get(), 4711);
/// assert!(error.message().starts_with("cannot start /no/such/folder/scancel: "));
/// println!("{error}"); // job 4711 is still there (...): to end it, scancel 4711 ...
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("job {job} is still there ({message}): to end it, {way_out}")]
pub struct CancelError {
    job: SubmittedJob,
    message: String,
    way_out: String,
}

crate::plain::debug_in_words!(CancelError);

impl CancelError {
    /// The job.
    #[must_use]
    pub const fn job(&self) -> &SubmittedJob {
        &self.job
    }

    /// Why it could not be cancelled.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
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
    /// A dependency of the settings or of [`Sbatch::after`] cannot hold beside the chain's own. Nothing was
    /// submitted.
    #[error("{} cannot wait for the job before it and for what the settings or the caller say", kind.file_name())]
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
    #[error("{} {}{}", kind.file_name(), source.outcome(), CancellationList(cancellations))]
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
            match sbatch.submit_with_warnings(folder.as_ref().join(kind.file_name())) {
                Ok((id, warnings)) => {
                    let job = ChainJob { kind, id, warnings };
                    submitted(&job);
                    jobs.push(job);
                }
                Err(source) => {
                    return Err(ChainError::Submit {
                        kind,
                        // The last first, so that none starts meanwhile.
                        cancellations: (jobs.into_iter().rev())
                            .map(|job| self.sbatch.cancel(job))
                            .collect(),
                        source,
                    });
                }
            }
        }
        Ok(jobs)
    }

    /// This user's jobs that are in the queue already, of launch's cluster, and run the same scripts.
    /// None where squeue cannot be asked: it is good to know, and no more.
    ///
    /// ```no_run
    /// use nim_slurm::{Chain, Plan, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let chain = Chain::new(&plan, Sbatch::find()?);
    /// for job in chain.queued_jobs("bench") {
    ///     println!("{} is in the queue already, as job {}", job.kind.file_name(), job.id);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn queued_jobs(&self, folder: impl AsRef<Utf8Path>) -> Vec<ChainJob> {
        let mut squeue = Command::new(self.sbatch.sibling("squeue"));
        let directives = self.plan.directives(ScriptKind::Launch);
        if directives.has_several_clusters() {
            return Vec::new();
        }
        squeue.args(directives.option(OptionName::Clusters));
        squeue.args(["--all", "--me", "--noheader", "--format=%F|%o"]);
        let cluster = directives.get(OptionName::Clusters);
        let cluster = cluster.map_or_else(String::new, |name| format!(";{name}"));
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
                // One of another folder, by its looks from here, is not ours.
                let script = Some(Utf8Path::new(script)).filter(|script| script.is_absolute());
                let script = real(script?)?;
                let (kind, _) = scripts.iter().find(|(_, own)| *own == script)?;
                let id = SubmittedJob::parse(&format!("{job}{cluster}")).ok()?;
                Some(ChainJob::new(*kind, id))
            })
            .collect();
        // Tasks of an array have one number.
        jobs.sort_by_key(|job| job.id.id());
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
        // No job has a number yet.
        let any = Dependency::singleton();
        let mut before = None;
        for kind in self.kinds() {
            self.waiting(self.sbatch.clone(), kind, before)?;
            before = Some(&any);
        }
        Ok(())
    }

    fn sbatch_for(
        &self,
        kind: ScriptKind,
        before: Option<&ChainJob>,
    ) -> Result<Sbatch, ChainError> {
        let sbatch = self.sbatch.clone().for_script(self.plan, kind);
        let Some(ChainJob { id: before, .. }) = before else {
            return self.waiting(sbatch, kind, None);
        };
        let dependency = Dependency::after_ok([before]);
        let dependency = dependency.map_err(|source| ChainError::Dependency { kind, source })?;
        // A job that waits for one that failed would wait forever, and jobs wait
        // only for jobs of their own cluster.
        let options = ["--kill-on-invalid-dep=yes".to_owned()].into_iter();
        let sbatch = sbatch.with_arguments(options.chain(before.cluster_option()));
        self.waiting(sbatch, kind, Some(&dependency))
    }

    /// Has a script wait for the job before it, and for what the settings say: where `sbatch` is told of jobs to wait for, these
    /// take the place of those in the script.
    fn waiting(
        &self,
        mut sbatch: Sbatch,
        kind: ScriptKind,
        before: Option<&Dependency>,
    ) -> Result<Sbatch, ChainError> {
        let fault = |source| ChainError::Dependency { kind, source };
        let own = self.plan.directives(kind).get(OptionName::Dependency);
        let own = own.filter(|_| before.is_some() || sbatch.dependency.is_some());
        let own = own.map(|own| Dependency::parse(&own)).transpose();
        for jobs in own.map_err(fault)?.iter().chain(before) {
            sbatch = sbatch.after(jobs).map_err(fault)?;
        }
        Ok(sbatch)
    }
}

impl Sbatch {
    /// Asks Slurm to end a job, with the `scancel` of this `sbatch`.
    ///
    /// ```no_run
    /// use nim_slurm::{Chain, Plan, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let sbatch = Sbatch::find()?;
    /// let jobs = Chain::new(&plan, sbatch.clone()).submit("bench", |_| ())?;
    /// // The last first, so that none starts meanwhile.
    /// for job in jobs.into_iter().rev() {
    ///     println!("{}", sbatch.cancel(job)); // launch, job 4711, is cancelled
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cancel(&self, job: ChainJob) -> Cancellation {
        match self.cancel_job(&job.id) {
            Ok(()) => Cancellation::new(job, None),
            Err(error) => Cancellation {
                job,
                error: Some(error.message),
                way_out: error.way_out,
            },
        }
    }

    /// The same for a job that is of no [`Chain`], such as one that [`submit`](Self::submit) gave.
    ///
    /// # Errors
    ///
    /// When `scancel` does not cancel it. The error says why, and what to type.
    ///
    /// ```no_run
    /// use nim_slurm::Sbatch;
    ///
    /// let sbatch = Sbatch::find()?;
    /// let job = sbatch.submit("launch.sh")?;
    /// if let Err(error) = sbatch.cancel_job(&job) {
    ///     eprintln!("{error}"); // job 4711 is still there (...): to end it, scancel 4711
    /// }
    /// # Ok::<(), nim_slurm::SubmitError>(())
    /// ```
    pub fn cancel_job(&self, job: &SubmittedJob) -> Result<(), CancelError> {
        let program = self.sibling("scancel");
        let mut scancel = Command::new(&program);
        scancel.args(job.cluster_option()).arg(job.number());
        // With a filter it could leave the job where it is.
        command::ignore_filters(&mut scancel, command::variable_names());
        let message = match command::run(&mut scancel, TIMEOUT) {
            // Where its exit code is lost, its words tell: it has none when the job is cancelled.
            Ok(answer) if answer.is_success() => return Ok(()),
            Ok(answer) if answer.status.is_none() && answer.is_silent() => return Ok(()),
            Ok(answer) => answer.message(),
            Err(NoAnswer::Start(error)) => format!("cannot start {program}: {error}"),
            Err(NoAnswer::Unheard(error)) => format!("{program} cannot be listened to: {error}"),
            Err(NoAnswer::TimedOut) => format!("{program} did not end"),
        };
        let way_out = if program.parent() == Some("".into()) {
            command_to_cancel("scancel", job)
        } else if program.exists() {
            command_to_cancel(program.as_str(), job)
        } else {
            let command = command_to_cancel("scancel", job);
            format!("{command} in the Slurm of {}", self.program)
        };
        Err(CancelError {
            job: job.clone(),
            message,
            way_out,
        })
    }
}

impl fmt::Display for Cancellation {
    /// What became of the job, and what to type if it is still there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChainJob { kind, id, .. } = &self.job;
        let kind = kind.key();
        match &self.error {
            None => write!(f, "{kind}, job {id}, is cancelled"),
            Some(message) => {
                write!(
                    f,
                    "{kind}, job {id}, is still there ({message}): to end it, {}",
                    self.way_out
                )
            }
        }
    }
}

fn command_to_cancel(program: &str, job: &SubmittedJob) -> String {
    let mut words = vec![shell_word(program)];
    words.extend(job.cluster_option());
    words.push(job.number());
    words.join(" ")
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
    use crate::command::tests::program;
    use crate::{Recipe, Settings};

    #[test]
    fn what_is_left_behind_is_named() {
        let job = |kind, id: &str| ChainJob::new(kind, id.parse().unwrap());
        let error = ChainError::Submit {
            kind: ScriptKind::Launch,
            cancellations: vec![
                Cancellation::new(job(ScriptKind::PrepareModels, "8;west"), None),
                Cancellation::new(
                    job(ScriptKind::Setup, "7"),
                    Some("scancel: error: no".to_owned()),
                ),
            ],
            source: SubmitError::NotFound,
        };
        assert_eq!(
            error.to_string(),
            "launch.sh was not submitted; prepare_models, job 8;west, is cancelled; setup, job 7, is still there \
             (scancel: error: no): to end it, scancel 7"
        );
    }

    /// What the caller's own jobs are to wait for stands beside the chain's.
    #[test]
    fn a_chain_waits_for_the_callers_jobs_too() {
        let folder = tempfile::tempdir().unwrap();
        let sbatch = "echo \"$*\" >>submitted; wc -l <submitted";
        let sbatch = Sbatch::at(program(folder.path(), "sbatch", sbatch));
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
        let after = |text: &str| {
            let dependency = Dependency::parse(text).unwrap();
            sbatch.clone().after(&dependency).unwrap()
        };
        let submit = |sbatch| Chain::new(&plan, sbatch).submit("bench", |_| ());
        let error = submit(after("afterok:7?afterok:8")).unwrap_err();
        assert!(matches!(error, ChainError::Dependency { .. }), "{error}");
        assert!(!folder.path().join("submitted").exists());

        submit(after("afterok:7")).unwrap();
        let submitted = std::fs::read_to_string(folder.path().join("submitted")).unwrap();
        let lines: Vec<_> = submitted.lines().collect();
        assert!(lines[0].contains(" --dependency=afterok:7 "), "{submitted}");
        assert!(
            lines[1].contains(" --dependency=afterok:7,afterok:1 "),
            "{submitted}"
        );

        // On the command line, they take the place of those in the script.
        let settings = Settings::from_toml("slurm.dependency = 'afterany:9'").unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        let chain = Chain::new(&plan, after("afterok:7"));
        chain.submit("bench", |_| ()).unwrap();
        let submitted = std::fs::read_to_string(folder.path().join("submitted")).unwrap();
        let lines: Vec<_> = submitted.lines().skip(2).collect();
        let all = " --dependency=afterok:7,afterany:9";
        assert!(lines[0].contains(&format!("{all} ")), "{submitted}");
        assert!(
            lines[1].contains(&format!("{all},afterok:3 ")),
            "{submitted}"
        );
    }

    /// Submits to a Slurm of stand-ins that refuses launch.sh; how it failed, and the folder.
    fn refused(scancel: Option<&str>) -> (ChainError, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let sbatch = "[[ $* != *launch.sh ]] || { echo 'Invalid qos' >&2; exit 1; }\n\
                      echo >>submitted; wc -l <submitted";
        let sbatch = program(folder.path(), "sbatch", sbatch);
        if let Some(scancel) = scancel {
            program(folder.path(), "scancel", scancel);
        }
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
        let chain = Chain::new(&plan, Sbatch::at(sbatch)).with_models_job();
        (chain.submit("bench", |_| ()).unwrap_err(), folder)
    }

    /// The jobs of one Slurm are not those of another that `PATH` leads to.
    #[test]
    fn jobs_are_cancelled_by_the_slurm_that_has_them() {
        let (error, folder) = refused(Some("echo \"$*\" >>cancelled"));
        let words = "launch.sh was not submitted; prepare_models, job 2, is cancelled; setup, job 1, is cancelled";
        assert_eq!(error.to_string(), words);
        let cancelled = std::fs::read_to_string(folder.path().join("cancelled")).unwrap();
        assert_eq!(cancelled, "2\n1\n", "the last first");

        let (error, folder) = refused(Some("echo away >&2; exit 1"));
        let words = format!(
            "setup, job 1, is still there (away): to end it, {}/scancel 1",
            folder.path().display()
        );
        assert!(error.to_string().ends_with(&words), "{error}");
    }

    #[test]
    fn no_other_scancel_takes_the_place_of_one_that_is_not_there() {
        let (error, folder) = refused(None);
        let ChainError::Submit { cancellations, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(cancellations.len(), 2);
        for cancellation in cancellations {
            let error = cancellation.error.as_deref().unwrap_or_default();
            assert!(error.contains("No such file"), "{error}");
        }
        let folder = folder.path().display();
        let words = format!(
            "setup, job 1, is still there (cannot start {folder}/scancel: No such file or directory (os error 2)): to \
             end it, scancel 1 in the Slurm of {folder}/sbatch"
        );
        assert!(error.to_string().ends_with(&words), "{error}");
    }
}
