//! Whether a safetensors file is as long as its own header promises, as prepare_models.sh asks.
//!
//! Eight bytes hold the header's length. The header is JSON and says of each tensor where its data
//! begin and end behind it. Source: <https://huggingface.co/docs/safetensors>, "Format".

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};

use camino::Utf8Path;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::file::{self, Links};

/// The library of the format reads no header of this length, nor does prepare_models.sh.
const TOO_LONG: u64 = 100_000_000;

/// What is wrong with it, in words that follow its name. Reads the header alone.
pub(super) fn fault(path: &Utf8Path) -> Option<String> {
    let (file, metadata) = match file::open(path.as_std_path(), Links::Follow) {
        Ok(opened) => opened,
        Err(error) => return Some(error.to_string()),
    };
    let length = metadata.len();
    match promised_length(file) {
        None => Some("has no safetensors header".to_owned()),
        Some(promised) if promised == length => None,
        Some(promised) => Some(format!(
            "has {length} bytes, its header promises {promised}"
        )),
    }
}

fn promised_length(mut file: File) -> Option<u64> {
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let header =
        Some(u64::from_le_bytes(length)).filter(|header| (1..TOO_LONG).contains(header))?;
    let text = BufReader::with_capacity(1 << 16, file.take(header));
    let Tensors { end } = serde_json::from_reader(text).ok()?;
    end?.checked_add(8 + header)
}

/// Where the last of all tensors ends, if there is one.
struct Tensors {
    end: Option<u64>,
}

#[derive(serde::Deserialize)]
struct Tensor {
    data_offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for Tensors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Tensors;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tensors by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tensors, A::Error> {
                let mut end = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        end = end.max(Some(map.next_value::<Tensor>()?.data_offsets.1));
                    }
                }
                Ok(Tensors { end })
            }
        }

        deserializer.deserialize_map(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn of(header: &str, promised: u64, data: usize) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let bytes = [&promised.to_le_bytes(), header.as_bytes(), &vec![0; data]].concat();
        std::fs::write(&path, bytes).unwrap();
        fault(Utf8Path::from_path(&path).unwrap())
    }

    #[track_caller]
    fn of_whole(header: &str, data: usize) -> Option<String> {
        of(header, header.len().try_into().unwrap(), data)
    }

    #[test]
    fn lengths() {
        let two = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},
            "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}   "#;
        assert_eq!(of_whole(two, 7), None);
        let length = 8 + two.len() + 7;
        for (data, has) in [(6, length - 1), (8, length + 1), (0, length - 7)] {
            let said = format!("has {has} bytes, its header promises {length}");
            assert_eq!(of_whole(two, data), Some(said));
        }
    }

    #[test]
    fn what_is_none() {
        let none = Some("has no safetensors header".to_owned());
        let tensor = r#"{"a":{"data_offsets":[0,4]}}"#;
        let hostile = r#"{"a":{"data_offsets":[0,18446744073709551615]}}"#;
        for header in [
            "",
            "{}",
            "data",
            "[]",
            r#"{"a":1}"#,
            &"[".repeat(9999),
            hostile,
        ] {
            assert_eq!(of_whole(header, 4), none, "{header}");
        }
        // Cut within the header, longer than one may be, and than any file is.
        for promised in [0, 27, 100_000_000, u64::MAX] {
            assert_eq!(of(tensor, promised, 0), none, "{promised}");
        }
        assert!(fault("/dev/zero".into()).is_some());
        assert!(fault("/absent".into()).is_some_and(|fault| fault.starts_with("cannot be read: ")));
    }
}
