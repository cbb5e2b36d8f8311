//! The built-in recipe, Llama3-70B FP8 on four H100 GPUs with NIM and GenAI-Perf, for a site: what is run and where, as
//! typed values.
//!
//! `cargo run --example llama3_70b_h100x4_fp8` writes the three scripts, the same as `nim-slurm render`.

use std::error::Error;

use nim_slurm::slurm::Directives;
use nim_slurm::{Plan, Recipe, ScriptKind, Settings, shell_word};

fn main() -> Result<(), Box<dyn Error>> {
    // What is measured: each use case at each concurrency.
    let use_cases = ["chat:128/128".parse()?, "summarization:4096/512".parse()?];
    let recipe = Recipe::llama3_70b_h100x4_fp8()
        .with_use_cases(use_cases)
        .with_concurrency([1, 25, 50, 100]);

    // Where: all options of sbatch have a method, for all scripts or for one.
    let launch = Directives::new()
        .exclusive("true".parse()?)
        .mem("0".parse()?) // all of it
        .time("01:00:00".parse()?);
    let settings = Settings::new().with_script_slurm(ScriptKind::Launch, launch);

    // All problems at once, also those that only both together show.
    let plan = Plan::new(recipe, settings)?;
    let name = plan.recipe().name.to_string();
    let folder = std::env::args().nth(1).unwrap_or(name);
    for script in [plan.setup(), plan.prepare_models(), plan.launch()] {
        println!("wrote {}", script.write_to(&folder)?.path);
    }

    println!("next, on the login node, with NGC_API_KEY and STAGE_PATH exported:");
    for (command, kind) in [
        ("sbatch", ScriptKind::Setup),
        ("bash", ScriptKind::PrepareModels),
        ("sbatch", ScriptKind::Launch),
    ] {
        let path = format!("{folder}/{}", kind.file_name());
        println!("  {command} {}", shell_word(&path));
    }
    Ok(())
}
