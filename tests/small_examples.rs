//! The examples that are documentation: each runs, and is short. `submit_and_follow` runs in
//! `login_node.rs`, beside stand-ins for Slurm.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nim_slurm::{Plan, Recipe, Settings};

mod common;

const MOST_LINES: usize = 60;

fn run(name: &str, folder: &Path, arguments: &[&str], golden: Option<&str>) -> Output {
    let mut command = Command::new(common::example(name));
    command.current_dir(folder).args(arguments);
    command.env_remove("GOLDEN");
    command.envs(golden.map(|word| ("GOLDEN", word)));
    command.output().unwrap()
}

#[track_caller]
fn succeeds(name: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = run(name, folder, arguments, None);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_is_short_and_is_run() {
    let tests = ["tests/small_examples.rs", "tests/login_node.rs"];
    let tests = tests.map(|file| fs::read_to_string(file).unwrap()).concat();
    let mut all_lines = 0;
    for entry in fs::read_dir("examples").unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert!(!path.join("main.rs").exists(), "an example is one file");
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{name} has {lines} lines");
        assert!(tests.contains(&format!("(\"{name}\"")), "{name} is not run");
        all_lines += lines;
    }
    assert!(all_lines <= 400, "{all_lines} lines");
}

#[test]
fn own_job() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds("own_job", folder.path(), &[]);
    assert_eq!(
        printed,
        "to submit it: sbatch gpus.sh\n\
         a wrong job is refused:\n\
         --nodes: cannot take \"0\" as node count: it must be at least 1\n\
         --gres and --gpus-per-node exclude each other: GPUs are asked for in one way\n"
    );
    let script = fs::read_to_string(folder.path().join("gpus.sh")).unwrap();
    assert_eq!(
        script,
        "#!/usr/bin/env bash\n\
         #SBATCH --job-name=gpus\n\
         #SBATCH --partition=batch\n\
         #SBATCH --nodes=2\n\
         #SBATCH --ntasks-per-node=1\n\
         #SBATCH --gpus-per-node=4\n\
         #SBATCH --time=00:10:00\n\
         srun nvidia-smi --list-gpus\n"
    );
}

#[test]
fn own_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds("own_recipe", folder.path(), &[]);
    assert_eq!(
        printed,
        "wrote qwen3-vllm/setup.sh\nwrote qwen3-vllm/prepare_models.sh\nwrote qwen3-vllm/launch.sh\n"
    );
    let read =
        |name: &str| fs::read_to_string(folder.path().join("qwen3-vllm").join(name)).unwrap();
    assert!(read("launch.sh").contains("\n#SBATCH --gpus-per-node=1\n"));
    // The file gives the same images and model as the program.
    let recipe = Recipe::from_toml(&read("recipe.toml")).unwrap();
    assert_eq!(recipe.sweep.concurrency, [1, 8, 64]);
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    assert_eq!(plan.setup().text(), read("setup.sh"));
    assert_eq!(plan.prepare_models().text(), read("prepare_models.sh"));
}

/// The faster of two points is above the limit on the first token.
#[test]
fn choose_point() {
    let folder = tempfile::tempdir().unwrap();
    let csv =
        fs::read_to_string("tests/data/genai-perf/0.0.10/profile_export_genai_perf.csv").unwrap();
    let point = |concurrency: u32, csv: &str| {
        let name = format!("llama_4_{concurrency}_chat_128_128_1");
        let point = folder.path().join("results").join(name);
        fs::create_dir_all(&point).unwrap();
        fs::write(point.join("profile_export_genai_perf.csv"), csv).unwrap();
    };
    let choose = || succeeds("choose_point", folder.path(), &["results"]);
    let overloaded = csv
        .replace(",34.18,", ",634.18,")
        .replace("7,142.46", "9,000.00");
    point(100, &overloaded);
    assert_eq!(
        choose(),
        "chat 128/128: no point is known to be within the limits\n"
    );
    point(25, &csv);
    assert_eq!(
        choose(),
        "chat 128/128: the best point is results/llama_4_25_chat_128_128_1\n  \
         7142 tokens/s at concurrency 25\n  \
         the first token comes within 34 ms, for 95 of 100 requests\n"
    );
    let output = run("choose_point", folder.path(), &["nothing"], None);
    assert!(!output.status.success());
}

#[test]
fn golden_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let run = |golden| run("golden_scripts", folder.path(), &["tests/golden"], golden);
    let output = run(None);
    assert!(!output.status.success(), "there are none yet");
    let errors = String::from_utf8_lossy(&output.stderr);
    for words in [
        "tests/golden/setup.sh: No such file",
        "GOLDEN=overwrite writes it",
    ] {
        assert!(errors.contains(words), "{errors}");
    }
    assert!(run(Some("overwrite")).status.success());
    let output = run(None);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.matches(" is as it was\n").count(), 3, "{printed}");
    let launch = folder.path().join("tests/golden/launch.sh");
    let text = fs::read_to_string(&launch).unwrap();
    assert!(text.contains("\n#SBATCH --account=proj\n"));
    fs::write(&launch, text.replace("--account=proj", "--account=other")).unwrap();
    let output = run(None);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("launch.sh: it is another script now"),
        "{errors}"
    );
}

/// The recipe by typed builders, with the same scripts as the program writes without flags.
#[test]
fn llama3_70b_h100x4_fp8() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds("llama3_70b_h100x4_fp8", folder.path(), &[]);
    assert!(
        printed.contains("\n  sbatch llama3-70b-h100x4-fp8/launch.sh\n"),
        "{printed}"
    );
    let mut program = Command::new(common::PROGRAM);
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("SBATCH_")) {
        program.env_remove(name);
    }
    program.current_dir(folder.path()).env_remove("STAGE_PATH");
    let output = program.args(["render", "own"]).output().unwrap();
    assert!(output.status.success());
    for script in ["setup.sh", "prepare_models.sh", "launch.sh"] {
        let read = |place: &str| fs::read_to_string(folder.path().join(place).join(script));
        let (example, program) = (read("llama3-70b-h100x4-fp8"), read("own"));
        assert!(example.unwrap() == program.unwrap(), "{script}");
    }
    succeeds("llama3_70b_h100x4_fp8", folder.path(), &["elsewhere"]);
    assert!(folder.path().join("elsewhere/launch.sh").exists());
}
