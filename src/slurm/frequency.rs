//! How fast CPUs and GPUs run.

use crate::value::{Fault, only, positive_number, text_value};

/// The frequency at which the job's CPUs run.
///
/// # Syntax
///
/// `SPEED`, `GOVERNOR` or `LEAST-MOST:GOVERNOR`, in any case: a speed is `low`,
/// `medium`, `highm1` (one below the highest), `high`, or a number of kilohertz; the
/// governor is `conservative`, `ondemand`, `performance`, `powersave`, `schedutil` or
/// `userspace`. Which governors a job may name is up to
/// the site. Source: sbatch(1), `--cpu-freq`.
///
/// # Errors
///
/// * `2000-1000:ondemand`: the least is the larger one
/// * `low:ondemand`: a governor needs both speeds, or none
/// * `low-high`, `low-high:userspace`: 22.05 takes them, 24.11 wants a range to have a
///   governor that has ranges
///
/// ```
/// use nim_slurm::slurm::CpuFreq;
///
/// assert_eq!(CpuFreq::parse("Low-High:OnDemand")?.as_str(), "low-high:ondemand");
/// assert!(CpuFreq::parse("low-high").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CpuFreq(String);

impl CpuFreq {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "LEAST-MOST:GOVERNOR is allowed, as in low-high:ondemand or 2400000-2800000";
        const GOVERNORS: [&str; 6] = [
            "conservative",
            "ondemand",
            "performance",
            "powersave",
            "schedutil",
            "userspace",
        ];
        // Slurm has no range between the last two.
        const SPEEDS: [(&str, u32); 4] = [("low", 1), ("medium", 2), ("highm1", 3), ("high", 3)];
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':'),
            ALLOWED,
        )?;
        let canonical = text.to_ascii_lowercase();
        if GOVERNORS.contains(&canonical.as_str()) {
            return Ok(Self(canonical));
        }
        // Slurm compares a word as if it were a number behind all numbers.
        let rank = |speed: &str| match SPEEDS.iter().find(|(word, _)| *word == speed) {
            Some(&(_, rank)) => Ok((1, rank)),
            None => positive_number(speed)
                .map(|number| (0, number))
                .map_err(|_| Fault::rule(ALLOWED)),
        };
        let (speeds, governor) = canonical
            .split_once(':')
            .map_or((canonical.as_str(), None), |(speeds, governor)| {
                (speeds, Some(governor))
            });
        match (speeds.split_once('-'), governor) {
            (None, None) => drop(rank(speeds)?),
            (Some(_), None) => {
                return Err(Fault::rule(
                    "a range needs a governor, as in low-high:ondemand",
                ));
            }
            (None, Some(_)) => {
                return Err(Fault::rule(
                    "a governor needs both speeds, as in low-high:ondemand",
                ));
            }
            (Some((least, most)), Some(governor)) => {
                if rank(least)? >= rank(most)? {
                    return Err(Fault::rule(
                        "the first speed must be the smaller one, and a number cannot follow a word",
                    ));
                }
                if governor == "userspace" {
                    return Err(Fault::rule("userspace has one speed, not a range"));
                }
                if !GOVERNORS.contains(&governor) {
                    return Err(Fault::rule(format!(
                        "behind ':' the governors {} are allowed",
                        GOVERNORS.join(", ")
                    )));
                }
            }
        }
        Ok(Self(canonical))
    }
}

text_value!(CpuFreq, "CPU frequency");

/// The frequency at which the job's GPUs and their memory run.
///
/// # Syntax
///
/// `SPEED`, `memory=SPEED`, or `SPEED,memory=SPEED`; a speed is `low`, `medium`,
/// `highm1` (one below the highest), `high`, or a number of megahertz, of which the
/// next possible one is taken. With `,verbose` behind it Slurm reports it. Source:
/// sbatch(1), `--gpu-freq`.
///
/// # Errors
///
/// * `LOW`: in small letters only
/// * `0`, `memory=`
///
/// ```
/// use nim_slurm::slurm::GpuFreq;
///
/// assert_eq!(GpuFreq::parse("medium,memory=high")?.as_str(), "medium,memory=high");
/// assert!(GpuFreq::parse("LOW").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GpuFreq(String);

impl GpuFreq {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "SPEED,memory=SPEED is allowed, as in high,memory=1500: low, medium, highm1, high, or \
                               megahertz";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, ',' | '='),
            ALLOWED,
        )?;
        let is_speed = |speed: &str| {
            matches!(speed, "low" | "medium" | "highm1" | "high") || positive_number(speed).is_ok()
        };
        let is_memory = |part: &str| part.strip_prefix("memory=").is_some_and(is_speed);
        let speeds = text.strip_suffix(",verbose").unwrap_or(text);
        let is_right = match speeds.split_once(',') {
            Some((gpu, memory)) => is_speed(gpu) && is_memory(memory),
            None => is_speed(speeds) || is_memory(speeds),
        };
        if is_right {
            Ok(Self(text.to_owned()))
        } else {
            Err(Fault::rule(ALLOWED))
        }
    }
}

text_value!(GpuFreq, "GPU frequency");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn cpus() {
        for text in [
            "low",
            "1000",
            "1000-2000:ondemand",
            "1000-high:schedutil",
            "low-high:performance",
            "userspace",
        ] {
            accepts::<CpuFreq>(text, text);
        }
        refuses::<CpuFreq>(
            "high:performance",
            "cannot take \"high:performance\" as CPU frequency: a governor needs both speeds, as in low-high:ondemand",
        );
        refuses::<CpuFreq>(
            "low-high",
            "cannot take \"low-high\" as CPU frequency: a range needs a governor, as in low-high:ondemand",
        );
        for text in [
            "",
            "2000-1000:ondemand",
            "high-low:ondemand",
            "highm1-high:ondemand",
            "high-highm1:ondemand",
            "high-2000:ondemand",
            "low-ondemand:ondemand",
            "ondemand-high:ondemand",
            "low-high:x",
            "low-high:userspace",
            "1-2-3",
            "2.4GHz",
        ] {
            assert!(CpuFreq::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gpus() {
        for text in ["high", "1500", "memory=low", "low,memory=1500,verbose"] {
            accepts::<GpuFreq>(text, text);
        }
        for text in [
            "",
            "LOW",
            "0",
            "memory=",
            "verbose",
            "memory=low,high",
            "low,high",
            "foo",
        ] {
            assert!(GpuFreq::parse(text).is_err(), "{text}");
        }
    }
}
