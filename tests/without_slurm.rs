//! The scripts, run by bash without a Slurm: what a hook can and cannot change, and what
//! is said when a program that is asked gives no answer.

#[path = "common/client.rs"]
mod client;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output};

use nim_slurm::{HookPlace, Plan, Recipe, ScriptKind, Settings};
use tempfile::TempDir;

use crate::client::client_program;

const SECRET: &str = "nvapi-this-must-not-be-seen";

/// The programs that the scripts find, and none of a cluster.
#[rustfmt::skip]
const PROGRAMS: &[&str] = &[
    "awk", "base64", "basename", "bash", "cat", "chmod", "cut", "date", "dd", "df", "du", "env", "find", "flock",
    "grep", "head", "ls", "mkdir", "mktemp", "mv", "numfmt", "od", "realpath", "rm", "rmdir",
    "sed", "seq", "sha256sum", "sleep", "sort", "stat", "tail", "tar", "tee", "timeout", "tr", "xargs",
];

/// Folders of programs, the node's and a test's own in front of them, and a stage path.
struct Node {
    folder: TempDir,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "own"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for program in PROGRAMS {
            let found = which::which(program).unwrap();
            symlink(found, folder.path().join("bin").join(program)).unwrap();
        }
        Self { folder }
    }

    /// Adds a program of these lines. Not where the links are: a write would follow them.
    fn with(self, program: &str, lines: &str) -> Self {
        let path = self.folder.path().join("own").join(program);
        fs::write(&path, format!("#!/bin/bash\n{lines}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn stage(&self) -> PathBuf {
        self.folder.path().join("stage")
    }

    /// Runs a text as a job's script would run.
    fn bash(&self, text: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let script = self.folder.path().join("script.sh");
        fs::write(&script, text).unwrap();
        let [own, bin] = ["own", "bin"].map(|name| self.folder.path().join(name));
        // As Slurm starts a script; a shell's background and nohup would have it ignore some.
        let mut bash = Command::new("env");
        bash.args(["--default-signal", "bash", "-c", "exec bash \"$0\" 2>&1"])
            .arg(&script)
            .env_clear()
            .env("PATH", format!("{}:{}", own.display(), bin.display()))
            .env("HOME", self.folder.path())
            .env("STAGE_PATH", self.stage())
            .env("SLURM_JOB_ID", "1")
            .env("SLURMD_NODENAME", "node1")
            .env("SLURM_JOB_NUM_NODES", "2")
            .env("NGC_API_KEY", SECRET)
            .envs(variables.iter().copied());
        told(&bash.output().unwrap())
    }
}

fn told(output: &Output) -> (Option<i32>, String) {
    let words = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code(), words)
}

fn settings(lines: &[(HookPlace, &str)]) -> Settings {
    let settings = Settings::from_toml("srun.mpi = 'none'").unwrap();
    lines.iter().fold(settings, |settings, (place, lines)| {
        settings.with_hook(*place, lines.parse().unwrap())
    })
}

fn script(kind: ScriptKind, settings: Settings) -> String {
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
    plan.script(kind).text().to_owned()
}

/// Each script with these lines before and after it, on a node that lacks everything.
fn with_lines(before: &str, after: &str) -> Vec<(Option<i32>, String)> {
    let run = |kind| {
        let lines = [
            (HookPlace::Before(kind), before),
            (HookPlace::After(kind), after),
        ];
        Node::new().bash(&script(kind, settings(&lines)), &[])
    };
    ScriptKind::ALL.map(run).into()
}

#[test]
fn lines_at_the_end_do_not_change_the_exit_code() {
    for after in ["exit 9", "code=9", "echo $nothing", "trap 'exit 9' EXIT"] {
        for (code, words) in with_lines("true", &format!("echo told $code\n{after}")) {
            assert_eq!(code, Some(2), "{after}: {words}");
            assert!(words.contains("told 2\n"), "{after}: {words}");
        }
    }
}

#[test]
fn lines_before_the_work_that_exit_are_no_success() {
    for (code, words) in with_lines("exit 0", "echo told $code") {
        assert_eq!(code, Some(1), "{words}");
        assert!(
            words.contains("error: the script ended in the hook before the work, with 0"),
            "{words}"
        );
        assert!(words.contains("told 1\n"), "{words}");
    }
}

/// A login shell's variables need not be set in a job, and a site's own files do not ask.
#[test]
fn lines_may_use_variables_that_are_not_set() {
    let before = "export OWN=/x:$NOT_SET\nmodule_files=$ALSO_NOT_SET";
    for (code, words) in with_lines(before, "echo told $code $OWN$NOT_SET\necho last") {
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains("told 2 /x:\nlast\n"), "{words}");
        assert!(!words.contains("warning: the hook at the end"), "{words}");
    }
}

/// Where the settings name the folder, and nobody has exported it.
#[test]
fn lines_have_the_stage_path_of_the_settings() {
    let said = "echo \"told $STAGE_PATH\"";
    for kind in ScriptKind::ALL {
        let places = [HookPlace::Before(kind), HookPlace::After(kind)];
        let node = Node::new();
        let stage = node.stage();
        let own = settings(&places.map(|place| (place, said)));
        let own = own.with_stage_path(stage.to_str().unwrap().parse().unwrap());
        // An empty variable is none.
        let (_, words) = node.bash(&script(kind, own), &[("STAGE_PATH", "")]);
        let told = format!("told {}\n", stage.display());
        assert_eq!(words.matches(&told).count(), 2, "{words}");
    }
}

#[test]
fn lines_before_the_work_leave_no_options() {
    let before = "set -x -f -k -m +B -o posix\numask 000\nIFS=,\ntrap 'echo theirs' EXIT\ntrap 'echo theirs' DEBUG\nstatus=3\ntrue";
    let after = "echo \"told $code, $- $IFS\"\necho \"umask $(umask) $(set +o | grep posix)\"";
    for (code, words) in with_lines(before, after) {
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains("missing: "), "{words}");
        // A trace would have the key in it.
        assert!(!words.contains(SECRET), "{words}");
        let after = words.split_once("missing: ").unwrap().1;
        assert!(
            !after.contains("theirs") && !after.contains("+ "),
            "{words}"
        );
        assert!(after.contains("told 2, hBE  \t\n"), "{words}");
        assert!(!after.contains("umask 0000"), "{words}");
        assert!(after.contains(" set +o posix"), "{words}");
    }
}

/// However the script ends, and be it for lack of a module.
#[test]
fn lines_at_the_end_run_without_modules() {
    let modules = "cluster.modules = ['enroot/3.5.0']";
    let settings = Settings::from_toml(modules).unwrap();
    let after = HookPlace::After(ScriptKind::Setup);
    let settings = settings.with_hook(after, "echo told $code".parse().unwrap());
    let text = script(ScriptKind::Setup, settings);
    // The machine's own are not asked.
    let text = text.replace("/etc/profile.d/", "/none/");
    let (code, words) = Node::new().bash(&text, &[]);
    assert_eq!(code, Some(1), "{words}");
    let said = "error: module load enroot/3.5.0 failed on ";
    assert!(
        words.contains(said) && words.contains("told 1\n"),
        "{words}"
    );
}

/// A signal that comes before the work has begun is no end with 0.
#[test]
fn lines_at_the_end_know_of_a_signal() {
    for (signal, expected) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let lines = [(
            HookPlace::After(ScriptKind::PrepareModels),
            "echo told $code",
        )];
        let node = Node::new().with("mkdir", &format!("kill -{signal} $PPID"));
        let (code, words) = node.bash(&script(ScriptKind::PrepareModels, settings(&lines)), &[]);
        assert_eq!(code, Some(expected), "{words}");
        assert!(words.contains(&format!("told {expected}\n")), "{words}");
    }
}

/// What a caller has set of the one spelling is not changed by the other.
#[test]
fn the_caller_s_proxy_and_the_site_s() {
    let before = HookPlace::Before(ScriptKind::Launch);
    let said = "echo \"told $https_proxy $HTTPS_PROXY $no_proxy $NO_PROXY\"";
    let proxy = Settings::from_toml(
        "cluster.proxy = { https = 'http://site:1', no_proxy = '.site' }\nsrun.mpi = 'none'",
    )
    .unwrap();
    let text = script(
        ScriptKind::Launch,
        proxy.with_hook(before, said.parse().unwrap()),
    );
    let (own, local) = ("http://own:2", "127.0.0.1,localhost,0.0.0.0");
    for (variables, expected) in [
        (
            &[][..],
            format!("http://site:1 http://site:1 {local},.site {local},.site"),
        ),
        (
            &[("HTTPS_PROXY", own), ("no_proxy", ".own")],
            format!("{own} {own} {local},.own {local},.own"),
        ),
        (
            &[("https_proxy", own), ("HTTPS_PROXY", "http://third:3")],
            format!("{own} http://third:3 {local},.site {local},.site"),
        ),
    ] {
        let (_, words) = Node::new().bash(&text, variables);
        assert!(words.contains(&format!("told {expected}\n")), "{words}");
    }
}

/// The client's hook is outside of its program.
#[test]
fn lines_in_the_client_change_none_of_its_variables() {
    let lines =
        "number=5 failed=7 left=3 IFS=,\nexport HOME=$PRECIOUS HTTP_PROXY=x ALL_PROXY=x\ncat\ntrue";
    let plan = |lines: &str| {
        let settings = settings(&[(HookPlace::InClient, lines)]);
        let settings = settings.with_runtime(nim_slurm::container::Runtime::Apptainer);
        Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap()
    };
    let text = plan(lines).launch().text().to_owned();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    // One point, which is measured already.
    let head = format!(
        "say() {{ echo \"$*\"; echo \"proxies:${{HTTP_PROXY-}}${{ALL_PROXY-}}.\"; }}\nfill() {{ :; }}\nfolders=(of_before of_before) are_finished=(yes yes)\n\
         port={port} replica=0 replicas=1 parts=0 reserve=0 client_command=(genai-perf) tool_name=x results=/ run=/nowhere points=('a 1 1 1 1 1 0' 'b 1 1 1 1 1 0') tokenizer_path=/ served_model_name=x request_fields=x\n\
         health_path=/ ready_timeout=1 server_started=0 lines_in_client={}\n",
        nim_slurm::shell_word(lines)
    );
    let program = format!("{head}{}\n", client_program(&text));
    // The server is ready.
    let answers = "case $* in *chat*) cat >/dev/null; printf 'data: {\"choices\": []}\\n200' ;; *models*) echo '\"x\"' ;; *) echo -n 200 ;; esac";
    let node = Node::new()
        .with("genai-perf", "")
        .with("curl", answers)
        .with("timeout", "");
    let precious = node.folder.path().join("precious");
    fs::create_dir(&precious).unwrap();
    let (code, words) = node.bash(&program, &[("PRECIOUS", precious.to_str().unwrap())]);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("point 1 of 2 is finished already"),
        "{words}"
    );
    assert!(
        words.contains("done with 2 points: 0 failed, 0 are left"),
        "{words}"
    );
    assert!(
        words.contains("proxies:.") && !words.contains("proxies:x"),
        "{words}"
    );
    assert!(precious.exists(), "the client removed what is not its own");
}

/// Without podman, setup.sh says so.
#[test]
fn a_program_that_is_missing_is_named() {
    for (runtime, program) in [
        ("podman", "podman"),
        ("apptainer", "apptainer"),
        ("pyxis", "enroot"),
    ] {
        let text = format!("container.runtime = '{runtime}'");
        let text = script(ScriptKind::Setup, Settings::from_toml(&text).unwrap());
        let (code, words) = Node::new().bash(&text, &[]);
        assert_eq!(code, Some(2), "{words}");
        assert!(
            words.contains(&format!("missing: the command {program} on ")),
            "{words}"
        );
    }
}

/// The first user's folder is not for others to write to, and enroot's own words do not say so.
#[test]
fn a_folder_of_enroot_that_is_another_user_s() {
    let node = Node::new();
    for (variable, key, advice) in [
        ("CACHE", "cache", ", a folder of your own\n"),
        ("TEMP", "temp", ", or ask its owner for chmod 1777\n"),
    ] {
        let folder = format!("{}/{key}", node.stage().display());
        let text = format!("cluster.enroot_{key}_path = '{folder}'");
        let text = script(ScriptKind::Setup, Settings::from_toml(&text).unwrap());
        let missing = format!("missing: permission to write in {folder} for enroot's");
        let own = node.bash(&text, &[]);
        assert!(!own.1.contains(&missing), "{own:?}");
        let question = format!("[[ -w $ENROOT_{variable}_PATH ]]");
        assert!(text.contains(&question), "{text}");
        let (code, words) = node.bash(&text.replace(&question, "false"), &[]);
        assert_eq!(code, Some(2), "{words}");
        let advice = format!("export ENROOT_{variable}_PATH=...{advice}");
        assert!(
            words.contains(&missing) && words.contains(&advice),
            "{words}"
        );
    }
}

/// A controller that does not answer, or a name that leads nowhere, is no silent end.
/// As where the node does not mount it: nobody makes a folder there, not even root.
#[test]
fn a_stage_path_that_the_node_does_not_have() {
    for kind in [ScriptKind::Setup, ScriptKind::PrepareModels] {
        let text = script(kind, settings(&[]));
        let run = |variables: &[(&str, &str)]| {
            let stage = ("STAGE_PATH", "/proc/my&nim/stage");
            let (code, words) = Node::new().bash(&text, &[&[stage], variables].concat());
            assert_eq!(code, Some(1), "{words}");
            words
        };
        let words = run(&[("SLURM_JOB_PARTITION", "gpu")]);
        assert!(
            words.contains(
                "error: cannot make the folder /proc/my&nim/stage on node1. Is its file system mounted there, and may you write to \
                 it? To see it, type: srun --partition=gpu --nodelist=node1 namei -l /proc/my\\&nim/stage. Or export \
                 STAGE_PATH=/lustre/..., a folder that all nodes share, and run this script again\n"
            ),
            "{words}"
        );
        let by_hand = run(&[]);
        assert!(by_hand.contains("type: namei -l /proc/my"), "{by_hand}");
        // It is there, and nobody's to write to: that is no lock of another user's.
        let question = "[[ -w $stage_path ]]";
        assert!(text.contains(question), "{text}");
        let stage = ("STAGE_PATH", "/proc/self/task");
        let (code, words) = Node::new().bash(&text.replace(question, "false"), &[stage]);
        assert_eq!(code, Some(2), "{words}");
        assert!(
            words.contains("missing: permission to write in /proc/self/task on node1. Is its file system mounted there, and"),
            "{words}"
        );
    }
}

#[test]
fn launch_says_what_it_cannot_find_out() {
    let recipe = Recipe::built_in("deepseek-r1-h100x16-nim").unwrap();
    let settings = Settings::from_toml("srun.mpi = 'none'").unwrap();
    let text = Plan::new(recipe, settings)
        .unwrap()
        .launch()
        .text()
        .to_owned();
    let mut node = Node::new().with("srun", "").with("getent", "exit 2");
    for program in ["scancel", "squeue", "scontrol"] {
        node = node.with(program, "exit 1");
    }
    let (code, words) = node.bash(&text, &[("RESUME_JOB_ID", "4711_3")]);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("missing: an address of node1"), "{words}");
    assert!(
        words.contains("missing: results of job 4711-3, which"),
        "{words}"
    );
}

/// A podman that cannot read the description of the GPUs says so only when the image is unpacked.
#[test]
fn gpus_that_podman_cannot_read() {
    let settings = Settings::from_toml("container.runtime = 'podman'\nsrun.mpi = 'none'").unwrap();
    let text = script(ScriptKind::Launch, settings);
    let versions = ["0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"];
    let yaml =
        |version: &str| format!("---\ncdiVersion: {version}\nkind: nvidia.com/gpu\ndevices: []\n");
    let json =
        |version: &str| format!("{{\"cdiVersion\":\"{version}\",\"kind\":\"nvidia.com/gpu\"}}");
    let said = |podman: &str, files: &[(&str, String)]| {
        let says = format!("[[ $1 != --version ]] || echo podman version {podman}");
        let mut node = Node::new().with("podman", &says).with("getent", "exit 2");
        for program in ["srun", "scancel", "scontrol"] {
            node = node.with(program, "");
        }
        node = node.with("squeue", "echo \"$SLURM_JOB_ID 1 N/A 0 launch.sh\"");
        let mut text = text.clone();
        for name in ["etc", "var/run"] {
            let folder = node.folder.path().join(name).join("cdi");
            fs::create_dir_all(&folder).unwrap();
            let real = format!(" /{name}/cdi/*");
            assert!(text.contains(&real), "{real}");
            text = text.replace(&real, &format!(" {}/*", folder.display()));
        }
        for (name, text) in files {
            fs::write(node.folder.path().join(name), text).unwrap();
        }
        let folder = node.folder.path().display().to_string();
        let (code, words) = node.bash(&text, &[]);
        assert_eq!(code, Some(2), "{words}");
        let lines = words
            .lines()
            .filter_map(|line| line.split_once("missing: a podman on "));
        let lines: Vec<_> = lines.map(|(_, rest)| rest.replace(&folder, "")).collect();
        lines.join("\n")
    };
    // What each reads at most, by the library in its sources. The next version it does not.
    for (podman, most) in [
        ("4.1.0", "0.4.0"),
        ("4.2.1", "0.4.0"),
        ("4.3.1", "0.5.0"),
        ("4.6.2", "0.5.0"),
        ("4.7.0", "0.6.0"),
        ("4.9.3", "0.6.0"),
        ("5.0.3", "0.6.0"),
        ("5.1.2", "0.7.0"),
        ("5.2.0", "0.8.0"),
        ("5.4.2", "0.8.0"),
        ("5.8.6", "1.0.0"),
    ] {
        let place = versions.iter().position(|version| *version == most);
        for (version, is_read) in versions[place.unwrap()..].iter().zip([true, false]) {
            let file = if is_read {
                ("etc/cdi/nvidia.yaml", yaml(version))
            } else {
                ("var/run/cdi/nvidia.json", json(version))
            };
            let words = said(podman, &[file]);
            assert_eq!(words.is_empty(), is_read, "{podman}, {version}: {words}");
        }
    }
    // In the other form, too.
    for (name, text, is_read) in [
        ("var/run/cdi/nvidia.json", json("0.5.0"), true),
        ("etc/cdi/nvidia.yaml", yaml("0.6.0"), false),
    ] {
        assert_eq!(said("4.3.1", &[(name, text)]).is_empty(), is_read, "{name}");
    }
    let newer = ("var/run/cdi/nvidia.yaml", yaml("0.7.0"));
    let words = said("4.3.1", std::slice::from_ref(&newer));
    let (_, words) = words.split_once(' ').unwrap();
    assert_eq!(
        words,
        "that reads /var/run/cdi/nvidia.yaml: GPUs are described there in version 0.7, and it reads 0.5 at most; ask the site for \
         podman 5.1 or later, or for a description in version 0.5: nvidia-ctk cdi generate \
         --feature-flag=no-additional-gids-for-device-nodes --output=/var/run/cdi/nvidia.yaml"
    );
    // That form is one that 4.2 does not read, either.
    let words = said("4.2.1", std::slice::from_ref(&newer));
    assert!(
        words.ends_with("ask the site for podman 5.1 or later"),
        "{words}"
    );
    // Devices of another kind are no GPUs.
    let others = yaml("0.5.0").replace("nvidia.com/gpu", "nvidia.com/gpu-other");
    let words = said("4.9.3", &[newer.clone(), ("etc/cdi/others.yaml", others)]);
    assert!(
        words.contains("in version 0.7, and it reads 0.6"),
        "{words}"
    );
    // One that it reads is enough, and other devices are not asked about.
    let older = ("etc/cdi/gpus.yaml", yaml("0.5.0"));
    assert_eq!(said("4.3.1", &[newer.clone(), older]), "");
    let other = (
        "etc/cdi/net.yaml",
        yaml("0.3.0").replace("nvidia.com/gpu", "site/net"),
    );
    assert_ne!(said("4.3.1", &[newer, other.clone()]), "");
    assert_eq!(said("4.3.1", &[other]), "");
    assert_eq!(said("4.3.1", &[]), "");
}

/// A disk is full, too, when what is left is no room for a point.
#[test]
fn a_few_blocks_are_no_space() {
    let text = script(ScriptKind::Launch, Settings::new());
    let client = client_program(&text);
    let mut lines = client.lines();
    let own = lines.find(|line| line.starts_with("stop_if_full() {"));
    let own = own.filter(|line| line.ends_with('}')).unwrap();
    let program = format!(
        "say() {{ echo \"$*\"; }}\nresults=/ run=/\nend_with() {{ [[ $1 == no_space ]] && exit 7; }}\n{own}\nstop_if_full\necho goes on"
    );
    for (kibibytes, code) in [("0", 7), ("40", 7), ("900", 0), ("99999999", 0)] {
        // In the form of POSIX.
        let df = format!("echo Filesystem\necho disk 1 1 {kibibytes} 1% /");
        let node = Node::new().with("df", &df);
        let (ended, words) = node.bash(&program, &[]);
        assert_eq!(ended, Some(code), "{kibibytes}: {words}");
    }
}

/// Only checksums that were compared, and agree, are not compared again.
#[test]
fn what_b3sum_did_not_compare_is_not_remembered() {
    let text = script(ScriptKind::PrepareModels, Settings::new());
    let (_, rest) = text.split_once("\ncheck_checksums() {\n").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    for (b3sum, said, is_remembered) in [
        ("", "", true),
        ("echo 'a: FAILED'; exit 1", "checksum of a: FAILED", false),
        // The one of uutils.
        (
            "echo \"unexpected argument '--check'\"; exit 1",
            "warning: b3sum cannot read checksums.blake3: unexpected argument '--check'",
            false,
        ),
    ] {
        let node = Node::new().with("b3sum", b3sum).with("touch", ": >\"$1\"");
        fs::create_dir(node.stage()).unwrap();
        fs::write(node.stage().join("a"), "").unwrap();
        let list = format!("{}  a\n", "0".repeat(64));
        fs::write(node.stage().join("checksums.blake3"), list).unwrap();
        let program = format!(
            "set -Eeuo pipefail\nsay() {{ echo \"$*\"; }}\nmark=.mark\nf() {{\n{body}\n}}\nf \"$STAGE_PATH\""
        );
        let (_, words) = node.bash(&program, &[]);
        assert!(words.contains(said), "{words}");
        let mark = node.stage().join(".mark");
        assert_eq!(mark.exists(), is_remembered, "{b3sum}: {words}");
    }
}

/// prepare_models.sh of a small model on the hub, with this program in place of hf. `$folder` is where it downloads to.
fn with_hf(lines: &str) -> (Node, String) {
    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    recipe.model.weights.size = "1 kB".parse().unwrap();
    recipe.model.weights.files = vec!["config.json".parse().unwrap()];
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    let hf = format!("[[ $1 == download ]] || exit 0\nfolder=$6\nmkdir -p \"$folder\"\n{lines}");
    let node = Node::new().with("hf", &hf);
    fs::create_dir(node.stage()).unwrap();
    (node, plan.prepare_models().text().to_owned())
}

/// Where that downloads to, below the stage path.
const PART: &str = ".Llama-3.3-70B-Instruct_6f6073b42301.part/Llama-3.3-70B-Instruct_6f6073b42301";

/// hf may succeed with what is there when it cannot ask the hub for the rest.
#[test]
fn an_hf_that_cannot_ask_the_hub_has_not_downloaded() {
    let words = "Returning existing local_dir `/x` as remote repo cannot be accessed in `snapshot_download` (None).";
    let (node, script) = with_hf(&format!("echo '{words}' >&2"));
    let (code, said) = node.bash(&script, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(words), "{said}");
    assert!(
        said.contains("error: hf ended with 0 while it fetched"),
        "{said}"
    );
    assert!(said.contains(": the hub cannot be reached from "), "{said}");
}

/// What hf of 0.34 to 2.4 and the NGC CLI say, and what helps.
#[test]
fn why_a_model_was_not_fetched() {
    let (full, unknown) = (
        "there is no space left",
        "the hub has no such model or revision",
    );
    let (token, url) = ("the hub wants HF_TOKEN", "http://a/api/models/b/c");
    for (words, reason) in [
        ("OSError: [Errno 28] No space left on device", full),
        ("OSError: [Errno 122] Disk quota exceeded", full),
        (
            &format!("Revision Not Found for url: {url}/revision/d."),
            unknown,
        ),
        ("Error: Revision not found in model b/c.", unknown),
        ("Error: Model b/c not found.", unknown),
        (
            &format!("Cannot access gated repo for url {url}/revision/d."),
            token,
        ),
        ("Error: Access denied. Model b/c requires approval.", token),
        (
            &format!(
                "Error: Local entry not found. 403 Forbidden: no. Cannot access content at: {url}."
            ),
            token,
        ),
        (
            "ProxyError: Tunnel connection failed: 403 Forbidden",
            "the proxy in https_proxy refuses",
        ),
        (
            &format!("Error: Local entry not found. 429 Too Many Requests for url: {url}."),
            "the hub takes no more requests",
        ),
        (
            "Error: Local entry not found. [Errno 111] Connection refused",
            "the hub cannot be reached",
        ),
        (
            "IncompleteRead(1 bytes read)",
            "its own words are above; run this again",
        ),
    ] {
        let (node, script) = with_hf(&format!("echo '{words}' >&2; exit 1"));
        let (code, said) = node.bash(&script, &[]);
        assert_eq!(code, Some(1), "{said}");
        let line = said.lines().last().unwrap();
        assert!(line.contains(&format!(": {reason}")), "{words}: {line}");
    }
    let (node, prepare) = with_hf("exit 137");
    let (_, said) = node.bash(&prepare, &[]);
    assert!(said.contains("maybe for lack of memory"), "{said}");

    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.model.weights.size = "1 kB".parse().unwrap();
    recipe.model.engine.as_mut().unwrap().size = "1 kB".parse().unwrap();
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    for (words, reason) in [
        ("a:b could not be found.", "NGC has no such model"),
        ("Error: Invalid API key.", "NGC wants an NGC key"),
    ] {
        let node = Node::new().with("ngc", &format!("echo '{words}' >&2; exit 1"));
        let (code, said) = node.bash(plan.prepare_models().text(), &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!(": {reason}")), "{words}: {said}");
    }
}

/// hf compares no checksums. It notes the hub's of large files: one that differs is fetched again.
#[test]
fn wrong_bytes_are_found() {
    let wrong = "0123456789abcdef".repeat(4);
    let (node, script) = with_hf(&format!(
        "notes=$folder/.cache/huggingface/download; mkdir -p \"$notes/sub\" \"$folder/sub\"
        note() {{ printf '%s\\n' 0123456789abcdef0123456789abcdef01234567 \"$2\" 1.5 >\"$notes/$1.metadata\"; }}
        printf 'x%.0s' {{1..1000}} >\"$folder/sub/a b.bin\"; echo '{{}}' >\"$folder/config.json\"
        note config.json 0123456789abcdef0123456789abcdef01234567
        note 'sub/a b.bin' \"${{SUM:-{wrong}}}\"; note excluded.pth {wrong}"
    ));
    let folder = node.stage().join(PART);
    let (code, said) = node.bash(&script, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("comparing the files"), "{said}");
    assert!(said.contains("\nsub/a b.bin\n"), "{said}");
    assert!(!said.contains("excluded.pth"), "{said}");
    assert!(said.contains("run this again, and these are"), "{said}");
    assert!(!folder.join("sub/a b.bin").exists());
    assert!(folder.join("config.json").exists());

    // Of 1000 times x.
    let sum = "44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2ae7c7f";
    let (code, said) = node.bash(&script, &[("SUM", sum), ("SLURM_CPUS_ON_NODE", "4")]);
    assert_eq!(code, Some(0), "{said}");
}

/// On a file system without locks, only its files tell whether a download goes on.
#[test]
fn without_locks_a_download_that_goes_on_is_left_alone() {
    let (node, script) = with_hf("find \"$folder\"; exit 1");
    let node = node.with("flock", "exit 71");
    let folder = node.stage().join(PART);
    let notes = folder.join(".cache/huggingface/download");
    for name in ["original", ".cache/huggingface/download/original"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for name in ["a.lock", "original/b.pth.lock", "a.b.01234567.incomplete"] {
        fs::write(notes.join(name), "").unwrap();
    }
    for name in ["original/b.pth", "poetry.lock"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let (code, said) = node.bash(&script, &[]);
    assert_eq!(code, Some(1), "{said}");
    let expected = "changed within the last 10 minutes: another prepare_models.sh may be at work. Run this again when";
    assert!(said.contains(expected), "{said}");
    assert!(notes.join("a.lock").exists());

    // The same job goes on with its own. Locks of an hf that was killed are gone, and what is excluded by now.
    let (_, said) = node.bash(&script, &[("SLURM_RESTART_COUNT", "1")]);
    assert!(said.contains("downloading the weights"), "{said}");
    for gone in ["a.lock", "b.pth.lock", ".incomplete", "original/b.pth\n"] {
        assert!(!said.contains(gone), "{gone}: {said}");
    }
    assert!(said.contains("poetry.lock"), "{said}");
}

/// What another user's download left is named in one sentence.
#[test]
fn an_unfinished_download_of_another_user_is_named() {
    let (node, script) = with_hf("exit 1");
    let find = which::which("find").unwrap();
    let find = format!(
        "[[ $* != *' -type d ! -writable '* ]] || echo \"$1\"\nexec {} \"$@\"",
        find.display()
    );
    let node = node.with("find", &find);
    let part = node.stage().join(PART);
    fs::create_dir_all(&part).unwrap();
    let (code, said) = node.bash(&script, &[]);
    assert_eq!(code, Some(2), "{said}");
    let part = part.parent().unwrap().display().to_string();
    let expected = format!("missing: permission to write in {part}, an unfinished download: ask ");
    assert!(said.contains(&expected), "{said}");
    assert_eq!(said.matches("missing: ").count(), 1, "{said}");
}

/// What podman had before it keeps, and its digest may be one that no registry has.
#[test]
fn podman_keeps_what_it_had() {
    let settings = Settings::from_toml("srun.mpi = 'none'\ncontainer.runtime = 'podman'").unwrap();
    let text = script(ScriptKind::Setup, settings);
    let (_, rest) = text.split_once("\nsave_image() {\n").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    let podman = "case $1 in
        pull) echo 0123abcd; [[ -d $TMPDIR ]] && : >\"$TMPDIR/blob\" ;;
        images) echo \"$IDS\" ;;
        image) [[ $2 == exists ]] && exit \"$LACKS\"
          printf '[\\n     {\\n          \"Digest\": \"sha256:77\",\\n          \"Architecture\": \"amd64\",\\n' ;;
        untag | rmi) echo \"$*\" >>\"$HOME/removed\" ;;
      esac";
    let digest = "digest=sha256:77\n";
    for (ids, lacks, told, removed) in [
        ("sha256:9999", "1", digest, "rmi 0123abcd\n"),
        ("sha256:9999", "0", digest, ""),
        (
            "sha256:9999\nsha256:0123abcd",
            "1",
            "",
            "untag 0123abcd a.b/c:1\n",
        ),
        ("sha256:0123abcd", "0", "", ""),
    ] {
        let node = Node::new().with("podman", podman);
        let temporary = node.folder.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let program = format!("save_image() {{\n{body}\n}}\nsave_image /x docker://a.b/c:1 '' ''");
        let variables = [
            ("IDS", ids),
            ("LACKS", lacks),
            ("TMPDIR", temporary.to_str().unwrap()),
        ];
        let (code, said) = node.bash(&program, &variables);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(
            said,
            format!("{told}architecture=amd64\n"),
            "{ids}, {lacks}"
        );
        let done = fs::read_to_string(node.folder.path().join("removed"));
        assert_eq!(done.unwrap_or_default(), removed, "{ids}, {lacks}");
        // What podman left there goes, too.
        assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
    }
}

/// Apptainer looks into a folder of its own for docker's file, too.
#[test]
fn apptainer_s_own_folder_may_have_docker_s_file() {
    let settings = Settings::from_toml("srun.mpi = 'none'\ncontainer.runtime = 'apptainer'");
    let text = script(ScriptKind::Setup, settings.unwrap());
    let start = text.find("\ncredentials=${APPTAINER_CONFIGDIR").unwrap();
    let (lines, _) = text[start..].split_once("\nfor registry in ").unwrap();
    let program = format!("{lines}\nhas_login nvcr.io && echo \"in $credentials\"");
    let (of_docker, own) = ("config.json", "docker-config.json");
    for (folder, is_set, file, has_key, is_found) in [
        (".docker", false, of_docker, false, true),
        (".docker", true, of_docker, false, false),
        ("own", true, of_docker, false, true),
        // Not each release reads it, so a key is surer.
        ("own", true, of_docker, true, false),
        ("own", true, own, true, true),
        (".apptainer", false, own, true, true),
    ] {
        let node = Node::new();
        let home = node.folder.path();
        fs::create_dir_all(home.join(folder)).unwrap();
        fs::write(home.join(folder).join(file), "{\"nvcr.io\"}").unwrap();
        let configuration = home.join("own").display().to_string();
        let key = if has_key { SECRET } else { "" };
        let mut variables = vec![("NGC_API_KEY", key)];
        variables.extend(is_set.then_some(("APPTAINER_CONFIGDIR", &*configuration)));
        let (_, said) = node.bash(&program, &variables);
        let expected = format!("in {}/{folder}/{file}\n", home.display());
        assert_eq!(said == expected, is_found, "{folder}/{file}: {said}");
    }
}
