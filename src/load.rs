//! How much a server is asked, and with which lengths: what recipes say, and the names of results.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Fault, from_number, positive_number, value, whole_number};

/// What drives a measurement. In the name of a result's folder it is the third word: `25`,
/// `rate2.5` or `schedule`.
///
/// ```
/// use nim_slurm::Load;
///
/// let load = Load::parse("rate2.5")?;
/// assert_eq!(load, Load::RequestRate("2.5".parse()?));
/// assert_eq!((load.request_rate().unwrap().to_f64(), load.concurrency()), (2.5, None));
/// assert_eq!(Load::parse("25")?.concurrency(), Some(25));
/// assert!(Load::parse("2.5").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Load {
    /// So many requests are in flight: one ends, and the next is sent.
    Concurrency(u32),
    /// So many requests are sent in a second on average, whatever the answers take.
    RequestRate(Decimal),
    /// Each request is sent at the time that a trace has for it.
    Schedule,
}

impl Load {
    fn check(text: &str) -> Result<Self, Fault> {
        if text == "schedule" {
            return Ok(Self::Schedule);
        }
        match text.strip_prefix("rate") {
            Some(rate) => Decimal::check(rate).map(Self::RequestRate),
            None => positive_number(text)
                .map(Self::Concurrency)
                .map_err(|fault| fault.allowing("a number, \"rate\" and a number, or \"schedule\" is allowed, as in 8 or rate2.5")),
        }
    }

    /// The requests in flight, if they are what drives it.
    #[must_use]
    pub const fn concurrency(self) -> Option<u32> {
        match self {
            Self::Concurrency(number) => Some(number),
            _ => None,
        }
    }

    /// The requests in a second, if they are what drives it.
    #[must_use]
    pub const fn request_rate(self) -> Option<Decimal> {
        match self {
            Self::RequestRate(rate) => Some(rate),
            _ => None,
        }
    }

    /// As people say it.
    ///
    /// ```
    /// # use nim_slurm::Load;
    /// assert_eq!(Load::parse("25")?.in_words(), "concurrency 25");
    /// assert_eq!(Load::parse("rate2.5")?.in_words(), "2.5 requests/s");
    /// assert_eq!(Load::Schedule.in_words(), "as its trace says");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Concurrency(number) => format!("concurrency {number}"),
            Self::RequestRate(rate) => format!("{rate} requests/s"),
            Self::Schedule => "as its trace says".to_owned(),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Concurrency(number) => number.fmt(f),
            Self::RequestRate(rate) => write!(f, "rate{rate}"),
            Self::Schedule => f.write_str("schedule"),
        }
    }
}

value!(Load, "load");

/// A number above 0 and up to 1000000, with at most three decimals. `2.50` is `2.5`.
///
/// ```
/// use nim_slurm::Decimal;
///
/// assert_eq!(Decimal::parse("2.50")?.to_string(), "2.5");
/// assert!(Decimal::parse("0.1")? < Decimal::try_from(10)?);
/// assert!(Decimal::parse("0").is_err() && Decimal::parse("1e3").is_err());
/// assert!(Decimal::parse("1000000").is_ok() && Decimal::parse("9999999.9").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    thousandths: u32,
}

impl Decimal {
    pub(crate) const MOST: u32 = 1_000_000;

    fn check(text: &str) -> Result<Self, Fault> {
        let form = || {
            Fault::rule(format!(
                "a number such as 2 or 2.5 is allowed, above 0 and up to {}, with at most three decimals",
                Self::MOST
            ))
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_digits(whole, 7) || !is_digits(decimals, 3) {
            return Err(form());
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| form());
        let whole = number(whole)?.saturating_mul(1000);
        let thousandths = whole.saturating_add(number(&format!("{decimals:0<3}"))?);
        if thousandths == 0 || thousandths > Self::MOST * 1000 {
            return Err(form());
        }
        Ok(Self { thousandths })
    }

    /// The number that comes nearest, if there is one.
    pub(crate) fn nearest(number: f64) -> Option<Self> {
        Self::parse(&format!("{number:.3}")).ok()
    }

    /// The number.
    ///
    /// ```
    /// assert_eq!("2.5".parse::<nim_slurm::Decimal>()?.to_f64(), 2.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.thousandths) / 1000.0
    }

    /// So many thousandths, if there is such a number.
    pub(crate) fn of_thousandths(thousandths: u64) -> Option<Self> {
        let thousandths = u32::try_from(thousandths).ok()?;
        (1..=Self::MOST * 1000)
            .contains(&thousandths)
            .then_some(Self { thousandths })
    }

    /// So many thousandths it has.
    pub(crate) const fn thousandths(self) -> u32 {
        self.thousandths
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        let text = match rest {
            0 => whole.to_string(),
            _ => format!("{whole}.{rest:03}")
                .trim_end_matches('0')
                .to_owned(),
        };
        f.pad(&text)
    }
}

value!(@ways Decimal, "number");
from_number!(Decimal);

/// A number of TOML, or its text.
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Decimal, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Number)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.thousandths.is_multiple_of(1000) {
            serializer.serialize_u32(self.thousandths / 1000)
        } else {
            serializer.serialize_f64(self.to_f64())
        }
    }
}

/// A length in tokens: a number, or `MEANsSPREAD` where lengths have a normal distribution with
/// this mean and this standard deviation, as in `128s20`. A spread is at most half the mean.
/// `data` where a file of prompts decides it: then mean and spread are 0.
///
/// ```
/// use nim_slurm::Length;
///
/// let length = Length::parse("128s20")?;
/// assert_eq!((length.mean(), length.spread()), (128, 20));
/// assert_eq!(Length::parse("128")?, Length::try_from(128)?);
/// assert!(Length::parse("128s65").is_err());
/// assert_eq!((Length::parse("data")?, Length::DATA.mean()), (Length::DATA, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length {
    mean: u32,
    spread: u32,
}

impl Length {
    /// A file decides it, for each request.
    pub const DATA: Self = Self { mean: 0, spread: 0 };

    pub(crate) fn check(text: &str) -> Result<Self, Fault> {
        if text == "data" {
            return Ok(Self::DATA);
        }
        let allowed = |fault: Fault| {
            fault.allowing(
                "tokens, or tokens \"s\" standard deviation, is allowed, as in 128 or 128s20",
            )
        };
        let Some((mean, spread)) = text.split_once('s') else {
            let mean = positive_number(text).map_err(allowed)?;
            return Ok(Self { mean, spread: 0 });
        };
        let mean = positive_number(mean).map_err(allowed)?;
        let spread = whole_number(spread).map_err(allowed)?;
        if spread == 0 {
            return Err(Fault::rule(format!(
                "a standard deviation of 0 is none: write the mean alone, here {mean}"
            )));
        }
        if spread > mean / 2 {
            return Err(Fault::rule(format!(
                "a spread of at most half the mean is allowed, here {}",
                mean / 2
            )));
        }
        Ok(Self { mean, spread })
    }

    /// All have this length, if it is at least 1.
    pub(crate) fn of(tokens: u32) -> Option<Self> {
        let (mean, spread) = (tokens, 0);
        (mean > 0).then_some(Self { mean, spread })
    }

    /// Whether a file decides it.
    pub(crate) const fn is_data(self) -> bool {
        self.mean == 0
    }

    /// The mean; 0 where a file decides it.
    #[must_use]
    pub const fn mean(self) -> u32 {
        self.mean
    }

    /// The standard deviation; 0 where all have one length.
    #[must_use]
    pub const fn spread(self) -> u32 {
        self.spread
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spread {
            _ if self.is_data() => f.pad("data"),
            0 => f.pad(&self.mean.to_string()),
            spread => f.pad(&format!("{}s{spread}", self.mean)),
        }
    }
}

value!(Length, "length in tokens");
from_number!(Length);

/// The name of a point's folder, as plans foresee it and results are found by it.
pub(crate) struct PointFolder<'a> {
    pub(crate) model: &'a str,
    pub(crate) gpus: u32,
    pub(crate) load: Load,
    pub(crate) use_case: &'a str,
    /// Of the input and of the output.
    pub(crate) lengths: (Length, Length),
    pub(crate) repeat: u32,
    pub(crate) run: &'a str,
}

impl fmt::Display for PointFolder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            model,
            gpus,
            load,
            use_case,
            lengths: (input, output),
            repeat,
            run,
        } = self;
        write!(f, "{model}_{gpus}_{load}_{use_case}_{input}_{output}")?;
        if *repeat > 1 {
            write!(f, "_r{repeat}")?;
        }
        write!(f, "_{run}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn loads() {
        for (text, shown) in [
            ("1", "1"),
            ("0064", "64"),
            ("rate2", "rate2"),
            ("rate0.250", "rate0.25"),
            ("schedule", "schedule"),
        ] {
            accepts::<Load>(text, shown);
        }
        for text in ["", "0", "rate", "rate0", "rate-1", "2.5", "Rate2", "+1"] {
            assert!(Load::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn decimals() {
        for (text, shown) in [
            ("1", "1"),
            ("2.5", "2.5"),
            ("0.001", "0.001"),
            ("10.050", "10.05"),
            ("1000000", "1000000"),
            ("007", "7"),
        ] {
            accepts::<Decimal>(text, shown);
        }
        refuses::<Length>(
            "128s0",
            "cannot take \"128s0\" as length in tokens: a standard deviation of 0 is none: write the mean alone, here 128",
        );
        refuses::<Decimal>(
            "0.0",
            "cannot take \"0.0\" as number: a number such as 2 or 2.5 is allowed, above 0 and up to 1000000, with at most \
             three decimals",
        );
        for text in [
            "",
            ".5",
            "5.",
            "1.2345",
            "1000000.001",
            "99999999",
            "-1",
            "1,5",
            "1e3",
        ] {
            assert!(Decimal::parse(text).is_err(), "{text}");
        }
        assert_eq!(Decimal::nearest(2.500_04).unwrap().to_string(), "2.5");
        assert_eq!(Decimal::nearest(f64::NAN), None);
        assert_eq!(Decimal::nearest(-1.0), None);
    }

    #[test]
    fn lengths() {
        accepts::<Length>("0128", "128");
        accepts::<Length>("128s20", "128s20");
        accepts::<Length>("data", "data");
        refuses::<Length>(
            "128s65",
            "cannot take \"128s65\" as length in tokens: a spread of at most half the mean is allowed, here 64",
        );
        for text in [
            "", "0", "s20", "128s", "128s0", "128s1s1", "128±20", "-1", "Data",
        ] {
            assert!(Length::parse(text).is_err(), "{text}");
        }
    }
}
