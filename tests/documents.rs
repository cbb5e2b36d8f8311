//! The documents in step with the code: the program takes the commands of README and guides, their
//! TOML is read, ARCHITECTURE.md names every crate that the library needs, and all of them
//! are under licences that go with its own.

mod common;
#[path = "common/same.rs"]
mod same;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use camino::Utf8Path;
use nim_slurm::{Plan, Recipe, Settings};

use crate::common::PROGRAM;
use crate::same::assert_same;

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
    // One tool takes the other's place.
    if part.contains("\n[client.tool]\n") {
        whole["client"].as_table_mut().unwrap().remove("tool");
    }
    put(&mut whole, toml::from_str(part).unwrap());
    let text = toml::to_string(&whole).unwrap();
    Recipe::from_toml(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// The guides of the crate's documentation, by their paths.
fn guides() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let guides = names.filter(|name| {
        Path::new(name).extension().is_some_and(|end| end == "md") && name != "links.md"
    });
    guides
        .map(|name| format!("src/guide/{name}"))
        .map(|path| (path.clone(), document(&path)))
        .collect()
}

/// The README and the guides.
fn for_users() -> Vec<(String, String)> {
    let readme = ("README.md".to_owned(), document("README.md"));
    std::iter::once(readme).chain(guides()).collect()
}

#[test]
fn settings_and_parts_of_recipes_in_the_documents_are_read() {
    let documents = for_users();
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    fs::create_dir(folder.join("hooks")).unwrap();
    let blocks: Vec<_> = documents
        .iter()
        .flat_map(|(_, text)| blocks(text, "toml"))
        .collect();
    assert!(blocks.len() >= 4, "{blocks:?}");
    for block in blocks {
        if block.starts_with("[server]") || block.starts_with("[sweep]") {
            let mut recipe = recipe_with(block);
            if block.contains("\nsearch = ") {
                recipe.sweep.concurrency.clear();
            }
            let plan = Plan::new(recipe, Settings::new());
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

/// The guide's table of recipes has each that is built in, in their order.
#[test]
fn each_built_in_recipe_is_in_the_guide() {
    let text = document("src/guide/recipe.md");
    let (_, table) = text.split_once("\n| recipe |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let named: Vec<_> = table
        .lines()
        .filter_map(|row| row.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        named,
        Recipe::BUILT_IN,
        "the recipes of src/guide/recipe.md and those of src/recipe.rs"
    );
}

/// The words of a command, as a shell would split those in the README.
fn words(command: &str, stage: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in command.replace("$STAGE_PATH", stage).chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The program takes the flags that the documents give it. There is no Slurm here, so it may
/// fail; but not for what it was given.
#[test]
fn commands_in_the_documents_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let stage = folder.path().join("stage");
    let results = stage.join("results");
    fs::create_dir_all(&results).unwrap();
    let stage = stage.to_str().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (real, name) in [("tests/data", "tests-data"), ("examples", "examples")] {
        std::os::unix::fs::symlink(root.join(real), folder.path().join(name)).unwrap();
    }
    // Two jobs finished a point each, and two variants of a third one.
    for (variant, job) in [
        ("", "4711"),
        ("", "4712"),
        ("-plain", "4713-0"),
        ("-batch-64", "4713-1"),
    ] {
        let name = format!("llama-3-70b-instruct{variant}_4_25_chat_128_128_{job}");
        let point = results.join(name);
        let file = "profile_export_genai_perf.json";
        fs::create_dir(&point).unwrap();
        fs::copy(
            root.join("tests/data/genai-perf/0.0.10").join(file),
            point.join(file),
        )
        .unwrap();
    }
    // As in the folder that is the stage path.
    std::os::unix::fs::symlink(&results, folder.path().join("results")).unwrap();
    fs::write(
        folder.path().join("site.toml"),
        "slurm.partition = 'batch'\n",
    )
    .unwrap();
    let documents = for_users();
    let commands = documents.iter().flat_map(|(_, text)| {
        let blocks = blocks(text, "shell").into_iter();
        let lines = blocks.map(|block| block.replace("\\\n", " ").replace("\n   ", "\n"));
        lines.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
    });
    let mut commands_seen = BTreeSet::new();
    for line in commands {
        let Some(command) = line.trim().strip_prefix("nim-slurm ") else {
            continue;
        };
        let (command, output_file) = command.split_once(" > ").unwrap_or((command, ""));
        let words = words(command, stage);
        commands_seen.insert(words[0].clone());
        let words = words.iter();
        let output = Command::new(PROGRAM)
            .args(words.map(|word| word.replace("tests/data", "tests-data")))
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("STAGE_PATH", stage)
            .output()
            .unwrap();
        assert!(
            // 4 is what a gate says of one run on each side.
            matches!(output.status.code(), Some(0 | 1 | 4)),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        if !output_file.is_empty() {
            fs::write(folder.path().join(output_file), output.stdout).unwrap();
        }
    }
    let expected = [
        "check", "explain", "follow", "recipes", "render", "report", "run", "status",
    ];
    assert!(commands_seen.iter().eq(expected), "{commands_seen:?}");
}

/// What the library needs, each in the form of `cargo tree`'s `format`.
fn needed(format: &str, features: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--color=never",
            "--edges=normal",
            "--prefix=none",
            "--offline",
        ])
        .args([
            format!("--format={format}"),
            format!("--features={features}"),
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).unwrap();
    // "(*)" stands behind what was shown before.
    let lines = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("nim-slurm "))
        .map(str::to_owned)
        .collect()
}

/// The library stays light, and each crate has its reason.
#[test]
fn every_crate_has_its_reason() {
    const MOST: usize = 60;
    let text = document("ARCHITECTURE.md");
    let (_, table) = text.split_once("## What it depends on").unwrap();
    let rows: Vec<Vec<_>> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    for features in ["", "cluster", "results", "cluster,results"] {
        let has = |feature: &str| features.split(',').any(|own| feature == format!("`{own}`"));
        let named: BTreeSet<_> = rows
            .iter()
            .filter(|cells| cells[4].is_empty() || cells[4].split(", ").any(has))
            .flat_map(|cells| [cells[1], cells[3]])
            .flat_map(|cell| cell.split(", "))
            .filter(|name| !name.is_empty())
            .collect();
        let needed = needed("{p}", features);
        let crates: BTreeSet<_> = needed
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        let place = format!("the table of ARCHITECTURE.md for features {features:?}");
        assert_same(&place, &named, &crates);
        assert!(crates.len() <= MOST, "{} crates", crates.len());
        println!("features {features:?}: {} crates", crates.len());
    }
    let most = needed("{p}", "cluster,results").len();
    let sentence = format!("has {most} crates below it");
    let security = document("SECURITY.md");
    assert!(security.contains(&sentence), "SECURITY.md: {sentence}");
}

/// The label and target of a line that defines a link.
fn definition(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("]: ")
}

/// The links that a guide names by a label in brackets.
fn labels(text: &str) -> BTreeSet<String> {
    let outside: Vec<_> = text.split("\n```").step_by(2).collect();
    let outside: Vec<_> = outside
        .iter()
        .flat_map(|part| part.lines())
        .filter(|line| definition(line).is_none())
        .collect();
    let outside = outside.join(" ");
    let mut labels = BTreeSet::new();
    for (place, _) in outside.match_indices('[') {
        let is_code = outside[..place].matches('`').count() % 2 == 1;
        let (label, after) = outside[place + 1..].split_once(']').unwrap();
        if !is_code && !after.starts_with('(') {
            labels.insert(label.to_owned());
        }
    }
    labels
}

/// What the guides name in brackets leads somewhere: in the crate's documentation by links.md, and as plain
/// Markdown by definitions at the end of each page. Nothing else is kept for them.
#[test]
fn links_of_the_guides_are_defined_and_used() {
    let definitions = document("src/guide/links.md");
    let known = definitions.lines().map(|line| definition(line).unwrap().0);
    let known: BTreeSet<_> = known.map(str::to_owned).collect();
    let mut used = BTreeSet::new();
    for (path, text) in guides() {
        let own = labels(&text);
        let defined = text.lines().filter_map(definition);
        let defined: BTreeSet<_> = defined.map(|(label, _)| label.to_owned()).collect();
        assert_same(&path, &defined, &own);
        used.extend(own);
    }
    assert_same("src/guide/links.md", known, used);
}

/// Each guide is a page of the crate's documentation, which names it, and in the README's list, in the same order.
#[test]
fn each_guide_is_in_both_lists() {
    let source = document("src/guide.rs");
    let included: Vec<_> = source
        .split("include_str!(\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .filter(|path| *path != "guide/links.md")
        .collect();
    let readme = document("README.md");
    let (_, list) = readme.split_once("\n## Guides\n").unwrap();
    let listed: Vec<_> = list
        .split("](src/")
        .skip(1)
        .map(|rest| rest.split_once(')').unwrap().0)
        .collect();
    assert_eq!(included, listed);
    assert_eq!(included.len(), guides().len());
    for path in included {
        let module = path.trim_start_matches("guide/").trim_end_matches(".md");
        assert!(source.contains(&format!("[`{module}`]")), "{module}");
    }
}

/// Each of them is under a licence that tests/deny.toml allows.
#[test]
fn licences_of_all_crates_go_with_ours() {
    let deny: toml::Table = toml::from_str(&document("tests/deny.toml")).unwrap();
    let allowed = deny["licenses"]["allow"].as_array().unwrap();
    for line in needed("{p} {l}", "cluster,results") {
        let (name, licence) = line.split_once(" v").unwrap();
        let (_, licence) = licence.split_once(' ').unwrap();
        let licence = licence.trim_start_matches("(proc-macro) ");
        // All parts of "AND" must be allowed, and one of "OR", which was once written "/".
        let goes = licence.split(" AND ").all(|part| {
            part.trim_matches(['(', ')'])
                .replace('/', " OR ")
                .split(" OR ")
                .any(|licence| allowed.contains(&licence.into()))
        });
        assert!(goes, "{name}: {licence}");
    }
}

/// No crate is built in two versions, for the library, its examples or its tests.
#[test]
fn no_crate_is_there_twice() {
    let lock: toml::Table = toml::from_str(&document("Cargo.lock")).unwrap();
    let mut versions = BTreeMap::<_, Vec<_>>::new();
    for package in lock["package"].as_array().unwrap() {
        let [name, version] = ["name", "version"].map(|key| package[key].as_str().unwrap());
        versions.entry(name).or_default().push(version);
    }
    assert!(versions.len() > 32, "{versions:?}");
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "{versions:?}");
}

/// Files that the documents point to are there.
#[test]
fn links_lead_somewhere() {
    let mut documents = for_users();
    for name in [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "tests/lab/README.md",
    ] {
        documents.push((name.to_owned(), document(name)));
    }
    for (name, text) in &documents {
        let folder = Path::new(name).parent().unwrap();
        let in_text = text.split("](").skip(1);
        let in_text = in_text.map(|link| link.split_once(')').unwrap().0);
        let at_the_end = text
            .lines()
            .filter_map(definition)
            .map(|(_, target)| target);
        // Rust has `[…](…)`, too.
        for target in in_text
            .chain(at_the_end)
            .filter(|target| target.contains(['.', '#']))
        {
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
                let there = match path.extension() {
                    None => text.clone(),
                    Some(_) => fs::read_to_string(&path).unwrap(),
                };
                let headings = there.lines().filter(|line| line.starts_with('#'));
                // As GitHub makes them: no punctuation, and hyphens for blanks.
                let mut anchors = headings.map(|line| {
                    let heading = line.trim_start_matches(['#', ' ']).to_lowercase();
                    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
                    let heading: String = heading.chars().filter(kept).collect();
                    heading.replace(' ', "-")
                });
                assert!(anchors.any(|anchor| anchor == heading), "{name}: {target}");
            }
        }
    }
}

/// The README is short, shows Rust soon, lines that launch.sh has, and tests that are there.
#[test]
fn the_readme_is_short_and_true() {
    let text = document("README.md");
    let words = text.split_whitespace().count();
    assert!(words <= 900, "{words} words");
    let line = text.lines().position(|line| line.starts_with("```rust"));
    assert!(line.is_some_and(|line| line < 60), "Rust at {line:?}");

    let script = document("tests/golden/launch.sh");
    let shown = blocks(&text, "bash").concat();
    assert!(shown.lines().count() >= 10, "{shown}");
    for line in shown.lines() {
        assert!(
            script.lines().any(|own| own == line),
            "not in launch.sh: {line}"
        );
    }

    let (_, table) = text.split_once("| test |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    assert!(table.lines().count() > 8, "{table}");
    for row in table.lines().skip(1) {
        let (_, cell) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let name = cell.split('`').nth(1).unwrap();
        let (_, file) = cell.rsplit_once('(').unwrap();
        let source = document(file.trim_end_matches(')'));
        let is_there = [format!("fn {name}("), format!("name: \"{name}\"")];
        assert!(is_there.iter().any(|text| source.contains(text)), "{row}");
    }
}

/// Hosted checks and the justfile start scripts that are there, and can be started.
#[test]
fn hosted_checks_run_our_scripts() {
    let workflow = document(".github/workflows/checks.yml");
    let run = workflow.split("- run: ").skip(1);
    let run = run.map(|rest| rest.lines().next().unwrap());
    let justfile = document("justfile");
    let recipes = justfile
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    let words = run.chain(recipes).filter_map(|line| line.split(' ').next());
    let scripts: BTreeSet<_> = words.filter(|word| word.starts_with("tests/")).collect();
    assert!(scripts.len() >= 6, "{scripts:?}");
    for script in scripts {
        let text = document(script);
        assert!(text.starts_with("#!/usr/bin/env bash\n"), "{script}");
    }
    assert!(document("tests/run").contains("\ntests/quick --include-ignored "));
}

/// All templates of scripts, one after the other.
fn templates() -> String {
    fn read(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, text);
            } else if path.extension().is_some_and(|end| end == "sh") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
        &mut text,
    );
    text
}

/// A message as the guide has it: `…` for what bash puts in; to the first colon or bracket, if that says enough.
fn message(quoted: &str) -> String {
    let mut message = String::new();
    let mut letters = quoted.chars().peekable();
    let mut depth = 0;
    while let Some(letter) = letters.next() {
        match letter {
            '{' | '(' if depth > 0 => depth += 1,
            '}' | ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            '\\' => message.extend(letters.next()),
            '"' => break,
            '$' => {
                message.push('…');
                while letters
                    .next_if(|next| next.is_alphanumeric() || *next == '_')
                    .is_some()
                {}
                if letters.next_if(|next| ['{', '('].contains(next)).is_some() {
                    depth = 1;
                }
            }
            _ => message.push(letter),
        }
    }
    let ends = [": ", " ("].into_iter().filter_map(|end| message.find(end));
    match ends.filter(|end| *end >= 16).min() {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

/// Whatever a script says to be missing, and each code that it ends with, is in the guide.
#[test]
fn every_message_and_every_code_is_in_the_guide() {
    assert_eq!(
        message(r#"the $a on ${b[0]//"x"/y}, as $(c "$d"): do it"#),
        "the … on …, as …"
    );
    let guide = document("src/guide/troubleshooting.md");
    let templates = templates();
    let messages: BTreeSet<_> = templates.split("missing \"").skip(1).map(message).collect();
    assert!(messages.len() > 25, "{messages:?}");
    for message in messages {
        assert!(
            guide.contains(&format!("| `{message}")),
            "no row for: {message}"
        );
    }
    let codes = ["exit ", "code=", "set -- "]
        .iter()
        .flat_map(|word| templates.split(word).skip(1));
    let codes: BTreeSet<u32> = codes
        .filter_map(|rest| {
            rest.split(|letter: char| !letter.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        // flock's, when another one has the lock; the script ends with 1.
        .filter(|code| *code != 75)
        .collect();
    assert!(codes.len() > 8, "{codes:?}");
    let rows = guide
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let named: BTreeSet<u32> = rows
        .flat_map(|(cell, _)| cell.split(", "))
        .filter_map(|code| code.parse().ok())
        .collect();
    assert_same("the codes of src/guide/troubleshooting.md", &named, &codes);
}

/// The sentences of a document: without code, tables, headings and definitions of links.
fn sentences(text: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    for part in text.split("\n```").step_by(2) {
        // The first line is what is left of the fence above.
        for line in part.lines() {
            let line = line.trim_start();
            let is_item = line.starts_with("* ")
                || line
                    .split_once(". ")
                    .is_some_and(|(number, _)| number.parse::<u8>().is_ok());
            if line.is_empty() || is_item || line.starts_with(['|', '#', '[', '!']) {
                sentences.push(String::new());
            }
            if line.starts_with(['|', '#', '!']) || definition(line).is_some() {
                continue;
            }
            for word in line.split_whitespace() {
                let last = sentences.last_mut().unwrap();
                last.push_str(word);
                last.push(' ');
                if word.trim_end_matches([')', '*']).ends_with(['.', '?', '!']) {
                    sentences.push(String::new());
                }
            }
        }
        sentences.push(String::new());
    }
    sentences.retain(|sentence| sentence.contains(char::is_alphabetic));
    sentences
}

/// Who needs more words than these is told in other words.
#[test]
fn the_glossary_is_short() {
    let text = document("src/guide/glossary.md");
    let terms = text.lines().filter(|line| line.starts_with("| "));
    let terms = terms.count() - 1; // the head
    assert!((10..=20).contains(&terms), "{terms}");
}

/// Words of yesterday, and phrases that need a second reading.
const BANNED: [&str; 28] = [
    "mend",
    "mended",
    "amiss",
    "anew",
    "hitherto",
    "thereof",
    "therein",
    "whilst",
    "hence",
    "thus",
    "shall",
    "for ever",
    "own lines",
    "stands behind",
    "stand behind",
    "there and whole",
    "leave to write",
    "leave to make",
    "leave to replace",
    "the matter",
    "see to it",
    "ended well",
    "ends well",
    "by lot",
    "held down",
    "ask for leave",
    "has a gate",
    "thrown together",
];

/// README and guides are in short sentences, and in words of today.
#[test]
fn documents_for_users_are_in_plain_english() {
    const MOST_WORDS: usize = 18;
    assert_eq!(
        sentences(
            "# A\n\nOne two. Three\nfour? five\n* six\n\n```\nno. no.\n```\nSeven\n| a | b |\n"
        )
        .len(),
        5
    );
    for (path, text) in for_users() {
        let sentences = sentences(&text);
        let words: usize = sentences
            .iter()
            .map(|sentence| sentence.split_whitespace().count())
            .sum();
        let count = sentences.len();
        assert!(
            words <= MOST_WORDS * count,
            "{path}: {words} words in {count} sentences"
        );
        for sentence in sentences {
            let lower = format!(
                " {} ",
                sentence
                    .to_lowercase()
                    .replace(|letter: char| !letter.is_alphanumeric(), " ")
            );
            let mut banned = BANNED.iter().chain(&["nobody"]);
            let banned = banned.find(|word| lower.contains(&format!(" {word} ")));
            assert!(
                banned.is_none(),
                "{path}: \"{}\" in: {sentence}",
                banned.unwrap()
            );
        }
    }
}

/// What people read of the sources: documentation, comments and texts; of templates all. Each with its line.
fn readable_lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let is_rust = path.extension().is_some_and(|end| end == "rs");
    let numbered = text.lines().enumerate();
    let read = numbered.filter_map(|(index, line)| {
        let words = match line.trim_start().split_once("//") {
            _ if !is_rust => line.to_owned(),
            Some(("", comment)) => comment.to_owned(),
            // What stands between quotes; names of variables do not.
            _ => line
                .split('"')
                .skip(1)
                .step_by(2)
                .collect::<Vec<_>>()
                .join(" "),
        };
        (!words.is_empty()).then_some((index + 1, words))
    });
    read.collect()
}

/// All files below a folder of the crate.
fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

/// Documentation, messages, errors and scripts are in words of today.
#[test]
fn sources_and_scripts_are_in_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut count = 0;
    let folders = ["src", "templates", "examples"].map(|name| root.join(name));
    for path in folders.iter().flat_map(|folder| files_below(folder)) {
        // The picture has no words.
        if path.extension().is_some_and(|end| end == "svg") {
            continue;
        }
        for (line, words) in readable_lines(&path) {
            count += 1;
            let words = words.to_lowercase();
            let words = words.replace(|letter: char| !letter.is_alphanumeric(), " ");
            let words = format!(
                " {} ",
                words.split_whitespace().collect::<Vec<_>>().join(" ")
            );
            let banned = BANNED
                .iter()
                .filter(|word| words.contains(&format!(" {word} ")));
            let place = path.strip_prefix(root).unwrap().display();
            found.extend(banned.map(|word| format!("{place}:{line}: \"{word}\"")));
        }
    }
    assert!(count > 10_000, "{count}");
    assert!(found.is_empty(), "{found:#?}");
}

/// Each room is in the table of ARCHITECTURE.md, and each file that the table names is in
/// its room.
#[test]
fn the_rooms_are_as_the_architecture_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = document("ARCHITECTURE.md");
    let (_, table) = text.split_once("\n## The rooms\n").unwrap();
    let (table, _) = table.split_once("\n\n`").unwrap();
    let in_backticks = |cell: &str| -> Vec<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let mut named = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').collect();
        let rooms = in_backticks(cells[1]);
        for file in in_backticks(cells[2]) {
            let is_there = |place: &Path| place.join(&file).exists();
            let is_file = file.contains('.') || file.ends_with('/');
            // A room has folders of its own.
            let mut places: Vec<_> = rooms.iter().map(|room| root.join(room)).collect();
            places.push(root.to_owned());
            places.extend(rooms.iter().map(|room| root.join(room).join("directives")));
            assert!(
                !is_file || places.iter().any(|place| is_there(place)),
                "ARCHITECTURE.md: {file} is not in {rooms:?}"
            );
        }
        for path in rooms.into_iter().chain(in_backticks(cells[2])) {
            named.insert(path.trim_end_matches('/').to_owned());
        }
    }
    for entry in fs::read_dir(root.join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.strip_suffix(".rs").unwrap_or(&name);
        let path = format!("src/{stem}");
        assert!(
            stem == "lib" || named.contains(&path) || named.contains(&format!("{path}.rs")),
            "ARCHITECTURE.md, \"The rooms\", does not say what {path} is"
        );
    }
}

/// SECURITY.md promises nothing without a test, and each that it names is there.
#[test]
fn every_promise_names_its_test() {
    let text = document("SECURITY.md").replace('\n', " ");
    let words: Vec<_> = text.split('`').skip(1).step_by(2).collect();
    let mut waiting = Vec::new();
    let mut count = 0;
    for word in words {
        let is_file = Path::new(word).extension().is_some_and(|end| end == "rs");
        if !is_file {
            waiting.push(word);
            continue;
        }
        let source = fs::read_to_string(word).unwrap_or_else(|error| panic!("{word}: {error}"));
        // One or two stand in front of the file that has them.
        let is_name = |word: &&&str| {
            word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        for name in waiting.iter().rev().take(2).filter(is_name) {
            let is_there = source.contains(&format!("fn {name}("));
            assert!(is_there, "no {name} in {word}");
            count += 1;
        }
        waiting.clear();
    }
    assert!(count > 30, "{count}");
}
