//! The tools' files of requests, as a stream.
//!
//! ```text
//! AIPerf, a line each:  {"metadata": {"request_start_ns": …, …}, "metrics": {…}, "error": null}
//! GenAI-Perf:           {"experiments": [{"requests": [{"timestamp": …,
//!                         "response_timestamps": […], "response_outputs": [{"response": "data: …"}, …]}, …]}]}
//!   of Triton and TensorRT-LLM, an output is {"text_output": "…"} or {"output_ids": […]}
//! ```

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use camino::Utf8Path;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::problem::{ReadProblem, quoted};
use super::super::sink::milliseconds_in;
use super::{Request, TokensOf};
use crate::file::{self, Links, ReadFailure};

/// A file of requests; 100,000 of 1000 tokens have about as much.
const MAX_BYTES: u64 = 32 << 30;

/// One request in it. GenAI-Perf's has 300 bytes for each token.
const MAX_REQUEST: u64 = 32 << 20;

const MAX_REQUESTS: usize = 1_000_000;

/// Why a file is not read, and in which line.
type Fault = (Option<u64>, String);

pub(super) fn read(path: &Utf8Path) -> Result<Vec<Request>, ReadProblem> {
    requests(path).map_err(|(line, message)| ReadProblem::new(path, line, message))
}

fn requests(path: &Utf8Path) -> Result<Vec<Request>, Fault> {
    let unread = |failure: ReadFailure| (None, failure.to_string());
    let (file, metadata) = file::open(path.as_std_path(), Links::Refuse).map_err(unread)?;
    let length = metadata.len();
    if length > MAX_BYTES {
        return Err(unread(ReadFailure::TooLong {
            length,
            most: MAX_BYTES,
        }));
    }
    // Some files are longer than they say, or grow while they are read.
    let file = BufReader::with_capacity(64 << 10, file.take(MAX_BYTES));
    let requests = if path.extension() == Some("jsonl") {
        of_aiperf(file)?
    } else {
        of_genai_perf(file)?
    };
    if requests.is_empty() {
        return Err((None, "has no request in it".to_owned()));
    }
    Ok(requests)
}

/// What is said of a text that is no JSON, or none of a tool.
fn reason(error: &serde_json::Error, tool: &str) -> String {
    let text = error.to_string();
    let why = text.split(" at line ").next().unwrap_or(&text);
    if error.is_eof() {
        "is cut off here".to_owned()
    } else if error.is_data() {
        // The message may hold a text of the file.
        format!("is no request of {tool}: {}", shown(why))
    } else {
        format!("is no JSON from here on: {}", shown(why))
    }
}

/// A text of others, fit for a sentence.
fn shown(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}

fn too_many() -> String {
    format!("has more than {MAX_REQUESTS} requests")
}

fn of_aiperf(mut file: impl BufRead) -> Result<Vec<Request>, Fault> {
    let mut requests = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let bytes = (&mut file)
            .take(MAX_REQUEST)
            .read_until(b'\n', &mut line)
            .map_err(|error| (Some(number), format!("cannot be read: {error}")))?;
        if bytes == 0 {
            break;
        }
        if bytes as u64 == MAX_REQUEST && !line.ends_with(b"\n") {
            let message = format!("has more than {MAX_REQUEST} bytes in one line");
            return Err((Some(number), message));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record: Record<'_> = serde_json::from_slice(&line)
            .map_err(|error| (Some(number), reason(&error, "AIPerf")))?;
        let request = record.request().map_err(|why| (Some(number), why))?;
        requests.extend(request);
        if requests.len() > MAX_REQUESTS {
            return Err((Some(number), too_many()));
        }
    }
    Ok(requests)
}

/// A line of AIPerf's file.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    metrics: RecordMetrics<'a>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    request_start_ns: u64,
    request_end_ns: u64,
    #[serde(default)]
    credit_issued_ns: Option<u64>,
    #[serde(borrow, default)]
    benchmark_phase: Option<Cow<'a, str>>,
    #[serde(default)]
    was_cancelled: bool,
    /// From 0; `null` in some releases.
    #[serde(default)]
    turn_index: Option<u64>,
}

#[derive(Deserialize, Default)]
struct RecordMetrics<'a> {
    #[serde(borrow)]
    time_to_first_token: Option<Measured<'a>>,
    #[serde(borrow)]
    request_latency: Option<Measured<'a>>,
    #[serde(borrow)]
    input_sequence_length: Option<Measured<'a>>,
    #[serde(borrow)]
    output_sequence_length: Option<Measured<'a>>,
}

#[derive(Deserialize)]
struct Measured<'a> {
    value: f64,
    #[serde(borrow, default)]
    unit: Cow<'a, str>,
}

impl Measured<'_> {
    fn nanoseconds(&self, name: &str) -> Result<u64, String> {
        let Some(factor) = milliseconds_in(&self.unit) else {
            let unit = quoted(&self.unit);
            return Err(format!("{name} is in {unit}: ns, us, ms or s is expected"));
        };
        whole(self.value * factor * 1e6)
            .ok_or_else(|| format!("{name} is {}, which cannot be", self.value))
    }

    fn tokens(&self, name: &str) -> Result<u32, String> {
        whole(self.value)
            .and_then(|tokens| u32::try_from(tokens).ok())
            .ok_or_else(|| format!("{name} is {}, which cannot be", self.value))
    }
}

/// A number that is not below zero, and no larger than nanoseconds of a century.
fn whole(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (0.0..=3.2e18)
        .contains(&value)
        .then_some(value.round() as u64)
}

impl Record<'_> {
    /// The request; none of a warm-up.
    fn request(&self) -> Result<Option<Request>, String> {
        let Metadata {
            request_start_ns: start,
            request_end_ns: end,
            ..
        } = self.metadata;
        if self.metadata.benchmark_phase.as_deref() == Some("warmup") {
            return Ok(None);
        }
        let metrics = &self.metrics;
        let time = |name: &str, measured: &Option<Measured<'_>>| {
            let length = measured.as_ref().map(|measured| measured.nanoseconds(name));
            length.transpose()
        };
        let tokens = |name: &str, measured: &Option<Measured<'_>>| {
            let tokens = measured.as_ref().map(|measured| measured.tokens(name));
            tokens.transpose()
        };
        let first = time("time_to_first_token", &metrics.time_to_first_token)?;
        let latency = time("request_latency", &metrics.request_latency)?;
        // Of two clocks the finer.
        let last = latency.map_or(Some(end), |latency| start.checked_add(latency));
        let last = last.unwrap_or(end);
        let request = Request {
            start,
            first_token: first.and_then(|first| start.checked_add(first)),
            end: last,
            closed: last.max(end),
            due: self.metadata.credit_issued_ns,
            input_tokens: tokens("input_sequence_length", &metrics.input_sequence_length)?,
            output_tokens: tokens("output_sequence_length", &metrics.output_sequence_length)?,
            tokens_of: TokensOf::Other,
            has_failed: self.error.is_some() || self.metadata.was_cancelled || latency.is_none(),
            is_later_turn: self.metadata.turn_index.is_some_and(|turn| turn > 0),
        };
        checked(request).map(Some)
    }
}

/// Refuses times that run backwards.
fn checked(request: Request) -> Result<Request, String> {
    let first = request.first_token.unwrap_or(request.end);
    if request.start <= first && first <= request.end {
        Ok(request)
    } else {
        Err(format!(
            "has a request that starts at {}, has its first token at {first} and ends at {}",
            request.start, request.end
        ))
    }
}

fn of_genai_perf(file: impl BufRead) -> Result<Vec<Request>, Fault> {
    let left = Rc::new(Cell::new(MAX_REQUEST));
    let reader = Metered {
        inner: file,
        left: Rc::clone(&left),
    };
    let mut found = Found {
        requests: Vec::new(),
        open: Vec::new(),
        experiments: 0,
        left,
    };
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::new(reader));
    let outcome = Top(&mut found)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    outcome.map_err(|error| {
        let line = u64::try_from(error.line()).ok().filter(|line| *line > 0);
        let message = if error.is_io() {
            shown(&io::Error::from(error).to_string())
        } else {
            reason(&error, "GenAI-Perf")
        };
        (line, message)
    })?;
    if found.experiments > 1 {
        let message = format!("has {} experiments: one is expected", found.experiments);
        return Err((None, message));
    }
    found.mark_broken_off();
    Ok(found.requests)
}

/// A reader that gives no more than this many bytes until it is told to go on.
struct Metered<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        let Some(left) = self.left.get().checked_sub(bytes as u64) else {
            let message = format!("has more than {MAX_REQUEST} bytes for one request");
            return Err(io::Error::other(message));
        };
        self.left.set(left);
        Ok(bytes)
    }
}

struct Found {
    requests: Vec<Request>,
    /// The places of answers whose end did not come.
    open: Vec<usize>,
    experiments: usize,
    left: Rc<Cell<u64>>,
}

impl Found {
    /// Where most answers have an end, the server broke off those without one.
    fn mark_broken_off(&mut self) {
        let answers = self.requests.iter().filter(|it| !it.has_failed).count();
        if 2 * self.open.len() < answers {
            for place in &self.open {
                self.requests[*place].has_failed = true;
            }
        }
    }
}

/// The file, an experiment, and lists of them: each looks for one key and leaves out the others.
struct Top<'f>(&'f mut Found);
struct Experiments<'f>(&'f mut Found);
struct Experiment<'f>(&'f mut Found);
struct List<'f>(&'f mut Found);

macro_rules! seed {
    ($type:ident, $deserialize:ident, $expected:literal, $visit:item) => {
        impl<'de> DeserializeSeed<'de> for $type<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.$deserialize(self)
            }
        }

        impl<'de> Visitor<'de> for $type<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expected)
            }

            $visit
        }
    };
}

seed!(
    Top,
    deserialize_map,
    "an object with \"experiments\"",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "experiments" {
                map.next_value_seed(Experiments(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
);

seed!(
    Experiments,
    deserialize_seq,
    "a list of experiments",
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Experiment(self.0))?.is_some() {
            self.0.experiments += 1;
            self.0.left.set(MAX_REQUEST);
        }
        Ok(())
    }
);

seed!(
    Experiment,
    deserialize_map,
    "an experiment",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "requests" {
                map.next_value_seed(List(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
);

seed!(
    List,
    deserialize_seq,
    "a list of requests",
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(exchange) = list.next_element::<Exchange>()? {
            let request = exchange.request().map_err(A::Error::custom)?;
            if !request.has_failed && !exchange.has_end() {
                self.0.open.push(self.0.requests.len());
            }
            self.0.requests.push(request);
            if self.0.requests.len() > MAX_REQUESTS {
                return Err(A::Error::custom(too_many()));
            }
            self.0.left.set(MAX_REQUEST);
        }
        Ok(())
    }
);

/// A request of GenAI-Perf's file, which is perf_analyzer's.
#[derive(Deserialize)]
struct Exchange {
    timestamp: u64,
    #[serde(default)]
    response_timestamps: Vec<u64>,
    #[serde(default)]
    response_outputs: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    response: Piece,
    /// Of Triton over gRPC, and of TensorRT-LLM's engine.
    #[serde(default)]
    text_output: Count,
    #[serde(default)]
    output_ids: Count,
}

impl Part {
    fn piece(&self) -> Piece {
        let own = texts_of(self.text_output, self.output_ids);
        Piece {
            texts: self.response.texts.add(own),
            ..self.response
        }
    }
}

/// An event with ids has as many texts, since each is a token's.
fn texts_of(text: Count, ids: Count) -> Count {
    if ids.number > 0 {
        return ids;
    }
    let number = text.number.min(1);
    Count { number, ..text }
}

/// How many texts and numbers there are, in whatever form, and how many letters, of which a number is one: they are not kept.
#[derive(Default, Clone, Copy)]
struct Count {
    number: u32,
    letters: u32,
}

impl Count {
    const ONE: Self = Self {
        number: 1,
        letters: 1,
    };

    fn of(text: &str) -> Self {
        Self {
            number: u32::from(!text.is_empty()),
            letters: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
        }
    }

    const fn add(self, other: Self) -> Self {
        Self {
            number: self.number.saturating_add(other.number),
            letters: self.letters.saturating_add(other.letters),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;

        impl<'de> Visitor<'de> for CountVisitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts or numbers")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
                Ok(Count::of(text))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Count, E> {
                Ok(Count::ONE)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Count, E> {
                Ok(Count::ONE)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Count, E> {
                Ok(Count::ONE)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Count, E> {
                Ok(Count::default())
            }

            fn visit_unit<E: Error>(self) -> Result<Count, E> {
                Ok(Count::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Count, A::Error> {
                let mut all = Count::default();
                while let Some(count) = list.next_element()? {
                    all = all.add(count);
                }
                Ok(all)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Count::default())
            }
        }

        deserializer.deserialize_any(CountVisitor)
    }
}

/// What a response says; its text is not kept.
#[derive(Default, Clone, Copy)]
struct Piece {
    /// Events with a text in them, and its letters.
    texts: Count,
    /// What the server says of the whole answer.
    tokens: Option<u32>,
    is_streamed: bool,
    /// An answer that has no text by its nature: embeddings, a ranking.
    is_answer: bool,
    /// Those with reasoning, which GenAI-Perf does not count.
    thoughts: u32,
    /// The server broke the answer off.
    is_error: bool,
    /// How many events say that the answer has ended: by a `finish_reason`, or as `[DONE]`.
    ends: u32,
}

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PieceVisitor;

        impl Visitor<'_> for PieceVisitor {
            type Value = Piece;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a server's response as text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Piece, E> {
                Ok(Piece::of(text))
            }
        }

        deserializer.deserialize_str(PieceVisitor)
    }
}

/// An event of the server's, or all of its answer.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    /// Of Triton's generate.
    #[serde(default)]
    text_output: Count,
    #[serde(default)]
    output_ids: Count,
    usage: Option<Usage>,
    #[serde(default)]
    error: serde_json::Value,
    #[serde(borrow)]
    object: Option<Cow<'a, str>>,
}

/// What tells other answers from an error, and from one of `choices` that has no text.
#[derive(Deserialize)]
struct Other<'a> {
    choices: Option<IgnoredAny>,
    text_output: Option<IgnoredAny>,
    output_ids: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    object: Option<Cow<'a, str>>,
}

/// Whether a whole response is an answer without a text.
fn is_other_answer(text: &str) -> bool {
    if text.starts_with('[') {
        return serde_json::from_str::<Vec<IgnoredAny>>(text).is_ok_and(|list| !list.is_empty());
    }
    serde_json::from_str::<Other<'_>>(text).is_ok_and(|other| {
        let texts = [&other.choices, &other.text_output, &other.output_ids];
        texts.iter().all(|text| text.is_none())
            && other.error.is_none()
            && other.object.as_deref() != Some("error")
            && text.trim_end() != "{}"
    })
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Option<Message<'a>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(default)]
    finish_reason: Count,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(default)]
    reasoning_content: Count,
    #[serde(default)]
    reasoning: Count,
}

#[derive(Deserialize)]
struct Usage {
    completion_tokens: Option<u32>,
}

impl Choice<'_> {
    fn contents(&self) -> impl Iterator<Item = &Message<'_>> {
        self.delta.iter().chain(&self.message)
    }

    fn texts(&self) -> Count {
        let contents = self.contents().filter_map(|part| part.content.as_ref());
        let texts = contents.chain(&self.text).map(|text| Count::of(text));
        texts.fold(Count::default(), Count::add)
    }

    /// What a model thinks before it answers, by either of its names.
    fn has_reasoning(&self) -> bool {
        self.contents()
            .any(|part| part.reasoning_content.number > 0 || part.reasoning.number > 0)
    }
}

impl Piece {
    /// One response may hold several events. A part of an event, which has no `data: ` in front,
    /// belongs to the one before.
    fn of(text: &str) -> Self {
        let mut piece = Self::default();
        if text.starts_with('{') {
            piece.take(text, Count::default());
            piece.is_answer = piece.texts.number == 0 && is_other_answer(text);
            return piece;
        }
        if text.starts_with('[') && is_other_answer(text) {
            piece.is_answer = true;
            return piece;
        }
        piece.is_streamed = true;
        for line in text.lines() {
            if let Some(event) = line.strip_prefix("data: ") {
                let is_end = event.trim() == "[DONE]";
                piece.ends += u32::from(is_end);
                piece.take(event, if is_end { Count::default() } else { Count::ONE });
            }
        }
        piece
    }

    /// Takes an event; one that is no JSON counts as so many texts.
    fn take(&mut self, event: &str, otherwise: Count) {
        let Ok(event) = serde_json::from_str::<Event<'_>>(event) else {
            self.texts = self.texts.add(otherwise);
            return;
        };
        let is_end = |choice: &Choice<'_>| choice.finish_reason.number > 0;
        self.ends += u32::from(event.choices.iter().any(is_end));
        let thoughts = u32::from(event.choices.iter().any(Choice::has_reasoning));
        self.thoughts = self.thoughts.saturating_add(thoughts);
        let texts = texts_of(event.text_output, event.output_ids);
        let of_choices = event.choices.iter().map(Choice::texts);
        let of_choices = of_choices.fold(Count::default(), Count::add);
        self.texts = self.texts.add(Count {
            number: texts.number.max(of_choices.number.min(1)).max(thoughts),
            letters: texts.letters.saturating_add(of_choices.letters),
        });
        let tokens = event.usage.and_then(|usage| usage.completion_tokens);
        self.tokens = tokens.or(self.tokens);
        // Some servers say in each event that there is none, by null or nothing.
        let is_said = |error: &serde_json::Value| {
            error.is_object() || error.as_str().is_some_and(|it| !it.is_empty())
        };
        self.is_error |= is_said(&event.error) || event.object.as_deref() == Some("error");
    }
}

impl Exchange {
    fn has_end(&self) -> bool {
        let outputs = &self.response_outputs;
        outputs.iter().any(|part| part.piece().ends > 0)
    }

    fn request(&self) -> Result<Request, String> {
        let (times, outputs) = (&self.response_timestamps, &self.response_outputs);
        if times.len() != outputs.len() {
            return Err(format!(
                "it has {} responses and {} times of them",
                outputs.len(),
                times.len()
            ));
        }
        let pieces = || outputs.iter().map(Part::piece);
        let with_text = || {
            times
                .iter()
                .zip(pieces())
                .filter(|(_, piece)| piece.texts.number > 0)
        };
        let first = with_text().next();
        let last = with_text().next_back().map(|(time, _)| *time);
        let texts = pieces()
            .map(|piece| piece.texts)
            .fold(Count::default(), Count::add);
        let said = pieces().filter_map(|piece| piece.tokens).next_back();
        // Without events, several texts are a stream as well.
        let is_streamed = pieces().any(|piece| piece.is_streamed) || with_text().nth(1).is_some();
        let is_other = first.is_none() && pieces().any(|piece| piece.is_answer);
        let is_broken_off = pieces().any(|piece| piece.is_error);
        let closed = times.last().copied();
        let end = last.or(closed).unwrap_or(self.timestamp);
        checked(Request {
            start: self.timestamp,
            first_token: first.map(|(time, _)| *time).filter(|_| is_streamed),
            end,
            closed: closed.unwrap_or(end).max(end),
            due: None,
            input_tokens: None,
            output_tokens: said
                .or(is_streamed.then_some(texts.number))
                .filter(|_| first.is_some()),
            tokens_of: match said {
                Some(_) => TokensOf::Server,
                // By the tool's lengths they would be too few.
                None if pieces().any(|piece| piece.thoughts > 0) => TokensOf::Other,
                None => TokensOf::Pieces {
                    letters: texts.letters,
                },
            },
            has_failed: first.is_none() && !is_other || is_broken_off,
            is_later_turn: false,
        })
    }
}
