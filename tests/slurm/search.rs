//! A search for the load within limits, of a server whose law is known: run through, and killed after each probe.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{ArrayBy, ClientTool, Search};
use nim_slurm::results::{Probe, Run};
use nim_slurm::{HookPlace, Recipe};

use crate::arrays::{submit, wait_for_end};
use crate::lab::{Ended, Lab, Site, recipe, run as run_command, settings};

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
    let levels = capacity.probes().iter().map(Probe::level);
    let [held, exceeded] =
        [capacity.held(), capacity.exceeded()].map(|probe| probe.unwrap().level());
    (levels.collect(), (held, exceeded))
}

/// The job that ended the search has the right answer, and says it; the levels in their order.
#[track_caller]
fn assert_answer(site: &Site, ended: &Ended) -> Vec<u32> {
    let client = site.log("benchmarking", &ended.id);
    assert_eq!(ended.code, 0, "{}\n{client}", ended.output);
    let (levels, answer) = found(site);
    assert_eq!(answer, ANSWER, "{client}");
    let different: BTreeSet<_> = levels.iter().copied().collect();
    assert!(
        different.len() <= 6 && levels.starts_with(&[1, 2]),
        "{levels:?}"
    );
    let said =
        "within the limits: 12 requests in flight; not within them: 16 requests in flight (ttft)";
    assert!(client.contains(said), "{client}");
    // The manifest has the probes, and nothing else of all levels.
    let manifest = site.manifest(&ended.id);
    assert_eq!(manifest["points"].as_array().unwrap().len(), levels.len());
    assert_eq!(manifest["search"]["ttft"], 560);
    let table = nim_slurm::Report::new(&results(site)).to_table();
    let first = table.lines().next().unwrap();
    assert!(
        first.starts_with("chat 32/256: 12 requests in flight, "),
        "{table}"
    );
    assert!(
        table.contains("at 16 the p50 of TTFT is above 560 ms"),
        "{table}"
    );
    println!("probes: {levels:?}\n{table}");
    levels
}

/// A point that is not valid when it is checked for the first time, as when one request failed.
const FAILS_ONCE: &str = r#"
original=$(declare -f check_result)
source <(echo "valid_${original}")
check_result() {
  [[ $1 != *_4_chat_* || -e $run/failed_once ]] || { : >"$run/failed_once" && reason="one request failed" && return 1; }
  valid_check_result "$@"
}"#;

/// Run through, where a point fails for once, and the same when the node dies after each probe.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn search_ends_where_the_law_says_with_genai_perf() {
    let lab = Lab::enter_first();
    let site = Site::ready(&lab, "search_genai_perf", searching(None));
    let fails_once = settings("").with_hook(HookPlace::InClient, FAILS_ONCE.parse().unwrap());
    site.render(searching(None), fails_once);
    let ended = site.job(&lab, Launch);
    let through = assert_answer(&site, &ended);
    let remark = "it was measured twice, since it failed at first: one request failed";
    let table = nim_slurm::Report::new(&results(&site)).to_table();
    assert!(table.contains(&format!("\nat 4: {remark}\n")), "{table}");
    let failed = site.results().join(format!("failed_{}", ended.id));
    assert_eq!(failed.read_dir().unwrap().count(), 1, "{}", ended.output);
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
    // To resume it once more takes no server.
    site.set("RESUME_JOB_ID", &last.id);
    let again = site.job(&lab, Launch);
    again.assert(0, "nothing to do: job ");
    assert_eq!(site.log("server", &again.id), "", "{}", again.output);
    assert_eq!(found(&site), (killed, ANSWER));
    let manifest = site.manifest(&again.id);
    assert_eq!(manifest["points"].as_array().unwrap().len(), through.len());
}

/// A job whose time is nearly up begins no probe that it cannot end, and says how to go on: that command ends the search where a
/// job with more time would have.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn search_that_runs_out_of_time_goes_on_with_aiperf() {
    let lab = Lab::enter_first();
    let mut recipe = searching(Some("0.13.0"));
    // Of the one minute that the first job has, this leaves less than a search takes.
    let law = format!("--law {LAW} --startup-delay 20");
    let name = "LAB_NIM_ARGS".parse().unwrap();
    recipe.server.environment.insert(name, law.parse().unwrap());
    let mut site = Site::ready(&lab, "search_aiperf", recipe.clone());
    site.render(recipe, settings("time = 1\nsignal = false"));
    let first = site.job(&lab, Launch);
    let client = site.log("benchmarking", &first.id);
    // It was not the time limit that ended it.
    assert_eq!(first.state, "FAILED", "{}\n{client}", first.output);
    first.assert(
        6,
        "nothing failed: the points that were left out need about ",
    );
    let begun = site.points();
    let manifest = site.manifest(&first.id);
    let rows = manifest["points"].as_array().unwrap();
    let (left_out, finished): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| row["status"] == "left out");
    let counts = (left_out.len(), finished.len());
    assert_eq!(counts, (1, begun.len()), "{manifest}");
    let detail = left_out[0]["detail"].as_str().unwrap();
    assert!(
        detail.contains(" s, more than were left, and the search needs "),
        "{manifest}"
    );
    let run = results(&site);
    let next = run.groups()[0].capacity(&run).unwrap().next();
    assert_eq!(left_out[0]["concurrency"], next.unwrap(), "{manifest}");

    let mut last = first;
    let mut jobs = 1;
    while last.code == 6 {
        jobs += 1;
        assert!(jobs <= 3, "{}", last.output);
        let again = format!("to go on: RESUME_JOB_ID={} sbatch --time=", last.id);
        let (_, minutes) = last.output.split_once(&again).expect("the command");
        let minutes = minutes.split(' ').next().unwrap();
        site.set("RESUME_JOB_ID", &last.id);
        let time = format!("--time={minutes}");
        last = site.submit_with(&lab, Launch, &[&time]).wait();
        println!("with {time}: {:?}", last.took);
    }
    let levels = assert_answer(&site, &last);
    let points = site.points();
    assert!(
        begun.iter().all(|point| points.contains(point)),
        "{points:?}"
    );
    assert_eq!(points.len(), levels.len(), "{points:?}");
    println!(
        "{jobs} jobs; before the first one's time was up: {} probes",
        begun.len()
    );
}

/// Each task of an array searches for its own use case. The first one's limit is far away; the second one's is about the median of what
/// the server does, so that no number of requests can tell.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn search_by_an_array_of_use_cases() {
    let lab = Lab::enter();
    let mut recipe = searching(None);
    recipe.sweep.use_cases = ["chat:8/256", "doubt:80/256"]
        .map(|text| text.parse().unwrap())
        .into();
    recipe.sweep.array = Some(ArrayBy::UseCase);
    recipe.sweep.array_limit = Some(1);
    let search = recipe.sweep.search.as_mut().unwrap();
    search.to = search.from;
    search.ttft = Some("215".parse().unwrap());
    let law = "--law prompt=4,noise=0.6,itl=0.5,seed=2";
    let name = "LAB_NIM_ARGS".parse().unwrap();
    recipe.server.environment.insert(name, law.parse().unwrap());
    let site = Site::ready(&lab, "search_array", recipe);
    let array = submit(&lab, &site);
    wait_for_end(&lab, &array);
    for (task, says) in [
        "the search of chat 8 256 has ended; within the limits: 1 requests in flight; not within them: none",
        "the search of doubt 80 256 has ended; within the limits: none; not within them: 1 requests in flight (doubt)",
    ].into_iter().enumerate() {
        let job = format!("{array}-{task}");
        let client = site.log("benchmarking", &job);
        assert_eq!(site.exit_code(&job), Some(0), "{client}");
        assert!(client.contains(says), "{client}");
    }
    let run = results(&site);
    let groups = run.groups();
    let found = groups.iter().map(|group| {
        let capacity = group.capacity(&run).unwrap();
        assert_eq!(capacity.next(), None);
        let probes = capacity.probes().iter();
        let probes: Vec<_> = probes
            .map(|probe| (probe.level(), probe.attempt(), probe.requests()))
            .collect();
        let level = |probe: Option<&Probe<'_>>| probe.map(Probe::level);
        (level(capacity.held()), level(capacity.exceeded()), probes)
    });
    let once = (1, 1, Some(9));
    let expected = [
        (Some(1), None, vec![once]),
        (None, Some(1), vec![once, (1, 2, Some(36))]),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
}
