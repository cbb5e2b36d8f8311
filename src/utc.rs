//! Times as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time in UTC, as ISO 8601 has it. A time before 1970 is shown as the beginning of 1970.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let submitted = UNIX_EPOCH + Duration::from_secs(1_795_578_198);
/// assert_eq!(nim_slurm::utc(submitted), "2026-11-25T03:43:18Z");
/// ```
#[must_use]
pub fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}Z", date_and_time(since.as_secs()))
}

/// Seconds since 1970 as `2026-11-25T03:43:18`.
pub(crate) fn date_and_time(seconds: u64) -> String {
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Days from the first of March of the year 0; each 400 years have as many days.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (year + 400 * era, month + 3),
        _ => (year + 400 * era + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00"),
            (1_795_578_198, "2026-11-25T03:43:18"),
            (1_835_438_400, "2028-02-29T12:00:00"),
            (1_830_297_599, "2027-12-31T23:59:59"),
        ] {
            assert_eq!(date_and_time(seconds), expected);
        }
    }
}
