//! TOML text as values of this crate.
//!
//! toml's own deserializer is four types, and for each of them the compiler translates all
//! that a recipe has. This is one.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Reads a document. The error shows the line, the place in it, and the reason.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, toml::de::Error> {
    let table = DeTable::parse(text)?;
    let span = table.span();
    let root = Node(Spanned::new(span, DeValue::Table(table.into_inner())));
    root.read(PhantomData::<T>)
        .map_err(|refusal| refusal.shown_in(text))
}

/// Why a value is not taken, and where it stands.
#[derive(Debug)]
struct Refusal {
    reason: String,
    span: Option<Range<usize>>,
}

impl Refusal {
    /// The innermost value that knows its place is the one that is wrong.
    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// As toml shows its own errors. It lets no one say where an error is, but for a value
    /// that stands there and is refused.
    fn shown_in(self, text: &str) -> toml::de::Error {
        struct Refuse(String);

        impl Visitor<'_> for Refuse {
            type Value = toml::de::Error;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
                Err(E::custom(self.0))
            }
        }

        let place = Spanned::new(self.span.unwrap_or_default(), DeValue::Boolean(false));
        let refused =
            toml::de::ValueDeserializer::from(place).deserialize_bool(Refuse(self.reason));
        let mut error = refused.unwrap_or_else(|error| error);
        error.set_input(Some(text));
        error
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self {
            reason: reason.to_string(),
            span: None,
        }
    }
}

/// A value of a document.
struct Node<'de>(Spanned<DeValue<'de>>);

impl<'de> Node<'de> {
    /// Reads a value whose place is known where it is refused.
    fn read<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refusal> {
        let span = self.0.span();
        seed.deserialize(self).map_err(|error| error.at(span))
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.into_inner() {
            DeValue::String(text) => visitor.visit_str(&text),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => Err(too_large(&number)),
                }
            }
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                // Endless by its own word, or by its size.
                Ok(value) if !value.is_infinite() || number.as_str().contains("inf") => {
                    visitor.visit_f64(value)
                }
                _ => Err(too_large(&number)),
            },
            DeValue::Boolean(yes) => visitor.visit_bool(yes),
            date @ DeValue::Datetime(_) => Err(mistaken(&date, &visitor)),
            DeValue::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.into_inner() {
            DeValue::Table(table) => visitor.visit_map(Entries::of(table)),
            other => Err(mistaken(&other, &visitor)),
        }
    }

    /// A table only: serde would also take the fields as an array.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.into_inner() {
            DeValue::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            other => Err(mistaken(&other, &visitor)),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.0.into_inner() {
            DeValue::String(key) => visitor.visit_str(&key),
            other => Err(mistaken(&other, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant's name, or a table of it and its value.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.0.into_inner() {
            DeValue::String(name) => visitor.visit_enum(name.into_deserializer()),
            DeValue::Table(table) if table.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Entries::of(table)))
            }
            other => Err(de::Error::custom(format_args!(
                "a text or a table with one key is allowed here, not this {}",
                other.type_str()
            ))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple tuple_struct ignored_any
    }
}

/// A value of another kind than the one that is expected.
fn mistaken(given: &DeValue<'_>, expected: &dyn Expected) -> Refusal {
    let given = match given {
        DeValue::String(text) => Unexpected::Str(text),
        DeValue::Boolean(yes) => Unexpected::Bool(*yes),
        DeValue::Integer(_) => Unexpected::Other("integer"),
        DeValue::Float(_) => Unexpected::Other("floating point number"),
        DeValue::Datetime(_) => Unexpected::Other("a date or a time"),
        DeValue::Array(_) => Unexpected::Seq,
        DeValue::Table(_) => Unexpected::Map,
    };
    de::Error::invalid_type(given, expected)
}

fn too_large(number: &dyn fmt::Display) -> Refusal {
    de::Error::custom(format_args!("the number {number} is too large"))
}

/// The items of an array.
struct Items<I>(I);

impl<'de, I: Iterator<Item = Spanned<DeValue<'de>>>> SeqAccess<'de> for Items<I> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        self.0.next().map(|item| Node(item).read(seed)).transpose()
    }
}

/// The entries of a table.
struct Entries<'de> {
    entries: toml::map::IntoIter<Spanned<DeString<'de>>, Spanned<DeValue<'de>>>,
    /// The value of the key that was read last.
    value: Option<Spanned<DeValue<'de>>>,
}

impl<'de> Entries<'de> {
    fn of(table: DeTable<'de>) -> Self {
        Self {
            entries: table.into_iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Refusal;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refusal> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let key = Spanned::new(key.span(), DeValue::String(key.into_inner()));
        Node(key).read(seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        let value = self.value.take().expect("a key was read before");
        Node(value).read(seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::read;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        name: Option<String>,
        #[serde(default)]
        counts: BTreeMap<String, u8>,
        #[serde(default)]
        ways: Vec<Way>,
        limit: Option<f64>,
        table: Option<Box<Self>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Way {
        Plain,
        Named(String),
    }

    /// Where both read a text, they agree; where toml refuses one, this does.
    #[test]
    fn it_reads_what_toml_reads() {
        for text in [
            "",
            "name = 'a'",
            "name = \"tab\\t\"\ncounts = { a = 0x1f, b = 1_0 }",
            "ways = ['plain', { named = 'x' }]\nlimit = 1.5e3",
            "limit = inf",
            "[table]\nname = '''\nlines\nof text'''\n[table.table]\n",
            "a.b = 1",
            "name = 1",
            "name = 1979-05-27",
            "counts.a = 300",
            "counts.a = 99999999999999999999",
            "counts = []",
            "ways = 'plain'",
            "ways = ['other']",
            "ways = [1]",
            "ways = [{ named = 'x', plain = 1 }]",
            "ways = [{ }]",
            "ways = [{ plain = 1 }]",
            "ways = ['named']",
            "limit = 1e999",
            "limit = 'x'",
            "name = 'a'\nname = 'b'",
            "name = ",
            "[table]\nothers = 1",
            "table = 1.5",
            "ways = 7",
        ] {
            let own = read::<Document>(text);
            let theirs = toml::from_str::<Document>(text);
            assert_eq!(own.as_ref().ok(), theirs.as_ref().ok(), "{text}: {own:?}");
        }
    }

    #[test]
    fn errors_show_the_place() {
        let text = "name = 'a'\n[table]\ncounts = { a = 1, b = 'x' }\n";
        let own = read::<Document>(text).unwrap_err();
        let theirs = toml::from_str::<Document>(text).unwrap_err();
        assert_eq!(own.to_string(), theirs.to_string());
        let array = read::<Document>("table = ['a', {}, [], 1.5]").unwrap_err();
        let words = "invalid type: sequence, expected struct Document";
        assert!(array.to_string().contains(words), "{array}");
        let number = read::<Document>("counts.a = 99999999999999999999").unwrap_err();
        let words = "the number 99999999999999999999 is too large";
        assert!(number.to_string().contains(words), "{number}");
        let shown =
            "1 | name = 07:00:00\n  |        ^^^^^^^^\ninvalid type: a date or a time, expected";
        let time = read::<Document>("name = 07:00:00").unwrap_err();
        assert!(time.to_string().contains(shown), "{time}");
    }
}
