//! What several tests need.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An example binary, built if need be: `NIM_SLURM_BUILT` says that all are, as cargo would wait
/// for another that builds something else.
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
