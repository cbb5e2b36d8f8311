//! Which nodes, by name.

use crate::value::{Fault, at_most, only, text_value};

/// Nodes by name.
///
/// # Syntax
///
/// Names with commas between them. A name may have ranges of numbers in brackets:
/// `node[1-4,7]`; a range ascends and is as wide as its first number, so
/// `node[01-16]` begins with `node01`. A number has 18 digits at most, a range 65536
/// nodes, the whole 65536 bytes. Source: sbatch(1), `--nodelist`, and slurm.conf(5).
///
/// # Errors
///
/// * `./hosts`: with a slash, Slurm reads a file
/// * `node[4-1]`, `node[]`, `node[1-4`: not a list that ends
/// * `node[1-4]x`: not all releases take text behind a bracket
///
/// ```
/// use nim_slurm::slurm::NodeList;
///
/// assert_eq!(NodeList::parse("node[01-16],gpu7")?.as_str(), "node[01-16],gpu7");
/// assert!(NodeList::parse("node[4-1]").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeList(String);

impl NodeList {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "names such as node1 or node[1-4] are allowed, and commas between them";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ',' | '[' | ']'),
            ALLOWED,
        )?;
        at_most(text, 65_536)?;
        let mut rest = text;
        loop {
            let end = rest.find([',', '[']).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            if name.is_empty() || name.contains(']') || name.starts_with('-') {
                return Err(Fault::rule(ALLOWED));
            }
            let behind = match behind.strip_prefix('[') {
                Some(ranges) => {
                    let (ranges, behind) = ranges
                        .split_once(']')
                        .ok_or_else(|| Fault::rule("a bracket is not closed"))?;
                    ranges
                        .split(',')
                        .try_for_each(|range| check_range(range).map(drop))?;
                    behind
                }
                None => behind,
            };
            match behind.strip_prefix(',') {
                Some(next) => rest = next,
                None if behind.is_empty() => break,
                None => {
                    return Err(Fault::rule(
                        "behind a bracket, only a comma and the next name are allowed",
                    ));
                }
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
        entries(&self.0).flat_map(|(prefix, ranges)| {
            let ranges = ranges.unwrap_or_default();
            let alone = ranges.is_empty().then(|| prefix.to_owned());
            let numbered = ranges.split(',').filter_map(numbers);
            let numbered = numbered.flat_map(move |(width, numbers)| {
                numbers.map(move |number| format!("{prefix}{number:0width$}"))
            });
            alone.into_iter().chain(numbered)
        })
    }

    /// How many nodes are named, each counted once. A short text can name very many,
    /// so their numbers are counted, and no name is made.
    pub(crate) fn count(&self) -> u64 {
        let mut spans = Vec::with_capacity(1 + self.0.matches([',', '[']).count());
        for (prefix, ranges) in entries(&self.0) {
            match ranges {
                None => spans.push(Span::new(prefix, 0, 0, 0)),
                Some(ranges) => {
                    let ranges = ranges.split(',').filter_map(numbers);
                    spans.extend(ranges.flat_map(|(width, numbers)| {
                        same_width(width, numbers).map(|(digits, numbers)| {
                            Span::new(prefix, digits, *numbers.start(), *numbers.end())
                        })
                    }));
                }
            }
        }
        spans.sort_unstable();
        let mut count = 0;
        let mut before: Option<Span<'_>> = None;
        for span in spans {
            let counted = before.filter(|before| before.is_beside(&span));
            let first = counted.map_or(span.first, |counted| span.first.max(counted.last + 1));
            count += (span.last + 1).saturating_sub(first);
            let last = counted.map_or(span.last, |counted| span.last.max(counted.last));
            before = Some(Span { last, ..span });
        }
        count
    }
}

/// Names that end with as many digits, of numbers one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span<'a> {
    /// What stands before the digits.
    base: &'a str,
    /// How many digits.
    digits: usize,
    first: u64,
    last: u64,
}

impl<'a> Span<'a> {
    /// The names of a prefix and these numbers, written with so many digits. Digits at
    /// the prefix's end belong to the number, since `n1[0-9]` and `n[10-19]` are the same.
    fn new(prefix: &'a str, digits: usize, first: u64, last: u64) -> Self {
        /// The digits that a number here has room for.
        const MOST: usize = 19;
        let at_end = prefix
            .bytes()
            .rev()
            .take_while(u8::is_ascii_digit)
            .take(MOST - digits)
            .count();
        let (base, head) = prefix.split_at(prefix.len() - at_end);
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
        (self.base, self.digits) == (other.base, other.digits)
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

/// The names of a list that was checked, each with what is in its brackets.
fn entries(list: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let entry = rest;
        if entry.is_empty() {
            return None;
        }
        let end = entry.find([',', '[']).unwrap_or(entry.len());
        let (name, behind) = entry.split_at(end);
        let (ranges, behind) = match behind.strip_prefix('[') {
            Some(ranges) => {
                let (ranges, behind) = ranges.split_once(']')?;
                (Some(ranges), behind)
            }
            None => (None, behind),
        };
        rest = behind.strip_prefix(',').unwrap_or_default();
        Some((name, ranges))
    })
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
    if last - first >= 65_536 {
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
            "cannot take \"n[1-4]x\" as node list: behind a bracket, only a comma and the next name are allowed",
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
            "n99999999999999999999[0-9],n9999999999999999999[90-95],n999999999999999999990",
            "n[999999999999999990-999999999999999999],n1",
        ] {
            count_as_names(text);
        }
        let many = NodeList::parse(&format!("{}[0-65535]", "n".repeat(60_000))).unwrap();
        assert_eq!(many.count(), 65_536);
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
                _ => format!("{prefix}[{first:0width$}-{},7]", first + more),
            });
            count_as_names(&entries.collect::<Vec<_>>().join(","));
        }
    }
}
