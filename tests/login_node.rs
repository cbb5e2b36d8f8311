//! The program on a login node where stand-ins answer for Slurm's programs: what
//! the real ones say only when something is wrong, and at once.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use common::PROGRAM;

#[path = "common/clean.rs"]
mod clean;
mod common;

/// What scontrol, squeue and sacct say of a job that they do not know.
const NO_SUCH_JOB: &str = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1";

/// A user's folder with a stage path, and with stand-ins on `PATH`.
struct Site {
    folder: tempfile::TempDir,
}

/// A point of the site's run.
const POINT: &str = "llama-3-70b-instruct_4_100_chat_128_128_3";

impl Site {
    /// A site whose Slurm knows no job.
    fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(site.path("bin")).unwrap();
        site.write(
            &format!("stage/results/{POINT}/measurement.txt"),
            "seed=1\n",
        );
        for program in ["scontrol", "squeue", "sacct", "sbatch", "scancel", "sinfo"] {
            site.program(program, NO_SUCH_JOB);
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stage(&self) -> String {
        self.path("stage").to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.path("bin").join(name);
        fs::write(
            &path,
            format!("#!/bin/bash\ncd '{}'\n{body}\n", self.path("").display()),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// scontrol says what is in the file `job_ID`.
    fn scontrol_reads_files(&self) {
        self.program(
            "scontrol",
            &format!("[[ -e job_$3 ]] || {{ {NO_SUCH_JOB}; }}\ncat job_$3"),
        );
    }

    /// What scontrol says of a job.
    fn job(&self, id: u32, state: &str, dependency: &str, script: &str, code: u32) -> String {
        let printed = self.path(&format!("slurm-{id}.out"));
        format!(
            "JobId={id} JobName=x\n   JobState={state} Dependency={dependency}\n   Requeue=1 Restarts=0 ExitCode={code}:0\n   \
             StartTime=Unknown EndTime=Unknown Deadline=N/A\n   Command=/bench/{script}\n   StdOut={}\n\n",
            printed.display()
        )
    }

    /// The run's manifest, whose point is there.
    fn manifest(restart: u32, exit_code: &str, reason: &str, resumes: &str) -> String {
        format!(
            r#"{{"restart": {restart}, "resumes": [{resumes}], "exit_code": {exit_code}, "exit_reason": "{reason}",
                "points": [{{"folder": "{POINT}", "status": "finished", "detail": ""}}]}}"#
        )
    }

    fn command(&self, flags: &[&str]) -> Command {
        self.command_of(Path::new(PROGRAM), flags)
    }

    fn command_of(&self, program: &Path, flags: &[&str]) -> Command {
        // Whoever waits for a line that does not come fails, and does not hang.
        let mut command = Command::new("timeout");
        command.arg("300").arg(program);
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let foreign = |name: &str| name.starts_with("SBATCH_") || name.starts_with("SLURM_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| foreign(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("STAGE_PATH", self.stage())
            .args(flags);
        command
    }

    fn run(&self, flags: &[&str]) -> Ended {
        Ended::from(self.command(flags).output().unwrap())
    }

    fn start(&self, flags: &[&str]) -> Child {
        let mut command = self.command(flags);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    printed: String,
    error: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            printed: text(&output.stdout),
            error: text(&output.stderr),
        }
    }
}

impl Ended {
    #[track_caller]
    fn assert(&self, code: i32, printed: &[&str], error: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for words in printed {
            assert!(self.printed.contains(words), "no {words:?} in {self:#?}");
        }
        for words in error {
            assert!(self.error.contains(words), "no {words:?} in {self:#?}");
        }
    }
}

#[test]
fn the_job_s_own_word_holds_where_slurm_cannot_tell() {
    let site = Site::new();
    let away =
        "echo 'sacct: error: Problem talking to the database: Connection refused' >&2; exit 1";
    let manifest = |code: &str| Site::manifest(0, code, "because", "");
    for sacct in [
        away,
        "echo 'sacct: error: no' >&2; exit 1",
        "echo nonsense | tr -d x; echo 'a|b'",
    ] {
        site.program("sacct", sacct);
        site.write("stage/results/run_7.json", &manifest("0"));
        site.run(&["follow", "7"])
            .assert(0, &["launch ended with 0: "], &[]);
        site.write("stage/results/run_7.json", &manifest("6"));
        site.run(&["follow", "7"])
            .assert(1, &[], &["error: launch ended with 6: because"]);
        // Nobody says how it ended.
        site.write("stage/results/run_7.json", &manifest("null"));
        let asked = "the controller does not know job 7, and Slurm's accounts cannot be asked";
        site.run(&["follow", "7"]).assert(1, &[], &[asked]);
    }
    let unreachable = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1";
    site.program("scontrol", unreachable);
    site.write("stage/results/run_7.json", &manifest("3"));
    site.run(&["follow", "7"])
        .assert(1, &[], &["error: launch ended with 3: because"]);
}

/// Others may write to the folder of results.
#[test]
fn a_manifest_makes_no_failed_job_succeed() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.write("stage/results/run_7.json", &Site::manifest(0, "0", "", ""));
    for (state, code, told) in [
        ("FAILED", 3, "error: launch ended with 3: "),
        ("CANCELLED", 0, "error: Slurm ended launch: "),
        ("TIMEOUT", 0, "error: Slurm ended launch: "),
    ] {
        let job = site.job(7, state, "(null)", "launch.sh", code);
        site.write("job_7", &job);
        site.run(&["follow", "7"]).assert(1, &[], &[told]);
    }
    let job = site.job(7, "COMPLETED", "(null)", "launch.sh", 0);
    site.write("job_7", &job);
    site.run(&["follow", "7"])
        .assert(0, &["launch ended with 0: "], &[]);
}

/// The job has said how it ended and tidied up, and Slurm does not know it yet.
#[test]
fn a_job_that_has_ended_does_not_start() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.write("job_7", &site.job(7, "RUNNING", "(null)", "launch.sh", 0));
    let manifest = Site::manifest(0, "0", "done", "");
    site.write("stage/results/run_7.json", &manifest);
    let mut child = site.start(&["follow", "7"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    next(&mut lines, "launch, job 7: RUNNING");
    site.write("job_7", &site.job(7, "COMPLETED", "(null)", "launch.sh", 0));
    let lines: Vec<_> = lines.map(Result::unwrap).collect();
    assert!(
        !lines.iter().any(|line| line == "the server is starting"),
        "{lines:#?}"
    );
    assert!(child.wait().unwrap().success());
}

/// With a wrong stage path, the job seems to start forever.
#[test]
fn a_job_that_writes_elsewhere() {
    let site = Site::new();
    site.scontrol_reads_files();
    let job = site.job(7, "RUNNING", "(null)", "launch.sh", 0);
    let job = job.replace("StartTime=Unknown", "StartTime=1700000000");
    site.write("job_7", &job);
    let hint = "the job runs, but has written nothing to ";
    let said = interrupt_after(site.start(&["follow", "7"]), hint);
    assert!(said.contains("still there: launch, job 7\n"), "{said}");
    assert!(!said.contains("the server is starting"), "{said}");

    // Another job's files are none of this one's.
    site.write("stage/results/.run_71/points/note", "");
    interrupt_after(site.start(&["follow", "7"]), hint);
    site.write("stage/results/.run_7/points/note", "");
    let mut child = site.start(&["follow", "7"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    next(&mut lines, "the server is starting");
    site.write("job_7", &site.job(7, "COMPLETED", "(null)", "launch.sh", 0));
    assert!(!lines.any(|line| line.unwrap().starts_with(hint)));
    child.wait().unwrap();
}

#[test]
fn a_job_that_never_was() {
    let site = Site::new();
    site.program("sacct", "true");
    let ended = site.run(&["follow", "7"]);
    ended.assert(
        1,
        &[],
        &[
            "error: Slurm does not know this job, and ",
            "is the number right, and this the job's stage path?",
        ],
    );
    assert!(!ended.error.contains("still there"), "{ended:#?}");
}

#[test]
fn the_cause_is_found_behind_the_launch_s_dependency() {
    let site = Site::new();
    site.scontrol_reads_files();
    let cancelled = |dependency| ("CANCELLED Reason=DependencyNeverSatisfied", dependency);
    let ((state, models), (_, setup)) = (
        cancelled("afterok:6(failed)"),
        cancelled("afterok:5(failed)"),
    );
    site.write("job_7", &site.job(7, state, models, "launch.sh", 0));
    site.write("job_6", &site.job(6, state, setup, "prepare_models.sh", 0));
    site.write(
        "job_5",
        &site.job(5, "FAILED Reason=NonZeroExitCode", "(null)", "setup.sh", 2),
    );
    site.write("slurm-5.out", "07:00:00 missing: a login for nvcr.io\n");
    let cause = [
        "error: launch did not start, since setup, job 5, did not succeed: FAILED, exit code 2",
        "  | 07:00:00 missing: a login for nvcr.io",
    ];
    site.run(&["follow", "7"]).assert(1, &[], &cause);

    // Where Slurm leaves launch in the queue, it would wait forever.
    let pending = "PENDING Reason=DependencyNeverSatisfied";
    site.write("job_7", &site.job(7, pending, models, "launch.sh", 0));
    let ended = site.run(&["follow", "7"]);
    ended.assert(1, &[], &cause);
    ended.assert(1, &[], &["to end launch, scancel 7"]);
    // And where the other job is none of this chain.
    site.write(
        "job_6",
        &site.job(
            6,
            "FAILED Reason=NonZeroExitCode",
            "(null)",
            "stage_data.sh",
            1,
        ),
    );
    site.run(&["follow", "7"]).assert(
        1,
        &[],
        &["error: job 7 waits for a job that has not ended as it must"],
    );
}

#[test]
fn an_end_says_how_to_go_on() {
    let site = Site::new();
    site.scontrol_reads_files();
    let manifest = Site::manifest(0, "3", "the server exited with status 1", r#""6", "4-1""#);
    let advice =
        r#""advice": ["what to do: find out why", "after that: RESUME_JOB_ID=7 sbatch launch.sh"]"#;
    site.write(
        "stage/results/run_7.json",
        &manifest.replace(r#""points""#, &format!(r#"{advice}, "points""#)),
    );
    site.write("stage/logs/server_7.out", "out of memory\n");
    site.write("slurm-7.out", "07:00:00 exit 3: x\n");
    site.write(
        "job_7",
        &site.job(7, "FAILED Reason=NonZeroExitCode", "(null)", "launch.sh", 3),
    );
    let ended = site.run(&["follow", "7"]);
    // Those of the earlier jobs that count are among them.
    let report = format!(
        "to print them: {PROGRAM} report {}/results --job 7\n",
        site.stage()
    );
    ended.assert(
        1,
        &[&report],
        &[
            "  | out of memory\n",
            "\nwhat to do: find out why\nafter that: RESUME_JOB_ID=7 sbatch launch.sh\n",
            "\nerror: launch ended with 3: the server exited with status 1\n",
        ],
    );
}

/// The controller has forgotten a job of which it has told the script before.
#[test]
fn the_way_on_has_the_script_that_was_known() {
    let site = Site::new();
    let known = site.job(7, "RUNNING", "(null)", "b 18/launch.sh", 0);
    site.write("running", &known);
    let manifest = Site::manifest(0, "null", "running", "");
    site.write("stage/results/run_7.json", &manifest);
    let forgets = format!(
        "echo >>asked\n[[ $(grep -c '' asked) == 1 ]] || {{ {NO_SUCH_JOB}; }}\ncat running"
    );
    site.program("scontrol", &forgets);
    site.program(
        "sacct",
        "echo '7|7|TIMEOUT|0:0|1795506684|1795506684|1795506685|01:00:00|n1'",
    );
    let way_on = "\nto go on: RESUME_JOB_ID=7 sbatch '/bench/b 18/launch.sh'\n";
    let told = format!("{way_on}error: Slurm ended launch: TIMEOUT\n");
    site.run(&["follow", "7"]).assert(1, &[], &[&told[1..]]);
}

/// The accounts have a job that runs for ever: its end never reached them.
#[test]
fn a_job_that_runs_in_the_accounts_alone_has_ended() {
    let site = Site::new();
    site.program(
        "sacct",
        "echo '7|7|RUNNING|0:0|1795506684|1795506684|Unknown|01:00:00|n1'",
    );
    for (code, end) in [("0", 0), ("3", 1)] {
        let manifest = Site::manifest(1, code, "because", "");
        site.write("stage/results/run_7.json", &manifest);
        let ended = site.run(&["follow", "7"]);
        assert_eq!(ended.code, Some(end), "{ended:#?}");
        let said = format!("launch ended with {code}: ");
        assert!((ended.printed + &ended.error).contains(&said));
    }
}

/// What was requeued is cancelled before it starts again: the first start has left its own end.
#[test]
fn an_earlier_start_s_end_is_not_the_job_s() {
    let site = Site::new();
    site.scontrol_reads_files();
    let manifest = Site::manifest(0, "6", "stopped by signal TERM", "");
    site.write("stage/results/run_7.json", &manifest);
    let job = site.job(7, "CANCELLED", "(null)", "launch.sh", 0);
    let again = job.replace("Restarts=0", "Restarts=1");
    for (job, told) in [
        (again, "error: Slurm ended launch: CANCELLED\n"),
        (job, "error: launch ended with 6: stopped by signal TERM\n"),
    ] {
        site.write("job_7", &job);
        let way_on = "to go on: RESUME_JOB_ID=7 sbatch /bench/launch.sh\n";
        site.run(&["follow", "7"]).assert(1, &[], &[told, way_on]);
    }
}

/// As of another user, whom nobody lets read.
#[test]
fn a_manifest_that_cannot_be_read_is_not_said_to_be_elsewhere() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.write("job_7", &site.job(7, "COMPLETED", "(null)", "launch.sh", 0));
    fs::create_dir_all(site.path("stage/results/run_7.json")).unwrap();
    let told = format!(
        "error: the job ended with 0, but {}/results/run_7.json is not a regular file\n",
        site.stage()
    );
    let ended = site.run(&["follow", "7"]);
    ended.assert(1, &[], &[&told]);
    assert_eq!(ended.error, told);
}

/// Slurm's own programs fail where munge, or the site's DNS, is away.
#[test]
fn what_is_away_for_a_moment_ends_nothing() {
    let site = Site::new();
    let state = |state: &str| site.job(7, state, "(null)", "launch.sh", 0);
    site.write("running", &state("RUNNING"));
    site.write("completed", &state("COMPLETED"));
    site.write(
        "stage/results/run_7.json",
        &Site::manifest(0, "null", "running", ""),
    );
    let answers = "echo >>asked; case $(grep -c '' asked) in\n1) cat running ;;\n\
                   2) echo 'slurm_load_jobs error: Protocol authentication error' >&2; exit 1 ;;\n\
                   3) echo 'scontrol: fatal: Could not establish a configuration source' >&2; exit 1 ;;\n\
                   *) cat completed ;;\nesac";
    site.program("scontrol", answers);
    let ended = site.run(&["follow", "7"]);
    let printed = &[
        "Protocol authentication error; it is asked again\n",
        "configuration source; it is asked again\n",
    ];
    ended.assert(0, printed, &[]);
    // One that never answered is not set up.
    site.program(
        "scontrol",
        "echo 'scontrol: fatal: Could not establish a configuration source' >&2; exit 1",
    );
    site.run(&["follow", "8"])
        .assert(1, &[], &["has no Slurm configuration that it can use"]);
}

/// The disk of the log is full.
#[test]
fn what_cannot_be_printed_says_how_to_come_back() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.program("sbatch", SBATCH);
    site.write("job_7", &site.job(7, "RUNNING", "(null)", "launch.sh", 0));
    let unprinted = |flags: &[&str]| {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        Ended::from(
            site.command(flags)
                .stdout(full)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
                .wait_with_output()
                .unwrap(),
        )
    };
    let words = |job: u32| {
        format!(
            "  to come back: STAGE_PATH={} {PROGRAM} follow {job}\n",
            site.stage()
        )
    };
    unprinted(&["follow", "7"]).assert(1, &[], &[&words(7), "error: cannot write to stdout"]);
    site.write("job_7", &site.job(7, "CANCELLED", "(null)", "launch.sh", 0));
    unprinted(&["follow", "7"]).assert(1, &[], &["Slurm ended launch: CANCELLED\n"]);
    unprinted(&["render", "scripts"]).assert(1, &[], &["error: cannot write to stdout"]);
    unprinted(&["submit", "--json", "scripts"]).assert(
        1,
        &[],
        &[
            "still there: setup, job 1; launch, job 2\n",
            &words(2),
            "error: cannot write to stdout",
        ],
    );
}

/// What is printed can be typed as it is.
#[test]
fn short_points_are_measured_again_by_a_command_that_can_be_typed() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.write("job_7", &site.job(7, "COMPLETED", "(null)", "launch.sh", 0));
    let point = "llama-3-70b-instruct_4_1_chat_128_128_7";
    // An earlier job's point, which is too short as well, does not count.
    let earlier = "llama-3-70b-instruct_4_2_chat_128_128_6";
    let manifest = Site::manifest(0, "0", "all points are finished", "\"6\"");
    site.write("stage/results/run_7.json", &manifest.replace(POINT, point));
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/requests/aiperf-1");
    for point in [point, earlier] {
        let folder = format!("stage/results/{point}");
        for name in ["profile_export.jsonl", "profile_export_aiperf.json"] {
            let text = fs::read_to_string(data.join(name)).unwrap();
            site.write(&format!("{folder}/{name}"), &text);
        }
        site.write(&format!("{folder}/measurement.txt"), "seed=1\n");
    }
    let again = |flags: &[&str]| {
        let ended = site.run(&[&["follow", "7"], flags].concat());
        ended.assert(0, &["but 1 of 1 ran for less than 10 s"], &[]);
        let mut lines = ended.printed.lines();
        let words = lines.find_map(|line| line.split_once("to measure again: "));
        words.unwrap().1.to_owned()
    };
    // Nobody knows how it was submitted, or it measured something else than this says.
    let unknown = "the command of its submission with --requests-per-concurrency 47";
    assert_eq!(again(&[]), unknown);
    let sweep = "--recipe=llama3-70b-h100x4-fp8 --use-case=chat:128/128";
    let other = format!("{sweep} --concurrency=1,2");
    assert_eq!(again(&other.split(' ').collect::<Vec<_>>()), unknown);
    for more in ["", " --requests-per-concurrency=30"] {
        let flags = format!("{sweep}{more} --concurrency=1 --time=7");
        // In the order of --help.
        let kept =
            "--recipe=llama3-70b-h100x4-fp8 --time=7 --concurrency=1 --use-case=chat:128/128";
        assert_eq!(
            again(&flags.split(' ').collect::<Vec<_>>()),
            format!("{PROGRAM} run {kept} --requests-per-concurrency 47")
        );
    }
    // So many conversations, of four requests each.
    let measured = format!("stage/results/{point}/measurement.txt");
    site.write(&measured, "requests=80\nprompts=20\n");
    let few = "the command of its submission with --requests-per-concurrency 12";
    assert_eq!(again(&[]), few);
    // No number of requests makes this one longer.
    let timed = "own_command=--benchmark-duration\nown_command=5\n";
    site.write(&measured, timed);
    let ended = site.run(&["follow", "7"]);
    let advice = "do not rely on their numbers; take a longer duration (use case chat), and measure again\n\
                  the results are in ";
    ended.assert(0, &[advice], &[]);
    assert!(!ended.printed.contains("-requests"), "{}", ended.printed);
}

/// What the settings make an array has no task that the recipe knows: one of them is followed.
#[test]
fn an_array_of_the_settings_is_followed_by_its_tasks() {
    let site = Site::new();
    site.program("sbatch", SBATCH);
    site.scontrol_reads_files();
    let array = "--sbatch=launch.array=3-5%1";
    let follow = format!("STAGE_PATH={} {PROGRAM} follow 2_3 {array}\n", site.stage());
    site.run(&["submit", array, "scripts"]).assert(
        0,
        &[&format!(
            "\nto follow its first task, and the others by their numbers:\n  {follow}"
        )],
        &[],
    );
    site.write(
        "job_2_3",
        &site.job(2, "COMPLETED", "(null)", "launch.sh", 0),
    );
    let manifest = Site::manifest(0, "0", "all points are finished", "");
    site.write("stage/results/run_2-3.json", &manifest);
    site.run(&["follow", "2_3", array])
        .assert(0, &["launch ended with 0: "], &[]);
}

/// What is said of several tasks is said once, and each is named once.
#[test]
fn tasks_of_an_array_are_told_together() {
    let site = Site::new();
    site.scontrol_reads_files();
    let task = |id: u32, tasks: &str, state: &str| {
        let job = site.job(id, state, "(null)", "launch.sh", 0);
        let array = format!("JobId={id} ArrayJobId=7 ArrayTaskId={tasks} JobName=x");
        job.replace(&format!("JobId={id} JobName=x"), &array)
    };
    let waiting = task(7, "2-3%1", "PENDING");
    let running = task(8, "0", "RUNNING") + &task(9, "1", "RUNNING");
    site.write("job_7", &(waiting + &running));
    let said = interrupt_after(
        site.start(&["follow", "7"]),
        "launch, job 7: task 2-3 PENDING; task 0,1 RUNNING",
    );
    assert!(said.contains("still there: launch, job 7\n"), "{said}");
}

/// Slurm forgets a task some minutes after its end, and one that never began has left nothing else.
#[test]
fn a_task_that_slurm_has_forgotten_is_told() {
    let mut recipe = nim_slurm::Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep.array = Some(nim_slurm::recipe::ArrayBy::UseCase);
    let tasks = recipe.sweep.use_cases.len();
    assert_eq!(tasks, 2, "the test has two tasks");
    let site = Site::new();
    site.write("recipe.toml", &recipe.to_toml());
    let task = |id: u32, task: u32, state: &str| {
        let job = site.job(id, state, "(null)", "launch.sh", 0);
        let array = format!("JobId={id} ArrayJobId=7 ArrayTaskId={task} JobName=x");
        job.replace(&format!("JobId={id} JobName=x"), &array)
    };
    let follow = || site.run(&["follow", "7", "--recipe", "recipe.toml"]);
    let manifest = Site::manifest(0, "0", "done", "");
    site.write("stage/results/run_7-0.json", &manifest);
    let completed = task(8, 0, "COMPLETED");
    site.program("scontrol", "echo >>looks; cat look_$(grep -c '' looks)");
    site.write(
        "look_1",
        &(task(8, 0, "RUNNING") + &task(7, 1, "CANCELLED")),
    );
    site.write("look_2", &completed);
    let cancelled = "error: task 1: Slurm ended launch: CANCELLED";
    // It left no manifest, and goes on beside the others.
    let way_on = "to go on: RESUME_JOB_ID=7 sbatch --array=1 /bench/launch.sh\n";
    follow().assert(1, &[], &[cancelled, way_on]);

    // Who looks later asks the accounts.
    site.program("scontrol", "cat look_2");
    let row = |id: &str, state: &str| format!("echo '{id}|{state}|0:0|1|2|3|01:00:00|n1'\n");
    let first = row("8|7_0", "COMPLETED");
    site.program(
        "sacct",
        &(first.clone() + &row("7|7_1", "CANCELLED by 1000")),
    );
    follow().assert(1, &[], &[cancelled]);
    site.run(&["status", "7"]).assert(
        0,
        &["task=0\nstate=COMPLETED\n", "task=1\nstate=CANCELLED\n"],
        &[],
    );
    let alone = site.run(&["status", "7_0"]);
    assert!(!alone.printed.contains("task=1"), "{alone:#?}");
    // One that was left out is none of theirs.
    site.program("sacct", &first);
    follow().assert(0, &["launch ended with 0: "], &[]);
    for none in [
        "echo 'Slurm accounting storage is disabled' >&2; exit 1",
        "exit 1",
    ] {
        site.program("sacct", none);
        follow().assert(
            1,
            &[],
            &["error: task 1: nothing is known of it, since Slurm does not tell, and "],
        );
        site.run(&["status", "7"]).assert(0, &["task=0\n"], &[]);
    }
}

/// A tool still writes the results of a point while the next one is measured.
#[test]
fn a_point_starts_after_the_one_before_it_has_ended() {
    let site = Site::new();
    site.scontrol_reads_files();
    let manifest = Site::manifest(0, "null", "running", "");
    let open = |number: u32| {
        format!(
            r#", {{"folder": "llama_4_{number}_chat_128_128_7", "status": "open", "detail": ""}}]"#
        )
    };
    let manifest = manifest.replace("}]", &format!("}}{}", open(50)));
    let first_open = manifest.replacen("finished", "open", 1);
    assert_ne!(first_open, manifest);
    site.write("stage/results/run_7.json", &first_open);
    let folder = site.path(&format!("stage/results/{POINT}"));
    std::fs::rename(&folder, site.path("later")).unwrap();
    site.write("job_7", &site.job(7, "RUNNING", "(null)", "launch.sh", 0));
    let state = "stage/results/.run_7/client/state.0";
    let measured = |number: u32, load: u32| {
        format!("state=measuring\nready_seconds=9\npoint={number} chat 128 128 {load} 500\n")
    };
    site.write(state, &measured(1, 100));
    let mut child = site.start(&["follow", "7"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    next(
        &mut lines,
        "measuring point 1 of 2: chat 128/128, concurrency 100, 500 requests",
    );
    std::fs::rename(site.path("later"), &folder).unwrap();
    site.write("stage/results/run_7.json", &manifest);
    site.write(state, &measured(2, 50));
    std::thread::sleep(std::time::Duration::from_secs(7));
    let table =
        std::fs::read("tests/data/genai-perf/0.0.10/profile_export_genai_perf.csv").unwrap();
    let file = format!("stage/results/{POINT}/profile_export_genai_perf.csv");
    std::fs::write(site.path(&file), &table).unwrap();
    // Of two models, each point has its own.
    let mut rest = lines.map(|line| line.unwrap());
    let ended = rest.next().unwrap();
    assert!(
        ended.starts_with(
            "point 1 of 2 is finished: llama-3-70b-instruct: chat 128/128, concurrency 100: TTFT "
        ),
        "{ended}"
    );
    assert_eq!(
        rest.next().unwrap(),
        "measuring point 2 of 2: chat 128/128, concurrency 50, 500 requests"
    );
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A search finds more points on its way, and says of each once that it is finished.
#[test]
fn points_that_a_search_adds_leave_the_others_alone() {
    let site = Site::new();
    site.scontrol_reads_files();
    let manifest = Site::manifest(0, "null", "running", "");
    site.write("stage/results/run_7.json", &manifest);
    let table =
        std::fs::read("tests/data/genai-perf/0.0.10/profile_export_genai_perf.csv").unwrap();
    let file = "profile_export_genai_perf.csv";
    std::fs::write(site.path(&format!("stage/results/{POINT}/{file}")), &table).unwrap();
    site.write("job_7", &site.job(7, "RUNNING", "(null)", "launch.sh", 0));
    let mut child = site.start(&["follow", "7"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    next(
        &mut lines,
        "point 1 of 1 is finished: chat 128/128, concurrency 100: TTFT ",
    );

    let (begin, end) = manifest.split_once(r#"[{"folder""#).unwrap();
    let another = r#"{"folder": "another_point", "status": "failed", "detail": "why"}"#;
    let manifest = format!(r#"{begin}[{another}, {{"folder"{end}"#);
    site.write("stage/results/run_7.json", &manifest.replace("null", "5"));
    site.write("job_7", &site.job(7, "FAILED", "(null)", "launch.sh", 5));
    let rest: Vec<_> = lines.map(|line| line.unwrap()).collect();
    assert!(
        rest.iter()
            .any(|line| line.starts_with("point 1 of 2 failed: ")),
        "{rest:?}"
    );
    assert!(
        !rest.iter().any(|line| line.contains("is finished")),
        "{rest:?}"
    );
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn results_that_are_not_there_are_no_success() {
    let site = Site::new();
    let own = Site::manifest(0, "0", "done", "");
    let (start, _) = own.split_once(r#""points""#).unwrap();
    let row = |folder: &str, status: &str| {
        format!(r#"{{"folder": "{folder}", "status": "{status}", "detail": ""}}"#)
    };
    let finished = |folder: &str| row(folder, "finished");
    fs::create_dir(site.path("stage/results/empty_7")).unwrap();
    std::os::unix::fs::symlink(POINT, site.path("stage/results/link_7")).unwrap();
    let follow = |rows: &[String]| {
        let manifest = format!("{start}\"points\": [{}]}}", rows.join(", "));
        site.write("stage/results/run_7.json", &manifest);
        site.run(&["follow", "7"])
    };
    let ended = |words: &str| format!("error: launch ended with 0, but {words}");
    let results = format!("{}/results", site.stage());
    let none = ended(&format!("{results}/run_7.json lists no points\n"));
    follow(&[]).assert(1, &[], &[&none]);
    follow(&[finished("../a_7")]).assert(1, &[], &[&none]);
    for (rows, there) in [
        (vec![finished("absent_7")], "0 of the 1 points"),
        (
            vec![finished("empty_7"), finished("link_7")],
            "0 of the 2 points",
        ),
        (
            vec![finished(POINT), finished("absent_7")],
            "1 of the 2 points",
        ),
        (
            vec![finished(POINT), row("failed_7", "failed")],
            "1 of the 2 points",
        ),
    ] {
        let words =
            format!("the results of {there} that {results}/run_7.json lists are in {results}\n");
        follow(&rows).assert(1, &[], &[&ended(&words)]);
    }
    follow(&[finished(POINT)]).assert(0, &["launch ended with 0: every point"], &[]);
}

#[test]
fn what_keeps_a_job_waiting_and_what_comes_again_are_told() {
    let site = Site::new();
    let state = |state: &str| site.job(7, state, "(null)", "launch.sh", 0);
    // Each look is a step on: held, running, running again, suspended, on, ended.
    site.write("look_1", &state("PENDING Reason=JobHeldUser"));
    site.write("look_2", &state("RUNNING Reason=None"));
    site.write("look_3", &state("RUNNING Reason=None"));
    site.write("look_4", &state("SUSPENDED Reason=None"));
    site.write("look_5", &state("RUNNING Reason=None"));
    site.write("look_6", &state("COMPLETED Reason=None"));
    site.write("manifest_2", &Site::manifest(0, "null", "running", ""));
    site.write("manifest_3", &Site::manifest(1, "null", "running", ""));
    site.write("manifest_6", &Site::manifest(1, "0", "done", ""));
    site.write(
        "stage/results/.run_7/client/state.0",
        "state=ready\nready_seconds=72\n",
    );
    site.program(
        "scontrol",
        "echo >>looks; look=$(grep -c '' looks); cat look_$look\n\
         [[ ! -e manifest_$look ]] || cp manifest_$look stage/results/run_7.json",
    );
    let ended = site.run(&["follow", "7"]);
    ended.assert(
        0,
        &["\njob 7 is held: scontrol release 7 lets it start, scancel 7 ends it\n"],
        &[],
    );
    let ready = ended
        .printed
        .matches("the server is ready after 72 s\n")
        .count();
    assert_eq!(ready, 2, "once for each run: {ended:#?}");
    let states = ended
        .printed
        .lines()
        .filter_map(|line| line.strip_prefix("launch, job 7: "));
    let states: Vec<_> = states.collect();
    let all = [
        "PENDING, JobHeldUser",
        "RUNNING",
        "SUSPENDED",
        "RUNNING",
        "COMPLETED",
    ];
    assert_eq!(states, all);
}

/// What a neighbour, an image or a model may write.
const HOSTILE: &str =
    "\u{1b}[2Jall is well\u{9b}1m\u{7}\u{8}\u{202e}neht\u{2066}\u{200f}\u{61c}\u{85}\u{7f}";

#[test]
fn what_others_write_reaches_no_terminal() {
    let site = Site::new();
    let record = |state: &str, code: u32| {
        let record = site.job(7, state, "(null)", &format!("{HOSTILE}/launch.sh"), code);
        let reason = format!("{state} Reason={}", HOSTILE.replace(' ', "_"));
        let nodes = format!("   NodeList=gpu{}\n   StdOut=", HOSTILE.replace(' ', "_"));
        record.replace(state, &reason).replace("   StdOut=", &nodes)
    };
    site.write("look_1", &record("RUNNING", 0));
    site.write("look_2", &record("RUNNING", 0));
    site.write("look_3", &record("FAILED", 3));
    site.program(
        "scontrol",
        "[[ $3 == 7 ]] || { cat look_3; exit; }\necho >>looks; cat look_$(grep -c '' looks)",
    );
    let loading = format!("state=loading\nwaited_seconds=30\nanswer={HOSTILE}\n");
    site.write("stage/results/.run_7/client/state.0", &loading);
    let text = serde_json::Value::String(HOSTILE.to_owned());
    let manifest = format!(
        r#"{{"exit_code": 3, "exit_reason": {text}, "recipe": {text}, "node": {text}, "resumes": [{text}],
            "cause_lines": [{text}], "advice": [{text}],
            "points": [{{"folder": "a_7", "status": "failed", "detail": {text}}},
                       {{"folder": {text}, "status": "failed", "detail": ""}},
                       {{"folder": "../../etc", "status": "finished", "detail": ""}}]}}"#
    );
    site.write("stage/results/run_7.json", &manifest);
    site.write(
        "stage/results/.run_7/client/points",
        &format!("a_7|failed|3||{HOSTILE}\n"),
    );
    site.write("stage/logs/server_7.out", &format!("{HOSTILE}\n"));
    let ended = site.run(&["follow", "7"]);
    clean::assert_clean(&ended.printed);
    clean::assert_clean(&ended.error);
    let escaped =
        r"\u{1b}[2Jall is well\u{9b}1m\u{7}\u{8}\u{202e}neht\u{2066}\u{200f}\u{61c}\u{85}\u{7f}";
    let loading = format!("the server has been loading for 30 s: {escaped}\n");
    let failed = format!("point 1 of 1 failed: a_7: {escaped}\n");
    let cause = format!("{escaped}\n{escaped}\n");
    let reason = format!("launch ended with 3: {escaped}\n");
    ended.assert(1, &[&loading, &failed], &[&cause, &reason]);

    // Where the job itself showed nothing, its log is shown.
    let silent = manifest.replace("cause_lines", "others");
    site.write("stage/results/run_7.json", &silent);
    site.write("looks", "\n\n");
    let ended = site.run(&["follow", "7"]);
    clean::assert_clean(&ended.printed);
    clean::assert_clean(&ended.error);
    ended.assert(1, &[], &[&format!("  | {escaped}\n")]);

    let mut status = Command::new(PROGRAM);
    let path = format!("{}:/usr/bin:/bin", site.path("bin").display());
    let output = status
        .args(["status", "8"])
        .env("PATH", path)
        .output()
        .unwrap();
    let ended = Ended::from(output);
    clean::assert_clean(&ended.printed);
    let escaped = escaped.replace(' ', "_");
    ended.assert(0, &[&format!("nodes=gpu{escaped}\n")], &[]);

    // A log that is a pipe holds nobody up, and a link shows nothing of another's.
    site.write("secret", "PRECIOUS\n");
    for (log, is_pipe) in [
        ("stage/logs/server_7.out", true),
        ("stage/logs/server_7.out", false),
    ] {
        fs::remove_file(site.path(log)).unwrap();
        if is_pipe {
            let made = Command::new("mkfifo").arg(site.path(log)).status();
            assert!(made.unwrap().success());
        } else {
            std::os::unix::fs::symlink(site.path("secret"), site.path(log)).unwrap();
        }
        site.write("looks", "\n\n");
        let ended = site.run(&["follow", "7"]);
        ended.assert(1, &[], &[&reason]);
        assert!(!ended.error.contains("PRECIOUS"), "{ended:#?}");
    }
    for log in [
        "stage/results/.run_7/client/state.0",
        "slurm-7.out",
        "stage/results/.run_7/client/points",
    ] {
        let _ = fs::remove_file(site.path(log));
        let made = Command::new("mkfifo").arg(site.path(log)).status();
        assert!(made.unwrap().success());
    }
    site.write("looks", "\n");
    site.run(&["follow", "7"]).assert(1, &[], &[&reason]);
}

/// sbatch answers with the numbers 1, 2, 3.
const SBATCH: &str = "echo >>submitted; grep -c '' submitted";

/// Reads on to the line that begins with these words.
#[track_caller]
fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>, beginning: &str) {
    let mut lines = lines.map(|line| line.unwrap());
    let found = lines.any(|line| line.starts_with(beginning));
    assert!(found, "{beginning:?} did not come");
}

/// Waits for a line, presses Ctrl-C, and returns what is said then.
#[track_caller]
fn interrupt_after(mut child: Child, beginning: &str) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    next(&mut lines, beginning);
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut error = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut error)
        .unwrap();
    error
}

#[test]
fn ctrl_c_names_all_jobs() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.program("sbatch", SBATCH);
    for (id, script) in [(1, "setup.sh"), (2, "prepare_models.sh"), (3, "launch.sh")] {
        site.write(
            &format!("job_{id}"),
            &site.job(id, "PENDING Reason=Priority", "(null)", script, 0),
        );
    }
    let flags = [
        "submit",
        "--models-job",
        "--follow",
        "--account=proj",
        "scripts",
    ];
    let said = interrupt_after(site.start(&flags), "launch, job 3: PENDING");
    for words in [
        "still there: setup, job 1; prepare_models, job 2; launch, job 3\n",
        "  to cancel:    scancel 1 2 3\n",
        &format!("{PROGRAM} follow 3 --account=proj\n"),
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }

    // In the middle of the submission.
    fs::remove_file(site.path("submitted")).unwrap();
    site.program(
        "sbatch",
        &format!("{SBATCH}; [[ $(grep -c '' submitted) != 3 ]] || sleep 5"),
    );
    let said = interrupt_after(site.start(&flags), "prepare_models is job 2");
    for words in ["look with squeue --me\n", "  to cancel:    scancel 1 2\n"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

#[test]
fn a_setup_that_ended_well_is_told() {
    let site = Site::new();
    site.scontrol_reads_files();
    site.program("sbatch", SBATCH);
    site.write(
        "job_1",
        &site.job(1, "COMPLETED Reason=None", "(null)", "setup.sh", 0),
    );
    site.write(
        "job_2",
        &site.job(2, "COMPLETED Reason=None", "(null)", "launch.sh", 0),
    );
    site.write(
        "stage/results/run_2.json",
        &Site::manifest(0, "0", "done", ""),
    );
    let ended = site.run(&["submit", "--follow", "scripts"]);
    ended.assert(
        0,
        &[
            "\nsetup, job 1, has succeeded\n",
            "\nlaunch, job 2: COMPLETED\n",
        ],
        &[],
    );
}

/// The example of one's own program: three jobs, each waiting for the one before it.
#[test]
fn a_small_program_submits_and_follows() {
    let site = Site::new();
    let program = common::example("submit_and_follow");
    let run = |flags: &[&str]| Ended::from(site.command_of(&program, flags).output().unwrap());
    run(&[]).assert(1, &[], &["which settings file?"]);
    site.write("site.toml", "");
    run(&["site.toml"]).assert(1, &[], &["the settings name no stage_path"]);

    site.program("sbatch", SBATCH);
    site.scontrol_reads_files();
    let completed = |id, script| site.job(id, "COMPLETED Reason=None", "(null)", script, 0);
    site.write("job_1", &completed(1, "setup.sh"));
    site.write("job_2", &completed(2, "prepare_models.sh"));
    let manifest = |code, reason| {
        let manifest = Site::manifest(0, code, reason, "");
        site.write("stage/results/run_3.json", &manifest);
    };
    site.write("job_3", &completed(3, "launch.sh"));
    manifest("0", "all points are finished");
    site.write("site.toml", &format!("stage_path = '{}'", site.stage()));
    let jobs = "setup.sh is job 1\nprepare_models.sh is job 2\nlaunch.sh is job 3\n";
    run(&["site.toml"]).assert(
        0,
        &[
            jobs,
            "1 of 1 points\n",
            "launch ended with 0: ",
            "/stage/results\n",
        ],
        &[],
    );

    fs::remove_file(site.path("submitted")).unwrap();
    let failed = site.job(3, "FAILED Reason=NonZeroExitCode", "(null)", "launch.sh", 4);
    site.write("job_3", &failed);
    manifest("4", "the server was not ready");
    run(&["site.toml"]).assert(
        1,
        &[jobs, "launch ended with 4: the server was not ready"],
        &[],
    );
}

#[test]
fn a_refusal_says_what_to_change() {
    let site = Site::new();
    let words = "Invalid account or account/partition combination specified";
    site.program(
        "sbatch",
        &format!("echo 'sbatch: error: Batch job submission failed: {words}' >&2; exit 1"),
    );
    site.write("my site.toml", "");
    let flags = [
        "submit",
        "--account",
        "proj",
        "--settings",
        "my site.toml",
        "scripts",
    ];
    site.run(&flags).assert(
        1,
        &[],
        &[
            "what to do: name an account of yours, with --account or account in [slurm] of the settings: sacctmgr",
            &format!("what else stands in the way: {PROGRAM} check '--settings=my site.toml' --account=proj\n"),
            words,
        ],
    );
    let mut command = site.command(&["submit", "scripts"]);
    let ended = Ended::from(command.env("SBATCH_ACCOUNT", "proj").output().unwrap());
    ended.assert(
        1,
        &[],
        &["what to do: name an account of yours, with the variable SBATCH_ACCOUNT: "],
    );
}

/// No refusal: nobody was asked.
#[test]
fn a_slurm_that_is_not_set_up_says_what_to_do() {
    let site = Site::new();
    for name in ["sbatch", "scontrol", "squeue"] {
        let words =
            format!("echo '{name}: fatal: Could not establish a configuration source' >&2; exit 1");
        site.program(name, &words);
    }
    let words = "has no Slurm configuration that it can use";
    let to_do = "set SLURM_CONF as the site says, or load its Slurm module: ";
    for flags in [&["submit", "scripts"][..], &["status", "7"]] {
        let ended = site.run(flags);
        ended.assert(1, &[], &[words, to_do]);
        assert!(!ended.error.contains("refused"), "{ended:#?}");
    }
}

#[test]
fn scripts_that_are_in_the_queue_already_are_noted() {
    let site = Site::new();
    site.program("sbatch", SBATCH);
    let folder = site.path("").display().to_string();
    site.program(
        "squeue",
        &format!(
            "echo '9|{folder}scripts/launch.sh'\necho '8|{folder}./scripts/setup.sh'\necho '7|{folder}other/launch.sh'\n\
             echo '6|(null)'; echo '5|scripts/launch.sh'"
        ),
    );
    // Of a path that begins nowhere, nobody knows which folder it was given in.
    let note = "note: the same scripts are in the queue already: setup, job 8; launch, job 9; to end those: scancel 8 9\n";
    let way_on = format!(
        "to follow it:\n  STAGE_PATH={} {PROGRAM} follow 2\n",
        site.stage()
    );
    site.run(&["submit", "scripts"])
        .assert(0, &["launch is job 2\n", &way_on], &[note]);
    // Another cluster has a queue of its own.
    site.program(
        "squeue",
        &format!(
            "[ \"$1\" != --clusters=west ] || printf 'CLUSTER: west\n9|{folder}scripts/launch.sh\n'"
        ),
    );
    let note = "launch, job 9;west; to end those: scancel --clusters=west 9\n";
    site.run(&["submit", "scripts", "--sbatch", "clusters=west"])
        .assert(0, &["launch is job"], &[note]);
}

/// The other one's launch.sh has another sweep.
#[test]
fn two_submissions_of_one_folder_do_not_mix() {
    let site = Site::new();
    let other = "[[ $1 != *setup.sh && $* != *setup.sh ]] || echo '# another' >>scripts/launch.sh";
    site.program("sbatch", &format!("echo \"$@\" >>given; {other}; {SBATCH}"));
    site.program("scancel", "echo \"$@\" >>cancelled");
    site.run(&["submit", "scripts"]).assert(
        1,
        &["setup is job 1\nlaunch is job 2\n"],
        &[
            "scripts/launch.sh was changed while it was submitted, as by another ",
            "; launch, job 2, is cancelled; setup, job 1, is cancelled\n",
        ],
    );
    let cancelled = fs::read_to_string(site.path("cancelled")).unwrap();
    assert_eq!(cancelled, "2\n1\n");
    // Slurm keeps the path, which means the same file everywhere.
    let given = fs::read_to_string(site.path("given")).unwrap();
    let scripts = fs::canonicalize(site.path("scripts")).unwrap();
    for (line, name) in given.lines().zip(["setup.sh", "launch.sh"]) {
        let path = scripts.join(name);
        assert!(line.ends_with(&format!(" {}", path.display())), "{line}");
    }
}

/// A wrapper of the site has words of its own in front and behind.
#[test]
fn the_number_of_a_job_is_found_among_words() {
    let site = Site::new();
    site.program(
        "sbatch",
        &format!("echo Welcome; {SBATCH}; echo 'you have 5 jobs'"),
    );
    site.run(&["submit", "scripts"])
        .assert(0, &["setup is job 1\nlaunch is job 2\n"], &[]);
    site.program("sbatch", "echo 'job 7, I think'");
    site.run(&["submit", "scripts"]).assert(
        1,
        &[],
        &[
            "error: setup.sh may have been submitted: sbatch took ",
            "look with squeue --me",
        ],
    );
}

/// What a site ignores or adds is no reason to refuse a job.
#[test]
fn what_sbatch_says_of_a_job_that_it_took_is_shown() {
    let site = Site::new();
    let said = "sbatch: error: Ignoring -S since it is not allowed\\n\\e[2Jbe kind\\n";
    site.program("sbatch", &format!("{SBATCH}\nprintf '{said}' >&2"));
    let ended = site.run(&["submit", "--quiet", "scripts"]);
    let told = [
        "setup.sh: sbatch: error: Ignoring -S since",
        "launch.sh: \\u{1b}[2Jbe kind\n",
    ];
    ended.assert(0, &["setup is job 1\nlaunch is job 2\n"], &told);
    assert_eq!(ended.error.lines().count(), 4, "{ended:#?}");
}

/// Slurm opens the jobs' logs there, and `submit` checks nothing else of the cluster.
#[test]
fn a_folder_that_every_user_may_write_to_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let site = Site::new();
    site.program("sbatch", SBATCH);
    let here = site.path("");
    fs::set_permissions(&here, fs::Permissions::from_mode(0o1777)).unwrap();
    let told = "where Slurm writes the output of setup.sh, prepare_models.sh and launch.sh: they can lead it to another \
                file of yours; submit from";
    site.run(&["submit", "scripts"]).assert(
        0,
        &["launch is job 2"],
        &["note: every user may write to ", told],
    );
    let elsewhere = ["submit", "--sbatch=output=scripts/%j.out", "scripts"];
    let ended = site.run(&elsewhere);
    assert!(!ended.error.contains("every user"), "{ended:#?}");
}

#[test]
fn a_submission_has_the_notes_of_rendering() {
    let site = Site::new();
    site.program("sbatch", SBATCH);
    for flags in [&["render", "scripts"][..], &["submit", "scripts"]] {
        let flags = [flags, &["--time", "30"]].concat();
        let notes = [
            "note: launch.sh asks for --time=30, which may end before the server is ready",
            "note: launch.sh asks Slurm for no GPUs, and gets all",
        ];
        site.run(&flags).assert(0, &[], &notes);
    }
}

#[test]
fn a_model_that_is_there_is_not_demanded() {
    let site = Site::new();
    site.program("sbatch", SBATCH);
    let submit = || site.run(&["submit", "scripts"]);
    submit().assert(
        0,
        &["fails without the model, which is not there yet; to fetch it now, type:\n  bash scripts/prepare_models.sh\n"],
        &[],
    );
    put_model(&site);
    let last = "stage/llama3-70b-instruct_vhf/trtllm_engine/rank3.engine";
    let length = fs::metadata(site.path(last)).unwrap().len();
    fs::remove_file(site.path(last)).unwrap();
    submit().assert(0, &["fails without the model"], &[]);
    // Of the sizes, the scripts' own rule counts.
    site.write(last, "data");
    submit().assert(0, &["fails without the model"], &[]);
    let words = ["the model's engine in", "54.0 GiB arrived"];
    site.run(&["check"]).assert(1, &words, &[]);
    lengthen(&site, last, length);
    let shard = "stage/llama3-70b-instruct_vhf/m.safetensors";
    let whole = fs::read(site.path(shard)).unwrap();
    fs::write(site.path(shard), &whole[..whole.len() - 1]).unwrap();
    submit().assert(0, &["fails without the model"], &[]);
    fs::write(site.path(shard), whole).unwrap();
    submit().assert(
        0,
        &["launch starts when setup has succeeded; the model is there\n"],
        &[],
    );
}

/// The whole model, as far as the login node looks at it.
fn put_model(site: &Site) {
    let model = "stage/llama3-70b-instruct_vhf";
    for file in [
        "config.json",
        "generation_config.json",
        "LICENSE",
        "README.md",
        "special_tokens_map.json",
        "USE_POLICY.md",
        "tokenizer_config.json",
        "tokenizer.json",
    ] {
        site.write(&format!("{model}/{file}"), "{}");
    }
    site.write(
        &format!("{model}/model.safetensors.index.json"),
        r#"{"a": "m.safetensors"}"#,
    );
    let header = r#"{"a":{"data_offsets":[0,4]}}"#;
    let length = char::from(u8::try_from(header.len()).unwrap());
    let shard = format!("{length}\0\0\0\0\0\0\0{header}data");
    site.write(&format!("{model}/m.safetensors"), &shard);
    // Without data, files take no space.
    lengthen(site, &format!("{model}/README.md"), 132 << 30);
    for rank in 0..4 {
        let part = format!("{model}/trtllm_engine/rank{rank}.engine");
        site.write(&part, "data");
        lengthen(site, &part, 18 << 30);
    }
}

fn lengthen(site: &Site, file: &str, length: u64) {
    let file = fs::File::options().write(true).open(site.path(file));
    file.unwrap().set_len(length).unwrap();
}

/// The recipe's two images, as they were imported.
fn put_images(site: &Site) {
    for image in [
        "nvidia+tritonserver+25.01",
        "nim+meta+llama3-70b-instruct+1.0.3",
    ] {
        let mut superblock = [0; 48];
        superblock[..4].copy_from_slice(b"hsqs");
        superblock[40] = 48;
        let image = site.path(&format!("stage/{image}.sqsh"));
        fs::write(image, superblock).unwrap();
    }
}

/// `run` is one command to results: it checks first, submits what is needed, and follows it.
#[test]
fn one_command_to_results() {
    let site = Site::new();
    let slurm = format!(
        "case $1 in --version) echo 'slurm 22.05.8' ;; --test-only) ;; *) {SBATCH} ;; esac"
    );
    site.program("sbatch", &slurm);
    site.program("unsquashfs", "exit 0");
    site.scontrol_reads_files();
    site.program("df", "printf 'x\\nx x x 999999999 x\\n'");
    let run = |key: Option<&str>| {
        let mut command = site.command(&["run", "--time=30", "--sbatch=launch.mem=64G", "scripts"]);
        command.env("HOME", site.path("")).env_remove("NGC_API_KEY");
        command.envs(key.map(|key| ("NGC_API_KEY", key)));
        Ended::from(command.output().unwrap())
    };

    // All that stands in the way, and nothing was done.
    let ended = run(None);
    let way_on = format!(
        "\nnothing was submitted; to submit without this check: {PROGRAM} submit --follow --models-job --time=30 \
         --sbatch=launch.mem=64G scripts\n"
    );
    ended.assert(
        1,
        &[],
        &[
            "\nerror    there is no login for nvcr.io",
            "\nerror    there is no NGC key",
            "\nwarning  launch.sh asks for --time=30, which",
            "note: launch.sh asks Slurm for no GPUs",
            " things stand in the way; ",
            &way_on,
        ],
    );
    assert_eq!(ended.printed, "");
    let time = ended.error.matches("launch.sh asks for --time=30");
    assert_eq!(time.count(), 1, "each problem once: {ended:#?}");
    assert!(!site.path("submitted").exists() && !site.path("scripts").exists());

    // What is there is not fetched again.
    put_model(&site);
    put_images(&site);
    let launch = |number| {
        let job = site.job(number, "COMPLETED Reason=None", "(null)", "launch.sh", 0);
        site.write(&format!("job_{number}"), &job);
        let manifest = Site::manifest(0, "0", "done", "");
        site.write(&format!("stage/results/run_{number}.json"), &manifest);
    };
    launch(1);
    let ended = run(None);
    ended.assert(
        0,
        &[
            "wrote scripts/launch.sh\n",
            "the images are there: setup.sh is not submitted\n",
            "the model is there: prepare_models.sh is not submitted\n",
            "\nlaunch is job 1\nlaunch measures 8 points: chat 128/128, summarization 4096/512 (input/output tokens), at concurrency 100, 50, 25, 1, the highest first\n",
            "\nlaunch ended with 0: ",
        ],
        &["note: launch.sh asks Slurm for no GPUs"],
    );
    assert!(!ended.printed.contains("setup is job"), "{ended:#?}");
    // Where all nodes have some, a job that has them alone gets them.
    site.program("sinfo", "echo 'batch*|up|infinite|idle|2|gpu:h100:8'");
    launch(2);
    let ended = run(None);
    let note =
        "note: launch.sh asks Slurm for no GPUs, and gets all of its nodes, which it has alone; ";
    ended.assert(0, &[], &[note]);
    assert_eq!(ended.error.matches("no GPUs").count(), 1, "{ended:#?}");
    fs::remove_file(site.path("bin/sinfo")).unwrap();

    // An image that another recipe fetched is not the one that is meant.
    let image = "stage/nim+meta+llama3-70b-instruct+1.0.3.sqsh.reference";
    site.write(image, "nvcr.io/nim/meta/llama3-70b-instruct:1.0.0 48\n");
    let setup = site.job(3, "COMPLETED Reason=None", "(null)", "setup.sh", 0);
    site.write("job_3", &setup);
    launch(4);
    let jobs = "\nsetup is job 3\nlaunch is job 4\n";
    run(Some("any")).assert(0, &[jobs, "\nlaunch ended with 0: "], &[]);

    // A job fetches the model: its node needs ngc, and this one does not.
    let fetches = |first: u32| {
        for (number, script) in [(first, "setup.sh"), (first + 1, "prepare_models.sh")] {
            let job = site.job(number, "COMPLETED Reason=None", "(null)", script, 0);
            site.write(&format!("job_{number}"), &job);
        }
        launch(first + 2);
        let jobs = format!(
            "\nsetup is job {first}\nprepare_models is job {}\nlaunch is job {}\n",
            first + 1,
            first + 2
        );
        let warning = "warning  no ngc on PATH here; ";
        run(Some("any")).assert(0, &[&jobs, "\nlaunch ended with 0: "], &[warning]);
    };
    let engine = "stage/llama3-70b-instruct_vhf/trtllm_engine/.reference";
    site.write(engine, "nim/meta/llama3-70b-instruct:another-engine\n");
    fetches(5);
    fs::remove_file(site.path(engine)).unwrap();
    fs::remove_file(site.path("stage/llama3-70b-instruct_vhf/config.json")).unwrap();
    fetches(8);
}

/// A site of which setup, job 1, has succeeded on n1, and whose other jobs are in these states.
fn site_after_setup(others: &[(&str, &str, u32)]) -> Site {
    let site = Site::new();
    let slurm = format!(
        "case $1 in --version) echo 'slurm 22.05.8' ;; --test-only) ;; *) {SBATCH} ;; esac"
    );
    site.program("sbatch", &slurm);
    site.program(
        "scancel",
        "[[ $1 == --version ]] || echo \"$@\" >>cancelled",
    );
    site.program("df", "printf 'x\\nx x x 999999999 x\\n'");
    site.scontrol_reads_files();
    let setup = ("COMPLETED", "setup.sh", 0);
    for (id, (state, script, code)) in (1..).zip([&setup].into_iter().chain(others)) {
        let job = site.job(id, &format!("{state} Reason=None"), "(null)", script, *code);
        let job = job.replace("   Command=", "   NodeList=n1\n   Command=");
        site.write(&format!("job_{id}"), &job);
    }
    site
}

/// A command with a key, whose words are read.
fn start_with_key(site: &Site, words: &[&str]) -> Child {
    let mut command = site.command(words);
    command.env("NGC_API_KEY", "any").env("HOME", site.path(""));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

const RUN: [&str; 3] = ["run", "--account=proj", "scripts"];

/// What is said where this machine has not the images that setup fetched.
fn apart(site: &Site) -> String {
    format!(
        "setup, job 1, succeeded on n1, but {} is not on this machine: n1 and this machine do not share that folder",
        site.path("stage/nvidia+tritonserver+25.01.sqsh").display()
    )
}

/// The nodes have a folder of the same name, and this machine another one.
#[test]
fn images_that_a_setup_fetched_elsewhere() {
    const JOBS: [(&str, &str, u32); 2] = [
        ("RUNNING", "prepare_models.sh", 0),
        ("PENDING", "launch.sh", 0),
    ];
    // All at once, since each takes seconds.
    let never = site_after_setup(&JOBS);
    let ended_never = start_with_key(&never, &RUN);
    let noted = site_after_setup(&JOBS);
    let mut ended_noted =
        start_with_key(&noted, &["submit", "--models-job", "--follow", "scripts"]);
    let late = site_after_setup(&JOBS);
    let mut ended_late = start_with_key(&late, &RUN);

    // They are seen a moment later, and the run goes on.
    let mut lines = BufReader::new(ended_late.stdout.take().unwrap()).lines();
    next(&mut lines, "launch, job 3: PENDING");
    put_images(&late);
    let complete = |site: &Site| {
        for (id, script) in [(2, "prepare_models.sh"), (3, "launch.sh")] {
            let job = site.job(id, "COMPLETED Reason=None", "(null)", script, 0);
            site.write(&format!("job_{id}"), &job);
        }
        let manifest = Site::manifest(0, "0", "done", "");
        site.write("stage/results/run_3.json", &manifest);
    };

    let ended = Ended::from(ended_never.wait_with_output().unwrap());
    ended.assert(
        1,
        &["\nsetup, job 1, has succeeded\n", "\nlaunch, job 3: PENDING"],
        &[
            "\nwhat to do: name a folder that login and compute nodes share: export STAGE_PATH=/lustre/...; where the ",
            &format!("this look: {PROGRAM} submit --follow --models-job --account=proj scripts\n"),
            &format!(
                "\nerror: {}; launch, job 3, is cancelled; prepare_models, job 2, is cancelled\n",
                apart(&never)
            ),
        ],
    );
    let cancelled = fs::read_to_string(never.path("cancelled")).unwrap();
    assert_eq!(cancelled, "3\n2\n");

    complete(&late);
    next(&mut lines, "launch ended with 0: ");
    assert!(ended_late.wait().unwrap().success() && !late.path("cancelled").exists());

    // Who asked for no look is told, and nothing else happens.
    let mut lines = BufReader::new(ended_noted.stdout.take().unwrap()).lines();
    next(&mut lines, &apart(&noted));
    complete(&noted);
    assert!(ended_noted.wait().unwrap().success() && !noted.path("cancelled").exists());

    // Without a download, launch itself is the first to miss them.
    let failed = site_after_setup(&[("FAILED", "launch.sh", 2)]);
    put_model(&failed);
    let ended = start_with_key(&failed, &RUN).wait_with_output().unwrap();
    Ended::from(ended).assert(
        1,
        &[],
        &[
            &format!("\n{}\n", apart(&failed)),
            "\nerror: launch ended with 2: ",
        ],
    );
}

/// A launch that runs has found the images: this machine alone is left out, and its end is launch's own.
#[test]
fn a_launch_that_runs_where_this_machine_does_not_look() {
    let runs = [
        ("COMPLETED", "prepare_models.sh", 0),
        ("RUNNING", "launch.sh", 0),
    ];
    let blind = site_after_setup(&runs);
    let job = fs::read_to_string(blind.path("job_3")).unwrap();
    let job = job.replace("StartTime=Unknown", "StartTime=1700000000");
    blind.write("job_3", &job);
    fs::remove_dir_all(blind.path("stage/results")).unwrap();
    let mut ended_blind = start_with_key(&blind, &RUN);
    let mut lines = BufReader::new(ended_blind.stdout.take().unwrap()).lines();
    let mut said = lines.by_ref().map(Result::unwrap);
    let until = said
        .by_ref()
        .take_while(|line| !line.starts_with("setup, job 1, succeeded"));
    let before: Vec<_> = until.collect();
    assert!(
        !before.concat().contains("has written nothing"),
        "{before:#?}"
    );
    let job = blind.job(3, "COMPLETED", "(null)", "launch.sh", 0);
    blind.write(
        "job_3",
        &job.replace("   Command=", "   NodeList=n2\n   Command="),
    );
    let results = format!("{}/results", blind.stage());
    let end = [
        "launch, job 3: COMPLETED, on n2".to_owned(),
        "launch ended with 0, as Slurm says".to_owned(),
        format!("the results are in {results} on n2, and are not seen from this machine"),
        "to copy them to this folder:".to_owned(),
        format!(
            "  srun --account=proj --nodelist=n2 --nodes=1 --ntasks=1 tar -C {} -cf - results | tar -xf -",
            blind.stage()
        ),
        format!("then, to print them: {PROGRAM} report results --job 3"),
    ];
    assert_eq!(said.collect::<Vec<_>>(), end);
    let ended = Ended::from(ended_blind.wait_with_output().unwrap());
    assert!(!ended.error.contains("\nerror"), "{ended:#?}");
    assert!(ended.code == Some(0) && !blind.path("cancelled").exists());
}

/// Only its number is known: nothing here says whether it is a launch job, and of which stage path.
#[test]
fn a_job_that_succeeded_and_left_nothing_here() {
    let site = Site::new();
    site.scontrol_reads_files();
    let job = site.job(7, "COMPLETED", "(null)", "launch.sh", 0);
    let job = job.replace("   Command=", "   NodeList=n2\n   Command=");
    site.write("job_7", &job);
    let options = ["clusters=west", "reservation=acc", "constraint=h100"];
    let options = options.iter().flat_map(|option| ["--sbatch", option]);
    let follow = ["follow", "7", "--account", "proj"].into_iter();
    let ended = site.start(&follow.chain(options).collect::<Vec<_>>());
    let manifest = format!("{}/results/run_7.json", site.stage());
    Ended::from(ended.wait_with_output().unwrap()).assert(
        1,
        &["launch, job 7: COMPLETED, on n2"],
        &[
            &format!(
                "what to do: if it had another stage path, give that: {PROGRAM} follow 7 --stage-path PATH; else copy its results \
                 from n2 to this folder:\n  srun --clusters=west --account=proj --reservation=acc --constraint=h100 --nodelist=n2 --nodes=1 --ntasks=1 tar -C {} -cf - results | tar -xf -\n",
                site.stage()
            ),
            &format!(
                "error: the job ended with 0, but {manifest} is not on this machine: it was no launch job, it had another stage \
                 path, or its node does not share that folder"
            ),
        ],
    );
}

/// Variants of the server measure each point once more, and an array has its tasks: no number is said that is not true.
#[test]
fn only_a_plain_sweep_is_told_in_numbers() {
    let site = Site::new();
    site.program("sbatch", "echo 7");
    let recipe = nim_slurm::Recipe::llama3_70b_h100x4_fp8();
    let variant = |name: &str| nim_slurm::recipe::Variant::new(name.parse().unwrap());
    let mut variants = recipe.clone();
    variants.server.variants = vec![variant("a"), variant("b")];
    for (recipe, is_told) in [(recipe, true), (variants, false)] {
        site.write("recipe.toml", &recipe.to_toml());
        let mut command = site.command(&["submit", "--recipe", "recipe.toml"]);
        let ended = Ended::from(command.output().unwrap());
        assert!(ended.printed.contains("launch is job 7\n"), "{ended:#?}");
        let has_count = ended.printed.contains("launch measures 8 points: ");
        assert_eq!(has_count, is_told, "{ended:#?}");
        assert_eq!(ended.printed.contains("launch measures"), is_told);
    }
}

/// pyxis would start the scripts themselves in a container.
#[test]
fn variables_of_pyxis_do_not_reach_sbatch() {
    let site = Site::new();
    site.program("sbatch", "test -z \"$PYXIS_CONTAINER_IMAGE\" && echo 7");
    let mut command = site.command(&["submit"]);
    command.env("PYXIS_CONTAINER_IMAGE", "/images/other.sqsh");
    Ended::from(command.output().unwrap()).assert(0, &["launch is job 7\n"], &[]);
    let mut command = site.command(&["check"]);
    command.env("PYXIS_CONTAINER_IMAGE", "/images/other.sqsh");
    let ended = Ended::from(command.output().unwrap());
    let words =
        "note     PYXIS_CONTAINER_IMAGE is set, by which pyxis may start the scripts themselves";
    assert!(ended.printed.contains(words), "{ended:#?}");
}

/// Behind `| head -1`, say: no command waits for what nobody reads.
#[test]
fn a_reader_that_has_gone_ends_it_quietly() {
    let site = Site::new();
    site.program("sbatch", SBATCH);
    site.scontrol_reads_files();
    site.write(
        "job_102",
        &site.job(102, "RUNNING", "(null)", "launch.sh", 0),
    );
    let unread = |flags: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = site
            .command(flags)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed().as_secs() > 60 {
                child.kill().unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Ended::from(child.wait_with_output().unwrap())
    };
    for flags in [
        &["follow", "102"][..],
        &["--quiet", "submit", "scripts"],
        &["--quiet", "render", "other"],
        &["--quiet", "explain"],
        &["status", "102"],
        &["recipes"],
        &["completions", "zsh"],
        &["man"],
        &["--quiet", "report", "--demo", "--format", "csv"],
    ] {
        let ended = unread(flags);
        assert_eq!(ended.error, "", "{flags:?}");
        assert_eq!(ended.code, Some(141), "{flags:?}");
    }
    // What was begun is done.
    for name in ["scripts/launch.sh", "other/launch.sh"] {
        assert!(site.path(name).exists(), "{name}");
    }
    let submitted = fs::read_to_string(site.path("submitted")).unwrap();
    assert_eq!(submitted.lines().count(), 2);
    assert_eq!(unread(&["--help"]).error, "");
    // Jobs whose numbers no program has are named.
    let ended = unread(&["--quiet", "submit", "--json", "scripts"]);
    assert_eq!(ended.code, Some(141), "{ended:#?}");
    assert!(ended.error.contains("  to come back: "), "{ended:#?}");
}

/// On stdout is JSON, and nothing else.
#[test]
fn other_programs_read_json() {
    let site = Site::new();
    site.program("sbatch", SBATCH);
    site.scontrol_reads_files();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let ended = site.run(arguments);
        ended.assert(0, &[], &[]);
        serde_json::from_str(&ended.printed).unwrap()
    };
    let jobs = serde_json::json!([
        { "script": "setup", "job": "1" },
        { "script": "launch", "job": "2" },
    ]);
    assert_eq!(
        json(&["submit", "--json", "scripts"]),
        serde_json::json!({ "schema": 1, "jobs": jobs })
    );
    assert!(site.path("scripts/launch.sh").exists());

    let job = site.job(2, "PENDING Reason=Priority", "afterok:1", "launch.sh", 0);
    let job = job.replace("StartTime=Unknown", "StartTime=1795578198");
    site.write("job_2", &job);
    let status = json(&["status", "2", "--json"]);
    assert_eq!(status["schema"], 1);
    let record = &status["records"][0];
    for (name, value) in [
        ("state", serde_json::json!("PENDING")),
        ("job", "2".into()),
        ("reason", "Priority".into()),
        ("restarts", 0.into()),
        // When it may start is no start.
        ("started", serde_json::Value::Null),
    ] {
        assert_eq!(record[name], value, "{name}: {status}");
    }
    site.write(
        "job_2",
        &job.replace("PENDING Reason=Priority", "RUNNING")
            .replace("EndTime=Unknown", "EndTime=1795579198"),
    );
    let status = json(&["status", "2", "--json"]);
    assert_eq!(status["records"][0]["started"], 1_795_578_198);
    assert_eq!(status["records"][0]["ended"], serde_json::Value::Null);
    // As text, the same; times as people read them.
    let lines = ["job=2\nstate=RUNNING\n", "\nstarted=2026-11-25T03:43:18Z\n"];
    site.run(&["status", "2"]).assert(0, &lines, &[]);
}

/// Where `SIGCHLD` is ignored, as some services leave it, no exit code of a child is known: what Slurm's programs print tells.
#[test]
fn exit_codes_that_are_lost() {
    let site = Site::new();
    let run = |flags: &[&str]| {
        let words = [&["--ignore-signal=CHLD", PROGRAM], flags].concat();
        Ended::from(site.command_of(Path::new("env"), &words).output().unwrap())
    };
    site.program(
        "sbatch",
        &format!("{SBATCH}; echo 'sbatch: a word of the site' >&2"),
    );
    run(&["submit", "scripts"]).assert(0, &["setup is job 1\n", "launch is job 2\n"], &[]);

    // Nothing tells whether the second job is in the queue. The first is cancelled: scancel says nothing.
    fs::remove_file(site.path("submitted")).unwrap();
    site.program("sbatch", &format!("[[ -e submitted ]] && exit; {SBATCH}"));
    site.program("scancel", "");
    run(&["submit", "scripts"]).assert(
        1,
        &["setup is job 1\n"],
        &[
            "launch.sh may have been submitted; setup, job 1, is cancelled",
            "no answer came for scripts/launch.sh, which may be in the queue all the same; look with squeue --me before it is \
             submitted again: its exit code is lost (is SIGCHLD ignored",
        ],
    );

    site.scontrol_reads_files();
    site.write(
        "job_7",
        &site.job(7, "PENDING Reason=Priority", "(null)", "launch.sh", 0),
    );
    run(&["status", "7"]).assert(0, &["PENDING"], &[]);
    site.program("scontrol", "");
    run(&["status", "7"]).assert(1, &[], &["its exit code is lost (is SIGCHLD ignored"]);
}
