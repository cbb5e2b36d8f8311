//! The options as a table of TOML.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::options::{KEYS, PASSTHROUGH};
use super::refused::{long_of, refused};
use super::value::Argument;
use super::{Directives, OptionName};
use crate::slurm::Passthrough;
use crate::value::nearest;

/// A key of a TOML table of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionKey {
    Name(OptionName),
    Passthrough,
}

impl OptionKey {
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        if key == PASSTHROUGH {
            Some(Self::Passthrough)
        } else {
            OptionName::from_key(key).map(Self::Name)
        }
    }
}

/// Remembers a key, and refuses one that was there before: TOML has each once, and JSON may not.
pub(crate) fn once<K: PartialEq, E: de::Error>(
    seen: &mut Vec<K>,
    key: K,
    name: &'static str,
) -> Result<(), E> {
    if seen.contains(&key) {
        return Err(E::duplicate_field(name));
    }
    seen.push(key);
    Ok(())
}

impl<'de> de::Deserialize<'de> for OptionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = OptionKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an option of sbatch with '_' for '-'")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<OptionKey, E> {
                OptionKey::from_key(key).ok_or_else(|| unknown_key(key, &[]))
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

/// The error for a key that is no option, in a table that also takes `others`. A slip
/// is told from a guess: who mistyped a name needs no list of a hundred.
pub(crate) fn unknown_key<E: de::Error>(key: &str, others: &[&str]) -> E {
    let spelled = key.replace('-', "_");
    if let Some(reason) = refused(&key.replace('_', "-")) {
        return E::custom(format_args!("no key {key:?}: {reason}"));
    }
    let all = [others, KEYS].concat();
    let mut letters = key.chars();
    let long = letters.next().filter(|_| letters.next().is_none());
    let long = long.and_then(long_of).map(|long| long.replace('-', "_"));
    let nearest = long.as_deref().or_else(|| nearest(&spelled, &all));
    match meant(&spelled, nearest, &all) {
        Some(meant) => E::custom(format_args!(
            "unknown key {key:?}: perhaps {meant} is meant; sbatch's long options are allowed, with '_' for '-'"
        )),
        None if others.is_empty() => E::custom(format_args!(
            "unknown key {key:?}: sbatch's long options are allowed, with '_' for '-' (man sbatch lists them)"
        )),
        None => E::custom(format_args!(
            "unknown key {key:?}: {} and sbatch's long options are allowed, with '_' for '-' (man sbatch lists them)",
            others.join(", ")
        )),
    }
}

/// What is perhaps meant: names that go on where the given one ends (`cpus`: `cpus_per_task`) rather than one that has
/// another letter (`gpus`), as long as they are few.
fn meant(given: &str, nearest: Option<&str>, all: &[&str]) -> Option<String> {
    let goes_on = |name: &&str| name.starts_with(given);
    let longer: Vec<_> = all.iter().copied().filter(goes_on).collect();
    let is_few = given.len() > 2 && (1..=3).contains(&longer.len());
    match nearest {
        Some(nearest) if !is_few || goes_on(&nearest) => Some(nearest.to_owned()),
        _ => is_few.then(|| longer.join(" or ")),
    }
}

/// The error for an option with a key that is passed through as well.
fn set_twice<E: de::Error>(name: OptionName) -> E {
    E::custom(format_args!(
        "{name} is set twice: by its key {} and in {PASSTHROUGH}",
        name.key()
    ))
}

/// Reads an option's value into the options; `false` leaves it out.
struct Entry<'a> {
    name: OptionName,
    directives: &'a mut Directives,
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Entry<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value for {}, or false to leave it out", self.name)
    }

    fn visit_bool<E: de::Error>(self, set: bool) -> Result<(), E> {
        let Self { name, directives } = self;
        if !set {
            directives.leave_out(name);
        } else if !directives.set_alone(name) {
            return Err(E::custom(format_args!(
                "{name} needs a value: only an option without one, such as exclusive, may stand alone or be true"
            )));
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.directives.set(self.name, text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<(), E> {
        self.visit_str(&number.to_string())
    }
}

impl<'de> de::Deserialize<'de> for Directives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableVisitor;

        impl<'de> Visitor<'de> for TableVisitor {
            type Value = Directives;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of sbatch's options")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Directives, A::Error> {
                let (mut directives, mut seen) = (Directives::default(), Vec::new());
                while let Some(key) = map.next_key()? {
                    directives.take_entry(key, &mut seen, &mut map)?;
                }
                Ok(directives)
            }
        }

        deserializer.deserialize_map(TableVisitor)
    }
}

impl Serialize for Directives {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.give_entries(&mut map)?;
        map.end()
    }
}

impl Directives {
    /// Reads the value of a map's key: a typed value, or `false` to leave
    /// the option out.
    pub(crate) fn take_entry<'de, A: MapAccess<'de>>(
        &mut self,
        key: OptionKey,
        seen: &mut Vec<OptionKey>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let name = match key {
            OptionKey::Passthrough => PASSTHROUGH,
            OptionKey::Name(name) => name.key(),
        };
        once(seen, key, name)?;
        match key {
            OptionKey::Passthrough => {
                let options: Vec<Passthrough> = map.next_value()?;
                let mut keys = options.iter().filter_map(Passthrough::key);
                if let Some(twice) = keys.find(|&(name, _)| self.is_set(name)) {
                    return Err(set_twice(twice.0));
                }
                *self = std::mem::take(self).passthrough(options);
            }
            OptionKey::Name(name) => {
                // What is set came from passthrough.
                if self.is_set(name) {
                    return Err(set_twice(name));
                }
                map.next_value_seed(Entry {
                    name,
                    directives: self,
                })?;
            }
        }
        Ok(())
    }

    /// Writes the table's entries into a map that may have others.
    pub(crate) fn give_entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for &name in OptionName::ALL {
            match self.argument(name) {
                Some(Argument::Flag) => map.serialize_entry(name.key(), &true)?,
                Some(Argument::Number(number)) => map.serialize_entry(name.key(), &number)?,
                Some(Argument::Text(text)) => map.serialize_entry(name.key(), &text)?,
                None if self.is_omitted(name) => map.serialize_entry(name.key(), &false)?,
                None => {}
            }
        }
        if !self.passthrough.is_empty() {
            map.serialize_entry(PASSTHROUGH, &self.passthrough)?;
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "results"))]
mod tests {
    use crate::job_options::JobOptions;
    use crate::slurm::Directives;

    #[test]
    fn a_key_that_is_there_twice() {
        for (text, key) in [
            (r#"{"mem": false, "mem": "1G"}"#, "mem"),
            (r#"{"mem": "1G", "mem": false}"#, "mem"),
            (r#"{"nodes": 1, "nodes": 2}"#, "nodes"),
            (
                r#"{"passthrough": [], "passthrough": ["--new"]}"#,
                "passthrough",
            ),
        ] {
            let words = format!("duplicate field `{key}` at ");
            let error = serde_json::from_str::<Directives>(text)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(&words), "{error}");
            let error = serde_json::from_str::<JobOptions>(text)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(&words), "{error}");
        }
        let scripts = r#"{"launch": {"nodes": 1}, "mem": "1G", "launch": {"mem": "1G"}}"#;
        let error = serde_json::from_str::<JobOptions>(scripts)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("duplicate field `launch`"), "{error}");
    }
}
