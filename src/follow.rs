//! How far a launch is: from what Slurm says of it and from what it leaves on disk.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::settings::StagePath;
use crate::slurm::SubmittedJob;
use crate::status::{JobRecord, JobState, JobStatus, Queue, StatusError};
use crate::submit::ChainJob;

pub use self::ending::Ending;
pub use self::files::last_lines;
pub use self::point::{PointProgress, PointState};
pub use self::server::Server;

mod ending;
mod files;
mod point;
mod server;

/// Looks at a launch job, as often as it is asked to.
///
/// It asks Slurm for the job, and reads the job's manifest, its list of points and
/// the end of its log below the stage path. It writes nothing, and the job does
/// not notice it.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let mut follower =
///     Follower::new(&plan, &"/lustre/project/nim".parse()?, Queue::find()?, "4711".parse()?);
/// let ending = loop {
///     let progress = follower.look()?;
///     println!("{} of {} points", progress.finished(), progress.points.len());
///     if let Some(ending) = progress.ending {
///         break ending;
///     }
///     std::thread::sleep(Follower::INTERVAL);
/// };
/// println!("{ending}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Follower {
    queue: Queue,
    launch: SubmittedJob,
    /// What launch waits for; jobs that have ended well are taken from it.
    before: Vec<ChainJob>,
    /// The folders of the points, for as long as the job has not said itself.
    planned: Vec<String>,
    files: RunFiles,
}

/// Where a launch job leaves what can be read.
#[derive(Debug, Clone)]
struct RunFiles {
    results: Utf8PathBuf,
    manifest: Utf8PathBuf,
    points: Utf8PathBuf,
    server_log: Utf8PathBuf,
    client_log: Utf8PathBuf,
}

/// What was seen at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What Slurm says of the launch job.
    pub launch: JobStatus,
    /// The job that launch waits for, or that failed before it could start.
    pub before: Option<(ChainJob, JobRecord)>,
    /// Whether the server is there.
    pub server: Server,
    /// The points of the sweep, in their order.
    pub points: Vec<PointProgress>,
    /// What is measured now, in the job's own words.
    pub measuring: Option<String>,
    /// How the launch job ended; none while it goes on.
    pub ending: Option<Ending>,
}

impl Progress {
    /// How many points are finished.
    #[must_use]
    pub fn finished(&self) -> usize {
        self.count(PointState::Finished)
    }

    /// How many points failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(PointState::Failed)
    }

    fn count(&self, state: PointState) -> usize {
        let points = self.points.iter();
        points.filter(|point| point.state == state).count()
    }
}

impl Follower {
    /// How long to wait between two looks: each is a request or two to the
    /// controller, which all users of a cluster share.
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// Follows a launch job of a plan, which writes below this stage path.
    #[must_use]
    pub fn new(plan: &Plan, stage_path: &StagePath, queue: Queue, launch: SubmittedJob) -> Self {
        let job = launch.in_file_names();
        let results = Utf8PathBuf::from(format!("{stage_path}/results"));
        let log = |step: &str| Utf8PathBuf::from(format!("{stage_path}/logs/{step}_{job}.out"));
        Self {
            queue,
            before: Vec::new(),
            planned: plan.point_folders(&job),
            files: RunFiles {
                manifest: results.join(format!("run_{job}.json")),
                points: results.join(format!(".run_{job}/points")),
                server_log: log("server"),
                client_log: log("benchmarking"),
                results,
            },
            launch,
        }
    }

    /// Looks at the jobs before launch as well, as [`Chain`](crate::Chain) gave them.
    #[must_use]
    pub fn with_chain(mut self, jobs: impl IntoIterator<Item = ChainJob>) -> Self {
        let launch = &self.launch;
        let before = jobs.into_iter().filter(|job| job.job != *launch);
        self.before.extend(before);
        self
    }

    /// The folder that has the results.
    #[must_use]
    pub fn results(&self) -> &camino::Utf8Path {
        &self.files.results
    }

    /// Looks once.
    ///
    /// # Errors
    ///
    /// When Slurm cannot be asked. [`StatusError::Unreachable`] may pass; the job
    /// goes on all the same. A file that is not there yet is no error.
    pub fn look(&mut self) -> Result<Progress, StatusError> {
        let launch = self.queue.status(&self.launch)?;
        let state = launch.record().map(|record| &record.state);
        let is_running = state.is_some_and(|state| !state.is_waiting() && !state.has_ended());
        let manifest = Manifest::read(&self.files.manifest).ok();
        let before = if is_running || manifest.is_some() {
            None
        } else {
            self.look_before()?
        };
        let points = point::read(&self.files, &self.planned, manifest.as_ref());
        let (server, measuring) = if is_running {
            let started = launch.record().and_then(|record| record.started);
            server::read(&self.files.client_log, started)
        } else {
            (Server::Absent, None)
        };
        let ending = ending::of(&launch, before.as_ref(), manifest.as_ref(), &self.files);
        Ok(Progress {
            launch,
            before,
            server,
            points,
            measuring,
            ending,
        })
    }

    /// The first of the earlier jobs that has not ended well.
    fn look_before(&mut self) -> Result<Option<(ChainJob, JobRecord)>, StatusError> {
        while let Some(job) = self.before.first() {
            match self.queue.status(&job.job)?.record() {
                Some(record) if record.state != JobState::Completed => {
                    return Ok(Some((job.clone(), record.clone())));
                }
                // What nobody knows any more is nothing to wait for.
                _ => drop(self.before.remove(0)),
            }
        }
        Ok(None)
    }
}
