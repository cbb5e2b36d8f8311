//! What a terminal can be shown.

/// Whether a character acts on a terminal or on the text around it. Not the library's
/// own list: each of these is named in the specifications.
fn acts(character: char) -> bool {
    matches!(
        u32::from(character),
        0..=9 | 0xb..=0x1f | 0x7f..=0x9f | 0x61c | 0x200e | 0x200f | 0x2028..=0x202e | 0x2066..=0x2069
    )
}

/// Nothing in it acts, but for the ends of lines.
#[track_caller]
pub(crate) fn assert_clean(text: &str) {
    if let Some(character) = text.chars().find(|&character| acts(character)) {
        panic!("{character:?} in {text:?}");
    }
}

/// The same of a text that is one line.
#[allow(dead_code, reason = "not every test has lines")]
#[track_caller]
pub(crate) fn assert_clean_line(text: &str) {
    assert_clean(text);
    assert!(!text.contains('\n'), "more than a line: {text:?}");
}
