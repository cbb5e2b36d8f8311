//! What is run: the server, its model, the client, and the sweep.

mod client_options;
mod genai_perf;
mod values;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

pub use self::genai_perf::GenaiPerfVersion;
pub(crate) use self::genai_perf::{DEFAULT_TOKENIZER, Feature};
pub use self::values::{
    AiperfVersion, ByteSize, FileName, Milliseconds, NgcModel, RecipeName, ResultName,
    ServedModelName, Tokenizer, TokenizerRevision, UrlPath, UseCase, Word,
};
use crate::container::{EnvName, Image, SquashFile};
use crate::error::FileError;
use crate::jobs::Jobs;

/// The name of the link, in the model's folder, through which the server finds
/// its engine.
pub(crate) const ENGINE_LINK: &str = "trtllm_engine";

/// A benchmark: a server that serves a model, and a client that measures it.
///
/// A recipe says nothing about the cluster; that is what
/// [`Settings`](crate::Settings) are for. The built-in one is
/// [`Recipe::llama3_70b_h100x4_fp8`]; others are read from TOML. The keys are
/// documented in the built-in recipe's own file,
/// `src/recipe/llama3-70b-h100x4-fp8.toml`.
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// How many GPUs the server uses.
    pub gpus: NonZeroU32,
    /// The command, a word each, with [placeholders](Word#placeholders).
    pub command: Vec<Word>,
    /// The name under which the server's API knows the model.
    pub served_model_name: ServedModelName,
    /// The TCP port on which the server listens.
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
}

/// What the server serves: weights, and an engine built for its GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The weights. Their folder is the model's folder.
    pub weights: Download,
    /// The engine, in a folder inside the weights' folder.
    pub engine: Download,
}

/// A model version on NGC, and what it must consist of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// What NGC is asked for.
    pub ngc: NgcModel,
    /// How much it is in all. One hundredth may be missing, since NGC rounds.
    pub size: ByteSize,
    /// Files that must be there.
    pub files: Vec<FileName>,
}

/// What measures the server: GenAI-Perf or AIPerf in its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
/// recipe.client.goodput = Some(Goodput {
///     time_to_first_token: Some("500".parse()?),
///     inter_token_latency: Some("12.5".parse()?),
///     ..Goodput::default()
/// });
/// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
}

/// The processor that an image is made for.
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
        Self::from_toml(include_str!("recipe/llama3-70b-h100x4-fp8.toml"))
            .expect("the built-in recipe is valid")
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
