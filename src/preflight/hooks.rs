//! The settings' lines of bash, as bash reads them.

use super::ask::Answer;
use super::{Finding, Preflight};
use crate::settings::HookPlace;

/// Lines that bash cannot read. None of them is run.
pub(super) fn check(preflight: &Preflight<'_>) -> Vec<Finding> {
    let places = HookPlace::ALL.iter();
    places
        .filter_map(|&place| unreadable(preflight, place))
        .collect()
}

fn unreadable(preflight: &Preflight<'_>, place: HookPlace) -> Option<Finding> {
    let lines = preflight.plan.settings().hook(place)?;
    let read = |arguments: &[&str]| {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        match preflight.ask_with("bash", &arguments, lines.as_str(), &[]) {
            Answer::Said(reply) if !reply.is_success => Some(reply),
            _ => None,
        }
    };
    let reply = read(&["-n"])?;
    // Lines may turn extglob on, and have its patterns; none of them is run here.
    read(&["-O", "extglob", "-n"])?;
    // In front stands the path of bash.
    let reason = reply.first_line();
    let (_, reason) = reason.split_once(": ").unwrap_or(("", reason));
    Some(Finding::error(
        format!(
            "bash cannot read the lines of {} under [hooks]: {}",
            place.key(),
            preflight.words(reason)
        ),
        "correct them in the file that the settings name",
    ))
}
