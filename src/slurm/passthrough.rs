//! Options that are newer than this crate.

use super::directives::refused::{long_of, refusal};
use super::{Export, OptionName, Switches};
use crate::value::{Fault, at_most, printable, text_value};

/// A whole option of an sbatch that is newer than this crate.
///
/// # Syntax
///
/// `--name` or `--name=value`: the long form, as sbatch takes it. The value is
/// printable text and is not checked further; 1024 bytes at most.
///
/// `--switches=VALUE` is taken, too, since settings passed it through before it had a
/// key; it then stands for that key, with a value as [`Switches`] takes it.
///
/// # Errors
///
/// * `--partition=batch`, `--part=batch`, `--partition batch`, `-p batch`: the crate
///   knows the option; sbatch takes the beginning of a name for the name
/// * `--tasks-per-node=2`, `--cluster=x`: other names of options that it knows
/// * `--wrap=ls`, `--test-only`: mean something on the command line alone
/// * `--container-image=…`: would put the whole batch script into the container
///
/// ```
/// use nim_slurm::slurm::Passthrough;
///
/// let option = Passthrough::parse("--brand-new=1")?;
/// assert_eq!(option.name(), "brand-new");
/// assert!(Passthrough::parse("--partition=batch").is_err());
/// assert_eq!(option.as_str(), "--brand-new=1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Passthrough(String);

impl Passthrough {
    fn check(text: &str) -> Result<Self, Fault> {
        printable(text)?;
        at_most(text, 1024)?;
        let (name, is_short) = match text.strip_prefix("--") {
            Some(option) => {
                let end = option.find(['=', ' ']).unwrap_or(option.len());
                (&option[..end], false)
            }
            None => (short_name(text).unwrap_or_default(), true),
        };
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if let Some(value) = text.strip_prefix(SWITCHES) {
            Switches::check(value)?;
            return Ok(Self(text.to_owned()));
        }
        if name == "export" && text.matches('=').nth(1).is_some() {
            Export::check(&text["--export=".len()..])?;
        }
        if is_name && let Some(reason) = refusal(name) {
            return Err(Fault::rule(reason));
        }
        if !is_name || is_short || text[2..].starts_with(&format!("{name} ")) {
            return Err(Fault::rule(
                "a whole long option is allowed, as in --name=value",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The option's name without the hyphens.
    #[must_use]
    pub fn name(&self) -> &str {
        let option = self.0.trim_start_matches("--");
        option.split_once('=').map_or(option, |(name, _)| name)
    }

    /// The typed option that this stands for, if there is one.
    pub(crate) fn key(&self) -> Option<(OptionName, Switches)> {
        let value = self.0.strip_prefix(SWITCHES)?;
        let switches = Switches::parse(value).ok()?;
        Some((OptionName::Switches, switches))
    }

    /// True when sbatch reads the option from this variable. Most are called
    /// after the option. Source: Slurm's `src/sbatch/opt.c`.
    pub(crate) fn is_set_by(&self, variable: &str) -> bool {
        let own = self.name().replace('-', "_").to_ascii_uppercase();
        variable.strip_prefix("SBATCH_") == Some(own.as_str())
    }
}

/// The one typed option that may be passed through.
const SWITCHES: &str = "--switches=";

/// The long name of what begins with a letter's option: `-p`, `-p batch`, `-pbatch`.
fn short_name(text: &str) -> Option<&'static str> {
    let letter = text.strip_prefix('-')?.chars().next()?;
    long_of(letter)
}

text_value!(Passthrough, "passed-through option");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn passthrough() {
        accepts::<Passthrough>("--brand-new", "--brand-new");
        accepts::<Passthrough>("--brand-new=a \"b\" #c", "--brand-new=a \"b\" #c");
        let use_key = |text: &str, key: &str, long: &str| {
            refuses::<Passthrough>(
                text,
                &format!(
                    "cannot take {text:?} as passed-through option: use the key {key} for --{long}"
                ),
            );
        };
        for text in [
            "--partition=x",
            "--part=x",
            "--partition x",
            "-p x",
            "-px",
            "--par",
        ] {
            use_key(text, "partition", "partition");
        }
        use_key("--switches 1@10:00", "switches", "switches");
        accepts::<Passthrough>("--switches=1@10:00", "--switches=1@10:00");
        refuses::<Passthrough>(
            "--switches=1@soon",
            "unexpected character 's' in passed-through option \"--switches=1@soon\": minutes, HH:MM:SS, D-HH:MM:SS or \
             UNLIMITED is allowed",
        );
        use_key("-H", "hold", "hold");
        use_key("--container-id=x", "container_id", "container-id");
        refuses::<Passthrough>(
            "--tasks-per-node=2",
            "cannot take \"--tasks-per-node=2\" as passed-through option: --tasks-per-node: another name of \
             --ntasks-per-node: use the key ntasks_per_node",
        );
        for text in ["--wrap=ls", "--wra=ls"] {
            refuses::<Passthrough>(
                text,
                &format!(
                    "cannot take {text:?} as passed-through option: --wrap: it has no place in a script: it is for \
                     sbatch's command line"
                ),
            );
        }
        for text in [
            "-W",
            "--uid=0",
            "--brand-new 1",
            "-z",
            "brand-new=1",
            "--",
            "-",
            "--=x",
            "--New",
            "--a\n#SBATCH",
            "--container-image=x",
            "--container-newest=x",
            "--no-container-mount-home",
            "--no-cont",
        ] {
            assert!(Passthrough::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn variables() {
        let option = Passthrough::parse("--brand-new=1").unwrap();
        assert!(option.is_set_by("SBATCH_BRAND_NEW"));
        assert!(!option.is_set_by("SBATCH_BRAND"));
    }
}
