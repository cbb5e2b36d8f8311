//! Says what Slurm knows of a job.

#![expect(
    clippy::doc_markdown,
    reason = "the comments on the arguments are their help text"
)]

use std::error::Error;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use nim_slurm::slurm::SubmittedJob;
use nim_slurm::{JobRecord, JobStatus, Queue, StatusError, plain};

/// Say what Slurm knows of a job, as lines of NAME=VALUE. Times are in seconds since 1970.
///
/// Exits with 0 when the job is known, and 1 when neither Slurm's controller nor its accounts know it, or cannot be
/// asked.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// The job, as sbatch --parsable names it: 4711, 4711_3 or 4711;cluster
    job: SubmittedJob,
}

fn main() -> ExitCode {
    let Arguments { job } = Arguments::parse();
    match status(&job) {
        Ok(JobStatus::Known(records)) => {
            for record in &records {
                print(record);
            }
            ExitCode::SUCCESS
        }
        Ok(JobStatus::Unknown) => {
            eprintln!("job {job} is not known: it ended long ago, or never was");
            ExitCode::FAILURE
        }
        Err(error) => {
            let source = error.source().map(|source| format!(": {source}"));
            let text = format!("error: {error}{}", source.unwrap_or_default());
            for line in text.lines() {
                eprintln!("{}", plain(line));
            }
            ExitCode::FAILURE
        }
    }
}

fn status(job: &SubmittedJob) -> Result<JobStatus, StatusError> {
    Queue::find()?.status(job)
}

fn print(record: &JobRecord) {
    println!("job={}", record.id);
    if let Some((array, task)) = &record.array {
        println!("array={array}\ntask={}", plain(task));
    }
    println!("state={}", plain(record.state.as_str()));
    let line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            println!("{name}={}", plain(&value));
        }
    };
    line("reason", record.reason.clone());
    line("exit", record.exit.map(|exit| exit.to_string()));
    line("nodes", record.nodes.clone());
    line("submitted", record.submitted.map(seconds));
    line("started", record.started.map(seconds));
    line("ended", record.ended.map(seconds));
    line(
        "time_limit",
        record.time_limit.as_ref().map(ToString::to_string),
    );
    line("restarts", record.restarts.map(|count| count.to_string()));
    line("output", record.output.as_ref().map(ToString::to_string));
    line("script", record.script.as_ref().map(ToString::to_string));
    let jobs: Vec<_> = record.waits_for.iter().map(ToString::to_string).collect();
    line(
        "waits_for",
        Some(jobs.join(",")).filter(|jobs| !jobs.is_empty()),
    );
    line("blocking_reason", record.blocking_reason());
}

fn seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().to_string()
}
