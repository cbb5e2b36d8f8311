//! Variables that sbatch takes for options, which win over what stands in a script; and those that it keeps from a job.

use super::fix::{command, words};
use super::{Finding, Preflight, listed};
use crate::job_options::ScriptKind;
use crate::shell::shell_word;
use crate::slurm::{Directives, OptionName};

/// Variables that sbatch reads and that are not read for the scripts, with what they
/// change. Source: sbatch(1), "Input environment variables", of 20.11 to 26.05.
const OTHERS: &[(&str, &str)] = &[
    (
        "SBATCH_EXPORT",
        "--export, so NGC_API_KEY, STAGE_PATH and others may not reach the jobs",
    ),
    ("SBATCH_GET_USER_ENV", "--get-user-env"),
    (
        "SBATCH_NO_REQUEUE",
        "--no-requeue, so a job that a node lost is not queued again",
    ),
    ("SBATCH_REQ_SWITCH", "--switches"),
    (
        "SBATCH_WAIT",
        "--wait, so sbatch does not return before its job has ended",
    ),
    ("SBATCH_WAIT4SWITCH", "--switches"),
    (
        "SLURM_CLUSTERS",
        "--clusters, so the jobs may go to another cluster",
    ),
    ("SLURM_HINT", "--hint"),
];

/// Variables that change what sbatch says, but no job.
const HARMLESS: &[&str] = &["SBATCH_DEBUG", "SBATCH_IGNORE_PBS"];

pub(super) fn check(preflight: &Preflight<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = preflight
        .variables
        .texts()
        .filter_map(|(name, text)| variable(preflight, &name, &text))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            "no variable changes the options of the scripts",
        ));
    }
    let kept = preflight.plan.kept_variables().into_iter();
    findings.extend(kept.map(|(what, remedy)| Finding::warning(what, words(remedy))));
    findings
}

fn variable(preflight: &Preflight<'_>, name: &str, text: &str) -> Option<Finding> {
    if HARMLESS.contains(&name) {
        return None;
    }
    let plan = preflight.plan;
    let pair = || [(name.to_owned(), text.to_owned())];
    let of_scripts = |words: &dyn Fn(ScriptKind) -> Vec<String>| -> Vec<String> {
        let mut all: Vec<_> = ScriptKind::ALL.into_iter().flat_map(words).collect();
        all.dedup();
        all
    };
    let unset = || format!("unset {name}");
    if name.starts_with("PYXIS_") {
        return Some(Finding::note(
            format!(
                "{name} is set, by which pyxis may start the scripts themselves in a container"
            ),
            words("nim-slurm keeps it from sbatch; by hand: ").command(&unset()),
        ));
    }
    if !of_scripts(&|kind| plan.variables_to_remove(kind, pair())).is_empty() {
        return Some(Finding::note(
            format!("{name} is set, and no option of sbatch wins over what it says"),
            words("nim-slurm keeps it from sbatch; by hand: ").command(&unset()),
        ));
    }
    let repeated = of_scripts(&|kind| plan.options_to_repeat(kind, pair()));
    if !repeated.is_empty() {
        let options: Vec<_> = repeated.iter().map(|word| shell_word(word)).collect();
        return Some(Finding::note(
            format!("{name} is set and would override {}", listed(&repeated)),
            words("nim-slurm repeats it; by hand: ")
                .command(&unset())
                .words(&format!(", or sbatch {} ...", options.join(" or "))),
        ));
    }
    if let Some((_, option)) = OTHERS.iter().find(|(other, _)| *other == name) {
        return Some(Finding::warning(
            format!("{name} is set and gives each job {option}"),
            command(&unset()),
        ));
    }
    if !name.starts_with("SBATCH_") {
        return None;
    }
    let typed = OptionName::ALL
        .iter()
        .find(|option| option.environment() == Some(name));
    Some(match typed {
        Some(&option) => unopposed(preflight, option, name, text),
        None => Finding::note(
            format!("{name} is set, and no known release of sbatch reads it"),
            words("if an option is meant, set it in [slurm] of the settings; else: ")
                .command(&unset()),
        ),
    })
}

/// A variable whose option has a type, and that no script contradicts.
fn unopposed(preflight: &Preflight<'_>, option: OptionName, name: &str, text: &str) -> Finding {
    let theirs =
        Directives::from_environment([(name.to_owned(), text.to_owned())]).unwrap_or_default();
    let added: Vec<_> = ScriptKind::ALL
        .into_iter()
        .filter(|&kind| !preflight.plan.directives(kind).is_set(option) && theirs.is_set(option))
        .map(ScriptKind::file_name)
        .collect();
    if added.is_empty() {
        Finding::note(
            format!("{name} is set, and the scripts say the same"),
            words("leave it; or ")
                .command(&format!("unset {name}"))
                .words(", and render the scripts again"),
        )
    } else {
        Finding::warning(
            format!(
                "{name} is set and gives {option} to {}, whose head has none",
                listed(&added)
            ),
            command(&format!("unset {name}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;
    use crate::{Plan, Recipe, Settings};

    #[track_caller]
    fn of(settings: &str, variables: &[(&str, &str)]) -> Vec<(Severity, String)> {
        let settings = Settings::from_toml(settings).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        let preflight = Preflight::new(&plan, variables.iter().copied());
        let findings = check(&preflight).into_iter();
        findings
            .map(|finding| (finding.severity(), finding.message().to_owned()))
            .collect()
    }

    #[test]
    fn variables() {
        let note = |message: &str| vec![(Severity::Note, message.to_owned())];
        let warning = |message: &str| vec![(Severity::Warning, message.to_owned())];
        let slurm = "slurm = { partition = 'mine' }";
        assert_eq!(of(slurm, &[("HOME", "/root")])[0].0, Severity::Ok);
        assert_eq!(of(slurm, &[("SBATCH_DEBUG", "2")])[0].0, Severity::Ok);
        assert_eq!(
            of(slurm, &[("SBATCH_PARTITION", "other")]),
            note("SBATCH_PARTITION is set and would override --partition=mine")
        );
        assert_eq!(
            of(slurm, &[("SBATCH_PARTITION", "mine")]),
            note("SBATCH_PARTITION is set, and the scripts say the same")
        );
        assert_eq!(
            of(slurm, &[("SBATCH_TIMELIMIT", "7")])[0].1,
            "SBATCH_TIMELIMIT is set and would override --time=00:45:00, --time=04:00:00 and --time=01:00:00"
        );
        assert_eq!(
            of(slurm, &[("SBATCH_TIMELIMIT", "not a time")])[0].1,
            "SBATCH_TIMELIMIT is set, and no option of sbatch wins over what it says"
        );
        assert_eq!(
            of(slurm, &[("SBATCH_ACCOUNT", "proj")]),
            warning(
                "SBATCH_ACCOUNT is set and gives --account to setup.sh, prepare_models.sh and launch.sh, whose head has none"
            )
        );
        assert_eq!(
            of(slurm, &[("SBATCH_NO_REQUEUE", "")]),
            warning(
                "SBATCH_NO_REQUEUE is set and gives each job --no-requeue, so a job that a node lost is not queued again"
            )
        );
        assert_eq!(
            of(slurm, &[("SBATCH_EXPORT", "NONE")]),
            note("SBATCH_EXPORT is set and would override --export=ALL")
        );
        assert_eq!(
            of("slurm.export = false", &[("SBATCH_EXPORT", "NONE")])[0].0,
            Severity::Warning
        );
        assert_eq!(
            of(slurm, &[("SBATCH_NODES", "4")]),
            note("SBATCH_NODES is set, and no known release of sbatch reads it")
        );
    }

    #[test]
    fn variables_that_the_scripts_keep_out() {
        let kept = |settings: &str| of(settings, &[]).split_off(1);
        let all = "keeps STAGE_PATH, NGC_API_KEY and RESUME_JOB_ID from setup.sh, prepare_models.sh and launch.sh";
        let warning = |message: String| vec![(Severity::Warning, message)];
        assert_eq!(
            kept("slurm.export = 'NONE'"),
            warning(format!("--export ([slurm] of the settings) {all}"))
        );
        assert_eq!(
            kept("slurm.launch.export = 'HOME,STAGE_PATH'"),
            warning(
                "--export ([slurm.launch] of the settings) keeps RESUME_JOB_ID from launch.sh"
                    .to_owned()
            )
        );
        for list in ["ALL", "ALL,FOO", "NGC_API_KEY,STAGE_PATH,RESUME_JOB_ID"] {
            assert_eq!(kept(&format!("slurm.export = '{list}'")), []);
        }
    }

    #[test]
    fn values_are_not_told() {
        let all = format!(
            "{:?}",
            of(
                "",
                &[
                    ("SBATCH_EXPORT", "KEY=s3cret"),
                    ("SBATCH_COMMENT", "s3cret")
                ]
            )
        );
        assert!(!all.contains("s3cret"), "{all}");
    }

    #[test]
    fn no_row_is_also_a_typed_option() {
        for (name, _) in OTHERS {
            assert!(
                OptionName::ALL
                    .iter()
                    .all(|option| option.environment() != Some(name)),
                "{name}"
            );
        }
    }
}
