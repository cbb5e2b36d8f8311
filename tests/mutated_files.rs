//! Settings and recipes that somebody mistyped: they are read or refused, within a
//! bound of time, and what can be rendered is a script that bash reads.
//!
//! `NIM_SLURM_CASES=100000 cargo test --test mutated_files` tries as many.

#[path = "common/client.rs"]
mod client;
#[path = "common/processor.rs"]
mod processor;

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::client::client_program;
use crate::processor::spent;

/// With an engine; for several nodes; from the hub.
const RECIPES: [&str; 3] = [
    include_str!("../src/recipe/llama3-70b-h100x4-fp8.toml"),
    include_str!("../src/recipe/deepseek-r1-h100x16-nim.toml"),
    include_str!("../src/recipe/llama3-3-70b-h100x4-vllm.toml"),
];

const SETTINGS: &str = r#"
stage_path = "/lustre/project/nim"

[slurm]
partition = "batch"
account = "proj"
exclude = "node[01-16,20]"
constraint = "a100&[rack1|rack2]"
begin = "now+1hour"
comment = 'it is "quoted"'
passthrough = ["--brand-new=1@10:00"]

[slurm.setup]
mem = false
array = "1-5:2%3"

[slurm.launch]
gres = "gpu:h100:8,nvme:2"
time = "1-02:03:04"
signal = "B:USR1@60"
dependency = "afterok:17:18,singleton"
requeue = true

[srun]
mpi = "pmix"

[container]
mounts = ["/lustre/data:/data:ro", "tmpfs:/scratch"]
registries = { "nvcr.io" = "mirror.site:5000" }

[cluster]
slurm = "23.11"
pyxis = "0.20"
gpus = "gres"
gpu_type = "h100"
gpus_on_node = 8
nodes = "exclusive"
modules = ["enroot/3.5.0", "pmix"]
enroot_cache_path = "/scratch/cache"
enroot_temp_path = "/scratch/temp"
proxy = { http = "http://proxy.site:3128", https = "https://proxy.site", no_proxy = "localhost,.site" }

[launch]
max_requeues = 3
gpu_samples = false
"#;

/// Longer than any of it takes; a reader that hangs is killed by no one else. In
/// milliseconds.
const AT_ONCE: u64 = 5_000;

/// What a slip of the hand, or an attacker, puts in.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,30}",
        "[\\[\\]{}=\"',.:@%*/_#$`\\\\-]{1,4}",
        "\\PC{1,8}",
        Just("\n".to_owned()),
        Just("\0".to_owned()),
        Just("'''".to_owned()),
        Just("[".repeat(4000)),
        Just("9-99999999".to_owned()),
        Just("$(touch ran)".to_owned()),
        Just("CLIENT\n".to_owned()),
    ]
}

/// The text with a few places overwritten, each by a piece.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), 0..12_usize, piece());
    proptest::collection::vec(edit, 0..4).prop_map(move |edits| {
        let mut text = text.to_owned();
        for (place, length, piece) in edits {
            let boundary = |at: usize| (at..=text.len()).find(|&at| text.is_char_boundary(at));
            let start = boundary(place.index(text.len() + 1)).unwrap();
            let end = boundary((start + length).min(text.len())).unwrap();
            text.replace_range(start..end, &piece);
        }
        text
    })
}

fn bash_reads(script: &str) -> bool {
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let written = bash.stdin.take().unwrap().write_all(script.as_bytes());
    written.unwrap();
    bash.wait().unwrap().success()
}

#[test]
fn the_texts_are_right_to_begin_with() {
    for recipe in RECIPES {
        let plan = Plan::new(
            Recipe::from_toml(recipe).unwrap(),
            Settings::from_toml(SETTINGS).unwrap(),
        );
        plan.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn mutated_recipes_and_settings() {
    let cases = env::var("NIM_SLURM_CASES").map_or(600, |text| text.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let rendered = std::cell::Cell::new(0);
    let recipe = proptest::sample::select(&RECIPES[..]).prop_flat_map(mutated);
    let texts = (recipe, mutated(SETTINGS));
    let outcome = runner.run(&texts, |(recipe, settings)| {
        let start = spent();
        let recipe = Recipe::from_toml(&recipe);
        let settings = Settings::from_toml(&settings);
        if let (Ok(recipe), Ok(settings)) = (recipe, settings)
            && let Ok(plan) = Plan::new(recipe, settings)
        {
            let scripts = ScriptKind::ALL.map(|kind| plan.script(kind));
            prop_assert!(spent() - start < AT_ONCE);
            for script in &scripts {
                prop_assert!(bash_reads(script.text()), "{}", script.text());
            }
            let launch = plan.launch();
            prop_assert!(bash_reads(&client_program(launch.text())));
            rendered.set(rendered.get() + 1);
        }
        prop_assert!(spent() - start < AT_ONCE);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // Where every mutation is refused, nothing is shown about scripts.
    assert!(
        rendered.get() * 50 > cases,
        "only {} rendered",
        rendered.get()
    );
    println!("{} of {cases} were rendered", rendered.get());
}
