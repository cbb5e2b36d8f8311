//! The JSON files: one object, a key for each metric.
//!
//! They are read as a stream into the [`Sink`], so that a file that was cut off
//! still gives what stands before the cut.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::metric::{Statistic, Statistics};
use super::offered::Arrivals;
use super::point::{Asked, GpuMetric};
use super::problem::quoted;
use super::sink::Sink;
use crate::load::{Decimal, Length, Load};

/// Reads the metrics in `bytes`, and what the tool was asked for.
pub(super) fn read(bytes: &[u8], sink: &mut Sink<'_>) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        return sink.add_problem(None, "is empty");
    }
    let text = valid_part(bytes);
    let is_text = text.len() == bytes.len();
    let text = &*quote_words(text);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = deserializer
        .deserialize_any(File { text, sink })
        .and_then(|()| deserializer.end());
    if !is_text {
        let line = line_of(text, &text[text.len()..]);
        sink.add_problem(line, "is not a text in UTF-8 from here on");
    } else if let Err(error) = outcome {
        let line = u64::try_from(error.line()).ok();
        let what = if error.is_data() {
            "is no result of GenAI-Perf or AIPerf"
        } else {
            "is no JSON from here on"
        };
        sink.add_problem(line, format!("{what}: {}", reason(&error)));
    }
}

/// The text in `bytes` as far as they are one.
fn valid_part(bytes: &[u8]) -> &str {
    match bytes.utf8_chunks().next() {
        Some(chunk) => chunk.valid(),
        None => "",
    }
}

/// The error's words without the line, which is said apart.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Python writes these for what JSON has no number for.
const WORDS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Makes those words texts, so that the rest of the file can be read. Lines stay.
fn quote_words(text: &str) -> Cow<'_, str> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 64);
    let (mut is_text, mut is_escaped) = (false, false);
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let word = WORDS.into_iter().find(|word| rest.starts_with(word));
        if let Some(word) = word.filter(|_| !is_text) {
            quoted.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        if character == '"' && !is_escaped {
            is_text = !is_text;
        }
        is_escaped = is_text && character == '\\' && !is_escaped;
        quoted.push(character);
        rest = &rest[character.len_utf8()..];
    }
    Cow::Owned(quoted)
}

/// The line of a text in which a part of it begins.
fn line_of(text: &str, part: &str) -> Option<u64> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let before = text.as_bytes().get(..start)?;
    let breaks = before.iter().map(|byte| u64::from(*byte == b'\n'));
    Some(1 + breaks.sum::<u64>())
}

struct File<'s, 'a, 't> {
    text: &'t str,
    sink: &'s mut Sink<'a>,
}

impl File<'_, '_, '_> {
    fn line(&self, part: &str) -> Option<u64> {
        line_of(self.text, part)
    }

    fn add_metric(&mut self, name: &str, part: &RawValue) {
        // The tools write much beside their metrics, and no text or list is one.
        let Ok(measured) = serde_json::from_str::<Measured<'_>>(part.get()) else {
            return;
        };
        for (statistic, cell) in measured.unreadable {
            self.add_problem(statistic, name, cell);
        }
        let line = || line_of(self.text, part.get());
        self.sink
            .add_metric(line, name, &measured.unit, measured.statistics);
    }

    fn add_problem(&mut self, statistic: Statistic, name: &str, cell: &str) {
        let shown = quoted(cell.trim_matches('"'));
        let message = format!("{statistic} of {name} is {shown}, which is no finite number");
        let text = self.text;
        self.sink.add_problem_at(|| line_of(text, cell), message);
    }

    /// A part of no fixed shape, which is small.
    fn value(&mut self, name: &str, part: &RawValue) -> Value {
        serde_json::from_str(part.get()).unwrap_or_else(|error| {
            let message = format!("{name} cannot be read: {}", reason(&error));
            self.sink.add_problem(self.line(part.get()), message);
            Value::Null
        })
    }

    /// GenAI-Perf's telemetry: `{METRIC: {"unit": …, "gpu0": {"avg": …}, …}, …}`.
    fn telemetry(&mut self, telemetry: &Value, line: Option<u64>) {
        for (name, metric) in telemetry.as_object().into_iter().flatten() {
            let unit = metric["unit"].as_str().unwrap_or_default();
            for (gpu, cells) in metric.as_object().into_iter().flatten() {
                let mut statistics = Statistics::default();
                for (key, cell) in cells.as_object().into_iter().flatten() {
                    match (Statistic::from_name(key), cell.as_f64()) {
                        (Some(statistic), Some(value)) => statistics.set(statistic, value),
                        (Some(statistic), None) if !cell.is_null() => {
                            let message = format!(
                                "{statistic} of {name} of {gpu} is {cell}, which is no finite number"
                            );
                            self.sink.add_problem(line, message);
                        }
                        _ => {}
                    }
                }
                if !statistics.is_empty() {
                    self.sink.content.gpu_metrics.push(GpuMetric {
                        name: name.clone(),
                        unit: unit.to_owned(),
                        endpoint: String::new(),
                        gpu: gpu.clone(),
                        statistics,
                    });
                }
            }
        }
    }
}

impl<'de> Visitor<'de> for File<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of metrics")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Key(key), part)) = map.next_entry::<Key<'_>, &RawValue>()? {
            match &*key {
                "input_config" if self.sink.wants_asked => {
                    self.sink.asked = asked(&self.value(&key, part));
                }
                "input_config" => {}
                "was_cancelled" => self.sink.content.was_cancelled = part.get() == "true",
                "telemetry_stats" => {
                    let telemetry = self.value(&key, part);
                    self.telemetry(&telemetry, self.line(part.get()));
                }
                name => self.add_metric(name, part),
            }
        }
        Ok(())
    }
}

/// A key, which is copied only where the file writes it with escapes: a file has
/// hundreds.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A metric: its unit and statistics.
#[derive(Default)]
struct Measured<'a> {
    unit: Cow<'a, str>,
    statistics: Statistics,
    unreadable: Vec<(Statistic, &'a str)>,
}

impl<'de> Deserialize<'de> for Measured<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MeasuredVisitor;

        impl<'de> Visitor<'de> for MeasuredVisitor {
            type Value = Measured<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a metric")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut measured = Measured::default();
                while let Some((Key(key), cell)) = map.next_entry::<Key<'_>, &RawValue>()? {
                    measured.take(&key, cell.get());
                }
                Ok(measured)
            }
        }

        deserializer.deserialize_map(MeasuredVisitor)
    }
}

impl<'a> Measured<'a> {
    fn take(&mut self, key: &str, cell: &'a str) {
        let Some(statistic) = Statistic::from_name(key) else {
            if key == "unit" {
                self.unit = serde_json::from_str(cell)
                    .map(|Key(unit)| unit)
                    .unwrap_or_default();
            }
            return;
        };
        // JSON's numbers are numbers of Rust's, too; one such as 1e400 is infinite.
        match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => self.statistics.set(statistic, value),
            _ if cell == "null" => {}
            _ => self.unreadable.push((statistic, cell)),
        }
    }
}

/// What the tool's own configuration says of the point. Its place has changed with
/// the releases.
fn asked(config: &Value) -> Asked {
    let first = |places: &[&str]| {
        places
            .iter()
            .filter_map(|place| config.pointer(place)?.as_f64())
            .find_map(whole)
    };
    // AIPerf may warm up before.
    let phases = config["phases"].as_array();
    let phase = phases.and_then(|phases| {
        let is_measured = |phase: &&Value| phase["kind"] == "profiling";
        phases.iter().find(is_measured).or_else(|| phases.first())
    });
    // Prompts from a file have the length that they have, whatever the options say.
    let is_synthetic = ["/prompt_source", "/input/prompt_source"]
        .iter()
        .filter_map(|place| config.pointer(place))
        .all(|source| source == "synthetic");
    let concurrency = first(&[
        "/concurrency",
        "/perf_analyzer/stimulus/concurrency",
        "/loadgen/concurrency",
    ])
    .or_else(|| whole(phase?["concurrency"].as_f64()?));
    let rate = [
        "/request_rate",
        "/perf_analyzer/stimulus/request_rate",
        "/loadgen/request_rate",
    ]
    .iter()
    .find_map(|place| config.pointer(place)?.as_f64())
    .or_else(|| phase?["rate"].as_f64())
    .and_then(Decimal::nearest);
    Asked {
        arrivals: Arrivals::of_config(config, phase),
        // With a rate, a concurrency is what it may not go above.
        load: (rate.map(Load::RequestRate)).or(concurrency.map(Load::Concurrency)),
        input: first(&[
            "/synthetic_input_tokens_mean",
            "/input/synthetic_tokens/mean",
            "/input/prompt/input_tokens/mean",
            "/datasets/0/prompts/isl/mean",
        ])
        .filter(|_| is_synthetic)
        .and_then(Length::of),
        output: first(&[
            "/output_tokens_mean",
            "/input/output_tokens/mean",
            "/input/prompt/output_tokens/mean",
            "/datasets/0/prompts/osl/mean",
        ])
        .and_then(Length::of),
        ..Asked::default()
    }
}

/// A whole positive number; the tools write -1 for "not set".
fn whole(value: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (value >= 1.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0).then_some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_texts_and_texts_stay() {
        for (text, expected) in [
            (r#"{"a": NaN}"#, r#"{"a": "NaN"}"#),
            (r"[-Infinity,Infinity]", r#"["-Infinity","Infinity"]"#),
            (r#"{"NaN": "a\"NaN\\"}"#, r#"{"NaN": "a\"NaN\\"}"#),
        ] {
            assert_eq!(quote_words(text), expected);
        }
    }

    #[test]
    fn every_release_says_what_it_was_asked() {
        for config in [
            r#"{"concurrency": 4, "synthetic_input_tokens_mean": 128, "output_tokens_mean": 64}"#,
            r#"{"perf_analyzer": {"stimulus": {"concurrency": 4}},
                "input": {"synthetic_tokens": {"mean": 128}, "output_tokens": {"mean": 64}}}"#,
            r#"{"loadgen": {"concurrency": 4},
                "input": {"prompt": {"input_tokens": {"mean": 128}, "output_tokens": {"mean": 64}}}}"#,
            r#"{"phases": [{"kind": "warmup", "concurrency": 1}, {"kind": "profiling", "concurrency": 4}],
                "datasets": [{"prompts": {"isl": {"mean": 128.0}, "osl": {"mean": 64.0}}}]}"#,
        ] {
            let asked = asked(&serde_json::from_str(config).unwrap());
            let lengths = [asked.input, asked.output].map(|length| length.unwrap().mean());
            assert_eq!(
                (asked.load, lengths),
                (Some(Load::Concurrency(4)), [128, 64]),
                "{config}"
            );
        }
        for config in [
            r#"{"request_rate": 2.5, "concurrency": null}"#,
            r#"{"perf_analyzer": {"stimulus": {"request_rate": 2.5}}}"#,
            r#"{"loadgen": {"request_rate": 2.5}}"#,
            r#"{"phases": [{"kind": "profiling", "rate": 2.5}]}"#,
        ] {
            let asked = asked(&serde_json::from_str(config).unwrap());
            assert_eq!(asked.load.unwrap().to_string(), "rate2.5", "{config}");
        }
        let config = r#"{"synthetic_input_tokens_mean": 550, "output_tokens_mean": -1, "prompt_source": "file"}"#;
        let asked = asked(&serde_json::from_str(config).unwrap());
        assert_eq!((asked.input, asked.output), (None, None));
    }
}
