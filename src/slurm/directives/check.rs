//! All that is wrong with a job's options, at once.

use std::fmt;

use super::options::{OptionName, Setting};
use super::{Conflict, Directives, Need, UnknownOption};
use crate::slurm::Release;
use crate::value::ValueError;

/// Everything that is wrong with the options of a job.
///
/// ```
/// use nim_slurm::slurm::{Directives, OptionProblem, Release};
///
/// let job = Directives::new().gres("gpu:8".parse()?).gpus_per_node(8).segment(4).nodes(0);
/// let error = job.check(Release::new(23, 11)).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "--nodes: cannot take \"0\" as node count: it must be at least 1\n\
///      --gres and --gpus-per-node exclude each other: GPUs are asked for in one way\n\
///      Slurm 23.11 does not know --segment: it came with 24.05",
/// );
/// assert!(matches!(error.problems()[1], OptionProblem::Conflict(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DirectivesError {
    problems: Vec<OptionProblem>,
}

crate::plain::debug_in_words!(DirectivesError);

impl DirectivesError {
    /// All problems, at least one.
    #[must_use]
    pub fn problems(&self) -> &[OptionProblem] {
        &self.problems
    }
}

impl fmt::Display for DirectivesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index > 0 { "\n" } else { "" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DirectivesError {}

/// One reason why the options of a job do not go together. Its text is one sentence.
///
/// ```
/// use nim_slurm::slurm::{Directives, OptionProblem};
///
/// let error = Directives::new().cpus_per_gpu(8).check(None).unwrap_err();
/// let OptionProblem::Need(need) = &error.problems()[0] else { panic!("{error}") };
/// assert!(error.to_string().starts_with(&format!("{} needs --gres or ", need.option)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionProblem {
    /// A setter was given what the option cannot have.
    Value(OptionName, ValueError),
    /// Two options exclude each other, or their values contradict each other.
    Conflict(Conflict),
    /// An option means nothing without another one.
    Need(Need),
    /// The release of Slurm does not know an option, or its value.
    Unknown(Release, UnknownOption),
}

impl fmt::Display for OptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(option, error) => write!(f, "{option}: {error}"),
            Self::Conflict(Conflict {
                first,
                second,
                reason,
            }) => write!(f, "{first} and {second} exclude each other: {reason}"),
            Self::Need(need) => write!(f, "{} needs {}", need.option, need.choices()),
            Self::Unknown(release, unknown) => write!(
                f,
                "Slurm {release} does not know {}: {}",
                unknown.option(),
                unknown.reason()
            ),
        }
    }
}

impl Directives {
    /// Checks what only all options together show, and what `release` knows of them, where
    /// one is named.
    ///
    /// # Errors
    ///
    /// All problems at once: values that a setter could not take, the [conflicts](Self::conflicts), the [needs](Self::needs), and
    /// what is [unknown](Self::unknown_to) to the release.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, Release};
    ///
    /// let job = Directives::new().exclusive("topo".parse()?);
    /// assert!(job.check(None).is_ok() && job.check(Release::NEWEST).is_ok());
    /// assert!(job.check(Release::new(23, 11)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self, release: impl Into<Option<Release>>) -> Result<(), DirectivesError> {
        let refused = self.refused();
        let refused = refused.map(|(name, error)| OptionProblem::Value(name, error.clone()));
        let conflicts = self.conflicts().into_iter().map(OptionProblem::Conflict);
        let needs = self.needs().into_iter().map(OptionProblem::Need);
        let unknown = release.into().into_iter().flat_map(|release| {
            let unknown = self.unknown_to(release).into_iter();
            unknown.map(move |unknown| OptionProblem::Unknown(release, unknown))
        });
        let problems: Vec<_> = refused
            .chain(conflicts)
            .chain(needs)
            .chain(unknown)
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(DirectivesError { problems })
        }
    }

    /// The options whose setter was given what they cannot have, and why not.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (OptionName, &ValueError)> {
        self.set.iter().filter_map(|setting| match setting {
            Setting::Refused(name, error) => Some((*name, &**error)),
            _ => None,
        })
    }
}
