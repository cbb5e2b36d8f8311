//! Lists that a test keeps beside the sources: what is on one of both alone is named.

use std::fmt::Debug;

/// `place` is where the list stands, for whoever has to fix it.
#[track_caller]
pub(crate) fn assert_same<T: PartialEq + Debug>(
    place: &str,
    listed: impl IntoIterator<Item = T>,
    needed: impl IntoIterator<Item = T>,
) {
    let mut too_many: Vec<_> = listed.into_iter().collect();
    let mut missing = Vec::new();
    for item in needed {
        match too_many.iter().position(|listed| *listed == item) {
            Some(index) => drop(too_many.remove(index)),
            None => missing.push(item),
        }
    }
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "in {place}, {missing:?} must be added, and {too_many:?} taken out"
    );
}
