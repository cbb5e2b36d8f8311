//! The example binary, as a user at a login node has it: no Slurm needed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

mod common;

/// The binary, built once.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| common::example("llama3_70b_h100x4_fp8"))
}

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("SBATCH_") || name == "STAGE_PATH"
    }) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(folder, arguments, variables);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty() || stderr == NO_GPUS, "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// What every plan without `--gres` or the like is told.
const NO_GPUS: &str = "note: launch.sh asks Slurm for no GPUs; where Slurm manages them, add --gres gpu:8 or what the \
                       site calls them\n";

#[track_caller]
fn fails(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], code: i32) -> String {
    let output = run(folder, arguments, variables);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn no_flags_and_no_slurm() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds(folder.path(), &[], &[("PATH", "")]);
    for name in ["setup.sh", "prepare_models.sh", "launch.sh"] {
        assert!(
            folder
                .path()
                .join("llama3-70b-h100x4-fp8")
                .join(name)
                .exists()
        );
        assert!(
            printed.contains(&format!("wrote ./llama3-70b-h100x4-fp8/{name}\n")),
            "{printed}"
        );
    }
    assert!(
        printed.contains("  sbatch ./llama3-70b-h100x4-fp8/setup.sh\n"),
        "{printed}"
    );
    assert!(
        printed.contains("export STAGE_PATH=/lustre/...\n"),
        "{printed}"
    );
    let placed = succeeds(folder.path(), &["--stage-path", "/nim", "there"], &[]);
    assert!(
        placed.contains(
            "  export STAGE_PATH=/lustre/...\n      only to use another folder than /nim, which is in the scripts\n"
        ),
        "{placed}"
    );
    let again = succeeds(folder.path(), &[], &[]);
    assert!(
        again.contains("launch.sh is there already, unchanged"),
        "{again}"
    );
    let other = succeeds(folder.path(), &["--time", "40"], &[]);
    assert!(
        other.contains("the launch.sh that was there is ./llama3-70b-h100x4-fp8/launch.sh.bak-1"),
        "{other}"
    );
}

#[test]
fn flags_reach_the_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "-A",
        "proj",
        "-p",
        "batch",
        "--gres",
        "gpu:h100:8",
        "-t",
        "02:00:00",
        "--stage-path",
        "/nim",
        "--mount",
        "/a:/b:ro",
        "--mount",
        "/c",
        "--concurrency",
        "1,8",
        "--use-case",
        "chat:128/128",
        "--use-case",
        "long:4096/512",
        "--tokenizer",
        "/opt/tokenizer",
        "--print",
        "launch",
    ];
    let script = succeeds(folder.path(), &arguments, &[]);
    for line in [
        "#SBATCH --account=proj",
        "#SBATCH --partition=batch",
        "#SBATCH --gres=gpu:h100:8",
        "#SBATCH --time=02:00:00",
        "readonly default_stage_path=/nim",
        "readonly tokenizer=/opt/tokenizer",
        "  /a:/b:ro",
        "  /c:/c",
    ] {
        assert!(script.lines().any(|found| found == line), "no {line:?}");
    }
    // Behind the requests, number and seed of the prompts.
    for point in ["  'chat 128 128 8 40 40 ", "  'long 4096 512 1 20 20 "] {
        let found = script.lines().any(|line| line.starts_with(point));
        assert!(found, "no {point:?}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "--print writes nothing"
    );
}

#[test]
fn each_option_s_origin_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[slurm]\npartition = 'batch'\nmem = false\n\n[slurm.launch]\ngres = 'gpu:8'\n";
    std::fs::write(folder.path().join("site.toml"), settings).unwrap();
    let text = succeeds(
        folder.path(),
        &["--settings", "site.toml", "--account=proj", "--explain"],
        &[("SBATCH_QOS", "night")],
    );
    let (_, launch) = text.split_once("launch.sh:\n").unwrap();
    for line in [
        "  --account=proj (flag or code)",
        "  --qos=night (SBATCH_QOS)",
        "  --partition=batch (line 2 of site.toml, [slurm])",
        "  --gres=gpu:8 (line 6 of site.toml, [slurm.launch])",
        "  --exclusive (the recipe)",
        "  --mem is left out (line 3 of site.toml, [slurm])",
    ] {
        assert!(
            launch.lines().any(|found| found == line),
            "no {line:?} in {text}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_printed_recipe_renders_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = succeeds(
        folder.path(),
        &[
            "--print",
            "recipe",
            "--concurrency",
            "2",
            "--tokenizer",
            "/t",
        ],
        &[],
    );
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    for script in ["setup", "prepare_models", "launch"] {
        let direct = succeeds(
            folder.path(),
            &["--concurrency", "2", "--tokenizer", "/t", "--print", script],
            &[],
        );
        let through_file = succeeds(
            folder.path(),
            &["--recipe", "recipe.toml", "--print", script],
            &[],
        );
        assert_eq!(direct, through_file);
    }
}

#[test]
fn check_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds(folder.path(), &["--check"], &[("PATH", "")]);
    assert!(
        printed.starts_with("ok: recipe llama3-70b-h100x4-fp8, 8 points\n"),
        "{printed}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("site.toml"),
        "[slurm]\npartition = 'gpu h100'\n",
    )
    .unwrap();
    let error = fails(folder.path(), &["--settings", "site.toml"], &[], 2);
    for words in [
        "site.toml",
        "line 2",
        "unexpected character ' ' in partition \"gpu h100\"",
    ] {
        assert!(error.contains(words), "{error}");
    }
    let error = fails(folder.path(), &["--gres", "gpu:"], &[], 2);
    assert!(
        error.contains("--gres") && error.contains("is neither a type nor a count"),
        "{error}"
    );
    let error = fails(folder.path(), &["--settings", "none.toml"], &[], 2);
    assert!(
        error.contains("cannot read settings file none.toml: No such file"),
        "{error}"
    );
    let error = fails(
        folder.path(),
        &["--gres", "gpu:8"],
        &[("SBATCH_GPUS_PER_NODE", "8")],
        2,
    );
    assert!(
        error.contains("--gres (flag or code) and --gpus-per-node (SBATCH_GPUS_PER_NODE)"),
        "{error}"
    );
    let error = fails(folder.path(), &[], &[("SBATCH_TIMELIMIT", "1h")], 2);
    assert!(
        error.contains("SBATCH_TIMELIMIT") && error.contains("unexpected character 'h'"),
        "{error}"
    );
    let error = fails(folder.path(), &["--concurrency", "1,x"], &[], 2);
    assert!(
        error.contains("invalid value 'x' for '--concurrency <N,N,...>': a whole number of requests is allowed, 1 at least"),
        "{error}"
    );
    fails(folder.path(), &["--no-such-flag"], &[], 2);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing was written"
    );
}

#[test]
fn what_is_not_input_is_code_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = fails(folder.path(), &["file/out"], &[], 1);
    assert!(
        error.contains("cannot write file/out/setup.sh: cannot make the folder"),
        "{error}"
    );
}

#[test]
fn submit_without_slurm() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["--submit", "--stage-path", "/nim"],
        &[("PATH", "")],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no sbatch on PATH"));
}

#[test]
fn overriding_variables_are_pinned_in_the_printed_commands() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds(
        folder.path(),
        &["-p", "ours"],
        &[("SBATCH_PARTITION", "theirs")],
    );
    assert!(
        printed.contains("sbatch --partition=ours ./llama3-70b-h100x4-fp8/launch.sh"),
        "{printed}"
    );
}

/// Who has the model of a gate to fetch is told of the token before, not by the failure.
#[test]
fn a_model_of_the_hub_has_its_token_in_the_next_steps() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!succeeds(folder.path(), &[], &[]).contains("HF_TOKEN"));
    let printed = succeeds(
        folder.path(),
        &["--recipe", "llama3-3-70b-h100x4-vllm"],
        &[],
    );
    assert!(printed.contains("wrote ./llama3-3-70b-h100x4-vllm/launch.sh\n"));
    assert!(
        printed.contains("export HF_TOKEN=...\n      for meta-llama/Llama-3.3-70B-Instruct@"),
        "{printed}"
    );
}

#[test]
fn the_help_names_the_recipes() {
    let folder = tempfile::tempdir().unwrap();
    let help = Command::new(binary()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(nim_slurm::Recipe::BUILT_IN.len() > 1);
    for name in nim_slurm::Recipe::BUILT_IN {
        assert!(help.contains(name), "{name}: {help}");
        let text = succeeds(folder.path(), &["--recipe", name, "--check"], &[]);
        assert!(text.starts_with(&format!("ok: recipe {name}, ")), "{text}");
    }
}

#[test]
fn submit_without_a_stage_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(folder.path(), &["--submit"], &[], 2);
    assert!(error.contains("the jobs need a stage path"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn no_gpus_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let notes = |flags: &[&str]| {
        let output = run(folder.path(), flags, &[]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    for flags in [&["--check"][..], &[], &["--explain"]] {
        assert_eq!(notes(flags), NO_GPUS, "{flags:?}");
    }
    assert_eq!(notes(&["--check", "--gres", "gpu:8"]), "");
    assert_eq!(notes(&["--print", "launch"]), "");
}

#[test]
fn a_time_limit_shorter_than_the_server_s_start_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [
        &["--gres=gpu:8", "--time", "30", "--check"][..],
        &["--gres=gpu:8", "--time", "30"],
    ] {
        let output = run(folder.path(), flags, &[]);
        assert!(output.status.success(), "it is no error");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "note: launch.sh asks for --time=30, but its server may take 1800 s to be ready, and the job is warned 30 s \
             before its end: its time may be up before it gives the server up\n"
        );
    }
    let time = succeeds(folder.path(), &["--time", "31", "--check"], &[]);
    assert!(time.contains("--time=31"), "{time}");
    succeeds(folder.path(), &["--time", "30", "--print", "launch"], &[]);
}

#[test]
fn use_cases_are_given_one_by_one_or_with_commas() {
    let folder = tempfile::tempdir().unwrap();
    let launch = |flags: &[&str]| {
        let flags = [flags, &["--print", "launch"]].concat();
        succeeds(folder.path(), &flags, &[])
    };
    let once = launch(&["--use-case", "chat:128/32,long:4096/64"]);
    assert_eq!(
        once,
        launch(&["--use-case=chat:128/32", "--use-case=long:4096/64"])
    );
    assert!(once.contains("'chat 128 32 "), "{once}");
    let error = fails(folder.path(), &["--use-case", "chat:128/32,long"], &[], 2);
    assert!(error.contains("'long'"), "{error}");
}

#[test]
fn a_job_that_follows_without_its_sign() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [
        &["--follow", "1027"][..],
        &["--follow", "1027", "bench"],
        &["bench", "--submit", "--follow", "1027_3"],
    ] {
        let error = fails(folder.path(), flags, &[], 2);
        let words = "error: --follow takes its job behind '=': write --follow=1027";
        assert!(error.starts_with(words), "{error}");
    }
    let error = fails(folder.path(), &["--models-job"], &[], 2);
    assert!(error.contains("--submit"), "{error}");
}

#[test]
fn help_fits_a_terminal() {
    for example in ["llama3_70b_h100x4_fp8", "preflight", "report", "job_status"] {
        let output = Command::new(common::example(example))
            .arg("--help")
            .output();
        let help = String::from_utf8(output.unwrap().stdout).unwrap();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{example}: {line}");
        }
    }
}

#[test]
fn variables_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let not_text = std::ffi::OsStr::from_bytes(b"a\xffb");
    for variable in ["SBATCH_PARTITION", "STAGE_PATH"] {
        let mut command = Command::new(binary());
        command.current_dir(folder.path()).env(variable, not_text);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!(
                "error: cannot use the variable {variable}: cannot take \"a\u{fffd}b\" as text: it is not UTF-8\n"
            )
        );
    }
    // What nobody reads may be anything.
    let mut command = Command::new(binary());
    command.current_dir(folder.path()).env("LESSOPEN", not_text);
    assert!(command.output().unwrap().status.success());
}

#[test]
fn one_point_is_one_point() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--check",
        "--concurrency",
        "2",
        "--use-case",
        "chat:128/128",
    ];
    let printed = succeeds(folder.path(), &flags, &[]);
    assert!(printed.contains(", 1 point\n"), "{printed}");
}

#[test]
fn an_earlier_job_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let script = succeeds(
        folder.path(),
        &[
            "--resume", "4711", "--resume", "4712-3", "--print", "launch",
        ],
        &[],
    );
    assert!(script.contains("\nreadonly default_resume_job_id='4711,4712-3'\n"));
    fails(folder.path(), &["--resume", "job"], &[], 2);
}

#[test]
fn following_needs_a_job_and_its_stage_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = fails(folder.path(), &["--follow"], &[], 2);
    assert!(error.contains("--follow alone needs --submit"), "{error}");
    let error = fails(folder.path(), &["--follow=job"], &[], 2);
    assert!(error.contains("--follow"), "{error}");
    let error = fails(folder.path(), &["--follow=4711"], &[], 2);
    assert!(
        error.contains("the job's stage path is not known"),
        "{error}"
    );
    let flags = ["--submit", "--follow=4711", "--stage-path", "/nim"];
    let error = fails(folder.path(), &flags, &[], 2);
    assert!(error.contains("leave --submit out"), "{error}");
    let flags = ["--follow=4711", "--stage-path", "/nim"];
    let error = fails(folder.path(), &flags, &[("PATH", "")], 1);
    assert!(
        error.contains("neither scontrol nor squeue is on PATH"),
        "{error}"
    );
    fails(folder.path(), &["--models-job"], &[], 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_array_is_followed_task_by_task() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "slurm = { launch = { array = '0-1' } }";
    std::fs::write(folder.path().join("site.toml"), settings).unwrap();
    let flags = [
        "--settings",
        "site.toml",
        "--stage-path",
        "/nim",
        "--submit",
        "--follow",
    ];
    let error = fails(folder.path(), &flags, &[], 2);
    assert!(error.contains("--follow=JOB_TASK"), "{error}");
}

#[test]
fn empty_variables_are_taken_away_in_the_printed_commands() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds(folder.path(), &[], &[("SBATCH_TIMELIMIT", "")]);
    let command = "env --unset=SBATCH_TIMELIMIT sbatch ./llama3-70b-h100x4-fp8/launch.sh";
    assert!(printed.contains(command), "{printed}");
}
