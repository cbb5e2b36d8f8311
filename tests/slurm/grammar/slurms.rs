//! Real Slurms that only queue: a controller of each release, and its sbatch.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nim_slurm::slurm::Release;

use crate::lab::{Lab, run};

/// A controller without nodes, and the programs of its release.
pub(super) struct Slurm {
    pub(super) version: String,
    /// What its programs have for `/`.
    root: PathBuf,
    /// Where jobs are submitted, as its programs see it.
    pub(super) folder: String,
    configuration: String,
    path: String,
}

/// What sbatch made of a job.
pub(super) struct Answer {
    /// The job's number, if it was queued.
    pub(super) job: Option<u32>,
    /// The options as sbatch read them, by their long names.
    pub(super) options: BTreeMap<String, String>,
    /// Everything else that it said.
    pub(super) words: String,
}

/// One test at a time has the controllers: it starts them afresh, and ends all of their jobs.
pub(super) fn hold_controllers() -> MutexGuard<'static, ()> {
    static HELD: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing that matters.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The controllers of all releases, started afresh.
pub(super) fn slurms(lab: &Lab) -> Vec<Slurm> {
    let lines = run(&mut lab.command("tests/lab/controllers"));
    let slurm = |line: &str| {
        let [version, root, folder, configuration] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line:?}");
        };
        Slurm {
            version: version.to_owned(),
            root: root.into(),
            folder: folder.to_owned(),
            configuration: configuration.to_owned(),
            path: lab.path().to_owned(),
        }
    };
    lines.lines().map(slurm).collect()
}

impl Slurm {
    /// The release, as the crate names it.
    pub(super) fn release(&self) -> Release {
        let mut numbers = self
            .version
            .split('.')
            .map(|number| number.parse().unwrap());
        let (year, month) = (numbers.next().unwrap(), numbers.next().unwrap());
        let release = Release::new(year, month);
        // What the crate does not know yet is asked as the newest one that it knows.
        release.min(Release::NEWEST)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("chroot");
        if self.root == std::path::Path::new("/") {
            command = Command::new(program);
        } else {
            command.arg(&self.root).arg(program);
        }
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("LANG", "C.UTF-8")
            // Times are told in the same zone everywhere.
            .env("TZ", "UTC")
            .env("SLURM_CONF", &self.configuration)
            .current_dir(self.root.join(&self.folder[1..]));
        command
    }

    /// Submits a script that waits for good.
    pub(super) fn submit(&self, arguments: &[String], script: &str) -> Answer {
        let mut sbatch = self.command("sbatch");
        let mut sbatch = sbatch
            .args(["--hold", "--parsable"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // sbatch does not read it when it refuses the arguments.
        let _ = sbatch.stdin.take().unwrap().write_all(script.as_bytes());
        let output = sbatch.wait_with_output().unwrap();
        let job = output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout));
        let mut answer = Answer {
            job: job.and_then(|job| job.trim().parse().ok()),
            options: BTreeMap::new(),
            words: String::new(),
        };
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            match line.strip_prefix("sbatch: lua: ") {
                Some(json) => answer.options = options(json),
                None => answer.words = format!("{}{line}\n", answer.words),
            }
        }
        answer
    }

    /// The controller's records of all its jobs, by number.
    pub(super) fn records(&self) -> BTreeMap<u32, Record> {
        let shown = run(self.command("scontrol").args(["show", "job", "--details"]));
        let jobs = shown.split("\n\n").filter_map(|text| {
            let text = text.trim_start();
            let id = text.strip_prefix("JobId=")?.split(' ').next()?;
            Some((id.parse().ok()?, Record(text.to_owned())))
        });
        jobs.collect()
    }

    /// Takes all jobs out of the queue.
    pub(super) fn cancel_all(&self) {
        run(self
            .command("scancel")
            .args(["--user=root", "--state=PENDING"]));
    }
}

fn options(json: &str) -> BTreeMap<String, String> {
    let options: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let texts = options.into_iter();
    texts
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
        .collect()
}

/// What `scontrol show job` says of a job.
#[derive(Clone, Default)]
pub(super) struct Record(String);

/// Fields behind which another one stands on the same line, and that one.
const FOLLOWED: &[(&str, &str)] = &[
    ("Account", "QOS"),
    ("QOS", "WCKey"),
    ("Dependency", ""),
    ("JobName", ""),
    ("MCS_label", ""),
    ("WCKey", ""),
    ("Comment", ""),
    ("Network", ""),
    ("WorkDir", ""),
    ("StdOut", ""),
    ("StdErr", ""),
    ("StdIn", ""),
    ("Extra", ""),
    ("BurstBuffer", ""),
    ("Container", "ContainerID"),
    ("ContainerID", ""),
];

impl Record {
    /// A field's value. Texts of the user's own end with their line; others have no
    /// blanks in them.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let label = format!("{name}=");
        let rest = self.0.lines().find_map(|line| {
            let line = line.trim_start();
            match line.strip_prefix(&label) {
                Some(rest) => Some(rest),
                None => line.split_once(&format!(" {label}")).map(|(_, rest)| rest),
            }
        })?;
        let next = FOLLOWED.iter().find(|(own, _)| *own == name);
        match next {
            Some((_, "")) => Some(rest),
            Some((_, next)) => Some(
                rest.split_once(&format!(" {next}="))
                    .map_or(rest, |(value, _)| value),
            ),
            None => rest.split(' ').next(),
        }
    }
}
