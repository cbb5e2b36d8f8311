//! The program of the client's step, for tests that look at it alone.

/// It travels inside launch.sh, as a text.
pub(crate) fn client_program(launch: &str) -> &str {
    let (_, rest) = launch.split_once("cat <<'CLIENT'\n").unwrap();
    rest.split_once("\nCLIENT\n").unwrap().0
}
