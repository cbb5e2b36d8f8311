//! What Slurm itself thinks of the three jobs: `sbatch --test-only`.

use super::ask::{Answer, Reply};
use super::fix::words;
use super::{Finding, Preflight, Scripts, by_scripts, in_parallel, listed, partitions};
use crate::job_options::ScriptKind;
use crate::plan::Plan;
use crate::slurm::OptionName;
use crate::submit::advice::{deed_and_command, is_lack_of_resources, is_unknown_partition};

/// What sbatch says of one script.
enum Verdict {
    /// Slurm would take it; when and where, in its own words.
    Accepted(String),
    /// It would not; its own words.
    Refused(String),
    /// Nobody knows.
    Unknown(Finding),
}

/// The findings, and which scripts sbatch would take.
pub(super) fn check(preflight: &Preflight<'_>) -> (Vec<Finding>, Vec<ScriptKind>) {
    if preflight.find("sbatch").is_none() {
        return (Vec::new(), Vec::new());
    }
    let verdicts = in_parallel(&ScriptKind::ALL, |&kind| verdict(preflight, kind));
    let mut findings = Vec::new();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (kind, verdict) in ScriptKind::ALL.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Accepted(words) => {
                accepted.push(kind);
                findings.push(Finding::ok(format!(
                    "Slurm would take {}{words}",
                    kind.file_name()
                )));
            }
            Verdict::Unknown(finding) => findings.push(finding),
            Verdict::Refused(words) => refused.push((kind, words)),
        }
    }
    // --test-only refuses what no node can start now; a submission waits until one works again.
    let waits = |kind, words: &str| {
        is_lack_of_resources(words) && partitions::is_without_nodes(preflight, kind)
    };
    accepted.extend(
        refused
            .iter()
            .filter(|(kind, words)| waits(*kind, words))
            .map(|(kind, _)| *kind),
    );
    refused.retain(|(kind, _)| !accepted.contains(kind));
    // Where sinfo answers, it says so with the names of those that are there.
    refused.retain(|(kind, words)| {
        !(is_unknown_partition(words) && partitions::is_unknown(preflight, *kind)
            || is_lack_of_resources(words) && partitions::lacks_gres(preflight, *kind))
    });
    let refused = by_scripts(refused);
    findings.extend(
        refused
            .iter()
            .map(|(scripts, words)| refusal(preflight.plan, scripts, words)),
    );
    findings.dedup();
    let of_clusters = preflight.by_cluster().into_iter();
    findings.extend(of_clusters.flat_map(|scripts| accounts(preflight, &scripts)));
    (findings, accepted)
}

/// Asks with the script and the options of a real submission.
fn verdict(preflight: &Preflight<'_>, kind: ScriptKind) -> Verdict {
    let mut arguments = vec!["--test-only".to_owned()];
    arguments.extend(
        preflight
            .plan
            .options_to_repeat(kind, preflight.variables.texts()),
    );
    let variables_to_remove = preflight
        .plan
        .variables_to_remove(kind, preflight.variables.texts());
    let script = preflight.plan.script(kind);
    let unknown = |answer: &Answer| {
        let question = "whether Slurm would take the scripts";
        Verdict::Unknown(preflight.unanswered("sbatch --test-only", answer, question))
    };
    match preflight.ask_with("sbatch", &arguments, script.text(), &variables_to_remove) {
        Answer::Said(reply) if reply.is_success => Verdict::Accepted(start(&reply)),
        Answer::Said(reply) if is_forbidden(&reply) => unknown(&Answer::Said(reply)),
        Answer::Said(reply) => Verdict::Refused(preflight.words(&reasons(&reply))),
        // A submission would hang as well.
        Answer::TooLate => Verdict::Refused(format!(
            "its controller timed out, with no answer within {} s",
            preflight.time_limit.as_secs_f32()
        )),
        answer => unknown(&answer),
    }
}

/// A site's own filter that refuses the question, not the job.
fn is_forbidden(reply: &Reply) -> bool {
    let words = reply.stderr.to_ascii_lowercase();
    words.contains("test-only") || words.contains("test_only")
}

/// From `sbatch: Job 7 to start at TIME using 16 processors on nodes n1 in partition
/// batch`: when and where. Since 25.05 there is a word too many.
fn start(reply: &Reply) -> String {
    let lines = reply.stderr.lines().chain(reply.stdout.lines());
    let mut facts = lines.filter_map(|line| line.split_once(" to start at "));
    facts.next().map_or_else(String::new, |(_, when)| {
        format!(
            ": it could start at {}",
            when.replace(" a using ", " using ")
        )
    })
}

/// What sbatch prints, without the names in front of its lines.
fn reasons(reply: &Reply) -> String {
    let mut lines = Vec::new();
    for line in reply.stderr.lines().chain(reply.stdout.lines()) {
        let mut line = line.trim();
        for head in ["sbatch:", "error:", "fatal:", "allocation failure:"] {
            line = line.strip_prefix(head).unwrap_or(line).trim();
        }
        if !lines.contains(&line) && !line.starts_with("Try \"sbatch --help\"") {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn refusal(plan: &Plan, scripts: &Scripts, reason: &str) -> Finding {
    let mut fix = match deed_and_command(plan, scripts.first(), reason) {
        Some((deed, command)) => words(&format!("{deed}: ")).command(&command),
        None => words("change the option that it means in the settings, and look again"),
    };
    if scripts.can_do_without_a_job() {
        fix = words("run it here: ")
            .command("bash prepare_models.sh")
            .words("; as a job: ")
            .then(fix);
    }
    let message = format!("Slurm does not take {scripts}: {reason}");
    Finding::new(scripts.weight(), message, Some(fix))
}

/// Where Slurm asks for no account, it checks none; and what its accounts keep.
fn accounts(preflight: &Preflight<'_>, scripts: &Scripts) -> Vec<Finding> {
    let of_scripts = scripts
        .0
        .iter()
        .map(|&kind| preflight.plan.directives(kind));
    let named: Vec<_> = [OptionName::Account, OptionName::Qos]
        .into_iter()
        .filter_map(|name| of_scripts.clone().find_map(|own| own.option(name)))
        .collect();
    let directives = preflight.plan.directives(scripts.first());
    if named.is_empty() || directives.has_several_clusters() {
        return Vec::new();
    }
    let cluster = directives.option(OptionName::Clusters);
    let mut arguments = Vec::from_iter(cluster.as_deref());
    arguments.extend(["show", "config"]);
    let answer = preflight.ask("scontrol", &arguments);
    let Answer::Said(reply) = answer else {
        return Vec::new();
    };
    let value = |key| config_value(&reply.stdout, key).filter(|_| reply.is_success);
    let enforced = value("AccountingStorageEnforce");
    let is_free = |enforced: &str| !enforced.contains("associations") && enforced != "all";
    let unchecked = enforced.is_some_and(is_free).then(|| {
        Finding::note(
            format!(
                "Slurm enforces no accounts here, so {} could not be checked",
                listed(&named)
            ),
            "name what the site told you: shares and bills may still go by them",
        )
    });
    let secrets = preflight.secrets();
    let secrets: Vec<_> = secrets
        .filter(|name| preflight.variables.is_set(name))
        .collect();
    let kept = value("AccountingStoreFlags").is_some_and(|flags| flags.contains("job_env"));
    let kept = (kept && !secrets.is_empty()).then(|| {
        Finding::note(
            format!(
                "Slurm's accounts keep each job's environment here (AccountingStoreFlags=job_env), and so {}",
                listed(&secrets)
            ),
            "use a key that ends soon, and may do no more than the jobs need",
        )
    });
    unchecked.into_iter().chain(kept).collect()
}

/// The value of a key in `scontrol show config`: `Key   = value`.
fn config_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;
    use crate::{Recipe, Settings};

    fn reply(stderr: &str) -> Reply {
        Reply {
            is_success: false,
            stdout: String::new(),
            stderr: stderr.to_owned(),
        }
    }

    #[test]
    fn words_of_slurm() {
        let answer = reply(
            "sbatch: error: invalid partition specified: nope\nallocation failure: Invalid partition name specified\n",
        );
        assert_eq!(
            reasons(&answer),
            "invalid partition specified: nope\nInvalid partition name specified"
        );
        let answer = reply(
            "sbatch: unrecognized option '--x'\nTry \"sbatch --help\" for more information\n",
        );
        assert_eq!(reasons(&answer), "unrecognized option '--x'");
        let expected = ": it could start at 2026-11-24T07:29:57 using 2 processors on nodes n1 in partition batch";
        let answer = reply(
            "sbatch: Job 7 to start at 2026-11-24T07:29:57 using 2 processors on nodes n1 in partition batch\n",
        );
        assert_eq!(start(&answer), expected);
        let answer = reply(
            "sbatch: Job 7 to start at 2026-11-24T07:29:57 a using 2 processors on nodes n1 in partition batch\n",
        );
        assert_eq!(start(&answer), expected);
        assert!(is_forbidden(&reply(
            "sbatch: error: --test-only is disabled"
        )));
        assert!(!is_forbidden(&answer));
    }

    #[test]
    fn the_model_can_do_without_a_job() {
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
        let alone = refusal(&plan, &Scripts(vec![ScriptKind::PrepareModels]), "no");
        assert_eq!(alone.severity(), Severity::Warning);
        assert!(
            alone
                .fix()
                .unwrap()
                .starts_with("run it here: bash prepare_models.sh")
        );
        let both = Scripts(vec![ScriptKind::PrepareModels, ScriptKind::Launch]);
        assert_eq!(refusal(&plan, &both, "no").severity(), Severity::Error);
    }

    #[test]
    fn configuration() {
        let text = "Configuration data\nAccountingStorageEnforce = associations,limits\nAccountingStorageHost   = x\n";
        assert_eq!(
            config_value(text, "AccountingStorageEnforce"),
            Some("associations,limits")
        );
        assert_eq!(config_value(text, "Accounting"), None);
    }
}
