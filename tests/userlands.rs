//! The scripts with the tools of other systems, older and newer than this one: whole runs of
//! each script, with the real bash, coreutils, findutils, grep, sed, awk, tar, flock and curl of
//! other releases of Debian, and with uutils in place of GNU's coreutils. What a cluster adds,
//! `common/cluster.sh` stands in for.
//!
//! `NIM_SLURM_BASH=/opt/bash-4.4:/opt/bash-5.0` has other shells checked, too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use nim_slurm::container::Runtime;
use nim_slurm::recipe::ModelSource;
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use tempfile::TempDir;

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
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let node = Self {
            container_path: userland.path(),
            userland,
            folder,
            port: free.local_addr().unwrap().port(),
        };
        for name in ["bin", "given", "stage"] {
            fs::create_dir(node.at(name)).unwrap();
        }
        let cluster = node.at("bin/cluster.sh");
        fs::copy("tests/common/cluster.sh", &cluster).unwrap();
        fs::set_permissions(&cluster, fs::Permissions::from_mode(0o755)).unwrap();
        for program in CLUSTER {
            symlink("cluster.sh", node.at("bin").join(program)).unwrap();
        }
        for (name, program) in &node.userland.others {
            fs::copy(program, node.at("bin").join(name)).unwrap();
        }
        node.put_images();
        node.put_models();
        node
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An image in each format.
    fn put_images(&self) {
        let given = self.at("given");
        fs::write(given.join("manifest.json"), "[]").unwrap();
        run(Command::new("mksquashfs").current_dir(&given).args([
            "manifest.json",
            "image.sqsh",
            "-quiet",
            "-no-progress",
        ]));
        run(Command::new("tar").current_dir(&given).args([
            "--create",
            "--file=image.tar",
            "manifest.json",
        ]));
        let mut sif = b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\0".to_vec();
        sif.resize(112, 0);
        sif.extend(128_u64.to_le_bytes());
        sif.extend(4_u64.to_le_bytes());
        sif.resize(132, 0);
        fs::write(given.join("image.sif"), sif).unwrap();
    }

    /// A model of the hub, and weights and an engine of NGC.
    fn put_models(&self) {
        let header = br#"{"a":{"dtype":"U8","shape":[2000],"data_offsets":[0,2000]}}"#;
        let mut shard = (header.len() as u64).to_le_bytes().to_vec();
        shard.extend(header);
        shard.resize(shard.len() + 2000, 0);
        let weights = |folder: PathBuf| {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("config.json"), "{}").unwrap();
            fs::write(folder.join("tokenizer.json"), "{}").unwrap();
            fs::write(folder.join("model-1.safetensors"), &shard).unwrap();
            let index =
                r#"{"metadata": {"total_size": 2000}, "weight_map": {"a": "model-1.safetensors"}}"#;
            fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
        };
        weights(self.at("given/hub"));
        weights(self.at("given/ngc/hf/llama3-70b-instruct_vhf"));
        let engine = "0.10.0+cbc614f5-h100x4-fp8-throughput";
        let folder = self.at(&format!("given/ngc/{engine}/llama3-70b-instruct_v{engine}"));
        fs::create_dir_all(&folder).unwrap();
        for rank in 0..4 {
            fs::write(folder.join(format!("rank{rank}.engine")), [0; 500]).unwrap();
        }
        let table = "tests/data/genai-perf/0.0.10/profile_export_genai_perf.csv";
        fs::copy(table, self.at("given/profile_export_genai_perf.csv")).unwrap();
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

    /// The model of the hub, with any of the runtimes.
    fn plan(&self, runtime: Runtime) -> Plan {
        let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
        recipe.server.disk = "1 MiB".parse().unwrap();
        recipe.server.port = self.port.to_string().parse().unwrap();
        recipe.server.ready_timeout = 60.try_into().unwrap();
        recipe.client.disk = "1 MiB".parse().unwrap();
        recipe.model.weights.size = "2100 B".parse().unwrap();
        recipe.model.weights.files = vec!["config.json".parse().unwrap()];
        // As many as the table counts.
        recipe.sweep.min_requests = 250.try_into().unwrap();
        let recipe = recipe
            .with_concurrency([1, 2].map(|number| number.try_into().unwrap()))
            .with_use_cases(["chat:128/128".parse().unwrap()]);
        Plan::new(recipe, settings().with_runtime(runtime)).unwrap()
    }

    fn checks_bash(&self) {
        run(Command::new("cp")
            .args(["--recursive", "tests/golden"])
            .arg(self.at("golden")));
        let check = "for script in /mnt/golden/*/*.sh; do bash -n \"$script\" || exit; done; bash --version";
        let (code, text) = self.run(&["bash", "-c", check]);
        assert_eq!(code, Some(0), "{}: {text}", self.userland.name);
        println!("{}: {}", self.userland.name, text.lines().next().unwrap());
    }

    fn sets_up(&self, runtime: Runtime, ending: &str) {
        self.put(&self.plan(runtime));
        let damaged = format!("stage/nvidia+tritonserver+25.01.{ending}");
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
        let lacks = "lacks one of its two tables";
        self.with_server(|| self.assert_run("launch.sh", 5, lacks));
        self.assert_manifest(5, &["finished", "failed"]);
        fs::remove_file(self.at("given/fails")).unwrap();
        if self.container_path.contains("busybox") {
            // Its timeout looks once a second whether the program is there still.
            thread::sleep(Duration::from_secs(2));
        }
        self.with_server(|| self.assert_run("launch.sh", 0, "exit 0: all points are finished"));
        self.assert_manifest(0, &["finished", "finished"]);
        let earlier = self.at("stage/results/run_1.json.earlier-1");
        assert!(earlier.is_file(), "{}", self.userland.name);
    }

    /// A tool that hangs, until its time or the job's is up.
    fn stops(&self, by: &str) {
        let mut recipe = self.plan(Runtime::Pyxis).recipe().clone();
        let (code, said) = if by == "limit" {
            recipe.sweep.point_timeout = 1.try_into().unwrap();
            (5, "GenAI-Perf did not end within 1 s, or was killed")
        } else {
            (6, "exit 6: stopped by signal USR1")
        };
        self.put(&Plan::new(recipe, settings()).unwrap());
        let _ = fs::remove_dir_all(self.at("stage/results"));
        let _ = fs::remove_dir_all(self.at("stage/logs"));
        fs::write(self.at("given/hangs"), by).unwrap();
        self.with_server(|| self.assert_run("launch.sh", code, said));
        fs::remove_file(self.at("given/hangs")).unwrap();
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

    /// Answers as a server does from when its step begins.
    fn with_server(&self, work: impl FnOnce()) {
        let serving = self.at("serving");
        let _ = fs::remove_file(&serving);
        let is_over = AtomicBool::new(false);
        let goes_on = || !is_over.load(Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| {
                let pause = || thread::sleep(Duration::from_millis(20));
                while goes_on() && !serving.exists() {
                    pause();
                }
                let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
                listener.set_nonblocking(true).unwrap();
                while goes_on() {
                    match listener.accept() {
                        Ok((stream, _)) => answer(stream),
                        Err(_) => pause(),
                    }
                }
            });
            let _over = Over(&is_over);
            work();
        });
    }
}

fn settings() -> Settings {
    Settings::from_toml("srun.mpi = 'none'").unwrap()
}

/// Says so in the end, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What launch.sh asks a server, and what a good one says.
fn answer(stream: TcpStream) {
    stream.set_nonblocking(false).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(number) = line.strip_prefix("content-length: ") {
            length = number.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let body = match request.split(' ').nth(1) {
        Some("/v1/models") => r#"{"data": [{"id": "meta-llama/Llama-3.3-70B-Instruct"}]}"#,
        Some("/v1/chat/completions") => r#"{"choices": [{"message": {"content": "Hello."}}]}"#,
        _ => "",
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = reader.into_inner().write_all((head + body).as_bytes());
}

fn glob(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
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
    // Before 0.6, uutils' timeout has another exit code for it.
    if node.userland.name != "trixie, uutils" {
        node.stops("limit");
    }
    node
}

#[test]
#[ignore = "needs root and packages of Debian: run tests/run"]
fn this_machine() {
    whole_runs(Userland::own());
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
fn other_shells() {
    let shells = env::var("NIM_SLURM_BASH").unwrap_or_default();
    for bash in shells.split(':').filter(|bash| !bash.is_empty()) {
        whole_runs(Userland {
            name: bash.to_owned(),
            others: vec![("bash", bash.into())],
            ..Userland::own()
        });
    }
}
