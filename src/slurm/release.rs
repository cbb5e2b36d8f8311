//! Slurm's releases, and the options that not all of them have.

use std::fmt;

use super::{Directives, OptionName, Passthrough};

/// A release of Slurm: year and month, as in 23.02.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    year: u8,
    month: u8,
}

impl Release {
    /// The oldest release on which what the crate writes means the same.
    pub(crate) const OLDEST: Self = Self::new(20, 11);
    /// The newest one.
    pub(crate) const NEWEST: Self = Self::new(26, 5);

    const fn new(year: u8, month: u8) -> Self {
        Self { year, month }
    }

    /// Reads what `sbatch --version` prints: `slurm 23.02.7`, `slurm-wlm 22.05.8`.
    pub(crate) fn from_version(text: &str) -> Option<Self> {
        let number = text.trim().strip_prefix("slurm")?.split(' ').nth(1)?;
        let mut parts = number.split('.');
        let year = parts.next()?.parse().ok()?;
        let month = parts.next()?.parse().ok()?;
        Some(Self { year, month })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.year, self.month)
    }
}

/// Options that came after [`Release::OLDEST`], with the first release that has them.
/// They have no type here and are passed through. Source: `opt.c` of the releases.
const CAME: &[(&str, Release)] = &[
    ("container", Release::new(21, 8)),
    ("context", Release::new(21, 8)),
    ("prefer", Release::new(22, 5)),
    ("container-id", Release::new(23, 2)),
    ("extra", Release::new(23, 2)),
    ("tres-per-task", Release::new(23, 2)),
    ("tres-bind", Release::new(23, 11)),
    ("resv-ports", Release::new(24, 5)),
    ("segment", Release::new(24, 5)),
    ("stepmgr", Release::new(24, 5)),
    ("oom-kill-step", Release::new(24, 11)),
    ("external", Release::new(25, 5)),
    ("consolidate-segments", Release::new(25, 11)),
    ("resources", Release::new(25, 11)),
    ("spread-segments", Release::new(25, 11)),
    ("container-type", Release::new(26, 5)),
    ("mem-update", Release::new(26, 5)),
];

/// Options that went, with the last release that has them.
const WENT: &[(&str, Release)] = &[("power", Release::new(23, 11))];

impl Directives {
    /// The options that a release does not know, each with a word on those that do.
    pub(crate) fn unknown_to(&self, release: Release) -> Vec<(String, String)> {
        let mut unknown = Vec::new();
        let topo = Release::new(24, 5);
        if release < topo && self.get(OptionName::Exclusive).as_deref() == Some("topo") {
            unknown.push((
                "--exclusive=topo".to_owned(),
                format!("it came with {topo}"),
            ));
        }
        let find = |table: &[(&str, Release)], name: &str| {
            let row = table.iter().find(|(option, _)| *option == name);
            row.map(|&(_, release)| release)
        };
        for name in self.passed_through().iter().map(Passthrough::name) {
            if let Some(first) = find(CAME, name).filter(|&first| release < first) {
                unknown.push((format!("--{name}"), format!("it came with {first}")));
            }
            if let Some(last) = find(WENT, name).filter(|&last| release > last) {
                unknown.push((format!("--{name}"), format!("it went after {last}")));
            }
        }
        unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let release = |text| Release::from_version(text);
        assert_eq!(release("slurm-wlm 22.05.8\n"), Some(Release::new(22, 5)));
        assert_eq!(release("slurm 23.11.0-0rc1"), Some(Release::new(23, 11)));
        for text in ["", "slurm", "slurm x.y", "flux 22.05.8", "22.05.8"] {
            assert_eq!(release(text), None, "{text}");
        }
        assert!(Release::new(22, 5) < Release::new(22, 11));
        assert_eq!(Release::new(23, 2).to_string(), "23.02");
    }

    #[test]
    fn options_have_their_time() {
        let directives: Directives = toml::from_str(
            "exclusive = 'topo'\npassthrough = ['--segment=4', '--power=x', '--nice']",
        )
        .unwrap();
        let unknown_to = |year, month| directives.unknown_to(Release::new(year, month));
        assert_eq!(
            unknown_to(23, 11),
            [
                (
                    "--exclusive=topo".to_owned(),
                    "it came with 24.05".to_owned()
                ),
                ("--segment".to_owned(), "it came with 24.05".to_owned()),
            ]
        );
        assert_eq!(
            unknown_to(24, 5),
            [("--power".to_owned(), "it went after 23.11".to_owned())]
        );
    }
}
