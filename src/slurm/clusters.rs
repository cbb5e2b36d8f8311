//! Which clusters of a site take a job.

use super::names::name;
use crate::value::{Fault, at_most, text_value};

/// Clusters of which one gets the job.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-` and `.` with commas between them, or `all`.
/// Source: sbatch(1), `--clusters`.
///
/// # Errors
///
/// * `east,`, `east west`
///
/// ```
/// use nim_slurm::slurm::Clusters;
///
/// assert!(Clusters::parse("east,west")?.names().eq(["east", "west"]));
/// assert!(Clusters::parse("east west").is_err());
/// assert_eq!(Clusters::parse("east,west")?.as_str(), "east,west");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Clusters(String);

impl Clusters {
    fn check(text: &str) -> Result<Self, Fault> {
        at_most(text, 1024)?;
        text.split(',').try_for_each(name)?;
        Ok(Self(text.to_owned()))
    }

    /// The clusters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(',')
    }
}

text_value!(Clusters, "list of clusters");

/// Features that a cluster of a federation must have, or must not.
///
/// # Syntax
///
/// Names of letters, digits, `_`, `-` and `.` with commas between them; with `!` in
/// front of the list, clusters that have none of them. Source: sbatch(1),
/// `--cluster-constraint`.
///
/// # Errors
///
/// * `a&b`, `a,!b`: one `!`, in front of all
///
/// ```
/// use nim_slurm::slurm::ClusterConstraint;
///
/// assert_eq!(ClusterConstraint::parse("!old,slow")?.as_str(), "!old,slow");
/// assert!(ClusterConstraint::parse("a,!b").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterConstraint(String);

impl ClusterConstraint {
    fn check(text: &str) -> Result<Self, Fault> {
        at_most(text, 1024)?;
        let list = text.strip_prefix('!').unwrap_or(text);
        list.split(',').try_for_each(name)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(ClusterConstraint, "cluster constraint");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn lists() {
        accepts::<Clusters>("all", "all");
        refuses::<Clusters>(
            "east,",
            "empty list of clusters: letters, digits, '_', '-' and '.' are allowed",
        );
        accepts::<ClusterConstraint>("!a", "!a");
        assert!(ClusterConstraint::parse("!").is_err());
    }
}
