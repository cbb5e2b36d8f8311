//! The folders in which jobs run and print: Slurm makes none of them.

use camino::{Utf8Path, Utf8PathBuf};

use super::ask::Answer;
use super::fix::words;
use super::{Finding, Preflight, by_scripts};
use crate::job_options::ScriptKind;
use crate::shell::shell_word;
use crate::slurm::{Directives, OptionName};
use crate::write::may_anyone_write;

pub(super) fn check(preflight: &Preflight<'_>) -> Vec<Finding> {
    let problem = |(scripts, place): (_, Place)| place.problem(preflight, &scripts);
    of_scripts(preflight)
        .into_iter()
        .filter_map(problem)
        .collect()
}

/// Folders of logs in which others can put a link or a FIFO: Slurm opens a log as the user, and follows these.
pub(super) fn exposed(preflight: &Preflight<'_>) -> Vec<Finding> {
    // A file system that does not answer holds this up no longer than a program may take.
    let is_there =
        |(_, place): &(_, Place)| preflight.succeeds("test", &["-d", place.folder.as_str()]);
    let places = of_scripts(preflight).into_iter().filter(is_there);
    places
        .filter_map(|(scripts, place)| place.risk(&scripts))
        .collect()
}

/// The folders, each with the scripts that use it.
fn of_scripts(preflight: &Preflight<'_>) -> Vec<(super::Scripts, Place)> {
    let here = std::env::current_dir().ok();
    let Some(here) = here.and_then(|here| Utf8PathBuf::from_path_buf(here).ok()) else {
        return Vec::new();
    };
    let of_script = |kind| {
        let places = places(preflight.plan.directives(kind), &here);
        places.into_iter().map(move |place| (kind, place))
    };
    by_scripts(ScriptKind::ALL.into_iter().flat_map(of_script))
}

/// A folder of a job.
#[derive(PartialEq)]
struct Place {
    folder: Utf8PathBuf,
    /// The file that is written there; none where the job only runs there.
    file: Option<Utf8PathBuf>,
}

/// The folders of a script that is submitted from `here`.
fn places(directives: &Directives, here: &Utf8Path) -> Vec<Place> {
    let own = directives.get(OptionName::Chdir).map(|own| here.join(own));
    let output = directives.get(OptionName::Output);
    let output = output.unwrap_or_else(|| "slurm-%j.out".to_owned());
    let files = std::iter::once(output).chain(directives.get(OptionName::Error));
    let base = own.as_deref().unwrap_or(here);
    let mut places: Vec<_> = files
        .map(|name| {
            let file = base.join(name);
            // A folder whose name has %j is another one for each job.
            let parts = file.parent().unwrap_or(base).components();
            let known = parts.take_while(|part| !part.as_str().contains('%'));
            Place {
                folder: known.collect(),
                file: Some(file),
            }
        })
        .collect();
    if let Some(own) = &own
        && places.iter().all(|place| place.folder != *own)
    {
        let (folder, file) = (own.clone(), None);
        places.push(Place { folder, file });
    }
    places.dedup_by(|one, other| one.folder == other.folder);
    places
}

impl Place {
    fn problem(&self, preflight: &Preflight<'_>, scripts: &super::Scripts) -> Option<Finding> {
        let folder = self.folder.as_str();
        let is_so = |test: &[&str]| match preflight.ask("test", test) {
            Answer::Said(reply) => Some(reply.is_success),
            _ => None,
        };
        let use_of_it = match self.file {
            Some(_) => format!("for the output of {scripts}"),
            None => format!("for {scripts} to run in"),
        };
        if !is_so(&["-d", folder])? {
            let message = format!(
                "there is no folder {folder} on this machine {use_of_it}, and Slurm makes none"
            );
            let fix = words("make it, unless the nodes have one of their own: ")
                .command(&format!("mkdir -p {}", shell_word(folder)));
            return Some(Finding::warning(message, fix));
        }
        let file = self.file.as_ref()?;
        // /dev/null lies in a folder where nobody makes files.
        let is_writable = is_so(&["-w", folder])? || is_so(&["-w", file.as_str()])?;
        if is_writable {
            return self.risk(scripts);
        }
        let fix = words(
            "name a file elsewhere, with --sbatch output=/lustre/.../%x-%j.out, or ask its owner: ",
        )
        .command(&format!("ls -ld {}", shell_word(folder)));
        Some(Finding::warning(
            format!("{folder}, {use_of_it}, cannot be written to from here"),
            fix,
        ))
    }

    /// Job ids can be foreseen, and so names of logs.
    fn risk(&self, scripts: &super::Scripts) -> Option<Finding> {
        let (folder, _) = (&self.folder, self.file.as_ref()?);
        if !may_anyone_write(folder) {
            return None;
        }
        let message = format!(
            "every user may write to {folder}, where Slurm writes the output of {scripts}: they can lead it to another file \
             of yours"
        );
        let fix = words("submit from a folder of your own, or name one: ")
            .command("--sbatch output=/lustre/.../%x-%j.out");
        Some(Finding::warning(message, fix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_job() {
        let folders = |options: &str| -> Vec<String> {
            let directives: Directives = toml::from_str(options).unwrap();
            let places = places(&directives, "/home/me".into()).into_iter();
            places.map(|place| place.folder.into_string()).collect()
        };
        assert_eq!(folders(""), ["/home/me"]);
        assert_eq!(folders("output = 'logs/%j.out'"), ["/home/me/logs"]);
        assert_eq!(
            folders("output = '/a/%u/x/%j.out'\nerror = '/b/err'"),
            ["/a", "/b"]
        );
        assert_eq!(folders("chdir = '/x'"), ["/x"]);
        assert_eq!(
            folders("chdir = 'x'\noutput = '/dev/null'"),
            ["/dev", "/home/me/x"]
        );
    }
}
