//! Texts with rules of their own: the job's name, comment, and output file, and who gets
//! mail. Those without are [`FreeText`](super::FreeText).

use super::file_path::expands_nothing;
use crate::plain::is_hidden;
use crate::value::{Fault, at_most, only, printable, text_value};

/// Most free texts of a job may have this many bytes on the controller.
const LONGEST: usize = 1024;

/// The job's name, as `squeue` shows it.
///
/// # Syntax
///
/// Any printable text without `/`, which would make folders out of `%x` in an
/// output file's name; 1024 bytes at most. Source: sbatch(1), `--job-name`.
///
/// # Errors
///
/// * `bench/70b`: a slash
///
/// ```
/// use nim_slurm::slurm::JobName;
///
/// assert_eq!(JobName::parse("70b #1")?.as_str(), "70b #1");
/// assert!(JobName::parse("bench/70b").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobName(String);

impl JobName {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| !is_hidden(c) && c != '/',
            "printable characters but '/' are allowed",
        )?;
        at_most(text, LONGEST)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(JobName, "job name");

/// A comment on the job. Sites read it, some as JSON.
///
/// # Syntax
///
/// Any printable text; 1024 bytes at most. Source: sbatch(1), `--comment`.
///
/// # Errors
///
/// * a text with a line break
///
/// ```
/// use nim_slurm::slurm::Comment;
///
/// assert_eq!(Comment::parse(r#"{"idle": "ok"}"#)?.as_str(), r#"{"idle": "ok"}"#);
/// assert!(Comment::parse("two\nlines").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Comment(String);

impl Comment {
    fn check(text: &str) -> Result<Self, Fault> {
        printable(text)?;
        at_most(text, LONGEST)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(Comment, "comment");

/// The file that takes what a job prints.
///
/// # Syntax
///
/// A path; Slurm replaces `%A` (array's job id), `%a` (array index), `%b` (index
/// modulo ten, from 24.11), `%j` (job id), `%J` (job and step), `%N` (node), `%n` (node's
/// rank), `%s` (step), `%t` (task), `%u` (user), `%x` (job name), and `%%`; a
/// number between `%` and the letter pads with zeros, up to 10. A relative path
/// begins where the job was submitted. Its folder must exist when the job starts.
/// `none` is `/dev/null`. sbatch and bash expand nothing there, so `~` in front and `$` anywhere are refused.
/// Source: sbatch(1), "filename pattern".
///
/// # Errors
///
/// * `out\j`: a backslash switches all patterns off
/// * `out-%q`: no such pattern, Slurm would keep it as it is
/// * `out ` with a blank at an end: 26.05 drops it
/// * `~/out`, `$HOME/out`
///
/// ```
/// use nim_slurm::slurm::OutputPattern;
///
/// assert_eq!(OutputPattern::parse("logs/%x-%j.out")?.as_str(), "logs/%x-%j.out");
/// assert!(OutputPattern::parse("out-%q").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutputPattern(String);

impl OutputPattern {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| !is_hidden(c) && c != '\\',
            "printable characters but '\\' are allowed",
        )?;
        at_most(text, 4095)?;
        expands_nothing(text)?;
        if text.trim() != text {
            return Err(Fault::rule("it must not begin or end with a blank"));
        }
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c == '%' {
                Self::check_pattern(&mut rest)?;
            }
        }
        Ok(Self(text.to_owned()))
    }

    fn check_pattern(rest: &mut std::str::Chars<'_>) -> Result<(), Fault> {
        const LETTERS: &str = "%AabjJNnstux";
        let mut width = String::new();
        let letter = rest.find(|&c| {
            let is_digit = c.is_ascii_digit();
            if is_digit {
                width.push(c);
            }
            !is_digit
        });
        match letter {
            Some(letter) if LETTERS.contains(letter) => {}
            Some(letter) => {
                return Err(Fault::rule(format!(
                    "Slurm knows no pattern %{width}{letter}: %A, %a, %b, %j, %J, %N, %n, %s, %t, %u, %x and %% are allowed"
                )));
            }
            None => {
                return Err(Fault::rule(
                    "it ends within a pattern: write %% for a percent sign",
                ));
            }
        }
        if !width.is_empty() && !matches!(width.parse(), Ok(1..=10)) {
            return Err(Fault::rule("the width of a pattern must be 1 to 10"));
        }
        Ok(())
    }
}

text_value!(OutputPattern, "output file pattern");

/// Who gets mail about the job.
///
/// # Syntax
///
/// A user's name or a mail address: printable characters but blanks; 1024 bytes at
/// most. Source: sbatch(1), `--mail-user`.
///
/// # Errors
///
/// * `me and you`: white space
///
/// ```
/// use nim_slurm::slurm::MailUser;
///
/// assert_eq!(MailUser::parse("me@site.org")?.as_str(), "me@site.org");
/// assert!(MailUser::parse("me you").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailUser(String);

impl MailUser {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| !is_hidden(c) && !c.is_whitespace(),
            "printable characters but blanks are allowed",
        )?;
        at_most(text, LONGEST)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(MailUser, "mail user");

/// The events that send mail.
///
/// # Syntax
///
/// Words with commas between them: `BEGIN`, `END`, `FAIL`, `REQUEUE`, `ALL`,
/// `INVALID_DEPEND`, `STAGE_OUT`, `TIME_LIMIT`, `TIME_LIMIT_90`, `TIME_LIMIT_80`,
/// `TIME_LIMIT_50`, `ARRAY_TASKS`, or `NONE` alone; in any case. `ALL` does not
/// contain the time limits. Source: sbatch(1), `--mail-type`.
///
/// # Errors
///
/// * `END,foo`: Slurm would drop the unknown word silently
/// * `END, FAIL`: Slurm would drop ` FAIL`
/// * `NONE,END`: `NONE` clears all others
///
/// ```
/// use nim_slurm::slurm::MailType;
///
/// assert_eq!(MailType::parse("end,fail")?.as_str(), "END,FAIL");
/// assert!(MailType::parse("END,foo").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailType(String);

impl MailType {
    const WORDS: [&str; 13] = [
        "NONE",
        "BEGIN",
        "END",
        "FAIL",
        "REQUEUE",
        "ALL",
        "INVALID_DEPEND",
        "STAGE_OUT",
        "TIME_LIMIT",
        "TIME_LIMIT_90",
        "TIME_LIMIT_80",
        "TIME_LIMIT_50",
        "ARRAY_TASKS",
    ];

    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "words such as END and FAIL are allowed, and commas between them";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '_' | ','),
            ALLOWED,
        )?;
        let canonical = text.to_ascii_uppercase();
        let words: Vec<_> = canonical.split(',').collect();
        if let Some(unknown) = words.iter().find(|word| !Self::WORDS.contains(word)) {
            return Err(Fault::rule(format!(
                "{unknown:?} is no event: {} are allowed",
                Self::WORDS.join(", ")
            )));
        }
        if words.len() > 1 && words.contains(&"NONE") {
            return Err(Fault::rule("NONE clears all others: give it alone"));
        }
        Ok(Self(canonical))
    }
}

text_value!(MailType, "mail type");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn free_texts() {
        accepts::<JobName>("llama \"70b\" #1 ü", "llama \"70b\" #1 ü");
        refuses::<JobName>(
            "a/b",
            "unexpected character '/' in job name \"a/b\": printable characters but '/' are allowed",
        );
        accepts::<Comment>(r#"{"a": "b\\c"}"#, r#"{"a": "b\\c"}"#);
        refuses::<Comment>("", "empty comment: printable characters are allowed");
        refuses::<Comment>(
            "a\n#SBATCH --uid=0",
            "unexpected character '\\n' in comment \"a\\n#SBATCH --uid=0\": printable characters are allowed",
        );
    }

    #[test]
    fn output_patterns() {
        accepts::<OutputPattern>("slurm-%4A_%a.out", "slurm-%4A_%a.out");
        accepts::<OutputPattern>("100%%", "100%%");
        accepts::<OutputPattern>("out~", "out~");
        refuses::<OutputPattern>(
            "~/%j.out",
            "cannot take \"~/%j.out\" as output file pattern: sbatch expands no '~': write the folder out",
        );
        refuses::<OutputPattern>(
            "$HOME/%j.out",
            "cannot take \"$HOME/%j.out\" as output file pattern: sbatch expands no variables: write the folder out",
        );
        refuses::<OutputPattern>(
            "a%",
            "cannot take \"a%\" as output file pattern: it ends within a pattern: write %% for a percent sign",
        );
        refuses::<OutputPattern>(
            "a%11j",
            "cannot take \"a%11j\" as output file pattern: the width of a pattern must be 1 to 10",
        );
        refuses::<OutputPattern>(
            "%q",
            "cannot take \"%q\" as output file pattern: Slurm knows no pattern %q: %A, %a, %b, %j, %J, %N, %n, %s, %t, \
             %u, %x and %% are allowed",
        );
    }

    #[test]
    fn mail() {
        accepts::<MailType>("Begin,time_limit_80", "BEGIN,TIME_LIMIT_80");
        refuses::<MailType>(
            "NONE,END",
            "cannot take \"NONE,END\" as mail type: NONE clears all others: give it alone",
        );
        refuses::<MailType>(
            "END, FAIL",
            "unexpected character ' ' in mail type \"END, FAIL\": words such as END and FAIL are allowed, and commas \
             between them",
        );
    }
}
