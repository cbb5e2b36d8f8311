//! What others do between two looks of a script, or with a name, a number or a link that nobody
//! expects: the scripts' own text, run by bash.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use nim_slurm::recipe::Variant;
use nim_slurm::slurm::{Directives, Requeue};
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
use tempfile::TempDir;

fn script(kind: ScriptKind) -> String {
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
    plan.script(kind).text().to_owned()
}

/// The lines from the one that begins with `from` to the next that begins with `to`.
fn lines(text: &str, from: &str, to: &str) -> String {
    let begin = text.find(&format!("\n{from}")).expect(from) + 1;
    let mut part = String::new();
    for (number, line) in text[begin..].lines().enumerate() {
        part.push_str(line);
        part.push('\n');
        if line.starts_with(to) && (number > 0 || from == to) {
            return part;
        }
    }
    panic!("no {to} after {from}");
}

fn functions(text: &str, names: &[&str]) -> String {
    let of = |name: &&str| {
        let from = format!("{name}() {{");
        let begin = text.find(&format!("\n{from}")).expect(name) + 1;
        let line = text[begin..].lines().next().unwrap();
        if line.ends_with(" }") {
            format!("{line}\n")
        } else {
            lines(text, &from, "}")
        }
    };
    names.iter().map(of).collect()
}

/// What bash prints of this program, in a folder.
fn bash(folder: &TempDir, program: &str) -> String {
    let output = Command::new("timeout")
        .args(["120", "bash", "-c", program])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    assert_ne!(
        output.status.code(),
        Some(124),
        "it ran out of time (120 s): {words}"
    );
    words
}

/// The lines that store a point, and what they need. `client` runs as soon as tar has read it.
fn store_points(folder: &TempDir, client: &str) -> String {
    store_points_with(folder, "", client)
}

/// `before` runs when tar is about to read it.
fn store_points_with(folder: &TempDir, before: &str, client: &str) -> String {
    let launch = script(ScriptKind::Launch);
    let own = functions(
        &launch,
        &[
            "say",
            "text_of",
            "put",
            "hear",
            "set_aside",
            "make_room",
            "in_run",
            "in_time",
            "copy_point",
            "store",
            "store_points",
        ],
    );
    let program = format!(
        "set -Eeuo pipefail
        {own}
        mkdir -p results/.run_7/finished/p_7 results/other_4
        cd results/.run_7/finished/p_7
        echo 1 >table
        exec {{table}}>>table
        cd ../../../..
        echo theirs >results/other_4/measurement.txt
        before() {{ (cd \"$top\"; {before}:); }}
        client() {{ (cd \"$top\"; {client}); }}
        tar() {{
          local status=0
          [[ $1 == -C ]] || before
          command tar \"$@\" || status=$?
          [[ $1 == -C ]] || client
          return $status
        }}
        top=$PWD
        results=$PWD/results run=$PWD/results/.run_7 job_id=7 store_seconds=60 point_timeout=9
        copies=$(mktemp -d $results/.stored_7.XXXXXX) folders=(p_7)
        declare -A tried=() said=() own=([p_7]='chat 1 1 1 1 1 1 1')
        measurement_of() {{ REPLY=measured; }}
        store_points"
    );
    bash(folder, &program)
}

/// What stores a point.
const STORING: [&str; 11] = [
    "say",
    "text_of",
    "put",
    "hear",
    "set_aside",
    "make_room",
    "in_run",
    "in_time",
    "copy_point",
    "store",
    "store_points",
];

/// What a client does to its folder once it has been read is in no result: it has other files.
#[test]
fn a_client_keeps_nothing_of_a_stored_point() {
    let folder = tempfile::tempdir().unwrap();
    let said = store_points(
        &folder,
        "cd results/.run_7/finished/p_7; ln -s / link; cp -p /bin/true . && chmod u+s true; mkfifo pipe; cd ../../../..",
    );
    assert_eq!(said, "");
    let point = folder.path().join("results/p_7");
    assert_eq!(
        fs::read_to_string(point.join("measurement.txt")).unwrap(),
        "measured\n"
    );
    assert_eq!(fs::read_dir(point).unwrap().count(), 2);
    let copies = bash(&folder, "find results/.stored_7.* -mindepth 1");
    assert_eq!(copies, "");

    // A file that it has open.
    let folder = tempfile::tempdir().unwrap();
    let said = store_points(&folder, "echo 2 >&$table");
    assert_eq!(said, "");
    let table = folder.path().join("results/p_7/table");
    assert_eq!(fs::read_to_string(table).unwrap(), "1\n");
}

/// However much a client leaves, storing it takes neither the disk nor the time of others.
#[test]
fn too_much_is_not_stored() {
    let launch = script(ScriptKind::Launch);
    let own = functions(&launch, &STORING);
    let run = |own: &str, client: &str| {
        let folder = tempfile::tempdir().unwrap();
        let program = format!(
            "set -Eeuo pipefail
            {own}
            say() {{ echo \"$*\"; }}
            results=$PWD/results run=$PWD/results/.run_7 job_id=7 store_seconds=3 point_timeout=9
            mkdir -p $run/finished/p{{1,2,3}}_7
            copies=$(mktemp -d $results/.stored_7.XXXXXX) folders=(p{{1,2,3}}_7)
            declare -A tried=() said=() own=([p1_7]=1 [p2_7]=1 [p3_7]=1)
            measurement_of() {{ REPLY=measured; }}
            {client}
            store_points 2>&1
            echo all
            store_points all 2>&1
            ls results"
        );
        let began = std::time::Instant::now();
        let said = bash(&folder, &program);
        let took = began.elapsed().as_secs();
        let du = Command::new("du").arg("-sk").arg(folder.path()).output();
        let used = String::from_utf8(du.unwrap().stdout).unwrap();
        let used: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
        assert!(took < 20 && used < 10_000, "{took} s, {used} KiB: {said}");
        said
    };
    assert_eq!(run(&own, ""), "all\np1_7\np2_7\np3_7\n");
    // Holes are not copied.
    let said = run(&own, "truncate -s 1T $run/finished/p1_7/hole");
    assert!(said.contains("p2_7\np3_7\n"), "{said}");
    // All points have one time together, and what reads one ends with it.
    let said = run(
        &own,
        "tar() { [[ $1 == -C ]] || sleep 60; command tar \"$@\"; }",
    );
    assert!(
        // What may still be stored is no error yet.
        said.starts_with("all\nerror: p1_7 ")
            && said.contains("p1_7: storing it takes too long; it stays in .run_7/finished/p1_7\n")
            && said.ends_with("storing points takes too long: others stay in .run_7\n"),
        "{said}"
    );
    // What is more than the bound stays where it is.
    assert!(own.contains("head -c 17179869184 |"));
    let own = own.replace("head -c 17179869184 |", "head -c 100000 |");
    let said = run(
        &own,
        "head -c 1000000 /dev/urandom >$run/finished/p1_7/table",
    );
    assert!(
        said.contains("p1_7: it has more than 16 GiB, or cannot be read or written; it stays in "),
        "{said}"
    );
    assert!(said.ends_with("\np2_7\np3_7\n"), "{said}");
    // What has links or devices, and what has its name.
    let said = run(&own, "ln -s / $run/finished/p1_7/root; mkdir $results/p2_7");
    assert!(
        said.contains("p1_7: it has links or devices; it stays in "),
        "{said}"
    );
    assert!(said.ends_with("\np2_7\np2_7.earlier-1\np3_7\n"), "{said}");
    // A full disk.
    let full = "tar() { [[ $1 != -C ]] && command tar \"$@\" || return 2; }
        df() { printf 'a b c d e f\n/dev/x 9000 8900 100 99%% /x\n'; }";
    let said = run(&own, full);
    assert!(
        said.contains("p1_7: no space is left, or nothing may be written there; it stays in "),
        "{said}"
    );
}

/// Slurm gives a job whose end it has said few seconds: they are not spent on a point that is being copied.
#[test]
fn a_signal_does_not_wait_for_a_copy() {
    let launch = script(ScriptKind::Launch);
    let program = format!(
        "set -Eeuo pipefail
        {}{}
        say() {{ echo \"${{*##*: }}\"; }}
        stopped_by='' point_timeout=9
        results=$PWD/results run=$PWD/results/.run_7 job_id=7 store_seconds=60
        mkdir -p $run/finished/p_7
        copies=$(mktemp -d $results/.stored_7.XXXXXX) folders=(p_7)
        declare -A tried=() said=() own=([p_7]=1)
        measurement_of() {{ REPLY=measured; }}
        tar() {{ [[ $1 == -C ]] || sleep 60; }}
        (sleep 0.5 && kill -TERM $$) &
        SECONDS=0
        store_points all 2>&1
        echo \"$stopped_by $((SECONDS < 6))\"
        ls results",
        functions(&launch, &STORING),
        lines(&launch, "for name in TERM", "for name in TERM"),
    );
    let folder = tempfile::tempdir().unwrap();
    let said = bash(&folder, &program);
    let end = "storing it takes too long; it stays in .run_7/finished/p_7\nTERM 1\n";
    assert!(said.ends_with(end), "{said}");
}

/// A client that does nothing, as a hostile image or a tool that hangs, holds the GPUs for no longer than points may take.
/// The end of the time is another one, none, or not known at the moment.
#[test]
fn the_end_of_the_time_may_change() {
    let program = format!(
        "set -Eeuo pipefail
        say() {{ :; }}
        run=. slurm_id=7
        {}
        for answer in 'echo 2026-11-30T10:00:00' false 'echo 2026-11-30T11:00:00' 'echo N/A'; do
          squeue() {{ $answer; }}
          look_at_end || echo 'not known'
          cat state.until
        done",
        functions(&script(ScriptKind::Launch), &["put", "look_at_end"]),
    );
    let folder = tempfile::tempdir().unwrap();
    let said = bash(&folder, &format!("export TZ=UTC0\n{program}"));
    let (first, later) = (1_796_032_800, 1_796_036_400);
    assert_eq!(said, format!("{first}\nnot known\n{first}\n{later}\n\n"));
}

#[test]
fn a_silent_client_does_not_hold_the_gpus() {
    let launch = script(ScriptKind::Launch);
    let names = [
        "running",
        "text_of",
        "last_words",
        "at_work",
        "client_end",
        "ends_within",
        "how_it_ended",
        "explain",
    ];
    let program = format!(
        "set -Eu
        {}{}
        run=. ready_timeout=1000 point_timeout=100 replicas=1 blamed=0 points=(a b) stopped_by='' port=8000 all_logs=logs/x.out
        results=. job_id=7 slurm_id=7 preempted=''
        is_preempted() {{ false; }}
        look_at_end() {{ :; }}
        declare -A last_act=()
        log_of() {{ echo \"$1.out\"; }}
        sleep 25 >/dev/null 2>&1 & servers=($!)
        sleep 25 >/dev/null 2>&1 & clients=($!)
        # Each round takes 90 s, and in the fifth one a point is put down.
        rounds=0
        store_points() {{
          SECONDS=$((SECONDS + 90)) rounds=$((rounds + 1))
          ((rounds != 5)) || silent_at=$((SECONDS + 2 * point_timeout + 600))
        }}
        PUT
        SECONDS=0
        {}{}
        explain \"$cause\"
        echo \"$cause $code after $rounds rounds\"
        kill $(jobs -p)",
        functions(&launch, &names),
        functions(&launch, &["goes_on"]),
        lines(&launch, "silent_at=$((", "done"),
        lines(&launch, "server=${servers[blamed]-}", "[[ -z $stopped_by$preempted ]] || {"),
    );
    // 1000 + 2 * 100 + 600 s until the first point, 800 s for each other.
    let folder = tempfile::tempdir().unwrap();
    for (put, ended) in [
        ("rounds=10", "client_silent 1 after 30 rounds\n"),
        ("", "client_silent 1 after 14 rounds\n"),
    ] {
        assert_eq!(bash(&folder, &program.replace("PUT", put)), ended);
    }
    // While Slurm suspends a job, nobody can put anything down.
    let suspended = "rounds=10; store_points() { SECONDS=$((SECONDS + (rounds == 12 ? 9090 : 90))) rounds=$((rounds + 1)); }";
    let said = bash(&folder, &program.replace("PUT", suspended));
    assert_eq!(said, "client_silent 1 after 31 rounds\n");
    // One that is over has its own cause.
    let over = "echo finished 0 >ended.0; last_act[${clients[0]}]=ended.0";
    let said = bash(&folder, &program.replace("PUT", over));
    assert_eq!(said, "finished 0 after 0 rounds\n");

    // What is put down counts once.
    let names = ["say", "put", "set_aside", "store_points"];
    let program = format!(
        "set -Eeuo pipefail
        {}
        results=$PWD run=$PWD/.run_7 job_id=7 store_seconds=60 point_timeout=100
        mkdir -p $run/finished/p_7
        folders=(p_7) copies=.
        declare -A tried=() said=() own=([p_7]=1)
        measurement_of() {{ REPLY=measured; }}
        store() {{ REPLY=links; return 1; }}
        SECONDS=50 silent_at=0; store_points 2>/dev/null; echo \"$silent_at\"
        SECONDS=90; store_points; echo \"$silent_at\"",
        functions(&launch, &names),
    );
    assert_eq!(bash(&folder, &program), "850\n850\n");
}

/// A program may be in the client's image and not on `PATH`, which its /etc/profile sets.
#[test]
fn a_program_that_is_not_on_path_has_a_hook() {
    let program = format!(
        "replicas=1 client_image=image\n{}explain client_lacks\necho \"$to_do\"",
        functions(&script(ScriptKind::Launch), &["explain"])
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert!(
        said.contains("export PATH=... in a hook (client under [hooks] in the settings); of a"),
        "{said}"
    );
}

/// What to do names the log, since no line above does.
#[test]
fn a_silent_client_has_a_log() {
    let program = format!(
        "replicas=1 client_log=logs/benchmarking_7.out\n{}explain client_silent\necho \"$to_do\"",
        functions(&script(ScriptKind::Launch), &["explain"])
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert!(
        said.starts_with(
            "read logs/benchmarking_7.out; if nothing is wrong there, raise point_timeout"
        ),
        "{said}"
    );
}

/// Names that no point has are not looked at, however many there are: here, no pattern finds any.
#[test]
fn points_are_stored_by_their_names() {
    let launch = script(ScriptKind::Launch);
    let program = format!(
        "set -Eeufo pipefail
        {}
        results=$PWD/results run=$PWD/results/.run_7 job_id=7 store_seconds=60 point_timeout=9
        mkdir -p $run/finished/p_7 $run/failed/q_7 $run/r_7/x
        copies=$(mktemp -d $results/.stored_7.XXXXXX) folders=(p_7 q_7 r_7)
        declare -A tried=() said=() own=([p_7]=1 [q_7]=1 [r_7]=1)
        measurement_of() {{ REPLY=measured; }}
        look_up() {{ REPLIES=(interrupted); }}
        store_points >/dev/null; store_points all >/dev/null
        ls -d results/p_7 results/failed_7/q_7 results/interrupted_7/r_7",
        functions(&launch, &STORING)
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert_eq!(
        said,
        "results/failed_7/q_7\nresults/interrupted_7/r_7\nresults/p_7\n"
    );
}

/// A search measures a point that failed once more: its result is stored at once, and not only when the job ends.
#[test]
fn a_point_that_succeeds_after_it_failed_is_stored() {
    let launch = script(ScriptKind::Launch);
    let program = format!(
        "set -Eeuo pipefail
        {}
        results=$PWD/results run=$PWD/results/.run_7 job_id=7 store_seconds=60 point_timeout=9
        copies=$PWD/copies folders=(p_7)
        mkdir -p $copies $run/failed/p_7
        declare -A tried=() said=() own=([p_7]=1)
        measurement_of() {{ REPLY=measured; }}
        store_points >/dev/null
        mkdir -p $run/finished/p_7; store_points >/dev/null
        ls -d results/failed_7/p_7 results/p_7",
        functions(&launch, &STORING)
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert_eq!(said, "results/failed_7/p_7\nresults/p_7\n");
}

fn may_requeue() -> String {
    let requeue = Directives::new().requeue(Requeue::Allowed);
    let settings = Settings::new().with_script_slurm(ScriptKind::Launch, requeue);
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
    plan.launch().text().to_owned()
}

/// A job whose time is up goes on by itself while each run finishes a point; else it would hold GPUs for nothing.
#[test]
fn a_job_requeues_itself_while_it_gets_on() {
    let launch = may_requeue();
    let program = format!(
        "set -Eu
        say() {{ echo \"$*\"; }}
        scontrol() {{ return $answer; }}
        declare -A own=([c]=1)
        code=6 slurm_id=7 restarts=1 requeue_limit=3 points=(a b c) unnamed=0 finished=1 failed=1 to_measure=2 measured_before=0 stopped_by=USR1 cause=signal
        answer=0 advice=('what to do: x' 'to go on: sbatch')
        CHANGE
        {}
        echo \"${{#advice[@]}}\"",
        lines(&launch, "# A job whose time is up may go on", "fi"),
    );
    let goes_on = "the job goes on by itself: restart 2 of at most 3\n0\n";
    let refused = format!("{goes_on}error: Slurm does not requeue the job: to go on: sbatch\n");
    let folder = tempfile::tempdir().unwrap();
    for (change, said) in [
        ("", goes_on),
        // Slurm ends the command, too.
        ("answer=143", goes_on),
        ("answer=1", &refused),
        ("to_measure=1", "2\n"),
        // A turn before this one has finished a point.
        ("to_measure=1 measured_before=1", goes_on),
        ("failed=2", "2\n"),
        ("restarts=3", "2\n"),
        ("code=5", "2\n"),
        ("stopped_by=TERM", "2\n"),
        ("stopped_by= cause=no_time_left", goes_on),
        // The signal went to the client's step.
        ("stopped_by= cause=client_stopped", "2\n"),
    ] {
        assert_eq!(bash(&folder, &program.replace("CHANGE", change)), said);
    }
}

/// Where the signal comes after the last point, the job is done.
#[test]
fn all_points_are_finished_whatever_signal_comes() {
    let launch = script(ScriptKind::Launch);
    let program = format!(
        "set -Eu
        points=(\"a 1 2 3\" \"b 1 2 3\") folders=(a b) code=6 unnamed=0 point_timeout=1 replicas=1 parts=0
        say() {{ :; }}
        look_up() {{ REPLIES=(STATE '' ''); }}
        explain() {{ echo \"$1\"; }}
        {}",
        lines(&launch, "finished=0 failed=0", "[[ $code != 6 ||"),
    );
    let folder = tempfile::tempdir().unwrap();
    let said = |state| bash(&folder, &program.replace("STATE", state));
    assert_eq!(said("finished"), "finished\n");
    assert_eq!(said("interrupted"), "");
}

/// The time may be up between two turns, when no turn is there to say how to go on; and a server that refuses the
/// client's requests ends its own turns alone.
#[test]
fn turns_go_on_and_end_as_they_should() {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.server.variants = ["a", "b"]
        .map(|name| Variant::new(name.parse().unwrap()))
        .into();
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    let program = format!(
        "say() {{ echo \"$*\"; }}
        squeue() {{ echo 'my b/launch.sh'; }}
        scontrol() {{ echo \"scontrol $*\"; }}
        bash() {{ [[ ! -v hears ]] || trap '' USR1; sleep 1; return ${{codes[$3]}}; }}
        set -Eeuo pipefail
        SLURM_JOB_ID=7 SLURM_SUBMIT_DIR=/home turns=4 variants=2 codes=(0 0 0 0) stage_path=$PWD
        mkdir -p results && : >results/run_7-0.json
        CHANGE
        {}",
        lines(
            plan.launch().text(),
            "if ((turns > 0)) && [[ ${1-} != turn",
            "fi"
        ),
    );
    let folder = tempfile::tempdir().unwrap();
    let said = |change: &str| {
        let said = bash(&folder, &program.replace("CHANGE", change));
        let lines = said.lines().filter(|line| !line.starts_with("turn "));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said(""), "exit 0: 4 of 4 turns ran");
    let left_out = "it is left out, since its server did not work before";
    let ended = |code, ran| format!("{left_out}\nexit {code}: {ran} of 4 turns ran");
    assert_eq!(said("codes=(2 0 0 0)"), ended(2, 3));
    // This one has no manifest: something is missing for all.
    assert_eq!(said("codes=(0 2 0 0)"), "exit 2: 2 of 4 turns ran");
    assert_eq!(said("codes=(0 4 0 0)"), ended(4, 3));
    assert_eq!(said("codes=(0 6 0 0)"), "exit 6: 2 of 4 turns ran");
    let on = r"to go on: RESUME_JOB_ID=7 sbatch /home/my\ b/launch.sh";
    let stopped = "exit 6: 1 of 4 turns ran";
    let signal = "(sleep 0.5; kill -s USR1 $$) & ";
    assert_eq!(said(signal), format!("{on}\n{stopped}"));
    assert_eq!(
        said(&format!("{signal} hears=")),
        format!("{on}\n{stopped}")
    );
    assert_eq!(
        said(&format!("{signal} requeue_limit=1")),
        format!("the job goes on by itself: restart 1 of at most 1\nscontrol requeue 7\n{stopped}")
    );
    assert_eq!(
        said(&format!("{signal} requeue_limit=1 SLURM_RESTART_COUNT=1")),
        format!("{on}\n{stopped}")
    );
    assert_eq!(said(&format!("{signal} hears= codes=(6)")), stopped);
    let late = "(sleep 4.5; kill -s USR1 $$) & hears=";
    assert_eq!(said(late), "exit 0: 4 of 4 turns ran");
}

/// How the job ended is said before anything is removed, which takes no longer than it may.
#[test]
fn what_takes_long_to_remove_hides_no_last_words() {
    let launch = script(ScriptKind::Launch);
    let last = lines(&launch, "for line in \"${advice", "exit \"$code\"");
    let program = format!(
        "set -Eu
        {}
        say() {{ echo \"$*\"; }}
        rm() {{ sleep 20; }}
        mkdir .run_7 copies; echo x >.run_7/points
        code=6 reason=stopped advice=('to go on: sbatch') copies=copies run=.run_7 claims=()
        {}",
        functions(&launch, &["in_time", "clear_run"]),
        last.replace("SECONDS + 10", "SECONDS + 1")
    );
    let began = std::time::Instant::now();
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert_eq!(said, "to go on: sbatch\nexit 6: stopped\n");
    assert!(began.elapsed().as_secs() < 15);
}

/// A client's folder may have so many names that each look at it takes long: launch.sh waits by the clock.
#[test]
fn a_point_is_evaluated_by_the_clock() {
    let launch = script(ScriptKind::Launch);
    let program = format!(
        "clients=(4 5)
        say() {{ echo \"$*, at $SECONDS s\"; }}
        ends_within() {{ SECONDS=$((SECONDS + 2)); return 1; }}
        signal_steps() {{ :; }}
        at_work() {{ :; }}
        only_removes() {{ return 1; }}
        kill() {{ echo \"kill $*\"; }}
        wait() {{ :; }}
        {}
        for code in 5 6; do SECONDS=0; {}done",
        functions(&launch, &["stop_steps"]),
        lines(&launch, "stop_steps client $((", "stop_steps client $((")
    );
    let killed = "kill -TERM 4 5\nkill -KILL 4 5\n";
    assert_eq!(
        bash(&tempfile::tempdir().unwrap(), &program),
        format!(
            "the client step did not end by itself within 20 s, at 20 s\n{killed}\
             the client step did not end by itself within 4 s, at 4 s\n{killed}"
        )
    );
}

/// What writes down power is ended by the number of a process only while that is its own: a number may be another's by then.
#[test]
fn no_other_process_is_ended_with_the_samples() {
    let launch = script(ScriptKind::Launch);
    let program = format!(
        "set -u
        sleep 20 >/dev/null 2>&1 & sampler=$!
        sleep 20 >/dev/null 2>&1 & other=$!
        disown \"$other\"
        samplers=(\"$sampler\" \"$other\")
        {}
        sleep 0.2
        kill -0 \"$sampler\" 2>/dev/null || echo ended
        kill \"$other\" && echo goes on",
        lines(&launch, "for pid in $(jobs -rp)", "done")
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert_eq!(said, "ended\ngoes on\n");
}

/// What is written whole needs no name that somebody else can take: here, a folder, a link and a FIFO are there first.
#[test]
fn a_name_for_a_part_is_nobody_s_to_take() {
    let own = functions(&script(ScriptKind::Launch), &["put"]);
    for take in [
        "mkdir -p run_7.json.part/x",
        "ln -s away run_7.json.part",
        "mkfifo run_7.json.part",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = format!(
            "{own}{take}
            umask 027
            put run_7.json text && put run_7.json 'text 2' && cat run_7.json; stat -c %a run_7.json
            put nowhere/run_7.json text || echo failed; ls"
        );
        assert_eq!(
            bash(&folder, &program),
            "text 2\n640\nfailed\nrun_7.json\nrun_7.json.part\n",
            "{take}"
        );
    }
}

/// The client's folder becomes a link to another job's result while the point is read, and after.
#[test]
fn a_point_that_is_exchanged_while_it_is_stored() {
    let point = "rm -r \"$run/finished/p_7\"; ln -s ../../other_4 \"$run/finished/p_7\";";
    let all = "mv \"$run/finished\" \"$run/away\"; ln -s ../other_4 \"$run/finished\";";
    for (before, client) in [("", point), ("", all), (all, ":")] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join("results").join(name);
        fs::create_dir_all(at("other_4/p_7")).unwrap();
        fs::write(at("other_4/p_7/theirs"), "").unwrap();
        let said = store_points_with(&folder, before, client);
        assert!(at("p_7/table").exists(), "{said}");
        assert!(!at("p_7/theirs").exists(), "copied: {before}");
        assert!(at("other_4/p_7/theirs").exists(), "removed: {client}");
        let theirs = fs::read_to_string(at("other_4/measurement.txt"));
        assert_eq!(theirs.unwrap(), "theirs\n", "{said}");
    }
    // A link that is there from the start.
    let folder = tempfile::tempdir().unwrap();
    let own = functions(&script(ScriptKind::Launch), &["in_run"]);
    let program = format!(
        "{own}
        results=$PWD/results run=$PWD/results/.run_7
        mkdir -p $run/failed results/other_4/p_7; ln -s ../other_4 $run/finished
        in_run $run/failed env pwd
        in_run $run/finished env pwd || echo $?"
    );
    assert!(bash(&folder, &program).ends_with("/results/.run_7/failed\n2\n"));
}

/// The look for links has no time left: what was not looked at is not stored.
#[test]
fn a_look_without_time_has_seen_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let own = functions(
        &script(ScriptKind::Launch),
        &[
            "put",
            "set_aside",
            "make_room",
            "in_run",
            "in_time",
            "copy_point",
            "store",
        ],
    );
    for measurement in ["of job 7", ""] {
        let program = format!(
            "{own}
            results=$PWD/results run=$PWD/results/.run_7/client copies=$PWD/results/.run_7/copies
            mkdir -p $run/finished $copies results/p_4; echo theirs >results/p_4/measurement.txt
            ln -sfn $results/p_4 $run/finished/p_7
            declare -A own=([p_7]=point)
            find() {{ command sleep 20; }}
            store_until=$((SECONDS + 2))
            store $run/finished/p_7 $results/p_7 '{measurement}' && echo stored || echo \"$REPLY\"
            ls results; cat results/p_4/measurement.txt"
        );
        let said = bash(&folder, &program);
        assert_eq!(
            said, "storing it takes too long\np_4\ntheirs\n",
            "{measurement}"
        );
    }
}

#[test]
fn a_client_that_only_says_that_it_has_ended() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let own = functions(
        &launch,
        &[
            "say",
            "running",
            "text_of",
            "last_words",
            "at_work",
            "ends_within",
            "step_ids",
            "signal_steps",
            "only_removes",
            "stop_steps",
        ],
    );
    let end = lines(
        &launch,
        "stop_steps client $((",
        "! declare -F remove_containers",
    );
    let program = format!(
        "set -Eu
        {own}
        squeue() {{ :; }}; scancel() {{ :; }}; scontrol() {{ :; }}; store_points() {{ :; }}
        slurm_id=7 SLURM_JOB_ID=7 SLURMD_NODENAME=n seconds_to_stop=1 code=5 servers=()
        sleep 25 >/dev/null 2>&1 & clients=($!)
        echo 'points_failed 1' >ended.0
        declare -A last_act=([$!]=ended.0)
        {end}
        kill -0 \"${{clients[0]}}\" 2>/dev/null && echo alive || echo stopped"
    );
    let said = bash(&folder, &program);
    assert!(said.ends_with("stopped\n"), "{said}");
}

/// A client that runs on has ended only where it says so in the words for it. launch.sh waits for none that runs.
#[test]
fn a_client_that_says_something_else_of_its_end() {
    let launch = script(ScriptKind::Launch);
    let names = ["running", "text_of", "last_words", "at_work", "client_end"];
    let own = functions(&launch, &names);
    let goes_on = functions(&launch, &["goes_on"]);
    for (put, said) in [
        ("echo finished 0 >ended.0", "ended finished 0\n"),
        ("echo not a word >ended.0", "goes on client_failed 0\n"),
        ("printf finished >ended.0", "goes on client_failed 0\n"),
        (
            "yes finished 0 | tr '\\n' ' ' | head -c 9000000 >ended.0",
            "goes on client_failed 0\n",
        ),
        (
            "echo finished 0 >word; ln -s word ended.0",
            "goes on client_failed 0\n",
        ),
        ("mkfifo ended.0", "goes on client_failed 0\n"),
        ("mkdir ended.0", "goes on client_failed 0\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = format!(
            "set -Eu
            {own}{goes_on}
            {put}
            sleep 20 >/dev/null 2>&1 & servers=($!)
            sleep 20 >/dev/null 2>&1 & clients=($!) run=. silent_at=9
            declare -A last_act=([$!]=ended.0)
            goes_on && printf 'goes on ' || printf 'ended '
            client_end 0
            echo \"${{REPLIES[*]}}\"
            kill $(jobs -p)"
        );
        let began = std::time::Instant::now();
        assert_eq!(bash(&folder, &program), said, "{put}");
        assert!(began.elapsed().as_secs() < 10, "{put}");
    }
}

/// With Slurm's token in its environment, srun starts no step; and a container would submit jobs of the user with it.
#[test]
fn the_token_of_slurm_is_gone_before_a_step() {
    // prepare_models.sh starts no step.
    for kind in [ScriptKind::Setup, ScriptKind::Launch] {
        let script = script(kind);
        let from = "for name in $(compgen -e | grep -E '^(SLURM|";
        let own = lines(&script, from, "done");
        let program = format!("export SLURM_JWT=canary SLURM_JOB_ID=7\n{own}env");
        let said = bash(&tempfile::tempdir().unwrap(), &program);
        assert!(said.contains("SLURM_JOB_ID=7\n"), "{kind:?}: {said}");
        assert!(!said.contains("canary"), "{kind:?}: {said}");
    }
}

/// enroot takes these from the job before it takes them from the image; a login shell in a container may have `void`.
#[test]
fn the_server_has_the_driver_and_the_client_has_none() {
    let own = functions(&script(ScriptKind::Launch), &["set_container"]);
    for (role, before, devices, capabilities) in [
        ("server", "void", "all", "compute,utility,video"),
        ("client", "0,1", "void", "compute,utility,video"),
        (
            "server",
            "void NVIDIA_DRIVER_CAPABILITIES=utility",
            "all",
            "compute,utility,video",
        ),
    ] {
        let program = format!(
            r#"unset NVIDIA_DRIVER_CAPABILITIES
            export NVIDIA_VISIBLE_DEVICES={before}
            stage_path=/s
            {own}
            set_container {role} image 'A B' /a:/a
            printf '%s\n' "${{REPLIES[@]}}"
            env"#
        );
        let said = bash(&tempfile::tempdir().unwrap(), &program);
        for line in [
            "--container-env=A,B,NVIDIA_VISIBLE_DEVICES,NVIDIA_DRIVER_CAPABILITIES".to_owned(),
            format!("NVIDIA_VISIBLE_DEVICES={devices}"),
            format!("NVIDIA_DRIVER_CAPABILITIES={capabilities}"),
        ] {
            assert!(said.lines().any(|of| of == line), "{line}: {said}");
        }
    }
}

/// squeue lists no steps of a hidden partition. The columns are those of Slurm 20.11 to 25.11.
#[test]
fn steps_are_found_by_their_names() {
    let own = functions(&script(ScriptKind::Launch), &["step_ids"]);
    let program = format!(
        r#"slurm_id=4711_3
        scontrol() {{
          [[ $* == '--all --oneliner show step 4711_3' ]] || exit 9
          for step in 'batch Name=batch' 'extern Name=extern' '0 Name=server.0' '1 Name=client.0' '2 Name=client.10' '3 Name=client.1.server.0'; do
            echo "StepId=4711_3.${{step%% *}} UserId=7 StartTime=2026-11-29T14:00:00 TimeLimit=UNLIMITED State=RUNNING Partition=batch NodeList=node1 Gres=(null) Nodes=1 CPUs=1 Tasks=1 ${{step#* }} Network=(null) TRES=(null)"
          done
        }}
        {own}
        step_ids 'server\.0'; step_ids 'client\.[0-9]*'"#
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert_eq!(said, "4711_3.0\n4711_3.1\n4711_3.2\n");
}

#[test]
fn a_number_with_a_zero_in_front() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let line = lines(&launch, "ready_seconds=$(sed", "ready_seconds=$(sed");
    for (number, read) in [
        ("007", ""),
        ("00", ""),
        ("0", "0"),
        ("70", "70"),
        ("1234567890", ""),
    ] {
        let program = format!("states=ready_seconds={number}\n{line}\necho \"<$ready_seconds>\"");
        assert_eq!(bash(&folder, &program), format!("<{read}>\n"), "{number}");
    }
    let client_end = functions(&launch, &["client_end", "last_words"]);
    fs::write(folder.path().join("ended.0"), "finished 089").unwrap();
    let program = format!(
        "clients=(1)\nwait() {{ return 3; }}\nrunning() {{ false; }}\nrun=.\ntext_of() {{ echo 'finished 089'; }}\n{client_end}\nclient_end 0\necho \"${{REPLIES[*]}}\""
    );
    assert_eq!(bash(&folder, &program), "client_failed 3\n");
}

#[test]
fn checksums_from_the_root_and_of_standard_input() {
    let prepare = script(ScriptKind::PrepareModels);
    let own = functions(&prepare, &["say", "check_checksums"]);
    let digest = "0".repeat(64);
    for (name, said_of_it) in [
        (
            "/dev/zero",
            "checksums.blake3 names /dev/zero, which is no file of the folder",
        ),
        ("-", "standard input has 0 bytes"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dev")).unwrap();
        for file in ["dev/zero", "-"] {
            fs::write(folder.path().join(file), "x").unwrap();
        }
        fs::write(
            folder.path().join("checksums.blake3"),
            format!("{digest}  {name}\n"),
        )
        .unwrap();
        let program = format!(
            "set -o pipefail\nmark=.mark\n{own}\nb3sum() {{ echo \"FAILED: standard input has $(wc -c) bytes\"; return 1; }}
            echo typed | check_checksums ."
        );
        let said = bash(&folder, &program);
        assert!(said.contains(said_of_it), "{said}");
    }
}

#[test]
fn a_list_of_checksums_without_an_end() {
    let prepare = script(ScriptKind::PrepareModels);
    let own = functions(&prepare, &["say", "check_checksums"]);
    let folder = tempfile::tempdir().unwrap();
    let list = fs::File::create(folder.path().join("checksums.blake3")).unwrap();
    list.set_len(1 << 40).unwrap();
    let said = bash(
        &folder,
        &format!("mark=.mark\n{own}\nb3sum() {{ echo asked; }}\ncheck_checksums ."),
    );
    assert!(
        said.contains("checksums.blake3 has more than 16 MiB"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn an_index_of_shards_without_an_end() {
    let prepare = script(ScriptKind::PrepareModels);
    let names = [
        "say",
        "readable",
        "list_files",
        "arrived",
        "shards_of",
        "missing_files",
        "check_folder",
        "check_weights",
    ];
    let own = functions(&prepare, &names);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("model")).unwrap();
    let index = folder.path().join("model/model.safetensors.index.json");
    fs::File::create(index).unwrap().set_len(1 << 40).unwrap();
    let said = bash(
        &folder,
        &format!(
            "mark=.mark engine_folder=e engine_link=l weights_bytes=0 weights_files=()\n{own}\ncheck_weights model && echo checked"
        ),
    );
    assert_eq!(said, "checked\n");
}

/// A client's image names the logs of its points, of which a part is shown.
#[test]
fn the_name_of_a_log_is_shown_clean() {
    let launch = script(ScriptKind::Launch);
    let own = functions(&launch, &["plain", "show_cause"]);
    let folder = tempfile::tempdir().unwrap();
    let name = "a\u{1b}]0;x\u{7}\u{9b}2J\nexit 0: all is well\u{202e}.log";
    fs::write(folder.path().join(name), "error: no\n").unwrap();
    let said = bash(
        &folder,
        &format!("export LC_ALL=C.UTF-8\ndeclare -A earlier_lines=()\n{own}\nshow_cause a*.log"),
    );
    assert!(said.is_ascii() && !said.contains('\u{1b}'), "{said:?}");
    assert_eq!(
        said.lines().filter(|line| line.starts_with("exit")).count(),
        0,
        "{said}"
    );
    assert!(said.contains("error: no"), "{said}");
}

/// Who can open a lock can hold it: others cannot.
#[test]
fn a_lock_is_the_user_s_alone() {
    let own = functions(&script(ScriptKind::Setup), &["open_lock"]);
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    for _ in 0..2 {
        let said = bash(
            &folder,
            &format!(
                "umask 0\n{own}\nopen_lock lock && flock --nonblock \"$REPLY\" && echo locked"
            ),
        );
        assert_eq!(said, "locked\n");
        assert_eq!(
            fs::metadata(&lock).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    symlink("lock", folder.path().join("link")).unwrap();
    let said = bash(
        &folder,
        &format!("{own}\nmkfifo pipe\nfor lock in link pipe; do open_lock $lock || echo no; done"),
    );
    assert_eq!(said, "no\nno\n");
}

#[test]
fn the_name_of_a_manifest_is_no_way_into_a_log() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    fs::create_dir(&results).unwrap();
    for name in ["4.json", "4-2.json", "4-\u{1b}[2J.json", "4-x.json"] {
        fs::write(results.join(format!("run_{name}")), "").unwrap();
    }
    let resume = lines(&launch, "runs=(\"$job_id\")", "readonly runs");
    let program = format!(
        "missing() {{ echo \"missing $*\"; }}; text_of() {{ :; }}; squeue() {{ :; }}
        results=$PWD/results job_id=9 RESUME_JOB_ID=4 default_resume_job_id=
        {resume}
        printf '<%s>' \"${{runs[@]}}\""
    );
    assert_eq!(bash(&folder, &program), "<9><4><4-2>");

    // Others may leave any number of them, each with any number of jobs. (Twenty are quicker to read here than a thousand.)
    let few = resume.replace("< 1000)", "< 20)");
    assert_ne!(few, resume);
    for task in 0..30 {
        fs::write(results.join(format!("run_4-{task}.json")), "").unwrap();
    }
    let program = format!(
        "missing() {{ echo \"missing $*\"; }}; say() {{ echo \"$*\"; }}; squeue() {{ :; }}
        text_of() {{ echo '  \"resumes\": [\"1\", \"2\", \"1\"],'; }}
        sed() {{ echo 1,2,1; }}; tr() {{ cat; }}; head() {{ [[ $2 == 2000 ]] && command head \"$@\" || cat; }}
        results=$PWD/results job_id=9 RESUME_JOB_ID=4 default_resume_job_id=
        {few}
        echo \"${{#runs[@]}} ${{runs[*]::5}}\""
    );
    let said = bash(&folder, &program);
    let expected = "of job 4, only the first 1,000 manifests count\n23 9 4 1 2 ";
    assert!(said.starts_with(expected), "{said}");
}

/// In a grace period, the steps end first, or the script has the signal of the time limit first
/// (`preempt_send_user_signal`). A point that is the last one comes before all of it.
#[test]
fn a_preemption_is_told_whatever_came_first() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let own = lines(
        &launch,
        "[[ $cause == finished || -n $stopped_by ]] || sleep",
        "[[ -z $stopped_by$preempted ]]",
    );
    for (before, is_preempted, after) in [
        (
            "server_ended",
            "true",
            "stopping: preemption\nsignal  preemption",
        ),
        (
            "client_stopped",
            "true",
            "stopping: preemption\nsignal  preemption",
        ),
        (
            "client_silent USR1",
            "true",
            "stopping: preemption\nsignal  preemption",
        ),
        (
            "client_silent USR1",
            "false",
            "stopping: signal USR1\nsignal USR1 ",
        ),
        // The grace period is over, or there is none.
        (
            "client_silent TERM",
            "true",
            "stopping: signal TERM\nsignal TERM ",
        ),
        ("server_ended", "false", "server_ended  "),
        ("finished", "true", "finished  "),
    ] {
        let program = format!(
            "say() {{ echo \"$*\"; }}; signal_steps() {{ :; }}; sleep() {{ :; }}; is_preempted() {{ {is_preempted}; }}
            read -r cause stopped_by <<<'{before}'
            slurm_id=7 preempted=''
            {own}
            echo \"$cause $stopped_by $preempted\""
        );
        assert_eq!(bash(&folder, &program), format!("{after}\n"), "{before}");
    }
}

/// An epilog may take minutes, in which the job is in the queue and its script is not.
#[test]
fn a_job_at_its_epilog_may_be_resumed() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    fs::create_dir(&results).unwrap();
    let own = functions(&launch, &["text_of"]);
    let resume = lines(&launch, "runs=(\"$job_id\")", "readonly runs");
    let said = |code: &str, states: &str| {
        let manifest = format!("{{\n  \"resumes\": [],\n  \"exit_code\": {code},\n}}");
        fs::write(results.join("run_4.json"), manifest).unwrap();
        let program = format!(
            "{own}
            missing() {{ echo \"missing $*\"; }}; squeue() {{ printf '{states}'; }}
            results=$PWD/results job_id=9 RESUME_JOB_ID=4 default_resume_job_id=
            {resume}
            printf '<%s>' \"${{runs[@]}}\""
        );
        bash(&folder, &program)
    };
    assert_eq!(said("0", ""), "<9><4>");
    assert_eq!(said("6", "COMPLETING\\n"), "<9><4>");
    for (code, states) in [
        ("null", "COMPLETING\\n"),
        ("6", "COMPLETING\\nPENDING\\n"),
        ("6", "RUNNING\\n"),
    ] {
        let said = said(code, states);
        assert!(said.contains("it is still in the queue"), "{said}");
    }
}

#[test]
fn a_server_of_another_user_is_not_measured() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let own = functions(&launch, &["is_own", "is_healthy"]);
    // What stands in /proc/net/tcp of the port's owner, and whether numbers there are those of the node.
    let theirs = "another user's program listens on port 8000\n";
    let nobody = "no program listens on port 8000\n";
    for (owner, map, said) in [
        ("$EUID", "0 0 4294967295", "healthy\n"),
        // Who listens only while a request comes is in no look.
        ("", "0 0 4294967295", nobody),
        ("4321", "0 0 4294967295", theirs),
        ("65534", "0 1000 1", theirs),
        ("4321", "0 1000 1", "healthy\n"),
        ("$EUID; echo 4321", "0 0 4294967295", theirs),
        ("4321; echo $EUID", "0 0 4294967295", theirs),
    ] {
        let program = format!(
            "port=8000 replica=0 url=x health_path=/x answer=
            awk() {{ (echo {owner}) | grep .; }}; cat() {{ echo '{map}'; }}; curl() {{ echo 200; }}
            {own}
            is_healthy && echo healthy || echo \"$answer\""
        );
        assert_eq!(bash(&folder, &program), said, "{owner} {map}");
    }
    // The places where an answer to 127.0.0.1:8000 may come from, as the kernel writes them.
    let zeros = "0".repeat(16);
    for (place, is_there) in [
        ("00000000:1F40", true),
        ("0100007F:1F40", true),
        (&format!("{zeros}{zeros}:1F40"), true),
        (&format!("{zeros}FFFF000000000000:1F40"), true),
        (&format!("{zeros}FFFF00000100007F:1F40"), true),
        ("0100007F:1F41", false),
        ("0A00000A:1F40", false),
        (&format!("{zeros}0000000001000000:1F40"), false),
    ] {
        for (state, owner) in [("0A", 4321), ("01", 4321)] {
            let program = format!(
                "port=8000 replica=0 url=x health_path=/x answer=
                echo '   0: {place} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  {owner}        0 7 1' >table
                awk() {{ command awk \"${{@:1:3}}\" table; }}; cat() {{ echo '0 0 4294967295'; }}; curl() {{ echo 200; }}
                {own}
                is_healthy && echo healthy || echo \"$answer\""
            );
            let said = if is_there && state == "0A" {
                theirs
            } else {
                nobody
            };
            assert_eq!(bash(&folder, &program), said, "{place} {state}");
        }
    }
}

/// A file of others may become something else between the look at it and its opening.
#[test]
fn a_file_that_is_exchanged_before_it_is_read() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let text_of = functions(&launch, &["text_of"]);
    for (exchange, said) in [
        (":", "words\n"),
        ("ln -sf secret file", ""),
        ("rm file; mkfifo file", ""),
        ("rm file", ""),
        ("truncate -s 1T file", "words\n4194304 bytes\n"),
    ] {
        let program = format!(
            "rm -f file; echo words >file; echo secret >secret
            timeout() {{ {exchange}; command timeout \"$@\"; }}
            {text_of}
            SECONDS=0
            text_of file >read
            [[ $(stat -c %s read) -lt 99 ]] && cat read || {{ head -n 1 read; stat -c '%s bytes' read; }}
            ((SECONDS < 4)) || echo \"held up for $SECONDS s\""
        );
        assert_eq!(bash(&folder, &program), said, "{exchange}");
    }
}

/// A file with many names is one in a client's folder, and each name of it a file in the copy, which counts.
#[test]
fn the_names_of_one_file_are_files_in_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let link = "cd results/.run_7/finished/p_7; ln table again; cd ../../../..";
    let said = store_points_with(&folder, link, "");
    assert_eq!(said, "");
    let names = bash(&folder, "stat -c '%h %n' results/p_7/{table,again}");
    assert_eq!(names, "1 results/p_7/table\n1 results/p_7/again\n");
}

#[test]
fn a_link_to_a_folder_of_the_system_is_no_model() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("model")).unwrap();
    for (place, target) in [
        ("run", "/run"),
        ("root", "/"),
        ("fd", "/proc/self"),
        ("tmp", "/tmp"),
        ("var", "/var"),
        ("var_tmp", "/var/tmp"),
        ("own", "model"),
    ] {
        symlink(target, folder.path().join(place)).unwrap();
    }
    let check = lines(&launch, "real=$(cd -P", "done");
    for (place, is_model) in [
        ("run", false),
        ("root", false),
        ("fd", false),
        ("tmp", false),
        ("var", false),
        ("var_tmp", false),
        ("own", true),
    ] {
        let program = format!(
            "missing() {{ echo \"missing: $*\"; }}
            HOME=/home/nobody-at-all stage_path=/nowhere-at-all model_path=$PWD/{place}
            {check}"
        );
        let said = bash(&folder, &program);
        assert_eq!(said.is_empty(), is_model, "{place}: {said}");
    }
}

/// Where a link leads, others may have chosen, and it is shown.
#[test]
fn the_target_of_a_link_is_shown_clean() {
    let launch = script(ScriptKind::Launch);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a\u{1b}]0;x\u{7}\u{9b}2J");
    fs::create_dir_all(target.join("home")).unwrap();
    symlink(&target, folder.path().join("model")).unwrap();
    symlink(target.join("home"), folder.path().join("home")).unwrap();
    let program = format!(
        "export LC_ALL=C.UTF-8
        problems=0
        {}
        HOME=$PWD/home stage_path=/nowhere-at-all model_path=$PWD/model
        {}",
        functions(&launch, &["say", "missing"]),
        lines(&launch, "real=$(cd -P", "done")
    );
    let said = bash(&folder, &program);
    assert!(
        said.contains("a folder with the model alone: all of "),
        "{said}"
    );
    assert!(said.is_ascii() && !said.contains('\u{1b}'), "{said:?}");
    // The name of a log, too.
    let log = folder.path().join("server_7.\u{9b}2J.out");
    fs::create_dir(log).unwrap();
    let program = format!(
        "export LC_ALL=C.UTF-8
        logs=$PWD job_id=7
        {}
        {}",
        functions(&launch, &["say", "fail"]),
        lines(&launch, "for log in \"$logs\"/{server", "done")
    );
    let said = bash(&folder, &program);
    assert!(said.contains("/server_7.??2J.out is no file"), "{said:?}");
    assert!(said.lines().last().unwrap().is_ascii(), "{said:?}");
}

/// More names than a command line holds are no model: what cannot be read has no checksum.
#[test]
fn an_index_with_more_names_than_a_command_line_holds() {
    let launch = script(ScriptKind::Launch);
    let check = lines(
        &launch,
        "missing_files \"$model_path\"",
        "[[ $hidden == *\"$model_path\"*",
    );
    for (shards, length, said_of_it) in [
        (11_000, 200, ": its index names 2,000 shards or more"),
        (1, 200_000, ": 1 files are missing"),
        (1_999, 10, "complete"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = format!(
            "set -Eeuo pipefail
            problems=0 stage_path=$PWD model_path=$PWD/model server_image=s client_image=c model_files=()
            {}
            sound_image() {{ :; }}
            mkdir model; touch s c
            shards={shards} name=$(printf '%0{length}d')
            for ((i = 0; i < shards; i++)); do echo \"\\\"$i-$name.safetensors\\\"\"; done >model/model.safetensors.index.json
            ((${{#name}} > 255)) || (cd model; shards_of . | while read -r file; do echo x >\"$file\"; done)
            {check}  missing \"the model whole: ${{#REPLIES[@]}} files are missing\"
            ((problems > 0)) || echo complete",
            functions(&launch, &["say", "missing", "stop_if_missing", "shards_of", "missing_files"])
        );
        let said = bash(&folder, &program);
        assert!(said.contains(said_of_it), "{shards}: {said}");
        assert!(!said.contains("too long"), "{shards}: {said}");
    }
    let program = format!(
        "set -Eeuo pipefail
        {}
        stage_path=$PWD model_path=$PWD server_image=s client_image=c model_files=(absent)
        touch s c
        {}
        echo went on",
        functions(&launch, &["say", "fail", "sum_of"]),
        lines(&launch, "sums=$(", "read -r server_sum")
    );
    let said = bash(&tempfile::tempdir().unwrap(), &program);
    assert!(
        said.contains("error: cannot read the images, or the model in /")
            && !said.contains("went on"),
        "{said}"
    );
}

/// Another user of the stage path names a file like one that an import left.
#[test]
fn the_name_of_what_an_import_left_is_shown_clean() {
    let folder = tempfile::tempdir().unwrap();
    let own = functions(&script(ScriptKind::Setup), &["say", "remove_leftovers"]);
    let program = format!(
        "job_has_ended() {{ :; }}
        stage_path=$PWD SLURM_JOB_ID=1
        touch \".nim.$(printf '\\e[2J\\n\\xe2\\x80\\xae')x.7.part\"
        {own}
        remove_leftovers nim
        ls -A"
    );
    let said = bash(&folder, &program);
    let name = format!("{}/.nim.?[2J????x.7.part", folder.path().display());
    assert!(said.contains(&format!("removing {name}, left")), "{said:?}");
    assert!(said.ends_with("was killed\n"), "{said:?}");
}

/// A group's model behind a link is listed as any other, and nothing is taken out of it.
#[test]
fn a_model_behind_a_link_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let prepare = script(ScriptKind::PrepareModels);
    let own = functions(&prepare, &["say", "missing", "list_files"]);
    let refusal = lines(&prepare, "[[ ! -L $model ]]", "stop_if_missing");
    let program = format!(
        "problems=0 engine_folder=engine engine_link=trtllm_engine mark=.mark
        {own}
        stop_if_missing() {{ echo \"problems: $problems\"; }}
        mkdir -p shared/engine; ln -s engine shared/trtllm_engine; echo 1 >shared/config.json; ln -s shared model
        list_files model
        model=$PWD/model
        {refusal}"
    );
    let said = bash(&folder, &program);
    assert!(said.starts_with("2 config.json\n"), "{said}");
    assert!(
        said.contains("problems: 1\n") && said.contains("missing: a folder in place of "),
        "{said}"
    );
}

/// Where PrivateData hides other users' jobs, Slurm says of a running one that there is none.
#[test]
fn what_another_user_imports_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let own = functions(&script(ScriptKind::Setup), &["say", "remove_leftovers"]);
    for part in [".nim.7.part", ".nim.8.part"] {
        fs::write(folder.path().join(part), "half").unwrap();
    }
    // Only root can give a file to another user.
    let other = std::os::unix::fs::chown(folder.path().join(".nim.8.part"), Some(12345), None);
    let left = other.map_or("", |()| ".nim.8.part\n");
    let program = format!(
        "job_has_ended() {{ :; }}
        stage_path=$PWD SLURM_JOB_ID=1
        {own}
        remove_leftovers nim >/dev/null
        ls -A"
    );
    assert_eq!(bash(&folder, &program), left);
}

/// The login shell's locale, which a node need not have.
#[test]
fn a_locale_that_the_node_lacks_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ScriptKind::ALL {
        let text = script(kind);
        let begin = lines(&text, "set +axvfC", "need_commands() {");
        let begin = begin.replace("need_commands() {\n", "");
        let program = format!(
            "cat >begin <<'END'\n{begin}\nmissing a; missing b; missing c\nEND\nLC_ALL=xx_XX.UTF-8 bash begin"
        );
        let said = bash(&folder, &program);
        assert_eq!(said.matches("missing: ").count(), 3, "{said}");
        assert!(said.matches("setlocale").count() <= 1, "{said}");
    }
}

/// GPFS keeps small files in their inodes, so that they have no blocks. What has none may have data all the same.
#[test]
fn files_without_blocks_are_stored_with_their_data() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("no_blocks.c"),
        "#define _GNU_SOURCE
        #include <dlfcn.h>
        #include <sys/stat.h>
        #define WITHOUT(call) int status = call; if (!status && S_ISREG(is->st_mode)) is->st_blocks = 0; return status;
        int fstatat(int at, const char *name, struct stat *is, int flags) {
          int (*next)(int, const char *, struct stat *, int) = dlsym(RTLD_NEXT, \"fstatat\");
          WITHOUT(next(at, name, is, flags))
        }
        int fstat(int file, struct stat *is) {
          int (*next)(int, struct stat *) = dlsym(RTLD_NEXT, \"fstat\");
          WITHOUT(next(file, is))
        }",
    )
    .unwrap();
    let own = functions(&script(ScriptKind::Launch), &["in_run", "copy_point"]);
    let program = format!(
        "{own}
        cc -shared -fPIC -o no_blocks.so no_blocks.c
        rm -rf results copies
        results=$PWD/results
        mkdir -p results/run/p_7 copies
        seq 300 >results/run/p_7/table
        export LD_PRELOAD=$PWD/no_blocks.so
        copy_point $results/run/p_7 $PWD/copies
        cmp -s results/run/p_7/table copies/p_7/table && echo same || echo lost"
    );
    assert_eq!(bash(&folder, &program), "same\n");
    // As it would be with holes.
    let with_holes = program.replace("tar -cf", "tar -Scf");
    assert_eq!(bash(&folder, &with_holes), "lost\n");
}

/// A client of an earlier run of the job leaves so many names that no command line holds them.
#[test]
fn many_names_in_the_folder_of_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let launch = script(ScriptKind::Launch);
    let line = functions(&launch, &["clear_run"]);
    let program = format!(
        "set -Eeuo pipefail
        run=$PWD/results/.run_7
        mkdir -p kept.1 $run/taken.0/p/q $run/taken.1 $run/p_7
        touch kept.1/a $run/ended.0 $run/p_7/state.0 $run/bended.0
        ln -s ../../kept.1 $run/state.1
        name=$(printf '%0200d')
        (cd $run; for ((i = 0; i < 20000; i++)); do echo \"meet.$name.$i\"; done | xargs touch)
        {line}
        clear_run
        cd $run; find . ../../kept.1 | sort"
    );
    let said = bash(&folder, &program);
    let left = ".\n../../kept.1\n../../kept.1/a\n./bended.0\n./p_7\n./p_7/state.0\n";
    assert_eq!(said, left);
}

/// Slurm kills what is left of a cancelled job process by process, so that the one that makes a text may end before the one
/// that writes it.
#[test]
fn a_manifest_that_was_cut_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let own = functions(&script(ScriptKind::Launch), &["put", "write_manifest"]);
    let program = format!(
        "{own}
        manifest=run_7.json
        print_manifest() {{ echo whole; }}
        write_manifest && cat run_7.json
        print_manifest() {{ echo half; kill -KILL \"$BASHPID\"; }}
        write_manifest || cat run_7.json"
    );
    assert_eq!(bash(&folder, &program), "whole\nwhole\n");
}
