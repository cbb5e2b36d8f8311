//! What scripts have instead of the lines of others, for the golden files: no line numbers,
//! and what several plans have alike stands once.

use std::collections::BTreeSet;

use nim_slurm::{ScriptKind, shell_word};
use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};

use crate::plans::Case;

/// Removed lines that stand in a row are named by the first and counted, from so many on.
const LONG: usize = 4;

/// Programs in Python that are values of launch.sh: they stand in the repository as they are, and so are only named.
pub(crate) const PROGRAMS: [(&str, &str); 3] = [
    (
        "src/script/aiperf_gate.py",
        include_str!("../../src/script/aiperf_gate.py"),
    ),
    (
        "src/script/data.py",
        include_str!("../../src/script/data.py"),
    ),
    (
        "src/script/search.py",
        include_str!("../../src/script/search.py"),
    ),
];

/// The scripts of a plan, in the order of [`ScriptKind::ALL`].
pub(crate) struct Scripts {
    pub(crate) what: String,
    pub(crate) texts: Vec<String>,
}

impl Scripts {
    pub(crate) fn of(case: &Case) -> Self {
        let texts = ScriptKind::ALL.iter();
        Self {
            what: case.what.clone(),
            texts: texts
                .map(|&kind| {
                    let text = case.plan.script(kind).text().to_owned();
                    PROGRAMS.iter().fold(text, |text, (file, program)| {
                        text.replace(&shell_word(program), &format!("… {file}"))
                    })
                })
                .collect(),
        }
    }
}

/// What the others have instead of the lines of `base`. Each hunk has a line in front, else one
/// behind, and says which plans have it. Lines that all scripts of `base` have are only
/// counted: `…` is one, `… 3 lines` are more; in front of a hunk and behind it they are left out.
pub(crate) fn differences(base: &Scripts, others: &[Scripts]) -> String {
    let of_all = lines_of_all(&base.texts);
    let mut text = String::new();
    for (index, kind) in ScriptKind::ALL.iter().enumerate() {
        let old: Vec<_> = base.texts[index].lines().collect();
        // Where it begins, its text, and who has it.
        let mut hunks: Vec<(usize, String, Vec<&str>)> = Vec::new();
        for other in others {
            let new: Vec<_> = other.texts[index].lines().collect();
            let operations = capture_diff_slices(Algorithm::Patience, &old, &new);
            for group in group_diff_ops(operations, 1) {
                let place = group[0].old_range().start;
                let hunk = hunk(&group, &old, &new, &of_all);
                match hunks.iter_mut().find(|(p, h, _)| *p == place && *h == hunk) {
                    Some((_, _, plans)) => plans.push(&other.what),
                    None => hunks.push((place, hunk, vec![&other.what])),
                }
            }
        }
        hunks.sort_by_key(|(place, _, _)| *place);
        for (_, hunk, plans) in hunks {
            let plans = plans.join("; ");
            text += &format!("@@ {}: {plans}\n{hunk}", kind.file_name());
        }
    }
    text
}

/// Lines that stand in each of these texts.
fn lines_of_all(texts: &[String]) -> BTreeSet<&str> {
    let sets = texts
        .iter()
        .map(|text| text.lines().collect::<BTreeSet<_>>());
    let common = sets.reduce(|all, set| &all & &set).unwrap_or_default();
    let is_told = |line: &&str| !line.trim().is_empty();
    common.into_iter().filter(is_told).collect()
}

fn hunk(group: &[DiffOp], old: &[&str], new: &[&str], of_all: &BTreeSet<&str>) -> String {
    let mut text = String::new();
    let last = group.len() - 1;
    for (index, operation) in group.iter().enumerate() {
        let (tag, was, is) = operation.as_tag_tuple();
        let is_edge = index == 0 || index == last;
        let tells_nothing = || old[was.clone()].iter().all(|line| of_all.contains(line));
        if tag == DiffTag::Equal && is_edge && tells_nothing() {
            continue;
        }
        // The line in front has told where it is.
        if tag == DiffTag::Equal && index == last && text.starts_with(' ') {
            continue;
        }
        if tag == DiffTag::Equal {
            push(&mut text, ' ', &old[was], of_all);
        } else {
            push(&mut text, '-', &old[was], of_all);
            push(&mut text, '+', &new[is], &BTreeSet::new());
        }
    }
    text
}

fn push(text: &mut String, mark: char, lines: &[&str], of_all: &BTreeSet<&str>) {
    let is_long = mark == '-' && lines.len() >= LONG;
    let is_counted = |place: usize| of_all.contains(lines[place]) || is_long && place != 0;
    let mut place = 0;
    while place < lines.len() {
        let counted = (place..lines.len())
            .take_while(|&at| is_counted(at))
            .count();
        match counted {
            0 => *text += &format!("{mark}{}\n", lines[place]),
            1 => *text += &format!("{mark}…\n"),
            more => *text += &format!("{mark}… {more} lines\n"),
        }
        place += counted.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts(what: &str, texts: [&str; 3]) -> Scripts {
        Scripts {
            what: what.to_owned(),
            texts: texts.map(|text| text.replace(' ', "\n") + "\n").into(),
        }
    }

    #[test]
    fn a_hunk_stands_once_and_what_all_have_is_counted() {
        let base = scripts("base", ["all a b c all d", "all e f", "all 1 2 3 4 5 6 7"]);
        let same = ["all e f", "all 1 2 3 4 5 6 7"];
        let one = scripts("one", ["all a X c all d", same[0], "all 1 7"]);
        let two = scripts("two", ["all a X c all d", "all e all f", same[1]]);
        let three = scripts("three", ["all a b c d", same[0], "1 2 3 4 5 6"]);
        let of = [
            "@@ setup.sh: one; two\n a\n-b\n+X\n@@ setup.sh: three\n c\n-…\n",
            "@@ prepare_models.sh: two\n e\n+all\n",
            "@@ launch.sh: three\n-…\n 1\n@@ launch.sh: one\n 1\n-2\n-… 4 lines\n\
             @@ launch.sh: three\n 6\n-7\n",
        ];
        assert_eq!(differences(&base, &[one, two, three]), of.concat());
        let long = scripts("long", ["all a b c all d", same[0], "all 7"]);
        assert_eq!(
            differences(&base, &[long]),
            "@@ launch.sh: long\n-1\n-… 5 lines\n 7\n"
        );
    }
}
