//! The figures of the real GenAI-Perf and AIPerf, against a server whose true times are known.
//!
//! launch.sh measures that server on the lab's Slurm, in three orders, run through and killed in the
//! middle and resumed; then the tools alone do what the version before had them do. One table comes of it.
//! `search` has launch.sh find the highest load within a limit, from 1 to 1024 requests in flight.
//!
//! It measures time, so it needs a machine with nothing else to do, or a control group that comes before all
//! others (`cpu.shares` of 262144) and has the lab, too. `tests/run` leaves it out. The names of its tests
//! choose a part of it:
//!
//! ```shell
//! tests/lab/images   # once: the tools
//! cargo test --all-features --test known_law -- --include-ignored --nocapture
//! tests/lab/down
//! ```
//!
//! `KNOWN_LAW_BOUND=0.05` allows five percent in place of two; `NIM_SERVER_PORT` is the server's port.

#[path = "common/client.rs"]
mod client;
#[expect(dead_code, reason = "the tests on Slurm use all of it")]
#[path = "slurm/lab.rs"]
mod lab;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{Arrival, ClientTool, Search, SearchedLoad, UseCase};
use nim_slurm::results::{Metric, Point, Probe, Request, Requests, Run, Statistic};
use nim_slurm::{Percentile, Plan, Recipe, Settings};
use serde_json::Value;

use crate::client::{own_commands, run_in_client};
use crate::lab::{Job, Lab, Site, recipe, run as run_command, settings};

const MODEL: &str = "meta/llama3-70b-instruct";
const INPUT_TOKENS: u32 = 128;
const OUTPUT_TOKENS: u32 = 16;

/// Five requests for each one in flight, and at least eight.
const ROUNDS: u32 = 5;
const LEAST_REQUESTS: u32 = 8;

/// Times of a large model on a few GPUs. Two clocks that are some ms apart, on a machine of two cores that has the
/// server, too, are then no matter; a cache that spares the prompt, and a first wave, are.
const LAW: &str = "ttft=350,queue=4,prompt=2,itl=20,load=0.4,wave=400,noise=0.05,seed=7";

/// What is in flight, point after point.
const ORDERS: [(&str, &[u32]); 3] = [
    ("ascending", &[1, 8, 64]),
    ("descending", &[64, 8, 1]),
    ("shuffled", &[8, 64, 1]),
];

/// As AIPerf starts on a node of eight CPUs. On a machine of two it starts one, which opens connections one after the
/// other and counts from before the first: at 64 in flight, the first requests wait in it for 70 ms on average, and its
/// time to first token is 2 to 3 % too long.
const AIPERF_WORKERS: &str = "5";

/// One test at a time: they have one port, and measure time.
static QUIET: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tool {
    GenAiPerf,
    AiPerf,
}

impl Tool {
    const fn tree(self) -> &'static str {
        match self {
            Self::GenAiPerf => "sdk",
            Self::AiPerf => "aiperf",
        }
    }

    /// The command of a point: as many prompts as requests, by a seed of its own.
    fn command(self, port: u16, seed: u32, concurrency: u32, requests: u32) -> Vec<String> {
        self.command_with(requests, port, seed, concurrency, requests)
    }

    fn command_with(
        self,
        prompts: u32,
        port: u16,
        seed: u32,
        concurrency: u32,
        requests: u32,
    ) -> Vec<String> {
        let [program, url, rest] = match self {
            Self::GenAiPerf => [
                "genai-perf",
                "127.0.0.1",
                "--service-kind openai --profile-export-file profile_export.json --num-prompts",
            ],
            Self::AiPerf => [
                "aiperf",
                "http://127.0.0.1",
                "--output-tokens-stddev 0 --ui none --num-dataset-entries",
            ],
        };
        let mut words = format!(
            "{program} profile --model {MODEL} --endpoint-type chat --streaming --url {url}:{port} \
             --tokenizer /opt/tokenizer --synthetic-input-tokens-mean {INPUT_TOKENS} \
             --synthetic-input-tokens-stddev 0 --output-tokens-mean {OUTPUT_TOKENS} \
             --extra-inputs max_tokens:{OUTPUT_TOKENS} --extra-inputs min_tokens:{OUTPUT_TOKENS} \
             --extra-inputs ignore_eos:true --random-seed {seed} --concurrency {concurrency} \
             --request-count {requests} --artifact-dir /mnt {rest} {prompts}"
        );
        words.push_str(&match self {
            Self::GenAiPerf => format!(" -- --max-threads {concurrency}"),
            Self::AiPerf => format!(" --workers-max {AIPERF_WORKERS}"),
        });
        words.split_whitespace().map(str::to_owned).collect()
    }
}

fn root() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// The lab's tree of a tool, unpacked.
fn tree(tool: Tool) -> Utf8PathBuf {
    let folder = root().join("law").join(tool.tree());
    if folder.exists() {
        return folder;
    }
    let cache = root().join("lab/cache");
    let start = format!("{}-", tool.tree());
    let packed = cache.read_dir_utf8().ok().and_then(|entries| {
        entries.flatten().find(|entry| {
            entry.file_name().starts_with(&start) && entry.path().extension() == Some("sqsh")
        })
    });
    let packed = packed
        .unwrap_or_else(|| panic!("{cache} has no {start}*.sqsh: tests/lab/images builds it"));
    fs::create_dir_all(root().join("law")).unwrap();
    let part = folder.with_extension("part");
    let unpacked = Command::new("unsquashfs")
        .args(["-quiet", "-no-progress", "-force", "-dest"])
        .args([part.as_str(), packed.path().as_str()])
        .status()
        .expect("unsquashfs is there");
    assert!(unpacked.success());
    fs::rename(part, &folder).unwrap();
    folder
}

struct Server {
    process: Child,
    log: Utf8PathBuf,
    port: u16,
}

impl Server {
    fn start(folder: &Utf8Path, law: &str, cache: &str) -> Self {
        let port = std::env::var("NIM_SERVER_PORT").map_or(18_000, |port| port.parse().unwrap());
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_err(),
            "port {port} is in use"
        );
        let log = folder.join("law.jsonl");
        let process = Command::new("python3")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/lab/image/fake_nim.py"
            ))
            .args(["--port", &port.to_string(), "--model", MODEL, "--law", law])
            // A server that waits for its turn would not keep its law.
            .args(["--nice", "-15", "--prefix-cache", cache])
            .args(["--law-log", log.as_str()])
            .stdout(Stdio::null())
            .spawn()
            .expect("python3 is there");
        let server = Self { process, log, port };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "the server does not listen"
            );
            sleep(Duration::from_millis(100));
        }
        server
    }

    /// The log's lines, as soon as it has so many.
    fn truth(&self, count: usize) -> Vec<Value> {
        let begin = Instant::now();
        loop {
            let lines = lines_of(&self.log);
            if lines.len() >= count || begin.elapsed() > Duration::from_secs(5) {
                return lines;
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a tool in its tree, which sees the machine's network and, as `/mnt`, the folder of its
/// results. Its processes are a group of their own, and `timeout` ends them all.
fn run(tool: Tool, folder: &Utf8Path, command: &[String]) {
    const INSIDE: &str = r#"
set -e
root=$1 results=$2
shift 2
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind "$results" "$root/mnt"
exec env -i HOME=/tmp $(cat "$root/etc/environment") chroot "$root" "$@"
"#;
    let tree = tree(tool);
    fs::create_dir_all(folder).unwrap();
    let log = fs::File::create(folder.with_extension("log")).unwrap();
    let mut tool = Command::new("unshare");
    tool.args([
        "--mount",
        "timeout",
        "--kill-after=10",
        "400",
        "bash",
        "-c",
        INSIDE,
        "known_law",
    ])
    .args([tree.as_str(), folder.as_str()])
    .args(command)
    .stdin(Stdio::null())
    .stdout(log.try_clone().unwrap())
    .stderr(log)
    .process_group(0);
    let status = tool.status().expect("unshare is there");
    if !status.success() {
        let log = fs::read_to_string(folder.with_extension("log")).unwrap();
        let lines: Vec<_> = log.lines().rev().take(15).collect();
        panic!(
            "{command:?}: {status}\n{}",
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        );
    }
}

/// What the server truly did with one request, in ms: by its own log, without what its cache spared it
/// and what its being cold cost it.
struct Truth {
    time_to_first_token: f64,
    inter_token_latency: f64,
    latency: f64,
}

impl Truth {
    fn of(line: &Value) -> Self {
        let number = |name: &str| line[name].as_f64().unwrap();
        let tokens = number("output_tokens");
        let spared = number("warm_ttft_ms") - number("law_ttft_ms");
        Self {
            time_to_first_token: milliseconds(line, "start_ns", "first_ns") + spared,
            inter_token_latency: milliseconds(line, "first_ns", "last_ns") / (tokens - 1.0),
            latency: milliseconds(line, "start_ns", "last_ns") + spared,
        }
    }
}

fn time(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds")]
fn milliseconds(line: &Value, from: &str, to: &str) -> f64 {
    (time(line, to) - time(line, from)) as f64 / 1e6
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap())
}

/// The value that 95 % of all are below, between two of them on a straight line.
fn p95(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    // In twentieths of the distance between two.
    let (below, part) = (19 * last / 20, 19 * last % 20);
    let above = values[(below + 1).min(last)];
    values[below] + (above - values[below]) * f64::from(u8::try_from(part).unwrap()) / 20.0
}

/// For how long requests run that take so long each, when the next is sent as soon as one has ended.
fn closed_loop(latencies: impl Iterator<Item = f64>, concurrency: u32) -> f64 {
    let mut ends = vec![0.0_f64; concurrency as usize];
    for latency in latencies {
        let first = ends
            .iter_mut()
            .min_by(|one, other| one.total_cmp(other))
            .unwrap();
        *first += latency;
    }
    ends.into_iter().fold(0.0, f64::max)
}

/// A row of the table, and whether its difference is below the bound.
struct Row {
    words: String,
    difference: f64,
}

/// What the report says of a point, beside the truth: a row for each figure.
fn compare(name: &str, point: &Point, log: &[Value]) -> Vec<Row> {
    let concurrency = point.concurrency().unwrap();
    let own: &Requests = point.requests().expect("its file of requests");
    let requests = own.as_slice();
    let (from, to) = (
        requests[0].start(),
        requests.iter().map(Request::end).max().unwrap(),
    );
    // The warm-up and signs of life come before and after, or are shorter.
    let mut lines: Vec<&Value> = log
        .iter()
        .filter(|line| time(line, "start_ns") >= from && time(line, "first_ns") <= to)
        .filter(|line| line["output_tokens"] == OUTPUT_TOKENS)
        .collect();
    lines.sort_by_key(|line| time(line, "start_ns"));
    assert_eq!(lines.len(), requests.len(), "{name} at {concurrency}");

    let truth: Vec<Truth> = lines.iter().map(|line| Truth::of(line)).collect();
    let values = |value: fn(&Truth) -> f64| truth.iter().map(value).collect::<Vec<_>>();
    let tokens = f64::from(OUTPUT_TOKENS) * f64::from(u32::try_from(lines.len()).unwrap());
    let end = lines.iter().max_by_key(|line| time(line, "last_ns"));
    let span = {
        let mut span = lines[0].clone();
        span["last_ns"] = end.unwrap()["last_ns"].clone();
        milliseconds(&span, "start_ns", "last_ns") / 1000.0
    };
    // As long as it took, times what a warm server without a cache would have taken longer.
    let took = lines
        .iter()
        .map(|line| milliseconds(line, "start_ns", "last_ns"));
    let longer = closed_loop(truth.iter().map(|truth| truth.latency), concurrency)
        / closed_loop(took, concurrency);
    let ours = own.figures().unwrap();
    let mut rows = Vec::new();
    for (metric, statistic, truth) in [
        (
            Metric::TimeToFirstToken,
            Statistic::Avg,
            mean(&values(|truth| truth.time_to_first_token)),
        ),
        (
            Metric::TimeToFirstToken,
            Statistic::P95,
            p95(&values(|truth| truth.time_to_first_token)),
        ),
        (
            Metric::InterTokenLatency,
            Statistic::Avg,
            mean(&values(|truth| truth.inter_token_latency)),
        ),
        (
            Metric::InterTokenLatency,
            Statistic::P95,
            p95(&values(|truth| truth.inter_token_latency)),
        ),
        (
            Metric::RequestLatency,
            Statistic::Avg,
            mean(&values(|truth| truth.latency)),
        ),
        (
            Metric::RequestLatency,
            Statistic::P95,
            p95(&values(|truth| truth.latency)),
        ),
        (
            Metric::OutputTokenThroughput,
            Statistic::Avg,
            tokens / span / longer,
        ),
    ] {
        let tools = point.value(metric, statistic).unwrap();
        let ours = ours.metric(metric).unwrap().get(statistic).unwrap();
        let [tools_off, ours_off] = [tools, ours].map(|value| value / truth - 1.0);
        // Of what the tool says and what each request says, the one that is further off.
        let (told, difference) = if tools_off.abs() >= ours_off.abs() {
            (tools, tools_off)
        } else {
            (ours, ours_off)
        };
        let words = format!(
            "{name} | {concurrency} | {metric} {statistic} | {truth:.2} | {told:.2} | {:+.2} %",
            100.0 * difference
        );
        println!("{words}");
        rows.push(Row { words, difference });
    }
    rows
}

fn head() {
    println!("tool | version | order | way | in flight | figure | truth | reported | difference");
}

/// The rule: every figure within two percent.
#[track_caller]
fn assert_true(rows: &[Row]) {
    let bound = std::env::var("KNOWN_LAW_BOUND").map_or(0.02, |bound| bound.parse().unwrap());
    let wrong: Vec<_> = rows
        .iter()
        .filter(|row| row.difference.abs() > bound)
        .map(|row| &row.words)
        .collect();
    let largest = rows.iter().map(|row| row.difference.abs());
    println!(
        "{} figures, {} of them off by more than {bound}; the largest difference: {:.2} %",
        rows.len(),
        wrong.len(),
        100.0 * largest.fold(0.0, f64::max)
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The server's log, as far as its lines are whole.
fn lines_of(log: &Utf8Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines.collect()
}

/// A site whose recipe measures the server of the law, in this order.
fn recipe_of(tool: Tool, order: &[u32]) -> Recipe {
    let mut recipe = recipe()
        .with_use_cases([format!("law:{INPUT_TOKENS}/{OUTPUT_TOKENS}")
            .parse()
            .unwrap()])
        .with_concurrency(order.iter().copied());
    recipe.sweep.min_requests = LEAST_REQUESTS;
    recipe.sweep.requests_per_concurrency = ROUNDS;
    // Its signs of life are load.
    recipe.server.probe_interval = 600;
    recipe.server.environment.insert(
        "LAB_NIM_ARGS".parse().unwrap(),
        format!("--law {LAW} --prefix-cache off --law-log {{cache_path}}/law.jsonl --nice -15")
            .parse()
            .unwrap(),
    );
    if tool == Tool::AiPerf {
        recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
        recipe.client.image = "nvcr.io/nvidia/aiperf:0.13.0".parse().unwrap();
        recipe.client.file = None;
    }
    recipe
}

/// Renders the scripts of a site. launch.sh measures the highest concurrency first, whatever the recipe says:
/// the rows of its table get this order.
fn render(site: &Site, tool: Tool, order: &[u32]) {
    site.render(recipe_of(tool, order), settings(""));
    let script = site.folder.join(Launch.file_name());
    let text = fs::read_to_string(&script).unwrap();
    let (before, rest) = text.split_once("\npoints=(\n").unwrap();
    let (rows, after) = rest.split_once("\n)\n").unwrap();
    let start = |concurrency| format!("  'law {INPUT_TOKENS} {OUTPUT_TOKENS} {concurrency} ");
    let row_at = |concurrency: &u32| {
        let mut rows = rows.lines();
        rows.find(|row| row.starts_with(&start(*concurrency)))
            .unwrap()
    };
    let ordered: Vec<_> = order.iter().map(row_at).collect();
    assert_eq!(ordered.len(), rows.lines().count());
    let ordered = ordered.join("\n");
    fs::write(script, format!("{before}\npoints=(\n{ordered}\n)\n{after}")).unwrap();
}

/// Where the server's log is, once it has one.
fn law_log(site: &Site) -> Utf8PathBuf {
    let caches = Utf8PathBuf::from_path_buf(site.stage().join("nim_cache")).unwrap();
    // A folder of the user's, with one for each server.
    let first = |folder: &Utf8Path| folder.read_dir_utf8().ok()?.next()?.ok();
    let cache = first(&caches).and_then(|own| first(own.path()));
    cache.map_or(caches, |cache| cache.path().join("law.jsonl"))
}

fn requests_at(concurrency: u32) -> u32 {
    (ROUNDS * concurrency).max(LEAST_REQUESTS)
}

/// In the middle of the second point, ends the job in one of the ways in which jobs end; its number.
fn kill(site: &Site, job: Job<'_>, order: &[u32], options: &[&str]) -> String {
    let before = lines_of(&law_log(site)).len();
    // Each with its warm-up.
    let first_point = (order[0] + requests_at(order[0]) + order[1]) as usize;
    job.wait_until("the middle of the second point", || {
        let log = lines_of(&law_log(site));
        let load = log.iter().skip(before);
        load.filter(|line| line["output_tokens"] == OUTPUT_TOKENS)
            .count()
            > first_point
    });
    run_command(job.lab.command("scancel").args(options).arg(&job.id));
    let ended = job.wait();
    assert_ne!(ended.state, "COMPLETED", "{}", ended.output);
    ended.id
}

/// All orders, each by jobs of launch.sh.
fn sweeps(tool: Tool, is_killed: bool) {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, &format!("known_law_{tool:?}"), recipe_of(tool, &[1]));
    site.set("LAB_AIPERF_WORKERS", AIPERF_WORKERS);
    let mut rows = Vec::new();
    head();
    // The node dies, somebody cancels the job, its time is nearly over.
    let ends: [&[&str]; 3] = [
        &["--full", "--signal=KILL"],
        &[],
        &["--batch", "--signal=USR1"],
    ];
    for ((name, order), end) in ORDERS.into_iter().zip(ends) {
        render(&site, tool, order);
        let mut jobs = Vec::new();
        if is_killed {
            site.variables.remove("RESUME_JOB_ID");
            let killed = kill(&site, site.submit(&lab, Launch), order, end);
            site.set("RESUME_JOB_ID", &killed);
            jobs.push(killed);
        }
        let ended = site.job(&lab, Launch);
        let client = site.log("benchmarking", &ended.id);
        assert_eq!(ended.code, 0, "{}\n{client}", ended.output);
        jobs.push(ended.id);
        let results = Utf8PathBuf::from_path_buf(site.results()).unwrap();
        let numbers: Vec<_> = jobs.iter().map(|id| id.parse().unwrap()).collect();
        let run = Run::read_jobs(results, &numbers).unwrap();
        assert_eq!(run.problems(), []);
        let point_at = |concurrency: u32| {
            let mut points = run.points().iter();
            points.find(|point| point.concurrency() == Some(concurrency))
        };
        assert_eq!(run.points().len(), order.len());
        let measured_by = |concurrency: u32| point_at(concurrency).unwrap().path().to_string();
        let first = measured_by(order[0]);
        assert!(first.ends_with(&format!("_{}", jobs[0])), "{first}");
        let second = measured_by(order[1]);
        let last_job = jobs.last().unwrap();
        assert!(second.ends_with(&format!("_{last_job}")), "{second}");
        let log = lines_of(&law_log(&site));
        let begins: Vec<u64> = order
            .iter()
            .map(|&concurrency| {
                point_at(concurrency)
                    .unwrap()
                    .requests()
                    .unwrap()
                    .as_slice()[0]
                    .start()
            })
            .collect();
        assert!(begins.is_sorted(), "{name}: {begins:?}");
        let way = if is_killed {
            "killed and resumed"
        } else {
            "run through"
        };
        for &concurrency in order {
            let name = format!("{tool:?} | now | {name} | {way}");
            rows.extend(compare(&name, point_at(concurrency).unwrap(), &log));
        }
    }
    assert_true(&rows);
}

#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab"]
fn genai_perf_run_through() {
    sweeps(Tool::GenAiPerf, false);
}

#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab"]
fn genai_perf_killed_and_resumed() {
    sweeps(Tool::GenAiPerf, true);
}

#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab"]
fn aiperf_run_through() {
    sweeps(Tool::AiPerf, false);
}

#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab"]
fn aiperf_killed_and_resumed() {
    sweeps(Tool::AiPerf, true);
}

/// For each use case, the search ends with the two levels side by side between which the law crosses the limit: with n in flight,
/// a token takes 1 + 0.1 (n - 1) ms, so 4.9 ms at 40, and 5.1 ms at 42.
fn searches(tool: Tool) {
    const LIMIT: &str = "5.05";
    const ANSWER: [u32; 2] = [40, 42];
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::enter();
    let use_cases = ["chat:32/256", "short:64/128"].map(|text| text.parse().unwrap());
    let mut recipe = recipe_of(tool, &[]).with_use_cases(use_cases);
    let search = Search::new(1, 1024).with_itl(LIMIT.parse().unwrap());
    let most = usize::try_from(search.ladder().most_probes()).unwrap();
    assert_eq!(most, 9);
    recipe.sweep.search = Some(search);
    let law = "--law ttft=20,itl=1,load=0.1 --prefix-cache off --nice -15";
    let name = "LAB_NIM_ARGS".parse().unwrap();
    recipe.server.environment.insert(name, law.parse().unwrap());
    let mut site = Site::ready(&lab, &format!("known_law_search_{tool:?}"), recipe);
    site.set("LAB_AIPERF_WORKERS", AIPERF_WORKERS);
    let job = site.submit(&lab, Launch);
    // A busy machine takes longer for all of them than is waited for one thing.
    job.wait_until("half of the probes", || site.points().len() >= 8);
    let ended = job.wait();
    let client = site.log("benchmarking", &ended.id);
    assert_eq!(ended.code, 0, "{}\n{client}", ended.output);
    let run = Run::read(Utf8PathBuf::from_path_buf(site.results()).unwrap()).unwrap();
    assert_eq!(run.problems(), []);
    println!("{}", nim_slurm::Report::new(&run).to_table());
    let groups = run.groups();
    assert_eq!(groups.len(), 2);
    for group in &groups {
        let capacity = group.capacity(&run).unwrap();
        for probe in capacity.probes() {
            let itl = capacity.value(probe, Metric::InterTokenLatency);
            println!(
                "{tool:?} {:?} | {} | attempt {} | {:?} requests | p95 {itl:.3?} ms | {:?} | {:?} s",
                group.points()[0].use_case(),
                probe.level(),
                probe.attempt(),
                probe.requests(),
                probe.verdict(),
                probe.seconds(),
            );
        }
        let bracket = [capacity.held(), capacity.exceeded()].map(|probe| probe.unwrap().level());
        assert_eq!((bracket, capacity.next()), (ANSWER, None), "{client}");
        let levels: BTreeSet<_> = capacity.probes().iter().map(Probe::level).collect();
        assert!(levels.len() <= most, "{levels:?}");
    }
}

#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab"]
fn search_from_1_to_1024_with_genai_perf() {
    searches(Tool::GenAiPerf);
}

#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab"]
fn search_from_1_to_1024_with_aiperf() {
    searches(Tool::AiPerf);
}

/// A search of this law, within one limit, with requests of 16 tokens.
fn searching(tool: Tool, search: Search, law: &str) -> Recipe {
    let use_case: UseCase = "chat:32/16".parse().unwrap();
    let use_case = match search.of {
        SearchedLoad::RequestRate => use_case.with_arrival(Arrival::Constant),
        _ => use_case,
    };
    let mut recipe = recipe_of(tool, &[]).with_use_cases([use_case]);
    recipe.sweep.search = Some(search);
    let law = format!("--law {law} --prefix-cache off --nice -15");
    let name = "LAB_NIM_ARGS".parse().unwrap();
    recipe.server.environment.insert(name, law.parse().unwrap());
    recipe
}

/// What a search found: its probes and the two levels.
fn found(site: &Site) -> (Vec<u32>, [Option<u32>; 2]) {
    let run = Run::read(Utf8PathBuf::from_path_buf(site.results()).unwrap()).unwrap();
    assert_eq!(run.problems(), []);
    println!("{}", nim_slurm::Report::new(&run).to_table());
    let capacity = run.groups()[0].capacity(&run).unwrap();
    assert_eq!(capacity.next(), None, "it has not ended");
    let bracket = [capacity.held(), capacity.exceeded()].map(|probe| probe.map(Probe::level));
    let levels = capacity.probes().iter().map(Probe::level);
    (levels.collect(), bracket)
}

/// With n in flight when it comes, a request waits for 200 + 100 (n - 1) ms, and takes 300 ms more. At a constant rate r, 2 are in
/// flight before it as long as it takes less than 3 / r with them: 700 ms, so up to 4.28 a second; from there on, 3. So the time to
/// first token is 400 ms at 3.9 a second, and 500 ms at 4.87.
fn searches_rates(tool: Tool) {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::enter();
    let search = Search::of_rate(2.try_into().unwrap(), 8.try_into().unwrap())
        .with_ttft("450".parse().unwrap())
        .with_within("25%".parse().unwrap());
    let recipe = searching(tool, search, "ttft=200,queue=100,itl=20");
    let site = Site::ready(&lab, &format!("known_law_rates_{tool:?}"), recipe);
    let ended = site.job(&lab, Launch);
    let client = site.log("benchmarking", &ended.id);
    assert_eq!(ended.code, 0, "{}\n{client}", ended.output);
    let (levels, bracket) = found(&site);
    assert_eq!(bracket, [Some(390), Some(487)], "{client}");
    assert_eq!(levels, [200, 487, 312, 390], "{client}");
    let said =
        "within the limits: 3.90 requests a second; not within them: 4.87 requests a second (ttft)";
    assert!(client.contains(said), "{client}");
}

#[test]
#[ignore = "takes minutes: needs root and the lab"]
fn search_of_rates_with_genai_perf() {
    searches_rates(Tool::GenAiPerf);
}

#[test]
#[ignore = "takes minutes: needs root and the lab"]
fn search_of_rates_with_aiperf() {
    searches_rates(Tool::AiPerf);
}

/// The node dies after each probe of AIPerf's, and each job resumes the one before: the answer is the law's, and no probe is
/// measured twice. The tests on Slurm have the same with GenAI-Perf.
#[test]
#[ignore = "takes minutes: needs root and the lab"]
fn search_killed_after_each_probe_with_aiperf() {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let lab = Lab::enter();
    let search = Search::new(1, 16)
        .with_ttft("560".parse().unwrap())
        .with_at(Percentile::new(50).unwrap())
        .with_within("40%".parse().unwrap());
    // 490 ms at 12, 650 ms at 16.
    let mut recipe = searching(Tool::AiPerf, search, "ttft=50,queue=40,itl=0.5");
    recipe.sweep.use_cases = vec!["chat:32/256".parse().unwrap()];
    let mut site = Site::ready(&lab, "known_law_search_killed", recipe);
    let mut jobs = 0;
    loop {
        let before = site.points();
        let job = site.submit(&lab, Launch);
        job.wait_until("a probe, or the end", || {
            site.points().len() > before.len() || site.exit_code(&job.id).is_some()
        });
        jobs += 1;
        if site.exit_code(&job.id) == Some(0) {
            break;
        }
        run_command(
            job.lab
                .command("scancel")
                .args(["--full", "--signal=KILL", &job.id]),
        );
        let killed = job.wait();
        site.set("RESUME_JOB_ID", &killed.id);
        assert!(jobs < 12, "{before:?}");
    }
    let (levels, bracket) = found(&site);
    println!("{jobs} jobs: {levels:?}");
    assert_eq!(bracket, [Some(12), Some(16)]);
    let different: BTreeSet<_> = levels.iter().collect();
    assert_eq!(
        (different.len(), site.points().len()),
        (levels.len(), levels.len())
    );
    assert!(jobs >= levels.len(), "{jobs} jobs for {levels:?}");
}

/// The same sweeps as the version before measured them: the same seed and 100 prompts at each point, no
/// warm-up, and the server's cache as servers have it.
#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab's images"]
fn the_version_before() {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    head();
    for tool in [Tool::GenAiPerf, Tool::AiPerf] {
        for (name, order) in ORDERS {
            let folder = folder.join(format!("{tool:?}-{name}"));
            fs::create_dir(&folder).unwrap();
            let server = Server::start(&folder, LAW, "on");
            let mut measured = 0;
            let mut largest = 0.0_f64;
            for &concurrency in order {
                let requests = requests_at(concurrency);
                let results = folder.join(concurrency.to_string());
                let command = tool.command_with(100, server.port, 0, concurrency, requests);
                run(tool, &results, &command);
                measured += requests as usize;
                let log = server.truth(measured);
                let run = Run::read(&results).unwrap();
                let [point] = run.points() else {
                    panic!("{:?} {:?}", run.points(), run.problems());
                };
                let name = format!("{tool:?} | before | {name} | run through");
                for row in compare(&name, point, &log) {
                    largest = largest.max(row.difference.abs());
                }
            }
            // Else this server would not show what the version now is worth.
            assert!(largest > 0.1, "{largest}");
        }
    }
}

/// What prompts that repeat are worth to a server that caches their beginnings: with the same seed
/// at each point, the second point is measured on prompts of the first.
#[test]
#[ignore = "needs root and the lab's images, and takes minutes"]
fn each_point_has_its_own_prompts() {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let server = Server::start(folder, LAW, "on");
    let mut seen = 0;
    for tool in [Tool::GenAiPerf, Tool::AiPerf] {
        let mut hits = |name: &str, seed: u32, requests: u32| {
            let command = tool.command(server.port, seed, 8, requests);
            run(tool, &folder.join(format!("{tool:?}-{name}")), &command);
            let lines = server.truth(seen + requests as usize);
            let sum = |name: &str| {
                lines[seen..]
                    .iter()
                    .map(|line| line[name].as_f64().unwrap())
                    .sum::<f64>()
            };
            let share = sum("cached_tokens") / sum("prompt_tokens");
            seen = lines.len();
            println!(
                "{tool:?}, {name}: {:.2} % of the prompt tokens were cached",
                100.0 * share
            );
            share
        };
        assert!(hits("first", 1, 24) <= 0.01);
        assert!(hits("another seed", 2, 24) <= 0.01);
        assert!(hits("the first seed again", 1, 24) > 0.5);
    }
}

/// The largest distance between the share of the gaps below a time and what a distribution says (Kolmogorov, Smirnov).
fn distance(gaps: &[f64], share_below: impl Fn(f64) -> f64) -> f64 {
    let mut gaps = gaps.to_vec();
    gaps.sort_unstable_by(f64::total_cmp);
    let count = f64::from(u32::try_from(gaps.len()).unwrap());
    let steps = gaps.iter().zip(0_u32..).map(|(gap, below)| {
        let (below, share) = (f64::from(below), share_below(*gap));
        (share - below / count)
            .abs()
            .max((share - (below + 1.0) / count).abs())
    });
    steps.fold(0.0, f64::max)
}

/// The error function, to 1e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    1.0 - terms.into_iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp()
}

/// Of 10 requests a second, the gaps that the server saw are those that the recipe asked for; and what the tool leaves is a
/// valid result, by number and by time.
#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab's images"]
fn arrivals_are_as_asked_for() {
    const RATE: f64 = 10.0;
    const REQUESTS: usize = 120;
    /// With one in a hundred, chance alone is further off.
    const BOUND: f64 = 1.628;
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let server = Server::start(folder, "ttft=20,itl=2,seed=7", "off");
    let url = format!("127.0.0.1:{}", server.port);
    let exponential = |gap: f64| 1.0 - (-RATE * gap).exp();
    // Of shape 0.5: a mean of 0.1 s is a scale of 0.2.
    let gamma = |gap: f64| erf((gap * RATE * 0.5).sqrt());
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (tool, arrival, duration) in [
        (Tool::AiPerf, Arrival::Constant, None),
        (Tool::AiPerf, Arrival::Poisson, Some("10s")),
        (Tool::AiPerf, Arrival::Gamma, None),
        (Tool::GenAiPerf, Arrival::Constant, None),
        (Tool::GenAiPerf, Arrival::Poisson, None),
    ] {
        let mut use_case: UseCase = format!("rate:{INPUT_TOKENS}/{OUTPUT_TOKENS}")
            .parse()
            .unwrap();
        use_case = use_case
            .with_request_rate([10.try_into().unwrap()])
            .with_arrival(arrival);
        if arrival == Arrival::Gamma {
            use_case = use_case.with_smoothness("0.5".parse().unwrap());
        }
        if let Some(duration) = duration {
            use_case = use_case.with_duration(duration.parse().unwrap());
        }
        let mut recipe = recipe_of(tool, &[1]).with_use_cases([use_case]);
        recipe.client.random_seed = 11;
        let plan = Plan::new(recipe, Settings::new()).unwrap();
        let prompts = plan.recipe().sweep.points()[0].requests.to_string();
        let requests = REQUESTS.to_string();
        let facts = [
            ("{url}", url.as_str()),
            ("{folder}", "/mnt"),
            ("{rate}", "10"),
            ("{requests}", &requests),
            ("{prompts}", &prompts),
            ("{seed}", "11"),
        ];
        let command = own_commands(plan.launch().text(), &facts).remove(0);
        let name = format!("{tool:?} {arrival:?}");
        let results = folder.join(&name);
        run(tool, &results, &command);
        let sent = if duration.is_none() {
            server.truth(seen + REQUESTS)
        } else {
            sleep(Duration::from_secs(1));
            lines_of(&server.log)
        };
        let mut starts: Vec<_> = sent[seen..]
            .iter()
            .map(|line| time(line, "start_ns"))
            .collect();
        seen = sent.len();
        starts.sort_unstable();
        let gaps = starts
            .windows(2)
            .map(|pair| Duration::from_nanos(pair[1] - pair[0]));
        let gaps: Vec<f64> = gaps.map(|gap| gap.as_secs_f64()).collect();
        let count = f64::from(u32::try_from(gaps.len()).unwrap());
        let (distance, bound) = match arrival {
            Arrival::Constant => {
                let off = gaps.iter().filter(|gap| (**gap - 1.0 / RATE).abs() > 0.02);
                (f64::from(u32::try_from(off.count()).unwrap()) / count, 0.05)
            }
            Arrival::Gamma => (distance(&gaps, gamma), BOUND / count.sqrt()),
            _ => (distance(&gaps, exponential), BOUND / count.sqrt()),
        };
        let asked = duration.map_or(requests.clone(), |_| format!("1-{prompts}"));
        let check = format!(
            "check_result {results:?} {OUTPUT_TOKENS} {asked} && echo \"valid, $busy ms\" || echo \"$reason\""
        );
        let valid = run_in_client(plan.recipe(), &check, &[]);
        println!(
            "{name} | {} requests | mean gap {:.4} s | distance {distance:.3}, bound {bound:.3} | {valid}",
            gaps.len() + 1,
            mean(&gaps)
        );
        // A distribution that was not asked for is told from it.
        if arrival == Arrival::Gamma {
            assert!(self::distance(&gaps, exponential) > bound, "{name}");
        }
        if distance > bound || !valid.starts_with("valid") {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// A token takes 20 ms and 5 more for each other answer at that moment, so the server makes fewer than 200 a second: 12.5 answers
/// of 16. Those of 3 a second it does with two in flight; of 18 a second, more and more wait, until the rest has it for itself.
#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab's images"]
fn a_rate_that_is_too_high_for_a_batch_is_told() {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    for (tool, flags) in [
        (Tool::GenAiPerf, "--request-rate"),
        (Tool::AiPerf, "--arrival-pattern constant --request-rate"),
    ] {
        for (rate, requests) in [(3, 60), (18, 360)] {
            let folder = tempfile::tempdir().unwrap();
            let folder = Utf8Path::from_path(folder.path()).unwrap();
            let server = Server::start(folder, "ttft=50,itl=20,load=5,batch=1", "off");
            let mut command = tool.command(server.port, 7, 1, requests);
            let place = command.iter().position(|word| word == "--concurrency");
            let rate_word = rate.to_string();
            let flags = flags.split(' ').chain([rate_word.as_str()]);
            command.splice(place.unwrap()..place.unwrap() + 2, flags.map(str::to_owned));
            let results = folder.join(format!(
                "m_4_rate{rate}_chat_{INPUT_TOKENS}_{OUTPUT_TOKENS}_7"
            ));
            run(tool, &results, &command);
            let run = Run::read(&results).unwrap();
            let caveat = run.points()[0].caveat();
            println!("{tool:?} | {rate} requests a second | {caveat:?}");
            assert_eq!(caveat.is_some(), rate == 18, "{tool:?}: {caveat:?}");
        }
    }
}
