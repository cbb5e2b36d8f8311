//! The server: its image, its command, and where it answers.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{ByteSize, ServedModelName, UrlPath, VariantName, Word};
use crate::container::{EnvName, Image, Runtime, SquashFile};

/// The inference server: its image, and how it is started.
///
/// ```
/// use nim_slurm::Recipe;
///
/// let mut server = Recipe::llama3_70b_h100x4_fp8().server;
/// assert_eq!(server.squash_file().as_str(), "nim+meta+llama3-70b-instruct+1.0.3.sqsh");
///
/// server.replicas = 2.try_into()?; // side by side on one node
/// assert_eq!((server.total_gpus(), server.gpus_per_node()), (4, 8));
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
    /// [`ArrayBy::Server`](super::ArrayBy::Server).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
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
    pub const fn gpus_per_node(&self) -> u32 {
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

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
fn is_one(number: &NonZeroU32) -> bool {
    *number == one()
}
