//! Rooms of the sources use what lies below them, as the picture in ARCHITECTURE.md shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The program, documentation alone, and the front door.
const NO_ROOMS: [&str; 3] = ["bin", "guide", "lib"];

/// A module, and whom it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// A file without comments and unit tests, which may use anything.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let end = text.find("mod tests {").unwrap_or(text.len());
    let lines = text[..end].lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that follow `start` in a text: `crate::NAME`.
fn named_after(code: &str, start: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(start)
        .filter(|(place, _)| !code[..*place].ends_with(|c| word(c) || c == ':' || c == '$'))
        .map(|(place, _)| {
            let rest = &code[place + start.len()..];
            rest[..rest.find(|c| !word(c)).unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Which room uses which.
fn rooms() -> Uses {
    let src = sources();
    let mut edges = Uses::new();
    for path in files(&src) {
        let inside = path.strip_prefix(&src).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap();
        let room = room.trim_end_matches(".rs").to_owned();
        if !NO_ROOMS.contains(&room.as_str()) && !path.ends_with("tests.rs") {
            let mut used = named_after(&code(&path), "crate::");
            used.remove(&room);
            edges.entry(room).or_default().extend(used);
        }
    }
    edges
}

/// The lines of the picture, the uppermost first.
fn picture() -> Vec<Vec<String>> {
    let text = fs::read_to_string(sources().join("../ARCHITECTURE.md")).unwrap();
    let (_, after) = text.split_once("## Who uses whom").unwrap();
    let picture = after.split("```").nth(1).unwrap();
    let lines = picture.lines().skip(1);
    lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// What one room says of another that does not lie below it.
fn ways_up(picture: &[Vec<String>], uses: &Uses) -> Vec<String> {
    let level = |room: &String| picture.iter().position(|line| line.contains(room));
    let mut wrong = Vec::new();
    for (room, used) in uses {
        let Some(own) = level(room) else {
            wrong.push(format!("{room} is not in the picture"));
            continue;
        };
        for used in used {
            match level(used) {
                Some(below) if below > own => {}
                Some(_) => wrong.push(format!("{room} uses {used}, which is not below it")),
                None => wrong.push(format!(
                    "{room} uses crate::{used}, and no room has that name"
                )),
            }
        }
    }
    for room in picture.iter().flatten() {
        if !uses.contains_key(room) {
            wrong.push(format!("{room} is in the picture alone"));
        }
    }
    wrong
}

#[test]
fn rooms_use_what_lies_below_them() {
    let wrong = ways_up(&picture(), &rooms());
    assert!(wrong.is_empty(), "ARCHITECTURE.md: {wrong:#?}");
}

/// Files of one room use one another in one direction: `super::NAME`, and a child what its
/// parent has for all.
#[test]
fn no_circle_in_a_room() {
    let root = sources();
    let mut edges = Uses::new();
    for path in files(&root) {
        let inside = path.strip_prefix(&root).unwrap().with_extension("");
        let Some(parent) = inside
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        else {
            continue;
        };
        let code = code(&path);
        let mut used = named_after(&code, "super::");
        // use super::{Type, module};
        for part in code.split("super::{").skip(1) {
            let list = part.split('}').next().unwrap();
            used.extend(list.split(',').map(|name| name.trim().to_owned()));
        }
        let named = used.into_iter().filter(|name| !name.is_empty());
        let siblings = named.map(|name| parent.join(name));
        let siblings = siblings.filter(|place| root.join(place).with_extension("rs").exists());
        let siblings = siblings.map(|place| place.to_str().unwrap().to_owned());
        edges.insert(inside.to_str().unwrap().to_owned(), siblings.collect());
    }
    assert!(edges.values().flatten().count() > 20, "{edges:#?}");
    assert_eq!(circle(edges), Uses::new(), "these use one another");
}

/// What is left when all that uses nothing is taken away again and again.
fn circle(mut uses: Uses) -> Uses {
    loop {
        let free = uses.iter().filter(|(_, used)| used.is_empty());
        let Some(free) = free.map(|(file, _)| file.clone()).next() else {
            return uses;
        };
        uses.remove(&free);
        for used in uses.values_mut() {
            used.remove(&free);
        }
    }
}

/// What the tests above would see.
#[test]
fn a_way_up_is_seen() {
    let uses = |rows: &[(&str, &[&str])]| -> Uses {
        let rows = rows.iter().map(|(room, used)| {
            let used = used.iter().map(ToString::to_string).collect();
            (room.to_string(), used)
        });
        rows.collect()
    };
    let picture = [
        vec!["plan".to_owned()],
        vec!["slurm".to_owned(), "container".to_owned()],
    ];
    let right = uses(&[("plan", &["slurm"]), ("slurm", &[]), ("container", &[])]);
    assert_eq!(ways_up(&picture, &right), [""; 0]);
    let wrong = uses(&[
        ("plan", &["Recipe"]),
        ("slurm", &["plan", "container"]),
        ("new", &[]),
    ]);
    assert_eq!(
        ways_up(&picture, &wrong),
        [
            "new is not in the picture",
            "plan uses crate::Recipe, and no room has that name",
            "slurm uses container, which is not below it",
            "slurm uses plan, which is not below it",
            "container is in the picture alone",
        ]
    );
    assert!(circle(right).is_empty());
    assert_eq!(
        circle(uses(&[("a", &["b"]), ("b", &["a"]), ("c", &["a"])])).len(),
        3
    );
    let code = "use crate::slurm::Gres;\n$crate::value::x; crate::{Plan}; a::crate::b";
    let named: Vec<_> = named_after(code, "crate::").into_iter().collect();
    assert_eq!(named, ["", "slurm"]);
}
