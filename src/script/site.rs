//! What a site adds to every script.

use crate::script::ScriptKind;
use crate::settings::{FolderPath, Hook, HookPlace, Settings};

/// The values of `lib/site_settings.sh` and `lib/site.sh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) modules: Vec<String>,
    /// `NAME=VALUE` each.
    pub(super) proxy: Vec<String>,
    pub(super) enroot_cache: Option<String>,
    pub(super) enroot_temp: Option<String>,
    /// Own lines before the work and after it.
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Site {
    pub(super) fn new(settings: &Settings, kind: ScriptKind) -> Self {
        let cluster = settings.cluster();
        let folder = |path: &Option<FolderPath>| path.as_ref().map(ToString::to_string);
        Self {
            modules: texts(&cluster.modules),
            proxy: cluster.proxy.assignments(),
            enroot_cache: folder(&cluster.enroot_cache_path),
            enroot_temp: folder(&cluster.enroot_temp_path),
            before: own_lines(settings, HookPlace::Before(kind)),
            after: own_lines(settings, HookPlace::After(kind)),
        }
    }
}

pub(super) fn own_lines(settings: &Settings, place: HookPlace) -> Option<String> {
    settings.hook(place).map(Hook::as_str).map(str::to_owned)
}

/// Empty: it is told when the job is submitted.
pub(super) fn stage_path(settings: &Settings) -> String {
    settings
        .stage_path()
        .map_or_else(String::new, ToString::to_string)
}

pub(super) fn texts<'a, T: AsRef<str> + 'a>(
    values: impl IntoIterator<Item = &'a T>,
) -> Vec<String> {
    values
        .into_iter()
        .map(|value| value.as_ref().to_owned())
        .collect()
}
