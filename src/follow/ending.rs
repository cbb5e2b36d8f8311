//! How a launch ended, and where the reason stands.

use std::fmt;

use camino::Utf8PathBuf;

use super::RunFiles;
use super::manifest::Manifest;
use crate::status::{JobRecord, JobState, JobStatus};
use crate::submit::ChainJob;

/// How a launch ended. Its text is a sentence: the exit code's meaning and the
/// job's own reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// launch.sh's exit code; none when Slurm ended the job, or it never started.
    pub code: Option<u32>,
    sentence: String,
    /// The logs that tell more, the most telling first.
    pub logs: Vec<Utf8PathBuf>,
}

impl Ending {
    /// True when every point of the sweep is finished and valid.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// What launch.sh's exit codes mean.
const fn meaning(code: u32) -> &'static str {
    match code {
        0 => "every point of the sweep is finished and valid",
        2 => "something needed is missing, so nothing was measured",
        3 => "the server ended, or stopped answering, before the sweep was over",
        4 => "the server was not ready in time",
        5 => "the sweep ran to its end, but points failed",
        6 => "it was stopped before the end: submit it again to go on",
        _ => "it failed",
    }
}

/// The end of the launch job, if it has one.
pub(super) fn of(
    launch: &JobStatus,
    before: Option<&(ChainJob, JobRecord)>,
    manifest: Option<Manifest>,
    files: &RunFiles,
) -> Option<Ending> {
    let record = launch.record();
    if record.is_some_and(|record| !record.state.has_ended()) {
        return None;
    }
    if let Some((job, failed)) = before.filter(|(_, record)| record.state.has_ended()) {
        return Some(before_launch(job, failed));
    }
    let (said, reason) = match manifest {
        Some(manifest) => (manifest.exit_code, Some(manifest.exit_reason)),
        None => (None, None),
    };
    // Slurm has a code of its own only when the script itself ended.
    let code = said.or_else(|| {
        let record = record?;
        let exit = record.exit.filter(|exit| exit.signal == 0)?;
        let is_script_s = matches!(record.state, JobState::Completed | JobState::Failed);
        is_script_s.then_some(exit.code)
    });
    let sentence = match (code, record) {
        (Some(code), _) => {
            let reason = reason.filter(|_| said.is_some() && code != 0);
            let reason = reason.map(|reason| format!(" ({reason})"));
            format!(
                "launch ended with {code}: {}{}",
                meaning(code),
                reason.unwrap_or_default()
            )
        }
        (None, Some(record)) => format!("Slurm ended launch: {}", in_slurm_s_words(record)),
        (None, None) => {
            "Slurm does not know the launch job any more, and the job did not say how it ended"
                .to_owned()
        }
    };
    Some(Ending {
        code,
        sentence,
        logs: logs(code, record, files),
    })
}

fn before_launch(job: &ChainJob, record: &JobRecord) -> Ending {
    Ending {
        code: None,
        sentence: format!(
            "launch did not start, since {}, job {}, did not end well: {}",
            job.kind.key(),
            job.job,
            in_slurm_s_words(record)
        ),
        logs: record.output.iter().cloned().collect(),
    }
}

fn in_slurm_s_words(record: &JobRecord) -> String {
    let mut words = vec![record.state.to_string()];
    words.extend(
        record
            .exit
            .filter(|exit| !exit.is_success())
            .map(|exit| exit.to_string()),
    );
    words.extend(record.reason.clone());
    words.join(", ")
}

/// Where the reason stands: in the log of the step that failed, and where no step
/// has one, in what the job itself printed.
fn logs(code: Option<u32>, record: Option<&JobRecord>, files: &RunFiles) -> Vec<Utf8PathBuf> {
    let steps = match code {
        Some(3) => vec![&files.server_log],
        Some(4) => vec![&files.server_log, &files.client_log],
        Some(1 | 2 | 5) => vec![&files.client_log],
        _ => Vec::new(),
    };
    let has_text = |log: &&Utf8PathBuf| log.metadata().is_ok_and(|data| data.len() > 0);
    let logs: Vec<_> = steps.into_iter().filter(has_text).cloned().collect();
    if logs.is_empty() {
        record
            .and_then(|record| record.output.clone())
            .into_iter()
            .collect()
    } else {
        logs
    }
}
