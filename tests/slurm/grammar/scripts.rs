//! Whole scripts: options set together, by TOML and by the builder.

use std::collections::BTreeMap;

use nim_slurm::slurm::{Directives, OptionName};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

use super::slurms::Slurm;
use super::taken;
use super::values::ROWS;

/// Options that the controller computes again when another one is set, so that its word
/// is not the user's; sbatch's still is.
const RECKONED: &[(OptionName, &[OptionName])] = {
    use OptionName as O;
    const WHOLE_NODES: &[OptionName] = &[O::Reboot, O::CoreSpec, O::ThreadSpec];
    &[
        (
            O::Ntasks,
            &[
                O::NtasksPerNode,
                O::NtasksPerGpu,
                O::NtasksPerTres,
                O::Nodes,
                O::Nodelist,
                O::Nodefile,
            ],
        ),
        (
            O::Mincpus,
            &[
                O::NtasksPerNode,
                O::CpusPerTask,
                O::ExtraNodeInfo,
                O::CoresPerSocket,
            ],
        ),
        // The first tasks of an array are taken apart for their burst buffers.
        (O::Array, &[O::Bb, O::Bbf]),
        // Both are in one list there.
        (O::Gres, &[O::GpusPerNode]),
        (O::GpusPerNode, &[O::Gres]),
        (O::Licenses, &[O::Resources]),
        // It has all that a task gets.
        (O::GpusPerTask, &[O::CpusPerTask, O::TresPerTask]),
        (O::TresPerTask, &[O::CpusPerTask, O::GpusPerTask]),
        // These take whole nodes.
        (O::Exclusive, WHOLE_NODES),
        (O::Oversubscribe, WHOLE_NODES),
        // 22.05 writes one behind the other without a blank.
        (O::KillOnInvalidDep, &[O::SpreadJob, O::GresFlags]),
        (O::SpreadJob, &[O::KillOnInvalidDep, O::GresFlags]),
    ]
};

/// True when the controller says what it reckoned from another option.
pub(super) fn is_reckoned(directives: &Directives, name: OptionName) -> bool {
    let mut rows = RECKONED.iter().filter(|(own, _)| *own == name);
    rows.any(|(_, others)| others.iter().any(|&other| directives.is_set(other)))
}

/// A text that the option's type takes, and what it needs beside it.
fn meant(runner: &mut TestRunner) -> Option<(OptionName, String, &'static str)> {
    let row = (0..ROWS.len()).new_tree(runner).unwrap().current();
    let (key, pattern, others) = ROWS[row];
    let name = OptionName::from_key(key).unwrap();
    let texts = string_regex(pattern).unwrap();
    let mut texts = (0..20).map(|_| texts.new_tree(runner).unwrap().current());
    let text = texts.find(|text| Directives::new().set(name, text).is_ok())?;
    Some((name, text, others))
}

/// A job with several options, each made by its builder and read from TOML as well.
pub(super) fn script(slurm: &Slurm, runner: &mut TestRunner) -> Directives {
    // Whether it holds depends on the hour.
    const BY_THE_CLOCK: [OptionName; 3] =
        [OptionName::Begin, OptionName::Time, OptionName::TimeMin];
    // Which nodes the file names is known to sbatch alone.
    const FROM_A_FILE: [OptionName; 2] = [OptionName::Nodefile, OptionName::Exclude];
    let size = (2..14_usize).new_tree(runner).unwrap().current();
    let mut directives = Directives::new();
    while directives.names().count() < size {
        let Some((name, text, others)) = meant(runner) else {
            continue;
        };
        let is_set = |name: &OptionName| directives.is_set(*name);
        if FROM_A_FILE.contains(&name) && FROM_A_FILE.iter().any(is_set) {
            continue;
        }
        if BY_THE_CLOCK.contains(&name) && is_set(&OptionName::Deadline)
            || name == OptionName::Deadline && BY_THE_CLOCK.iter().any(is_set)
        {
            continue;
        }
        let others: Directives = toml::from_str(others).unwrap();
        // What goes together is kept, as a user does who reads the errors.
        if let Ok(more) = taken(
            slurm,
            name,
            &text,
            directives.clone().with_fallback(&others),
        ) {
            directives = more;
        }
    }
    let table: BTreeMap<_, _> = directives
        .names()
        .map(|name| (name.key(), directives.get(name).unwrap()))
        .collect();
    let table = toml::to_string(&table)
        .unwrap()
        .replace(" = \"\"\n", " = true\n");
    assert_eq!(
        toml::from_str::<Directives>(&table).as_ref(),
        Ok(&directives),
        "{table}"
    );
    directives
}
