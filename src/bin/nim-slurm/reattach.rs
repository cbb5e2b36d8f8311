//! The way back to jobs that go on when this program ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nim_slurm::slurm::SubmittedJob;
use nim_slurm::{ChainJob, ScriptKind, shell_word};

use crate::follow::exported_stage_path;
use crate::inputs::Inputs;
use crate::output::{Failure, other, program, tell_lines};

/// What to type when this program ends before the jobs do.
#[derive(Clone)]
pub(crate) struct Reattach {
    jobs: Arc<Mutex<SubmittedJobs>>,
    /// The flags for what is run and where.
    inputs: String,
}

/// The jobs that were submitted, and have not succeeded yet.
#[derive(Default)]
struct SubmittedJobs {
    before: Vec<ChainJob>,
    /// None while jobs are being submitted.
    launch: Option<SubmittedJob>,
}

impl Reattach {
    /// Shows the way back on Ctrl-C, and ends this program. The jobs go on.
    pub(crate) fn on_ctrl_c(inputs: &Inputs) -> Result<Self, Failure> {
        let reattach = Self {
            jobs: Arc::default(),
            inputs: inputs.words().join(" "),
        };
        let shown = reattach.clone();
        ctrlc::set_handler(move || {
            shown.show();
            // 128 and the number of the signal, as a shell has it.
            std::process::exit(130);
        })
        .map_err(other)?;
        Ok(reattach)
    }

    /// Adds a job of a chain.
    pub(crate) fn add(&self, job: &ChainJob) {
        let mut jobs = self.jobs();
        if job.kind == ScriptKind::Launch {
            jobs.launch = Some(job.id.clone());
        } else {
            jobs.before.push(job.clone());
        }
    }

    /// Sets it for a launch job, and for those that it waits for.
    pub(crate) fn set(&self, before: &[ChainJob], launch: &SubmittedJob) {
        *self.jobs() = SubmittedJobs {
            before: before.to_vec(),
            launch: Some(launch.clone()),
        };
    }

    /// The flags for what is run and where.
    pub(crate) fn inputs(&self) -> &str {
        &self.inputs
    }

    /// Says on stderr what to type.
    pub(crate) fn show(&self) {
        tell_lines(&format!("\n{}", self.jobs().words(&self.inputs)));
    }

    fn jobs(&self) -> MutexGuard<'_, SubmittedJobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SubmittedJobs {
    fn words(&self, inputs: &str) -> String {
        let before = self.before.iter();
        let mut names: Vec<_> = before
            .map(|job| format!("{}, job {}", job.kind.key(), job.id))
            .collect();
        names.extend(self.launch.as_ref().map(|job| format!("launch, job {job}")));
        let mut text = String::new();
        if !names.is_empty() {
            text.push_str(&format!("still there: {}\n", names.join("; ")));
        }
        if let Some(launch) = &self.launch {
            text.push_str(&format!(
                "  to come back: {}\n",
                command_to_come_back(launch, inputs)
            ));
        } else {
            text.push_str("a job may have been submitted just now: look with squeue --me\n");
        }
        if let Some(command) = command_to_cancel(&self.before, self.launch.as_ref()) {
            text.push_str(&format!("  to cancel:    {command}\n"));
        }
        text
    }
}

/// What comes back to a launch job.
pub(crate) fn command_to_come_back(launch: &SubmittedJob, inputs: &str) -> String {
    let stage_path = match exported_stage_path() {
        Some(path) => format!("STAGE_PATH={} ", shell_word(&path)),
        None => String::new(),
    };
    let job = shell_word(&launch.to_string());
    let command = format!("{stage_path}{} follow {job} {inputs}", program());
    command.trim_end().to_owned()
}

/// What ends jobs of a chain, if there are any.
pub(crate) fn command_to_cancel(
    before: &[ChainJob],
    launch: Option<&SubmittedJob>,
) -> Option<String> {
    let jobs: Vec<_> = before.iter().map(|job| &job.id).chain(launch).collect();
    let mut words = vec!["scancel".to_owned()];
    // All jobs of a chain are on one cluster.
    let cluster = jobs.first()?.cluster();
    words.extend(cluster.map(|name| format!("--clusters={name}")));
    words.extend(jobs.iter().map(|job| match job.task() {
        Some(task) => format!("{}_{task}", job.id()),
        None => job.id().to_string(),
    }));
    Some(words.join(" "))
}
