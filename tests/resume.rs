//! What a resume counts: whole runs of launch.sh on stand-ins for a cluster
//! (`common/cluster.sh`), of which each later one resumes the first.

#[path = "common/cluster.rs"]
mod cluster;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nim_slurm::recipe::{ArrayBy, ClientOptions, Variant};
use nim_slurm::{Plan, Recipe, Settings};
use tempfile::TempDir;

use crate::cluster::{free_port, furnish, plan, with_server};

const CLUSTER: &[&str] = &[
    "srun",
    "squeue",
    "scontrol",
    "scancel",
    "nvidia-smi",
    "genai-perf",
    "vllm",
    "enroot",
    "hf",
];

const MODEL: &str = "stage/Llama-3.3-70B-Instruct_6f6073b42301";
const GPU: &str = "NVIDIA H100 80GB HBM3, 580.159.04\n";

struct Node {
    folder: TempDir,
    port: u16,
}

/// What a launch did.
struct Launch {
    code: Option<i32>,
    said: String,
    /// How many points were measured.
    measured: usize,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        furnish(folder.path(), CLUSTER);
        let node = Self {
            folder,
            port: free_port(),
        };
        fs::write(node.at("given/gpu"), GPU).unwrap();
        fs::write(node.at("given/cpus"), "112").unwrap();
        node
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn recipe(&self) -> Recipe {
        plan(self.port).recipe().clone()
    }

    /// Runs a script as this job, with the folder as `/mnt`.
    fn run(&self, text: &str, job: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
        fs::write(self.at("script.sh"), text).unwrap();
        let enter = "mount --bind \"$1\" /mnt && mount -t tmpfs tmpfs /tmp && cd /mnt && \
                     exec bash /mnt/script.sh 2>&1 </dev/null";
        let path = "/mnt/bin:/usr/bin:/bin:/usr/sbin:/sbin";
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", enter, "sh"])
            .arg(self.folder.path())
            .env_clear()
            .envs([("PATH", path), ("CONTAINER_PATH", path)])
            .envs([("HOME", "/mnt/home"), ("STAGE_PATH", "/mnt/stage")])
            .envs([("SLURM_JOB_ID", job), ("SLURMD_NODENAME", "node1")])
            .envs([
                ("SLURM_JOB_NODELIST", "node1"),
                ("SLURM_JOB_NUM_NODES", "1"),
            ])
            .envs([
                ("SLURM_GPUS_ON_NODE", "4"),
                ("CUDA_VISIBLE_DEVICES", "0,1,2,3"),
            ])
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said)
    }

    fn script(&self, recipe: Recipe, of: fn(&Plan) -> nim_slurm::Script) -> String {
        let plan = plan(self.port);
        let plan = Plan::new(recipe, plan.settings().clone()).unwrap();
        of(&plan).text().to_owned()
    }

    /// Images and model, by setup.sh and prepare_models.sh.
    #[track_caller]
    fn set_up(&self, recipe: &Recipe) {
        for of in [Plan::setup, Plan::prepare_models] {
            let text = self.script(recipe.clone(), of);
            let (code, said) =
                self.run(&text, "9", &[("HF_TOKEN", "token"), ("NGC_API_KEY", "key")]);
            assert_eq!(code, Some(0), "{said}");
        }
    }

    fn launch(&self, recipe: Recipe, job: u32, resumes: &str) -> Launch {
        self.launch_with(recipe, job, &[("RESUME_JOB_ID", resumes)])
    }

    /// As task of an array, whose number is the job's.
    fn task(&self, recipe: &Recipe, job: u32, task: u32, resumes: &str) -> Launch {
        let (array, task) = (job.to_string(), task.to_string());
        let variables = [
            ("RESUME_JOB_ID", resumes),
            ("SLURM_ARRAY_JOB_ID", &array),
            ("SLURM_ARRAY_TASK_ID", &task),
        ];
        self.launch_with(recipe.clone(), job, &variables)
    }

    fn launch_with(&self, recipe: Recipe, job: u32, variables: &[(&str, &str)]) -> Launch {
        let text = self.script(recipe, Plan::launch);
        let calls = || fs::read_to_string(self.at("calls")).unwrap_or_default();
        let (before, mut ended) = (calls(), (None, String::new()));
        with_server(self.folder.path(), self.port, || {
            let cpus = fs::read_to_string(self.at("given/cpus")).unwrap();
            let variables = [variables, &[("SLURM_JOB_CPUS_PER_NODE", cpus.as_str())]].concat();
            ended = self.run(&text, &job.to_string(), &variables);
        });
        let (code, said) = ended;
        let calls = calls();
        // A tool that was started early and never came by its gate was started again.
        let points: BTreeSet<_> = calls[before.len()..]
            .lines()
            .filter(|line| line.starts_with("genai-perf "))
            .collect();
        Launch {
            code,
            said,
            measured: points.len(),
        }
    }

    fn point(&self, concurrency: u32, job: u32) -> PathBuf {
        let name = format!("llama-3.3-70b-instruct_4_{concurrency}_chat_128_128_{job}");
        self.at("stage/results").join(name)
    }
}

impl Launch {
    #[track_caller]
    fn assert(&self, what: &str, measured: usize, words: &[&str]) {
        let Self { said, .. } = self;
        assert_eq!(self.code, Some(0), "{what}: {said}");
        assert_eq!(self.measured, measured, "{what}: {said}");
        for words in words {
            assert!(said.contains(words), "{what}: {words}: {said}");
        }
    }
}

/// Other bytes at a place near the end of a file.
fn change(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let place = bytes.len() - 10;
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

type Change = fn(&Node, &mut Recipe);

/// A change, and what the job says of it.
const CHANGES: &[(&str, Change, &[&str])] = &[
    (
        "other bytes in an image of the same name",
        |node, _| change(&node.at("stage/vllm+vllm-openai+v0.9.2.sqsh")),
        &["there: server_image=vllm/vllm-openai:v0.9.2 "],
    ),
    (
        "other weights of the same length",
        |node, _| change(&node.at(MODEL).join("model-1.safetensors")),
        &[
            "there: model=meta-llama/Llama-3.3-70B-Instruct@6f6073b423013f6a7d4d9f39144961bfbfbc386b ",
        ],
    ),
    (
        "a word of the server's command",
        |_, recipe| {
            let words = ["--max-num-seqs", "8"].map(|word| word.parse().unwrap());
            recipe.server.command.extend(words);
        },
        &["here: server_command=--max-num-seqs server_command=8"],
    ),
    (
        "a variable of the server",
        |_, recipe| {
            let name = "VLLM_USE_V1".parse().unwrap();
            recipe.server.environment.insert(name, "0".parse().unwrap());
        },
        &["here: server_environment=VLLM_USE_V1=0"],
    ),
    (
        "the seed, and an own option of the client",
        |_, recipe| {
            recipe.client.random_seed = 5;
            let words = ["--extra-inputs", "temperature:0"];
            recipe.client.options = ClientOptions::parse_all(words).unwrap();
        },
        &["there: seed=", " client_command=temperature:0"],
    ),
    (
        "the number of requests",
        |node, recipe| {
            recipe.sweep.min_requests = 251;
            let table = node.at("given/profile_export_genai_perf.csv");
            let text = fs::read_to_string(&table).unwrap();
            fs::write(&table, text.replace(",250.00", ",251.00")).unwrap();
        },
        &["there: requests=250 prompts=250 here: requests=251 prompts=251"],
    ),
    (
        "other GPUs",
        |node, _| fs::write(node.at("given/gpu"), GPU.replace("H100", "H200")).unwrap(),
        &["there: gpu_model=NVIDIA H100 80GB HBM3 here: gpu_model=NVIDIA H200 80GB HBM3"],
    ),
    (
        "a part of the node",
        |node, _| fs::write(node.at("given/cpus"), "16").unwrap(),
        &["there: cpus=112 here: cpus=16"],
    ),
    (
        "points of an older version, and an empty folder",
        |node, _| {
            for concurrency in [1, 2] {
                fs::remove_file(node.point(concurrency, 1).join("measurement.txt")).unwrap();
            }
            fs::remove_dir_all(node.point(1, 1)).unwrap();
            fs::create_dir(node.point(1, 1)).unwrap();
        },
        &[
            "_4_1_chat_128_128_1: nothing in it says what was measured: it is empty, or of an older version",
            "_4_2_chat_128_128_1: nothing in it says",
        ],
    ),
];

#[test]
#[ignore = "needs root: run tests/run"]
fn only_the_same_measurement_counts() {
    let node = Node::new();
    let recipe = node.recipe();
    node.set_up(&recipe);
    let first = node.launch(recipe.clone(), 1, "");
    first.assert("the first", 2, &["exit 0: all points are finished"]);
    let files = [
        "given/gpu",
        "given/cpus",
        "given/profile_export_genai_perf.csv",
        "stage/vllm+vllm-openai+v0.9.2.sqsh",
        &format!("{MODEL}/model-1.safetensors"),
    ];
    let saved = files.map(|file| fs::read(node.at(file)).unwrap());
    for ((what, change, words), job) in CHANGES.iter().zip(2..) {
        let again = node.launch(recipe.clone(), 20 + job, "1");
        again.assert("unchanged", 0, &["2 of 2 points are in"]);
        assert!(!again.said.contains("does not count"), "{}", again.said);

        let mut changed = recipe.clone();
        change(&node, &mut changed);
        let run = node.launch(changed, job, "1");
        run.assert(what, 2, words);
        assert!(
            run.said
                .contains("does not count: llama-3.3-70b-instruct_4_1_chat_128_128_1: ")
        );
        assert!(node.point(2, job).join("measurement.txt").is_file());
        for (file, bytes) in files.iter().zip(&saved) {
            fs::write(node.at(file), bytes).unwrap();
        }
    }
}

/// An array that the user made of one sweep: a task that has measured nothing has no other one's points.
#[test]
#[ignore = "needs root: run tests/run"]
fn a_repetition_counts_its_own_points() {
    let node = Node::new();
    let recipe = node.recipe();
    node.set_up(&recipe);
    node.task(&recipe, 40, 0, "").assert("the first", 2, &[]);
    node.task(&recipe, 50, 0, "40")
        .assert("measured before", 0, &["2 of 2 points are in"]);
    let words = ["job 40-1 has left nothing that counts", "2 of 2 points"];
    node.task(&recipe, 50, 1, "40")
        .assert("never measured", 2, &words);
    node.task(&recipe, 60, 1, "50_1")
        .assert("by its number", 0, &[]);
    let unknown = node.task(&recipe, 70, 1, "99");
    assert_eq!(unknown.code, Some(2), "{}", unknown.said);
    let again = "fix what is named above and submit this task again: RESUME_JOB_ID=99 sbatch --array=1 /mnt/launch.sh\n";
    assert!(unknown.said.contains(again), "{}", unknown.said);
    assert!(
        unknown.said.contains("missing: results of job 99-1, "),
        "{}",
        unknown.said
    );
}

/// The recipe has another variant where the task that is resumed had one.
#[test]
#[ignore = "needs root: run tests/run"]
fn a_task_goes_on_with_its_own_variant() {
    let node = Node::new();
    let mut recipe = node.recipe();
    let variants = |names: [&str; 2]| {
        names
            .map(|name| Variant::new(name.parse().unwrap()))
            .to_vec()
    };
    recipe.server.variants = variants(["a", "b"]);
    recipe.sweep.array = Some(ArrayBy::Server);
    node.set_up(&recipe);
    node.task(&recipe, 40, 1, "").assert("the first", 2, &[]);
    node.task(&recipe, 50, 1, "40_1").assert("the same", 0, &[]);
    // It was cancelled before it began, so it has no manifest.
    node.task(&recipe, 50, 0, "40_0").assert(
        "never measured",
        2,
        &["job 40-0 has left nothing that counts"],
    );
    recipe.server.variants = variants(["a", "c"]);
    let other = node.task(&recipe, 60, 1, "40_1");
    assert_eq!((other.code, other.measured), (Some(2), 0), "{}", other.said);
    let missing = "missing: a point of job 40-1, which RESUME_JOB_ID names, in the part of task 1: it measured \
                   llama-3.3-70b-instruct-b: chat, and this task measures llama-3.3-70b-instruct-c: chat\n";
    assert!(other.said.contains(missing), "{}", other.said);
}

/// What stands between two lines of the script, behind these variables.
#[track_caller]
fn said_by(text: &str, (from, to): (&str, &str), variables: &str, then: &str) -> String {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from}"));
    let end = start + text[start..].find(to).unwrap_or_else(|| panic!("no {to}"));
    let script = format!(
        "say() {{ echo \"$*\"; }}\n{variables}\n{}\n{then}\n",
        &text[start..end]
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.sh");
    fs::write(&file, script).unwrap();
    let output = Command::new("bash")
        .arg(&file)
        .env("FOLDER", folder.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap()
}

fn script_of_turns() -> String {
    let mut recipe = plan(8000).recipe().clone();
    recipe.server.variants = ["a", "b"]
        .map(|name| Variant::new(name.parse().unwrap()))
        .into();
    let settings = Settings::from_toml("slurm.launch.requeue = true").unwrap();
    Plan::new(recipe, settings)
        .unwrap()
        .launch()
        .text()
        .to_owned()
}

/// A turn's time says nothing of the turns behind it, and a job in which an earlier turn finished a point goes on by itself.
#[test]
fn a_turn_knows_of_the_others() {
    let text = script_of_turns();
    let said = |variables: &str| {
        let variables = format!(
            "code=6 restarts=0 finished=1 failed=0 unnamed=0 to_measure=2 reserve=40 ready_timeout=60 point_timeout=10 requeue_limit=2
            stopped_by=USR1 cause=signal to_do='' slurm_id=7 array_option='' time_up='' advice=() points=(a b) script=/b/launch.sh
            seconds_needed=0 measured_before=0 of_turn=''; declare -A own=([a]=1 [b]=1)\n{variables}"
        );
        let part = ("next=\"after that\"", "\nwrite_manifest\n");
        said_by(
            &text,
            part,
            &variables,
            "trap - EXIT\nprintf '%s\\n' \"${advice[@]}\"",
        )
    };
    let alone = said("");
    assert!(
        alone.ends_with("\nto go on: RESUME_JOB_ID=7 sbatch --time=3 /b/launch.sh\n"),
        "{alone}"
    );
    let early = said("of_turn=' of this turn'");
    assert!(
        early.ends_with("\nto go on: RESUME_JOB_ID=7 sbatch /b/launch.sh\n"),
        "{early}"
    );
    let left_out = said("of_turn=' of this turn' seconds_needed=600");
    assert_eq!(
        left_out,
        "nothing failed: the points of this turn that were left out need about 600 s, and the server its start\n\
         to go on: RESUME_JOB_ID=7 sbatch /b/launch.sh\n"
    );
    let later = said("measured_before=1");
    assert_eq!(
        later,
        "the job goes on by itself: restart 1 of at most 2\n\n"
    );
}

/// The job counts what its turns measured since its start, and says that it goes on.
#[test]
fn a_signal_between_two_turns() {
    let variables = "stage_path=$FOLDER turns=3 variants=1 requeue_limit=2 SLURM_JOB_ID=7
        scontrol() { echo \"scontrol $*\"; }
        points() { for turn in \"$@\"; do mkdir -p \"$FOLDER/results/m_4_1_chat_$turn\"; done; }
        if [[ ${1-} == turn ]]; then
          echo \"measured before turn $2: $3\"
          points \"7-$2\"
          mkdir -p \"$FOLDER/results/failed_7-$2\"
          [[ $2 != 1 ]] || { kill -USR1 $PPID; sleep 0.5; }
          exit 0
        fi
        points 7-0_of_an_earlier_start 8-0";
    let part = ("# The server's variants take turns", "\nsay \"$made_by");
    let said = said_by(&script_of_turns(), part, variables, "");
    let turn = |number: u32| {
        format!(
            "turn {number} of 3, with -{} behind the job's number: variant 1 of 1\n",
            number - 1
        )
    };
    let (first, second) = (turn(1), turn(2));
    assert_eq!(
        said,
        format!(
            "{first}measured before turn 0: 0\n{second}measured before turn 1: 1\nthe job goes on by itself: restart 1 of at most 2\n\
             scontrol requeue 7\nexit 6: 2 of 3 turns ran\n"
        )
    );
}

/// Servers that share the points measure what was left out side by side.
#[test]
fn the_time_that_is_left_is_for_all_servers() {
    let text = plan(8000).launch().text().to_owned();
    let needed = |replicas: u32, parts: u32, seconds: &str| {
        let variables = format!(
            "replicas={replicas} parts={parts} point_timeout=900 points=({seconds}) folders=({seconds})
            look_up() {{ REPLIES=('left out' \"$1\"); }}"
        );
        let said = said_by(
            &text,
            ("finished=0 failed=0", "\n[[ $code != 6"),
            &variables,
            "echo $seconds_needed",
        );
        said.lines().last().unwrap().to_owned()
    };
    assert_eq!(needed(1, 0, "100 200 60"), "360");
    assert_eq!(needed(2, 0, "100 200 60 40"), "200");
    assert_eq!(
        needed(4, 0, "100 200 60"),
        "200",
        "one of them takes as long"
    );
    assert_eq!(needed(2, 2, "100 200 60"), "360", "each point is for both");
    assert_eq!(needed(2, 0, ""), "0");
}

/// A job that Slurm requeues on a node with other GPUs measures its points again.
#[test]
#[ignore = "needs root: run tests/run"]
fn a_requeued_job_counts_its_own_points() {
    let node = Node::new();
    let recipe = node.recipe();
    node.set_up(&recipe);
    node.launch(recipe.clone(), 1, "")
        .assert("the first", 2, &[]);
    node.launch(recipe.clone(), 1, "")
        .assert("unchanged", 0, &[]);
    // One lies where its client put it, since the run was killed.
    let put_down = || {
        let finished = node.at("stage/results/.run_1/client/finished");
        fs::create_dir_all(&finished).unwrap();
        let point = node.point(2, 1);
        fs::remove_file(point.join("measurement.txt")).unwrap();
        fs::rename(&point, finished.join(point.file_name().unwrap())).unwrap();
    };
    put_down();
    node.launch(recipe.clone(), 1, "").assert("killed", 0, &[]);
    put_down();
    fs::write(node.at("given/gpu"), GPU.replace("H100", "H200")).unwrap();
    let words = ["gpu_model=NVIDIA H100 80GB HBM3 here: gpu_model=NVIDIA H200 80GB HBM3"];
    node.launch(recipe, 1, "").assert("other GPUs", 2, &words);
    assert!(
        node.at("stage/results/llama-3.3-70b-instruct_4_1_chat_128_128_1.other-1")
            .is_dir()
    );
    let report = nim_slurm::results::Run::read(
        camino::Utf8Path::from_path(&node.at("stage/results")).unwrap(),
    );
    assert_eq!(report.unwrap().points().len(), 2);
}

/// A driver that does not answer says nothing of the GPUs, so they are not others.
#[test]
#[ignore = "needs root: run tests/run"]
fn gpus_of_which_nothing_is_known_are_not_others() {
    let node = Node::new();
    let recipe = node.recipe();
    node.set_up(&recipe);
    let gpu = |text: &str| fs::write(node.at("given/gpu"), text).unwrap();
    let resume = |job: u32, resumes: &str, measured: usize| {
        let launch = node.launch(recipe.clone(), job, resumes);
        launch.assert("resumed", measured, &["2 of 2 points are in"]);
    };
    resume(1, "", 2);
    gpu("");
    resume(1, "", 0);
    resume(2, "1", 0);
    resume(3, "", 2);
    gpu(GPU);
    resume(4, "3", 0);
    // Nothing else may differ.
    gpu("");
    let mut changed = recipe.clone();
    changed.client.random_seed = 5;
    let run = node.launch(changed, 5, "1");
    run.assert("another seed", 2, &["there: seed="]);
}

/// An image under the name of another one, and a model of another owner.
#[test]
#[ignore = "needs root: run tests/run"]
fn what_ran_has_its_own_name() {
    let node = Node::new();
    let recipe = node.recipe();
    node.set_up(&recipe);
    let image = node.at("stage/vllm+vllm-openai+v0.9.2.sqsh");
    let record = node.at("stage/vllm+vllm-openai+v0.9.2.sqsh.reference");
    let length = fs::metadata(&image).unwrap().len();
    let written = format!("vllm/vllm-openai:v0.9.2 {length} amd64\n");
    assert_eq!(fs::read_to_string(&record).unwrap(), written);

    // Another image, and the name of the old file.
    let mut newer = recipe.clone();
    newer.server.image = "vllm/vllm-openai:v0.10.0".parse().unwrap();
    newer.server.file = Some("vllm+vllm-openai+v0.9.2.sqsh".parse().unwrap());
    newer.model.weights.source = nim_slurm::recipe::ModelSource::HuggingFace(
        "someone/Llama-3.3-70B-Instruct@6f6073b423013f6a7d4d9f39144961bfbfbc386b"
            .parse()
            .unwrap(),
    );
    let run = node.launch(newer.clone(), 2, "");
    assert_eq!((run.code, run.measured), (Some(2), 0), "{}", run.said);
    for words in [
        "missing: vllm/vllm-openai:v0.10.0 in /mnt/stage/vllm+vllm-openai+v0.9.2.sqsh: \
         vllm/vllm-openai:v0.9.2 was fetched there. Run setup.sh, which keeps that one aside",
        "missing: someone/Llama-3.3-70B-Instruct@6f6073b423013f6a7d4d9f39144961bfbfbc386b in \
         /mnt/stage/Llama-3.3-70B-Instruct_6f6073b42301: \
         meta-llama/Llama-3.3-70B-Instruct@6f6073b423013f6a7d4d9f39144961bfbfbc386b was fetched there. Run prepare_models.sh",
    ] {
        assert!(run.said.contains(words), "{words}: {}", run.said);
    }
    node.set_up(&newer);
    assert!(
        node.at("stage/vllm+vllm-openai+v0.9.2.sqsh.other-1")
            .is_file()
    );
    assert!(node.at(&format!("{MODEL}.incomplete-1")).is_dir());
    node.launch(newer.clone(), 3, "")
        .assert("set up again", 2, &[]);
    let images = |job| {
        let text = fs::read_to_string(node.at(&format!("stage/results/run_{job}.json"))).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        manifest["images"]["server"]["reference"].clone()
    };
    assert_eq!(images(3), "vllm/vllm-openai:v0.10.0");

    // One that was brought by hand is taken, and nobody claims to know what it is.
    let mut bytes = fs::read(&image).unwrap();
    bytes.extend([0; 4096]);
    fs::write(&image, bytes).unwrap();
    node.launch(newer, 4, "3").assert(
        "by hand",
        2,
        &["there: server_image=vllm/vllm-openai:v0.10.0 "],
    );
    assert_eq!(images(4), serde_json::Value::Null);
}
