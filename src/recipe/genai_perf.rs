//! Releases of GenAI-Perf: what they are called, and in what they differ.

use std::fmt;

use crate::value::{Fault, value};

/// The release of GenAI-Perf in the client's image, which decides the options that
/// there are, and what the tool leaves.
///
/// # Syntax
///
/// Its version, from 0.0.2 to 0.0.16, or the release of Triton's SDK image that has
/// it, from 24.05 to 25.12. What `genai-perf --version` prints behind the version,
/// `dev` or `.post1`, is dropped. It is shown as the version.
///
/// | image | version | | image | version | | image | version |
/// |---|---|---|---|---|---|---|---|
/// | 24.05 | 0.0.2 | | 24.11 | 0.0.8 | | 25.05 | 0.0.14 |
/// | 24.06 | 0.0.3 | | 24.12 | 0.0.9 | | 25.06, 25.07 | 0.0.15 |
/// | 24.07 | 0.0.4 | | 25.01 | 0.0.10 | | 25.08 to 25.12 | 0.0.16 |
/// | 24.08 | 0.0.5 | | 25.02 | 0.0.11 | | | |
/// | 24.09 | 0.0.6 | | 25.03 | 0.0.12 | | | |
/// | 24.10 | 0.0.7 | | 25.04 | 0.0.13 | | | |
///
/// Source: `__version__` on the branches `r24.05` to `r25.12` of Triton's
/// repositories `client` (until 24.07) and `perf_analyzer`.
///
/// # Errors
///
/// * `0.0.1`, `0.0.17`, `24.04`, `26.01`: not one of these releases
/// * `0.0`, `25.1`, `latest`
///
/// ```
/// use nim_slurm::recipe::GenaiPerfVersion;
///
/// assert!(GenaiPerfVersion::parse("0.0.10")? < GenaiPerfVersion::parse("0.0.13")?);
/// assert_eq!(GenaiPerfVersion::parse("24.06")?.to_string(), "0.0.3");
/// assert_eq!(GenaiPerfVersion::parse("0.0.16dev")?, GenaiPerfVersion::parse("25.12")?);
/// assert!(GenaiPerfVersion::parse("26.01").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenaiPerfVersion(u8);

/// The releases of Triton's SDK image, and the last number of their GenAI-Perf's
/// version.
const IMAGES: [(&str, u8); 20] = [
    ("24.05", 2),
    ("24.06", 3),
    ("24.07", 4),
    ("24.08", 5),
    ("24.09", 6),
    ("24.10", 7),
    ("24.11", 8),
    ("24.12", 9),
    ("25.01", 10),
    ("25.02", 11),
    ("25.03", 12),
    ("25.04", 13),
    ("25.05", 14),
    ("25.06", 15),
    ("25.07", 15),
    ("25.08", 16),
    ("25.09", 16),
    ("25.10", 16),
    ("25.11", 16),
    ("25.12", 16),
];

const OLDEST: u8 = IMAGES[0].1;
const NEWEST: u8 = IMAGES[IMAGES.len() - 1].1;

/// The tokenizer that the tool takes when it is given none; open to all.
pub(crate) const DEFAULT_TOKENIZER: &str = "hf-internal-testing/llama-tokenizer";

/// What some releases have, and others have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// The subcommand `profile`; before it, options follow the program's name.
    Profile,
    /// `--service-kind`; after it, the kind follows from the endpoint.
    ServiceKind,
    /// A start without [`DEFAULT_TOKENIZER`]; before it, that is fetched from the Hugging
    /// Face hub whichever one is asked for.
    StartWithoutHub,
    /// Several prompts in the file of `--input-file`, under `text_input`.
    PromptFile,
    /// JSON behind `--extra-inputs`.
    JsonInputs,
    /// `--header`.
    Header,
    /// `--goodput`.
    Goodput,
    /// `--tokenizer-revision`.
    TokenizerRevision,
    /// `--tokenizer-trust-remote-code`.
    TokenizerTrust,
    /// A number of requests that it gives perf_analyzer itself, by default its own. Of two
    /// such numbers perf_analyzer 2.60 takes the first, so ours must be its `--request-count`.
    OwnRequestCount,
}

impl Feature {
    /// The first and the last release that have it. Source: `parser.py`, and what
    /// loads tokenizers and writes tables, on the branches named above.
    const fn releases(self) -> (u8, u8) {
        match self {
            Self::JsonInputs | Self::PromptFile => (4, NEWEST),
            Self::Profile => (5, NEWEST),
            Self::ServiceKind => (OLDEST, 12),
            Self::Goodput => (6, NEWEST),
            Self::TokenizerRevision | Self::TokenizerTrust => (7, NEWEST),
            Self::StartWithoutHub => (8, NEWEST),
            Self::Header => (10, NEWEST),
            Self::OwnRequestCount => (13, NEWEST),
        }
    }

    /// The release that brought it.
    pub(crate) const fn since(self) -> GenaiPerfVersion {
        GenaiPerfVersion(self.releases().0)
    }
}

impl GenaiPerfVersion {
    fn check(text: &str) -> Result<Self, Fault> {
        let image = IMAGES.iter().find(|(image, _)| *image == text);
        let known = image.map(|&(_, patch)| patch).or_else(|| patch_of(text));
        known.map(Self).ok_or_else(|| {
            Fault::rule(format!(
                "a version from 0.0.{OLDEST} to 0.0.{NEWEST} is allowed, or the SDK image's release, from {} to {}",
                IMAGES[0].0,
                IMAGES[IMAGES.len() - 1].0
            ))
        })
    }

    pub(crate) const fn has(self, feature: Feature) -> bool {
        let (first, last) = feature.releases();
        first <= self.0 && self.0 <= last
    }

    /// The version, and the first image that has it, for a message.
    pub(crate) fn with_image(self) -> String {
        let image = IMAGES.iter().find(|(_, patch)| *patch == self.0);
        image.map_or_else(
            || self.to_string(),
            |(image, _)| format!("{self} (SDK {image})"),
        )
    }
}

/// The last number of a version such as `0.0.10`, `0.0.16dev` or `0.0.15.post1`.
fn patch_of(text: &str) -> Option<u8> {
    let patch = text.strip_prefix("0.0.")?;
    let end = patch.find(|c: char| !c.is_ascii_digit());
    let (number, rest) = patch.split_at(end.unwrap_or(patch.len()));
    let is_plain = !number.starts_with('0') && (rest.is_empty() || is_suffix(rest));
    let patch = number.parse().ok().filter(|_| is_plain)?;
    (OLDEST..=NEWEST).contains(&patch).then_some(patch)
}

/// `dev`, `.dev3`, `.post1`.
fn is_suffix(text: &str) -> bool {
    let text = text.strip_prefix('.').unwrap_or(text);
    let number = text.strip_prefix("dev").or(text.strip_prefix("post"));
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

impl fmt::Display for GenaiPerfVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0.0.{}", self.0)
    }
}

value!(GenaiPerfVersion, "GenAI-Perf release");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn names() {
        for (text, shown) in [
            ("0.0.2", "0.0.2"),
            ("0.0.16", "0.0.16"),
            ("0.0.5dev", "0.0.5"),
            ("0.0.15.post1", "0.0.15"),
            ("24.05", "0.0.2"),
            ("24.06", "0.0.3"),
            ("24.11", "0.0.8"),
            ("25.01", "0.0.10"),
            ("25.07", "0.0.15"),
            ("25.12", "0.0.16"),
        ] {
            accepts::<GenaiPerfVersion>(text, shown);
        }
        refuses::<GenaiPerfVersion>(
            "25.13",
            "cannot take \"25.13\" as GenAI-Perf release: a version from 0.0.2 to 0.0.16 is allowed, or the SDK image's \
             release, from 24.05 to 25.12",
        );
        for text in [
            "",
            "0.0.",
            "0.0.1",
            "0.0.17",
            "0.0.010",
            "0.0.+9",
            "0.0.300",
            "0.0.9rc1",
            "0.0.9.",
            "0.1.9",
            "24.04",
            "25.1",
            "25.01-py3-sdk",
            "latest",
        ] {
            assert!(GenaiPerfVersion::parse(text).is_err(), "{text}");
        }
    }

    /// Months follow one another, and so do versions, so that one table orders both.
    #[test]
    fn images_are_in_order() {
        for pair in IMAGES.windows(2) {
            let [(earlier, low), (later, high)] = pair else {
                unreachable!()
            };
            assert!(
                earlier < later && (low == high || low + 1 == *high),
                "{later}"
            );
        }
        for patch in OLDEST..=NEWEST {
            let text = GenaiPerfVersion(patch).with_image();
            assert!(text.contains("(SDK 2"), "{text}");
        }
    }

    #[test]
    fn what_came_and_went() {
        let has = |text: &str, feature| GenaiPerfVersion::parse(text).unwrap().has(feature);
        for (feature, without, with) in [
            (Feature::JsonInputs, "24.06", "24.07"),
            (Feature::Profile, "24.07", "24.08"),
            (Feature::Goodput, "24.08", "24.09"),
            (Feature::TokenizerRevision, "24.09", "24.10"),
            (Feature::TokenizerTrust, "24.09", "24.10"),
            (Feature::StartWithoutHub, "24.10", "24.11"),
            (Feature::Header, "24.12", "25.01"),
            (Feature::OwnRequestCount, "25.03", "25.04"),
            (Feature::ServiceKind, "25.04", "25.03"),
        ] {
            assert!(!has(without, feature) && has(with, feature), "{feature:?}");
        }
        assert!(has("24.05", Feature::ServiceKind) && has("25.12", Feature::Goodput));
    }
}
