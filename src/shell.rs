//! How a value becomes part of a script: as exactly one shell word.

use std::fmt;

use askama::filters::{Escaper, Safe};

/// A value that was quoted when a plan was made: a template writes it as it is.
pub(crate) type Quoted = Safe<String>;

/// A value as one shell word.
pub(crate) fn quoted(text: impl AsRef<str>) -> Quoted {
    let text = text.as_ref();
    let mut word = String::with_capacity(text.len() + 2);
    Word.write_escaped_str(&mut word, text)
        .expect("memory takes all that is written to it");
    Safe(word)
}

/// Each value as a shell word of its own.
pub(crate) fn all_quoted<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<Quoted> {
    texts.into_iter().map(quoted).collect()
}

/// Options of mpirun without a value: what follows them is the program that it starts.
const WITHOUT_VALUE: [&str; 4] = [
    "--allow-run-as-root",
    "--oversubscribe",
    "--report-bindings",
    "--use-hwthread-cpus",
];

/// The words of a command, with the value of an option in the row of the option.
pub(crate) fn rows<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> Vec<Quoted> {
    let mut rows: Vec<Quoted> = Vec::new();
    let mut is_option = false;
    for word in words {
        let word = word.as_ref();
        let Safe(text) = quoted(word);
        match rows.last_mut() {
            Some(Safe(row)) if is_option && !word.starts_with('-') => {
                row.push(' ');
                row.push_str(&text);
            }
            _ => rows.push(Safe(text)),
        }
        is_option = word.starts_with('-') && !WITHOUT_VALUE.contains(&word);
    }
    rows
}

/// Short rows, several in one.
pub(crate) fn packed(rows: impl IntoIterator<Item = Quoted>) -> Vec<Quoted> {
    const WIDTH: usize = 100;
    let mut packed: Vec<Quoted> = Vec::new();
    for Safe(text) in rows {
        match packed.last_mut() {
            Some(Safe(row)) if row.len() + text.len() < WIDTH => {
                row.push(' ');
                row.push_str(&text);
            }
            _ => packed.push(Safe(text)),
        }
    }
    packed
}

/// The value of an array: in one line, or a line a row.
pub(crate) fn array(rows: &[Quoted]) -> Quoted {
    Safe(match rows {
        [] => "()".to_owned(),
        [Safe(row)] if row.len() < 80 => format!("({row})"),
        rows => {
            let rows: Vec<_> = rows.iter().map(|Safe(row)| row.as_str()).collect();
            format!("(\n  {}\n)", rows.join("\n  "))
        }
    })
}

/// askama's escaper for `.sh` templates (see `askama.toml`): what is not [`Quoted`] yet is
/// quoted when it is written.
///
/// A value made of plain characters is written as it is; any other goes between
/// single quotes, where the shell takes every byte literally. A value that askama
/// hands over in several pieces becomes several quoted strings side by side,
/// which the shell joins to one word again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word;

impl Escaper for Word {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        // No way out at the first byte that is not plain: so the compiler takes many at once.
        let found = text.bytes().fold(PLAIN, |found, byte| found | kind(byte));
        if found == PLAIN && !text.is_empty() {
            return dest.write_str(text);
        }
        dest.write_str("'")?;
        if found & QUOTE == 0 {
            dest.write_str(text)?;
        } else {
            let mut pieces = text.split('\'');
            dest.write_str(pieces.next().unwrap_or_default())?;
            for piece in pieces {
                dest.write_str("'\\''")?;
                dest.write_str(piece)?;
            }
        }
        dest.write_str("'")
    }
}

/// No shell gives it a meaning, wherever it stands in a word that is an array element or
/// the right side of an assignment.
const PLAIN: u8 = 0;
const SPECIAL: u8 = 1;
/// The one byte that single quotes do not keep.
const QUOTE: u8 = 2;

const fn kind(byte: u8) -> u8 {
    match byte {
        // From '-' to ':' are "./" and the digits; '@' stands before the capitals.
        b'-'..=b':' | b'@'..=b'Z' | b'a'..=b'z' | b'_' | b'%' | b'+' => PLAIN,
        b'\'' => QUOTE,
        _ => SPECIAL,
    }
}

/// `text` as one shell word, for commands that a person is told to type.
///
/// ```
/// use nim_slurm::shell_word;
///
/// assert_eq!(shell_word("it's"), r"'it'\''s'");
/// assert_eq!(shell_word("--comment=a b"), "'--comment=a b'");
/// assert_eq!(shell_word("--gres=gpu:8"), "--gres=gpu:8");
/// ```
#[must_use]
pub fn shell_word(text: &str) -> String {
    // An option needs no quotes for its '='; other words could be assignments.
    if text.starts_with('-')
        && text
            .bytes()
            .all(|byte| kind(byte) == PLAIN || matches!(byte, b'=' | b','))
    {
        return text.to_owned();
    }
    quoted(text).0
}
