//! What the crate offers, read from its sources: every item that is written `pub`. The lint
//! `unreachable_pub` sees to it that an item that is written so can be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A public item.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    /// `struct`, `enum`, `trait`, `mod`, `fn`, `const`.
    pub(crate) kind: String,
    pub(crate) name: String,
    /// The type that it is a method or a constant of.
    pub(crate) owner: Option<String>,
    /// From `src`.
    pub(crate) file: String,
    /// Its documentation, as text.
    pub(crate) docs: String,
    /// Its attributes.
    pub(crate) attributes: String,
    /// Where it is declared, up to its body.
    pub(crate) head: String,
    pub(crate) has_public_fields: bool,
}

impl Item {
    /// `Type::method`, or the name.
    pub(crate) fn path(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{owner}::{}", self.name),
            None => self.name.clone(),
        }
    }

    pub(crate) fn is_type(&self) -> bool {
        ["struct", "enum", "union", "trait"].contains(&self.kind.as_str())
    }
}

/// The word with which a text begins.
pub(crate) fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The sources without their unit tests, which are at a file's end or in a `tests.rs`, each
/// with its place below `src`.
pub(crate) fn sources() -> Vec<(String, String)> {
    const UNIT_TESTS: &str = "#[cfg(test)]\nmod tests {\n";
    fn walk(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                let (code, _) = text.split_once(UNIT_TESTS).unwrap_or((&text, ""));
                let place = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push((place.to_owned(), code.to_owned()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort();
    found
}

/// A macro of the crate that makes public items.
#[derive(Default)]
struct Macro {
    /// Its text.
    body: String,
    /// The items that it gives to the type that is its first argument.
    given: Vec<Item>,
    /// Macros that it hands this type to.
    calls: Vec<String>,
}

/// All public items of these sources.
pub(crate) fn items(sources: &[(String, String)]) -> Vec<Item> {
    let mut macros = BTreeMap::new();
    for (_, code) in sources {
        for text in code.split("macro_rules! ").skip(1) {
            let (body, _) = text.split_once("\n}\n").unwrap_or((text, ""));
            macros.insert(first_word(text).to_owned(), read_macro(body));
        }
    }
    let mut found = Vec::new();
    for (file, code) in sources {
        found.extend(read_file(file, code, &macros));
    }
    // A module's documentation is in its own file, or in one that is included.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for item in found.iter_mut().filter(|item| item.kind == "mod") {
        let own = format!("{}.rs", item.name);
        if let Some((_, code)) = sources.iter().find(|(file, _)| *file == own) {
            item.docs.push_str(&inner_docs(code));
        }
        for call in item.attributes.split("#[doc = include_str!(\"").skip(1) {
            let (file, _) = call.split_once('"').unwrap();
            item.docs
                .push_str(&fs::read_to_string(root.join(file)).unwrap());
        }
    }
    found
}

/// The documentation at the head of a file.
pub(crate) fn inner_docs(code: &str) -> String {
    let lines = code.lines().map_while(|line| line.strip_prefix("//!"));
    lines
        .flat_map(|line| [line.strip_prefix(' ').unwrap_or(line), "\n"])
        .collect()
}

/// The type that an item is a member of. Some names are used twice, in different rooms.
pub(crate) fn type_of<'a>(items: &'a [Item], member: &Item) -> Option<&'a Item> {
    fn room(file: &str) -> &str {
        file.split(['/', '.']).next().unwrap_or_default()
    }
    let owner = member.owner.as_deref()?;
    let types = || {
        items
            .iter()
            .filter(|item| item.is_type() && item.name == owner)
    };
    types()
        .find(|item| item.file == member.file)
        .or_else(|| types().find(|item| room(&item.file) == room(&member.file)))
        .or_else(|| types().next())
}

fn read_macro(body: &str) -> Macro {
    let given = scan(body).into_iter();
    Macro {
        body: body.to_owned(),
        given: given
            .filter(|item| {
                item.owner
                    .as_deref()
                    .is_some_and(|own| own.starts_with('$'))
            })
            .collect(),
        calls: body
            .split("!($type,")
            .filter_map(|before| before.rsplit([' ', ':', '\n']).next())
            .filter(|name| !name.is_empty() && first_word(name) == *name)
            .map(str::to_owned)
            .collect(),
    }
}

/// What a macro gives to its type, also through the macros that it calls.
fn given(name: &str, macros: &BTreeMap<String, Macro>) -> Vec<Item> {
    let Some(known) = macros.get(name) else {
        return Vec::new();
    };
    let of_others = known.calls.iter().filter(|other| *other != name);
    known
        .given
        .iter()
        .cloned()
        .chain(of_others.flat_map(|other| given(other, macros)))
        .collect()
}

fn read_file(file: &str, code: &str, macros: &BTreeMap<String, Macro>) -> Vec<Item> {
    let of_type = |items: Vec<Item>, owner: &str| -> Vec<Item> {
        let own = |item| Item {
            owner: Some(owner.to_owned()),
            file: file.to_owned(),
            ..item
        };
        items.into_iter().map(own).collect()
    };
    let mut found = Vec::new();
    for mut item in scan(code) {
        file.clone_into(&mut item.file);
        // Documentation that a macro writes.
        for call in item.attributes.split("#[doc = ").skip(1) {
            if let Some(by) = macros.get(first_word(call)) {
                item.docs.push_str(&by.body.replace("\\n", "\n"));
            }
        }
        let is_template = |name: &str| name.starts_with('$');
        if item.owner.as_deref().is_some_and(is_template) || item.name == "$type" {
            continue;
        }
        found.push(item);
    }
    // `NAME!(Type, …)`
    for line in code.lines() {
        let Some((name, arguments)) = line.split_once("!(") else {
            continue;
        };
        let owner = first_word(arguments);
        if macros.contains_key(name) && !owner.is_empty() {
            found.extend(of_type(given(name, macros), owner));
        }
    }
    // `NAME! { … }`, with an entry for each type.
    for (name, known) in macros {
        let Some((_, block)) = code.split_once(&format!("\n{name}! {{\n")) else {
            continue;
        };
        if !known.body.contains(" $type {") && !known.body.contains("struct $type(") {
            continue;
        }
        let (block, _) = block.split_once("\n}").unwrap();
        let kind = if known.body.contains("pub enum $type") {
            "enum"
        } else {
            "struct"
        };
        let mut docs = String::new();
        for line in block.lines() {
            let Some(entry) = line.strip_prefix("    ") else {
                docs.clear();
                continue;
            };
            let name_of_type = first_word(entry);
            if let Some(text) = entry.strip_prefix("///") {
                docs.push_str(text.strip_prefix(' ').unwrap_or(text));
                docs.push('\n');
            } else if entry[name_of_type.len()..].starts_with(", \"") {
                found.push(Item {
                    kind: kind.to_owned(),
                    name: name_of_type.to_owned(),
                    file: file.to_owned(),
                    docs: std::mem::take(&mut docs),
                    attributes: known.body.clone(),
                    ..Item::default()
                });
                found.extend(of_type(given(name, macros), name_of_type));
            }
        }
    }
    found
}

/// The items of a text that rustfmt has formatted.
fn scan(code: &str) -> Vec<Item> {
    let mut found = Vec::new();
    let (mut docs, mut attributes) = (String::new(), String::new());
    let mut block: Option<(usize, String)> = None;
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if let Some(doc) = text.strip_prefix("///") {
            docs.push_str(doc.strip_prefix(' ').unwrap_or(doc));
            docs.push('\n');
            continue;
        }
        if text.starts_with("#[") {
            attributes.push_str(text);
            let mut last = text;
            while !last.ends_with(']')
                && let Some(next) = lines.next_if(|next| !next.trim().is_empty())
            {
                last = next.trim();
                attributes.push_str(last);
            }
            attributes.push('\n');
            continue;
        }
        if text.starts_with("impl") && text.ends_with('{') {
            block = Some((depth, owner(text)));
        } else if block
            .as_ref()
            .is_some_and(|(own, _)| text == "}" && depth == *own)
        {
            block = None;
        }
        if let Some(rest) = text.strip_prefix("pub ") {
            let mut words = rest.split_whitespace().peekable();
            let is_modifier = |word: &&str| ["async", "unsafe"].contains(word);
            while words.next_if(is_modifier).is_some() {}
            let mut kind = words.next().unwrap_or_default();
            if kind == "const" && words.next_if(|word| *word == "fn").is_some() {
                kind = "fn";
            }
            let name = words.next().unwrap_or_default();
            if [
                "struct", "enum", "union", "trait", "fn", "const", "static", "type", "mod",
            ]
            .contains(&kind)
            {
                let start = usize::from(name.starts_with('$'));
                let name = &name[..first_word(&name[start..]).len() + start];
                let mut head = text.to_owned();
                while !head.ends_with(['{', ';'])
                    && let Some(next) = lines.next_if(|next| next.starts_with(' '))
                {
                    head.push(' ');
                    head.push_str(next.trim());
                }
                found.push(Item {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    owner: block.as_ref().map(|(_, owner)| owner.clone()),
                    file: String::new(),
                    docs: std::mem::take(&mut docs),
                    attributes: std::mem::take(&mut attributes),
                    has_public_fields: head.contains("(pub "),
                    head,
                });
            } else if let Some(last) = found.last_mut()
                && kind.ends_with(':')
            {
                last.has_public_fields = true;
            }
        }
        docs.clear();
        attributes.clear();
    }
    found
}

/// The type in the head of an `impl`: `Group` of `impl<'a> Group<'a> {`.
fn owner(head: &str) -> String {
    let mut rest = head.strip_prefix("impl").unwrap();
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        });
        rest = &rest[end.unwrap() + 1..];
    }
    let name = rest.rsplit(" for ").next().unwrap().trim();
    let name = name.strip_prefix('&').unwrap_or(name);
    let end = name.find(['<', ' ']).unwrap_or(name.len());
    name[..end].rsplit("::").next().unwrap().to_owned()
}

/// The examples in a documentation: blocks of Rust, which are tests.
pub(crate) fn examples(docs: &str) -> String {
    let mut found = String::new();
    let mut language: Option<&str> = None;
    for line in docs.lines() {
        match (
            line.trim_start_matches([' ', '"']).strip_prefix("```"),
            language,
        ) {
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
    text.match_indices(name).any(|(place, _)| {
        let is_whole = first_word(&text[place..]) == name;
        is_whole && text[..place].ends_with(['.', ':'])
    })
}

/// What a user sees of a text: heads of public items, public fields, variants, and what is
/// implemented for these types.
pub(crate) fn surface(code: &str, types: &BTreeSet<&str>) -> Vec<String> {
    let mut seen = Vec::new();
    let mut variants: Option<usize> = None;
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if text.starts_with("//") || text.starts_with("#[") && text.ends_with(']') {
            continue;
        }
        if variants == Some(depth) && text == "}" {
            variants = None;
        }
        let is_impl = text.starts_with("impl") && text.contains(" for ") && {
            types.contains(owner(text.trim_end_matches(" {")).as_str())
        };
        if text.starts_with("pub ") || is_impl || variants.is_some() {
            let mut head = text.to_owned();
            while variants.is_none() && !head.ends_with(['{', ';', ',', '}']) || head.ends_with('(')
            {
                let Some(next) = lines.next() else { break };
                head.push(' ');
                head.push_str(next.trim());
                // A parameter's comma is not the end.
                if head.contains("fn ") && head.ends_with(',') {
                    head.push(' ');
                }
            }
            if text.starts_with("pub enum ") && head.ends_with('{') {
                variants = Some(depth);
            }
            seen.push(head);
        }
    }
    seen
}

/// The names that a source takes from these crates.
pub(crate) fn taken<'a>(code: &'a str, crates: &[String]) -> BTreeSet<&'a str> {
    let imports = code.lines().filter_map(|line| line.strip_prefix("use "));
    imports
        .filter(|import| crates.iter().any(|name| first_word(import) == name))
        .flat_map(|import| import.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with(|c: char| c.is_uppercase()))
        .collect()
}

/// The first name in a declaration that is one of these crates, or taken from them.
pub(crate) fn foreign<'a>(
    line: &'a str,
    crates: &[String],
    taken: &BTreeSet<&str>,
) -> Option<&'a str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = line
        .split(|c: char| !is_part(c))
        .filter(|word| !word.is_empty());
    words.find(|word| {
        let is_crate =
            crates.iter().any(|name| name == word) && line.contains(&format!("{word}::"));
        is_crate || taken.contains(word)
    })
}
