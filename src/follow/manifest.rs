//! What launch.sh says of its run in `results/run_<job>.json`.

use camino::Utf8Path;
use serde::{Deserialize, Deserializer};

use super::files;
use super::point::{PointProgress, PointState};

/// The parts of a manifest that tell how far the run is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Manifest {
    /// The script's exit code; none while it runs.
    pub(super) exit_code: Option<u32>,
    pub(super) exit_reason: String,
    /// How often the job had been put into the queue again when this run began.
    pub(super) restart: Option<u32>,
    /// The earlier jobs whose points count as finished.
    #[serde(default)]
    pub(super) resumes: Vec<String>,
    /// The points as they were when the manifest was written: at the run's begin,
    /// and at its end.
    #[serde(deserialize_with = "points")]
    pub(super) points: Vec<PointProgress>,
}

fn points<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PointProgress>, D::Error> {
    let rows = Vec::<Row>::deserialize(deserializer)?;
    Ok(rows.into_iter().map(PointProgress::from).collect())
}

/// A point's row.
#[derive(Deserialize)]
struct Row {
    folder: String,
    status: String,
    detail: String,
}

impl From<Row> for PointProgress {
    fn from(row: Row) -> Self {
        Self {
            folder: row.folder,
            state: PointState::from_word(&row.status),
            detail: Some(row.detail).filter(|detail| !detail.is_empty()),
        }
    }
}

/// Reads a manifest; none when it is not there.
pub(super) fn read(path: &Utf8Path) -> Option<Manifest> {
    parse(&files::small(path)?)
}

fn parse(text: &str) -> Option<Manifest> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
  "schema": 1,
  "job_id": "4711",
  "restart": 1,
  "resumes": ["4700", "4699-3"],
  "server_command": ["bash", "\"exit_code\": 7"],
  "start": "2026-11-24T07:33:58+0000",
  "end": "2026-11-24T07:43:58+0000",
  "exit_code": 5,
  "exit_reason": "points \"failed\"",
  "points": [
    {"folder": "llama_4_1_chat_32_16_4700", "use_case": "chat", "concurrency": 1, "status": "finished", "seconds": null, "detail": ""},
    {"folder": "llama_4_2_chat_32_16_4711", "use_case": "chat", "concurrency": 2, "status": "failed", "seconds": 7, "detail": "it said \"status\": \"finished\""}
  ]
}
"#;

    #[test]
    fn a_run_that_ended() {
        let manifest = parse(MANIFEST).unwrap();
        assert_eq!(manifest.exit_code, Some(5));
        assert_eq!(manifest.exit_reason, "points \"failed\"");
        assert_eq!(manifest.restart, Some(1));
        assert_eq!(manifest.resumes, ["4700", "4699-3"]);
        let [earlier, failed] = manifest.points.as_slice() else {
            panic!("{manifest:?}");
        };
        assert_eq!(earlier.folder, "llama_4_1_chat_32_16_4700");
        assert_eq!(
            (earlier.state, &earlier.detail),
            (PointState::Finished, &None)
        );
        assert_eq!(failed.state, PointState::Failed);
        assert_eq!(
            failed.detail.as_deref(),
            Some("it said \"status\": \"finished\"")
        );
    }

    #[test]
    fn a_run_that_goes_on() {
        let text = MANIFEST.replace("\"exit_code\": 5,", "\"exit_code\": null,");
        assert_eq!(parse(&text).unwrap().exit_code, None);
        assert_eq!(parse("{\n  \"schema\": 1,"), None, "half a file");
    }
}
