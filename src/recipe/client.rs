//! What measures the server.

use serde::{Deserialize, Serialize};

use super::{
    AiperfVersion, Architecture, ByteSize, ClientOptions, GenaiPerfVersion, Milliseconds,
    Tokenizer, TokenizerRevision, setters,
};
use crate::container::{Image, SquashFile};

/// What measures the server: GenAI-Perf or AIPerf in its image.
///
/// ```
/// use nim_slurm::Recipe;
/// use nim_slurm::recipe::{Architecture, ClientOptions, Goodput};
///
/// let mut client = Recipe::llama3_70b_h100x4_fp8().client;
/// client.image = "nvcr.io/nvidia/tritonserver:24.12-py3-sdk".parse()?;
/// client.file = None; // named by the image
/// assert_eq!(client.squash_file().as_str(), "nvidia+tritonserver+24.12-py3-sdk.sqsh");
///
/// let client = client
///     .with_file("client.sqsh".parse()?)
///     .with_disk("12 GiB".parse()?)
///     .with_architecture(Architecture::Amd64)
///     .with_tokenizer("meta-llama/Llama-3.3-70B-Instruct".parse()?)
///     .with_tokenizer_revision("main".parse()?)
///     .with_tokenizer_trust_remote_code(false)
///     .with_ignore_eos(false)
///     .with_min_tokens(false)
///     .with_random_seed(42)
///     .with_goodput(Goodput::default().with_request_latency("10000".parse()?))
///     .with_options(ClientOptions::parse_all(["--extra-inputs", "temperature:0"])?);
/// assert_eq!((client.random_seed, client.squash_file().as_str()), (42, "client.sqsh"));
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
    /// Free space to ask for before the image is imported; 20 GiB by default.
    #[serde(default = "ByteSize::of_an_image")]
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
    /// What the seeds of the synthetic prompts come from; 0 by default. Each point has a seed
    /// of its own, worked out from this one, its use case and its concurrency, and as many
    /// prompts as requests: so no point measures what the server remembers of another one,
    /// and a point has the same prompts in every run.
    #[serde(default)]
    pub random_seed: u32,
    /// Which requests count for the goodput. GenAI-Perf since 0.0.6 (24.09).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goodput: Option<Goodput>,
    /// More options for the tool, the same at each point. They are part of what is measured.
    #[serde(default, skip_serializing_if = "ClientOptions::is_empty")]
    pub options: ClientOptions,
}

impl Client {
    /// A client with this tool in its image.
    ///
    /// ```
    /// use nim_slurm::recipe::{Client, ClientTool};
    ///
    /// let image = "nvcr.io/nvidia/tritonserver:25.01-py3-sdk".parse()?;
    /// let client = Client::new(image, ClientTool::GenaiPerf("25.01".parse()?));
    /// assert_eq!((client.random_seed, client.disk.to_string().as_str()), (0, "20 GiB"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(image: Image, tool: ClientTool) -> Self {
        Self {
            image,
            file: None,
            disk: ByteSize::of_an_image(),
            architecture: None,
            tool,
            tokenizer: None,
            tokenizer_revision: None,
            tokenizer_trust_remote_code: false,
            ignore_eos: true,
            min_tokens: true,
            random_seed: 0,
            goodput: None,
            options: ClientOptions::default(),
        }
    }

    setters! {
        /// Names the image's file below the stage path.
        with_file: file = SquashFile;
        /// Asks for this much free space before the image is imported.
        with_disk: disk = ByteSize;
        /// Names the processor that the image is for.
        with_architecture: architecture = Architecture;
        /// Counts tokens with this tokenizer.
        with_tokenizer: tokenizer = Tokenizer;
        /// Takes this revision of a tokenizer on the hub.
        with_tokenizer_revision: tokenizer_revision = TokenizerRevision;
        /// Lets the tokenizer run Python code of its own, or not.
        with_tokenizer_trust_remote_code: tokenizer_trust_remote_code = bool;
        /// Makes requests say `ignore_eos`, or not.
        with_ignore_eos: ignore_eos = bool;
        /// Makes requests say `min_tokens`, or not.
        with_min_tokens: min_tokens = bool;
        /// Sets the seed of the synthetic prompts.
        with_random_seed: random_seed = u32;
        /// Counts the requests that keep these limits.
        with_goodput: goodput = Goodput;
        /// Gives the tool these options, too.
        with_options: options = ClientOptions;
    }

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
/// let goodput = Goodput::default()
///     .with_time_to_first_token("500".parse()?)
///     .with_inter_token_latency("12.5".parse()?)
///     .with_request_latency("10000".parse()?);
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

impl Goodput {
    setters! {
        /// Limits the time from the request to the first token.
        with_time_to_first_token: time_to_first_token = Milliseconds;
        /// Limits the time between two tokens.
        with_inter_token_latency: inter_token_latency = Milliseconds;
        /// Limits the time from the request to the last token.
        with_request_latency: request_latency = Milliseconds;
    }
}
