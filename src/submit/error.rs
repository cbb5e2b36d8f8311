//! Submissions that came to nothing, or to nothing that is known.

use std::io;

use camino::Utf8PathBuf;

use super::advice;
use crate::job_options::ScriptKind;
use crate::plan::Plan;

/// A submission that failed, or of which nothing is known.
///
/// ```
/// use nim_slurm::{RetryPolicy, Sbatch, SubmitError};
///
/// let sbatch = Sbatch::at("/no/such/sbatch").with_retry_policy(RetryPolicy::none());
/// match sbatch.submit("launch.sh").unwrap_err() {
///     SubmitError::Unanswered { .. } => println!("look with squeue --me before trying again"),
///     error => assert_eq!(error.to_string(), "cannot start /no/such/sbatch"),
/// }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// There is no `sbatch` on this machine.
    #[error("no sbatch on PATH: is this a login node of a Slurm cluster?")]
    NotFound,
    /// `sbatch` could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: Utf8PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Slurm is not set up on this machine, or for this user: `sbatch` has no configuration, or
    /// one that it cannot use. No job was submitted.
    #[error(
        "{program} has no Slurm configuration that it can use, so no job was submitted; set SLURM_CONF as the site says, or load its \
         Slurm module: {message}"
    )]
    NotConfigured {
        /// The program.
        program: Utf8PathBuf,
        /// Slurm's own message.
        message: String,
    },
    /// Slurm refused the job. It would refuse it again.
    #[error("sbatch refused {script}: {message}")]
    Refused {
        /// The script.
        script: Utf8PathBuf,
        /// sbatch's exit code.
        code: i32,
        /// Slurm's own message.
        message: String,
    },
    /// Slurm's controller was not there, or took no job for now, each time that it
    /// was tried. No job was submitted.
    #[error(
        "the Slurm controller did not take {script}, tried {attempts} times, so no job was submitted: {message}"
    )]
    Unavailable {
        /// The script.
        script: Utf8PathBuf,
        /// How often it was tried.
        attempts: u32,
        /// Slurm's own message, the last time.
        message: String,
    },
    /// The request went out, and no answer came back. The job may be in the queue,
    /// so it was not tried again. So it is where `sbatch` named no job and its exit code is lost: a process
    /// that ignores `SIGCHLD`, or waits for all children elsewhere, is not told of it.
    #[error(
        "no answer came for {script}, which may be in the queue all the same; look with squeue --me before it is \
         submitted again: {message}"
    )]
    Unanswered {
        /// The script.
        script: Utf8PathBuf,
        /// Slurm's own message, or why there is none.
        message: String,
    },
    /// The job was submitted, but the answer names no job.
    #[error("sbatch took {script}, but its answer {answer:?} names no job; look with squeue --me")]
    Unreadable {
        /// The script.
        script: Utf8PathBuf,
        /// What sbatch printed.
        answer: String,
    },
}

crate::plain::debug_in_words!(SubmitError);

impl SubmitError {
    /// What is known of the script, in a sentence about it.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Unanswered { .. } | Self::Unreadable { .. } => "may have been submitted",
            _ => "was not submitted",
        }
    }

    /// What to change so that Slurm takes a script of a plan, where its refusal is a
    /// known one.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings, SubmitError};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let error = SubmitError::Refused {
    ///     script: "launch.sh".into(),
    ///     code: 1,
    ///     message: "sbatch: error: Invalid qos specification".to_owned(),
    /// };
    /// let advice = error.advice(&plan, ScriptKind::Launch).unwrap();
    /// assert!(advice.starts_with("name a quality of service that you may use"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn advice(&self, plan: &Plan, kind: ScriptKind) -> Option<String> {
        match self {
            Self::Refused { message, .. } => advice::advice(plan, kind, message),
            _ => None,
        }
    }
}
