//! What a point's `measurement.txt` says was measured.

use camino::Utf8Path;

use super::point::Point;
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

/// The lines of a point. Servers that measured it together have them once, beside their own folders.
pub(super) fn of(point: &Point) -> Vec<(String, String)> {
    let above = point.replica().and_then(|_| point.path().parent());
    lines(above.unwrap_or(point.path()))
}

/// What is a point's own, and not in its job's fingerprint: the number of requests, and the command that loads the
/// server where it is not the client's. Prompts and their seed differ between runs of one point, too.
pub(super) fn own(point: &Point) -> Vec<(String, String)> {
    let mut lines = of(point);
    lines.retain(|(key, _)| ["requests", "own_command"].contains(&key.as_str()));
    lines
}
