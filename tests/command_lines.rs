//! The words of every command that the scripts can start, as the lab's stand-ins take them.
//! The scripts run as they are, with programs in front of `PATH` that note their words
//! (`tests/command_lines/record`, `srun`) and give them to the stand-ins, which check their
//! arguments as the originals do. No Slurm is needed, but a C compiler is: what srun and
//! pyxis take is `tests/lab/srun-options.c`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{Architecture, ModelSource};
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use tempfile::TempDir;

use self::plans::{Case, launches, settings, setups};
use self::same::assert_same;

#[path = "common/plans.rs"]
mod plans;
#[path = "common/same.rs"]
mod same;

/// What the scripts find on a node, besides what is noted.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "awk", "base64", "basename", "bash", "cat", "chmod", "cp", "cut", "date", "dd", "du", "env", "find", "flock",
    "grep", "head", "install", "ls", "mkdir", "mktemp", "mv", "numfmt", "od", "readlink",
    "realpath", "rm", "rmdir", "sed", "seq", "sha256sum", "sleep", "sort", "stat", "tail", "tar", "tee",
    "timeout", "touch", "tr", "uname", "wc", "xargs", "ln",
];
const NOTED: &[&str] = &[
    "apptainer",
    "enroot",
    "hf",
    "ngc",
    "nvidia-smi",
    "podman",
    "scancel",
    "scontrol",
    "squeue",
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path)
}

/// The check of srun's words, compiled once.
fn srun_options() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("srun-options");
        let compiler = Command::new("cc")
            .args(["-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&program)
            .arg(here("lab/srun-options.c"))
            .status();
        assert!(compiler.unwrap().success());
        program
    })
}

/// A node whose programs note what they are asked, and a stage path.
struct Node {
    folder: TempDir,
}

/// What a script did.
struct Run {
    code: Option<i32>,
    said: String,
    /// Each call's words, the program's name first.
    calls: Vec<Vec<String>>,
    /// What a stand-in refused, with its words.
    refused: String,
}

impl Node {
    fn new() -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["bin", "home", "stage/results"] {
            fs::create_dir_all(node.path(folder)).unwrap();
        }
        for program in PLAIN {
            let found = which::which(program).unwrap();
            symlink(found, node.path("bin").join(program)).unwrap();
        }
        for program in NOTED {
            let noted = node.path("bin").join(program);
            symlink(here("command_lines/record"), noted).unwrap();
        }
        symlink(here("command_lines/srun"), node.path("bin/srun")).unwrap();
        node.program("df", "echo Avail; echo 999999999999999");
        node.program("getent", "echo 127.0.0.1 STREAM node1");
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, lines: &str) {
        use std::os::unix::fs::PermissionsExt;

        let path = self.path("bin").join(name);
        // A write would follow a link.
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/bash\n{lines}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write(&self, name: impl AsRef<Path>, text: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// An image of this runtime, as far as the scripts look into it.
    fn whole_image(&self, runtime: Runtime) -> Vec<u8> {
        let mut bytes = vec![0; 200];
        match runtime {
            Runtime::Pyxis => bytes[..4].copy_from_slice(b"hsqs"),
            Runtime::Apptainer => {
                bytes[32..41].copy_from_slice(b"SIF_MAGIC");
                bytes[112] = 100;
            }
            _ => {
                self.write("manifest.json", b"[]");
                let tar = Command::new("tar")
                    .arg("--create")
                    .arg("--directory")
                    .arg(self.folder.path())
                    .arg("manifest.json")
                    .output();
                bytes = tar.unwrap().stdout;
            }
        }
        bytes
    }

    /// What is written down beside the images.
    fn records(&self) -> String {
        let files = fs::read_dir(self.path("stage")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        let records = paths.filter(|path| path.extension().is_some_and(|end| end == "reference"));
        records
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }

    /// Images and a model that launch.sh takes for whole.
    fn stage(&self, plan: &Plan) {
        let launch = plan.launch().text().to_owned();
        let set = |name: &str| {
            let (_, rest) = launch.split_once(&format!("\nreadonly {name}=")).unwrap();
            rest.lines().next().unwrap().trim_matches('\'').to_owned()
        };
        let whole = self.whole_image(plan.settings().runtime());
        for image in [set("server_image"), set("client_image")] {
            self.write(Path::new("stage").join(&image), &whole);
        }
        let model = &plan.recipe().model;
        let folder = Path::new("stage").join(model.weights.folder());
        let files = model.weights.files.iter().map(AsRef::as_ref);
        for file in files.chain([
            "config.json",
            "model.safetensors.index.json",
            "tokenizer.json",
        ]) {
            let file: &str = file;
            self.write(folder.join(file), b"x");
        }
        for rank in 0..plan.recipe().server.total_gpus() {
            let part = format!("trtllm_engine/rank{rank}.engine");
            self.write(folder.join(part), b"x");
        }
    }

    fn run(&self, script: &str, clients: u32, variables: &[(&str, &str)]) -> Run {
        for left in fs::read_dir(self.folder.path()).unwrap() {
            let left = left.unwrap();
            if left.file_name().to_string_lossy().starts_with("client.") {
                fs::remove_file(left.path()).unwrap();
            }
        }
        let _ = fs::remove_dir_all(self.path("calls"));
        fs::create_dir(self.path("calls")).unwrap();
        fs::write(self.path("refused"), "").unwrap();
        fs::write(self.path("script.sh"), script).unwrap();
        let output = Command::new("bash")
            .args(["-c", "exec bash \"$0\" 2>&1"])
            .arg(self.path("script.sh"))
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.folder.path())
            .env("STAGE_PATH", self.path("stage"))
            .env("SLURM_JOB_ID", "1")
            .env("SLURMD_NODENAME", "node1")
            .env("SLURM_JOB_NODELIST", "node[1-2]")
            .env("SLURM_JOB_NUM_NODES", "1")
            .env("NGC_API_KEY", "a-key")
            .env("HF_TOKEN", "a-token")
            .env("CALLS", self.path("calls"))
            .env("REFUSED", self.path("refused"))
            .env("LAB", here("lab"))
            .env("OPTIONS_OF_SRUN", srun_options())
            .env("CLIENTS", clients.to_string())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let calls = fs::read_dir(self.path("calls")).unwrap().map(|file| {
            let words = fs::read(file.unwrap().path()).unwrap();
            let words = String::from_utf8(words).unwrap();
            words.split_terminator('\0').map(str::to_owned).collect()
        });
        Run {
            code: output.status.code(),
            said: String::from_utf8(output.stdout).unwrap(),
            calls: calls.collect(),
            refused: fs::read_to_string(self.path("refused")).unwrap(),
        }
    }
}

impl Run {
    /// The calls that begin with these words, which may be the beginning of a word.
    fn count(&self, words: &[&str]) -> usize {
        let begins = |call: &&Vec<String>| {
            call.len() >= words.len()
                && words
                    .iter()
                    .zip(*call)
                    .all(|(word, said)| said.starts_with(word))
        };
        self.calls.iter().filter(begins).count()
    }

    /// The steps of srun with this name, or with this beginning of one.
    fn steps(&self, name: &str) -> usize {
        let name = format!("--job-name={name}");
        let is_step = |call: &&Vec<String>| {
            call[0] == "srun" && call.iter().any(|word| word.starts_with(&name))
        };
        self.calls.iter().filter(is_step).count()
    }

    #[track_caller]
    fn assert_taken(&self, what: &str) {
        assert_eq!(self.refused, "", "{what}: {}", self.said);
    }
}

fn plan(recipe: Recipe, settings: Settings) -> Plan {
    Plan::new(recipe, settings).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a launch to the end of its steps. `place` is that of its ports among those of this
/// process, which launches lock for the whole machine.
fn launch(node: &Node, script: &str, plan: &Plan, place: u32, more: &[(&str, &str)]) -> Run {
    let port = 20_000 + std::process::id() % 190 * 32 + place;
    let server = &plan.recipe().server;
    let replicas = server.replicas;
    let nodes = server.nodes.to_string();
    let script = script.replace(
        &format!("\nreadonly port={}\n", server.port),
        &format!("\nreadonly port={port}\n"),
    );
    // One turn tells as much as all of them.
    let script = script.replace("\nreadonly turns=4\n", "\nreadonly turns=1\n");
    let mut variables = vec![("SLURM_JOB_NUM_NODES", nodes.as_str())];
    variables.extend(more);
    if plan.recipe().sweep.array.is_some() {
        variables.push(("TASK", "0"));
    }
    node.run(&script, replicas, &variables)
}

#[test]
fn launch_s_commands_are_taken() {
    let cases = launches();
    assert!(cases.len() > 50);
    let next = AtomicUsize::new(0);
    let (cases, next) = (&cases, &next);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                let node = Node::new();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    launch_is_taken(&node, case, 4 * worker);
                }
            });
        }
    });
    let sampled = SAMPLED.load(Ordering::Relaxed);
    assert!(
        sampled > cases.len(),
        "GPUs were sampled by {sampled} commands"
    );
}

/// The commands that sample GPUs, of all cases.
static SAMPLED: AtomicUsize = AtomicUsize::new(0);

fn launch_is_taken(node: &Node, case: &Case, place: u32) {
    let Case { what, plan } = case;
    node.stage(plan);
    let server = &plan.recipe().server;
    let replicas = server.replicas as usize;
    let text = plan.launch().text().to_owned();
    // Slurm says how many GPUs it gave, or does not manage them: then the node is asked.
    let is_told = !what.ends_with("all");
    let told = [("SLURM_GPUS_ON_NODE", "16")];
    let run = launch(node, &text, plan, place, if is_told { &told } else { &[] });
    run.assert_taken(what);
    for name in ["server", "client"] {
        assert_eq!(run.steps(name), replicas, "{what}, {name}: {}", run.said);
    }
    let containers = match plan.settings().runtime() {
        Runtime::Apptainer => 2 * replicas,
        _ => 0,
    };
    assert_eq!(
        run.count(&["apptainer", "exec"]),
        containers,
        "{what}: {}",
        run.said
    );
    // Of the model, and each sampler asks whether a field has its new name, and then for all; of several nodes, a step
    // does. It is ended as soon as the steps have ended, which they do at once here.
    let most = if server.nodes == 1 { 2 * replicas } else { 0 };
    let asked = run.count(&["nvidia-smi", "--query-gpu"]);
    assert!((1..=1 + most).contains(&asked), "{what}: {asked}");
    assert!(
        run.steps("samples") <= usize::from(server.nodes > 1),
        "{what}"
    );
    SAMPLED.fetch_add(asked - 1 + run.steps("samples"), Ordering::Relaxed);
    let asks = usize::from(!is_told);
    assert_eq!(run.count(&["nvidia-smi", "--list-gpus"]), asks, "{what}");
}

/// The digest that `command_lines/record` tells of each image.
const TOLD: &str = "@sha256:0000000000000000000000000000000000000000000000000000000000000007";

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Runs a setup on an empty stage path.
fn setup(node: &Node, plan: &Plan, text: &str, variables: &[(&str, &str)]) -> Run {
    let _ = fs::remove_dir_all(node.path("stage"));
    node.write("whole", &node.whole_image(plan.settings().runtime()));
    node.run(text, 0, variables)
}

#[test]
fn setup_s_commands_are_taken() {
    let node = Node::new();
    for case in setups() {
        let Case { what, plan } = &case;
        let image = &plan.recipe().server.image;
        let runtime = plan.settings().runtime();
        let (command, releases): (&[&str], &[&str]) = match runtime {
            // enroot 3 knows no digests, and preflight says so.
            Runtime::Pyxis if image.digest().is_some() => {
                (&["enroot", "import"], &["4.0.0", "4.1.2"])
            }
            Runtime::Pyxis => (&["enroot", "import"], &["3.0.0", "4.1.2"]),
            Runtime::Apptainer => (&["apptainer", "pull"], &[""]),
            _ => (&["podman", "pull"], &[""]),
        };
        let text = plan.setup();
        for release in releases {
            let run = setup(&node, plan, text.text(), &[("LAB_ENROOT_VERSION", release)]);
            run.assert_taken(what);
            assert_eq!(run.code, Some(0), "{what}: {}", run.said);
            assert_eq!(run.steps("import-"), 2, "{what}: {}", run.said);
            assert_eq!(run.count(command), 2, "{what}: {}", run.said);
            // What the runtime tells is written down, and fetched by that name.
            let tells = runtime != Runtime::Apptainer && *release != "3.0.0";
            let whole = node.whole_image(runtime).len();
            let is_arm = cfg!(target_arch = "aarch64");
            let of_recipe = plan.recipe().server.architecture.map(Architecture::as_str);
            let processor = of_recipe.unwrap_or(if is_arm { "arm64" } else { "amd64" });
            let (mut written, mut by_digest) = (String::new(), 0);
            for of in [image, &plan.recipe().client.image] {
                let is_told = tells && of.digest().is_none();
                by_digest += usize::from(is_told && runtime == Runtime::Pyxis);
                let told = if is_told { TOLD } else { "" };
                written += &format!("{of}{told} {whole} {processor}\n");
            }
            assert_eq!(
                sorted(&node.records()),
                sorted(&written),
                "{what}: {}",
                run.said
            );
            let imports = run.calls.iter().filter(|words| words[1] == "import");
            let imports = imports.filter(|words| words[words.len() - 1].ends_with(TOLD));
            assert_eq!(imports.count(), by_digest, "{what}");
        }
        // Without a registry, enroot 3 takes the image for a user and the digest for an image.
        if runtime == Runtime::Pyxis && image.digest().is_some() && image.registry().is_some() {
            let run = setup(&node, plan, text.text(), &[("LAB_ENROOT_VERSION", "3.5.0")]);
            assert!(run.refused.contains("Invalid image reference: "), "{what}");
        }
    }
}

/// podman makes a /dev of its own: without these devices, NCCL between nodes would use sockets, and say nothing.
#[test]
#[ignore = "needs root: run tests/run"]
fn podman_gives_a_server_on_several_nodes_its_network() {
    let recipe = Recipe::built_in("deepseek-r1-h100x16-nim").unwrap();
    let settings = Settings::from_toml("srun.mpi = 'none'").unwrap();
    let plan = Plan::new(recipe, settings.with_runtime(Runtime::Podman)).unwrap();
    let text = plan.launch();
    let (_, body) = text.text().split_once("\nset_container() {\n").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let of = |nodes: u32, role: &str| {
        let program = format!(
            "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir infiniband && touch infiniband/uverbs0 && \
             mount --bind /mnt /dev && nodes={nodes} stage_path=/s SLURM_JOB_ID=1 && set_container() {{\n{body}\n}} && \
             set_container {role} i.tar '' && printf '%s\\n' \"${{REPLIES[@]}}\""
        );
        let mut command = Command::new("unshare");
        let command = command.args(["--mount", "bash", "-euc", &program]);
        let output = command
            .env("NVIDIA_VISIBLE_DEVICES", "all")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let words = String::from_utf8(output.stdout).unwrap();
        assert!(
            words.ends_with("--env=NVIDIA_VISIBLE_DEVICES=void\ndocker-archive:/s/i.tar\n"),
            "{words}"
        );
        words.contains("\n--device=/dev/infiniband\n")
    };
    assert!(of(2, "server"));
    assert!(!of(1, "server"));
    assert!(!of(2, "client"));
}

/// The logins that enroot takes, and no others.
#[test]
fn enroot_s_logins() {
    let plan = plan(
        Recipe::llama3_70b_h100x4_fp8(),
        settings(Runtime::Pyxis, ""),
    );
    let text = plan.setup().text().to_owned();
    let node = Node::new();
    let line = "machine nvcr.io login $oauthtoken password $KEY\n";
    for (logins, is_taken) in [
        (line.to_owned(), true),
        (format!("machine other login x password y\n{line}"), true),
        (format!(" {line}"), false),
        (
            line.replace(
                "login $oauthtoken password $KEY",
                "password $KEY login $oauthtoken",
            ),
            false,
        ),
        (line.replace("nvcr.io", "nvcrxio"), false),
        ("machine nvcr.io login $oauthtoken\n".to_owned(), false),
    ] {
        node.write("home/.config/enroot/.credentials", logins.as_bytes());
        let without_key = setup(&node, &plan, &text, &[("NGC_API_KEY", "")]);
        let expected = if is_taken { 2 } else { 0 };
        assert_eq!(
            without_key.count(&["enroot", "import"]),
            expected,
            "{logins}"
        );
        assert_eq!(
            without_key.code == Some(2),
            !is_taken,
            "{}",
            without_key.said
        );
        // The key's lines are in front of the user's, and the user's are all there.
        setup(&node, &plan, &text, &[]);
        let used = fs::read_to_string(node.path("logins"));
        if !is_taken {
            let used = used.unwrap();
            assert!(
                used.starts_with("machine nvcr.io login $oauthtoken password $NGC_API_KEY\n"),
                "{used}"
            );
            assert!(used.ends_with(&logins), "{used}");
            fs::remove_file(node.path("logins")).unwrap();
        }
    }
}

/// Where the site's files have another folder for enroot's logins, that one counts, as in enroot.
#[test]
fn enroot_s_folder_of_the_site() {
    let plan = plan(
        Recipe::llama3_70b_h100x4_fp8(),
        settings(Runtime::Pyxis, ""),
    );
    let node = Node::new();
    let site = format!("{}/", node.path("etc").display());
    let text = plan.setup().text().replace("/etc/enroot/", &site);
    assert!(text.contains(&site));
    let login = b"machine nvcr.io login $oauthtoken password $KEY\n";
    node.write("home/enroot/.credentials", login);
    node.write(
        "home/.config/enroot/.credentials",
        b"machine old.site login x password y\n",
    );
    let of_home = "ENROOT_CONFIG_PATH ${HOME}/enroot";
    for (first, second, place, is_taken) in [
        (
            "#ENROOT_CONFIG_PATH /nowhere",
            "",
            "home/.config/enroot",
            false,
        ),
        (of_home, "", "home/enroot", true),
        (
            "  ENROOT_CONFIG_PATH = \"$HOME\"/e$(echo nroot) # mine",
            "",
            "home/enroot",
            true,
        ),
        (
            "ENROOT_CONFIG_PATH ~/enroot",
            "ENROOT_CONFIG_PATH=/nowhere",
            "home/enroot",
            true,
        ),
        ("ENROOT_CONFIG_PATH", of_home, "home/enroot", true),
        ("ENROOT_CONFIG_PATH=", of_home, "home/enroot", true),
        // What is not set is an error in enroot, and its default counts.
        (
            "ENROOT_CONFIG_PATH ${XDG_NONE}/enroot",
            "",
            "home/.config/enroot",
            false,
        ),
        (
            "ENROOT_CONFIG_PATHS ${HOME}/enroot",
            "",
            "home/.config/enroot",
            false,
        ),
    ] {
        node.write("etc/enroot.conf", format!("{first}\n").as_bytes());
        node.write(
            "etc/enroot.conf.d/site.conf",
            format!("{second}\n").as_bytes(),
        );
        let run = setup(&node, &plan, &text, &[("NGC_API_KEY", "")]);
        assert_eq!(run.code == Some(0), is_taken, "{first}: {}", run.said);
        let credentials = node.path(place).join(".credentials");
        let advice = format!("or add a line for nvcr.io to {}", credentials.display());
        assert_eq!(
            !run.said.contains(&advice),
            is_taken,
            "{first}: {}",
            run.said
        );
    }
    // What the environment says wins; and the key goes in front of the logins that are there.
    node.write("etc/enroot.conf", format!("{of_home}\n").as_bytes());
    let elsewhere = ("ENROOT_CONFIG_PATH", "/nowhere");
    let run = setup(&node, &plan, &text, &[("NGC_API_KEY", ""), elsewhere]);
    assert_eq!(run.code, Some(2), "{}", run.said);
    // A login for authn.nvidia.com alone is another's: the key's is in front of that, too.
    let others = "machine authn.nvidia.com login $oauthtoken password old\nmachine mirror.site login x password y\n";
    node.write("home/enroot/.credentials", others.as_bytes());
    let run = setup(&node, &plan, &text, &[]);
    assert_eq!(run.code, Some(0), "{}", run.said);
    let (with_key, rest) = ("login $oauthtoken password $NGC_API_KEY\n", others);
    let used = fs::read_to_string(node.path("logins")).unwrap();
    let nvcr = format!("machine nvcr.io {with_key}");
    let authn = format!("machine authn.nvidia.com {with_key}{rest}");
    assert!(used.starts_with(&nvcr) && used.ends_with(&authn), "{used}");
}

/// What apptainer ignored before 1.2 is not asked of it.
#[test]
fn apptainer_for_another_processor() {
    let node = Node::new();
    node.program("uname", "echo x86_64");
    for (version, architecture, code) in [
        ("1.1.9", Architecture::Arm64, 2),
        ("1.0.3-1.el8", Architecture::Arm64, 2),
        ("1.1.9", Architecture::Amd64, 0),
        ("1.2.0", Architecture::Arm64, 0),
        ("1.10.0", Architecture::Arm64, 0),
    ] {
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        recipe.server.architecture = Some(architecture);
        let plan = plan(recipe, settings(Runtime::Apptainer, "srun.mpi = 'none'"));
        let version_is = [("LAB_APPTAINER_VERSION", version)];
        let run = setup(&node, &plan, plan.setup().text(), &version_is);
        assert_eq!(run.code, Some(code), "{version}: {}", run.said);
        let is_missing = run.said.contains("missing: apptainer 1.2 or later on ");
        assert_eq!(is_missing, code == 2, "{version}: {}", run.said);
    }
}

/// What apptainer takes from a login shell would lead its pulls elsewhere.
#[test]
fn apptainer_pulls_what_the_script_says() {
    let plan = plan(
        Recipe::llama3_70b_h100x4_fp8(),
        settings(Runtime::Apptainer, "srun.mpi = 'none'"),
    );
    let node = Node::new();
    for option in [
        "PULLDIR",
        "PULLFOLDER",
        "PULL_NAME",
        "PULL_ARCH",
        "PULL_ARCH_VARIANT",
        "SANDBOX",
        "DOCKER_LOGIN",
    ] {
        for prefix in ["APPTAINER", "SINGULARITY"] {
            let name = format!("{prefix}_{option}");
            let run = setup(&node, &plan, plan.setup().text(), &[(&name, "1")]);
            run.assert_taken(&name);
            assert_eq!(run.code, Some(0), "{name}: {}", run.said);
        }
    }
}

/// A login in apptainer's variables goes to any registry: NVIDIA's is for nvcr.io alone, and no other is for it.
#[test]
fn apptainer_s_logins() {
    const NGC: &str = "_USERNAME=$oauthtoken _PASSWORD=a-key";
    const OTHER: &str = "_USERNAME=me _PASSWORD=x";
    const OWN_FILE: &str = ".apptainer/docker-config.json";
    const DOCKER_S_FILE: &str = ".docker/config.json";
    // Names and values, a file with a login for nvcr.io, the release, whether there is a key; whether all that is enough,
    // and whose variables Docker Hub gets.
    #[rustfmt::skip]
    let rows = [
        (vec![("APPTAINER_DOCKER", NGC)], "", "1.4.5", false, true, ""),
        (vec![("SINGULARITY_DOCKER", NGC)], "", "1.4.5", false, true, ""),
        (vec![("DOCKER", NGC)], "", "1.4.5", false, true, ""),
        (vec![("DOCKER", NGC)], "", "1.1.9", false, true, ""),
        (vec![("DOCKER", OTHER)], "", "1.4.5", false, false, "DOCKER"),
        (vec![("DOCKER", OTHER)], "", "1.4.5", true, true, "DOCKER"),
        (vec![("DOCKER", OTHER), ("SINGULARITY_DOCKER", NGC)], "", "1.4.5", false, true, "DOCKER"),
        (vec![("DOCKER", OTHER)], OWN_FILE, "1.4.5", false, true, "DOCKER"),
        (vec![("APPTAINER_DOCKER", OTHER)], OWN_FILE, "1.0.3", false, true, "APPTAINER_DOCKER"),
        // Without a password, a name is no login.
        (vec![("DOCKER", "_USERNAME=me")], OWN_FILE, "1.4.5", false, true, ""),
        (vec![("APPTAINER_DOCKER", "_USERNAME=$oauthtoken"), ("DOCKER", "_PASSWORD=a-key")], "", "1.4.5", true, true, ""),
        (vec![("APPTAINER_DOCKER", "_USERNAME=$oauthtoken")], "", "1.4.5", false, false, ""),
        // Not all releases read docker's file, and none with a folder of its own: the key is surer.
        (vec![], DOCKER_S_FILE, "1.4.5", false, true, ""),
        (vec![], DOCKER_S_FILE, "1.3.2", true, true, ""),
        (vec![("APPTAINER", "_CONFIGDIR=/nowhere")], DOCKER_S_FILE, "1.4.5", true, true, ""),
        (vec![("APPTAINER", "_CONFIGDIR=/nowhere")], DOCKER_S_FILE, "1.4.5", false, false, ""),
    ];
    // The client's image is on nvcr.io, the server's on Docker Hub.
    let plan = plan(
        Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap(),
        settings(Runtime::Apptainer, "srun.mpi = 'none'"),
    );
    for (variables, file, release, has_key, is_enough, of_hub) in rows {
        let node = Node::new();
        if !file.is_empty() {
            // "$oauthtoken:a-key"
            let login = br#"{"auths": {"nvcr.io": {"auth": "JG9hdXRodG9rZW46YS1rZXk="}}}"#;
            node.write(Path::new("home").join(file), login);
        }
        let words = variables.iter().flat_map(|(name, words)| {
            let words = words.split(' ').map(|word| word.split_once('=').unwrap());
            words.map(move |(end, value)| (format!("{name}{end}"), value))
        });
        let words: Vec<_> = words.collect();
        let key = if has_key { "a-key" } else { "" };
        let mut set = vec![
            ("LAB_NGC_ACCEPTS", "a-key"),
            ("NGC_API_KEY", key),
            ("LAB_APPTAINER_VERSION", release),
        ];
        set.extend(words.iter().map(|(name, value)| (&**name, *value)));
        let run = setup(&node, &plan, plan.setup().text(), &set);
        run.assert_taken(&format!("{set:?}"));
        let code = if is_enough { 0 } else { 2 };
        assert_eq!(run.code, Some(code), "{set:?}: {}", run.said);
        if is_enough {
            let got = fs::read_to_string(node.path("login.vllm-openai:v0.9.2")).unwrap();
            let expected = OTHER.replace('_', &format!("{of_hub}_")).replace(' ', "\n") + "\n";
            let expected = if of_hub.is_empty() { "" } else { &expected };
            assert_eq!(sorted(&got), sorted(expected), "{set:?}");
        } else {
            // Without a user's name, apptainer refuses.
            let advice =
                "apptainer registry login --username '$oauthtoken' docker://nvcr.io (before";
            let missing =
                format!("missing: a login for nvcr.io: export NGC_API_KEY=..., or run: {advice}");
            assert!(run.said.contains(&missing), "{set:?}: {}", run.said);
        }
    }
}

/// Where a variable names podman's file of logins, no other counts.
#[test]
fn podman_s_logins() {
    let plan = plan(
        Recipe::llama3_70b_h100x4_fp8(),
        settings(Runtime::Podman, "srun.mpi = 'none'"),
    );
    let node = Node::new();
    let files = [
        "docker/config.json",
        "auth.json",
        "home/.docker/config.json",
    ];
    for file in files {
        node.write(file, br#"{"auths": {"nvcr.io": {"auth": "eA=="}}}"#);
    }
    let [docker, auth] = ["docker", "auth.json"].map(|name| node.path(name).display().to_string());
    for (variables, code) in [
        (vec![], 0),
        (vec![("DOCKER_CONFIG", "/nowhere")], 2),
        (vec![("DOCKER_CONFIG", &*docker)], 0),
        (
            vec![
                ("DOCKER_CONFIG", "/nowhere"),
                ("REGISTRY_AUTH_FILE", &*auth),
            ],
            0,
        ),
        (
            vec![
                ("DOCKER_CONFIG", &*docker),
                ("REGISTRY_AUTH_FILE", "/nowhere"),
            ],
            2,
        ),
    ] {
        let set = [&[("NGC_API_KEY", "")], &variables[..]].concat();
        let run = setup(&node, &plan, plan.setup().text(), &set);
        assert_eq!(run.code, Some(code), "{set:?}: {}", run.said);
        let file = match variables.last() {
            Some((_, path)) if variables.len() == 2 => (*path).to_owned(),
            _ => "/nowhere/config.json".to_owned(),
        };
        let login = format!("podman login --authfile {file} --username '$oauthtoken' nvcr.io\n");
        assert!(
            code == 0 || run.said.contains(&login),
            "{set:?}: {}",
            run.said
        );
    }
    // Without such variables it is the home's, which jobs see, too.
    fs::remove_file(node.path("home/.docker/config.json")).unwrap();
    let run = setup(&node, &plan, plan.setup().text(), &[("NGC_API_KEY", "")]);
    let file = node.path("home/.config/containers/auth.json");
    let login = format!("podman login --authfile {} --username", file.display());
    assert!(run.said.contains(&login), "{}", run.said);
}

/// A model that is whole but for its engine, which is fetched last.
fn weights_are_there(node: &Node, plan: &Plan) {
    node.stage(plan);
    let folder = Path::new("stage").join(plan.recipe().model.weights.folder());
    fs::remove_dir_all(node.folder.path().join(&folder).join("trtllm_engine")).unwrap();
    let large = node.folder.path().join(folder).join("large");
    let bytes = plan.recipe().model.weights.size.bytes();
    fs::File::create(large).unwrap().set_len(bytes).unwrap();
}

#[test]
fn prepare_models_s_commands_are_taken() {
    for name in Recipe::BUILT_IN {
        let mut recipe = Recipe::built_in(name).unwrap();
        let is_on_hub = matches!(recipe.model.weights.source, ModelSource::HuggingFace(_));
        if is_on_hub {
            for pattern in ["*.pth", "consolidated*"] {
                recipe.model.weights.exclude.push(pattern.parse().unwrap());
            }
        }
        let plan = plan(recipe, settings(Runtime::Pyxis, ""));
        let text = plan.prepare_models().text().to_owned();
        let node = Node::new();
        if !is_on_hub {
            let run = node.run(&text, 0, &[]);
            run.assert_taken(name);
            assert_eq!(run.count(&["ngc", "registry"]), 1, "{name}: {}", run.said);
            if plan.recipe().model.engine.is_some() {
                weights_are_there(&node, &plan);
                let run = node.run(&text, 0, &[]);
                run.assert_taken(name);
                assert_eq!(run.count(&["ngc", "registry"]), 1, "{name}: {}", run.said);
                let call = run.calls.iter().find(|call| call[0] == "ngc").unwrap();
                assert!(call.iter().any(|word| word.contains("fp8")), "{call:?}");
            }
            continue;
        }
        for release in ["0.34.0", "0.36.0", "1.0.0", "1.33.0", "2.4.0"] {
            let run = node.run(&text, 0, &[("LAB_HF_VERSION", release)]);
            run.assert_taken(name);
            assert_eq!(run.count(&["hf", "download"]), 1, "{name}: {}", run.said);
            // All patterns are heeded.
            let excluded = fs::read_to_string(node.path("excluded")).unwrap();
            let patterns = plan
                .recipe()
                .model
                .weights
                .exclude
                .iter()
                .map(AsRef::<str>::as_ref);
            assert!(excluded.lines().eq(patterns), "hf {release}: {excluded}");
        }
    }
}

/// The key is where ngc itself finds it.
#[test]
fn ngc_s_configuration() {
    let plan = plan(
        Recipe::llama3_70b_h100x4_fp8(),
        settings(Runtime::Pyxis, ""),
    );
    let text = plan.prepare_models().text().to_owned();
    for (file, home, is_found) in [
        ("home/.ngc/config", "", true),
        ("elsewhere/.ngc/config", "elsewhere", true),
        ("elsewhere/config", "elsewhere", false),
        ("home/.ngc/config", "elsewhere", false),
    ] {
        let node = Node::new();
        node.write(file, b"[CURRENT]\napikey = a-key\n");
        let home = node.path(home);
        let mut variables = vec![("NGC_API_KEY", "")];
        if home != node.path("") {
            variables.push(("NGC_CLI_HOME", home.to_str().unwrap()));
        }
        let run = node.run(&text, 0, &variables);
        assert_eq!(
            run.count(&["ngc", "registry"]),
            usize::from(is_found),
            "{file}: {}",
            run.said
        );
        assert_eq!(
            run.said.contains("missing: an NGC key"),
            !is_found,
            "{}",
            run.said
        );
    }
}

/// nvidia-smi says on standard output that it has no driver.
#[test]
fn the_manifest_has_no_error_for_a_name() {
    let plan = plan(
        Recipe::llama3_70b_h100x4_fp8(),
        settings(Runtime::Pyxis, "srun.mpi = 'none'"),
    );
    let text = plan.launch().text().to_owned();
    let node = Node::new();
    node.stage(&plan);
    for (fault, model, driver) in [
        ("", "\"NVIDIA H100 80GB HBM3\"", "\"580.159.04\""),
        ("driver", "null", "null"),
    ] {
        let more = [("LAB_SMI_FAULT", fault), ("SLURM_GPUS_ON_NODE", "4")];
        let run = launch(&node, &text, &plan, 20, &more);
        let manifest = fs::read_to_string(node.path("stage/results/run_1.json"));
        let manifest = manifest.unwrap_or_else(|error| panic!("{error}: {}", run.said));
        let expected = format!("\"gpu_model\": {model},\n  \"driver\": {driver}");
        assert!(manifest.contains(&expected), "{fault}: {manifest}");
    }
}

/// What launch.sh writes for people and other programs: the library does not read it.
const ONLY_WRITTEN: [&str; 12] = [
    "images.client.bytes",
    "images.server.bytes",
    "points.concurrency",
    "points.input_sequence_length",
    "points.output_sequence_length",
    "points.prompts",
    "points.repeat",
    "points.requests",
    "points.seconds",
    "points.seed",
    "points.use_case",
    "schema",
];

/// The fields that `src/manifest.rs` reads, as `images.server.file`.
fn fields_read(of: &str, front: &str, found: &mut BTreeSet<String>) {
    let source = fs::read_to_string("src/manifest.rs").unwrap();
    let (_, rest) = source.split_once(&format!("struct {of} {{\n")).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    for line in body.lines().map(str::trim) {
        let field = line
            .strip_prefix("pub(crate) ")
            .or(line.strip_prefix("pub "));
        let Some((name, kind)) = field.and_then(|field| field.split_once(": ")) else {
            continue;
        };
        let name = format!("{front}{name}");
        let part = ["RunImages", "RunImage", "PointRow"];
        match part.iter().find(|part| kind.contains(*part)) {
            Some(part) => fields_read(part, &format!("{name}."), found),
            None => drop(found.insert(name)),
        }
    }
}

/// The fields of a manifest, those of a list's entries behind its name.
fn fields_written(value: &serde_json::Value, name: &str, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            let front = if name.is_empty() {
                String::new()
            } else {
                format!("{name}.")
            };
            for (field, value) in fields {
                fields_written(value, &format!("{front}{field}"), found);
            }
        }
        serde_json::Value::Array(entries) if entries.iter().any(serde_json::Value::is_object) => {
            for entry in entries {
                fields_written(entry, name, found);
            }
        }
        _ => drop(found.insert(name.to_owned())),
    }
}

/// A field that one side alone has is mistyped there, or forgotten on the other.
#[test]
fn the_manifest_has_the_fields_that_are_read() {
    // Of one server, launch.sh does not say how several went about it.
    let case = launches()
        .into_iter()
        .find(|case| case.what == "pyxis, alike");
    let plan = case.unwrap().plan;
    let node = Node::new();
    node.stage(&plan);
    let told = [("SLURM_GPUS_ON_NODE", "8")];
    let run = launch(&node, plan.launch().text(), &plan, 30, &told);
    let manifest = fs::read_to_string(node.path("stage/results/run_1.json"));
    let manifest = manifest.unwrap_or_else(|error| panic!("{error}: {}", run.said));
    let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
    fields_written(&serde_json::from_str(&manifest).unwrap(), "", &mut written);
    fields_read("Manifest", "", &mut read);
    read.extend(ONLY_WRITTEN.map(str::to_owned));
    // A search alone has it: tests/slurm/search.rs reads that. And who reads a manifest knows where it lies.
    assert!(read.remove("search") && read.remove("folder"));
    let place = "struct Manifest of src/manifest.rs, or ONLY_WRITTEN";
    assert_same(place, read, written);
}

/// A job that has shares of a GPU (shard, mps) has no GPU that a step could ask for, and a step has all shares without asking.
#[test]
fn a_share_of_a_gpu_is_not_asked_for() {
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    let plan = Plan::new(recipe, settings(Runtime::Pyxis, "srun.mpi = 'none'")).unwrap();
    let node = Node::new();
    node.stage(&plan);
    for (share, asked) in [
        (None, 1),
        (Some("SLURM_SHARDS_ON_NODE"), 0),
        (Some("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), 0),
    ] {
        let mut told = vec![("SLURM_GPUS_ON_NODE", "4")];
        told.extend(share.map(|name| (name, "4")));
        let run = launch(&node, plan.launch().text(), &plan, 31, &told);
        assert_eq!(run.steps("server"), 1, "{share:?}: {}", run.said);
        let asks = |call: &&Vec<String>| call[0] == "srun" && call.contains(&"--gres=gpu:4".into());
        assert_eq!(run.calls.iter().filter(asks).count(), asked, "{share:?}");
    }
}

/// Each release of pyxis takes what the plan says that it takes.
#[test]
fn releases_of_pyxis() {
    let recipe = Recipe::llama3_70b_h100x4_fp8;
    let plan_for = |more: &str| Plan::new(recipe(), settings(Runtime::Pyxis, more));
    let plan = plan_for("srun.mpi = 'none'").unwrap();
    let node = Node::new();
    node.stage(&plan);
    let run = launch(
        &node,
        plan.launch().text(),
        &plan,
        24,
        &[("SLURM_GPUS_ON_NODE", "4")],
    );
    let steps: Vec<_> = run.calls.iter().filter(|call| call[0] == "srun").collect();
    let with_container =
        |call: &&&Vec<String>| call.iter().any(|word| word.contains("container-image="));
    assert_eq!(
        steps.iter().filter(with_container).count(),
        2,
        "{}",
        run.said
    );
    let mut known = BTreeSet::new();
    for minor in 1..=24 {
        let release = format!("0.{minor}");
        let is_planned = plan_for(&format!("cluster.pyxis = '{release}'")).is_ok();
        let is_taken = steps.iter().all(|words| {
            let check = Command::new(srun_options())
                .args(&words[1..])
                .env("LAB_PYXIS_VERSION", &release)
                .output();
            check.unwrap().status.success()
        });
        assert_eq!(is_planned, is_taken, "pyxis {release}");
        known.insert((minor, is_taken));
    }
    assert!(known.contains(&(14, false)) && known.contains(&(15, true)));
}

/// Whose command it is that gets a wrong word.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Of {
    /// setup.sh under pyxis.
    Enroot,
    /// launch.sh under pyxis.
    Pyxis,
    /// setup.sh under apptainer.
    Pull,
    /// launch.sh under apptainer.
    Exec,
    Ngc,
    Hf,
}

/// What stands in a script, what is put there, and what is said of it.
#[rustfmt::skip]
const WRONG: &[(Of, &str, &str, &str)] = &[
    (Of::Enroot, "\n  x86_64\n", "\n  amd64\n", "[ERROR] Unsupported architecture: amd64"),
    (Of::Enroot, "enroot import", "enroot import --force", "Usage: enroot import"),
    (Of::Enroot, "enroot digest", "enroot digest --output x", "Usage: enroot digest"),
    (Of::Enroot, "docker://nvcr.io#nim", "docker://nvcr.io#NIM", "[ERROR] Invalid image reference: docker://nvcr.io#NIM"),
    (Of::Enroot, "--mem=0", "--memory=0", "srun: unrecognized option '--memory=0'"),
    (Of::Pull, "--disable-cache", "--no-cache", "Error for command \"pull\": unknown flag: --no-cache"),
    (Of::Pull, "\n  amd64\n", "\n  x86_64\n", "arch: x86_64 is not valid, supported archs are"),
    (Of::Pull, "docker://nvcr.io/nim", "docker://nvcr.io#nim", "invalid reference format"),
    (Of::Pyxis, "--no-container-mount-home", "--container-mount-home=no", "option '--container-mount-home' doesn't allow an argument"),
    (Of::Pyxis, "--container-env=\"", "--container-environment=\"", "unrecognized option '--container-environment="),
    (Of::Pyxis, "$model_path:ro\"", "$model_path:readonly\"", "enroot-mount knows no flag \"readonly\""),
    (Of::Pyxis, "$model_path:ro\"", "\"", "--container-mounts: invalid format: "),
    (Of::Pyxis, "-image=\"$stage_path/$2\"", "-image=\"$2\"", "--container-image: an image of a registry, not a path"),
    (Of::Pyxis, "--cpu-bind=none", "--cpu-bind=all", "Invalid --cpu-bind argument: all"),
    (Of::Pyxis, "--kill-on-bad-exit=1", "--kill-on-bad-exit=yes", "Invalid --kill-on-bad-exit argument: yes"),
    (Of::Pyxis, "name,driver_version", "name,driver", "Field \"driver\" is not a valid field to query."),
    (Of::Exec, "--no-mount=cwd", "--no-mount=foo", "Ignoring unknown mount type 'foo'"),
    (Of::Exec, "flags=:ro ", "flags=:readonly ", "readonly is not a valid bind option"),
    (Of::Exec, "--writable-tmpfs", "--writable-tmpfs=no", "strconv.ParseBool: parsing \"no\": invalid syntax"),
    (Of::Exec, "--pid --ipc", "--pids --ipc", "unknown flag: --pids"),
    (Of::Exec, "--home=\"$home\" ", "", "the user's home"),
    (Of::Ngc, "--dest ", "--destination ", "ngc: error: unrecognized arguments: --destination "),
    (Of::Ngc, "nim/meta/llama3-70b-instruct:hf", "llama3-70b-instruct:hf", "no `org` specified"),
    (Of::Hf, "--local-dir", "--directory", "No such option: --directory"),
];

/// What the originals refuse is refused here: the tests above can fail.
#[test]
fn a_wrong_word_is_refused() {
    let node = Node::new();
    for &(of, right, wrong, words) in WRONG {
        let runtime = match of {
            Of::Pull | Of::Exec => Runtime::Apptainer,
            _ => Runtime::Pyxis,
        };
        let kind = match of {
            Of::Enroot | Of::Pull => ScriptKind::Setup,
            Of::Pyxis | Of::Exec => ScriptKind::Launch,
            Of::Ngc | Of::Hf => ScriptKind::PrepareModels,
        };
        let recipe = if of == Of::Hf {
            Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap()
        } else {
            Recipe::llama3_70b_h100x4_fp8()
        };
        let more = "srun.mpi = 'none'\ncontainer.mounts = ['/usr:/mounts/0:ro']";
        let plan = plan(recipe, settings(runtime, more));
        let text = plan.script(kind).text().to_owned();
        assert!(text.contains(right), "{of:?}: {right:?} is there no more");
        let text = text.replace(right, wrong);
        let run = match kind {
            ScriptKind::Launch => {
                node.stage(&plan);
                launch(&node, &text, &plan, 28, &[("SLURM_GPUS_ON_NODE", "4")])
            }
            ScriptKind::Setup => setup(&node, &plan, &text, &[]),
            ScriptKind::PrepareModels => node.run(&text, 0, &[]),
        };
        let refused = &run.refused;
        assert!(
            refused.contains(words),
            "{wrong:?}: {refused:?}: {}",
            run.said
        );
    }
}

/// Words of a program, its code, and what it says; nothing where it takes them. Each row was
/// given to the original, too (table in tests/lab/README.md).
#[rustfmt::skip]
const ANSWERS: &[(&str, &str, i32, &str)] = &[
    ("enroot", "", 1, "Usage: enroot COMMAND [ARG...]"),
    ("enroot", "import", 1, "Usage: enroot import [options] [--] URI"),
    ("enroot", "import --arch= docker://x", 1, "Usage: enroot import"),
    ("enroot", "import -h", 0, "Usage: enroot import"),
    ("enroot", "import -a aarch64 docker://x", 0, ""),
    ("enroot", "import -a arm64 docker://x", 1, "[ERROR] Unsupported architecture: arm64"),
    ("enroot", "import x", 1, "[ERROR] Invalid argument: x"),
    ("enroot", "import docker://h.x#a/B", 1, "[ERROR] Invalid image reference: docker://h.x#a/B"),
    ("enroot", "import docker://a.b/c@sha256:0123", 0, ""),
    ("enroot", "import docker://a.b#c:1@sha256:0123", 0, ""),
    ("enroot", "digest", 1, "Usage: enroot digest [options] [--] URI"),
    ("enroot", "digest --output x docker://a.b#c", 1, "Usage: enroot digest [options] [--] URI"),
    ("enroot", "digest --arch aarch64 -- docker://a.b#c:1", 0, ""),
    ("enroot", "digest -a arm64 docker://a.b#c:1", 1, "[ERROR] Unsupported architecture: arm64"),
    ("enroot", "digest x", 1, "[ERROR] Invalid argument: x"),
    ("apptainer", "bogus", 1, "Error: unknown command \"bogus\" for \"apptainer\""),
    ("apptainer", "exec --home=/h", 1, "Error for command \"exec\": requires at least 2 arg(s), only received 0"),
    ("apptainer", "exec --home=/h --nv /x.sif true --bogus", 0, ""),
    ("apptainer", "exec --nv=all /x.sif true", 1, "Error for command \"exec\": invalid argument \"all\" for \"--nv\" flag"),
    ("apptainer", "exec --container-image=x /x.sif true", 1, "Error for command \"exec\": unknown flag: --container-image"),
    ("apptainer", "exec --bind=/a:/b:nosuid /x.sif true", 255, "nosuid is not a valid bind option"),
    ("apptainer", "exec --bind=/a:b /x.sif true", 255, "destination must be an absolute path"),
    ("apptainer", "pull a b c", 1, "Error for command \"pull\": accepts between 1 and 2 arg(s), received 3"),
    ("apptainer", "pull --arch x86_64 a docker://x", 255, "arch: x86_64 is not valid"),
    ("apptainer", "pull a docker://a.b/C", 255, "repository name must be lowercase"),
    ("ngc", "registry model download-version", 2, "error: the following arguments are required: <target>"),
    ("ngc", "registry model download-version a/b/c:1 --dest /x --bogus", 2, "ngc: error: unrecognized arguments: --bogus"),
    ("ngc", "registry model download-version a/b/c:1 --dest", 2, "error: argument --dest: expected one argument"),
    ("ngc", "registry model download-version a/b/c:1 --dest=/x --dest=/x", 2, "error: argument --dest: Duplicate options are not allowed"),
    ("ngc", "registry model download-version a/b/c:1 --format_type xml", 2, "error: argument --format_type: invalid choice: 'xml'"),
    ("ngc", "registry model download-version a/b/c/d:1", 1, "Pattern should be in format [org/[team/]]name[:version]"),
    ("ngc", "registry model download-version a/b:1*", 1, "Invalid target: 'a/b:1*', pattern matching not supported with this verb."),
    ("nvidia-smi", "--bogus", 255, "ERROR: Option --bogus is not recognized. Please run 'nvidia-smi -h'."),
    ("nvidia-smi", "--query-gpu=name --format=csv,bogus", 2, "Format modifier is not recognized."),
    ("nvidia-smi", "--query-gpu=name,driver_version --format=csv,noheader", 0, ""),
    ("nvidia-smi", "--id=0,1 --query-gpu=timestamp,uuid,power.draw --format=csv,nounits --loop=1", 0, ""),
    ("nvidia-smi", "--query-gpu=power --format=csv", 2, "Field \"power\" is not a valid field to query."),
];

#[test]
fn stand_ins_answer_as_the_originals() {
    for &(program, words, code, says) in ANSWERS {
        let output = Command::new(here("lab/bin").join(program))
            .args(words.split_whitespace())
            .env("LAB_PARSE_ONLY", "1")
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{program} {words}: {said}"
        );
        assert!(said.contains(says), "{program} {words}: {said}");
        assert_eq!(
            said.is_empty(),
            says.is_empty(),
            "{program} {words}: {said}"
        );
    }
}

/// In a step of srun, trtllm-serve gets a process for each GPU from mpirun alone.
#[test]
fn trtllm_serve_is_started_by_mpirun() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    for (program, file) in [("mpirun", "mpirun"), ("trtllm-serve", "servers.py")] {
        let place = folder.path().join(program);
        fs::copy(here("lab/image").join(file), &place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", folder.path().display());
    let recipe = Recipe::built_in("llama3-3-70b-h100x4-trtllm").unwrap();
    let command = recipe.server.command.iter().map(ToString::to_string);
    let with = command.collect::<Vec<_>>();
    let place = |program: &str| with.iter().position(|word| word == program).unwrap();
    let without = [&with[..place("mpirun")], &with[place("trtllm-serve")..]].concat();
    // Its model is not there.
    let (starts, is_refused) = (
        "lab TensorRT-LLM: no model",
        "direct launched using \"srun\"",
    );
    for (command, gpus, variable, says) in [
        (&with, "4", "SLURM_STEP_ID", starts),
        (&without, "4", "SLURM_STEP_ID", is_refused),
        (&without, "1", "SLURM_STEP_ID", starts),
        (&without, "4", "OTHER", starts),
    ] {
        let words = command.iter().map(|word| {
            let word = word.replace("{cache_path}", folder.path().to_str().unwrap());
            word.replace("{gpus}", gpus).replace("{port}", "8000")
        });
        let words: Vec<_> = words.collect();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .env("PATH", &path)
            .env_remove("SLURM_STEP_ID")
            .env_remove("OMPI_COMM_WORLD_SIZE")
            .env(variable, "0")
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains(says), "{words:?}: {said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
    }
}
