//! What keeps a recipe and settings from becoming a plan.

use std::fmt;

use crate::container::Runtime;
use crate::job_options::not_for_recipes;
use crate::load::Decimal;
use crate::percentile::Percentile;
use crate::plain::{counted, plain};
use crate::slurm::{OptionName, Release};

/// Everything that keeps a recipe and settings from becoming a plan. `main` may return it: its `Debug` is the sentences, too.
///
/// ```
/// use nim_slurm::{Plan, Problem, Recipe, Settings};
///
/// let settings = Settings::from_toml("slurm.launch = { gres = 'gpu:2', nodes = 2 }")?;
/// let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// assert!(error.problems().iter().any(|problem| matches!(problem, Problem::TooFewGpus { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PlanError {
    problems: Vec<Problem>,
}

crate::plain::debug_in_words!(PlanError);

impl Problem {
    fn script(&mut self) -> Option<&mut String> {
        match self {
            Self::Value { script, .. }
            | Self::Conflict { script, .. }
            | Self::MissingOption { script, .. }
            | Self::Release { script, .. } => Some(script),
            _ => None,
        }
    }

    /// Names the script of another problem, too, if that is the same one of another script.
    fn takes_in(&mut self, other: &Self) -> bool {
        let mut same = other.clone();
        let (Some(script), Some(others)) = (self.script().cloned(), same.script()) else {
            return false;
        };
        let added = format!("{script}, {others}");
        others.clone_from(&script);
        let is_same = same == *self;
        if let Some(script) = self.script().filter(|_| is_same) {
            *script = added;
        }
        is_same
    }
}

/// ", 3 times", if it is more than once.
fn times(repeat: u32) -> String {
    match repeat {
        0 | 1 => String::new(),
        _ => format!(", {repeat} times"),
    }
}

impl PlanError {
    /// `Ok` when there are no problems.
    pub(crate) fn check(found: Vec<Problem>) -> Result<(), Self> {
        let mut problems: Vec<Problem> = Vec::new();
        for problem in found {
            if !problems
                .iter_mut()
                .any(|earlier| earlier.takes_in(&problem))
            {
                problems.push(problem);
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Self { problems })
        }
    }

    /// All problems, at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            // A word of a command may have line breaks.
            f.write_str(&plain(&problem.to_string()))?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanError {}

/// One reason why a recipe and settings do not go together. Its text is one
/// sentence: what was given, where, and what is allowed.
///
/// ```
/// use nim_slurm::{Plan, Problem, Recipe, Settings};
///
/// let settings = Settings::from_toml("slurm.launch.gres = 'gpu:2'")?;
/// let error = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
/// let Problem::TooFewGpus { requested, used, .. } = &error.problems()[0] else {
///     panic!("{error}");
/// };
/// assert_eq!((*requested, *used), (2, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// An option of a script has a value that it cannot have.
    #[error("{script}: {option} ({origin}): {reason}")]
    Value {
        /// The script's file name, or several with ", " between them.
        script: String,
        /// The option.
        option: OptionName,
        /// Where it was given.
        origin: String,
        /// What was given, and what is allowed.
        reason: String,
    },
    /// Two options of one script exclude each other.
    #[error(
        "{script}: {first} ({first_origin}) and {second} ({second_origin}) exclude each other: {reason}"
    )]
    Conflict {
        /// The script's file name, or several with ", " between them.
        script: String,
        /// One option.
        first: OptionName,
        /// Where it was given.
        first_origin: String,
        /// The other.
        second: OptionName,
        /// Where that was given.
        second_origin: String,
        /// Why they do not go together.
        reason: String,
    },
    /// An option of a script means nothing without another one.
    #[error("{script}: {option} ({origin}) needs {one_of}")]
    MissingOption {
        /// The script's file name, or several with ", " between them.
        script: String,
        /// The option.
        option: OptionName,
        /// Where it was given.
        origin: String,
        /// What it needs: one option, or several with "or" between them.
        one_of: String,
    },
    /// The cluster's Slurm does not know an option of a script.
    #[error("{script}: Slurm {release} does not know {option} ({origin}): {reason}")]
    Release {
        /// The script's file name, or several with ", " between them.
        script: String,
        /// The cluster's release.
        release: Release,
        /// The option, with its value if that is what is not known.
        option: String,
        /// Where it was given.
        origin: String,
        /// Which releases know it.
        reason: String,
    },
    /// The cluster's pyxis does not know an option of launch.sh.
    #[error(
        "launch.sh starts containers with {option}, which came with pyxis {first}; the cluster has pyxis {release}"
    )]
    Pyxis {
        /// The option.
        option: &'static str,
        /// The cluster's release.
        release: String,
        /// The first release that knows it.
        first: String,
    },
    /// The runtime hands no MPI on from srun.
    #[error(
        "[srun] mpi = \"{mpi}\" does not go together with [container] runtime = \"{runtime}\": only pyxis hands srun's \
         MPI on into a container, so \"none\" is allowed"
    )]
    RuntimeMpi {
        /// The runtime.
        runtime: Runtime,
        /// The plugin that was asked for.
        mpi: String,
    },
    /// The runtime cannot mount this.
    #[error("{runtime} cannot mount \"{mount}\": {reason}")]
    RuntimeMount {
        /// The runtime.
        runtime: Runtime,
        /// The mount.
        mount: String,
        /// What it cannot do, and what is allowed.
        reason: String,
    },
    /// The runtime would take a registry's name for a part of the image's path.
    #[error(
        "{runtime} reads \"{registry}\" as a part of the image's path, and not as its registry: write a host with a '.' \
         or a port, as in {registry}:443"
    )]
    RuntimeRegistry {
        /// The runtime.
        runtime: Runtime,
        /// The registry.
        registry: String,
    },
    /// The server, or all of several, use more GPUs than the job asks for.
    #[error(
        "launch.sh asks for {} with {option} ({origin}), but the recipe's {} {used}: ask for {used} at least", counted(requested, "GPU"),
        if *replicas == 1 { "server uses".to_owned() } else { format!("{replicas} servers use") }
    )]
    TooFewGpus {
        /// GPUs on a node that the job asks for.
        requested: u64,
        /// The option that asks.
        option: OptionName,
        /// Where it was given.
        origin: String,
        /// GPUs that are used.
        used: u32,
        /// Servers that use them.
        replicas: u32,
    },
    /// Slurm says how many GPUs each node of a server gets.
    #[error(
        "launch.sh asks for --gpus={requested} ({origin}), which Slurm may split unevenly over the {nodes} nodes of the \
         recipe's server: say how many each node gets, as in gres = '{gres}'"
    )]
    SplitGpus {
        /// What was asked for.
        requested: String,
        /// Where it was given.
        origin: String,
        /// Nodes that the server runs on.
        nodes: u32,
        /// What says it for each node: the entry of `--gres`.
        gres: String,
    },
    /// Several servers are to share one node, and each of them to run on several nodes.
    #[error(
        "the recipe has {replicas} servers side by side, each on {nodes} nodes: with several servers, server.nodes = 1 \
         is allowed"
    )]
    ReplicasOnNodes {
        /// Servers side by side.
        replicas: u32,
        /// Nodes of each.
        nodes: u32,
    },
    /// The ports of several servers are more than there are.
    #[error(
        "the recipe's {replicas} servers would listen on the ports from {port} to {last}: 65535 is the last one"
    )]
    Ports {
        /// Servers side by side.
        replicas: u32,
        /// The first one's port.
        port: u16,
        /// What would be the last one's.
        last: u64,
    },
    /// Several servers would all listen on the same port.
    #[error(
        "the recipe's {replicas} servers do not get ports of their own: {{port}} is needed in server.command or \
         server.environment"
    )]
    SharedPort {
        /// Servers side by side.
        replicas: u32,
    },
    /// One server cannot do what is asked of several.
    #[error(
        "the recipe's sweep.replicas is \"together\", but it has one server: server.replicas must be 2 or more"
    )]
    SingleReplica,
    /// Both the recipe's sweep and an option make the launch job an array.
    #[error(
        "launch.sh gets --array from the recipe's sweep.array, and {array} ({origin}): leave one of them out, and limit \
         the tasks that run at once with sweep.array_limit"
    )]
    ArrayTwice {
        /// What was asked for.
        array: String,
        /// Where it was given.
        origin: String,
    },
    /// A limit of an array that there is not.
    #[error(
        "the recipe's sweep.array_limit is {limit}, but there is no array: sweep.array is needed"
    )]
    LimitWithoutArray {
        /// The limit.
        limit: u32,
    },
    /// An array by server without variants of the server, or another one with them.
    #[error(
        "the recipe has {variants} server.variants, and its sweep.array is \"{array}\": with \"server\" there must be at \
         least one, with \"use_case\" and \"point\" none; without sweep.array, variants take turns in one job"
    )]
    Variants {
        /// Variants of the server.
        variants: usize,
        /// What the array is by.
        array: &'static str,
    },
    /// A variant's results cannot be named.
    #[error("the results of the recipe's server.variants {variant} have no name: {reason}")]
    VariantName {
        /// The variant.
        variant: String,
        /// Why not.
        reason: String,
    },
    /// The server's command splits the model over another number of GPUs.
    #[error(
        "the recipe's server command says {flag} {given}, but server.gpus is {used}: write {flag} {{gpus}}"
    )]
    TensorParallelism {
        /// The command's flag.
        flag: String,
        /// What the flag says.
        given: String,
        /// GPUs that the server uses.
        used: u32,
    },
    /// The server's command splits and repeats the model for another number of GPUs.
    #[error(
        "the recipe's server command says {flags}, which is for {}, but server.gpus is {used}: write numbers whose product \
         is {used}{}",
        counted(product, "GPU"),
        if total == used { String::new() } else { format!(", or {total} for all nodes") }
    )]
    ParallelSizes {
        /// The command's flags with their numbers.
        flags: String,
        /// The product of the numbers.
        product: u64,
        /// GPUs that the server uses on each node.
        used: u32,
        /// GPUs that it uses on all nodes.
        total: u32,
    },
    /// The server is told to listen on another port than the job asks on.
    #[error(
        "the recipe's server has {given}, but {}: write {{port}} in place of the number{}",
        if *replicas == 1 { format!("server.port is {port}") } else { format!("its {replicas} servers get ports from {port} on") },
        if *replicas == 1 { ", or the same number as server.port" } else { "" }
    )]
    Port {
        /// The flag or variable with its number.
        given: String,
        /// The port on which the job asks, of several servers the first.
        port: u16,
        /// Servers side by side.
        replicas: u32,
    },
    /// The engine's file list has other parts than the server has GPUs.
    #[error(
        "the recipe's engine has {}, but its server uses {}: one file for each GPU is needed",
        counted(parts, "rank*.engine file"),
        counted(used, "GPU")
    )]
    EngineParts {
        /// Files `rank*.engine`.
        parts: usize,
        /// GPUs that the server uses.
        used: u32,
    },
    /// A key of the settings' `[cluster]` means nothing without another one.
    #[error(
        "[cluster] of the settings has {key}, which needs gpus = \"gres\" or \"gpus_per_node\""
    )]
    ClusterKey {
        /// The key.
        key: &'static str,
    },
    /// A job would ask for all GPUs of nodes that it shares.
    #[error(
        "[cluster] of the settings has gpus_on_node = {gpus} and nodes = \"shared\": each job would ask for {gpus} GPUs, \
         whatever its server uses. Leave gpus_on_node out, and it asks for as many as the server uses"
    )]
    GpusOfSharedNode {
        /// The GPUs that each job would ask for.
        gpus: u32,
    },
    /// A word in braces is nearly a placeholder.
    #[error(
        "the recipe's server has {given} in its command or environment, which is no placeholder: perhaps {meant} is meant"
    )]
    Placeholder {
        /// The word with its braces.
        given: String,
        /// The placeholder that it looks like, or two.
        meant: String,
    },
    /// A placeholder is for servers on several nodes, and this one is on one.
    #[error(
        "the recipe's server has {given} in its command or environment, which only a server on several nodes has: write \
         {instead} in its place, or nodes = 2 or more"
    )]
    PlaceholderOfNodes {
        /// The placeholder.
        given: &'static str,
        /// What it would be on one node.
        instead: &'static str,
    },
    /// The launch job is warned by a signal that it does not know.
    #[error(
        "launch.sh asks for the signal {requested} ({origin}), which would not let it stop in order: B:USR1, B:USR2, B:TERM \
         and B:INT are allowed, as in B:USR1@30"
    )]
    Signal {
        /// What was asked for.
        requested: String,
        /// Where it was given.
        origin: String,
    },
    /// The launch job is warned by the signal of a cancel, and would not requeue itself.
    #[error(
        "launch.sh asks for requeue and for the signal {requested} ({origin}), which scancel sends, too: a job that was \
         cancelled does not requeue itself; write B:USR1, as in B:USR1@30"
    )]
    SignalWithRequeue {
        /// What was asked for.
        requested: String,
        /// Where it was given.
        origin: String,
    },
    /// The recipe asks for what the release of its client's tool does not know.
    #[error("the recipe asks for {key}, which {tool} does not know: it came with {first}")]
    ClientRelease {
        /// The recipe's key.
        key: &'static str,
        /// The tool and its release.
        tool: String,
        /// The first release of the tool that knows it.
        first: String,
    },
    /// A word of the client's own options has no place.
    #[error("the recipe's client.options has {word:?}: {reason}")]
    ClientOption {
        /// The word.
        word: String,
        /// What is allowed.
        reason: &'static str,
    },
    /// A revision is named of a tokenizer that has none.
    #[error(
        "the recipe's client.tokenizer_revision is {revision}, but its client.tokenizer is {tokenizer}: a revision is \
         allowed of a Hugging Face OWNER/NAME"
    )]
    TokenizerRevision {
        /// The revision.
        revision: String,
        /// The tokenizer.
        tokenizer: String,
    },
    /// What may be a secret's value stands in the recipe.
    #[error(
        "the recipe's server.environment has a value for {name} that may be a secret: leave it out, write secrets = \
         [\"{name}\"] under [server], and export {name} in the shell that submits"
    )]
    SecretValue {
        /// The variable.
        name: String,
    },
    /// A secret stands in the server's command.
    #[error(
        "the recipe's server.command has {option}: a secret would stand in scripts and manifests. Leave it out{}",
        if option.contains("hf") {
            ": name its variable in secrets under [server], which the server then has"
        } else {
            ", and its variable, too: clients send no key, so a server that wants one cannot be measured"
        }
    )]
    SecretWord {
        /// The option that it is given to.
        option: String,
    },
    /// A variable for the server would win over the GPUs that it gets.
    #[error(
        "the recipe's server.environment has {name}, which Slurm and server.replicas decide: leave it out, and say in \
         server.gpus how many GPUs the server uses"
    )]
    GpuVariable {
        /// The variable.
        name: String,
    },
    /// The job asks for another number of nodes than the server runs on.
    #[error(
        "launch.sh asks for {} ({origin}), but the recipe's server runs on {used}: nodes = {used} is allowed",
        counted(requested, "node")
    )]
    Nodes {
        /// What was asked for.
        requested: String,
        /// Where it was given.
        origin: String,
        /// Nodes that the server runs on.
        used: u32,
    },
    /// The batch script of a server on several nodes may run on another one than the first.
    #[error(
        "launch.sh asks for --batch={requested} ({origin}), so it may not run on the first of the {nodes} nodes of the recipe's \
         server, where the leader is: leave it out (batch = false under [slurm.launch])"
    )]
    BatchNode {
        /// What was asked for.
        requested: String,
        /// Where it was given.
        origin: String,
        /// Nodes that the server runs on.
        nodes: u32,
    },
    /// An engine is to be put into weights that are not fetched from NGC.
    #[error(
        "the recipe has an engine, which is fetched from NGC into the folder of weights from there, but its weights are \
         {weights}"
    )]
    EngineSource {
        /// Where the weights come from.
        weights: String,
    },
    /// A file of the weights must be there, and is not fetched.
    #[error(
        "the recipe's model.weights: exclude has \"{pattern}\", which leaves out {file}, and that must be there: correct the \
         pattern, or files"
    )]
    ExcludedFile {
        /// The pattern of `exclude`.
        pattern: String,
        /// The file, or one that is named as the index names them.
        file: String,
    },
    /// Two images would be written to one file.
    #[error(
        "the images {server} and {client} have the same squash file {file}: give one of them another file"
    )]
    SquashFile {
        /// The server's image.
        server: String,
        /// The client's image.
        client: String,
        /// The file.
        file: String,
    },
    /// A recipe sets what is not a recipe's to say.
    #[error("{}", not_for_recipes(option))]
    NotForRecipes {
        /// The option.
        option: String,
    },
    /// Two things would be mounted at one place.
    #[error(
        "{first} and {second} are both mounted at {destination}: each destination can be used once"
    )]
    MountDestination {
        /// One mount.
        first: String,
        /// The other.
        second: String,
        /// The place in the container.
        destination: String,
    },
    /// A use case cannot be measured as it is written.
    #[error("the recipe's use case {use_case}: {reason}")]
    UseCase {
        /// The use case.
        use_case: String,
        /// Why, and what is allowed.
        reason: String,
    },
    /// The sweep would never end.
    #[error(
        "the recipe's sweep has {points} points, each use case at each concurrency{}: at most {most} are allowed",
        times(*repeat)
    )]
    TooManyPoints {
        /// All points, with their repeats.
        points: usize,
        /// How often each is measured.
        repeat: u32,
        /// How many there may be.
        most: usize,
    },
    /// Nothing says how much load there is.
    #[error(
        "the recipe's sweep says neither concurrency nor search: one of them is needed, as in concurrency = [1, 8] or \
         search = {{ itl = 25, to = 64 }}"
    )]
    NoLoad,
    /// A time or a file ends each point, so no percentile makes one longer.
    #[error(
        "the recipe's sweep.percentile = \"{percentile}\" has no effect: it asks for more requests, and a duration or a trace ends \
         the points of each use case: leave it out"
    )]
    PercentileWithoutEffect {
        /// The percentile.
        percentile: Percentile,
    },
    /// A search has levels of its own, and takes one after the other.
    #[error("the recipe's sweep.search does not go with {key}: leave one of them out")]
    SearchBeside {
        /// What stands beside it.
        key: &'static str,
    },
    /// A search without limits has no end.
    #[error(
        "the recipe's sweep.search has no limit: say ttft or itl in ms, or both, as in itl = 25"
    )]
    SearchLimits,
    /// Tools' tables do not have it, so a report could not mark the answer.
    #[error("the recipe's sweep.search has at = \"{at}\": p50, p75, p90, p95 or p99 is allowed")]
    SearchPercentile {
        /// The percentile.
        at: Percentile,
    },
    /// There is no half request.
    #[error(
        "the recipe's sweep.search has {number} requests in flight: expected a whole number, or of = \"request_rate\" for \
         requests in a second"
    )]
    SearchConcurrency {
        /// The lowest or the highest level.
        number: Decimal,
    },
    /// Levels of a rate have two decimals.
    #[error(
        "the recipe's sweep.search has {number} requests in a second: expected at most two decimals"
    )]
    SearchRate {
        /// The lowest or the highest level.
        number: Decimal,
    },
    /// There is no level between two.
    #[error("the recipe's sweep.search goes from {from} to {to}: from must be at most to")]
    SearchRange {
        /// The lowest level.
        from: Decimal,
        /// The highest level.
        to: Decimal,
    },
    /// A script has all levels.
    #[error(
        "the recipe's sweep.search has {levels} levels for each of {use_cases} use cases: at most {most} in all are allowed, \
         so raise within, or bring from and to nearer"
    )]
    TooManyLevels {
        /// The levels.
        levels: usize,
        /// How many use cases there are.
        use_cases: usize,
        /// How many levels there may be in all.
        most: usize,
    },
    /// A number of the recipe is too small or too large.
    #[error("the recipe's {key} is {given}: {allowed}")]
    Number {
        /// The number's key.
        key: &'static str,
        /// The number.
        given: u32,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A list of the recipe is empty.
    #[error("the recipe's {list} is empty: at least one entry is needed")]
    Empty {
        /// The list's key.
        list: &'static str,
    },
    /// A list of the recipe has an entry twice.
    #[error("the recipe's {list} has {entry} twice: once is enough")]
    Repeated {
        /// The list's key.
        list: &'static str,
        /// The entry.
        entry: String,
    },
}
