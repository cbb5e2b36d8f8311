//! The convention for bash functions (CONTRIBUTING.md, "Change a template"): a function's
//! variables are its own. What it finds it prints, or leaves in `REPLY` (a text) or
//! `REPLIES` (a list); beside these it sets only what the script itself sets at its top
//! level.

#[path = "common/client.rs"]
mod client;

use std::collections::BTreeSet;
use std::process::Command;

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{ArrayBy, ClientTool, DataFormat, DataSet, UseCase};
use nim_slurm::{HookPlace, Plan, Recipe, ScriptKind, Settings};

use crate::client::{client_program, without_client};

/// Programs with all blocks that templates have.
fn programs() -> Vec<(String, String)> {
    let mut programs = Vec::new();
    for runtime in [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman] {
        let settings = Settings::new().with_runtime(runtime);
        let settings = HookPlace::ALL.iter().fold(settings, |settings, &place| {
            settings.with_hook(place, "true".parse().unwrap())
        });
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        recipe.sweep.array = Some(ArrayBy::UseCase);
        let data = DataSet::new("/data/a.jsonl".parse().unwrap(), DataFormat::Prompts);
        let own: UseCase = "own:1/128".parse().unwrap();
        recipe.sweep.use_cases = vec!["chat:128s20/128".parse().unwrap(), own.with_data(data)];
        recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
        let plan = Plan::new(recipe, settings).unwrap();
        for kind in ScriptKind::ALL {
            let text = plan.script(kind).text().to_owned();
            let name = format!("{} for {runtime:?}", kind.file_name());
            if kind == ScriptKind::Launch {
                programs.push((format!("client of {name}"), client_program(&text)));
                programs.push((name, without_client(&text)));
            } else {
                programs.push((name, text));
            }
        }
    }
    let hub = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    let plan = Plan::new(hub, Settings::new()).unwrap();
    programs.push((
        "prepare_models.sh for the hub".to_owned(),
        plan.prepare_models().text().to_owned(),
    ));
    programs
}

/// The functions of a program as bash itself prints them: a command a line, no comments.
fn functions(program: &str) -> Vec<(String, String)> {
    let mut texts = String::new();
    let mut inside = false;
    for line in program.lines() {
        let begins = line.contains("() {") && line.starts_with(|c: char| c.is_ascii_lowercase());
        inside |= begins;
        if inside {
            texts.push_str(line);
            texts.push('\n');
        }
        if line == "}" || begins && line.ends_with('}') {
            inside = false;
        }
    }
    let output = Command::new("bash")
        .args(["-c", &format!("{texts}\ndeclare -f")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}\n{texts}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut functions: Vec<(String, String)> = Vec::new();
    for line in printed.lines() {
        match line.strip_suffix(" () ") {
            Some(name) if !line.starts_with(' ') => {
                functions.push((name.to_owned(), String::new()));
            }
            _ => {
                let (_, body) = functions.last_mut().unwrap();
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    functions
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The name in an assignment: `name=`, `name+=`, `name[…]=`.
fn assigned(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split_once('[').map_or(name, |(name, _)| name);
    is_name(&name.to_ascii_lowercase()).then_some(name)
}

/// A command's words, as far as blanks part them; quoted blanks and lists do not.
fn words(command: &str) -> Vec<&str> {
    let (mut words, mut start, mut depth, mut quote) = (Vec::new(), None, 0_i32, None);
    for (place, c) in command.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if c == ' ' && depth <= 0 && quote.is_none() {
            if let Some(start) = start.take() {
                words.push(&command[start..place]);
            }
        } else if start.is_none() {
            start = Some(place);
        }
    }
    words.extend(start.map(|start| &command[start..]));
    words
}

/// What a function declares, and what it sets.
fn variables(body: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut own, mut set) = (BTreeSet::new(), BTreeSet::new());
    let mut add = |to_own: bool, name: &str| {
        let names = if to_own { &mut own } else { &mut set };
        names.insert(name.to_owned());
    };
    for line in body.lines() {
        // Only what stands where a command begins is an assignment.
        let line = [
            " && ", " || ", "; ", "{ ", "if ", "while ", "until ", "then ", "do ", "! ",
        ]
        .iter()
        .fold(line.trim().to_owned(), |line, mark| {
            line.replace(mark, "\n")
        });
        for command in line.lines() {
            let words = words(command.trim().trim_end_matches(';'));
            let mut words = words.into_iter().peekable();
            while let Some(name) = words.peek().and_then(|word| assigned(word)) {
                // Those in capitals are bash's and the environment's.
                if is_name(name) {
                    add(false, name);
                }
                words.next();
            }
            match words.next() {
                // This prints, and declares nothing.
                Some("declare")
                    if words
                        .peek()
                        .is_some_and(|word| ["-p", "-f", "-F"].contains(word)) => {}
                Some("local" | "declare") => {
                    for word in words.filter(|word| !word.starts_with('-')) {
                        add(true, word.split(['=', '+']).next().unwrap());
                    }
                }
                Some("read" | "mapfile") => {
                    let names = words.take_while(|word| !word.starts_with('<'));
                    for name in names.filter(|word| is_name(word)) {
                        add(false, name);
                    }
                }
                Some("for") => {
                    let name = words.next().unwrap_or_default();
                    let name = name
                        .trim_start_matches("((")
                        .split(['=', ' '])
                        .next()
                        .unwrap();
                    if is_name(name) {
                        add(false, name);
                    }
                }
                Some("exec") => {
                    let name = words.next().and_then(|word| word.strip_prefix('{'));
                    let name = name.and_then(|word| word.split_once('}'));
                    if let Some((name, _)) = name.filter(|(name, _)| is_name(name)) {
                        add(false, name);
                    }
                }
                _ => {}
            }
        }
    }
    (own, set)
}

/// What the script itself sets at its top level, but not in loops, and with `read`.
fn top_level(program: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in program.lines().filter(|line| !line.starts_with(' ')) {
        let mut words = words(line).into_iter();
        if line.starts_with("readonly ") || line.starts_with("declare -A ") {
            let words = words.map(|word| word.split('=').next().unwrap());
            names.extend(words.map(str::to_owned));
            continue;
        }
        while let Some(name) = words.next().and_then(assigned) {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn functions_set_only_what_is_theirs() {
    let (mut count, mut faults) = (0, BTreeSet::new());
    for (name, program) in programs() {
        let global = top_level(&program);
        for (function, body) in functions(&program) {
            count += 1;
            let (own, set) = variables(&body);
            for variable in set.difference(&own).filter(|name| !global.contains(*name)) {
                faults.insert(format!("{name}: {function} sets {variable}"));
            }
        }
    }
    assert!(count > 100, "only {count} functions were seen");
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Bash refuses such a local variable, and with its first value all commands up to the script's next line at the top level.
#[test]
fn no_local_has_the_name_of_a_readonly_one() {
    let (mut seen, mut faults) = (0, BTreeSet::new());
    for (name, program) in programs() {
        let lines = program.lines();
        let lines: Vec<_> = lines.filter(|line| line.starts_with("readonly ")).collect();
        let readonly = top_level(&lines.join("\n"));
        seen += readonly.len();
        for (function, body) in functions(&program) {
            for variable in variables(&body).0.intersection(&readonly) {
                faults.insert(format!("{name}: {function} has a local {variable}"));
            }
        }
    }
    assert!(seen > 100, "only {seen} names were seen");
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Names in braces behind a dollar sign, and bare ones.
fn read_names(body: &str) -> BTreeSet<String> {
    let pieces = body.split('$').skip(1);
    let names = pieces.filter_map(|piece| {
        let piece = piece.trim_start_matches(['{', '#', '!']);
        let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &piece[..end.unwrap_or(piece.len())];
        is_name(name).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn functions_read_only_what_is_theirs() {
    let mut faults = BTreeSet::new();
    let launch = programs();
    for (name, program) in &launch {
        let mut global = top_level(program);
        if name.starts_with("client of ") {
            // These come with the program, in front of it.
            let of = name.trim_start_matches("client of ");
            let (_, whole) = launch.iter().find(|(name, _)| name == of).unwrap();
            let (_, rest) = whole.split_once("  declare -p results").unwrap();
            let (values, _) = rest.split_once("\n  declare -f").unwrap();
            global.extend(values.split_whitespace().map(str::to_owned));
            global.insert("results".to_owned());
        }
        for (function, body) in functions(program) {
            let (own, _) = variables(&body);
            // In texts that bash expands nothing in; the key, which prepare_models.sh looks for
            // only where it downloads; what only a search has; a site's proxies, of the environment.
            let awk = [
                "level",
                "text",
                "oauthtoken",
                "key",
                "search_",
                "search_goal",
                "https_proxy",
                "all_proxy",
            ];
            let awk = awk.map(str::to_owned);
            for variable in read_names(&body) {
                if !own.contains(&variable)
                    && !global.contains(&variable)
                    && !awk.contains(&variable)
                {
                    faults.insert(format!("{name}: {function} reads {variable}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_lint_sees_what_it_is_for() {
    let faults = |text: &str| -> Vec<String> {
        let (_, body) = functions(text).pop().unwrap();
        let (own, set) = variables(&body);
        set.difference(&own).cloned().collect()
    };
    for (line, expected) in [
        ("status=1", &["status"][..]),
        ("local a=1; a=2; b=3", &["b"]),
        ("local a b; a=1 b=2", &[]),
        ("[[ -n $x ]] || names+=(1 2)", &["names"]),
        ("if true; then folder[1]=2; fi", &["folder"]),
        ("for name in a b; do :; done", &["name"]),
        ("IFS=, read -r one two <<<\"$x\"", &["one", "two"]),
        ("mapfile -t lines < <(ls)", &["lines"]),
        ("REPLY=1 REPLIES=(2)", &[]),
        ("command value=1", &[]),
        ("awk -v value=\"$1\" ''", &[]),
        ("IFS=, true", &[]),
        ("local -A facts=([a]=1); facts=()", &[]),
    ] {
        assert_eq!(faults(&format!("f() {{\n{line}\n}}\n")), expected, "{line}");
    }
}
