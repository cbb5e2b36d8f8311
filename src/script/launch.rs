//! The values of `templates/launch.sh`.

use std::collections::BTreeMap;

use askama::Template;

use super::MADE_BY;
use super::site::{Site, own_lines, stage_path};
use crate::container::{EnvName, Runtime, SECRETS};
use crate::job_options::ScriptKind;
use crate::recipe::{
    Client, ClientTool, DataFile, ENGINE_LINK, Recipe, ReplicaUse, Search, Tokenizer, Word,
};
use crate::settings::{HookPlace, Settings};
use crate::shell::{Quoted, all_quoted, array, packed, quoted, rows};
use crate::slurm::{Directives, OptionName};

/// What a launch job needs to end in order when its time is up.
const SECONDS_TO_STOP: u32 = 10;

#[derive(Template)]
#[template(path = "launch.sh")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a block that the script has or has not"
)]
pub(crate) struct Launch {
    made_by: Quoted,
    recipe: Quoted,
    stage_path: Quoted,
    site: Site,
    runtime: Runtime,
    server_image: Quoted,
    server_reference: Quoted,
    model_folder: Quoted,
    weights: Quoted,
    /// Empty: none.
    engine: Quoted,
    engine_link: Quoted,
    /// Those that the index does not name.
    model_files: Quoted,
    nodes: u32,
    /// The GPUs of all replicas.
    gpus_of_a_node: u32,
    replicas: u32,
    /// Whether each point is for one of the replicas or for all.
    replica_use: &'static str,
    /// What each point has of each replica; 0 where it is for one of them.
    parts: u32,
    mpi: Quoted,
    /// Words, an option beside its value.
    server_command: Quoted,
    /// `NAME=VALUE` each.
    server_environment: Quoted,
    server_secrets: Quoted,
    secrets: Quoted,
    /// The hook in the server's container.
    in_server: Option<Quoted>,
    port: u16,
    /// Whether other jobs may use the node, and its ports.
    has_neighbours: bool,
    health_path: Quoted,
    served_model_name: Quoted,
    ready_timeout: u32,
    probe_interval: u32,
    stop_timeout: u32,
    prefix_cache: &'static str,
    client_image: Quoted,
    client_reference: Quoted,
    /// Empty: the model's own.
    tokenizer: Quoted,
    point_timeout: u32,
    /// Whether there are secrets of the server, or mounts.
    has_needs: bool,
    /// Where the client asks the hub, the tokenizer that it fetches whichever is asked for; empty: none.
    hub_tokenizer: Option<Quoted>,
    tool_name: &'static str,
    client_command: Quoted,
    /// What its requests say, as fields of JSON.
    request_fields: Quoted,
    /// What has AIPerf wait.
    aiperf_gate: Option<Quoted>,
    /// The hook in the client's container.
    in_client: Option<Quoted>,
    result_name: Quoted,
    points: Quoted,
    /// Commands of use cases that have their own, a word each behind the command's number.
    own_commands: Option<Quoted>,
    search: Option<SearchValues>,
    /// Whether there are several servers, nodes, tasks or turns, for which launch.sh then has blocks.
    has_several: bool,
    data: Option<DataValues>,
    /// The tasks of an array, or the turns of one job; 0 where there is one part of the work.
    tasks: usize,
    /// The turns alone; 0 in an array.
    turns: usize,
    /// How many servers there are to measure, and what each variant adds, behind its number and what it is.
    variants: usize,
    additions: Quoted,
    /// Job ids with commas between them.
    resume: Option<Quoted>,
    requeue_limit: u32,
    gpu_samples: bool,
    /// Seconds before the time limit in which nothing is measured.
    reserve: u32,
    extra_mounts: Quoted,
}

/// The values of data sets.
struct DataValues {
    /// `FORMAT PROMPTS FILE` each: how many prompts are needed at least.
    sets: Quoted,
    /// What the tool calls a prompt.
    key: &'static str,
    program: Quoted,
}

impl DataValues {
    fn new(recipe: &Recipe) -> Option<Self> {
        let sets = recipe.data_sets();
        let row = |data: &(String, &DataFile)| {
            let needed = recipe.prompts_needed(data);
            format!("{} {needed} {}", data.0, data.1)
        };
        (!sets.is_empty()).then(|| Self {
            sets: array(&all_quoted(sets.iter().map(row))),
            key: recipe.client.tool.prompt_key(),
            program: quoted(include_str!("data.py")),
        })
    }
}

/// The values of a search.
struct SearchValues {
    /// `NAME=MILLISECONDS` each.
    limits: Quoted,
    percentile: u8,
    levels: Quoted,
    /// As the manifest has it.
    goal: Quoted,
    program: Quoted,
}

impl SearchValues {
    fn new(search: &Search) -> Self {
        let limits = search.limits().into_iter();
        let limits = limits.map(|(name, limit)| format!("{name}={limit}"));
        let ladder = search.ladder();
        let levels = ladder.levels().iter().map(ToString::to_string);
        Self {
            limits: array(&all_quoted(limits)),
            percentile: search.at.get(),
            levels: array(&packed(all_quoted(levels))),
            goal: quoted(search.to_json()),
            program: quoted(include_str!("search.py")),
        }
    }
}

impl Launch {
    pub(crate) fn new(recipe: &Recipe, settings: &Settings, directives: &Directives) -> Self {
        let Recipe {
            server,
            model,
            client,
            sweep,
            ..
        } = recipe;
        let runtime = settings.runtime();
        let tasks = recipe
            .task_count()
            .or(recipe.turn_count())
            .unwrap_or_default();
        Self {
            made_by: quoted(MADE_BY),
            recipe: quoted(&recipe.name),
            stage_path: stage_path(settings),
            site: Site::new(settings, ScriptKind::Launch),
            runtime,
            server_image: quoted(runtime.image_file(&server.squash_file())),
            server_reference: quoted(server.image.to_string()),
            model_folder: quoted(model.weights.folder()),
            weights: quoted(model.weights.source.to_string()),
            engine: quoted(
                model
                    .engine
                    .as_ref()
                    .map_or("", |engine| engine.ngc.as_str()),
            ),
            engine_link: quoted(ENGINE_LINK),
            model_files: array(&packed(all_quoted(model_files(recipe)))),
            nodes: server.nodes,
            gpus_of_a_node: server.gpus_per_node(),
            replicas: server.replicas,
            replica_use: match sweep.replicas {
                ReplicaUse::Split => "split",
                ReplicaUse::Together => "together",
            },
            parts: match sweep.replicas {
                ReplicaUse::Split => 0,
                ReplicaUse::Together => server.replicas,
            },
            mpi: quoted(settings.mpi()),
            server_command: array(&packed(rows(&server.command))),
            server_environment: array(&packed(all_quoted(assignments(&server.environment)))),
            server_secrets: array(&packed(all_quoted(&server.secrets))),
            secrets: array(&packed(all_quoted(SECRETS))),
            in_server: own_lines(settings, HookPlace::InServer),
            port: server.port,
            has_neighbours: !directives.has_whole_nodes(),
            health_path: quoted(&server.health_path),
            served_model_name: quoted(&server.served_model_name),
            ready_timeout: server.ready_timeout,
            probe_interval: server.probe_interval,
            stop_timeout: server.stop_timeout,
            prefix_cache: server.prefix_cache.as_str(),
            client_image: quoted(runtime.image_file(&client.squash_file())),
            client_reference: quoted(client.image.to_string()),
            tokenizer: quoted(client.tokenizer.as_ref().map_or("", Tokenizer::as_str)),
            point_timeout: sweep.point_timeout,
            has_needs: !server.secrets.is_empty() || !settings.mounts().is_empty(),
            hub_tokenizer: hub_tokenizer(client),
            tool_name: client.tool.name(),
            client_command: array(&packed(rows(client.command(&server.served_model_name)))),
            request_fields: quoted(client.request_fields()),
            aiperf_gate: matches!(client.tool, ClientTool::Aiperf(_))
                .then(|| quoted(include_str!("aiperf_gate.py"))),
            in_client: own_lines(settings, HookPlace::InClient),
            result_name: quoted(recipe.result_name()),
            points: array(&match sweep.search {
                None => all_quoted(recipe.point_rows()),
                Some(_) => packed(all_quoted(recipe.point_rows())),
            }),
            search: sweep.search.as_ref().map(SearchValues::new),
            data: DataValues::new(recipe),
            own_commands: own_commands(recipe),
            has_several: tasks > 0 || server.nodes > 1 || server.replicas > 1,
            tasks,
            turns: recipe.turn_count().unwrap_or_default(),
            variants: server.variants.len().max(1),
            additions: array(&additions(recipe)),
            resume: (!settings.resumed_jobs().is_empty()).then(|| {
                let jobs = settings.resumed_jobs().iter().map(AsRef::as_ref);
                quoted(jobs.collect::<Vec<&str>>().join(","))
            }),
            requeue_limit: if directives.is_set(OptionName::Requeue) {
                settings.max_requeues()
            } else {
                0
            },
            gpu_samples: settings.gpu_samples(),
            reserve: directives.seconds_of_warning() + SECONDS_TO_STOP,
            extra_mounts: array(&all_quoted(settings.mounts())),
        }
    }
}

/// The files that are looked for by name in a model's folder.
fn model_files(Recipe { model, .. }: &Recipe) -> impl Iterator<Item = String> {
    let weights = model.weights.files_to_find();
    let weights = weights.map(str::to_owned);
    let engine = model.engine.iter().flat_map(|engine| &engine.files);
    let parts = engine.filter(|file| file.as_str().ends_with(".engine"));
    weights.chain(parts.map(|file| format!("{ENGINE_LINK}/{file}")))
}

/// `NAME=VALUE` each.
fn assignments(variables: &BTreeMap<EnvName, Word>) -> impl Iterator<Item = String> {
    variables.iter().map(|(name, value)| value.assignment(name))
}

fn hub_tokenizer(client: &Client) -> Option<Quoted> {
    let default = client.tool.default_tokenizer();
    let asked_for = client.tokenizer.as_ref().filter(|it| it.is_on_hub());
    (default.is_some() || asked_for.is_some()).then(|| quoted(default.unwrap_or_default()))
}

fn own_commands(recipe: &Recipe) -> Option<Quoted> {
    let commands = (1..).zip(recipe.own_commands());
    let words = commands.flat_map(|(number, command)| {
        let words = command.into_iter();
        words.map(move |word| format!("{number} {word}"))
    });
    let words = packed(all_quoted(words));
    (!words.is_empty()).then(|| array(&words))
}

/// What the variants of a server add.
fn additions(recipe: &Recipe) -> Vec<Quoted> {
    let variants = recipe.server.variants.iter().enumerate();
    let rows = variants.flat_map(|(number, variant)| {
        let name = format!("{number} result_name {}", variant.name);
        let command = variant.command.iter();
        let command = command.map(move |word| format!("{number} command {}", word.as_str()));
        let environment = assignments(&variant.environment);
        let environment = environment.map(move |it| format!("{number} environment {it}"));
        std::iter::once(name).chain(command).chain(environment)
    });
    all_quoted(rows)
}
