//! The values of `templates/setup.sh`.

use askama::Template;

use super::MADE_BY;
use super::site::{Site, stage_path};
use crate::container::Runtime;
use crate::job_options::ScriptKind;
use crate::recipe::Recipe;
use crate::script::images::{ImageSource, image_sources};
use crate::settings::Settings;
use crate::shell::{Quoted, quoted};

#[derive(Template)]
#[template(path = "setup.sh")]
pub(crate) struct Setup {
    made_by: Quoted,
    recipe: Quoted,
    stage_path: Quoted,
    site: Site,
    runtime: Runtime,
    pub(crate) images: Vec<ImageSource>,
}

impl Setup {
    pub(crate) fn new(recipe: &Recipe, settings: &Settings) -> Self {
        Self {
            made_by: quoted(MADE_BY),
            recipe: quoted(&recipe.name),
            stage_path: stage_path(settings),
            site: Site::new(settings, ScriptKind::Setup),
            runtime: settings.runtime(),
            images: image_sources(recipe, settings),
        }
    }
}
