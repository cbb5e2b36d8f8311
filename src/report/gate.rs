//! What a gate says, in words and as JUnit's XML.

use std::fmt::Write;

use super::{Report, another_measurement, in_xml, job_in_words, missing, percent, title_of};
use crate::plain::{counted, listed};
use crate::results::{Comparison, GateOutcome, Gated, GatedChange, Unit};

/// One metric of one point: what it is of, and what is said of it.
pub(super) struct Verdict {
    pub(super) point: String,
    pub(super) metric: String,
    pub(super) change: String,
    pub(super) interval: String,
    pub(super) runs: String,
    pub(super) outcome: GateOutcome,
    /// What would help, or why nothing can be told.
    pub(super) note: String,
}

pub(super) fn verdicts(comparison: &Comparison<'_>, gated: &Gated<'_>) -> Vec<Verdict> {
    let changes = gated.changes().iter();
    changes.map(|change| verdict(comparison, change)).collect()
}

fn verdict(comparison: &Comparison<'_>, change: &GatedChange<'_>) -> Verdict {
    let interval = change
        .interval()
        .map(|(low, high)| format!("{} to {}", percent(Some(low)), percent(Some(high))));
    let (before, after) = change.runs();
    let note = match (change.outcome(), change.reason(), change.enough()) {
        (_, Some(reason), _) => reason.to_owned(),
        (GateOutcome::CannotTell, None, Some(enough)) => {
            format!("{enough} runs on each side would be enough")
        }
        (GateOutcome::CannotTell, None, None) => {
            "more than 100 runs on each side would be needed".to_owned()
        }
        _ => String::new(),
    };
    Verdict {
        point: title_of(comparison, change.change().after()),
        metric: name(change),
        change: percent(change.relative()),
        interval: interval.unwrap_or_else(|| "-".to_owned()),
        runs: format!("{before}, {after}"),
        outcome: change.outcome(),
        note,
    }
}

/// As the columns of the tables are called; of a latency, with the statistic.
fn name(change: &GatedChange<'_>) -> String {
    let label = change.metric().label();
    match change.metric().unit() {
        Unit::TokensPerSecond | Unit::RequestsPerSecond => label.to_owned(),
        _ => format!("{label} {}", change.statistic()),
    }
}

/// What the gate says of all.
pub(super) fn summary(report: &Report<'_>, gated: &Gated<'_>) -> String {
    let count = |outcome| {
        let changes = gated.changes().iter();
        changes.filter(|change| change.outcome() == outcome).count()
    };
    let gate = report.gate.map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        "gate: {} ({gate}; {} worse, {} better, {} equal, {} cannot tell)",
        gated.outcome(),
        count(GateOutcome::Worse),
        count(GateOutcome::Better),
        count(GateOutcome::Equal),
        count(GateOutcome::CannotTell)
    );
    match gated.missing().len() {
        0 => {}
        1 => text.push_str(", and 1 point is missing"),
        count => {
            let _ = write!(text, ", and {count} points are missing");
        }
    }
    match gated.not_compared().len() {
        0 => {}
        count => {
            let _ = write!(text, ", and {} cannot be compared", counted(count, "point"));
        }
    }
    match gated.superseded().len() {
        0 => {}
        1 => text.push_str(", and 1 point of a job that was named is not compared"),
        count => {
            let _ = write!(
                text,
                ", and {count} points of jobs that were named are not compared"
            );
        }
    }
    text
}

/// What the intervals are, and how many runs would be enough for all.
pub(super) fn legend(gated: &Gated<'_>) -> Vec<String> {
    let all = match gated.changes().len() {
        0 => return Vec::new(),
        1 => String::new(),
        count => format!(" over all {count}"),
    };
    let mut lines = vec![format!(
        "changes of geometric means, intervals by Welch's t-test on the runs; each end has a confidence of {}{all}",
        gated.confidence(),
    )];
    if let Some(enough) = gated.enough() {
        let is_for_all = gated
            .changes()
            .iter()
            .all(|change| change.outcome() != GateOutcome::CannotTell || change.enough().is_some());
        let whom = if is_for_all {
            "for all"
        } else {
            "where a number is named above"
        };
        lines.push(format!(
            "{enough} runs on each side (sweep.repeat) would be enough {whom}"
        ));
    }
    lines
}

pub(super) fn junit(report: &Report<'_>) -> String {
    let mut cases = String::new();
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    let mut words_of_all = String::new();
    let gate = report.gate.map(ToString::to_string).unwrap_or_default();
    if let Some(comparison) = report.comparison()
        && let Some(gated) = report.gated(&comparison)
    {
        for verdict in verdicts(&comparison, &gated) {
            tests += 1;
            let result = match verdict.outcome {
                GateOutcome::Worse => {
                    failures += 1;
                    Some("failure")
                }
                GateOutcome::CannotTell => {
                    skipped += 1;
                    Some("skipped")
                }
                _ => None,
            };
            let said = format!(
                "{}: {}, interval {}, runs {}{}{}",
                verdict.outcome,
                verdict.change,
                verdict.interval,
                verdict.runs,
                if verdict.note.is_empty() { "" } else { ": " },
                verdict.note
            );
            case(&mut cases, &verdict.point, &verdict.metric, result, &said);
        }
        for (point, said) in untold(&comparison, &gated) {
            tests += 1;
            skipped += 1;
            case(&mut cases, &point, "all", Some("skipped"), &said);
        }
        let differences = report.differences();
        let first = another_measurement(&differences);
        let lines = first.into_iter().chain([summary(report, &gated)]);
        let lines = lines.chain(legend(&gated));
        let lines = lines.chain(differences.iter().map(|other| format!("differs: {other}")));
        for line in lines.chain(missing(&comparison)) {
            let _ = writeln!(words_of_all, "{}", xml(&line));
        }
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n\
         <testsuite name=\"nim-slurm gate: {}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n\
         {cases}<system-out>{words_of_all}</system-out>\n</testsuite>\n</testsuites>\n",
        xml(&gate)
    )
}

/// The points of which a gate can tell nothing, and why.
fn untold(comparison: &Comparison<'_>, gated: &Gated<'_>) -> Vec<(String, String)> {
    let missing = gated.missing().iter().map(|point| {
        let words = "only the other run has it".to_owned();
        (title_of(comparison, point), words)
    });
    let not_compared = gated.not_compared().iter().map(|it| {
        let words = format!("not compared: nothing tells {}", listed(it.unknown()));
        (it.point().path().to_string(), words)
    });
    let superseded = gated.superseded().iter().map(|it| {
        let [own, other] = [it.point(), it.by()].map(job_in_words);
        let title = title_of(comparison, it.point());
        let words = format!("not compared: {other} measured the same later");
        (format!("{title}, {own}"), words)
    });
    let all = missing.chain(not_compared).chain(superseded);
    all.collect()
}

fn case(cases: &mut String, point: &str, metric: &str, result: Option<&str>, said: &str) {
    let (point, metric, said) = (xml(point), xml(metric), xml(said));
    let _ = write!(cases, "<testcase classname=\"{point}\" name=\"{metric}\"");
    let _ = match result {
        Some(element) => writeln!(cases, "><{element} message=\"{said}\"/></testcase>"),
        None => writeln!(cases, "><system-out>{said}</system-out></testcase>"),
    };
}

/// A text in XML. Control characters are written out already.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in crate::plain::plain(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            other => safe.push(other),
        }
    }
    in_xml(&safe)
}
