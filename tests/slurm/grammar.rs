//! Whatever text a type takes, sbatch takes it as well, and the controller says that
//! it means the same.

use std::collections::BTreeSet;
use std::fs;

use nim_slurm::slurm::{Directives, Memory, OptionName, Release, TimeLimit};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::lab::{Lab, words};

/// Texts of each option's trade, right and wrong ones, and options that it needs.
const TEXTS: &[(&str, &str, &str)] = &[
    (
        "array",
        "[0-9]{1,2}(-[0-9]{2})?(:[0-9])?(,[0-9]{1,2}(-[0-9]{2})?)?(%[0-9])?",
        "",
    ),
    (
        "signal",
        "([BRbr]{0,2}:)?(SIG|sig)?(USR1|HUP|int|[0-9]{1,2}|xcpu)(@[0-9]{1,5})?",
        "",
    ),
    (
        "begin",
        "(now|noon|[0-9]{2}:[0-9]{2}(:[0-9]{2})?|20[0-3][0-9]-[01][0-9]-[0-3][0-9](T[0-2][0-9]:[0-5][0-9])?)",
        "",
    ),
    (
        "begin",
        "now\\+[0-9]{1,4}(second|minute|hour|day|week)?s?",
        "",
    ),
    (
        "cpu_freq",
        "(low|high|highm1|[0-9]{1,8}|ondemand)(-(low|high|medium|highm1|[0-9]{1,8}))?(:ondemand)?",
        "",
    ),
    (
        "gpu_freq",
        "(memory=)?(low|highm1|[0-9]{1,5})(,(memory=)?(high|[0-9]{1,5}))?(,verbose)?",
        "gpus = 1",
    ),
    (
        "gpu_bind",
        "(verbose,)?(none|closest|single:[0-9]|per_task:[0-9]|map_gpu:[0-9](,[0-9]){0,3})",
        "gpus = 1",
    ),
    (
        "gpu_bind",
        "mask_gpu:(0x)?[0-9a-fA-F]{1,9}(,[0-9a-g])?",
        "gpus = 1",
    ),
    (
        "mem_bind",
        "(quiet,|verbose,)?(sort,|nosort,)?(prefer,)?(none|rank|local|map_mem:[0-9](,[0-9])?)",
        "",
    ),
    ("mem_bind", "mask_mem:(0x)?[0-9a-fA-F]{1,9}(,[0-9a-g])?", ""),
    (
        "distribution",
        "(block|cyclic|\\*|fcyclic)(:(block|cyclic|\\*|fcyclic)){0,3}(,pack|,nopack)?",
        "",
    ),
    ("distribution", "plane=[0-9]{1,2}", "nodes = 2\nntasks = 16"),
    (
        "hint",
        "(compute_bound|memory_bound|multithread)(,(compute_bound|nomultithread))?",
        "",
    ),
    (
        "acctg_freq",
        "((task|energy|disk)=)?[0-9]{1,10}(,(energy|network)=[0-9]{1,5})?",
        "",
    ),
    (
        "switches",
        "[0-9](@[0-9]{1,3}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2})?",
        "",
    ),
    ("time", "[0-9]{1,8}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}", ""),
    (
        "delay_boot",
        "[0-9]{1,5}(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}",
        "",
    ),
    ("mem", "[0-9]{1,4}[kKmM]?[bB]?", ""),
    ("nodelist", "node\\[[12](-[12])?(,[12])?\\](,node[12])?", ""),
    ("gres", "gpu(:h100)?(:[0-8])?(,gpu(:h100)?(:[0-4])?)?", ""),
    (
        "propagate",
        "(RLIMIT_)?(ALL|NONE|AS|CORE|NOFILE|RSS|as)(,(RLIMIT_)?(CORE|STACK))?",
        "",
    ),
    (
        "profile",
        "(all|none|energy|task|filesystem)(,(energy|lustre))?",
        "",
    ),
    ("nice", "-?[0-9]{1,10}", ""),
    ("priority", "(TOP|top|[0-9]{1,10})", ""),
    (
        "mail_type",
        "(NONE|BEGIN|END|fail|TIME_LIMIT|ARRAY_TASKS)(,(END|FAIL))?",
        "",
    ),
    ("nodes", "[0-2](-[0-9]{1,3})?", ""),
    (
        "export",
        "(ALL|NONE|[A-Z_]{1,5})(,[A-Za-z_][A-Z0-9]{0,3}){0,2}",
        "",
    ),
    (
        "cluster_constraint",
        "!?[a-z0-9_.-]{1,4}(,!?[a-z]{1,3})?",
        "",
    ),
    ("core_spec", "[0-9]{1,5}", ""),
    ("output", "/tmp/[a-z%0-9AabjJNnstux]{1,8}", ""),
    ("job_name", "[ -~]{1,12}", ""),
    ("comment", "[ -~äü]{1,16}", ""),
    ("wckey", "[ -~]{1,12}", ""),
    ("chdir", "[ -~]{1,12}", ""),
    ("mail_user", "[ -~]{1,12}", "mail_type = 'END'"),
];

/// What sbatch says of the lab, not of a text.
const OF_THE_LAB: [&str; 2] = [
    "Requested node configuration is not available",
    "Node count specification invalid",
];

/// What the controller must say of a held job with these options, a line's beginning
/// and its rest each.
fn meaning(directives: &Directives, name: OptionName, text: &str) -> Option<(String, String)> {
    let value = directives.get(name)?;
    let (field, said) = match name {
        OptionName::JobName => ("JobName", value),
        OptionName::Comment => ("Comment", value),
        OptionName::MailUser => ("MailUser", value),
        OptionName::Nice => ("Nice", value),
        OptionName::Time => {
            let limit = TimeLimit::parse(text).unwrap();
            let said = limit.minutes().map_or("UNLIMITED".to_owned(), |minutes| {
                let (days, minutes) = (minutes / 1440, minutes % 1440);
                let clock = format!("{:02}:{:02}:00", minutes / 60, minutes % 60);
                let days = (days > 0).then(|| format!("{days}-"));
                days.unwrap_or_default() + &clock
            });
            ("TimeLimit", said)
        }
        OptionName::Mem => {
            let mebibytes = Memory::parse(text).unwrap().mebibytes();
            // Of all a node's memory, the controller says none.
            let said = match mebibytes {
                0 => "0".to_owned(),
                whole if whole % 1024 == 0 => format!("{}G", whole / 1024),
                rest => format!("{rest}M"),
            };
            ("MinMemoryNode", said)
        }
        _ => return None,
    };
    Some((field.to_owned(), said))
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn sbatch_takes_what_the_types_take() {
    let lab = Lab::enter();
    let version = words(&lab.command("sbatch").arg("--version").output().unwrap());
    let version = version.trim();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("job.sh");
    // The same texts each time, so that a failure can be looked at again.
    let mut runner = TestRunner::deterministic();
    let mut refused = Vec::new();
    let mut others_mean = Vec::new();
    let (mut given, mut compared) = (0, 0);
    for &(key, pattern, others) in TEXTS {
        let name = OptionName::from_key(key).unwrap();
        let texts = proptest::string::string_regex(pattern).unwrap();
        let taken = (0..40).filter_map(|_| {
            let text = texts.new_tree(&mut runner).unwrap().current();
            let mut directives: Directives = toml::from_str(others).unwrap();
            directives.set(name, &text).ok()?;
            // What contradicts itself is refused by a plan.
            directives
                .conflicts()
                .is_empty()
                .then_some((text, directives))
        });
        let taken: Vec<_> = taken.take(12).collect();
        assert!(taken.len() > 3, "{key}: {pattern}");
        for (text, directives) in taken {
            given += 1;
            assert!(directives.unknown_to(Release::new(22, 5)).is_empty());
            fs::write(&script, directives.head() + "true\n").unwrap();
            let mut sbatch = lab.command("sbatch");
            let output = sbatch.args(["--hold", "--parsable"]).arg(&script).output();
            let output = output.unwrap();
            let said = words(&output);
            if output.status.success() {
                let id = String::from_utf8(output.stdout).unwrap();
                if let Some((field, said)) = meaning(&directives, name, &text) {
                    compared += 1;
                    let mut scontrol = lab.command("scontrol");
                    let shown = scontrol.args(["show", "job", id.trim()]).output().unwrap();
                    let shown = String::from_utf8(shown.stdout).unwrap();
                    let wanted = format!("{field}={said}");
                    let is_there = shown.lines().any(|line| {
                        let found = line.split_once(&wanted);
                        found.is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
                    });
                    if !is_there {
                        others_mean.push(format!("{text:?}: no {wanted:?} in {shown}"));
                    }
                }
                lab.command("scancel").arg(id.trim()).output().unwrap();
            } else if !OF_THE_LAB.iter().any(|reason| said.contains(reason)) {
                refused.push(format!("{:?}: {said}", directives.arguments()));
            }
        }
    }
    println!(
        "{version}: {} options, {given} values, {compared} meanings compared, {} disagreements",
        TEXTS.iter().map(|row| row.0).collect::<BTreeSet<_>>().len(),
        refused.len() + others_mean.len()
    );
    assert_eq!(refused, [""; 0], "{version}");
    assert_eq!(others_mean, [""; 0], "{version}");
}
