//! All mistakes of a TOML file at once.
//!
//! toml stops at the first mistake, and who writes a file wants to know all. So a file that
//! it refuses is taken apart: each table and each value is put alone into a sample that is
//! right, and toml reads that. What it says is said of this value. So no type is described
//! twice, and a file without mistakes is read once.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Error};

use crate::plain::{plain, plain_lines};
use crate::value::{NOT_SHOWN, nearest};

/// More than a person corrects at once.
const MOST_MISTAKES: usize = 50;

/// More samples than this are not read, however long the file is.
const MOST_READS: usize = 1000;

/// Of a longer file the first mistake alone is told: no person wrote it, and each line of it
/// that is no TOML would take memory.
const LONGEST_FILE: usize = 64 << 10;

/// Characters of a message, and of a line, that are shown.
const LONGEST_MESSAGE: usize = 1000;
const LONGEST_LINE: usize = 100;

/// How serde begins to say that a key is missing.
const MISSING: &str = "missing field `";

/// How serde begins to say that a table is none of what is allowed. A time without quotes is a table to it, too.
const NO_TABLE: &str = "invalid type: map";

/// How serde begins to say that a list is none of what is allowed.
const NO_LIST: &str = "invalid type: sequence";

/// How serde begins to say that a word is none of those that are allowed.
const UNKNOWN_WORD: &str = "unknown variant `";

/// How toml begins to say that a table wants one key alone.
const ONE_KEY: &str = "wanted exactly 1 element";

/// A mistake in a recipe or settings file.
///
/// ```
/// let error = nim_slurm::Settings::from_toml("[slurm]\npartiton = 'a'\ntime = '1h'\n").unwrap_err();
/// let mistakes = error.mistakes();
/// assert_eq!((mistakes[0].line(), mistakes[0].value()), (Some(2), Some("partiton")));
/// assert!(mistakes[0].message().contains("perhaps partition is meant"));
/// assert_eq!((mistakes[1].line(), mistakes[1].value()), (Some(3), Some("'1h'")));
/// assert_eq!(mistakes[1].column(), Some(8));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMistake {
    place: Option<Place>,
    value: Option<String>,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    column: usize,
    /// The line, unless a secret may be in it.
    text: Option<String>,
}

impl FileMistake {
    pub(super) fn new(text: &str, span: Option<Range<usize>>, message: &str) -> Self {
        let is_shown = !message.contains(NOT_SHOWN);
        let place = span.as_ref().and_then(|span| {
            let before = text.get(..span.start)?;
            let start = before.rfind('\n').map_or(0, |end| end + 1);
            let line = text[start..].lines().next().unwrap_or_default();
            Some(Place {
                line: before.matches('\n').count() + 1,
                column: before[start..].chars().count() + 1,
                text: is_shown.then(|| line.to_owned()),
            })
        });
        let is_table = message.starts_with(NO_TABLE);
        let dotted = span.as_ref().filter(|_| is_table);
        let dotted = dotted.and_then(|first| dotted_key(text, first));
        // What lacks a key is a table of many lines, and no value.
        let value = span.and_then(|span| text.get(span));
        let value = value.filter(|value| is_shown && !value.is_empty() && !value.contains('\n'));
        let value = dotted.or(value);
        Self {
            place,
            value: value.map(str::to_owned),
            message: short(&in_words(message, value), LONGEST_MESSAGE),
        }
    }

    /// A text that is no TOML file, and its only mistake.
    pub(crate) const fn of_text(message: String) -> Self {
        Self {
            place: None,
            value: None,
            message,
        }
    }

    /// Its line, from 1, where it has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// Its column, from 1, counted in characters, where it has a line.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }

    /// What stands there, as the file has it: a value, unless a secret may be in it, or a key that is not known.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// What is wrong, and what is allowed.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Line and column, the sentence, and under it the line.
impl std::fmt::Display for FileMistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(Place { line, column, text }) = &self.place else {
            return f.write_str(&plain_lines(&self.message));
        };
        write!(
            f,
            "line {line}, column {column}: {}",
            plain_lines(&self.message)
        )?;
        let text = text.as_ref().map(|text| short(text, LONGEST_LINE));
        text.map_or(Ok(()), |text| write!(f, "\n  {line} | {}", plain(&text)))
    }
}

/// Reads a file. Each value that is right in one of the samples is right.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    samples: &[&str],
) -> Result<T, Vec<FileMistake>> {
    let first = match toml::from_str(text) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    if text.len() > LONGEST_FILE {
        return Err(vec![FileMistake::new(text, first.span(), first.message())]);
    }
    let (file, mut errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let place = |error: &Error| error.span().map_or(0, |span| span.start);
        errors.sort_by_key(place);
        // What follows in a line that is no TOML follows from that.
        let mut next_line = 0;
        errors.retain(|error| {
            let place = place(error);
            let is_first = next_line <= place;
            if is_first {
                let rest = text.get(place..).unwrap_or_default();
                next_line = rest.find('\n').map_or(text.len(), |end| place + end) + 1;
            }
            is_first
        });
        errors.truncate(MOST_MISTAKES);
        return Err(errors
            .iter()
            .map(|error| FileMistake::new(text, error.span(), error.message()))
            .collect());
    }
    if file.get_ref().is_empty() {
        return Err(vec![FileMistake::new(
            text,
            None,
            "it is empty: no key is set",
        )]);
    }
    // The samples begin where the file ends, so that a place is in one of them alone.
    let blanks = " ".repeat(text.len());
    let samples: Vec<_> = samples.iter().map(|own| format!("{blanks}{own}")).collect();
    let samples = samples.iter().map(|own| {
        let sample = DeTable::parse(own).expect("a sample is TOML");
        Spanned::new(sample.span(), DeValue::Table(sample.into_inner()))
    });
    let mut search = Search {
        text,
        samples: samples.collect(),
        parse: |file| T::deserialize(toml::Deserializer::from(file)).map(drop),
        reads: 0,
        mistakes: Vec::new(),
        unknown: Vec::new(),
        missing: Vec::new(),
    };
    let file = Spanned::new(file.span(), DeValue::Table(file.into_inner()));
    search.look(&mut Vec::new(), None, &file, Some(first.clone()));
    let mut mistakes = search.mistakes;
    let missing = search.missing.into_iter().map(|(_, mistake)| mistake);
    mistakes.extend(missing.take(MOST_MISTAKES - mistakes.len()));
    if mistakes.is_empty() {
        mistakes.push(FileMistake::new(text, first.span(), first.message()));
    }
    mistakes.sort_by(|a, b| a.place.cmp(&b.place));
    Err(mistakes)
}

type Value<'a> = Spanned<DeValue<'a>>;

/// The way to a value: a key of a table, or an entry of a list.
#[derive(Clone)]
enum Step<'a> {
    Key(Spanned<DeString<'a>>),
    Entry,
}

struct Search<'a> {
    text: &'a str,
    samples: Vec<Value<'a>>,
    parse: fn(Spanned<DeTable<'a>>) -> Result<(), Error>,
    reads: usize,
    mistakes: Vec<FileMistake>,
    /// Unknown keys, each with the one that is perhaps meant.
    unknown: Vec<(Range<usize>, String)>,
    /// Missing keys, each with its table.
    missing: Vec<(Range<usize>, FileMistake)>,
}

impl<'a> Search<'a> {
    /// Looks for what is wrong with a value, of which `error` may be known already, and
    /// tells whether something is.
    fn look(
        &mut self,
        path: &mut Vec<Step<'a>>,
        key: Option<Range<usize>>,
        value: &Value<'a>,
        error: Option<Error>,
    ) -> bool {
        let error = error.or_else(|| self.objection(path, &|_| Some(value.clone())));
        let Some(error) = error else {
            return false;
        };
        // It was put beside the sample's own key. What is wrong with it is said of its table.
        if !value.get_ref().is_table() && error.message().starts_with(ONE_KEY) {
            return false;
        }
        let known = self.mistakes.len() + self.missing.len();
        // What is wrong inside a table may be told of its name.
        let is_of_key = error.message().starts_with("unknown ") || !value.get_ref().is_table();
        if let Some(key) = key.filter(|key| is_of_key && error.span().as_ref() == Some(key)) {
            let meant = unknown(error.message()).and_then(|unknown| unknown.meant);
            let meant = meant.map(|meant| (key.clone(), meant.to_owned()));
            self.unknown.extend(meant);
            self.add(key, error.message());
            return true;
        }
        let is_word = !value.get_ref().is_table() && !value.get_ref().is_array();
        let words = (!is_word).then(|| self.words_in_place_of(path, value));
        if let Some(words) = words.flatten() {
            self.add(value.span(), &words);
            return true;
        }
        let is_else = [NO_TABLE, NO_LIST]
            .iter()
            .any(|begin| error.message().starts_with(begin));
        match value.get_ref() {
            // What is in a table or list that should be something else is not looked at.
            _ if is_else && error.span() == Some(value.span()) => {}
            DeValue::Table(table) => self.look_into(path, value.span(), table, &error),
            DeValue::Array(list) => {
                for entry in list {
                    path.push(Step::Entry);
                    let own = Some(error.clone()).filter(|error| is_of(error, entry));
                    self.look(path, None, entry, own);
                    path.pop();
                }
            }
            _ => {}
        }
        if self.mistakes.len() + self.missing.len() == known {
            let error = self.error_for_a_word(path, value).unwrap_or(error);
            self.add(value.span(), error.message());
        }
        true
    }

    /// Where a word out of a few is wanted and `false` is given, toml says neither what was given nor what is
    /// allowed; it does of a wrong word.
    fn error_for_a_word(&mut self, path: &[Step<'a>], value: &Value<'a>) -> Option<Error> {
        if value.get_ref().is_str() || value.get_ref().is_table() || value.get_ref().is_array() {
            return None;
        }
        let given = self.text.get(value.span()).unwrap_or_default();
        self.error_of_word(path, value, given)
    }

    /// What is said where a table or a list is given, and a word out of a few is wanted.
    fn words_in_place_of(&mut self, path: &[Step<'a>], value: &Value<'a>) -> Option<String> {
        let error = self.error_of_word(path, value, "")?;
        let allowed = unknown(error.message())?.allowed;
        // A recipe's client.tool is a table: toml's own words are right for it.
        let is_tool = allowed.contains(&"genai_perf");
        (!is_tool).then(|| format!("a word is expected: {}", allowed.join(" or ")))
    }

    /// What toml says of a word in a value's place, if it wants one out of a few.
    fn error_of_word(
        &mut self,
        path: &[Step<'a>],
        value: &Value<'a>,
        given: &'a str,
    ) -> Option<Error> {
        let word = Spanned::new(value.span(), DeValue::String(given.into()));
        let error = self.objection(path, &|_| Some(word.clone()))?;
        error.message().starts_with(UNKNOWN_WORD).then_some(error)
    }

    /// Looks at each entry of a table, at what it lacks, and at what its entries are together.
    fn look_into(
        &mut self,
        path: &mut Vec<Step<'a>>,
        span: Range<usize>,
        table: &DeTable<'a>,
        error: &Error,
    ) {
        let (mut bad, mut missing) = (Vec::new(), Vec::new());
        for (key, value) in table {
            path.push(Step::Key(key.clone()));
            let is_own = error.span() == Some(key.span()) || is_of(error, value);
            // What is said of a table without a header of its own is told of that of a table in it.
            let is_own = is_own && error.span().as_ref() != Some(&span);
            let own = is_own.then(|| error.clone());
            if self.look(path, Some(key.span()), value, own) {
                bad.push(key);
            }
            path.pop();
        }
        let is_own =
            |(span, _): &&(Range<usize>, String)| table.keys().any(|key| key.span() == *span);
        let meant = self.unknown.iter().filter(is_own);
        let meant: Vec<_> = meant.map(|(_, meant)| meant.clone()).collect();
        // A mistyped name of a table is one mistake, also where tables in it have the right name.
        let tables = meant.iter().filter_map(|meant| table.get(meant.as_str()));
        let has_tables_alone = |own: &&Value<'_>| {
            let table = own.get_ref().as_table();
            table.is_some_and(|table| table.values().all(|own| own.get_ref().is_table()))
        };
        let tables: Vec<_> = tables.filter(has_tables_alone).map(Spanned::span).collect();
        self.missing.retain(|(table, _)| !tables.contains(table));
        let sample = table_at(&self.samples[0], path).cloned();
        for (key, _) in sample.unwrap_or_default() {
            if table.contains_key(&key) {
                continue;
            }
            path.push(Step::Key(key.clone()));
            let error = self.objection(path, &|_| None);
            if let Some(error) = error.filter(|error| error.message().starts_with(MISSING)) {
                if !meant.iter().any(|meant| *meant == **key.get_ref()) {
                    let mistake = FileMistake::new(self.text, Some(span.clone()), error.message());
                    self.missing.push((span.clone(), mistake));
                }
                missing.push(key);
            }
            path.pop();
        }
        let way = path.clone();
        let fixed = |sample: &Value<'a>| {
            let mut own = table.clone();
            let sample = table_at(sample, &way).cloned().unwrap_or_default();
            for key in &bad {
                own.remove(*key);
            }
            let is_other = bad.iter().any(|key| !sample.contains_key(*key));
            for (key, value) in sample {
                if is_other || bad.contains(&&key) || missing.contains(&key) {
                    own.entry(key).or_insert(value);
                }
            }
            Some(Spanned::new(span.clone(), DeValue::Table(own)))
        };
        if let Some(error) = self.objection(path, &fixed) {
            self.add(span.clone(), error.message());
        }
    }

    /// What toml says of a sample with this value in its place, or without one; nothing
    /// if it takes one of the samples so.
    fn objection(
        &mut self,
        path: &[Step<'a>],
        value: &dyn Fn(&Value<'a>) -> Option<Value<'a>>,
    ) -> Option<Error> {
        let mut first = None;
        for sample in &self.samples {
            self.reads += 1;
            if self.reads > MOST_READS {
                return None;
            }
            let mut file = sample.clone();
            put(&mut file, path, value(sample).as_ref());
            let span = file.span();
            let DeValue::Table(file) = file.into_inner() else {
                continue;
            };
            let error = (self.parse)(Spanned::new(span, file)).err()?;
            first.get_or_insert(error);
        }
        first
    }

    fn add(&mut self, span: Range<usize>, message: &str) {
        let mistake = FileMistake::new(self.text, Some(span), message);
        if self.mistakes.len() < MOST_MISTAKES && !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }
}

/// The table that a sample has there.
fn table_at<'a, 's>(sample: &'s Value<'a>, path: &[Step<'a>]) -> Option<&'s DeTable<'a>> {
    let mut steps = path.iter();
    let value = steps.try_fold(sample, |value, step| match step {
        Step::Key(key) => value.get_ref().as_table()?.get(key),
        Step::Entry => value.get_ref().as_array()?.first(),
    });
    value?.get_ref().as_table()
}

/// Puts a value into a file, or takes the one that is there out of it.
fn put<'a>(file: &mut Value<'a>, path: &[Step<'a>], value: Option<&Value<'a>>) {
    let nothing = || Spanned::new(0..0, DeValue::Table(DeTable::new()));
    match (path.split_first(), value) {
        (None, Some(value)) => *file = value.clone(),
        (None, None) => {}
        (Some((Step::Key(key), rest)), _) => {
            if !file.get_ref().is_table() {
                *file = nothing();
            }
            let DeValue::Table(table) = file.get_mut() else {
                return;
            };
            let old = table.remove(key);
            if rest.is_empty() && value.is_none() {
                return;
            }
            let mut own = old.unwrap_or_else(nothing);
            put(&mut own, rest, value);
            table.insert(key.clone(), own);
        }
        (Some((Step::Entry, rest)), _) => {
            let old = file.get_ref().as_array().and_then(|list| list.first());
            let mut own = old.cloned().unwrap_or_else(nothing);
            put(&mut own, rest, value);
            *file.get_mut() = DeValue::Array(DeArray::from_iter([own]));
        }
    }
}

/// Whether an error is about this value, or something in it.
fn is_of(error: &Error, value: &Value<'_>) -> bool {
    let is_in = |span: Range<usize>| {
        let own = error.span();
        own.is_some_and(|own| span.start <= own.start && own.end <= span.end && !own.is_empty())
    };
    // The place of a table is that of its header.
    is_in(value.span())
        || match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .any(|(key, value)| is_in(key.span()) || is_of(error, value)),
            DeValue::Array(list) => list.iter().any(|value| is_of(error, value)),
            _ => false,
        }
}

/// The key with dots whose first part is there: `docker.io = …` makes a table of its own.
fn dotted_key<'a>(text: &'a str, first: &Range<usize>) -> Option<&'a str> {
    text.get(first.end..)?.strip_prefix('.')?;
    let (key, _) = text.get(first.start..)?.split_once('=')?;
    Some(key.trim_end()).filter(|key| !key.contains('\n'))
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A key or a word that is none of those that are allowed.
struct Unknown<'m> {
    what: &'static str,
    given: &'m str,
    allowed: Vec<&'m str>,
    /// The one that is perhaps meant.
    meant: Option<&'m str>,
}

fn unknown(message: &str) -> Option<Unknown<'_>> {
    let unknown = [
        ("unknown field `", "unknown key"),
        (UNKNOWN_WORD, "unknown word"),
    ];
    let is_so = |(prefix, _): &&(&str, &str)| message.starts_with(prefix);
    let (_, what) = unknown.iter().find(is_so)?;
    let mut names = message.split('`').skip(1).step_by(2);
    let given = names.next().unwrap_or_default();
    let allowed: Vec<_> = names.collect();
    let meant = nearest(given, &allowed);
    Some(Unknown {
        what,
        given,
        allowed,
        meant,
    })
}

/// Keys of `[sweep]` that people look for in a use case.
const OF_SWEEP: [&str; 8] = [
    "concurrency",
    "search",
    "repeat",
    "percentile",
    "min_requests",
    "requests_per_concurrency",
    "point_timeout",
    "array",
];

/// Where an unknown key belongs, if it is one of another table that is often taken for this one.
fn elsewhere(given: &str, allowed: &[&str]) -> Option<&'static str> {
    if allowed.contains(&"smoothness") && OF_SWEEP.contains(&given) {
        return Some("it belongs to [sweep], and is for all use cases");
    }
    (allowed == ["max_requeues", "gpu_samples"]).then_some(
        "allowed are max_requeues, gpu_samples; options of sbatch belong to [slurm.launch]",
    )
}

/// How a value is written where a list is expected. Blanks are between the words of a command, but not
/// behind an option.
fn as_list(value: &str) -> Option<String> {
    let Some(text) = value.strip_prefix('"').or(value.strip_prefix('\'')) else {
        return Some(format!("[{value}]"));
    };
    let words = text.strip_suffix(['"', '\''])?;
    let is_option = words.starts_with('-') && words.contains(char::is_whitespace);
    if is_option || words.contains(['"', '\'', '\\']) {
        return None;
    }
    // Numbers, as a flag takes them.
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | ' ');
    if words.starts_with(|c: char| c.is_ascii_digit()) && words.chars().all(is_of_number) {
        let numbers = words.split([',', ' ']).filter(|number| !number.is_empty());
        return Some(format!("[{}]", numbers.collect::<Vec<_>>().join(", ")));
    }
    let words: Vec<_> = words.split_whitespace().collect();
    match words.as_slice() {
        [] => None,
        [word] => Some(format!("[\"{word}\"]")),
        [first, second] => Some(format!("[\"{first}\", \"{second}\"]")),
        [first, second, ..] => Some(format!("[\"{first}\", \"{second}\", ...]")),
    }
}

/// What toml says of a text that is no TOML, and what to type.
fn of_syntax(message: &str, value: Option<&str>) -> Option<String> {
    Some(match message {
        "duplicate key" => format!("the key {} is there twice: leave one out", value?),
        "unexpected key or value, expected newline, `#`" => {
            "the line should end here: only a comment, # ..., may follow".to_owned()
        }
        "key with no value, expected `=`" => "the key has no value: write KEY = VALUE".to_owned(),
        "invalid basic string, expected `\"`" => "the text has no closing quote".to_owned(),
        "string values must be quoted, expected literal string" => {
            format!("a text needs quotes: write \"{}\"", value?)
        }
        _ if message.starts_with("invalid time") || message.starts_with("invalid date") => {
            format!("a text needs quotes: write \"{}\"", value?)
        }
        _ => return None,
    })
}

/// What serde says in terms of Rust, in those of a file. `value` is what the file has there.
fn in_words(message: &str, value: Option<&str>) -> String {
    if let Some(words) = of_syntax(message, value) {
        return words;
    }
    if message.starts_with(MISSING) {
        let key = message.split('`').nth(1).unwrap_or_default();
        return format!("the key {key} is missing");
    }
    if let Some(Unknown {
        what,
        given,
        allowed,
        meant,
    }) = unknown(message)
    {
        return match (meant, elsewhere(given, &allowed)) {
            (Some(meant), _) => format!("{what} {given:?}: perhaps {meant} is meant"),
            (None, Some(place)) => format!("{what} {given:?}: {place}"),
            (None, None) => format!("{what} {given:?}: allowed are {}", allowed.join(", ")),
        };
    }
    // A recipe's client.tool is the only one of this kind.
    if message.starts_with(ONE_KEY) {
        return "one tool is expected: { genai_perf = \"RELEASE\" } or { aiperf = \"RELEASE\" }"
            .to_owned();
    }
    if message.ends_with("unit variant, expected newtype variant") {
        return "the tool's release is missing: expected { genai_perf = \"RELEASE\" } or { aiperf = \"RELEASE\" }, as in \
                { genai_perf = \"25.01\" }"
            .to_owned();
    }
    if let Some((given, expected)) = message.split_once(", expected ")
        && given.starts_with("invalid ")
    {
        if given == NO_TABLE
            && let Some(value) = value
        {
            if value.starts_with(|c: char| c.is_ascii_digit()) && !value.contains('=') {
                return format!("a text needs quotes: write \"{value}\"");
            }
            if expected == "a text as registry" && !value.starts_with('{') {
                return format!("a name with a dot needs quotes: write \"{value}\" = ...");
            }
        }
        let given = given
            .replace(NO_TABLE, "invalid type: table")
            .replace(NO_LIST, "invalid type: list")
            .replace("invalid type: floating point", "invalid type: number");
        if expected == "a sequence" {
            let list = value.and_then(as_list);
            let list = list.map_or_else(String::new, |list| format!(": write {list}"));
            return format!("{given}, expected a list in brackets{list}");
        }
        let expected = match expected {
            "a nonzero u16" => "a whole number from 1 to 65535",
            "a nonzero u32" => "a whole number from 1 to 4294967295",
            "u32" => "a whole number from 0 to 4294967295",
            "a boolean" => "true or false",
            "a map" => "a table",
            "a UTF-8 path string" => "a path",
            other if other.starts_with("struct ") => "a table",
            other => other,
        };
        return format!("{given}, expected {expected}");
    }
    message.to_owned()
}
