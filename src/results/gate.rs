//! Whether something got worse, as far as runs can tell.

use std::fmt;

use super::comparison::{Change, Comparison, NotCompared, Superseded};
use super::metric::{Metric, Statistic};
use super::point::Point;
use super::student::upper_quantile;
use crate::value::{Fault, value};

/// Of all that one gate says, what may be wrong by chance: 1 in 20, a confidence of 0.95.
const ERROR: f64 = 0.05;

/// More repeats than anyone has time for.
const MOST_REPEATS: u32 = 100;

const WORDS: [(&str, Metric); 5] = [
    ("throughput", Metric::OutputTokenThroughput),
    ("requests", Metric::RequestThroughput),
    ("ttft", Metric::TimeToFirstToken),
    ("itl", Metric::InterTokenLatency),
    ("latency", Metric::RequestLatency),
];

/// Which metrics are compared, and how much each may change: `throughput 5%, ttft 10%`.
///
/// # Syntax
///
/// * parts with commas between them, each a metric and a margin in percent, above 0 and below 100
/// * the metrics are `throughput` (output tokens/s), `requests` (requests/s), `ttft`, `itl` and
///   `latency` (of a request), each at most once
///
/// # The test
///
/// For each metric of each point, Welch's t-test compares the runs of both sides, on the logarithms
/// of their values: one value a run, whatever number of requests it had. It gives an
/// interval for the relative change of the mean. The metric is
///
/// * [worse](GateOutcome::Worse) when the whole interval lies beyond the margin,
/// * [better](GateOutcome::Better) when it lies beyond the margin on the other side,
/// * [equal](GateOutcome::Equal) when it lies within the margins,
/// * and else, [it cannot be told](GateOutcome::CannotTell).
///
/// Each end of an interval is wrong with a probability of 0.05 over the number of comparisons
/// (Bonferroni): if nothing got worse by more than its margin, the whole gate says "worse" at most
/// once in 20 times, and far less often when nothing changed at all. One run on a side has no
/// spread, so nothing can be told. Nor can it where each side's runs have the same value, and another than the other side's:
/// such values are rounded, as in a CSV with two decimals. Nor where a run is [too short](Point::is_too_short) to go by. Nor, of
/// requests/s and latency, where the mean output length differs by more than the margin: both depend on it.
///
/// ```
/// use nim_slurm::results::{Gate, Metric};
///
/// let gate = Gate::parse("throughput 5%, ttft 10 %")?;
/// assert_eq!(gate.to_string(), "throughput 5%, ttft 10%");
/// assert!(gate.iter().eq([(Metric::OutputTokenThroughput, 0.05), (Metric::TimeToFirstToken, 0.1)]));
///
/// let error = Gate::parse("speed 5%").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot take \"speed 5%\" as gate: \"speed\" is no metric: throughput, requests, ttft, itl and latency are allowed, as in \
///      \"throughput 5%, ttft 10%\""
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Places in [`WORDS`], and margins in percent.
    parts: Vec<(usize, f64)>,
}

value!(Gate, "gate");

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.iter();
        let parts: Vec<_> = parts
            .map(|(place, percent)| format!("{} {percent}%", WORDS[*place].0))
            .collect();
        f.pad(&parts.join(", "))
    }
}

impl Gate {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "throughput, requests, ttft, itl and latency are allowed, as in \"throughput 5%\"";
        if text.trim().is_empty() {
            return Err(Fault::Empty(ALLOWED));
        }
        let mut parts: Vec<(usize, f64)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (word, margin) = part.split_once(char::is_whitespace).ok_or_else(|| {
                Fault::rule(format!("{part:?} is no metric with a margin: {ALLOWED}"))
            })?;
            let place = WORDS.iter().position(|(own, _)| *own == word);
            let place = place.ok_or_else(|| {
                Fault::rule(format!(
                    "{word:?} is no metric: throughput, requests, ttft, itl and latency are allowed, as in \
                     \"throughput 5%, ttft 10%\""
                ))
            })?;
            if parts.iter().any(|(own, _)| *own == place) {
                return Err(Fault::rule(format!("{word} is named twice")));
            }
            let digits = margin.trim().strip_suffix('%').map(str::trim_end);
            let is_number = |digits: &&str| digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let percent = digits
                .filter(is_number)
                .and_then(|digits| digits.parse::<f64>().ok())
                .filter(|percent| *percent > 0.0 && *percent < 100.0);
            let percent = percent.ok_or_else(|| {
                Fault::rule(format!(
                    "{:?} is no margin: a percentage above 0 and below 100 is, as in \"5%\"",
                    margin.trim()
                ))
            })?;
            parts.push((place, percent));
        }
        Ok(Self { parts })
    }

    /// The metrics, and their margins as shares: 0.05 is 5 %.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, f64)> {
        let parts = self.parts.iter();
        parts.map(|(place, percent)| (WORDS[*place].1, percent / 100.0))
    }

    /// Judges each point that two results have in common, latencies by this statistic.
    ///
    /// The comparison is one of [means](super::Run::means), which know their runs.
    ///
    /// [`GatedChange`] has an example with runs.
    ///
    /// ```
    /// use nim_slurm::results::{Comparison, Gate, Run, Statistic};
    ///
    /// let run = Run::read("tests/data/genai-perf")?.means();
    /// let comparison = Comparison::new(&run, &run);
    /// let gated = Gate::parse("ttft 5%")?.judge(&comparison, Statistic::P95);
    /// assert_eq!(gated.changes().len(), comparison.changes().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn judge<'a>(&self, comparison: &Comparison<'a>, statistic: Statistic) -> Gated<'a> {
        let mut changes: Vec<_> = comparison
            .changes()
            .iter()
            .flat_map(|change| {
                self.iter()
                    .map(|(metric, margin)| GatedChange::new(*change, metric, statistic, margin))
            })
            .collect();
        let tests = changes.iter().filter(|change| change.welch.is_some());
        let error = ERROR / f64::from(u32::try_from(tests.count()).unwrap_or(u32::MAX).max(1));
        for change in &mut changes {
            change.judge(error);
        }
        Gated {
            changes,
            missing: comparison.only_before().to_vec(),
            not_compared: comparison
                .not_compared()
                .iter()
                .filter(|it| it.is_before())
                .cloned()
                .collect(),
            superseded: comparison
                .superseded()
                .iter()
                .filter(|it| it.is_open())
                .copied()
                .collect(),
        }
    }
}

/// What a gate says of one metric, of one point, or of all.
///
/// ```
/// use nim_slurm::results::GateOutcome;
///
/// assert_eq!(GateOutcome::CannotTell.to_string(), "cannot tell");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GateOutcome {
    /// Better by more than the margin.
    Better,
    /// Worse by more than the margin.
    Worse,
    /// The same, within the margin.
    Equal,
    /// The runs are too few, too far apart or too short, or their answers have another length.
    CannotTell,
}

impl GateOutcome {
    /// As a report writes it.
    ///
    /// ```
    /// assert_eq!(nim_slurm::results::GateOutcome::Worse.as_str(), "worse");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Equal => "equal",
            Self::CannotTell => "cannot tell",
        }
    }
}

impl fmt::Display for GateOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a gate says of two results.
///
/// [`Gate::judge`] makes one.
///
/// ```
/// use nim_slurm::results::{Comparison, Gate, GateOutcome, Run, Statistic};
///
/// let run = Run::read("tests/data/genai-perf")?.means();
/// let gated = Gate::parse("ttft 5%")?.judge(&Comparison::new(&run, &run), Statistic::Avg);
/// // Where nothing was compared, nothing can be told.
/// assert_eq!((gated.outcome(), gated.exit_code()), (GateOutcome::CannotTell, 4));
/// assert!(gated.changes().is_empty() && gated.missing().is_empty());
/// assert_eq!(gated.not_compared().len(), 6); // folders that somebody named by hand
/// assert!(gated.superseded().is_empty());
/// assert_eq!(gated.confidence(), 0.95);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Gated<'a> {
    changes: Vec<GatedChange<'a>>,
    missing: Vec<&'a Point>,
    not_compared: Vec<NotCompared<'a>>,
    superseded: Vec<Superseded<'a>>,
}

impl<'a> Gated<'a> {
    /// Each metric of each point that both results have.
    #[must_use]
    pub fn changes(&self) -> &[GatedChange<'a>] {
        &self.changes
    }

    /// The points that only the earlier result has: of these, nothing can be told.
    #[must_use]
    pub fn missing(&self) -> &[&'a Point] {
        &self.missing
    }

    /// The points of the earlier result that cannot be [compared](Comparison::not_compared): of these, nothing can
    /// be told, either.
    #[must_use]
    pub fn not_compared(&self) -> &[NotCompared<'a>] {
        &self.not_compared
    }

    /// The points of jobs that were named, in whose place those of others are judged
    /// ([`Superseded::is_open`]): of these, nothing can be told, either.
    #[must_use]
    pub fn superseded(&self) -> &[Superseded<'a>] {
        &self.superseded
    }

    /// The confidence in all that is said together: in each verdict, and in each end of an interval, which a change is beyond
    /// in no more than the rest of the cases.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        1.0 - ERROR
    }

    /// Worse when anything is; else, that it cannot be told when that is so of anything, or nothing was
    /// compared; else, better when anything is.
    #[must_use]
    pub fn outcome(&self) -> GateOutcome {
        let has = |outcome| self.changes.iter().any(|change| change.outcome == outcome);
        if has(GateOutcome::Worse) {
            GateOutcome::Worse
        } else if has(GateOutcome::CannotTell)
            || !self.missing.is_empty()
            || !self.not_compared.is_empty()
            || !self.superseded.is_empty()
            || self.changes.is_empty()
        {
            GateOutcome::CannotTell
        } else if has(GateOutcome::Better) {
            GateOutcome::Better
        } else {
            GateOutcome::Equal
        }
    }

    /// The program's exit code: 0 when nothing is worse, 3 when something is, 4 when it cannot be told.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.outcome() {
            GateOutcome::Better | GateOutcome::Equal => 0,
            GateOutcome::Worse => 3,
            GateOutcome::CannotTell => 4,
        }
    }

    /// How many runs each side needs for all that cannot be told yet, as far as that can be said.
    pub(crate) fn enough(&self) -> Option<u32> {
        self.changes.iter().filter_map(GatedChange::enough).max()
    }
}

/// What a gate says of one metric of one point.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # for (side, speeds) in [("before", [1000.0, 1010.0, 990.0]), ("after", [800.0, 805.0, 795.0])] {
/// #     for (name, speed) in ["m_4_8_chat_128_128_7", "m_4_8_chat_128_128_r2_7", "m_4_8_chat_128_128_r3_7"].iter().zip(speeds) {
/// #         let point = folder.join(side).join(name);
/// #         std::fs::create_dir_all(&point)?;
/// #         let text = format!(r#"{{"output_token_throughput": {{"unit": "tokens/sec", "avg": {speed}}}}}"#);
/// #         std::fs::write(point.join("profile_export_genai_perf.json"), text)?;
/// #     }
/// # }
/// use nim_slurm::results::{Comparison, Gate, GateOutcome, Metric, Run, Statistic};
///
/// let before = Run::read(folder.join("before"))?.means();
/// let after = Run::read(folder.join("after"))?.means();
/// let comparison = Comparison::new(&before, &after);
/// let gated = Gate::parse("throughput 5%")?.judge(&comparison, Statistic::Avg);
/// assert_eq!((gated.outcome(), gated.exit_code()), (GateOutcome::Worse, 3));
///
/// let change = &gated.changes()[0];
/// assert_eq!((change.outcome(), change.runs()), (GateOutcome::Worse, (3, 3)));
/// assert_eq!(change.relative().map(|it| (100.0 * it).round()), Some(-20.0));
/// let (low, high) = change.interval().unwrap();
/// assert!(low > -0.25 && high < -0.15);
/// assert_eq!((change.metric(), change.statistic()), (Metric::OutputTokenThroughput, Statistic::Avg));
/// assert_eq!((change.margin(), change.enough(), change.reason()), (0.05, None, None));
/// assert_eq!(change.change().after().runs().len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// One run on a side is not enough:
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # let point = folder.join("m_4_8_chat_128_128_7");
/// # std::fs::create_dir_all(&point)?;
/// # let text = r#"{"output_token_throughput": {"unit": "tokens/sec", "avg": 1000}}"#;
/// # std::fs::write(point.join("profile_export_genai_perf.json"), text)?;
/// use nim_slurm::results::{Comparison, Gate, GateOutcome, Run, Statistic};
///
/// let run = Run::read(folder)?.means();
/// let gated = Gate::parse("throughput 5%")?.judge(&Comparison::new(&run, &run), Statistic::Avg);
/// let change = &gated.changes()[0];
/// assert_eq!((change.outcome(), change.interval()), (GateOutcome::CannotTell, None));
/// assert_eq!(change.reason(), Some("it takes two runs or more on each side (sweep.repeat)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GatedChange<'a> {
    change: Change<'a>,
    metric: Metric,
    statistic: Statistic,
    margin: f64,
    outcome: GateOutcome,
    welch: Option<Welch>,
    relative: Option<f64>,
    interval: Option<(f64, f64)>,
    enough: Option<u32>,
    reason: Option<&'static str>,
}

impl<'a> GatedChange<'a> {
    fn new(change: Change<'a>, metric: Metric, statistic: Statistic, margin: f64) -> Self {
        let statistic = if is_better_when_higher(metric) {
            Statistic::Avg
        } else {
            statistic
        };
        let both = [change.before(), change.after()];
        let welch = Welch::of_change(&change, metric, statistic);
        let another_tool = "another tool measured it, and means something else";
        let reason = match both.map(|point| point.runs().len()) {
            _ if change.before().tool() != change.after().tool() => Some(another_tool),
            _ if welch.is_ok() && both.iter().any(|point| point.caveat().is_some()) => {
                Some("a run is not to be trusted: see the problems")
            }
            _ if welch.is_ok() && both.iter().any(|point| point.is_too_short() == Some(true)) => {
                Some("a run measured for less than 10 s")
            }
            _ if welch.is_ok() && depends_on_length(metric) && change.has_other_length(margin) => {
                Some("the answers have another length, on which it depends")
            }
            _ => welch.as_ref().err().copied(),
        };
        Self {
            change,
            metric,
            statistic,
            margin,
            outcome: GateOutcome::CannotTell,
            relative: change.relative(metric, statistic),
            welch: welch.ok().filter(|_| reason.is_none()),
            interval: None,
            enough: None,
            reason,
        }
    }

    /// Says what it is; each end of its interval is wrong with this probability.
    fn judge(&mut self, error: f64) {
        let Some(welch) = self.welch else {
            return;
        };
        let (low, high) = welch.interval(error);
        let (least, most) = ((-self.margin).ln_1p(), self.margin.ln_1p());
        let up = if is_better_when_higher(self.metric) {
            [GateOutcome::Worse, GateOutcome::Better]
        } else {
            [GateOutcome::Better, GateOutcome::Worse]
        };
        self.outcome = if high < least {
            up[0]
        } else if low > most {
            up[1]
        } else if low > least && high < most {
            GateOutcome::Equal
        } else {
            GateOutcome::CannotTell
        };
        self.relative = Some(welch.difference.exp_m1());
        self.interval = Some((low.exp_m1(), high.exp_m1()));
        if self.outcome == GateOutcome::CannotTell {
            self.enough = welch.enough(error, [least, most]);
        }
    }

    /// The point, before and after.
    #[must_use]
    pub const fn change(&self) -> Change<'a> {
        self.change
    }

    /// What is compared.
    #[must_use]
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// Of which statistic.
    #[must_use]
    pub const fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// By how much it may change: 0.05 is 5 %.
    #[must_use]
    pub const fn margin(&self) -> f64 {
        self.margin
    }

    /// What it is.
    #[must_use]
    pub const fn outcome(&self) -> GateOutcome {
        self.outcome
    }

    /// The relative change of the runs' geometric mean: 0.1 is ten percent more. Without an
    /// [interval](Self::interval), that of the mean.
    #[must_use]
    pub const fn relative(&self) -> Option<f64> {
        self.relative
    }

    /// The interval of the relative change, as wide as it takes for all that the gate says.
    #[must_use]
    pub const fn interval(&self) -> Option<(f64, f64)> {
        self.interval
    }

    /// How many runs there were before and after.
    #[must_use]
    pub fn runs(&self) -> (usize, usize) {
        let (before, after) = (self.change.before(), self.change.after());
        (before.runs().len(), after.runs().len())
    }

    /// With how many runs on each side it could be told, if means and spreads stay as they are. `None` when it can be
    /// told already, when nothing is known of the spread, and when more than 100 would be needed.
    #[must_use]
    pub const fn enough(&self) -> Option<u32> {
        self.enough
    }

    /// Why the test could not be made, where that is so.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.reason
    }
}

/// Whether it is another one where answers have another length, at the same speed.
fn depends_on_length(metric: Metric) -> bool {
    [Metric::RequestLatency, Metric::RequestThroughput].contains(&metric)
}

fn is_better_when_higher(metric: Metric) -> bool {
    metric.unit() != super::metric::Unit::Milliseconds
}

impl Change<'_> {
    /// The interval of the relative change, with a confidence of 0.95, by Welch's t-test on the logarithms of the
    /// runs' values. `None` unless both sides have two [runs](Point::runs) or more, and where rounding hides the runs' spread
    /// ([`Gate`]).
    ///
    /// ```
    /// use nim_slurm::results::{Comparison, Metric, Run, Statistic};
    ///
    /// let run = Run::read("tests/data/genai-perf")?.means();
    /// let comparison = Comparison::new(&run, &run);
    /// // Nothing there was measured twice.
    /// let mut changes = comparison.changes().iter();
    /// assert!(changes.all(|change| change.interval(Metric::TimeToFirstToken, Statistic::Avg).is_none()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn interval(&self, metric: Metric, statistic: Statistic) -> Option<(f64, f64)> {
        let welch = Welch::of_change(self, metric, statistic).ok()?;
        let (low, high) = welch.interval(0.025);
        Some((low.exp_m1(), high.exp_m1()))
    }
}

/// The difference of two means of logarithms, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Welch {
    difference: f64,
    /// The variances of both sides' values.
    variances: [f64; 2],
    runs: [u32; 2],
}

impl Welch {
    fn of_change(
        change: &Change<'_>,
        metric: Metric,
        statistic: Statistic,
    ) -> Result<Self, &'static str> {
        let logarithms = |point: &Point| {
            let runs = point.runs();
            if runs.len() < 2 {
                return Err("it takes two runs or more on each side (sweep.repeat)");
            }
            let values = runs.iter().map(|run| run.value(metric, statistic));
            let values: Option<Vec<f64>> = values
                .map(|value| value.filter(|value| *value > 0.0).map(f64::ln))
                .collect();
            values
                .filter(|values| values.iter().all(|value| value.is_finite()))
                .ok_or("not each run has a value above 0")
        };
        let (before, after) = (logarithms(change.before())?, logarithms(change.after())?);
        let welch = Self::new(&before, &after);
        if welch.variances.iter().all(|own| *own <= 0.0) && welch.difference != 0.0 {
            return Err("the runs of each side have the same value: rounding hides their spread");
        }
        Ok(welch)
    }

    /// Of two values or more on each side.
    fn new(before: &[f64], after: &[f64]) -> Self {
        let count = |values: &[f64]| u32::try_from(values.len()).unwrap_or(u32::MAX);
        let mean = |values: &[f64]| {
            // A sum of equal values may be off by a bit.
            if values
                .iter()
                .all(|value| value.total_cmp(&values[0]).is_eq())
            {
                return values[0];
            }
            values.iter().sum::<f64>() / f64::from(count(values))
        };
        let variance = |values: &[f64]| {
            let middle = mean(values);
            let squares = values.iter().map(|value| (value - middle).powi(2));
            squares.sum::<f64>() / f64::from(count(values) - 1)
        };
        Self {
            difference: mean(after) - mean(before),
            variances: [variance(before), variance(after)],
            runs: [count(before), count(after)],
        }
    }

    /// The interval of the difference; each end is wrong with this probability.
    fn interval(&self, error: f64) -> (f64, f64) {
        let half = self.half_width(error);
        (self.difference - half, self.difference + half)
    }

    fn half_width(&self, error: f64) -> f64 {
        let [before, after] = [0, 1].map(|side| self.variances[side] / f64::from(self.runs[side]));
        let square = before + after;
        if square <= 0.0 {
            return 0.0;
        }
        // Shares of the square, since its own square may be 0 to a computer.
        let share =
            |side: usize, part: f64| (part / square).powi(2) / f64::from(self.runs[side] - 1);
        let degrees = 1.0 / (share(0, before) + share(1, after));
        upper_quantile(degrees, error) * square.sqrt()
    }

    /// With how many runs on each side the interval would have none of these borders in it.
    fn enough(&self, error: f64, borders: [f64; 2]) -> Option<u32> {
        let distances = borders.map(|border| (self.difference - border).abs());
        let distance = distances[0].min(distances[1]);
        let is_enough = |runs: u32| {
            let more = Self {
                runs: [runs; 2],
                ..*self
            };
            more.half_width(error) < distance
        };
        // More runs make it narrower, so halving finds the fewest.
        let (mut few, mut enough) = (1, MOST_REPEATS);
        if !is_enough(enough) {
            return None;
        }
        while enough - few > 1 {
            let middle = few.midpoint(enough);
            if is_enough(middle) {
                enough = middle;
            } else {
                few = middle;
            }
        }
        Some(enough)
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::super::Run;
    use super::super::metric::Statistics;
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn gates() {
        for (text, expected) in [
            ("throughput 5%", "throughput 5%"),
            (" ttft  10 % ,itl 2.5%", "ttft 10%, itl 2.5%"),
            ("requests 1%,latency 0.5%", "requests 1%, latency 0.5%"),
        ] {
            accepts::<Gate>(text, expected);
        }
        for (text, why) in [
            (
                "throughput",
                "\"throughput\" is no metric with a margin: throughput, requests, ttft, itl and latency are allowed, as in \"throughput 5%\"",
            ),
            (
                "ttft 5%,",
                "\"\" is no metric with a margin: throughput, requests, ttft, itl and latency are allowed, as in \"throughput 5%\"",
            ),
            (
                "TTFT 5%",
                "\"TTFT\" is no metric: throughput, requests, ttft, itl and latency are allowed, as in \"throughput 5%, ttft 10%\"",
            ),
            ("ttft 5%, ttft 6%", "ttft is named twice"),
            (
                "ttft 5",
                "\"5\" is no margin: a percentage above 0 and below 100 is, as in \"5%\"",
            ),
            (
                "ttft 0%",
                "\"0%\" is no margin: a percentage above 0 and below 100 is, as in \"5%\"",
            ),
            (
                "ttft 100%",
                "\"100%\" is no margin: a percentage above 0 and below 100 is, as in \"5%\"",
            ),
            (
                "ttft -5%",
                "\"-5%\" is no margin: a percentage above 0 and below 100 is, as in \"5%\"",
            ),
            (
                "ttft inf%",
                "\"inf%\" is no margin: a percentage above 0 and below 100 is, as in \"5%\"",
            ),
        ] {
            refuses::<Gate>(text, &format!("cannot take {text:?} as gate: {why}"));
        }
        refuses::<Gate>(
            " ",
            "empty gate: throughput, requests, ttft, itl and latency are allowed, as in \"throughput 5%\"",
        );
    }

    /// Two samples whose test is in every textbook's form: by hand, the difference is -0.2, its standard
    /// error √(0.01/3 + 0.04/4) = 0.11547, and Welch's degrees of freedom are 4.6.
    #[test]
    fn welch_by_hand() {
        let before = [0.9, 1.0, 1.1];
        let spread = 0.03_f64.sqrt();
        let after = [0.8 - spread, 0.8 - spread, 0.8 + spread, 0.8 + spread];
        let welch = Welch::new(&before, &after);
        assert!((welch.difference + 0.2).abs() < 1e-12);
        let squares = [0.01 / 3.0, 0.04 / 4.0_f64];
        let degrees = (squares[0] + squares[1]).powi(2)
            / (squares[0].powi(2) / 2.0 + squares[1].powi(2) / 3.0);
        let half = upper_quantile(degrees, 0.025) * (squares[0] + squares[1]).sqrt();
        assert!((welch.half_width(0.025) - half).abs() < 1e-9);
        assert!((half - 0.305).abs() < 0.005, "{half}");
        // Without any spread, the difference is what it is.
        assert_eq!(Welch::new(&[1.0; 2], &[1.5; 3]).interval(0.001), (0.5, 0.5));
    }

    /// Numbers by SplitMix64.
    struct Random(u64);

    impl Random {
        /// Above 0, at most 1.
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        fn share(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.0;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (((bits ^ (bits >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
        }

        /// With a mean of 0 and a deviation of 1, by Box and Muller.
        fn normal(&mut self) -> f64 {
            let length = (-2.0 * self.share().ln()).sqrt();
            length * (std::f64::consts::TAU * self.share()).cos()
        }
    }

    /// A sweep as it is read from a folder, whose figures are then those of simulated servers.
    struct Server {
        run: Run,
    }

    const POINTS: u32 = 8;

    impl Server {
        fn new(repeats: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let results = Utf8Path::from_path(folder.path()).unwrap();
            for concurrency in 1..=POINTS {
                for repeat in 1..=repeats {
                    let again = match repeat {
                        1 => String::new(),
                        _ => format!("_r{repeat}"),
                    };
                    let point = results.join(format!("m_4_{concurrency}_chat_128_128{again}_7"));
                    std::fs::create_dir(&point).unwrap();
                    let text = r#"{"output_token_throughput": {"avg": 1}}"#;
                    std::fs::write(point.join("profile_export_genai_perf.json"), text).unwrap();
                }
            }
            let run = Run::read(results).unwrap();
            assert_eq!(run.means().points().len(), POINTS as usize);
            Self { run }
        }

        /// What it measures with 3 % noise, when it is slower by these shares at the points.
        fn measure(&self, random: &mut Random, loss: impl Fn(u32) -> f64) -> Run {
            let mut run = self.run.clone();
            for point in &mut run.points {
                let concurrency = point.concurrency().unwrap();
                let left = 1.0 - loss(concurrency);
                let mut noise = || 1.0 + 0.03 * random.normal();
                let speed = 500.0 * f64::from(concurrency) * left * noise();
                let first = 40.0 * f64::from(concurrency) / left * noise();
                let figures = |value| Statistics::from_iter([(Statistic::Avg, value)]);
                let metrics = &mut point.content.metrics;
                metrics.set(Metric::OutputTokenThroughput, figures(speed));
                metrics.set(Metric::TimeToFirstToken, figures(first));
            }
            run.means()
        }
    }

    /// Of so many comparisons of whole sweeps, in how many something is worse, in how many the first point is, and in how
    /// many nothing can be said to have changed.
    fn compare(gate: &str, repeats: u32, comparisons: u32, loss: impl Fn(u32) -> f64) -> [u32; 3] {
        let gate = Gate::parse(gate).unwrap();
        let server = Server::new(repeats);
        let mut random = Random(1);
        let mut counts = [0; 3];
        for _ in 0..comparisons {
            let before = server.measure(&mut random, |_| 0.0);
            let after = server.measure(&mut random, &loss);
            let comparison = Comparison::new(&before, &after);
            let gated = gate.judge(&comparison, Statistic::Avg);
            assert_eq!(gated.changes().len(), 8 * gate.iter().count());
            let first = gated.changes()[0].outcome() == GateOutcome::Worse;
            counts[0] += u32::from(gated.exit_code() == 3);
            counts[1] += u32::from(first);
            counts[2] += u32::from(gated.exit_code() == 0);
        }
        counts
    }

    /// On equal servers, a gate of five repeats and 5 % is wrong in none of 1,000 comparisons: the bound is 10.
    #[test]
    fn equal_servers_are_not_worse() {
        let [worse, ..] = compare("throughput 5%, ttft 10%", 5, 1000, |_| 0.0);
        assert!(worse <= 10, "{worse} of 1000");
    }

    /// A server that is 10 % slower everywhere.
    #[test]
    fn a_slower_server_is_found() {
        let [worse, ..] = compare("throughput 5%", 5, 1000, |_| 0.1);
        assert!(worse >= 950, "{worse} of 1000");
    }

    /// A loss at the margin is no loss beyond it: whatever the noise, at most once in 20 is it called one.
    #[test]
    fn a_loss_at_the_margin_is_not_called_worse() {
        let [worse, ..] = compare("throughput 5%", 5, 1000, |_| 0.05);
        assert!(worse <= 70, "{worse} of 1000");
    }

    /// The guide's table is that of a thousand comparisons, which take minutes: `NIM_SLURM_CASES=1000`.
    #[test]
    #[ignore = "prints the table of the guide"]
    fn table_of_the_guide() {
        let cases = std::env::var("NIM_SLURM_CASES").map_or(10, |cases| cases.parse().unwrap());
        for gate in [1, 2, 3, 5] {
            for repeats in [3, 5, 8, 10] {
                let text = format!("throughput {gate}%");
                let none = compare(&text, repeats, cases, |_| 0.0);
                let all = compare(&text, repeats, cases, |_| 0.1);
                let one = compare(&text, repeats, cases, |c| if c == 1 { 0.1 } else { 0.0 });
                println!("{text} {repeats}: none {none:?} all {all:?} one {one:?}");
            }
        }
        let both = "throughput 5%, ttft 10%";
        for repeats in [5, 10] {
            let none = compare(both, repeats, cases, |_| 0.0);
            let all = compare(both, repeats, cases, |_| 0.1);
            let one = compare(both, repeats, cases, |c| if c == 1 { 0.1 } else { 0.0 });
            println!("{both} {repeats}: none {none:?} all {all:?} one {one:?}");
        }
    }
}
