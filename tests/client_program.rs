//! What the client's program decides: its own functions, run by bash, with a curl that
//! says what a server would, and files that tools left.

#[path = "common/client.rs"]
mod client;

use std::collections::BTreeSet;
use std::fs;

use nim_slurm::recipe::{ClientOptions, ClientTool};
use nim_slurm::{Plan, Recipe, Settings};

use crate::client::run_in_client;

const MODEL: &str = r#"{"data": [{"id": "meta/llama3-70b-instruct"}]}"#;
const CHUNK: &str = r#"data: {"choices": [{"delta": {"content": "\"error\": {"}}]}"#;

/// What stands in place of curl and time.
const SERVER: &str = r#"
served_model_name=meta/llama3-70b-instruct health_path=/ready request_fields='"stream": true'
server_started=$(printf '%(%s)T' -1) ready_timeout=100
say() { printf '%s\n' "$*"; }
sleep() { echo "slept $1" >&2; }
curl() {
  case ${*: -1} in
    */ready) printf 200 ;;
    */models) printf '%s' "$model" ;;
    *) cat >/dev/null; printf '%s\n%s' "$its_body" "$its_status" ;;
  esac
}
"#;

/// Whether a small completion is a good one, and else what it was.
#[track_caller]
fn completes(status: &str, body: &str) -> String {
    let lines =
        format!("{SERVER}if completes 5; then echo good; else echo \"$refused: $answer\"; fi");
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    run_in_client(
        &recipe,
        &lines,
        &[("its_status", status), ("its_body", body)],
    )
}

#[test]
fn a_stream_with_a_chunk_is_good() {
    let stream = format!("{CHUNK}\n\ndata: {{\"choices\": [], \"error\": null}}\n\ndata: [DONE]\n");
    assert_eq!(completes("200", &stream), "good");
}

/// A server may answer without an end: a small answer is looked at, and no more is kept.
#[test]
fn a_small_answer_has_an_end() {
    for (length, expected) in [(1000, "lists completes"), (2_000_000, "")] {
        let lines = format!(
            "{SERVER}
            curl() {{
              [[ ${{*: -1}} == */models ]] || cat >/dev/null
              head -c {length} /dev/zero | tr '\\0' a
              [[ ${{*: -1}} == */models ]] && printf %s '{MODEL}' || printf '\\n%s\\n200' '{CHUNK}'
            }}
            ! lists_model || printf 'lists '
            ! completes 5 || echo completes"
        );
        let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &lines, &[]);
        assert_eq!(said, expected, "{length}");
    }
}

#[test]
fn an_error_in_the_stream_is_not() {
    for error in [
        r#"data: {"error": {"message": "no", "choices": 1}}"#,
        r#"data: {"object": "error", "message": "no"}"#,
        "event: error\ndata: no",
    ] {
        let said = completes("200", &format!("{CHUNK}\n\n{error}\n"));
        let begins = "0: a small completion failed with HTTP 200: data: ";
        assert!(said.starts_with(begins), "{said}");
    }
    // It ignores that a stream was asked for.
    let whole = completes("200", r#"{"choices": []}"#);
    assert!(whole.starts_with("0: "), "{whole}");
}

#[test]
fn a_refusal_is_told_from_what_may_pass() {
    for status in ["400", "401", "403", "404", "405", "422", "501"] {
        let said = completes(status, "{\"detail\":\n\u{1b}[31m'min_tokens'\"}");
        let expected = format!(
            "{status}: a small completion failed with HTTP {status}: {{\"detail\":  [31m'min_tokens'\"}}"
        );
        assert_eq!(said, expected);
    }
    for status in ["408", "425", "429", "500", "503"] {
        let said = completes(status, "later");
        assert!(said.starts_with("0: "), "{said}");
    }
    let long = completes("422", &"x".repeat(100_000));
    assert!(long.len() < 400, "{} bytes", long.len());
}

/// The end of the wait for a server that refuses the first so many completions.
#[track_caller]
fn wait_for(refusals: u32, body: &str) -> String {
    let lines = format!(
        "{SERVER}tries=$(mktemp)\n\
         curl_of_server=$(declare -f curl)\n\
         is_own() {{ :; }}\n\
         source <(printf '%s' \"${{curl_of_server/curl/server}}\")\n\
         curl() {{\n\
           if [[ ${{*: -1}} == */completions ]]; then\n\
             cat >/dev/null\n\
             echo >>\"$tries\"\n\
             (($(wc -l <\"$tries\") <= {refusals})) || {{ printf '%s\\n200' \"$good\"; return; }}\n\
           fi\n\
           server \"$@\"\n\
         }}\n\
         end_with() {{ echo \"${{*:2}}\"; echo \"ends with $1\"; exit 1; }}\n\
         (wait_until_ready) 2>&1 || true"
    );
    let variables = [
        ("its_status", "422"),
        ("its_body", body),
        ("model", MODEL),
        ("good", CHUNK),
    ];
    run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &lines, &variables)
}

#[test]
fn a_server_that_refuses_twice_is_not_waited_for() {
    let said = wait_for(2, "{\"detail\": \"no min_tokens\"}");
    assert!(
        said.contains("HTTP 422: {\"detail\": \"no min_tokens\"}")
            && said.contains("min_tokens = false under [client]")
            && said.ends_with("ends with refused"),
        "{said}"
    );
    assert_eq!(said.matches("slept 5").count(), 1, "{said}");
}

/// It says so of the list of its models.
#[test]
fn a_server_that_wants_a_key_is_not_waited_for() {
    let lines = format!(
        "{SERVER}is_own() {{ :; }}\n\
         end_with() {{ echo \"${{*:2}}\"; echo \"ends with $1\"; exit 1; }}\n\
         (wait_until_ready) 2>&1 || true"
    );
    let variables = [("model", "{\"error\": \"Unauthorized\"}\n401")];
    let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &lines, &variables);
    assert!(
        said.contains("without a key")
            && said
                .contains("{\"error\": \"Unauthorized\"} 401. If it wants a key, leave that out"),
        "{said}"
    );
    assert!(said.ends_with("ends with refused"), "{said}");
}

#[test]
fn a_server_that_refuses_once_is_waited_for() {
    let said = wait_for(1, "not yet");
    assert!(said.contains("the server is ready after"), "{said}");
    assert!(!said.contains("error"), "{said}");
}

/// Says in a log when it is up and when it sends something, as the tools do: with the program that GenAI-Perf runs, and
/// in the class of AIPerf.
const GENAI_PERF: &str = r#"#!/usr/bin/env bash
echo "up $2" >>"$log"
printf '"content": "one\n%.0s' 1 2 3 4 >"$run/inputs.json"
perf_analyzer -m model --input-data "$run/inputs.json"
sleep 1
"#;
const AIPERF: &str = r#"#!/usr/bin/env python3
import asyncio, os, sys, time

def say(word):
    with open(os.environ["log"], "a") as log:
        log.write(word + "\n")

class SystemController:
    async def _start_profiling_all_services(self):
        say("sent")

    async def _process_credits_complete_message(self, message):
        pass

say("up " + sys.argv[2])
controller = SystemController()
asyncio.run(controller._start_profiling_all_services())
time.sleep(0.3)
asyncio.run(controller._process_credits_complete_message("all"))
time.sleep(1)
"#;

/// Runs lines in a client of three points, whose second is finished, with this program as its tool.
#[track_caller]
fn run_with_tool(recipe: &Recipe, program: &str, lines: &str) -> String {
    let lines = format!(
        r#"
        export log=$run/log
        mkdir "$run/bin"
        printf '%s' "$program" >"$run/bin/$tool"
        printf '#!/usr/bin/env bash\necho sent >>"$log"\nsleep 0.3\n' >"$run/bin/perf_analyzer"
        chmod +x "$run"/bin/*
        PATH=$run/bin:$PATH
        fill() {{ REPLIES=("$tool" profile "${{facts[folder]##*/}}"); }}
        points=('a 32 16 1 4 4 7 1' 'b 32 16 2 4 4 8 1' 'c 32 16 4 4 4 9 1') folders=(one two three) are_finished=('' yes '')
        replicas=1
        said() {{ echo "$1: $(tr '\n' ' ' <"$log")"; }}
        until_said() {{ until grep -qs "$1" "$log"; do sleep 0.1; done; }}
        {lines}"#
    );
    run_in_client(recipe, &lines, &[("program", program)])
}

/// A tool that is started early waits as soon as it would send something, and its files belong to no point before.
#[test]
fn a_tool_that_is_started_early_waits_at_its_gate() {
    let lines = r#"
        next_number=1
        start_next
        until_said up
        sleep 1
        said "$next_folder waits"
        test -e "$gates/known"
        test ! -e "$next_gate/over"
        open_gate
        until [[ -s $next_gate/over ]]; do sleep 0.1; done
        said "open, and evaluates: $(runs "$next_pid" && echo yes)"
        # GenAI-Perf's gate has whole seconds.
        if [[ $tool == aiperf ]]; then (($(<"$next_gate/over") >= 300)); fi
        (($(<"$next_gate/over") <= 1000))
        test -d "$run/three"
        wait "$next_pid"
        next_pid='' next_number=0
        start_next
        test -d "$run/one"
        drop_next
        test -e "$run/one" || echo dropped
    "#;
    for (recipe, program) in [
        (Recipe::llama3_70b_h100x4_fp8(), GENAI_PERF),
        (aiperf(), AIPERF),
    ] {
        assert_eq!(
            run_with_tool(&recipe, program, lines),
            "three waits: up three \nopen, and evaluates: yes: up three sent \ndropped"
        );
    }
}

/// Of two servers, each of which measures points of its own: the next one's tool is started early, but for the last point.
#[test]
fn a_client_takes_the_next_point_ahead_but_for_the_last_ones() {
    let several = fs::read_to_string("templates/launch/several_in_client.sh").unwrap();
    let lines = format!(
        r#"
        run=$(mktemp -d) parts=0 replicas=2
        {several}
        points=(1 2 3 4 5) folders=(one two three four five) are_finished=('' yes '' '' '')
        start_tool() {{ next_pid=tool next_folder=$1; }}
        # As main has it. Another client's word comes as what it has taken.
        begins() {{ take "$1" && current=${{folders[$1 - 1]}} next_number=$1 next_pid='' || echo "not $1"; }}
        looks() {{ next_folder=none; start_next; echo "${{current:-before}}, next: $next_folder"; }}
        looks
        mkdir "$run/taken.3"
        begins 1
        looks
        begins 3
        begins 4
        looks
        broken=yes
        take 4 && echo "its own"
        take 3 || echo "another's"
        take 5 && ! test -d "$run/taken.5" && echo "nobody's"
        parts=2 broken=''
        take 3 && echo "for all""#
    );
    assert_eq!(
        run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &lines, &[]),
        "before, next: one\none, next: four\nnot 3\nfour, next: none\nits own\nanother's\nnobody's\nfor all"
    );
}

/// Slurm's word to stop a step comes to all of its processes: what GenAI-Perf has measured it evaluates still, and its
/// client waits for that.
#[test]
fn a_measured_point_is_evaluated_after_the_word_to_stop() {
    let program = r#"#!/usr/bin/env python3
import os, subprocess, sys, time

def say(word):
    with open(os.environ["log"], "a") as log:
        log.write(word + "\n")

say("up")
inputs = os.environ["run"] + "/inputs.json"
with open(inputs, "w") as file:
    file.write('"content": "one two three four"\n' * 4)
subprocess.run(["perf_analyzer", "--input-data", inputs])
time.sleep(2.5)
say("evaluated")
"#;
    let lines = r#"
        start_next
        open_gate
        until [[ -s $next_gate/over ]]; do sleep 0.1; done
        measured=(one tool) pid=$next_pid next_pid=''
        say() { :; }
        settle() { runs "$pid" || { wait "$pid"; measured=(); said "settled with $?"; }; }
        end_with() { said "end with $1"; exit 0; }
        kill -TERM -- "-$pid"
        on_signal
    "#;
    let said = run_with_tool(&Recipe::llama3_70b_h100x4_fp8(), program, lines);
    assert!(
        said.ends_with(
            "settled with 0: up sent evaluated \nend with client_stopped: up sent evaluated"
        ),
        "{said}"
    );
}

/// Two points are measured: one whose tool evaluates, and one that waits for that.
#[test]
fn no_point_is_lost_that_waits_for_the_one_before() {
    let program = "#!/usr/bin/env bash\necho up >>\"$log\"\nsleep 4\necho evaluated >>\"$log\"\n";
    let lines = r#"
        say() { :; }
        start_next
        open_gate
        until_said up
        sleep 0.5 &
        measured=(before tool $! one tool "$next_pid") pid=$next_pid next_pid=''
        settle() { runs "${measured[2]}" || { wait "${measured[2]}"; said "${measured[0]} settled with $?"; measured=("${measured[@]:3}"); }; }
        record() { said "$1 $2"; }
        end_with() { said "end with $1"; exit 0; }
        kill -TERM -- "-$pid"
        on_signal
    "#;
    let said = run_with_tool(&Recipe::llama3_70b_h100x4_fp8(), program, lines);
    assert_eq!(
        said,
        "before settled with 0: up \none settled with 0: up evaluated \nend with client_stopped: up evaluated"
    );
}

/// What a tool started would load the server during the next points.
#[test]
fn nothing_outlives_a_tool_that_is_too_late() {
    let program = "#!/usr/bin/env bash\nsleep 300 &\necho \"up $!\" >>\"$log\"\nwait\n";
    let lines = r#"
        start_next
        open_gate
        until_said up
        read -r _ child <"$log"
        ! runs "$next_pid" 0
        [[ $late == *" $next_pid "* ]] && echo late
        for ((tries = 0; tries < 50; tries++)); do kill -0 "$child" 2>/dev/null && sleep 0.1 || break; done
        kill -0 "$child" 2>/dev/null || echo gone
    "#;
    let said = run_with_tool(&Recipe::llama3_70b_h100x4_fp8(), program, lines);
    assert_eq!(said, "late\ngone");
}

/// A release whose names are others, and a Python that does not read the client's lines.
#[test]
fn a_tool_that_does_not_know_the_gate_is_started_in_its_turn() {
    let renamed = AIPERF.replace("SystemController", "Controller");
    let deaf = AIPERF.replace("env python3", "env -S python3 -S");
    let lines = r#"
        server_started=$(printf '%(%s)T' -1)
        say() { :; }
        is_healthy() { until_said up; }
        is_own() { :; }
        lists_model() { :; }
        completes() { :; }
        start_next
        wait_until_ready
        said "dropped: $next_pid"
        test ! -e "$gates/known" && test ! -e "$run/one"
        rm "$log"
        current=one
        start_tool one a 32 16 1 4 4 7 1
        wait "$next_pid"
        said "in its turn"
        test -d "$run/one"
    "#;
    for program in [renamed, deaf] {
        let said = run_with_tool(&aiperf(), &program, lines);
        assert!(
            said.starts_with("dropped: : up one") && said.ends_with("in its turn: up one sent"),
            "{said}"
        );
    }
}

/// A file as GenAI-Perf gives it to perf_analyzer, and what becomes of it: the contents of its prompts, or what was said
/// of it.
#[track_caller]
fn own_beginnings(awk: &str, text: &str, prompts: usize, seed: u32) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("llm inputs.json");
    fs::write(&inputs, text).unwrap();
    let lines = r#"
        mkdir "$gates/one" "$run/bin"
        : >"$gates/one/open"
        printf '#!/usr/bin/env bash\necho started\n' >"$run/bin/perf_analyzer"
        printf '#!/usr/bin/env bash\nexec %s "$@"\n' "$awk" >"$run/bin/awk"
        chmod +x "$run"/bin/*
        export NIM_SLURM_GATE=$gates/one PATH=$gates:$run/bin:$PATH
        perf_analyzer -m model --async --input-data "$inputs" --service-kind openai 2>&1 || echo "ended with $?"
        find "$gates/one" -name over -printf 'over\n'
        find "${inputs%/*}" -mindepth 1 | grep -q . || echo "no inputs"
    "#;
    let variables = [
        ("awk", awk),
        ("inputs", inputs.to_str().unwrap()),
        ("NIM_SLURM_PROMPTS", &prompts.to_string()),
        ("NIM_SLURM_SEED", &seed.to_string()),
    ];
    let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), lines, &variables);
    if said != "started\nover" {
        return Err(said);
    }
    let text_now = fs::read_to_string(&inputs).unwrap();
    let before: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut now: serde_json::Value = serde_json::from_str(&text_now).unwrap();
    let place = |number: usize| format!("/data/{number}/payload/0/messages/0/content");
    let mut contents = Vec::new();
    for number in 0..prompts {
        let content = now.pointer_mut(&place(number)).unwrap();
        contents.push(content.as_str().unwrap().to_owned());
        *content = before.pointer(&place(number)).unwrap().clone();
    }
    assert_eq!(now, before, "nothing else was changed");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    Ok(contents)
}

/// As all releases write it: Python's `json.dumps` with an indent of 2.
fn inputs(prompts: &[String]) -> String {
    let mut data = Vec::new();
    for prompt in prompts {
        data.push(serde_json::json!({"payload": [{
            "model": "the model of \"content\": \"x y z",
            "messages": [{"role": "user", "content": prompt}],
            "stream": true,
            "content": 4,
        }]}));
    }
    let text = serde_json::to_string_pretty(&serde_json::json!({ "data": data })).unwrap();
    let mut ascii = String::new();
    for letter in text.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    ascii
}

/// Prompts that begin alike, of hostile text, of no word, and long ones.
#[test]
fn each_prompt_of_genai_perf_gets_a_beginning_of_its_own() {
    let long = "\u{1f600}the \\ same\nlong text\" ".repeat(2_000);
    let mut prompts: Vec<String> = [
        "hi hi hi hi To the same",
        " hi hi  hi hi To the same",
        "one",
        "one two",
        "one two three",
        "one two three ",
        "",
        " ",
        "   ",
        "\"",
        "\\",
        "\\\\\" \\\" \" \\",
        "\"content\": \"a b c d\"",
        "x\"content\": \"a b c d",
        "\n  \"content\": \"a b c d e\",\n",
        "it\u{2019}s \u{1f600} & \\1 & four",
        "\u{1f600}",
        "$(x) `y` %s %n '{}' {}",
        &long,
    ]
    .map(str::to_owned)
    .to_vec();
    prompts.extend(vec!["Look in thy glass and tell the face".to_owned(); 800]);
    let mut tried = 0;
    for awk in ["mawk", "gawk", "busybox awk", "original-awk"] {
        let is_there = std::process::Command::new("which")
            .arg(awk.split(' ').next().unwrap())
            .output()
            .unwrap();
        if !is_there.status.success() {
            println!("{awk} is not on this machine");
            continue;
        }
        tried += 1;
        let mut all = BTreeSet::new();
        for seed in [1_582_286_884, 2_147_483_647] {
            let contents = own_beginnings(awk, &inputs(&prompts), prompts.len(), seed).unwrap();
            for (content, prompt) in contents.iter().zip(&prompts) {
                let (own, rest) = content.split_at(8);
                let own = own.as_bytes();
                assert!(
                    own.iter().step_by(2).all(u8::is_ascii_alphabetic),
                    "{content:?}"
                );
                assert!(
                    own.iter().skip(1).step_by(2).all(|space| *space == b' '),
                    "{content:?}"
                );
                let words: Vec<_> = prompt.trim_start_matches(' ').splitn(4, ' ').collect();
                let expected = if words.len() == 4 { words[3] } else { prompt };
                assert!(
                    rest == expected || prompt.contains("  "),
                    "{rest:?} of {prompt:?}"
                );
                assert!(prompt.ends_with(rest), "{rest:?} of {prompt:?}");
                // None is a beginning of another, of this point or of another one.
                assert!(all.insert(own.to_vec()), "{content:?}");
            }
        }
        assert_eq!(all.len(), 2 * prompts.len());
    }
    assert!(tried > 0);
}

#[test]
fn prompts_that_may_repeat_are_not_measured() {
    let prompts = ["one two three four".to_owned(), "five".to_owned()];
    let text = inputs(&prompts);
    let one_line = text.replace('\n', "");
    let list = text.replace("\"five\"", "[\n\"five\"\n]");
    for (text, prompts) in [
        (&text, 1),
        (&text, 3),
        (&one_line, 2),
        (&list, 2),
        (&String::new(), 2),
    ] {
        let said = own_beginnings("env PATH=/usr/bin:/bin awk", text, prompts, 7).unwrap_err();
        let error = format!("error: not each of {prompts} prompts in ");
        assert!(
            said.contains(&error)
                && said.ends_with("/llm inputs.json got a beginning of its own; is space left?\nended with 1\nno inputs"),
            "{said}"
        );
    }
}

/// The words in launch.sh with which the tool is called.
fn command(recipe: Recipe) -> String {
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    let launch = plan.launch();
    let (_, rest) = launch
        .text()
        .split_once("\nreadonly client_command=(")
        .unwrap();
    let (words, _) = rest.split_once(")\n").unwrap();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_tool_is_not_told_what_the_recipe_leaves_out() {
    for mut recipe in [Recipe::llama3_70b_h100x4_fp8(), aiperf()] {
        let (max, min, eos) = (
            "--extra-inputs 'max_tokens:{output_tokens}' ",
            "--extra-inputs 'min_tokens:{output_tokens}' ",
            "--extra-inputs ignore_eos:true ",
        );
        let said = command(recipe.clone());
        assert!(said.contains(&format!("{max}{min}{eos}--")), "{said}");
        recipe.client.ignore_eos = false;
        let said = command(recipe.clone());
        assert!(said.contains(&format!("{max}{min}--conc")), "{said}");
        recipe.client.min_tokens = false;
        let said = command(recipe);
        assert!(said.contains(&format!("{max}--conc")), "{said}");
    }
}

/// What requests say by launch.sh, as bash has it.
fn request_fields(recipe: Recipe) -> String {
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    let launch = plan.launch();
    let (_, rest) = launch
        .text()
        .split_once("\nreadonly request_fields=")
        .unwrap();
    rest.lines().next().unwrap().to_owned()
}

/// Own options come last, but for those of perf_analyzer, and are part of what defines a measurement.
#[test]
fn own_options_follow_the_crate_s() {
    for (tool, end) in [
        (
            "genai_perf = '24.05'",
            " -- --request-count '{requests}' --max-threads '{concurrency}'",
        ),
        ("genai_perf = '25.12'", " -- --max-threads '{concurrency}'"),
        ("aiperf = '0.13.0'", ""),
    ] {
        let own = "--verbose --extra-inputs temperature:0";
        let words = "options = ['--verbose', '--extra-inputs', 'temperature:0']";
        let text = Recipe::llama3_70b_h100x4_fp8().to_toml();
        let text = text.replace(
            "[client.tool]\ngenai_perf = \"0.0.10\"\n",
            &format!("{words}\ntool.{tool}\n"),
        );
        let recipe = Recipe::from_toml(&text).unwrap();
        assert_eq!(Recipe::from_toml(&recipe.to_toml()).unwrap(), recipe);
        let said = command(recipe.clone());
        assert!(said.ends_with(&format!(" {own}{end}")), "{said}");
        let fields = request_fields(recipe);
        assert!(
            fields.ends_with(r#""ignore_eos": true, "temperature":0'"#),
            "{fields}"
        );
    }
}

/// The small completion and the warm-up ask as the point will; a number of tokens is nothing else.
#[test]
fn own_fields_are_in_each_request() {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    let json =
        r#"{"top_k": 40, "stop": ["a: 4"], "chat_template_kwargs": {"enable_thinking": false}}"#;
    recipe.client.options = ClientOptions::parse_all(["--extra-inputs", json]).unwrap();
    let fields = request_fields(recipe.clone());
    let lines = format!(
        "served_model_name=m request_fields={fields}\ncurl() {{ cat; }}\nchat 128 <<<'Say hello.'"
    );
    let body = run_in_client(&recipe, &lines, &[]);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&body["max_tokens"], &body["min_tokens"]),
        (&128.into(), &128.into())
    );
    assert_eq!(body["top_k"], 40);
    assert_eq!(body["stop"][0], "a: 4");
    assert_eq!(body["chat_template_kwargs"]["enable_thinking"], false);
}

#[test]
fn own_options_that_a_release_does_not_have() {
    let refused = |release: &str, words: [&str; 2]| {
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        recipe.client.tool = ClientTool::GenaiPerf(release.parse().unwrap());
        recipe.client.options = ClientOptions::parse_all(words).unwrap();
        Plan::new(recipe, Settings::new())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let (header, json) = (["--header", "X-Run:a"], ["--extra-inputs", "{\"a\": 1}"]);
    assert_eq!(
        refused("24.12", header).unwrap_err(),
        "the recipe asks for --header in client.options, which GenAI-Perf 0.0.9 (SDK 24.12) does not know: it came with \
         0.0.10 (SDK 25.01)"
    );
    assert_eq!(
        refused("24.06", json).unwrap_err(),
        "the recipe asks for JSON behind --extra-inputs in client.options, which GenAI-Perf 0.0.3 (SDK 24.06) does not \
         know: it came with 0.0.4 (SDK 24.07)"
    );
    assert_eq!(refused("25.01", header), Ok(()));
    assert_eq!(refused("24.07", json), Ok(()));
    assert_eq!(
        refused("25.01", ["a", "--verbose"]).unwrap_err(),
        "the recipe's client.options has \"a\": an option must stand before it"
    );
}

/// The estimate for so much work, after points that were learned.
#[track_caller]
fn estimate(learned: &str, use_case: &str, units: u32) -> String {
    let lines = format!("{learned}\nestimate {use_case} {units}\necho $REPLY");
    run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &lines, &[])
}

#[test]
fn the_tool_s_start_is_not_scaled_with_the_work() {
    // 12 s, of which requests ran for 1.5 s: eight times the work takes them 12 s.
    let short = "learn chat 64 12 1500";
    assert_eq!(estimate(short, "chat", 512), (5 + 11 + 12).to_string());
    assert_eq!(estimate(short, "another", 64), (5 + 11 + 1).to_string());
    // The longest start counts, and the work of the same use case.
    let two = format!("{short}\nlearn long 1000 40 20000");
    assert_eq!(estimate(&two, "chat", 128), (5 + 20 + 3).to_string());
    assert_eq!(estimate(&two, "long", 500), (5 + 20 + 10).to_string());
    // Nothing is known yet.
    assert_eq!(estimate("", "chat", 64), "0");
}

#[test]
fn what_is_not_known_counts_as_work() {
    for busy in [0, 12_001] {
        let learned = format!("learn chat 64 12 {busy}");
        assert_eq!(estimate(&learned, "chat", 128), (5 + 24).to_string());
    }
}

/// Whether what lies in a folder may come from a tool that completed a request, which
/// failed in this way.
#[track_caller]
fn may_have_completed(recipe: &Recipe, kind: &str, files: &[(&str, &str)]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let lines = "if may_have_completed \"$folder\"; then echo yes; else echo no; fi";
    let variables = [("folder", folder.path().to_str().unwrap()), ("kind", kind)];
    run_in_client(recipe, lines, &variables) == "yes"
}

#[test]
fn what_a_tool_left_tells_whether_it_works() {
    let genai_perf = Recipe::llama3_70b_h100x4_fp8;
    let inputs = ("inputs.json", "{}");
    let raw = |stamps| ("profile_export.json", stamps);
    let status = "exit status 1";
    assert!(!may_have_completed(&genai_perf(), status, &[]));
    assert!(!may_have_completed(&genai_perf(), "timeout", &[]));
    // It would have written its measurements at the end, if all requests had been completed.
    assert!(may_have_completed(&genai_perf(), status, &[inputs]));
    assert!(may_have_completed(&genai_perf(), "timeout", &[inputs]));
    let some = raw(r#"{"requests":[{"timestamp":1,"response_timestamps":[2,3]}]}"#);
    assert!(may_have_completed(&genai_perf(), status, &[inputs, some]));
    let none = raw(r#"{"requests":[{"timestamp":1,"response_timestamps":[]}]}"#);
    assert!(!may_have_completed(&genai_perf(), status, &[inputs, none]));

    // A line for each request, as AIPerf 0.13.0 writes them.
    let line = |text| ("profile_export.jsonl", text);
    let failed = r#"{"metrics":{"error_isl":{"value":32,"unit":"tokens"}},"error":{"code":400}}"#;
    assert!(!may_have_completed(&aiperf(), "timeout", &[inputs]));
    assert!(!may_have_completed(&aiperf(), status, &[line(failed)]));
    let one = format!(
        "{failed}\n{{\"metrics\":{{\"request_latency\":{{\"value\":76.4,\"unit\":\"ms\"}}}}}}\n"
    );
    assert!(may_have_completed(&aiperf(), status, &[line(&one)]));
}

fn aiperf() -> Recipe {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    recipe
}

/// What a server says of its counters.
const VLLM: &str = r#"
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine="0",model_name="a b"} 1.2e+06
vllm:prefix_cache_queries_total{engine="1",model_name="a b"} 1000.0
vllm:prefix_cache_queries_created{engine="0",model_name="a b"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="a b"} 50.0
vllm:gpu_prefix_cache_queries_total{engine="0",model_name="a b"} 1.2e+06
vllm:gpu_prefix_cache_hits_total{engine="0",model_name="a b"} 50.0
"#;

/// What was looked up in the cache and found, by the counters before and after.
#[track_caller]
fn cache_use(before: &str, after: &str) -> String {
    let lines = r#"cache_use "$before" "$after"; echo "$REPLY""#;
    run_in_client(
        &Recipe::llama3_70b_h100x4_fp8(),
        lines,
        &[("before", before), ("after", after)],
    )
}

#[test]
fn counters_of_each_server_are_read() {
    let after = VLLM.replace("} 1000.0", "} 3000.0").replace(
        "prefix_cache_hits_total{engine=\"0\",model_name=\"a b\"} 50.0",
        "prefix_cache_hits_total{engine=\"0\"} 80.0",
    );
    assert_eq!(cache_use(VLLM, &after), "2000 30");
    // A request that waits for memory is counted again, and one that lost its place finds itself.
    let with = |prompts: u32, preempted: u32| {
        let more = |text: &str, [prompts, preempted]: [u32; 2]| {
            format!(
                "{text}vllm:prompt_tokens_total{{engine=\"0\"}} {prompts}\nvllm:num_preemptions_total{{engine=\"0\"}} {preempted}\n"
            )
        };
        cache_use(
            &more(VLLM, [5, 1]),
            &more(&after, [5 + prompts, 1 + preempted]),
        )
    };
    assert_eq!(with(2000, 0), "2000 30");
    assert_eq!(with(1970, 0), "2000 30"); // without those that were found
    assert_eq!(with(1800, 0), "null null");
    assert_eq!(with(2000, 1), "null null");
    let older = |text: &str| {
        text.replace("vllm:prefix", "vllm:other")
            .replace("} 1.2e+06", "} 1.3e+06")
    };
    assert_eq!(
        cache_use(&VLLM.replace("vllm:prefix", "vllm:other"), &older(VLLM)),
        "100000 0"
    );
    // A counter that has counted nothing yet has no line.
    let sglang = "sglang:prompt_tokens_total{model_name=\"m\"} 64.0\n";
    let hits = "sglang:cached_tokens_total{cache_source=\"device\"} 16.0\nsglang:cached_tokens_total{cache_source=\"host\"} 2.0\n";
    assert_eq!(cache_use("", &format!("{sglang}{hits}")), "null null");
    let before = sglang.replace("64", "4");
    assert_eq!(cache_use(&before, &format!("{sglang}{hits}")), "60 18");
    // It does not count, restarted, or says something else.
    for (before, after) in [("", ""), ("Not Found", "Not Found"), (VLLM, sglang)] {
        assert_eq!(cache_use(before, after), "null null");
    }
    assert_eq!(cache_use(&after, VLLM), "null null");
    for number in ["inf", "+Inf", "nan", "-NaN", "1e300", "2e15"] {
        for counted in ["} 1000.0", "} 50.0"] {
            let endless = VLLM.replace(counted, &format!("}} {number}"));
            let said = cache_use(VLLM, &endless);
            // Some awks take a word for 0, which is less than before.
            assert_eq!(said, "null null", "{number}");
        }
    }
}

/// NIM has its counters at `/v1/metrics`; a server that has both pages is asked once.
#[test]
fn counters_are_where_the_server_has_them() {
    for (pages, counters) in [
        ("/metrics", "of /metrics"),
        ("/v1/metrics", "of /v1/metrics"),
        ("/metrics /v1/metrics", "of /metrics"),
        ("", ""),
    ] {
        let lines = r#"curl() {
            local page=${!#}
            page=${page#*://*[0-9]}
            page=/${page#*/}
            [[ " $pages " == *" $page "* ]] && echo "of $page" || return 22
        }
        ask_counters"#;
        let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), lines, &[("pages", pages)]);
        assert_eq!(said, counters, "{pages}");
    }
}

#[test]
fn hits_above_a_hundredth_are_against_off_and_flush() {
    let verdict = |mode: &str, figures: &str| {
        let lines =
            format!("if check_cache \"{figures}\"; then echo valid; else echo \"$reason\"; fi");
        run_in_client(
            &Recipe::llama3_70b_h100x4_fp8(),
            &lines,
            &[("prefix_cache", mode)],
        )
    };
    for mode in ["off", "flush"] {
        assert_eq!(
            verdict(mode, "1000 11"),
            format!(
                "11 of 1000 prompt tokens came out of the prefix cache, with prefix_cache = \"{mode}\" in the recipe"
            )
        );
        for figures in ["1000 10", "0 0", "null null"] {
            assert_eq!(verdict(mode, figures), "valid");
        }
    }
    assert_eq!(verdict("on", "1000 999"), "valid");
}

/// A row for the manifest, with the sums of all servers that measured the point.
#[test]
fn figures_of_all_servers_are_added_up() {
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    let row = |arguments: &str| {
        let lines = format!("run=$(mktemp -d)\nrecord {arguments}\ncat \"$run/points\"");
        run_in_client(&recipe, &lines, &[])
    };
    let several = fs::read_to_string("templates/launch/several_in_client.sh").unwrap();
    let meet = |one: &str, two: &str| {
        let lines = format!(
            "run=$(mktemp -d) parts=2\n{several}\n\
             echo '{two}' >\"$run/meet.a_7.end.1\"\n\
             meet a_7.end '{one}'\necho \"$own_part $REPLY\""
        );
        run_in_client(&recipe, &lines, &[])
    };
    assert_eq!(row("a_7 'left out' 9 'no time'"), "a_7|left out|9||no time");
    assert_eq!(row("a_7 interrupted '' ''"), "a_7|interrupted|||");
    let one = "a_7 finished 9 '' '5 4000000000 7'";
    assert_eq!(row(one), "a_7|finished|9|5 4000000000 7 0|");
    let said = "a_7 failed 9 'no | more' '9 null null'";
    assert_eq!(row(said), "a_7|failed|9|9 null null 0|no | more");
    for (one, two, both) in [
        ("|5 4000000000 7|", "|4 1 2|", "|9 4000000001 9|"),
        ("|5 100 7|", "|4 null null|", "|9 null null|"),
        (
            "|5 100 7|",
            "timeout|4 1 2|no | more",
            "|9 101 9|on server 1: no | more",
        ),
        (
            "timeout|5 100 7|late",
            "timeout|4 1 2|later",
            "timeout|9 101 9|on server 0: late",
        ),
    ] {
        assert_eq!(meet(one, two), format!("/server-0 {both}"));
    }
}

/// Where more requests came than a server can work on, a small one waits behind them all.
#[test]
fn a_server_that_makes_tokens_lives() {
    let lines = r#"
        probe_interval=0.1
        say() { echo "$*"; }
        is_healthy() { :; }
        completes() { echo "asked for a completion" && answer="no whole answer" && false; }
        ask_counters() {
          echo >>"$run/asked"
          local asked
          asked=$(wc -l <"$run/asked")
          printf '%s\n' '# TYPE NAME_total counter' 'NAME_created{m="a b"} 1.7e+09' \
            "NAME_total{m=\"a b\",engine=\"0\"} $((asked < 5 ? 1000000 * asked : 5000000)).0" 'NAME_total{engine="1"} 7.0'
        }
        watch_server
    "#;
    let dead = "asked for a completion\nasked for a completion\nerror: the server stopped answering: no whole answer";
    for name in [
        "vllm:generation_tokens",
        "sglang:generation_tokens",
        "generation_tokens",
    ] {
        let lines = lines.replace("NAME", name);
        let said = run_in_client(
            &aiperf(),
            &format!("{{ {lines}\n}} 2>&1; wc -l <\"$run/asked\""),
            &[],
        );
        // Five looks at a rising counter, and two at one that stands still.
        assert_eq!(said, format!("{dead}\n7"), "{name}");
    }
    // It counts something else: only a completion tells.
    let lines = lines.replace("NAME", "vllm:prompt_tokens");
    let said = run_in_client(
        &aiperf(),
        &format!("{{ {lines}\n}} 2>&1; wc -l <\"$run/asked\""),
        &[],
    );
    assert_eq!(said, format!("{dead}\n3"));
}

/// What the warm-up sends, sorted, and what it says.
#[track_caller]
fn warm_up(seed: u32) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let lines = format!(
        r#"
served_model_name=meta/llama3-70b-instruct point_timeout=9
request_fields='"stream": true, "max_tokens": 4, "ignore_eos": true'
say() {{ echo "$*"; }}
# One of them is not answered.
curl() {{ cat >"$sent/$BASHPID"; ! mkdir "$run/first" 2>/dev/null; }}
warm_up 40 128 12 {seed}"#
    );
    let variables = [("sent", folder.path().to_str().unwrap())];
    let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &lines, &variables);
    let read =
        |entry: std::io::Result<fs::DirEntry>| fs::read_to_string(entry.unwrap().path()).unwrap();
    let mut sent: Vec<_> = fs::read_dir(folder.path()).unwrap().map(read).collect();
    sent.sort();
    (sent, said)
}

#[test]
fn a_point_is_warmed_up_by_one_wave_of_other_prompts() {
    let (sent, said) = warm_up(1_661_665_437);
    assert_eq!(said, "error: warm-up: 11 of 12 requests were answered");
    let prompts: std::collections::BTreeSet<String> = sent
        .iter()
        .map(|body| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["model"], "meta/llama3-70b-instruct");
            assert_eq!(
                (&body["max_tokens"], &body["ignore_eos"]),
                (&128.into(), &true.into())
            );
            let words: Vec<_> = body["messages"][0]["content"]
                .as_str()
                .unwrap()
                .split_whitespace()
                .collect();
            assert_eq!(words.len(), 40);
            // A block of a prefix cache.
            words[..16].join(" ")
        })
        .collect();
    assert_eq!(prompts.len(), 12, "{prompts:?}");
    assert_eq!(warm_up(1_661_665_437).0, sent);
    assert_ne!(warm_up(2).0, sent);
}

/// Another user's program that listens once the first look is over makes no server ready, and no result.
#[test]
fn who_answered_is_looked_at_after_too() {
    let lines = r#"
        job_id=7 server_started=$(printf '%(%s)T' -1) ready_timeout=100 results=/r replicas=1 prefix_cache=on asked=0
        say() { :; }
        sleep() { :; }
        is_healthy() { is_own; }
        lists_model() { :; }
        completes() { :; }
        is_own() {
          asked=$((asked + 1)) answer=theirs
          ((asked != 2))
        }
        wait_until_ready
        echo "asked $asked times"
        warm_up() { keep warm 1; }
        watch() { until [[ -e $run/warm.0 ]]; do command sleep 0.1; done; }
        ask_counters() { :; }
        start_tool() {
          true &
          next_pid=$! next_gate=/nowhere
          until ! kill -0 $! 2>/dev/null; do command sleep 0.1; done
        }
        point_timeout=100 points=()
        check_result() { busy=20000 reason=''; }
        may_have_completed() { :; }
        record() { [[ $2 == interrupted ]] || echo "$2: $4"; }
        put_down() { echo "put down as $1"; }
        for asked in 1 2 2; do
          measure p_7 1 16 chat 4 4 1 4 4 5 1
          : >"$gates/known"
        done
    "#;
    let theirs = "asked 4 times\nfailed: theirs\nput down as failed\n";
    assert_eq!(
        run_in_client(&Recipe::llama3_70b_h100x4_fp8(), lines, &[]),
        format!("{theirs}put down as finished\nfinished: \nput down as finished\nfinished:")
    );
    // Of a data set, the warm-up is as long as its prompts.
    let of_data = lines
        .replace(
            "warm_up() {",
            "words_of=([chat]=200); warm_up() { echo \"warm-up $1\";",
        )
        .replace("16 chat 4 4", "16 chat data 4");
    let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), &of_data, &[]);
    assert_eq!(said.matches("warm-up 200\n").count(), 3, "{said}");
    // While Slurm suspends a job, its clock goes on, and the requests take longer than they do.
    let suspended = lines
        .replace(
            "watch() {",
            "wait() { SECONDS=$((SECONDS + late)); builtin wait \"$@\"; }; watch() { nap 0; ",
        )
        .replace("for asked in 1 2 2; do", "for late in 0 40; do asked=2");
    // A second may pass meanwhile.
    let said = run_in_client(&aiperf(), &suspended, &[]).replace("about 81 s", "about 80 s");
    let failed = "failed: the job was suspended for about 80 s meanwhile\nput down as failed";
    assert!(
        said.ends_with(&format!("put down as finished\nfinished: \n{failed}")),
        "{said}"
    );
    // A GenAI-Perf that was never seen at the gate, where its prompts are made to differ.
    let lines = &lines.replace(": >\"$gates/known\"", "");
    let said = run_in_client(&Recipe::llama3_70b_h100x4_fp8(), lines, &[]);
    let reason = "failed: GenAI-Perf did not take perf_analyzer from PATH, so prompts may repeat";
    assert_eq!(said.matches(reason).count(), 2, "{said}");
    assert!(!said.contains("finished"), "{said}");
    assert!(!run_in_client(&aiperf(), lines, &[]).contains("PATH"));
}
