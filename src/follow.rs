//! How far a launch is: from what Slurm says of it and from what it leaves on disk.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::script::ScriptKind;
use crate::settings::{RunId, StagePath};
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
/// how far its servers are below the stage path. It writes nothing, and the job does
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
    /// What launch waits for, once that is known; jobs that have ended well are
    /// taken from it.
    before: Option<Vec<ChainJob>>,
    ended_well: Vec<ChainJob>,
    results: Utf8PathBuf,
    parts: Vec<Part>,
}

/// The launch job, or a task of it.
#[derive(Debug, Clone)]
struct Part {
    /// The task's number, where the whole array is followed.
    task: Option<u32>,
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
    /// How far each server and its client are.
    states: Vec<Utf8PathBuf>,
    /// The logs of their steps.
    logs: Vec<StepLogs>,
}

/// The logs of a server and its client.
#[derive(Debug, Clone)]
struct StepLogs {
    server: Utf8PathBuf,
    client: Utf8PathBuf,
}

/// What was seen at one look.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, Server, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).look()?;
/// if let Server::Loading { .. } = progress.server {
///     println!("the model is loaded");
/// }
/// println!("{} finished, {} failed", progress.finished(), progress.failed());
/// println!("now: {}", progress.measuring.join(", "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What Slurm says of the launch job.
    pub launch: JobStatus,
    /// The job that launch waits for, or that failed before it could start.
    pub before: Option<(ChainJob, JobRecord)>,
    /// The jobs before launch that have ended well.
    pub ended_well: Vec<ChainJob>,
    /// How often the job had been put into the queue again when its last run began,
    /// as far as the run has said it.
    pub restart: Option<u32>,
    /// The jobs whose points are this run's: the job itself, and those that it
    /// resumes.
    pub runs: Vec<RunId>,
    /// Whether the server is there; of several, the one that is least so.
    pub server: Server,
    /// The points of the sweep, in their order.
    pub points: Vec<PointProgress>,
    /// What is measured now, in the job's own words; several servers may measure several
    /// points.
    pub measuring: Vec<String>,
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

    /// Follows a launch job of a plan, which writes below this stage path: of an array all
    /// tasks, unless the job names one.
    #[must_use]
    pub fn new(plan: &Plan, stage_path: &StagePath, queue: Queue, launch: SubmittedJob) -> Self {
        let parts = match (plan.tasks(), launch.task()) {
            (Some(tasks), None) => (0..tasks)
                .map(|task| Part::of_task(plan, stage_path, &launch, task))
                .collect(),
            (Some(_), Some(task)) => vec![Part::new(
                plan,
                stage_path,
                Some(task as usize),
                &launch.in_file_names(),
            )],
            (None, _) => vec![Part::new(plan, stage_path, None, &launch.in_file_names())],
        };
        Self {
            queue,
            before: None,
            ended_well: Vec::new(),
            results: Utf8PathBuf::from(format!("{stage_path}/results")),
            parts,
            launch,
        }
    }

    /// Looks at the jobs before launch as well, as [`Chain`](crate::Chain) gave them.
    /// Without them they are found by what Slurm knows of the launch's dependency.
    ///
    /// ```no_run
    /// use nim_slurm::{Chain, Follower, Plan, Queue, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let jobs = Chain::new(&plan, Sbatch::find()?).submit("bench", |_| ())?;
    /// let launch = jobs.last().unwrap().job.clone();
    /// let stage = plan.settings().stage_path().expect("site.toml names it");
    /// let follower = Follower::new(&plan, stage, Queue::find()?, launch).with_chain(jobs);
    /// assert_eq!(follower.before().len(), 1); // setup
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_chain(mut self, jobs: impl IntoIterator<Item = ChainJob>) -> Self {
        let launch = &self.launch;
        let before = jobs.into_iter().filter(|job| job.job != *launch);
        self.before = Some(before.collect());
        self
    }

    /// The folder that has the results.
    ///
    /// ```no_run
    /// use nim_slurm::{Follower, Plan, Queue, Recipe, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let stage = "/lustre/project/nim".parse()?;
    /// let follower = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?);
    /// assert_eq!(follower.results(), "/lustre/project/nim/results");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn results(&self) -> &camino::Utf8Path {
        &self.results
    }

    /// The jobs that launch still waits for, as far as they are known.
    ///
    /// ```no_run
    /// use nim_slurm::{Follower, Plan, Queue, Recipe, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let stage = "/lustre/project/nim".parse()?;
    /// let mut follower = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?);
    /// follower.look()?;
    /// for job in follower.before() {
    ///     println!("waits for {}, job {}", job.kind.file_name(), job.job);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn before(&self) -> &[ChainJob] {
        self.before.as_deref().unwrap_or_default()
    }

    /// Looks once.
    ///
    /// # Errors
    ///
    /// When Slurm cannot be asked, and the job has not said how it ended.
    /// [`StatusError::Unreachable`] may pass; the job goes on all the same. A file
    /// that is not there yet is no error.
    pub fn look(&mut self) -> Result<Progress, StatusError> {
        let said = self.queue.status(&self.launch);
        // In this order: the manifest of a job that has ended is its last.
        let manifests: Vec<_> = self.parts.iter().map(Part::manifest).collect();
        let launch = match said {
            Err(error) if manifests.iter().all(|own| is_over(&error, own.as_ref())) => {
                JobStatus::Forgotten
            }
            status => status?,
        };
        let looks: Vec<_> = (self.parts.iter().zip(manifests))
            .map(|(part, manifest)| part.look(&launch, manifest))
            .collect();
        if let (None, Some(record)) = (&self.before, launch.record()) {
            self.before = Some(self.find_before(record)?);
        }
        let before = self.look_before(looks.iter().any(Look::has_started))?;
        let anyone_is_known = looks.iter().any(Look::is_known);
        let endings = (self.parts.iter().zip(&looks))
            .filter(|(_, look)| look.is_known() || !anyone_is_known)
            .map(|(part, look)| {
                let manifest = look.manifest.as_ref();
                let ending = ending::of(&look.status, before.as_ref(), manifest, &part.files);
                Some((part.task, ending?))
            });
        let ending = endings.collect::<Option<Vec<_>>>().map(ending::of_tasks);
        let manifests = || looks.iter().filter_map(|look| look.manifest.as_ref());
        let mut runs: Vec<_> = RunId::parse(&self.launch.in_file_names())
            .into_iter()
            .collect();
        for run in manifests().flat_map(|manifest| &manifest.resumes) {
            if !runs.contains(run) {
                runs.push(run.clone());
            }
        }
        let servers = looks.iter().map(|look| &look.server);
        let running = servers.filter(|server| **server != Server::Absent);
        let server = running.reduce(|one, other| if other.is_behind(one) { other } else { one });
        Ok(Progress {
            runs,
            restart: manifests().filter_map(|manifest| manifest.restart).max(),
            ended_well: self.ended_well.clone(),
            before,
            server: server.cloned().unwrap_or(Server::Absent),
            points: looks.iter().flat_map(|look| look.points.clone()).collect(),
            measuring: looks
                .iter()
                .flat_map(|look| look.measuring.clone())
                .collect(),
            ending,
            launch,
        })
    }

    /// The first of the earlier jobs that has not ended well. Once launch has started
    /// there is none to wait for.
    fn look_before(
        &mut self,
        has_started: bool,
    ) -> Result<Option<(ChainJob, JobRecord)>, StatusError> {
        let before = self.before.get_or_insert_default();
        while let Some(job) = before.first() {
            match status(&self.queue, &job.job)?.record() {
                Some(record) if record.state == JobState::Completed => {
                    self.ended_well.push(before.remove(0));
                }
                Some(record) if !has_started => return Ok(Some((job.clone(), record.clone()))),
                // What nobody knows any more is nothing to wait for.
                _ => drop(before.remove(0)),
            }
        }
        Ok(None)
    }

    /// The jobs of a chain that this job waits for, directly or through another one:
    /// those that run the scripts that come before launch.
    fn find_before(&self, launch: &JobRecord) -> Result<Vec<ChainJob>, StatusError> {
        /// A chain is shorter; each job is a request to the controller.
        const MOST_JOBS: usize = 8;
        let mut found: Vec<ChainJob> = Vec::new();
        let mut unseen = launch.waits_for.clone();
        for _ in 0..MOST_JOBS {
            let Some(id) = unseen.pop() else { break };
            let job = self.launch.beside(id);
            let status = status(&self.queue, &job)?;
            let script = status.record().and_then(|record| record.script.as_ref());
            let kind = ScriptKind::ALL.into_iter().find(|kind| {
                script.is_some_and(|script| script.file_name() == Some(kind.file_name()))
            });
            let is_known = |kind| found.iter().any(|job| job.kind == kind);
            if let (Some(record), Some(kind)) = (status.record(), kind)
                && kind != ScriptKind::Launch
                && !is_known(kind)
            {
                unseen.extend(&record.waits_for);
                found.push(ChainJob { kind, job });
            }
        }
        let order = |job: &ChainJob| ScriptKind::ALL.iter().position(|kind| *kind == job.kind);
        found.sort_by_key(order);
        Ok(found)
    }
}

impl Part {
    /// A part whose files have this job in their names.
    fn new(plan: &Plan, stage_path: &StagePath, task: Option<usize>, job: &str) -> Self {
        let log = |step: &str, replica: u32| {
            let number = match replica {
                0 => String::new(),
                replica => format!(".{replica}"),
            };
            Utf8PathBuf::from(format!("{stage_path}/logs/{step}_{job}{number}.out"))
        };
        let logs = |replica| StepLogs {
            server: log("server", replica),
            client: log("benchmarking", replica),
        };
        let replicas = plan.recipe().server.replicas.get();
        let results = Utf8PathBuf::from(format!("{stage_path}/results"));
        Self {
            task: None,
            planned: plan.point_folders(task, job),
            files: RunFiles {
                manifest: results.join(format!("run_{job}.json")),
                points: results.join(format!(".run_{job}/points")),
                states: (0..replicas)
                    .map(|number| results.join(format!(".run_{job}/state.{number}")))
                    .collect(),
                logs: (0..replicas).map(logs).collect(),
                results,
            },
        }
    }

    /// A task of an array that is followed as a whole.
    fn of_task(plan: &Plan, stage_path: &StagePath, array: &SubmittedJob, task: usize) -> Self {
        let job = format!("{}-{task}", array.in_file_names());
        Self {
            task: u32::try_from(task).ok(),
            ..Self::new(plan, stage_path, Some(task), &job)
        }
    }

    fn manifest(&self) -> Option<Manifest> {
        Manifest::read(&self.files.manifest).ok()
    }

    /// What Slurm says of this part.
    fn status(&self, launch: &JobStatus) -> JobStatus {
        let (Some(task), JobStatus::Known(records)) = (self.task, launch) else {
            return launch.clone();
        };
        let own = records.iter().find(|record| record.is_of_task(task));
        own.map_or(JobStatus::Forgotten, |record| {
            JobStatus::Known(vec![record.clone()])
        })
    }

    fn look(&self, launch: &JobStatus, manifest: Option<Manifest>) -> Look {
        let status = self.status(launch);
        let record = status.record();
        let is_running =
            record.is_some_and(|record| !record.state.is_waiting() && !record.state.has_ended());
        let points = point::read(&self.files, &self.planned, manifest.as_ref());
        let (server, measuring) = if is_running {
            let started = record.and_then(|record| record.started);
            server::read_all(&self.files.states, points.len(), started)
        } else {
            (Server::Absent, Vec::new())
        };
        Look {
            status,
            manifest,
            is_running,
            server,
            points,
            measuring,
        }
    }
}

/// What was seen of a part.
struct Look {
    status: JobStatus,
    manifest: Option<Manifest>,
    is_running: bool,
    server: Server,
    points: Vec<PointProgress>,
    measuring: Vec<String>,
}

impl Look {
    const fn has_started(&self) -> bool {
        self.is_running || self.manifest.is_some()
    }

    /// Whether anybody knows of it. A task may have been left out when the job was
    /// submitted.
    fn is_known(&self) -> bool {
        self.status.record().is_some() || self.manifest.is_some()
    }
}

/// What is known of an earlier job. Where the accounts do not tell, that is nothing.
fn status(queue: &Queue, job: &SubmittedJob) -> Result<JobStatus, StatusError> {
    match queue.status(job) {
        Err(StatusError::Accounts { .. }) => Ok(JobStatus::Forgotten),
        status => status,
    }
}

/// True when the job's own word on its end holds, since Slurm cannot tell: its
/// controller has forgotten the job, or it is one that ended for good. A job that was
/// stopped may be on its way back into the queue.
fn is_over(error: &StatusError, manifest: Option<&Manifest>) -> bool {
    const STOPPED: u32 = 6;
    let code = manifest.and_then(|manifest| manifest.exit_code);
    code.is_some_and(|code| code != STOPPED || matches!(error, StatusError::Accounts { .. }))
}
