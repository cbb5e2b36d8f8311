//! Options that take several of a few words.

use crate::value::{Fault, only, text_value};

/// Splits at commas; each part must be one of the words, once.
fn check_words(text: &str, words: &[&str]) -> Result<(), Fault> {
    const ALLOWED: &str = "words are allowed, and commas between them";
    only(
        text,
        |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ','),
        ALLOWED,
    )?;
    for (index, word) in text.split(',').enumerate() {
        if !words.contains(&word) {
            return Err(Fault::rule(format!(
                "{word:?} is not among its words: {} are allowed",
                words.join(", ")
            )));
        }
        if text.split(',').take(index).any(|before| before == word) {
            return Err(Fault::rule(format!("{word:?} stands there twice")));
        }
    }
    Ok(())
}

/// Refuses a word that says all beside others.
fn alone(text: &str, words: &[&str]) -> Result<(), Fault> {
    match text.split(',').find(|word| words.contains(word)) {
        Some(word) if word != text => Err(Fault::rule(format!("{word:?} stands alone"))),
        _ => Ok(()),
    }
}

/// Gives the words of a list.
macro_rules! word_list {
    ($type:ty, $name:literal) => {
        impl $type {
            /// The words, in order.
            pub fn words(&self) -> impl Iterator<Item = &str> {
                self.0.split(',')
            }
        }

        text_value!($type, $name);
    };
}

/// How tasks are to be bound to cores and threads.
///
/// # Syntax
///
/// `multithread`, or `nomultithread`, `compute_bound` or `memory_bound`, and one of the
/// last two with a comma before `nomultithread`; in any case. Source: sbatch(1),
/// `--hint`.
///
/// # Errors
///
/// * `help`: sbatch would print a list and submit nothing
/// * `multithread,nomultithread`: they exclude each other
/// * `compute_bound,multithread`: the first is for one thread a core
///
/// ```
/// use nim_slurm::slurm::Hint;
///
/// assert_eq!(Hint::parse("NoMultithread")?.as_str(), "nomultithread");
/// assert!(Hint::parse("help").is_err());
/// assert!(Hint::parse("compute_bound,nomultithread")?.words().eq(["compute_bound", "nomultithread"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hint(String);

impl Hint {
    fn check(text: &str) -> Result<Self, Fault> {
        let canonical = text.to_ascii_lowercase();
        let pairs = [
            ["compute_bound", "memory_bound"],
            ["multithread", "nomultithread"],
            ["compute_bound", "multithread"],
            ["memory_bound", "multithread"],
        ];
        check_words(&canonical, pairs[..2].as_flattened())?;
        for [first, second] in pairs {
            let has = |word| canonical.split(',').any(|given| given == word);
            if has(first) && has(second) {
                return Err(Fault::rule(format!(
                    "{first} and {second} exclude each other"
                )));
            }
        }
        Ok(Self(canonical))
    }
}

word_list!(Hint, "hint");

/// How strictly generic resources are tied to cores, and how they are shared.
///
/// # Syntax
///
/// `enforce-binding` or `disable-binding`; since Slurm 23.11
/// `one-task-per-sharing` or `multiple-tasks-per-sharing` as well, with a comma
/// between. Source: sbatch(1), `--gres-flags`.
///
/// # Errors
///
/// * `allow-task-sharing`: a flag of srun alone
/// * `enforce-binding,disable-binding`: they exclude each other
///
/// ```
/// use nim_slurm::slurm::GresFlags;
///
/// assert_eq!(GresFlags::parse("enforce-binding")?.as_str(), "enforce-binding");
/// assert!(GresFlags::parse("allow-task-sharing").is_err());
/// assert!(GresFlags::parse("enforce-binding")?.words().eq(["enforce-binding"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GresFlags(String);

impl GresFlags {
    fn check(text: &str) -> Result<Self, Fault> {
        let canonical = text.to_ascii_lowercase();
        let pairs = [
            ["enforce-binding", "disable-binding"],
            ["one-task-per-sharing", "multiple-tasks-per-sharing"],
        ];
        check_words(&canonical, pairs.as_flattened())?;
        for [first, second] in pairs {
            if canonical.contains(first) && canonical.contains(second) {
                return Err(Fault::rule(format!(
                    "{first} and {second} exclude each other"
                )));
            }
        }
        Ok(Self(canonical))
    }
}

word_list!(GresFlags, "GRES flags");

/// What is sampled for the job's profile.
///
/// # Syntax
///
/// `none` or `all`, or some of `energy`, `task`, `lustre` and `network` with commas
/// between them, in any case. Source: sbatch(1), `--profile`.
///
/// # Errors
///
/// * `all,task`: `all` says it
/// * `filesystem`: a word of some releases only, which `lustre` is in all
///
/// ```
/// use nim_slurm::slurm::Profile;
///
/// assert_eq!(Profile::parse("Energy,Task")?.as_str(), "energy,task");
/// assert!(Profile::parse("all,task").is_err());
/// assert!(Profile::parse("Energy,Task")?.words().eq(["energy", "task"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Profile(String);

impl Profile {
    fn check(text: &str) -> Result<Self, Fault> {
        let canonical = text.to_ascii_lowercase();
        check_words(
            &canonical,
            &["none", "all", "energy", "task", "lustre", "network"],
        )?;
        alone(&canonical, &["none", "all"])?;
        Ok(Self(canonical))
    }
}

word_list!(Profile, "profile");

/// Which limits of the submitting shell (`ulimit`) the job gets.
///
/// # Syntax
///
/// `ALL` or `NONE`, or some of `AS`, `CORE`, `CPU`, `DATA`, `FSIZE`, `MEMLOCK`,
/// `NOFILE`, `NPROC`, `RSS` and `STACK` with commas between them, in any case (Slurm
/// takes capital letters only) and with or without `RLIMIT_` in front. Source:
/// sbatch(1), `--propagate`.
///
/// # Errors
///
/// * `NONE,CORE`: `NONE` stands alone
/// * `OPENFILES`: no such limit
///
/// ```
/// use nim_slurm::slurm::Propagate;
///
/// assert_eq!(Propagate::parse("rlimit_core,nofile")?.as_str(), "CORE,NOFILE");
/// assert!(Propagate::parse("OPENFILES").is_err());
/// assert!(Propagate::parse("rlimit_core,nofile")?.words().eq(["CORE", "NOFILE"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Propagate(String);

impl Propagate {
    fn check(text: &str) -> Result<Self, Fault> {
        let upper = text.to_ascii_uppercase();
        let mut canonical = String::with_capacity(upper.len());
        for (index, word) in upper.split(',').enumerate() {
            if index > 0 {
                canonical.push(',');
            }
            canonical.push_str(word.strip_prefix("RLIMIT_").unwrap_or(word));
        }
        check_words(
            &canonical,
            &[
                "ALL", "NONE", "AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "NOFILE", "NPROC",
                "RSS", "STACK",
            ],
        )?;
        alone(&canonical, &["ALL", "NONE"])?;
        Ok(Self(canonical))
    }
}

word_list!(Propagate, "list of limits");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn lists() {
        accepts::<Hint>("compute_bound,nomultithread", "compute_bound,nomultithread");
        accepts::<GresFlags>("Disable-Binding", "disable-binding");
        accepts::<Profile>("NONE", "none");
        accepts::<Propagate>("all", "ALL");
        refuses::<Hint>(
            "compute_bound,memory_bound",
            "cannot take \"compute_bound,memory_bound\" as hint: compute_bound and memory_bound exclude each other",
        );
        refuses::<Profile>(
            "task,task",
            "cannot take \"task,task\" as profile: \"task\" stands there twice",
        );
        assert!(Propagate::parse(",CORE").is_err());
        refuses::<Propagate>(
            "NONE,CORE",
            "cannot take \"NONE,CORE\" as list of limits: \"NONE\" stands alone",
        );
        refuses::<GresFlags>(
            "foo",
            "cannot take \"foo\" as GRES flags: \"foo\" is not among its words: enforce-binding, disable-binding, \
             one-task-per-sharing, multiple-tasks-per-sharing are allowed",
        );
        for text in ["", "task,", "task, energy", "TASK\n"] {
            assert!(Profile::parse(text).is_err(), "{text}");
        }
    }
}
