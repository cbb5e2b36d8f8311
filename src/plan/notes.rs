//! What is right on some clusters, and costs a night or a figure on most.

use camino::Utf8Path;

use crate::container::{Image, Registry};
use crate::job_options::ScriptKind;
use crate::plain::{counted, listed};
use crate::recipe::{
    ClientTool, GenaiPerfVersion, ModelSource, PrefixCache, Recipe, Server, Tokenizer,
};
use crate::settings::HookPlace;
use crate::slurm::OptionName;

use super::Plan;
use super::layers::Layers;
use super::measured::Measured;

impl Plan {
    /// What the scripts ask for that is allowed, and seldom meant: fewer CPUs or less memory than a server needs, GPUs
    /// that nobody uses, an image that is another one tomorrow, nodes that nothing joins, a cache that is on, a folder that no
    /// container sees. A sentence each, with what to type.
    ///
    /// ```
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let notes = |settings: &str| {
    ///     let settings = Settings::from_toml(settings).unwrap();
    ///     Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap().notes()
    /// };
    /// assert!(notes("slurm.launch.gres = 'gpu:4'").is_empty()); // its nodes are its own, and so are all CPUs
    /// let shared = notes("cluster = { nodes = 'shared', gpus = 'gres' }");
    /// assert!(shared[0].starts_with("launch.sh says neither how many CPUs nor how much memory it needs"));
    /// ```
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let notes = [
            self.site_s_defaults(),
            self.all_memory(),
            self.idle_gpus(),
            self.gpus_of_downloads(),
            self.nodes_apart(),
            self.port_of_the_server(),
            self.cache_that_is_on(),
            self.unseen_folder(),
            self.tool_of_another_image(),
        ];
        let images = [&self.recipe.server.image, &self.recipe.client.image];
        let mut moving: Vec<_> = images.into_iter().filter_map(moving_image).collect();
        moving.dedup();
        let kept = self.kept_variables().into_iter();
        let kept = kept.map(|(what, remedy)| format!("{what}; {remedy}"));
        notes
            .into_iter()
            .flatten()
            .chain(kept)
            .chain(moving)
            .collect()
    }

    /// Variables that `--export` keeps from scripts that read them, and what to write in its place.
    pub(crate) fn kept_variables(&self) -> Vec<(String, &'static str)> {
        let mut all: Vec<(String, Vec<&str>, Vec<&str>)> = Vec::new();
        for kind in ScriptKind::ALL {
            let Some(list) = self.directives(kind).get(OptionName::Export) else {
                continue;
            };
            let passes = |name: &str| list.split(',').any(|own| own == "ALL" || own == name);
            let mut kept = self.variables_of(kind);
            kept.retain(|name| !passes(name));
            let origin =
                Layers::new(&self.recipe, &self.settings, kind).describe(OptionName::Export);
            match all.iter_mut().find(|(own, ..)| *own == origin) {
                _ if kept.is_empty() => {}
                Some((_, names, scripts)) => {
                    kept.retain(|name| !names.contains(name));
                    names.extend(kept);
                    scripts.push(kind.file_name());
                }
                None => all.push((origin, kept, vec![kind.file_name()])),
            }
        }
        let told = |(origin, names, scripts): (String, Vec<&str>, Vec<&str>)| {
            let (names, scripts) = (listed(&names), listed(&scripts));
            let what = format!("--export ({origin}) keeps {names} from {scripts}");
            (what, "write ALL there, or a list that has them")
        };
        all.into_iter().map(told).collect()
    }

    /// The variables that a script reads where it was submitted: places, jobs to go on with, and keys.
    fn variables_of(&self, kind: ScriptKind) -> Vec<&str> {
        let Recipe {
            server,
            client,
            model,
            ..
        } = &self.recipe;
        let mut names = vec!["STAGE_PATH"];
        match kind {
            ScriptKind::Setup => {
                let mut images = [&server.image, &client.image].into_iter();
                let needs_key =
                    images.any(|image| image.registry().is_some_and(Registry::needs_ngc_key));
                names.extend(needs_key.then_some("NGC_API_KEY"));
            }
            ScriptKind::PrepareModels => match &model.weights.source {
                ModelSource::Ngc(_) => names.push("NGC_API_KEY"),
                ModelSource::HuggingFace(_) => names.push("HF_TOKEN"),
                ModelSource::Path(_) => names.clear(),
            },
            ScriptKind::Launch => {
                names.push("RESUME_JOB_ID");
                names.extend(server.secrets.iter().map(AsRef::as_ref));
                let is_on_hub = client.tokenizer.as_ref().is_some_and(Tokenizer::is_on_hub);
                names.extend(is_on_hub.then_some("HF_TOKEN"));
            }
        }
        names
    }

    fn has_whole_nodes(&self) -> bool {
        self.launch.directives().has_whole_nodes()
    }

    /// Then all of its GPUs are the job's in any case. Of several nodes, somebody may have asked each for the GPUs of all.
    fn has_one_whole_node(&self) -> bool {
        self.has_whole_nodes() && self.recipe.server.nodes == 1
    }

    /// Of nodes that it shares, a job gets what it asks for, or what the site thinks is enough.
    fn site_s_defaults(&self) -> Option<String> {
        use OptionName::{CpusPerGpu, CpusPerTask, Mem, MemPerCpu, MemPerGpu, Mincpus};
        let is_set = |name: &OptionName| self.launch.directives().is_set(*name);
        let has_cpus = [CpusPerTask, CpusPerGpu, Mincpus].iter().any(is_set);
        let has_memory = [Mem, MemPerCpu, MemPerGpu].iter().any(is_set);
        let (lacks, typed) = match (has_cpus, has_memory) {
            _ if self.has_whole_nodes() => return None,
            (true, true) => return None,
            (false, false) => (
                "says neither how many CPUs nor how much memory it needs",
                "--sbatch launch.cpus_per_task=16 --sbatch launch.mem=64G",
            ),
            (false, true) => (
                "does not say how many CPUs it needs",
                "--sbatch launch.cpus_per_task=16",
            ),
            (true, false) => (
                "does not say how much memory it needs",
                "--sbatch launch.mem=64G",
            ),
        };
        Some(format!(
            "launch.sh {lacks}, so server and client share what the site gives by default, often that of one CPU: \
             add {typed}, or what the server needs"
        ))
    }

    /// The memory of whole nodes, which the job then cannot share.
    fn all_memory(&self) -> Option<String> {
        let memory = self.launch.directives().get(OptionName::Mem)?;
        (memory == "0" && !self.has_whole_nodes()).then(|| {
            "launch.sh asks for all memory of its nodes (mem=0), so it does not start beside other jobs, nor they beside it: add \
             --sbatch launch.mem=64G, or what the server needs"
                .to_owned()
        })
    }

    /// GPUs that nobody else can use meanwhile.
    fn idle_gpus(&self) -> Option<String> {
        let (option, asked) = self.launch.directives().asked_gpus()?;
        let server = &self.recipe.server;
        let used = used_gpus(server, option);
        if self.has_one_whole_node() || asked <= u64::from(used) {
            return None;
        }
        let of_each = if server.nodes > 1 && used == server.gpus_per_node() {
            " of each node"
        } else {
            ""
        };
        let who = match server.replicas {
            1 => "the server uses".to_owned(),
            replicas => format!("its {replicas} servers use"),
        };
        Some(format!(
            "launch.sh asks for {}{of_each}, {who} {used}, and the rest is idle: {} is enough",
            counted(asked, "GPU"),
            self.own_option(option)?,
        ))
    }

    /// GPUs that wait for a download. Where the downloads ask for others than launch.sh, somebody wrote that.
    fn gpus_of_downloads(&self) -> Option<String> {
        let launch = self.launch.directives();
        let option = launch.gpu_option()?;
        let asked = launch.get(option)?;
        let asks = |kind: &ScriptKind| self.directives(*kind).get(option).as_ref() == Some(&asked);
        let downloads = [ScriptKind::Setup, ScriptKind::PrepareModels].into_iter();
        let names: Vec<_> = downloads.filter(asks).map(ScriptKind::file_name).collect();
        let verb = match names.len() {
            0 => return None,
            1 => "asks",
            _ => "ask",
        };
        let first = ScriptKind::ALL.into_iter().find(asks)?;
        let origin = Layers::new(&self.recipe, &self.settings, first).describe(option);
        Some(format!(
            "{} {verb} for GPUs, too, with {option}={asked} ({origin}): ask for launch.sh alone in place of that, with {}, or \
             with {} in [slurm.launch] of the settings",
            names.join(" and "),
            self.own_option(option)?,
            option.key(),
        ))
    }

    /// Nodes of a server that each start one of their own. An image may join them by what Slurm says.
    fn nodes_apart(&self) -> Option<String> {
        const JOINS: [&str; 6] = [
            "{leader_address}",
            "{node_rank}",
            "{is_leader}",
            "SLURM_",
            "PMIX_",
            "trtllm-llmapi-launch",
        ];
        let nodes = self.recipe.server.nodes;
        let is_joined = |own: &Measured<'_>| {
            own.texts()
                .any(|text| JOINS.iter().any(|word| text.contains(word)))
        };
        let mut all = Measured::all(&self.recipe.server).into_iter();
        if nodes == 1 || self.has_hook_in_server() || all.all(|own| is_joined(&own)) {
            return None;
        }
        Some(format!(
            "the server runs on {nodes} nodes, and nothing in its command or environment joins them: if the image does not do so \
             either, each node starts a server of its own, and the first alone is measured. Name {{leader_address}} and \
             {{node_rank}}, as deepseek-r1-h100x16-nim does, or write nodes = 1"
        ))
    }

    /// A server that does not hear of its port, and by itself takes another one.
    fn port_of_the_server(&self) -> Option<String> {
        const DEFAULTS: [(&str, u16); 4] = [
            ("vllm", 8000),
            ("trtllm-serve", 8000),
            ("sglang", 30000),
            ("llama-server", 8080),
        ];
        let port = self.recipe.server.port;
        let of = |own: Measured<'_>| {
            let number = port.to_string();
            let mut names = own.programs();
            let known = names.find_map(|name| DEFAULTS.iter().find(|(own, _)| *own == name))?;
            let is_said = own
                .texts()
                .any(|text| text.contains("{port}") || text.contains(&number));
            (known.1 != port && !is_said).then_some(known)
        };
        let all = Measured::all(&self.recipe.server);
        let (name, default) = all.into_iter().find_map(of)?;
        (!self.has_hook_in_server()).then(|| {
            format!(
                "nothing says the port to {name}, which then listens on {default}, and the job asks on {port}: add --port {{port}} to \
                 server.command"
            )
        })
    }

    /// A prefix cache that is said to be off, of a server that has it on by default. A file of options may switch it off.
    fn cache_that_is_on(&self) -> Option<String> {
        const SWITCHES: [(&str, &str); 2] = [
            ("vllm", "--no-enable-prefix-caching"),
            ("sglang", "--disable-radix-cache"),
        ];
        let of = |own: Measured<'_>| {
            let mut names = own.programs();
            let known = names.find_map(|name| SWITCHES.iter().find(|(own, _)| *own == name))?;
            let is_said = |text: &str| {
                let text = text.replace('_', "-");
                text.contains(known.1) || text.contains("--config")
            };
            (!own.texts().any(is_said)).then_some(known)
        };
        let is_off = self.recipe.server.prefix_cache == PrefixCache::Off;
        let mut all = Measured::all(&self.recipe.server).into_iter();
        let (name, switch) = all.find_map(of)?;
        (is_off && !self.has_hook_in_server()).then(|| {
            format!(
                "server.prefix_cache is \"off\", and nothing switches off the one of {name}, which is on by default: add {switch} to \
                 server.command, or say \"on\" or \"flush\""
            )
        })
    }

    fn has_hook_in_server(&self) -> bool {
        self.settings.hook(HookPlace::InServer).is_some()
    }

    /// A folder of the stage path that the server's container does not have.
    fn unseen_folder(&self) -> Option<String> {
        const STAGE: &str = "{stage_path}";
        let weights = &self.recipe.model.weights;
        let model = Some(weights.folder()).filter(|_| weights.are_staged());
        let is_end = |c: char| c.is_whitespace() || "\"',:;=&|<>(){}$".contains(c);
        let is_seen = |below: &str| {
            let below = Utf8Path::new(below.trim_start_matches('/'));
            let is_own = |own: &str| below.starts_with(own);
            let mut mounts = self.settings.mounts().iter();
            is_own("nim_cache")
                || model.as_deref().is_some_and(is_own)
                || match self.settings.stage_path() {
                    Some(stage) => {
                        let whole = Utf8Path::new(stage.as_str()).join(below);
                        mounts.any(|mount| whole.starts_with(mount.destination()))
                    }
                    // Who knows.
                    None => mounts.next().is_some(),
                }
        };
        let all = Measured::all(&self.recipe.server);
        let texts = all.iter().flat_map(Measured::texts);
        let below = texts.flat_map(|text| text.split(STAGE).skip(1));
        let below = below.map(|below| below.split(is_end).next().unwrap_or_default());
        let below = below.into_iter().find(|below| !is_seen(below))?;
        Some(format!(
            "the server's command or environment has {STAGE}{below}, which its container does not see: mount the folder with mounts \
             under [container] of the settings, as in mounts = [\"/data/loras:/loras:ro\"], and write /loras in the recipe"
        ))
    }

    /// The client's image is NVIDIA's of one release, and its tool is said to be another one's.
    fn tool_of_another_image(&self) -> Option<String> {
        let client = &self.recipe.client;
        let ClientTool::GenaiPerf(said) = client.tool else {
            return None;
        };
        let release = client.image.tag()?.strip_suffix("-py3-sdk")?;
        let own = GenaiPerfVersion::parse(release).ok()?;
        let is_other = client.image.path().ends_with("nvidia/tritonserver") && own != said;
        is_other.then(|| {
            format!(
                "the client's image {} has GenAI-Perf {own}, and the recipe says {}: write tool = {{ genai_perf = \"{release}\" }}, \
                 or name the image of that release",
                client.image,
                said.with_image(),
            )
        })
    }

    /// How launch.sh alone asks for GPUs with this option, and where the rest would be idle, for as many as are used.
    fn own_option(&self, option: OptionName) -> Option<String> {
        let launch = self.launch.directives();
        let asked = launch.get(option)?;
        let used = used_gpus(&self.recipe.server, option);
        let is_more = launch
            .asked_gpus()
            .is_some_and(|(_, asked)| asked > u64::from(used));
        let value = match asked.rsplit_once(':') {
            _ if !is_more || self.has_one_whole_node() => asked,
            Some((kind, _)) if !asked.contains(',') => format!("{kind}:{used}"),
            _ if option == OptionName::Gres => format!("gpu:{used}"),
            _ => used.to_string(),
        };
        Some(format!("--sbatch launch.{}={value}", option.key()))
    }
}

/// How many GPUs the servers use, as this option counts them: those of the job, or of each node.
pub(super) fn used_gpus(server: &Server, option: OptionName) -> u32 {
    match option {
        OptionName::Gpus | OptionName::GpusPerTask => {
            server.gpus_per_node().saturating_mul(server.nodes)
        }
        _ => server.gpus_per_node(),
    }
}

/// An image whose name is another image's tomorrow.
fn moving_image(image: &Image) -> Option<String> {
    let is_fixed = image.digest().is_some() || image.tag().is_some_and(|tag| tag != "latest");
    (!is_fixed).then(|| {
        let name = image.to_string();
        let name = name.strip_suffix(":latest").unwrap_or(&name);
        format!(
            "the recipe's image {image} is the latest of the day on which setup.sh fetches it, and may be another one next \
             time: name its release, as in {name}:1.2.3"
        )
    })
}
