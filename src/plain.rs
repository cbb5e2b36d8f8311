//! Text of others on its way to a terminal, a page, or a line of a file.

use std::borrow::Cow;
use std::fmt::Write;

/// A text of others, fit for a terminal: what would move its cursor, change its colours,
/// end its line, or turn its letters around is written out.
///
/// That is each control character (C0, DEL and C1, a line break and a tab included), each
/// character that changes the direction of text (U+061C, U+200E, U+200F, U+202A to U+202E,
/// U+2066 to U+2069), and the separators U+2028 and U+2029. All that this crate shows of
/// logs, results, manifests, files and answers of programs goes through it.
///
/// ```
/// use nim_slurm::plain;
///
/// assert_eq!(plain("\u{1b}[2Jall is well\r"), "\\u{1b}[2Jall is well\\r");
/// assert_eq!(plain("gpu\u{202e}5"), "gpu\\u{202e}5");
/// assert_eq!(plain("Modèle λ 模型"), "Modèle λ 模型");
/// ```
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    Cow::Owned(plain)
}

/// The same of a text that has lines, each of which stays one.
pub(crate) fn plain_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(plain).collect();
    lines.join("\n")
}

/// JSON without such characters: they stand in strings alone, where JSON has an escape.
pub(crate) fn plain_json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) && character != '\n' {
            write!(plain, "\\u{:04x}", u32::from(character)).expect("memory takes all");
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Whether a character acts on the text around it, in place of being shown.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// `1 node`, `2 nodes`.
pub(crate) fn counted(count: impl std::fmt::Display, what: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `a, b and c`.
pub(crate) fn listed(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// An error and its sources, as one text.
pub(crate) fn with_sources(
    error: &dyn std::error::Error,
    f: &mut std::fmt::Formatter<'_>,
) -> std::fmt::Result {
    f.write_str(&plain_lines(&error.to_string()))?;
    let mut source = error.source();
    while let Some(cause) = source {
        write!(f, ": {}", plain_lines(&cause.to_string()))?;
        source = cause.source();
    }
    Ok(())
}

/// The `Debug` of an error is what a program says whose `main` returns it.
macro_rules! debug_in_words {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::plain::with_sources(self, f)
            }
        }
    };
}

pub(crate) use debug_in_words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_written_out() {
        for character in [
            '\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{80}', '\u{9b}', '\u{61c}',
        ] {
            let text = character.to_string();
            assert_eq!(plain(&text), character.escape_default().to_string());
        }
        assert_eq!(plain("a\tb\r\n"), "a\\tb\\r\\n");
        assert_eq!(plain_lines("a\u{2069}\nb\r\n"), "a\\u{2069}\nb\\r\n");
        for shown in ["", "a b", "ä€😀", "\u{a0}", "\u{200b}", "\\u{1b}"] {
            assert!(matches!(plain(shown), Cow::Borrowed(text) if text == shown));
        }
    }

    #[cfg(any(feature = "cluster", feature = "results"))]
    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{9b}1m", "\u{7f}\n\"\\"] });
        let text = plain_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, value);
    }
}
