//! The server: its image, its command, and where it answers.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};

use serde::{Deserialize, Deserializer, Serialize};

use super::{ByteSize, ServedModelName, UrlPath, VariantName, Word, setters};
use crate::container::{EnvName, Image, Runtime, SquashFile};

/// The inference server: its image, and how it is started.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{Architecture, PrefixCache};
///
/// let mut server = Recipe::llama3_70b_h100x4_fp8().server;
/// assert_eq!(server.squash_file().as_str(), "nim+meta+llama3-70b-instruct+1.0.3.sqsh");
///
/// server.replicas = 2; // side by side on one node
/// assert_eq!((server.total_gpus(), server.gpus_per_node()), (4, 8));
///
/// let server = server
///     .with_file("sglang.sqsh".parse()?)
///     .with_disk("15 GiB".parse()?)
///     .with_architecture(Architecture::Amd64)
///     .with_nodes(1)
///     .with_replicas(1)
///     .with_port(30000)
///     .with_health_path("/health_generate".parse()?)
///     .with_ready_timeout(3600) // seconds
///     .with_probe_interval(30)
///     .with_stop_timeout(10)
///     .with_prefix_cache(PrefixCache::Off)
///     .with_secrets(["LICENSE_KEY".parse()?])
///     .with_variable("HF_HUB_OFFLINE".parse()?, "1".parse()?)
///     .with_variants([]);
/// assert_eq!(server.squash_file().as_str(), "sglang.sqsh");
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
    /// Free space to ask for before the image is imported; 20 GiB by default.
    #[serde(default = "ByteSize::of_an_image")]
    pub disk: ByteSize,
    /// The processor the image is for; by default that of the importing node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// How many nodes the server runs on, with a task on each; one by default.
    #[serde(
        default = "one",
        deserialize_with = "at_least_one",
        skip_serializing_if = "is_one"
    )]
    pub nodes: u32,
    /// How many GPUs the server uses on each node.
    #[serde(deserialize_with = "at_least_one")]
    pub gpus: u32,
    /// How many servers run side by side on one node, one by default: each on
    /// [`gpus`](Self::gpus) GPUs of its own, and on a port of its own, which are
    /// [`port`](Self::port) and those that follow it.
    #[serde(
        default = "one",
        deserialize_with = "at_least_one",
        skip_serializing_if = "is_one"
    )]
    pub replicas: u32,
    /// The command, a word each, with [placeholders](Word#placeholders).
    pub command: Vec<Word>,
    /// The name under which the server's API knows the model.
    pub served_model_name: ServedModelName,
    /// The TCP port on which the server listens; of several, the first one's. 8000 by
    /// default.
    #[serde(default = "default_port", deserialize_with = "port")]
    pub port: u16,
    /// The path that answers 200 once the model is loaded; `/health` by default.
    #[serde(default = "UrlPath::health")]
    pub health_path: UrlPath,
    /// Seconds from the server's start until it must be ready; 1800 by default.
    #[serde(default = "number::<1800>", deserialize_with = "at_least_one")]
    pub ready_timeout: u32,
    /// Seconds between two looks at the server while a point is measured; 60 by default. It lives
    /// when it has made tokens since the last one, by its own counter, or else when it answers a
    /// small completion, for which it has as long. Twice without a sign of life end the job.
    #[serde(default = "number::<60>", deserialize_with = "at_least_one")]
    pub probe_interval: u32,
    /// Seconds that the server gets to end by itself; 30 by default.
    #[serde(default = "number::<30>", deserialize_with = "at_least_one")]
    pub stop_timeout: u32,
    /// What is meant of the server's prefix cache; by default [`On`](PrefixCache::On), which
    /// asks for nothing.
    #[serde(default, skip_serializing_if = "PrefixCache::is_on")]
    pub prefix_cache: PrefixCache,
    /// Names of variables with secrets that the server needs.
    #[serde(default)]
    pub secrets: Vec<EnvName>,
    /// Variables for the server, with [placeholders](Word#placeholders). They
    /// win over those of the image.
    #[serde(default)]
    pub environment: BTreeMap<EnvName, Word>,
    /// Variants of the server, each of which is measured. They take turns in one job, on the same
    /// GPUs: all points of one, then of the next, and again for each further
    /// [repeat](super::Sweep::repeat). With [`ArrayBy::Server`](super::ArrayBy::Server), each has a task
    /// of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

impl Server {
    /// A server on so many GPUs of one node, started by this command.
    ///
    /// ```
    /// use nim_slurm::recipe::{Server, Word};
    ///
    /// let server = Server::new(
    ///     "lmsysorg/sglang:v0.4.9".parse()?,
    ///     8, // GPUs of each node
    ///     "llama".parse()?,
    ///     Word::parse_all(["sglang", "serve", "{model_path}", "--port", "{port}"])?,
    /// )
    /// .with_nodes(2)
    /// .with_ready_timeout(3600) // seconds
    /// .with_variable("HF_HUB_OFFLINE".parse()?, "1".parse()?);
    /// assert_eq!((server.total_gpus(), server.port), (16, 8000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(
        image: Image,
        gpus: u32,
        served_model_name: ServedModelName,
        command: impl IntoIterator<Item = Word>,
    ) -> Self {
        Self {
            image,
            file: None,
            disk: ByteSize::of_an_image(),
            architecture: None,
            nodes: one(),
            gpus,
            replicas: one(),
            command: command.into_iter().collect(),
            served_model_name,
            port: default_port(),
            health_path: UrlPath::health(),
            ready_timeout: number::<1800>(),
            probe_interval: number::<60>(),
            stop_timeout: number::<30>(),
            prefix_cache: PrefixCache::On,
            secrets: Vec::new(),
            environment: BTreeMap::new(),
            variants: Vec::new(),
        }
    }

    setters! {
        /// Names the image's file below the stage path.
        with_file: file = SquashFile;
        /// Asks for this much free space before the image is imported.
        with_disk: disk = ByteSize;
        /// Names the processor that the image is for.
        with_architecture: architecture = Architecture;
        /// Runs the server on so many nodes.
        with_nodes: nodes = u32;
        /// Runs so many servers side by side on a node.
        with_replicas: replicas = u32;
        /// Sets the port on which the server listens.
        with_port: port = u16;
        /// Sets the path that answers 200 once the model is loaded.
        with_health_path: health_path = UrlPath;
        /// Gives the server so many seconds until it must be ready.
        with_ready_timeout: ready_timeout = u32;
        /// Asks for a sign of life each so many seconds.
        with_probe_interval: probe_interval = u32;
        /// Gives the server so many seconds to end by itself.
        with_stop_timeout: stop_timeout = u32;
        /// Says what is meant of the server's prefix cache.
        with_prefix_cache: prefix_cache = PrefixCache;
    }

    /// Hands these variables with secrets to the server.
    #[must_use]
    pub fn with_secrets(mut self, names: impl IntoIterator<Item = EnvName>) -> Self {
        self.secrets = names.into_iter().collect();
        self
    }

    /// Sets a variable for the server, beside those that are set.
    #[must_use]
    pub fn with_variable(mut self, name: EnvName, value: Word) -> Self {
        self.environment.insert(name, value);
        self
    }

    /// Measures these variants of the server.
    #[must_use]
    pub fn with_variants(mut self, variants: impl IntoIterator<Item = Variant>) -> Self {
        self.variants = variants.into_iter().collect();
        self
    }

    /// The GPUs that the server uses on all its nodes: the number in results' names. Of
    /// several servers, it is that of each.
    #[must_use]
    pub const fn total_gpus(&self) -> u32 {
        self.nodes.saturating_mul(self.gpus)
    }

    /// The GPUs that all servers use on each node.
    #[must_use]
    pub const fn gpus_per_node(&self) -> u32 {
        self.replicas.saturating_mul(self.gpus)
    }

    /// The image's file below the stage path.
    #[must_use]
    pub fn squash_file(&self) -> SquashFile {
        self.file
            .clone()
            .unwrap_or_else(|| self.image.squash_file())
    }
}

/// The server with something added.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{ArrayBy, Variant};
///
/// let long = Variant::new("long-batch".parse()?)
///     .with_command(["--max-num-seqs".parse()?, "512".parse()?])
///     .with_variable("VLLM_LOGGING_LEVEL".parse()?, "DEBUG".parse()?);
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
    /// Follows the result name in the names of its results, with `-` between.
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

    /// Adds these words to the server's command.
    #[must_use]
    pub fn with_command(mut self, words: impl IntoIterator<Item = Word>) -> Self {
        self.command = words.into_iter().collect();
        self
    }

    /// Sets a variable, beside those that are set.
    #[must_use]
    pub fn with_variable(mut self, name: EnvName, value: Word) -> Self {
        self.environment.insert(name, value);
        self
    }
}

/// What is meant of a server's prefix cache, which keeps the beginnings of prompts.
///
/// The server's own switch stands in its command or its variables; this says what it is set
/// to. Where the server counts (vLLM, SGLang with `--enable-metrics`), launch.sh reads its counters
/// before and after each point: with `Off` and `Flush`, a point fails when more than 1 % of the tokens
/// of its prompts came out of the cache. Elsewhere, reports say that this was not checked.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::PrefixCache;
///
/// let recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
/// assert_eq!(recipe.server.prefix_cache, PrefixCache::Off);
/// assert!(recipe.to_toml().contains("prefix_cache = \"off\""));
/// assert_eq!(PrefixCache::default().as_str(), "on"); // a recipe that does not say
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PrefixCache {
    /// It is off: vLLM's `--no-enable-prefix-caching`, SGLang's `--disable-radix-cache`,
    /// TensorRT-LLM's `enable_block_reuse: false`, NIM 1's `NIM_ENABLE_KV_CACHE_REUSE=0`, NIM 2's
    /// `NIM_PASSTHROUGH_ARGS=--no-enable-prefix-caching`.
    Off,
    /// It is emptied before each point, by POST `/reset_prefix_cache` (vLLM, with
    /// `VLLM_SERVER_DEV_MODE=1`) or `/flush_cache` (SGLang). A point whose server takes
    /// neither fails.
    Flush,
    /// It is as the server has it, and its hits are part of what is measured. Nothing is
    /// asked for, and reports have the share of hits.
    #[default]
    On,
}

impl PrefixCache {
    /// The word in a recipe.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Flush => "flush",
            Self::On => "on",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
    const fn is_on(&self) -> bool {
        matches!(self, Self::On)
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
    /// The name that OCI registries, apptainer and podman use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The name that a runtime's `--arch` takes. enroot wants the kernel's (`debarch` in its
    /// src/common.sh), and ends with "Unsupported architecture" at any other.
    pub(crate) const fn name_for(self, runtime: Runtime) -> &'static str {
        match (runtime, self) {
            (Runtime::Pyxis, Self::Amd64) => "x86_64",
            (Runtime::Pyxis, Self::Arm64) => "aarch64",
            (Runtime::Apptainer | Runtime::Podman, _) => self.as_str(),
        }
    }
}

const fn one() -> u32 {
    1
}

const fn default_port() -> u16 {
    8000
}

/// A default, named by serde.
pub(super) const fn number<const N: u32>() -> u32 {
    N
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
fn is_one(number: &u32) -> bool {
    *number == one()
}

/// What a plan refuses is a mistake of the file's line.
pub(super) fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    NonZeroU32::deserialize(deserializer).map(NonZeroU32::get)
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    NonZeroU16::deserialize(deserializer).map(NonZeroU16::get)
}
