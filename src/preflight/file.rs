//! Files that may be anything: they are read without waiting, and not without end.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The text of a plain file with at most this many bytes. What is no plain file could
/// make its reader wait for ever.
pub(super) fn read(path: &Path, most: u64) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > most {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    // Some files are longer than they say.
    file.take(most).read_to_end(&mut bytes).ok()?;
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
        assert_eq!(read(&path, 6).as_deref(), Some("text \u{fffd}"));
        assert_eq!(read(&path, 5), None);
        assert_eq!(read(folder.path(), 1000), None);
        assert_eq!(read(Path::new("/dev/zero"), 1000), None);
        assert_eq!(read(&folder.path().join("absent"), 1000), None);
    }
}
