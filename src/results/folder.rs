//! Where in a folder results are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};

use super::RunId;
use super::energy::{NoEnergy, TelemetryFile};
use super::json;
use super::metric::{Metric, Statistics};
use super::offered::{Overload, Shortfall};
use super::point::{Asked, Content, Point, PointName, Tool};
use super::problem::{ReadProblem, quoted};
use super::requests::Requests;
use super::sink::{self, Sink};
use super::table::TableReader;
use crate::load::{Decimal, Load};
use crate::manifest::Manifest;

/// How far below the results folder a point's files may be. GenAI-Perf and a folder
/// for each job make three.
const MAX_DEPTH: usize = 6;

/// Of a job that was requeued, so many runs are read.
const MAX_RUNS: usize = 20;

/// How many requests all points keep, which take about a GB: an image can leave any number of
/// results in a point.
const MAX_REQUESTS: usize = 16_000_000;

/// How many bytes all manifests have, which take about a GB where their rows say nothing: it is a
/// thousand manifests of some hundred points, and anything may lie there.
const MOST_OF_MANIFESTS: u64 = 64 << 20;

/// What is in a folder.
#[derive(Default)]
pub(super) struct Found {
    pub(super) points: Vec<Point>,
    pub(super) manifests: Vec<Manifest>,
    pub(super) telemetry: Vec<TelemetryFile>,
    pub(super) problems: Vec<ReadProblem>,
}

/// Which points are read. Those of jobs are those that they finished, and those of earlier jobs that their manifests list as
/// finished, since they went on from there.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'j> {
    All,
    Of(&'j [RunId]),
    NotOf(&'j [RunId]),
}

impl Wanted<'_> {
    /// Whether a job is one of those that are named.
    fn names(self, run: Option<&RunId>) -> bool {
        match self {
            Self::All => false,
            Self::Of(jobs) | Self::NotOf(jobs) => {
                run.is_some_and(|run| jobs.iter().any(|job| job.includes(run)))
            }
        }
    }

    /// Whether what is theirs is read, or what is not.
    const fn has(self, is_theirs: bool) -> bool {
        match self {
            Self::All => true,
            Self::Of(_) => is_theirs,
            Self::NotOf(_) => !is_theirs,
        }
    }
}

/// Reads the points below `root` that are wanted.
pub(super) fn read(root: &Utf8Path, wanted: Wanted<'_>) -> io::Result<Found> {
    let mut search = Search::new(wanted);
    // "." has a name, too.
    let name = root.canonicalize_utf8()?;
    let own = name
        .file_name()
        .and_then(PointName::parse)
        .map(|name| (root, name));
    search.visit(root, own.as_ref(), 0)?;
    let Search {
        places, mut found, ..
    } = search;
    found.add(read_all(&places, MAX_REQUESTS));
    Ok(found)
}

impl Found {
    fn add(&mut self, other: Self) {
        self.points.extend(other.points);
        self.manifests.extend(other.manifests);
        self.telemetry.extend(other.telemetry);
        self.problems.extend(other.problems);
    }
}

/// The files of one point.
struct Place {
    /// The folder that the files are in, and the point's own, which may be above it.
    inner: Utf8PathBuf,
    folder: Utf8PathBuf,
    name: Option<PointName>,
    /// The number of the server, where several measured the point together.
    replica: Option<u32>,
    tool: Tool,
    csv: Option<Utf8PathBuf>,
    json: Option<Utf8PathBuf>,
    /// The file with each request.
    requests: Option<Utf8PathBuf>,
}

impl Place {
    /// The place of a result in `inner`, which lies in the folder of the point `named`.
    fn new(inner: &Utf8Path, named: Option<&(&Utf8Path, PointName)>, tool: Tool) -> Self {
        let server = named.and_then(|(point, _)| server_in(inner, point));
        let (folder, replica) = match server {
            Some((folder, number)) => (folder, Some(number)),
            None => (named.map_or(inner, |(point, _)| *point).to_owned(), None),
        };
        Self {
            inner: inner.to_owned(),
            folder,
            name: named.map(|(_, name)| name.clone()),
            replica,
            tool,
            csv: None,
            json: None,
            requests: None,
        }
    }
}

struct Search<'j> {
    wanted: Wanted<'j>,
    /// Folders of points that the jobs which are named took over from earlier ones.
    resumed: HashSet<Utf8PathBuf>,
    places: Vec<Place>,
    found: Found,
    /// How many bytes further manifests may have.
    left: u64,
}

impl<'j> Search<'j> {
    fn new(wanted: Wanted<'j>) -> Self {
        Self {
            wanted,
            resumed: HashSet::new(),
            places: Vec::new(),
            found: Found::default(),
            left: MOST_OF_MANIFESTS,
        }
    }

    /// Notes the points in `folder`, which lies in the folder of the point `named`.
    fn visit(
        &mut self,
        folder: &Utf8Path,
        named: Option<&(&Utf8Path, PointName)>,
        depth: usize,
    ) -> io::Result<()> {
        let before = self.places.len();
        let mut files = Vec::new();
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = match Utf8PathBuf::from_path_buf(entry.path()) {
                Ok(path) => path,
                Err(path) => {
                    self.add_name_problem(folder, &path);
                    continue;
                }
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() && path.is_dir() {
                let message = "is a link to another folder, which is not followed: read that one by its own path";
                self.add_problem(path, message);
            } else {
                files.push(path);
            }
        }
        // As texts: paths would be taken apart for each comparison.
        files.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        folders.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let is_theirs = self.wanted.names(named.map(|(_, name)| name.run()))
            || named.is_some_and(|(point, _)| self.resumed.contains(*point));
        let is_wanted = self.wanted.has(is_theirs);
        if is_wanted {
            self.add_places(folder, named, &files);
        }
        if named.is_none() {
            let earlier = self.read_manifests(&files);
            let telemetry = files.iter().filter_map(|file| TelemetryFile::named(file));
            let wanted = self.wanted;
            let is_wanted = |file: &TelemetryFile| {
                wanted.has(wanted.names(Some(&file.run))) || earlier.contains(&file.run)
            };
            self.found.telemetry.extend(telemetry.filter(is_wanted));
        }
        // AIPerf with a warm-up writes each phase's results beside those of the run.
        let has = |name| move |file: &Utf8PathBuf| file.file_name() == Some(name);
        if files.iter().any(has("phase_manifest.json")) {
            folders.retain(|inner| !has("phases")(inner));
        }
        for inner in &folders {
            self.descend(inner, named, depth);
        }
        let is_point = named.is_some_and(|(place, _)| *place == folder);
        if is_point && self.places.len() - before > 1 {
            // A sweep: what tells its points apart is below the folder that has the name.
            let sweep = self.places[before..].iter_mut();
            for place in sweep.filter(|place| place.replica.is_none()) {
                place.folder.clone_from(&place.inner);
            }
        }
        if is_point && self.places.len() == before && is_wanted {
            let message = "has a point's name, but no result of GenAI-Perf or AIPerf is in it";
            self.add_problem(folder, message);
        }
        Ok(())
    }

    fn descend(&mut self, inner: &Utf8Path, named: Option<&(&Utf8Path, PointName)>, depth: usize) {
        let name = inner.file_name().unwrap_or_default();
        let is_unfinished = ["failed_", "interrupted_", "."]
            .iter()
            .any(|start| name.starts_with(start));
        // What launch.sh set aside, since it was measured otherwise than the rest of its job.
        let is_aside = name
            .rsplit_once(".other-")
            .is_some_and(|(point, _)| PointName::parse(point).is_some());
        if named.is_none() && (is_unfinished || is_aside) {
            return;
        }
        if depth == MAX_DEPTH {
            let message =
                format!("lies more than {MAX_DEPTH} folders deep, and is not looked into");
            self.add_problem(inner, message);
            return;
        }
        // What lies in a point is that point's, whatever a container called it.
        let own = match named {
            Some(_) => None,
            None => PointName::parse(name).map(|name| (inner, name)),
        };
        if let Err(error) = self.visit(inner, own.as_ref().or(named), depth + 1) {
            let message = format!("cannot be read: {error}");
            self.add_problem(inner, message);
        }
    }

    /// Reads the manifests among `files`. Returns the earlier jobs that measured points of those that are named.
    fn read_manifests(&mut self, files: &[Utf8PathBuf]) -> HashSet<RunId> {
        let wanted = self.wanted;
        let mut earlier = HashSet::new();
        let manifests = files
            .iter()
            .filter_map(|path| Some((path, run_of_manifest(path)?)));
        let (named, others): (Vec<_>, Vec<_>) =
            manifests.partition(|(_, run)| wanted.names(Some(run)));
        for (path, run) in named {
            let manifest = self.read_job(path, run, files);
            for (point, run) in manifest.iter().flat_map(resumed) {
                self.resumed.insert(point);
                earlier.insert(run);
            }
            self.found
                .manifests
                .extend(manifest.filter(|_| wanted.has(true)));
        }
        if !wanted.has(true) {
            earlier.clear();
        }
        for (path, run) in others {
            if wanted.has(false) || earlier.contains(&run) {
                let manifest = self.read_job(path, run, files);
                self.found.manifests.extend(manifest);
            }
        }
        earlier
    }

    /// What all runs of a job say of it.
    fn read_job(&mut self, path: &Utf8Path, run: RunId, files: &[Utf8PathBuf]) -> Option<Manifest> {
        let manifest = self.read_manifest(path)?;
        let earlier = self.read_earlier_runs(path, &manifest, files);
        Some(Manifest {
            job_id: Some(run),
            folder: path.parent().map(Utf8Path::to_owned).unwrap_or_default(),
            ..manifest.with_earlier(&earlier)
        })
    }

    fn read_manifest(&mut self, path: &Utf8Path) -> Option<Manifest> {
        let manifest = Manifest::read_one_of_many(path, &mut self.left);
        manifest
            .map_err(|why| self.add_problem(path, why.to_string()))
            .ok()
    }

    /// What launch.sh set aside when its job was requeued, the latest first. Where Slurm counts its jobs from 1 again, an older
    /// job's may lie there, too: it was not requeued less often than the run behind it.
    fn read_earlier_runs(
        &mut self,
        last: &Utf8Path,
        manifest: &Manifest,
        files: &[Utf8PathBuf],
    ) -> Vec<Manifest> {
        let start = format!("{last}.earlier-");
        let from = files.partition_point(|file| file.as_str() < start.as_str());
        let numbers = files[from..].iter().map_while(|file| {
            let number = file.as_str().strip_prefix(&start)?;
            Some((number.parse::<u32>().ok(), file))
        });
        let mut numbered: Vec<_> = numbers.filter(|(number, _)| number.is_some()).collect();
        numbered.sort_unstable_by_key(|(number, _)| Reverse(*number));
        let mut restart = manifest.restart.unwrap_or_default();
        let mut earlier = Vec::new();
        for (_, path) in numbered.into_iter().take(MAX_RUNS) {
            if restart == 0 {
                break;
            }
            let Some(run) = self.read_manifest(path) else {
                continue;
            };
            let own = run.restart.unwrap_or_default();
            if own >= restart {
                break;
            }
            restart = own;
            earlier.push(run);
        }
        earlier
    }

    fn add_problem(&mut self, path: impl Into<Utf8PathBuf>, message: impl Into<String>) {
        self.found
            .problems
            .push(ReadProblem::new(path, None, message));
    }

    fn add_name_problem(&mut self, folder: &Utf8Path, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let message = format!("has an entry whose name is not UTF-8: {}", quoted(&name));
        self.add_problem(folder, message);
    }

    /// Notes the results among `files`: each stem of a name is one.
    fn add_places(
        &mut self,
        folder: &Utf8Path,
        named: Option<&(&Utf8Path, PointName)>,
        files: &[Utf8PathBuf],
    ) {
        let mut stems: Vec<_> = files.iter().map(result_stem).collect();
        if stems.iter().all(Option::is_none) {
            // AIPerf names its files as it is told.
            stems = files.iter().map(stem_by_content).collect();
        }
        let mut results: BTreeMap<&str, Place> = BTreeMap::new();
        for (path, stem) in files.iter().zip(stems) {
            let Some((stem, tool)) = stem else {
                continue;
            };
            let place = results
                .entry(stem)
                .or_insert_with(|| Place::new(folder, named, tool));
            let slot = if path.extension() == Some("csv") {
                &mut place.csv
            } else {
                &mut place.json
            };
            *slot = Some(path.clone());
        }
        for (stem, place) in &mut results {
            let name = requests_file(stem, place.tool);
            let file = files.iter().find(|file| file.file_name() == Some(&name));
            place.requests = file.cloned();
        }
        self.places.extend(results.into_values());
    }
}

/// The points of earlier jobs that a job has as its own, as folders, with the jobs that measured them.
fn resumed(manifest: &Manifest) -> impl Iterator<Item = (Utf8PathBuf, RunId)> {
    let finished = manifest
        .points
        .iter()
        .filter(|row| row.status == "finished");
    finished.filter_map(|row| {
        let name = PointName::parse(&row.folder)?;
        let is_own = manifest.job_id.as_ref() == Some(name.run());
        (!is_own).then(|| (manifest.folder.join(&row.folder), name.run().clone()))
    })
}

/// The run whose manifest has this name.
fn run_of_manifest(path: &Utf8Path) -> Option<RunId> {
    let name = path.file_name()?;
    RunId::parse(name.strip_prefix("run_")?.strip_suffix(".json")?).ok()
}

/// The part of a result file's name that its CSV and its JSON share.
fn result_stem(path: &Utf8PathBuf) -> Option<(&str, Tool)> {
    let stem = path
        .file_name()?
        .strip_suffix(".csv")
        .or_else(|| path.file_name()?.strip_suffix(".json"))?;
    if stem == "analyze_export_genai_perf" {
        // GenAI-Perf's summary of a sweep, whose points have files of their own.
        None
    } else if stem.ends_with("_genai_perf") {
        Some((stem, Tool::GenAiPerf))
    } else if stem.ends_with("_aiperf") {
        Some((stem, Tool::AiPerf))
    } else {
        None
    }
}

/// The name of the file that has each request of a result.
fn requests_file(stem: &str, tool: Tool) -> String {
    match tool {
        Tool::GenAiPerf => format!("{}.json", stem.strip_suffix("_genai_perf").unwrap_or(stem)),
        Tool::AiPerf => format!("{}.jsonl", stem.strip_suffix("_aiperf").unwrap_or(stem)),
    }
}

/// The same of a file with any other name, if it begins as a result does.
fn stem_by_content(path: &Utf8PathBuf) -> Option<(&str, Tool)> {
    let extension = path.extension()?;
    if !matches!(extension, "csv" | "json") {
        return None;
    }
    let head = sink::head(path)?;
    let has = |words: &str| {
        head.windows(words.len())
            .any(|part| part == words.as_bytes())
    };
    let mut sink = Sink::new(path);
    let is_genai_perf_s = if extension == "csv" {
        TableReader::new().read(&head, &mut sink);
        has("Metric,avg,min,max,p99")
    } else {
        json::read(&head, &mut sink);
        has("\"service_kind\"")
    };
    let tool = if is_genai_perf_s {
        Tool::GenAiPerf
    } else {
        Tool::AiPerf
    };
    (!sink.content.metrics.is_empty()).then_some((path.file_stem()?, tool))
}

/// The load in `…-concurrencyN` or `…-request_rateR`, as both tools name a folder for each point. In
/// `…-concurrencyN-request_rateR` the rate drives it, and the concurrency is its ceiling.
fn load_in(folder: &Utf8Path) -> Option<Load> {
    let name = folder.file_name()?;
    let number_behind = |word: &str| {
        let (_, rest) = name.rsplit_once(word)?;
        Some(rest.split_once('-').map_or(rest, |(number, _)| number))
    };
    if let Some(rate) = number_behind("-request_rate") {
        return rate
            .parse()
            .ok()
            .and_then(Decimal::nearest)
            .map(Load::RequestRate);
    }
    number_behind("-concurrency")?
        .parse()
        .ok()
        .map(Load::Concurrency)
}

/// The folder `server-N` and its number, as launch.sh names one for each server inside
/// the folder of a point that several measured together. The tool's own may be in there.
fn server_in(folder: &Utf8Path, point: &Utf8Path) -> Option<(Utf8PathBuf, u32)> {
    let name = folder.strip_prefix(point).ok()?.components().next()?;
    let number = name.as_str().strip_prefix("server-")?.parse().ok()?;
    Some((point.join(name.as_str()), number))
}

/// Reads all places, on as many cores as there are, with so many requests at most.
fn read_all(places: &[Place], most: usize) -> Found {
    let left = &AtomicUsize::new(most);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = places.len().div_ceil(workers).max(1);
    let (own, others) = places.split_at(share.min(places.len()));
    thread::scope(|scope| {
        let workers: Vec<_> = others
            .chunks(share)
            .map(|places| scope.spawn(|| read_some(places, left)))
            .collect();
        // This thread's memory grows in larger steps than that of the others.
        let mut all = read_some(own, left);
        for worker in workers {
            all.add(worker.join().expect("a reader does not panic"));
        }
        all
    })
}

fn read_some(places: &[Place], left: &AtomicUsize) -> Found {
    let mut found = Found::default();
    let mut tables = TableReader::new();
    for place in places {
        let mut point = read_place(place, &mut tables, &mut found.problems);
        if let Some(point) = &mut point {
            keep_requests(point, place, left, &mut found.problems);
        }
        found.points.extend(point);
    }
    found
}

/// Drops the requests of a point where too many are kept already.
fn keep_requests(
    point: &mut Point,
    place: &Place,
    left: &AtomicUsize,
    problems: &mut Vec<ReadProblem>,
) {
    let (Some(requests), Some(file)) = (&point.requests, &place.requests) else {
        return;
    };
    let count = requests.as_slice().len();
    let take = |left: usize| left.checked_sub(count);
    #[allow(
        deprecated,
        reason = "its new name, try_update, is later than Rust 1.88"
    )]
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    if taken.is_err() {
        let message =
            "is left out: too many requests are in these results: read fewer jobs at once";
        problems.push(ReadProblem::new(file, None, message));
        point.requests = None;
    }
}

/// Reads a point; none, and a problem, when nothing was measured.
fn read_place(
    place: &Place,
    tables: &mut TableReader,
    problems: &mut Vec<ReadProblem>,
) -> Option<Point> {
    let before = problems.len();
    let mut content = Content::default();
    let mut said = Asked::default();
    // A name that is the point's own holds; around a sweep, it is one point's at most.
    let own_name = place.folder.file_name().and_then(PointName::parse);
    let is_named = own_name.is_some() && own_name == place.name || place.replica.is_some();
    let named_rate = place.name.as_ref().and_then(|it| it.load().request_rate());
    if let Some(path) = &place.json {
        (content, said) = read_file(path, problems, |bytes, sink| {
            // How requests come is in no name.
            sink.wants_asked = !is_named || named_rate.is_some();
            json::read(bytes, sink);
        });
    }
    if let Some(path) = &place.csv {
        let (table, _) = read_file(path, problems, |bytes, sink| tables.read(bytes, sink));
        content.add(table);
    }
    let file = place.json.as_ref().or(place.csv.as_ref())?;
    if content.is_empty() {
        if problems.len() == before {
            problems.push(ReadProblem::new(file, None, "has no metric in it"));
        }
        return None;
    }
    let mut asked = place.name.as_ref().map(Asked::from).unwrap_or_default();
    asked.arrivals = said.arrivals;
    let folder_s = Asked {
        load: load_in(&place.inner),
        ..Asked::default()
    };
    let others = [("the tool's folder", folder_s), ("its configuration", said)];
    for (source, by) in others.into_iter().filter(|_| !is_named) {
        asked.correct(&by, |what, known, certain| {
            let message = format!(
                "{source} says {what} {certain}, the folder's name {known}: {certain} is taken"
            );
            problems.push(ReadProblem::new(file, None, message));
        });
    }
    let requests = place
        .requests
        .as_ref()
        .filter(|file| Some(*file) != place.json.as_ref());
    let requests = requests.and_then(|file| {
        let counted = content.metrics.get(Metric::RequestCount);
        let counted = counted.and_then(Statistics::avg);
        let requests = Requests::read(file).and_then(|all| all.checked(file, counted));
        let length = content.metrics.get(Metric::OutputSequenceLength);
        let requests = requests.map(|all| all.with_tokens_of(length));
        requests.map_err(|problem| problems.push(problem)).ok()
    });
    if let Some(requests) = &requests {
        asked.arrivals = asked.arrivals.and_told_in(&place.folder, place.replica);
        let late = content.others.get("credit_to_start_latency");
        let late = late.filter(|it| it.unit == "ms");
        let late = late.and_then(|it| it.statistics.avg());
        let late = late.or_else(|| requests.lateness());
        content.shortfall = Shortfall::of(asked.load, requests, asked.arrivals, late);
        content.overload = Overload::of(asked.load, requests, asked.arrivals);
        content.leave_out_zeros(requests);
    }
    content.unanswered = requests.as_ref().map_or(0, Requests::failed);
    if let Some(message) = content.caveat() {
        problems.push(ReadProblem::new(file, None, message));
    }
    Some(Point {
        path: place.folder.clone(),
        replica: place.replica,
        server: None,
        tool: place.tool,
        asked,
        content,
        requests: requests.map(Arc::new),
        cached_share: None,
        warmup_requests: None,
        energy: Err(NoEnergy::NoTelemetry),
        runs: Vec::new(),
    })
}

/// Reads one file, and what it says of what was asked for.
fn read_file(
    path: &Utf8Path,
    problems: &mut Vec<ReadProblem>,
    parse: impl FnOnce(&[u8], &mut Sink<'_>),
) -> (Content, Asked) {
    match sink::read(path) {
        Ok(bytes) => {
            let mut sink = Sink::new(path);
            parse(&bytes, &mut sink);
            let (content, asked, own_problems) = sink.finish();
            problems.extend(own_problems);
            (content, asked)
        }
        Err(problem) => {
            problems.push(problem);
            Default::default()
        }
    }
}

impl Content {
    /// The tools take an inter-token latency of 0 for answers that came at once.
    fn leave_out_zeros(&mut self, requests: &Requests) {
        if requests.at_once() == 0 {
            return;
        }
        let itl = Metric::InterTokenLatency;
        match requests.figures().as_ref().and_then(|all| all.metric(itl)) {
            Some(of_others) => self.metrics.set(itl, *of_others),
            None => self.metrics.remove(itl),
        }
        self.metrics.remove(Metric::OutputTokenThroughputPerUser);
    }

    /// Adds what another file of the same point says and this one did not. Names of
    /// other metrics differ between a tool's files, so one file's are enough.
    fn add(&mut self, other: Self) {
        self.metrics.fill_from(&other.metrics);
        if self.others.is_empty() {
            self.others = other.others;
        }
        if self.gpu_metrics.is_empty() {
            self.gpu_metrics = other.gpu_metrics;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_a_bound_in_all() {
        let search = |root: &str| {
            let mut search = Search::new(Wanted::All);
            search.visit(Utf8Path::new(root), None, 0).unwrap();
            search.places
        };
        // 20, 80 and a few requests.
        let places = search("tests/data/requests");
        let kept = |most| {
            let found = read_all(&places, most);
            assert_eq!(found.points.len(), places.len());
            let kept = found.points.iter().filter(|point| point.requests.is_some());
            let left_out =
                |problem: &&ReadProblem| problem.to_string().contains("is left out: too many");
            (kept.count(), found.problems.iter().filter(left_out).count())
        };
        let (all, none) = kept(MAX_REQUESTS);
        assert!(all > 2 && none == 0, "{all} {none}");
        let (some, left_out) = kept(50);
        assert!(
            some > 0 && left_out > 0 && some + left_out == all,
            "{some} {left_out}"
        );
        assert_eq!(kept(1), (0, all));
    }

    #[test]
    fn manifests_have_a_bound_in_all() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let row = r#"{"folder": "", "status": "", "detail": ""}"#;
        let text = format!(r#"{{"points": [{}]}}"#, vec![row; 100].join(","));
        for job in 1..=5 {
            fs::write(root.join(format!("run_{job}.json")), &text).unwrap();
        }
        // A short one still fits, and one that is too long at any time is called that.
        fs::write(root.join("run_6.json"), "{}").unwrap();
        let too_long = fs::File::create(root.join("run_7.json")).unwrap();
        too_long.set_len(5 << 20).unwrap();
        let read = |left: usize| {
            let mut search = Search::new(Wanted::All);
            search.left = u64::try_from(left).unwrap();
            search.visit(root, None, 0).unwrap();
            let problems = search.found.problems.iter().map(ToString::to_string);
            let (left_out, others): (Vec<_>, Vec<_>) =
                problems.partition(|problem| problem.contains("is left out: too much"));
            assert!(
                matches!(&others[..], [one] if one.contains("run_7.json") && one.contains("has 5242880 bytes")),
                "{others:?}"
            );
            (search.found.manifests.len(), left_out)
        };
        let (read_whole, left_out) = read(usize::try_from(MOST_OF_MANIFESTS).unwrap());
        assert_eq!((read_whole, left_out.len()), (6, 0), "{left_out:?}");
        let (some, left_out) = read(text.len() * 3 + 2);
        assert_eq!((some, left_out.len()), (4, 2), "{left_out:?}");
        assert!(left_out[0].contains("run_4.json"), "{left_out:?}");
    }
}
