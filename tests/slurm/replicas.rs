//! Several servers side by side on one node: each has GPUs, a port and a client of its
//! own, and they share the points of a sweep or measure each of them together.

use std::collections::BTreeSet;
use std::fs;

use nim_slurm::Recipe;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::ReplicaUse;
use nim_slurm::results::{Point, Run};

use crate::lab::{Ended, Lab, Site, recipe};

/// The lab's recipe with two servers of four GPUs.
fn two_servers(sweep: ReplicaUse) -> Recipe {
    let mut recipe = recipe();
    recipe.server.replicas = 2;
    recipe.sweep.replicas = sweep;
    recipe
}

/// The second server's logs have a number.
fn second_log(site: &Site, step: &str, job: &str) -> String {
    site.log(step, &format!("{job}.1"))
}

/// Both servers ran, on GPUs and ports of their own.
#[track_caller]
fn assert_apart(site: &Site, ended: &Ended) {
    let port = recipe().server.port;
    for (log, gpus, port) in [
        (site.log("server", &ended.id), "gpus 0,1,2,3", port),
        (
            second_log(site, "server", &ended.id),
            "gpus 4,5,6,7",
            port + 1,
        ),
    ] {
        assert!(log.lines().any(|line| line.ends_with(gpus)), "{log}");
        assert!(log.contains(&format!(":{port}")), "no port {port}: {log}");
        assert!(log.contains("first request body"), "nobody asked it: {log}");
    }
}

fn read(site: &Site) -> Run {
    let run = Run::read(camino::Utf8Path::from_path(&site.results()).unwrap()).unwrap();
    assert!(run.problems().is_empty(), "{:?}", run.problems());
    run
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn two_servers_share_the_points() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "replicas_share", two_servers(ReplicaUse::Split));
    // Telemetry has its times in UTC all the same.
    site.set("TZ", "EST5");
    let ended = site.job(&lab, Launch);
    ended.assert(0, "exit 0: all points are finished");
    assert_apart(&site, &ended);

    // The points have the names that they have with one server.
    let id = &ended.id;
    let expected = [
        "1_chat_32_16",
        "1_summarization_64_24",
        "2_chat_32_16",
        "2_summarization_64_24",
    ]
    .map(|point| format!("llama-3-70b-instruct_4_{point}_{id}"));
    assert_eq!(site.points(), expected);
    let manifest = site.manifest(id);
    assert_eq!(
        (&manifest["replicas"], &manifest["gpus"]),
        (&2.into(), &4.into())
    );
    assert_eq!(manifest["replica_use"], "split");
    let measured_on: BTreeSet<_> = manifest["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["detail"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        measured_on,
        ["on server 0", "on server 1"].map(str::to_owned).into()
    );

    // Each point was measured once, alone on its server.
    let clients = site.log("benchmarking", id) + &second_log(&site, "benchmarking", id);
    assert_eq!(clients.matches(" finished: llama").count(), 4, "{clients}");
    let run = read(&site);
    assert_eq!(run.points().len(), 4);
    assert!(run.points().iter().all(|point| point.replica().is_none()));
    let servers: BTreeSet<_> = run.points().iter().map(Point::server).collect();
    assert_eq!(servers, [Some(0), Some(1)].into());
    assert!(!site.results().join(format!(".run_{id}")).exists());
    for log in [site.log("server", id), second_log(&site, "server", id)] {
        assert!(log.contains("SIGTERM"), "it was stopped gently: {log}");
    }
    assert_energy(&site, id, &run);
}

/// Each server's GPUs were sampled, its own alone, and no longer than the job: GPU N of the lab draws 300 + 10 N watts.
#[track_caller]
fn assert_energy(site: &Site, job: &str, run: &Run) {
    let file = |server: u32| {
        site.results()
            .join(format!("telemetry_{job}.{server}.0.csv"))
    };
    let text = |server| fs::read_to_string(file(server)).unwrap();
    let before = [0, 1].map(text);
    let manifest = site.manifest(job);
    let measured_by: Vec<_> = manifest["points"].as_array().unwrap().iter().collect();
    let mut seen = BTreeSet::new();
    for point in run.points() {
        let name = point.path().file_name().unwrap();
        let row = measured_by
            .iter()
            .find(|row| row["folder"] == name)
            .unwrap();
        let server = row["server"].as_u64().unwrap();
        assert_eq!(row["detail"], format!("on server {server}"));
        let energy = point
            .energy()
            .unwrap_or_else(|why| panic!("{name}: {why}: {before:#?}"));
        let watts = [1260.0, 1420.0][usize::try_from(server).unwrap()];
        assert!((energy.watts() - watts).abs() < 0.1, "{name}: {energy:?}");
        assert_eq!((energy.gpus(), energy.utilization()), (4, Some(97.0)));
        assert!(point.tokens_per_joule().unwrap() > 0.0);
        seen.insert(server);
    }
    assert_eq!(seen.len(), 2);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!([0, 1].map(text), before, "it goes on");
}

/// A point is finished when both servers have it: when one dies, what both have is kept,
/// and the next job measures the rest, on both.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn two_servers_measure_alike() {
    let lab = Lab::enter();
    let recipe = two_servers(ReplicaUse::Together).with_use_cases(["chat:32/16".parse().unwrap()]);
    let mut dying = recipe.clone();
    // The second one would answer ten thousand requests more.
    dying.server.environment.insert(
        "LAB_NIM_ARGS".parse().unwrap(),
        "--die-after-requests {replica}0015".parse().unwrap(),
    );
    let mut site = Site::ready(&lab, "replicas_alike", dying);
    let first = site.job(&lab, Launch);
    let port = recipe.server.port;
    first.assert(
        3,
        &format!(
            "the server exited with status 1 before the sweep was over, server 0 on port {port}"
        ),
    );
    assert_apart(&site, &first);
    let finished = format!("llama-3-70b-instruct_4_2_chat_32_16_{}", first.id);
    assert_eq!(site.points(), [finished.as_str()]);
    let manifest = site.manifest(&first.id);
    assert_eq!(manifest["points"][1]["status"], "interrupted");
    let left = site.results().join(format!("interrupted_{}", first.id));
    assert_eq!(fs::read_dir(left).unwrap().count(), 1);
    assert!(!site.results().join(format!(".run_{}", first.id)).exists());

    // A point that only one server has measured is not finished.
    let half = format!("llama-3-70b-instruct_4_1_chat_32_16_{}", first.id);
    let half = site.results().join(half);
    fs::create_dir_all(half.join("server-0")).unwrap();
    // What is left is too little for it to die of again.
    site.set("RESUME_JOB_ID", &first.id);
    let second = site.job(&lab, Launch);
    second.assert(0, "exit 0: all points are finished");
    fs::remove_dir_all(half).unwrap();
    let added = format!("llama-3-70b-instruct_4_1_chat_32_16_{}", second.id);
    assert_eq!(site.points(), [added.as_str(), finished.as_str()]);
    for (point, server) in [(&added, 0), (&added, 1), (&finished, 0), (&finished, 1)] {
        let table = format!("{point}/server-{server}/profile_export_genai_perf.csv");
        assert!(site.results().join(&table).exists(), "{table}");
    }
    let run = read(&site);
    let points: Vec<_> = run
        .points()
        .iter()
        .map(|point| (point.concurrency(), point.gpus(), point.replica()))
        .collect();
    let of = |concurrency, server| (Some(concurrency), Some(4), Some(server));
    assert_eq!(points, [of(1, 0), of(1, 1), of(2, 0), of(2, 1)]);
    assert_begun_together(&site, &added);
    let client = second_log(&site, "benchmarking", &second.id);
    assert!(
        client.contains(" point 2 of 2: chat 32/16, concurrency 1, "),
        "{client}"
    );
}

/// Each client gives up by itself after two points, and so does the job; where all measure
/// the same points, they are the same two.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn tools_that_cannot_work_stop_all_clients() {
    let lab = Lab::enter();
    for (sweep, failed) in [(ReplicaUse::Split, 4), (ReplicaUse::Together, 2)] {
        let recipe = two_servers(sweep).with_concurrency([1, 2, 4]);
        let mut site = Site::ready(&lab, "replicas_fail", recipe);
        site.set("LAB_GENAI_FAULT", "fail");
        let ended = site.job(&lab, Launch);
        ended.assert(5, &format!("exit 5: {failed} of 6 points failed"));
        let manifest = site.manifest(&ended.id);
        let points = manifest["points"].as_array().unwrap();
        let of = |status: &str| {
            points
                .iter()
                .filter(|point| point["status"] == status)
                .count()
        };
        assert_eq!((of("failed"), of("not run")), (failed, 6 - failed));
        for point in points.iter().filter(|point| point["status"] == "not run") {
            let detail = "the first two points failed in the same way (exit status 1), and no request was completed";
            assert_eq!(point["detail"], detail);
        }
    }
}

/// The two measurements of a point began within a second of each other: the tools say
/// so in the log.
#[track_caller]
fn assert_begun_together(site: &Site, point: &str) {
    let job = point.rsplit('_').next().unwrap();
    let begun = [
        site.log("benchmarking", job),
        second_log(site, "benchmarking", job),
    ]
    .map(|log| crate::time_after(&log, "genai-perf start "));
    assert!((begun[0] - begun[1]).abs() < 1.0, "{begun:?}");
}
