//! What the crate says that an option means, in the words of sbatch and of the
//! controller.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use nim_slurm::slurm::{
    Array, BootDelay, Directives, JobTime, Memory, NodeList, OptionName, Release, Signal, Switches,
    TimeLimit,
};

use super::slurms::Slurm;

/// Who tells how an option was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Teller {
    /// sbatch, of its options.
    Sbatch,
    /// The controller, of the job.
    Controller,
}

/// One thing that must be told of a job.
pub(super) struct Meaning {
    pub(super) teller: Teller,
    /// The option's long name, or the record's field.
    pub(super) field: &'static str,
    pub(super) wanted: Wanted,
}

#[derive(Debug)]
pub(super) enum Wanted {
    /// The text, after both were written in one way.
    Text(String),
    /// A moment, in seconds since 1970, from the first to the last.
    Moment(u64, u64),
}

const DAY: u64 = 24 * 60 * 60;

impl fmt::Display for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sbatch => "sbatch",
            Self::Controller => "the controller",
        })
    }
}

impl Meaning {
    /// What is told instead, if that is something else.
    pub(super) fn disagreement(&self, told: Option<&str>) -> Option<String> {
        let told = told.unwrap_or_default();
        let is_same = match &self.wanted {
            Wanted::Text(wanted) if self.field == "distribution" && wanted.contains('*') => {
                has_levels(told, wanted)
            }
            Wanted::Text(wanted) if self.field == "ArrayTaskId" && told.contains("...") => {
                begins_as(told, wanted)
            }
            Wanted::Text(wanted) => in_one_way(self.field, told) == in_one_way(self.field, wanted),
            Wanted::Moment(first, last) => {
                seconds(told).is_some_and(|told| (*first..=*last).contains(&told))
            }
        };
        let Self {
            teller,
            field,
            wanted,
        } = self;
        (!is_same).then(|| format!("{teller} says {field}={told:?}, not {wanted:?}"))
    }
}

/// True when an array begins with the indexes that are told: the controller shortens a long list.
fn begins_as(told: &str, wanted: &str) -> bool {
    let (told, _) = told.split_once("...").unwrap();
    let indexes =
        |text: &str| Array::parse(text).map(|array| array.indexes().collect::<BTreeSet<_>>());
    let (told, wanted) = (indexes(told.trim_end_matches(',')), indexes(wanted));
    told.is_ok_and(|told| wanted.is_ok_and(|wanted| wanted.iter().zip(&told).all(|(a, b)| a == b)))
}

/// True when a distribution has the levels that are wanted; `*` is the site's.
fn has_levels(told: &str, wanted: &str) -> bool {
    let told: Vec<_> = told.split([':', ',']).collect();
    let mut wanted = wanted.split([':', ',']).enumerate();
    wanted.all(|(place, level)| level == "*" || told.get(place).is_some_and(|told| *told == level))
}

/// Writes what has several forms in one.
fn in_one_way(field: &str, text: &str) -> String {
    let sorted = |text: &str| {
        let words: BTreeSet<_> = text.split(',').collect();
        words.into_iter().collect::<Vec<_>>().join(",")
    };
    match field {
        "ReqNodeList" | "ExcNodeList" | "nodelist" => NodeList::parse(text).map_or_else(
            |_| text.to_owned(),
            |list| {
                let hosts: BTreeSet<_> = list.hosts().collect();
                hosts.into_iter().collect::<Vec<_>>().join(",")
            },
        ),

        "propagate" => text.replace("RLIMIT_", ""),
        "gpus" | "gpus-per-node" | "gpus-per-task" | "gpus-per-socket" => {
            let (kind, count) = text.rsplit_once(':').unwrap_or(("", text));
            format!("{kind}:{}", count.trim_start_matches('0'))
        }
        "array" | "ArrayTaskId" => Array::parse(text).map_or_else(
            |_| text.to_owned(),
            |array| {
                let indexes: BTreeSet<_> = array.indexes().collect();
                format!("{indexes:?}%{:?}", array.limit())
            },
        ),
        // The controller keeps or reads these in small letters.
        "Account" | "WCKey" | "dependency" | "gpu-bind" => text.to_ascii_lowercase(),
        // A blank is put behind them; sbatch tells whether the user did.
        "Comment" | "Extra" => text.trim_end().to_owned(),
        // "And" has two signs.
        "Features" | "Prefer" | "BatchFeatures" => text.replace(',', "&"),
        "get-user-env" => text.replace('0', "set"),
        "extra-node-info" => {
            // Beside --ntasks-per-gpu, sbatch does not say which parts are any.
            let parts = text.replace("unset", "").replace('*', "");
            let parts = parts.split(':').map(|part| part.trim_start_matches('0'));
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
            parts.join(":")
        }
        "mem" | "mem-per-cpu" | "mem-per-gpu" | "tmp" => text.trim_end_matches('M').to_owned(),
        // It is shown as if it had a sign; and the top is a number.
        "priority" => text
            .replace("TOP", "4294967293")
            .parse()
            .map_or(text.to_owned(), |number: i64| {
                (number.rem_euclid(1 << 32)).to_string()
            }),
        // 24.11 says nothing of a no.
        "KillOInInvalidDependent" => text.replace("No", ""),
        "mail-type" | "MailType" | "hint" => {
            const ALL: &str = "INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT";
            let words = text.to_ascii_uppercase();
            let words = words
                .split(',')
                .map(|word| if word == "ALL" { ALL } else { word });
            // Of no mail, the controller says nothing.
            sorted(&words.collect::<Vec<_>>().join(",").replace("NONE", ""))
        }
        "profile" => sorted(
            &text
                .to_ascii_lowercase()
                .replace("all", "energy,lustre,network,task"),
        ),
        // 22.05 has ':' where later releases have '/'.
        "TresPerNode" | "TresPerJob" | "TresPerTask" | "TresPerSocket" | "TresBind"
        | "MemPerTres" | "CpusPerTres" | "gres" => text
            .replace("gres:", "")
            .replace("gres/", "")
            .replace('=', ":")
            // A size's unit has two cases.
            .to_ascii_lowercase(),
        "cpu-freq" => {
            let words = text.to_ascii_lowercase();
            let words = words
                .split(['-', ':'])
                .map(|word| word.trim_start_matches('0'));
            words.collect::<Vec<_>>().join(" ")
        }
        "distribution" => text.replace("plane=0", "plane="),
        "mem-bind" => {
            let start = ["none", "rank", "local", "map_", "mask_"]
                .iter()
                .filter_map(|kind| text.find(kind))
                .min()
                .unwrap_or(0);
            let (flags, kind) = text.split_at(start);
            let kind = &kind.replace("0x", "").to_ascii_lowercase();
            // Being quiet is the default, of which nothing is said.
            sorted(flags.replace("quiet,", "").trim_end_matches(',')) + kind
        }
        _ => text.to_owned(),
    }
}

/// `2030-01-31T12:00:00` in seconds since 1970, where it is always UTC.
fn seconds(text: &str) -> Option<u64> {
    let numbers: Vec<u64> = text
        .split(['-', 'T', ':'])
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let &[year, month, day, hour, minute, second] = numbers.as_slice() else {
        return None;
    };
    let is_leap = |year: u64| year.is_multiple_of(4);
    let days_of = [
        31,
        if is_leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
    ];
    let years: u64 = (1970..year)
        .map(|year| 365 + u64::from(is_leap(year)))
        .sum();
    let months: u64 = days_of.iter().take(usize::try_from(month - 1).ok()?).sum();
    Some((((years + months + day - 1) * 24 + hour) * 60 + minute) * 60 + second)
}

/// A limit as Slurm shows it.
fn clock(seconds: u64) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    let days = (days > 0).then(|| format!("{days}-"));
    days.unwrap_or_default() + &clock
}

fn limit(text: &str) -> String {
    let limit = TimeLimit::parse(text).unwrap().minutes();
    limit.map_or("UNLIMITED".to_owned(), |minutes| {
        clock(u64::from(minutes) * 60)
    })
}

/// Mebibytes as Slurm shows them: in the largest unit that has no fraction.
fn memory(text: &str) -> String {
    let mut amount = Memory::parse(text).unwrap().mebibytes();
    let mut units = "MGTP".chars();
    let mut unit = units.next().unwrap();
    while amount > 0 && amount.is_multiple_of(1024) {
        amount /= 1024;
        unit = units.next().unwrap();
    }
    if amount == 0 {
        "0".to_owned()
    } else {
        format!("{amount}{unit}")
    }
}

/// When a time is, for a job that was submitted at `asked`, give or take the time
/// that this took.
fn moment(text: &str, asked: SystemTime) -> Wanted {
    const PATIENCE: u64 = 30;
    let time = JobTime::parse(text).unwrap();
    let now = asked.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let soon = |moment: u64| Wanted::Moment(moment, moment + PATIENCE);
    let next = |of_day: u64| {
        let moment = now - now % DAY + of_day;
        // What is past by the time that sbatch looks is tomorrow's.
        let moment = if moment > now { moment } else { moment + DAY };
        Wanted::Moment(
            moment,
            if moment - now < PATIENCE {
                moment + DAY
            } else {
                moment
            },
        )
    };
    if let Some(delay) = time.delay() {
        return soon(now + delay.as_secs());
    }
    match time.as_str() {
        // Some releases read the midnight before, which is at once as well.
        "today" => Wanted::Moment(now - now % DAY, now + PATIENCE),
        "midnight" | "tomorrow" => next(0),
        "elevenses" => next(11 * 3600),
        "noon" => next(12 * 3600),
        "fika" => next(15 * 3600),
        "teatime" => next(16 * 3600),
        day if day.contains('-') => {
            let whole = match day.len() {
                10 => format!("{day}T00:00:00"),
                16 => format!("{day}:00"),
                _ => day.to_owned(),
            };
            let moment = seconds(&whole).unwrap();
            Wanted::Moment(moment, moment)
        }
        clock => {
            let parts: Vec<u64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
            next(parts[0] * 3600 + parts[1] * 60 + parts.get(2).unwrap_or(&0))
        }
    }
}

/// The names of signals with a number, as sbatch shows them.
const SIGNALS: [(&str, &str); 18] = [
    ("1", "HUP"),
    ("2", "INT"),
    ("3", "QUIT"),
    ("6", "ABRT"),
    ("9", "KILL"),
    ("10", "USR1"),
    ("12", "USR2"),
    ("13", "PIPE"),
    ("14", "ALRM"),
    ("15", "TERM"),
    ("17", "CHLD"),
    ("18", "CONT"),
    ("19", "STOP"),
    ("20", "TSTP"),
    ("21", "TTIN"),
    ("22", "TTOU"),
    ("23", "URG"),
    ("24", "XCPU"),
];

fn signal(text: &str) -> String {
    let signal = Signal::parse(text).unwrap();
    let whom = text.split_once(':').map_or("", |(whom, _)| whom);
    let whom: String = ['R', 'B']
        .into_iter()
        .filter(|&letter| whom.contains(letter))
        .collect();
    let named = SIGNALS
        .iter()
        .find(|(number, _)| *number == signal.signal());
    let name = named.map_or(signal.signal(), |(_, name)| name);
    let colon = if whom.is_empty() { "" } else { ":" };
    let seconds = match signal.seconds() {
        60 => String::new(),
        seconds => format!("@{seconds}"),
    };
    format!("{whom}{colon}{name}{seconds}")
}

/// What an option that is set must mean, in a job that was submitted at `asked`.
pub(super) fn meanings(
    slurm: &Slurm,
    directives: &Directives,
    name: OptionName,
    asked: SystemTime,
) -> Vec<Meaning> {
    let text = directives.get(name).unwrap();
    let mut meanings = vec![Meaning {
        teller: Teller::Sbatch,
        field: name.long(),
        wanted: as_sbatch_says(slurm, name, &text, asked),
    }];
    let of_job = in_the_record(slurm, name, &text, asked);
    meanings.extend(of_job.into_iter().map(|(field, wanted)| Meaning {
        teller: Teller::Controller,
        field,
        wanted,
    }));
    meanings
}

fn as_sbatch_says(slurm: &Slurm, name: OptionName, text: &str, asked: SystemTime) -> Wanted {
    use OptionName as O;
    Wanted::Text(match name {
        O::Oversubscribe => "oversubscribe".to_owned(),
        O::Requeue if text.is_empty() => "requeue".to_owned(),
        O::NoRequeue => "no-requeue".to_owned(),
        O::GetUserEnv | O::ResvPorts if text.is_empty() => "0".to_owned(),
        O::Exclusive if text.is_empty() => "exclusive".to_owned(),
        O::NoKill if text == "off" => "unset".to_owned(),
        _ if text.is_empty() => "set".to_owned(),
        O::OpenMode => text[..1].to_owned(),
        O::Time | O::TimeMin => limit(text),
        O::Begin | O::Deadline => return moment(text, asked),
        O::DelayBoot => clock(BootDelay::parse(text).unwrap().duration().as_secs()),
        O::Signal => signal(text),
        O::Power => "LEVEL".to_owned(),
        O::Switches => switches(text, None),
        O::Mem | O::MemPerCpu | O::MemPerGpu | O::Tmp if Memory::parse(text).unwrap().is_all() => {
            "0?".to_owned()
        }
        O::Output | O::Error | O::Input if text == "none" => "/dev/null".to_owned(),
        O::Chdir => from_the_root(slurm, text),
        O::Mem | O::MemPerCpu | O::MemPerGpu | O::Tmp => memory(text),
        _ => text.to_owned(),
    })
}

/// The switches, and the wait for them, of which the controller allows `most` seconds.
fn switches(text: &str, most: Option<u64>) -> String {
    let switches = Switches::parse(text).unwrap();
    let wait = switches.max_wait().map(|wait| wait.as_secs());
    let wait = match most {
        Some(most) => Some(wait.map_or(most, |wait| wait.min(most))),
        None => wait,
    };
    let unlimited = text.ends_with("UNLIMITED").then(|| "@UNLIMITED".to_owned());
    let wait = wait.map(|wait| format!("@{}", clock(wait)));
    format!(
        "{}{}",
        switches.count(),
        wait.or(unlimited).unwrap_or_default()
    )
}

/// A file as the controller has it: from the root.
fn from_the_root(slurm: &Slurm, text: &str) -> String {
    if text.starts_with('/') {
        text.to_owned()
    } else {
        format!("{}/{text}", slurm.folder)
    }
}

fn in_the_record(
    slurm: &Slurm,
    name: OptionName,
    text: &str,
    asked: SystemTime,
) -> Vec<(&'static str, Wanted)> {
    use OptionName as O;
    let is_new = slurm.release() > Release::new(22, 5);
    let field = match name {
        O::JobName => "JobName",
        O::Account => "Account",
        O::Partition => "Partition",
        O::Qos if is_new => "QOS",
        O::Reservation => "Reservation",
        O::Wckey => "WCKey",
        O::McsLabel if is_new => "MCS_label",
        O::ClusterConstraint => "ClusterFeatures",
        O::Licenses => "Licenses",
        O::Constraint => "Features",
        O::Prefer => "Prefer",
        O::Batch => "BatchFeatures",
        O::Nodelist => "ReqNodeList",
        O::Exclude => "ExcNodeList",
        O::Mincpus => "MinCPUsNode",
        O::Tmp => "MinTmpDiskNode",
        O::Contiguous => "Contiguous",
        O::Ntasks => "NumTasks",
        O::CpusPerTask => "CPUs/Task",
        O::CoreSpec => "CoreSpec",
        O::ThreadSpec => "ThreadSpec",
        O::SocketsPerNode => "Socks/Node",
        O::Gres | O::GpusPerNode => "TresPerNode",
        O::Gpus => "TresPerJob",
        O::GpusPerTask | O::TresPerTask => "TresPerTask",
        O::GpusPerSocket => "TresPerSocket",
        O::GpuBind | O::TresBind => "TresBind",
        O::GpuFreq => "TresFreq",
        O::Mem => "MinMemoryNode",
        O::MemPerCpu if !Memory::parse(text).unwrap().is_all() => "MinMemoryCPU",
        O::MemPerGpu => "MemPerTres",
        O::CpusPerGpu => "CpusPerTres",
        O::NtasksPerGpu | O::NtasksPerTres => "NtasksPerTRES",
        O::Exclusive if !text.is_empty() && slurm.release() > Release::new(24, 11) => "Exclusive",
        O::Exclusive | O::Oversubscribe => "OverSubscribe",
        O::Time => "TimeLimit",
        O::TimeMin => "TimeMin",
        O::Deadline => "Deadline",
        O::DelayBoot => "DelayBoot",
        O::Reboot => "Reboot",
        O::Array => "ArrayTaskId",
        O::KillOnInvalidDep if slurm.release() < Release::new(26, 5) => "KillOInInvalidDependent",
        O::Nice => "Nice",
        O::Requeue | O::NoRequeue => "Requeue",
        O::Chdir => "WorkDir",
        O::Comment => "Comment",
        O::Extra => "Extra",
        O::MailUser => "MailUser",
        O::MailType => "MailType",
        O::Bb => "BurstBuffer",
        O::Container => "Container",
        O::ContainerId => "ContainerID",
        O::Network => "Network",
        O::Switches => "Switches",
        O::SpreadJob => "SpreadJob",
        O::Segment if slurm.release() > Release::new(24, 11) => "SegmentSize",
        O::Output if !text.contains('%') => "StdOut",
        O::Error if !text.contains('%') && slurm.release() < Release::new(26, 5) => "StdErr",
        O::Input if !text.contains('%') => "StdIn",
        O::Power => "Power",
        _ => return Vec::new(),
    };
    let wanted = Wanted::Text(match name {
        O::Mem | O::MemPerCpu | O::Tmp => memory(text),
        O::MemPerGpu => format!("gpu:{}", Memory::parse(text).unwrap().mebibytes()),
        O::CpusPerGpu => format!("gpu:{text}"),
        O::Gpus | O::GpusPerNode | O::GpusPerTask | O::GpusPerSocket | O::GpuBind | O::GpuFreq => {
            format!("gpu:{text}")
        }
        O::Time | O::TimeMin => limit(text),
        O::Deadline => return vec![(field, moment(text, asked))],
        O::DelayBoot => clock(BootDelay::parse(text).unwrap().duration().as_secs()),
        O::Switches => switches(text, Some(300)),
        O::Output | O::Error | O::Input if text == "none" => "/dev/null".to_owned(),
        O::Output | O::Error | O::Input | O::Chdir => from_the_root(slurm, text),
        O::SpreadJob => "Yes".to_owned(),
        O::Exclusive if text.is_empty() => "NO".to_owned(),
        O::Exclusive => text.to_ascii_uppercase(),
        O::Oversubscribe => "YES".to_owned(),
        O::NoRequeue => "0".to_owned(),
        O::Power => "LEVEL".to_owned(),
        O::KillOnInvalidDep if text == "yes" => "Yes".to_owned(),
        O::KillOnInvalidDep => "No".to_owned(),
        _ if text.is_empty() => "1".to_owned(),
        _ => text.to_owned(),
    });
    vec![(field, wanted)]
}
