//! Files and folders, as sbatch takes them.

use crate::plain::is_hidden;
use crate::value::{Fault, at_most, only, text_value};

/// A file or folder that an option names: `--chdir`, `--bbf`, `--container`,
/// `--export-file`, `--nodefile`.
///
/// # Syntax
///
/// An absolute or relative path; a relative one begins where the job is submitted.
/// Printable characters; 4095 bytes at most. sbatch expands nothing, so that `~` in
/// front and `$` anywhere would name a folder that is really called so; they are
/// refused, and so are digits alone, which `--export-file` takes for an open file. Source: sbatch(1), `--chdir`, and Slurm's `opt.c`.
///
/// # Errors
///
/// * `~/job`, `$HOME/job`
/// * `3`: say `./3`
///
/// ```
/// use nim_slurm::slurm::FilePath;
///
/// assert_eq!(FilePath::parse("/lustre/my project")?.as_str(), "/lustre/my project");
/// assert!(FilePath::parse("~/job").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePath(String);

impl FilePath {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| !is_hidden(c),
            "a path of printable characters is allowed",
        )?;
        at_most(text, 4095)?;
        expands_nothing(text)?;
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::rule(format!(
                "sbatch may take digits for an open file: write ./{text}"
            )));
        }
        if text.trim() != text {
            return Err(Fault::rule("it must not begin or end with a blank"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(FilePath, "path");

/// Refuses what a shell would have expanded, and sbatch takes as it is.
pub(super) fn expands_nothing(text: &str) -> Result<(), Fault> {
    if text.starts_with('~') {
        return Err(Fault::rule("sbatch expands no '~': write the folder out"));
    }
    if text.contains('$') {
        return Err(Fault::rule(
            "sbatch expands no variables: write the folder out",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn nothing_is_expanded() {
        accepts::<FilePath>("jobs/a b", "jobs/a b");
        refuses::<FilePath>(
            "~/x",
            "cannot take \"~/x\" as path: sbatch expands no '~': write the folder out",
        );
        accepts::<FilePath>("./3", "./3");
        refuses::<FilePath>(
            "3",
            "cannot take \"3\" as path: sbatch may take digits for an open file: write ./3",
        );
        refuses::<FilePath>(
            "$HOME",
            "cannot take \"$HOME\" as path: sbatch expands no variables: write the folder out",
        );
    }
}
