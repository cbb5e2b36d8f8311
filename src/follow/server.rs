//! Whether the server is there, from the client's log.

use std::time::{Duration, SystemTime};

use camino::Utf8Path;

use super::{StepLogs, files};
use crate::plain::plain;

/// The inference server of a launch job.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, ServerState, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// match progress.server {
///     ServerState::Loading { waited: Some((time, answer)) } => println!("{} s: {answer}", time.as_secs()),
///     ServerState::Ready { after: Some(time) } => println!("ready after {} s", time.as_secs()),
///     _ => {}
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerState {
    /// The job does not run.
    Absent,
    /// It is starting, and loads the model.
    Loading {
        /// Since when, and what it last answered; the job says so every half
        /// minute.
        waited: Option<(Duration, String)>,
    },
    /// It answers.
    Ready {
        /// How long it took, unless that is too far above in the log.
        after: Option<Duration>,
    },
}

/// The servers, and what is measured now in the clients' own words.
pub(super) fn read_all(
    logs: &[StepLogs],
    started: Option<SystemTime>,
) -> (ServerState, Vec<String>) {
    let (mut server, mut measuring) = (None, Vec::new());
    for log in logs {
        let (own, point) = read(&log.client, started);
        if server.as_ref().is_none_or(|known| own.is_behind(known)) {
            server = Some(own);
        }
        measuring.extend(point.filter(|point| !measuring.contains(point)));
    }
    (server.unwrap_or(ServerState::Absent), measuring)
}

impl ServerState {
    /// Whether it is less far than another.
    pub(super) const fn is_behind(&self, other: &Self) -> bool {
        self.distance() > other.distance()
    }

    const fn distance(&self) -> u8 {
        match self {
            Self::Ready { .. } => 0,
            Self::Loading { .. } => 1,
            Self::Absent => 2,
        }
    }
}

/// One server, and what is measured on it.
fn read(log: &Utf8Path, started: Option<SystemTime>) -> (ServerState, Option<String>) {
    let nothing = (ServerState::Loading { waited: None }, None);
    let Ok(tail) = files::tail(log) else {
        return nothing;
    };
    // A job that was requeued writes on in the log of its earlier run.
    if let (Some(started), Some(modified)) = (started, tail.modified)
        && modified < started
    {
        return nothing;
    }
    parse(&tail.text, tail.is_cut)
}

/// Reads what templates/launch/client.sh says, between the lines of GenAI-Perf.
fn parse(log: &str, is_cut: bool) -> (ServerState, Option<String>) {
    let mut server = if is_cut {
        // While it loads, the log stays short.
        ServerState::Ready { after: None }
    } else {
        ServerState::Loading { waited: None }
    };
    let mut measuring = None;
    for line in log.lines().filter_map(message) {
        if let Some(rest) = line.strip_prefix("waiting for the server since ") {
            server = ServerState::Loading {
                waited: rest.split_once(" s: ").and_then(|(waited, answer)| {
                    Some((seconds(waited)?, plain(answer).into_owned()))
                }),
            };
            measuring = None;
        } else if let Some(rest) = line.strip_prefix("the server is ready after ") {
            let after = rest.strip_suffix(" s").and_then(seconds);
            server = ServerState::Ready { after };
        } else if line.starts_with("point ") && line.contains(", concurrency ") {
            measuring = Some(plain(line).into_owned());
        } else if line.starts_with("finished: ") || line.starts_with("error: ") {
            measuring = None;
        }
    }
    (server, measuring)
}

/// What the script says, without the time `HH:MM:SS` in front of it; other lines
/// are not the script's.
pub(super) fn message(line: &str) -> Option<&str> {
    let (time, message) = line.split_at_checked(9)?;
    let is_time = time.bytes().enumerate().all(|(place, byte)| match place {
        2 | 5 => byte == b':',
        8 => byte == b' ',
        _ => byte.is_ascii_digit(),
    });
    is_time.then_some(message)
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOADING: &str = "\
07:33:58 waiting for the server since 30 s: /v1/health/ready answers 000
07:34:28 waiting for the server since 60 s: /v1/health/ready answers 503
";
    const MEASURING: &str = "\
07:34:40 the server is ready after 72 s
07:34:40 point 1 of 8 is finished already: llama_4_1_chat_32_16_4700
07:34:40 point 2 of 8: chat 32/16, concurrency 2, 8 requests
                  point 3 of 8: chat, concurrency 1, of some tool's table
";

    #[test]
    fn from_loading_to_a_finished_point() {
        assert_eq!(
            parse("", false),
            (ServerState::Loading { waited: None }, None)
        );
        let (server, measuring) = parse(LOADING, false);
        let answer = "/v1/health/ready answers 503".to_owned();
        assert_eq!(
            (server, measuring),
            (
                ServerState::Loading {
                    waited: Some((Duration::from_secs(60), answer))
                },
                None
            )
        );
        let log = format!("{LOADING}{MEASURING}");
        let ready = ServerState::Ready {
            after: Some(Duration::from_secs(72)),
        };
        let (server, measuring) = parse(&log, false);
        assert_eq!(server, ready);
        assert_eq!(
            measuring.as_deref(),
            Some("point 2 of 8: chat 32/16, concurrency 2, 8 requests")
        );
        let (server, measuring) = parse(&format!("{log}07:35:00 finished: llama, 20 s\n"), false);
        assert_eq!((server, measuring), (ready, None));
    }

    #[test]
    fn of_several_servers_the_one_behind_counts() {
        let folder = tempfile::tempdir().unwrap();
        let log = |name: &str, text: &str| {
            let path = Utf8Path::from_path(folder.path()).unwrap().join(name);
            std::fs::write(&path, text).unwrap();
            StepLogs {
                server: path.clone(),
                client: path,
            }
        };
        let other = MEASURING.replace("chat 32/16, concurrency 2", "chat 32/16, concurrency 1");
        let logs = [log("0", MEASURING), log("1", &other), log("2", MEASURING)];
        let (server, measuring) = read_all(&logs, None);
        assert!(matches!(server, ServerState::Ready { .. }));
        assert_eq!(
            measuring,
            [
                "point 2 of 8: chat 32/16, concurrency 2, 8 requests",
                "point 2 of 8: chat 32/16, concurrency 1, 8 requests"
            ]
        );
        let logs = [log("0", MEASURING), log("1", LOADING)];
        let (server, measuring) = read_all(&logs, None);
        assert!(matches!(server, ServerState::Loading { waited: Some(_) }));
        assert_eq!(measuring.len(), 1);
    }

    #[test]
    fn the_end_of_a_long_log() {
        let (server, _) = parse("| Request Count | 8 |\n", true);
        assert_eq!(server, ServerState::Ready { after: None });
    }

    #[test]
    fn the_log_of_an_earlier_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        std::fs::write(path, MEASURING).unwrap();
        let now = SystemTime::now();
        let before = now.checked_sub(Duration::from_secs(60));
        let after = now.checked_add(Duration::from_secs(60));
        assert!(matches!(
            read(path, before),
            (ServerState::Ready { .. }, Some(_))
        ));
        assert_eq!(
            read(path, after),
            (ServerState::Loading { waited: None }, None)
        );
    }
}
