//! Which nodes, by name and by feature.

use std::collections::BTreeSet;

use crate::value::{Fault, at_most, only, text_value};

/// Nodes by name.
///
/// # Syntax
///
/// Names with commas between them. A name may have ranges of numbers in brackets:
/// `node[1-4,7]`; a range ascends and is as wide as its first number, so
/// `node[01-16]` begins with `node01`. Source: sbatch(1), `--nodelist`,
/// and slurm.conf(5).
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
                    ranges.split(',').try_for_each(check_range)?;
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

    /// How many nodes it names; a name that stands there twice counts once.
    ///
    /// ```
    /// use nim_slurm::slurm::NodeList;
    ///
    /// assert_eq!(NodeList::parse("node[01-16,20],gpu7")?.count(), 18);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        let mut is_inside = false;
        let names = self.0.split(|c| {
            is_inside = c == '[' || (is_inside && c != ']');
            c == ',' && !is_inside
        });
        let names: BTreeSet<_> = names.collect();
        let of_range = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<u64>().unwrap_or_default();
            number(last) - number(first) + 1
        };
        let of_name = |name: &str| match name.split_once('[') {
            Some((_, ranges)) => ranges.trim_end_matches(']').split(',').map(of_range).sum(),
            None => 1,
        };
        names.into_iter().map(of_name).sum()
    }
}

/// `FIRST` or `FIRST-LAST`.
fn check_range(range: &str) -> Result<(), Fault> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
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
        return number(range).map(drop);
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
    Ok(())
}

text_value!(NodeList, "node list");

/// Features that a node must have.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-`, `.`, `=`, `:` joined by `&` or `,` (and) and
/// `|` (or); groups in `( )` and `[ ]`; a count behind `*`. 1024 bytes at most.
/// Source: sbatch(1), `--constraint`.
///
/// # Errors
///
/// * `h100 & nvme`: white space
/// * `(a|b`: a group that does not end
/// * `a&&b`: nothing between two operators
///
/// ```
/// use nim_slurm::slurm::Constraint;
///
/// assert_eq!(Constraint::parse("[rack1|rack2]&h100")?.as_str(), "[rack1|rack2]&h100");
/// assert!(Constraint::parse("h100 & nvme").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Constraint(String);

impl Constraint {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "feature names joined by '&' and '|' are allowed, and groups in ( ) and [ ]";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || "_-.=:&|,*()[]".contains(c),
            ALLOWED,
        )?;
        at_most(text, 1024)?;
        let mut open = Vec::new();
        let mut before = '&';
        for c in text.chars() {
            let misplaced = match c {
                '(' | '[' => {
                    open.push(if c == '(' { ')' } else { ']' });
                    !matches!(before, '&' | '|' | ',' | '(' | '[')
                }
                ')' | ']' => {
                    if open.pop() != Some(c) {
                        return Err(Fault::rule(format!("{c:?} closes no group")));
                    }
                    matches!(before, '&' | '|' | ',' | '(' | '[' | '*')
                }
                '&' | '|' | ',' | '*' => matches!(before, '&' | '|' | ',' | '(' | '[' | '*'),
                _ => matches!(before, ')' | ']') || (before == '*' && !c.is_ascii_digit()),
            };
            if misplaced {
                return Err(Fault::rule(format!("{c:?} has no place behind {before:?}")));
            }
            before = c;
        }
        if !open.is_empty() {
            return Err(Fault::rule("a group is not closed"));
        }
        if matches!(before, '&' | '|' | ',' | '*') {
            return Err(Fault::rule(format!("nothing follows {before:?}")));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(Constraint, "constraint");

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
    fn constraints() {
        for text in [
            "h100",
            "a&b|c",
            "[rack1*2&rack2*4]",
            "(a|b)&c",
            "nodes[1]".trim_end_matches("[1]"),
        ] {
            accepts::<Constraint>(text, text);
        }
        refuses::<Constraint>(
            "(a|b",
            "cannot take \"(a|b\" as constraint: a group is not closed",
        );
        refuses::<Constraint>(
            "a&&b",
            "cannot take \"a&&b\" as constraint: '&' has no place behind '&'",
        );
        refuses::<Constraint>(
            "a|",
            "cannot take \"a|\" as constraint: nothing follows '|'",
        );
        for text in ["a b", "a)", "(a]", "a*x", "&a", "()", "a(b)", ""] {
            assert!(Constraint::parse(text).is_err(), "{text}");
        }
    }
}
