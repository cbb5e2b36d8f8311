//! What the lines and marks of the charts stand for.

use std::collections::BTreeSet;

use super::chart::{Chart, Dim, Drawn, DrawnMark, Style, ring};

/// A sample, 28 by 16, and what it stands for.
#[derive(Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// The classes of the sample's group.
    pub(super) group: String,
    /// The class and the path of each part of the sample.
    pub(super) parts: Vec<(&'static str, String)>,
}

const LINE: &str = "M0 8h28";

/// A series.
pub(super) fn series(name: String, style: Style, is_earlier: bool) -> Row {
    let earlier = if is_earlier { " earlier" } else { "" };
    Row {
        name,
        group: format!("c{}{earlier}", style.colour),
        parts: vec![("line", LINE.to_owned()), ("mark", style.sample())],
    }
}

/// What else is in a chart, beside its series.
pub(super) fn of_chart(chart: &Chart) -> Vec<Row> {
    let circle = || Style::of_shape(0).sample();
    let row = |name: &str, parts: Vec<(&'static str, String)>| Row {
        name: name.to_owned(),
        group: "key".to_owned(),
        parts,
    };
    let has = |what: fn(&DrawnMark) -> bool| {
        let mut marks = chart.series.iter().flat_map(|series| &series.marks);
        marks.any(what)
    };
    let mut rows = Vec::new();
    for (shape, name) in chart.shapes {
        rows.push(row(name, vec![("mark", Style::of_shape(*shape).sample())]));
    }
    if has(|mark| !mark.ring.is_empty()) {
        let ring = ("ring", ring(14.0, 8.0));
        rows.push(row(chart.best, vec![("mark", circle()), ring]));
    }
    let marks = chart.series.iter().flat_map(|series| &series.marks);
    let why: BTreeSet<_> = marks.filter_map(|mark| mark.dim).collect();
    let why: Vec<_> = why.into_iter().map(Dim::as_str).collect();
    if !why.is_empty() && chart.shapes.is_empty() {
        rows.push(row(&why.join(", or "), vec![("mark dim", circle())]));
    }
    let is_front = |series: &Drawn| {
        let joined = series.line.split(' ').count();
        !series.line.is_empty() && joined < series.marks.len()
    };
    if chart.series.iter().any(is_front) {
        let name = "the line joins the points that no other point beats on both axes";
        let is_among_pale = !why.is_empty() && has(|mark| mark.dim.is_none());
        let but = if is_among_pale {
            "; pale ones do not count"
        } else {
            ""
        };
        rows.push(row(
            &format!("{name}{but}"),
            vec![("line", LINE.to_owned())],
        ));
    }
    if chart
        .series
        .iter()
        .any(|series: &Drawn| !series.bands.is_empty())
    {
        let band = ("band", "M0 1h28v14h-28z".to_owned());
        let name = "interval of several runs, 95 %";
        rows.push(row(name, vec![band, ("line", LINE.to_owned())]));
    }
    if has(|mark| !mark.bar.is_empty()) {
        let bar = ("line", "M14 1V15M10 1h8M10 15h8".to_owned());
        let name = "interval of several runs, 95 %";
        rows.push(row(name, vec![bar, ("mark", circle())]));
    }
    if !chart.frontiers.is_empty() {
        let name = "best of all curves of a use case";
        rows.push(row(name, vec![("frontier", LINE.to_owned())]));
    }
    rows
}
