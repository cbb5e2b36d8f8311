//! How long a job may run.

use std::time::Duration;

use crate::value::{Fault, ValueError, only, text_value};

/// A limit on the run time of a job.
///
/// # Syntax
///
/// * `MINUTES`, `MINUTES:SECONDS`, `HOURS:MINUTES:SECONDS`
/// * `DAYS-HOURS`, `DAYS-HOURS:MINUTES`, `DAYS-HOURS:MINUTES:SECONDS`
/// * `UNLIMITED` or `INFINITE`, in any case
///
/// Behind a larger unit, minutes and seconds go up to 59 and hours up to 23.
/// **`20:00` is twenty minutes**, not twenty hours. Slurm counts whole minutes and
/// rounds seconds up. Source: sbatch(1), `--time`.
///
/// # Errors
///
/// * `1h`, `1.5`, `+5`: only digits, `-` and `:`
/// * `0`, `0-0`: Slurm reads no limit at all; say `UNLIMITED`
/// * `-5`: Slurm reads a limit of centuries
/// * `1-`: Slurm reads a day
/// * `1-24`, `1:99:00`: more than the unit holds
/// * `100000000`: Slurm's counter would run over; 35791394 minutes are allowed
///
/// ```
/// use nim_slurm::slurm::TimeLimit;
/// use std::time::Duration;
///
/// assert_eq!(TimeLimit::parse("20:00")?.minutes(), Some(20));
/// assert_eq!(TimeLimit::parse("1-12")?.minutes(), Some(36 * 60));
/// assert_eq!(TimeLimit::parse("unlimited")?.minutes(), None);
/// assert!(TimeLimit::parse("1h").is_err());
/// let limit = TimeLimit::parse("01:30")?;
/// assert_eq!((limit.as_str(), limit.duration()), ("01:30", Some(Duration::from_secs(120)))); // rounded up
/// assert_eq!(TimeLimit::unlimited().duration(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeLimit(String);

/// Slurm keeps seconds in 32 bits.
const MOST_MINUTES: u64 = 35_791_394;

impl TimeLimit {
    pub(super) fn check(text: &str) -> Result<Self, Fault> {
        if text.eq_ignore_ascii_case("unlimited") || text.eq_ignore_ascii_case("infinite") {
            return Ok(Self("UNLIMITED".to_owned()));
        }
        let seconds = seconds(text, LIMIT)?;
        if seconds == 0 {
            return Err(Fault::rule(
                "Slurm reads zero as no limit: say UNLIMITED for that",
            ));
        }
        if seconds.div_ceil(60) > MOST_MINUTES {
            return Err(Fault::rule(format!(
                "it is too long: at most {MOST_MINUTES} minutes are allowed"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// No limit.
    #[must_use]
    pub fn unlimited() -> Self {
        Self("UNLIMITED".to_owned())
    }

    /// At least so long: Slurm counts whole minutes, so seconds round up.
    ///
    /// # Errors
    ///
    /// When it is zero, or more than 35791394 minutes.
    ///
    /// ```
    /// use nim_slurm::slurm::TimeLimit;
    /// use std::time::Duration;
    ///
    /// let limit = TimeLimit::from_duration(Duration::from_secs(26 * 3600 + 61))?;
    /// assert_eq!(limit.as_str(), "1-02:02:00");
    /// assert_eq!(limit.duration(), Some(Duration::from_secs(26 * 3600 + 120)));
    /// assert!(TimeLimit::from_duration(Duration::ZERO).is_err());
    /// assert_eq!(TimeLimit::try_from(Duration::from_secs(7200))?.as_str(), "02:00:00"); // the same
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_duration(duration: Duration) -> Result<Self, ValueError> {
        let fraction = u64::from(duration.subsec_nanos() > 0);
        let seconds = duration.as_secs().saturating_add(fraction);
        Self::parse(&days_and_clock(seconds.div_ceil(60)))
    }

    /// The limit, as Slurm rounds it; none for no limit.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        let minutes = self.minutes()?;
        Some(Duration::from_secs(u64::from(minutes) * 60))
    }

    /// The time to the second, for options that Slurm does not round.
    pub(super) fn exact(&self) -> Option<Duration> {
        seconds(&self.0, LIMIT).ok().map(Duration::from_secs)
    }

    /// The limit in minutes, as Slurm rounds it; none for no limit.
    #[must_use]
    pub fn minutes(&self) -> Option<u32> {
        let seconds = seconds(&self.0, LIMIT).ok()?;
        u32::try_from(seconds.div_ceil(60)).ok()
    }
}

impl TryFrom<Duration> for TimeLimit {
    type Error = ValueError;

    fn try_from(duration: Duration) -> Result<Self, Self::Error> {
        Self::from_duration(duration)
    }
}

/// `D-HH:MM:00`, or `HH:MM:00` within a day.
fn days_and_clock(minutes: u64) -> String {
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let clock = format!("{hours:02}:{minutes:02}:00");
    if days == 0 {
        clock
    } else {
        format!("{days}-{clock}")
    }
}

/// What a time limit may be.
const LIMIT: &str = "minutes, HH:MM:SS, D-HH:MM:SS or UNLIMITED is allowed";

/// What the text says in seconds.
fn seconds(text: &str, allowed: &'static str) -> Result<u64, Fault> {
    only(
        text,
        |c| c.is_ascii_digit() || matches!(c, '-' | ':'),
        allowed,
    )?;
    let form = || Fault::rule(allowed);
    let number = |part: &str| {
        if part.is_empty() {
            return Err(form());
        }
        part.parse::<u64>()
            .ok()
            .filter(|&n| n <= MOST_MINUTES * 60)
            .ok_or_else(|| {
                Fault::rule(format!(
                    "it is too long: at most {MOST_MINUTES} minutes are allowed"
                ))
            })
    };
    let below = |part: &str, end: u64, unit: &str| {
        number(part).and_then(|n| {
            if n < end {
                Ok(n)
            } else {
                Err(Fault::rule(format!(
                    "{n} {unit} do not fit behind a larger unit: at most {} do",
                    end - 1
                )))
            }
        })
    };
    let (days, clock) = match text.split_once('-') {
        Some((days, clock)) => (Some(number(days)?), clock),
        None => (None, text),
    };
    let parts: Vec<_> = clock.split(':').collect();
    let (hours, minutes, seconds) = match (days, parts.as_slice()) {
        (None, [m]) => (0, number(m)?, 0),
        (None, [m, s]) => (0, number(m)?, below(s, 60, "seconds")?),
        (None, [h, m, s]) => (
            number(h)?,
            below(m, 60, "minutes")?,
            below(s, 60, "seconds")?,
        ),
        (Some(_), [h]) => (below(h, 24, "hours")?, 0, 0),
        (Some(_), [h, m]) => (below(h, 24, "hours")?, below(m, 60, "minutes")?, 0),
        (Some(_), [h, m, s]) => (
            below(h, 24, "hours")?,
            below(m, 60, "minutes")?,
            below(s, 60, "seconds")?,
        ),
        _ => return Err(form()),
    };
    Ok(((days.unwrap_or(0) * 24 + hours) * 60 + minutes) * 60 + seconds)
}

text_value!(TimeLimit, "time limit");

/// How long a job waits for nodes that need no boot.
///
/// # Syntax
///
/// As [`TimeLimit`], but `0` is no wait, and there is no `UNLIMITED`. **`10` is ten
/// minutes**, `10:30` ten minutes and a half. Source: sbatch(1), `--delay-boot`.
///
/// # Errors
///
/// * `10s`, `UNLIMITED`
///
/// ```
/// use nim_slurm::slurm::BootDelay;
/// use std::time::Duration;
///
/// assert_eq!(BootDelay::parse("10")?.duration(), Duration::from_secs(600));
/// assert!(BootDelay::parse("10s").is_err());
/// assert_eq!(BootDelay::parse("10")?.as_str(), "10");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BootDelay(String);

impl BootDelay {
    fn check(text: &str) -> Result<Self, Fault> {
        if seconds(text, "minutes, HH:MM:SS or D-HH:MM:SS is allowed")? > MOST_MINUTES * 60 {
            return Err(Fault::rule(format!(
                "it is too long: at most {MOST_MINUTES} minutes are allowed"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// How long.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs(seconds(&self.0, LIMIT).unwrap_or_default())
    }
}

text_value!(BootDelay, "boot delay");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[track_caller]
    fn minutes(text: &str, expected: u32) {
        accepts::<TimeLimit>(text, text);
        assert_eq!(
            TimeLimit::parse(text).map(|limit| limit.minutes()),
            Ok(Some(expected))
        );
    }

    #[test]
    fn accepted() {
        minutes("1", 1);
        minutes("90", 90);
        minutes("1:30", 2);
        minutes("0:30", 1);
        minutes("01:02:03", 63);
        minutes("1-0", 1440);
        minutes("1-2:3", 1563);
        minutes("1-2:3:4", 1564);
        minutes("35791394", 35_791_394);
        accepts::<TimeLimit>("Infinite", "UNLIMITED");
    }

    #[test]
    fn the_longest_duration() {
        assert!(TimeLimit::from_duration(Duration::MAX).is_err());
    }

    #[test]
    fn boot_delays() {
        accepts::<BootDelay>("0", "0");
        assert_eq!(
            BootDelay::parse("0:30").map(|delay| delay.duration()),
            Ok(Duration::from_secs(30))
        );
        for text in ["", "unlimited", "5s", "-1", "35791395"] {
            assert!(BootDelay::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refused() {
        let form = "minutes, HH:MM:SS, D-HH:MM:SS or UNLIMITED is allowed";
        for text in [
            "1:", "1::", ":30", "::1", "1:2:3:4", "1-1:", "-", "1-", "-5",
        ] {
            refuses::<TimeLimit>(text, &format!("cannot take {text:?} as time limit: {form}"));
        }
        for (text, c) in [
            ("1h", 'h'),
            ("1.5", '.'),
            ("+5", '+'),
            (" 5", ' '),
            ("5 ", ' '),
        ] {
            refuses::<TimeLimit>(
                text,
                &format!("unexpected character {c:?} in time limit {text:?}: {form}"),
            );
        }
        for text in ["0", "0:00", "0-0"] {
            refuses::<TimeLimit>(
                text,
                &format!(
                    "cannot take {text:?} as time limit: Slurm reads zero as no limit: say UNLIMITED for that"
                ),
            );
        }
        refuses::<TimeLimit>(
            "1-24",
            "cannot take \"1-24\" as time limit: 24 hours do not fit behind a larger unit: at most 23 do",
        );
        assert!(TimeLimit::parse("1-2-3").is_err());
        assert!(TimeLimit::parse("1:-2").is_err());
        assert!(TimeLimit::parse("99999999999999999999").is_err());
        assert!(TimeLimit::parse("35791395").is_err());
    }
}
