//! Whether the server is there, and what is measured: the state that each client keeps.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Serialize, Serializer};

use super::files;
use crate::load::Load;
use crate::plain::counted;

/// The inference server of a launch job. Its text is what may follow "the server is".
///
/// ```
/// use std::time::Duration;
/// use nim_slurm::ServerState;
///
/// let state = ServerState::Ready { after: Some(Duration::from_secs(72)) };
/// assert_eq!(format!("the server is {state}"), "the server is ready after 72 s");
/// assert_eq!(ServerState::Loading { waited: None }.to_string(), "starting");
/// ```
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, ServerState, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// match progress.server {
///     ServerState::Loading { waited: Some((time, answer)) } => println!("{} s: {answer}", time.as_secs()),
///     state @ ServerState::Ready { .. } => println!("{state}"),
///     _ => {}
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerState {
    /// The job does not run.
    Absent,
    /// It is starting, and loads the model.
    Loading {
        /// Since when, and what it last answered; the job says so every half
        /// minute.
        #[serde(serialize_with = "with_seconds")]
        waited: Option<(Duration, String)>,
    },
    /// It answers.
    Ready {
        /// How long it took.
        #[serde(serialize_with = "as_seconds")]
        after: Option<Duration>,
    },
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn as_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs()).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn with_seconds<S: Serializer>(
    waited: &Option<(Duration, String)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let waited = waited.as_ref();
    waited
        .map(|(time, answer)| (time.as_secs(), answer))
        .serialize(serializer)
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Loading { waited: None } => f.write_str("starting"),
            Self::Loading {
                waited: Some((time, answer)),
            } => write!(f, "loading for {} s: {answer}", time.as_secs()),
            Self::Ready { after: None } => f.write_str("ready"),
            Self::Ready { after: Some(time) } => write!(f, "ready after {} s", time.as_secs()),
        }
    }
}

/// How the points of a task are numbered among those of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    /// Points of the tasks before it.
    pub(super) before: usize,
    /// Points of all tasks.
    pub(super) total: usize,
}

/// A point that is measured now.
///
/// ```no_run
/// use nim_slurm::{Follower, Plan, Queue, Recipe, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let stage = "/lustre/project/nim".parse()?;
/// let progress = Follower::new(&plan, &stage, Queue::find()?, "4711".parse()?).poll()?;
/// for point in &progress.measuring {
///     println!("{point}"); // "point 2 of 8: chat 128/128, concurrency 25, 125 requests"
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Measuring {
    /// Its place in the sweep, from 1.
    pub number: usize,
    /// Its place in what its task of an array, or its turn, measures; else the same.
    pub number_in_task: usize,
    /// How many points are known.
    pub total: usize,
    /// Use case, lengths, load and requests: `chat 128/128, concurrency 25, 125 requests`.
    pub words: String,
}

impl Measuring {
    /// The point with this number, of a job that is no array.
    ///
    /// ```
    /// use nim_slurm::Measuring;
    ///
    /// let point = Measuring::new(2, 8, "chat 128/128, concurrency 25, 125 requests");
    /// assert_eq!(point.number_in_task, 2);
    /// assert_eq!(point.to_string(), "point 2 of 8: chat 128/128, concurrency 25, 125 requests");
    /// ```
    #[must_use]
    pub fn new(number: usize, total: usize, words: impl Into<String>) -> Self {
        Self {
            number,
            number_in_task: number,
            total,
            words: words.into(),
        }
    }
}

impl fmt::Display for Measuring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            total,
            words,
            ..
        } = self;
        write!(f, "point {number} of {total}: {words}")
    }
}

/// The servers, and which points are measured now.
pub(super) fn read_all(
    states: &[Utf8PathBuf],
    numbers: Numbers,
    started: Option<SystemTime>,
) -> (ServerState, Vec<Measuring>) {
    let (mut server, mut measuring) = (None, Vec::new());
    for state in states {
        let (own, point) = read(state, numbers, started);
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
fn read(
    state: &Utf8Path,
    numbers: Numbers,
    started: Option<SystemTime>,
) -> (ServerState, Option<Measuring>) {
    let modified = state.symlink_metadata().and_then(|data| data.modified());
    // A job that was requeued may have left the state of its earlier run.
    let is_old = started.is_some_and(|started| modified.is_ok_and(|modified| modified < started));
    let text = files::small(state).filter(|_| !is_old);
    parse(&text.unwrap_or_default(), numbers)
}

/// Reads what `report` of templates/launch/client.sh writes.
fn parse(state: &str, numbers: Numbers) -> (ServerState, Option<Measuring>) {
    let field = |name: &str| {
        let mut fields = state.lines().filter_map(|line| line.split_once('='));
        fields.find_map(|(key, value)| (key == name).then_some(files::cut(value)))
    };
    let seconds = |name| field(name)?.parse().ok().map(Duration::from_secs);
    let server = match field("state") {
        Some("ready" | "measuring") => ServerState::Ready {
            after: seconds("ready_seconds"),
        },
        _ => ServerState::Loading {
            waited: seconds("waited_seconds")
                .zip(field("answer"))
                .map(|(waited, answer)| (waited, files::plain_log(answer))),
        },
    };
    let row = field("point").map(|row| row.split(' ').collect::<Vec<_>>());
    let measuring = match row.as_deref() {
        Some([number, use_case, input, output, load, requests, rest @ ..]) => {
            // A trace's answers, of which this is the mean.
            let output = output.strip_suffix("s0").unwrap_or(output);
            let again = match rest {
                [_, _, repeat, ..] if *repeat != "1" => format!(", repeat {repeat}"),
                _ => String::new(),
            };
            let load = Load::parse(load).map_or_else(|_| (*load).to_owned(), Load::in_words);
            let words = format!(
                "{use_case} {input}/{output}, {load}, {}{again}",
                counted(requests, "request")
            );
            number.parse::<NonZeroUsize>().ok().map(|own| Measuring {
                number: own.get().saturating_add(numbers.before),
                number_in_task: own.get(),
                total: numbers.total,
                words: files::plain_log(&words),
            })
        }
        _ => None,
    };
    (server, measuring)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(total: usize) -> Numbers {
        Numbers { before: 0, total }
    }

    const LOADING: &str =
        "state=loading\nwaited_seconds=60\nanswer=/v1/health/ready answers 503: a=b\n";
    const MEASURING: &str = "state=measuring\nready_seconds=72\npoint=2 chat 32 16 2 8\n";

    #[test]
    fn from_loading_to_a_finished_point() {
        let nothing = (ServerState::Loading { waited: None }, None);
        assert_eq!(parse("", of(8)), nothing);
        assert_eq!(parse("state=loading\n", of(8)), nothing);
        assert_eq!(parse("state=\nanswer\n=\npoint=1 2", of(8)), nothing);
        let long = format!("waited_seconds=1\nanswer={}", "a".repeat(1 << 20));
        let (
            ServerState::Loading {
                waited: Some((_, answer)),
            },
            None,
        ) = parse(&long, of(8))
        else {
            panic!("it is loading");
        };
        assert_eq!(answer.len(), 2000);
        let answer = "/v1/health/ready answers 503: a=b".to_owned();
        let waited = Some((Duration::from_secs(60), answer));
        assert_eq!(
            parse(LOADING, of(8)),
            (ServerState::Loading { waited }, None)
        );
        let ready = ServerState::Ready {
            after: Some(Duration::from_secs(72)),
        };
        let (server, measuring) = parse(MEASURING, of(8));
        assert_eq!(server, ready);
        assert_eq!(
            measuring.map(|point| point.to_string()).as_deref(),
            Some("point 2 of 8: chat 32/16, concurrency 2, 8 requests")
        );
        assert_eq!(
            parse("state=ready\nready_seconds=72\n", of(8)),
            (ready, None)
        );
        let told = |row: &str| {
            let state = format!("state=measuring\npoint={row}\n");
            parse(&state, of(9)).1.map(|point| point.to_string())
        };
        let first = "point 2 of 9: chat 32/16, concurrency 2, 8 requests";
        assert_eq!(told("2 chat 32 16 2 8 8 77 1").as_deref(), Some(first));
        let rate = "point 2 of 9: chat 32s5/16, 2.5 requests/s, 1-150 requests";
        assert_eq!(
            told("2 chat 32s5 16 rate2.5 1-150 150 77 1 1 60").as_deref(),
            Some(rate)
        );
        let again = "point 5 of 9: chat 32/16, concurrency 2, 8 requests, repeat 2";
        assert_eq!(told("5 chat 32 16 2 8 8 78 2").as_deref(), Some(again));
        // The second point of a task, behind the four of the task before it.
        let numbers = Numbers {
            before: 4,
            total: 8,
        };
        assert_eq!(
            parse(MEASURING, numbers)
                .1
                .map(|point| point.to_string())
                .as_deref(),
            Some("point 6 of 8: chat 32/16, concurrency 2, 8 requests")
        );
    }

    #[test]
    fn of_several_servers_the_one_behind_counts() {
        let folder = tempfile::tempdir().unwrap();
        let state = |name: &str, text: &str| {
            let path = Utf8Path::from_path(folder.path()).unwrap().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let other = MEASURING.replace("16 2 8", "16 1 8");
        let states = [
            state("0", MEASURING),
            state("1", &other),
            state("2", MEASURING),
        ];
        let (server, measuring) = read_all(&states, of(8), None);
        assert!(matches!(server, ServerState::Ready { .. }));
        let measuring: Vec<_> = measuring.iter().map(Measuring::to_string).collect();
        assert_eq!(
            measuring,
            [
                "point 2 of 8: chat 32/16, concurrency 2, 8 requests",
                "point 2 of 8: chat 32/16, concurrency 1, 8 requests"
            ]
        );
        let states = [state("0", MEASURING), state("1", LOADING)];
        let (server, measuring) = read_all(&states, of(8), None);
        assert!(matches!(server, ServerState::Loading { waited: Some(_) }));
        assert_eq!(measuring.len(), 1);
    }

    #[test]
    fn the_state_of_an_earlier_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        std::fs::write(path, MEASURING).unwrap();
        let now = SystemTime::now();
        let before = now.checked_sub(Duration::from_secs(60));
        let after = now.checked_add(Duration::from_secs(60));
        assert!(matches!(
            read(path, of(8), before),
            (ServerState::Ready { .. }, Some(_))
        ));
        let nothing = (ServerState::Loading { waited: None }, None);
        assert_eq!(read(path, of(8), after), nothing);
    }
}
