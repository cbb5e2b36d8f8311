//! What stands in the way of a plan, seen from a login node.
//!
//! ```no_run
//! use nim_slurm::preflight::{Preflight, Severity};
//! use nim_slurm::{Plan, Recipe, Settings};
//!
//! let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::read("site.toml")?)?;
//! let findings = Preflight::new(&plan, std::env::vars_os()).check();
//! let will_work = findings.iter().all(|finding| finding.severity() < Severity::Error);
//! println!("{}", if will_work { "submit it" } else { "not yet" });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::time::Duration;
use std::{fmt, io, thread};

use camino::Utf8PathBuf;
use serde::Serialize;

use self::fix::Fix;
use crate::container::SECRETS;
use crate::job_options::ScriptKind;
use crate::plain::plain;
use crate::plan::Plan;
use crate::shell::shell_word;
use crate::slurm::OptionName;

mod access;
mod ask;
mod fetched;
mod fix;
mod folders;
mod hooks;
mod images;
mod jobs;
mod logins;
mod model;
mod nodes;
mod overrides;
mod partitions;
mod readable;
mod safetensors;
mod stage;
mod to_fetch;
mod tools;

/// Looks for what would keep a plan's jobs from doing their work, before they queue.
///
/// It looks at the programs on `PATH`, asks Slurm what it thinks of the three
/// scripts (`sbatch --test-only`, with the options of a real submission) and of
/// their partitions (`sinfo`), reads which variables and logins are there (never
/// what they hold), and looks into the stage path. It submits and changes nothing.
///
/// It cannot fail: what a site forbids, lacks, or does not answer in time is a
/// [`Finding`] as well. What only a compute node knows is said to be unknown.
///
/// ```no_run
/// use nim_slurm::preflight::{Preflight, Severity};
/// use nim_slurm::{Plan, Recipe, Settings};
///
/// let settings = Settings::read("site.toml")?.with_environment(std::env::vars_os())?;
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
/// for finding in Preflight::new(&plan, std::env::vars_os()).check() {
///     if finding.severity() >= Severity::Warning {
///         println!("{finding}");
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Preflight<'a> {
    plan: &'a Plan,
    variables: Variables,
    time_limit: Duration,
}

/// One thing that was looked at: how it is, and how to fix it.
///
/// As JSON it is `{"severity": "error", "message": "…", "fix": "…"}`, with `null` where
/// there is nothing to fix.
///
/// ```
/// use nim_slurm::preflight::{Preflight, Severity};
/// use nim_slurm::{Plan, Recipe, Settings};
///
/// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
/// let nothing: [(&str, &str); 0] = []; // no PATH, no STAGE_PATH, no login
/// let findings = Preflight::new(&plan, nothing).check();
/// let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error);
/// for finding in errors.clone() {
///     println!("{}: {}", finding.message(), finding.fix().unwrap_or_default());
/// }
/// assert!(errors.count() > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    severity: Severity,
    message: String,
    fix: Option<String>,
    /// Where the commands are in it.
    #[serde(skip)]
    commands: Vec<Range<usize>>,
}

/// How much a [`Finding`] matters.
///
/// ```
/// use nim_slurm::preflight::Severity;
///
/// assert!(Severity::Error > Severity::Warning);
/// assert_eq!(Severity::Error.to_string(), "error");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// It was looked at, and all is well.
    Ok,
    /// Good to know.
    Note,
    /// It may go wrong, or could not be found out.
    Warning,
    /// It stands in the way.
    Error,
}

impl<'a> Preflight<'a> {
    /// Prepares to look at a plan with these environment variables: those of the
    /// process (`std::env::vars_os()`) are those that a submission would have.
    /// Programs are looked for on their `PATH`.
    pub fn new(
        plan: &'a Plan,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        Self {
            plan,
            variables: Variables::new(variables),
            time_limit: Duration::from_secs(20),
        }
    }

    /// Sets how long a program may take to answer, by default 20 seconds. One that
    /// takes longer is ended. Several are asked at once; each gets an hour at most.
    ///
    /// ```
    /// use std::time::Duration;
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let path = [("PATH", "/opt/slurm/bin")];
    /// let preflight = Preflight::new(&plan, path).with_time_limit(Duration::from_secs(5));
    /// assert!(!preflight.check().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Looks at everything.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        // What is there already decides what else is needed.
        let stage = stage::check(self);
        let slurm_is_away = tools::slurm_is_away(self);
        let is_away = slurm_is_away.is_some();
        let sections: [&(dyn Fn() -> Vec<Finding> + Sync); 8] = [
            &|| tools::check(self, &stage.to_fetch, is_away),
            &|| {
                if is_away {
                    Vec::new()
                } else {
                    let (mut findings, accepted) = jobs::check(self);
                    findings.extend(partitions::check(self, &accepted));
                    findings
                }
            },
            &|| time(self),
            &|| hooks::check(self),
            &|| folders::check(self),
            &|| overrides::check(self),
            &|| logins::check(self, &stage.to_fetch),
            &|| {
                if is_away {
                    Vec::new()
                } else {
                    nodes::check(self, stage.folder.as_deref())
                }
            },
        ];
        let mut findings = Vec::from_iter(slurm_is_away);
        let others = in_parallel(&sections, |section| section()).concat();
        // Without a folder, all counts as missing that would be there.
        if stage.folder.is_none() {
            findings.extend(stage.findings);
            findings.extend(others);
        } else {
            findings.extend(others);
            findings.extend(stage.findings);
        }
        findings
    }

    /// Folders in which Slurm is to write a job's output, and others can lead that to another file of the user's. They are
    /// among what [`check`](Self::check) finds, too.
    ///
    /// ```
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::slurm::Directives;
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let settings = Settings::new().with_slurm(Directives::new().output("/tmp/%j.out".parse()?));
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// for finding in Preflight::new(&plan, std::env::vars_os()).exposed_logs() {
    ///     eprintln!("{finding}"); // every user may write to /tmp
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn exposed_logs(&self) -> Vec<Finding> {
        folders::exposed(self)
    }

    /// True when all images are in the stage path and whole, and are those of the plan as far
    /// as setup.sh wrote that down, so that it has nothing to do. False where that cannot be seen.
    ///
    /// ```
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::{Plan, Recipe, Settings};
    /// # let folder = tempfile::tempdir()?;
    /// # let stage = folder.path().to_str().unwrap();
    ///
    /// let settings = Settings::new().with_stage_path(stage.parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(!Preflight::new(&plan, std::env::vars_os()).are_images_there());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn are_images_there(&self) -> bool {
        stage::stage_path(self, &mut Vec::new()).is_some_and(|path| images::are_there(self, &path))
    }

    /// The first image of which no file is in the stage path, whole or not. None where that cannot be seen.
    ///
    /// After a setup that succeeded, it tells that this machine and setup's node do not share the stage path.
    ///
    /// ```
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::{Plan, Recipe, Settings};
    /// # let folder = tempfile::tempdir()?;
    /// # let stage = folder.path().to_str().unwrap();
    ///
    /// let settings = Settings::new().with_stage_path(stage.parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// let absent = Preflight::new(&plan, [("PATH", "/usr/bin")]).absent_image();
    /// assert!(absent.is_some_and(|path| path.starts_with(stage)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn absent_image(&self) -> Option<Utf8PathBuf> {
        let path = stage::stage_path(self, &mut Vec::new())?;
        images::absent(self, &path)
    }

    /// True when the model is in the stage path and whole, by the scripts' own rules, so
    /// that it need not be fetched. False where that cannot be seen.
    ///
    /// ```
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::{Plan, Recipe, Settings};
    /// # let folder = tempfile::tempdir()?;
    /// # let stage = folder.path().to_str().unwrap();
    ///
    /// let settings = Settings::new().with_stage_path(stage.parse()?);
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    /// assert!(!Preflight::new(&plan, std::env::vars_os()).is_model_there());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_model_there(&self) -> bool {
        stage::stage_path(self, &mut Vec::new()).is_some_and(|path| model::is_whole(self, &path))
    }

    /// The names of the variables whose values must not be seen.
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let of_server = self.plan.recipe().server.secrets.iter().map(AsRef::as_ref);
        SECRETS.into_iter().chain(of_server)
    }

    /// A command that runs `command` where a script's job would run. A partition that Slurm
    /// does not know is left out: it is told elsewhere, and srun would refuse it.
    fn on_compute_node(&self, kind: ScriptKind, command: &str) -> String {
        let directives = self.plan.directives(kind);
        let is_known = |name: &OptionName| {
            *name != OptionName::Partition
                || directives.is_set(*name) && !partitions::is_unknown(self, kind)
        };
        let mut words = vec!["srun".to_owned()];
        words.extend(
            OptionName::WHERE
                .into_iter()
                .filter(is_known)
                .filter_map(|name| directives.option(name))
                .map(|option| shell_word(&option)),
        );
        words.push(command.to_owned());
        words.join(" ")
    }

    /// The scripts, those of one cluster together.
    fn by_cluster(&self) -> Vec<Scripts> {
        let cluster = |kind| self.plan.directives(kind).option(OptionName::Clusters);
        let of_clusters = by_scripts(ScriptKind::ALL.map(|kind| (kind, cluster(kind))));
        of_clusters
            .into_iter()
            .map(|(scripts, _)| scripts)
            .collect()
    }
}

impl Finding {
    fn new(severity: Severity, message: impl Into<String>, fix: Option<impl Into<Fix>>) -> Self {
        let (fix, commands) = match fix.map(Into::into) {
            Some(Fix { text, commands }) => (Some(text), commands),
            None => (None, Vec::new()),
        };
        Self {
            severity,
            message: plain(&message.into()).into_owned(),
            fix,
            commands,
        }
    }

    fn ok(message: impl Into<String>) -> Self {
        Self::new(Severity::Ok, message, None::<Fix>)
    }

    fn note(message: impl Into<String>, fix: impl Into<Fix>) -> Self {
        Self::new(Severity::Note, message, Some(fix.into()))
    }

    fn warning(message: impl Into<String>, fix: impl Into<Fix>) -> Self {
        Self::new(Severity::Warning, message, Some(fix.into()))
    }

    fn error(message: impl Into<String>, fix: impl Into<Fix>) -> Self {
        Self::new(Severity::Error, message, Some(fix.into()))
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to fix it, in a sentence, with the command to type where there is one.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        self.fix.as_deref()
    }

    /// Where commands are in [`fix`](Self::fix), so that who breaks lines breaks none of them.
    ///
    /// ```
    /// use nim_slurm::preflight::Preflight;
    /// use nim_slurm::{Plan, Recipe, Settings};
    ///
    /// let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())?;
    /// let nothing: [(&str, &str); 0] = [];
    /// let findings = Preflight::new(&plan, nothing).check();
    /// let commands = findings.iter().flat_map(|finding| {
    ///     let text = finding.fix().unwrap_or_default();
    ///     finding.commands().iter().map(|place| &text[place.clone()])
    /// });
    /// assert!(commands.into_iter().any(|command| command.starts_with("export STAGE_PATH=")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn commands(&self) -> &[Range<usize>] {
        &self.commands
    }
}

impl fmt::Display for Finding {
    /// `error: MESSAGE; FIX` on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        self.fix.as_ref().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The environment of a submission. An empty variable counts as not set, as it
/// does for the scripts; and so does `...`, which documents have in place of a key.
#[derive(Default)]
struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    fn new(
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        let own = |(name, value): (_, _)| (Into::into(name), Into::into(value));
        Self(variables.into_iter().map(own).collect())
    }

    fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(OsStr::new(name))?;
        (!value.is_empty() && value != "...").then_some(value.as_os_str())
    }

    fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether it still has what documents print in place of a value.
    fn is_placeholder(&self, name: &str) -> bool {
        self.0
            .get(OsStr::new(name))
            .is_some_and(|value| value == "...")
    }

    /// All of them as text; a byte that is none becomes U+FFFD.
    fn texts(&self) -> impl Iterator<Item = (String, String)> {
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        self.0
            .iter()
            .map(move |(name, value)| (text(name), text(value)))
    }
}

impl fmt::Debug for Variables {
    /// Names alone: some values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Applies `work` to all items at once; the answers in the items' order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let work = &work;
        let start = |item| thread::Builder::new().spawn_scoped(scope, move || work(item));
        let threads: Vec<_> = items.iter().map(|item| (item, start(item))).collect();
        let finish = |(item, thread): (_, io::Result<thread::ScopedJoinHandle<'_, R>>)| {
            // Login nodes may allow a user few threads: then it takes longer.
            let Ok(thread) = thread else {
                return work(item);
            };
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(finish).collect()
    })
}

/// Whether the launch job has the time to find out that its server does not start.
fn time(preflight: &Preflight<'_>) -> Vec<Finding> {
    let place = preflight
        .plan
        .place_of(ScriptKind::Launch, OptionName::Time);
    let fix = format!("ask for more, with {place}, or lower ready_timeout in the recipe");
    let shortage = preflight.plan.time_limit_warning();
    let finding = shortage.map(|message| Finding::warning(message, fix));
    finding.into_iter().collect()
}

/// What is wrong with several scripts is one thing to fix.
fn by_scripts<T: PartialEq>(
    of_scripts: impl IntoIterator<Item = (ScriptKind, T)>,
) -> Vec<(Scripts, T)> {
    let mut groups: Vec<(Scripts, T)> = Vec::new();
    for (kind, matter) in of_scripts {
        match groups.iter_mut().find(|(_, known)| *known == matter) {
            Some((scripts, _)) => scripts.0.push(kind),
            None => groups.push((Scripts(vec![kind]), matter)),
        }
    }
    groups
}

/// Some of the scripts, at least one.
#[derive(Debug, PartialEq)]
struct Scripts(Vec<ScriptKind>);

impl Scripts {
    fn first(&self) -> ScriptKind {
        self.0[0]
    }

    /// True when none of them has to be a job: the model can be prepared without.
    fn can_do_without_a_job(&self) -> bool {
        self.0 == [ScriptKind::PrepareModels]
    }

    /// How much it matters that their jobs do not run.
    fn weight(&self) -> Severity {
        if self.can_do_without_a_job() {
            Severity::Warning
        } else {
            Severity::Error
        }
    }
}

impl fmt::Display for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|kind| kind.file_name()).collect();
        f.write_str(&listed(&names))
    }
}

/// "a", "a and b", "a, b and c".
fn listed(names: &[impl AsRef<str>]) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_documents_print_is_none() {
        let variables = Variables::new([("A", "nvapi-key"), ("B", "..."), ("C", "")]);
        assert_eq!(
            ["A", "B", "C", "D"].map(|name| variables.is_set(name)),
            [true, false, false, false]
        );
    }

    #[test]
    fn lists() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn scripts_with_one_matter() {
        use ScriptKind::{Launch, PrepareModels, Setup};
        let groups = by_scripts([(Setup, "a"), (PrepareModels, "b"), (Launch, "a")]);
        let texts: Vec<_> = groups
            .iter()
            .map(|(scripts, matter)| format!("{scripts}: {matter}, {}", scripts.weight()))
            .collect();
        assert_eq!(
            texts,
            [
                "setup.sh and launch.sh: a, error",
                "prepare_models.sh: b, warning"
            ]
        );
    }

    #[test]
    fn a_finding_is_one_line_of_text() {
        let finding = Finding::error("bad \u{1b}[31mred\n", "fix\tit");
        assert_eq!(finding.to_string(), r"error: bad \u{1b}[31mred\n; fix\tit");
    }

    #[test]
    fn variables_show_no_values() {
        let variables = Variables::new([("NGC_API_KEY", "nvapi-secret"), ("EMPTY", "")]);
        assert_eq!(format!("{variables:?}"), r#"{"EMPTY", "NGC_API_KEY"}"#);
        assert!(variables.is_set("NGC_API_KEY") && !variables.is_set("EMPTY"));
    }
}
