//! The program of the client's step, for tests that look at it alone.

use std::process::Command;

use nim_slurm::{Plan, Recipe, Settings};

/// It travels inside launch.sh, as a text.
pub(crate) fn client_program(launch: &str) -> &str {
    let (_, rest) = launch.split_once("cat <<'CLIENT'\n").unwrap();
    rest.split_once("\nCLIENT\n").unwrap().0
}

/// What own lines print that bash runs behind a recipe's client program, in place of its
/// last ones, which start it.
#[allow(dead_code, reason = "not all tests run it")]
#[track_caller]
pub(crate) fn run_in_client(recipe: Recipe, lines: &str, variables: &[(&str, &str)]) -> String {
    let plan = Plan::new(recipe, Settings::new()).unwrap_or_else(|error| panic!("{error}"));
    let launch = plan.launch();
    let functions = client_program(launch.text())
        .strip_suffix("main </dev/null\nexit")
        .unwrap();
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args(["-c", &format!("{functions}\n{lines}")])
        .env("TMPDIR", home.path())
        .env("run", home.path())
        .envs([("port", "8000"), ("tokenizer_path", "/opt/tokenizer")])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words}{errors}");
    words.trim_end().to_owned()
}
