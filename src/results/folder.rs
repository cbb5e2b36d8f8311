//! Where in a folder results are.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};

use super::json;
use super::point::{Asked, Content, Point, PointName, Tool};
use super::problem::{ReadProblem, quoted};
use super::sink::{self, Sink};
use super::table::TableReader;

/// How far below the results folder a point's files may be. GenAI-Perf and a folder
/// for each job make three.
const MAX_DEPTH: usize = 6;

type Found = (Vec<Point>, Vec<ReadProblem>);

/// Reads the points below `root` whose names are wanted.
pub(super) fn read(
    root: &Utf8Path,
    wanted: &impl Fn(Option<&PointName>) -> bool,
) -> io::Result<Found> {
    let mut search = Search {
        wanted,
        places: Vec::new(),
        problems: Vec::new(),
    };
    // "." has a name, too.
    let name = root.canonicalize_utf8()?;
    let own = name
        .file_name()
        .and_then(PointName::parse)
        .map(|name| (root, name));
    search.visit(root, own.as_ref(), 0)?;
    let Search {
        places,
        mut problems,
        ..
    } = search;
    let (points, more) = read_all(&places);
    problems.extend(more);
    problems.sort_by(|a, b| (a.file(), a.line()).cmp(&(b.file(), b.line())));
    Ok((points, problems))
}

/// The files of one point.
struct Place {
    folder: Utf8PathBuf,
    name: Option<PointName>,
    tool: Tool,
    csv: Option<Utf8PathBuf>,
    json: Option<Utf8PathBuf>,
}

struct Search<'w, W> {
    wanted: &'w W,
    places: Vec<Place>,
    problems: Vec<ReadProblem>,
}

impl<W: Fn(Option<&PointName>) -> bool> Search<'_, W> {
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
                    self.complain_of_name(folder, &path);
                    continue;
                }
            };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() && path.is_dir() {
                let message = "is a link to another folder, which is not followed: read that one by its own path";
                self.problems.push(ReadProblem::new(path, None, message));
            } else {
                files.push(path);
            }
        }
        // As texts: paths would be taken apart for each comparison.
        files.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        folders.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        if (self.wanted)(named.map(|(_, name)| name)) {
            self.note(folder, named, &files);
        }
        for inner in &folders {
            self.descend(inner, named, depth);
        }
        let is_point = named.is_some_and(|(place, _)| *place == folder);
        if is_point && self.places.len() == before && (self.wanted)(named.map(|(_, name)| name)) {
            let message = "has a point's name, but no result of GenAI-Perf or AIPerf is in it";
            self.problems.push(ReadProblem::new(folder, None, message));
        }
        Ok(())
    }

    fn descend(&mut self, inner: &Utf8Path, named: Option<&(&Utf8Path, PointName)>, depth: usize) {
        let name = inner.file_name().unwrap_or_default();
        let is_unfinished = ["failed_", "interrupted_", "."]
            .iter()
            .any(|start| name.starts_with(start));
        if named.is_none() && is_unfinished {
            return;
        }
        if depth == MAX_DEPTH {
            let message =
                format!("lies more than {MAX_DEPTH} folders deep, and is not looked into");
            self.problems.push(ReadProblem::new(inner, None, message));
            return;
        }
        let own = PointName::parse(name).map(|name| (inner, name));
        if let Err(error) = self.visit(inner, own.as_ref().or(named), depth + 1) {
            let message = format!("cannot be read: {error}");
            self.problems.push(ReadProblem::new(inner, None, message));
        }
    }

    fn complain_of_name(&mut self, folder: &Utf8Path, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let message = format!("has an entry whose name is not UTF-8: {}", quoted(&name));
        self.problems.push(ReadProblem::new(folder, None, message));
    }

    /// Notes the results among `files`: each stem of a name is one.
    fn note(
        &mut self,
        folder: &Utf8Path,
        named: Option<&(&Utf8Path, PointName)>,
        files: &[Utf8PathBuf],
    ) {
        let mut results: BTreeMap<&str, Place> = BTreeMap::new();
        for path in files {
            let Some((stem, tool)) = result_stem(path) else {
                continue;
            };
            let place = results.entry(stem).or_insert_with(|| Place {
                folder: named.map_or(folder, |(place, _)| *place).to_owned(),
                name: named.map(|(_, name)| name.clone()),
                tool,
                csv: None,
                json: None,
            });
            let slot = if path.extension() == Some("csv") {
                &mut place.csv
            } else {
                &mut place.json
            };
            *slot = Some(path.clone());
        }
        self.places.extend(results.into_values());
    }
}

/// The part of a result file's name that its CSV and its JSON share.
fn result_stem(path: &Utf8Path) -> Option<(&str, Tool)> {
    let stem = path
        .file_name()?
        .strip_suffix(".csv")
        .or_else(|| path.file_name()?.strip_suffix(".json"))?;
    if stem.ends_with("_genai_perf") {
        Some((stem, Tool::GenAiPerf))
    } else if stem.ends_with("_aiperf") {
        Some((stem, Tool::AiPerf))
    } else {
        None
    }
}

/// Reads all places, on as many cores as there are.
fn read_all(places: &[Place]) -> Found {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let share = places.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = places
            .chunks(share)
            .map(|places| scope.spawn(|| read_some(places)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a reader does not panic"))
            .fold(Found::default(), |mut all, some| {
                all.0.extend(some.0);
                all.1.extend(some.1);
                all
            })
    })
}

fn read_some(places: &[Place]) -> Found {
    let mut found = Found::default();
    let mut tables = TableReader::new();
    for place in places {
        let point = read_place(place, &mut tables, &mut found.1);
        found.0.push(point);
    }
    found
}

fn read_place(place: &Place, tables: &mut TableReader, problems: &mut Vec<ReadProblem>) -> Point {
    let mut asked = place.name.clone().map(Asked::from);
    let mut content = Content::default();
    if let Some(path) = &place.json {
        let bytes = take(path, problems, json::read, &mut content);
        if asked.is_none() {
            asked = bytes.map(|bytes| json::asked(&bytes));
        }
    }
    if let Some(path) = &place.csv {
        let mut table = Content::default();
        let parse = |bytes: &[u8], sink: &mut Sink<'_>| tables.read(bytes, sink);
        take(path, problems, parse, &mut table);
        content.add(table);
    }
    let file = place.json.as_ref().or(place.csv.as_ref());
    if let (Some(message), Some(file)) = (content.caveat(), file) {
        problems.push(ReadProblem::new(file, None, message));
    }
    Point {
        path: place.folder.clone(),
        tool: place.tool,
        asked: asked.unwrap_or_default(),
        content,
    }
}

/// Reads one file into `content`; the file's bytes.
fn take(
    path: &Utf8Path,
    problems: &mut Vec<ReadProblem>,
    parse: impl FnOnce(&[u8], &mut Sink<'_>),
    content: &mut Content,
) -> Option<Vec<u8>> {
    let bytes = sink::read(path)
        .map_err(|problem| problems.push(problem))
        .ok()?;
    let mut sink = Sink::new(path);
    parse(&bytes, &mut sink);
    let (read, complaints) = sink.finish();
    *content = read;
    problems.extend(complaints);
    Some(bytes)
}

impl Content {
    /// Adds what another file of the same point says and this one did not. Names of
    /// other metrics differ between a tool's files, so one file's are enough.
    fn add(&mut self, other: Self) {
        for (metric, statistics) in other.metrics {
            self.metrics
                .entry(metric)
                .or_default()
                .fill_from(&statistics);
        }
        if self.others.is_empty() {
            self.others = other.others;
        }
        if self.gpu_metrics.is_empty() {
            self.gpu_metrics = other.gpu_metrics;
        }
    }
}
