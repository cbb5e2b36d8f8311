//! How long a controller that is not there is tried.

use std::time::Duration;

/// How often, and for how long, a submission is tried while Slurm's controller
/// cannot be reached or takes no job for now. By default five times, and not after
/// two minutes.
///
/// Between two tries are 1, 2, 4, … seconds, at most half a minute. sbatch itself
/// needs about ten seconds to give up on a controller.
///
/// ```
/// use std::time::Duration;
/// use nim_slurm::{RetryPolicy, Sbatch};
///
/// let retry_policy = RetryPolicy::new(2, Duration::from_secs(30));
/// let sbatch = Sbatch::at("/usr/bin/sbatch").with_retry_policy(retry_policy);
/// // A program that asks its user whether to try again.
/// let single_try = Sbatch::at("/usr/bin/sbatch").with_retry_policy(RetryPolicy::none());
/// assert_ne!(single_try, sbatch);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    retries: u32,
    within: Duration,
}

impl RetryPolicy {
    /// At most so many more tries after the first, the last of which begins within this time.
    #[must_use]
    pub const fn new(retries: u32, within: Duration) -> Self {
        Self { retries, within }
    }

    /// One try.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(0, Duration::ZERO)
    }

    /// True when there may be another try, `elapsed` after the first one began.
    pub(crate) fn allows(self, attempts: u32, elapsed: Duration) -> bool {
        attempts <= self.retries && elapsed + Self::pause_after(attempts) <= self.within
    }

    /// How long to wait behind this try, the first one being 1.
    pub(crate) fn pause_after(attempt: u32) -> Duration {
        Duration::from_secs(1 << (attempt - 1).min(5)).min(Duration::from_secs(30))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new(4, Duration::from_secs(120))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold() {
        let retry_policy = RetryPolicy::new(2, Duration::from_secs(10));
        assert!(retry_policy.allows(1, Duration::from_secs(9)));
        assert!(!retry_policy.allows(1, Duration::from_millis(9001)));
        assert!(retry_policy.allows(2, Duration::from_secs(8)));
        assert!(!retry_policy.allows(3, Duration::ZERO));
        assert!(!RetryPolicy::none().allows(1, Duration::ZERO));
    }

    #[test]
    fn pauses_grow_up_to_half_a_minute() {
        let pauses =
            [1, 2, 3, 6, 7, u32::MAX].map(|attempt| RetryPolicy::pause_after(attempt).as_secs());
        assert_eq!(pauses, [1, 2, 4, 30, 30, 30]);
    }
}
