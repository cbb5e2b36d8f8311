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

mod client;
mod client_options;
mod genai_perf;
mod model;
mod server;
mod sweep;
mod tasks;
mod values;

use std::num::NonZeroU32;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

pub use self::client::{Client, ClientTool, Goodput};
pub use self::genai_perf::GenaiPerfVersion;
pub(crate) use self::genai_perf::{DEFAULT_TOKENIZER, Feature};
pub(crate) use self::model::{ENGINE_LINK, INDEX};
pub use self::model::{Engine, Model, ModelSource, Weights};
pub use self::server::{Architecture, Server, Variant};
pub use self::sweep::{ArrayBy, Point, ReplicaUse, Sweep};
pub use self::values::{
    AiperfVersion, ByteSize, FileName, FilePattern, HuggingFaceModel, Milliseconds, ModelPath,
    NgcModel, RecipeName, ResultName, ServedModelName, Tokenizer, TokenizerRevision, UrlPath,
    UseCase, VariantName, Word,
};
use crate::error::FileError;
use crate::jobs::Jobs;

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
