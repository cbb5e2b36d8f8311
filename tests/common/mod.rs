//! What several tests need.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, which cargo has built for the tests.
#[allow(dead_code, reason = "not every test starts it")]
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_nim-slurm");

/// An example binary, built if need be: `NIM_SLURM_BUILT` says that all are, as cargo would wait
/// for another that builds something else.
#[allow(dead_code, reason = "not every test starts one")]
pub(crate) fn example(name: &str) -> PathBuf {
    if std::env::var_os("NIM_SLURM_BUILT").is_none() {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--example", name])
            .status()
            .unwrap();
        assert!(status.success(), "{name} cannot be built");
    }
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .join("debug/examples")
        .join(name)
}
