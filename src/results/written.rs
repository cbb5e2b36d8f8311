//! The lines of a `measurement.txt`.

use camino::Utf8Path;

use crate::file;

/// More than it has.
const MOST_BYTES: u64 = 1 << 20;

/// Its lines in a point's folder, `KEY=VALUE`; none where it cannot be read.
pub(super) fn lines(folder: &Utf8Path) -> Vec<(String, String)> {
    let bytes = file::read(folder.join("measurement.txt"), MOST_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
