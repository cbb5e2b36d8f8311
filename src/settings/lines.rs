//! On which line of the settings file an option stands.

use crate::job_options::ScriptKind;
use crate::slurm::OptionName;
use toml::de::{DeTable, DeValue};

/// The lines of the options in `[slurm]` and its tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines(Vec<(Option<ScriptKind>, OptionName, usize)>);

impl Lines {
    /// Finds the options in a text that was read as settings.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        let Ok(file) = DeTable::parse(text) else {
            return lines;
        };
        let Some(DeValue::Table(all)) = file.get_ref().get("slurm").map(toml::Spanned::get_ref)
        else {
            return lines;
        };
        lines.add(text, None, all);
        for kind in ScriptKind::ALL {
            if let Some(DeValue::Table(own)) = all.get(kind.key()).map(toml::Spanned::get_ref) {
                lines.add(text, Some(kind), own);
            }
        }
        lines
    }

    fn add(&mut self, text: &str, script: Option<ScriptKind>, table: &DeTable<'_>) {
        for key in table.keys() {
            let before = &text[..key.span().start];
            let line = 1 + before.matches('\n').count();
            // A script's own table and what is passed through have no option's name.
            if let Some(name) = OptionName::from_key(key.get_ref()) {
                self.0.push((script, name, line));
            }
        }
    }

    /// The line of an option, for all scripts or for one.
    pub(super) fn line(&self, script: Option<ScriptKind>, name: OptionName) -> Option<usize> {
        let mut rows = self.0.iter();
        let row = rows.find(|row| (row.0, row.1) == (script, name))?;
        Some(row.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "stage_path = '/nim'\n\n[slurm]\npartition = 'a'\nlaunch = { time = 5,\r\n 'gres' = 'gpu:8' }\n\
                    passthrough = ['--new']\n[slurm.setup]\nmem = false\n";
        let lines = Lines::of(text);
        let line = |script, key| lines.line(script, OptionName::from_key(key).unwrap());
        assert_eq!(line(None, "partition"), Some(4));
        assert_eq!(line(Some(ScriptKind::Launch), "time"), Some(5));
        assert_eq!(line(Some(ScriptKind::Launch), "gres"), Some(6));
        assert_eq!(line(Some(ScriptKind::Setup), "mem"), Some(9));
        assert_eq!(line(None, "time"), None);
        assert_eq!(Lines::of("slurm = 1"), Lines::default());
    }
}
