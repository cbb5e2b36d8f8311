//! How a script gets to Slurm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::command::{self, Answer, NoAnswer};
use crate::job_options::ScriptKind;
use crate::plan::Plan;
use crate::slurm::{Dependency, SubmittedJob};
use crate::value::ValueError;

pub use self::chain::{CancelError, Cancellation, Chain, ChainError, ChainJob};
pub use self::error::SubmitError;
pub use self::retry_policy::RetryPolicy;

pub(crate) mod advice;
mod chain;
mod error;
mod retry_policy;

/// sbatch itself tries for two minutes where a queue is full.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Slurm's `sbatch`, and what to add to its command line.
///
/// ```no_run
/// use nim_slurm::Sbatch;
/// use nim_slurm::slurm::Dependency;
///
/// let sbatch = Sbatch::find()?;
/// let setup = sbatch.submit("setup.sh")?;
/// let launch = sbatch.after(&Dependency::after_ok([&setup])?)?.submit("launch.sh")?;
/// println!("job {launch} follows job {setup}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # When Slurm is not there for a moment
///
/// A controller that cannot be reached, or takes no job for now, is tried again
/// within the bounds of a [`RetryPolicy`]. A refusal is final, and so is a Slurm that is not set
/// up on this machine. So is an answer that was lost on its way: the job may be in the queue,
/// and trying again could put it there twice. [`SubmitError`] keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbatch {
    program: Utf8PathBuf,
    /// Whether Slurm's other programs are those of `PATH`, and not those beside `program`.
    is_on_path: bool,
    arguments: Vec<String>,
    dependency: Option<Dependency>,
    removed_variables: Vec<String>,
    retry_policy: RetryPolicy,
}

impl Sbatch {
    /// Finds `sbatch` on `PATH`, where Slurm's other programs are then sought, too.
    ///
    /// # Errors
    ///
    /// [`SubmitError::NotFound`] when it is not there.
    pub fn find() -> Result<Self, SubmitError> {
        let path = which::which("sbatch").map_err(|_| SubmitError::NotFound)?;
        let path = Utf8PathBuf::from_path_buf(path).map_err(|_| SubmitError::NotFound)?;
        Ok(Self {
            is_on_path: true,
            ..Self::at(path)
        })
    }

    /// Uses the `sbatch` at this path, and of Slurm's other programs those beside it:
    /// the `scancel` with which a [`Chain`] takes jobs back, and the `squeue` with which it
    /// finds those that are there. Never is one of `PATH` used in their place, which may be
    /// another Slurm's. A job that cannot be cancelled stays, and the error names it.
    ///
    /// In [a test](crate::guide::render#test-it-without-slurm), it may be a script of a few lines.
    ///
    /// ```
    /// use nim_slurm::Sbatch;
    ///
    /// let command = Sbatch::at("/opt/slurm/bin/sbatch").command("launch.sh");
    /// assert_eq!(command.get_program(), "/opt/slurm/bin/sbatch");
    /// // A path without a slash is one of this folder, as for any file.
    /// assert_eq!(Sbatch::at("sbatch").command("launch.sh").get_program(), "./sbatch");
    /// ```
    #[must_use]
    pub fn at(program: impl Into<Utf8PathBuf>) -> Self {
        let mut program = program.into();
        // A name alone would be looked for on PATH.
        if program.components().count() == 1 && program.is_relative() {
            program = Utf8Path::new(".").join(program);
        }
        Self {
            program,
            is_on_path: false,
            arguments: Vec::new(),
            dependency: None,
            removed_variables: Vec::new(),
            retry_policy: RetryPolicy::default(),
        }
    }

    /// Adds words to the command line, such as [`Plan::options_to_repeat`].
    ///
    /// ```
    /// use nim_slurm::Sbatch;
    ///
    /// let sbatch = Sbatch::at("/usr/bin/sbatch").with_arguments(["--hold"]);
    /// let command = sbatch.command("launch.sh");
    /// assert!(command.get_args().any(|word| word == "--hold"));
    /// ```
    #[must_use]
    pub fn with_arguments(
        mut self,
        arguments: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Takes variables from sbatch's environment, such as [`Plan::variables_to_remove`].
    ///
    /// ```
    /// use nim_slurm::Sbatch;
    ///
    /// let sbatch = Sbatch::at("/usr/bin/sbatch").without_variables(["SBATCH_WAIT_ALL_NODES"]);
    /// let command = sbatch.command("launch.sh");
    /// let mut removed = command.get_envs().filter(|(_, text)| text.is_none());
    /// assert!(removed.any(|(name, _)| name == "SBATCH_WAIT_ALL_NODES"));
    /// ```
    #[must_use]
    pub fn without_variables(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names = names.into_iter().map(Into::into);
        self.removed_variables.extend(names);
        self
    }

    /// Sees to it that one script of a plan becomes the job that the script says,
    /// whatever `SBATCH_` variables this process has. What the script does not say
    /// is left to those variables.
    ///
    /// ```no_run
    /// use nim_slurm::{Plan, Recipe, Sbatch, ScriptKind, Settings};
    ///
    /// let settings = Settings::read("site.toml")?.with_environment(std::env::vars_os())?;
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// let written = plan.launch().write_to("bench")?;
    /// let job = Sbatch::find()?.for_script(&plan, ScriptKind::Launch).submit(written.path)?;
    /// println!("job {job}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_script(self, plan: &Plan, kind: ScriptKind) -> Self {
        self.with_arguments(plan.options_to_repeat(kind, std::env::vars_os()))
            .without_variables(plan.variables_to_remove(kind, std::env::vars_os()))
    }

    /// Makes the job wait for others, and for what an earlier call said, too. It is in place of a
    /// dependency that the script itself has: sbatch takes the one of its command line.
    ///
    /// # Errors
    ///
    /// When it does not go [together](Dependency::and) with an earlier call's.
    ///
    /// ```
    /// use nim_slurm::Sbatch;
    /// use nim_slurm::slurm::{Dependency, JobId};
    ///
    /// let (data, model) = (JobId::parse("7")?, JobId::parse("8")?);
    /// let sbatch = Sbatch::at("/usr/bin/sbatch")
    ///     .after(&Dependency::after_ok([data])?)?
    ///     .after(&Dependency::after_any([model])?)?;
    /// let command = sbatch.command("launch.sh");
    /// assert!(command.get_args().any(|word| word == "--dependency=afterok:7,afterany:8"));
    /// assert!(sbatch.after(&Dependency::parse("afterok:1?afterok:2")?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(mut self, dependency: &Dependency) -> Result<Self, ValueError> {
        self.dependency = Some(match &self.dependency {
            Some(own) => own.and(dependency)?,
            None => dependency.clone(),
        });
        Ok(self)
    }

    /// Sets how often and how long a controller that is not there is tried.
    ///
    /// ```
    /// use std::time::Duration;
    /// use nim_slurm::{RetryPolicy, Sbatch};
    ///
    /// // Over the night, a controller may be away for an hour.
    /// let retry_policy = RetryPolicy::new(200, Duration::from_secs(3600));
    /// let sbatch = Sbatch::at("/usr/bin/sbatch").with_retry_policy(retry_policy);
    /// assert_ne!(sbatch, Sbatch::at("/usr/bin/sbatch"));
    /// ```
    #[must_use]
    pub const fn with_retry_policy(mut self, retry_policy: RetryPolicy) -> Self {
        self.retry_policy = retry_policy;
        self
    }

    /// Another program of the same Slurm.
    fn sibling(&self, name: &str) -> Utf8PathBuf {
        if self.is_on_path {
            name.into()
        } else {
            self.program.with_file_name(name)
        }
    }

    /// The command that [`submit`](Self::submit) runs.
    ///
    /// `SBATCH_WAIT` is not for it: sbatch would answer with the job's end.
    ///
    /// ```
    /// use nim_slurm::Sbatch;
    ///
    /// let command = Sbatch::at("/usr/bin/sbatch").command("launch.sh");
    /// let words: Vec<_> = command.get_args().collect();
    /// // Slurm keeps the path as it is given, and one from here means another file elsewhere.
    /// let path = std::path::absolute("launch.sh")?;
    /// assert_eq!(words, ["--parsable".as_ref(), path.as_os_str()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn command(&self, script: impl AsRef<Utf8Path>) -> Command {
        let mut command = Command::new(&self.program);
        let dependency = self.dependency.as_ref();
        let dependency = dependency.map(|jobs| format!("--dependency={jobs}"));
        command
            .arg("--parsable")
            .args(&self.arguments)
            .args(dependency)
            .arg(absolute(script.as_ref()))
            .env_remove("SBATCH_WAIT");
        for name in &self.removed_variables {
            command.env_remove(name);
        }
        // pyxis has options for sbatch, too: it would start the script itself in a container.
        let of_pyxis = std::env::vars_os().map(|(name, _)| name);
        for name in of_pyxis.filter(|name| name.to_string_lossy().starts_with("PYXIS_")) {
            command.env_remove(name);
        }
        command
    }

    /// Submits a script, and says which job it became.
    ///
    /// # Errors
    ///
    /// When sbatch cannot be started, when Slurm refuses the job (with Slurm's own
    /// words), when the controller stays away, when its answer is lost, and when
    /// the answer names no job.
    pub fn submit(&self, script: impl AsRef<Utf8Path>) -> Result<SubmittedJob, SubmitError> {
        self.submit_with_warnings(script).map(|(job, _)| job)
    }

    /// The same, with the lines that sbatch said on stderr: of options that the site ignores, of fewer
    /// nodes than were asked for, and the site's own. Of an sbatch with `-v`, they are its errors
    /// and warnings. They are others' text: show them [plain](crate::plain()).
    ///
    /// ```no_run
    /// use nim_slurm::{Sbatch, plain};
    ///
    /// let (job, warnings) = Sbatch::find()?.submit_with_warnings("launch.sh")?;
    /// for line in warnings {
    ///     eprintln!("job {job}: {}", plain(&line));
    /// }
    /// # Ok::<(), nim_slurm::SubmitError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub fn submit_with_warnings(
        &self,
        script: impl AsRef<Utf8Path>,
    ) -> Result<(SubmittedJob, Vec<String>), SubmitError> {
        let script = script.as_ref();
        let start = Instant::now();
        let mut attempt = 1;
        loop {
            match self.submit_once(script, attempt) {
                Err(SubmitError::Unavailable { .. })
                    if self.retry_policy.allows(attempt, start.elapsed()) =>
                {
                    thread::sleep(RetryPolicy::pause_after(attempt));
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn submit_once(
        &self,
        script: &Utf8Path,
        attempt: u32,
    ) -> Result<(SubmittedJob, Vec<String>), SubmitError> {
        let answer = command::run(&mut self.command(script), TIMEOUT);
        let answer = answer.map_err(|reason| match reason {
            NoAnswer::Start(source) => SubmitError::Start {
                program: self.program.clone(),
                source,
            },
            NoAnswer::Unheard(error) => SubmitError::Unanswered {
                script: script.to_owned(),
                message: format!("sbatch cannot be listened to: {error}"),
            },
            NoAnswer::TimedOut => SubmitError::Unanswered {
                script: script.to_owned(),
                message: format!("sbatch did not end within {} s", TIMEOUT.as_secs()),
            },
        })?;
        let has_failed = answer.status.is_some() && !answer.is_success();
        match job_in(&answer.stdout).filter(|_| !has_failed) {
            Some(job) => Ok((job, warnings_in(&answer.stderr))),
            None if !answer.is_success() => Err(failure(&self.program, script, attempt, &answer)),
            None => Err(SubmitError::Unreadable {
                script: script.to_owned(),
                answer: answer.stdout,
            }),
        }
    }
}

/// What sbatch said beside the number. With `-v`, it tells of its options first, and then of much else.
fn warnings_in(stderr: &str) -> Vec<String> {
    let is_verbose = stderr.contains("sbatch: defined options");
    // 22.05 writes "Warning: ", and later releases "warning: ".
    let is_warning = |line: &str| line.contains(": error: ") || line.contains("arning: ");
    let lines = stderr.lines().map(str::trim_end);
    let lines = lines.filter(|line| !line.is_empty() && (!is_verbose || is_warning(line)));
    lines.map(str::to_owned).collect()
}

/// The job that an answer names. Sites put words of their own around it, which may be numbers, too: sbatch's own is the last
/// line, or the only number.
fn job_in(answer: &str) -> Option<SubmittedJob> {
    let lines = answer.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    let jobs: Vec<_> = lines.map(|line| SubmittedJob::parse(line).ok()).collect();
    let mut known = jobs.iter().flatten();
    match (jobs.last()?, known.next(), known.next()) {
        (Some(last), ..) => Some(last.clone()),
        (None, Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// What it means that sbatch failed. Its last line is the reason; lines before it
/// may tell of tries that sbatch itself made. The words are those of Slurm's
/// `src/common/slurm_errno.c`, and the same from 20.11 to 26.05.
fn failure(program: &Utf8Path, script: &Utf8Path, attempt: u32, answer: &Answer) -> SubmitError {
    const NOTHING_WAS_TAKEN: [&str; 5] = [
        // Of an sbatch that fetches its configuration from the controller.
        "Could not establish a configuration source",
        "Unable to contact slurm controller (connect failure)",
        "Resource temporarily unavailable",
        "Unable to create job record, try again",
        "Slurm backup controller in standby mode",
    ];
    const MAYBE_TAKEN: [&str; 5] = [
        "Unable to contact slurm controller",
        "Socket timed out on send/recv operation",
        "Zero Bytes were transmitted or received",
        "Communication shutdown failure",
        "Unexpected message received",
    ];
    let (script, message) = (script.to_owned(), answer.message());
    let reason = message.lines().last().unwrap_or_default();
    let is_one_of = |list: &[&str]| list.iter().any(|text| reason.contains(text));
    if answer.lacks_configuration() {
        return SubmitError::NotConfigured {
            program: program.to_owned(),
            message,
        };
    }
    if is_one_of(&NOTHING_WAS_TAKEN) {
        return SubmitError::Unavailable {
            script,
            attempts: attempt,
            message,
        };
    }
    match answer.status.and_then(|status| status.code()) {
        Some(code) if !is_one_of(&MAYBE_TAKEN) => SubmitError::Refused {
            script,
            code,
            message,
        },
        // A signal ends sbatch at any moment, and an exit code that is lost may have been any.
        _ => SubmitError::Unanswered { script, message },
    }
}

/// A script's path from the root; where this folder is gone, from here, and no option by its looks.
fn absolute(script: &Utf8Path) -> PathBuf {
    std::path::absolute(script).unwrap_or_else(|_| Path::new(".").join(script))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::bash_answers;

    /// What sbatch's failure with this message means.
    fn meaning(message: &str) -> SubmitError {
        let answer = bash_answers("printf %s \"$0\" >&2; exit 1", message);
        failure("/usr/bin/sbatch".into(), "launch.sh".into(), 3, &answer)
    }

    #[test]
    fn the_job_among_a_site_s_words() {
        for (answer, job) in [
            ("1064\n", Some("1064")),
            ("1064\nThank you.\n\n", Some("1064")),
            ("Your balance in hours:\n1500\n103\n", Some("103")),
            ("7\n7\n", Some("7")),
            ("1500\n103\nThank you.\n", None),
            ("Thank you.\n", None),
            ("", None),
        ] {
            let found = job_in(answer).map(|job| job.to_string());
            assert_eq!(found.as_deref(), job, "{answer:?}");
        }
    }

    #[test]
    fn warnings_of_a_job_that_was_taken() {
        let one = "sbatch: Warning: can't run 1 processes on 2 nodes, setting nnodes to 1";
        let other = "sbatch: error: Ignoring -S since it's not allowed by configuration";
        let said = format!("{one}\n\nYour project has 3 hours left.\n");
        assert_eq!(warnings_in(&said), [one, "Your project has 3 hours left."]);
        let verbose = format!(
            "sbatch: defined options\nsbatch: verbose             : 1\nsbatch: end of defined options\n{other}\n\
             sbatch: debug:  propagating RLIMIT_CPU=1\n{one}\nsbatch: select/linear: init: loaded\n"
        );
        assert_eq!(warnings_in(&verbose), [other, one]);
        assert_eq!(warnings_in(""), [""; 0]);
    }

    #[test]
    fn failures_are_kept_apart() {
        const FAILED: &str = "sbatch: error: Batch job submission failed: ";
        let retried =
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n";
        for message in [
            format!("{FAILED}Unable to contact slurm controller (connect failure)"),
            format!("{retried}{FAILED}Resource temporarily unavailable"),
        ] {
            let error = meaning(&message);
            assert!(
                matches!(error, SubmitError::Unavailable { attempts: 3, .. }),
                "{error}"
            );
        }
        for message in [
            format!("{FAILED}Socket timed out on send/recv operation"),
            format!("{FAILED}Unable to contact slurm controller (receive failure)"),
            format!("{retried}{FAILED}Socket timed out on send/recv operation"),
        ] {
            let error = meaning(&message);
            assert!(matches!(error, SubmitError::Unanswered { .. }), "{error}");
            assert!(error.to_string().contains("squeue --me"), "{error}");
        }
        let error = meaning(&format!("{FAILED}Invalid partition name specified"));
        assert_eq!(
            error.to_string(),
            "sbatch refused launch.sh: sbatch: error: Batch job submission failed: Invalid partition name specified"
        );
    }

    /// sbatch's own words of both kinds.
    #[test]
    fn a_slurm_that_is_not_set_up_has_refused_nothing() {
        const END: &str = "sbatch: error: _establish_config_source: failed to fetch config\n\
                           sbatch: fatal: Could not establish a configuration source";
        let nothing_there = format!("sbatch: error: fetch_config: DNS SRV lookup failed\n{END}");
        let unusable = "sbatch: error: ClusterName needs to be specified\n\
                        sbatch: fatal: Unable to process configuration file";
        for message in [&*nothing_there, unusable] {
            let error = meaning(message);
            assert!(
                matches!(error, SubmitError::NotConfigured { .. }),
                "{error}"
            );
            assert_eq!(
                error.to_string(),
                format!(
                    "/usr/bin/sbatch has no Slurm configuration that it can use, so no job was submitted; set SLURM_CONF as the site \
                     says, or load its Slurm module: {message}"
                )
            );
        }
        let away = format!(
            "sbatch: error: _fetch_child: failed to fetch remote configs: Unable to contact slurm controller (connect \
             failure)\n{END}"
        );
        let error = meaning(&away);
        assert!(matches!(error, SubmitError::Unavailable { .. }), "{error}");
    }

    #[test]
    fn a_signal_says_nothing_of_the_job() {
        let answer = bash_answers("kill -TERM $$", "");
        let error = failure("/usr/bin/sbatch".into(), "launch.sh".into(), 1, &answer);
        assert!(matches!(error, SubmitError::Unanswered { .. }), "{error}");
        // Nor does an exit code that is lost, whatever sbatch said.
        let mut lost = bash_answers("echo 'Invalid qos specification' >&2; exit 1", "");
        lost.status = None;
        let error = failure("/usr/bin/sbatch".into(), "launch.sh".into(), 1, &lost);
        assert!(matches!(error, SubmitError::Unanswered { .. }), "{error}");
    }
}
