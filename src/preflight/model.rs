//! Whether the model is complete, by the scripts' own rules.

use std::fs;

use camino::Utf8Path;

use super::fix::words;
use super::to_fetch::{Stage, in_words};
use super::{Finding, Preflight, fetched, listed, readable, safetensors};
use crate::file;
use crate::recipe::{ByteSize, ENGINE_LINK, INDEX, Recipe, Weights};
use crate::shell::shell_word;

/// An index names some thousand tensors; a file with more than this is none.
const MOST_INDEX: u64 = 16 << 20;

/// No model has more files and folders; where there are more, the sizes are left to prepare_models.sh.
const MOST_FILES: usize = 10_000;

/// Missing files that are named; the others are counted.
const MOST_NAMED: usize = 3;

pub(super) fn check(preflight: &Preflight<'_>, stage_path: &Utf8Path, stage: &mut Stage) {
    let recipe = preflight.plan.recipe();
    let folder = stage_path.join(recipe.model.weights.folder());
    let is_staged = recipe.model.weights.are_staged();
    let prepare = if is_staged {
        words("nim-slurm run fetches what is missing, with prepare_models.sh")
    } else {
        words("correct the recipe's model.weights.path, or put the model there")
    };
    let engine = folder.join(ENGINE_LINK);
    if let Some(finding) = readable::hindrance(&folder).or_else(|| readable::hindrance(&engine)) {
        stage.findings.push(finding);
        stage.to_fetch.needs_weights = false;
        stage.to_fetch.needs_engine = false;
        return;
    }
    if fs::symlink_metadata(&folder).is_err() {
        let message = format!("the model is not there yet: no folder {folder}");
        stage.findings.push(if is_staged {
            Finding::note(message, prepare)
        } else {
            Finding::warning(message, prepare)
        });
        return;
    }
    if let Some(file) = stray_link(preflight, &folder) {
        stage.to_fetch.needs_weights = false;
        stage.to_fetch.needs_engine = false;
        let message = format!(
            "{folder}/{file} leads out of that folder, so the server's container does not see it"
        );
        let help = words(
            "copy the model, as with cp -rL, or mount where the link leads ([container] mounts)",
        );
        stage.findings.push(Finding::error(message, help));
        return;
    }
    let parts = faults(recipe, &folder);
    let others = others(recipe, &folder);
    let other = |part: &str| {
        let mut others = others.iter();
        others.find_map(|(name, other)| other.as_ref().filter(|_| *name == part))
    };
    let needs = |part: &str| {
        let mut parts = parts.iter();
        let is_at_fault = |(name, fault): &(&str, Option<_>)| *name == part && fault.is_some();
        is_staged && (other(part).is_some() || parts.any(is_at_fault))
    };
    stage.to_fetch.needs_weights = needs("weights");
    stage.to_fetch.needs_engine = needs("engine");
    let is_link = folder.is_symlink();
    if is_link && recipe.model.engine.is_some() && stage.to_fetch.is_model_needed() {
        let message = format!("{folder} is a link to a model that is not complete, or another one");
        let help = words("prepare_models.sh changes nothing there, since others may use it: ")
            .command(&format!("rm {}", shell_word(folder.as_str())));
        stage.findings.push(Finding::error(message, help));
        return;
    }
    stage.findings.extend(no_tokenizer(recipe, &folder, &parts));
    for (part, fault) in parts {
        if let Some(other) = other(part) {
            let message = format!(
                "the model's {part} in {folder}: {other} was fetched there, and the recipe names another"
            );
            let help = words("prepare_models.sh keeps that aside and fetches the recipe's: render the scripts, then type ")
                .command("bash prepare_models.sh");
            stage.findings.push(Finding::warning(message, help));
            continue;
        }
        stage.findings.push(match fault {
            None => Finding::ok(format!("the model has its {part}, in {folder}")),
            Some(fault) => Finding::warning(
                format!("the model's {part} in {folder}: {fault}"),
                prepare.clone(),
            ),
        });
    }
}

/// That a model which is there has no tokenizer, and the client no other.
fn no_tokenizer(
    recipe: &Recipe,
    folder: &Utf8Path,
    parts: &[(&str, Option<String>)],
) -> Option<Finding> {
    let is_incomplete = parts.iter().any(|(_, fault)| fault.is_some());
    if is_incomplete || recipe.client.tokenizer.is_some() {
        return None;
    }
    let mut entries = folder.read_dir_utf8().ok()?.flatten();
    let has_one = entries.any(|entry| Weights::is_of_tokenizer(entry.file_name()));
    (!has_one).then(|| {
        let message = format!("no file in {folder} is a tokenizer's, and the client counts tokens");
        let help = words("name a tokenizer in the recipe, as in ")
            .command("tokenizer = \"OWNER/NAME\"")
            .words(" under [client]");
        Finding::error(message, help)
    })
}

/// True when nothing is missing or damaged, and nothing is known to be of another model.
pub(super) fn is_whole(preflight: &Preflight<'_>, stage_path: &Utf8Path) -> bool {
    let recipe = preflight.plan.recipe();
    let folder = stage_path.join(recipe.model.weights.folder());
    // A program that can be given up asks a file system that may not answer.
    preflight.succeeds("test", &["-d", folder.as_str()])
        && faults(recipe, &folder)
            .iter()
            .all(|(_, fault)| fault.is_none())
        && others(recipe, &folder)
            .iter()
            .all(|(_, other)| other.is_none())
        && stray_link(preflight, &folder).is_none()
}

/// A file of the model that leads out of its folder, as all of a hub's cache do. What is mounted beside it may have them.
fn stray_link(preflight: &Preflight<'_>, folder: &Utf8Path) -> Option<String> {
    if !preflight.plan.settings().mounts().is_empty() {
        return None;
    }
    let real = folder.canonicalize_utf8().ok()?;
    let leads_out = |file: &String| {
        let place = folder.join(file).canonicalize();
        place.is_ok_and(|place| !place.starts_with(&real))
    };
    let files = preflight.plan.recipe().model.weights.files_to_find();
    all_files(folder, files).into_iter().find(leads_out)
}

/// By part, what was fetched there in place of what the recipe names.
fn others(recipe: &Recipe, folder: &Utf8Path) -> [(&'static str, Option<String>); 2] {
    let model = &recipe.model;
    if !model.weights.are_staged() {
        return [("weights", None), ("engine", None)];
    }
    let engine = model.engine.as_ref();
    let engine = engine
        .and_then(|engine| fetched::other_than(engine.ngc.as_str(), &folder.join(ENGINE_LINK)));
    let weights = fetched::other_than(&model.weights.source.to_string(), folder);
    [("weights", weights), ("engine", engine)]
}

/// What is missing of the weights or damaged, and what of the engine where there is one.
fn faults(recipe: &Recipe, folder: &Utf8Path) -> Vec<(&'static str, Option<String>)> {
    let Recipe { model, server, .. } = recipe;
    let files = all_files(folder, model.weights.files_to_find());
    let engine_folder = model.engine.as_ref().map(|engine| engine.ngc.folder());
    let beside = match &engine_folder {
        Some(engine) => [engine, ENGINE_LINK].to_vec(),
        None => vec![".cache"],
    };
    let weights = is_missing(&missing_files(folder, &files))
        .or_else(|| damage(folder, &files))
        .or_else(|| shortage(folder, &beside, &model.weights.size));
    let mut parts = vec![("weights", weights)];
    if let Some(engine) = &model.engine {
        let missing = missing_engine(folder, server.total_gpus());
        let fault = is_missing(&missing)
            .or_else(|| shortage(&folder.join(ENGINE_LINK), &beside, &engine.size));
        parts.push(("engine", fault));
    }
    parts
}

/// That more was expected than arrived. NGC's own totals are rounded, so a hundredth may be missing.
fn shortage(folder: &Utf8Path, beside: &[&str], expected: &ByteSize) -> Option<String> {
    let arrived = arrived(folder, beside)?;
    let is_short = u128::from(arrived) * 100 < u128::from(expected.bytes()) * 99;
    is_short.then(|| format!("{} arrived, {expected} were expected", in_words(arrived)))
}

/// How many bytes its files have, as prepare_models.sh counts them: without what the scripts wrote down, and what lies
/// `beside` them. With links, which it does not count and a server may follow, nobody knows.
fn arrived(folder: &Utf8Path, beside: &[&str]) -> Option<u64> {
    const RECORDS: [&str; 2] = [".nim-slurm-verified", ".reference"];
    let (mut bytes, mut files) = (0_u64, 0);
    let mut folders = vec![(folder.as_std_path().to_owned(), beside)];
    while let Some((folder, beside)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            files += 1;
            if files > MOST_FILES {
                return None;
            }
            let name = entry.file_name();
            let is_left_out = RECORDS.iter().chain(beside).any(|other| name == *other);
            match entry.metadata() {
                _ if is_left_out => {}
                Ok(there) if there.is_dir() => folders.push((entry.path(), &[])),
                Ok(there) if there.is_file() => bytes = bytes.saturating_add(there.len()),
                Ok(there) if there.is_symlink() => return None,
                _ => {}
            }
        }
    }
    Some(bytes)
}

/// Those of the files that are not there, or empty.
fn missing_files(folder: &Utf8Path, files: &[String]) -> Vec<String> {
    let mut missing: Vec<_> = files
        .iter()
        .filter(|file| !is_filled(&folder.join(file)))
        .cloned()
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// The first of the shards whose length is not what its header promises.
fn damage(folder: &Utf8Path, files: &[String]) -> Option<String> {
    let mut shards = files.iter().filter(|file| file.ends_with(".safetensors"));
    shards.find_map(|shard| {
        let fault = safetensors::fault(&folder.join(shard))?;
        Some(format!("{shard} {fault}"))
    })
}

/// These files, and the shards that the folder's index names.
fn all_files<'a>(folder: &Utf8Path, files: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let index = file::linked_text(folder.join(INDEX), MOST_INDEX).unwrap_or_default();
    let mut files: Vec<_> = files.into_iter().map(str::to_owned).collect();
    files.extend(indexed_shards(&index).into_iter().map(str::to_owned));
    files
}

/// What is missing of the engine: a part for each GPU.
fn missing_engine(folder: &Utf8Path, gpus: u32) -> Vec<String> {
    (0..gpus)
        .map(|rank| format!("{ENGINE_LINK}/rank{rank}.engine"))
        .filter(|part| !is_filled(&folder.join(part)))
        .collect()
}

/// True for a file with something in it.
fn is_filled(path: &Utf8Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}

/// The shards that an index names, each once, as lib/model_files.sh finds them: texts in
/// quotes that end in `.safetensors`, of printable ASCII characters without `/`.
fn indexed_shards(index: &str) -> Vec<&str> {
    let mut shards = Vec::new();
    for line in index.lines() {
        let mut pieces = line.split('"').skip(1).peekable();
        while let Some(text) = pieces.next() {
            // What follows the last quote is not between two, nor what follows a shard's.
            let is_quoted = pieces.peek().is_some();
            let is_name = |byte| matches!(byte, b' '..=b'~') && byte != b'/';
            if is_quoted && text.ends_with(".safetensors") && text.bytes().all(is_name) {
                shards.push(text);
                pieces.next();
            }
        }
    }
    shards.sort_unstable();
    shards.dedup();
    shards
}

/// That these are missing, if there is one.
fn is_missing(missing: &[String]) -> Option<String> {
    let verb = match missing.len() {
        0 => return None,
        1 => "is",
        _ => "are",
    };
    Some(format!("{} {verb} missing", some(missing)))
}

fn some(missing: &[String]) -> String {
    let named = &missing[..missing.len().min(MOST_NAMED)];
    match missing.len() - named.len() {
        0 => listed(named),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards() {
        let index = r#"{"metadata": {"total_size": 8}, "weight_map": {"a.weight": "model-2.safetensors",
            "b": "model-1.safetensors", "c": "model-1.safetensors", "d": "../x.safetensors"}}"#;
        assert_eq!(
            indexed_shards(index),
            ["model-1.safetensors", "model-2.safetensors"]
        );
    }

    #[test]
    fn what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        let missing = || missing_files(folder, &all_files(folder, ["config.json", INDEX]));
        assert_eq!(missing(), ["config.json", INDEX]);
        write("config.json", "{}");
        write(
            INDEX,
            r#"{"a": "model-1.safetensors", "b": "model-2.safetensors"}"#,
        );
        write("model-1.safetensors", "data");
        write("model-2.safetensors", "");
        assert_eq!(missing(), ["model-2.safetensors"]);
        write("model-2.safetensors", "data");
        assert_eq!(missing(), [""; 0]);
        let damage = || damage(folder, &all_files(folder, ["alone.safetensors"]));
        let whole = "\u{1c}\0\0\0\0\0\0\0{\"a\":{\"data_offsets\":[0,4]}}data";
        write("alone.safetensors", whole);
        write("model-1.safetensors", whole);
        let said = "model-2.safetensors has no safetensors header";
        assert_eq!(damage().as_deref(), Some(said));
        write("model-2.safetensors", whole);
        assert_eq!(damage(), None);
        write("alone.safetensors", &whole[..39]);
        let said = "alone.safetensors has 39 bytes, its header promises 40";
        assert_eq!(damage().as_deref(), Some(said));

        fs::create_dir(folder.join(ENGINE_LINK)).unwrap();
        write("trtllm_engine/rank0.engine", "data");
        assert_eq!(missing_engine(folder, 2), ["trtllm_engine/rank1.engine"]);
        assert_eq!(missing_engine(folder, 1), [""; 0]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
        /// What launch.sh and prepare_models.sh find missing, this finds, too.
        #[test]
        fn bash_finds_the_same(
            index in proptest::option::of(
                r#"(\{|"|a|b|/|\.safetensors|\.safetensors"|"a\.safetensors"|"b\.safetensors"|\\|é| |
    ){0,12}"#
            ),
            files in proptest::collection::vec(r"[ab]\.(safetensors|json)", 0..4),
            there in proptest::collection::vec((r"[ab]\.(safetensors|json)", "x?"), 0..4),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let folder = Utf8Path::from_path(folder.path()).unwrap();
            for (name, text) in there {
                fs::write(folder.join(name), text).unwrap();
            }
            if let Some(index) = &index {
                fs::write(folder.join(INDEX), index).unwrap();
            }
            let program = "source templates/lib/model_files.sh\nmissing_files \"$@\"\nprintf '%s\\n' \"${REPLIES[@]}\"";
            let output = std::process::Command::new("bash")
                .args(["-euc", program, "bash", folder.as_str()])
                .args(&files)
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let mut found: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
            found.sort_unstable();
            found.dedup();
            let files = files.iter().map(String::as_str);
            let files = all_files(folder, files);
            proptest::prop_assert_eq!(missing_files(folder, &files), found);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 32, failure_persistence: None, ..Default::default() })]
        /// As many bytes as prepare_models.sh counts are counted here.
        #[test]
        fn bash_counts_as_many_bytes(
            has_engine: bool,
            files in proptest::collection::vec((r"((a|\.cache|trtllm_engine|engine_a100)/){0,2}(a|b|\.cache|\.reference|\.nim-slurm-verified)", 0_u64..1000), 0..6),
            links in proptest::collection::vec((r"(a/)?(c|trtllm_engine)", r"(\.\./)?(a|b|nothing)"), 0..2),
        ) {
            let mut recipe = Recipe::llama3_70b_h100x4_fp8();
            let engine = recipe.model.engine.take().filter(|_| has_engine);
            let of_engine = engine.as_ref().map(|engine| engine.ngc.folder());
            let beside = match &of_engine {
                Some(engine) => vec![engine.as_str(), ENGINE_LINK],
                None => vec![".cache"],
            };
            recipe.model.engine = engine;
            let folder = tempfile::tempdir().unwrap();
            let folder = Utf8Path::from_path(folder.path()).unwrap();
            for (name, length) in files {
                let file = folder.join(name.replace("engine_a100", beside[0]));
                // One of two may be a folder where the other wants a file.
                if fs::create_dir_all(file.parent().unwrap()).is_ok() {
                    let _ = fs::File::create(file).and_then(|file| file.set_len(length));
                }
            }
            for (name, target) in links {
                let _ = std::os::unix::fs::symlink(target, folder.join(name));
            }
            let script = crate::Plan::new(recipe, crate::Settings::new()).unwrap().prepare_models().text().to_owned();
            let program = "source <(sed -n '/^list_files() {/,/^}/p; /^arrived() {/p; /^readonly \\(mark\\|engine_folder\\|engine_link\\)/p' <<<\"$1\")
                arrived \"$2\"; echo \"$REPLY\"";
            let output = std::process::Command::new("bash")
                .args(["-euc", program, "bash", &script, folder.as_str()])
                .output()
                .unwrap();
            let counted = String::from_utf8(output.stdout).unwrap();
            if let Some(arrived) = arrived(folder, &beside) {
                proptest::prop_assert_eq!(counted.trim(), arrived.to_string());
            }
        }
    }

    #[test]
    fn a_hundredth_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let size = ByteSize::parse("42 GB").unwrap();
        let file = fs::File::create(folder.join("model.gguf")).unwrap();
        let said = |bytes| {
            file.set_len(bytes).unwrap();
            shortage(folder, &[], &size)
        };
        assert_eq!(said(42_000_000_000), None);
        assert_eq!(said(41_580_000_000), None);
        let few = "38.7 GiB arrived, 42 GB were expected";
        assert_eq!(said(41_579_999_999).as_deref(), Some(few));
        let none = "0.0 MiB arrived, 42 GB were expected";
        assert_eq!(said(1000).as_deref(), Some(none));
        // It may lead to the other gigabytes.
        std::os::unix::fs::symlink("/mnt/other.gguf", folder.join("other.gguf")).unwrap();
        assert_eq!(said(1000), None);
    }

    #[test]
    fn many_are_counted() {
        let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
        assert_eq!(some(&names), "a, b, c and 2 more");
        assert_eq!(some(&names[..3]), "a, b and c");
    }
}
