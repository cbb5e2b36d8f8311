//! A benchmark of one's own, built from nothing: a small model on one GPU, served by vLLM.
//!
//! `cargo run --example own_recipe` writes the three scripts, and the recipe as a file for `--recipe`.

use std::error::Error;
use std::fs;

use nim_slurm::recipe::{
    Client, ClientTool, Model, ModelSource, PrefixCache, Server, Sweep, Weights, Word,
};
use nim_slurm::slurm::Directives;
use nim_slurm::{JobOptions, Plan, Recipe, ScriptKind, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let command = "vllm serve {model_path} --served-model-name {served_model_name} --port {port} \
                   --no-enable-prefix-caching";
    let server = Server::new(
        "vllm/vllm-openai:v0.9.2".parse()?,
        1, // GPU
        "Qwen/Qwen3-0.6B".parse()?,
        Word::parse_all(command.split(' '))?,
    )
    .with_variable("VLLM_CACHE_ROOT".parse()?, "{cache_path}/vllm".parse()?)
    .with_ready_timeout(600) // seconds
    .with_prefix_cache(PrefixCache::Off);

    let files = "config.json generation_config.json merges.txt model.safetensors tokenizer.json \
                 tokenizer_config.json vocab.json";
    let files: Result<_, _> = files.split(' ').map(str::parse).collect();
    let commit = "Qwen/Qwen3-0.6B@c1899de289a04d12100db370d81485cdf75e47ca";
    let weights = Weights::new(
        ModelSource::HuggingFace(commit.parse()?),
        "1.6 GB".parse()?,
        files?,
    );

    let tool = ClientTool::GenaiPerf("25.01".parse()?);
    let client = Client::new("nvcr.io/nvidia/tritonserver:25.01-py3-sdk".parse()?, tool);
    let sweep = Sweep::new(["chat:128/128".parse()?], [1, 8, 64]).with_percentile("p95".parse()?);
    let recipe = Recipe::new(
        "qwen3-vllm".parse()?,
        server,
        Model::new(weights),
        client,
        sweep,
    )
    .with_slurm(JobOptions::all(Directives::new().time("00:45:00".parse()?))); // settings win

    let launch = Directives::new().gpus_per_node(1).time("00:30:00".parse()?);
    let settings = Settings::new().with_script_slurm(ScriptKind::Launch, launch);
    let plan = Plan::new(recipe, settings)?; // all problems at once
    for script in [plan.setup(), plan.prepare_models(), plan.launch()] {
        println!("wrote {}", script.write_to("qwen3-vllm")?.path);
    }
    fs::write("qwen3-vllm/recipe.toml", plan.recipe().to_toml())?;
    Ok(())
}
