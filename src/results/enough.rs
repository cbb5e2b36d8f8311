//! How many requests a sweep needs so that no point is too short.

use std::collections::BTreeSet;
use std::fmt;

use super::measured::End;
use super::{Point, Requests, Run};

/// How many requests make points [long enough](Point::is_too_short), as one of two keys of a recipe's `[sweep]`.
///
/// [`Display`](fmt::Display) writes it as the program's flag.
///
/// ```
/// use nim_slurm::results::EnoughRequests;
/// let enough = EnoughRequests::PerConcurrency(240);
/// assert_eq!(enough.to_string(), "--requests-per-concurrency 240");
/// assert_eq!(EnoughRequests::Least(40).to_string(), "--min-requests 40");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnoughRequests {
    /// `requests_per_concurrency`: so many requests, or conversations, for each one in flight.
    PerConcurrency(u32),
    /// `min_requests`: so many for each point at least.
    Least(u32),
}

impl fmt::Display for EnoughRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerConcurrency(requests) => write!(f, "--requests-per-concurrency {requests}"),
            Self::Least(requests) => write!(f, "--min-requests {requests}"),
        }
    }
}

impl Run {
    /// With how many requests each of the [short points](Run::short_points) would run for 12 s, by the rate that it had.
    /// Of the two ways to say it, this is the one with which all points take less time, or where both do the same, the first one. `None` when no point is too short
    /// that a number of requests ends: of the others, see [`longer_use_cases`](Run::longer_use_cases).
    ///
    /// ```
    /// use nim_slurm::results::{EnoughRequests, Run};
    /// let run = Run::read("tests/data/requests/aiperf-1")?;
    /// let point = run.short_points()[0];
    /// assert_eq!((point.request_count(), point.seconds().map(f64::round)), (Some(20), Some(5.0)));
    /// assert_eq!(run.enough_requests(), Some(EnoughRequests::PerConcurrency(47)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn enough_requests(&self) -> Option<EnoughRequests> {
        let short: Vec<_> = self
            .short_points()
            .into_iter()
            .filter_map(Measured::of)
            .collect();
        let all: Vec<_> = self.points().iter().filter_map(Measured::of).collect();
        (!short.is_empty()).then(|| enough_requests(&short, &all))
    }

    /// What makes those of the [short points](Run::short_points) longer that no number of requests ends, with their use cases.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let point = results.join("llama_1_1_quick_128_128_7");
    /// # std::fs::create_dir(&point)?;
    /// # for file in ["profile_export.jsonl", "profile_export_aiperf.json"] {
    /// #     std::fs::copy(format!("tests/data/requests/aiperf-1/{file}"), point.join(file))?;
    /// # }
    /// # std::fs::write(point.join("measurement.txt"), "own_command=--benchmark-duration\nown_command=5\n")?;
    /// // A use case with duration = "5s".
    /// let run = nim_slurm::results::Run::read(results)?;
    /// assert_eq!(run.longer_use_cases(), ["a longer duration (use case quick)"]);
    /// assert_eq!(run.enough_requests(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn longer_use_cases(&self) -> Vec<String> {
        let short = self.short_points();
        let ways = [
            (End::Duration, "a longer duration"),
            (End::Trace, "a trace with more lines"),
        ];
        let of = |(end, what): (End, &str)| {
            let own = || short.iter().filter(|point| End::of(point) == end);
            let names: BTreeSet<_> = own().filter_map(|point| point.use_case()).collect();
            let names: Vec<_> = names.into_iter().collect();
            let cases = match names.len() {
                0 => String::new(),
                1 => format!(" (use case {})", names[0]),
                _ => format!(" (use cases {})", names.join(", ")),
            };
            own().next().map(|_| format!("{what}{cases}"))
        };
        ways.into_iter().filter_map(of).collect()
    }
}

struct Measured {
    /// None of a request rate.
    in_flight: Option<u32>,
    requests: f64,
    seconds: f64,
    /// How many requests each has that is in flight: 1, or those of a conversation.
    turns: f64,
}

impl Measured {
    /// `None` where not their number ends it.
    fn of(point: &Point) -> Option<Self> {
        let End::Requests { turns } = End::of(point) else {
            return None;
        };
        Some(Self {
            in_flight: point.concurrency(),
            requests: f64::from(u32::try_from(point.request_count()?).ok()?),
            seconds: point.seconds()?,
            turns: turns.into(),
        })
    }

    /// A fifth more than would take ten seconds.
    fn enough(&self) -> f64 {
        1.2 * Requests::SHORT * self.requests / self.seconds
    }

    /// How many requests come of one for each in flight.
    fn wave(&self) -> f64 {
        f64::from(self.in_flight.unwrap_or(1)) * self.turns
    }
}

fn enough_requests(short: &[Measured], all: &[Measured]) -> EnoughRequests {
    let most = |each: fn(&Measured) -> f64| short.iter().map(each).fold(1.0, f64::max);
    let least = in_two_digits(most(Measured::enough));
    let for_each = in_two_digits(most(|point| point.enough() / point.wave()));
    let takes = |requests: &dyn Fn(&Measured) -> f64| -> f64 {
        let seconds = all
            .iter()
            .map(|point| point.seconds * (requests(point) / point.requests).max(1.0));
        seconds.sum()
    };
    let is_closed = all.iter().all(|point| point.in_flight.is_some());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number, at least 1"
    )]
    // Both are rounded. Where they are the same, the next sweep may have other points.
    if is_closed && takes(&|point| for_each * point.wave()) <= 1.05 * takes(&|_| least) {
        EnoughRequests::PerConcurrency(for_each as u32)
    } else {
        EnoughRequests::Least(least as u32)
    }
}

/// The next higher number of which only two digits are not 0.
fn in_two_digits(number: f64) -> f64 {
    let unit = 10_f64.powf((number.log10().floor() - 1.0).max(0.0));
    unit * (number / unit).ceil()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_requests_take_little_time() {
        let flag_of = |turns: f64, points: &[(u32, f64, f64)]| {
            let measured = |is_short: bool| -> Vec<_> {
                points
                    .iter()
                    .filter(|(.., seconds)| !is_short || *seconds < Requests::SHORT)
                    .map(|(in_flight, requests, seconds)| Measured {
                        in_flight: Some(*in_flight).filter(|number| *number > 0),
                        requests: *requests,
                        seconds: *seconds,
                        turns,
                    })
                    .collect()
            };
            enough_requests(&measured(true), &measured(false)).to_string()
        };
        let flag = |points: &[(u32, f64, f64)]| flag_of(1.0, points);
        // 900 requests would take 54 s at concurrency 1.
        let fast = [(1, 20.0, 1.2), (2, 20.0, 0.6), (4, 20.0, 0.27)];
        assert_eq!(flag(&fast), "--requests-per-concurrency 230");
        // With 40 for each in flight, the last one would take 80 s more.
        let one = [(1, 20.0, 6.0), (10, 50.0, 12.0), (100, 500.0, 11.0)];
        assert_eq!(flag(&one), "--min-requests 40");
        // 760 requests are 190 conversations.
        let talk = [(1, 80.0, 1.3)];
        assert_eq!(flag_of(4.0, &talk), "--requests-per-concurrency 190");
        // Of a rate, none is in flight.
        assert_eq!(
            flag(&[(0, 30.0, 8.0), (1, 20.0, 0.1)]),
            "--min-requests 2400"
        );
    }
}
