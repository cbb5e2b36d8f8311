//! How a script gets to Slurm.

use std::io;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use crate::slurm::{Dependency, JobId};

/// Slurm's `sbatch`, and what to add to its command line.
///
/// ```no_run
/// use nim_slurm::Sbatch;
/// use nim_slurm::slurm::Dependency;
///
/// let sbatch = Sbatch::find()?;
/// let setup = sbatch.submit("setup.sh")?;
/// let launch = sbatch.after(&Dependency::after_ok([setup])).submit("launch.sh")?;
/// println!("job {launch} follows job {setup}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbatch {
    program: Utf8PathBuf,
    arguments: Vec<String>,
}

/// A submission that came to nothing.
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
    /// Slurm refused the job.
    #[error("sbatch refused {script}: {words}")]
    Refused {
        /// The script.
        script: Utf8PathBuf,
        /// The exit code, unless a signal ended sbatch.
        code: Option<i32>,
        /// Slurm's own words.
        words: String,
    },
    /// The job was perhaps submitted, but the answer names no job.
    #[error("sbatch took {script}, but its answer {answer:?} names no job")]
    Unreadable {
        /// The script.
        script: Utf8PathBuf,
        /// What sbatch printed.
        answer: String,
    },
}

impl Sbatch {
    /// Finds `sbatch` on `PATH`.
    ///
    /// # Errors
    ///
    /// [`SubmitError::NotFound`] when it is not there.
    pub fn find() -> Result<Self, SubmitError> {
        let path = which::which("sbatch").map_err(|_| SubmitError::NotFound)?;
        Utf8PathBuf::from_path_buf(path)
            .map(Self::at)
            .map_err(|_| SubmitError::NotFound)
    }

    /// Uses the `sbatch` at this path.
    #[must_use]
    pub fn at(program: impl Into<Utf8PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
        }
    }

    /// Adds words to the command line, such as [`Plan::pinned`](crate::Plan::pinned).
    #[must_use]
    pub fn with_arguments(&self, arguments: impl IntoIterator<Item = String>) -> Self {
        let mut sbatch = self.clone();
        sbatch.arguments.extend(arguments);
        sbatch
    }

    /// Makes the job wait for others.
    #[must_use]
    pub fn after(&self, dependency: &Dependency) -> Self {
        self.with_arguments([format!("--dependency={dependency}")])
    }

    /// The command that [`submit`](Self::submit) runs.
    ///
    /// ```
    /// use nim_slurm::Sbatch;
    ///
    /// let command = Sbatch::at("/usr/bin/sbatch").command("launch.sh");
    /// assert_eq!(format!("{command:?}"), r#""/usr/bin/sbatch" "--parsable" "launch.sh""#);
    /// // A path is never an option.
    /// let command = Sbatch::at("/usr/bin/sbatch").command("--wrap=id/launch.sh");
    /// assert!(format!("{command:?}").ends_with(r#""./--wrap=id/launch.sh""#));
    /// ```
    #[must_use]
    pub fn command(&self, script: impl AsRef<Utf8Path>) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--parsable")
            .args(&self.arguments)
            .arg(as_path(script.as_ref()));
        command
    }

    /// Submits a script, and says which job it became.
    ///
    /// # Errors
    ///
    /// When sbatch cannot be started, when Slurm refuses the job (with Slurm's own
    /// words), and when the answer names no job.
    pub fn submit(&self, script: impl AsRef<Utf8Path>) -> Result<JobId, SubmitError> {
        let script = script.as_ref();
        let output = self
            .command(script)
            .output()
            .map_err(|source| SubmitError::Start {
                program: self.program.clone(),
                source,
            })?;
        if !output.status.success() {
            return Err(SubmitError::Refused {
                script: script.to_owned(),
                code: output.status.code(),
                words: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        let answer = String::from_utf8_lossy(&output.stdout);
        // With several clusters the answer is JOBID;CLUSTER.
        let id = answer.trim().split(';').next().unwrap_or_default();
        JobId::parse(id).map_err(|_| SubmitError::Unreadable {
            script: script.to_owned(),
            answer: answer.to_string(),
        })
    }
}

/// A relative path that begins with a hyphen is an option by its looks.
fn as_path(script: &Utf8Path) -> Utf8PathBuf {
    if script.as_str().starts_with('-') {
        Utf8Path::new(".").join(script)
    } else {
        script.to_owned()
    }
}
