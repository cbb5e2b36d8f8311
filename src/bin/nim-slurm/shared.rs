//! Whether this machine sees what setup.sh put into the stage path.

use std::fs;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nim_slurm::preflight::Preflight;
use nim_slurm::{
    ChainJob, JobRecord, JobState, JobStatus, Plan, Progress, Queue, Sbatch, ScriptKind,
};

/// The jobs of a submission, and a look for the images when setup has succeeded.
pub(crate) struct Look<'a> {
    preflight: Preflight<'a>,
    jobs: &'a [ChainJob],
    /// What submitted them, and the command that does so without a look; none: this is that command.
    way_on: Option<(Sbatch, String)>,
    /// Since when images are looked for.
    since: Option<Instant>,
    is_over: bool,
}

/// What follows from images that are not seen.
pub(crate) enum Unseen {
    /// Nothing but these words.
    Noted(String),
    /// The jobs that waited were ended.
    Ended { reason: String, advice: String },
}

impl<'a> Look<'a> {
    /// Notes it where setup's images are not seen here.
    pub(crate) fn new(plan: &'a Plan, jobs: &'a [ChainJob]) -> Self {
        Self {
            preflight: Preflight::new(plan, std::env::vars_os()),
            jobs,
            way_on: None,
            since: None,
            is_over: false,
        }
    }

    /// Ends the jobs that wait, too; `way_on` is the command that does not.
    pub(crate) fn or_end(self, sbatch: Sbatch, way_on: String) -> Self {
        Self {
            way_on: Some((sbatch, way_on)),
            ..self
        }
    }

    pub(crate) fn jobs(&self) -> &'a [ChainJob] {
        self.jobs
    }

    /// Looks, once setup has succeeded, until the images are seen, or long enough.
    pub(crate) fn look(
        &mut self,
        progress: &Progress,
        queue: &Queue,
        results: &Utf8Path,
    ) -> Option<Unseen> {
        let launch = progress.launch.record().filter(|_| !self.is_over)?;
        let setup = setup(progress)?;
        let Some(image) = self.preflight.absent_image() else {
            (self.is_over, self.since) = (true, None);
            return None;
        };
        if self.since.get_or_insert_with(Instant::now).elapsed() < patience(&image) {
            return None;
        }
        self.is_over = true;
        let reason = not_shared(setup, &image, queue);
        let sbatch = self
            .way_on
            .as_ref()
            .filter(|_| is_pending(&progress.launch));
        let Some((sbatch, way_on)) = sbatch else {
            // A launch that runs has found them: only this machine is left out.
            let node = node(Some(launch), "launch's node");
            return Some(Unseen::Noted(format!(
                "{reason}. launch goes on: its points will be in {results} on {node}, and the report is to be made where \
                 that folder is"
            )));
        };
        // The last first, so that none starts meanwhile.
        let later = (self.jobs.iter().rev()).filter(|job| !progress.completed_jobs.contains(job));
        let ended: Vec<_> = later
            .map(|job| format!("; {}", sbatch.cancel(job.clone())))
            .collect();
        Some(Unseen::Ended {
            reason: reason + &ended.concat(),
            advice: format!(
                "name a folder that login and compute nodes share: export STAGE_PATH=/lustre/...; where the compute nodes share it \
                 and only this machine does not, go on without this look: {way_on}"
            ),
        })
    }

    /// Whether images are missing here since setup succeeded.
    pub(crate) const fn misses_images(&self) -> bool {
        self.since.is_some()
    }

    /// What explains that launch did not find what setup fetched.
    pub(crate) fn explain(&self, progress: &Progress, queue: &Queue) -> Option<String> {
        let image = self.preflight.absent_image()?;
        Some(not_shared(setup(progress)?, &image, queue))
    }
}

/// The setup job that has succeeded.
fn setup(progress: &Progress) -> Option<&ChainJob> {
    let mut completed = progress.completed_jobs.iter();
    completed.find(|job| job.kind == ScriptKind::Setup)
}

/// Whether no task of it has started.
fn is_pending(launch: &JobStatus) -> bool {
    let is_pending = |record: &JobRecord| record.state == JobState::Pending;
    matches!(launch, JobStatus::Known(records) if records.iter().all(is_pending))
}

/// The nodes of a job, or what to call them.
pub(crate) fn node<'a>(record: Option<&'a JobRecord>, unknown: &'a str) -> &'a str {
    let nodes = record.and_then(|record| record.nodes.as_deref());
    nodes.unwrap_or(unknown)
}

fn not_shared(setup: &ChainJob, image: &Utf8Path, queue: &Queue) -> String {
    let status = queue.status(&setup.id).ok();
    let node = node(status.as_ref().and_then(JobStatus::record), "its node");
    format!(
        "setup, job {}, succeeded on {node}, but {image} is not on this machine: {node} and this machine do not share that folder",
        setup.id
    )
}

/// How long a file of another machine may not be seen: by default, NFS may show a folder as it was a minute ago.
fn patience(image: &Utf8Path) -> Duration {
    let folder = image
        .ancestors()
        .find_map(|path| path.canonicalize_utf8().ok());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    Duration::from_secs(folder.map_or(60, |folder| seconds_unseen(&folder, &mounts)))
}

/// For how many seconds this folder may lack what another machine has made. Where no other machine changes it, a job's last
/// moments count.
fn seconds_unseen(folder: &Utf8Path, mounts: &str) -> u64 {
    const LOCAL: [&str; 8] = [
        "btrfs", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs",
    ];
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Utf8Path::new(words.next()?), words.next()?, words.next()?))
    });
    // Of two at one place, the later one is on top.
    let of_folder = mounts.filter(|(place, ..)| folder.starts_with(place));
    match of_folder.max_by_key(|(place, ..)| place.as_str().len()) {
        Some((_, kind, _)) if LOCAL.contains(&kind) => 10,
        Some((_, _, options)) => {
            let values = options.split(',').filter_map(|option| {
                let (name, value) = option.split_once('=')?;
                matches!(name, "acdirmax" | "actimeo").then(|| value.parse().ok())?
            });
            values.max().unwrap_or(0).clamp(60, 3600)
        }
        None => 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_one_machine() {
        let mounts = "/dev/a / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\nx /home/me/a\\040b xfs rw 0 0\n\
                      auto /net autofs rw 0 0\n/dev/b /net xfs rw 0 0\nl /lustre lustre rw 0 0\ns:/x /slow nfs rw,acregmax=60,acdirmax=300 0 0\n";
        let seconds = |folder: &str| seconds_unseen(folder.into(), mounts);
        for (folder, expected) in [
            ("/", 10),
            ("/scratch/nim", 10),
            ("/home", 60),
            ("/home/me/nim", 60),
            ("/homes", 10),
            ("/net/nim", 10),
            ("/lustre/nim", 60),
            ("/slow/nim", 300),
        ] {
            assert_eq!(seconds(folder), expected, "{folder}");
        }
        assert_eq!(seconds_unseen("/".into(), ""), 60);
    }
}
