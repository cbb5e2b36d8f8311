//! Files that requests come from.

use serde::{Deserialize, Serialize};

use super::values::is_of_the_system;
use crate::plain::is_hidden;
use crate::value::{Fault, text_value};

/// A file that the requests of a [use case](super::UseCase) come from, in place of synthetic prompts.
///
/// launch.sh copies the file before a GPU is used, and notes its SHA-256: points that were measured with another content do
/// not count for a resume. A point has as many prompts as requests. They are taken in the order of the file, and each
/// point goes on where the one before ended; a prompt that the file has twice counts once. Of a [trace](DataFormat::Mooncake),
/// a point has all.
///
/// ```
/// use nim_slurm::recipe::{DataFormat, DataSet, UseCase};
///
/// let data = DataSet::new("/lustre/data/prompts.jsonl".parse()?, DataFormat::Prompts);
/// let support = UseCase::parse("support:1/256")?.with_data(data);
/// assert_eq!(support.to_string(), "support:data/256");
/// assert_eq!(support.data().unwrap().file.as_str(), "/lustre/data/prompts.jsonl");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DataSet {
    /// The file, on the node that runs launch.sh.
    pub file: DataFile,
    /// What is in it.
    pub format: DataFormat,
}

impl DataSet {
    /// This file, which has this form.
    ///
    /// ```
    /// use nim_slurm::recipe::{DataFormat, DataSet};
    ///
    /// let data = DataSet::new("/data/sharegpt.json".parse()?, DataFormat::Sharegpt);
    /// assert_eq!(data.format, DataFormat::Sharegpt);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(file: DataFile, format: DataFormat) -> Self {
        Self { file, format }
    }
}

/// What a [`DataSet`] has in its file.
///
/// ```
/// use nim_slurm::recipe::DataFormat;
///
/// assert_eq!(DataFormat::Prompts.as_str(), "prompts");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DataFormat {
    /// An object of JSON in each line, which has its prompt under `text`, `text_input` or `prompt`:
    /// `{"text": "What is a queue?"}`.
    Prompts,
    /// A list of conversations, as those of ShareGPT, or one in each line:
    /// `{"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]}`. The
    /// first question that has an answer is the prompt; a conversation without one is left out. With
    /// [turns](super::UseCase::turns), the first so many questions are sent, and the server answers.
    Sharegpt,
    /// A trace, in the form of Mooncake's: in each line when a request is sent, in milliseconds, and its lengths in tokens;
    /// with `hash_ids`, which blocks of 512 tokens it shares with others:
    /// `{"timestamp": 27482, "input_length": 1100, "output_length": 52, "hash_ids": [46, 47, 48]}`. Each request is sent
    /// at its time, which is the load: such a use case has one point. The tool makes the prompts.
    Mooncake,
}

impl DataFormat {
    /// As a recipe names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompts => "prompts",
            Self::Sharegpt => "sharegpt",
            Self::Mooncake => "mooncake",
        }
    }

    /// Whether the file says when requests are sent, and how long their answers are.
    pub(crate) const fn is_trace(self) -> bool {
        matches!(self, Self::Mooncake)
    }
}

/// The path of a [`DataSet`].
///
/// # Syntax
///
/// An absolute path of a visible file whose name ends with `.json` or `.jsonl`, of up to 4095 bytes, without `..` and
/// characters that control a terminal. None in `/boot`, `/dev`, `/etc`, `/proc`, `/run`, `/sys`, `/var/mail` or `/var/spool`,
/// and none directly in `/`, `/tmp`, `/var` or `/var/tmp`: the client's image sees the whole file, and a recipe may come from
/// elsewhere.
///
/// # Errors
///
/// * `prompts.jsonl`: a relative path
/// * `/data/`, `/data/../prompts.jsonl`, `/data/.token.json`
/// * `/home/me/id_rsa`: the name has another ending
/// * `/proc/self/environ.json`, `/tmp/prompts.jsonl`
///
/// ```
/// use nim_slurm::recipe::DataFile;
///
/// assert_eq!(DataFile::parse("/data/it's mine.jsonl")?.as_str(), "/data/it's mine.jsonl");
/// assert!(DataFile::parse("prompts.jsonl").is_err());
/// assert!(DataFile::parse("/home/me/.netrc").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataFile(String);

impl DataFile {
    fn check(text: &str) -> Result<Self, Fault> {
        let form = || {
            Fault::rule(
                "an absolute path of a visible .json or .jsonl file is allowed, without .. and of up to 4095 bytes, as in \
                 /lustre/data/prompts.jsonl",
            )
        };
        if let Some(c) = text.chars().find(|c| is_hidden(*c)) {
            return Err(Fault::Character(c, "only what can be shown is allowed"));
        }
        let name = text.rsplit('/').next().unwrap_or_default();
        let is_file =
            !name.starts_with('.') && matches!(name.rsplit_once('.'), Some((_, "json" | "jsonl")));
        if !text.starts_with('/') || !is_file || text.len() > 4095 {
            return Err(form());
        }
        let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
        let parts: Vec<_> = parts.collect();
        if parts.contains(&"..") {
            return Err(form());
        }
        if is_of_the_system(&parts[..parts.len() - 1]) {
            return Err(Fault::rule(
                "a folder of data is allowed, as in /lustre/data/prompts.jsonl; /, /tmp and folders of the system are not",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(DataFile, "data file");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    #[test]
    fn files() {
        accepts::<DataFile>("/a/b.jsonl", "/a/b.jsonl");
        accepts::<DataFile>("/a b/it's \"$HOME\".json", "/a b/it's \"$HOME\".json");
        refuses::<DataFile>(
            "a.jsonl",
            "cannot take \"a.jsonl\" as data file: an absolute path of a visible .json or .jsonl file is allowed, without .. \
             and of up to 4095 bytes, as in /lustre/data/prompts.jsonl",
        );
        refuses::<DataFile>(
            "/proc/self/environ.json",
            "cannot take \"/proc/self/environ.json\" as data file: a folder of data is allowed, as in \
             /lustre/data/prompts.jsonl; /, /tmp and folders of the system are not",
        );
        for text in [
            "",
            "/",
            "/a/",
            "/a/.",
            "/a/../b.json",
            "/..",
            "/a/b.json ",
            "/a/b\n.json",
            "~/a.json",
            "/home/me/.ssh/id_rsa",
            "/home/me/.netrc.json",
            "/a.json",
            "/tmp//./a.json",
            "/etc/a.json",
        ] {
            assert!(DataFile::parse(text).is_err(), "{text}");
        }
        assert!(DataFile::parse(&format!("/a/{}.json", "a".repeat(4095))).is_err());
    }
}
