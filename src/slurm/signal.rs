//! The warning before the time is up.

use std::time::Duration;

use crate::value::{Fault, ValueError, only, text_value, whole_number};

/// A signal that Slurm sends before the time limit.
///
/// # Syntax
///
/// `[B:]SIGNAL[@SECONDS]`, with `R` (send it also for a reservation's begin) beside
/// the `B`. `B` sends it to the batch shell alone, else all steps get it and the
/// batch shell does not. `SIGNAL` is a name with or without `SIG`, in any case, or
/// a number from 1 to 31; `SECONDS` are 1 to 65535, by default 60. Slurm looks
/// once a minute: the signal may come up to a minute early. Source: sbatch(1),
/// `--signal`.
///
/// # Errors
///
/// * `FOO`, `0`, `65`, `-1`: no such signal, though Slurm takes some of them
/// * `USR1@0`: never sent
/// * `USR1@1m`: seconds only
///
/// ```
/// use nim_slurm::slurm::Signal;
///
/// let signal = Signal::parse("b:usr1@120")?;
/// assert_eq!(signal.as_str(), "B:USR1@120");
/// assert_eq!(signal.seconds(), 120);
/// assert!(Signal::parse("B:USR1@0").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signal(String);

const NAMES: [&str; 18] = [
    "HUP", "INT", "QUIT", "ABRT", "KILL", "ALRM", "TERM", "CHLD", "USR1", "USR2", "PIPE", "URG",
    "CONT", "STOP", "TSTP", "TTIN", "TTOU", "XCPU",
];

impl Signal {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "[B:]SIGNAL[@SECONDS] is allowed, as in B:USR1@60";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, ':' | '@'),
            ALLOWED,
        )?;
        let upper = text.to_ascii_uppercase();
        let (whom, signal) = match upper.split_once(':') {
            Some((whom @ ("B" | "R" | "BR" | "RB"), signal)) => (Some(whom), signal),
            Some(_) => return Err(Fault::rule("only B and R may stand before the ':'")),
            None => (None, upper.as_str()),
        };
        let (signal, seconds) = match signal.split_once('@') {
            Some((signal, seconds)) => (signal, Some(seconds)),
            None => (signal, None),
        };
        let is_number = !signal.is_empty() && signal.bytes().all(|b| b.is_ascii_digit());
        let signal = if is_number {
            let number = whole_number(signal)?;
            if !(1..=31).contains(&number) {
                return Err(Fault::rule("signals have the numbers 1 to 31"));
            }
            number.to_string()
        } else {
            let name = signal.strip_prefix("SIG").unwrap_or(signal);
            if !NAMES.contains(&name) {
                return Err(Fault::rule(format!(
                    "{signal:?} is no signal that Slurm knows: {} are allowed",
                    NAMES.join(", ")
                )));
            }
            name.to_owned()
        };
        let seconds = seconds.map(whole_number).transpose()?;
        if seconds.is_some_and(|seconds| !(1..=65_535).contains(&seconds)) {
            return Err(Fault::rule("1 to 65535 seconds are allowed behind '@'"));
        }
        let whom = whom.map_or_else(String::new, |whom| format!("{whom}:"));
        let seconds = seconds.map_or_else(String::new, |seconds| format!("@{seconds}"));
        Ok(Self(format!("{whom}{signal}{seconds}")))
    }

    /// The batch shell gets the signal so long before the end; fractions of a second
    /// are dropped.
    ///
    /// # Errors
    ///
    /// When Slurm has no such signal, or the time is not 1 to 65535 seconds.
    ///
    /// ```
    /// use nim_slurm::slurm::Signal;
    /// use std::time::Duration;
    ///
    /// let signal = Signal::for_batch_shell("USR1", Duration::from_secs(120))?;
    /// assert_eq!(signal.as_str(), "B:USR1@120");
    /// assert_eq!((signal.signal(), signal.warning()), ("USR1", Duration::from_secs(120)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_batch_shell(signal: &str, warning: Duration) -> Result<Self, ValueError> {
        Self::parse(&format!("B:{signal}@{}", warning.as_secs()))
    }

    /// The signal: its name without `SIG`, or its number.
    #[must_use]
    pub fn signal(&self) -> &str {
        let signal = self
            .0
            .split_once(':')
            .map_or(&*self.0, |(_, signal)| signal);
        signal.split_once('@').map_or(signal, |(signal, _)| signal)
    }

    /// How long before the end it is sent.
    #[must_use]
    pub fn warning(&self) -> Duration {
        Duration::from_secs(self.seconds().into())
    }

    /// How long before the end it is sent, in seconds.
    #[must_use]
    pub fn seconds(&self) -> u32 {
        self.0
            .split_once('@')
            .and_then(|(_, seconds)| seconds.parse().ok())
            .unwrap_or(60)
    }

    /// True when the batch shell alone gets it.
    #[must_use]
    pub fn is_for_batch_shell(&self) -> bool {
        self.0
            .split_once(':')
            .is_some_and(|(whom, _)| whom.contains('B'))
    }
}

text_value!(Signal, "signal");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn accepted() {
        accepts::<Signal>("USR1", "USR1");
        accepts::<Signal>("sigusr1@60", "USR1@60");
        accepts::<Signal>("RB:int@010", "RB:INT@10");
        accepts::<Signal>("B:10@65535", "B:10@65535");
        assert!(
            Signal::parse("B:10")
                .is_ok_and(|signal| signal.is_for_batch_shell() && signal.seconds() == 60)
        );
    }

    #[test]
    fn refused() {
        refuses::<Signal>(
            "X:USR1",
            "cannot take \"X:USR1\" as signal: only B and R may stand before the ':'",
        );
        refuses::<Signal>(
            "USR1@0",
            "cannot take \"USR1@0\" as signal: 1 to 65535 seconds are allowed behind '@'",
        );
        refuses::<Signal>(
            "65",
            "cannot take \"65\" as signal: signals have the numbers 1 to 31",
        );
        for text in [
            "FOO",
            "B",
            "B:",
            "B@",
            "R",
            "0",
            "WINCH",
            "B:RTMIN",
            "USR1@-1",
            "USR1@65536",
            "USR1@1m",
            "-1",
            "USR1@",
            "BUSR1",
            "SIG10",
            "SIGSIGUSR1",
            "",
        ] {
            assert!(Signal::parse(text).is_err(), "{text}");
        }
    }
}
