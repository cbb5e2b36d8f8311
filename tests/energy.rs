//! Energy and cost, from the files of a run to its reports.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::Report;
use nim_slurm::results::{EnergySource, NoEnergy, Run, Tokens};
use serde_json::Value;
use tempfile::TempDir;

/// A copy of the sample results, which other tests may change.
struct Results {
    _folder: TempDir,
    path: Utf8PathBuf,
}

const POINT: &str = "llama_1_1_chat_128_128_4711";
const TELEMETRY: &str = "telemetry_4711.0.0.csv";

impl Results {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().join("results")).unwrap();
        let results = Self {
            _folder: folder,
            path,
        };
        copy(Utf8Path::new("tests/data/telemetry"), &results.path);
        results
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path.join(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path.join(from), self.path.join(to)).unwrap();
    }

    fn read(&self) -> Run {
        Run::read(&self.path).unwrap()
    }

    /// The reason in a word, or the watts.
    fn energy(&self) -> Result<f64, &'static str> {
        let run = self.read();
        let energy = run.points()[0].energy();
        energy
            .map(|energy| energy.watts().round())
            .map_err(NoEnergy::word)
    }
}

fn copy(from: &Utf8Path, to: &Utf8Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir_utf8().unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_server_that_measured_a_point_is_the_manifest_s() {
    let results = Results::new();
    let other = results.text(TELEMETRY).replace("500.00", "300.00");
    results.write("telemetry_4711.1.0.csv", &other);
    assert_eq!(results.energy(), Ok(500.0));
    let manifest = results.text("run_4711.json");
    results.write(
        "run_4711.json",
        &manifest.replace("\"server\": 0", "\"server\": 1"),
    );
    assert_eq!(results.energy(), Ok(300.0));
    results.write(
        "run_4711.json",
        &manifest.replace("\"server\": 0", "\"server\": null"),
    );
    assert_eq!(results.energy(), Err("unknown_server"));
    results.write(
        "run_4711.json",
        &manifest.replace("\"server\": 0", "\"server\": 2"),
    );
    assert_eq!(results.energy(), Err("no_telemetry"));
    fs::remove_file(results.path.join("telemetry_4711.1.0.csv")).unwrap();
    results.write(
        "run_4711.json",
        &manifest.replace("\"server\": 0", "\"server\": null"),
    );
    assert_eq!(results.energy(), Ok(500.0), "there is one server");
}

/// Servers that measured a point together have a folder each in the point's.
#[test]
fn each_server_has_its_own_gpus() {
    let results = Results::new();
    let other = results.text(TELEMETRY).replace("500.00", "300.00");
    results.write("telemetry_4711.1.0.csv", &other);
    results.rename(POINT, "whole");
    let point = results.path.join(POINT);
    for server in ["server-0", "server-1"] {
        copy(&results.path.join("whole"), &point.join(server));
    }
    fs::remove_dir_all(results.path.join("whole")).unwrap();
    let run = results.read();
    let watts: Vec<_> = run
        .points()
        .iter()
        .map(|point| point.energy().unwrap().watts().round())
        .collect();
    assert_eq!(watts, [500.0, 300.0]);
}

#[test]
fn the_gpus_of_all_nodes_count() {
    let results = Results::new();
    let text = results.text(TELEMETRY);
    results.write("telemetry_4711.0.1.csv", &text.replace("GPU-9b", "GPU-aa"));
    assert_eq!(results.energy(), Err("gpus"), "the server has one");
    results.rename(POINT, "llama_2_1_chat_128_128_4711");
    let manifest = results
        .text("run_4711.json")
        .replace(POINT, "llama_2_1_chat_128_128_4711");
    results.write("run_4711.json", &manifest);
    assert_eq!(results.energy(), Ok(1000.0));
}

/// Others may write in the folder.
#[test]
fn what_is_no_file_of_samples_is_not_read() {
    let results = Results::new();
    let path = results.path.join(TELEMETRY);
    results.rename(TELEMETRY, "elsewhere");
    assert_eq!(results.energy(), Err("no_telemetry"));
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    assert_eq!(results.energy(), Err("unreadable"));
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(
        results.energy(),
        Err("unreadable"),
        "nobody waits for a writer"
    );
    fs::remove_file(&path).unwrap();
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(results.energy(), Err("unreadable"));
    let report = Report::new(&results.read()).to_table();
    assert!(
        report.contains(
            "energy is not known at concurrency 1: the telemetry has 1099511627776 bytes"
        ),
        "{report}"
    );
    // Another job's, and one of another folder.
    fs::remove_file(&path).unwrap();
    results.rename("elsewhere", "telemetry_4712.0.0.csv");
    assert_eq!(results.energy(), Err("no_telemetry"));
    fs::create_dir(results.path.join("other")).unwrap();
    results.rename("telemetry_4712.0.0.csv", "other/telemetry_4711.0.0.csv");
    assert_eq!(results.energy(), Err("no_telemetry"));
}

#[test]
fn without_requests_there_is_no_window() {
    let results = Results::new();
    fs::remove_file(results.path.join(POINT).join("profile_export.jsonl")).unwrap();
    assert_eq!(results.energy(), Err("no_window"));
}

#[test]
fn the_tool_s_own_telemetry_serves_where_there_is_no_other() {
    let results = Results::new();
    fs::remove_file(results.path.join(TELEMETRY)).unwrap();
    let file = format!("{POINT}/profile_export_aiperf.json");
    let telemetry = |gpus: &str| {
        format!(
            r#"{{"telemetry_stats": {{"gpu_power_usage": {{"unit": "W", {gpus}}}}}, {}"#,
            results.text(&file).trim_start_matches('{')
        )
    };
    let (one, two) = (
        telemetry(r#""gpu0": {"avg": 420}"#),
        telemetry(r#""gpu0": {"avg": 420}, "gpu1": {"avg": 90}"#),
    );
    results.write(&file, &one);
    let run = results.read();
    let energy = run.points()[0].energy().unwrap();
    assert_eq!(
        (energy.watts().round(), energy.source()),
        (420.0, EnergySource::Tool)
    );
    assert!(
        Report::new(&run)
            .to_table()
            .contains("by the tool's own telemetry")
    );
    results.write(&file, &two);
    assert_eq!(
        results.energy(),
        Err("no_telemetry"),
        "whose GPU the other is, nobody knows"
    );
}

/// A point that was measured twice has the mean of both, and none where one of them has none.
#[test]
fn several_runs_have_their_mean() {
    let results = Results::new();
    let second = "llama_1_1_chat_128_128_r2_4711";
    copy(&results.path.join(POINT), &results.path.join(second));
    // Ten seconds later, with 300 W.
    let file = format!("{second}/profile_export.jsonl");
    let later = results.text(&file);
    let later = [0_u64, 1, 2, 3].iter().fold(later, |text, number| {
        let start = 1_795_578_200_490_284_199 + number * 1_256_000_000;
        text.replace(&start.to_string(), &(start + 10_000_000_000).to_string())
    });
    results.write(&file, &later);
    let mut telemetry = results.text(TELEMETRY);
    for second in 30..40 {
        telemetry.push_str(&format!(
            "2026/11/25 03:43:{second}.156, GPU-9b1d33c2-7a52-4f1e-9a53-0c7d2f6b8e10, 300.00, 87, 71240, 1980, 0x0000000000000004\n"
        ));
    }
    results.write(TELEMETRY, &telemetry);
    let run = results.read();
    assert_eq!(run.points().len(), 2, "{:?}", run.problems());
    let mean = run.means();
    let energy = mean.points()[0].energy().unwrap();
    assert_eq!(
        (energy.watts().round(), energy.utilization()),
        (400.0, Some(92.0))
    );
    assert_eq!(
        energy.throttling().unwrap(),
        [nim_slurm::results::Throttle::PowerCap]
    );
    results.write(
        TELEMETRY,
        &telemetry.replace("03:43:33.156, GPU", "03:43:33.156, "),
    );
    assert!(results.energy().is_ok(), "the first run has its own");
    assert_eq!(
        results.read().means().points()[0]
            .energy()
            .unwrap_err()
            .word(),
        "bad_line"
    );
}

#[test]
fn reports_say_energy_and_cost() {
    let results = Results::new();
    let run = results.read();
    let report = Report::new(&run);
    let table = report.clone().with_price(2.5).to_table();
    assert!(
        table.lines().all(|line| line.chars().count() <= 100),
        "{table}"
    );
    for words in [
        "2512.0",
        "500.0",
        "0.20",
        "4.91",
        "none",
        "6.81",
        "3.41",
        "for 2.5 per GPU and hour",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(!report.to_table().contains("cost"));
    let page = report.clone().with_price(2.5).to_html();
    assert_eq!(page.matches("<th>concurrency</th>").count(), 2, "{page}");
    let markdown = report.clone().with_price(2.5).to_markdown();
    for words in [
        "| requests/s | cost/M output | cost/M input | cost/M total | job |  |\n",
        " | 6.81 | 6.81 | 3.41 | 4711 | too short: measured for 5.0 s |\n",
        "cost/M: of a million tokens, for 2.5 per GPU and hour",
    ] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    assert!(!report.to_markdown().contains("cost"));
    let json: Value = serde_json::from_str(&report.clone().with_price(2.5).to_json()).unwrap();
    let point = &json["points"][0];
    let is_about = |value: &Value, expected: f64| {
        let value = value.as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} {expected}");
    };
    is_about(&point["energy"]["joules"], 2512.0);
    is_about(
        &point["energy"]["joules_per_token"]["total"],
        2512.0 / 1024.0,
    );
    is_about(
        &point["cost_per_million"]["input"],
        2.5 * 1e6 / (512.0 / 5.024 * 3600.0),
    );
    assert_eq!(point["energy"]["throttling"], serde_json::json!([]));
    assert!(point.get("energy_missing").is_none());
    let csv = report.to_csv();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let (head, row) = (lines.next().unwrap(), lines.next().unwrap());
    let cell = |name: &str| {
        row[head
            .iter()
            .position(|own| *own == name)
            .unwrap_or_else(|| panic!("{name}"))]
    };
    assert_eq!(
        (cell("model"), cell("node"), cell("job_id")),
        ("llama", "gpu05", "4711")
    );
    assert_eq!(
        (cell("gpu_model"), cell("statistic"), cell("requests")),
        ("NVIDIA H100 80GB HBM3", "avg", "4")
    );
    assert_eq!(
        (
            cell("gpu_utilization_percent"),
            cell("throttling"),
            cell("energy_missing")
        ),
        ("97", "none", "")
    );
    let per_gpu: f64 = cell("output_token_throughput_per_gpu").parse().unwrap();
    assert!((per_gpu - 512.0 / 5.024).abs() < 1e-6);
    assert_eq!(cell("output_token_throughput_per_user"), "103.1");
    let page = report.clone().with_price(2.5).to_html();
    assert!(
        page.contains("cost of a million output tokens") && page.contains("output<br>tokens/J")
    );
    assert!(!report.to_html().contains("cost of a million"));
}

/// However many points lack it, the reason is there to the end.
#[test]
fn the_reason_of_many_points_is_not_cut() {
    let results = Results::new();
    results.write("telemetry_4711.0.0.csv", "");
    for concurrency in 2..=12 {
        let name = POINT.replacen("_1_chat", &format!("_{concurrency}_chat"), 1);
        copy(&results.path.join(POINT), &results.path.join(name));
    }
    // The same load in another job is not named twice.
    results.write("telemetry_4712.0.0.csv", "");
    let other = POINT.replace("4711", "4712");
    copy(&results.path.join(POINT), &results.path.join(other));
    let run = results.read();
    let table = Report::new(&run).to_table();
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("energy is not known at concurrency 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12: the telemetry has no column"),
        "{table}"
    );
    assert!(table.lines().all(|line| !line.ends_with('…')), "{table}");
}

#[test]
fn a_missing_figure_has_its_reason_in_each_report() {
    let results = Results::new();
    let text = results.text(TELEMETRY);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.contains("03:43:2"))
        .collect();
    results.write(TELEMETRY, &(lines.join("\n") + "\n"));
    let run = results.read();
    let report = Report::new(&run);
    let words = "energy is not known at concurrency 1: the samples do not reach";
    assert!(report.to_table().contains(words), "{}", report.to_table());
    assert!(report.to_html().contains(words));
    // A table of dashes would say nothing more.
    assert!(!report.to_table().contains("tokens/J"));
    assert!(!report.to_html().contains("tokens/J"));
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    assert!(json["points"][0]["energy"].is_null());
    assert_eq!(json["points"][0]["energy_missing"]["reason"], "not_covered");
    assert!(report.to_csv().contains(",not_covered,"));
    fs::remove_file(results.path.join(TELEMETRY)).unwrap();
    let table = Report::new(&results.read()).to_table();
    assert!(table.contains("\nenergy: no telemetry\n"), "{table}");
}

#[test]
fn no_price_that_is_none_has_a_cost() {
    let run = Run::read("tests/data/telemetry").unwrap();
    for price in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            !Report::new(&run)
                .with_price(price)
                .to_csv()
                .contains("cost"),
            "{price}"
        );
    }
    let point = &run.points()[0];
    let [output, input, total] = [Tokens::Output, Tokens::Input, Tokens::Total]
        .map(|tokens| 1.0 / point.cost_per_million(tokens, 3.0).unwrap());
    assert!(
        (output + input - total).abs() < 1e-9,
        "the same hour pays for both"
    );
}

/// Runs that a time ends have other numbers of requests.
#[test]
fn the_energy_of_a_token_is_the_mean_of_the_runs() {
    let results = Results::new();
    let folder = results.path.join(POINT);
    let again = results.path.join(POINT.replace("_4711", "_r2_4711"));
    copy(&folder, &again);
    let requests = fs::read_to_string(folder.join("profile_export.jsonl")).unwrap();
    let half: Vec<_> = requests.lines().take(2).collect();
    fs::write(again.join("profile_export.jsonl"), half.join("\n")).unwrap();
    let summary = again.join("profile_export_aiperf.json");
    let text = fs::read_to_string(&summary).unwrap();
    fs::write(summary, text.replacen("\"avg\": 4", "\"avg\": 2", 1)).unwrap();

    let run = results.read();
    let each: Vec<_> = run
        .points()
        .iter()
        .map(|point| point.joules_per_token(Tokens::Output).unwrap())
        .collect();
    let counts: Vec<_> = run
        .points()
        .iter()
        .map(|point| point.token_count(Tokens::Output).unwrap())
        .collect();
    let means = run.means();
    let mean = &means.points()[0];
    assert_eq!((each.len(), counts.as_slice()), (2, &[512.0, 256.0][..]));
    assert_eq!(
        mean.joules_per_token(Tokens::Output),
        Some(f64::midpoint(each[0], each[1]))
    );
    assert_eq!(mean.token_count(Tokens::Output), Some(384.0));
    let json: Value = serde_json::from_str(&Report::new(&run).with_price(2.5).to_json()).unwrap();
    let row = &json["means"][0];
    let per_token = &row["energy"]["joules_per_output_token"];
    assert_eq!(per_token["mean"], f64::midpoint(each[0], each[1]));
    assert_eq!(
        (&per_token["unit"], &row["energy"]["watts"]["unit"]),
        (&"J/token".into(), &"W".into())
    );
    for kind in ["output", "input", "total"] {
        assert!(row["cost_per_million"][kind]["mean"].is_f64(), "{row}");
    }
}

#[test]
fn one_of_a_kind_is_no_plural() {
    let results = Results::new();
    let run = results.read();
    let gate = nim_slurm::results::Gate::parse("throughput 5%").unwrap();
    let report = Report::new(&run).against(&run).with_gate(&gate);
    for text in [report.to_table(), report.to_markdown(), report.to_junit()] {
        assert!(text.contains(", 1 GPU, concurrency 1"), "{text}");
    }
    let manifest = results
        .text("run_4711.json")
        .replace("NVIDIA H100 80GB HBM3", "");
    results.write(
        "run_4711.json",
        &manifest.replace("\"gpu_model\": \"\"", "\"gpu_model\": null"),
    );
    let table = Report::new(&results.read()).to_table();
    assert!(table.contains(", 1 GPU,"), "{table}");
}
