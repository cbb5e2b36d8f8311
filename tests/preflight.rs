//! `nim-slurm check` on a machine without Slurm.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use common::PROGRAM;

mod common;

const SECRET: &str = "nvapi-this-must-not-be-seen";

/// A user's folder, and a `PATH` with nothing on it but what a test puts there.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let home = Self { folder };
        for name in ["test", "df"] {
            home.link(name);
        }
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts the machine's own program on `PATH`.
    fn link(&self, name: &str) {
        let program = which::which(name).unwrap();
        std::os::unix::fs::symlink(program, self.path().join("bin").join(name)).unwrap();
    }

    /// Puts a script on `PATH`.
    fn script(&self, name: &str, body: &str) {
        let path = self.path().join("bin").join(name);
        // A link there leads to the machine's own program.
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(PROGRAM)
            .arg("check")
            .current_dir(self.path())
            .args(arguments)
            .env_clear()
            .env("PATH", self.path().join("bin"))
            .env("HOME", self.path())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// The findings, each as `severity: message; fix`, and the exit code.
    #[track_caller]
    fn findings(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (Vec<String>, i32) {
        let output = self.run(&[arguments, &["--json"]].concat(), variables);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["schema"], 1);
        assert_eq!(report.as_object().unwrap().len(), 2);
        let findings = report["findings"].as_array().unwrap().iter();
        let findings = findings.map(|finding| {
            let text = |key: &str| finding[key].as_str();
            let (severity, message) = (text("severity").unwrap(), text("message").unwrap());
            assert_eq!(finding.as_object().unwrap().len(), 3, "{finding}");
            match severity {
                "ok" => assert!(finding["fix"].is_null(), "{finding}"),
                "note" | "warning" | "error" => assert!(text("fix").is_some(), "{finding}"),
                other => panic!("{other}"),
            }
            format!("{severity}: {message}; {}", text("fix").unwrap_or_default())
        });
        (findings.collect(), output.status.code().unwrap())
    }
}

#[track_caller]
fn assert_found(findings: &[String], start: &str) {
    assert!(
        findings.iter().any(|finding| finding.starts_with(start)),
        "no {start:?} in {findings:#?}"
    );
}

#[track_caller]
fn assert_not_found(findings: &[String], words: &str) {
    assert!(
        findings.iter().all(|finding| !finding.contains(words)),
        "{words:?} in {findings:#?}"
    );
}

#[test]
fn no_slurm() {
    let home = Home::new();
    let (findings, code) = home.findings(&[], &[]);
    assert_eq!(code, 1);
    assert_found(
        &findings,
        "error: no sbatch on PATH here, nor any other program of Slurm",
    );
    for program in ["squeue", "no srun", "scontrol"] {
        assert_not_found(&findings, program);
    }
    assert_found(&findings, "error: there is no stage path");
    assert_found(&findings, "warning: no ngc on PATH here");
    // The compute nodes may have what this node lacks.
    let asks_the_node = ", unless that node has it: srun ngc --version";
    assert!(
        findings
            .iter()
            .any(|finding| finding.ends_with(asks_the_node)),
        "{findings:#?}"
    );
    // A job's node may have what nothing here needs.
    assert_found(&findings, "note: no awk, find, flock");
    let plain_tools = findings
        .iter()
        .find(|finding| finding.contains("no awk"))
        .unwrap();
    let asks_the_node = "; ask the node itself: srun bash -c 'type awk find flock ";
    assert!(plain_tools.contains(asks_the_node), "{plain_tools}");
    assert_found(&findings, "note: no enroot on PATH here");

    let output = home.run(&[], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"");
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = findings
        .iter()
        .filter(|finding| finding.starts_with("error"))
        .count();
    assert!(
        text.ends_with(&format!(
            "\n{errors} things stand in the way; {} warning\n",
            warnings(&findings)
        )),
        "{text}"
    );
}

/// Without its configuration each of Slurm's programs fails, which is one thing to fix.
#[test]
fn slurm_without_its_configuration() {
    let home = Home::new();
    for name in [
        "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct",
    ] {
        let words =
            format!("echo '{name}: fatal: Could not establish a configuration source' >&2; exit 1");
        home.script(name, &words);
    }
    let (findings, code) = home.findings(&["--stage-path", "/tmp"], &[]);
    assert_eq!(code, 1);
    assert_found(
        &findings,
        "error: Slurm's programs do not work here, so the jobs could not be checked: sbatch: fatal: Could not",
    );
    let of_slurm = findings
        .iter()
        .filter(|finding| finding.contains("configuration source"));
    assert_eq!(of_slurm.count(), 1, "{findings:#?}");
}

/// Slurm's programs look for it again and again, for a minute.
#[test]
fn a_configuration_that_is_not_there() {
    let home = Home::new();
    home.script("sbatch", "while :; do :; done");
    let plan = nim_slurm::Plan::new(
        nim_slurm::Recipe::llama3_70b_h100x4_fp8(),
        nim_slurm::Settings::new(),
    )
    .unwrap();
    let path = home.path().join("bin").into_os_string();
    let variables = [("PATH", path), ("SLURM_CONF", "/no/such/slurm.conf".into())];
    let limit = std::time::Duration::from_millis(500);
    let findings = nim_slurm::preflight::Preflight::new(&plan, variables)
        .with_time_limit(limit)
        .check();
    let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_found(
        &findings,
        "error: Slurm's programs do not work here, so the jobs could not be checked: SLURM_CONF names /no/such/slurm.conf, which is \
         not there",
    );
    assert_not_found(&findings, "no answer within");
}

/// A settings file may name mirrors for the images of other recipes.
#[test]
fn a_mirror_that_no_image_comes_from() {
    let home = Home::new();
    home.write(
        "site.toml",
        "container.registries = { 'ghcr.io' = 'mirror:5000' }\n",
    );
    let flags = ["--settings", "site.toml", "--stage-path", "/tmp"];
    let (findings, _) = home.findings(&flags, &[]);
    assert_found(
        &findings,
        "note: no image of this recipe comes from ghcr.io, for which [container] registries",
    );
}

fn warnings(findings: &[String]) -> usize {
    findings
        .iter()
        .filter(|finding| finding.starts_with("warning"))
        .count()
}

#[test]
fn text_is_aligned_and_fits() {
    let home = Home::new();
    let output = home.run(&["--stage-path", "/no/such/folder"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let (findings, _) = text.split_once("\n\n").unwrap();
    for line in findings.lines() {
        let is_command = line.starts_with("            ");
        assert!(line.chars().count() <= 100 || is_command, "{line}");
        let mark = line[..9].trim_end();
        assert!(
            ["", "ok", "note", "warning", "error"].contains(&mark),
            "{line}"
        );
    }
    // What matters most stands last, and a long command on a line of its own.
    let marks: Vec<_> = (findings.lines().map(|line| line[..9].trim_end()))
        .filter(|mark| !mark.is_empty())
        .collect();
    let rank = |mark: &&str| {
        ["ok", "note", "warning", "error"]
            .iter()
            .position(|own| own == mark)
    };
    assert!(marks.is_sorted_by_key(rank), "{text}");
    assert!(
        text.contains(
            "         -> ask the node itself:\n            srun bash -c 'type awk find flock grep mktemp numfmt od sed stat tail tr'\n"
        ),
        "{text}"
    );
    // What is well is one line, unless it is asked for.
    let ok = |text: &str| text.lines().filter(|line| line.starts_with("ok ")).count();
    let count = findings.lines().next().unwrap();
    assert!(
        ok(&text) == 1 && count.ends_with(" looked at and well (--verbose lists them)"),
        "{count}"
    );
    let all = home.run(&["--stage-path", "/no/such/folder", "--verbose"], &[]);
    let verbose = String::from_utf8(all.stdout).unwrap();
    let listed = ok(&verbose).to_string();
    assert_eq!(count.split_whitespace().nth(1), Some(&*listed), "{verbose}");
    let (_, rest) = text.split_once('\n').unwrap();
    assert!(verbose.ends_with(rest), "{verbose}");
    let all = home.run(&["--stage-path", "/no/such/folder", "--quiet"], &[]);
    let quiet = String::from_utf8(all.stdout).unwrap();
    assert!(quiet.starts_with("warning  no ngc"), "{quiet}");
    assert!(text.ends_with(&quiet), "{quiet}");
    assert!(
        text.contains("\n         -> export NGC_API_KEY=..."),
        "{text}"
    );
}

/// `script` is a terminal, whatever the test runs in.
#[test]
fn lines_are_as_wide_as_the_terminal() {
    let home = Home::new();
    home.link("stty");
    let widths = |columns: usize| -> Vec<_> {
        let command = format!("stty rows 24 columns {columns}; {PROGRAM} check");
        let output = Command::new(which::which("script").unwrap())
            .args(["--quiet", "--command", &command, "/dev/null"])
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", home.path().join("bin"))
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(str::trim_end);
        // A command to copy is never broken.
        let lines = lines.filter(|line| !line.trim_start().starts_with("srun "));
        lines.map(|line| line.chars().count()).collect()
    };
    for columns in [70, 100] {
        let widths = widths(columns);
        assert!(widths.len() > 5, "{widths:?}");
        let widest = *widths.iter().max().unwrap();
        assert!(widest <= columns && widest > columns - 20, "{widths:?}");
    }
}

#[test]
fn no_path_at_all() {
    let home = Home::new();
    let output = home.run(&["--stage-path", "/tmp"], &[("PATH", "")]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(
            "warning  test -e /tmp does not say whether the stage path is there: it is not on PATH"
        ),
        "{text}"
    );
}

#[test]
fn bad_input() {
    let home = Home::new();
    home.write("site.toml", "[slurm]\npartition = 'gpu h100'\n");
    home.write("recipe.toml", "name = 'my recipe'\n");
    for (arguments, words) in [
        (["--settings", "site.toml"], "site.toml"),
        (["--settings", "site.toml"], "line 2"),
        (
            ["--settings", "none.toml"],
            "cannot read settings file none.toml",
        ),
        (
            ["--recipe", "recipe.toml"],
            "unexpected character ' ' in recipe name",
        ),
        (["--gres", "gpu:1"], "the recipe's server uses 4"),
        (["--time", "1h"], "unexpected character 'h'"),
    ] {
        let output = home.run(&arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(words), "no {words:?} in {error}");
    }
}

#[test]
fn keys_are_asked_for_only_where_they_are_needed() {
    let home = Home::new();
    home.write(
        "mirror.toml",
        "container.registries = { 'nvcr.io' = 'mirror.site:5000' }",
    );
    let stage = ["--stage-path", "/tmp/stage"];
    let findings = |arguments: &[&str], variables: &[(&str, &str)]| {
        home.findings(&[&stage[..], arguments].concat(), variables)
            .0
    };

    let without = findings(&[], &[]);
    assert_found(&without, "error: there is no login for nvcr.io");
    assert_found(
        &without,
        "error: there is no NGC key, and the model is still to be fetched",
    );
    assert_not_found(&without, "HF_TOKEN");

    let with_key = findings(&[], &[("NGC_API_KEY", SECRET)]);
    assert_found(
        &with_key,
        "ok: NGC_API_KEY is set, and serves as the login for nvcr.io",
    );
    assert_found(&with_key, "ok: NGC_API_KEY is set, for the model");

    let mirrored = findings(&["--settings", "mirror.toml"], &[]);
    assert_not_found(&mirrored, "nvcr.io");
    assert_found(
        &mirrored,
        "note: enroot has no login for mirror.site, which may want none",
    );

    home.write(
        "enroot/.credentials",
        &format!("machine nvcr.io login $oauthtoken password {SECRET}\n"),
    );
    let config = home.path().join("enroot");
    let credentials = [("ENROOT_CONFIG_PATH", config.to_str().unwrap())];
    let with_login = findings(&[], &credentials);
    assert_found(&with_login, "ok: enroot has a login for nvcr.io");
    assert_found(&with_login, "warning: others may read the logins in");
    assert_not_found(&with_login, SECRET);

    let elsewhere = home.path().join("elsewhere");
    let elsewhere = [("NGC_CLI_HOME", elsewhere.to_str().unwrap())];
    for (place, variables) in [("elsewhere", &elsewhere[..]), ("", &[])] {
        let config = format!("{place}/.ngc/config");
        let key = format!("[CURRENT]\napikey = {SECRET}\n");
        home.write(config.trim_start_matches('/'), &key);
        let configured = findings(&[], variables);
        assert_not_found(&configured, "there is no NGC key");
        assert_not_found(&configured, SECRET);
    }
}

/// A file of logins, as podman and apptainer have it.
const LOGINS: &str = r#"{"auths": {"nvcr.io": {"auth": "eA=="}, "mirror.site": {"auth": "eA=="}}}"#;

/// What is found with these settings alone.
fn findings_of(home: &Home, settings: &str, variables: &[(&str, &str)]) -> Vec<String> {
    home.write("site.toml", settings);
    let arguments = ["--settings", "site.toml", "--stage-path", "/tmp/stage"];
    home.findings(&arguments, variables).0
}

/// Where a variable names podman's file of logins, no other counts, as setup.sh finds it.
#[test]
fn logins_of_podman() {
    let home = Home::new();
    let findings =
        |settings: &str, variables: &[(&str, &str)]| findings_of(&home, settings, variables);
    let path = |name: &str| home.path().join(name).display().to_string();
    let podman = "container.runtime = 'podman'\nsrun.mpi = 'none'";
    let file = path(".config/containers/auth.json");
    // What a login without --authfile writes is on this machine alone.
    home.write("run/containers/auth.json", LOGINS);
    let found = findings(podman, &[("XDG_RUNTIME_DIR", &path("run"))]);
    assert_found(&found, "error: there is no login for nvcr.io");
    let advice = format!("podman login --authfile {file} --username '$oauthtoken' nvcr.io");
    assert!(found.concat().contains(&advice), "{found:?}");
    for file in [
        "docker/config.json",
        "auth.json",
        ".config/containers/auth.json",
    ] {
        home.write(file, LOGINS);
    }
    home.write("none/config.json", "{}");
    let (none, docker, auth) = (path("none"), path("docker"), path("auth.json"));
    for (variables, place) in [
        (vec![], Some(&file)),
        (vec![("DOCKER_CONFIG", &*none)], None),
        (
            vec![("DOCKER_CONFIG", &*docker)],
            Some(&path("docker/config.json")),
        ),
        (
            vec![("DOCKER_CONFIG", &*none), ("REGISTRY_AUTH_FILE", &*auth)],
            Some(&auth),
        ),
        (
            vec![
                ("DOCKER_CONFIG", &*docker),
                ("REGISTRY_AUTH_FILE", "/nowhere"),
            ],
            None,
        ),
    ] {
        let found = findings(podman, &variables);
        match place {
            Some(place) => assert_found(
                &found,
                &format!("ok: podman has a login for nvcr.io, in {place}"),
            ),
            None => assert_found(&found, "error: there is no login for nvcr.io"),
        }
    }
}

/// A login in apptainer's variables counts for the registry that setup.sh gives it to, and one in docker's file where
/// no key is surer.
#[test]
fn logins_of_apptainer() {
    let home = Home::new();
    let findings =
        |settings: &str, variables: &[(&str, &str)]| findings_of(&home, settings, variables);
    let path = |name: &str| home.path().join(name).display().to_string();
    let apptainer = "container.runtime = 'apptainer'\nsrun.mpi = 'none'";
    let login = |of: &str, user: &str| {
        [
            (format!("{of}_USERNAME"), user.to_owned()),
            (format!("{of}_PASSWORD"), SECRET.to_owned()),
        ]
    };
    for (of, user, is_for_key) in [
        ("APPTAINER_DOCKER", "$oauthtoken", true),
        ("SINGULARITY_DOCKER", "$oauthtoken", true),
        ("DOCKER", "$oauthtoken", true),
        ("DOCKER", "me", false),
        ("APPTAINER_DOCKER", "me", false),
    ] {
        let login = login(of, user);
        let variables: Vec<_> = login
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let place = format!("in {of}_USERNAME");
        let found = findings(apptainer, &variables);
        if is_for_key {
            assert_found(
                &found,
                &format!("ok: apptainer has a login for nvcr.io, {place}"),
            );
        } else {
            assert_found(&found, "error: there is no login for nvcr.io");
        }
        // A name alone is none.
        let found = findings(apptainer, &variables[..1]);
        assert_found(&found, "error: there is no login for nvcr.io");
        let mirror = format!("{apptainer}\ncontainer.registries = {{ 'nvcr.io' = 'mirror.site' }}");
        let found = findings(&mirror, &variables);
        if is_for_key {
            assert_found(&found, "note: apptainer has no login for mirror.site");
        } else {
            assert_found(
                &found,
                &format!("ok: apptainer has a login for mirror.site, {place}"),
            );
        }
    }

    // Not each release of apptainer reads docker's file, and none where it has a folder of its own.
    home.write(".docker/config.json", LOGINS);
    let key = ("NGC_API_KEY", SECRET);
    let folder = ("APPTAINER_CONFIGDIR", "/nowhere");
    let file = path(".docker/config.json");
    assert_found(
        &findings(apptainer, &[]),
        &format!("ok: apptainer has a login for nvcr.io, in {file}"),
    );
    assert_found(
        &findings(apptainer, &[key]),
        "ok: NGC_API_KEY is set, and serves as the login for nvcr.io",
    );
    // The key is for no other registry.
    let mirror = format!("{apptainer}\ncontainer.registries = {{ 'nvcr.io' = 'mirror.site' }}");
    assert_found(
        &findings(&mirror, &[key]),
        &format!("ok: apptainer has a login for mirror.site, in {file}"),
    );
    assert_found(
        &findings(apptainer, &[folder]),
        "error: there is no login for nvcr.io",
    );
    // In that folder, since 1.3.6, it has docker's name.
    home.write("own/config.json", LOGINS);
    let own = path("own");
    assert_found(
        &findings(apptainer, &[("APPTAINER_CONFIGDIR", own.as_str())]),
        &format!("ok: apptainer has a login for nvcr.io, in {own}/config.json"),
    );
    home.write(".apptainer/docker-config.json", LOGINS);
    let file = path(".apptainer/docker-config.json");
    assert_found(
        &findings(apptainer, &[key]),
        &format!("ok: apptainer has a login for nvcr.io, in {file}"),
    );
}

/// hf tells its version in three ways, and apptainer before 1.2 does not do what it is asked.
#[test]
fn releases_of_programs() {
    let home = Home::new();
    for (says, expected) in [
        (
            "huggingface_hub version: 0.34.0",
            "huggingface_hub version: 0.34.0",
        ),
        ("1.0.0", "1.0.0"),
        (
            "\\033[32m✓ hf version\\033[0m\\n  version: 2.4.0",
            "version: 2.4.0",
        ),
    ] {
        home.script(
            "hf",
            &format!("[ \"$*\" = version ] || exit 2\nprintf '{says}\\n'"),
        );
        let (findings, _) = home.findings(&["--recipe", "llama3-3-70b-h100x4-vllm"], &[]);
        let hf = home.path().join("bin/hf");
        assert_found(
            &findings,
            &format!("ok: hf is {}: {expected};", hf.display()),
        );
    }

    let foreign = if cfg!(target_arch = "aarch64") {
        "amd64"
    } else {
        "arm64"
    };
    let text = recipe("\"amd64\"", &format!("'{foreign}'"));
    home.write("foreign.toml", &text);
    home.write(
        "apptainer.toml",
        "container.runtime = 'apptainer'\nsrun.mpi = 'none'",
    );
    let words = format!(
        "here pulls its node's own architecture, whatever it is asked for, and the recipe names {foreign}"
    );
    for (version, is_old) in [
        ("1.0.3", true),
        ("1.1.9-1.el9", true),
        ("1.2.0", false),
        ("1.4.5", false),
    ] {
        home.script("apptainer", &format!("echo apptainer version {version}"));
        let arguments = [
            "--recipe",
            "foreign.toml",
            "--settings",
            "apptainer.toml",
            "--stage-path",
            "/tmp/stage",
        ];
        let (findings, _) = home.findings(&arguments, &[]);
        if is_old {
            assert_found(&findings, &format!("warning: apptainer {version} {words}"));
        } else {
            assert_not_found(&findings, &words);
        }
    }
}

/// The built-in recipe with one key changed.
fn recipe(from: &str, to: &str) -> String {
    let text = include_str!("../src/recipe/llama3-70b-h100x4-fp8.toml");
    assert!(text.contains(from));
    text.replace(from, to)
}

#[test]
fn secrets_of_the_server_and_the_tokenizer() {
    let home = Home::new();
    home.write(
        "secrets.toml",
        &recipe("secrets = []", "secrets = ['MY_KEY', 'OTHER']"),
    );
    home.write(
        "hub.toml",
        &recipe(
            "random_seed = 0",
            "random_seed = 0\ntokenizer = 'meta-llama/X'",
        ),
    );
    let (findings, _) = home.findings(&["--recipe", "secrets.toml"], &[("MY_KEY", SECRET)]);
    assert_found(&findings, "ok: MY_KEY is set, for the server");
    assert_found(
        &findings,
        "error: OTHER is not set, and the recipe's server needs it; export OTHER=...",
    );
    let (findings, _) = home.findings(&["--recipe", "hub.toml"], &[]);
    assert_found(
        &findings,
        "warning: HF_TOKEN is not set, and the tokenizer meta-llama/X comes from the Hugging Face hub; if it is gated: \
         export HF_TOKEN=..., or leave the tokenizer out: the model has its own",
    );
    // Nobody says so of this one.
    let text = fs::read_to_string(home.path().join("hub.toml")).unwrap();
    let without = text.replace("\"tokenizer.json\",", "");
    assert_ne!(text, without);
    home.write("hub.toml", &without);
    let (findings, _) = home.findings(&["--recipe", "hub.toml"], &[]);
    assert_not_found(&findings, "the model has its own");
    let (findings, _) = home.findings(&["--recipe", "hub.toml"], &[("HF_TOKEN", SECRET)]);
    assert_found(
        &findings,
        "ok: HF_TOKEN is set, for the tokenizer meta-llama/X",
    );
    assert_not_found(&findings, SECRET);
    assert_not_found(&findings, "llama-tokenizer");
}

#[test]
fn releases_that_start_with_a_tokenizer_of_their_own() {
    let home = Home::new();
    home.write(
        "old.toml",
        &recipe("genai_perf = \"0.0.10\"", "genai_perf = \"24.10\""),
    );
    let (findings, _) = home.findings(&["--recipe", "old.toml"], &[]);
    assert_found(
        &findings,
        "note: GenAI-Perf 0.0.7 (SDK 24.10) starts only with hf-internal-testing/llama-tokenizer, whatever tokenizer it is \
         given; see that the compute node reaches the Hugging Face hub, or fetch it before: HF_HOME=$STAGE_PATH/hf_cache/$UID/$(printf '%s\\0' \
         nvcr.io/nvidia/tritonserver:25.01-py3-sdk | sha256sum | head -c 32) huggingface-cli download hf-internal-testing/llama-tokenizer; or use 0.0.8 (SDK 24.11) or later",
    );
}

#[test]
fn stage_paths() {
    let home = Home::new();
    let stage = home.path().join("stage");
    fs::create_dir(&stage).unwrap();
    let stage = stage.to_str().unwrap();
    home.write("site.toml", "stage_path = '/elsewhere'");

    let (findings, _) = home.findings(&["--settings", "site.toml"], &[("STAGE_PATH", stage)]);
    let note = format!(
        "note: STAGE_PATH says {stage}, and wins over the stage path /elsewhere when a script runs"
    );
    assert_found(&findings, &note);
    assert_found(
        &findings,
        &format!("ok: the stage path {stage} is a folder and can be written to"),
    );

    let (findings, _) = home.findings(&["--stage-path", "/elsewhere"], &[("STAGE_PATH", stage)]);
    assert_found(&findings, &note);

    home.write("file", "");
    let file = home.path().join("file/stage");
    let (findings, code) = home.findings(&["--stage-path", file.to_str().unwrap()], &[]);
    assert_eq!(code, 1);
    assert!(
        findings
            .iter()
            .any(|finding| finding.contains("file is no folder, so the stage path")),
        "{findings:#?}"
    );
}

/// Slurm makes no folders for what jobs print.
#[test]
fn folders_that_are_not_there() {
    let home = Home::new();
    let here = home.path().to_str().unwrap();
    let flags = |options: &[&str]| -> Vec<String> {
        let options = options.iter().flat_map(|option| ["--sbatch", option]);
        let options: Vec<_> = options.collect();
        home.findings(&options, &[]).0
    };
    assert_not_found(&flags(&[]), "and Slurm makes none");
    assert_found(
        &flags(&["launch.output=logs/%j/x.out"]),
        &format!(
            "warning: there is no folder {here}/logs on this machine for the output of launch.sh, and Slurm makes none; make it, unless the \
             nodes have one of their own: mkdir -p {here}/logs"
        ),
    );
    assert_found(
        &flags(&["chdir=/no/such", "output=/dev/null"]),
        "warning: there is no folder /no/such on this machine for setup.sh, prepare_models.sh and launch.sh to run in, and Slurm makes none",
    );
    assert_not_found(&flags(&["output=/dev/null"]), "/dev ");
}

/// Slurm opens a log as the user, and follows a link that another user put there. What others put into the stage
/// path runs as the user.
#[test]
fn folders_that_every_user_may_write_to() {
    let home = Home::new();
    let own = home.path().join("own");
    fs::create_dir(&own).unwrap();
    let own = own.to_str().unwrap();
    let findings = || {
        let flags = [
            "--stage-path",
            own,
            "--sbatch",
            "launch.output=own/%j/%x.out",
        ];
        home.findings(&flags, &[]).0
    };
    let log = format!(
        "warning: every user may write to {own}, where Slurm writes the output of launch.sh: they can lead it to another file of \
         yours; submit from a folder of your own, or name one: --sbatch output=/lustre/.../%x-%j.out"
    );
    let stage = format!(
        "warning: every user may write to the stage path {own}, and what is put there runs as you; name a folder of your \
         own, or close this one: chmod o-w {own}"
    );
    for mode in [0o1777, 0o777, 0o757] {
        fs::set_permissions(own, fs::Permissions::from_mode(mode)).unwrap();
        let findings = findings();
        assert_found(&findings, &log);
        assert_found(&findings, &stage);
        assert_not_found(&findings, "the output of setup.sh");
    }
    // A project's folder is so.
    fs::set_permissions(own, fs::Permissions::from_mode(0o2775)).unwrap();
    assert_not_found(&findings(), "every user may write");
    // The owner of a project's folder is trusted with it.
    if std::os::unix::fs::chown(own, Some(12345), None).is_ok() {
        assert_not_found(&findings(), "where Slurm writes the output");
    }
}

#[test]
fn a_stage_path_behind_a_link_that_leads_nowhere() {
    let home = Home::new();
    std::os::unix::fs::symlink("/no/such", home.path().join("link")).unwrap();
    let link = home.path().join("link");
    for stage in [link.clone(), link.join("stage")] {
        let (findings, _) = home.findings(&["--stage-path", stage.to_str().unwrap()], &[]);
        let words = format!(
            "warning: {} is a link to /no/such, which is not on this machine",
            link.display()
        );
        assert_found(&findings, &words);
        assert_not_found(&findings, "is not there yet");
    }
}

/// launch.sh looks for the same files when it runs.
#[test]
fn a_job_to_resume_without_results() {
    let home = Home::new();
    home.write("stage/results/run_7-0.json", "");
    home.write("stage/results/run_8.json", "");
    let stage = home.path().join("stage");
    let stage = stage.to_str().unwrap();
    let findings = |flags: &[&str], variables: &[(&str, &str)]| {
        let flags = [&["--stage-path", stage], flags].concat();
        home.findings(&flags, variables).0
    };
    let words = "launch.sh is to resume job 99, and its manifest ";
    // Task 3 of job 7 has left no manifest, as one that was cancelled before it began.
    for jobs in ["7", "7-0", "7-3", "8"] {
        assert_not_found(&findings(&["--resume", jobs], &[]), "to resume job");
    }
    assert_found(
        &findings(&["--resume", "99"], &[]),
        &format!("error: {words}{stage}/results/run_99.json is not on this machine; "),
    );
    assert_found(
        &findings(&["--resume", "8"], &[("RESUME_JOB_ID", "7_0,99")]),
        &format!("error: {words}"),
    );
    // The nodes may have what is not here.
    let elsewhere = home.path().join("elsewhere");
    let flags = [
        "--stage-path",
        elsewhere.to_str().unwrap(),
        "--resume",
        "99",
    ];
    let findings_there = home.findings(&flags, &[]).0;
    assert_found(&findings_there, &format!("warning: {words}"));
    // It may still run.
    let waits = [
        "--resume",
        "99",
        "--sbatch",
        "launch.dependency=afterany:99",
    ];
    assert_found(&findings(&waits, &[]), &format!("warning: {words}"));
}

/// They are read, and never run.
#[test]
fn hooks_that_bash_cannot_read() {
    let home = Home::new();
    home.link("bash");
    home.write("hook.sh", "touch ran\nif true; then\n  echo yes\n");
    home.write("other.sh", "touch ran\n[[ a == !(b) ]]\n");
    home.write(
        "site.toml",
        "hooks = { launch = { before = 'hook.sh' }, server = 'other.sh' }",
    );
    let (findings, code) = home.findings(&["--settings", "site.toml"], &[]);
    assert_eq!(code, 1);
    assert_found(
        &findings,
        "error: bash cannot read the lines of launch.before under [hooks]: line ",
    );
    assert_not_found(&findings, "the lines of server");
    assert!(!home.path().join("ran").exists());
}

/// What a node has is for a node to say: the command is one to type, whatever the folders are called.
#[test]
fn folders_that_a_node_may_lack() {
    let home = Home::new();
    slurm_that_says(&home, "");
    home.script("stat", "echo nfs");
    let stage = home.path().join("it's");
    fs::create_dir(&stage).unwrap();
    let (stage, here) = (stage.to_str().unwrap(), home.path().to_str().unwrap());
    let question = |flags: &[&str]| {
        let (findings, _) = home.findings(flags, &[("STAGE_PATH", stage)]);
        let asks = |finding: &&String| finding.contains("srun find ");
        let asks: Vec<_> = findings.iter().filter(asks).cloned().collect();
        assert_eq!(asks.len(), 1, "{findings:#?}");
        asks.concat()
    };
    let quoted = stage.replace('\'', r"'\''");
    assert_eq!(
        question(&[]),
        format!(
            "note: whether nodes have these folders and may write to them cannot be told from here: {stage} (stage path), {here} \
             (what jobs print); ask a node; it prints nothing where all is well, else each folder that it lacks or may not write \
             to: srun find '{quoted}' {here} -maxdepth 0 -not -writable"
        )
    );
    let alone = format!(
        "note: whether nodes have these folders and may write to them cannot be told from here: {stage} (stage path); ask a node; it \
         prints nothing where all is well, else each folder that it lacks or may not write to: srun find '{quoted}' -maxdepth 0 \
         -not -writable"
    );
    assert_eq!(question(&["--sbatch", "output=/lustre/%x-%j.out"]), alone);
    assert_eq!(question(&["--sbatch", &format!("chdir={stage}")]), alone);

    // What is of this machine alone is said, and stays a note where it may be exported.
    home.script(
        "stat",
        "case $* in *it*) echo tmpfs ;; *) echo ext2/ext3 ;; esac",
    );
    let said = question(&[]);
    let words = format!(
        "{here} (what jobs print). Here {stage} is in memory, which nodes do not share. Here {here} is on a local disk, which nodes \
         see only if this machine exports it; ask a node; "
    );
    assert!(
        said.starts_with("warning: ") && said.contains(&words),
        "{said}"
    );
    home.script("stat", "echo xfs");
    let said = question(&[]);
    assert!(
        said.starts_with("note: ") && said.contains(". Here both are on a local disk, "),
        "{said}"
    );
    // Where there is no srun, there is nothing to type.
    let (findings, _) = Home::new().findings(&[], &[("STAGE_PATH", stage)]);
    assert_not_found(&findings, "srun find");
}

/// Where a library is missing on this machine alone, a node's own srun loads the plugin: nothing stands in the way.
#[test]
fn an_mpi_plugin_that_this_machine_cannot_load() {
    let home = Home::new();
    slurm_that_says(&home, "");
    home.script(
        "srun",
        "case $1 in --mpi=list) echo pmix ;; --mpi=pmix) echo 'srun: error: Invalid MPI type pmix' >&2; exit 1 ;; esac",
    );
    let (findings, _) = home.findings(&["--stage-path", "/tmp"], &[]);
    assert_found(
        &findings,
        "warning: srun lists the MPI plugin pmix, but cannot load it on this machine: srun: error: Invalid MPI type pmix; ask a \
         node; no error means that it can: srun bash -c 'srun --overlap --mem=0 --mpi=pmix true'; if it cannot, add --mpi none (in",
    );
}

/// As README and `render` print them.
#[test]
fn keys_that_are_still_dots() {
    let home = Home::new();
    home.write(
        "hub.toml",
        &recipe(
            "random_seed = 0",
            "random_seed = 0\ntokenizer = 'meta-llama/X'",
        ),
    );
    let dots = [("NGC_API_KEY", "..."), ("HF_TOKEN", "...")];
    let (findings, _) = home.findings(&["--recipe", "hub.toml"], &dots);
    let of_hub = "the tokenizer meta-llama/X comes from the Hugging Face hub";
    for (grade, name, need, when) in [
        (
            "error",
            "NGC_API_KEY",
            "setup.sh needs it as the login for nvcr.io",
            "",
        ),
        (
            "error",
            "NGC_API_KEY",
            "the model is still to be fetched",
            "",
        ),
        ("warning", "HF_TOKEN", of_hub, "if it is gated: "),
    ] {
        assert_found(
            &findings,
            &format!(
                "{grade}: {name} is still \"...\", and {need}; {when}put your own in place of the dots: export {name}=..."
            ),
        );
    }
}

#[test]
fn mounts_are_looked_for() {
    let home = Home::new();
    home.write("site.toml", "container.mounts = ['/no/such:/data', '/tmp']");
    let (findings, _) = home.findings(&["--settings", "site.toml", "--stage-path", "/tmp"], &[]);
    assert_found(
        &findings,
        "warning: /no/such is not on this machine, and launch.sh mounts it in the containers",
    );
    assert_found(
        &findings,
        "ok: /tmp, to be mounted in the containers, is there",
    );
}

#[test]
fn hostile_variables_are_text() {
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    let not_text = std::ffi::OsStr::from_bytes(b"\xff\x1b[31m");
    let output = Command::new(PROGRAM)
        .arg("check")
        .current_dir(home.path())
        .env_clear()
        .env("PATH", home.path().join("bin"))
        .env("HOME", not_text)
        .env("SBATCH_WAIT", not_text)
        .env("SBATCH_\u{1b}[31m", "$(touch ran)")
        .env("SBATCH_EXPORT", format!("KEY={SECRET}"))
        .env("NGC_API_KEY", format!("{SECRET}\n$(touch ran)"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("note     SBATCH_EXPORT is set and would override --export=ALL"),
        "{text}"
    );
    assert!(text.contains("SBATCH_WAIT is set"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains('\u{1b}'), "{text}");
    assert!(!home.path().join("ran").exists());
}

/// Programs that do what no real one should: stand-ins, and honest about it. One that
/// hangs is a test on the lab, since it takes 20 seconds.
#[test]
fn programs_that_misbehave() {
    let home = Home::new();
    home.link("yes");
    home.script("enroot", "yes");
    home.script("b3sum", "echo; echo \"$NGC_API_KEY\" >&2; exit 1");
    home.write("bin/unsquashfs", "no program");
    let path = home.path().join("bin/unsquashfs");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let (findings, code) = home.findings(&[], &[("NGC_API_KEY", SECRET)]);
    assert_eq!(code, 1);
    assert_found(
        &findings,
        "warning: unsquashfs -version does not say its version: it cannot be started",
    );
    assert_found(
        &findings,
        &format!(
            "warning: b3sum is {}, but does not say its version: $NGC_API_KEY",
            home.path().join("bin/b3sum").display()
        ),
    );
    assert_not_found(&findings, SECRET);
}

#[test]
fn a_variable_that_is_read_must_be_text() {
    use std::os::unix::ffi::OsStrExt;

    let home = Home::new();
    let mut command = Command::new(PROGRAM);
    command
        .arg("check")
        .env_clear()
        .env("STAGE_PATH", std::ffi::OsStr::from_bytes(b"/nim\xff"));
    let output = command.current_dir(home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: cannot use the variable STAGE_PATH: cannot take \"/nim\u{fffd}\" as text: it is not UTF-8\n"
    );
}

/// Stand-ins for a Slurm with the partitions batch, of four hours, and gpu, which
/// refuses every job with these words.
fn slurm_that_says(home: &Home, words: &str) {
    home.script(
        "sbatch",
        &format!("echo 'allocation failure: {words}' >&2; exit 1"),
    );
    home.script(
        "sinfo",
        "echo 'batch*|up|4:00:00|idle|2|gpu:8'; echo 'gpu|up|infinite|idle|2|gpu:8'",
    );
}

#[test]
fn a_wrong_partition_is_told_once_and_where_it_was_given() {
    let home = Home::new();
    slurm_that_says(&home, "Invalid partition name specified");
    let given = [
        (
            &["--partition", "nope"][..],
            &[][..],
            "--partition or partition in [slurm] of the settings",
        ),
        (
            &[],
            &[("SBATCH_PARTITION", "nope")],
            "the variable SBATCH_PARTITION",
        ),
    ];
    for (flags, variables, place) in given {
        let (findings, code) = home.findings(flags, variables);
        assert_eq!(code, 1);
        assert_found(
            &findings,
            &format!(
                "error: setup.sh, prepare_models.sh and launch.sh: Slurm has no partition nope; name another, with {place}: \
                 batch and gpu"
            ),
        );
        assert_not_found(&findings, "Slurm does not take");
        // What asks a node must work.
        assert_not_found(&findings, "srun --partition");
    }
    // Where sinfo does not know better, sbatch's word stands.
    let (findings, _) = home.findings(&["--partition", "gpu"], &[]);
    assert!(
        findings
            .iter()
            .any(|finding| finding.ends_with(" srun --partition=gpu ngc --version")),
        "{findings:#?}"
    );
    assert_found(
        &findings,
        "error: Slurm does not take setup.sh, prepare_models.sh and launch.sh: Invalid partition",
    );
}

/// Of several partitions Slurm takes one that fits, and has to know all of them.
#[test]
fn each_of_several_partitions_must_be_there() {
    let home = Home::new();
    slurm_that_says(&home, "Invalid partition name specified");
    let (findings, code) = home.findings(&["--partition", "gpu,nope"], &[]);
    assert_eq!(code, 1);
    assert_found(
        &findings,
        "error: setup.sh, prepare_models.sh and launch.sh: Slurm has no partition nope",
    );
    // batch allows four hours, and gpu allows more.
    home.script("sbatch", "echo 'sbatch: Job 7 to start at now' >&2");
    let (findings, _) = home.findings(&["--partition", "batch,gpu", "--time", "5:00:00"], &[]);
    assert_not_found(&findings, "allows 4:00:00");
}

/// --test-only refuses then, and a submission waits.
#[test]
fn a_job_waits_where_no_node_works_now() {
    let home = Home::new();
    slurm_that_says(&home, "Requested node configuration is not available");
    home.script("sinfo", "echo 'batch*|up|infinite|drained|2|gpu:8'");
    let (findings, _) = home.findings(&["--gres", "gpu:8"], &[]);
    assert_found(
        &findings,
        "warning: setup.sh, prepare_models.sh and launch.sh: no node of the partition batch works now: they are drained, yet sbatch \
         would take the job; ",
    );
    assert_not_found(&findings, "Slurm does not take");
    // More than they have is refused for good.
    let (findings, _) = home.findings(&["--gres", "gpu:9"], &[]);
    assert_found(
        &findings,
        "error: setup.sh, prepare_models.sh and launch.sh: no node of batch has the gpu:9",
    );
}

#[test]
fn a_wrong_gres_is_told_once() {
    let home = Home::new();
    slurm_that_says(&home, "Requested node configuration is not available");
    let errors = |gres: &str| {
        let flags = ["--partition", "batch", "--gres", gres];
        let (findings, code) = home.findings(&flags, &[]);
        assert_eq!(code, 1);
        let of_gres = |finding: &&String| {
            finding.contains("no node of batch has") || finding.contains("Slurm does not take")
        };
        findings.iter().filter(of_gres).cloned().collect::<Vec<_>>()
    };
    let lacking = errors("gpu:9");
    assert_eq!(lacking.len(), 1, "{lacking:#?}");
    let own = "error: setup.sh, prepare_models.sh and launch.sh: no node of batch has the gpu:9 that is asked for";
    assert!(lacking[0].starts_with(own), "{lacking:#?}");
    // It is something else that they lack.
    let other = errors("gpu:8");
    assert_eq!(other.len(), 1, "{other:#?}");
    assert!(other[0].contains("Slurm does not take"), "{other:#?}");
}

/// A filter of the site may choose the partition, and a reservation have nodes that sinfo calls maint.
#[test]
fn what_sbatch_takes_stands_in_nobody_s_way() {
    let home = Home::new();
    home.script(
        "sinfo",
        "echo 'a100|up|infinite|maint|2|gpu:8'; echo 'h100|up|infinite|idle|2|gpu:h100:8'",
    );
    let all = "setup.sh, prepare_models.sh and launch.sh: ";
    let cases = [
        (
            &[][..],
            "no partition is named, and Slurm has no default one",
            "name one, with --partition",
        ),
        (
            &["--partition", "h200"],
            "Slurm has no partition h200",
            "name another, with --partition",
        ),
        (
            &["--partition", "a100"],
            "no node of the partition a100 works now: they are maint",
            "see why, and until when: sinfo -R -p a100",
        ),
        (
            &["--partition", "h100", "--gres", "gpu:v100:4"],
            "no node of h100 has the gpu:v100:4 that is asked for: they have gpu:h100:8",
            "ask for what they have",
        ),
    ];
    for (flags, matter, fix) in cases {
        home.script("sbatch", "echo 'sbatch: Job 7 to start at now' >&2");
        let (findings, _) = home.findings(flags, &[]);
        let yet = "yet sbatch would take the job; if it does not start";
        assert_found(&findings, &format!("warning: {all}{matter}, {yet}, {fix}"));
        assert_not_found(&findings, "error: setup.sh");
        // Where sbatch refuses the job, or does not say, sinfo's word counts.
        for words in ["something else", "--test-only is not supported here"] {
            home.script(
                "sbatch",
                &format!("echo 'sbatch: error: {words}' >&2; exit 1"),
            );
            let (findings, code) = home.findings(flags, &[]);
            assert_found(&findings, &format!("error: {all}{matter}; {fix}"));
            assert_eq!(code, 1);
        }
    }
    // Each script has an answer of its own.
    home.script(
        "sbatch",
        "if grep -q client_parts; then echo no >&2; exit 1; fi; echo 'Job 7 to start at now' >&2",
    );
    home.link("grep");
    let (findings, _) = home.findings(&[], &[]);
    assert_found(&findings, "error: launch.sh: no partition is named");
    assert_found(
        &findings,
        "warning: setup.sh and prepare_models.sh: no partition is named",
    );
}

/// Where Slurm does not enforce a partition's limits, sbatch takes a job that its partition does not let in.
#[test]
fn a_partition_that_lets_an_account_or_a_qos_not_in() {
    let home = Home::new();
    home.script("sbatch", "echo 'sbatch: Job 7 to start at now' >&2");
    home.script(
        "sinfo",
        "for name in all some few; do echo \"$name|up|infinite|idle|2|gpu:8\"; done",
    );
    home.script(
        "scontrol",
        "[ \"$*\" = '--all --oneliner show partition' ] || exit 1\n\
         echo 'PartitionName=all AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL Default=NO'\n\
         echo 'PartitionName=some AllowGroups=ALL AllowAccounts=proj,zzz AllowQos=vip Default=NO'\n\
         echo 'PartitionName=few AllowGroups=ALL DenyAccounts=proj DenyQos=normal Default=NO'",
    );
    let scripts = "warning: setup.sh, prepare_models.sh and launch.sh: the partition";
    let fix = "; name another partition, account or quality of service: sacctmgr show associations";
    let waits = "the job would wait forever";
    let is_part = ", unless it is part of one that is let in";
    for (flags, user, said) in [
        ("partition=all,account=other,qos=normal", "me", None),
        ("partition=some,account=PROJ,qos=vip", "me", None),
        // One of several is enough.
        ("partition=few:all,account=proj", "me", None),
        (
            "partition=some,account=other",
            "me",
            Some(format!(
                "some lets in only the account proj,zzz, so with --account=other {waits}{is_part}{fix}"
            )),
        ),
        (
            "partition=some,qos=normal",
            "nobody",
            Some(format!(
                "some lets in only the quality of service vip, so with --qos=normal {waits}{fix}"
            )),
        ),
        (
            "partition=few,account=proj",
            "me",
            Some(format!(
                "few does not let in the account proj, so with --account=proj {waits}{fix}"
            )),
        ),
        (
            "partition=few,account=other,qos=normal",
            "me",
            Some(format!(
                "few does not let in the quality of service normal, so with --qos=normal {waits}{fix}"
            )),
        ),
        (
            "partition=few",
            "me",
            Some(format!(
                "few does not let in the account proj, so with your default account proj {waits}{fix}"
            )),
        ),
        ("partition=few", "nobody", None),
    ] {
        home.script("sacctmgr", "[ \"$5\" != name=me ] || echo proj");
        let options: Vec<_> = flags
            .split(',')
            .map(|option| option.replace(':', ","))
            .collect();
        let options = options.iter().flat_map(|option| ["--sbatch", option]);
        let (findings, _) = home.findings(&options.collect::<Vec<_>>(), &[("USER", user)]);
        match said {
            Some(said) => assert_found(&findings, &format!("{scripts} {said}")),
            None => assert_not_found(&findings, "wait forever"),
        }
    }
}

/// Nodes of a cloud that are off are not shown, and so are not told from none.
#[test]
fn a_cloud_whose_nodes_are_off_lacks_nothing() {
    let home = Home::new();
    let flags = ["--partition", "cloud", "--gres", "gpu:8"];
    let words = "Requested node configuration is not available";
    home.script(
        "sbatch",
        &format!("echo 'allocation failure: {words}' >&2; exit 1"),
    );
    home.script("sinfo", "echo 'cloud|up|infinite|n/a|0|'");
    let (findings, _) = home.findings(&flags, &[]);
    assert_not_found(&findings, "no node of cloud has");
    assert_found(
        &findings,
        &format!("error: Slurm does not take setup.sh, prepare_models.sh and launch.sh: {words}"),
    );
}

#[test]
fn another_cluster_is_asked_itself() {
    let home = Home::new();
    home.script("sbatch", "echo no >&2; exit 1");
    // With --clusters Slurm's programs name the cluster first.
    home.script(
        "sinfo",
        "case $1 in\n\
         --clusters=west) echo 'CLUSTER: west'; echo 'westgpu|drain|infinite|idle|2|gpu:8' ;;\n\
         --all) echo 'batch*|up|infinite|idle|2|gpu:8' ;;\n\
         *) exit 1 ;;\nesac",
    );
    home.script(
        "scontrol",
        "[ \"$*\" != '--clusters=west show config' ] || echo 'AccountingStorageEnforce = none'",
    );
    let options = "clusters=west,partition=westgpu,account=proj,reservation=acc,constraint=h100";
    let options = options.split(',').flat_map(|option| ["--sbatch", option]);
    let (findings, _) = home.findings(&options.collect::<Vec<_>>(), &[]);
    assert_found(
        &findings,
        "error: setup.sh, prepare_models.sh and launch.sh: the partition westgpu is drain and starts no jobs; wait \
         until it is up again, or name another one: sinfo --clusters=west -s",
    );
    assert_found(
        &findings,
        "note: Slurm enforces no accounts here, so --account=proj could not be checked; name what the site told you",
    );
    let question = "srun --clusters=west --partition=westgpu --account=proj --reservation=acc --constraint=h100 ";
    assert!(
        findings.iter().any(|finding| finding.contains(question)),
        "{findings:#?}"
    );
    // Each script has its own cluster; of several, Slurm takes one.
    let options = [
        "launch.clusters=west",
        "launch.partition=westgpu",
        "setup.clusters=east,west",
        "setup.partition=any",
        "account=proj",
    ];
    let options = options.iter().flat_map(|option| ["--sbatch", option]);
    let (findings, _) = home.findings(&options.collect::<Vec<_>>(), &[]);
    assert_found(
        &findings,
        "error: launch.sh: the partition westgpu is drain",
    );
    assert_found(&findings, "ok: the partition batch is up");
    assert_not_found(&findings, "partition any");
}

#[test]
fn accounts_that_keep_secrets_are_named() {
    let home = Home::new();
    home.script("sbatch", "echo no >&2; exit 1");
    let flags = |value: &str| {
        home.script(
            "scontrol",
            &format!("echo 'AccountingStoreFlags    = {value}'"),
        );
        let variables = [("NGC_API_KEY", SECRET), ("HF_TOKEN", SECRET)];
        home.findings(&["--account", "proj"], &variables).0
    };
    assert_found(
        &flags("job_comment,job_env"),
        "note: Slurm's accounts keep each job's environment here (AccountingStoreFlags=job_env), and so NGC_API_KEY and \
         HF_TOKEN; use a key that ends soon",
    );
    assert_not_found(&flags("job_comment"), "keep each job");
}

#[test]
fn a_time_limit_above_the_partition_s_is_for_slurm_to_judge() {
    let home = Home::new();
    slurm_that_says(
        &home,
        "Requested time limit is invalid (missing or exceeds some limit)",
    );
    let flags = ["--partition", "batch", "--time", "5:00:00"];
    let above =
        "warning: setup.sh, prepare_models.sh and launch.sh: the partition batch allows 4:00:00";
    let (findings, _) = home.findings(&flags, &[]);
    assert_found(&findings, above);
    assert_found(
        &findings,
        "error: Slurm does not take setup.sh, prepare_models.sh and launch.sh: Requested time limit",
    );
    home.script("sbatch", "echo 'sbatch: Job 7 to start at now' >&2");
    let (findings, _) = home.findings(&flags, &[]);
    assert_found(&findings, above);
    assert_not_found(&findings, "error: setup.sh");
}

#[test]
fn a_time_limit_shorter_than_the_server_s_start() {
    let home = Home::new();
    let (findings, _) = home.findings(&["--time", "20:00"], &[]);
    assert_found(
        &findings,
        "warning: launch.sh asks for --time=20:00, which may end before the server is ready",
    );
    let (findings, _) = home.findings(&["--time", "01:00:00"], &[]);
    assert_not_found(&findings, "may end before the server is ready");
}

#[test]
fn damaged_content_of_the_stage_path() {
    let home = Home::new();
    home.link("mkfifo");
    let stage = home.path().join("stage");
    fs::create_dir_all(stage.join("llama3-70b-instruct_vhf")).unwrap();
    let fifo = |name: &str| {
        let status = Command::new("mkfifo")
            .arg(stage.join(name))
            .status()
            .unwrap();
        assert!(status.success());
    };
    fifo("nvidia+tritonserver+25.01.sqsh");
    fifo("llama3-70b-instruct_vhf/model.safetensors.index.json");
    for file in &nim_slurm::Recipe::llama3_70b_h100x4_fp8()
        .model
        .weights
        .files
    {
        if !file.as_str().contains("model") {
            home.write(&format!("stage/llama3-70b-instruct_vhf/{file}"), "{}");
        }
    }
    home.write(
        "stage/nim+meta+llama3-70b-instruct+1.0.3.sqsh",
        "hsqs and no more",
    );
    let (findings, code) = home.findings(&["--stage-path", stage.to_str().unwrap()], &[]);
    assert_eq!(code, 1);
    assert_found(
        &findings,
        "warning: the image nvidia+tritonserver+25.01.sqsh is damaged: it is no plain file",
    );
    assert_found(
        &findings,
        "warning: the image nim+meta+llama3-70b-instruct+1.0.3.sqsh is damaged: its beginning cannot be read",
    );
    assert!(
        findings
            .iter()
            .any(|finding| finding.contains(": model.safetensors.index.json is missing")),
        "{findings:#?}"
    );
}

/// What is there of the model already needs no space again.
#[test]
fn a_download_that_did_not_end_is_no_lack_of_space() {
    let home = Home::new();
    home.script("df", "printf 'x\\nx x x 1000 x\\n'");
    home.write("stage/results/.keep", "");
    let stage = home.path().join("stage").to_str().unwrap().to_owned();
    let find = || home.findings(&["--stage-path", &stage], &[]).0;
    assert_found(&find(), "error: what is to be fetched takes about ");
    home.write("stage/.llama3-70b-instruct_vhf.part/a", "half");
    let words =
        format!("free in {stage}, beside {stage}/.llama3-70b-instruct_vhf.part of a download");
    let findings = find();
    let is_warning = |it: &&String| it.starts_with("warning: what is to be") && it.contains(&words);
    assert!(findings.iter().any(|it| is_warning(&it)), "{findings:#?}");
}

/// What was fetched for another recipe is not taken for what this one names.
#[test]
fn another_image_and_another_model() {
    let home = Home::new();
    let image = "stage/nim+meta+llama3-70b-instruct+1.0.3.sqsh";
    let mut superblock = [0; 48];
    superblock[..4].copy_from_slice(b"hsqs");
    superblock[40] = 48;
    home.write(image, "");
    fs::write(home.path().join(image), superblock).unwrap();
    let model = "stage/llama3-70b-instruct_vhf";
    home.write(&format!("{model}/config.json"), "{}");
    let stage = home.path().join("stage").to_str().unwrap().to_owned();
    let find = || home.findings(&["--stage-path", &stage], &[]).0;
    let whole = "ok: the image nim+meta+llama3-70b-instruct+1.0.3.sqsh is complete";
    assert_found(&find(), whole);
    let reference = format!("{image}.reference");
    home.write(
        &reference,
        "nvcr.io/nim/meta/llama3-70b-instruct:1.0.3 48\n",
    );
    assert_found(&find(), whole);
    home.write(
        &reference,
        "nvcr.io/nim/meta/llama3-70b-instruct:1.0.0 48\n",
    );
    home.write(
        &format!("{model}/.reference"),
        "nim/someone/llama3-70b-instruct:hf\n",
    );
    let findings = find();
    assert_found(
        &findings,
        "warning: the image nim+meta+llama3-70b-instruct+1.0.3.sqsh is nvcr.io/nim/meta/llama3-70b-instruct:1.0.0, \
         and not nvcr.io/nim/meta/llama3-70b-instruct:1.0.3",
    );
    assert_found(
        &findings,
        &format!(
            "warning: the model's weights in {stage}/llama3-70b-instruct_vhf: \
             nim/someone/llama3-70b-instruct:hf was fetched there, and the recipe names another"
        ),
    );
    // What a link leads to may be in use by others.
    fs::rename(home.path().join(model), home.path().join("shared")).unwrap();
    std::os::unix::fs::symlink("../shared", home.path().join(model)).unwrap();
    assert_found(
        &find(),
        &format!(
            "error: {stage}/llama3-70b-instruct_vhf is a link to a model that is not complete"
        ),
    );
}

#[test]
fn help_and_version() {
    let home = Home::new();
    for flag in ["--help", "--version"] {
        let output = home.run(&[flag], &[]);
        assert!(output.status.success() && output.stderr.is_empty());
        assert_ne!(output.stdout, b"");
    }
}

/// What another user keeps for himself is neither damaged nor missing, as in the scripts.
#[test]
fn unreadable_is_not_damaged() {
    let image = "stage/nim+meta+llama3-70b-instruct+1.0.3.sqsh";
    let config = "stage/llama3-70b-instruct_vhf/config.json";
    for (hidden, said, fix) in [
        (image, "is there and may not be read", "chmod -R a+rX "),
        (config, "is there and may not be read", "chmod -R a+rX "),
        (
            "stage/llama3-70b-instruct_vhf",
            "may not be searched",
            "chmod a+x ",
        ),
    ] {
        let home = Home::new();
        home.write(image, "x");
        home.write(config, "{}");
        fs::set_permissions(home.path().join(hidden), fs::Permissions::from_mode(0o000)).unwrap();
        let user = "65534:65534";
        let mut command = Command::new(PROGRAM);
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            let chown = Command::new("chown")
                .args(["-R", user])
                .arg(home.path())
                .status();
            assert!(chown.unwrap().success());
            command = Command::new("/usr/bin/setpriv");
            command
                .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
                .arg(PROGRAM);
        }
        let output = command
            .arg("check")
            .current_dir("/")
            .env_clear()
            .env("PATH", home.path().join("bin"))
            .env("STAGE_PATH", home.path().join("stage"))
            .output()
            .unwrap();
        // Without the breaks of its lines.
        let words = String::from_utf8_lossy(&output.stdout);
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, after) = words.split_once(said).unwrap_or_else(|| {
            panic!(
                "{hidden}: {words}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
        assert!(after.contains(fix), "{words}");
        assert_eq!(words.contains("damaged"), hidden != image, "{words}");
        // So that it can be removed.
        fs::set_permissions(home.path().join(hidden), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
