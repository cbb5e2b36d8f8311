//! Two runs side by side.

use std::fmt;

use super::Run;
use super::metric::{Metric, Statistic};
use super::point::Point;
use crate::load::{Length, Load};
use crate::plain::{listed, plain};
use crate::slurm::RunId;

/// The points of two runs that measured the same: same use case, input and output
/// sequence length, concurrency and GPUs, of servers that measured it together the same
/// one, and where either run has several models, the same model.
///
/// Where a run has such a point more than once, its latest job's counts. A point of which nothing tells
/// one of these is compared with none: [`not_compared`](Self::not_compared) names it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # for (run, release) in [("before", "0.0.10"), ("after", "aiperf-0.13.0-server-died")] {
/// #     let point = folder.join(run).join("llama-3-70b-instruct_4_25_chat_128_128_4711");
/// #     std::fs::create_dir_all(&point)?;
/// #     for file in std::fs::read_dir(format!("tests/data/genai-perf/{release}"))? {
/// #         let file = file?;
/// #         std::fs::copy(file.path(), point.join(file.file_name().to_str().unwrap()))?;
/// #     }
/// # }
/// use nim_slurm::results::{Comparison, Run};
///
/// let (before, after) = (Run::read(folder.join("before"))?, Run::read(folder.join("after"))?);
/// let comparison = Comparison::new(&before, &after);
/// assert_eq!(comparison.changes().len(), 1);
/// assert!(comparison.only_before().is_empty() && comparison.only_after().is_empty());
/// assert!(comparison.not_compared().is_empty()); // the folders' names tell what they measured
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    changes: Vec<Change<'a>>,
    only_before: Vec<&'a Point>,
    only_after: Vec<&'a Point>,
    not_compared: Vec<NotCompared<'a>>,
    names_models: bool,
}

/// A point that is compared with none, since nothing tells what it measured.
///
/// A folder's name tells it, as this crate's jobs give it: `MODEL_{GPUs}_{load}_{use case}_{ISL}_{OSL}_{job}`.
///
/// ```
/// use nim_slurm::results::{Comparison, Run};
///
/// // Folders that somebody named by hand.
/// let run = Run::read("tests/data/genai-perf")?;
/// let comparison = Comparison::new(&run, &run);
/// assert!(comparison.changes().is_empty());
/// let (before, after): (Vec<_>, Vec<_>) =
///     comparison.not_compared().iter().partition(|it| it.is_before());
/// assert_eq!((before.len(), after.len()), (6, 6));
///
/// let first = before[0];
/// assert_eq!(first.unknown(), ["use case", "input length", "output length", "GPUs", "load"]);
/// assert_eq!(first.point().path(), "tests/data/genai-perf/0.0.2");
/// assert_eq!(
///     first.to_string(),
///     "tests/data/genai-perf/0.0.2: nothing tells use case, input length, output length, GPUs and load"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NotCompared<'a> {
    point: &'a Point,
    is_before: bool,
    unknown: Vec<&'static str>,
}

impl<'a> NotCompared<'a> {
    fn of(run: &'a Run, is_before: bool) -> impl Iterator<Item = Self> {
        run.points().iter().filter_map(move |point| {
            let unknown = unknown(point);
            (!unknown.is_empty()).then_some(Self {
                point,
                is_before,
                unknown,
            })
        })
    }

    /// The point.
    #[must_use]
    pub const fn point(&self) -> &'a Point {
        self.point
    }

    /// Whether it is one of the earlier run.
    #[must_use]
    pub const fn is_before(&self) -> bool {
        self.is_before
    }

    /// What nothing tells of it: `use case`, `input length`, `output length`, `GPUs` or `load`.
    #[must_use]
    pub fn unknown(&self) -> &[&'static str] {
        &self.unknown
    }
}

impl fmt::Display for NotCompared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = plain(self.point.path().as_str());
        f.pad(&format!("{path}: nothing tells {}", listed(&self.unknown)))
    }
}

/// A point that both runs have.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # for (run, release) in [("before", "0.0.10"), ("after", "aiperf-0.13.0-server-died")] {
/// #     let point = folder.join(run).join("llama-3-70b-instruct_4_25_chat_128_128_4711");
/// #     std::fs::create_dir_all(&point)?;
/// #     for file in std::fs::read_dir(format!("tests/data/genai-perf/{release}"))? {
/// #         let file = file?;
/// #         std::fs::copy(file.path(), point.join(file.file_name().to_str().unwrap()))?;
/// #     }
/// # }
/// use nim_slurm::results::{Comparison, Metric, Run, Statistic};
///
/// let (before, after) = (Run::read(folder.join("before"))?, Run::read(folder.join("after"))?);
/// let change = Comparison::new(&before, &after).changes()[0];
/// assert!(change.after().throughput() < change.before().throughput());
/// let relative = change.relative(Metric::OutputTokenThroughput, Statistic::Avg).unwrap();
/// assert_eq!((relative * 100.0).round(), -31.0); // percent
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<'a> {
    before: &'a Point,
    after: &'a Point,
}

impl<'a> Comparison<'a> {
    /// Compares `after` with what was `before`.
    #[must_use]
    pub fn new(before: &'a Run, after: &'a Run) -> Self {
        let by_model = before.has_several_models() || after.has_several_models();
        let measurement = |point: &'a Point| measurement(point, by_model);
        let (old, new) = (latest(before, by_model), latest(after, by_model));
        let mut comparison = Self {
            changes: Vec::new(),
            only_before: Vec::new(),
            only_after: Vec::new(),
            not_compared: NotCompared::of(before, true)
                .chain(NotCompared::of(after, false))
                .collect(),
            names_models: by_model,
        };
        for after in &new {
            match old.binary_search_by(|before| measurement(before).cmp(&measurement(after))) {
                Ok(place) => comparison.changes.push(Change {
                    before: old[place],
                    after,
                }),
                Err(_) => comparison.only_after.push(after),
            }
        }
        comparison.only_before = old
            .iter()
            .copied()
            .filter(|before| {
                new.binary_search_by(|after| measurement(after).cmp(&measurement(before)))
                    .is_err()
            })
            .collect();
        comparison
    }

    /// The points that both have.
    #[must_use]
    pub fn changes(&self) -> &[Change<'a>] {
        &self.changes
    }

    /// The points that only the earlier run has.
    #[must_use]
    pub fn only_before(&self) -> &[&'a Point] {
        &self.only_before
    }

    /// Whether there are several models, so that a point's tells something.
    pub(crate) const fn names_models(&self) -> bool {
        self.names_models
    }

    /// The points that only the later run has.
    #[must_use]
    pub fn only_after(&self) -> &[&'a Point] {
        &self.only_after
    }

    /// The points of either run that are compared with none, since nothing tells what they measured: those of
    /// the earlier run first.
    #[must_use]
    pub fn not_compared(&self) -> &[NotCompared<'a>] {
        &self.not_compared
    }
}

impl<'a> Change<'a> {
    /// The point as it was.
    #[must_use]
    pub const fn before(&self) -> &'a Point {
        self.before
    }

    /// The point as it is.
    #[must_use]
    pub const fn after(&self) -> &'a Point {
        self.after
    }

    /// The relative change of a number: 0.1 is ten percent more. `None` when either
    /// run lacks it, when it was 0, and when the change is more than a number holds.
    #[must_use]
    pub fn relative(&self, metric: Metric, statistic: Statistic) -> Option<f64> {
        let before = self.before.value(metric, statistic)?;
        let after = self.after.value(metric, statistic)?;
        Some(after / before - 1.0).filter(|change| change.is_finite())
    }
}

pub(super) type Measurement<'a> = (
    Option<&'a str>,
    &'a str,
    [Length; 2],
    u32,
    Load,
    Option<u32>,
);

/// What a point measures; `None` where something of it is [`unknown`].
pub(super) fn measurement(point: &Point, by_model: bool) -> Option<Measurement<'_>> {
    Some((
        point.model().filter(|_| by_model),
        point.use_case()?,
        [point.input()?, point.output()?],
        point.gpus()?,
        point.load()?,
        point.replica(),
    ))
}

/// What [`measurement`] lacks of a point.
fn unknown(point: &Point) -> Vec<&'static str> {
    let parts = [
        ("use case", point.use_case().is_some()),
        ("input length", point.input().is_some()),
        ("output length", point.output().is_some()),
        ("GPUs", point.gpus().is_some()),
        ("load", point.load().is_some()),
    ];
    let unknown = parts.into_iter().filter(|(_, is_known)| !is_known);
    unknown.map(|(what, _)| what).collect()
}

/// The known points in the order of [`measurement`], each once.
fn latest(run: &Run, by_model: bool) -> Vec<&Point> {
    let measurement = |point| measurement(point, by_model);
    let mut points: Vec<_> = run
        .points()
        .iter()
        .filter(|point| measurement(point).is_some())
        .collect();
    // Of means, the last of their runs counts.
    let job = |point: &Point| point.runs().last()?.run().map(RunId::numbers);
    points.sort_by(|a, b| {
        let by_measurement = measurement(a).cmp(&measurement(b));
        by_measurement.then_with(|| job(a).cmp(&job(b)))
    });
    points.reverse();
    points.dedup_by(|a, b| measurement(a) == measurement(b));
    points.reverse();
    points
}
