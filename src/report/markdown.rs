//! The report as GitHub's Markdown.

use std::fmt::Write;

use super::{
    Column, Report, another_measurement, cached, derived, energy, figure_or_dash, gate, in_words,
    jobs, load_of, missing, number_or_dash, origin_of, percent, place_of, points_with_rows,
    remarks, requests_of, several_runs, spread, steady_part, supported, table, title_of, too_short,
    weak, without_replaced,
};
use crate::plain::plain;
use crate::results::{Comparison, GateOutcome, Group, Point, Tokens, Verdict};

pub(super) fn render(report: &Report<'_>) -> String {
    let mut text = String::new();
    let differences = report.differences();
    if let Some(words) = another_measurement(&differences) {
        let _ = writeln!(text, "**{}**\n", code(&words));
    }
    if let Some(comparison) = report.comparison() {
        if let Some(gated) = report.gated(&comparison) {
            let _ = writeln!(
                text,
                "## {} {}\n",
                sign(gated.outcome()),
                gate::summary(report, &gated)
            );
            let head = ["point", "metric", "change", "interval", "runs", "", ""];
            let rows = gate::verdicts(&comparison, &gated).into_iter().map(|it| {
                let outcome = format!("{} {}", sign(it.outcome), it.outcome);
                let point = code(&it.point);
                [
                    point,
                    it.metric,
                    it.change,
                    it.interval,
                    it.runs,
                    outcome,
                    it.note,
                ]
            });
            text.push_str(&rows_of(head, rows));
            for line in gate::legend(&gated) {
                let _ = writeln!(text, "{line}  ");
            }
            text.push('\n');
        } else {
            text.push_str(&changes(report, &comparison));
        }
        if !differences.is_empty() {
            text.push_str("### What differs\n\n");
            let rows = differences.iter();
            let rows = rows.map(|it| [it.what.to_owned(), code(&it.before), code(&it.after)]);
            text.push_str(&rows_of(["", "before", "after"], rows));
        }
        let missing = missing(&comparison);
        for words in &missing {
            let _ = writeln!(text, "* {}", code(words));
        }
        text.push_str(if missing.is_empty() { "" } else { "\n" });
    }
    for group in report.run.groups() {
        text.push_str(&part(report, &group));
    }
    let failed = report.run.failed_searches();
    for search in &failed {
        let _ = writeln!(text, "{}\n", code(&search.to_string()));
    }
    if report.run.points().is_empty() && failed.is_empty() {
        text.push_str("no results\n");
    }
    let limits = report.common().map(|limits| in_words(&limits));
    if let Some(limits) = limits.filter(|limits| !limits.is_empty()) {
        let _ = writeln!(text, "limits: {}  ", limits.join(", "));
    }
    if let Some(price) = report.price {
        let _ = writeln!(text, "{}  ", energy::price_in_words(price));
    }
    let rows = points_with_rows(report);
    let legend = [weak(report, &rows), supported(report, &rows)]
        .into_iter()
        .flatten();
    for words in legend.chain(derived(report.run).map(str::to_owned)) {
        let _ = writeln!(text, "{words}  ");
    }
    let checked = several_runs(&rows).into_iter().chain(steady_part(&rows));
    for words in checked.map(str::to_owned).chain(cached(report.run)) {
        let _ = writeln!(text, "{words}  ");
    }
    for point in report.run.points() {
        if let Some(caveat) = point.caveat() {
            let words = format!("{}: {caveat}", place_of(report.run, point));
            let _ = writeln!(text, "* not to be trusted: {}", code(&words));
        }
    }
    for job in jobs(report) {
        let _ = writeln!(text, "\n* {}", code(&job.join(", ")));
    }
    text
}

fn sign(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Better => "🟢",
        GateOutcome::Worse => "🔴",
        GateOutcome::Equal => "⚪",
        GateOutcome::CannotTell => "🟡",
    }
}

/// The relative changes, without a gate.
fn changes(report: &Report<'_>, comparison: &Comparison<'_>) -> String {
    const TITLE: &str = "## Changes against the other run";
    if comparison.changes().is_empty() {
        return format!("{TITLE}\n\nno point is in both runs\n\n");
    }
    let head = ["point", "TTFT", "ITL", "latency", "tokens/s", "requests/s"];
    let rows = comparison.changes().iter().map(|change| {
        let cells = table::compared(report.statistic())
            .map(|(metric, statistic)| percent(change.relative(metric, statistic)));
        let [ttft, itl, latency, tokens, requests] = cells;
        let point = code(&title_of(comparison, change.after()));
        [point, ttft, itl, latency, tokens, requests]
    });
    format!("{TITLE}\n\n{}", rows_of(head, rows))
}

fn part(report: &Report<'_>, group: &Group<'_>) -> String {
    let limits = report.limits_of(group.points()[0]);
    let statistic = limits.statistic();
    let mut head = vec![
        "GPUs".to_owned(),
        "concurrency".to_owned(),
        "runs".to_owned(),
        "requests".to_owned(),
        format!("TTFT {statistic}, ms"),
        format!("ITL {statistic}, ms"),
        format!("latency {statistic}, ms"),
        "tokens/s".to_owned(),
        "tokens/s/GPU".to_owned(),
        "tokens/s/user".to_owned(),
        "requests/s".to_owned(),
    ];
    if report.price.is_some() {
        let cost = |tokens: &Tokens| format!("cost/M {}", tokens.name());
        head.extend(Tokens::ALL.iter().map(cost));
    }
    head.extend(["job".to_owned(), String::new()]);
    let best = report.best_of(group);
    let (shown, left_out) = without_replaced(report, group);
    let rows = shown.points().iter().map(|point| {
        let first = [
            number_or_dash(point.gpus()),
            load_of(point),
            point.runs().len().to_string(),
            requests_of(point),
        ];
        let cells = Column::all(statistic).map(|column| {
            let half = column.half_width(point).map(|half| format!(" {half}"));
            column.text(point) + &half.unwrap_or_default()
        });
        let costs = report.price.into_iter().flat_map(|price| {
            let costs = Tokens::ALL.iter();
            costs.map(move |tokens| figure_or_dash(point.cost_per_million(*tokens, price)))
        });
        let is_best = best.is_some_and(|best| std::ptr::eq(best, *point));
        let origin = match point.run() {
            Some(_) => origin_of(report, point),
            None => code(&origin_of(report, point)),
        };
        let words = words_of(report, point, is_best);
        first
            .into_iter()
            .chain(cells)
            .chain(costs)
            .chain([origin, words])
            .collect::<Vec<_>>()
    });
    let own = match report.common() {
        None if !limits.is_empty() => format!("limits: {}\n\n", in_words(&limits).join(", ")),
        _ => String::new(),
    };
    let none = report.none_within(group);
    let none = none.map_or_else(String::new, |words| format!("{words}\n\n"));
    let left_out = match left_out.join(", ") {
        words if words.is_empty() => words,
        words => format!("{words}\n\n"),
    };
    format!(
        "### {}\n\n{own}{none}{}{left_out}",
        code(&group.to_string()),
        rows_of(head, rows)
    )
}

/// What is said of a point, in its last cell.
fn words_of(report: &Report<'_>, point: &Point, is_best: bool) -> String {
    let verdict = match report.limits_of(point).verdict(point) {
        _ if point.caveat().is_some() => "not to be trusted",
        _ if is_best => "best",
        Verdict::Exceeded { .. } => "above a limit",
        Verdict::CannotTell { .. } => "cannot tell",
        Verdict::Unknown { .. } => "not measured",
        Verdict::Within => "",
    };
    let unstable = spread(report, point).is_some_and(|(_, _, is_unstable)| is_unstable);
    let first = [verdict, if unstable { "unstable" } else { "" }];
    let first = first.into_iter().filter(|word| !word.is_empty());
    let words: Vec<_> = first
        .map(str::to_owned)
        .chain(too_short(point))
        .chain(remarks(report, point))
        .collect();
    words.join("; ")
}

/// A table, whose cells have no bar and no line break of their own.
fn rows_of(
    head: impl IntoIterator<Item = impl AsRef<str>>,
    rows: impl Iterator<Item = impl IntoIterator<Item = String>>,
) -> String {
    let mut text = String::from("|");
    let mut line = String::from("|");
    for cell in head {
        let _ = write!(text, " {} |", cell.as_ref());
        line.push_str(" --- |");
    }
    let _ = writeln!(text, "\n{line}");
    for row in rows {
        text.push('|');
        for cell in row {
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

/// A text of others: code, in which nothing is a mention, a link or HTML. It has no line break.
fn code(text: &str) -> String {
    let text = plain(text).replace('`', "'").replace('|', "\\|");
    match text.trim() {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}
