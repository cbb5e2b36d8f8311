//! The documents in step with the code: README's commands are taken by the examples, its
//! TOML is read, and ARCHITECTURE.md names every crate that the library needs.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use camino::Utf8Path;
use nim_slurm::{Plan, Recipe, Settings};

use crate::common::example;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The blocks of code in one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&fence) {
        let (block, after) = after.split_once("```").unwrap();
        blocks.push(block);
        rest = after;
    }
    blocks
}

/// A recipe with the keys of a part of one.
fn recipe_with(part: &str) -> Recipe {
    fn put(under: &mut toml::Table, over: toml::Table) {
        for (key, value) in over {
            match (under.get_mut(&key), value) {
                (Some(toml::Value::Table(under)), toml::Value::Table(over)) => put(under, over),
                (_, value) => {
                    under.insert(key, value);
                }
            }
        }
    }
    let mut whole: toml::Table =
        toml::from_str(&Recipe::llama3_70b_h100x4_fp8().to_toml()).unwrap();
    put(&mut whole, toml::from_str(part).unwrap());
    let text = toml::to_string(&whole).unwrap();
    Recipe::from_toml(&text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn settings_and_parts_of_recipes_in_the_readme_are_read() {
    let readme = document("README.md");
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    fs::create_dir(folder.join("hooks")).unwrap();
    let blocks = blocks(&readme, "toml");
    assert!(blocks.len() >= 2, "{blocks:?}");
    for block in blocks {
        if block.starts_with("[server]") || block.starts_with("[sweep]") {
            let plan = Plan::new(recipe_with(block), Settings::new());
            plan.unwrap_or_else(|error| panic!("{error}\n{block}"));
            continue;
        }
        for file in block.split('"').filter(|word| word.starts_with("hooks/")) {
            fs::write(folder.join(file), "true\n").unwrap();
        }
        let file = folder.join("site.toml");
        fs::write(&file, block).unwrap();
        let settings = Settings::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings);
        plan.unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}

/// The words of a command, as a shell would split those in the README.
fn words(command: &str, stage: &str) -> Vec<String> {
    command
        .split_whitespace()
        .map(|word| word.replace("$STAGE_PATH", stage).replace('"', ""))
        .collect()
}

/// Every example that the README calls takes the flags that it is called with. There is
/// no Slurm here, so it may fail; but not for what it was given.
#[test]
fn commands_in_the_readme_are_taken() {
    let readme = document("README.md");
    let folder = tempfile::tempdir().unwrap();
    let stage = folder.path().join("stage");
    let results = stage.join("results");
    fs::create_dir_all(&results).unwrap();
    let stage = stage.to_str().unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::os::unix::fs::symlink(data, folder.path().join("tests-data")).unwrap();
    let mut names = BTreeSet::new();
    for block in blocks(&readme.replace("\n   ", "\n"), "shell") {
        for line in block.replace("\\\n", " ").lines() {
            let Some((_, command)) = line.trim().split_once("cargo run --example ") else {
                continue;
            };
            let words = words(command, stage);
            let (name, flags) = words.split_first().unwrap();
            let flags = flags
                .iter()
                .skip_while(|word| *word != "--")
                .skip(1)
                .map(|word| word.replace("tests/data", "tests-data"));
            let output = Command::new(example(name))
                .args(flags)
                .current_dir(folder.path())
                .env_clear()
                .env("HOME", folder.path())
                .env("STAGE_PATH", stage)
                .output()
                .unwrap();
            assert!(
                matches!(output.status.code(), Some(0 | 1)),
                "{line}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            names.insert(name.clone());
        }
    }
    let expected = ["llama3_70b_h100x4_fp8", "preflight", "report"];
    assert_eq!(names, expected.map(str::to_owned).into());
}

/// The library stays light, and each crate has its reason.
#[test]
fn every_crate_has_its_reason() {
    const MOST: usize = 60;
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--edges=normal",
            "--prefix=none",
            "--format={p}",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "nim-slurm")
        .collect();
    let text = document("ARCHITECTURE.md");
    let (_, table) = text.split_once("## What it depends on").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let named: BTreeSet<_> = rows
        .skip(1)
        .flat_map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            [cells[1], cells[3]]
        })
        .flat_map(|cell| cell.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(crates, named);
    assert!(crates.len() <= MOST, "{} crates", crates.len());
    println!("{} crates below the library", crates.len());
    let security = document("SECURITY.md");
    assert!(security.contains(&format!("has {} crates below it", crates.len())));
}

/// Files that the documents point to are there.
#[test]
fn links_lead_somewhere() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "tests/lab/README.md",
    ] {
        let text = document(name);
        let folder = Path::new(name).parent().unwrap();
        for link in text.split("](").skip(1) {
            let (target, _) = link.split_once(')').unwrap();
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = folder.join(path);
            assert!(
                path.as_os_str().is_empty() || path.exists(),
                "{name}: {target}"
            );
            if !heading.is_empty() {
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| {
                    line.trim_start_matches(['#', ' '])
                        .to_lowercase()
                        .replace(' ', "-")
                });
                assert!(anchors.any(|anchor| anchor == heading), "{name}: {target}");
            }
        }
    }
}
