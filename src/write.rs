//! How a text gets to disk without the loss of another.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

/// Who can exchange what is in a folder, beside the user, root and a group: who is in that group is trusted.
///
/// ```
/// use nim_slurm::Outsider;
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
///
/// // A folder of the user's own, and one that is not there.
/// assert_eq!(Outsider::of(folder), None);
/// assert_eq!(Outsider::of(folder.join("bench")), None);
/// match Outsider::of("/tmp") {
///     Some(Outsider::Anyone) => println!("every user may write there"),
///     other => println!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outsider {
    /// The other user (by number) to whom the folder belongs, or the link to it.
    Owner(u32),
    /// Every user may write there.
    Anyone,
}

impl Outsider {
    /// Looks at a folder; nothing where it cannot be seen, or is none.
    #[cfg(unix)]
    #[must_use]
    pub fn of(folder: impl AsRef<Utf8Path>) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;

        let folder = folder.as_ref();
        let user = fs::metadata("/proc/self").ok().map(|own| own.uid());
        let is_another = |owner: &u32| *owner != 0 && user.is_some_and(|user| user != *owner);
        let places = [fs::symlink_metadata(folder), fs::metadata(folder)];
        let mut owners = places.iter().flatten().map(MetadataExt::uid);
        let owner = owners.find(is_another).map(Self::Owner);
        owner.or_else(|| may_anyone_write(folder).then_some(Self::Anyone))
    }

    /// Looks at a folder; nothing here.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of(_: impl AsRef<Utf8Path>) -> Option<Self> {
        None
    }
}

/// True for a folder that every user may write to.
#[cfg(unix)]
pub(crate) fn may_anyone_write(folder: &Utf8Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(folder).is_ok_and(|there| there.is_dir() && there.mode() & 0o002 != 0)
}

#[cfg(all(not(unix), feature = "cluster"))]
pub(crate) fn may_anyone_write(_: &Utf8Path) -> bool {
    false
}

/// What writing a file did.
///
/// ```
/// use nim_slurm::{Plan, Recipe, Settings};
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
///
/// std::fs::write(folder.join("launch.sh"), "# mine\n")?;
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let written = plan.launch().write_to(folder)?;
/// assert_eq!(written.backup, Some(folder.join("launch.sh.bak-1"))); // what was there
/// assert!(!written.unchanged);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrittenFile {
    /// The file.
    pub path: Utf8PathBuf,
    /// True when the same bytes were there already; of a script, in a file of the user's own to
    /// which nobody else may write.
    pub unchanged: bool,
    /// Where other bytes that were there are kept now.
    pub backup: Option<Utf8PathBuf>,
}

/// A file that could not be written. What was there before is still there.
///
/// ```
/// use nim_slurm::{Plan, Recipe, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let error = plan.launch().write_to("/dev/null/bench").unwrap_err();
/// assert_eq!(error.path(), "/dev/null/bench/launch.sh");
/// assert_eq!(error.kind(), nim_slurm::WriteErrorKind::Folder);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(thiserror::Error)]
// Of a text that cannot be written, the source says it all.
#[error("cannot write {}{}", shown(.path), match .kind { WriteErrorKind::Write => String::new(), kind => format!(": {kind}") })]
pub struct WriteError {
    path: Utf8PathBuf,
    kind: WriteErrorKind,
    #[source]
    source: io::Error,
}

/// What a program says whose `main` returns it.
impl std::fmt::Debug for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}: {}", self.source)
    }
}

/// What went wrong when a file was written, for a program.
///
/// ```
/// use nim_slurm::{Plan, Recipe, Settings, WriteErrorKind};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// match plan.launch().write_to("/dev/null").unwrap_err().kind() {
///     WriteErrorKind::Folder => println!("name another folder"),
///     kind => println!("{kind}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// Its folder cannot be made.
    Folder,
    /// What has its name is a folder, a device or a pipe.
    NotRegular,
    /// What has its name cannot be read.
    Existing,
    /// The new text cannot be written.
    Write,
    /// What was there cannot be kept under another name.
    Backup,
    /// The new file cannot get its name.
    Rename,
}

impl std::fmt::Display for WriteErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Folder => "cannot make the folder",
            Self::NotRegular => "what is there is no regular file",
            Self::Existing => "cannot read what is there",
            Self::Write => "cannot write the new text",
            Self::Backup => "cannot keep what is there",
            Self::Rename => "cannot rename the new file",
        })
    }
}

impl WriteError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> WriteErrorKind {
        self.kind
    }
}

/// What is wrong with the path "", which would be that of the current folder in one place and of nothing in another.
pub(crate) fn empty_path() -> io::Error {
    let words = "the path is empty: . is the current folder";
    io::Error::new(io::ErrorKind::InvalidInput, words)
}

/// A path for a sentence, where nobody sees an empty one.
pub(crate) fn shown(path: &Utf8Path) -> &str {
    if path == "" { "\"\"" } else { path.as_str() }
}

/// Whether a file is a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Executable,
    Plain,
}

impl Mode {
    /// Whatever the umask, nobody else may write to a program, not even while it is made: who has it open keeps it open, and
    /// who could write would run what they like as the user.
    fn options(self) -> OpenOptions {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        if self == Self::Executable {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o755);
        }
        options
    }
}

/// One thread writes at a time: what another has put under the name since the look at it would be in no file.
static WRITING: Mutex<()> = Mutex::new(());

/// Writes a file under its name once it is whole. The same bytes are left alone, of a program only where
/// nobody else can change them; other bytes are first kept as `NAME.bak-1`, `NAME.bak-2`, …, each once.
/// Where another process writes the same file at the same moment, one of the two texts may be in no file.
pub(crate) fn write_with_backup(
    path: &Utf8Path,
    text: &str,
    mode: Mode,
) -> Result<WrittenFile, WriteError> {
    let fail = |kind| {
        move |source| WriteError {
            path: path.to_owned(),
            kind,
            source,
        }
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder,
        _ => Utf8Path::new("."),
    };
    if path == "" {
        return Err(fail(WriteErrorKind::Write)(empty_path()));
    }
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    make_folder(folder).map_err(fail(WriteErrorKind::Folder))?;
    // A device or a pipe is no file to keep a copy of, and may have no end.
    if let Ok(there) = fs::metadata(path)
        && !there.is_file()
    {
        let reason = if there.is_dir() {
            "it is a folder"
        } else {
            "it is a device or a pipe"
        };
        return Err(fail(WriteErrorKind::NotRegular)(io::Error::other(reason)));
    }
    let unchanged = || WrittenFile {
        path: path.to_owned(),
        unchanged: true,
        backup: None,
    };
    let before = fs::symlink_metadata(path).ok();
    let is_same = match fs::read(path) {
        Ok(bytes) => bytes == text.as_bytes(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(fail(WriteErrorKind::Existing)(error)),
    };
    if is_same && mode == Mode::Plain {
        return Ok(unchanged());
    }
    let file = before.as_ref().filter(|there| is_same && there.is_file());
    let is_own = |own: io::Result<fs::Metadata>| {
        let both = file.zip(own.ok());
        both.is_some_and(|(there, own)| only_its_owner_writes(there, &own))
    };
    // Linux says who the user is, and so does each new file, as the file system has it.
    if is_own(fs::metadata("/proc/self")) {
        return Ok(unchanged());
    }
    let name = path.file_name().unwrap_or_default();
    let part = Part::write(folder, name, text, mode).map_err(fail(WriteErrorKind::Write))?;
    if is_own(fs::metadata(&part.path)) {
        return Ok(unchanged());
    }
    // Of a link, there is more to keep than the bytes.
    let backup = if before.is_some() && file.is_none() {
        Some(back_up(path).map_err(fail(WriteErrorKind::Backup))?)
    } else {
        None
    };
    part.rename(path).map_err(fail(WriteErrorKind::Rename))?;
    Ok(WrittenFile {
        path: path.to_owned(),
        unchanged: false,
        backup,
    })
}

/// Gives the file at `path` a second name, the first that is free, unless one of the
/// files before it has the same bytes.
fn back_up(path: &Utf8Path) -> io::Result<Utf8PathBuf> {
    for number in 1_u32.. {
        let backup = Utf8PathBuf::from(format!("{path}.bak-{number}"));
        if has_same_bytes(path, &backup) {
            return Ok(backup);
        }
        // A link fails where there is a file, so no earlier backup can be lost.
        match fs::hard_link(path, &backup) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links, and a system may allow none to files of others.
            Err(_) => match copy(path, &backup) {
                Ok(()) => return Ok(backup),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            },
        }
    }
    Err(io::Error::other("all names are taken"))
}

/// Makes a new file or link like the one at `path`. Where a link leads is not read: the user may
/// read what those who read the copy may not.
#[cfg(unix)]
fn copy(path: &Utf8Path, backup: &Utf8Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};

    if fs::symlink_metadata(path)?.is_symlink() {
        return symlink(fs::read_link(path)?, backup);
    }
    let mut from = File::open(path)?;
    // The file may have been exchanged for a link before it was opened.
    let (named, opened) = (fs::symlink_metadata(path)?, from.metadata()?);
    if !opened.is_file() || (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(io::Error::other("it is exchanged meanwhile"));
    }
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(backup)?;
    io::copy(&mut from, &mut to)?;
    // Another group may have other members.
    let is_same_group = opened.gid() == to.metadata()?.gid();
    let leave = if is_same_group { 0o755 } else { 0o700 };
    to.set_permissions(fs::Permissions::from_mode(opened.mode() & leave))?;
    to.sync_all()
}

#[cfg(not(unix))]
fn copy(path: &Utf8Path, backup: &Utf8Path) -> io::Result<()> {
    let mut to = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(backup)?;
    io::copy(&mut File::open(path)?, &mut to)?;
    to.sync_all()
}

/// True for a plain file with the bytes of another. A link to that other one would
/// be no copy.
fn has_same_bytes(path: &Utf8Path, copy: &Utf8Path) -> bool {
    let is_plain = fs::symlink_metadata(copy).is_ok_and(|there| there.is_file());
    is_plain && fs::read(path).is_ok_and(|bytes| fs::read(copy).is_ok_and(|copy| copy == bytes))
}

/// A file that is being written; it is removed unless it gets its name.
struct Part {
    path: Utf8PathBuf,
    has_name: bool,
}

impl Part {
    fn write(folder: &Utf8Path, name: &str, text: &str, mode: Mode) -> io::Result<Self> {
        for number in 0_u32.. {
            let path = folder.join(format!(".{name}.{}-{number}.part", std::process::id()));
            // A name that is taken is someone else's, and is not followed.
            let mut file = match mode.options().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            let part = Self {
                path,
                has_name: false,
            };
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            return Ok(part);
        }
        Err(io::Error::other("all names are taken"))
    }

    fn rename(mut self, path: &Utf8Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.has_name = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Behind a rename, the old name may be that of another's part.
        if !self.has_name {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A folder and those above it. As with files, nobody else may write there.
fn make_folder(folder: &Utf8Path) -> io::Result<()> {
    if fs::metadata(folder).is_ok_and(|there| !there.is_dir()) {
        return Err(io::Error::other(format!(
            "{folder} is there and is no folder: name another one"
        )));
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.recursive(true).create(folder)
}

/// Whether nobody but the user, whose `own` is, can write to the file that is there.
#[cfg(unix)]
fn only_its_owner_writes(there: &fs::Metadata, own: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    there.uid() == own.uid() && there.mode() & 0o022 == 0
}

#[cfg(not(unix))]
fn only_its_owner_writes(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_error_says_what_happened_once() {
        let error = |kind| WriteError {
            path: "out/setup.sh".into(),
            kind,
            source: io::Error::other("No space left on device"),
        };
        assert_eq!(
            error(WriteErrorKind::Write).to_string(),
            "cannot write out/setup.sh"
        );
        assert_eq!(
            error(WriteErrorKind::Rename).to_string(),
            "cannot write out/setup.sh: cannot rename the new file"
        );
    }

    /// As where a link to a file of another is refused, and on file systems without links.
    #[test]
    fn a_copy_follows_no_link_and_opens_nothing_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let (secret, link) = (folder.join("secret"), folder.join("link"));
        fs::write(&secret, "key").unwrap();
        symlink("secret", &link).unwrap();
        copy(&link, &folder.join("link.bak-1")).unwrap();
        let kept = fs::read_link(folder.join("link.bak-1")).unwrap();
        assert_eq!(kept.to_str(), Some("secret"));

        for (mode, kept) in [(0o600, 0o600), (0o640, 0o640), (0o4777, 0o755)] {
            fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
            let backup = folder.join(format!("secret.{mode:o}"));
            copy(&secret, &backup).unwrap();
            assert_eq!(fs::read_to_string(&backup).unwrap(), "key");
            let mode = fs::metadata(&backup).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, kept, "{mode:o}");
        }
        let error = copy(&secret, &folder.join("link")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&secret).unwrap(), "key");
    }
}
