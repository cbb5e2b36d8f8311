//! The servers that a sweep measures: each variant, or the one without.

use std::collections::BTreeMap;

use crate::recipe::{Server, Variant, Word};

/// A server's words and variables, with those of its variant.
pub(super) struct Measured<'a> {
    pub(super) command: Vec<&'a str>,
    pub(super) environment: BTreeMap<&'a str, &'a str>,
}

impl<'a> Measured<'a> {
    pub(super) fn all(server: &'a Server) -> Vec<Self> {
        let mut of_variants: Vec<_> = server.variants.iter().map(Some).collect();
        if of_variants.is_empty() {
            of_variants.push(None);
        }
        let of_variant = |variant: Option<&'a Variant>| {
            let words = variant.into_iter().flat_map(|own| &own.command);
            let own = variant.into_iter().flat_map(|own| &own.environment);
            let variables = server.environment.iter().chain(own);
            Self {
                command: server
                    .command
                    .iter()
                    .chain(words)
                    .map(Word::as_str)
                    .collect(),
                environment: variables
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect(),
            }
        };
        of_variants.into_iter().map(of_variant).collect()
    }

    /// The words, and the values of variables.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'a str> {
        let values = self.environment.values();
        self.command.iter().chain(values).copied()
    }

    /// The words as names of programs: of `/app/llama-server` the file's, of Python's `vllm.entrypoints.openai.api_server` the
    /// package's.
    pub(super) fn programs(&self) -> impl Iterator<Item = &'a str> {
        let name = |word: &&'a str| word.rsplit('/').next()?.split('.').next();
        self.command.iter().filter_map(name)
    }

    /// The last of these flags in the command, which counts, as it is written, and its value. Servers take `_` for `-`.
    pub(super) fn value_of(&self, flags: &[&str]) -> Option<(&'a str, &'a str)> {
        value_of(&self.command, flags)
    }

    /// The same of the server's own words: what stands before `--` is another program's.
    pub(super) fn own_value_of(&self, flags: &[&str]) -> Option<(&'a str, &'a str)> {
        let words = self.command.rsplit(|word| *word == "--").next();
        value_of(words.unwrap_or_default(), flags)
    }
}

fn value_of<'a>(words: &[&'a str], flags: &[&str]) -> Option<(&'a str, &'a str)> {
    let is_one = |word: &str| flags.contains(&word.replace('_', "-").as_str());
    let mut found = None;
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((flag, value)) if is_one(flag) => found = Some((flag, value)),
            None if is_one(word) => found = Some((word, words.next().unwrap_or_default())),
            _ => {}
        }
    }
    found
}
