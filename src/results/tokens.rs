//! Tokens of a kind, and what they cost.

use std::fmt;

use super::metric::{Metric, Statistic};
use super::point::Point;

/// Which tokens a figure counts.
///
/// ```
/// use nim_slurm::results::{Run, Tokens};
///
/// let run = Run::read("tests/data/requests/aiperf-1")?;
/// let point = &run.points()[0];
/// let [output, input, total] = [Tokens::Output, Tokens::Input, Tokens::Total].map(|kind| point.token_count(kind).unwrap());
/// assert_eq!(input, 2560.0); // 20 requests of 128
/// assert_eq!(output + input, total);
/// assert_eq!(point.token_throughput(Tokens::Output), point.throughput());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tokens {
    /// Those of the answers.
    Output,
    /// Those of the prompts.
    Input,
    /// Both together.
    Total,
}

impl Tokens {
    /// All kinds.
    ///
    /// ```
    /// use nim_slurm::results::Tokens;
    ///
    /// assert_eq!(Tokens::ALL.len(), 3);
    /// ```
    pub const ALL: &'static [Self] = &[Self::Output, Self::Input, Self::Total];

    /// As reports name it.
    ///
    /// ```
    /// assert_eq!(nim_slurm::results::Tokens::Output.name(), "output");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Input => "input",
            Self::Total => "total",
        }
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Point {
    /// How many tokens of a kind all answered requests have: the tool's mean times their number. Of several
    /// [runs](Self::runs), their mean.
    ///
    /// ```
    /// use nim_slurm::results::{Run, Tokens};
    ///
    /// let run = Run::read("tests/data/telemetry")?; // 4 requests of 128 tokens each way
    /// assert_eq!(run.points()[0].token_count(Tokens::Total), Some(1024.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no point has 2^52 requests")]
    pub fn token_count(&self, tokens: Tokens) -> Option<f64> {
        if let [_, _, ..] = self.runs() {
            return Some(self.summary_of(|run| run.token_count(tokens))?.mean());
        }
        let requests = self.request_count().filter(|count| *count > 0)? as f64;
        let mean = |metric| self.value(metric, Statistic::Avg);
        let [output, input] = [Metric::OutputSequenceLength, Metric::InputSequenceLength].map(mean);
        let count = requests * of_kind(tokens, output, input)?;
        (count > 0.0).then_some(count)
    }

    /// Tokens of a kind in a second, of the whole server.
    ///
    /// The tools measure the output's. The input's stand to them as the lengths do.
    ///
    /// ```
    /// use nim_slurm::results::{Run, Tokens};
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// let rate = run.points()[0].token_throughput(Tokens::Total).unwrap();
    /// assert_eq!(rate.round(), 204.0); // 1024 tokens in 5.024 s
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn token_throughput(&self, tokens: Tokens) -> Option<f64> {
        let mean = |metric| self.value(metric, Statistic::Avg);
        let output = self.throughput();
        let input = || {
            let input = mean(Metric::InputSequenceLength)?;
            let ratio = input / mean(Metric::OutputSequenceLength)?;
            Some(output? * ratio).filter(|rate| rate.is_finite())
        };
        of_kind(tokens, output, input())
    }

    /// What a million tokens of a kind cost, for what a GPU costs in an hour, in the same currency: all
    /// GPUs of the server, whatever they do.
    ///
    /// ```
    /// use nim_slurm::results::{Run, Tokens};
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// let point = &run.points()[0];
    /// let cost = point.cost_per_million(Tokens::Output, 2.5).unwrap();
    /// let by_hand = 2.5 * 1e6 / (point.throughput().unwrap() * 3600.0);
    /// assert!((cost / by_hand - 1.0).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cost_per_million(&self, tokens: Tokens, gpu_hour: f64) -> Option<f64> {
        let an_hour = gpu_hour * f64::from(self.gpus()?);
        let millions = self.token_throughput(tokens)? * 3600.0 / 1e6;
        Some(an_hour / millions).filter(|cost| cost.is_finite())
    }

    /// Output tokens for each joule.
    ///
    /// ```
    /// use nim_slurm::results::{Run, Tokens};
    ///
    /// let run = Run::read("tests/data/telemetry")?; // 512 tokens each way, 2512 J
    /// let point = &run.points()[0];
    /// assert_eq!(point.tokens_per_joule().map(|count| (count * 1000.0).round()), Some(204.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn tokens_per_joule(&self) -> Option<f64> {
        Some(1.0 / self.joules_per_token(Tokens::Output)?)
    }

    /// Joules for each token of a kind: those of all GPUs over the tokens of all answered requests. Of several
    /// [runs](Self::runs), their mean.
    ///
    /// ```
    /// use nim_slurm::results::{Run, Tokens};
    ///
    /// let run = Run::read("tests/data/telemetry")?; // 512 tokens each way, 2512 J
    /// let point = &run.points()[0];
    /// assert_eq!(point.joules_per_token(Tokens::Total).map(|joules| (joules * 1000.0).round()), Some(2453.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn joules_per_token(&self, tokens: Tokens) -> Option<f64> {
        if let [_, _, ..] = self.runs() {
            return Some(self.summary_of(|run| run.joules_per_token(tokens))?.mean());
        }
        let energy = self.energy().ok()?;
        Some(energy.joules() / self.token_count(tokens)?)
    }
}

fn of_kind(tokens: Tokens, output: Option<f64>, input: Option<f64>) -> Option<f64> {
    match tokens {
        Tokens::Output => output,
        Tokens::Input => input,
        Tokens::Total => Some(output? + input?),
    }
}
