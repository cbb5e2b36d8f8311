//! The rendered scripts on a real Slurm: real slurmctld, slurmd, sbatch, srun and
//! GenAI-Perf, and stand-ins for what cannot be had (tests/lab/README.md).
//!
//! These tests need root, Debian's packages and a minute for the images, so they
//! are ignored unless asked for: `tests/run`, or
//! `cargo test --test slurm -- --ignored NAME` for one.

mod arrays;
mod attacks;
mod clients;
#[path = "../common/cluster.rs"]
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod ending;
mod faults;
mod follow;
mod grammar;

mod lab;
mod loads;
mod newer;
mod preemption;
mod prefix_cache;
mod preflight;
mod repeats;
mod replicas;
mod runtimes;
mod search;
mod servers;
mod share;
mod site;
mod status;
mod submit;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use nim_slurm::ScriptKind::{Launch, PrepareModels, Setup};
use nim_slurm::recipe::Word;
use nim_slurm::results::{Metric, Run, Statistic};

use crate::common::PROGRAM;
use crate::lab::{Lab, SECRET, Site, recipe, run, words};

fn words_of(list: &[&str]) -> Vec<Word> {
    list.iter().map(|word| word.parse().unwrap()).collect()
}

/// The time behind `label` in a log, in seconds.
#[track_caller]
fn time_after(log: &str, label: &str) -> f64 {
    let (_, rest) = log
        .split_once(label)
        .unwrap_or_else(|| panic!("no {label:?} in {log}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

/// The path that a user takes: flags, three scripts, results.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn whole_recipe() {
    let lab = Lab::enter();
    let mut site = Site::new("whole_recipe", recipe());
    site.set("LAB_NIM_ARGS", "--startup-delay 3");
    let files = site.folder.join("files");
    fs::create_dir(&files).unwrap();
    fs::write(files.join("recipe.toml"), recipe().to_toml()).unwrap();
    fs::write(
        files.join("settings.toml"),
        "slurm = { gres = 'gpu:8' }\nsrun = { mpi = 'none' }",
    )
    .unwrap();
    let printed = run(lab.command(PROGRAM).current_dir(&site.folder).args([
        "render",
        "--recipe",
        "files/recipe.toml",
        "--settings",
        "files/settings.toml",
        "--partition",
        "batch",
        ".",
    ]));
    assert!(printed.contains("sbatch ./launch.sh"), "{printed}");

    let setup = site.job(&lab, Setup);
    setup.assert(0, "done: all images are in");
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    let model = site.stage().join("llama3-70b-instruct_vhf");
    assert_eq!(
        fs::read_link(model.join("trtllm_engine")).unwrap().to_str(),
        Some("llama3-70b-instruct_v0.10.0+cbc614f5-h100x4-fp8-throughput")
    );

    let job = site.submit(&lab, Launch);
    let command_lines = std::cell::RefCell::new(String::new());
    job.wait_until("the last point", || {
        // ps, as any user of the node has it.
        command_lines
            .borrow_mut()
            .push_str(&run(lab.command("ps").args(["-eo", "args"])));
        job.printed().contains("points are in")
    });
    let ended_at = std::cell::Cell::new(SystemTime::now());
    job.wait_until("the end", || {
        ended_at.set(SystemTime::now());
        lab.job_field(&job.id, "JobState") != "RUNNING"
    });
    let ended = job.wait();
    ended.assert(0, "exit 0: all points are finished");
    assert_eq!(ended.state, "COMPLETED");
    let id = &ended.id;

    check_results(&site, id);
    check_manifest(&site, id);
    for words in [
        " % of the time from ready",
        "measured for less than 10 s, which is too short: 4 of 4 points",
    ] {
        assert!(ended.output.contains(words), "{}", ended.output);
    }

    // GPUs do not idle.
    let (server, client) = (site.log("server", id), site.log("benchmarking", id));
    let gap = time_after(&client, "genai-perf start ") - time_after(&server, "ready at ");
    let last = site.results().join(format!(
        "llama-3-70b-instruct_4_1_summarization_64_24_{id}/profile_export_genai_perf.csv"
    ));
    let last = fs::metadata(last).unwrap().modified().unwrap();
    let tail = ended_at.get().duration_since(last).unwrap();
    println!(
        "from ready to GenAI-Perf's start: {gap:.2} s; from the last result to the job's end: {tail:.2?}"
    );
    // It starts while the server loads.
    assert!(gap < 2.0, "{gap} s from ready to GenAI-Perf's start");
    assert!(
        tail < Duration::from_secs(10),
        "{tail:?} from the last result to the job's end"
    );
    assert!(server.contains("gpus 0,1,2,3"), "{server}");
    let cpus = std::thread::available_parallelism().unwrap();
    assert!(server.contains(&format!(" on {cpus} CPUs\n")), "{server}");
    assert!(
        server.contains("SIGTERM"),
        "the server was stopped gently: {server}"
    );

    // The secret is nowhere.
    let job_record = run(lab.command("scontrol").args(["show", "job", id]));
    for text in [&job_record, &words(&output), &command_lines.borrow()] {
        assert!(!text.contains(SECRET), "{text}");
    }
    site.assert_no_secret();
}

fn check_results(site: &Site, id: &str) {
    let expected: Vec<_> = [
        "1_chat_32_16",
        "1_summarization_64_24",
        "2_chat_32_16",
        "2_summarization_64_24",
    ]
    .map(|point| format!("llama-3-70b-instruct_4_{point}_{id}"))
    .into();
    assert_eq!(site.points(), expected);
    for point in &expected {
        let table = site
            .results()
            .join(point)
            .join("profile_export_genai_perf.csv");
        let table = fs::read_to_string(table).unwrap();
        assert!(table.starts_with("Metric,avg,min,max,p99"), "{table}");
        assert!(table.contains("Request Count (count),8.00"), "{table}");
    }
    let left: Vec<_> = fs::read_dir(site.results())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(
        left.len(),
        6,
        "four points, the manifest and the samples: {left:?}"
    );
    check_report(site, id);
}

/// The crate reads what its own scripts and the real GenAI-Perf left.
fn check_report(site: &Site, id: &str) {
    let results = camino::Utf8PathBuf::from_path_buf(site.results()).unwrap();
    let run = Run::read_jobs(results, &[id.parse().unwrap()]).unwrap();
    assert!(run.problems().is_empty(), "{:?}", run.problems());
    let shown: Vec<_> = run
        .points()
        .iter()
        .map(|point| (point.use_case(), point.concurrency(), point.gpus()))
        .collect();
    let (chat, summarization) = (Some("chat"), Some("summarization"));
    assert_eq!(
        shown,
        [
            (chat, Some(1), Some(4)),
            (chat, Some(2), Some(4)),
            (summarization, Some(1), Some(4)),
            (summarization, Some(2), Some(4)),
        ]
    );
    for point in run.points() {
        let value = |metric| point.value(metric, Statistic::Avg).unwrap();
        let asked = f64::from(point.output_tokens().unwrap());
        assert!((value(Metric::OutputSequenceLength) - asked).abs() <= 0.2 * asked);
        assert!(value(Metric::RequestCount) > 7.5);
        assert!(value(Metric::TimeToFirstToken) > 0.0 && value(Metric::InterTokenLatency) > 0.0);
    }
}

fn check_manifest(site: &Site, id: &str) {
    let manifest = site.manifest(id);
    assert_eq!(manifest["schema"], 1);
    assert_eq!(manifest["exit_code"], 0);
    assert_eq!(manifest["job_id"], id);
    assert_eq!(manifest["node"], "node1");
    assert_eq!(manifest["crate_version"], env!("CARGO_PKG_VERSION"));
    assert!(manifest["images"]["server"]["bytes"].as_u64().unwrap() > 1_000_000);
    let share = manifest["in_flight_percent"].as_u64().unwrap();
    assert!((1..=100).contains(&share), "{manifest}");
    let points = manifest["points"].as_array().unwrap();
    assert_eq!(points.len(), 4);
    for point in points {
        assert!(
            point["status"] == "finished" && point["seconds"].as_u64().is_some(),
            "{point}"
        );
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn setup_again_changes_nothing() {
    let lab = Lab::enter();
    let site = Site::new("setup_again", recipe());
    site.job(&lab, Setup).assert(0, "done: all images are in");
    // The digest is written down that the registry told.
    let image = "nim+meta+llama3-70b-instruct+1.0.3.sqsh";
    let told = lab.folder().join(format!("registry/{image}.inputs"));
    let told = fs::read_to_string(told).unwrap();
    let length = fs::metadata(site.stage().join(image)).unwrap().len();
    assert_eq!(
        fs::read_to_string(site.stage().join(format!("{image}.reference"))).unwrap(),
        format!(
            "{}@sha256:{} {length} amd64\n",
            recipe().server.image,
            told.trim()
        )
    );
    let snapshot = || {
        let mut files: Vec<_> = fs::read_dir(site.stage())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let data = entry.metadata().unwrap();
                (
                    entry.file_name(),
                    data.ino(),
                    data.mtime(),
                    data.mtime_nsec(),
                    data.len(),
                )
            })
            .collect();
        files.sort();
        files
    };
    let before = snapshot();
    // Each with what it is beside it.
    assert_eq!(before.len(), 4, "{before:?}");

    // The login was a file of its own, and went with the job.
    let calls = fs::read_to_string(lab.folder().join("calls.log")).unwrap();
    let used = calls
        .lines()
        .rev()
        .find_map(|line| line.split_once("enroot credentials "));
    let file = used.unwrap().1.split(':').next().unwrap();
    assert!(!file.starts_with(site.folder.to_str().unwrap()), "{file}");
    assert!(!std::path::Path::new(file).exists(), "{file}");

    let again = site.job(&lab, Setup);
    again.assert(0, "nothing to do: all images are in");
    assert!(again.took < Duration::from_secs(10), "{:?}", again.took);
    assert_eq!(snapshot(), before);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn two_setups_share_the_work() {
    let lab = Lab::enter();
    let mut site = Site::new("two_setups", recipe());
    site.set("LAB_ENROOT_DELAY", "2");
    let (first, second) = (site.submit(&lab, Setup), site.submit(&lab, Setup));
    first.wait().assert(0, "done: all images are in");
    second.wait().assert(0, "all images are in");
    let left: Vec<_> = fs::read_dir(site.stage())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn setup_after_a_kill() {
    let lab = Lab::enter();
    let mut site = Site::new("setup_kill", recipe());
    site.set("LAB_ENROOT_DELAY", "30");
    let stage = site.stage();
    let killed = site.submit(&lab, Setup);
    let parts = || {
        let entries = fs::read_dir(&stage).into_iter().flatten();
        entries
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|e| e == "part")
            })
            .count()
    };
    killed.wait_until("two parts", || parts() == 2);
    run(lab
        .command("scancel")
        .args(["--signal=KILL", "--full", &killed.id]));
    let id = killed.wait().id;
    // Slurm may leave the script the time to remove its parts; a node that dies
    // does not.
    let part = format!(".nvidia+tritonserver+25.01.sqsh.{id}.part");
    fs::write(site.stage().join(part), "half an image").unwrap();
    // A file that an earlier crash cut off, under its final name.
    fs::write(
        site.stage().join("nvidia+tritonserver+25.01.sqsh"),
        b"hsqs and no more",
    )
    .unwrap();
    site.set("LAB_ENROOT_DELAY", "0");
    let again = site.job(&lab, Setup);
    again.assert(0, "left by an import that was killed");
    again.assert(0, "nvidia+tritonserver+25.01.sqsh.damaged-1");
    assert_eq!(parts(), 0);
    assert!(
        fs::metadata(site.stage().join("nvidia+tritonserver+25.01.sqsh"))
            .unwrap()
            .len()
            > 1_000_000
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn setup_without_a_login() {
    let lab = Lab::enter();
    let mut site = Site::new("setup_login", recipe());
    site.variables.remove("NGC_API_KEY");
    site.job(&lab, Setup)
        .assert(2, "missing: a login for nvcr.io");
    // The user's own login serves as well.
    let config = site.folder.join("home/.config/enroot");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join(".credentials"),
        format!("machine nvcr.io login $oauthtoken password {SECRET}\n"),
    )
    .unwrap();
    site.job(&lab, Setup).assert(0, "done: all images are in");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn setup_from_a_mirror_needs_no_login() {
    let lab = Lab::enter();
    let settings = "slurm = { partition = 'batch' }\ncontainer = { registries = { 'nvcr.io' = 'mirror.site:5000' } }";
    let mut site = Site::with_settings(
        "setup_mirror",
        recipe(),
        nim_slurm::Settings::from_toml(settings).unwrap(),
    );
    site.variables.remove("NGC_API_KEY");
    site.job(&lab, Setup).assert(0, "done: all images are in");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn setup_with_one_image_that_fails() {
    let lab = Lab::enter();
    let mut recipe = recipe();
    recipe.client.image = "nvcr.io/nvidia/no-such-image:1".parse().unwrap();
    let site = Site::new("setup_failure", recipe);
    let ended = site.job(&lab, Setup);
    ended.assert(1, "1 of 2 images failed");
    ended.assert(1, "404 Not Found");
    assert!(
        site.stage()
            .join("nim+meta+llama3-70b-instruct+1.0.3.sqsh")
            .exists(),
        "the other one is kept"
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn setup_without_space() {
    let lab = Lab::enter();
    let mut recipe = recipe();
    recipe.server.disk = "900 TiB".parse().unwrap();
    Site::new("setup_space", recipe)
        .job(&lab, Setup)
        .assert(2, "missing: free space in");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn models_that_did_not_arrive() {
    let lab = Lab::enter();
    let mut site = Site::new("models", recipe());
    for (fault, sentence) in [
        ("short", "an old NGC CLI claims success after a few KB"),
        ("shard", "safetensors is missing"),
        ("truncate", "its header promises 4580000"),
        ("fail", "ngc ended with 3"),
        ("kill", "ngc ended with 137"),
        // The weights are whole by now, and the engine is not.
        ("checksum", "checksum of rank"),
    ] {
        site.set("LAB_NGC_FAULT", fault);
        let output = site.bash(&lab, PrepareModels);
        assert_eq!(output.status.code(), Some(1), "{fault}: {}", words(&output));
        assert!(
            words(&output).contains(sentence),
            "{fault}: {}",
            words(&output)
        );
        assert!(
            !site
                .stage()
                .join("llama3-70b-instruct_vhf/trtllm_engine")
                .exists()
        );
    }
    site.variables.remove("LAB_NGC_FAULT");
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    assert!(
        words(&output).contains("the weights are complete"),
        "{}",
        words(&output)
    );
    // As a job, with nothing to do and so no key.
    site.variables.remove("NGC_API_KEY");
    site.job(&lab, PrepareModels)
        .assert(0, "nothing to do: the model in");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn models_without_what_they_need() {
    let lab = Lab::enter();
    let mut recipe = recipe();
    recipe.model.weights.size = "900 TiB".parse().unwrap();
    let mut site = Site::new("models_needs", recipe);
    site.variables.remove("NGC_API_KEY");
    let output = site.bash(&lab, PrepareModels);
    assert_eq!(output.status.code(), Some(2));
    for missing in ["missing: an NGC key", "missing: free space"] {
        assert!(words(&output).contains(missing), "{}", words(&output));
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn models_as_the_published_recipe_left_them() {
    let lab = Lab::enter();
    let site = Site::new("models_published", recipe());
    site.put_model(&lab);
    let model = site.stage().join("llama3-70b-instruct_vhf");
    let engine = model.join("llama3-70b-instruct_v0.10.0+cbc614f5-h100x4-fp8-throughput");
    fs::remove_file(model.join("trtllm_engine")).unwrap();
    fs::rename(&engine, model.join("trtllm_engine")).unwrap();
    let output = site.bash(&lab, PrepareModels);
    assert!(
        output.status.success() && words(&output).contains("done: the model"),
        "{}",
        words(&output)
    );
    assert!(engine.is_dir() && model.join("trtllm_engine").is_symlink());
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn all_that_is_missing_is_named_at_once() {
    let lab = Lab::enter();
    let site = Site::new("missing", recipe());
    fs::create_dir_all(site.stage()).unwrap();
    let ended = site.job(&lab, Launch);
    for missing in [
        "nvidia+tritonserver+25.01.sqsh",
        "nim+meta+llama3-70b-instruct+1.0.3.sqsh",
        "missing: the complete model in",
    ] {
        ended.assert(2, missing);
    }
    assert!(!site.results().exists(), "nothing was begun");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn image_missing() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "image_missing", recipe());
    fs::remove_file(site.stage().join("nvidia+tritonserver+25.01.sqsh")).unwrap();
    site.job(&lab, Launch).assert(
        2,
        "nvidia+tritonserver+25.01.sqsh (absent or damaged): submit setup.sh",
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn server_dies_while_loading() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "dies_loading", recipe());
    site.set("LAB_NIM_ARGS", "--startup-delay 300 --die-before-ready 2");
    let ended = site.job(&lab, Launch);
    ended.assert(
        3,
        "exit 3: the server exited with status 1 before the sweep was over",
    );
    ended.assert(3, "the last lines of");
    assert_eq!(ended.state, "FAILED");
    assert_eq!(site.manifest(&ended.id)["exit_code"], 3);
    // Its model would load for much longer.
    assert!(ended.took < Duration::from_secs(60), "{:?}", ended.took);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn server_dies_in_the_sweep() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "dies_in_sweep", recipe());
    // Two points are eight requests each, after two that warm up; one more is the readiness check.
    site.set("LAB_NIM_ARGS", "--die-after-requests 24");
    let ended = site.job(&lab, Launch);
    ended.assert(
        3,
        "exit 3: the server exited with status 1 before the sweep was over",
    );
    ended.assert(3, "2 of 4 points are in");
    assert_eq!(site.points().len(), 2);
    let manifest = site.manifest(&ended.id);
    let finished = manifest["points"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|point| point["status"] == "finished")
        .count();
    assert_eq!(finished, 2, "{manifest}");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn server_never_ready() {
    let lab = Lab::enter();
    let mut recipe = recipe();
    recipe.server.ready_timeout = 4;
    let mut site = Site::ready(&lab, "never_ready", recipe);
    site.set("LAB_NIM_ARGS", "--startup-delay 1000");
    let ended = site.job(&lab, Launch);
    ended.assert(4, "exit 4: the server was not ready within 4 s");
    ended.assert(4, "/v1/health/ready answers 503");
    // What Slurm writes into its log when it is stopped is no cause.
    assert!(site.log("server", &ended.id).contains("CANCELLED AT"));
    ended.assert(4, "  | no line looks like it");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn one_point_fails() {
    let lab = Lab::enter();
    let use_cases = ["chat:32/16", "summarization:400/16"].map(|text| text.parse().unwrap());
    let mut site = Site::ready(&lab, "one_fails", recipe().with_use_cases(use_cases));
    // As a model whose context is too short for one of the use cases.
    site.set("LAB_NIM_ARGS", "--max-prompt-words 150");
    let ended = site.job(&lab, Launch);
    ended.assert(5, "points failed");
    ended.assert(
        5,
        "failed: summarization 400/16, concurrency 2: GenAI-Perf exited with status 1",
    );
    assert_eq!(site.points().len(), 2);
    let manifest = site.manifest(&ended.id);
    assert_eq!(manifest["points"][1]["status"], "failed", "{manifest}");
    assert!(
        site.results().join(format!("failed_{}", ended.id)).is_dir(),
        "what it left is kept"
    );
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn genai_perf_hangs() {
    let lab = Lab::enter();
    let mut recipe = recipe().with_use_cases(["chat:32/16".parse().unwrap()]);
    recipe.sweep.point_timeout = 12;
    let mut site = Site::ready(&lab, "hangs", recipe);
    site.set("LAB_GENAI_FAULT", "hang:2");
    let ended = site.job(&lab, Launch);
    ended.assert(5, "points failed");
    ended.assert(5, "GenAI-Perf did not end within 12 s");
    assert_eq!(site.points().len(), 1);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn results_that_only_look_like_some() {
    let lab = Lab::enter();
    for (fault, sentence) in [
        ("missing-table", "says that no tokens were generated"),
        (
            "zero-tokens",
            "gives 0.00 tokens as the average output, 16 were asked for",
        ),
        ("short-count", "counts 7.00 requests, 8 were asked for"),
    ] {
        let recipe = recipe()
            .with_use_cases(["chat:32/16".parse().unwrap()])
            .with_concurrency([1]);
        let mut site = Site::ready(&lab, "looks_like", recipe);
        site.set("LAB_GENAI_FAULT", fault);
        let ended = site.job(&lab, Launch);
        ended.assert(5, sentence);
        assert_eq!(site.points(), Vec::<String>::new());
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn cancelled_and_requeued() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "requeued", recipe());
    let job = site.submit(&lab, Launch);
    job.wait_until("the first point", || site.points().len() == 1);
    run(lab.command("scontrol").args(["requeue", &job.id]));
    job.wait_until("the manifest", || site.exit_code(&job.id) == Some(6));
    assert_eq!(
        site.manifest(&job.id)["exit_reason"],
        "stopped by signal TERM"
    );
    let first_point = site.points().remove(0);
    let inode = || {
        fs::metadata(site.results().join(&first_point))
            .unwrap()
            .ino()
    };
    let first = inode();
    // Slurm holds a requeued job back for two minutes; what it will run is the
    // same script under the same job id, and this runs it now.
    job.wait_until("the node's release", || {
        lab.job_field(&job.id, "JobState") == "PENDING"
    });
    run(lab
        .command("scontrol")
        .args(["update", &format!("jobid={}", job.id), "starttime=now+2"]));
    job.wait_until("the second run", || {
        lab.job_field(&job.id, "Restarts") == "1" && lab.job_field(&job.id, "JobState") != "PENDING"
    });
    let ended = job.wait();
    ended.assert(0, "exit 0: all points are finished");
    assert_eq!(site.points().len(), 4);
    assert_eq!(inode(), first, "a finished point is not measured again");
    assert!(
        site.log("benchmarking", &ended.id)
            .contains("is finished already")
    );

    // Nothing is left: no server is started, which would end at once.
    site.set("RESUME_JOB_ID", &ended.id);
    site.set("LAB_NIM_ARGS", "--exit-at-once");
    let idle = site.submit(&lab, Launch).wait();
    idle.assert(0, "4 of 4 points are in");
    assert_eq!(site.log("server", &idle.id), "");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn what_is_not_mounted_is_invisible() {
    let lab = Lab::enter();
    let mut recipe = recipe();
    let site = Site::ready(&lab, "invisible", recipe.clone());
    let secret = site.folder.join("on-the-host");
    fs::write(&secret, "seen").unwrap();
    let path = secret.to_str().unwrap();
    // The server's container.
    recipe.server.command = words_of(&["cat", path]);
    let server = Site::ready(&lab, "invisible_server", recipe.clone());
    server
        .job(&lab, Launch)
        .assert(3, "No such file or directory");
    // The client's container; its tokenizer is a folder of the host.
    let recipe = lab::recipe().with_tokenizer(path.parse().unwrap());
    let client = Site::ready(&lab, "invisible_client", recipe);
    let ended = client.job(&lab, Launch);
    ended.assert(2, "missing in the client's container: the tokenizer");
    ended.assert(
        2,
        "of a tokenizer give a path in the image or a name on the Hugging Face hub; then render the scripts again",
    );
    // What comes of that is another measurement.
    assert!(!ended.output.contains("RESUME_JOB_ID"), "{}", ended.output);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn nothing_in_a_word_runs() {
    let lab = Lab::enter();
    let mut recipe = recipe();
    let nasty = "$(touch /tmp/nim-slurm-ran) `id` \"'\\ * ; & | > \n end";
    recipe.server.command = words_of(&["env"]);
    recipe
        .server
        .environment
        .insert("NASTY".parse().unwrap(), nasty.parse().unwrap());
    // The script has a constant of this name.
    recipe
        .server
        .environment
        .insert("port".parse().unwrap(), "of the server".parse().unwrap());
    let site = Site::ready(&lab, "nasty", recipe);
    let ended = site.job(&lab, Launch);
    ended.assert(3, "the server exited with status 0");
    let log = site.log("server", &ended.id);
    assert!(log.contains(&format!("NASTY={nasty}\n")), "{log}");
    assert!(log.contains("\nport=of the server\n"), "{log}");
    assert!(
        !log.contains(SECRET) && !log.contains("NGC_API_KEY"),
        "the server needs no secret: {log}"
    );
}

/// Options in TOML, a field of the job's record, and what it says then. Without a field:
/// what sbatch says when syntax is not what it complains of.
const OPTIONS: &[(&str, &str, &str)] = &[
    ("partition = 'batch,gpu'", "Partition", "batch,gpu"),
    ("account = 'proj-7.x_y'", "Account", "proj-7.x_y"),
    ("job_name = '70b #1'", "JobName", "70b #1"),
    ("nodes = 2", "NumNodes", "2-2"),
    ("nodes = '1-2'", "NumNodes", "1-2"),
    ("ntasks = 3", "NumTasks", "3"),
    ("ntasks_per_node = 4", "NtasksPerN:B:S:C", "4:0:*:*"),
    ("cpus_per_task = 2", "CPUs/Task", "2"),
    ("nodelist = 'node[1-2]'", "ReqNodeList", "node[1-2]"),
    ("exclude = 'node2'", "ExcNodeList", "node2"),
    ("gres = 'gpu:h100:4'", "TresPerNode", "gres:gpu:h100:4"),
    ("gpus_per_node = 'h100:4'", "TresPerNode", "gres:gpu:h100:4"),
    ("gpus = 4", "TresPerJob", "gres:gpu:4"),
    ("mem = '16g'", "MinMemoryNode", "16G"),
    ("mem = 0", "MinMemoryNode", "0"),
    ("mem_per_cpu = '1000'", "MinMemoryCPU", "1000M"),
    ("time = '20:00'", "TimeLimit", "00:20:00"),
    ("time = '1:30'", "TimeLimit", "00:02:00"),
    ("time = '1-12:30'", "TimeLimit", "1-12:30:00"),
    ("time = 'unlimited'", "TimeLimit", "UNLIMITED"),
    ("time_min = 5\ntime = 10", "TimeMin", "00:05:00"),
    ("array = '0-7:2%2'", "ArrayTaskId", "0,2,4,6%2"),
    (
        "dependency = 'singleton'",
        "Dependency",
        "singleton(unfulfilled)",
    ),
    ("deadline = '2030-01-31'", "Deadline", "2030-01-31T00:00:00"),
    ("delay_boot = 10", "DelayBoot", "00:10:00"),
    ("nice = 5", "Nice", "5"),
    ("cpu_freq = 'low-high:ondemand'", "CPU_max_freq", "High"),
    ("gpus_per_task = 1\nntasks = 2", "TresPerTask", "gres:gpu:1"),
    ("cpus_per_gpu = 2\ngpus = 1", "CpusPerTres", "gres:gpu:2"),
    (
        "mem_per_gpu = '1G'\ngpus = 1",
        "MemPerTres",
        "gres:gpu:1024",
    ),
    ("gpu_bind = 'closest'\ngpus = 1", "TresBind", "gpu:closest"),
    ("gpu_freq = 'low'\ngpus = 1", "TresFreq", "gpu:low"),
    ("ntasks_per_gpu = 1\ngpus = 2", "NtasksPerTRES", "1"),
    ("mincpus = 4", "MinCPUsNode", "4"),
    ("contiguous = true", "Contiguous", "1"),
    ("no_requeue = true", "Requeue", "0"),
    ("chdir = '/tmp'", "WorkDir", "/tmp"),
    ("input = '/dev/null'", "StdIn", "/dev/null"),
    ("network = 'x'", "Network", "x"),
    ("oversubscribe = true", "OverSubscribe", "YES"),
    ("cluster_constraint = '!a'", "ClusterFeatures", "!a"),
    ("switches = '2@5:00'", "Switches", "2@00:05:00"),
    (
        "kill_on_invalid_dep = 'yes'",
        "KillOInInvalidDependent",
        "Yes",
    ),
    ("power = 'level'", "Power", "LEVEL"),
    ("exclusive = true", "OverSubscribe", "NO"),
    ("exclusive = 'user'", "OverSubscribe", "USER"),
    ("requeue = true", "Requeue", "1"),
    (
        "output = '/tmp/a b-%x.out'\njob_name = 'n'",
        "StdOut",
        "/tmp/a b-n.out",
    ),
    (
        "comment = '''{\"a\": \"it's\"} # $(id) `id` \\ ü'''",
        "Comment",
        "{\"a\": \"it's\"} # $(id) `id` \\ ü",
    ),
    ("signal = 'B:USR1@120'", "JobState", "PENDING"), // 22.05 shows no signal, but took it
    (
        "constraint = 'none_such'",
        "",
        "Invalid feature specification",
    ),
    (
        "mail_type = 'end,fail'\nmail_user = 'me@site.org'",
        "MailType",
        "END,FAIL",
    ),
    (
        "open_mode = 'append'\nreservation = 'none_such'",
        "",
        "Requested reservation is invalid",
    ),
];

/// What the types take, sbatch takes, and the controller reads it in the same way.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn sbatch_reads_what_the_types_read() {
    let lab = Lab::without_images();
    lab.add_account("proj-7.x_y");
    let folder = tempfile::tempdir().unwrap();
    for &(option, field, expected) in OPTIONS {
        let directives: nim_slurm::slurm::Directives = toml::from_str(option).unwrap();
        let script = folder.path().join("job.sh");
        fs::write(&script, directives.header() + "true\n").unwrap();
        let output = lab
            .command("sbatch")
            .args(["--hold", "--parsable"])
            .arg(&script)
            .output()
            .unwrap();
        if field.is_empty() {
            // Syntax is not what Slurm complains of.
            assert!(
                words(&output).contains(expected),
                "{option}: {}",
                words(&output)
            );
            continue;
        }
        assert!(output.status.success(), "{option}: {}", words(&output));
        let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let record = run(lab
            .command("scontrol")
            .args(["show", "job", "--details", &id]));
        assert!(
            record.contains(&format!("{field}={expected}\n"))
                || record.contains(&format!("{field}={expected} ")),
            "{option}: no {field}={expected} in {record}"
        );
        run(lab.command("scancel").arg(&id));
    }
}

/// A tokenizer from the hub may need a token, which only the client gets; the lab has
/// no network, so that no point can be measured with it.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn tokenizer_from_the_hub() {
    let lab = Lab::enter();
    let mut recipe = recipe()
        .with_tokenizer("meta-llama/Meta-Llama-3-70B-Instruct".parse().unwrap())
        .with_use_cases(["chat:32/16".parse().unwrap()])
        .with_concurrency([1]);
    recipe.sweep.point_timeout = 25;
    let mut site = Site::ready(&lab, "hub", recipe);
    // Its own words are shown.
    let words = "/meta-llama/Meta-Llama-3-70B-Instruct/resolve/main";
    site.job(&lab, Launch).assert(5, words);
    site.set("HF_TOKEN", SECRET);
    let ended = site.job(&lab, Launch);
    ended.assert(5, "points failed");
    assert!(site.stage().join("hf_cache").is_dir());
    site.assert_no_secret();
}
