//! `status`: what Slurm knows of a job.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use nim_slurm::slurm::SubmittedJob;
use nim_slurm::{JobRecord, JobStatus, Queue, plain, utc};
use serde_json::{Map, Value, json};

use crate::output::{Failure, other, print, print_json, tell};

/// Say what Slurm knows of a job, as lines of NAME=VALUE
///
/// Times are in UTC, and in seconds since 1970 with --json. Exit code: 0 when the job is known, and 1 when neither Slurm's controller nor its
/// accounts know it, or cannot be asked.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The job, as sbatch --parsable names it: 4711, 4711_3 or 4711;cluster
    job: SubmittedJob,

    /// Print {"schema": 1, "records": [{"job", "state", ...}]}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let job = &arguments.job;
    let status = Queue::find().and_then(|queue| queue.status(job));
    let JobStatus::Known(records) = status.map_err(other)? else {
        tell(&format!(
            "job {job} is not known: it ended long ago, or never was"
        ));
        return Ok(ExitCode::FAILURE);
    };
    if arguments.json {
        let records = records.iter().map(|record| fields(record, seconds));
        let records: Vec<_> = records.map(Map::from_iter).collect();
        print_json(&json!({ "schema": 1, "records": records }))?;
    } else {
        let fields_of = |record| fields(record, |time| utc(time).into());
        let lines = records.iter().flat_map(fields_of).map(line);
        print(&lines.collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line((name, value): (String, Value)) -> String {
    match value {
        Value::String(text) => format!("{name}={text}\n"),
        value => format!("{name}={value}\n"),
    }
}

/// What is known of a job, each with its name; times in the form that `time` gives them.
fn fields(record: &JobRecord, time: impl Fn(SystemTime) -> Value) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    let jobs: Vec<_> = record.waits_for.iter().map(ToString::to_string).collect();
    // As text, like each task of an array: 4711_3.
    add("job", text(Some(&record.id)));
    add("array", text(record.array.as_ref().map(|(array, _)| array)));
    add("task", text(record.array.as_ref().map(|(_, task)| task)));
    add("state", text(Some(record.state.as_str())));
    add("reason", text(record.reason.as_ref()));
    add("exit", text(record.exit));
    add("nodes", text(record.nodes.as_ref()));
    add("submitted", record.submitted.map(&time));
    // Before that, Slurm says what it expects.
    let started = record.started.filter(|_| !record.state.is_waiting());
    let has_ended = record.state.has_ended() && !record.state.is_waiting();
    let ended = record.ended.filter(|_| has_ended);
    add("started", started.map(&time));
    add("ended", ended.map(&time));
    add("time_limit", text(record.time_limit.as_ref()));
    add("restarts", record.restarts.map(Value::from));
    add("output", text(record.output.as_ref()));
    add("script", text(record.script.as_ref()));
    add(
        "waits_for",
        text(Some(jobs.join(",")).filter(|jobs| !jobs.is_empty())),
    );
    add("blocking_reason", text(record.blocking_reason()));
    fields
}

fn text(value: Option<impl ToString>) -> Option<Value> {
    value.map(|value| plain(&value.to_string()).into_owned().into())
}

fn seconds(time: SystemTime) -> Value {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().into()
}
