//! A rendered script, and how it gets to disk.

use std::fmt;
use std::sync::Arc;

use askama::Template;
use camino::Utf8Path;

pub(crate) use self::launch::Launch;
pub(crate) use self::prepare_models::PrepareModels;
pub(crate) use self::setup::Setup;
use crate::job_options::ScriptKind;
use crate::slurm::Directives;
use crate::write::{Mode, WriteError, WrittenFile, write_with_backup};

pub(crate) mod images;
mod launch;
mod prepare_models;
mod setup;
mod site;

/// What names the crate in a script.
const MADE_BY: &str = concat!("nim-slurm ", env!("CARGO_PKG_VERSION"));

/// A script, ready for sbatch.
///
/// ```
/// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let script = plan.setup();
/// assert_eq!(script.kind(), ScriptKind::Setup);
/// assert!(script.text().starts_with("#!/usr/bin/env bash\n#SBATCH --job-name=nim-setup\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    kind: ScriptKind,
    text: String,
}

impl Script {
    pub(crate) const fn new(kind: ScriptKind, text: String) -> Self {
        Self { kind, text }
    }

    /// Which script it is.
    #[must_use]
    pub const fn kind(&self) -> ScriptKind {
        self.kind
    }

    /// The script's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes the script into a folder, which is made if it is not there, under its
    /// [file name](ScriptKind::file_name), executable.
    ///
    /// The file has its name only once it is whole. The same bytes are left alone;
    /// other bytes are first kept as `NAME.bak-1`, `NAME.bak-2`, … and nothing is
    /// ever overwritten. Threads may write to one folder; of two processes that write there
    /// at the same moment, the text of one may be lost.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or the file cannot be written: no space, no
    /// leave, a folder of that name; and when the path is empty (`.` is the current folder). What was there before is still there.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap().join("bench");
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let written = plan.launch().write_to(&folder)?;
    /// assert_eq!(written.path, folder.join("launch.sh"));
    /// assert!(plan.launch().write_to(&folder)?.unchanged);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, folder: impl AsRef<Utf8Path>) -> Result<WrittenFile, WriteError> {
        let folder = folder.as_ref();
        // Without a folder there is no file either.
        let path = Some(folder).filter(|folder| *folder != "");
        let path = path.map(|folder| folder.join(self.kind.file_name()));
        write_with_backup(&path.unwrap_or_default(), &self.text, Mode::Executable)
    }
}

/// What a script is rendered from: its options, and the values that its template names.
///
/// All is prepared when a plan is made, so that rendering only copies: 6 times as fast as the
/// faster of minijinja and tera (`benches/render`). Rendered on call, with values that are
/// quoted as they are written, it was 1.1 times as fast.
pub(crate) struct Draft<T> {
    directives: Directives,
    head: String,
    values: Arc<T>,
    /// Bytes of the script.
    length: usize,
}

impl<T> Clone for Draft<T> {
    fn clone(&self) -> Self {
        Self {
            directives: self.directives.clone(),
            head: self.head.clone(),
            values: Arc::clone(&self.values),
            length: self.length,
        }
    }
}

/// The rest follows from a plan's recipe and settings, which are compared and shown there.
impl<T> PartialEq for Draft<T> {
    fn eq(&self, other: &Self) -> bool {
        self.directives == other.directives
    }
}

impl<T> Eq for Draft<T> {}

impl<T> fmt::Debug for Draft<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.directives.fmt(f)
    }
}

impl<T: Template> Draft<T> {
    pub(crate) fn new(directives: Directives, values: T) -> Self {
        let mut draft = Self {
            head: directives.header(),
            directives,
            values: Arc::new(values),
            length: 0,
        };
        // Grown bit by bit, a script would be copied six times over.
        let mut length = Length(0);
        draft.write(&mut length);
        draft.length = length.0;
        draft
    }

    pub(crate) const fn directives(&self) -> &Directives {
        &self.directives
    }

    pub(crate) fn values(&self) -> &T {
        &self.values
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::with_capacity(self.length);
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut impl fmt::Write) {
        // The values were checked when they were made, and memory takes all that is
        // written to it.
        text.write_str(&self.head)
            .map_err(askama::Error::from)
            .and_then(|()| self.values.render_into(text))
            // askama drops a template's last line break.
            .and_then(|()| Ok(text.write_str("\n")?))
            .expect("a checked value renders");
    }
}

/// Counts what is written.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
