//! What cannot be read, said so that a person finds it.

use camino::{Utf8Path, Utf8PathBuf};

use crate::plain::plain;

/// Something in a results folder that cannot be read, or that a reader of the
/// numbers must know. The rest was read all the same.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let table = folder.join("profile_export_genai_perf.csv");
/// std::fs::write(&table, "Metric,avg\nInter Token Latency (ms),fast\n\nMetric,Value\nRequest Count,8.00\n")?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let problem = &run.problems()[0];
/// assert_eq!((problem.file(), problem.line()), (table.as_path(), Some(2)));
/// assert_eq!(problem.message(), "avg of Inter Token Latency (ms) is \"fast\", which is no number");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ReadProblem {
    file: Utf8PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    message: String,
}

impl ReadProblem {
    pub(super) fn new(
        file: impl Into<Utf8PathBuf>,
        line: Option<u64>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line,
            message: plain(&message.into()).into_owned(),
        }
    }

    /// The file or folder.
    #[must_use]
    pub fn file(&self) -> &Utf8Path {
        &self.file
    }

    /// The line in it, from 1, where one is to blame.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        self.line
    }

    /// What is wrong, as one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `FILE:LINE: MESSAGE`, as compilers write it.
impl std::fmt::Display for ReadProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A file's name may hold anything, also what moves a terminal's cursor.
        write!(f, "{}", plain(self.file.as_str()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ReadProblem {}

/// `text` in quotes, fit for a sentence.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
