//! A rendered script, and how it gets to disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

use camino::{Utf8Path, Utf8PathBuf};

pub(crate) mod templates;

/// Which of the three scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptKind {
    /// `setup.sh`: fetches the container images.
    Setup,
    /// `prepare_models.sh`: downloads the model.
    PrepareModels,
    /// `launch.sh`: runs the server and the benchmark.
    Launch,
}

impl ScriptKind {
    /// All three, in the order in which they are run.
    pub const ALL: [Self; 3] = [Self::Setup, Self::PrepareModels, Self::Launch];

    /// The name in settings and flags: `setup`, `prepare_models`, `launch`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::PrepareModels => "prepare_models",
            Self::Launch => "launch",
        }
    }

    /// The name of the file: `setup.sh`, `prepare_models.sh`, `launch.sh`.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Setup => "setup.sh",
            Self::PrepareModels => "prepare_models.sh",
            Self::Launch => "launch.sh",
        }
    }
}

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

/// What [`Script::write_to`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The script's file.
    pub path: Utf8PathBuf,
    /// True when the same bytes were there already.
    pub unchanged: bool,
    /// Where other bytes that were there are kept now.
    pub backup: Option<Utf8PathBuf>,
}

/// A script that could not be written. What was there before is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {deed}")]
pub struct WriteError {
    path: Utf8PathBuf,
    deed: &'static str,
    #[source]
    source: io::Error,
}

impl WriteError {
    /// The script's file.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }
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
    /// ever overwritten.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or the file cannot be written: no space, no
    /// leave, a folder of that name. What was there before is still there.
    pub fn write_to(&self, folder: impl AsRef<Utf8Path>) -> Result<Written, WriteError> {
        let folder = folder.as_ref();
        let path = folder.join(self.kind.file_name());
        let fail = |deed| {
            let path = path.clone();
            move |source| WriteError { path, deed, source }
        };
        fs::create_dir_all(folder).map_err(fail("cannot make the folder"))?;
        let before = match fs::read(&path) {
            Ok(bytes) if bytes == self.text.as_bytes() => {
                return Ok(Written {
                    path,
                    unchanged: true,
                    backup: None,
                });
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::symlink_metadata(&path).is_ok()
            }
            Err(error) => return Err(fail("cannot read what is there")(error)),
        };
        let part = Part::write(folder, self.kind.file_name(), &self.text)
            .map_err(fail("cannot write the new text"))?;
        let backup = if before {
            Some(keep(&path).map_err(fail("cannot keep what is there"))?)
        } else {
            None
        };
        part.rename(&path)
            .map_err(fail("cannot rename the new file"))?;
        Ok(Written {
            path,
            unchanged: false,
            backup,
        })
    }
}

/// Gives the file at `path` a second name, the first that is free.
fn keep(path: &Utf8Path) -> io::Result<Utf8PathBuf> {
    for number in 1_u32.. {
        let backup = Utf8PathBuf::from(format!("{path}.bak-{number}"));
        // A link fails where there is a file, so no earlier backup can be lost.
        match fs::hard_link(path, &backup) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links.
            Err(_) => {
                let mut copy = match OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(&backup)
                {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    copy => copy?,
                };
                io::copy(&mut File::open(path)?, &mut copy)?;
                copy.sync_all()?;
                return Ok(backup);
            }
        }
    }
    Err(io::Error::other("all names are taken"))
}

/// A file that is being written; it is removed unless it gets its name.
struct Part {
    path: Utf8PathBuf,
}

impl Part {
    fn write(folder: &Utf8Path, name: &str, text: &str) -> io::Result<Self> {
        for number in 0_u32.. {
            let path = folder.join(format!(".{name}.{}-{number}.part", std::process::id()));
            // A name that is taken is someone else's, and is not followed.
            let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let part = Self { path };
            file.write_all(text.as_bytes())?;
            make_executable(&file)?;
            file.sync_all()?;
            return Ok(part);
        }
        Err(io::Error::other("all names are taken"))
    }

    fn rename(self, path: &Utf8Path) -> io::Result<()> {
        fs::rename(&self.path, path)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Behind a rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Adds leave to execute for everyone who has leave to read.
#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mut permissions = file.metadata()?.permissions();
    let mode = permissions.mode();
    permissions.set_mode(mode | ((mode & 0o444) >> 2));
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}
