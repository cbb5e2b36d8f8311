//! A results folder that a test fills.

use camino::Utf8Path;

pub(crate) struct Results(tempfile::TempDir);

impl Results {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }
}
