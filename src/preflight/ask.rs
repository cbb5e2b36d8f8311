//! Other programs, asked from the environment of a submission.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::fix::words;
use super::{Finding, Preflight};
use crate::command::{self, EXIT_CODE_LOST, NoAnswer};

/// No question is worth more.
const MOST_TIME: Duration = Duration::from_secs(3600);

/// What of a program's words goes into a finding.
const MOST_WORDS: usize = 300;

/// What came of asking a program.
pub(super) enum Answer {
    /// There is no such program on `PATH`.
    Absent,
    /// It could not be started, or what it answered is not known; why.
    Lost(String),
    /// It took too long, and was ended.
    TooLate,
    /// It ended by itself.
    Said(Reply),
}

/// What a program said.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) is_success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Reply {
    /// The first line that is not empty.
    pub(super) fn first_line(&self) -> &str {
        let lines = self.stdout.lines().chain(self.stderr.lines());
        lines
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
    }
}

impl Preflight<'_> {
    /// Where `program` is, if it is on `PATH`.
    pub(super) fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.variables.get("PATH")?;
        let folder = std::env::current_dir().unwrap_or_default();
        which::which_in(program, Some(path), folder).ok()
    }

    /// Runs a program with nothing to read.
    pub(super) fn ask(&self, program: &str, arguments: &[&str]) -> Answer {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        self.ask_with(program, &arguments, "", &[])
    }

    /// Runs a program that may read `input`, without some of the variables.
    pub(super) fn ask_with(
        &self,
        program: &str,
        arguments: &[String],
        input: &str,
        variables_to_remove: &[String],
    ) -> Answer {
        let Some(path) = self.find(program) else {
            return Answer::Absent;
        };
        let mut command = Command::new(path);
        command
            .args(arguments)
            .env_clear()
            .envs(&self.variables.0)
            // The words that are looked for are English.
            .env("LC_ALL", "C");
        for name in variables_to_remove {
            command.env_remove(name);
        }
        command::ignore_filters(&mut command, self.variables.0.keys());
        let limit = self.time_limit.min(MOST_TIME);
        let answer = if input.is_empty() {
            command::run(&mut command, limit)
        } else {
            command::run_with_input(&mut command, input, limit)
        };
        match answer {
            Ok(answer) if answer.status.is_none() => Answer::Lost(EXIT_CODE_LOST.to_owned()),
            Ok(answer) => Answer::Said(Reply {
                is_success: answer.is_success(),
                stdout: answer.stdout,
                stderr: answer.stderr,
            }),
            Err(NoAnswer::Start(error)) => Answer::Lost(format!("it cannot be started: {error}")),
            Err(NoAnswer::Unheard(error)) => {
                Answer::Lost(format!("it cannot be listened to: {error}"))
            }
            Err(NoAnswer::TimedOut) => Answer::TooLate,
        }
    }

    /// The finding for a question that got no answer: what cannot be known now.
    pub(super) fn unanswered(&self, command: &str, answer: &Answer, unknown: &str) -> Finding {
        let reason = match answer {
            Answer::Absent => "it is not on PATH".to_owned(),
            Answer::Lost(reason) => reason.clone(),
            Answer::TooLate => format!("no answer within {} s", self.time_limit.as_secs_f32()),
            Answer::Said(reply) => self.words(&reply.stderr),
        };
        Finding::warning(
            format!("{command} does not say {unknown}: {reason}"),
            words("try it by hand: ").command(command),
        )
    }

    /// A program's words as part of a sentence: one line, not too long, and without
    /// any secret.
    pub(super) fn words(&self, text: &str) -> String {
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.trim().trim_end_matches(['.', ':']))
            .filter(|line| !line.is_empty())
            .collect();
        let mut words = lines.join("; ");
        for name in self.secrets() {
            let value = self.variables.get(name).and_then(|value| value.to_str());
            // A value of a few letters hides nothing, and would be in many words.
            if let Some(value) = value.filter(|value| value.len() > 3) {
                words = words.replace(value, &format!("${name}"));
            }
        }
        if words.is_empty() {
            return "it gives no reason".to_owned();
        }
        if words.chars().count() > MOST_WORDS {
            words = words.chars().take(MOST_WORDS).chain("…".chars()).collect();
        }
        words
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{Plan, Recipe, Settings};

    fn plan() -> Plan {
        Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap()
    }

    fn preflight(plan: &Plan) -> Preflight<'_> {
        let variables = [("PATH", "/usr/bin:/bin"), ("NGC_API_KEY", "nvapi-secret")];
        Preflight::new(plan, variables).with_time_limit(Duration::from_secs(5))
    }

    #[track_caller]
    fn shell(preflight: &Preflight<'_>, program: &str, input: &str) -> Answer {
        preflight.ask_with("sh", &["-c".to_owned(), program.to_owned()], input, &[])
    }

    #[test]
    fn answers() {
        let plan = plan();
        let preflight = preflight(&plan);
        let Answer::Said(reply) = shell(&preflight, "cat; echo $LC_ALL >&2; exit 3", "in") else {
            panic!("no reply");
        };
        assert_eq!(
            (
                reply.is_success,
                reply.stdout.as_str(),
                reply.stderr.as_str()
            ),
            (false, "in", "C\n")
        );
        assert!(matches!(
            preflight.ask("no-such-program", &[]),
            Answer::Absent
        ));
        // Nothing of this process's own environment.
        let Answer::Said(reply) = shell(&preflight, "env | grep -c CARGO", "") else {
            panic!("no reply");
        };
        assert_eq!(reply.stdout, "0\n");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let plan = plan();
        let preflight = preflight(&plan).with_time_limit(Duration::from_millis(200));
        let start = Instant::now();
        for program in ["sleep 60", "exec </dev/null; sleep 60 | cat"] {
            assert!(matches!(
                shell(&preflight, program, "unread"),
                Answer::TooLate
            ));
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn words_are_few_and_have_no_secret() {
        let plan = plan();
        let preflight = preflight(&plan);
        assert_eq!(
            preflight.words("a line.\n\n  key nvapi-secret\n"),
            "a line; key $NGC_API_KEY"
        );
        assert_eq!(preflight.words(&"x".repeat(1000)).chars().count(), 301);
    }
}
