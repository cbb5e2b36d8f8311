//! What launch.sh gives the client's step of the Hugging Face hub: its own functions,
//! run by bash with a program in srun's place that says what it got.

use std::fs;
use std::process::Command;

use nim_slurm::recipe::{ClientTool, Search};
use nim_slurm::{Plan, Recipe, Settings};
use tempfile::TempDir;

/// Around the functions: what launch.sh has before it.
const BEFORE: &str = r#"
set -Eeuo pipefail
model_path=/model hub_cache=$stage_path/hf_cache results=/results run=/results/.run_1 logs=/logs job_id=1 client_image=client.sqsh extra_mounts=() client_mounts=()
tokenizer_path=${tokenizer:-$model_path}
step=(bash -c 'printf "%s\n" "$@"; env' srun)
keep_secrets() { echo "secrets: $*"; }
client_program() { :; }
fail() { echo "$*"; exit 1; }
log_of() { echo "/logs/$1_$2.out"; }
"#;

/// A function of the script, as it stands there.
fn function<'a>(script: &'a str, name: &str) -> &'a str {
    let start = script.find(&format!("\n{name}() {{\n")).unwrap();
    let length = script[start..].find("\n}\n").unwrap();
    &script[start..start + length + 3]
}

/// A stage path, with the default tokenizer in its cache or without.
fn stage(is_cached: bool) -> TempDir {
    let stage = tempfile::tempdir().unwrap();
    if is_cached {
        let snapshot = "hf_cache/hub/models--hf-internal-testing--llama-tokenizer/snapshots/0123";
        fs::create_dir_all(stage.path().join(snapshot)).unwrap();
        let last = stage.path().join(snapshot).join("special_tokens_map.json");
        fs::write(last, "{}").unwrap();
    }
    stage
}

/// The lines that the step is started with and finds in its environment, without the
/// stage path.
#[track_caller]
fn step(release: &str, tokenizer: &str, is_cached: bool) -> Vec<String> {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = ClientTool::GenaiPerf(release.parse().unwrap());
    recipe.client.tokenizer = Some(tokenizer.parse().unwrap());
    let launch = Plan::new(recipe, Settings::new()).unwrap().launch();
    let text = launch.text();
    let functions = ["own_folder", "set_container", "client_step"].map(|name| function(text, name));
    let of_hub = text
        .find("\nreadonly default_tokenizer=")
        .map_or("", |start| {
            let length = text[start..].find("\n}\n").unwrap();
            &text[start..start + length + 3]
        });
    let stage = stage(is_cached);
    let output = Command::new("bash")
        .args([
            "-c",
            &format!("{BEFORE}{}{of_hub}client_step 0", functions.concat()),
        ])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("stage_path", stage.path())
        .env("tokenizer", tokenizer)
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{words}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let words = words.replace(stage.path().to_str().unwrap(), "STAGE");
    words.lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_lines(lines: &[String], expected: &[&str]) {
    for line in expected {
        assert!(lines.iter().any(|l| l == line), "no {line:?} in {lines:#?}");
    }
}

const LOCAL: &str = "/opt/tokenizer";
const HUB: &str = "meta-llama/Meta-Llama-3-70B-Instruct";

/// Until 24.10 the tool loads its default tokenizer, whichever it is given.
#[test]
fn the_hub_is_asked_for_the_default_tokenizer_until_it_is_there() {
    assert_lines(
        &step("24.10", LOCAL, false),
        &[
            "secrets: HF_HOME",
            "--container-mounts=/results/.run_1:/results/.run_1,STAGE/hf_cache:STAGE/hf_cache",
            "--container-env=PYTHONUNBUFFERED,COLUMNS,HF_HUB_OFFLINE,TRANSFORMERS_OFFLINE,HF_HOME,NVIDIA_VISIBLE_DEVICES,NVIDIA_DRIVER_CAPABILITIES",
            "HF_HOME=STAGE/hf_cache",
            "HF_HUB_OFFLINE=0",
            "TRANSFORMERS_OFFLINE=0",
        ],
    );
    assert_lines(
        &step("24.10", LOCAL, true),
        &[
            "HF_HOME=STAGE/hf_cache",
            "HF_HUB_OFFLINE=1",
            "TRANSFORMERS_OFFLINE=1",
        ],
    );
}

#[test]
fn later_releases_need_no_more_than_they_are_given() {
    let lines = step("24.11", LOCAL, true);
    assert_lines(
        &lines,
        &[
            "secrets: ",
            "--container-mounts=/results/.run_1:/results/.run_1",
            "HF_HUB_OFFLINE=1",
        ],
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("HF_HOME")),
        "{lines:#?}"
    );
}

#[test]
fn a_tokenizer_of_the_hub_gets_the_token() {
    for release in ["24.10", "24.11"] {
        let lines = step(release, HUB, true);
        assert_lines(
            &lines,
            &[
                "secrets: HF_TOKEN HF_HOME",
                "HF_HOME=STAGE/hf_cache",
                "HF_HUB_OFFLINE=0",
            ],
        );
        let names = lines
            .iter()
            .find(|line| line.starts_with("--container-env="));
        assert!(names.unwrap().contains(",HF_TOKEN,"), "{names:?}");
    }
}

/// Of points that an earlier job finished, a searching client sees the requests alone: `measurement.txt` beside them has the
/// server's variables and the site's hooks.
#[test]
fn a_search_shows_requests_and_nothing_else_of_a_point() {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep.concurrency.clear();
    recipe.sweep.search = Some(Search::new(1, 4).with_itl("25".parse().unwrap()));
    let launch = Plan::new(recipe, Settings::new()).unwrap().launch();
    let functions =
        ["own_folder", "set_container", "client_step"].map(|name| function(launch.text(), name));
    let stage = tempfile::tempdir().unwrap();
    for (point, file) in [
        ("a", "profile_export.json"),
        ("b", "profile_export.jsonl"),
        ("c", "profile_export.json"),
    ] {
        fs::create_dir(stage.path().join(point)).unwrap();
        let table = file.replace("export", "export_genai_perf");
        for file in [file, &*table, "measurement.txt"] {
            fs::write(stage.path().join(point).join(file), "").unwrap();
        }
    }
    let of_points =
        "results=$stage_path folders=(a b c d) are_finished=(yes yes '' yes) tokenizer=/x";
    let mounts = launch.text();
    let mounts = &mounts[mounts.find("# By these a search decides, too.").unwrap()..];
    let (mounts, _) = mounts.split_once("\nsearch_in_client() {").unwrap();
    let program = format!(
        "{of_points}\n{BEFORE}\nresults=$stage_path\n{}{mounts}\nclient_step 0",
        functions.concat()
    );
    let output = Command::new("bash")
        .args(["-c", &program])
        .env("stage_path", stage.path())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let words = words.replace(stage.path().to_str().unwrap(), "STAGE");
    // By GenAI-Perf's table, pieces are tokens.
    let files = [
        "STAGE/a/profile_export.json",
        "STAGE/a/profile_export_genai_perf.json",
        "STAGE/b/profile_export.jsonl",
    ]
    .map(|file| format!(",{file}:{file}:ro"))
    .concat();
    let mounts = format!("--container-mounts=/results/.run_1:/results/.run_1{files}");
    assert!(
        words.lines().any(|line| line == mounts),
        "{words}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
