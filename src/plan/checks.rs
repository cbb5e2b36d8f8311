//! What only recipe and settings together show.

use camino::Utf8Path;

use super::problem::Problem;
use crate::container::release::USED_OPTIONS;
use crate::container::{EnvName, Runtime, may_be_secret};
use crate::job_options::ScriptKind;
use crate::load::Load;
use crate::recipe::{
    AiperfVersion, ArrayBy, Client, ClientTool, Engine, Goodput, ModelSource, PrefixCache, Recipe,
    ReplicaUse, ResultName, SEARCHED, Search, SearchedLoad, Server, Sweep, SweepPoint, Tokenizer,
    UseCase, Word,
};
use crate::script::images::image_sources;
use crate::settings::Settings;
use crate::slurm::{Directives, OptionName};

use super::layers::Layers;
use super::measured::Measured;
use super::notes::used_gpus;

/// All that does not need the options of the scripts.
pub(super) fn check_all(recipe: &Recipe, settings: &Settings, problems: &mut Vec<Problem>) {
    check_recipe(recipe, problems);
    if let Some((pattern, file)) = recipe.model.weights.excluded_file() {
        problems.push(Problem::ExcludedFile {
            pattern: pattern.to_string(),
            file: file.to_owned(),
        });
    }
    check_client(&recipe.client, problems);
    check_mounts(recipe, settings, problems);
    check_runtime(recipe, settings, problems);
    for option in recipe.slurm.not_for_recipes() {
        problems.push(Problem::NotForRecipes { option });
    }
    if let Some(key) = settings.cluster().key_without_gpus() {
        problems.push(Problem::ClusterKey { key });
    }
    if let Some(gpus) = settings.cluster().gpus_of_shared_node() {
        problems.push(Problem::GpusOfSharedNode { gpus });
    }
}

/// What launch.sh asks for against what the server uses.
pub(super) fn check_launch(
    launch: &Directives,
    recipe: &Recipe,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) {
    let layers = Layers::new(recipe, settings, ScriptKind::Launch);
    let origin = |name| layers.describe(name);
    let nodes = recipe.server.nodes;
    let has_whole_nodes = launch.has_whole_nodes();
    let multiplied = || launch.multiplied_gpus().filter(|_| !has_whole_nodes);
    let asked = launch
        .asked_gpus()
        .or_else(multiplied)
        .map(|(option, requested)| (option, requested, used_gpus(&recipe.server, option)));
    let split = launch
        .gpus_of_job()
        .filter(|_| nodes > 1 && !has_whole_nodes);
    if let Some(gpus) = split {
        let kind = gpus.kind().map(|kind| format!("{kind}:"));
        problems.push(Problem::SplitGpus {
            requested: gpus.to_string(),
            origin: origin(OptionName::Gpus),
            nodes,
            gres: format!(
                "gpu:{}{}",
                kind.unwrap_or_default(),
                recipe.server.gpus_per_node()
            ),
        });
    } else if let Some((option, requested, used)) = asked
        && requested < u64::from(used)
    {
        problems.push(Problem::TooFewGpus {
            requested,
            option,
            origin: origin(option),
            used,
            replicas: recipe.server.replicas,
        });
    }
    problems.extend(signal_problem(launch, settings, origin(OptionName::Signal)));
    if let Some(batch) = launch.get(OptionName::Batch)
        && nodes > 1
    {
        problems.push(Problem::BatchNode {
            requested: batch,
            origin: origin(OptionName::Batch),
            nodes,
        });
    }
    // Without a number, Slurm gives all nodes that are named.
    let (option, range, requested) = match (launch.node_count(), launch.named_nodes()) {
        (Some(count), _) => {
            let range = (u64::from(count.min()), u64::from(count.max()));
            (OptionName::Nodes, range, count.to_string())
        }
        // It was refused, which is told.
        (None, _) if launch.is_set(OptionName::Nodes) => return,
        (None, named) => {
            let named = named.unwrap_or(1);
            let range = (named, named);
            (OptionName::Nodelist, range, named.to_string())
        }
    };
    if nodes > 0 && range != (u64::from(nodes), u64::from(nodes)) {
        problems.push(Problem::Nodes {
            requested,
            origin: origin(option),
            used: nodes,
        });
    }
}

/// What is wrong with the signal that warns launch.sh before its time is up.
fn signal_problem(launch: &Directives, settings: &Settings, origin: String) -> Option<Problem> {
    let requested = launch.get(OptionName::Signal)?;
    let name = requested.split('@').next().unwrap_or_default();
    let may_requeue = launch.is_set(OptionName::Requeue) && settings.max_requeues() > 0;
    match name {
        "B:TERM" | "B:15" if may_requeue => Some(Problem::SignalWithRequeue { requested, origin }),
        "B:USR1" | "B:USR2" | "B:TERM" | "B:INT" | "B:2" | "B:10" | "B:12" | "B:15" => None,
        _ => Some(Problem::Signal { requested, origin }),
    }
}

/// Flags with which servers are told over how many GPUs to split a layer.
const TENSOR_FLAGS: [&str; 4] = ["--tensor-parallel-size", "--tp-size", "--tp", "-tp"];

/// Flags with which servers are told how often to do so: in a pipeline, for parts of a prompt, and with all of the model. Source:
/// vLLM's `EngineArgs`, SGLang's `server_args.py` and TensorRT-LLM's `serve.py`. With SGLang's `--enable-dp-attention`, the
/// last is a part of the first.
const OTHER_FLAGS: [&[&str]; 3] = [
    &["--pipeline-parallel-size", "--pp-size", "--pp", "-pp"],
    &[
        "--prefill-context-parallel-size",
        "-pcp",
        "--context-parallel-size",
        "--cp-size",
    ],
    &["--data-parallel-size", "--dp-size", "--dp", "-dp"],
];

/// Flags and variables with which servers are told on which port to listen.
const PORT_FLAGS: [&str; 2] = ["--port", "--server-port"];
const PORT_VARIABLES: [&str; 2] = ["NIM_SERVER_PORT", "LLAMA_ARG_PORT"];

/// More than a job has time for. Two short lists make a long script: each use case is
/// measured at each concurrency.
const MOST_POINTS: usize = 1000;

fn check_recipe(recipe: &Recipe, problems: &mut Vec<Problem>) {
    let Recipe {
        server,
        model,
        client,
        sweep,
        ..
    } = recipe;
    let numbers = [
        ("server.nodes", server.nodes),
        ("server.gpus", server.gpus),
        ("server.replicas", server.replicas),
        ("server.port", server.port.into()),
        ("server.ready_timeout", server.ready_timeout),
        ("server.probe_interval", server.probe_interval),
        ("server.stop_timeout", server.stop_timeout),
        (
            "sweep.requests_per_concurrency",
            sweep.requests_per_concurrency,
        ),
        ("sweep.min_requests", sweep.min_requests),
        ("sweep.point_timeout", sweep.point_timeout),
        ("sweep.repeat", sweep.repeat),
        ("sweep.array_limit", sweep.array_limit.unwrap_or(1)),
        (
            "sweep.concurrency",
            sweep.concurrency.iter().copied().min().unwrap_or(1),
        ),
    ];
    let zeros = numbers.into_iter().filter(|(_, number)| *number == 0);
    problems.extend(zeros.map(|(key, given)| Problem::Number {
        key,
        given,
        allowed: "it must be at least 1",
    }));
    for (list, is_empty) in [
        ("server.command", server.command.is_empty()),
        ("model.weights.files", model.weights.files.is_empty()),
        ("sweep.use_cases", sweep.use_cases.is_empty()),
    ] {
        if is_empty {
            problems.push(Problem::Empty { list });
        }
    }
    check_search(recipe, problems);
    let points = match sweep.search {
        None => sweep.point_count(),
        Some(_) => 0, // which has a bound of its own
    };
    if points > MOST_POINTS {
        problems.push(Problem::TooManyPoints {
            points,
            repeat: sweep.repeat,
            most: MOST_POINTS,
        });
    }
    if points <= MOST_POINTS {
        check_use_cases(recipe, problems);
    }
    problems.extend(percentile_without_effect(sweep));
    if let Some(entry) = first_repeated(&sweep.concurrency) {
        problems.push(Problem::Repeated {
            list: "sweep.concurrency",
            entry: entry.to_string(),
        });
    }
    let variants = server.variants.iter();
    let commands = std::iter::once(&server.command).chain(variants.map(|variant| &variant.command));
    for command in commands {
        check_secrets(command, problems);
    }
    check_commands(server, problems);
    check_placeholders(server, problems);
    let variants = server.variants.iter();
    let of_variants = variants.flat_map(|variant| &variant.environment);
    for (name, value) in server.environment.iter().chain(of_variants) {
        check_variable(name, value, problems);
    }
    // What follows from a 0 is not told.
    let is_sized = server.total_gpus() > 0;
    if let Some(engine) = model.engine.as_ref().filter(|_| is_sized) {
        check_engine(engine, recipe, problems);
    }
    check_array(recipe, problems);
    if server.replicas > 1 {
        check_replicas(server, problems);
    } else if server.replicas == 1 && sweep.replicas == ReplicaUse::Together {
        problems.push(Problem::SingleReplica);
    }
    let file = server.squash_file();
    if file == client.squash_file() && server.image != client.image {
        problems.push(Problem::SquashFile {
            server: server.image.to_string(),
            client: client.image.to_string(),
            file: file.to_string(),
        });
    }
}

fn percentile_without_effect(sweep: &Sweep) -> Option<Problem> {
    let is_ended = |use_case: &UseCase| use_case.duration().is_some() || use_case.is_scheduled();
    let mut use_cases = sweep.use_cases.iter();
    let has_effect = sweep.use_cases.is_empty() || !use_cases.all(is_ended);
    let percentile = sweep.percentile.filter(|_| !has_effect)?;
    Some(Problem::PercentileWithoutEffect { percentile })
}

/// Use cases must go together with one another, with the client and with the time of a point.
fn check_use_cases(
    Recipe {
        server,
        client,
        sweep,
        ..
    }: &Recipe,
    problems: &mut Vec<Problem>,
) {
    // Their points would have the same names.
    let is_same = |other: &UseCase, entry: &UseCase| {
        other.has_same_folders(entry)
            && (other.request_rate().is_empty() && entry.request_rate().is_empty()
                || (other.request_rate().iter()).any(|rate| entry.request_rate().contains(rate)))
    };
    let use_cases = sweep.asked_use_cases();
    for (place, use_case) in use_cases.iter().enumerate() {
        let entry = use_case.to_string();
        let mut refuse = |reason: String| {
            let use_case = entry.clone();
            problems.push(Problem::UseCase { use_case, reason });
        };
        if let Some(reason) = use_case.contradiction() {
            refuse(reason.to_owned());
        }
        let cached = [
            (use_case.prefix().is_some(), "its prefix", "prefix"),
            (use_case.is_conversation(), "what was said before", "turns"),
        ];
        for (is_there, what, key) in cached {
            if is_there && server.prefix_cache == PrefixCache::Flush {
                refuse(format!(
                    "{what} comes out of the cache within a point, which server.prefix_cache = \"flush\" does not allow: \
                     write \"on\" there, or \"off\" to measure without the cache, or leave {key} out"
                ));
            }
        }
        let shares_file = |other: &UseCase| match (other.data_set(), use_case.data_set()) {
            (Some((form, file)), Some((own_form, own_file))) => {
                file == own_file && form != own_form
            }
            _ => false,
        };
        let is_one_server = !matches!(sweep.array, Some(ArrayBy::UseCase | ArrayBy::Point));
        if server.prefix_cache == PrefixCache::On
            && is_one_server
            && let Some(other) = use_cases[..place].iter().find(|other| shares_file(other))
        {
            refuse(format!(
                "its prompts are those of {other} in another form, and would come out of the prefix cache: give it a file of its \
                 own, or write server.prefix_cache = \"off\", or \"flush\""
            ));
        }
        if let Some((key, first)) = client.lacks_for(use_case, server.prefix_cache) {
            let tool = client.tool.with_release();
            refuse(format!(
                "{tool} cannot do {key}: {first} is the first that can"
            ));
        }
        if let Some(rate) = first_repeated(use_case.request_rate()) {
            refuse(format!("request_rate has {rate} twice: once is enough"));
        }
        let earlier = use_cases[..place].iter();
        if let Some(earlier) = earlier.rev().find(|earlier| is_same(earlier, use_case)) {
            match use_case.differs_in(earlier) {
                Some(key) => refuse(format!(
                    "an earlier one differs in {key}, which the names of result folders do not have: give one of them \
                     another name"
                )),
                None => problems.push(Problem::Repeated {
                    list: "sweep.use_cases",
                    entry,
                }),
            }
        }
    }
    if sweep
        .search
        .as_ref()
        .and_then(Search::between_levels)
        .is_some()
    {
        return; // which is told
    }
    // Of each use case, the point that takes longest.
    let points = sweep.points();
    let timed = |point: &SweepPoint| {
        point
            .least_seconds()
            .filter(|seconds| *seconds >= sweep.point_timeout.into())
    };
    for use_case in &use_cases {
        let own = points.iter().filter(|point| point.use_case == *use_case);
        let longest = own
            .filter_map(|point| Some((timed(point)?, point.load)))
            .max();
        if let Some((seconds, load)) = longest {
            problems.push(Problem::UseCase {
                use_case: use_case.to_string(),
                reason: format!(
                    "its requests are sent for {seconds} s at {}, and sweep.point_timeout gives a point up after \
                     {} s: raise that, or measure for a shorter time",
                    match load {
                        Load::Concurrency(number) => format!("concurrency {number}"),
                        load => load.to_string().replace("rate", "request_rate "),
                    },
                    sweep.point_timeout,
                ),
            });
        }
    }
}

/// There is a list or a search, and the search can be made.
fn check_search(recipe: &Recipe, problems: &mut Vec<Problem>) {
    let sweep = &recipe.sweep;
    let has_rates =
        |use_case: &UseCase| !use_case.request_rate().is_empty() || use_case.is_scheduled();
    let Some(search) = &sweep.search else {
        if sweep.concurrency.is_empty() && !sweep.use_cases.iter().all(has_rates) {
            problems.push(Problem::NoLoad);
        }
        return;
    };
    let others = [
        ("sweep.concurrency", !sweep.concurrency.is_empty()),
        ("sweep.repeat", sweep.repeat > 1),
        (
            "sweep.array = \"point\"",
            sweep.array == Some(ArrayBy::Point),
        ),
        ("server.replicas", recipe.server.replicas > 1),
    ];
    let others = others.into_iter().filter(|(_, is_there)| *is_there);
    problems.extend(others.map(|(key, _)| Problem::SearchBeside { key }));
    let tool = recipe.client.tool;
    let first = AiperfVersion::WITH_REQUESTS;
    if matches!(tool, ClientTool::Aiperf(release) if release < first) {
        problems.push(Problem::ClientRelease {
            key: "sweep.search",
            tool: tool.with_release(),
            first: first.to_string(),
        });
    }
    for use_case in &sweep.use_cases {
        if let Some(key) = use_case.not_for_a_search(search.of) {
            problems.push(Problem::UseCase {
                use_case: use_case.to_string(),
                reason: format!(
                    "it has {key}, which sweep.search does not take: put it into a recipe of its own"
                ),
            });
        }
    }
    if search.limits().is_empty() {
        problems.push(Problem::SearchLimits);
    }
    let has_no_itl = |use_case: &&UseCase| search.itl.is_some() && use_case.output_tokens() == 1;
    let without = sweep.use_cases.iter().filter(has_no_itl);
    problems.extend(without.map(|use_case| Problem::UseCase {
        use_case: use_case.to_string(),
        reason: "an answer of one token has no inter-token latency: leave itl out of sweep.search, or ask for more tokens"
            .to_owned(),
    }));
    if !SEARCHED.contains(&search.at.get()) {
        problems.push(Problem::SearchPercentile { at: search.at });
    }
    let (from, to) = (search.from, search.to);
    if let Some(number) = search.between_levels() {
        problems.push(match search.of {
            SearchedLoad::RequestRate => Problem::SearchRate { number },
            _ => Problem::SearchConcurrency { number },
        });
        return;
    }
    if from > to {
        problems.push(Problem::SearchRange { from, to });
        return;
    }
    let levels = search.ladder().levels().len();
    let use_cases = sweep.use_cases.len();
    if levels.saturating_mul(use_cases) > MOST_POINTS {
        problems.push(Problem::TooManyLevels {
            levels,
            use_cases,
            most: MOST_POINTS,
        });
    }
}

/// Each command must be for the server's GPUs and its port.
fn check_commands(server: &Server, problems: &mut Vec<Problem>) {
    for measured in Measured::all(server) {
        // What follows from a 0 is not told.
        let sizes = parallelism(&measured, server).filter(|_| server.total_gpus() > 0);
        let port = other_port(&measured, server);
        for problem in sizes.into_iter().chain(port) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
}

/// The flags with which a command is for other GPUs than the server's.
fn parallelism(measured: &Measured<'_>, server: &Server) -> Option<Problem> {
    let (used, total) = (server.gpus, server.total_gpus());
    let number = |given: &str| match given {
        "{gpus}" => Some(used),
        "{total_gpus}" => Some(total),
        "{nodes}" => Some(server.nodes),
        _ => given.parse().ok(),
    };
    let (flag, given) = measured.value_of(&TENSOR_FLAGS)?;
    // A mistyped placeholder is told as that.
    let is_mistyped = Word::parse(given).is_ok_and(|it| it.mistyped_placeholders().count() > 0);
    if is_mistyped {
        return None;
    }
    let lone = Problem::TensorParallelism {
        flag: flag.to_owned(),
        given: given.to_owned(),
        used,
    };
    let Some(first) = number(given) else {
        return Some(lone);
    };
    let mut flags = format!("{flag} {given}");
    let mut products = vec![u64::from(first)];
    for (flag, given) in OTHER_FLAGS.iter().filter_map(|own| measured.value_of(own)) {
        // It is not known what the server makes of another text.
        let times = u64::from(number(given)?);
        for place in 0..products.len() {
            products.push(products[place].saturating_mul(times));
        }
        flags.push_str(&format!(" {flag} {given}"));
    }
    let product = *products.last()?;
    let fits = |product: &u64| [used, total].map(u64::from).contains(product);
    match products.len() {
        _ if products.iter().any(fits) => None,
        1 => Some(lone),
        _ => Some(Problem::ParallelSizes {
            flags,
            product,
            used,
            total,
        }),
    }
}

/// A port that is not the one on which the job asks.
fn other_port(measured: &Measured<'_>, server: &Server) -> Option<Problem> {
    let (replicas, port) = (server.replicas, server.port);
    // Of several servers without ports, that is told.
    if replicas > 1 && !has_port(server) {
        return None;
    }
    let flags = PORT_FLAGS.iter().filter_map(|flag| {
        let (flag, number) = measured.own_value_of(&[flag])?;
        Some((format!("{flag} {number}"), number))
    });
    let variables = PORT_VARIABLES.iter().filter_map(|name| {
        let number = *measured.environment.get(name)?;
        Some((format!("{name}={number}"), number))
    });
    let is_other = |number: &str| {
        let number = number.parse::<u16>();
        number.is_ok_and(|number| replicas > 1 || number != port)
    };
    let (given, _) = flags
        .chain(variables)
        .find(|(_, number)| is_other(number))?;
    Some(Problem::Port {
        given,
        port,
        replicas,
    })
}

/// Whether each of several servers gets its own port.
fn has_port(server: &Server) -> bool {
    let mut words = server.command.iter().chain(server.environment.values());
    words.any(|word| word.as_str().contains("{port}"))
}

/// Words in braces that are no placeholder, but nearly one: a slip, and not a text of its own.
fn check_placeholders(server: &Server, problems: &mut Vec<Problem>) {
    let variants = server.variants.iter();
    let of_variants = variants.flat_map(|own| own.command.iter().chain(own.environment.values()));
    let words = server.command.iter().chain(server.environment.values());
    for word in words.chain(of_variants) {
        for (given, meant) in word.mistyped_placeholders() {
            let problem = Problem::Placeholder {
                given: given.to_owned(),
                meant: meant.join(" or "),
            };
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        let of_nodes = word.placeholders_of_nodes().filter(|_| server.nodes == 1);
        for (given, instead) in of_nodes {
            let problem = Problem::PlaceholderOfNodes { given, instead };
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
}

/// A command has no secret: scripts, manifests and the list of processes would show it.
fn check_secrets(command: &[Word], problems: &mut Vec<Problem>) {
    const OPTIONS: [&str; 3] = ["--api-key", "--admin-api-key", "--hf-token"];
    // A command may be the text of a shell.
    let words = command
        .iter()
        .flat_map(|word| word.as_str().split_whitespace());
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word, words.peek().copied()),
        };
        let name = option.replace('_', "-");
        // A variable of a shell is no secret, but the job has no key for the server.
        let is_of_hub = |value: &str| name == "--hf-token" && value.starts_with('$');
        let is_given = |value: &str| !value.starts_with('-') && !is_of_hub(value);
        if OPTIONS.contains(&name.as_str()) && value.is_some_and(is_given) {
            let option = option.to_owned();
            problems.push(Problem::SecretWord { option });
        }
    }
}

/// A variable for the server must neither be a secret nor say which GPUs it uses. All others are the recipe's to
/// say: they are set in the container, behind srun and the runtime.
fn check_variable(name: &EnvName, value: &Word, problems: &mut Vec<Problem>) {
    if may_be_secret(name.as_str(), value.as_str()) {
        problems.push(Problem::SecretValue {
            name: name.to_string(),
        });
    }
    if name.as_str() == "CUDA_VISIBLE_DEVICES" {
        problems.push(Problem::GpuVariable {
            name: name.to_string(),
        });
    }
}

fn check_engine(engine: &Engine, recipe: &Recipe, problems: &mut Vec<Problem>) {
    let is_part = |name: &str| name.starts_with("rank") && name.ends_with(".engine");
    let files = engine.files.iter().map(AsRef::as_ref);
    let parts = files.filter(|name| is_part(name)).count();
    let used = recipe.server.total_gpus();
    if parts != used as usize {
        problems.push(Problem::EngineParts { parts, used });
    }
    let source = &recipe.model.weights.source;
    if !matches!(source, ModelSource::Ngc(_)) {
        problems.push(Problem::EngineSource {
            weights: source.to_string(),
        });
    }
}

/// The client's options against its tool's release, and against one another.
fn check_client(client: &Client, problems: &mut Vec<Problem>) {
    for (key, feature) in client.asked() {
        if let Some((tool, first)) = client.tool.lacks(feature) {
            problems.push(Problem::ClientRelease { key, tool, first });
        }
    }
    if let Some((word, reason)) = client.options.misplaced() {
        problems.push(Problem::ClientOption {
            word: word.to_owned(),
            reason,
        });
    }
    let is_on_hub = client.tokenizer.as_ref().is_some_and(Tokenizer::is_on_hub);
    if let Some(revision) = &client.tokenizer_revision
        && !is_on_hub
    {
        let tokenizer = client.tokenizer.as_ref();
        problems.push(Problem::TokenizerRevision {
            revision: revision.to_string(),
            tokenizer: tokenizer.map_or("the model's own".to_owned(), ToString::to_string),
        });
    }
    if client.goodput.as_ref().is_some_and(Goodput::is_empty) {
        problems.push(Problem::Empty {
            list: "client.goodput",
        });
    }
}

/// An array by server needs variants, another one cannot have them, and the limit is for an array.
fn check_array(recipe: &Recipe, problems: &mut Vec<Problem>) {
    let (sweep, variants) = (&recipe.sweep, &recipe.server.variants);
    if let (None, Some(limit)) = (sweep.array, sweep.array_limit) {
        problems.push(Problem::LimitWithoutArray { limit });
    }
    let array = match sweep.array {
        Some(ArrayBy::Server) if variants.is_empty() => Some("server"),
        Some(ArrayBy::UseCase) if !variants.is_empty() => Some("use_case"),
        Some(ArrayBy::Point) if !variants.is_empty() => Some("point"),
        _ => None,
    };
    problems.extend(array.map(|array| Problem::Variants {
        variants: variants.len(),
        array,
    }));
    let names: Vec<_> = variants.iter().map(|variant| &variant.name).collect();
    if let Some(entry) = first_repeated(&names) {
        problems.push(Problem::Repeated {
            list: "server.variants",
            entry: entry.to_string(),
        });
    }
    for name in names {
        let result_name = format!("{}-{name}", recipe.result_name());
        if let Err(source) = ResultName::parse(&result_name) {
            let (variant, reason) = (name.to_string(), source.to_string());
            problems.push(Problem::VariantName { variant, reason });
        }
    }
}

/// Servers side by side need a node, GPUs and ports that do for all of them.
fn check_replicas(server: &Server, problems: &mut Vec<Problem>) {
    let (replicas, nodes, port) = (server.replicas, server.nodes, server.port);
    if nodes > 1 {
        problems.push(Problem::ReplicasOnNodes { replicas, nodes });
    }
    let last = u64::from(port) + u64::from(replicas) - 1;
    if last > u64::from(u16::MAX) {
        problems.push(Problem::Ports {
            replicas,
            port,
            last,
        });
    }
    if !has_port(server) {
        problems.push(Problem::SharedPort { replicas });
    }
}

fn first_repeated<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter()
        .enumerate()
        .find(|(index, entry)| list[..*index].contains(entry))
        .map(|(_, entry)| entry)
}

/// What the scripts ask of the runtime against what it can do.
fn check_runtime(recipe: &Recipe, settings: &Settings, problems: &mut Vec<Problem>) {
    let runtime = settings.runtime();
    if runtime == Runtime::Pyxis {
        check_pyxis(settings, problems);
        return;
    }
    let mpi = settings.mpi();
    if mpi.as_str() != "none" {
        problems.push(Problem::RuntimeMpi {
            runtime,
            mpi: mpi.to_string(),
        });
    }
    for mount in settings.mounts() {
        if let Some(reason) = runtime.mount_problem(mount) {
            problems.push(Problem::RuntimeMount {
                runtime,
                mount: mount.to_string(),
                reason,
            });
        }
    }
    for source in image_sources(recipe, settings) {
        let registry = source.image.registry();
        if let Some(registry) = registry.filter(|registry| !registry.is_plain()) {
            problems.push(Problem::RuntimeRegistry {
                runtime,
                registry: registry.to_string(),
            });
        }
    }
}

/// launch.sh's own options of pyxis against the site's release.
fn check_pyxis(settings: &Settings, problems: &mut Vec<Problem>) {
    let Some(release) = settings.cluster().pyxis else {
        return;
    };
    for (option, first) in USED_OPTIONS {
        if release < first {
            problems.push(Problem::Pyxis {
                option,
                release: release.to_string(),
                first: first.to_string(),
            });
        }
    }
}

fn check_mounts(recipe: &Recipe, settings: &Settings, problems: &mut Vec<Problem>) {
    let clean = |path: &str| path.trim_end_matches('/').to_owned();
    let mut taken: Vec<(String, String)> = Vec::new();
    let weights = &recipe.model.weights;
    let model = weights.folder();
    if !weights.are_staged() {
        taken.push((clean(&model), "the model".to_owned()));
    }
    if let Some(stage) = settings.stage_path() {
        for (what, folder) in [
            ("the model", model.as_str()),
            ("the results", "results"),
            ("the server's cache", "nim_cache"),
        ] {
            let place = Utf8Path::new(stage.as_str()).join(folder);
            taken.push((place.into_string(), what.to_owned()));
        }
    }
    for mount in settings.mounts() {
        let destination = clean(mount.destination());
        if let Some((_, first)) = taken.iter().find(|(place, _)| *place == destination) {
            problems.push(Problem::MountDestination {
                first: first.clone(),
                second: mount.to_string(),
                destination: destination.clone(),
            });
        }
        taken.push((destination, mount.to_string()));
    }
}
