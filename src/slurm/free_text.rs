//! Texts that Slurm hands on without reading them.

use crate::value::{Fault, at_most, printable, text_value};

/// A text that Slurm keeps, or hands to a plugin of the site, without a grammar of
/// its own: `--extra`, `--network`, `--bb` and others.
///
/// # Syntax
///
/// Printable text without blanks at its ends; 1024 bytes at most, which is what
/// the controller takes. Source: Slurm's `job_mgr.c`, `_test_strlen`.
///
/// # Errors
///
/// * the empty text, ` x`
/// * a text with a line break
///
/// ```
/// use nim_slurm::slurm::FreeText;
///
/// assert_eq!(FreeText::parse("a \"b\" #c")?.as_str(), "a \"b\" #c");
/// assert!(FreeText::parse("two\nlines").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FreeText(String);

impl FreeText {
    fn check(text: &str) -> Result<Self, Fault> {
        printable(text)?;
        at_most(text, 1024)?;
        if text.trim() != text {
            return Err(Fault::rule("it must not begin or end with a blank"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(FreeText, "text");

/// A key under which the site sums up what jobs use.
///
/// # Syntax
///
/// As [`FreeText`], without `*` in front. The controller keeps it in small letters, so
/// that `Proj` and `proj` are one. Source: sbatch(1), `--wckey`.
///
/// # Errors
///
/// * `*proj`: Slurm marks the user's default key so, and 26.05 refuses it
///
/// ```
/// use nim_slurm::slurm::Wckey;
///
/// assert_eq!(Wckey::parse("llm serving")?.as_str(), "llm serving");
/// assert!(Wckey::parse("*proj").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wckey(String);

impl Wckey {
    fn check(text: &str) -> Result<Self, Fault> {
        let FreeText(key) = FreeText::check(text)?;
        if key.starts_with('*') {
            return Err(Fault::rule(
                "it must not begin with '*', with which Slurm marks the default key",
            ));
        }
        Ok(Self(key))
    }
}

text_value!(Wckey, "wckey");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn bounded() {
        let longest = "x".repeat(1024);
        accepts::<FreeText>(&longest, &longest);
        assert!(FreeText::parse(&"x".repeat(1025)).is_err());
        refuses::<FreeText>(
            "x ",
            "cannot take \"x \" as text: it must not begin or end with a blank",
        );
        assert!(FreeText::parse("a\u{7f}").is_err());
    }
}
