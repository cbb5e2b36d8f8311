//! What a hostile text costs: time and memory stay within the size of the text, for
//! every value, and for whole settings, recipes, manifests and scripts.
//!
//! `NIM_SLURM_CASES=100000 cargo test --test memory` tries as many texts at random.
#![expect(
    unsafe_code,
    reason = "only an allocator sees what is allocated, and Rust has no safe way to be one"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use camino::Utf8Path;
use nim_slurm::results::{Requests, Run};
use nim_slurm::slurm::{Directives, OptionName};
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::every_value::{Value, Visitor, every_value};
use self::processor::spent;

#[path = "common/every_value.rs"]
mod every_value;
#[path = "common/processor.rs"]
mod processor;

/// Counts the bytes that are allocated now, and how many there were at most.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How often this thread has allocated: what the test harness does is not counted.
    static TIMES: Cell<usize> = const { Cell::new(0) };
}

fn more(bytes: usize) {
    TIMES.set(TIMES.get() + 1);
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    MOST.fetch_max(now, Relaxed);
}

// SAFETY: all is System's own, with the arguments as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while it is copied.
        more(size);
        let place = unsafe { System.realloc(place, layout, size) };
        NOW.fetch_sub(layout.size(), Relaxed);
        place
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One measurement at a time: the tests of a binary run side by side.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Far longer than any of it takes; what is quadratic in a text of this size takes minutes. In milliseconds.
const AT_ONCE: u64 = 5_000;

/// What may be allocated for a byte of a value.
const OF_A_VALUE: usize = 64;

/// What may be allocated for a byte of a file: the reader of TOML keeps a token for
/// each bracket, and an error for each line that is no TOML; twice as many while their
/// list grows.
const OF_A_FILE: usize = 320;

/// The most that a deed takes for a byte, and where that was.
#[derive(Default)]
struct Worst {
    share: usize,
    place: String,
    bound: usize,
}

impl Worst {
    fn within(bound: usize) -> Self {
        Self {
            bound,
            ..Self::default()
        }
    }

    /// Does it, and asserts that time and memory are within their bounds.
    #[track_caller]
    fn measure<T>(&mut self, place: &str, length: usize, always: usize, deed: impl FnOnce() -> T) {
        let start = spent();
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        black_box(deed());
        let used = MOST.load(Relaxed).saturating_sub(before);
        let time = spent() - start;
        assert!(time < AT_ONCE, "{place}: {time} ms for {length} bytes");
        let beyond = used.saturating_sub(always);
        assert!(
            beyond <= self.bound * length,
            "{place}: {used} bytes for a text of {length}"
        );
        let share = beyond / length.max(1);
        if share > self.share {
            *self = Self {
                share,
                place: place.to_owned(),
                bound: self.bound,
            };
        }
    }

    fn tell(&self) {
        println!("at most {} bytes for a byte: {}", self.share, self.place);
    }
}

/// What is repeated in a long text: the pieces of every grammar.
const UNITS: &[&str] = &[
    "a",
    "1",
    "0",
    ",",
    "a,",
    "1,",
    "1-2,",
    "9-1,",
    "n[1-2],",
    "n[0-65535],",
    "n[1,2,3,4,5,6,7],",
    "[",
    "]",
    "(",
    ")",
    "((",
    "[(",
    "(a|",
    "a&",
    "a|",
    "!",
    "*",
    ":",
    "1:",
    "a:1,",
    "gpu:a:1,",
    "gpu:1,",
    "cpu=1,",
    "gres/gpu:a=1,",
    "afterok:1,",
    "afterok:1:",
    "afterok:1?",
    "0-65535,",
    "0-2147483646:1,",
    "%",
    "%j",
    "@",
    "1@",
    "=",
    "a=1,",
    "\\",
    "\"",
    "'",
    "$",
    "`",
    "/",
    "/a",
    "/../",
    ".",
    "..",
    "-",
    "--",
    "+",
    "now+",
    "B:",
    "SIG",
    "é",
    "\u{10ffff}",
    "\0",
    "\n",
    " ",
    "\t",
    "TASK=1,",
    "map_gpu:1*",
    "0x1,",
    "1G",
    "{",
    "{gpus}",
    "{{",
    "}",
    "#",
    "docker://",
    "~",
];

/// Short texts that stand for much.
const SHORT: &[&str] = &[
    "[0-4294967295]",
    "n[0-65535]",
    "n[0-18446744073709551615]",
    "n[000000000000000001-65535]",
    "0-2147483646",
    "0-2147483646:1%2147483646",
    "0-4294967295",
    "2147483646",
    "18446744073709551615",
    "99999999999999999999999999999999999999",
    "2147483646-2147483646:2147483646",
    "gpu:2147483646",
    "2147483646@2147483646",
    "35791394-23:59:59",
    "now+2147483646weeks",
    "9999-12-31T23:59:59",
    "17179869183T",
    "99999999999 TiB",
    "chat:4294967295/4294967295",
    "map_gpu:0*2147483646",
    "mask_gpu:0xffffffffffffffffffff*65535",
    "cpu=18446744073709551615",
];

/// Below, near and above the lengths at which values are refused; one is just above a power
/// of two, where what grows by doubling has most room to spare.
const LENGTHS: [usize; 4] = [900, 2_050, 4_000, 30_000];

fn long(unit: &str, length: usize) -> String {
    unit.repeat(length / unit.len())
}

fn hostile_texts() -> Vec<String> {
    let repeated = UNITS.iter().flat_map(|unit| {
        LENGTHS.iter().flat_map(move |&length| {
            let text = long(unit, length);
            // Separators at the end are refused early.
            let trimmed = text.trim_end_matches([',', ':', '&', '|']).to_owned();
            (trimmed != text)
                .then_some(trimmed)
                .into_iter()
                .chain([text])
        })
    });
    let short = SHORT.iter().map(ToString::to_string);
    let behind_a_name = [format!("{}[0-65535]", long("n", 60_000))];
    short.chain(repeated).chain(behind_a_name).collect()
}

/// Each value from a text, and how the value or the error is shown.
struct Read<'a> {
    text: &'a str,
    worst: &'a mut Worst,
}

impl Visitor for Read<'_> {
    fn visit<T: Value>(&mut self, name: &'static str) {
        const ALWAYS: usize = 16 << 10;
        let text = self.text;
        let start: String = text.chars().take(20).collect();
        let place = format!("{name} from {start:?}");
        self.worst
            .measure(&place, text.len(), ALWAYS, || match text.parse::<T>() {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            });
    }
}

#[test]
fn values() {
    let _alone = alone();
    let mut worst = Worst::within(OF_A_VALUE);
    for text in hostile_texts() {
        let worst = &mut worst;
        every_value(&mut Read { text: &text, worst });
    }
    worst.tell();
}

#[test]
fn values_at_random() {
    let _alone = alone();
    let cases = env::var("NIM_SLURM_CASES").map_or(100, |text| text.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let piece = (prop::sample::select(UNITS), 1..3_000_usize);
    let start = prop::sample::select(SHORT);
    let texts = (start, any::<bool>(), prop::collection::vec(piece, 1..4));
    let worst = std::cell::RefCell::new(Worst::within(OF_A_VALUE));
    let outcome = runner.run(&texts, |(start, has_start, pieces)| {
        let mut text = if has_start { start } else { "" }.to_owned();
        for (unit, times) in pieces {
            text.push_str(&unit.repeat(times));
        }
        let worst = &mut *worst.borrow_mut();
        every_value(&mut Read { text: &text, worst });
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    worst.borrow().tell();
}

#[test]
fn options_and_their_checks() {
    let _alone = alone();
    let mut worst = Worst::within(OF_A_VALUE);
    // What is longer, all but lists of nodes refuse as soon as they see it.
    let is_kept = |name, text: &str| {
        text.len() < 1_000 || matches!(name, OptionName::Nodelist | OptionName::Exclude)
    };
    for text in hostile_texts() {
        for &name in OptionName::ALL.iter().filter(|name| is_kept(**name, &text)) {
            let place = format!(
                "{name} with {:?}…",
                text.chars().take(20).collect::<String>()
            );
            worst.measure(&place, text.len(), 16 << 10, || {
                let mut directives = Directives::new();
                directives
                    .set(name, &text)
                    .ok()
                    .map(|()| (directives.header(), directives.conflicts()))
            });
        }
    }
    worst.tell();
}

const RECIPE: &str = include_str!("../src/recipe/llama3-70b-h100x4-fp8.toml");

const SETTINGS: &str = r#"
stage_path = "/lustre/project/nim"
slurm.nodelist = "node1"
slurm.passthrough = ["--brand-new=1"]
slurm.setup.array = "1-5:2%3"
slurm.launch.gres = "gpu:h100:8"
slurm.launch.time = "1-02:03:04"
slurm.launch.signal = "B:USR1@60"
slurm.launch.dependency = "afterok:17:18,singleton"
srun.mpi = "pmix"
container.runtime = "pyxis"
container.mounts = ["/lustre/data:/data:ro"]
container.registries = { "nvcr.io" = "mirror.site:5000" }
cluster.slurm = "23.11"
launch.max_requeues = 3
launch.gpu_samples = false
"#;

/// `count` different items with commas between them.
fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (1..=count).map(item).collect::<Vec<_>>().join(", ")
}

/// Values that TOML can have, and that are made to cost more than they say.
fn hostile_values() -> Vec<String> {
    let texts = SHORT.iter().map(ToString::to_string);
    let texts = texts.chain(
        ["a", "1,", "n[0-65535],", "0-65535,", "'", "\u{10ffff}"].map(|unit| long(unit, 15_000)),
    );
    let quoted = texts.map(|text| format!("{text:?}"));
    let others = [
        "9223372036854775807".to_owned(),
        "-9223372036854775808".to_owned(),
        "1e308".to_owned(),
        "nan".to_owned(),
        "1979-05-27T07:32:00Z".to_owned(),
        "[".repeat(15_000),
        "{a=".repeat(5_000),
        format!("{}{}", "[".repeat(70), "]".repeat(70)),
        format!("[{}]", list(2_000, |_| "1".to_owned())),
        format!("[{}]", list(2_000, |n| n.to_string())),
        format!("[{}]", list(2_000, |n| format!("\"/a{n}:/b{n}\""))),
        format!("[{}]", list(2_000, |n| format!("\"c{n}:{n}/{n}\""))),
        format!("[{}]", list(2_000, |n| format!("\"--new-{n}=1\""))),
        format!(
            "{{ {} }}",
            list(2_000, |n| format!("\"r{n}.io\" = \"m{n}.io:5000\""))
        ),
        format!("{{ {} }}", list(2_000, |n| format!("k{n} = {n}"))),
        format!("\"\"\"{}", "\"\" ".repeat(10_000)),
        "[[a]]\n".repeat(2_000),
    ];
    quoted.chain(others).collect()
}

/// Files that are nobody's.
fn hostile_files() -> Vec<String> {
    vec![
        (1..5_000).fold(String::new(), |mut text, n| {
            writeln!(text, "k{n} = {n}").unwrap();
            text
        }),
        (1..5_000).fold(String::new(), |mut text, n| {
            writeln!(text, "[slurm.t{n}]").unwrap();
            text
        }),
        format!("{}a = 1", "a.".repeat(20_000)),
        format!("[{}a]", "a.".repeat(20_000)),
        "[[slurm]]\n".repeat(5_000),
        "#".repeat(60_000),
        "\n".repeat(60_000),
        "\r".repeat(60_000),
        "'".repeat(60_000),
        "=".repeat(60_000),
        "\0".repeat(60_000),
        "{".repeat(60_000),
        "\u{feff}".repeat(20_000),
    ]
}

/// The text with each of its values, one at a time, made hostile.
fn with_hostile_values(text: &str) -> Vec<(String, String)> {
    let values = hostile_values();
    let mut files = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if let Some((key, _)) = line
            .split_once(" = ")
            .filter(|(key, _)| !key.starts_with('#'))
        {
            // A list over several lines ends with its bracket.
            let rest = &text[end..];
            let is_open = line.trim_end().ends_with('[');
            let list = rest
                .find("\n]\n")
                .filter(|_| is_open)
                .map_or(0, |at| at + 3);
            files.extend(values.iter().map(|value| {
                let file = format!("{}{key} = {value}\n{}", &text[..start], &rest[list..]);
                let shown: String = value.chars().take(30).collect();
                (format!("{key} = {shown}"), file)
            }));
        }
        start = end;
    }
    files
}

/// Makes a plan of these, its scripts, and what explains them: 1, or 0 if it is refused.
fn render(recipe: &str, settings: &str) -> u32 {
    let (Ok(recipe), Ok(settings)) = (Recipe::from_toml(recipe), Settings::from_toml(settings))
    else {
        return 0;
    };
    match Plan::new(recipe, settings) {
        Ok(plan) => {
            for kind in ScriptKind::ALL {
                black_box((plan.script(kind), plan.explain(kind, [("HOME", "/root")])));
            }
            1
        }
        Err(error) => {
            black_box(error.to_string());
            0
        }
    }
}

/// What a plan of an ordinary recipe and its scripts take.
const PLAN: usize = 1 << 20;

#[test]
fn whole_settings_and_their_scripts() {
    let _alone = alone();
    let mut worst = Worst::within(OF_A_FILE);
    let mut rendered = render(RECIPE, SETTINGS);
    assert_eq!(rendered, 1);
    let files = hostile_files()
        .into_iter()
        .map(|text| ("a file".to_owned(), text));
    for (place, text) in with_hostile_values(SETTINGS).into_iter().chain(files) {
        worst.measure(&place, text.len(), PLAN, || {
            rendered += render(RECIPE, &text);
        });
    }
    worst.tell();
    assert!(rendered > 15, "only {rendered} had scripts");
}

#[test]
fn whole_recipes_and_their_scripts() {
    let _alone = alone();
    let mut worst = Worst::within(OF_A_FILE);
    let mut rendered = 0;
    let files = hostile_files()
        .into_iter()
        .map(|text| ("a file".to_owned(), text));
    let sweep = format!(
        "[{}]\nconcurrency = [{}]",
        list(2_000, |n| format!("\"c{n}:{n}/{n}\"")),
        list(2_000, |n| n.to_string())
    );
    let (before, rest) = RECIPE.split_once("use_cases = ").unwrap();
    let (_, behind) = rest.split_once("concurrency = [1, 25, 50, 100]\n").unwrap();
    let sweep = format!("{before}use_cases = {sweep}\n{behind}");
    assert!(Recipe::from_toml(&sweep).is_ok());
    let files = files.chain([("a sweep of 2000 by 2000".to_owned(), sweep)]);
    for (place, text) in with_hostile_values(RECIPE).into_iter().chain(files) {
        worst.measure(&place, text.len(), PLAN, || {
            rendered += render(&text, SETTINGS);
        });
    }
    worst.tell();
    assert!(rendered > 50, "only {rendered} had scripts");
}

/// What a run left, or somebody put there: a manifest and a tool's files.
#[test]
fn whole_results() {
    /// A reader's own buffers.
    const ALWAYS: usize = 2 << 20;
    let _alone = alone();
    let mut worst = Worst::within(OF_A_FILE);
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let point = folder.join("llama_4_1_chat_128_128_7");
    fs::create_dir(&point).unwrap();
    let json = [
        "[".repeat(60_000),
        "{\"a\":".repeat(12_000),
        format!(
            "{{{}}}",
            list(5_000, |n| format!("\"k{n}\":{{\"avg\":{n}}}"))
        ),
        format!("{{\"points\":[{}]}}", list(5_000, |_| "{}".to_owned())),
        format!("{{\"node\":\"{}\"}}", "\\u0041".repeat(10_000)),
        format!("{{\"records\":[{}]}}", list(20_000, |_| "1e308".to_owned())),
        format!("[{}]", "9".repeat(60_000)),
        "\"".repeat(60_000),
    ];
    let csv = [
        ",".repeat(60_000),
        "\n".repeat(60_000),
        "\"".repeat(60_000),
        "Metric,avg,min\n".repeat(4_000),
        (1..4_000).fold("Metric,avg,min\n".to_owned(), |mut text, n| {
            writeln!(text, "m{n} (ms),{n},1e308").unwrap();
            text
        }),
        format!(
            "Metric,{}\n{}\n",
            list(8_000, |n| format!("c{n}")),
            list(8_000, |n| n.to_string())
        ),
    ];
    let mut read = |name: &str, text: &str| {
        let file = if name.starts_with("run_") {
            folder
        } else {
            &point
        }
        .join(name);
        fs::write(&file, text).unwrap();
        let start: String = text.chars().take(30).collect();
        worst.measure(&format!("{name} with {start}"), text.len(), ALWAYS, || {
            Run::read(folder)
        });
        fs::remove_file(&file).unwrap();
    };
    for text in &json {
        read("run_7.json", text);
        read("profile_export_genai_perf.json", text);
        read("profile_export_aiperf.json", text);
    }
    for text in &csv {
        read("profile_export_genai_perf.csv", text);
        read("profile_export_aiperf.csv", text);
    }
    let exchange =
        |rest: String| format!("{{\"experiments\":[{{\"requests\":[{{\"timestamp\":1,{rest}");
    let requests = [
        exchange(format!(
            "\"response_timestamps\":[{}]",
            list(20_000, |_| "1".to_owned())
        )),
        exchange(format!(
            "\"response_outputs\":[{}]",
            list(20_000, |_| "{}".to_owned())
        )),
        exchange(format!(
            "\"response_outputs\":[{{\"response\":\"data: {}",
            "[".repeat(60_000)
        )),
        exchange(format!("\"x\":{}", "[".repeat(60_000))),
        format!(
            "{{\"experiments\":[{{\"requests\":[{}]}}]}}",
            list(5_000, |_| "{\"timestamp\":1}".to_owned())
        ),
        list(3_000, |_| {
            "{\"metadata\":{\"request_start_ns\":1,\"request_end_ns\":1}}".to_owned()
        })
        .replace(",{", "\n{"),
        format!(
            "{{\"metadata\":{{\"benchmark_phase\":\"{}\"",
            "\\u0041".repeat(10_000)
        ),
    ];
    for text in json.iter().chain(&requests) {
        for name in ["profile_export.json", "profile_export.jsonl"] {
            let file = point.join(name);
            fs::write(&file, text).unwrap();
            let start: String = text.chars().take(60).collect();
            worst.measure(&format!("{name} with {start}"), text.len(), ALWAYS, || {
                Requests::read(&file)
            });
        }
    }
    worst.tell();
}

/// Rendering allocates the text and nothing else, however long the sweep is.
#[test]
fn a_script_is_one_piece_of_memory() {
    // Not for its own sake: what it frees is counted in the measurements of others.
    let _alone = alone();
    let times = |plan: &Plan, kind| {
        let before = TIMES.get();
        black_box(plan.script(kind));
        TIMES.get() - before
    };
    let settings = fs::read_to_string("examples/settings/shared-nodes.toml").unwrap();
    let settings = Settings::from_toml(&settings).unwrap();
    for name in Recipe::BUILT_IN {
        for settings in [&Settings::new(), &settings] {
            let plan = Plan::new(Recipe::built_in(name).unwrap(), settings.clone()).unwrap();
            for kind in ScriptKind::ALL {
                assert_eq!(times(&plan, kind), 1, "{kind:?} of {name}");
            }
        }
    }
    let recipe = Recipe::llama3_70b_h100x4_fp8().with_concurrency(1..=500);
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    assert_eq!(times(&plan, ScriptKind::Launch), 1);
}

/// Whoever renders job after job needs memory for one.
#[test]
fn a_job_costs_no_memory_once_it_is_written() {
    let _alone = alone();
    let settings = Settings::from_toml("slurm = { partition = 'batch', gres = 'gpu:8' }").unwrap();
    let render = |jobs: u32| {
        let before = NOW.load(Relaxed);
        MOST.store(before, Relaxed);
        for job in 1..=jobs {
            let recipe = Recipe::llama3_70b_h100x4_fp8();
            let recipe = recipe.with_concurrency([job % 1_000 + 1]);
            let plan = Plan::new(recipe, settings.clone()).unwrap();
            for kind in ScriptKind::ALL {
                io::sink()
                    .write_all(plan.script(kind).text().as_bytes())
                    .unwrap();
            }
        }
        // The harness of the tests may have freed something meanwhile.
        let left = NOW.load(Relaxed).saturating_sub(before);
        (MOST.load(Relaxed) - before, left)
    };
    let (few, _) = render(10);
    let (many, left) = render(200);
    // What the harness of the tests itself takes meanwhile.
    let slack = 64 << 10;
    assert!(
        many <= few + slack,
        "{few} bytes for ten jobs, {many} for two hundred"
    );
    assert!(left <= slack, "{left} bytes are left of two hundred jobs");
}
