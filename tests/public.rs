//! What holds for everything that the crate offers: it has an example, can be sent to and
//! shared with other threads, may grow where that is said, and shows no type of another crate.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use self::every_value::{Value, Visitor, every_value};
use self::items::{Docs, Item};
use self::same::assert_same;

#[path = "common/every_value.rs"]
mod every_value;
#[path = "common/items.rs"]
mod items;
#[path = "common/same.rs"]
mod same;

/// Made once for all tests.
fn docs() -> &'static Docs {
    static DOCS: OnceLock<Docs> = OnceLock::new();
    DOCS.get_or_init(Docs::of_crate)
}

/// The items that have no example. All but variants and fields need one:
///
/// * the crate, each module, type, trait and function one of its own;
/// * a method, a constant or another member of a type one of its own, or the example of its
///   type calls it by its name.
fn without_example(items: &[Item]) -> Vec<&str> {
    let is_shown = |item: &Item| {
        let own = items
            .iter()
            .find(|other| item.owner.as_ref() == Some(&other.path));
        own.is_some_and(|own| items::uses(&items::examples(&own.docs), item.name()))
    };
    let has_none = |item: &&Item| items::examples(&item.docs).is_empty() && !is_shown(item);
    let missing = items.iter().filter(has_none);
    missing.map(|item| item.path.as_str()).collect()
}

#[test]
fn every_public_item_has_an_example() {
    let items = docs().items();
    assert!(items.len() > 500, "only {} items", items.len());
    assert_eq!(without_example(&items), [""; 0]);
    let own = items
        .iter()
        .filter(|item| !items::examples(&item.docs).is_empty());
    let (all, own) = (items.len(), own.count());
    println!("{all} public items, {own} with an example of their own");
}

#[test]
fn types_can_cross_threads() {
    let items = docs().items();
    let types = items.iter().filter(|item| item.is_type());
    let crosses = |item: &&Item| ["Send", "Sync"].map(|marker| docs().has_trait(item, marker));
    let (able, unable): (Vec<_>, Vec<_>) = types.partition(|item| crosses(item) == [true; 2]);
    assert!(unable.is_empty(), "{unable:#?}");
    println!("{} types", able.len());
}

/// A type with a parser that is not in the list of values is tried neither by
/// `tests/values.rs` nor by `tests/memory.rs`.
#[test]
fn every_parser_is_in_the_list() {
    struct Names(Vec<&'static str>);

    impl Visitor for Names {
        fn visit<T: Value>(&mut self, name: &'static str) {
            self.0.push(name);
        }
    }

    let items = docs().items();
    let is_parsed = |item: &&Item| docs().has_trait(item, "FromStr");
    let parsed = items.iter().filter(|item| item.is_type()).filter(is_parsed);
    let mut tried = Names(Vec::new());
    every_value(&mut tried);
    let place = "each!(…) of tests/common/every_value.rs";
    assert_same(place, tried.0, parsed.map(Item::name));

    // Functions that read a name, and whole files. `for_batch_shell` makes a text for `parse`.
    let reading = items.iter().filter(|item| docs().reads_text(item));
    let reading: BTreeSet<_> = reading.map(Item::name).collect();
    let known = [
        "built_in",
        "for_batch_shell",
        "from_key",
        "from_name",
        "from_toml",
        "from_toml_at",
        "from_word",
        "parse",
    ];
    assert_same("this list of functions", known, reading);
}

/// What a later release may add to is `#[non_exhaustive]`: enums, and structs with public
/// fields. These have all that they will ever have.
const COMPLETE: [&str; 4] = [
    // Code and signal, as wait(2) has them.
    "JobExit",
    // Slurm knows the job, or nobody does.
    "JobStatus",
    // The three scripts, and a table for each.
    "JobOptions",
    "ScriptKind",
];

/// Types that can have more one day: those that say so, and those that do not.
fn open_types<'a>(docs: &Docs, items: &'a [Item]) -> (Vec<&'a Item>, Vec<&'a Item>) {
    items
        .iter()
        .filter(|item| item.kind == "enum" || item.is_type() && docs.has_public_fields(item))
        .partition(|item| docs.is_non_exhaustive(item))
}

#[test]
fn what_may_grow_says_so() {
    let items = docs().items();
    let (marked, complete) = open_types(docs(), &items);
    let complete = complete.iter().map(|item| item.name());
    let place = "COMPLETE of tests/public.rs, unless #[non_exhaustive] is meant,";
    assert_same(place, COMPLETE, complete);
    println!("{} types may grow", marked.len());
}

/// Crates whose types and traits may be seen: the standard library, paths that are text, and
/// the traits that make a value readable.
const MAY_BE_SEEN: [&str; 7] = [
    "this crate",
    "alloc",
    "camino",
    "core",
    "serde",
    "serde_core",
    "std",
];

/// What is seen of other crates, as `CRATE: PLACE`.
fn foreign(docs: &Docs, allowed: &[&str]) -> Vec<String> {
    let items = docs.items();
    let seen = items.iter().flat_map(|item| docs.crates_seen(item));
    let seen = seen.filter(|(name, _)| !allowed.contains(&name.as_str()));
    seen.map(|(name, place)| format!("{name}: {place}"))
        .collect()
}

/// A new major release of a dependency is then no new major release of this crate.
#[test]
fn no_type_of_another_crate_is_seen() {
    assert_eq!(foreign(docs(), &MAY_BE_SEEN), [""; 0]);
    // Each of them is seen, so that others would be.
    for name in ["alloc", "camino", "serde_core", "std"] {
        let others = MAY_BE_SEEN.map(|other| if other == name { "" } else { other });
        assert!(!foreign(docs(), &others).is_empty(), "{name}");
    }
}

/// What the tests above see in a text.
const EXAMPLE: &str = r"
//! A crate.
//!
//! ```
//! let example = 1;
//! ```

pub use self::apart::{Number, Open, Seen};

mod apart {
    use std::collections::BTreeMap as Map;
    use std::rc::Rc;

    /// A number.
    ///
    /// ```
    /// assert_eq!(Number::new(1).get(), 1);
    /// ```
    pub struct Number<T>(T, Rc<T>);

    macro_rules! members {
        ($type:ident) => {
            impl<T: Clone> $type<T> {
                /// Shown.
                pub fn get(&self) -> T { self.0.clone() }
                /// Not shown: `doubled` is another word.
                pub fn double(&self, map: &Map<u8, T>) {}
                fn hidden(&self, text: String) {}
            }
        };
    }
    members!(Number);

    /// ```text
    /// no example
    /// ```
    pub enum Open { One, Two(Vec<u8>) }

    #[non_exhaustive]
    pub struct Seen { pub value: Option<Box<u8>>, hidden: String }

    pub struct Hidden;

    impl From<String> for Open { fn from(_: String) -> Self { Self::One } }
    impl From<String> for Hidden { fn from(_: String) -> Self { Self } }
}
";

#[test]
fn the_tests_see_what_they_are_for() {
    let docs = Docs::of_text(EXAMPLE);
    let items = docs.items();
    let paths: Vec<_> = items.iter().map(|item| item.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "",
            "Number",
            "Number::get",
            "Number::double",
            "Open",
            "Seen"
        ]
    );
    assert_eq!(without_example(&items), ["Number::double", "Open", "Seen"]);
    let crossing = |item: &Item| ["Send", "Sync"].map(|marker| docs.has_trait(item, marker));
    assert_eq!(crossing(&items[1]), [false; 2]);
    assert_eq!(crossing(&items[4]), [true; 2]);
    let (marked, complete) = open_types(&docs, &items);
    assert_eq!((marked[0].name(), marked.len()), ("Seen", 1));
    assert_eq!((complete[0].name(), complete.len()), ("Open", 1));
    assert_eq!(
        foreign(&docs, &["this crate", "core"]),
        ["alloc: Number::double", "alloc: Open", "alloc: Seen",]
    );
}
