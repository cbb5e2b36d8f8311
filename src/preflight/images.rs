//! Whether the images are complete.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};

use super::fix::words;
use super::to_fetch::Stage;
use super::{Finding, Preflight, fetched, listed, readable};
use crate::container::{Registry, Runtime};
use crate::file::{self, Links};

/// Bytes of a squashfs superblock that are read: up to the file's length.
const SUPERBLOCK: usize = 48;

/// Bytes of a SIF file's header that are read: up to the length of its data.
const SIF_HEADER: usize = 128;

/// The zeros at the end of a tar file.
const TAR_END: usize = 1024;

/// The block with which a tar file begins.
const TAR_BLOCK: usize = 512;

/// The images that are whole, or that setup.sh leaves alone, are taken off what is to be fetched.
pub(super) fn check(preflight: &Preflight<'_>, stage_path: &Utf8Path, stage: &mut Stage) {
    let fetches = |what: &str| words(&format!("nim-slurm run fetches {what}, with setup.sh"));
    let (setup, mut absent) = (fetches("it"), Vec::new());
    let runtime = preflight.plan.settings().runtime();
    for image in std::mem::take(&mut stage.to_fetch.images) {
        let path = stage_path.join(image.file.as_str());
        if let Some(finding) = readable::hindrance(&path) {
            stage.findings.push(finding);
            continue;
        }
        let other = fetched::other_for(&image.reference, image.processor, &path);
        let finding = match (state(&path, runtime), other) {
            (State::Whole, Some(other)) if unpacks(preflight, &path) => Finding::warning(
                format!(
                    "the image {} is {other}, and not {}",
                    image.file, image.reference
                ),
                setup.clone().words("; it keeps the other one aside"),
            ),
            (State::Whole, _) if unpacks(preflight, &path) => {
                stage
                    .findings
                    .push(Finding::ok(format!("the image {} is complete", image.file)));
                continue;
            }
            (State::Absent, _) => {
                absent.push(image.file.clone());
                stage.to_fetch.images.push(image);
                continue;
            }
            (State::Whole, _) => Finding::warning(
                format!(
                    "the image {} is damaged: unsquashfs cannot read it",
                    image.file
                ),
                setup.clone().words("; it keeps the damaged one aside"),
            ),
            (State::Damaged(reason), _) => Finding::warning(
                format!("the image {} is damaged: {reason}", image.file),
                setup.clone().words("; it keeps the damaged one aside"),
            ),
        };
        stage.findings.push(finding);
        stage.to_fetch.images.push(image);
    }
    if !absent.is_empty() {
        let (noun, verb, what) = match absent.len() {
            1 => ("image", "is", "it"),
            _ => ("images", "are", "them"),
        };
        let message = format!("the {noun} {} {verb} not there yet", listed(&absent));
        stage.findings.push(Finding::note(message, fetches(what)));
    }
    stage.findings.extend(unused_mirrors(preflight));
}

/// A mirror that no image comes from: it serves another recipe, or its name is mistyped.
fn unused_mirrors(preflight: &Preflight<'_>) -> Vec<Finding> {
    let recipe = preflight.plan.recipe();
    let images = [&recipe.server.image, &recipe.client.image];
    let mirrored = preflight.plan.settings().mirrored();
    let unused = mirrored.filter(|registry| !images.iter().any(|image| image.is_from(registry)));
    let finding = |registry: &Registry| {
        Finding::note(
            format!(
                "no image of this recipe comes from {registry}, for which [container] registries names a mirror"
            ),
            "correct the name if it is a mistake; else leave it",
        )
    };
    unused.map(finding).collect()
}

/// True when setup.sh would find each image as it should be.
pub(super) fn are_there(preflight: &Preflight<'_>, stage_path: &Utf8Path) -> bool {
    preflight.plan.images().iter().all(|image| {
        let path = stage_path.join(image.file.as_str());
        let runtime = preflight.plan.settings().runtime();
        readable::hindrance(&path).is_none()
            && state(&path, runtime) == State::Whole
            && fetched::other_for(&image.reference, image.processor, &path).is_none()
            && unpacks(preflight, &path)
    })
}

/// The first image that has no file at all.
pub(super) fn absent(preflight: &Preflight<'_>, stage_path: &Utf8Path) -> Option<Utf8PathBuf> {
    let images = preflight.plan.images().iter();
    let mut paths = images.map(|image| stage_path.join(image.file.as_str()));
    paths.find(|path| {
        // What may not be looked at may be there.
        let found = fs::symlink_metadata(path);
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    })
}

/// What can be said of an image's file.
#[derive(Debug, PartialEq)]
enum State {
    Absent,
    Damaged(String),
    Whole,
}

/// The scripts' own question, where the tool is there: lib/pyxis/image.sh.
fn unpacks(preflight: &Preflight<'_>, path: &Utf8Path) -> bool {
    preflight.plan.settings().runtime() != Runtime::Pyxis
        || preflight.find("unsquashfs").is_none()
        || preflight.succeeds("unsquashfs", &["-s", path.as_str()])
}

/// Looks at a file as the scripts do (image.sh in lib/pyxis, lib/apptainer and
/// lib/podman). What is written last shows what a killed import cut off.
fn state(path: &Utf8Path, runtime: Runtime) -> State {
    let Ok(metadata) = fs::metadata(path) else {
        return match fs::symlink_metadata(path) {
            Ok(_) => {
                State::Damaged("it is a link that leads nowhere, or cannot be followed".to_owned())
            }
            Err(_) => State::Absent,
        };
    };
    // Reading anything else could wait forever.
    if !metadata.is_file() {
        return State::Damaged("it is no plain file".to_owned());
    }
    match runtime {
        Runtime::Pyxis => {
            let promised = beginning(path).map(|head| promised_length(&head));
            compare(metadata.len(), promised, "a squashfs", "superblock")
        }
        Runtime::Apptainer => {
            let promised = beginning(path).map(|head| promised_sif_length(&head));
            compare(metadata.len(), promised, "a SIF", "header")
        }
        Runtime::Podman => match end(path) {
            Ok(bytes) if bytes.iter().all(|&byte| byte == 0) => match beginning(path) {
                Ok(head) if is_tar(&head) => State::Whole,
                _ => State::Damaged("it does not begin as a tar file does".to_owned()),
            },
            Ok(_) => State::Damaged("it does not end as a tar file does".to_owned()),
            Err(error) => State::Damaged(format!("its end cannot be read: {error}")),
        },
    }
}

fn open(path: &Utf8Path) -> io::Result<File> {
    Ok(file::open(path.as_std_path(), Links::Follow)?.0)
}

fn beginning<const BYTES: usize>(path: &Utf8Path) -> io::Result<[u8; BYTES]> {
    let mut head = [0; BYTES];
    open(path)?.read_exact(&mut head)?;
    Ok(head)
}

fn end(path: &Utf8Path) -> io::Result<[u8; TAR_END]> {
    let mut bytes = [0; TAR_END];
    let mut file = open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAR_END as u64)))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A file's length against the one that its beginning promises.
fn compare(length: u64, promised: io::Result<Option<u64>>, kind: &str, place: &str) -> State {
    match promised {
        Err(error) => State::Damaged(format!("its beginning cannot be read: {error}")),
        Ok(None) => State::Damaged(format!("it does not begin as {kind} file does")),
        Ok(Some(promised)) if length < promised => State::Damaged(format!(
            "it has {length} bytes, its {place} promises {promised}"
        )),
        Ok(Some(_)) => State::Whole,
    }
}

/// Whether a first block names a file. An archive of zeros, which ends as one should, has none. Source: POSIX, `pax`, "ustar
/// Interchange Format".
fn is_tar(head: &[u8; TAR_BLOCK]) -> bool {
    head[257..].starts_with(b"ustar")
}

/// The length that a SIF file's header promises: where its data begins, at byte 112,
/// and how long it is. Source: apptainer's sif, `pkg/sif/sif.go`, `struct header`.
fn promised_sif_length(head: &[u8; SIF_HEADER]) -> Option<u64> {
    let number = |at: usize| {
        let bytes = head.get(at..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*bytes))
    };
    let is_sif = head
        .get(32..)
        .is_some_and(|rest| rest.starts_with(b"SIF_MAGIC"));
    let begin = number(112).filter(|&begin| is_sif && begin > 0)?;
    begin.checked_add(number(120)?)
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
        under(Runtime::Pyxis, bytes)
    }

    #[track_caller]
    fn under(runtime: Runtime, bytes: &[u8]) -> State {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        fs::write(&path, bytes).unwrap();
        state(Utf8Path::from_path(&path).unwrap(), runtime)
    }

    fn damaged(reason: &str) -> State {
        State::Damaged(reason.to_owned())
    }

    #[test]
    fn sif_files() {
        let mut bytes = vec![0; 200];
        assert_eq!(
            under(Runtime::Apptainer, &bytes),
            damaged("it does not begin as a SIF file does")
        );
        bytes[32..41].copy_from_slice(b"SIF_MAGIC");
        bytes[112] = 150;
        bytes[120] = 50;
        assert_eq!(under(Runtime::Apptainer, &bytes), State::Whole);
        bytes.pop();
        assert_eq!(
            under(Runtime::Apptainer, &bytes),
            damaged("it has 199 bytes, its header promises 200")
        );
    }

    #[test]
    fn archives() {
        let mut bytes = vec![b'x'; TAR_BLOCK];
        bytes[257..262].copy_from_slice(b"ustar");
        bytes.resize(TAR_BLOCK + TAR_END, 0);
        assert_eq!(under(Runtime::Podman, &bytes), State::Whole);
        // A disk that lost its blocks gives zeros.
        assert_eq!(
            under(Runtime::Podman, &vec![0; bytes.len()]),
            damaged("it does not begin as a tar file does")
        );
        bytes.pop();
        assert_eq!(
            under(Runtime::Podman, &bytes),
            damaged("it does not end as a tar file does")
        );
        let State::Damaged(reason) = under(Runtime::Podman, b"") else {
            panic!("an empty file is no image")
        };
        assert!(reason.starts_with("its end cannot be read"), "{reason}");
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
        let pyxis = |path| state(Utf8Path::new(path), Runtime::Pyxis);
        assert_eq!(pyxis("/no/such/file"), State::Absent);
        assert_eq!(
            pyxis("/dev"),
            State::Damaged("it is no plain file".to_owned())
        );
    }
}
