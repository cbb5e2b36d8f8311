//! What a number of requests can say of a percentile.

use std::fmt;

use crate::value::{Fault, value, whole_number};

/// What a judgement may be wrong by chance: 1 in 100, a confidence of 0.99.
const ERROR: f64 = 0.01;

/// What rounding may add to a probability of [`ERROR`], so that one of exactly 0.01, such as two
/// requests of ten percent, is not refused.
const ROUNDING: f64 = 1e-9;

/// A percentile, `p1` to `p99`, and what it takes to claim one.
///
/// The rule is the early-stopping criterion of MLPerf's inference rules, with a confidence of 0.99
/// and no tolerance (`mlcommons/inference_policies`, `inference_rules.adoc`, "Early Stopping
/// Criterion"). "p95 is at most 500 ms" claims that at most 5 of 100 requests take longer. If in
/// truth more did, the number of longer ones among *n* requests would be at most *t* with the
/// probability
///
/// ```text
/// P(X ≤ t) = Σ (k = 0..t)  C(n, k) qᵏ (1 − q)ⁿ⁻ᵏ,   q = 1 − 95 / 100
/// ```
///
/// or less. Where that is at most 0.01, the claim is good. It takes requests that do not depend on
/// each other, and says nothing of what another run would measure.
///
/// # Syntax
///
/// * `p`, and a whole number from 1 to 99
///
/// # Examples
///
/// ```
/// use nim_slurm::{Judgement, Percentile};
///
/// let p95 = Percentile::parse("p95")?;
/// assert_eq!((p95, p95.get(), p95.to_string().as_str()), (Percentile::P95, 95, "p95"));
/// let [p50, p90, p99] = [Percentile::P50, Percentile::P90, Percentile::P99];
/// assert!([p50, p90, p95, p99].is_sorted());
/// // If none is over the limit, 90 requests are enough; with two that are, it takes 165.
/// assert_eq!((p95.requests_needed(0), p95.requests_needed(2)), (90, 165));
/// assert_eq!(p95.judge(2, 165), Judgement::Within);
/// // What 20 requests can say at most, even if all are within.
/// assert_eq!(Percentile::highest(20), Some(Percentile::parse("p79")?));
///
/// let error = Percentile::parse("95").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot take \"95\" as percentile: \"p\" and a whole number from 1 to 99 is allowed, as in p95"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u8);

value!(Percentile, "percentile");

impl Percentile {
    /// The median.
    pub const P50: Self = Self(50);
    /// 90 of 100 requests.
    pub const P90: Self = Self(90);
    /// 95 of 100 requests.
    pub const P95: Self = Self(95);
    /// 99 of 100 requests.
    pub const P99: Self = Self(99);

    fn check(text: &str) -> Result<Self, Fault> {
        text.strip_prefix('p')
            .filter(|digits| !digits.starts_with('0'))
            .and_then(|digits| u8::try_from(whole_number(digits).ok()?).ok())
            .and_then(Self::new)
            .ok_or_else(|| {
                Fault::rule("\"p\" and a whole number from 1 to 99 is allowed, as in p95")
            })
    }

    /// The percentile of this number, if it is from 1 to 99.
    ///
    /// ```
    /// use nim_slurm::Percentile;
    ///
    /// let named = [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99];
    /// assert_eq!([50, 90, 95, 99].map(Percentile::new), named.map(Some));
    /// assert_eq!(Percentile::new(100), None);
    /// assert!(Percentile::P50 < Percentile::P90 && Percentile::P90 < Percentile::P95);
    /// ```
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 99 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Of 100 requests, how many are within.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// How many of 100 requests may be over the limit.
    fn share_over(self) -> f64 {
        f64::from(100 - self.0) / 100.0
    }

    /// How many requests it takes to claim the percentile when `over` of them are over the limit:
    /// the smallest *n* with *P(X ≤ over) ≤ 0.01*.
    ///
    /// ```
    /// use nim_slurm::Percentile;
    ///
    /// assert_eq!([0, 1, 2].map(|over| Percentile::P99.requests_needed(over)), [459, 662, 838]);
    /// ```
    #[must_use]
    pub fn requests_needed(self, over: u32) -> u64 {
        let over = u64::from(over);
        let is_enough = |requests| is_rare(at_most(over, requests, self.share_over()));
        let (mut few, mut enough) = (over, 2 * over + 1);
        while !is_enough(enough) {
            (few, enough) = (enough, 2 * enough);
        }
        while enough - few > 1 {
            let middle = few.midpoint(enough);
            if is_enough(middle) {
                enough = middle;
            } else {
                few = middle;
            }
        }
        enough
    }

    /// The highest percentile that so many requests can say something of: that of their largest
    /// value. `None` for none.
    ///
    /// ```
    /// use nim_slurm::Percentile;
    ///
    /// let highest = [0, 1, 44, 90, 459].map(Percentile::highest);
    /// let [none, one, p90, p95, p99] = highest;
    /// assert_eq!((none, one.unwrap().get()), (None, 1));
    /// assert_eq!([p90, p95, p99].map(Option::unwrap), [Percentile::P90, Percentile::P95, Percentile::P99]);
    /// ```
    #[must_use]
    pub fn highest(requests: u64) -> Option<Self> {
        (1..=99)
            .rev()
            .map(Self)
            .find(|percentile| percentile.requests_needed(0) <= requests)
    }

    /// Whether the percentile is within a limit that `over` of `requests` requests are over.
    ///
    /// It is [`Within`](Judgement::Within) when *P(X ≤ over) ≤ 0.01*: with more over than the
    /// percentile allows, so few were hardly seen. It is [`Above`](Judgement::Above) when
    /// *P(X ≥ over) ≤ 0.01*: with as few over as it allows, so many were hardly seen.
    ///
    /// ```
    /// use nim_slurm::{Judgement, Percentile};
    ///
    /// let judge = |over, requests| Percentile::P95.judge(over, requests);
    /// assert_eq!(judge(0, 89), Judgement::CannotTell); // 0.95^89 is more than 0.01
    /// assert_eq!(judge(0, 90), Judgement::Within);
    /// assert_eq!(judge(11, 90), Judgement::Above);
    /// ```
    #[must_use]
    pub fn judge(self, over: u64, requests: u64) -> Judgement {
        self.judge_one_of(1, over, requests)
    }

    /// The same for one of several limits. A point within all of them has so many chances to be
    /// above one by accident; it is within all by accident no more often than within one.
    pub(crate) fn judge_one_of(self, limits: u32, over: u64, requests: u64) -> Judgement {
        let over = over.min(requests);
        if requests == 0 {
            return Judgement::CannotTell;
        }
        // At least so many over are at most so many within.
        let as_few = at_most(over, requests, self.share_over());
        let as_many = at_most(requests - over, requests, 1.0 - self.share_over());
        if is_rare(as_few) {
            Judgement::Within
        } else if is_rare(as_many * f64::from(limits)) {
            Judgement::Above
        } else {
            Judgement::CannotTell
        }
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("p{}", self.0))
    }
}

/// Whether a percentile is within a limit, as far as the requests can tell: by the exact binomial
/// bound, each of the two claims wrong at most once in a hundred. [`Percentile::judge`] has the
/// formula.
///
/// ```
/// use nim_slurm::{Judgement, Percentile};
///
/// // 100 requests of 1 to 100 ms: five are over 95 ms, but so would be of a slower server.
/// let measured = || (1..=100).map(f64::from);
/// assert_eq!(Judgement::of(Percentile::P95, 120.0, measured()), Judgement::Within);
/// assert_eq!(Judgement::of(Percentile::P95, 95.0, measured()), Judgement::CannotTell);
/// assert_eq!(Judgement::of(Percentile::P95, 80.0, measured()), Judgement::Above);
/// assert_eq!(Judgement::CannotTell.to_string(), "cannot tell");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Judgement {
    /// It is, with a confidence of 0.99.
    Within,
    /// It is not, with a confidence of 0.99.
    Above,
    /// The requests are too few, or the limit is too near, to say either.
    CannotTell,
}

impl Judgement {
    /// Judges a percentile by the value of each request. A value at the limit keeps it; one that
    /// is no number, such as a failed request's, does not, and no value keeps a limit that is none.
    pub fn of(percentile: Percentile, limit: f64, values: impl IntoIterator<Item = f64>) -> Self {
        let (over, requests) = count(limit, values);
        percentile.judge(over, requests)
    }

    /// As a report writes it.
    ///
    /// ```
    /// assert_eq!(nim_slurm::Judgement::Above.as_str(), "above");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Above => "above",
            Self::CannotTell => "cannot tell",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many values are over a limit, of how many.
pub(crate) fn count(limit: f64, values: impl IntoIterator<Item = f64>) -> (u64, u64) {
    let (mut over, mut requests) = (0, 0);
    for value in values {
        requests += 1;
        over += u64::from(value.is_nan() || limit.is_nan() || value > limit);
    }
    (over, requests)
}

fn is_rare(probability: f64) -> bool {
    probability <= ERROR * (1.0 + ROUNDING)
}

/// The probability that at most `over` of `requests` requests are over a limit, when each is with
/// the probability `share`, which is neither 0 nor 1.
///
/// Each term of the sum follows from the one before by a ratio. The first, `(1 − share)ⁿ`, is
/// below the smallest `f64` from a few thousand requests on, and so is kept as a logarithm.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 requests would take longer than the universe has"
)]
fn at_most(over: u64, requests: u64, share: f64) -> f64 {
    const LARGE: f64 = 1e200;
    if over >= requests {
        return 1.0;
    }
    let odds = share / (1.0 - share);
    let mut logarithm = requests as f64 * (-share).ln_1p();
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 0..over {
        term *= (requests - k) as f64 / (k + 1) as f64 * odds;
        sum += term;
        if sum > LARGE {
            term /= LARGE;
            sum /= LARGE;
            logarithm += LARGE.ln();
        }
    }
    (logarithm + sum.ln()).exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn percentiles() {
        for text in ["p1", "p50", "p99"] {
            accepts::<Percentile>(text, text);
        }
        for text in [
            "", "p", "p0", "p05", "p100", "p300", "P95", "p95 ", "p-5", "p99.9", "95",
        ] {
            let words = format!(
                "cannot take {text:?} as percentile: \"p\" and a whole number from 1 to 99 is allowed, as in p95"
            );
            refuses::<Percentile>(text, &words);
        }
    }

    #[test]
    fn nothing_keeps_a_limit_that_is_no_number() {
        let values = || (1..=100).map(f64::from);
        let judged = |limit| Judgement::of(Percentile::P95, limit, values());
        assert_eq!(judged(f64::NAN), Judgement::Above);
        assert_eq!(judged(f64::INFINITY), Judgement::Within);
    }

    /// MLPerf's own figures for a confidence of 0.99.
    #[test]
    fn requests_by_the_rule_of_mlperf() {
        for (percentile, table) in [
            (Percentile::P90, [44, 64, 81, 97, 113, 127]),
            (Percentile::P95, [90, 130, 165, 198, 229, 259]),
            (Percentile::P99, [459, 662, 838, 1001, 1157, 1307]),
        ] {
            for (over, requests) in (0..).zip(table) {
                assert_eq!(
                    percentile.requests_needed(over),
                    requests,
                    "{percentile} {over}"
                );
            }
        }
    }

    #[test]
    fn a_probability_of_exactly_one_percent_is_enough() {
        assert_eq!(Percentile(1).requests_needed(0), 1); // 0.01^1
        assert_eq!(Percentile(10).requests_needed(0), 2); // 0.1^2
        assert_eq!(Percentile(10).judge(0, 2), Judgement::Within);
    }

    /// Whole numbers have no rounding: `C(n, k)` by Pascal's rule.
    #[test]
    fn sums_are_exact() {
        for requests in 1..=60_usize {
            let mut row = vec![1_u128];
            for _ in 0..requests {
                let inner = row.windows(2).map(|pair| pair[0] + pair[1]);
                row = [1].into_iter().chain(inner).chain([1]).collect();
            }
            let mut sum = 0;
            for (over, count) in row.iter().enumerate().take(requests) {
                sum += count;
                #[expect(clippy::cast_precision_loss, reason = "2^60 at most, in 53 bits")]
                let expected = sum as f64 / (1_u128 << requests) as f64;
                let found = at_most(over as u64, requests as u64, 0.5);
                assert!(
                    (found / expected - 1.0).abs() < 1e-12,
                    "{over} of {requests}"
                );
            }
        }
    }

    #[test]
    fn large_numbers_neither_vanish_nor_overflow() {
        // Half of a fair coin's throws: 1/2, and half of the middle term, sqrt(2 / (pi n)).
        let requests = 1_000_000;
        let expected = 0.5 + 0.5 * (2.0 / (std::f64::consts::PI * 1e6)).sqrt();
        let found = at_most(requests / 2, requests, 0.5);
        assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        assert_eq!(Percentile::P99.judge(10_300, 1_000_000), Judgement::Above);
        assert_eq!(Percentile::P99.judge(9_700, 1_000_000), Judgement::Within);
        assert_eq!(
            Percentile::P99.judge(10_000, 1_000_000),
            Judgement::CannotTell
        );
    }

    #[test]
    fn both_judgements_exclude_each_other() {
        for number in 1..=99 {
            let percentile = Percentile(number);
            for requests in [1, 2, 20, 90, 459] {
                let judged = (0..=requests).map(|over| percentile.judge(over, requests));
                let order: Vec<_> = judged
                    .map(|judgement| match judgement {
                        Judgement::Within => 0,
                        Judgement::CannotTell => 1,
                        Judgement::Above => 2,
                    })
                    .collect();
                assert!(order.is_sorted(), "{percentile} of {requests}: {order:?}");
            }
        }
        assert_eq!(Percentile::P50.judge(0, 0), Judgement::CannotTell);
        assert_eq!(Percentile::P50.judge(900, 90), Judgement::Above);
    }

    /// With two limits, each may be wrong half as often about what is above it.
    #[test]
    fn more_limits_are_not_more_often_above() {
        for requests in [20, 90, 459] {
            for percentile in [Percentile::P50, Percentile::P90, Percentile::P99] {
                let first_above = |limits| {
                    let is_above = |over: &u64| {
                        percentile.judge_one_of(limits, *over, requests) == Judgement::Above
                    };
                    (0..=requests).find(is_above).expect("all of them are")
                };
                for limits in [1, 2] {
                    let within = requests - first_above(limits);
                    let chance = at_most(within, requests, 1.0 - percentile.share_over());
                    assert!(
                        chance * f64::from(limits) <= ERROR * (1.0 + ROUNDING),
                        "{chance}"
                    );
                }
                assert!(first_above(2) >= first_above(1));
                // What is within is as it was.
                let few = |limits| percentile.judge_one_of(limits, 0, requests);
                assert_eq!(few(1), few(2));
            }
        }
        // 20 fair coins: 16 heads come once in 169 throws, which is not once in 200.
        assert_eq!(Percentile::P50.judge_one_of(1, 16, 20), Judgement::Above);
        assert_eq!(
            Percentile::P50.judge_one_of(2, 16, 20),
            Judgement::CannotTell
        );
    }

    #[test]
    fn the_highest_percentile_of_a_few_requests() {
        let highest = |requests| Percentile::highest(requests).map(Percentile::get);
        assert_eq!(highest(0), None);
        assert_eq!(highest(20), Some(79)); // 0.79^20 < 0.01 < 0.80^20
        assert_eq!((highest(43), highest(458)), (Some(89), Some(98)));
        assert_eq!(highest(u64::MAX), Some(99));
    }
}
