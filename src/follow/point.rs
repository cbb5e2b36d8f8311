//! The points of a sweep, and how far each is.

use std::collections::{HashMap, HashSet};
use std::fmt;

use camino::{Utf8Component, Utf8Path};
use serde::Serialize;

use super::{RunFiles, files};
use crate::manifest::{Manifest, PointRow};
use crate::plain::{is_hidden, plain};

/// A point of the sweep, as far as it is.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, PointState, Queue, Recipe, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// for point in progress.points.iter().filter(|point| point.state == PointState::Failed) {
///     println!("{}: {}", point.folder, point.detail.as_deref().unwrap_or("no reason is known"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PointProgress {
    /// The name of its folder of results: the one that it has or will get.
    pub folder: String,
    /// How far it is.
    pub state: PointState,
    /// Why it failed, or was not run.
    pub detail: Option<String>,
}

impl PointProgress {
    /// A point with this folder, in this state, without a detail.
    ///
    /// ```
    /// use nim_slurm::{PointProgress, PointState};
    ///
    /// let mut point = PointProgress::new("llama_4_1_chat_128_128_4711", PointState::Failed);
    /// point.detail = Some("3 of 10 requests failed".to_owned());
    /// assert_eq!(format!("{}: {}", point.folder, point.state), "llama_4_1_chat_128_128_4711: failed");
    /// ```
    #[must_use]
    pub fn new(folder: impl Into<String>, state: PointState) -> Self {
        Self {
            folder: folder.into(),
            state,
            detail: None,
        }
    }
}

impl From<&PointRow> for PointProgress {
    fn from(row: &PointRow) -> Self {
        Self {
            folder: row.folder.clone(),
            state: PointState::from_word(&row.status),
            detail: detail(&row.detail),
        }
    }
}

/// How far a point is. Its text is one word: `open`, `finished` or `failed`.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, PointState, Queue, Recipe, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// for point in &progress.points {
///     println!("{:<8} {}", point.state, point.folder); // "finished llama_4_1_chat_128_128_4711"
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PointState {
    /// It is not finished: its turn has not come, it is measured now, or it was
    /// interrupted or left out.
    Open,
    /// Its results are there, by this job or by one that it resumes.
    Finished,
    /// It was measured, and the result is not valid.
    Failed,
}

impl PointState {
    /// The state that launch.sh's word stands for.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "finished" => Self::Finished,
            "failed" => Self::Failed,
            _ => Self::Open,
        }
    }
}

impl fmt::Display for PointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Failed => "failed",
        })
    }
}

/// In a finished point's folder, what defines its measurement: written last.
const MEASUREMENT: &str = "measurement.txt";

/// All points: those of the manifest, else those that are planned; then what the
/// run has added to its list; then the folders, which have their names only when
/// they are whole. An empty folder is no result.
pub(super) fn read(
    files: &RunFiles,
    planned: &[String],
    manifest: Option<&Manifest>,
) -> Vec<PointProgress> {
    let open = |folder: &String| PointProgress::new(folder, PointState::Open);
    let mut points: Vec<PointProgress> = match manifest {
        Some(manifest) => {
            let rows = manifest.points.iter();
            rows.filter(|row| is_name(&row.folder))
                .map(PointProgress::from)
                .collect()
        }
        None => planned.iter().map(open).collect(),
    };
    // Both files may have a hundred thousand rows. Of points of one name, the first is meant.
    let named = points.iter().enumerate().rev();
    let places: HashMap<String, usize> = named
        .map(|(place, point)| (point.folder.clone(), place))
        .collect();
    for row in files::small(&files.points).unwrap_or_default().lines() {
        let mut fields = row.splitn(5, '|');
        let mut field = || fields.next().unwrap_or_default();
        let [folder, word, _seconds, _figures, detail] = std::array::from_fn(|_| field());
        if let Some(point) = places.get(folder).and_then(|&place| points.get_mut(place)) {
            point.state = PointState::from_word(word);
            point.detail = self::detail(detail);
        }
    }
    for point in &mut points {
        if point.state != PointState::Finished && is_result(&files.results.join(&point.folder)) {
            point.state = PointState::Finished;
            point.detail = None;
        }
    }
    points
}

/// The points that a search has taken so far: of those that it may take, those in its list, behind those of the manifest.
pub(super) fn read_search(
    files: &RunFiles,
    planned: &[String],
    manifest: Option<&Manifest>,
) -> Vec<PointProgress> {
    let planned: HashSet<&str> = planned.iter().map(String::as_str).collect();
    let rows = manifest.iter().flat_map(|manifest| &manifest.points);
    let mut points: Vec<PointRow> = rows.cloned().collect();
    let mut seen: HashSet<String> = points.iter().map(|row| row.folder.clone()).collect();
    for row in files::small(&files.points).unwrap_or_default().lines() {
        let folder = row.split('|').next().unwrap_or_default();
        if planned.contains(folder) && seen.insert(folder.to_owned()) {
            points.push(PointRow {
                folder: folder.to_owned(),
                ..PointRow::default()
            });
        }
    }
    let all = Manifest {
        points,
        ..Manifest::default()
    };
    read(files, &[], Some(&all))
}

/// Why a point failed, if that is said.
fn detail(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| plain(files::cut(text)).into_owned())
}

/// Whether a manifest's folder is one of the results: another path would lead out of them.
fn is_name(folder: &str) -> bool {
    let mut parts = Utf8Path::new(folder).components();
    matches!((parts.next(), parts.next()), (Some(Utf8Component::Normal(name)), None) if name == folder)
        && !folder.contains(is_hidden)
}

/// Whether it is a folder, and no link, in which launch.sh wrote down what was measured.
pub(super) fn is_result(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_dir())
        && path
            .join(MEASUREMENT)
            .symlink_metadata()
            .is_ok_and(|data| data.is_file())
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::PointState::{Failed, Finished, Open};
    use super::*;

    fn files_in(folder: &std::path::Path) -> RunFiles {
        let results = Utf8PathBuf::from_path_buf(folder.to_owned()).unwrap();
        RunFiles {
            manifest: results.join("run_7.json"),
            points: results.join("points"),
            states: Vec::new(),
            logs: Vec::new(),
            results,
        }
    }

    #[test]
    fn a_search_has_the_points_that_it_took() {
        let folder = tempfile::tempdir().unwrap();
        let files = files_in(folder.path());
        let planned = ["a_7", "b_7", "c_7"].map(str::to_owned);
        assert_eq!(read_search(&files, &planned, None), []);
        std::fs::write(
            &files.points,
            "b_7|interrupted|||\nx|failed|1||\nb_7|failed|9||no\nc_7|interrupted|||\n",
        )
        .unwrap();
        let row = PointRow {
            folder: "a_6".to_owned(),
            status: "finished".to_owned(),
            ..PointRow::default()
        };
        let manifest = Manifest {
            points: vec![row],
            ..Manifest::default()
        };
        let points = read_search(&files, &planned, Some(&manifest));
        let states: Vec<_> = points
            .iter()
            .map(|point| (point.folder.as_str(), point.state))
            .collect();
        assert_eq!(states, [("a_6", Finished), ("b_7", Failed), ("c_7", Open)]);
    }

    #[test]
    fn each_source_has_its_say() {
        let folder = tempfile::tempdir().unwrap();
        let files = files_in(folder.path());
        let planned = ["a_7", "b_7", "c_7", "d_7"].map(str::to_owned);
        let states = |manifest: Option<&Manifest>| -> Vec<_> {
            let points = read(&files, &planned, manifest);
            points
                .into_iter()
                .map(|point| (point.folder, point.state))
                .collect()
        };
        let of = |folder: &str, state| (folder.to_owned(), state);
        assert!(states(None).iter().all(|(_, state)| *state == Open));
        // One was fixed after it failed; the other's row is half written.
        std::fs::write(
            &files.points,
            "b_7|failed|3|1 null null|no | tokens\na_7|failed|1||x\na_7|fin",
        )
        .unwrap();
        for folder in ["c_7", "d_7"] {
            std::fs::create_dir(files.results.join(folder)).unwrap();
        }
        std::fs::write(files.results.join("c_7").join(MEASUREMENT), "seed=1\n").unwrap();
        assert_eq!(
            states(None),
            [
                of("a_7", Open),
                of("b_7", Failed),
                of("c_7", Finished),
                of("d_7", Open)
            ]
        );
        let detail = read(&files, &planned, None)[1].detail.clone();
        assert_eq!(detail.as_deref(), Some("no | tokens"));

        // The manifest knows which points an earlier job has finished.
        let row = |folder: &str, status: &str| PointRow {
            folder: folder.to_owned(),
            status: status.to_owned(),
            detail: String::new(),
            ..PointRow::default()
        };
        let manifest = Manifest {
            points: vec![
                row("a_6", "finished"),
                row("../a_6", "finished"),
                row("/etc", "finished"),
                row("..", "finished"),
                row("a_6/", "finished"),
                row("a\u{1b}[2J", "finished"),
                row("b_7", "open"),
            ],
            ..Manifest::default()
        };
        assert_eq!(
            states(Some(&manifest)),
            [of("a_6", Finished), of("b_7", Failed)]
        );
    }

    #[test]
    fn files_with_very_many_rows() {
        let folder = tempfile::tempdir().unwrap();
        let files = files_in(folder.path());
        let rows = (0..80_000).map(|number| PointRow {
            folder: format!("a{number:05}"),
            ..PointRow::default()
        });
        let manifest = Manifest {
            points: rows.collect(),
            ..Manifest::default()
        };
        std::fs::write(&files.points, "a-none\n".repeat(590_000)).unwrap();
        let start = std::time::Instant::now();
        assert_eq!(read(&files, &[], Some(&manifest)).len(), 80_000);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
