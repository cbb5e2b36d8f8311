//! What Slurm says of a job.

use std::collections::HashSet;
use std::io;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::command::{self, Answer, NoAnswer};
use crate::slurm::SubmittedJob;

pub(crate) use self::reason::ASSOCIATIONS;
pub use self::record::{JobExit, JobRecord};
pub use self::state::JobState;

mod reason;
mod record;
mod state;

/// A controller that is away is tried by Slurm's own programs for about twenty
/// seconds before they give up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Slurm's programs that know of jobs: `scontrol` or `squeue` for those that the
/// controller still has in mind, `sacct` for older ones where the site keeps
/// accounts.
///
/// ```no_run
/// use nim_slurm::{JobStatus, Queue};
///
/// match Queue::find()?.status(&"4711".parse()?)? {
///     JobStatus::Known(records) => println!("{}", records[0].state),
///     JobStatus::Unknown => println!("too long ago, or never"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each question is one request to Slurm for one job. Do not ask more often than
/// every few seconds: all users of the cluster share its controller.
///
/// # What the programs answer
///
/// Slurm's programs of all releases from 20.11 on answer like this, and so does one that
/// [stands in](crate::guide::render#test-it-without-slurm) for them. All get
/// `SLURM_TIME_FORMAT=%s`, for times in seconds since 1970, and `--clusters=NAME` in front where
/// the job's cluster is known.
///
/// `scontrol show job NUMBER` is asked first. It prints a block for each job or task of an
/// array, with an empty line between two. `JobId` and `JobState` must each begin a line; what is left
/// out, or is `(null)`, `N/A`, `None` or `Unknown`, is none:
///
/// ```text
/// JobId=4712 ArrayJobId=4711 ArrayTaskId=3 JobName=launch
///    JobState=FAILED Reason=NonZeroExitCode Dependency=afterok:4709
///    Requeue=1 Restarts=0 ExitCode=3:0
///    RunTime=00:01:00 TimeLimit=01:30:00
///    SubmitTime=1795506684
///    StartTime=1795506685 EndTime=1795506745
///    NodeList=node[1-2]
///    Command=/home/me/bench/launch.sh
///    StdOut=/home/me/slurm-4711_3.out
/// ```
///
/// Where a job is not known, it prints `Invalid job id specified` as an error, and ends with 1.
///
/// `squeue` is asked where scontrol refuses, and `sacct` where the controller does not know the
/// job, or knows tasks of an array and may have forgotten others. Their rows have as many fields as they are asked for, with `|` between them:
/// `JobIDRaw|JobID|State|ExitCode|Submit|Start|End|Timelimit|NodeList` for sacct, and those of
/// `--Format` for squeue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The first is asked first.
    controller: Vec<(Source, Utf8PathBuf)>,
    accounting: Option<Utf8PathBuf>,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Tells all there is to tell.
    Scontrol,
    /// For a site that keeps scontrol from its users.
    Squeue,
    Sacct,
}

/// What is known of a job.
///
/// ```
/// use nim_slurm::JobStatus;
///
/// let describe = |status: &JobStatus| match status.record() {
///     Some(record) => format!("job {} is {}", record.id, record.state),
///     None => "the job is not known any more".to_owned(),
/// };
/// assert_eq!(describe(&JobStatus::Unknown), "the job is not known any more");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// A record for the job; for an array one for each task, those that are still
    /// to be split off in one. There is at least one.
    Known(Vec<JobRecord>),
    /// Neither the controller nor the accounts know the job: it ended long ago and
    /// there are no accounts, or it never was.
    Unknown,
}

impl JobStatus {
    /// The job's record; of an array, that of the first task.
    #[must_use]
    pub fn record(&self) -> Option<&JobRecord> {
        match self {
            Self::Known(records) => records.first(),
            Self::Unknown => None,
        }
    }
}

/// A question about a job that has no answer.
///
/// ```
/// use nim_slurm::StatusError;
///
/// // Only what may pass is worth asking again.
/// let may_pass = |error: &StatusError| matches!(error, StatusError::Unreachable { .. });
/// let error = StatusError::Unreachable {
///     program: "/usr/bin/scontrol".into(),
///     message: "Socket timed out on send/recv operation".to_owned(),
/// };
/// assert!(may_pass(&error) && !may_pass(&StatusError::NotFound));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// There are no Slurm programs on this machine.
    #[error("neither scontrol nor squeue is on PATH: is this a login node of a Slurm cluster?")]
    NotFound,
    /// A program could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: Utf8PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Slurm's controller, or its accounting, did not answer. It may be there again
    /// in a moment.
    #[error("Slurm does not answer {program}: {message}")]
    Unreachable {
        /// The program that asked.
        program: Utf8PathBuf,
        /// Slurm's own message.
        message: String,
    },
    /// Slurm is not set up on this machine, or for this user: its programs have no
    /// configuration, or one that they cannot use.
    #[error(
        "{program} has no Slurm configuration that it can use; set SLURM_CONF as the site says, or load its Slurm module: {message}"
    )]
    NotConfigured {
        /// The program that asked.
        program: Utf8PathBuf,
        /// Slurm's own message.
        message: String,
    },
    /// Slurm does not answer this question to this user.
    #[error("{program} refused to tell of job {job}: {message}")]
    Refused {
        /// The program.
        program: Utf8PathBuf,
        /// The job.
        job: SubmittedJob,
        /// Slurm's own message.
        message: String,
    },
    /// The controller does not know the job, or not any more, and the accounts do not
    /// tell of it.
    #[error("the controller does not know job {job}, and Slurm's accounts cannot be asked")]
    Accounts {
        /// The job.
        job: SubmittedJob,
        /// Why not.
        #[source]
        source: Box<StatusError>,
    },
    /// The answer is not in [the form](Queue#what-the-programs-answer) that Slurm's programs have.
    #[error("cannot read what {program} says of job {job}, since {reason}: {answer:?}")]
    Unreadable {
        /// The program.
        program: Utf8PathBuf,
        /// The job.
        job: SubmittedJob,
        /// What is not as it should be.
        reason: String,
        /// The answer's beginning.
        answer: String,
    },
}

crate::plain::debug_in_words!(StatusError);

impl Queue {
    /// Finds the programs on `PATH`.
    ///
    /// # Errors
    ///
    /// [`StatusError::NotFound`] when neither `scontrol` nor `squeue` is there.
    pub fn find() -> Result<Self, StatusError> {
        let find = |name| Utf8PathBuf::from_path_buf(which::which(name).ok()?).ok();
        let controller: Vec<_> = [(Source::Scontrol, "scontrol"), (Source::Squeue, "squeue")]
            .into_iter()
            .filter_map(|(source, name)| Some((source, find(name)?)))
            .collect();
        if controller.is_empty() {
            return Err(StatusError::NotFound);
        }
        Ok(Self {
            controller,
            accounting: find("sacct"),
        })
    }

    /// Uses the programs in this folder, and none of `PATH`: `scontrol`, `squeue` where scontrol
    /// refuses or is not there, and `sacct` if it is there now. A relative path begins with `./`:
    /// an empty one would be `PATH` again.
    ///
    /// In [a test](crate::guide::render#test-it-without-slurm), one may be a script of a few
    /// lines.
    ///
    /// ```
    /// use nim_slurm::{Queue, StatusError};
    ///
    /// let error = Queue::at("/no/such/folder").status(&"4711".parse()?).unwrap_err();
    /// assert!(matches!(error, StatusError::Start { .. }));
    /// assert_eq!(error.to_string(), "cannot start /no/such/folder/scontrol");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn at(folder: impl AsRef<Utf8Path>) -> Self {
        // A name alone would be looked for on PATH.
        let folder = Some(folder.as_ref()).filter(|folder| *folder != "");
        let folder = folder.unwrap_or(Utf8Path::new("."));
        let path = |name| folder.join(name);
        Self {
            controller: vec![
                (Source::Scontrol, path("scontrol")),
                (Source::Squeue, path("squeue")),
            ],
            accounting: Some(path("sacct")).filter(|sacct| sacct.is_file()),
        }
    }

    /// Asks for a job: the controller, and if it does not know the job, the
    /// accounts. Of an array, they add the tasks that the controller has forgotten, if they can be asked.
    ///
    /// # Errors
    ///
    /// When a program cannot be started, Slurm does not answer, or refuses, or
    /// answers what cannot be read. That nobody knows the job is no error.
    pub fn status(&self, job: &SubmittedJob) -> Result<JobStatus, StatusError> {
        let mut status = self.recent_status(job)?;
        if let JobStatus::Known(records) = &mut status
            && job.task().is_none()
            && records.iter().any(|record| record.array.is_some())
        {
            add_other_tasks(records, self.ask_accounts(job).unwrap_or_default());
        }
        Ok(status)
    }

    /// The same, without the tasks of an array that the controller has forgotten while it knows others.
    pub(crate) fn recent_status(&self, job: &SubmittedJob) -> Result<JobStatus, StatusError> {
        let mut records = self.ask_controller(job)?;
        if records.is_empty() {
            let accounts = self.ask_accounts(job);
            records = accounts.map_err(|source| StatusError::Accounts {
                job: job.clone(),
                source: Box::new(source),
            })?;
        }
        Ok(if records.is_empty() {
            JobStatus::Unknown
        } else {
            JobStatus::Known(records)
        })
    }

    /// What the accounts know of a job; nothing where there are none.
    pub(crate) fn ask_accounts(&self, job: &SubmittedJob) -> Result<Vec<JobRecord>, StatusError> {
        let sacct = self.accounting.as_ref();
        sacct.map_or(Ok(Vec::new()), |sacct| ask(Source::Sacct, sacct, job))
    }

    fn ask_controller(&self, job: &SubmittedJob) -> Result<Vec<JobRecord>, StatusError> {
        let mut first_refusal = None;
        for (source, program) in &self.controller {
            match ask(*source, program, job) {
                // A comment of the job's may look like lines of scontrol's own, which squeue does not print.
                Err(
                    refusal @ (StatusError::Start { .. }
                    | StatusError::Refused { .. }
                    | StatusError::Unreadable { .. }),
                ) => {
                    first_refusal.get_or_insert(refusal);
                }
                outcome => return outcome,
            }
        }
        Err(first_refusal.unwrap_or(StatusError::NotFound))
    }
}

/// Adds the records of tasks of which there is none yet.
pub(crate) fn add_other_tasks(records: &mut Vec<JobRecord>, others: Vec<JobRecord>) {
    let mut known: HashSet<_> = records.iter().flat_map(JobRecord::tasks).collect();
    for other in others {
        if !other.tasks().all(|task| known.contains(&task)) {
            known.extend(other.tasks());
            records.push(other);
        }
    }
}

/// Asks one program; the job's records, none if it does not know the job.
fn ask(
    source: Source,
    program: &Utf8PathBuf,
    job: &SubmittedJob,
) -> Result<Vec<JobRecord>, StatusError> {
    let unreachable = |message| StatusError::Unreachable {
        program: program.clone(),
        message,
    };
    let answer = command::run(&mut question(source, program, job), TIMEOUT);
    let answer = answer.map_err(|reason| match reason {
        NoAnswer::Start(source) => StatusError::Start {
            program: program.clone(),
            source,
        },
        NoAnswer::Unheard(error) => unreachable(format!("it cannot be listened to: {error}")),
        NoAnswer::TimedOut => unreachable(format!("no answer within {} s", TIMEOUT.as_secs())),
    })?;
    let unreadable = |reason| StatusError::Unreadable {
        program: program.clone(),
        job: job.clone(),
        reason,
        answer: answer.stdout.chars().take(500).collect(),
    };
    if answer.is_cut {
        let mebibytes = command::MAX_KEPT >> 20;
        return Err(unreadable(format!("it is longer than {mebibytes} MiB")));
    }
    match meaning(&answer) {
        Meaning::Answer => {
            let mut records = source.read(&answer.stdout).map_err(unreadable)?;
            for record in &mut records {
                record.cluster = job.cluster().map(str::to_owned);
            }
            Ok(records)
        }
        Meaning::NoSuchJob => Ok(Vec::new()),
        Meaning::NobodyThere => Err(unreachable(answer.message())),
        Meaning::NoConfiguration => Err(StatusError::NotConfigured {
            program: program.clone(),
            message: answer.message(),
        }),
        Meaning::Refusal => Err(StatusError::Refused {
            program: program.clone(),
            job: job.clone(),
            message: answer.message(),
        }),
    }
}

/// The command that asks for a job.
fn question(source: Source, program: &Utf8PathBuf, job: &SubmittedJob) -> Command {
    let mut command = Command::new(program);
    command::ignore_filters(&mut command, command::variable_names());
    // Seconds since 1970: the one form that says which time zone it means.
    command.env("SLURM_TIME_FORMAT", "%s");
    command.args(job.cluster_option());
    match source {
        Source::Scontrol => command.args(["show", "job", &job.number()]),
        Source::Squeue => {
            command.args([
                "--noheader",
                "--states=all",
                "--Format",
                &record::squeue_format(),
            ]);
            command.arg(format!("--jobs={}", job.number()))
        }
        Source::Sacct => {
            command.args(["--noheader", "--allocations", "--parsable2"]);
            command.args(["--format", record::SACCT_FORMAT]);
            command.arg(format!("--jobs={}", job.number()))
        }
    };
    command
}

impl Source {
    fn read(self, answer: &str) -> Result<Vec<JobRecord>, String> {
        match self {
            Self::Scontrol => record::of_scontrol(answer),
            Self::Squeue => record::of_squeue(answer),
            Self::Sacct => record::of_sacct(answer),
        }
    }
}

/// What an answer amounts to.
enum Meaning {
    Answer,
    NoSuchJob,
    NobodyThere,
    NoConfiguration,
    Refusal,
}

/// The words are those of Slurm's `src/common/slurm_errno.c` and of sacct, and the
/// same from 20.11 to 26.05.
fn meaning(answer: &Answer) -> Meaning {
    const NO_SUCH_JOB: [&str; 2] = [
        "Invalid job id specified",
        // A site without accounts forgets as well.
        "accounting storage is disabled",
    ];
    const NOBODY_THERE: [&str; 8] = [
        "Unable to contact slurm controller",
        "Socket timed out on send/recv operation",
        "Zero Bytes were transmitted or received",
        "Slurm backup controller in standby mode",
        "Connection refused",
        "Communication connection failure",
        "Problem talking to the database",
        // Of this machine's munge, which signs each question.
        "Protocol authentication error",
    ];
    if answer.is_success() {
        return Meaning::Answer;
    }
    let message = answer.message();
    let is_one_of = |list: &[&str]| list.iter().any(|text| message.contains(text));
    // scontrol has a sentence of its own for tasks of arrays: "Job 7_3 not found".
    let is_no_task = message.starts_with("Job ") && message.ends_with(" not found");
    if is_one_of(&NO_SUCH_JOB) || is_no_task {
        Meaning::NoSuchJob
    } else if is_one_of(&NOBODY_THERE) {
        Meaning::NobodyThere
    } else if answer.lacks_configuration() {
        Meaning::NoConfiguration
    } else if answer.status.is_none() {
        // Where its exit code is lost, what it printed tells.
        if answer.stdout.trim().is_empty() {
            Meaning::NobodyThere
        } else {
            Meaning::Answer
        }
    } else {
        Meaning::Refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::{bash_answers, program};

    #[test]
    fn the_programs_of_one_folder() {
        let folder = tempfile::tempdir().unwrap();
        let queue = || Queue::at(Utf8Path::from_path(folder.path()).unwrap());
        let status = || queue().status(&"4711".parse().unwrap());
        let unknown = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1";
        let scontrol = program(folder.path(), "scontrol", unknown);
        assert_eq!(status().unwrap(), JobStatus::Unknown);
        // One of PATH is not asked for old jobs, nor where scontrol refuses.
        program(
            folder.path(),
            "scontrol",
            "echo 'Access denied' >&2; exit 1",
        );
        let error = status().unwrap_err();
        assert!(matches!(error, StatusError::Refused { .. }), "{error}");
        program(folder.path(), "scontrol", unknown);
        let row = "echo '4711|4711|FAILED|3:0|1|2|3|01:00:00|node1'";
        program(folder.path(), "sacct", row);
        let known = status().unwrap();
        assert_eq!(known.record().unwrap().exit.unwrap().code, 3);
        program(
            folder.path(),
            "scontrol",
            "echo 'JobId=4711 JobState=RUNNING'",
        );
        assert_eq!(
            status().unwrap_err().to_string(),
            format!(
                "cannot read what {scontrol} says of job 4711, since no line begins with JobState=: \"JobId=4711 \
                 JobState=RUNNING\\n\""
            )
        );
        // The tasks of an array that has more than that.
        let long = "yes $'JobId=4711 JobName=x\\n   JobState=RUNNING\\n\\n' | head -c 40000000";
        program(folder.path(), "scontrol", long);
        let error = status().unwrap_err().to_string();
        assert!(
            error.contains("since it is longer than 32 MiB: "),
            "{error}"
        );
    }

    #[test]
    fn a_user_s_formats_are_not_for_these_questions() {
        let job: SubmittedJob = "7_3;west".parse().unwrap();
        let words = |source| -> Vec<String> {
            question(source, &"/usr/bin/x".into(), &job)
                .get_args()
                .map(|word| word.to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            words(Source::Scontrol),
            ["--clusters=west", "show", "job", "7_3"]
        );
        assert!(words(Source::Squeue).contains(&"--jobs=7_3".to_owned()));
        assert!(words(Source::Sacct).contains(&"--parsable2".to_owned()));
    }

    #[test]
    fn what_a_failure_means() {
        let meaning_of =
            |message: &str| meaning(&bash_answers("printf %s \"$0\" >&2; exit 1", message));
        assert!(matches!(
            meaning_of("slurm_load_jobs error: Invalid job id specified"),
            Meaning::NoSuchJob
        ));
        assert!(matches!(
            meaning_of(
                "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
            ),
            Meaning::NobodyThere
        ));
        let lost = |program: &str| {
            let mut answer = bash_answers(program, "");
            answer.status = None;
            meaning(&answer)
        };
        assert!(matches!(lost("echo JobId=7"), Meaning::Answer));
        assert!(matches!(lost("exit 0"), Meaning::NobodyThere));
        assert!(matches!(lost("echo Denied >&2"), Meaning::NobodyThere));
        let unknown = "echo 'slurm_load_jobs error: Invalid job id specified' >&2";
        assert!(matches!(lost(unknown), Meaning::NoSuchJob));
        let munge = "scontrol: error: Munge encode failed: Failed to access \"/run/munge/munge.socket.2\": No such file or directory\n\
                     slurm_load_jobs error: Protocol authentication error";
        assert!(matches!(meaning_of(munge), Meaning::NobodyThere));
        assert!(matches!(
            meaning_of("scontrol: Permission denied"),
            Meaning::Refusal
        ));
        let end = "scontrol: fatal: Could not establish a configuration source";
        assert!(matches!(meaning_of(end), Meaning::NoConfiguration));
        // It fetches its configuration from a controller that is away.
        let away = format!(
            "scontrol: error: _fetch_child: failed to fetch remote configs: Unable to contact slurm controller (connect \
             failure)\n{end}"
        );
        assert!(matches!(meaning_of(&away), Meaning::NobodyThere));
    }
}
