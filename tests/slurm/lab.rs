//! The lab in `tests/lab`, and what a test does with it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nim_slurm::{Plan, Recipe, ScriptKind, Settings};

/// What must appear nowhere.
pub(crate) const SECRET: &str = "nvapi-this-must-not-be-seen";

/// A lab while one test has it. Both of its nodes share one network, so that two
/// servers would meet on one port.
pub(crate) struct Lab {
    variables: BTreeMap<String, String>,
    _turn: Turn,
}

/// The right to use one of the labs, and since when.
struct Turn(usize, Instant);

/// Who uses which lab. There are as many as `NIM_SLURM_LABS` says, one without.
struct Turns {
    /// The numbers of those that nobody uses.
    free: Vec<usize>,
    /// How many tests wait that come before the others.
    first: usize,
}

static TURNS: OnceLock<Mutex<Turns>> = OnceLock::new();
static CHANGED: Condvar = Condvar::new();

thread_local! {
    /// The lab of the test that runs in this thread.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

impl Turn {
    fn all() -> MutexGuard<'static, Turns> {
        let labs = || env::var("NIM_SLURM_LABS").map_or(1, |labs| labs.parse().unwrap());
        let turns = TURNS.get_or_init(|| {
            let free = (0..labs()).rev().collect();
            Mutex::new(Turns { free, first: 0 })
        });
        turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(comes_first: bool) -> Self {
        let mut turns = Self::all();
        turns.first += usize::from(comes_first);
        loop {
            let may = comes_first || turns.first == 0;
            if let Some(number) = turns.free.pop_if(|_| may) {
                turns.first -= usize::from(comes_first);
                CHANGED.notify_all();
                MINE.set(number);
                return Self(number, Instant::now());
            }
            turns = CHANGED.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The time of a test itself has its waiting, too.
        let seconds = self.1.elapsed().as_secs_f64();
        println!("{seconds:.1} s in lab {}", self.0 + 1);
        Self::all().free.push(self.0);
        CHANGED.notify_all();
    }
}

impl Lab {
    /// Starts a lab unless it runs, and waits for this test's turn. While images are made, those have their turn that need none.
    #[track_caller]
    pub(crate) fn enter() -> Self {
        Self::with_images();
        Self::at_turn(false)
    }

    /// The same for a test that takes more than a minute: as the last one, it would have all labs wait for it.
    #[track_caller]
    pub(crate) fn enter_first() -> Self {
        Self::with_images();
        Self::at_turn(true)
    }

    #[track_caller]
    fn with_images() {
        static IMAGES: OnceLock<Output> = OnceLock::new();
        // All labs have those of the first, which installs what it takes to make them.
        let images = IMAGES.get_or_init(|| {
            drop(Self::exports_of(1));
            Command::new("tests/lab/images").output().unwrap()
        });
        assert!(images.status.success(), "no images: {}", words(images));
    }

    /// Starts a lab; lines for a shell, which knows best how to read them.
    #[track_caller]
    fn exports_of(number: usize) -> String {
        // One after the other: each may install packages.
        static ONE_BY_ONE: Mutex<()> = Mutex::new(());
        let _turn = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
        run(Command::new("tests/lab/up").env("LAB_NUMBER", number.to_string()))
    }

    /// The same for a test that runs nothing in a container.
    #[track_caller]
    pub(crate) fn without_images() -> Self {
        Self::at_turn(false)
    }

    #[track_caller]
    fn at_turn(comes_first: bool) -> Self {
        static VARIABLES: Mutex<BTreeMap<usize, BTreeMap<String, String>>> =
            Mutex::new(BTreeMap::new());
        let turn = Turn::wait(comes_first);
        let mut all = VARIABLES.lock().unwrap_or_else(PoisonError::into_inner);
        let variables = all.entry(turn.0).or_insert_with(|| {
            let program = format!("{}\nenv -0", Self::exports_of(turn.0 + 1));
            let variables = run(Command::new("bash").args(["-c", &program]));
            variables
                .split('\0')
                .filter_map(|entry| entry.split_once('='))
                .map(own)
                .collect()
        });
        Self {
            variables: variables.clone(),
            _turn: turn,
        }
    }

    /// A command that knows the lab's Slurm.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // What the caller's shell has for Slurm would mislead the lab's.
        let foreign = |name: &str| {
            name.starts_with("SBATCH_") || name.starts_with("SLURM_") || name == "STAGE_PATH"
        };
        for (name, _) in env::vars_os().filter(|(name, _)| foreign(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.envs(&self.variables).env("RUST_BACKTRACE", "0");
        command
    }

    /// A field of `scontrol show job`. A controller that is busy is asked again.
    pub(crate) fn job_field(&self, job: &str, field: &str) -> String {
        job_field(|| self.command("scontrol"), job, field)
    }

    /// Gives us an account. Where accounts are kept, Slurm quietly charges the default
    /// one instead of one that it does not know.
    pub(crate) fn add_account(&self, name: &str) {
        for what in [["account", name], ["user", "root"]] {
            let mut sacctmgr = self.command("sacctmgr");
            sacctmgr.args(["--immediate", "add"]).args(what);
            // It fails when there is one already.
            sacctmgr.arg(format!("account={name}")).output().unwrap();
        }
    }

    /// Stops the controller, as an upgrade does: its jobs go on.
    pub(crate) fn stop_controller(&self) {
        let pid = fs::read_to_string(self.folder().join("run/slurmctld.pid")).unwrap();
        let pid = pid.trim();
        run(self.command("kill").arg(pid));
        wait_until("the controller's end", || {
            !Path::new("/proc").join(pid).exists()
        });
    }

    /// Starts the controller; with `-c` it forgets all jobs that it knew.
    pub(crate) fn start_controller(&self, options: &[&str]) {
        run(self.command("slurmctld").args(options));
        wait_until("the nodes' return", || {
            let mut sinfo = self.command("sinfo");
            // It may take a while to answer at all.
            let output = sinfo.args(["--noheader", "--format=%T"]).output().unwrap();
            let states = words(&output);
            let is_up = |state: &str| !state.contains("unk") && !state.contains("down");
            output.status.success() && !states.is_empty() && is_up(&states)
        });
    }

    /// Restarts the controller without its jobs. Later jobs get new numbers.
    pub(crate) fn forget_all_jobs(&self) {
        self.stop_controller();
        let later_first = |line: &str| match line.strip_prefix("FirstJobId=") {
            Some(first) => format!("FirstJobId={}", first.parse::<u32>().unwrap() + 300),
            None => line.to_owned(),
        };
        self.changed_configuration("slurm.conf", |line| Some(later_first(line)));
        self.start_controller(&["-c"]);
    }

    /// A configuration of a site that keeps no accounts.
    pub(crate) fn configuration_without_accounts(&self) -> PathBuf {
        self.changed_configuration("no_accounts.conf", |line| {
            (!line.starts_with("AccountingStorage")).then(|| line.to_owned())
        })
    }

    /// Slurm's configuration, changed line by line, in a file of this name.
    fn changed_configuration(
        &self,
        name: &str,
        change: impl Fn(&str) -> Option<String>,
    ) -> PathBuf {
        let text = fs::read_to_string(self.configuration()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(change).collect();
        let path = self.folder().join("etc").join(name);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    }

    /// A configuration with which clients give up soon on a controller that is away.
    pub(crate) fn impatient_configuration(&self) -> PathBuf {
        self.changed_configuration("impatient.conf", |line| {
            let prefix = if line.starts_with("ClusterName=") {
                "MessageTimeout=2\n"
            } else {
                ""
            };
            Some(format!("{prefix}{line}"))
        })
    }

    /// A search path with these programs of Slurm and no others.
    pub(crate) fn path_with(&self, programs: &[&str]) -> PathBuf {
        let folder = self.folder().join("programs").join(programs.join("+"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            let found = run(self.command("which").arg(program));
            std::os::unix::fs::symlink(found.trim(), folder.join(program)).unwrap();
        }
        folder
    }

    /// Submits a command as a job; its number.
    #[track_caller]
    pub(crate) fn wrap(&self, options: &[&str], command: &str) -> String {
        let mut sbatch = self.command("sbatch");
        // Without --mem one job has all memory of its node.
        sbatch.args([
            "--parsable",
            "--output=/dev/null",
            "--mem=100",
            "--wrap",
            command,
        ]);
        run(sbatch.args(options)).trim().to_owned()
    }

    /// Where the lab has its files.
    pub(crate) fn configuration(&self) -> &Path {
        Path::new(&self.variables["SLURM_CONF"])
    }

    pub(crate) fn folder(&self) -> &Path {
        Path::new(&self.variables["LAB_DIR"])
    }

    /// The lab's search path.
    pub(crate) fn path(&self) -> &str {
        &self.variables["PATH"]
    }
}

/// A server of a test's own, until the end of the test. It says first, behind `name on`,
/// on which port it listens.
pub(crate) struct Listening {
    child: Child,
    pub(crate) port: u16,
}

impl Listening {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix(&format!("{name} on ")).unwrap();
        let port = port.parse().unwrap();
        // It writes a line for each request, and must not wait for a reader.
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { child, port }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn own((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", words(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What this scontrol says of a job. A controller that is busy is asked again.
#[track_caller]
pub(crate) fn job_field(scontrol: impl Fn() -> Command, job: &str, field: &str) -> String {
    let begin = Instant::now();
    let text = loop {
        let output = scontrol()
            .args(["show", "job", "--oneliner", job])
            .output()
            .unwrap();
        let text = words(&output);
        if output.status.success() {
            break text;
        }
        let is_known = !text.contains("Invalid job id");
        assert!(
            is_known && begin.elapsed() < Duration::from_secs(120),
            "{text}"
        );
        thread::sleep(Duration::from_millis(500));
    };
    let (_, rest) = text
        .split_once(&format!(" {field}="))
        .unwrap_or_else(|| panic!("no {field} in {text}"));
    rest.split(' ').next().unwrap().trim().to_owned()
}

/// Waits for a fact, and fails when it does not come true in time.
#[track_caller]
pub(crate) fn wait_until(what: &str, fact: impl Fn() -> bool) {
    let start = Instant::now();
    while !fact() {
        assert!(
            start.elapsed() < Duration::from_secs(300),
            "{what} did not happen"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The built-in recipe, with sizes that fit the lab's made-up model, the tokenizer
/// of the lab's image, and a small sweep.
pub(crate) fn recipe() -> Recipe {
    let mut recipe = Recipe::llama3_70b_h100x4_fp8()
        .with_tokenizer("/opt/tokenizer".parse().unwrap())
        .with_use_cases(["chat:32/16", "summarization:64/24"].map(|text| text.parse().unwrap()))
        .with_concurrency([1, 2]);
    recipe.model.weights.size = "131 MiB".parse().unwrap();
    recipe.model.engine.as_mut().unwrap().size = "65 MiB".parse().unwrap();
    recipe.server.disk = "200 MiB".parse().unwrap();
    recipe.client.disk = "500 MiB".parse().unwrap();
    recipe.server.ready_timeout = 60;
    // The nodes of all labs on this machine share its network.
    let port = env::var("NIM_SERVER_PORT").map_or(recipe.server.port, |port| port.parse().unwrap());
    let lab = u16::try_from(MINE.get()).unwrap();
    recipe.server.port = port + 20 * lab;
    recipe.sweep.min_requests = 8;
    recipe.sweep.requests_per_concurrency = 4;
    recipe
}

/// The settings that the lab needs, and more options of launch.sh.
pub(crate) fn settings(launch: &str) -> Settings {
    let text = format!(
        "[slurm]\npartition = 'batch'\ngres = 'gpu:8'\n[slurm.launch]\n{launch}\n[srun]\nmpi = 'none'\n[launch]\nmax_requeues = 2"
    );
    Settings::from_toml(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Removes a folder, and first what a test mounted in it.
pub(crate) fn remove(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    for place in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(place).starts_with(folder) {
            run(Command::new("umount").args(["--lazy", place]));
        }
    }
    let _ = fs::remove_dir_all(folder);
}

/// A user's folder: the scripts, the stage path, and a home without logins.
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Site {
    /// An empty stage path, and the scripts of a recipe.
    pub(crate) fn new(name: &str, recipe: Recipe) -> Self {
        Self::with_settings(name, recipe, settings(""))
    }

    /// Renders the scripts of another recipe.
    pub(crate) fn render(&self, recipe: Recipe, settings: Settings) {
        let plan = Plan::new(recipe, settings).unwrap_or_else(|error| panic!("{error}"));
        for kind in ScriptKind::ALL {
            plan.script(kind)
                .write_to(camino::Utf8Path::from_path(&self.folder).unwrap())
                .unwrap();
        }
    }

    pub(crate) fn with_settings(name: &str, recipe: Recipe, settings: Settings) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("slurm")
            .join(name);
        remove(&folder);
        fs::create_dir_all(folder.join("home")).unwrap();
        let mut site = Self {
            folder,
            variables: BTreeMap::new(),
        };
        site.set("HOME", site.folder.join("home").to_str().unwrap());
        site.set("STAGE_PATH", site.stage().to_str().unwrap());
        site.set("NGC_API_KEY", SECRET);
        site.render(recipe, settings);
        site
    }

    /// The same with images and model in place.
    pub(crate) fn ready(lab: &Lab, name: &str, recipe: Recipe) -> Self {
        let site = Self::new(name, recipe);
        site.put_images(lab);
        site.put_model(lab);
        site
    }

    pub(crate) fn put_images(&self, lab: &Lab) {
        fs::create_dir_all(self.stage()).unwrap();
        let link = |image: &str, file: &str| {
            let image = lab.folder().join("registry").join(image);
            fs::hard_link(image, self.stage().join(file)).unwrap();
        };
        // The built-in recipe has a name of its own for its client's file.
        link(
            "nvidia+tritonserver+25.01-py3-sdk.sqsh",
            "nvidia+tritonserver+25.01.sqsh",
        );
        for image in [
            "nim+meta+llama3-70b-instruct+1.0.3.sqsh",
            "nvidia+tritonserver+24.11-py3-sdk.sqsh",
            "nvidia+tritonserver+25.01-py3-sdk.sqsh",
            "nvidia+tritonserver+25.08-py3-sdk.sqsh",
            "nvidia+aiperf+0.13.0.sqsh",
        ] {
            link(image, image);
        }
    }

    pub(crate) fn put_model(&self, lab: &Lab) {
        let output = self.bash(lab, ScriptKind::PrepareModels);
        assert!(output.status.success(), "{}", words(&output));
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn stage(&self) -> PathBuf {
        self.folder.join("stage")
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.stage().join("results")
    }

    pub(crate) fn command(&self, lab: &Lab, program: &str) -> Command {
        let mut command = lab.command(program);
        command.envs(&self.variables).current_dir(&self.folder);
        command
    }

    /// Runs a script as `bash SCRIPT`.
    pub(crate) fn bash(&self, lab: &Lab, kind: ScriptKind) -> Output {
        self.command(lab, "bash")
            .arg(kind.file_name())
            .output()
            .unwrap()
    }

    /// Submits a script.
    #[track_caller]
    pub(crate) fn submit<'a>(&self, lab: &'a Lab, kind: ScriptKind) -> Job<'a> {
        self.submit_with(lab, kind, &[])
    }

    /// Submits a script with more words on the command line.
    #[track_caller]
    pub(crate) fn submit_with<'a>(
        &self,
        lab: &'a Lab,
        kind: ScriptKind,
        arguments: &[&str],
    ) -> Job<'a> {
        self.submit_file(lab, &self.folder.join(kind.file_name()), arguments)
    }

    #[track_caller]
    pub(crate) fn submit_file<'a>(
        &self,
        lab: &'a Lab,
        script: &Path,
        arguments: &[&str],
    ) -> Job<'a> {
        let output = format!("--output={}/slurm-%j.out", self.folder.display());
        let mut command = self.command(lab, "sbatch");
        command.args(["--parsable", &output]).args(arguments);
        let id = run(command.arg(script));
        let id = id.trim().to_owned();
        Job {
            lab,
            output: self.folder.join(format!("slurm-{id}.out")),
            id,
            submitted: Instant::now(),
        }
    }

    /// Submits a script and waits for its end.
    #[track_caller]
    pub(crate) fn job(&self, lab: &Lab, kind: ScriptKind) -> Ended {
        self.submit(lab, kind).wait()
    }

    /// Names of the finished points.
    pub(crate) fn points(&self) -> Vec<String> {
        self.points_of("llama-3-70b-instruct")
    }

    /// Names of the finished points of another recipe, by its result name.
    pub(crate) fn points_of(&self, result_name: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.results()) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(&format!("{result_name}_")))
            .collect();
        names.sort();
        names
    }

    pub(crate) fn manifest(&self, job: &str) -> serde_json::Value {
        let path = self.results().join(format!("run_{job}.json"));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What the manifest says of the job's end, if it says something yet.
    pub(crate) fn exit_code(&self, job: &str) -> Option<i64> {
        let text = fs::read_to_string(self.results().join(format!("run_{job}.json"))).ok()?;
        serde_json::from_str::<serde_json::Value>(&text).ok()?["exit_code"].as_i64()
    }

    /// The secret is in no file, and this search does not put it into a command line.
    #[track_caller]
    pub(crate) fn assert_no_secret(&self) {
        self.assert_no_secret_but_in(&[]);
    }

    /// The same, but for the test's own folders of these names, which must have it.
    #[track_caller]
    pub(crate) fn assert_no_secret_but_in(&self, folders: &[&str]) {
        let program = "grep -rlF -f <(echo \"$LAB_SECRET\") \"$@\" || true";
        let excluded = folders.iter().map(|name| format!("--exclude-dir={name}"));
        let found = run(Command::new("bash")
            .args(["-c", program, "grep"])
            .args(excluded)
            .arg(&self.folder)
            .env("LAB_SECRET", SECRET));
        assert_eq!(found, "", "the secret is in a file");
    }

    pub(crate) fn log(&self, step: &str, job: &str) -> String {
        fs::read_to_string(self.stage().join(format!("logs/{step}_{job}.out"))).unwrap_or_default()
    }
}

/// A test that fails leaves its folder, and so does each where `NIM_SLURM_KEEP` is set.
impl Drop for Site {
    fn drop(&mut self) {
        if !thread::panicking() && env::var_os("NIM_SLURM_KEEP").is_none() {
            remove(&self.folder);
        }
    }
}

/// A job that was submitted.
pub(crate) struct Job<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) id: String,
    output: PathBuf,
    submitted: Instant,
}

/// A job that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) code: i32,
    pub(crate) state: String,
    /// What the batch script printed.
    pub(crate) output: String,
    pub(crate) took: Duration,
}

impl Job<'_> {
    /// Waits for a fact, and fails when it does not come true in time.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, fact: impl Fn() -> bool) {
        let start = Instant::now();
        while !fact() {
            assert!(
                start.elapsed() < Duration::from_secs(600),
                "{what} did not happen: {}",
                self.printed()
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn wait(self) -> Ended {
        let state = || self.lab.job_field(&self.id, "JobState");
        // A busy controller may not answer; that is no end, and neither is a signal.
        self.wait_until("the job's end", || {
            !matches!(
                state().as_str(),
                "" | "PENDING" | "RUNNING" | "SIGNALING" | "COMPLETING" | "CONFIGURING"
            )
        });
        let code = self.lab.job_field(&self.id, "ExitCode");
        let code = code.split(':').next().unwrap().parse().unwrap();
        Ended {
            code,
            state: state(),
            output: self.printed(),
            took: self.submitted.elapsed(),
            id: self.id,
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn assert(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}", self.output);
        assert!(
            self.output.contains(words),
            "no {words:?} in: {}",
            self.output
        );
    }
}
