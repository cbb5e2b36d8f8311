//! Which GPU a task uses.

use super::gres::check_name;
use crate::value::{Fault, at_most, only, positive_number, text_value, whole_number};

/// How the tasks of a job are tied to its GPUs.
///
/// # Syntax
///
/// One of these, with `verbose,` in front where Slurm is to report it:
///
/// * `none` (from 21.08), or `closest`: the GPUs beside the task's cores
/// * `single:TASKS`: one GPU for so many tasks
/// * `per_task:GPUS`: so many GPUs for each task (from 21.08)
/// * `map_gpu:ID,…`: GPU numbers, task by task
/// * `mask_gpu:MASK,…`: hexadecimal masks, task by task
///
/// Source: sbatch(1), `--gpu-bind`.
///
/// # Errors
///
/// * `verbose`: nothing is said
/// * `single:0`, `map_gpu:`: Slurm takes them and binds nothing that one means
///
/// ```
/// use nim_slurm::slurm::GpuBind;
///
/// assert_eq!(GpuBind::parse("verbose,map_gpu:0,1")?.as_str(), "verbose,map_gpu:0,1");
/// assert!(GpuBind::parse("verbose").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GpuBind(String);

impl GpuBind {
    fn check(text: &str) -> Result<Self, Fault> {
        at_most(text, 1024)?;
        let canonical = text.to_ascii_lowercase();
        check_binding(
            canonical.strip_prefix("verbose,").unwrap_or(&canonical),
            "gpu",
        )?;
        Ok(Self(canonical))
    }
}

text_value!(GpuBind, "GPU binding");

/// One binding of a resource called `name`.
fn check_binding(text: &str, name: &str) -> Result<(), Fault> {
    const ALLOWED: &str =
        "none, closest, single:N, per_task:N, map_gpu:LIST and mask_gpu:LIST are allowed";
    only(
        text,
        |c| c.is_ascii_alphanumeric() || matches!(c, ':' | ',' | '_'),
        ALLOWED,
    )?;
    let (kind, value) = text
        .split_once(':')
        .map_or((text, None), |(kind, value)| (kind, Some(value)));
    match (kind, value) {
        ("none" | "closest", None) => Ok(()),
        ("single" | "per_task", Some(number)) => positive_number(number).map(drop),
        (map, Some(list)) if map.strip_prefix("map_") == Some(name) => check_ids(list),
        (mask, Some(list)) if mask.strip_prefix("mask_") == Some(name) => check_masks(list),
        _ => Err(Fault::rule(ALLOWED)),
    }
}

/// Numbers with commas between them.
pub(super) fn check_ids(list: &str) -> Result<(), Fault> {
    list.split(',')
        .try_for_each(|id| whole_number(id).map(drop))
}

/// Hexadecimal numbers with commas between them.
pub(super) fn check_masks(list: &str) -> Result<(), Fault> {
    list.split(',').try_for_each(|mask| {
        only(
            mask.strip_prefix("0x").unwrap_or(mask),
            |c| c.is_ascii_hexdigit(),
            "hexadecimal masks are allowed, as in 0x3",
        )
    })
}

/// How the tasks of a job are tied to its generic resources (Slurm 23.11).
///
/// # Syntax
///
/// Entries `gres/NAME:BINDING` with `+` between them; `BINDING` as in [`GpuBind`],
/// `verbose,` in front included, with the resource's name for `gpu`. Source: sbatch(1), `--tres-bind`.
///
/// # Errors
///
/// * `gpu:closest`: the kind of resource is missing
///
/// ```
/// use nim_slurm::slurm::TresBind;
///
/// assert_eq!(TresBind::parse("gres/gpu:single:2")?.as_str(), "gres/gpu:single:2");
/// assert!(TresBind::parse("gpu:closest").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TresBind(String);

impl TresBind {
    fn check(text: &str) -> Result<Self, Fault> {
        at_most(text, 1024)?;
        for entry in text.split('+') {
            let (name, binding) = entry
                .strip_prefix("gres/")
                .and_then(|entry| entry.split_once(':'))
                .ok_or_else(|| {
                    Fault::rule("gres/NAME:BINDING is allowed, as in gres/gpu:closest")
                })?;
            check_name(name)?;
            check_binding(binding.strip_prefix("verbose,").unwrap_or(binding), name)?;
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(TresBind, "TRES binding");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn gpus() {
        for text in [
            "none",
            "closest",
            "verbose,closest",
            "single:2",
            "per_task:1",
            "map_gpu:0,1,3",
            "mask_gpu:0x3,c",
        ] {
            accepts::<GpuBind>(text, text);
        }
        refuses::<GpuBind>(
            "verbose",
            "cannot take \"verbose\" as GPU binding: none, closest, single:N, per_task:N, map_gpu:LIST and \
             mask_gpu:LIST are allowed",
        );
        for text in [
            "",
            "single:0",
            "single",
            "map_gpu:",
            "map_gpu:0x1",
            "map_gpu:0,",
            "mask_gpu:g",
            "closest:1",
            "closest,verbose",
        ] {
            assert!(GpuBind::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_resources() {
        accepts::<TresBind>(
            "gres/gpu:closest+gres/nic:map_nic:0,1",
            "gres/gpu:closest+gres/nic:map_nic:0,1",
        );
        for text in ["", "gres/gpu", "gres/gpu:map_nic:1", "gres/gpu:none+"] {
            assert!(TresBind::parse(text).is_err(), "{text}");
        }
    }
}
