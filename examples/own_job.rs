//! A job of one's own, without a recipe: options that are checked, and commands.
//!
//! `cargo run --example own_job` writes `gpus.sh`, and says what a wrong job is told.

use std::error::Error;

use nim_slurm::slurm::{Directives, Release, ScriptBody};

fn main() -> Result<(), Box<dyn Error>> {
    let job = Directives::new()
        .job_name("gpus".parse()?)
        .partition("batch".parse()?)
        .nodes(2)
        .ntasks_per_node(1)
        .gpus_per_node(4)
        .time("00:10:00".parse()?);
    job.check(Release::new(23, 11))?; // all problems at once, also those of the cluster's Slurm

    let commands = ScriptBody::parse("srun nvidia-smi --list-gpus")?;
    let written = job.script(&commands)?.write_to("gpus.sh")?;
    println!("to submit it: sbatch {}", written.path);

    let wrong = job.nodes(0).gres("gpu:4".parse()?);
    if let Err(error) = wrong.check(None) {
        println!("a wrong job is refused:\n{error}");
    }
    Ok(())
}
