//! What launch.sh says of its run in `results/run_<job id>.json`.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::file;
use crate::ladder::SearchGoal;
use crate::plain::plain;
use crate::slurm::RunId;

/// More than a manifest has.
const MOST_BYTES: u64 = 4 << 20;

/// What a launch says of itself: where it ran, what it ran, and how it ended.
///
/// It is in the results folder as `run_<job id>.json`. What a manifest lacks, or has
/// in a form of its own, is none. As JSON it reads back as it is; a report's JSON has less of it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let text = r#"{"node": "gpu05", "exit_code": 5, "exit_reason": "2 points failed"}"#;
/// std::fs::write(folder.join("run_4711.json"), text)?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let manifest = &run.manifests()[0];
/// assert_eq!(manifest.node.as_deref(), Some("gpu05"));
/// assert_eq!(manifest.recipe, None);
/// assert_eq!(manifest.failure().as_deref(), Some("ended with 5: 2 points failed"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Manifest {
    /// The job.
    #[serde(deserialize_with = "lenient")]
    pub job_id: Option<RunId>,
    /// Where it lies; in the file itself it is not said.
    #[serde(
        rename = "results_folder",
        deserialize_with = "lenient",
        skip_serializing_if = "is_empty"
    )]
    pub(crate) folder: Utf8PathBuf,
    /// How often the job had been put into the queue again when this run began.
    #[serde(deserialize_with = "lenient")]
    pub restart: Option<u32>,
    /// The earlier jobs whose points count as finished.
    #[serde(deserialize_with = "lenient")]
    pub resumes: Vec<RunId>,
    /// Tells what defines its measurements, beside the points' own numbers, from what defines
    /// others: it stands in each point's `measurement.txt`, too.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The recipe's name.
    #[serde(deserialize_with = "lenient")]
    pub recipe: Option<String>,
    /// The node; of a job that was requeued, those of all its runs.
    #[serde(deserialize_with = "lenient")]
    pub node: Option<String>,
    /// GPUs that the server used, or each of several.
    #[serde(deserialize_with = "lenient")]
    pub gpus: Option<u32>,
    /// How many servers ran side by side.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// What they did with the points, as
    /// [`ReplicaUse`](crate::recipe::ReplicaUse) has it: `split` or `together`.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub replica_use: Option<String>,
    /// What the recipe says of the server's prefix cache, as
    /// [`PrefixCache`](crate::recipe::PrefixCache) has it: `off`, `flush` or `on`.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub prefix_cache: Option<String>,
    /// The GPUs' model, where nvidia-smi tells.
    #[serde(deserialize_with = "lenient")]
    pub gpu_model: Option<String>,
    /// The GPUs' driver, where nvidia-smi tells.
    #[serde(deserialize_with = "lenient")]
    pub driver: Option<String>,
    /// The container images.
    #[serde(deserialize_with = "lenient")]
    pub images: RunImages,
    /// The weights, by their name where they come from; none where nobody wrote it down.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The engine, where the server has one.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The tokenizer of the client.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// The server's command, word by word.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub server_command: Vec<String>,
    /// The server's variables, `NAME=VALUE` each.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub server_environment: Vec<String>,
    /// The client's command, word by word, with placeholders for what each point has of its own.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub client_command: Vec<String>,
    /// The release of this crate that rendered the script.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub crate_version: Option<String>,
    /// When it started, by the node's clock: `2026-11-24T07:33:58+0000`. Of a job that was requeued, its first run.
    #[serde(deserialize_with = "lenient")]
    pub start: Option<String>,
    /// When it ended; none while it runs, and when it was killed.
    #[serde(deserialize_with = "lenient")]
    pub end: Option<String>,
    /// How long the servers took until they answered, in seconds; of several, the slowest.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub ready_seconds: Option<u32>,
    /// The share of the time from ready to the last result, in percent, in which requests of the points
    /// that this run measured were in flight; of several servers, all of them together.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub in_flight_percent: Option<u32>,
    /// launch.sh's exit code; none while it runs, and when it was killed.
    #[serde(deserialize_with = "lenient")]
    pub exit_code: Option<u32>,
    /// The exit code's cause, a fixed word: `finished`, `server_ended`, `no_answer`,
    /// `not_ready`, `refused`, `client_lacks`, `data_lacks`, `client_failed`, `client_silent`, `client_stopped`,
    /// `points_failed`, `points_missing`, `left_alone`, `no_time_left`, `no_space`, `signal`; `running`
    /// while it runs.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub exit_cause: Option<String>,
    /// The number of the server that the cause is about.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub exit_replica: Option<u32>,
    /// Of the logs that tell the cause: which it is, the lines that look like it, and the
    /// last ones.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub cause_lines: Vec<String>,
    /// What can be done, and how to go on.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// The exit code's reason, in the script's words.
    #[serde(deserialize_with = "lenient")]
    pub exit_reason: Option<String>,
    /// What was searched for, where a search chose the points.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchGoal>,
    /// The points as they were when the manifest was written: at the run's begin,
    /// and at its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) points: Vec<PointRow>,
}

/// The container images of a run.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let text = r#"{"images": {"server": {"file": "nim.sqsh"}}}"#;
/// std::fs::write(folder.join("run_4711.json"), text)?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let images = &run.manifests()[0].images;
/// assert_eq!(images.server.as_ref().unwrap().file.as_deref(), Some("nim.sqsh"));
/// assert!(images.client.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunImages {
    /// The server's.
    #[serde(deserialize_with = "lenient")]
    pub server: Option<RunImage>,
    /// GenAI-Perf's.
    #[serde(deserialize_with = "lenient")]
    pub client: Option<RunImage>,
}

/// A container image of a run.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// let text = r#"{"images": {"client": {"reference": "nvcr.io/nvidia/tritonserver:25.01-py3-sdk"}}}"#;
/// std::fs::write(folder.join("run_4711.json"), text)?;
/// let run = nim_slurm::results::Run::read(folder)?;
/// let image = run.manifests()[0].images.client.as_ref().unwrap();
/// assert_eq!(image.reference.as_deref(), Some("nvcr.io/nvidia/tritonserver:25.01-py3-sdk"));
/// assert_eq!((&image.file, &image.digest), (&None, &None)); // not said
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RunImage {
    /// The squash file's name.
    #[serde(deserialize_with = "lenient")]
    pub file: Option<String>,
    /// The image's name in its registry, as setup.sh wrote it down; none where nobody knows what
    /// the file is.
    #[serde(deserialize_with = "lenient")]
    pub reference: Option<String>,
    /// The digest, where it is known.
    #[serde(deserialize_with = "lenient")]
    pub digest: Option<String>,
}

/// A point's row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PointRow {
    pub(crate) folder: String,
    pub(crate) status: String,
    pub(crate) detail: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) seconds: Option<u32>,
    /// Tokens of its prompts that the server looked up in its prefix cache, and found there, where
    /// it counts them.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) prefix_cache_queries: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) prefix_cache_hits: Option<u64>,
    /// How many requests of its warm-up were answered; of several servers that measured it together, by all of them.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) warmup_requests: Option<u32>,
    /// The number of the server that measured it, of several that shared the points.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) server: Option<u32>,
}

impl PointRow {
    /// The share of its prompts' tokens that came out of the prefix cache.
    #[expect(clippy::cast_precision_loss, reason = "a share need not be that exact")]
    pub(crate) fn cached_share(&self) -> Option<f64> {
        let (queries, hits) = self
            .prefix_cache_queries
            .zip(self.prefix_cache_hits)
            .filter(|(queries, hits)| hits <= queries)?;
        // A cache that is off is not asked.
        Some(hits as f64 / queries.max(1) as f64)
    }
}

/// A value of any type: one that is not expected is none.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

fn is_empty(path: &Utf8Path) -> bool {
    path == ""
}

/// Why there is no manifest to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFailure {
    #[error(transparent)]
    File(#[from] file::ReadFailure),
    #[error("is no manifest of launch.sh: {0}")]
    Content(#[from] serde_json::Error),
    #[error("is left out: too much is in the manifests of these results: read fewer jobs at once")]
    TooMuch,
}

impl Manifest {
    /// Reads a manifest.
    pub(crate) fn read(path: &Utf8Path) -> Result<Self, ReadFailure> {
        let mut left = MOST_BYTES;
        Self::read_one_of_many(path, &mut left)
    }

    /// Reads a manifest of no more bytes than all of them have `left`, and takes its own from these.
    pub(crate) fn read_one_of_many(path: &Utf8Path, left: &mut u64) -> Result<Self, ReadFailure> {
        let bytes = file::read(path, MOST_BYTES.min(*left)).map_err(|failure| match failure {
            file::ReadFailure::TooLong { length, .. } if length <= MOST_BYTES => {
                ReadFailure::TooMuch
            }
            file::ReadFailure::TooLong { length, .. } => {
                ReadFailure::File(file::ReadFailure::TooLong {
                    length,
                    most: MOST_BYTES,
                })
            }
            other => ReadFailure::File(other),
        })?;
        *left -= bytes.len() as u64;
        let mut manifest = Self::parse(&String::from_utf8_lossy(&bytes))?;
        manifest.points.shrink_to_fit();
        Ok(manifest)
    }

    pub(crate) fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Without what a report says elsewhere, or not at all.
    #[cfg(feature = "results")]
    pub(crate) fn in_brief(&self) -> Self {
        Self {
            folder: Utf8PathBuf::new(),
            weights: None,
            engine: None,
            tokenizer: None,
            server_command: Vec::new(),
            server_environment: Vec::new(),
            client_command: Vec::new(),
            crate_version: None,
            cause_lines: Vec::new(),
            advice: Vec::new(),
            points: Vec::new(),
            ..self.clone()
        }
    }

    /// With what earlier runs of a requeued job say, the latest first: when it began, on which nodes it ran, and the figures of
    /// points that were measured then. How it ended, this run says.
    pub(crate) fn with_earlier(mut self, earlier: &[Self]) -> Self {
        let Some(first) = earlier.last() else {
            return self;
        };
        self.start = first.start.clone().or(self.start);
        let mut nodes: Vec<&str> = Vec::new();
        for run in earlier.iter().rev().chain([&self]) {
            nodes.extend(run.node.as_deref().filter(|node| !nodes.contains(node)));
        }
        self.node = (!nodes.is_empty()).then(|| nodes.join(","));
        for run in earlier {
            if run.fingerprint != self.fingerprint {
                continue;
            }
            let rows = run.points.iter().map(|row| (row.folder.as_str(), row));
            let rows: HashMap<_, _> = rows.collect();
            for own in &mut self.points {
                let row = rows.get(own.folder.as_str());
                let is_same = |row: &&&PointRow| row.status == own.status && row.seconds.is_some();
                if own.seconds.is_none()
                    && own.status == "finished"
                    && let Some(row) = row.filter(is_same)
                {
                    own.clone_from(row);
                }
            }
        }
        self
    }

    /// How the run ended, unless it succeeded; a run that goes on is not told from
    /// one that was killed.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let reason = self.exit_reason.as_deref().unwrap_or("no reason given");
        match self.exit_code {
            Some(0) => None,
            Some(code) => Some(format!("ended with {code}: {}", plain(reason))),
            None => Some("runs, or was killed".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
  "schema": 1,
  "recipe": "llama3-70b",
  "job_id": "4711",
  "node": "gpu05",
  "gpus": 4,
  "gpu_model": null,
  "images": {
    "server": {"file": "nim.sqsh", "reference": "nvcr.io/nim/llama:1.0.3", "bytes": 7, "digest": null},
    "client": "no object"
  },
  "server_command": ["bash", "\"exit_code\": 7"],
  "start": "2026-11-24T07:33:58+0000",
  "end": 12,
  "exit_code": 5,
  "exit_reason": "points \"failed\"",
  "points": [
    {"folder": "llama_4_1_chat_32_16_4700", "use_case": "chat", "concurrency": 1, "status": "finished", "seconds": null, "detail": "", "prefix_cache_queries": 2000, "prefix_cache_hits": 30},
    {"folder": "llama_4_2_chat_32_16_4711", "use_case": "chat", "concurrency": 2, "status": "failed", "seconds": 7, "detail": "it said \"status\": \"finished\""}
  ]
}
"#;

    #[test]
    fn a_run_that_ended() {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        assert_eq!(manifest.recipe.as_deref(), Some("llama3-70b"));
        assert_eq!(manifest.job_id, Some(RunId::parse("4711").unwrap()));
        assert_eq!((manifest.gpus, &manifest.gpu_model), (Some(4), &None));
        assert_eq!(manifest.end, None);
        let server = manifest.images.server.as_ref().unwrap();
        assert_eq!(server.reference.as_deref(), Some("nvcr.io/nim/llama:1.0.3"));
        assert_eq!(manifest.images.client, None);
        assert_eq!(
            manifest.failure().as_deref(),
            Some("ended with 5: points \"failed\"")
        );
        let [earlier, failed] = manifest.points.as_slice() else {
            panic!("{manifest:?}");
        };
        assert_eq!(earlier.folder, "llama_4_1_chat_32_16_4700");
        assert_eq!((&*earlier.status, &*earlier.detail), ("finished", ""));
        assert_eq!(earlier.cached_share(), Some(0.015));
        assert_eq!(failed.cached_share(), None);
        assert_eq!(failed.status, "failed");
        assert_eq!(failed.detail, "it said \"status\": \"finished\"");
    }

    #[test]
    fn as_json_it_reads_back() {
        let texts = [
            ("weights", "a"),
            ("engine", "b"),
            ("tokenizer", "c"),
            ("crate_version", "d"),
        ];
        let lists = [
            "server_environment",
            "client_command",
            "cause_lines",
            "advice",
        ];
        let texts = texts.map(|(key, text)| format!("\"{key}\": \"{text}\","));
        let lists = lists.map(|key| format!("\"{key}\": [\"{key}\"],"));
        let more = format!("{{{}{}", texts.concat(), lists.concat());
        let search = r#"{"search": {"ttft": 500, "at": "p95"}, "resumes": ["7-1"],"#;
        let text = MANIFEST.replacen('{', &more, 1).replacen('{', search, 1);
        let mut manifest = Manifest::parse(&text).unwrap();
        manifest.folder = "/nim/results".into();
        assert_eq!(
            (manifest.points.len(), &*manifest.advice),
            (2, &["advice".to_owned()][..])
        );
        assert_eq!(manifest.weights.as_deref(), Some("a"));
        for manifest in [manifest, Manifest::default()] {
            let written = serde_json::to_string(&manifest).unwrap();
            assert_eq!(Manifest::parse(&written).unwrap(), manifest, "{written}");
            let brief = serde_json::to_value(manifest.in_brief()).unwrap();
            let keys = [
                "advice",
                "points",
                "server_command",
                "weights",
                "results_folder",
            ];
            assert!(keys.iter().all(|key| brief.get(key).is_none()), "{brief}");
        }
    }

    #[test]
    fn a_run_that_goes_on() {
        let text = MANIFEST.replace("\"exit_code\": 5,", "\"exit_code\": null,");
        assert_eq!(Manifest::parse(&text).unwrap().exit_code, None);
        assert!(
            Manifest::parse("{\n  \"schema\": 1,").is_err(),
            "half a file"
        );
    }
}
