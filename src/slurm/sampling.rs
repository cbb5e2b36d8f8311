//! How often Slurm looks at a job.

use std::time::Duration;

use crate::value::{Fault, only, text_value, whole_number};

/// How often Slurm samples what a job uses.
///
/// # Syntax
///
/// `SECONDS` for the tasks, or entries `KIND=SECONDS` with commas between them, each
/// kind once: `task`, `energy`, `network`, `filesystem`. 0 is never; a task that is
/// not sampled has no limit on its memory where the site relies on samples. Source:
/// sbatch(1), `--acctg-freq`.
///
/// # Errors
///
/// * `task=`, `disk=5`, `5s`
///
/// ```
/// use nim_slurm::slurm::AcctgFreq;
/// use std::time::Duration;
///
/// let freq = AcctgFreq::parse("task=30,energy=10")?;
/// assert_eq!(freq.every("energy"), Some(Duration::from_secs(10)));
/// assert!(AcctgFreq::parse("disk=5").is_err());
/// assert_eq!(freq.as_str(), "task=30,energy=10");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AcctgFreq(String);

impl AcctgFreq {
    fn check(text: &str) -> Result<Self, Fault> {
        const KINDS: [&str; 4] = ["task", "energy", "network", "filesystem"];
        const ALLOWED: &str = "seconds, or KIND=SECONDS, as in task=30,energy=10, are allowed: task, energy, network, \
                               filesystem";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '=' | ','),
            ALLOWED,
        )?;
        if text.bytes().all(|b| b.is_ascii_digit()) {
            whole_number(text)?;
            return Ok(Self(text.to_owned()));
        }
        let mut seen = Vec::new();
        for entry in text.split(',') {
            let (kind, seconds) = entry
                .split_once('=')
                .filter(|(kind, _)| KINDS.contains(kind))
                .ok_or_else(|| Fault::rule(ALLOWED))?;
            whole_number(seconds)?;
            if seen.contains(&kind) {
                return Err(Fault::rule(format!("{kind:?} stands there twice")));
            }
            seen.push(kind);
        }
        Ok(Self(text.to_owned()))
    }

    /// How often one kind is sampled, if that is said; zero is never.
    #[must_use]
    pub fn every(&self, kind: &str) -> Option<Duration> {
        let mut entries = self
            .0
            .split(',')
            .map(|entry| entry.split_once('=').unwrap_or(("task", entry)));
        let (_, seconds) = entries.find(|(own, _)| *own == kind)?;
        seconds.parse().ok().map(Duration::from_secs)
    }
}

text_value!(AcctgFreq, "sampling interval");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::accepts;

    #[test]
    fn intervals() {
        for text in ["0", "30", "task=30", "task=0,filesystem=60"] {
            accepts::<AcctgFreq>(text, text);
        }
        assert_eq!(
            AcctgFreq::parse("30").unwrap().every("task"),
            Some(Duration::from_secs(30))
        );
        for text in [
            "",
            "x",
            "task=",
            "disk=5",
            "task=1,task=2",
            "30,energy=1",
            "task=1,",
        ] {
            assert!(AcctgFreq::parse(text).is_err(), "{text}");
        }
    }
}
