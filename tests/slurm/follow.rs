//! Following a launch to its end, as a user does it: `nim-slurm follow`, and `submit --follow`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use nim_slurm::{Recipe, ScriptKind};

use crate::common::PROGRAM;
use crate::lab::{Lab, Site, recipe, run, wait_until, words};

/// A site with images and model, and the recipe in a file.
fn site(lab: &Lab, name: &str) -> Site {
    let site = Site::ready(lab, name, recipe());
    write_files(&site, &recipe());
    site
}

pub(crate) fn write_files(site: &Site, recipe: &Recipe) {
    fs::write(site.folder.join("recipe.toml"), recipe.to_toml()).unwrap();
    let settings = "srun = { mpi = 'none' }\nslurm = { partition = 'batch', gres = 'gpu:8' }";
    fs::write(site.folder.join("settings.toml"), settings).unwrap();
}

/// The program, with a command and flags for it.
pub(crate) fn program_with(lab: &Lab, site: &Site, arguments: &[&str]) -> Command {
    let mut command = site.command(lab, PROGRAM);
    command
        .args(arguments)
        .args(["--recipe", "recipe.toml", "--settings", "settings.toml"]);
    command
}

/// The line that begins with these words.
#[track_caller]
pub(crate) fn line<'a>(text: &'a str, beginning: &str) -> &'a str {
    let mut lines = text.lines();
    lines
        .find(|line| line.starts_with(beginning))
        .unwrap_or_else(|| panic!("no {beginning:?} in {text}"))
}

/// The next line that begins with these words.
#[track_caller]
fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>, beginning: &str) -> String {
    let mut others = Vec::new();
    for line in lines.map(|line| line.unwrap()) {
        if line.starts_with(beginning) {
            return line;
        }
        others.push(line);
    }
    panic!("{beginning:?} did not come: {}", others.join("\n"));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn from_submission_to_results() {
    let lab = Lab::enter();
    let mut site = site(&lab, "follow_run");
    // Longer than the interval between two looks.
    site.set("LAB_NIM_ARGS", "--startup-delay 8");
    let output = program_with(
        &lab,
        &site,
        &["submit", "--quiet", "--models-job", "--follow", "scripts"],
    )
    .output()
    .unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let launch = line(&printed, "launch is job ").rsplit(' ').next().unwrap();
    assert!(
        printed.contains(&format!("launch, job {launch}: RUNNING, on node")),
        "{printed}"
    );
    for job in ["setup, job ", "prepare_models, job "] {
        // Its state is told before that.
        let mut own = printed.lines().filter(|line| line.starts_with(job));
        assert!(
            own.any(|line| line.ends_with(", has succeeded")),
            "{printed}"
        );
    }
    let report = line(&printed, &format!("to print them: {PROGRAM} report "));
    assert!(
        report.ends_with(&format!("/results --job {launch}")),
        "{report}"
    );
    line(&printed, "the server is starting");
    let ready = line(&printed, "the server is ready after ");
    let seconds: u32 = ready.split(' ').nth(5).unwrap().parse().unwrap();
    assert!((8..30).contains(&seconds), "{ready}");
    for (number, point) in [
        "chat 32/16, concurrency 2",
        "summarization 64/24, concurrency 2",
        "chat 32/16, concurrency 1",
        "summarization 64/24, concurrency 1",
    ]
    .iter()
    .enumerate()
    {
        let number = number + 1;
        line(
            &printed,
            &format!("point {number} of 4 is finished: {point}: TTFT "),
        );
    }
    line(
        &printed,
        "launch ended with 0: all points are finished, but 4 of 4 ran for less than 10 s (the shortest for ",
    );
    // One line for each change, not one for each look.
    let mut lines: Vec<_> = printed.lines().collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count, "{printed}");
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        printed.contains("to measure again: the same command with --"),
        "{printed}"
    );
    // The command that measures is another one here.
    let output = program_with(&lab, &site, &["follow", launch])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains(&format!("to measure again: {PROGRAM} run --")),
        "{printed}"
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_server_that_dies_shows_its_log() {
    let lab = Lab::enter();
    let mut site = site(&lab, "follow_server");
    site.set(
        "LAB_NIM_ARGS",
        "--die-before-ready 2 --log vllm-oom-at-load",
    );
    let output = program_with(&lab, &site, &["submit", "--follow", "scripts"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let error = String::from_utf8(output.stderr).unwrap();
    line(
        &error,
        "error: launch ended with 3: the server exited with status 1 before the sweep was over",
    );
    line(&error, "what to do: find out why the server ended");
    line(&error, "after that: RESUME_JOB_ID=");
    // As the job's log has it.
    let head = line(&error, "what may be the cause, in ");
    assert!(head.contains("/logs/server_"), "{head}");
    let first = error.lines().skip_while(|line| *line != head).nth(1);
    let first = first
        .unwrap()
        .split(": (Worker_TP1 pid=112) ")
        .collect::<Vec<_>>();
    assert!(first[0].starts_with("  | line "), "{error}");
    assert!(
        first[1].contains("torch.OutOfMemoryError: CUDA out of memory."),
        "{error}"
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn points_that_fail_are_told_at_once() {
    let lab = Lab::enter();
    let mut site = site(&lab, "follow_points");
    site.set("LAB_GENAI_FAULT", "zero-tokens:2");
    let output = program_with(&lab, &site, &["submit", "--follow", "scripts"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    let failed = line(&printed, "point 1 of 4 failed: chat 32/16, concurrency 2: ");
    assert!(
        failed.contains("as the average output, 16 were asked for"),
        "{failed}"
    );
    line(&printed, "point 3 of 4 is finished: ");
    let error = String::from_utf8(output.stderr).unwrap();
    line(&error, "error: launch ended with 5: 2 of 4 points failed");
    assert!(
        line(&error, "what may be the cause, in ").contains("/genai-perf.log"),
        "{error}"
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_setup_that_fails_shows_what_it_printed() {
    let lab = Lab::enter();
    let mut site = Site::new("follow_setup", recipe());
    write_files(&site, &recipe());
    site.variables.remove("NGC_API_KEY");
    let output = program_with(&lab, &site, &["submit", "--follow", "scripts"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    let error = String::from_utf8(output.stderr).unwrap();
    let sentence = line(&error, "error: launch did not start, since setup, job ");
    assert!(
        sentence.contains("did not succeed: FAILED, exit code 2"),
        "{sentence}"
    );
    assert!(error.contains("missing: a login for nvcr.io"), "{error}");

    // Who comes back knows only the launch job, and Slurm what it has waited for.
    let printed = String::from_utf8(output.stdout).unwrap();
    let launch = line(&printed, "launch is job ").rsplit(' ').next().unwrap();
    let again = program_with(&lab, &site, &["follow", launch])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(1), "{}", words(&again));
    assert_eq!(line(&words(&again), "error: "), sentence);
    let squeue = lab.path_with(&["squeue"]);
    let mut again = program_with(&lab, &site, &["follow", launch]);
    let again = again.env("PATH", squeue).output().unwrap();
    assert_eq!(line(&words(&again), "error: "), sentence);

    // Where Slurm leaves launch in the queue, nobody waits for it.
    let setup = sentence.split(' ').nth(8).unwrap().trim_end_matches(',');
    let job = site.submit_with(
        &lab,
        ScriptKind::Launch,
        &[&format!("--dependency=afterok:{setup}")],
    );
    let in_vain = program_with(&lab, &site, &["follow", &job.id])
        .output()
        .unwrap();
    assert_eq!(in_vain.status.code(), Some(1), "{}", words(&in_vain));
    let sentence = format!("{sentence}; to end launch, scancel {}", job.id);
    assert_eq!(line(&words(&in_vain), "error: "), sentence);
    run(lab.command("scancel").arg(&job.id));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_limit_that_no_launch_can_keep_is_told() {
    let lab = Lab::enter();
    let site = site(&lab, "follow_limit");
    let options = ["--partition=gpu", "--time=9:00:00"];
    let job = site.submit_with(&lab, ScriptKind::Launch, &options);
    let mut command = program_with(&lab, &site, &["follow", &job.id]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let waits = format!("launch, job {}: PENDING, PartitionTimeLimit", job.id);
    next(&mut lines, &waits);
    next(
        &mut lines,
        &format!(
            "job {} asks for more time than its partition allows",
            job.id
        ),
    );
    run(lab.command("scancel").arg(&job.id));
    assert_eq!(follower.wait().unwrap().code(), Some(1));
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn ctrl_c_leaves_the_job_running() {
    let lab = Lab::enter();
    let mut site = site(&lab, "follow_leave");
    site.set("LAB_NIM_ARGS", "--startup-delay 12");
    let mut follower = program_with(&lab, &site, &["run", "scripts"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // Nothing is fetched again.
    next(
        &mut lines,
        "the images are there: setup.sh is not submitted",
    );
    next(
        &mut lines,
        "the model is there: prepare_models.sh is not submitted",
    );
    let launch = next(&mut lines, "launch is job ");
    let launch = launch.rsplit(' ').next().unwrap();
    next(&mut lines, "the server is ");
    run(Command::new("kill").args(["-INT", &follower.id().to_string()]));
    let status = follower.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let mut words_left = String::new();
    let mut stderr = follower.stderr.take().unwrap();
    stderr.read_to_string(&mut words_left).unwrap();
    let scancel = line(&words_left, "  to cancel:    scancel ");
    assert!(scancel.ends_with(&format!(" {launch}")), "{scancel}");
    assert_eq!(lab.job_field(launch, "JobState"), "RUNNING");

    // What it says is what to type, and brings the user back.
    let come_back = line(&words_left, "  to come back: ").trim_start_matches("  to come back: ");
    assert!(!come_back.contains("submit"), "{come_back}");
    let output = site
        .command(&lab, "bash")
        .args(["-c", come_back])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", words(&output));
    line(&words(&output), "point 4 of 4 is finished: ");

    // And later, when all is over; and when Slurm has forgotten it, the job's own
    // words are still there.
    wait_until("the job's end", || {
        lab.job_field(launch, "JobState") == "COMPLETED"
    });
    let again = run(&mut program_with(&lab, &site, &["follow", launch]));
    line(&again, "point 1 of 4 is finished: ");
    line(&again, "launch ended with 0: ");
    lab.forget_all_jobs();
    let mut forgotten = program_with(&lab, &site, &["follow", launch]);
    let forgotten = run(forgotten.env("SLURM_CONF", lab.configuration_without_accounts()));
    line(
        &forgotten,
        &format!("launch, job {launch}: Slurm does not know it"),
    );
    line(&forgotten, "launch ended with 0: ");
}

/// The log of the first run is still there when the second one loads the model.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_job_that_is_requeued_is_followed_on() {
    let lab = Lab::enter();
    let mut site = site(&lab, "follow_requeue");
    // A run that starts with all points finished is over between two looks.
    site.set("LAB_NIM_ARGS", "--startup-delay 8 --itl-ms 30");
    let mut follower = program_with(&lab, &site, &["submit", "--follow", "scripts"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let launch = next(&mut lines, "launch is job ");
    let launch = launch.rsplit(' ').next().unwrap();
    next(&mut lines, "point 1 of 4 is finished: ");
    run(lab.command("scontrol").args(["requeue", launch]));
    let waiting = next(
        &mut lines,
        &format!("launch, job {launch}: PENDING, restart 1"),
    );
    assert!(waiting.ends_with("BeginTime"), "{waiting}");
    // Slurm would let it wait for two minutes.
    run(lab
        .command("scontrol")
        .args(["update", &format!("jobid={launch}"), "starttime=now+2"]));
    next(
        &mut lines,
        &format!("launch, job {launch}: RUNNING, restart 1"),
    );
    let rest: Vec<_> = lines.map(|line| line.unwrap()).collect();
    let is_end = |line: &String| line.starts_with("launch ended with 0: ");
    assert!(rest.iter().any(is_end), "{rest:?}");
    // The second run is told of as well: of its server or, where one look finds both, of its points alone.
    let is_new = |line: &String| {
        line.starts_with("the server is ready after ") || line.contains(" of 4 is finished: ")
    };
    assert!(rest.iter().any(is_new), "{rest:?}");
    // What was measured before is not measured again.
    assert!(
        !rest
            .iter()
            .any(|line| line.starts_with("measuring point 1 of 4: ")),
        "{rest:?}"
    );
    assert!(follower.wait().unwrap().success());
}
