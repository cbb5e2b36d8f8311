//! What a search found, in words and as a chart.

use super::chart::{Data, Dim, Mark, Series, Style};
use super::{figure, milliseconds};
use crate::load::Load;
use crate::plain::{counted, plain};
use crate::recipe::SearchedLoad;
use crate::results::{
    Capacity, Limits, Metric, Point, Probe, ProbeVerdict, SearchGoal, Statistic, capacity_limits,
};

/// The limits of a search, where reports know a statistic of that percentile.
pub(super) fn limits(goal: &SearchGoal) -> Option<Limits> {
    let mut statistics = Statistic::ALL.iter();
    let statistic = statistics.find(|statistic| statistic.percentile() == Some(goal.at()))?;
    let mut limits = Limits::new(*statistic).after_the_first_wave();
    if let Some(limit) = goal.ttft() {
        limits = limits.time_to_first_token(limit);
    }
    if let Some(limit) = goal.itl() {
        limits = limits.inter_token_latency(limit);
    }
    Some(limits)
}

/// The answer of a use case, as one sentence.
pub(super) fn answer(name: &str, capacity: &Capacity<'_>) -> String {
    let mut text = match capacity.held() {
        Some(probe) => {
            let mut text = format!("{name}: {}", load(capacity, probe.level(), "request"));
            if let Some(throughput) = probe.point().and_then(Point::throughput) {
                text.push_str(&format!(", {} tokens/s", with_commas(throughput)));
            }
            text
        }
        None => format!("{name}: not one level is known to hold"),
    };
    match capacity.exceeded() {
        Some(probe) => text.push_str(&format!(
            "; at {} {}",
            number(capacity, probe.level()),
            words(capacity, probe)
        )),
        None if capacity.next().is_none() => text.push_str("; no more were asked for"),
        None => {}
    }
    let unread: Vec<_> = capacity.unread_jobs().map(plain).collect();
    if !unread.is_empty() {
        text.push_str(&format!(
            "; probes of job {} are not among these points, so the answer may be another: read that job as well",
            unread.join(", ")
        ));
    } else if let Some(next) = capacity.next() {
        text.push_str(&format!(
            "; the search has not ended, and probes {} next",
            number(capacity, next)
        ));
    }
    text
}

/// What else is to be said of it.
pub(super) fn notes(capacity: &Capacity<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((metric, low, high)) = capacity.not_monotone() {
        let at = capacity.goal().at();
        notes.push(format!(
            "not monotone: the {at} of {} is higher at {} than at {}; more than the answer may hold as well",
            short(metric),
            number(capacity, low),
            number(capacity, high)
        ));
    }
    let jobs: Vec<_> = capacity.other_jobs().iter().map(|job| plain(job)).collect();
    match jobs.as_slice() {
        [] => {}
        [job] => notes.push(format!(
            "there is another search, by job {job}: report it alone with --job {job}"
        )),
        [job, ..] => notes.push(format!(
            "there are other searches, by jobs {}: report each alone, as with --job {job}",
            jobs.join(", ")
        )),
    }
    for probe in capacity.probes() {
        if let Some(remark) = probe.remark() {
            notes.push(format!(
                "at {}: {}",
                number(capacity, probe.level()),
                plain(remark)
            ));
        }
    }
    // A job that works has not said how long its probes took.
    let seconds = capacity.probes().iter().map(Probe::seconds);
    let seconds: Option<u64> = seconds.map(|seconds| seconds.map(u64::from)).sum();
    let time = seconds.map_or_else(String::new, |seconds| format!(" in {seconds} s"));
    let limits: Vec<_> = capacity_limits(capacity.goal())
        .into_iter()
        .map(|(metric, limit)| format!("{} {}", short(metric), milliseconds(limit)))
        .collect();
    notes.push(format!(
        "search: {} at {}{}, {}{time}",
        limits.join(" and "),
        capacity.goal().at(),
        match capacity.goal().of() {
            SearchedLoad::RequestRate => "",
            _ => " without the first wave",
        },
        counted(capacity.probes().len(), "probe")
    ));
    notes
}

/// `84 requests in flight`, `84 in flight` or `2.5 requests/s`.
fn load(capacity: &Capacity<'_>, level: u32, what: &str) -> String {
    let number = number(capacity, level);
    match capacity.goal().of() {
        SearchedLoad::RequestRate => format!("{number} requests/s"),
        _ if what.is_empty() => format!("{number} in flight"),
        _ => format!("{} in flight", counted(number, what)),
    }
}

/// `84`, or `2.5`.
fn number(capacity: &Capacity<'_>, level: u32) -> String {
    match capacity.goal().of().load(level) {
        Load::RequestRate(rate) => rate.to_string(),
        _ => level.to_string(),
    }
}

/// Why a level does not hold.
fn words(capacity: &Capacity<'_>, probe: &Probe<'_>) -> String {
    let at = capacity.goal().at();
    let limit = |metric: Metric| {
        let limits = capacity_limits(capacity.goal());
        let limit = limits.into_iter().find(|(limited, _)| *limited == metric);
        limit.map_or_else(String::new, |(_, limit)| milliseconds(limit))
    };
    match probe.verdict() {
        ProbeVerdict::Held => "the limits hold".to_owned(),
        ProbeVerdict::Above(metric) => {
            format!("the {at} of {} is above {}", short(*metric), limit(*metric))
        }
        ProbeVerdict::CannotTell(metric) => format!(
            "the {at} of {} is too near to {} to tell",
            short(*metric),
            limit(*metric)
        ),
        ProbeVerdict::Failed(why) => format!("the point failed: {}", plain(why)),
    }
}

/// A probe in a line of its own.
pub(super) fn probe_line(capacity: &Capacity<'_>, probe: &Probe<'_>) -> String {
    let mut text = load(capacity, probe.level(), "");
    if let Some(requests) = probe.requests() {
        text.push_str(&format!(", {}", counted(requests, "request")));
    }
    if let Some(seconds) = probe.seconds() {
        text.push_str(&format!(", {seconds} s"));
    }
    for (metric, _) in capacity_limits(capacity.goal()) {
        if let Some(value) = capacity.value(probe, metric) {
            text.push_str(&format!(", {} {} ms", short(metric), figure(value)));
        }
    }
    format!("{text}: {}", words(capacity, probe))
}

/// A mark's shape says what became of the probe: a circle, a diamond and a triangle.
const HELD: usize = 0;
const CANNOT_TELL: usize = 2;
const NOT_HELD: usize = 3;

/// What the shapes of a search's chart stand for.
const SHAPES: [(usize, &str); 3] = [
    (HELD, "probe: the limits hold"),
    (CANNOT_TELL, "probe: cannot tell"),
    (NOT_HELD, "probe: they do not hold"),
];

/// The probes, one after the other.
pub(super) fn chart(name: &str, capacity: &Capacity<'_>, colour: usize) -> Data {
    let of = capacity.goal().of();
    let height = |level: u32| match of.load(level) {
        Load::RequestRate(rate) => rate.to_f64(),
        _ => f64::from(level),
    };
    let unit = match of {
        SearchedLoad::RequestRate => "requests a second",
        _ => "requests in flight",
    };
    let place = |number: usize, probe: &Probe<'_>| {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        (f64::from(number), height(probe.level()))
    };
    let probes = || capacity.probes().iter().enumerate();
    let shape_of = |verdict: &ProbeVerdict| match verdict {
        ProbeVerdict::Held => HELD,
        ProbeVerdict::CannotTell(_) => CANNOT_TELL,
        ProbeVerdict::Above(_) | ProbeVerdict::Failed(_) => NOT_HELD,
    };
    let held = capacity.held().map(Probe::level);
    let series = [HELD, CANNOT_TELL, NOT_HELD].map(|shape| Series {
        style: Style { colour, shape },
        is_earlier: false,
        marks: probes()
            .filter(|(_, probe)| shape_of(probe.verdict()) == shape)
            .map(|(number, probe)| {
                let (x, y) = place(number, probe);
                Mark {
                    x,
                    y,
                    text: probe_line(capacity, probe),
                    is_best: shape == HELD && Some(probe.level()) == held,
                    dim: (shape == NOT_HELD).then_some(Dim::NotHeld),
                    ..Mark::default()
                }
            })
            .collect(),
        line: probes()
            .filter(|_| shape == HELD)
            .map(|(number, probe)| place(number, probe))
            .collect(),
    });
    Data {
        title: format!("The search of {name}"),
        x_label: "probe".to_owned(),
        y_label: unit.to_owned(),
        x_ticks_are_marks: true,
        has_bands: false,
        best: "the answer: the highest level that holds",
        shapes: &SHAPES,
        frontiers: Vec::new(),
        series: series.into(),
        limit: held.map(|level| (height(level), format!("{} hold", load(capacity, level, "")))),
    }
}

/// One of the metrics that a search limits.
const fn short(metric: Metric) -> &'static str {
    match metric {
        Metric::TimeToFirstToken => "TTFT",
        _ => "ITL",
    }
}

/// A whole number as people write it: 3,912.
fn with_commas(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_commas;

    #[test]
    fn numbers_have_commas() {
        let texts = [0.4, 999.6, 3912.0, 1_234_567.0].map(with_commas);
        assert_eq!(texts, ["0", "1,000", "3,912", "1,234,567"]);
    }
}
