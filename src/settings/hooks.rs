//! Hooks: lines of bash of your own, at places that the scripts keep for them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use toml::Spanned;

use crate::input;
use crate::job_options::ScriptKind;
use crate::slurm::without_options;
use crate::value::{Fault, ValueErrorKind, only, text_value};

/// Where a hook runs.
///
/// In TOML this is the table `[hooks]`, whose values are files, named from the folder
/// of the settings file:
///
/// ```toml
/// [hooks]
/// setup = { before = "hooks/modules.sh" }
/// launch = { before = "hooks/modules.sh", after = "hooks/copy-results.sh" }
/// server = "hooks/network.sh"
/// client = "hooks/network.sh"
/// ```
///
/// ```
/// use nim_slurm::{HookPlace, ScriptKind, Settings};
///
/// let settings = Settings::new()
///     .with_hook(HookPlace::After(ScriptKind::Launch), "cp -r results /archive".parse()?)
///     .with_hook(HookPlace::InServer, "export NCCL_SOCKET_IFNAME=ib0".parse()?);
/// let places = HookPlace::ALL.iter().filter(|place| settings.hook(**place).is_some());
/// assert_eq!(places.count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HookPlace {
    /// In a script, before its checks and its work. What the lines export, the work
    /// sees. When the last of them fails, or they exit, the script ends with 1. Options of
    /// the shell, traps and `IFS` do not last. Many names are the script's own: what is not
    /// exported has a prefix of yours. Where variants of the server take turns in one job, the
    /// hooks of launch, before and after, run in each turn, and not once for the job.
    Before(ScriptKind),
    /// In a script at its end, however it ends, in a shell of their own. `$code` is the
    /// exit code, which the lines cannot change: in a turn, that of the turn, since none runs
    /// with the job's own. Before a job requeues itself, they get ten seconds.
    After(ScriptKind),
    /// In the server's container, before the server. What the lines export, it sees, but
    /// the recipe's own variables win. When the last of them fails, the server is not
    /// started. The image must have bash.
    InServer,
    /// In the client's container, before the tool is looked for and the server is
    /// waited for. When the last of them fails, nothing is measured.
    InClient,
}

impl HookPlace {
    /// All places.
    pub const ALL: &'static [Self] = &[
        Self::Before(ScriptKind::Setup),
        Self::After(ScriptKind::Setup),
        Self::Before(ScriptKind::PrepareModels),
        Self::After(ScriptKind::PrepareModels),
        Self::Before(ScriptKind::Launch),
        Self::After(ScriptKind::Launch),
        Self::InServer,
        Self::InClient,
    ];

    /// The key in `[hooks]`.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Before(kind) => format!("{}.before", kind.key()),
            Self::After(kind) => format!("{}.after", kind.key()),
            Self::InServer => "server".to_owned(),
            Self::InClient => "client".to_owned(),
        }
    }
}

/// Lines of bash that a script runs as its own: the one value that is not data.
///
/// # Syntax
///
/// Any text without NUL and carriage returns, and without a line that sbatch would read as
/// options: one that begins with `#SBATCH`, `#PBS` or `#BSUB`. They run with `set -o pipefail`,
/// in the script's own shell; a variable that is not set is empty.
///
/// ```
/// use nim_slurm::Hook;
///
/// let hook = Hook::parse("module load enroot\nexport NCCL_DEBUG=WARN\n")?;
/// assert_eq!(hook.as_str().lines().count(), 2);
/// assert!(Hook::parse("export A=1\r\n").is_err()); // Windows line ends
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hook(String);

impl Hook {
    fn check(text: &str) -> Result<Self, Fault> {
        let text = text.trim_end_matches('\n');
        only(
            text,
            |c| !matches!(c, '\0' | '\r'),
            "lines of bash are allowed, without NUL and carriage returns",
        )?;
        without_options(text)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(Hook, "hook");

/// The settings' table `[hooks]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HooksTable {
    setup: AroundTable,
    prepare_models: AroundTable,
    launch: AroundTable,
    server: Option<Spanned<Utf8PathBuf>>,
    client: Option<Spanned<Utf8PathBuf>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AroundTable {
    before: Option<Spanned<Utf8PathBuf>>,
    after: Option<Spanned<Utf8PathBuf>>,
}

impl HooksTable {
    fn file(&self, place: HookPlace) -> Option<&Spanned<Utf8PathBuf>> {
        let around = |kind| match kind {
            ScriptKind::Setup => &self.setup,
            ScriptKind::PrepareModels => &self.prepare_models,
            ScriptKind::Launch => &self.launch,
        };
        match place {
            HookPlace::Before(kind) => around(kind).before.as_ref(),
            HookPlace::After(kind) => around(kind).after.as_ref(),
            HookPlace::InServer => self.server.as_ref(),
            HookPlace::InClient => self.client.as_ref(),
        }
    }

    /// Reads the files that the table names, from the folder of the settings file; else all that is wrong, each with its place
    /// in that file.
    pub(super) fn read(
        &self,
        settings: Option<&Utf8Path>,
    ) -> Result<BTreeMap<HookPlace, Hook>, Vec<input::Fault>> {
        let folder = settings.and_then(Utf8Path::parent).unwrap_or("".into());
        let (mut hooks, mut mistakes) = (BTreeMap::new(), Vec::new());
        for &place in HookPlace::ALL {
            let Some(file) = self.file(place) else {
                continue;
            };
            match read(folder, file.get_ref()) {
                Ok(hook) => drop(hooks.insert(place, hook)),
                Err(why) => mistakes.push((file.span(), format!("{}: {why}", place.key()))),
            }
        }
        if mistakes.is_empty() {
            Ok(hooks)
        } else {
            Err(mistakes)
        }
    }
}

/// Reads one file, or says what is wrong with it.
fn read(folder: &Utf8Path, file: &Utf8Path) -> Result<Hook, String> {
    if file == "" {
        return Err("the path is empty: a file with lines of bash is expected".to_owned());
    }
    let path = folder.join(file);
    let text = input::read_text(&path)
        .map_err(|error| format!("hook file {path} cannot be read: {error}"))?;
    // Of an editor's mark at its beginning, bash makes a part of the first command.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Hook::parse(text).map_err(|error| {
        let place = match error.kind() {
            ValueErrorKind::Character(wrong) => text.find(wrong),
            _ => None,
        };
        let line = place.map(|place| text[..place].matches('\n').count() + 1);
        let line = line.map_or_else(String::new, |line| format!(", line {line}"));
        format!("hook file {path}{line}: {error}")
    })
}
