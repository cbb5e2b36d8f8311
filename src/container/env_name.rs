//! Names of environment variables.

use crate::value::{Fault, only, text_value};

/// Variables whose values are secrets. launch.sh keeps them from whom they do not
/// concern.
pub(crate) const SECRETS: [&str; 4] = [
    "NGC_API_KEY",
    "NGC_CLI_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
];

/// Variables that are called like secrets, and hold a word of the server's own.
const NO_SECRETS: [&str; 2] = [
    "SGLANG_SIMULATE_ACC_TOKEN_MODE",
    "TORCH_COMPILE_STICKY_PGO_KEY",
];

/// True for a variable that is called like a secret, by the rule of the scripts (`templates/lib/secret_names.sh`).
fn is_called_like_a_secret(name: &str) -> bool {
    const PARTS: [&str; 6] = [
        "TOKEN_",
        "SECRET",
        "PASSW",
        "PASSPHRASE",
        "CREDENTIAL",
        "CONNECTION_STRING",
    ];
    const ENDS: [&str; 5] = ["TOKEN", "_PWD", "CREDS", "_PAT", "AUTH_CONFIG"];
    let name = name.to_ascii_uppercase();
    let before = |name: &'_ str, end: &str| name.strip_suffix(end).unwrap_or(name).len();
    // Keys and JSON web tokens may be numbered: KEY2, KEY_2, JWT_V2.
    let mut key = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if key.len() < name.len() {
        key = &key[..before(key, "V")];
        key = &key[..before(key, "_")];
    }
    let is_key = key[..before(key, "S")]
        .strip_suffix("KEY")
        .is_some_and(|rest| !rest.ends_with('P'));
    let is_pass = name
        .strip_suffix("PASS")
        .is_some_and(|rest| !rest.ends_with('Y'));
    is_key
        || is_pass
        || key.ends_with("JWT")
        || PARTS.iter().any(|part| name.contains(part))
        || ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether a variable's value may be a secret, by its name, or has a password before its `@`.
pub(crate) fn may_be_secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 11] = [
        "", "true", "false", "yes", "no", "on", "off", "auto", "none", "null", "empty",
    ];
    // Servers have switches, counts and files with such names: SGLANG_INIT_NEW_TOKEN_RATIO, HF_TOKEN_PATH.
    let is_number = |word: &str| word.len() < 12 && word.trim().parse::<f64>().is_ok();
    let is_harmless = value.split(',').all(is_number)
        || value.starts_with(['/', '{'])
        || value.starts_with("~/")
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(value))
        || NO_SECRETS.contains(&name);
    let has_user = |rest: &str| {
        let host = rest.split(|c: char| "/?#,;'\"".contains(c) || c.is_whitespace());
        host.into_iter()
            .next()
            .is_some_and(|host| host.contains('@'))
    };
    let is_proxy = name.to_ascii_uppercase().ends_with("_PROXY");
    SECRETS.contains(&name)
        || is_called_like_a_secret(name) && !is_harmless
        || value.split("://").skip(1).any(has_user)
        || is_proxy && value.contains('@')
}

/// The name of an environment variable.
///
/// # Syntax
///
/// Letters, digits and `_`, not a digit first. Names that bash keeps for itself
/// cannot be set: `BASHOPTS`, `BASH_VERSINFO`, `EUID`, `PPID`, `SHELLOPTS`, `UID`.
/// Source: POSIX, "Environment Variables", and bash(1).
///
/// # Errors
///
/// * `NIM-CACHE`, `7B`, `A=B`
/// * `UID`: bash would stop at the assignment
///
/// ```
/// use nim_slurm::container::EnvName;
///
/// assert_eq!(EnvName::parse("NIM_CACHE_PATH")?.as_str(), "NIM_CACHE_PATH");
/// assert!(EnvName::parse("NIM-CACHE").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName(String);

impl EnvName {
    fn check(text: &str) -> Result<Self, Fault> {
        const READ_ONLY: [&str; 6] = [
            "BASHOPTS",
            "BASH_VERSINFO",
            "EUID",
            "PPID",
            "SHELLOPTS",
            "UID",
        ];
        only(
            text,
            |c| c.is_ascii_alphanumeric() || c == '_',
            "letters, digits and '_' are allowed",
        )?;
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Fault::rule("it must not begin with a digit"));
        }
        if READ_ONLY.contains(&text) {
            return Err(Fault::rule("bash keeps this name for itself"));
        }
        Ok(Self(text.to_owned()))
    }
}

text_value!(EnvName, "variable name");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::{accepts, refuses};

    /// The scripts keep the same names from the steps.
    #[test]
    fn names_of_secrets_are_those_of_the_scripts() {
        const PROGRAM: &str = include_str!("../../templates/lib/secret_names.sh");
        let parts = [
            "TOKEN",
            "TOKENS",
            "SECRET",
            "PASS",
            "PASSWORD",
            "PASSPHRASE",
            "BYPASS",
            "PWD",
            "CREDENTIALS",
            "KEY",
            "PKEY",
            "KEYS",
            "JWT",
            "CREDS",
            "PAT",
            "CONNECTION_STRING",
            "AUTH_CONFIG",
            "V2",
            "12",
            "Api",
            "_",
        ];
        let pairs = parts.iter().flat_map(|first| {
            parts.map(|second| [format!("{first}{second}"), format!("{first}_{second}")])
        });
        let mut names: Vec<_> = pairs.flatten().collect();
        names.extend(
            names
                .iter()
                .map(|name| name.to_lowercase())
                .collect::<Vec<_>>(),
        );
        names.extend(parts.map(str::to_owned));
        let program =
            format!("{PROGRAM}\nfor name; do ! is_secret \"$name\" || echo \"$name\"; done");
        let bash = std::process::Command::new("bash")
            .args(["-c", &program, "bash"])
            .args(&names)
            .output()
            .unwrap();
        let said = String::from_utf8(bash.stdout).unwrap();
        let own: Vec<_> = names
            .iter()
            .filter(|name| is_called_like_a_secret(name))
            .collect();
        assert_eq!(said.lines().collect::<Vec<_>>(), own);
        assert!(
            (500..1_500).contains(&own.len()),
            "{} of {}",
            own.len(),
            names.len()
        );
    }

    #[test]
    fn values_that_may_be_secrets() {
        for (name, value) in [
            ("VLLM_API_KEY", "S3CRET"),
            ("AWS_SECRET_ACCESS_KEY", "S3CRET"),
            ("modelscope_api_token", "S3CRET"),
            ("OPENAI_API_KEY", "123456789012"),
            ("HF_TOKEN", "1"),
            ("HTTPS_PROXY", "http://u:pw@host"),
            ("https_proxy", "u:pw@host:1"),
            ("MODEL_URL", "a, s3://key@host/b"),
            ("VLLM_API_KEY", "1,S3CRET"),
        ] {
            assert!(may_be_secret(name, value), "{name}={value}");
        }
        // Variables of servers and libraries that are called so, as these document them.
        for (name, value) in [
            ("SGLANG_INIT_NEW_TOKEN_RATIO", "0.7"),
            ("SGLANG_USE_AITER_FP8_PER_TOKEN", "true"),
            ("SGLANG_LOG_DECODE_GRAPH_KEY", "1"),
            ("SGLANG_SIMULATE_ACC_TOKEN_MODE", "real-draft-token"),
            ("SYNC_TOKEN_IDS_ACROSS_TP", "False"),
            ("VLLM_SHARED_EXPERTS_STREAM_TOKEN_THRESHOLD", "256"),
            ("VLLM_MAX_TOKENS_PER_EXPERT_FUSED_MOE", "163840"),
            ("HF_TOKEN_PATH", "/run/token"),
            ("HF_TOKEN_PATH", "{cache_path}/token"),
            ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
            ("NIM_SSL_KEY_PATH", "key.pem"),
            (
                "NIM_MODEL_PATH",
                "hf://meta-llama/Llama-3.1-8B-Instruct@main",
            ),
            ("NCCL_IB_PKEY", "0x1"),
            ("OPENAI_API_KEY", "EMPTY"),
            ("SAMPLE_TOKEN_BUCKETS", "1, 2, 4"),
            ("HF_TOKEN_PATH", "~/token"),
            ("TOKENIZERS_PARALLELISM", "none"),
            ("HTTPS_PROXY", "http://proxy:1"),
        ] {
            assert!(!may_be_secret(name, value), "{name}={value}");
        }
    }

    #[test]
    fn names() {
        accepts::<EnvName>("_A1", "_A1");
        refuses::<EnvName>(
            "1A",
            "cannot take \"1A\" as variable name: it must not begin with a digit",
        );
        refuses::<EnvName>(
            "A=B",
            "unexpected character '=' in variable name \"A=B\": letters, digits and '_' are allowed",
        );
        refuses::<EnvName>(
            "UID",
            "cannot take \"UID\" as variable name: bash keeps this name for itself",
        );
    }
}
