//! How many requests a sweep needs so that no point is too short.

use std::fmt;

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
    /// `requests_per_concurrency`: so many for each request in flight.
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
    /// Of the two ways to say it, this is the one with which all points take less time, or where both do the same, the first one. `None` when no point is too short.
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
        let measured = |point: &Point| {
            Some(Measured {
                in_flight: point.concurrency(),
                requests: f64::from(u32::try_from(point.request_count()?).ok()?),
                seconds: point.seconds()?,
            })
        };
        let short: Vec<_> = self
            .short_points()
            .into_iter()
            .filter_map(measured)
            .collect();
        let all: Vec<_> = self.points().iter().filter_map(measured).collect();
        (!short.is_empty()).then(|| enough_requests(&short, &all))
    }
}

struct Measured {
    /// None of a request rate.
    in_flight: Option<u32>,
    requests: f64,
    seconds: f64,
}

impl Measured {
    /// A fifth more than would take ten seconds.
    fn enough(&self) -> f64 {
        1.2 * Requests::SHORT * self.requests / self.seconds
    }

    fn in_flight(&self) -> f64 {
        f64::from(self.in_flight.unwrap_or(1))
    }
}

fn enough_requests(short: &[Measured], all: &[Measured]) -> EnoughRequests {
    let most = |each: fn(&Measured) -> f64| short.iter().map(each).fold(1.0, f64::max);
    let least = in_two_digits(most(Measured::enough));
    let for_each = in_two_digits(most(|point| point.enough() / point.in_flight()));
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
    if is_closed && takes(&|point| for_each * point.in_flight()) <= 1.05 * takes(&|_| least) {
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
        let flag = |points: &[(u32, f64, f64)]| {
            let measured = |is_short: bool| -> Vec<_> {
                points
                    .iter()
                    .filter(|(.., seconds)| !is_short || *seconds < Requests::SHORT)
                    .map(|(in_flight, requests, seconds)| Measured {
                        in_flight: Some(*in_flight).filter(|number| *number > 0),
                        requests: *requests,
                        seconds: *seconds,
                    })
                    .collect()
            };
            enough_requests(&measured(true), &measured(false)).to_string()
        };
        // 900 requests would take 54 s at concurrency 1.
        let fast = [(1, 20.0, 1.2), (2, 20.0, 0.6), (4, 20.0, 0.27)];
        assert_eq!(flag(&fast), "--requests-per-concurrency 230");
        // With 40 for each in flight, the last one would take 80 s more.
        let one = [(1, 20.0, 6.0), (10, 50.0, 12.0), (100, 500.0, 11.0)];
        assert_eq!(flag(&one), "--min-requests 40");
        // Of a rate, none is in flight.
        assert_eq!(
            flag(&[(0, 30.0, 8.0), (1, 20.0, 0.1)]),
            "--min-requests 2400"
        );
    }
}
