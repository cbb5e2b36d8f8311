//! What a site adds to every script.

use crate::job_options::ScriptKind;
use crate::settings::{FolderPath, Hook, HookPlace, Settings};
use crate::shell::{Quoted, all_quoted, array, quoted};

/// The values of `lib/site_settings.sh` and `lib/site.sh`.
pub(super) struct Site {
    /// Whether there are modules, ways to the network, or hooks.
    pub(super) is_set: bool,
    pub(super) modules: Quoted,
    /// `NAME=VALUE` each.
    pub(super) proxy: Quoted,
    pub(super) enroot_cache: Option<Quoted>,
    pub(super) enroot_temp: Option<Quoted>,
    /// Hooks before the work and after it; empty: none.
    pub(super) before: Quoted,
    pub(super) after: Quoted,
    has_hooks: bool,
}

impl Site {
    pub(super) fn new(settings: &Settings, kind: ScriptKind) -> Self {
        let cluster = settings.cluster();
        let folder = |path: &Option<FolderPath>| path.as_ref().map(quoted);
        let hook = |place| settings.hook(place).map(Hook::as_str);
        let (before, after) = (hook(HookPlace::Before(kind)), hook(HookPlace::After(kind)));
        let modules = all_quoted(&cluster.modules);
        let proxy = all_quoted(cluster.proxy.assignments());
        let has_hooks = before.or(after).is_some();
        Self {
            is_set: has_hooks || !modules.is_empty() || !proxy.is_empty(),
            modules: array(&modules),
            proxy: array(&proxy),
            enroot_cache: folder(&cluster.enroot_cache_path),
            enroot_temp: folder(&cluster.enroot_temp_path),
            has_hooks,
            before: quoted(before.unwrap_or_default()),
            after: quoted(after.unwrap_or_default()),
        }
    }

    /// Whether there is a hook of either kind.
    pub(super) const fn has_hooks(&self) -> bool {
        self.has_hooks
    }
}

/// A hook in a container.
pub(super) fn own_lines(settings: &Settings, place: HookPlace) -> Option<Quoted> {
    settings.hook(place).map(Hook::as_str).map(quoted)
}

/// Empty: it is told when the job is submitted.
pub(super) fn stage_path(settings: &Settings) -> Quoted {
    quoted(settings.stage_path().map_or("", |path| path.as_str()))
}
