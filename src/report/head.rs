//! What a page says first: what was measured, on what, with what, and when.

use std::collections::BTreeSet;

use super::{Report, image_name};
use crate::plain::plain;
use crate::results::{Manifest, Point, Run, RunId, RunImage};

/// Names of one kind that are shown; of the others, their number is.
const MOST: usize = 3;

/// Letters of one name.
const LONGEST: usize = 120;

/// Each fact with its name; one that nobody wrote down says so.
pub(super) fn facts(report: &Report<'_>) -> Vec<(&'static str, String)> {
    let run = report.run;
    if run.points().is_empty() {
        return Vec::new();
    }
    let models = run.models().into_iter().map(str::to_owned);
    let (server, client) = (
        images(run, |manifest| &manifest.images.server),
        images(run, |manifest| &manifest.images.client),
    );
    let mut facts = vec![
        ("Model", listed(models)),
        ("GPUs", gpus(run)),
        ("Server image", server),
        ("Tool", tools(run)),
        ("Tool image", client),
        ("Date", date(run)),
    ];
    // Results that are not launch.sh's have no manifest, and tell no more.
    if run.manifests().is_empty() {
        facts.retain(|(_, fact)| fact != NOT_KNOWN);
    }
    if let Some(before) = report.before {
        facts.push(("Compared with", earlier(run, before)));
    }
    facts
}

fn points(run: &Run) -> impl Iterator<Item = &Point> {
    run.points().iter().flat_map(Point::runs)
}

fn gpus(run: &Run) -> String {
    let numbers: BTreeSet<u32> = points(run).filter_map(Point::gpus).collect();
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    let models = listed(
        run.manifests()
            .iter()
            .filter_map(|own| own.gpu_model.clone()),
    );
    match (numbers.join(" or "), models.as_str()) {
        (numbers, NOT_KNOWN) if numbers.is_empty() => NOT_KNOWN.to_owned(),
        (numbers, models) if numbers.is_empty() => models.to_owned(),
        (numbers, NOT_KNOWN) if run.manifests().is_empty() => numbers,
        (numbers, NOT_KNOWN) => format!("{numbers}, kind not known"),
        (numbers, models) => format!("{numbers} × {models}"),
    }
}

fn images(run: &Run, of: fn(&Manifest) -> &Option<RunImage>) -> String {
    let images = run
        .manifests()
        .iter()
        .filter_map(|manifest| of(manifest).as_ref());
    listed(images.filter_map(image_name))
}

fn tools(run: &Run) -> String {
    listed(points(run).map(|point| point.tool().to_string()))
}

/// From the first start to the last end, by the nodes' clocks.
fn date(run: &Run) -> String {
    let times = |time: fn(&Manifest) -> &Option<String>| {
        let times = run
            .manifests()
            .iter()
            .filter_map(move |own| time(own).as_deref());
        times.filter(|time| is_time(time))
    };
    let start = times(|manifest| &manifest.start).min();
    let ends = times(|manifest| &manifest.end).max();
    match (start, ends.max(times(|manifest| &manifest.start).max())) {
        (Some(start), Some(end)) if start[..10] == end[..10] && start[11..16] == end[11..16] => {
            minute(start)
        }
        (Some(start), Some(end)) if start[..10] == end[..10] => {
            format!("{} to {}", minute(start), &end[11..16])
        }
        (Some(start), Some(end)) => format!("{} to {}", minute(start), minute(end)),
        _ => NOT_KNOWN.to_owned(),
    }
}

/// Whether it begins as `2026-11-24T07:33` does.
fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd";
    let letters = text.as_bytes();
    text.is_ascii()
        && letters.len() >= FORM.len()
        && letters.iter().zip(FORM).all(|(letter, form)| match form {
            b'd' => letter.is_ascii_digit(),
            form => letter == form,
        })
}

fn minute(time: &str) -> String {
    format!("{} {}", &time[..10], &time[11..16])
}

/// The earlier run: its model where that is another one, its jobs, its folder where that is another one, and its date.
fn earlier(run: &Run, before: &Run) -> String {
    let models = if before.models() == run.models() {
        String::new()
    } else {
        format!(
            "{}, ",
            listed(before.models().into_iter().map(str::to_owned))
        )
    };
    let jobs = points(before).filter_map(|point| point.run().map(RunId::to_string));
    let mut text = match listed(jobs).as_str() {
        NOT_KNOWN => String::new(),
        jobs => format!("job {jobs}"),
    };
    if before.path() != run.path() || text.is_empty() {
        let separator = if text.is_empty() { "" } else { " in " };
        text = format!("{text}{separator}{}", shown(before.path().as_str()));
    }
    match date(before).as_str() {
        NOT_KNOWN => format!("{models}{text}"),
        date => format!("{models}{text}, {date}"),
    }
}

const NOT_KNOWN: &str = "not known";

/// Each once, the first few.
fn listed(names: impl IntoIterator<Item = String>) -> String {
    let names: BTreeSet<String> = names.into_iter().collect();
    let mut texts: Vec<_> = names.iter().take(MOST).map(|name| shown(name)).collect();
    if names.len() > MOST {
        texts.push(format!("and {} more", names.len() - MOST));
    }
    if texts.is_empty() {
        return NOT_KNOWN.to_owned();
    }
    texts.join(", ")
}

/// A name of others, fit for a page.
fn shown(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return plain(name).into_owned();
    }
    let start: String = name.chars().take(LONGEST).collect();
    format!("{}…", plain(&start))
}

#[cfg(test)]
mod tests {
    use super::{is_time, listed};

    #[test]
    fn times_have_one_form() {
        assert!(is_time("2026-11-24T07:33:58+0000") && is_time("2026-11-24T07:33"));
        for other in ["", "2026-11-24", "2026-11-24 07:33", "2026-11-24T07:3ä"] {
            assert!(!is_time(other), "{other}");
        }
    }

    #[test]
    fn a_few_names_are_listed() {
        let names = |count: u32| listed((1..=count).map(|number| format!("m{number}")));
        assert_eq!(names(0), "not known");
        assert_eq!(names(3), "m1, m2, m3");
        assert_eq!(names(5), "m1, m2, m3, and 2 more");
        assert_eq!(listed(["x".repeat(200)]).chars().count(), 121);
    }
}
