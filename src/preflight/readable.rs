//! Whether this user may read what is there, as templates/lib/readable.sh asks it.

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::Finding;
use super::fix::{Fix, words};
use crate::shell::shell_word;

/// What keeps this user from reading a file, or a folder and the files in it: it is neither
/// absent nor damaged, and no script fetches it again.
pub(super) fn hindrance(path: &Utf8Path) -> Option<Finding> {
    // A folder that may not be searched hides whether there is anything.
    let mut folders: Vec<_> = path.ancestors().collect();
    folders.reverse();
    if let Some(folder) = folders.into_iter().find(|folder| is_hidden(folder)) {
        return Some(Finding::error(
            format!("{folder} may not be searched, so nobody knows what is in {path}"),
            ask_for("a+x", folder),
        ));
    }
    let hidden = unreadable(path)?;
    Some(Finding::error(
        format!("{hidden} is there and may not be read"),
        ask_for("-R a+rX", path),
    ))
}

fn ask_for(change: &str, path: &Utf8Path) -> Fix {
    let path = shell_word(path.as_str());
    words("ask its owner, ")
        .command(&format!("ls -ld {path}"))
        .words(", for: ")
        .command(&format!("chmod {change} {path}"))
}

/// True for a folder whose entries may not be looked up.
fn is_hidden(folder: &Utf8Path) -> bool {
    fs::metadata(folder).is_ok_and(|there| there.is_dir())
        && is_denied(fs::metadata(folder.join(".")))
}

/// The first file or folder that may not be read: of a folder, itself and its files.
fn unreadable(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_dir() {
        let entries = match path.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Some(path.to_owned());
            }
            entries => entries.ok()?,
        };
        let mut files = entries.flatten().map(camino::Utf8DirEntry::into_path);
        files.find(|file| is_kept(file) || is_hidden(file))
    } else {
        is_kept(path).then(|| path.to_owned())
    }
}

/// True for a regular file that may not be read. To open anything else could take forever.
fn is_kept(path: &Utf8Path) -> bool {
    fs::metadata(path).is_ok_and(|there| there.is_file()) && is_denied(File::open(path))
}

fn is_denied<T>(answer: io::Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
