//! Which variables of the submitting shell a job gets.

use crate::container::EnvName;
use crate::value::{Fault, at_most, text_value};

/// The variables that a job gets from where it is submitted.
///
/// # Syntax
///
/// In capital letters as here:
///
/// * `ALL`: all; names of variables may follow it, and change nothing
/// * `NONE`: only Slurm's own; `NIL` (Slurm 23.02): not even the login environment
/// * names with commas between them: these and Slurm's own
///
/// **A list or `NONE` also limits what `srun` hands on to the steps**, unless the
/// script exports `SLURM_EXPORT_ENV=ALL` first. Source: sbatch(1), `--export`.
///
/// # Errors
///
/// * `KEY=value`: the value would stand in the script, in `scontrol show job` and in
///   the site's accounting, and a comma in it would end it; export the variable and
///   name it
/// * `NONE,HOME`: `NONE` stands alone
///
/// ```
/// use nim_slurm::slurm::Export;
///
/// assert!(Export::parse("HOME,NGC_API_KEY")?.names().eq(["HOME", "NGC_API_KEY"]));
/// assert!(Export::parse("KEY=value").is_err());
/// assert_eq!(Export::parse("NONE")?.as_str(), "NONE");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Export(String);

impl Export {
    pub(super) fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "ALL, NONE, NIL, or names of variables with commas between them are allowed";
        if text.is_empty() {
            return Err(Fault::Empty(ALLOWED));
        }
        if text.contains('=') {
            return Err(Fault::secret(
                "a value would stand in the script and in Slurm's records: export the variable, and name it here",
            ));
        }
        at_most(text, 65_536)?;
        for name in text.split(',') {
            if matches!(name, "NONE" | "NIL") && name != text {
                return Err(Fault::rule(format!("{name} stands alone")));
            }
            EnvName::parse(name).map_err(|_| Fault::rule(ALLOWED))?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The names, `ALL`, `NONE` and `NIL` among them, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }
}

text_value!(Export, "list of variables");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn lists() {
        for text in ["ALL", "NONE", "NIL", "ALL,HOME", "A,B_2"] {
            accepts::<Export>(text, text);
        }
        refuses::<Export>(
            "NONE,A",
            "cannot take \"NONE,A\" as list of variables: NONE stands alone",
        );
        for text in ["", "A,", "A B", "A='x'", "1A", "A=1"] {
            assert!(Export::parse(text).is_err(), "{text}");
        }
    }
}
