//! The private structs that fill the templates, one a script.
//!
//! Their fields are the values that a template names; nothing is decided here or
//! there.

use askama::Template;

use crate::container::Runtime;
use crate::recipe::{ClientTool, Feature, ModelSource};

#[derive(Template)]
#[template(path = "setup.sh")]
pub(crate) struct Setup<'a> {
    pub(crate) made_by: &'a str,
    pub(crate) recipe: &'a str,
    pub(crate) stage_path: &'a str,
    pub(crate) site: SiteRow<'a>,
    pub(crate) runtime: Runtime,
    pub(crate) images: &'a [ImageRow<'a>],
}

/// What a site adds to a script.
pub(crate) struct SiteRow<'a> {
    pub(crate) modules: Vec<&'a str>,
    /// `NAME=VALUE` each.
    pub(crate) proxy: Vec<String>,
    pub(crate) enroot_cache: Option<String>,
    pub(crate) enroot_temp: Option<String>,
    /// Own lines before the work and after it.
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

/// An image to import.
pub(crate) struct ImageRow<'a> {
    pub(crate) file: &'a str,
    pub(crate) uri: &'a str,
    /// Empty: that of the importing node.
    pub(crate) architecture: &'a str,
    /// Free space in MiB.
    pub(crate) space: u64,
    /// The registry that asks for an NGC key; empty: none does.
    pub(crate) login: &'a str,
}

#[derive(Template)]
#[template(path = "prepare_models.sh")]
pub(crate) struct PrepareModels<'a> {
    pub(crate) made_by: &'a str,
    pub(crate) recipe: &'a str,
    pub(crate) stage_path: &'a str,
    pub(crate) site: SiteRow<'a>,
    pub(crate) source: &'a ModelSource,
    /// Whether the weights are below the stage path.
    pub(crate) weights_are_staged: bool,
    pub(crate) weights: WeightsRow<'a>,
    pub(crate) engine: Option<EngineRow<'a>>,
    pub(crate) engine_link: &'a str,
    /// The GPUs of all nodes.
    pub(crate) gpus: u32,
}

/// What a folder of weights has in it.
pub(crate) struct WeightsRow<'a> {
    pub(crate) folder: &'a str,
    pub(crate) bytes: u64,
    pub(crate) files: Vec<&'a str>,
    /// What is not fetched of a repository.
    pub(crate) exclude: Vec<&'a str>,
}

/// An engine on NGC.
pub(crate) struct EngineRow<'a> {
    pub(crate) target: &'a str,
    pub(crate) folder: String,
    pub(crate) bytes: u64,
    pub(crate) files: Vec<&'a str>,
}

#[derive(Template)]
#[template(path = "launch.sh")]
pub(crate) struct Launch<'a> {
    pub(crate) made_by: &'a str,
    pub(crate) recipe: &'a str,
    pub(crate) stage_path: &'a str,
    pub(crate) site: SiteRow<'a>,
    /// Own lines in the containers.
    pub(crate) in_server: Option<&'a str>,
    pub(crate) in_client: Option<&'a str>,
    pub(crate) runtime: Runtime,
    pub(crate) server: ContainerRow<'a>,
    pub(crate) client: ContainerRow<'a>,
    pub(crate) model_folder: &'a str,
    /// Whether it is below the stage path.
    pub(crate) model_is_staged: bool,
    pub(crate) weights: String,
    pub(crate) weights_files: Vec<&'a str>,
    pub(crate) engine: Option<&'a str>,
    pub(crate) engine_link: &'a str,
    pub(crate) nodes: u32,
    /// The GPUs of all replicas.
    pub(crate) gpus_of_a_node: u32,
    pub(crate) replicas: u32,
    /// Whether all replicas measure each point.
    pub(crate) alike: bool,
    pub(crate) mpi: &'a str,
    pub(crate) server_command: Vec<&'a str>,
    /// `NAME=VALUE` each.
    pub(crate) server_environment: Vec<String>,
    pub(crate) server_secrets: Vec<&'a str>,
    pub(crate) port: u16,
    pub(crate) health_path: &'a str,
    pub(crate) served_model_name: &'a str,
    pub(crate) ready_timeout: u32,
    pub(crate) probe_interval: u32,
    pub(crate) stop_timeout: u32,
    /// Empty: the model's own.
    pub(crate) tokenizer: &'a str,
    pub(crate) point_timeout: u32,
    pub(crate) tool: ClientTool,
    /// The tool leaves tables of the parts of a run as well.
    pub(crate) has_phases: bool,
    pub(crate) client_options: Vec<String>,
    pub(crate) result_name: &'a str,
    /// Use case, input and output tokens, concurrency and requests each; behind the
    /// number of the task where they are shared out.
    pub(crate) points: Vec<String>,
    /// The tasks of an array; 0 without one.
    pub(crate) tasks: usize,
    /// Variants of the server, one a task.
    pub(crate) variants: Vec<&'a str>,
    /// What a variant adds, behind the number of its task.
    pub(crate) variant_command: Vec<String>,
    pub(crate) variant_environment: Vec<String>,
    /// Job ids with commas between them.
    pub(crate) resume: String,
    pub(crate) requeue_limit: u32,
    /// Seconds before the time limit in which nothing is measured.
    pub(crate) reserve: u32,
    pub(crate) extra_mounts: Vec<&'a str>,
}

/// An image that is run.
pub(crate) struct ContainerRow<'a> {
    pub(crate) file: &'a str,
    pub(crate) reference: &'a str,
}

/// Appends a rendered template to a script's head.
pub(crate) fn render<T: Template>(mut head: String, template: &T) -> String {
    // Grown bit by bit, a script would be copied six times over.
    head.reserve(T::SIZE_HINT * 5 / 4);
    // The values were checked when they were made, and writing to a String
    // cannot fail.
    template
        .render_into(&mut head)
        .expect("a checked value renders");
    // askama drops a template's last line break.
    head.push('\n');
    head
}
