//! Two runs side by side.

use std::fmt;

use super::Run;
use super::measured::way;
use super::metric::{Metric, Statistic};
use super::point::Point;
use crate::load::{Length, Load};
use crate::plain::{listed, plain};
use crate::slurm::RunId;

/// The points of two runs that measured the same: same use case, input and output
/// sequence length, concurrency and GPUs, of servers that measured it together the same
/// one, and where either run has several models, the same model.
///
/// Where a run has such a point more than once, its latest job's counts, and [`superseded`](Self::superseded) names
/// the others. A point of which nothing tells
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
/// assert!(comparison.superseded().is_empty()); // each point is there once
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    changes: Vec<Change<'a>>,
    only_before: Vec<&'a Point>,
    only_after: Vec<&'a Point>,
    not_compared: Vec<NotCompared<'a>>,
    superseded: Vec<Superseded<'a>>,
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

/// A point that is compared with none, since a later one of the same run measured the same.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # for job in [4710, 4711, 4712] {
/// #     let point = folder.join(format!("llama-3-70b-instruct_4_25_chat_128_128_{job}"));
/// #     std::fs::create_dir_all(&point)?;
/// #     let file = "profile_export_genai_perf.json";
/// #     std::fs::copy(format!("tests/data/genai-perf/0.0.10/{file}"), point.join(file))?;
/// # }
/// use nim_slurm::results::{Comparison, Run};
///
/// let before = Run::read_jobs(folder, &["4710".parse()?])?;
/// let after = Run::read_jobs(folder, &["4711".parse()?, "4712".parse()?])?; // they measured the same point
/// let comparison = Comparison::new(&before, &after);
/// assert_eq!(comparison.changes().len(), 1);
/// let other = comparison.superseded()[0];
/// assert_eq!(other.point().run().unwrap().as_str(), "4711");
/// assert_eq!(other.by().run().unwrap().as_str(), "4712");
/// assert!(!other.is_before() && other.is_open()); // job 4711 was named, and is not compared
///
/// let after = Run::read_other_jobs(folder, &["4710".parse()?])?; // nobody named it
/// assert!(!Comparison::new(&before, &after).superseded()[0].is_open());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superseded<'a> {
    point: &'a Point,
    by: &'a Point,
    is_before: bool,
    is_open: bool,
}

impl<'a> Superseded<'a> {
    /// The point.
    #[must_use]
    pub const fn point(&self) -> &'a Point {
        self.point
    }

    /// The point that is compared in its place.
    #[must_use]
    pub const fn by(&self) -> &'a Point {
        self.by
    }

    /// Whether it is one of the earlier run.
    #[must_use]
    pub const fn is_before(&self) -> bool {
        self.is_before
    }

    /// Whether a [gate](super::Gate) cannot tell because of it: its job was [named](Run::read_jobs), and the other run has
    /// this point, too. It is not where the same job measured it again, or another one in the same way for longer,
    /// since this one was [too short](Point::is_too_short).
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
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
        let (old, old_others) = latest(before, by_model);
        let (new, new_others) = latest(after, by_model);
        let place_in = |points: &[&'a Point], point: &'a Point| {
            points.binary_search_by(|other| measurement(other).cmp(&measurement(point)))
        };
        let mut comparison = Self {
            changes: Vec::new(),
            only_before: Vec::new(),
            only_after: Vec::new(),
            not_compared: NotCompared::of(before, true)
                .chain(NotCompared::of(after, false))
                .collect(),
            superseded: Vec::new(),
            names_models: by_model,
        };
        for after in &new {
            match place_in(&old, after) {
                Ok(place) => comparison.changes.push(Change {
                    before: old[place],
                    after,
                }),
                Err(_) => comparison.only_after.push(after),
            }
        }
        let only_before = old.iter().filter(|point| place_in(&new, point).is_err());
        comparison.only_before = only_before.copied().collect();
        for (run, others, other_side, is_before) in [
            (before, old_others, &new, true),
            (after, new_others, &old, false),
        ] {
            let superseded = others.into_iter().map(|(point, by)| Superseded {
                point,
                by,
                is_before,
                is_open: run.names_jobs
                    && place_in(other_side, point).is_ok()
                    && !is_measured_again(run, point, by),
            });
            comparison.superseded.extend(superseded);
        }
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

    /// The points of either run in whose place a later one is compared: those of the earlier run first.
    #[must_use]
    pub fn superseded(&self) -> &[Superseded<'a>] {
        &self.superseded
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

    /// Whether the mean output lengths differ by more than this share.
    pub(super) fn has_other_length(&self, share: f64) -> bool {
        let relative = self.relative(Metric::OutputSequenceLength, Statistic::Avg);
        relative.is_some_and(|relative| relative.abs() > share)
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

/// The known points in the order of [`measurement`], each once, and all others with the one that counts.
fn latest(run: &Run, by_model: bool) -> (Vec<&Point>, Vec<(&Point, &Point)>) {
    let measurement = |point| measurement(point, by_model);
    let points = run.points().iter();
    let mut points: Vec<_> = points
        .filter(|point| measurement(point).is_some())
        .collect();
    // Of means, the last of their runs counts.
    let job = |point: &Point| point.runs().last()?.run().map(RunId::numbers);
    points.sort_by(|a, b| {
        let by_measurement = measurement(a).cmp(&measurement(b));
        by_measurement.then_with(|| job(a).cmp(&job(b)))
    });
    let (mut latest, mut others) = (Vec::new(), Vec::new());
    for same in points.chunk_by(|a, b| measurement(a) == measurement(b)) {
        if let Some((last, earlier)) = same.split_last() {
            latest.push(*last);
            others.extend(earlier.iter().map(|point| (*point, *last)));
        }
    }
    (latest, others)
}

/// Whether a point has the other's place by right: of the same jobs, or of others that measured in the same way for longer.
fn is_measured_again(run: &Run, point: &Point, by: &Point) -> bool {
    let job = |point: &'_ Point| {
        (
            point.run().map(RunId::numbers),
            point.results_folder().to_owned(),
        )
    };
    let jobs: Vec<_> = by.runs().iter().map(job).collect();
    if point.runs().iter().all(|run| jobs.contains(&job(run))) {
        return true;
    }
    let is_longer = point.is_too_short() == Some(true) && by.is_too_short() == Some(false);
    is_longer && way(run, point).is_some_and(|own| Some(own) == way(run, by))
}
