//! Where it runs: the site's answers, in layers.

use std::collections::BTreeMap;
use std::ffi::OsString;

use camino::Utf8Path;
use serde::Deserialize;

use self::hooks::HooksTable;
use self::lines::Lines;
use crate::container::{Image, Mount, Registry, Runtime};
use crate::environment;
use crate::input::FileError;
use crate::job_options::JobOptions;
use crate::job_options::ScriptKind;
use crate::slurm::{Directives, OptionName, RunId};
use crate::value::VariableError;

pub use self::cluster::{Cluster, GpuRequest, NodeUse, Proxy};
pub use self::hooks::{Hook, HookPlace};
pub use self::values::{FolderPath, ModuleName, Mpi, NoProxy, ProxyUrl, StagePath};

mod cluster;
mod hooks;
mod lines;
mod values;

/// Where the scripts run: partition, account, GPUs to ask for, stage path, mounts.
///
/// Settings come in layers, and the upper one wins for each option of each
/// script: what the program sets, over the environment, over a file's
/// `[slurm.<script>]`, over its `[slurm]`, over the recipe.
///
/// # The file
///
/// Every key is optional; an unknown one is an error. Numbers may be quoted.
///
/// ```
/// # use nim_slurm::{Settings, ScriptKind};
/// let settings = Settings::from_toml(r#"
///     stage_path = "/lustre/project/nim"   # absent: the scripts demand $STAGE_PATH
///
///     [slurm]                              # sbatch's long options, '_' for '-'
///     partition = "batch"
///     account = "proj"
///     gres = "gpu:8"                       # or gpus_per_node = 8; never both
///     passthrough = ["--brand-new=1"]      # whole options, of an sbatch newer than the crate
///
///     [slurm.setup]                        # the same keys, for one script
///     partition = "cpu"
///     gres = false                         # leave out what [slurm] or the recipe says
///
///     [srun]
///     mpi = "pmix"                         # the server step's --mpi; "none" without PMIx
///
///     [container]
///     runtime = "pyxis"                    # or "apptainer", "podman"
///     mounts = ["/lustre/data:/data:ro"]   # added to both containers
///     registries = { "nvcr.io" = "mirror.site:5000" }
///
///     [cluster]
///     slurm = "23.11"                      # what this release does not know is refused
///     pyxis = "0.20"
///     gpus = "gpus_per_node"               # how launch.sh asks for GPUs; or "gres", or "none"
///     nodes = "exclusive"                  # or "shared"
///     modules = ["enroot/3.5.0"]           # loaded first by each script
///     proxy = { https = "http://proxy.site:3128" }
///
///     [launch]
///     max_requeues = 3                     # with slurm.launch.requeue: not after so many restarts
///     gpu_samples = true                   # the power of the GPUs, once a second
/// "#)?;
/// assert_eq!(settings.stage_path().unwrap().as_str(), "/lustre/project/nim");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # From Rust
///
/// ```
/// use nim_slurm::Settings;
/// use nim_slurm::slurm::Directives;
///
/// let settings = Settings::new()
///     .with_stage_path("/lustre/project/nim".parse()?)
///     .with_slurm(Directives::new().partition("batch".parse()?).gres("gpu:8".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    stage_path: Option<StagePath>,
    /// What the file says, where `STAGE_PATH` says something else.
    overridden_stage_path: Option<StagePath>,
    /// What the program set, over all else.
    program: JobOptions,
    environment: Directives,
    file: JobOptions,
    /// How messages call the file.
    file_name: Option<String>,
    /// Where `program` comes from, for messages.
    option_source: Option<String>,
    lines: Lines,
    mpi: Option<Mpi>,
    runtime: Runtime,
    mounts: Vec<Mount>,
    registries: BTreeMap<Registry, Registry>,
    cluster: Cluster,
    hooks: BTreeMap<HookPlace, Hook>,
    max_requeues: Option<u32>,
    gpu_samples: Option<bool>,
    resumed: Vec<RunId>,
}

/// The file's shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    stage_path: Option<StagePath>,
    #[serde(default)]
    slurm: JobOptions,
    #[serde(default)]
    srun: SrunTable,
    #[serde(default)]
    container: ContainerTable,
    #[serde(default)]
    cluster: Cluster,
    #[serde(default)]
    hooks: HooksTable,
    #[serde(default)]
    launch: LaunchTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LaunchTable {
    max_requeues: Option<u32>,
    gpu_samples: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SrunTable {
    mpi: Option<Mpi>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerTable {
    #[serde(default)]
    runtime: Runtime,
    #[serde(default)]
    mounts: Vec<Mount>,
    #[serde(default)]
    registries: BTreeMap<Registry, Registry>,
}

impl Settings {
    /// Settings that leave everything to the recipe, the environment of the job,
    /// and the site's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads settings from TOML text. Files of `[hooks]` are read from the current folder;
    /// [`from_toml_at`](Self::from_toml_at) takes another.
    ///
    /// # Errors
    ///
    /// Names the line and the value: an unknown key, a value that its type refuses, or a hook's file that
    /// cannot be used.
    pub fn from_toml(text: &str) -> Result<Self, FileError> {
        Self::from_text(text, None)
    }

    /// Reads settings from the text of the file at `path`, which itself is not read. Files of `[hooks]` are
    /// read from its folder, and messages name it.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), with the file's name.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = camino::Utf8Path::from_path(folder.path()).unwrap();
    /// use nim_slurm::{HookPlace, Settings};
    ///
    /// std::fs::write(folder.join("network.sh"), "export NCCL_SOCKET_IFNAME=ib0")?;
    /// let text = "hooks.server = 'network.sh'";
    /// let settings = Settings::from_toml_at(text, folder.join("site.toml"))?;
    /// assert!(settings.hook(HookPlace::InServer).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_toml_at(text: &str, path: impl AsRef<Utf8Path>) -> Result<Self, FileError> {
        Self::from_text(text, Some(path.as_ref()))
    }

    /// Reads settings from a TOML file.
    ///
    /// # Errors
    ///
    /// As [`from_toml`](Self::from_toml), with the file's name; also when the
    /// file cannot be read.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let site = camino::Utf8Path::from_path(folder.path()).unwrap().join("site.toml");
    /// std::fs::write(&site, "[slurm]\npartiton = 'batch'\n")?;
    /// let error = nim_slurm::Settings::read(&site).unwrap_err();
    /// assert_eq!(error.path(), Some(site.as_path()));
    /// assert!(error.to_string().contains("perhaps partition is meant"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(path: impl AsRef<Utf8Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        Self::from_toml_at(&FileError::read("settings", path)?, path)
    }

    fn from_text(text: &str, path: Option<&Utf8Path>) -> Result<Self, FileError> {
        let file: SettingsFile = FileError::parse("settings", path, text, &[""])?;
        let hooks = file.hooks.read(path);
        let hooks = hooks.map_err(|mistakes| FileError::of("settings", path, text, mistakes))?;
        Ok(Self {
            stage_path: file.stage_path,
            file: file.slurm,
            file_name: path.map(ToString::to_string),
            option_source: None,
            lines: Lines::of(text),
            mpi: file.srun.mpi,
            runtime: file.container.runtime,
            mounts: file.container.mounts,
            registries: file.container.registries,
            cluster: file.cluster,
            hooks,
            max_requeues: file.launch.max_requeues,
            gpu_samples: file.launch.gpu_samples,
            ..Self::default()
        })
    }

    /// Adds what these variables say: `STAGE_PATH`, and sbatch's own input
    /// variables such as `SBATCH_PARTITION`. Others, and empty ones, are ignored. The
    /// process's own are `std::env::vars_os()`.
    ///
    /// # Errors
    ///
    /// Names each variable whose value cannot be used: `SBATCH_TIMELIMIT=1h`, or one that
    /// is not UTF-8.
    ///
    /// ```
    /// use nim_slurm::slurm::OptionName;
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
    ///
    /// let variables = [("SBATCH_ACCOUNT", "proj"), ("STAGE_PATH", "/lustre/project/nim")];
    /// let settings = Settings::from_toml("slurm.account = 'other'")?.with_environment(variables)?;
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// let account = plan.directives(ScriptKind::Setup).get(OptionName::Account);
    /// assert_eq!(account.as_deref(), Some("proj"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Result<Self, VariableError> {
        let variables: Vec<_> = environment::named(variables).collect();
        let mut errors = Vec::new();
        if let Some((name, value)) = variables
            .iter()
            .find(|(name, value)| name == "STAGE_PATH" && !value.is_empty())
        {
            let path = VariableError::text(name, value).and_then(|text| {
                StagePath::parse(text).map_err(|source| VariableError::new(name, source))
            });
            match path {
                Ok(path) => {
                    self.overridden_stage_path = self.stage_path.take().filter(|own| *own != path);
                    self.stage_path = Some(path);
                }
                Err(error) => errors.push(error),
            }
        }
        match Directives::from_environment(variables) {
            Ok(directives) => self.environment = directives,
            Err(error) => errors.extend(error.each()),
        }
        VariableError::all(errors)?;
        Ok(self)
    }

    /// Sets the folder for images, model and results. It wins over
    /// `STAGE_PATH` here, but not over `STAGE_PATH` when a script runs.
    #[must_use]
    pub fn with_stage_path(mut self, path: StagePath) -> Self {
        self.stage_path = Some(path);
        self.overridden_stage_path = None;
        self
    }

    /// Sets options of sbatch for all scripts, over all other layers.
    #[must_use]
    pub fn with_slurm(mut self, directives: Directives) -> Self {
        self.program.all = directives.with_fallback(&self.program.all);
        self
    }

    /// Says where the options of [`with_slurm`](Self::with_slurm) and [`with_script_slurm`](Self::with_script_slurm) come
    /// from, for messages and [`Plan::explain`](crate::Plan::explain): `Rust code` without it.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new()
    ///     .with_slurm(Directives::new().gres("gpu:2".parse()?))
    ///     .with_option_source("command line");
    /// let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
    /// assert!(error.to_string().contains("2 GPUs with --gres (command line), but the recipe's server uses 4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_option_source(mut self, source: impl Into<String>) -> Self {
        self.option_source = Some(source.into());
        self
    }

    /// Sets options of sbatch for one script, over all other layers.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    /// use nim_slurm::{Plan, Recipe, ScriptKind, Settings};
    ///
    /// let settings = Settings::new()
    ///     .with_script_slurm(ScriptKind::Setup, Directives::new().partition("cpu".parse()?));
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.setup().text().contains("\n#SBATCH --partition=cpu\n"));
    /// assert!(!plan.launch().text().contains("--partition"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_script_slurm(mut self, kind: ScriptKind, directives: Directives) -> Self {
        let own = self.program.script_mut(kind);
        *own = directives.with_fallback(own);
        self
    }

    /// Adds a mount to both containers.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_mount("/lustre/data:/data:ro".parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.launch().text().contains("/lustre/data:/data:ro"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Sets what runs the containers. By default it is pyxis.
    ///
    /// ```
    /// use nim_slurm::container::Runtime;
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_runtime(Runtime::Podman);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.launch().text().contains("podman run"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = runtime;
        self
    }

    /// Sets the server step's `--mpi`. By default it is `pmix` under pyxis and `none`
    /// under the other runtimes, which hand no MPI on.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_mpi("none".parse()?); // a site without PMIx
    /// assert_eq!(settings.mpi().as_str(), "none");
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.launch().text().contains("\nreadonly mpi=none\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_mpi(mut self, mpi: Mpi) -> Self {
        self.mpi = Some(mpi);
        self
    }

    /// Says what the cluster has and can do.
    ///
    /// ```
    /// use nim_slurm::{Cluster, Plan, Recipe, Settings};
    ///
    /// let mut cluster = Cluster::default();
    /// cluster.modules = vec!["enroot/3.5.0".parse()?];
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new().with_cluster(cluster))?;
    /// assert!(plan.setup().text().contains("enroot/3.5.0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_cluster(mut self, cluster: Cluster) -> Self {
        self.cluster = cluster;
        self
    }

    /// Pulls images of one registry from a mirror instead. A mirrored registry
    /// needs no NGC key. Docker Hub is `docker.io`, also for images that name no
    /// registry. One file may name mirrors for the images of all recipes.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_registry("nvcr.io".parse()?, "mirror.site:5000".parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.setup().text().contains("docker://mirror.site:5000#nim/meta/llama3-70b-instruct:1.0.3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_registry(mut self, registry: Registry, mirror: Registry) -> Self {
        self.registries.insert(registry, mirror);
        self
    }

    /// Sets after how many restarts the launch job does not put itself into the queue
    /// again when its time is up; those by Slurm count, too. It does so at all if it
    /// [may be requeued](Directives::requeue), and if this run has finished a point.
    /// By default three.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, Requeue};
    /// use nim_slurm::{ScriptKind, Settings};
    ///
    /// let settings = Settings::new()
    ///     .with_script_slurm(ScriptKind::Launch, Directives::new().requeue(Requeue::Allowed))
    ///     .with_max_requeues(1);
    /// assert_eq!(settings.max_requeues(), 1);
    /// ```
    #[must_use]
    pub const fn with_max_requeues(mut self, max: u32) -> Self {
        self.max_requeues = Some(max);
        self
    }

    /// Counts the finished points of an earlier job as finished, so that the launch
    /// job measures only what is missing. `RESUME_JOB_ID` wins when the script runs.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_resumed_job("4711".parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.launch().text().contains("\nreadonly default_resume_job_id=4711\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_resumed_job(mut self, job: RunId) -> Self {
        self.resumed.push(job);
        self
    }

    /// How often the launch job may put itself into the queue again.
    ///
    /// ```
    /// let settings = nim_slurm::Settings::from_toml("launch.max_requeues = 1")?;
    /// assert_eq!(settings.max_requeues(), 1);
    /// assert_eq!(nim_slurm::Settings::new().max_requeues(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn max_requeues(&self) -> u32 {
        self.max_requeues.unwrap_or(3)
    }

    /// Says whether launch.sh has `nvidia-smi` write down the power of the GPUs once a second, for what the
    /// report says of energy. It does by default. Samples may cost a few percent of the speed of a small model.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_gpu_samples(false);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(!plan.launch().text().contains("gpu_samples() {"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_gpu_samples(mut self, are_taken: bool) -> Self {
        self.gpu_samples = Some(are_taken);
        self
    }

    /// Whether the power of the GPUs is sampled.
    ///
    /// ```
    /// let settings = nim_slurm::Settings::from_toml("launch.gpu_samples = false")?;
    /// assert!(!settings.gpu_samples() && nim_slurm::Settings::new().gpu_samples());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gpu_samples(&self) -> bool {
        self.gpu_samples.unwrap_or(true)
    }

    /// The earlier jobs whose points count as finished.
    ///
    /// ```
    /// let settings = nim_slurm::Settings::new().with_resumed_job("4711".parse()?);
    /// assert_eq!(settings.resumed_jobs(), ["4711".parse()?]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn resumed_jobs(&self) -> &[RunId] {
        &self.resumed
    }

    /// The folder for images, model and results, if it is known.
    #[must_use]
    pub const fn stage_path(&self) -> Option<&StagePath> {
        self.stage_path.as_ref()
    }

    /// The stage path that the file names, where `STAGE_PATH` names another and wins.
    ///
    /// ```
    /// use nim_slurm::Settings;
    ///
    /// let site = Settings::from_toml("stage_path = '/lustre/nim'")?;
    /// let settings = site.with_environment([("STAGE_PATH", "/tmp/nim")])?;
    /// assert_eq!(settings.stage_path().unwrap().as_str(), "/tmp/nim");
    /// assert_eq!(settings.overridden_stage_path().unwrap().as_str(), "/lustre/nim");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn overridden_stage_path(&self) -> Option<&StagePath> {
        self.overridden_stage_path.as_ref()
    }

    /// What the cluster has and can do, where that is said.
    ///
    /// ```
    /// let settings = nim_slurm::Settings::read("examples/settings/shared-nodes.toml")?;
    /// assert!(settings.cluster().nodes.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The hook at this place.
    ///
    /// ```
    /// use nim_slurm::{HookPlace, ScriptKind, Settings};
    ///
    /// let settings = Settings::read("examples/settings/closed-network.toml")?;
    /// assert!(settings.hook(HookPlace::After(ScriptKind::Launch)).is_some());
    /// assert!(settings.hook(HookPlace::InClient).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn hook(&self, place: HookPlace) -> Option<&Hook> {
        self.hooks.get(&place)
    }

    /// Runs a hook at this place.
    ///
    /// ```
    /// use nim_slurm::{HookPlace, Plan, Recipe, ScriptKind, Settings};
    ///
    /// let place = HookPlace::Before(ScriptKind::Launch);
    /// let settings = Settings::new().with_hook(place, "export NCCL_SOCKET_IFNAME=ib0".parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(plan.launch().text().contains("export NCCL_SOCKET_IFNAME=ib0"));
    /// assert!(!plan.setup().text().contains("NCCL"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_hook(mut self, place: HookPlace, hook: Hook) -> Self {
        self.hooks.insert(place, hook);
        self
    }

    /// The mounts that are added to both containers.
    ///
    /// ```
    /// let settings = nim_slurm::Settings::from_toml("container.mounts = ['/lustre/data:/data:ro']")?;
    /// assert_eq!(settings.mounts()[0].source(), "/lustre/data");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The server step's `--mpi`.
    ///
    /// ```
    /// use nim_slurm::Settings;
    /// use nim_slurm::container::Runtime;
    ///
    /// assert_eq!(Settings::new().mpi().as_str(), "pmix");
    /// assert_eq!(Settings::new().with_runtime(Runtime::Podman).mpi().as_str(), "none");
    /// ```
    #[must_use]
    pub fn mpi(&self) -> Mpi {
        let default = || match self.runtime {
            Runtime::Pyxis => Mpi::default(),
            Runtime::Apptainer | Runtime::Podman => Mpi::none(),
        };
        self.mpi.clone().unwrap_or_else(default)
    }

    /// What runs the containers.
    ///
    /// ```
    /// use nim_slurm::Settings;
    /// use nim_slurm::container::Runtime;
    ///
    /// let settings = Settings::from_toml("container.runtime = 'apptainer'")?;
    /// assert_eq!(settings.runtime(), Runtime::Apptainer);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// The mirror of a registry, if it has one.
    ///
    /// ```
    /// let mirrors = "container.registries = { 'nvcr.io' = 'mirror.site:5000' }";
    /// let settings = nim_slurm::Settings::from_toml(mirrors)?;
    /// assert_eq!(settings.mirror(&"nvcr.io".parse()?).unwrap().host(), "mirror.site");
    /// assert!(settings.mirror(&"docker.io".parse()?).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mirror(&self, registry: &Registry) -> Option<&Registry> {
        self.registries.get(registry)
    }

    /// The mirror that an image is pulled from, if there is one.
    pub(crate) fn mirror_of(&self, image: &Image) -> Option<&Registry> {
        let mut mirrors = self.registries.iter();
        mirrors.find_map(|(registry, mirror)| image.is_from(registry).then_some(mirror))
    }

    /// The registries that have a mirror.
    pub(crate) fn mirrored(&self) -> impl Iterator<Item = &Registry> {
        self.registries.keys()
    }

    /// Where an option was given, with the line if it was in the file.
    pub(crate) fn describe(&self, origin: Origin<'_>, name: OptionName) -> String {
        let line = match origin {
            Origin::File { script, .. } => self.lines.line(script, name),
            _ => None,
        };
        match (origin, line) {
            (Origin::File { file, script }, Some(line)) => format!(
                "line {line} of {}, {}",
                file.unwrap_or("the settings"),
                table(script)
            ),
            _ => origin.describe(name),
        }
    }

    /// Where `[cluster]` stands, for a message.
    pub(crate) fn cluster_origin(&self) -> Origin<'_> {
        Origin::Cluster {
            file: self.file_name.as_deref(),
        }
    }

    /// The layers for one script, the uppermost first.
    pub(crate) fn layers(&self, kind: ScriptKind) -> [(Origin<'_>, &Directives); 5] {
        let file = self.file_name.as_deref();
        let program = Origin::Program(self.option_source.as_deref().unwrap_or("Rust code"));
        [
            (program, self.program.script(kind)),
            (program, &self.program.all),
            (Origin::Environment, &self.environment),
            (
                Origin::File {
                    file,
                    script: Some(kind),
                },
                self.file.script(kind),
            ),
            (Origin::File { file, script: None }, &self.file.all),
        ]
    }
}

/// The table of the file for all scripts, or for one.
pub(crate) fn table(script: Option<ScriptKind>) -> String {
    script.map_or_else(
        || "[slurm]".to_owned(),
        |kind| format!("[slurm.{}]", kind.key()),
    )
}

/// Where an option of a script was given.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    Program(&'a str),
    Environment,
    File {
        file: Option<&'a str>,
        script: Option<ScriptKind>,
    },
    Cluster {
        file: Option<&'a str>,
    },
    Recipe,
    /// What the script needs whatever the recipe.
    Script,
}

impl Origin<'_> {
    /// For a message: where `name` was given.
    pub(crate) fn describe(self, name: OptionName) -> String {
        match self {
            Self::Program(source) => source.to_owned(),
            Self::Environment => name.environment().unwrap_or("environment").to_owned(),
            Self::File { file, script } => {
                format!("{} of {}", table(script), file.unwrap_or("the settings"))
            }
            Self::Cluster { file } => {
                format!("[cluster] of {}", file.unwrap_or("the settings"))
            }
            Self::Recipe => "the recipe".to_owned(),
            Self::Script => "by default".to_owned(),
        }
    }
}
