//! Why a job does not start, in plain words.

use super::JobRecord;
use crate::slurm::JobId;

/// Slurm's word for a dependency that cannot come true any more.
const NEVER: &str = "DependencyNeverSatisfied";

/// Reasons that do not pass by themselves: what is wrong, and what shows what
/// is allowed. Source: squeue(1), "Job reason codes", and `job_reason_string` in
/// Slurm's `slurm_protocol_defs.c`.
const ROWS: &[(&[&str], &str, &str)] = &[
    (
        &["PartitionTimeLimit"],
        "asks for more time than its partition allows",
        "sinfo -o '%P %l'",
    ),
    (
        &["PartitionNodeLimit", "PartitionConfig"],
        "asks for what its partition does not give, or not to it",
        "scontrol show partition",
    ),
    (
        &["MaxMemPerLimit"],
        "asks for more memory than a job may have here (--mem=0 is all of a node)",
        "scontrol show config | grep MaxMemPer",
    ),
    (
        &["BadConstraints"],
        "asks for what no node has",
        "sinfo -o '%P %D %T %c %m %G %f'",
    ),
    (
        &["InvalidAccount", "InvalidQOS"],
        "names an account or a quality of service that it may not use",
        ASSOCIATIONS,
    ),
    (
        &["AccountNotAllowed", "QOSNotAllowed"],
        NOT_LET_IN,
        "scontrol show partition",
    ),
    (
        &["ReservationDeleted"],
        "names a reservation that is gone",
        "scontrol show reservation",
    ),
];

/// What is wrong with a job whose reason is a sentence of `part_policy_valid_acct` or `part_policy_valid_qos`, in Slurm's
/// `partition_mgr.c`, or the word for it. From 20.11 on all of them have [`USES_PARTITION`], for which accounts or qualities of
/// service are not known, are not allowed, or are denied.
const NOT_LET_IN: &str =
    "has an account or a quality of service that its partition does not let in";
const USES_PARTITION: &str = "use_this_partition";

/// Shows the accounts and qualities of service that a user has.
pub(crate) const ASSOCIATIONS: &str =
    "sacctmgr show associations user=$USER format=account,partition,qos";

impl JobRecord {
    /// What keeps a job in the queue that would not start when its turn comes, and
    /// what to do about it: a sentence about the job. None for a job that does not
    /// wait, or that only waits for its turn.
    ///
    /// ```no_run
    /// use nim_slurm::Queue;
    ///
    /// let status = Queue::find()?.status(&"4711".parse()?)?;
    /// if let Some(blocking_reason) = status.record().and_then(|record| record.blocking_reason()) {
    ///     println!("{blocking_reason}"); // "job 4711 is held: …"
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn blocking_reason(&self) -> Option<String> {
        let id = self.id;
        let (scancel, scontrol) = (self.command("scancel"), self.command("scontrol"));
        let reason = self.reason.as_deref().filter(|_| self.state.is_waiting())?;
        // Behind the word may stand the nodes that are meant.
        let word = reason.split(',').next().unwrap_or_default();
        let row = ROWS.iter().find(|(words, matter, _)| {
            words.contains(&word) || *matter == NOT_LET_IN && reason.contains(USES_PARTITION)
        });
        if let Some((_, matter, ask)) = row {
            let (program, rest) = ask.split_once(' ').unwrap_or((ask, ""));
            let ask = match program {
                "sinfo" | "scontrol" => format!("{} {rest}", self.command(program)),
                _ => (*ask).to_owned(),
            };
            return Some(format!(
                "job {id} {matter}, and is not likely to start: see {ask}; end it with {scancel} {id}, and submit another"
            ));
        }
        let is_limit = word.starts_with("Assoc") || word.starts_with("QOS");
        Some(match word {
            NEVER => format!(
                "job {id} waits for a job that has not ended as it must, so it never starts: end it with {scancel} {id}"
            ),
            "JobHeldUser"
            | "JobHoldMaxRequeue"
            | "job_requeued_in_held_state"
            | "launch_failed_requeued_held" => format!(
                "job {id} is held: {scontrol} release {id} lets it start, {scancel} {id} ends it"
            ),
            "JobHeldAdmin" => format!(
                "job {id} is held by an administrator, who alone can release it: ask, or end it with {scancel} {id}"
            ),
            "PartitionDown" | "PartitionInactive" => {
                format!(
                    "job {id} waits until its partition starts jobs again: see {} -s",
                    self.command("sinfo")
                )
            }
            // What all jobs may still use by their time limits, which falls as they end.
            _ if is_limit && word.contains("RunMin") => waits_for_others(id),
            _ if is_limit
                && word.contains("Grp")
                && (word.contains("Minutes") || word.contains("Wall")) =>
            {
                format!(
                    "job {id} waits, since the budget of its account or quality of service is used up: ask its owner for more, \
                     or end it with {scancel} {id}, and submit with another account or quality of service"
                )
            }
            _ if is_limit
                && ["PerJob", "Wall", "Min"]
                    .iter()
                    .any(|part| word.contains(part)) =>
            {
                format!(
                    "job {id} is beyond a limit that its account or quality of service has for each job, and is not \
                     likely to start: end it with {scancel} {id}, and submit another"
                )
            }
            _ if is_limit => waits_for_others(id),
            _ => return None,
        })
    }

    /// A program of Slurm, with the job's cluster where that is known.
    pub(crate) fn command(&self, program: &str) -> String {
        match &self.cluster {
            Some(cluster) => format!("{program} --clusters={cluster}"),
            None => program.to_owned(),
        }
    }

    /// True when it waits for what cannot happen any more.
    pub(crate) fn never_starts(&self) -> bool {
        self.state.is_waiting() && self.reason.as_deref() == Some(NEVER)
    }
}

fn waits_for_others(id: JobId) -> String {
    format!(
        "job {id} waits until other jobs have ended: its account or quality of service is at a limit; if no other job is \
         there, it asks for more than the limit itself: see sacctmgr show qos format=name,maxtrespu,grptres"
    )
}

#[cfg(test)]
mod tests {
    use crate::status::record::of_scontrol;

    /// What is said of a job in this state for this reason.
    fn of(state: &str, reason: &str) -> Option<String> {
        let answer =
            format!("JobId=7 JobName=x\n   JobState={state} Reason={reason} Dependency=(null)\n");
        of_scontrol(&answer).unwrap()[0].blocking_reason()
    }

    #[test]
    fn reasons_that_do_not_pass() {
        for (reason, words) in [
            ("PartitionTimeLimit", "more time than its partition allows"),
            ("PartitionNodeLimit", "scontrol show partition"),
            ("BadConstraints", "what no node has"),
            ("MaxMemPerLimit", "scontrol show config | grep MaxMemPer"),
            ("QOSNotAllowed", "does not let in"),
            (
                "Job's_account_not_permitted_to_use_this_partition_(gpu_allows_a,b_not_root)",
                "does not let in, and is not likely to start: see scontrol show partition",
            ),
            (
                "Job's_QOS_not_permitted_to_use_this_partition_(gpu_denies_normal_including_normal)",
                "does not let in",
            ),
            (
                "Job's_account_not_known,_so_it_can't_use_this_partition_(gpu_allows_a)",
                "does not let in",
            ),
            ("InvalidQOS", "sacctmgr show associations"),
            ("DependencyNeverSatisfied", "never starts"),
            ("JobHeldUser", "scontrol release 7"),
            ("launch_failed_requeued_held", "scontrol release 7"),
            ("JobHeldAdmin", "an administrator"),
            ("PartitionDown", "sinfo -s"),
            ("AssocMaxJobsLimit", "until other jobs have ended"),
            ("QOSMaxGRESPerUser", "until other jobs have ended"),
            ("AssocMaxWallDurationPerJobLimit", "for each job"),
            ("QOSMinGRES", "for each job"),
            ("QOSGrpGRESRunMinutes", "until other jobs have ended"),
            ("AssocGrpCPURunMinutesLimit", "until other jobs have ended"),
            ("AssocGrpGRESMinutes", "budget"),
            ("QOSGrpWallLimit", "budget"),
            ("QOSMaxCpuMinutesPerJobLimit", "for each job"),
        ] {
            let said = of("PENDING", reason).unwrap_or_else(|| panic!("nothing of {reason}"));
            assert!(said.starts_with("job 7 ") && said.contains(words), "{said}");
        }
    }

    #[test]
    fn commands_are_for_the_job_s_cluster() {
        let answer =
            "JobId=7 JobName=x\n   JobState=PENDING Reason=JobHeldUser Dependency=(null)\n";
        let mut record = of_scontrol(answer).unwrap().remove(0);
        record.cluster = Some("west".to_owned());
        assert_eq!(
            record.blocking_reason().unwrap(),
            "job 7 is held: scontrol --clusters=west release 7 lets it start, scancel --clusters=west 7 ends it"
        );
        record.reason = Some("PartitionTimeLimit".to_owned());
        let said = record.blocking_reason().unwrap();
        assert!(
            said.contains("see sinfo --clusters=west -o '%P %l'; "),
            "{said}"
        );
    }

    #[test]
    fn a_job_whose_turn_has_not_come() {
        for reason in ["Resources", "Priority", "None", "Dependency", "BeginTime"] {
            assert_eq!(of("PENDING", reason), None, "{reason}");
        }
        assert_eq!(of("CANCELLED", "DependencyNeverSatisfied"), None);
    }
}
