//! Which nodes, by what they have.

use crate::value::{Fault, at_most, only, positive_number, text_value};

/// Features that a node must have.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-`, `.`, `=`, `:` joined by `&` or `,` (and) and
/// `|` (or). 1024 bytes at most.
///
/// * `NAME*COUNT`, alone: so many of the nodes have it
/// * `( )`: a group, without groups and counts in it
/// * `[A|B]`: all nodes have the same one of these; `[A*2&B*4]`: so many nodes have
///   each. One such group is allowed
///
/// Source: sbatch(1), `--constraint`, and what 22.05, 24.11 and 26.05 take.
///
/// # Errors
///
/// * `[A&B]`, `[A*2|B]`, `(A*2)`, `((A))`, `A*0`: invalid to Slurm
/// * `A*2&B`, `(A|B)*2`: invalid to 24.11, though not to 22.05
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
        check_groups(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The features that it names, in order.
    ///
    /// ```
    /// use nim_slurm::slurm::Constraint;
    ///
    /// assert!(Constraint::parse("h100&[rack1|rack2]")?.features().eq(["h100", "rack1", "rack2"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn features(&self) -> impl Iterator<Item = &str> {
        let parts = self.0.split(['&', '|', ',', '(', ')', '[', ']']);
        let names = parts.map(|part| part.split_once('*').map_or(part, |(name, _)| name));
        names.filter(|name| !name.is_empty())
    }
}

/// Refuses groups, and counts in them, of which Slurm says no more than "Invalid
/// feature specification". Every `(` and `[` is closed here.
fn check_groups(text: &str) -> Result<(), Fault> {
    let (mut rest, mut in_brackets) = (text, false);
    let mut outside = String::new();
    while let Some((before, group)) = rest.split_once('(') {
        let (inside, behind) = group.split_once(')').unwrap_or((group, ""));
        if inside.contains(['(', '[', '*']) {
            return Err(Fault::rule(
                "a group in ( ) has no group and no count in it: a count follows it",
            ));
        }
        outside.push_str(before);
        outside.push_str("()");
        rest = behind;
    }
    outside.push_str(rest);
    for part in outside.split(['[', ']']) {
        let parts: Vec<_> = part.split(['&', ',', '|']).collect();
        let counts = parts.iter().filter(|part| part.contains('*')).count();
        if in_brackets && counts == 0 && part.contains(['&', ',']) {
            return Err(Fault::rule(
                "in [ ], '|' stands between features without counts",
            ));
        }
        let is_mixed = counts < parts.len() || part.contains(['|', '(']);
        if in_brackets && counts > 0 && is_mixed {
            return Err(Fault::rule(
                "in [ ], either each feature has a count, with '&' between them, or none has",
            ));
        }
        if !in_brackets && counts > 0 && outside.contains(['&', ',', '|', '(', '[']) {
            return Err(Fault::rule(
                "a count follows one name alone, or in [ ], as in [a*2&b*4]",
            ));
        }
        let mut numbers = parts.iter().filter_map(|part| part.split_once('*'));
        numbers.try_for_each(|(_, count)| positive_number(count).map(drop))?;
        in_brackets = !in_brackets;
    }
    if outside.contains("]*") {
        return Err(Fault::rule("no count follows a group in [ ]"));
    }
    if outside.matches('[').count() > 1 {
        return Err(Fault::rule("one group in [ ] is allowed"));
    }
    Ok(())
}

text_value!(Constraint, "constraint");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn constraints() {
        for text in [
            "h100",
            "a&b|c",
            "[rack1*2&rack2*4]",
            "[rack1*2&rack2*4]&a",
            "[(a&b)|c],(d|e)",
            "a*2",
            "a|[b]",
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
        refuses::<Constraint>(
            "[a&b]",
            "cannot take \"[a&b]\" as constraint: in [ ], '|' stands between features without counts",
        );
        // A real 24.11 refuses each, and 22.05 does not.
        for text in ["a*2&b", "a|b*2", "(a|b)*2", "a&(b&c)*2", "[a*2&b*4]&c*2"] {
            refuses::<Constraint>(
                text,
                &format!(
                    "cannot take {text:?} as constraint: a count follows one name alone, or in [ ], as in [a*2&b*4]"
                ),
            );
        }
        // A real 22.05 refuses each.
        for text in [
            "[a*2|b*4]",
            "[(a&b)|c*2]",
            "[(a&b)*2|c]",
            "[a|b]&[c|d]",
            "((a|b)&c)",
            "[[a]]",
            "(a*2)",
            "[a*2&b]",
            "[(a)&b*2]",
            "[(a|b)&c]",
            "[a|b]*2",
            "a*0",
        ] {
            assert!(Constraint::parse(text).is_err(), "{text}");
        }
        for text in ["a b", "a)", "(a]", "a*x", "&a", "()", "a(b)", ""] {
            assert!(Constraint::parse(text).is_err(), "{text}");
        }
    }
}
