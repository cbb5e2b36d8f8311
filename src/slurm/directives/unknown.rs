//! Options and values that not every release of Slurm knows.

use super::{Directives, OptionName};
use crate::slurm::Release;

/// True for a value that came later than its option.
type IsLater = fn(&str) -> bool;

/// Values that came after their options: whether a text is one, a sample, and the first
/// release that reads it. Source: `slurm_opt.c` and `gres.c` of the releases.
const LATER_VALUES: &[(OptionName, IsLater, &str, Release)] = &[
    (
        OptionName::Qos,
        |text| text.contains(','),
        "high,normal",
        Release::new(24, 11),
    ),
    (
        OptionName::Export,
        |text| text == "NIL",
        "NIL",
        Release::new(23, 2),
    ),
    (
        OptionName::GresFlags,
        |text| text.contains(',') || text.contains("sharing"),
        "one-task-per-sharing",
        Release::new(23, 11),
    ),
    (
        OptionName::TresPerTask,
        |text| text.contains('/'),
        "gres/gpu=1",
        Release::new(23, 11),
    ),
    (
        OptionName::Exclusive,
        |text| text == "topo",
        "topo",
        Release::new(24, 5),
    ),
    (
        OptionName::Begin,
        |text| text == "elevenses",
        "elevenses",
        Release::new(24, 5),
    ),
    (
        OptionName::Deadline,
        |text| text == "elevenses",
        "elevenses",
        Release::new(24, 5),
    ),
    (
        OptionName::Licenses,
        |text| text.contains('|'),
        "a|b",
        Release::new(25, 5),
    ),
    (
        OptionName::Output,
        has_index_modulo_ten,
        "%x-%b.out",
        Release::new(24, 11),
    ),
    (
        OptionName::Error,
        has_index_modulo_ten,
        "%x-%b.err",
        Release::new(24, 11),
    ),
    (
        OptionName::Input,
        has_index_modulo_ten,
        "input-%2b",
        Release::new(24, 11),
    ),
    (
        OptionName::Signal,
        |text| text.contains("CHLD") || text.contains("PIPE"),
        "B:PIPE@60",
        Release::new(23, 11),
    ),
    (
        OptionName::GpuBind,
        |text| text.contains("per_task:") || text.ends_with("none"),
        "per_task:1",
        Release::new(21, 8),
    ),
    (
        OptionName::CpuFreq,
        |text| text.to_ascii_lowercase().contains("schedutil"),
        "low-high:SchedUtil",
        Release::new(21, 8),
    ),
    (
        OptionName::Requeue,
        |text| text == "expedite",
        "expedite",
        Release::new(25, 11),
    ),
];

/// True for a file name with `%b`, which earlier releases keep as it is.
fn has_index_modulo_ten(text: &str) -> bool {
    let mut rest = text.chars();
    while rest.any(|c| c == '%') {
        if rest.find(|c| !c.is_ascii_digit()) == Some('b') {
            return true;
        }
    }
    false
}

/// The release before which a line with one of [`PARTS_OF_A_JOB`] anywhere in it begins another part
/// of the job. Source: `sbatch/opt.c` of 20.11 and 21.08.
const WHOLE_LINES: Release = Release::new(21, 8);
const PARTS_OF_A_JOB: [&str; 2] = ["hetjob", "packjob"];

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
    /// // One that is newer than this crate counts as the newest that it knows.
    /// assert!(directives.unknown_to(Release::new(30, 11)).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unknown_to(&self, release: Release) -> Vec<UnknownOption> {
        // Nothing is known of what a later release takes away.
        let release = release.min(Release::NEWEST);
        let came = |first| {
            if release < Release::OLDEST {
                format!("releases before {} are not known here", Release::OLDEST)
            } else {
                format!("it came with {first}")
            }
        };
        let unknown = |name: OptionName| {
            let value = self.get(name)?;
            let (first, last) = (name.first_release(), name.last_release());
            let later = LATER_VALUES.iter().find(|(option, is_later, _, first)| {
                *option == name && is_later(&value) && release < *first
            });
            let lower = value.to_ascii_lowercase();
            let part = PARTS_OF_A_JOB.iter().find(|word| lower.contains(**word));
            let (option, reason) = if release < first {
                (name.to_string(), came(first))
            } else if release > last {
                (name.to_string(), format!("it went after {last}"))
            } else if let Some((_, _, _, first)) = later {
                (format!("{name}={value}"), came(*first))
            } else {
                let word = part.filter(|_| release < WHOLE_LINES)?;
                let reason = format!(
                    "before {WHOLE_LINES}, {word:?} in a line begins another part of the job"
                );
                (format!("{name}={value}"), reason)
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

    #[test]
    fn releases_that_nobody_checked() {
        let directives: Directives = toml::from_str("nodes = 1\npower = 'level'").unwrap();
        let said = |year, month| -> Vec<String> {
            let unknown = directives.unknown_to(Release::new(year, month));
            unknown
                .iter()
                .map(|it| format!("{}: {}", it.option(), it.reason()))
                .collect()
        };
        assert_eq!(said(30, 11), said(26, 5));
        let old = "releases before 20.11 are not known here";
        assert_eq!(
            said(19, 5),
            [format!("--nodes: {old}"), format!("--power: {old}")]
        );
    }

    #[test]
    fn options_have_their_time() {
        let directives: Directives = toml::from_str(
            "exclusive = 'topo'\nsegment = 4\npower = 'level'\nnice = 5\ntres_per_task = 'cpu=1'\nlicenses = 'a|b'\nqos = 'a,b'",
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
                "--qos=a,b: it came with 24.11",
                "--licenses=a|b: it came with 25.05",
                "--tres-per-task: it came with 23.02",
                "--exclusive=topo: it came with 24.05",
                "--segment: it came with 24.05",
            ]
        );
        assert_eq!(
            unknown_to(24, 5),
            [
                "--qos=a,b: it came with 24.11",
                "--licenses=a|b: it came with 25.05",
                "--power: it went after 23.11",
            ]
        );
    }

    #[test]
    fn each_later_value_is_one_that_its_option_takes() {
        for &(name, _, text, first) in LATER_VALUES {
            let mut directives = Directives::new();
            directives.set(name, text).unwrap();
            assert_eq!(directives.unknown_to(first), []);
            assert_eq!(directives.unknown_to(Release::OLDEST).len(), 1, "{name}");
        }
    }

    #[test]
    fn an_index_modulo_ten_is_a_letter_behind_a_percent_sign() {
        let later = |text: &str| {
            let directives = Directives::new().output(text.parse().unwrap());
            directives.unknown_to(Release::new(24, 5)).len()
        };
        for text in ["%b", "out-%2b", "%%%b", "%x%03b.out"] {
            assert_eq!(later(text), 1, "{text}");
        }
        for text in ["b", "%%b", "%j-b", "%A_%a"] {
            assert_eq!(later(text), 0, "{text}");
        }
    }

    /// 20.11 looks for the words anywhere in a line, later releases for a line that is one.
    #[test]
    fn a_word_that_splits_the_job() {
        let directives = Directives::new()
            .job_name("my-HetJob".parse().unwrap())
            .comment("a packjob".parse().unwrap());
        let unknown = directives.unknown_to(Release::OLDEST);
        let said: Vec<_> = unknown
            .iter()
            .map(|it| format!("{}: {}", it.option(), it.reason()))
            .collect();
        assert_eq!(
            said,
            [
                "--job-name=my-HetJob: before 21.08, \"hetjob\" in a line begins another part of the job",
                "--comment=a packjob: before 21.08, \"packjob\" in a line begins another part of the job",
            ]
        );
        assert_eq!(directives.unknown_to(Release::new(21, 8)), []);
    }
}
