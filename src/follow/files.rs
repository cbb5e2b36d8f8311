//! Reading files that a job writes, without reading more than is needed.

use std::io::{self, Read, Seek, SeekFrom};

use camino::Utf8Path;

use crate::file::{self, Links};
use crate::plain::plain;

/// A log's end that is read: some thousand lines.
const TAIL: u64 = 64 << 10;

/// More than a list of points has.
const MOST_BYTES: u64 = 4 << 20;

/// Reads the last part of a file, and no half line.
fn tail(path: &Utf8Path) -> io::Result<String> {
    let (mut file, data) = file::open(path.as_std_path(), Links::Refuse)?;
    let length = data.len();
    let is_cut = length > TAIL;
    if is_cut {
        file.seek(SeekFrom::Start(length - TAIL))?;
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    file.take(TAIL).read_to_end(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if is_cut {
        let first_line = text.find('\n').map_or(0, |end| end + 1);
        text.drain(..first_line);
    }
    Ok(text)
}

/// Reads a small file; none when it is not there or cannot be read.
pub(super) fn small(path: &Utf8Path) -> Option<String> {
    file::text(path, MOST_BYTES)
}

/// The last lines of a log, [fit for a terminal](crate::plain), and a blank for each tab.
/// Only the end of the file is read.
///
/// # Errors
///
/// When the file cannot be read, or is a link or no regular file.
///
/// ```
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), "one\ntwo\n\u{1b}[31mthree\u{1b}[0m\n")?;
/// let path = camino::Utf8Path::from_path(file.path()).unwrap();
/// assert_eq!(nim_slurm::last_lines(path, 2)?, ["two", r"\u{1b}[31mthree\u{1b}[0m"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn last_lines(path: impl AsRef<Utf8Path>, count: usize) -> io::Result<Vec<String>> {
    let tail = tail(path.as_ref())?;
    let lines: Vec<_> = tail.lines().collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    Ok(last.iter().map(|line| plain_log(line)).collect())
}

/// A line of a log, where a tab is a blank like any other.
pub(super) fn plain_log(line: &str) -> String {
    plain(&cut(line).replace('\t', " ")).into_owned()
}

/// What an image writes may be of any length.
pub(super) fn cut(text: &str) -> &str {
    const MOST: usize = 2000;
    text.char_indices()
        .nth(MOST)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_read_from_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        let lines: Vec<_> = (0..100_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(path, lines.concat()).unwrap();
        let tail = tail(path).unwrap();
        assert!(tail.len() as u64 <= TAIL);
        assert!(tail.starts_with("line ") && tail.ends_with("line 99999\n"));
        assert_eq!(last_lines(path, 2).unwrap(), ["line 99998", "line 99999"]);
        assert_eq!(last_lines(path, 0).unwrap(), [""; 0]);
    }

    #[test]
    fn one_long_line_without_an_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        std::fs::write(path, "x".repeat(200_000)).unwrap();
        assert_eq!(tail(path).unwrap().len() as u64, TAIL);
    }
}
