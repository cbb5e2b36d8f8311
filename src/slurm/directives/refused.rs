//! Options that no script may have, and names that sbatch would take for options.

use super::OptionName;

/// Options of sbatch that a script must not have, each with its letter and why.
const REFUSED: &[(&str, Option<char>, &str)] = &[
    ("autocomplete", None, COMMAND_LINE),
    (
        "cluster",
        None,
        "another name of --clusters: use the key clusters",
    ),
    (
        "external",
        None,
        "an external job has no script: it is for sbatch's command line",
    ),
    ("gid", None, OTHERS),
    ("help", Some('h'), COMMAND_LINE),
    ("ignore-pbs", None, COMMAND_LINE),
    ("parsable", None, COMMAND_LINE),
    ("quiet", Some('Q'), COMMAND_LINE),
    (
        "tasks-per-node",
        None,
        "another name of --ntasks-per-node: use the key ntasks_per_node",
    ),
    ("test-only", None, COMMAND_LINE),
    ("uid", None, OTHERS),
    ("usage", None, COMMAND_LINE),
    ("verbose", Some('v'), COMMAND_LINE),
    ("version", Some('V'), COMMAND_LINE),
    ("wait", Some('W'), COMMAND_LINE),
    ("wrap", None, COMMAND_LINE),
    ("container-image", None, PYXIS),
    ("no-container-mount-home", None, PYXIS),
];

const COMMAND_LINE: &str = "it has no place in a script: it is for sbatch's command line";
const OTHERS: &str = "only root may submit for others";
const PYXIS: &str = "sbatch would run the whole script in the container; the script's steps name their images themselves";

/// Why the options that sbatch would take `name` for are not free to be passed
/// through: the typed ones, and those that no script may have. As sbatch does, it
/// takes the beginning of a name for the name.
pub(crate) fn refusal(name: &str) -> Option<String> {
    let typed = |is_it: &dyn Fn(&str) -> bool| {
        let mut typed = OptionName::ALL.iter();
        let typed = typed.find(|typed| is_it(typed.long()))?;
        Some(format!("use the key {} for {typed}", typed.key()))
    };
    let begins = || {
        let mut rows = REFUSED.iter();
        let row = rows.find(|(long, ..)| long.starts_with(name))?;
        refused(row.0)
    };
    let (whole, beginning) = (
        |long: &str| long == name,
        |long: &str| long.starts_with(name),
    );
    typed(&whole)
        .or_else(|| refused(name))
        .or_else(|| typed(&beginning))
        .or_else(begins)
}

/// Why an option has no type here and must not be in a script, if that is so. Of
/// pyxis' options, all are meant.
pub(super) fn refused(name: &str) -> Option<String> {
    let row = REFUSED.iter().find(|(long, ..)| *long == name);
    let option = name.strip_prefix("no-").unwrap_or(name);
    let is_pyxis = option.starts_with("container-");
    let reason = row.map(|row| row.2).or(is_pyxis.then_some(PYXIS))?;
    Some(format!("--{name}: {reason}"))
}

/// The long name behind a letter.
pub(crate) fn long_of(short: char) -> Option<&'static str> {
    let mut typed = OptionName::ALL.iter();
    let typed = typed.find(|typed| typed.short() == Some(short));
    let refused = || REFUSED.iter().find(|(_, own, _)| *own == Some(short));
    typed
        .map(|typed| typed.long())
        .or_else(|| refused().map(|&(long, ..)| long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_letters_exist_once() {
        let typed = OptionName::ALL.iter().map(|name| name.long());
        let mut longs: Vec<_> = typed.chain(REFUSED.iter().map(|row| row.0)).collect();
        let letters = OptionName::ALL.iter().filter_map(|name| name.short());
        let mut letters: Vec<_> = letters
            .chain(REFUSED.iter().filter_map(|row| row.1))
            .collect();
        let counts = (longs.len(), letters.len());
        longs.sort_unstable();
        longs.dedup();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!((longs.len(), letters.len()), counts);
        // sbatch's own, each with a type or with a reason; two of the table are pyxis'.
        assert_eq!(
            longs.len(),
            121 + 2,
            "count again what `sbatch --help` and its man page have, and change the number here"
        );
    }
}
