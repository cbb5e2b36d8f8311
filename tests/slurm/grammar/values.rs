//! Texts for each option: such as people mean, such as they mistype, and such as
//! an attacker would give.

use nim_slurm::slurm::OptionName;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

use super::refusals::examples;

/// What a text is made of, and options of TOML that it needs.
pub(super) type Row = (&'static str, &'static str, &'static str);

/// Printable text that ends with neither end's blank.
const FREE: &str = "[!-~äß→😀]([ -~äß→😀]{0,14}[!-~äß→😀])?";
const NAME: &str = "[A-Za-z0-9_.][A-Za-z0-9_.-]{0,8}";
const FEATURES: &str = "(h100|nvme|rack1)([&|,](nvme|rack2))?(\\*[0-2])?";
const GROUPS: &str = "(h100&)?[\\[(](rack1|nvme)([|&])(rack2|h100)(\\*2)?[\\])](\\*1)?(&nvme)?";
const SMALL: &str = "[0-9]{1,2}";
const CLOCK: &str = "[0-9]{1,4}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}";
const TIME_WORDS: &str =
    "(now|NOON|midnight|teatime|fika|today|tomorrow|[0-2][0-9]:[0-6][0-9](:[0-5][0-9])?)";
const DAY: &str = "20[23][0-9]-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?)?";
const LATER: &str = "now\\+[0-9]{1,4}(second|minute|hour|day|week)?s?";
const FREE_PATH: &str = "/tmp/[ -~ä→]{1,10}";
const A_FILE: &str = "(\\./)?(nodes|more nodes|nodes #1 \\(ü\\))";
const GPUS: &str = "(h100:|4090:)?[1-8]";
const MEMORY: &str = "[0-9]{1,4}[kKmMgGtT]?[bB]?";
const NODES: &str = "node(\\[0?[1-9](-1[0-9])?(,2[0-9])?\\]|[1-9])(,node3)?";
const FLAG: &str = "(|true|yes)";

/// Patterns of each option's trade. An option has several rows where one pattern
/// would rarely hit.
pub(super) const ROWS: &[Row] = &[
    ("job_name", "[ -.0-~äß→😀]{1,16}", ""),
    ("account", NAME, ""),
    ("account", "[a-z]{1,4}@[a-z0-9]{1,4}", ""),
    ("partition", "(batch|gpu)(,(gpu|batch))?", ""),
    ("qos", NAME, ""),
    ("reservation", "(bench|maint)(,bench)?", ""),
    ("wckey", FREE, ""),
    ("mcs_label", FREE, ""),
    ("clusters", NAME, ""),
    ("cluster_constraint", "!?[a-z0-9_.-]{1,4}(,[a-z]{1,3})?", ""),
    (
        "licenses",
        "(ansys|flex-lm)(:[0-9]{1,2})?([,|](matlab@lic1)(:[1-9])?)?",
        "",
    ),
    ("constraint", FEATURES, ""),
    ("constraint", GROUPS, ""),
    (
        "constraint",
        "(h100&)?\\[(rack1\\*[1-4]&rack2\\*[1-4]|\\(rack1&nvme\\)\\|rack2)\\](&nvme(\\*2)?)?",
        "",
    ),
    ("prefer", FEATURES, ""),
    (
        "batch",
        "(h100|nvme)(&rack1)?",
        "constraint = 'h100&nvme&rack1'",
    ),
    ("nodelist", NODES, ""),
    ("nodefile", A_FILE, ""),
    ("exclude", NODES, ""),
    (
        "extra_node_info",
        "(\\*|[0-2])(:(\\*|[0-9]{1,2})(:(\\*|[0-2]))?)?",
        "",
    ),
    ("sockets_per_node", "[0-2]", ""),
    ("cores_per_socket", SMALL, ""),
    ("threads_per_core", "[0-2]", ""),
    ("mincpus", SMALL, ""),
    ("tmp", MEMORY, ""),
    ("contiguous", FLAG, ""),
    ("spread_job", FLAG, ""),
    ("use_min_nodes", FLAG, ""),
    ("nodes", "[0-9]{1,2}(-[0-9]{1,3})?", ""),
    ("ntasks", "[0-9]{1,3}", ""),
    ("ntasks_per_node", SMALL, ""),
    ("ntasks_per_socket", SMALL, ""),
    ("ntasks_per_core", "[0-9]", ""),
    ("ntasks_per_gpu", "[0-9]", "gpus = 4"),
    ("ntasks_per_tres", "[0-9]", "gpus = 4"),
    ("cpus_per_task", SMALL, ""),
    ("cpus_per_gpu", "[0-9]", "gpus = 2"),
    (
        "tres_per_task",
        "(cpu=[0-9]|gres/gpu(:h100)?=[0-4]|license/ansys=[1-9])(,gres/gpu(:h100)?=[1-2])?",
        "ntasks = 4",
    ),
    ("overcommit", FLAG, ""),
    ("core_spec", "[0-9]{1,2}", ""),
    ("thread_spec", "[0-9]{1,2}", ""),
    (
        "distribution",
        "(block|CYCLIC|\\*|fcyclic)(:(block|cyclic|\\*|fcyclic)){0,3}(,pack|,nopack)?",
        "",
    ),
    ("distribution", "plane=[0-9]{1,2}", "nodes = 2\nntasks = 16"),
    (
        "distribution",
        "(arbitrary|plane|plane=1)",
        "nodelist = 'node[1-2]'\nntasks = 2",
    ),
    (
        "hint",
        "(compute_bound|memory_bound|multithread)(,(compute_bound|NOmultithread))?",
        "",
    ),
    (
        "cpu_freq",
        "(low|High|highm1|[0-9]{1,8}|ondemand|userspace)(-(low|high|medium|highm1|[0-9]{1,8}))?(:(ondemand|performance))?",
        "",
    ),
    (
        "cpu_freq",
        "(low-|medium-|[1-9]00-)(high|highm1|2000)(:(OnDemand|conservative|schedutil|powersave|userspace))?",
        "",
    ),
    (
        "gres",
        "gpu(:h100)?(:[0-8])?(,gpu(:1g\\.10gb\\+me)?(:[0-4])?)?",
        "",
    ),
    (
        "gres",
        "(localscratch:[0-9]{1,3}[kKmMgG]?|nvme-local(:[0-4])?)(,gpu:4090:[1-2])?",
        "",
    ),
    ("gpus_per_node", GPUS, ""),
    ("gpus", GPUS, ""),
    ("gpus_per_task", GPUS, "ntasks = 1"),
    ("gpus_per_socket", "(h100:)?[1-4]", "sockets_per_node = 2"),
    (
        "gpu_bind",
        "(verbose,)?(none|closest|single:[0-9]|per_task:[0-9]|map_gpu:[0-9](,[0-9]){0,3})",
        "gpus = 1",
    ),
    (
        "gpu_bind",
        "(verbose,)?mask_gpu:(0x)?[0-9a-fA-F]{1,9}(,[0-9a-g])?",
        "gpus = 1",
    ),
    (
        "gpu_freq",
        "(memory=)?(low|highm1|[0-9]{1,5})(,(memory=)?(high|[0-9]{1,5}))?(,verbose)?",
        "gpus = 1",
    ),
    (
        "gres_flags",
        "(enforce-binding|disable-binding|one-task-per-sharing)(,multiple-tasks-per-sharing|,enforce-binding)?",
        "gpus = 1",
    ),
    (
        "tres_bind",
        "gres/gpu:(verbose,)?(none|closest|single:[0-9]|per_task:[0-9]|map_gpu:[0-9](,[0-9])?)",
        "gpus = 1",
    ),
    ("mem", MEMORY, ""),
    ("mem_per_cpu", "[0-9]{1,4}[kKmMgG]?[bB]?", ""),
    ("mem_per_gpu", "[0-9]{1,4}[kKmMgG]?[bB]?", "gpus = 1"),
    (
        "mem_bind",
        "(quiet,|verbose,)?(sort,|nosort,)?(prefer,)?(none|rank|local|map_mem:[0-9](,[0-9])?)",
        "",
    ),
    (
        "mem_bind",
        "(verbose,)?mask_mem:(0x)?[0-9a-fA-F]{1,9}(,[0-9a-g])?",
        "",
    ),
    ("mem_update", "[0-9]{1,3}@[0-9]{1,5}", ""),
    ("oom_kill_step", "(0|1|true)", ""),
    ("exclusive", "(|true|User|mcs|topo)", ""),
    ("oversubscribe", FLAG, ""),
    ("time", "[0-9]{1,8}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}", ""),
    (
        "time",
        "(unlimited|INFINITE|[0-9]:[0-5][0-9]:[0-5][0-9]|[1-9]-[01][0-9]:[0-5][0-9])",
        "",
    ),
    ("time_min", CLOCK, ""),
    ("begin", TIME_WORDS, ""),
    ("begin", DAY, ""),
    ("begin", LATER, ""),
    ("deadline", TIME_WORDS, ""),
    (
        "deadline",
        "203[0-7]-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?)?",
        "",
    ),
    // Far enough to be asked about.
    ("deadline", "now\\+[1-9][0-9]{0,2}(hour|day|week)s?", ""),
    (
        "delay_boot",
        "[0-9]{1,5}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}",
        "",
    ),
    ("wait_all_nodes", "[01]", ""),
    ("reboot", FLAG, ""),
    (
        "array",
        "[0-9]{1,2}(-[0-9]{2})?(:[0-9])?(,[0-9]{1,2}(-[0-9]{2})?)?(%[0-9])?",
        "",
    ),
    (
        "dependency",
        "(singleton|after(any|ok|notok|corr|burstbuffer)?:[1-9][0-9]?(_[0-9*])?)([,?]afterANY:[1-9](:[1-9])?)?",
        "",
    ),
    ("dependency", "after:[1-9](\\+[0-9]{1,3})?(:[1-9])?", ""),
    ("kill_on_invalid_dep", "(yes|NO)", ""),
    ("hold", FLAG, ""),
    ("nice", "-?[0-9]{1,10}", ""),
    ("priority", "(TOP|top|[0-9]{1,10})", ""),
    (
        "signal",
        "([BRbr]{0,2}:)?(SIG|sig)?(USR1|HUP|int|[0-9]{1,2}|xcpu)(@[0-9]{1,5})?",
        "",
    ),
    ("requeue", "(|true|yes|expedite)", ""),
    ("no_requeue", FLAG, ""),
    ("no_kill", "(|true|yes|set|off|no)", ""),
    ("open_mode", "(append|Truncate)", ""),
    ("output", FREE_PATH, ""),
    ("output", "/tmp/(%[0-9]{0,2}[%AabjJNnstuxq]|x){1,3}", ""),
    ("error", "/tmp/(%[0-9]{0,2}[%AabjJNnstux]|[ -~]){1,4}", ""),
    ("input", "/tmp/(%[0-9]{0,2}[%AabjJNnstux]|[ -~]){1,4}", ""),
    ("chdir", "/[ -~ä→]{1,10}", ""),
    (
        "export",
        "(ALL|NONE|NIL|[A-Z_]{1,5})(,[A-Za-z_][A-Z0-9]{0,3}){0,2}",
        "",
    ),
    ("export_file", "(\\./)?variables", ""),
    ("get_user_env", FLAG, ""),
    (
        "propagate",
        "(RLIMIT_)?(ALL|NONE|AS|CORE|NOFILE|RSS|as)(,(RLIMIT_)?(CORE|STACK))?",
        "",
    ),
    ("comment", "[ -~äß→😀]{1,16}", ""),
    ("extra", FREE, ""),
    (
        "mail_type",
        "(NONE|BEGIN|END|fail|TIME_LIMIT|TIME_LIMIT_90|ARRAY_TASKS|all)(,(END|FAIL|requeue))?",
        "",
    ),
    ("mail_user", "[!-~äß]{1,12}", "mail_type = 'END'"),
    (
        "acctg_freq",
        "((task|energy|disk)=)?[0-9]{1,5}(,(energy|network|filesystem)=[0-9]{1,5})?",
        "",
    ),
    (
        "profile",
        "(all|None|energy|task|network)(,(energy|lustre|filesystem))?",
        "",
    ),
    ("power", "(level|LEVEL)", ""),
    ("bb", FREE, ""),
    ("bbf", A_FILE, ""),
    ("container", FREE_PATH, ""),
    ("container_id", FREE, ""),
    ("container_type", FREE, ""),
    ("context", FREE, ""),
    ("resources", "(ansys|flex-lm)(:[1-9])?", ""),
    ("stepmgr", FLAG, ""),
    ("network", FREE, ""),
    ("resv_ports", "(|true|[1-9])", "stepmgr = true"),
    (
        "switches",
        "[0-9](@[0-9]{1,3}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2})?",
        "",
    ),
    ("segment", SMALL, "nodes = 4"),
    ("consolidate_segments", FLAG, "segment = 1\nnodes = 2"),
    ("spread_segments", FLAG, "segment = 1\nnodes = 2"),
];

/// What somebody gives to any option to see what happens, and the ends of numbers.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "-",
    "--",
    ",",
    ":",
    "#",
    "#x",
    "x#y",
    "\"",
    "'",
    "\\",
    "a\\b",
    "\\\"",
    "$(id)",
    "`id`",
    "$HOME",
    ";",
    "a b",
    " 1",
    "1 ",
    "\t1",
    "+1",
    "-1",
    "-0",
    "00",
    "01",
    "0",
    "0x1",
    "1k",
    "1.5",
    "1e3",
    "1,",
    ",1",
    "1,,2",
    "65533",
    "65534",
    "65535",
    "65540",
    "2147483646",
    "2147483647",
    "2147483648",
    "4294967293",
    "4294967294",
    "4294967296",
    "99999999999999999999",
    "\u{a0}1",
    "١",
    "é\u{301}",
    "none",
    "all",
    "help",
    "list",
    "true",
    "yes",
    "no",
    "unlimited",
    "%j",
    "\u{7f}",
    "x\ry",
];

/// What a slip of the hand puts in.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[0-9]{1,2}",
        3 => "[,:@%*/+=_.-]",
        2 => "[a-zA-Z]",
        1 => "[ \t]",
        1 => "[#\"'\\\\$`;|&?!~^\\[\\](){}]",
    ]
}

/// A text of the pattern with a place or two overwritten.
fn mistyped(pattern: &str) -> impl Strategy<Value = String> {
    let edits = proptest::collection::vec((any::<Index>(), 0..3_usize, piece()), 1..3);
    (string_regex(pattern).unwrap(), edits).prop_map(|(mut text, edits)| {
        for (place, length, piece) in edits {
            let boundary = |at: usize| (at..=text.len()).find(|&at| text.is_char_boundary(at));
            let start = boundary(place.index(text.len() + 1)).unwrap();
            let end = boundary((start + length).min(text.len())).unwrap();
            text.replace_range(start..end, &piece);
        }
        text
    })
}

fn rows(name: OptionName) -> Vec<&'static Row> {
    let rows: Vec<_> = ROWS.iter().filter(|row| row.0 == name.key()).collect();
    rows
}

/// Texts for an option, each with the options that it needs: `cases` of each row as
/// they are meant, and as many mistyped.
pub(super) fn texts(
    name: OptionName,
    cases: usize,
    runner: &mut TestRunner,
) -> Vec<(String, &'static str)> {
    let mut texts = Vec::new();
    for &(_, pattern, others) in rows(name) {
        let (meant, mistyped) = (string_regex(pattern).unwrap(), mistyped(pattern));
        for _ in 0..cases {
            texts.push((meant.new_tree(runner).unwrap().current(), others));
            texts.push((mistyped.new_tree(runner).unwrap().current(), others));
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

/// The release's share of the hostile texts, and the examples of the list.
pub(super) fn hostile(
    name: OptionName,
    place: usize,
    share: usize,
) -> impl Iterator<Item = (String, &'static str)> {
    let others = rows(name)[0].2;
    let hostile = HOSTILE.iter().skip(place % share).step_by(share).copied();
    let examples = examples().filter(move |&(option, _)| option == name);
    let texts = hostile.chain(examples.map(|(_, text)| text));
    texts.map(move |text| (text.to_owned(), others))
}

/// An option without a row would be given to no sbatch.
#[test]
fn each_option_has_texts() {
    for &name in OptionName::ALL {
        assert!(
            !rows(name).is_empty(),
            "{name} has no row in ROWS of tests/slurm/grammar/values.rs"
        );
    }
    for &(key, ..) in ROWS {
        assert!(
            OptionName::from_key(key).is_some(),
            "ROWS has {key:?}, which is no option"
        );
    }
}
