//! One result file: what it says, and what of it cannot be read.

use std::fs::{self, File};
use std::io::{self, Read};

use camino::{Utf8Path, Utf8PathBuf};

use super::metric::{Metric, Statistic, Statistics};
use super::point::{Content, OtherMetric};

/// Result files have kilobytes; what is larger than this is none.
const MAX_BYTES: u64 = 64 << 20;

/// A damaged file is named, not copied into the report.
const MAX_PROBLEMS: usize = 10;

/// Something in a results folder that cannot be read, or that a reader of the
/// numbers must know. The rest was read all the same.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let table = folder.join("profile_export_genai_perf.csv");
/// std::fs::write(&table, "Metric,avg\nInter Token Latency (ms),fast\n\nMetric,Value\nRequest Count,8.00\n")?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let problem = &run.problems()[0];
/// assert_eq!(problem.line(), Some(2));
/// assert_eq!(problem.message(), "avg of Inter Token Latency (ms) is \"fast\", which is no number");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ReadProblem {
    file: Utf8PathBuf,
    line: Option<u64>,
    message: String,
}

impl ReadProblem {
    pub(super) fn new(
        file: impl Into<Utf8PathBuf>,
        line: Option<u64>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line,
            message: message.into(),
        }
    }

    /// The file or folder.
    #[must_use]
    pub fn file(&self) -> &Utf8Path {
        &self.file
    }

    /// The line in it, from 1, where one is to blame.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        self.line
    }

    /// What is wrong, as one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// `FILE:LINE: MESSAGE`, as compilers write it.
impl std::fmt::Display for ReadProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A file's name may hold anything, also what moves a terminal's cursor.
        write!(f, "{}", printable(self.file.as_str()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// `text` with control characters written out.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// `text` in quotes, fit for a sentence.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// Reads a whole file, if it is a file and of a size that results have.
pub(super) fn read(path: &Utf8Path) -> Result<Vec<u8>, ReadProblem> {
    let fail = |error: &io::Error| ReadProblem::new(path, None, format!("cannot be read: {error}"));
    // To open a FIFO would wait for someone to write into it.
    let metadata = fs::metadata(path).map_err(|error| fail(&error))?;
    if !metadata.is_file() {
        return Err(ReadProblem::new(path, None, "is not a regular file"));
    }
    if metadata.len() > MAX_BYTES {
        let message = format!(
            "has {} bytes: a result of up to {MAX_BYTES} is read",
            metadata.len()
        );
        return Err(ReadProblem::new(path, None, message));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // It may grow while it is read.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
        .map_err(|error| fail(&error))?;
    Ok(bytes)
}

/// What a file is read into.
pub(super) struct Sink<'a> {
    file: &'a Utf8Path,
    pub(super) content: Content,
    problems: Vec<ReadProblem>,
    unsaid: usize,
}

impl<'a> Sink<'a> {
    pub(super) fn new(file: &'a Utf8Path) -> Self {
        Self {
            file,
            content: Content::default(),
            problems: Vec::new(),
            unsaid: 0,
        }
    }

    pub(super) fn complain(&mut self, line: Option<u64>, message: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems
                .push(ReadProblem::new(self.file, line, message));
        } else {
            self.unsaid += 1;
        }
    }

    /// The content, and what is wrong with it.
    pub(super) fn finish(mut self) -> (Content, Vec<ReadProblem>) {
        if self.unsaid > 0 {
            let message = format!("has {} more problems of this kind", self.unsaid);
            self.problems
                .push(ReadProblem::new(self.file, None, message));
        }
        (self.content, self.problems)
    }

    /// Keeps the statistics of the metric `name`, which are in `unit`.
    pub(super) fn keep(
        &mut self,
        line: Option<u64>,
        name: &str,
        unit: &str,
        mut statistics: Statistics,
    ) {
        if statistics.is_empty() {
            return;
        }
        let Some(metric) = Metric::from_name(name) else {
            let other = OtherMetric {
                unit: unit.to_owned(),
                statistics,
            };
            self.content.others.insert(name.to_owned(), other);
            return;
        };
        if metric.unit() == super::Unit::Milliseconds {
            let Some(factor) = milliseconds_in(unit) else {
                let message = format!("{name} is in {}: ns, us, ms or s is expected", quoted(unit));
                return self.complain(line, message);
            };
            // 24.05 and 24.06 write -1 for what was not measured.
            if unit == "ns" && statistics.avg() == Some(-1.0) {
                return;
            }
            statistics.scale(factor);
        }
        if let Some((statistic, value)) = statistics.iter().find(|(_, value)| *value < 0.0) {
            let message = format!("{statistic} of {name} is {value}, which cannot be");
            self.complain(line, message);
            return;
        }
        self.content.metrics.insert(metric, statistics);
    }
}

/// Milliseconds in one of a unit of time.
fn milliseconds_in(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-6),
        "us" | "µs" => Some(1e-3),
        "ms" => Some(1.0),
        "s" | "sec" => Some(1e3),
        _ => None,
    }
}

/// The name that JSON files have for the metric in a table's label, and its unit:
/// `Time To First Token (ms)` is `time_to_first_token` in `ms`.
pub(super) fn name_and_unit(label: &str) -> (String, &str) {
    let label = label.trim();
    let (title, unit) = label
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once(" ("))
        .unwrap_or((label, ""));
    let mut name = String::with_capacity(title.len());
    for character in title.chars() {
        if character.is_alphanumeric() {
            name.extend(character.to_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    (name, unit)
}

/// A number as Python's `,.2f` and `str` write it, with or without commas between
/// thousands; `Ok(None)` for what the tools write when there is none.
pub(super) fn number(cell: &str) -> Result<Option<f64>, ()> {
    let cell = cell.trim();
    if matches!(cell, "" | "N/A" | "None") {
        return Ok(None);
    }
    let plain;
    let digits = if cell.contains(',') {
        if !has_thousands(cell) {
            return Err(());
        }
        plain = cell.replace(',', "");
        &plain
    } else {
        cell
    };
    // Rust reads words such as "inf", too.
    let value: f64 = digits.parse().map_err(drop)?;
    if value.is_finite() {
        Ok(Some(value))
    } else {
        Err(())
    }
}

/// Whether the commas stand where thousands end.
fn has_thousands(cell: &str) -> bool {
    let whole = cell.split('.').next().unwrap_or_default();
    let mut groups = whole.trim_start_matches('-').split(',');
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && groups.all(|group| group.len() == 3)
        && !cell[whole.len()..].contains(',')
        && whole
            .trim_start_matches('-')
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b',')
}

/// Puts a cell that is a number into `statistics`, and complains about one that is not.
pub(super) fn take_cell(
    sink: &mut Sink<'_>,
    line: u64,
    label: &str,
    (statistic, cell): (Statistic, &str),
    statistics: &mut Statistics,
) {
    match number(cell) {
        Ok(Some(value)) => statistics.set(statistic, value),
        Ok(None) => {}
        Err(()) => sink.complain(
            Some(line),
            format!(
                "{statistic} of {} is {}, which is no number",
                printable(label.get(..60).unwrap_or(label)),
                quoted(cell)
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (cell, value) in [
            ("23.94", 23.94),
            ("5,919.16", 5919.16),
            ("1,234,567", 1_234_567.0),
            ("-1", -1.0),
            (" 7 ", 7.0),
            ("1e-05", 1e-5),
        ] {
            assert_eq!(number(cell), Ok(Some(value)), "{cell}");
        }
        for cell in ["", " ", "N/A", "None"] {
            assert_eq!(number(cell), Ok(None), "{cell}");
        }
        for cell in [
            "fast", "1,2", "5.919,16", ",123", "1,,234", "nan", "inf", "1 2", "0x1",
        ] {
            assert_eq!(number(cell), Err(()), "{cell}");
        }
    }

    #[test]
    fn labels() {
        for (label, name, unit) in [
            ("Time To First Token (ms)", "time_to_first_token", "ms"),
            ("Time to First Token (ms)", "time_to_first_token", "ms"),
            ("Output Sequence Length", "output_sequence_length", ""),
            (
                "HTTP Duration (excl. conn) (ms)",
                "http_duration_excl_conn",
                "ms",
            ),
            ("OSL Mismatch Diff % (%)", "osl_mismatch_diff", "%"),
        ] {
            assert_eq!(name_and_unit(label), (name.to_owned(), unit));
        }
    }
}
