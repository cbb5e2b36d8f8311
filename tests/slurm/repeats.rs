//! A sweep whose points are measured several times.

use std::fs;

use camino::Utf8PathBuf;
use nim_slurm::Report;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::results::Run;

use crate::lab::{Lab, Site, recipe, run};

/// Killed in the second round, and resumed: only what is missing is measured, and the report has one
/// row for each point.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_killed_second_round_is_resumed() {
    let lab = Lab::enter();
    let mut recipe = recipe().with_use_cases(["chat:32/16".parse().unwrap()]);
    recipe.sweep.repeat = 2;
    let mut site = Site::ready(&lab, "repeats", recipe);
    let job = site.submit(&lab, Launch);
    let point = |name: &str, job: &str| format!("llama-3-70b-instruct_4_{name}_{job}");
    let started = |job: &str| {
        site.log("benchmarking", job)
            .matches("genai-perf start")
            .count()
    };
    job.wait_until("the second round", || started(&job.id) >= 4);
    run(lab
        .command("scancel")
        .args(["--batch", "--signal=KILL"])
        .arg(&job.id));
    let first = job.id.clone();
    job.wait();
    let of_first = site.points();
    // A round is over before the next one begins.
    for name in ["1_chat_32_16", "2_chat_32_16"] {
        assert!(of_first.contains(&point(name, &first)), "{of_first:?}");
    }
    assert!(of_first.len() < 4, "{of_first:?}");

    site.set("RESUME_JOB_ID", &first);
    let second = site.job(&lab, Launch);
    assert_eq!(second.code, 0, "{}", second.output);
    let points = site.points();
    assert_eq!(points.len(), 4, "{points:?}");
    assert!(
        points.contains(&point("1_chat_32_16_r2", &second.id)),
        "{points:?}"
    );
    assert!(
        of_first.iter().all(|name| points.contains(name)),
        "{points:?}"
    );

    // Each has prompts of its own, and the same definition.
    let measurement = |name: &String| {
        let path = site.results().join(name).join("measurement.txt");
        let text = fs::read_to_string(path).unwrap();
        let line = |key: &str| {
            text.lines()
                .find(|line| line.starts_with(key))
                .unwrap()
                .to_owned()
        };
        (line("seed="), line("fingerprint="))
    };
    let (mut seeds, mut fingerprints): (Vec<_>, Vec<_>) = points.iter().map(measurement).unzip();
    seeds.sort();
    seeds.dedup();
    fingerprints.dedup();
    assert_eq!((seeds.len(), fingerprints.len()), (4, 1));
    let manifest = site.manifest(&second.id);
    let rows = manifest["points"].as_array().unwrap();
    let repeats: Vec<_> = rows
        .iter()
        .map(|row| row["repeat"].as_u64().unwrap())
        .collect();
    assert_eq!(repeats, [1, 1, 2, 2]);

    // Two jobs, and one row of means for each point.
    let results = Run::read(Utf8PathBuf::from_path_buf(site.results()).unwrap()).unwrap();
    assert!(results.problems().is_empty(), "{:?}", results.problems());
    let means = results.means();
    let runs: Vec<_> = means
        .points()
        .iter()
        .map(|point| point.runs().len())
        .collect();
    assert_eq!(runs, [2, 2]);
    let table = Report::new(&results).to_table();
    assert_eq!(table.matches("2 runs").count(), 2, "{table}");
}
