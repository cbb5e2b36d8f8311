//! Points in time: when a job may begin, and when it must have ended.

use std::time::Duration;

use crate::value::{Fault, only, positive_number, text_value, value, whole_number};

/// A point in time, in the local time of where the job is submitted.
///
/// # Syntax
///
/// In any case:
///
/// * `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM`, `YYYY-MM-DDTHH:MM:SS`; a day alone is its
///   midnight
/// * `HH:MM`, `HH:MM:SS`: the next such moment, today or tomorrow
/// * `midnight`, `noon`, `teatime` (16:00), `fika` (15:00), `elevenses` (11:00, Slurm
///   24.05): likewise
/// * `today`: at once; `tomorrow`: the midnight with which it begins
/// * `now`, `now+COUNT`, `now+COUNTUNIT`: `second`, `minute`, `hour`, `day` or `week`,
///   with or without `s`; without a unit, seconds. It counts from the submission
///
/// Years are 1971 to 2037. Source: sbatch(1), `--begin`, and Slurm's `parse_time.c`.
///
/// # Errors
///
/// * `now+1h`, `4pm`: units are whole words, hours go from 0 to 23
/// * `2030-02-31`: Slurm would read the 3rd of March
/// * `2030-01-01T00:00:00Z`: Slurm knows local time only
/// * `2030-01-01 12:00`: a `T` stands between day and time
///
/// ```
/// use nim_slurm::slurm::JobTime;
/// use std::time::Duration;
///
/// assert_eq!(JobTime::parse("2030-01-31T12:00")?.as_str(), "2030-01-31T12:00");
/// assert_eq!(JobTime::parse("now+2hours")?.delay(), Some(Duration::from_secs(7200)));
/// assert!(JobTime::parse("now+1h").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobTime(String);

/// Slurm counts in a signed 32-bit number here and there.
const MOST_SECONDS: u64 = i32::MAX as u64;

const UNITS: [(&str, u64); 6] = [
    ("", 1),
    ("second", 1),
    ("minute", 60),
    ("hour", 3600),
    ("day", 86_400),
    ("week", 604_800),
];

const WORDS: [&str; 8] = [
    "today",
    "tomorrow",
    "now",
    "midnight",
    "noon",
    "teatime",
    "fika",
    "elevenses",
];

const ALLOWED: &str =
    "YYYY-MM-DDTHH:MM:SS, HH:MM, now+COUNTUNIT, as in now+2hours, or tomorrow is allowed";

impl JobTime {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '+'),
            ALLOWED,
        )?;
        let lower = text.to_ascii_lowercase();
        if let Some(later) = lower.strip_prefix("now+") {
            seconds_of(later)?;
            return Ok(Self(lower));
        }
        if WORDS.contains(&lower.as_str()) {
            return Ok(Self(lower));
        }
        if !text.contains('-') {
            check_clock(text)?;
            return Ok(Self(lower));
        }
        let upper = text.to_ascii_uppercase();
        match upper.split_once('T') {
            Some((day, clock)) => {
                check_day(day)?;
                check_clock(clock)?;
            }
            None => check_day(&upper)?,
        }
        Ok(Self(upper))
    }

    /// So long after the submission, in whole seconds, rounded up.
    ///
    /// # Errors
    ///
    /// When it is more than 68 years.
    ///
    /// ```
    /// use nim_slurm::slurm::JobTime;
    /// use std::time::Duration;
    ///
    /// assert_eq!(JobTime::after(Duration::from_millis(59_500))?.as_str(), "now+60");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(delay: Duration) -> Result<Self, crate::value::ValueError> {
        let fraction = u64::from(delay.subsec_nanos() > 0);
        let seconds = delay.as_secs().saturating_add(fraction);
        Self::parse(&format!("now+{seconds}"))
    }

    /// How long after the submission, if it is said in that way.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        if self.0 == "now" {
            return Some(Duration::ZERO);
        }
        let later = self.0.strip_prefix("now+")?;
        seconds_of(later).ok().map(Duration::from_secs)
    }

    /// The point in a form that sorts, if it names its day.
    pub(super) fn sortable(&self) -> Option<String> {
        let (day, clock) = self.0.split_once('T').unwrap_or((&self.0, "00:00:00"));
        if self.0.starts_with("now") || day.matches('-').count() != 2 {
            return None;
        }
        let seconds = if clock.len() == 5 { ":00" } else { "" };
        Some(format!("{day}T{clock}{seconds}"))
    }
}

/// `COUNTUNIT` in seconds.
fn seconds_of(text: &str) -> Result<u64, Fault> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let seconds = UNITS.iter().find(|(name, _)| *name == unit);
    let &(_, seconds) = seconds.ok_or_else(|| {
        Fault::rule("behind now+ a number and second, minute, hour, day or week are allowed")
    })?;
    if count.is_empty() || (unit.is_empty() && text.ends_with('s')) {
        return Err(Fault::rule(ALLOWED));
    }
    let total = u64::from(whole_number(count)?) * seconds;
    if total > MOST_SECONDS {
        return Err(Fault::rule(format!(
            "it is too late: at most {MOST_SECONDS} seconds are allowed"
        )));
    }
    Ok(total)
}

fn check_clock(text: &str) -> Result<(), Fault> {
    let parts: Vec<_> = text.split(':').collect();
    let is_right = matches!(parts.len(), 2 | 3)
        && parts
            .iter()
            .zip([24, 60, 60])
            .all(|(part, end)| two_digits(part).is_some_and(|number| number < end));
    if is_right {
        Ok(())
    } else {
        Err(Fault::rule(ALLOWED))
    }
}

fn check_day(text: &str) -> Result<(), Fault> {
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().unwrap_or_default();
    let (year, month, day) = (part(), two_digits(part()), two_digits(part()));
    let year = (year.len() == 4)
        .then(|| positive_number(year).ok())
        .flatten();
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return Err(Fault::rule(ALLOWED));
    };
    if !(1971..=2037).contains(&year) {
        return Err(Fault::rule("years from 1971 to 2037 are allowed"));
    }
    let is_leap = year % 4 == 0;
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return Err(Fault::rule("months from 01 to 12 are allowed")),
    };
    if (1..=days).contains(&day) {
        Ok(())
    } else {
        Err(Fault::rule(format!("that month has the days 01 to {days}")))
    }
}

fn two_digits(text: &str) -> Option<u32> {
    (text.len() == 2).then(|| whole_number(text).ok()).flatten()
}

text_value!(JobTime, "time");

/// When a job must have ended.
///
/// # Syntax
///
/// As [`JobTime`], but not the moment of the submission. Source: sbatch(1),
/// `--deadline`.
///
/// # Errors
///
/// * `now`, `today`, `now+0`: it is past when the controller looks at it
///
/// ```
/// use nim_slurm::slurm::Deadline;
/// use std::time::Duration;
///
/// assert_eq!(Deadline::parse("2030-01-31T12:00")?.as_str(), "2030-01-31T12:00");
/// assert!(Deadline::parse("today").is_err());
/// assert_eq!(Deadline::parse("now+1hour")?.time().delay(), Some(Duration::from_secs(3600)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deadline(JobTime);

impl Deadline {
    fn check(text: &str) -> Result<Self, Fault> {
        let time = JobTime::check(text)?;
        if time.delay() == Some(Duration::ZERO) || time.as_str() == "today" {
            return Err(Fault::rule(
                "it is past when the controller looks at it: no job could end by then",
            ));
        }
        Ok(Self(time))
    }

    /// The point in time.
    #[must_use]
    pub const fn time(&self) -> &JobTime {
        &self.0
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl std::fmt::Display for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

value!(Deadline, "deadline");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn accepted() {
        for (text, shown) in [
            ("NOW", "now"),
            ("now+60", "now+60"),
            ("Now+1Hour", "now+1hour"),
            ("2030-01-01", "2030-01-01"),
            ("2028-02-29t23:59:59", "2028-02-29T23:59:59"),
            ("16:00", "16:00"),
            ("16:00:30", "16:00:30"),
            ("Tomorrow", "tomorrow"),
        ] {
            accepts::<JobTime>(text, shown);
        }
    }

    #[test]
    fn refused() {
        refuses::<JobTime>(
            "2030-02-31",
            "cannot take \"2030-02-31\" as time: that month has the days 01 to 28",
        );
        refuses::<JobTime>(
            "now+1h",
            "cannot take \"now+1h\" as time: behind now+ a number and second, minute, hour, day or week are allowed",
        );
        for text in [
            "",
            "now+",
            "now+s",
            "now+5s",
            "now-1hour",
            "now+1month",
            "4pm",
            "13:60",
            "25:00",
            "24:00",
            "1:2",
            "today+1",
            "2030-13-01",
            "2030-01-01T00:00Z",
            "2030-01-01T00:00+01:00",
            "2030-1-1",
            "30-01-01",
            "1969-01-01",
            "T12:00",
            "2030-01-01T",
            "now+99999999999",
            "now+4000weeks",
        ] {
            assert!(JobTime::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deadlines() {
        accepts::<Deadline>("Tomorrow", "tomorrow");
        for text in ["now", "today", "now+0", "NOW+0hours"] {
            refuses::<Deadline>(
                text,
                &format!(
                    "cannot take {text:?} as deadline: it is past when the controller looks at it: no job could end by then"
                ),
            );
        }
    }

    #[test]
    fn the_longest_delay() {
        assert!(JobTime::after(Duration::MAX).is_err());
    }

    #[test]
    fn order() {
        let sortable = |text: &str| JobTime::parse(text).unwrap().sortable();
        assert!(sortable("2030-01-01") < sortable("2030-01-01T00:01"));
        assert_eq!(sortable("12:00"), None);
        assert_eq!(sortable("now+5"), None);
    }
}
