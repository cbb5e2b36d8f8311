//! `recipes`: what can be run without a file of one's own.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use nim_slurm::Recipe;
use nim_slurm::recipe::{ModelSource, Server};
use serde_json::json;

use crate::output::{Failure, print, print_json};

/// List the built-in recipes, or show one with the comments that explain its keys
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,

    /// Print {"schema": 1, "recipes": [{"name", "gpus", "nodes", "image", "model"}]}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// List the built-in recipes
    List {
        /// Print {"schema": 1, "recipes": [{"name", "gpus", "nodes", "image", "model"}]}
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Print a recipe's TOML: change it, and hand it over with --recipe FILE
    Show {
        #[arg(value_parser = PossibleValuesParser::new(Recipe::BUILT_IN))]
        name: Option<String>,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        Some(What::Show { name: None }) => Err(Failure::Input(
            format!("name one of them: {}", Recipe::BUILT_IN.join(", ")).into(),
        )),
        Some(What::Show { name: Some(name) }) => {
            print(Recipe::built_in_toml(name).expect("clap checked it"))
        }
        Some(What::List { json: true }) => print_json(&as_json()),
        _ if arguments.json => print_json(&as_json()),
        _ => print(&as_table()),
    }
}

fn built_in() -> impl Iterator<Item = Recipe> {
    let names = Recipe::BUILT_IN.iter();
    names.filter_map(|name| Recipe::built_in(name))
}

fn model(recipe: &Recipe) -> String {
    match &recipe.model.weights.source {
        ModelSource::Ngc(model) => model.to_string(),
        ModelSource::HuggingFace(model) => model.to_string(),
        ModelSource::Path(path) => path.to_string(),
        _ => String::new(),
    }
}

fn as_json() -> serde_json::Value {
    let recipes: Vec<_> = built_in()
        .map(|recipe| {
            json!({
                "name": recipe.name.as_str(),
                "gpus": recipe.server.total_gpus(),
                "nodes": recipe.server.nodes,
                "image": recipe.server.image.to_string(),
                "model": model(&recipe),
            })
        })
        .collect();
    json!({ "schema": 1, "recipes": recipes })
}

fn as_table() -> String {
    let width = Recipe::BUILT_IN.iter().map(|name| name.len()).max();
    let width = width.unwrap_or_default();
    let lines = built_in().map(|recipe| {
        let Server {
            nodes, gpus, image, ..
        } = &recipe.server;
        let gpus = match nodes {
            1 => gpus.to_string(),
            nodes => format!("{nodes} x {gpus}"),
        };
        format!("{:width$}  {gpus:>5} GPUs  {image}\n", recipe.name.as_str())
    });
    lines.collect()
}
