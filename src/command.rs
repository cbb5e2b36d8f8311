//! Other programs, run under a time limit and with bounded output.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::plain::plain_lines;

/// What is kept of a program's output: some ten thousand jobs, as scontrol shows them. The nodes of a
/// large site take a tenth of it.
pub(crate) const MAX_KEPT: usize = 32 << 20;

/// What is read of it, so that its writer can end well. Who writes more than this
/// has no end.
const MAX_READ: usize = 2 * MAX_KEPT;

/// How long a program that has ended may take to hand over its output. Only one
/// that left a child behind, which holds the pipe open, needs any time at all.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// What a program that ended by itself has said.
pub(crate) struct Answer {
    /// How it ended; none where that is lost: children are not waited for where `SIGCHLD` is ignored, and
    /// another part of this process may have waited for this one.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Whether `stdout` is its beginning alone.
    pub(crate) is_cut: bool,
}

impl Answer {
    /// Whether it is known that it succeeded.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Whether it said nothing.
    pub(crate) fn is_silent(&self) -> bool {
        let said = [&self.stderr, &self.stdout];
        said.iter().all(|text| text.trim().is_empty())
    }

    /// What a person should read of a failure: the error messages, else the output.
    pub(crate) fn message(&self) -> String {
        let message = [&self.stderr, &self.stdout]
            .into_iter()
            .map(|text| text.trim())
            .find(|text| !text.is_empty());
        let status = || self.status.map(|status| status.to_string());
        let status = || status().unwrap_or_else(|| EXIT_CODE_LOST.to_owned());
        message.map_or_else(status, plain_lines)
    }

    /// True where a program of Slurm failed since it has no configuration, so that it has
    /// asked nobody. One that fetches its configuration says the same of a controller that is
    /// away for a moment, but for the lines before its last. The words are those of Slurm's
    /// `src/common/read_config.c`, the same from 20.11 to 26.05.
    pub(crate) fn lacks_configuration(&self) -> bool {
        const WORDS: [&str; 2] = [
            "Could not establish a configuration source",
            "Unable to process configuration file",
        ];
        let message = self.message();
        let reason = message.lines().last().unwrap_or_default();
        !self.is_success()
            && WORDS.iter().any(|words| reason.contains(words))
            && !message.contains("Unable to contact slurm controller")
    }
}

/// What is said of a program of which nothing else is known.
pub(crate) const EXIT_CODE_LOST: &str =
    "its exit code is lost (is SIGCHLD ignored, or do other threads wait for all children?)";

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// It did not start.
    Start(io::Error),
    /// It started, could not be listened to, and was killed.
    Unheard(io::Error),
    /// The program did not end in time, and was killed.
    TimedOut,
}

/// Takes away the variables by which a user formats and filters what Slurm's programs
/// answer, or which job they mean.
pub(crate) fn ignore_filters(
    command: &mut Command,
    variables: impl IntoIterator<Item = impl AsRef<OsStr>>,
) {
    const PREFIXES: [&[u8]; 5] = [b"SCONTROL_", b"SQUEUE_", b"SACCT_", b"SINFO_", b"SCANCEL_"];
    for name in variables {
        let name = name.as_ref();
        if PREFIXES
            .iter()
            .any(|prefix| name.as_encoded_bytes().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
}

/// The names of this process's variables.
pub(crate) fn variable_names() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name)
}

/// Runs a program that needs no input.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Answer, NoAnswer> {
    command.stdin(Stdio::null());
    answer(command, limit, |_| Ok(()))
}

/// Runs a program that may read `input`.
pub(crate) fn run_with_input(
    command: &mut Command,
    input: &str,
    limit: Duration,
) -> Result<Answer, NoAnswer> {
    command.stdin(Stdio::piped());
    answer(command, limit, |child| {
        let (pipe, input) = (child.stdin.take(), input.to_owned());
        let feed = move || {
            // Whoever does not read to the end has a reason, and says it.
            let _ = pipe.map(|mut pipe| pipe.write_all(input.as_bytes()));
        };
        thread::Builder::new().spawn(feed).map(drop)
    })
}

fn answer(
    command: &mut Command,
    limit: Duration,
    feed: impl FnOnce(&mut Child) -> io::Result<()>,
) -> Result<Answer, NoAnswer> {
    // A limit that no clock can hold is none.
    let deadline = Instant::now().checked_add(limit);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    start_process_group(command);
    let mut child = command.spawn().map_err(NoAnswer::Start)?;
    let outcome = collect_answer(&mut child, deadline, feed);
    if outcome.is_err() {
        kill(&mut child);
    }
    outcome
}

fn collect_answer(
    child: &mut Child,
    deadline: Option<Instant>,
    feed: impl FnOnce(&mut Child) -> io::Result<()>,
) -> Result<Answer, NoAnswer> {
    feed(child).map_err(NoAnswer::Unheard)?;
    let stdout = Output::collect(child.stdout.take()).map_err(NoAnswer::Unheard)?;
    let stderr = Output::collect(child.stderr.take()).map_err(NoAnswer::Unheard)?;
    let status = wait_until(child, deadline)?;
    let (stdout, is_cut) = stdout.take();
    let (stderr, _) = stderr.take();
    Ok(Answer {
        status,
        stdout,
        stderr: without_values(stderr),
        is_cut,
    })
}

/// sbatch repeats what it cannot read in `--export` and, with `-v`, all of it: the values are the user's own, of any
/// number of lines. The words are the same from 20.11 to 26.05.
fn without_values(stderr: String) -> String {
    const UNREAD: &str = "environment variable (";
    const NEXT: &str = "\nsbatch: ";
    if !stderr.contains(UNREAD) && !stderr.contains("sbatch: export ") {
        return stderr;
    }
    let start = stderr.strip_prefix(&NEXT[1..]);
    let said = start.unwrap_or(&stderr).split(NEXT);
    let said = said.map(|words| match words.split_once(UNREAD) {
        Some((before, _)) => format!("{before}{UNREAD}…)"),
        None if words.starts_with("export ") => "export: …".to_owned(),
        None => words.to_owned(),
    });
    let said: Vec<_> = said.collect();
    format!("{}{}", start.map_or("", |_| &NEXT[1..]), said.join(NEXT))
}

/// What has come through a pipe up to now.
struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Output {
    /// Reads a pipe, and keeps the beginning, and a byte more where there is one.
    fn collect(pipe: Option<impl Read + Send + 'static>) -> io::Result<Self> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, end) = mpsc::channel();
        let shared = Arc::clone(&kept);
        thread::Builder::new().spawn(move || {
            if let Some(mut pipe) = pipe {
                let mut chunk = [0; 8192];
                let mut read = 0;
                // An error ends the output as its end does.
                while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                    read += length;
                    if read > MAX_READ {
                        break;
                    }
                    let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    let room = MAX_KEPT + 1 - kept.len();
                    kept.extend_from_slice(&chunk[..length.min(room)]);
                }
            }
            // Nobody may be waiting for it any more.
            let _ = sender.send(());
        })?;
        Ok(Self { kept, end })
    }

    /// What was kept, and whether there was more.
    fn take(self) -> (String, bool) {
        let _ = self.end.recv_timeout(OUTPUT_GRACE);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let beginning = &kept[..kept.len().min(MAX_KEPT)];
        let text = String::from_utf8_lossy(beginning).into_owned();
        (text, beginning.len() < kept.len())
    }
}

/// Waits for its end; how it ended, where that can be known.
fn wait_until(
    child: &mut Child,
    deadline: Option<Instant>,
) -> Result<Option<ExitStatus>, NoAnswer> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                thread::sleep(pause);
            }
            Ok(None) => return Err(NoAnswer::TimedOut),
            // There is no such child any more: it has ended.
            Err(_) => return Ok(None),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A wrapper script and what it starts end together; and a Ctrl-C that is meant for
/// this program does not end sbatch in the middle of a submission, nor makes a
/// question look like one that Slurm refused.
#[cfg(unix)]
fn start_process_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    command.process_group(0);
}

#[cfg(not(unix))]
fn start_process_group(_: &mut Command) {}

/// Ends a program and its group. One that waits for a dead file system cannot even
/// be killed, so nobody waits for it for long.
fn kill(child: &mut Child) {
    // The shell's own kill is there whatever PATH says.
    let _ = Command::new("/bin/sh")
        .args(["-c", "kill -s KILL -- \"-$0\"", &child.id().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let _ = child.kill();
    let end = Instant::now() + Duration::from_secs(1);
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use camino::Utf8PathBuf;

    use super::*;

    /// What a bash program with one argument answers.
    #[track_caller]
    pub(crate) fn bash_answers(program: &str, argument: &str) -> Answer {
        let mut bash = Command::new("bash");
        match run(
            bash.args(["-c", program, argument]),
            Duration::from_secs(30),
        ) {
            Ok(answer) => answer,
            Err(NoAnswer::Start(error) | NoAnswer::Unheard(error)) => {
                panic!("bash does not start: {error}")
            }
            Err(NoAnswer::TimedOut) => panic!("bash does not end"),
        }
    }

    /// A bash program, which runs in its own folder. Another process writes it: a file that this
    /// one has open for writing cannot be started, nor while a child of another test still has it.
    pub(crate) fn program(folder: &Path, name: &str, body: &str) -> Utf8PathBuf {
        let path = Utf8PathBuf::from_path_buf(folder.join(name)).unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-c", "cat >\"$0\" && chmod 755 \"$0\"", path.as_str()]);
        let text = format!("#!/usr/bin/env bash\ncd \"${{0%/*}}\" || exit\n{body}\n");
        let written = run_with_input(&mut bash, &text, Duration::from_secs(30));
        assert!(written.is_ok_and(|answer| answer.is_success()));
        path
    }

    #[test]
    fn message_of_a_failure() {
        let answer = bash_answers("echo out; echo error >&2; exit 3", "");
        assert_eq!(answer.status.unwrap().code(), Some(3));
        assert_eq!((&*answer.stdout, &*answer.message()), ("out\n", "error"));
        assert_eq!(bash_answers("echo out; exit 3", "").message(), "out");
        assert_eq!(bash_answers("exit 3", "").message(), "exit status: 3");
    }

    /// sbatch's own words of a value with a quote that does not end, and with `-v`.
    #[test]
    fn values_of_export_are_kept_back() {
        const END: &str = "sbatch: error: Batch job submission failed: Invalid account\n";
        let unread =
            "sbatch: error: Improperly formed environment variable (HF_TOKEN='S3CRET\n\nS3CRET)\n";
        let verbose =
            "sbatch: defined options\nsbatch: export              : ALL,A=S3CRET\nS3CRET\n";
        for (said, shown) in [
            (
                unread,
                "sbatch: error: Improperly formed environment variable (…)\n",
            ),
            (verbose, "sbatch: defined options\nsbatch: export: …\n"),
        ] {
            let answer = bash_answers("printf %s \"$0\" >&2", &format!("{said}{END}"));
            assert_eq!(answer.stderr, format!("{shown}{END}"));
            let answer = bash_answers("printf %s \"$0\" >&2", said);
            assert_eq!(answer.stderr.trim(), shown.trim());
        }
    }

    #[test]
    fn output_without_end_and_more_than_is_kept() {
        let mut endless = Command::new("yes");
        let answer = run(&mut endless, Duration::from_secs(30));
        assert!(answer.is_ok_and(|answer| !answer.is_success()));
        let mut mute = Command::new("sleep");
        let outcome = run(mute.arg("60"), Duration::from_millis(300));
        assert!(matches!(outcome, Err(NoAnswer::TimedOut)));
        for (length, is_cut) in [(MAX_KEPT, false), (MAX_KEPT + 1, true)] {
            let answer = bash_answers("head -c \"$0\" /dev/zero", &length.to_string());
            assert!(answer.is_success());
            assert_eq!((answer.stdout.len(), answer.is_cut), (MAX_KEPT, is_cut));
        }
    }

    #[test]
    fn a_child_that_is_left_behind_holds_nothing_up() {
        let start = Instant::now();
        let answer = bash_answers("echo said; sleep 60 &", "");
        assert!(answer.is_success());
        assert_eq!(answer.stdout, "said\n");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_is_not_there_does_not_start() {
        let mut missing = Command::new("/no/such/program");
        let outcome = run(&mut missing, Duration::from_secs(1));
        assert!(matches!(outcome, Err(NoAnswer::Start(_))));
    }
}
