//! The `[slurm]` table: options for all scripts and for one.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::slurm::Directives;
use crate::slurm::directives::table::{OptionKey, once, unknown_key};
use crate::value::{Fault, value};

/// Which of the three scripts.
///
/// ```
/// use nim_slurm::ScriptKind;
///
/// let files = ScriptKind::ALL.map(ScriptKind::file_name);
/// assert_eq!(files, ["setup.sh", "prepare_models.sh", "launch.sh"]);
/// assert_eq!(ScriptKind::PrepareModels.key(), "prepare_models"); // [slurm.prepare_models]
/// // As text, it is its key.
/// assert_eq!("launch".parse(), Ok(ScriptKind::Launch));
/// assert_eq!(ScriptKind::Launch.to_string(), "launch");
/// assert!(ScriptKind::parse("lunch").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptKind {
    /// `setup.sh`: fetches the container images.
    Setup,
    /// `prepare_models.sh`: downloads the model.
    PrepareModels,
    /// `launch.sh`: runs the server and the benchmark.
    Launch,
}

impl ScriptKind {
    /// All three, in the order in which they are run.
    pub const ALL: [Self; 3] = [Self::Setup, Self::PrepareModels, Self::Launch];

    /// The name in settings and flags: `setup`, `prepare_models`, `launch`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::PrepareModels => "prepare_models",
            Self::Launch => "launch",
        }
    }

    /// The name of the file: `setup.sh`, `prepare_models.sh`, `launch.sh`.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Setup => "setup.sh",
            Self::PrepareModels => "prepare_models.sh",
            Self::Launch => "launch.sh",
        }
    }

    fn check(text: &str) -> Result<Self, Fault> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.key() == text)
            .ok_or_else(|| Fault::rule("setup, prepare_models and launch are allowed"))
    }
}

impl fmt::Display for ScriptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

value!(ScriptKind, "script");

/// Options of sbatch for all scripts, and for each script alone.
///
/// In TOML this is the table `[slurm]` with the sub-tables `[slurm.setup]`,
/// `[slurm.prepare_models]` and `[slurm.launch]`. What is said for one script
/// wins over what is said for all.
///
/// ```
/// use nim_slurm::slurm::Directives;
/// use nim_slurm::{JobOptions, Recipe, ScriptKind};
///
/// let mut recipe = Recipe::llama3_70b_h100x4_fp8();
/// recipe.slurm = JobOptions::all(Directives::new().mem("16G".parse()?));
/// recipe.slurm.launch = Directives::new().time("02:00:00".parse()?);
/// assert!(recipe.slurm.script(ScriptKind::Setup).is_empty() && !recipe.slurm.is_empty());
/// assert!(recipe.to_toml().contains("[slurm.launch]\ntime = \"02:00:00\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobOptions {
    /// For all scripts.
    pub all: Directives,
    /// For `setup.sh`.
    pub setup: Directives,
    /// For `prepare_models.sh`.
    pub prepare_models: Directives,
    /// For `launch.sh`.
    pub launch: Directives,
}

impl JobOptions {
    /// The same options for all scripts.
    #[must_use]
    pub fn all(directives: Directives) -> Self {
        Self {
            all: directives,
            ..Self::default()
        }
    }

    /// What is said for this script alone.
    #[must_use]
    pub const fn script(&self, kind: ScriptKind) -> &Directives {
        match kind {
            ScriptKind::Setup => &self.setup,
            ScriptKind::PrepareModels => &self.prepare_models,
            ScriptKind::Launch => &self.launch,
        }
    }

    pub(crate) const fn script_mut(&mut self, kind: ScriptKind) -> &mut Directives {
        match kind {
            ScriptKind::Setup => &mut self.setup,
            ScriptKind::PrepareModels => &mut self.prepare_models,
            ScriptKind::Launch => &mut self.launch,
        }
    }

    /// The options that a recipe may not set.
    pub(crate) fn not_for_recipes(&self) -> Vec<String> {
        let own = ScriptKind::ALL.map(|kind| self.script(kind));
        let tables = std::iter::once(&self.all).chain(own);
        tables.flat_map(Directives::not_for_recipes).collect()
    }

    /// True when nothing is said for any script.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a recipe may not have an option.
pub(crate) fn not_for_recipes(option: &str) -> String {
    format!(
        "the recipe sets {option}, which is for settings and flags: a recipe may set options that say how many \
         resources and how much time a job needs"
    )
}

/// A key of the table: a script's name, or an option's.
enum Key {
    Script(ScriptKind),
    Option(OptionKey),
}

const SCRIPT_KEYS: &[&str] = &["setup", "prepare_models", "launch"];

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an option of sbatch with '_' for '-', or a script's name")
            }

            fn visit_str<E: de::Error>(self, key: &str) -> Result<Key, E> {
                if let Some(kind) = ScriptKind::ALL.into_iter().find(|kind| kind.key() == key) {
                    return Ok(Key::Script(kind));
                }
                OptionKey::from_key(key)
                    .map(Key::Option)
                    .ok_or_else(|| unknown_key(key, SCRIPT_KEYS))
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for JobOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JobOptionsVisitor;

        impl<'de> Visitor<'de> for JobOptionsVisitor {
            type Value = JobOptions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of sbatch's options")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JobOptions, A::Error> {
                let mut options = JobOptions::default();
                let (mut scripts, mut seen) = (Vec::new(), Vec::new());
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Script(kind) => {
                            once(&mut scripts, kind, kind.key())?;
                            *options.script_mut(kind) = map.next_value()?;
                        }
                        Key::Option(key) => options.all.take_entry(key, &mut seen, &mut map)?,
                    }
                }
                Ok(options)
            }
        }

        deserializer.deserialize_map(JobOptionsVisitor)
    }
}

impl Serialize for JobOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.all.give_entries(&mut map)?;
        for kind in ScriptKind::ALL {
            let directives = self.script(kind);
            if !directives.is_empty() {
                map.serialize_entry(kind.key(), directives)?;
            }
        }
        map.end()
    }
}
