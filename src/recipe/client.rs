//! What measures the server.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{
    AiperfVersion, Architecture, ByteSize, GenaiPerfVersion, Milliseconds, Tokenizer,
    TokenizerRevision,
};
use crate::container::{Image, SquashFile};

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
    /// Whether requests say `ignore_eos`, so that an answer goes on to its full length;
    /// they do by default. A server that refuses the field is measured without it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub ignore_eos: bool,
    /// Whether requests say `min_tokens`, so that an answer does not end before its full
    /// length; they do by default.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub min_tokens: bool,
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

impl Client {
    /// The image's file below the stage path.
    #[must_use]
    pub fn squash_file(&self) -> SquashFile {
        self.file
            .clone()
            .unwrap_or_else(|| self.image.squash_file())
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own form")]
const fn is_yes(value: &bool) -> bool {
    *value
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
