//! What all typed values share: one error, and one way in and out.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;

use crate::plain::is_hidden;

/// A text that is no value of the type that was asked for.
///
/// It reads as a sentence that says what was given, and what is allowed:
///
/// ```
/// use nim_slurm::slurm::Partition;
///
/// let error = Partition::parse("gpu h100").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "unexpected character ' ' in partition \"gpu h100\": letters, digits, '_', '-' and '.' are allowed, \
///      and commas between partitions",
/// );
/// assert_eq!(error.value_name(), "partition");
/// assert_eq!(error.given(), "gpu h100");
/// assert_eq!(error.kind(), nim_slurm::ValueErrorKind::Character(' '));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ValueError {
    value_name: &'static str,
    given: String,
    fault: Fault,
}

crate::plain::debug_in_words!(ValueError);

/// What is wrong with a text, for a program.
///
/// ```
/// use nim_slurm::ValueErrorKind;
/// use nim_slurm::slurm::TimeLimit;
///
/// assert_eq!(TimeLimit::parse("").unwrap_err().kind(), ValueErrorKind::Empty);
/// assert_eq!(TimeLimit::parse("1h").unwrap_err().kind(), ValueErrorKind::Character('h'));
/// assert_eq!(TimeLimit::parse("0").unwrap_err().kind(), ValueErrorKind::Rule);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// There is no text.
    Empty,
    /// A character that has no place in it, the first one.
    Character(char),
    /// It breaks another rule, which the error's text says.
    Rule,
}

/// What is wrong with a text, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is none; and what is allowed.
    Empty(&'static str),
    /// A character that has no place in it; and what is allowed.
    Character(char, &'static str),
    /// Anything else: a rule, in words.
    Rule(String),
    /// The same of a text that may have a secret in it.
    Secret(String),
}

/// What is said in place of a text that may have a secret in it.
pub(crate) const NOT_SHOWN: &str = "(not shown, since a secret may be in it)";

impl Fault {
    pub(crate) fn rule(text: impl Into<String>) -> Self {
        Self::Rule(text.into())
    }

    pub(crate) fn secret(text: impl Into<String>) -> Self {
        Self::Secret(text.into())
    }

    /// With what the whole text may be, in place of what is allowed in a part of it.
    pub(crate) fn allowing(self, allowed: &'static str) -> Self {
        match self {
            Self::Empty(_) => Self::Empty(allowed),
            Self::Character(character, _) => Self::Character(character, allowed),
            other => other,
        }
    }
}

impl ValueError {
    pub(crate) fn new(value_name: &'static str, given: &str, mut fault: Fault) -> Self {
        // Some checks read the text in small or in capital letters.
        if let Fault::Character(character, _) = &mut fault {
            let is_same = |other: &char| other.eq_ignore_ascii_case(character);
            let exact = given.chars().find(|other| other == character);
            *character = exact
                .or_else(|| given.chars().find(is_same))
                .unwrap_or(*character);
        }
        Self {
            value_name,
            given: given.to_owned(),
            fault,
        }
    }

    /// What the text should have been: "partition", "time limit".
    #[must_use]
    pub const fn value_name(&self) -> &'static str {
        self.value_name
    }

    /// The text as it was given.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn kind(&self) -> ValueErrorKind {
        match self.fault {
            _ if self.given.is_empty() => ValueErrorKind::Empty,
            Fault::Empty(_) => ValueErrorKind::Empty,
            Fault::Character(character, _) => ValueErrorKind::Character(character),
            Fault::Rule(_) | Fault::Secret(_) => ValueErrorKind::Rule,
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 80;
        const RULE: usize = 400;
        let value = self.value_name;
        let shortened = |text: &str, most: usize| -> String {
            let is_long = text.chars().nth(most).is_some();
            let end = if is_long { "…" } else { "" };
            text.chars().take(most).chain(end.chars()).collect()
        };
        let given = shortened(&self.given, SHOWN);
        match &self.fault {
            Fault::Empty(allowed) => write!(f, "empty {value}: {allowed}"),
            Fault::Character(character, allowed) => {
                write!(
                    f,
                    "unexpected character {character:?} in {value} {given:?}: {allowed}"
                )
            }
            // A rule may repeat a part of the text.
            Fault::Rule(rule) => {
                let rule = shortened(rule, RULE);
                write!(f, "cannot take {given:?} as {value}: {rule}")
            }
            Fault::Secret(rule) => write!(f, "cannot take this {value} {NOT_SHOWN}: {rule}"),
        }
    }
}

impl std::error::Error for ValueError {}

/// A value that has its type already is never refused.
impl From<Infallible> for ValueError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// An environment variable that cannot be used.
///
/// ```
/// let error = nim_slurm::Settings::new()
///     .with_environment([("SBATCH_TIMELIMIT", "1h")])
///     .unwrap_err();
/// assert!(error.to_string().starts_with("cannot use the variable SBATCH_TIMELIMIT"));
/// assert_eq!(error.name(), "SBATCH_TIMELIMIT");
/// assert_eq!(error.value_error().given(), "1h");
/// assert_eq!(error.value_error().kind(), nim_slurm::ValueErrorKind::Character('h'));
///
/// // All are told at once.
/// let variables = [("SBATCH_TIMELIMIT", "1h"), ("SBATCH_ACCOUNT", "a b"), ("STAGE_PATH", "nim")];
/// let error = nim_slurm::Settings::new().with_environment(variables).unwrap_err();
/// let others: Vec<_> = error.others().iter().map(|other| other.name()).collect();
/// assert_eq!((error.name(), others), ("STAGE_PATH", vec!["SBATCH_TIMELIMIT", "SBATCH_ACCOUNT"]));
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the variable {name}")]
pub struct VariableError {
    name: String,
    #[source]
    source: ValueError,
    others: Vec<Self>,
}

crate::plain::debug_in_words!(VariableError);

impl VariableError {
    pub(crate) fn new(name: &str, source: ValueError) -> Self {
        Self {
            name: name.to_owned(),
            source,
            others: Vec::new(),
        }
    }

    /// The first of several, with the others behind it.
    pub(crate) fn all(errors: Vec<Self>) -> Result<(), Self> {
        let mut errors = errors.into_iter();
        errors.next().map_or(Ok(()), |mut first| {
            first.others.extend(errors);
            Err(first)
        })
    }

    /// Each of them alone.
    pub(crate) fn each(mut self) -> Vec<Self> {
        let others = std::mem::take(&mut self.others);
        std::iter::once(self).chain(others).collect()
    }

    /// The text of a variable's value, if it is one.
    pub(crate) fn text<'a>(name: &str, value: &'a OsStr) -> Result<&'a str, Self> {
        value.to_str().ok_or_else(|| {
            let given = value.to_string_lossy();
            let source = ValueError::new("text", &given, Fault::rule("it is not UTF-8"));
            Self::new(name, source)
        })
    }

    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with its value.
    #[must_use]
    pub const fn value_error(&self) -> &ValueError {
        &self.source
    }

    /// The other variables that cannot be used, in their order.
    #[must_use]
    pub fn others(&self) -> &[Self] {
        &self.others
    }
}

/// Refuses the empty text and the first character that is not allowed.
pub(crate) fn only(
    text: &str,
    is_allowed: fn(char) -> bool,
    allowed: &'static str,
) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::Empty(allowed));
    }
    text.chars()
        .find(|&c| !is_allowed(c))
        .map_or(Ok(()), |c| Err(Fault::Character(c, allowed)))
}

/// Refuses what is longer than Slurm or the file system takes.
pub(crate) fn at_most(text: &str, bytes: usize) -> Result<(), Fault> {
    if text.len() > bytes {
        return Err(Fault::rule(format!(
            "it has {} bytes, at most {bytes} are allowed",
            text.len()
        )));
    }
    Ok(())
}

/// Text that a person reads: anything printable, at least one character.
pub(crate) fn printable(text: &str) -> Result<(), Fault> {
    only(text, |c| !is_hidden(c), "printable characters are allowed")
}

/// A whole number without sign, blanks or suffix, as Slurm counts things.
pub(crate) fn whole_number(text: &str) -> Result<u32, Fault> {
    number_up_to(text, i32::MAX.unsigned_abs() - 1)
}

/// A job's number: of 32 bits, Slurm keeps 0 and the last two for "none". Where clusters are federated, the upper 6 are the cluster's.
pub(crate) fn job_number(text: &str) -> Result<u32, Fault> {
    match number_up_to(text, u32::MAX - 2)? {
        0 => Err(Fault::rule("it must be at least 1")),
        number => Ok(number),
    }
}

fn number_up_to(text: &str, most: u32) -> Result<u32, Fault> {
    const ALLOWED: &str = "digits alone are allowed, as in 8";
    only(text, |c| c.is_ascii_digit(), ALLOWED)?;
    text.parse()
        .ok()
        .filter(|&n: &u32| n <= most)
        .ok_or_else(|| Fault::rule(format!("it is too large: at most {most} is allowed")))
}

/// A whole number of at least one.
pub(crate) fn positive_number(text: &str) -> Result<u32, Fault> {
    match whole_number(text)? {
        0 => Err(Fault::rule("it must be at least 1")),
        number => Ok(number),
    }
}

/// Gives a type with a private `check(&str) -> Result<Self, Fault>` and a
/// `Display` its public ways in and out, all of which are the same check.
macro_rules! value {
    ($type:ty, $name:literal) => {
        $crate::value::value!(@ways $type, $name);

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = $crate::value::text(deserializer, $name)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        $crate::value::value!(@serialize $type);
    };
    (@ways $type:ty, $name:literal) => {
        impl $type {
            #[doc = concat!("Takes a text as ", $name, ", if it is one.")]
            ///
            /// # Errors
            ///
            /// Says which part of the text is not allowed, and what is; see the type's own
            /// documentation.
            pub fn parse(text: &str) -> Result<Self, $crate::value::ValueError> {
                Self::check(text).map_err(|fault| $crate::value::ValueError::new($name, text, fault))
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::value::ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $crate::value::ValueError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }
    };
    (@serialize $type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_string())
            }
        }
    };
}

/// Gives a type that keeps its text in `.0` the accessor, and [`value!`].
macro_rules! text_value {
    ($type:ty, $name:literal) => {
        impl $type {
            /// The value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        $crate::value::value!($type, $name);
    };
}

/// Lets a number stand where a value is meant that is one: `nodes(8)`. A literal is an `i32`.
macro_rules! from_number {
    ($type:ty) => {
        $crate::value::from_number!($type: i32, i64, u8, u16, u32, u64, usize);
    };
    ($type:ty: $($number:ty),*) => {
        $(impl TryFrom<$number> for $type {
            type Error = $crate::value::ValueError;

            fn try_from(number: $number) -> Result<Self, Self::Error> {
                Self::parse(&number.to_string())
            }
        })*
    };
}

pub(crate) use {from_number, text_value, value};

/// Reads the text of a value; a number may be bare. It knows nothing of the value's type, or the
/// compiler would translate it for each.
pub(crate) fn text<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
    name: &'static str,
) -> Result<String, D::Error> {
    deserializer.deserialize_any(TextVisitor { name })
}

struct TextVisitor {
    name: &'static str,
}

impl serde::de::Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text as {}", self.name)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    /// No value has a fraction, and a number would drop the zero of 23.10.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<String, E> {
        Err(E::custom(format_args!(
            "cannot take the number {number} as {}: write it in quotes",
            self.name
        )))
    }
}

/// The known name that `given` was most likely to be: a third of its letters may be wrong.
pub(crate) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    /// No option has a longer name, and a long text is not compared with each.
    const LONGEST: usize = 32;
    let slips = |known: &str| edits(given.as_bytes(), known.as_bytes());
    (given.len() <= LONGEST)
        .then(|| known.iter().map(|known| (slips(known), *known)).min())
        .flatten()
        .filter(|(slips, known)| slips * 3 <= known.len())
        .map(|(_, known)| known)
}

/// How many letters must be put in, left out, changed or swapped with the next one to make one word the other.
fn edits(one: &[u8], other: &[u8]) -> usize {
    let mut before = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for i in 0..one.len() {
        let mut row = vec![i + 1];
        for j in 0..other.len() {
            let changed = last[j] + usize::from(one[i] != other[j]);
            let mut fewest = changed.min(row[j] + 1).min(last[j + 1] + 1);
            if i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j] {
                fewest = fewest.min(before[j - 1] + 1);
            }
            row.push(fewest);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

/// FNV-1a, which is the same on every machine: for names and seeds, and no protection against anybody.
pub(crate) fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::ValueError;

    /// Asserts that `text` is taken and shown as `shown`.
    #[track_caller]
    pub(crate) fn accepts<T>(text: &str, shown: &str)
    where
        T: std::str::FromStr<Err = ValueError> + std::fmt::Display,
    {
        match text.parse::<T>() {
            Ok(value) => assert_eq!(value.to_string(), shown),
            Err(error) => panic!("refused {text:?}: {error}"),
        }
    }

    /// Asserts that `text` is refused with these words.
    #[track_caller]
    pub(crate) fn refuses<T>(text: &str, words: &str)
    where
        T: std::str::FromStr<Err = ValueError> + std::fmt::Debug,
    {
        match text.parse::<T>() {
            Ok(value) => panic!("took {text:?} as {value:?}"),
            Err(error) => assert_eq!(error.to_string(), words),
        }
    }

    #[test]
    fn long_text_is_shown_short() {
        let error = crate::slurm::Partition::parse(&" ".repeat(5000)).unwrap_err();
        assert!(error.to_string().len() < 300, "{error}");
        assert_eq!(error.given().len(), 5000);
        // A rule may repeat what was given.
        let error = crate::slurm::Gres::parse(&"-".repeat(1000)).unwrap_err();
        assert!(error.to_string().len() < 600, "{error}");
    }

    #[test]
    fn a_kind_is_of_the_text_that_was_given() {
        use super::ValueErrorKind::{Character, Empty};
        use crate::slurm::{GpuBind, JobTime, MemBind, Release};

        assert_eq!(Release::parse("").unwrap_err().kind(), Empty);
        let kind = |error: ValueError| error.kind();
        assert_eq!(
            kind(GpuBind::parse("single:Q").unwrap_err()),
            Character('Q')
        );
        assert_eq!(
            kind(MemBind::parse("map_mem:X").unwrap_err()),
            Character('X')
        );
        assert_eq!(kind(JobTime::parse("now+é").unwrap_err()), Character('é'));
    }

    /// What is allowed is that of the whole value.
    #[test]
    fn what_is_allowed_is_true() {
        use crate::slurm::{BootDelay, GpuCount, JobTime, NodeCount};

        refuses::<BootDelay>(
            "UNLIMITED",
            "unexpected character 'U' in boot delay \"UNLIMITED\": minutes, HH:MM:SS or D-HH:MM:SS is allowed",
        );
        refuses::<GpuCount>(
            "h100",
            "unexpected character 'h' in number of GPUs \"h100\": COUNT or TYPE:COUNT is allowed, as in 8 or h100:8",
        );
        refuses::<NodeCount>(
            "2..4",
            "unexpected character '.' in node count \"2..4\": a number or a range is allowed, as in 4 or 2-4",
        );
        refuses::<JobTime>(
            "noon-1",
            "cannot take \"noon-1\" as time: YYYY-MM-DDTHH:MM:SS, HH:MM, now+COUNTUNIT, as in now+2hours, or tomorrow is allowed",
        );
        for text in ["2.5", "128x20"] {
            let error = crate::Load::parse(text).unwrap_err().to_string();
            assert!(error.contains("as in 8 or rate2.5"), "{error}");
        }
    }
}
