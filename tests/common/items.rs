//! What the crate offers, as rustdoc's JSON tells it. That is for nightly compilers; a
//! variable makes that of a release write it. Its format changes now and then: what is read
//! here is in those from [`FORMATS`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Those of Rust 1.88 to 1.95.
const FORMATS: RangeInclusive<u64> = 45..=57;

/// A crate's documentation.
pub(crate) struct Docs {
    json: Value,
    format: u64,
}

/// A public item.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    id: String,
    /// `struct`, `enum`, `trait`, `module`, `function`, …
    pub(crate) kind: String,
    /// As users write it, without the crate's name: `slurm::Partition::parse`.
    pub(crate) path: String,
    /// The path of the type that it is a member of.
    pub(crate) owner: Option<String>,
    /// Its documentation, as text.
    pub(crate) docs: String,
}

impl Item {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or_default()
    }

    pub(crate) fn is_type(&self) -> bool {
        ["struct", "enum", "union"].contains(&self.kind.as_str())
    }
}

/// A program beside cargo, which rustup may not have on the search path.
fn rustdoc() -> PathBuf {
    let own = Path::new(env!("CARGO")).with_file_name("rustdoc");
    if own.is_file() { own } else { "rustdoc".into() }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
}

impl Docs {
    /// This crate's, with all features.
    pub(crate) fn of_crate() -> Self {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = scratch.parent().unwrap();
        // For rustdoc alone: with the variable, cargo would build dependencies again.
        let program = scratch.join("rustdoc-json");
        let lines = "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec \"$OWN_RUSTDOC\" \"$@\"\n";
        if !fs::read_to_string(&program).is_ok_and(|text| text == lines) {
            use std::os::unix::fs::PermissionsExt;

            fs::write(&program, lines).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        run(Command::new(env!("CARGO"))
            .args([
                "rustdoc",
                "--quiet",
                "--lib",
                "--all-features",
                "--target-dir",
            ])
            .arg(target)
            .args(["--", "-Zunstable-options", "--output-format=json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("RUSTDOC", &program)
            .env("OWN_RUSTDOC", rustdoc()));
        Self::read(&target.join("doc/nim_slurm.json"))
    }

    /// Those of a text, as a crate of its own.
    pub(crate) fn of_text(code: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("example.rs");
        fs::write(&file, code).unwrap();
        run(Command::new(rustdoc())
            .args([
                "--edition=2024",
                "-Zunstable-options",
                "--output-format=json",
            ])
            .arg("--out-dir")
            .arg(folder.path())
            .arg(&file)
            .env("RUSTC_BOOTSTRAP", "1"));
        Self::read(&folder.path().join("example.json"))
    }

    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("rustdoc wrote no {}: {error}", file.display()));
        let json: Value = serde_json::from_str(&text).unwrap();
        let format = json["format_version"].as_u64().unwrap();
        if !FORMATS.contains(&format) {
            println!("rustdoc's JSON has format {format}, {FORMATS:?} were tried");
        }
        Self { json, format }
    }

    /// A part of the JSON that must be there.
    #[track_caller]
    fn part<'a>(&self, of: &'a Value, name: &str) -> &'a Value {
        of.get(name).unwrap_or_else(|| {
            panic!(
                "rustdoc's JSON (format {}) has no {name:?} in {of}: tests/common/items.rs is \
                 written for {FORMATS:?}",
                self.format
            )
        })
    }

    #[track_caller]
    fn list<'a>(&self, of: &'a Value, name: &str) -> &'a [Value] {
        self.part(of, name).as_array().map_or(&[], Vec::as_slice)
    }

    fn item(&self, id: &str) -> Option<&Value> {
        self.part(&self.json, "index").get(id)
    }

    /// What an item is, and what it says of that.
    fn inner<'a>(&self, item: &'a Value) -> (&'a str, &'a Value) {
        let inner = self.part(item, "inner").as_object();
        let (kind, inner) = inner.and_then(|inner| inner.iter().next()).unwrap();
        (kind, inner)
    }

    /// All public items: the crate itself, and what can be reached from it, members of types
    /// included. Variants and fields are a part of their type.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut found = Vec::new();
        self.visit(&id_of(self.part(&self.json, "root")), "", &mut found);
        let mut seen = BTreeSet::new();
        found.retain(|item| seen.insert(item.id.clone()));
        found
    }

    fn visit(&self, id: &str, room: &str, found: &mut Vec<Item>) {
        let Some(item) = self.item(id) else { return };
        let (kind, inner) = self.inner(item);
        if kind == "use" {
            // Of another crate: not ours to document.
            let Some(target) = inner.get("id").filter(|id| !id.is_null()) else {
                return;
            };
            assert_eq!(inner["is_glob"], false, "a glob: {inner}");
            return self.visit(&id_of(target), room, found);
        }
        let name = item["name"].as_str().unwrap_or_default();
        let path = match (room, id == id_of(&self.json["root"])) {
            (_, true) => String::new(),
            ("", false) => name.to_owned(),
            (room, false) => format!("{room}::{name}"),
        };
        found.push(Item {
            id: id.to_owned(),
            kind: kind.to_owned(),
            path: path.clone(),
            owner: None,
            docs: item["docs"].as_str().unwrap_or_default().to_owned(),
        });
        if kind == "module" {
            for id in self.list(inner, "items") {
                self.visit(&id_of(id), &path, found);
            }
        } else if ["struct", "enum", "union"].contains(&kind) {
            for of in self.impls(id).filter(|of| of["trait"].is_null()) {
                let first = found.len();
                for id in self.list(of, "items") {
                    self.visit(&id_of(id), &path, found);
                }
                for item in &mut found[first..] {
                    item.owner = Some(path.clone());
                }
            }
        }
    }

    /// What is implemented for a type, without what is for all types.
    fn impls(&self, id: &str) -> impl Iterator<Item = &Value> {
        let impls = self.item(id).map(|item| self.inner(item).1);
        let impls = impls.map_or(&[][..], |inner| self.list(inner, "impls"));
        impls
            .iter()
            .filter_map(|id| Some(self.inner(self.item(&id_of(id))?).1))
            .filter(|of| self.part(of, "blanket_impl").is_null())
    }

    /// Whether a type has this trait, such as `Send`, by its name.
    pub(crate) fn has_trait(&self, item: &Item, name: &str) -> bool {
        self.impls(&item.id).any(|of| {
            // As it is written there: `std::str::FromStr`.
            let path = of["trait"]["path"].as_str().unwrap_or_default();
            let is_it = path.rsplit("::").next() == Some(name);
            is_it && *self.part(of, "is_negative") == Value::Bool(false)
        })
    }

    /// Whether a member makes a value of its type from a text, and perhaps more.
    pub(crate) fn reads_text(&self, item: &Item) -> bool {
        let (kind, inner) = self.inner(self.item(&item.id).unwrap());
        if kind != "function" {
            return false;
        }
        let signature = self.part(inner, "sig");
        let inputs = self.list(signature, "inputs");
        let is_text = |input: &Value| input[1]["borrowed_ref"]["type"]["primitive"] == "str";
        let has_self = inputs.iter().any(|input| input[0] == "self");
        let output = self.part(signature, "output").to_string();
        inputs.iter().any(is_text) && !has_self && output.contains("{\"generic\":\"Self\"}")
    }

    /// Whether a type says that it may grow.
    pub(crate) fn is_non_exhaustive(&self, item: &Item) -> bool {
        let attributes = self.list(self.item(&item.id).unwrap(), "attrs");
        // `#[non_exhaustive]` in early formats.
        let mut attributes = attributes.iter().map(ToString::to_string);
        attributes.any(|attribute| attribute.contains("non_exhaustive"))
    }

    pub(crate) fn has_public_fields(&self, item: &Item) -> bool {
        let kind = &self.inner(self.item(&item.id).unwrap()).1["kind"];
        // Private ones are left out, or null in a tuple.
        let fields = kind.pointer("/plain/fields").or_else(|| kind.get("tuple"));
        let fields = fields.and_then(Value::as_array);
        fields.is_some_and(|fields| fields.iter().any(|field| !field.is_null()))
    }

    /// The crates whose types and traits an item shows, each with where: in its signature, its
    /// fields and variants, and what is implemented for it.
    pub(crate) fn crates_seen(&self, item: &Item) -> BTreeMap<String, String> {
        let mut seen = BTreeMap::new();
        self.look(&item.id, &item.path, &mut seen);
        if item.is_type() {
            for of in self.impls(&item.id) {
                if of["trait"].is_null() {
                    // Its members are items of their own.
                    self.note(&of["generics"], &item.path, &mut seen);
                    continue;
                }
                let place = format!("{} for {}", of["trait"]["path"], item.path);
                self.note(
                    &serde_json::json!([{ "resolved_path": of["trait"] }]),
                    &place,
                    &mut seen,
                );
                self.note(&of["generics"], &place, &mut seen);
                for id in self.list(of, "items") {
                    self.look(&id_of(id), &place, &mut seen);
                }
            }
        }
        seen
    }

    /// What an item itself shows, with its fields and variants.
    fn look(&self, id: &str, place: &str, seen: &mut BTreeMap<String, String>) {
        let Some(item) = self.item(id) else { return };
        let (kind, inner) = self.inner(item);
        if kind == "module" {
            return;
        }
        self.note(inner, place, seen);
        let parts = [
            inner.get("variants"),
            inner.pointer("/kind/plain/fields"),
            inner.pointer("/kind/struct/fields"),
            inner.pointer("/kind/tuple"),
        ];
        for part in parts.into_iter().flatten().filter_map(Value::as_array) {
            for id in part.iter().filter(|id| !id.is_null()) {
                self.look(&id_of(id), place, seen);
            }
        }
    }

    /// The crates of all paths in a part of the JSON.
    fn note(&self, of: &Value, place: &str, seen: &mut BTreeMap<String, String>) {
        match of {
            Value::Array(parts) => parts.iter().for_each(|part| self.note(part, place, seen)),
            Value::Object(parts) => {
                for (name, part) in parts {
                    let is_path = name == "resolved_path" || name == "trait";
                    if let Some(id) = part.get("id").filter(|_| is_path) {
                        let found = self.crate_of(&id_of(id));
                        seen.entry(found).or_insert_with(|| place.to_owned());
                    }
                    self.note(part, place, seen);
                }
            }
            _ => {}
        }
    }

    /// The name of the crate that has an item.
    fn crate_of(&self, id: &str) -> String {
        let number = match self.part(&self.json, "paths").get(id) {
            Some(path) => self.part(path, "crate_id"),
            None => self.part(self.item(id).unwrap(), "crate_id"),
        };
        let crates = self.part(&self.json, "external_crates");
        let name = crates.get(id_of(number)).map(|of| self.part(of, "name"));
        name.and_then(Value::as_str)
            .unwrap_or("this crate")
            .to_owned()
    }
}

/// A number, as the keys of the JSON's tables have it.
fn id_of(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// The examples in a documentation: blocks of Rust, which are tests.
pub(crate) fn examples(docs: &str) -> String {
    let mut found = String::new();
    let mut language: Option<&str> = None;
    for line in docs.lines() {
        match (line.trim_start().strip_prefix("```"), language) {
            (Some(_), Some(_)) => language = None,
            (Some(given), None) => language = Some(given),
            (None, Some("" | "rust" | "no_run" | "rust,no_run")) => {
                found.push_str(line);
                found.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

/// Whether a text calls or names this member of a type: `.name`, `::name`.
pub(crate) fn uses(text: &str, name: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(place, _)| {
        let is_whole = !text[place + name.len()..].starts_with(goes_on);
        is_whole && text[..place].ends_with(['.', ':'])
    })
}
