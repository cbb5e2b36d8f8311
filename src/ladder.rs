//! The levels of load that a search may try, and which of them it tries next.

use serde::{Deserialize, Serialize};

use crate::load::{Decimal, Load};

/// What a search raises.
///
/// ```
/// use nim_slurm::Load;
/// use nim_slurm::recipe::SearchedLoad;
///
/// assert_eq!(SearchedLoad::Concurrency.load(25), Load::parse("25")?);
/// assert_eq!(SearchedLoad::RequestRate.load(25), Load::parse("rate0.25")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SearchedLoad {
    /// Requests in flight.
    #[default]
    Concurrency,
    /// Requests in a second. A level is one in a hundred seconds.
    RequestRate,
}

impl SearchedLoad {
    /// The load at a level of the [`Ladder`]. A level that no ladder has is taken as the lowest, or the
    /// highest rate.
    #[must_use]
    pub fn load(self, level: u32) -> Load {
        let level = level.max(1);
        let thousandths = u64::from(level) * 10;
        let rate = || Decimal::of_thousandths(thousandths.min(u64::from(Decimal::MOST) * 1000));
        match self {
            Self::RequestRate => rate().map_or(Load::Concurrency(level), Load::RequestRate),
            Self::Concurrency => Load::Concurrency(level),
        }
    }

    /// The level of a load; none of a load of another kind, or between two levels.
    pub(crate) fn level(self, load: Load) -> Option<u32> {
        match self {
            Self::RequestRate => self.level_of(load.request_rate()?),
            Self::Concurrency => load.concurrency(),
        }
    }

    /// The level of a number in a recipe; none of one that is between two levels.
    pub(crate) fn level_of(self, number: Decimal) -> Option<u32> {
        let unit = match self {
            Self::RequestRate => 10,
            Self::Concurrency => 1000,
        };
        let thousandths = number.thousandths();
        thousandths
            .is_multiple_of(unit)
            .then_some(thousandths / unit)
    }

    /// Whether it is what a search raises where nothing is said.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Levels of load, each a step above the one before: requests in flight, or requests in a hundred seconds.
///
/// A search looks on them for the highest at which its limits hold. It doubles the load until a
/// level does not hold, and then takes the middle of what is left; since the levels are about as far
/// apart as ratios, that is the middle on a logarithmic scale. It jumps further than to the double
/// only where it would else need more probes than [`most_probes`](Self::most_probes).
///
/// ```
/// use nim_slurm::recipe::Search;
///
/// let ladder = Search::new(1, 1024).ladder(); // within 5 %
/// assert_eq!((ladder.levels().len(), ladder.most_probes()), (112, 9));
/// assert_eq!(ladder.levels()[38..42], [39, 40, 42, 44]);
///
/// // A server that keeps the limits up to 100 requests in flight:
/// let mut probes = Vec::new();
/// let climb = ladder.climb(|level| {
///     probes.push(level);
///     Some(level <= 100)
/// });
/// assert_eq!((climb.held(), climb.exceeded()), (Some(97), Some(101)));
/// assert_eq!(probes, [1, 2, 58, 242, 116, 81, 97, 106, 101]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder(Vec<u32>);

/// How far a search is.
///
/// ```
/// use nim_slurm::recipe::Search;
///
/// let ladder = Search::new(1, 4).ladder();
/// // The first level holds, and nothing is known of the others.
/// let climb = ladder.climb(|level| (level == 1).then_some(true));
/// assert_eq!((climb.next(), climb.held(), climb.exceeded()), (Some(2), Some(1), None));
/// // All hold: the highest is the answer, and no level is known that does not.
/// let climb = ladder.climb(|_| Some(true));
/// assert_eq!((climb.next(), climb.held(), climb.exceeded()), (None, Some(4), None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Climb {
    next: Option<u32>,
    held: Option<u32>,
    exceeded: Option<u32>,
}

impl Climb {
    /// The level to probe next; none once the answer is known.
    #[must_use]
    pub const fn next(self) -> Option<u32> {
        self.next
    }

    /// The highest level that held.
    #[must_use]
    pub const fn held(self) -> Option<u32> {
        self.held
    }

    /// The lowest level that did not.
    #[must_use]
    pub const fn exceeded(self) -> Option<u32> {
        self.exceeded
    }
}

impl Ladder {
    /// From the lowest level to the highest, in steps of at most so many percent, or of one.
    pub(crate) fn new(from: u32, to: u32, percent: u32) -> Self {
        let mut levels = Vec::new();
        let mut level = u64::from(from);
        while let Some(low) = u32::try_from(level).ok().filter(|low| *low < to) {
            levels.push(low);
            level = (level * (100 + u64::from(percent)) / 100).max(level + 1);
        }
        levels.push(to);
        Self(levels)
    }

    /// The same between two numbers of a recipe.
    pub(crate) fn between(of: SearchedLoad, from: Decimal, to: Decimal, percent: u32) -> Self {
        let [from, to] = [from, to].map(|end| of.level_of(end).unwrap_or(1));
        Self::new(from, to, percent)
    }

    /// The levels, the lowest first.
    #[must_use]
    pub fn levels(&self) -> &[u32] {
        &self.0
    }

    /// On how many levels a search ends at the latest: two more than the fewest that can tell all
    /// of them apart, so that it can begin with low ones.
    #[must_use]
    pub fn most_probes(&self) -> u32 {
        usize::BITS - self.0.len().leading_zeros() + 2
    }

    /// How far the search is, by whether a level holds; `None` for one that was not probed. What is
    /// asked for, in this order, are the probes.
    #[must_use]
    pub fn climb(&self, mut holds: impl FnMut(u32) -> Option<bool>) -> Climb {
        let levels = &self.0;
        // Those below `low` hold, those from `high` on do not, as far as is known.
        let (mut low, mut high, mut left) = (0, levels.len(), self.most_probes());
        let mut next = None;
        while low < high {
            let probe = self.probe(low, high, left);
            match holds(levels[probe]) {
                Some(true) => low = probe + 1,
                Some(false) => high = probe,
                None => {
                    next = Some(levels[probe]);
                    break;
                }
            }
            left -= 1;
        }
        Climb {
            next,
            held: low.checked_sub(1).map(|place| levels[place]),
            exceeded: levels.get(high).copied(),
        }
    }

    /// Which of the levels from `low` to below `high` is probed next, when so many probes are left:
    /// on either side of it, there must be no more levels than the probes after it can tell apart.
    fn probe(&self, low: usize, high: usize, left: u32) -> usize {
        let levels = &self.0;
        if high < levels.len() {
            return usize::midpoint(low, high - 1);
        }
        let most = 1 << (left - 1);
        let double = match low.checked_sub(1) {
            Some(held) => levels.partition_point(|level| *level < levels[held].saturating_mul(2)),
            None => low,
        };
        double
            .max(high.saturating_sub(most))
            .min(low + most - 1)
            .min(high - 1)
    }
}

/// What was searched for, as a run's manifest tells it: the recipe's `sweep.search`.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let text = r#"{"search": {"itl": 25, "at": "p95", "from": 1, "to": 64, "within": "5%"}}"#;
/// std::fs::write(folder.join("run_4711.json"), text)?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let goal = run.manifests()[0].search.as_ref().unwrap();
/// assert_eq!((goal.ttft(), goal.itl(), goal.at().get()), (None, Some(25.0), 95));
/// assert_eq!(goal.ladder().levels().last(), Some(&64));
/// assert_eq!(goal.of(), nim_slurm::recipe::SearchedLoad::Concurrency);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Goal", into = "Goal")]
pub struct SearchGoal(Goal);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Goal {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttft: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) itl: Option<f64>,
    pub(crate) at: crate::percentile::Percentile,
    #[serde(default, skip_serializing_if = "SearchedLoad::is_default")]
    pub(crate) of: SearchedLoad,
    pub(crate) from: Decimal,
    pub(crate) to: Decimal,
    pub(crate) within: String,
}

/// Its limits are numbers above zero.
impl Eq for SearchGoal {}

impl TryFrom<Goal> for SearchGoal {
    type Error = &'static str;

    fn try_from(goal: Goal) -> Result<Self, Self::Error> {
        let limits = [goal.ttft, goal.itl];
        let percent = percent(&goal.within);
        let is_limit = |limit: &f64| *limit > 0.0 && limit.is_finite();
        if !limits.iter().flatten().all(is_limit) || limits == [None, None] {
            return Err("it has no limits");
        }
        let percent = percent.ok_or("its steps are none")?;
        // There are at most 2,200 of them, whatever a manifest says: 1.01^2200 is more than a number holds.
        let [from, to] = [goal.from, goal.to].map(|end| goal.of.level_of(end));
        if from.is_none() || to.is_none() || goal.from > goal.to || percent == 0 {
            return Err("it has no levels");
        }
        Ok(Self(goal))
    }
}

impl From<SearchGoal> for Goal {
    fn from(goal: SearchGoal) -> Self {
        goal.0
    }
}

/// `5%` as a number.
pub(crate) fn percent(text: &str) -> Option<u32> {
    let digits = text.strip_suffix('%')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits
        .parse()
        .ok()
        .filter(|number| is_number && (1..=100).contains(number))
}

impl SearchGoal {
    /// The limit on the time to first token, in ms.
    #[must_use]
    pub const fn ttft(&self) -> Option<f64> {
        self.0.ttft
    }

    /// The limit on the inter-token latency, in ms.
    #[must_use]
    pub const fn itl(&self) -> Option<f64> {
        self.0.itl
    }

    /// The percentile that is limited.
    #[must_use]
    pub const fn at(&self) -> crate::percentile::Percentile {
        self.0.at
    }

    /// What it raises.
    #[must_use]
    pub const fn of(&self) -> SearchedLoad {
        self.0.of
    }

    /// The levels.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        let Goal { of, from, to, .. } = self.0;
        let percent = percent(&self.0.within).unwrap_or(100);
        Ladder::between(of, from, to, percent)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::percentile::{Judgement, Percentile};

    fn ladders() -> Vec<Ladder> {
        let mut ladders: Vec<_> = (1..=130).map(|to| Ladder::new(1, to, 1)).collect();
        for (from, to, percent) in [
            (1, 1024, 5),
            (7, 7, 5),
            (3, 900, 20),
            (100, 4000, 10),
            (1, 64, 100),
        ] {
            ladders.push(Ladder::new(from, to, percent));
        }
        ladders
    }

    #[test]
    fn a_load_is_of_its_kind_at_each_level() {
        for level in [0, 1, u32::MAX] {
            let rate = SearchedLoad::RequestRate.load(level);
            assert!(rate.request_rate().is_some(), "{level}: {rate}");
            let concurrency = SearchedLoad::Concurrency.load(level);
            assert_eq!(concurrency.concurrency(), Some(level.max(1)));
            assert_eq!(Load::parse(&rate.to_string()), Ok(rate));
        }
    }

    #[test]
    fn levels_rise_by_a_step_at_most() {
        let ladder = Ladder::new(1, 1024, 5);
        for pair in ladder.levels().windows(2) {
            let [low, high] = pair else {
                panic!("{pair:?}")
            };
            assert!(
                high > low && (100 * high <= 105 * low || high - low == 1),
                "{pair:?}"
            );
        }
        assert_eq!((ladder.levels()[0], ladder.levels()[111]), (1, 1024));
        // A step of one percent of the largest numbers.
        let ladder = Ladder::new(1, u32::MAX, 1);
        assert!(ladder.levels().len() < 2200 && ladder.levels().is_sorted());
    }

    /// Each number of levels, and each level at which a server may stop to hold.
    #[test]
    fn a_search_ends_in_time_wherever_the_answer_is() {
        for ladder in ladders() {
            let levels = ladder.levels();
            for held in 0..=levels.len() {
                let mut probes = Vec::new();
                let climb = ladder.climb(|level| {
                    probes.push(level);
                    Some(levels[..held].contains(&level))
                });
                assert_eq!(climb.held(), held.checked_sub(1).map(|place| levels[place]));
                assert_eq!(climb.exceeded(), levels.get(held).copied());
                assert!(
                    probes.len() <= ladder.most_probes() as usize,
                    "{held} of {levels:?}: {probes:?}"
                );
                // A level that did not hold is never followed by a higher one than needed, nor is one asked for twice.
                let mut once = probes.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), probes.len(), "{probes:?}");
            }
        }
    }

    /// What Python says of each line.
    fn python(loop_body: &str, lines: &[String]) -> Vec<String> {
        let program = format!(
            "import runpy, sys\nm = runpy.run_path('src/script/search.py')\nfor line in sys.stdin:\n    {loop_body}"
        );
        let mut python = Command::new("python3")
            .args(["-c", &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there");
        let mut input = python.stdin.take().unwrap();
        let text = lines.join("\n");
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
        let output = python.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Every state that a search can be in, on ladders of all sizes: the client asks for the probe that the library asks for,
    /// and gives its answer.
    #[test]
    fn the_client_searches_as_the_library_does() {
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        for ladder in ladders().into_iter().rev().step_by(3) {
            let levels: Vec<_> = ladder.levels().iter().map(ToString::to_string).collect();
            // A state is how each probe so far went: held, above, failed, first in doubt, twice in doubt.
            let mut states = vec![String::new()];
            while let Some(state) = states.pop() {
                let known = |level: u32| {
                    let row = |attempt| format!("{level} {attempt} ");
                    let find = |attempt| {
                        state
                            .split(';')
                            .find_map(|known| known.strip_prefix(&row(attempt)))
                    };
                    match (find(1)?, find(2)) {
                        ("itl:0/1000", _) | ("itl:5/90", Some("itl:0/1000")) => Some(true),
                        ("itl:5/90", None) => None,
                        _ => Some(false),
                    }
                };
                let climb = ladder.climb(known);
                lines.push(format!("{}|{state}", levels.join(" ")));
                let Some(next) = climb.next() else {
                    let text = |level: Option<u32>| {
                        level.map_or("-".to_owned(), |level| level.to_string())
                    };
                    expected.push(format!(
                        "end {} {}",
                        text(climb.held()),
                        text(climb.exceeded())
                    ));
                    continue;
                };
                let again = state
                    .split(';')
                    .any(|row| row == format!("{next} 1 itl:5/90"));
                expected.push(format!("probe {next} {}", 1 + u32::from(again)));
                // Two ways of going on, at different levels different ones.
                let ways = match (again, next % 5) {
                    (true, _) => ["itl:0/1000", "itl:20/360"],
                    (false, 0) => ["itl:900/1000", "itl:5/90"],
                    (false, 1) => ["itl:0/1000", "failed"],
                    (false, _) => ["itl:0/1000", "itl:900/1000"],
                };
                let attempt = 1 + u32::from(again);
                states.extend(
                    ways.iter()
                        .map(|way| format!("{state}{next} {attempt} {way};")),
                );
            }
        }
        let said = python(
            "levels, rows = line.strip().split('|'); rows = [row.split() for row in rows.split(';') if row]; \
             print(m['search'](95, [int(level) for level in levels.split()], \
             {(int(row[0]), int(row[1])): row[2:] for row in rows}))",
            &lines,
        );
        assert_eq!(said.len(), expected.len());
        assert!(said.len() > 5_000, "{}", said.len());
        // The last word: why a level did not hold; or how many levels are left at most, which each verdict makes fewer.
        let mut left_at = HashMap::new();
        for ((said, expected), line) in said.iter().zip(&expected).zip(&lines) {
            let (said, last) = said.rsplit_once(' ').unwrap();
            assert_eq!(said, expected, "{line}");
            let left: usize = if said.starts_with("probe ") {
                last.parse().unwrap()
            } else {
                0
            };
            left_at.insert(line.as_str(), left);
            let probed = line.strip_suffix(';').unwrap_or(line);
            let before = probed.rfind(['|', ';']).map(|end| &line[..=end]);
            let before =
                before.and_then(|before| Some((left_at.get(before)?, line.len() > before.len())));
            if let Some((before, true)) = before {
                let is_verdict = !probed.ends_with(" 1 itl:5/90");
                assert!(
                    left + usize::from(is_verdict) <= *before,
                    "{line}: {left}, {before} before"
                );
            } else {
                assert!(line.ends_with('|'), "{line}");
            }
        }
    }

    #[test]
    fn the_client_judges_as_the_library_does() {
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        for percentile in [1, 50, 75, 90, 95, 99].map(|number| Percentile::new(number).unwrap()) {
            for requests in [0, 1, 2, 7, 20, 44, 90, 130, 360, 459, 2000, 9000] {
                let step = 1 + requests / 60;
                for over in (0..=requests).step_by(usize::try_from(step).unwrap()) {
                    for limits in [1, 2] {
                        lines.push(format!("{} {limits} {over} {requests}", percentile.get()));
                        expected.push(match percentile.judge_one_of(limits, over, requests) {
                            Judgement::Within => "True",
                            Judgement::Above => "False",
                            Judgement::CannotTell => "None",
                        });
                    }
                }
            }
        }
        let said = python("print(m['judge'](*map(int, line.split())))", &lines);
        assert_eq!(said.len(), expected.len());
        for ((said, expected), line) in said.iter().zip(&expected).zip(&lines) {
            assert_eq!(said, expected, "{line}");
        }
    }

    #[test]
    fn goals_that_are_none() {
        let read = |text: &str| serde_json::from_str::<SearchGoal>(text);
        let good = r#"{"itl": 25, "at": "p95", "from": 1, "to": 64, "within": "5%"}"#;
        assert!(read(good).is_ok());
        for (from, to) in [
            ("25", "-1"),
            ("25", "0"),
            ("25", "null"),
            ("p95", "p0"),
            (": 1", ": 0"),
            (": 1", ": 65"),
            ("5%\"", "0%\""),
        ] {
            assert!(read(&good.replace(from, to)).is_err(), "{to}");
        }
        assert_eq!(
            serde_json::to_string(&read(good).unwrap()).unwrap(),
            good.replace(": ", ":")
                .replace(", ", ",")
                .replace("25", "25.0")
        );
    }
}
