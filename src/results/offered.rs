//! Whether the load was the one that was asked for.

use std::fmt;

use camino::Utf8Path;
use serde_json::Value;

use super::requests::{Request, Requests};
use super::written;
use crate::load::{Decimal, Load};

/// How far below the asked rate is no mistake of the client's, beside chance.
const MARGIN: f64 = 0.05;

/// How far below the asked number in flight is none, as a share: a client needs a moment before it sends the next.
const MARGIN_IN_FLIGHT: f64 = 0.1;

/// So many times as many requests as are in flight tell whether they are; fewer are beginning and end.
const WAVES: usize = 3;

/// How late requests of a trace may be on average, as a share of the time in which they are sent: where they are later and later,
/// as many in a second as [`MARGIN`] allows.
const LATENESS: f64 = MARGIN / 2.0;

/// In seconds: what is shorter is no load that stays.
const SHORTEST: f64 = 1.0;

/// How the requests of a load come, as far as anything tells.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Arrivals {
    gaps: Option<Gaps>,
    smoothness: Option<f64>,
    /// Whether the load rises until it is there.
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
        let is_said = |value: &Value| !value.is_null();
        let ramps = ["request_rate_ramp_duration", "concurrency_ramp_duration"];
        let ramps_of_phase = ["rate_ramp", "concurrency_ramp"];
        Self {
            gaps: places.iter().find_map(|place| Gaps::parse(place.as_str()?)),
            smoothness: smoothness.or_else(|| loadgen["arrival_smoothness"].as_f64()),
            has_ramp: ramps.iter().any(|name| is_said(&loadgen[name]))
                || phase.is_some_and(|it| ramps_of_phase.iter().any(|name| is_said(&it[name]))),
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
                [
                    "--request-rate-ramp-duration" | "--concurrency-ramp-duration",
                    _,
                ] => {
                    self.has_ramp = true;
                }
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

/// A load below the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shortfall {
    /// Fewer requests in a second.
    Rate { sent: f64, asked: Decimal },
    /// Fewer in flight, on average.
    InFlight { mean: f64, asked: u32 },
    /// Later than a trace says, in seconds on average, within so many.
    Late { mean: f64, within: f64 },
}

impl Shortfall {
    /// Of these requests. Of a trace, AIPerf says how many ms they were late on average.
    ///
    /// A load that rises is below what was asked for until it is there. Later turns wait for the answer before, and some for
    /// longer, so conversations may be too few at their end. Both tell nothing of the client.
    pub(super) fn of(
        load: Option<Load>,
        requests: &Requests,
        arrivals: Arrivals,
        late: Option<f64>,
    ) -> Option<Self> {
        if arrivals.has_ramp || requests.as_slice().iter().any(Request::is_later_turn) {
            return None;
        }
        match load? {
            Load::RequestRate(asked) => Self::of_rate(asked, requests.as_slice(), arrivals),
            Load::Concurrency(asked) => Self::of_concurrency(asked, requests),
            Load::Schedule => Self::of_schedule(late? / 1000.0, requests.as_slice()),
        }
    }

    fn of_schedule(mean: f64, requests: &[Request]) -> Option<Self> {
        let within = seconds(requests.first()?.start(), requests.last()?.start());
        (within >= SHORTEST && mean > within * LATENESS).then_some(Self::Late { mean, within })
    }

    /// When they are further apart than chance can tell.
    fn of_rate(asked: Decimal, requests: &[Request], arrivals: Arrivals) -> Option<Self> {
        let (first, last) = (requests.first()?.start(), requests.last()?.start());
        let (seconds, count) = (seconds(first, last), count(requests));
        let sent = (count - 1.0) / seconds;
        let lowest_share = 1.0 - MARGIN - 3.0 * arrivals.deviation(count);
        // Of one request, and of several at once, there is no rate.
        (seconds > 0.0 && sent < asked.to_f64() * lowest_share)
            .then_some(Self::Rate { sent, asked })
    }

    /// When fewer were in flight, from the start of the last one of the first wave to the middle of the time in which requests
    /// are sent. In the second half GenAI-Perf, which deals them out to as many threads beforehand, has some that are done. A
    /// request is in flight until the server has ended its answer, which may be after the last token. When one without an answer
    /// ended is not known.
    fn of_concurrency(asked: u32, requests: &Requests) -> Option<Self> {
        let (all, wave) = (requests.as_slice(), usize::try_from(asked).ok()?);
        if requests.failed() > 0 || all.len() < WAVES.checked_mul(wave)? {
            return None;
        }
        let from = all.get(wave.checked_sub(1)?)?.start();
        let begin = all.first()?.start();
        let to = begin + (all.last()?.start() - begin) / 2;
        let length = seconds(from, to);
        let in_there = |it: &Request| seconds(it.start().max(from), it.closed().min(to));
        let mean = all.iter().map(in_there).sum::<f64>() / length;
        (length >= SHORTEST && mean < f64::from(asked) * (1.0 - MARGIN_IN_FLIGHT))
            .then_some(Self::InFlight { mean, asked })
    }
}

/// Fewer answers in a second than requests, to the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Overload {
    sent: f64,
    answered: f64,
}

/// So many requests tell whether a server keeps up.
const ENOUGH: usize = 16;

/// By how many standard deviations a latency must grow. A server that has them wait is found by it, and not where one batches:
/// when sending ends, its batch becomes smaller, and the last answers faster.
const OF_LATENCY: f64 = 2.0;

/// By how many the number in flight must grow, which is so at any server. One that batches becomes as busy as the rate makes it
/// for long, so less would call it overloaded.
const OF_NUMBER: f64 = 3.0;

/// So many requests tell how long one takes while the server has little to do.
const FIRST: usize = 5;

/// Requests must be sent for so many times as long: until then, all servers have more and more in flight.
const LATENCIES: f64 = 2.5;

impl Overload {
    /// Of a rate, when each request waits longer than the one before it, or finds more in flight, by more than chance can tell.
    ///
    /// Of a server that does not keep up, both rise as long as requests are sent. Of one that does, they rise until it is as
    /// busy as the rate makes it; so they must not have come to an end of it in the second half.
    pub(super) fn of(load: Option<Load>, requests: &Requests, arrivals: Arrivals) -> Option<Self> {
        load?.request_rate()?;
        let all = requests.as_slice();
        if requests.failed() > 0 || arrivals.has_ramp || all.iter().any(Request::is_later_turn) {
            return None;
        }
        let (begin, end) = (all.first()?.start(), all.last()?.start());
        let sent = (count(all) - 1.0) / seconds(begin, end);
        let latency_of = |it: &Request| (seconds(begin, it.start()), seconds(it.start(), it.end()));
        let latencies: Vec<_> = all.iter().map(latency_of).collect();
        let answered = growth(&latencies, OF_LATENCY, arrivals)
            .map(|by| sent / (1.0 + by))
            .or_else(|| {
                let by = growth(&numbers_in_flight(all, sent)?, OF_NUMBER, arrivals)?;
                Some((sent * (1.0 - by)).max(0.0))
            })?;
        Some(Self { sent, answered })
    }
}

/// When each request was sent, in seconds, and how many were in flight then, over the rate: of those that were sent when the first
/// ones had their answer, or may have had it. None of a time that is too short to tell.
fn numbers_in_flight(all: &[Request], sent: f64) -> Option<Vec<(f64, f64)>> {
    let begin = all.first()?.start();
    // Of answers that differ in length, the first ones may be short or long.
    let tokens_of = |it: &Request| f64::from(it.output_tokens().unwrap_or(1).max(1));
    let of_a_token = |it: &Request| seconds(it.start(), it.closed()) / tokens_of(it);
    let first = all.get(..FIRST)?;
    let latency = first.iter().map(of_a_token).sum::<f64>() / count(first)
        * (all.iter().map(tokens_of).sum::<f64>() / count(all));
    let mut ends: Vec<_> = all.iter().map(Request::closed).collect();
    ends.sort_unstable();
    let number_at = |(before, it): (u32, &Request)| {
        let ended = ends.partition_point(|end| *end <= it.start());
        let number = f64::from(before) - f64::from(u32::try_from(ended).unwrap_or(u32::MAX));
        (seconds(begin, it.start()), number / sent)
    };
    let numbers = (0..).zip(all).map(number_at);
    let is_long = seconds(begin, all.last()?.start()) >= LATENCIES * latency;
    let from = latency.max(seconds(begin, *ends.first()?));
    is_long.then(|| numbers.filter(|(at, _)| *at >= from).collect())
}

/// By how much a value that each request has grows in a second, from the first quarter of them to the last: where that is more
/// than chance does, and goes on in the second half. Of each, when it was sent and the value, in seconds.
fn growth(values: &[(f64, f64)], deviations: f64, arrivals: Arrivals) -> Option<f64> {
    if values.len() < ENOUGH {
        return None;
    }
    let quarters = values.chunks_exact(values.len() / 4).map(Quarter::of);
    let quarters: Vec<_> = quarters.collect();
    let [first, second, third, fourth, ..] = quarters[..] else {
        return None;
    };
    let (growth, apart) = (fourth.mean - first.mean, fourth.start - first.start);
    let goes_on = fourth.mean - third.mean >= 0.5 * (second.mean - first.mean);
    // Answers differ, too: as much as requests that come at random.
    let requests = count(values);
    let deviation = arrivals.deviation(requests).max(1.0 / requests.sqrt());
    let least = apart * (MARGIN + deviations * deviation);
    let chance = 3.0 * (first.variance + fourth.variance).sqrt();
    (apart > 0.0 && growth > least.max(chance) && goes_on).then_some(growth / apart)
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sent, answered] = [self.sent, self.answered].map(figure);
        write!(
            f,
            "{sent} requests/s were sent, {answered} were answered: the server did not keep up"
        )
    }
}

/// The means of a part of the requests, in seconds, and the variance of that of their values.
#[derive(Clone, Copy)]
struct Quarter {
    start: f64,
    mean: f64,
    variance: f64,
}

impl Quarter {
    fn of(values: &[(f64, f64)]) -> Self {
        let count = count(values);
        let mean = values.iter().map(|(_, value)| value).sum::<f64>() / count;
        let squares = values.iter().map(|(_, value)| (value - mean).powi(2));
        Self {
            start: values.iter().map(|(start, _)| start).sum::<f64>() / count,
            mean,
            variance: squares.sum::<f64>() / (count - 1.0) / count,
        }
    }
}

/// Seconds from one time to a later one; none to an earlier one.
#[expect(
    clippy::cast_precision_loss,
    reason = "an hour has 42 bits of nanoseconds"
)]
const fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a file has a million requests at most"
)]
const fn count<T>(requests: &[T]) -> f64 {
    requests.len() as f64
}

/// A number as a sentence has it.
fn figure(number: f64) -> String {
    let decimals = if number < 10.0 { 2 } else { 1 };
    format!("{number:.decimals$}")
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rate { sent, asked } => {
                let sent = figure(sent);
                write!(f, "{sent} requests/s were sent, {asked} were asked for")?;
            }
            Self::InFlight { mean, asked } => {
                let mean = figure(mean);
                write!(f, "{mean} requests were in flight, {asked} were asked for")?;
            }
            Self::Late { mean, within } => {
                let (mean, within) = (figure(mean), figure(within));
                write!(
                    f,
                    "requests were sent {mean} s late on average, within {within} s"
                )?;
            }
        }
        f.write_str(": the client did not keep up")
    }
}
