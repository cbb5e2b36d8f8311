//! What a server's GPUs drew while a point was measured.

mod telemetry;

use std::fmt;

use crate::plain::counted;

pub(super) use self::telemetry::{Telemetry, TelemetryFile, energy};

/// Two samples that are farther apart leave a gap, in seconds.
const LONGEST_GAP: f64 = 3.0;

/// What the GPUs of a point's server drew, from the first request to the last answer.
///
/// launch.sh has `nvidia-smi` write down the power once a second. Between two samples it is on the
/// straight line from one to the other, for each GPU; so it is at both ends of the point.
///
/// ```
/// use nim_slurm::results::{EnergySource, Run, Tokens};
///
/// let run = Run::read("tests/data/telemetry")?;
/// let point = &run.points()[0];
/// let energy = point.energy().unwrap();
/// assert_eq!((energy.gpus(), energy.source()), (1, EnergySource::NvidiaSmi));
/// assert_eq!(energy.joules().round(), 2512.0);
/// assert_eq!(energy.watts().round(), 500.0); // of all GPUs together
/// assert!((energy.joules() - energy.watts() * energy.seconds()).abs() < 1e-6);
/// assert_eq!(energy.utilization().map(f64::round), Some(97.0)); // %
/// assert_eq!((energy.memory(), energy.throttling()), (Some(71240), Some(vec![]))); // MiB
/// let per_token = point.joules_per_token(Tokens::Output).unwrap();
/// assert!((per_token * point.tokens_per_joule().unwrap() - 1.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Energy {
    gpus: u32,
    seconds: f64,
    joules: f64,
    source: EnergySource,
    utilization: Option<f64>,
    memory: Option<u32>,
    throttling: Option<u16>,
}

impl Energy {
    /// The GPUs of the server.
    #[must_use]
    pub const fn gpus(&self) -> u32 {
        self.gpus
    }

    /// From the first request to the last answer.
    #[must_use]
    pub const fn seconds(&self) -> f64 {
        self.seconds
    }

    /// What all of them drew.
    #[must_use]
    pub const fn joules(&self) -> f64 {
        self.joules
    }

    /// The mean power of all of them together.
    #[must_use]
    pub fn watts(&self) -> f64 {
        self.joules / self.seconds
    }

    /// Where the power is from.
    #[must_use]
    pub const fn source(&self) -> EnergySource {
        self.source
    }

    /// The share of time in which they were at work, in percent: the mean of all samples.
    #[must_use]
    pub const fn utilization(&self) -> Option<f64> {
        self.utilization
    }

    /// The most memory that one of them had in use, in MiB.
    ///
    /// ```
    /// let run = nim_slurm::results::Run::read("tests/data/telemetry")?;
    /// assert_eq!(run.points()[0].energy().unwrap().memory(), Some(71240));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn memory(&self) -> Option<u32> {
        self.memory
    }

    /// What held the clocks of one of them down; empty where nothing did, `None` where nobody knows.
    #[must_use]
    pub fn throttling(&self) -> Option<Vec<Throttle>> {
        let bits = self.throttling?;
        let seen = |throttle: &Throttle| bits & throttle.bits() != 0;
        Some(Throttle::ALL.iter().copied().filter(seen).collect())
    }

    /// The mean of several runs: of all GPUs that a run used.
    pub(super) fn mean_of(runs: &[&Self]) -> Option<Self> {
        let first = *runs.first()?;
        let count = f64::from(u32::try_from(runs.len()).ok()?);
        let mean = |of: fn(&Self) -> f64| runs.iter().map(|run| of(run)).sum::<f64>() / count;
        let utilization: Option<Vec<f64>> = runs.iter().map(|run| run.utilization).collect();
        let is_of_tool = runs.iter().any(|run| run.source == EnergySource::Tool);
        Some(Self {
            gpus: first.gpus,
            seconds: mean(Self::seconds),
            joules: mean(Self::joules),
            source: if is_of_tool {
                EnergySource::Tool
            } else {
                first.source
            },
            utilization: utilization.map(|all| all.iter().sum::<f64>() / count),
            memory: runs.iter().filter_map(|run| run.memory).max(),
            throttling: runs
                .iter()
                .try_fold(0, |all, run| Some(all | run.throttling?)),
        })
    }

    /// What the tool's own telemetry says: the mean power of all of them together.
    pub(super) fn of_mean(gpus: u32, seconds: f64, watts: f64) -> Option<Self> {
        (watts > 0.0 && seconds > 0.0).then_some(Self {
            gpus,
            seconds,
            joules: watts * seconds,
            source: EnergySource::Tool,
            utilization: None,
            memory: None,
            throttling: None,
        })
    }
}

/// Where the figures of an [`Energy`] are from.
///
/// ```
/// use nim_slurm::results::EnergySource;
///
/// assert_eq!(EnergySource::NvidiaSmi.to_string(), "nvidia-smi");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnergySource {
    /// launch.sh's samples, one a second.
    NvidiaSmi,
    /// GenAI-Perf's or AIPerf's own telemetry: the mean power of each GPU, as the tool has it, times the
    /// length of the point.
    Tool,
}

impl fmt::Display for EnergySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NvidiaSmi => "nvidia-smi",
            Self::Tool => "tool",
        })
    }
}

/// What holds a GPU's clocks down.
///
/// ```
/// use nim_slurm::results::Throttle;
///
/// assert_eq!(Throttle::PowerCap.to_string(), "power_cap");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Throttle {
    /// The limit of its power, as most GPUs meet under full load.
    PowerCap,
    /// Its temperature, or that of its memory.
    Heat,
    /// The node's power supply.
    PowerBrake,
    /// The hardware, for one of these or for another reason.
    Hardware,
    /// Other GPUs, whose clocks are to be alike.
    SyncBoost,
}

impl Throttle {
    /// All of them.
    ///
    /// ```
    /// use nim_slurm::results::Throttle;
    ///
    /// let words: Vec<_> = Throttle::ALL.iter().map(ToString::to_string).collect();
    /// assert_eq!(words, ["power_cap", "heat", "power_brake", "hardware", "sync_boost"]);
    /// ```
    pub const ALL: &'static [Self] = &[
        Self::PowerCap,
        Self::Heat,
        Self::PowerBrake,
        Self::Hardware,
        Self::SyncBoost,
    ];

    /// NVML's bits. Those of an idle GPU and of clocks that somebody has set are none.
    const fn bits(self) -> u16 {
        match self {
            Self::PowerCap => 0x4,
            Self::Heat => 0x20 | 0x40,
            Self::PowerBrake => 0x80,
            Self::Hardware => 0x8,
            Self::SyncBoost => 0x10,
        }
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PowerCap => "power_cap",
            Self::Heat => "heat",
            Self::PowerBrake => "power_brake",
            Self::Hardware => "hardware",
            Self::SyncBoost => "sync_boost",
        })
    }
}

/// Why nobody knows what a point's GPUs drew. A figure of a part of them, or of a part of the time,
/// would be a wrong one.
///
/// ```
/// use nim_slurm::results::{NoEnergy, Run};
///
/// let run = Run::read("tests/data/requests/aiperf-1")?;
/// assert_eq!(run.points()[0].energy(), Err(&NoEnergy::NoTelemetry));
/// let gap = NoEnergy::Gap { seconds: 4.25 };
/// assert_eq!((gap.word(), gap.to_string().as_str()), ("gap", "no sample for 4.2 s"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEnergy {
    /// Nobody wrote down what the GPUs did: no nvidia-smi, an older launch.sh, another program.
    #[error("no telemetry")]
    NoTelemetry,
    /// From when to when it was measured is in no file.
    #[error("no file of requests tells from when to when it was measured")]
    NoWindow,
    /// Several servers shared the points, and the manifest does not say which one measured this one.
    #[error("which of the servers measured it is not known")]
    UnknownServer,
    /// The telemetry cannot be read at all.
    #[error("the telemetry {0}")]
    Unreadable(String),
    /// It does not begin with the words of launch.sh and the names of nvidia-smi's columns, or lacks one.
    #[error("the telemetry has no column {0}")]
    NoColumn(&'static str),
    /// The power is in another unit than watts.
    #[error("the power is in {0:?}, not in W")]
    Unit(String),
    /// nvidia-smi's times are not UTC, or the clock was wrong when it began.
    #[error("the times of the telemetry are {seconds} s off the node's clock")]
    Zone {
        /// By how much; more is later.
        seconds: i64,
    },
    /// A line is no sample: it is cut, or says that a GPU is lost.
    #[error("line {line} of the telemetry is no sample")]
    BadLine {
        /// The line, from 1.
        line: u64,
    },
    /// nvidia-smi had no power to tell, or one that cannot be.
    #[error("the power in line {line} of the telemetry is no number of watts")]
    BadPower {
        /// The line, from 1.
        line: u64,
    },
    /// The clock was set back, or two programs wrote.
    #[error("the times of the telemetry do not go on at line {line}")]
    TimeRunsBack {
        /// The line, from 1.
        line: u64,
    },
    /// The sampling began again meanwhile.
    #[error("the sampling began again while it was measured")]
    Restarted,
    /// Not as many GPUs as the server has, those at rest left out.
    #[error("telemetry of {}, the server has {expected}", counted(seen, "GPU"))]
    Gpus {
        /// The server's.
        expected: u32,
        /// Those with a sample.
        seen: u32,
    },
    /// It began before the first sample, or ended after the last one.
    #[error("the samples do not reach from its first request to its last answer")]
    NotCovered,
    /// Two samples are more than 3 s apart.
    #[error("no sample for {seconds:.1} s")]
    Gap {
        /// The longest one.
        seconds: f64,
    },
}

impl NoEnergy {
    /// The reason in a fixed word, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoTelemetry => "no_telemetry",
            Self::NoWindow => "no_window",
            Self::UnknownServer => "unknown_server",
            Self::Unreadable(_) => "unreadable",
            Self::NoColumn(_) => "no_column",
            Self::Unit(_) => "unit",
            Self::Zone { .. } => "zone",
            Self::BadLine { .. } => "bad_line",
            Self::BadPower { .. } => "bad_power",
            Self::TimeRunsBack { .. } => "time_runs_back",
            Self::Restarted => "restarted",
            Self::Gpus { .. } => "gpus",
            Self::NotCovered => "not_covered",
            Self::Gap { .. } => "gap",
        }
    }
}

/// Seconds from one time to a later one, in ns.
#[expect(
    clippy::cast_precision_loss,
    reason = "an hour has 42 bits of nanoseconds"
)]
pub(super) const fn seconds_between(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}
