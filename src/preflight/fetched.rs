//! What was fetched to a place, as setup.sh and prepare_models.sh wrote it down.

use std::fs;

use camino::Utf8Path;

use crate::file;

/// A record has a name and a length.
const MOST_BYTES: u64 = 4096;

/// What was fetched to an image's file or a model's folder, where that is known and something
/// other than `reference`: launch.sh's own question (lib/fetched.sh).
pub(super) fn other_than(reference: &str, path: &Utf8Path) -> Option<String> {
    let place = fs::metadata(path).ok()?;
    let record = if place.is_dir() {
        path.join(".reference")
    } else {
        Utf8Path::new(&format!("{path}.reference")).to_owned()
    };
    let text = file::text(&record, MOST_BYTES)?;
    let line = text.lines().next()?.trim_matches([' ', '\t']);
    let (name, bytes) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte);
    let is_known = !name.is_empty() && name.bytes().all(is_plain);
    // Of a file that was replaced since, nothing is known.
    let is_of_this = place.is_dir() || bytes.trim_start() == place.len().to_string();
    let agrees = format!("{name}@").starts_with(&format!("{reference}@"));
    (is_known && is_of_this && !agrees).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const IMAGE: &str = "nvcr.io/nim/meta/llama3-70b-instruct:1.0.3";

    /// launch.sh and setup.sh find the same.
    #[test]
    fn bash_finds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let image = folder.join("image.sqsh");
        fs::write(&image, "12345").unwrap();
        let digest = format!("{IMAGE}@sha256:{}", "0".repeat(64));
        for (record, other) in [
            (String::new(), None),
            (format!("{IMAGE} 5\n"), None),
            (format!("{digest} 5\n"), None),
            (format!("{IMAGE}0 5\n"), Some(format!("{IMAGE}0"))),
            ("a/b:1 5\n".to_owned(), Some("a/b:1".to_owned())),
            ("  a/b:1  5 \nmore".to_owned(), Some("a/b:1".to_owned())),
            ("a/b:1 6\n".to_owned(), None),
            ("a/b:1\n".to_owned(), None),
            ("a\u{1b}b 5\n".to_owned(), None),
            ("a/b:1 5 5\n".to_owned(), None),
        ] {
            fs::write(folder.join("image.sqsh.reference"), &record).unwrap();
            // A model's folder has no length.
            fs::write(folder.join(".reference"), record.replace(" 5", "")).unwrap();
            assert_eq!(other_than(IMAGE, &image), other, "{record:?}");
            for place in [&image, folder] {
                let program =
                    "source templates/lib/fetched.sh\nholds \"$1\" \"$2\" || echo \"$REPLY\"";
                let output = Command::new("bash")
                    .args(["-euc", program, "bash", place.as_str(), IMAGE])
                    .output()
                    .unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                let found = other_than(IMAGE, place);
                assert_eq!(
                    said.trim_end(),
                    found.unwrap_or_default(),
                    "{record:?} {place}"
                );
            }
        }
        fs::remove_file(folder.join(".reference")).unwrap();
        assert_eq!(other_than(IMAGE, folder), None, "nothing is written down");
    }
}
