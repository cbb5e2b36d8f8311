//! What the server serves, and where it comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ByteSize, FileName, FilePattern, HuggingFaceModel, ModelPath, NgcModel, setters};

/// The name of the link, in the model's folder, through which the server finds
/// its engine.
pub(crate) const ENGINE_LINK: &str = "trtllm_engine";

/// Names the shards of weights.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

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
/// let again = nim_slurm::recipe::Model::new(model.weights.clone());
/// assert_eq!(again.with_engine(model.engine.clone().unwrap()), model);
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

impl Model {
    /// Weights, without an engine.
    ///
    /// ```
    /// use nim_slurm::Recipe;
    /// use nim_slurm::recipe::Model;
    ///
    /// let with_engine = Recipe::llama3_70b_h100x4_fp8().model;
    /// assert_eq!(Model::new(with_engine.weights).engine, None);
    /// ```
    #[must_use]
    pub const fn new(weights: Weights) -> Self {
        Self {
            weights,
            engine: None,
        }
    }

    setters! {
        /// Adds an engine, in a folder inside the weights' folder.
        with_engine: engine = Engine;
    }
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
    /// Files that are not fetched, as patterns of the Hugging Face CLI: `original/*`. A plan takes none that is among `files`,
    /// nor shards where the index is.
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

    /// Leaves these files out: only of weights from the Hugging Face hub. A plan takes none of a file that must be there.
    ///
    /// ```
    /// let mut recipe = nim_slurm::Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    /// recipe.model.weights = recipe.model.weights.with_exclude(["original/*".parse()?]);
    /// assert!(recipe.to_toml().contains("exclude = [\"original/*\"]"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_exclude(mut self, files: impl IntoIterator<Item = FilePattern>) -> Self {
        self.exclude = files.into_iter().collect();
        self
    }

    /// Whether the model's folder is below the stage path.
    #[must_use]
    pub const fn are_staged(&self) -> bool {
        !matches!(self.source, ModelSource::Path(_))
    }

    /// The files that are looked for by name: the shards are named by their index, where
    /// there is one.
    pub(crate) fn files_to_find(&self) -> impl Iterator<Item = &str> {
        let has = |name: &str| self.files.iter().any(|file| file.as_str() == name);
        let (has_index, files) = (has(INDEX), self.files.iter().map(FileName::as_str));
        let is_shard = |file: &str| file.ends_with(".safetensors") && !file.contains('/');
        files.filter(move |file| !(has_index && is_shard(file)))
    }

    /// What is left out and must be there all the same, with its pattern: a file by name, or a shard that the index names.
    pub(crate) fn excluded_file(&self) -> Option<(&FilePattern, &str)> {
        let has_index = self.files.iter().any(|file| file.as_str() == INDEX);
        let names = self.files.iter().map(FileName::as_str);
        let names = names.chain(has_index.then_some("model-00001-of-00002.safetensors"));
        let mut pairs = names.flat_map(|name| self.exclude.iter().map(move |p| (p, name)));
        pairs.find(|(pattern, name)| pattern.matches(name))
    }

    /// Whether a file with this name is one from which a tokenizer is loaded: a vocabulary in any of its forms, its settings or
    /// its code. Without any of them, no tool loads one. The same rule is in `templates/launch/image_and_model.sh`.
    pub(crate) fn is_of_tokenizer(name: &str) -> bool {
        OF_TOKENIZER.iter().any(|part| name.contains(part))
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

/// What names of a tokenizer's files have.
const OF_TOKENIZER: [&str; 7] = ["tok", "vocab", "tekken", "spm", "bpe", "dict.", ".model"];

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
/// assert_eq!(parts.count(), recipe.server.gpus as usize);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launch_has_the_same_rule_of_tokenizers() {
        let launch = include_str!("../../templates/launch/image_and_model.sh");
        let rule = OF_TOKENIZER.join("|").replace('.', r"\.");
        assert!(launch.contains(&format!(" =~ {rule} ]]")), "{rule}");
    }
}
