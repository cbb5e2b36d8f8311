//! The JSON files: one object, a key for each metric.
//!
//! They are read as a stream into the [`Sink`], so that a file that was cut off
//! still gives what stands before the cut.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::metric::{Statistic, Statistics};
use super::point::{Asked, GpuMetric};
use super::sink::Sink;

/// Reads the metrics in `bytes`.
pub(super) fn read(bytes: &[u8], sink: &mut Sink<'_>) {
    if bytes.is_empty() {
        return sink.complain(None, "is empty");
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outcome = deserializer
        .deserialize_any(File(sink))
        .and_then(|()| deserializer.end());
    if let Err(error) = outcome {
        let line = u64::try_from(error.line()).ok();
        // The sentence names the line by itself.
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        let what = if error.is_data() {
            "is no result of GenAI-Perf or AIPerf"
        } else {
            "is no JSON from here on"
        };
        sink.complain(line, format!("{what}: {reason}"));
    }
}

struct File<'s, 'a>(&'s mut Sink<'a>);

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of metrics")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match &*key {
                "input_config" => drop(map.next_value::<IgnoredAny>()?),
                "was_cancelled" => {
                    self.0.content.was_cancelled = map.next_value_seed(Scalar)? == Cell::True;
                }
                "telemetry_stats" => map.next_value_seed(Telemetry(self.0))?,
                name => {
                    if let Some(entry) = map.next_value_seed(Entry)? {
                        keep(self.0, name, entry);
                    }
                }
            }
        }
        Ok(())
    }
}

fn keep(sink: &mut Sink<'_>, name: &str, entry: Measured) {
    for statistic in entry.unreadable {
        sink.complain(None, format!("{statistic} of {name} is no number"));
    }
    sink.keep(None, name, &entry.unit, entry.statistics);
}

/// A metric: its unit and statistics.
#[derive(Default)]
struct Measured {
    unit: String,
    statistics: Statistics,
    unreadable: Vec<Statistic>,
}

impl Measured {
    fn take(&mut self, key: &str, cell: Cell) {
        match (Statistic::from_name(key), cell) {
            (Some(statistic), Cell::Number(value)) => self.statistics.set(statistic, value),
            (Some(_), Cell::Null) => {}
            (Some(statistic), _) => self.unreadable.push(statistic),
            (None, Cell::Text(unit)) if key == "unit" => self.unit = unit,
            (None, _) => {}
        }
    }
}

/// Reads a metric; anything else that a tool writes beside its metrics is `None`.
struct Entry;

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = Option<Measured>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry {
    type Value = Option<Measured>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metric")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut measured = Measured::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            measured.take(&key, map.next_value_seed(Scalar)?);
        }
        Ok(Some(measured))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// GenAI-Perf's telemetry: `{METRIC: {"unit": …, "gpu0": {"avg": …}, …}, …}`.
struct Telemetry<'s, 'a>(&'s mut Sink<'a>);

impl<'de> DeserializeSeed<'de> for Telemetry<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // Small, rare, and of no fixed shape.
        let value = <Value as serde::Deserialize>::deserialize(deserializer)?;
        for (name, metric) in value.as_object().into_iter().flatten() {
            let unit = metric["unit"].as_str().unwrap_or_default();
            for (gpu, cells) in metric.as_object().into_iter().flatten() {
                let statistics: Statistics = cells
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter_map(|(key, cell)| Some((Statistic::from_name(key)?, cell.as_f64()?)))
                    .collect();
                if !statistics.is_empty() {
                    self.0.content.gpu_metrics.push(GpuMetric {
                        name: name.clone(),
                        unit: unit.to_owned(),
                        gpu: gpu.clone(),
                        statistics,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A value below a metric.
#[derive(PartialEq)]
enum Cell {
    Number(f64),
    Text(String),
    Null,
    True,
    Other,
}

struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(if value { Cell::True } else { Cell::Other })
    }

    #[expect(clippy::cast_precision_loss, reason = "a count above 2^53 is no count")]
    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a count above 2^53 is no count")]
    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Cell, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| Cell::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell, A::Error> {
        IgnoredAny.visit_map(map).map(|_| Cell::Other)
    }
}

/// What the tool's own configuration in a JSON file says of the point, for a folder
/// whose name says nothing. Its place has changed with the releases.
pub(super) fn asked(bytes: &[u8]) -> Asked {
    let Ok(file) = serde_json::from_slice::<Value>(bytes) else {
        return Asked::default();
    };
    let config = &file["input_config"];
    let first = |places: [&str; 3]| {
        places
            .iter()
            .filter_map(|place| config.pointer(place)?.as_f64())
            .find_map(whole)
    };
    Asked {
        concurrency: first([
            "/concurrency",
            "/perf_analyzer/stimulus/concurrency",
            "/phases/0/concurrency",
        ]),
        input_tokens: first([
            "/synthetic_input_tokens_mean",
            "/input/synthetic_tokens/mean",
            "/datasets/0/prompts/isl/mean",
        ]),
        output_tokens: first([
            "/output_tokens_mean",
            "/input/output_tokens/mean",
            "/datasets/0/prompts/osl/mean",
        ]),
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
