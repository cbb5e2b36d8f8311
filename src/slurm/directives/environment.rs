//! sbatch's own variables, as a layer of options.

use std::ffi::OsString;

use super::options::Setting;
use super::value::InVariable;
use super::{Directives, OptionName};
use crate::environment;
use crate::value::VariableError;
use crate::value::{Fault, ValueError};

impl Directives {
    /// The options that sbatch would take from these environment variables. Other
    /// variables are ignored, and so are empty ones where an option needs a value.
    ///
    /// A flag's variable sets it when it is empty, `yes` in any case, or a number but 0; any
    /// other text leaves it out. Where an option may have a value, an empty one is the option alone.
    /// Source: `slurm_process_option` of `slurm_opt.c`.
    ///
    /// # Errors
    ///
    /// Names each variable whose value its option refuses.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// let variables = [("SBATCH_PARTITION", "batch"), ("SBATCH_REQUEUE", ""), ("HOME", "/root")];
    /// let directives = Directives::from_environment(variables)?;
    /// assert_eq!(directives.arguments(), ["--partition=batch", "--requeue"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_environment(
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<Self, VariableError> {
        let (mut directives, mut errors) = (Self::new(), Vec::new());
        for (variable, value) in environment::named(variables) {
            let Some(&name) = OptionName::ALL
                .iter()
                .find(|name| name.environment() == Some(variable.as_str()))
            else {
                continue;
            };
            let set = VariableError::text(&variable, &value).and_then(|text| {
                let set = directives.set_from_variable(name, text);
                set.map_err(|source| VariableError::new(&variable, source))
            });
            errors.extend(set.err());
        }
        VariableError::all(errors)?;
        Ok(directives)
    }

    fn set_from_variable(&mut self, name: OptionName, text: &str) -> Result<(), ValueError> {
        let way = name.in_variable();
        let alone = Setting::alone(name);
        let is_value = match way {
            InVariable::Text => !text.is_empty(),
            InVariable::Switch => false,
            // What stands for the option alone in TOML is any other text here.
            InVariable::TextOrSwitch => {
                Setting::from_text(name, text).is_ok_and(|value| Some(value) != alone)
            }
        };
        if way == InVariable::Text && alone.is_some() && is_word_of_toml(text) {
            let rule = "sbatch does not take this word from a variable: an empty one stands for the option alone";
            return Err(ValueError::new(name.long(), text, Fault::rule(rule)));
        }
        if is_value {
            self.set(name, text)?;
        } else if way != InVariable::Text && !switches_on(text) {
            self.leave_out(name);
        } else {
            self.set_alone(name);
        }
        Ok(())
    }
}

fn switches_on(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("yes")
        || text.parse::<i64>().is_ok_and(|number| number != 0)
}

/// Whether the word stands for an option alone in TOML, and not for sbatch.
fn is_word_of_toml(text: &str) -> bool {
    ["true", "yes"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}
