//! Two runs side by side.

use super::Run;
use super::metric::{Metric, Statistic};
use super::point::Point;
use crate::load::{Length, Load};
use crate::slurm::RunId;

/// The points of two runs that measured the same: same use case, input and output
/// sequence length, concurrency and GPUs, of servers that measured it together the same
/// one, and where either run has several models, the same model.
///
/// Where a run has such a point more than once, its latest job's counts.
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    changes: Vec<Change<'a>>,
    only_before: Vec<&'a Point>,
    only_after: Vec<&'a Point>,
    names_models: bool,
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

/// What a point measures. One that nothing is known of is compared with none.
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
