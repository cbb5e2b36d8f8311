//! What is run: the server, its model, the client, and the sweep.
//!
//! ```
//! use nim_slurm::Recipe;
//!
//! let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
//! recipe.sweep.use_cases = vec!["rag:4096/256".parse()?];
//! recipe.server.ready_timeout = 3600;
//! assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe); // a file for --recipe
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod client_options;
mod data_set;
mod genai_perf;
mod model;
mod own_options;
mod search;
mod server;
mod sweep;
mod tasks;
mod use_case;
mod values;

use camino::Utf8Path;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::client::{Client, ClientTool, Goodput};
pub use self::data_set::{DataFile, DataFormat, DataSet};
pub use self::genai_perf::GenaiPerfVersion;
pub(crate) use self::genai_perf::{DEFAULT_TOKENIZER, Feature};
pub(crate) use self::model::{ENGINE_LINK, INDEX};
pub use self::model::{Engine, Model, ModelSource, Weights};
pub use self::own_options::ClientOptions;
pub(crate) use self::search::SEARCHED;
pub use self::search::{Precision, Search};
pub use self::server::{Architecture, PrefixCache, Server, Variant};
pub use self::sweep::{ArrayBy, ReplicaUse, Sweep, SweepPoint};
pub use self::use_case::{Arrival, Prefix, Seconds, UseCase};
pub use self::values::{
    AiperfVersion, ByteSize, FileName, FilePattern, HuggingFaceModel, Milliseconds, ModelPath,
    NgcModel, RecipeName, ResultName, ServedModelName, Tokenizer, TokenizerRevision, UrlPath,
    VariantName, Word,
};
use crate::input::FileError;
pub use crate::ladder::SearchedLoad;
pub use crate::ladder::{Climb, Ladder};

use crate::job_options::{JobOptions, not_for_recipes};

/// Methods that set a field of a part, for what has a default.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $field:ident = $type:ty;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $field: $type) -> Self {
                self.$field = $field.into();
                self
            }
        )*
    };
}

use setters;

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

macro_rules! sample {
    ($source:literal) => {
        sample!($source, "'a:1/1'")
    };
    ($source:literal, $use_case:literal) => {
        concat!(
            "name = 'a'\nserver = { image = 'a:b', gpus = 1, served_model_name = 'a', command = ['a'], ",
            "environment = {}, variants = [{ name = 'a' }] }\n",
            "model.weights = { size = '1 B', files = ['a'], ", $source, " }\n",
            "model.engine = { ngc = 'a/b:c', size = '1 B', files = ['a'] }\n",
            "client = { image = 'a:b', tool = { genai_perf = '25.01' } }\n",
            "sweep = { use_cases = [",
            $use_case,
            "], concurrency = [1], search = { to = 1 } }\n",
        )
    };
}

/// Recipes that have all tables and all that must be said, one for each source of weights.
/// A mistake in a recipe is what none of them takes in place of its own.
const SAMPLES: &[&str] = &[
    sample!("ngc = 'a/b:c'"),
    sample!("hugging_face = 'a/b@0000000000000000000000000000000000000000'"),
    sample!("path = '/a'"),
    sample!(
        "path = '/a'",
        "{ name = 'a', input = 1, output = 1, request_rate = [1] }"
    ),
    sample!(
        "path = '/a'",
        "{ name = 'a', output = 1, data = { file = '/a/b.json', format = 'prompts' } }"
    ),
];

/// A benchmark: a server that serves a model, and a client that measures it.
///
/// A recipe says nothing about the cluster; that is what
/// [`Settings`](crate::Settings) are for. Some are [built in](Recipe::BUILT_IN), first
/// of all [`Recipe::llama3_70b_h100x4_fp8`]; others are [built in Rust](Recipe::new), or
/// read from TOML. The keys are documented in that recipe's own file,
/// `src/recipe/llama3-70b-h100x4-fp8.toml`. A file with a number that is 0 is refused; of a
/// recipe that is built in Rust, [`Plan::new`](crate::Plan::new) names them all.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let recipe = Recipe::llama3_70b_h100x4_fp8()
///     .with_concurrency([1, 8])
///     .with_use_cases(["chat:128/128".parse()?]);
/// assert_eq!(recipe.server.gpus, 4);
///
/// // What is printed can be read again.
/// assert_eq!(Recipe::from_toml(&recipe.to_toml())?, recipe);
/// // Tokens may be counted by a tokenizer in the client's container.
/// let recipe = recipe.with_tokenizer("/data/tokenizer".parse()?);
/// let recipe = recipe.with_result_name("llama".parse()?).with_slurm(Default::default());
/// assert_eq!(recipe.client.tokenizer.unwrap().as_str(), "/data/tokenizer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Recipe {
    /// Names the recipe in scripts and manifests.
    pub name: RecipeName,
    /// The first part of the name of a result's folder; by default the recipe's
    /// [name](Self::name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_name: Option<ResultName>,
    /// The inference server.
    pub server: Server,
    /// What the server serves.
    pub model: Model,
    /// What measures it.
    pub client: Client,
    /// Which points are measured.
    pub sweep: Sweep,
    /// Options of sbatch that hold unless the settings say otherwise: those that are
    /// [for recipes](crate::slurm::OptionName::is_for_recipes).
    #[serde(
        default,
        deserialize_with = "for_recipes",
        skip_serializing_if = "JobOptions::is_empty"
    )]
    pub slurm: JobOptions,
}

impl Recipe {
    /// A recipe of these parts. What has a default in TOML has the same here, and a
    /// `with_…` method of its part changes it.
    ///
    /// The same recipe, in Rust and in TOML:
    ///
    /// ```
    /// use nim_slurm::recipe::{
    ///     Client, ClientTool, Model, ModelSource, Recipe, Server, Sweep, Weights, Word,
    /// };
    ///
    /// let command = "vllm serve {model_path} --served-model-name {served_model_name} --port {port}";
    /// let server = Server::new(
    ///     "vllm/vllm-openai:v0.9.2".parse()?,
    ///     1, // GPUs
    ///     "Qwen/Qwen3-0.6B".parse()?,
    ///     Word::parse_all(command.split(' '))?,
    /// );
    /// let commit = "c1899de289a04d12100db370d81485cdf75e47ca";
    /// let weights = Weights::new(
    ///     ModelSource::HuggingFace(format!("Qwen/Qwen3-0.6B@{commit}").parse()?),
    ///     "1.5 GB".parse()?,
    ///     vec!["config.json".parse()?, "model.safetensors".parse()?],
    /// );
    /// let tool = ClientTool::GenaiPerf("25.01".parse()?);
    /// let client = Client::new("nvcr.io/nvidia/tritonserver:25.01-py3-sdk".parse()?, tool);
    /// let sweep = Sweep::new(["chat:128/128".parse()?], [1, 8]);
    /// let recipe = Recipe::new("qwen3-vllm".parse()?, server, Model::new(weights), client, sweep);
    ///
    /// let toml = r#"
    ///     name = "qwen3-vllm"
    ///     [server]
    ///     image = "vllm/vllm-openai:v0.9.2"
    ///     gpus = 1
    ///     served_model_name = "Qwen/Qwen3-0.6B"
    ///     command = [
    ///       "vllm", "serve", "{model_path}", "--served-model-name", "{served_model_name}", "--port", "{port}",
    ///     ]
    ///     [model.weights]
    ///     hugging_face = "Qwen/Qwen3-0.6B@c1899de289a04d12100db370d81485cdf75e47ca"
    ///     size = "1.5 GB"
    ///     files = ["config.json", "model.safetensors"]
    ///     [client]
    ///     image = "nvcr.io/nvidia/tritonserver:25.01-py3-sdk"
    ///     tool = { genai_perf = "25.01" }
    ///     [sweep]
    ///     use_cases = ["chat:128/128"]
    ///     concurrency = [1, 8]
    /// "#;
    /// assert_eq!(Recipe::from_toml(toml)?, recipe);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(
        name: RecipeName,
        server: Server,
        model: Model,
        client: Client,
        sweep: Sweep,
    ) -> Self {
        Self {
            name,
            result_name: None,
            server,
            model,
            client,
            sweep,
            slurm: JobOptions::default(),
        }
    }

    setters! {
        /// Begins the names of results' folders with this, in place of the recipe's name.
        with_result_name: result_name = ResultName;
        /// Sets options of sbatch that hold unless the settings say otherwise.
        with_slurm: slurm = JobOptions;
    }

    /// The first part of the name of a result's folder.
    ///
    /// ```
    /// use nim_slurm::{JobOptions, Recipe};
    ///
    /// let mut recipe = Recipe::llama3_70b_h100x4_fp8().with_slurm(JobOptions::default());
    /// recipe.result_name = None;
    /// assert_eq!(recipe.result_name().as_str(), "llama3-70b-h100x4-fp8");
    /// let recipe = recipe.with_result_name("llama".parse()?);
    /// assert_eq!(recipe.result_name().as_str(), "llama");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Never: the name of a recipe is one for results.
    #[must_use]
    pub fn result_name(&self) -> ResultName {
        self.result_name.clone().unwrap_or_else(|| {
            ResultName::parse(self.name.as_str()).expect("a recipe's name is one for results")
        })
    }

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
    /// assert_eq!((recipe.server.nodes, recipe.server.total_gpus()), (2, 16));
    /// assert_eq!(Recipe::built_in("deepseek"), None);
    /// ```
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let text = Self::built_in_toml(name)?;
        Some(Self::from_toml(text).expect("the built-in recipes are valid"))
    }

    /// The file of a built-in recipe, with the comments that explain its keys: a beginning
    /// for one of your own.
    ///
    /// ```
    /// use nim_slurm::Recipe;
    ///
    /// let text = Recipe::built_in_toml("llama3-70b-h100x4-fp8").unwrap();
    /// assert!(text.contains("# GPUs that the server uses on each node.\ngpus = 4\n"));
    /// assert_eq!(Recipe::from_toml(text)?, Recipe::llama3_70b_h100x4_fp8());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn built_in_toml(name: &str) -> Option<&'static str> {
        let (_, text) = BUILT_IN.iter().find(|(own, _)| *own == name)?;
        Some(text)
    }

    /// The recipe in a file, or the built-in one of this name. A file wins over a name, a folder does not.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); and when there is neither, with the built-in one that was
    /// probably meant.
    ///
    /// ```
    /// use nim_slurm::Recipe;
    ///
    /// assert!(Recipe::find("tests/data/recipes/llama-cpp.toml").is_ok());
    /// assert!(Recipe::find("llama3-70b-h100x4-fp8").is_ok());
    /// let error = Recipe::find("llama3-70b-h100x4").unwrap_err();
    /// assert!(error.to_string().ends_with("perhaps llama3-70b-h100x4-fp8 is meant"));
    /// ```
    pub fn find(name: impl AsRef<Utf8Path>) -> Result<Self, FileError> {
        let path = name.as_ref();
        let is_named = path.parent().is_none_or(|folder| folder == "");
        match Self::built_in(path.as_str()) {
            // Its scripts may be in a folder of its name.
            Some(recipe) if !path.exists() || path.is_dir() => Ok(recipe),
            None if is_named && !path.exists() => Err(FileError::no_recipe(path, Self::BUILT_IN)),
            _ => Self::read(path),
        }
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
        FileError::parse("recipe", None, text, SAMPLES)
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
        FileError::parse("recipe", Some(path), &text, SAMPLES)
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

    /// Measures at these numbers of requests in flight instead, and searches for none.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: impl IntoIterator<Item = u32>) -> Self {
        self.sweep.concurrency = concurrency.into_iter().collect();
        self.sweep.search = None;
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

/// Reads what a recipe says of sbatch's options, and refuses what is not its to say.
fn for_recipes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<JobOptions, D::Error> {
    let jobs = JobOptions::deserialize(deserializer)?;
    match jobs.not_for_recipes().into_iter().next() {
        Some(option) => Err(serde::de::Error::custom(not_for_recipes(&option))),
        None => Ok(jobs),
    }
}
