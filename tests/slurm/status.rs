//! What Slurm says of jobs in each state, read by `nim-slurm status`.

use std::collections::BTreeMap;
use std::process::Output;

use crate::common::PROGRAM;
use crate::lab::{Lab, run, wait_until, words};

/// Asks for a job, with more variables.
fn ask(lab: &Lab, job: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = lab.command(PROGRAM);
    command
        .args(["status", job])
        .envs(variables.iter().copied());
    command.output().unwrap()
}

/// What is known of a job.
#[track_caller]
pub(crate) fn known(lab: &Lab, job: &str, variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    let output = ask(lab, job, variables);
    assert!(output.status.success(), "{}", words(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = text.lines().filter_map(|line| line.split_once('='));
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Asserts what a program that knows of the job says of it.
#[track_caller]
pub(crate) fn assert_fields(fields: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(
            fields.get(*name).map(String::as_str),
            Some(*value),
            "{fields:?}"
        );
    }
}

fn state(lab: &Lab, job: &str) -> String {
    lab.job_field(job, "JobState")
}

/// The job is not known, and that is no trouble with Slurm.
#[track_caller]
fn forgotten(output: &Output) {
    assert_eq!(output.status.code(), Some(1), "{}", words(output));
    assert!(words(output).contains("is not known"), "{}", words(output));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn each_state_by_scontrol_and_by_squeue() {
    let lab = Lab::without_images();
    let (short, long) = ("exit 3", "exec sleep 600");
    // Slurm counts in minutes, so this one comes last.
    let timeout = lab.wrap(&["--time=1"], long);
    let held = lab.wrap(&["--hold", "--time=90"], short);
    let waiting = lab.wrap(&[&format!("--dependency=afterany:{held}")], short);
    let running = lab.wrap(&[], long);
    let completed = lab.wrap(&[], "exit 0");
    let failed = lab.wrap(&[], short);
    let killed = lab.wrap(&[], "kill -KILL $$");
    let unwritable = lab.wrap(&["--output=/absent/%j.out"], short);
    let cancelled = lab.wrap(&["--hold"], short);
    let requeued = lab.wrap(&[], long);
    run(lab.command("scancel").arg(&cancelled));
    for job in [&running, &requeued, &timeout] {
        wait_until("the job's start", || state(&lab, job) == "RUNNING");
    }
    run(lab.command("scontrol").args(["requeue", &requeued]));
    wait_until("the job's requeue", || state(&lab, &requeued) == "PENDING");
    for (job, end) in [
        (&completed, "COMPLETED"),
        (&failed, "FAILED"),
        (&killed, "FAILED"),
        (&unwritable, "FAILED"),
    ] {
        wait_until("the job's end", || state(&lab, job) == end);
    }
    // Slurm looks for limits every half a minute.
    wait_until("the job's time limit", || {
        state(&lab, &timeout) == "TIMEOUT"
    });

    let squeue = lab.path_with(&["squeue", "sacct"]);
    let squeue = [("PATH", squeue.to_str().unwrap())];
    for variables in [&[][..], &squeue] {
        let known = |job: &str| known(&lab, job, variables);
        let pending = known(&held);
        assert_fields(&pending, &[("state", "PENDING"), ("reason", "JobHeldUser")]);
        assert!(
            pending["blocking_reason"].contains("scontrol release"),
            "{pending:?}"
        );
        assert_fields(&known(&waiting), &[("waits_for", &held)]);
        assert_eq!(pending.get("exit"), None, "{pending:?}");
        let limit = &pending["time_limit"];
        assert!(limit == "01:30:00" || limit == "1:30:00", "{limit}");
        let fields = known(&running);
        assert_fields(&fields, &[("state", "RUNNING"), ("job", &running)]);
        assert!(fields["nodes"].starts_with("node"), "{fields:?}");
        assert!(fields["started"] >= fields["submitted"], "{fields:?}");
        assert_eq!(fields.get("exit"), None, "{fields:?}");
        assert_fields(
            &known(&completed),
            &[("state", "COMPLETED"), ("exit", "exit code 0")],
        );
        let expected = [
            ("state", "FAILED"),
            ("exit", "exit code 3"),
            ("reason", "NonZeroExitCode"),
        ];
        assert_fields(&known(&failed), &expected);
        assert_fields(
            &known(&killed),
            &[("state", "FAILED"), ("exit", "signal 9")],
        );
        assert_fields(
            &known(&unwritable),
            &[("exit", "signal 53"), ("reason", "JobLaunchFailure")],
        );
        let mut follow = lab.command(PROGRAM);
        follow.args(["follow", &unwritable, "--stage-path=/absent"]);
        let said = words(&follow.envs(variables.iter().copied()).output().unwrap());
        assert!(said.contains("Slurm could not write "), "{said}");
        assert_fields(&known(&cancelled), &[("state", "CANCELLED")]);
        assert_fields(
            &known(&requeued),
            &[("state", "PENDING"), ("restarts", "1")],
        );
        assert_fields(
            &known(&timeout),
            &[("state", "TIMEOUT"), ("reason", "TimeLimit")],
        );
    }
    assert_fields(&known(&lab, &failed, &[]), &[("output", "/dev/null")]);
    run(lab
        .command("scancel")
        .args([&waiting, &held, &running, &requeued]));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn tasks_of_an_array() {
    let lab = Lab::without_images();
    let array = lab.wrap(&["--array=1-3%1"], "exec sleep 600");
    wait_until("the first task's start", || {
        let task = format!("{array}_1");
        words(&ask(&lab, &task, &[])).contains("state=RUNNING")
    });
    let text = words(&ask(&lab, &array, &[]));
    for line in [
        "task=1",
        "state=RUNNING",
        "task=2-3%1",
        "reason=JobArrayTaskLimit",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in {text}"
        );
    }
    let task = known(&lab, &format!("{array}_1"), &[]);
    assert_fields(&task, &[("array", &array), ("task", "1")]);
    forgotten(&ask(&lab, &format!("{array}_9"), &[]));
    run(lab.command("scancel").arg(&array));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_user_s_own_formats_change_nothing() {
    let lab = Lab::without_images();
    let job = lab.wrap(&["--hold"], "exit 0");
    let variables = [
        ("SLURM_TIME_FORMAT", "relative"),
        ("SQUEUE_FORMAT", "%i"),
        ("SQUEUE_FORMAT2", "jobid"),
        ("SQUEUE_STATES", "RUNNING"),
        ("SQUEUE_USERS", "nobody"),
        ("SACCT_FORMAT", "jobid"),
        ("SCONTROL_FUTURE", "1"),
    ];
    let squeue = lab.path_with(&["squeue"]);
    let squeue = ("PATH", squeue.to_str().unwrap());
    assert_eq!(known(&lab, &job, &variables), known(&lab, &job, &[]));
    let with_variables = known(&lab, &job, &[&variables[..], &[squeue]].concat());
    assert_eq!(with_variables, known(&lab, &job, &[squeue]));
    assert!(with_variables["submitted"].ends_with('Z'));
    run(lab.command("scancel").arg(&job));
}

/// The controller forgets, the accounts do not; a site without accounts does.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_job_that_the_controller_has_forgotten() {
    let lab = Lab::without_images();
    let job = lab.wrap(&["--time=10"], "exit 3");
    let array = lab.wrap(&["--array=3-4"], "exit 0");
    let cancelled = lab.wrap(&[], "exec sleep 600");
    wait_until("the job's start", || state(&lab, &cancelled) == "RUNNING");
    run(lab.command("scancel").arg(&cancelled));
    for job in [&job, &array, &cancelled] {
        wait_until("the job's end", || {
            matches!(&*state(&lab, job), "FAILED" | "COMPLETED" | "CANCELLED")
        });
    }
    // Slurm tells its accounts a moment later.
    let last_task = format!("{array}_4");
    let accounts = |job: &str| {
        let options = [
            "--noheader",
            "--allocations",
            "--format=state",
            "--jobs",
            job,
        ];
        run(lab.command("sacct").args(options))
    };
    for (job, state) in [
        (&job, "FAILED"),
        (&last_task, "COMPLETED"),
        (&cancelled, "CANCELLED"),
    ] {
        wait_until("an account of it", || accounts(job).contains(state));
    }
    let before = known(&lab, &job, &[]);

    lab.forget_all_jobs();
    let after = known(&lab, &job, &[]);
    assert_fields(&after, &[("state", "FAILED"), ("exit", "exit code 3")]);
    for field in ["job", "nodes", "submitted", "started", "ended"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    let task = known(&lab, &last_task, &[]);
    assert_fields(
        &task,
        &[("state", "COMPLETED"), ("array", &array), ("task", "4")],
    );
    assert_fields(&known(&lab, &cancelled, &[]), &[("state", "CANCELLED")]);

    // Never submitted at all.
    let unknown = ask(&lab, "999999999", &[]);
    forgotten(&unknown);
    // No accounts, no sacct: nothing is known, and that is no error.
    let without = lab.configuration_without_accounts();
    let without_sacct = lab.path_with(&["scontrol"]);
    for variable in [
        ("SLURM_CONF", without.to_str().unwrap()),
        ("PATH", without_sacct.to_str().unwrap()),
    ] {
        let output = ask(&lab, &job, &[variable]);
        forgotten(&output);
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn nobody_answers() {
    let lab = Lab::without_images();
    let configuration = lab.impatient_configuration();
    lab.stop_controller();
    let output = ask(
        &lab,
        "1",
        &[("SLURM_CONF", configuration.to_str().unwrap())],
    );
    lab.start_controller(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("Slurm does not answer"),
        "{}",
        words(&output)
    );
    let output = ask(&lab, "1", &[("PATH", "/nowhere")]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("neither scontrol nor squeue"),
        "{}",
        words(&output)
    );
}
