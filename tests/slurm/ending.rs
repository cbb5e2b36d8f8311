//! How a launch job ends: at once, and in its own words alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use nim_slurm::Recipe;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{ArrayBy, ReplicaUse};

use crate::lab::{Ended, Lab, Site, recipe, run};
use crate::time_after;

/// One use case at two concurrencies.
fn short() -> Recipe {
    recipe().with_use_cases(["chat:32/16".parse().unwrap()])
}

fn two_servers(sweep: ReplicaUse) -> Recipe {
    let mut recipe = short();
    recipe.server.replicas = 2;
    recipe.sweep.replicas = sweep;
    recipe
}

/// When the last point got its name, in seconds since 1970: the last change of a folder.
fn last_result(site: &Site) -> f64 {
    let times = site.points().into_iter().map(|point| {
        let data = fs::metadata(site.results().join(point)).unwrap();
        let nanoseconds = u32::try_from(data.ctime_nsec()).unwrap();
        Duration::new(data.ctime().cast_unsigned(), nanoseconds)
    });
    times.max().unwrap().as_secs_f64()
}

/// How long the removal of a container takes, in seconds.
const REMOVAL: &str = "6";

/// The server was told to stop while the client's container was removed; then its own was, and not the
/// one after the other. The job has just ended.
#[track_caller]
fn assert_stopped_at_once(site: &Site, log: &str) {
    let stopped = time_after(log, "SIGTERM at ");
    let waited = stopped - last_result(site);
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let rest = now.as_secs_f64() - stopped;
    println!(
        "from the last result to the server's SIGTERM: {waited:.2} s, to the job's end {rest:.1} s more"
    );
    assert!((0.0..4.0).contains(&waited), "{waited} s: {log}");
    assert!((6.0..11.0).contains(&rest), "{rest} s: {log}");
}

/// Nothing of what srun says when a step is told to stop, and no folder that is gone.
#[track_caller]
fn assert_clean(site: &Site, ended: &Ended) {
    for word in ["srun: ", "Terminated", "did not end by itself", "error"] {
        assert!(!ended.output.contains(word), "{word}: {}", ended.output);
    }
    assert_names_nothing_gone(site, ended);
}

/// No path into the folder of points in progress, which is gone.
#[track_caller]
fn assert_names_nothing_gone(site: &Site, ended: &Ended) {
    let manifest = site.manifest(&ended.id).to_string();
    for text in [&ended.output, &manifest] {
        assert!(!text.contains("/.run_"), "{text}");
    }
    let left = site.results().join(format!(".run_{}", ended.id));
    assert!(!left.exists(), "{}", left.display());
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn the_server_stops_while_the_clients_container_is_removed() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_at_once", short());
    site.set("LAB_REMOVE_DELAY", REMOVAL);
    site.set("LAB_NIM_ARGS", "--term-kills");
    let ended = site.job(&lab, Launch);
    ended.assert(0, "exit 0: all points are finished");
    assert_stopped_at_once(&site, &site.log("server", &ended.id));
    assert_clean(&site, &ended);
}

/// Both servers, each with a client.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn several_servers_stop_at_once() {
    let lab = Lab::enter();
    for (name, sweep) in [
        ("ending_share", ReplicaUse::Split),
        ("ending_alike", ReplicaUse::Together),
    ] {
        let mut site = Site::ready(&lab, name, two_servers(sweep));
        site.set("LAB_REMOVE_DELAY", REMOVAL);
        site.set("LAB_NIM_ARGS", "--term-kills");
        let ended = site.job(&lab, Launch);
        ended.assert(0, "exit 0: all points are finished");
        for log in [ended.id.clone(), format!("{}.1", ended.id)] {
            assert_stopped_at_once(&site, &site.log("server", &log));
        }
        assert_clean(&site, &ended);
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn the_task_of_an_array_stops_at_once() {
    let lab = Lab::enter();
    let mut recipe = short();
    recipe.sweep.array = Some(ArrayBy::UseCase);
    let mut site = Site::ready(&lab, "ending_array", recipe);
    site.set("LAB_REMOVE_DELAY", REMOVAL);
    site.set("LAB_NIM_ARGS", "--term-kills");
    let mut ended = site.job(&lab, Launch);
    ended.assert(0, "exit 0: all points are finished");
    ended.id += "-0";
    assert_stopped_at_once(&site, &site.log("server", &ended.id));
    assert_clean(&site, &ended);
}

/// The server's step is the slower one to end, since its container is removed: the client
/// has noticed before that nobody answers.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_server_that_dies_is_the_cause_though_its_step_ends_later() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_dies", short());
    site.set("LAB_REMOVE_DELAY", REMOVAL);
    site.set("LAB_NIM_ARGS", "--die-after-requests 15");
    let ended = site.job(&lab, Launch);
    ended.assert(
        3,
        "exit 3: the server exited with status 1 before the sweep was over",
    );
    // What srun says of it is news.
    ended.assert(3, "task 0: Exited with exit code 1");
    assert!(!ended.output.contains("did not end by itself"), "{ended:?}");
}

/// Its step is not over when its time to end is.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_server_whose_container_is_being_removed_has_ended() {
    let lab = Lab::enter();
    let mut recipe = short();
    recipe.server.stop_timeout = 2;
    let mut site = Site::ready(&lab, "ending_removed", recipe);
    site.set("LAB_REMOVE_DELAY", "10");
    let ended = site.job(&lab, Launch);
    ended.assert(0, "exit 0: all points are finished");
    assert_clean(&site, &ended);
}

/// Nobody waits for the removal to know how a server ended, but that it ended is known.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_server_that_died_does_not_hang_while_its_container_is_removed() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_dead", short());
    site.set("LAB_REMOVE_DELAY", "40");
    site.set("LAB_NIM_ARGS", "--die-after-requests 15");
    let ended = site.job(&lab, Launch);
    ended.assert(3, "exit 3: the server ended before the sweep was over");
    assert!(!ended.output.contains("did not end by itself"), "{ended:?}");
}

/// A job that is cancelled has seconds: what it has measured is evaluated, its client says how far it is, and the
/// removal of containers keeps nobody from that.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_cancelled_job_does_not_wait_for_its_containers() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_cancel", short());
    // Longer than Slurm leaves a cancelled job.
    site.set("LAB_REMOVE_DELAY", "20");
    site.set("LAB_GENAI_FAULT", "hang:1");
    let job = site.submit(&lab, Launch);
    // Beside it, the first one's tool evaluates.
    job.wait_until("the second point", || {
        site.log("benchmarking", &job.id).contains("point 2 of 2: ")
    });
    run(lab.command("scancel").arg(&job.id));
    job.wait_until("the manifest", || site.exit_code(&job.id) == Some(6));
    let ended = job.wait();
    let manifest = site.manifest(&ended.id);
    assert_eq!(manifest["points"][0]["status"], "finished", "{manifest}");
    assert_eq!(manifest["points"][1]["status"], "interrupted", "{manifest}");
}

/// What the tool printed for a point that failed is moved with the point.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_moved_log_names_the_folder_where_it_is() {
    let lab = Lab::enter();
    for (name, recipe) in [
        ("ending_moved", short()),
        ("ending_moved_alike", two_servers(ReplicaUse::Together)),
    ] {
        let mut site = Site::ready(&lab, name, recipe);
        site.set("LAB_GENAI_FAULT", "zero-tokens:2");
        let ended = site.job(&lab, Launch);
        ended.assert(5, "exit 5: 1 of 2 points failed");
        assert_names_nothing_gone(&site, &ended);
        let point = format!(
            "failed_{0}/llama-3-70b-instruct_4_2_chat_32_16_{0}",
            ended.id
        );
        ended.assert(
            5,
            &format!(
                "what may be the cause, in {}/",
                site.results().join(&point).display()
            ),
        );
        let generated = format!(
            "{point}/{}",
            ["", "server-1/"][usize::from(name.ends_with("alike"))]
        );
        ended.assert(
            5,
            &format!("Generating {}", site.results().join(generated).display()),
        );
    }
}

/// The cause stands far above the end of the server's log.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn the_cause_is_shown() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_cause", short());
    site.set(
        "LAB_NIM_ARGS",
        "--startup-delay 60 --die-before-ready 2 --log vllm-oom-at-load",
    );
    let ended = site.job(&lab, Launch);
    ended.assert(3, "what may be the cause, in ");
    let shown: Vec<_> = ended
        .output
        .lines()
        .skip_while(|line| !line.contains("what may be the cause"))
        .collect();
    assert!(shown[1].starts_with("  | line "), "{shown:#?}");
    assert!(
        shown[1].contains("torch.OutOfMemoryError: CUDA out of memory."),
        "{shown:#?}"
    );
    assert_eq!(shown[2], "  the last lines of it:", "{shown:#?}");
}
