//! Each option that a recipe's loads produce is taken by the parsers of the real tools, of several releases.
//!
//! `tests/run` leaves it out: it takes minutes.
//!
//! ```shell
//! tests/lab/images   # once: the tools
//! cargo test --all-features --test client_releases -- --include-ignored --nocapture
//! ```
//!
//! The packages of the releases lie in `target/client_releases`, fetched by pip, and run with the lab's trees of the
//! tools, which have what all of them need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use nim_slurm::recipe::ClientTool;
use nim_slurm::{Plan, Recipe, Settings};

use crate::client::own_commands;

#[path = "common/client.rs"]
mod client;

/// What some releases import that the tree's own does not need.
const BESIDE: [&str; 6] = [
    "billiard",
    "cffi",
    "jinja2",
    "markupsafe",
    "orjson",
    "soundfile",
];

const AIPERF: [&str; 4] = ["0.2.0", "0.5.0", "0.9.0", "0.13.0"];
const GENAI_PERF: [&str; 4] = ["0.0.8", "0.0.10", "0.0.13", "0.0.16"];

/// A table of each kind; not each release can measure all of them.
const LOADS: &[&str] = &[
    "request_rate = [2.5, 10]",
    "request_rate = [1], arrival = 'constant'",
    "request_rate = [1], arrival = 'gamma', smoothness = 0.25",
    "request_rate = [2], duration = 60",
    "request_rate = [2], ramp = 10, arrival = 'constant'",
    "request_rate = [2], ramp = 10, arrival = 'constant', duration = '60s'",
    "duration = 60",
    "ramp = 10",
    "duration = 60, ramp = 10, prompts = 5000",
    "data = { file = '/data/prompts.jsonl', format = 'prompts' }",
    "data = { file = '/data/prompts.jsonl', format = 'sharegpt' }, request_rate = [2], arrival = 'constant'",
    "data = { file = '/data/prompts.jsonl', format = 'prompts' }, duration = 60",
    "prefix = { length = 64, count = 2 }",
    "turns = 4, delay = '2s'",
    "data = { file = '/data/prompts.jsonl', format = 'sharegpt' }, turns = 4, delay = '2s'",
    "turns = 4, request_rate = [2], prefix = { length = 64, count = 2 }",
    "turns = 4, duration = 60, ramp = 10",
    "data = { file = '/data/trace.jsonl', format = 'mooncake' }",
];

/// What the parsers look for.
const PROMPTS: &str = "tmp/prompts.0.jsonl";

/// Both tests fetch the same.
static FETCHING: Mutex<()> = Mutex::new(());

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The folder of a package, fetched once.
fn package(name: &str, packages: &[String]) -> PathBuf {
    let folder = here("target/client_releases").join(name);
    if !folder.exists() {
        let part = folder.with_extension("part");
        let _ = fs::remove_dir_all(&part);
        let status = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--only-binary=:all:", "--python-version", "3.11"])
            .args(["--root-user-action=ignore", "--disable-pip-version-check"])
            .arg("--target")
            .arg(&part)
            .args(packages)
            .status();
        assert!(status.expect("python3 is there").success(), "{packages:?}");
        fs::rename(part, &folder).unwrap();
    }
    folder
}

/// The lab's tree of a tool, unpacked.
fn tree(name: &str) -> PathBuf {
    let folder = here("target/law").join(name);
    if !folder.exists() {
        let cache = here("target/lab/cache");
        let entries = fs::read_dir(&cache).into_iter().flatten().flatten();
        let mut paths = entries.map(|entry| entry.path());
        let packed = paths.find(|path| {
            let file = path.file_name().unwrap().to_string_lossy();
            file.starts_with(&format!("{name}-")) && file.ends_with(".sqsh")
        });
        let packed = packed.unwrap_or_else(|| {
            panic!(
                "no {name} in {}: tests/lab/images builds it",
                cache.display()
            )
        });
        fs::create_dir_all(here("target/law")).unwrap();
        let part = folder.with_extension("part");
        let unpacked = Command::new("unsquashfs")
            .args(["-quiet", "-no-progress", "-force", "-dest"])
            .args([&part, &packed])
            .status();
        assert!(unpacked.expect("unsquashfs is there").success());
        fs::rename(part, &folder).unwrap();
    }
    folder
}

/// What the parser of a release says against a command; nothing if it takes it.
fn refusal(tree: &Path, paths: &str, command: &[String]) -> Option<String> {
    const INSIDE: &str = r#"
set -e
root=$1 releases=$2 parser=$3 paths=$4
shift 4
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind "$releases" "$root/mnt"
exec {parser}<"$parser"
chroot=$(command -v chroot)
exec env -i HOME=/tmp PYTHONPATH="$paths" PYTHONDONTWRITEBYTECODE=1 $(cat "$root/etc/environment") "$chroot" "$root" \
  timeout 100 python3 /proc/self/fd/"$parser" "$@"
"#;
    let output = Command::new("unshare")
        .args(["--mount", "bash", "-c", INSIDE, "client_releases"])
        .args([tree, &here("target/client_releases")])
        .arg(here("tests/lab/options_of_client.py"))
        .arg(paths)
        .args(command)
        .output()
        .expect("unshare is there");
    let said = String::from_utf8_lossy(&output.stderr);
    (!output.status.success()).then(|| said.lines().rev().take(3).collect::<Vec<_>>().join("\n"))
}

/// The recipe with this tool and this load, if the plan takes it.
fn plan(tool: ClientTool, load: &str) -> Option<Plan> {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = tool;
    let input = if load.starts_with("data") {
        ""
    } else {
        "input = '128s20', "
    };
    let output = if load.contains("mooncake") {
        ""
    } else {
        "output = '64s5', "
    };
    let table = format!("{{ name = 'chat', {input}{output}{load} }}");
    let text = recipe.to_toml();
    let own = "use_cases = [\"chat:128/128\", \"summarization:4096/512\"]";
    let text = text.replace(
        own,
        &format!("use_cases = ['plain:8/8', 'chat:128s20/64s5', {table}]"),
    );
    let mut recipe = Recipe::from_toml(&text).unwrap_or_else(|error| panic!("{error}"));
    if !load.contains("request_rate") {
        recipe.sweep.use_cases.remove(1);
    }
    Plan::new(recipe, Settings::new()).ok()
}

#[track_caller]
fn all_are_taken(tool: fn(&str) -> ClientTool, name: &str, tree_s: &str, releases: &[&str]) {
    let beside = BESIDE.map(str::to_owned);
    {
        let _alone = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
        package("beside", &beside);
    }
    let tree = tree(tree_s);
    let line = "{\"text_input\": \"a\", \"timestamp\": 0}\n";
    fs::write(tree.join(PROMPTS), line).unwrap();
    let (mut taken, mut wrong) = (0, Vec::new());
    for release in releases {
        let folder = format!("{name}-{release}");
        package(&folder, &[format!("{name}=={release}")]);
        let paths = format!("/mnt/{folder}:/mnt/beside");
        // Else it would be the tree's own that is asked.
        let unknown = ["--of-no-release".to_owned(), "1".to_owned()];
        let mut seen = Vec::new();
        for load in LOADS {
            let Some(plan) = plan(tool(release), load) else {
                continue;
            };
            for mut command in own_commands(plan.launch().text(), &[("{data}", "/tmp/prompts")]) {
                if seen.contains(&command) {
                    continue;
                }
                seen.push(command.clone());
                if let Some(said) = refusal(&tree, &paths, &command) {
                    wrong.push(format!("{name} {release}: {command:?}: {said}"));
                }
                taken += 1;
                if seen.len() == 1 {
                    let end = command.iter().position(|word| word == "--");
                    command.splice(
                        end.unwrap_or(command.len())..end.unwrap_or(command.len()),
                        unknown.clone(),
                    );
                    assert!(refusal(&tree, &paths, &command).is_some(), "{command:?}");
                }
            }
        }
        assert!(seen.len() >= 3, "{name} {release}: {seen:?}");
    }
    println!("{name}: {taken} commands, {} releases", releases.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[ignore = "takes minutes, and needs root, pip and the lab's images"]
fn aiperf_takes_each_option() {
    let tool = |release: &str| ClientTool::Aiperf(release.parse().unwrap());
    all_are_taken(tool, "aiperf", "aiperf", &AIPERF);
}

#[test]
#[ignore = "takes minutes, and needs root, pip and the lab's images"]
fn genai_perf_takes_each_option() {
    let tool = |release: &str| ClientTool::GenaiPerf(release.parse().unwrap());
    all_are_taken(tool, "genai-perf", "sdk", &GENAI_PERF);
}
