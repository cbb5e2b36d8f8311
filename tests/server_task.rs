//! What becomes the server in its container: launch.sh's own function, run by bash.

use std::process::Command;

use nim_slurm::{Plan, Recipe, Settings};

/// What a command prints that the task of a server becomes, with these words behind the
/// function's name.
#[track_caller]
fn task(words: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let mut several = Recipe::llama3_70b_h100x4_fp8();
    several.server.replicas = 2;
    task_of(several, words, variables)
}

#[track_caller]
fn task_of(recipe: Recipe, words: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    let launch = plan.launch();
    let text = launch.text();
    let first = |begin: &str| {
        text.find(&format!("\n{begin}"))
            .map(|place| &text[place + 1..])
    };
    // The function of several servers or nodes, and the lines of their task.
    let several = first("take_gpus() {").map_or("", |rest| rest.split_once("\n}\n").unwrap().0);
    let end = if several.is_empty() { "" } else { "\n}\n" };
    let lines = text
        .lines()
        .filter(|line| line.starts_with("server_lines=("));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let begin = first("server_step() {").unwrap();
    let (_, step) = begin.split_once("\"${words[@]}\" < <(").unwrap();
    let (step, _) = step.split_once(")\n}\n").unwrap();
    let program = format!("{several}{end}{lines}\nexec bash -s -- \"$@\" < <({step})");
    let output = Command::new("bash")
        .args(["-c", &program, "bash"])
        .args(words)
        .env_remove("CUDA_VISIBLE_DEVICES")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8(words).unwrap();
    (output.status.success(), words.trim_end().to_owned())
}

#[test]
fn its_variables_may_have_any_name() {
    let names = [
        "words", "word", "gpus", "first", "rank", "command", "NAME_2",
    ];
    let values = names.map(|name| format!("{name}=it's {{node_rank}} \"{name}\"\n."));
    let print = names.map(|name| format!("${{{name}}}")).join("|");
    let print = format!("echo \"{print}|$1\"");
    let mut line = vec!["1", "1", "0", "4"];
    line.extend(values.iter().map(String::as_str));
    line.extend(["bash", "-c", &print, "--", "--"]);
    let expected = names.map(|name| format!("it's {{node_rank}} \"{name}\"\n."));
    let expected = format!("{}|--", expected.join("|"));
    assert_eq!(task(&line, &[]), (true, expected.clone()));
    let alone = Recipe::llama3_70b_h100x4_fp8();
    assert_eq!(task_of(alone, &line, &[]), (true, expected));
}

#[test]
fn a_node_knows_its_rank() {
    let line = |nodes| {
        let print = "echo $A $1 $2";
        let command = ["bash", "-c", print, "x", "{node_rank}", "{is_leader}"];
        [&[nodes, "1", "0", "8", "A=n{node_rank}"][..], &command].concat()
    };
    for (rank, said) in [("0", "n0 0 1"), ("1", "n1 1 0")] {
        let variables = [("SLURM_NODEID", rank)];
        assert_eq!(task(&line("2"), &variables), (true, said.to_owned()));
    }
    let said = "n{node_rank} {node_rank} {is_leader}".to_owned();
    assert_eq!(task(&line("1"), &[("SLURM_NODEID", "0")]), (true, said));
}

/// Two nodes, of which the first does not know its own address: Debian writes 127.0.1.1 into /etc/hosts. OTHER is the node
/// that knows it, and BLOCK are launch.sh's own lines.
const TWO_NODES: &str = r#"
set -Eeuo pipefail
declare -A facts
nodes=2 stop_timeout=60 SLURM_JOB_NUM_NODES=2 SLURM_JOB_NODELIST='node[1-2]' SLURMD_NODENAME=node1 here=node1
missing() { echo "missing: $1"; }
timeout() { "${@:2}"; }
scontrol() {
  case "$1 $2" in
    'show node') echo '   NodeAddr=node1 NodeHostName=node1' ;;
    'show hostnames') printf '%s\n' node1 node2 ;;
  esac
}
srun() {
  local here
  echo 'words of a prolog'
  while [[ $1 == --* ]]; do
    [[ $1 != --nodelist=* ]] || here=${1#*=}
    shift
  done
  "$@"
}
getent() {
  case $here in
    OTHER) printf '%s\n' '10.0.0.1 STREAM node1' '10.0.0.1 DGRAM' '10.1.0.1 STREAM' ;;
    node1) echo '127.0.1.1 STREAM node1' ;;
    *) return 2 ;;
  esac
}
BLOCK
echo "${facts[leader_address]} ${of_nodes[*]: -1}"
"#;

#[test]
fn another_node_says_where_the_leader_is() {
    let recipe = Recipe::built_in("deepseek-r1-h100x16-nim").unwrap();
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    let launch = plan.launch();
    let (_, rest) = launch
        .text()
        .split_once("\nif ((nodes > 1)); then")
        .unwrap();
    let (block, _) = rest.split_once("\nfi\n").unwrap();
    let said = |other: &str| {
        let program = TWO_NODES.replace("OTHER", other).replace("BLOCK", block);
        let output = Command::new("bash")
            .args(["-c", &program])
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(said("node2"), "10.0.0.1 --wait=60\n");
    let said = said("node3");
    assert!(
        said.starts_with("missing: an address of node1, where"),
        "{said}"
    );
}

#[test]
fn each_of_several_has_its_own_gpus() {
    let line = |number| {
        let print = "echo ${CUDA_VISIBLE_DEVICES-all}";
        ["1", "2", number, "2", "bash", "-c", print]
    };
    let given = [("CUDA_VISIBLE_DEVICES", "2,3,GPU-a,GPU-b")];
    assert_eq!(task(&line("0"), &given), (true, "2,3".to_owned()));
    assert_eq!(task(&line("1"), &given), (true, "GPU-a,GPU-b".to_owned()));
    let (went_on, said) = task(&line("1"), &[("CUDA_VISIBLE_DEVICES", "2,3")]);
    assert!(
        !went_on && said.contains("too few for 2 from place 2 on"),
        "{said}"
    );
    // One alone takes what its step has.
    let alone = [
        "1",
        "1",
        "0",
        "4",
        "bash",
        "-c",
        "echo ${CUDA_VISIBLE_DEVICES-all}",
    ];
    assert_eq!(task(&alone, &[]), (true, "all".to_owned()));
}
