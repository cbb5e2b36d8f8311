//! The folders that only a compute node can tell of.

use camino::{Utf8Path, Utf8PathBuf};

use super::ask::Answer;
use super::fix::words;
use super::{Finding, Preflight, Severity, listed};
use crate::job_options::ScriptKind;
use crate::shell::shell_word;
use crate::slurm::OptionName;

/// How to ask a node for the stage path, or the folder above it that is there, and for the folder of what jobs print.
pub(super) fn check(preflight: &Preflight<'_>, stage: Option<&Utf8Path>) -> Vec<Finding> {
    let Some(stage) = stage else {
        return Vec::new();
    };
    let mut message = "only a node knows whether it may write to the stage path".to_owned();
    let mut folders = shell_word(stage.as_str());
    let output = folder_of_output(preflight).filter(|folder| folder != stage);
    if let Some(folder) = &output {
        message.push_str(&format!(
            ", and to {folder}, where Slurm writes what jobs print"
        ));
        folders.push_str(&format!(" {}", shell_word(folder.as_str())));
    }
    let question = format!("find {folders} -maxdepth 0 -not -writable");
    let command = preflight.on_compute_node(ScriptKind::Launch, &question);
    let fix = words(
        "ask one; it prints nothing where all is well, and each folder that it may not write to: ",
    )
    .command(&command);
    let folders = [Some(stage), output.as_deref()].into_iter().flatten();
    let (mut in_memory, mut on_disk) = (Vec::new(), Vec::new());
    for folder in folders {
        match place(preflight, folder) {
            Some(Place::Memory) => in_memory.push(folder.to_string()),
            Some(Place::Disk) => on_disk.push(folder.to_string()),
            None => {}
        }
    }
    let mut severity = Severity::Note;
    if !in_memory.is_empty() {
        severity = Severity::Warning;
        let folders = listed(&in_memory);
        message.push_str(&format!(
            ". In memory here, which nodes do not share: {folders}"
        ));
    }
    if !on_disk.is_empty() {
        let folders = listed(&on_disk);
        message.push_str(&format!(
            ". On a local disk of this machine, which nodes see only if this machine exports it: {folders}"
        ));
    }
    vec![Finding::new(severity, message, Some(fix))]
}

/// Where a folder lies that other machines may not see.
enum Place {
    Memory,
    Disk,
}

/// By the kind of its file system.
fn place(preflight: &Preflight<'_>, folder: &Utf8Path) -> Option<Place> {
    let answer = preflight.ask("stat", &["-f", "-c", "%T", "--", folder.as_str()]);
    let Answer::Said(reply) = answer else {
        return None;
    };
    match reply.stdout.trim() {
        "tmpfs" | "ramfs" => Some(Place::Memory),
        "btrfs" | "ext2/ext3" | "f2fs" | "overlayfs" | "xfs" | "zfs" => Some(Place::Disk),
        _ => None,
    }
}

/// Where `slurm-ID.out` is written, unless the output has a folder of its own.
fn folder_of_output(preflight: &Preflight<'_>) -> Option<Utf8PathBuf> {
    let directives = preflight.plan.directives(ScriptKind::Launch);
    let output = directives.get(OptionName::Output);
    if output.as_ref().is_some_and(|path| path.starts_with('/')) {
        return None;
    }
    let mut folder = Utf8PathBuf::from_path_buf(std::env::current_dir().ok()?).ok()?;
    folder.extend(directives.get(OptionName::Chdir));
    let of_output = output
        .as_deref()
        .map(Utf8Path::new)
        .and_then(Utf8Path::parent);
    // A folder whose name has %j is another one for each job.
    folder
        .extend(of_output.filter(|path| !path.as_str().is_empty() && !path.as_str().contains('%')));
    Some(folder)
}
