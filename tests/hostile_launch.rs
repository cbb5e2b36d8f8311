//! launch.sh against what others write: its own functions, run by bash.

use std::fs;
use std::process::Command;

use nim_slurm::container::Runtime;
use nim_slurm::{Plan, Recipe, Settings};
use tempfile::TempDir;

fn launch(recipe: Recipe, runtime: Runtime) -> String {
    let settings = Settings::from_toml("srun.mpi = 'none'").unwrap();
    let plan = Plan::new(recipe, settings.with_runtime(runtime)).unwrap();
    plan.launch().text().to_owned()
}

fn default_launch() -> String {
    launch(Recipe::llama3_70b_h100x4_fp8(), Runtime::Pyxis)
}

/// What bash prints that runs these lines in a folder, and its exit code.
fn bash(folder: &TempDir, lines: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let program = folder.path().join("lines.sh");
    fs::write(
        &program,
        format!("set -Eeuo pipefail\ncd \"$FOLDER\"\n{lines}\n"),
    )
    .unwrap();
    let output = Command::new("timeout")
        .args(["-k", "1", "20", "bash", "-c", "exec bash \"$0\" 2>&1"])
        .arg(program)
        .env("FOLDER", folder.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), words)
}

/// The lines of a script from one that begins so to one that begins so.
#[track_caller]
fn lines<'a>(script: &'a str, from: &str, to: &str) -> &'a str {
    let start = script
        .find(&format!("\n{from}"))
        .unwrap_or_else(|| panic!("no {from}"));
    let rest = &script[start + 1..];
    let end = rest
        .find(&format!("\n{to}"))
        .unwrap_or_else(|| panic!("no {to}"));
    let line = rest[end + 1..].find('\n').unwrap();
    &rest[..end + 1 + line]
}

/// A job's name cannot say how often it was requeued.
#[test]
fn a_job_s_name_is_no_count_of_restarts() {
    let script = default_launch();
    let read = lines(&script, "restarts=$(", "readonly restarts");
    let stand_ins = "scontrol() { echo \"JobId=1 JobName=x Restarts=9 Requeue=1 Restarts=0\"; }\n\
                     squeue() { [[ $* == *restartcnt* ]] || exit 1; echo '2                  '; }\nslurm_id=1";
    let folder = tempfile::tempdir().unwrap();
    let (_, words) = bash(
        &folder,
        &format!("{stand_ins}\n{read}\necho \"told $restarts\""),
        &[],
    );
    assert_eq!(words, "told 2\n");
    let none = format!("{stand_ins}\nsqueue() {{ echo 'a 9'; }}\n{read}\necho \"told $restarts\"");
    let (_, words) = bash(&folder, &none, &[("SLURM_RESTART_COUNT", "1")]);
    assert_eq!(words, "told 1\n");
}
