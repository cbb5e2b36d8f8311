//! Searches for the highest load within limits: of a thousand simulated servers, and how the client's program goes
//! about one.

#[path = "common/client.rs"]
mod client;

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use nim_slurm::recipe::{Arrival, ClientTool, Search, Sweep};
use nim_slurm::results::{Metric, Requests};
use nim_slurm::{Judgement, Percentile, Plan, Recipe, Settings};

#[path = "common/random.rs"]
mod random;
use random::Random;

/// In ms.
const LIMIT: f64 = 25.0;
/// Standard deviations above the median in which 95 of 100 values of a normal distribution are.
const QUANTILE: f64 = 1.644_853_626_951_472_2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Monotone,
    Noisy,
    Plateau,
    NotMonotone,
    AllWithin,
    NoneWithin,
}

const KINDS: [Kind; 6] = [
    Kind::Monotone,
    Kind::Noisy,
    Kind::Plateau,
    Kind::NotMonotone,
    Kind::AllWithin,
    Kind::NoneWithin,
];

/// A server whose true p95 at each level is known.
struct Server {
    kind: Kind,
    /// Where it begins to break the limit.
    knee: f64,
    slope: f64,
    spread: f64,
}

impl Server {
    fn new(kind: Kind, random: &mut Random) -> Self {
        Self {
            kind,
            knee: (1024.0_f64.ln() * random.share()).exp(),
            slope: 0.3 + 2.0 * random.share(),
            spread: if kind == Kind::Noisy { 0.5 } else { 0.1 },
        }
    }

    /// The true p95, in ms.
    fn p95(&self, level: u32) -> f64 {
        let load = f64::from(level) / self.knee;
        let rising = LIMIT * load.powf(self.slope);
        match self.kind {
            // As fast at all levels between a third of the knee and the knee, just below the limit.
            Kind::Plateau if (1.0 / 3.0..1.0).contains(&load) => 0.9 * LIMIT,
            // Batches of another size are slower at some lower levels.
            Kind::NotMonotone if (0.3..0.4).contains(&load) => 1.3 * LIMIT,
            Kind::Monotone | Kind::Noisy | Kind::Plateau | Kind::NotMonotone => rising,
            Kind::AllWithin => LIMIT * (0.2 + 0.5 * f64::from(level) / 1024.0),
            Kind::NoneWithin => LIMIT * (1.3 + f64::from(level) / 1024.0),
        }
    }

    /// How many of so many requests are over the limit.
    fn over(&self, level: u32, requests: u64, random: &mut Random) -> u64 {
        let median = self.p95(level) * (-QUANTILE * self.spread).exp();
        let is_over = |random: &mut Random| median * (self.spread * random.normal()).exp() > LIMIT;
        (0..requests).map(|_| u64::from(is_over(random))).sum()
    }
}

/// Servers of each kind, from the first probe to the answer. An answer is right when the level that it says holds does, and
/// the next one does not; or when the level that was too near to tell is near to the limit in truth, by less than what requests
/// differ in.
#[test]
fn a_thousand_servers_have_the_right_answer() {
    const SERVERS: u32 = 1000;
    let search = Search::new(1, 1024).with_itl("25".parse().unwrap());
    let ladder = search.ladder();
    let random = &mut Random(19);
    let (mut right, mut in_doubt, mut wrong, mut most) = (0, 0, Vec::new(), 0);
    for number in 0..SERVERS {
        let kind = KINDS[number as usize % KINDS.len()];
        let server = Server::new(kind, random);
        let (mut probes, mut doubts) = (0, Vec::new());
        let climb = ladder.climb(|level| {
            probes += 1;
            // As the sweep has it for answers of 128 tokens.
            let requests = (16 * u64::from(level)).max(90);
            for requests in [requests, Search::MORE_REQUESTS * requests] {
                let over = server.over(level, requests, random);
                match Percentile::P95.judge(over, requests) {
                    Judgement::Within => return Some(true),
                    Judgement::Above => return Some(false),
                    _ => {}
                }
            }
            doubts.push(level);
            Some(false)
        });
        most = most.max(probes);
        let holds = |level: u32| server.p95(level) <= LIMIT;
        let held_holds = climb.held().is_none_or(holds);
        let is_doubtful = |level: u32| doubts.contains(&level);
        let is_near = |level: u32| (server.p95(level) / LIMIT - 1.0).abs() < server.spread;
        match climb.exceeded() {
            _ if !held_holds => wrong.push(format!("{kind:?}: {climb:?}")),
            Some(level) if is_doubtful(level) && is_near(level) => in_doubt += 1,
            Some(level) if holds(level) => wrong.push(format!("{kind:?}: {climb:?}")),
            _ => right += 1,
        }
    }
    println!("right: {right}, in doubt: {in_doubt}, wrong: {wrong:#?}, probes: {most} at most");
    assert!(most <= 9, "{most}");
    assert!(wrong.len() <= SERVERS as usize / 100, "{wrong:#?}");
    // It is no search that never commits itself.
    assert!(right > SERVERS / 2, "{right}");
}

/// What the client's Python counts in real files, the library counts, too: at limits between all values.
#[test]
fn the_client_counts_as_the_library_does() {
    for (folder, file, load) in [
        ("aiperf-1", "profile_export.jsonl", "1"),
        ("aiperf-16", "profile_export.jsonl", "16"),
        ("genai-perf-2", "profile_export.json", "2"),
    ] {
        let folder = format!("tests/data/requests/{folder}");
        let requests = Requests::read(format!("{folder}/{file}")).unwrap();
        for (name, metric) in [
            ("ttft", Metric::TimeToFirstToken),
            ("itl", Metric::InterTokenLatency),
        ] {
            let mut values: Vec<f64> = requests.after_the_first_wave().values(metric).collect();
            values.sort_unstable_by(f64::total_cmp);
            let limits: Vec<_> = values
                .windows(2)
                .map(|pair| f64::midpoint(pair[0], pair[1]))
                .collect();
            let words = limits.iter().map(|limit| format!("{name}={limit}"));
            let output = Command::new("python3")
                .args(["-I", "src/script/search.py", "count", &folder, load])
                .args(words)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let failed = requests.failed();
            let expected: Vec<_> = limits
                .iter()
                .map(|limit| {
                    let over = values.iter().filter(|value| *value > limit).count();
                    format!("{name}:{}/{}", over + failed, values.len() + failed)
                })
                .collect();
            assert_eq!(said.trim_end(), expected.join(" "), "{folder}");
            assert!(expected.len() >= 5, "{expected:?}");
        }
    }
}

/// Whether the client's program takes a point, and what it says of limits of 5 and 1 ms.
fn counted(folder: &str) -> (bool, String) {
    let output = Command::new("python3")
        .args(["-I", "src/script/search.py", "count", folder, "4"])
        .args(["ttft=5", "itl=1"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said.trim_end().to_owned())
}

/// Files of both tools, with all that a request may lack.
#[test]
fn requests_without_an_answer_are_over_each_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| {
        camino::Utf8Path::from_path(folder.path())
            .unwrap()
            .join(name)
    };
    let count = || counted(path("").as_str());
    let chunk = |text: &str| {
        format!(
            r#"{{"response": "data: {{\"choices\": [{{\"delta\": {{\"content\": \"{text}\"}}}}]}}\n\n"}}"#
        )
    };
    let (some, none) = (chunk("a"), chunk(""));
    let done = r#"{"response": "data: [DONE]\n\n"}"#;
    let usage =
        r#"{"response": "data: {\"choices\": [], \"usage\": {\"completion_tokens\": 9}}\n\n"}"#;
    let request = |times: &str, outputs: &[&str]| {
        format!(
            r#"{{"timestamp": 1000000, "response_timestamps": [{times}], "response_outputs": [{}]}}"#,
            outputs.join(", ")
        )
    };
    // The first wave is not judged: the others are sent when it has its answer.
    let written = |role: &str| {
        let first = request("400000, 800000", &[&some, &some]).replace(": 1000000", ": 0");
        let requests = [
            first,
            request("2000000, 4000000, 9000000", &[&some, &some, done]),
            request("2000000, 4000000, 9000000", &[role, &some, usage]),
            request("9000000", &[&some]),
            request("9000000", &[done]),
            request("", &[]),
            request(
                "2000000",
                &[r#"{"response": "{\"choices\": [{\"message\": {\"content\": \"whole\"}}]}"}"#],
            ),
            request(
                "2000000, 9000000",
                &[&some, r#"{"response": "data: no JSON\n\n"}"#],
            ),
        ];
        let text = format!(
            r#"{{"service_kind": "openai", "experiments": [{{"experiment": {{}}, "requests": [{}]}}]}}"#,
            requests.join(", ")
        );
        std::fs::write(path("profile_export.json"), &text).unwrap();
        let read = Requests::read(path("profile_export.json")).unwrap();
        let judged = read.after_the_first_wave();
        let over = |metric, limit: f64| {
            judged.values(metric).filter(|value| *value > limit).count() + read.failed()
        };
        let of = |metric| judged.values(metric).count() + read.failed();
        let expected = format!(
            "ttft:{}/{} itl:{}/{}",
            over(Metric::TimeToFirstToken, 5.0),
            of(Metric::TimeToFirstToken),
            over(Metric::InterTokenLatency, 1.0),
            of(Metric::InterTokenLatency)
        );
        assert_eq!(count(), (true, expected.clone()));
        (text, expected)
    };
    let (_, said) = written(&some);
    assert_eq!(said, "ttft:3/6 itl:4/5");
    // An answer of nine tokens came at once: of so few, nobody knows their latency.
    let (text, said) = written(&none);
    assert_eq!(said, "ttft:3/6 itl:2/2");
    // A file that is cut off tells nothing.
    std::fs::write(path("profile_export.json"), &text[..text.len() - 60]).unwrap();
    assert_eq!(count(), (false, String::new()));

    let line = |more: &str| {
        format!(r#"{{"metadata": {{"request_start_ns": 8000010, "request_end_ns": 90{more}}}"#)
    };
    let metrics = r#""metrics": {"time_to_first_token": {"value": 6, "unit": "ms"}, "request_latency": {"value": 8, "unit": "ms"}, "output_sequence_length": {"value": 3, "unit": "tokens"}}"#;
    let first = line("").replace("8000010", "10");
    let lines = [
        first + ", " + metrics + "}",
        line("") + ", " + metrics + "}",
        line(r#", "benchmark_phase": "warmup""#) + ", " + metrics + "}",
        line(r#", "was_cancelled": true"#) + ", " + metrics + "}",
        line("") + ", " + metrics + r#", "error": {"code": 500}}"#,
        line("") + r#", "metrics": {}}"#,
        String::new(),
    ];
    std::fs::write(path("profile_export.jsonl"), lines.join("\n")).unwrap();
    assert_eq!(count(), (true, "ttft:4/4 itl:3/4".to_owned()));
    // Times that run backwards are none, for the library, too.
    let backwards = lines
        .join("\n")
        .replacen("\"value\": 8,", "\"value\": 5,", 1);
    std::fs::write(path("profile_export.jsonl"), backwards).unwrap();
    assert_eq!(count(), (false, String::new()));
    assert!(Requests::read(path("profile_export.jsonl")).is_err());
}

/// In place of a server and of the tools: a point takes no time, and its requests are over the limit where the law says so.
const MEASURED: &str = r#"
say() { printf '%s\n' "$*"; }
start_tool() { :; }
genai-perf() { :; }
wait_until_ready() { ready_seconds=1; }
stop_if_full() { :; }
finish() { :; }
report() { :; }
measure() {
  local level=${7#rate} wave=0
  [[ $7 == rate* ]] || wave=$7
  mkdir -p "$run/$1"
  busy=1000
  [[ $4 != "${slow-}" ]] || busy=100000
  awk -v level="$level" -v wave="$wave" -v requests="$8" -v over_of="$over_of" 'BEGIN {
    # The first wave is over all limits.
    for (number = -wave; number < requests - wave; number++)
      printf "{\"metadata\": {\"request_start_ns\": %d, \"request_end_ns\": 1}, \"metrics\": {\"time_to_first_token\": {\"value\": %s, \"unit\": \"ms\"}, \"request_latency\": {\"value\": 9000000, \"unit\": \"ms\"}}}\n", number < 0 ? 0 : 9000000000001, number < 0 || number % 100 < over_of ? level * 1000 : level
  }' >"$run/$1/profile_export.jsonl"
  echo "measured $4 $7 $8 ${10}"
  learn "$4" "$3" 1 "$busy"
  if [[ $4 == chat && $level == "$fails_at" ]] && ((fails-- > 0)); then
    measured=('' '' '' '' '' $((SECONDS - ${took-1})))
    meet "$1.end" "exit status 1||it failed"
    failed=$((failed + 1))
    record "$1" failed 1 'it failed'
  else
    meet "$1.end" "|1 null null|"
    record "$1" finished 1 '' '1 null null'
  fi
}
"#;

/// What the client's program measures of two use cases, and says in the end. The time to first token of level N is N ms, but
/// of `over_of` in a hundred requests.
fn searched(before: &str, fails_at: u32, over_of: u32) -> (Vec<String>, String) {
    let (fails_at, over_of) = (fails_at.to_string(), over_of.to_string());
    let variables = [("fails_at", &*fails_at), ("over_of", &over_of)];
    searched_with(Search::new(1, 64), before, &variables)
}

fn searched_with(
    search: Search,
    before: &str,
    variables: &[(&str, &str)],
) -> (Vec<String>, String) {
    let main = "(main 2>&1) || true
        while read -r row; do echo \"row $row\"; done <\"$run/points\"";
    let search = search.with_within("10%".parse().unwrap());
    let said = in_search(search, before, variables, main);
    let measured = said
        .lines()
        .filter_map(|line| line.strip_prefix("measured "));
    (measured.map(str::to_owned).collect(), said)
}

/// What lines print behind the program of such a search.
fn in_search(search: Search, before: &str, variables: &[(&str, &str)], program: &str) -> String {
    let search = search.with_ttft("20".parse().unwrap());
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep = Sweep::searching(
        [
            "chat:32/512".parse().unwrap(),
            "long:64/2048".parse().unwrap(),
        ],
        search,
    );
    let plan = Plan::new(recipe.clone(), Settings::new()).unwrap();
    let launch = plan.launch();
    let value = |name: &str| {
        let (_, rest) = launch.text().split_once(&format!("\n{name}=")).unwrap();
        let end = if rest.starts_with("(\n") {
            "\n)\n"
        } else {
            "\n"
        };
        format!("{name}={}{end}", rest.split_once(end).unwrap().0)
    };
    let values = [
        "points",
        "readonly search_limits",
        "readonly search_percentile",
        "readonly search_levels",
    ]
    .map(value);
    // Only a rate has commands of its own.
    let commands = launch.text().split_once("\nreadonly own_commands=");
    let commands = commands.map_or(String::new(), |(_, rest)| {
        format!("own_commands={}\n}}\n", rest.split_once("\n}\n").unwrap().0)
    });
    let own = std::fs::read_to_string("templates/launch/search_in_client.sh").unwrap();
    let lines = format!(
        "{}\n{commands}search_program=$(<src/script/search.py)\nfolders=() are_finished=()\n\
         for point in \"${{points[@]}}\"; do\n\
           read -r use_case isl osl level _ _ _ again _ <<<\"$point\"\n\
           folders+=(\"${{use_case}}_${{level}}_r$again\")\n\
           [[ -d $results/${{folders[-1]}} ]] && are_finished+=(yes) || are_finished+=('')\n\
         done\n{own}{MEASURED}\n{program}",
        values.concat()
    );
    let home = tempfile::tempdir().unwrap();
    let results = home.path().join("results");
    std::fs::create_dir_all(&results).unwrap();
    for row in before.lines() {
        let (folder, milliseconds) = row.split_once(' ').unwrap();
        std::fs::create_dir(results.join(folder)).unwrap();
        let line = |start: u64| {
            format!(
                r#"{{"metadata": {{"request_start_ns": {start}, "request_end_ns": 1}}, "metrics": {{"time_to_first_token": {{"value": {milliseconds}, "unit": "ms"}}, "request_latency": {{"value": 990, "unit": "ms"}}}}}}"#
            )
        };
        // Of a rate, one a second.
        let wave: u64 = folder.split('_').nth(1).unwrap().parse().unwrap_or(1);
        let starts = (0..90 + wave).map(|number| number / wave * 1_000_000_000);
        let lines: Vec<_> = starts.map(line).collect();
        std::fs::write(
            results.join(folder).join("profile_export.jsonl"),
            lines.join("\n"),
        )
        .unwrap();
    }
    client::run_in_client(
        &recipe,
        &format!("[[ -z $time_up ]] || echo \"$time_up\" >\"$run/state.until\"\n{lines}"),
        &[
            &[
                ("results", results.to_str().unwrap()),
                ("tokenizer_path", "of/the-hub"),
                ("prefix_cache", "off"),
                ("point_timeout", "900"),
                ("reserve", "0"),
                ("time_up", ""),
                ("over_of", "0"),
                ("fails_at", "0"),
                ("fails", "9"),
            ],
            variables,
        ]
        .concat(),
    )
}

#[test]
fn use_cases_take_turns_until_each_has_its_answer() {
    let (measured, said) = searched("", 0, 0);
    let levels = |use_case: &str| -> Vec<u32> {
        let own = measured.iter().filter(|row| row.starts_with(use_case));
        own.map(|row| row.split(' ').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(levels("chat")[..3], [1, 2, 4]);
    assert_eq!(levels("chat"), levels("long"));
    for pair in measured.chunks(2) {
        assert!(
            pair[0].starts_with("chat") && pair[1].starts_with("long"),
            "{measured:#?}"
        );
    }
    for use_case in ["chat 32 512", "long 64 2048"] {
        let answer = format!(
            "the search of {use_case} has ended; within the limits: 20 requests in flight; not within them: 22 requests in flight (ttft)"
        );
        assert!(said.contains(&answer), "{said}");
    }
}

/// A rate has levels between whole numbers, and all of its requests are judged.
#[test]
fn rates_are_searched_as_well() {
    let search = Search::of_rate("0.5".parse().unwrap(), 64.try_into().unwrap());
    let (measured, said) = searched_with(search.clone(), "", &[]);
    let of_chat = measured.iter().filter(|row| row.starts_with("chat "));
    let mut probes = Vec::new();
    let _ = search
        .with_within("10%".parse().unwrap())
        .ladder()
        .climb(|level| {
            probes.push(level);
            Some(level <= 2000)
        });
    let expected: Vec<_> = probes
        .iter()
        .map(|level| f64::from(*level) / 100.0)
        .collect();
    let loads: Vec<f64> = of_chat
        .map(|row| {
            row.split(' ')
                .nth(1)
                .unwrap()
                .strip_prefix("rate")
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(loads, expected);
    assert!(loads.starts_with(&[0.5, 1.03]), "{loads:?}");
    let (held, above) = (18.9, 20.79);
    assert!(loads.contains(&held) && loads.contains(&above), "{loads:?}");
    let answer = format!(
        "the search of chat 32 512 has ended; within the limits: {held:.2} requests a second; not within them: {above:.2} requests a second (ttft)"
    );
    assert!(said.contains(&answer), "{said}");
    assert!(
        said.contains("chat 32 512, 0.50 requests a second: ttft:0/"),
        "{said}"
    );
}

/// Of requests that were not sent as fast, nothing is known of this rate, whatever they met.
#[test]
fn a_rate_that_was_not_reached_does_not_hold() {
    let search = Search::of_rate("0.5".parse().unwrap(), 64.try_into().unwrap());
    // One a second each, and fast.
    let before = "chat_rate0.5_r1 1\nchat_rate1.03_r1 1\nchat_rate3.43_r1 1";
    let (measured, said) = searched_with(search, before, &[]);
    assert!(
        said.contains("chat 32 512, 1.03 requests a second: ttft:0/91 over the limits"),
        "{said}"
    );
    assert!(
        said.contains("chat 32 512, 3.43 requests a second: not reached\n"),
        "{said}"
    );
    let chat: Vec<_> = measured
        .iter()
        .filter(|row| row.starts_with("chat "))
        .collect();
    let is_between = |row: &&&String| {
        let rate = row.split(' ').nth(1).unwrap().strip_prefix("rate").unwrap();
        (1.03..3.43).contains(&rate.parse().unwrap())
    };
    assert!(!chat.is_empty(), "{said}");
    assert_eq!(
        chat.iter().filter(is_between).count(),
        chat.len(),
        "{chat:?}"
    );
    let answer = "not within them: 3.43 requests a second (not reached)";
    assert!(said.contains(answer), "{said}");
}

/// The report's search goes by the same rule.
#[test]
fn a_probe_whose_rate_was_not_reached_has_no_say_in_the_report() {
    let (folder, _) = search_results(1);
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    let goal = r#"{"ttft": 500, "of": "request_rate", "at": "p95", "from": 110, "to": 200, "within": "5%"}"#;
    let name = "llama_4_rate110_chat_128_128_8";
    put_point(results, name, 1, 100); // 77 a second, 10 ms each
    let manifest = format!(
        r#"{{"search": {goal}, "exit_code": 0, "points": [{{"folder": "{name}", "status": "finished", "seconds": 30, "detail": ""}}]}}"#
    );
    std::fs::write(results.join("run_8.json"), manifest).unwrap();
    let run = nim_slurm::results::Run::read(results).unwrap();
    let group = &run.groups()[0];
    let capacity = group.capacity(&run).unwrap();
    let probe = &capacity.probes()[0];
    assert!(
        matches!(probe.verdict(), nim_slurm::results::ProbeVerdict::Failed(why) if why.ends_with("the client did not keep up")),
        "{:?}",
        probe.verdict()
    );
    assert_eq!(capacity.value(probe, Metric::TimeToFirstToken), None);
    assert_eq!((capacity.held(), capacity.exceeded()), (None, Some(probe)));
}

/// How long a probe of a rate takes is known before the first one.
#[test]
fn a_probe_of_a_rate_that_does_not_fit_is_left_out() {
    let search = Search::of_rate("0.5".parse().unwrap(), 64.try_into().unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = (now.as_secs() + 100).to_string();
    let variables = [("time_up", until.as_str())];
    let (measured, said) = searched_with(search, "", &variables);
    assert_eq!(measured.len(), 0, "{measured:?}");
    // 90 requests at 0.5 a second.
    assert!(said.contains("it would take about 185 s"), "{said}");
}

/// How long a probe takes by what is known of others: level, requests and milliseconds each.
#[test]
fn the_time_of_a_probe_is_told_by_those_near_it() {
    // On such a ladder, the third probe is far above the second. A server as fast at each level takes 7 s for it.
    let search = Search::new(1, 1024);
    let cases = [
        // Nothing is known of the use case: by the work of another, 2 of 10 rounds in 10 s.
        ("", "2 1", 52),
        // The double takes twice the time at most, and half of it at least.
        ("1,91,91000", "2 1", 99),
        // A jump: twice as long as at a server that is as fast, or follows the same line.
        ("1,91,91000 2,92,46000", "58 1", 19),
        ("1,91,91000 2,92,50600", "58 1", 98),
        // In any order, and whatever else is known.
        ("2,92,46000 1,91,91000", "58 1", 19),
        ("1,91,91000 2,92,46000 242,1210,60000", "58 1", 19),
        // The next one below half of it: as fast as a server that generates no more tokens.
        ("2,92,46000 58,290,6000", "81 1", 16),
        // One that was too high takes at least as long for a round.
        ("58,290,6000 242,1210,60000", "116 1", 21),
        // A point and its warm-up have their time-out.
        ("1,91,910000", "1024 1", 1805),
    ];
    for (known, probe, seconds) in cases {
        let program = format!(
            "busy_of[_]=10000 work_of[_]=5120 fixed=0
             measured_at['chat 32 512']='{known}' present=${{place_of['chat 32 512 {probe}']}}
             estimate; echo $REPLY"
        );
        let said = in_search(search.clone(), "", &[], &program);
        assert_eq!(said, seconds.to_string(), "{known}, then {probe}");
    }
}

/// One minute is left, and a probe of the second use case takes longer: it is left out, and the first one's search goes on.
#[test]
fn a_use_case_without_time_does_not_stop_the_others() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = (now.as_secs() + 60).to_string();
    let variables = [("slow", "long"), ("time_up", until.as_str())];
    let (measured, said) = searched_with(Search::new(1, 64), "", &variables);
    let long: Vec<_> = measured
        .iter()
        .filter(|row| row.starts_with("long"))
        .collect();
    assert_eq!(long.len(), 1, "{measured:#?}");
    assert!(long[0].starts_with("long 1 "), "{long:?}");
    let answer = "the search of chat 32 512 has ended; within the limits: 20 requests in flight; not within them: 22 requests in flight (ttft)";
    assert!(said.contains(answer), "{said}");
    assert!(
        !said.contains("the search of long 64 2048 has ended"),
        "{said}"
    );
    assert_eq!(said.matches(" is left out: ").count(), 1, "{said}");
    assert!(said.contains(" 1 are left for another job"), "{said}");
    // What the manifest has in the end, for the command that goes on: not this probe alone.
    let mut rows = said
        .lines()
        .filter_map(|line| line.strip_prefix("row long_2_r1|left out|"));
    let search = Search::new(1, 64).with_within("10%".parse().unwrap());
    let left = search.ladder().most_probes() - 1;
    assert_eq!(
        rows.next_back().unwrap(),
        format!(
            "{}||it would take about 108 s, more than were left, and the search needs {left} levels at most from there on",
            108 * left
        )
    );
}

/// What an earlier job has measured is not measured again, and says what its files say, whatever they were judged to be then.
#[test]
fn what_was_measured_before_is_judged_again() {
    let (all, _) = searched("", 0, 0);
    let (measured, said) = searched("chat_1_r1 1\nchat_2_r1 2\nchat_4_r1 30", 0, 0);
    let chat: Vec<_> = measured
        .iter()
        .filter(|row| row.starts_with("chat"))
        .collect();
    // Between 2 and 4, which does not hold now.
    assert_eq!(chat.len(), 1, "{chat:?}");
    assert!(chat[0].starts_with("chat 3 "), "{chat:?}");
    assert!(said.contains("the search of chat 32 512 has ended; within the limits: 3 requests in flight; not within them: 4 requests in flight (ttft)"), "{said}");
    let long = |rows: &[String]| rows.iter().filter(|row| row.starts_with("long")).count();
    assert_eq!(long(&all), long(&measured));
}

/// A job whose search an earlier one has ended needs no server: only where that searched for the same, ended well, and all that
/// it went by is there.
#[test]
fn a_search_that_has_ended_is_told_from_others() {
    const GOAL: &str = r#"{"itl": 25, "at": "p95", "from": 1, "to": 64, "within": "5%"}"#;
    let manifest = format!(
        "{{\n  \"schema\": 1,\n  \"exit_code\": 0,\n  \"exit_cause\": \"finished\",\n  \"search\": {GOAL},\n  \"points\": [\n    \
         {{\"folder\": \"m_1_chat_128_128_7\", \"use_case\": \"chat\"}},\n    \
         {{\"folder\": \"m_2_chat_128_128_7\", \"use_case\": \"chat\"}}\n  ]\n}}"
    );
    let text = std::fs::read_to_string("templates/launch/search.sh").unwrap();
    let begin = text.find("is_answered() {").unwrap();
    let end = begin + text[begin..].find("\n}\n").unwrap() + 3;
    let says = |change: &str, manifest: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("run_7.json"), manifest).unwrap();
        let program = format!(
            "set -Eeuo pipefail
            text_of() {{ [[ ! -f $1 ]] || cat \"$1\"; }}
            results=. runs=(9 8 7) search_goal='{GOAL}'
            points=('chat 128 128 1' 'chat 128 128 2' 'chat 128 128 4')
            folders=(m_1_chat_128_128_7 m_2_chat_128_128_7 m_4_chat_128_128_9) are_finished=(yes yes '')
            {change}
            {}
            ! is_answered || echo \"$REPLY\"",
            &text[begin..end]
        );
        let mut bash = Command::new("bash");
        bash.args(["-c", &program]).current_dir(folder.path());
        let output = bash.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(says("", &manifest), "7\n");
    for (change, from, to) in [
        ("", "\"exit_code\": 0", "\"exit_code\": 5"),
        ("", "\"exit_code\": 0", "\"exit_code\": null"),
        ("", "\"to\": 64", "\"to\": 128"),
        ("", "m_2_chat", "m_3_chat"),
        ("", "\"search\"", "\"listed\""),
        ("are_finished=(yes '' '')", "", ""),
        ("runs=(9)", "", ""),
        (
            "points+=('long 1 1 1') folders+=(m_1_long_1_1_7) are_finished+=(yes)",
            "",
            "",
        ),
    ] {
        assert_eq!(
            says(change, &manifest.replace(from, to)),
            "",
            "{change} {from} {to}"
        );
    }
}

#[test]
fn a_level_in_doubt_is_measured_once_more_with_more_requests() {
    // Five in a hundred, as many as the percentile allows: nobody can tell.
    let (measured, said) = searched("", 0, 5);
    assert_eq!(measured[0].split(' ').nth(2), Some("91"), "{measured:#?}");
    let chat: Vec<_> = measured
        .iter()
        .filter(|row| row.starts_with("chat 1 "))
        .collect();
    let requests: Vec<_> = chat
        .iter()
        .map(|row| row.split(' ').nth(2).unwrap())
        .collect();
    assert_eq!(requests, ["91", "364"]);
    assert!(said.contains("the search of chat 32 512 has ended; within the limits: none; not within them: 1 requests in flight (doubt)"), "{said}");
}

/// One failure is no proof, two are. What took as long as a point may is not tried again, nor what a prefix cache knows by then.
#[test]
fn a_point_that_fails_is_measured_once_more() {
    const FAILED: &str = "the search of chat 32 512 has ended; within the limits: none; not within them: 4 requests in flight (failed)";
    const HELD: &str = "the search of chat 32 512 has ended; within the limits: 4 requests in flight; not within them: none";
    for (variables, times, answer) in [
        (vec![("fails", "1")], 2, HELD),
        (vec![("fails", "2")], 2, FAILED),
        (vec![("fails", "1"), ("took", "900")], 1, FAILED),
        (vec![("fails", "1"), ("prefix_cache", "on")], 1, FAILED),
    ] {
        let variables = [vec![("fails_at", "4")], variables].concat();
        let (measured, said) = searched_with(Search::new(4, 4), "", &variables);
        let at_4 = measured.iter().filter(|row| row.starts_with("chat 4 "));
        assert_eq!(at_4.count(), times, "{variables:?}: {measured:#?}");
        assert!(said.contains(answer), "{variables:?}: {said}");
        let has_failed = said.contains("chat 32 512, 4 requests in flight: failed\n");
        assert_eq!(has_failed, answer == FAILED, "{variables:?}: {said}");
        // What launch.sh writes down of it.
        let mut rows = said
            .lines()
            .filter(|line| line.starts_with("row chat_4_r1|"));
        let last = if answer == HELD {
            "row chat_4_r1|finished|1|1 null null 0|it was measured twice, since it failed at first: it failed"
        } else {
            "row chat_4_r1|failed|1||it failed"
        };
        assert_eq!(rows.next_back(), Some(last), "{variables:?}: {said}");
        let failed = usize::from(answer == FAILED);
        assert!(
            said.contains(&format!(" points: {failed} failed, ")),
            "{variables:?}: {said}"
        );
    }
}

/// A server that stops answering says nothing of a level: the job that goes on measures it, and the report has no answer before.
#[test]
fn a_probe_that_was_not_judged_has_not_failed() {
    let rows = |judged: &str| {
        let program = format!(
            "choose; name=${{folders[REPLY]}}\nrecord $name interrupted '' ''\n{judged}\n\
             record $name failed 5 'the server stopped answering'\ncat \"$run/points\""
        );
        in_search(Search::new(1, 64), "", &[], &program)
    };
    let stopped = rows("");
    assert!(
        stopped.trim_end().ends_with("chat_1_r1|interrupted|||"),
        "{stopped}"
    );
    // Nor one that is to be measured once more, when the server ends meanwhile.
    let again = "meet $name.end 'exit status 1|0 null null|no'; SECONDS=0";
    let stopped = rows(&format!("measured=(); busy=0; failed=1; {again}"));
    assert!(
        stopped.contains("chat_1_r1 failed, and is measured once more"),
        "{stopped}"
    );
    assert!(
        stopped.trim_end().ends_with("chat_1_r1|interrupted|||"),
        "{stopped}"
    );
    let judged = rows("judge $present ''");
    let last = "chat_1_r1|failed|5||the server stopped answering";
    assert!(judged.trim_end().ends_with(last), "{judged}");
}

/// A point of AIPerf's: each request of level N has its first token after 10 N ms, and its tokens every N / 4 ms.
fn put_point(results: &camino::Utf8Path, name: &str, level: u32, begin: u64) {
    let folder = results.join(name);
    std::fs::create_dir(&folder).unwrap();
    let lines: Vec<_> = (0..200_u64)
        .map(|number| {
            let wave = number / u64::from(level);
            let start = 1_000_000_000 * begin + 1_000_000 * wave * (12 * u64::from(level) + 1);
            let first = f64::from(level) * 10.0 + f64::from(u32::try_from(number).unwrap()) / 100.0;
            let latency = first + 8.0 * f64::from(level) / 4.0;
            format!(
                r#"{{"metadata": {{"request_start_ns": {start}, "request_end_ns": {start}}}, "metrics": {{"time_to_first_token": {{"value": {first}, "unit": "ms"}}, "request_latency": {{"value": {latency}, "unit": "ms"}}, "output_sequence_length": {{"value": 9, "unit": "tokens"}}}}}}"#
            )
        })
        .collect();
    std::fs::write(folder.join("profile_export.jsonl"), lines.join("\n")).unwrap();
    let throughput = 50.0 * f64::from(level).sqrt();
    let table = format!(
        r#"{{"output_token_throughput": {{"unit": "tokens/sec", "avg": {throughput}}}, "request_count": {{"unit": "requests", "avg": 200}},
            "time_to_first_token": {{"unit": "ms", "avg": {0}, "p95": {0}}}, "inter_token_latency": {{"unit": "ms", "avg": {1}, "p95": {1}}}}}"#,
        f64::from(level) * 10.0,
        f64::from(level) / 4.0
    );
    std::fs::write(folder.join("profile_export_aiperf.json"), table).unwrap();
}

/// Results of a search to 64 that ended, or of its first probes: the limit on the time between tokens is at 42 in flight.
fn search_results(probes: usize) -> (tempfile::TempDir, nim_slurm::results::Run) {
    let folder = tempfile::tempdir().unwrap();
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    let search = Search::new(1, 64).with_ttft("500".parse().unwrap());
    let ladder = search.ladder();
    let mut levels = Vec::new();
    let _ = ladder.climb(|level| {
        levels.push(level);
        (levels.len() <= probes).then_some(level <= 42)
    });
    levels.truncate(probes);
    let mut rows = Vec::new();
    for (number, level) in levels.iter().enumerate() {
        let name = format!("llama_4_{level}_chat_128_128_7");
        let number = u64::try_from(number).unwrap();
        put_point(results, &name, *level, 100 + 60 * number);
        rows.push(format!(
            r#"{{"folder": "{name}", "status": "finished", "seconds": {}, "detail": ""}}"#,
            30 + number
        ));
    }
    let goal = r#"{"ttft": 500, "itl": 10.5, "at": "p95", "from": 1, "to": 64, "within": "5%"}"#;
    let manifest = format!(
        r#"{{"search": {goal}, "exit_code": 0, "points": [{}]}}"#,
        rows.join(", ")
    );
    std::fs::write(results.join("run_7.json"), manifest).unwrap();
    let run = nim_slurm::results::Run::read(results).unwrap();
    (folder, run)
}

#[test]
fn the_report_answers_in_its_first_line() {
    let (_folder, run) = search_results(9);
    let report = nim_slurm::Report::new(&run);
    let table = report.to_table();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "chat 128/128: 42 requests in flight, 324 tokens/s; at 44 the p95 of ITL is above 10.5 ms",
            "search: TTFT 500 ms and ITL 10.5 ms at p95 without the first wave, 8 probes in 268 s",
        ],
        "{table}"
    );
    // While it works, nothing says how long they took.
    let manifest = run.path().join("run_7.json");
    let said = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        said.replace(r#""seconds": 3"#, r#""seconds": null, "x": 3"#),
    )
    .unwrap();
    let works = nim_slurm::results::Run::read(run.path()).unwrap();
    let works = nim_slurm::Report::new(&works).to_table();
    assert!(
        works.contains(" without the first wave, 8 probes\n"),
        "{works}"
    );
    // The limits are those of the search.
    let limits = "TTFT, ITL and latency: p95; limits: TTFT at most 500 ms, ITL at most 10.5 ms\n";
    assert!(table.contains(limits), "{table}");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let capacity = &json["use_cases"][0]["capacity"];
    assert_eq!(capacity["held"], 42);
    assert_eq!(capacity["exceeded"], 44);
    assert_eq!(capacity["exceeded_by"], "inter_token_latency");
    assert_eq!(capacity["is_monotone"], true);
    assert_eq!(capacity["next"], serde_json::Value::Null);
    assert_eq!(capacity["probes"][0]["verdict"], "within");
    let page = report.to_html();
    assert!(
        page.contains("42 in flight hold")
            && page.contains("<li class=\"long\">44 in flight, 200 requests, "),
        "{page}"
    );
    // The guide's picture.
    let picture = report.to_svg();
    let folder = run.path().as_str();
    let picture = picture.replace(folder, "results");
    snapbox::assert_data_eq!(picture, snapbox::file!["../src/guide/search.svg"].raw());
}

/// Another job's use case, in the same folder.
#[test]
fn the_limits_of_a_search_are_for_its_own_use_case() {
    let (folder, _) = search_results(9);
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    put_point(results, "llama_4_50_code_128_128_8", 50, 5000);
    std::fs::write(results.join("run_8.json"), r#"{"job_id": "8"}"#).unwrap();
    let run = nim_slurm::results::Run::read(results).unwrap();
    let report = nim_slurm::Report::new(&run);

    let table = report.to_table();
    let (searched, other) = table.split_once("\ncode 128/128\n").unwrap();
    let of_search =
        "TTFT, ITL and latency: p95; limits: TTFT at most 500 ms, ITL at most 10.5 ms\n";
    assert!(
        searched.contains(of_search) && searched.contains("\nx "),
        "{table}"
    );
    let own = "TTFT, ITL and latency: avg\n";
    assert!(other.starts_with(own), "{table}");
    assert!(
        !other.contains("no point keeps the limits") && !other.contains("p95"),
        "{table}"
    );

    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let row = |name: &str| {
        let rows = json["use_cases"].as_array().unwrap().iter();
        rows.clone()
            .find(|row| row["use_case"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(json.get("limits"), None);
    assert_eq!(row("chat")["limits"]["statistic"], "p95");
    assert_eq!(row("code").get("limits"), None);
    let points = json["points"].as_array().unwrap();
    for point in points {
        let is_of_search = point["use_case"] == "chat";
        assert_eq!(point["verdict"].is_string(), is_of_search, "{point}");
    }
    let csv = report.to_csv();
    let row = csv
        .lines()
        .find(|row| row.contains(",code,") || row.starts_with("code,"))
        .unwrap();
    assert!(row.contains(",avg,") && !row.contains(",p95,"), "{row}");
    let markdown = report.to_markdown();
    assert!(
        markdown.contains("TTFT p95, ms") && markdown.contains("TTFT avg, ms"),
        "{markdown}"
    );
    let page = report.to_html();
    assert!(
        page.contains("<th>TTFT p95<br>") && page.contains("<th>TTFT avg<br>"),
        "{page}"
    );

    // Whoever asks for limits has them everywhere.
    let limits = nim_slurm::results::Limits::new(nim_slurm::results::Statistic::P95)
        .inter_token_latency(0.01);
    let table = report.with_limits(limits).to_table();
    assert_eq!(
        table.matches("no point keeps the limits").count(),
        2,
        "{table}"
    );
}

/// The manifest of a search's results, changed; and the results read again.
fn with_manifest(
    folder: &tempfile::TempDir,
    change: impl Fn(String) -> String,
) -> nim_slurm::results::Run {
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    let path = results.join("run_7.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text);
    std::fs::write(&path, changed).unwrap();
    nim_slurm::results::Run::read(results).unwrap()
}

#[test]
fn a_probe_that_failed_at_first_is_said() {
    let (folder, _) = search_results(9);
    let remark = "it was measured twice, since it failed at first: a <b> failed";
    let run = with_manifest(&folder, |text| {
        text.replacen(r#""detail": """#, &format!(r#""detail": "{remark}""#), 1)
    });
    let report = nim_slurm::Report::new(&run);
    let table = report.to_table();
    assert!(table.contains(&format!("\nat 1: {remark}\n")), "{table}");
    assert!(
        report
            .to_html()
            .contains("since it failed at first: a &#60;b&#62; failed.")
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let probes = &json["use_cases"][0]["capacity"]["probes"];
    assert_eq!(probes[0]["remark"], remark);
    assert_eq!(probes[1].get("remark"), None);
}

/// Where no probe has a result, no group of points tells of the search.
#[test]
fn a_search_of_which_all_failed_says_why() {
    let (folder, _) = search_results(1);
    let point = folder.path().join("llama_4_1_chat_128_128_7");
    std::fs::remove_dir_all(point).unwrap();
    let run = with_manifest(&folder, |text| {
        text.replace("finished", "failed")
            .replace(r#""detail": """#, r#""detail": "no <disk>""#)
    });
    let sentence = "chat 128/128: not one level is known to hold; at 1 the point failed: no ";
    let report = nim_slurm::Report::new(&run);
    let table = report.to_table();
    assert!(table.starts_with(&format!("{sentence}<disk>\n")), "{table}");
    assert!(!table.contains("no results"), "{table}");
    let markdown = report.to_markdown();
    assert!(
        markdown.contains(&format!("`{sentence}<disk>`")),
        "{markdown}"
    );
    let page = report.to_html();
    assert!(
        page.contains(&format!("{sentence}&#60;disk&#62;.")),
        "{page}"
    );

    let mut command = Command::new(env!("CARGO_BIN_EXE_nim-slurm"));
    command.args(["report", folder.path().to_str().unwrap(), "--job", "7"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && said.starts_with(sentence),
        "{said}"
    );
    // Once a later job has measured a level, that search is the one that is told of.
    let later = std::fs::read_to_string(run.path().join("run_7.json")).unwrap();
    let later = later
        .replace("_128_7", "_128_8")
        .replace("failed", "finished");
    std::fs::write(run.path().join("run_8.json"), later).unwrap();
    put_point(run.path(), "llama_4_1_chat_128_128_8", 1, 100);
    let run = nim_slurm::results::Run::read(run.path()).unwrap();
    assert_eq!(run.failed_searches().first(), None);
    assert_eq!(run.points().len(), 1);
}

/// A job that went on from another one's probes has them, unless they are gone.
#[test]
fn probes_of_an_earlier_job_are_missed_where_they_are_gone() {
    let (_folder, run) = search_results(9);
    let manifest = std::fs::read_to_string(run.path().join("run_7.json")).unwrap();
    let old = |level: u32| format!("llama_4_{level}_chat_128_128_7");
    let manifest = manifest.replace(&old(42), &old(42).replace("_7", "_8"));
    std::fs::write(run.path().join("run_8.json"), manifest).unwrap();
    std::fs::rename(
        run.path().join(old(42)),
        run.path().join(old(42).replace("_7", "_8")),
    )
    .unwrap();
    let first = |jobs: &[&str]| {
        let jobs: Vec<_> = jobs.iter().map(|job| job.parse().unwrap()).collect();
        let run = nim_slurm::results::Run::read_jobs(run.path(), &jobs).unwrap();
        nim_slurm::Report::new(&run)
            .to_table()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let answer = "chat 128/128: 42 requests in flight, 324 tokens/s; at 44 ";
    assert!(first(&["8"]).starts_with(answer), "{}", first(&["8"]));
    assert!(first(&["7", "8"]).starts_with(answer));
    std::fs::remove_dir_all(run.path().join(old(44))).unwrap();
    assert!(first(&["8"]).ends_with("; probes of"), "{}", first(&["8"]));
}

/// The last search of a use case has the answer, and the others are not lost.
#[test]
fn searches_for_something_else_are_named() {
    let (folder, _) = search_results(20);
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    let search_of = |job: u32, gpus: u32, itl: &str| {
        let name = format!("llama_{gpus}_1_chat_128_128_{job}");
        put_point(results, &name, 1, 100);
        let manifest = format!(
            r#"{{"search": {{"ttft": 500, "itl": {itl}, "at": "p95", "from": 1, "to": 64, "within": "5%"}},
                "points": [{{"folder": "{name}", "status": "finished", "seconds": 9, "detail": ""}}]}}"#
        );
        std::fs::write(results.join(format!("run_{job}.json")), manifest).unwrap();
    };
    let table = || {
        let run = nim_slurm::results::Run::read(results).unwrap();
        nim_slurm::Report::new(&run).to_table().replace("\n  ", " ")
    };
    // The same, which job 7 went on with.
    search_of(6, 4, "10.5");
    assert!(!table().contains("there is another search"), "{}", table());
    search_of(5, 8, "10.5");
    let words = "there is another search, by job 5: report it alone with --job 5\n";
    assert!(table().contains(words), "{}", table());
    search_of(3, 4, "9");
    let words = "there are other searches, by jobs 3, 5: report each alone, as with --job 3\n";
    assert!(table().contains(words), "{}", table());
}

#[test]
fn a_search_that_goes_on_says_so() {
    let (_folder, run) = search_results(3);
    let table = nim_slurm::Report::new(&run).to_table();
    assert!(
        table.contains("; the search has not ended, and probes "),
        "{table}"
    );
}

#[test]
fn what_is_not_monotone_is_said() {
    let (folder, run) = search_results(9);
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    assert!(
        !nim_slurm::Report::new(&run)
            .to_table()
            .contains("not monotone")
    );
    // One level is a little slower than the next.
    for (folder, level) in [(42, 44), (44, 42)] {
        let name = format!("llama_4_{folder}_chat_128_128_7");
        std::fs::remove_dir_all(results.join(&name)).unwrap();
        put_point(results, &name, level, 100);
    }
    let run = nim_slurm::results::Run::read(results).unwrap();
    let table = nim_slurm::Report::new(&run).to_table();
    assert!(!table.contains("not monotone"), "{table}");
    // One level is as slow as one that is far above it.
    let name = "llama_4_2_chat_128_128_7";
    std::fs::remove_dir_all(results.join(name)).unwrap();
    put_point(results, "llama_4_30_chat_128_128_8", 30, 1);
    std::fs::rename(
        results.join("llama_4_30_chat_128_128_8"),
        results.join(name),
    )
    .unwrap();
    let run = nim_slurm::results::Run::read(results).unwrap();
    let table = nim_slurm::Report::new(&run).to_table();
    assert!(
        table.contains("not monotone: the p95 of TTFT is higher at 2 than at "),
        "{table}"
    );
}

/// A thousand probes, and a thousand that failed: to judge them takes a part of the time that reading them does. Where each
/// was compared with each, it took several times as long.
#[test]
fn many_probes_are_judged_faster_than_read() {
    const PROBES: u32 = 1000;
    let folder = tempfile::tempdir().unwrap();
    let results = camino::Utf8Path::from_path(folder.path()).unwrap();
    let mut rows = Vec::new();
    for level in 1..=PROBES {
        let name = format!("llama_4_{level}_chat_128_128_7");
        let point = results.join(&name);
        std::fs::create_dir(&point).unwrap();
        let requests: Vec<_> = (1..=20)
            .map(|number| {
                let start = 1_000_000_000_u64 * u64::from(level) + number;
                let first = u64::from(level) + number;
                format!(
                    r#"{{"metadata": {{"request_start_ns": {start}, "request_end_ns": {start}}}, "metrics": {{"time_to_first_token": {{"value": {first}, "unit": "ms"}}, "request_latency": {{"value": {first}, "unit": "ms"}}, "output_sequence_length": {{"value": 9, "unit": "tokens"}}}}}}"#
                )
            })
            .collect();
        std::fs::write(point.join("profile_export.jsonl"), requests.join("\n")).unwrap();
        let table = r#"{"request_count": {"unit": "requests", "avg": 20}, "time_to_first_token": {"unit": "ms", "avg": 1}}"#;
        std::fs::write(point.join("profile_export_aiperf.json"), table).unwrap();
        let failed = format!("llama_4_{}_chat_128_128_7", PROBES + level);
        for (name, status) in [(name, "finished"), (failed, "failed")] {
            rows.push(format!(
                r#"{{"folder": "{name}", "status": "{status}", "seconds": 30, "detail": ""}}"#
            ));
        }
    }
    let goal = r#"{"ttft": 500, "at": "p50", "from": 1, "to": 4000, "within": "5%"}"#;
    let manifest = format!(r#"{{"search": {goal}, "points": [{}]}}"#, rows.join(", "));
    std::fs::write(results.join("run_7.json"), manifest).unwrap();
    let start = std::time::Instant::now();
    let run = nim_slurm::results::Run::read(results).unwrap();
    let read = start.elapsed();
    let groups = run.groups();
    let start = std::time::Instant::now();
    let capacity = groups[0].capacity(&run).unwrap();
    let judged = start.elapsed();
    assert_eq!(capacity.probes().len(), 2000);
    assert_eq!(capacity.not_monotone(), None);
    assert!(2 * judged < read, "{judged:?} after {read:?}");
}

/// What is said of a plan with a search of one limit, once it is changed.
fn planned(change: fn(&mut Recipe)) -> Result<(), String> {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep.concurrency.clear();
    recipe.sweep.search = Some(Search::new(1, 64).with_itl("25".parse().unwrap()));
    change(&mut recipe);
    Plan::new(recipe, Settings::new())
        .map(drop)
        .map_err(|error| error.to_string())
}

#[track_caller]
fn refused(change: fn(&mut Recipe), words: &str) {
    assert_eq!(planned(change), Err(words.to_owned()));
}

#[test]
fn use_cases_that_a_search_does_not_take_are_told() {
    refused(
        |recipe| {
            let [from, to] = [1, 8].map(|rate| rate.try_into().unwrap());
            let search = Search::of_rate(from, to).with_itl("25".parse().unwrap());
            recipe.sweep.search = Some(search);
            recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
            let use_case = &mut recipe.sweep.use_cases[0];
            *use_case = use_case.clone().with_ramp("10s".parse().unwrap());
            *use_case = use_case.clone().with_arrival(Arrival::Constant);
        },
        "the recipe's use case chat:128/128: it has ramp, which sweep.search does not take: put it \
         into a recipe of its own",
    );
    refused(
        |recipe| {
            recipe
                .sweep
                .use_cases
                .push("prefill:128/1".parse().unwrap());
        },
        "the recipe's use case prefill:128/1: an answer of one token has no inter-token latency: leave itl out of \
         sweep.search, or ask for more tokens",
    );
}

#[test]
fn mistakes_in_a_search_are_told() {
    assert_eq!(planned(|_| {}), Ok(()));
    refused(
        |recipe| recipe.sweep.search = None,
        "the recipe's sweep says neither concurrency nor search: one of them is needed, as in concurrency = [1, 8] or \
         search = { itl = 25, to = 64 }",
    );
    refused(
        |recipe| recipe.sweep.concurrency.push(8),
        "the recipe's sweep.search does not go with sweep.concurrency: leave one of them out",
    );
    refused(
        |recipe| recipe.server.replicas = 2,
        "the recipe's sweep.search does not go with server.replicas: leave one of them out",
    );
    refused(
        |recipe| recipe.sweep.array = Some(nim_slurm::recipe::ArrayBy::Point),
        "the recipe's sweep.search does not go with sweep.array = \"point\": leave one of them out",
    );
    refused(
        |recipe| recipe.sweep.search.as_mut().unwrap().itl = None,
        "the recipe's sweep.search has no limit: say ttft or itl in ms, or both, as in itl = 25",
    );
    refused(
        |recipe| recipe.sweep.search.as_mut().unwrap().at = "p80".parse().unwrap(),
        "the recipe's sweep.search has at = \"p80\": p50, p75, p90, p95 or p99 is allowed",
    );
    refused(
        |recipe| recipe.sweep.search.as_mut().unwrap().from = "0.5".parse().unwrap(),
        "the recipe's sweep.search has 0.5 requests in flight: expected a whole number, or of = \"request_rate\" for requests \
         in a second",
    );
    refused(
        |recipe| {
            let rates = ["0.125".parse().unwrap(), 8.try_into().unwrap()];
            let search = Search::of_rate(rates[0], rates[1]).with_itl("25".parse().unwrap());
            recipe.sweep.search = Some(search);
        },
        "the recipe's sweep.search has 0.125 requests in a second: expected at most two decimals",
    );
    refused(
        |recipe| {
            let [from, to] = [1, 8].map(|rate| rate.try_into().unwrap());
            let search = Search::of_rate(from, to).with_itl("25".parse().unwrap());
            recipe.sweep.search = Some(search);
            let use_case = &mut recipe.sweep.use_cases[0];
            *use_case = use_case.clone().with_request_rate([from]);
        },
        "the recipe's use case chat:128/128: it has request_rate, which sweep.search does not take: put it \
         into a recipe of its own",
    );
    refused(
        |recipe| {
            recipe
                .sweep
                .use_cases
                .push("rag:4096s100/256".parse().unwrap());
        },
        "the recipe's use case rag:4096s100/256: it has a length with a spread, which sweep.search does not take: put it into \
         a recipe of its own",
    );
    refused(
        |recipe| recipe.sweep.search.as_mut().unwrap().from = 65.try_into().unwrap(),
        "the recipe's sweep.search goes from 65 to 64: from must be at most to",
    );
    refused(
        |recipe| {
            *recipe.sweep.search.as_mut().unwrap() = Search::new(1, 100_000)
                .with_within("1%".parse().unwrap())
                .with_itl("25".parse().unwrap());
        },
        "the recipe's sweep.search has 852 levels for each of 2 use cases: at most 1000 in all are allowed, so raise within, or \
         bring from and to nearer",
    );
    let error = Recipe::from_toml(&Recipe::llama3_70b_h100x4_fp8().to_toml().replace(
        "concurrency = [1, 25, 50, 100]",
        "search = { ttft = 0, to = 64 }",
    ))
    .unwrap_err()
    .to_string();
    assert!(error.contains("it must be more than nothing"), "{error}");
}

/// Writes the sample of a search, `tests/data/search`: results of a server with which the time between tokens grows with the
/// requests in flight, as AIPerf and launch.sh write them. Each value is a formula's.
fn write_sample(results: &camino::Utf8Path) {
    let search = Search::new(8, 32).with_ttft("500".parse().unwrap());
    let search = search.with_itl("15".parse().unwrap());
    let search = search.with_within("10%".parse().unwrap());
    let mut levels = Vec::new();
    let _ = search.ladder().climb(|level| {
        levels.push(level);
        Some(level <= 16)
    });
    let mut rows = Vec::new();
    let mut begin = 1_764_000_000_000_000_000;
    for level in levels {
        let name = format!("sample-model_4_{level}_chat_128_128_1");
        let nanoseconds = write_sample_point(&results.join(&name), level, begin);
        let seconds = 10 + nanoseconds / 1_000_000_000;
        begin += 1_000_000_000 * (seconds + 5);
        rows.push(format!(
            "  {{\n   \"folder\": \"{name}\",\n   \"status\": \"finished\",\n   \"seconds\": {seconds},\n   \"detail\": \"\"\n  }}"
        ));
    }
    let manifest = format!(
        "{{\n \"schema\": 1,\n \"recipe\": \"sample\",\n \"job_id\": \"1\",\n \"exit_code\": 0,\n \"search\": {},\n \"points\": [\n{}\n ]\n}}\n",
        r#"{"ttft": 500, "itl": 15, "at": "p95", "from": 8, "to": 32, "within": "10%"}"#,
        rows.join(",\n")
    );
    std::fs::write(results.join("run_1.json"), manifest).unwrap();
}

/// A point of it, and how long it takes.
fn write_sample_point(folder: &camino::Utf8Path, level: u32, begin: u64) -> u64 {
    const TOKENS: f64 = 128.0;
    // Whole waves, as many as it takes behind the first one.
    let requests = level * (96 + level).div_ceil(level);
    let mut ends = vec![begin; usize::try_from(level).unwrap()];
    let mut values = [Vec::new(), Vec::new(), Vec::new()];
    let mut lines = String::new();
    for number in 0..requests {
        let share = |factor: u32| f64::from(number * factor % 100) / 100.0;
        let first = (60.0 + 5.0 * f64::from(level)) * (0.9 + 0.2 * share(37));
        let between = (8.0 + 0.4 * f64::from(level)) * (0.97 + 0.06 * share(61));
        let latency = first + (TOKENS - 1.0) * between;
        let end = &mut ends[usize::try_from(number % level).unwrap()];
        let start = *end;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few seconds"
        )]
        let nanoseconds = (latency * 1e6) as u64;
        *end += nanoseconds;
        lines.push_str(&format!(
            "{{\"metadata\": {{\"request_start_ns\": {start}, \"request_end_ns\": {end}}}, \"metrics\": {{\"time_to_first_token\": \
             {{\"value\": {first:.3}, \"unit\": \"ms\"}}, \"request_latency\": {{\"value\": {latency:.3}, \"unit\": \"ms\"}}, \
             \"output_sequence_length\": {{\"value\": 128, \"unit\": \"tokens\"}}}}}}\n"
        ));
        for (values, value) in values.iter_mut().zip([first, between, latency]) {
            values.push(value);
        }
    }
    let nanoseconds = ends.iter().max().unwrap() - begin;
    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
    let seconds = nanoseconds as f64 / 1e9;
    let names = [
        "time_to_first_token",
        "inter_token_latency",
        "request_latency",
    ];
    let rows = names.into_iter().zip(values).map(|(name, mut values)| {
        values.sort_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / f64::from(requests);
        let at = |percent: usize| values[values.len() * percent / 100];
        let (p50, p95, p99) = (at(50), at(95), at(99));
        format!(
            " \"{name}\": {{\"unit\": \"ms\", \"avg\": {mean:.3}, \"p50\": {p50:.3}, \"p95\": {p95:.3}, \"p99\": {p99:.3}}},\n"
        )
    });
    let per_second = f64::from(requests) / seconds;
    let table = format!(
        "{{\n{} \"output_token_throughput\": {{\"unit\": \"tokens/sec\", \"avg\": {:.3}}},\n \"request_throughput\": \
         {{\"unit\": \"requests/sec\", \"avg\": {per_second:.3}}},\n \"request_count\": {{\"unit\": \"requests\", \"avg\": {requests}}}\n}}\n",
        rows.collect::<String>(),
        TOKENS * per_second
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("profile_export.jsonl"), lines).unwrap();
    std::fs::write(folder.join("profile_export_aiperf.json"), table).unwrap();
    nanoseconds
}

/// It is what the formula says (`SNAPSHOTS=overwrite` writes it), and the report answers as the guide does.
#[test]
fn the_sample_of_a_search() {
    let sample = camino::Utf8Path::new("tests/data/search");
    if std::env::var("SNAPSHOTS").is_ok_and(|word| word == "overwrite") {
        write_sample(sample);
    }
    let folder = tempfile::tempdir().unwrap();
    let own = camino::Utf8Path::from_path(folder.path()).unwrap();
    write_sample(own);
    let mut names = vec!["run_1.json".to_owned()];
    for point in nim_slurm::results::Run::read(own).unwrap().points() {
        let point = point.path().file_name().unwrap();
        let files = ["profile_export.jsonl", "profile_export_aiperf.json"];
        names.extend(files.map(|file| format!("{point}/{file}")));
    }
    for name in names {
        let [expected, found] =
            [own, sample].map(|folder| std::fs::read_to_string(folder.join(&name)).unwrap());
        assert!(expected == found, "{name} is not the formula's");
    }
    let run = nim_slurm::results::Run::read(sample).unwrap();
    assert_eq!(run.problems(), []);
    let table = nim_slurm::Report::new(&run).to_table();
    let guide = std::fs::read_to_string("src/guide/search.md").unwrap();
    let lines: Vec<_> = table.lines().take(2).collect();
    assert!(guide.contains(&lines.join("\n")), "{table}");
}
