//! Generic resources, GPUs above all.

use std::fmt;

use super::Count;
use crate::value::{
    Fault, ValueError, at_most, from_number, only, positive_number, text_value, value,
};

/// Generic resources for each node, such as GPUs.
///
/// What a site has, and what it calls it: `sinfo -o '%P %G'`. The counts are for each
/// node, not for the job; the GPUs of a job may be asked for with `--gpus-per-node` or
/// `--gpus` instead, never with both. A MIG slice is a type like any other:
/// `gpu:1g.10gb:1`, `gpu:h100_1g.10gb+me:1`.
///
/// # Syntax
///
/// Entries with commas between them, each `NAME`, `NAME:COUNT`, `NAME:TYPE` or
/// `NAME:TYPE:COUNT`:
///
/// * `NAME`: letters, digits, `_` and `-`, as the site wrote it; a letter first
/// * `TYPE`: letters, digits, `_`, `-`, `.` and `+`; one that begins with a digit needs its
///   count, as in `gpu:4090:1`
/// * `COUNT`: a whole number of at least 1; without one it is 1. Of what is no GPU, `K`, `M`,
///   `G`, `T` or `P` may follow: `localscratch:20G` are 20 × 1024³
///
/// This is what every known [`Release`](super::Release) reads in the same way. Source:
/// sbatch(1), `--gres`, and gres.conf(5).
///
/// # Errors
///
/// * `gpu:`, `gpu: 8`, `gpu:-1` (old releases read a type), `gpu:0`
/// * `gpu:1g`, `gpu:1g.10gb`: a type that begins with a digit needs its count, or Slurm reads one
/// * `gpu:2,gpu:h100:2`: one resource with a type and without
/// * `gpu=8`: a form of some releases only
/// * `GPU:8`: Slurm's own names, `gpu`, `shard` and `mps`, are in small letters
/// * `gpu:1K`: sbatch's `1K` are 1024
/// * `help`, `list`: sbatch would print a list and submit nothing
///
/// ```
/// use nim_slurm::slurm::Gres;
///
/// let gres = Gres::parse("gpu:h100:8")?;
/// assert_eq!(gres.gpus(), Some(8));
/// let entry = gres.entries().next().unwrap();
/// assert_eq!((entry.name(), entry.kind(), entry.count()), ("gpu", Some("h100"), 8));
/// assert!(Gres::parse("gpu: 8").is_err());
/// assert_eq!(gres.as_str(), "gpu:h100:8");
/// let scratch = Gres::parse("localscratch:20G")?;
/// assert_eq!(scratch.entries().next().unwrap().count(), 20 << 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gres(String);

/// One entry of a [`Gres`].
///
/// ```
/// use nim_slurm::slurm::Gres;
///
/// let gres = Gres::parse("gpu:h100:4,nvme")?;
/// for entry in gres.entries() {
///     println!("{} of {}, type {:?}", entry.count(), entry.name(), entry.kind());
/// }
/// assert_eq!(gres.entries().nth(1).unwrap().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GresEntry<'a> {
    name: &'a str,
    kind: Option<&'a str>,
    count: u64,
}

impl<'a> GresEntry<'a> {
    fn check(text: &'a str) -> Result<Self, Fault> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let entry = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => Self {
                name,
                kind: None,
                count: 1,
            },
            (Some(amount), None, _) if is_digits(amount) || name != "gpu" && is_amount(amount) => {
                Self {
                    name,
                    kind: None,
                    count: check_amount(name, amount)?,
                }
            }
            // gpu:1g would be 1,073,741,824 GPUs.
            (Some(kind), None, _) if is_amount(kind) => {
                return Err(Fault::rule(format!(
                    "Slurm would read {kind:?} as a count: give the number, too, as in gpu:1g.10gb:1"
                )));
            }
            (Some(kind), None, _) => Self {
                name,
                kind: Some(kind),
                count: 1,
            },
            (Some(kind), Some(count), None) => Self {
                name,
                kind: Some(kind),
                count: check_amount(name, count)?,
            },
            _ => {
                return Err(Fault::rule(
                    "it has too many ':': NAME:TYPE:COUNT is allowed, as in gpu:h100:8",
                ));
            }
        };
        check_name(entry.name)?;
        entry.kind.map_or(Ok(()), check_kind)?;
        Ok(entry)
    }

    /// The resource's name: `gpu`.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Its type, if one is named: `h100`.
    #[must_use]
    pub const fn kind(&self) -> Option<&'a str> {
        self.kind
    }

    /// How many for each node; of a size, how many bytes.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// An entry without zeros in front of its count.
fn without_zeros(entry: &str) -> String {
    match entry.rsplit_once(':') {
        Some((rest, count)) if digits_and_factor(count).is_some() => {
            let count = count.trim_start_matches('0').to_ascii_uppercase();
            format!("{rest}:{count}")
        }
        _ => entry.to_owned(),
    }
}

/// The units that sbatch reads behind a count, each 1024 times the one before.
const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];

/// A count's digits, and the factor that its unit stands for.
fn digits_and_factor(text: &str) -> Option<(&str, u64)> {
    let last = text.chars().last()?.to_ascii_uppercase();
    let unit = UNITS.iter().position(|&unit| unit == last);
    let (digits, factor) = match unit {
        Some(place) => (&text[..text.len() - 1], 1 << (10 * (place + 1))),
        None => (text, 1),
    };
    is_digits(digits).then_some((digits, factor))
}

/// Whether Slurm looks for a count in a text.
fn is_amount(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// How much of a resource. A size may be larger than Slurm's counters of other things.
fn check_amount(name: &str, text: &str) -> Result<u64, Fault> {
    if name == "gpu" {
        return check_count(text, "gpu:h100:8").map(u64::from);
    }
    let (digits, factor) = digits_and_factor(text).ok_or_else(|| {
        Fault::rule(format!(
            "{text:?} is no count: digits are allowed, and K, M, G, T or P, as in localscratch:20G"
        ))
    })?;
    let amount = digits.parse::<u64>().ok();
    let amount = amount.and_then(|amount| amount.checked_mul(factor));
    match amount.filter(|&amount| i64::try_from(amount).is_ok()) {
        Some(0) => Err(Fault::rule("it must be at least 1")),
        Some(amount) => Ok(amount),
        None => Err(Fault::rule("it is too large: less than 8192P is allowed")),
    }
}

/// How many, as the last part of an entry says it.
fn check_count(text: &str, sample: &str) -> Result<u32, Fault> {
    if !is_digits(text) {
        return Err(Fault::rule(format!(
            "{text:?} is no count: digits alone are allowed, as in {sample}"
        )));
    }
    positive_number(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    if matches!(name, "help" | "list" | "none") {
        return Err(Fault::rule(format!(
            "{name:?} is a word of Slurm's own, not a resource"
        )));
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !is_name {
        return Err(Fault::rule(format!(
            "{name:?} is no resource name: letters, digits, '_' and '-' are allowed, and a letter first, as in gpu:8"
        )));
    }
    let own = ["gpu", "shard", "mps"].into_iter();
    match own
        .filter(|own| *own != name)
        .find(|own| own.eq_ignore_ascii_case(name))
    {
        Some(own) => Err(Fault::rule(format!("{name:?} is {own:?} in small letters"))),
        None => Ok(()),
    }
}

pub(super) const WHOLE_OR_PARTS: &str =
    "a job has whole GPUs (gpu), or parts of them (shard or mps), not both";

/// Whether a resource is a share of a GPU. Source: `gres.c`, which refuses a job that has GPUs beside these.
pub(super) fn is_part_of_gpu(name: &str) -> bool {
    matches!(name, "shard" | "mps")
}

pub(super) fn check_kind(kind: &str) -> Result<(), Fault> {
    let is_kind = kind.starts_with(|c: char| c.is_ascii_alphanumeric())
        && kind
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+'));
    if is_kind {
        Ok(())
    } else {
        Err(Fault::rule(format!(
            "{kind:?} is neither a type nor a count: letters, digits, '_', '-', '.' and '+' are allowed in a type, as in gpu:h100:8"
        )))
    }
}

/// A type of GPU, as the site's `gres.conf` names it.
///
/// # Syntax
///
/// Letters, digits, `_`, `-`, `.` and `+`; a letter or digit first. Digits alone are a type,
/// too: `4090`.
///
/// # Errors
///
/// * `gpu`: the resource, not a type; `h100:8`: a type and a count
///
/// ```
/// use nim_slurm::slurm::GpuType;
///
/// assert_eq!(GpuType::parse("h100_80gb")?.as_str(), "h100_80gb");
/// assert!(GpuType::parse("h100:8").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GpuType(String);

impl GpuType {
    fn check(text: &str) -> Result<Self, Fault> {
        check_kind(text)?;
        if text == "gpu" {
            return Err(Fault::rule(
                "\"gpu\" is the resource: a type is allowed, as in h100",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(GpuType, "GPU type");

impl Gres {
    /// So many GPUs for each node, of any type.
    ///
    /// # Errors
    ///
    /// When the number is no [`Count`].
    ///
    /// ```
    /// use nim_slurm::slurm::Gres;
    ///
    /// assert_eq!(Gres::of_gpus(8)?.as_str(), "gpu:8");
    /// assert!(Gres::of_gpus(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_gpus(
        count: impl TryInto<Count, Error: Into<ValueError>>,
    ) -> Result<Self, ValueError> {
        let count = count.try_into().map_err(Into::into)?;
        Ok(Self(format!("gpu:{count}")))
    }

    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "NAME:TYPE:COUNT is allowed, as in gpu:8 or gpu:h100:8";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | ':' | ','),
            ALLOWED,
        )?;
        at_most(text, 1024)?;
        let canonical = |entry| GresEntry::check(entry).map(|_| without_zeros(entry));
        let entries: Result<Vec<_>, _> = text.split(',').map(canonical).collect();
        let gres = Self(entries?.join(","));
        let mixed = gres.entries().find(|typed| {
            let mut entries = gres.entries();
            typed.kind.is_some()
                && entries.any(|other| other.name == typed.name && other.kind.is_none())
        });
        if let Some(entry) = mixed {
            return Err(Fault::rule(format!(
                "{} stands there with a type and without one: Slurm takes either",
                entry.name
            )));
        }
        if gres.gpus().is_some() && gres.has_parts_of_gpus() {
            return Err(Fault::rule(WHOLE_OR_PARTS));
        }
        Ok(gres)
    }

    /// Whether this asks for parts of GPUs.
    pub(crate) fn has_parts_of_gpus(&self) -> bool {
        self.entries().any(|entry| is_part_of_gpu(entry.name))
    }

    /// The entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = GresEntry<'_>> {
        // Each was checked when the value was made.
        self.0
            .split(',')
            .filter_map(|entry| GresEntry::check(entry).ok())
    }

    /// How many GPUs this asks for on each node; none if it names no GPU.
    #[must_use]
    pub fn gpus(&self) -> Option<u64> {
        let counts = self
            .entries()
            .filter(|entry| entry.name == "gpu")
            .map(|entry| entry.count);
        counts.reduce(|sum, count| sum + count)
    }
}

text_value!(Gres, "GRES");

/// A number of GPUs, of any type or of one.
///
/// # Syntax
///
/// `COUNT` or `TYPE:COUNT`; `COUNT` is a whole number of at least 1, `TYPE` as in
/// [`Gres`]. Source: sbatch(1), `--gpus`, `--gpus-per-node`, `--gpus-per-task`.
///
/// # Errors
///
/// * `0`, `-1` (Slurm reads a type), `h100` (a type without a number)
/// * `gpu:4`: Slurm would look for GPUs of the type "gpu"
///
/// ```
/// use nim_slurm::slurm::GpuCount;
///
/// let gpus = GpuCount::parse("h100:8")?;
/// assert_eq!((gpus.kind(), gpus.count()), (Some("h100"), 8));
/// assert!(GpuCount::parse("gpu:8").is_err());
/// assert_eq!(GpuCount::try_from(8)?.kind(), None); // of any type
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GpuCount {
    kind: Option<String>,
    count: u32,
}

impl GpuCount {
    fn check(text: &str) -> Result<Self, Fault> {
        let Some((kind, count)) = text.split_once(':') else {
            return Ok(Self {
                kind: None,
                count: positive_number(text).map_err(|fault| {
                    fault.allowing("COUNT or TYPE:COUNT is allowed, as in 8 or h100:8")
                })?,
            });
        };
        check_kind(kind)?;
        if kind == "gpu" {
            return Err(Fault::rule(
                "Slurm would look for GPUs of the type \"gpu\": give the number alone, as in 8",
            ));
        }
        Ok(Self {
            kind: Some(kind.to_owned()),
            count: check_count(count, "h100:8")?,
        })
    }

    /// The type, if one is named.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }
}

impl fmt::Display for GpuCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}:{}", self.count),
            None => write!(f, "{}", self.count),
        }
    }
}

value!(GpuCount, "number of GPUs");
from_number!(GpuCount);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn gres() {
        accepts::<Gres>("gpu", "gpu");
        accepts::<Gres>("gpu:h100", "gpu:h100");
        accepts::<Gres>("nvme:08,gpu:h100:02", "nvme:8,gpu:h100:2");
        accepts::<Gres>("gpu:a100-sxm4.80gb:4,nvme:2", "gpu:a100-sxm4.80gb:4,nvme:2");
        accepts::<Gres>("gpu:h100_1g.10gb+me:1", "gpu:h100_1g.10gb+me:1");
        accepts::<Gres>("gpu:4090:02", "gpu:4090:2");
        assert!(Gres::parse("gpu:+me").is_err() && Gres::parse("gpu+me:1").is_err());
        for text in ["gpu:2,shard:2", "mps:50,gpu:h100:1"] {
            let words = format!(
                "cannot take {text:?} as GRES: a job has whole GPUs (gpu), or parts of them (shard or mps), not both"
            );
            refuses::<Gres>(text, &words);
        }
        assert_eq!(
            Gres::parse("gpu:a100:2,gpu:h100:3,nvme:9").map(|gres| gres.gpus()),
            Ok(Some(5))
        );
        assert_eq!(Gres::parse("shard:9").map(|gres| gres.gpus()), Ok(None));
        refuses::<Gres>(
            "gpu: 8",
            "unexpected character ' ' in GRES \"gpu: 8\": NAME:TYPE:COUNT is allowed, as in gpu:8 or gpu:h100:8",
        );
        refuses::<Gres>(
            "gpu:2,gpu:h100:3",
            "cannot take \"gpu:2,gpu:h100:3\" as GRES: gpu stands there with a type and without one: Slurm takes either",
        );
        refuses::<Gres>(
            "gpu:0",
            "cannot take \"gpu:0\" as GRES: it must be at least 1",
        );
        refuses::<Gres>(
            "GPU:8",
            "cannot take \"GPU:8\" as GRES: \"GPU\" is \"gpu\" in small letters",
        );
        refuses::<Gres>(
            "gpu:-1",
            "cannot take \"gpu:-1\" as GRES: \"-1\" is neither a type nor a count: letters, digits, '_', '-', '.' \
             and '+' are allowed in a type, as in gpu:h100:8",
        );
        refuses::<Gres>(
            "gpu:1g.10gb",
            "cannot take \"gpu:1g.10gb\" as GRES: Slurm would read \"1g.10gb\" as a count: give the number, too, as in \
             gpu:1g.10gb:1",
        );
        refuses::<Gres>(
            "gpu:h100:x",
            "cannot take \"gpu:h100:x\" as GRES: \"x\" is no count: digits alone are allowed, as in gpu:h100:8",
        );
        refuses::<Gres>(
            "help",
            "cannot take \"help\" as GRES: \"help\" is a word of Slurm's own, not a resource",
        );
        for text in [
            "gpu:",
            "gpu=8",
            "gres/gpu:8",
            "gpu:x:y:8",
            "gpu:8(S:0)",
            ",gpu:1",
            "gpu:1,",
            "gpu:8k:1x",
            "none",
            "gpu:1K",
            "gpu:h100:1K",
            "-nvme:1",
            "4:1",
            "Shard:2",
        ] {
            assert!(Gres::parse(text).is_err(), "{text}");
        }
    }

    /// What sites give out beside GPUs: scratch space by the byte, and names of their own.
    #[test]
    fn other_resources() {
        let count = |text: &str| {
            let gres = Gres::parse(text).unwrap_or_else(|error| panic!("{error}"));
            gres.entries().next().unwrap().count()
        };
        assert_eq!(count("localscratch:20G"), 20 << 30);
        assert_eq!(count("localscratch:21474836480"), 20 << 30);
        assert_eq!(count("tmpfs:100g"), 100 << 30);
        assert_eq!(count("tmpfs:ram:1T"), 1 << 40);
        accepts::<Gres>("tmpfs:0100g,gpu:1", "tmpfs:100G,gpu:1");
        accepts::<Gres>("nvme-local:1", "nvme-local:1");
        accepts::<Gres>("NVMe:1", "NVMe:1");
        refuses::<Gres>(
            "tmpfs:0G",
            "cannot take \"tmpfs:0G\" as GRES: it must be at least 1",
        );
        refuses::<Gres>(
            "tmpfs:8192P",
            "cannot take \"tmpfs:8192P\" as GRES: it is too large: less than 8192P is allowed",
        );
        refuses::<Gres>(
            "tmpfs:ram:20GB",
            "cannot take \"tmpfs:ram:20GB\" as GRES: \"20GB\" is no count: digits are allowed, and K, M, G, T or P, as in \
             localscratch:20G",
        );
        for text in ["tmpfs:20GB", "tmpfs:99999999999999999999", "tmpfs:1.5G"] {
            assert!(Gres::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gpu_counts() {
        accepts::<GpuCount>("8", "8");
        accepts::<GpuCount>("h100:8", "h100:8");
        accepts::<GpuCount>("1g.10gb+me:2", "1g.10gb+me:2");
        accepts::<GpuCount>("4090:1", "4090:1");
        accepts::<GpuType>("4090", "4090");
        for text in ["0", "-1", "h100", "4:a100", "x:y:4", "a100=4", "8,4", ""] {
            assert!(GpuCount::parse(text).is_err(), "{text}");
        }
    }
}
