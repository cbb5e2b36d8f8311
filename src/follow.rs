//! How far a launch is: from what Slurm says of it and from what it leaves on disk.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::job_options::ScriptKind;
use crate::manifest::Manifest;
use crate::plan::Plan;
use crate::settings::StagePath;
use crate::slurm::RunId;
use crate::slurm::SubmittedJob;
use crate::status::{JobRecord, JobState, JobStatus, Queue, StatusError, add_other_tasks};
use crate::submit::ChainJob;

pub use self::files::last_lines;
pub use self::outcome::LaunchOutcome;
pub use self::point::{PointProgress, PointState};
pub use self::server::{Measuring, ServerState};

mod files;
mod outcome;
mod point;
mod server;

/// Polls a launch job: how far it is, and how it ended.
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
/// let outcome = loop {
///     let progress = follower.poll()?;
///     println!("{} of {} points", progress.finished(), progress.points.len());
///     if let Some(outcome) = progress.outcome {
///         break outcome;
///     }
///     std::thread::sleep(Follower::INTERVAL);
/// };
/// println!("{outcome}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Follower {
    queue: Queue,
    launch: SubmittedJob,
    /// What launch waits for, once that is known; jobs that have succeeded are
    /// taken from it.
    earlier_jobs: Option<Vec<ChainJob>>,
    completed_jobs: Vec<ChainJob>,
    /// The script of launch, once the controller has named it: the accounts do not.
    script: Option<Utf8PathBuf>,
    results: Utf8PathBuf,
    tasks: Vec<FollowedTask>,
    /// How many tasks of the recipe's array may run at once.
    array_limit: Option<u32>,
    /// How tasks ended, as Slurm has said it. It forgets each after a while.
    ended_tasks: Vec<JobRecord>,
}

/// A part of a launch, with a manifest of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A task of an array.
    Task(usize),
    /// A turn of a server's variant, of those that one job takes.
    Turn(usize),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.noun(), self.number())
    }
}

impl Part {
    const fn noun(self) -> &'static str {
        match self {
            Self::Task(_) => "task",
            Self::Turn(_) => "turn",
        }
    }

    /// Its place among the parts, which is behind the job's number in names.
    const fn place(self) -> usize {
        let (Self::Task(place) | Self::Turn(place)) = self;
        place
    }

    /// Its number for people: Slurm counts tasks from 0, and the job its turns from 1.
    const fn number(self) -> usize {
        match self {
            Self::Task(number) => number,
            Self::Turn(place) => place + 1,
        }
    }
}

/// The launch job, or a part of it.
#[derive(Debug, Clone)]
struct FollowedTask {
    /// Which one, where several are followed.
    part: Option<Part>,
    /// The folders of the points, for as long as the job has not said itself.
    planned: Vec<String>,
    /// Whether a search takes some of them, one after the other.
    is_search: bool,
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

/// How far a launch is, as of one [`poll`](Follower::poll).
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, ServerState, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// if let ServerState::Loading { .. } = progress.server {
///     println!("the model is loaded");
/// }
/// println!("{} finished, {} failed", progress.finished(), progress.failed());
/// for point in &progress.measuring {
///     println!("now: {point}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`Progress::new`] makes one to show or to test with. Serialized, it has its fields by their
/// names, and times in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// What Slurm says of the launch job.
    pub launch: JobStatus,
    /// The job that launch waits for, or that failed before it could start.
    pub earlier_job: Option<(ChainJob, JobRecord)>,
    /// What launch waits for beside the earlier job.
    pub waiting_jobs: Vec<ChainJob>,
    /// The jobs before launch that have succeeded.
    pub completed_jobs: Vec<ChainJob>,
    /// How often the job had been put into the queue again when its last run began,
    /// as far as the run has said it.
    pub restart: Option<u32>,
    /// The jobs whose points are this run's: the job itself, and those that it
    /// resumes.
    pub runs: Vec<RunId>,
    /// Whether the server is there; of several, the one that is least so.
    pub server: ServerState,
    /// The points of the sweep, in their order.
    pub points: Vec<PointProgress>,
    /// What is measured now; several servers may measure several points.
    pub measuring: Vec<Measuring>,
    /// How the launch job ended; none while it goes on.
    pub outcome: Option<LaunchOutcome>,
}

impl Progress {
    /// A launch of which Slurm says this, and no more is known. Its fields can be set.
    ///
    /// ```
    /// use nim_slurm::slurm::JobId;
    /// use nim_slurm::{JobRecord, JobState, JobStatus, PointProgress, PointState, Progress};
    ///
    /// let record = JobRecord::new(JobId::try_from(4711)?, JobState::Running);
    /// let mut progress = Progress::new(JobStatus::Known(vec![record]));
    /// progress.points = ["a_4711", "b_4711"]
    ///     .map(|folder| PointProgress::new(folder, PointState::Finished))
    ///     .to_vec();
    /// assert_eq!((progress.finished(), progress.failed()), (2, 0));
    ///
    /// let json = serde_json::to_value(&progress)?;
    /// assert_eq!(json["launch"]["known"][0]["state"], "RUNNING");
    /// assert_eq!(json["points"][1]["state"], "finished");
    /// assert_eq!(json["server"]["state"], "absent");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(launch: JobStatus) -> Self {
        Self {
            launch,
            earlier_job: None,
            waiting_jobs: Vec::new(),
            completed_jobs: Vec::new(),
            restart: None,
            runs: Vec::new(),
            server: ServerState::Absent,
            points: Vec::new(),
            measuring: Vec::new(),
            outcome: None,
        }
    }

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
    /// How long to wait between two polls: each is a request or two to the
    /// controller, which all users of a cluster share.
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// Follows a launch job of a plan, which writes below this stage path: of an array all
    /// tasks, unless the job names one.
    #[must_use]
    pub fn new(plan: &Plan, stage_path: &StagePath, queue: Queue, launch: SubmittedJob) -> Self {
        let part = |part| FollowedTask::of_part(plan, stage_path, &launch, part);
        let alone = |task| FollowedTask::new(plan, stage_path, task, &launch.in_file_names());
        let tasks = match (plan.tasks(), plan.turns(), launch.task()) {
            (Some(tasks), _, None) => (0..tasks).map(Part::Task).map(part).collect(),
            (Some(_), _, Some(task)) => vec![alone(Some(task as usize))],
            (None, Some(turns), _) => (0..turns).map(Part::Turn).map(part).collect(),
            (None, None, _) => vec![alone(None)],
        };
        Self {
            queue,
            earlier_jobs: None,
            completed_jobs: Vec::new(),
            script: None,
            results: Utf8PathBuf::from(format!("{stage_path}/results")),
            tasks,
            array_limit: plan.recipe().sweep.array_limit,
            ended_tasks: Vec::new(),
            launch,
        }
    }

    /// Polls the jobs before launch as well, as [`Chain`](crate::Chain) gave them.
    /// Without them they are found by what Slurm knows of the launch's dependency.
    ///
    /// ```no_run
    /// use nim_slurm::{Chain, Follower, Plan, Queue, Recipe, Sbatch, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
    /// let jobs = Chain::new(&plan, Sbatch::find()?).submit("bench", |_| ())?;
    /// let launch = jobs.last().unwrap().id.clone();
    /// let stage = plan.settings().stage_path().expect("site.toml names it");
    /// let follower = Follower::new(&plan, stage, Queue::find()?, launch).with_chain(jobs);
    /// assert_eq!(follower.earlier_jobs().len(), 1); // setup
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_chain(mut self, jobs: impl IntoIterator<Item = ChainJob>) -> Self {
        let launch = &self.launch;
        let before = jobs.into_iter().filter(|job| job.id != *launch);
        self.earlier_jobs = Some(before.collect());
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
    /// assert_eq!(follower.results_folder(), "/lustre/project/nim/results");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn results_folder(&self) -> &camino::Utf8Path {
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
    /// follower.poll()?;
    /// for job in follower.earlier_jobs() {
    ///     println!("waits for {}, job {}", job.kind.file_name(), job.id);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn earlier_jobs(&self) -> &[ChainJob] {
        self.earlier_jobs.as_deref().unwrap_or_default()
    }

    /// Whether these are the plan's points, by their folders but for the job: those of a launch that was submitted
    /// with other flags are not. Of a search, it is whether the plan's search may take them.
    ///
    /// ```no_run
    /// use nim_slurm::{Follower, Plan, Queue, Recipe, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let stage = "/lustre/project/nim".parse()?;
    /// let mut follower = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?);
    /// let progress = follower.poll()?;
    /// if !follower.has_planned_points(&progress.points) {
    ///     println!("it measures another sweep");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn has_planned_points(&self, points: &[PointProgress]) -> bool {
        fn without_job(folder: &str) -> &str {
            folder.rsplit_once('_').map_or(folder, |(name, _)| name)
        }
        let planned = self.tasks.iter().flat_map(|task| &task.planned);
        let planned: HashSet<_> = planned.map(|folder| without_job(folder)).collect();
        let points = points.iter().map(|point| without_job(&point.folder));
        let points: HashSet<_> = points.collect();
        if self.tasks.iter().any(|task| task.is_search) {
            points.is_subset(&planned)
        } else {
            points == planned
        }
    }

    /// Asks how far the launch is now.
    ///
    /// # Errors
    ///
    /// When Slurm cannot be asked, and the job has not said how it ended.
    /// [`StatusError::Unreachable`] may pass; the job goes on all the same. A file
    /// that is not there yet is no error.
    pub fn poll(&mut self) -> Result<Progress, StatusError> {
        let status = self.queue.recent_status(&self.launch);
        // In this order: the manifest of a job that has ended is its last.
        let manifests: Vec<_> = self.tasks.iter().map(FollowedTask::manifest).collect();
        let mut launch = match status {
            Err(error) if manifests.iter().all(|own| is_over(&error, own.as_ref())) => {
                JobStatus::Unknown
            }
            status => status?,
        };
        if let JobStatus::Known(records) = &mut launch {
            for record in records {
                self.script = record.script.take().or(self.script.take());
                record.script.clone_from(&self.script);
            }
        }
        let (launch, are_others_left_out) = self.with_ended_tasks(launch);
        let points: Vec<_> = (self.tasks.iter().zip(&manifests))
            .map(|(task, manifest)| task.points(manifest.as_ref()))
            .collect();
        let total = points.iter().map(Vec::len).sum();
        let mut before = 0;
        let polled: Vec<_> = (self.tasks.iter().zip(manifests).zip(points))
            .map(|((task, manifest), points)| {
                let numbers = server::Numbers { before, total };
                before += points.len();
                task.poll(&launch, manifest, points, numbers)
            })
            .collect();
        if let (None, Some(record)) = (&self.earlier_jobs, launch.record()) {
            self.earlier_jobs = Some(self.find_earlier_jobs(record)?);
        }
        let earlier_job = self.poll_earlier_jobs(polled.iter().any(TaskProgress::has_started))?;
        let any_is_known = polled.iter().any(TaskProgress::is_known);
        let manifests: Vec<_> = polled.iter().map(|own| own.manifest.as_ref()).collect();
        let is_told = |progress: &TaskProgress| {
            progress.is_known() || !any_is_known || !are_others_left_out && earlier_job.is_none()
        };
        let outcomes = (self.tasks.iter().zip(&polled).enumerate())
            .filter(|(_, (_, progress))| is_told(progress))
            .map(|(number, (task, progress))| {
                if any_is_known && !progress.is_known() {
                    return Some((task.part, task.lost()));
                }
                let manifest = progress.manifest.as_ref();
                let is_turn = matches!(task.part, Some(Part::Turn(_)));
                let is_success = is_turn && outcome::has_succeeded_alone(manifest, &manifests);
                let outcome = outcome::of(
                    // The job's end is then another turn's.
                    if is_success {
                        &JobStatus::Unknown
                    } else {
                        &progress.status
                    },
                    earlier_job.as_ref(),
                    manifest,
                    &task.files,
                );
                let outcome = outcome?.with_what_is_there(manifest, &progress.points, &task.files);
                let outcome =
                    if is_turn && outcome::never_ran(outcome.exit_code, &manifests, number) {
                        LaunchOutcome::new(None, "it did not run")
                    } else {
                        outcome
                    };
                Some((task.part, outcome))
            });
        let array = self.open_array(&launch, &manifests);
        let outcomes = outcomes.collect::<Option<Vec<_>>>();
        let outcome = outcomes.map(|outcomes| outcome::of_tasks(outcomes, array.as_ref()));
        let manifests = || manifests.iter().copied().flatten();
        let mut runs: Vec<_> = RunId::parse(&self.launch.in_file_names())
            .into_iter()
            .collect();
        let mut known: HashSet<_> = runs.iter().cloned().collect();
        for run in manifests().flat_map(|manifest| &manifest.resumes) {
            if known.insert(run.clone()) {
                runs.push(run.clone());
            }
        }
        let servers = polled.iter().map(|progress| &progress.server);
        let running = servers.filter(|server| **server != ServerState::Absent);
        let server = running.reduce(|one, other| if other.is_behind(one) { other } else { one });
        Ok(Progress {
            runs,
            restart: manifests().filter_map(|manifest| manifest.restart).max(),
            completed_jobs: self.completed_jobs.clone(),
            waiting_jobs: self.earlier_jobs().iter().skip(1).cloned().collect(),
            earlier_job,
            server: server.cloned().unwrap_or(ServerState::Absent),
            points: polled
                .iter()
                .flat_map(|progress| progress.points.clone())
                .collect(),
            measuring: polled
                .iter()
                .flat_map(|progress| progress.measuring.clone())
                .collect(),
            outcome,
            launch,
        })
    }

    /// The array, where all its tasks are followed.
    fn open_array<'a>(
        &self,
        launch: &'a JobStatus,
        manifests: &'a [Option<&'a Manifest>],
    ) -> Option<outcome::OpenArray<'a>> {
        let is_array = self.tasks.iter().all(FollowedTask::is_of_array);
        is_array.then(|| outcome::OpenArray {
            id: self.launch.in_file_names(),
            limit: self.array_limit,
            record: launch.record(),
            manifests,
        })
    }

    /// What Slurm says of the tasks of an array, those that it has forgotten among them; and whether the others
    /// were left out when the job was submitted.
    fn with_ended_tasks(&mut self, launch: JobStatus) -> (JobStatus, bool) {
        if !self.tasks.iter().all(FollowedTask::is_of_array) {
            return (launch, false);
        }
        let mut records = match launch {
            JobStatus::Known(records) => records,
            JobStatus::Unknown => Vec::new(),
        };
        let is_over = |record: &JobRecord| record.state.has_ended() || record.never_starts();
        add_other_tasks(&mut records, std::mem::take(&mut self.ended_tasks));
        let known: HashSet<_> = records.iter().flat_map(JobRecord::tasks).collect();
        let is_known = |task: usize| u32::try_from(task).is_ok_and(|task| known.contains(&task));
        let mut is_left_out = false;
        // At the end alone, since it is one more request.
        if records.iter().all(is_over) && !(0..self.tasks.len()).all(is_known) {
            let accounts = self.queue.ask_accounts(&self.launch).unwrap_or_default();
            is_left_out = !accounts.is_empty();
            add_other_tasks(&mut records, accounts);
        }
        let ended = records.iter().filter(|record| record.state.has_ended());
        self.ended_tasks = ended.cloned().collect();
        let launch = if records.is_empty() {
            JobStatus::Unknown
        } else {
            JobStatus::Known(records)
        };
        (launch, is_left_out)
    }

    /// The first of the earlier jobs that has not succeeded. Once launch has started
    /// there is none to wait for.
    fn poll_earlier_jobs(
        &mut self,
        has_started: bool,
    ) -> Result<Option<(ChainJob, JobRecord)>, StatusError> {
        let waiting = self.earlier_jobs.get_or_insert_default();
        while let Some(job) = waiting.first() {
            match status(&self.queue, &job.id)?.record() {
                Some(record) if record.state == JobState::Completed => {
                    self.completed_jobs.push(waiting.remove(0));
                }
                Some(record) if !has_started => return Ok(Some((job.clone(), record.clone()))),
                // What nobody knows any more is nothing to wait for.
                _ => drop(waiting.remove(0)),
            }
        }
        Ok(None)
    }

    /// The jobs of a chain that this job waits for, directly or through another one:
    /// those that run the scripts that come before launch.
    fn find_earlier_jobs(&self, launch: &JobRecord) -> Result<Vec<ChainJob>, StatusError> {
        /// A chain is shorter; each job is a request to the controller.
        const MOST_JOBS: usize = 8;
        let mut found: Vec<ChainJob> = Vec::new();
        let mut unseen = launch.waits_for.clone();
        for _ in 0..MOST_JOBS {
            let Some(id) = unseen.pop() else { break };
            let id = self.launch.in_same_cluster(id);
            let status = status(&self.queue, &id)?;
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
                found.push(ChainJob::new(kind, id));
            }
        }
        let order = |job: &ChainJob| ScriptKind::ALL.iter().position(|kind| *kind == job.kind);
        found.sort_by_key(order);
        Ok(found)
    }
}

impl FollowedTask {
    /// A task whose files have this job in their names.
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
        let replicas = plan.recipe().server.replicas;
        let results = Utf8PathBuf::from(format!("{stage_path}/results"));
        Self {
            part: None,
            planned: plan.point_folders(task, job),
            is_search: plan.recipe().sweep.search.is_some(),
            files: RunFiles {
                manifest: results.join(format!("run_{job}.json")),
                points: results.join(format!(".run_{job}/client/points")),
                states: (0..replicas)
                    .map(|number| results.join(format!(".run_{job}/client/state.{number}")))
                    .collect(),
                logs: (0..replicas).map(logs).collect(),
                results,
            },
        }
    }

    /// A part of a launch that is followed as a whole.
    fn of_part(plan: &Plan, stage_path: &StagePath, launch: &SubmittedJob, part: Part) -> Self {
        let job = format!("{}-{}", launch.in_file_names(), part.place());
        Self {
            part: Some(part),
            ..Self::new(plan, stage_path, Some(part.place()), &job)
        }
    }

    const fn is_of_array(&self) -> bool {
        matches!(self.part, Some(Part::Task(_)))
    }

    /// The end of a task that nobody knows, while others are known.
    fn lost(&self) -> LaunchOutcome {
        let reason = format!(
            "nothing is known of it, since Slurm does not tell, and {} is not there",
            self.files.manifest
        );
        LaunchOutcome::new(None, reason)
    }

    fn manifest(&self) -> Option<Manifest> {
        Manifest::read(&self.files.manifest).ok()
    }

    /// What Slurm says of this task.
    fn status(&self, launch: &JobStatus) -> JobStatus {
        let (Some(Part::Task(task)), JobStatus::Known(records)) = (self.part, launch) else {
            return launch.clone();
        };
        let task = u32::try_from(task).ok();
        let own = records
            .iter()
            .find(|record| task.is_some_and(|task| record.is_of_task(task)));
        own.map_or(JobStatus::Unknown, |record| {
            JobStatus::Known(vec![record.clone()])
        })
    }

    fn points(&self, manifest: Option<&Manifest>) -> Vec<PointProgress> {
        if self.is_search {
            point::read_search(&self.files, &self.planned, manifest)
        } else {
            point::read(&self.files, &self.planned, manifest)
        }
    }

    fn poll(
        &self,
        launch: &JobStatus,
        manifest: Option<Manifest>,
        points: Vec<PointProgress>,
        numbers: server::Numbers,
    ) -> TaskProgress {
        let status = self.status(launch);
        let record = status.record();
        // Turns of one job follow one another: the manifest of the one that runs has no exit code yet.
        let is_its_turn = match (self.part, &manifest) {
            (Some(Part::Turn(_)), Some(manifest)) => manifest.exit_code.is_none(),
            (Some(Part::Turn(turn)), None) => turn == 0,
            _ => true,
        };
        let is_running = is_its_turn
            && record.is_some_and(|record| !record.state.is_waiting() && !record.state.has_ended());
        let (server, measuring) = if is_running {
            let started = record.and_then(|record| record.started);
            server::read_all(&self.files.states, numbers, started)
        } else {
            (ServerState::Absent, Vec::new())
        };
        // A job that has said its end tidies up, and Slurm learns of it a moment later.
        let has_said_its_end = manifest.as_ref().is_some_and(|manifest| {
            manifest.exit_code.is_some() && outcome::is_of_last_start(manifest, record)
        });
        let server = match server {
            ServerState::Loading { waited: None } if has_said_its_end => ServerState::Absent,
            server => server,
        };
        TaskProgress {
            status,
            manifest,
            is_running,
            server,
            points,
            measuring,
        }
    }
}

/// How far a task is.
struct TaskProgress {
    status: JobStatus,
    manifest: Option<Manifest>,
    is_running: bool,
    server: ServerState,
    points: Vec<PointProgress>,
    measuring: Vec<Measuring>,
}

impl TaskProgress {
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
        Err(StatusError::Accounts { .. }) => Ok(JobStatus::Unknown),
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
