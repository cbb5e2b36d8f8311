//! Files that people write: recipes, settings, hooks.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;

pub use self::mistakes::FileMistake;
use crate::value::nearest;

mod mistakes;

/// A recipe or settings file that cannot be used.
///
/// The text names the file, the line and the value:
///
/// ```
/// let error = nim_slurm::Settings::from_toml("[slurm]\npartition = 'gpu h100'\n").unwrap_err();
/// let text = error.to_string();
/// assert!(text.contains("line 2"), "{text}");
/// assert!(text.contains("unexpected character ' ' in partition \"gpu h100\""), "{text}");
/// assert_eq!(error.path(), None); // it was a text, not a file
/// assert_eq!(error.kind(), nim_slurm::FileErrorKind::Content);
/// assert_eq!((error.line(), error.value()), (Some(2), Some("'gpu h100'")));
/// assert_eq!(error.mistakes().len(), 1); // all that there are
/// ```
pub struct FileError {
    what: &'static str,
    path: Option<Utf8PathBuf>,
    reason: FileReason,
}

crate::plain::debug_in_words!(FileError);

/// What is wrong with a file, for a program.
///
/// ```
/// use nim_slurm::{FileErrorKind, Recipe, Settings};
///
/// let error = Recipe::read("/no/such/recipe.toml").unwrap_err();
/// assert_eq!(error.kind(), FileErrorKind::Read);
/// assert_eq!(Settings::from_toml("[slurm").unwrap_err().kind(), FileErrorKind::Syntax);
/// assert_eq!(Settings::from_toml("slrum = 1").unwrap_err().kind(), FileErrorKind::Content);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// It cannot be read; the error's source is the system's reason, where there is one.
    Read,
    /// It is no TOML.
    Syntax,
    /// It is TOML, but has an unknown key, lacks one, has a value that is not allowed, or
    /// names a hook's file that cannot be used.
    Content,
}

#[derive(Debug)]
enum FileReason {
    /// And the same as a mistake.
    Read(io::Error, Box<FileMistake>),
    /// At least one.
    Mistakes(FileErrorKind, Vec<FileMistake>),
}

/// What is wrong at a place of a text.
pub(crate) type Fault = (Range<usize>, String);

/// A person writes some kilobytes; what is longer than this is another file.
const MOST_BYTES: u64 = 4 << 20;

/// The text of a file, which may be without end, or a pipe that this program was given. A
/// pipe with a name of its own is none of these: to open it would wait for a writer.
pub(crate) fn read_text(path: &Utf8Path) -> io::Result<String> {
    let is_given = ["/dev/stdin", "/dev/fd", "/proc/self/fd"].map(|place| path.starts_with(place));
    if !is_given.contains(&true) && is_pipe(path)? {
        return Err(io::Error::other(
            "it is a named pipe: a file is read, or /dev/stdin",
        ));
    }
    let mut text = String::new();
    File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {} MiB",
            MOST_BYTES >> 20
        )));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_pipe(path: &Utf8Path) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;

    Ok(path.metadata()?.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Utf8Path) -> io::Result<bool> {
    Ok(false)
}

/// Keys that a recipe alone has, and such of settings. Both have a `[slurm]`.
const OF_RECIPES: [&str; 4] = ["server", "model", "client", "sweep"];
const OF_SETTINGS: [&str; 6] = [
    "stage_path",
    "srun",
    "container",
    "cluster",
    "hooks",
    "launch",
];

/// What is said of a recipe that was given as settings, or the other way round.
fn other_file(what: &str, table: &toml::Table) -> Option<&'static str> {
    let has = |keys: &[&str]| keys.iter().filter(|key| table.contains_key(**key)).count();
    match (what, has(&OF_RECIPES), has(&OF_SETTINGS)) {
        ("settings", 2.., 0) => Some("this looks like a recipe: use --recipe"),
        ("recipe", 0, 1..) => Some("this looks like settings: use --settings"),
        _ => None,
    }
}

impl FileError {
    pub(crate) fn read(what: &'static str, path: &Utf8Path) -> Result<String, Self> {
        read_text(path).map_err(|error| {
            let mistake = FileMistake::of_text(format!("it cannot be read: {error}"));
            Self {
                what,
                path: Some(path.to_owned()),
                reason: FileReason::Read(error, Box::new(mistake)),
            }
        })
    }

    /// A text that is TOML, and what is wrong with it, each with its place.
    pub(crate) fn of(
        what: &'static str,
        path: Option<&Utf8Path>,
        text: &str,
        mut mistakes: Vec<Fault>,
    ) -> Self {
        mistakes.sort_by_key(|(span, _)| span.start);
        let mistakes = mistakes.into_iter();
        let mistakes = mistakes.map(|(span, words)| FileMistake::new(text, Some(span), &words));
        Self {
            what,
            path: path.map(Utf8Path::to_owned),
            reason: FileReason::Mistakes(FileErrorKind::Content, mistakes.collect()),
        }
    }

    /// Neither a file nor a name.
    pub(crate) fn no_recipe(path: &Utf8Path, built_in: &[&str]) -> Self {
        let words = match nearest(path.as_str(), built_in) {
            Some(meant) => format!("perhaps {meant} is meant"),
            None => format!("allowed are {}", built_in.join(", ")),
        };
        Self {
            what: "recipe",
            path: Some(path.to_owned()),
            reason: FileReason::Mistakes(
                FileErrorKind::Read,
                vec![FileMistake::of_text(format!(
                    "there is no such file, and no built-in recipe of this name: {words}"
                ))],
            ),
        }
    }

    /// Reads a text as TOML. See [`mistakes::read`] for the samples.
    pub(crate) fn parse<T: DeserializeOwned>(
        what: &'static str,
        path: Option<&Utf8Path>,
        text: &str,
        samples: &[&str],
    ) -> Result<T, Self> {
        mistakes::read(text, samples).map_err(|mistakes| {
            let (kind, other) = match toml::from_str::<toml::Table>(text) {
                Ok(table) => (FileErrorKind::Content, other_file(what, &table)),
                Err(_) => (FileErrorKind::Syntax, None),
            };
            let other = other.map(|words| vec![FileMistake::of_text(words.to_owned())]);
            let mistakes = other.unwrap_or(mistakes);
            Self {
                what,
                path: path.map(Utf8Path::to_owned),
                reason: FileReason::Mistakes(kind, mistakes),
            }
        })
    }

    /// The file, unless the text did not come from one.
    #[must_use]
    pub fn path(&self) -> Option<&Utf8Path> {
        self.path.as_deref()
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn kind(&self) -> FileErrorKind {
        match &self.reason {
            FileReason::Read(..) => FileErrorKind::Read,
            FileReason::Mistakes(kind, _) => *kind,
        }
    }

    /// All mistakes in it, in the order of their lines; at least one. What cannot be read has one without a line.
    ///
    /// They do not name the file: the error itself does.
    ///
    /// ```
    /// let error = nim_slurm::Settings::read("/no/such/site.toml").unwrap_err();
    /// let [mistake] = error.mistakes() else { panic!("{error}") };
    /// assert!(mistake.message().starts_with("it cannot be read: No such file"));
    /// ```
    #[must_use]
    pub fn mistakes(&self) -> &[FileMistake] {
        match &self.reason {
            FileReason::Read(_, mistake) => std::slice::from_ref(mistake),
            FileReason::Mistakes(_, mistakes) => mistakes,
        }
    }

    /// The line of the first mistake, from 1, where it has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.mistakes().first()?.line()
    }

    /// What stands there, as the file has it: a value, or a key that is not known.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.mistakes().first()?.value()
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match (&self.path, &self.reason) {
            (Some(path), FileReason::Read(..)) => write!(f, "cannot read {what} file {path}"),
            (None, FileReason::Read(..)) => write!(f, "cannot read the {what}"),
            (path, FileReason::Mistakes(_, mistakes)) => {
                f.write_str(what)?;
                if let Some(path) = path {
                    write!(f, " file {path}")?;
                }
                match mistakes.as_slice() {
                    [one] => write!(f, ": {one}"),
                    all => {
                        write!(f, ": {} mistakes", all.len())?;
                        all.iter().try_for_each(|mistake| write!(f, "\n{mistake}"))
                    }
                }
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            FileReason::Read(error, _) => Some(error),
            FileReason::Mistakes(..) => None,
        }
    }
}
