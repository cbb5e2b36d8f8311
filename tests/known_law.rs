//! The figures of the real GenAI-Perf and AIPerf, against a server whose true times are known.
//!
//! It measures time, so it needs a machine with nothing else to do, and `tests/run` leaves it out:
//!
//! ```shell
//! tests/lab/images   # once: the tools
//! cargo test --all-features --test known_law -- --include-ignored --nocapture
//! ```
//!
//! `KNOWN_LAW_BOUND=0.05` allows five percent in place of two, `KNOWN_LAW_CONCURRENCIES=1,4` fewer
//! points; `NIM_SERVER_PORT` is the server's port, 18000 without.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::results::{Metric, Requests, Run, Statistic};
use serde_json::Value;

const MODEL: &str = "meta/llama3-70b-instruct";
const INPUT_TOKENS: u32 = 128;
const OUTPUT_TOKENS: u32 = 48;

/// Times so long that what the client adds to each, a few ms, is no matter.
const LAW: &str = "ttft=300,queue=4,prompt=0.2,itl=20,load=0.4,noise=0.05,seed=7";

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
        if self == Self::GenAiPerf {
            words.push_str(&format!(" -- --max-threads {concurrency}"));
        }
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
        // A server that waits for its turn would not keep its law.
        let process = Command::new("nice")
            .args(["-n", "-15", "python3"])
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/lab/image/fake_nim.py"
            ))
            .args(["--port", &port.to_string(), "--model", MODEL, "--law", law])
            .args(["--prefix-cache", cache, "--law-log", log.as_str()])
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
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<Value> = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
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

/// What the server truly did.
struct Truth {
    time_to_first_token: f64,
    inter_token_latency: f64,
    request_latency: f64,
    throughput: f64,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a few hundred requests, of a few seconds"
)]
fn truth_of(lines: &[Value]) -> Truth {
    let time = |line: &Value, name: &str| line[name].as_u64().unwrap();
    let count = lines.len() as f64;
    let mean = |value: &dyn Fn(&Value) -> f64| lines.iter().map(value).sum::<f64>() / count;
    let between =
        |line: &Value, from: &str, to: &str| (time(line, to) - time(line, from)) as f64 / 1e6;
    let begin = lines
        .iter()
        .map(|line| time(line, "start_ns"))
        .min()
        .unwrap();
    let end = lines
        .iter()
        .map(|line| time(line, "last_ns"))
        .max()
        .unwrap();
    let tokens = |line: &Value| line["output_tokens"].as_f64().unwrap();
    Truth {
        time_to_first_token: mean(&|line| between(line, "start_ns", "first_ns")),
        inter_token_latency: mean(&|line| {
            between(line, "first_ns", "last_ns") / (tokens(line) - 1.0)
        }),
        request_latency: mean(&|line| between(line, "start_ns", "last_ns")),
        throughput: lines.iter().map(tokens).sum::<f64>() / ((end - begin) as f64 / 1e9),
    }
}

/// Measures with both tools at 1 to 64 requests in flight, and compares what the report says, and
/// what each request says, with the server's own log.
#[test]
#[ignore = "measures time: needs a quiet machine, root and the lab's images"]
fn every_figure_is_the_truth() {
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let bound = std::env::var("KNOWN_LAW_BOUND").map_or(0.02, |bound| bound.parse().unwrap());
    let points =
        std::env::var("KNOWN_LAW_CONCURRENCIES").unwrap_or_else(|_| "1,4,16,64".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let server = Server::start(folder, LAW, "off");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for tool in [Tool::GenAiPerf, Tool::AiPerf] {
        for concurrency in points
            .split(',')
            .map(|number| number.parse::<u32>().unwrap())
        {
            let requests = (3 * concurrency).max(10);
            let results = folder.join(format!("{tool:?}-{concurrency}"));
            let command = tool.command(server.port, 1000 + concurrency, concurrency, requests);
            run(tool, &results, &command);
            let lines = server.truth(seen + requests as usize);
            let mean_wait = lines[seen..].iter().map(|line| {
                let time = |name: &str| line[name].as_u64().unwrap();
                Duration::from_nanos(time("turn_ns") - time("start_ns"))
            });
            let mean_wait = mean_wait.sum::<Duration>() / requests;
            println!(
                "{tool:?} at {concurrency}: a request had come {mean_wait:.1?} before its turn"
            );
            // A tool that sends more than it was asked to would be measured by the wrong requests.
            assert_eq!(
                lines.len() - seen,
                requests as usize,
                "{tool:?} at {concurrency}"
            );
            let truth = truth_of(&lines[seen..]);
            seen = lines.len();

            let run = Run::read(&results).unwrap();
            let [point] = run.points() else {
                panic!("{:?} {:?}", run.points(), run.problems());
            };
            assert_eq!(run.problems(), []);
            let own: &Requests = point.requests().expect("its file of requests");
            assert_eq!(own.as_slice().len(), requests as usize);
            let ours = own.figures().unwrap();
            for (metric, truth) in [
                (Metric::TimeToFirstToken, truth.time_to_first_token),
                (Metric::InterTokenLatency, truth.inter_token_latency),
                (Metric::RequestLatency, truth.request_latency),
                (Metric::OutputTokenThroughput, truth.throughput),
            ] {
                let tools = point.value(metric, Statistic::Avg).unwrap();
                let ours = ours.metric(metric).unwrap().avg().unwrap();
                let off = |value: f64| value / truth - 1.0;
                println!(
                    "{tool:?} at {concurrency}, {metric}: {truth:.2} in truth, {tools:.2} ({:+.2} %) by the tool, \
                     {ours:.2} ({:+.2} %) by each request",
                    100.0 * off(tools),
                    100.0 * off(ours)
                );
                if off(tools).abs() > bound || off(ours).abs() > bound {
                    wrong.push(format!(
                        "{tool:?} at {concurrency}, {metric}: {truth} {tools} {ours}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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

/// A sweep over a server that caches, as it was (the same seed and 100 prompts at each point) and as it
/// is, beside the times of the same server without its cache: what "Figures" in the README says.
#[test]
#[ignore = "needs root and the lab's images, and takes minutes"]
fn a_sweep_measures_the_server_and_not_its_cache() {
    const PROMPT: f64 = 2.0; // ms a token
    let _quiet = QUIET.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    for (tool, name, own_prompts) in [
        (Tool::GenAiPerf, "before", false),
        (Tool::GenAiPerf, "now", true),
        (Tool::AiPerf, "before", false),
        (Tool::AiPerf, "now", true),
    ] {
        let folder = folder.join(format!("{tool:?}-{name}"));
        fs::create_dir(&folder).unwrap();
        let law = format!("ttft=50,prompt={PROMPT},itl=5,seed=7");
        let server = Server::start(&folder, &law, "on");
        let mut measured = 0;
        for concurrency in [64, 16, 1] {
            let requests = (5 * concurrency).max(20);
            let (seed, prompts) = if own_prompts {
                (1000 + concurrency, requests)
            } else {
                (0, 100)
            };
            let results = folder.join(format!("{tool:?}-{concurrency}"));
            let command = tool.command_with(prompts, server.port, seed, concurrency, requests);
            run(tool, &results, &command);
            let lines = server.truth(measured + requests as usize);
            let mean = |value: &dyn Fn(&Value) -> f64| {
                let lines = &lines[measured..];
                lines.iter().map(value).sum::<f64>() / f64::from(requests)
            };
            let number = |line: &Value, name: &str| line[name].as_f64().unwrap();
            let cached = mean(&|line| number(line, "cached_tokens"));
            let share = cached / mean(&|line| number(line, "prompt_tokens"));
            let truth = mean(&|line| number(line, "law_ttft_ms")) + PROMPT * cached;
            let run = Run::read(&results).unwrap();
            let told = run.points()[0]
                .value(Metric::TimeToFirstToken, Statistic::Avg)
                .unwrap();
            println!(
                "{name}, {tool:?} at {concurrency}: {:.1} % cached, TTFT {told:.1} of {truth:.1} ms ({:+.1} %)",
                100.0 * share,
                100.0 * (told / truth - 1.0)
            );
            measured += requests as usize;
            // GenAI-Perf's text is small: some of its prompts are alike by chance.
            assert!(
                if own_prompts {
                    share <= 0.1
                } else {
                    share > 0.5
                },
                "{share}"
            );
        }
    }
}
