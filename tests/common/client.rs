//! The program of the client's step, for tests that look at it alone.

use std::process::Command;

use nim_slurm::Recipe;
use nim_slurm::recipe::ClientTool;

const BEGIN: &str = "cat <<'CLIENT'\n";
const END: &str = "\nCLIENT\n";

/// It travels inside launch.sh, as texts: first what each has, then what some plans add.
#[allow(dead_code, reason = "not all tests look at it")]
pub(crate) fn client_program(launch: &str) -> String {
    let parts = launch.split(BEGIN).skip(1);
    let mut parts: Vec<_> = parts.map(|rest| rest.split_once(END).unwrap().0).collect();
    parts.sort_by_key(|part| !part.starts_with("set -Eeuo pipefail\n"));
    let main = "\nmain </dev/null\nexit";
    assert!(launch.contains("'main </dev/null' exit\n"));
    parts.join("\n") + main
}

/// The script without the program of its client.
#[allow(dead_code, reason = "not all tests look at it")]
pub(crate) fn without_client(launch: &str) -> String {
    let mut parts = launch.split(BEGIN);
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        text + ":\n" + part.split_once(END).unwrap().1
    })
}

/// What lines print that bash runs behind the client's program for a recipe's tool.
#[allow(dead_code, reason = "not all tests run it")]
#[track_caller]
pub(crate) fn run_in_client(recipe: &Recipe, lines: &str, variables: &[(&str, &str)]) -> String {
    let gate = include_str!("../../src/script/aiperf_gate.py");
    let (name, program, gate) = match recipe.client.tool {
        ClientTool::Aiperf(_) => ("AIPerf", "aiperf", gate),
        _ => ("GenAI-Perf", "genai-perf", ""),
    };
    let functions = std::fs::read_to_string("templates/launch/client.sh").unwrap();
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args([
            "-c",
            &format!("client_command=({program})\n{functions}\n{lines}"),
        ])
        .env("TMPDIR", home.path())
        .env("run", home.path())
        .envs([("port", "8000"), ("replica", "0"), ("parts", "0")])
        .env("aiperf_gate", gate)
        .env("request_fields", r#""min_tokens": 4, "ignore_eos": true"#)
        .envs([("tokenizer_path", "/opt/tokenizer"), ("tool_name", name)])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}{errors}");
    words.trim_end().to_owned()
}

/// The commands of use cases with a load of their own, with these facts of a point and others.
#[allow(dead_code, reason = "not all tests look at them")]
#[track_caller]
pub(crate) fn own_commands(launch: &str, own_facts: &[(&str, &str)]) -> Vec<Vec<String>> {
    let (_, lines) = launch.split_once("\nreadonly own_commands=").unwrap();
    let (lines, _) = lines.split_once("\n}\n").unwrap();
    let script = format!(
        "own_commands={lines}\n}}\n\
         for ((number = 1; ; number++)); do\n\
           own_command \"$number\"\n\
           ((${{#REPLIES[@]}} > 0)) || exit 0\n\
           printf '%s\\0' \"${{REPLIES[@]}}\"\n\
           printf '\\0'\n\
         done"
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let words = String::from_utf8(output.stdout).unwrap();
    let facts = [
        ("{url}", "127.0.0.1:8000"),
        ("{tokenizer}", "/opt/tokenizer"),
        ("{folder}", "/tmp/results"),
        ("{concurrency}", "8"),
        ("{rate}", "2.5"),
        ("{requests}", "150"),
        ("{prompts}", "150"),
        ("{seed}", "7"),
    ];
    let fill = |word: &str| {
        let mut word = word.to_owned();
        for (name, value) in own_facts.iter().chain(&facts) {
            word = word.replace(name, value);
        }
        word
    };
    let commands = words.split_terminator("\0\0");
    commands
        .map(|command| command.split('\0').map(fill).collect())
        .collect()
}
