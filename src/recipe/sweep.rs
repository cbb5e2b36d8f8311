//! What is measured, and in what order.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};

use super::server::{at_least_one, number};
use super::{Search, SearchedLoad, UseCase, setters};
use crate::load::{Decimal, Load};
use crate::percentile::Percentile;
use crate::plain::counted;

/// Output tokens that each stream of a point generates at least where a percentile is to hold:
/// 30 seconds of measuring at 15 ms a token.
const TOKENS_OF_A_STREAM: u64 = 2048;

/// Seconds for which requests of a rate are sent at least, where no duration is given.
const SECONDS_OF_A_RATE: u64 = 60;

/// Which points are measured: each use case at each concurrency, or at each of its own request rates.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{ArrayBy, ReplicaUse};
///
/// let sweep = Recipe::llama3_70b_h100x4_fp8()
///     .with_use_cases(["chat:128/128".parse()?, "rag:2048/128".parse()?])
///     .with_concurrency([1, 50])
///     .sweep;
/// let points = sweep.points(); // the highest concurrency first
/// assert_eq!((points.len(), points[0].load.concurrency()), (4, Some(50)));
///
/// // Enough of them for a p95: 90, of which none is over the limit, and each stream has 2,048 tokens.
/// let sweep = sweep.with_percentile("p95".parse::<nim_slurm::Percentile>()?);
/// assert_eq!([0, 3].map(|point: usize| sweep.points()[point].requests), [800, 90]);
///
/// let mut sweep = sweep;
/// sweep.percentile = None;
/// let sweep = sweep
///     .with_requests_per_concurrency(10)
///     .with_min_requests(1)
///     .with_point_timeout(600) // seconds
///     .with_repeat(1)
///     .with_replicas(ReplicaUse::Split)
///     .with_array(ArrayBy::Point)
///     .with_array_limit(1);
/// assert_eq!(sweep.points()[3].requests, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sweep {
    /// Use cases: what goes in and comes out.
    pub use_cases: Vec<UseCase>,
    /// Requests in flight. Only use cases that all have request rates of their own do without.
    #[serde(
        default,
        deserialize_with = "all_at_least_one",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub concurrency: Vec<u32>,
    /// In place of the list: limits within which the highest number is searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// A point sends this many requests for each one in flight, 5 by default; of [several turns](UseCase::turns), so many
    /// conversations …
    #[serde(default = "number::<5>", deserialize_with = "at_least_one")]
    pub requests_per_concurrency: u32,
    /// … but at least so many; 20 by default. At a request rate, it sends as many as come in a minute, but
    /// also at least so many.
    #[serde(default = "number::<20>", deserialize_with = "at_least_one")]
    pub min_requests: u32,
    /// The percentile that the results must be able to support; by default none. Each point then
    /// sends at least as many requests as [it takes](Percentile::requests_needed) to claim it, and
    /// each of its streams generates 2,048 tokens or more. Points that a duration or a trace ends stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile: Option<Percentile>,
    /// Seconds after which a point is given up; 900 by default. Its warm-up may take as long.
    #[serde(default = "number::<900>", deserialize_with = "at_least_one")]
    pub point_timeout: u32,
    /// How often each point is measured; once by default. All points come first, then all of them
    /// again, each time with prompts of their own.
    #[serde(
        default = "number::<1>",
        deserialize_with = "at_least_one",
        skip_serializing_if = "is_one"
    )]
    pub repeat: u32,
    /// What several servers on one node do with the points.
    #[serde(default, skip_serializing_if = "ReplicaUse::is_default")]
    pub replicas: ReplicaUse,
    /// How the sweep is spread over the tasks of a job array; by default it is one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArrayBy>,
    /// How many tasks of the array may run at once; by default Slurm decides.
    #[serde(
        default,
        deserialize_with = "at_least_one_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub array_limit: Option<u32>,
}

impl Sweep {
    /// Each of these use cases at each of these numbers of requests in flight.
    ///
    /// ```
    /// use nim_slurm::recipe::Sweep;
    ///
    /// let sweep = Sweep::new(["chat:128/128".parse()?], [1, 50]);
    /// assert_eq!(sweep.points()[1].requests, 20); // at least
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(
        use_cases: impl IntoIterator<Item = UseCase>,
        concurrency: impl IntoIterator<Item = u32>,
    ) -> Self {
        Self {
            use_cases: use_cases.into_iter().collect(),
            concurrency: concurrency.into_iter().collect(),
            search: None,
            requests_per_concurrency: number::<5>(),
            min_requests: number::<20>(),
            percentile: None,
            point_timeout: number::<900>(),
            repeat: number::<1>(),
            replicas: ReplicaUse::default(),
            array: None,
            array_limit: None,
        }
    }

    /// Of each of these use cases, how many requests in flight keep the limits.
    ///
    /// ```
    /// use nim_slurm::recipe::{Search, Sweep};
    ///
    /// let search = Search::new(1, 64).with_itl("25".parse()?);
    /// let sweep = Sweep::searching(["chat:128/128".parse()?], search);
    /// assert!(sweep.concurrency.is_empty() && sweep.search.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn searching(use_cases: impl IntoIterator<Item = UseCase>, search: Search) -> Self {
        Self {
            search: Some(search),
            ..Self::new(use_cases, [])
        }
    }

    setters! {
        /// Sends so many requests for each one in flight.
        with_requests_per_concurrency: requests_per_concurrency = u32;
        /// Sends at least so many requests.
        with_min_requests: min_requests = u32;
        /// Sends as many requests as it takes to claim this percentile.
        with_percentile: percentile = Percentile;
        /// Gives a point up after so many seconds.
        with_point_timeout: point_timeout = u32;
        /// Measures each point so often.
        with_repeat: repeat = u32;
        /// Says what several servers on a node do with the points.
        with_replicas: replicas = ReplicaUse;
        /// Makes the launch job an array.
        with_array: array = ArrayBy;
        /// Lets so many tasks of the array run at once.
        with_array_limit: array_limit = u32;
    }

    /// All points, in the order in which they are measured: the highest
    /// concurrency first, and at each the use cases as given, then those with
    /// request rates, in the same way, and those with a trace, once; then all of them again for each further
    /// [repeat](Self::repeat). Of a [search](Self::search), all that it may probe.
    ///
    /// ```
    /// use nim_slurm::recipe::Sweep;
    ///
    /// let sweep = Sweep::new(["chat:128/128".parse()?], [1, 50]).with_repeat(2);
    /// let order: Vec<_> = sweep.points().iter().map(|point| (point.load.concurrency().unwrap(), point.repeat)).collect();
    /// assert_eq!(order, [(50, 1), (1, 1), (50, 2), (1, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn points(&self) -> Vec<SweepPoint> {
        if let Some(search) = &self.search {
            return self.probes(search);
        }
        let in_flight = self.concurrency.iter().copied().map(Load::Concurrency);
        let rates = self.use_cases.iter().flat_map(UseCase::request_rate);
        let rates: BTreeSet<_> = rates.copied().collect();
        let mut loads: Vec<_> = in_flight.collect();
        loads.sort_unstable_by(|a, b| b.cmp(a));
        loads.extend(rates.into_iter().rev().map(Load::RequestRate));
        loads.push(Load::Schedule);
        let of = |load: Load| {
            let has_it = move |use_case: &&UseCase| match load {
                Load::Schedule => use_case.is_scheduled(),
                _ if use_case.is_scheduled() => false,
                Load::RequestRate(rate) => use_case.request_rate().contains(&rate),
                Load::Concurrency(_) => use_case.request_rate().is_empty(),
            };
            let own = self.use_cases.iter().filter(has_it);
            own.map(move |use_case| self.point(use_case, load))
        };
        let round: Vec<_> = loads.into_iter().flat_map(of).collect();
        (1..=self.repeat)
            .flat_map(|repeat| {
                round.iter().map(move |point| SweepPoint {
                    repeat,
                    ..point.clone()
                })
            })
            .collect()
    }

    /// How many points there are, with their repeats and without making them.
    pub(crate) fn point_count(&self) -> usize {
        let of = |use_case: &UseCase| match use_case.request_rate().len() {
            _ if use_case.is_scheduled() => 1,
            0 => self.concurrency.len(),
            rates => rates,
        };
        let round = self.use_cases.iter().map(of).fold(0, usize::saturating_add);
        round.saturating_mul(self.repeat as usize)
    }

    /// Each level for each use case, and once more with more requests.
    fn probes(&self, search: &Search) -> Vec<SweepPoint> {
        let mut probes = Vec::new();
        let ladder = search.ladder();
        for use_case in &self.asked_use_cases() {
            for level in ladder.levels() {
                let first = self.point(use_case, search.of.load(*level));
                let again = SweepPoint {
                    requests: first.requests.saturating_mul(Search::MORE_REQUESTS),
                    repeat: 2,
                    ..first.clone()
                };
                probes.extend([first, again]);
            }
        }
        probes
    }

    /// The use cases with the rates at which requests are sent, those of a search too.
    pub(crate) fn asked_use_cases(&self) -> Vec<UseCase> {
        let mut use_cases = self.use_cases.clone();
        let search = self.search.as_ref();
        if let Some(search) = search.filter(|search| search.of == SearchedLoad::RequestRate) {
            let ladder = search.ladder();
            let loads = ladder.levels().iter().map(|level| search.of.load(*level));
            let rates: Vec<_> = loads.filter_map(Load::request_rate).collect();
            for use_case in &mut use_cases {
                *use_case = use_case.clone().with_request_rate(rates.clone());
            }
        }
        use_cases
    }

    fn point(&self, use_case: &UseCase, load: Load) -> SweepPoint {
        let turns = u64::from(use_case.turns());
        let whole = |requests: u64| requests.div_ceil(turns).saturating_mul(turns);
        let (mut rounds, mut least) = (
            u64::from(self.requests_per_concurrency),
            u64::from(self.min_requests),
        );
        let of_the_search = self.search.as_ref().map(|search| search.at);
        if let Some(percentile) = self.percentile.max(of_the_search) {
            let tokens = (u64::from(use_case.output_tokens()) * turns).max(1);
            rounds = rounds.max(TOKENS_OF_A_STREAM.div_ceil(tokens));
            least = least.max(percentile.requests_needed(0));
        }
        let requests = match (use_case.duration(), load) {
            _ if use_case.is_scheduled() => 0,
            (Some(duration), _) => use_case.prompts_of(load, duration),
            (None, Load::RequestRate(rate)) => {
                let sent = u64::from(rate.thousandths()) * SECONDS_OF_A_RATE;
                whole(least.max(sent.div_ceil(1000)))
            }
            (None, _) => {
                let wave = u64::from(load.concurrency().unwrap_or(1));
                // A search does not judge the first wave.
                let not_judged = of_the_search.map_or(0, |_| wave);
                let asked = (wave * rounds).saturating_mul(turns);
                whole(least.max(asked)).saturating_add(not_judged)
            }
        };
        SweepPoint {
            use_case: use_case.clone(),
            load,
            requests,
            repeat: 1,
        }
    }
}

/// One measurement: a use case under a load.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let recipe = Recipe::llama3_70b_h100x4_fp8().with_concurrency([1, 50]);
/// let point = &recipe.sweep.points()[0];
/// let per_request = recipe.sweep.requests_per_concurrency;
/// assert_eq!(point.requests, u64::from(50 * per_request));
/// assert_eq!(point.to_string(), "chat, 128/128, concurrency 50, 250 requests");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepPoint {
    /// What goes in and comes out.
    pub use_case: UseCase,
    /// Requests in flight, or in a second, or a trace's times.
    pub load: Load,
    /// Requests in all; where a [duration](UseCase::duration) ends the point, at most; 0 where a
    /// [trace](super::DataFormat::Mooncake) has them.
    pub requests: u64,
    /// Which of the point's measurements it is, from 1.
    pub repeat: u32,
}

/// As in `talk, turns = 4, 128/128, concurrency 8, 160 requests`.
impl fmt::Display for SweepPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let use_case = &self.use_case;
        let (input, output) = (use_case.input(), use_case.output());
        write!(
            f,
            "{}{}, {input}/{output}, {}",
            use_case.name(),
            use_case.keys(),
            self.load.in_words()
        )?;
        match (use_case.duration(), self.requests) {
            (Some(duration), _) => write!(f, ", for {} s", duration.seconds())?,
            (None, 0) => {}
            (None, requests) => write!(f, ", {}", counted(requests, "request"))?,
        }
        match self.repeat {
            0 | 1 => Ok(()),
            repeat => write!(f, ", repeat {repeat}"),
        }
    }
}

impl SweepPoint {
    /// For how many seconds requests are sent, where the load decides that, and not the answers.
    pub(crate) fn seconds(&self) -> Option<u64> {
        // The last conversations wait, too.
        let waited = self.delays();
        let sent = |rate: Decimal| {
            let sent = (self.requests * 1000).div_ceil(u64::from(rate.thousandths()));
            sent.saturating_add(waited)
        };
        let duration = self.use_case.duration();
        let duration = duration.map(|duration| u64::from(duration.seconds()));
        duration.or_else(|| self.load.request_rate().map(sent))
    }

    /// For how many seconds at least, as far as that is known before: conversations also wait.
    pub(crate) fn least_seconds(&self) -> Option<u64> {
        let waits = |in_flight: u32| {
            let rounds = self.prompts().div_ceil(in_flight.max(1).into());
            rounds.saturating_mul(self.delays())
        };
        let in_flight = self.load.concurrency();
        let in_flight = in_flight.filter(|_| self.delays() > 0);
        self.seconds().or_else(|| in_flight.map(waits))
    }

    /// For how many seconds each conversation waits between its requests.
    fn delays(&self) -> u64 {
        let delay = self.use_case.delay();
        let delay = delay.map_or(0, |delay| u64::from(delay.seconds()));
        delay * u64::from(self.use_case.turns() - 1)
    }

    /// How many prompts the tool makes, so that none is sent twice: one for each request, or one conversation.
    pub(crate) fn prompts(&self) -> u64 {
        let conversations = self.requests.div_ceil(self.use_case.turns().into());
        match (self.use_case.duration(), self.load) {
            (None, _) => conversations,
            // When the time is over, those in flight are not at their end; at a rate, that may be all.
            (Some(_), Load::Concurrency(in_flight)) if self.use_case.is_conversation() => {
                conversations + u64::from(in_flight)
            }
            (Some(_), _) => self.requests,
        }
    }
}

/// What a task of a job array measures. Each task starts a server of its own.
///
/// ```
/// use nim_slurm::recipe::ArrayBy;
/// use nim_slurm::slurm::OptionName;
/// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.sweep.array = Some(ArrayBy::UseCase);
/// recipe.sweep.array_limit = Some(1);
/// let plan = Plan::new(recipe, Settings::new())?;
/// let array = plan.directives(ScriptKind::Launch).get(OptionName::Array);
/// assert_eq!(array.as_deref(), Some("0-1%1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ArrayBy {
    /// One use case at all concurrencies, in the order of [`Sweep::use_cases`].
    UseCase,
    /// One point with all its repeats, in the order of [`Sweep::points`].
    Point,
    /// All points on one of [`Server::variants`](super::Server::variants).
    Server,
}

/// What several servers that run side by side do with the points of a sweep.
///
/// ```
/// use nim_slurm::recipe::{Recipe, ReplicaUse};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.server.replicas = 2;
/// recipe.sweep.replicas = ReplicaUse::Together;
/// assert!(recipe.to_toml().contains("replicas = \"together\""));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReplicaUse {
    /// The points are split among the servers: each is measured on one, on whichever is free
    /// first. A sweep takes a part of the time.
    #[default]
    Split,
    /// Each point is measured on all servers at the same time: what a node does under
    /// full load. The point's folder has one for each server, `server-0`, `server-1`, …
    Together,
}

impl ReplicaUse {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

fn at_least_one_if_any<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    at_least_one(deserializer).map(Some)
}

fn all_at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let numbers = Vec::<NonZeroU32>::deserialize(deserializer)?;
    Ok(numbers.into_iter().map(NonZeroU32::get).collect())
}

#[cfg(test)]
mod tests {
    use crate::recipe::Recipe;

    #[test]
    fn rates_come_after_concurrencies() {
        let text = "name = 'chat', input = 128, output = 128";
        let recipe = Recipe::llama3_70b_h100x4_fp8().to_toml().replace(
            "use_cases = [\"chat:128/128\"",
            &format!(
                "use_cases = [{{ {text}, request_rate = [1, 0.1] }}, {{ {text}, request_rate = [2.5, 1], duration = 30 }}, \
                 {{ {text}, duration = 30, ramp = 5 }}"
            ),
        );
        let sweep = Recipe::from_toml(&recipe)
            .unwrap()
            .with_concurrency([1, 8])
            .sweep;
        let points = sweep.points();
        assert_eq!(points.len(), sweep.point_count());
        let said: Vec<_> = points
            .iter()
            .map(|point| {
                let (load, seconds) = (point.load, point.seconds());
                format!(
                    "{load} {} {} {seconds:?}",
                    point.use_case.input(),
                    point.requests
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                // 8 streams of 200 tokens a second, which 128 make a request.
                "8 128 384 Some(30)",
                "8 4096 40 None",
                "1 128 48 Some(30)",
                "1 4096 20 None",
                // The mean is 75, the standard deviation 8.
                "rate2.5 128 133 Some(30)",
                "rate1 128 60 Some(60)",
                "rate1 128 70 Some(30)",
                "rate0.1 128 20 Some(200)",
            ]
        );
    }

    /// The first one has the numbers that were published with it; all others can support a p95.
    #[test]
    fn requests_of_the_built_in_recipes() {
        let counts = |name: &str| -> Vec<_> {
            let points = Recipe::built_in(name).unwrap().sweep.points();
            points.iter().map(|point| point.requests).collect()
        };
        assert_eq!(
            counts(Recipe::BUILT_IN[0]),
            [500, 500, 250, 250, 125, 125, 20, 20]
        );
        // chat:128/128 and summarization:4096/512, at 100, 50, 25 and 1.
        let vllm = counts("llama3-3-70b-h100x4-vllm");
        assert_eq!(vllm, [1600, 500, 800, 250, 400, 125, 90, 90]);
        for name in &Recipe::BUILT_IN[1..] {
            let recipe = Recipe::built_in(name).unwrap();
            for point in recipe.sweep.points() {
                let tokens = point.requests * u64::from(point.use_case.output_tokens());
                let of_a_stream = tokens / u64::from(point.load.concurrency().unwrap());
                assert!(
                    point.requests >= 90 && of_a_stream >= 2048,
                    "{name} sends too few requests for a p95: {point}: set sweep.percentile = \"p95\""
                );
            }
        }
    }
}
