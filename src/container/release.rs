//! Releases of pyxis, and what came with them.

use std::fmt;

use crate::value::{Fault, value};

/// A release of pyxis.
///
/// # Syntax
///
/// `MAJOR.MINOR`, from 0.1 to 0.24; a patch level behind it is dropped. Source:
/// pyxis' tags.
///
/// # Errors
///
/// * `0.25`: the options were checked for no such release
/// * `20`, `v0.20`
///
/// ```
/// use nim_slurm::container::PyxisRelease;
///
/// assert_eq!(PyxisRelease::parse("0.20.0")?.to_string(), "0.20");
/// assert!(PyxisRelease::parse("0.25").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PyxisRelease(u8);

impl PyxisRelease {
    const OLDEST: Self = Self(1);
    const NEWEST: Self = Self(24);

    fn check(text: &str) -> Result<Self, Fault> {
        let minor = text.strip_prefix("0.").unwrap_or_default();
        let minor = minor.split_once('.').map_or(minor, |(minor, _)| minor);
        let is_number = !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit());
        let release = is_number.then(|| minor.parse().map_or(Self(u8::MAX), Self));
        let release = release.ok_or_else(|| Fault::rule("0.MINOR is allowed, as in 0.20"))?;
        if release < Self::OLDEST || release > Self::NEWEST {
            return Err(Fault::rule(format!(
                "releases from {} to {} are known",
                Self::OLDEST,
                Self::NEWEST
            )));
        }
        Ok(release)
    }
}

impl fmt::Display for PyxisRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0.{}", self.0)
    }
}

value!(PyxisRelease, "release of pyxis");

/// The options of pyxis that templates/lib/pyxis/container.sh uses, with the first release that
/// knows them. Source: pyxis' `args.c` at its tags.
pub(crate) const USED_OPTIONS: [(&str, PyxisRelease); 6] = [
    ("--container-image", PyxisRelease(1)),
    ("--container-mounts", PyxisRelease(1)),
    ("--no-container-mount-home", PyxisRelease(3)),
    ("--no-container-entrypoint", PyxisRelease(8)),
    ("--container-writable", PyxisRelease(11)),
    ("--container-env", PyxisRelease(15)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn releases() {
        accepts::<PyxisRelease>("0.20.0", "0.20");
        accepts::<PyxisRelease>("0.11", "0.11");
        refuses::<PyxisRelease>(
            "0.25",
            "cannot take \"0.25\" as release of pyxis: releases from 0.1 to 0.24 are known",
        );
        for text in ["", "20", "v0.20", "0.", "1.0", "0.x", "0.999999"] {
            assert!(PyxisRelease::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn each_option_of_the_template_has_a_row() {
        let template = include_str!("../../templates/lib/pyxis/container.sh");
        let words = template.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let mut used: Vec<_> = words
            .filter(|word| word.starts_with("--container-") || word.starts_with("--no-container-"))
            .collect();
        used.sort_unstable();
        used.dedup();
        let mut rows = USED_OPTIONS.map(|(option, _)| option);
        rows.sort_unstable();
        assert_eq!(used, rows);
    }
}
