//! Which nodes, by name.

use std::borrow::Cow;

use crate::value::{Fault, at_most, only, text_value};

const ALLOWED: &str = "names such as node1 or node[1-4] are allowed, and commas between them";

/// How many nodes a range may have, or all names with several brackets.
const MOST_NODES: u64 = 65_536;

/// Nodes by name.
///
/// # Syntax
///
/// Names with commas between them. A name may have ranges of numbers in brackets:
/// `node[1-4,7]`; a range ascends and is as wide as its first number, so
/// `node[01-16]` begins with `node01`. It may have several brackets:
/// `rack[1-2]n[01-16]` is 32 nodes. A number has 18 digits at most, a range 65536 nodes,
/// the whole 65536 bytes. A name has four brackets at most, and 255 bytes beside several;
/// all names with several are 65536 nodes at most. Source: sbatch(1), `--nodelist`, and
/// slurm.conf(5).
///
/// # Errors
///
/// * `./hosts`: with a slash, Slurm reads a file
/// * `node[4-1]`, `node[]`, `node[1-4`: not a list that ends
/// * `node[1-4]x`: not all releases take text behind the last bracket
///
/// ```
/// use nim_slurm::slurm::NodeList;
///
/// assert_eq!(NodeList::parse("node[01-16],gpu7")?.as_str(), "node[01-16],gpu7");
/// assert_eq!(NodeList::parse("rack[1-2]n[01-16]")?.hosts().count(), 32);
/// assert!(NodeList::parse("node[4-1]").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeList(String);

impl NodeList {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | '[' | ']'),
            ALLOWED,
        )?;
        at_most(text, 65_536)?;
        let (mut rest, mut multiplied) = (text, 0_u64);
        loop {
            let (nodes, behind) = check_entry(rest)?;
            multiplied = multiplied.saturating_add(nodes);
            if multiplied > MOST_NODES {
                return Err(Fault::rule(format!(
                    "its names with several brackets are too many nodes: at most {MOST_NODES} are allowed"
                )));
            }
            match behind.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The nodes, one by one.
    ///
    /// ```
    /// use nim_slurm::slurm::NodeList;
    ///
    /// let nodes = NodeList::parse("node[08-10,7],gpu7")?;
    /// assert!(nodes.hosts().eq(["node08", "node09", "node10", "node7", "gpu7"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hosts(&self) -> impl Iterator<Item = String> {
        let named = entries(&self.0)
            .flat_map(|(prefixes, ranges)| prefixes.into_iter().map(move |own| (own, ranges)));
        named.flat_map(|(prefix, ranges)| {
            let ranges = ranges.unwrap_or_default();
            let alone = ranges.is_empty().then(|| prefix.clone().into_owned());
            let numbered = ranges.split(',').filter_map(numbers);
            let numbered = numbered.flat_map(move |(width, numbers)| {
                let prefix = prefix.clone();
                numbers.map(move |number| format!("{prefix}{number:0width$}"))
            });
            alone.into_iter().chain(numbered)
        })
    }

    /// How many nodes are named, each counted once. A short text can name very many,
    /// so their numbers are counted, and no name is made; of several brackets, what stands
    /// before the last is.
    pub(crate) fn count(&self) -> u64 {
        let mut spans: Vec<Span<'_>> = Vec::with_capacity(1 + self.0.matches([',', '[']).count());
        for (prefixes, ranges) in entries(&self.0) {
            for prefix in &prefixes {
                let Some(ranges) = ranges else {
                    spans.push(Span::new(prefix, 0, 0, 0));
                    continue;
                };
                let ranges = ranges.split(',').filter_map(numbers);
                spans.extend(ranges.flat_map(|(width, numbers)| {
                    same_width(width, numbers).map(|(digits, numbers)| {
                        Span::new(prefix, digits, *numbers.start(), *numbers.end())
                    })
                }));
            }
        }
        spans.sort_unstable();
        let mut count = 0;
        let mut before: Option<&Span<'_>> = None;
        let mut end = 0;
        for span in &spans {
            let counted = before.is_some_and(|before| before.is_beside(span));
            let first = if counted {
                span.first.max(end)
            } else {
                span.first
            };
            count += (span.last + 1).saturating_sub(first);
            end = if counted {
                end.max(span.last + 1)
            } else {
                span.last + 1
            };
            before = Some(span);
        }
        count
    }
}

/// Names that end with as many digits, of numbers one after the other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Span<'a> {
    /// What stands before the digits.
    base: Cow<'a, str>,
    /// How many digits.
    digits: usize,
    first: u64,
    last: u64,
}

impl<'a> Span<'a> {
    /// The names of a prefix and these numbers, written with so many digits. Digits at
    /// the prefix's end belong to the number, since `n1[0-9]` and `n[10-19]` are the same.
    fn new(prefix: &Cow<'a, str>, digits: usize, first: u64, last: u64) -> Self {
        /// The digits that a number here has room for.
        const MOST: usize = 19;
        let at_end = prefix
            .bytes()
            .rev()
            .take_while(u8::is_ascii_digit)
            .take(MOST - digits)
            .count();
        let start = prefix.len() - at_end;
        let head = &prefix[start..];
        let base = match prefix {
            Cow::Borrowed(prefix) => Cow::Borrowed(&prefix[..start]),
            Cow::Owned(prefix) => Cow::Owned(prefix[..start].to_owned()),
        };
        let head = head.parse().unwrap_or(0) * 10_u64.pow(u32::try_from(digits).unwrap_or(0));
        Self {
            base,
            digits: at_end + digits,
            first: head + first,
            last: head + last,
        }
    }

    /// Whether both have the same kind of name.
    fn is_beside(&self, other: &Self) -> bool {
        (&self.base, self.digits) == (&other.base, other.digits)
    }
}

/// The parts of a range whose numbers are written with as many digits.
fn same_width(
    width: usize,
    numbers: std::ops::RangeInclusive<u64>,
) -> impl Iterator<Item = (usize, std::ops::RangeInclusive<u64>)> {
    let (mut first, last) = numbers.into_inner();
    std::iter::from_fn(move || {
        if first > last {
            return None;
        }
        let digits = width.max(first.checked_ilog10().map_or(1, |log| log as usize + 1));
        let end = last.min(10_u64.pow(u32::try_from(digits).ok()?) - 1);
        let part = (digits, first..=end);
        first = end + 1;
        Some(part)
    })
}

/// How many nodes the first entry of a list has if it has several brackets, and what is
/// behind the entry.
fn check_entry(text: &str) -> Result<(u64, &str), Fault> {
    let (mut rest, mut brackets, mut bytes, mut nodes) = (text, 0, 0, 1_u64);
    loop {
        let end = rest.find([',', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        if name.contains(']') || brackets == 0 && (name.is_empty() || name.starts_with('-')) {
            return Err(Fault::rule(ALLOWED));
        }
        let Some(ranges) = behind.strip_prefix('[') else {
            if brackets > 0 && !name.is_empty() {
                return Err(Fault::rule(
                    "behind the last bracket, only a comma and the next name are allowed",
                ));
            }
            return Ok((if brackets > 1 { nodes } else { 0 }, behind));
        };
        let (ranges, behind) = ranges
            .split_once(']')
            .ok_or_else(|| Fault::rule("a bracket is not closed"))?;
        let mut numbers = 0_u64;
        for range in ranges.split(',') {
            let (first, last) = check_range(range)?;
            numbers += last - first + 1;
        }
        brackets += 1;
        bytes += name.len();
        nodes = nodes.saturating_mul(numbers);
        // Names are made of them: so they are few, and short.
        if brackets > 4 || brackets > 1 && bytes > 255 {
            return Err(Fault::rule(
                "a name with several brackets has four at most, and 255 bytes beside them",
            ));
        }
        rest = behind;
    }
}

/// The names of a list that was checked, each with what is in its last brackets. Those
/// before the last are multiplied out.
fn entries(list: &str) -> impl Iterator<Item = (Vec<Cow<'_, str>>, Option<&str>)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (name, mut ranges) = part(&mut rest)?;
        let mut prefixes = vec![Cow::Borrowed(name)];
        while ranges.is_some() && !rest.is_empty() && !rest.starts_with(',') {
            let (name, next) = part(&mut rest)?;
            let heads = ranges.unwrap_or_default().split(',').filter_map(numbers);
            let heads: Vec<_> = heads
                .flat_map(|(width, numbers)| {
                    numbers.map(move |number| format!("{number:0width$}{name}"))
                })
                .collect();
            prefixes = prefixes
                .iter()
                .flat_map(|prefix| {
                    heads
                        .iter()
                        .map(move |head| format!("{prefix}{head}").into())
                })
                .collect();
            ranges = next;
        }
        rest = rest.strip_prefix(',').unwrap_or_default();
        Some((prefixes, ranges))
    })
}

/// Takes a name up to a comma or behind its first bracket, and what is in that.
fn part<'a>(rest: &mut &'a str) -> Option<(&'a str, Option<&'a str>)> {
    let end = rest.find([',', '[']).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    let (ranges, behind) = match behind.strip_prefix('[') {
        Some(ranges) => {
            let (ranges, behind) = ranges.split_once(']')?;
            (Some(ranges), behind)
        }
        None => (None, behind),
    };
    *rest = behind;
    Some((name, ranges))
}

/// The width and the numbers of a range.
fn numbers(range: &str) -> Option<(usize, std::ops::RangeInclusive<u64>)> {
    let (first, last) = check_range(range).ok()?;
    let width = range
        .split_once('-')
        .map_or(range, |(first, _)| first)
        .len();
    Some((width, first..=last))
}

/// The first and the last number of `FIRST` or `FIRST-LAST`.
fn check_range(range: &str) -> Result<(u64, u64), Fault> {
    let number = |text: &str| {
        const MOST_DIGITS: usize = 18;
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_number && text.len() > MOST_DIGITS {
            return Err(Fault::rule(format!(
                "a number has {} digits, at most {MOST_DIGITS} are allowed in brackets",
                text.len()
            )));
        }
        text.parse::<u64>()
            .ok()
            .filter(|_| is_number)
            .ok_or_else(|| {
                Fault::rule(format!(
                    "{range:?} is no range: numbers such as 1-4 are allowed in brackets"
                ))
            })
    };
    let Some((first, last)) = range.split_once('-') else {
        return number(range).map(|only| (only, only));
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(Fault::rule(format!(
            "the range {range:?} descends: its first number must not be the larger one"
        )));
    }
    if last - first >= MOST_NODES {
        return Err(Fault::rule(format!(
            "the range {range:?} is too long: at most 65536 nodes are allowed"
        )));
    }
    Ok((first, last))
}

text_value!(NodeList, "node list");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn node_lists() {
        accepts::<NodeList>("node1", "node1");
        accepts::<NodeList>("a[1-4,7],b-c[01-16],d.e", "a[1-4,7],b-c[01-16],d.e");
        refuses::<NodeList>(
            "./hosts",
            "unexpected character '/' in node list \"./hosts\": names such as node1 or node[1-4] are allowed, and \
             commas between them",
        );
        refuses::<NodeList>(
            "n[1-4",
            "cannot take \"n[1-4\" as node list: a bracket is not closed",
        );
        refuses::<NodeList>(
            "n[1-4]x",
            "cannot take \"n[1-4]x\" as node list: behind the last bracket, only a comma and the next name are allowed",
        );
        accepts::<NodeList>("rack[1-2]n[01-03],a[1][2]", "rack[1-2]n[01-03],a[1][2]");
        refuses::<NodeList>(
            "a[1-512]b[1-128],a[1]b[1]",
            "cannot take \"a[1-512]b[1-128],a[1]b[1]\" as node list: its names with several brackets are too many \
             nodes: at most 65536 are allowed",
        );
        refuses::<NodeList>(
            "a[1]b[1]c[1]d[1]e[1]",
            "cannot take \"a[1]b[1]c[1]d[1]e[1]\" as node list: a name with several brackets has four at most, and \
             255 bytes beside them",
        );
        refuses::<NodeList>(
            "n[0000000000000000001]",
            "cannot take \"n[0000000000000000001]\" as node list: a number has 19 digits, at most 18 are allowed in \
             brackets",
        );
        for text in [
            "n[4-1]",
            "n[a-b]",
            "n[]",
            "n[1-99999999]",
            "n]",
            "[1-2]",
            "a,,b",
            "a,",
            "-n",
            "n[1-2-3]",
            "n[1-2]m[1-2]x",
            "n[1-2]m",
            "n[1-2]m[3",
        ] {
            assert!(NodeList::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counted_as_if_they_were_written_out() {
        for text in [
            "a",
            "a,a,b",
            "n1[0-9],n[10-19],n10",
            "n[8-11],n[08-11],n9",
            "n[1-3,2-5,9]",
            "n[000-120],n0[00-20],n00,n000",
            "1[0-2],10,110",
            "a[1-2]n[01-03],a1n[02-05],a2n03",
            "a[1-2][0-9],a[10-29]",
            "a[1,1-2]b[1-2]c[3,4]",
            "n99999999999999999999[0-9],n9999999999999999999[90-95],n999999999999999999990",
            "n[999999999999999990-999999999999999999],n1",
        ] {
            count_as_names(text);
        }
        let many = NodeList::parse(&format!("{}[0-65535]", "n".repeat(60_000))).unwrap();
        assert_eq!(many.count(), 65_536);
    }

    #[test]
    fn several_brackets_are_multiplied() {
        let list = NodeList::parse("rack[1-2]n[09-10],m").unwrap();
        let names = ["rack1n09", "rack1n10", "rack2n09", "rack2n10", "m"];
        assert!(list.hosts().eq(names));
        let many = NodeList::parse("a[1-256]b[1-256],n[1-9]").unwrap();
        assert_eq!(many.count(), 65_545);
    }

    #[track_caller]
    fn count_as_names(text: &str) {
        let list = NodeList::parse(text).unwrap_or_else(|error| panic!("{error}"));
        let names: std::collections::BTreeSet<_> = list.hosts().collect();
        assert_eq!(list.count(), names.len() as u64, "{text}");
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
        #[test]
        fn any_list_is_counted_as_if_it_were_written_out(
            entries in proptest::collection::vec(("[an01]{1,3}", 0_u64..120, 0_u64..120, 1_usize..4), 1..6),
        ) {
            let entries = entries.iter().map(|(prefix, first, more, width)| match width {
                1 => format!("{prefix}{first}"),
                2 => format!("{prefix}[0-{}]n[{first:0width$}-{}]", more % 3, first + more),
                _ => format!("{prefix}[{first:0width$}-{},7]", first + more),
            });
            count_as_names(&entries.collect::<Vec<_>>().join(","));
        }
    }
}
