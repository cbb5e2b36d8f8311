//! Environment variables, as a process has them: bytes that need not be text.

use std::ffi::OsString;

/// Variables whose names are text, as all have that are looked for here.
pub(crate) fn named(
    variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> impl Iterator<Item = (String, OsString)> {
    variables
        .into_iter()
        .filter_map(|(name, value)| Some((name.into().into_string().ok()?, value.into())))
}

/// The same variables as text: a byte that is none becomes U+FFFD, which no option of a
/// script has.
pub(crate) fn texts(
    variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
) -> Vec<(String, String)> {
    named(variables)
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}
