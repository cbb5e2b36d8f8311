//! Slurm's releases, and what not all of them know.

use std::fmt;

use super::{Directives, OptionName};
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

/// True for a value that came later than its option.
type IsLater = fn(&str) -> bool;

/// Values that came after their options, with the first release that reads them.
/// Source: `slurm_opt.c` and `gres.c` of the releases.
const LATER_VALUES: &[(OptionName, IsLater, Release)] = &[
    (
        OptionName::Export,
        |text| text == "NIL",
        Release::new(23, 2),
    ),
    (
        OptionName::GresFlags,
        |text| text.contains(',') || text.contains("sharing"),
        Release::new(23, 11),
    ),
    (
        OptionName::TresPerTask,
        |text| text.contains('/'),
        Release::new(23, 11),
    ),
    (
        OptionName::Exclusive,
        |text| text == "topo",
        Release::new(24, 5),
    ),
    (
        OptionName::Begin,
        |text| text == "elevenses",
        Release::new(24, 5),
    ),
    (
        OptionName::Deadline,
        |text| text == "elevenses",
        Release::new(24, 5),
    ),
    (
        OptionName::Licenses,
        |text| text.contains('|'),
        Release::new(25, 5),
    ),
    (
        OptionName::Requeue,
        |text| text == "expedite",
        Release::new(25, 11),
    ),
];

/// An option, or its value, that a release of Slurm does not know.
///
/// ```
/// use nim_slurm::slurm::{Directives, OptionName, Release};
///
/// let directives = Directives::new().exclusive("topo".parse()?);
/// let unknown = &directives.unknown_to(Release::new(23, 11))[0];
/// assert_eq!(unknown.name(), OptionName::Exclusive);
/// assert_eq!(unknown.option(), "--exclusive=topo");
/// assert_eq!(unknown.reason(), "it came with 24.05");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownOption {
    name: OptionName,
    option: String,
    reason: String,
}

impl UnknownOption {
    /// The option's name.
    #[must_use]
    pub const fn name(&self) -> OptionName {
        self.name
    }

    /// What is not known: `--segment`, or with its value `--exclusive=topo`.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }

    /// Which releases know it: `it came with 24.05`.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl Directives {
    /// The options and values that a release does not know. Options that are passed
    /// through are newer than this crate, and it knows nothing of them.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, Release};
    ///
    /// let directives = Directives::new().exclusive("topo".parse()?);
    /// let unknown = directives.unknown_to(Release::parse("23.11")?);
    /// assert_eq!(unknown[0].option(), "--exclusive=topo");
    /// assert_eq!(unknown[0].reason(), "it came with 24.05");
    /// assert!(directives.unknown_to(Release::NEWEST).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unknown_to(&self, release: Release) -> Vec<UnknownOption> {
        let came = |first| format!("it came with {first}");
        let unknown = |name: OptionName| {
            let value = self.get(name)?;
            let (first, last) = (name.first_release(), name.last_release());
            let later = LATER_VALUES.iter().find(|(option, is_later, first)| {
                *option == name && is_later(&value) && release < *first
            });
            let (option, reason) = if release < first {
                (name.to_string(), came(first))
            } else if release > last {
                (name.to_string(), format!("it went after {last}"))
            } else {
                let (_, _, first) = later?;
                (format!("{name}={value}"), came(*first))
            };
            Some(UnknownOption {
                name,
                option,
                reason,
            })
        };
        OptionName::ALL
            .iter()
            .copied()
            .filter_map(unknown)
            .collect()
    }
}

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
        refuses::<Release>(
            "19.05",
            "cannot take \"19.05\" as release of Slurm: releases from 20.11 to 26.05 are known",
        );
        refuses::<Release>(
            "23.2",
            "cannot take \"23.2\" as release of Slurm: YEAR.MONTH is allowed, as in 23.11",
        );
    }

    #[test]
    fn options_have_their_time() {
        let directives: Directives = toml::from_str(
            "exclusive = 'topo'\nsegment = 4\npower = 'level'\nnice = 5\ntres_per_task = 'cpu=1'\nlicenses = 'a|b'",
        )
        .unwrap();
        let unknown_to = |year, month| -> Vec<_> {
            let unknown = directives.unknown_to(Release::new(year, month)).into_iter();
            unknown
                .map(|unknown| format!("{}: {}", unknown.option(), unknown.reason()))
                .collect()
        };
        assert_eq!(
            unknown_to(22, 5),
            [
                "--licenses=a|b: it came with 25.05",
                "--tres-per-task: it came with 23.02",
                "--exclusive=topo: it came with 24.05",
                "--segment: it came with 24.05",
            ]
        );
        assert_eq!(
            unknown_to(24, 5),
            [
                "--licenses=a|b: it came with 25.05",
                "--power: it went after 23.11",
            ]
        );
    }

    #[test]
    fn each_later_value_is_one_that_its_option_takes() {
        for (name, text) in [
            (OptionName::Export, "NIL"),
            (OptionName::GresFlags, "one-task-per-sharing"),
            (OptionName::TresPerTask, "gres/gpu=1"),
            (OptionName::Exclusive, "topo"),
            (OptionName::Begin, "elevenses"),
            (OptionName::Deadline, "elevenses"),
            (OptionName::Licenses, "a|b"),
            (OptionName::Requeue, "expedite"),
        ] {
            let mut directives = Directives::new();
            directives.set(name, text).unwrap();
            let first = LATER_VALUES.iter().find(|row| row.0 == name).unwrap().2;
            assert_eq!(directives.unknown_to(first), []);
            assert_eq!(
                directives.unknown_to(Release::new(22, 11)).len(),
                1,
                "{name}"
            );
        }
    }
}
