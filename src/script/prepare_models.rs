//! The values of `templates/prepare_models.sh`.

use askama::Template;

use super::MADE_BY;
use super::site::{Site, stage_path, texts};
use crate::recipe::{ENGINE_LINK, Engine, ModelSource, Recipe};
use crate::script::ScriptKind;
use crate::settings::Settings;

#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "prepare_models.sh")]
pub(crate) struct PrepareModels {
    made_by: &'static str,
    recipe: String,
    stage_path: String,
    site: Site,
    source: ModelSource,
    /// Whether the weights are below the stage path.
    weights_are_staged: bool,
    weights_folder: String,
    weights_bytes: u64,
    weights_files: Vec<String>,
    /// What is not fetched of a repository.
    exclude: Vec<String>,
    engine: Option<EngineOnNgc>,
    engine_link: &'static str,
    /// The GPUs of all nodes.
    gpus: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct EngineOnNgc {
    target: String,
    folder: String,
    bytes: u64,
    files: Vec<String>,
}

impl PrepareModels {
    pub(crate) fn new(recipe: &Recipe, settings: &Settings) -> Self {
        let model = &recipe.model;
        let weights = &model.weights;
        Self {
            made_by: MADE_BY,
            recipe: recipe.name.to_string(),
            stage_path: stage_path(settings),
            site: Site::new(settings, ScriptKind::PrepareModels),
            source: weights.source.clone(),
            weights_are_staged: weights.are_staged(),
            weights_folder: weights.folder(),
            weights_bytes: weights.size.bytes(),
            weights_files: texts(&weights.files),
            exclude: texts(&weights.exclude),
            engine: model.engine.as_ref().map(EngineOnNgc::new),
            engine_link: ENGINE_LINK,
            gpus: recipe.server.total_gpus(),
        }
    }
}

impl EngineOnNgc {
    fn new(engine: &Engine) -> Self {
        Self {
            target: engine.ngc.to_string(),
            folder: engine.ngc.folder(),
            bytes: engine.size.bytes(),
            files: texts(&engine.files),
        }
    }
}
