//! The folders that only a compute node can tell of.

use camino::{Utf8Path, Utf8PathBuf};

use super::fix::words;
use super::{Finding, Preflight};
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
    if let Some(folder) = folder_of_output(preflight).filter(|folder| folder != stage) {
        message.push_str(&format!(
            ", and to {folder}, where Slurm writes what jobs print"
        ));
        folders.push_str(&format!(" {}", shell_word(folder.as_str())));
    }
    let question = format!("find {folders} -maxdepth 0 -not -writable");
    let command = preflight.on_compute_node(ScriptKind::Launch, &question);
    let fix = words("ask one; it names each that it may not write to: ").command(&command);
    vec![Finding::note(message, fix)]
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
