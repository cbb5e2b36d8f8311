//! The plans that tests of rendered scripts share: those of the golden files, every
//! combination that can be rendered, and those whose commands the stand-ins take.
#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{
    Architecture, ArrayBy, Arrival, ClientTool, DataFormat, DataSet, ModelSource, PrefixCache,
    ReplicaUse, Search, UseCase, Variant,
};
use nim_slurm::slurm::OptionName;
use nim_slurm::{HookPlace, Plan, Recipe, ScriptKind, Settings};

/// A plan and its name.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) plan: Plan,
}

impl Case {
    #[track_caller]
    pub(crate) fn new(what: impl Into<String>, recipe: Recipe, settings: Settings) -> Self {
        let what = what.into();
        match Plan::new(recipe, settings) {
            Ok(plan) => Self { what, plan },
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

pub(crate) const RUNTIMES: [Runtime; 3] = [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman];

#[track_caller]
pub(crate) fn settings(runtime: Runtime, more: &str) -> Settings {
    Settings::from_toml(&format!("container.runtime = '{runtime}'\n{more}"))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn first() -> Recipe {
    Recipe::llama3_70b_h100x4_fp8()
}

/// The servers of a job: how many nodes one has, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    One,
    OnNodes,
    Share,
    Alike,
}

impl Servers {
    pub(crate) const ALL: [Self; 4] = [Self::One, Self::OnNodes, Self::Share, Self::Alike];

    fn of(self, mut recipe: Recipe) -> Recipe {
        let server = &mut recipe.server;
        match self {
            Self::One => {}
            Self::OnNodes => {
                server.nodes = 2;
                server.gpus /= 2;
                recipe.slurm.launch.set(OptionName::Nodes, "2").unwrap();
            }
            Self::Share | Self::Alike => {
                server.replicas = 2;
                recipe.sweep.replicas = match self {
                    Self::Alike => ReplicaUse::Together,
                    _ => ReplicaUse::Split,
                };
            }
        }
        recipe
    }
}

pub(crate) const ARRAYS: [Option<ArrayBy>; 4] = [
    None,
    Some(ArrayBy::UseCase),
    Some(ArrayBy::Point),
    Some(ArrayBy::Server),
];

fn in_array(mut recipe: Recipe, array: Option<ArrayBy>) -> Recipe {
    recipe.sweep.array = array;
    if array == Some(ArrayBy::Server) {
        recipe.server.variants = variants();
    }
    recipe
}

fn variants() -> Vec<Variant> {
    let mut variant = Variant::new("batch-64".parse().unwrap());
    variant.command = ["--max-num-seqs", "64"].map(|w| w.parse().unwrap()).into();
    let mut quoted = Variant::new("quoted".parse().unwrap());
    let (name, value) = ("NOTE".parse().unwrap(), "it's $HOME".parse().unwrap());
    quoted.environment.insert(name, value);
    vec![variant, quoted]
}

/// Variants that take turns in one job.
fn in_turns() -> Recipe {
    let mut recipe = first();
    recipe.server.variants = variants();
    recipe.sweep.repeat = 2;
    recipe
}

/// Clients: one for each set of features that the scripts ask for, with its keys.
const CLIENTS: [(&str, &str); 9] = [
    ("GenAI-Perf 24.05", "tool = { genai_perf = '24.05' }"),
    ("GenAI-Perf 24.07", "tool = { genai_perf = '24.07' }"),
    ("GenAI-Perf 24.08", "tool = { genai_perf = '24.08' }"),
    (
        "GenAI-Perf 24.12",
        "tool = { genai_perf = '24.12' }\n\
         goodput = { time_to_first_token = 500, inter_token_latency = '12.5' }\n\
         options = ['--extra-inputs', 'temperature:0', '--verbose']",
    ),
    (
        "GenAI-Perf 25.01",
        "tool = { genai_perf = '25.01' }\nignore_eos = false\nmin_tokens = false",
    ),
    ("GenAI-Perf 25.04", "tool = { genai_perf = '25.04' }"),
    (
        "GenAI-Perf 25.12",
        "tool = { genai_perf = '25.12' }\n\
         tokenizer = 'meta-llama/Meta-Llama-3-70B-Instruct'\ntokenizer_revision = 'main'\n\
         tokenizer_trust_remote_code = true\n\
         goodput = { time_to_first_token = 500, inter_token_latency = '12.5' }",
    ),
    ("AIPerf", "tool = { aiperf = '0.13.0' }"),
    (
        "AIPerf, all",
        "tool = { aiperf = '0.13.0' }\n\
         goodput = { time_to_first_token = 500, inter_token_latency = '12.5' }\n\
         options = ['--extra-inputs', '{\"stop\": [\"it\\u0027s: 4\"]}', '--header', 'X-Run:nightly']",
    ),
];

/// A recipe with this client.
fn with_client(mut recipe: Recipe, (name, keys): (&str, &str)) -> Recipe {
    let release = name.split([' ', ',']).nth(1).unwrap_or_default();
    let image = if name.starts_with("AIPerf") {
        "registry.site/aiperf:0.13.0".to_owned()
    } else {
        format!("nvcr.io/nvidia/tritonserver:{release}-py3-sdk")
    };
    let client = format!(
        "image = '{image}'\ndisk = '12 GiB'\narchitecture = 'amd64'\nrandom_seed = 0\n{keys}"
    );
    recipe.client = toml::from_str(&client).unwrap_or_else(|error| panic!("{name}: {error}"));
    recipe
}

fn client(name: &str) -> (&'static str, &'static str) {
    *CLIENTS.iter().find(|(own, _)| *own == name).unwrap()
}

/// Use cases with loads of their own, as far as the tool can measure them, beside one without.
fn with_loads(mut recipe: Recipe) -> Recipe {
    let tool = recipe.client.tool;
    let length = "chat:128s20/128s10".parse::<UseCase>().unwrap();
    let rates = ["2.5", "10"].map(|rate| rate.parse().unwrap());
    let rate = "chat:128/128".parse::<UseCase>().unwrap();
    let rate = rate.with_request_rate(rates);
    (recipe.sweep.use_cases).extend([length, rate.with_arrival(Arrival::Constant)]);
    if let ClientTool::Aiperf(_) = tool {
        let second = "bursts:128/128".parse::<UseCase>().unwrap();
        let gamma = second
            .with_request_rate(rates)
            .with_arrival(Arrival::Gamma)
            .with_smoothness("0.5".parse().unwrap());
        let ramp = "rising:128/128".parse::<UseCase>().unwrap();
        let ramp = ramp
            .with_duration("120s".parse().unwrap())
            .with_ramp("20s".parse().unwrap());
        recipe.sweep.use_cases.extend([gamma, ramp]);
    }
    recipe
}

/// Use cases whose prompts are in files, beside one without; one is a trace.
fn with_data(mut recipe: Recipe) -> Recipe {
    let file = "/lustre/data/it's \"mine\".jsonl".parse().unwrap();
    let prompts = DataSet::new(file, DataFormat::Prompts);
    let sharegpt = DataSet::new("/data/sharegpt.json".parse().unwrap(), DataFormat::Sharegpt);
    let trace = DataSet::new("/data/trace.jsonl".parse().unwrap(), DataFormat::Mooncake);
    let texts = [
        "support:1/256",
        "chats:1/128s10",
        "rated:1/128",
        "replay:1/1",
    ];
    let [support, chats, rated, replay] = texts.map(|text| text.parse::<UseCase>().unwrap());
    recipe.sweep.use_cases.truncate(1);
    recipe.sweep.use_cases.extend([
        support.with_data(prompts.clone()),
        chats.with_data(sharegpt),
        (rated.with_data(prompts)).with_request_rate(["2.5".parse().unwrap()]),
        replay.with_data(trace),
    ]);
    recipe
}

/// Where models come from, each by a recipe that has such a one.
const SOURCES: [&str; 4] = ["engine", "ngc", "hub", "path"];

fn from_source(source: &str) -> Recipe {
    let mut recipe = match source {
        "hub" | "path" => Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap(),
        _ => first(),
    };
    let weights = &mut recipe.model.weights;
    match source {
        "ngc" => recipe.model.engine = None,
        "path" => {
            weights.source = ModelSource::Path("/lustre/models/llama-3.3".parse().unwrap());
            weights.exclude.clear();
        }
        _ => {}
    }
    recipe
}

/// A site that adds all that one can add.
fn full_site(runtime: Runtime) -> Settings {
    let more = "\
         container.mounts = ['/lustre/data:/data:ro', '/scratch']\n\
         slurm.launch.requeue = true\n\
         [cluster]\n\
         gpus = 'gres'\n\
         gpu_type = 'h100'\n\
         nodes = 'shared'\n\
         modules = ['enroot/3.5.0', 'pmix']\n\
         enroot_cache_path = '/scratch/cache'\n\
         enroot_temp_path = '/scratch/temp'\n\
         proxy = { https = 'http://proxy.site:3128', no_proxy = 'localhost,.site' }";
    let settings = settings(runtime, more);
    HookPlace::ALL.iter().fold(settings, |settings, &place| {
        let lines = format!("# {place:?}: it's $HOME\nexport OWN=\"$(id -un)\"\n");
        settings.with_hook(place, lines.parse().unwrap())
    })
}

/// A site that decides everything it can, with a recipe that does.
fn full_case() -> Case {
    let settings = Settings::from_toml(
        r#"
        stage_path = "/lustre/project/nim"

        [slurm]
        partition = "h100,h200"
        account = "proj-7"
        gres = "gpu:h100:8"
        comment = '''{"exempt": "it's \"idle\" while it loads"} # $(id)'''
        switches = "1@10:00"

        [slurm.setup]
        partition = "cpu"
        gres = false

        [slurm.launch]
        time = "02:00:00"
        requeue = true
        output = "logs of %x/%j.out"

        [srun]
        mpi = "none"

        [container]
        mounts = ["/lustre/data:/data:ro", "tmpfs:/scratch"]
        registries = { "nvcr.io" = "mirror.site:5000" }
        "#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let mut recipe = first()
        .with_concurrency([1, 8])
        .with_use_cases(["chat:128/128".parse().unwrap()])
        .with_tokenizer("meta-llama/Meta-Llama-3-70B-Instruct".parse().unwrap());
    recipe.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
    recipe.server.command.push(
        "--chat-template=it's \"$HOME\" `id`\n{model_path}"
            .parse()
            .unwrap(),
    );
    recipe.client.tool = ClientTool::GenaiPerf("0.0.16".parse().unwrap());
    Case::new("full", recipe, settings)
}

/// A site with another runtime, with all that it can mount.
fn runtime_case(runtime: Runtime, mounts: &str) -> Case {
    let more = format!(
        "container.mounts = [{mounts}]\nstage_path = '/lustre/project/nim'\n\
         slurm.launch.gres = 'gpu:8'"
    );
    let mut recipe = first();
    recipe.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
    Case::new(runtime.to_string(), recipe, settings(runtime, &more))
}

/// A recipe that searches, on three levels.
pub(crate) fn searching(mut recipe: Recipe) -> Recipe {
    let search = Search::new(1, 4)
        .with_ttft("500".parse().unwrap())
        .with_itl("12.5".parse().unwrap())
        .with_within("100%".parse().unwrap());
    recipe.sweep.concurrency.clear();
    recipe.sweep.search = Some(search);
    recipe
}

/// The plans of the golden files. The first is what a new user gets: no settings at all.
pub(crate) fn golden() -> Vec<Case> {
    let plain = |what: &str, recipe| Case::new(what, recipe, Settings::new());
    let built_in = |name: &str| plain(name, Recipe::built_in(name).unwrap());
    let mut limited = in_array(first(), Some(ArrayBy::UseCase));
    limited.sweep.array_limit = Some(1);
    let mut alike_array = Servers::Alike.of(limited.clone());
    alike_array.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
    let before = HookPlace::Before(ScriptKind::Setup);
    let before = Settings::new()
        .with_hook(before, "export OWN=1".parse().unwrap())
        .with_resumed_job("4711".parse().unwrap());
    let tool = |name: &str| plain(name, with_client(first(), client(name)));
    let mut loads = with_loads(first().with_use_cases(["chat:128/128".parse().unwrap()]));
    loads.server.prefix_cache = PrefixCache::Flush;
    vec![
        plain("default", first()),
        full_case(),
        Case::new("site", first(), full_site(Runtime::Pyxis)),
        Case::new("hook before", first(), before),
        runtime_case(
            Runtime::Apptainer,
            "'/lustre/data:/data:ro+rbind', '/scratch'",
        ),
        runtime_case(
            Runtime::Podman,
            "'/lustre/data:/data:ro+rslave', 'tmpfs:/scratch:noexec'",
        ),
        built_in("deepseek-r1-h100x16-nim"),
        built_in("llama3-3-70b-h100x4-vllm"),
        plain("model that is there", from_source("path")),
        plain("share", Servers::Share.of(first())),
        plain("alike", Servers::Alike.of(first())),
        plain("array", limited),
        plain("array of alike", alike_array),
        plain("variants", in_array(first(), Some(ArrayBy::Server))),
        plain("turns", in_turns()),
        tool("GenAI-Perf 24.05"),
        tool("GenAI-Perf 24.12"),
        tool("GenAI-Perf 25.12"),
        tool("AIPerf"),
        tool("AIPerf, all"),
        plain("loads", loads),
        plain(
            "loads and data sets of AIPerf",
            with_loads(with_data(with_client(first(), client("AIPerf")))),
        ),
        plain("search", searching(first())),
    ]
}

/// Every combination of runtime, servers, array, tool and source of the model; the runtimes,
/// servers and arrays again at a site that adds all it can; and all forms of images.
pub(crate) fn every_case() -> Vec<Case> {
    let mut cases = golden();
    for runtime in RUNTIMES {
        for servers in Servers::ALL {
            for array in ARRAYS {
                let what = format!("{runtime}, {servers:?}, {array:?}");
                for source in SOURCES {
                    for client in CLIENTS {
                        let recipe = in_array(servers.of(from_source(source)), array);
                        let recipe = with_client(recipe, client);
                        let what = format!("{what}, {source}, {}", client.0);
                        cases.push(Case::new(what, recipe, settings(runtime, "")));
                    }
                }
                let recipe = in_array(servers.of(first()), array);
                let what = format!("{what}, full site");
                cases.push(Case::new(what, recipe, full_site(runtime)));
            }
        }
    }
    for runtime in RUNTIMES {
        for name in Recipe::BUILT_IN {
            let recipe = Recipe::built_in(name).unwrap();
            let what = format!("{runtime}, {name}");
            cases.push(Case::new(what, recipe, settings(runtime, "")));
        }
    }
    cases.extend(setups());
    cases
}

/// A script that stands for all with the same lines, whatever their values are.
pub(crate) struct Script {
    /// Its first plan.
    pub(crate) what: String,
    pub(crate) kind: ScriptKind,
    pub(crate) text: String,
}

/// One script of each form that [`every_case`] has.
pub(crate) fn every_script() -> Vec<Script> {
    let forms = Forms::new();
    let mut found = BTreeMap::new();
    for case in every_case() {
        for kind in ScriptKind::ALL {
            let text = case.plan.script(kind).text().to_owned();
            found.entry(forms.of(&text)).or_insert_with(|| Script {
                what: format!("{} of {}", kind.file_name(), case.what),
                kind,
                text,
            });
        }
    }
    found.into_values().collect()
}

/// Tells scripts apart by their lines, without values.
pub(crate) struct Forms {
    /// What stands in front of a value in a template, such as `readonly port=`.
    fronts: Vec<String>,
}

impl Forms {
    pub(crate) fn new() -> Self {
        let mut fronts: Vec<_> = templates()
            .into_iter()
            .flat_map(|(_, lines)| lines)
            .filter_map(|line| Some(line.split_once("{{")?.0.to_owned()))
            .filter(|front| !front.trim().is_empty())
            .collect();
        fronts.sort();
        fronts.dedup();
        assert!(fronts.len() > 20, "{fronts:?}");
        Self { fronts }
    }

    /// The text without values, entries of arrays, and directives.
    pub(crate) fn of(&self, text: &str) -> String {
        let mut form = String::new();
        let mut is_in_array = false;
        for line in text.lines() {
            if line == ")" {
                is_in_array = false;
            }
            if is_in_array || line.starts_with("#SBATCH") {
                continue;
            }
            is_in_array = line.ends_with("=(");
            let front = self.fronts.iter().find(|front| line.starts_with(*front));
            form.push_str(front.map_or(line, String::as_str));
            form.push('\n');
        }
        form
    }
}

/// The templates that are no scripts.
pub(crate) const PAGES: [&str; 4] = [
    "templates/report.html",
    "templates/report.svg",
    "templates/report/chart.svg",
    "templates/report/chart.css",
];

/// The templates of the scripts, each with its lines.
pub(crate) fn templates() -> Vec<(PathBuf, Vec<String>)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, Vec<String>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if !PAGES.iter().any(|page| path.ends_with(page)) {
                // Another ending would have another escaper.
                let is_script = path.extension().is_some_and(|ending| ending == "sh");
                assert!(is_script, "{}", path.display());
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text.lines().map(str::to_owned).collect()));
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    walk(&root, &mut found);
    found.sort();
    found
}

/// All mount flags that a runtime knows, one mount each and all together.
fn mounts(runtime: Runtime) -> String {
    let data = "/usr";
    let flags: &[&str] = match runtime {
        Runtime::Apptainer => &["ro", "rw", "rbind", "ro+rbind"],
        _ => &[
            "ro",
            "rw",
            "nosuid",
            "nodev",
            "noexec",
            "bind",
            "rbind",
            "private",
            "rprivate",
            "slave",
            "rslave",
            "ro+nosuid+nodev+noexec+rslave",
        ],
    };
    let mut mounts = vec![format!("'{data}'")];
    for (number, flag) in flags.iter().enumerate() {
        mounts.push(format!("'{data}:/mounts/{number}:{flag}'"));
    }
    match runtime {
        Runtime::Apptainer => {}
        Runtime::Pyxis => {
            mounts.push(format!(
                "'{data}:/atime:noatime', 'tmpfs:/t:noatime+noexec', 'tmpfs:/u'"
            ));
        }
        _ => mounts.push("'tmpfs:/t:nosuid+noexec', 'tmpfs:/u'".to_owned()),
    }
    mounts.join(", ")
}

/// The ways in which launch.sh starts a server.
fn starts() -> Vec<(&'static str, Recipe)> {
    let mut starts = vec![("plain", first()), ("hooks", first())];
    for name in Recipe::BUILT_IN {
        starts.push((name, Recipe::built_in(name).unwrap()));
    }
    starts.push(("share", Servers::Share.of(first())));
    starts.push(("alike", Servers::Alike.of(first())));
    starts.push(("array", in_array(first(), Some(ArrayBy::Point))));
    starts.push(("variants", in_array(first(), Some(ArrayBy::Server))));
    starts.push(("turns", in_turns()));
    let aiperf = with_client(first(), client("AIPerf"));
    starts.push(("loads", in_array(with_loads(aiperf), Some(ArrayBy::Point))));
    starts
}

/// Each way under each runtime, at a site that says nothing and at one that says all.
pub(crate) fn launches() -> Vec<Case> {
    let mut cases = Vec::new();
    for runtime in RUNTIMES {
        for (name, recipe) in starts() {
            for says_all in [false, true] {
                let mut recipe = recipe.clone();
                let mpi = if says_all && runtime == Runtime::Pyxis {
                    "pmix"
                } else {
                    "none"
                };
                let mut more = format!("srun.mpi = '{mpi}'");
                if says_all {
                    let mounts = mounts(runtime);
                    more = format!("{more}\ncontainer.mounts = [{mounts}]");
                    recipe.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
                    recipe.client.tokenizer = Some("meta-llama/Llama".parse().unwrap());
                    let own = "OWN_VARIABLE".parse().unwrap();
                    recipe
                        .server
                        .environment
                        .insert(own, "{port}".parse().unwrap());
                    if name == "plain" {
                        // It wants more of the hub, and so another mount.
                        recipe.client.tool = ClientTool::GenaiPerf("0.0.5".parse().unwrap());
                        recipe.client.tokenizer = Some("/mounts/0".parse().unwrap());
                    }
                }
                let mut settings = settings(runtime, &more);
                if name == "hooks" {
                    for place in [HookPlace::InServer, HookPlace::InClient] {
                        settings = settings.with_hook(place, "export OWN=1".parse().unwrap());
                    }
                }
                let what = format!("{runtime}, {name}{}", if says_all { ", all" } else { "" });
                cases.push(Case::new(what, recipe, settings));
            }
        }
    }
    cases
}

/// Images as people name them, each with what setup.sh gives of it to the runtime.
pub(crate) fn setups() -> Vec<Case> {
    let digest = format!("@sha256:{}", "0123456789abcdef".repeat(4));
    let images = [
        "nvcr.io/nim/meta/llama3-70b-instruct:1.0.3".to_owned(),
        "nvcr.io/nim/meta/llama3-70b-instruct".to_owned(),
        format!("nvcr.io/nim/meta/llama3-70b-instruct{digest}"),
        format!("nvcr.io/nim/meta/llama3-70b-instruct:1.0.3{digest}"),
        "mirror.site:5000/a_b/c-d.e:V_1.2-3".to_owned(),
        "localhost/x:1".to_owned(),
        "ubuntu".to_owned(),
        format!("ubuntu{digest}"),
        "vllm/vllm-openai:v0.8.5".to_owned(),
        format!("vllm/vllm-openai:v0.8.5{digest}"),
    ];
    let mut cases = Vec::new();
    for runtime in RUNTIMES {
        for image in &images {
            let variants = [
                (true, Some(Architecture::Amd64)),
                (false, Some(Architecture::Arm64)),
                (false, None),
            ];
            // Where an image is from, and what it is for, are words of their own.
            let plain = if image == &images[0] { 0 } else { 2 };
            for (mirror, architecture) in variants.into_iter().skip(plain) {
                let mut recipe = first();
                recipe.server.image = image.parse().unwrap();
                recipe.server.file = Some("server.sqsh".parse().unwrap());
                recipe.server.architecture = architecture;
                recipe.client.architecture = architecture;
                let mut more = "srun.mpi = 'none'".to_owned();
                if mirror {
                    more += "\ncontainer.registries = { 'nvcr.io' = 'mirror.site:5000' }";
                }
                let what = format!("{runtime}, {image}, {architecture:?}, mirror {mirror}");
                cases.push(Case::new(what, recipe, settings(runtime, &more)));
            }
        }
    }
    cases
}
