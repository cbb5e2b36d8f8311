//! Options of the client's tool that a recipe adds.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Word;
use crate::value::{Fault, ValueError};

/// What it is called in a refusal.
const NAME: &str = "option of the client";

/// Options for the client's tool, beside those that it is given in any case: a word each, the
/// same at each point.
///
/// # Syntax
///
/// Long options, with their values behind `=` or as the next word. Which there are, the tool
/// decides: what is not refused here is passed on.
///
/// `--extra-inputs NAME:VALUE` adds a field to each request, also to those of the warm-up. A value
/// is `true`, `false`, a number without sign such as `0` or `0.95`, or a plain word; anything else
/// is JSON, `--extra-inputs {"NAME": VALUE}`. `--header NAME:VALUE` adds a header to the
/// tool's own requests. Both are repeated for another one.
///
/// # Errors
///
/// * `--concurrency`, `--extra-inputs max_tokens:5`: the recipe has a key for that
/// * `--request-rate`, `--input-file`: another load, or other prompts, than the result's name says
/// * `--config`, `--search-recipe`: another measurement, or several in one
/// * `--mlflow-tracking-uri`: sends results elsewhere
/// * `--api-key`, `--header Authorization:...`: a secret, which scripts and manifests would show
/// * `-v`, `--conc`, `--`: short forms, and what is for perf_analyzer
/// * `{seed}` in a word: it would be replaced
///
/// ```
/// use nim_slurm::recipe::ClientOptions;
///
/// let options = ClientOptions::parse_all(["--extra-inputs", "temperature:0"])?;
/// assert_eq!(options.words()[1].as_str(), "temperature:0");
/// assert!(!options.is_empty() && ClientOptions::default().is_empty());
///
/// let error = ClientOptions::parse_all(["--concurrency", "8"]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "cannot take \"--concurrency\" as option of the client: the recipe's sweep.concurrency decides that; leave it out \
///      here",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClientOptions(Vec<Word>);

impl ClientOptions {
    /// Takes each text as a word.
    ///
    /// # Errors
    ///
    /// Names the first word that is refused, and why.
    ///
    /// ```
    /// use nim_slurm::recipe::ClientOptions;
    ///
    /// let json = r#"{"chat_template_kwargs": {"enable_thinking": false}}"#;
    /// assert!(ClientOptions::parse_all(["--extra-inputs", json]).is_ok());
    /// assert!(ClientOptions::parse_all(["--extra-inputs", "max_tokens:5"]).is_err());
    /// ```
    pub fn parse_all<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, ValueError> {
        let mut reader = Reader::default();
        let words = words.into_iter().map(|word| reader.read(word));
        words.collect::<Result<_, _>>().map(Self)
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[Word] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The word that has no place: a value without an option, or an option without its value.
    pub(crate) fn misplaced(&self) -> Option<(&str, &'static str)> {
        if let Some(first) = self.0.first().filter(|word| !is_option(word.as_str())) {
            return Some((first.as_str(), "an option must stand before it"));
        }
        let mut words = self.0.iter().map(Word::as_str).peekable();
        while let Some(word) = words.next() {
            let is_last = words.peek().is_none_or(|next| is_option(next));
            if is_last && matches!(word, "--extra-inputs" | "--header") {
                return Some((word, "NAME:VALUE must follow it"));
            }
        }
        None
    }

    /// Whether one of the words is this option, of those without a value.
    pub(super) fn has(&self, option: &str) -> bool {
        let mut words = self.0.iter().map(Word::as_str);
        words.any(|word| is_option(word) && word.replace('_', "-") == option)
    }

    /// Whether requests get headers.
    pub(super) fn has_header(&self) -> bool {
        self.entries(Keyed::Header).next().is_some()
    }

    /// Whether fields of requests are said in JSON.
    pub(super) fn has_json(&self) -> bool {
        self.entries(Keyed::Field)
            .any(|entry| entry.starts_with('{'))
    }

    /// The fields of requests as JSON, without blanks between name and value: `"temperature":0`.
    pub(super) fn fields(&self) -> Vec<String> {
        let fields = self.entries(Keyed::Field).filter_map(|it| fields(it).ok());
        let fields = fields.flatten();
        fields
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect()
    }

    fn entries(&self, keyed: Keyed) -> impl Iterator<Item = &str> {
        let mut is_next = false;
        self.0.iter().filter_map(move |word| {
            let word = word.as_str();
            if !is_option(word) {
                return std::mem::take(&mut is_next).then_some(word);
            }
            let (name, value) = word.split_once('=').unzip();
            let is_it = Keyed::of(name.unwrap_or(word).trim_start_matches('-')) == Some(keyed);
            is_next = is_it && value.is_none();
            value.filter(|_| is_it)
        })
    }
}

impl<'de> Deserialize<'de> for ClientOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = ClientOptions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ClientOptions, A::Error> {
                let (mut reader, mut words) = (Reader::default(), Vec::new());
                while let Some(word) = list.next_element_seed(&mut reader)? {
                    words.push(word);
                }
                Ok(ClientOptions(words))
            }
        }

        deserializer.deserialize_seq(Words)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Reader {
    type Value = Word;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Word, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What is refused here is told with the word's own place in the file.
impl Visitor<'_> for &mut Reader {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Word, E> {
        self.read(text).map_err(E::custom)
    }
}

/// Options that are repeated, each time with another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Keyed {
    Field,
    Header,
}

impl Keyed {
    /// By an option's name, without hyphens before it.
    fn of(name: &str) -> Option<Self> {
        match name.replace('_', "-").as_str() {
            "extra-inputs" => Some(Self::Field),
            "header" => Some(Self::Header),
            _ => None,
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::Field => "--extra-inputs",
            Self::Header => "--header",
        }
    }
}

/// Reads words in their order.
#[derive(Default)]
struct Reader {
    /// The option whose value may follow, and whether it has one.
    keyed: Option<(Keyed, bool)>,
    /// Names that were given to it.
    names: BTreeSet<(Keyed, String)>,
}

impl Reader {
    fn read(&mut self, text: &str) -> Result<Word, ValueError> {
        self.check(text)
            .map_err(|fault| ValueError::new(NAME, text, fault))
    }

    fn check(&mut self, text: &str) -> Result<Word, Fault> {
        let word = Word::check(text)?;
        if let Some(name) = PLACEHOLDERS.iter().find(|name| text.contains(**name)) {
            return Err(Fault::rule(format!(
                "launch.sh would put a fact of the point in place of {name}; leave it out"
            )));
        }
        if looks_secret(text) {
            return Err(secret());
        }
        if is_option(text) {
            let (name, value) = text.split_once('=').unzip();
            let name = name.unwrap_or(text);
            check_name(name)?;
            self.keyed = Keyed::of(name.trim_start_matches('-')).map(|keyed| (keyed, false));
            if let (Some((keyed, _)), Some(value)) = (self.keyed, value) {
                self.enter(keyed, value)?;
            }
        } else if let Some((keyed, has_value)) = self.keyed {
            if has_value {
                let option = keyed.option();
                return Err(Fault::rule(format!("write another {option} before it")));
            }
            self.enter(keyed, text)?;
        }
        Ok(word)
    }

    fn enter(&mut self, keyed: Keyed, text: &str) -> Result<(), Fault> {
        let names: Vec<String> = match keyed {
            Keyed::Field => fields(text)?.into_iter().map(|(name, _)| name).collect(),
            Keyed::Header => vec![header(text)?.to_ascii_lowercase()],
        };
        for name in names {
            if !self.names.insert((keyed, name.clone())) {
                return Err(Fault::rule(format!("{name} has a value already")));
            }
        }
        self.keyed = Some((keyed, true));
        Ok(())
    }
}

/// What `fill` of launch.sh replaces.
const PLACEHOLDERS: [&str; 11] = [
    "{data}",
    "{url}",
    "{tokenizer}",
    "{folder}",
    "{input_tokens}",
    "{output_tokens}",
    "{concurrency}",
    "{rate}",
    "{requests}",
    "{prompts}",
    "{seed}",
];

/// Both tools take a word with a hyphen before it for an option, unless it is a number.
fn is_option(word: &str) -> bool {
    let is_number = |number: &str| {
        let (whole, decimals) = number.split_once('.').unwrap_or(("", number));
        let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        !decimals.is_empty() && is_digits(whole) && is_digits(decimals)
    };
    word.strip_prefix('-').is_some_and(|rest| !is_number(rest))
}

const LOAD: &str = "it changes the load, which the recipe's [sweep] decides";
const PROMPTS: &str = "it changes the prompts, which the recipe's sweep.use_cases decides";
const LENGTHS: &str = "the recipe's sweep.use_cases decides that";
const REQUESTS: &str =
    "the recipe's sweep.requests_per_concurrency and sweep.min_requests decide that";
const FOLDERS: &str = "launch.sh decides where results lie and what they are called";
const CHAT: &str = "requests go to /v1/chat/completions, and answers are streamed";
const SEVERAL: &str = "it measures several points at once, and a result is one point";
const OTHER: &str = "it measures something else";
const ELSEWHERE: &str = "it sends results elsewhere";
const PORTS: &str = "launch.sh decides on which ports of the node something listens";
const CACHE: &str = "the recipe's server.prefix_cache decides that";
const WHOLE: &str = "it would replace what the recipe says";

/// Options of either tool that are refused, by name or, with `*`, by its beginning. AIPerf's also with
/// `no-` before it.
///
/// Sources: `parser.py` of GenAI-Perf 0.0.2 to 0.0.16, on the branches that [`super::GenaiPerfVersion`]
/// names; of AIPerf, `aiperf/common/config/*.py` of 0.1.1 to 0.7.0, and since 0.9.0
/// `aiperf/config/flags/cli_config.py`. `tests/data/client_options` lists each release's options, and
/// which of them are refused.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("model model-names model-selection-strategy", "the recipe's server.served_model_name decides that"),
    ("url url-strategy", "the recipe's server.port decides that"),
    ("tokenizer", "the recipe's client.tokenizer decides that"),
    ("tokenizer-revision", "the recipe's client.tokenizer_revision decides that"),
    ("tokenizer-trust-remote-code", "the recipe's client.tokenizer_trust_remote_code decides that"),
    ("goodput", "the recipe's client.goodput decides that"),
    ("random-seed", "the recipe's client.random_seed decides that"),
    ("force-min-tokens", "the recipe's client.min_tokens decides that"),
    ("concurrency", "the recipe's sweep.concurrency decides that"),
    ("request-count num-requests num-dataset-entries num-prompts", REQUESTS),
    ("synthetic-input-tokens-* output-tokens-* isl osl isl-stddev osl-stddev", LENGTHS),
    ("prompt-input-tokens-* prompt-output-tokens-* isl-block-size seq-dist sequence-distribution", LENGTHS),
    ("random-range-ratio max-context-length", LENGTHS),
    ("artifact-dir output-artifact-dir profile-export-* export-level", FOLDERS),
    ("checkpoint-dir enable-checkpointing", FOLDERS),
    ("service-kind backend grpc-method endpoint endpoint-type custom-endpoint streaming stream", CHAT),
    ("request-content-type download-video-content", CHAT),
    ("ui ui-type", "AIPerf's other interfaces are for a terminal"),
    ("request-rate* arrival-* vllm-burstiness fixed-schedule* burst-* replay-* open-loop-* scenario", LOAD),
    ("user-centric-rate num-users prefill-concurrency* concurrency-ramp-*", LOAD),
    ("benchmark-* measurement-interval stability-percentage request-cancellation-*", LOAD),
    ("warmup-* num-warmup-* agentic-* unsafe-override", LOAD),
    ("num-sessions num-conversations conversation-* session-concurrency session-delay-* session-turn*", LOAD),
    ("inter-turn-* max-idle-gap-* system-idle-gap-* trace-* trajectory-* ignore-trace-delays use-think-time-only", LOAD),
    ("input-* public-dataset custom-dataset-type dataset-* allow-dataset-wrap hf-*", PROMPTS),
    ("prompt-* prefix-prompt-* num-prefix-prompts shared-system-prompt-length system-prompt*", PROMPTS),
    ("user-context-prompt-length batch-size* image-* audio-* video-* synthesis-* rankings-*", PROMPTS),
    ("random-corpus-style cache-bust uuid-and-strip omit-kv-hints", PROMPTS),
    ("concurrency-* isl-* osl-* search-* optuna-* bo-* sweep-* parameter-sweep-* variant", SEVERAL),
    ("ttft-sla-ms itl-sla-ms tpot-sla-ms e2e-sla-ms error-rate-sla slo-* degradation-*", SEVERAL),
    ("num-profile-runs profile-run-* convergence-* confidence-level", SEVERAL),
    ("set-consistent-seed vary-seed-per-trial", SEVERAL),
    ("accuracy-* server-profiler*", OTHER),
    ("wait-for-model-*", "launch.sh waits for the server, and the tool sends nothing before its turn"),
    ("network-latency-*", "it would take something off the latencies"),
    ("server-metrics server-metrics-formats gpu-telemetry", "AIPerf's own collectors are off, since they may fail a point"),
    ("mlflow-* wandb-* otel-*", ELSEWHERE),
    ("api-host api-port zmq-*", PORTS),
    ("reset-kv-cache*", CACHE),
    ("config cli-config override-config file files", WHOLE),
    ("help version install-completion", "the tool would say something and end"),
    (API_KEY, SECRET),
];

const API_KEY: &str = "api-key";

const SECRET: &str =
    "a secret would stand in scripts and manifests, and the job's own server is asked without one";

fn secret() -> Fault {
    Fault::secret(format!("{SECRET}; leave it out here"))
}

/// An option's name against what the recipe and launch.sh decide.
fn check_name(option: &str) -> Result<(), Fault> {
    let Some(name) = option.strip_prefix("--") else {
        return Err(Fault::rule(
            "a short option is not allowed; write its long form, as --verbose for -v",
        ));
    };
    if name.is_empty() {
        return Err(Fault::rule(
            "options of perf_analyzer, which follow it, are not allowed; leave both out",
        ));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if let Some(c) = name.chars().find(|c| !is_name(*c)) {
        let allowed = "in an option's name, letters, digits, '-' and '_' are allowed";
        return Err(Fault::Character(c, allowed));
    }
    // AIPerf takes the one for the other.
    let name = name.replace('_', "-");
    let bare = name.strip_prefix("no-").unwrap_or(&name);
    let all = || {
        REFUSED
            .iter()
            .flat_map(|(names, why)| names.split(' ').map(move |own| (own, *why)))
    };
    let is_it = |own: &str| match own.strip_suffix('*') {
        Some(start) => bare.starts_with(start),
        None => own == bare,
    };
    if is_it(API_KEY) {
        return Err(secret());
    }
    if let Some((_, why)) = all().find(|(own, _)| is_it(own)) {
        return Err(Fault::rule(format!("{why}; leave it out here")));
    }
    // argparse takes the beginning of a name for the name.
    let short = |own: &str| own.len() > bare.len() && own.starts_with(bare);
    if let Some((own, why)) = all().find(|(own, _)| short(own)) {
        let own = own.trim_end_matches('*');
        return Err(Fault::rule(format!(
            "it may be short for --{own}, and {why}; leave it out here, or write another option's whole name"
        )));
    }
    for keyed in [Keyed::Field, Keyed::Header].map(Keyed::option) {
        if short(keyed.trim_start_matches('-')) {
            return Err(Fault::rule(format!("write {keyed} in full")));
        }
    }
    Ok(())
}

/// Fields that the tool's requests have in any case, and what decides them.
const SET_FIELDS: &[(&str, &str)] = &[
    (
        "model",
        "the recipe's server.served_model_name decides that",
    ),
    ("messages", PROMPTS),
    ("prompt", PROMPTS),
    ("stream", CHAT),
    ("stream_options", "the tool decides that"),
    ("max_tokens", LENGTHS),
    ("max_completion_tokens", LENGTHS),
    ("min_tokens", "the recipe's client.min_tokens decides that"),
    ("ignore_eos", "the recipe's client.ignore_eos decides that"),
    ("n", "each request has one answer"),
];

/// The fields of `NAME:VALUE`, or of an object of JSON, with their values in JSON.
///
/// The tools read a number with a sign, `none`, and blanks or commas, each in its own way: that is left to JSON.
fn fields(text: &str) -> Result<Vec<(String, String)>, Fault> {
    let found = if text.starts_with('{') {
        let object = Json::object(text);
        object.ok_or_else(|| Fault::rule("it begins with '{' and is no object of JSON"))?
    } else {
        let form = || {
            Fault::rule(
                "NAME:VALUE is allowed, with true, false, a number without sign or a plain word, as in temperature:0; \
                 write any other value in JSON, as in {\"presence_penalty\": -0.5}",
            )
        };
        let (name, value) = text.split_once(':').ok_or_else(form)?;
        vec![(name.to_owned(), plain_value(value).ok_or_else(form)?)]
    };
    for (name, _) in &found {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(Fault::rule(format!(
                "in the field's name {name:?}, letters, digits, '_', '-' and '.' are allowed"
            )));
        }
        if let Some((_, why)) = SET_FIELDS.iter().find(|(own, _)| own == name) {
            return Err(Fault::rule(format!("{name}: {why}; leave it out here")));
        }
    }
    Ok(found)
}

/// A value that both tools read alike, in JSON.
fn plain_value(text: &str) -> Option<String> {
    const NOT_TEXT: [&str; 6] = ["true", "false", "none", "null", "nan", "inf"];
    let is_number = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if matches!(text, "true" | "false") || is_number {
        return Json::whole(text);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_plain)
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str());
    is_word.then(|| format!("\"{text}\""))
}

/// The name of a header.
fn header(text: &str) -> Result<&str, Fault> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    // AIPerf splits at commas.
    let is_value = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | ':');
    let (name, value) = text.split_once(':').unwrap_or_default();
    if name.is_empty() || value.is_empty() {
        return Err(Fault::rule("NAME:VALUE is allowed, as in X-Run:nightly"));
    }
    if !name.chars().all(is_name) || !value.chars().all(is_value) {
        return Err(Fault::rule(
            "a header's name has letters, digits and '-', and its value no blanks, commas and colons",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if ["auth", "cookie", "key", "token", "secret", "password"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return Err(secret());
    }
    let set = [
        "accept",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
    ];
    if set.contains(&lower.as_str()) {
        return Err(Fault::rule(format!(
            "{name}: the tool decides that; leave it out here"
        )));
    }
    Ok(name)
}

/// Whether a word has what tokens of well-known services begin with.
fn looks_secret(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.split(|c| !is_part(c)).any(|part| {
        part.eq_ignore_ascii_case("bearer")
            || ["hf_", "nvapi-", "sk-", "ghp_"]
                .iter()
                .any(|start| part.len() >= 20 && part.starts_with(start))
    })
}

/// Reads JSON by RFC 8259, and writes it without blanks.
struct Json<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Json<'a> {
    const DEEPEST: u32 = 32;

    const fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            depth: 0,
        }
    }

    /// The members of an object: each name as it is written, and its value.
    fn object(text: &'a str) -> Option<Vec<(String, String)>> {
        let mut json = Self::new(text);
        let mut members = Vec::new();
        json.members(|name, value| members.push((name.to_owned(), value.to_owned())))?;
        json.rest.is_empty().then_some(members)
    }

    fn whole(text: &'a str) -> Option<String> {
        let mut json = Self::new(text);
        json.value().filter(|_| json.rest.is_empty())
    }

    /// Takes this text, and the blanks behind it.
    fn take(&mut self, text: &str) -> Option<()> {
        let rest = self.rest.strip_prefix(text)?;
        self.rest = rest.trim_start_matches([' ', '\n', '\t', '\r']);
        Some(())
    }

    fn members(&mut self, mut member: impl FnMut(&str, &str)) -> Option<()> {
        self.take("{")?;
        if self.take("}").is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.take(":")?;
            let value = self.value()?;
            member(name.trim_matches('"'), &value);
            if self.take("}").is_some() {
                return Some(());
            }
            self.take(",")?;
        }
    }

    fn value(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > Self::DEEPEST {
            return None;
        }
        let value = match self.rest.chars().next()? {
            '{' => {
                let mut inner = Vec::new();
                self.members(|name, value| inner.push(format!("\"{name}\":{value}")))?;
                format!("{{{}}}", inner.join(","))
            }
            '[' => format!("[{}]", self.list()?.join(",")),
            '"' => self.string()?,
            '-' | '0'..='9' => self.number()?,
            _ => {
                let words = ["true", "false", "null"];
                let word = words.into_iter().find(|word| self.take(word).is_some())?;
                word.to_owned()
            }
        };
        self.depth -= 1;
        Some(value)
    }

    fn list(&mut self) -> Option<Vec<String>> {
        let mut entries = Vec::new();
        self.take("[")?;
        if self.take("]").is_some() {
            return Some(entries);
        }
        loop {
            entries.push(self.value()?);
            if self.take("]").is_some() {
                return Some(entries);
            }
            self.take(",")?;
        }
    }

    /// A string, as it is written. client.sh changes each `: 4` in what requests say, so a blank behind a colon is
    /// written by its number.
    fn string(&mut self) -> Option<String> {
        let mut text = String::from('"');
        let mut chars = self.rest.strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => {
                    let next = chars.next()?;
                    text.extend(['\\', next]);
                    let digits = match next {
                        'u' => 4,
                        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => 0,
                        _ => return None,
                    };
                    for _ in 0..digits {
                        text.push(chars.next().filter(char::is_ascii_hexdigit)?);
                    }
                }
                ' ' if text.ends_with(':') => text.push_str("\\u0020"),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
        text.push('"');
        self.rest = chars.as_str();
        self.take("")?;
        Some(text)
    }

    fn number(&mut self) -> Option<String> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | 'e' | 'E'));
        let number = &self.rest[..end.unwrap_or(self.rest.len())];
        let (base, exponent) = match number.split_once(['e', 'E']) {
            Some((base, exponent)) => (base, exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
            None => (number, "0"),
        };
        let base = base.strip_prefix('-').unwrap_or(base);
        let (whole, decimals) = base.split_once('.').unwrap_or((base, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        let is_one = [whole, decimals, exponent].into_iter().all(is_digits)
            && (whole == "0" || !whole.starts_with('0'));
        let number = number.to_owned();
        self.take(&number).filter(|()| is_one).map(|()| number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal(words: &[&str]) -> String {
        let options = ClientOptions::parse_all(words.iter().copied());
        let error = options.expect_err(&words.join(" ")).to_string();
        let shown = error.split_once(&format!(" as {NAME}: "));
        let hidden = || error.split_once(&format!("{}: ", crate::value::NOT_SHOWN));
        let (_, reason) = shown.or_else(hidden).unwrap();
        reason.to_owned()
    }

    #[track_caller]
    fn fields_of(words: &[&str]) -> String {
        let options = ClientOptions::parse_all(words.iter().copied());
        let options = options.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(options.misplaced(), None);
        options.fields().join(", ")
    }

    /// All options that the releases have, and those of them that are taken.
    #[test]
    fn each_option_of_each_release_is_decided() {
        let taken = |text: &str| -> String {
            let names = text.lines().filter(|line| line.starts_with('-'));
            let names = names.filter_map(|line| line.split(' ').next());
            let taken = names.filter(|name| ClientOptions::parse_all([*name]).is_ok());
            taken.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            taken(include_str!(
                "../../tests/data/client_options/genai-perf.txt"
            )),
            "--extra-inputs --generate-plots --header --server-metrics-url --server-metrics-urls --verbose"
        );
        assert_eq!(
            taken(include_str!("../../tests/data/client_options/aiperf.txt")),
            "--apply-chat-template --auto-plot --connection-reuse-strategy --export-http-trace --export-outputs-json \
             --extra-inputs --extra-verbose --failed-request-threshold --gen-ai-provider --header \
             --log-level --max-workers --no-auto-plot --per-chunk-usage \
             --plot-required --record-processor-service-count --record-processors --request-timeout-seconds \
             --session-header --show-trace-timing --slice-duration \
             --stats-interval --transport --transport-type --use-legacy-max-tokens --use-server-token-count --verbose \
             --workers-max"
        );
        // A release that is not listed may have others.
        assert!(ClientOptions::parse_all(["--of-tomorrow", "-1", "--another=x y"]).is_ok());
    }

    /// What the crate itself gives a tool, of whatever release, is refused in each spelling.
    #[test]
    fn what_is_set_is_refused() {
        let recipe = super::super::Recipe::llama3_70b_h100x4_fp8();
        let mut client = recipe.client;
        client.goodput =
            Some(super::super::Goodput::default().with_request_latency("9".parse().unwrap()));
        client.tokenizer_revision = Some("main".parse().unwrap());
        client.tokenizer_trust_remote_code = true;
        let mut seen = 0;
        for tool in ["24.05", "24.08", "25.03", "25.12", "aiperf"] {
            client.tool = match tool {
                "aiperf" => super::super::ClientTool::Aiperf("0.13.0".parse().unwrap()),
                release => super::super::ClientTool::GenaiPerf(release.parse().unwrap()),
            };
            let command = client.command("a");
            let end = command.iter().position(|word| word == "--");
            let own = &command[..end.unwrap_or(command.len())];
            for option in own.iter().filter(|word| word.starts_with("--")) {
                if option == "--extra-inputs" {
                    continue;
                }
                seen += 1;
                for form in [
                    option.clone(),
                    format!("{option}=1"),
                    option[2..].replace('-', "_").replacen("", "--", 1),
                    option[..option.len() - 1].to_owned(),
                ] {
                    let reason = refusal(&[&form]);
                    assert!(reason.contains("leave it out here"), "{form}: {reason}");
                }
            }
        }
        assert!(seen > 60, "{seen}");
    }

    const ITS_KEY: &str = "the recipe's sweep.concurrency decides that; leave it out here";
    const FORM: &str = "NAME:VALUE is allowed, with true, false, a number without sign or a plain word, as in \
            temperature:0; write any other value in JSON, as in {\"presence_penalty\": -0.5}";
    const HIDDEN: &str = "a secret would stand in scripts and manifests, and the job's own server is asked without \
            one; leave it out here";
    const TOKENS: &str = "max_tokens: the recipe's sweep.use_cases decides that; leave it out here";
    /// Words, and why the last one is refused.
    const REFUSALS: &[(&[&str], &str)] = &[
        (&["--concurrency", "8"], ITS_KEY),
        (&["--concurrency=8"], ITS_KEY),
        (&["--verbose", "--concurrency"], ITS_KEY),
        (
            &["--conc", "8"],
            "it may be short for --concurrency, and the recipe's sweep.concurrency decides that; leave it out \
                 here, or write another option's whole name",
        ),
        (
            &["--ver"],
            "it may be short for --version, and the tool would say something and end; leave it out here, or \
                 write another option's whole name",
        ),
        (&["--extra", "a:1"], "write --extra-inputs in full"),
        (&["--head", "a:1"], "write --header in full"),
        (
            &["-H", "a:b"],
            "a short option is not allowed; write its long form, as --verbose for -v",
        ),
        (
            &["--", "--max-threads", "9"],
            "options of perf_analyzer, which follow it, are not allowed; leave both out",
        ),
        (
            &["--warmup-request-count", "1"],
            "it changes the load, which the recipe's [sweep] decides; leave it out here",
        ),
        (
            &["--no-fixed-schedule"],
            "it changes the load, which the recipe's [sweep] decides; leave it out here",
        ),
        (
            &["--input_file", "a"],
            "it changes the prompts, which the recipe's sweep.use_cases decides; leave it out here",
        ),
        (
            &["--config", "a"],
            "it would replace what the recipe says; leave it out here",
        ),
        (
            &["--mlflow-tracking-uri", "http://a"],
            "it sends results elsewhere; leave it out here",
        ),
        (&["--api-key", "a"], HIDDEN),
        (&["--header", "Authorization:a"], HIDDEN),
        (&["--header", "x-api-key:a"], HIDDEN),
        (&["--gen-ai-provider", "nvapi-0123456789abcdef"], HIDDEN),
        (&["--extra-inputs", r#"{"a": "Bearer x"}"#], HIDDEN),
        (
            &["--header", "Host:a"],
            "Host: the tool decides that; leave it out here",
        ),
        (
            &["--header", "a"],
            "NAME:VALUE is allowed, as in X-Run:nightly",
        ),
        (
            &["--header", "a:b,Authorization:c"],
            "a header's name has letters, digits and '-', and its value no blanks, commas and colons",
        ),
        (
            &["--header", "a:b", "--header=A:c"],
            "a has a value already",
        ),
        (&["--extra-inputs", "max_tokens:5"], TOKENS),
        (&["--extra-inputs=max_tokens:5"], TOKENS),
        (&["--extra_inputs", "max_tokens:5"], TOKENS),
        (&["--extra-inputs", r#"{"a": 1, "max_tokens": 5}"#], TOKENS),
        (
            &["--extra-inputs", r#"{"max\u005ftokens": 5}"#],
            "in the field's name \"max\\\\u005ftokens\", letters, digits, '_', '-' and '.' are allowed",
        ),
        (&["--extra-inputs", "a:1,max_tokens:5"], FORM),
        (
            &["--extra-inputs", "a:1", "max_tokens:5"],
            "write another --extra-inputs before it",
        ),
        (
            &["--extra-inputs", "a:1", "--extra-inputs", "a:2"],
            "a has a value already",
        ),
        (&["--extra-inputs", "a"], FORM),
        (&["--extra-inputs", "a:-1"], FORM),
        (&["--extra-inputs", "a:007"], FORM),
        (&["--extra-inputs", "a:1e3"], FORM),
        (&["--extra-inputs", "a:None"], FORM),
        (&["--extra-inputs", "a:True"], FORM),
        (&["--extra-inputs", "a:b:c"], FORM),
        (
            &["--extra-inputs", "{"],
            "it begins with '{' and is no object of JSON",
        ),
        (
            &["--stats-interval", "{seed}"],
            "launch.sh would put a fact of the point in place of {seed}; leave it out",
        ),
    ];

    #[test]
    fn refusals() {
        for (words, reason) in REFUSALS {
            assert_eq!(refusal(words), *reason, "{words:?}");
        }
        let error = |word| ClientOptions::parse_all([word]).unwrap_err().to_string();
        assert_eq!(
            error("--a\0b"),
            "unexpected character '\\0' in option of the client \"--a\\0b\": any text is allowed whose control \
             characters are line breaks and tabs"
        );
        assert_eq!(
            error("--a b=c"),
            "unexpected character ' ' in option of the client \"--a b=c\": in an option's name, letters, digits, \
             '-' and '_' are allowed"
        );
    }

    #[test]
    fn fields_are_json() {
        assert_eq!(
            fields_of(&[
                "--extra-inputs",
                "temperature:0",
                "--verbose",
                "--extra-inputs=top_p:0.95",
                "--extra-inputs",
                "echo:false",
                "--extra-inputs",
                "reasoning_effort:low",
                "--header",
                "X-Run:4",
            ]),
            r#""temperature":0, "top_p":0.95, "echo":false, "reasoning_effort":"low""#
        );
        // client.sh changes ": 4".
        let json = "{ \"kwargs\" : {\"a\": [4, -4.5e+3 , null, {}, []],\n\"b\": \"x: 4 \\\" \\u00e4\"}, \"stop\": [\": 4\"] }";
        assert_eq!(
            fields_of(&["--extra-inputs", json]),
            r#""kwargs":{"a":[4,-4.5e+3,null,{},[]],"b":"x:\u00204 \" \u00e4"}, "stop":[":\u00204"]"#
        );
        assert_eq!(fields_of(&["--extra-inputs", "{}"]), "");
        let deep = |depth: usize| format!("{{\"a\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(ClientOptions::parse_all(["--extra-inputs", &deep(31)]).is_ok());
        for text in [
            "{\"a\": 01}",
            "{\"a\": 1.}",
            "{\"a\": .5}",
            "{\"a\": +1}",
            "{\"a\": 1e}",
            "{\"a\": NaN}",
            "{\"a\": True}",
            "{\"a\": 'b'}",
            "{\"a\": \"\\x\"}",
            "{\"a\": \"\\u12\"}",
            "{\"a\": \"\n\"}",
            "{\"a\": 1,}",
            "{\"a\": [1,]}",
            "{\"a\" 1}",
            "{a: 1}",
            "{\"a\": 1} {",
            "{\"a\": tru}",
            &deep(32),
            &"{\"a\":".repeat(100_000),
        ] {
            let options = ClientOptions::parse_all(["--extra-inputs", text]);
            assert!(options.is_err(), "{text}");
        }
    }

    /// serde_json reads each of them alike.
    #[cfg(feature = "results")]
    #[test]
    fn json_keeps_its_meaning() {
        for text in [
            r#"{"a": "x: 4", "b": {"c: 4": [1.50, -0, 1E5, true, "\ud83d\ude00 ü"]}}"#,
            "{\"a\"\t:\r\n[ ] , \"b\" : { } }",
        ] {
            let members = Json::object(text).unwrap();
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            let ours = format!("{{{}}}", members.join(","));
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(read(&ours), read(text));
            assert!(!ours.contains(": 4"), "{ours}");
        }
    }

    /// Those of client.sh, which fills them in.
    #[test]
    fn placeholders_are_those_of_the_script() {
        let client = include_str!("../../templates/launch/client.sh");
        let (_, facts) = client.split_once("facts=([").unwrap();
        let (facts, _) = facts.split_once(")\n").unwrap();
        let names = facts.split(['[', ' ', '\n']);
        let names = names.filter_map(|part| part.split_once("]=").map(|(name, _)| name));
        let names: BTreeSet<_> = names.map(|name| format!("{{{name}}}")).collect();
        assert_eq!(names, PLACEHOLDERS.map(str::to_owned).into());
    }

    #[test]
    fn words_have_their_places() {
        let misplaced = |words: &[&str]| {
            let options = ClientOptions::parse_all(words.iter().copied()).unwrap();
            options
                .misplaced()
                .map(|(word, reason)| format!("{word}: {reason}"))
        };
        assert_eq!(
            misplaced(&["x"]).unwrap(),
            "x: an option must stand before it"
        );
        assert_eq!(
            misplaced(&["-1"]).unwrap(),
            "-1: an option must stand before it"
        );
        for words in [&["--header"][..], &["--header", "--verbose"]] {
            assert_eq!(
                misplaced(words).unwrap(),
                "--header: NAME:VALUE must follow it"
            );
        }
        assert_eq!(misplaced(&["--request-timeout-seconds", "-1"]), None);
        assert_eq!(misplaced(&["--extra-inputs", "a:b", "--header=a:b"]), None);
    }
}
