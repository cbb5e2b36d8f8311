//! Which samples of power are a point's.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::RowsByPlace;
use super::energy::{Energy, NoEnergy, Telemetry, TelemetryFile, energy, seconds_between};
use super::point::{GpuMetric, Point};
use super::requests::Requests;
use crate::slurm::RunId;

/// Gives each point what the files say of it. `servers` has the number of the server that measured the
/// points in a folder, by the folder's name.
pub(super) fn attach(points: &mut [Point], files: &[TelemetryFile], rows: &RowsByPlace<'_>) {
    // Those of a server lie together, and are read together: a file may be large.
    let mut read: Option<Read<'_>> = None;
    let mut order: Vec<_> = (0..points.len())
        .map(|number| (files_of(&points[number], files, rows), number))
        .collect();
    order.sort_by(|a, b| key(&a.0).cmp(&key(&b.0)));
    for (own, number) in order {
        let point = &mut points[number];
        let found = own.and_then(|own| {
            let window = point.requests().and_then(Requests::span);
            let (window, gpus) = window.zip(point.gpus()).ok_or(NoEnergy::NoWindow)?;
            let is_read = read
                .as_ref()
                .is_some_and(|(of, _)| key_of(of) == key_of(&own));
            if !is_read {
                let all = own.iter().map(|file| Telemetry::read(&file.path)).collect();
                read = Some((own, all));
            }
            let (_, all) = read.as_ref().ok_or(NoEnergy::NoTelemetry)?;
            let all = all.as_ref().map_err(Clone::clone)?;
            energy(all, window, gpus)
        });
        point.energy = found.or_else(|why| of_tool(point).ok_or(why));
    }
}

/// The files of a server, and what they say.
type Read<'f> = (Vec<&'f TelemetryFile>, Result<Vec<Telemetry>, NoEnergy>);

/// By the tool's own telemetry: the mean power of each GPU that it asked.
fn of_tool(point: &Point) -> Option<Energy> {
    let gpus = point.gpus()?;
    let (from, to) = point.requests()?.span()?;
    let is_power = |metric: &&GpuMetric| metric.name == "gpu_power_usage" && metric.unit == "W";
    let powers: BTreeMap<_, _> = point
        .gpu_metrics()
        .iter()
        .filter(is_power)
        .filter_map(|metric| {
            let watts = metric.statistics.avg()?;
            Some(((&metric.endpoint, &metric.gpu), watts))
        })
        .collect();
    if powers.len() != gpus as usize {
        return None;
    }
    Energy::of_mean(gpus, seconds_between(from, to), powers.values().sum())
}

/// The mean of several runs of a point. What one of them lacks has no mean.
pub(super) fn mean_of(runs: &[&Point]) -> Result<Energy, NoEnergy> {
    let energies: Result<Vec<&Energy>, &NoEnergy> = runs.iter().map(|run| run.energy()).collect();
    let mean = energies.map_err(Clone::clone)?;
    Energy::mean_of(&mean).ok_or(NoEnergy::NoTelemetry)
}

fn key<'a>(files: &'a Result<Vec<&TelemetryFile>, NoEnergy>) -> Vec<&'a Utf8Path> {
    files.as_deref().map(key_of).unwrap_or_default()
}

fn key_of<'a>(files: &[&'a TelemetryFile]) -> Vec<&'a Utf8Path> {
    files.iter().map(|file| file.path.as_path()).collect()
}

/// The files of the server that measured the point, one for each of its nodes.
fn files_of<'f>(
    point: &Point,
    files: &'f [TelemetryFile],
    rows: &RowsByPlace<'_>,
) -> Result<Vec<&'f TelemetryFile>, NoEnergy> {
    let is_own = |file: &&TelemetryFile| {
        let folder = file.path.parent();
        point.run().map(RunId::as_str) == Some(file.run.as_str())
            && folder.is_some_and(|folder| point.path().starts_with(folder))
    };
    let mut own: Vec<_> = files.iter().filter(is_own).collect();
    if own.is_empty() {
        return Err(NoEnergy::NoTelemetry);
    }
    let said = || rows.find(point.path(), |row| row.server);
    let only = || own.iter().all(|file| file.server == 0).then_some(0);
    let server = point.replica().or_else(said).or_else(only);
    let server = server.ok_or(NoEnergy::UnknownServer)?;
    own.retain(|file| file.server == server);
    if own.is_empty() {
        return Err(NoEnergy::NoTelemetry);
    }
    Ok(own)
}

impl Point {
    /// What the server's GPUs drew while the point was measured.
    ///
    /// # Errors
    ///
    /// Why nobody knows.
    ///
    /// ```
    /// use nim_slurm::results::Run;
    ///
    /// let run = Run::read("tests/data/telemetry")?;
    /// match run.points()[0].energy() {
    ///     Ok(energy) => println!("{:.0} J at {:.0} W", energy.joules(), energy.watts()),
    ///     Err(why) => println!("{why}"),
    /// }
    /// # assert!(run.points()[0].energy().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn energy(&self) -> Result<&Energy, &NoEnergy> {
        self.energy.as_ref()
    }
}
