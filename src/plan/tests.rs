use std::collections::HashSet;

use super::problem::Problem;
use super::*;
use crate::recipe::{
    ArrayBy, ClientTool, ModelSource, PrefixCache, ReplicaUse, Search, Server, UseCase, Variant,
    Word,
};

#[test]
fn folders_of_points() {
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap();
    let folders = plan.point_folders(None, "4711-3");
    assert_eq!(folders.len(), plan.points().len());
    assert_eq!(folders[0], "llama-3-70b-instruct_4_100_chat_128_128_4711-3");
}

/// launch.sh names the folders as the plan does.
#[test]
fn bash_names_the_same_folders() {
    let mut shared = Recipe::llama3_70b_h100x4_fp8();
    shared.server.replicas = 2;
    let built_in = Recipe::BUILT_IN.iter();
    let mut recipes: Vec<_> = built_in
        .map(|name| Recipe::built_in(name).unwrap())
        .collect();
    recipes.push(shared);
    let mut repeated = Recipe::llama3_70b_h100x4_fp8();
    repeated.sweep.repeat = 12;
    recipes.push(repeated);
    let length = "{ name = 'chat', input = '128s20', output = 128, request_rate = [0.25, 4] }";
    let mut loaded = loaded("25.01", &format!("'chat:128/128', {length}"));
    loaded.sweep.repeat = 2;
    recipes.push(loaded);
    for recipe in recipes {
        let plan = Plan::new(recipe, Settings::new()).unwrap();
        let launch = plan.launch();
        // The values that the function reads, from the script's settings.
        let is_value = |line: &&str| {
            [
                "nodes=",
                "replicas=",
                "replica_use=",
                "gpus_of_a_node=",
                "gpus=",
            ]
            .iter()
            .any(|name| {
                line.strip_prefix("readonly ")
                    .is_some_and(|it| it.starts_with(name))
            }) || line.starts_with("result_name=")
        };
        let values: Vec<_> = launch.text().lines().filter(is_value).collect();
        assert_eq!(values.len(), 6, "{values:?}");
        let program = format!(
            "{}\njob_id=4711-3 runs=(4711-3) results=/nowhere\ncounts() {{ false; }}\npoints=(\"$@\")\nsource templates/launch/points.sh\n\
             name_points; printf '%s\\n' \"${{folders[@]}}\"",
            values.join("\n")
        );
        let output = std::process::Command::new("bash")
            .args(["-uc", &program, "bash"])
            .args(plan.recipe().point_rows())
            .output()
            .unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        let folders: Vec<_> = words.lines().collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(folders, plan.point_folders(None, "4711-3"), "{errors}");
    }
}

/// The built-in recipe as an array.
fn array_by(by: ArrayBy) -> Recipe {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep.array = Some(by);
    if by == ArrayBy::Server {
        recipe.server.variants = ["a", "b-2", "c"]
            .map(|name| toml::from_str(&format!("name = '{name}'")).unwrap())
            .into();
    }
    recipe
}

#[test]
fn each_task_has_its_part() {
    for (by, array, task, first) in [
        (
            ArrayBy::UseCase,
            "0-1",
            1,
            "llama-3-70b-instruct_4_100_summarization_4096_512_9-1",
        ),
        (
            ArrayBy::Point,
            "0-7",
            2,
            "llama-3-70b-instruct_4_50_chat_128_128_9-2",
        ),
        (
            ArrayBy::Server,
            "0-2",
            1,
            "llama-3-70b-instruct-b-2_4_100_chat_128_128_9-1",
        ),
    ] {
        let plan = Plan::new(array_by(by), Settings::new()).unwrap();
        let given = plan.directives(ScriptKind::Launch).get(OptionName::Array);
        assert_eq!(given.as_deref(), Some(array));
        let tasks = plan.tasks().unwrap();
        let folders = plan.point_folders(Some(task), &format!("9-{task}"));
        assert_eq!(folders[0], first);
        let all: Vec<_> = (0..tasks)
            .flat_map(|task| plan.point_folders(Some(task), "9"))
            .collect();
        let variants = if by == ArrayBy::Server { tasks } else { 1 };
        assert_eq!(all.len(), variants * plan.points().len());
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(plan.point_folders(Some(tasks), "9"), [""; 0]);
        // The other jobs stay what they are.
        assert_eq!(
            plan.directives(ScriptKind::Setup).get(OptionName::Array),
            None
        );
    }
}

#[test]
fn a_task_has_all_repeats_of_its_point() {
    let mut recipe = array_by(ArrayBy::Point);
    recipe.sweep.repeat = 3;
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    assert_eq!(plan.tasks(), Some(8));
    assert_eq!(
        plan.point_folders(Some(2), "9-2"),
        ["", "_r2", "_r3"]
            .map(|again| format!("llama-3-70b-instruct_4_50_chat_128_128{again}_9-2"))
    );
}

/// One job, so no array; a round of each variant, then the next one.
#[test]
fn variants_take_turns() {
    let mut recipe = array_by(ArrayBy::Server);
    recipe.sweep.array = None;
    recipe.sweep.repeat = 2;
    recipe.sweep.concurrency = vec![1];
    let plan = Plan::new(recipe, Settings::new()).unwrap();
    assert_eq!((plan.tasks(), plan.turns()), (None, Some(6)));
    let launch = plan.directives(ScriptKind::Launch);
    assert_eq!(launch.get(OptionName::Array), None);
    let first: Vec<_> = (0..6)
        .map(|turn| plan.point_folders(Some(turn), &format!("9-{turn}"))[0].clone())
        .collect();
    let expected =
        ["a", "b-2", "c"].map(|name| format!("llama-3-70b-instruct-{name}_4_1_chat_128_128"));
    let expected: Vec<_> = ["", "_r2"]
        .iter()
        .flat_map(|again| expected.iter().map(move |name| format!("{name}{again}")))
        .enumerate()
        .map(|(turn, name)| format!("{name}_9-{turn}"))
        .collect();
    assert_eq!(first, expected);
    let summarization = plan.point_folders(Some(0), "9-0").len();
    assert_eq!(summarization, 2, "both use cases in each turn");
}

#[test]
fn a_recipe_keeps_all_that_it_says() {
    for by in [ArrayBy::UseCase, ArrayBy::Point, ArrayBy::Server] {
        let mut recipe = array_by(by);
        recipe.sweep.array_limit = Some(3);
        recipe.sweep.repeat = 4;
        recipe.server.replicas = 2;
        recipe.sweep.replicas = ReplicaUse::Together;
        if let Some(variant) = recipe.server.variants.first_mut() {
            variant.command = vec!["--note=it's {port}".parse().unwrap()];
            let variable = ("NOTE".parse().unwrap(), "\n".parse().unwrap());
            variant.environment = [variable].into();
        }
        let text = recipe.to_toml();
        assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
    }
    let error = Recipe::from_toml(
        &array_by(ArrayBy::Point)
            .to_toml()
            .replace("\"point\"", "\"node\""),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("unknown word \"node\": allowed are use_case, point, server"),
        "{error}"
    );
}

#[test]
fn arrays_that_are_refused() {
    let limit = |recipe: &mut Recipe| recipe.sweep.array_limit = Some(2);
    assert_eq!(
        refusal(limit, ""),
        "the recipe's sweep.array_limit is 2, but there is no array: sweep.array is needed"
    );
    let by = |by| move |recipe: &mut Recipe| *recipe = array_by(by);
    assert_eq!(
        refusal(by(ArrayBy::UseCase), "slurm.launch.array = '0-3%2'"),
        "launch.sh gets --array from the recipe's sweep.array, and --array=0-3%2 ([slurm.launch] of the settings): \
         leave one of them out, and limit the tasks that run at once with sweep.array_limit"
    );
    let without_variants = |recipe: &mut Recipe| recipe.sweep.array = Some(ArrayBy::Server);
    assert_eq!(
        refusal(without_variants, ""),
        "the recipe has 0 server.variants, and its sweep.array is \"server\": with \"server\" there must be at least one, \
         with \"use_case\" and \"point\" none; without sweep.array, variants take turns in one job"
    );
    let variants_by_point = |recipe: &mut Recipe| {
        by(ArrayBy::Server)(recipe);
        recipe.sweep.array = Some(ArrayBy::Point);
    };
    assert!(
        refusal(variants_by_point, "").starts_with(
            "the recipe has 3 server.variants, and its sweep.array is \"point\": with"
        )
    );
    let twice = |recipe: &mut Recipe| {
        by(ArrayBy::Server)(recipe);
        recipe.server.variants[2].name = "a".parse().unwrap();
    };
    assert_eq!(
        refusal(twice, ""),
        "the recipe's server.variants has a twice: once is enough"
    );
    let long = |recipe: &mut Recipe| {
        by(ArrayBy::Server)(recipe);
        recipe.server.variants.truncate(1);
        recipe.result_name = Some("m".repeat(149).parse().unwrap());
    };
    let refused = refusal(long, "");
    assert!(
        refused.starts_with("the results of the recipe's server.variants a have no name: "),
        "{refused}"
    );
    // What is refused of the server is refused of a variant.
    let unsafe_variant = |recipe: &mut Recipe| {
        by(ArrayBy::Server)(recipe);
        let variant = &mut recipe.server.variants[0];
        variant.command = ["-tp", "3"].map(|word| word.parse().unwrap()).into();
        let gpus = (
            "CUDA_VISIBLE_DEVICES".parse().unwrap(),
            "0".parse().unwrap(),
        );
        variant.environment = [gpus].into();
    };
    let refused = refusal(unsafe_variant, "");
    assert!(
        refused.contains("command says -tp 3, but server.gpus is 4"),
        "{refused}"
    );
    assert!(
        refused.contains(
            "the recipe's server.environment has CUDA_VISIBLE_DEVICES, which Slurm and server.replicas decide: leave it out, \
             and say in server.gpus how many GPUs the server uses"
        ),
        "{refused}"
    );
}

fn plan(settings: &str) -> Result<Plan, String> {
    let settings = Settings::from_toml(settings).unwrap();
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings);
    plan.map_err(|error| error.to_string())
}

#[test]
fn options_that_do_not_go_together_are_told_at_once() {
    let launch = "\
[slurm.launch]
nodelist = 'node[1-2],node4'
time = 30
time_min = 60
";
    assert_eq!(
        plan(launch).unwrap_err(),
        "launch.sh: --time-min ([slurm.launch] of the settings) and --time ([slurm.launch] of the settings) exclude \
         each other: the least time is longer than the limit\n\
         launch.sh: --nodelist ([slurm.launch] of the settings) and --nodes (the recipe) exclude each other: more \
         nodes are named than asked for"
    );
    let memory = "slurm = { setup = { mem_per_gpu = '10G' } }";
    assert_eq!(
        plan(memory).unwrap_err(),
        "setup.sh: --mem-per-gpu ([slurm.setup] of the settings) needs --gres or --gpus-per-node or --gpus or \
         --gpus-per-task or --gpus-per-socket or --tres-per-task"
    );
    let nodes = "slurm = { launch = { nodes = false, nodelist = 'node[1-2]' } }";
    assert!(
        plan(nodes)
            .unwrap_err()
            .contains("launch.sh asks for 2 nodes")
    );
}

/// Keys and places reach the scripts, whatever the submitting shell has sbatch keep.
#[test]
fn a_variable_does_not_keep_others_from_a_script() {
    let launch = ScriptKind::Launch;
    let repeated = |settings: &str, text: &str| {
        let plan = Plan::new(
            Recipe::llama3_70b_h100x4_fp8(),
            Settings::from_toml(settings).unwrap(),
        );
        let plan = plan.unwrap();
        let variables = [("SBATCH_EXPORT", text)];
        let told = plan.explain(launch, variables);
        let told = told.iter().filter(|told| told.overridden_by.is_some());
        let told: Vec<_> = told.map(ToString::to_string).collect();
        (plan.options_to_repeat(launch, variables), told)
    };
    let row = |option: &str, origin: &str| {
        let told = format!("{option} ({origin}); SBATCH_EXPORT would override it");
        (vec![option.to_owned()], vec![told])
    };
    for text in ["NONE", "", "KEY=value"] {
        assert_eq!(repeated("", text), row("--export=ALL", "sbatch's default"));
    }
    assert_eq!(
        repeated("slurm.export = 'HOME'", "NONE"),
        row("--export=HOME", "line 1 of the settings, [slurm]")
    );
    for text in ["ALL", "FOO=1,all"] {
        assert_eq!(repeated("", text), (vec![], vec![]));
    }
    // It is left to the variable.
    assert_eq!(repeated("slurm.export = false", "NONE").0, [""; 0]);
}

/// What is refused of the built-in recipe after a change.
fn refusal(change: impl FnOnce(&mut Recipe), settings: &str) -> String {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    change(&mut recipe);
    let settings = Settings::from_toml(settings).unwrap();
    Plan::new(recipe, settings).unwrap_err().to_string()
}

#[test]
fn numbers_of_one() {
    let settings = "[slurm.launch]\ngres = 'gpu:1'\n";
    assert_eq!(
        refusal(|_| {}, settings),
        "launch.sh asks for 1 GPU with --gres ([slurm.launch] of the settings), but the recipe's server uses 4: ask for 4 at least"
    );
    for (too_few, option) in [
        ("gpus_per_task = 1\nntasks = 3", "--gpus-per-task"),
        ("gpus_per_task = 3\nnodes = 1", "--gpus-per-task"),
        (
            "gpus_per_socket = 3\nsockets_per_node = 1",
            "--gpus-per-socket",
        ),
        (
            "gpus_per_socket = 3\nextra_node_info = '1:8'",
            "--gpus-per-socket",
        ),
    ] {
        let settings = format!("[slurm.launch]\nexclusive = false\n{too_few}");
        let told = format!(
            "launch.sh asks for 3 GPUs with {option} ([slurm.launch] of the settings), but the recipe's server uses 4: ask for 4 at least"
        );
        assert_eq!(refusal(|_| {}, &settings), told, "{too_few}");
        let settings = Settings::from_toml(&settings.replace('3', "4")).unwrap();
        Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
    }
    let on_nodes = |recipe: &mut Recipe| {
        recipe.model.engine = None;
        recipe.server.nodes = 2;
    };
    assert_eq!(
        refusal(on_nodes, "slurm.launch.nodes = 1"),
        "launch.sh asks for 1 node ([slurm.launch] of the settings), but the recipe's server runs on 2: nodes = 2 is \
         allowed"
    );
}

/// Slurm would give other nodes or GPUs than a server on several nodes needs, and tell it when the job starts.
#[test]
fn what_a_server_on_several_nodes_needs() {
    let said = |nodes: u32, launch: &str| {
        let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
        recipe.server.nodes = nodes;
        recipe.slurm.launch = Directives::new();
        let settings = Settings::from_toml(&format!("[slurm.launch]\n{launch}")).unwrap();
        Plan::new(recipe, settings).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let origin = "([slurm.launch] of the settings)";
    let batch = "constraint = 'a&b'\nbatch = 'a'";
    assert_eq!(
        said(3, &format!("ntasks = 1\n{batch}\ngpus = 'h100:12'")),
        format!(
            "launch.sh: --nodes (the recipe) and --ntasks {origin} exclude each other: a job gets no more nodes than tasks, so give as many tasks as nodes, or leave one of the two out\n\
             launch.sh asks for --gpus=h100:12 {origin}, which Slurm may split unevenly over the 3 nodes of the recipe's \
             server: say how many each node gets, as in gres = 'gpu:h100:4'\n\
             launch.sh asks for --batch=a {origin}, so it may not run on the first of the 3 nodes of the recipe's server, \
             where the leader is: leave it out (batch = false under [slurm.launch])"
        )
    );
    // Of too few GPUs in this way, too, it is told how to ask.
    let few = said(2, "gpus = 4");
    assert!(few.ends_with("as in gres = 'gpu:4'"), "{few}");
    assert_eq!(few.lines().count(), 1, "{few}");
    for fewer in ["ntasks = 2", "exclusive = 'user'\ngpus = 12"] {
        assert_ne!(said(3, fewer), "", "{fewer}");
    }
    for (nodes, launch) in [
        (3, "ntasks = 3\ngres = 'gpu:4'"),
        (3, "ntasks = 4\ngpus_per_node = 4"),
        (3, "exclusive = true\ngpus = 12"),
        (3, "ntasks_per_node = 1\nconstraint = 'a&b'"),
        (1, &format!("ntasks = 1\ngpus = 4\n{batch}")),
    ] {
        assert_eq!(said(nodes, launch), "", "{launch}");
    }
}

/// Where a model is that is there already is known without a stage path.
#[test]
fn a_mount_over_a_model_that_is_there() {
    let is_there = |recipe: &mut Recipe| {
        recipe.model.engine = None;
        recipe.model.weights.source = ModelSource::Path("/models/a".parse().unwrap());
    };
    for stage_path in ["", "stage_path = '/stage'\n"] {
        for mount in ["/models/a", "/models/a/", "/other:/models/a:ro"] {
            let refused = refusal(
                is_there,
                &format!("{stage_path}container.mounts = ['{mount}']"),
            );
            let end = " are both mounted at /models/a: each destination can be used once";
            assert!(
                refused.starts_with("the model and ") && refused.ends_with(end),
                "{refused}"
            );
            assert_eq!(refused.lines().count(), 1, "{refused}");
        }
    }
}

/// What all scripts have in common is told once, and what one of them has apart.
#[test]
fn problems_of_several_scripts() {
    let settings = "cluster.slurm = '23.11'\n[slurm]\nsegment = 2\n\
                    [slurm.launch]\nexclusive = 'topo'\nthread_spec = 1\ncore_spec = 1\n";
    assert_eq!(
        refusal(|_| {}, settings),
        "setup.sh, prepare_models.sh, launch.sh: Slurm 23.11 does not know --segment ([slurm] of the settings): it came \
         with 24.05\n\
         launch.sh: --core-spec ([slurm.launch] of the settings) and --thread-spec ([slurm.launch] of the settings) \
         exclude each other: Slurm keeps one number for both\n\
         launch.sh: Slurm 23.11 does not know --exclusive=topo ([slurm.launch] of the settings): it came with 24.05"
    );
}

/// In Rust, numbers are checked when the whole is.
#[test]
fn numbers_that_are_none() {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8().with_concurrency([0, 1, 8]);
    recipe.server = recipe
        .server
        .with_nodes(0)
        .with_replicas(0)
        .with_port(0)
        .with_ready_timeout(0)
        .with_probe_interval(0)
        .with_stop_timeout(0);
    recipe.server.gpus = 0;
    recipe.sweep = recipe
        .sweep
        .with_requests_per_concurrency(0)
        .with_min_requests(0)
        .with_point_timeout(0)
        .with_array(ArrayBy::Point)
        .with_array_limit(0);
    let slurm = Directives::new().ntasks(0).gpus_per_node(i32::MAX);
    let own = Directives::new().cpus_per_task(65_540).nodes(0);
    let settings = Settings::new()
        .with_slurm(slurm)
        .with_script_slurm(ScriptKind::Launch, own);
    let error = Plan::new(recipe, settings).unwrap_err().to_string();
    let keys = [
        "server.nodes",
        "server.gpus",
        "server.replicas",
        "server.port",
        "server.ready_timeout",
        "server.probe_interval",
        "server.stop_timeout",
        "sweep.requests_per_concurrency",
        "sweep.min_requests",
        "sweep.point_timeout",
        "sweep.array_limit",
        "sweep.concurrency",
    ];
    let zeros = keys.map(|key| format!("the recipe's {key} is 0: it must be at least 1\n"));
    assert_eq!(
        error,
        zeros.concat()
            + "setup.sh, prepare_models.sh, launch.sh: --ntasks (Rust code): cannot take \"0\" as count: it must be \
               at least 1\n\
               setup.sh, prepare_models.sh, launch.sh: --gpus-per-node (Rust code): cannot take \"2147483647\" as \
               number of GPUs: it is too large: at most 2147483646 is allowed\n\
               launch.sh: --nodes (Rust code): cannot take \"0\" as node count: it must be at least 1\n\
               launch.sh: --cpus-per-task (Rust code): cannot take \"65540\" as count: numbers from 1 to 65533 are \
               allowed"
    );
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep = recipe
        .sweep
        .with_array(ArrayBy::Point)
        .with_array_limit(u32::MAX);
    assert_eq!(
        Plan::new(recipe, Settings::new()).unwrap_err().to_string(),
        "the recipe's sweep.array_limit is 4294967295: at most 2147483646 is allowed"
    );
}

#[test]
fn servers_side_by_side() {
    let replicas = |number: u32| move |recipe: &mut Recipe| recipe.server.replicas = number;
    assert_eq!(
        refusal(replicas(2), "slurm.launch.gres = 'gpu:4'"),
        "launch.sh asks for 4 GPUs with --gres ([slurm.launch] of the settings), but the recipe's 2 servers use 8: ask for 8 at least"
    );
    assert_eq!(
        refusal(replicas(1), "slurm.launch.gres = 'gpu:2'"),
        "launch.sh asks for 2 GPUs with --gres ([slurm.launch] of the settings), but the recipe's server uses 4: ask for 4 at least"
    );
    let on_nodes = |recipe: &mut Recipe| {
        replicas(3)(recipe);
        recipe.server.nodes = 2;
        recipe.model.engine = None;
    };
    assert_eq!(
        refusal(on_nodes, "slurm.launch.nodes = 2"),
        "the recipe has 3 servers side by side, each on 2 nodes: with several servers, server.nodes = 1 is allowed"
    );
    let high = |recipe: &mut Recipe| {
        replicas(2)(recipe);
        recipe.server.port = 65_535;
    };
    assert_eq!(
        refusal(high, ""),
        "the recipe's 2 servers would listen on the ports from 65535 to 65536: 65535 is the last one"
    );
    let one_port = |recipe: &mut Recipe| {
        replicas(2)(recipe);
        recipe.server.environment.clear();
    };
    assert_eq!(
        refusal(one_port, ""),
        "the recipe's 2 servers do not get ports of their own: {port} is needed in server.command or \
         server.environment"
    );
    let alone = |recipe: &mut Recipe| recipe.sweep.replicas = ReplicaUse::Together;
    assert_eq!(
        refusal(alone, ""),
        "the recipe's sweep.replicas is \"together\", but it has one server: server.replicas must be 2 or more"
    );
    let most = |recipe: &mut Recipe| {
        replicas(2)(recipe);
        recipe.server.port = 65_534;
    };
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    most(&mut recipe);
    let settings = Settings::from_toml("slurm.launch.gres = 'gpu:8'").unwrap();
    assert!(Plan::new(recipe, settings).is_ok());
}

/// What a plan says of a server with these words behind the port, which its variant may add.
fn said_of(change: impl FnOnce(&mut Server), words: &str, variant: &str) -> String {
    let parse = |words: &str| Word::parse_all(words.split_whitespace()).unwrap();
    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    recipe.server.gpus = 8;
    recipe.server.command = parse(&format!(
        "vllm serve {{model_path}} --port {{port}} {words}"
    ));
    if !variant.is_empty() {
        let name = "a".parse().unwrap();
        recipe.server.variants = vec![Variant::new(name).with_command(parse(variant))];
    }
    change(&mut recipe.server);
    Plan::new(recipe, Settings::new()).map_or_else(|error| error.to_string(), |_| String::new())
}

/// All flags together say for how many GPUs the command is.
#[test]
fn a_model_is_split_and_repeated_over_the_gpus() {
    let on_one = |words: &str, variant: &str| said_of(|_| {}, words, variant);
    for words in [
        "--tensor-parallel-size 4 --pipeline-parallel-size 2",
        "--tensor_parallel_size=4 --data-parallel-size=2",
        "-tp 4 -pp 2",
        "-tp=2 -pp=2 -dp=2",
        "--tp-size 8 --dp-size 8 --enable-dp-attention",
        "--tp 2 --dp 4",
        "--tp_size 4 --pp_size 2 --ep_size 4",
        "--tp_size 4 --cp_size 2",
        "-tp 1 -dp {gpus}",
        "-tp 2 -dp $DP",
        "-pp 8",
    ] {
        assert_eq!(on_one(words, ""), "", "{words}");
    }
    assert_eq!(on_one("-tp {gpus}", "-tp 1 --data-parallel-size 8"), "");
    assert_eq!(
        on_one("--tensor-parallel-size 4 -pp 3", ""),
        "the recipe's server command says --tensor-parallel-size 4 -pp 3, which is for 12 GPUs, but server.gpus is 8: write \
         numbers whose product is 8"
    );
    assert_eq!(
        on_one("-tp 4 -pp 2", "-pp 1"),
        "the recipe's server command says -tp 4 -pp 1, which is for 4 GPUs, but server.gpus is 8: write numbers whose product \
         is 8"
    );
    assert_eq!(
        on_one("--tp_size 4", ""),
        "the recipe's server command says --tp_size 4, but server.gpus is 8: write --tp_size {gpus}"
    );
    assert!(on_one("-tp four -dp 2", "").contains("says -tp four, but"));
    let on_two = |words: &str| said_of(|server| server.nodes = 2, words, "");
    assert_eq!(on_two("-tp {gpus} -pp {nodes}"), "");
    assert_eq!(on_two("-tp 1 -dp 16"), "");
    assert!(
        on_two("-tp 4 -pp 3").ends_with("write numbers whose product is 8, or 16 for all nodes")
    );
}

#[test]
fn a_server_listens_where_the_job_asks() {
    let of_one = |words: &str| said_of(|_| {}, words, "");
    let told = "but server.port is 8000: write {port} in place of the number, or the same number as server.port";
    for (words, given) in [
        ("--port 9000", "--port 9000"),
        ("--port=9000", "--port 9000"),
        ("--server-port 9000", "--server-port 9000"),
    ] {
        let expected = format!("the recipe's server has {given}, {told}");
        assert_eq!(of_one(words), expected);
        assert_eq!(said_of(|_| {}, "", words), expected);
    }
    for words in [
        "--port 9000 --port 8000",
        "--port $PORT",
        "--port",
        "--port 6379 -- vllm serve",
    ] {
        assert_eq!(of_one(words), "");
    }
    let with = |name: &'static str, value: &'static str| {
        let (name, value) = (name.parse().unwrap(), value.parse().unwrap());
        said_of(
            |server| _ = server.environment.insert(name, value),
            "-tp 8",
            "",
        )
    };
    assert_eq!(
        with("NIM_SERVER_PORT", "9000"),
        format!("the recipe's server has NIM_SERVER_PORT=9000, {told}")
    );
    assert_eq!(with("MASTER_PORT", "50000"), "");
    // The second one has another port.
    let replicas = |server: &mut Server| server.replicas = 2;
    assert_eq!(
        said_of(replicas, "--port 8000", ""),
        "the recipe's server has --port 8000, but its 2 servers get ports from 8000 on: write {port} in place of the number"
    );
}

/// Variables are set in the container, behind srun and what it starts.
#[test]
fn variables_of_the_server_s_own_process() {
    for name in [
        "PATH",
        "HOME",
        "LD_LIBRARY_PATH",
        "SLURM_NTASKS",
        "BASH_ENV",
        "NVIDIA_VISIBLE_DEVICES",
    ] {
        let set = |server: &mut Server| {
            let value = "/opt".parse().unwrap();
            server.environment.insert(name.parse().unwrap(), value);
        };
        assert_eq!(said_of(set, "", ""), "", "{name}");
    }
}

/// The notes of a server, but for what it asks Slurm for.
fn notes_of(recipe: &str, settings: &str, change: impl Fn(&mut Recipe)) -> Vec<String> {
    let mut recipe = Recipe::built_in(recipe).unwrap();
    change(&mut recipe);
    let settings = Settings::from_toml(settings).unwrap();
    let plan = Plan::new(recipe, settings).unwrap_or_else(|error| panic!("{error}"));
    plan.notes()
}

#[test]
fn built_in_recipes_have_no_notes() {
    for name in Recipe::BUILT_IN {
        assert!(notes_of(name, "", |_| {}).is_empty(), "{name}");
    }
}

#[test]
fn nodes_that_nothing_joins() {
    let notes = |settings: &str, word: &str| {
        notes_of("llama3-3-70b-h100x4-vllm", settings, |recipe| {
            recipe.server.nodes = 2;
            recipe.server.command.push(word.parse().unwrap());
        })
    };
    assert_eq!(
        notes("", "--headless"),
        [
            "the server runs on 2 nodes, and nothing in its command or environment joins them: if the image does not do so \
          either, each node starts a server of its own, and the first alone is measured. Name {leader_address} and \
          {node_rank}, as deepseek-r1-h100x16-nim does, or write nodes = 1"
        ]
    );
    for word in [
        "--node-rank={node_rank}",
        "[ $SLURM_NODEID = 0 ]",
        "trtllm-llmapi-launch",
    ] {
        assert!(notes("", word).is_empty(), "{word}");
    }
}

#[test]
fn a_server_that_does_not_hear_of_its_port() {
    let notes = |port: u16, command: &str| {
        notes_of("llama3-3-70b-h100x4-vllm", "", |recipe| {
            recipe.server.port = port;
            recipe.server.command = Word::parse_all(command.split(' ')).unwrap();
            recipe.server.prefix_cache = PrefixCache::On;
        })
    };
    for (port, command, name, default) in [
        (9000, "vllm serve {model_path}", "vllm", 8000),
        (
            9000,
            "python3 -m vllm.entrypoints.openai.api_server",
            "vllm",
            8000,
        ),
        (8000, "python3 -m sglang.launch_server", "sglang", 30000),
        (
            8000,
            "/app/llama-server -m {model_path}",
            "llama-server",
            8080,
        ),
    ] {
        assert_eq!(
            notes(port, command),
            [format!(
                "nothing says the port to {name}, which then listens on {default}, and the job asks on {port}: add --port {{port}} to \
                 server.command"
            )]
        );
    }
    for (port, command) in [
        (8000, "vllm serve {model_path}"),
        (30000, "python3 -m sglang.launch_server"),
        (9000, "/opt/site/serve"),
        (9000, "vllm serve {model_path} --port 9000"),
    ] {
        assert!(notes(port, command).is_empty(), "{command}");
    }
}

#[test]
fn a_prefix_cache_that_is_said_to_be_off() {
    let notes = |command: &str, cache: PrefixCache| {
        notes_of("llama3-3-70b-h100x4-vllm", "", |recipe| {
            recipe.server.command = Word::parse_all(command.split(' ')).unwrap();
            recipe.server.prefix_cache = cache;
        })
    };
    let sglang = "python3 -m sglang.launch_server --port {port}";
    for (command, name, switch) in [
        (
            "vllm serve {model_path}",
            "vllm",
            "--no-enable-prefix-caching",
        ),
        (sglang, "sglang", "--disable-radix-cache"),
    ] {
        assert_eq!(
            notes(command, PrefixCache::Off),
            [format!(
                "server.prefix_cache is \"off\", and nothing switches off the one of {name}, which is on by default: add {switch} to \
                 server.command, or say \"on\" or \"flush\""
            )]
        );
        for without in [
            format!("{command} {switch}"),
            format!("{command} --config /data/own.yaml"),
        ] {
            assert!(notes(&without, PrefixCache::Off).is_empty(), "{without}");
        }
        assert!(notes(command, PrefixCache::On).is_empty(), "{command}");
    }
    let underscores = "vllm serve {model_path} --no_enable_prefix_caching";
    assert!(notes(underscores, PrefixCache::Off).is_empty());
    assert!(notes("/opt/site/serve", PrefixCache::Off).is_empty());
}

#[test]
fn a_folder_of_the_stage_path_that_no_container_sees() {
    let notes = |settings: &str, word: &str| {
        notes_of("llama3-3-70b-h100x4-vllm", settings, |recipe| {
            recipe.server.command.push(word.parse().unwrap());
        })
    };
    let told = |folder: &str| {
        vec![format!(
            "the server's command or environment has {{stage_path}}{folder}, which its container does not see: mount the folder with \
             mounts under [container] of the settings, as in mounts = [\"/data/loras:/loras:ro\"], and write /loras in the recipe"
        )]
    };
    let module = r#"{"name": "sql", "path": "{stage_path}/loras/sql"}"#;
    assert_eq!(notes("", module), told("/loras/sql"));
    let elsewhere = "stage_path = '/p'\ncontainer.mounts = ['/data:/data']";
    assert_eq!(notes(elsewhere, module), told("/loras/sql"));
    let mounted = "stage_path = '/p'\ncontainer.mounts = ['/p/loras:/p/loras']";
    assert!(notes(mounted, module).is_empty());
    for word in [
        "{stage_path}/nim_cache/a",
        "{stage_path}/Llama-3.3-70B-Instruct_6f6073b42301/a.jinja",
    ] {
        assert!(notes("", word).is_empty(), "{word}");
    }
}

#[test]
fn a_tool_of_another_image() {
    let notes = |tag: &str, release: &str| {
        notes_of("llama3-3-70b-h100x4-vllm", "", |recipe| {
            let image = format!("nvcr.io/nvidia/tritonserver:{tag}");
            recipe.client.image = image.parse().unwrap();
            recipe.client.tool = ClientTool::GenaiPerf(release.parse().unwrap());
        })
    };
    assert_eq!(
        notes("25.08-py3-sdk", "25.01"),
        [
            "the client's image nvcr.io/nvidia/tritonserver:25.08-py3-sdk has GenAI-Perf 0.0.16, and the recipe says 0.0.10 (SDK \
          25.01): write tool = { genai_perf = \"25.08\" }, or name the image of that release"
        ]
    );
    assert_eq!(notes("25.01-py3-sdk", "0.0.16").len(), 1);
    for (tag, release) in [
        ("25.01-py3-sdk", "0.0.10"),
        ("25.07-py3-sdk", "25.06"),
        ("26.01-py3-sdk", "25.12"),
        ("own", "25.01"),
    ] {
        assert!(notes(tag, release).is_empty(), "{tag}");
    }
}

#[test]
fn what_a_runtime_cannot_do() {
    let refused = "\
[srun]
mpi = 'pmix'
[container]
runtime = 'apptainer'
mounts = ['/data:/data:ro', 'tmpfs:/scratch', '/a:/b:noexec']
registries = { 'nvcr.io' = 'mirror' }
";
    let problems = plan(refused).unwrap_err();
    let lines: Vec<_> = problems.lines().collect();
    assert_eq!(
        lines[0],
        "[srun] mpi = \"pmix\" does not go together with [container] runtime = \"apptainer\": only pyxis hands srun's \
         MPI on into a container, so \"none\" is allowed"
    );
    assert!(lines[1].starts_with("apptainer cannot mount \"tmpfs:/scratch\": it makes no"));
    assert!(lines[2].starts_with("apptainer cannot mount \"/a:/b:noexec\": it has no flag"));
    assert!(lines[3].starts_with("apptainer reads \"mirror\" as a part of the image's path"));
    let same = refused.replace("apptainer", "pyxis");
    assert!(plan(&same).is_ok(), "pyxis can do all of it");
}

#[test]
fn mirrors() {
    let settings = |registries: &str| {
        let text = format!("container.registries = {{ {registries} }}");
        Settings::from_toml(&text).unwrap()
    };
    // vLLM's image names no registry, so it is Docker Hub's.
    let mirrored = |server: &str, registries: &str| {
        let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
        recipe.server.image = server.parse().unwrap();
        let plan = Plan::new(recipe, settings(registries)).unwrap();
        let setup = plan.setup().text().to_owned();
        let uris = setup.lines().filter(|line| line.contains("docker://"));
        let uris: Vec<_> = uris
            .map(|uri| uri.trim().trim_matches('\'').to_owned())
            .collect();
        uris[1].clone()
    };
    let hub = "'docker.io' = 'mirror.site:5000'";
    for server in ["vllm/x:1", "docker.io/vllm/x:1"] {
        assert_eq!(mirrored(server, hub), "docker://mirror.site:5000#vllm/x:1");
        let nvidia = "'nvcr.io' = 'mirror.site:5000'";
        assert_eq!(
            mirrored(server, nvidia),
            "docker://registry-1.docker.io#vllm/x:1",
            "as it is"
        );
    }
    assert_eq!(
        mirrored("x:1", hub),
        "docker://mirror.site:5000#library/x:1"
    );
    let other = "'registry-1.docker.io' = 'mirror'";
    assert_eq!(mirrored("vllm/x:1", other), "docker://mirror#vllm/x:1");

    // A site's file has mirrors for the images of all recipes.
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    Plan::new(recipe, settings("'ghcr.io' = 'm', 'nvcr.io' = 'm'")).unwrap();
}

#[test]
fn mpi_and_pyxis_s_release_are_for_pyxis() {
    // 0.10 does not know --container-writable.
    let settings = "cluster = { pyxis = '0.10' }\ncontainer = { runtime = 'podman' }";
    let plan = plan(settings).unwrap();
    assert_eq!(plan.settings().mpi().as_str(), "none");
    assert!(!plan.launch().text().contains("--container-"));
}

#[test]
fn options_that_go_together() {
    for launch in [
        "gres = 'gpu:a100:4,gpu:h100:4,nvme:1'",
        "gres = 'gpu:2,gpu:2'",
        "nodelist = 'node1'",
        "nodelist = 'node1,node1'",
        "time = 60\ntime_min = '01:00:00'",
        "time = 'UNLIMITED'\ntime_min = 60",
        "gres = 'gpu:8'\nmem_per_gpu = '10G'",
        "gpus_per_task = 4\nntasks = 1\nmem_per_gpu = '10G'",
    ] {
        let plan = plan(&format!("[slurm.launch]\n{launch}"));
        assert!(plan.is_ok(), "{launch}: {}", plan.unwrap_err());
    }
}

#[test]
fn the_server_s_time_to_be_ready_and_the_warning() {
    let is_short = |launch: &str| {
        let plan = plan(&format!("[slurm.launch]\n{launch}")).unwrap();
        plan.time_limit_warning().is_some()
    };
    assert!(is_short("time = 30"), "1800 s, and 30 s of warning");
    assert!(!is_short("time = 31"));
    assert!(!is_short("time = 30\nsignal = false"));
    assert!(is_short("time = 60\ntime_min = 30"));
    assert!(!is_short("time = 'UNLIMITED'"));
    assert!(!is_short("time = false"), "the site's default is not known");
}

#[test]
fn a_sweep_has_an_end() {
    let concurrency = |most| 1..=most;
    let sweep = |most| {
        let recipe = Recipe::llama3_70b_h100x4_fp8().with_concurrency(concurrency(most));
        Plan::new(recipe, Settings::new()).map_err(|error| error.to_string())
    };
    assert_eq!(sweep(500).unwrap().points().len(), 1000);
    assert_eq!(
        sweep(501).unwrap_err(),
        "the recipe's sweep has 1002 points, each use case at each concurrency: at most 1000 are allowed"
    );
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep.repeat = 126;
    assert_eq!(
        Plan::new(recipe, Settings::new()).unwrap_err().to_string(),
        "the recipe's sweep has 1008 points, each use case at each concurrency, 126 times: at most 1000 are allowed"
    );
}

#[test]
fn a_recipe_sets_resources_and_time_alone() {
    let minimal = include_str!("../../tests/data/recipes/llama-cpp.toml");
    let start = minimal.find("[slurm.setup]").unwrap();
    let with = |slurm: &str| Recipe::from_toml(&format!("{}{slurm}", &minimal[..start]));
    for (slurm, option) in [
        ("[slurm]\noutput = '/home/me/.bashrc'", "--output"),
        ("[slurm.launch]\nopen_mode = 'truncate'", "--open-mode"),
        ("[slurm.setup]\nmail_type = false", "--mail-type"),
        ("[slurm]\npassthrough = ['--new=1']", "--new"),
    ] {
        let error = with(slurm).unwrap_err().to_string();
        let words = format!("the recipe sets {option}, which is for settings and flags");
        assert!(error.contains(&words), "{error}");
    }
    // One that is built in Rust is refused by the plan.
    let mut recipe = with("[slurm.launch]\nmem = '16G'").unwrap();
    recipe.slurm.all = Directives::new().chdir("/home/me".parse().unwrap());
    let error = Plan::new(recipe, Settings::new()).unwrap_err();
    assert!(
        matches!(&error.problems()[0], Problem::NotForRecipes { option } if option == "--chdir"),
        "{error}"
    );
}

#[test]
fn launch_gets_what_it_needs_from_no_recipe() {
    let mut recipe = Recipe::built_in("deepseek-r1-h100x16-nim").unwrap();
    recipe.slurm = crate::JobOptions::default();
    let plan = Plan::new(recipe.clone(), Settings::new()).unwrap();
    let launch = plan.directives(ScriptKind::Launch);
    assert_eq!(
        launch.arguments(),
        ["--nodes=2", "--signal=B:USR1@30", "--open-mode=append"]
    );
    assert!(plan.directives(ScriptKind::Setup).is_empty());
    let of = |name: &str| {
        let mut options = plan
            .explain(ScriptKind::Launch, [("HOME", "/root")])
            .into_iter();
        options.find(|own| own.option.starts_with(name)).unwrap()
    };
    assert_eq!(of("--nodes").origin, "the recipe");
    assert_eq!(of("--signal").origin, "by default");
    let settings = Settings::from_toml("slurm.launch = { signal = false, open_mode = 'truncate' }");
    let plan = Plan::new(recipe, settings.unwrap()).unwrap();
    let launch = plan.directives(ScriptKind::Launch);
    assert_eq!(launch.arguments(), ["--nodes=2", "--open-mode=truncate"]);
}

/// The recipe with this client and these use cases.
fn loaded(tool: &str, use_cases: &str) -> Recipe {
    let text = Recipe::llama3_70b_h100x4_fp8().to_toml();
    let own = "use_cases = [\"chat:128/128\", \"summarization:4096/512\"]";
    let text = text.replace(own, &format!("use_cases = [{use_cases}]"));
    let mut recipe = Recipe::from_toml(&text).unwrap_or_else(|error| panic!("{error}"));
    recipe.client.tool = match tool.split_once(' ') {
        Some((_, release)) => ClientTool::Aiperf(release.parse().unwrap()),
        None => ClientTool::GenaiPerf(tool.parse().unwrap()),
    };
    recipe
}

#[test]
fn what_a_tool_cannot_send_is_refused() {
    let chat = "name = 'chat', input = 128, output = 128";
    let rate = format!("{chat}, request_rate = [1, 2.5]");
    for (tool, more, expected) in [
        ("25.01", format!("{rate}, arrival = 'poisson'"), ""),
        ("24.05", format!("{rate}, arrival = 'constant'"), ""),
        (
            "25.01",
            format!("{rate}, arrival = 'gamma', smoothness = 2"),
            "the recipe's use case chat:128/128: GenAI-Perf 0.0.10 (SDK 25.01) cannot do arrival = \"gamma\": AIPerf 0.5.0 is \
             the first that can",
        ),
        (
            "25.12",
            format!("{chat}, duration = 60"),
            "the recipe's use case chat:128/128: GenAI-Perf 0.0.16 (SDK 25.08) cannot do duration: AIPerf 0.2.0 is the \
             first that can",
        ),
        ("AIPerf 0.2.0", format!("{chat}, duration = 60"), ""),
        (
            "25.01",
            format!("{rate}, prefix = {{ length = 10, count = 2 }}"),
            "GenAI-Perf 0.0.10 (SDK 25.01) cannot do prefix: AIPerf 0.5.0 is the first that can",
        ),
        (
            "AIPerf 0.4.0",
            format!("{rate}, arrival = 'poisson'"),
            "the recipe's use case chat:128/128: AIPerf 0.4.0 cannot do request_rate: AIPerf 0.5.0 is the first that can",
        ),
        (
            "AIPerf 0.1.1",
            format!("{rate}, arrival = 'constant', duration = 60"),
            "AIPerf 0.1.1 cannot do request_rate: AIPerf 0.5.0 is the first that can",
        ),
        ("AIPerf 0.5.0", format!("{rate}, arrival = 'poisson'"), ""),
        (
            "AIPerf 0.4.0",
            format!("{chat}, ramp = '10s'"),
            "the recipe's use case chat:128/128: AIPerf 0.4.0 cannot do ramp: AIPerf 0.5.0 is the first that can",
        ),
        (
            "AIPerf 0.11.0",
            format!("{rate}, ramp = '10s', arrival = 'constant'"),
            "the recipe's use case chat:128/128: AIPerf 0.11.0 cannot do ramp with request_rate: AIPerf 0.12.0 is the first that can",
        ),
        (
            "AIPerf 0.12.0",
            format!("{rate}, ramp = '10s', arrival = 'constant'"),
            "",
        ),
        (
            "AIPerf 0.13.0",
            format!("{rate}, ramp = '10s'"),
            "a ramp of a rate needs arrival = \"constant\"",
        ),
        (
            "AIPerf 0.13.0",
            format!("{chat}, duration = 60, ramp = 60"),
            "its ramp must be shorter than its duration",
        ),
        (
            "AIPerf 0.13.0",
            format!("{chat}, duration = 60, ramp = 59"),
            "",
        ),
        (
            "AIPerf 0.4.0",
            format!("{rate}, arrival = 'gamma', smoothness = 2"),
            "AIPerf 0.4.0 cannot do arrival = \"gamma\": AIPerf 0.5.0 is the first that can",
        ),
        (
            "AIPerf 0.5.0",
            format!("{rate}, arrival = 'gamma', smoothness = 2"),
            "",
        ),
    ] {
        let recipe = loaded(tool, &format!("{{ {more} }}"));
        let said = Plan::new(recipe, Settings::new())
            .map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{tool}, {more}: {said}"
        );
    }
}

/// What a server's command may not have, since it would go to the server as text, or be seen by all.
#[test]
fn words_of_a_command_that_are_refused() {
    let said = |word: &str, in_environment: bool, nodes: u32| {
        let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
        recipe.server.nodes = nodes;
        if in_environment {
            let word = word.parse().unwrap();
            recipe.server.environment.insert("A".parse().unwrap(), word);
        } else {
            let words = Word::parse_all(word.split('|')).unwrap();
            recipe.server.command.extend(words);
        }
        Plan::new(recipe, Settings::new()).map_or_else(|error| error.to_string(), |_| String::new())
    };
    for (word, expected) in [
        ("--port={Port}", "perhaps {port} is meant"),
        ("{model-path}", "perhaps {model_path} is meant"),
        (
            "{node_rank}",
            "the recipe's server has {node_rank} in its command or environment, which only a server on several nodes has: \
             write 0 in its place, or nodes = 2 or more",
        ),
        (
            "tcp://{leader_address}:1",
            "write 127.0.0.1 in its place, or",
        ),
        ("{is_leader}", "write 1 in its place, or"),
        (r#"{"a": 1, "b": {}}"#, ""),
        ("--port ${PORT}", ""),
        ("--seed ${node_rank}", ""),
    ] {
        for in_environment in [false, true] {
            let said = said(word, in_environment, 1);
            let is_right = said.contains(expected) && said.is_empty() == expected.is_empty();
            assert!(is_right, "{word}: {said}");
        }
    }
    assert_eq!(said("{node_rank}", false, 2), "");
    let secret = "the recipe's server.command has --api-key: a secret would stand in scripts";
    for word in [
        "--api-key|sk-abcdefgh",
        "--api-key=sk-abcdefgh",
        "bash|-c|serve --api-key sk-abcdefgh",
    ] {
        let said = said(word, false, 1);
        assert!(said.contains(secret), "{said}");
        assert!(!said.contains("abcdefgh"), "{said}");
    }
    assert!(said("--hf_token|hf_abc", false, 1).contains("has --hf_token: a secret"));
    assert_eq!(said("--hf-token|--api-key-file|a", false, 1), "");
    assert_eq!(said("bash|-c|serve --hf-token $HF_TOKEN", false, 1), "");
    assert!(said("bash|-c|serve --api-key $KEY", false, 1).contains(secret));
}

/// The built-in recipe has its nodes for itself, and so all their memory.
#[test]
fn all_memory_of_shared_nodes() {
    let notes = |settings: &str| {
        let settings = Settings::from_toml(settings).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        plan.notes().join("\n")
    };
    let said = "launch.sh asks for all memory of its nodes (mem=0), so it does not start beside other jobs";
    let shared = "exclusive = false, gres = 'gpu:4', cpus_per_task = 16";
    assert!(notes(&format!("slurm.launch = {{ {shared} }}")).contains(said));
    for settings in [
        "slurm.launch.gres = 'gpu:4'".to_owned(),
        format!("slurm.launch = {{ {shared}, mem = '64G' }}"),
    ] {
        assert_eq!(notes(&settings), "", "{settings}");
    }
}

/// What a job does not get from the shell that submits it.
#[test]
fn variables_that_export_keeps_out() {
    let notes = |recipe: &Recipe, settings: &str| {
        let settings = Settings::from_toml(settings).unwrap();
        let notes = Plan::new(recipe.clone(), settings).unwrap().notes();
        let is_of_export = |note: &String| note.starts_with("--export ");
        notes.into_iter().filter(is_of_export).collect::<Vec<_>>()
    };
    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    recipe.server.secrets = vec!["LICENSE".parse().unwrap()];
    assert_eq!(
        notes(
            &recipe,
            "slurm.export = 'NIL'\nslurm.launch.export = 'HOME'"
        ),
        [
            "--export ([slurm] of the settings) keeps STAGE_PATH, NGC_API_KEY and HF_TOKEN from setup.sh and \
             prepare_models.sh; write ALL there, or a list that has them",
            "--export ([slurm.launch] of the settings) keeps STAGE_PATH, RESUME_JOB_ID and LICENSE from launch.sh; \
             write ALL there, or a list that has them",
        ]
    );
    assert!(notes(&recipe, "").is_empty());
    assert!(notes(&recipe, "slurm.export = 'ALL'").is_empty());
}

#[test]
fn a_release_that_repeats_prompts_needs_a_server_without_a_cache() {
    let chat = "{ name = 'chat', input = 128, output = 128 }";
    let said = |tool: &str, cache| {
        let mut recipe = loaded(tool, chat);
        recipe.server.prefix_cache = cache;
        Plan::new(recipe, Settings::new()).map_or_else(|error| error.to_string(), |_| String::new())
    };
    for cache in [PrefixCache::On, PrefixCache::Flush] {
        for release in ["0.1.1", "0.2.0"] {
            let expected = format!(
                "the recipe's use case chat:128/128: AIPerf {release} cannot do synthetic prompts that are sent once each, \
                 which only server.prefix_cache = \"off\" goes without: AIPerf 0.3.0 is the first that can"
            );
            let said = said(&format!("AIPerf {release}"), cache);
            assert!(said.contains(&expected), "{said}");
        }
        for tool in ["AIPerf 0.3.0", "24.05"] {
            assert_eq!(said(tool, cache), "", "{tool}");
        }
    }
    assert_eq!(said("AIPerf 0.1.1", PrefixCache::Off), "");
}

#[test]
fn what_a_cache_has_seen_in_another_form_is_refused() {
    let data = "data = { file = '/data/talks.json', format = 'sharegpt' }, output = 128";
    let said = |cache, more: &str| {
        let use_cases = format!("{{ name = 'one', {data} }}, {{ name = 'two', {data}{more} }}");
        let mut recipe = loaded("AIPerf 0.13.0", &use_cases);
        recipe.server.prefix_cache = cache;
        Plan::new(recipe, Settings::new()).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let expected = "its prompts are those of one:data/128 in another form, and would come out of the prefix cache";
    let refused = said(PrefixCache::On, ", turns = 2");
    assert!(refused.contains(expected), "{refused}");
    assert_eq!(said(PrefixCache::Off, ", turns = 2"), "");
    assert_eq!(said(PrefixCache::On, ""), "");
    // Each task starts a server of its own.
    let use_cases = format!("{{ name = 'one', {data} }}, {{ name = 'two', {data}, turns = 2 }}");
    let mut recipe = loaded("AIPerf 0.13.0", &use_cases);
    recipe.server.prefix_cache = PrefixCache::On;
    recipe.sweep.array = Some(ArrayBy::UseCase);
    assert!(Plan::new(recipe, Settings::new()).is_ok());
}

#[test]
fn a_search_of_rates_needs_a_release_that_keeps_them() {
    let said = |tool: &str, search: Search| {
        let mut recipe = loaded(tool, "'chat:128/128'");
        recipe.sweep.concurrency.clear();
        recipe.sweep.search = Some(search.with_ttft("500".parse().unwrap()));
        Plan::new(recipe, Settings::new()).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let rates = || Search::of_rate("0.5".parse().unwrap(), 8.try_into().unwrap());
    let expected = "AIPerf 0.4.0 cannot do request_rate: AIPerf 0.5.0 is the first that can";
    assert!(said("AIPerf 0.4.0", rates()).contains(expected));
    assert_eq!(said("AIPerf 0.5.0", rates()), "");
    assert_eq!(said("24.05", rates()), "");
    assert_eq!(said("AIPerf 0.4.0", Search::new(1, 16)), "");
}

#[test]
fn a_search_needs_a_release_that_writes_the_requests() {
    let said = |tool: &str| {
        let mut recipe = loaded(tool, "'chat:128/128'");
        recipe.server.prefix_cache = PrefixCache::Off;
        recipe.sweep.concurrency.clear();
        recipe.sweep.search = Some(Search::new(1, 16).with_ttft("500".parse().unwrap()));
        Plan::new(recipe, Settings::new()).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let expected =
        "the recipe asks for sweep.search, which AIPerf 0.1.1 does not know: it came with 0.2.0";
    assert_eq!(said("AIPerf 0.1.1"), expected);
    assert_eq!(said("AIPerf 0.2.0"), "");
}

#[test]
fn what_a_load_contradicts() {
    let chat = "name = 'chat', input = 128, output = 128";
    for (use_cases, expected) in [
        (
            format!("{{ {chat}, arrival = 'poisson' }}"),
            "the recipe's use case chat:128/128: arrival needs request_rate: write request_rate = [1], \
             or leave arrival out",
        ),
        (
            format!("{{ {chat}, request_rate = [1], arrival = 'gamma' }}"),
            "arrival = \"gamma\" and smoothness go together",
        ),
        (
            format!("{{ {chat}, request_rate = [1], smoothness = 2 }}"),
            "arrival = \"gamma\" and smoothness go together",
        ),
        (
            format!("{{ {chat}, prompts = 5 }}"),
            "prompts is for duration",
        ),
        (
            format!("{{ {chat}, request_rate = [1, 1.0] }}"),
            "request_rate has 1 twice: once is enough",
        ),
        (
            format!("{{ {chat}, request_rate = [1, 2] }}, {{ {chat}, request_rate = [2] }}"),
            "sweep.use_cases has chat:128/128 twice",
        ),
        (
            format!("'chat:128/128', {{ {chat}, duration = 9 }}"),
            "the recipe's use case chat:128/128: an earlier one differs in duration, which the names of result folders do \
             not have: give one of them another name",
        ),
        (
            "'chat:128/128', 'chat:128/128'".to_owned(),
            "sweep.use_cases has chat:128/128 twice: once is enough",
        ),
        (
            format!("{{ {chat}, duration = 900 }}"),
            "requests are sent for 900 s at concurrency 100, and sweep.point_timeout gives a point up after 900 s: raise \
             that, or measure for a shorter time",
        ),
        (
            format!("{{ {chat}, request_rate = [0.01] }}"),
            "requests are sent for 2000 s at request_rate 0.01, and",
        ),
    ] {
        let recipe = loaded("AIPerf 0.13.0", &use_cases);
        let said = Plan::new(recipe, Settings::new()).unwrap_err().to_string();
        assert!(said.contains(expected), "{use_cases}: {said}");
    }
    // One name may have concurrencies and rates.
    let both = loaded(
        "25.01",
        &format!("'chat:128/128', {{ {chat}, request_rate = [2] }}"),
    );
    assert!(Plan::new(both, Settings::new()).is_ok());
    // Nothing else is left for a concurrency.
    let mut rates = loaded("25.01", &format!("{{ {chat}, request_rate = [2] }}"));
    rates.sweep.concurrency.clear();
    let plan = Plan::new(rates.clone(), Settings::new()).unwrap();
    assert_eq!(
        plan.point_folders(None, "7"),
        ["llama-3-70b-instruct_4_rate2_chat_128_128_7"]
    );
    assert_eq!(Recipe::from_toml(&rates.to_toml()).unwrap(), rates);
    let none = Recipe::llama3_70b_h100x4_fp8().with_concurrency([]);
    let said = Plan::new(none, Settings::new()).unwrap_err().to_string();
    assert!(said.contains("neither concurrency nor search"), "{said}");
}

/// A name is not that of another use case's folder, and a key that no folder has is named.
#[test]
fn names_of_folders_are_told_apart() {
    for (name, meant) in [
        (
            "talk-t4",
            "write in a recipe { name = \"talk\", turns = 4, input = 128, output = 128 }",
        ),
        (
            "a-b-p64x2",
            "{ name = \"a-b\", prefix = { length = 64, count = 2 }, ",
        ),
    ] {
        let text = UseCase::parse(&format!("{name}:128/128"))
            .unwrap_err()
            .to_string();
        assert!(text.contains(meant), "{text}");
        let table = format!("{{ name = '{name}', input = 128, output = 128 }}");
        let recipe = Recipe::llama3_70b_h100x4_fp8().to_toml();
        let recipe = recipe.replace("\"chat:128/128\"", &table);
        let text = Recipe::from_toml(&recipe).unwrap_err().to_string();
        assert!(text.contains(meant), "{text}");
    }
    for name in [
        "talk-t",
        "t4",
        "talk-t4x",
        "a-p4",
        "a-px2",
        "a-p2x",
        "p2x2",
        "code-t4-b",
    ] {
        assert!(UseCase::parse(&format!("{name}:128/128")).is_ok(), "{name}");
    }

    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    let talk = UseCase::parse("talk:128/128").unwrap().with_turns(4);
    let waits = talk.clone().with_delay("2s".parse().unwrap());
    recipe.sweep.use_cases = vec![talk.clone(), waits.clone()];
    let error = Plan::new(recipe.clone(), Settings::new()).unwrap_err();
    let text = "the recipe's use case talk:128/128, turns = 4, delay = 2s: an earlier one differs in delay, which the names \
                of result folders do not have: give one of them another name";
    assert!(error.to_string().contains(text), "{error}");
    assert!(!error.to_string().contains("twice"), "{error}");
    recipe.sweep.use_cases = vec![talk.clone(), talk];
    let error = Plan::new(recipe.clone(), Settings::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has talk:128/128, turns = 4 twice: once is enough"),
        "{error}"
    );

    recipe.sweep.use_cases = vec![waits];
    recipe.sweep.repeat = 2;
    let points = recipe.sweep.points();
    let shown = points.last().unwrap().to_string();
    assert!(
        shown.starts_with("talk, turns = 4, delay = 2s, 128/128, concurrency 1, "),
        "{shown}"
    );
    assert!(shown.ends_with(" requests, repeat 2"), "{shown}");
}
