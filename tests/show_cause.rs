//! What launch.sh shows of a server's log when the server has ended: its own function, run
//! by bash on logs of the shape that real servers write (tests/lab/image/logs).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A log, the number of the line that is shown first, and words of it.
const CAUSES: &[(&str, usize, &str)] = &[
    (
        "vllm-oom-at-load",
        11,
        "torch.OutOfMemoryError: CUDA out of memory. Tried",
    ),
    (
        "vllm-oom-in-profiling",
        9,
        "ValueError: No available memory for the cache blocks.",
    ),
    (
        "vllm-architecture",
        9,
        "Value error, Model architectures ['FooForCausalLM']",
    ),
    (
        "vllm-tensor-parallel-size",
        8,
        "ValueError: Total number of attention heads (28)",
    ),
    (
        "vllm-driver-too-old",
        5,
        "RuntimeError: The NVIDIA driver on your system is too old",
    ),
    (
        "vllm-nccl",
        3,
        "NCCL WARN socketStartConnect: Connect to 10.0.0.1<41001> failed",
    ),
    (
        "vllm-port-in-use",
        5,
        "OSError: [Errno 98] Address already in use",
    ),
    (
        "vllm-gated-repo",
        4,
        "requests.exceptions.HTTPError: 403 Client Error",
    ),
    (
        "vllm-offline",
        4,
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find",
    ),
    (
        "vllm-died-mid-run",
        18,
        "torch.AcceleratorError: CUDA error: an illegal memory access",
    ),
    ("vllm-engine-killed", 3, "engine core exited unexpectedly"),
    (
        "vllm-oom-killer",
        3,
        "slurmstepd: error: Detected 2 oom_kill events",
    ),
    (
        "sglang-missing-shard",
        9,
        "FileNotFoundError: [Errno 2] No such file or directory: '/stage",
    ),
    ("sglang-memory", 8, "RuntimeError: Not enough memory."),
    (
        "sglang-tokenizer",
        6,
        "OSError: Can't load tokenizer for '/stage/model'.",
    ),
    (
        "sglang-scheduler-killed",
        4,
        "Subprocess scheduler_0 (pid=2068) crashed with exit code -9",
    ),
    (
        "trtllm-engine-version",
        5,
        "Error Code 6: API Usage Error (The engine plan file",
    ),
    (
        "trtllm-oom",
        2,
        "CUDA out of memory. Tried to allocate 40.00 MiB.",
    ),
    (
        "nim-profile",
        11,
        "Could not find a profile that is currently runnable",
    ),
    (
        "nim-json-tokenizer",
        2,
        "Can't load tokenizer for '/opt/nim/workspace'",
    ),
    (
        "vllm-engine-exited",
        4,
        "Engine core 0 (pid 4242) exited unexpectedly",
    ),
    (
        "llama-cpp-file",
        4,
        "failed to open GGUF file '/stage/model.gguf'",
    ),
];

fn path(name: &str) -> PathBuf {
    Path::new("tests/lab/image/logs")
        .join(name)
        .with_extension("log")
}

fn text(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The template that has the function.
fn function() -> String {
    fs::read_to_string("templates/launch/show_cause.sh").unwrap()
}

/// What is shown of a log: the lines that look like the cause, and the last ones.
#[derive(Debug, PartialEq)]
struct Shown {
    causes: Vec<String>,
    last: Vec<String>,
}

/// Shows a log with an awk; so many lines of the log are of an earlier run.
#[track_caller]
fn show_with(awk: &[&str], log: &Path, earlier: usize) -> Shown {
    let programs = tempfile::tempdir().unwrap();
    let words = awk.join(" ");
    let program = format!("#!/bin/sh\nexec {words} \"$@\"\n");
    let file = programs.path().join("awk");
    fs::write(&file, program).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let rest = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!(
            "set -Eeuo pipefail\ndeclare -A earlier_lines=([$1]=$2)\n{}show_cause \"$1\"",
            function()
        ))
        .arg("bash")
        .arg(log)
        .arg(earlier.to_string())
        .env("PATH", format!("{}:{rest}", programs.path().display()))
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let head = format!("what may be the cause, in {}:", log.display());
    assert_eq!(lines.next(), Some(&*head), "{text}");
    let lines: Vec<_> = lines.map(str::to_owned).collect();
    let end = lines
        .iter()
        .position(|line| line == "  the last lines of it:");
    let (causes, last) = lines.split_at(end.unwrap_or_else(|| panic!("{text}")));
    Shown {
        causes: causes.to_vec(),
        last: last[1..].to_vec(),
    }
}

#[track_caller]
fn show(log: &Path) -> Shown {
    show_with(&["/usr/bin/awk"], log, 0)
}

/// A log of a test's own.
fn written(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server_7.out");
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[track_caller]
fn assert_first(shown: &Shown, number: usize, words: &str) {
    let first = &shown.causes[0];
    assert!(
        first.starts_with(&format!("  | line {number}: ")),
        "{shown:#?}"
    );
    assert!(first.contains(words), "no {words:?} in {shown:#?}");
    assert!(shown.causes.len() <= 8, "{shown:#?}");
}

#[test]
fn the_line_that_is_the_cause_comes_first() {
    for &(name, number, words) in CAUSES {
        let shown = show(&path(name));
        assert_first(&shown, number, words);
        assert!(shown.last.len() <= 8, "{shown:#?}");
        for line in &shown.causes {
            assert!(
                !line.contains("Engine core initialization failed"),
                "{shown:#?}"
            );
        }
    }
}

#[test]
fn each_log_has_a_line_in_the_table() {
    for entry in fs::read_dir("tests/lab/image/logs").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_known = CAUSES.iter().any(|(known, ..)| *known == name);
        assert!(is_known || name == "nothing", "{name}");
    }
}

#[test]
fn words_that_only_sound_like_it_are_no_cause() {
    let shown = show(&path("nothing"));
    assert_eq!(shown.causes, ["  | no line looks like it"]);
    assert_eq!(shown.last.len(), 6, "{shown:#?}");
    // Then more of the end is shown.
    let (_folder, log) = written("all is well\n".repeat(100).as_bytes());
    assert_eq!(show(&log).last.len(), 20);
    let (_folder, log) = written(b"");
    assert_eq!(show(&log).causes, ["  | no line looks like it"]);
}

/// Levels are words of their own; colours, a progress bar and blanks at the end change nothing.
#[test]
fn a_cause_in_other_clothes() {
    for line in [
        "RuntimeError: NCCL error: invalid usage (run with NCCL_DEBUG=WARN for details)",
        "torch.AcceleratorError: CUDA error: no device (see logs)    ",
        "\x1b[1;31mValueError\x1b[0m: no memory",
        "\x1b[31mRuntimeError: boom",
        "\x1b[0;31mError: cannot open model",
        "RuntimeError\r",
        "loading:  50 %\rRuntimeError: boom",
    ] {
        let consequence = "RuntimeError: Engine core initialization failed. See root cause above.";
        let (_folder, log) = written(format!("ok\n{line}\n{consequence}\n").as_bytes());
        let shown = show(&log);
        assert_first(&shown, 2, "");
        assert!(!shown.causes[0].contains("Engine core"), "{shown:#?}");
    }
    // The inside of a traceback is none, and neither is what a level says to be none.
    for line in [
        "\x1b[1;36m(EngineCore_DP0 pid=42)\x1b[0;0m     raise RuntimeError(f\"NCCL error: {words}\")",
        "ERROR 11-29 15:15:39 [core.py:702]     raise ValueError(\"CUDA error: x\")",
        "INFO 11-29 15:15:39 [core.py:702] no CUDA error: fine",
        "[2026-11-29 15:15:39] DEBUG: out of memory is tried first",
    ] {
        let (_folder, log) = written(format!("ok\n{line}\n").as_bytes());
        assert_eq!(show(&log).causes, ["  | no line looks like it"], "{line}");
    }
}

/// What srun says of a task follows from what it said before, or is all that there is.
#[test]
fn srun_s_words_in_their_order() {
    let killed = "srun: error: node1: task 0: Killed";
    let failed = "srun: error: task 1 launch failed: Unspecified error";
    let (_folder, log) = written(format!("ok\n{failed}\n{killed}\n").as_bytes());
    assert_first(&show(&log), 2, "launch failed");
    let (_folder, log) = written(format!("ok\n{killed}\n").as_bytes());
    assert_first(&show(&log), 2, "Killed");
    let mpi =
        "The SLURM process starter for OpenMPI was unable to locate a usable \"srun\" command.";
    let end = "srun: error: node1: task 0: Exited with exit code 1";
    let (_folder, log) = written(format!("ok\n{mpi}\n{end}\n").as_bytes());
    assert_first(&show(&log), 2, "unable to locate");
}

/// Only consequences are better than nothing.
#[test]
fn a_consequence_is_shown_where_there_is_no_cause() {
    let (_folder, log) =
        written(b"ok\nRuntimeError: Engine core initialization failed. See root cause above.\n");
    assert_first(&show(&log), 2, "Engine core initialization failed");
}

#[test]
fn the_cause_far_above_the_end() {
    let mut content = Vec::new();
    for number in 1..=247 {
        writeln!(
            content,
            "(APIServer pid=41) INFO 11-28 07:00:00 [x.py:1] line {number}"
        )
        .unwrap();
    }
    // Its eleventh line is the cause.
    content.extend(text("vllm-oom-at-load"));
    for number in 0..15_000 {
        writeln!(
            content,
            "(APIServer pid=41) INFO 11-28 07:02:00 [x.py:1] error handling, {number}"
        )
        .unwrap();
    }
    let (_folder, log) = written(&content);
    let shown = show(&log);
    assert_first(&shown, 258, "torch.OutOfMemoryError: CUDA out of memory.");
    assert_eq!(shown.causes.len(), 1, "{shown:#?}");
}

/// A requeued job writes on in the log of its earlier run.
#[test]
fn only_what_this_run_wrote_is_the_cause() {
    let logs = ["vllm-nccl", "vllm-port-in-use"].map(text);
    let lines = |log: &[u8]| String::from_utf8_lossy(log).lines().count();
    let (first, second) = (lines(&logs[0]), lines(&logs[1]));
    let (_folder, log) = written(&logs.concat());
    assert_first(&show(&log), 3, "NCCL WARN");
    let shown = show_with(&["/usr/bin/awk"], &log, first);
    assert_first(&shown, first + 5, "Address already in use");
    assert_eq!(shown.causes.len(), 1, "{shown:#?}");
    let nothing = show_with(&["/usr/bin/awk"], &log, first + second);
    assert_eq!(nothing.causes, ["  | no line looks like it"]);
}

/// A tool names the folder of points in progress, which is gone by then.
#[test]
fn a_failed_point_is_named_where_it_lies() {
    let (_folder, log) = written(b"Error: no file /s/results/.run_7-1/client/p_7/inputs.json\n");
    let shown = show(&log);
    assert_first(&shown, 1, "no file /s/results/failed_7-1/p_7/inputs.json");
    assert!(shown.last[0].contains("/failed_7-1/p_7"), "{shown:#?}");
}

#[test]
fn what_follows_a_progress_bar_is_shown() {
    let bar = (0..100).map(|percent| {
        format!(
            "\rLoading checkpoint shards: {percent:3} % {}",
            "#".repeat(60)
        )
    });
    let text = format!(
        "start{}slurmstepd: error: Detected 1 oom_kill event\n",
        bar.collect::<String>()
    );
    let (_folder, log) = written(text.as_bytes());
    let last = show(&log).last;
    assert!(
        last.last().unwrap().contains("Detected 1 oom_kill event"),
        "{last:#?}"
    );
}

#[test]
fn what_is_no_error_hides_no_cause() {
    let request = "INFO 11-28 07:01:02 [logger.py:39] Received request 1: prompt: 'no default room, and cannot'\n";
    let text = request.repeat(60_000) + "RuntimeError: CUDA error: an illegal memory access\n";
    let (_folder, log) = written(text.as_bytes());
    assert_first(&show(&log), 60_001, "illegal memory access");
}

#[test]
fn what_a_server_writes_is_not_shown_raw() {
    let mut content =
        b"ok\nValueError: \x1b]0;title\x07\x1b[2J\x9b31m\xc2\x9b\x00\x08 red \xe2\x96\x88 "
            .to_vec();
    content.extend(b"x".repeat(2_000_000));
    content.extend(b"\n\x1b[1mthe end\x1b[0m\r\n");
    let (_folder, log) = written(&content);
    let shown = show(&log);
    assert_first(&shown, 2, "ValueError: ]0;title");
    assert_eq!(shown.last.last().unwrap(), "  | the end");
    for line in shown.causes.iter().chain(&shown.last) {
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line:?}"
        );
        assert!(line.len() < 450, "{line:?}");
    }
}

/// Of many causes the first ones.
#[test]
fn no_more_than_eight_lines() {
    let lines: Vec<_> = ('a'..='z').map(|c| format!("ValueError: {c}\n")).collect();
    let content = lines.concat();
    let (_folder, log) = written(content.as_bytes());
    let shown = show(&log);
    let last: Vec<_> = shown
        .causes
        .iter()
        .map(|line| line.chars().last().unwrap())
        .collect();
    assert_eq!(last, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
}

#[test]
#[ignore = "needs mawk, gawk and busybox: tests/run installs them"]
fn every_awk_finds_the_same() {
    let awks: &[&[&str]] = &[
        &["/usr/bin/mawk"],
        &["/usr/bin/gawk"],
        &["/usr/bin/busybox", "awk"],
    ];
    for &(name, number, words) in CAUSES {
        let shown: Vec<_> = awks
            .iter()
            .map(|awk| show_with(awk, &path(name), 0))
            .collect();
        assert_first(&shown[0], number, words);
        assert!(
            shown.iter().all(|other| *other == shown[0]),
            "{name}: {shown:#?}"
        );
    }
}

/// Both a log that is long for its load and one that is nothing but errors.
#[test]
#[ignore = "takes some seconds: run tests/run"]
fn a_large_log_is_read_in_seconds() {
    let load = "(APIServer pid=1) INFO 11-28 07:00:00 [loggers.py:248] Avg prompt throughput: 812.1 tokens/s\n";
    let error =
        "(EngineCore pid=9) ERROR 11-28 07:00:00 [core.py:700] Error: the same again and again\n";
    for line in [load, error] {
        let mut content = line.repeat(100_000_000 / line.len()).into_bytes();
        content.extend(b"OSError: [Errno 28] No space left on device\n");
        let (_folder, log) = written(&content);
        let began = Instant::now();
        let shown = show(&log);
        println!("100 MB in {:.2?}", began.elapsed());
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        assert!(
            shown.last.last().unwrap().contains("No space left"),
            "{shown:#?}"
        );
    }
}
