//! Files that may be anything: they are read without waiting, and not without end.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFailure {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is a link, which is not followed")]
    Link,
    #[error("is not a regular file")]
    NotRegular,
    #[error("has {length} bytes: a file of up to {most} is read")]
    TooLong { length: u64, most: u64 },
}

impl From<ReadFailure> for io::Error {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Io(error) => error,
            other => Self::other(format!("it {other}")),
        }
    }
}

/// What becomes of a link in place of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// It is followed: the user's own files, and models, may lie elsewhere.
    Follow,
    /// It is an error: others can write to the folder, and could make it lead to a file
    /// that is not theirs to show.
    Refuse,
}

/// Opens a regular file, without waiting: to open a FIFO would wait for someone to write
/// into it.
pub(crate) fn open(path: &Path, links: Links) -> Result<(File, Metadata), ReadFailure> {
    let seen = match links {
        Links::Follow => fs::metadata(path)?,
        Links::Refuse => fs::symlink_metadata(path)?,
    };
    if seen.is_symlink() {
        return Err(ReadFailure::Link);
    }
    if !seen.is_file() {
        return Err(ReadFailure::NotRegular);
    }
    // It may have been replaced since.
    let mut options = OpenOptions::new();
    options.read(true);
    open_without_waiting(&mut options, links);
    let file = options.open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(ReadFailure::NotRegular);
    }
    if links == Links::Refuse && !is_same(&seen, &opened) {
        return Err(ReadFailure::Link);
    }
    Ok((file, opened))
}

/// `O_NONBLOCK`, and `O_NOFOLLOW` where links are refused: their values where they are
/// known. Elsewhere a file that was replaced by a link is noticed once it is open.
#[cfg(unix)]
fn open_without_waiting(options: &mut OpenOptions, links: Links) {
    use std::os::unix::fs::OpenOptionsExt;

    const LINUX: bool = cfg!(target_os = "linux");
    const NONBLOCK: i32 = if LINUX
        && cfg!(not(any(
            target_arch = "mips",
            target_arch = "mips64",
            target_arch = "sparc64"
        ))) {
        0o4000
    } else {
        0
    };
    const NOFOLLOW: i32 = if LINUX
        && cfg!(any(
            target_arch = "x86_64",
            target_arch = "riscv64",
            target_arch = "s390x"
        )) {
        0o400_000
    } else if LINUX && cfg!(any(target_arch = "aarch64", target_arch = "powerpc64")) {
        0o100_000
    } else {
        0
    };
    options.custom_flags(match links {
        Links::Follow => NONBLOCK,
        Links::Refuse => NONBLOCK | NOFOLLOW,
    });
}

#[cfg(not(unix))]
fn open_without_waiting(_: &mut OpenOptions, _: Links) {}

#[cfg(unix)]
fn is_same(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// The first bytes of a regular file of others, at most this many.
pub(crate) fn head(path: impl AsRef<Path>, most: u64) -> Option<Vec<u8>> {
    let (file, _) = open(path.as_ref(), Links::Refuse).ok()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The bytes of a regular file of others with at most this many.
pub(crate) fn read(path: impl AsRef<Path>, most: u64) -> Result<Vec<u8>, ReadFailure> {
    read_with(path.as_ref(), most, Links::Refuse)
}

fn read_with(path: &Path, most: u64, links: Links) -> Result<Vec<u8>, ReadFailure> {
    let (file, metadata) = open(path, links)?;
    let length = metadata.len();
    if length > most {
        return Err(ReadFailure::TooLong { length, most });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // Some files are longer than they say, or grow while they are read.
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file of others, where it can be read; a byte that is no text becomes
/// U+FFFD.
pub(crate) fn text(path: impl AsRef<Path>, most: u64) -> Option<String> {
    text_with(path.as_ref(), most, Links::Refuse)
}

/// The same of a file that may be a link: the user's own, or a model's.
pub(crate) fn linked_text(path: impl AsRef<Path>, most: u64) -> Option<String> {
    text_with(path.as_ref(), most, Links::Follow)
}

fn text_with(path: &Path, most: u64, links: Links) -> Option<String> {
    let bytes = read_with(path, most, links).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_and_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"text \xff").unwrap();
        assert_eq!(text(&path, 6).as_deref(), Some("text \u{fffd}"));
        assert_eq!(text(&path, 5), None);
        assert_eq!(head(&path, 5).as_deref(), Some(&b"text "[..]));
        assert_eq!(head("/dev/zero", 5), None);
        assert_eq!(text(folder.path(), 1000), None);
        assert_eq!(text("/dev/zero", 1000), None);
        assert_eq!(text(folder.path().join("absent"), 1000), None);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        assert!(matches!(read(path("link"), 9), Err(ReadFailure::Link)));
        assert_eq!(head(path("link"), 9), None);
        assert_eq!(linked_text(path("link"), 9).as_deref(), Some("text"));
        let made = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(made.unwrap().success());
        std::os::unix::fs::symlink("pipe", path("link to pipe")).unwrap();
        assert!(matches!(
            read(path("pipe"), 9),
            Err(ReadFailure::NotRegular)
        ));
        assert_eq!(linked_text(path("link to pipe"), 9), None);
        // What comes between the look and the open: neither waits, nor is followed.
        let open_late = |name: &str, links| {
            let mut options = OpenOptions::new();
            open_without_waiting(options.read(true), links);
            options.open(path(name))
        };
        if cfg!(target_os = "linux") {
            assert!(open_late("pipe", Links::Refuse).is_ok());
        }
        if cfg!(all(
            target_os = "linux",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )) {
            assert!(open_late("link", Links::Refuse).is_err());
            assert!(open_late("link", Links::Follow).is_ok());
        }
    }
}
