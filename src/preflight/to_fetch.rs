//! What the jobs have still to fetch.

use camino::Utf8PathBuf;

use super::{Finding, Preflight};
use crate::recipe::ByteSize;
use crate::script::images::ImageSource;

/// What the stage path was found to hold.
pub(super) struct Stage {
    pub(super) findings: Vec<Finding>,
    pub(super) to_fetch: ToFetch,
    /// The stage path, or the folder above it that is there.
    pub(super) folder: Option<Utf8PathBuf>,
}

/// What `setup.sh` and `prepare_models.sh` have still to do. Without a stage path that
/// can be read, that is everything.
pub(super) struct ToFetch {
    pub(super) images: Vec<ImageSource>,
    pub(super) needs_weights: bool,
    pub(super) needs_engine: bool,
}

impl ToFetch {
    pub(super) const fn is_model_needed(&self) -> bool {
        self.needs_weights || self.needs_engine
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self, preflight: &Preflight<'_>) -> u64 {
        let images = self.images.iter().map(|image| image.space << 20);
        let model = &preflight.plan.recipe().model;
        let weights = self.needs_weights.then_some(&model.weights.size);
        let engine = model.engine.as_ref().filter(|_| self.needs_engine);
        let downloads = weights
            .into_iter()
            .chain(engine.map(|engine| &engine.size))
            .map(ByteSize::bytes);
        images.chain(downloads).fold(0, u64::saturating_add)
    }
}

/// In GiB or, of less than one, in MiB; rounded to tenths.
pub(super) fn in_words(bytes: u64) -> String {
    let (shift, unit) = if bytes < 1 << 30 {
        (20, "MiB")
    } else {
        (30, "GiB")
    };
    let tenths = (u128::from(bytes) * 10 + (1 << (shift - 1))) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}
