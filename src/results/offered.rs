//! Whether as many requests were sent in a second as were asked for.

use std::fmt;

use camino::Utf8Path;
use serde_json::Value;

use super::requests::{Request, Requests};
use super::written;
use crate::load::{Decimal, Load};

/// How far below the asked rate is no mistake of the client's, beside chance.
const MARGIN: f64 = 0.05;

/// How the requests of a rate come, as far as anything tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Arrivals {
    gaps: Option<Gaps>,
    smoothness: Option<f64>,
    /// Whether the rate rises until it is there.
    has_ramp: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Gaps {
    Constant,
    Poisson,
    Gamma,
}

impl Gaps {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "constant" => Some(Self::Constant),
            "poisson" => Some(Self::Poisson),
            "gamma" => Some(Self::Gamma),
            _ => None,
        }
    }
}

impl Arrivals {
    /// As the tool's own configuration has it; its places have changed with the releases of AIPerf.
    pub(super) fn of_config(config: &Value, phase: Option<&Value>) -> Self {
        let loadgen = &config["loadgen"];
        let places = [
            &loadgen["arrival_pattern"],
            &loadgen["request_rate_mode"],
            phase.map_or(&Value::Null, |phase| &phase["type"]),
        ];
        let smoothness = phase.and_then(|phase| phase["smoothness"].as_f64());
        let has_ramp = |ramp: &Value| !ramp.is_null();
        Self {
            gaps: places.iter().find_map(|place| Gaps::parse(place.as_str()?)),
            smoothness: smoothness.or_else(|| loadgen["arrival_smoothness"].as_f64()),
            has_ramp: has_ramp(&loadgen["request_rate_ramp_duration"])
                || phase.is_some_and(|phase| has_ramp(&phase["rate_ramp"])),
        }
    }

    /// The same, and what the tool was told by the `measurement.txt` in a point's folder: GenAI-Perf writes nothing of it itself.
    #[must_use]
    pub(super) fn and_told_in(mut self, folder: &Utf8Path, replica: Option<u32>) -> Self {
        let lines = written::lines(folder, replica);
        let words: Vec<&str> = lines
            .iter()
            .filter(|(key, _)| key == "own_command")
            .map(|(_, word)| word.as_str())
            .collect();
        for pair in words.windows(2) {
            match *pair {
                [
                    "--arrival-pattern" | "--request-rate-mode" | "--request-distribution",
                    gaps,
                ] => {
                    self.gaps = Gaps::parse(gaps).or(self.gaps);
                }
                ["--arrival-smoothness", number] => {
                    self.smoothness = number.parse().ok().or(self.smoothness);
                }
                ["--request-rate-ramp-duration", _] => self.has_ramp = true,
                _ => {}
            }
        }
        self
    }

    /// The standard deviation of the rate of so many requests, as a share of it.
    fn deviation(self, requests: f64) -> f64 {
        let smoothness = self.smoothness.filter(|it| *it > 0.0).unwrap_or(1.0);
        match self.gaps {
            Some(Gaps::Constant) => 0.0,
            Some(Gaps::Gamma) => 1.0 / (smoothness * requests).sqrt(),
            // Both tools do so unless they are told otherwise, or spread them evenly: this one forgives more.
            Some(Gaps::Poisson) | None => 1.0 / requests.sqrt(),
        }
    }
}

/// Fewer requests in a second than were asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shortfall {
    sent: f64,
    asked: Decimal,
}

impl Shortfall {
    /// Of these requests, when they are further apart than chance can tell.
    ///
    /// A rate that rises is below what was asked for until it is there. Later turns wait for the answer before, so
    /// conversations may be too few for the rate at their end. Both tell nothing of the client.
    pub(super) fn of(load: Option<Load>, requests: &Requests, arrivals: Arrivals) -> Option<Self> {
        let asked = load?.request_rate()?;
        let requests = requests.as_slice();
        if arrivals.has_ramp || requests.iter().any(Request::is_later_turn) {
            return None;
        }
        let (first, last) = (requests.first()?.start(), requests.last()?.start());
        #[expect(
            clippy::cast_precision_loss,
            reason = "an hour has 42 bits of nanoseconds, and a file a million requests at most"
        )]
        let (seconds, count) = ((last - first) as f64 / 1e9, requests.len() as f64);
        let sent = (count - 1.0) / seconds;
        let lowest_share = 1.0 - MARGIN - 3.0 * arrivals.deviation(count);
        // Of one request, and of several at once, there is no rate.
        (seconds > 0.0 && sent < asked.to_f64() * lowest_share).then_some(Self { sent, asked })
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, asked } = self;
        let decimals = if *sent < 10.0 { 2 } else { 1 };
        write!(
            f,
            "{sent:.decimals$} requests/s were sent, {asked} were asked for: the client did not keep up"
        )
    }
}
