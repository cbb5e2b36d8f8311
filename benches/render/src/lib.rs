//! The seed's launch script as a template of other engines.

use nim_slurm::{Plan, Recipe, Script, Settings};

/// The settings of all benchmarks.
#[must_use]
pub fn settings() -> Settings {
    let settings = Settings::from_toml("slurm.partition = 'batch'\nslurm.launch.gres = 'gpu:8'");
    settings.expect("the settings are right")
}

/// The plan whose launch script everyone renders.
#[must_use]
pub fn plan() -> Plan {
    Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings()).expect("they go together")
}

/// One setting of the script: a value, or a list of them.
#[derive(Debug, Clone)]
pub enum Value {
    One(String),
    List(Vec<String>),
}

/// A script as a template in Jinja's language: its settings are values, which the engine
/// quotes, and all else is its text.
#[derive(Debug)]
pub struct Jinja {
    pub text: String,
    pub values: Vec<(String, Value)>,
}

impl Jinja {
    /// Makes a template of a script: each `readonly NAME=VALUE` and `readonly NAME=(…)`
    /// above the common ground becomes a value.
    #[must_use]
    pub fn of(script: &Script) -> Self {
        let mut jinja = Self {
            text: String::new(),
            values: Vec::new(),
        };
        let (settings, body) = script
            .text()
            .split_once("# ---- Common ground")
            .expect("the script has a heading");
        let mut lines = settings.lines();
        while let Some(line) = lines.next() {
            match line
                .strip_prefix("readonly ")
                .and_then(|line| line.split_once('='))
            {
                Some((name, "(")) => {
                    let words = lines.by_ref().take_while(|line| *line != ")");
                    let words = words.map(|word| unquoted(word.trim_start())).collect();
                    jinja.text += &format!(
                        "readonly {name}=(\n{{%- for word in {name} %}}\n  {{{{ word }}}}\n{{%- endfor %}}\n)\n"
                    );
                    jinja.values.push((name.to_owned(), Value::List(words)));
                }
                // What is computed is text, as in ours.
                Some((name, value)) if !value.starts_with("$(") => {
                    jinja.text += &format!("readonly {name}={{{{ {name} }}}}\n");
                    jinja
                        .values
                        .push((name.to_owned(), Value::One(unquoted(value))));
                }
                _ => jinja.text += &format!("{line}\n"),
            }
        }
        jinja.text += &format!("{{% raw %}}# ---- Common ground{body}{{% endraw %}}");
        jinja
    }
}

/// The text of a word as the shell would read it: plain, or in single quotes.
fn unquoted(word: &str) -> String {
    word.split('\'')
        .enumerate()
        .map(|(place, part)| {
            if place % 2 == 0 {
                part.replace('\\', "")
            } else {
                part.to_owned()
            }
        })
        .collect()
}

/// A value as one shell word, by the rule that this crate's own templates follow.
pub fn write_word(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'%' | b'+' | b'-' | b'.' | b'/' | b':' | b'@' | b'_')
    };
    if !text.is_empty() && text.bytes().all(is_plain) {
        return out.write_str(text);
    }
    out.write_char('\'')?;
    for (number, part) in text.split('\'').enumerate() {
        if number > 0 {
            out.write_str("'\\''")?;
        }
        out.write_str(part)?;
    }
    out.write_char('\'')
}
