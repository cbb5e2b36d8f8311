//! The built-in recipes of other servers, on one node and on several, and where their
//! models come from. The servers are stand-ins that take the recipes' commands strictly;
//! hf is the real one, and talks to a hub on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use camino::Utf8Path;
use nim_slurm::ScriptKind::{Launch, PrepareModels, Setup};
use nim_slurm::recipe::{ByteSize, ModelSource};
use nim_slurm::results::Run;
use nim_slurm::{Plan, Recipe, ScriptKind};

use crate::lab::{Lab, Listening, SECRET, Site, recipe, settings, words};

/// A built-in recipe with a model, images and a sweep that fit the lab.
fn fitted(name: &str) -> Recipe {
    fit(Recipe::built_in(name).unwrap())
}

fn fit(mut fitted: Recipe) -> Recipe {
    let small = recipe();
    fitted.server.disk = small.server.disk;
    fitted.server.port = small.server.port;
    fitted.server.ready_timeout = small.server.ready_timeout;
    fitted.server.stop_timeout = 5;
    fitted.client = small.client;
    fitted.sweep = small.sweep;
    fitted.sweep.concurrency.truncate(1);
    fitted.model.weights.size = ByteSize::parse("100 kB").unwrap();
    fitted
}

/// The images of a recipe below a site's stage path.
fn put_images(lab: &Lab, site: &Site, recipe: &Recipe) {
    fs::create_dir_all(site.stage()).unwrap();
    for (image, file) in [
        (
            "nim+meta+llama3-70b-instruct+1.0.3.sqsh",
            recipe.server.squash_file(),
        ),
        (
            "nvidia+tritonserver+25.01-py3-sdk.sqsh",
            recipe.client.squash_file(),
        ),
    ] {
        let place = site.stage().join(file.as_str());
        let _ = fs::remove_file(&place);
        fs::hard_link(lab.folder().join("registry").join(image), place).unwrap();
    }
}

/// A small model as the hub has it: two shards with true headers, an index, a tokenizer.
fn make_model(folder: &Path) {
    fs::create_dir_all(folder.join("original")).unwrap();
    let mut map = Vec::new();
    for (number, length) in [(1, 60_000), (2, 40_000)] {
        let shard = format!("model-0000{number}-of-00002.safetensors");
        let header = format!(
            "{{\"layer{number}.weight\":{{\"dtype\":\"U8\",\"shape\":[{length}],\"data_offsets\":[0,{length}]}}}}"
        );
        let mut bytes = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + length, 0);
        fs::write(folder.join(&shard), bytes).unwrap();
        map.push(format!("\"layer{number}.weight\": \"{shard}\""));
    }
    let index = format!(
        "{{\"metadata\": {{\"total_size\": 100000}}, \"weight_map\": {{{}}}}}",
        map.join(", ")
    );
    for (name, text) in [
        ("model.safetensors.index.json", index.as_str()),
        ("config.json", "{}\n"),
        ("generation_config.json", "{}\n"),
        ("special_tokens_map.json", "{}\n"),
        ("tokenizer_config.json", "{}\n"),
        ("tokenizer.json", "{}\n"),
        ("original/consolidated.00.pth", "as large again"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// A hub on this machine, until the end of a test.
struct Hub {
    _server: Listening,
    folder: PathBuf,
    endpoint: String,
}

impl Hub {
    /// A hub that has the model of a recipe.
    fn with_model_of(site: &Site, recipe: &Recipe) -> Self {
        let ModelSource::HuggingFace(model) = &recipe.model.weights.source else {
            panic!("not from the hub: {recipe:?}");
        };
        let folder = site.folder.join("hub");
        let repository = folder.join(model.repository());
        make_model(&repository);
        let beside = |ending: &str| folder.join(format!("{}.{ending}", model.repository()));
        fs::write(beside("commit"), model.revision()).unwrap();
        fs::write(beside("gate"), SECRET).unwrap();
        let mut command = Command::new("python3");
        command.args(["tests/lab/hub.py", "0"]).arg(&folder);
        let server = Listening::start("hub", &mut command);
        Self {
            folder,
            endpoint: format!("http://127.0.0.1:{}", server.port),
            _server: server,
        }
    }
}

/// A site of a recipe, and a hub that has its model, whose token the site knows.
fn site_with_hub(lab: &Lab, name: &str, recipe: &Recipe) -> (Site, Hub) {
    let mut site = Site::new(name, recipe.clone());
    let hub = Hub::with_model_of(&site, recipe);
    let path = format!("{}/hf/bin:{}", lab.folder().display(), lab.path());
    site.set("PATH", &path);
    site.set("HF_ENDPOINT", &hub.endpoint);
    site.set("HF_TOKEN", SECRET);
    (site, hub)
}

fn model_folder(site: &Site, recipe: &Recipe) -> PathBuf {
    site.stage().join(recipe.model.weights.folder())
}

/// Runs the launch job to its end; all points must be valid.
fn launch(lab: &Lab, site: &Site, recipe: &Recipe) -> String {
    put_images(lab, site, recipe);
    let ended = site.job(lab, Launch);
    ended.assert(0, "exit 0: all points are finished");
    let run = Run::read(Utf8Path::from_path(&site.results()).unwrap()).unwrap();
    let points = run.points().iter();
    let own = points.filter(|point| point.run().is_some_and(|run| run.as_str() == ended.id));
    assert_eq!(own.clone().count(), recipe.sweep.points().len());
    for point in own {
        assert_eq!(point.gpus(), Some(recipe.server.total_gpus()));
        assert_eq!(point.model(), Some(recipe.result_name().as_str()));
    }
    site.log("server", &ended.id)
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn servers_of_a_model_from_the_hub() {
    let lab = Lab::enter_first();
    let first = fitted("llama3-3-70b-h100x4-vllm");
    let (site, _hub) = site_with_hub(&lab, "servers", &first);
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    for (name, program) in [
        ("llama3-3-70b-h100x4-vllm", "lab vLLM:"),
        ("llama3-3-70b-h100x4-sglang", "lab SGLang:"),
        ("llama3-3-70b-h100x4-trtllm", "lab TensorRT-LLM:"),
    ] {
        let recipe = fitted(name);
        site.render(recipe.clone(), settings(""));
        let log = launch(&lab, &site, &recipe);
        assert!(
            log.contains(program) && log.contains("gpus 0,1,2,3"),
            "{log}"
        );
    }
    site.assert_no_secret_but_in(&["hub"]);
}

/// The setup job asks for the images of such a recipe as it does for others.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn images_of_another_server() {
    let lab = Lab::enter();
    let recipe = fitted("llama3-3-70b-h100x4-vllm");
    let site = Site::new("server_images", recipe);
    // The lab's Docker Hub has no image: the job says which one is not there.
    let ended = site.job(&lab, Setup);
    ended.assert(
        1,
        "vllm+vllm-openai+v0.9.2.sqsh could not be imported from docker://",
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn model_from_the_hub() {
    let lab = Lab::enter();
    let recipe = fitted("llama3-3-70b-h100x4-vllm");
    let (mut site, hub) = site_with_hub(&lab, "hub_model", &recipe);
    let model = model_folder(&site, &recipe);

    // Who has no token is told so, and gets nothing.
    site.set("HF_TOKEN", "");
    let output = site.bash(&lab, PrepareModels);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("the hub wants HF_TOKEN: "),
        "{}",
        words(&output)
    );
    assert!(!model.exists());

    // What is left of a download that did not end is no model, whatever it has; and what hf never takes up again
    // takes no space.
    site.set("HF_TOKEN", SECRET);
    site.set("HF_ENDPOINT", "http://127.0.0.1:9");
    let name = recipe.model.weights.folder();
    let part = site.stage().join(format!(".{name}.part")).join(name);
    make_model(&part);
    let notes = part.join(".cache/huggingface/download");
    fs::create_dir_all(&notes).unwrap();
    fs::write(notes.join("a.b.0123abcd.incomplete"), "never").unwrap();
    fs::write(notes.join("a.b.incomplete"), "once more").unwrap();
    let output = site.bash(&lab, PrepareModels);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("downloading the weights"),
        "{}",
        words(&output)
    );
    assert!(!model.exists() && !notes.join("a.b.0123abcd.incomplete").exists());
    assert!(notes.join("a.b.incomplete").exists());
    fs::remove_dir_all(&part).unwrap();
    site.set("HF_ENDPOINT", &hub.endpoint);

    // A shard that is cut off is not taken for whole, whoever continues it.
    fs::write(hub.folder.join("cut"), "").unwrap();
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    assert!(
        words(&output).contains("done: the model in"),
        "{}",
        words(&output)
    );
    let shard = model.join("model-00001-of-00002.safetensors");
    let whole = fs::read(&shard).unwrap();
    assert!(whole.len() > 60_000);
    assert!(!model.join("original").exists() && !model.join(".cache").exists());
    site.assert_no_secret_but_in(&["hub"]);

    // Again: nothing is to be done, and no hub is asked.
    site.set("HF_ENDPOINT", "http://127.0.0.1:9");
    let output = site.bash(&lab, PrepareModels);
    assert!(
        output.status.success() && words(&output).contains("nothing to do"),
        "{}",
        words(&output)
    );

    // Damage is found by the shard's own header, and fixed without losing the rest.
    fs::write(&shard, &whole[..whole.len() / 2]).unwrap();
    let output = site.bash(&lab, PrepareModels);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(
        words(&output).contains("its header promises"),
        "{}",
        words(&output)
    );
    site.set("HF_ENDPOINT", &hub.endpoint);
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(fs::read(&shard).unwrap(), whole);
    assert!(
        site.stage()
            .join(format!("{}.incomplete-1", recipe.model.weights.folder()))
            .exists()
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn model_that_is_there() {
    let lab = Lab::enter();
    let mut recipe = fitted("llama3-3-70b-h100x4-vllm");
    let site = Site::new("model_there", recipe.clone());
    let folder = site.folder.join("models/llama");
    recipe.model.weights.source = ModelSource::Path(folder.to_str().unwrap().parse().unwrap());
    recipe.model.weights.exclude.clear();
    site.render(recipe.clone(), settings(""));
    let said = |code: i32, sentence: &str| {
        let output = site.bash(&lab, PrepareModels);
        assert_eq!(output.status.code(), Some(code), "{}", words(&output));
        assert!(words(&output).contains(sentence), "{}", words(&output));
    };
    said(1, "is incomplete: there is no such folder");
    make_model(&folder);
    said(0, "nothing to do: the model in");
    let names = |folder: &Path| fs::read_dir(folder).unwrap().count();
    let before = names(&folder);
    let log = launch(&lab, &site, &recipe);
    assert!(log.contains(folder.to_str().unwrap()), "{log}");
    assert_eq!(
        names(&folder),
        before,
        "someone else's folder stays as it was"
    );

    let shard = folder.join("model-00002-of-00002.safetensors");
    fs::rename(&shard, site.folder.join("blob")).unwrap();
    said(1, "model-00002-of-00002.safetensors is missing");
    // As in a cache of the hub, which a container would see in part.
    std::os::unix::fs::symlink(site.folder.join("blob"), &shard).unwrap();
    said(2, "a link that leads out of that folder");
}

/// A server that no code of the crate knows: its recipe is a TOML file.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_sixth_server_is_a_file() {
    let lab = Lab::enter();
    let mut recipe = fit(Recipe::read("tests/data/recipes/llama-cpp.toml").unwrap());
    let site = Site::new("sixth_server", recipe.clone());
    let folder = site.folder.join("models");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("llama-3.3-70b-instruct-q4_k_m.gguf"),
        vec![0; 100_000],
    )
    .unwrap();
    recipe.model.weights.source = ModelSource::Path(folder.to_str().unwrap().parse().unwrap());
    site.render(recipe.clone(), settings(""));
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    let log = launch(&lab, &site, &recipe);
    assert!(log.contains("lab llama.cpp:"), "{log}");
}

/// The recipe for two nodes, with its model in place.
fn deepseek(lab: &Lab, name: &str) -> (Site, Recipe) {
    let recipe = fitted("deepseek-r1-h100x16-nim");
    let site = Site::new(name, recipe.clone());
    site.put_model(lab);
    put_images(lab, &site, &recipe);
    (site, recipe)
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn one_server_on_two_nodes() {
    let lab = Lab::enter();
    let (mut site, mut recipe) = deepseek(&lab, "two_nodes");
    // The leader takes longer to end than the other task, and has the time for it.
    site.set("LAB_NIM_ARGS", "--term-delay 8");
    recipe.server.stop_timeout = 20;
    site.render(recipe.clone(), settings(""));
    let log = launch(&lab, &site, &recipe);
    assert!(log.contains("SIGTERM served"), "{log}");
    for rank in 0..2 {
        let line = format!(
            "{rank}: lab NIM: rank {rank} of 2, leader 127.0.0.1, role {}, node node{}, gpus 0,1,2,3,4,5,6,7",
            1 - rank,
            rank + 1
        );
        assert!(log.contains(&line), "no {line:?} in {log}");
    }
    let points = site.points_of("deepseek-r1");
    assert!(
        points
            .iter()
            .all(|point| point.starts_with("deepseek-r1_16_")),
        "{points:?}"
    );
    // Nobody's task is left on either node.
    let id = points[0].rsplit('_').next().unwrap();
    assert_eq!(lab.job_field(id, "NumNodes"), "2");
    assert_eq!(site.manifest(id)["node"], "node[1-2]");
    assert_eq!(site.manifest(id)["gpus"], 16);
    // Both nodes' GPUs were sampled: GPU N of the lab draws 300 + 10 N watts.
    let results = site.results();
    let run = Run::read(Utf8Path::from_path(&results).unwrap()).unwrap();
    for (rank, node) in ["node1", "node2"].into_iter().enumerate() {
        let file = results.join(format!("telemetry_{id}.0.{rank}.csv"));
        let text = fs::read_to_string(file).unwrap();
        assert!(text.starts_with(&format!("\n#{node},")), "{text}");
    }
    for point in run.points() {
        let energy = point
            .energy()
            .unwrap_or_else(|why| panic!("{}: {why}", point.path()));
        assert_eq!(energy.gpus(), 16);
        assert!((energy.watts() - 2.0 * 2680.0).abs() < 0.1, "{energy:?}");
    }
}

/// The death of either task is the server's, whatever status it ends with.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_task_on_the_other_node_dies() {
    let lab = Lab::enter();
    for (status, seconds) in [(1, 60), (0, 60)] {
        let (mut site, _) = deepseek(&lab, "two_nodes_dying");
        site.set("LAB_NIM_WORKER", &format!("3:{status}"));
        // The leader would run on.
        site.set("LAB_NIM_ARGS", "--startup-delay 300");
        let ended = site.job(&lab, Launch);
        ended.assert(3, "before the sweep was over");
        assert!(ended.took.as_secs() < seconds, "{:?}", ended.took);
    }
}

/// Fewer nodes than the server needs are found before any of them is used.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn too_few_nodes() {
    let lab = Lab::enter();
    let (site, _) = deepseek(&lab, "too_few_nodes");
    let ended = site.submit_with(&lab, Launch, &["--nodes=1"]).wait();
    ended.assert(2, "nodes: the server uses 2, Slurm gave this job 1");
}

/// The README says so. The first recipe is that of all other tests of the lab.
#[test]
fn each_built_in_recipe_is_run() {
    for name in &Recipe::BUILT_IN[1..] {
        assert!(
            include_str!("servers.rs").contains(&format!("\"{name}\"")),
            "no test of tests/slurm/servers.rs runs the server of {name}"
        );
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn every_built_in_recipe_is_taken_by_sbatch() {
    let lab = Lab::enter();
    let settings = settings("");
    for name in Recipe::BUILT_IN {
        let plan = Plan::new(Recipe::built_in(name).unwrap(), settings.clone()).unwrap();
        let site = Site::new("built_in", Recipe::built_in(name).unwrap());
        for kind in ScriptKind::ALL {
            plan.script(kind)
                .write_to(Utf8Path::from_path(&site.folder).unwrap())
                .unwrap();
            let output = site
                .command(&lab, "sbatch")
                .args(["--test-only", kind.file_name()])
                .output()
                .unwrap();
            assert!(output.status.success(), "{name}: {}", words(&output));
        }
    }
}
