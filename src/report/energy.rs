//! Energy and cost: a table of their own, below that of the points.

use super::{Report, figure_or_dash, job_of, load_in_words, load_of, number_or_dash, server_of};
use crate::results::{Energy, EnergySource, Group, NoEnergy, Point, Throttle, Tokens};

/// The table of a use case, its head in two lines.
pub(super) struct EnergyTable {
    pub(super) head: Vec<[String; 2]>,
    /// Of each point of the group.
    pub(super) rows: Vec<Vec<String>>,
    /// Of the points without energy, why. Alone where no point has any.
    pub(super) unknown: Vec<String>,
}

/// Whether anything is known of the energy, or should be.
fn has_telemetry(point: &Point) -> bool {
    point.energy() != Err(&NoEnergy::NoTelemetry)
}

/// None where there is neither telemetry nor a price.
pub(super) fn table(report: &Report<'_>, group: &Group<'_>) -> Option<EnergyTable> {
    let unknown = unknown(group);
    let has_energy = group.points().iter().any(|point| point.energy().is_ok());
    if !has_energy && report.price.is_none() {
        // A table of dashes says nothing; why does.
        return (!unknown.is_empty()).then_some(EnergyTable {
            head: Vec::new(),
            rows: Vec::new(),
            unknown,
        });
    }
    let column = |first: &str, second: &str| [first.to_owned(), second.to_owned()];
    let mut head = vec![column("", "GPUs"), column("concur-", "rency")];
    if has_energy {
        head.extend([
            column("energy", "J"),
            column("power", "W"),
            column("output", "tokens/J"),
            column("output", "J/token"),
            column("busy", "%"),
            column("throttled", "by"),
        ]);
    }
    if report.price.is_some() {
        let cost = |tokens: &Tokens| column("cost/M", tokens.name());
        head.extend(Tokens::ALL.iter().map(cost));
    }
    head.push(column("", "job"));
    let rows = group.points().iter().map(|point| {
        let mut row = vec![number_or_dash(point.gpus()), load_of(point)];
        if has_energy {
            row.extend(energy_cells(point));
        }
        if let Some(price) = report.price {
            row.extend(Tokens::ALL.iter().map(|tokens| {
                let cost = point.cost_per_million(*tokens, price);
                figure_or_dash(cost)
            }));
        }
        row.push(job_of(point) + &server_of(point));
        row
    });
    Some(EnergyTable {
        head,
        rows: rows.collect(),
        unknown,
    })
}

fn energy_cells(point: &Point) -> [String; 6] {
    let energy = point.energy().ok();
    [
        figure_or_dash(energy.map(Energy::joules)),
        figure_or_dash(energy.map(Energy::watts)),
        figure_or_dash(point.tokens_per_joule()),
        figure_or_dash(point.joules_per_token(Tokens::Output)),
        energy
            .and_then(Energy::utilization)
            .map_or("-".to_owned(), |percent| format!("{percent:.0}")),
        throttled(point).unwrap_or_else(|| "-".to_owned()),
    ]
}

/// The first thing that throttled the clocks, and how many more did.
fn throttled(point: &Point) -> Option<String> {
    let seen = point.energy().ok()?.throttling()?;
    Some(match seen.as_slice() {
        [] => "none".to_owned(),
        [one] => one.to_string(),
        [first, more @ ..] => format!("{first}+{}", more.len()),
    })
}

/// What throttled the clocks, with plus signs between the words.
pub(super) fn throttling(point: &Point) -> Option<String> {
    let seen = point.energy().ok()?.throttling()?;
    let words: Vec<_> = seen.iter().map(Throttle::to_string).collect();
    Some(match words.as_slice() {
        [] => "none".to_owned(),
        words => words.join("+"),
    })
}

/// Points of one reason in one line.
fn unknown(group: &Group<'_>) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for point in group.points() {
        let Err(why) = point.energy() else { continue };
        if *why == NoEnergy::NoTelemetry {
            continue;
        }
        let place = load_in_words(point) + &server_of(point);
        let why = why.to_string();
        match lines.iter_mut().find(|(own, _)| *own == why) {
            // A search may measure a level twice.
            Some((_, places)) if places.contains(&place) => {}
            Some((_, places)) => places.push(place),
            None => lines.push((why, vec![place])),
        }
    }
    lines
        .into_iter()
        .map(|(why, places)| {
            // The word once, before all numbers.
            let numbers = places
                .iter()
                .map(|place| place.strip_prefix("concurrency "));
            let places = match numbers.collect::<Option<Vec<_>>>() {
                Some(numbers) => format!("concurrency {}", numbers.join(", ")),
                None => places.join(", "),
            };
            format!("energy is not known at {places}: {why}")
        })
        .collect()
}

/// What the figures of the table are.
pub(super) fn notes(report: &Report<'_>) -> Vec<String> {
    let points = || report.run.points().iter();
    let mut notes = Vec::new();
    if !points().any(has_telemetry) {
        // Without a manifest, the results are not launch.sh's.
        if !report.run.manifests().is_empty() {
            notes.push("energy: no telemetry".to_owned());
        }
    } else if points().any(|point| point.energy().is_ok()) {
        notes.push(
            "energy, power, busy: of all GPUs of the server, from a point's first request to its last answer"
                .to_owned(),
        );
    }
    let is_of_tool = |point: &Point| {
        let energy = point.energy().ok();
        energy.is_some_and(|energy| energy.source() == EnergySource::Tool)
    };
    if points().any(is_of_tool) {
        notes.push("energy: by the tool's own telemetry where launch.sh has none".to_owned());
    }
    if let Some(price) = report.price {
        notes.push(price_in_words(price));
    }
    notes
}

/// What columns of cost are.
pub(super) fn price_in_words(price: f64) -> String {
    format!("cost/M: of a million tokens, for {price} per GPU and hour and all GPUs of the server")
}
