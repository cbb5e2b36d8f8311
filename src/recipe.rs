//! What is run: the server, its model, the client, and the sweep.
//!
//! ```
//! use nim_slurm::Recipe;
//!
//! let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
//! recipe.sweep.use_cases = vec!["rag:4096/256".parse()?];
//! recipe.server.ready_timeout = 3600.try_into()?;
//! assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe); // a file for --recipe
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client_options;
mod genai_perf;
mod tasks;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

pub use self::genai_perf::GenaiPerfVersion;
pub(crate) use self::genai_perf::{DEFAULT_TOKENIZER, Feature};
pub use self::values::{
    AiperfVersion, ByteSize, FileName, FilePattern, HuggingFaceModel, Milliseconds, ModelPath,
    NgcModel, RecipeName, ResultName, ServedModelName, Tokenizer, TokenizerRevision, UrlPath,
    UseCase, VariantName, Word,
};
use crate::container::{EnvName, Image, SquashFile};
use crate::error::FileError;
use crate::jobs::Jobs;

/// The name of the link, in the model's folder, through which the server finds
/// its engine.
pub(crate) const ENGINE_LINK: &str = "trtllm_engine";

/// Reads `recipe/NAME.toml` for each name.
macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("recipe/", $name, ".toml")))),*]
    };
}

/// The built-in recipes: each name is that of its file, and of the recipe in it. The first
/// is the one that is used when none is named.
const BUILT_IN: &[(&str, &str)] = &built_in![
    "llama3-70b-h100x4-fp8",
    "deepseek-r1-h100x16-nim",
    "llama3-3-70b-h100x4-vllm",
    "llama3-3-70b-h100x4-sglang",
    "llama3-3-70b-h100x4-trtllm",
];

/// A benchmark: a server that serves a model, and a client that measures it.
///
/// A recipe says nothing about the cluster; that is what
/// [`Settings`](crate::Settings) are for. Some are [built in](Recipe::BUILT_IN), first
/// of all [`Recipe::llama3_70b_h100x4_fp8`]; others are read from TOML. The keys are
/// documented in that recipe's own file, `src/recipe/llama3-70b-h100x4-fp8.toml`.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let recipe = Recipe::llama3_70b_h100x4_fp8()
///     .with_concurrency([1, 8].map(|n| n.try_into().unwrap()))
///     .with_use_cases(["chat:128/128".parse()?]);
/// assert_eq!(recipe.server.gpus.get(), 4);
///
/// // What is printed can be read again.
/// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
/// // Tokens may be counted by a tokenizer in the client's container.
/// let recipe = recipe.with_tokenizer("/data/tokenizer".parse()?);
/// assert_eq!(recipe.client.tokenizer.unwrap().as_str(), "/data/tokenizer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recipe {
    /// Names the recipe in scripts and manifests.
    pub name: RecipeName,
    /// The first part of the name of a result's folder.
    pub result_name: ResultName,
    /// The inference server.
    pub server: Server,
    /// What the server serves.
    pub model: Model,
    /// What measures it.
    pub client: Client,
    /// Which points are measured.
    pub sweep: Sweep,
    /// Options of sbatch that hold unless the settings say otherwise.
    #[serde(default, skip_serializing_if = "Jobs::is_empty")]
    pub slurm: Jobs,
}

/// The inference server: its image, and how it is started.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let mut server = Recipe::llama3_70b_h100x4_fp8().server;
/// assert_eq!(server.squash_file().as_str(), "nim+meta+llama3-70b-instruct+1.0.3.sqsh");
///
/// server.replicas = 2.try_into()?; // side by side on one node
/// assert_eq!((server.total_gpus(), server.gpus_of_a_node()), (4, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Server {
    /// The container image.
    pub image: Image,
    /// The image's file below the stage path; by default [`Image::squash_file`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SquashFile>,
    /// Free space to ask for before the image is imported.
    pub disk: ByteSize,
    /// The processor the image is for; by default that of the importing node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// How many nodes the server runs on, with a task on each; one by default.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub nodes: NonZeroU32,
    /// How many GPUs the server uses on each node.
    pub gpus: NonZeroU32,
    /// How many servers run side by side on one node, one by default: each on
    /// [`gpus`](Self::gpus) GPUs of its own, and on a port of its own, which are
    /// [`port`](Self::port) and those that follow it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub replicas: NonZeroU32,
    /// The command, a word each, with [placeholders](Word#placeholders).
    pub command: Vec<Word>,
    /// The name under which the server's API knows the model.
    pub served_model_name: ServedModelName,
    /// The TCP port on which the server listens; of several, the first one's.
    pub port: std::num::NonZeroU16,
    /// The path that answers 200 once the model is loaded.
    pub health_path: UrlPath,
    /// Seconds from the server's start until it must be ready.
    pub ready_timeout: NonZeroU32,
    /// Seconds between two signs of life that are asked of the server while a
    /// point is measured; it may take as long for each.
    pub probe_interval: NonZeroU32,
    /// Seconds that the server gets to end by itself.
    pub stop_timeout: NonZeroU32,
    /// Names of variables with secrets that the server needs.
    #[serde(default)]
    pub secrets: Vec<EnvName>,
    /// Variables for the server, with [placeholders](Word#placeholders). They
    /// win over those of the image.
    #[serde(default)]
    pub environment: BTreeMap<EnvName, Word>,
    /// Variants of the server, each measured by a task of its own of a job array:
    /// [`ArrayBy::Server`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

/// The server with something added.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{ArrayBy, Variant};
///
/// let mut long = Variant::new("long-batch".parse()?);
/// long.command = vec!["--max-num-seqs".parse()?, "512".parse()?];
/// let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
/// recipe.server.variants = vec![long];
/// recipe.sweep.array = Some(ArrayBy::Server);
/// assert!(recipe.to_toml().contains("[[server.variants]]\nname = \"long-batch\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variant {
    /// Stands behind the result name in the names of its results, with `-` between.
    pub name: VariantName,
    /// Words that follow those of [`Server::command`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<Word>,
    /// Variables beside those of [`Server::environment`], over which they win.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<EnvName, Word>,
}

impl Variant {
    /// The server as it is, under this name.
    #[must_use]
    pub const fn new(name: VariantName) -> Self {
        Self {
            name,
            command: Vec::new(),
            environment: BTreeMap::new(),
        }
    }
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
fn is_one(number: &NonZeroU32) -> bool {
    *number == one()
}

/// What the server serves: weights and, for a server that needs one, an engine built
/// for its GPUs.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let model = Recipe::llama3_70b_h100x4_fp8().model;
/// assert_eq!(model.weights.folder(), "llama3-70b-instruct_vhf");
/// assert!(model.engine.is_some());
///
/// // vLLM loads the weights as they are.
/// assert!(Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap().model.engine.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Model {
    /// The weights. Their folder is the model's folder.
    pub weights: Weights,
    /// The engine, in a folder inside the weights' folder. Most servers need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
}

/// A model's weights: where they come from, and what they must consist of.
///
/// In TOML, one of the keys `ngc`, `hugging_face` and `path` is the source.
///
/// ```
/// use nim_slurm::recipe::{ModelSource, Weights};
///
/// let weights: Weights = toml::from_str(
///     "hugging_face = 'Qwen/Qwen3-0.6B@c1899de289a04d12100db370d81485cdf75e47ca'
///      size = '1.5 GB'
///      files = ['config.json', 'model.safetensors']",
/// )?;
/// assert!(matches!(weights.source, ModelSource::HuggingFace(_)));
/// assert_eq!(weights.folder(), "Qwen3-0.6B_c1899de289a0");
/// assert!(toml::from_str::<Weights>("size = '1.5 GB'\nfiles = ['config.json']").is_err());
/// assert!(weights.are_staged()); // below the stage path
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WeightsTable", into = "WeightsTable")]
#[non_exhaustive]
pub struct Weights {
    /// Where they come from.
    pub source: ModelSource,
    /// How much it is in all. One hundredth may be missing, since NGC rounds.
    pub size: ByteSize,
    /// Files that must be there. Shards that the weights' index names need not be
    /// listed: they are checked as well.
    pub files: Vec<FileName>,
    /// Files that are not fetched, as patterns of the Hugging Face CLI: `original/*`.
    pub exclude: Vec<FilePattern>,
}

/// Where a model's weights come from.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::ModelSource;
///
/// let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
/// assert!(matches!(recipe.model.weights.source, ModelSource::HuggingFace(_)));
///
/// // They are on the cluster already.
/// recipe.model.weights.source = ModelSource::Path("/lustre/models/llama-3.3-70b".parse()?);
/// recipe.model.weights.exclude.clear();
/// assert!(recipe.to_toml().contains("path = \"/lustre/models/llama-3.3-70b\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelSource {
    /// NVIDIA's registry, by the NGC CLI.
    Ngc(NgcModel),
    /// The Hugging Face hub, by its CLI, `hf`.
    HuggingFace(HuggingFaceModel),
    /// They are there already, and only looked at.
    Path(ModelPath),
}

impl Weights {
    /// Weights of which these files must be there.
    ///
    /// ```
    /// use nim_slurm::recipe::{ModelSource, Weights};
    ///
    /// let source = ModelSource::Path("/lustre/models/llama-3.3-gguf".parse()?);
    /// let weights = Weights::new(source, "42 GB".parse()?, vec!["model.gguf".parse()?]);
    /// assert!(!weights.are_staged());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(source: ModelSource, size: ByteSize, files: Vec<FileName>) -> Self {
        Self {
            source,
            size,
            files,
            exclude: Vec::new(),
        }
    }

    /// Whether the model's folder is below the stage path.
    #[must_use]
    pub const fn are_staged(&self) -> bool {
        !matches!(self.source, ModelSource::Path(_))
    }

    /// The model's folder: below the stage path, or an absolute path.
    #[must_use]
    pub fn folder(&self) -> String {
        match &self.source {
            ModelSource::Ngc(model) => model.folder(),
            ModelSource::HuggingFace(model) => model.folder(),
            ModelSource::Path(path) => path.to_string(),
        }
    }
}

/// The source as the recipe writes it.
impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ngc(model) => model.fmt(f),
            Self::HuggingFace(model) => model.fmt(f),
            Self::Path(path) => path.fmt(f),
        }
    }
}

/// The form of [`Weights`] in TOML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightsTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ngc: Option<NgcModel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hugging_face: Option<HuggingFaceModel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<ModelPath>,
    size: ByteSize,
    files: Vec<FileName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<FilePattern>,
}

impl TryFrom<WeightsTable> for Weights {
    type Error = &'static str;

    fn try_from(table: WeightsTable) -> Result<Self, Self::Error> {
        let source = match (table.ngc, table.hugging_face, table.path) {
            (Some(model), None, None) => ModelSource::Ngc(model),
            (None, Some(model), None) => ModelSource::HuggingFace(model),
            (None, None, Some(path)) => ModelSource::Path(path),
            _ => return Err("weights have one source: ngc, hugging_face or path"),
        };
        if !table.exclude.is_empty() && !matches!(source, ModelSource::HuggingFace(_)) {
            return Err("exclude is for weights from hugging_face: all of another source is taken");
        }
        Ok(Self {
            source,
            size: table.size,
            files: table.files,
            exclude: table.exclude,
        })
    }
}

impl From<Weights> for WeightsTable {
    fn from(weights: Weights) -> Self {
        let mut table = Self {
            ngc: None,
            hugging_face: None,
            path: None,
            size: weights.size,
            files: weights.files,
            exclude: weights.exclude,
        };
        match weights.source {
            ModelSource::Ngc(model) => table.ngc = Some(model),
            ModelSource::HuggingFace(model) => table.hugging_face = Some(model),
            ModelSource::Path(path) => table.path = Some(path),
        }
        table
    }
}

/// An engine on NGC, and what it must consist of: among its files a part for each GPU,
/// `rank0.engine` and on.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let recipe = Recipe::llama3_70b_h100x4_fp8();
/// let engine = recipe.model.engine.unwrap();
/// let parts = engine.files.iter().filter(|file| file.as_str().starts_with("rank"));
/// assert_eq!(parts.count(), recipe.server.gpus.get() as usize);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Engine {
    /// What NGC is asked for.
    pub ngc: NgcModel,
    /// How much it is in all. One hundredth may be missing, since NGC rounds.
    pub size: ByteSize,
    /// Files that must be there.
    pub files: Vec<FileName>,
}

impl Engine {
    /// An engine of which these files must be there.
    ///
    /// ```
    /// use nim_slurm::recipe::Engine;
    ///
    /// let ngc = "nim/meta/llama3-70b-instruct:0.10.0+cbc614f5-h100x4-fp8-throughput".parse()?;
    /// let files = ["rank0.engine", "rank1.engine", "rank2.engine", "rank3.engine"];
    /// let files = files.map(|name| name.parse().unwrap()).to_vec();
    /// assert_eq!(Engine::new(ngc, "68.44 GiB".parse()?, files).files.len(), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(ngc: NgcModel, size: ByteSize, files: Vec<FileName>) -> Self {
        Self { ngc, size, files }
    }
}

/// What measures the server: GenAI-Perf or AIPerf in its image.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let mut client = Recipe::llama3_70b_h100x4_fp8().client;
/// client.image = "nvcr.io/nvidia/tritonserver:24.12-py3-sdk".parse()?;
/// client.file = None; // named by the image
/// assert_eq!(client.squash_file().as_str(), "nvidia+tritonserver+24.12-py3-sdk.sqsh");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Client {
    /// The container image.
    pub image: Image,
    /// The image's file below the stage path; by default [`Image::squash_file`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SquashFile>,
    /// Free space to ask for before the image is imported.
    pub disk: ByteSize,
    /// The processor the image is for; by default that of the importing node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// The tool in the image.
    pub tool: ClientTool,
    /// Counts tokens; by default the model's own tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<Tokenizer>,
    /// Which revision of a tokenizer on the hub; by default the tool's, its main branch.
    /// GenAI-Perf since 0.0.7 (24.10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer_revision: Option<TokenizerRevision>,
    /// Lets the tokenizer run Python code of its own. GenAI-Perf since 0.0.7 (24.10).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tokenizer_trust_remote_code: bool,
    /// The seed of the synthetic prompts.
    pub random_seed: u32,
    /// How many requests are sent before each point, which are not measured.
    /// GenAI-Perf since 0.0.9 (24.12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_requests: Option<NonZeroU32>,
    /// Which requests count for the goodput. GenAI-Perf since 0.0.6 (24.09).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
}

/// Limits on the latencies of one request, at least one of them. Goodput is the
/// throughput of the requests that keep all of them.
///
/// ```
/// use nim_slurm::recipe::{Goodput, Recipe};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// let mut goodput = Goodput::default();
/// goodput.time_to_first_token = Some("500".parse()?);
/// goodput.inter_token_latency = Some("12.5".parse()?);
/// recipe.client.goodput = Some(goodput);
/// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Goodput {
    /// From the request to the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<Milliseconds>,
    /// Between two tokens, as the request's average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inter_token_latency: Option<Milliseconds>,
    /// From the request to the last token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_latency: Option<Milliseconds>,
}

/// The tool that sends the requests and measures the answers, and its release,
/// which decides the options that there are.
///
/// ```
/// use nim_slurm::recipe::{ClientTool, Recipe};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.client.tool = ClientTool::Aiperf("0.13.0".parse()?);
/// assert!(recipe.to_toml().contains("aiperf = \"0.13.0\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientTool {
    /// GenAI-Perf, which Triton's SDK images have.
    GenaiPerf(GenaiPerfVersion),
    /// AIPerf, which came after it.
    Aiperf(AiperfVersion),
}

/// Which points are measured: each use case at each concurrency.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let sweep = Recipe::llama3_70b_h100x4_fp8()
///     .with_use_cases(["chat:128/128".parse()?, "rag:2048/128".parse()?])
///     .with_concurrency([1.try_into()?, 50.try_into()?])
///     .sweep;
/// let points = sweep.points(); // the highest concurrency first
/// assert_eq!((points.len(), points[0].concurrency.get()), (4, 50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sweep {
    /// Use cases: what goes in and comes out.
    pub use_cases: Vec<UseCase>,
    /// Requests in flight.
    pub concurrency: Vec<NonZeroU32>,
    /// A point sends this many requests for each one in flight …
    pub requests_per_concurrency: NonZeroU32,
    /// … but at least so many.
    pub min_requests: NonZeroU32,
    /// Seconds after which a point is given up.
    pub point_timeout: NonZeroU32,
    /// What several servers on one node do with the points.
    #[serde(default, skip_serializing_if = "ReplicaUse::is_default")]
    pub replicas: ReplicaUse,
    /// How the sweep is spread over the tasks of a job array; by default it is one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArrayBy>,
    /// How many tasks of the array may run at once; by default Slurm decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array_limit: Option<NonZeroU32>,
}

/// What a task of a job array measures. Each task starts a server of its own.
///
/// ```
/// use nim_slurm::recipe::ArrayBy;
/// use nim_slurm::slurm::OptionName;
/// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.sweep.array = Some(ArrayBy::UseCase);
/// recipe.sweep.array_limit = Some(1.try_into()?);
/// let plan = Plan::new(recipe, Settings::new())?;
/// let array = plan.directives(ScriptKind::Launch).get(OptionName::Array);
/// assert_eq!(array.as_deref(), Some("0-1%1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ArrayBy {
    /// One use case at all concurrencies, in the order of [`Sweep::use_cases`].
    UseCase,
    /// One point, in the order of [`Sweep::points`].
    Point,
    /// All points on one of [`Server::variants`].
    Server,
}

/// What several servers that run side by side do with the points of a sweep.
///
/// ```
/// use nim_slurm::recipe::{Recipe, ReplicaUse};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.server.replicas = 2.try_into()?;
/// recipe.sweep.replicas = ReplicaUse::Alike;
/// assert!(recipe.to_toml().contains("replicas = \"alike\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReplicaUse {
    /// The points are shared out: each is measured on one server, on whichever is free
    /// first. A sweep takes a part of the time.
    #[default]
    Share,
    /// Each point is measured on all servers at the same time: what a node does under
    /// full load. The point's folder has one for each server, `server-0`, `server-1`, …
    Alike,
}

impl ReplicaUse {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The processor that an image is made for.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::Architecture;
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.server.architecture = Some(Architecture::Arm64); // compute nodes with Grace
/// assert!(recipe.to_toml().contains("architecture = \"arm64\""));
/// assert_eq!(Architecture::Amd64.as_str(), "amd64");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// The name that enroot and OCI registries use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// One measurement: a use case at a concurrency.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let recipe = Recipe::llama3_70b_h100x4_fp8().with_concurrency([1.try_into()?, 50.try_into()?]);
/// let point = &recipe.sweep.points()[0];
/// let per_request = recipe.sweep.requests_per_concurrency.get();
/// assert_eq!(point.requests, u64::from(50 * per_request));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Point {
    /// What goes in and comes out.
    pub use_case: UseCase,
    /// Requests in flight.
    pub concurrency: NonZeroU32,
    /// Requests in all.
    pub requests: u64,
}

impl Recipe {
    /// Llama3-70B-Instruct with FP8 on four H100 GPUs: NIM 1.0.3 measured by
    /// GenAI-Perf from the Triton SDK image of 25.01.
    ///
    /// # Panics
    ///
    /// Never: the recipe is part of the crate, and a test reads it.
    #[must_use]
    pub fn llama3_70b_h100x4_fp8() -> Self {
        Self::built_in(Self::BUILT_IN[0]).expect("it is built in")
    }

    /// The names of the built-in recipes.
    ///
    /// ```
    /// use nim_slurm::Recipe;
    ///
    /// for name in Recipe::BUILT_IN {
    ///     assert_eq!(Recipe::built_in(name).unwrap().name.as_str(), *name);
    /// }
    /// ```
    pub const BUILT_IN: &[&str] = &{
        let mut names = [""; BUILT_IN.len()];
        let mut place = 0;
        while place < names.len() {
            names[place] = BUILT_IN[place].0;
            place += 1;
        }
        names
    };

    /// A built-in recipe, by its name; `None` when there is none of that name.
    ///
    /// # Panics
    ///
    /// Never: the recipes are part of the crate, and a test reads them.
    ///
    /// ```
    /// use nim_slurm::Recipe;
    ///
    /// let recipe = Recipe::built_in("deepseek-r1-h100x16-nim").unwrap();
    /// assert_eq!((recipe.server.nodes.get(), recipe.server.total_gpus()), (2, 16));
    /// assert_eq!(Recipe::built_in("deepseek"), None);
    /// ```
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(own, _)| *own == name)?;
        Some(Self::from_toml(text).expect("the built-in recipes are valid"))
    }

    /// Reads a recipe from TOML text.
    ///
    /// # Errors
    ///
    /// Names the line and the value: an unknown or missing key, a value that
    /// its type refuses, an empty or repeated list.
    ///
    /// ```
    /// let error = nim_slurm::Recipe::from_toml("name = 'my recipe'").unwrap_err();
    /// assert!(error.to_string().contains("1 | name = 'my recipe'"));
    /// assert!(error.to_string().contains("unexpected character ' ' in recipe name"));
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        toml::from_str(text).map_err(|error| FileError::syntax("recipe", None, &error))
    }

    /// Reads a recipe from a TOML file.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), with the file's name; also when the
    /// file cannot be read.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let recipe = Recipe::read("tests/data/recipes/llama-cpp.toml")?;
    /// assert!(Plan::new(recipe, Settings::new())?.launch().text().contains("llama-server"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Utf8Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let text = FileError::read("recipe", path)?;
        toml::from_str(&text).map_err(|error| FileError::syntax("recipe", Some(path), &error))
    }

    /// The recipe as TOML, which [`from_toml`](Self::from_toml) reads again.
    ///
    /// # Panics
    ///
    /// Never: everything in a recipe has a form in TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe has a form in TOML")
    }

    /// Measures at these numbers of requests in flight instead.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: impl IntoIterator<Item = NonZeroU32>) -> Self {
        self.sweep.concurrency = concurrency.into_iter().collect();
        self
    }

    /// Measures these use cases instead.
    #[must_use]
    pub fn with_use_cases(mut self, use_cases: impl IntoIterator<Item = UseCase>) -> Self {
        self.sweep.use_cases = use_cases.into_iter().collect();
        self
    }

    /// Counts tokens with this tokenizer instead.
    #[must_use]
    pub fn with_tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        self.client.tokenizer = Some(tokenizer);
        self
    }
}

impl Server {
    /// The GPUs that the server uses on all its nodes: the number in results' names. Of
    /// several servers, it is that of each.
    #[must_use]
    pub const fn total_gpus(&self) -> u32 {
        self.nodes.get().saturating_mul(self.gpus.get())
    }

    /// The GPUs that all servers use on each node.
    #[must_use]
    pub const fn gpus_of_a_node(&self) -> u32 {
        self.replicas.get().saturating_mul(self.gpus.get())
    }

    /// The image's file below the stage path.
    #[must_use]
    pub fn squash_file(&self) -> SquashFile {
        self.file
            .clone()
            .unwrap_or_else(|| self.image.squash_file())
    }
}

impl Client {
    /// The image's file below the stage path.
    #[must_use]
    pub fn squash_file(&self) -> SquashFile {
        self.file
            .clone()
            .unwrap_or_else(|| self.image.squash_file())
    }
}

impl Sweep {
    /// All points, in the order in which they are measured: the highest
    /// concurrency first, and at each the use cases as given.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let mut concurrencies = self.concurrency.clone();
        concurrencies.sort_unstable_by(|a, b| b.cmp(a));
        concurrencies
            .into_iter()
            .flat_map(|concurrency| {
                self.use_cases
                    .iter()
                    .map(move |use_case| self.point(use_case, concurrency))
            })
            .collect()
    }

    fn point(&self, use_case: &UseCase, concurrency: NonZeroU32) -> Point {
        let requests =
            u64::from(concurrency.get()) * u64::from(self.requests_per_concurrency.get());
        Point {
            use_case: use_case.clone(),
            concurrency,
            requests: requests.max(u64::from(self.min_requests.get())),
        }
    }
}
