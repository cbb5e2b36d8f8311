//! What two results differ in, before any figure is compared.

use std::collections::{BTreeMap, BTreeSet};

use super::comparison::{Change, Comparison};
use super::metric::{Metric, Statistic};
use super::point::Point;
use super::{Run, measured};
use crate::manifest::{Manifest, RunImage};
use crate::plain::plain;
use crate::slurm::RunId;

/// Points whose `measurement.txt` is read: one a job, and as many that both sides have.
const MOST_READ: usize = 100;

/// Something that two results differ in, other than their figures.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
/// for (side, driver) in [("before", "550.54"), ("after", "570.86")] {
///     std::fs::create_dir(folder.join(side))?;
///     let text = format!(r#"{{"job_id": "7", "node": "gpu05", "driver": "{driver}"}}"#);
///     std::fs::write(folder.join(side).join("run_7.json"), text)?;
/// }
/// use nim_slurm::results::{Difference, Run};
///
/// let (before, after) = (Run::read(folder.join("before"))?, Run::read(folder.join("after"))?);
/// let differences = Difference::between(&before, &after);
/// assert_eq!(differences.len(), 1);
/// let Difference { what, before, after, .. } = &differences[0];
/// assert_eq!((*what, before.as_str(), after.as_str()), ("driver", "550.54", "570.86"));
/// assert_eq!(differences[0].to_string(), "driver: 550.54 -> 570.86");
/// assert!(!differences[0].is_another_measurement());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What differs: `tool`, `model`, `driver`, …
    pub what: &'static str,
    /// What it was; of a command, the words that only the earlier one has. Fit for a terminal.
    pub before: String,
    /// What it is.
    pub after: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            what,
            before,
            after,
        } = self;
        f.pad(&format!("{what}: {before} -> {after}"))
    }
}

/// The values of each side, by what they are.
type Facts = BTreeMap<usize, BTreeSet<String>>;

const LENGTH: &str = "output tokens of an answer";

/// A larger share by which a point's answers are longer or shorter is told.
const LENGTHS_DIFFER: f64 = 0.02;

/// What is compared: what decides whether two results can be compared at all comes first.
const WHAT: [&str; 25] = [
    "tool",
    "model",
    "tool's release",
    "requests of a point",
    "load of a point",
    LENGTH,
    "recipe",
    "server's image",
    "client's image",
    "weights",
    "engine",
    "tokenizer",
    "server's command",
    "server's environment",
    "client's command",
    "data sets",
    "the site's hooks and mounts",
    "GPU model",
    "driver",
    "GPUs",
    "nodes",
    "servers",
    "prefix cache",
    "node",
    "nim-slurm's release",
];

/// Places in [`WHAT`] that have many values, of which those that both sides have are not told.
const LISTS: [&str; 5] = [
    "server's command",
    "server's environment",
    "client's command",
    "the site's hooks and mounts",
    "load of a point",
];

/// The keys of a point's `measurement.txt`, and what they are.
const KEYS: [(&str, &str); 13] = [
    ("server_image", "server's image"),
    ("client_image", "client's image"),
    ("model", "weights"),
    ("tokenizer", "tokenizer"),
    ("gpu_model", "GPU model"),
    ("gpus", "GPUs"),
    ("nodes", "nodes"),
    ("replicas", "servers"),
    ("prefix_cache", "prefix cache"),
    ("server_command", "server's command"),
    ("server_environment", "server's environment"),
    ("client_command", "client's command"),
    ("data", "data sets"),
];

impl Difference {
    /// What two results differ in: what their points, the manifests of their jobs, and the
    /// `measurement.txt` of points say, where both sides say something.
    #[must_use]
    pub fn between(before: &Run, after: &Run) -> Vec<Self> {
        let [(mut old, mut old_files), (mut new, mut new_files)] =
            [before, after].map(|run| (said(run), written(run)));
        let comparison = Comparison::new(before, after);
        for change in comparison.changes().iter().take(MOST_READ) {
            let (old, new) = (change.before(), change.after());
            add_own([(&mut old_files, old), (&mut new_files, new)]);
        }
        add_lengths([&mut old, &mut new], comparison.changes());
        let facts = |what: usize| {
            let both =
                |old: &Facts, new: &Facts| Some((old.get(&what)?.clone(), new.get(&what)?.clone()));
            let told = both(&old, &new);
            // A checksum may differ where the name is the same.
            let written = both(&old_files, &new_files);
            told.filter(|(old, new)| old != new).or(written)
        };
        let differences = (0..WHAT.len()).filter_map(|what| {
            let (old, new) = facts(what)?;
            (old != new).then(|| Self::of(WHAT[what], &old, &new))
        });
        differences.collect()
    }

    fn of(what: &'static str, old: &BTreeSet<String>, new: &BTreeSet<String>) -> Self {
        let words = |own: &BTreeSet<String>, others: &BTreeSet<String>| {
            let own: Vec<_> = if LISTS.contains(&what) {
                own.difference(others).collect()
            } else {
                own.iter().collect()
            };
            let separator = if LISTS.contains(&what) { " " } else { ", " };
            let texts: Vec<&str> = own.iter().map(|text| text.as_str()).collect();
            match texts.join(separator) {
                text if text.is_empty() => "(without)".to_owned(),
                text => shortened(&plain(&text)),
            }
        };
        Self {
            what,
            before: words(old, new),
            after: words(new, old),
        }
    }

    /// Whether figures of the two sides mean different things: another tool, or another model.
    #[must_use]
    pub fn is_another_measurement(&self) -> bool {
        ["tool", "model"].contains(&self.what)
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(['…']).collect()
}

fn place(what: &str) -> usize {
    let place = WHAT.iter().position(|own| *own == what);
    place.expect("each name is in the table")
}

fn add(facts: &mut Facts, what: &str, values: impl IntoIterator<Item = String>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_some() {
        facts.entry(place(what)).or_default().extend(values);
    }
}

/// What points and manifests say.
fn said(run: &Run) -> Facts {
    let mut facts = Facts::new();
    let points = || run.points().iter().flat_map(Point::runs);
    let tools = points().map(|point| point.tool().to_string());
    add(&mut facts, "tool", tools);
    let models = points().filter_map(|point| point.model().map(str::to_owned));
    add(&mut facts, "model", models);
    // What a job used that has no point here is of no figure.
    let jobs: BTreeSet<_> = points().filter_map(Point::run).map(RunId::as_str).collect();
    let of_points = |manifest: &&Manifest| {
        let job = manifest.job_id.as_ref().map(RunId::as_str);
        jobs.is_empty() || job.is_none_or(|job| jobs.contains(job))
    };
    for manifest in run.manifests().iter().filter(of_points) {
        add_manifest(&mut facts, manifest);
    }
    facts
}

fn add_manifest(facts: &mut Facts, manifest: &Manifest) {
    let image = |image: &Option<RunImage>| {
        let RunImage {
            file,
            reference,
            digest,
        } = image.clone()?;
        let name = reference.or(file)?;
        Some(digest.map_or(name.clone(), |digest| format!("{name} ({digest})")))
    };
    let servers = manifest.replicas.map(|replicas| {
        let word = manifest.replica_use.as_deref().unwrap_or_default();
        format!("{replicas} {word}")
    });
    for (what, value) in [
        ("recipe", manifest.recipe.clone()),
        ("server's image", image(&manifest.images.server)),
        ("client's image", image(&manifest.images.client)),
        ("weights", manifest.weights.clone()),
        ("engine", manifest.engine.clone()),
        ("tokenizer", manifest.tokenizer.clone()),
        ("GPU model", manifest.gpu_model.clone()),
        ("driver", manifest.driver.clone()),
        ("GPUs", manifest.gpus.map(|gpus| gpus.to_string())),
        ("servers", servers),
        ("prefix cache", manifest.prefix_cache.clone()),
        ("node", manifest.node.clone()),
        ("nim-slurm's release", manifest.crate_version.clone()),
    ] {
        add(facts, what, value);
    }
    for (what, words) in [
        ("server's command", &manifest.server_command),
        ("server's environment", &manifest.server_environment),
        ("client's command", &manifest.client_command),
    ] {
        add(facts, what, words.clone());
    }
}

/// What stands in the `measurement.txt` of a point of each job.
fn written(run: &Run) -> Facts {
    let mut facts = Facts::new();
    let mut jobs = BTreeSet::new();
    for point in run.points().iter().flat_map(Point::runs) {
        if jobs.len() >= MOST_READ {
            break;
        }
        let job = point.run().map(RunId::as_str);
        let Some(job) = job.filter(|job| !jobs.contains(job)) else {
            continue;
        };
        jobs.insert(job);
        for (key, value) in measured::of(point) {
            if key == "of_the_site" {
                add(&mut facts, LISTS[3], [value]);
            } else if let Some((_, what)) = KEYS.iter().find(|(own, _)| *own == key) {
                add(&mut facts, what, [value]);
            }
        }
    }
    facts
}

/// What is a point's own, where the two sides' runs of it differ in that.
fn add_own(sides: [(&mut Facts, &Point); 2]) {
    let own = sides
        .each_ref()
        .map(|(_, point)| measured::own(&point.runs()[0]));
    if own[0] == own[1] || own.iter().any(Vec::is_empty) {
        return;
    }
    for ((facts, _), own) in sides.into_iter().zip(own) {
        for (key, value) in own {
            let what = if key == "requests" {
                "requests of a point"
            } else {
                LISTS[4]
            };
            add(facts, what, [value]);
        }
    }
}

/// How long the answers are in points that have others on the other side: the shortest and the longest mean.
fn add_lengths(sides: [&mut Facts; 2], changes: &[Change<'_>]) {
    let changes = changes.iter();
    let differ: Vec<_> = changes
        .filter(|change| change.has_other_length(LENGTHS_DIFFER))
        .map(|change| [change.before(), change.after()])
        .collect();
    for (side, facts) in sides.into_iter().enumerate() {
        let points = differ.iter().map(|both| both[side]);
        let lengths =
            points.filter_map(|point| point.value(Metric::OutputSequenceLength, Statistic::Avg));
        let ends = [f64::min, f64::max].map(|end: fn(f64, f64) -> f64| lengths.clone().reduce(end));
        let text = match ends.map(|end| Some(format!("{:.1}", end?))) {
            [Some(least), Some(most)] if least == most => least,
            [Some(least), Some(most)] => format!("{least} to {most}"),
            _ => continue,
        };
        add(facts, LENGTH, [text]);
    }
}
