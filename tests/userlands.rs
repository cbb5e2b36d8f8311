//! The scripts with the tools of other systems, older and newer than this one: whole runs of
//! each script, with the real bash, coreutils, findutils, grep, sed, awk, tar, flock and curl of
//! other releases of Debian, and with uutils in place of GNU's coreutils. What a cluster adds,
//! `common/cluster.sh` stands in for.
//!
//! `NIM_SLURM_BASH=/opt/bash-4.4:/opt/bash-5.0` has other shells checked, too, and
//! `NIM_SLURM_TOOLS=/opt/coreutils-8.30/bin` the tools in these folders.

#[path = "common/cluster.rs"]
mod cluster;
#[path = "common/plans.rs"]
mod plans;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use nim_slurm::container::Runtime;
use nim_slurm::recipe::ModelSource;
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use tempfile::TempDir;

use crate::cluster::{free_port, furnish, plan, settings, with_server};

/// What the scripts call, and none of it is on this machine.
const CLUSTER: &[&str] = &[
    "srun",
    "squeue",
    "scontrol",
    "scancel",
    "enroot",
    "apptainer",
    "podman",
    "hf",
    "ngc",
    "genai-perf",
    "vllm",
];

/// Words of tools that were asked for what they do not know.
const COMPLAINTS: &[&str] = &[
    "invalid option",
    "unrecognized option",
    "unknown option",
    "unexpected argument",
    "sage: ",
    "command not found",
    "syntax error",
    "awk: ",
    "warning",
    "No such file",
];

/// The tools of one system.
#[derive(Clone)]
struct Userland {
    name: String,
    /// What is `/` to them.
    root: PathBuf,
    /// Folders of tools in front of `/usr/bin`.
    first: String,
    /// Other programs, by the names that they get.
    others: Vec<(&'static str, PathBuf)>,
}

impl Userland {
    /// The tools of this machine.
    fn own() -> Self {
        Self {
            name: "own".to_owned(),
            root: "/".into(),
            first: String::new(),
            others: Vec::new(),
        }
    }

    /// Those of a release of Debian; none, and a word about it, where it cannot be had.
    fn of_debian(suite: &str) -> Option<Self> {
        let output = Command::new("tests/lab/debian")
            .arg(suite)
            .output()
            .unwrap();
        if !output.status.success() {
            // Not for the test's own output, which is shown only when it fails.
            let words = String::from_utf8_lossy(&output.stderr);
            let _ = writeln!(
                std::io::stderr(),
                "\nNOT CHECKED: the tools of Debian {suite}: {words}"
            );
            return None;
        }
        Some(Self {
            name: suite.to_owned(),
            root: String::from_utf8(output.stdout).unwrap().trim_end().into(),
            ..Self::own()
        })
    }

    /// The same with another awk.
    fn with_awk(&self, program: &str) -> Self {
        Self {
            name: format!("{}, {program}", self.name),
            others: vec![("awk", self.root.join("usr/bin").join(program))],
            ..self.clone()
        }
    }

    /// The same with uutils in front of GNU's coreutils.
    fn with_uutils(&self) -> Self {
        Self {
            name: format!("{}, uutils", self.name),
            first: "/usr/lib/cargo/bin/coreutils:".to_owned(),
            ..self.clone()
        }
    }

    fn path(&self) -> String {
        format!("/mnt/bin:{}/usr/bin:/bin:/usr/sbin:/sbin", self.first)
    }
}

/// A node: a system's tools, and a folder that they see as `/mnt`.
struct Node {
    userland: Userland,
    folder: TempDir,
    /// Where its server answers.
    port: u16,
    /// The tools in the containers.
    container_path: String,
}

impl Node {
    fn new(userland: Userland) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let node = Self {
            container_path: userland.path(),
            userland,
            folder,
            port: free_port(),
        };
        furnish(node.folder.path(), CLUSTER);
        for (name, program) in &node.userland.others {
            fs::copy(program, node.at("bin").join(name)).unwrap();
        }
        node
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command there, as a job's script runs.
    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let root = &self.userland.root;
        // Nobody else sees the mounts, and they end with the command.
        let enter = "mount --bind \"$1\" \"$1\" && mount --rbind /proc \"$1/proc\" && mount --rbind /dev \"$1/dev\" && \
                     mount --bind \"$2\" \"$1/mnt\" && mount -t tmpfs tmpfs \"$1/tmp\" && cd \"$1/mnt\" && \
                     root=$1 && shift 2 && exec chroot \"$root\" \"$@\" 2>&1 </dev/null";
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", enter, "sh"])
            .arg(root)
            .arg(self.folder.path())
            .args(words)
            .env_clear()
            .env("PATH", self.userland.path())
            .env("CONTAINER_PATH", &self.container_path)
            .env("HOME", "/mnt/home")
            .env("STAGE_PATH", "/mnt/stage")
            .env("NGC_API_KEY", "key")
            .env("HF_TOKEN", "token")
            .env("SLURM_JOB_ID", "1")
            .env("SLURM_JOB_NODELIST", "node1")
            .env("SLURM_JOB_NUM_NODES", "1")
            .env("SLURMD_NODENAME", "node1")
            .env("SLURM_GPUS_ON_NODE", "4")
            .env("CUDA_VISIBLE_DEVICES", "0,1,2,3")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    }

    /// A script's end and a word that it says; and no tool complains.
    #[track_caller]
    fn assert_run(&self, script: &str, code: i32, said: &str) {
        let start = format!("echo $$ >/mnt/job; exec bash /mnt/{script}");
        let (ended, mut text) = self.run(&["bash", "-c", &start]);
        for log in glob(&self.at("stage/logs")) {
            text += &fs::read_to_string(log).unwrap();
        }
        let name = &self.userland.name;
        assert_eq!(ended, Some(code), "{name}, {script}: {text}");
        assert!(text.contains(said), "{name}, {script}: {said}: {text}");
        for complaint in COMPLAINTS {
            assert!(!text.contains(complaint), "{name}, {script}: {text}");
        }
    }

    fn put(&self, plan: &Plan) {
        for kind in ScriptKind::ALL {
            fs::write(self.at(kind.file_name()), plan.script(kind).text()).unwrap();
        }
    }

    fn plan(&self, runtime: Runtime) -> Plan {
        let plan = plan(self.port);
        let settings = plan.settings().clone().with_runtime(runtime);
        Plan::new(plan.recipe().clone(), settings).unwrap()
    }

    fn checks_bash(&self) {
        fs::create_dir(self.at("every")).unwrap();
        for (number, script) in plans::every_script().into_iter().enumerate() {
            fs::write(self.at(&format!("every/{number}.sh")), script.text).unwrap();
        }
        let check =
            "for script in /mnt/every/*.sh; do bash -n \"$script\" || exit; done; bash --version";
        let (code, text) = self.run(&["bash", "-c", check]);
        assert_eq!(code, Some(0), "{}: {text}", self.userland.name);
        println!("{}: {}", self.userland.name, text.lines().next().unwrap());
    }

    fn sets_up(&self, runtime: Runtime, ending: &str) {
        self.put(&self.plan(runtime));
        let damaged = format!("stage/nvidia+tritonserver+25.01-py3-sdk.{ending}");
        fs::write(self.at(&damaged), "hsqs").unwrap();
        let kept = format!("kept what was there as /mnt/{damaged}.damaged-1");
        self.assert_run("setup.sh", 0, &kept);
        self.assert_run("setup.sh", 0, "nothing to do: all images are in /mnt/stage");
    }

    fn prepares_models(&self) {
        let plan = self.plan(Runtime::Pyxis);
        self.put(&plan);
        let model = "stage/Llama-3.3-70B-Instruct_6f6073b42301";
        let shard = self.at(model).join("model-1.safetensors");
        self.assert_run("prepare_models.sh", 0, "done: the model in");
        self.assert_run("prepare_models.sh", 0, "nothing to do: the model in");
        fs::OpenOptions::new()
            .write(true)
            .open(shard)
            .and_then(|file| file.set_len(1999))
            .unwrap();
        let said = "model-1.safetensors has 1999 bytes, its header promises 2067";
        self.assert_run("prepare_models.sh", 0, said);
        assert!(self.at(&format!("{model}.incomplete-1")).is_dir());

        let mut larger = plan.recipe().clone();
        larger.model.weights.size = "10000 B".parse().unwrap();
        self.put(&Plan::new(larger, plan.settings().clone()).unwrap());
        let said = "2.10KiB arrived, 9.77KiB were expected";
        self.assert_run("prepare_models.sh", 1, said);

        let mut there = plan.recipe().clone();
        there.model.weights.source = ModelSource::Path(format!("/mnt/{model}").parse().unwrap());
        there.model.weights.exclude.clear();
        self.put(&Plan::new(there, plan.settings().clone()).unwrap());
        self.assert_run("prepare_models.sh", 0, "nothing to do: the model in");

        let mut ngc = Recipe::llama3_70b_h100x4_fp8();
        ngc.model.weights.size = "2100 B".parse().unwrap();
        ngc.model.weights.files = vec!["config.json".parse().unwrap()];
        let engine = ngc.model.engine.as_mut().unwrap();
        engine.size = "2000 B".parse().unwrap();
        engine.files = (0..4)
            .map(|rank| format!("rank{rank}.engine").parse().unwrap())
            .collect();
        self.put(&Plan::new(ngc, Settings::new()).unwrap());
        self.assert_run("prepare_models.sh", 0, "done: the model in");
        self.assert_run("prepare_models.sh", 0, "nothing to do: the model in");
    }

    /// Two points, of which the first one fails; then the job again.
    fn launches(&self, runtime: Runtime) {
        let _ = fs::remove_dir_all(self.at("stage/results"));
        let _ = fs::remove_dir_all(self.at("stage/logs"));
        self.put(&self.plan(runtime));
        fs::write(self.at("given/fails"), "").unwrap();
        let cause = "  | line 1: ValueError: nothing was measured";
        with_server(self.folder.path(), self.port, || {
            self.assert_run("launch.sh", 5, cause);
        });
        self.assert_manifest(5, &["finished", "failed"]);
        fs::remove_file(self.at("given/fails")).unwrap();
        if self.container_path.contains("busybox") {
            // Its timeout looks once a second whether the program is there still.
            thread::sleep(Duration::from_secs(2));
        }
        with_server(self.folder.path(), self.port, || {
            self.assert_run("launch.sh", 0, "exit 0: all points are finished");
        });
        self.assert_manifest(0, &["finished", "finished"]);
        if runtime == Runtime::Podman {
            // A container that an earlier run of this job left.
            let calls = fs::read_to_string(self.at("calls")).unwrap();
            let removed =
                "\npodman inspect 4567cdef\npodman rm --force --volumes --time=0 4567cdef\n";
            assert!(calls.contains(removed), "{}: {calls}", self.userland.name);
        }
        let earlier = self.at("stage/results/run_1.json.earlier-1");
        assert!(earlier.is_file(), "{}", self.userland.name);
    }

    /// A tool that hangs, until its time or the job's is up.
    fn stops(&self, by: &str) {
        let mut recipe = self.plan(Runtime::Pyxis).recipe().clone();
        let (code, said) = if by == "limit" {
            recipe.sweep.point_timeout = 1;
            (5, "GenAI-Perf did not end within 1 s, or was killed")
        } else {
            (6, "exit 6: stopped by signal USR1, the time is nearly up")
        };
        self.put(&Plan::new(recipe, settings()).unwrap());
        let _ = fs::remove_dir_all(self.at("stage/results"));
        let _ = fs::remove_dir_all(self.at("stage/logs"));
        fs::write(self.at("given/hangs"), by).unwrap();
        with_server(self.folder.path(), self.port, || {
            self.assert_run("launch.sh", code, said);
        });
        fs::remove_file(self.at("given/hangs")).unwrap();
        let told = if by == "limit" {
            ["failed", "failed"]
        } else {
            ["interrupted", "not run"]
        };
        self.assert_manifest(code, &told);
        if by == "early" {
            return;
        }
        // Nothing that the tool started outlives it.
        let child = fs::read_to_string(self.at("child")).unwrap();
        let child = Path::new("/proc").join(child.trim());
        for _ in 0..20 {
            if child.exists() {
                thread::sleep(Duration::from_millis(100));
            }
        }
        assert!(
            !child.exists(),
            "{}, {by}: {}",
            self.userland.name,
            child.display()
        );
    }

    /// A client that does nothing, and does not hear that it is to end.
    fn is_silent(&self) {
        let mut recipe = self.plan(Runtime::Pyxis).recipe().clone();
        recipe.server.ready_timeout = 1;
        recipe.sweep.point_timeout = 1;
        self.put(&Plan::new(recipe, settings()).unwrap());
        let _ = fs::remove_dir_all(self.at("stage/results"));
        let _ = fs::remove_dir_all(self.at("stage/logs"));
        let curl = self.at("bin/curl");
        fs::write(&curl, "#!/bin/bash\ntrap '' TERM\nsleep 60\n").unwrap();
        fs::set_permissions(curl, fs::Permissions::from_mode(0o755)).unwrap();
        let launch = self.at("launch.sh");
        let text = fs::read_to_string(&launch).unwrap();
        let longer = "2 * point_timeout + 600";
        assert_eq!(text.matches(longer).count(), 2);
        fs::write(launch, text.replace(longer, "2 * point_timeout + 2")).unwrap();
        let said = "exit 1: the client made no progress for longer than a point may take";
        with_server(self.folder.path(), self.port, || {
            self.assert_run("launch.sh", 1, said);
        });
        self.assert_manifest(1, &["not run", "not run"]);
    }

    /// A client's container that has bash, curl and busybox. Its timeout leads no process
    /// group, so that what a tool started is left for Slurm to end with the step.
    fn runs_busybox_as_container(mut self) {
        let link = "mkdir /mnt/busybox && for name in $(busybox --list); do \
                    ln -s /usr/bin/busybox /mnt/busybox/$name; done && \
                    ln -sf /usr/bin/bash /usr/bin/curl /mnt/busybox";
        let (code, text) = self.run(&["bash", "-c", link]);
        assert_eq!(code, Some(0), "{text}");
        self.container_path = "/mnt/bin:/mnt/busybox".into();
        self.userland.name += ", busybox in the container";
        self.launches(Runtime::Apptainer);
    }

    #[track_caller]
    fn assert_manifest(&self, code: i32, statuses: &[&str]) {
        let text = fs::read_to_string(self.at("stage/results/run_1.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest["exit_code"], code, "{text}");
        assert!(
            manifest["images"]["client"]["bytes"].as_u64() > Some(100),
            "{text}"
        );
        let points = manifest["points"].as_array().unwrap().iter();
        let told: Vec<_> = points
            .map(|point| point["status"].as_str().unwrap())
            .collect();
        assert_eq!(told, statuses, "{}: {text}", self.userland.name);
    }
}

fn glob(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// All scripts with all runtimes; then the node.
fn whole_runs(userland: Userland) -> Node {
    let node = Node::new(userland);
    node.checks_bash();
    let runtimes = [
        (Runtime::Pyxis, "sqsh"),
        (Runtime::Apptainer, "sif"),
        (Runtime::Podman, "tar"),
    ];
    for (runtime, ending) in runtimes {
        node.sets_up(runtime, ending);
    }
    node.prepares_models();
    for (runtime, _) in runtimes {
        node.launches(runtime);
    }
    node.stops("stop");
    // The timeout of uutils 0.0.30 has another exit code for it.
    if node.userland.name != "trixie, uutils" {
        node.stops("limit");
    }
    node
}

#[test]
#[ignore = "needs root and packages of Debian: run tests/run"]
fn this_machine() {
    let node = whole_runs(Userland::own());
    node.stops("early");
    node.is_silent();
}

#[test]
#[ignore = "needs root and packages of Debian: run tests/run"]
fn debian_11() {
    if let Some(userland) = Userland::of_debian("bullseye") {
        whole_runs(userland.with_awk("gawk"));
    }
}

#[test]
#[ignore = "needs root and packages of Debian: run tests/run"]
fn debian_13_and_its_uutils() {
    if let Some(userland) = Userland::of_debian("trixie") {
        whole_runs(userland.with_awk("original-awk"));
        let node = whole_runs(userland.with_uutils());
        node.runs_busybox_as_container();
    }
}

#[test]
#[ignore = "needs root and packages of Debian: run tests/run"]
fn debian_14_and_its_uutils() {
    if let Some(userland) = Userland::of_debian("forky") {
        whole_runs(userland.clone());
        whole_runs(userland.with_uutils());
    }
}

#[test]
#[ignore = "needs root and packages of Debian: run tests/run"]
fn other_shells_and_tools() {
    let folders = env::var("NIM_SLURM_TOOLS").unwrap_or_default();
    for folder in folders.split(':').filter(|folder| !folder.is_empty()) {
        whole_runs(Userland {
            name: folder.to_owned(),
            first: format!("{folder}:"),
            ..Userland::own()
        });
    }
    let shells = env::var("NIM_SLURM_BASH").unwrap_or_default();
    for bash in shells.split(':').filter(|bash| !bash.is_empty()) {
        whole_runs(Userland {
            name: bash.to_owned(),
            others: vec![("bash", bash.into())],
            ..Userland::own()
        });
    }
}
