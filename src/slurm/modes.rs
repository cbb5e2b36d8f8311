//! Options with few words, and options beyond the typed ones.

use std::fmt;

use super::OptionName;
use crate::value::{Fault, printable, text_value, value};

/// A flag that is set.
///
/// ```
/// use nim_slurm::slurm::{Directives, Flag};
///
/// assert_eq!(Directives::new().requeue(Flag).arguments(), ["--requeue"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flag;

/// Whether the job shares its nodes.
///
/// # Syntax
///
/// * `true` (or nothing): no other job runs there. The job gets all CPUs and
///   GPUs, but of the memory only what it asks for: say `mem = 0` as well
/// * `user`, `mcs`: other jobs of the same user or group may run there
/// * `topo`: no other job in the same topology block (Slurm 24.05)
///
/// Source: sbatch(1), `--exclusive`.
///
/// # Errors
///
/// * `group`: no such word
///
/// ```
/// use nim_slurm::slurm::Exclusive;
///
/// assert_eq!(Exclusive::parse("user")?, Exclusive::User);
/// assert!(Exclusive::parse("group").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exclusive {
    /// No other job on the nodes.
    Node,
    /// Only jobs of the same user.
    User,
    /// Only jobs of the same security group.
    Mcs,
    /// No other job in the same topology block.
    Topo,
}

impl Exclusive {
    fn check(text: &str) -> Result<Self, Fault> {
        match text.to_ascii_lowercase().as_str() {
            "" | "true" => Ok(Self::Node),
            "user" => Ok(Self::User),
            "mcs" => Ok(Self::Mcs),
            "topo" => Ok(Self::Topo),
            _ => Err(Fault::rule("true, user, mcs and topo are allowed")),
        }
    }
}

impl fmt::Display for Exclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "true",
            Self::User => "user",
            Self::Mcs => "mcs",
            Self::Topo => "topo",
        })
    }
}

value!(Exclusive, "kind of exclusive node");

/// What happens to an output file that is there.
///
/// # Syntax
///
/// `append` or `truncate`. Slurm looks at the first letter alone; here the word
/// must be whole. Source: sbatch(1), `--open-mode`.
///
/// # Errors
///
/// * `apple`: Slurm reads append
///
/// ```
/// use nim_slurm::slurm::OpenMode;
///
/// assert_eq!(OpenMode::parse("append")?, OpenMode::Append);
/// assert!(OpenMode::parse("apple").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// Keep it, and write behind it: a requeued job keeps its earlier output.
    Append,
    /// Begin it anew.
    Truncate,
}

impl OpenMode {
    fn check(text: &str) -> Result<Self, Fault> {
        match text.to_ascii_lowercase().as_str() {
            "append" => Ok(Self::Append),
            "truncate" => Ok(Self::Truncate),
            _ => Err(Fault::rule("append and truncate are allowed")),
        }
    }
}

impl fmt::Display for OpenMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Truncate => "truncate",
        })
    }
}

value!(OpenMode, "open mode");

/// A whole option of sbatch that this crate does not know.
///
/// # Syntax
///
/// `--name` or `--name=value`: the long form, as sbatch takes it. The value is
/// printable text and is not checked further.
///
/// # Errors
///
/// * `-p batch`, `switches=1`: not a long option
/// * `--partition=batch`, `--part=batch`: the crate knows it; sbatch takes the
///   beginning of a name for the name
/// * `--wrap=ls`, `--test-only`: mean something on the command line alone
/// * `--container-image=…`: would put the whole batch script into the container
///
/// ```
/// use nim_slurm::slurm::Passthrough;
///
/// let option = Passthrough::parse("--switches=1@10:00")?;
/// assert_eq!(option.name(), "switches");
/// assert!(Passthrough::parse("--partition=batch").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Passthrough(String);

impl Passthrough {
    fn check(text: &str) -> Result<Self, Fault> {
        const COMMAND_LINE_ONLY: [&str; 11] = [
            "help",
            "usage",
            "version",
            "verbose",
            "quiet",
            "wrap",
            "test-only",
            "parsable",
            "wait",
            "autocomplete",
            "ignore-pbs",
        ];
        printable(text)?;
        let form = || Fault::rule("a whole long option is allowed, as in --switches=1@10:00");
        let option = text.strip_prefix("--").ok_or_else(form)?;
        let name = option.split_once('=').map_or(option, |(name, _)| name);
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            return Err(form());
        }
        // An alias that the table does not list under its own name.
        let known = if name == "tasks-per-node" {
            "ntasks-per-node"
        } else {
            name
        };
        let is_it = |typed: &&OptionName| typed.long() == known;
        let begins_it = |typed: &&OptionName| typed.long().starts_with(known);
        let mut typed = OptionName::ALL.iter();
        if let Some(typed) = typed.clone().find(is_it).or_else(|| typed.find(begins_it)) {
            return Err(Fault::rule(format!(
                "use the key {} for --{}",
                typed.key(),
                typed.long()
            )));
        }
        if COMMAND_LINE_ONLY.iter().any(|word| word.starts_with(name)) {
            return Err(Fault::rule(format!(
                "--{name} has no place in a script: it is for sbatch's command line"
            )));
        }
        let is_pyxis = name.trim_start_matches("no-").starts_with("container-")
            && !matches!(name, "container-id" | "container-type");
        if is_pyxis {
            return Err(Fault::rule(
                "sbatch would run the whole script in the container; the script's steps name their images themselves",
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

    /// True when sbatch reads the option from this variable. Most are called
    /// after the option. Source: Slurm's `src/sbatch/opt.c`.
    pub(crate) fn is_set_by(&self, variable: &str) -> bool {
        let Some(word) = variable.strip_prefix("SBATCH_") else {
            return false;
        };
        match self.name() {
            "bb" | "bbf" => word == "BURST_BUFFER",
            "cpu-freq" => word == "CPU_FREQ_REQ",
            "no-requeue" => word == "REQUEUE",
            "segment" => word == "SEGMENT_SIZE",
            "switches" => matches!(word, "REQ_SWITCH" | "WAIT4SWITCH"),
            name => word == name.replace('-', "_").to_ascii_uppercase(),
        }
    }
}

text_value!(Passthrough, "passed-through option");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn words() {
        accepts::<Exclusive>("USER", "user");
        accepts::<OpenMode>("Append", "append");
        refuses::<OpenMode>(
            "a",
            "cannot take \"a\" as open mode: append and truncate are allowed",
        );
        refuses::<Exclusive>(
            "x",
            "cannot take \"x\" as kind of exclusive node: true, user, mcs and topo are allowed",
        );
    }

    #[test]
    fn passthrough() {
        accepts::<Passthrough>("--switches=1@10:00", "--switches=1@10:00");
        accepts::<Passthrough>("--contiguous", "--contiguous");
        accepts::<Passthrough>("--extra=a \"b\" #c", "--extra=a \"b\" #c");
        refuses::<Passthrough>(
            "--part=x",
            "cannot take \"--part=x\" as passed-through option: use the key partition for --partition",
        );
        refuses::<Passthrough>(
            "--tasks-per-node=2",
            "cannot take \"--tasks-per-node=2\" as passed-through option: use the key ntasks_per_node for \
             --ntasks-per-node",
        );
        refuses::<Passthrough>(
            "--wrap=ls",
            "cannot take \"--wrap=ls\" as passed-through option: --wrap has no place in a script: it is for sbatch's \
             command line",
        );
        for text in [
            "-p x",
            "switches=1",
            "--",
            "--=x",
            "--Switches",
            "--a\n#SBATCH",
            "--container-image=x",
            "--no-container-mount-home",
        ] {
            assert!(Passthrough::parse(text).is_err(), "{text}");
        }
    }
}
