//! Where each option of a script comes from.

use std::ffi::OsString;
use std::fmt;

use super::{EXPORT_ALL, Plan};
use crate::environment;
use crate::job_options::ScriptKind;
use crate::settings::{Origin, table};
use crate::slurm::{OptionName, Passthrough};

/// An option of a script: what it says, who said so, and what would still change it.
///
/// It shows as `--time=5 (line 3 of site.toml, [slurm])`.
///
/// ```
/// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
///
/// let settings = Settings::from_toml("slurm.launch.time = '02:00:00'")?;
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
/// let options = plan.explain(ScriptKind::Launch, std::env::vars_os());
/// let time = options.iter().find(|own| own.option.starts_with("--time=")).unwrap();
/// assert_eq!(time.origin, "line 1 of the settings, [slurm.launch]");
/// assert!(!time.is_omitted);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The option as sbatch takes it, `--time=5`; without a value where it is left out.
    pub option: String,
    /// True when the script does not have the option, because that was said.
    pub is_omitted: bool,
    /// Where it was given: in Rust code (or what [`Settings::with_option_source`](crate::Settings::with_option_source) says), a variable, a line of the settings, the
    /// recipe.
    pub origin: String,
    /// A variable that is set and that sbatch would follow instead, if the script were
    /// submitted as it is. What [`Plan::options_to_repeat`] repeats and [`Plan::variables_to_remove`] names
    /// keeps it from that.
    pub overridden_by: Option<String>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.option)?;
        if self.is_omitted {
            f.write_str(" is left out")?;
        }
        write!(f, " ({})", self.origin)?;
        match &self.overridden_by {
            Some(variable) => write!(f, "; {variable} would override it"),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// Each option of a script in the order in which the script has them, and then
    /// those that are left out; `variables` are those of the submission. One that keeps others from a script without
    /// `--export` has a row as well.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
    ///
    /// let settings = Settings::from_toml("[slurm]\npartition = 'batch'\nmem = false")?;
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// let variables = [("SBATCH_PARTITION", "other")];
    /// let options = plan.explain(ScriptKind::Setup, variables);
    /// assert_eq!(options[0].to_string(), "--job-name=nim-setup (the recipe)");
    /// assert_eq!(
    ///     options[1].to_string(),
    ///     "--partition=batch (line 2 of the settings, [slurm]); SBATCH_PARTITION would override it"
    /// );
    /// assert_eq!(
    ///     options.last().unwrap().to_string(),
    ///     "--mem is left out (line 3 of the settings, [slurm])"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn explain(
        &self,
        kind: ScriptKind,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Vec<Explanation> {
        let variables = environment::texts(variables);
        let own = self.directives(kind);
        let left_out = |name: &OptionName| own.is_omitted(*name);
        let named = own
            .names()
            .chain(OptionName::ALL.iter().copied().filter(left_out));
        let typed = named.map(|name| Explanation {
            option: own.option(name).unwrap_or_else(|| name.to_string()),
            is_omitted: own.is_omitted(name),
            origin: self.where_given(kind, name),
            overridden_by: self.overriding(kind, name, &variables),
        });
        let mut explanations: Vec<_> = typed.collect();
        let first_left_out = explanations
            .iter()
            .position(|explanation| explanation.is_omitted);
        let passed_through = own.passed_through().iter().map(|option| Explanation {
            option: option.to_string(),
            is_omitted: false,
            origin: self.where_passed_through(kind, option),
            overridden_by: variables
                .iter()
                .find(|(variable, _)| option.is_set_by(variable))
                .map(|(variable, _)| variable.clone()),
        });
        let export = self.overriding_export(kind, &variables);
        let for_granted = export.map(|variable| Explanation {
            option: EXPORT_ALL.to_owned(),
            is_omitted: false,
            origin: "sbatch's default".to_owned(),
            overridden_by: Some(variable),
        });
        let place = first_left_out.unwrap_or(explanations.len());
        explanations.splice(place..place, passed_through.chain(for_granted));
        explanations
    }

    fn where_given(&self, kind: ScriptKind, name: OptionName) -> String {
        let layers = self.layers(kind);
        let origin = layers.origin_of(name);
        let own = self.directives(kind);
        if own.is_omitted(name)
            && layers.settings_set(name)
            && let Some(other) = own.gpu_option()
        {
            let place = self.settings().describe(origin, name);
            return format!("{place}, which gives way to {other}");
        }
        let slurm = &self.recipe().slurm;
        let recipe_leaves_out = slurm.script(kind).is_omitted(name) || slurm.all.is_omitted(name);
        match origin {
            Origin::Recipe if self.directives(kind).is_omitted(name) && !recipe_leaves_out => {
                "the recipe's gives way to what excludes it".to_owned()
            }
            origin => self.settings().describe(origin, name),
        }
    }

    fn where_passed_through(&self, kind: ScriptKind, option: &Passthrough) -> String {
        let layers = self.settings().layers(kind);
        let layer = layers
            .iter()
            .find(|(_, directives)| directives.passed_through().contains(option));
        match layer {
            Some((Origin::Program(source), _)) => (*source).to_owned(),
            Some(&(Origin::File { file, script }, _)) => {
                let file = file.unwrap_or("the settings");
                format!("passthrough in {} of {file}", table(script))
            }
            _ => "the recipe".to_owned(),
        }
    }
}
