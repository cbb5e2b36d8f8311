//! Files that may be anything: they are read without waiting, and not without end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is not a regular file")]
    NotRegular,
    #[error("has {length} bytes: a file of up to {most} is read")]
    TooLong { length: u64, most: u64 },
}

/// The first bytes of a plain file, at most this many.
pub(crate) fn head(path: impl AsRef<Path>, most: u64) -> Option<Vec<u8>> {
    let path = path.as_ref();
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(most)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

/// The bytes of a plain file with at most this many. What is no plain file could make
/// its reader wait for ever: to open a FIFO waits for someone to write into it.
pub(crate) fn read(path: impl AsRef<Path>, most: u64) -> Result<Vec<u8>, Unread> {
    let path = path.as_ref();
    let metadata = fs::metadata(path)?;
    let length = metadata.len();
    if !metadata.is_file() {
        return Err(Unread::NotRegular);
    }
    if length > most {
        return Err(Unread::TooLong { length, most });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // Some files are longer than they say, or grow while they are read.
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of such a file, where it can be read; a byte that is no text becomes
/// U+FFFD.
pub(crate) fn text(path: impl AsRef<Path>, most: u64) -> Option<String> {
    let bytes = read(path, most).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_and_short() {
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
}
