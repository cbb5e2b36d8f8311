//! What a point's `measurement.txt` says was measured.

use super::point::Point;
use super::written;

/// All its lines.
pub(super) fn of(point: &Point) -> Vec<(String, String)> {
    written::lines(point.path(), point.replica())
}

/// What is a point's own, and not in its job's fingerprint: the number of requests, and the command that loads the
/// server where it is not the client's. Prompts and their seed differ between runs of one point, too.
pub(super) fn own(point: &Point) -> Vec<(String, String)> {
    let mut lines = of(point);
    lines.retain(|(key, _)| ["requests", "own_command"].contains(&key.as_str()));
    lines
}
