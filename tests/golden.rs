//! The scripts byte for byte. After a change that is meant: `SNAPSHOTS=overwrite
//! cargo test --test golden`, a look at the difference, and a line in CHANGELOG.md
//! under "Scripts".

#[path = "common/client.rs"]
mod client;

use std::collections::BTreeSet;
use std::process::Command;

use nim_slurm::container::Runtime;
use nim_slurm::recipe::{ArrayBy, Client, ClientTool, Goodput, ModelSource, ReplicaUse};
use nim_slurm::{HookPlace, Plan, Recipe, ScriptKind, Settings};
use snapbox::{assert_data_eq, file};

use crate::client::client_program;

/// No settings at all: what a new user gets.
fn default_plan() -> Plan {
    Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new()).unwrap()
}

/// A site that decides everything it can.
fn full_plan() -> Plan {
    let settings = Settings::from_toml(
        r#"
        stage_path = "/lustre/project/nim"

        [slurm]
        partition = "h100,h200"
        account = "proj-7"
        gres = "gpu:h100:8"
        comment = '''{"exempt": "it's \"idle\" while it loads"} # $(id)'''
        switches = "1@10:00"

        [slurm.setup]
        partition = "cpu"
        gres = false

        [slurm.launch]
        time = "02:00:00"
        requeue = true
        output = "logs of %x/%j.out"

        [srun]
        mpi = "none"

        [container]
        mounts = ["/lustre/data:/data:ro", "tmpfs:/scratch"]
        registries = { "nvcr.io" = "mirror.site:5000" }
        "#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let mut recipe = Recipe::llama3_70b_h100x4_fp8()
        .with_concurrency([1, 8].map(|n| n.try_into().unwrap()))
        .with_use_cases(["chat:128/128".parse().unwrap()])
        .with_tokenizer("meta-llama/Meta-Llama-3-70B-Instruct".parse().unwrap());
    recipe.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
    recipe.server.command.push(
        "--chat-template=it's \"$HOME\" `id`\n{model_path}"
            .parse()
            .unwrap(),
    );
    recipe.client.tool = ClientTool::GenaiPerf("0.0.16".parse().unwrap());
    Plan::new(recipe, settings).unwrap()
}

/// Another built-in recipe: several nodes, or another server and another source of the
/// model.
fn built_in(name: &str) -> Plan {
    Plan::new(Recipe::built_in(name).unwrap(), Settings::new()).unwrap()
}

fn deepseek_plan() -> Plan {
    built_in("deepseek-r1-h100x16-nim")
}

fn vllm_plan() -> Plan {
    built_in("llama3-3-70b-h100x4-vllm")
}

/// A site that adds all that one can add.
fn site_plan() -> Plan {
    let settings = Settings::from_toml(
        r#"
        [cluster]
        gpus = "gres"
        gpu_type = "h100"
        nodes = "shared"
        modules = ["enroot/3.5.0", "pmix"]
        enroot_cache_path = "/scratch/cache"
        enroot_temp_path = "/scratch/temp"
        proxy = { https = "http://proxy.site:3128", no_proxy = "localhost,.site" }
        "#,
    )
    .unwrap();
    let settings = HookPlace::ALL.iter().fold(settings, |settings, &place| {
        let lines = format!("# {place:?}: it's $HOME\nexport OWN=\"$(id -un)\"\n");
        settings.with_hook(place, lines.parse().unwrap())
    });
    Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap()
}

/// A model that is there already.
fn there_plan() -> Plan {
    let mut recipe = Recipe::built_in("llama3-3-70b-h100x4-vllm").unwrap();
    recipe.model.weights.source = ModelSource::Path("/lustre/models/llama-3.3".parse().unwrap());
    recipe.model.weights.exclude.clear();
    Plan::new(recipe, Settings::new()).unwrap()
}

/// The built-in recipe with two servers on a node of eight GPUs.
fn replicas_plan(sweep: ReplicaUse) -> Plan {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.server.replicas = 2.try_into().unwrap();
    recipe.sweep.replicas = sweep;
    Plan::new(recipe, Settings::new()).unwrap()
}

fn shared_plan() -> Plan {
    replicas_plan(ReplicaUse::Split)
}

fn alike_plan() -> Plan {
    replicas_plan(ReplicaUse::Together)
}

/// A job array, a task for each use case.
fn array_plan() -> Plan {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.sweep.array = Some(ArrayBy::UseCase);
    recipe.sweep.array_limit = Some(1.try_into().unwrap());
    Plan::new(recipe, Settings::new()).unwrap()
}

/// All of it together: an array whose tasks have several servers each.
fn array_of_replicas_plan() -> Plan {
    let mut recipe = array_plan().recipe().clone();
    recipe.server.replicas = 2.try_into().unwrap();
    recipe.sweep.replicas = ReplicaUse::Together;
    Plan::new(recipe, Settings::new()).unwrap()
}

/// A job array, a task for each variant of the server.
fn variants_plan() -> Plan {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    let batch = "name = 'batch-64'\ncommand = ['--max-num-seqs', '64']";
    let quoted = "name = 'quoted'\nenvironment = { NOTE = \"it's $HOME\" }";
    recipe.server.variants = [batch, quoted]
        .map(|text| toml::from_str(text).unwrap())
        .into();
    recipe.sweep.array = Some(ArrayBy::Server);
    Plan::new(recipe, Settings::new()).unwrap()
}

/// The built-in recipe, measured by AIPerf.
fn aiperf_recipe() -> Recipe {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    recipe.client.image = "registry.site/aiperf:0.13.0".parse().unwrap();
    recipe.client.file = None;
    recipe
}

fn aiperf_plan() -> Plan {
    Plan::new(aiperf_recipe(), Settings::new()).unwrap()
}

/// AIPerf with all that it can be asked for.
fn full_aiperf_plan() -> Plan {
    let mut recipe = aiperf_recipe();
    recipe.client.warmup_requests = Some(10.try_into().unwrap());
    recipe.client.goodput = Some(goodput());
    Plan::new(recipe, Settings::new()).unwrap()
}

/// The built-in recipe, measured by the GenAI-Perf of another SDK image.
fn release_plan(image: &str, keys: impl FnOnce(&mut Client)) -> Plan {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.client.tool = ClientTool::GenaiPerf(image.parse().unwrap());
    let reference = format!("nvcr.io/nvidia/tritonserver:{image}-py3-sdk");
    recipe.client.image = reference.parse().unwrap();
    recipe.client.file = None;
    keys(&mut recipe.client);
    Plan::new(recipe, Settings::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn goodput() -> Goodput {
    let mut goodput = Goodput::default();
    goodput.time_to_first_token = Some("500".parse().unwrap());
    goodput.inter_token_latency = Some("12.5".parse().unwrap());
    goodput
}

/// The oldest, which has no subcommand and other rows.
fn oldest_release_plan() -> Plan {
    release_plan("24.05", |_| {})
}

/// The last whose tables do not count requests.
fn uncounted_release_plan() -> Plan {
    release_plan("24.12", |client| {
        client.warmup_requests = Some(10.try_into().unwrap());
        client.goodput = Some(goodput());
    })
}

/// The newest, which takes no kind of service and writes into a folder of its own.
fn newest_release_plan() -> Plan {
    release_plan("25.12", |client| {
        client.tokenizer = Some("meta-llama/Meta-Llama-3-70B-Instruct".parse().unwrap());
        client.tokenizer_revision = Some("main".parse().unwrap());
        client.tokenizer_trust_remote_code = true;
        client.warmup_requests = Some(10.try_into().unwrap());
        client.goodput = Some(goodput());
    })
}

/// A site that runs its containers with another runtime, with all that it can mount.
fn runtime_plan(runtime: &str, mounts: &str) -> Plan {
    let settings = format!(
        "stage_path = '/lustre/project/nim'\nslurm.launch = {{ gres = 'gpu:8' }}\n\
         container = {{ runtime = '{runtime}', mounts = [{mounts}] }}"
    );
    let settings = Settings::from_toml(&settings).unwrap_or_else(|error| panic!("{error}"));
    let mut recipe = Recipe::llama3_70b_h100x4_fp8();
    recipe.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
    Plan::new(recipe, settings).unwrap_or_else(|error| panic!("{error}"))
}

fn apptainer_plan() -> Plan {
    runtime_plan("apptainer", "'/lustre/data:/data:ro+rbind', '/scratch'")
}

fn podman_plan() -> Plan {
    runtime_plan(
        "podman",
        "'/lustre/data:/data:ro+rslave', 'tmpfs:/scratch:noexec'",
    )
}

/// Several nodes under a runtime that is no part of Slurm.
fn nodes_under_podman_plan() -> Plan {
    let settings = Settings::new().with_runtime(Runtime::Podman);
    Plan::new(
        Recipe::built_in("deepseek-r1-h100x16-nim").unwrap(),
        settings,
    )
    .unwrap()
}

#[test]
fn scripts_for_apptainer() {
    let plan = apptainer_plan();
    assert_data_eq!(
        plan.setup().text(),
        file!["golden/apptainer/setup.sh"].raw()
    );
    assert_data_eq!(
        plan.launch().text(),
        file!["golden/apptainer/launch.sh"].raw()
    );
}

#[test]
fn scripts_for_podman() {
    let plan = podman_plan();
    assert_data_eq!(plan.setup().text(), file!["golden/podman/setup.sh"].raw());
    assert_data_eq!(plan.launch().text(), file!["golden/podman/launch.sh"].raw());
}

#[test]
fn scripts_of_genai_perf_s_releases() {
    assert_data_eq!(
        oldest_release_plan().launch().text(),
        file!["golden/genai-perf-24.05/launch.sh"].raw()
    );
    assert_data_eq!(
        uncounted_release_plan().launch().text(),
        file!["golden/genai-perf-24.12/launch.sh"].raw()
    );
    assert_data_eq!(
        newest_release_plan().launch().text(),
        file!["golden/genai-perf-25.12/launch.sh"].raw()
    );
}

#[test]
fn aiperf_scripts() {
    assert_data_eq!(
        aiperf_plan().launch().text(),
        file!["golden/aiperf/launch.sh"].raw()
    );
    assert_data_eq!(
        full_aiperf_plan().launch().text(),
        file!["golden/aiperf-full/launch.sh"].raw()
    );
}

#[test]
fn scripts_for_servers_side_by_side() {
    assert_data_eq!(
        shared_plan().launch().text(),
        file!["golden/shared/launch.sh"].raw()
    );
    assert_data_eq!(
        alike_plan().launch().text(),
        file!["golden/alike/launch.sh"].raw()
    );
}

#[test]
fn scripts_of_job_arrays() {
    assert_data_eq!(
        array_plan().launch().text(),
        file!["golden/array/launch.sh"].raw()
    );
    assert_data_eq!(
        variants_plan().launch().text(),
        file!["golden/variants/launch.sh"].raw()
    );
}

#[test]
fn scripts_for_several_nodes() {
    let plan = deepseek_plan();
    assert_data_eq!(
        plan.prepare_models().text(),
        file!["golden/deepseek/prepare_models.sh"].raw()
    );
    assert_data_eq!(
        plan.launch().text(),
        file!["golden/deepseek/launch.sh"].raw()
    );
}

#[test]
fn scripts_for_a_model_of_the_hub() {
    let plan = vllm_plan();
    assert_data_eq!(plan.setup().text(), file!["golden/vllm/setup.sh"].raw());
    assert_data_eq!(
        plan.prepare_models().text(),
        file!["golden/vllm/prepare_models.sh"].raw()
    );
    assert_data_eq!(plan.launch().text(), file!["golden/vllm/launch.sh"].raw());
}

#[test]
fn scripts_of_a_site() {
    let plan = site_plan();
    assert_data_eq!(plan.setup().text(), file!["golden/site/setup.sh"].raw());
    assert_data_eq!(
        plan.prepare_models().text(),
        file!["golden/site/prepare_models.sh"].raw()
    );
    assert_data_eq!(plan.launch().text(), file!["golden/site/launch.sh"].raw());
}

#[test]
fn script_for_a_model_that_is_there() {
    assert_data_eq!(
        there_plan().prepare_models().text(),
        file!["golden/there/prepare_models.sh"].raw()
    );
}

#[test]
fn default_scripts() {
    let plan = default_plan();
    assert_data_eq!(plan.setup().text(), file!["golden/default/setup.sh"].raw());
    assert_data_eq!(
        plan.prepare_models().text(),
        file!["golden/default/prepare_models.sh"].raw()
    );
    assert_data_eq!(
        plan.launch().text(),
        file!["golden/default/launch.sh"].raw()
    );
}

#[test]
fn full_scripts() {
    let plan = full_plan();
    assert_data_eq!(plan.setup().text(), file!["golden/full/setup.sh"].raw());
    assert_data_eq!(
        plan.prepare_models().text(),
        file!["golden/full/prepare_models.sh"].raw()
    );
    assert_data_eq!(plan.launch().text(), file!["golden/full/launch.sh"].raw());
}

/// The crate's version stands in one line, so that a release changes one line.
#[test]
fn the_version_stands_once() {
    for kind in ScriptKind::ALL {
        let script = full_plan().script(kind);
        let version = format!("nim-slurm {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(script.text().matches(&version).count(), 1);
    }
}

#[test]
fn same_input_same_bytes() {
    for kind in ScriptKind::ALL {
        assert_eq!(full_plan().script(kind), full_plan().script(kind));
    }
}

#[test]
fn sbatch_takes_the_form() {
    for kind in ScriptKind::ALL {
        let script = full_plan().script(kind);
        let text = script.text();
        assert!(
            text.starts_with("#!")
                && text.ends_with('\n')
                && !text.contains('\r')
                && !text.contains('\0')
        );
        assert!(text.len() < 4 << 20);
        // sbatch stops at the first line that is no comment.
        let first_command = text
            .lines()
            .position(|line| !line.is_empty() && !line.starts_with('#'))
            .unwrap();
        let all = text
            .lines()
            .filter(|line| line.starts_with("#SBATCH"))
            .count();
        let read = text
            .lines()
            .take(first_command)
            .filter(|line| line.starts_with("#SBATCH"))
            .count();
        assert!(
            all > 3 && read == all,
            "{kind:?}: sbatch reads {read} of {all} directives"
        );
    }
}

fn check(tool: &str, arguments: &[&str], text: &str) {
    use std::io::Write;

    let mut child = Command::new(tool)
        .args(arguments)
        .arg("/dev/stdin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {tool}: {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && words.is_empty(),
        "{tool}: {}",
        String::from_utf8_lossy(&words)
    );
}

/// Each plan of which something is compared above, and what bash and shellcheck read too.
const PLANS: &[fn() -> Plan] = &[
    site_plan,
    default_plan,
    full_plan,
    aiperf_plan,
    deepseek_plan,
    vllm_plan,
    there_plan,
    full_aiperf_plan,
    oldest_release_plan,
    uncounted_release_plan,
    newest_release_plan,
    shared_plan,
    alike_plan,
    array_plan,
    variants_plan,
    array_of_replicas_plan,
    apptainer_plan,
    podman_plan,
    nodes_under_podman_plan,
];

#[test]
fn bash_reads_the_scripts() {
    for make in PLANS {
        let plan = make();
        for kind in ScriptKind::ALL {
            check("bash", &["-n"], plan.script(kind).text());
        }
        check("bash", &["-n"], client_program(plan.launch().text()));
    }
}

/// Gives shellcheck each text once: many plans share a script, and reading one takes a
/// second.
fn shellcheck(arguments: &[&str], texts: impl IntoIterator<Item = String>) {
    let arguments = [&["--shell=bash"], arguments].concat();
    for text in texts.into_iter().collect::<BTreeSet<_>>() {
        check("shellcheck", &arguments, &text);
    }
}

fn scripts(kind: ScriptKind) -> impl Iterator<Item = String> {
    PLANS
        .iter()
        .map(move |make| make().script(kind).text().to_owned())
}

#[test]
#[ignore = "needs shellcheck: tests/run installs it"]
fn shellcheck_finds_nothing_in_launch_scripts() {
    shellcheck(&[], scripts(ScriptKind::Launch));
}

#[test]
#[ignore = "needs shellcheck: tests/run installs it"]
fn shellcheck_finds_nothing_in_the_others() {
    let others = [ScriptKind::Setup, ScriptKind::PrepareModels];
    shellcheck(&[], others.into_iter().flat_map(scripts));
    // launch.sh declares what the client's program reads, and traps call on_signal.
    let clients = scripts(ScriptKind::Launch).map(|text| client_program(&text).to_owned());
    shellcheck(&["--exclude=SC2154,SC2317"], clients);
}
