//! The programs that the scripts need, and what they can do.

use super::ask::{Answer, Reply};
use super::fix::words;
use super::to_fetch::ToFetch;
use super::{Finding, Preflight, Severity, by_scripts, in_parallel, listed};
use crate::container::{Registry, Runtime};
use crate::job_options::ScriptKind;
use crate::recipe::ModelSource;
use crate::script::images::ImageSource;
use crate::settings::Mpi;
use crate::shell::shell_word;
use crate::slurm::{Release, UnknownOption};

/// A program that is looked for on this machine.
struct Tool {
    name: &'static str,
    /// How it is asked for its version.
    version: &'static str,
    /// What needs it, and where.
    use_of_it: &'static str,
    /// How much it matters that it is not here.
    absence: Severity,
    /// What to do about that.
    fix: &'static str,
    /// The script on whose node it is needed: behind `fix` follows what asks that node.
    node: Option<ScriptKind>,
}

/// The programs of Slurm that are looked for.
const OF_SLURM: [&str; 7] = [
    "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct",
];

/// What stands in the way where nothing of Slurm is here, or nothing of it works: one thing to fix.
pub(super) fn slurm_is_away(preflight: &Preflight<'_>) -> Option<Finding> {
    let mut here = OF_SLURM
        .iter()
        .filter(|name| preflight.find(name).is_some());
    if here.next().is_none() {
        return Some(Finding::error(
            "no sbatch on PATH here, nor any other program of Slurm, so the jobs could not be checked",
            "use a login node of the cluster, or load its Slurm module",
        ));
    }
    // Without a configuration each of them fails, whatever it is asked.
    let mut reason = None;
    for name in ["sbatch", "squeue"] {
        match preflight.ask(name, &["--version"]) {
            Answer::Said(reply) if !reply.is_success && !reply.stderr.trim().is_empty() => {
                let last = reply.stderr.trim_end().lines().next_back();
                reason.get_or_insert_with(|| preflight.words(last.unwrap_or_default()));
            }
            // They look for it again and again, for a minute.
            Answer::TooLate => {
                let file = preflight.variables.get("SLURM_CONF")?.to_string_lossy();
                if !matches!(preflight.ask("test", &["-e", &file]), Answer::Said(reply) if !reply.is_success)
                {
                    return None;
                }
                reason = Some(format!("SLURM_CONF names {file}, which is not there"));
                break;
            }
            _ => return None,
        }
    }
    Some(Finding::error(
        format!(
            "Slurm's programs do not work here, so the jobs could not be checked: {}",
            reason?
        ),
        words("set SLURM_CONF as the site says, or load its Slurm module; then try: ")
            .command("sbatch --version"),
    ))
}

/// Asks nothing of Slurm where `is_slurm_away`.
pub(super) fn check(
    preflight: &Preflight<'_>,
    to_fetch: &ToFetch,
    is_slurm_away: bool,
) -> Vec<Finding> {
    let mut tools = tools(preflight, to_fetch);
    tools.retain(|tool| !(is_slurm_away && OF_SLURM.contains(&tool.name)));
    let mut findings = in_parallel(&tools, |tool| tool.check(preflight));
    findings.push(plain_tools(preflight));
    if !is_slurm_away {
        findings.extend(release(preflight));
        findings.extend(container_options(preflight));
        findings.extend(mpi(preflight));
    }
    findings.extend(digests(preflight, to_fetch));
    findings.extend(architectures(preflight, to_fetch));
    findings
}

fn tools(preflight: &Preflight<'_>, to_fetch: &ToFetch) -> Vec<Tool> {
    let slurm = |name, use_of_it, absence| Tool {
        name,
        version: "--version",
        use_of_it,
        absence,
        fix: "use a login node of the cluster, or load its Slurm module",
        node: None,
    };
    let mut tools = vec![
        slurm("sbatch", "submits the jobs, from here", Severity::Error),
        slurm(
            "srun",
            "starts all steps, on the compute node",
            Severity::Warning,
        ),
        slurm(
            "squeue",
            "tells jobs and steps apart, on the compute node",
            Severity::Warning,
        ),
        slurm(
            "scancel",
            "stops the server gently, on the compute node",
            Severity::Warning,
        ),
        slurm(
            "scontrol",
            "puts a job into the queue again, on the compute node",
            Severity::Warning,
        ),
        slurm(
            "sinfo",
            "describes the partitions to this check, here",
            Severity::Note,
        ),
        slurm(
            "sacct",
            "tells of jobs that ended long ago, here",
            Severity::Note,
        ),
        runtime(preflight),
        Tool {
            name: "b3sum",
            version: "--version",
            use_of_it: "compares the engine's checksums, where prepare_models.sh runs",
            absence: Severity::Note,
            fix: "install b3sum, or do without: sizes are compared all the same",
            node: None,
        },
    ];
    if preflight.plan.settings().runtime() == Runtime::Pyxis {
        tools.push(Tool {
            name: "unsquashfs",
            version: "-version",
            use_of_it: "looks into images once more, where it is there",
            absence: Severity::Note,
            fix: "install squashfs-tools, or do without",
            node: None,
        });
    }
    // hf has no --version before 2.
    let (name, version, fix) = match preflight.plan.recipe().model.weights.source {
        ModelSource::Ngc(_) => (
            "ngc",
            "--version",
            "get it from https://org.ngc.nvidia.com/setup/installers/cli, unless that node has it: ",
        ),
        ModelSource::HuggingFace(_) => (
            "hf",
            "version",
            "install huggingface_hub with pip, unless that node has it: ",
        ),
        ModelSource::Path(_) => return tools,
    };
    tools.push(Tool {
        name,
        version,
        use_of_it: "downloads the model, on the node of prepare_models.sh",
        // As a job, which it is by default, it runs on another node.
        absence: if to_fetch.is_model_needed() {
            Severity::Warning
        } else {
            Severity::Ok
        },
        fix,
        node: Some(ScriptKind::PrepareModels),
    });
    tools
}

/// What fetches the images and starts containers.
fn runtime(preflight: &Preflight<'_>) -> Tool {
    let (name, version) = match preflight.plan.settings().runtime() {
        Runtime::Pyxis => ("enroot", "version"),
        Runtime::Apptainer => ("apptainer", "--version"),
        Runtime::Podman => ("podman", "--version"),
    };
    Tool {
        name,
        version,
        use_of_it: "imports the images and starts containers, on the compute node",
        absence: Severity::Note,
        fix: "ask the node itself: ",
        node: Some(ScriptKind::Setup),
    }
}

impl Tool {
    fn check(&self, preflight: &Preflight<'_>) -> Finding {
        let Self {
            name, use_of_it, ..
        } = self;
        let Some(path) = preflight.find(name) else {
            let message = format!("no {name} on PATH here; it {use_of_it}");
            // What nothing needs now is no finding to fix.
            let fix = (self.absence > Severity::Ok).then(|| match self.node {
                Some(kind) => {
                    let question = format!("{name} {}", self.version);
                    words(self.fix).command(&preflight.on_compute_node(kind, &question))
                }
                None => words(self.fix),
            });
            return Finding::new(self.absence, message, fix);
        };
        let place = path.display();
        match preflight.ask(name, &[self.version]) {
            Answer::Said(reply) if reply.is_success || self.names_itself(reply.first_line()) => {
                Finding::ok(format!(
                    "{name} is {place}: {}",
                    preflight.words(version_line(&reply))
                ))
            }
            Answer::Said(reply) => Finding::warning(
                format!(
                    "{name} is {place}, but does not say its version: {}",
                    // What a failing program says last weighs most.
                    preflight.words(
                        reply
                            .stderr
                            .trim_end()
                            .lines()
                            .next_back()
                            .unwrap_or_default()
                    )
                ),
                words("try it by hand: ").command(&format!("{name} {}", self.version)),
            ),
            answer => {
                preflight.unanswered(&format!("{name} {}", self.version), &answer, "its version")
            }
        }
    }

    /// unsquashfs ends with 1 when it is asked, in old releases. `NAME: error` is no
    /// version.
    fn names_itself(&self, line: &str) -> bool {
        line.strip_prefix(self.name)
            .is_some_and(|rest| rest.starts_with(' '))
    }
}

/// The first line with a version in it, since hf 2 has a title above; else the first.
fn version_line(reply: &Reply) -> &str {
    let is_version = |line: &&str| {
        line.as_bytes()
            .windows(3)
            .any(|three| three[1] == b'.' && three[0].is_ascii_digit() && three[2].is_ascii_digit())
    };
    let line = reply.stdout.lines().map(str::trim).find(is_version);
    line.unwrap_or_else(|| reply.first_line())
}

/// What every Linux has, except containers and busybox systems.
fn plain_tools(preflight: &Preflight<'_>) -> Finding {
    const NEEDED: [&str; 12] = [
        "awk", "df", "find", "flock", "grep", "mktemp", "numfmt", "od", "sed", "stat", "tail", "tr",
    ];
    let absent: Vec<_> = NEEDED
        .into_iter()
        .filter(|name| preflight.find(name).is_none())
        .collect();
    if absent.is_empty() {
        return Finding::ok(format!(
            "the scripts' plain tools are here: {}",
            listed(&NEEDED)
        ));
    }
    let names = absent.join(" ");
    let question = format!("bash -c {}", shell_word(&format!("type {names}")));
    Finding::note(
        format!(
            "no {} on PATH here; the scripts need {} where they run",
            listed(&absent),
            if absent.len() == 1 { "it" } else { "them" }
        ),
        words("ask the node itself: ")
            .command(&preflight.on_compute_node(ScriptKind::Launch, &question)),
    )
}

/// The scripts' options against Slurm's release.
fn release(preflight: &Preflight<'_>) -> Vec<Finding> {
    let Answer::Said(reply) = preflight.ask("sbatch", &["--version"]) else {
        return Vec::new();
    };
    let Some(release) = Release::from_version(reply.first_line()) else {
        return vec![Finding::warning(
            format!(
                "the release of Slurm is unknown: sbatch --version says {:?}",
                preflight.words(reply.first_line())
            ),
            words("make sure that the sbatch on PATH is Slurm's: ").command("type -a sbatch"),
        )];
    };
    let mut findings = Vec::new();
    let (oldest, newest) = (Release::OLDEST, Release::NEWEST);
    if release < oldest || release > newest {
        findings.push(Finding::warning(
            format!("Slurm {release} is none of the releases from {oldest} to {newest}, for which the options were checked"),
            "read the head of each script before you submit it",
        ));
    }
    let unknown = ScriptKind::ALL.into_iter().flat_map(|kind| {
        let options = preflight.plan.directives(kind).unknown_to(release);
        let words =
            |unknown: UnknownOption| (unknown.option().to_owned(), unknown.reason().to_owned());
        options
            .into_iter()
            .map(move |unknown| (kind, words(unknown)))
    });
    for (scripts, (option, reason)) in by_scripts(unknown) {
        findings.push(Finding::new(
            scripts.weight(),
            format!("Slurm {release} does not know {option} of {scripts}: {reason}"),
            Some("take it out of the settings"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(format!(
            "Slurm {release} knows all options of the scripts"
        )));
    }
    findings
}

/// pyxis, as launch.sh looks for it; other runtimes need nothing of srun.
fn container_options(preflight: &Preflight<'_>) -> Option<Finding> {
    if preflight.plan.settings().runtime() != Runtime::Pyxis {
        return None;
    }
    match preflight.ask("srun", &["--help"]) {
        Answer::Absent => None,
        Answer::Said(reply) if reply.is_success => {
            let help = reply.stdout + &reply.stderr;
            // The newest option that launch.sh uses.
            Some(if help.contains("--container-env") {
                Finding::ok("srun knows --container-env, so pyxis is here")
            } else {
                Finding::error(
                    "srun has no --container-env here: the pyxis plugin is missing or older than 0.15, and launch.sh cannot start containers",
                    words("ask the site for pyxis; if only this machine lacks it, this shows it: ")
                        .command(&preflight.on_compute_node(
                            ScriptKind::Launch,
                            "srun --help | grep container-env",
                        )),
                )
            })
        }
        answer => Some(preflight.unanswered("srun --help", &answer, "its options")),
    }
}

/// The MPI plugin, as launch.sh looks for it.
fn mpi(preflight: &Preflight<'_>) -> Option<Finding> {
    let mpi = preflight.plan.settings().mpi();
    if mpi.as_str() == "none" {
        return Some(Finding::ok("the server's step uses no MPI plugin"));
    }
    match preflight.ask("srun", &["--mpi=list"]) {
        Answer::Absent => None,
        Answer::Said(reply) if reply.is_success => {
            let known = mpi_plugins(&(reply.stdout + &reply.stderr));
            Some(if known.iter().any(|name| name == mpi.as_str()) {
                loaded_mpi(preflight, &mpi)
            } else {
                Finding::error(
                    format!(
                        "srun has no MPI plugin {mpi}, which launch.sh asks for; it has {}",
                        listed(&known)
                    ),
                    "add --mpi with one of these (in the settings: mpi under [srun]), or --mpi none",
                )
            })
        }
        answer => Some(preflight.unanswered("srun --mpi=list", &answer, "its MPI plugins")),
    }
}

/// Whether srun can load a plugin that it lists: the list names files that are there,
/// also where the library that they need is not. srun loads it before it asks for
/// nodes, and `--test-only` asks for none.
fn loaded_mpi(preflight: &Preflight<'_>, mpi: &Mpi) -> Finding {
    let option = format!("--mpi={mpi}");
    let arguments = [&option, "--test-only", "true"].map(str::to_owned);
    // Inside of an allocation, srun would take a step of it instead of asking.
    let allocation = ["SLURM_JOB_ID", "SLURM_JOBID"].map(str::to_owned);
    match preflight.ask_with("srun", &arguments, "", &allocation) {
        Answer::Said(reply) if reply.stderr.to_lowercase().contains("invalid mpi type") => {
            // Its library may be on the nodes alone. Here, srun would load it before it asks for a node, so the
            // question starts another one there, as a step beside its own.
            let question = format!("bash -c 'srun --overlap --mem=0 {option} true'");
            Finding::warning(
                format!(
                    "srun lists the MPI plugin {mpi}, but cannot load it on this machine: {}",
                    preflight.words(reply.stderr.lines().next().unwrap_or_default())
                ),
                words("ask a node; no error means that it can: ")
                    .command(&preflight.on_compute_node(ScriptKind::Launch, &question))
                    .words("; if it cannot, add --mpi none (in the settings: mpi under [srun]), or a plugin that this lists: ")
                    .command("srun --mpi=list"),
            )
        }
        // What else srun may say here, that there is no such account say, others find.
        _ => Finding::ok(format!("srun knows the MPI plugin {mpi}")),
    }
}

/// The names in what `srun --mpi=list` prints: one a line, or behind a colon with
/// commas between them.
fn mpi_plugins(text: &str) -> Vec<String> {
    let is_name = |word: &&str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        // Releases before 22.05 write "srun: " in front.
        let line = line.trim().trim_start_matches("srun:").trim();
        let words = match line.split_once("available:") {
            Some((_, names)) => names,
            None => line,
        };
        let words: Vec<_> = words
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .collect();
        if words.len() == 1 || line.contains("available:") {
            names.extend(words.into_iter().filter(is_name).map(str::to_owned));
        }
    }
    names
}

/// enroot before 4 cannot pull by digest.
fn digests(preflight: &Preflight<'_>, to_fetch: &ToFetch) -> Option<Finding> {
    if preflight.plan.settings().runtime() != Runtime::Pyxis {
        return None;
    }
    let image = to_fetch
        .images
        .iter()
        .find(|image| image.image.digest().is_some())?;
    let Answer::Said(reply) = preflight.ask("enroot", &["version"]) else {
        return None;
    };
    let version = reply.first_line();
    let major: u32 = version.split('.').next()?.parse().ok()?;
    (major < 4).then(|| {
        let registry = image.image.registry().map_or("Docker Hub", Registry::as_str);
        Finding::warning(
            format!("enroot {version} here pulls no image by digest from {registry}, and the recipe names one by its digest"),
            words("name the image by its tag alone, or make sure that the compute node has enroot 4: ")
                .command(&preflight.on_compute_node(ScriptKind::Setup, "enroot version")),
        )
    })
}

/// apptainer before 1.2 takes --arch and pulls the node's own architecture.
fn architectures(preflight: &Preflight<'_>, to_fetch: &ToFetch) -> Option<Finding> {
    if preflight.plan.settings().runtime() != Runtime::Apptainer {
        return None;
    }
    let own = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let is_foreign =
        |image: &&ImageSource| !image.architecture.is_empty() && image.architecture != own;
    let image = to_fetch.images.iter().find(is_foreign)?;
    let Answer::Said(reply) = preflight.ask("apptainer", &["--version"]) else {
        return None;
    };
    let version = reply.first_line().rsplit(' ').next()?;
    let is_old = ["1.0.", "1.1."].iter().any(|old| version.starts_with(old));
    is_old.then(|| {
        Finding::warning(
            format!(
                "apptainer {version} here pulls its node's own architecture, whatever it is asked for, and the recipe names {}",
                image.architecture
            ),
            words("make sure that the compute node has apptainer 1.2 or later: ")
                .command(&preflight.on_compute_node(ScriptKind::Setup, "apptainer --version")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins() {
        let new = "MPI plugin types are...\n\tpmix\n\tnone\n\tcray_shasta\n\tpmi2\nspecific pmix plugin versions available: pmix_v4,pmix_v5\n";
        assert_eq!(
            mpi_plugins(new),
            ["pmix", "none", "cray_shasta", "pmi2", "pmix_v4", "pmix_v5"]
        );
        let old = "srun: MPI types are...\nsrun: none\nsrun: pmix_v3\nsrun: pmi2\n";
        assert_eq!(mpi_plugins(old), ["none", "pmix_v3", "pmi2"]);
    }
}
