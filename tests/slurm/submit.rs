//! Submission by the program, as a user does it.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::PROGRAM;
use crate::lab::{Lab, Site, recipe, run, words};

/// A site with the recipe in a file and these settings in another.
fn site(name: &str, settings: &str) -> Site {
    let site = Site::new(name, recipe());
    fs::write(site.folder.join("recipe.toml"), recipe().to_toml()).unwrap();
    fs::write(site.folder.join("settings.toml"), settings).unwrap();
    site
}

/// `nim-slurm submit`, with more flags.
fn submit(lab: &Lab, site: &Site, flags: &[&str]) -> Command {
    let mut command = site.command(lab, PROGRAM);
    command
        .args(["submit", "--recipe", "recipe.toml"])
        .args(["--settings", "settings.toml"])
        .args(["--sbatch", "launch.gres=gpu:h100:4"])
        .args(flags)
        .arg("scripts");
    command
}

/// The number in `WHAT is job NUMBER`.
#[track_caller]
fn job(printed: &str, what: &str) -> String {
    let (_, rest) = printed
        .split_once(&format!("{what} is job "))
        .unwrap_or_else(|| panic!("no {what} in {printed}"));
    rest.split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap()
        .to_owned()
}

/// Settings under which the jobs have this name, and wait until a user releases
/// them, so that nothing but the test changes their states.
fn held(name: &str) -> String {
    format!("slurm = {{ partition = 'batch', job_name = '{name}', hold = true }}")
}

/// The jobs of this name that are in the queue.
fn queued(lab: &Lab, name: &str) -> Vec<String> {
    let mut squeue = lab.command("squeue");
    squeue.args(["--noheader", "--format=%A", "--sort=i", "--name", name]);
    run(&mut squeue).lines().map(ToOwned::to_owned).collect()
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn two_jobs_and_three() {
    let lab = Lab::without_images();
    let settings = "srun = { mpi = 'none' }\n[slurm]\npartition = 'batch'\nhold = true\n\
                    [slurm.launch]\ndependency = 'singleton'";
    let site = site("submit_chain", settings);
    let printed = run(&mut submit(&lab, &site, &[]));
    let (setup, launch) = (job(&printed, "setup"), job(&printed, "launch"));
    assert!(
        printed.contains("bash scripts/prepare_models.sh"),
        "{printed}"
    );
    let dependency = lab.job_field(&launch, "Dependency");
    assert!(dependency.contains("singleton"), "{dependency}");
    assert!(
        dependency.contains(&format!("afterok:{setup}")),
        "{dependency}"
    );

    let output = submit(&lab, &site, &["--models-job"]).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "note: the same scripts are in the queue already: setup, job {setup}; launch, job {launch}; to end those: \
             scancel {setup} {launch}\n"
        )
    );
    let printed = words(&output);
    let [first, models, last] =
        ["setup", "prepare_models", "launch"].map(|what| job(&printed, what));
    for (later, earlier) in [(&models, &first), (&last, &models)] {
        let dependency = lab.job_field(later, "Dependency");
        assert!(
            dependency.contains(&format!("afterok:{earlier}")),
            "{dependency}"
        );
        assert_eq!(lab.job_field(later, "KillOInInvalidDependent"), "Yes");
    }
    run(lab
        .command("scancel")
        .args([&setup, &launch, &first, &models, &last]));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_refused_launch_leaves_nothing_behind() {
    let lab = Lab::without_images();
    let settings =
        "[slurm]\npartition = 'batch'\nhold = true\n[slurm.launch]\npartition = 'no-such'";
    let site = site("submit_refused", settings);
    let output = submit(&lab, &site, &["--models-job"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("Invalid partition name specified"),
        "{error}"
    );
    for words in [
        "what to do: name a partition that is there, with --partition or partition in [slurm] of the settings: sinfo -s\n",
        "nim-slurm check --settings=settings.toml --recipe=recipe.toml --sbatch=launch.gres=gpu:h100:4\n",
    ] {
        assert!(error.contains(words), "{error}");
    }
    for what in ["setup", "prepare_models"] {
        let job = job(&printed, what);
        assert!(
            error.contains(&format!("{what}, job {job}, is cancelled")),
            "{error}"
        );
        assert_eq!(lab.job_field(&job, "JobState"), "CANCELLED");
    }

    // Without scancel the job is named.
    let path = lab.path_with(&["sbatch"]);
    let output = submit(&lab, &site, &[]).env("PATH", path).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let setup = job(&String::from_utf8_lossy(&output.stdout), "setup");
    assert!(
        error.contains(&format!(
            "setup, job {setup}, is still there (cannot start scancel"
        )) && error.contains(&format!("to end it, scancel {setup}")),
        "{error}"
    );
    assert_eq!(lab.job_field(&setup, "JobState"), "PENDING");
    run(lab.command("scancel").arg(&setup));
}

/// What was rendered is what the controller has, whatever is exported.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn variables_of_sbatch_change_nothing() {
    let lab = Lab::without_images();
    let settings = "srun = { mpi = 'none' }\n[slurm]\nrequeue = true\ntime = 7\n\
                    hold = true\ngpu_bind = 'none'";
    let site = site("submit_variables", settings);
    let mut command = submit(&lab, &site, &["--partition", "batch", "--time", "9"]);
    command
        .env("SBATCH_PARTITION", "no-such-partition")
        .env("SBATCH_ACCOUNT", "")
        .env("SBATCH_JOB_NAME", "")
        .env("SBATCH_TIMELIMIT", "")
        .env("SBATCH_NO_REQUEUE", "1")
        .env("SBATCH_GPU_BIND", "closest")
        .env("SBATCH_WAIT", "1");
    let printed = run(&mut command);
    let jobs = ["setup", "launch"].map(|what| job(&printed, what));
    for job in &jobs {
        assert_eq!(lab.job_field(job, "Partition"), "batch");
        assert_eq!(lab.job_field(job, "TimeLimit"), "00:09:00");
        assert_eq!(lab.job_field(job, "Requeue"), "1");
        assert_eq!(lab.job_field(job, "TresBind"), "gpu:closest");
    }
    assert_eq!(lab.job_field(&jobs[0], "JobName"), "nim-setup");
    run(lab.command("scancel").args(&jobs));
}

/// With several clusters sbatch answers with a cluster's name as well, and jobs
/// are looked for there.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_site_with_clusters() {
    let lab = Lab::without_images();
    let site = site("submit_cluster", &held("cluster"));
    let mut command = submit(&lab, &site, &["--models-job"]);
    let printed = run(command.env("SBATCH_CLUSTERS", "lab"));
    for kind in ["setup", "prepare_models", "launch"] {
        let job = format!("{};lab", job(&printed, kind));
        assert!(
            printed.contains(&format!("{kind} is job {job}\n")),
            "{printed}"
        );
        for programs in [&["scontrol"][..], &["squeue"]] {
            let mut status = lab.command(PROGRAM);
            let known = run(status
                .args(["status", &job])
                .env("PATH", lab.path_with(programs)));
            assert!(known.contains("state=PENDING\n"), "{known}");
        }
    }
    run(lab.command("scancel").args(queued(&lab, "cluster")));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_controller_that_is_away_for_a_moment() {
    let lab = Lab::without_images();
    let site = site("submit_away", &held("away"));
    let configuration = lab.impatient_configuration();
    let mut command = submit(&lab, &site, &[]);
    command.env("SLURM_CONF", &configuration);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    lab.stop_controller();
    let submission = command.spawn().unwrap();
    // Long enough for the first try to fail, for any other fact of it is sbatch's own.
    thread::sleep(Duration::from_secs(4));
    lab.start_controller(&[]);
    let output = submission.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let printed = words(&output);
    let jobs = ["setup", "launch"].map(|what| job(&printed, what));
    // Once, not twice.
    assert_eq!(queued(&lab, "away"), jobs);
    run(lab.command("scancel").args(&jobs));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_controller_that_stays_away() {
    let lab = Lab::without_images();
    let site = site("submit_gone", &held("gone"));
    let configuration = lab.impatient_configuration();
    lab.stop_controller();
    let output: Output = submit(&lab, &site, &[])
        .env("SLURM_CONF", &configuration)
        .output()
        .unwrap();
    lab.start_controller(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let error = words(&output);
    assert!(
        error.contains("tried 5 times, so no job was submitted"),
        "{error}"
    );
    assert!(
        error.contains("Unable to contact slurm controller"),
        "{error}"
    );
    assert_eq!(queued(&lab, "gone"), [""; 0]);
}
