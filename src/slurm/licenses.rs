//! Licences that the job holds while it runs.

use crate::value::{Fault, only, positive_number, text_value};

/// Licences of the site.
///
/// # Syntax
///
/// Entries `NAME[@SERVER][:COUNT]`, each licence once, with `,` between them, when all are needed, or
/// with `|` when one is enough (Slurm 25.05). `NAME` and `SERVER` have letters,
/// digits, `_`, `-` and `.`; `COUNT` is a whole number of at least 1, by default 1.
/// Source: sbatch(1), `--licenses`.
///
/// # Errors
///
/// * `a:0`, `a:x`
/// * `a,b|c`: `,` and `|` cannot be mixed
/// * `a = 2`: white space
///
/// ```
/// use nim_slurm::slurm::Licenses;
///
/// let licenses = Licenses::parse("ansys@lic1:4,matlab")?;
/// assert!(licenses.entries().eq([("ansys@lic1", 4), ("matlab", 1)]));
/// assert!(Licenses::parse("a:x").is_err());
/// assert!(!licenses.needs_only_one());
/// assert_eq!(licenses.as_str(), "ansys@lic1:4,matlab");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Licenses(String);

impl Licenses {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "NAME@SERVER:COUNT is allowed, as in ansys@lic1:4";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || "_-.@:,|".contains(c),
            ALLOWED,
        )?;
        crate::value::at_most(text, 1024)?;
        if text.contains(',') && text.contains('|') {
            return Err(Fault::rule("',' (all) and '|' (any) cannot be mixed"));
        }
        let mut licences = Vec::new();
        for entry in text.split([',', '|']) {
            let (licence, count) = entry
                .split_once(':')
                .map_or((entry, None), |(licence, count)| (licence, Some(count)));
            count.map(positive_number).transpose()?;
            let (name, server) = licence
                .split_once('@')
                .map_or((licence, None), |(name, server)| (name, Some(server)));
            super::names::name(name)?;
            server.map(super::names::name).transpose()?;
            if licences.contains(&licence) {
                return Err(Fault::rule(format!("{licence:?} stands there twice")));
            }
            licences.push(licence);
        }
        Ok(Self(text.to_owned()))
    }

    /// The licences and how many of each, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.split([',', '|']).map(|entry| {
            let (licence, count) = entry.split_once(':').unwrap_or((entry, "1"));
            (licence, count.parse().unwrap_or(1))
        })
    }

    /// True when one of the entries is enough.
    #[must_use]
    pub fn needs_only_one(&self) -> bool {
        self.0.contains('|')
    }
}

text_value!(Licenses, "list of licences");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn lists() {
        accepts::<Licenses>("a:2,b@s", "a:2,b@s");
        accepts::<Licenses>("a|b:3", "a|b:3");
        refuses::<Licenses>(
            "a,b|c",
            "cannot take \"a,b|c\" as list of licences: ',' (all) and '|' (any) cannot be mixed",
        );
        for text in [
            "", "a:0", "a:x", "a,", ":2", "a@:1", "a:1:2", "a,a:2", "a b",
        ] {
            assert!(Licenses::parse(text).is_err(), "{text}");
        }
    }
}
