//! Searches that found nothing, since no probe has a result.

use std::collections::BTreeSet;
use std::fmt;

use super::Run;
use super::point::PointName;
use crate::plain::plain;

/// A search of a use case of which no probe has a result: no [`Group`](super::Group) tells of it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let manifest = r#"{"search": {"itl": 25, "at": "p95", "from": 1, "to": 64, "within": "5%"}, "points": [
///     {"folder": "llama_4_1_chat_128_128_4711", "status": "failed", "seconds": 9, "detail": "no disk"}]}"#;
/// std::fs::write(folder.join("run_4711.json"), manifest)?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let [search] = run.failed_searches().try_into().unwrap();
/// assert_eq!((search.point().use_case(), search.reason()), ("chat", "no disk"));
/// assert_eq!(search.to_string(), "chat 128/128: not one level is known to hold; at 1 the point failed: no disk");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedSearch<'a> {
    point: PointName,
    reason: &'a str,
}

impl<'a> FailedSearch<'a> {
    /// The lowest level that was measured, and failed.
    #[must_use]
    pub const fn point(&self) -> &PointName {
        &self.point
    }

    /// Why it failed.
    #[must_use]
    pub const fn reason(&self) -> &'a str {
        self.reason
    }
}

/// One sentence.
impl fmt::Display for FailedSearch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, reason) = (&self.point, plain(self.reason));
        let load = name.load();
        let level = load.request_rate().map(|rate| rate.to_string());
        let level = level.unwrap_or_else(|| load.to_string());
        let use_case = format!("{} {}/{}", name.use_case(), name.input(), name.output());
        let use_case = plain(&use_case);
        write!(
            f,
            "{use_case}: not one level is known to hold; at {level} the point failed: {reason}"
        )
    }
}

impl Run {
    /// Of each use case whose last search has no result at all, why.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/requests/aiperf-1")?; // no search
    /// assert!(run.failed_searches().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn failed_searches(&self) -> Vec<FailedSearch<'_>> {
        let mut failed = Vec::new();
        let mut known = BTreeSet::new();
        let searches = self.manifests().iter().rev();
        for manifest in searches.filter(|manifest| manifest.search.is_some()) {
            let rows = manifest.points.iter();
            let rows: Vec<_> = rows
                .filter_map(|row| Some((row, PointName::parse(&row.folder)?)))
                .collect();
            let use_case = |name: &PointName| {
                let lengths = [name.input(), name.output()].map(|length| length.to_string());
                (name.model().to_owned(), name.use_case().to_owned(), lengths)
            };
            let finished = rows.iter().filter(|(row, _)| row.status == "finished");
            known.extend(finished.map(|(_, name)| use_case(name)));
            for (row, name) in rows.iter().filter(|(row, _)| row.status == "failed") {
                if known.insert(use_case(name)) {
                    failed.push(FailedSearch {
                        point: name.clone(),
                        reason: &row.detail,
                    });
                }
            }
        }
        failed
    }
}
