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

/// The client's program for a tool, as it stands in the templates, without its last lines,
/// which start it.
#[allow(dead_code, reason = "not all tests run it")]
fn client_functions(tool: ClientTool) -> String {
    let part = match tool {
        ClientTool::Aiperf(_) => "aiperf.sh",
        _ => "genai_perf.sh",
    };
    let files = ["client.sh", part].map(|name| {
        let path = format!("templates/launch/{name}");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    });
    files.concat()
}

/// What own lines print that bash runs behind the client's program for a recipe's tool.
#[allow(dead_code, reason = "not all tests run it")]
#[track_caller]
pub(crate) fn run_in_client(recipe: &Recipe, lines: &str, variables: &[(&str, &str)]) -> String {
    let functions = client_functions(recipe.client.tool);
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("{functions}\n{lines}")])
        .env("TMPDIR", home.path())
        .env("run", home.path())
        .envs([("port", "8000"), ("replica", "0"), ("parts", "0")])
        .env("tokenizer_path", "/opt/tokenizer")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}{errors}");
    words.trim_end().to_owned()
}
