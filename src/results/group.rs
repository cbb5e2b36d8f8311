//! Points that answer one question together, and which of them is best.

use std::borrow::Cow;
use std::fmt;

use super::Run;
use super::metric::{Metric, Statistic};
use super::point::Point;
use super::requests::Requests;
use crate::load::Length;
use crate::percentile::{Judgement, count};

/// The points of one model and use case: same names, same input and output sequence
/// length.
///
/// ```
/// use nim_slurm::results::{Limits, Run, Statistic};
///
/// let run = Run::read("tests/data/genai-perf")?;
/// let group = &run.groups()[1];
/// assert_eq!((group.to_string().as_str(), group.points().len()), ("unknown use case 128/128", 4));
/// assert_eq!(group.best_throughput().unwrap().concurrency(), Some(25));
/// assert_eq!((group.model(), group.use_case()), (None, None)); // folders that somebody named by hand
/// assert_eq!(group.input().map(|length| length.mean()), Some(128));
/// assert_eq!(group.output().map(|length| length.mean()), Some(128));
/// assert_eq!(group.iter().count(), 4);
/// for point in group {
///     assert_eq!(point.output(), group.output());
/// }
///
/// let limits = |statistic| Limits::new(statistic).time_to_first_token(24.0);
/// assert_eq!(group.best_within(&limits(Statistic::P50)).unwrap().concurrency(), Some(1));
/// assert_eq!(group.best_within(&limits(Statistic::P95)), None); // 10 requests say nothing of a p95
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Group<'a> {
    points: Vec<&'a Point>,
    /// Whether the run has several models, so that this one's name tells something.
    names_model: bool,
}

impl Run {
    /// The points by use case, in the order of [`points`](Self::points).
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/genai-perf")?;
    /// let names: Vec<_> = run.groups().iter().map(ToString::to_string).collect();
    /// // Folders without a use case's name, and files that do not tell the lengths.
    /// let unknown = ["unknown use case", "unknown use case 128/128", "unknown use case 128/512"];
    /// assert_eq!(names, unknown);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let names_model = self.has_several_models();
        self.points()
            .chunk_by(|a, b| a.model() == b.model() && use_case(a) == use_case(b))
            .map(|points| Group {
                points: points.iter().collect(),
                names_model,
            })
            .collect()
    }

    pub(super) fn has_several_models(&self) -> bool {
        let mut models = self.points().iter().filter_map(Point::model);
        let first = models.next();
        models.any(|model| Some(model) != first)
    }
}

type UseCase<'a> = (Option<&'a str>, Option<Length>, Option<Length>);

fn use_case(point: &Point) -> UseCase<'_> {
    (point.use_case(), point.input(), point.output())
}

/// `NAME ISL/OSL`. A name that nothing tells is said to be unknown; a length is `?`.
pub(crate) fn use_case_in_words(point: &Point) -> String {
    let number = |number: Option<Length>| number.map_or("?".to_owned(), |n| n.to_string());
    let (name, input, output) = use_case(point);
    let lengths = if name.is_none() && input.is_none() && output.is_none() {
        String::new()
    } else {
        format!(" {}/{}", number(input), number(output))
    };
    format!("{}{lengths}", name.unwrap_or("unknown use case"))
}

/// `NAME ISL/OSL`, or what of these is unknown, with the model in front where the run has several.
impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = self.points[0];
        let model = point.model().filter(|_| self.names_model);
        let model = model.map(|model| format!("{model}, "));
        let words = use_case_in_words(point);
        f.pad(&format!("{}{words}", model.unwrap_or_default()))
    }
}

impl<'a> Group<'a> {
    /// The points, by GPUs, concurrency and job; at least one.
    #[must_use]
    pub fn points(&self) -> &[&'a Point] {
        &self.points
    }

    /// The points one by one, in the order of [`points`](Self::points).
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, &'a Point>> {
        self.into_iter()
    }

    /// The model of all its points, as their folders name it.
    #[must_use]
    pub fn model(&self) -> Option<&'a str> {
        self.points[0].model()
    }

    /// The use case of all its points.
    #[must_use]
    pub fn use_case(&self) -> Option<&'a str> {
        self.points[0].use_case()
    }

    /// The input sequence length of all its points.
    #[must_use]
    pub fn input(&self) -> Option<Length> {
        self.points[0].input()
    }

    /// The output sequence length of all its points.
    #[must_use]
    pub fn output(&self) -> Option<Length> {
        self.points[0].output()
    }

    /// The group without some of its points, of which it must keep one.
    pub(crate) fn without(&self, is_left_out: impl Fn(&Point) -> bool) -> Self {
        let points = self.iter().filter(|point| !is_left_out(point));
        Self {
            points: points.collect(),
            names_model: self.names_model,
        }
    }

    /// The group in parts, each with the name that its points have in common, in the
    /// order in which the names come up.
    pub(crate) fn split(&self, name: impl Fn(&Point) -> String) -> Vec<(String, Self)> {
        let mut parts: Vec<(String, Self)> = Vec::new();
        for point in &self.points {
            let name = name(point);
            match parts.iter_mut().find(|(own, _)| *own == name) {
                Some((_, part)) => part.points.push(point),
                None => parts.push((
                    name,
                    Self {
                        points: vec![point],
                        names_model: self.names_model,
                    },
                )),
            }
        }
        parts
    }

    /// The points that no other beats in both throughput per GPU and tokens per
    /// second for each user, from the fastest for one user to the highest
    /// throughput. Points of which either is unknown are not among them, and one that is
    /// [too short](Point::is_too_short) only where all are.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # for (name, from) in [("x_4_25_chat_128_128_1", "0.0.10"), ("x_4_1_chat_128_128_1", "aiperf-0.13.0")] {
    /// #     std::fs::create_dir(results.join(name))?;
    /// #     for file in std::fs::read_dir(format!("tests/data/genai-perf/{from}"))? {
    /// #         let file = file?;
    /// #         std::fs::copy(file.path(), results.join(name).join(file.file_name().to_str().unwrap()))?;
    /// #     }
    /// # }
    /// let run = nim_slurm::results::Run::read(results)?;
    /// let front = run.groups()[0].pareto_front();
    /// // The fastest for one user first, the highest throughput last.
    /// assert!(front[0].throughput_per_user() > front[1].throughput_per_user());
    /// assert!(front[0].throughput_per_gpu() < front[1].throughput_per_gpu());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pareto_front(&self) -> Vec<&'a Point> {
        pareto_front(self.points.iter().copied())
    }

    /// The point with the highest throughput: the best for offline work. One that is
    /// [too short](Point::is_too_short) is so only where all are.
    #[must_use]
    pub fn best_throughput(&self) -> Option<&'a Point> {
        self.best_where(|_| true)
    }

    /// The point with the highest throughput of those within the limits: the best
    /// for people who wait for the answer. One that is [too short](Point::is_too_short) is so only
    /// where all are.
    #[must_use]
    pub fn best_within(&self, limits: &Limits) -> Option<&'a Point> {
        self.best_where(|point| limits.verdict(point) == Verdict::Within)
    }

    fn best_where(&self, fits: impl Fn(&Point) -> bool) -> Option<&'a Point> {
        self.points
            .iter()
            .copied()
            .filter(|point| point.caveat().is_none() && fits(point))
            .filter_map(|point| {
                Some((
                    point.is_too_short() != Some(true),
                    point.throughput()?,
                    point,
                ))
            })
            .max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
            .map(|(.., point)| point)
    }
}

impl<'g, 'a> IntoIterator for &'g Group<'a> {
    type Item = &'a Point;
    type IntoIter = std::iter::Copied<std::slice::Iter<'g, &'a Point>>;

    fn into_iter(self) -> Self::IntoIter {
        self.points.iter().copied()
    }
}

/// The points that no other of these beats, as [`Group::pareto_front`] has them.
pub(crate) fn pareto_front<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<&'a Point> {
    let mut known: Vec<_> = points
        .filter(|point| point.caveat().is_none())
        .filter_map(|point| {
            Some((
                point.throughput_per_user()?,
                point.throughput_per_gpu()?,
                point,
            ))
        })
        .collect();
    let is_short = |point: &Point| point.is_too_short() == Some(true);
    if known.iter().any(|(.., point)| !is_short(point)) {
        known.retain(|(.., point)| !is_short(point));
    }
    known.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
    let mut best = f64::NEG_INFINITY;
    known.retain(|(_, per_gpu, _)| {
        let rises = *per_gpu > best;
        best = best.max(*per_gpu);
        rises
    });
    known.into_iter().map(|(_, _, point)| point).collect()
}

/// How long a user may wait, in ms.
///
/// ```
/// use nim_slurm::results::{Limits, Metric, Run, Statistic, Verdict};
///
/// // Of a hundred users, 95 see the first token within half a second.
/// let limits = Limits::new(Statistic::P95).time_to_first_token(500.0);
/// assert_eq!(limits.statistic(), Statistic::P95);
/// assert!(!limits.is_empty());
///
/// let limits = limits.inter_token_latency(25.0);
/// assert!(limits.iter().eq([(Metric::TimeToFirstToken, 500.0), (Metric::InterTokenLatency, 25.0)]));
///
/// let run = Run::read("tests/data/genai-perf/0.0.8")?;
/// assert_eq!(limits.verdict(&run.points()[0]), Verdict::Within);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    statistic: Statistic,
    time_to_first_token: Option<f64>,
    inter_token_latency: Option<f64>,
    /// As a search judges.
    after_the_first_wave: bool,
}

/// Whether a point keeps [`Limits`].
///
/// ```
/// use nim_slurm::results::{Limits, Metric, Run, Statistic, Verdict};
///
/// let run = Run::read("tests/data/genai-perf/0.0.8")?;
/// let judge = |limits: Limits| limits.verdict(&run.points()[0]);
/// let limits = Limits::new(Statistic::P95);
/// assert_eq!(judge(limits.time_to_first_token(500.0)), Verdict::Within);
/// assert!(matches!(
///     judge(limits.inter_token_latency(5.0)),
///     Verdict::Exceeded { metric: Metric::InterTokenLatency, .. }
/// ));
/// // GenAI-Perf gives no sums.
/// let unknown = Verdict::Unknown { metric: Metric::TimeToFirstToken };
/// assert_eq!(judge(Limits::new(Statistic::Sum).time_to_first_token(500.0)), unknown);
/// assert_eq!(unknown.to_string(), "TTFT not measured");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// It keeps them.
    Within,
    /// It does not.
    Exceeded {
        /// The first metric that is above its limit.
        metric: Metric,
        /// What was measured, in ms.
        value: f64,
        /// What was allowed, in ms.
        limit: f64,
    },
    /// The point says nothing of a metric that has a limit.
    Unknown {
        /// That metric.
        metric: Metric,
    },
    /// Its requests are too few to tell, a metric is too near to its limit, or its [runs](Point::runs) are on both sides of it.
    CannotTell {
        /// The first such metric.
        metric: Metric,
    },
}

/// In words: `within the limits`, `TTFT 512.3 ms above its limit of 500 ms`, `cannot tell by ITL`, `ITL not measured`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Within => "within the limits".to_owned(),
            Self::Exceeded {
                metric,
                value,
                limit,
            } => format!(
                "{} {value:.1} ms above its limit of {limit} ms",
                metric.label()
            ),
            Self::Unknown { metric } => format!("{} not measured", metric.label()),
            Self::CannotTell { metric } => format!("cannot tell by {}", metric.label()),
        };
        f.pad(&text)
    }
}

impl Limits {
    /// No limits yet; those that follow are on this statistic.
    #[must_use]
    pub const fn new(statistic: Statistic) -> Self {
        Self {
            statistic,
            time_to_first_token: None,
            inter_token_latency: None,
            after_the_first_wave: false,
        }
    }

    /// Judges as a search does, without the first wave of requests.
    #[must_use]
    pub(crate) const fn after_the_first_wave(mut self) -> Self {
        self.after_the_first_wave = true;
        self
    }

    /// Limits the time to first token, in ms.
    #[must_use]
    pub const fn time_to_first_token(mut self, milliseconds: f64) -> Self {
        self.time_to_first_token = Some(milliseconds);
        self
    }

    /// Limits the inter-token latency, in ms.
    #[must_use]
    pub const fn inter_token_latency(mut self, milliseconds: f64) -> Self {
        self.inter_token_latency = Some(milliseconds);
        self
    }

    /// The statistic that is limited.
    #[must_use]
    pub const fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// The metrics that are limited, and their limits in ms.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, f64)> {
        [
            (Metric::TimeToFirstToken, self.time_to_first_token),
            (Metric::InterTokenLatency, self.inter_token_latency),
        ]
        .into_iter()
        .filter_map(|(metric, limit)| Some((metric, limit?)))
    }

    /// Whether there is no limit at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether a point keeps all limits. A value at its limit keeps it.
    ///
    /// Where the limits are on a percentile and the point has its [requests](Point::requests), each
    /// metric is judged by them, as [`Percentile::judge`](crate::Percentile::judge) does, a failed request as one over the
    /// limit. The point is within them all, or above one of them, with a confidence of 0.99 each.
    /// Otherwise the tool's own figure is compared with the limit. That a percentile is within it takes as many requests
    /// as a claim of it does, where the tool says how many it had ([`Percentile::requests_needed`](crate::Percentile::requests_needed)).
    ///
    /// A point with several [runs](Point::runs) is within the limits when all its runs are, and above them when
    /// all are; else it cannot be told. Their requests are not pooled: those of one run are more alike than
    /// those of two.
    ///
    /// ```
    /// use nim_slurm::results::{Limits, Metric, Run, Statistic, Verdict};
    ///
    /// let run = Run::read("tests/data/requests/aiperf-1")?; // 20 requests, the slowest of 39 ms
    /// let at = |statistic| Limits::new(statistic).time_to_first_token(40.0).verdict(&run.points()[0]);
    /// assert_eq!(at(Statistic::Avg), Verdict::Within);
    /// assert_eq!(at(Statistic::P75), Verdict::Within);
    /// assert_eq!(at(Statistic::P95), Verdict::CannotTell { metric: Metric::TimeToFirstToken });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn verdict(&self, point: &Point) -> Verdict {
        match point.runs() {
            [run] => self.verdict_of_one(run),
            runs => of_all(runs.iter().map(|run| self.verdict_of_one(run))),
        }
    }

    /// The limit that some of a point's runs are above, while others keep all limits: more requests do not help then.
    pub(crate) fn divides_runs_of(&self, point: &Point) -> Option<Metric> {
        let [_, _, ..] = point.runs() else {
            return None;
        };
        let verdicts: Vec<_> = point
            .runs()
            .iter()
            .map(|run| self.verdict_of_one(run))
            .collect();
        let is_unknown = |verdict: &Verdict| matches!(verdict, Verdict::Unknown { .. });
        if !verdicts.contains(&Verdict::Within) || verdicts.iter().any(is_unknown) {
            return None;
        }
        verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Exceeded { metric, .. } => Some(*metric),
            _ => None,
        })
    }

    fn verdict_of_one(&self, point: &Point) -> Verdict {
        let mut verdict = Verdict::Within;
        for (metric, limit) in self.iter() {
            let value = self.value(point, metric);
            match (self.judgement(point, metric, limit), value) {
                (Some(Judgement::Above), Some(value)) => {
                    return Verdict::Exceeded {
                        metric,
                        value,
                        limit,
                    };
                }
                (Some(Judgement::Within), _) => {}
                (Some(_), _) => {
                    if verdict == Verdict::Within {
                        verdict = Verdict::CannotTell { metric };
                    }
                }
                (None, _) => verdict = Verdict::Unknown { metric },
            }
        }
        verdict
    }

    /// The tool's figure or, where it has none, that of the requests.
    fn value(&self, point: &Point, metric: Metric) -> Option<f64> {
        let of_requests = || {
            let figures = point.requests()?.figures()?;
            figures.metric(metric)?.get(self.statistic)
        };
        point.value(metric, self.statistic).or_else(of_requests)
    }

    /// What is known of one limit; `None` without a figure.
    fn judgement(&self, point: &Point, metric: Metric, limit: f64) -> Option<Judgement> {
        let value = self.value(point, metric)?;
        let requests = point
            .requests()
            .filter(|all| all.values(metric).next().is_some());
        if let (Some(percentile), Some(requests)) = (self.statistic.percentile(), requests) {
            let failed = requests.failed() as u64;
            let judged = if self.after_the_first_wave {
                judged(point, requests)
            } else {
                Cow::Borrowed(requests)
            };
            let (over, count) = count(limit, judged.values(metric));
            let limits = u32::try_from(self.iter().count()).unwrap_or(u32::MAX);
            return Some(percentile.judge_one_of(limits, over + failed, count + failed));
        }
        Some(if value > limit || limit.is_nan() {
            Judgement::Above
        } else if point.is_weak(self.statistic) {
            Judgement::CannotTell
        } else {
            Judgement::Within
        })
    }
}

/// The requests of a point by which a search judges: of a number in flight, the first wave starts at once.
pub(super) fn judged<'a>(point: &Point, requests: &'a Requests) -> Cow<'a, Requests> {
    match point.concurrency() {
        Some(_) => Cow::Owned(requests.after_the_first_wave()),
        None => Cow::Borrowed(requests),
    }
}

/// What all runs of a point have in common.
fn of_all(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let mut of_all = None;
    for verdict in verdicts {
        of_all = Some(match (of_all, verdict) {
            (None, verdict) => verdict,
            (Some(unknown @ Verdict::Unknown { .. }), _)
            | (_, unknown @ Verdict::Unknown { .. }) => unknown,
            (Some(Verdict::Within), Verdict::Within) => Verdict::Within,
            (Some(exceeded @ Verdict::Exceeded { .. }), Verdict::Exceeded { .. }) => exceeded,
            (Some(Verdict::CannotTell { metric } | Verdict::Exceeded { metric, .. }), _)
            | (_, Verdict::CannotTell { metric } | Verdict::Exceeded { metric, .. }) => {
                Verdict::CannotTell { metric }
            }
        });
    }
    of_all.unwrap_or(Verdict::Within)
}
