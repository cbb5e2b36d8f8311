//! The values of a recipe that have a form of their own.

use std::fmt;

use crate::container::EnvName;
use crate::container::mount::mountable_folder;
use crate::plain::is_hidden;
use crate::slurm::without_options;
use crate::value::{Fault, ValueError, at_most, nearest, only, text_value, value};

/// A recipe's name: small letters, digits and `-`, not `-` first or last.
///
/// Those that are built in are named MODEL-GPUs-SERVER, as `llama3-3-70b-h100x4-vllm` is: `h100x4`
/// are the GPUs of all nodes. The first one has its engine's precision in place of the server.
///
/// ```
/// use nim_slurm::recipe::RecipeName;
///
/// assert_eq!(RecipeName::parse("llama3-70b")?.as_str(), "llama3-70b");
/// assert!(RecipeName::parse("Llama 3").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecipeName(String);

impl RecipeName {
    fn check(text: &str) -> Result<Self, Fault> {
        let without_dots = text.replace('.', "-");
        if without_dots != text && hyphenated(&without_dots).is_ok() {
            return Err(Fault::rule(format!(
                "small letters, digits and '-' are allowed: write {without_dots:?}. The names of result folders may have \
                 a '.': result_name, Recipe::with_result_name"
            )));
        }
        hyphenated(text)?;
        not_set_aside(text)?; // it is the result name where no other is given
        Ok(Self(text.to_owned()))
    }
}

text_value!(RecipeName, "recipe name");

/// The name of a server's variant: small letters, digits and `-`, not `-` first or last.
///
/// ```
/// use nim_slurm::recipe::VariantName;
///
/// assert_eq!(VariantName::parse("kv-fp8")?.as_str(), "kv-fp8");
/// assert!(VariantName::parse("kv_fp8").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VariantName(String);

impl VariantName {
    fn check(text: &str) -> Result<Self, Fault> {
        hyphenated(text)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(VariantName, "variant name");

/// `[a-z0-9-]+`, hyphens inside only.
pub(super) fn hyphenated(text: &str) -> Result<(), Fault> {
    only(
        text,
        |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-',
        "small letters, digits and '-' are allowed",
    )?;
    if text.starts_with('-') || text.ends_with('-') {
        return Err(Fault::rule("it must not begin or end with '-'"));
    }
    at_most(text, 64)
}

/// The first part of a result folder's name: letters, digits, `.`, `-` and `_`, not
/// `.` or `-` first. A folder `failed_…` or `interrupted_…` has what unfinished points left.
///
/// ```
/// use nim_slurm::recipe::ResultName;
///
/// assert_eq!(ResultName::parse("llama-3-70b-instruct")?.as_str(), "llama-3-70b-instruct");
/// assert!(ResultName::parse("meta/llama").is_err());
/// assert!(ResultName::parse("failed_llama").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResultName(String);

impl ResultName {
    fn check(text: &str) -> Result<Self, Fault> {
        plain_file_name(text)?;
        not_set_aside(text)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(ResultName, "result name");

/// The reader of results skips folders that have what unfinished points left: no result may be called so.
fn not_set_aside(text: &str) -> Result<(), Fault> {
    if matches!(text.split('_').next(), Some("failed" | "interrupted")) {
        return Err(Fault::rule(
            "folders failed_... and interrupted_... have what unfinished points left, and no report reads them: \
             another first word is allowed",
        ));
    }
    Ok(())
}

fn plain_file_name(text: &str) -> Result<(), Fault> {
    only(
        text,
        |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'),
        "letters, digits, '.', '_', '-' and '+' are allowed",
    )?;
    if text.starts_with(['.', '-']) {
        return Err(Fault::rule("it must not begin with '.' or '-'"));
    }
    at_most(text, 150)
}

/// A file of a model, by its name or its path in the model's folder.
///
/// # Syntax
///
/// Names with `/` between them. Each has letters, digits, `.`, `_`, `-` and `+`, not `.` or `-` first, at most 150; all have at most
/// 250.
///
/// # Errors
///
/// * `../rank0.engine`, `.cache/rank0.engine`: a name begins with `.`
/// * `/models/rank0.engine`, `a//b`, `a/`: a name is empty
///
/// ```
/// use nim_slurm::recipe::FileName;
///
/// assert_eq!(FileName::parse("rank0.engine")?.as_str(), "rank0.engine");
/// assert_eq!(FileName::parse("Q4_K_M/model-00001-of-00003.gguf")?.as_str(), "Q4_K_M/model-00001-of-00003.gguf");
/// assert!(FileName::parse("../rank0.engine").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileName(String);

impl FileName {
    fn check(text: &str) -> Result<Self, Fault> {
        if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            return Err(Fault::rule(
                "a path in the model's folder is allowed, as in config.json or Q4_K_M/model.gguf",
            ));
        }
        text.split('/').try_for_each(plain_file_name)?;
        at_most(text, 250)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(FileName, "file name");

/// The name under which the server's API knows the model.
///
/// # Syntax
///
/// Letters, digits, `.`, `_`, `-`, `/` and `:`, as in Ollama's `llama3.3:70b`.
///
/// ```
/// use nim_slurm::recipe::ServedModelName;
///
/// assert_eq!(ServedModelName::parse("meta/llama3-70b-instruct")?.as_str(), "meta/llama3-70b-instruct");
/// assert!(ServedModelName::parse("llama3.3:70b").is_ok());
/// assert!(ServedModelName::parse("\"").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServedModelName(String);

impl ServedModelName {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':'),
            "letters, digits, '.', '_', '-', '/' and ':' are allowed",
        )?;
        if text.starts_with('-') {
            return Err(Fault::rule("it must not begin with '-'"));
        }
        at_most(text, 200)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(ServedModelName, "served model name");

/// The path of a URL.
///
/// # Syntax
///
/// `/` first, then letters, digits, `.`, `_`, `-` and `/`.
///
/// ```
/// use nim_slurm::recipe::UrlPath;
///
/// assert_eq!(UrlPath::parse("/v1/health/ready")?.as_str(), "/v1/health/ready");
/// assert!(UrlPath::parse("v1/health").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UrlPath(String);

impl UrlPath {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "a path such as /v1/health/ready is allowed";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'),
            ALLOWED,
        )?;
        if !text.starts_with('/') {
            return Err(Fault::rule(ALLOWED));
        }
        Ok(Self(text.to_owned()))
    }
}

impl UrlPath {
    /// Where most servers answer once the model is loaded.
    pub(super) fn health() -> Self {
        Self("/health".to_owned())
    }
}

text_value!(UrlPath, "URL path");

/// A model version on NGC.
///
/// # Syntax
///
/// `ORG/[TEAM/]MODEL:VERSION`; letters, digits, `.`, `_`, `-`, and `+` in the
/// version. Source: the NGC CLI's `registry model download-version`.
///
/// # Errors
///
/// * `nim/meta/llama3-70b-instruct`: no version; NGC would take the latest
/// * `llama3-70b-instruct:hf`: no organisation
///
/// ```
/// use nim_slurm::recipe::NgcModel;
///
/// let model = NgcModel::parse("nim/meta/llama3-70b-instruct:hf")?;
/// assert_eq!(model.folder(), "llama3-70b-instruct_vhf");
/// assert!(NgcModel::parse("nim/meta/llama3-70b-instruct").is_err());
/// assert_eq!(model.as_str(), "nim/meta/llama3-70b-instruct:hf");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NgcModel(String);

impl NgcModel {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "ORG/TEAM/MODEL:VERSION is allowed, as in nim/meta/llama3-70b-instruct:hf";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/' | ':'),
            ALLOWED,
        )?;
        let (path, version) = text.split_once(':').ok_or_else(|| Fault::rule(ALLOWED))?;
        let parts: Vec<_> = path.split('/').collect();
        if !matches!(parts.len(), 2 | 3) || version.contains(['/', ':']) {
            return Err(Fault::rule(ALLOWED));
        }
        for part in parts.into_iter().chain([version]) {
            if part.is_empty() {
                return Err(Fault::rule(ALLOWED));
            }
            plain_file_name(part)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The folder that the NGC CLI makes: `MODEL_vVERSION`.
    #[must_use]
    pub fn folder(&self) -> String {
        let (path, version) = self.0.split_once(':').unwrap_or((&self.0, ""));
        let model = path.rsplit('/').next().unwrap_or(path);
        format!("{model}_v{version}")
    }
}

text_value!(NgcModel, "NGC model");

/// A model on the Hugging Face hub, at one revision.
///
/// # Syntax
///
/// `OWNER/NAME@REVISION`: letters, digits, `.`, `_` and `-`; the revision is a commit's
/// 40 hexadecimal digits, as the hub shows them under "Files", "History".
///
/// # Errors
///
/// * `Qwen/Qwen3-0.6B`, `Qwen/Qwen3-0.6B@main`: what a branch has changes, and so would
///   the benchmark
/// * `Qwen3-0.6B@c189…`: no owner
///
/// ```
/// use nim_slurm::recipe::HuggingFaceModel;
///
/// let model = HuggingFaceModel::parse("Qwen/Qwen3-0.6B@c1899de289a04d12100db370d81485cdf75e47ca")?;
/// assert_eq!(model.repository(), "Qwen/Qwen3-0.6B");
/// assert_eq!(model.folder(), "Qwen3-0.6B_c1899de289a0");
/// assert!(HuggingFaceModel::parse("Qwen/Qwen3-0.6B@main").is_err());
/// assert_eq!(model.revision(), "c1899de289a04d12100db370d81485cdf75e47ca");
/// assert!(model.as_str().starts_with("Qwen/Qwen3-0.6B@c1899de"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HuggingFaceModel(String);

impl HuggingFaceModel {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "OWNER/NAME@REVISION is allowed, with the 40 digits of a commit";
        let (repository, revision) = text.split_once('@').unwrap_or((text, ""));
        hub_name(repository, ALLOWED)?;
        at_most(repository, 96)?;
        let is_commit = revision.len() == 40
            && revision
                .bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if !is_commit {
            return Err(Fault::rule(format!(
                "{ALLOWED}: see https://huggingface.co/{repository}/commits/main"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').unwrap_or((&self.0, ""))
    }

    /// `OWNER/NAME`.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.parts().0
    }

    /// The commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.parts().1
    }

    /// The folder below the stage path: the name, and the first twelve digits of the
    /// revision.
    #[must_use]
    pub fn folder(&self) -> String {
        let (repository, revision) = self.parts();
        let name = repository.rsplit('/').next().unwrap_or(repository);
        format!("{name}_{}", revision.get(..12).unwrap_or(revision))
    }
}

text_value!(HuggingFaceModel, "Hugging Face model");

/// `OWNER/NAME` on the Hugging Face hub.
fn hub_name(text: &str, allowed: &'static str) -> Result<(), Fault> {
    only(
        text,
        |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'),
        allowed,
    )?;
    let parts: Vec<_> = text.split('/').collect();
    let is_part = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
    if parts.len() != 2 || !parts.iter().all(is_part) {
        return Err(Fault::rule(allowed));
    }
    Ok(())
}

/// The folder of a model that is there already.
///
/// # Syntax
///
/// An absolute path without white space or any of `` , : $ ` " \ { } ``, since it is
/// mounted in a container. A slash at the end is dropped. Not in `/boot`, `/dev`, `/etc`,
/// `/proc`, `/run`, `/sys`, `/var/mail` or `/var/spool`, none of `/tmp`, `/var` and `/var/tmp` themselves, and without
/// `..`: the images of the recipe see what is there.
///
/// ```
/// use nim_slurm::recipe::ModelPath;
///
/// assert_eq!(ModelPath::parse("/lustre/models/llama-3.3/")?.as_str(), "/lustre/models/llama-3.3");
/// assert!(ModelPath::parse("models/llama-3.3").is_err());
/// assert!(ModelPath::parse("/proc/self/cwd").is_err());
/// assert!(ModelPath::parse("/tmp").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelPath(String);

impl ModelPath {
    fn check(text: &str) -> Result<Self, Fault> {
        let allowed = "an absolute path is allowed, as in /lustre/models/llama-3.3";
        let path = mountable_folder(text, allowed, "the root of all files is no model")?;
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        let parts: Vec<_> = parts.collect();
        if is_of_the_system(&parts) || parts.contains(&"..") {
            return Err(Fault::rule(
                "a folder of the system, or a path with .. in it, is no model",
            ));
        }
        Ok(Self(path))
    }
}

text_value!(ModelPath, "model path");

/// Whether a folder, by the parts of its path, is the system's: what a recipe names in it is not for its images.
pub(super) fn is_of_the_system(folder: &[&str]) -> bool {
    matches!(
        folder,
        [] | ["boot" | "dev" | "etc" | "proc" | "run" | "sys", ..]
            | ["tmp" | "var"]
            | ["var", "tmp"]
            | ["var", "mail" | "spool", ..]
    )
}

/// Files of a repository on the Hugging Face hub: what `hf download --exclude` takes.
///
/// # Syntax
///
/// Letters, digits, `.`, `_`, `-`, `/`, and `*` and `?` as in a shell; not `-` first.
///
/// ```
/// use nim_slurm::recipe::FilePattern;
///
/// assert_eq!(FilePattern::parse("original/*")?.as_str(), "original/*");
/// assert!(FilePattern::parse("--all").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilePattern(String);

impl FilePattern {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '*' | '?'),
            "letters, digits, '.', '_', '-', '/', '*' and '?' are allowed",
        )?;
        if text.starts_with('-') {
            return Err(Fault::rule("it must not begin with '-'"));
        }
        at_most(text, 200)?;
        Ok(Self(text.to_owned()))
    }

    /// Whether hf leaves a file of this name out: `*` is for any text, with `/`, too, and a folder for what it has. Source: its
    /// `utils/_paths.py`, `filter_repo_objects`.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let folder: &[u8] = if pattern.ends_with(b"/") { b"*" } else { b"" };
        let pattern = [pattern, folder].concat();
        let parts: Vec<_> = pattern.split(|&letter| letter == b'*').collect();
        let begins = |rest: &[u8], part: &[u8]| {
            let mut pairs = part.iter().zip(rest);
            rest.len() >= part.len() && pairs.all(|(p, n)| *p == b'?' || p == n)
        };
        let [first, between @ .., last] = parts.as_slice() else {
            return name.len() == pattern.len() && begins(name, &pattern);
        };
        if !begins(name, first) {
            return false;
        }
        // The first place of each part leaves most to those behind it.
        let mut at = first.len();
        for part in between {
            let Some(place) = (at..=name.len()).find(|&place| begins(&name[place..], part)) else {
                return false;
            };
            at = place + part.len();
        }
        name.len() >= at + last.len() && begins(&name[name.len() - last.len()..], last)
    }
}

text_value!(FilePattern, "file pattern");

/// An amount of data.
///
/// # Syntax
///
/// A number with at most six decimals, perhaps a blank, and `B`, `kB`, `MB`, `GB`,
/// `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024).
///
/// # Errors
///
/// * `16G`, `131,43 GiB`, `-1 GB`, `0 GB`
///
/// ```
/// use nim_slurm::recipe::ByteSize;
///
/// assert_eq!(ByteSize::parse("1.5 KiB")?.bytes(), 1536);
/// assert!(ByteSize::parse("16G").is_err());
/// assert_eq!(ByteSize::parse("1.5 KiB")?.mebibytes(), 1); // rounded up
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ByteSize {
    text: String,
    bytes: u64,
}

impl ByteSize {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "a number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB is allowed, as in 131.43 GiB";
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | ' '),
            ALLOWED,
        )?;
        let end = text
            .find(|c: char| c.is_ascii_alphabetic() || c == ' ')
            .ok_or_else(|| Fault::rule(ALLOWED))?;
        let (number, unit) = text.split_at(end);
        let unit: u128 = match unit.trim_start_matches(' ') {
            "B" => 1,
            "kB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(Fault::rule(ALLOWED)),
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) || decimals.len() > 6 || whole.len() > 15 {
            return Err(Fault::rule(ALLOWED));
        }
        let parse = |text: &str| text.parse::<u128>().map_err(|_| Fault::rule(ALLOWED));
        let millionths = parse(whole)? * 1_000_000 + parse(&format!("{decimals:0<6}"))?;
        match u64::try_from(millionths * unit / 1_000_000) {
            Ok(0) => Err(Fault::rule("it must be more than nothing")),
            // Bash counts with signed numbers.
            Ok(bytes) if i64::try_from(bytes).is_ok() => Ok(Self {
                text: text.to_owned(),
                bytes,
            }),
            _ => Err(Fault::rule("it is too much for a file system")),
        }
    }

    /// What the import of an image takes, if nobody knows better.
    pub(super) fn of_an_image() -> Self {
        Self {
            text: "20 GiB".to_owned(),
            bytes: 20 << 30,
        }
    }

    /// The amount in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The amount in mebibytes, rounded up.
    #[must_use]
    pub const fn mebibytes(&self) -> u64 {
        self.bytes.div_ceil(1 << 20)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

value!(ByteSize, "size");

/// The release of AIPerf in the client's image.
///
/// # Syntax
///
/// `MAJOR.MINOR.PATCH`. The scripts were tried with 0.13.0.
///
/// ```
/// use nim_slurm::recipe::AiperfVersion;
///
/// assert!(AiperfVersion::parse("0.2.0")? < AiperfVersion::parse("0.13.0")?);
/// assert!(AiperfVersion::parse("latest").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AiperfVersion(Numbers);

impl AiperfVersion {
    /// The first release.
    pub(crate) const FIRST: Self = Self(Numbers([0, 1, 1]));
    /// The first release that sends what was said before with each turn of a conversation.
    pub(crate) const WITH_TURNS: Self = Self(Numbers([0, 3, 0]));
    /// The first release with `--goodput`.
    pub(crate) const WITH_GOODPUT: Self = Self(Numbers([0, 2, 0]));
    /// The first release with `--benchmark-duration`.
    pub(crate) const WITH_DURATION: Self = Self(Numbers([0, 2, 0]));
    /// The first release with `--arrival-pattern`, `--arrival-smoothness` and ramps, and the first that
    /// keeps a rate: before, it sleeps from one request to the next, and all its delays add up.
    pub(crate) const WITH_ARRIVAL: Self = Self(Numbers([0, 5, 0]));
    /// The first release whose rate rises with a ramp. Before, the first gap is drawn at the lowest rate, and
    /// `timing/strategies/request_rate.py` sleeps through it, whatever the rate is by then.
    pub(crate) const WITH_RISING_RATE: Self = Self(Numbers([0, 12, 0]));
    /// The first release that sends each prompt once, those of a file in their order. Before, it draws
    /// them, with `choice` in `dataset_manager.py`, some more than once.
    pub(crate) const WITH_EACH_PROMPT_ONCE: Self = Self(Numbers([0, 3, 0]));
    /// The first release that writes a file of requests, by which a search decides.
    pub(crate) const WITH_REQUESTS: Self = Self(Numbers([0, 2, 0]));
    /// The first release whose traces need no `hash_ids`.
    pub(crate) const WITH_TRACE: Self = Self(Numbers([0, 2, 0]));
    /// The first release with `--no-server-metrics` and `--no-gpu-telemetry`.
    pub(crate) const WITH_TELEMETRY: Self = Self(Numbers([0, 4, 0]));
    /// The first release that asks each stream for its usage.
    pub(crate) const WITH_USAGE: Self = Self(Numbers([0, 13, 0]));

    fn check(text: &str) -> Result<Self, Fault> {
        let form = || Fault::rule("a release such as 0.13.0 is allowed");
        Numbers::read(text).map(Self).ok_or_else(form)
    }
}

impl fmt::Display for AiperfVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

value!(AiperfVersion, "AIPerf release");

/// The numbers of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Numbers([u32; 3]);

impl Numbers {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self(numbers))
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What counts tokens: a folder in the client's container, or a name on the
/// Hugging Face hub.
///
/// # Syntax
///
/// An absolute path, or `OWNER/NAME` of letters, digits, `.`, `_` and `-`.
///
/// # Errors
///
/// * `./tokenizer`, `tokenizer`: neither
///
/// ```
/// use nim_slurm::recipe::Tokenizer;
///
/// assert!(!Tokenizer::parse("/opt/tokenizer")?.is_on_hub());
/// assert!(Tokenizer::parse("meta-llama/Meta-Llama-3-70B-Instruct")?.is_on_hub());
/// assert!(Tokenizer::parse("tokenizer").is_err());
/// assert_eq!(Tokenizer::parse("/opt/tokenizer")?.as_str(), "/opt/tokenizer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tokenizer(String);

impl Tokenizer {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "an absolute path or a Hugging Face OWNER/NAME is allowed";
        if text.starts_with('/') {
            only(text, |c| !is_hidden(c), ALLOWED)?;
            return Ok(Self(text.to_owned()));
        }
        hub_name(text, ALLOWED)?;
        Ok(Self(text.to_owned()))
    }

    /// True for a name on the Hugging Face hub. Where its owner lets in only whom they know, it needs `HF_TOKEN`.
    #[must_use]
    pub fn is_on_hub(&self) -> bool {
        !self.0.starts_with('/')
    }
}

text_value!(Tokenizer, "tokenizer");

/// The revision of a tokenizer on the Hugging Face hub: a branch, a tag or a commit.
///
/// # Syntax
///
/// Letters, digits, `.`, `_`, `-` and `/`, a letter or a digit first, at most 128.
///
/// ```
/// use nim_slurm::recipe::TokenizerRevision;
///
/// assert_eq!(TokenizerRevision::parse("refs/pr/7")?.as_str(), "refs/pr/7");
/// assert!(TokenizerRevision::parse("--main").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenizerRevision(String);

impl TokenizerRevision {
    fn check(text: &str) -> Result<Self, Fault> {
        only(
            text,
            |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'),
            "letters, digits, '.', '_', '-' and '/' are allowed",
        )?;
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Fault::rule("it must begin with a letter or a digit"));
        }
        at_most(text, 128)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(TokenizerRevision, "tokenizer revision");

/// A limit on a latency, in milliseconds.
///
/// # Syntax
///
/// A number above zero, with at most three decimals: `500`, `12.5`. In TOML, one with
/// decimals stands in quotes.
///
/// # Errors
///
/// * `0`, `-1`, `500ms`, `1e3`, `12.3456`
///
/// ```
/// use nim_slurm::recipe::Milliseconds;
///
/// assert_eq!(Milliseconds::parse("12.5")?.as_str(), "12.5");
/// assert!(Milliseconds::parse("500ms").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Milliseconds(String);

impl Milliseconds {
    fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str = "a number such as 500 or 12.5 is allowed";
        only(text, |c| c.is_ascii_digit() || c == '.', ALLOWED)?;
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        if !(1..=9).contains(&whole.len())
            || !(1..=3).contains(&decimals.len())
            || decimals.contains('.')
        {
            return Err(Fault::rule(ALLOWED));
        }
        if text.chars().all(|c| matches!(c, '0' | '.')) {
            return Err(Fault::rule("it must be more than nothing"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(Milliseconds, "number of milliseconds");

/// A word of the server's command, the value of one of its variables, or an option of the client: any
/// text whose control characters are line breaks and tabs. Others, and those that turn
/// text around, would make a script look like another one. No line of it begins with
/// `#SBATCH`, `#PBS` or `#BSUB`: sbatch would read it as options of the job.
///
/// # Placeholders
///
/// Words such as `{port}` stand for facts of the run: [the guide](crate::guide::recipe#placeholders) has
/// all of them. Braces around anything else are text, and the shell gives no meaning to any of it. A
/// [`Plan`](crate::Plan) refuses a word that is nearly a placeholder, such as `{prot}`.
///
/// ```
/// use nim_slurm::recipe::Word;
///
/// assert_eq!(Word::parse("{model_path}/")?.as_str(), "{model_path}/");
/// assert!(Word::parse("$(date); `id`").is_ok()); // text, which nothing runs
/// assert!(Word::parse("\0").is_err() && Word::parse("\u{1b}[2J").is_err());
/// assert!(Word::parse("a\n#PBS -q other").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Word(String);

/// All placeholders, in the order of the guide's table.
const PLACEHOLDERS: [&str; 12] = [
    "{stage_path}",
    "{model_path}",
    "{cache_path}",
    "{gpus}",
    "{total_gpus}",
    "{nodes}",
    "{leader_address}",
    "{node_rank}",
    "{is_leader}",
    "{port}",
    "{replica}",
    "{served_model_name}",
];

impl Word {
    pub(super) fn check(text: &str) -> Result<Self, Fault> {
        const ALLOWED: &str =
            "any text is allowed whose control characters are line breaks and tabs";
        let is_refused = |c: &char| is_hidden(*c) && !matches!(c, '\n' | '\t');
        if let Some(c) = text.chars().find(is_refused) {
            return Err(Fault::Character(c, ALLOWED));
        }
        without_options(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Takes each text as a word.
    ///
    /// # Errors
    ///
    /// Names the first text that is none.
    ///
    /// ```
    /// use nim_slurm::recipe::Word;
    ///
    /// let words = Word::parse_all(["vllm", "serve", "{model_path}"])?;
    /// assert_eq!(words[2].as_str(), "{model_path}");
    /// assert!(Word::parse_all(["vllm", "\0"]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse_all<'a>(
        words: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Self>, ValueError> {
        words.into_iter().map(Self::parse).collect()
    }

    /// Words in braces that are nearly a placeholder, and those that each looks like.
    pub(crate) fn mistyped_placeholders(&self) -> impl Iterator<Item = (&str, Vec<&'static str>)> {
        let parts = self.0.split_inclusive('}').filter_map(|part| {
            let (before, given) = part.split_at(part.rfind('{')?);
            let name = given.strip_prefix('{')?.strip_suffix('}')?;
            let is_letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-');
            // ${PORT} is a variable of a shell that the command may start.
            let is_name = !name.is_empty() && name.chars().all(is_letter) && !before.ends_with('$');
            (is_name && !PLACEHOLDERS.contains(&given)).then_some(given)
        });
        // {model_name} is the end of a longer one, and one like it.
        let is_end_of = |given: &str, known: &str| {
            let head = known.strip_suffix(&given[1..]);
            given.contains('_') && head.is_some_and(|head| head.ends_with('_'))
        };
        let meant = move |given: &str| {
            let given = given.to_ascii_lowercase().replace('-', "_");
            let longer = PLACEHOLDERS.into_iter().find(|own| is_end_of(&given, own));
            let both = longer.into_iter().chain(nearest(&given, &PLACEHOLDERS));
            both.collect::<Vec<_>>()
        };
        parts
            .map(move |given| (given, meant(given)))
            .filter(|(_, meant)| !meant.is_empty())
    }

    /// The placeholders in it that only a server on several nodes has, with what they are on one node.
    pub(crate) fn placeholders_of_nodes(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = [
            ("{leader_address}", "127.0.0.1"),
            ("{node_rank}", "0"),
            ("{is_leader}", "1"),
        ];
        // Behind a dollar sign it is a variable of a shell.
        let has = |name| {
            let mut found = self.0.match_indices(name);
            found.any(|(place, _)| !self.0[..place].ends_with('$'))
        };
        all.into_iter().filter(move |(name, _)| has(*name))
    }

    /// A variable and its value, as the script lists them.
    pub(crate) fn assignment(&self, name: &EnvName) -> String {
        format!("{name}={}", self.0)
    }
}

text_value!(Word, "word");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn patterns_are_read_as_hf_reads_them() {
        for (pattern, name, is_meant) in [
            ("original/*", "original/a/b.pth", true),
            ("original/", "original/a", true),
            ("original", "original/a", false),
            ("*.bin", "a/b.bin", true),
            ("*.bin", "b.bin.json", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "a-b-bb", true),
            ("model-0000?-of*", "model-00001-of-00002.safetensors", true),
            ("config.json", "config.json", true),
            ("*", "\u{e9}", true),
        ] {
            let pattern: FilePattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(name), is_meant, "{pattern}, {name}");
        }
    }

    #[test]
    fn placeholders_are_those_of_the_guide() {
        let (_, table) = include_str!("../guide/recipe.md")
            .split_once("| in the text | in the job |\n|---|---|\n")
            .unwrap();
        let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
        let names = rows.map(|row| row.split_once('`').unwrap().0);
        assert!(names.eq(PLACEHOLDERS));
    }

    #[test]
    fn slips_in_placeholders() {
        let found = |text: &str| {
            let word = Word::parse(text).unwrap();
            let found = word.mistyped_placeholders();
            found
                .map(|(given, meant)| format!("{given} {}", meant.join(" ")))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("{prot}"), ["{prot} {port}"]);
        assert_eq!(
            found("--a={model_paht}/x{gpu}"),
            ["{model_paht} {model_path}", "{gpu} {gpus}"]
        );
        assert_eq!(
            found("{model_name}"),
            ["{model_name} {served_model_name} {model_path}"]
        );
        assert_eq!(
            found("{Port}{model-path}{NODE_RANK}"),
            [
                "{Port} {port}",
                "{model-path} {model_path}",
                "{NODE_RANK} {node_rank}"
            ]
        );
        for text in [
            "{port}",
            "{}",
            "{name}",
            "{\"prot\": {port}}",
            "{prot",
            "prot}",
            "${PORT}",
            "{\"a\": 1}",
            "{\"Port\": {}}",
            "{-}",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    /// The reader of results takes folders called so for unfinished points.
    #[test]
    fn no_result_has_the_name_of_an_unfinished_point() {
        for text in ["failed", "failed_llama", "interrupted", "interrupted_a_b"] {
            let refusal = format!(
                "cannot take {text:?} as result name: folders failed_... and interrupted_... have what unfinished \
                 points left, and no report reads them: another first word is allowed"
            );
            refuses::<ResultName>(text, &refusal);
        }
        // Where no result name is given, the recipe's is taken.
        for text in ["failed", "interrupted"] {
            assert!(RecipeName::parse(text).is_err(), "{text}");
        }
        for text in ["failed-llama", "failedx_1", "llama_failed_1", "run_1"] {
            accepts::<ResultName>(text, text);
        }
        accepts::<RecipeName>("failed-llama", "failed-llama");
        refuses::<RecipeName>(
            "qwen2.5-7b",
            "cannot take \"qwen2.5-7b\" as recipe name: small letters, digits and '-' are allowed: write \"qwen2-5-7b\". The \
             names of result folders may have a '.': result_name, Recipe::with_result_name",
        );
        accepts::<ResultName>("qwen2.5-7b", "qwen2.5-7b");
    }

    #[test]
    fn sizes() {
        accepts::<ByteSize>("131.43 GiB", "131.43 GiB");
        assert_eq!(
            ByteSize::parse("131.43 GiB").map(|size| size.bytes()),
            Ok(141_121_887_928)
        );
        assert_eq!(
            ByteSize::parse("68.4MB").map(|size| size.bytes()),
            Ok(68_400_000)
        );
        assert_eq!(ByteSize::parse("1 B").map(|size| size.mebibytes()), Ok(1));
        for text in [
            "",
            "16G",
            "GiB",
            "1.1234567 GB",
            "131,43 GiB",
            "-1 GB",
            "0 GB",
            "99999999999 TiB",
            "1 GiB ",
        ] {
            assert!(ByteSize::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn models() {
        let engine =
            NgcModel::parse("nim/meta/llama3-70b-instruct:0.10.0+cbc614f5-h100x4-fp8-throughput");
        assert_eq!(
            engine.map(|model| model.folder()).as_deref(),
            Ok("llama3-70b-instruct_v0.10.0+cbc614f5-h100x4-fp8-throughput")
        );
        for text in [
            "",
            "a:b",
            "a/b",
            "a/b/c/d:e",
            "a/b:",
            "a//b:c",
            "a/../b:c",
            "a/b:c:d",
        ] {
            assert!(NgcModel::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_in_milliseconds() {
        for text in ["500", "12.5", "0.125", "007"] {
            accepts::<Milliseconds>(text, text);
        }
        refuses::<Milliseconds>(
            "500ms",
            "unexpected character 'm' in number of milliseconds \"500ms\": a number such as 500 or 12.5 is allowed",
        );
        refuses::<Milliseconds>(
            "0.00",
            "cannot take \"0.00\" as number of milliseconds: it must be more than nothing",
        );
        for text in [
            "",
            "0",
            ".",
            ".5",
            "5.",
            "1.2.3",
            "1.2345",
            "-1",
            "1e3",
            "1234567890",
        ] {
            assert!(Milliseconds::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn revisions() {
        accepts::<TokenizerRevision>("refs/pr/7", "refs/pr/7");
        refuses::<TokenizerRevision>(
            "-main",
            "cannot take \"-main\" as tokenizer revision: it must begin with a letter or a digit",
        );
        for text in ["", "a b", "main;", "/main"] {
            assert!(TokenizerRevision::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn releases() {
        accepts::<AiperfVersion>("0.13.0", "0.13.0");
        refuses::<AiperfVersion>(
            "0.13",
            "cannot take \"0.13\" as AIPerf release: a release such as 0.13.0 is allowed",
        );
    }
}
