//! What a point's `measurement.txt` says was measured.

use super::Run;
use super::point::Point;
use super::written;
use crate::load::Load;

/// How AIPerf is told for how long a point sends requests.
const DURATION: &str = "--benchmark-duration";

/// What ends a point, and so decides how long it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Their number: as many for each prompt as a conversation has turns.
    Requests {
        turns: u32,
    },
    Duration,
    Trace,
}

impl End {
    pub(super) fn of(point: &Point) -> Self {
        if point.load() == Some(Load::Schedule) {
            return Self::Trace;
        }
        let lines = of(point);
        if lines.iter().any(|(_, word)| word == DURATION) {
            return Self::Duration;
        }
        let number = |name: &str| {
            let mut lines = lines.iter();
            let line = lines.find(|(key, _)| key == name)?;
            line.1.parse::<u32>().ok().filter(|number| *number > 0)
        };
        let turns = number("requests").zip(number("prompts"));
        let turns = turns.map_or(1, |(requests, prompts)| requests / prompts);
        Self::Requests {
            turns: turns.max(1),
        }
    }
}

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

/// How a point was measured but for its load and its length: its job's fingerprint, and the command that is its use case's own, without
/// a duration; none where no manifest tells.
pub(crate) fn way(run: &Run, point: &Point) -> Option<String> {
    let mut way = run.manifest_of(point)?.fingerprint.clone()?;
    let mut is_duration = false;
    for (_, word) in of(point).iter().filter(|(key, _)| key == "own_command") {
        way.push('\n');
        if !is_duration {
            way.push_str(word);
        }
        is_duration = word == DURATION;
    }
    Some(way)
}
