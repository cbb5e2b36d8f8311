//! What became of the jobs that the crate and a Slurm were given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nim_slurm::slurm::{Directives, OptionName};

use super::meanings::{Teller, meanings};
use super::slurms::{Record, Slurm};
use super::{Job, refusals, scripts, site};

#[derive(Default)]
pub(super) struct Tally {
    options: BTreeSet<&'static str>,
    jobs: usize,
    /// Texts that sbatch takes as they are, too, though the crate writes another one.
    spellings: usize,
    both_take: usize,
    both_refuse: usize,
    /// Taken by the crate, and by sbatch if it had what they name.
    lacking: BTreeMap<&'static str, usize>,
    /// Options of which each teller told a meaning, and how often.
    told: BTreeMap<Teller, BTreeMap<&'static str, usize>>,
    /// Taken by sbatch and refused by the crate, by the reason on the list.
    deliberate: BTreeMap<&'static str, usize>,
    refused_by_us: BTreeSet<(&'static str, String)>,
    disagreements: Vec<String>,
}

impl Tally {
    /// Adds jobs that are in the queue, or were refused.
    pub(super) fn add(&mut self, slurm: &Slurm, jobs: &[Job]) {
        let records = slurm.records();
        for job in jobs {
            self.options
                .extend(job.names.iter().map(|name| name.long()));
            self.jobs += 1;
            let record = job.answer.job.and_then(|id| records.get(&id));
            match (&job.taken, job.answer.job) {
                (Ok(directives), Some(_)) => {
                    self.both_take += 1;
                    self.compare(slurm, job, directives, record);
                    self.compare_spellings(slurm, job, directives);
                }
                (Ok(directives), None) => {
                    self.explain_refusal(slurm, job, directives);
                    self.compare(slurm, job, directives, None);
                }
                (Err(_), None) => self.both_refuse += 1,
                (Err(why), Some(_)) => self.find_reason(slurm, job, why),
            }
        }
    }

    fn explain_refusal(&mut self, slurm: &Slurm, job: &Job, directives: &Directives) {
        let mut names = job.names.iter();
        match names.find_map(|&name| site::lacks(name, directives, &job.answer)) {
            Some(what) => *self.lacking.entry(what).or_default() += 1,
            None => self.disagree(
                slurm,
                job,
                &format!("sbatch refuses it: {}", job.answer.words),
            ),
        }
    }

    fn find_reason(&mut self, slurm: &Slurm, job: &Job, why: &str) {
        let name = job.names[0];
        self.refused_by_us.insert((name.key(), job.given.clone()));
        let Some(reason) = refusals::reason(name, &job.given) else {
            let read = job.answer.options.get(name.long());
            let what = format!("sbatch takes it as {read:?}, and the list has no reason: {why}");
            self.disagree(slurm, job, &what);
            return;
        };
        *self.deliberate.entry(reason).or_default() += 1;
        if !refusals::is_listed(reason, name) {
            let what = format!("the list has the reason {reason:?}, but not for this option");
            self.disagree(slurm, job, &what);
        }
    }

    /// Compares what the options mean; in a job that was not queued, only what sbatch
    /// made of them.
    fn compare(
        &mut self,
        slurm: &Slurm,
        job: &Job,
        directives: &Directives,
        record: Option<&Record>,
    ) {
        for &name in &job.names {
            for meaning in meanings(slurm, directives, name, job.asked) {
                let told = match (meaning.teller, record) {
                    // It says nothing when it does not understand one of them.
                    (Teller::Sbatch, _) if job.answer.options.is_empty() => continue,
                    (Teller::Sbatch, _) => {
                        job.answer.options.get(meaning.field).map(String::as_str)
                    }
                    (Teller::Controller, None) => continue,
                    (Teller::Controller, Some(_)) if scripts::is_reckoned(directives, name) => {
                        continue;
                    }
                    (Teller::Controller, Some(record)) => record.field(meaning.field),
                };
                let options = self.told.entry(meaning.teller).or_default();
                *options.entry(name.long()).or_default() += 1;
                if let Some(other) = meaning.disagreement(told) {
                    self.disagree(slurm, job, &format!("{name}: {other}"));
                }
            }
        }
    }

    /// What the user wrote, if the crate writes it in another way and sbatch takes it
    /// as well, must be the same.
    fn compare_spellings(&mut self, slurm: &Slurm, job: &Job, directives: &Directives) {
        let answer = job.as_given.as_ref().filter(|answer| answer.job.is_some());
        let Some(answer) = answer else { return };
        self.spellings += 1;
        for meaning in meanings(slurm, directives, job.names[0], job.asked) {
            if meaning.teller == Teller::Sbatch {
                let told = answer.options.get(meaning.field).map(String::as_str);
                if let Some(other) = meaning.disagreement(told) {
                    self.disagree(slurm, job, &format!("as it was given: {other}"));
                }
            }
        }
    }

    fn disagree(&mut self, slurm: &Slurm, job: &Job, what: &str) {
        let names: Vec<_> = job.names.iter().map(OptionName::to_string).collect();
        self.disagreements.push(format!(
            "Slurm {}: {} {:?}: {what}",
            slurm.version,
            names.join(" "),
            job.given
        ));
    }

    pub(super) fn disagreements(&self) -> impl Iterator<Item = String> + '_ {
        self.disagreements.iter().cloned()
    }

    pub(super) fn is_refused_by_us(&self, name: OptionName, text: &str) -> bool {
        self.refused_by_us.contains(&(name.key(), text.to_owned()))
    }

    pub(super) fn has(&self, reason: &str) -> bool {
        self.deliberate.contains_key(reason)
    }

    pub(super) fn met(&self, name: OptionName) -> bool {
        self.options.contains(name.long())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |counts: &BTreeMap<&str, usize>| counts.values().sum::<usize>();
        writeln!(
            f,
            "{} options, {} jobs: {} taken by both, {} refused by both, {} refused by the crate alone, {} that lack something here, {} disagreements",
            self.options.len(),
            self.jobs,
            self.both_take,
            self.both_refuse,
            sum(&self.deliberate),
            sum(&self.lacking),
            self.disagreements.len()
        )?;
        for (teller, options) in &self.told {
            let meanings = sum(options);
            writeln!(
                f,
                "  {meanings} meanings of {} options, told by {teller}",
                options.len()
            )?;
        }
        if self.spellings > 0 {
            let spellings = self.spellings;
            writeln!(
                f,
                "  {spellings} texts that the crate writes in another way, and sbatch reads alike"
            )?;
        }
        for (what, count) in &self.lacking {
            writeln!(
                f,
                "  {count} taken by the crate, and by sbatch if it had {what}"
            )?;
        }
        for (reason, count) in &self.deliberate {
            writeln!(f, "  {count} refused by the crate alone: {reason}")?;
        }
        Ok(())
    }
}
