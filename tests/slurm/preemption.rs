//! What jobs do that Slurm preempts: it ends their steps at once, and their scripts after a grace period.

use std::fs;

use nim_slurm::ScriptKind::{Launch, Setup};

use crate::lab::{Lab, Site, recipe, run, wait_until};

/// A lab in which jobs of the partition `gpu` take the place of those in `batch`, which go into the queue again.
struct Preempting<'a> {
    lab: &'a Lab,
    before: String,
}

impl<'a> Preempting<'a> {
    fn enter(lab: &'a Lab) -> Self {
        let before = fs::read_to_string(lab.configuration()).unwrap();
        let own = Self { lab, before };
        let partition = |line: &str| match line.split_once(' ') {
            Some(("PartitionName=batch", rest)) => {
                format!("PartitionName=batch PriorityTier=1 GraceTime=4 {rest}")
            }
            Some(("PartitionName=gpu", rest)) => {
                format!("PartitionName=gpu PriorityTier=10 PreemptMode=off {rest}")
            }
            _ => line.to_owned(),
        };
        let lines: Vec<_> = own.before.lines().map(partition).collect();
        let preemption = "PreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\n";
        own.restart(&format!("{preemption}{}\n", lines.join("\n")));
        own
    }

    fn restart(&self, configuration: &str) {
        self.lab.stop_controller();
        fs::write(self.lab.configuration(), configuration).unwrap();
        self.lab.start_controller(&[]);
    }

    /// A job that needs all nodes, for a moment; until it has ended.
    fn preempt(&self) {
        let other = self
            .lab
            .wrap(&["--partition=gpu", "--nodes=2", "--exclusive"], "sleep 1");
        wait_until("the other job's end", || {
            self.lab.job_field(&other, "JobState") == "COMPLETED"
        });
    }

    /// Until Slurm has put this job into the queue again.
    fn wait_for_return(&self, job: &str) {
        wait_until("the job's return into the queue", || {
            self.lab.job_field(job, "JobState") == "PENDING"
        });
        assert_eq!(self.lab.job_field(job, "Restarts"), "1");
    }
}

impl Drop for Preempting<'_> {
    fn drop(&mut self) {
        self.restart(&self.before);
    }
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn jobs_that_are_preempted_go_on() {
    let lab = Lab::enter();
    let preempting = Preempting::enter(&lab);
    let site = Site::ready(&lab, "preempted", recipe());
    let job = site.submit(&lab, Launch);
    job.wait_until("the first point", || site.points().len() == 1);
    preempting.preempt();
    let manifest = site.manifest(&job.id);
    assert_eq!(manifest["exit_code"], 6);
    assert_eq!(manifest["exit_reason"], "stopped by preemption");
    let said = job.printed();
    assert!(said.contains("stopping: preemption\n"), "{said}");
    assert!(
        said.contains("to go on, if Slurm does not restart the job itself: "),
        "{said}"
    );
    preempting.wait_for_return(&job.id);
    // Slurm would let it wait for two minutes.
    let later = [format!("jobid={}", job.id), "starttime=now".to_owned()];
    run(lab.command("scontrol").arg("update").args(later));
    let ended = job.wait();
    ended.assert(0, "exit 0: all points are finished");
    assert_eq!(site.points().len(), 4);

    let mut site = Site::new("preempted_setup", recipe());
    site.set("LAB_ENROOT_DELAY", "600");
    let job = site.submit(&lab, Setup);
    job.wait_until("the imports", || job.printed().contains("importing "));
    wait_until("the steps", || {
        let steps = ["--noheader", "--steps", "--jobs", &job.id];
        run(lab.command("squeue").args(steps))
            .matches("import-")
            .count()
            == 2
    });
    preempting.preempt();
    preempting.wait_for_return(&job.id);
    let said = job.printed();
    assert!(said.contains("Slurm preempts this job"), "{said}");
    run(lab.command("scancel").arg(&job.id));
}
