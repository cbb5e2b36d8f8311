//! How a launch job ends: at once, and in its own words alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nim_slurm::Recipe;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::ReplicaUse;

use crate::lab::{Ended, Lab, Site, recipe};
use crate::time_after;

/// One use case at two concurrencies.
fn short() -> Recipe {
    recipe().with_use_cases(["chat:32/16".parse().unwrap()])
}

fn two_servers(sweep: ReplicaUse) -> Recipe {
    let mut recipe = short();
    recipe.server.replicas = 2.try_into().unwrap();
    recipe.sweep.replicas = sweep;
    recipe
}

/// When the last point got its name, in seconds since 1970: the last change of a folder.
fn last_result(site: &Site) -> f64 {
    let times = site.points().into_iter().map(|point| {
        let data = fs::metadata(site.results().join(point)).unwrap();
        Duration::new(data.ctime() as u64, data.ctime_nsec() as u32)
    });
    times.max().unwrap().as_secs_f64()
}

/// The server was told to stop within a second, while the removal of the client's
/// container took six.
#[track_caller]
fn assert_stopped_at_once(site: &Site, log: &str) {
    let waited = time_after(log, "SIGTERM at ") - last_result(site);
    println!("from the last result to the server's SIGTERM: {waited:.2} s");
    assert!((0.0..1.0).contains(&waited), "{waited} s: {log}");
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
    let manifest = site.manifest(&ended.id.replace('_', "-")).to_string();
    for text in [&ended.output, &manifest] {
        assert!(!text.contains("/.run_"), "{text}");
    }
    let left = site.results().join(format!(".run_{}", ended.id));
    assert!(!left.exists(), "{left:?}");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn the_server_stops_while_the_clients_container_is_removed() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_at_once", short());
    site.set("LAB_REMOVE_DELAY", "6");
    site.set("LAB_NIM_ARGS", "--term-kills");
    let ended = site.job(&lab, Launch);
    ended.assert(0, "exit 0: all points are finished");
    assert_stopped_at_once(&site, &site.log("server", &ended.id));
    assert_clean(&site, &ended);
}

#[test]
#[ignore = "probe"]
fn probe_failed() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "ending_probe", short());
    site.set("LAB_GENAI_FAULT", "zero-tokens:2");
    let ended = site.job(&lab, Launch);
    println!("{}", ended.output);
    site.set("LAB_GENAI_FAULT", "");
    site.set(
        "LAB_NIM_ARGS",
        "--term-kills --die-before-ready 3 --log vllm-oom-at-load",
    );
    let ended = site.job(&lab, Launch);
    println!("{}", ended.output);
}
