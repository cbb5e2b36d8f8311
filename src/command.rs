//! Slurm's own programs, run under a time limit and with bounded output.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// More than any answer that is asked for here: what lies beyond is not kept.
const MOST_BYTES: u64 = 1 << 20;

/// How long a program that has ended may take to hand over its output. Only one
/// that left a child behind, which holds the pipe open, needs any time at all.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a program that ended by itself has said.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// What a person should read of a failure: the error messages, else the output.
    pub(crate) fn words(&self) -> String {
        let words = [&self.stderr, &self.stdout]
            .into_iter()
            .map(|text| text.trim())
            .find(|text| !text.is_empty());
        words.map_or_else(|| self.status.to_string(), ToOwned::to_owned)
    }
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    Start(io::Error),
    /// The program did not end in time, and was killed.
    TimedOut,
}

/// Runs a program that needs no input.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Answer, NoAnswer> {
    let deadline = Instant::now() + limit;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(NoAnswer::Start)?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = wait_until(&mut child, deadline)?;
    let text = |output: Option<Receiver<String>>| {
        output
            .and_then(|output| output.recv_timeout(LAST_WORDS).ok())
            .unwrap_or_default()
    };
    Ok(Answer {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

/// Reads a pipe to its end, so that its writer never has to wait, and keeps the
/// beginning.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        // An error ends the output as its end does.
        let _ = pipe.by_ref().take(MOST_BYTES).read_to_end(&mut kept);
        let _ = io::copy(&mut pipe, &mut io::sink());
        // Nobody may be waiting for it any more.
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receiver
}

fn wait_until(child: &mut Child, deadline: Instant) -> Result<ExitStatus, NoAnswer> {
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(pause),
            outcome => {
                // It may have ended in this moment; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                return Err(outcome.map_or_else(NoAnswer::Start, |_| NoAnswer::TimedOut));
            }
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
pub(crate) mod tests {
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
            Err(NoAnswer::Start(error)) => panic!("bash does not start: {error}"),
            Err(NoAnswer::TimedOut) => panic!("bash does not end"),
        }
    }

    #[test]
    fn words_of_a_failure() {
        let answer = bash_answers("echo out; echo error >&2; exit 3", "");
        assert_eq!(answer.status.code(), Some(3));
        assert_eq!((&*answer.stdout, &*answer.words()), ("out\n", "error"));
        assert_eq!(bash_answers("echo out; exit 3", "").words(), "out");
        assert_eq!(bash_answers("exit 3", "").words(), "exit status: 3");
    }

    #[test]
    fn output_without_end_and_more_than_is_kept() {
        let mut endless = Command::new("yes");
        let outcome = run(&mut endless, Duration::from_millis(300));
        assert!(matches!(outcome, Err(NoAnswer::TimedOut)));
        let answer = bash_answers("head -c 3000000 /dev/zero", "");
        assert!(answer.status.success());
        assert_eq!(answer.stdout.len() as u64, MOST_BYTES);
    }

    #[test]
    fn a_child_that_is_left_behind_holds_nothing_up() {
        let start = Instant::now();
        assert!(bash_answers("sleep 60 &", "").status.success());
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_is_not_there_does_not_start() {
        let mut missing = Command::new("/no/such/program");
        let outcome = run(&mut missing, Duration::from_secs(1));
        assert!(matches!(outcome, Err(NoAnswer::Start(_))));
    }
}
