//! What each task gets, in one option.

use super::gres::{WHOLE_OR_PARTS, check_kind, check_name, is_part_of_gpu};
use super::names::name;
use crate::value::{Fault, positive_number, text_value};

/// CPUs, generic resources and licences of each task (Slurm 23.02).
///
/// # Syntax
///
/// Entries with commas between them, each kind of resource once:
///
/// * `cpu=COUNT`
/// * `gres/NAME=COUNT` or `gres/NAME:TYPE=COUNT`, name and type as in
///   [`Gres`](super::Gres) (Slurm 23.11)
/// * `license/NAME=COUNT` (Slurm 23.11)
///
/// `COUNT` is a whole number of at least 1. Source: sbatch(1), `--tres-per-task`.
///
/// # Errors
///
/// * `mem=4G`, `node=1`, `billing=1`: Slurm ends at once
/// * `gres:gpu:1`: a form of 23.02 alone
///
/// ```
/// use nim_slurm::slurm::TresPerTask;
///
/// let tres = TresPerTask::parse("cpu=8,gres/gpu:h100=2")?;
/// assert_eq!((tres.cpus(), tres.gpus()), (Some(8), Some(2)));
/// assert!(TresPerTask::parse("mem=4G").is_err());
/// assert!(tres.entries().eq([("cpu", 8), ("gres/gpu:h100", 2)]));
/// assert_eq!(tres.as_str(), "cpu=8,gres/gpu:h100=2");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TresPerTask(String);

impl TresPerTask {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "cpu=N, gres/NAME:TYPE=N and license/NAME=N are allowed, and commas between them";
        if text.is_empty() {
            return Err(Fault::Empty(ALLOWED));
        }
        crate::value::at_most(text, 1024)?;
        let mut kinds = Vec::new();
        for entry in text.split(',') {
            let (kind, count) = entry.split_once('=').ok_or_else(|| Fault::rule(ALLOWED))?;
            match kind.split_once('/') {
                None if kind == "cpu" => {}
                Some(("gres", resource)) => match resource.split_once(':') {
                    Some((name, kind)) => {
                        check_name(name)?;
                        check_kind(kind)?;
                    }
                    None => check_name(resource)?,
                },
                Some(("license", licence)) => name(licence)?,
                _ => return Err(Fault::rule(ALLOWED)),
            }
            positive_number(count)?;
            if kinds.contains(&kind) {
                return Err(Fault::rule(format!("{kind:?} stands there twice")));
            }
            kinds.push(kind);
        }
        let bare = kinds
            .iter()
            .filter_map(|kind| kind.split_once(':').map(|(bare, _)| bare));
        if let Some(bare) = bare.into_iter().find(|bare| kinds.contains(bare)) {
            return Err(Fault::rule(format!(
                "{bare} stands there with a type and without one: Slurm takes either"
            )));
        }
        let tres = Self(text.to_owned());
        if tres.gpus().is_some() && tres.has_parts_of_gpus() {
            return Err(Fault::rule(WHOLE_OR_PARTS));
        }
        Ok(tres)
    }

    /// Whether this asks for generic resources, whose number Slurm reckons from the tasks.
    pub(crate) fn has_generic_resources(&self) -> bool {
        self.entries().any(|(kind, _)| kind.starts_with("gres/"))
    }

    /// Whether this asks for parts of GPUs.
    pub(crate) fn has_parts_of_gpus(&self) -> bool {
        let names = self
            .entries()
            .filter_map(|(kind, _)| kind.strip_prefix("gres/"));
        let mut names = names.filter_map(|name| name.split(':').next());
        names.any(is_part_of_gpu)
    }

    /// The resources and how many of each, in order: `("gres/gpu:h100", 2)`.
    pub fn entries(&self) -> impl Iterator<Item = (&str, u32)> {
        // Each was checked when the value was made.
        self.0.split(',').filter_map(|entry| {
            let (kind, count) = entry.split_once('=')?;
            Some((kind, count.parse().ok()?))
        })
    }

    /// CPUs of each task.
    #[must_use]
    pub fn cpus(&self) -> Option<u32> {
        let mut entries = self.entries();
        entries.find_map(|(kind, count)| (kind == "cpu").then_some(count))
    }

    /// GPUs of each task, of all types together.
    #[must_use]
    pub fn gpus(&self) -> Option<u64> {
        let is_gpu = |kind: &str| kind == "gres/gpu" || kind.starts_with("gres/gpu:");
        let gpus = self.entries().filter(|(kind, _)| is_gpu(kind));
        gpus.map(|(_, count)| u64::from(count))
            .reduce(|sum, count| sum + count)
    }
}

text_value!(TresPerTask, "TRES per task");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn entries() {
        let text = "cpu=2,gres/gpu:a100=1,gres/gpu:h100=2,license/a=1";
        accepts::<TresPerTask>(text, text);
        assert_eq!(TresPerTask::parse(text).unwrap().gpus(), Some(3));
        assert_eq!(TresPerTask::parse("cpu=1").unwrap().gpus(), None);
        refuses::<TresPerTask>(
            "cpu=1,cpu=2",
            "cannot take \"cpu=1,cpu=2\" as TRES per task: \"cpu\" stands there twice",
        );
        for text in [
            "",
            "cpu",
            "cpu=0",
            "mem=1",
            "gres:gpu:1",
            "gres/gpu",
            "gres/=1",
            "license/=1",
            "cpu=1,",
            "gres/gpu:h100=1,gres/shard=2",
            "gres/mps=50,gres/gpu=1",
        ] {
            assert!(TresPerTask::parse(text).is_err(), "{text}");
        }
    }
}
