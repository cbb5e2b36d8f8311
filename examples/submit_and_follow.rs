//! Renders a benchmark, submits it, and follows it to its end.
//!
//! `cargo run --example submit_and_follow -- site.toml`, with the settings of your site and their `stage_path`.

use std::error::Error;
use std::process::ExitCode;
use std::thread;

use nim_slurm::{Chain, Follower, Plan, Queue, Recipe, Sbatch, ScriptKind, Settings, StatusError};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("which settings file?")?;
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read(file)?)?;
    let stage = plan.settings().stage_path();
    let stage = stage.ok_or("the settings name no stage_path")?;
    for kind in ScriptKind::ALL {
        plan.script(kind).write_to("bench")?;
    }

    // Images, model, benchmark: each job waits for the one before it.
    let chain = Chain::new(&plan, Sbatch::find()?).with_models_job();
    let jobs = chain.submit("bench", |job| {
        println!("{} is job {}", job.kind.file_name(), job.id);
    })?;
    let launch = jobs.last().ok_or("a chain ends with launch.sh")?.id.clone();

    let mut follower = Follower::new(&plan, stage, Queue::find()?, launch).with_chain(jobs);
    let outcome = loop {
        match follower.poll() {
            Ok(progress) => {
                println!(
                    "{} of {} points",
                    progress.finished(),
                    progress.points.len()
                );
                if let Some(outcome) = progress.outcome {
                    break outcome;
                }
            }
            // It may pass, and the jobs go on.
            Err(error @ StatusError::Unreachable { .. }) => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
        thread::sleep(Follower::INTERVAL);
    };
    println!("{outcome}\nresults: {}", follower.results_folder());
    for line in &outcome.advice {
        println!("{line}");
    }
    Ok(ExitCode::from(u8::from(!outcome.is_success())))
}
