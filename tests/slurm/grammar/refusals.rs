//! Why the crate refuses what sbatch takes: the list in the crate's documentation,
//! and which text has which reason.

use std::collections::BTreeSet;

use nim_slurm::slurm::{Directives, OptionName};

const LIST: &str = include_str!("../../../src/slurm/refusals.md");

const GPUS: &[&str] = &["gpus", "gpus_per_node", "gpus_per_task", "gpus_per_socket"];
const TIMES: &[&str] = &["time", "time_min", "delay_boot", "switches"];

/// Whether a text for the option with a key has the reason.
type Applies = fn(&str, &str) -> bool;

/// The reasons, as the list names them. The first that applies is a text's reason.
const REASONS: &[(&str, Applies)] = &[
    ("nothing", |_, text| text.is_empty()),
    ("a control character", |_, text| {
        let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        text.contains(|c: char| c.is_control() || turns(c))
    }),
    ("another form", |key, text| {
        matches!(key, "nodelist" | "exclude") && text.contains(' ') && !text.trim().is_empty()
    }),
    ("a blank", |_, text| text.contains(char::is_whitespace)),
    ("a sign or zeros", |key, text| {
        let is_word = matches!(key, "oom_kill_step" | "wait_all_nodes");
        let signed = text
            .strip_prefix('+')
            .or_else(|| text.strip_prefix("-0").map(|_| "0"));
        signed.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
            && !is_name(key)
            || is_word && text.starts_with('0')
    }),
    ("a gap in a list", |key, text| {
        let not = (key == "cluster_constraint").then(|| text.strip_prefix('!'));
        let text = not.flatten().unwrap_or(text);
        text.split([',', ';']).any(str::is_empty) || text.split(':').all(str::is_empty)
    }),
    ("a name that no site gives", |key, text| match key {
        "export" => !text.split(',').all(|name| {
            let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
            name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
        }),
        "account" => !is_site_name(text),
        "qos" | "clusters" => !text.split(',').all(is_site_name),
        "wckey" => text.starts_with('*'),
        "nodelist" | "exclude" => {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-.,[]".contains(c);
            !text.chars().all(is_allowed)
        }
        "cluster_constraint" => {
            let list = text.strip_prefix('!').unwrap_or(text);
            !list.split(',').all(is_site_name)
        }
        _ => false,
    }),
    ("a slash", |key, text| {
        key == "job_name" && text.contains('/')
    }),
    ("no expansion", |key, text| {
        let is_expanded = text.contains('$') || text.starts_with('~');
        match key {
            "chdir" | "container" | "nodefile" | "bbf" | "export_file" => {
                is_expanded || is_number(text)
            }
            "output" | "error" | "input" => is_expanded,
            _ => false,
        }
    }),
    ("no such pattern", |key, text| {
        matches!(key, "output" | "error" | "input") && text.contains(['%', '\\'])
    }),
    ("zero", |key, text| match key {
        "time" | "time_min" | "mem_per_gpu" => {
            has_digits(text) && numbers(text).all(|number| number == 0)
        }
        "nodes" | "gpus" | "gpus_per_node" | "gpus_per_task" | "gpus_per_socket" | "gres"
        | "gpu_freq" | "gpu_bind" | "priority" | "extra_node_info" | "dependency" | "segment"
        | "resv_ports" | "signal" | "licenses" | "tres_per_task" | "switches" => {
            let mut parts = text.split(|c: char| !c.is_ascii_alphanumeric());
            parts.any(|part| is_number(part) && part.trim_matches('0').is_empty())
        }
        "deadline" => {
            matches!(text.to_ascii_lowercase().as_str(), "now" | "today")
                || text.starts_with("now+0")
        }
        _ => false,
    }),
    ("endless by another name", |key, text| {
        TIMES.contains(&key)
            && (text.starts_with('-')
                || text.contains("@-")
                || text.starts_with(char::is_alphabetic))
    }),
    ("too large", |key, text| {
        let most = match key {
            "signal" => 31,
            "core_spec" | "thread_spec" => 32_767,
            // Terabytes.
            "mem" | "mem_per_cpu" | "mem_per_gpu" | "tmp" if text.contains(['t', 'T']) => 1024,
            "begin" | "deadline" => 2000,
            // Days.
            key if TIMES.contains(&key) && text.contains('-') => 20_000,
            "nice" | "priority" => i128::from(i32::MAX) - 2,
            "account" | "qos" | "job_name" => return false,
            _ => 65_533,
        };
        numbers(text).any(|number| number > most)
    }),
    ("more than its unit holds", |key, text| {
        let (_, time) = text.split_once('@').unwrap_or(("", text));
        let parts = time.split(['-', ':']).skip(1).flat_map(numbers);
        TIMES.contains(&key) && parts.into_iter().any(|number| number > 23)
    }),
    ("a unit", |key, text| {
        matches!(key, "nodes" | "extra_node_info" | "tres_per_task")
            && text.contains(['k', 'K', 'm', 'M'])
    }),
    ("an open range", |key, text| {
        key == "nodes" && text.starts_with('-')
    }),
    ("two things at once", |key, text| match key {
        "export" | "profile" | "propagate" | "hint" | "mail_type" => {
            let lower = text.to_ascii_lowercase().replace("rlimit_", "");
            let words: BTreeSet<_> = lower.split(',').map(str::to_owned).collect();
            let alone = ["none", "all", "nil"]
                .iter()
                .any(|word| words.contains(*word));
            let pairs = [
                ("compute_bound", "memory_bound"),
                ("multithread", "nomultithread"),
                ("compute_bound", "multithread"),
                ("memory_bound", "multithread"),
            ];
            let pair = pairs
                .iter()
                .any(|(one, other)| words.contains(*one) && words.contains(*other));
            text.contains(',') && (alone || pair || words.len() < text.split(',').count())
        }
        "gpu_freq" | "gres_flags" | "acctg_freq" | "licenses" | "gres" | "tres_per_task" => {
            let names = text
                .split([',', '|'])
                .map(|entry| entry.split([':', '=']).next().unwrap());
            let names: Vec<_> = names.collect();
            let distinct: BTreeSet<_> = names.iter().collect();
            distinct.len() < names.len()
                || key == "gpu_freq" && names.len() > 1
                || key == "acctg_freq" && is_number(names[0]) && names.len() > 1
        }
        _ => false,
    }),
    ("several types", |key, text| {
        GPUS.contains(&key) && text.contains(',')
    }),
    ("a type of GPU", |key, text| {
        GPUS.contains(&key) || key == "gres" && text.contains(':')
    }),
    ("a kind of resource", |key, text| match key {
        "tres_per_task" => !text.contains('=') || text.contains(":="),
        "tres_bind" => true,
        _ => false,
    }),
    ("another form", |key, text| match key {
        "begin" | "deadline" | "signal" => true,
        "dependency" => text.starts_with(|c: char| c.is_ascii_digit()),
        "array" => text.contains(['[', ']']),
        // A name like others, before 23.02.
        "export" => text == "NIL",
        // One name, before 24.11; then a list, which needs two.
        "qos" => text.contains(','),
        "constraint" | "prefer" | "batch" => text.contains('*'),
        "gres" => text.starts_with("gres") || text == "none" || text.contains('='),
        "licenses" => text.contains(['=', ';']),
        "exclusive" => matches!(text, "exclusive" | "oversubscribe"),
        "distribution" => text.contains("pack") || text.ends_with(':') || text == "plane",
        "mem_bind" => text.contains("sort") || text.contains("prefer"),
        "profile" => text.contains("filesystem"),
        "cpu_freq" => text.contains('-') && (!text.contains(':') || text.ends_with("userspace")),
        _ => false,
    }),
    ("not read to the end", |key, text| match key {
        "dependency" => text.contains(['_', '+']),
        "extra_node_info" => text.contains('*'),
        // Of what stands right behind a bracket.
        "constraint" | "prefer" | "batch" => {
            let mut behind = text.split([')', ']']).skip(1);
            behind.any(|rest| rest.starts_with(|c: char| !"&|,)]*".contains(c)))
        }
        "nice" | "acctg_freq" | "priority" | "array" | "cpu_freq" | "gpu_bind" | "power"
        | "get_user_env" | "profile" => true,
        "distribution" => text.to_ascii_lowercase().starts_with("plane"),
        "open_mode" => text.starts_with(['a', 'A', 't', 'T']),
        "switches" => text.contains('@'),
        "mail_type" => text.contains(|c: char| !c.is_ascii_alphabetic()),
        "mem_bind" => text.starts_with("no") || text.to_ascii_lowercase().contains("mask_mem:"),
        _ => false,
    }),
];

fn is_name(key: &str) -> bool {
    matches!(
        key,
        "account" | "qos" | "clusters" | "cluster_constraint" | "export"
    ) || GPUS.contains(&key)
}

fn is_site_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.starts_with('-') && text.chars().all(is_allowed)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn has_digits(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
}

/// The numbers in a text; one that is larger than all that Slurm counts is as large
/// as can be.
fn numbers(text: &str) -> impl Iterator<Item = i128> {
    let parts = text.split(|c: char| !c.is_ascii_digit());
    parts
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap_or(i128::MAX))
}

/// The reason on the list for a text that the crate refuses.
pub(super) fn reason(name: OptionName, text: &str) -> Option<&'static str> {
    let mut reasons = REASONS.iter();
    let found = reasons.find(|(_, applies)| applies(name.key(), text));
    found.map(|&(reason, _)| reason)
}

/// A row of the list.
struct Row {
    reason: &'static str,
    /// True when it is for all options, or for all of a kind that it names.
    is_for_all: bool,
    options: Vec<&'static str>,
    examples: Vec<(OptionName, &'static str)>,
}

fn in_backticks(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('`').skip(1).step_by(2)
}

/// The list of texts, and the list of options that stand together or alone.
fn parts() -> (&'static str, &'static str) {
    LIST.split_once("\n## ").unwrap()
}

/// A row of the second list.
pub(super) struct Together {
    /// True for an option that needs another one.
    is_alone: bool,
    /// The options of which two exclude each other, or each of which needs another one.
    pub(super) options: Vec<&'static str>,
}

/// The second list.
pub(super) fn together() -> Vec<Together> {
    let lines = parts().1.lines();
    let rows = lines.filter(|line| line.starts_with("| together") || line.starts_with("| alone"));
    rows.map(|line| Together {
        is_alone: line.starts_with("| alone"),
        options: in_backticks(line.split('|').nth(2).unwrap()).collect(),
    })
    .collect()
}

/// The rows of the second list for which the crate refuses a job; none if something that the
/// crate says of the job is on no row.
pub(super) fn reasons_together(job: &Directives) -> Option<BTreeSet<usize>> {
    let rows = together();
    let row = |is_alone: bool, names: &[OptionName]| {
        rows.iter().position(|row| {
            row.is_alone == is_alone && names.iter().all(|name| row.options.contains(&name.key()))
        })
    };
    let conflicts = job.conflicts().into_iter();
    let conflicts = conflicts.map(|pair| row(false, &[pair.first, pair.second]));
    let needs = job.needs().into_iter();
    let needs = needs.map(|need| row(true, &[need.option]));
    conflicts.chain(needs).collect()
}

fn rows() -> Vec<Row> {
    let lines = parts()
        .0
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1);
    lines
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let example = |text: &'static str| {
                let (option, value) = text.strip_prefix("--")?.split_once('=')?;
                let name = OptionName::from_key(&option.replace('-', "_"))?;
                Some((name, value))
            };
            Row {
                reason: cells[1],
                is_for_all: cells[2].starts_with("all"),
                options: in_backticks(cells[2]).collect(),
                examples: in_backticks(cells[3]).filter_map(example).collect(),
            }
        })
        .collect()
}

/// The examples of the list.
pub(super) fn examples() -> impl Iterator<Item = (OptionName, &'static str)> {
    rows().into_iter().flat_map(|row| row.examples)
}

/// True when the list has the reason for this option.
pub(super) fn is_listed(reason: &str, name: OptionName) -> bool {
    let mut rows = rows().into_iter().filter(|row| row.reason == reason);
    rows.any(|row| row.is_for_all || row.options.contains(&name.key()))
}

/// The names of the reasons.
pub(super) fn names() -> BTreeSet<&'static str> {
    REASONS.iter().map(|&(reason, _)| reason).collect()
}

#[test]
fn the_list_is_the_crates_own() {
    let rows = rows();
    assert_eq!(
        rows.iter().map(|row| row.reason).collect::<BTreeSet<_>>(),
        names()
    );
    for key in together().iter().flat_map(|row| &row.options) {
        assert!(OptionName::from_key(key).is_some(), "{key}");
    }
    for row in &rows {
        for key in &row.options {
            assert!(OptionName::from_key(key).is_some(), "{key}");
        }
        for &(name, text) in &row.examples {
            let refused = Directives::new().set(name, text);
            assert!(
                refused.is_err() || text.is_empty() && name == OptionName::Nice,
                "{name}={text}"
            );
            assert_eq!(reason(name, text), Some(row.reason), "{name}={text}");
        }
    }
}
