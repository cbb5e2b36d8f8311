//! How much of the time the server has something to do, by its own log.

use std::fs;
use std::time::UNIX_EPOCH;

use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::ClientTool;
use serde_json::Value;

use crate::lab::{Lab, Site, recipe};

/// Measures these concurrencies with so many rounds of requests that take a second. The tool
/// of a point has started before its turn, and evaluates behind it.
#[track_caller]
fn requests_are_in_flight(name: &str, concurrency: &[u32], rounds: u32, tool: Option<ClientTool>) {
    let lab = Lab::enter_first();
    let mut recipe = recipe()
        .with_use_cases(["chat:64/48".parse().unwrap()])
        .with_concurrency(concurrency.iter().copied());
    recipe.sweep.min_requests = 1;
    recipe.sweep.requests_per_concurrency = rounds;
    // Its signs of life are requests, too.
    recipe.server.probe_interval = 600;
    if let Some(tool) = tool {
        recipe.client.tool = tool;
        recipe.client.image = "nvcr.io/nvidia/aiperf:0.13.0".parse().unwrap();
        recipe.client.file = None;
    }
    let mut site = Site::ready(&lab, name, recipe.clone());
    site.set(
        "LAB_NIM_ARGS",
        "--startup-delay 25 --law ttft=60,itl=20 --law-log /dev/stdout",
    );
    let ended = site.job(&lab, Launch);
    let client = site.log("benchmarking", &ended.id);
    // Last, where a long text is cut: what went wrong.
    let errors: Vec<_> = client
        .lines()
        .filter(|line| line.contains("error:"))
        .collect();
    assert_eq!(ended.code, 0, "{}\n{client}\n{errors:#?}", ended.output);
    assert!(errors.is_empty(), "{client}\n{errors:#?}");

    let log = site.log("server", &ended.id);
    let mut requests: Vec<(f64, f64)> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["prompt_tokens"].as_u64() > Some(10))
        .map(|line| ["start_ns", "last_ns"].map(|time| line[time].as_f64().unwrap() / 1e9))
        .map(|[start, end]| (start, end))
        .collect();
    requests.sort_by(|one, other| one.0.total_cmp(&other.0));
    let ready = requests[0].0;
    // From the first to the last answer of each point, without its warm-up.
    let mut spans: Vec<(f64, f64)> = Vec::new();
    for point in recipe.sweep.points() {
        requests.drain(..point.load.concurrency().unwrap() as usize);
        let own: Vec<_> = requests
            .drain(..usize::try_from(point.requests).unwrap())
            .collect();
        let end = own.iter().map(|request| request.1).fold(0.0, f64::max);
        spans.push((own[0].0, end));
    }
    assert!(requests.is_empty(), "{requests:?}");
    let lost: Vec<f64> = spans.windows(2).map(|two| two[1].0 - two[0].1).collect();
    println!("{name}: between points {lost:.1?} s");
    // The tool of the next point starts before this one ends.
    let starts = client
        .lines()
        .filter_map(|line| line.strip_prefix("lab ")?.split_once(" start "));
    let mut starts: Vec<f64> = starts.map(|(_, time)| time.parse().unwrap()).collect();
    starts.sort_by(f64::total_cmp);
    assert_eq!(starts.len(), spans.len(), "{client}");
    for (start, span) in starts[1..].iter().zip(&spans) {
        assert!(*start < span.1, "{starts:?} {spans:?}\n{client}");
    }
    // Where something else runs on this machine, tools may take longer to start than a point takes: the
    // shortest counts.
    let shortest = lost.iter().copied().fold(f64::MAX, f64::min);
    assert!(shortest <= 12.0, "{lost:?}\n{client}");

    let folder = site.manifest(&ended.id)["points"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()["folder"]
        .as_str()
        .unwrap()
        .to_owned();
    let stored = fs::metadata(site.results().join(folder).join("measurement.txt"))
        .unwrap()
        .modified()
        .unwrap();
    let whole = stored.duration_since(UNIX_EPOCH).unwrap().as_secs_f64() - ready;
    let busy: f64 = spans.iter().map(|(start, end)| end - start).sum();
    let truth = 100.0 * busy / whole;
    let told = site.manifest(&ended.id)["in_flight_percent"]
        .as_f64()
        .unwrap();
    println!(
        "{name}: in flight {truth:.1} % of {whole:.0} s by the server, {told} % by the client"
    );
    assert!((truth - told).abs() <= 5.0, "{truth} {told}");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn requests_of_genai_perf_are_in_flight() {
    requests_are_in_flight("share_genai", &[5, 4, 3, 2, 1], 7, None);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn requests_of_aiperf_are_in_flight() {
    let tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    requests_are_in_flight("share_aiperf", &[4, 3, 2], 30, Some(tool));
}
