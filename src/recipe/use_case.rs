//! What goes in and comes out, and how it is asked.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::server::at_least_one;
use super::values::hyphenated;
use super::{DataFile, DataFormat, DataSet, setters};
use crate::ladder::SearchedLoad;
use crate::load::{Decimal, Length, Load};
use crate::value::{Fault, ValueError, from_number, positive_number, value};

/// What goes in and comes out: a name, and the lengths of input and output. Beside these, how
/// requests are sent, where that is another way than a number of them in flight.
///
/// # Syntax
///
/// `NAME:ISL/OSL`: a name of small letters, digits and `-`, the input sequence length and the
/// output sequence length in tokens, each with a spread where it has one: `chat:128s20/128`. A name does not end as the result
/// folders of [turns](Self::with_turns) and of a [prefix](Self::with_prefix) do: `-t4`, `-p1024x4`.
///
/// In a recipe, a table says the same and more:
///
/// ```toml
/// use_cases = [
///   "chat:128/128",
///   { name = "chat", input = 128, output = 128, request_rate = [1, 2.5], arrival = "poisson" },
///   { name = "code", input = "1024s200", output = "256s50", duration = "120s", ramp = "30s" },
///   { name = "support", data = { file = "/lustre/data/prompts.jsonl", format = "prompts" }, output = 256 },
///   { name = "talk", input = 128, output = 128, turns = 4, delay = "2s" },
///   { name = "replay", data = { file = "/lustre/data/trace.jsonl", format = "mooncake" } },
/// ]
/// ```
///
/// | key | |
/// |---|---|
/// | `name`, `input`, `output` | as above |
/// | `data` | in place of `input`: a [file](DataSet) that has the prompts; of a trace, in place of `output` and `request_rate`, too |
/// | `prefix` | in front of each prompt, one of a few [beginnings](Prefix), which a prefix cache finds |
/// | `turns` | conversations of so many requests, each of which has in front what was said before; also those of a ShareGPT file |
/// | `delay` | in a conversation, between an answer and the next request |
/// | `request_rate` | requests a second, a point each, in place of `sweep.concurrency` |
/// | `arrival` | the gaps between requests of a rate: `"poisson"` (the default), `"constant"` or `"gamma"` |
/// | `smoothness` | of `"gamma"`: 1 is Poisson, less comes in bursts, more is more even |
/// | `duration` | requests are sent for so long, in place of a number of them |
/// | `ramp` | the load rises for so long until it is there |
/// | `prompts` | how many prompts there are for a `duration`; by default, as many as a fast server answers |
///
/// [`Plan::new`](crate::Plan::new) refuses what does not go together: `arrival` without `request_rate`, `"gamma"` without
/// `smoothness`, a `ramp` of a rate whose `arrival` is not `"constant"` or one that is no shorter than `duration`, `prompts`
/// without `duration`, `delay` without `turns`, and what the release of the client's tool cannot do.
///
/// # Errors
///
/// * `chat`, `chat:128`, `chat:128/0`, `Chat:128/128`, `chat:128s65/128`, `talk-t4:128/128`
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{Arrival, Prefix, UseCase};
///
/// let chat = UseCase::parse("chat:128s20/256")?;
/// assert_eq!((chat.name(), chat.input_tokens(), chat.output_tokens()), ("chat", 128, 256));
/// assert_eq!((chat.input().spread(), chat.output().spread()), (20, 0));
/// assert!(UseCase::parse("chat:128").is_err());
///
/// let bursts = chat
///     .with_request_rate(["0.5".parse()?, 2.try_into()?])
///     .with_arrival(Arrival::Gamma)
///     .with_smoothness("0.25".parse()?)
///     .with_duration("120s".parse()?)
///     .with_prompts(1000);
/// assert_eq!((bursts.request_rate().len(), bursts.duration().unwrap().seconds()), (2, 120));
/// assert_eq!(bursts.arrival(), Arrival::Gamma);
/// let rising = UseCase::parse("code:1024/256")?.with_ramp("30s".parse()?);
/// assert_eq!(rising.ramp().unwrap().seconds(), 30);
/// assert_eq!((bursts.smoothness().unwrap().to_f64(), bursts.prompts()), (0.25, Some(1000)));
///
/// let recipe = Recipe::llama3_70b_h100x4_fp8().with_use_cases([bursts]);
/// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
/// assert_eq!(recipe.sweep.points()[0].load.to_string(), "rate2");
///
/// let alike = UseCase::parse("mix:128/128")?.with_prefix(Prefix::new(1024, 4));
/// assert_eq!(alike.prefix(), Some(Prefix::new(1024, 4)));
///
/// let talk = UseCase::parse("talk:128/128")?.with_turns(4).with_delay("2s".parse()?);
/// assert_eq!((talk.turns(), talk.delay().unwrap().seconds()), (4, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UseCase {
    name: String,
    input: Length,
    output: Length,
    data: Option<DataSet>,
    prefix: Option<Prefix>,
    turns: Option<u32>,
    delay: Option<Seconds>,
    request_rate: Vec<Decimal>,
    arrival: Option<Arrival>,
    smoothness: Option<Decimal>,
    duration: Option<Seconds>,
    ramp: Option<Seconds>,
    prompts: Option<u32>,
}

/// What is said of a length that is none.
const NO_DATA: &str = "data is no length: write a table, as in { name = \"chat\", data = { file = \"/lustre/data/prompts.jsonl\", \
                       format = \"prompts\" }, output = 128 }";

/// What a table must have.
const ONE: &str = "write input = 128 for synthetic prompts, or data = { file = \"/lustre/data/prompts.jsonl\", format = \"prompts\" }";

/// Its keys in a recipe.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UseCaseTable {
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(
        default,
        deserialize_with = "length_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    input: Option<Length>,
    #[serde(
        default,
        deserialize_with = "length_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    output: Option<Length>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turns: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_rate: Option<Vec<Decimal>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arrival: Option<Arrival>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    smoothness: Option<Decimal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ramp: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompts: Option<u32>,
    // Behind what is no table of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefix: Option<Prefix>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<DataSet>,
}

fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Length, D::Error> {
    let length = Length::deserialize(deserializer)?;
    if length.is_data() {
        return Err(D::Error::custom(NO_DATA));
    }
    Ok(length)
}

fn length_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Length>, D::Error> {
    length(deserializer).map(Some)
}

/// A mistake in it is one of its own line.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = crate::value::text(deserializer, "name of a use case")?;
    match own_name(&text) {
        Ok(()) => Ok(text),
        Err(fault) => {
            let error = ValueError::new("name of a use case", &text, fault);
            Err(D::Error::custom(error))
        }
    }
}

/// A name that is not the folder of another use case.
fn own_name(name: &str) -> Result<(), Fault> {
    hyphenated(name)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((own, end)) = name.rsplit_once('-') else {
        return Ok(());
    };
    let meant = if let Some(turns) = end.strip_prefix('t').filter(|turns| is_number(turns)) {
        format!("turns = {turns}")
    } else if let Some((length, count)) =
        end.strip_prefix('p').and_then(|rest| rest.split_once('x'))
        && is_number(length)
        && is_number(count)
    {
        format!("prefix = {{ length = {length}, count = {count} }}")
    } else {
        return Ok(());
    };
    Err(Fault::rule(format!(
        "-{end} at a name's end is what result folders have for {meant}: take another name, or write in a recipe \
         {{ name = \"{own}\", {meant}, input = 128, output = 128 }}"
    )))
}

impl UseCase {
    fn check(text: &str) -> Result<Self, Fault> {
        let form = || Fault::rule("NAME:ISL/OSL is allowed, as in chat:128/128");
        let (name, lengths) = text.split_once(':').ok_or_else(form)?;
        let (input, output) = lengths.split_once('/').ok_or_else(form)?;
        own_name(name)?;
        let [input, output] = [Length::check(input)?, Length::check(output)?];
        if input.is_data() || output.is_data() {
            return Err(Fault::rule(NO_DATA));
        }
        Ok(Self {
            name: name.to_owned(),
            input,
            output,
            data: None,
            prefix: None,
            turns: None,
            delay: None,
            request_rate: Vec::new(),
            arrival: None,
            smoothness: None,
            duration: None,
            ramp: None,
            prompts: None,
        })
    }

    /// Sends so many requests a second, a point for each rate, in place of a number of them in flight.
    #[must_use]
    pub fn with_request_rate(mut self, rates: impl IntoIterator<Item = Decimal>) -> Self {
        self.request_rate = rates.into_iter().collect();
        self
    }

    /// Takes the prompts from a file, in place of synthetic ones: its input length is then
    /// [`Length::DATA`]. With a [trace](super::DataFormat::Mooncake), so is its output length.
    ///
    /// ```
    /// use nim_slurm::recipe::{DataFormat, DataSet, UseCase};
    ///
    /// let data = DataSet::new("/lustre/data/prompts.jsonl".parse()?, DataFormat::Prompts);
    /// let support = UseCase::parse("support:1/256")?.with_data(data.clone());
    /// assert_eq!((support.data(), support.input_tokens()), (Some(&data), 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_data(self, data: DataSet) -> Self {
        let output = if data.format.is_trace() {
            Length::DATA
        } else {
            self.output
        };
        Self {
            input: Length::DATA,
            output,
            data: Some(data),
            ..self
        }
    }

    setters! {
        /// Puts one of a few beginnings in front of each prompt.
        with_prefix: prefix = Prefix;
        /// Sends conversations of so many requests, at least two, each with what was said before.
        with_turns: turns = u32;
        /// Waits for so long between an answer and the next request of its conversation.
        with_delay: delay = Seconds;
        /// Spreads the requests of a rate in this way.
        with_arrival: arrival = Arrival;
        /// Sets the shape of [`Arrival::Gamma`].
        with_smoothness: smoothness = Decimal;
        /// Sends requests for so long, in place of a number of them.
        with_duration: duration = Seconds;
        /// Lets the load rise for so long.
        with_ramp: ramp = Seconds;
        /// Has so many prompts for a duration.
        with_prompts: prompts = u32;
    }

    /// The name. In a result's folder name, it stands with [prefix](Self::prefix) and [turns](Self::turns) behind it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that the prompts come from, if they are not synthetic.
    ///
    /// ```
    /// use nim_slurm::recipe::UseCase;
    ///
    /// assert_eq!(UseCase::parse("chat:128/128")?.data(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn data(&self) -> Option<&DataSet> {
        self.data.as_ref()
    }

    /// Its data as launch.sh knows it: form and file. With turns, the form says how many, and for how many
    /// milliseconds a conversation waits between them.
    pub(crate) fn data_set(&self) -> Option<(String, &DataFile)> {
        let DataSet { file, format } = self.data.as_ref()?;
        let mut form = format.as_str().to_owned();
        if self.is_conversation() {
            form.push_str(&format!("-t{}d{}", self.turns(), self.delay_milliseconds()));
        }
        Some((form, file))
    }

    /// What stands in front of its prompts, if anything does.
    ///
    /// ```
    /// use nim_slurm::recipe::{Prefix, UseCase};
    ///
    /// let chat = UseCase::parse("chat:128/128")?.with_prefix(Prefix::new(1024, 4));
    /// assert_eq!((chat.prefix(), chat.input_tokens()), (Some(Prefix::new(1024, 4)), 128));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn prefix(&self) -> Option<Prefix> {
        self.prefix
    }

    /// How many requests a conversation has; 1 where each request is one of its own.
    ///
    /// ```
    /// use nim_slurm::recipe::UseCase;
    ///
    /// let chat = UseCase::parse("chat:128/128")?;
    /// assert_eq!((chat.turns(), chat.clone().with_turns(4).turns()), (1, 4));
    /// assert_eq!(chat.with_turns(4).to_string(), "chat:128/128, turns = 4");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn turns(&self) -> u32 {
        self.turns.unwrap_or(1).max(1)
    }

    /// For how long a conversation waits between an answer and its next request, if it does.
    #[must_use]
    pub const fn delay(&self) -> Option<Seconds> {
        self.delay
    }

    pub(crate) fn delay_milliseconds(&self) -> u64 {
        self.delay
            .map_or(0, |delay| u64::from(delay.seconds()) * 1000)
    }

    /// Whether requests have in front what was said before them.
    pub(crate) const fn is_conversation(&self) -> bool {
        self.turns.is_some()
    }

    /// The name as a folder of results has it: `chat-p1024x4` with a prefix, `chat-t4` with turns.
    pub(crate) fn folder_word(&self) -> String {
        let mut word = self.name.clone();
        if let Some(Prefix { length, count }) = self.prefix {
            word.push_str(&format!("-p{length}x{count}"));
        }
        if let Some(turns) = self.turns {
            word.push_str(&format!("-t{turns}"));
        }
        word
    }

    /// What else is sent, each key with a comma before it.
    pub(super) fn keys(&self) -> String {
        let prefix = self.prefix.map(|Prefix { length, count }| {
            format!(", prefix = {{ length = {length}, count = {count} }}")
        });
        let turns = self.turns.map(|turns| format!(", turns = {turns}"));
        let delay = self.delay.map(|delay| format!(", delay = {delay}"));
        [prefix, turns, delay].into_iter().flatten().collect()
    }

    /// Whether points of both have folders of the same names, but for their loads.
    pub(crate) fn has_same_folders(&self, other: &Self) -> bool {
        let words = |use_case: &Self| (use_case.folder_word(), use_case.input, use_case.output);
        words(self) == words(other)
    }

    /// The first key that is another one, of those that the names of folders do not have.
    pub(crate) fn differs_in(&self, other: &Self) -> Option<&'static str> {
        [
            ("data", self.data != other.data),
            ("delay", self.delay != other.delay),
            ("duration", self.duration != other.duration),
            ("arrival", self.arrival() != other.arrival()),
            ("smoothness", self.smoothness != other.smoothness),
            ("ramp", self.ramp != other.ramp),
            ("prompts", self.prompts != other.prompts),
        ]
        .into_iter()
        .find_map(|(key, differs)| differs.then_some(key))
    }

    /// The input sequence length in tokens; where it has a spread, the mean; 0 where a file has the
    /// prompts. A [prefix](Self::prefix) is not a part of it, nor is what was said before.
    #[must_use]
    pub const fn input_tokens(&self) -> u32 {
        self.input.mean()
    }

    /// The output sequence length in tokens; where it has a spread, the mean; 0 where a trace has
    /// the lengths.
    #[must_use]
    pub const fn output_tokens(&self) -> u32 {
        self.output.mean()
    }

    /// The input sequence length with its spread.
    #[must_use]
    pub const fn input(&self) -> Length {
        self.input
    }

    /// The output sequence length with its spread.
    #[must_use]
    pub const fn output(&self) -> Length {
        self.output
    }

    /// The rates at which requests are sent; empty where a number of them is in flight.
    #[must_use]
    pub fn request_rate(&self) -> &[Decimal] {
        &self.request_rate
    }

    /// The gaps between the requests of a rate.
    #[must_use]
    pub fn arrival(&self) -> Arrival {
        self.arrival.unwrap_or_default()
    }

    /// The shape of [`Arrival::Gamma`].
    #[must_use]
    pub const fn smoothness(&self) -> Option<Decimal> {
        self.smoothness
    }

    /// For how long requests are sent, if that ends a point.
    #[must_use]
    pub const fn duration(&self) -> Option<Seconds> {
        self.duration
    }

    /// For how long the load rises.
    #[must_use]
    pub const fn ramp(&self) -> Option<Seconds> {
        self.ramp
    }

    /// How many prompts there are for a duration, if that is said.
    #[must_use]
    pub const fn prompts(&self) -> Option<u32> {
        self.prompts
    }

    /// Whether a trace says when requests are sent.
    pub(crate) fn is_scheduled(&self) -> bool {
        self.data
            .as_ref()
            .is_some_and(|data| data.format.is_trace())
    }

    /// Whether name and lengths without a spread are all that there is to say.
    pub(crate) fn is_plain(&self) -> bool {
        Self::check(&self.to_string()).as_ref() == Ok(self)
            && self.input.spread() + self.output.spread() == 0
    }

    /// The first thing in it that a search of this load does not take.
    pub(crate) fn not_for_a_search(&self, of: SearchedLoad) -> Option<&'static str> {
        let is_of_rate = of == SearchedLoad::RequestRate;
        let has_spread = self.input.spread() + self.output.spread() > 0;
        // What both kinds refuse, and what that of a concurrency does in addition.
        let mut known = [
            ("request_rate", !self.request_rate.is_empty(), true),
            ("a trace", self.is_scheduled(), true),
            ("turns", self.is_conversation(), true),
            ("duration", self.duration.is_some(), true),
            ("ramp", self.ramp.is_some(), true),
            ("data", self.data.is_some(), false),
            ("prefix", self.prefix.is_some(), false),
            ("a length with a spread", has_spread, false),
        ]
        .into_iter();
        let found =
            known.find(|(_, is_there, is_of_both)| *is_there && (*is_of_both || !is_of_rate));
        match found {
            Some((key, ..)) => Some(key),
            None if is_of_rate || self.is_plain() => None,
            None => Some("more than NAME:INPUT/OUTPUT"),
        }
    }

    /// What its keys ask for that does not go together.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let is_driven = !self.request_rate.is_empty();
        let is_gamma = self.arrival == Some(Arrival::Gamma);
        [
            (
                self.arrival.is_some() && !is_driven,
                "arrival needs request_rate: write request_rate = [1], or leave arrival out",
            ),
            (
                self.smoothness.is_some() != is_gamma,
                "arrival = \"gamma\" and smoothness go together, as in smoothness = 0.5",
            ),
            (
                self.ramp.is_some() && is_driven && self.arrival() != Arrival::Constant,
                "a ramp of a rate needs arrival = \"constant\": with random gaps, AIPerf has the rate long before the ramp ends",
            ),
            (
                self.ramp >= self.duration && self.duration.is_some(),
                "its ramp must be shorter than its duration: else the load is never there",
            ),
            (
                self.prompts.is_some() && self.duration.is_none(),
                "prompts is for duration, which it has not: leave prompts out, and each request has one",
            ),
            (self.prompts == Some(0), "prompts must be at least 1"),
            (
                self.prefix.is_some() && self.data.is_some(),
                "prefix is for synthetic prompts, and its data has the prompts: leave one of them out",
            ),
            (
                self.prefix
                    .is_some_and(|prefix| prefix.length == 0 || prefix.count == 0),
                "length and count of its prefix must be at least 1",
            ),
            (
                self.turns.is_some_and(|turns| turns < 2),
                "turns must be at least 2: leave turns out, and each request is a conversation of its own",
            ),
            (
                self.turns.is_some()
                    && (self.data.as_ref()).is_some_and(|data| data.format != DataFormat::Sharegpt),
                "turns is for synthetic prompts and for format = \"sharegpt\", and its data has no conversations: leave turns out",
            ),
            (
                self.delay.is_some() && self.turns.is_none(),
                "delay is for turns, which it has not: write turns = 4, or leave delay out",
            ),
            (
                self.is_scheduled() && is_driven,
                "its trace says when requests are sent: leave request_rate out",
            ),
            (
                self.is_scheduled() && self.duration.is_some(),
                "its trace says for how long requests are sent: leave duration out",
            ),
            (
                self.is_scheduled() && self.ramp.is_some(),
                "its trace says when requests are sent: leave ramp out",
            ),
            (
                self.is_scheduled() && !self.output.is_data(),
                "its trace says how long each answer is: leave output out",
            ),
            (
                self.output.is_data() && !self.is_scheduled(),
                "it has no output: take a length, as in \"chat:128/128\", before another format of data",
            ),
        ]
        .into_iter()
        .find_map(|(is_so, what)| is_so.then_some(what))
    }

    /// How many prompts of its own a point with a duration may need.
    pub(super) fn prompts_of(&self, load: Load, duration: Seconds) -> u64 {
        /// Tokens a second of one stream: faster than all but small models.
        const FAST: u64 = 200;
        if let Some(prompts) = self.prompts {
            return prompts.into();
        }
        let seconds = u64::from(duration.seconds());
        if let Some(rate) = load.request_rate() {
            // Six standard deviations more than the mean.
            let mean = (u64::from(rate.thousandths()) * seconds).div_ceil(1000);
            let smoothness = self.smoothness.map_or(1000, Decimal::thousandths);
            let variance = mean * 1000 / u64::from(smoothness.clamp(1, 1000));
            return mean + 6 * variance.isqrt() + 10;
        }
        let rounds = (seconds * FAST).div_ceil(u64::from(self.output_tokens()).max(1)) + 1;
        u64::from(load.concurrency().unwrap_or(1)) * rounds
    }
}

/// The name and the lengths, and what else is sent.
impl fmt::Display for UseCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}/{}{}",
            self.name,
            self.input,
            self.output,
            self.keys()
        )
    }
}

value!(@ways UseCase, "use case");

/// A text, or a table.
impl<'de> Deserialize<'de> for UseCase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = UseCase;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"NAME:ISL/OSL\" or { name = ..., input = ..., output = ... }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<UseCase, E> {
                UseCase::parse(text).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UseCase, A::Error> {
                let table = UseCaseTable::deserialize(MapAccessDeserializer::new(map))?;
                let is_trace = (table.data.as_ref()).is_some_and(|data| data.format.is_trace());
                // Any length will do where the file has them.
                let any = Length::of(1).expect("it is at least 1");
                let output = match table.output {
                    Some(output) => output,
                    None if is_trace => any,
                    None => return Err(A::Error::missing_field("output")),
                };
                let input = match (table.input, &table.data) {
                    (Some(input), None) => input,
                    (None, Some(_)) => any,
                    (input, _) => {
                        let what = input.map_or("neither", |_| "both");
                        return Err(A::Error::custom(format!(
                            "it has {what} of input and data: {ONE}"
                        )));
                    }
                };
                let text = format!("{}:{input}/{output}", table.name);
                let plain = UseCase::parse(&text).map_err(A::Error::custom)?;
                let use_case = match table.data {
                    Some(data) => plain.with_data(data),
                    None => plain,
                };
                // The plan says that a trace has it.
                let output = table.output.unwrap_or(use_case.output);
                Ok(UseCase {
                    output,
                    prefix: table.prefix,
                    turns: table.turns,
                    delay: table.delay,
                    request_rate: table.request_rate.unwrap_or_default(),
                    arrival: table.arrival,
                    smoothness: table.smoothness,
                    duration: table.duration,
                    ramp: table.ramp,
                    prompts: table.prompts,
                    ..use_case
                })
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl Serialize for UseCase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if Self::check(&self.to_string()).as_ref() == Ok(self) {
            return serializer.serialize_str(&self.to_string());
        }
        let table = UseCaseTable {
            name: self.name.clone(),
            input: Some(self.input).filter(|input| !input.is_data()),
            output: Some(self.output).filter(|output| !output.is_data()),
            turns: self.turns,
            delay: self.delay,
            request_rate: Some(self.request_rate.clone()).filter(|rates| !rates.is_empty()),
            arrival: self.arrival,
            smoothness: self.smoothness,
            duration: self.duration,
            ramp: self.ramp,
            prompts: self.prompts,
            prefix: self.prefix,
            data: self.data.clone(),
        };
        table.serialize(serializer)
    }
}

/// What the synthetic prompts of a [use case](UseCase) begin with: each with one of so many beginnings of so many tokens, which are
/// drawn at random, in front of its own input.
///
/// It measures what a prefix cache saves: with `server.prefix_cache = "on"`, or `"off"` to compare with. AIPerf alone can do it here,
/// since the client gives each prompt of GenAI-Perf a beginning of its own.
///
/// ```
/// use nim_slurm::recipe::{Prefix, UseCase};
///
/// let agent = UseCase::parse("agent:128/128")?.with_prefix(Prefix::new(1024, 4));
/// assert_eq!(agent.to_string(), "agent:128/128, prefix = { length = 1024, count = 4 }");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Prefix {
    /// Tokens of each beginning.
    #[serde(deserialize_with = "at_least_one")]
    pub length: u32,
    /// How many beginnings there are.
    #[serde(deserialize_with = "at_least_one")]
    pub count: u32,
}

impl Prefix {
    /// So many tokens, in so many forms.
    ///
    /// ```
    /// use nim_slurm::recipe::Prefix;
    ///
    /// assert_eq!(Prefix::new(1024, 4).count, 4);
    /// ```
    #[must_use]
    pub const fn new(length: u32, count: u32) -> Self {
        Self { length, count }
    }
}

/// How the requests of a rate are spread over time.
///
/// ```
/// use nim_slurm::recipe::{Arrival, UseCase};
///
/// let chat = UseCase::parse("chat:128/128")?.with_request_rate([2.try_into()?]);
/// assert_eq!(chat.arrival(), Arrival::Poisson);
/// assert_eq!(chat.with_arrival(Arrival::Constant).arrival(), Arrival::Constant);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Arrival {
    /// All gaps are the same.
    Constant,
    /// The gaps have an exponential distribution: users come without knowing of each other.
    #[default]
    Poisson,
    /// The gaps have a gamma distribution, whose shape is the smoothness: below 1, requests
    /// come in bursts.
    Gamma,
}

impl Arrival {
    /// As both tools call it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Gamma => "gamma",
        }
    }
}

/// A time in whole seconds, at least one: `120s`, or `120`.
///
/// ```
/// use nim_slurm::recipe::Seconds;
///
/// assert_eq!(Seconds::parse("120s")?.seconds(), 120);
/// assert_eq!(Seconds::try_from(120)?.to_string(), "120s");
/// assert!(Seconds::parse("2m").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(u32);

impl Seconds {
    fn check(text: &str) -> Result<Self, Fault> {
        positive_number(text.strip_suffix('s').unwrap_or(text))
            .map(Self)
            .map_err(|_| Fault::rule("whole seconds are allowed, at least one, as in 120s"))
    }

    /// How many.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}s", self.0))
    }
}

value!(Seconds, "number of seconds");
from_number!(Seconds);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn use_cases() {
        accepts::<UseCase>("long-2:4096/0512", "long-2:4096/512");
        accepts::<UseCase>("chat:128s20/64s5", "chat:128s20/64s5");
        refuses::<UseCase>(
            "chat",
            "cannot take \"chat\" as use case: NAME:ISL/OSL is allowed, as in chat:128/128",
        );
        refuses::<UseCase>(
            "chat:128/0",
            "cannot take \"chat:128/0\" as use case: it must be at least 1",
        );
        refuses::<UseCase>(
            "Chat:1/1",
            "unexpected character 'C' in use case \"Chat:1/1\": small letters, digits and '-' are allowed",
        );
        for text in ["", ":1/1", "a_b:1/1", "a:1/1/1", "a:1", "-a:1/1", "a:x/1"] {
            assert!(UseCase::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds() {
        accepts::<Seconds>("120", "120s");
        for text in ["", "s", "0s", "1.5s", "2m", "-1s", "1ss", "1 s"] {
            assert!(Seconds::parse(text).is_err(), "{text}");
        }
    }

    /// The recipe with these use cases, or what is said against them.
    fn with(use_cases: &str) -> Result<Recipe, String> {
        let text = Recipe::llama3_70b_h100x4_fp8().to_toml();
        let own = "use_cases = [\"chat:128/128\", \"summarization:4096/512\"]";
        assert!(text.contains(own), "{text}");
        let text = text.replace(own, &format!("use_cases = [{use_cases}]"));
        Recipe::from_toml(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn tables_and_texts_stand_side_by_side() {
        let recipe = with(
            "'chat:128/128', { name = 'chat', input = 128, output = '64s5', request_rate = [1, 2.50, '0.125'] },\
             { name = 'chat', input = 128, output = 128 }, { name = 'a', input = 1, output = 1, duration = 60 }",
        )
        .unwrap();
        let use_cases = recipe.sweep.use_cases.clone();
        assert_eq!(use_cases[0], use_cases[2]); // the plan says that once is enough
        let rates: Vec<_> = use_cases[1]
            .request_rate()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(rates, ["1", "2.5", "0.125"]);
        let text = recipe.to_toml();
        assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
        // Tables alone are written in another form of TOML.
        let tables = recipe.with_use_cases([use_cases[1].clone(), use_cases[3].clone()]);
        assert_eq!(
            Recipe::from_toml(&tables.to_toml()).unwrap(),
            tables,
            "{text}"
        );
    }

    #[test]
    fn refusals() {
        let start = "name = 'chat', input = 128, output = 128";
        for (more, expected) in [
            (
                "arrival = 'uniform'",
                "unknown word \"uniform\": allowed are constant, poisson, gamma",
            ),
            ("duration = '1m'", "whole seconds are allowed"),
            ("request_rate = [0]", "a number such as 2 or 2.5 is allowed"),
            (
                "request_rate = [-1.5]",
                "a number such as 2 or 2.5 is allowed",
            ),
            ("request_rates = [1]", "perhaps request_rate is meant"),
        ] {
            let error = with(&format!("{{ {start}, {more} }}")).unwrap_err();
            assert!(error.contains(expected), "{more}: {error}");
            // And nothing else.
            assert!(!error.contains("mistakes"), "{more}: {error}");
        }
        let error = with("{ name = 'chat', input = '128s100', output = 1 }").unwrap_err();
        assert!(error.contains("at most half the mean"), "{error}");
        let error = with("{ name = 'Chat', input = 1, output = 1 }").unwrap_err();
        assert!(error.contains("unexpected character 'C'"), "{error}");
        let error = with("7").unwrap_err();
        assert!(error.contains("NAME:ISL/OSL"), "{error}");
    }
}
