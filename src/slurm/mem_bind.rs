//! Which memory of a node a task uses.

use super::gpu_bind::{check_ids, check_masks};
use crate::value::{Fault, only, text_value};

/// How tasks are tied to the memory of a node.
///
/// # Syntax
///
/// `quiet,` or `verbose,`, then `prefer,`, each only where it is meant, and at last one
/// of these, all in any case:
///
/// * `none`, `rank`, or `local`: the memory beside the task's cores
/// * `map_mem:ID,…`: NUMA nodes, task by task
/// * `mask_mem:MASK,…`: hexadecimal masks, task by task
///
/// Source: sbatch(1), `--mem-bind`.
///
/// # Errors
///
/// * `local,prefer`: the kind stands at the end
/// * `sort,local`, `nosort,local`: 24.11 takes them, 26.05 does not
/// * `map_mem:0x1`: numbers are decimal, masks are hexadecimal
///
/// ```
/// use nim_slurm::slurm::MemBind;
///
/// assert_eq!(MemBind::parse("verbose,prefer,map_mem:0,1")?.as_str(), "verbose,prefer,map_mem:0,1");
/// assert!(MemBind::parse("local,prefer").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemBind(String);

impl MemBind {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "none, rank, local, map_mem:LIST and mask_mem:LIST are allowed, and verbose and prefer \
                               before them";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, ':' | ',' | '_'),
            ALLOWED,
        )?;
        let canonical = text.to_ascii_lowercase();
        let mut kind = canonical.as_str();
        for words in [["quiet,", "verbose,"].as_slice(), &["prefer,"]] {
            kind = words
                .iter()
                .find_map(|word| kind.strip_prefix(word))
                .unwrap_or(kind);
        }
        match kind.split_once(':') {
            None if matches!(kind, "none" | "rank" | "local") => {}
            Some(("map_mem", list)) => check_ids(list)?,
            Some(("mask_mem", list)) => check_masks(list)?,
            _ => return Err(Fault::rule(ALLOWED)),
        }
        crate::value::at_most(text, 65_536)?;
        Ok(Self(canonical))
    }
}

text_value!(MemBind, "memory binding");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::accepts;

    #[test]
    fn bindings() {
        for text in [
            "local",
            "quiet,none",
            "verbose,prefer,rank",
            "map_mem:0,1",
            "mask_mem:0x3",
        ] {
            accepts::<MemBind>(text, text);
        }
        for text in [
            "",
            "prefer",
            "local,prefer",
            "sort,local",
            "map_mem:0x1",
            "foo",
            "map_mem:",
        ] {
            assert!(MemBind::parse(text).is_err(), "{text}");
        }
    }
}
