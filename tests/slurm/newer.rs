//! The scripts, and what the library asks, on a Slurm of each newer release that Debian has:
//! its own controller, node and programs, with the tools of its own system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nim_slurm::ScriptKind::{self, Launch, PrepareModels, Setup};
use nim_slurm::container::Runtime;
use nim_slurm::recipe::ArrayBy;
use nim_slurm::{Plan, Settings};

use crate::cluster::{free_port, furnish, plan, with_server};
use crate::lab::{Lab, job_field, run, wait_until};
use crate::status::{assert_fields, known};

/// A Slurm of one node.
struct Newer<'a> {
    lab: &'a Lab,
    version: &'a str,
    /// Its programs.
    bin: &'a Path,
    /// What its jobs see as `/mnt`.
    folder: PathBuf,
    port: u16,
}

impl Newer<'_> {
    fn command(&self, program: &str) -> Command {
        let mut command = self.lab.command(self.bin.join(program).to_str().unwrap());
        command
            .env("STAGE_PATH", "/mnt/stage")
            .env("HOME", "/mnt")
            .env("CONTAINER_PATH", "/mnt/bin:/usr/bin:/bin")
            .env("NGC_API_KEY", "key");
        command
    }

    /// Submits; the job's number.
    fn submit(&self, words: &[&str]) -> String {
        let mut sbatch = self.command("sbatch");
        let number = run(sbatch.args(["--parsable", "--mem=100"]).args(words));
        number.trim().to_owned()
    }

    fn wrap(&self, options: &[&str], command: &str) -> String {
        self.submit(&[options, &["--output=/dev/null", "--wrap", command]].concat())
    }

    fn field(&self, job: &str, field: &str) -> String {
        job_field(|| self.command("scontrol"), job, field)
    }

    /// Submits a script and waits for its end: its exit code and what it and its steps said.
    fn job(&self, script: ScriptKind, options: &[&str]) -> (String, String, String) {
        let name = format!("/mnt/{}", script.file_name());
        let output = "--output=/mnt/said.out";
        let id = self.submit(&[options, &[output, "--open-mode=truncate", &name]].concat());
        wait_until("the job's end", || {
            let state = self.field(&id, "JobState");
            !["PENDING", "RUNNING", "COMPLETING"].contains(&state.as_str())
        });
        let said = fs::read_to_string(self.folder.join("said.out")).unwrap();
        let code = self.field(&id, "ExitCode");
        (id, code, format!("Slurm {}: {said}", self.version))
    }

    fn put(&self, plan: &Plan) {
        for kind in ScriptKind::ALL {
            fs::write(self.folder.join(kind.file_name()), plan.script(kind).text()).unwrap();
        }
    }

    /// The three scripts; the last one as an array of two tasks.
    fn runs_the_scripts(&self) {
        let plan = plan(self.port);
        let settings = "srun.mpi = 'none'\nslurm.gres = 'gpu:8'\nslurm.launch.requeue = true\nlaunch.max_requeues = 1";
        let settings = Settings::from_toml(settings).unwrap();
        let mut recipe = plan
            .recipe()
            .clone()
            .with_use_cases(["chat:128/128", "again:128/128"].map(|text| text.parse().unwrap()));
        recipe.sweep.array = Some(ArrayBy::UseCase);
        recipe.sweep.array_limit = Some(1);
        let settings = settings.with_runtime(Runtime::Apptainer);
        self.put(&Plan::new(recipe, settings.clone()).unwrap());
        let (_, code, said) = self.job(Setup, &[]);
        assert_eq!(code, "0:0", "{said}");
        assert!(said.contains("done: all images are in"), "{said}");
        let (_, code, said) = self.job(PrepareModels, &[]);
        assert_eq!(code, "0:0", "{said}");

        for task in [0, 1] {
            with_server(&self.folder, self.port, || {
                let (id, code, said) = self.job(Launch, &[&format!("--array={task}")]);
                assert_eq!(code, "0:0", "{said}");
                assert!(said.contains("exit 0: all points are finished"), "{said}");
                // Slurm's own words on the steps were understood.
                assert!(!said.contains("did not end by itself"), "{said}");
                let manifest = self
                    .folder
                    .join(format!("stage/results/run_{id}-{task}.json"));
                let manifest = fs::read_to_string(manifest).unwrap();
                assert!(manifest.contains("\"exit_code\": 0"), "{manifest}");
                assert!(!manifest.contains("\"not run\""), "{manifest}");
                let finished = manifest.matches("\"status\": \"finished\"").count();
                assert_eq!(finished, 2, "{manifest}");
            });
        }

        // Its time is nearly up after the first of two points, and it goes into the queue again.
        self.put(&Plan::new(plan.recipe().clone(), settings).unwrap());
        fs::write(self.folder.join("given/hangs"), "later").unwrap();
        with_server(&self.folder, self.port, || {
            let id = self.submit(&["--output=/mnt/said.out", "/mnt/launch.sh"]);
            let child = self.folder.join("child");
            wait_until("the second point", || child.exists());
            wait_until("the first point's results", || {
                let results = fs::read_dir(self.folder.join("stage/results")).unwrap();
                let names = results.map(|entry| entry.unwrap().file_name());
                let names = names.filter_map(|name| name.into_string().ok());
                let own = |name: &String| name.ends_with(&format!("_2_chat_128_128_{id}"));
                names.filter(own).count() == 1
            });
            run(self
                .command("scancel")
                .args(["--batch", "--signal=USR1", &id]));
            wait_until("the job's return", || {
                self.field(&id, "JobState") == "PENDING"
            });
            let said = fs::read_to_string(self.folder.join("said.out")).unwrap();
            assert!(said.contains("restart 1 of at most 1"), "{said}");
            assert_eq!(self.field(&id, "Restarts"), "1");
            run(self.command("scancel").arg(&id));
        });
    }

    /// What the library makes of jobs in each state.
    fn reads_states(&self) {
        let long = "exec sleep 600";
        let held = self.wrap(&["--hold", "--time=90"], long);
        let waiting = self.wrap(&[&format!("--dependency=afterany:{held}")], long);
        let running = self.wrap(&[], long);
        let completed = self.wrap(&[], "exit 0");
        let failed = self.wrap(&[], "exit 3");
        let killed = self.wrap(&[], "kill -KILL $$");
        let cancelled = self.wrap(&["--hold"], long);
        let requeued = self.wrap(&[], long);
        let array = self.wrap(&["--array=1-3%1"], long);
        run(self.command("scancel").arg(&cancelled));
        for job in [&running, &requeued, &format!("{array}_1")] {
            wait_until("a job's start", || self.field(job, "JobState") == "RUNNING");
        }
        run(self.command("scontrol").args(["requeue", &requeued]));
        wait_until("a job's return", || {
            self.field(&requeued, "JobState") == "PENDING"
        });
        for job in [&completed, &failed, &killed] {
            wait_until("a job's end", || self.field(job, "EndTime") != "Unknown");
            wait_until("a job's end", || {
                self.field(job, "JobState") != "COMPLETING"
            });
        }
        // Once with all programs, and once where a site keeps scontrol from its users.
        let squeue = self.bin.join("squeue-alone");
        fs::create_dir_all(&squeue).unwrap();
        let _ = std::os::unix::fs::symlink(self.bin.join("squeue"), squeue.join("squeue"));
        for programs in [self.bin, &squeue] {
            let path = [("PATH", programs.to_str().unwrap())];
            let assert_job = |job: &str, expected: &[(&str, &str)]| {
                assert_fields(&known(self.lab, job, &path), expected);
            };
            assert_job(&held, &[("state", "PENDING"), ("reason", "JobHeldUser")]);
            assert_job(&waiting, &[("waits_for", &held)]);
            assert_job(&running, &[("state", "RUNNING"), ("nodes", "node1")]);
            assert_job(
                &completed,
                &[("state", "COMPLETED"), ("exit", "exit code 0")],
            );
            let expected = [
                ("state", "FAILED"),
                ("exit", "exit code 3"),
                ("reason", "NonZeroExitCode"),
            ];
            assert_job(&failed, &expected);
            assert_job(&killed, &[("state", "FAILED"), ("exit", "signal 9")]);
            assert_job(&cancelled, &[("state", "CANCELLED")]);
            assert_job(&requeued, &[("state", "PENDING"), ("restarts", "1")]);
            let task = format!("{array}_1");
            assert_job(
                &task,
                &[("state", "RUNNING"), ("array", &array), ("task", "1")],
            );
        }
        run(self.command("scancel").arg("--user=root"));
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn newer_slurms_run_the_scripts_and_tell_of_jobs() {
    let lab = Lab::without_images();
    let lines = run(&mut lab.command("tests/lab/newer"));
    thread::scope(|scope| {
        for line in lines.lines() {
            let (version, bin) = line.split_once(' ').unwrap();
            let bin = Path::new(bin);
            let newer = Newer {
                lab: &lab,
                version,
                bin,
                folder: bin.join("work"),
                port: free_port(),
            };
            scope.spawn(move || {
                furnish(&newer.folder, &["apptainer", "hf", "genai-perf", "vllm"]);
                newer.runs_the_scripts();
                newer.reads_states();
            });
        }
    });
}
