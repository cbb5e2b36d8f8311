//! The values of `templates/prepare_models.sh`.

use askama::Template;

use super::MADE_BY;
use super::site::{Site, stage_path};
use crate::job_options::ScriptKind;
use crate::recipe::{ENGINE_LINK, Engine, ModelSource, Recipe};
use crate::settings::Settings;
use crate::shell::{Quoted, all_quoted, packed, quoted};

#[derive(Template)]
#[template(path = "prepare_models.sh")]
pub(crate) struct PrepareModels {
    made_by: Quoted,
    recipe: Quoted,
    stage_path: Quoted,
    site: Site,
    source: ModelSource,
    /// Whether the weights are below the stage path.
    weights_are_staged: bool,
    weights_folder: Quoted,
    weights_bytes: u64,
    weights_files: Vec<Quoted>,
    /// What is not fetched of a repository.
    exclude: Vec<Quoted>,
    engine: Option<EngineOnNgc>,
    engine_link: Quoted,
    /// The GPUs of all nodes.
    gpus: u32,
}

struct EngineOnNgc {
    target: Quoted,
    folder: Quoted,
    bytes: u64,
    files: Vec<Quoted>,
}

impl PrepareModels {
    pub(crate) fn new(recipe: &Recipe, settings: &Settings) -> Self {
        let model = &recipe.model;
        let weights = &model.weights;
        Self {
            made_by: quoted(MADE_BY),
            recipe: quoted(&recipe.name),
            stage_path: stage_path(settings),
            site: Site::new(settings, ScriptKind::PrepareModels),
            source: weights.source.clone(),
            weights_are_staged: weights.are_staged(),
            weights_folder: quoted(weights.folder()),
            weights_bytes: weights.size.bytes(),
            weights_files: packed(all_quoted(weights.files_to_find())),
            exclude: all_quoted(&weights.exclude),
            engine: model.engine.as_ref().map(EngineOnNgc::new),
            engine_link: quoted(ENGINE_LINK),
            gpus: recipe.server.total_gpus(),
        }
    }
}

impl EngineOnNgc {
    fn new(engine: &Engine) -> Self {
        Self {
            target: quoted(&engine.ngc),
            folder: quoted(engine.ngc.folder()),
            bytes: engine.size.bytes(),
            files: all_quoted(&engine.files),
        }
    }
}
