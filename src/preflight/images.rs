//! Whether the images are there and whole.

use std::fs::{self, File};
use std::io::Read;

use camino::Utf8Path;

use super::stage::Stage;
use super::{Finding, Preflight};

/// Bytes of a squashfs superblock that are read: up to the file's length.
const SUPERBLOCK: usize = 48;

/// The images that are whole are taken off what is to be fetched.
pub(super) fn look(preflight: &Preflight<'_>, stage_path: &Utf8Path, stage: &mut Stage) {
    let setup = "setup.sh fetches it: sbatch setup.sh";
    for image in std::mem::take(&mut stage.to_fetch.images) {
        let path = stage_path.join(image.file.as_str());
        let finding = match state(&path) {
            State::Whole if unpacks(preflight, &path) => {
                stage.findings.push(Finding::ok(format!(
                    "the image {} is there and whole",
                    image.file
                )));
                continue;
            }
            State::Absent => {
                Finding::note(format!("the image {} is not there yet", image.file), setup)
            }
            State::Whole => Finding::warning(
                format!(
                    "the image {} is damaged: unsquashfs cannot read it",
                    image.file
                ),
                format!("{setup}; it keeps the damaged one aside"),
            ),
            State::Damaged(reason) => Finding::warning(
                format!("the image {} is damaged: {reason}", image.file),
                format!("{setup}; it keeps the damaged one aside"),
            ),
        };
        stage.findings.push(finding);
        stage.to_fetch.images.push(image);
    }
}

/// What can be said of an image's file.
#[derive(Debug, PartialEq)]
enum State {
    Absent,
    Damaged(String),
    Whole,
}

/// The scripts' own question, where the tool is there: lib/images.sh.
fn unpacks(preflight: &Preflight<'_>, path: &Utf8Path) -> bool {
    preflight.find("unsquashfs").is_none()
        || preflight.says_yes("unsquashfs", &["-s", path.as_str()])
}

/// Looks at a file's superblock as lib/images.sh does. It is written last and says
/// how long the file must be: that shows what a killed import cut off.
fn state(path: &Utf8Path) -> State {
    let Ok(metadata) = fs::metadata(path) else {
        return match fs::symlink_metadata(path) {
            Ok(_) => {
                State::Damaged("it is a link that leads nowhere, or cannot be followed".to_owned())
            }
            Err(_) => State::Absent,
        };
    };
    // Reading anything else could wait for ever.
    if !metadata.is_file() {
        return State::Damaged("it is no plain file".to_owned());
    }
    let mut head = [0; SUPERBLOCK];
    if let Err(error) = File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        return State::Damaged(format!("its beginning cannot be read: {error}"));
    }
    match promised_length(&head) {
        None => State::Damaged("it does not begin as a squashfs file does".to_owned()),
        Some(promised) if metadata.len() < promised => State::Damaged(format!(
            "it has {} bytes, its superblock promises {promised}",
            metadata.len()
        )),
        Some(_) => State::Whole,
    }
}

/// The length that a squashfs superblock promises. Source: Linux,
/// `Documentation/filesystems/squashfs.rst`, and `struct squashfs_super_block`:
/// `bytes_used` is at byte 40.
fn promised_length(head: &[u8; SUPERBLOCK]) -> Option<u64> {
    let length = head.last_chunk::<8>()?;
    head.starts_with(b"hsqs")
        .then(|| u64::from_le_bytes(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(length: u64) -> Vec<u8> {
        let mut bytes = vec![0; SUPERBLOCK];
        bytes[..4].copy_from_slice(b"hsqs");
        bytes[40..].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    #[track_caller]
    fn of(bytes: &[u8]) -> State {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.sqsh");
        fs::write(&path, bytes).unwrap();
        state(Utf8Path::from_path(&path).unwrap())
    }

    #[test]
    fn states() {
        assert_eq!(of(&superblock(48)), State::Whole);
        assert_eq!(
            of(&superblock(49)),
            State::Damaged("it has 48 bytes, its superblock promises 49".to_owned())
        );
        assert_eq!(
            of(&[0; 96]),
            State::Damaged("it does not begin as a squashfs file does".to_owned())
        );
        let State::Damaged(reason) = of(b"hsqs") else {
            panic!("four bytes are no image")
        };
        assert!(
            reason.starts_with("its beginning cannot be read"),
            "{reason}"
        );
        assert_eq!(state(Utf8Path::new("/no/such/file")), State::Absent);
        assert_eq!(
            state(Utf8Path::new("/dev")),
            State::Damaged("it is no plain file".to_owned())
        );
    }
}
