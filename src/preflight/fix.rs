//! What to do about a finding.

use std::ops::Range;

use crate::plain::plain;

/// Sentences, some of whose words are commands to copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fix {
    pub(super) text: String,
    /// Where the commands are in the text.
    pub(super) commands: Vec<Range<usize>>,
}

impl Fix {
    pub(super) fn words(mut self, words: &str) -> Self {
        self.text.push_str(&plain(words));
        self
    }

    pub(super) fn command(mut self, command: &str) -> Self {
        let start = self.text.len();
        self.text.push_str(&plain(command));
        self.commands.push(start..self.text.len());
        self
    }

    /// With what another one says behind it.
    pub(super) fn then(mut self, other: Self) -> Self {
        let start = self.text.len();
        self.text.push_str(&other.text);
        let moved = other.commands.into_iter();
        (self.commands).extend(moved.map(|place| place.start + start..place.end + start));
        self
    }
}

/// A command alone.
pub(super) fn command(command: &str) -> Fix {
    Fix::default().command(command)
}

/// Words, in front of a command.
pub(super) fn words(words: &str) -> Fix {
    Fix::default().words(words)
}

impl From<&str> for Fix {
    fn from(text: &str) -> Self {
        words(text)
    }
}

impl From<String> for Fix {
    fn from(text: String) -> Self {
        words(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_again() {
        let fix = words("ask\t: ").command("srun 'a\n b'").words("; else ");
        let fix = words("first, ").then(fix.command("exit"));
        let commands = fix.commands.iter().cloned();
        let commands: Vec<_> = commands.map(|place| &fix.text[place]).collect();
        assert_eq!(commands, ["srun 'a\\n b'", "exit"]);
        assert_eq!(fix.text, "first, ask\\t: srun 'a\\n b'; else exit");
    }
}
