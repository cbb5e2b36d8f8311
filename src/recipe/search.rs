//! How much load within limits.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Milliseconds, setters};
use crate::ladder::{Ladder, SearchedLoad, percent};
use crate::load::Decimal;
use crate::percentile::Percentile;
use crate::value::{Fault, ValueError, text_value};

/// The limits of a search, and where it looks: in place of a list of concurrencies, launch.sh finds for each
/// use case the highest one at which the limits hold; or the highest rate of requests.
///
/// Each probe is a point like any other. It has at least as many requests as it [takes](Percentile::requests_needed)
/// to claim the percentile. One that cannot tell is measured once more with [four times](Self::MORE_REQUESTS)
/// the requests, and these alone decide; where they cannot tell either, the level counts as one that does not hold.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{Search, Sweep};
///
/// let search = Search::new(1, 1024)
///     .with_ttft("500".parse()?)
///     .with_itl("25".parse()?)
///     .with_at("p95".parse::<nim_slurm::Percentile>()?)
///     .with_within("5%".parse()?);
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.sweep = Sweep::searching(["chat:128/128".parse()?], search);
/// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
///
/// // All points that may be probed: each level, and each once more.
/// assert_eq!(Search::MORE_REQUESTS, 4);
/// let points = recipe.sweep.points();
/// assert_eq!((points[0].load.concurrency(), points[0].requests, points[0].repeat), (Some(1), 91, 1));
/// assert_eq!((points[1].load.concurrency(), points[1].requests, points[1].repeat), (Some(1), 364, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Search {
    /// The limit on the time to first token, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft: Option<Milliseconds>,
    /// The limit on the inter-token latency, in ms. There must be one of both at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub itl: Option<Milliseconds>,
    /// The percentile that the limits are on; `p95` by default.
    #[serde(default = "p95", deserialize_with = "searched")]
    pub at: Percentile,
    /// What is raised; requests in flight by default.
    #[serde(default, skip_serializing_if = "SearchedLoad::is_default")]
    pub of: SearchedLoad,
    /// The lowest level; 1 by default.
    #[serde(default = "one")]
    pub from: Decimal,
    /// The highest level.
    pub to: Decimal,
    /// How near the answer must be: levels are so far apart at most, or one request in flight, or 0.01 requests in a second;
    /// 5 % by default.
    #[serde(default)]
    pub within: Precision,
}

/// Percentiles that limits can be on, and that both tools tell.
pub(crate) const SEARCHED: [u8; 5] = [50, 75, 90, 95, 99];

/// Reads one of them.
fn searched<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Percentile, D::Error> {
    const NAME: &str = "percentile of a search";
    let text = crate::value::text(deserializer, NAME)?;
    let mut all = SEARCHED.into_iter().filter_map(Percentile::new);
    all.find(|own| own.to_string() == text).ok_or_else(|| {
        let fault = Fault::rule("\"p50\", \"p75\", \"p90\", \"p95\" or \"p99\" is allowed");
        serde::de::Error::custom(ValueError::new(NAME, &text, fault))
    })
}

const fn p95() -> Percentile {
    Percentile::P95
}

fn one() -> Decimal {
    whole(1)
}

/// The nearest number that there is.
fn whole(number: u32) -> Decimal {
    let number = number.clamp(1, 1_000_000);
    Decimal::of_thousandths(u64::from(number) * 1000).expect("it is in the range")
}

impl Search {
    /// A level that cannot tell is measured once more, with so many times the requests.
    pub const MORE_REQUESTS: u64 = 4;

    /// A search between two numbers of requests in flight, 1 to 1000000, without limits yet.
    #[must_use]
    pub fn new(from: u32, to: u32) -> Self {
        Self {
            ttft: None,
            itl: None,
            at: Percentile::P95,
            of: SearchedLoad::Concurrency,
            from: whole(from),
            to: whole(to),
            within: Precision::default(),
        }
    }

    /// A search between two rates in requests per second, with at most two decimals, without limits yet.
    ///
    /// ```
    /// use nim_slurm::Recipe;
    /// use nim_slurm::recipe::{Search, Sweep};
    ///
    /// let search = Search::of_rate("0.5".parse()?, 8.try_into()?).with_ttft("500".parse()?);
    /// assert_eq!(search.ladder().levels()[..3], [50, 52, 54]); // in a hundred seconds
    /// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    /// recipe.sweep = Sweep::searching(["chat:128/128".parse()?], search);
    /// assert_eq!(recipe.sweep.points()[0].load.to_string(), "rate0.5");
    /// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_rate(from: Decimal, to: Decimal) -> Self {
        Self {
            of: SearchedLoad::RequestRate,
            from,
            to,
            ..Self::new(1, 1)
        }
    }

    setters! {
        /// Limits the time to first token.
        with_ttft: ttft = Milliseconds;
        /// Limits the inter-token latency.
        with_itl: itl = Milliseconds;
        /// Says which percentile the limits are on.
        with_at: at = Percentile;
        /// Says how near the answer must be.
        with_within: within = Precision;
    }

    /// The levels that it may probe.
    ///
    /// ```
    /// use nim_slurm::recipe::Search;
    ///
    /// let search = Search::new(1, 16).with_within("100%".parse()?);
    /// assert_eq!(search.ladder().levels(), [1, 2, 4, 8, 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        Ladder::between(self.of, self.from, self.to, self.within.percent())
    }

    /// The lowest or highest level, if it is between two of them.
    pub(crate) fn between_levels(&self) -> Option<Decimal> {
        let mut ends = [self.from, self.to].into_iter();
        ends.find(|end| self.of.level_of(*end).is_none())
    }

    /// Those limits that there are, by the name that launch.sh has for them.
    pub(crate) fn limits(&self) -> Vec<(&'static str, &str)> {
        [("ttft", &self.ttft), ("itl", &self.itl)]
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit.as_ref()?.as_str())))
            .collect()
    }

    /// As a manifest has it.
    pub(crate) fn to_json(&self) -> String {
        let Self {
            at,
            of,
            from,
            to,
            within,
            ..
        } = self;
        let of = match of {
            SearchedLoad::RequestRate => "\"of\": \"request_rate\", ",
            SearchedLoad::Concurrency => "",
        };
        let limits = self.limits().into_iter();
        let limits: Vec<_> = limits
            .map(|(name, limit)| format!("\"{name}\": {}, ", plain_number(limit)))
            .collect();
        let limits = limits.concat();
        format!(
            "{{{limits}\"at\": \"{at}\", {of}\"from\": {from}, \"to\": {to}, \"within\": \"{within}\"}}"
        )
    }
}

/// JSON takes no zeros in front.
fn plain_number(text: &str) -> String {
    let text = text.trim_start_matches('0');
    if text.is_empty() || text.starts_with('.') {
        format!("0{text}")
    } else {
        text.to_owned()
    }
}

/// How near the answer of a search must be.
///
/// # Syntax
///
/// * a whole number from 1 to 100, and `%`: `5%`
///
/// ```
/// use nim_slurm::recipe::Precision;
///
/// assert_eq!((Precision::parse("10%")?.percent(), Precision::default().as_str()), (10, "5%"));
/// assert!(Precision::parse("5").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Precision(String);

impl Precision {
    fn check(text: &str) -> Result<Self, Fault> {
        match percent(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(Fault::rule(
                "it is a whole number from 1 to 100 and \"%\", as in 5%",
            )),
        }
    }

    /// The number.
    #[must_use]
    pub fn percent(&self) -> u32 {
        percent(&self.0).unwrap_or(100)
    }
}

impl Default for Precision {
    fn default() -> Self {
        Self("5%".to_owned())
    }
}

text_value!(Precision, "precision");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn precisions() {
        for text in ["1%", "5%", "100%"] {
            accepts::<Precision>(text, text);
        }
        for text in [
            "", "5", "%", "0%", "05%", "101%", "5 %", "-5%", "2.5%", "5%%",
        ] {
            let words = format!(
                "cannot take {text:?} as precision: it is a whole number from 1 to 100 and \"%\", as in 5%"
            );
            refuses::<Precision>(text, &words);
        }
    }

    #[test]
    fn a_manifest_reads_what_a_recipe_says() {
        let search = Search::new(2, 64)
            .with_ttft("007.50".parse().unwrap())
            .with_within("10%".parse().unwrap());
        let goal: crate::ladder::SearchGoal = serde_json::from_str(&search.to_json()).unwrap();
        assert_eq!((goal.ttft(), goal.itl()), (Some(7.5), None));
        assert_eq!((goal.at(), goal.ladder()), (search.at, search.ladder()));
    }
}
