//! Submissions that came to nothing, or to nothing that is known.

use std::io;

use camino::Utf8PathBuf;

/// A submission that came to nothing, or of which nobody knows what came of it.
#[derive(Debug, thiserror::Error)]
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
    /// Slurm refused the job. It would refuse it again.
    #[error("sbatch refused {script}: {words}")]
    Refused {
        /// The script.
        script: Utf8PathBuf,
        /// sbatch's exit code.
        code: i32,
        /// Slurm's own words.
        words: String,
    },
    /// Slurm's controller was not there, or took no job for now, each time that it
    /// was tried. No job was submitted.
    #[error(
        "the Slurm controller did not take {script}, tried {attempts} times, so no job was submitted: {words}"
    )]
    Unavailable {
        /// The script.
        script: Utf8PathBuf,
        /// How often it was tried.
        attempts: u32,
        /// Slurm's own words, the last time.
        words: String,
    },
    /// The request went out, and no answer came back. The job may be in the queue,
    /// so it was not tried again.
    #[error(
        "no answer came for {script}, which may be in the queue all the same; look with squeue --me before it is \
         submitted again: {words}"
    )]
    Unanswered {
        /// The script.
        script: Utf8PathBuf,
        /// Slurm's own words.
        words: String,
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
