//! What was fetched to a place, as setup.sh and prepare_models.sh wrote it down.

use std::fs;

use camino::Utf8Path;

use crate::file;

/// A record has a name and a length.
const MOST_BYTES: u64 = 4096;

/// What was fetched to an image's file or a model's folder, where that is known and something
/// other than `reference`: launch.sh's own question (lib/fetched.sh).
pub(super) fn other_than(reference: &str, path: &Utf8Path) -> Option<String> {
    other_for(reference, "", path)
}

/// The same of an image, which is for one processor; an empty word stands for any. This is setup.sh's question.
pub(super) fn other_for(reference: &str, processor: &str, path: &Utf8Path) -> Option<String> {
    let place = fs::metadata(path).ok()?;
    let record = if place.is_dir() {
        path.join(".reference")
    } else {
        Utf8Path::new(&format!("{path}.reference")).to_owned()
    };
    let text = file::text(&record, MOST_BYTES)?;
    let line = text.lines().next()?.trim_matches([' ', '\t']);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let (name, bytes) = (words.next()?, words.next().unwrap_or(""));
    let rest: Vec<_> = words.collect();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte);
    let is_known = name.bytes().all(is_plain);
    // Of a file that was replaced since, nothing is known.
    let is_of_this = place.is_dir() || bytes == place.len().to_string();
    if !is_known || !is_of_this {
        return None;
    }
    let is_word = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_other = |word: &str| !processor.is_empty() && word != processor && is_word(word);
    if let [word] = rest.as_slice()
        && is_other(word)
    {
        return Some(format!("{name} for {word}"));
    }
    let agrees = format!("{name}@").starts_with(&format!("{reference}@"));
    (!agrees).then(|| name.to_owned())
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
            ("a/b:1 5 5\n".to_owned(), Some("a/b:1 for 5".to_owned())),
            (format!("{IMAGE} 5 amd64\n"), None),
            (format!("{digest} 5 amd64\n"), None),
            (
                format!("{digest} 5 arm64\n"),
                Some(format!("{digest} for arm64")),
            ),
            (format!("{IMAGE} 5 amd64 x\n"), None),
            (format!("{IMAGE} 5 AMD\n"), None),
            (
                format!("{IMAGE} 5 arm64\n"),
                Some(format!("{IMAGE} for arm64")),
            ),
            (
                "a/b:1 5 arm64\n".to_owned(),
                Some("a/b:1 for arm64".to_owned()),
            ),
        ] {
            fs::write(folder.join("image.sqsh.reference"), &record).unwrap();
            // A model's folder has no length.
            fs::write(folder.join(".reference"), record.replace(" 5", "")).unwrap();
            assert_eq!(other_for(IMAGE, "amd64", &image), other, "{record:?}");
            for (place, processor) in [(&*image, "amd64"), (&*image, ""), (folder, "")] {
                let program = "source templates/lib/fetched.sh\nholds \"$@\" || echo \"$REPLY\"";
                let output = Command::new("bash")
                    .args(["-euc", program, "bash", place.as_str(), IMAGE, processor])
                    .output()
                    .unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                let found = other_for(IMAGE, processor, place);
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
