//! How much memory a job gets.

use std::fmt;

use crate::value::{Fault, ValueError, only, value};

/// An amount of memory.
///
/// # Syntax
///
/// A whole number and one of `K`, `M`, `G`, `T`, with or without `B`, in any case;
/// without a unit it means mebibytes. **`0` is all memory of the node.** Source:
/// sbatch(1), `--mem`.
///
/// # Errors
///
/// * `16GiB`, `1.5G`, `100%`, `16 G`, `1P`
/// * `9999999999999T`: Slurm would misread it; a pebibyte is allowed
///
/// ```
/// use nim_slurm::slurm::Memory;
///
/// assert_eq!(Memory::parse("16G")?.mebibytes(), 16 * 1024);
/// assert!(Memory::parse("0")?.is_all());
/// assert!(Memory::parse("16GiB").is_err());
/// assert_eq!(Memory::parse("1K")?.bytes(), 1 << 20); // Slurm counts in mebibytes
/// assert_eq!(Memory::all().to_string(), "0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Memory {
    amount: u64,
    unit: Option<Unit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    K,
    M,
    G,
    T,
}

impl Memory {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "a whole number and K, M, G or T is allowed, as in 16G";
        only(text, |c| c.is_ascii_alphanumeric(), ALLOWED)?;
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = match unit.to_ascii_uppercase().as_str() {
            "" => None,
            "K" | "KB" => Some(Unit::K),
            "M" | "MB" => Some(Unit::M),
            "G" | "GB" => Some(Unit::G),
            "T" | "TB" => Some(Unit::T),
            _ => return Err(Fault::rule(ALLOWED)),
        };
        if number.is_empty() {
            return Err(Fault::rule(ALLOWED));
        }
        let too_much = || Fault::rule("it is too much: at most 1024T is allowed");
        let memory = Self {
            amount: number.parse().map_err(|_| too_much())?,
            unit,
        };
        match memory.exact_mebibytes() {
            Some(mebibytes) if mebibytes <= 1 << 30 => Ok(memory),
            _ => Err(too_much()),
        }
    }

    fn exact_mebibytes(self) -> Option<u64> {
        match self.unit {
            Some(Unit::K) => Some(self.amount.div_ceil(1024)),
            None | Some(Unit::M) => Some(self.amount),
            Some(Unit::G) => self.amount.checked_mul(1 << 10),
            Some(Unit::T) => self.amount.checked_mul(1 << 20),
        }
    }

    /// All memory of the node.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            amount: 0,
            unit: None,
        }
    }

    /// So many mebibytes, in the largest unit that says it without a fraction.
    ///
    /// # Errors
    ///
    /// When it is zero, which would be [all](Self::all), or more than 1024T.
    ///
    /// ```
    /// use nim_slurm::slurm::Memory;
    ///
    /// assert_eq!(Memory::from_mebibytes(16 * 1024)?.to_string(), "16G");
    /// assert_eq!(Memory::from_mebibytes(1500)?.to_string(), "1500M");
    /// assert!(Memory::from_mebibytes(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_mebibytes(mebibytes: u64) -> Result<Self, ValueError> {
        if mebibytes == 0 {
            let rule = Fault::rule("Slurm reads zero as all memory of the node");
            return Err(ValueError::new("memory", "0", rule));
        }
        Self::parse(&match mebibytes.trailing_zeros() {
            0..10 => format!("{mebibytes}M"),
            10..20 => format!("{}G", mebibytes >> 10),
            _ => format!("{}T", mebibytes >> 20),
        })
    }

    /// The amount in bytes, rounded up to mebibytes as Slurm does. Zero is all of the
    /// node.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.mebibytes() << 20
    }

    /// The amount in mebibytes, rounded up as Slurm does. Zero is all of the node.
    #[must_use]
    pub fn mebibytes(self) -> u64 {
        self.exact_mebibytes().unwrap_or(u64::MAX)
    }

    /// True for all memory of the node.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.amount == 0
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.amount)?;
        f.write_str(match self.unit {
            None => "",
            Some(Unit::K) => "K",
            Some(Unit::M) => "M",
            Some(Unit::G) => "G",
            Some(Unit::T) => "T",
        })
    }
}

value!(Memory, "memory");

/// Memory for each GPU of a job.
///
/// # Syntax
///
/// As [`Memory`], but at least 1: zero is all memory with some releases, and the site's default with
/// others. Source: sbatch(1), `--mem-per-gpu`.
///
/// # Errors
///
/// * `0`: say `--mem=0` in its place for all memory of the node
///
/// ```
/// use nim_slurm::slurm::MemoryPerGpu;
///
/// assert_eq!(MemoryPerGpu::parse("64GB")?.to_string(), "64G");
/// assert_eq!(MemoryPerGpu::parse("64G")?.memory().mebibytes(), 64 * 1024);
/// assert!(MemoryPerGpu::parse("0").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemoryPerGpu(Memory);

impl MemoryPerGpu {
    fn check(text: &str) -> Result<Self, Fault> {
        let memory = Memory::check(text)?;
        if memory.is_all() {
            return Err(Fault::rule(
                "not every release reads zero as all memory: say --mem=0 in its place for that",
            ));
        }
        Ok(Self(memory))
    }

    /// The amount.
    #[must_use]
    pub const fn memory(self) -> Memory {
        self.0
    }
}

impl fmt::Display for MemoryPerGpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(MemoryPerGpu, "memory for each GPU");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn accepted() {
        accepts::<Memory>("0", "0");
        accepts::<Memory>("16g", "16G");
        accepts::<Memory>("16Gb", "16G");
        accepts::<Memory>("512", "512");
        accepts::<Memory>("1024T", "1024T");
        assert_eq!(Memory::parse("1K").map(Memory::mebibytes), Ok(1));
        assert_eq!(Memory::parse("2T").map(Memory::mebibytes), Ok(2 << 20));
    }

    #[test]
    fn for_each_gpu() {
        accepts::<MemoryPerGpu>("16g", "16G");
        for text in ["0", "0M"] {
            refuses::<MemoryPerGpu>(
                text,
                &format!(
                    "cannot take {text:?} as memory for each GPU: not every release reads zero as all memory: say --mem=0 in \
                     its place for that"
                ),
            );
        }
    }

    #[test]
    fn refused() {
        let allowed = "a whole number and K, M, G or T is allowed, as in 16G";
        for text in ["16GiB", "1P", "1B", "G", "0x10", "16GG", "MaxMemPerNode"] {
            refuses::<Memory>(text, &format!("cannot take {text:?} as memory: {allowed}"));
        }
        for (text, c) in [
            ("1.5G", '.'),
            ("16 G", ' '),
            ("100%", '%'),
            ("-1", '-'),
            ("+5", '+'),
        ] {
            refuses::<Memory>(
                text,
                &format!("unexpected character {c:?} in memory {text:?}: {allowed}"),
            );
        }
        for text in ["9999999999999T", "1025T", "99999999999999999999"] {
            refuses::<Memory>(
                text,
                &format!(
                    "cannot take {text:?} as memory: it is too much: at most 1024T is allowed"
                ),
            );
        }
    }
}
