//! The scripts byte for byte: those that a new user gets as they are, and of all other plans
//! of `tests/common/plans.rs` what they have instead. After a change that is meant:
//! `SNAPSHOTS=overwrite cargo test --test golden`, a look at the difference, and a line in
//! CHANGELOG.md under "Scripts".

#[path = "common/client.rs"]
mod client;
#[path = "common/differences.rs"]
mod differences;
#[path = "common/plans.rs"]
mod plans;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use nim_slurm::{Plan, ScriptKind, shell_word};
use snapbox::{assert_data_eq, file};

use crate::client::{client_program, without_client};
use crate::differences::{PROGRAMS, Scripts, differences};

const OTHERS: &str = "others.diff";

/// The texts of the golden files: the scripts of the first, and the others' differences.
fn golden_files(scripts: &[Scripts]) -> BTreeMap<&'static str, String> {
    let (base, others) = scripts.split_first().unwrap();
    let names = ScriptKind::ALL.map(ScriptKind::file_name);
    let mut files: BTreeMap<_, _> = names.into_iter().zip(base.texts.iter().cloned()).collect();
    files.insert(OTHERS, differences(base, others));
    files
}

fn golden_scripts() -> Vec<Scripts> {
    plans::golden().iter().map(Scripts::of).collect()
}

#[test]
fn golden_files_are_the_scripts() {
    let files = golden_files(&golden_scripts());
    assert_data_eq!(&files["setup.sh"], file!["golden/setup.sh"].raw());
    assert_data_eq!(
        &files["prepare_models.sh"],
        file!["golden/prepare_models.sh"].raw()
    );
    assert_data_eq!(&files["launch.sh"], file!["golden/launch.sh"].raw());
    assert_data_eq!(&files[OTHERS], file!["golden/others.diff"].raw());
}

/// The golden files only name them.
#[test]
fn programs_are_values_byte_for_byte() {
    let plans = plans::golden();
    for (file, program) in PROGRAMS {
        let word = shell_word(program);
        let mut scripts = plans.iter().map(|case| case.plan.launch());
        assert!(
            scripts.any(|launch| launch.text().contains(&word)),
            "{file}"
        );
    }
}

/// Whoever changes a template reads what its change does.
#[test]
fn golden_files_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut names = Vec::new();
    let mut lines = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        lines += fs::read_to_string(path).unwrap().lines().count();
    }
    names.sort();
    let expected = ["launch.sh", OTHERS, "prepare_models.sh", "setup.sh"];
    assert_eq!(names, expected);
    assert!(lines < 5000, "{lines} lines");
    println!("{lines} lines");
}

/// A line of a template that is text, and those around it.
struct Line {
    file: PathBuf,
    before: Option<String>,
    text: String,
    after: Option<String>,
}

fn template_lines() -> Vec<Line> {
    // A blank line in front of a tag is eaten.
    let is_text =
        |line: &&String| !line.contains("{{") && !line.contains("{%") && !line.trim().is_empty();
    let mut found = Vec::new();
    for (file, lines) in plans::templates() {
        for (index, line) in lines.iter().enumerate() {
            if !is_text(&line) {
                continue;
            }
            let beside = |index: Option<usize>| lines.get(index?).filter(is_text).cloned();
            found.push(Line {
                file: file.clone(),
                before: beside(index.checked_sub(1)),
                text: line.clone(),
                after: beside(Some(index + 1)),
            });
        }
    }
    found
}

impl Line {
    /// The script with another line in place of this one, and how often it stands there.
    fn changed_in(&self, script: &str) -> (String, usize) {
        let lines: Vec<_> = script.lines().collect();
        let is_beside = |told: &Option<String>, index: Option<usize>| {
            let is = index.and_then(|index| lines.get(index));
            told.as_ref().is_none_or(|told| is == Some(&told.as_str()))
        };
        let (mut changed, mut count) = (String::new(), 0);
        for (index, line) in lines.iter().enumerate() {
            changed += line;
            if *line == self.text
                && is_beside(&self.before, index.checked_sub(1))
                && is_beside(&self.after, Some(index + 1))
            {
                changed += " # changed";
                count += 1;
            }
            changed.push('\n');
        }
        (changed, count)
    }

    /// All scripts with another line; `None` where others have the same neighbours.
    fn changed_in_all(&self, scripts: &[Scripts]) -> Option<Vec<Scripts>> {
        let change = |of: &Scripts| {
            let texts = of.texts.iter().map(|text| self.changed_in(text));
            let texts: Option<Vec<_>> = texts
                .map(|(text, count)| (count < 2).then_some(text))
                .collect();
            Some(Scripts {
                what: of.what.clone(),
                texts: texts?,
            })
        };
        scripts.iter().map(change).collect()
    }
}

/// The golden files where this line stands, with a mark in front of it or none.
fn files_with(line: &str, files: &BTreeMap<&str, String>) -> usize {
    let shows = |(name, text): &(&&str, &String)| {
        let mut lines = text.lines();
        if **name == OTHERS {
            lines.any(|shown| shown.get(1..) == Some(line))
        } else {
            lines.any(|shown| shown == line)
        }
    };
    files.iter().filter(shows).count()
}

#[test]
fn each_line_of_a_template_is_in_a_golden_file() {
    let scripts = golden_scripts();
    let texts = scripts.iter().flat_map(|of| &of.texts);
    let shown: BTreeSet<_> = texts.flat_map(|text| text.lines()).collect();
    let lines = template_lines();
    assert!(lines.len() > 1000, "{} lines of templates", lines.len());
    let unseen = lines
        .iter()
        .filter(|line| !shown.contains(line.text.as_str()));
    let unseen: Vec<_> = unseen.map(|line| (&line.file, &line.text)).collect();
    let place = "golden() of tests/common/plans.rs";
    assert!(unseen.is_empty(), "no plan of {place} has {unseen:#?}");
}

/// A line that stands nowhere else changes where it is shown, since scripts stay as alike as
/// they were. That this is so is tried with some: they are changed, and the files made again.
#[test]
fn a_change_of_a_line_changes_three_files_at_most() {
    let scripts = golden_scripts();
    let files = golden_files(&scripts);
    let lines = template_lines();
    let (mut worst, mut counted, mut tried) = (0, 0, 0);
    for (index, line) in lines.iter().enumerate() {
        let place = format!("{}: {:?}", line.file.display(), line.text);
        // Each script begins with a line that no template has.
        let is_alone = lines.iter().filter(|other| other.text == line.text).count() == 1
            && !line.text.starts_with("#!");
        let shown = is_alone.then(|| files_with(&line.text, &files));
        if let Some(shown) = shown {
            assert!(shown <= 3, "{place}: {shown} files");
            worst = worst.max(shown);
            counted += 1;
        }
        if index / 40 < tried {
            continue;
        }
        if let Some(scripts) = line.changed_in_all(&scripts) {
            let again = golden_files(&scripts);
            let changed = files.iter().filter(|(name, text)| again[**name] != **text);
            let changed = changed.count();
            assert!((1..=3).contains(&changed), "{place}: {changed} files");
            assert!(shown.is_none_or(|shown| shown == changed), "{place}");
            tried += 1;
        }
    }
    let all = lines.len();
    assert!(counted > all / 2 && tried > all / 60, "{counted}, {tried}");
    println!("{all} lines of templates, {counted} counted, {tried} changed: {worst} files at most");
}

fn full_plan() -> Plan {
    plans::golden().swap_remove(1).plan
}

/// The crate's version stands in one line, so that a release changes one line.
#[test]
fn the_version_stands_once() {
    for kind in ScriptKind::ALL {
        let script = full_plan().script(kind);
        let version = format!("nim-slurm {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(script.text().matches(&version).count(), 1);
    }
}

#[test]
fn same_input_same_bytes() {
    for kind in ScriptKind::ALL {
        assert_eq!(full_plan().script(kind), full_plan().script(kind));
    }
}

#[test]
fn sbatch_takes_the_form() {
    for kind in ScriptKind::ALL {
        let script = full_plan().script(kind);
        let text = script.text();
        assert!(
            text.starts_with("#!")
                && text.ends_with('\n')
                && !text.contains('\r')
                && !text.contains('\0')
        );
        assert!(text.len() < 4 << 20);
        // sbatch stops at the first line that is no comment.
        let first_command = text
            .lines()
            .position(|line| !line.is_empty() && !line.starts_with('#'))
            .unwrap();
        let all = text
            .lines()
            .filter(|line| line.starts_with("#SBATCH"))
            .count();
        let read = text
            .lines()
            .take(first_command)
            .filter(|line| line.starts_with("#SBATCH"))
            .count();
        assert!(
            all > 3 && read == all,
            "{kind:?}: sbatch reads {read} of {all} directives"
        );
    }
}

#[track_caller]
fn check(what: &str, tool: &str, arguments: &[&str], text: &str) {
    use std::io::Write;

    let mut child = Command::new(tool)
        .args(arguments)
        .arg("/dev/stdin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {tool}: {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && words.is_empty(),
        "{what}: {tool}: {}",
        String::from_utf8_lossy(&words)
    );
}

/// Does it with each on all processors.
fn with_each<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

/// One of each form of the clients' programs, with its launch script's name.
fn client_programs(scripts: &[plans::Script]) -> Vec<(String, String)> {
    let launches = scripts
        .iter()
        .filter(|script| script.kind == ScriptKind::Launch);
    let forms = plans::Forms::new();
    let programs: BTreeMap<_, _> = launches
        .map(|script| (client_program(&script.text), &script.what))
        .map(|(program, what)| (forms.of(&program), (what.clone(), program)))
        .collect();
    programs.into_values().collect()
}

#[test]
fn bash_reads_every_script() {
    let scripts = plans::every_script();
    with_each(&scripts, |script| {
        check(&script.what, "bash", &["-n"], &script.text);
    });
    let programs = client_programs(&scripts);
    with_each(&programs, |(what, program)| {
        check(what, "bash", &["-n"], program);
    });
    let launches = scripts.iter().filter(|s| s.kind == ScriptKind::Launch);
    let launches = launches.count();
    assert!(launches > 1 && scripts.len() > launches + 6);
    let (all, programs) = (scripts.len(), programs.len());
    println!("{all} forms of scripts, {launches} of launch.sh, {programs} of its client");
}

#[test]
#[ignore = "needs shellcheck: tests/run installs it"]
fn shellcheck_finds_nothing() {
    let scripts = plans::every_script();
    // launch.sh declares what the client's program reads, as its fill does; traps call on_signal.
    let programs = client_programs(&scripts);
    with_each(&programs, |(what, program)| {
        let arguments = ["--shell=bash", "--exclude=SC2034,SC2154,SC2317"];
        check(what, "shellcheck", &arguments, program);
    });
    // Inside launch.sh it is a text, which shellcheck does not look into.
    let mut texts = BTreeMap::new();
    for script in scripts {
        let text = match script.kind {
            ScriptKind::Launch => without_client(&script.text),
            _ => script.text,
        };
        let form = plans::Forms::new().of(&text);
        texts.entry(form).or_insert((script.what, text));
    }
    let texts: Vec<_> = texts.into_values().collect();
    with_each(&texts, |(what, text)| {
        check(what, "shellcheck", &["--shell=bash"], text);
    });
    println!(
        "{} texts, {} programs of clients",
        texts.len(),
        programs.len()
    );
}
