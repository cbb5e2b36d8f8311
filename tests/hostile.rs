//! Results, manifests, logs and recipes that somebody else wrote: whatever bytes they
//! have, a terminal, a CSV, a JSON and a page that show them stay clean, and no pipe or
//! link holds a reader up or leads it elsewhere.
//!
//! `NIM_SLURM_CASES=10000 cargo test --test hostile` tries as many.

#![cfg(unix)]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

#[path = "common/clean.rs"]
mod clean;

use camino::Utf8Path;
use nim_slurm::preflight::Preflight;
use nim_slurm::results::{Limits, Manifest, Run, Statistic};
use nim_slurm::{Plan, Recipe, Report, ScriptKind, Settings, last_lines};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::clean::{assert_clean, assert_clean_line};

/// What a neighbour would put in: to move a cursor, to turn text around, to be a formula,
/// to be markup, to end a line, a cell or a string.
const PIECES: [&str; 42] = [
    "\u{1b}[2J",
    "\u{1b}]0;title\u{7}",
    "\u{9b}31m",
    "\u{9d}8;;http://x\u{9c}",
    "\u{85}",
    "\r",
    "\n",
    "\t",
    "\u{8}\u{8}",
    "\0",
    "\u{7f}",
    "\u{202e}",
    "\u{202a}",
    "\u{2066}",
    "\u{2069}",
    "\u{200e}",
    "\u{200f}",
    "\u{61c}",
    "\u{2028}",
    "\u{2029}",
    "=1+1",
    " =1+1",
    "\u{ff1d}1",
    "+1",
    "-1",
    "@SUM(A1)",
    "=cmd|' /C x'!A0",
    "<hostile>",
    "</script>",
    "\"",
    "'",
    ",",
    ";",
    "&#27;",
    "\\",
    "\\u001b",
    "ä",
    "模型",
    "4711",
    "a b",
    "$(id)",
    "..",
];

/// Runs a property as often as the environment says.
#[track_caller]
fn check<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = env::var("NIM_SLURM_CASES").map_or(200, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config).run(strategy, test).unwrap();
}

/// A text of such pieces, and of any characters.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// Such a text, or bytes that are none.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        text().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// What may be the name of a file.
fn name(bytes: &[u8]) -> Vec<u8> {
    let name: Vec<_> = bytes
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, 0 | b'/'))
        .take(80)
        .collect();
    if matches!(&name[..], b"" | b"." | b"..") {
        b"name".to_vec()
    } else {
        name
    }
}

fn utf8(path: &Path) -> &Utf8Path {
    Utf8Path::from_path(path).unwrap()
}

/// A point's two files, with these texts for what their writer chooses.
fn write_point(folder: &Path, texts: &[String]) {
    fs::create_dir_all(folder).unwrap();
    let [metric, unit, model, cell, other] = [0, 1, 2, 3, 4].map(|place| &texts[place]);
    let json = serde_json::json!({
        "request_throughput": { "unit": "requests/sec", "avg": 2.5 },
        "time_to_first_token": { "unit": "ms", "avg": 30.0, "p95": cell },
        "output_token_throughput": { "unit": unit, "avg": 100.0 },
        metric: { "unit": unit, "avg": 1.0, cell: 2.0 },
        "input_config": { "model": [model], "model_names": [model], other: other },
    });
    fs::write(
        folder.join("profile_export_genai_perf.json"),
        json.to_string(),
    )
    .unwrap();
    // The file of each request, which may be none.
    let requests =
        serde_json::json!({ "experiments": [{ "requests": [{ other: cell }] }], cell: 1 });
    fs::write(folder.join("profile_export.json"), requests.to_string()).unwrap();
    fs::write(
        folder.join("profile_export.jsonl"),
        format!("{cell}\n{other}"),
    )
    .unwrap();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["Metric", "avg", cell]).unwrap();
    csv.write_record(["Inter Token Latency (ms)", "7.5", cell])
        .unwrap();
    csv.write_record([&**metric, "1", &**other]).unwrap();
    csv.write_record([&*format!("{metric} ({unit})"), cell, "2"])
        .unwrap();
    let csv = csv.into_inner().unwrap();
    fs::write(folder.join("profile_export_genai_perf.csv"), csv).unwrap();
}

fn manifest(texts: &[String]) -> serde_json::Value {
    let [one, two, three] = [0, 1, 2].map(|place| &texts[place]);
    serde_json::json!({
        "schema": 1, "recipe": one, "node": two, "gpus": 4, "replicas": 2, "replica_use": three,
        "gpu_model": one, "driver": two, "start": three, "end": one, "exit_code": 5,
        "exit_reason": two, "images": {
            "server": { "file": three, "reference": one, "digest": two },
            "client": { "file": two },
        },
        "points": [{ "folder": one, "status": two, "detail": three }],
    })
}

/// A spreadsheet takes what begins so for a formula, unless it is a number.
fn assert_no_formula(csv: &str) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv.as_bytes());
    for record in reader.records() {
        for cell in &record.unwrap() {
            assert_clean_line(cell);
            // Where a comma stands in numbers, a cell ends at a semicolon.
            for part in cell.split(';') {
                let first = part.trim_start().trim_start_matches('"').chars().next();
                let is_formula = first.is_some_and(|first| "=+-@＝＋－＠".contains(first));
                assert!(!is_formula || cell.parse::<f64>().is_ok(), "{cell:?}");
            }
        }
    }
}

#[test]
fn results_are_shown_clean() {
    let texts = || prop::collection::vec(text(), 5);
    let strategy = (
        (texts(), texts(), texts()),
        (bytes(), bytes(), bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
    );
    check(&strategy, |(texts, names, raw)| {
        let folder = tempfile::tempdir().unwrap();
        let place = |bytes: &[u8]| folder.path().join(OsStr::from_bytes(&name(bytes)));
        // A point as launch.sh names it, one as its neighbour does, and one in any folder.
        let named = |model: &[u8], use_case: &[u8]| {
            let mut own = name(model);
            own.extend_from_slice(b"_4_25_");
            own.extend(name(use_case));
            own.extend_from_slice(b"_128_128_4711");
            own
        };
        write_point(&place(b"llama_4_25_chat_128_128_4711"), &texts.0);
        write_point(&place(&named(&names.0, &names.1)), &texts.1);
        write_point(&place(&names.2), &texts.2);
        let damaged = place(b"llama_4_50_chat_128_128_4712");
        fs::create_dir_all(&damaged).unwrap();
        fs::write(damaged.join("profile_export_genai_perf.csv"), &raw).unwrap();
        let mut table = b"Metric,avg\n".to_vec();
        table.extend_from_slice(&raw);
        fs::write(damaged.join("profile_export_aiperf.csv"), table).unwrap();
        fs::write(place(b"run_4711.json"), manifest(&texts.0).to_string()).unwrap();
        fs::write(place(b"run_4712.json"), &raw).unwrap();
        let run = Run::read(utf8(folder.path())).unwrap();
        for problem in run.problems() {
            assert_clean_line(&problem.to_string());
        }
        for failure in run.manifests().iter().filter_map(Manifest::failure) {
            assert_clean_line(&failure);
        }
        let limits = Limits::new(Statistic::P95).time_to_first_token(20.0);
        let plain = Report::new(&run);
        let compared = Report::new(&run).with_limits(limits).against(&run);
        for report in [plain, compared] {
            assert_clean(&report.to_table());
            let csv = report.to_csv();
            assert_clean(&csv);
            assert_no_formula(&csv);
            let json = report.to_json();
            assert_clean(&json);
            // Clean, and what it was.
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let paths = json["points"].as_array().unwrap().iter();
            let paths: Vec<_> = paths.map(|point| point["path"].as_str().unwrap()).collect();
            let expected: Vec<_> = run
                .points()
                .iter()
                .map(|point| point.path().as_str())
                .collect();
            prop_assert_eq!(paths, expected);
            for page in [report.to_html(), report.to_svg()] {
                assert_clean(&page);
                assert!(
                    !page.contains("<hostile>") && !page.contains("</script>"),
                    "{page}"
                );
            }
        }
        Ok(())
    });
}

#[test]
fn logs_are_shown_clean() {
    check(&prop::collection::vec(bytes(), 0..20), |lines| {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("server_4711.out");
        fs::write(&log, lines.join(&b'\n')).unwrap();
        for line in last_lines(utf8(&log), 20).unwrap() {
            assert_clean_line(&line);
        }
        Ok(())
    });
}

/// The built-in recipe, and settings, with a text in place of one of their values.
#[test]
fn recipes_and_settings_are_shown_clean() {
    const SETTINGS: &str = "stage_path = '/stage'\n[slurm]\npartition = 'batch'\ncomment = 'mine'\n\
         [container]\nmounts = ['/data:/data:ro']\nregistries = { 'nvcr.io' = 'mirror.site' }\n\
         [cluster]\nmodules = ['enroot']\n";
    let recipe = Recipe::llama3_70b_h100x4_fp8().to_toml();
    let strategy = (
        any::<prop::sample::Index>(),
        text(),
        any::<bool>(),
        any::<bool>(),
    );
    check(&strategy, |(place, text, is_raw, is_recipe)| {
        let whole = if is_recipe { recipe.as_str() } else { SETTINGS };
        let quotes: Vec<_> = whole.match_indices(['"', '\'']).map(|(at, _)| at).collect();
        let pair = 2 * place.index(quotes.len() / 2);
        let (start, end) = (quotes[pair], quotes[pair + 1]);
        // As TOML's escapes have it, or as it is, which may be no TOML.
        let value = if is_raw {
            format!("\"{text}\"")
        } else {
            toml::Value::String(text).to_string()
        };
        let changed = format!("{}{value}{}", &whole[..start], &whole[end + 1..]);
        let plan = if is_recipe {
            let recipe = match Recipe::from_toml(&changed) {
                Ok(recipe) => recipe,
                Err(error) => {
                    assert_clean(&error.to_string());
                    return Ok(());
                }
            };
            // A word of a command may have tabs.
            assert_clean(&recipe.to_toml().replace('\t', " "));
            Plan::new(recipe, Settings::new())
        } else {
            match Settings::from_toml(&changed) {
                Ok(settings) => Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings),
                Err(error) => {
                    assert_clean(&error.to_string());
                    return Ok(());
                }
            }
        };
        match plan {
            Err(error) => assert_clean(&error.to_string()),
            Ok(plan) => {
                for kind in ScriptKind::ALL {
                    assert_clean(&plan.script(kind).text().replace('\t', " "));
                    for option in plan.explain(kind, [("SBATCH_ACCOUNT", "a\u{1b}b")]) {
                        assert_clean_line(&option.to_string());
                    }
                }
            }
        }
        Ok(())
    });
}

/// A model folder that another user wrote, and a home with a pipe for a login.
#[test]
fn a_stage_path_is_checked_clean() {
    check(&(text(), bytes()), |(text, raw)| {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("llama3-70b-instruct_vhf");
        fs::create_dir_all(&model).unwrap();
        let index =
            serde_json::json!({ "weight_map": { "a": text, "b": format!("{text}.safetensors") } });
        fs::write(
            model.join("model.safetensors.index.json"),
            index.to_string(),
        )
        .unwrap();
        fs::write(model.join("config.json"), &raw).unwrap();
        let logins = folder.path().join(".config/enroot");
        fs::create_dir_all(&logins).unwrap();
        let pipe = logins.join(".credentials");
        assert!(
            Command::new("/usr/bin/mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let place = folder.path().to_str().unwrap();
        let settings = Settings::new().with_stage_path(place.parse().unwrap());
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        let variables = [
            ("HOME", OsStr::new(place)),
            ("SBATCH_ACCOUNT", OsStr::from_bytes(&raw)),
        ];
        for finding in Preflight::new(&plan, variables).check() {
            assert_clean_line(&finding.to_string());
        }
        Ok(())
    });
}

/// Links and pipes in a results folder: named, not followed, and not waited for.
#[test]
fn links_and_pipes_in_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = elsewhere.path().join("secret.json");
    fs::write(&secret, r#"{"node": "PRECIOUS", "exit_code": 1}"#).unwrap();
    let point = path("llama_4_25_chat_128_128_4711");
    fs::create_dir(&point).unwrap();
    symlink(&secret, path("run_4711.json")).unwrap();
    symlink("run_4711.json", path("run_4712.json")).unwrap();
    symlink("/dev/zero", point.join("profile_export_genai_perf.csv")).unwrap();
    symlink("..", point.join("loop")).unwrap();
    let pipes = [
        point.join("profile_export_genai_perf.json"),
        path("run_4713.json"),
        path("log"),
    ];
    assert!(
        Command::new("mkfifo")
            .args(&pipes)
            .status()
            .unwrap()
            .success()
    );
    symlink(&secret, path("log.link")).unwrap();

    let run = Run::read(utf8(folder.path())).unwrap();
    assert!(run.points().is_empty() && run.manifests().is_empty());
    let problems: Vec<_> = run.problems().iter().map(ToString::to_string).collect();
    for (name, problem) in [
        ("run_4711.json", "is a link, which is not followed"),
        ("run_4712.json", "is a link, which is not followed"),
        ("run_4713.json", "is not a regular file"),
        ("genai_perf.csv", "is a link, which is not followed"),
        ("genai_perf.json", "is not a regular file"),
    ] {
        let ending = format!("{name}: {problem}");
        assert!(
            problems.iter().any(|own| own.ends_with(&ending)),
            "no {ending:?} in {problems:#?}"
        );
    }
    assert!(!Report::new(&run).to_json().contains("PRECIOUS"));
    let error = last_lines(utf8(&path("log")), 9).unwrap_err().to_string();
    assert_eq!(error, "it is not a regular file");
    let error = last_lines(utf8(&path("log.link")), 9)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "it is a link, which is not followed");
}

/// A container names the folders in its point as it likes: what is in them is that point's, and no other job's.
#[test]
fn a_folder_in_a_point_is_no_other_point() {
    let folder = tempfile::tempdir().unwrap();
    let own = "llama_4_25_chat_128_128_4711";
    let other = "llama_4_50_chat_128_128_4712";
    for place in [own.to_owned(), format!("{own}/{other}")] {
        let place = folder.path().join(place);
        fs::create_dir_all(&place).unwrap();
        let speed = place.as_os_str().len();
        let table =
            format!("Metric,avg,min,max,p99\nOutput Token Throughput (tokens/sec),{speed},,,\n");
        fs::write(place.join("profile_export_genai_perf.csv"), table).unwrap();
    }
    let run = Run::read(utf8(folder.path())).unwrap();
    assert_eq!(run.points().len(), 2);
    for point in run.points() {
        assert_eq!(point.run().unwrap().as_str(), "4711");
        assert_eq!(point.concurrency(), Some(25));
    }
}
