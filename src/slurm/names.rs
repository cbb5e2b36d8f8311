//! Names that a site gives: partitions, accounts, and the like.

use crate::value::{Fault, at_most, only, text_value};

/// Most free texts of a job may have this many bytes on the controller.
const LONGEST: usize = 1024;

const fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// One name of letters, digits, '_', '-' and '.'; not an option by its looks.
pub(super) fn name(text: &str) -> Result<(), Fault> {
    only(
        text,
        is_name_character,
        "letters, digits, '_', '-' and '.' are allowed",
    )?;
    no_hyphen_first(text)?;
    at_most(text, LONGEST)
}

fn no_hyphen_first(text: &str) -> Result<(), Fault> {
    if text.starts_with('-') {
        return Err(Fault::rule("it must not begin with '-'"));
    }
    Ok(())
}

/// Names with commas between them.
fn names(text: &str, allowed: &'static str) -> Result<(), Fault> {
    only(text, |c| is_name_character(c) || c == ',', allowed)?;
    at_most(text, LONGEST)?;
    for part in text.split(',') {
        if part.is_empty() {
            return Err(Fault::rule("a name is missing before or after a comma"));
        }
        no_hyphen_first(part)?;
    }
    Ok(())
}

/// A partition (queue), or several: Slurm takes the one that starts first.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-` and `.`, with commas between them; 1024
/// bytes at most. Source: sbatch(1), `--partition`.
///
/// # Errors
///
/// * the empty text
/// * `gpu h100`: white space
/// * `batch,`: a name is missing
///
/// ```
/// use nim_slurm::slurm::Partition;
///
/// let partition = Partition::parse("h100,h200")?;
/// assert!(partition.names().eq(["h100", "h200"]));
/// assert!(Partition::parse("gpu h100").is_err());
/// assert_eq!(partition.as_str(), "h100,h200");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Partition(String);

impl Partition {
    fn check(text: &str) -> Result<Self, Fault> {
        names(
            text,
            "letters, digits, '_', '-' and '.' are allowed, and commas between partitions",
        )?;
        Ok(Self(text.to_owned()))
    }

    /// The partitions, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }
}

text_value!(Partition, "partition");

/// The account that is charged.
///
/// # Syntax
///
/// Letters, digits, `_`, `-`, `.` and `@`; not `-` first; 1024 bytes at most. Slurm
/// keeps it in small letters, so that `Proj` and `proj` are one. Source: sbatch(1),
/// `--account`, and sacctmgr(1).
///
/// # Errors
///
/// * `my proj`: white space
///
/// ```
/// use nim_slurm::slurm::Account;
///
/// assert_eq!(Account::parse("proj-7")?.as_str(), "proj-7");
/// assert_eq!(Account::parse("proj@h100")?.as_str(), "proj@h100");
/// assert!(Account::parse("proj$7").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(String);

impl Account {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| is_name_character(c) || c == '@',
            "letters, digits, '_', '-', '.' and '@' are allowed",
        )?;
        no_hyphen_first(text)?;
        at_most(text, LONGEST)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(Account, "account");

/// The quality of service, or several: the job may start under each of them.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-` and `.`, with commas between them; 1024
/// bytes at most. Several need Slurm 24.11. Source: sbatch(1), `--qos`.
///
/// # Errors
///
/// * `high low`: white space
/// * `high,`: a name is missing
/// * `high,high`: several times one
///
/// ```
/// use nim_slurm::slurm::Qos;
///
/// assert_eq!(Qos::parse("high")?.as_str(), "high");
/// assert_eq!(Qos::parse("high,normal")?.as_str(), "high,normal");
/// assert!(Qos::parse("").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Qos(String);

impl Qos {
    fn check(text: &str) -> Result<Self, Fault> {
        names(
            text,
            "letters, digits, '_', '-' and '.' are allowed, and commas between QOS",
        )?;
        // The controller drops what is named twice, and takes what is left for a list with a
        // comma too many.
        let mut names = text.split(',');
        let first = names.next().unwrap_or_default();
        if text.contains(',') && names.all(|name| name.eq_ignore_ascii_case(first)) {
            return Err(Fault::rule("it names one QOS several times"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(Qos, "QOS");

/// A reservation, or several.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-` and `.`, with commas between them; 1024
/// bytes at most. Source: sbatch(1), `--reservation`.
///
/// # Errors
///
/// * `maint,,bench`: a name is missing
///
/// ```
/// use nim_slurm::slurm::Reservation;
///
/// assert_eq!(Reservation::parse("bench_7")?.as_str(), "bench_7");
/// assert!(Reservation::parse("a;b").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reservation(String);

impl Reservation {
    fn check(text: &str) -> Result<Self, Fault> {
        names(
            text,
            "letters, digits, '_', '-' and '.' are allowed, and commas between reservations",
        )?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(Reservation, "reservation");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn partitions() {
        accepts::<Partition>("batch", "batch");
        accepts::<Partition>("h100-a,h100.b,c_1", "h100-a,h100.b,c_1");
        refuses::<Partition>(
            "",
            "empty partition: letters, digits, '_', '-' and '.' are allowed, and commas between partitions",
        );
        refuses::<Partition>(
            "a\nb",
            "unexpected character '\\n' in partition \"a\\nb\": letters, digits, '_', '-' and '.' are allowed, and \
             commas between partitions",
        );
        refuses::<Partition>(
            "batch,",
            "cannot take \"batch,\" as partition: a name is missing before or after a comma",
        );
        refuses::<Partition>(
            "a,-b",
            "cannot take \"a,-b\" as partition: it must not begin with '-'",
        );
    }

    #[test]
    fn one_qos_or_several() {
        accepts::<Qos>("high", "high");
        accepts::<Qos>("high,normal.2", "high,normal.2");
        refuses::<Qos>(
            "-q",
            "cannot take \"-q\" as QOS: it must not begin with '-'",
        );
        refuses::<Qos>(
            "high,",
            "cannot take \"high,\" as QOS: a name is missing before or after a comma",
        );
        accepts::<Qos>("a,b,a", "a,b,a");
        refuses::<Qos>(
            "high,High",
            "cannot take \"high,High\" as QOS: it names one QOS several times",
        );
        refuses::<Qos>(
            "a b",
            "unexpected character ' ' in QOS \"a b\": letters, digits, '_', '-' and '.' are allowed, and commas \
             between QOS",
        );
    }

    #[test]
    fn one_name_each() {
        accepts::<Account>("proj", "proj");
        // Some sites charge each kind of node to an account of its own.
        accepts::<Account>("pyg@h100", "pyg@h100");
        refuses::<Account>(
            "a,b",
            "unexpected character ',' in account \"a,b\": letters, digits, '_', '-', '.' and '@' are allowed",
        );
        let long = "x".repeat(1025);
        assert!(
            Account::parse(&long)
                .unwrap_err()
                .to_string()
                .ends_with("it has 1025 bytes, at most 1024 are allowed")
        );
    }
}
