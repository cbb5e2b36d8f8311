//! Which accounts and qualities of service a partition lets in, as `scontrol show partition` has it. Where Slurm does not enforce
//! a partition's limits at submission, sbatch takes a job of others, and it waits forever.

use std::cell::OnceCell;

use super::Preflight;
use super::ask::Answer;
use crate::slurm::{Directives, OptionName};

/// What the controller says of its partitions, a line each.
pub(super) struct Access<'a> {
    preflight: &'a Preflight<'a>,
    has_cluster: bool,
    partitions: String,
    default_account: OnceCell<Option<String>>,
}

/// An option that partitions can go by: what stands in front of those that are let in alone, and of those that are not.
const RULES: [(OptionName, [&str; 2], &str); 2] = [
    (
        OptionName::Account,
        ["AllowAccounts=", "DenyAccounts="],
        "account",
    ),
    (
        OptionName::Qos,
        ["AllowQos=", "DenyQos="],
        "quality of service",
    ),
];

impl<'a> Access<'a> {
    /// Asks the cluster of these options. What nobody says is no rule.
    pub(super) fn ask(preflight: &'a Preflight<'a>, directives: &Directives) -> Self {
        let cluster = directives.option(OptionName::Clusters);
        let mut question = Vec::from_iter(cluster.as_deref());
        question.extend(["--all", "--oneliner", "show", "partition"]);
        Self {
            preflight,
            has_cluster: cluster.is_some(),
            partitions: answer(preflight, "scontrol", &question).unwrap_or_default(),
            default_account: OnceCell::new(),
        }
    }

    /// Why a job with these options would wait forever in a partition.
    pub(super) fn refusals(&self, partition: &str, directives: &Directives) -> Vec<String> {
        let start = format!("PartitionName={partition} ");
        let mut lines = self.partitions.lines();
        let Some(own) = lines.find(|line| line.starts_with(&start)) else {
            return Vec::new();
        };
        let refusal = |(option, fields, what): (OptionName, [&str; 2], &str)| {
            let [allowed, denied] = fields.map(|field| {
                let value = own.split(' ').find_map(|word| word.strip_prefix(field));
                value.filter(|value| !matches!(*value, "ALL" | "(null)" | "N/A"))
            });
            let names = allowed.or(denied)?;
            let (value, given) = match directives.get(option) {
                Some(value) => (value.clone(), format!("{option}={value}")),
                None if option == OptionName::Account => {
                    let value = self.default_account()?;
                    (value.to_owned(), format!("your default account {value}"))
                }
                None => return None,
            };
            let is_named = value.split(',').any(|value| {
                let mut names = names.split(',');
                names.any(|name| name.eq_ignore_ascii_case(value))
            });
            if is_named == allowed.is_some() {
                return None;
            }
            let [rule, exception] = match (allowed, option) {
                (Some(_), OptionName::Account) => {
                    ["lets in only", ", unless it is part of one that is let in"]
                }
                (Some(_), _) => ["lets in only", ""],
                (None, _) => ["does not let in", ""],
            };
            Some(format!(
                "the partition {partition} {rule} the {what} {names}, so with {given} the job would wait forever{exception}"
            ))
        };
        RULES.into_iter().filter_map(refusal).collect()
    }

    /// That of this machine's cluster. It is asked for once, and only where a partition goes by it.
    fn default_account(&self) -> Option<&str> {
        let ask = || {
            let user = self.preflight.variables.get("USER")?.to_str()?;
            let user = format!("name={user}");
            let mut question = vec!["--noheader", "--parsable2", "show", "user", &user];
            question.push("format=defaultaccount");
            let answer = answer(self.preflight, "sacctmgr", &question)?;
            let account = answer.lines().next()?.trim();
            (!account.is_empty()).then(|| account.to_owned())
        };
        let account = self.default_account.get_or_init(ask);
        account.as_deref().filter(|_| !self.has_cluster)
    }
}

fn answer(preflight: &Preflight<'_>, program: &str, question: &[&str]) -> Option<String> {
    match preflight.ask(program, question) {
        Answer::Said(reply) if reply.is_success => Some(reply.stdout),
        _ => None,
    }
}
