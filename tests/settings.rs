//! Layers, TOML errors, and what only recipe and settings together show.

use nim_slurm::slurm::{Directives, OptionName, Requeue};
use nim_slurm::{Plan, Problem, Recipe, ScriptKind, Settings};

fn settings(text: &str) -> Settings {
    Settings::from_toml(text).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(settings: Settings) -> Plan {
    Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_or_else(|error| panic!("{error}"))
}

fn problems(settings: Settings) -> Vec<String> {
    let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
    error.problems().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_option(plan: &Plan, kind: ScriptKind, name: OptionName, value: Option<&str>) {
    assert_eq!(plan.directives(kind).get(name).as_deref(), value);
}

fn variables(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|&(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn the_upper_layer_wins() {
    let file = settings(
        "slurm = { partition = 'all', account = 'all', qos = 'all', time = 5, setup = { partition = 'cpu', qos = 'cpu' } }",
    );
    let with_environment = file
        .with_environment(variables(&[
            ("SBATCH_ACCOUNT", "env"),
            ("SBATCH_QOS", "env"),
            ("HOME", "/x"),
        ]))
        .unwrap();
    let plan = plan(with_environment.with_slurm(Directives::new().qos("flag".parse().unwrap())));
    // The program, over the environment, over the script's table, over the table,
    // over the recipe.
    assert_option(&plan, ScriptKind::Setup, OptionName::Qos, Some("flag"));
    assert_option(&plan, ScriptKind::Setup, OptionName::Account, Some("env"));
    assert_option(&plan, ScriptKind::Setup, OptionName::Partition, Some("cpu"));
    assert_option(
        &plan,
        ScriptKind::Launch,
        OptionName::Partition,
        Some("all"),
    );
    assert_option(&plan, ScriptKind::Launch, OptionName::Time, Some("5"));
    assert_option(
        &plan,
        ScriptKind::Launch,
        OptionName::JobName,
        Some("nim-launch"),
    );
}

#[test]
fn the_recipe_gives_way() {
    // The recipe asks for all memory of a node of its own.
    let plan = plan(settings(
        "slurm = { mem_per_cpu = '4G', exclusive = false }",
    ));
    assert_option(&plan, ScriptKind::Launch, OptionName::MemPerCpu, Some("4G"));
    assert_option(&plan, ScriptKind::Launch, OptionName::Mem, None);
    assert_option(&plan, ScriptKind::Launch, OptionName::Exclusive, None);
}

#[test]
fn the_stage_path_has_layers() {
    let both = || settings("stage_path = '/from/file'");
    let environment = variables(&[("STAGE_PATH", "/from/environment")]);
    let stage = |settings: &Settings| settings.stage_path().map(ToString::to_string);
    assert_eq!(stage(&both()).as_deref(), Some("/from/file"));
    let settings = both().with_environment(environment).unwrap();
    assert_eq!(stage(&settings).as_deref(), Some("/from/environment"));
    let settings = settings.with_stage_path("/from/flag".parse().unwrap());
    assert_eq!(stage(&settings).as_deref(), Some("/from/flag"));
    assert!(
        plan(settings)
            .launch()
            .text()
            .contains("\nreadonly default_stage_path=/from/flag\n")
    );
}

#[test]
fn a_bad_variable_is_named() {
    let error = Settings::new()
        .with_environment(variables(&[("STAGE_PATH", "nim")]))
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot use the variable STAGE_PATH");
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "cannot take \"nim\" as stage path: \"nim\" is no absolute path, which begins with '/'"
    );
}

#[test]
fn toml_errors_teach() {
    for (text, line, words) in [
        (
            "[slurm]\ngres = 'gpu: 8'",
            2,
            "unexpected character ' ' in GRES \"gpu: 8\"",
        ),
        (
            "[slurm.launch]\ntime = '1h'",
            2,
            "unexpected character 'h' in time limit \"1h\"",
        ),
        (
            "[slurm]\npartiton = 'x'",
            2,
            "unknown key \"partiton\": perhaps partition is meant; sbatch's long options are allowed, with '_' for '-'",
        ),
        (
            "[slurm]\ncpus = 16",
            2,
            "unknown key \"cpus\": perhaps cpus_per_task or cpus_per_gpu is meant; sbatch's",
        ),
        (
            "[slurm]\ngpu = 1",
            2,
            "unknown key \"gpu\": perhaps gpus is meant; sbatch's",
        ),
        (
            "[slurm]\nzebra = 'x'",
            2,
            "unknown key \"zebra\": setup, prepare_models, launch and sbatch's long options are allowed, with '_' for '-'",
        ),
        (
            "[container]\nmounts = '/data:/data'",
            2,
            "invalid type: string \"/data:/data\", expected a list in brackets: write [\"/data:/data\"]",
        ),
        (
            "[slurm]\npassthrough = '--new=1'",
            2,
            "expected a list in brackets: write [\"--new=1\"]",
        ),
        (
            "stage = '/x'",
            1,
            "unknown key \"stage\": allowed are stage_path, slurm",
        ),
        (
            "[slurm.lauch]\ntime = 5",
            1,
            "unknown key \"lauch\": perhaps launch is meant",
        ),
        (
            "[container]\nmounts = ['data:/data']",
            2,
            "\"data\" is no absolute path, which begins with '/'",
        ),
        (
            "[container]\nruntime = 'docker'",
            2,
            "unknown word \"docker\": allowed are pyxis, apptainer, podman",
        ),
        (
            "[slurm]\npassthrough = ['--partition=x']",
            2,
            "use the key partition for --partition",
        ),
        (
            "[slurm]\npartition = 'a'\npartition = 'b'",
            3,
            "the key partition is there twice: leave one out",
        ),
    ] {
        let error = Settings::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(&format!("line {line},")), "{text}: {error}");
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn a_file_error_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("site.toml")).unwrap();
    let error = Settings::read(&path).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot read settings file {path}")
    );
    std::fs::write(&path, "[slurm]\nmem = '16GiB'\n").unwrap();
    let error = Settings::read(&path).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("settings file {path}: line 2, column 7: ")),
        "{error}"
    );
    assert!(error.contains("cannot take \"16GiB\" as memory"), "{error}");
}

#[test]
fn all_problems_at_once() {
    let settings = settings(
        "slurm = { launch = { gres = 'gpu:2', mem = '1G', nodes = 2 } }\ncontainer = { mounts = ['/a:/x', '/b:/x/'] }",
    )
    .with_environment(variables(&[("SBATCH_MEM_PER_GPU", "2G")]))
    .unwrap();
    assert_eq!(
        problems(settings),
        [
            "/a:/x and /b:/x/ are both mounted at /x: each destination can be used once",
            "setup.sh, prepare_models.sh: --mem-per-gpu (SBATCH_MEM_PER_GPU) needs --gres or --gpus-per-node or --gpus or \
             --gpus-per-task or --gpus-per-socket or --tres-per-task",
            "launch.sh: --mem ([slurm.launch] of the settings) and --mem-per-gpu (SBATCH_MEM_PER_GPU) exclude each other: \
             memory is asked for in one way",
            "launch.sh asks for 2 GPUs with --gres ([slurm.launch] of the settings), but the recipe's server uses 4: ask for 4 at least",
            "launch.sh asks for 2 nodes ([slurm.launch] of the settings), but the recipe's server runs on 1: nodes = 1 is \
             allowed",
        ]
    );
}

/// A job asks for GPUs in one way, and the upper layer says in which.
#[test]
fn a_way_to_ask_for_gpus_replaces_one_of_a_lower_layer() {
    let arguments = |settings: Settings| {
        let plan = plan(settings);
        let launch = plan.directives(ScriptKind::Launch).arguments();
        launch
            .into_iter()
            .filter(|word| word.contains("gpu") || word.contains("gres"))
            .collect::<Vec<_>>()
    };
    let file = || settings("slurm.gres = 'gpu:8'");
    let flag = Directives::new().gpus_per_node(4);
    assert_eq!(
        arguments(file().with_slurm(flag.clone())),
        ["--gpus-per-node=4"]
    );
    let environment = [("SBATCH_GPUS", "4")];
    let with_environment = file().with_environment(environment).unwrap();
    assert_eq!(arguments(with_environment.clone()), ["--gpus=4"]);
    assert_eq!(
        arguments(with_environment.clone().with_slurm(flag.clone())),
        ["--gpus-per-node=4"]
    );
    let own = "[slurm]\ngpus_per_node = 8\n[slurm.launch]\ngres = 'gpu:4'";
    assert_eq!(arguments(settings(own)), ["--gres=gpu:4"]);

    // Two ways that go together give way together.
    let both = settings("[slurm]\ngpus = 8\ngpus_per_task = 8");
    assert_eq!(arguments(both.clone()), ["--gpus=8", "--gpus-per-task=8"]);
    assert_eq!(
        arguments(both.with_slurm(flag.clone())),
        ["--gpus-per-node=4"]
    );

    // sbatch would add what a variable asks for, so it is not handed on.
    let plan = plan(with_environment.with_slurm(flag.clone()));
    assert_eq!(
        plan.variables_to_remove(ScriptKind::Launch, environment),
        ["SBATCH_GPUS"]
    );
    let told: Vec<_> = plan
        .explain(ScriptKind::Launch, environment)
        .iter()
        .map(ToString::to_string)
        .collect();
    for line in [
        "--gpus-per-node=4 (Rust code)",
        "--gpus is left out (SBATCH_GPUS, which gives way to --gpus-per-node); SBATCH_GPUS would override it",
        "--gres is left out (line 1 of the settings, [slurm], which gives way to --gpus-per-node)",
    ] {
        assert!(told.iter().any(|told| told == line), "{told:?}");
    }

    // What asks for more than GPUs would get lost, and two ways in one place are a mistake there.
    for text in [
        "slurm.launch.gres = 'gpu:8,nvme:2'",
        "slurm.launch = { gres = 'gpu:8', gpus = 8 }",
    ] {
        let problems = problems(settings(text).with_slurm(flag.clone()));
        assert!(problems[0].contains("exclude each other"), "{problems:?}");
    }
}

#[test]
fn an_option_without_what_it_needs_is_refused() {
    // The recipe asks for one task, and would give way to nothing here.
    assert_eq!(
        problems(settings("slurm = { launch = { gpus_per_socket = 4 } }")),
        [
            "launch.sh: --gpus-per-socket ([slurm.launch] of the settings) needs --sockets-per-node or \
             --extra-node-info=SOCKETS"
        ]
    );
    // setup.sh and prepare_models.sh have one task each, and launch.sh has one node.
    plan(settings("slurm = { gpus_per_task = 4 }"));
    plan(settings("slurm = { gpus_per_task = 4, gpus = 4 }"));
    let told = problems(settings(
        "slurm.launch = { gpus_per_task = 4, nodes = '1-2' }",
    ));
    let need = "launch.sh: --gpus-per-task ([slurm.launch] of the settings) needs --ntasks or --nodes=N or --gpus";
    assert!(told.iter().any(|told| told == need), "{told:?}");
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    assert_eq!(
        problems(settings("slurm = { launch = { time_min = '02:00:00' } }")),
        [
            "launch.sh: --time-min ([slurm.launch] of the settings) and --time (the recipe) exclude each other: the \
             least time is longer than the limit"
        ]
    );
}

#[test]
fn the_recipe_gives_way_to_what_excludes_it() {
    let plan = plan(settings(
        "slurm = { oversubscribe = true, cpus_per_gpu = 4, gres = 'gpu:8' }",
    ));
    assert_option(&plan, ScriptKind::Launch, OptionName::Exclusive, None);
    assert_option(&plan, ScriptKind::Setup, OptionName::CpusPerTask, None);
}

#[test]
fn the_cluster_s_releases_are_heeded() {
    let text = |cluster: &str, launch: &str| {
        format!("cluster = {{ {cluster} }}\nslurm = {{ launch = {{ {launch} }} }}")
    };
    let segment = "segment = 4, exclusive = 'topo'";
    assert_eq!(
        problems(settings(&text("slurm = '23.11.7'", segment))),
        [
            "launch.sh: Slurm 23.11 does not know --exclusive=topo ([slurm.launch] of the settings): it came with 24.05",
            "launch.sh: Slurm 23.11 does not know --segment ([slurm.launch] of the settings): it came with 24.05",
        ]
    );
    plan(settings(&text("slurm = '24.05'", segment)));
    let several = "qos = 'high,normal'";
    assert_eq!(
        problems(settings(&text("slurm = '24.05'", several))),
        [
            "launch.sh: Slurm 24.05 does not know --qos=high,normal ([slurm.launch] of the settings): it came with 24.11"
        ]
    );
    plan(settings(&text("slurm = '24.11'", several)));
    plan(settings(&text("", segment)));
    assert_eq!(
        problems(settings(&text("slurm = '24.05'", "power = 'level'"))),
        [
            "launch.sh: Slurm 24.05 does not know --power ([slurm.launch] of the settings): it went after 23.11"
        ]
    );
    assert_eq!(
        problems(settings(&text("pyxis = '0.14'", ""))),
        [
            "launch.sh starts containers with --container-env, which came with pyxis 0.15; the cluster has pyxis 0.14"
        ]
    );
    plan(settings(&text("pyxis = '0.20'", "")));
    for (release, words) in [
        ("'19.05'", "releases from 20.11 to "),
        (
            "24.10",
            "cannot take the number 24.1 as release of Slurm: write it in quotes",
        ),
    ] {
        let error = Settings::from_toml(&format!("[cluster]\nslurm = {release}")).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn variables_of_all_options_are_a_layer() {
    let read = |list: &[(&str, &str)]| {
        Directives::from_environment(variables(list)).map(|directives| directives.arguments())
    };
    assert_eq!(
        read(&[
            ("SBATCH_OVERCOMMIT", ""),
            ("SBATCH_SPREAD_JOB", "0"),
            ("SBATCH_NO_KILL", ""),
            ("SBATCH_WCKEY", ""),
            ("SBATCH_REQUEUE", "expedite"),
            ("SBATCH_CPU_FREQ_REQ", "low"),
        ]),
        Ok([
            "--overcommit",
            "--cpu-freq=low",
            "--requeue=expedite",
            "--no-kill"
        ]
        .map(Into::into)
        .into())
    );
    // As sbatch reads them: flags, and words of options that may stand alone.
    let one = |name, text| read(&[(name, text)]).unwrap().concat();
    for (text, set) in [
        ("YES", true),
        ("7", true),
        ("-1", true),
        ("true", false),
        ("0", false),
        ("no", false),
    ] {
        assert_eq!(
            one("SBATCH_OVERCOMMIT", text) == "--overcommit",
            set,
            "{text}"
        );
        assert_eq!(one("SBATCH_REQUEUE", text) == "--requeue", set, "{text}");
    }
    for (name, text, expected) in [
        ("SBATCH_NO_KILL", "set", "--no-kill"),
        ("SBATCH_NO_KILL", "off", "--no-kill=off"),
        ("SBATCH_EXCLUSIVE", "", "--exclusive"),
        ("SBATCH_EXCLUSIVE", "USER", "--exclusive=user"),
    ] {
        assert_eq!(one(name, text), expected);
    }
    for name in ["SBATCH_NO_KILL", "SBATCH_EXCLUSIVE"] {
        for text in ["true", "yes", "1"] {
            assert!(read(&[(name, text)]).is_err(), "{name}={text}");
        }
    }
    // It may hold a secret's value, which no script and no message may.
    assert_eq!(read(&[("SBATCH_EXPORT", "KEY=s3cret")]), Ok(vec![]));
    assert!(read(&[("SBATCH_HINT", "help")]).is_err());
}

#[test]
fn mounts_must_not_cover_the_scripts_own() {
    let settings = settings(
        "stage_path = '/nim'\ncontainer = { mounts = ['/fast:/nim/llama3-70b-instruct_vhf'] }",
    );
    assert_eq!(
        problems(settings),
        [
            "the model and /fast:/nim/llama3-70b-instruct_vhf are both mounted at /nim/llama3-70b-instruct_vhf: each \
          destination can be used once"
        ]
    );
}

#[test]
fn a_recipe_must_agree_with_itself() {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8()
        .with_concurrency([8, 1, 8])
        .with_use_cases([]);
    recipe.server.gpus = 2;
    recipe.server.command = ["serve", "--tensor-parallel-size", "4"]
        .map(|word| word.parse().unwrap())
        .into();
    recipe.client.file = Some(recipe.server.squash_file());
    let error = Plan::new(recipe, Settings::new()).unwrap_err();
    let expected = |index: usize| error.problems()[index].to_string();
    assert_eq!(error.problems().len(), 5);
    assert!(matches!(
        error.problems()[0],
        Problem::Empty {
            list: "sweep.use_cases"
        }
    ));
    assert_eq!(
        expected(1),
        "the recipe's sweep.concurrency has 8 twice: once is enough"
    );
    assert_eq!(
        expected(2),
        "the recipe's server command says --tensor-parallel-size 4, but server.gpus is 2: write --tensor-parallel-size \
         {gpus}"
    );
    assert_eq!(
        expected(3),
        "the recipe's engine has 4 rank*.engine files, but its server uses 2 GPUs: one file for each GPU is needed"
    );
    assert!(
        expected(4).contains("have the same squash file nim+meta+llama3-70b-instruct+1.0.3.sqsh")
    );
}

#[test]
fn what_must_be_there_is_not_left_out() {
    for (pattern, file) in [
        ("*.json", "config.json"),
        // The index names it.
        ("model-*", "model-00001-of-00002.safetensors"),
    ] {
        let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
        let exclude = ["original/*", pattern].map(|pattern| pattern.parse().unwrap());
        recipe.model.weights = recipe.model.weights.with_exclude(exclude);
        let error = Plan::new(recipe, Settings::new()).unwrap_err();
        assert_eq!(
            error.problems()[0].to_string(),
            format!(
                "the recipe's model.weights: exclude has \"{pattern}\", which leaves out {file}, and that must be there: \
                 correct the pattern, or files"
            )
        );
    }
}

#[test]
fn variables_that_would_override_are_pinned() {
    let environment = variables(&[
        ("SBATCH_PARTITION", "theirs"),
        ("SBATCH_QOS", "same"),
        ("SBATCH_EXCLUSIVE", "user"),
    ]);
    let flags = Directives::new()
        .partition("ours".parse().unwrap())
        .qos("same".parse().unwrap())
        .time("10".parse().unwrap());
    let plan = plan(Settings::new().with_slurm(flags));
    assert_eq!(
        plan.options_to_repeat(ScriptKind::Launch, environment.clone()),
        ["--partition=ours", "--exclusive"]
    );
    assert_eq!(
        plan.options_to_repeat(ScriptKind::Setup, environment),
        ["--partition=ours"]
    );
    assert_eq!(
        plan.options_to_repeat(ScriptKind::Setup, [("HOME", "/root")]),
        [""; 0]
    );
}

#[test]
fn variables_with_other_names_are_pinned_as_well() {
    let flags = Directives::new()
        .requeue(Requeue::Allowed)
        .gpu_bind("closest".parse().unwrap())
        .switches("1@10:00".parse().unwrap())
        .passthrough(["--brand-new=1".parse().unwrap()]);
    let plan = plan(Settings::new().with_slurm(flags));
    let options_to_repeat =
        |name| plan.options_to_repeat(ScriptKind::Launch, variables(&[(name, "none")]));
    assert_eq!(options_to_repeat("SBATCH_NO_REQUEUE"), ["--requeue"]);
    assert_eq!(options_to_repeat("SBATCH_GPU_BIND"), ["--gpu-bind=closest"]);
    assert_eq!(
        options_to_repeat("SBATCH_WAIT4SWITCH"),
        ["--switches=1@10:00"]
    );
    assert_eq!(options_to_repeat("SBATCH_BRAND_NEW"), ["--brand-new=1"]);
    assert_eq!(options_to_repeat("SBATCH_WCKEY"), [""; 0]);
}

#[test]
fn variables_that_no_option_overrides_are_not_heard() {
    let environment = variables(&[
        ("SBATCH_ACCOUNT", ""),
        ("SBATCH_TIMELIMIT", "not a time"),
        ("SBATCH_QOS", "not a qos"),
        ("SBATCH_GRES", "gpu:8"),
        ("SBATCH_EXCLUSIVE", ""),
        ("SBATCH_WCKEY", ""),
        ("SBATCH_PARTITION", "theirs"),
    ]);
    let flags = Directives::new()
        .time("10".parse().unwrap())
        .without(OptionName::Gres);
    let plan = plan(Settings::new().with_slurm(flags));
    // What the script says nothing of is between the user and sbatch.
    assert_eq!(
        plan.variables_to_remove(ScriptKind::Setup, environment),
        [
            "SBATCH_ACCOUNT",
            "SBATCH_TIMELIMIT",
            "SBATCH_GRES",
            "SBATCH_WCKEY"
        ]
    );
}

#[test]
fn the_recipe_reads_what_it_prints() {
    let recipe = Recipe::llama3_70b_h100x4_fp8().with_tokenizer("/opt/tokenizer".parse().unwrap());
    let again = Recipe::from_toml(&recipe.to_toml()).unwrap();
    assert_eq!(again, recipe);
    for kind in ScriptKind::ALL {
        let render = |recipe| Plan::new(recipe, Settings::new()).unwrap().script(kind);
        assert_eq!(render(recipe.clone()), render(again.clone()));
    }
}

#[test]
fn secrets_keep_out_of_the_environment() {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    for name in ["HF_TOKEN", "PATH", "VLLM_API_KEY"] {
        recipe
            .server
            .environment
            .insert(name.parse().unwrap(), "x".parse().unwrap());
    }
    let error = Plan::new(recipe, Settings::new()).unwrap_err();
    let expected = |index: usize| error.problems()[index].to_string();
    assert_eq!(
        expected(0),
        "the recipe's server.environment has a value for HF_TOKEN that may be a secret: leave it out, write secrets = \
         [\"HF_TOKEN\"] under [server], and export HF_TOKEN in the shell that submits"
    );
    assert!(expected(1).contains("a value for VLLM_API_KEY that may be a secret"));
    assert_eq!(error.problems().len(), 2);
}

#[test]
fn the_warning_must_reach_the_script() {
    for signal in ["USR1@30", "B:HUP@30"] {
        let problems = problems(settings(&format!(
            "slurm = {{ launch = {{ signal = '{signal}' }} }}"
        )));
        assert_eq!(
            problems,
            [format!(
                "launch.sh asks for the signal {signal} ([slurm.launch] of the settings), which would not let it stop in \
                 order: B:USR1, B:USR2, B:TERM and B:INT are allowed, as in B:USR1@30"
            )]
        );
    }
    plan(settings("slurm = { launch = { signal = 'B:usr2@120' } }"));
}

/// TERM is what scancel sends, and a job that was cancelled stays so.
#[test]
fn the_warning_of_a_job_that_requeues_itself_is_no_cancel() {
    let with = |signal: &str, more: &str| {
        let launch = format!("slurm = {{ launch = {{ signal = '{signal}', requeue = true }} }}");
        settings(&format!("{launch}\n{more}"))
    };
    for signal in ["B:TERM@40", "B:15@40"] {
        let problems = problems(with(signal, ""));
        assert_eq!(
            problems,
            [format!(
                "launch.sh asks for requeue and for the signal {signal} ([slurm.launch] of the settings), which scancel sends, \
                 too: a job that was cancelled does not requeue itself; write B:USR1, as in B:USR1@30"
            )]
        );
    }
    plan(with("B:INT@40", ""));
    plan(with("B:TERM@40", "launch.max_requeues = 0"));
    plan(settings("slurm = { launch = { signal = 'B:TERM@40' } }"));
}

#[test]
fn a_job_requeues_itself_only_where_it_may() {
    let limit = |text: &str| {
        let script = plan(settings(text)).launch();
        let (_, rest) = script.text().split_once("\nreadonly requeue_limit=")?;
        rest.lines().next().map(ToOwned::to_owned)
    };
    assert_eq!(limit(""), None);
    assert!(
        !plan(Settings::new())
            .launch()
            .text()
            .contains("scontrol requeue")
    );
    assert_eq!(
        limit("slurm = { launch = { requeue = true } }").as_deref(),
        Some("3")
    );
    assert_eq!(
        limit("slurm = { requeue = true }\nlaunch = { max_requeues = 7 }").as_deref(),
        Some("7")
    );
}

/// The built-in recipe's problems with these keys of the client instead of its tool.
fn client_problems(keys: &str) -> Vec<String> {
    let text = include_str!("../src/recipe/llama3-70b-h100x4-fp8.toml");
    let tool = "tool = { genai_perf = \"0.0.10\" }";
    assert!(text.contains(tool));
    let recipe = Recipe::from_toml(&text.replace(tool, keys));
    let recipe = recipe.unwrap_or_else(|error| panic!("{error}"));
    match Plan::new(recipe, Settings::new()) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_a_tool_s_release_does_not_know_is_refused() {
    let all = "\
tokenizer = 'meta-llama/Meta-Llama-3-70B-Instruct'
tokenizer_revision = 'main'
tokenizer_trust_remote_code = true
goodput = { time_to_first_token = 500 }
";
    let with = |tool: &str| client_problems(&format!("{all}tool = {{ {tool} }}"));
    assert_eq!(
        with("genai_perf = '24.06'"),
        [
            "the recipe asks for client.tokenizer_revision, which GenAI-Perf 0.0.3 (SDK 24.06) does not know: it came \
             with 0.0.7 (SDK 24.10)",
            "the recipe asks for client.tokenizer_trust_remote_code, which GenAI-Perf 0.0.3 (SDK 24.06) does not know: it \
             came with 0.0.7 (SDK 24.10)",
            "the recipe asks for client.goodput, which GenAI-Perf 0.0.3 (SDK 24.06) does not know: it came with 0.0.6 \
             (SDK 24.09)",
        ]
    );
    assert_eq!(
        with("aiperf = '0.1.1'"),
        [
            "the recipe asks for client.goodput, which AIPerf 0.1.1 does not know: it came with 0.2.0"
        ]
    );
    assert_eq!(with("genai_perf = '0.0.9'"), [""; 0]);
    assert_eq!(with("aiperf = '0.2.0'"), [""; 0]);
    // Nothing is asked for, nothing is refused.
    assert_eq!(client_problems("tool = { genai_perf = '24.05' }"), [""; 0]);
}

#[test]
fn options_of_the_client_that_say_nothing_are_refused() {
    let revision = |tokenizer: &str| {
        client_problems(&format!(
            "tokenizer_revision = 'v1'\n{tokenizer}\ntool = {{ genai_perf = '25.01' }}"
        ))
    };
    assert_eq!(
        revision(""),
        [
            "the recipe's client.tokenizer_revision is v1, but its client.tokenizer is the model's own: a revision is \
             allowed of a Hugging Face OWNER/NAME"
        ]
    );
    assert!(revision("tokenizer = '/opt/tokenizer'")[0].contains("is /opt/tokenizer: a revision"));
    assert_eq!(
        client_problems("goodput = {}\ntool = { genai_perf = '25.01' }"),
        ["the recipe's client.goodput is empty: at least one entry is needed"]
    );
}

/// A number would lose the zero of 25.10, and the mistake is shown where it stands.
#[test]
fn releases_and_limits_are_written_in_quotes() {
    let error = |text: &str| Recipe::from_toml(text).unwrap_err().to_string();
    let release = error("client = { tool = { genai_perf = 25.10 } }");
    assert!(
        release.contains("cannot take the number 25.1 as GenAI-Perf release: write it in quotes"),
        "{release}"
    );
    let limit = error("client = { goodput = { request_latency = 12.5 } }");
    assert!(
        limit.contains("cannot take the number 12.5 as number of milliseconds: write it in quotes"),
        "{limit}"
    );
    let metric = error("client = { goodput = { throughput = 12 } }");
    assert!(
        metric.contains("unknown key \"throughput\": allowed are time_to_first_token"),
        "{metric}"
    );
}

/// A byte that is no text, in a variable that is read and in others: no panic, and one
/// error, which names the variable.
#[cfg(unix)]
#[test]
fn variables_that_are_no_text() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;

    let bytes = OsStr::from_bytes(b"a\xffb");
    let variable = |name: &str| [(OsString::from(name), bytes.to_owned())];
    for name in ["SBATCH_ACCOUNT", "SBATCH_PARTITION", "STAGE_PATH"] {
        let error = Settings::new()
            .with_environment(variable(name))
            .unwrap_err();
        assert_eq!(error.name(), name);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            source,
            "cannot take \"a\u{fffd}b\" as text: it is not UTF-8"
        );
    }
    let others = variable("HOME")
        .into_iter()
        .chain([(bytes.to_owned(), "x".into())]);
    let settings = Settings::new().with_environment(others).unwrap();
    let own = Directives::new().account("proj".parse().unwrap());
    let plan = plan(settings.with_slurm(own));
    assert_eq!(
        plan.variables_to_remove(ScriptKind::Setup, variable("SBATCH_ACCOUNT")),
        ["SBATCH_ACCOUNT"]
    );
}

/// A program finds the place of a mistake without reading the sentence.
#[test]
fn mistakes_in_a_file_have_kind_line_and_value() {
    use nim_slurm::FileErrorKind::{Content, Syntax};

    for (text, kind, line, value) in [
        ("[slurm]\ntime = '1h'\n", Content, Some(2), Some("'1h'")),
        ("[slurm]\n\nnodes = -1\n", Content, Some(3), Some("-1")),
        ("[srun]\nmpy = 'pmix'\n", Content, Some(2), Some("mpy")),
        ("[slurm\n", Syntax, Some(1), None),
        (
            "stage_path = '/ä'\n[launch]\nmax_requeues = 'x'",
            Content,
            Some(3),
            Some("'x'"),
        ),
    ] {
        let error = Settings::from_toml(text).unwrap_err();
        assert_eq!((error.kind(), error.line()), (kind, line), "{error}");
        if value.is_some() {
            assert_eq!(error.value(), value, "{error}");
        }
    }
    let missing = Recipe::from_toml("name = 'x'\n").unwrap_err();
    assert_eq!(
        (missing.kind(), missing.value()),
        (Content, None),
        "{missing}"
    );
}

/// Nor is it shown, or the value of any other variable.
#[test]
fn a_proxy_has_no_password() {
    let proxy = "a script is no place for a password";
    let value = "a value would stand in the script";
    for (toml, rule) in [
        (
            "[cluster.proxy]\nhttps = 'http://me:S3CRET@proxy.site:3128'",
            proxy,
        ),
        (
            "cluster.proxy = { http = 'http://me:S3CRET@proxy.site:3128' }",
            proxy,
        ),
        ("[slurm]\nexport = 'ALL,HF_TOKEN=S3CRET'", value),
        ("slurm.launch = { export = 'HF_TOKEN=S3CRET' }", value),
        (
            "slurm.passthrough = ['--export=ALL,HF_TOKEN=S3CRET']",
            value,
        ),
    ] {
        let error = Settings::from_toml(toml).unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.value());
        assert!(said.contains(rule) && !said.contains("S3CRET"), "{said}");
        assert_eq!(error.line(), Some(toml.lines().count()), "{said}");
    }
}

#[test]
fn a_hook_reads_back() {
    assert!(nim_slurm::Hook::parse("\n").is_err(), "no line");
    let hook = nim_slurm::Hook::parse("a\n\n").unwrap();
    assert_eq!(nim_slurm::Hook::parse(hook.as_str()), Ok(hook));
}

/// Editors put it in front of a text, and bash would take it for a part of the first command.
#[test]
fn a_byte_order_mark_is_no_part_of_a_hook() {
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8Path::from_path(folder.path()).unwrap();
    std::fs::write(path.join("hook.sh"), "\u{feff}export A=1\n").unwrap();
    std::fs::write(path.join("site.toml"), "hooks.server = 'hook.sh'").unwrap();
    let settings = Settings::read(path.join("site.toml")).unwrap();
    let hook = settings.hook(nim_slurm::HookPlace::InServer).unwrap();
    assert_eq!(hook.as_str(), "export A=1");
}
