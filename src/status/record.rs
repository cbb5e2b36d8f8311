//! What is known of one job, and how it is read from three programs.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use camino::Utf8PathBuf;
use serde::{Serialize, Serializer};

use super::JobState;
use crate::slurm::{Array, JobId, TimeLimit};

/// What Slurm knows of one job, or of one task of an array. What it does not say,
/// or not yet, is none.
///
/// [`JobRecord::new`] makes one to show or to test with. Serialized, it has its fields by their
/// names, and times as seconds since 1970.
///
/// ```no_run
/// use nim_slurm::Queue;
///
/// let status = Queue::find()?.status(&"4711".parse()?)?;
/// if let Some(record) = status.record() {
///     println!("{}: {} on {:?}", record.id, record.state, record.nodes);
///     if let Some(blocking_reason) = record.blocking_reason() {
///         println!("it will never start: {blocking_reason}");
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobRecord {
    /// The number. A task of an array has one of its own.
    pub id: JobId,
    /// The array's number and the task's index; for tasks that are still to be
    /// split off, their indexes as Slurm writes them, `2-7%2`.
    pub array: Option<(JobId, String)>,
    /// Its cluster, where Slurm was asked for that by name.
    pub cluster: Option<String>,
    /// The state.
    pub state: JobState,
    /// Why it is in this state: `Resources`, `Dependency`, `NonZeroExitCode`.
    pub reason: Option<String>,
    /// How its script ended, once it has.
    pub exit: Option<JobExit>,
    /// Its nodes, as Slurm writes them: `node[1-2]`.
    pub nodes: Option<String>,
    /// When it was submitted.
    #[serde(serialize_with = "as_seconds")]
    pub submitted: Option<SystemTime>,
    /// When it started; while it waits, when Slurm expects that.
    #[serde(serialize_with = "as_seconds")]
    pub started: Option<SystemTime>,
    /// When it ended; while it runs, when its time is up.
    #[serde(serialize_with = "as_seconds")]
    pub ended: Option<SystemTime>,
    /// How long it may run.
    pub time_limit: Option<TimeLimit>,
    /// How often it was put into the queue again. The accounts do not say.
    pub restarts: Option<u32>,
    /// The file for what its script prints. Only the controller says.
    pub output: Option<Utf8PathBuf>,
    /// The jobs that it waits for, or has waited for in vain. Only the controller
    /// says.
    pub waits_for: Vec<JobId>,
    /// The script that it runs. Only the controller says.
    pub script: Option<Utf8PathBuf>,
}

impl JobRecord {
    /// A job in this state, of which no more is known. Its fields can be set.
    ///
    /// ```
    /// use nim_slurm::slurm::JobId;
    /// use nim_slurm::{JobRecord, JobState};
    ///
    /// let mut record = JobRecord::new(JobId::try_from(4711)?, JobState::Pending);
    /// record.reason = Some("JobHeldUser".to_owned());
    /// assert!(record.blocking_reason().unwrap().starts_with("job 4711 is held: "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(id: JobId, state: JobState) -> Self {
        Self {
            id,
            array: None,
            cluster: None,
            state,
            reason: None,
            exit: None,
            nodes: None,
            submitted: None,
            started: None,
            ended: None,
            time_limit: None,
            restarts: None,
            output: None,
            waits_for: Vec::new(),
            script: None,
        }
    }

    /// The tasks of an array that it is of: one, or those that are still to be split off.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = u32> {
        let tasks = self.array.as_ref();
        let tasks = tasks.and_then(|(_, tasks)| Array::parse(tasks).ok());
        let tasks = tasks.map(|tasks| tasks.indexes().collect::<Vec<_>>());
        tasks.into_iter().flatten()
    }

    /// Whether it is of this task of an array.
    pub(crate) fn is_of_task(&self, task: u32) -> bool {
        self.tasks().any(|own| own == task)
    }
}

/// How a job's script ended.
///
/// ```
/// use nim_slurm::JobExit;
///
/// let exit = JobExit { code: 0, signal: 9 };
/// assert!(!exit.is_success());
/// assert_eq!(exit.to_string(), "signal 9");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobExit {
    /// The exit code.
    pub code: u32,
    /// The signal that ended it, or 0.
    pub signal: u32,
}

impl JobExit {
    /// Code 0, and no signal.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.code == 0 && self.signal == 0
    }

    /// As scontrol and sacct write it: `CODE:SIGNAL`.
    fn from_pair(text: &str) -> Option<Self> {
        let (code, signal) = text.split_once(':')?;
        Some(Self {
            code: code.parse().ok()?,
            signal: signal.parse().ok()?,
        })
    }

    /// As squeue writes it: a pair since 23.02, before that the status that wait(2) gives.
    fn from_squeue(text: &str) -> Option<Self> {
        Self::from_pair(text).or_else(|| Self::from_wait_status(text))
    }

    fn from_wait_status(text: &str) -> Option<Self> {
        let status: u32 = text.parse().ok()?;
        Some(Self {
            code: (status >> 8) & 0xff,
            signal: status & 0x7f,
        })
    }
}

impl fmt::Display for JobExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal {
            0 => write!(f, "exit code {}", self.code),
            signal => write!(f, "signal {signal}"),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn as_seconds<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map(|since| since.as_secs()).serialize(serializer)
}

/// The exit of a job in this state: until it has ended, Slurm says 0.
fn exit_in(state: &JobState, exit: Option<JobExit>) -> Option<JobExit> {
    exit.filter(|_| state.has_ended())
}

/// A text, unless it is one of Slurm's words for nothing.
fn some(text: &str) -> Option<String> {
    let is_nothing = matches!(
        text,
        "" | "(null)" | "None" | "N/A" | "Unknown" | "None assigned"
    );
    (!is_nothing).then(|| text.to_owned())
}

/// Seconds since 1970.
fn time(text: &str) -> Option<SystemTime> {
    let seconds = text.parse().ok().filter(|&seconds| seconds > 0)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn time_limit(text: &str) -> Option<TimeLimit> {
    // "Partition_Limit" is none that is known here.
    TimeLimit::parse(text).ok()
}

fn array(id: &str, tasks: &str) -> Option<(JobId, String)> {
    let tasks = some(tasks).filter(|tasks| tasks != NO_TASK)?;
    Some((JobId::parse(id).ok()?, tasks))
}

/// scontrol's number of no task, of which the tasks that waited were cancelled one by one; squeue says N/A.
const NO_TASK: &str = "4294967294";

/// The jobs in a dependency, as Slurm writes it back:
/// `afterok:7(failed),after:8_3+5(unfulfilled)`.
fn jobs_of_dependency(text: &str) -> Vec<JobId> {
    let words = text.split([',', '?', ':']);
    let number = |word: &str| {
        let end = word.find(|c: char| !c.is_ascii_digit());
        JobId::parse(&word[..end.unwrap_or(word.len())]).ok()
    };
    words.filter_map(number).collect()
}

/// The lines of `scontrol show job` that are read, by their first field. Each is there once at most.
const SCONTROL_LINES: [&str; 10] = [
    "UserId",
    "JobState",
    "Requeue",
    "RunTime",
    "SubmitTime",
    "StartTime",
    "NodeList",
    "StdOut",
    "Command",
    "WorkDir",
];

/// Reads `scontrol show job`: a block for each job, which begins with `JobId=`.
///
/// The fields stand in lines that are the same in all releases. Texts that a user chose, such as the
/// job's name and comment, may have line breaks, and so lines that look like fields. So these are sought
/// behind the line that follows the name, and what stands twice cannot be read. What cannot be read is a
/// reason, as in all functions here.
pub(super) fn of_scontrol(answer: &str) -> Result<Vec<JobRecord>, String> {
    let answer = format!("\n{answer}");
    let blocks: Vec<_> = answer.split("\nJobId=").skip(1).collect();
    if blocks.is_empty() && !answer.trim().is_empty() {
        return Err(missing("JobId"));
    }
    let heads = blocks.iter().map(|block| head(block));
    let leaders = heads.clone().map(|head| {
        let of_field = |field| word_in(head, field);
        let leader = of_field("ArrayJobId").or_else(|| of_field("HetJobId"));
        leader.unwrap_or_else(|| id_in(head))
    });
    let (leaders, ids): (HashSet<_>, HashSet<_>) = leaders.zip(heads.map(id_in)).unzip();
    if leaders.len() > 1 || ids.len() < blocks.len() {
        return Err("lines that begin with JobId= are not those of one job or array".to_owned());
    }
    blocks.into_iter().map(of_scontrol_block).collect()
}

/// What stands in front of a job's name, behind `JobId=`.
fn head(block: &str) -> &str {
    let line = block.lines().next().unwrap_or_default();
    line.split(" JobName=").next().unwrap_or_default()
}

/// The job's number.
fn id_in(head: &str) -> &str {
    head.split(' ').next().unwrap_or_default()
}

/// The text behind `field=`, up to a blank.
fn word_in<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    let mut words = line.split(' ');
    words.find_map(|word| word.strip_prefix(field)?.strip_prefix('='))
}

fn missing(field: &str) -> String {
    format!("no line begins with {field}=")
}

/// The text behind `first=` in a line.
fn behind<'a>(line: &'a str, first: &str) -> Option<&'a str> {
    line.trim().strip_prefix(first)?.strip_prefix('=')
}

fn of_scontrol_block(block: &str) -> Result<JobRecord, String> {
    let name = block
        .lines()
        .take_while(|line| behind(line, "UserId").is_none());
    let name = name.count();
    let has_user = name < block.lines().count();
    let lines = || block.lines().skip(if has_user { name } else { 1 });
    for first in SCONTROL_LINES {
        if lines()
            .filter_map(|line| behind(line, first))
            .nth(1)
            .is_some()
        {
            return Err(format!("two lines begin with {first}="));
        }
    }
    let line = |first: &str| lines().find_map(|line| behind(line, first));
    let word = |first: &str, field: &str| match line(first)? {
        rest if first == field => rest.split(' ').next(),
        rest => word_in(rest, field),
    };
    let head = head(block);
    let state = word("JobState", "JobState").ok_or_else(|| missing("JobState"))?;
    let state = JobState::from_word(state);
    Ok(JobRecord {
        cluster: None,
        id: job_id(id_in(head))?,
        array: word_in(head, "ArrayJobId").and_then(|id| array(id, word_in(head, "ArrayTaskId")?)),
        reason: word("JobState", "Reason").and_then(some),
        exit: exit_in(
            &state,
            word("Requeue", "ExitCode").and_then(JobExit::from_pair),
        ),
        state,
        nodes: word("NodeList", "NodeList").and_then(some),
        submitted: word("SubmitTime", "SubmitTime").and_then(time),
        started: word("StartTime", "StartTime").and_then(time),
        ended: word("StartTime", "EndTime").and_then(time),
        time_limit: word("RunTime", "TimeLimit").and_then(time_limit),
        restarts: word("Requeue", "Restarts").and_then(|text| text.parse().ok()),
        output: line("StdOut")
            .and_then(some)
            .filter(|path| !path.contains(NO_TASK))
            .map(Utf8PathBuf::from),
        waits_for: word("JobState", "Dependency").map_or_else(Vec::new, jobs_of_dependency),
        script: script(
            line("Command").unwrap_or_default(),
            line("WorkDir").unwrap_or_default(),
        ),
    })
}

/// A job's script. sbatch may have been given its path from the folder of the submission, which is that of the job unless
/// `--chdir` names another: the file tells.
fn script(path: &str, folder: &str) -> Option<Utf8PathBuf> {
    let path = some(path).map(Utf8PathBuf::from)?;
    let from_folder = some(folder).map(|folder| Utf8PathBuf::from(folder).join(&path));
    from_folder.filter(|whole| whole.is_file()).or(Some(path))
}

fn job_id(text: &str) -> Result<JobId, String> {
    JobId::parse(text).map_err(|error| error.to_string())
}

/// The fields that squeue is asked for. It cuts a value at the field's width.
const SQUEUE_FIELDS: [(&str, usize); 15] = [
    ("JobID", 20),
    ("ArrayJobID", 20),
    ("ArrayTaskID", 256),
    ("State", 32),
    ("exit_code", 12),
    ("RestartCnt", 12),
    ("SubmitTime", 20),
    ("StartTime", 20),
    ("EndTime", 20),
    ("TimeLimit", 20),
    ("NodeList", 1024),
    ("Reason", 256),
    ("Dependency", 1024),
    ("Command", 4096),
    ("WorkDir", 4096),
];

/// The value of squeue's `--Format`: each field with its width, and `|` behind it.
pub(super) fn squeue_format() -> String {
    SQUEUE_FIELDS
        .map(|(name, width)| format!("{name}:{width}|"))
        .join(",")
}

pub(super) fn of_squeue(answer: &str) -> Result<Vec<JobRecord>, String> {
    rows(answer).map(|row| of_squeue_row(&row)).collect()
}

fn of_squeue_row(row: &[&str]) -> Result<JobRecord, String> {
    let [
        id,
        array_id,
        tasks,
        state,
        exit,
        restarts,
        submitted,
        started,
        ended,
        limit,
        nodes,
        reason,
        dependency,
        command,
        folder,
        ..,
    ] = row
    else {
        return Err(fields_of_row(row, SQUEUE_FIELDS.len()));
    };
    let state = JobState::from_word(state);
    Ok(JobRecord {
        cluster: None,
        id: job_id(id)?,
        array: array(array_id, tasks),
        exit: exit_in(&state, JobExit::from_squeue(exit)),
        state,
        // scontrol writes '_' for the blanks.
        reason: some(reason).map(|reason| reason.replace(' ', "_")),
        nodes: some(nodes),
        submitted: time(submitted),
        started: time(started),
        ended: time(ended),
        time_limit: time_limit(limit),
        restarts: restarts.parse().ok(),
        output: None,
        waits_for: jobs_of_dependency(dependency),
        script: script(command, folder),
    })
}

/// The fields that sacct is asked for; it had all of them in 20.11.
pub(super) const SACCT_FORMAT: &str =
    "JobIDRaw,JobID,State,ExitCode,Submit,Start,End,Timelimit,NodeList";

pub(super) fn of_sacct(answer: &str) -> Result<Vec<JobRecord>, String> {
    rows(answer).map(|row| of_sacct_row(&row)).collect()
}

fn of_sacct_row(row: &[&str]) -> Result<JobRecord, String> {
    let [
        raw_id,
        id,
        state,
        exit,
        submitted,
        started,
        ended,
        limit,
        nodes,
    ] = row
    else {
        return Err(fields_of_row(row, SACCT_FORMAT.split(',').count()));
    };
    // "CANCELLED by 1000"
    let state = JobState::from_word(state.split(' ').next().unwrap_or_default());
    Ok(JobRecord {
        cluster: None,
        id: job_id(raw_id)?,
        array: id
            .split_once('_')
            .and_then(|(id, task)| array(id, task.trim_start_matches('[').trim_end_matches(']'))),
        exit: exit_in(&state, JobExit::from_pair(exit)),
        state,
        reason: None,
        nodes: some(nodes),
        submitted: time(submitted),
        started: time(started),
        ended: time(ended),
        time_limit: time_limit(limit),
        restarts: None,
        output: None,
        waits_for: Vec::new(),
        script: None,
    })
}

fn fields_of_row(row: &[&str], expected: usize) -> String {
    format!("a row has {} fields in place of {expected}", row.len())
}

/// The rows of a table with `|` between its fields. Other lines, such as the
/// name of a cluster above its jobs, are no rows.
fn rows(answer: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = answer.lines().filter(|line| line.contains('|'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Answers of Slurm 22.05, shortened by lines and fields that are not read.

    /// A name that looks like a field, and a path with a space.
    const SCONTROL_FAILED: &str = "\
JobId=4003 JobName=a b JobState=X
   UserId=root(0) GroupId=root(0) MCS_label=N/A
   JobState=FAILED Reason=NonZeroExitCode Dependency=(null)
   Requeue=1 Restarts=2 BatchFlag=1 Reboot=0 ExitCode=3:0
   RunTime=00:00:00 TimeLimit=UNLIMITED TimeMin=N/A
   SubmitTime=1795506684 EligibleTime=1795506684
   StartTime=1795506685 EndTime=1795506686 Deadline=N/A
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList=node2
   StdErr=/home/a user/slurm-4003.out
   StdOut=/home/a user/slurm-4003.out

";

    const SCONTROL_ARRAY: &str = "\
JobId=4001 ArrayJobId=4001 ArrayTaskId=2-4%1 ArrayTaskThrottle=1 JobName=wrap
   JobState=PENDING Reason=JobArrayTaskLimit Dependency=afterok:3999_*(failed),after:4000+5(unfulfilled)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:00 TimeLimit=01:00:00 TimeMin=N/A
   SubmitTime=1795506684 EligibleTime=Unknown
   StartTime=Unknown EndTime=Unknown Deadline=N/A
   NodeList=(null)
   Command=bench/launch.sh
   WorkDir=/home/a user

JobId=4004 ArrayJobId=4001 ArrayTaskId=1 ArrayTaskThrottle=1 JobName=wrap
   JobState=RUNNING Reason=None Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   StartTime=1795506684 EndTime=1795510284 Deadline=N/A
   NodeList=node1

";

    const SQUEUE: &str = "\
CLUSTER: lab
4001 |4001 |2-4%1 |PENDING |0   |0 |1795506684 |N/A        |N/A        |1:00:00   |      |JobArrayTaskLimit |afterok:3999_*(failed),after:4000+5(unfulfilled) |bench/launch.sh |/home/a user |
4003 |4003 |N/A   |FAILED  |768 |0 |1795506684 |1795506685 |1795506686 |UNLIMITED |node2 |NonZeroExitCode   |(null) |(null) |/home/a user |
";

    const SACCT: &str = "\
4003|4003|FAILED|3:0|1795506684|1795506685|1795506686||node2
4004|4001_1|CANCELLED by 0|0:15|1795506684|1795506684|1795506685|01:00:00|node1
4001|4001_[2-4%1]|CANCELLED by 0|0:0|1795506684|1795506685|1795506685|01:00:00|None assigned
";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// What all three programs say of the failed job.
    #[track_caller]
    fn assert_failed(record: &JobRecord) {
        assert_eq!(record.id.get(), 4003);
        assert_eq!(record.array, None);
        assert_eq!(record.state, JobState::Failed);
        assert_eq!(record.exit, Some(JobExit { code: 3, signal: 0 }));
        assert_eq!(record.nodes.as_deref(), Some("node2"));
        assert_eq!(record.submitted, Some(at(1_795_506_684)));
        assert_eq!(record.started, Some(at(1_795_506_685)));
        assert_eq!(record.ended, Some(at(1_795_506_686)));
        assert_eq!((&*record.waits_for, &record.script), (&[][..], &None));
    }

    /// What scontrol and squeue say of the job that waits.
    #[track_caller]
    fn assert_waits(record: &JobRecord) {
        let jobs = [3999, 4000].map(|id: u32| JobId::parse(&id.to_string()).unwrap());
        assert_eq!(record.waits_for, jobs);
        let script = record.script.as_deref();
        assert_eq!(script, Some("bench/launch.sh".into()));
    }

    /// What sbatch was given holds where it says all, and where nothing says from which folder.
    #[test]
    fn a_script_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
        std::fs::write(folder.join("launch.sh"), "").unwrap();
        let there = folder.join("launch.sh");
        for (command, folder, path) in [
            ("launch.sh", folder.as_str(), Some(there.as_str())),
            ("/b/launch.sh", folder.as_str(), Some("/b/launch.sh")),
            // Under --chdir, it is from elsewhere.
            ("b/launch.sh", folder.as_str(), Some("b/launch.sh")),
            ("launch.sh", "(null)", Some("launch.sh")),
            ("(null)", "/home/a", None),
        ] {
            let script = script(command, folder);
            assert_eq!(script.as_deref(), path.map(Into::into), "{command}");
        }
    }

    /// The tasks that waited were cancelled one by one.
    #[test]
    fn a_task_without_a_number_is_none() {
        let none = SCONTROL_ARRAY.replace("ArrayTaskId=2-4%1", "ArrayTaskId=4294967294");
        let none = none.replace(
            "WorkDir=",
            "StdOut=/home/slurm-4001_4294967294.out\n   WorkDir=",
        );
        let record = &of_scontrol(&none).unwrap()[0];
        assert_eq!((&record.array, &record.output), (&None, &None));
    }

    #[test]
    fn scontrol_s_blocks() {
        let records = of_scontrol(SCONTROL_FAILED).unwrap();
        assert_eq!(records.len(), 1);
        assert_failed(&records[0]);
        assert_eq!(records[0].reason.as_deref(), Some("NonZeroExitCode"));
        assert_eq!(records[0].restarts, Some(2));
        assert_eq!(records[0].time_limit, TimeLimit::parse("UNLIMITED").ok());
        assert_eq!(
            records[0].output.as_deref(),
            Some("/home/a user/slurm-4003.out".into())
        );

        let records = of_scontrol(SCONTROL_ARRAY).unwrap();
        let [waiting, running] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_waits(waiting);
        let array = JobId::parse("4001").unwrap();
        assert_eq!(waiting.array, Some((array, "2-4%1".to_owned())));
        assert_eq!(
            (&waiting.nodes, waiting.started, waiting.exit),
            (&None, None, None)
        );
        assert_eq!(
            (running.id.get(), &running.state),
            (4004, &JobState::Running)
        );
        assert_eq!(running.array, Some((array, "1".to_owned())));
        assert_eq!(running.exit, None, "what still runs has not exited");
        // Where it is to run is not yet where it runs.
        let planned = SCONTROL_ARRAY.replace("NodeList=(null)", "NodeList= SchedNodeList=node1");
        assert_eq!(of_scontrol(&planned).unwrap()[0].nodes, None);
        let tasks_of = |record: &JobRecord| -> Vec<u32> {
            (0..6).filter(|&task| record.is_of_task(task)).collect()
        };
        assert_eq!(tasks_of(running), [1]);
        assert_eq!(tasks_of(waiting), [2, 3, 4]);
        let alone = &of_scontrol(SCONTROL_FAILED).unwrap()[0];
        assert_eq!(tasks_of(alone), [0; 0]);
    }

    /// Slurm prints the line breaks of names and comments as they are.
    #[test]
    fn lines_of_a_name_are_no_fields() {
        let named = |name: &str| SCONTROL_FAILED.replace("a b JobState=X", name);
        for name in [
            "x\nJobState=COMPLETED Reason=None\n   StdOut=/etc/hostname",
            "x\n\ny",
            "x\n\n   JobState=COMPLETED",
        ] {
            assert_failed(&of_scontrol(&named(name)).unwrap()[0]);
        }
        let state = "   JobState=COMPLETED Reason=None";
        for (answer, reason) in [
            (
                named(&format!("x\n   UserId=me(1)\n{state}")),
                "two lines begin with UserId=",
            ),
            (
                SCONTROL_FAILED.replace("StdErr=", "Comment=a\nStdOut=/etc/hostname\n   StdErr="),
                "two lines begin with StdOut=",
            ),
            (
                named(&format!("x\n   UserId=me(1)\n{state}\n\nJobId=7 JobName=y")),
                "lines that begin with JobId= are not those of one job or array",
            ),
            (
                named(&format!(
                    "x\n   UserId=me(1)\n{state}\n\nJobId=4003 JobName=y"
                )),
                "lines that begin with JobId= are not those of one job or array",
            ),
        ] {
            assert_eq!(of_scontrol(&answer).unwrap_err(), reason);
        }
    }

    #[test]
    fn squeue_s_rows() {
        let records = of_squeue(SQUEUE).unwrap();
        let [waiting, failed] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_failed(failed);
        assert_waits(waiting);
        assert_eq!(waiting.array.as_ref().unwrap().1, "2-4%1");
        assert_eq!(waiting.time_limit.as_ref().unwrap().minutes(), Some(60));
        assert_eq!(waiting.reason.as_deref(), Some("JobArrayTaskLimit"));
    }

    #[test]
    fn a_reason_is_the_same_word_for_both_programs() {
        let held = SQUEUE.replace("JobArrayTaskLimit", "job requeued in held state");
        let said = of_squeue(&held).unwrap()[0].blocking_reason().unwrap();
        assert!(said.starts_with("job 4001 is held: "), "{said}");
    }

    /// The exit of a job in the words of 22.05, and of 23.02 and later.
    #[test]
    fn squeue_s_exit() {
        let exit = |text| JobExit::from_squeue(text).unwrap().to_string();
        assert_eq!(["768", "3:0"].map(exit), ["exit code 3"; 2]);
        assert_eq!(["9", "0:9"].map(exit), ["signal 9"; 2]);
        assert_eq!(JobExit::from_squeue("N/A"), None);
    }

    #[test]
    fn sacct_s_rows() {
        let records = of_sacct(SACCT).unwrap();
        let [failed, task, rest] = records.as_slice() else {
            panic!("{records:?}");
        };
        assert_failed(failed);
        assert_eq!(task.state, JobState::Cancelled);
        assert_eq!(task.exit.unwrap().to_string(), "signal 15");
        assert_eq!(rest.array.as_ref().unwrap().1, "2-4%1");
        assert_eq!(rest.nodes, None);
    }

    #[test]
    fn what_is_no_answer_is_not_read_as_one() {
        for (answer, reason) in [
            // As of `scontrol --oneliner`.
            (
                of_scontrol("JobId=7 JobName=x JobState=RUNNING\n"),
                "no line begins with JobState=",
            ),
            (
                of_scontrol("slurm is upgraded today"),
                "no line begins with JobId=",
            ),
            (
                of_scontrol("JobId=x JobName=x\nJobState=RUNNING"),
                "unexpected character 'x' in job id \"x\": digits alone are allowed, as in 8",
            ),
            (
                of_squeue("7|7|N/A|RUNNING\n"),
                "a row has 4 fields in place of 15",
            ),
            (
                of_sacct("7|7|RUNNING\n"),
                "a row has 3 fields in place of 9",
            ),
        ] {
            assert_eq!(answer.unwrap_err(), reason);
        }
        assert_eq!(jobs_of_dependency("singleton"), []);
        assert_eq!(of_sacct(""), Ok(Vec::new()));
    }
}
