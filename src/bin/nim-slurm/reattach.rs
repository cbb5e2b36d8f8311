//! The way back to jobs that go on when this program ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nim_slurm::slurm::{Array, OptionName, SubmittedJob};
use nim_slurm::{ChainJob, Plan, ScriptKind, shell_word};

use crate::follow::exported_stage_path;
use crate::inputs::Inputs;
use crate::output::{Failure, other, program, tell_lines};

/// What to type when this program ends before the jobs do.
#[derive(Clone)]
pub(crate) struct Reattach {
    jobs: Arc<Mutex<SubmittedJobs>>,
    /// The flags for what is run and where.
    inputs: Vec<String>,
    /// Of an array that is not the recipe's a task is followed, and not the whole.
    first_task: Option<u32>,
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
    pub(crate) fn on_ctrl_c(inputs: &Inputs, plan: &Plan) -> Result<Self, Failure> {
        let reattach = Self {
            jobs: Arc::default(),
            inputs: inputs.flags(),
            first_task: first_task(plan),
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

    /// What measures the same again with this flag in place of what it was; none where nothing says what was measured.
    pub(crate) fn command_to_run_with(&self, flag: &str) -> Option<String> {
        let name = |word: &str| word.split(['=', ' ']).next().map(ToOwned::to_owned);
        let says_what =
            |word: &String| word.starts_with("--recipe=") || word.starts_with("--settings=");
        if !self.inputs.iter().any(says_what) {
            return None;
        }
        let kept = self.inputs.iter().filter(|word| name(word) != name(flag));
        let kept: Vec<_> = kept.map(|word| shell_word(word)).collect();
        Some(format!("{} run {} {flag}", program(), kept.join(" ")))
    }

    /// What comes back to a launch job.
    pub(crate) fn command_to_come_back(&self, launch: &SubmittedJob) -> String {
        let stage_path = match exported_stage_path() {
            Some(path) => format!("STAGE_PATH={} ", shell_word(&path)),
            None => String::new(),
        };
        let mut job = launch.id().to_string();
        if let Some(task) = launch.task().or(self.first_task) {
            job.push_str(&format!("_{task}"));
        }
        if let Some(cluster) = launch.cluster() {
            job.push_str(&format!(";{cluster}"));
        }
        let words = [job].into_iter().chain(self.inputs.iter().cloned());
        let words: Vec<_> = words.map(|word| shell_word(&word)).collect();
        format!("{stage_path}{} follow {}", program(), words.join(" "))
    }

    /// Whether that comes back to one task of several.
    pub(crate) const fn is_of_one_task(&self) -> bool {
        self.first_task.is_some()
    }

    /// Says on stderr what to type.
    pub(crate) fn show(&self) {
        tell_lines(&format!("\n{}", self.words()));
    }

    fn words(&self) -> String {
        let jobs = self.jobs();
        let before = jobs.before.iter();
        let mut names: Vec<_> = before
            .map(|job| format!("{}, job {}", job.kind.key(), job.id))
            .collect();
        names.extend(jobs.launch.as_ref().map(|job| format!("launch, job {job}")));
        let mut text = String::new();
        if !names.is_empty() {
            text.push_str(&format!("still there: {}\n", names.join("; ")));
        }
        if let Some(launch) = &jobs.launch {
            text.push_str(&format!(
                "  to come back: {}\n",
                self.command_to_come_back(launch)
            ));
        } else {
            text.push_str("a job may have been submitted just now: look with squeue --me\n");
        }
        if let Some(command) = command_to_cancel(&jobs.before, jobs.launch.as_ref()) {
            text.push_str(&format!("  to cancel:    {command}\n"));
        }
        text
    }

    fn jobs(&self) -> MutexGuard<'_, SubmittedJobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first task of an array that is not the recipe's.
fn first_task(plan: &Plan) -> Option<u32> {
    let array = plan.directives(ScriptKind::Launch).get(OptionName::Array);
    let array = array.filter(|_| plan.recipe().sweep.array.is_none())?;
    Array::parse(&array).ok()?.indexes().next()
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
