//! A sweep of a million jobs, each with a plan of its own, whose scripts go to a writer:
//! `cargo bench --manifest-path benches/render/Cargo.toml --bench million_jobs`.
//!
//! Prints the most memory that the process had after the first thousand jobs and after
//! all of them, and fails if that has grown.

use std::io::{self, Write};
use std::process::ExitCode;

use nim_slurm::{Plan, Recipe};
use nim_slurm_render::settings;

const JOBS: u32 = 1_000_000;

/// What may be added by the allocator's own bookkeeping.
const SLACK: u64 = 256;

fn main() -> ExitCode {
    let settings = settings();
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    let mut out = io::sink();
    let mut bytes = 0;
    let mut at_first = 0;
    for job in 1..=JOBS {
        let recipe = recipe.clone().with_concurrency([job % 4096 + 1]);
        let plan = Plan::new(recipe, settings.clone()).expect("they go together");
        let script = plan.launch();
        out.write_all(script.text().as_bytes())
            .expect("a sink takes all");
        bytes += script.text().len();
        if job == 1_000 {
            at_first = most_memory();
        }
    }
    let at_last = most_memory();
    println!(
        "{JOBS} launch scripts, {} MB: at most {at_first} KiB after 1000 jobs, {at_last} KiB after all",
        bytes / 1_000_000
    );
    if at_last > at_first + SLACK {
        println!("promised: constant memory");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The most memory of this process so far, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.expect("Linux tells").split_whitespace().next();
    words
        .expect("a number is there")
        .parse()
        .expect("it is one")
}
