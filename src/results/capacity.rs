//! How much load within limits: what a search found.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::group::judged;
use super::metric::Metric;
use super::point::{Point, PointName};
use super::requests::{Request, Requests};
use super::{Group, Manifest, Run};
use crate::ladder::{Climb, SearchGoal};
use crate::manifest::PointRow;
use crate::percentile::{Judgement, Percentile, count};

/// What a search found of a use case: a bracket of two levels.
///
/// It is computed from the points, and from what the manifest says of those that failed. The client decided
/// by the same rules which level to probe next; its answer is not needed.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
/// # let name = "llama_4_1_chat_128_128_4711";
/// # std::fs::create_dir(results.join(name))?;
/// # for file in ["profile_export.jsonl", "profile_export_aiperf.json"] {
/// #     std::fs::copy(format!("tests/data/requests/aiperf-1/{file}"), results.join(name).join(file))?;
/// # }
/// # let goal = r#"{"itl": 3, "at": "p50", "from": 1, "to": 64, "within": "5%"}"#;
/// # let failed = "llama_4_2_chat_128_128_4711";
/// # let text = format!(r#"{{"search": {goal}, "points": [
/// #     {{"folder": "{name}", "status": "finished", "seconds": 31, "detail": ""}},
/// #     {{"folder": "{failed}", "status": "failed", "seconds": 9, "detail": "no"}}]}}"#);
/// # std::fs::write(results.join("run_4711.json"), text)?;
/// use nim_slurm::results::{Metric, ProbeVerdict, Run};
///
/// let run = Run::read(results)?; // a search from 1 to 64; with 2 in flight, the point failed
/// let capacity = run.groups()[0].capacity(&run).unwrap();
/// assert_eq!((capacity.held().unwrap().level(), capacity.exceeded().unwrap().level()), (1, 2));
/// assert_eq!(*capacity.exceeded().unwrap().verdict(), ProbeVerdict::Failed("no".to_owned()));
/// assert_eq!((capacity.next(), capacity.not_monotone()), (None, None)); // it has ended
/// let first = &capacity.probes()[0];
/// let p50 = capacity.value(first, Metric::InterTokenLatency).unwrap();
/// assert!((1.7..1.9).contains(&p50)); // ms
/// assert_eq!((first.seconds(), first.requests(), first.point().is_some()), (Some(31), Some(20), true));
/// assert_eq!((capacity.goal().at().get(), capacity.exceeded_by()), (50, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity<'a> {
    goal: &'a SearchGoal,
    climb: Climb,
    probes: Vec<Probe<'a>>,
    not_monotone: Option<(Metric, u32, u32)>,
    unread: BTreeSet<String>,
    others: Vec<&'a str>,
}

/// A level that was measured.
///
/// ```
/// use nim_slurm::results::{Capacity, Metric, ProbeVerdict};
///
/// fn print(capacity: &Capacity<'_>) {
///     for probe in capacity.probes() {
///         let verdict = match probe.verdict() {
///             ProbeVerdict::Held => "held".to_owned(),
///             ProbeVerdict::Above(metric) => format!("{metric} above its limit"),
///             other => format!("{other:?}"),
///         };
///         println!("{}: {verdict}, {:?} s", probe.level(), probe.seconds());
///         println!("measurement {}, {:?} requests", probe.attempt(), probe.requests());
///         if let Some(remark) = probe.remark() {
///             println!("{remark}");
///         }
///         if let Some(point) = probe.point() {
///             println!("{:?} ms, in {}", capacity.value(probe, Metric::InterTokenLatency), point.path());
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Probe<'a> {
    level: u32,
    attempt: u32,
    point: Option<&'a Point>,
    /// Those of its requests that are judged.
    judged: Option<Requests>,
    verdict: ProbeVerdict,
    seconds: Option<u32>,
    remark: Option<&'a str>,
}

/// What a probe says of its level.
///
/// ```
/// use nim_slurm::results::{Metric, ProbeVerdict};
///
/// assert!(ProbeVerdict::Held.holds());
/// assert!(!ProbeVerdict::CannotTell(Metric::TimeToFirstToken).holds());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProbeVerdict {
    /// All limits hold, with a confidence of 0.99.
    Held,
    /// This metric is above its limit, with a confidence of 0.99: the first that is.
    Above(Metric),
    /// The requests cannot tell of this metric. After a second measurement with more requests, the level
    /// counts as one that does not hold.
    CannotTell(Metric),
    /// It has no valid result, and why. launch.sh measures such a level once more before it goes by it.
    Failed(String),
}

impl ProbeVerdict {
    /// Whether the level holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        *self == Self::Held
    }
}

impl<'a> Probe<'a> {
    /// Its level on the [`Ladder`](crate::recipe::Ladder): requests in flight, or [in a hundred
    /// seconds](crate::recipe::SearchedLoad::RequestRate).
    #[must_use]
    pub const fn level(&self) -> u32 {
        self.level
    }

    /// 1, or 2 for the measurement with more requests.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The point, unless it failed.
    #[must_use]
    pub const fn point(&self) -> Option<&'a Point> {
        self.point
    }

    /// What it says.
    #[must_use]
    pub const fn verdict(&self) -> &ProbeVerdict {
        &self.verdict
    }

    /// How long it took, where a manifest tells.
    #[must_use]
    pub const fn seconds(&self) -> Option<u32> {
        self.seconds
    }

    /// What the manifest says of one that is finished: that it failed at first, and why.
    #[must_use]
    pub const fn remark(&self) -> Option<&'a str> {
        self.remark
    }

    /// How many requests it had, where its file of them is there.
    #[must_use]
    pub fn requests(&self) -> Option<usize> {
        Some(self.point?.requests()?.as_slice().len())
    }

    /// When its first request was sent, in ns since 1970.
    fn start(&self) -> Option<u64> {
        let requests = self.point?.requests()?;
        requests.as_slice().first().map(Request::start)
    }

    /// Whether it says of its level what it will ever say.
    fn decides(&self) -> bool {
        self.attempt > 1 || !matches!(self.verdict, ProbeVerdict::CannotTell(_))
    }
}

impl<'a> Capacity<'a> {
    /// What was searched for.
    #[must_use]
    pub const fn goal(&self) -> &'a SearchGoal {
        self.goal
    }

    /// The probes, in the order in which they were measured; those that failed come last.
    #[must_use]
    pub fn probes(&self) -> &[Probe<'a>] {
        &self.probes
    }

    /// The highest level that was seen to hold: its last probe.
    #[must_use]
    pub fn held(&self) -> Option<&Probe<'a>> {
        self.of(self.climb.held()?)
    }

    /// The lowest level that was seen not to hold.
    #[must_use]
    pub fn exceeded(&self) -> Option<&Probe<'a>> {
        self.of(self.climb.exceeded()?)
    }

    /// The metric whose limit broke first; none where no level broke one, or the point failed.
    #[must_use]
    pub fn exceeded_by(&self) -> Option<Metric> {
        match self.exceeded()?.verdict {
            ProbeVerdict::Above(metric) | ProbeVerdict::CannotTell(metric) => Some(metric),
            _ => None,
        }
    }

    /// The jobs whose probes the last job went on from, and that are not among the run's.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// # let name = "llama_4_2_chat_128_128_4712";
    /// # std::fs::create_dir(results.join(name))?;
    /// # for file in ["profile_export.jsonl", "profile_export_aiperf.json"] {
    /// #     std::fs::copy(format!("tests/data/requests/aiperf-1/{file}"), results.join(name).join(file))?;
    /// # }
    /// # let goal = r#"{"itl": 3, "at": "p50", "from": 1, "to": 64, "within": "5%"}"#;
    /// # let text = format!(r#"{{"search": {goal}, "points": [
    /// #     {{"folder": "llama_4_1_chat_128_128_4711", "status": "finished", "seconds": 31, "detail": ""}},
    /// #     {{"folder": "{name}", "status": "finished", "seconds": 31, "detail": ""}}]}}"#);
    /// # std::fs::write(results.join("run_4712.json"), text)?;
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read_jobs(results, &["4712".parse()?])?; // which resumed 4711
    /// let capacity = run.groups()[0].capacity(&run).unwrap();
    /// assert_eq!(capacity.unread_jobs().collect::<Vec<_>>(), ["4711"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn unread_jobs(&self) -> impl Iterator<Item = &str> {
        self.unread.iter().map(String::as_str)
    }

    /// The jobs that searched for something else before, or on other GPUs: of each use case, the last search is told.
    pub(crate) fn other_jobs(&self) -> &[&'a str] {
        &self.others
    }

    /// The level that would be probed next; none once the search has ended.
    #[must_use]
    pub const fn next(&self) -> Option<u32> {
        self.climb.next()
    }

    /// A metric that a higher level has lower than a lower level by more than 5 %, both with a confidence of 0.99, and these two
    /// levels: there may be other levels above the answer that hold, too.
    #[must_use]
    pub const fn not_monotone(&self) -> Option<(Metric, u32, u32)> {
        self.not_monotone
    }

    /// The value of the limited percentile at a probe, in ms: of the requests that are judged.
    #[must_use]
    pub fn value(&self, probe: &Probe<'_>, metric: Metric) -> Option<f64> {
        percentile_of(self.goal.at(), probe.judged.as_ref()?, metric)
    }

    fn of(&self, level: u32) -> Option<&Probe<'a>> {
        self.probes
            .iter()
            .filter(|probe| probe.level == level)
            .max_by_key(|probe| probe.attempt)
    }
}

/// The limits of a search.
pub(crate) fn limits(goal: &SearchGoal) -> Vec<(Metric, f64)> {
    [
        (Metric::TimeToFirstToken, goal.ttft()),
        (Metric::InterTokenLatency, goal.itl()),
    ]
    .into_iter()
    .filter_map(|(metric, limit)| Some((metric, limit?)))
    .collect()
}

/// The smallest value that so many of a hundred do not exceed.
fn percentile_of(percentile: Percentile, requests: &Requests, metric: Metric) -> Option<f64> {
    let mut values: Vec<_> = requests.values(metric).collect();
    values.sort_unstable_by(f64::total_cmp);
    let place = (values.len() * usize::from(percentile.get())).div_ceil(100);
    values.get(place.checked_sub(1)?).copied()
}

fn judge(goal: &SearchGoal, judged: Option<&Requests>, failed: usize) -> ProbeVerdict {
    let limits = limits(goal);
    let mut unknown = None;
    for (metric, limit) in &limits {
        let judgement = judged.map_or(Judgement::CannotTell, |requests| {
            let (over, of) = count(*limit, requests.values(*metric));
            let failed = failed as u64;
            let limits = u32::try_from(limits.len()).unwrap_or(u32::MAX);
            let at = goal.at();
            at.judge_one_of(limits, over + failed, of + failed)
        });
        match judgement {
            Judgement::Within => {}
            Judgement::Above => return ProbeVerdict::Above(*metric),
            Judgement::CannotTell => unknown = unknown.or(Some(*metric)),
        }
    }
    unknown.map_or(ProbeVerdict::Held, ProbeVerdict::CannotTell)
}

/// Many requests tell levels apart that are as fast for any use of them.
const ONE_AND_A_LITTLE: f64 = 1.05;

/// A pair of levels of which the lower one is slower, for sure and by more than a little: its percentile is above a value that
/// the higher one's is within.
fn not_monotone(goal: &SearchGoal, probes: &[Probe<'_>]) -> Option<(Metric, u32, u32)> {
    for (metric, _) in limits(goal) {
        let mut bounds: Vec<_> = probes
            .iter()
            .filter_map(|probe| {
                let requests = probe.judged.as_ref()?;
                let (above, within) = bounds(goal.at(), requests.values(metric).collect());
                Some((probe.level, above, within))
            })
            .collect();
        bounds.sort_by_key(|(level, ..)| *level);
        // Of the levels so far, the one that is above most.
        let mut slowest: Option<(u32, f64)> = None;
        for same_level in bounds.chunk_by(|a, b| a.0 == b.0) {
            for (level, _, within) in same_level {
                if let (Some((low, above)), Some(within)) = (slowest, within)
                    && *within * ONE_AND_A_LITTLE < above
                {
                    return Some((metric, low, *level));
                }
            }
            for (level, above, _) in same_level {
                if let Some(above) = above
                    && slowest.is_none_or(|(_, most)| *above > most)
                {
                    slowest = Some((*level, *above));
                }
            }
        }
    }
    None
}

/// What is known of a percentile for sure: it is above each limit below the first value, and within each limit from the
/// second one on. None where the requests are too few.
fn bounds(percentile: Percentile, mut values: Vec<f64>) -> (Option<f64>, Option<f64>) {
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    let judge = |over: usize| percentile.judge(over as u64, values.len() as u64);
    // The more are over a value, the less is a percentile within it.
    let over: Vec<usize> = (0..=values.len()).collect();
    let within = over.partition_point(|over| judge(*over) == Judgement::Within);
    let not_above = over.partition_point(|over| judge(*over) != Judgement::Above);
    let at = |place: Option<usize>| values.get(place?).copied();
    (at(not_above.checked_sub(1)), at(within.checked_sub(1)))
}

impl<'a> Group<'a> {
    /// The run whose search measured points of this use case last, and these.
    fn last_search(&self, run: &'a Run) -> Option<(&'a Manifest, Vec<&'a Point>)> {
        let searches = run.manifests().iter().rev();
        let mut own_points = searches
            .filter(|manifest| manifest.search.is_some())
            .map(|manifest| (manifest, points_of(manifest, self.points())));
        own_points.find(|(_, points)| !points.is_empty())
    }

    /// What the last search of this use case was for.
    pub(crate) fn search_goal(&self, run: &'a Run) -> Option<&'a SearchGoal> {
        let (manifest, _) = self.last_search(run)?;
        manifest.search.as_ref()
    }

    /// What the last search of this use case found, where a manifest tells of one.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/requests/aiperf-1")?; // no search
    /// assert!(run.groups().iter().all(|group| group.capacity(&run).is_none()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn capacity(&self, run: &'a Run) -> Option<Capacity<'a>> {
        let (manifest, points) = self.last_search(run)?;
        let goal = manifest.search.as_ref()?;
        let of_search = || {
            let points = points.iter().copied();
            points.filter(|point| point.replica().is_none())
        };
        // A resumed job's points have the time that the earlier one's manifest says.
        let mut measured: BTreeMap<&str, &PointRow> = BTreeMap::new();
        for row in run.manifests().iter().flat_map(|manifest| &manifest.points) {
            if row.seconds.is_some() {
                measured.entry(&row.folder).or_insert(row);
            }
        }
        let mut probes: Vec<_> = of_search()
            .filter_map(|point| {
                let row = point.path().file_name();
                let row = row.and_then(|name| measured.get(name));
                let remark = row.filter(|row| row.status == "finished");
                let remark = remark.map(|row| row.detail.as_str());
                let requests = point.requests();
                let failed = requests.map_or(0, Requests::failed);
                let judged = requests.map(|requests| judged(point, requests).into_owned());
                let (judged, verdict) = if let Some(missed) = point.missed_load() {
                    (None, ProbeVerdict::Failed(missed))
                } else {
                    let verdict = judge(goal, judged.as_ref(), failed);
                    (judged, verdict)
                };
                Some(Probe {
                    level: goal.of().level(point.load()?)?,
                    attempt: point.repeat(),
                    point: Some(point),
                    judged,
                    verdict,
                    seconds: row.and_then(|row| row.seconds),
                    remark: remark.filter(|remark| !remark.is_empty()),
                })
            })
            .collect();
        let mut known: BTreeSet<_> = probes
            .iter()
            .map(|probe| (probe.level, probe.attempt))
            .collect();
        let first = of_search().next()?;
        let of_use_case = |name: &PointName| {
            Some(name.use_case()) == first.use_case()
                && Some(name.input()) == first.input()
                && Some(name.output()) == first.output()
        };
        for row in manifest.points.iter().filter(|row| row.status == "failed") {
            let name = PointName::parse(&row.folder).filter(of_use_case);
            let name = name.and_then(|name| Some((goal.of().level(name.load())?, name.repeat())));
            let Some((level, attempt)) = name else {
                continue;
            };
            if known.insert((level, attempt)) {
                probes.push(Probe {
                    level,
                    attempt,
                    point: None,
                    judged: None,
                    verdict: ProbeVerdict::Failed(row.detail.clone()),
                    seconds: row.seconds,
                    remark: None,
                });
            }
        }
        let read: BTreeSet<_> = of_search()
            .filter_map(|point| point.path().file_name())
            .collect();
        let finished = manifest.points.iter();
        let finished = finished
            .filter(|row| row.status == "finished" && !read.contains(row.folder.as_str()))
            .filter_map(|row| PointName::parse(&row.folder).filter(of_use_case));
        let unread = finished
            .map(|name| name.run().as_str().to_owned())
            .collect();
        let climb = goal.ladder().climb(|level| {
            let of_level = probes.iter().filter(|probe| probe.level == level);
            let decides = of_level.filter(|probe| probe.decides());
            let last = decides.max_by_key(|probe| Reverse(probe.attempt))?;
            Some(last.verdict.holds())
        });
        probes.sort_by_key(|probe| (probe.start().is_none(), probe.start()));
        let gpus = first.gpus();
        let others = run.manifests().iter().filter_map(|other| {
            let searched = other.search.as_ref()?;
            let own = points_of(other, self.points());
            let is_other = searched != goal || own.first()?.gpus() != gpus;
            let job = other.job_id.as_ref()?.as_str();
            (is_other && !own.is_empty()).then_some(job)
        });
        let not_monotone = not_monotone(goal, &probes);
        Some(Capacity {
            goal,
            climb,
            probes,
            not_monotone,
            unread,
            others: others.collect(),
        })
    }
}

/// The points that a run measured, or that count as finished there.
fn points_of<'a>(manifest: &Manifest, points: &[&'a Point]) -> Vec<&'a Point> {
    let rows = manifest.points.iter();
    let folders: BTreeSet<&str> = rows.map(|row| row.folder.as_str()).collect();
    let is_own = |point: &&Point| {
        let is_of_job = point.run().is_some() && point.run() == manifest.job_id.as_ref();
        let name = point.path().file_name();
        is_of_job || name.is_some_and(|name| folders.contains(name))
    };
    points.iter().copied().filter(is_own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_judgement() {
        for (percentile, requests) in [(50, 20), (95, 90), (95, 400), (99, 700), (90, 3)] {
            let percentile = Percentile::new(percentile).unwrap();
            let values = || (1..=requests).map(f64::from);
            let (above, within) = bounds(percentile, values().collect());
            for limit in values().chain([0.0, 0.5, f64::from(requests) + 1.0]) {
                let (over, of) = count(limit, values());
                let judgement = percentile.judge(over, of);
                let is_above = above.is_some_and(|above| limit < above);
                let is_within = within.is_some_and(|within| limit >= within);
                assert_eq!(
                    judgement == Judgement::Above,
                    is_above,
                    "{percentile} {limit}"
                );
                assert_eq!(
                    judgement == Judgement::Within,
                    is_within,
                    "{percentile} {limit}"
                );
            }
        }
    }
}
