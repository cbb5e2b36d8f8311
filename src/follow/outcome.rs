//! How a launch ended, and where the reason stands.

use std::{fmt, io};

use camino::Utf8PathBuf;
use serde::Serialize;

use super::point::is_result;
use super::{Part, PointProgress, PointState, RunFiles, files};
use crate::file;
use crate::manifest::{Manifest, ReadFailure};
use crate::plain::plain;
use crate::shell::shell_word;
use crate::status::{JobRecord, JobState, JobStatus};
use crate::submit::ChainJob;

/// How a launch ended. Its text is a sentence: the exit code and the job's own
/// reason, or what the code means where the job could not say it.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, Settings, last_lines};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// if let Some(outcome) = progress.outcome {
///     println!("{outcome}");
///     if !outcome.is_success() {
///         println!("{}", outcome.log_lines.join("\n"));
///         for log in &outcome.logs {
///             println!("{log}: {:?}", last_lines(log, 20)?);
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LaunchOutcome {
    /// launch.sh's exit code; none when Slurm ended the job, it never started, or its results
    /// are not those of an end with 0.
    pub exit_code: Option<u32>,
    /// Why: the job's own reason or what the code means; of several tasks or turns, a sentence for
    /// each that failed.
    pub reason: String,
    /// Whether the reason is a whole sentence, and not what follows the exit code in one.
    #[serde(skip)]
    is_sentence: bool,
    /// The logs that tell more, the most telling first.
    pub logs: Vec<Utf8PathBuf>,
    /// What the job itself showed of those logs: the lines that look like the cause,
    /// with their numbers, and the last ones; of a script that ended before it could, its
    /// `missing:` and `error:` lines. Empty where it showed nothing, or the last 20 lines of
    /// its output, which is then among the logs, have it.
    pub log_lines: Vec<String>,
    /// What the job itself printed last of what to do and how to go on, unless those lines
    /// have that, too.
    pub advice: Vec<String>,
}

impl LaunchOutcome {
    /// An end with this exit code, if launch.sh ended by itself, for this reason. The other fields
    /// are empty, and can be set.
    ///
    /// ```
    /// use nim_slurm::LaunchOutcome;
    ///
    /// let outcome = LaunchOutcome::new(Some(3), "the server exited with 137");
    /// assert_eq!(outcome.to_string(), "launch ended with 3: the server exited with 137");
    /// assert_eq!(outcome.reason, "the server exited with 137");
    /// ```
    #[must_use]
    pub fn new(exit_code: Option<u32>, reason: impl Into<String>) -> Self {
        Self {
            exit_code,
            reason: reason.into(),
            is_sentence: false,
            logs: Vec::new(),
            log_lines: Vec::new(),
            advice: Vec::new(),
        }
    }

    /// True when every point of the sweep is finished and valid.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.exit_code == Some(0)
    }

    /// Takes back that all is well where the manifest says so, and the points say otherwise.
    pub(super) fn with_what_is_there(
        mut self,
        manifest: Option<&Manifest>,
        points: &[PointProgress],
        files: &RunFiles,
    ) -> Self {
        // One of a moment ago has not yet said how it ended.
        let is_said = manifest.is_some_and(|manifest| manifest.exit_code == Some(0));
        if !self.is_success() || !is_said {
            return self;
        }
        let is_there = |point: &&PointProgress| {
            point.state == PointState::Finished && is_result(&files.results.join(&point.folder))
        };
        let (there, all) = (points.iter().filter(is_there).count(), points.len());
        if there < all || all == 0 {
            let (path, results) = (&files.manifest, &files.results);
            self.exit_code = None;
            self.reason = match all {
                0 => format!("launch ended with 0, but {path} lists no points"),
                _ => format!(
                    "launch ended with 0, but the results of {there} of the {all} points that {path} lists are in {results}"
                ),
            };
        }
        self
    }
}

impl fmt::Display for LaunchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exit_code.filter(|_| !self.is_sentence) {
            Some(code) => write!(f, "launch ended with {code}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// What launch.sh's exit codes mean.
const fn meaning(code: u32) -> &'static str {
    match code {
        0 => "every point of the sweep is finished and valid",
        2 => "something needed is missing",
        3 => "the server ended, or stopped answering, before the sweep was over",
        4 => "the server was not ready in time",
        5 => "points failed",
        6 => "it was stopped before the end: submit it again to go on",
        _ => "it failed",
    }
}

/// The end of the launch job, if it has one.
pub(super) fn of(
    launch: &JobStatus,
    before: Option<&(ChainJob, JobRecord)>,
    manifest: Option<&Manifest>,
    files: &RunFiles,
) -> Option<LaunchOutcome> {
    let record = launch.record();
    let never_starts = record.filter(|record| record.never_starts());
    let has_said_its_end = manifest.is_some_and(|manifest| manifest.exit_code.is_some());
    let goes_on = |record: &JobRecord| {
        let is_over = record.state.has_ended() || has_said_its_end && is_of_accounts(record);
        !is_over
    };
    let waits_for_held = before.is_some_and(|(_, record)| is_held(record));
    if never_starts.is_none() && !waits_for_held && record.is_some_and(goes_on) {
        return None;
    }
    if let Some((job, failed)) = before.filter(|(_, record)| record.state.has_ended()) {
        return Some(failed_before_launch(job, failed, never_starts));
    }
    if let Some(record) = never_starts {
        return Some(LaunchOutcome::new(None, record.blocking_reason()?));
    }
    // Others may write to the folder of results: they make no job succeed that Slurm saw fail.
    let may_succeed = record
        .is_none_or(|record| record.state == JobState::Completed || !record.state.has_ended());
    let last = manifest.filter(|manifest| is_of_last_start(manifest, record));
    let exit_code = last.and_then(|manifest| manifest.exit_code);
    let exit_code = exit_code.filter(|code| *code != 0 || may_succeed);
    let code = exit_code.or_else(|| exit_code_of_script(record?));
    Some(match (code, manifest) {
        (Some(0), None) => not_a_launch_job(files),
        (Some(code), manifest) => {
            let reason = manifest.filter(|_| exit_code.is_some_and(|code| code != 0));
            let reason = reason.and_then(|manifest| manifest.exit_reason.as_deref());
            let reason = &*plain(reason.unwrap_or_else(|| meaning(code)));
            let said = manifest.filter(|_| exit_code.is_some());
            let logs = logs(code, said, record, files);
            let output = record.and_then(|record| record.output.as_ref());
            let output = Output::of(output.filter(|output| logs.contains(output)));
            let lines = |lines: &Vec<String>| -> Vec<_> {
                let lines: Vec<_> = lines.iter().map(|line| files::plain_log(line)).collect();
                let is_shown = lines.iter().all(|line| output.is_shown(line));
                if is_shown { Vec::new() } else { lines }
            };
            let mut advice = match manifest {
                Some(manifest) if code == 6 && manifest.advice.is_empty() => way_on(record),
                _ => said.map_or_else(Vec::new, |manifest| lines(&manifest.advice)),
            };
            advice.extend(release(record));
            LaunchOutcome {
                log_lines: said.map_or_else(|| output.problems(), |said| lines(&said.cause_lines)),
                advice,
                logs,
                ..LaunchOutcome::new(Some(code), reason)
            }
        }
        (None, manifest) => ended_by_slurm(record, manifest, files),
    })
}

/// Whether a turn succeeded by its manifest, and another one's says why the job did not.
pub(super) fn has_succeeded_alone(own: Option<&Manifest>, manifests: &[Option<&Manifest>]) -> bool {
    let code = |manifest: &Manifest| manifest.exit_code;
    let failed = |manifest: &&Manifest| code(manifest).is_some_and(|code| code != 0);
    own.and_then(code) == Some(0) && manifests.iter().flatten().any(failed)
}

/// Whether a turn without a manifest never ran, of a job that ended by itself with this code. What is missing ends the job
/// at the turn behind those that ran, which may then have no manifest, and no other one says the code.
pub(super) fn never_ran(code: Option<u32>, manifests: &[Option<&Manifest>], turn: usize) -> bool {
    let has = |turn: usize| manifests.get(turn).is_some_and(Option::is_some);
    let any_has = |mut turns: std::ops::Range<usize>| turns.any(has);
    let is_ended = code.is_some_and(|code| code != 0);
    if !is_ended || has(turn) || !any_has(0..manifests.len()) {
        return false;
    }
    let mut said = manifests.iter().flatten();
    let is_said = said.any(|manifest| manifest.exit_code == code);
    let is_next = (turn == 0 || has(turn - 1)) && !any_has(turn..manifests.len());
    is_said || !is_next
}

/// The end of all parts of a launch, from those that each came to; of a job alone, its own. Tasks of an array go on together,
/// where the array is known.
pub(super) fn of_tasks(
    mut outcomes: Vec<(Option<Part>, LaunchOutcome)>,
    array: Option<&OpenArray>,
) -> LaunchOutcome {
    let all = outcomes.len();
    if outcomes.iter().any(|(_, outcome)| !outcome.is_success()) {
        outcomes.retain(|(_, outcome)| !outcome.is_success());
    }
    let parts: Vec<_> = outcomes.iter().filter_map(|(part, _)| *part).collect();
    let mut outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    let first = &outcomes[0];
    if parts.is_empty() || first.is_success() {
        return outcomes.remove(0);
    }
    let way_on = array.and_then(|array| array.way_on(&parts, &outcomes));
    if way_on.is_some() {
        for outcome in &mut outcomes {
            outcome.advice.retain(|line| !is_way_on(line));
        }
    }
    let first = &outcomes[0];
    // As of a job before launch, without which none of them could start.
    let is_of_all = all > 1 && outcomes.len() == all && outcomes.iter().all(|it| it == first);
    let mut merged = if is_of_all {
        outcomes.remove(0)
    } else {
        merge(&parts, outcomes)
    };
    merged.advice.extend(way_on);
    merged
}

/// What several parts came to: each reason once, with the parts that have it.
fn merge(parts: &[Part], outcomes: Vec<LaunchOutcome>) -> LaunchOutcome {
    let mut reasons: Vec<(String, Vec<Part>)> = Vec::new();
    let any_has_lines = (outcomes.iter()).any(|outcome| !outcome.log_lines.is_empty());
    let mut merged = LaunchOutcome::new(None, "");
    for (part, outcome) in parts.iter().zip(outcomes) {
        let reason = outcome.to_string();
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, parts)) => parts.push(*part),
            None => reasons.push((reason, vec![*part])),
        }
        if any_has_lines && outcome.log_lines.is_empty() {
            merged.log_lines.extend(last_lines_of(&outcome.logs));
        }
        merged.exit_code = merged.exit_code.or(outcome.exit_code);
        // Lines of two logs may be alike; all that a job before launch showed is each task's.
        let lines = outcome.log_lines;
        if !merged.log_lines.ends_with(&lines) {
            merged.log_lines.extend(lines);
        }
        for line in outcome.advice {
            if !merged.advice.contains(&line) {
                merged.advice.push(line);
            }
        }
        let new = outcome.logs.into_iter();
        let new: Vec<_> = new.filter(|log| !merged.logs.contains(log)).collect();
        merged.logs.extend(new);
    }
    let sentences = reasons.iter().map(|(reason, parts)| {
        let numbers: Vec<_> = parts.iter().map(|part| part.number().to_string()).collect();
        match parts.as_slice() {
            [part] => format!("{part}: {reason}"),
            parts => format!("{}s {}: {reason}", parts[0].noun(), numbers.join(",")),
        }
    });
    merged.reason = sentences.collect::<Vec<_>>().join("; ");
    merged.is_sentence = true;
    merged
}

/// Of a part that says nothing of its logs itself, beside others that do.
fn last_lines_of(logs: &[Utf8PathBuf]) -> Vec<String> {
    let shown = |log: &Utf8PathBuf| {
        let lines = files::last_lines(log, Output::SHOWN).ok()?;
        let title = format!("the last lines of {log}:");
        let lines = lines.iter().map(|line| format!("  | {line}"));
        Some(std::iter::once(title).chain(lines).collect::<Vec<_>>())
    };
    logs.iter().filter_map(shown).flatten().collect()
}

/// An array of which tasks are open.
#[derive(Debug)]
pub(super) struct OpenArray<'a> {
    /// Its number.
    pub(super) id: String,
    /// How many of its tasks may run at once.
    pub(super) limit: Option<u32>,
    /// What Slurm says of one of its tasks.
    pub(super) record: Option<&'a JobRecord>,
    /// The manifests of its tasks. Where there are none, nothing was measured that could count.
    pub(super) manifests: &'a [Option<&'a Manifest>],
}

impl OpenArray<'_> {
    /// The command by which all open tasks go on; none where one alone has said its own.
    fn way_on(&self, parts: &[Part], outcomes: &[LaunchOutcome]) -> Option<String> {
        self.manifests.iter().flatten().next()?;
        let said = parts.iter().zip(outcomes).map(|(part, outcome)| {
            let own = self.manifests.get(part.place()).copied().flatten();
            let own =
                own.filter(|own| own.exit_code.is_some() && own.exit_code == outcome.exit_code);
            let mut own = own.map_or(&[][..], |own| &own.advice).iter();
            own.find(|line| is_way_on(line))
                .map(|line| files::plain_log(line))
        });
        let said: Vec<_> = said.collect();
        if let [Some(_)] = said.as_slice() {
            return None;
        }
        let said: Vec<&str> = said.iter().flatten().map(String::as_str).collect();
        let next = said
            .iter()
            .filter_map(|line| line.split_once(WAY_ON))
            .map(|(next, _)| next);
        let next: Vec<_> = next.collect();
        let is_stopped = |outcome: &LaunchOutcome| matches!(outcome.exit_code, None | Some(6));
        let next = match next.first() {
            Some(first)
                if next.iter().all(|next| next == first) && said.len() == outcomes.len() =>
            {
                first
            }
            _ if outcomes.iter().all(is_stopped) => "to go on",
            _ => "after that",
        };
        let minutes = said.iter().flat_map(|line| line.split(' '));
        let minutes = minutes.filter_map(|word| word.strip_prefix("--time=")?.parse::<u32>().ok());
        let time = minutes
            .max()
            .map_or_else(String::new, |most| format!("--time={most} "));
        let limit = self
            .limit
            .map_or_else(String::new, |limit| format!("%{limit}"));
        let tasks = ranges(parts.iter().map(|part| part.place()));
        let script = self.record.and_then(|record| record.script.as_ref());
        let script = script.map(|script| shell_word(script.as_str()));
        // What the job said has its options in front.
        let script = script.or_else(|| {
            let (_, behind) = said.first()?.split_once(" --array=")?;
            Some(behind.split_once(' ')?.1.to_owned())
        });
        Some(format!(
            "{next}{WAY_ON}{} {} {time}--array={tasks}{limit} {}",
            self.id,
            self.record
                .map_or_else(|| "sbatch".to_owned(), |record| record.command("sbatch")),
            script.as_deref().unwrap_or("launch.sh"),
        ))
    }
}

/// Behind what comes first, in front of the job.
const WAY_ON: &str = ": RESUME_JOB_ID=";

fn is_way_on(line: &str) -> bool {
    line.contains(WAY_ON)
}

/// Numbers in their order, as sbatch takes them: `0,2-4`.
fn ranges(numbers: impl Iterator<Item = usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let texts = ranges.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

/// Whether a manifest is of the job's last start: what was requeued may end before it writes another. Slurm counts the
/// next start of a job that it holds already.
pub(super) fn is_of_last_start(manifest: &Manifest, record: Option<&JobRecord>) -> bool {
    let to_come = u32::from(record.is_some_and(is_held));
    let restarts = record.and_then(|record| record.restarts);
    restarts.is_none_or(|restarts| {
        manifest.restart.unwrap_or_default() == restarts.saturating_sub(to_come)
    })
}

/// Whether the site has Slurm hold jobs that end with this exit code (`RequeueExitHold`).
fn is_held(record: &JobRecord) -> bool {
    record.state == JobState::SpecialExit
}

/// How a job goes on that is held for its exit code.
fn release(record: Option<&JobRecord>) -> Option<String> {
    record.filter(|record| is_held(record))?.blocking_reason()
}

/// Whether the accounts alone know the job: the controller has forgotten it, so it goes on no more, whatever they say.
fn is_of_accounts(record: &JobRecord) -> bool {
    record.restarts.is_none()
}

/// The script's exit code, if it was the script that ended.
fn exit_code_of_script(record: &JobRecord) -> Option<u32> {
    let is_script_s =
        matches!(record.state, JobState::Completed | JobState::Failed) || is_held(record);
    let exit = record.exit.filter(|exit| is_script_s && exit.signal == 0)?;
    Some(exit.code)
}

/// A launch that measures something has a manifest first.
fn not_a_launch_job(files: &RunFiles) -> LaunchOutcome {
    if let Some(words) = has_parts(files) {
        return LaunchOutcome::new(None, words);
    }
    let missing = || {
        format!(
            "{} is not on this machine: it was no launch job, it had another stage path, or its node does not share that folder",
            files.manifest
        )
    };
    let why = unreadable(files).unwrap_or_else(missing);
    LaunchOutcome::new(None, format!("the job ended with 0, but {why}"))
}

/// What to say of a manifest that is there and tells nothing.
fn unreadable(files: &RunFiles) -> Option<String> {
    let failure = Manifest::read(&files.manifest).err()?;
    let is_missing = match &failure {
        ReadFailure::File(file::ReadFailure::Io(error)) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    };
    (!is_missing).then(|| format!("{} {failure}", files.manifest))
}

/// What to say where the job has a manifest for each task of an array, or for each turn of its servers.
fn has_parts(files: &RunFiles) -> Option<String> {
    let run = format!("{}-", files.manifest.file_stem()?);
    let mut entries = files.results.read_dir_utf8().ok()?.flatten();
    // Others may write here: a part is a number.
    let part = entries.find(|part| {
        let number = part.file_name().strip_prefix(&run);
        let number = number.and_then(|rest| rest.strip_suffix(".json"));
        number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    })?;
    let (job, number) = part
        .path()
        .file_stem()?
        .strip_prefix("run_")?
        .split_once('-')?;
    Some(format!(
        "the job has several parts, each with a manifest such as {}, and this recipe has one: give the recipe with which it was \
         submitted, with --recipe; of an array that is not the recipe's, follow each task, as in {job}_{number}",
        part.path()
    ))
}

fn ended_by_slurm(
    record: Option<&JobRecord>,
    manifest: Option<&Manifest>,
    files: &RunFiles,
) -> LaunchOutcome {
    let path = &files.manifest;
    let sentence = match (record, manifest) {
        (Some(record), _) => format!("Slurm ended launch: {}", slurm_words(record)),
        (None, Some(_)) => format!(
            "Slurm does not know the launch job any more, and {path} does not say how it ended"
        ),
        (None, None) => has_parts(files).unwrap_or_else(|| {
            let missing = || {
                format!("{path} is not there: is the number right, and this the job's stage path?")
            };
            let why = unreadable(files).unwrap_or_else(missing);
            format!("Slurm does not know this job, and {why}")
        }),
    };
    LaunchOutcome {
        logs: record.map(output).unwrap_or_default(),
        // A job without a manifest has measured nothing.
        advice: match (record.and_then(unwritable_output), manifest) {
            (Some(words), _) => vec![words],
            (None, Some(_)) => way_on(record),
            (None, None) => Vec::new(),
        },
        ..LaunchOutcome::new(None, sentence)
    }
}

/// What a job would have said last, if Slurm had given it the time.
fn way_on(record: Option<&JobRecord>) -> Vec<String> {
    let command = |record: &JobRecord| {
        let array = record.array.as_ref();
        let id = array.map_or(&record.id, |(id, _)| id);
        let task = array.and_then(|(_, task)| task.parse::<u32>().ok());
        let of_task = task.map_or_else(String::new, |task| format!("-{task}"));
        let option = task.map_or_else(String::new, |task| format!("--array={task} "));
        let script = record
            .script
            .as_ref()
            .map_or("launch.sh", |script| script.as_str());
        let sbatch = record.command("sbatch");
        format!(
            "to go on{WAY_ON}{id}{of_task} {sbatch} {option}{}",
            shell_word(script)
        )
    };
    record.map(command).into_iter().collect()
}

/// An earlier job failed; launch may still be in the queue, and wait in vain.
fn failed_before_launch(
    job: &ChainJob,
    record: &JobRecord,
    never_starts: Option<&JobRecord>,
) -> LaunchOutcome {
    let (kind, job, words) = (job.kind.key(), &job.id, slurm_words(record));
    let to_end = never_starts.map(|launch| {
        let scancel = launch.command("scancel");
        format!("; to end launch, {scancel} {}", launch.id)
    });
    let reason = format!(
        "launch did not start, since {kind}, job {job}, did not succeed: {words}{}",
        to_end.unwrap_or_default()
    );
    let logs = output(record);
    let printed = Output::of(
        logs.first()
            .filter(|_| exit_code_of_script(record).is_some()),
    );
    LaunchOutcome {
        log_lines: printed.problems(),
        logs,
        advice: unwritable_output(record)
            .or_else(|| release(Some(record)))
            .into_iter()
            .collect(),
        ..LaunchOutcome::new(None, reason)
    }
}

/// What to do where a job ended before its script began, since its output could not be
/// opened: Slurm says 0:53 then, which is no signal.
fn unwritable_output(record: &JobRecord) -> Option<String> {
    // squeue's words before 23.02 have a code, too.
    let is_so = record.exit.is_some_and(|exit| exit.signal == 53);
    (record.state == JobState::Failed && is_so).then(|| {
        let output = record.output.as_ref().map_or("its output", |path| path.as_str());
        let node = record.nodes.as_deref().unwrap_or("its node");
        let folder = record.output.as_ref().and_then(|path| path.parent());
        if let Some(folder) = folder.filter(|folder| !folder.exists()) {
            let words = format!(
                "Slurm could not write {output} on {node}, since it makes no folders: mkdir -p {}",
                shell_word(folder.as_str())
            );
            return plain(&words).into_owned();
        }
        let words = format!(
            "Slurm could not write {output} on {node}: submit from a folder that login and compute nodes share, or name \
             a file in one: --sbatch output=/lustre/.../%x-%j.out"
        );
        plain(&words).into_owned()
    })
}

fn slurm_words(record: &JobRecord) -> String {
    let mut words = vec![record.state.to_string()];
    words.extend(
        record
            .exit
            .filter(|exit| !exit.is_success())
            .map(|exit| exit.to_string()),
    );
    words.extend(record.reason.clone());
    plain(&words.join(", ")).into_owned()
}

/// Where the reason stands: in the log of the step that failed, and where no step
/// has one, in what the job itself printed. Without a manifest of its own, this start has no steps.
fn logs(
    code: u32,
    said: Option<&Manifest>,
    record: Option<&JobRecord>,
    files: &RunFiles,
) -> Vec<Utf8PathBuf> {
    let Some(manifest) = said else {
        return record.map(output).unwrap_or_default();
    };
    let named = Some(manifest)
        .filter(|_| matches!(code, 3 | 4))
        .and_then(|manifest| usize::try_from(manifest.exit_replica?).ok())
        .and_then(|number| files.logs.get(number));
    let to_blame = named.map_or(&*files.logs, std::slice::from_ref);
    let steps = to_blame.iter().flat_map(|logs| match code {
        3 => vec![&logs.server],
        4 => vec![&logs.server, &logs.client],
        1 | 2 | 5 => vec![&logs.client],
        _ => Vec::new(),
    });
    let has_text = |log: &&Utf8PathBuf| {
        log.symlink_metadata()
            .is_ok_and(|data| data.is_file() && data.len() > 0)
    };
    let logs: Vec<_> = steps.filter(has_text).cloned().collect();
    if logs.is_empty() {
        record.map(output).unwrap_or_default()
    } else {
        logs
    }
}

/// The file for what a job itself prints, if it has printed something.
fn output(record: &JobRecord) -> Vec<Utf8PathBuf> {
    let output = record
        .output
        .iter()
        .filter(|output| output.symlink_metadata().is_ok_and(|data| data.is_file()));
    output.cloned().collect()
}

/// What a job itself printed, where that is among the logs. A hook at the end may have printed much behind it.
struct Output(Vec<String>);

impl Output {
    /// How many of its lines are shown.
    const SHOWN: usize = 20;

    fn of(path: Option<&Utf8PathBuf>) -> Self {
        let lines = path.and_then(|path| files::last_lines(path, usize::MAX).ok());
        Self(lines.unwrap_or_default())
    }

    fn is_shown(&self, line: &str) -> bool {
        let mut last = self.0.iter().rev().take(Self::SHOWN);
        last.any(|shown| shown.ends_with(line))
    }

    /// What its last start printed of what is missing or wrong, if not all of it is shown.
    fn problems(&self) -> Vec<String> {
        // Behind the time.
        let words = |line: &str| line.get(9..).unwrap_or_default().to_owned();
        let is_problem = |line: &String| {
            let words = words(line);
            words.starts_with("missing: ") || words.starts_with("error: ")
        };
        let is_start = |line: &String| {
            let words = words(line);
            words.starts_with("nim-slurm ") && words.contains(", recipe ")
        };
        let start = self.0.iter().rposition(is_start).unwrap_or_default();
        // The stage path is checked before the script names itself.
        let above = self.0[..start]
            .iter()
            .rev()
            .take_while(|line| is_problem(line));
        let lines = &self.0[start - above.count()..];
        let problems: Vec<_> = lines
            .iter()
            .filter(|line| is_problem(line))
            .cloned()
            .collect();
        if problems.iter().all(|line| self.is_shown(line)) {
            return Vec::new();
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::StepLogs;
    use crate::job_options::ScriptKind;
    use crate::status::JobExit;

    /// A folder of a job that has printed something, and its files.
    fn files() -> (tempfile::TempDir, RunFiles) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Utf8PathBuf::from_path_buf(folder.path().join(name)).unwrap();
        for name in ["server", "client", "output"] {
            std::fs::write(path(name), "words\n").unwrap();
        }
        let files = RunFiles {
            results: path(""),
            manifest: path("manifest"),
            points: path("points"),
            states: Vec::new(),
            logs: vec![StepLogs {
                server: path("server"),
                client: path("client"),
            }],
        };
        (folder, files)
    }

    fn launch(files: &RunFiles, state: JobState, code: u32) -> JobStatus {
        JobStatus::Known(vec![JobRecord {
            reason: Some("Why".to_owned()),
            exit: Some(JobExit { code, signal: 0 }),
            output: Some(files.results.join("output")),
            ..JobRecord::new("7".parse().unwrap(), state)
        }])
    }

    fn saying(exit_code: Option<u32>) -> Manifest {
        Manifest {
            exit_code,
            exit_reason: Some("because".to_owned()),
            ..Manifest::default()
        }
    }

    #[test]
    fn the_log_that_tells_why() {
        let (_folder, files) = files();
        for (code, logs) in [
            (1, &["client"][..]),
            (2, &["client"]),
            (3, &["server"]),
            (4, &["server", "client"]),
            (5, &["client"]),
            (6, &["output"]),
        ] {
            let launch = launch(&files, JobState::Failed, code);
            let outcome = of(&launch, None, Some(&saying(Some(code))), &files).unwrap();
            let names: Vec<_> = outcome
                .logs
                .iter()
                .filter_map(|log| log.file_name())
                .collect();
            assert_eq!(names, logs, "{code}");
            let sentence = format!("launch ended with {code}: because");
            assert_eq!(outcome.to_string(), sentence, "the reason, and once");
            assert_eq!(outcome.reason, "because");
        }
        // Before there are steps, the job itself says what is missing.
        std::fs::remove_file(&files.logs[0].client).unwrap();
        let failed = launch(&files, JobState::Failed, 2);
        let outcome = of(&failed, None, None, &files).unwrap();
        assert_eq!(outcome.exit_code, Some(2));
        assert_eq!(outcome.logs, [files.results.join("output")]);
    }

    /// Of several servers, the one that the reason names.
    #[test]
    fn the_log_of_the_server_that_died() {
        let (_folder, mut files) = files();
        files.logs.insert(
            0,
            StepLogs {
                server: files.results.join("output"),
                client: files.results.join("output"),
            },
        );
        let failed = launch(&files, JobState::Failed, 3);
        let names = |exit_replica: Option<u32>| -> Vec<_> {
            let manifest = Manifest {
                exit_replica,
                ..saying(Some(3))
            };
            let outcome = of(&failed, None, Some(&manifest), &files).unwrap();
            let names = outcome.logs.iter().filter_map(|log| log.file_name());
            names.map(str::to_owned).collect()
        };
        assert_eq!(names(Some(1)), ["server"]);
        assert_eq!(names(None), ["output", "server"]);
    }

    #[test]
    fn the_tasks_of_an_array_end_together() {
        let outcome = |exit_code, sentence: &str| LaunchOutcome {
            exit_code,
            reason: sentence.to_owned(),
            is_sentence: true,
            logs: vec![sentence.into()],
            log_lines: vec![sentence.to_owned()],
            advice: vec![sentence.to_owned()],
        };
        let well = || outcome(Some(0), "well");
        let tasks = |outcomes: Vec<LaunchOutcome>| {
            let outcomes = outcomes.into_iter().zip(0..);
            of_tasks(
                outcomes
                    .map(|(outcome, task)| (Some(Part::Task(task)), outcome))
                    .collect(),
                None,
            )
        };
        assert_eq!(tasks(vec![well(), well()]), well());
        let merged = tasks(vec![
            well(),
            outcome(None, "cancelled"),
            well(),
            outcome(Some(5), "points failed"),
            outcome(Some(3), "died"),
        ]);
        assert_eq!(
            merged.to_string(),
            "task 1: cancelled; task 3: points failed; task 4: died"
        );
        assert_eq!((merged.exit_code, merged.logs.len()), (Some(5), 3));
        assert_eq!(merged.log_lines, ["cancelled", "points failed", "died"]);
        assert_eq!(merged.advice, merged.log_lines);
        let alone = tasks(vec![well(), outcome(Some(3), "died")]);
        assert_eq!(alone.to_string(), "task 1: died");
        let never = || outcome(None, "launch did not start");
        assert_eq!(tasks(vec![never(), never()]), never());
        // What others say in the same words, with logs and lines of their own.
        let alike = "no line looks like it";
        let died = |task: &str| LaunchOutcome {
            logs: vec![task.into()],
            log_lines: vec![format!("of {task}"), alike.to_owned()],
            ..outcome(Some(3), "died")
        };
        let some = tasks(vec![well(), died("1"), died("2"), never()]);
        let told = "tasks 1,2: died; task 3: launch did not start";
        assert_eq!(some.to_string(), told);
        assert_eq!(
            some.log_lines,
            ["of 1", alike, "of 2", alike, "launch did not start"]
        );
        assert_eq!(some.logs.len(), 3);
        assert_eq!(
            tasks(vec![died("0"), died("1")]).to_string(),
            "tasks 0,1: died"
        );
        assert_eq!(
            tasks(vec![well(), never(), never()]).to_string(),
            "tasks 1,2: launch did not start"
        );
        let turns = [0, 1].map(|turn| (Some(Part::Turn(turn)), never()));
        let well = (Some(Part::Turn(2)), well());
        let turns = of_tasks([&turns[..], &[well]].concat(), None);
        assert_eq!(turns.to_string(), "turns 1,2: launch did not start");
        let own = LaunchOutcome::new(Some(3), "died");
        let tasks = of_tasks(vec![(None, own.clone())], None);
        assert_eq!(tasks, own);
        let task = of_tasks(vec![(Some(Part::Task(1)), own)], None);
        assert_eq!(task.to_string(), "task 1: launch ended with 3: died");
    }

    /// One way on for all tasks that are open, with what the longest of them needs.
    #[test]
    fn open_tasks_go_on_together() {
        let said = |code, next: &str, options: &str| Manifest {
            advice: vec![
                "what to do: look".to_owned(),
                format!("{next}: RESUME_JOB_ID=7-1 sbatch {options}--array=1 '/b 1/launch.sh'"),
            ],
            ..saying(Some(code))
        };
        let well = saying(Some(0));
        let died = said(3, "after that", "");
        let [short, long] = ["9", "20"].map(|minutes| {
            let options = format!("--time={minutes} ");
            said(6, "to go on", &options)
        });
        let way_on = |limit, manifests: &[Option<&Manifest>]| {
            let array = OpenArray {
                id: "7".to_owned(),
                limit,
                record: None,
                manifests,
            };
            let outcomes = manifests.iter().enumerate().map(|(task, manifest)| {
                let code = manifest.and_then(|manifest| manifest.exit_code);
                let mut outcome = LaunchOutcome::new(code, "because");
                outcome.advice = manifest.map_or_else(Vec::new, |it| it.advice.clone());
                (Some(Part::Task(task)), outcome)
            });
            of_tasks(outcomes.collect(), Some(&array)).advice
        };
        let to_do = "what to do: look";
        let all = [
            Some(&well),
            Some(&short),
            Some(&long),
            Some(&well),
            None,
            Some(&short),
        ];
        assert_eq!(
            way_on(Some(2), &all),
            [
                to_do,
                "to go on: RESUME_JOB_ID=7 sbatch --time=20 --array=1-2,4-5%2 '/b 1/launch.sh'"
            ]
        );
        assert_eq!(
            way_on(None, &[Some(&died), Some(&long)]),
            [
                to_do,
                "after that: RESUME_JOB_ID=7 sbatch --time=20 --array=0-1 '/b 1/launch.sh'"
            ]
        );
        // One alone has said it.
        assert_eq!(way_on(None, &[Some(&well), Some(&died)]), died.advice);
        let cancelled = [Some(&well), None];
        assert_eq!(
            way_on(None, &cancelled),
            ["to go on: RESUME_JOB_ID=7 sbatch --array=1 launch.sh"]
        );
        // There is nothing that could count.
        assert_eq!(way_on(None, &[None, None]), [""; 0]);
    }

    /// The job's code is that of one of its turns.
    #[test]
    fn turns_that_never_ran() {
        let [finished, missing, died] = [0, 2, 3].map(|code| saying(Some(code)));
        let [finished, missing, died] = [&finished, &missing, &died].map(Some);
        for (code, manifests, never) in [
            (2, vec![missing, None, None], vec![1, 2]),
            // The second failed before it could write one.
            (2, vec![finished, None, None], vec![2]),
            (2, vec![None, None], vec![]),
            // A variant whose server ended is left out.
            (3, vec![died, finished, None, finished], vec![2]),
            (0, vec![finished, None], vec![]),
        ] {
            let turns = 0..manifests.len();
            let found: Vec<_> = turns
                .filter(|turn| never_ran(Some(code), &manifests, *turn))
                .collect();
            assert_eq!(found, never, "{code}");
        }
        assert!(!never_ran(None, &[finished, None], 1), "Slurm ended it");
        assert!(has_succeeded_alone(finished, &[finished, died]));
        assert!(!has_succeeded_alone(died, &[finished, died]));
        assert!(!has_succeeded_alone(finished, &[finished, None]));
    }

    #[test]
    fn what_the_job_says_is_to_be_done() {
        let (_folder, files) = files();
        let said = |code| Manifest {
            cause_lines: vec!["  | line 258: OSError: \u{1b}[31mno".to_owned()],
            advice: vec!["what to do: find out \u{1b}[31mwhy".to_owned()],
            ..saying(Some(code))
        };
        let outcome = |code| {
            let launch = launch(&files, JobState::Failed, code);
            of(&launch, None, Some(&said(code)), &files).unwrap()
        };
        assert_eq!(
            outcome(3).log_lines,
            [r"  | line 258: OSError: \u{1b}[31mno"]
        );
        assert_eq!(outcome(3).advice, [r"what to do: find out \u{1b}[31mwhy"]);
        let own_words =
            "  | line 258: OSError: \u{1b}[31mno\n12:00:00 what to do: find out \u{1b}[31mwhy\n";
        let print = |behind: &str| {
            std::fs::write(files.results.join("output"), format!("{own_words}{behind}")).unwrap();
        };
        print("");
        let merged = outcome(6);
        assert_eq!(
            [merged.log_lines, merged.advice].concat(),
            [""; 0],
            "all that was printed is shown"
        );
        print(&"a hook's line\n".repeat(20));
        let hidden = outcome(6);
        assert_eq!(hidden.log_lines, outcome(3).log_lines);
        assert_eq!(hidden.advice, outcome(3).advice);
    }

    /// A script that ends before its manifest, with a hook at the end that prints. Its client's log is of an earlier start.
    #[test]
    fn what_is_missing_is_shown_however_much_a_hook_prints() {
        let (_folder, files) = files();
        assert!(files.logs[0].client.exists());
        let output = files.results.join("output");
        let problems = [
            "12:00:01 missing: STAGE_PATH",
            "12:00:01 missing: the model",
        ];
        let of_earlier_start = "11:00:00 missing: srun\n11:00:00 nothing was done";
        let [first, second] = problems;
        let print = |lines: usize| {
            let hook = "12:00:02 copied a file\n".repeat(lines);
            let text = format!(
                "{of_earlier_start}\n{first}\n12:00:01 nim-slurm 0.1.0, recipe mine\n{second}\n12:00:01 nothing was done\n{hook}"
            );
            std::fs::write(&output, text).unwrap();
        };
        let failed = launch(&files, JobState::Failed, 2);
        let of_launch = || of(&failed, None, None, &files).unwrap().log_lines;
        let setup = ChainJob::new(ScriptKind::Setup, "6".parse().unwrap());
        let before = (setup, failed.record().unwrap().clone());
        let of_setup = || of(&failed, Some(&before), None, &files).unwrap().log_lines;
        print(16);
        assert_eq!(
            [of_launch(), of_setup()].concat(),
            [""; 0],
            "its last 20 lines have them"
        );
        for lines in [17, 500] {
            print(lines);
            assert_eq!(of_launch(), problems, "{lines}");
            assert_eq!(of_setup(), problems, "{lines}");
        }
    }

    #[test]
    fn a_launch_that_can_never_start() {
        let (_folder, files) = files();
        let of_record = |record: &JobRecord, before: Option<&(ChainJob, JobRecord)>| {
            of(
                &JobStatus::Known(vec![record.clone()]),
                before,
                None,
                &files,
            )
        };
        let mut pending = launch(&files, JobState::Pending, 0)
            .record()
            .unwrap()
            .clone();
        assert_eq!(of_record(&pending, None), None);
        pending.reason = Some("DependencyNeverSatisfied".to_owned());
        let outcome = of_record(&pending, None).unwrap();
        assert!(!outcome.is_success());
        assert!(outcome.to_string().ends_with("scancel 7"), "{outcome}");

        let setup = ChainJob::new(ScriptKind::Setup, "6".parse().unwrap());
        let failed = launch(&files, JobState::Failed, 2)
            .record()
            .unwrap()
            .clone();
        let outcome = of_record(&pending, Some(&(setup, failed))).unwrap();
        assert_eq!(
            outcome.to_string(),
            "launch did not start, since setup, job 6, did not succeed: FAILED, exit code 2, Why; to end launch, \
             scancel 7"
        );
        assert_eq!(outcome.logs, [files.results.join("output")]);
    }

    #[test]
    fn a_job_that_never_was() {
        let (_folder, files) = files();
        let outcome = of(&JobStatus::Unknown, None, None, &files).unwrap();
        assert!(
            outcome
                .to_string()
                .ends_with("is the number right, and this the job's stage path?"),
            "{outcome}"
        );
    }

    #[test]
    fn a_job_that_goes_on_has_no_end() {
        let (_folder, files) = files();
        // The manifest is that of the run before the job was requeued.
        for state in [JobState::Pending, JobState::Running, JobState::Completing] {
            let launch = launch(&files, state, 0);
            let mut record = launch.record().unwrap().clone();
            record.restarts = Some(1);
            let launch = JobStatus::Known(vec![record]);
            assert_eq!(of(&launch, None, Some(&saying(Some(6))), &files), None);
        }
    }

    /// As the site says by `RequeueExitHold`. Slurm counts the start that is to come.
    #[test]
    fn a_job_that_is_held_for_its_code() {
        let (_folder, files) = files();
        let launch = launch(&files, JobState::SpecialExit, 3);
        let mut record = launch.record().unwrap().clone();
        record.reason = Some("JobHeldUser".to_owned());
        record.restarts = Some(2);
        let held = JobStatus::Known(vec![record.clone()]);
        let of_start = |restart| {
            let manifest = Manifest {
                restart: Some(restart),
                advice: vec!["what to do: find out".to_owned()],
                ..saying(Some(3))
            };
            of(&held, None, Some(&manifest), &files).unwrap()
        };
        let release = "job 7 is held: scontrol release 7 lets it start, scancel 7 ends it";
        let outcome = of_start(1);
        assert_eq!(outcome.to_string(), "launch ended with 3: because");
        assert_eq!(outcome.logs, [files.results.join("server")]);
        assert_eq!(outcome.advice, ["what to do: find out", release]);
        let without_manifest = of_start(0);
        assert_eq!(without_manifest.exit_code, Some(3));
        assert_eq!(without_manifest.advice, [release]);
        // Setup, for which launch waits.
        let setup = ChainJob::new(ScriptKind::Setup, "7".parse().unwrap());
        let waits = JobStatus::Known(vec![JobRecord::new(
            "8".parse().unwrap(),
            JobState::Pending,
        )]);
        let outcome = of(&waits, Some(&(setup, record)), None, &files).unwrap();
        assert_eq!(
            outcome.to_string(),
            "launch did not start, since setup, job 7, did not succeed: SPECIAL_EXIT, exit code 3, JobHeldUser"
        );
        assert_eq!(outcome.advice, [release]);
    }

    #[test]
    fn success_is_what_slurm_and_the_job_agree_on() {
        let (_folder, files) = files();
        let completed = launch(&files, JobState::Completed, 0);
        // A shared file system may show the manifest of a moment ago.
        for manifest in [saying(Some(0)), saying(None)] {
            assert!(
                of(&completed, None, Some(&manifest), &files)
                    .unwrap()
                    .is_success()
            );
        }
        let outcome = of(&completed, None, None, &files).unwrap();
        assert!(!outcome.is_success());
        assert!(
            outcome.to_string().contains("it was no launch job"),
            "{outcome}"
        );
        let forgotten = JobStatus::Unknown;
        assert!(
            of(&forgotten, None, Some(&saying(Some(0))), &files)
                .unwrap()
                .is_success()
        );
        assert_eq!(
            of(&forgotten, None, Some(&saying(None)), &files)
                .unwrap()
                .exit_code,
            None
        );
    }

    #[test]
    fn what_slurm_ended() {
        let (_folder, files) = files();
        let ended = launch(&files, JobState::NodeFail, 0);
        let outcome = of(&ended, None, Some(&saying(None)), &files).unwrap();
        assert_eq!(outcome.to_string(), "Slurm ended launch: NODE_FAIL, Why");
        assert_eq!(outcome.exit_code, None);
        assert_eq!(
            outcome.advice,
            ["to go on: RESUME_JOB_ID=7 sbatch launch.sh"]
        );
        // Without a manifest it has measured nothing.
        let outcome = of(&ended, None, None, &files).unwrap();
        assert_eq!(outcome.advice, [""; 0]);
    }

    /// It was submitted from a folder that its node does not have.
    #[test]
    fn a_job_whose_output_slurm_cannot_write() {
        let (_folder, files) = files();
        let ended = launch(&files, JobState::Failed, 0);
        let mut record = ended.record().unwrap().clone();
        record.exit = Some(JobExit {
            code: 0,
            signal: 53,
        });
        record.reason = Some("JobLaunchFailure".to_owned());
        record.nodes = Some("n1".to_owned());
        record.output = Some("/tmp/slurm-7.out".into());
        let advice = "Slurm could not write /tmp/slurm-7.out on n1: submit from a folder that login and compute nodes \
                      share, or name a file in one: --sbatch output=/lustre/.../%x-%j.out";
        let of_launch = of(&JobStatus::Known(vec![record.clone()]), None, None, &files).unwrap();
        assert_eq!(
            of_launch.to_string(),
            "Slurm ended launch: FAILED, signal 53, JobLaunchFailure"
        );
        assert_eq!(of_launch.advice, [advice]);
        let setup = ChainJob::new(ScriptKind::Setup, "6".parse().unwrap());
        let mut waits = record.clone();
        waits.state = JobState::Pending;
        waits.reason = Some("DependencyNeverSatisfied".to_owned());
        let waits = JobStatus::Known(vec![waits]);
        let of_setup = of(&waits, Some(&(setup, record.clone())), None, &files);
        assert_eq!(of_setup.unwrap().advice, [advice]);
        record.output = Some("/no/such folder/slurm-7.out".into());
        assert_eq!(
            unwritable_output(&record).unwrap(),
            "Slurm could not write /no/such folder/slurm-7.out on n1, since it makes no folders: mkdir -p '/no/such folder'"
        );
        // Other programs than scontrol do not know the file.
        record.exit = Some(JobExit {
            code: 15,
            signal: 53,
        });
        record.output = None;
        record.nodes = None;
        let of_launch = of(&JobStatus::Known(vec![record]), None, None, &files).unwrap();
        assert!(of_launch.advice[0].starts_with("Slurm could not write its output on its node: "));
    }

    /// Slurm killed the job before its last words.
    #[test]
    fn a_stopped_job_without_last_words() {
        let (_folder, files) = files();
        let mut cancelled = launch(&files, JobState::Cancelled, 0)
            .record()
            .unwrap()
            .clone();
        cancelled.array = Some(("5".parse().unwrap(), "2".to_owned()));
        cancelled.script = Some("./my bench/launch.sh".into());
        let launch = JobStatus::Known(vec![cancelled]);
        let outcome = of(&launch, None, Some(&saying(Some(6))), &files).unwrap();
        assert_eq!(
            outcome.advice,
            ["to go on: RESUME_JOB_ID=5-2 sbatch --array=2 './my bench/launch.sh'"]
        );
    }
}
