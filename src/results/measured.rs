//! What a point's `measurement.txt` says was measured.

use super::Run;
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

/// How a point was measured but for its load: its job's fingerprint, and the command that is its use case's own; none where no
/// manifest tells.
pub(crate) fn way(run: &Run, point: &Point) -> Option<String> {
    let mut way = run.manifest_of(point)?.fingerprint.clone()?;
    for (key, word) in of(point) {
        if key == "own_command" {
            way.push('\n');
            way.push_str(&word);
        }
    }
    Some(way)
}
