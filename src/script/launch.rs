//! The values of `templates/launch.sh`.

use askama::Template;

use super::MADE_BY;
use super::site::{Site, own_lines, stage_path, texts};
use crate::container::Runtime;
use crate::recipe::{
    ClientTool, ENGINE_LINK, Feature, Recipe, ReplicaUse, Server, Tokenizer, Variant,
};
use crate::script::ScriptKind;
use crate::settings::{HookPlace, Settings};
use crate::slurm::{Directives, OptionName};

/// What a launch job needs to end in order when its time is up.
const SECONDS_TO_STOP: u32 = 10;

#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "launch.sh")]
pub(crate) struct Launch {
    made_by: &'static str,
    recipe: String,
    stage_path: String,
    site: Site,
    runtime: Runtime,
    server_image: String,
    server_reference: String,
    model_folder: String,
    /// Whether it is below the stage path.
    model_is_staged: bool,
    weights: String,
    weights_files: Vec<String>,
    engine: Option<String>,
    engine_link: &'static str,
    nodes: u32,
    /// The GPUs of all replicas.
    gpus_of_a_node: u32,
    replicas: u32,
    /// Whether all replicas measure each point.
    alike: bool,
    mpi: String,
    server_command: Vec<String>,
    /// `NAME=VALUE` each.
    server_environment: Vec<String>,
    server_secrets: Vec<String>,
    /// Own lines in the server's container.
    in_server: Option<String>,
    port: u16,
    health_path: String,
    served_model_name: String,
    ready_timeout: u32,
    probe_interval: u32,
    stop_timeout: u32,
    client_image: String,
    client_reference: String,
    /// Empty: the model's own.
    tokenizer: String,
    point_timeout: u32,
    tool: ClientTool,
    /// The tool leaves tables of the parts of a run as well.
    has_phases: bool,
    client_options: Vec<String>,
    /// Own lines in the client's container.
    in_client: Option<String>,
    result_name: String,
    points: Vec<String>,
    /// The tasks of an array; 0 without one.
    tasks: usize,
    /// Variants of the server, one a task.
    variants: Vec<String>,
    /// What a variant adds, behind the number of its task.
    variant_command: Vec<String>,
    variant_environment: Vec<String>,
    /// Job ids with commas between them.
    resume: String,
    requeue_limit: u32,
    /// Seconds before the time limit in which nothing is measured.
    reserve: u32,
    extra_mounts: Vec<String>,
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
        let array = sweep.array.map(|_| recipe.tasks());
        Self {
            made_by: MADE_BY,
            recipe: recipe.name.to_string(),
            stage_path: stage_path(settings),
            site: Site::new(settings, ScriptKind::Launch),
            runtime,
            server_image: runtime.image_file(&server.squash_file()),
            server_reference: server.image.to_string(),
            model_folder: model.weights.folder(),
            model_is_staged: model.weights.are_staged(),
            weights: model.weights.source.to_string(),
            weights_files: texts(&model.weights.files),
            engine: model.engine.as_ref().map(|engine| engine.ngc.to_string()),
            engine_link: ENGINE_LINK,
            nodes: server.nodes.get(),
            gpus_of_a_node: server.gpus_of_a_node(),
            replicas: server.replicas.get(),
            alike: sweep.replicas == ReplicaUse::Alike,
            mpi: settings.mpi().to_string(),
            server_command: texts(&server.command),
            server_environment: server
                .environment
                .iter()
                .map(|(name, value)| value.assignment(name))
                .collect(),
            server_secrets: texts(&server.secrets),
            in_server: own_lines(settings, HookPlace::InServer),
            port: server.port.get(),
            health_path: server.health_path.to_string(),
            served_model_name: server.served_model_name.to_string(),
            ready_timeout: server.ready_timeout.get(),
            probe_interval: server.probe_interval.get(),
            stop_timeout: server.stop_timeout.get(),
            client_image: runtime.image_file(&client.squash_file()),
            client_reference: client.image.to_string(),
            tokenizer: client
                .tokenizer
                .as_ref()
                .map_or_else(String::new, Tokenizer::to_string),
            point_timeout: sweep.point_timeout.get(),
            tool: client.tool,
            has_phases: client.has_phases(),
            client_options: client.options(),
            in_client: own_lines(settings, HookPlace::InClient),
            result_name: recipe.result_name.to_string(),
            points: recipe.point_rows(),
            tasks: array.map_or(0, |tasks| tasks.len()),
            variants: server
                .variants
                .iter()
                .map(|variant| variant.name.to_string())
                .collect(),
            variant_command: by_task(server, |variant| {
                variant.command.iter().map(ToString::to_string)
            }),
            variant_environment: by_task(server, |variant| {
                let variables = variant.environment.iter();
                variables.map(|(name, value)| value.assignment(name))
            }),
            resume: texts(settings.resumed()).join(","),
            requeue_limit: if directives.is_set(OptionName::Requeue) {
                settings.max_requeues()
            } else {
                0
            },
            reserve: directives.seconds_of_warning() + SECONDS_TO_STOP,
            extra_mounts: texts(settings.mounts()),
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
