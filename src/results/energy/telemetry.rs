//! The files of samples, one for each run, server and node.
//!
//! ```text
//! #gpu05,1795578198
//! timestamp, uuid, power.draw [W], utilization.gpu [%], memory.used [MiB], clocks.current.sm [MHz], clocks_event_reasons.active
//! 2026/11/25 03:43:18.120, GPU-9b…, 412.34, 97, 71240, 1980, 0x0000000000000004
//! ```
//!
//! launch.sh writes the first line, with the node and its clock, nvidia-smi the others, in UTC. A run of
//! the same job that begins again adds to the file.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Energy, EnergySource, LONGEST_GAP, NoEnergy, seconds_between};
use crate::file::{self, Links, ReadFailure};
use crate::slurm::RunId;

/// launch.sh lets a file have so much: eight GPUs for three days.
const MAX_BYTES: u64 = 256 << 20;

const MAX_ROWS: usize = 2_500_000;

const MAX_LINE: u64 = 1000;

/// Of a node.
const MAX_GPUS: usize = 64;

const MAX_FAULTS: usize = 1000;

/// In MiB: an idle GPU has less in use, and one that serves a model has more.
const IDLE_MEMORY: u32 = 1024;

/// More than any GPU draws.
const MOST_WATTS: f32 = 100_000.0;

/// How far the first sample may be from the clock of the line before, in ns: nvidia-smi may take a
/// while to start.
const SLOWEST_START: u64 = 60_000_000_000;

/// A file, by its name: `telemetry_JOB.SERVER.NODE.csv`.
#[derive(Debug)]
pub(in super::super) struct TelemetryFile {
    pub(in super::super) path: Utf8PathBuf,
    pub(in super::super) run: RunId,
    pub(in super::super) server: u32,
}

impl TelemetryFile {
    /// A file with such a name; others are none.
    pub(in super::super) fn named(path: &Utf8Path) -> Option<Self> {
        let name = path.file_name()?.strip_prefix("telemetry_")?;
        let mut parts = name.strip_suffix(".csv")?.split('.');
        let run = RunId::parse(parts.next()?).ok()?;
        let [server, _node] = [parts.next()?, parts.next()?].map(|part| part.parse::<u32>().ok());
        (parts.next().is_none()).then_some(Self {
            path: path.to_owned(),
            run,
            server: server?,
        })
    }
}

/// What a GPU did at a moment. What nvidia-smi does not tell is the largest number.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// In ns since 1970.
    at: u64,
    watts: f32,
    memory: u32,
    throttling: u16,
    utilization: u8,
}

/// What a file says of a node's GPUs.
#[derive(Debug, Default)]
pub(in super::super) struct Telemetry {
    gpus: BTreeMap<Box<str>, Vec<Sample>>,
    /// From when to when its samples tell nothing for sure, and why.
    faults: Vec<(u64, u64, NoEnergy)>,
}

impl Telemetry {
    pub(in super::super) fn read(path: &Utf8Path) -> Result<Self, NoEnergy> {
        let unread = |failure: ReadFailure| NoEnergy::Unreadable(failure.to_string());
        let (file, metadata) = file::open(path.as_std_path(), Links::Refuse).map_err(unread)?;
        if metadata.len() > MAX_BYTES {
            let (length, most) = (metadata.len(), MAX_BYTES);
            return Err(unread(ReadFailure::TooLong { length, most }));
        }
        let file = BufReader::with_capacity(64 << 10, file.take(MAX_BYTES));
        Reader::default().read(file)
    }
}

/// Where the columns are.
#[derive(Debug, Clone, Copy)]
struct Columns {
    count: usize,
    at: usize,
    gpu: usize,
    watts: usize,
    utilization: Option<usize>,
    memory: Option<usize>,
    throttling: Option<usize>,
}

impl Columns {
    fn of(header: &str) -> Result<Self, NoEnergy> {
        let names: Vec<_> = header.split(',').map(str::trim).collect();
        let place = |wanted: &[&str]| {
            names.iter().position(|name| {
                let name = name.split(" [").next().unwrap_or_default();
                wanted.contains(&name)
            })
        };
        let needed = |name| place(&[name]).ok_or(NoEnergy::NoColumn(name));
        let (at, gpu) = (needed("timestamp")?, needed("uuid")?);
        let watts = needed("power.draw")?;
        if names[watts] != "power.draw [W]" {
            let (_, unit) = names[watts].split_once(" [").unwrap_or_default();
            let unit: String = unit.trim_end_matches(']').chars().take(20).collect();
            return Err(NoEnergy::Unit(unit.escape_debug().to_string()));
        }
        let in_unit = |name: &str| names.iter().position(|own| *own == name);
        Ok(Self {
            count: names.len(),
            at,
            gpu,
            watts,
            utilization: in_unit("utilization.gpu [%]"),
            memory: in_unit("memory.used [MiB]"),
            throttling: place(&[
                "clocks_event_reasons.active",
                "clocks_throttle_reasons.active",
            ]),
        })
    }
}

/// What comes next in the file.
#[derive(Default)]
enum Next {
    /// launch.sh's own line.
    #[default]
    Clock,
    /// The names of the columns, and after the first sample what the node's clock said before.
    Header(u64),
    Rows(Columns, Option<u64>),
    /// Rows of which nothing can be read, until the sampling begins again.
    Nothing,
}

#[derive(Default)]
struct Reader {
    found: Telemetry,
    next: Next,
    rows: usize,
    runs: usize,
    /// The time of the last sample.
    last: u64,
    /// What is wrong since then, until the next one.
    open: Option<NoEnergy>,
}

impl Reader {
    fn read(mut self, mut file: impl BufRead) -> Result<Telemetry, NoEnergy> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let bytes = (&mut file)
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|error| NoEnergy::Unreadable(format!("cannot be read: {error}")))?;
            if bytes == 0 {
                break;
            }
            // What was being written when the sampling was ended is no sample yet.
            if line.pop() != Some(b'\n') {
                if bytes as u64 == MAX_LINE {
                    self.fault(NoEnergy::BadLine { line: number })?;
                    continue;
                }
                break;
            }
            if line.is_empty() {
                continue;
            }
            let text = std::str::from_utf8(&line).unwrap_or_default();
            self.line(number, text)?;
        }
        if matches!(self.next, Next::Clock | Next::Header(_)) {
            self.open = Some(NoEnergy::NoColumn("timestamp"));
        }
        if let Some(why) = self.open.take() {
            self.found.faults.push((self.last, u64::MAX, why));
        }
        // A clock that was set back has left them out of order.
        for samples in self.found.gpus.values_mut() {
            samples.sort_by_key(|sample| sample.at);
        }
        Ok(self.found)
    }

    fn line(&mut self, number: u64, text: &str) -> Result<(), NoEnergy> {
        if let Some(own) = text.strip_prefix('#') {
            let clock = own.rsplit(',').next().and_then(|word| word.parse().ok());
            let clock = clock.and_then(|clock: u64| clock.checked_mul(1_000_000_000));
            self.next = clock.map_or(Next::Nothing, Next::Header);
            if clock.is_none() {
                self.fault(NoEnergy::BadLine { line: number })?;
            }
            if self.runs > 0 {
                self.fault(NoEnergy::Restarted)?;
            }
            self.runs += 1;
            return Ok(());
        }
        match self.next {
            Next::Clock => self.give_up(NoEnergy::NoColumn("timestamp")),
            Next::Header(clock) => match Columns::of(text) {
                Ok(columns) => {
                    self.next = Next::Rows(columns, Some(clock));
                    Ok(())
                }
                Err(why) => self.give_up(why),
            },
            Next::Rows(columns, clock) => {
                let Some((gpu, sample)) = columns.sample(text) else {
                    return self.fault(NoEnergy::BadLine { line: number });
                };
                if let Some(clock) = clock {
                    self.next = Next::Rows(columns, None);
                    self.check_zone(clock, sample.at);
                }
                self.add(number, gpu, sample)
            }
            Next::Nothing => Ok(()),
        }
    }

    /// Something is wrong from the last sample to the next one.
    fn fault(&mut self, why: NoEnergy) -> Result<(), NoEnergy> {
        if self.found.faults.len() >= MAX_FAULTS {
            let message = format!("has more than {MAX_FAULTS} lines that are no samples");
            return Err(NoEnergy::Unreadable(message));
        }
        self.open.get_or_insert(why);
        Ok(())
    }

    /// The same, until the sampling begins again.
    fn give_up(&mut self, why: NoEnergy) -> Result<(), NoEnergy> {
        self.next = Next::Nothing;
        self.open = None;
        self.fault(why)
    }

    fn check_zone(&mut self, clock: u64, first: u64) {
        if first.abs_diff(clock) <= SLOWEST_START {
            return;
        }
        let seconds = i64::try_from(first.abs_diff(clock) / 1_000_000_000).unwrap_or(i64::MAX);
        let seconds = if first < clock { -seconds } else { seconds };
        self.found
            .faults
            .push((0, u64::MAX, NoEnergy::Zone { seconds }));
    }

    fn add(&mut self, line: u64, gpu: &str, sample: Sample) -> Result<(), NoEnergy> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            let message = format!("has more than {MAX_ROWS} samples");
            return Err(NoEnergy::Unreadable(message));
        }
        let at = sample.at;
        if let Some(why) = self.open.take() {
            self.found.faults.push((self.last, at, why));
        }
        if sample.watts.is_nan() {
            let why = NoEnergy::BadPower { line };
            self.found.faults.push((at, at, why.clone()));
            self.fault(why)?;
        }
        if !self.found.gpus.contains_key(gpu) {
            if self.found.gpus.len() >= MAX_GPUS {
                let message = format!("has more than {MAX_GPUS} GPUs");
                return Err(NoEnergy::Unreadable(message));
            }
            self.found.gpus.insert(gpu.into(), Vec::new());
        }
        let samples = self.found.gpus.get_mut(gpu).expect("it was put there");
        if let Some(before) = samples.last().filter(|before| at <= before.at) {
            let why = NoEnergy::TimeRunsBack { line };
            let span = (at, before.at.max(self.last), why.clone());
            self.found.faults.push(span);
            samples.push(sample);
            self.last = at;
            return self.fault(why);
        }
        samples.push(sample);
        self.last = at;
        Ok(())
    }
}

impl Columns {
    /// The GPU and the sample in a row; a power that is none is NaN.
    fn sample<'t>(&self, row: &'t str) -> Option<(&'t str, Sample)> {
        let mut cells = [""; 16];
        let mut count = 0;
        for cell in row.split(',') {
            *cells.get_mut(count)? = cell.trim();
            count += 1;
        }
        let cell = |place: Option<usize>| place.map_or("", |place| cells[place]);
        let gpu = cells[self.gpu];
        if count != self.count || !gpu.starts_with("GPU-") || gpu.len() > 64 {
            return None;
        }
        let watts = cells[self.watts].parse().unwrap_or(f32::NAN);
        let is_power = (0.0..=MOST_WATTS).contains(&watts);
        let bits = cell(self.throttling).strip_prefix("0x");
        let bits = bits.and_then(|bits| u64::from_str_radix(bits, 16).ok());
        let sample = Sample {
            at: nanoseconds(cells[self.at])?,
            watts: if is_power { watts } else { f32::NAN },
            utilization: cell(self.utilization).parse().unwrap_or(u8::MAX),
            memory: cell(self.memory).parse().unwrap_or(u32::MAX),
            throttling: bits.map_or(u16::MAX, |bits| u16::try_from(bits & 0x1ff).unwrap_or(0)),
        };
        Some((gpu, sample))
    }
}

/// `2026/11/25 03:43:18.120` in UTC, as ns since 1970.
fn nanoseconds(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let is_time = bytes.len() == 23
        && bytes.iter().enumerate().all(|(place, byte)| match place {
            4 | 7 => *byte == b'/',
            10 => *byte == b' ',
            13 | 16 => *byte == b':',
            19 => *byte == b'.',
            _ => byte.is_ascii_digit(),
        });
    if !is_time {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let is_possible = (1970..=2500).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_possible {
        return None;
    }
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day - 1;
    // From the first of March of the year 0 to 1970.
    let seconds = ((days - 719_468) * 24 + hour) * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000_000 + number(20, 23)? * 1_000_000)
}

/// What GPUs did in a part of the time.
struct Integral {
    joules: f64,
    /// Of samples with a known one.
    utilization: f64,
    utilizations: u32,
    memory: Option<u32>,
    throttling: Option<u16>,
}

/// What the GPUs of all nodes of a server drew from one time to another, both in ns since 1970.
pub(in super::super) fn energy(
    nodes: &[Telemetry],
    (from, to): (u64, u64),
    gpus: u32,
) -> Result<Energy, NoEnergy> {
    if from >= to {
        return Err(NoEnergy::NoWindow);
    }
    let mut faults = nodes.iter().flat_map(|node| &node.faults);
    if let Some((_, _, why)) = faults.find(|(begin, end, _)| *begin <= to && *end >= from) {
        return Err(why.clone());
    }
    // A GPU that was there before or is there later is none of these.
    let mut own: Vec<&[Sample]> = nodes
        .iter()
        .flat_map(|node| node.gpus.values())
        .filter(|samples| !near(samples, from, to).is_empty())
        .map(Vec::as_slice)
        .collect();
    if own.is_empty() {
        return Err(NoEnergy::NotCovered);
    }
    let expected = usize::try_from(gpus).unwrap_or(usize::MAX);
    let seen = u32::try_from(own.len()).unwrap_or(u32::MAX);
    if own.len() > expected {
        // A whole node may be the job's: those at rest are not the server's.
        own.retain(|samples| !is_idle(near(samples, from, to)));
    }
    if own.len() != expected {
        return Err(NoEnergy::Gpus {
            expected: gpus,
            seen,
        });
    }
    let parts = own.into_iter().map(|samples| integral(samples, from, to));
    let parts: Vec<Integral> = parts.collect::<Result<_, _>>()?;
    let utilizations: u32 = parts.iter().map(|part| part.utilizations).sum();
    let utilization: f64 = parts.iter().map(|part| part.utilization).sum();
    Ok(Energy {
        gpus,
        seconds: seconds_between(from, to),
        joules: parts.iter().map(|part| part.joules).sum(),
        source: EnergySource::NvidiaSmi,
        utilization: (utilizations > 0).then(|| utilization / f64::from(utilizations)),
        memory: parts.iter().filter_map(|part| part.memory).max(),
        throttling: parts
            .iter()
            .try_fold(0, |all, part| Some(all | part.throttling?)),
    })
}

/// How far from a point a sample may be that says that a GPU is there.
const NEAR: u64 = 3_000_000_000;

/// A GPU's samples in a point and near it.
fn near(samples: &[Sample], from: u64, to: u64) -> &[Sample] {
    let first = samples.partition_point(|sample| sample.at < from.saturating_sub(NEAR));
    let end = samples.partition_point(|sample| sample.at <= to.saturating_add(NEAR));
    samples.get(first..end).unwrap_or_default()
}

/// Whether a GPU does nothing, and holds no model.
fn is_idle(samples: &[Sample]) -> bool {
    samples
        .iter()
        .all(|sample| sample.utilization == 0 && sample.memory < IDLE_MEMORY)
}

/// One GPU's.
fn integral(samples: &[Sample], from: u64, to: u64) -> Result<Integral, NoEnergy> {
    let after = samples.partition_point(|sample| sample.at <= from);
    let last = samples.partition_point(|sample| sample.at < to);
    let first = after.checked_sub(1).ok_or(NoEnergy::NotCovered)?;
    let around = samples.get(first..=last).ok_or(NoEnergy::NotCovered)?;
    let mut joules = 0.0;
    let mut longest: f64 = 0.0;
    for pair in around.windows(2) {
        let [left, right] = pair else { continue };
        let length = seconds_between(left.at, right.at);
        longest = longest.max(length);
        let [begin, end] = [left.at.max(from), right.at.min(to)];
        let slope = f64::from(right.watts - left.watts) / length;
        let watts = |at| f64::from(left.watts) + slope * seconds_between(left.at, at);
        joules += f64::midpoint(watts(begin), watts(end)) * seconds_between(begin, end);
    }
    if longest > LONGEST_GAP {
        return Err(NoEnergy::Gap { seconds: longest });
    }
    // Those within; of a short point, those around it.
    let within = &samples[after.min(last)..last];
    let told = if within.is_empty() { around } else { within };
    let known = told.iter().filter(|sample| sample.utilization <= 100);
    Ok(Integral {
        joules,
        utilization: known
            .clone()
            .map(|sample| f64::from(sample.utilization))
            .sum(),
        utilizations: u32::try_from(known.count()).unwrap_or(u32::MAX),
        memory: told
            .iter()
            .map(|sample| sample.memory)
            .filter(|memory| *memory != u32::MAX)
            .max(),
        throttling: told.iter().try_fold(0, |all, sample| {
            (sample.throttling != u16::MAX).then_some(all | sample.throttling)
        }),
    })
}

#[cfg(test)]
mod tests;
