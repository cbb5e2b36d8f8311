//! What writes down what GPUs do: launch.sh's own function, run by bash beside the lab's stand-in for nvidia-smi.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use nim_slurm::{Plan, Recipe, Settings};
use tempfile::TempDir;

/// Samples for a bit more than a second, as server NUMBER of so many with so many GPUs each, and gives the file's text.
fn sample(
    folder: &TempDir,
    [servers, number, count]: [u32; 3],
    variables: &[(&str, &str)],
) -> String {
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
    let launch = plan.launch();
    let (_, rest) = launch.text().split_once("\nsample_gpus() {\n").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    let program = format!("sample_gpus() {{\n{body}\n}}\nset -eu\nsample_gpus \"$@\"");
    let file = folder.path().join("telemetry_7.0");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/bin:/usr/bin:/bin");
    let words = [servers, number, count].map(|word| word.to_string());
    let output = Command::new("timeout")
        .args(["1.4", "bash", "-c", &program, "bash"])
        .arg(&file)
        .args(words)
        .env_clear()
        .envs([("PATH", path), ("SLURMD_NODENAME", "gpu05"), ("TZ", "EST5")])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!((output.stdout, output.stderr), (vec![], vec![]));
    fs::read_to_string(folder.path().join("telemetry_7.0.0.csv")).unwrap()
}

/// The last numbers of the GPUs that rows name.
fn gpus(text: &str) -> Vec<u32> {
    let rows = text
        .lines()
        .filter_map(|line| line.split(", ").nth(1)?.strip_prefix("GPU-"));
    let numbers = rows.map(|gpu| gpu.rsplit('0').next().unwrap().parse::<u32>().unwrap_or(0));
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn each_server_s_own_gpus_are_sampled() {
    let all = "0,1,2,3,4,5,6,7";
    for (server, visible, expected) in [
        ([2, 0, 4], all, vec![0, 1, 2, 3]),
        ([2, 1, 4], all, vec![4, 5, 6, 7]),
        ([1, 0, 2], "6,3", vec![3, 6]),
        // Which two of them the server has, nobody knows: all of them are there, and the reader sees that they are too many.
        ([1, 0, 2], "1,2,5", vec![1, 2, 5]),
        ([1, 0, 2], "", vec![0, 1, 2, 3, 4, 5, 6, 7]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let text = sample(&folder, server, &[("CUDA_VISIBLE_DEVICES", visible)]);
        assert_eq!(gpus(&text), expected, "{visible}: {text}");
    }
}

/// The zone of the user does not count, nor what an earlier run of the job left.
#[test]
fn times_are_utc_and_runs_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let first = sample(&folder, [1, 0, 8], &[]);
    let both = sample(&folder, [1, 0, 8], &[]);
    assert!(both.starts_with(&first) && both.len() > first.len());
    let clocks: Vec<u64> = both
        .lines()
        .filter_map(|line| line.strip_prefix("#gpu05,")?.parse().ok())
        .collect();
    assert_eq!(clocks.len(), 2, "{both}");
    let date = Command::new("date")
        .args(["-u", "-d", &format!("@{}", clocks[0]), "+%Y/%m/%d %H:"])
        .output()
        .unwrap();
    let hour = String::from_utf8(date.stdout).unwrap();
    let rows: Vec<_> = first.lines().filter(|line| line.contains("GPU-")).collect();
    assert!(rows.len() >= 16, "two seconds of eight GPUs: {first}");
    // The hour may change meanwhile, but not by five.
    assert!(
        rows.iter().any(|row| row.starts_with(hour.trim())),
        "{hour}: {first}"
    );
}

#[test]
fn drivers_of_old_and_none_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let old = sample(&folder, [1, 0, 8], &[("LAB_SMI_FAULT", "old")]);
    assert!(old.contains(", clocks_throttle_reasons.active\n"), "{old}");
    assert_eq!(gpus(&old).len(), 8);
    let folder = tempfile::tempdir().unwrap();
    let none = sample(&folder, [1, 0, 8], &[("LAB_SMI_FAULT", "driver")]);
    assert!(
        none.contains("couldn't communicate with the NVIDIA driver"),
        "{none}"
    );
    assert_eq!(gpus(&none), [0; 0]);
}
