//! The options of a script, from all who say something of them.

use super::problem::Problem;
use crate::job_options::ScriptKind;
use crate::recipe::Recipe;
use crate::settings::{Origin, Settings};
use crate::slurm::{Array, Directives, OptionName};

/// What is said of the options of one script, and by whom.
pub(crate) struct Layers<'a> {
    given: [(Origin<'a>, &'a Directives); 5],
    /// What the cluster makes of the recipe's needs. It gives way, as the recipe does.
    cluster: Directives,
    cluster_origin: Origin<'a>,
    /// What the recipe says, over what the script itself needs.
    recipe: Directives,
    /// Options that the script needs and of which the recipe says nothing.
    script: Vec<OptionName>,
}

impl<'a> Layers<'a> {
    pub(super) fn new(recipe: &Recipe, settings: &'a Settings, kind: ScriptKind) -> Self {
        let own = recipe
            .slurm
            .script(kind)
            .clone()
            .with_fallback(&recipe.slurm.all);
        let cluster = match kind {
            ScriptKind::Launch => settings
                .cluster()
                .launch(recipe.server.gpus_per_node(), &own),
            ScriptKind::Setup | ScriptKind::PrepareModels => Directives::new(),
        };
        let script = needed(recipe, kind);
        // How many nodes is the recipe's word in any case: its server's.
        let says = |name: &OptionName| {
            *name == OptionName::Nodes || own.is_set(*name) || own.is_omitted(*name)
        };
        Self {
            given: settings.layers(kind),
            cluster,
            cluster_origin: settings.cluster_origin(),
            script: script.names().filter(|name| !says(name)).collect(),
            recipe: own.with_fallback(&script),
        }
    }

    /// The uppermost layer that says something of this option.
    pub(crate) fn origin_of(&self, name: OptionName) -> Origin<'a> {
        let says = |directives: &Directives| directives.is_set(name) || directives.is_omitted(name);
        let given = self.given.iter().find(|(_, directives)| says(directives));
        match given {
            Some(&(origin, _)) => origin,
            None if says(&self.cluster) => self.cluster_origin,
            None if self.script.contains(&name) => Origin::Script,
            None => Origin::Recipe,
        }
    }

    /// Whether the uppermost layer of the settings that says something of this option sets it.
    pub(super) fn settings_set(&self, name: OptionName) -> bool {
        let mut given = self.given.iter().map(|(_, directives)| directives);
        given
            .find(|own| own.is_set(name) || own.is_omitted(name))
            .is_some_and(|own| own.is_set(name))
    }

    pub(super) fn describe(&self, name: OptionName) -> String {
        self.origin_of(name).describe(name)
    }
}

/// What a script needs in order to work, whatever the recipe: as many nodes as the server
/// runs on, a warning before its time is up, and the output of the run before a requeue.
fn needed(recipe: &Recipe, kind: ScriptKind) -> Directives {
    let mut own = Directives::new();
    if kind == ScriptKind::Launch {
        let nodes = recipe.server.nodes.to_string();
        for (name, text) in [
            (OptionName::Nodes, nodes.as_str()),
            (OptionName::Signal, "B:USR1@30"),
            (OptionName::OpenMode, "append"),
        ] {
            // More nodes than Slurm counts are told as a problem of the recipe.
            let _ = own.set(name, text);
        }
    }
    own
}

/// The options of one script from all layers.
pub(super) fn merge(
    recipe: &Recipe,
    settings: &Settings,
    kind: ScriptKind,
    problems: &mut Vec<Problem>,
) -> Directives {
    let layers = Layers::new(recipe, settings, kind);
    let given = layers
        .given
        .iter()
        .fold(Directives::new(), |upper, (_, lower)| {
            let lower = lower.below(&upper);
            upper.with_fallback(&lower)
        });
    // The recipe's part gives way to what excludes it.
    let mut below = layers.cluster.clone().with_fallback(&layers.recipe);
    for conflict in given.clone().with_fallback(&below).exclusions() {
        for name in [conflict.first, conflict.second] {
            if !given.is_set(name) {
                below = below.without(name);
            }
        }
    }
    let exclusions = given.exclusions();
    let merged = given.with_fallback(&below);
    let script = || kind.file_name().to_owned();
    let origin = |name| layers.describe(name);
    problems.extend(merged.refused().map(|(option, error)| Problem::Value {
        script: script(),
        option,
        origin: origin(option),
        reason: error.to_string(),
    }));
    for conflict in exclusions.into_iter().chain(merged.contradictions()) {
        problems.push(Problem::Conflict {
            script: script(),
            first: conflict.first,
            first_origin: origin(conflict.first),
            second: conflict.second,
            second_origin: origin(conflict.second),
            reason: conflict.reason.to_owned(),
        });
    }
    for need in merged.needs() {
        problems.push(Problem::MissingOption {
            script: script(),
            option: need.option,
            origin: origin(need.option),
            one_of: need.choices(),
        });
    }
    if let Some(release) = settings.cluster().slurm {
        problems.extend(
            merged
                .unknown_to(release)
                .into_iter()
                .map(|unknown| Problem::Release {
                    script: script(),
                    release,
                    option: unknown.option().to_owned(),
                    origin: origin(unknown.name()),
                    reason: unknown.reason().to_owned(),
                }),
        );
    }
    merged
}

/// Makes the launch job an array, if the recipe says so.
pub(super) fn with_array(
    launch: Directives,
    recipe: &Recipe,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> Directives {
    let Some(tasks) = recipe.task_count() else {
        return launch;
    };
    if let Some(array) = launch.get(OptionName::Array) {
        let layers = Layers::new(recipe, settings, ScriptKind::Launch);
        problems.push(Problem::ArrayTwice {
            array: format!("{}={array}", OptionName::Array),
            origin: layers.describe(OptionName::Array),
        });
    }
    if tasks == 0 {
        // The list that is empty is a problem of its own.
        return launch;
    }
    let given = recipe.sweep.array_limit.unwrap_or_default();
    let limit = recipe.sweep.array_limit.map(|limit| format!("%{limit}"));
    let range = format!("0-{}{}", tasks - 1, limit.unwrap_or_default());
    match Array::parse(&range) {
        Ok(array) => return launch.array(array),
        // That it is 0 is told with the recipe's other numbers.
        Err(_) if given == 0 => {}
        Err(_) => problems.push(Problem::Number {
            key: "sweep.array_limit",
            given,
            allowed: "at most 2147483646 is allowed",
        }),
    }
    launch
}
