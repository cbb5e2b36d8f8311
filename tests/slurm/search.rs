//! A search for the load within limits, of a server whose law is known: run through, and killed after each probe.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use nim_slurm::Recipe;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{ClientTool, Search};
use nim_slurm::results::Run;

use crate::lab::{Lab, Site, recipe, run as run_command};

/// With n in flight, a request waits for 50 + 40 (n - 1) ms: 490 ms at 12, 650 ms at 16.
const LAW: &str = "ttft=50,queue=40,itl=0.5";
const LIMIT: &str = "560";
const ANSWER: (u32, u32) = (12, 16);

fn searching(tool: Option<&str>) -> Recipe {
    let mut recipe = recipe().with_use_cases(["chat:32/256".parse().unwrap()]);
    // Nine levels, so six probes at most; the median takes few requests.
    let search = Search::new(1, 16)
        .with_ttft(LIMIT.parse().unwrap())
        .with_at("p50".parse::<nim_slurm::Percentile>().unwrap())
        .with_within("40%".parse().unwrap());
    recipe.sweep.concurrency.clear();
    recipe.sweep.search = Some(search);
    recipe.server.probe_interval = 600;
    let law = format!("--law {LAW}");
    let name = "LAB_NIM_ARGS".parse().unwrap();
    recipe.server.environment.insert(name, law.parse().unwrap());
    if let Some(release) = tool {
        recipe.client.tool = ClientTool::Aiperf(release.parse().unwrap());
        recipe.client.image = format!("nvcr.io/nvidia/aiperf:{release}").parse().unwrap();
        recipe.client.file = None;
    }
    recipe
}

fn results(site: &Site) -> Run {
    let run = Run::read(Utf8PathBuf::from_path_buf(site.results()).unwrap()).unwrap();
    assert_eq!(run.problems(), []);
    run
}

/// The levels that were measured, and the answer.
#[track_caller]
fn found(site: &Site) -> (Vec<u32>, (u32, u32)) {
    let run = results(site);
    let groups = run.groups();
    let [group] = groups.as_slice() else {
        panic!("{groups:?}");
    };
    let capacity = group.capacity(&run).unwrap();
    assert_eq!(capacity.next(), None, "it has not ended");
    let levels = capacity
        .probes()
        .iter()
        .map(nim_slurm::results::Probe::level);
    let [held, exceeded] =
        [capacity.held(), capacity.exceeded()].map(|probe| probe.unwrap().level());
    (levels.collect(), (held, exceeded))
}

/// Runs through; the levels in their order.
fn run_through(lab: &Lab, name: &str, tool: Option<&str>) -> Vec<u32> {
    let site = Site::ready(lab, name, searching(tool));
    let ended = site.job(lab, Launch);
    let client = site.log("benchmarking", &ended.id);
    assert_eq!(ended.code, 0, "{}\n{client}", ended.output);
    let (through, answer) = found(&site);
    assert_eq!(answer, ANSWER, "{client}");
    let levels: BTreeSet<_> = through.iter().copied().collect();
    assert!(
        levels.len() <= 6 && through.starts_with(&[1, 2]),
        "{through:?}"
    );
    let said = "12 requests in flight keep the limits, 16 do not (ttft)";
    assert!(client.contains(said), "{client}");
    // The manifest has the probes, and nothing else of all levels.
    let manifest = site.manifest(&ended.id);
    assert_eq!(manifest["points"].as_array().unwrap().len(), through.len());
    assert_eq!(manifest["search"]["ttft"], 560);
    let table = nim_slurm::Report::new(&results(&site)).to_table();
    let first = table.lines().next().unwrap();
    assert!(
        first.starts_with("chat 32/256: 12 requests in flight, "),
        "{table}"
    );
    assert!(
        table.contains("at 16 the p50 of TTFT is above 560 ms"),
        "{table}"
    );
    println!("run through: {through:?}\n{table}");
    through
}

/// And the same when the node dies after each probe.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn search_ends_where_the_law_says_with_genai_perf() {
    let lab = Lab::enter();
    let through = run_through(&lab, "search_genai_perf", None);
    let mut site = Site::ready(&lab, "search_killed", searching(None));
    let mut jobs = 0;
    let last = loop {
        let before = site.points().len();
        let job = site.submit(&lab, Launch);
        job.wait_until("a probe, or the end", || {
            site.points().len() > before || site.exit_code(&job.id).is_some()
        });
        jobs += 1;
        if site.exit_code(&job.id).is_some() {
            break job.wait();
        }
        run_command(
            lab.command("scancel")
                .args(["--full", "--signal=KILL", &job.id]),
        );
        let killed = job.wait();
        site.set("RESUME_JOB_ID", &killed.id);
        assert!(jobs < 12, "{:?}", site.points());
    };
    let client = site.log("benchmarking", &last.id);
    assert_eq!(last.code, 0, "{}\n{client}", last.output);
    let (killed, answer) = found(&site);
    println!("killed after each probe: {killed:?}, {jobs} jobs");
    assert_eq!(answer, ANSWER, "{client}");
    assert_eq!(killed, through);
    // None was measured twice.
    assert_eq!(site.points().len(), through.len(), "{:?}", site.points());
    assert!(jobs >= through.len(), "{jobs} jobs for {through:?}");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn search_ends_where_the_law_says_with_aiperf() {
    run_through(&Lab::enter(), "search_aiperf", Some("0.13.0"));
}
