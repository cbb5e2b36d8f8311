//! launch.sh has one path for one server and for many: what differs as text is the runtime
//! and the blocks that a plan has or has not; all else is values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{ArrayBy, ClientTool, ReplicaUse, Variant};
use nim_slurm::{Plan, Recipe, Settings};

/// A change of a recipe.
type Change = fn(&mut Recipe);

const SERVERS: [Change; 4] = [
    |_| {},
    |recipe| recipe.server.nodes = 2,
    |recipe| recipe.server.replicas = 2,
    |recipe| {
        recipe.server.replicas = 2;
        recipe.sweep.replicas = ReplicaUse::Together;
    },
];

const ARRAYS: [Change; 5] = [
    |_| {},
    |recipe| recipe.sweep.array = Some(ArrayBy::UseCase),
    |recipe| recipe.sweep.array = Some(ArrayBy::Point),
    |recipe| {
        let names = ["one", "two"].map(|name| Variant::new(name.parse().unwrap()));
        recipe.server.variants = names.into();
        recipe.sweep.array = Some(ArrayBy::Server);
    },
    |recipe| recipe.server.variants = vec![Variant::new("one".parse().unwrap())],
];

const TOOLS: [Change; 4] = [
    |_| {},
    |recipe| recipe.client.tool = ClientTool::GenaiPerf("24.05".parse().unwrap()),
    |recipe| recipe.client.tool = ClientTool::GenaiPerf("25.12".parse().unwrap()),
    |recipe| recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap()),
];

/// launch.sh but for its options and its settings.
fn body(launch: &str) -> &str {
    let (_, rest) = launch.split_once("\n# ---- Common ground -").unwrap();
    rest
}

#[test]
fn few_texts() {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut plans = 0;
    for name in Recipe::BUILT_IN {
        for runtime in [Runtime::Pyxis, Runtime::Apptainer, Runtime::Podman] {
            for (server, change_server) in SERVERS.iter().enumerate() {
                for (array, change_array) in ARRAYS.iter().enumerate() {
                    for (tool, change_tool) in TOOLS.iter().enumerate() {
                        let mut recipe = Recipe::built_in(name).unwrap();
                        change_server(&mut recipe);
                        change_array(&mut recipe);
                        change_tool(&mut recipe);
                        let settings = Settings::new().with_runtime(runtime);
                        // Not all can be had together, as several servers on several nodes.
                        let Ok(plan) = Plan::new(recipe, settings) else {
                            continue;
                        };
                        plans += 1;
                        let of = texts.entry(body(plan.launch().text()).to_owned());
                        of.or_default()
                            .push(format!("{name} {runtime:?} {server} {array} {tool}"));
                    }
                }
            }
        }
    }
    assert!(plans > 500, "only {plans} plans");
    let texts: Vec<_> = texts.values().map(|plans| &plans[0]).collect();
    assert!(texts.len() <= 6, "{texts:#?}");
}

/// The templates that a file includes, and itself.
fn with_parts(file: &str, found: &mut BTreeSet<String>) {
    if !found.insert(file.to_owned()) {
        return;
    }
    let text = fs::read_to_string(Path::new("templates").join(file)).unwrap();
    for rest in text.split("include \"").skip(1) {
        with_parts(rest.split('"').next().unwrap(), found);
    }
}

#[test]
fn few_tags() {
    let mut parts = BTreeSet::new();
    with_parts("launch.sh", &mut parts);
    assert!(parts.len() > 15, "{parts:#?}");
    let mut tags = Vec::new();
    for part in &parts {
        let text = fs::read_to_string(Path::new("templates").join(part)).unwrap();
        // Values enter at the top.
        let is_value = part.ends_with("settings.sh") || part.ends_with("made_by.sh");
        for line in text
            .lines()
            .filter(|line| line.contains("{%") && !line.contains(" include "))
        {
            if !is_value {
                tags.push(format!("{part}: {line}"));
            }
        }
        assert!(is_value || !text.contains("{{"), "{part} has a value");
    }
    assert!(tags.len() <= 29, "{tags:#?}");
    let client = fs::read_to_string("templates/launch/client.sh").unwrap();
    assert!(!client.contains("{%") && !client.contains("{{"));
}

/// An administrator reads it before its first run.
#[test]
fn few_lines() {
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
    let lines = plan.launch().text().lines().count();
    assert!(
        lines <= MOST_LINES,
        "the default launch.sh has {lines} lines, {MOST_LINES} are allowed: take out as many as came in"
    );
}

const MOST_LINES: usize = 1_509;
