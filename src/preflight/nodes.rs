//! The folders that only a compute node can tell of.

use camino::{Utf8Path, Utf8PathBuf};

use super::ask::Answer;
use super::fix::words;
use super::{Finding, Preflight, Severity};
use crate::job_options::ScriptKind;
use crate::shell::shell_word;
use crate::slurm::OptionName;

/// How to ask a node for the stage path, or the folder above it that is there, and for the folder of what jobs print.
pub(super) fn check(preflight: &Preflight<'_>, stage: Option<&Utf8Path>) -> Vec<Finding> {
    let Some(stage) = stage else {
        return Vec::new();
    };
    let output = folder_of_output(preflight).filter(|folder| folder != stage);
    let folders: Vec<_> = std::iter::once(stage).chain(output.as_deref()).collect();
    let mut message = format!(
        "whether nodes have these folders and may write to them cannot be told from here: {stage} (stage path)"
    );
    if let Some(folder) = &output {
        message.push_str(&format!(", {folder} (what jobs print)"));
    }
    let places: Vec<_> = folders
        .iter()
        .map(|folder| place(preflight, folder))
        .collect();
    let of_kind = |kind: Place| {
        let own = folders.iter().zip(&places);
        let own: Vec<_> = own.filter(|(_, place)| **place == Some(kind)).collect();
        match own.as_slice() {
            [] => None,
            [(folder, _)] => Some(format!("{folder} is")),
            _ => Some("both are".to_owned()),
        }
    };
    let in_memory = of_kind(Place::Memory);
    if let Some(words) = &in_memory {
        message.push_str(&format!(
            ". Here {words} in memory, which nodes do not share"
        ));
    }
    if let Some(words) = of_kind(Place::Disk) {
        message.push_str(&format!(
            ". Here {words} on a local disk, which nodes see only if this machine exports it"
        ));
    }
    let words_of_folders: Vec<_> = folders
        .iter()
        .map(|folder| shell_word(folder.as_str()))
        .collect();
    let question = format!(
        "find {} -maxdepth 0 -not -writable",
        words_of_folders.join(" ")
    );
    let command = preflight.on_compute_node(ScriptKind::Launch, &question);
    let fix = words(
        "ask a node; it prints nothing where all is well, else each folder that it lacks or may not write to: ",
    );
    let severity = if in_memory.is_some() {
        Severity::Warning
    } else {
        Severity::Note
    };
    vec![Finding::new(severity, message, Some(fix.command(&command)))]
}

/// Where a folder lies that other machines may not see.
#[derive(Clone, Copy, PartialEq, Eq)]
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
