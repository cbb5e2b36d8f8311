//! `--sbatch [SCRIPT.]KEY=VALUE`: an option of sbatch, read as the settings' `[slurm]` reads it.

use std::fmt;
use std::str::FromStr;

use nim_slurm::JobOptions;
use toml::{Table, Value};

/// An option for all scripts or for one, and how it was given.
#[derive(Debug, Clone)]
pub(crate) struct SbatchOption {
    text: String,
    options: JobOptions,
}

impl SbatchOption {
    pub(crate) const fn options(&self) -> &JobOptions {
        &self.options
    }
}

impl FromStr for SbatchOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').unwrap_or((text, "true"));
        // Keys as in the settings, or as sbatch has them.
        let key = key.replace('-', "_");
        let (script, key) = match key.split_once('.') {
            Some((script, key)) => (Some(script), key),
            None => (None, key.as_str()),
        };
        if key.is_empty() {
            return Err(format!(
                "the option's name is missing: [SCRIPT.]KEY=VALUE is allowed, as in {}mem=64G",
                script.map_or_else(String::new, |script| format!("{script}."))
            ));
        }
        let value = match value {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            option if key == "passthrough" => Value::Array(vec![option.into()]),
            value => value.into(),
        };
        let mut table = Table::from_iter([(key.to_owned(), value)]);
        if let Some(script) = script {
            table = Table::from_iter([(script.to_owned(), Value::Table(table))]);
        }
        let options = table
            .try_into()
            .map_err(|error: toml::de::Error| error.message().to_owned())?;
        Ok(Self {
            text: text.to_owned(),
            options,
        })
    }
}

impl fmt::Display for SbatchOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use nim_slurm::slurm::OptionName;

    use super::*;

    fn parse(text: &str) -> Result<JobOptions, String> {
        SbatchOption::from_str(text).map(|option| option.options)
    }

    #[test]
    fn options_for_all_scripts_and_for_one() {
        let all = parse("gpus-per-node=8").unwrap().all;
        assert_eq!(all.arguments(), ["--gpus-per-node=8"]);
        let launch = parse("launch.mem=64G").unwrap().launch;
        assert_eq!(launch.arguments(), ["--mem=64G"]);
        for flag in ["setup.hold", "setup.hold=true"] {
            assert_eq!(parse(flag).unwrap().setup.arguments(), ["--hold"]);
        }
        assert!(parse("mem=false").unwrap().all.is_omitted(OptionName::Mem));
        let own = parse("passthrough=--brand-new=1").unwrap().all;
        assert_eq!(own.arguments(), ["--brand-new=1"]);
    }

    #[test]
    fn an_option_without_a_name() {
        for text in ["=1", "launch.=1", "launch.", ""] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with("the option's name is missing"), "{said}");
        }
    }

    /// A settings file is refused with the same words.
    #[test]
    fn refusals_are_those_of_a_settings_file() {
        for (text, toml) in [
            ("partiton=x", "partiton = 'x'"),
            ("zebra=x", "zebra = 'x'"),
            ("p=x", "p = 'x'"),
            ("lunch.mem=1G", "[slurm.lunch]\nmem = '1G'"),
            ("launch.partiton=x", "[slurm.launch]\npartiton = 'x'"),
            ("partition=a b", "partition = 'a b'"),
            ("mem", "mem = true"),
            ("parsable=true", "parsable = true"),
        ] {
            let said = parse(text).unwrap_err();
            let toml = if toml.starts_with('[') {
                toml.to_owned()
            } else {
                format!("[slurm]\n{toml}")
            };
            let error = nim_slurm::Settings::from_toml(&toml)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&said),
                "{text}: {said:?} is not in {error:?}"
            );
        }
    }
}
