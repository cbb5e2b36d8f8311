//! What holds for everything that the crate offers: it has an example, can be sent to and
//! shared with other threads, may grow where that is said, and shows no type of another crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use self::items::Item;
use self::same::assert_same;

#[path = "common/items.rs"]
mod items;
#[path = "common/same.rs"]
mod same;

/// What a reader finds in the documentation has an example, which is a test as well:
///
/// * the crate, each module, type, trait and function has one of its own;
/// * a method, a constant or another member of a type has one of its own, or the example of
///   its type calls it by its name.
///
/// Variants and fields are a part of their type.
#[test]
fn every_public_item_has_an_example() {
    let sources = items::sources();
    let mut items = items::items(&sources);
    let (_, root) = sources.iter().find(|(file, _)| file == "lib.rs").unwrap();
    items.push(Item {
        kind: "mod".to_owned(),
        name: "the crate".to_owned(),
        docs: items::inner_docs(root),
        ..Item::default()
    });
    let has_example = |item: &Item| !items::examples(&item.docs).is_empty();
    let mut missing = Vec::new();
    // What a macro makes has its example where the macro is called.
    items.retain(|item| !item.name.starts_with('$'));
    for item in &items {
        let own = items::type_of(&items, item);
        if item.owner.is_some() {
            assert!(own.is_some(), "{} is of no public type", item.path());
        }
        let is_shown = own.is_some_and(|own| items::uses(&items::examples(&own.docs), &item.name));
        if !has_example(item) && !is_shown {
            missing.push(format!("{} in src/{}", item.path(), item.file));
        }
    }
    assert!(missing.is_empty(), "no example: {missing:#?}");
    let with_own = items.iter().filter(|item| has_example(item)).count();
    println!(
        "{} public items, {with_own} with an example of their own",
        items.len()
    );
}

/// What the test above sees in a text.
#[test]
fn public_items_are_found() {
    let code = "\
/// A number.
///
/// ```
/// assert_eq!(Number::parse(\"1\")?.get(), 1);
/// ```
#[derive(
    Debug, Clone
)]
pub struct Number(u32);

impl<T: Into<u32>> Number<T> {
    /// The number.
    #[must_use]
    pub const fn get(&self) -> u32 {
        self.0
    }

    /// Not shown.
    pub fn double(
        &self,
    ) -> u32 {
        2 * self.0
    }

    fn hidden(&self) {}
}

value!(Number, \"number\");

words! {
    /// A word.
    ///
    /// ```text
    /// no example
    /// ```
    Word, \"word\" {
        /// One.
        One = \"one\",
    }
}

pub(crate) struct Hidden;

mod apart {
    pub trait Seen {}
}
";
    let macros = "\
macro_rules! value {
    ($type:ty, $name:literal) => {
        impl $type {
            pub fn parse(text: &str) -> Self {
                Self::check(text)
            }
        }
    };
}

macro_rules! words {
    ($($type:ident, $name:literal { $($variant:ident = $word:literal,)* })*) => {
        $(
            pub enum $type {
                $($variant,)*
            }

            value!($type, $name);
        )*
    };
}
";
    let sources = [("number.rs", code), ("value.rs", macros)];
    let sources = sources.map(|(file, code)| (file.to_owned(), code.to_owned()));
    let items = items::items(&sources);
    let found: Vec<_> = items
        .iter()
        .map(|item| (item.kind.as_str(), item.path()))
        .collect();
    let expected = [
        ("struct", "Number"),
        ("fn", "Number::get"),
        ("fn", "Number::double"),
        ("trait", "Seen"),
        ("fn", "Number::parse"),
        ("enum", "Word"),
        ("fn", "Word::parse"),
    ];
    assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())));
    let example = items::examples(&items[0].docs);
    let shown = |name| items::uses(&example, name);
    assert!(shown("parse") && shown("get") && !shown("double") && !shown("ge"));
    assert_eq!(items::examples(&items[5].docs), "");
    assert!(items[2].head.ends_with("-> u32 {"), "{}", items[2].head);
}

/// Whoever renders in one thread and submits in another needs it of each type.
#[test]
#[expect(clippy::too_many_lines, reason = "a list")]
fn types_can_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    let mut names = Vec::new();
    macro_rules! each {
        ($($type:ty),* $(,)?) => {
            $(
                crosses::<$type>();
                names.push(stringify!($type));
            )*
        };
    }
    each!(
        nim_slurm::Chain<'static>,
        nim_slurm::ChainError,
        nim_slurm::ChainJob,
        nim_slurm::Cluster,
        nim_slurm::LaunchOutcome,
        nim_slurm::Explanation,
        nim_slurm::FileError,
        nim_slurm::FileErrorKind,
        nim_slurm::FileMistake,
        nim_slurm::FolderPath,
        nim_slurm::Follower,
        nim_slurm::GpuRequest,
        nim_slurm::Hook,
        nim_slurm::HookPlace,
        nim_slurm::JobExit,
        nim_slurm::JobRecord,
        nim_slurm::JobState,
        nim_slurm::JobStatus,
        nim_slurm::JobOptions,
        nim_slurm::ModuleName,
        nim_slurm::Mpi,
        nim_slurm::NoProxy,
        nim_slurm::NodeUse,
        nim_slurm::RetryPolicy,
        nim_slurm::Plan,
        nim_slurm::PlanError,
        nim_slurm::PointProgress,
        nim_slurm::PointState,
        nim_slurm::Problem,
        nim_slurm::Progress,
        nim_slurm::Proxy,
        nim_slurm::ProxyUrl,
        nim_slurm::Queue,
        nim_slurm::Report<'static>,
        nim_slurm::Sbatch,
        nim_slurm::Script,
        nim_slurm::ScriptKind,
        nim_slurm::ServerState,
        nim_slurm::Settings,
        nim_slurm::StagePath,
        nim_slurm::StatusError,
        nim_slurm::SubmitError,
        nim_slurm::ValueError,
        nim_slurm::ValueErrorKind,
        nim_slurm::VariableError,
        nim_slurm::Cancellation,
        nim_slurm::WriteError,
        nim_slurm::WriteErrorKind,
        nim_slurm::WrittenFile,
        nim_slurm::container::EnvName,
        nim_slurm::container::Image,
        nim_slurm::container::Mount,
        nim_slurm::container::PyxisRelease,
        nim_slurm::container::Registry,
        nim_slurm::container::Runtime,
        nim_slurm::container::SquashFile,
        nim_slurm::preflight::Finding,
        nim_slurm::preflight::Preflight<'static>,
        nim_slurm::preflight::Severity,
        nim_slurm::recipe::AiperfVersion,
        nim_slurm::recipe::Architecture,
        nim_slurm::recipe::ArrayBy,
        nim_slurm::recipe::ByteSize,
        nim_slurm::recipe::Client,
        nim_slurm::recipe::ClientTool,
        nim_slurm::recipe::Engine,
        nim_slurm::recipe::FileName,
        nim_slurm::recipe::FilePattern,
        nim_slurm::recipe::GenaiPerfVersion,
        nim_slurm::recipe::Goodput,
        nim_slurm::recipe::HuggingFaceModel,
        nim_slurm::recipe::Milliseconds,
        nim_slurm::recipe::Model,
        nim_slurm::recipe::ModelPath,
        nim_slurm::recipe::ModelSource,
        nim_slurm::recipe::NgcModel,
        nim_slurm::recipe::SweepPoint,
        nim_slurm::recipe::Recipe,
        nim_slurm::recipe::RecipeName,
        nim_slurm::recipe::ReplicaUse,
        nim_slurm::recipe::ResultName,
        nim_slurm::recipe::ServedModelName,
        nim_slurm::recipe::Server,
        nim_slurm::recipe::Sweep,
        nim_slurm::recipe::Tokenizer,
        nim_slurm::recipe::TokenizerRevision,
        nim_slurm::recipe::UrlPath,
        nim_slurm::recipe::UseCase,
        nim_slurm::recipe::Variant,
        nim_slurm::recipe::VariantName,
        nim_slurm::recipe::Weights,
        nim_slurm::recipe::Word,
        nim_slurm::results::Change<'static>,
        nim_slurm::results::Comparison<'static>,
        nim_slurm::results::GpuMetric,
        nim_slurm::results::Group<'static>,
        nim_slurm::results::RunImages,
        nim_slurm::results::Limits,
        nim_slurm::results::Manifest,
        nim_slurm::results::Metric,
        nim_slurm::results::OtherMetric,
        nim_slurm::results::Point,
        nim_slurm::results::PointName,
        nim_slurm::results::ReadError,
        nim_slurm::results::ReadProblem,
        nim_slurm::results::Run,
        nim_slurm::results::RunId,
        nim_slurm::results::RunImage,
        nim_slurm::results::Statistic,
        nim_slurm::results::Statistics,
        nim_slurm::results::Tool,
        nim_slurm::results::Unit,
        nim_slurm::results::Verdict,
        nim_slurm::slurm::Account,
        nim_slurm::slurm::AcctgFreq,
        nim_slurm::slurm::Array,
        nim_slurm::slurm::BootDelay,
        nim_slurm::slurm::ClusterConstraint,
        nim_slurm::slurm::Clusters,
        nim_slurm::slurm::Comment,
        nim_slurm::slurm::Condition<'static>,
        nim_slurm::slurm::Conflict,
        nim_slurm::slurm::Constraint,
        nim_slurm::slurm::CoreSpec,
        nim_slurm::slurm::Count,
        nim_slurm::slurm::CpuFreq,
        nim_slurm::slurm::Deadline,
        nim_slurm::slurm::Dependency,
        nim_slurm::slurm::Directives,
        nim_slurm::slurm::ScriptBody,
        nim_slurm::slurm::OptionProblem,
        nim_slurm::slurm::DirectivesError,
        nim_slurm::slurm::BatchScript,
        nim_slurm::slurm::Distribution,
        nim_slurm::slurm::Exclusive,
        nim_slurm::slurm::Export,
        nim_slurm::slurm::FilePath,
        nim_slurm::slurm::Flag,
        nim_slurm::slurm::FreeText,
        nim_slurm::slurm::GpuBind,
        nim_slurm::slurm::GpuCount,
        nim_slurm::slurm::GpuFreq,
        nim_slurm::slurm::GpuType,
        nim_slurm::slurm::Gres,
        nim_slurm::slurm::GresEntry<'static>,
        nim_slurm::slurm::GresFlags,
        nim_slurm::slurm::Hint,
        nim_slurm::slurm::JobId,
        nim_slurm::slurm::JobName,
        nim_slurm::slurm::JobTime,
        nim_slurm::slurm::KillOnInvalidDep,
        nim_slurm::slurm::Licenses,
        nim_slurm::slurm::MailType,
        nim_slurm::slurm::MailUser,
        nim_slurm::slurm::MemBind,
        nim_slurm::slurm::MemUpdate,
        nim_slurm::slurm::Memory,
        nim_slurm::slurm::Need,
        nim_slurm::slurm::Nice,
        nim_slurm::slurm::NoKill,
        nim_slurm::slurm::NodeCount,
        nim_slurm::slurm::NodeList,
        nim_slurm::slurm::NodeShape,
        nim_slurm::slurm::OomKillStep,
        nim_slurm::slurm::OpenMode,
        nim_slurm::slurm::OptionName,
        nim_slurm::slurm::OutputPattern,
        nim_slurm::slurm::Partition,
        nim_slurm::slurm::Passthrough,
        nim_slurm::slurm::Power,
        nim_slurm::slurm::Priority,
        nim_slurm::slurm::Profile,
        nim_slurm::slurm::Propagate,
        nim_slurm::slurm::Qos,
        nim_slurm::slurm::Release,
        nim_slurm::slurm::Requeue,
        nim_slurm::slurm::Reservation,
        nim_slurm::slurm::ResvPorts,
        nim_slurm::slurm::Signal,
        nim_slurm::slurm::SmallCount,
        nim_slurm::slurm::SubmittedJob,
        nim_slurm::slurm::Switches,
        nim_slurm::slurm::ThreadSpec,
        nim_slurm::slurm::TimeLimit,
        nim_slurm::slurm::TresBind,
        nim_slurm::slurm::TresPerTask,
        nim_slurm::slurm::UnknownOption,
        nim_slurm::slurm::WaitAllNodes,
        nim_slurm::slurm::Wckey,
    );
    let name = |path: &&str| {
        path.split('<')
            .next()
            .unwrap()
            .rsplit("::")
            .next()
            .unwrap()
            .to_owned()
    };
    let tried = names.iter().map(name);
    let types = items::items(&items::sources())
        .into_iter()
        .filter(Item::is_type);
    assert_same(
        "each!(…) of tests/public.rs",
        tried,
        types.map(|item| item.name),
    );
}

/// What a later release may add to is `#[non_exhaustive]`: enums, and structs with public
/// fields. These have all that they will ever have.
const COMPLETE: [&str; 4] = [
    // Code and signal, as wait(2) has them.
    "JobExit",
    // Slurm knows the job, or nobody does.
    "JobStatus",
    // The three scripts, and a table for each.
    "JobOptions",
    "ScriptKind",
];

#[test]
fn what_may_grow_says_so() {
    let items = items::items(&items::sources());
    let is_open = |item: &&Item| item.kind == "enum" || item.has_public_fields;
    let is_marked = |item: &&Item| item.attributes.contains("#[non_exhaustive]");
    let (marked, complete): (Vec<_>, Vec<_>) = items.iter().filter(is_open).partition(is_marked);
    let complete = complete.iter().map(|item| item.name.as_str());
    let place = "COMPLETE of tests/public.rs, unless #[non_exhaustive] is meant,";
    assert_same(place, COMPLETE, complete);
    println!("{} types may grow", marked.len());
}

/// Crates whose types may be seen: paths that are text, and the traits that make a value
/// readable.
const MAY_BE_SEEN: [&str; 2] = ["camino", "serde"];

/// A new major release of a dependency is then no new major release of this crate.
#[test]
fn no_type_of_another_crate_is_seen() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    let hidden: Vec<_> = dependencies
        .keys()
        .map(|name| name.replace('-', "_"))
        .filter(|name| !MAY_BE_SEEN.contains(&name.as_str()))
        .collect();
    assert!(hidden.contains(&"toml".to_owned()), "{hidden:?}");
    let sources = items::sources();
    let items = items::items(&sources);
    let types: BTreeSet<_> = items
        .iter()
        .filter(|item| item.is_type())
        .map(|item| item.name.as_str())
        .collect();
    let mut seen = Vec::new();
    let mut lines = 0;
    for (file, code) in &sources {
        // A private type may have the name of a public one elsewhere.
        let private = code.lines().filter_map(|line| {
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            let name = line
                .strip_prefix("struct ")
                .or(line.strip_prefix("enum "))?;
            Some(items::first_word(name))
        });
        let types = &types - &private.collect();
        let surface = items::surface(code, &types);
        lines += surface.len();
        let taken = items::taken(code, &hidden);
        let found = surface
            .iter()
            .filter_map(|line| items::foreign(line, &hidden, &taken));
        seen.extend(found.map(|name| format!("{name} in src/{file}")));
    }
    assert_eq!(seen, [""; 0]);
    println!(
        "{lines} lines of declarations, none with a type of {}",
        hidden.join(", ")
    );

    // What the test above would see.
    let code = "\
use toml::de::{DeTable, DeValue as Value};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Seen {
    pub(crate) hidden: serde_json::Value,
    pub value: Option<Value>,
}

pub enum Also {
    One(#[from] toml::de::Error),
    Other(std::io::Error),
}

pub(crate) struct Hidden {
    own: DeTable,
}

impl From<serde_json::Error> for crate::Also {
    fn from(error: serde_json::Error) -> Self {
        let text: DeTable = todo!();
    }
}

impl From<serde_json::Error> for Hidden {}

impl Seen {
    pub fn read(
        table: &DeTable,
    ) -> Self {
        toml::from_str(table)
    }
}
";
    let surface = items::surface(code, &BTreeSet::from(["Seen", "Also"]));
    let taken = items::taken(code, &hidden);
    let found: Vec<_> = surface
        .iter()
        .filter_map(|line| items::foreign(line, &hidden, &taken))
        .collect();
    assert_eq!(
        found,
        ["Value", "toml", "serde_json", "DeTable"],
        "{surface:#?}"
    );
}
