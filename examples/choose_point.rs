//! Reads results, and chooses a point: the highest throughput within limits on latency.
//!
//! `cargo run --example choose_point -- "$STAGE_PATH/results"`

use std::error::Error;

use nim_slurm::results::{Limits, Metric, Run, Statistic};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder of results?")?;
    let run = Run::read(folder)?;
    for problem in run.problems() {
        eprintln!("{problem}"); // what could not be read; the rest was
    }
    let limits = Limits::new(Statistic::P95)
        .time_to_first_token(500.0) // ms
        .inter_token_latency(25.0);
    for group in run.groups() {
        let Some(point) = group.best_within(&limits) else {
            println!("{group}: no point is known to be within the limits");
            continue;
        };
        println!("{group}: the best point is {}", point.path());
        if let (Some(tokens), Some(concurrency)) = (point.throughput(), point.concurrency()) {
            println!("  {tokens:.0} tokens/s at concurrency {concurrency}");
        }
        if let Some(first) = point.value(Metric::TimeToFirstToken, Statistic::P95) {
            println!("  the first token comes within {first:.0} ms, for 95 of 100 requests");
        }
    }
    Ok(())
}
