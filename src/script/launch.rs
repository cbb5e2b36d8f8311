//! The values of `templates/launch.sh`.

use std::collections::BTreeMap;

use askama::Template;

use super::MADE_BY;
use super::site::{Site, own_lines, stage_path};
use crate::container::{EnvName, Runtime};
use crate::job_options::ScriptKind;
use crate::recipe::{
    ClientTool, ENGINE_LINK, Feature, Recipe, ReplicaUse, Server, Tokenizer, Variant, Word,
};
use crate::settings::{HookPlace, Settings};
use crate::shell::{Quoted, all_quoted, quoted};
use crate::slurm::{Directives, OptionName};

/// What a launch job needs to end in order when its time is up.
const SECONDS_TO_STOP: u32 = 10;

#[derive(Template)]
#[template(path = "launch.sh")]
#[expect(clippy::struct_excessive_bools, reason = "what its template asks")]
pub(crate) struct Launch {
    made_by: Quoted,
    recipe: Quoted,
    stage_path: Quoted,
    site: Site,
    runtime: Runtime,
    server_image: Quoted,
    server_reference: Quoted,
    model_folder: Quoted,
    /// Whether it is below the stage path.
    model_is_staged: bool,
    weights: Quoted,
    weights_files: Vec<Quoted>,
    engine: Option<Quoted>,
    engine_link: Quoted,
    nodes: u32,
    /// The GPUs of all replicas.
    gpus_of_a_node: u32,
    replicas: u32,
    /// Whether all replicas measure each point.
    alike: bool,
    mpi: Quoted,
    server_command: Vec<Quoted>,
    /// `NAME=VALUE` each.
    server_environment: Vec<Quoted>,
    server_secrets: Vec<Quoted>,
    /// Own lines in the server's container.
    in_server: Option<Quoted>,
    port: u16,
    health_path: Quoted,
    served_model_name: Quoted,
    ready_timeout: u32,
    probe_interval: u32,
    stop_timeout: u32,
    client_image: Quoted,
    client_reference: Quoted,
    /// Empty: the model's own.
    tokenizer: Quoted,
    point_timeout: u32,
    tool: ClientTool,
    /// The tool leaves tables of the parts of a run as well.
    has_phases: bool,
    client_options: Vec<Quoted>,
    /// What its requests say, as fields of JSON.
    request_fields: Quoted,
    ignore_eos: bool,
    min_tokens: bool,
    /// Own lines in the client's container.
    in_client: Option<Quoted>,
    result_name: Quoted,
    points: Vec<Quoted>,
    /// The tasks of an array; 0 without one.
    tasks: usize,
    /// Variants of the server, one a task.
    variants: Vec<Quoted>,
    /// What a variant adds, behind the number of its task.
    variant_command: Vec<Quoted>,
    variant_environment: Vec<Quoted>,
    /// Job ids with commas between them.
    resume: Quoted,
    requeue_limit: u32,
    /// Seconds before the time limit in which nothing is measured.
    reserve: u32,
    extra_mounts: Vec<Quoted>,
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
        Self {
            made_by: quoted(MADE_BY),
            recipe: quoted(&recipe.name),
            stage_path: stage_path(settings),
            site: Site::new(settings, ScriptKind::Launch),
            runtime,
            server_image: quoted(runtime.image_file(&server.squash_file())),
            server_reference: quoted(server.image.to_string()),
            model_folder: quoted(model.weights.folder()),
            model_is_staged: model.weights.are_staged(),
            weights: quoted(model.weights.source.to_string()),
            weights_files: all_quoted(&model.weights.files),
            engine: model.engine.as_ref().map(|engine| quoted(&engine.ngc)),
            engine_link: quoted(ENGINE_LINK),
            nodes: server.nodes.get(),
            gpus_of_a_node: server.gpus_per_node(),
            replicas: server.replicas.get(),
            alike: sweep.replicas == ReplicaUse::Together,
            mpi: quoted(settings.mpi()),
            server_command: all_quoted(&server.command),
            server_environment: all_quoted(assignments(&server.environment)),
            server_secrets: all_quoted(&server.secrets),
            in_server: own_lines(settings, HookPlace::InServer),
            port: server.port.get(),
            health_path: quoted(&server.health_path),
            served_model_name: quoted(&server.served_model_name),
            ready_timeout: server.ready_timeout.get(),
            probe_interval: server.probe_interval.get(),
            stop_timeout: server.stop_timeout.get(),
            client_image: quoted(runtime.image_file(&client.squash_file())),
            client_reference: quoted(client.image.to_string()),
            tokenizer: quoted(client.tokenizer.as_ref().map_or("", Tokenizer::as_str)),
            point_timeout: sweep.point_timeout.get(),
            tool: client.tool,
            has_phases: client.has_phases(),
            client_options: all_quoted(client.options()),
            request_fields: quoted(client.request_fields()),
            ignore_eos: client.ignore_eos,
            min_tokens: client.min_tokens,
            in_client: own_lines(settings, HookPlace::InClient),
            result_name: quoted(recipe.result_name()),
            points: all_quoted(recipe.point_rows()),
            tasks: recipe.task_count().unwrap_or_default(),
            variants: all_quoted(server.variants.iter().map(|variant| &variant.name)),
            variant_command: by_task(server, |variant| {
                variant.command.iter().map(ToString::to_string)
            }),
            variant_environment: by_task(server, |variant| assignments(&variant.environment)),
            resume: quoted(
                settings
                    .resumed_jobs()
                    .iter()
                    .map(AsRef::as_ref)
                    .collect::<Vec<&str>>()
                    .join(","),
            ),
            requeue_limit: if directives.is_set(OptionName::Requeue) {
                settings.max_requeues()
            } else {
                0
            },
            reserve: directives.seconds_of_warning() + SECONDS_TO_STOP,
            extra_mounts: all_quoted(settings.mounts()),
        }
    }
}

/// `NAME=VALUE` each.
fn assignments(variables: &BTreeMap<EnvName, Word>) -> impl Iterator<Item = String> {
    variables.iter().map(|(name, value)| value.assignment(name))
}

/// What the variants of a server add, each behind the number of its task.
fn by_task<'a, T: Iterator<Item = String>>(
    server: &'a Server,
    added: impl Fn(&'a Variant) -> T,
) -> Vec<Quoted> {
    let variants = server.variants.iter().enumerate();
    let words = variants
        .flat_map(|(task, variant)| added(variant).map(move |word| format!("{task} {word}")));
    all_quoted(words)
}
