//! The warning before the time is up.

use std::time::Duration;

use crate::value::{Fault, ValueError, only, text_value, whole_number};

/// A signal that Slurm sends before the time limit, so that a job can end in order.
///
/// Without it, a job whose time is up gets SIGTERM, and SIGKILL after the site's
/// `KillWait` (often 30 s).
///
/// # Syntax
///
/// `[WHOM:]SIGNAL[@SECONDS]`, letters in any case:
///
/// * `WHOM`: `B` for the batch shell alone; without it, all steps get the signal and
///   the batch shell does not. `R` lets the job overlap with a reservation that allows
///   it; `BR` and `RB` are both
/// * `SIGNAL`: a name with or without `SIG`, or a number from 1 to 31. Releases before 23.11 know
///   `CHLD` and `PIPE` by their numbers alone, 17 and 13
/// * `SECONDS`: how long before the end, 1 to 65535, by default 60, without a unit.
///   Slurm looks once a minute: the signal may come up to a minute early
///
/// bash runs a trap only between two commands, so a batch script that is to hear its
/// signal in time waits for its steps with `wait`. launch.sh does so, asks for
/// `B:USR1@30` in the built-in recipe, and stops in order on `B:USR1`, `B:USR2`,
/// `B:TERM` and `B:INT`; a [`Plan`](crate::Plan) refuses others for it. Source:
/// sbatch(1), `--signal`.
///
/// # Errors
///
/// * `FOO`, `0`, `32`, `-1`: no such signal, though Slurm takes some of them
/// * `USR1@0`: never sent
/// * `USR1@2m`, `USR1@`: seconds only
/// * `USR1@60@B`, `X:USR1`: the batch shell is named in front, as in `B:USR1@60`
///
/// ```
/// use nim_slurm::slurm::Signal;
/// use std::time::Duration;
///
/// let signal = Signal::parse("b:usr1@120")?;
/// assert_eq!(signal.as_str(), "B:USR1@120");
/// assert_eq!(signal.seconds(), 120);
/// assert!(Signal::parse("B:USR1@0").is_err());
/// assert!(signal.is_for_batch_shell());
/// assert_eq!((signal.signal(), signal.warning()), ("USR1", Duration::from_secs(120)));
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
        let (signal, seconds) = text
            .split_once('@')
            .map_or((text, None), |(signal, seconds)| (signal, Some(seconds)));
        let upper = signal.to_ascii_uppercase();
        let (target, signal) = match upper.split_once(':') {
            Some((target @ ("B" | "R" | "BR" | "RB"), signal)) => (Some(target), signal),
            Some(_) => return Err(Fault::rule("only B and R may stand before the ':'")),
            None => (None, upper.as_str()),
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
        let seconds = seconds.map(check_seconds).transpose()?;
        let target = target.map_or_else(String::new, |target| format!("{target}:"));
        let seconds = seconds.map_or_else(String::new, |seconds| format!("@{seconds}"));
        Ok(Self(format!("{target}{signal}{seconds}")))
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
            .is_some_and(|(target, _)| target.contains('B'))
    }
}

fn check_seconds(text: &str) -> Result<u32, Fault> {
    whole_number(text)
        .ok()
        .filter(|seconds| (1..=65_535).contains(seconds))
        .ok_or_else(|| {
            Fault::rule("1 to 65535 seconds are allowed behind '@', without a unit, as in USR1@120")
        })
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
            "cannot take \"USR1@0\" as signal: 1 to 65535 seconds are allowed behind '@', without a unit, as in USR1@120",
        );
        for text in ["int@2m", "USR1@", "USR1@60@b", "USR1@9999999999"] {
            refuses::<Signal>(
                text,
                &format!(
                    "cannot take {text:?} as signal: 1 to 65535 seconds are allowed behind '@', without a unit, as in USR1@120"
                ),
            );
        }
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
