//! The report as a table of at most 100 columns.

use std::collections::HashMap;

use super::{
    Column, DIVIDED, Report, another_measurement, brief, cached, derived, divided, energy, gate,
    in_words, job_of, jobs, load_of, missing, number_or_dash, part_of, percent, place_of,
    points_in_words, points_with_rows, remarks, replica_of, requests_of, search, server_of,
    several_runs, spread, steady_part, supported, weak, without_replaced,
};
use crate::plain::plain;
use crate::results::{
    Change, Comparison, Difference, GateOutcome, Gated, Group, Limits, Metric, Point, Requests,
    Statistic, Summary, Verdict,
};

const WIDTH: usize = 100;

const HEAD: [[&str; 11]; 2] = [
    [
        "", "concur-", "re-", "TTFT", "ITL", "latency", "tokens/s", "tokens/s", "tokens/s",
        "requests", "",
    ],
    [
        "GPUs", "rency", "quests", "ms", "ms", "ms", "", "/GPU", "/user", "/s", "job",
    ],
];

pub(super) fn render(report: &Report<'_>) -> String {
    let differences = report.differences();
    let mut text = String::new();
    if let Some(words) = another_measurement(&differences) {
        text.push_str(&filled(&words));
        text.push('\n');
    }
    for group in report.run.groups() {
        text.push_str(&part(report, &group));
        text.push('\n');
    }
    let failed = report.run.failed_searches();
    for search in &failed {
        text.push_str(&sentence(&search.to_string()));
    }
    if !report.run.points().is_empty() {
        text.push_str(&legend(report));
    } else if failed.is_empty() {
        text.push_str("no results\n");
    }
    text.push_str(&changes(report, &differences));
    let jobs = jobs(report);
    if !jobs.is_empty() {
        text.push('\n');
    }
    for job in jobs {
        text.push_str(&wrapped(&job));
    }
    text
}

/// A row of cells, each as wide as its column.
fn line(mark: char, cells: &[String], widths: &[usize]) -> String {
    let total_width: usize = widths.iter().map(|width| width + 2).sum();
    let gap = if 2 + total_width > WIDTH { " " } else { "  " };
    let mut line = format!("{mark} ");
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(&format!("{cell:>width$}{gap}"));
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

/// Parts in a line, or in several where one is too short for them.
fn below_a_table(mut parts: Vec<String>) -> String {
    if let Some(first) = parts.first_mut() {
        first.insert_str(0, "  ");
    }
    wrapped(&parts)
}

fn wrapped(parts: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() < WIDTH => {
                line.push_str(&format!(", {part}"));
            }
            Some(line) => {
                line.push(',');
                lines.push(format!("  {part}"));
            }
            None => lines.push(part.clone()),
        }
    }
    lines.iter().map(|line| title(line)).collect()
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect()
}

/// A sentence in as many lines as it takes.
fn sentence(text: &str) -> String {
    indented("", text)
}

/// The same below a row.
fn indented(indent: &str, text: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in plain(text).split(' ') {
        let line = lines.last_mut().expect("there is one");
        if line == indent {
            line.push_str(word);
        } else if line.chars().count() + word.chars().count() < WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{indent}  {word}"));
        }
    }
    lines.iter().map(|line| title(line)).collect()
}

/// A line. What is longer has a mark at its end that says so.
fn title(text: &str) -> String {
    let text = plain(text);
    if text.chars().count() <= WIDTH {
        return format!("{text}\n");
    }
    let begin: String = text.chars().take(WIDTH - 1).collect();
    format!("{begin}…\n")
}

/// A path in a line of its own. What tells it from others is at its end.
fn path(place: &str) -> String {
    let length = place.chars().count();
    let max_width = WIDTH - 4;
    if length <= max_width {
        return format!("    {place}\n");
    }
    let end: String = place.chars().skip(length - max_width + 1).collect();
    format!("    …{end}\n")
}

fn part(report: &Report<'_>, group: &Group<'_>) -> String {
    let limits = report.limits_of(group.points()[0]);
    let mut rows: Vec<_> = HEAD
        .iter()
        .map(|head| head.map(str::to_owned).to_vec())
        .collect();
    let mut below = Vec::new();
    let (kept, left_out) = without_replaced(report, group);
    rows.extend(kept.points().iter().map(|point| {
        below.push(rows_of_runs(report, point));
        let mut row = vec![
            number_or_dash(point.gpus()),
            load_of(point),
            requests_of(point),
        ];
        row.extend(Column::all(limits.statistic()).map(|column| column.text(point)));
        let job = Some(job_of(point)).filter(|job| !job.is_empty());
        row.push(job.unwrap_or_else(|| "-".to_owned()) + &server_of(point));
        row
    }));
    let below_all: Vec<_> = below.iter().flatten().cloned().collect();
    let widths = widths(&[&rows[..], &below_all].concat());
    let best = report.best_of(group);

    let capacity = group.capacity(report.run);
    let mut text = match &capacity {
        Some(capacity) => sentence(&search::answer(&group.to_string(), capacity)),
        None => title(&group.to_string()),
    };
    for note in capacity.iter().flat_map(search::notes) {
        text.push_str(&sentence(&note));
    }
    if report.common().is_none() {
        text.push_str(&format!("{}\n", shown(&limits)));
    }
    if let Some(words) = report.none_within(group) {
        text.push_str(&sentence(&words));
    }
    for row in &rows[..HEAD.len()] {
        text.push_str(&line(' ', row, &widths));
    }
    for ((point, row), below) in kept.points().iter().zip(&rows[HEAD.len()..]).zip(&below) {
        text.push_str(&line(mark(report, best, point), row, &widths));
        for row in below {
            text.push_str(&line(' ', row, &widths));
        }
        // A row of dashes would not say which folder it is.
        if point.use_case().is_none() {
            text.push_str(&path(&place_of(report.run, point)));
        }
        for words in remarks(report, point) {
            text.push_str(&indented("    ", &words));
        }
    }
    let mut rows_of_load: HashMap<_, u32> = HashMap::new();
    for point in &kept {
        *rows_of_load.entry(point.load()).or_default() += 1;
    }
    let short = kept.iter().filter(|point| brief(point).is_some());
    let words = format!(
        "do not rely on these, measured for less than {} s: at",
        Requests::SHORT
    );
    text.push_str(&below_a_table(points_in_words(&words, short, |point| {
        let job = Some(job_of(point)).filter(|_| rows_of_load[&point.load()] > 1);
        let job = job.map(|job| format!(", job {job}")).unwrap_or_default();
        Some(format!("{:.1} s{job}", brief(point)?))
    })));
    text.push_str(&below_a_table(left_out));
    if let Some(table) = energy::table(report, &kept) {
        text.push_str(&energy_part(table));
    }
    text
}

/// The table of energy and cost below that of the points.
fn energy_part(table: energy::EnergyTable) -> String {
    let mut text = String::new();
    if !table.rows.is_empty() {
        let head =
            [0, 1].map(|number| table.head.iter().map(|head| head[number].clone()).collect());
        let mut rows: Vec<Vec<String>> = head.into();
        rows.extend(table.rows);
        let widths = widths(&rows);
        text.push('\n');
        for row in &rows {
            text.push_str(&line(' ', row, &widths));
        }
    }
    for words in &table.unknown {
        text.push_str(&indented("  ", words));
    }
    text
}

/// What several runs add to the row of their means: the half of each interval, and each spread.
fn rows_of_runs(report: &Report<'_>, point: &Point) -> Vec<Vec<String>> {
    let Some((runs, _, is_unstable)) = spread(report, point) else {
        return Vec::new();
    };
    let columns = Column::all(report.statistic_of(point));
    let row = |first: [String; 3], cells: [String; 7], last: &str| {
        let cells = first.into_iter().chain(cells);
        cells.chain([last.to_owned()]).collect()
    };
    let empty = String::new;
    let halves = columns.map(|column| column.half_width(point).unwrap_or_else(|| "-".to_owned()));
    let spreads = columns.map(|column| {
        let spread = column.summary(point).as_ref().and_then(Summary::spread);
        spread.map_or("-".to_owned(), |spread| format!("{:.1}%", 100.0 * spread))
    });
    let word = if is_unstable { "unstable" } else { "spread" };
    vec![
        row([empty(), empty(), format!("{runs} runs")], halves, "± 95%"),
        row([empty(), empty(), empty()], spreads, word),
    ]
}

fn mark(report: &Report<'_>, best: Option<&Point>, point: &Point) -> char {
    if best.is_some_and(|best| std::ptr::eq(best, point)) {
        return '*';
    }
    match report.limits_of(point).verdict(point) {
        _ if point.caveat().is_some() => '!',
        Verdict::Within => ' ',
        Verdict::Exceeded { .. } => 'x',
        Verdict::CannotTell { .. } => '=',
        Verdict::Unknown { .. } => '?',
    }
}

/// Which statistic is shown, and the limits on it.
fn shown(limits: &Limits) -> String {
    let latencies = format!("TTFT, ITL and latency: {}", limits.statistic());
    if limits.is_empty() {
        return latencies;
    }
    format!("{latencies}; limits: {}", in_words(limits).join(", "))
}

fn legend(report: &Report<'_>) -> String {
    let points = || report.run.points().iter();
    let groups = report.run.groups();
    let has_best = groups.iter().any(|group| report.best_of(group).is_some());
    let best = match report.common() {
        Some(limits) if limits.is_empty() => "* highest throughput",
        Some(_) => "* highest throughput within the limits",
        None => "* highest throughput, within limits if there are any",
    };
    let mut marks = Vec::from_iter(has_best.then_some(best));
    let has_limits = report.common().is_none_or(|limits| !limits.is_empty());
    marks.extend(has_limits.then_some("x above a limit   ? the latency is not in the results"));
    let mut text = String::new();
    if let Some(limits) = report.common() {
        text.push_str(&format!("{}\n", shown(&limits)));
    }
    if !marks.is_empty() {
        let between = if report.common().is_some() {
            "   "
        } else {
            "\n"
        };
        text.push_str(&format!("{}\n", marks.join(between)));
    }
    let unsure = || points().filter(|point| mark(report, None, point) == '=');
    if unsure().any(|point| divided(report, point).is_none()) {
        text.push_str("= cannot tell: too few requests, or too near to a limit\n");
    }
    if unsure().any(|point| divided(report, point).is_some()) {
        text.push_str(&format!("= cannot tell: {DIVIDED}\n"));
    }
    let rows = points_with_rows(report);
    if let Some(weak) = weak(report, &rows) {
        text.push_str(&format!("{weak}\n"));
    }
    if let Some(supported) = supported(report, &rows) {
        text.push_str(&format!("{supported}\n"));
    }
    if let Some(several) = several_runs(&rows) {
        text.push_str(&filled(several));
    }
    if let Some(words) = steady_part(&rows) {
        text.push_str(&format!("{words}\n"));
    }
    text.push_str("tokens/s: output tokens; /user: of one answer after its first token\n");
    for note in cached(report.run)
        .into_iter()
        .chain(derived(report.run).map(str::to_owned))
    {
        text.push_str(&format!("{note}\n"));
    }
    for note in energy::notes(report) {
        text.push_str(&title(&note));
    }
    if report
        .run
        .points()
        .iter()
        .any(|point| point.caveat().is_some())
    {
        text.push_str("! not to be trusted: see the problems\n");
    }
    text
}

/// What is compared, and of which statistic.
pub(super) fn compared(statistic: Statistic) -> [(Metric, Statistic); 5] {
    [
        (Metric::TimeToFirstToken, statistic),
        (Metric::InterTokenLatency, statistic),
        (Metric::RequestLatency, statistic),
        (Metric::OutputTokenThroughput, Statistic::Avg),
        (Metric::RequestThroughput, Statistic::Avg),
    ]
}

const CHANGES_HEAD: [&str; 8] = [
    "GPUs",
    "concurrency",
    "TTFT",
    "ITL",
    "latency",
    "tokens/s",
    "requests/s",
    "jobs",
];

fn changes(report: &Report<'_>, differences: &[Difference]) -> String {
    let Some(comparison) = report.comparison() else {
        return String::new();
    };
    let mut rows = vec![CHANGES_HEAD.map(str::to_owned).to_vec()];
    rows.extend(
        comparison
            .changes()
            .iter()
            .map(|change| change_row(report, change)),
    );
    let widths = widths(&rows);
    let mut text = "\nchanges against the other run\n".to_owned();
    for other in differences {
        text.push_str(&filled(&format!("differs: {other}")));
    }
    if comparison.changes().is_empty() {
        text.push_str("no point is in both runs\n");
    } else {
        text.push_str(&line(' ', &rows[0], &widths));
    }
    let mut use_case = String::new();
    for (change, row) in comparison.changes().iter().zip(&rows[1..]) {
        let own = part_of(&comparison, change.after());
        if own != use_case {
            text.push_str(&title(&own));
            use_case = own;
        }
        text.push_str(&line(mark_of_change(change), row, &widths));
    }
    if comparison
        .changes()
        .iter()
        .any(|change| mark_of_change(change) == '!')
    {
        text.push_str("! one of the two is not to be trusted: see the problems\n");
    }
    for words in missing(&comparison) {
        text.push_str(&filled(&words));
    }
    if let Some(gated) = report.gated(&comparison) {
        text.push_str(&gate_part(report, &comparison, &gated));
    }
    text
}

fn mark_of_change(change: &Change<'_>) -> char {
    let points = [change.before(), change.after()];
    if points.iter().any(|point| point.caveat().is_some()) {
        '!'
    } else {
        ' '
    }
}

/// What the gate says, worst first.
fn gate_part(report: &Report<'_>, comparison: &Comparison<'_>, gated: &Gated<'_>) -> String {
    let mut text = format!("\n{}", filled(&gate::summary(report, gated)));
    let mut verdicts = gate::verdicts(comparison, gated);
    verdicts.sort_by_key(|verdict| match verdict.outcome {
        GateOutcome::Worse => 0,
        GateOutcome::CannotTell => 1,
        _ => 2,
    });
    for verdict in verdicts {
        let mark = match verdict.outcome {
            GateOutcome::Worse => 'x',
            GateOutcome::CannotTell => '?',
            _ => ' ',
        };
        let mut said = format!(
            "{mark} {}: {}, {} {}",
            verdict.outcome, verdict.point, verdict.metric, verdict.change
        );
        if verdict.interval != "-" {
            said.push_str(&format!(" ({})", verdict.interval));
        }
        said.push_str(&format!(", runs {}", verdict.runs));
        if !verdict.note.is_empty() {
            said.push_str(&format!(": {}", verdict.note));
        }
        text.push_str(&filled(&said));
    }
    for line in gate::legend(gated) {
        text.push_str(&filled(&line));
    }
    text
}

/// A text in lines that are not too long; words that are go on in the next one.
fn filled(text: &str) -> String {
    const INDENT: &str = "\n    ";
    let mut lines = String::new();
    let mut width = 0;
    for (number, word) in plain(text).split(' ').enumerate() {
        let letters: Vec<char> = word.chars().collect();
        let fits = width + 1 + letters.len().min(WIDTH - 4) <= WIDTH;
        if number > 0 {
            lines.push_str(if fits { " " } else { INDENT });
            width = if fits { width + 1 } else { 4 };
        }
        for (number, part) in letters.chunks(WIDTH - 4).enumerate() {
            if number > 0 {
                lines.push_str(INDENT);
                width = 4;
            }
            lines.extend(part);
            width += part.len();
        }
    }
    lines.push('\n');
    lines
}

fn change_row(report: &Report<'_>, change: &Change<'_>) -> Vec<String> {
    let (before, after) = (change.before(), change.after());
    let mut row = vec![number_or_dash(after.gpus()), load_of(after)];
    row.extend(
        compared(report.statistic())
            .map(|(metric, statistic)| percent(change.relative(metric, statistic))),
    );
    let jobs = format!("{} -> {}", job_of(before), job_of(after));
    row.push(jobs + &replica_of(after));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_folded_or_marked() {
        let text = indented("    ", &"a word ".repeat(40));
        assert_eq!(text.matches("word").count(), 40);
        assert!(text.lines().count() > 2, "{text}");
        for line in text.lines() {
            assert!(
                line.starts_with("    ") && line.chars().count() <= WIDTH,
                "{line}"
            );
        }
        let whole = "x".repeat(WIDTH);
        assert_eq!(title(&whole), format!("{whole}\n"));
        let cut = title(&format!("{whole}y"));
        assert_eq!(cut, format!("{}…\n", &whole[1..]));
    }
}
