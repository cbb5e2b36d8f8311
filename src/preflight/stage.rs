//! The stage path: what is there, what is still to fetch, and the space for it.

use camino::{Utf8Path, Utf8PathBuf};

use super::ask::Answer;
use super::fix::{command, words};
use super::to_fetch::{Stage, ToFetch, in_words};
use super::{Finding, Preflight, Severity, images, model};
use crate::container::Mount;
use crate::job_options::ScriptKind;
use crate::settings::StagePath;
use crate::shell::shell_word;
use crate::slurm::OptionName;
use crate::write::may_anyone_write;

pub(super) fn check(preflight: &Preflight<'_>) -> Stage {
    let model = &preflight.plan.recipe().model;
    let mut stage = Stage {
        findings: Vec::new(),
        to_fetch: ToFetch {
            images: preflight.plan.images().to_vec(),
            needs_weights: model.weights.are_staged(),
            needs_engine: model.engine.is_some(),
        },
        folder: None,
    };
    let Some(path) = stage_path(preflight, &mut stage.findings) else {
        return stage;
    };
    let folder = match usable_folder(preflight, &path) {
        Ok(folder) => folder,
        Err(finding) => {
            stage.findings.push(finding);
            return stage;
        }
    };
    stage.findings.push(place(&path, &folder));
    if may_anyone_write(&path) {
        stage.findings.push(Finding::warning(
            format!(
                "every user may write to the stage path {path}, and what is put there runs as you"
            ),
            words("name a folder of your own, or close this one: ")
                .command(&format!("chmod o-w {}", shell_word(path.as_str()))),
        ));
    }
    images::check(preflight, &path, &mut stage);
    model::check(preflight, &path, &mut stage);
    let space = space(preflight, &folder, stage.to_fetch.bytes(preflight));
    stage.findings.push(space);
    stage.findings.extend(mounts(preflight));
    stage.findings.extend(resumed(preflight, &path));
    stage.folder = Some(folder);
    stage
}

/// The folder that a script submitted from here would use: `STAGE_PATH` wins over the
/// one that is in the scripts.
pub(super) fn stage_path(
    preflight: &Preflight<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Utf8PathBuf> {
    let settings = preflight.plan.settings();
    let rendered = settings.stage_path();
    let Some(variable) = preflight.variables.get("STAGE_PATH") else {
        if rendered.is_none() {
            findings.push(Finding::error(
                "there is no stage path, the folder for images, model and results",
                command("export STAGE_PATH=/lustre/...")
                    .words(", or set stage_path in the settings"),
            ));
        }
        return rendered.map(|path| Utf8PathBuf::from(path.as_str()));
    };
    let used = match StagePath::parse(&variable.to_string_lossy()) {
        Ok(used) => used,
        Err(error) => {
            findings.push(Finding::error(
                format!("the scripts cannot use the STAGE_PATH of this shell: {error}"),
                command("export STAGE_PATH=/lustre/...").words(", with a plain absolute path"),
            ));
            return None;
        }
    };
    let overridden = rendered
        .filter(|rendered| **rendered != used)
        .or(settings.overridden_stage_path());
    if let Some(overridden) = overridden {
        findings.push(Finding::note(
            format!(
                "STAGE_PATH says {used}, and wins over the stage path {overridden} when a script runs"
            ),
            words(&format!("to use {overridden}: ")).command("unset STAGE_PATH"),
        ));
    }
    Some(Utf8PathBuf::from(used.as_str()))
}

/// The stage path, or the folder in which the scripts will make it.
fn usable_folder(preflight: &Preflight<'_>, path: &Utf8Path) -> Result<Utf8PathBuf, Finding> {
    // A file system that does not answer would hold up whoever asks it, so a program
    // is asked first that can be given up.
    let folder = nearest_folder(preflight, path)?;
    if !preflight.succeeds("test", &["-d", folder.as_str()]) {
        return Err(Finding::error(
            format!("{folder} is no folder, so the stage path {path} cannot be used"),
            words("name another folder: ").command("export STAGE_PATH=/lustre/..."),
        ));
    }
    // Both are needed: to make files, and to reach them.
    if !preflight.succeeds(
        "test",
        &["-w", folder.as_str(), "-a", "-x", folder.as_str()],
    ) {
        return Err(Finding::error(
            format!("{folder} cannot be written to, so the stage path {path} cannot be used"),
            words("name a folder of your own: ")
                .command("export STAGE_PATH=/lustre/...")
                .words(", or ask its owner: ")
                .command(&format!("ls -ld {}", shell_word(folder.as_str()))),
        ));
    }
    Ok(folder)
}

fn place(path: &Utf8Path, folder: &Utf8Path) -> Finding {
    if folder == path {
        Finding::ok(format!(
            "the stage path {path} is a folder and can be written to"
        ))
    } else {
        Finding::note(
            format!("the stage path {path} is not there yet"),
            format!(
                "correct the name if it is a mistake; else the scripts make the folder in {folder}"
            ),
        )
    }
}

/// The stage path, or the nearest folder above it that is there.
fn nearest_folder(preflight: &Preflight<'_>, path: &Utf8Path) -> Result<Utf8PathBuf, Finding> {
    for folder in path.ancestors() {
        match preflight.ask("test", &["-e", folder.as_str()]) {
            Answer::Said(reply) if reply.is_success => return Ok(folder.to_owned()),
            Answer::Said(_) => {
                if let Ok(target) = folder.read_link_utf8() {
                    return Err(dangling(path, folder, &target));
                }
            }
            answer => {
                let command = format!("test -e {}", shell_word(folder.as_str()));
                return Err(preflight.unanswered(
                    &command,
                    &answer,
                    "whether the stage path is there",
                ));
            }
        }
    }
    Ok(Utf8PathBuf::from("/"))
}

/// No script can make a folder where such a link is.
fn dangling(path: &Utf8Path, link: &Utf8Path, target: &Utf8Path) -> Finding {
    Finding::warning(
        format!(
            "{link} is a link to {target}, which is not on this machine, so nothing is known of the stage path {path}"
        ),
        words("unless the nodes have it, name another folder: ")
            .command("export STAGE_PATH=/lustre/..."),
    )
}

/// The jobs to resume of which there are no results, as launch.sh looks for them.
fn resumed(preflight: &Preflight<'_>, path: &Utf8Path) -> Vec<Finding> {
    let variable = preflight.variables.get("RESUME_JOB_ID");
    let settings = preflight.plan.settings();
    let rendered: Vec<_> = (settings.resumed_jobs().iter().map(ToString::to_string)).collect();
    let jobs = variable.map_or_else(
        || rendered.join(","),
        |jobs| jobs.to_string_lossy().replace('_', "-"),
    );
    let results = path.join("results");
    let entries = results.read_dir_utf8();
    let is_seen = entries.is_ok();
    let names: Vec<_> = match entries {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.file_name().to_owned())
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(_) => return Vec::new(),
    };
    let has_manifest = |job: &str| {
        let run = format!("run_{job}");
        let rests = names.iter().filter_map(|name| name.strip_prefix(&run));
        let mut rests = rests.filter_map(|rest| rest.strip_suffix(".json"));
        rests.any(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    // A task that ended before it began leaves none, and the array's other tasks do.
    let is_there = |job: &str| {
        let array = job.split_once('-').map(|(array, _)| array);
        has_manifest(job) || array.is_some_and(has_manifest)
    };
    // A job that launch waits for may still leave them, and the nodes may have a folder that is not here.
    let waits = (preflight.plan.directives(ScriptKind::Launch)).is_set(OptionName::Dependency);
    let severity = if waits || !is_seen {
        Severity::Warning
    } else {
        Severity::Error
    };
    let jobs = jobs.split(',');
    let absent = jobs.filter(|job| !job.is_empty() && !is_there(job));
    absent
        .map(|job| {
            let message = format!(
                "launch.sh is to resume job {job}, and its manifest {results}/run_{job}.json is not on this machine"
            );
            let help = words("correct the number, or the stage path; this lists the jobs that can be resumed: ");
            let list = format!("ls {}", shell_word(results.as_str()));
            Finding::new(severity, message, Some(help.command(&list)))
        })
        .collect()
}

impl Preflight<'_> {
    /// True when a program ends with 0.
    pub(super) fn succeeds(&self, program: &str, arguments: &[&str]) -> bool {
        matches!(self.ask(program, arguments), Answer::Said(reply) if reply.is_success)
    }
}

/// The fourth column of the last line of `df -Pk`, in bytes.
fn available_bytes(text: &str) -> Option<u64> {
    let line = text.lines().last()?;
    let kibibytes: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

/// Whether what is to be fetched fits into a folder.
fn space(preflight: &Preflight<'_>, folder: &Utf8Path, needed: u64) -> Finding {
    if needed == 0 {
        return Finding::ok("nothing is to be fetched, so no space is needed for it");
    }
    let answer = preflight.ask("df", &["-Pk", "--", folder.as_str()]);
    let free = match &answer {
        Answer::Said(reply) if reply.is_success => available_bytes(&reply.stdout),
        _ => None,
    };
    free.map_or_else(
        || {
            let command = format!("df -Pk -- {}", shell_word(folder.as_str()));
            let question = format!("whether {} are free", in_words(needed));
            preflight.unanswered(&command, &answer, &question)
        },
        |free| check_space(folder, free, needed, begun(preflight, folder).as_deref()),
    )
}

/// The folder of a download that did not end, which prepare_models.sh goes on with or removes.
fn begun(preflight: &Preflight<'_>, folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let model = &preflight.plan.recipe().model;
    let weights = model.weights.are_staged().then(|| model.weights.folder());
    let engine = model.engine.as_ref().map(|engine| engine.ngc.folder());
    let parts = weights.into_iter().chain(engine);
    parts
        .map(|name| folder.join(format!(".{name}.part")))
        .find(|part| part.is_dir())
}

fn check_space(folder: &Utf8Path, free: u64, needed: u64, begun: Option<&Utf8Path>) -> Finding {
    let message = format!(
        "what is to be fetched takes about {}, and {} are free in {folder}",
        in_words(needed),
        in_words(free)
    );
    if let (true, Some(begun)) = (free < needed, begun) {
        let help = words(
            "prepare_models.sh goes on with it, or removes it first; if that is not enough, make room there",
        );
        Finding::warning(
            format!("{message}, beside {begun} of a download that did not end"),
            help,
        )
    } else if free < needed {
        Finding::error(
            message,
            words("make room there, or name another folder: ")
                .command("export STAGE_PATH=/lustre/..."),
        )
    } else {
        Finding::ok(message)
    }
}

/// What the settings mount into the containers.
fn mounts(preflight: &Preflight<'_>) -> Vec<Finding> {
    let mounts = preflight.plan.settings().mounts().iter();
    let sources = mounts
        .map(Mount::source)
        .filter(|source| source.starts_with('/'));
    sources
        .map(|source| {
            if preflight.succeeds("test", &["-e", source]) {
                Finding::ok(format!("{source}, to be mounted in the containers, is there"))
            } else {
                Finding::warning(
                    format!("{source} is not on this machine, and launch.sh mounts it in the containers"),
                    words("if the compute nodes do not have it either, correct mounts in [container] of the settings: ").command(
                        &preflight.on_compute_node(ScriptKind::Launch, &format!("ls -d {}", shell_word(source))),
                    ),
                )
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 60 40 60% /a b\n";
        assert_eq!(available_bytes(df), Some(40 * 1024));
        assert_eq!(available_bytes("Filesystem\n"), None);
        assert_eq!(available_bytes(""), None);
        assert_eq!(
            available_bytes("x 1 1 18446744073709551615 1% /"),
            Some(u64::MAX)
        );
    }

    #[test]
    fn amounts() {
        assert_eq!(in_words(1 << 30), "1.0 GiB");
        assert_eq!(in_words(131 << 20), "131.0 MiB");
        assert_eq!(in_words(0), "0.0 MiB");
        assert_eq!(in_words(u64::MAX), "17179869184.0 GiB");
    }

    #[test]
    fn too_little_space_stands_in_the_way() {
        let severity =
            |free, needed| check_space(Utf8Path::new("/nim"), free, needed, None).severity();
        assert_eq!(severity(99, 100), Severity::Error);
        assert_eq!(severity(100, 100), Severity::Ok);
    }
}
