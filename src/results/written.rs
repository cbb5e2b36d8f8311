//! The lines of a `measurement.txt`.

use camino::Utf8Path;

use crate::file;

/// More than it has.
const MOST_BYTES: u64 = 1 << 20;

/// Its lines for a point's folder, `KEY=VALUE`; none where it cannot be read. Servers that measured a point together have it
/// once, beside their own folders.
pub(super) fn lines(folder: &Utf8Path, replica: Option<u32>) -> Vec<(String, String)> {
    let above = replica.and_then(|_| folder.parent());
    let bytes =
        file::read(above.unwrap_or(folder).join("measurement.txt"), MOST_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
