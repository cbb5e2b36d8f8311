//! The example `preflight` against the lab's real Slurm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::PROGRAM;
use crate::lab::{Lab, SECRET, Site, recipe, remove, run, words};

const SETTINGS: &str = "slurm = { partition = 'batch', gres = 'gpu:8' }\nsrun = { mpi = 'none' }";
const MODEL: &str = "llama3-70b-instruct_vhf";
const SDK_IMAGE: &str = "nvidia+tritonserver+25.01.sqsh";

/// What preflight says.
struct Report {
    /// Each finding as `severity: message; fix`.
    findings: Vec<String>,
    code: i32,
}

impl Report {
    #[track_caller]
    fn assert_found(&self, start: &str) {
        assert!(
            self.findings
                .iter()
                .any(|finding| finding.starts_with(start)),
            "no {start:?} in {:#?}",
            self.findings
        );
    }

    /// Exactly these errors, by their beginnings, and the exit code that goes with them.
    #[track_caller]
    fn assert_errors(&self, starts: &[&str]) {
        let errors: Vec<_> = self
            .findings
            .iter()
            .filter_map(|finding| finding.strip_prefix("error: "))
            .collect();
        assert!(
            errors.len() == starts.len()
                && errors
                    .iter()
                    .zip(starts)
                    .all(|(error, start)| error.starts_with(start)),
            "{starts:#?} expected, found {errors:#?}"
        );
        assert_eq!(self.code, i32::from(!starts.is_empty()));
    }
}

/// Runs preflight as a user of the site, with flags and more variables.
#[track_caller]
fn preflight(lab: &Lab, site: &Site, flags: &[&str], variables: &[(&str, &str)]) -> Report {
    let files = site.folder.join("files");
    fs::create_dir_all(&files).unwrap();
    fs::write(files.join("recipe.toml"), recipe().to_toml()).unwrap();
    let settings = files.join("settings.toml");
    if !settings.exists() {
        fs::write(&settings, SETTINGS).unwrap();
    }
    let output = site
        .command(lab, PROGRAM)
        .args([
            "check",
            "--recipe",
            "files/recipe.toml",
            "--json",
            "--settings",
        ])
        .arg(settings)
        .args(flags)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = report.to_string();
    assert!(!text.contains(SECRET), "{text}");
    let findings = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            format!("{}: {}; {}", text("severity"), text("message"), text("fix"))
        });
    Report {
        findings: findings.collect(),
        code: output.status.code().unwrap(),
    }
}

/// Changes the lab's Slurm, and changes it back at the end of a test.
struct Changed<'a> {
    lab: &'a Lab,
    back: &'static [&'static str],
}

impl<'a> Changed<'a> {
    fn update(lab: &'a Lab, there: &[&str], back: &'static [&'static str]) -> Self {
        run(lab.command("scontrol").arg("update").args(there));
        Self { lab, back }
    }
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        run(self.lab.command("scontrol").arg("update").args(self.back));
        // A node that is resumed works only when it has answered.
        let states = || {
            let mut sinfo = self.lab.command("sinfo");
            let asked = sinfo.args(["--noheader", "--Node", "--format=%a %T"]);
            words(&asked.output().unwrap())
        };
        let start = Instant::now();
        let is_up =
            |states: &str| !states.is_empty() && states.lines().all(|state| state == "up idle");
        while !is_up(&states()) {
            assert!(start.elapsed() < Duration::from_secs(120), "{}", states());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The lab's slurm.conf with one line changed, for the client commands alone.
fn other_conf(lab: &Lab, site: &Site, key: &str, value: &str) -> PathBuf {
    let text = fs::read_to_string(lab.folder().join("etc/slurm.conf")).unwrap();
    let lines = text.lines().map(|line| {
        if line.starts_with(&format!("{key}=")) {
            format!("{key}={value}\n")
        } else {
            format!("{line}\n")
        }
    });
    let path = site.folder.join("slurm.conf");
    fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_all_is_well() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "preflight_well", recipe());
    // What is there needs no key.
    site.variables.remove("NGC_API_KEY");
    let queue = || {
        run(lab
            .command("squeue")
            .args(["--noheader", "--states=all", "--format=%A"]))
    };
    let before = queue();
    let report = preflight(&lab, &site, &[], &[]);
    report.assert_errors(&[]);
    // But for what only a node knows, which it says when it is asked.
    let (well, others): (Vec<_>, Vec<_>) =
        (report.findings.iter()).partition(|finding| finding.starts_with("ok: "));
    let [question] = others[..] else {
        panic!("{others:#?} beside {well:#?}");
    };
    for start in [
        "ok: sbatch is /usr/bin/sbatch: slurm-wlm 22.05",
        "ok: enroot is ",
        "ok: Slurm 22.05 knows all options",
        "ok: srun knows --container-env",
        "ok: Slurm would take launch.sh: it could start at ",
        "ok: the partition batch is up: 2 of 2 nodes work, with gpu:h100:8, time limit infinite",
        "ok: the image nvidia+tritonserver+25.01.sqsh is complete",
        "ok: the model has its engine",
        "ok: no registry's login is needed",
        "ok: no NGC key is needed",
    ] {
        report.assert_found(start);
    }
    assert_eq!(queue(), before, "nothing was submitted");
    let (_, question) = question.split_once("lacks or may not write to: ").unwrap();
    let ask = |question: &str| {
        let mut ask = site.command(&lab, "bash");
        ask.args(["-c", question]).output().unwrap()
    };
    let answer = ask(question);
    assert!(
        answer.status.success() && words(&answer).is_empty(),
        "{}",
        words(&answer)
    );
    let absent = words(&ask(&question.replace("/stage ", "/absent ")));
    assert!(
        absent.contains("/absent") && absent.contains("Exited with exit code 1"),
        "{absent}"
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_before_anything_is_fetched() {
    let lab = Lab::enter();
    let mut site = Site::new("preflight_fetch", recipe());
    let report = preflight(&lab, &site, &[], &[]);
    report.assert_errors(&[]);
    report.assert_found(
        "note: the images nvidia+tritonserver+25.01.sqsh and nim+meta+llama3-70b-instruct+1.0.3.sqsh are not there yet; nim-slurm run \
         fetches them, with setup.sh",
    );
    report.assert_found("note: the model is not there yet");
    report.assert_found("ok: NGC_API_KEY is set, and serves as the login for nvcr.io");
    report.assert_found("ok: what is to be fetched takes about 896.0 MiB, and ");

    site.variables.remove("NGC_API_KEY");
    preflight(&lab, &site, &[], &[])
        .assert_errors(&["there is no login for nvcr.io", "there is no NGC key"]);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_of_jobs_that_slurm_does_not_take() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_jobs", recipe());
    let of = |flags: &[&str]| preflight(&lab, &site, flags, &[]);

    let wrong_partition = of(&["--partition", "nope"]);
    // Slurm does not take them either, for the same reason, which is told once.
    wrong_partition.assert_errors(&[
        "setup.sh, prepare_models.sh and launch.sh: Slurm has no partition nope; name another, with --partition or partition in [slurm] of the settings: batch and gpu",
    ]);

    let wrong_gres = of(&["--gres", "gpu:a100:8"]);
    wrong_gres.assert_errors(&[
        "setup.sh, prepare_models.sh and launch.sh: no node of batch has the gpu:a100:8 that is asked for: they have gpu:h100:8",
    ]);
    of(&["--gres", "gpu:9"])
        .assert_found("error: setup.sh, prepare_models.sh and launch.sh: no node of batch has the gpu:9 that is asked for");
    of(&["--gres", "fpga:1"]).assert_found(
        "error: setup.sh, prepare_models.sh and launch.sh: no node of batch has the fpga:1 that is asked for",
    );

    // Slurm itself would take it, and may let it wait.
    let too_long = of(&["--partition", "gpu", "--time", "5:00:00"]);
    too_long.assert_found("ok: Slurm would take launch.sh");
    too_long.assert_errors(&[]);
    too_long.assert_found(
        "warning: setup.sh, prepare_models.sh and launch.sh: the partition gpu allows 4:00:00, so with --time=5:00:00 the job would wait forever, unless",
    );

    let account = of(&["--account", "proj"]);
    account.assert_errors(&[]);
    account.assert_found(
        "note: Slurm enforces no accounts here, so --account=proj could not be checked",
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_of_partitions_and_nodes_that_are_down() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_down", recipe());
    {
        let _down = Changed::update(
            &lab,
            &["partitionname=gpu", "state=down"],
            &["partitionname=gpu", "state=up"],
        );
        let report = preflight(&lab, &site, &["--partition", "gpu"], &[]);
        // Slurm takes jobs, and lets them wait.
        report.assert_errors(&[]);
        report.assert_found(
            "warning: setup.sh, prepare_models.sh and launch.sh: the partition gpu is down and starts no jobs, yet sbatch \
             would take the job; if it does not start, wait until it is up again",
        );
    }
    let drained = ["nodename=node1,node2", "state=drain", "reason=test"];
    let _drained = Changed::update(&lab, &drained, &["nodename=node1,node2", "state=resume"]);
    let report = preflight(&lab, &site, &[], &[]);
    // --test-only refuses then, and a submission waits.
    report.assert_errors(&[]);
    report.assert_found(
        "warning: setup.sh, prepare_models.sh and launch.sh: no node of the partition batch works now: they are drained, yet sbatch \
         would take the job; if it does not start, see why, and until when: sinfo -R -p batch",
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_without_pyxis_and_mpi_plugin() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_pyxis", recipe());
    let conf = other_conf(&lab, &site, "PlugStackConfig", "/dev/null");
    let report = preflight(&lab, &site, &[], &[("SLURM_CONF", conf.to_str().unwrap())]);
    report.assert_errors(&[
        "srun has no --container-env here: the pyxis plugin is missing or older than 0.15",
    ]);

    let settings = SETTINGS.replace("'none'", "'openmpi'");
    fs::write(site.folder.join("files/settings.toml"), settings).unwrap();
    let report = preflight(&lab, &site, &[], &[]);
    report.assert_errors(&["srun has no MPI plugin openmpi, which launch.sh asks for; it has "]);

    // Debian's srun lists pmix, and needs a library that the lab does not have.
    let settings = SETTINGS.replace("'none'", "'pmix'");
    fs::write(site.folder.join("files/settings.toml"), settings).unwrap();
    let report = preflight(&lab, &site, &[], &[]);
    report.assert_errors(&[]);
    report.assert_found(
        "warning: srun lists the MPI plugin pmix, but cannot load it on this machine: ",
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_of_overriding_variables() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_variables", recipe());
    // The flag wins, and is repeated on sbatch's command line: Slurm takes the jobs.
    let report = preflight(
        &lab,
        &site,
        &["--partition", "batch"],
        &[("SBATCH_PARTITION", "nope")],
    );
    report.assert_errors(&[]);
    report.assert_found(
        "note: SBATCH_PARTITION is set and would override --partition=batch; nim-slurm repeats it",
    );

    // Without a flag it wins.
    let report = preflight(&lab, &site, &[], &[("SBATCH_PARTITION", "nope")]);
    report.assert_found("error: setup.sh, prepare_models.sh and launch.sh: Slurm has no partition nope; name another, with the variable SBATCH_PARTITION: batch and gpu");
    report.assert_found("note: SBATCH_PARTITION is set, and the scripts say the same");

    let report = preflight(
        &lab,
        &site,
        &[],
        &[("SBATCH_NO_REQUEUE", "1"), ("SBATCH_EXPORT", SECRET)],
    );
    report.assert_errors(&[]);
    report.assert_found("warning: SBATCH_NO_REQUEUE is set and gives each job --no-requeue");
    report.assert_found("note: SBATCH_EXPORT is set and would override --export=ALL");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_of_damaged_files() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_damage", recipe());
    // A hard link to the lab's own image must not be cut.
    let image = site.stage().join(SDK_IMAGE);
    let bytes = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    fs::write(&image, &bytes[..bytes.len() / 2]).unwrap();
    let model = site.stage().join(MODEL);
    fs::remove_file(model.join("model-00007-of-00030.safetensors")).unwrap();
    fs::write(model.join("trtllm_engine/rank3.engine"), "").unwrap();

    let report = preflight(&lab, &site, &[], &[]);
    report.assert_errors(&[]);
    report.assert_found(&format!(
        "warning: the image {SDK_IMAGE} is damaged: it has {} bytes, its superblock promises ",
        bytes.len() / 2
    ));
    for (part, missing) in [
        ("weights", "model-00007-of-00030.safetensors"),
        ("engine", "trtllm_engine/rank3.engine"),
    ] {
        let found = report.findings.iter().any(|finding| {
            finding.starts_with(&format!("warning: the model's {part} in "))
                && finding.contains(&format!(
                    ": {missing} is missing; nim-slurm run fetches what is missing, with prepare_models.sh"
                ))
        });
        assert!(found, "no {missing} in {:#?}", report.findings);
    }
    // Now something is to be fetched again.
    report.assert_found("ok: NGC_API_KEY is set, and serves as the login for nvcr.io");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_of_a_stage_path_that_cannot_be_used() {
    let lab = Lab::enter();
    let mut site = Site::new("preflight_stage", recipe());
    let stage = site.stage();
    fs::create_dir_all(&stage).unwrap();
    let mount = |options: &str| {
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&stage));
    };
    mount("size=1M");
    preflight(&lab, &site, &[], &[])
        .assert_errors(&["what is to be fetched takes about 896.0 MiB, and 1.0 MiB are free in "]);
    mount("ro");
    let report = preflight(&lab, &site, &[], &[]);
    let error = format!(
        "{0} cannot be written to, so the stage path {0} cannot be used",
        stage.display()
    );
    report.assert_errors(&[&error]);
    site.set("STAGE_PATH", "/my stage");
    let output = site.command(&lab, PROGRAM).arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    remove(&site.folder);
}

/// A `PATH` on which a stand-in comes first, for what the lab's programs do not do.
fn stand_in(lab: &Lab, site: &Site, name: &str, body: &str) -> String {
    let bin = site.folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join(name), format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), lab.path())
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_on_a_site_that_forbids_questions() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_forbidden", recipe());
    // The lab's Slurm forbids nothing.
    let refuse = "echo 'slurm_load_partitions: Access/permission denied' >&2; exit 1";
    let path = stand_in(&lab, &site, "sinfo", refuse);
    stand_in(&lab, &site, "scontrol", refuse);
    let report = preflight(&lab, &site, &["--account", "proj"], &[("PATH", &path)]);
    report.assert_errors(&[]);
    report.assert_found("warning: sinfo does not say which partitions there are: slurm_load_partitions: Access/permission denied");
    report.assert_found("ok: Slurm would take launch.sh");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_of_programs_that_hang() {
    let lab = Lab::enter();
    let site = Site::new("preflight_hang", recipe());
    // The lab's own ngc answers at once.
    let path = stand_in(&lab, &site, "ngc", "sleep 1001");
    let start = Instant::now();
    let report = preflight(&lab, &site, &[], &[("PATH", &path)]);
    report.assert_errors(&[]);
    report.assert_found("warning: ngc --version does not say its version: no answer within 20 s; try it by hand: ngc --version");
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "{:?}",
        start.elapsed()
    );
    let left = run(lab.command("ps").args(["-eo", "args"]));
    assert!(!left.contains("sleep 1001"), "{left}");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn preflight_without_a_controller() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "preflight_controller", recipe());
    // Nobody listens on the port of tcpmux.
    let conf = other_conf(&lab, &site, "SlurmctldPort", "1");
    let start = Instant::now();
    let report = preflight(&lab, &site, &[], &[("SLURM_CONF", conf.to_str().unwrap())]);
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(report.code, 1);
    let found = report.findings.iter().any(|finding| {
        finding
            .starts_with("error: Slurm does not take setup.sh, prepare_models.sh and launch.sh: ")
            && finding.ends_with("see whether Slurm's controller answers: scontrol ping")
    });
    assert!(found, "{:#?}", report.findings);
}
