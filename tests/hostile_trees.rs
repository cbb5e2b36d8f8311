//! setup.sh and prepare_models.sh on stage paths that others have written to: they name what they
//! cannot use, hang nowhere, and change nothing outside of the stage path.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{Architecture, ModelSource};
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use proptest::prelude::*;
use tempfile::TempDir;

/// What the scripts find, without a cluster's programs.
const PROGRAMS: &[&str] = &[
    "awk",
    "base64",
    "basename",
    "bash",
    "cat",
    "cp",
    "cut",
    "date",
    "dd",
    "df",
    "du",
    "env",
    "find",
    "flock",
    "grep",
    "head",
    "install",
    "mkdir",
    "mktemp",
    "mv",
    "numfmt",
    "od",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "setpriv",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "tee",
    "timeout",
    "touch",
    "tr",
    "uname",
    "wc",
    "xargs",
];

/// The BLAKE3 checksum of nothing.
const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

/// A user that is not root, where the tests are root's.
const NOBODY: u32 = 65534;

const MODEL: &str = "Llama-3.3-70B-Instruct_6f6073b42301";
const INDEX: &str = "model.safetensors.index.json";

/// A stage path, a folder beside it, and stand-ins for a cluster's programs.
struct Site {
    folder: TempDir,
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        for name in ["bin", "given/hub", "stage", "outside/folder", "home", "tmp"] {
            fs::create_dir_all(site.at(name)).unwrap();
        }
        for program in PROGRAMS {
            let found = which::which(program).unwrap_or_else(|_| panic!("{program} is not here"));
            symlink(found, site.at("bin").join(program)).unwrap();
        }
        let given = site.at("given");
        put_model(&given.join("hub"));
        fs::write(given.join("manifest.json"), "[]").unwrap();
        fs::write(given.join("image.sqsh"), squash()).unwrap();
        fs::write(given.join("image.sif"), sif()).unwrap();
        let tar = ["--create", "--file=image.tar", "manifest.json"];
        let made = Command::new("tar").current_dir(&given).args(tar).status();
        assert!(made.unwrap().success());
        let given = given.display();
        site.program(
            "srun",
            "while [[ $1 == -* ]]; do shift; done\nenv -0 >\"$HOME/step.$$\"\nexec \"$@\"",
        );
        site.program("enroot", &format!("cp {given}/image.sqsh \"${{@: -3:1}}\""));
        site.program(
            "apptainer",
            &format!("[[ $1 == pull ]] || {{ echo 'apptainer version 1.3.0'; exit; }}\ncp {given}/image.sif \"${{@: -2:1}}\""),
        );
        site.program(
            "podman",
            &format!("case $1 in\nimage) exit 1 ;;\npull) env -0 >\"$HOME/step.$$\"; echo 0123 ;;\nsave) for word; do case $word in --output=*) cp {given}/image.tar \"${{word#*=}}\" ;; esac; done ;;\nesac"),
        );
        site.program(
            "hf",
            &format!("[[ $1 == download ]] || exit 0\nwhile [[ $1 != --local-dir ]]; do shift; done\nmkdir -p \"$2\" && cp --remove-destination {given}/hub/* \"$2\""),
        );
        // It is no part of most systems. Only the checksum of an empty file is right.
        site.program(
            "b3sum",
            &format!("while read -r sum file || [[ $sum ]]; do\n[[ ! -s $file && $sum == {EMPTY} ]] || {{ echo \"$file: FAILED\"; bad=1; }}\ndone <\"${{@: -1}}\"\nexit \"${{bad-0}}\""),
        );
        // No other job is there.
        site.program("squeue", "echo 'Invalid job id specified' >&2; exit 1");
        site.put("outside/file", "not to be touched");
        site.put("outside/folder/file", "nor this");
        site
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn program(&self, name: &str, lines: &str) {
        let path = self.at("bin").join(name);
        // A link to the system's own program may be there.
        let _ = fs::remove_file(&path);
        fs::write(&path, format!("#!/bin/bash\n{lines}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Whose all that is here becomes, by name.
    fn owner() -> String {
        if is_root() {
            return "nobody".to_owned();
        }
        let own = Command::new("id").arg("-un").output().unwrap();
        String::from_utf8(own.stdout).unwrap().trim().to_owned()
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Runs a script as a user who is not root, and who owns all that is here.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
        self.put("script.sh", script);
        let is_root = is_root();
        if is_root {
            let user = format!("{NOBODY}:{NOBODY}");
            let status = Command::new("chown")
                .args(["--recursive", "--no-dereference", &user])
                .arg(self.folder.path())
                .status();
            assert!(status.unwrap().success());
        }
        let mut words: Vec<OsString> = Vec::new();
        if is_root {
            let user = format!("--reuid={NOBODY} --regid={NOBODY} --clear-groups");
            words.push("setpriv".into());
            words.extend(user.split(' ').map(Into::into));
        }
        words.extend(["timeout", "-k", "1", "120", "bash"].map(Into::into));
        words.push(self.at("script.sh").into());
        let output = Command::new(which::which("env").unwrap())
            .args(["-C", self.at("home").to_str().unwrap()])
            .args(words)
            .env_clear()
            .env("PATH", self.at("bin"))
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.at("tmp"))
            .env("STAGE_PATH", self.at("stage"))
            .env("SLURM_JOB_ID", "1")
            .env("SLURMD_NODENAME", "node1")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).into_owned();
        let code = output.status.code();
        assert!(
            !matches!(code, Some(124 | 137)),
            "it ran out of time (120 s): {words}"
        );
        (code, words)
    }

    /// What each step found in its environment.
    fn steps(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("home")).unwrap();
        let steps = entries.map(|entry| entry.unwrap().path());
        steps
            .filter(|path| path.to_string_lossy().contains("/step."))
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }
}

/// A squashfs superblock that promises no more than there is.
fn squash() -> Vec<u8> {
    let mut bytes = b"hsqs".to_vec();
    bytes.resize(40, 0);
    bytes.extend(96_u64.to_le_bytes());
    bytes.resize(96, 0);
    bytes
}

fn sif() -> Vec<u8> {
    let mut bytes = vec![0; 32];
    bytes.extend(b"SIF_MAGIC");
    bytes.resize(112, 0);
    bytes.extend([128_u64.to_le_bytes(), 4_u64.to_le_bytes()].concat());
    bytes.resize(132, 0);
    bytes
}

/// One shard of 2000 bytes, its index, and a configuration.
fn put_model(folder: &Path) {
    let header = br#"{"a":{"dtype":"U8","shape":[2000],"data_offsets":[0,2000]}}"#;
    let mut shard = (header.len() as u64).to_le_bytes().to_vec();
    shard.extend(header);
    shard.resize(shard.len() + 2000, 0);
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    fs::write(folder.join("model-1.safetensors"), &shard).unwrap();
    let index = r#"{"metadata": {"total_size": 2000}, "weight_map": {"a": "model-1.safetensors"}}"#;
    fs::write(folder.join(INDEX), index).unwrap();
}

/// A small model of the hub.
fn recipe() -> Recipe {
    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    recipe.server.disk = "1 MiB".parse().unwrap();
    recipe.client.disk = "1 MiB".parse().unwrap();
    recipe.model.weights.size = "2100 B".parse().unwrap();
    recipe.model.weights.files = vec!["config.json".parse().unwrap()];
    recipe
}

fn script(kind: ScriptKind, recipe: Recipe, runtime: Runtime) -> String {
    let settings = Settings::from_toml("srun.mpi = 'none'").unwrap();
    let plan = Plan::new(recipe, settings.with_runtime(runtime)).unwrap();
    plan.script(kind).text().to_owned()
}

fn setup() -> String {
    script(ScriptKind::Setup, recipe(), Runtime::Pyxis)
}

fn prepare_models() -> String {
    script(ScriptKind::PrepareModels, recipe(), Runtime::Pyxis)
}

/// The file of the server's image.
fn image() -> String {
    let plan = Plan::new(recipe(), Settings::new()).unwrap();
    plan.recipe().server.squash_file().to_string()
}

/// All below a folder: what it is, and what it holds.
fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let kind = metadata.file_type();
            let text = if kind.is_file() {
                format!("{:?}", fs::read(&path).unwrap())
            } else {
                String::new()
            };
            let words = format!(
                "{:o} {} {} {text}",
                metadata.mode(),
                metadata.mtime(),
                metadata.mtime_nsec()
            );
            all.insert(path.clone(), words);
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    all
}

#[test]
fn on_a_clean_stage_path_they_do_their_work() {
    let site = Site::new();
    for _ in 0..2 {
        let (code, words) = site.run(&setup(), &[("NGC_API_KEY", "key")]);
        assert_eq!(code, Some(0), "{words}");
        let (code, words) = site.run(&prepare_models(), &[("HF_TOKEN", "token")]);
        assert_eq!(code, Some(0), "{words}");
    }
    assert_eq!(
        fs::read(site.at(&format!("stage/{}", image()))).unwrap(),
        squash()
    );
}

/// What is not for the recipe's processor is refused, and what is there for another one is fetched again.
#[test]
fn an_image_for_another_processor_is_no_image() {
    let architectures = [Architecture::Amd64, Architecture::Arm64];
    for runtime in [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman] {
        let site = Site::new();
        let setup = |of: usize| {
            let mut recipe = recipe();
            recipe.server.architecture = Some(architectures[of]);
            recipe.client.architecture = Some(architectures[of]);
            script(ScriptKind::Setup, recipe, runtime)
        };
        let give = |of: usize| {
            let given = site.at("given").display().to_string();
            let word = architectures[of].as_str();
            let digest = "7".repeat(64);
            let mut sif = sif();
            sif[45..47].copy_from_slice(["02", "04"][of].as_bytes());
            site.put("given/image.sif", sif);
            site.program("enroot", &format!(
                "[[ $1 == import ]] || {{ echo sha256:{digest}; exit; }}\n[[ \"$*\" == *\"--arch {}\"* ]] || echo \"[WARN] Image architecture doesn't match\" >&2\ncp {given}/image.sqsh \"${{@: -3:1}}\"",
                ["x86_64", "aarch64"][of]));
            site.program("podman", &format!(
                "case \"$1 $2\" in\n'image exists') exit 1 ;;\n'image inspect') printf '%10s%s: %s,\\n' '' '\"Architecture\"' '\"{word}\"' '          ' '\"Digest\"' '\"sha256:{digest}\"' '                    ' '\"Architecture\"' '\"none\"' ;;\npull*) echo 0123 ;;\nsave*) for word; do case $word in --output=*) cp {given}/image.tar \"${{word#*=}}\" ;; esac; done ;;\nesac"));
        };
        let key = [("NGC_API_KEY", "key")];
        give(1);
        let (code, words) = site.run(&setup(0), &key);
        assert_eq!(code, Some(1), "{runtime:?}: {words}");
        let said = "is for another processor than amd64: correct architecture or image";
        assert!(words.contains(said), "{runtime:?}: {words}");
        let names = contents(&site.at("stage"));
        assert!(
            names
                .keys()
                .all(|name| name.extension().is_none_or(|end| end == "lock")),
            "{names:?}"
        );
        for (of, said) in [
            (1, ""),
            (1, "nothing to do"),
            (0, " for arm64; it stays until "),
        ] {
            give(of);
            let (code, words) = site.run(&setup(of), &key);
            assert_eq!(code, Some(0), "{runtime:?}: {words}");
            assert!(words.contains(said), "{runtime:?}: {words}");
        }
    }
}

/// A job that is queued may need the image that is there.
#[test]
fn an_image_stays_until_another_one_is_here() {
    let site = Site::new();
    let key = [("NGC_API_KEY", "key")];
    let (code, words) = site.run(&setup(), &key);
    assert_eq!(code, Some(0), "{words}");
    let name = format!("stage/{}", image());
    let record = fs::read_to_string(site.at(&format!("{name}.reference"))).unwrap();
    let mut newer = recipe();
    newer.server.file = Some(image().parse().unwrap());
    newer.server.image = "vllm/vllm-openai:v9.9.9".parse().unwrap();
    let newer = script(ScriptKind::Setup, newer, Runtime::Pyxis);
    let given = site.at("given").display().to_string();
    site.program("enroot", "exit 1");
    let (code, words) = site.run(&newer, &key);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("it stays until vllm/vllm-openai:v9.9.9 for "),
        "{words}"
    );
    assert_eq!(fs::read(site.at(&name)).unwrap(), squash());
    assert_eq!(
        fs::read_to_string(site.at(&format!("{name}.reference"))).unwrap(),
        record
    );
    site.program(
        "enroot",
        &format!("[[ $1 == import ]] && cp {given}/image.sqsh \"${{@: -3:1}}\""),
    );
    let (code, words) = site.run(&newer, &key);
    assert_eq!(code, Some(0), "{words}");
    assert!(site.at(&format!("{name}.other-1")).is_file(), "{words}");
    let record = fs::read_to_string(site.at(&format!("{name}.reference"))).unwrap();
    assert!(
        record.starts_with("vllm/vllm-openai:v9.9.9 96 "),
        "{record}"
    );
}

const NO_KEY: &str = "does not take the key in NGC_API_KEY";
const WAIT: &str = "takes no more pulls for now";
const NONE: &str = "has no such image";
const FULL: &str = "there is no space left, or no quota: ";

/// What enroot and podman say, and what it means.
const WORDS_OF_PULLS: &[(Runtime, &str, &str)] = &[
    (
        Runtime::Pyxis,
        "[ERROR] URL https://nvcr.io/v2/a returned error code: 401 Unauthorized",
        NO_KEY,
    ),
    (
        Runtime::Pyxis,
        "[ERROR] URL https://nvcr.io/v2/a returned error code: 404 Not Found",
        NONE,
    ),
    (
        Runtime::Pyxis,
        "[ERROR] URL https://nvcr.io/v2/a returned error code: 429 Too Many Requests",
        WAIT,
    ),
    (
        Runtime::Pyxis,
        "zstd: error 70 : Write error : cannot write block : No space left on device",
        FULL,
    ),
    (
        Runtime::Pyxis,
        "tar: big: Wrote only 9728 of 10240 bytes",
        FULL,
    ),
    (
        Runtime::Podman,
        "Error: writing blob: storing blob to file \"/var/tmp/storage1/1\": write /var/tmp/storage1/1: no space left on device",
        FULL,
    ),
    (
        Runtime::Podman,
        "Error: initializing source docker://nvcr.io/a:1: unable to retrieve auth token: invalid username/password: unauthorized",
        NO_KEY,
    ),
    (
        Runtime::Podman,
        "Error: pinging container registry nvcr.io: Get \"https://nvcr.io/v2/\": Proxy Authentication Required",
        "the proxy in https_proxy refuses",
    ),
    (
        Runtime::Podman,
        "Error: pinging container registry nvcr.io: Get \"https://nvcr.io/v2/\": Forbidden",
        "the proxy in https_proxy refuses",
    ),
    (
        Runtime::Podman,
        "Error: reading manifest 1 in docker.io/a: toomanyrequests: You have reached your pull rate limit",
        WAIT,
    ),
    (
        Runtime::Podman,
        "Error: reading manifest 1 in nvcr.io/a: manifest unknown",
        NONE,
    ),
    (
        Runtime::Pyxis,
        "[ERROR] Could not parse digest information from https://nvcr.io/v2/a/manifests/1",
        NONE,
    ),
    (
        Runtime::Podman,
        "Error: choosing an image from manifest list docker://nvcr.io/a:1: no image found in image index for architecture amd64",
        NONE,
    ),
    (
        Runtime::Podman,
        "FATAL: conveyor failed to get: no child with platform linux/amd64 in index nvcr.io/a:1",
        NONE,
    ),
    (
        Runtime::Podman,
        "Error: reading manifest 1 in nvcr.io/a: errors: denied: not yours",
        NO_KEY,
    ),
    (
        Runtime::Podman,
        "Error: during manifest conversion: a+zstd: zstd compression is not supported for docker images",
        "podman before 4.8 cannot save an image with such layers",
    ),
];

#[test]
fn why_an_image_was_not_fetched() {
    for &(runtime, words, reason) in WORDS_OF_PULLS {
        let site = Site::new();
        let said = format!("echo '{words}' >&2; exit 1");
        let said_to = |first: &str| format!("[[ $1 == {first} ]] || exit 0\n{said}");
        site.program("enroot", &said_to("import"));
        site.program(
            "podman",
            &format!("[[ $1 != image ]] || exit 1\n{}", said_to("pull")),
        );
        let mut recipe = recipe();
        recipe.server.image = "nvcr.io/nim/a:1".parse().unwrap();
        let text = script(ScriptKind::Setup, recipe, runtime);
        let (code, log) = site.run(
            &text,
            &[
                ("NGC_API_KEY", "key"),
                ("XDG_RUNTIME_DIR", "/nowhere"),
                ("ENROOT_CACHE_PATH", "relative"),
            ],
        );
        assert_eq!(code, Some(1), "{log}");
        let line = log
            .lines()
            .find(|line| line.contains("nim+a+1") && line.contains(" could not be imported from "))
            .unwrap();
        assert!(line.contains(reason), "{words}: {line}");
        if reason == FULL {
            let setting = if runtime == Runtime::Pyxis {
                "ENROOT_CACHE_PATH"
            } else {
                "TMPDIR"
            };
            assert!(
                line.contains(&format!("(to move it, set {setting})")),
                "{line}"
            );
        }
        // A login node's folder is nothing to podman here.
        assert!(
            runtime == Runtime::Pyxis || site.steps().iter().all(|step| !step.contains("/nowhere"))
        );
    }
}

/// What looks into a model needs them: without one, a model that is cut would seem to be whole.
#[test]
fn a_node_that_lacks_a_command_says_so() {
    let site = Site::new();
    for name in ["awk", "find", "flock", "grep", "od", "sed", "tail"] {
        let (command, aside) = (site.at(&format!("bin/{name}")), site.at("bin/aside"));
        fs::rename(&command, &aside).unwrap();
        let (code, words) = site.run(&prepare_models(), &[("HF_TOKEN", "token")]);
        assert_eq!(code, Some(2), "{name}: {words}");
        assert!(
            words.contains(&format!("missing: the command {name} on ")),
            "{words}"
        );
        fs::rename(aside, command).unwrap();
    }
}

/// A shard's length is what its own header promises: that of a model without an index, too. What an
/// index says of the sum is not asked, since published models have it wrong.
#[test]
fn a_shard_is_as_long_as_its_header_promises() {
    let site = Site::new();
    put_model(&site.at("model"));
    let mut recipe = recipe();
    recipe.model.weights.exclude.clear();
    recipe.model.weights.source =
        ModelSource::Path(site.at("model").to_str().unwrap().parse().unwrap());
    let files = ["config.json", "model.safetensors"].map(|file| file.parse().unwrap());
    recipe.model.weights.files = files.into();
    let said = |code, words: &str| {
        let script = script(ScriptKind::PrepareModels, recipe.clone(), Runtime::Pyxis);
        let (ended, all) = site.run(&script, &[]);
        assert_eq!(ended, Some(code), "{all}");
        assert!(all.contains(words), "no {words:?} in {all}");
    };
    let shard = fs::read(site.at("model/model-1.safetensors")).unwrap();
    let index = r#"{"metadata": {"total_size": 4000}, "weight_map": {"a": "model-1.safetensors"}}"#;
    site.put(&format!("model/{INDEX}"), index);
    site.put("model/model.safetensors", &shard);
    said(0, "nothing to do: the model in");
    site.put("model/model.safetensors", &shard[..2060]);
    said(
        1,
        "model.safetensors has 2060 bytes, its header promises 2067",
    );
    site.put("model/model.safetensors", "data");
    said(1, "model.safetensors has no safetensors header");
}

/// A file that another user keeps for himself is not damaged, and nobody fetches it again.
#[test]
fn unreadable_is_not_damaged() {
    let image = format!("stage/{}", image());
    let shard = format!("stage/{MODEL}/model-1.safetensors");
    for (script, file, hidden, said) in [
        (setup(), &image, &*image, "permission to read "),
        (setup(), &image, "stage", "permission to search "),
        (prepare_models(), &shard, &*shard, "permission to read "),
        (prepare_models(), &shard, "stage", "permission to search "),
        (
            prepare_models(),
            &shard,
            &format!("stage/{MODEL}"),
            "permission to search ",
        ),
    ] {
        let site = Site::new();
        site.put(&image, squash());
        put_model(&site.at("stage").join(MODEL));
        // One that is damaged.
        site.put(file, "x");
        let before = contents(&site.at("stage")).into_keys().collect::<Vec<_>>();
        let mode = fs::metadata(site.at(hidden)).unwrap().mode();
        site.mode(hidden, 0);
        let (code, words) = site.run(&script, &[("NGC_API_KEY", "key")]);
        site.mode(hidden, mode & 0o7777);
        assert_eq!(code, Some(2), "{hidden}: {words}");
        assert!(words.contains(&format!("missing: {said}")), "{words}");
        assert!(words.contains("its owner, for chmod "), "{words}");
        let after = contents(&site.at("stage")).into_keys().collect::<Vec<_>>();
        assert_eq!(before, after, "{words}");
    }
}

/// The owner types the `chmod` as it stands there.
#[test]
fn what_is_to_be_typed_is_one_word() {
    let site = Site::new();
    let place = site.at("models/m;id");
    let mut recipe = recipe();
    recipe.model.weights.source = ModelSource::Path(place.to_str().unwrap().parse().unwrap());
    let script = script(ScriptKind::PrepareModels, recipe, Runtime::Pyxis);
    put_model(&place);
    for (hidden, chmod, end) in [
        ("models/m;id", "a+x", "/m\\;id/\n"),
        ("models/m;id/config.json", "-R a+rX", "/m\\;id\n"),
    ] {
        let mode = fs::metadata(site.at(hidden)).unwrap().mode();
        site.mode(hidden, 0);
        let (code, words) = site.run(&script, &[]);
        site.mode(hidden, mode & 0o7777);
        assert_eq!(code, Some(2), "{words}");
        let typed = words.split_once(&format!("for chmod {chmod} "));
        let (_, typed) = typed.unwrap_or_else(|| panic!("{words}"));
        assert!(typed.contains(end), "{words}");
    }
}

/// The same for launch.sh, which uses both.
#[test]
fn unreadable_is_not_absent() {
    let image = format!("stage/{}", image());
    let shard = format!("stage/{MODEL}/model-1.safetensors");
    for hidden in [&image, &shard, "stage", &format!("stage/{MODEL}")] {
        let site = Site::new();
        for name in ["scancel", "scontrol", "seq", "sha256sum"] {
            site.program(name, "");
        }
        site.put(&image, squash());
        put_model(&site.at("stage").join(MODEL));
        site.put(&format!("stage/{MODEL}/tokenizer.json"), "{}");
        let mode = fs::metadata(site.at(hidden)).unwrap().mode();
        site.mode(hidden, 0);
        let launch = script(ScriptKind::Launch, recipe(), Runtime::Pyxis);
        let (code, words) = site.run(&launch, &[]);
        site.mode(hidden, mode & 0o7777);
        assert_eq!(code, Some(2), "{hidden}: {words}");
        let place = site.at(hidden);
        assert!(!words.contains('\u{1b}'), "{words}");
        let (_, said) = words.split_once("missing: permission to read ").unwrap();
        let said = said.lines().next().unwrap();
        assert!(said.contains(place.to_str().unwrap()), "{said}");
        assert!(
            said.ends_with(": ask its owner for chmod -R a+rX"),
            "{said}"
        );
        assert!(
            !words.contains(&format!("{} (absent", place.display()))
                && !words.contains("the complete model"),
            "{words}"
        );
    }
}

/// A recipe says what must be there; of tokenizers, each form is one.
#[test]
fn what_a_model_lacks_is_named() {
    let site = Site::new();
    for name in ["scancel", "scontrol", "seq", "sha256sum"] {
        site.program(name, "");
    }
    let mut recipe = recipe();
    let folder = site.at("models/own");
    put_model(&folder);
    let path = folder.to_str().unwrap().parse().unwrap();
    recipe.model.weights.source = ModelSource::Path(path);
    recipe.model.weights.exclude.clear();
    let shard = "Q4_K_M/model-00001-of-00002.gguf";
    recipe.model.weights.files = ["config.json", shard]
        .map(|file| file.parse().unwrap())
        .into();
    let run = |kind, recipe: &Recipe| site.run(&script(kind, recipe.clone(), Runtime::Pyxis), &[]);
    let (code, words) = run(ScriptKind::PrepareModels, &recipe);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&format!("{shard} is missing")), "{words}");
    let (_, words) = run(ScriptKind::Launch, &recipe);
    let said = format!(
        "missing: the complete model in {}: 1 files are missing, as {shard}; run prepare_models.sh or, of a model by path, copy \
         them there",
        folder.display()
    );
    assert!(words.contains(&said), "{words}");

    site.put(&format!("models/own/{shard}"), "data");
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    let (code, words) = run(ScriptKind::PrepareModels, &recipe);
    assert_eq!(code, Some(0), "{words}");
    let (_, words) = run(ScriptKind::Launch, &recipe);
    assert!(!words.contains("the complete model"), "{words}");
    let lacks = format!("missing: a tokenizer's file in {}", folder.display());
    assert!(words.contains(&lacks), "{words}");
    for name in [
        "tokenizer.model",
        "tiktoken.model",
        "vocab.json",
        "tekken.json",
    ] {
        site.put(&format!("models/own/{name}"), "data");
        let (_, words) = run(ScriptKind::Launch, &recipe);
        assert!(!words.contains(&lacks), "{name}: {words}");
        fs::remove_file(folder.join(name)).unwrap();
    }
    // One of the hub needs a token only where it is gated.
    recipe.client.tokenizer = Some("Qwen/Qwen2.5-7B-Instruct".parse().unwrap());
    let (_, words) = run(ScriptKind::Launch, &recipe);
    assert!(
        !words.contains(&lacks) && !words.contains("HF_TOKEN"),
        "{words}"
    );
}

/// Recipes choose the names of images' files: one's image is not run as another's.
#[test]
fn an_image_of_another_recipe_is_not_taken() {
    let mut hostile = recipe();
    let image = hostile.server.image.to_string();
    hostile.server.image = format!("registry.evil.example/{image}").parse().unwrap();
    assert_eq!(hostile.server.squash_file(), recipe().server.squash_file());
    for (first, second) in [(hostile.clone(), recipe()), (recipe(), hostile)] {
        let site = Site::new();
        for name in ["scancel", "scontrol", "seq", "sha256sum"] {
            site.program(name, "");
        }
        let setup = |recipe: &Recipe| script(ScriptKind::Setup, recipe.clone(), Runtime::Pyxis);
        let launch = |recipe: &Recipe| script(ScriptKind::Launch, recipe.clone(), Runtime::Pyxis);
        let key = [("NGC_API_KEY", "key")];
        for _ in 0..2 {
            let (code, words) = site.run(&setup(&first), &key);
            assert_eq!(code, Some(0), "{words}");
        }
        let another = format!("{} was fetched there", first.server.image);
        assert!(!site.run(&launch(&first), &[]).1.contains(&another));
        let (code, words) = site.run(&launch(&second), &key);
        assert_eq!(code, Some(2), "{words}");
        let said = format!("missing: {} in ", second.server.image);
        assert!(words.contains(&said) && words.contains(&another), "{words}");
        let (code, words) = site.run(&setup(&second), &key);
        assert_eq!(code, Some(0), "{words}");
        assert!(words.contains(".other-1"), "{words}");
    }
}

/// What a registry has the import say is shown without its control characters.
#[test]
fn an_import_s_words_are_shown_clean() {
    let site = Site::new();
    site.program(
        "enroot",
        "printf 'a\\033]0;title\\007b \\302\\2332J\\n' >&2; exit 1",
    );
    let (code, words) = site.run(&setup(), &[("NGC_API_KEY", "key")]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(" | a?]0;title?b ??2J"), "{words}");
    assert!(!words.contains(['\u{1b}', '\u{9b}']), "{words}");
}

/// So are those of a download, which run on a login node: names of files are its publisher's.
#[test]
fn a_download_s_words_are_shown_clean() {
    let mut of_hub = recipe();
    of_hub.model.weights.source =
        ModelSource::HuggingFace(format!("a/b@{}", "0".repeat(40)).parse().unwrap());
    for (recipe, program) in [(Recipe::llama3_70b_h100x4_fp8(), "ngc"), (of_hub, "hf")] {
        let site = Site::new();
        site.program(
            program,
            "[[ $1 != *version ]] || exit 0; printf 'a\\033]0;title\\007b \\302\\2332J\\n'; echo last >&2; exit 1",
        );
        fs::remove_file(site.at("bin/df")).unwrap();
        site.program("df", "echo 999999999999999");
        let script = script(ScriptKind::PrepareModels, recipe, Runtime::Pyxis);
        let (code, words) = site.run(&script, &[("NGC_API_KEY", "key")]);
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains("a?]0;title?b ??2J\nlast\n"), "{words}");
        let (first, said) = words.split_once("last\n").unwrap();
        assert!(
            !first.contains("ended with 1") && said.contains("ended with 1"),
            "{words}"
        );
        assert!(!words.contains(['\u{1b}', '\u{9b}']), "{words}");
    }
}

/// The same for an engine, and for a model that is there already.
#[test]
fn unreadable_models_of_other_sources() {
    let engine = "llama3-70b-instruct_v0.10.0+cbc614f5-h100x4-fp8-throughput";
    let engine = format!("stage/llama3-70b-instruct_vhf/{engine}/rank0.engine");
    let site = Site::new();
    let mut there = recipe();
    let path = site.at("there");
    there.model.weights.source = ModelSource::Path(path.to_str().unwrap().parse().unwrap());
    there.model.weights.exclude.clear();
    for (recipe, file) in [
        (Recipe::llama3_70b_h100x4_fp8(), &*engine),
        (there, "there/config.json"),
    ] {
        site.put(file, "x");
        site.mode(file, 0);
        let script = script(ScriptKind::PrepareModels, recipe, Runtime::Pyxis);
        let (code, words) = site.run(&script, &[("NGC_API_KEY", "key")]);
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains("missing: permission to read "), "{words}");
        assert!(site.at(file).exists(), "{words}");
    }
}

/// An import gets the key of its own registry, and no other secret of the user's.
#[test]
fn an_import_gets_no_other_secret() {
    const KEY: &str = "key-of-ngc";
    let secrets = [
        "HF_TOKEN",
        "GITHUB_TOKEN",
        "my_secret_word",
        "DB_PASSWORD",
        "PASSWD",
        "CREDENTIALS_OF_MINE",
        "NGC_CLI_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "OPENAI_APIKEY",
        "SSHPASS",
        "MYSQL_PWD",
    ];
    for runtime in [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman] {
        let site = Site::new();
        // vLLM's image comes from elsewhere, the client's from NGC.
        let script = script(ScriptKind::Setup, recipe(), runtime);
        let mut variables: Vec<_> = secrets.iter().map(|&name| (name, "canary")).collect();
        variables.extend([
            ("NGC_API_KEY", KEY),
            ("OWN_LOGIN", "own"),
            ("PLAIN", "plain"),
        ]);
        site.put(
            "home/.config/enroot/.credentials",
            "machine own.site login me password $OWN_LOGIN\n",
        );
        let (code, words) = site.run(&script, &variables);
        assert_eq!(code, Some(0), "{runtime}: {words}");
        let steps = site.steps();
        assert!(steps.len() >= 2, "{runtime}: {words}");
        for step in &steps {
            assert!(!step.contains("canary"), "{runtime}: {step}");
            assert!(
                step.contains("PLAIN=plain") && step.contains("OWN_LOGIN=own"),
                "{step}"
            );
        }
        let with_key = steps.iter().filter(|step| step.contains(KEY)).count();
        // podman reads it from a file.
        let expected = usize::from(runtime != Runtime::Podman);
        assert_eq!(with_key, expected, "{runtime}: {steps:?}");
    }
}

/// checksums.blake3 has b3sum read files of the model's folder and no others.
#[test]
fn checksums_name_files_of_the_folder() {
    let zeros = "0".repeat(64);
    let stray = "which is no file of the folder";
    for (list, code, said) in [
        (
            format!("{EMPTY}  sub/empty\n"),
            0,
            "comparing checksums.blake3",
        ),
        (
            format!("{zeros}  config.json"),
            1,
            "checksum of config.json: FAILED",
        ),
        (format!("{zeros}  /dev/zero\n"), 1, stray),
        (format!("{zeros}  ../outside/file\n"), 1, stray),
        (format!("{zeros}  sub/../../outside/file\n"), 1, stray),
        (format!("{zeros}  sub\n"), 1, stray),
        (format!("{zeros}  fifo\n"), 1, stray),
        (format!("{EMPTY}  sub/empty\n{zeros}  /dev/zero"), 1, stray),
        (
            format!("BLAKE3 (/dev/zero) = {zeros}\n"),
            0,
            "not as b3sum writes it",
        ),
        (
            format!("\\{zeros}  config.json\n"),
            0,
            "not as b3sum writes it",
        ),
    ] {
        let site = Site::new();
        put_model(&site.at("there"));
        site.put("there/sub/empty", "");
        site.put(&format!("there/BLAKE3 (/dev/zero) = {zeros}"), "");
        site.put("there/checksums.blake3", &list);
        make_fifo(&site.at("there/fifo"));
        let (ended, words) = site.run(&there(&site), &[]);
        assert_eq!(ended, Some(code), "{list}: {words}");
        assert!(words.contains(said), "{list}: {words}");
    }
}

/// Puts something into a stage path.
type Plant<'a> = &'a dyn Fn(&Site);

/// Names in a model's folder drive no terminal, also where its letters are more than ASCII.
#[test]
fn names_in_a_model_are_shown_clean() {
    let zeros = "0".repeat(64);
    let name = "\u{202e}\u{9b}x";
    let closed = format!("?????x/: ask {}", Site::owner());
    let cases: [(Plant<'_>, &str); 4] = [
        (
            &|site| {
                site.put(&format!("there/{name}"), "");
                site.put("there/checksums.blake3", format!("{zeros}  {name}\n"));
            },
            "checksum of ?????x: FAILED",
        ),
        (
            &|site| site.put("there/checksums.blake3", format!("{zeros}  {name}\n")),
            "checksums.blake3 names $'",
        ),
        (
            &|site| symlink("/", site.at("there").join(name)).unwrap(),
            "a link that leads out",
        ),
        (
            &|site| {
                fs::rename(site.at("there"), site.at(name)).unwrap();
                site.mode(name, 0);
                symlink(name, site.at("there")).unwrap();
            },
            &closed,
        ),
    ];
    for (put, said) in cases {
        let site = Site::new();
        put_model(&site.at("there"));
        put(&site);
        let (_, words) = site.run(&there(&site), &[("LC_ALL", "C.UTF-8")]);
        assert!(
            words.contains(said) && words.is_ascii(),
            "{said}: {words:?}"
        );
    }
}

/// Links inside a model's folder are as good as files; others are named and not followed.
#[test]
fn links_stay_in_the_model() {
    for (target, code) in [
        ("config.json", 0),
        ("sub/../config.json", 0),
        ("sub", 0),
        ("../outside/file", 2),
        ("/", 2),
        ("/dev/zero", 2),
        (".", 2),
        ("..", 2),
        ("link", 0),
        ("nowhere", 0),
        ("/nowhere", 2),
        ("fifo", 2),
    ] {
        let site = Site::new();
        put_model(&site.at("there"));
        fs::create_dir(site.at("there/sub")).unwrap();
        make_fifo(&site.at("there/fifo"));
        symlink(target, site.at("there/link")).unwrap();
        let (ended, words) = site.run(&there(&site), &[]);
        assert_eq!(ended, Some(code), "{target}: {words}");
        assert_eq!(
            words.contains("there/link, a link that"),
            code == 2,
            "{words}"
        );
    }
}

/// Who comes second while another user's prepare_models.sh is at work learns what to do.
#[test]
fn another_user_s_lock_is_named_with_what_to_do() {
    let site = Site::new();
    fs::create_dir_all(site.at("stage")).unwrap();
    make_fifo(&site.at("stage").join(format!(".{MODEL}.lock")));
    let (code, words) = site.run(&prepare_models(), &[]);
    assert_eq!(code, Some(1), "{words}");
    let to_do = "Run this again when it has ended; where none runs, remove that file first\n";
    assert!(words.ends_with(to_do), "{words}");
}

/// prepare_models.sh for a model that is there already.
fn there(site: &Site) -> String {
    let mut recipe = recipe();
    let path = site.at("there").to_str().unwrap().parse().unwrap();
    recipe.model.weights.source = ModelSource::Path(path);
    recipe.model.weights.exclude.clear();
    script(ScriptKind::PrepareModels, recipe, Runtime::Pyxis)
}

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// What a neighbour puts in a place.
#[derive(Debug, Clone)]
enum Put {
    File(&'static str),
    Folder,
    Fifo,
    /// The device that never ends.
    Zeros,
    Link(&'static str),
    Checksums(&'static str),
}

fn place(site: &Site, place: &str, put: &Put) {
    let path = site.at("stage").join(place);
    // What stands in the way was put there before, and stays.
    let Some(folder) = path.parent() else { return };
    if fs::create_dir_all(folder).is_err() || fs::symlink_metadata(&path).is_ok() {
        return;
    }
    // Never through a link of this tree.
    if !fs::canonicalize(folder).is_ok_and(|folder| folder.starts_with(site.at("stage"))) {
        return;
    }
    match put {
        Put::File(text) => fs::write(path, text).unwrap(),
        Put::Folder => fs::create_dir(path).unwrap(),
        Put::Fifo => make_fifo(&path),
        // Only root can make one.
        Put::Zeros => {
            let _ = Command::new("mknod")
                .arg(path)
                .args(["c", "1", "5"])
                .output();
        }
        Put::Link(target) => symlink(target, path).unwrap(),
        Put::Checksums(name) => fs::write(path, format!("{}  {name}\n", "0".repeat(64))).unwrap(),
    }
}

fn any_put() -> impl Strategy<Value = Put> {
    prop_oneof![
        2 => prop::sample::select(vec!["", "x", "hsqs", "{\"a\": \"config.json\"}"]).prop_map(Put::File),
        1 => Just(Put::Folder),
        2 => Just(Put::Fifo),
        1 => Just(Put::Zeros),
        5 => prop::sample::select(vec![
            "../outside/file", "../outside/folder", "../../outside/file", "../../outside/folder",
            "../../../outside/folder", "../outside/new", "../../outside/new", "/dev/zero", "/proc/kcore",
            "/", ".", "..", "loop", "config.json", "nowhere",
        ]).prop_map(Put::Link),
        2 => prop::sample::select(vec!["/dev/zero", "../../outside/file", "fifo", "config.json", "sub/x"])
            .prop_map(Put::Checksums),
    ]
}

fn any_place() -> impl Strategy<Value = String> {
    let image = image();
    let images =
        ["{}", ".{}.lock", ".{}.1.part", ".{}.7.part"].map(|name| name.replace("{}", &image));
    let part = format!(".{MODEL}.part");
    let mut places: Vec<_> = images.into();
    places.extend([
        part.clone(),
        format!("{part}/{MODEL}"),
        format!(".{MODEL}.lock"),
        "loop".into(),
    ]);
    for name in [
        "config.json",
        INDEX,
        "model-1.safetensors",
        "checksums.blake3",
        ".nim-slurm-verified",
        ".cache",
        "sub",
        "sub/x",
        "fifo",
        "loop",
    ] {
        places.extend([format!("{MODEL}/{name}"), format!("{part}/{MODEL}/{name}")]);
    }
    prop::sample::select(places)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_tree_hangs_them_or_leads_them_out(
        puts in prop::collection::vec((any_place(), any_put()), 1..12),
        is_whole in any::<bool>(),
    ) {
        let site = Site::new();
        for (name, put) in &puts {
            place(&site, name, put);
        }
        if is_whole {
            // As far as nothing is in the way.
            for name in ["config.json", INDEX, "model-1.safetensors"] {
                let text = fs::read_to_string(site.at("given/hub").join(name)).unwrap();
                let path = site.at("stage").join(MODEL).join(name);
                if fs::symlink_metadata(&path).is_err() && fs::create_dir_all(path.parent().unwrap()).is_ok()
                    && fs::canonicalize(path.parent().unwrap()).is_ok_and(|folder| folder.starts_with(site.at("stage")))
                {
                    fs::write(path, text).unwrap();
                }
            }
        }
        let before = contents(&site.at("outside"));
        for script in [setup(), prepare_models()] {
            let (code, words) = site.run(&script, &[("NGC_API_KEY", "key")]);
            // 124 and 137: it ran until it was ended.
            prop_assert!(matches!(code, Some(0..=2)), "{code:?}: {words}");
            prop_assert!(contents(&site.at("outside")) == before, "{words}");
        }
    }
}
