//! A script of one's own.

use camino::Utf8Path;

use super::{Directives, DirectivesError};
use crate::value::{Fault, text_value};
use crate::write::{Mode, WriteError, WrittenFile, write_with_backup};

/// The commands of a script: what follows its options.
///
/// # Syntax
///
/// Any text without NUL and carriage returns, and without a line that begins with `#SBATCH`,
/// `#SLURM`, `#PBS` or `#BSUB`. sbatch obeys the last two anywhere in a script, also in the middle
/// of a string; options are said with [`Directives`], which checks them. Source: `opt.c` of sbatch.
///
/// The first line may be one of `#!/bin/bash`, `#!/usr/bin/env bash` and their like, without
/// options: the script has a first line of its own, and this one is a comment there.
///
/// # Errors
///
/// * `echo 'a\n#PBS -q other\n'`
/// * `#!/usr/bin/env python3\n…`: the script is one of bash
/// * `#!/bin/bash -e\n…`, `#!/bin/bash -l\n…`: the option would be lost. Say `set -e`, and
///   `source /etc/profile`
///
/// ```
/// use nim_slurm::slurm::ScriptBody;
///
/// assert_eq!(ScriptBody::parse("srun hostname\n")?.as_str(), "srun hostname\n");
/// let error = ScriptBody::parse("srun hostname\n#SBATCH --nodes=2\n").unwrap_err();
/// assert!(error.to_string().contains("line 2 begins with #SBATCH"));
/// assert!(ScriptBody::parse("#!/usr/bin/env python3\nprint(1)\n").is_err());
/// assert!(ScriptBody::parse("#!/bin/bash -l\nsrun hostname\n").is_err());
/// assert!(ScriptBody::parse("#!/bin/bash\nsource /etc/profile\nsrun hostname\n").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScriptBody(String);

impl ScriptBody {
    fn check(text: &str) -> Result<Self, Fault> {
        if let Some(c) = text.chars().find(|c| matches!(c, '\0' | '\r')) {
            return Err(Fault::Character(
                c,
                "lines of bash are allowed, without NUL and carriage returns",
            ));
        }
        // This one counts up to the first command.
        without_words(text, &["#SBATCH", "#SLURM", "#PBS", "#BSUB"])?;
        if text.starts_with('\u{feff}') {
            return Err(Fault::rule(
                "it begins with a byte order mark, which bash would read as a part of the first word",
            ));
        }
        if let Some(line) = text.lines().next().and_then(|line| line.strip_prefix("#!")) {
            check_interpreter(line)?;
        }
        Ok(Self(text.to_owned()))
    }
}

/// Refuses a first line that asks for what the script does not have: its own first line counts.
fn check_interpreter(line: &str) -> Result<(), Fault> {
    let words = line.split_whitespace();
    let mut names = words.clone().filter_map(|word| word.rsplit('/').next());
    let name = names.find(|name| *name != "env" && !name.starts_with('-'));
    if let Some(name) = name.filter(|name| !matches!(*name, "bash" | "sh")) {
        return Err(Fault::rule(format!(
            "line 1 names {name:?} as its interpreter, and bash will run it: put that script into a file, and call it here"
        )));
    }
    let mut options = words.filter(|word| word.starts_with(['-', '+']));
    // `env -S` hands on what follows it, and is no option of bash.
    let Some(option) = options.find(|word| !matches!(*word, "-S" | "--split-string")) else {
        return Ok(());
    };
    let instead = match option {
        "-l" | "--login" => "source /etc/profile, and your own profile, in the script".to_owned(),
        _ => format!("write a line of its own, as in: set {option}"),
    };
    Err(Fault::rule(format!(
        "line 1 has the option {option}, which would be lost, since the script has a first line of its own: {instead}"
    )))
}

/// Refuses lines that sbatch would read as options wherever they stand in a script.
pub(crate) fn without_options(text: &str) -> Result<(), Fault> {
    without_words(text, &["#SBATCH", "#PBS", "#BSUB"])
}

fn without_words(text: &str, words: &[&str]) -> Result<(), Fault> {
    for (line, number) in text.split('\n').zip(1..) {
        if let Some(word) = words.iter().find(|word| line.starts_with(**word)) {
            return Err(Fault::rule(format!(
                "line {number} begins with {word}, which sbatch would read as options of the job"
            )));
        }
    }
    Ok(())
}

text_value!(ScriptBody, "script body");

/// A script of one's own: options that go together, and commands.
///
/// ```
/// use nim_slurm::slurm::{Directives, ScriptBody};
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
///
/// let job = Directives::new().nodes(2).time("10".parse()?);
/// let script = job.script(&ScriptBody::parse("srun hostname")?)?;
/// assert_eq!(
///     script.text(),
///     "#!/usr/bin/env bash\n#SBATCH --nodes=2\n#SBATCH --time=10\nsrun hostname\n"
/// );
/// let written = script.write_to(folder.join("hosts.sh"))?; // atomic; what was there is kept
/// assert!(!written.unchanged);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchScript {
    text: String,
}

impl BatchScript {
    /// The script's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes the script, executable, as [`Script::write_to`](crate::Script::write_to) does:
    /// it has its name only once it is whole, the same bytes are left alone, and other bytes
    /// are first kept as `NAME.bak-1`, `NAME.bak-2`, …
    ///
    /// # Errors
    ///
    /// When the folder cannot be made or the file cannot be written. What was there before is
    /// still there.
    pub fn write_to(&self, file: impl AsRef<Utf8Path>) -> Result<WrittenFile, WriteError> {
        write_with_backup(file.as_ref(), &self.text, Mode::Executable)
    }
}

impl Directives {
    /// A script of these options and commands.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) without a release.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, ScriptBody};
    ///
    /// let body = ScriptBody::parse("srun hostname")?;
    /// let job = Directives::new().mem("16G".parse()?);
    /// assert!(job.script(&body)?.text().contains("#SBATCH --mem=16G\n"));
    /// assert!(job.mem_per_cpu("1G".parse()?).script(&body).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn script(&self, body: &ScriptBody) -> Result<BatchScript, DirectivesError> {
        self.check(None)?;
        let mut text = self.header();
        text.push_str(body.as_str());
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(BatchScript { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::refuses;

    #[test]
    fn bodies() {
        for text in [
            "",
            "echo '#SBATCH'",
            " #SBATCH --nodes=2",
            "# SBATCH",
            "#sbatch",
        ] {
            assert!(ScriptBody::parse(text).is_ok(), "{text}");
        }
        refuses::<ScriptBody>(
            "cat <<'E'\n#PBS -q x\nE",
            "cannot take \"cat <<'E'\\n#PBS -q x\\nE\" as script body: line 2 begins with #PBS, which sbatch would \
             read as options of the job",
        );
        for text in [
            "#SBATCH --nodes=2",
            "#SBATCHX",
            "#SLURM --nodes=2",
            "true\n#BSUB -n 4",
            "a\r\n",
            "a\0",
        ] {
            assert!(ScriptBody::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn first_lines() {
        for line in [
            "#!/bin/bash",
            "#! /bin/sh",
            "#!/usr/bin/env bash",
            "#!/usr/bin/env -S bash",
        ] {
            assert!(ScriptBody::parse(line).is_ok(), "{line}");
        }
        refuses::<ScriptBody>(
            "#!/bin/bash -eu",
            "cannot take \"#!/bin/bash -eu\" as script body: line 1 has the option -eu, which would be lost, since the \
             script has a first line of its own: write a line of its own, as in: set -eu",
        );
        refuses::<ScriptBody>(
            "#!/bin/bash -l\ntrue",
            "cannot take \"#!/bin/bash -l\\ntrue\" as script body: line 1 has the option -l, which would be lost, since \
             the script has a first line of its own: source /etc/profile, and your own profile, in the script",
        );
        for line in [
            "#!/bin/bash --login",
            "#!/usr/bin/env -S bash -e",
            "#!/usr/bin/env python3",
        ] {
            assert!(ScriptBody::parse(line).is_err(), "{line}");
        }
    }
}
