//! What a node must be made of.

use super::SmallCount;
use crate::value::{Fault, only, text_value};

/// Sockets of a node, cores of a socket, and threads of a core, at least.
///
/// # Syntax
///
/// `SOCKETS[:CORES[:THREADS]]`: whole numbers from 1 to 65533, or `*` for any.
/// Source: sbatch(1), `--extra-node-info`.
///
/// # Errors
///
/// * `0`, `2:`, `2:8:1:1`
///
/// ```
/// use nim_slurm::slurm::NodeShape;
///
/// let shape = NodeShape::parse("2:*:1")?;
/// assert_eq!((shape.sockets(), shape.cores(), shape.threads()), (Some(2), None, Some(1)));
/// assert!(NodeShape::parse("0").is_err());
/// assert_eq!(shape.as_str(), "2:*:1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeShape(String);

impl NodeShape {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "SOCKETS:CORES:THREADS is allowed, as in 2:16:1, and * for any";
        only(
            text,
            |c| c.is_ascii_digit() || matches!(c, ':' | '*'),
            ALLOWED,
        )?;
        let parts = text.split(':');
        if parts.clone().count() > 3 {
            return Err(Fault::rule(ALLOWED));
        }
        for part in parts.filter(|&part| part != "*") {
            SmallCount::check(part)?;
        }
        Ok(Self(text.to_owned()))
    }

    fn part(&self, index: usize) -> Option<u16> {
        self.0.split(':').nth(index)?.parse().ok()
    }

    /// Sockets of a node, unless any number will do.
    #[must_use]
    pub fn sockets(&self) -> Option<u16> {
        self.part(0)
    }

    /// Cores of a socket, unless any number will do.
    #[must_use]
    pub fn cores(&self) -> Option<u16> {
        self.part(1)
    }

    /// Threads of a core, unless any number will do.
    #[must_use]
    pub fn threads(&self) -> Option<u16> {
        self.part(2)
    }
}

text_value!(NodeShape, "node shape");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::accepts;

    #[test]
    fn shapes() {
        for text in ["2", "2:8", "2:8:1", "*:8", "*:*:2"] {
            accepts::<NodeShape>(text, text);
        }
        for text in ["", "0", "2:", ":8", "2:8:1:1", "**", "1-2", "70000"] {
            assert!(NodeShape::parse(text).is_err(), "{text}");
        }
    }
}
