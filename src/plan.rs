//! Recipe and settings together, checked once.

use std::ffi::OsString;

use crate::environment;
use crate::job_options::ScriptKind;
use crate::recipe::{Recipe, SweepPoint};
use crate::script::{Draft, Launch, PrepareModels, Script, Setup};
use crate::settings::{Origin, Settings};
use crate::slurm::{Directives, OptionName, Passthrough, TimeLimit};

use self::layers::Layers;
use crate::script::images::ImageSource;

/// What sbatch does for a script without `--export`, unless a variable says otherwise.
const EXPORT_ALL: &str = "--export=ALL";

mod checks;
mod explain;
mod layers;
mod measured;
mod notes;
mod problem;

pub use self::explain::Explanation;
pub use self::problem::{PlanError, Problem};

/// A recipe and settings that go together. The three scripts are views of it, so
/// they cannot disagree, and rendering them cannot fail.
///
/// ```
/// use nim_slurm::slurm::OptionName;
/// use nim_slurm::{Plan, Recipe, Settings};
///
/// let settings = Settings::from_toml("slurm = { partition = 'batch', gres = 'gpu:8' }")?;
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
/// assert_eq!(plan.points().len(), 8);
/// assert!(plan.launch().text().contains("\n#SBATCH --gres=gpu:8\n"));
///
/// // The three scripts, each also by its kind; and what they are views of.
/// for script in [plan.setup(), plan.prepare_models(), plan.launch()] {
///     assert_eq!(plan.script(script.kind()), script);
///     assert!(plan.directives(script.kind()).is_set(OptionName::Partition));
/// }
/// assert_eq!(plan.recipe().name.as_str(), "llama3-70b-h100x4-fp8");
/// assert_eq!(plan.settings().stage_path(), None); // the scripts ask for $STAGE_PATH
///
/// // Two ways to ask for GPUs exclude each other, and the server uses four.
/// let settings = Settings::from_toml("slurm = { gpus_per_node = 2, gres = 'gpu:2' }")?;
/// let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// assert_eq!(error.problems().len(), 2); // told once for all scripts, and too few GPUs
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    recipe: Recipe,
    settings: Settings,
    setup: Draft<Setup>,
    prepare_models: Draft<PrepareModels>,
    launch: Draft<Launch>,
}

impl Plan {
    /// Checks a recipe and settings.
    ///
    /// # Errors
    ///
    /// Names all problems at once: a number that is 0, options that exclude each other or do not go
    /// together (`nodelist = "node[1-2]"` with `nodes = 1`, `time_min` above `time`),
    /// fewer GPUs than the server uses, two mounts at one place, an empty or repeated
    /// list, an option of the client that its tool's release does not know, a server's command that is for another
    /// number of GPUs (`-tp 4 -pp 2` with `gpus = 16`) or names another port than
    /// `port`, a variable `CUDA_VISIBLE_DEVICES` of the server, a file of the weights that `exclude` leaves out.
    pub fn new(recipe: Recipe, settings: Settings) -> Result<Self, PlanError> {
        let mut problems = Vec::new();
        checks::check_all(&recipe, &settings, &mut problems);
        let [setup, prepare_models, launch] =
            ScriptKind::ALL.map(|kind| layers::merge(&recipe, &settings, kind, &mut problems));
        let launch = layers::with_array(launch, &recipe, &settings, &mut problems);
        checks::check_launch(&launch, &recipe, &settings, &mut problems);
        PlanError::check(problems)?;
        Ok(Self {
            setup: Draft::new(setup, Setup::new(&recipe, &settings)),
            prepare_models: Draft::new(prepare_models, PrepareModels::new(&recipe, &settings)),
            launch: Draft::new(launch.clone(), Launch::new(&recipe, &settings, &launch)),
            recipe,
            settings,
        })
    }

    /// The recipe.
    #[must_use]
    pub const fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The options of one script, from all layers.
    #[must_use]
    pub const fn directives(&self, kind: ScriptKind) -> &Directives {
        match kind {
            ScriptKind::Setup => self.setup.directives(),
            ScriptKind::PrepareModels => self.prepare_models.directives(),
            ScriptKind::Launch => self.launch.directives(),
        }
    }

    /// The points of the sweep, in the order in which they are measured; in an array by
    /// server, those of each task.
    #[must_use]
    pub fn points(&self) -> Vec<SweepPoint> {
        self.recipe.sweep.points()
    }

    /// How many tasks the launch job has, if it is an array.
    pub(crate) fn tasks(&self) -> Option<usize> {
        self.recipe.task_count()
    }

    /// How many turns the server's variants take in the launch job, if they do.
    pub(crate) fn turns(&self) -> Option<usize> {
        self.recipe.turn_count()
    }

    /// The folders of the points' results, in their order, when this job measures all of
    /// its own: those of a task or turn, or without these all. templates/launch/points.sh makes the
    /// same names.
    pub(crate) fn point_folders(&self, task: Option<usize>, job: &str) -> Vec<String> {
        let tasks = self.recipe.tasks();
        let task = task.map_or(tasks.first(), |task| tasks.get(task));
        task.map(|task| task.folders(self.recipe.server.total_gpus(), job))
            .unwrap_or_default()
    }

    /// The options that must be repeated on sbatch's command line, because these
    /// environment variables would override the script's: also `--export=ALL`, which a script
    /// without `--export` takes for granted. A variable that sbatch
    /// refuses must be [removed](Self::variables_to_remove).
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
    /// use nim_slurm::slurm::Directives;
    ///
    /// let settings = Settings::new().with_slurm(Directives::new().partition("mine".parse()?));
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// let variables = [("SBATCH_PARTITION", "other")]; // or std::env::vars_os()
    /// assert_eq!(plan.options_to_repeat(ScriptKind::Setup, variables), ["--partition=mine"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn options_to_repeat(
        &self,
        kind: ScriptKind,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Vec<String> {
        let variables = environment::texts(variables);
        let own = self.directives(kind);
        let typed = own
            .names()
            .filter(|&name| self.overriding(kind, name, &variables).is_some())
            .filter_map(|name| own.option(name));
        let is_set = |option: &&Passthrough| {
            let mut names = variables.iter().map(|(variable, _)| variable);
            names.any(|variable| option.is_set_by(variable))
        };
        let passed_through = own.passed_through().iter().filter(is_set);
        let for_granted = self.overriding_export(kind, &variables);
        typed
            .chain(for_granted.map(|_| EXPORT_ALL.to_owned()))
            .chain(passed_through.map(ToString::to_string))
            .collect()
    }

    /// The first of these variables that keeps others from a script that says nothing of them, and so takes for granted
    /// that it gets all.
    pub(crate) fn overriding_export(
        &self,
        kind: ScriptKind,
        variables: &[(String, String)],
    ) -> Option<String> {
        let (own, name) = (self.directives(kind), OptionName::Export);
        let keeps = |(variable, text): &&(String, String)| {
            let has_all = || text.split(',').any(|word| word.eq_ignore_ascii_case("ALL"));
            name.is_changed_by(variable) && !has_all()
        };
        let found = variables.iter().find(keeps);
        found
            .filter(|_| !own.is_set(name) && !own.is_omitted(name))
            .map(|(variable, _)| variable.clone())
    }

    /// The first of these variables that sbatch would follow instead of what the script
    /// says of an option, or does not say on purpose.
    pub(crate) fn overriding(
        &self,
        kind: ScriptKind,
        name: OptionName,
        variables: &[(String, String)],
    ) -> Option<String> {
        let own = self.directives(kind);
        let says_other = |text: &str| {
            let mut theirs = Directives::new();
            theirs.set(name, text).is_ok() && theirs.get(name) != own.get(name)
        };
        let overrides = |variable: &str, text: &str| {
            name.is_changed_by(variable)
                && (name.environment() != Some(variable) || says_other(text))
        };
        let mut variables = variables.iter();
        let found = variables.find(|(variable, text)| overrides(variable, text))?;
        Some(found.0.clone())
    }

    /// The environment variables that sbatch must not see, because no option on its
    /// command line wins over them: those of options that are left out on purpose,
    /// empty ones, of which the settings take no notice, and values that sbatch
    /// refuses although the script has another.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let variables = [("SBATCH_TIMELIMIT", "")];
    /// assert_eq!(plan.variables_to_remove(ScriptKind::Setup, variables), ["SBATCH_TIMELIMIT"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn variables_to_remove(
        &self,
        kind: ScriptKind,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Vec<String> {
        let own = self.directives(kind);
        let is_refused = |name, text: &str| Directives::new().set(name, text).is_err();
        let is_removed = |(variable, text): &(String, String)| {
            let mut names = OptionName::ALL.iter();
            let name = names.find(|name| name.environment() == Some(variable));
            name.is_some_and(|&name| {
                own.is_omitted(name)
                    || (text.is_empty() && !name.may_be_empty())
                    || (own.is_set(name) && is_refused(name, text))
            })
        };
        environment::texts(variables)
            .into_iter()
            .filter(is_removed)
            .map(|(variable, _)| variable)
            .collect()
    }

    /// What is wrong with the launch job's time limit when it is shorter than the
    /// server may take to be ready: Slurm may stop the job before the job gives the
    /// server up. That is no mistake where only the scripts are tried.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let plan = |slurm: &str| {
    ///     let settings = Settings::from_toml(slurm).unwrap();
    ///     Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap()
    /// };
    /// assert_eq!(plan("slurm.time = '01:00:00'").time_limit_warning(), None);
    /// // The server gets 1800 seconds.
    /// assert!(plan("slurm.time = '20:00'").time_limit_warning().is_some());
    /// ```
    #[must_use]
    pub fn time_limit_warning(&self) -> Option<String> {
        let launch = self.launch.directives();
        // Slurm may lower the limit to --time-min.
        let option = [OptionName::TimeMin, OptionName::Time]
            .into_iter()
            .find(|&option| launch.is_set(option))?;
        let asked = launch.get(option)?;
        let limit = u64::from(TimeLimit::parse(&asked).ok()?.minutes()?) * 60;
        let ready = self.recipe.server.ready_timeout;
        let warning = launch.seconds_of_warning();
        (limit < u64::from(ready) + u64::from(warning)).then(|| {
            format!(
                "launch.sh asks for {option}={asked}, which may end before the server is ready: ready_timeout is \
                 {ready} s, and the job stops {warning} s before its end"
            )
        })
    }

    pub(crate) fn layers(&self, kind: ScriptKind) -> Layers<'_> {
        Layers::new(&self.recipe, &self.settings, kind)
    }

    /// Where an option of a script is changed, for a message.
    pub(crate) fn place_of(&self, kind: ScriptKind, name: OptionName) -> String {
        use OptionName::{Account, Gres, Partition, Time};
        let origin = self.layers(kind).origin_of(name);
        if let (Origin::Environment, Some(variable)) = (origin, name.environment()) {
            return format!("the variable {variable}");
        }
        let flag = if matches!(name, Account | Gres | Partition | Time) {
            format!("{name} or ")
        } else {
            String::new()
        };
        // All scripts run somewhere and for someone; what they need differs.
        let table = if matches!(name, Gres | Time) {
            "[slurm.launch]"
        } else {
            "[slurm]"
        };
        format!("{flag}{} in {table} of the settings", name.key())
    }

    /// The script that one kind names.
    #[must_use]
    pub fn script(&self, kind: ScriptKind) -> Script {
        match kind {
            ScriptKind::Setup => self.setup(),
            ScriptKind::PrepareModels => self.prepare_models(),
            ScriptKind::Launch => self.launch(),
        }
    }

    /// The images that `setup.sh` fetches, each file once.
    pub(crate) fn images(&self) -> &[ImageSource] {
        &self.setup.values().images
    }

    /// `setup.sh`, which fetches the container images.
    #[must_use]
    pub fn setup(&self) -> Script {
        Script::new(ScriptKind::Setup, self.setup.render())
    }

    /// `prepare_models.sh`, which downloads the model.
    #[must_use]
    pub fn prepare_models(&self) -> Script {
        Script::new(ScriptKind::PrepareModels, self.prepare_models.render())
    }

    /// `launch.sh`, which runs the server and the benchmark.
    #[must_use]
    pub fn launch(&self) -> Script {
        Script::new(ScriptKind::Launch, self.launch.render())
    }
}

#[cfg(test)]
mod tests;
