//! The program, as a user at a login node has it: no Slurm needed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use common::PROGRAM;

mod common;

/// `render` with these flags.
fn run(folder: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Output {
    run_program(folder, &[&["render"], flags].concat(), variables)
}

fn run_program(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
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
fn succeeds(folder: &Path, flags: &[&str], variables: &[(&str, &str)]) -> String {
    program_succeeds(folder, &[&["render"], flags].concat(), variables)
}

#[track_caller]
fn program_succeeds(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run_program(folder, arguments, variables);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.is_empty() || stderr.replace("gpu:8", "gpu:4") == NO_GPUS,
        "{stderr}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What every plan without `--gres` or the like is told.
const NO_GPUS: &str = "note: launch.sh asks Slurm for no GPUs, and gets all of its nodes, which it has alone; to ask for \
                       them: add --sbatch launch.gres=gpu:4, or what the site calls them\n";

#[track_caller]
fn fails(folder: &Path, flags: &[&str], variables: &[(&str, &str)], code: i32) -> String {
    program_fails(folder, &[&["render"], flags].concat(), variables, code)
}

#[track_caller]
fn program_fails(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    code: i32,
) -> String {
    let output = run_program(folder, arguments, variables);
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
    let at_once =
        format!("  {PROGRAM} run --stage-path=/nim there\n      or, in place of these three: ");
    assert!(placed.contains(&at_once), "{placed}");
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
    let kept = |number: u8| {
        let path = "./llama3-70b-h100x4-fp8/launch.sh";
        format!("wrote {path}; what was there is kept as {path}.bak-{number}\n")
    };
    assert!(other.contains(&kept(1)), "{other}");
    // The same bytes are kept once.
    let first = succeeds(folder.path(), &[], &[]);
    assert!(first.contains(&kept(2)), "{first}");
    let other = succeeds(folder.path(), &["--time", "40"], &[]);
    assert!(other.contains(&kept(1)), "{other}");
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
    let text = program_succeeds(
        folder.path(),
        &["explain", "--settings", "site.toml", "--account=proj"],
        &[("SBATCH_QOS", "night")],
    );
    let (_, launch) = text.split_once("launch.sh:\n").unwrap();
    for line in [
        "  --account=proj (command line)",
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
        &["--sbatch", "mem=1G"],
        &[("SBATCH_MEM_PER_CPU", "8G")],
        2,
    );
    assert!(
        error.contains("--mem (command line) and --mem-per-cpu (SBATCH_MEM_PER_CPU)"),
        "{error}"
    );
    let error = fails(folder.path(), &[], &[("SBATCH_TIMELIMIT", "1h")], 2);
    assert!(
        error.contains("SBATCH_TIMELIMIT") && error.contains("unexpected character 'h'"),
        "{error}"
    );
    let error = fails(folder.path(), &["--concurrency", "1,x"], &[], 2);
    assert!(
        error.contains("invalid value 'x' for '--concurrency <N,N,...>': a whole number from 1 to 4294967295 is allowed, or several with commas, as in 1,8"),
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
fn a_folder_that_is_gone_is_named_as_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["render", "report --demo"] {
        let mut shell = Command::new("sh");
        let lines = format!("mkdir gone && cd gone && rmdir ../gone && exec \"$0\" {command}");
        shell.args(["-c", &lines, PROGRAM]);
        let output = shell.current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.starts_with("error: the folder in which this was started is gone ("),
            "{error}"
        );
    }
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
    let output = run_program(
        folder.path(),
        &["submit", "--stage-path", "/nim"],
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
    let printed = succeeds(folder.path(), &[], &[]);
    let key = "export NGC_API_KEY=...\n      for images and model from NGC; ";
    assert!(
        printed.contains(key) && !printed.contains("HF_TOKEN"),
        "{printed}"
    );
    let printed = succeeds(
        folder.path(),
        &["--recipe", "llama3-3-70b-h100x4-vllm"],
        &[],
    );
    let key = "export NGC_API_KEY=...\n      for images from NGC; ";
    assert!(printed.contains(key), "{printed}");
    assert!(printed.contains("wrote ./llama3-3-70b-h100x4-vllm/launch.sh\n"));
    assert!(
        printed.contains("export HF_TOKEN=...\n      for meta-llama/Llama-3.3-70B-Instruct@"),
        "{printed}"
    );
}

#[test]
fn the_help_names_the_recipes() {
    let folder = tempfile::tempdir().unwrap();
    let help = program_succeeds(folder.path(), &["render", "--help"], &[]);
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
    let error = program_fails(folder.path(), &["submit"], &[], 2);
    assert!(error.contains("the jobs need a stage path"), "{error}");
    // It is one of all the things that `run` names at once.
    let error = program_fails(folder.path(), &["run"], &[], 1);
    assert!(error.contains("error    there is no stage path"), "{error}");
    assert!(error.matches("error    ").count() > 1, "{error}");
    assert!(error.ends_with("\nnothing was submitted\n"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn no_gpus_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let notes = |arguments: &[&str]| {
        let output = run_program(folder.path(), arguments, &[]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    for arguments in [&["render", "--check"][..], &["render"], &["explain"]] {
        assert_eq!(notes(arguments), NO_GPUS, "{arguments:?}");
    }
    let settings = folder.path().join("site.toml");
    std::fs::write(&settings, "cluster.gpus = 'none'\n").unwrap();
    let settings = settings.to_str().unwrap();
    assert_eq!(notes(&["render", "--check", "--settings", settings]), "");
    assert_eq!(
        notes(&["render", "--check", "--sbatch", "launch.gres=gpu:8"]),
        ""
    );
    assert_eq!(notes(&["render", "--print", "launch"]), "");
    assert_eq!(notes(&["render", "--check", "--quiet"]), "");
}

#[test]
fn a_time_limit_shorter_than_the_server_s_start_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [
        &["--sbatch=launch.gres=gpu:8", "--time", "30", "--check"][..],
        &["--sbatch=launch.gres=gpu:8", "--time", "30"],
    ] {
        let output = run(folder.path(), flags, &[]);
        assert!(output.status.success(), "it is no error");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "note: launch.sh asks for --time=30, which may end before the server is ready: ready_timeout is 1800 s, and \
             the job stops 30 s before its end\n"
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

/// The names of all commands, as `--help` lists them.
fn commands() -> Vec<String> {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    names
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect()
}

#[test]
fn help_fits_a_terminal_and_is_grouped() {
    let commands = commands();
    assert_eq!(commands.len(), 12, "{commands:?}");
    for command in commands.iter().filter(|own| *own != "help") {
        let output = Command::new(PROGRAM).args([command, "--help"]).output();
        let help = String::from_utf8(output.unwrap().stdout).unwrap();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        assert!(help.contains("\nOutput:\n"), "{command}: {help}");
        if help.contains("--partition") {
            let of_place = help.split_once("\nWhere it runs:\n").unwrap().1;
            let (of_place, of_run) = of_place.split_once("\nWhat is run:\n").unwrap();
            assert!(of_place.contains("--sbatch") && of_run.contains("--recipe"));
        }
    }
}

#[test]
fn variables_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let not_text = std::ffi::OsStr::from_bytes(b"a\xffb");
    for variable in ["SBATCH_PARTITION", "STAGE_PATH"] {
        let mut command = Command::new(PROGRAM);
        command
            .arg("render")
            .current_dir(folder.path())
            .env(variable, not_text);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}");
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!(
                "error: cannot use the variable {variable}: cannot take \"a\u{fffd}b\" as text: it is not UTF-8\n"
            )
        );
    }
    // All at once.
    let mut command = Command::new(PROGRAM);
    command.arg("render").current_dir(folder.path()).envs([
        ("STAGE_PATH", "nim"),
        ("SBATCH_TIMELIMIT", "1h"),
        ("SBATCH_ACCOUNT", "a b"),
    ]);
    let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let lines: Vec<_> = said.lines().collect();
    for (line, name) in lines
        .iter()
        .zip(["STAGE_PATH", "SBATCH_ACCOUNT", "SBATCH_TIMELIMIT"])
    {
        assert!(
            line.contains(&format!("cannot use the variable {name}: ")),
            "{said}"
        );
    }
    assert_eq!(lines.len(), 3, "{said}");
    // What nobody reads may be anything.
    let mut command = Command::new(PROGRAM);
    command
        .arg("render")
        .current_dir(folder.path())
        .env("LESSOPEN", not_text);
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
    let error = program_fails(folder.path(), &["follow"], &[], 2);
    assert!(error.contains("<JOB>"), "{error}");
    let error = program_fails(folder.path(), &["follow", "job"], &[], 2);
    assert!(error.contains("invalid value 'job' for '<JOB>'"), "{error}");
    let error = program_fails(folder.path(), &["follow", "4711"], &[], 2);
    assert!(
        error.contains("the job's stage path is not known: give --settings or --stage-path, or export STAGE_PATH"),
        "{error}"
    );
    let arguments = ["follow", "4711", "--stage-path", "/nim"];
    let error = program_fails(folder.path(), &arguments, &[("PATH", "")], 1);
    assert!(
        error.contains("neither scontrol nor squeue is on PATH"),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_array_is_followed_task_by_task() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "slurm = { launch = { array = '0-1' } }";
    std::fs::write(folder.path().join("site.toml"), settings).unwrap();
    let flags = ["--settings", "site.toml", "--stage-path", "/nim"];
    for command in [&["submit", "--follow"][..], &["run"]] {
        let error = program_fails(folder.path(), &[command, &flags].concat(), &[], 2);
        let hint = format!("then follow a task: {PROGRAM} follow JOB_TASK\n");
        assert!(error.ends_with(&hint), "{error}");
    }
}

#[test]
fn jobs_get_all_variables_in_the_printed_commands() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds(folder.path(), &[], &[("SBATCH_EXPORT", "NONE")]);
    let command = "sbatch --export=ALL ./llama3-70b-h100x4-fp8/setup.sh";
    assert!(printed.contains(command), "{printed}");
}

#[test]
fn empty_variables_are_taken_away_in_the_printed_commands() {
    let folder = tempfile::tempdir().unwrap();
    let printed = succeeds(folder.path(), &[], &[("SBATCH_TIMELIMIT", "")]);
    let command = "env --unset=SBATCH_TIMELIMIT sbatch ./llama3-70b-h100x4-fp8/launch.sh";
    assert!(printed.contains(command), "{printed}");
}

#[test]
fn a_value_that_may_be_a_secret_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["export", "launch.export", "passthrough=--export"] {
        let flag = format!("--sbatch={option}=ALL,HF_TOKEN=S3CRET");
        let error = fails(folder.path(), &[&flag], &[], 2);
        assert!(
            error.contains("a value would stand in the script"),
            "{error}"
        );
        assert!(!error.contains("S3CRET"), "{error}");
    }
}

#[test]
fn any_option_of_sbatch_has_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    let header = |flags: &[&str], script: &str| {
        let flags = [flags, &["--print", script]].concat();
        let text = succeeds(folder.path(), &flags, &[("SBATCH_QOS", "day")]);
        let lines = text.lines().filter(|line| line.starts_with("#SBATCH "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let flags = [
        "--sbatch=qos=night",
        "--sbatch",
        "launch.gpus-per-node=8",
        "--sbatch=setup.hold",
        "--sbatch=mem=false",
        "--sbatch=passthrough=--brand-new=1",
        "--sbatch=passthrough=--other",
    ];
    let has = |lines: &[String], option: &str| lines.contains(&format!("#SBATCH {option}"));
    let (setup, launch) = (header(&flags, "setup"), header(&flags, "launch"));
    for lines in [&setup, &launch] {
        for option in ["--qos=night", "--brand-new=1", "--other"] {
            assert!(has(lines, option), "{option}: {lines:?}");
        }
        assert!(
            !lines.iter().any(|line| line.contains("--mem")),
            "{lines:?}"
        );
    }
    assert!(has(&launch, "--gpus-per-node=8") && !has(&setup, "--gpus-per-node=8"));
    assert!(has(&setup, "--hold") && !has(&launch, "--hold"));
    let several = header(&["--sbatch=qos=high,normal"], "launch");
    assert!(has(&several, "--qos=high,normal"), "{several:?}");

    for (flag, words) in [
        (
            "partiton=x",
            "unknown key \"partiton\": perhaps partition is meant",
        ),
        ("launch.time=1h", "unexpected character 'h'"),
        (
            "qos",
            "--qos needs a value: only an option without one, such as exclusive",
        ),
    ] {
        let error = fails(folder.path(), &["--sbatch", flag], &[], 2);
        assert!(error.contains(words), "{flag}: {error}");
        assert!(error.contains("--sbatch <[SCRIPT.]KEY=VALUE>"), "{error}");
    }
    let twice = ["-p", "batch", "--sbatch", "partition=other"];
    let error = fails(folder.path(), &twice, &[], 2);
    let words = "error: --partition is given twice, by its own flag and by --sbatch partition=other: leave one out\n";
    assert_eq!(error, words);
    let error = fails(folder.path(), &["--recipe", "none"], &[], 2);
    let words = "recipe file none: there is no such file, and no built-in recipe of this name: allowed are llama3-70b";
    assert!(error.contains(words), "{error}");
    let error = program_fails(folder.path(), &["status", "launch"], &[], 2);
    let words = "cannot take \"launch\" as job: a job's number is allowed, such as 4711, or 4711_3 for a task of an array";
    assert!(error.contains(words), "{error}");
    // The recipe has none of these.
    for (flags, words) in [
        (&["--concurrency", "1,8,8"][..], "--concurrency has 8 twice"),
        (
            &["--concurrency=1", "--concurrency=1"],
            "--concurrency has 1 twice",
        ),
        (
            &["--use-case", "a:1/2,b:1/2,a:1/2"],
            "--use-case has a:1/2 twice",
        ),
    ] {
        let error = fails(folder.path(), flags, &[], 2);
        assert_eq!(error, format!("error: {words}: once is enough\n"));
    }
}

/// What is printed to be typed calls the program as the user did.
#[test]
fn hints_name_the_program_as_it_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "slurm = { launch = { array = '0-1' } }\nstage_path = '/nim'";
    std::fs::write(folder.path().join("site.toml"), settings).unwrap();
    std::os::unix::fs::symlink(PROGRAM, folder.path().join("my bench")).unwrap();
    let path = folder.path().display().to_string();
    for (name, hint) in [("my bench", "'my bench'"), ("./my bench", "'./my bench'")] {
        let output = Command::new("bash")
            .args(["-c", "\"$0\" submit --follow --settings site.toml", name])
            .current_dir(folder.path())
            .env("PATH", format!("{path}:/usr/bin:/bin"))
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            error.ends_with(&format!("{hint} follow JOB_TASK\n")),
            "{error}"
        );
    }
}

/// A hint whose path is not text cannot be typed, and nothing else fails by it.
#[test]
fn a_path_of_the_program_that_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(OsStr::from_bytes(b"nim\xff"));
    std::os::unix::fs::symlink(PROGRAM, &program).unwrap();
    let mut command = Command::new(program);
    command.args(["render", "scripts"]).env_remove("STAGE_PATH");
    let output = command.current_dir(folder.path()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{error}");
}

#[test]
fn built_in_recipes_are_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let list = program_succeeds(folder.path(), &["recipes"], &[]);
    let json = program_succeeds(folder.path(), &["recipes", "--json"], &[]);
    let same = program_succeeds(folder.path(), &["recipes", "list", "--json"], &[]);
    assert_eq!(same, json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], 1);
    for (place, name) in nim_slurm::Recipe::BUILT_IN.iter().enumerate() {
        assert!(list.lines().nth(place).unwrap().starts_with(name), "{list}");
        assert_eq!(json["recipes"][place]["name"], *name);
        let shown = program_succeeds(folder.path(), &["recipes", "show", name], &[]);
        assert!(shown.starts_with("# "), "it has its comments: {shown}");
        let own = folder.path().join("own.toml");
        std::fs::write(&own, shown).unwrap();
        let print =
            |recipe: &str| succeeds(folder.path(), &["--recipe", recipe, "--print=launch"], &[]);
        assert_eq!(print("own.toml"), print(name));
    }
    for arguments in [&["recipes", "show", "llama"][..], &["recipes", "show"]] {
        let error = program_fails(folder.path(), arguments, &[], 2);
        for name in nim_slurm::Recipe::BUILT_IN {
            assert!(error.contains(name), "{error}");
        }
    }
}

#[test]
fn colors_are_for_terminals() {
    let folder = tempfile::tempdir().unwrap();
    let said = |flags: &[&str], variables: &[(&str, &str)]| {
        let output = run(folder.path(), flags, variables);
        String::from_utf8(output.stderr).unwrap()
    };
    for (flags, variables) in [
        (&["--check"][..], &[][..]),
        (&["--check", "--color=never"], &[]),
        (&["--check"], &[("NO_COLOR", "1")]),
        (&["--settings=none.toml"], &[]),
        (&["--no-such-flag"], &[]),
    ] {
        let text = said(flags, variables);
        assert!(!text.is_empty() && !text.contains('\u{1b}'), "{text:?}");
    }
    let always = |flag: &str| said(&[flag, "--color=always"], &[("NO_COLOR", "1")]);
    assert!(always("--check").starts_with("\u{1b}[1;36mnote:\u{1b}[0m launch.sh "));
    assert!(always("--settings=none.toml").starts_with("\u{1b}[1;31merror:\u{1b}[0m cannot "));
    assert!(always("--no-such-flag").starts_with('\u{1b}'));
}

/// The scripts are in a folder of the recipe's name, unless another is named.
#[test]
fn a_folder_of_the_recipe_s_name_is_no_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--stage-path=/nim", "--recipe", "llama3-3-70b-h100x4-vllm"];
    let first = succeeds(folder.path(), &flags, &[]);
    let line = format!("  {PROGRAM} run --recipe=llama3-3-70b-h100x4-vllm --stage-path=/nim ");
    let line = first.lines().find_map(|own| own.strip_prefix(&line));
    assert_eq!(line, Some("./llama3-3-70b-h100x4-vllm"), "{first}");
    let again = succeeds(folder.path(), &flags, &[]);
    assert!(again.contains("launch.sh is there already, unchanged"));
    // What is printed goes on as far as sbatch, which is not there.
    for command in ["run", "submit"] {
        let flags = [&[command], &flags[..], &["./llama3-3-70b-h100x4-vllm"]].concat();
        let output = run_program(folder.path(), &flags, &[("PATH", "")]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("sbatch"));
    }
    std::fs::create_dir(folder.path().join("other")).unwrap();
    let error = fails(folder.path(), &["--recipe", "other"], &[], 2);
    assert!(
        error.contains("cannot read recipe file other: Is a directory"),
        "{error}"
    );
}

/// Who can change the folder can exchange the scripts before they run.
#[test]
fn a_folder_that_others_can_change_is_refused() {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    std::fs::create_dir(&there).unwrap();
    let set_mode =
        |mode| std::fs::set_permissions(&there, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o1777, 0o777, 0o757] {
        set_mode(mode);
        for command in ["render", "submit"] {
            let flags = [command, "--stage-path=/nim", "there"];
            let error = program_fails(folder.path(), &flags, &[], 2);
            let words = "error: every user may write to there, and so change the scripts there: name another \
                         folder, or type chmod go-w there\n";
            assert!(error.ends_with(words), "{error}");
        }
    }
    assert_eq!(std::fs::read_dir(&there).unwrap().count(), 0);
    // A group of the user's own is common.
    set_mode(0o775);
    succeeds(folder.path(), &["there"], &[]);
    // Only root can give a folder away.
    if chown(&there, Some(12345), None).is_ok() {
        symlink("there", folder.path().join("link")).unwrap();
        for name in ["there", "link"] {
            let error = fails(folder.path(), &[name], &[], 2);
            let words = format!(
                "error: {name} belongs to another user (uid 12345), who could change the scripts there: name another \
                 folder\n"
            );
            assert!(error.ends_with(&words), "{error}");
        }
    }
}

/// Each shell's completions and each page name the commands and their flags.
#[test]
fn completions_and_pages() {
    let folder = tempfile::tempdir().unwrap();
    let printed = |arguments: &[&str]| program_succeeds(folder.path(), arguments, &[]);
    for shell in ["bash", "zsh", "fish"] {
        let text = printed(&["completions", shell]);
        for word in ["nim-slurm", "render", "stage-path", "completions"] {
            assert!(text.contains(word), "{shell}: no {word}");
        }
    }
    let script = folder.path().join("completions.bash");
    std::fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let program = "source \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                   _nim__slurm nim-slurm \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[@]}\"";
    for (typed, offered) in [
        (&["re"][..], "render report recipes\n"),
        (&["render", "--rec"], "--recipe\n"),
        (&["recipes", "sh"], "show\n"),
        (&["help", "recipes", "sh"], "show\n"),
        (&["render", "--color", "al"], "always\n"),
    ] {
        let mut bash = Command::new("bash");
        bash.args(["-c", program]).arg(&script).arg("nim-slurm");
        let output = bash.args(typed).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            offered,
            "{typed:?}"
        );
    }

    let page = printed(&["man"]);
    for command in commands() {
        assert!(
            page.contains(&format!("nim\\-slurm\\-{command}(1)")),
            "{command}: {page}"
        );
        if command != "help" {
            let page = printed(&["man", &command]);
            assert!(
                page.contains(&format!("\\fBnim\\-slurm {command}\\fR")),
                "{page}"
            );
        }
    }
}

#[test]
fn explanations_for_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "explain",
        "--json",
        "--sbatch=launch.gres=gpu:8",
        "--sbatch=setup.gres=false",
    ];
    let text = program_succeeds(folder.path(), &flags, &[("SBATCH_QOS", "night")]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    let options = json["options"].as_array().unwrap();
    let find = |script: &str, option: &str| {
        let is_it = |own: &&serde_json::Value| own["script"] == script && own["option"] == option;
        options
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(find("launch", "--gres=gpu:8")["origin"], "command line");
    assert_eq!(find("setup", "--gres")["is_omitted"], true);
    assert_eq!(find("setup", "--qos=night")["origin"], "SBATCH_QOS");
}

/// What a new user stumbled over: each is answered with what to type.
#[test]
fn slips_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let reference = include_str!("../src/recipe/llama3-70b-h100x4-fp8.toml");
    let with = |old: &str, new: &str| {
        assert!(reference.contains(old), "{old}");
        std::fs::write(path.join("own.toml"), reference.replacen(old, new, 1)).unwrap();
        fails(path, &["--recipe", "own.toml", "--check"], &[], 2)
    };
    let error = with(
        "NIM_SERVER_PORT = \"{port}\"",
        "NIM_SERVER_PORT = \"{prot}\"",
    );
    let words = "has {prot} in its command or environment, which is no placeholder: perhaps {port} is meant";
    assert!(error.contains(words), "{error}");
    let error = with("\"{served_model_name}\"", "\"{model_name}\"");
    let words = "no placeholder: perhaps {served_model_name} or {model_path} is meant";
    assert!(error.contains(words), "{error}");
    // It is one mistake, and not a wrong number of GPUs as well.
    let error = with("\"{gpus}\"", "\"{gpu}\"");
    assert!(error.contains("perhaps {gpus} is meant"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    for text in ["", "\n# name = \"later\"\n"] {
        std::fs::write(path.join("own.toml"), text).unwrap();
        let error = fails(path, &["--recipe", "own.toml", "--check"], &[], 2);
        assert!(error.contains("own.toml: it is empty"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let error = with(
        "tool = { genai_perf = \"0.0.10\" }",
        "tool = \"genai_perf\"",
    );
    let words = "the tool's release is missing: expected { genai_perf = \"RELEASE\" }";
    assert!(error.contains(words), "{error}");
    for (tool, words) in [
        (
            "aiperf = \"0.13\"",
            "cannot take \"0.13\" as AIPerf release: a release such as",
        ),
        ("aiperf = 1", "cannot take \"1\" as AIPerf release: "),
        ("", "one tool is expected: { genai_perf = \"RELEASE\" } or "),
        (
            "aiperf = \"0.13.0\", genai_perf = \"25.01\"",
            "one tool is expected: { genai_perf = \"RELEASE\" } or ",
        ),
    ] {
        let tool = format!("tool = {{ {tool} }}");
        let error = with("tool = { genai_perf = \"0.0.10\" }", &tool);
        assert!(error.contains(words), "{error}");
        assert!(error.ends_with(&format!(" | {tool}\n")), "{error}");
    }
    let error = with("prefix_cache = \"off\"", "prefix_cache = false");
    let words = "unknown word \"false\": allowed are off, flush, on\n";
    assert!(error.contains(words), "{error}");
    let error = with("[slurm.launch]\n", "[slurm.launch]\naccount = \"x\"\n");
    assert!(error.ends_with(" | account = \"x\"\n"), "{error}");
    assert!(error.contains("the recipe sets --account"), "{error}");

    let error = fails(path, &["--qos", "night"], &[], 2);
    assert!(
        error.contains("unexpected argument --qos")
            && error.contains("--sbatch qos=VALUE, or as --sbatch launch.qos=VALUE"),
        "{error}"
    );
    assert!(!error.contains("tip:"), "{error}");
    // A word is no option.
    let error = program_fails(path, &["recipes", "list", "extra"], &[], 2);
    assert!(!error.contains("--sbatch"), "{error}");
    let error = fails(path, &["--sbatch", "p=batch"], &[], 2);
    assert!(
        error.contains("\"p\": perhaps partition is meant"),
        "{error}"
    );
    let error = fails(path, &["--sbatch", "zebra=1"], &[], 2);
    assert!(
        error.contains("\"zebra\": setup, prepare_models, launch and sbatch's"),
        "{error}"
    );
    assert!(
        !error.contains("licenses"),
        "no list of all options: {error}"
    );

    // One file of a site serves recipes with images from other registries.
    let mirrors =
        "[container.registries]\n\"nvcr.io\" = \"mirror:5000\"\n\"ghcr.io\" = \"mirror:5001\"\n";
    std::fs::write(path.join("site.toml"), mirrors).unwrap();
    succeeds(path, &["--settings", "site.toml", "--check"], &[]);
}

#[test]
fn what_the_jobs_would_do_otherwise_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let notes = |arguments: &[&str], variables: &[(&str, &str)]| {
        let gpus = "launch.gres=gpu:8";
        let arguments = [&["render", "--check", "--sbatch", gpus], arguments].concat();
        let output = run_program(folder.path(), &arguments, variables);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let stage = ["--stage-path", "/flag"];
    assert_eq!(
        notes(&stage, &[("STAGE_PATH", "/variable")]),
        "note: STAGE_PATH is exported as /variable, and wins over /flag when a script runs: unset STAGE_PATH to use /flag\n"
    );
    assert_eq!(notes(&stage, &[("STAGE_PATH", "/flag/")]), "");
    assert_eq!(notes(&[], &[("STAGE_PATH", "/variable")]), "");
    // The variable is in the scripts, in place of the file's.
    fs::write(folder.path().join("site.toml"), "stage_path = '/file'").unwrap();
    let site = ["--settings", "site.toml"];
    assert_eq!(
        notes(&site, &[("STAGE_PATH", "/variable")]),
        "note: STAGE_PATH is exported as /variable, and wins over /file of the settings: to use /file, unset STAGE_PATH and \
         type this again\n"
    );
    assert_eq!(notes(&site, &[("STAGE_PATH", "/file")]), "");
    assert_eq!(notes(&site, &[]), "");
    let recipe = nim_slurm::Recipe::built_in_toml("llama3-70b-h100x4-fp8").unwrap();
    let recipe = recipe.replace(r#"genai_perf = "0.0.10""#, r#"aiperf = "0.13.0""#);
    for (image, lacks) in [
        (
            "nvcr.io/nvidia/tritonserver:25.01-py3-sdk",
            "has GenAI-Perf, and perhaps no AIPerf",
        ),
        (
            "nvcr.io/nvidia/ai-dynamo/aiperf:0.12.0",
            "has none of curl, awk, find and sed",
        ),
        ("mirror.site:5000/aiperf:0.13.0", ""),
    ] {
        let own = recipe.replace("nvcr.io/nvidia/tritonserver:25.01-py3-sdk", image);
        fs::write(folder.path().join("own.toml"), own).unwrap();
        let said = notes(&["--recipe", "own.toml"], &[]);
        assert_eq!(said.is_empty(), lacks.is_empty(), "{said}");
        assert!(said.contains(lacks), "{said}");
    }
    let said = notes(&["--sbatch", "array=0-3"], &[]);
    assert!(
        said.starts_with("note: --array is set for setup.sh, prepare_models.sh, launch.sh: each task does the whole work again"),
        "{said}"
    );
}

/// `--gpus` counts those of all nodes.
#[test]
fn what_jobs_on_several_nodes_ask_for_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = nim_slurm::Recipe::built_in_toml("llama3-3-70b-h100x4-vllm").unwrap();
    let own = folder.path().join("own.toml");
    let notes = |from: &str, to: &str, gpus: &str| {
        assert!(recipe.contains(from), "{from}");
        fs::write(&own, recipe.replace(from, to)).unwrap();
        let option = format!("--sbatch=launch.{gpus}");
        let arguments = ["render", "--check", "--recipe", "own.toml", &option];
        let output = run_program(folder.path(), &arguments, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    let two = |gpus: &str| {
        let joined = "gpus = 4\nnodes = 2\nvariants = [{ name = 'a', command = ['--master-addr', '{leader_address}'] }]";
        notes("gpus = 4", joined, gpus)
    };
    assert_eq!(two("gpus=8"), "");
    let shared = |gpus: &str| {
        notes(
            "exclusive = true\nmem = \"0\"",
            "mem = \"64G\"\ncpus_per_task = 8",
            gpus,
        )
    };
    assert!(shared("gpus=8").contains("asks for 8 GPUs, the server uses 4"));
}

/// What a plan asks for that is allowed, and seldom meant.
#[test]
fn what_the_jobs_ask_for_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let recipe = nim_slurm::Recipe::built_in_toml("llama3-3-70b-h100x4-vllm").unwrap();
    let write = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();
    write("whole.toml", recipe);
    write("own.toml", &recipe.replace("exclusive = true\n", ""));
    write(
        "shared.toml",
        "cluster = { nodes = 'shared', gpus = 'gres' }",
    );
    let notes = |arguments: &[&str]| {
        let output = run_program(path, &[&["render", "--check"], arguments].concat(), &[]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let shared = ["--recipe", "whole.toml", "--settings", "shared.toml"];
    let lacks = |what: &str, add: &str| {
        format!(
            "note: launch.sh {what}, so server and client share what the site gives by default, often that of one CPU: \
             add {add}, or what the server needs\n"
        )
    };
    let (cpus, mem) = ("launch.cpus_per_task=16", "launch.mem=64G");
    assert_eq!(
        notes(&shared),
        lacks(
            "says neither how many CPUs nor how much memory it needs",
            &format!("--sbatch {cpus} --sbatch {mem}"),
        )
    );
    assert_eq!(
        notes(&[&shared[..], &["--sbatch", cpus]].concat()),
        lacks(
            "does not say how much memory it needs",
            &format!("--sbatch {mem}")
        )
    );
    assert_eq!(
        notes(&[&shared[..], &["--sbatch", mem]].concat()),
        lacks(
            "does not say how many CPUs it needs",
            &format!("--sbatch {cpus}")
        )
    );
    let both = ["--sbatch", cpus, "--sbatch", mem];
    assert_eq!(notes(&[&shared[..], &both].concat()), "");

    // A node of its own is whole; of others, GPUs are left to others.
    let gpus =
        |recipe: &str, option: &str| notes(&[&["--recipe", recipe, option], &both[..]].concat());
    assert_eq!(gpus("whole.toml", "--sbatch=launch.gres=gpu:8"), "");
    assert_eq!(gpus("own.toml", "--sbatch=launch.gres=gpu:4"), "");
    assert_eq!(
        gpus("own.toml", "--sbatch=launch.gpus_per_node=8"),
        "note: launch.sh asks for 8 GPUs, the server uses 4, and the rest is idle: \
         --sbatch launch.gpus_per_node=4 is enough\n"
    );
    assert_eq!(
        gpus("own.toml", "--gres=gpu:h100:8"),
        "note: launch.sh asks for 8 GPUs, the server uses 4, and the rest is idle: \
         --sbatch launch.gres=gpu:h100:4 is enough\n\
         note: setup.sh and prepare_models.sh ask for GPUs, too, with --gres=gpu:h100:8 (command line): ask for \
         launch.sh alone in place of that, with --sbatch launch.gres=gpu:h100:4, or with gres in [slurm.launch] of the settings\n"
    );
    // Of several nodes each, though no other job can have the rest.
    assert_eq!(
        gpus(
            "deepseek-r1-h100x16-nim",
            "--sbatch=launch.gres=gpu:h100:16"
        ),
        "note: launch.sh asks for 16 GPUs of each node, the server uses 8, and the rest is idle: \
         --sbatch launch.gres=gpu:h100:8 is enough\n"
    );
    // A share of one is what it asks for.
    assert_eq!(gpus("own.toml", "--sbatch=launch.gres=shard:2"), "");
    // Downloads use none.
    assert_eq!(
        gpus("whole.toml", "--gres=gpu:4"),
        "note: setup.sh and prepare_models.sh ask for GPUs, too, with --gres=gpu:4 (command line): ask for \
         launch.sh alone in place of that, with --sbatch launch.gres=gpu:4, or with gres in [slurm.launch] of the settings\n"
    );
    // What is typed in place of it leaves nothing to note.
    assert_eq!(gpus("whole.toml", "--sbatch=launch.gres=gpu:4"), "");
    // What has no name of its own moves.
    let image = "image = \"vllm/vllm-openai";
    let (before, after) = recipe.split_once(image).unwrap();
    let (_, after) = after.split_once('"').unwrap();
    for (name, is_noted) in [("", true), (":latest", true), (":v0.8.5", false)] {
        write("own.toml", &format!("{before}{image}{name}\"{after}"));
        let said = notes(&["--recipe", "own.toml", "--sbatch=launch.gres=gpu:4"]);
        let words = "is the latest of the day on which setup.sh fetches it, and may be another one next time: name its \
                     release, as in vllm/vllm-openai:1.2.3\n";
        assert_eq!(said.ends_with(words), is_noted, "{said}");
        assert_eq!(said.lines().count(), usize::from(is_noted), "{said}");
    }
}

/// A flag that would do nothing is refused.
#[test]
fn a_concurrency_that_no_use_case_takes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let recipe = nim_slurm::Recipe::built_in_toml("llama3-3-70b-h100x4-vllm").unwrap();
    let (before, after) = recipe.split_once("\nuse_cases = [").unwrap();
    let (_, after) = after.split_once("]\n").unwrap();
    let rated = "{ name = 'chat', input = 128, output = 128, request_rate = [1, 2] }";
    let with = |use_cases: &str| {
        let text = format!("{before}\nuse_cases = [{use_cases}]\n{after}");
        fs::write(path.join("own.toml"), text).unwrap();
    };
    let flags = ["--recipe", "own.toml", "--check", "--concurrency", "4"];
    with(rated);
    let error = fails(path, &flags, &[], 2);
    let words = "--concurrency 4 is for no use case: each has a request_rate or a trace";
    assert!(error.contains(words), "{error}");
    succeeds(path, &flags[..3], &[]);
    succeeds(
        path,
        &[&flags[..], &["--use-case", "chat:128/128"]].concat(),
        &[],
    );
    with(&format!("{rated}, 'code:128/128'"));
    succeeds(path, &flags, &[]);
}
