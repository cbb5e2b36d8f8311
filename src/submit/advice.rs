//! What to do about Slurm's refusals.

use crate::job_options::ScriptKind;
use crate::plan::Plan;
use crate::slurm::OptionName;
use crate::status::ASSOCIATIONS;

/// Words of Slurm, the option that they are about, what to do, and a command that
/// shows more. The first row whose words are among Slurm's holds. Source:
/// `slurm_errno.c`, and sbatch's own `opt.c`.
const ROWS: &[(&[&str], Option<OptionName>, &str, &str)] = &[
    (
        &["unable to contact", "connection refused", "timed out"],
        None,
        "see whether Slurm's controller answers",
        "scontrol ping",
    ),
    (
        UNKNOWN_PARTITION,
        Some(OptionName::Partition),
        "name a partition that is there",
        "sinfo -s",
    ),
    (
        &[
            "accounting/qos policy",
            "qosmax",
            "qosgrp",
            "assocmax",
            "assocgrp",
        ],
        None,
        "ask for less, or submit the scripts one after the other, since your account or QOS limits how many jobs you may \
         have, and how large",
        "sacctmgr show qos format=name,maxsubmitpu,maxwall,maxtrespu",
    ),
    (
        &["account"],
        Some(OptionName::Account),
        "name an account of yours",
        ASSOCIATIONS,
    ),
    (
        &["qos"],
        Some(OptionName::Qos),
        "name a quality of service that you may use",
        ASSOCIATIONS,
    ),
    (
        &["partition not available", "inactive or drain"],
        None,
        "wait, or name another partition",
        "sinfo -s",
    ),
    (
        &["time limit", "timelimit"],
        Some(OptionName::Time),
        "ask for less time",
        "sinfo -o '%P %l'",
    ),
    (
        &["memory required by task"],
        Some(OptionName::Mem),
        "ask for less memory than a job may have, where 0 is all of a node",
        "scontrol show config | grep MaxMemPer",
    ),
    (
        USED_ALONE,
        Some(OptionName::Ntasks),
        "beside --gpus-per-task or --tres-per-task, give all GPUs with --gpus, or the number of tasks",
        "sbatch --help",
    ),
    (
        &["generic resource", "gres", "tres"],
        Some(OptionName::Gres),
        "ask for resources that the nodes have",
        "sinfo -o '%P %G'",
    ),
    (
        &["node configuration is not available", "down, drained"],
        None,
        "ask for what the nodes have, and see whether they are up",
        "sinfo -o '%P %D %T %c %m %G'",
    ),
    (
        &["reservation"],
        Some(OptionName::Reservation),
        "name a reservation that you may use",
        "scontrol show reservation",
    ),
    (
        &["feature"],
        Some(OptionName::Constraint),
        "name features that the nodes have",
        "sinfo -o '%P %f'",
    ),
    (
        &["unrecognized option", "invalid directive"],
        None,
        "take the option out of the settings, since this Slurm does not know it",
        "sbatch --help",
    ),
    (
        &[
            "stat file",
            "configuration file",
            "configuration source",
            "slurm_conf",
            "clustername",
        ],
        None,
        "set SLURM_CONF as the site says, or load its Slurm module",
        "scontrol ping",
    ),
];

const TOO_FEW_RESOURCES: &[&str] = &[
    "generic resource",
    "gres",
    "tres",
    "node configuration is not available",
];

/// Of GPUs for each task, where nothing says how many tasks there are.
const USED_ALONE: &[&str] = &["used without either"];

const UNKNOWN_PARTITION: &[&str] = &["invalid partition", "no partition", "partition name"];

fn is_among(words: &str, signs: &[&str]) -> bool {
    let words = words.to_ascii_lowercase();
    signs.iter().any(|sign| words.contains(sign))
}

/// What to do about Slurm's words on a script, if they are known.
pub(crate) fn advice(plan: &Plan, kind: ScriptKind, words: &str) -> Option<String> {
    let (deed, command) = deed_and_command(plan, kind, words)?;
    Some(format!("{deed}: {command}"))
}

/// What to do, and the command that tells more, of the job's cluster where it names one.
pub(crate) fn deed_and_command(
    plan: &Plan,
    kind: ScriptKind,
    words: &str,
) -> Option<(String, String)> {
    let (_, option, deed, command) = ROWS.iter().find(|(signs, ..)| is_among(words, signs))?;
    let place = option.map(|option| format!(", with {}", plan.place_of(kind, option)));
    let command = match command.split_once(' ') {
        Some((program @ ("sinfo" | "scontrol"), rest)) => {
            format!("{} {rest}", plan.directives(kind).at_cluster(program))
        }
        _ => (*command).to_owned(),
    };
    Some((format!("{deed}{}", place.unwrap_or_default()), command))
}

/// True when Slurm's words are that a partition is not there.
pub(crate) fn is_unknown_partition(words: &str) -> bool {
    is_among(words, UNKNOWN_PARTITION)
}

/// True when Slurm's words may be that no node has what is asked for.
pub(crate) fn is_lack_of_resources(words: &str) -> bool {
    is_among(words, TOO_FEW_RESOURCES) && !is_among(words, USED_ALONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recipe, Settings};

    #[test]
    fn advice_fits_the_words() {
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
        for (words, advised) in [
            ("Invalid partition name specified", "sinfo -s"),
            (
                "Invalid account or account/partition combination specified",
                "--account or account in [slurm] of the settings: sacctmgr",
            ),
            ("Invalid qos specification", "with qos in [slurm]"),
            (
                "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
                "one after the other, since your account or QOS limits how many jobs you may have, and how large: \
                 sacctmgr show qos",
            ),
            ("QOSMaxSubmitJobPerUserLimit", "sacctmgr show qos"),
            (
                "Requested time limit is invalid (missing or exceeds some limit)",
                "%P %l",
            ),
            (
                "Invalid generic resource (gres) specification",
                "--gres or gres in [slurm.launch] of the settings: sinfo -o '%P %G'",
            ),
            (
                "Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.\n\
                 Invalid generic resource (gres) specification",
                "with --gpus, or the number of tasks, with ntasks in [slurm] of the settings",
            ),
            (
                "Memory required by task is not available",
                "with mem in [slurm] of the settings: scontrol show config | grep MaxMemPer",
            ),
            ("Requested node configuration is not available", "%D %T"),
            (
                "Unable to contact slurm controller (connect failure)",
                "scontrol ping",
            ),
        ] {
            let answer = advice(&plan, ScriptKind::Launch, words).unwrap_or_default();
            assert!(answer.contains(advised), "{words}: {answer}");
        }
        assert_eq!(advice(&plan, ScriptKind::Launch, "something new"), None);
    }

    #[test]
    fn a_command_asks_the_cluster_of_the_job() {
        let settings = Settings::from_toml("slurm = { clusters = 'west' }").unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        let of = |words| advice(&plan, ScriptKind::Launch, words).unwrap();
        assert!(of("Invalid partition name specified").ends_with(": sinfo --clusters=west -s"));
        // Accounts are those of all clusters.
        assert!(of("Invalid account").contains(": sacctmgr show associations"));
    }

    #[test]
    fn what_a_variable_says_is_changed_there() {
        let variables = [("SBATCH_PARTITION".to_owned(), "nope".to_owned())];
        let settings = Settings::new().with_environment(variables).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        let answer = advice(
            &plan,
            ScriptKind::Setup,
            "invalid partition specified: nope",
        );
        assert_eq!(
            answer.as_deref(),
            Some("name a partition that is there, with the variable SBATCH_PARTITION: sinfo -s")
        );
    }
}
