//! The program of the client's step, for tests that look at it alone.

use std::process::Command;

use nim_slurm::Recipe;
use nim_slurm::recipe::ClientTool;

/// It travels inside launch.sh, as a text.
#[allow(dead_code, reason = "not all tests look at it")]
pub(crate) fn client_program(launch: &str) -> &str {
    let (_, rest) = launch.split_once("cat <<'CLIENT'\n").unwrap();
    rest.split_once("\nCLIENT\n").unwrap().0
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
        .envs([("tokenizer_path", "/opt/tokenizer"), ("tool_name", name)])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}{errors}");
    words.trim_end().to_owned()
}
