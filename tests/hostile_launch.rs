//! launch.sh against what others write: its own functions, run by bash.

#[path = "common/client.rs"]
mod client;

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{ModelPath, ReplicaUse};
use nim_slurm::{Plan, Recipe, Settings};
use tempfile::TempDir;

use crate::client::client_program;

fn launch(recipe: Recipe, runtime: Runtime) -> String {
    let settings = Settings::from_toml("srun.mpi = 'none'").unwrap();
    let plan = Plan::new(recipe, settings.with_runtime(runtime)).unwrap();
    plan.launch().text().to_owned()
}

fn default_launch() -> String {
    launch(Recipe::llama3_70b_h100x4_fp8(), Runtime::Pyxis)
}

/// A function of a script, as text.
#[track_caller]
fn function<'a>(script: &'a str, name: &str) -> &'a str {
    let start = script
        .find(&format!("\n{name}() {{"))
        .unwrap_or_else(|| panic!("no {name}"));
    let rest = &script[start + 1..];
    let line = rest.find('\n').unwrap();
    if rest[..line].ends_with('}') {
        return &rest[..line];
    }
    &rest[..rest.find("\n}\n").unwrap() + 2]
}

/// What bash prints that runs these lines in a folder, and its exit code.
fn bash(folder: &TempDir, lines: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let program = folder.path().join("lines.sh");
    fs::write(
        &program,
        format!("set -Eeuo pipefail\ncd \"$FOLDER\"\n{lines}\n"),
    )
    .unwrap();
    let output = Command::new("timeout")
        .args(["-k", "1", "120", "bash", "-c", "exec bash \"$0\" 2>&1"])
        .arg(program)
        .env("FOLDER", folder.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = output.status.code();
    assert!(
        !matches!(code, Some(124 | 137)),
        "it ran out of time (120 s): {words}"
    );
    (code, words)
}

/// The lines of a script from one that begins so to one that begins so.
#[track_caller]
fn lines<'a>(script: &'a str, from: &str, to: &str) -> &'a str {
    let start = script
        .find(&format!("\n{from}"))
        .unwrap_or_else(|| panic!("no {from}"));
    let rest = &script[start + 1..];
    let end = rest
        .find(&format!("\n{to}"))
        .unwrap_or_else(|| panic!("no {to}"));
    let line = rest[end + 1..].find('\n').unwrap();
    &rest[..end + 1 + line]
}

/// A job's name cannot say how often it was requeued.
#[test]
fn a_job_s_name_is_no_count_of_restarts() {
    let script = default_launch();
    let read = lines(&script, "for pause in 0", "[[ $restarts =~");
    let stand_ins = "scontrol() { echo \"JobId=1 JobName=x Restarts=9 Requeue=1 Restarts=0\"; }\n\
                     squeue() { [[ $* == *restartcnt* ]] || exit 1; echo '1 1 N/A 2                  '; }\nSLURM_JOB_ID=1";
    let folder = tempfile::tempdir().unwrap();
    let (_, words) = bash(
        &folder,
        &format!("{stand_ins}\n{read}\necho \"told $restarts\""),
        &[],
    );
    assert_eq!(words, "told 2\n");
    let none = format!(
        "{stand_ins}\nsqueue() {{ echo '2 2 N/A 9'; echo '1 1 N/A a 9'; }}\n{read}\necho \"told $restarts\""
    );
    let (_, words) = bash(&folder, &none, &[("SLURM_RESTART_COUNT", "1")]);
    assert_eq!(words, "told 1\n");
}

/// The share of time with requests in flight is that of all servers, and whatever the client's image
/// writes, it is a number up to 100 or nothing.
#[test]
fn the_share_in_flight_is_a_share() {
    let script = default_launch();
    let read = lines(&script, "states=$(", "  }' <<<");
    for (states, expected) in [
        (["in_flight=90000/100/1", ""], "90 1"),
        (["in_flight=90000/100/1", "in_flight=20000/100/0"], "55 1"),
        (["in_flight=90000/80/0", ""], "100 0"),
        (["in_flight=0/0/0", ""], " "),
        (["in_flight=-1/100/0", "in_flight=1/2"], " "),
        (
            ["in_flight=99999999999999/1/99999999", "x\nin_flight=a/1/1"],
            "100 2",
        ),
        (
            [
                "in_flight=99999999999999999999999999999999999999999999/1/1",
                "",
            ],
            " ",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (number, state) in states.iter().enumerate() {
            let name = format!("state.{number}");
            fs::write(
                folder.path().join(name),
                format!("state=ready\nready_seconds=7\n{state}\n"),
            )
            .unwrap();
        }
        let text_of = function(&script, "text_of");
        let program = format!(
            "{text_of}\nset +e\nrun=$FOLDER clients=(1 2) points=(a b) ready_timeout=9\n{read}\necho \"$ready_seconds: $in_flight_percent $too_short\""
        );
        let (_, words) = bash(&folder, &program, &[]);
        assert_eq!(words, format!("7: {expected}\n"), "{states:?}");
    }
}

/// How long the next job needs is a client's claim, too: no more than the recipe allows.
#[test]
fn the_time_for_the_next_job_has_a_bound() {
    let script = default_launch();
    let read = lines(&script, "ready_seconds=$(sed", "finished=0 failed=0");
    let count = lines(&script, "finished=0 failed=0", "seconds_needed=");
    let folder = tempfile::tempdir().unwrap();
    for (said, expected) in [("90", "90 180"), ("999999999", "1800 3600"), ("", " 0")] {
        let program = format!(
            "set +e\nsay() {{ :; }}\npoints=(a b) folders=(a b) not_run=0 why='' ready_timeout=1800 point_timeout=900 replicas=1 parts=0\n\
             hear() {{ :; }}\nlook_up() {{ REPLIES=('left out' '{said}' ''); }}\nstates=ready_seconds={said}\n\
             {read}\n{count}\necho \"$ready_seconds $seconds_needed\""
        );
        let (_, words) = bash(&folder, &program, &[]);
        assert_eq!(words, format!("{expected}\n"), "{said}");
    }
}

/// Whatever the client's image writes, the manifest is JSON, and a point is finished only when
/// its folder is there.
#[test]
fn a_row_of_points_is_only_a_claim() {
    let script = default_launch();
    let functions: String = ["text_of", "hear", "look_up", "json"]
        .map(|name| function(&script, name).to_owned() + "\n")
        .concat();
    for (row, has_folder, expected) in [
        (
            "finished|12||",
            true,
            r#""finished" 12 "" null null null null"#,
        ),
        (
            "finished|12|5 4096 0 1|",
            true,
            r#""finished" 12 "" 5 4096 0 1"#,
        ),
        (
            "finished|12|5 null 0x1 0|",
            true,
            r#""finished" 12 "" null null null null"#,
        ),
        (
            "finished|12|5 1, \"a\": 2 0 0|",
            true,
            r#""finished" 12 "" null null null null"#,
        ),
        (
            "finished|12||",
            false,
            r#""failed" 12 "its results are not there" null null null null"#,
        ),
        (
            "left out|90||x",
            false,
            r#""left out" 90 "x" null null null null"#,
        ),
        (
            "failed|1e||x",
            false,
            r#""failed" null "x" null null null null"#,
        ),
        (
            "failed|007||x",
            false,
            r#""failed" null "x" null null null null"#,
        ),
        (
            "failed|9, \"status\": \"finished\"||",
            false,
            r#""failed" null "" null null null null"#,
        ),
        (
            "\u{1b}]0;x|1||y",
            false,
            r#""not run" 1 "y" null null null null"#,
        ),
        (
            "failed|1||a\"b\\c\u{1b}[31m\u{202e}",
            false,
            r#""failed" 1 "a\"b\\c?[31m???" null null null null"#,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let point = "m_4_1_chat_32_16_7";
        fs::write(folder.path().join("points"), format!("{point}|{row}\n")).unwrap();
        let own = if has_folder {
            ""
        } else {
            "[m_4_1_chat_32_16_7]=''"
        };
        let program = format!(
            "results=$FOLDER run=$FOLDER folders=({point})\n{functions}\n\
             declare -A tried=() said=() own=({own})\nhear\nlook_up {point}\n\
             echo \"$(json \"${{REPLIES[0]}}\") ${{REPLIES[1]:-null}} $(json \"${{REPLIES[2]}}\") ${{REPLIES[3]}}\""
        );
        let (code, words) = bash(&folder, &program, &[("LC_ALL", "C.UTF-8")]);
        assert_eq!(code, Some(0), "{row}: {words}");
        assert_eq!(words.trim_end(), expected, "{row}");
    }
}

/// A row of any length takes no longer: bash would need hours for some millions of letters.
#[test]
fn a_long_row_of_points_holds_nobody_up() {
    let script = default_launch();
    let functions = ["text_of", "hear", "look_up"].map(|name| function(&script, name));
    let folder = tempfile::tempdir().unwrap();
    let row = format!("m_7|failed|3||{}\n", "\u{1}".repeat(4_000_000));
    fs::write(folder.path().join("points"), row).unwrap();
    let program = format!(
        "run=$FOLDER folders=(m_7)\ndeclare -A tried=() said=() own=([m_7]='')\n{}\n\
         hear\nlook_up m_7\necho \"${{REPLIES[0]}} ${{REPLIES[1]}} ${{#REPLIES[2]}}\"",
        functions.join("\n")
    );
    let (code, words) = bash(&folder, &program, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(
        words,
        format!("failed 3 {}\n", 2000 - "m_7|failed|3||".len())
    );
}

/// What the client says of points is read once for all of them, and the last word of each counts.
#[test]
fn rows_of_points_are_read_once() {
    let script = default_launch();
    let functions = ["text_of", "hear", "look_up"].map(|name| function(&script, name));
    let folder = tempfile::tempdir().unwrap();
    let rows = "a_7|interrupted|||\nb_7|failed|3||no\nx_7|failed|1||\na_7|left out|9||late\n";
    fs::write(folder.path().join("points"), rows).unwrap();
    let program = format!(
        "run=$FOLDER folders=(a_7 b_7 c_7)\ndeclare -A tried=() said=() own=([a_7]=1 [b_7]=1 [c_7]=1)\n{}\n\
         hear\nrm \"$run/points\"\n\
         for name in \"${{folders[@]}}\"; do look_up \"$name\"; echo \"${{REPLIES[*]:0:3}}\"; done\n\
         echo \"${{#said[@]}}\"",
        functions.join("\n")
    );
    let (code, words) = bash(&folder, &program, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(words, "left out 9 late\nfailed 3 no\nnot run  \n3\n");
}

/// What is no number in a table is no result.
#[test]
fn words_are_no_numbers() {
    let script = default_launch();
    let check = function(&client_program(&script), "check_result").to_owned();
    for (cell, is_valid) in [
        ("12.50", true),
        ("\"1,234.5\"", true),
        ("N/A", false),
        ("inf", false),
        ("+inf", false),
        ("nan", false),
        ("1e999", false),
        ("0x10", false),
        ("", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let table = format!(
            "Metric,avg\nOutput Sequence Length (tokens),16\nRequest Count (count),8\n\
             Output Token Throughput (tokens/sec),{cell}\nRequest Throughput (per sec),0.00\n"
        );
        fs::write(folder.path().join("table.csv"), table).unwrap();
        let call = format!(
            "tool=genai-perf result_table=table.csv tool_name=tool request_fields= reason= busy=0\n{check}\n\
             if check_result . 16 8; then echo valid; else echo \"$reason\"; fi"
        );
        let expected = if is_valid {
            "valid"
        } else {
            "table.csv says that no tokens were generated"
        };
        assert_eq!(bash(&folder, &call, &[]).1.trim_end(), expected, "{cell}");
    }
}

/// One that ended before it came is not waited for.
#[test]
fn clients_do_not_wait_for_one_that_ended() {
    let mut together = Recipe::llama3_70b_h100x4_fp8();
    together.server.replicas = 2;
    together.sweep.replicas = ReplicaUse::Together;
    let script = launch(together, Runtime::Pyxis);
    let client = client_program(&script);
    let (_, several) = client.split_once("# ---- Several servers").unwrap();
    let (keep, meet) = (function(&client, "keep"), function(several, "meet"));
    let head = format!(
        "say() {{ echo \"$*\"; }}\nstop_if_full() {{ :; }}\nend_with() {{ echo \"${{*:2}}\"; echo \"ends as $1\"; exit 1; }}\n\
         run=$FOLDER results=$FOLDER parts=2 replica=0\n{keep}\n{meet}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ended.1"), "no_answer 1\n").unwrap();
    let (code, words) = bash(&folder, &format!("{head}meet a.begin ready"), &[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("the client of server 1 ended before")
            && words.ends_with("ends as left_alone\n"),
        "{words}"
    );
    // A quota, of which df says nothing, is used up: there is no word of one's own.
    let full = format!("{head}keep() {{ :; }}\nmeet c.begin ready");
    let (code, words) = bash(&folder, &full, &[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("is a quota used up?\nends as no_space\n"),
        "{words}"
    );
    // Its word came before its end.
    fs::write(folder.path().join("meet.b.end.1"), "|1 2 3|late\n").unwrap();
    let call = format!("{head}meet b.end '|1 2 3|'\necho \"$REPLY\"");
    let (code, words) = bash(&folder, &call, &[]);
    assert_eq!((code, &*words), (Some(0), "|2 4 6|on server 1: late\n"));
}

/// The pair that says how the job ends is the one that ended first, not one that was left.
#[test]
fn who_is_left_alone_is_not_to_blame() {
    let mut several = Recipe::llama3_70b_h100x4_fp8();
    several.server.replicas = 2;
    let script = launch(several, Runtime::Pyxis);
    let (_, of_several) = script.split_once("\n# goes_on: true while").unwrap();
    let goes_on = function(of_several, "goes_on");
    for (ends, expected) in [
        ("left_alone no_answer", "blamed 1"),
        ("no_answer left_alone", "blamed 0"),
        ("left_alone finished", "blamed 0"),
        ("finished left_alone", "blamed 1"),
    ] {
        let program = format!(
            "blamed=9 servers=(s s) clients=(c c) ends=({ends})\nat_work() {{ [[ $1 == s ]]; }}\n\
             client_end() {{ REPLIES=(\"${{ends[$1]}}\" 1); }}\n{goes_on}\n\
             ! goes_on || echo on\necho \"blamed $blamed\""
        );
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            bash(&folder, &program, &[]).1.trim_end(),
            expected,
            "{ends}"
        );
    }
}

/// Where the node is the job's alone, nobody else starts a server there.
#[test]
fn ports_are_claimed_where_others_may_be_on_the_node() {
    for (exclusive, claims) in [
        ("true", false),
        ("false", true),
        ("'user'", true),
        ("'topo'", true),
    ] {
        let settings = format!("[slurm.launch]\nexclusive = {exclusive}");
        let settings = Settings::from_toml(&settings).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        let text = plan.launch();
        assert_eq!(text.text().contains("claim_port"), claims, "{exclusive}");
    }
    assert!(!default_launch().contains("claim_port"));
}

/// Claims of ports: the first job wins, one that is not on the node has none, and nothing that
/// stands in the place holds anybody up.
#[test]
fn ports_are_claimed_and_nothing_is_opened() {
    let claim = fs::read_to_string("templates/launch/claims.sh").unwrap();
    let place = "/tmp/nim-slurm-port-49151";
    let claims = |jobs: &str, prepare: &str| {
        let folder = tempfile::tempdir().unwrap();
        let program = format!(
            "problems=0\nmissing() {{ echo \"$*\"; problems=1; }}\nsqueue() {{ printf '%s\\n' {jobs}; }}\n\
             logs=$FOLDER SLURM_JOB_ID=77000001 SLURMD_NODENAME=node1 port=49151 replicas=1\nstop_if_missing() {{ :; }}\n{prepare}\n{claim}\n\
             for claim in \"${{claims[@]}}\"; do [[ ! -d $claim ]] || echo \"has ${{claim##*/}}\"; done\n\
             echo\nrmdir {place}.* 2>/dev/null || true; rm -f {place}.*"
        );
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(0), "{words}");
        words
    };
    let own = "has nim-slurm-port-49151.77000001\nhas .port_node1_49151.77000001\n\n";
    assert_eq!(claims("77000001", ""), own);
    // Another job is there, was first, and has the same port.
    let first = format!("mkdir {place}.77000002; touch -d '1 hour ago' {place}.77000002");
    let words = claims("77000001 77000002", &first);
    assert!(
        words.contains("another job there has it, 77000002,"),
        "{words}"
    );
    assert!(!words.contains("has nim-slurm"), "{words}");
    // It ended, and left its claim.
    assert_eq!(claims("77000001", &first), own);
    // squeue does not show another user's job, whose steps run: Slurm's daemon for each has the job's number.
    for (name, is_there) in [
        ("slurmstepd: [77000002.batch]", true),
        ("vi slurmstepd: [77000002.0]", false),
    ] {
        let program =
            format!("{first}\n(exec -a '{name}' sleep 60) & trap 'kill $!' EXIT; sleep 0.5");
        let words = claims("77000001", &program);
        assert_eq!(words.contains("has it, 77000002,"), is_there, "{words}");
    }
    // It came later.
    let later = format!("mkdir {place}.77000002; touch -d '1 hour' {place}.77000002");
    assert_eq!(claims("77000001 77000002", &later), own);
    // At the same moment, which of the two is first does not depend on who asks.
    for (other, is_first) in [("76000009", true), ("77000002", false)] {
        let tied = format!(
            "mkdir() {{ command mkdir \"$@\" && touch -d @7 \"$@\"; }}\nmkdir {place}.{other}"
        );
        let words = claims(&format!("{other} 77000001"), &tied);
        assert_eq!(words != own, is_first, "{other}: {words}");
    }
    for stands in ["mkfifo", "touch", "ln -s /dev/zero", "ln -s loop"] {
        let words = claims("77000001 77000002", &format!("{stands} {place}.77000002"));
        assert_eq!(words, own, "{stands}");
        let words = claims("77000001", &format!("{stands} {place}.77000001"));
        assert_eq!(words, "has .port_node1_49151.77000001\n\n", "{stands}");
    }
}

/// The server's variables are set in its container: nothing on the node reads them, whatever
/// their names.
#[test]
fn variables_of_a_server_stay_in_its_container() {
    const NAMES: [&str; 5] = [
        "CONTAINERS_CONF",
        "APPTAINER_BIND",
        "_NIM_X",
        "LD_PRELOAD",
        "SLURM_NTASKS",
    ];
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    for name in NAMES {
        let value = "/canary".parse().unwrap();
        let environment = &mut recipe.server.environment;
        environment.insert(name.parse().unwrap(), value);
    }
    let mut several = recipe.clone();
    several.server.replicas = 2;
    for recipe in [recipe, several] {
        for runtime in [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman] {
            let script = launch(recipe.clone(), runtime);
            let functions: String = [
                "fill",
                "set_container",
                "server_step",
                "is_secret",
                "keep_secrets",
            ]
            .map(|name| function(&script, name).to_owned() + "\n")
            .concat();
            let values = lines(&script, "readonly server_image=", "readonly extra_mounts=(");
            let program = format!(
                "{values}\n{functions}\nlog_of() {{ echo log; }}\nserver_program() {{ :; }}\ndeclare -A facts=()\n\
                 step=(step_of) gpu_options=() model_path=/model cache_path=/cache stage_path=/stage leader=x \
                 results=/r run=/run SLURM_JOB_ID=1\nexport PATH=$FOLDER:$PATH\nserver_step 0"
            );
            let folder = tempfile::tempdir().unwrap();
            let step = folder.path().join("step_of");
            let step_of =
                "#!/bin/bash\nenv >\"$FOLDER/env\"\nprintf '%s\\n' \"$@\" >\"$FOLDER/words\"\n";
            fs::write(&step, step_of).unwrap();
            fs::set_permissions(&step, fs::Permissions::from_mode(0o755)).unwrap();
            let (code, words) = bash(&folder, &program, &[]);
            assert_eq!(code, Some(0), "{runtime}: {words}");
            let outside = fs::read_to_string(folder.path().join("env")).unwrap();
            assert!(!outside.contains("canary"), "{runtime}: {outside}");
            let words = fs::read_to_string(folder.path().join("words")).unwrap();
            // Behind the words that begin the container's own program.
            let (before, inside) = words.split_once("\nbash\n-s\n--\n").unwrap();
            for name in NAMES {
                let entry = format!("\n{name}=/canary\n");
                assert!(inside.contains(&entry), "{runtime}: {words}");
                assert!(!before.contains(name), "{runtime}: {words}");
            }
        }
    }
}

/// Both containers are without the user's other secrets, and a proxy's password.
#[test]
fn steps_get_the_secrets_that_they_need() {
    let script = default_launch();
    let keep = ["is_secret", "keep_secrets"].map(|name| function(&script, name));
    let keep = keep.join("\n");
    let mut variables = vec![
        ("HF_TOKEN", "canary"),
        ("NGC_API_KEY", "kept"),
        ("GITHUB_TOKEN", "canary"),
        ("SLACK_TOKEN_2", "canary"),
        ("my_password", "canary"),
        ("OWN", "canary"),
        ("OF_A_RECIPE", "canary"),
        ("OPENAI_APIKEY", "canary"),
        ("SSHPASS", "canary"),
        ("MYSQL_PWD", "canary"),
        ("DOCKER_AUTH_CONFIG", "canary"),
        ("GITHUB_PAT", "canary"),
        ("AZURE_STORAGE_CONNECTION_STRING", "canary"),
        ("CI_JOB_JWT", "canary"),
        ("CI_JOB_JWT_V2", "canary"),
        ("OPENAI_API_KEYS", "canary"),
        ("OPENAI_API_KEY_2", "canary"),
        ("MY_CREDS", "canary"),
        ("DATABASE_URL", "postgres://me:canary@db/x"),
        ("https_proxy", "http://me:canary@proxy:1"),
        ("REPOSITORY", "https://canary@host/x"),
        // No secrets: a container would load them.
        ("PYTHONHOME", "/canary"),
        ("PYTHONPATH", "/canary"),
        ("HTTP_PROXY", "http://proxy:1"),
        ("TOKENIZERS_PARALLELISM", "true"),
        ("NCCL_IB_PKEY", "0x1"),
        ("UCX_IB_PKEYS", "0x1"),
        ("NCCL_PAT_ENABLE", "1"),
        ("MAX_TOKENS", "1"),
        ("DOCKER_CONFIG", "1"),
        ("LOGIN_BYPASS", "1"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "readonly secrets=(NGC_API_KEY HF_TOKEN OWN) server_secrets=(OF_A_RECIPE)\n{keep}\n\
         keep_secrets NGC_API_KEY\nenv"
    );
    // A Turkish i becomes a capital letter of its own.
    let turkish = "localedef -i tr_TR -f UTF-8 \"$FOLDER/tr\" && export LC_ALL=tr && \
                   declare -u word=i && [[ $word != I ]] || exit 9\n";
    variables.push(("LOCPATH", folder.path().to_str().unwrap()));
    for before in ["", turkish] {
        let (code, words) = bash(&folder, &format!("{before}{program}"), &variables);
        assert_eq!(code, Some(0), "{words}");
        assert!(!words.contains("canary"), "{words}");
        for kept in [
            "NGC_API_KEY=kept",
            "HTTP_PROXY=http://proxy:1",
            "TOKENIZERS_PARALLELISM=true",
            "NCCL_IB_PKEY=0x1",
            "UCX_IB_PKEYS=0x1",
            "NCCL_PAT_ENABLE=1",
            "MAX_TOKENS=1",
            "DOCKER_CONFIG=1",
            "LOGIN_BYPASS=1",
        ] {
            assert!(words.contains(kept), "{kept}: {words}");
        }
    }
}

/// What a client's container left in its folder, and what launch.sh makes of it.
struct Left {
    folder: TempDir,
}

const POINT: &str = "m_4_1_chat_32_16_7";

impl Left {
    /// A finished point, an empty results folder, and a user's own files.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let left = Self { folder };
        fs::create_dir_all(left.run().join("finished").join(POINT)).unwrap();
        fs::create_dir_all(left.at("home/folder")).unwrap();
        fs::create_dir_all(left.at("logs")).unwrap();
        fs::write(left.point().join("table.csv"), "text").unwrap();
        fs::write(left.at("home/.bashrc"), "mine").unwrap();
        // That of the run that was killed.
        fs::write(left.at("results/run_7.json"), "  \"fingerprint\": \"f\",\n").unwrap();
        left
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> PathBuf {
        self.at("results/.run_7/client")
    }

    fn point(&self) -> PathBuf {
        self.run().join("finished").join(POINT)
    }

    /// Runs the part of launch.sh that brings points out, the manifest, and the count.
    fn bring_out(&self) -> String {
        self.bring_out_with("")
    }

    /// The same, with lines before points are stored.
    fn bring_out_with(&self, before: &str) -> String {
        let script = default_launch();
        let of_failed = lines(&script, "if [[ $code == [05] ", "elif");
        let start = script.find("# All of results that the client").unwrap();
        let end = script[start..].find("\n# ---- ").unwrap();
        let functions: String = [
            "text_of",
            "put",
            "measurement_of",
            "counts",
            "name_points",
            "hear",
            "look_up",
            "set_aside",
            "stop_if_missing",
            "own_folder",
            "write_manifest",
            "running",
            "last_words",
            "client_end",
        ]
        .map(|name| function(&script, name).to_owned() + "\n")
        .concat();
        let program = format!(
            "say() {{ echo \"$*\"; }}\nfail() {{ say \"error: $*\"; exit 1; }}\nproblems=0\nresults=$FOLDER/results logs=$FOLDER/logs result_name=m gpus=4\n\
             job_id=7 parts=0 point_timeout=9 runs=(7) points=('chat 32 16 1 8 8 0 1') manifest=$results/run_7.json clients=()\n(exit 4) & clients=($!)\n\
             definition=gpus=4 fingerprint=f\ndeclare -A differs=() own=() tried=() said=()\nprint_manifest() {{ echo text; }}\n\
             {functions}\n{}\nlook_up {POINT}\necho \"status: ${{REPLIES[0]}}\"\necho \"measured: ${{are_finished[*]}}\"\n\
             client_end 0\necho \"end: ${{REPLIES[*]}}\"\nwrite_manifest\n\
             explain() {{ :; }}\nlook_into() {{ for log; do [[ ! -f $log ]] || echo \"log: $log\"; done; }}\n\
             code=5 failed=1\n{of_failed}\n:\nfi",
            script[start..start + end].replace(
                "\nstore_points all",
                &format!("\n{before}\nstore_points all")
            )
        );
        let (code, words) = bash(&self.folder, &program, &[]);
        assert_eq!(code, Some(0), "{words}");
        words
    }

    /// The user's own files are as they were.
    #[track_caller]
    fn assert_home(&self, words: &str) {
        assert_eq!(fs::read_to_string(self.at("home/.bashrc")).unwrap(), "mine");
        let names = |folder: &str| fs::read_dir(self.at(folder)).unwrap().count();
        assert_eq!((names("home"), names("home/folder")), (2, 0), "{words}");
        assert!(!words.contains("mine"), "{words}");
    }
}

/// A point is finished when its folder has its name, and not when something else has it.
#[test]
fn a_result_that_is_not_stored_is_not_finished() {
    let left = Left::new();
    let words = left.bring_out();
    assert!(words.contains("status: finished"), "{words}");
    assert!(left.at("results").join(POINT).join("table.csv").is_file());

    let left = Left::new();
    fs::write(left.run().join("points"), format!("{POINT}|finished|3||\n")).unwrap();
    symlink("/", left.point().join("root")).unwrap();
    let words = left.bring_out();
    assert!(words.contains("status: failed"), "{words}");
    assert!(
        words.contains("could not be stored as")
            && words.contains("it stays in .run_7/client/finished"),
        "{words}"
    );
    let kept = left.run().join("finished.refused-1").join(POINT);
    assert!(kept.join("table.csv").is_file(), "{words}");

    // A name that is taken at the last moment.
    let left = Left::new();
    let words = left.bring_out_with("ln -s nowhere \"$results/m_4_1_chat_32_16_7\"");
    assert!(words.contains("status: finished"), "{words}");
    assert!(left.at("results").join(POINT).join("table.csv").is_file());
}

type Take<'a> = (&'a str, &'a dyn Fn(&Path));

/// Who may write to the results takes a name of the job before it starts: no point is lost by that, and nothing is
/// followed.
#[test]
fn a_name_of_the_job_that_is_taken() {
    let takes: [Take<'_>; 5] = [
        ("a link to nothing", &|path| {
            symlink("nowhere", path).unwrap();
        }),
        ("a link to a folder", &|path| {
            symlink("../home/folder", path).unwrap();
        }),
        ("a file", &|path| fs::write(path, "theirs").unwrap()),
        ("a FIFO", &make_fifo),
        ("another's link in a folder", &|path| {
            fs::create_dir(path).unwrap();
            symlink("../../home", path.join("x")).unwrap();
        }),
    ];
    for (name, take) in takes {
        let left = Left::new();
        take(&left.at("results").join(POINT));
        let words = left.bring_out();
        assert!(words.contains("status: finished"), "{name}: {words}");
        assert!(left.at("results").join(POINT).join("table.csv").is_file());
        left.assert_home(&words);

        let left = Left::new();
        fs::create_dir(left.run().join("failed")).unwrap();
        fs::rename(left.point(), left.run().join("failed").join(POINT)).unwrap();
        fs::write(
            left.run().join("failed").join(POINT).join("a.log"),
            "its words",
        )
        .unwrap();
        fs::write(left.at("home/folder/a.log"), "").unwrap();
        fs::write(left.at("home/a.log"), "").unwrap();
        take(&left.at("results/failed_7"));
        let words = left.bring_out();
        let kept = left.at("results/failed_7").join(POINT).join("a.log");
        assert!(kept.is_file(), "{name}: {words}");
        let looked: Vec<_> = words
            .lines()
            .filter(|line| line.starts_with("log: "))
            .collect();
        assert_eq!(looked, [format!("log: {}", kept.display())], "{name}");
    }
}

/// In a folder with the sticky bit, another user's folder keeps its name: that is said before any GPU is used.
#[test]
fn a_name_that_cannot_be_had() {
    let script = default_launch();
    let functions = ["set_aside", "make_room", "missing", "stop_if_missing"]
        .map(|name| function(&script, name))
        .join("\n");
    let check = lines(&script, "for left in \"${!own[@]}\"", "stop_if_missing");
    for name in ["p_7", "failed_7", "interrupted_7"] {
        let folder = tempfile::tempdir().unwrap();
        let program = format!(
            "say() {{ echo \"$*\"; }}\nmv() {{ return 1; }}\nproblems=0 run_again=x results=$FOLDER job_id=7\ndeclare -A own=([p_7]=1 [q_7]=1)\n\
             {functions}\n>{name}\n{check}"
        );
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(2), "{words}");
        let path = folder.path().join(name);
        let said = format!("missing: permission to replace {}, which", path.display());
        assert!(words.starts_with(&said), "{words}");
    }
}

/// Where Linux lets them, others can give a file of the user's a further name.
#[test]
fn a_log_is_no_other_file_of_the_user() {
    let script = default_launch();
    let check = lines(&script, "for log in \"$logs\"/{server", "done");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at(".bashrc"), "mine").unwrap();
    fs::hard_link(at(".bashrc"), at("server_7.out")).unwrap();
    fs::write(at("benchmarking_7.out"), "of an earlier run").unwrap();
    let program = format!("logs=$FOLDER results=$FOLDER job_id=7\n{check}\nls $FOLDER");
    let (_, words) = bash(&folder, &program, &[]);
    assert_eq!(words, "benchmarking_7.out\nlines.sh\n");
    assert_eq!(fs::read_to_string(at(".bashrc")).unwrap(), "mine");
}

/// Another user may have made the file to which a step would write.
#[test]
#[ignore = "needs root: run tests/run"]
fn a_log_is_the_user_s_own() {
    let script = default_launch();
    let check = lines(&script, "for log in \"$logs\"/{server", "done");
    let folder = tempfile::tempdir().unwrap();
    for (name, owner) in [
        ("server_7.out", 65534),
        ("server_7.1.out", 0),
        ("telemetry_7.0.0.csv", 65534),
        ("telemetry_7.1.0.csv", 0),
    ] {
        fs::write(folder.path().join(name), "").unwrap();
        std::os::unix::fs::chown(folder.path().join(name), Some(owner), None).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("telemetry_7.2.0.csv")).unwrap();
    let program = format!("logs=$FOLDER results=$FOLDER job_id=7\n{check}\nls $FOLDER");
    let (_, words) = bash(&folder, &program, &[]);
    assert_eq!(words, "lines.sh\nserver_7.1.out\ntelemetry_7.1.0.csv\n");
}

/// A run that was killed did not bring out what was finished; the next one of the job does, and
/// does not measure it again.
#[test]
fn what_a_killed_run_finished_is_finished() {
    let left = Left::new();
    fs::create_dir(left.run().join("taken.1")).unwrap();
    let words = left.bring_out();
    assert!(words.contains("measured: yes"), "{words}");
    assert!(!left.run().join("taken.1").exists(), "{words}");

    // Killed before all of the point was copied.
    let left = Left::new();
    let copy = left.at("results/.run_7/copies").join(POINT);
    fs::create_dir_all(&copy).unwrap();
    fs::write(copy.join("table.csv"), "te").unwrap();
    let words = left.bring_out();
    assert!(words.contains("measured: yes"), "{words}");
    let point = left.at("results").join(POINT);
    assert_eq!(fs::read_to_string(point.join("table.csv")).unwrap(), "text");
    assert!(point.join("measurement.txt").is_file());
    assert!(!copy.exists());

    // Killed when the point was stored, and before its folder was removed.
    fs::create_dir_all(left.point()).unwrap();
    fs::write(left.at("results/run_7.json"), "  \"fingerprint\": \"f\",\n").unwrap();
    let words = left.bring_out();
    assert!(
        words.contains("measured: yes") && !words.contains("kept what was there"),
        "{words}"
    );
    assert!(!left.run().join("finished").exists(), "{words}");

    let left = Left::new();
    fs::rename(left.point(), left.run().join(POINT)).unwrap();
    let words = left.bring_out();
    assert!(
        words.contains("an unfinished point (interrupted)") && words.contains("measured: \n"),
        "{words}"
    );
    let aside = left.at("results/interrupted_7").join(POINT);
    assert!(aside.join("table.csv").is_file());
}

/// What lies in a point's folder in place of what launch.sh wrote there is no measurement, and is
/// told in few letters, of which none moves a cursor.
#[test]
fn what_says_what_was_measured_may_say_anything() {
    type Put<'a> = &'a dyn Fn(&Path);
    let script = default_launch();
    let functions: String = ["text_of", "measurement_of", "counts"]
        .map(|name| function(&script, name).to_owned() + "\n")
        .concat();
    let ours = "requests=8\nprompts=8\nseed=0\ngpus=4\nfingerprint=f\n";
    let long = format!("{}{ours}", "requests=\u{1b}[2J\u{202e}9\n".repeat(100_000));
    let text = |text: &str| {
        let text = text.to_owned();
        move |file: &Path| fs::write(file, &text).unwrap()
    };
    let endless = "x".repeat(4_000_000) + "\nx\n";
    let cases: [(Put<'_>, bool, &str); 7] = [
        (&text(&endless), false, "there: xxx"),
        (&text(ours), true, "counts\n"),
        (
            &text(&ours.replace("seed=0", "seed=5")),
            false,
            "there: seed=5 here: seed=0",
        ),
        (
            &text(&long),
            false,
            "there: requests= [2J   9 requests= [2J",
        ),
        (
            &|file| make_fifo(file),
            false,
            "nothing in it says what was measured",
        ),
        (
            &|file| symlink("../ours", file).unwrap(),
            false,
            "nothing in it says what was measured",
        ),
        (
            &|file| fs::create_dir(file).unwrap(),
            false,
            "nothing in it says what was measured",
        ),
    ];
    for (put, is_same, said) in cases {
        let folder = tempfile::tempdir().unwrap();
        let point = folder.path().join("point");
        fs::create_dir(&point).unwrap();
        fs::write(folder.path().join("ours"), ours).unwrap();
        put(&point.join("measurement.txt"));
        let program = format!(
            "definition=gpus=4 fingerprint=f\ndeclare -A differs=()\n{functions}\n\
             ! counts point 'chat 32 16 1 8 8 0 1' || echo counts\necho \"${{differs[point]-}}\""
        );
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(0), "{said}: {words}");
        assert_eq!(words.starts_with("counts\n"), is_same, "{said}: {words}");
        assert!(
            words.contains(said) && words.len() < 2100 && !words.contains("too long"),
            "{said}: {words}"
        );
        assert!(!words.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
    // The same in a folder that a link leads to is another's.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("theirs")).unwrap();
    fs::write(folder.path().join("theirs/measurement.txt"), ours).unwrap();
    symlink("theirs", folder.path().join("point")).unwrap();
    let program = format!(
        "definition=gpus=4 fingerprint=f\ndeclare -A differs=()\n{functions}\n\
         for each in theirs point; do ! counts $each 'chat 32 16 1 8 8 0 1' || echo $each; done"
    );
    let (_, words) = bash(&folder, &program, &[]);
    assert_eq!(words, "theirs\n");
}

/// Other prompts of the same data set are no other measurement, unless the server remembers those before.
#[test]
fn a_place_in_a_data_set_matters_to_a_cache_alone() {
    let script = default_launch();
    let functions: String = ["text_of", "measurement_of", "counts"]
        .map(|name| function(&script, name).to_owned() + "\n")
        .concat();
    let counts = |cache: &str, word: &str| {
        let program = format!(
            "prefix_cache={cache} definition=gpus=4 fingerprint=f\ndeclare -A differs=()\n{functions}\n\
             own_command() {{ REPLIES=(aiperf --input-file '{word}'); }}\nmkdir point\n\
             measurement_of 'chat data 16 8 8 8 1600 1 1 0' && echo \"$REPLY\" >point/measurement.txt\n\
             ! counts point 'chat data 16 8 8 8 4800 1 1 0' || echo counts\n\
             ! counts point 'chat data 16 8 9 8 1600 1 1 0' || echo 'counts with other requests'"
        );
        let folder = tempfile::tempdir().unwrap();
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(0), "{words}");
        words
    };
    for cache in ["off", "flush"] {
        assert_eq!(counts(cache, "{data}.0.jsonl"), "counts\n", "{cache}");
    }
    assert_eq!(counts("on", "{data}.0.jsonl"), "");
    assert_eq!(counts("off", "other.jsonl"), "");
}

type Attack = fn(&Left);

/// What is done, and whether the point is finished all the same.
const ATTACKS: &[(&str, Attack, bool)] = &[
    (
        "a link in a result",
        |left| symlink(left.at("home/.bashrc"), left.point().join("a.log")).unwrap(),
        false,
    ),
    (
        "a FIFO in a result",
        |left| make_fifo(&left.point().join("b.log")),
        false,
    ),
    (
        "a link deep in it",
        |left| {
            fs::create_dir(left.point().join("deep")).unwrap();
            symlink(left.at("home"), left.point().join("deep/x")).unwrap();
        },
        false,
    ),
    (
        "the result is a link",
        |left| {
            fs::remove_dir_all(left.point()).unwrap();
            symlink(left.at("home/folder"), left.point()).unwrap();
        },
        false,
    ),
    (
        "all results are a link",
        |left| {
            fs::remove_dir_all(left.run().join("finished")).unwrap();
            fs::create_dir_all(left.at("elsewhere").join(POINT)).unwrap();
            symlink(left.at("elsewhere"), left.run().join("finished")).unwrap();
        },
        false,
    ),
    (
        "points is a FIFO",
        |left| make_fifo(&left.run().join("points")),
        true,
    ),
    (
        "points is a link",
        |left| symlink("/dev/zero", left.run().join("points")).unwrap(),
        true,
    ),
    (
        "a name of its own",
        |left| {
            fs::create_dir(left.run().join("finished/m_4_9_chat_32_16_7")).unwrap();
            fs::create_dir(left.run().join("finished/m_4_1_chat_32_16_6")).unwrap();
        },
        true,
    ),
    (
        "the manifest's part is a link",
        |left| {
            symlink(left.at("home/.bashrc"), left.at("results/run_7.json.part")).unwrap();
        },
        true,
    ),
    (
        "the manifest's part is a FIFO",
        |left| make_fifo(&left.at("results/run_7.json.part")),
        true,
    ),
    (
        "a log is a link",
        |left| {
            symlink(left.at("home/.bashrc"), left.at("logs/server_7.out")).unwrap();
        },
        true,
    ),
    (
        "a log is a FIFO",
        |left| make_fifo(&left.at("logs/benchmarking_7.1.out")),
        true,
    ),
    (
        "a point in progress is a link",
        |left| {
            symlink(left.at("home/folder"), left.run().join(POINT)).unwrap();
        },
        true,
    ),
    (
        "its logs are links",
        |left| {
            fs::create_dir(left.run().join(POINT)).unwrap();
            symlink(
                left.at("home/.bashrc"),
                left.run().join(POINT).join("a.log"),
            )
            .unwrap();
        },
        true,
    ),
    (
        "a point in progress alone is a link",
        |left| {
            fs::remove_dir_all(left.point()).unwrap();
            symlink(left.at("home/folder"), left.run().join(POINT)).unwrap();
        },
        false,
    ),
    (
        "a point in progress alone has a link in it",
        |left| {
            fs::remove_file(left.point().join("table.csv")).unwrap();
            fs::rename(left.point(), left.run().join(POINT)).unwrap();
            let log = left.run().join(POINT).join("a.log");
            symlink(left.at("home/.bashrc"), log).unwrap();
        },
        false,
    ),
    (
        "names that mean something to bash",
        |left| {
            for name in [
                "*",
                "@",
                "x]$(cd home;touch x)",
                "a[$(cd home;touch x)]",
                "-rf",
            ] {
                fs::create_dir_all(left.run().join("finished").join(name)).unwrap();
                fs::create_dir_all(left.run().join("failed").join(name)).unwrap();
            }
        },
        true,
    ),
    (
        "the cause of the end is a FIFO",
        |left| make_fifo(&left.run().join("ended.0")),
        true,
    ),
    (
        "a state is a folder",
        |left| fs::create_dir_all(left.run().join("state.0/x")).unwrap(),
        true,
    ),
    (
        "aside is a link",
        |left| {
            symlink(left.at("home"), left.run().join("failed")).unwrap();
        },
        true,
    ),
    (
        "a neighbour's link is where unfinished points go",
        |left| {
            fs::rename(left.point(), left.run().join(POINT)).unwrap();
            symlink(left.at("home/folder"), left.at("results/interrupted_7")).unwrap();
        },
        false,
    ),
    (
        "a program in a result runs as the user, whoever starts it",
        |left| {
            let program = left.point().join("program");
            fs::write(&program, "").unwrap();
            fs::set_permissions(program, fs::Permissions::from_mode(0o4755)).unwrap();
        },
        true,
    ),
];

/// Links, FIFOs and other names in the folder of the client's container lead nowhere.
#[test]
fn what_a_client_leaves_leads_nowhere() {
    for (attack, prepare, is_finished) in ATTACKS {
        let left = Left::new();
        prepare(&left);
        let words = left.bring_out();
        assert_eq!(
            words.contains("status: finished"),
            *is_finished,
            "{attack}: {words}"
        );
        left.assert_home(&words);
        let manifest = left.at("results/run_7.json");
        assert_eq!(fs::read_to_string(manifest).unwrap(), "text\n", "{attack}");
        assert!(words.contains("end: client_failed 4"), "{attack}: {words}");
        // Nothing but files and folders is in results, and only the names of points.
        for name in fs::read_dir(left.at("results")).unwrap() {
            let path = name.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            // Theirs stays theirs.
            if ["interrupted_7.refused-1", "run_7.json.part"].contains(&name) {
                assert!(!path.is_file() || path.is_symlink());
                continue;
            }
            let is_of_the_job = [".run_7", "run_7.json", POINT, "interrupted_7"].contains(&name);
            assert!(is_of_the_job, "{attack}: {name}");
            if name != ".run_7" {
                let stray = Command::new("find")
                    .arg(&path)
                    .args([
                        "!", "-type", "d", "(", "!", "-type", "f", "-o", "-perm", "/6000", ")",
                    ])
                    .output();
                assert_eq!(stray.unwrap().stdout, b"", "{attack}");
            }
        }
        for log in fs::read_dir(left.at("logs")).unwrap() {
            assert!(log.unwrap().file_type().unwrap().is_dir(), "{attack}");
        }
    }
}

fn launch_with_hub() -> String {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tokenizer = Some("a/b".parse().unwrap());
    launch(recipe, Runtime::Pyxis)
}

/// What a script has where the client's tokenizer is one of the hub.
fn of_hub(script: &str) -> &str {
    lines(script, "readonly default_tokenizer=", "}")
}

/// A container writes to its caches: nobody leads those elsewhere.
#[test]
fn nobody_leads_a_cache_elsewhere() {
    let script = launch_with_hub();
    let paths = lines(&script, "digest() {", "own_folder \"$cache_path");
    let step = [function(&script, "client_step"), of_hub(&script)].join("\n");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("home")).unwrap();
    let head = "fail() { echo \"error: $*\"; exit 1; }\nkeep_secrets() { :; }\nset_container() { REPLIES=(); }\n\
         log_of() { :; }\nclient_program() { :; }\nstep=(true)\n\
         stage_path=$FOLDER/stage server_image=a+b.sqsh server_reference=r/a/b weights_target=w engine_target=e tokenizer=a/b\n\
         tokenizer_path=a/b run=r extra_mounts=() client_mounts=() server_environment=() server_command=(serve)\n\
         client_image=c.sqsh client_reference=r/c:1 client_command=(tool profile) logs=$stage_path/logs results=$stage_path/results";
    let run = |lead: &str| {
        let program =
            format!("{head}\n{step}\n{paths}\necho \"$cache_path\"\n{lead}\n(client_step 0)");
        bash(&folder, &program, &[])
    };
    let (code, words) = run("");
    assert_eq!(code, Some(0), "{words}");
    let cache = words.trim_end().to_owned();
    let (code, words) = run("rm -r \"$hub_cache\"; ln -s \"$FOLDER/home\" \"$hub_cache\"");
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("is a link, or another user's: remove it"),
        "{words}"
    );
    fs::remove_dir(&cache).unwrap();
    symlink(folder.path().join("home"), &cache).unwrap();
    let (code, words) = run("");
    assert_eq!(code, Some(1), "{words}");
    let said = format!("error: {cache} is a link, or another user's: remove it\n");
    assert_eq!(words, said);
}

/// Where what a server keeps is found again: by this server alone.
#[test]
fn a_cache_is_for_one_recipe() {
    let script = default_launch();
    let paths = lines(&script, "digest() {", "readonly cache_path");
    let folder = tempfile::tempdir().unwrap();
    let cache = |changes: &str| {
        let program = format!(
            "stage_path=/s server_image=a+b.sqsh server_reference=r/a/b weights_target=w engine_target=e tokenizer=/t\n\
             server_environment=(A=1) server_command=(serve --x) client_reference=r/c client_command=(tool profile)\n\
             {changes}\n{paths}\necho \"$cache_path $hub_cache\""
        );
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(0), "{words}");
        let (cache, hub) = words.trim_end().split_once(' ').unwrap();
        (cache.to_owned(), hub.to_owned())
    };
    let own = cache("");
    assert!(own.0.starts_with("/s/nim_cache/"), "{own:?}");
    assert_eq!(own, cache("recipe=another"));
    for change in [
        "server_image=c.sqsh",
        "server_reference=evil/a/b",
        "weights_target=v",
        "engine_target=",
        "server_environment=(A=2)",
        "server_command=(serve --y)",
        "server_command=(serve -- --x)",
        "server_environment=() server_command=(A=1 serve --x)",
        "server_command=(serve$'\\n'--x)",
    ] {
        let other = cache(change);
        assert_ne!(own.0, other.0, "{change}");
        assert_eq!(own.1, other.1, "{change}");
    }
    let with_code = "client_command+=(--tokenizer-trust-remote-code)";
    let first = cache(&format!("{with_code} tokenizer=me/a"));
    let second = cache(&format!("{with_code} tokenizer=me/b"));
    assert!(first.1 != own.1 && first.1 != second.1, "{first:?}");
    assert_ne!(own.1, cache("client_reference=evil/c").1);
    // One character for several would have names of two images for one folder.
    let of = |image: &str| cache(&format!("client_reference={image}")).1;
    assert_ne!(of("python:slim"), of("python/slim"));
}

/// The images of a recipe see the folder that it names as its model.
#[test]
fn a_model_s_folder_is_not_the_user_s_home() {
    let script = default_launch();
    let check = lines(&script, "real=$(", "done");
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "home/me/.ssh",
        "home/me/models/a",
        "home/me/models/.own/a",
        "stage/a",
        "stage/.run",
        "stage/results/a",
        "stage/logs",
        "stage/nim_cache/1-a",
        "stage/hf_cache",
        "stage/model/results",
        "home/me/results",
        "models/a",
        "x",
        "scratch/me/logs",
        "scratch/me/results/a",
        "scratch/me/models/a",
    ] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    symlink(folder.path().join("home/me"), folder.path().join("x/link")).unwrap();
    // A stage path whose logs and results are on another disk.
    fs::create_dir(folder.path().join("linked")).unwrap();
    for name in ["logs", "results"] {
        let target = folder.path().join("scratch/me").join(name);
        symlink(target, folder.path().join("linked").join(name)).unwrap();
    }
    for (path, is_taken) in [
        ("home/me/models/a", true),
        ("models/a", true),
        ("stage/a", true),
        ("nowhere", true),
        ("home", false),
        ("home/me", false),
        ("home/me/", false),
        ("home/me/.ssh", false),
        ("home/me/models/.own/a", false),
        ("home/./me", false),
        ("x/link", false),
        ("x/link/.ssh", false),
        ("stage", false),
        ("stage/.run", false),
        ("stage/results/a", false),
        ("stage/logs", false),
        ("stage/nim_cache/1-a", false),
        ("stage/hf_cache/", false),
        ("stage/model/../results", false),
        ("stage/model/results", true),
        ("home/me/results", true),
        ("scratch", false),
        ("scratch/me", false),
        ("scratch/me/results", false),
        ("scratch/me/results/a", false),
        ("scratch/me/logs", false),
        ("linked/results/a", false),
        ("scratch/me/models/a", true),
        ("", false),
    ] {
        let stage = if path.starts_with(['s', 'l']) && !path.starts_with("stage") {
            "linked"
        } else {
            "stage"
        };
        let program = format!(
            "missing() {{ echo \"missing: $*\"; }}\nHOME=$FOLDER/home/me stage_path=$FOLDER/{stage} model_path=$FOLDER/{path}\n{check}"
        );
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(0), "{words}");
        assert_eq!(words.is_empty(), is_taken, "{path}: {words}");
    }
    for path in [
        "/",
        "/proc/self/cwd",
        "/etc",
        "//etc",
        "/./dev",
        "/lustre/../proc",
        "/run/user",
        "/tmp",
        "//tmp/.",
        "/var",
        "/var/tmp/",
        "/var/mail",
        "/var/spool/cron",
    ] {
        assert!(ModelPath::parse(path).is_err(), "{path}");
    }
    for path in ["/home/me/models/a", "/tmp/a", "/var/tmp/a", "/var/lib/a"] {
        assert!(ModelPath::parse(path).is_ok(), "{path}");
    }
}

/// A file system may be mounted in two places: names prove nothing.
#[test]
#[ignore = "needs root: run tests/run"]
fn a_second_mount_is_no_way_to_the_user_s_home() {
    let script = default_launch();
    let check = lines(&script, "real=$(", "done");
    let folder = tempfile::tempdir().unwrap();
    for name in ["home/me/models/.own/a", "home/me/models/a", "outer/again"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    for (path, is_taken) in [
        ("outer", false),
        ("outer/again", false),
        ("outer/again/me", false),
        ("outer/again/me/models/.own/a", false),
        ("outer/again/me/models/a", true),
    ] {
        let program = folder.path().join("second.sh");
        let lines = format!(
            "set -Eeuo pipefail\ncd \"$FOLDER\"\nmount --bind home outer/again\nmissing() {{ echo \"missing: $*\"; }}\n\
             HOME=$FOLDER/home/me stage_path=$FOLDER/stage model_path=$FOLDER/{path}\n{check}"
        );
        fs::write(&program, lines).unwrap();
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "bash"]).arg(program);
        let output = unshare.env("FOLDER", folder.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{path}");
        assert!(output.status.success(), "{path}");
        let words = String::from_utf8_lossy(&output.stdout);
        assert_eq!(words.is_empty(), is_taken, "{path}: {words}");
    }
}

/// Who listens and takes nobody in holds no job up.
#[test]
fn a_port_s_full_queue_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let full = loop {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(client) => waiting.push(client),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::TimedOut, "{}", waiting.len());
    let script = default_launch();
    let claim = lines(&script, "for ((number = port;", "done");
    let folder = tempfile::tempdir().unwrap();
    let program = format!(
        "problems=0\nmissing() {{ echo \"$*\"; problems=1; }}\nsqueue() {{ :; }}\n\
         logs=$FOLDER SLURM_JOB_ID=77000003 SLURMD_NODENAME=node1 port={} replicas=1\n{claim}",
        address.port()
    );
    let (code, words) = bash(&folder, &program, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("another program listens there"), "{words}");
}

/// A site's mount of a folder above the stage path does not hide what the job mounts in it, nor a job's a site's.
#[test]
fn mounts_of_a_folder_come_before_those_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let mounts = "/s/model:/s/model:ro /s/cache:/s/cache /:/s:ro /fast:/s/cache/x tmpfs:/s-x";
    for (runtime, option) in [
        (Runtime::Pyxis, "--container-mounts="),
        (Runtime::Apptainer, "--bind="),
    ] {
        let script = launch(Recipe::llama3_70b_h100x4_fp8(), runtime);
        let program = format!(
            "stage_path=/s run=/r cache_path=/c\n{}\nset_container client image '' {mounts}\nprintf '%s\\n' \"${{REPLIES[@]}}\"",
            function(&script, "set_container")
        );
        let (_, words) = bash(&folder, &program, &[]);
        let found = words.lines().filter_map(|line| line.strip_prefix(option));
        let found: Vec<_> = found.flat_map(|mounts| mounts.split(',')).collect();
        let expected = "/:/s:ro tmpfs:/s-x /s/cache:/s/cache /fast:/s/cache/x /s/model:/s/model:ro";
        assert_eq!(found.join(" "), expected, "{words}");
    }
}

/// A container of podman shares no memory with the node, and an image's own checks of its health, which would run outside
/// of the job, do not run.
#[test]
fn podman_keeps_to_itself() {
    let script = launch(Recipe::llama3_70b_h100x4_fp8(), Runtime::Podman);
    let folder = tempfile::tempdir().unwrap();
    for role in ["server", "client"] {
        let program = format!(
            "stage_path=/s SLURM_JOB_ID=1 nodes=1\n{}\nset_container {role} image '' /a:/a\nprintf '%s\\n' \"${{REPLIES[@]}}\"",
            function(&script, "set_container")
        );
        let (_, words) = bash(&folder, &program, &[]);
        let has = |word: &str| words.lines().any(|line| line == word);
        assert!(has("--ipc=private") && has("--no-healthcheck"), "{words}");
        let size = words
            .lines()
            .find_map(|line| line.strip_prefix("--shm-size="));
        let size: u64 = size.unwrap().strip_suffix('k').unwrap().parse().unwrap();
        assert!(size > 100_000, "{words}");
    }
}

/// podman gives an image all names that its archive has, in place of the user's own. It takes the first of two manifests, follows
/// a link, and reads keys as Go does: with escapes, in any letters, a long s as an s.
#[test]
fn an_archive_gives_no_names() {
    let script = launch(Recipe::llama3_70b_h100x4_fp8(), Runtime::Podman);
    let functions = ["missing", "sound_image", "is_nameless", "check_runtime"]
        .map(|name| function(&script, name))
        .join("\n");
    let manifest = |tags: &str| {
        format!(r#"[{{"Config":"a.json",{tags}"Layers":["a.tar"]}},{{"Config":"b.json"}}]"#)
    };
    let refused = |tags: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("stage 1")).unwrap();
        fs::write(folder.path().join("manifest.json"), manifest(tags)).unwrap();
        fs::write(folder.path().join("own.json"), manifest("")).unwrap();
        let make = match tags {
            "two" => {
                "tar -cf 'stage 1/a.tar' ./manifest.json && tar -rf 'stage 1/a.tar' manifest.json"
            }
            "link" => {
                "ln -sf own.json manifest.json && tar -cf 'stage 1/a.tar' own.json manifest.json"
            }
            _ => "tar -cf 'stage 1/a.tar' own.json manifest.json",
        };
        let program = format!(
            "say() {{ echo \"$*\"; }}\nneed_commands() {{ :; }}\npodman() {{ :; }}\nproblems=0\n{functions}\n{make}\n\
             SLURM_JOB_ID=7 stage_path=$PWD/'stage 1' server_image=a.tar client_image=absent.tar\ncheck_runtime"
        );
        let (code, words) = bash(&folder, &program, &[]);
        assert_eq!(code, Some(0), "{tags}: {words}");
        let typed = "podman save --output=";
        assert!(
            words.is_empty() || words.contains(typed) && words.contains("/stage\\ 1/a.tar ID"),
            "{words}"
        );
        !words.is_empty()
    };
    for tags in [
        "",
        "\"RepoTags\":[],",
        "\"RepoTags\" : [ ],\n",
        "\"RepoTags\":null,",
    ] {
        assert!(!refused(tags), "{tags}");
    }
    for tags in [
        "two",
        "link",
        "\"RepoTags\":[\"docker.io/library/debian:12\"],",
        "\"RepoTags\" :\n [ \"debian:12\"],",
        "\"repotags\":[\"debian:12\"],",
        "\"RepoTags\":[],\"RepoTags\":[\"debian:12\"],",
        "\"Repo\\u0054ags\":[\"debian:12\"],",
        "\"RepoTag\u{17f}\":[\"debian:12\"],",
    ] {
        assert!(refused(tags), "{tags}");
    }
}

/// Where apptainer is installed setuid, /proc would show the job's other processes, and lead to their files and variables.
#[test]
fn apptainer_keeps_other_processes_and_folders_out_of_sight() {
    let script = launch(Recipe::llama3_70b_h100x4_fp8(), Runtime::Apptainer);
    let folder = tempfile::tempdir().unwrap();
    for role in ["server", "client"] {
        let program = format!(
            "export TMPDIR=/scratch/of-this-node\nstage_path=/s run=/r cache_path=/c\n{}\nset_container {role} image '' /a:/a\n\
             printf '%s\\n' \"${{REPLIES[@]}}\" \"TMPDIR: ${{TMPDIR-none}}\"",
            function(&script, "set_container")
        );
        let (_, words) = bash(&folder, &program, &[]);
        let has = |word: &str| words.lines().any(|line| line == word);
        assert!(has("--pid") && has("--ipc"), "{words}");
        // Apptainer hands on the variable, and mounts no such folder.
        assert!(has("TMPDIR: none"), "{words}");
    }
}

/// Containers that jobs left are removed by names, which jobs choose: the user's own may be of an image with any label.
#[test]
fn the_user_s_own_containers_stay() {
    let script = launch(Recipe::llama3_70b_h100x4_fp8(), Runtime::Podman);
    let functions = ["job_has_ended", "check_runtime", "remove_containers"]
        .map(|name| function(&script, name))
        .join("\n");
    let folder = tempfile::tempdir().unwrap();
    // Each has the label of a job; those of jobs 7 (this one) and 70 (which has ended) are this script's, one runs.
    let program = format!(
        "need_commands() {{ :; }}\nSLURM_JOB_ID=7 stage_path=/s server_image=a.tar client_image=b.tar\n{functions}\n\
         sound_image() {{ return 1; }}\n\
         squeue() {{ [[ $* != *=71* ]] || echo 71; }}\n\
         podman() {{\n  local each last=${{!#}}\n  case $1 in\n    ps)\n      for each in own own-nim-slurm-7-x nim-slurm-7-server-1 nim-slurm-70-client-2 nim-slurm-71-client-3; do\n\
                 [[ $last != *name=* || $each =~ ${{last##*name=}} ]] && echo $each || true\n      done ;;\n\
             inspect) printf '[\\n {{\\n  \"Name\": \"%s\",\\n  \"nim-slurm-job\": \"7\"\\n' \"$2\" ;;\n\
             rm) shift && echo \"$*\" >>removed && cat >>removed ;;\n  esac\n}}\n\
         xargs() {{ podman rm \"$(cat)\"; }}\n\
         check_runtime </dev/null\nremove_containers </dev/null\ncat removed"
    );
    let (code, words) = bash(&folder, &program, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(
        words,
        "--force --volumes --time=0 nim-slurm-7-server-1\n--force --volumes --time=0 nim-slurm-70-client-2\nnim-slurm-7-server-1\n"
    );
}

/// The names in a model's index are shown, and may be anything.
#[test]
fn an_index_names_shards_and_nothing_else() {
    let script = default_launch();
    let read = function(&script, "shards_of");
    let folder = tempfile::tempdir().unwrap();
    let index = "{\"a\": \"one.safetensors\", \"b\": \"\u{1b}]0;x\u{7}.safetensors\", \
                 \"c\": \"\u{9b}2J.safetensors\", \"d\": \"../up.safetensors\"}";
    fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let (_, words) = bash(&folder, &format!("{read}\nshards_of ."), &[]);
    assert_eq!(words, "one.safetensors\n");
    // It is read within a bound.
    let file = fs::File::create(folder.path().join("model.safetensors.index.json")).unwrap();
    file.set_len(1 << 42).unwrap();
    let (code, words) = bash(&folder, &format!("{read}\nshards_of . || echo none"), &[]);
    assert_eq!((code, &*words), (Some(0), "none\n"));
}

/// The folder for the client's container is the user's own.
#[test]
fn nobody_leads_the_folder_of_a_job_elsewhere() {
    let script = default_launch();
    let check = lines(&script, "readonly run=", "own_folder");
    let program = format!(
        "fail() {{ echo \"$*\"; exit 1; }}\nresults=$FOLDER/results logs=$FOLDER/logs job_id=7\n{}\n{check}\nls -A \"$run\"",
        function(&script, "own_folder")
    );
    for name in ["results/.run_7", "results/.run_7/client"] {
        let left = Left::new();
        fs::remove_dir_all(left.at(name)).unwrap();
        symlink(left.at("home"), left.at(name)).unwrap();
        let (code, words) = bash(&left.folder, &program, &[]);
        assert_eq!(code, Some(1), "{words}");
        let said = format!("{} is a link, or another user's", left.at(name).display());
        assert!(words.contains(&said), "{words}");
    }
    // A point of the user's that others gave that name.
    let left = Left::new();
    fs::remove_dir_all(left.at("results/.run_7")).unwrap();
    fs::create_dir(left.at("results/.run_7")).unwrap();
    fs::write(left.at("results/.run_7/table.csv"), "mine").unwrap();
    let (code, words) = bash(&left.folder, &program, &[]);
    assert_eq!((code, words.as_str()), (Some(0), ""));
}

/// What a container leaves setuid in a folder that it has, and opens to all, is the user's program: others find it only
/// where the folder around it lets them.
#[test]
fn what_a_container_opens_to_all_is_closed_around() {
    let script = launch_with_hub();
    let caches = lines(&script, "digest() {", "own_folder \"$cache_path");
    let run = lines(&script, "readonly run=", "own_folder");
    let mut steps = ["fill", "server_step", "client_step"]
        .map(|name| function(&script, name))
        .to_vec();
    steps.push(of_hub(&script));
    let folder = tempfile::tempdir().unwrap();
    // Caches and a folder of the job that were open before.
    for name in ["results/.run_7", &format!("nim_cache/{}", uid())] {
        let path = folder.path().join("stage").join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let program = format!(
        "umask 000; fail() {{ echo \"error: $*\"; exit 1; }}; keep_secrets() {{ :; }}; log_of() {{ echo log; }}; client_program() {{ :; }}
        set_container() {{ printf '%s\\n' \"${{@:4}}\" | grep -v :ro$ >&3; REPLIES=(); }}
        step=(true) stage_path=$FOLDER/stage server_image=a+b.sqsh server_reference=r/a/b weights_target=w engine_target=e
        tokenizer=a/b tokenizer_path=a/b extra_mounts=() client_mounts=() server_environment=() server_command=(serve) mpi=none
        client_image=c.sqsh client_reference=r/c:1 client_command=(tool profile) logs=$stage_path/logs results=$stage_path/results
        job_id=7 model_path=/m served_model_name=m gpus=1 gpus_of_a_node=1 nodes=1 replicas=1 port=1 server_secrets=() gpu_options=()
        declare -A facts=()
        {}
        {caches}
        {run}
        exec 3>mounts; (server_step 0); (client_step 0)
        while IFS=: read -r mount _; do
          chmod 777 \"$mount\"
          echo \"$(stat -c %a \"${{mount%/*}}\") ${{mount#\"$stage_path/\"}}\"
        done <mounts",
        steps.join("\n")
    );
    let (code, words) = bash(&folder, &program, &[]);
    assert_eq!(code, Some(0), "{words}");
    let mounts: Vec<_> = words.lines().collect();
    assert_eq!(mounts.len(), 3, "{words}");
    for (mount, place) in mounts
        .iter()
        .zip(["nim_cache/", "results/.run_7/", "hf_cache/"])
    {
        assert!(mount.starts_with(&format!("700 {place}")), "{words}");
    }
}

fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid()
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}
