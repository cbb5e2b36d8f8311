//! Names of environment variables.

use crate::value::{Fault, only, text_value};

/// Variables whose values are secrets. launch.sh keeps them from whom they do not
/// concern.
pub(crate) const SECRETS: [&str; 4] = [
    "NGC_API_KEY",
    "NGC_CLI_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
];

/// The name of an environment variable.
///
/// # Syntax
///
/// Letters, digits and `_`, not a digit first. Names that bash keeps for itself
/// cannot be set: `BASHOPTS`, `BASH_VERSINFO`, `EUID`, `PPID`, `SHELLOPTS`, `UID`.
/// Source: POSIX, "Environment Variables", and bash(1).
///
/// # Errors
///
/// * `NIM-CACHE`, `7B`, `A=B`
/// * `UID`: bash would stop at the assignment
///
/// ```
/// use nim_slurm::container::EnvName;
///
/// assert_eq!(EnvName::parse("NIM_CACHE_PATH")?.as_str(), "NIM_CACHE_PATH");
/// assert!(EnvName::parse("NIM-CACHE").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName(String);

impl EnvName {
    fn check(text: &str) -> Result<Self, Fault> {
        const READ_ONLY: [&str; 6] = [
            "BASHOPTS",
            "BASH_VERSINFO",
            "EUID",
            "PPID",
            "SHELLOPTS",
            "UID",
        ];
        only(
            text,
            |c| c.is_ascii_alphanumeric() || c == '_',
            "letters, digits and '_' are allowed",
        )?;
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Fault::rule("it must not begin with a digit"));
        }
        if READ_ONLY.contains(&text) {
            return Err(Fault::rule("bash keeps this name for itself"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(EnvName, "variable name");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn names() {
        accepts::<EnvName>("_A1", "_A1");
        refuses::<EnvName>(
            "1A",
            "cannot take \"1A\" as variable name: it must not begin with a digit",
        );
        refuses::<EnvName>(
            "A=B",
            "unexpected character '=' in variable name \"A=B\": letters, digits and '_' are allowed",
        );
        refuses::<EnvName>(
            "UID",
            "cannot take \"UID\" as variable name: bash keeps this name for itself",
        );
    }
}
