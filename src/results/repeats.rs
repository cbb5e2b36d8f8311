//! A point that was measured several times: its runs, their mean, and how far they are apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use super::Run;
use super::comparison::measurement;
use super::metric::{Metric, Metrics, Statistic, Statistics};
use super::point::Point;
use super::problem::ReadProblem;
use super::student::upper_quantile;
use super::{measured, order};
use crate::slurm::RunId;

/// Runs further apart are unstable: their standard deviation over their mean.
const STABLE: f64 = 0.05;

/// What several runs say of one number.
///
/// ```
/// use nim_slurm::results::Summary;
///
/// let summary = Summary::of([98.0, 100.0, 102.0]).unwrap();
/// assert_eq!((summary.runs(), summary.mean(), summary.standard_deviation()), (3, 100.0, Some(2.0)));
/// // 95 of 100 such intervals have the true mean in them, by Student's t.
/// let (low, high) = summary.interval().unwrap();
/// assert_eq!((low.round(), high.round()), (95.0, 105.0));
/// assert_eq!((summary.spread(), summary.is_unstable()), (Some(0.02), false));
///
/// // One run says nothing of how far others would be from it.
/// assert_eq!(Summary::of([100.0]).unwrap().interval(), None);
/// assert_eq!(Summary::of([]), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    runs: u32,
    mean: f64,
    /// Of one run, none.
    deviation: Option<f64>,
}

impl Summary {
    /// Of these values, one a run; `None` of none, and where they are more than a number holds.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let runs = u32::try_from(values.len()).ok().filter(|runs| *runs > 0)?;
        let count = f64::from(runs);
        let mean: f64 = values.iter().map(|value| value / count).sum();
        let deviation = (runs > 1).then(|| {
            let squares = values.iter().map(|value| (value - mean).powi(2));
            (squares.sum::<f64>() / (count - 1.0)).sqrt()
        });
        (mean.is_finite() && deviation.is_none_or(f64::is_finite)).then_some(Self {
            runs,
            mean,
            deviation,
        })
    }

    /// How many runs there are.
    #[must_use]
    pub const fn runs(&self) -> u32 {
        self.runs
    }

    /// Their mean.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// The runs' standard deviation, *n* − 1 in its denominator. `None` of one run.
    #[must_use]
    pub const fn standard_deviation(&self) -> Option<f64> {
        self.deviation
    }

    /// The interval of the mean with a confidence of 0.95, by Student's t. `None` of one run.
    #[must_use]
    pub fn interval(&self) -> Option<(f64, f64)> {
        let half = self.half_width()?;
        Some((self.mean - half, self.mean + half))
    }

    /// The number after the ± of a mean.
    pub(crate) fn half_width(&self) -> Option<f64> {
        // A report asks for the same few again and again.
        static KNOWN: [OnceLock<f64>; 64] = [const { OnceLock::new() }; 64];
        let deviation = self.deviation?;
        let degrees = self.runs - 1;
        let quantile = || upper_quantile(f64::from(degrees), 0.025);
        let known = KNOWN.get(degrees as usize);
        let quantile = known.map_or_else(quantile, |known| *known.get_or_init(quantile));
        Some(quantile * deviation / f64::from(self.runs).sqrt())
    }

    /// The standard deviation over the mean (coefficient of variation): 0.05 is 5 %. `None` of one
    /// run, and of a mean of 0.
    #[must_use]
    pub fn spread(&self) -> Option<f64> {
        Some(self.deviation? / self.mean.abs()).filter(|spread| spread.is_finite())
    }

    /// Whether the [spread](Self::spread) is above 5 %.
    #[must_use]
    pub fn is_unstable(&self) -> bool {
        self.spread().is_some_and(|spread| spread > STABLE)
    }
}

/// What runs of one point have in common: the point, and the fingerprint of their jobs' measurement or,
/// where nothing tells it, their job. Of different jobs, their number of requests and the command that loads the
/// server are the same, too.
type Lot<'a> = (super::comparison::Measurement<'a>, Result<&'a str, &'a str>);

impl Run {
    /// The points, each once: of one that was measured several times, each figure is the mean of its
    /// [runs](Point::runs).
    ///
    /// Runs of a point are its repeats in a job, and what other jobs with the same
    /// [fingerprint](super::Manifest::fingerprint) measured of it: a job that resumed another, or a
    /// later one of the same recipe with the same images, model and GPUs. A job has each repeat once: results of
    /// several folders with the same job and repeat are no runs of one point.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for (name, release) in [("m_4_25_chat_128_128_7", "0.0.10"), ("m_4_25_chat_128_128_r2_7", "0.0.10")] {
    /// #     std::fs::create_dir(results.join(name))?;
    /// #     let file = "profile_export_genai_perf.json";
    /// #     std::fs::copy(format!("tests/data/genai-perf/{release}/{file}"), results.join(name).join(file))?;
    /// # }
    /// use nim_slurm::results::{Metric, Run, Statistic};
    ///
    /// let run = Run::read(results)?;
    /// let means = run.means();
    /// assert_eq!((run.points().len(), means.points().len()), (2, 1));
    /// let point = &means.points()[0];
    /// assert_eq!(point.runs(), run.points());
    /// let summary = point.summary(Metric::OutputTokenThroughput, Statistic::Avg).unwrap();
    /// assert_eq!((summary.runs(), Some(summary.mean())), (2, point.throughput()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn means(&self) -> Self {
        let lots = self.lots();
        let points = lots.iter().map(|lot| match lot.as_slice() {
            [point] => (*point).clone(),
            several => mean_of(several),
        });
        Self {
            path: self.path.clone(),
            points: points.collect(),
            manifests: self.manifests.clone(),
            problems: self.problems.clone(),
            names_jobs: self.names_jobs,
        }
    }

    /// Whether a point was measured several times.
    pub(crate) fn has_repeats(&self) -> bool {
        self.lots().len() < self.points.len()
    }

    /// The runs of each point, in the order of the points.
    fn lots(&self) -> Vec<Vec<&Point>> {
        // The second measurement of a level has other requests, and a verdict of its own.
        let searches = self.manifests.iter().filter(|run| run.search.is_some());
        let searches: BTreeSet<&str> = searches
            .filter_map(|run| Some(run.job_id.as_ref()?.as_str()))
            .collect();
        let is_probe = |point: &Point| {
            point
                .run()
                .is_some_and(|run| searches.contains(run.as_str()))
        };
        let mut places: BTreeMap<Lot<'_>, usize> = BTreeMap::new();
        let mut lots: Vec<Vec<&Point>> = Vec::new();
        for point in &self.points {
            let lot = lot_of(self, point).filter(|_| !is_probe(point));
            match lot.map(|lot| *places.entry(lot).or_insert(lots.len())) {
                Some(place) if place < lots.len() => lots[place].push(point),
                _ => lots.push(vec![point]),
            }
        }
        let lots = lots.into_iter().flat_map(alike);
        lots.flat_map(of_one_place).collect()
    }
}

/// The same points, in a list for each number of requests and command. In one job they are the same.
fn alike(points: Vec<&Point>) -> Vec<Vec<&Point>> {
    if points.iter().all(|point| point.run() == points[0].run()) {
        return vec![points];
    }
    let mut lots: Vec<(_, Vec<&Point>)> = Vec::new();
    for point in points {
        let own = measured::own(point);
        match lots.iter_mut().find(|(key, _)| *key == own) {
            Some((_, lot)) => lot.push(point),
            None => lots.push((own, vec![point])),
        }
    }
    lots.into_iter().map(|(_, lot)| lot).collect()
}

/// The same points, in one list where each repeat of a job is there once. Otherwise they are of different jobs with
/// the same number, and each results folder has a list of its own.
fn of_one_place(points: Vec<&Point>) -> Vec<Vec<&Point>> {
    if is_each_once(&points) {
        return vec![points];
    }
    let mut places: BTreeMap<_, Vec<&Point>> = BTreeMap::new();
    for point in points {
        places
            .entry(point.results_folder())
            .or_default()
            .push(point);
    }
    let lots = places.into_values().flat_map(|own| {
        if is_each_once(&own) {
            vec![own]
        } else {
            own.into_iter().map(|point| vec![point]).collect()
        }
    });
    lots.collect()
}

fn is_each_once(points: &[&Point]) -> bool {
    let mut seen = BTreeSet::new();
    let measured = |point: &Point| (point.run().map(RunId::numbers), point.repeat());
    points.iter().all(|point| seen.insert(measured(point)))
}

/// Takes out what is there twice: the same job, repeat and figures, as in a copy of a results folder below itself.
/// The one that lies highest stays. `points` are in order.
pub(super) fn take_out_copies(points: &mut Vec<Point>, problems: &mut Vec<ReadProblem>) {
    let is_same = |a: &Point, b: &Point| {
        let (a, b) = (order(a), order(b));
        // All but the path.
        (a.0, a.1, a.2, a.3, a.4, a.5, a.6) == (b.0, b.1, b.2, b.3, b.4, b.5, b.6)
    };
    let mut stays = Vec::with_capacity(points.len());
    for same in points.chunk_by(is_same) {
        stays.extend(std::iter::repeat_n(true, same.len()));
        if same.len() == 1 || same[0].run().is_none() {
            continue;
        }
        let first = stays.len() - same.len();
        let mut highest: Vec<usize> = (0..same.len()).collect();
        highest.sort_by_key(|place| same[*place].path().components().count());
        // By their figures, since an image can leave any number of results in a point.
        let mut known: HashMap<Vec<u64>, &Point> = HashMap::new();
        for place in highest {
            let point = &same[place];
            let kept = *known.entry(figures(point)).or_insert(point);
            if std::ptr::eq(kept, point) || !is_copy(point, kept) {
                continue;
            }
            stays[first + place] = false;
            let message = if kept.path() == point.path() {
                "has the same result twice: it counts once".to_owned()
            } else {
                format!(
                    "has the same job, repeat and figures as the one in {}: it counts once",
                    kept.results_folder()
                )
            };
            problems.push(ReadProblem::new(point.path(), None, message));
        }
    }
    let mut stays = stays.into_iter();
    points.retain(|_| stays.next().unwrap_or(true));
}

fn figures(point: &Point) -> Vec<u64> {
    let figures = point
        .metrics()
        .flat_map(|(_, statistics)| statistics.iter());
    figures.map(|(_, value)| value.to_bits()).collect()
}

fn is_copy(a: &Point, b: &Point) -> bool {
    // A copy may lack the file of requests.
    let requests = a.requests().zip(b.requests());
    a.tool() == b.tool() && a.content == b.content && requests.is_none_or(|(a, b)| a == b)
}

fn lot_of<'a>(run: &'a Run, point: &'a Point) -> Option<Lot<'a>> {
    let job = point.run().map(RunId::as_str)?;
    let fingerprint = run
        .manifest_of(point)
        .and_then(|it| it.fingerprint.as_deref());
    Some((measurement(point, true)?, fingerprint.ok_or(job)))
}

fn mean_of(runs: &[&Point]) -> Point {
    let mut mean = runs[0].clone();
    let mut metrics = Metrics::default();
    for (metric, first) in runs[0].metrics() {
        // A figure that a run lacks has no mean.
        let figures = first.iter().filter_map(|(statistic, _)| {
            let values: Option<Vec<f64>> = runs
                .iter()
                .map(|run| run.value(metric, statistic))
                .collect();
            Some((statistic, Summary::of(values?)?.mean()))
        });
        let figures: Statistics = figures.collect();
        if figures != Statistics::default() {
            metrics.set(metric, figures);
        }
    }
    mean.content.metrics = metrics;
    mean.content.others.clear();
    mean.content.gpu_metrics.clear();
    mean.requests = None;
    let measured_by = |run: &Point| (run.run().cloned(), run.server);
    let is_of_one = runs
        .iter()
        .all(|run| measured_by(run) == measured_by(runs[0]));
    mean.server = mean.server.filter(|_| is_of_one);
    mean.energy = super::samples::mean_of(runs);
    let shares = runs.iter().map(|run| run.cached_share());
    mean.cached_share = shares.fold(None, |most, share| match (most, share) {
        (Some(most), Some(share)) => Some(f64::max(most, share)),
        (most, share) => most.or(share),
    });
    mean.runs = runs.iter().map(|run| (*run).clone()).collect();
    mean
}

impl Point {
    /// The runs behind a point of [`Run::means`], in the order in which they were asked for; any other
    /// point is its own.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/genai-perf/0.0.8")?;
    /// assert_eq!(run.points()[0].runs(), run.points());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn runs(&self) -> &[Self] {
        if self.runs.is_empty() {
            std::slice::from_ref(self)
        } else {
            &self.runs
        }
    }

    /// What the [runs](Self::runs) say of one number. `None` when one of them does not tell.
    ///
    /// ```
    /// use nim_slurm::results::{Metric, Run, Statistic};
    ///
    /// let run = Run::read("tests/data/genai-perf/0.0.8")?;
    /// let summary = run.points()[0].summary(Metric::TimeToFirstToken, Statistic::Avg).unwrap();
    /// assert_eq!((summary.runs(), summary.interval()), (1, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn summary(&self, metric: Metric, statistic: Statistic) -> Option<Summary> {
        self.summary_of(|run| run.value(metric, statistic))
    }

    pub(crate) fn summary_of(&self, value: impl Fn(&Self) -> Option<f64>) -> Option<Summary> {
        let values: Option<Vec<f64>> = self.runs().iter().map(value).collect();
        Summary::of(values?)
    }
}
