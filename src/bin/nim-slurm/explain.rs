//! `explain`: where each option of each script was given.

use clap::Args;
use nim_slurm::{Plan, ScriptKind};
use serde_json::json;

use crate::inputs::Inputs;
use crate::output::{Failure, print, print_json};
use crate::render::note_all;

/// Print each option of each script, where it was given, and which variable would override it
///
/// Given on the command line, in a variable (SBATCH_...), in a line of the settings, or by the recipe; "by default" is what
/// the scripts always say. What is further left here wins.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,

    /// Print {"schema": 1, "options": [{"script", "option", "is_omitted", "origin", "overridden_by"}]}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.inputs.plan()?;
    note_all(&plan);
    if arguments.json {
        print_json(&as_json(&plan))
    } else {
        print(&as_text(&plan))
    }
}

fn as_text(plan: &Plan) -> String {
    let mut text = String::new();
    for kind in ScriptKind::ALL {
        text.push_str(&format!("{}:\n", kind.file_name()));
        for option in plan.explain(kind, std::env::vars_os()) {
            text.push_str(&format!("  {option}\n"));
        }
    }
    text
}

fn as_json(plan: &Plan) -> serde_json::Value {
    let of_script = |kind: ScriptKind| {
        let options = plan.explain(kind, std::env::vars_os()).into_iter();
        options.map(move |own| {
            json!({
                "script": kind.key(),
                "option": own.option,
                "is_omitted": own.is_omitted,
                "origin": own.origin,
                "overridden_by": own.overridden_by,
            })
        })
    };
    let options: Vec<_> = ScriptKind::ALL.into_iter().flat_map(of_script).collect();
    json!({ "schema": 1, "options": options })
}
