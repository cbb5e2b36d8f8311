//! Recipe and settings together, checked once.

use camino::Utf8Path;

use crate::container::release::USED_OPTIONS;
use crate::container::{EnvName, Image, Runtime, SquashFile};
use crate::error::{PlanError, Problem};
use crate::recipe::{
    Architecture, ArrayBy, ByteSize, Client, ENGINE_LINK, Engine, Goodput, ModelSource, Point,
    Recipe, ReplicaUse, ResultName, Server, Tokenizer, UseCase, Variant, Weights, Word,
};
use crate::script::templates::{
    ContainerRow, EngineRow, ImageRow, Launch, PrepareModels, Setup, SiteRow, WeightsRow, render,
};
use crate::script::{Script, ScriptKind};
use crate::settings::{FolderPath, Hook, HookPlace, Origin, Settings};
use crate::slurm::{Array, Directives, OptionName, Passthrough, TimeLimit};

/// What names the crate in a script.
const MADE_BY: &str = concat!("nim-slurm ", env!("CARGO_PKG_VERSION"));

/// What a launch job needs to end in order when its time is up.
const SECONDS_TO_STOP: u32 = 10;

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
/// assert_eq!(error.problems().len(), 4); // one for each script, and too few GPUs
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    recipe: Recipe,
    settings: Settings,
    setup: Directives,
    prepare_models: Directives,
    launch: Directives,
}

impl Plan {
    /// Checks a recipe and settings.
    ///
    /// # Errors
    ///
    /// Names all problems at once: options that exclude each other or do not go
    /// together (`nodelist = "node[1-2]"` with `nodes = 1`, `time_min` above `time`),
    /// fewer GPUs than the server uses, two mounts at one place, an empty or repeated
    /// list, an option of the client that its tool's release does not know.
    pub fn new(recipe: Recipe, settings: Settings) -> Result<Self, PlanError> {
        let mut problems = Vec::new();
        check_recipe(&recipe, &mut problems);
        check_client(&recipe.client, &mut problems);
        check_mounts(&recipe, &settings, &mut problems);
        check_runtime(&recipe, &settings, &mut problems);
        if let Some(key) = settings.cluster().lonely_key() {
            problems.push(Problem::ClusterKey { key });
        }
        let [setup, prepare_models, launch] =
            ScriptKind::ALL.map(|kind| merge(&recipe, &settings, kind, &mut problems));
        let launch = with_array(launch, &recipe, &settings, &mut problems);
        check_launch(&launch, &recipe, &settings, &mut problems);
        PlanError::check(problems)?;
        Ok(Self {
            recipe,
            settings,
            setup,
            prepare_models,
            launch,
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
            ScriptKind::Setup => &self.setup,
            ScriptKind::PrepareModels => &self.prepare_models,
            ScriptKind::Launch => &self.launch,
        }
    }

    /// The points of the sweep, in the order in which they are measured; in an array by
    /// server, those of each task.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        self.recipe.sweep.points()
    }

    /// How many tasks the launch job has, if it is an array.
    pub(crate) fn tasks(&self) -> Option<usize> {
        self.recipe.sweep.array.map(|_| parts(&self.recipe).len())
    }

    /// The folders of the points' results, in their order, when this job measures all of
    /// its own: those of a task, or without an array all. templates/launch.sh makes the
    /// same names.
    pub(crate) fn point_folders(&self, task: Option<usize>, job: &str) -> Vec<String> {
        let parts = parts(&self.recipe);
        let part = task.map_or(parts.first(), |task| parts.get(task));
        part.map(|part| part.folders(self.recipe.server.total_gpus(), job))
            .unwrap_or_default()
    }

    /// The options that must be repeated on sbatch's command line, because these
    /// environment variables would override the script's. A variable that sbatch
    /// refuses is [not to be heard](Self::unheard) at all.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
    /// use nim_slurm::slurm::Directives;
    ///
    /// let settings = Settings::new().with_slurm(Directives::new().partition("mine".parse()?));
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// let variables = [("SBATCH_PARTITION".to_owned(), "other".to_owned())];
    /// assert_eq!(plan.pinned(ScriptKind::Setup, variables), ["--partition=mine"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn pinned(
        &self,
        kind: ScriptKind,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Vec<String> {
        let variables: Vec<_> = variables.into_iter().collect();
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
        typed
            .chain(passed_through.map(ToString::to_string))
            .collect()
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
    /// let variables = [("SBATCH_TIMELIMIT".to_owned(), String::new())];
    /// assert_eq!(plan.unheard(ScriptKind::Setup, variables), ["SBATCH_TIMELIMIT"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unheard(
        &self,
        kind: ScriptKind,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Vec<String> {
        let own = self.directives(kind);
        let is_refused = |name, text: &str| Directives::new().set(name, text).is_err();
        let is_unheard = |(variable, text): &(String, String)| {
            let mut names = OptionName::ALL.iter();
            let name = names.find(|name| name.environment() == Some(variable));
            name.is_some_and(|&name| {
                own.is_omitted(name)
                    || (text.is_empty() && !name.may_be_empty())
                    || (own.is_set(name) && is_refused(name, text))
            })
        };
        variables
            .into_iter()
            .filter(is_unheard)
            .map(|(variable, _)| variable)
            .collect()
    }

    /// What is the matter with the launch job's time limit when it is shorter than the
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
    /// assert_eq!(plan("slurm.time = '01:00:00'").shortage_of_time(), None);
    /// // The server gets 1800 seconds.
    /// assert!(plan("slurm.time = '20:00'").shortage_of_time().is_some());
    /// ```
    #[must_use]
    pub fn shortage_of_time(&self) -> Option<String> {
        // Slurm may lower the limit to --time-min.
        let option = [OptionName::TimeMin, OptionName::Time]
            .into_iter()
            .find(|&option| self.launch.is_set(option))?;
        let asked = self.launch.get(option)?;
        let limit = u64::from(TimeLimit::parse(&asked).ok()?.minutes()?) * 60;
        let ready = self.recipe.server.ready_timeout.get();
        let warning = self.launch.seconds_of_warning();
        (limit < u64::from(ready) + u64::from(warning)).then(|| {
            format!(
                "launch.sh asks for {option}={asked}, but its server may take {ready} s to be ready, and the job is \
                 warned {warning} s before its end: its time may be up before it gives the server up"
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
    pub(crate) fn images(&self) -> Vec<ImageSource> {
        image_sources(&self.recipe, &self.settings)
    }

    /// `setup.sh`, which fetches the container images.
    #[must_use]
    pub fn setup(&self) -> Script {
        let sources = self.images();
        let images: Vec<_> = sources.iter().map(ImageSource::row).collect();
        let template = Setup {
            made_by: MADE_BY,
            recipe: self.recipe.name.as_str(),
            stage_path: self.stage_path(),
            site: self.site(ScriptKind::Setup),
            runtime: self.settings.runtime(),
            images: &images,
        };
        Script::new(ScriptKind::Setup, render(self.setup.head(), &template))
    }

    /// `prepare_models.sh`, which downloads the model.
    #[must_use]
    pub fn prepare_models(&self) -> Script {
        let model = &self.recipe.model;
        let folder = model.weights.folder();
        let template = PrepareModels {
            made_by: MADE_BY,
            recipe: self.recipe.name.as_str(),
            stage_path: self.stage_path(),
            site: self.site(ScriptKind::PrepareModels),
            source: &model.weights.source,
            weights_are_staged: model.weights.are_staged(),
            weights: weights_row(&model.weights, &folder),
            engine: model.engine.as_ref().map(engine_row),
            engine_link: ENGINE_LINK,
            gpus: self.recipe.server.total_gpus(),
        };
        Script::new(
            ScriptKind::PrepareModels,
            render(self.prepare_models.head(), &template),
        )
    }

    /// `launch.sh`, which runs the server and the benchmark.
    #[must_use]
    pub fn launch(&self) -> Script {
        let Recipe {
            server,
            model,
            client,
            sweep,
            ..
        } = &self.recipe;
        let runtime = self.settings.runtime();
        let (server_file, client_file) = (
            runtime.image_file(&server.squash_file()),
            runtime.image_file(&client.squash_file()),
        );
        let (server_reference, client_reference) =
            (server.image.to_string(), client.image.to_string());
        let mpi = self.settings.mpi();
        let template = Launch {
            made_by: MADE_BY,
            recipe: self.recipe.name.as_str(),
            stage_path: self.stage_path(),
            site: self.site(ScriptKind::Launch),
            in_server: self.hook(HookPlace::InServer),
            in_client: self.hook(HookPlace::InClient),
            runtime,
            server: ContainerRow {
                file: &server_file,
                reference: &server_reference,
            },
            client: ContainerRow {
                file: &client_file,
                reference: &client_reference,
            },
            model_folder: &model.weights.folder(),
            model_is_staged: model.weights.are_staged(),
            weights: model.weights.source.to_string(),
            weights_files: model.weights.files.iter().map(AsRef::as_ref).collect(),
            engine: model.engine.as_ref().map(|engine| engine.ngc.as_str()),
            engine_link: ENGINE_LINK,
            nodes: server.nodes.get(),
            gpus_of_a_node: server.gpus_of_a_node(),
            replicas: server.replicas.get(),
            alike: sweep.replicas == ReplicaUse::Alike,
            mpi: mpi.as_str(),
            server_command: server.command.iter().map(AsRef::as_ref).collect(),
            server_environment: server
                .environment
                .iter()
                .map(|(name, value)| value.assignment(name))
                .collect(),
            server_secrets: server.secrets.iter().map(AsRef::as_ref).collect(),
            port: server.port.get(),
            health_path: server.health_path.as_str(),
            served_model_name: server.served_model_name.as_str(),
            ready_timeout: server.ready_timeout.get(),
            probe_interval: server.probe_interval.get(),
            stop_timeout: server.stop_timeout.get(),
            tokenizer: client.tokenizer.as_ref().map_or("", AsRef::as_ref),
            point_timeout: sweep.point_timeout.get(),
            tool: client.tool,
            has_phases: client.has_phases(),
            client_options: client.options(),
            result_name: self.recipe.result_name.as_str(),
            points: point_rows(&self.recipe),
            tasks: self.tasks().unwrap_or_default(),
            variants: server.variants.iter().map(|v| v.name.as_str()).collect(),
            variant_command: by_task(server, |variant| {
                variant.command.iter().map(ToString::to_string)
            }),
            variant_environment: by_task(server, |variant| {
                let variables = variant.environment.iter();
                variables.map(|(name, value)| value.assignment(name))
            }),
            resume: self
                .settings
                .resumed()
                .iter()
                .map(AsRef::as_ref)
                .collect::<Vec<_>>()
                .join(","),
            requeue_limit: if self.launch.is_set(OptionName::Requeue) {
                self.settings.max_requeues()
            } else {
                0
            },
            reserve: self.launch.seconds_of_warning() + SECONDS_TO_STOP,
            extra_mounts: self.settings.mounts().iter().map(AsRef::as_ref).collect(),
        };
        Script::new(ScriptKind::Launch, render(self.launch.head(), &template))
    }

    /// What the site adds to a script.
    fn site(&self, kind: ScriptKind) -> SiteRow<'_> {
        let cluster = self.settings.cluster();
        let folder = |path: &'_ Option<FolderPath>| path.as_ref().map(ToString::to_string);
        SiteRow {
            modules: cluster.modules.iter().map(AsRef::as_ref).collect(),
            proxy: cluster.proxy.assignments(),
            enroot_cache: folder(&cluster.enroot_cache_path),
            enroot_temp: folder(&cluster.enroot_temp_path),
            before: self.hook(HookPlace::Before(kind)),
            after: self.hook(HookPlace::After(kind)),
        }
    }

    fn hook(&self, place: HookPlace) -> Option<&str> {
        self.settings.hook(place).map(Hook::as_str)
    }

    fn stage_path(&self) -> &str {
        self.settings.stage_path().map_or("", |path| path.as_str())
    }
}

/// What one job measures: the launch job, or a task of it.
struct Part {
    result_name: String,
    points: Vec<Point>,
}

/// The part of each task; without an array, there is one.
fn parts(recipe: &Recipe) -> Vec<Part> {
    let (sweep, name) = (&recipe.sweep, &recipe.result_name);
    let part = |points| Part {
        result_name: name.to_string(),
        points,
    };
    match sweep.array {
        None => vec![part(sweep.points())],
        Some(ArrayBy::Point) => {
            let points = sweep.points().into_iter();
            points.map(|point| part(vec![point])).collect()
        }
        Some(ArrayBy::UseCase) => {
            let of = |use_case: &UseCase| {
                let mut points = sweep.points();
                points.retain(|point| point.use_case == *use_case);
                part(points)
            };
            sweep.use_cases.iter().map(of).collect()
        }
        Some(ArrayBy::Server) => {
            let variants = recipe.server.variants.iter();
            variants
                .map(|variant| Part {
                    result_name: format!("{name}-{}", variant.name),
                    points: sweep.points(),
                })
                .collect()
        }
    }
}

impl Part {
    /// The points' folders, by a job of this name.
    fn folders(&self, gpus: u32, job: &str) -> Vec<String> {
        let name = &self.result_name;
        let folder = |point: &Point| {
            let (use_case, concurrency) = (&point.use_case, point.concurrency);
            let (input, output) = (use_case.input_tokens(), use_case.output_tokens());
            let use_case = use_case.name();
            format!("{name}_{gpus}_{concurrency}_{use_case}_{input}_{output}_{job}")
        };
        self.points.iter().map(folder).collect()
    }
}

/// The sweep's rows in launch.sh.
fn point_rows(recipe: &Recipe) -> Vec<String> {
    match recipe.sweep.array {
        None | Some(ArrayBy::Server) => recipe.sweep.points().iter().map(point_row).collect(),
        Some(ArrayBy::UseCase | ArrayBy::Point) => {
            let parts = parts(recipe);
            let rows = parts.iter().enumerate().flat_map(|(task, part)| {
                let rows = part.points.iter().map(point_row);
                rows.map(move |row| format!("{task} {row}"))
            });
            rows.collect()
        }
    }
}

/// What the variants of a server add, each behind the number of its task.
fn by_task<'a, T: Iterator<Item = String>>(
    server: &'a Server,
    added: impl Fn(&'a Variant) -> T,
) -> Vec<String> {
    let variants = server.variants.iter().enumerate();
    variants
        .flat_map(|(task, variant)| added(variant).map(move |word| format!("{task} {word}")))
        .collect()
}

/// The images of a recipe, each file once.
fn image_sources(recipe: &Recipe, settings: &Settings) -> Vec<ImageSource> {
    let Recipe { server, client, .. } = recipe;
    let mut sources = vec![
        ImageSource::new(
            &client.image,
            &client.squash_file(),
            &client.disk,
            client.architecture,
            settings,
        ),
        ImageSource::new(
            &server.image,
            &server.squash_file(),
            &server.disk,
            server.architecture,
            settings,
        ),
    ];
    // Server and client may share one image.
    sources.dedup_by(|a, b| a.file == b.file);
    sources
}

/// Where an image comes from, and the file it becomes.
pub(crate) struct ImageSource {
    pub(crate) file: String,
    /// The image as it is pulled: from the mirror, if its registry has one.
    pub(crate) image: Image,
    uri: String,
    architecture: &'static str,
    /// Free space that the import asks for, in MiB.
    pub(crate) space: u64,
    /// The host that asks for an NGC key; empty: none does.
    pub(crate) login: String,
}

impl ImageSource {
    fn new(
        image: &Image,
        file: &SquashFile,
        disk: &ByteSize,
        architecture: Option<Architecture>,
        settings: &Settings,
    ) -> Self {
        let mirror = image
            .registry()
            .and_then(|registry| settings.mirror(registry));
        let source =
            mirror.map_or_else(|| image.clone(), |mirror| image.in_registry(mirror.clone()));
        // A mirror lets its own users in.
        let login = image
            .registry()
            .filter(|registry| mirror.is_none() && registry.needs_ngc_key());
        let runtime = settings.runtime();
        Self {
            file: runtime.image_file(file),
            uri: if runtime == Runtime::Pyxis {
                source.enroot_uri()
            } else {
                source.docker_uri()
            },
            image: source,
            architecture: architecture.map_or("", Architecture::as_str),
            space: runtime.space(disk.mebibytes()),
            login: login
                .map(|registry| runtime.login(registry).to_owned())
                .unwrap_or_default(),
        }
    }

    fn row(&self) -> ImageRow<'_> {
        ImageRow {
            file: &self.file,
            uri: &self.uri,
            architecture: self.architecture,
            space: self.space,
            login: &self.login,
        }
    }
}

fn weights_row<'a>(weights: &'a Weights, folder: &'a str) -> WeightsRow<'a> {
    WeightsRow {
        folder,
        bytes: weights.size.bytes(),
        files: weights.files.iter().map(AsRef::as_ref).collect(),
        exclude: weights.exclude.iter().map(AsRef::as_ref).collect(),
    }
}

fn engine_row(engine: &Engine) -> EngineRow<'_> {
    EngineRow {
        target: engine.ngc.as_str(),
        folder: engine.ngc.folder(),
        bytes: engine.size.bytes(),
        files: engine.files.iter().map(AsRef::as_ref).collect(),
    }
}

fn point_row(point: &Point) -> String {
    let Point {
        use_case,
        concurrency,
        requests,
    } = point;
    let (name, input, output) = (
        use_case.name(),
        use_case.input_tokens(),
        use_case.output_tokens(),
    );
    format!("{name} {input} {output} {concurrency} {requests}")
}

/// What is said of the options of one script, and by whom.
pub(crate) struct Layers<'a> {
    given: [(Origin<'a>, &'a Directives); 5],
    /// What the cluster makes of the recipe's needs. It gives way, as the recipe does.
    cluster: Directives,
    cluster_origin: Origin<'a>,
    recipe: Directives,
}

impl<'a> Layers<'a> {
    fn new(recipe: &Recipe, settings: &'a Settings, kind: ScriptKind) -> Self {
        let own = recipe.slurm.script(kind).clone().over(&recipe.slurm.all);
        let cluster = match kind {
            ScriptKind::Launch => settings.cluster().launch(&recipe.server, &own),
            ScriptKind::Setup | ScriptKind::PrepareModels => Directives::new(),
        };
        Self {
            given: settings.layers(kind),
            cluster,
            cluster_origin: settings.cluster_origin(),
            recipe: own,
        }
    }

    /// The uppermost layer that says something of this option.
    pub(crate) fn origin_of(&self, name: OptionName) -> Origin<'a> {
        let says = |directives: &Directives| directives.is_set(name) || directives.is_omitted(name);
        let given = self.given.iter().find(|(_, directives)| says(directives));
        match given {
            Some(&(origin, _)) => origin,
            None if says(&self.cluster) => self.cluster_origin,
            None => Origin::Recipe,
        }
    }

    fn describe(&self, name: OptionName) -> String {
        self.origin_of(name).describe(name)
    }
}

/// The options of one script from all layers.
fn merge(
    recipe: &Recipe,
    settings: &Settings,
    kind: ScriptKind,
    problems: &mut Vec<Problem>,
) -> Directives {
    let layers = Layers::new(recipe, settings, kind);
    let given = layers
        .given
        .iter()
        .fold(Directives::new(), |upper, (_, lower)| upper.over(lower));
    // The recipe's part gives way to what excludes it.
    let mut below = layers.cluster.clone().over(&layers.recipe);
    for conflict in given.clone().over(&below).exclusions() {
        for name in [conflict.first, conflict.second] {
            if !given.is_set(name) {
                below = below.without(name);
            }
        }
    }
    let exclusions = given.exclusions();
    let merged = given.over(&below);
    let script = kind.file_name();
    let origin = |name| layers.describe(name);
    for conflict in exclusions.into_iter().chain(merged.contradictions()) {
        problems.push(Problem::Conflict {
            script,
            first: conflict.first,
            first_origin: origin(conflict.first),
            second: conflict.second,
            second_origin: origin(conflict.second),
            reason: conflict.reason.to_owned(),
        });
    }
    for need in merged.needs() {
        let one_of: Vec<_> = need.one_of.iter().map(ToString::to_string).collect();
        problems.push(Problem::Needed {
            script,
            option: need.option,
            origin: origin(need.option),
            one_of: one_of.join(" or "),
        });
    }
    if let Some(release) = settings.cluster().slurm {
        problems.extend(
            merged
                .unknown_to(release)
                .into_iter()
                .map(|unknown| Problem::Release {
                    script,
                    release,
                    option: unknown.option().to_owned(),
                    origin: origin(unknown.name()),
                    reason: unknown.reason().to_owned(),
                }),
        );
    }
    merged
}

/// Makes the launch job an array, if the recipe says so.
fn with_array(
    launch: Directives,
    recipe: &Recipe,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Directives {
    if recipe.sweep.array.is_none() {
        return launch;
    }
    if let Some(array) = launch.get(OptionName::Array) {
        let layers = Layers::new(recipe, settings, ScriptKind::Launch);
        problems.push(Problem::ArrayTwice {
            array: format!("{}={array}", OptionName::Array),
            origin: layers.describe(OptionName::Array),
        });
    }
    let tasks = parts(recipe).len();
    if tasks == 0 {
        // The list that is empty is a problem of its own.
        return launch;
    }
    let limit = recipe.sweep.array_limit;
    let limit = limit.map_or_else(String::new, |limit| format!("%{limit}"));
    let array = Array::parse(&format!("0-{}{limit}", tasks - 1));
    let array = array.expect("a range from 0 is an array");
    launch.array(array)
}

fn check_launch(
    launch: &Directives,
    recipe: &Recipe,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) {
    let layers = Layers::new(recipe, settings, ScriptKind::Launch);
    let origin = |name| layers.describe(name);
    let nodes = recipe.server.nodes.get();
    let used = recipe.server.gpus_of_a_node();
    if let Some((option, asked)) = launch.gpus_of_a_node()
        && asked < u64::from(used)
    {
        problems.push(Problem::TooFewGpus {
            asked,
            option,
            origin: origin(option),
            used,
            replicas: recipe.server.replicas.get(),
        });
    }
    if let Some(signal) = launch.get(OptionName::Signal) {
        let is_trapped = [
            "B:USR1", "B:USR2", "B:TERM", "B:INT", "B:2", "B:10", "B:12", "B:15",
        ];
        if !is_trapped.contains(&signal.split('@').next().unwrap_or_default()) {
            problems.push(Problem::Signal {
                asked: signal,
                origin: origin(OptionName::Signal),
            });
        }
    }
    // Without a number, Slurm gives all nodes that are named.
    let (option, range, asked) = match (launch.node_count(), launch.named_nodes()) {
        (Some(asked), _) => {
            let range = (u64::from(asked.min()), u64::from(asked.max()));
            (OptionName::Nodes, range, asked.to_string())
        }
        (None, named) => {
            let named = named.unwrap_or(1);
            let range = (named, named);
            (OptionName::Nodelist, range, named.to_string())
        }
    };
    if range != (u64::from(nodes), u64::from(nodes)) {
        problems.push(Problem::Nodes {
            asked,
            origin: origin(option),
            used: nodes,
        });
    }
}

/// Variables whose values are secrets. launch.sh keeps them from whom they do not
/// concern.
pub(crate) const SECRETS: [&str; 4] = [
    "NGC_API_KEY",
    "NGC_CLI_API_KEY",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
];

/// Flags with which servers are told over how many GPUs to split a model.
const TENSOR_PARALLEL_FLAGS: [&str; 5] = [
    "--tensor-parallel-size",
    "--tp-size",
    "--tp_size",
    "--tp",
    "-tp",
];

/// More than a job has time for. Two short lists make a long script: each use case is
/// measured at each concurrency.
const MOST_POINTS: usize = 1000;

fn check_recipe(recipe: &Recipe, problems: &mut Vec<Problem>) {
    let Recipe {
        server,
        model,
        client,
        sweep,
        ..
    } = recipe;
    for (list, is_empty) in [
        ("server.command", server.command.is_empty()),
        ("model.weights.files", model.weights.files.is_empty()),
        ("sweep.use_cases", sweep.use_cases.is_empty()),
        ("sweep.concurrency", sweep.concurrency.is_empty()),
    ] {
        if is_empty {
            problems.push(Problem::Empty { list });
        }
    }
    let points = sweep
        .use_cases
        .len()
        .saturating_mul(sweep.concurrency.len());
    if points > MOST_POINTS {
        problems.push(Problem::TooManyPoints {
            points,
            most: MOST_POINTS,
        });
    }
    if let Some(entry) = first_repeated(&sweep.use_cases) {
        problems.push(Problem::Repeated {
            list: "sweep.use_cases",
            entry: entry.to_string(),
        });
    }
    if let Some(entry) = first_repeated(&sweep.concurrency) {
        problems.push(Problem::Repeated {
            list: "sweep.concurrency",
            entry: entry.to_string(),
        });
    }
    let variants = server.variants.iter();
    let commands = std::iter::once(&server.command).chain(variants.map(|variant| &variant.command));
    for command in commands {
        check_command(command, server, problems);
    }
    let variants = server.variants.iter();
    let names = variants.flat_map(|variant| variant.environment.keys());
    for name in server.environment.keys().chain(names) {
        check_variable(name, problems);
    }
    if let Some(engine) = &model.engine {
        check_engine(engine, recipe, problems);
    }
    check_array(recipe, problems);
    if server.replicas.get() > 1 {
        check_replicas(server, problems);
    } else if sweep.replicas == ReplicaUse::Alike {
        problems.push(Problem::AlikeAlone);
    }
    let file = server.squash_file();
    if file == client.squash_file() && server.image != client.image {
        problems.push(Problem::SquashFile {
            server: server.image.to_string(),
            client: client.image.to_string(),
            file: file.to_string(),
        });
    }
}

/// A command must split the model over the GPUs that the server has.
fn check_command(command: &[Word], server: &Server, problems: &mut Vec<Problem>) {
    let used = server.gpus.get();
    let mut words = command.iter().map(Word::as_str);
    while let Some(word) = words.next() {
        let (flag, given) = match word.split_once('=') {
            Some((flag, given)) if TENSOR_PARALLEL_FLAGS.contains(&flag) => (flag, given),
            None if TENSOR_PARALLEL_FLAGS.contains(&word) => {
                (word, words.next().unwrap_or_default())
            }
            _ => continue,
        };
        let is_right = matches!(given, "{gpus}" | "{total_gpus}")
            || given
                .parse()
                .is_ok_and(|given: u32| [used, server.total_gpus()].contains(&given));
        if !is_right {
            problems.push(Problem::TensorParallelism {
                flag: flag.to_owned(),
                given: given.to_owned(),
                used,
            });
        }
    }
}

/// A variable for the server must neither be a secret nor change its step.
fn check_variable(name: &EnvName, problems: &mut Vec<Problem>) {
    if SECRETS.contains(&name.as_str()) {
        problems.push(Problem::SecretValue {
            name: name.to_string(),
        });
    }
    let is_srun_s = [
        "LD_", "SLURM_", "SBATCH_", "SRUN_", "PYXIS_", "ENROOT_", "BASH_",
    ]
    .iter()
    .any(|prefix| name.as_str().starts_with(prefix));
    if is_srun_s || matches!(name.as_str(), "PATH" | "HOME" | "IFS") {
        problems.push(Problem::StepVariable {
            name: name.to_string(),
        });
    }
}

fn check_engine(engine: &Engine, recipe: &Recipe, problems: &mut Vec<Problem>) {
    let is_part = |name: &str| name.starts_with("rank") && name.ends_with(".engine");
    let files = engine.files.iter().map(AsRef::as_ref);
    let parts = files.filter(|name| is_part(name)).count();
    let used = recipe.server.total_gpus();
    if parts != used as usize {
        problems.push(Problem::EngineParts { parts, used });
    }
    let source = &recipe.model.weights.source;
    if !matches!(source, ModelSource::Ngc(_)) {
        problems.push(Problem::EngineSource {
            weights: source.to_string(),
        });
    }
}

/// The client's options against its tool's release, and against one another.
fn check_client(client: &Client, problems: &mut Vec<Problem>) {
    for (key, feature) in client.asked() {
        if let Some((tool, first)) = client.tool.lacks(feature) {
            problems.push(Problem::ClientRelease { key, tool, first });
        }
    }
    let is_on_hub = client.tokenizer.as_ref().is_some_and(Tokenizer::is_on_hub);
    if let Some(revision) = &client.tokenizer_revision
        && !is_on_hub
    {
        let tokenizer = client.tokenizer.as_ref();
        problems.push(Problem::TokenizerRevision {
            revision: revision.to_string(),
            tokenizer: tokenizer.map_or("the model's own".to_owned(), ToString::to_string),
        });
    }
    if client.goodput.as_ref().is_some_and(Goodput::is_empty) {
        problems.push(Problem::Empty {
            list: "client.goodput",
        });
    }
}

/// Variants are for an array by server, and the limit is for an array.
fn check_array(recipe: &Recipe, problems: &mut Vec<Problem>) {
    let (sweep, variants) = (&recipe.sweep, &recipe.server.variants);
    if let (None, Some(limit)) = (sweep.array, sweep.array_limit) {
        problems.push(Problem::LimitWithoutArray { limit: limit.get() });
    }
    if (sweep.array == Some(ArrayBy::Server)) == variants.is_empty() {
        problems.push(Problem::Variants {
            variants: variants.len(),
            array: match sweep.array {
                None => "absent",
                Some(ArrayBy::UseCase) => "\"use_case\"",
                Some(ArrayBy::Point) => "\"point\"",
                Some(ArrayBy::Server) => "\"server\"",
            },
        });
    }
    let names: Vec<_> = variants.iter().map(|variant| &variant.name).collect();
    if let Some(entry) = first_repeated(&names) {
        problems.push(Problem::Repeated {
            list: "server.variants",
            entry: entry.to_string(),
        });
    }
    for name in names {
        let result_name = format!("{}-{name}", recipe.result_name);
        if let Err(source) = ResultName::parse(&result_name) {
            let (variant, reason) = (name.to_string(), source.to_string());
            problems.push(Problem::VariantName { variant, reason });
        }
    }
}

/// Servers side by side need a node, GPUs and ports that do for all of them.
fn check_replicas(server: &Server, problems: &mut Vec<Problem>) {
    let (replicas, nodes, port) = (server.replicas.get(), server.nodes.get(), server.port.get());
    if nodes > 1 {
        problems.push(Problem::ReplicasOnNodes { replicas, nodes });
    }
    let last = u64::from(port) + u64::from(replicas) - 1;
    if last > u64::from(u16::MAX) {
        problems.push(Problem::Ports {
            replicas,
            port,
            last,
        });
    }
    let mut words = server.command.iter().chain(server.environment.values());
    if !words.any(|word| word.as_str().contains("{port}")) {
        problems.push(Problem::OnePort { replicas });
    }
}

fn first_repeated<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter()
        .enumerate()
        .find(|(index, entry)| list[..*index].contains(entry))
        .map(|(_, entry)| entry)
}

/// What the scripts ask of the runtime against what it can do.
fn check_runtime(recipe: &Recipe, settings: &Settings, problems: &mut Vec<Problem>) {
    let runtime = settings.runtime();
    if runtime == Runtime::Pyxis {
        check_pyxis(settings, problems);
        return;
    }
    let mpi = settings.mpi();
    if mpi.as_str() != "none" {
        problems.push(Problem::RuntimeMpi {
            runtime,
            mpi: mpi.to_string(),
        });
    }
    for mount in settings.mounts() {
        if let Some(reason) = runtime.objection_to(mount) {
            problems.push(Problem::RuntimeMount {
                runtime,
                mount: mount.to_string(),
                reason,
            });
        }
    }
    for source in image_sources(recipe, settings) {
        let registry = source.image.registry();
        if let Some(registry) = registry.filter(|registry| !registry.is_plain()) {
            problems.push(Problem::RuntimeRegistry {
                runtime,
                registry: registry.to_string(),
            });
        }
    }
}

/// launch.sh's own options of pyxis against the site's release.
fn check_pyxis(settings: &Settings, problems: &mut Vec<Problem>) {
    let Some(release) = settings.cluster().pyxis else {
        return;
    };
    for (option, first) in USED_OPTIONS {
        if release < first {
            problems.push(Problem::Pyxis {
                option,
                release: release.to_string(),
                first: first.to_string(),
            });
        }
    }
}

fn check_mounts(recipe: &Recipe, settings: &Settings, problems: &mut Vec<Problem>) {
    let clean = |path: &str| path.trim_end_matches('/').to_owned();
    let mut taken: Vec<(String, String)> = Vec::new();
    if let Some(stage) = settings.stage_path() {
        let model = recipe.model.weights.folder();
        for (what, folder) in [
            ("the model", model.as_str()),
            ("the results", "results"),
            ("the server's cache", "nim_cache"),
        ] {
            let place = Utf8Path::new(stage.as_str()).join(folder);
            taken.push((place.into_string(), what.to_owned()));
        }
    }
    for mount in settings.mounts() {
        let destination = clean(mount.destination());
        if let Some((_, first)) = taken.iter().find(|(place, _)| *place == destination) {
            problems.push(Problem::MountDestination {
                first: first.clone(),
                second: mount.to_string(),
                destination: destination.clone(),
            });
        }
        taken.push((destination, mount.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn folders_of_points() {
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
        let folders = plan.point_folders(None, "4711-3");
        assert_eq!(folders.len(), plan.points().len());
        assert_eq!(folders[0], "llama-3-70b-instruct_4_100_chat_128_128_4711-3");
    }

    /// The built-in recipe as an array.
    fn array_by(by: ArrayBy) -> Recipe {
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        recipe.sweep.array = Some(by);
        if by == ArrayBy::Server {
            recipe.server.variants = ["a", "b-2", "c"]
                .map(|name| toml::from_str(&format!("name = '{name}'")).unwrap())
                .into();
        }
        recipe
    }

    #[test]
    fn each_task_has_its_part() {
        for (by, array, task, first) in [
            (
                ArrayBy::UseCase,
                "0-1",
                1,
                "llama-3-70b-instruct_4_100_summarization_4096_512_9-1",
            ),
            (
                ArrayBy::Point,
                "0-7",
                2,
                "llama-3-70b-instruct_4_50_chat_128_128_9-2",
            ),
            (
                ArrayBy::Server,
                "0-2",
                1,
                "llama-3-70b-instruct-b-2_4_100_chat_128_128_9-1",
            ),
        ] {
            let plan = Plan::new(array_by(by), Settings::new()).unwrap();
            let given = plan.directives(ScriptKind::Launch).get(OptionName::Array);
            assert_eq!(given.as_deref(), Some(array));
            let tasks = plan.tasks().unwrap();
            let folders = plan.point_folders(Some(task), &format!("9-{task}"));
            assert_eq!(folders[0], first);
            let all: Vec<_> = (0..tasks)
                .flat_map(|task| plan.point_folders(Some(task), "9"))
                .collect();
            let variants = if by == ArrayBy::Server { tasks } else { 1 };
            assert_eq!(all.len(), variants * plan.points().len());
            assert_eq!(first_repeated(&all), None);
            assert_eq!(plan.point_folders(Some(tasks), "9"), [""; 0]);
            // The other jobs stay what they are.
            assert_eq!(
                plan.directives(ScriptKind::Setup).get(OptionName::Array),
                None
            );
        }
    }

    #[test]
    fn a_recipe_keeps_all_that_it_says() {
        for by in [ArrayBy::UseCase, ArrayBy::Point, ArrayBy::Server] {
            let mut recipe = array_by(by);
            recipe.sweep.array_limit = Some(3.try_into().unwrap());
            recipe.server.replicas = 2.try_into().unwrap();
            recipe.sweep.replicas = ReplicaUse::Alike;
            if let Some(variant) = recipe.server.variants.first_mut() {
                variant.command = vec!["--note=it's {port}".parse().unwrap()];
                let variable = ("NOTE".parse().unwrap(), "\n".parse().unwrap());
                variant.environment = [variable].into();
            }
            let text = recipe.to_toml();
            assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
        }
        let error = Recipe::from_toml(
            &array_by(ArrayBy::Point)
                .to_toml()
                .replace("\"point\"", "\"node\""),
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("unknown variant `node`, expected one of `use_case`, `point`, `server`"),
            "{error}"
        );
    }

    #[test]
    fn arrays_that_are_refused() {
        let limit = |recipe: &mut Recipe| recipe.sweep.array_limit = Some(2.try_into().unwrap());
        assert_eq!(
            refusal(limit, ""),
            "the recipe's sweep.array_limit is 2, but there is no array: sweep.array is needed"
        );
        let by = |by| move |recipe: &mut Recipe| *recipe = array_by(by);
        assert_eq!(
            refusal(by(ArrayBy::UseCase), "slurm.launch.array = '0-3%2'"),
            "launch.sh gets --array from the recipe's sweep.array, and --array=0-3%2 ([slurm.launch] of the settings): \
             leave one of them out, and limit the tasks that run at once with sweep.array_limit"
        );
        let without_variants = |recipe: &mut Recipe| recipe.sweep.array = Some(ArrayBy::Server);
        assert_eq!(
            refusal(without_variants, ""),
            "the recipe has 0 server.variants, and its sweep.array is \"server\": variants are for the tasks of \
             sweep.array = \"server\", which needs at least one"
        );
        let variants_alone = |recipe: &mut Recipe| {
            by(ArrayBy::Server)(recipe);
            recipe.sweep.array = None;
        };
        assert!(refusal(variants_alone, "").starts_with(
            "the recipe has 3 server.variants, and its sweep.array is absent: variants are for"
        ));
        let twice = |recipe: &mut Recipe| {
            by(ArrayBy::Server)(recipe);
            recipe.server.variants[2].name = "a".parse().unwrap();
        };
        assert_eq!(
            refusal(twice, ""),
            "the recipe's server.variants has a twice: once is enough"
        );
        let long = |recipe: &mut Recipe| {
            by(ArrayBy::Server)(recipe);
            recipe.server.variants.truncate(1);
            recipe.result_name = "m".repeat(149).parse().unwrap();
        };
        let refused = refusal(long, "");
        assert!(
            refused.starts_with("the results of the recipe's server.variants a have no name: "),
            "{refused}"
        );
        // What is refused of the server is refused of a variant.
        let unsafe_variant = |recipe: &mut Recipe| {
            by(ArrayBy::Server)(recipe);
            let variant = &mut recipe.server.variants[0];
            variant.command = ["-tp", "3"].map(|word| word.parse().unwrap()).into();
            let path = ("PATH".parse().unwrap(), "/opt".parse().unwrap());
            variant.environment = [path].into();
        };
        let refused = refusal(unsafe_variant, "");
        assert!(
            refused.contains("command says -tp 3, but its gpus are 4"),
            "{refused}"
        );
        assert!(refused.contains("server.environment has PATH"), "{refused}");
    }

    fn plan(settings: &str) -> Result<Plan, String> {
        let settings = Settings::from_toml(settings).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings);
        plan.map_err(|error| error.to_string())
    }

    #[test]
    fn options_that_do_not_go_together_are_told_at_once() {
        let launch = "\
[slurm.launch]
nodelist = 'node[1-2],node4'
time = 30
time_min = 60
";
        assert_eq!(
            plan(launch).unwrap_err(),
            "launch.sh: --time-min ([slurm.launch] of the settings) and --time ([slurm.launch] of the settings) exclude \
             each other: the least time is longer than the limit\n\
             launch.sh: --nodelist ([slurm.launch] of the settings) and --nodes (the recipe) exclude each other: more \
             nodes are named than asked for"
        );
        let memory = "slurm = { setup = { mem_per_gpu = '10G' } }";
        assert_eq!(
            plan(memory).unwrap_err(),
            "setup.sh: --mem-per-gpu ([slurm.setup] of the settings) needs --gres or --gpus-per-node or --gpus or \
             --gpus-per-task or --gpus-per-socket or --tres-per-task"
        );
        let nodes = "slurm = { launch = { nodes = false, nodelist = 'node[1-2]' } }";
        assert!(
            plan(nodes)
                .unwrap_err()
                .contains("launch.sh asks for 2 nodes")
        );
    }

    /// What is refused of the built-in recipe after a change.
    fn refusal(change: impl FnOnce(&mut Recipe), settings: &str) -> String {
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        change(&mut recipe);
        let settings = Settings::from_toml(settings).unwrap();
        Plan::new(recipe, settings).unwrap_err().to_string()
    }

    #[test]
    fn servers_side_by_side() {
        let replicas = |number: u32| {
            move |recipe: &mut Recipe| recipe.server.replicas = number.try_into().unwrap()
        };
        assert_eq!(
            refusal(replicas(2), "slurm.launch.gres = 'gpu:4'"),
            "launch.sh asks for 4 GPUs with --gres ([slurm.launch] of the settings), the recipe's 2 servers use 8"
        );
        assert_eq!(
            refusal(replicas(1), "slurm.launch.gres = 'gpu:2'"),
            "launch.sh asks for 2 GPUs with --gres ([slurm.launch] of the settings), the recipe's server uses 4"
        );
        let on_nodes = |recipe: &mut Recipe| {
            replicas(3)(recipe);
            recipe.server.nodes = 2.try_into().unwrap();
            recipe.model.engine = None;
        };
        assert_eq!(
            refusal(on_nodes, "slurm.launch.nodes = 2"),
            "the recipe has 3 servers side by side, each on 2 nodes: with several servers, server.nodes = 1 is allowed"
        );
        let high = |recipe: &mut Recipe| {
            replicas(2)(recipe);
            recipe.server.port = 65_535.try_into().unwrap();
        };
        assert_eq!(
            refusal(high, ""),
            "the recipe's 2 servers would listen on the ports from 65535 to 65536: 65535 is the last one"
        );
        let one_port = |recipe: &mut Recipe| {
            replicas(2)(recipe);
            recipe.server.environment.clear();
        };
        assert_eq!(
            refusal(one_port, ""),
            "the recipe's 2 servers do not get ports of their own: {port} is needed in server.command or \
             server.environment"
        );
        let alone = |recipe: &mut Recipe| recipe.sweep.replicas = ReplicaUse::Alike;
        assert_eq!(
            refusal(alone, ""),
            "the recipe's sweep.replicas is \"alike\", but it has one server: server.replicas must be 2 or more"
        );
        let most = |recipe: &mut Recipe| {
            replicas(2)(recipe);
            recipe.server.port = 65_534.try_into().unwrap();
        };
        let mut recipe = Recipe::llama3_70b_h100x4_fp8();
        most(&mut recipe);
        let settings = Settings::from_toml("slurm.launch.gres = 'gpu:8'").unwrap();
        assert!(Plan::new(recipe, settings).is_ok());
    }

    #[test]
    fn what_a_runtime_cannot_do() {
        let refused = "\
[srun]
mpi = 'pmix'
[container]
runtime = 'apptainer'
mounts = ['/data:/data:ro', 'tmpfs:/scratch', '/a:/b:noexec']
registries = { 'nvcr.io' = 'mirror' }
";
        let problems = plan(refused).unwrap_err();
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(
            lines[0],
            "[srun] mpi = \"pmix\" does not go together with [container] runtime = \"apptainer\": only pyxis hands srun's \
             MPI on into a container, so \"none\" is allowed"
        );
        assert!(lines[1].starts_with("apptainer cannot mount \"tmpfs:/scratch\": it makes no"));
        assert!(lines[2].starts_with("apptainer cannot mount \"/a:/b:noexec\": it has no flag"));
        assert!(lines[3].starts_with("apptainer reads \"mirror\" as a part of the image's path"));
        let same = refused.replace("apptainer", "pyxis");
        assert!(plan(&same).is_ok(), "pyxis can do all of it");
    }

    #[test]
    fn mpi_and_pyxis_s_release_are_for_pyxis() {
        // 0.10 does not know --container-writable.
        let settings = "cluster = { pyxis = '0.10' }\ncontainer = { runtime = 'podman' }";
        let plan = plan(settings).unwrap();
        assert_eq!(plan.settings().mpi().as_str(), "none");
        assert!(!plan.launch().text().contains("--container-"));
    }

    #[test]
    fn options_that_go_together() {
        for launch in [
            "gres = 'gpu:a100:4,gpu:h100:4,shard:1'",
            "gres = 'gpu:2,gpu:2'",
            "nodelist = 'node1'",
            "nodelist = 'node1,node1'",
            "time = 60\ntime_min = '01:00:00'",
            "time = 'UNLIMITED'\ntime_min = 60",
            "gres = 'gpu:8'\nmem_per_gpu = '10G'",
            "gpus_per_task = 4\nntasks = 1\nmem_per_gpu = '10G'",
        ] {
            let plan = plan(&format!("[slurm.launch]\n{launch}"));
            assert!(plan.is_ok(), "{launch}: {}", plan.unwrap_err());
        }
    }

    #[test]
    fn the_server_s_time_to_be_ready_and_the_warning() {
        let is_short = |launch: &str| {
            let plan = plan(&format!("[slurm.launch]\n{launch}")).unwrap();
            plan.shortage_of_time().is_some()
        };
        assert!(is_short("time = 30"), "1800 s, and 30 s of warning");
        assert!(!is_short("time = 31"));
        assert!(!is_short("time = 30\nsignal = false"));
        assert!(is_short("time = 60\ntime_min = 30"));
        assert!(!is_short("time = 'UNLIMITED'"));
        assert!(!is_short("time = false"), "the site's default is not known");
    }

    #[test]
    fn a_sweep_has_an_end() {
        let concurrency = |most| (1..=most).filter_map(NonZeroU32::new);
        let sweep = |most| {
            let recipe = Recipe::llama3_70b_h100x4_fp8().with_concurrency(concurrency(most));
            Plan::new(recipe, Settings::new()).map_err(|error| error.to_string())
        };
        assert_eq!(sweep(500).unwrap().points().len(), 1000);
        assert_eq!(
            sweep(501).unwrap_err(),
            "the recipe's sweep has 1002 points, each use case at each concurrency: at most 1000 are allowed"
        );
    }
}
