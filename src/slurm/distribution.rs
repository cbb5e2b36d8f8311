//! How tasks are spread over nodes, sockets and cores.

use crate::value::{Fault, only, positive_number, text_value};

/// How tasks are spread over the nodes of a job, their sockets and their cores.
///
/// # Syntax
///
/// In any case:
///
/// * `NODES[:SOCKETS[:CORES]]`: `block` or `cyclic` for the nodes, these or
///   `fcyclic` for sockets and cores, `*` for the site's default; `,pack` or
///   `,nopack` may follow
/// * `plane=SIZE`: blocks of so many tasks, node by node
/// * `arbitrary`: as `--nodelist` names the nodes
///
/// Source: sbatch(1), `--distribution`.
///
/// # Errors
///
/// * `plane`, `plane=0`: a size is needed
/// * `fcyclic`, `block:`, `a:b:c:d`
///
/// ```
/// use nim_slurm::slurm::Distribution;
///
/// assert_eq!(Distribution::parse("Block:Cyclic,pack")?.as_str(), "block:cyclic,pack");
/// assert!(Distribution::parse("plane").is_err());
/// assert!(Distribution::parse("arbitrary")?.is_arbitrary());
/// assert_eq!(Distribution::parse("plane=4")?.plane(), Some(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Distribution(String);

impl Distribution {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "NODES:SOCKETS:CORES is allowed, as in block:cyclic, plane=SIZE, or arbitrary";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, ':' | ',' | '=' | '*'),
            ALLOWED,
        )?;
        let canonical = text.to_ascii_lowercase();
        if let Some(size) = canonical.strip_prefix("plane=") {
            positive_number(size)?;
            return Ok(Self(canonical));
        }
        if canonical == "arbitrary" {
            return Ok(Self(canonical));
        }
        let levels = [",pack", ",nopack"]
            .iter()
            .find_map(|end| canonical.strip_suffix(end))
            .unwrap_or(&canonical);
        let is_level = |(index, level)| match level {
            "block" | "cyclic" | "*" => true,
            "fcyclic" => index > 0,
            _ => false,
        };
        let mut parts = levels.split(':').enumerate();
        if parts.clone().count() > 3 || !parts.all(is_level) {
            return Err(Fault::rule(ALLOWED));
        }
        Ok(Self(canonical))
    }

    /// The size of a plane, if the tasks are spread in planes.
    #[must_use]
    pub fn plane(&self) -> Option<u32> {
        self.0.strip_prefix("plane=")?.parse().ok()
    }

    /// True when the nodes are used in the order of `--nodelist`.
    #[must_use]
    pub fn is_arbitrary(&self) -> bool {
        self.0 == "arbitrary"
    }
}

text_value!(Distribution, "distribution");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn forms() {
        for text in [
            "block",
            "*:block:*",
            "cyclic:fcyclic",
            "block,nopack",
            "plane=4",
            "arbitrary",
        ] {
            accepts::<Distribution>(text, text);
        }
        refuses::<Distribution>(
            "plane=0",
            "cannot take \"plane=0\" as distribution: it must be at least 1",
        );
        for text in [
            "",
            "plane",
            "plane=4,pack",
            "fcyclic",
            "block:",
            "block:block:block:block",
            "pack",
            "block, pack",
        ] {
            assert!(Distribution::parse(text).is_err(), "{text}");
        }
    }
}
