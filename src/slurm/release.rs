//! Slurm's releases.

use std::fmt;

use crate::value::{Fault, value};

/// A release of Slurm: year and month.
///
/// # Syntax
///
/// `YY.MM`, from 20.11 to 26.05; a patch level behind it (`23.11.7`) is dropped, as
/// it changes no option.
///
/// # Errors
///
/// * `19.05`, `26.11`: the options were checked for no such release
/// * `23`, `v23.11`
///
/// ```
/// use nim_slurm::slurm::Release;
///
/// assert_eq!(Release::parse("23.11.7")?, Release::new(23, 11));
/// assert!(Release::parse("23.02")? < Release::NEWEST);
/// assert!(Release::parse("19.05").is_err());
/// assert_eq!(Release::OLDEST.to_string(), "20.11");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    year: u8,
    month: u8,
}

impl Release {
    /// The oldest release on which what the crate writes means the same.
    pub const OLDEST: Self = Self::new(20, 11);
    /// The newest one.
    pub const NEWEST: Self = Self::new(26, 5);

    /// A release by its year and month.
    #[must_use]
    pub const fn new(year: u8, month: u8) -> Self {
        Self { year, month }
    }

    fn check(text: &str) -> Result<Self, Fault> {
        let release = Self::from_numbers(text)
            .ok_or_else(|| Fault::rule("YEAR.MONTH is allowed, as in 23.11"))?;
        if release < Self::OLDEST || release > Self::NEWEST {
            return Err(Fault::rule(format!(
                "releases from {} to {} are known",
                Self::OLDEST,
                Self::NEWEST
            )));
        }
        Ok(release)
    }

    fn from_numbers(text: &str) -> Option<Self> {
        let mut parts = text.split(['.', '-']);
        let mut number = || {
            let part = parts.next()?;
            let is_number = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        };
        Some(Self::new(number()?, number()?))
    }

    /// Reads what `sbatch --version` prints: `slurm 23.02.7`, `slurm-wlm 22.05.8`.
    pub(crate) fn from_version(text: &str) -> Option<Self> {
        Self::from_numbers(text.trim().strip_prefix("slurm")?.split(' ').nth(1)?)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.year, self.month)
    }
}

value!(Release, "release of Slurm");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn versions() {
        let release = |text| Release::from_version(text);
        assert_eq!(release("slurm-wlm 22.05.8\n"), Some(Release::new(22, 5)));
        assert_eq!(release("slurm 23.11.0-0rc1"), Some(Release::new(23, 11)));
        for text in ["", "slurm", "slurm x.y", "flux 22.05.8", "22.05.8"] {
            assert_eq!(release(text), None, "{text}");
        }
        assert!(Release::new(22, 5) < Release::new(22, 11));
        accepts::<Release>("23.02.7", "23.02");
        let known = format!("from {} to {}", Release::OLDEST, Release::NEWEST);
        refuses::<Release>(
            "19.05",
            &format!("cannot take \"19.05\" as release of Slurm: releases {known} are known"),
        );
        refuses::<Release>(
            "23.2",
            "cannot take \"23.2\" as release of Slurm: YEAR.MONTH is allowed, as in 23.11",
        );
    }

    /// Documents cannot name a constant.
    #[test]
    fn documents_name_the_known_releases() {
        let known = format!("from {} to {}", Release::OLDEST, Release::NEWEST);
        for (file, text) in [
            ("slurm.rs", include_str!("../slurm.rs")),
            ("slurm/options.md", include_str!("options.md")),
            ("slurm/release.rs", include_str!("release.rs")),
        ] {
            let text = text.replace("\n//! ", " ");
            assert!(text.contains(&known), "src/{file} does not say {known:?}");
        }
    }
}
