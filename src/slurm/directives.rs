//! All options of a job, and how they are written for sbatch.

use super::{GpuCount, Gres, NodeCount, NodeList, NodeShape, Passthrough, Signal};
use crate::value::ValueError;

use self::options::{Setting, Values};
use self::value::Argument;

pub use self::check::{DirectivesError, OptionProblem};
pub use self::options::{Directives, OptionName};
pub use self::rules::{Conflict, Need};
pub use self::unknown::UnknownOption;

mod check;
mod contradictions;
mod environment;
mod options;
pub(crate) mod refused;
mod rules;
pub(crate) mod table;
mod unknown;
mod value;

/// More nodes than a cluster has; a short text can name far more.
const MOST_HOSTS: usize = 1 << 16;

impl Directives {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds whole options for what the crate does not know. `--switches` is taken as
    /// if it had been given by its own [setter](Self::switches).
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// let directives = Directives::new().passthrough(["--brand-new=1".parse()?]);
    /// assert_eq!(directives.arguments(), ["--brand-new=1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn passthrough(mut self, options: impl IntoIterator<Item = Passthrough>) -> Self {
        for option in options {
            match option.key() {
                Some((_, switches)) => self.put(Setting::Switches(switches)),
                None => self.passthrough.push(option),
            }
        }
        self
    }

    /// Leaves an option out, whatever a lower layer says.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let recipe = Directives::new().mem("0".parse()?).nodes(1);
    /// let site = Directives::new().without(OptionName::Mem);
    /// assert!(site.is_omitted(OptionName::Mem));
    /// assert_eq!(site.with_fallback(&recipe).arguments(), ["--nodes=1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn without(mut self, name: OptionName) -> Self {
        self.leave_out(name);
        self
    }

    fn leave_out(&mut self, name: OptionName) {
        self.forget(name);
        let place = self.omitted.partition_point(|&before| before < name);
        self.omitted.insert(place, name);
    }

    fn forget(&mut self, name: OptionName) {
        self.omitted.retain(|&omitted| omitted != name);
        self.set.retain(|setting| setting.name() != name);
    }

    fn put(&mut self, setting: Setting) {
        let name = setting.name();
        self.forget(name);
        let place = self.set.partition_point(|before| before.name() < name);
        self.set.insert(place, setting);
    }

    /// Sets an option from text, as sbatch's command line has it.
    ///
    /// # Errors
    ///
    /// When the option's type refuses the text.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let mut directives = Directives::new();
    /// directives.set(OptionName::Time, "01:30:00")?;
    /// assert!(directives.set(OptionName::Time, "1h").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&mut self, name: OptionName, text: &str) -> Result<(), ValueError> {
        self.put(Setting::from_text(name, text)?);
        Ok(())
    }

    /// Sets an option to what it means without a value, if it has such a meaning.
    fn set_alone(&mut self, name: OptionName) -> bool {
        let Some(setting) = Setting::alone(name) else {
            return false;
        };
        self.put(setting);
        true
    }

    /// These options over those of a lower layer: where both say
    /// something, the upper one holds. Options passed through are joined;
    /// of two with the same name the upper one holds.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// let site = Directives::new().partition("batch".parse()?).time("30".parse()?);
    /// let own = Directives::new().time("02:00:00".parse()?);
    /// assert_eq!(own.with_fallback(&site).arguments(), ["--partition=batch", "--time=02:00:00"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_fallback(mut self, lower: &Self) -> Self {
        let mut passthrough = lower.passthrough.clone();
        passthrough.retain(|low| self.passthrough.iter().all(|own| own.name() != low.name()));
        passthrough.append(&mut self.passthrough);
        self.passthrough = passthrough;
        for setting in &lower.set {
            let name = setting.name();
            if !self.is_set(name) && !self.is_omitted(name) {
                self.put(setting.clone());
            }
        }
        for &name in &lower.omitted {
            if !self.is_set(name) && !self.is_omitted(name) {
                self.leave_out(name);
            }
        }
        self
    }

    /// What is set, each value with its type.
    const fn values(&self) -> Values<'_> {
        Values(self)
    }

    fn setting(&self, name: OptionName) -> Option<&Setting> {
        let place = self.set.binary_search_by_key(&name, Setting::name);
        place.ok().map(|place| &self.set[place])
    }

    fn argument(&self, name: OptionName) -> Option<Argument> {
        self.setting(name).map(Setting::argument)
    }

    /// True when no option is set or left out.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// assert!(Directives::new().is_empty());
    /// assert!(!Directives::new().without(OptionName::Mem).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True when the option has a value.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let directives = Directives::new().qos("high".parse()?);
    /// assert!(directives.is_set(OptionName::Qos) && !directives.is_set(OptionName::Account));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_set(&self, name: OptionName) -> bool {
        self.setting(name).is_some()
    }

    /// True when the option was left out on purpose.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let directives = Directives::new().without(OptionName::Exclusive);
    /// assert!(directives.is_omitted(OptionName::Exclusive));
    /// assert!(!directives.exclusive("true".parse()?).is_omitted(OptionName::Exclusive)); // set again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_omitted(&self, name: OptionName) -> bool {
        self.omitted.contains(&name)
    }

    /// The options that are set, in the order in which they are written.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, OptionName};
    ///
    /// let directives = Directives::new().time("30".parse()?).partition("batch".parse()?);
    /// assert!(directives.names().eq([OptionName::Partition, OptionName::Time]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn names(&self) -> impl Iterator<Item = OptionName> + '_ {
        self.set.iter().map(Setting::name)
    }

    /// An option's value as text; a flag's is empty.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, Flag, OptionName};
    ///
    /// let directives = Directives::new().gres("gpu:8".parse()?).hold(Flag);
    /// assert_eq!(directives.get(OptionName::Gres).as_deref(), Some("gpu:8"));
    /// assert_eq!(directives.get(OptionName::Hold).as_deref(), Some(""));
    /// assert_eq!(directives.get(OptionName::Mem), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn get(&self, name: OptionName) -> Option<String> {
        self.argument(name).map(|argument| match argument {
            Argument::Flag => String::new(),
            Argument::Number(number) => number.to_string(),
            Argument::Text(text) => text,
        })
    }

    /// The options that are passed through.
    pub(crate) fn passed_through(&self) -> &[Passthrough] {
        &self.passthrough
    }

    /// The options that a recipe may not set, those that it leaves out among them.
    pub(crate) fn not_for_recipes(&self) -> impl Iterator<Item = String> {
        let typed = self.names().chain(self.omitted.iter().copied());
        let typed = typed.filter(|name| !name.is_for_recipes());
        let passed_through = self.passthrough.iter().map(Passthrough::name);
        typed
            .map(|name| name.to_string())
            .chain(passed_through.map(|name| format!("--{name}")))
    }

    /// How many GPUs this asks for, and with which option: of each node, or with `--gpus` of all nodes.
    pub(crate) fn asked_gpus(&self) -> Option<(OptionName, u64)> {
        let gres = self
            .values()
            .gres()
            .and_then(Gres::gpus)
            .map(|count| (OptionName::Gres, count));
        let per_node = self
            .values()
            .gpus_per_node()
            .map(|count| (OptionName::GpusPerNode, u64::from(count.count())));
        let of_job = self
            .values()
            .gpus()
            .map(|count| (OptionName::Gpus, u64::from(count.count())));
        gres.or(per_node).or(of_job)
    }

    /// How many GPUs all tasks have together, or the sockets of each node, and with which option.
    pub(crate) fn multiplied_gpus(&self) -> Option<(OptionName, u64)> {
        let values = self.values();
        let tasks = values.counted_tasks().map(|(_, tasks)| tasks);
        let shape = values.extra_node_info().and_then(NodeShape::sockets);
        let sockets = values.sockets_per_node().map(|sockets| sockets.get());
        let per_task = values.gpus_per_task().zip(tasks);
        let per_socket = values.gpus_per_socket().zip(sockets.or(shape));
        per_task
            .map(|(gpus, tasks)| (OptionName::GpusPerTask, u64::from(gpus.count()) * tasks))
            .or(per_socket.map(|(gpus, sockets)| {
                let gpus = u64::from(gpus.count()) * u64::from(sockets);
                (OptionName::GpusPerSocket, gpus)
            }))
    }

    /// What this asks of each node: the entries of `--gres`, or the GPUs of another
    /// option for a job on one node.
    pub(crate) fn gres_of_a_node(&self) -> Option<Gres> {
        let gpus = self.values().gpus_per_node().or(self.values().gpus());
        // The types agree on what a type and a count are.
        let from_gpus = gpus.and_then(|count| Gres::parse(&format!("gpu:{count}")).ok());
        self.values().gres().cloned().or(from_gpus)
    }

    /// How long before its end the batch script is warned; zero if it is not.
    pub(crate) fn seconds_of_warning(&self) -> u32 {
        self.values()
            .signal()
            .filter(|signal| signal.is_for_batch_shell())
            .map_or(0, Signal::seconds)
    }

    /// How many nodes are named that must be among the job's, each counted once.
    pub(crate) fn named_nodes(&self) -> Option<u64> {
        self.values().nodelist().map(NodeList::count)
    }

    /// The GPUs that are asked for all nodes together.
    pub(crate) fn gpus_of_job(&self) -> Option<&GpuCount> {
        self.values().gpus()
    }

    pub(crate) fn node_count(&self) -> Option<NodeCount> {
        self.values().nodes().copied()
    }

    /// An option as it stands on sbatch's command line: `--name=value`, or
    /// `--name` for a flag.
    ///
    /// ```
    /// use nim_slurm::slurm::{Directives, Flag, OptionName};
    ///
    /// let directives = Directives::new().gres("gpu:8".parse()?).hold(Flag);
    /// assert_eq!(directives.option(OptionName::Gres).as_deref(), Some("--gres=gpu:8"));
    /// assert_eq!(directives.option(OptionName::Hold).as_deref(), Some("--hold"));
    /// assert_eq!(directives.option(OptionName::Mem), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn option(&self, name: OptionName) -> Option<String> {
        self.argument(name).map(|argument| match argument {
            Argument::Flag => format!("{name}"),
            Argument::Number(number) => format!("{name}={number}"),
            Argument::Text(text) => format!("{name}={text}"),
        })
    }

    /// A program of Slurm, with the cluster that it is to ask where these name one.
    pub(crate) fn at_cluster(&self, program: &str) -> String {
        let cluster = self.option(OptionName::Clusters);
        let words = [program].into_iter().chain(cluster.as_deref());
        words.collect::<Vec<_>>().join(" ")
    }

    /// True when they name more clusters than one, of which sbatch takes one.
    pub(crate) fn has_several_clusters(&self) -> bool {
        let clusters = self.get(OptionName::Clusters);
        clusters.is_some_and(|names| names == "all" || names.contains(','))
    }

    /// All options as they stand on sbatch's command line, a word each.
    ///
    /// ```
    /// use nim_slurm::slurm::Directives;
    ///
    /// let directives = Directives::new().nodes(1).exclusive("true".parse()?);
    /// assert_eq!(directives.arguments(), ["--nodes=1", "--exclusive"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let typed = self.names().filter_map(|name| self.option(name));
        typed
            .chain(self.passthrough.iter().map(ToString::to_string))
            .collect()
    }

    /// The head of a script: the `#!` line, and a line for each option, quoted by
    /// sbatch's own rules. sbatch reads no directive behind the first command, so
    /// nothing but comments may stand before or between them. What a setter could not take
    /// stands there as it was given, and sbatch refuses it: [`script`](Self::script) checks first.
    #[must_use]
    pub fn header(&self) -> String {
        let mut head = String::from("#!/usr/bin/env bash\n");
        for argument in self.arguments() {
            head.push_str("#SBATCH ");
            push_word(&mut head, &argument);
            head.push('\n');
        }
        head
    }
}

/// Appends `word` as sbatch's parser reads one. It takes quotes off and drops a
/// backslash also inside them; an unquoted `#` would end the line. Source:
/// Slurm's `src/sbatch/opt.c`.
fn push_word(line: &mut String, word: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+@%^-".contains(c);
    if word.chars().all(is_plain) {
        line.push_str(word);
        return;
    }
    // The name stays readable: only the value is quoted.
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, value),
        None => ("", word),
    };
    line.push_str(name);
    if !name.is_empty() {
        line.push('=');
    }
    line.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::GpuCount;

    fn directives(toml: &str) -> Directives {
        toml::from_str(toml).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn toml_takes_numbers_bare_or_quoted() {
        let bare = directives("nodes = 2\nmem = 0\ntime = 30\ngpus_per_node = 8\nexclusive = true");
        let quoted = directives(
            "nodes = '2'\nmem = '0'\ntime = '30'\ngpus_per_node = '8'\nexclusive = 'true'",
        );
        assert_eq!(bare, quoted);
        assert_eq!(
            bare.arguments(),
            [
                "--nodes=2",
                "--gpus-per-node=8",
                "--mem=0",
                "--exclusive",
                "--time=30"
            ]
        );
    }

    #[test]
    fn toml_round_trip() {
        let table = "nodes = \"1-4\"\ngres = \"gpu:h100:8\"\nmem = false\nexclusive = \"user\"\nnice = -5\nrequeue = true\n\
                     switches = \"1@10:00\"\npassthrough = [\"--new=1\"]\n";
        assert_eq!(toml::to_string(&directives(table)).as_deref(), Ok(table));
    }

    #[test]
    fn toml_errors_point_at_the_line() {
        let error = toml::from_str::<Directives>("nodes = 1\npartiton = 'x'")
            .unwrap_err()
            .to_string();
        assert!(error.contains("2 | partiton = 'x'"), "{error}");
        assert!(
            error.contains("unknown key \"partiton\": perhaps partition is meant; sbatch's long options are allowed"),
            "{error}"
        );
        let error = toml::from_str::<Directives>("ntasks-per-node = 1").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("perhaps ntasks_per_node is meant"),
            "{error}"
        );
        let error = toml::from_str::<Directives>("x = 'node1'").unwrap_err();
        assert!(
            error.to_string().contains("perhaps exclude is meant"),
            "{error}"
        );
        for no_slip in ["zebra", &"partition".repeat(9)] {
            let error = toml::from_str::<Directives>(&format!("{no_slip} = 1")).unwrap_err();
            assert!(
                error.to_string().contains(
                    "sbatch's long options are allowed, with '_' for '-' (man sbatch lists them)"
                ),
                "{error}"
            );
        }
        let error = toml::from_str::<Directives>("time = '1h'")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("1 | time = '1h'") && error.contains("unexpected character 'h'"),
            "{error}"
        );
        let error = toml::from_str::<Directives>("partition = true")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--partition needs a value: only an option without one"),
            "{error}"
        );
    }

    #[test]
    fn setters_of_numbers_take_numbers_texts_and_values() {
        let job = Directives::new()
            .nodes("2-4")
            .ntasks(8_u64)
            .cpus_per_task(8_u16)
            .gpus_per_node(GpuCount::try_from(4_usize).unwrap())
            .nice(-5)
            .priority(4_294_967_292_u32);
        assert_eq!(
            job.arguments(),
            [
                "--nodes=2-4",
                "--ntasks=8",
                "--cpus-per-task=8",
                "--gpus-per-node=4",
                "--nice=-5",
                "--priority=4294967292"
            ]
        );
        assert_eq!(job.check(None), Ok(()));
    }

    #[test]
    fn numbers_that_are_refused_are_all_named() {
        let job = Directives::new()
            .nodes(0)
            .ntasks(u64::MAX)
            .ntasks_per_node(-1)
            .cpus_per_task(65_540)
            .mem("0".parse().unwrap())
            .mem_per_cpu("1G".parse().unwrap())
            .gpus_per_node("h100:8\n#SBATCH --uid=0");
        assert_eq!(
            job.check(None).unwrap_err().to_string(),
            "--nodes: cannot take \"0\" as node count: it must be at least 1\n\
             --ntasks: cannot take \"18446744073709551615\" as count: it is too large: at most 2147483646 is allowed\n\
             --ntasks-per-node: unexpected character '-' in count \"-1\": digits alone are allowed, as in 8\n\
             --cpus-per-task: cannot take \"65540\" as count: numbers from 1 to 65533 are allowed\n\
             --gpus-per-node: cannot take \"h100:8\\n#SBATCH --uid=0\" as number of GPUs: \"8\\n#SBATCH --uid=0\" is no \
             count: digits alone are allowed, as in h100:8\n\
             --mem and --mem-per-cpu exclude each other: memory is asked for in one way"
        );
        // Nobody who asks for no check gets a job without them, or a line of their making.
        let lines = "#SBATCH --nodes=0\n#SBATCH --ntasks=18446744073709551615\n#SBATCH --ntasks-per-node=-1\n";
        assert!(job.header().contains(lines), "{}", job.header());
        assert_eq!(job.header().lines().count(), 8, "{}", job.header());
        // No lower layer brings in another number; the setter does.
        let lower = Directives::new().nodes(2);
        let job = Directives::new().nodes(0).with_fallback(&lower);
        assert!(job.check(None).is_err());
        assert_eq!(job.nodes(3).arguments(), ["--nodes=3"]);
    }

    #[test]
    fn switches_may_be_passed_through() {
        let passed = directives("passthrough = ['--switches=1@10:00', '--new']");
        assert_eq!(
            passed,
            directives("switches = '1@10:00'\npassthrough = ['--new']")
        );
        for table in [
            "switches = 2\npassthrough = ['--switches=1']",
            "passthrough = ['--switches=1']\nswitches = 2",
        ] {
            let error = toml::from_str::<Directives>(table).unwrap_err().to_string();
            assert!(
                error.contains("--switches is set twice: by its key switches and in passthrough"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_left_out_has_no_order() {
        let [mem, time] = [OptionName::Mem, OptionName::Time];
        let without = |name| Directives::new().without(name);
        let one = without(mem).without(time);
        assert_eq!(one, without(time).without(mem));
        assert_eq!(one, without(time).with_fallback(&without(mem)));
        assert_eq!(one, without(mem).with_fallback(&without(time)));
        assert_eq!(one, directives("time = false\nmem = false"));
    }

    #[test]
    fn layers() {
        let lower = directives(
            "partition = 'low'\nmem = '1G'\ntime = 5\npassthrough = ['--new=1', '--newer']",
        );
        let upper = directives("partition = 'up'\nmem = false\npassthrough = ['--new=2']");
        let merged = upper.with_fallback(&lower);
        assert_eq!(
            merged.arguments(),
            ["--partition=up", "--time=5", "--newer", "--new=2"]
        );
        assert!(merged.is_omitted(OptionName::Mem));
        // A still higher layer may set it again.
        let top = Directives::new()
            .mem("2G".parse().unwrap())
            .with_fallback(&merged);
        assert_eq!(top.get(OptionName::Mem).as_deref(), Some("2G"));
        assert!(!top.is_omitted(OptionName::Mem));
    }
}
