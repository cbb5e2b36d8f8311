//! What clusters do to jobs, one row each: the fault, how the job must end, and
//! that a second run finishes what is missing without doing a finished point twice.
//!
//! `tests/faults` runs all rows, `tests/faults NAME` some; the test command of the
//! README runs those that are marked, at least one of each group.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use std::{env, fs, panic};

use nim_slurm::Recipe;
use nim_slurm::ScriptKind::{self, Launch, PrepareModels, Setup};
use nim_slurm::recipe::ClientTool;

use crate::lab::{self, Ended, Job, Lab, Site, run, words};

/// A row of the table.
struct Fault {
    /// `GROUP: WHAT`.
    name: &'static str,
    /// Run by the README's first test command as well.
    marked: bool,
    script: ScriptKind,
    /// What differs from the usual recipe in the first run.
    recipe: fn(&mut Recipe),
    /// Options of `[slurm.launch]` in the first run.
    launch: &'static str,
    /// Variables of the first run; an empty value takes one away.
    variables: &'static [(&'static str, &'static str)],
    /// What is done to the stage path before the first run.
    before: fn(&Lab, &Site),
    /// What is done to the job of the first run.
    during: fn(&Site, &Job),
    /// What is undone after it.
    after: fn(&Site),
    end: End,
    /// Words of the job's output.
    says: &'static str,
    /// Points that the first run finishes, at least.
    kept: usize,
}

/// How the first run ends.
enum End {
    /// With this exit code, as Slurm has it.
    Code(i32),
    /// In this state, with this code in the manifest; Slurm's own says only which
    /// signal it sent.
    State(&'static str, i64),
    /// In this state, with no last word in the manifest.
    Killed(&'static str),
}

const ROW: Fault = Fault {
    name: "",
    marked: false,
    script: Launch,
    recipe: |_| {},
    launch: "",
    variables: &[],
    before: |_, _| {},
    during: |_, _| {},
    after: |_| {},
    end: End::Code(0),
    says: "",
    kept: 0,
};

/// One use case at two concurrencies.
fn one_use_case(recipe: &mut Recipe) {
    recipe.sweep.use_cases = vec!["chat:32/16".parse().unwrap()];
}

fn until_points(site: &Site, job: &Job, count: usize) {
    job.wait_until("a finished point", || site.points().len() >= count);
}

/// The same, measured by AIPerf.
fn aiperf(recipe: &mut Recipe) {
    one_use_case(recipe);
    recipe.client.tool = ClientTool::Aiperf("0.13.0".parse().unwrap());
    recipe.client.image = "nvcr.io/nvidia/aiperf:0.13.0".parse().unwrap();
    recipe.client.file = None;
}

/// A second point with so much more work, which would take many minutes if the start of the
/// tool were a part of it.
fn twenty_times_the_work(recipe: &mut Recipe) {
    recipe.sweep.use_cases = ["chat:32/16", "long:32/320"]
        .map(|text| text.parse().unwrap())
        .into();
    recipe.sweep.concurrency = [2].into();
}

/// The first point is finished, and GenAI-Perf is at the second.
fn inside_second_point(site: &Site, job: &Job) {
    until_points(site, job, 1);
    job.wait_until("the second point", || {
        site.log("benchmarking", &job.id)
            .matches("genai-perf start")
            .count()
            >= 2
    });
}

fn scancel(job: &Job, arguments: &[&str]) {
    run(job.lab.command("scancel").args(arguments).arg(&job.id));
}

fn squash_files(site: &Site) -> [PathBuf; 2] {
    [
        "nvidia+tritonserver+25.01.sqsh",
        "nim+meta+llama3-70b-instruct+1.0.3.sqsh",
    ]
    .map(|name| site.stage().join(name))
}

fn model(site: &Site) -> PathBuf {
    site.stage().join("llama3-70b-instruct_vhf")
}

fn count_parts(site: &Site) -> usize {
    let entries = fs::read_dir(site.stage()).into_iter().flatten();
    entries
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end == "part")
        })
        .count()
}

/// Files of the weights, which have their lengths from the start.
fn files_of_part(site: &Site) -> usize {
    let part = ".llama3-70b-instruct_vhf.part/llama3-70b-instruct_vhf";
    fs::read_dir(site.stage().join(part)).map_or(0, Iterator::count)
}

/// Mounts a new ext4 file system of so many MiB, in a file, at a folder.
fn mount_small(site: &Site, folder: &Path, mebibytes: u64) {
    let file = site.folder.join("small.img");
    fs::File::create(&file)
        .unwrap()
        .set_len(mebibytes << 20)
        .unwrap();
    run(Command::new("mkfs.ext4")
        .args(["-q", "-F", "-m", "0"])
        .arg(&file)
        .env("PATH", sbin()));
    fs::create_dir_all(folder).unwrap();
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(&file)
        .arg(folder));
}

fn unmount(folder: &Path) {
    run(Command::new("umount").args(["--lazy"]).arg(folder));
}

fn sbin() -> String {
    format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap())
}

/// The number of the first server's step.
fn server_step(job: &Job<'_>) -> String {
    let lines = || {
        let mut squeue = job.lab.command("squeue");
        let job = format!("--job={}", job.id);
        let asked = squeue.args(["--noheader", "--steps", &job, "--format=%i %j"]);
        words(&asked.output().unwrap())
    };
    let found = RefCell::new(None);
    // A busy controller answers nothing.
    job.wait_until("the server's step", || {
        let lines = lines();
        let mut numbers = lines
            .lines()
            .filter_map(|line| line.strip_suffix(" server.0"));
        found.replace(numbers.next().map(ToOwned::to_owned));
        found.borrow().is_some()
    });
    found.into_inner().unwrap()
}

/// Ends one of the lab's daemons and starts it again.
fn restart(lab: &Lab, daemon: &str, start: &[&str]) {
    let file = lab.folder().join("run").join(format!("{daemon}.pid"));
    let pid = fs::read_to_string(&file).unwrap().trim().to_owned();
    run(Command::new("kill").args(["-KILL", &pid]));
    while Path::new("/proc").join(&pid).exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    run(lab
        .command(start[0])
        .args(&start[1..])
        .env("PATH", format!("{}:/usr/sbin", lab.path())));
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a table")]
fn table() -> Vec<Fault> {
    vec![
        // -- server
        Fault { name: "server: exits at once", variables: &[("LAB_NIM_ARGS", "--exit-at-once")],
            end: End::Code(3), says: "the server exited with status 1", ..ROW },
        Fault { name: "server: exits while loading",
            variables: &[("LAB_NIM_ARGS", "--startup-delay 60 --die-before-ready 2")],
            end: End::Code(3), says: "the last lines of", ..ROW },
        Fault { name: "server: its weights do not fit", variables: &[("LAB_NIM_ARGS", "--log trtllm-oom")],
            end: End::Code(3), says: "| line 3: [11/28/2026-07:02:19] [TRT-LLM] [RANK 2] [E] Error executing", ..ROW },
        Fault { name: "server: no profile fits", variables: &[("LAB_NIM_ARGS", "--log nim-profile")],
            end: End::Code(3), says: "Could not find a profile that is currently runnable", ..ROW },
        Fault { name: "server: never ready", variables: &[("LAB_NIM_ARGS", "--startup-delay 1000")],
            recipe: |recipe| recipe.server.ready_timeout = 4,
            end: End::Code(4), says: "the server was not ready within 4 s", ..ROW },
        Fault { name: "server: ready and then hangs", variables: &[("LAB_NIM_ARGS", "--hang-after-requests 19")],
            recipe: |recipe| recipe.server.probe_interval = 2,
            end: End::Code(3), says: "exit 3: the server stopped answering", kept: 1, ..ROW },
        Fault { name: "server: answers 500", variables: &[("LAB_NIM_ARGS", "--error-after-requests 15")],
            end: End::Code(3), says: "exit 3: the server stopped answering", kept: 1, ..ROW },
        Fault { name: "server: dies between points", kept: 1, end: End::Code(3), says: "before the sweep was over",
            during: |site, job| {
                until_points(site, job, 1);
                run(job.lab.command("scancel").args(["--signal=KILL", &server_step(job)]));
            }, ..ROW },
        Fault { name: "server: dies inside a point", marked: true, kept: 1,
            variables: &[("LAB_NIM_ARGS", "--die-mid-stream --die-after-requests 15")],
            end: End::Code(3), says: "the server exited with status 1", ..ROW },
        Fault { name: "server: slow to die on SIGTERM", variables: &[("LAB_NIM_ARGS", "--term-delay 300")],
            recipe: |recipe| recipe.server.stop_timeout = 2,
            end: End::Code(0), says: "the server step did not end by itself within 2 s", kept: 4, ..ROW },
        Fault { name: "server: does not take the client's requests", marked: true,
            variables: &[("LAB_NIM_ARGS", "--refuse-fields ignore_eos,min_tokens")],
            recipe: |recipe| {
                one_use_case(recipe);
                // Nobody waits so long.
                recipe.server.ready_timeout = 1800;
            },
            end: End::Code(2),
            says: "HTTP 422: {\"detail\": \"Unexpected keys in the request: {'ignore_eos', 'min_tokens'}\"}", ..ROW },
        Fault { name: "server: is not sent what it does not take", kept: 2, end: End::Code(0), says: "exit 0",
            variables: &[("LAB_NIM_ARGS", "--refuse-fields ignore_eos,min_tokens")],
            recipe: |recipe| {
                one_use_case(recipe);
                recipe.client.ignore_eos = false;
                recipe.client.min_tokens = false;
            }, ..ROW },

        // -- client
        Fault { name: "client: GenAI-Perf missing in the image",
            recipe: |recipe| {
                recipe.client.image = recipe.server.image.clone();
                recipe.client.file = recipe.server.file.clone();
            },
            end: End::Code(2), says: "missing in the client's container: genai-perf", ..ROW },
        Fault { name: "client: fails on one point", variables: &[("LAB_GENAI_FAULT", "fail:2")], recipe: one_use_case,
            end: End::Code(5), says: "concurrency 2: GenAI-Perf exited with status 1", kept: 1, ..ROW },
        Fault { name: "client: fails on all", marked: true, variables: &[("LAB_GENAI_FAULT", "fail")],
            end: End::Code(5),
            says: "not started: 2 of 4 points: the first two points failed in the same way (exit status 1), and no request was completed",
            ..ROW },
        Fault { name: "client: hangs at its start", variables: &[("LAB_GENAI_FAULT", "hang")],
            recipe: |recipe| recipe.sweep.point_timeout = 5,
            end: End::Code(5), says: "failed in the same way (timeout)", ..ROW },
        // It was killed before it could say whether a request was completed.
        Fault { name: "client: two points are too slow", kept: 1, end: End::Code(5), says: "2 of 3 points failed",
            variables: &[("LAB_NIM_ARGS", "--hang-over-words 150")],
            recipe: |recipe| {
                recipe.sweep.use_cases = ["summarization:400/16", "rag:500/16", "chat:32/16"].map(|text| text.parse().unwrap()).into();
                recipe.sweep.concurrency.truncate(1);
                recipe.sweep.point_timeout = 20;
            }, ..ROW },
        Fault { name: "client: AIPerf fails on all requests of two points", variables: &[("LAB_NIM_ARGS", "--max-prompt-words 5")],
            recipe: |recipe| {
                aiperf(recipe);
                recipe.sweep.concurrency = [1, 2, 4].into();
            },
            end: End::Code(5), says: "not started: 1 of 3 points: the first two points failed in the same way", ..ROW },
        Fault { name: "client: hangs", variables: &[("LAB_GENAI_FAULT", "hang:2")],
            recipe: |recipe| {
                one_use_case(recipe);
                recipe.sweep.point_timeout = 10;
            },
            end: End::Code(5), says: "GenAI-Perf did not end within 10 s", kept: 1, ..ROW },
        Fault { name: "client: is SIGKILLed", variables: &[("LAB_GENAI_FAULT", "kill:2")], recipe: one_use_case,
            end: End::Code(5), says: "or was killed", kept: 1, ..ROW },
        Fault { name: "client: writes a truncated CSV", marked: true, variables: &[("LAB_GENAI_FAULT", "missing-table:2")],
            recipe: one_use_case, end: End::Code(5), says: "says that no tokens were generated", kept: 1, ..ROW },
        Fault { name: "client: writes a CSV with zero tokens", variables: &[("LAB_GENAI_FAULT", "zero-tokens:2")],
            recipe: one_use_case, end: End::Code(5), says: "gives 0.00 tokens as the average output, 16 were asked for", kept: 1, ..ROW },
        Fault { name: "client: counts too few requests", variables: &[("LAB_GENAI_FAULT", "short-count:2")],
            recipe: one_use_case, end: End::Code(5), says: "counts 7.00 requests, 8 were asked for", kept: 1, ..ROW },
        Fault { name: "client: an old CSV of an earlier attempt", recipe: one_use_case, launch: "begin",
            during: |site, job| {
                // What a killed run of the same job would leave.
                let folder = format!("llama-3-70b-instruct_4_2_chat_32_16_{}", job.id);
                let left = site.results().join(format!(".run_{}/client", job.id)).join(&folder);
                fs::create_dir_all(&left).unwrap();
                fs::write(left.join("profile_export_genai_perf.csv"), "Metric,avg\nold\n").unwrap();
                run(job.lab.command("scontrol").args(["release", &job.id]));
                let aside = site.results().join(format!("interrupted_{}", job.id)).join(folder);
                job.wait_until("the old one moved aside", || aside.join("profile_export_genai_perf.csv").exists());
            },
            end: End::Code(0), says: "an unfinished point (interrupted)", kept: 2, ..ROW },

        Fault { name: "client: AIPerf calls failed requests a success", marked: true,
            variables: &[("LAB_NIM_ARGS", "--error-after-requests 15")], recipe: aiperf,
            end: End::Code(3), says: "requests that failed", kept: 1, ..ROW },
        Fault { name: "client: AIPerf calls a cut run a success", variables: &[("LAB_AIPERF_FAULT", "interrupt:2")],
            recipe: |recipe| {
                aiperf(recipe);
                recipe.sweep.use_cases = vec!["chat:32/200".parse().unwrap()];
            },
            end: End::Code(5), says: "does not say that the run was not cancelled", kept: 1, ..ROW },

        // -- job
        Fault { name: "job: scancel", marked: true, kept: 1, end: End::State("CANCELLED", 6), says: "RESUME_JOB_ID=",
            during: |site, job| { inside_second_point(site, job); scancel(job, &[]); }, ..ROW },
        Fault { name: "job: scancel before the server is ready", variables: &[("LAB_NIM_ARGS", "--startup-delay 1000")],
            end: End::State("CANCELLED", 6), says: "exit 6",
            during: |site, job| {
                job.wait_until("the server's log", || site.log("server", &job.id).contains("listening"));
                scancel(job, &[]);
            }, ..ROW },
        Fault { name: "job: time limit", variables: &[("LAB_GENAI_FAULT", "hang:1")], launch: "time = 1\nsignal = false",
            recipe: |recipe| recipe.sweep.use_cases = vec!["chat:32/16".parse().unwrap()],
            end: End::State("TIMEOUT", 6), says: "DUE TO TIME LIMIT", kept: 1, ..ROW },
        Fault { name: "job: time is up before the server is ready", launch: "time = 1\nsignal = 'B:USR1@50'",
            variables: &[("LAB_NIM_ARGS", "--startup-delay 1000")],
            end: End::Code(6), says: "the time was up before a point was finished", ..ROW },
        // Slurm looks every 30 s whether a warning is due within the next 30: the recipe's would come at any time.
        Fault { name: "job: too little time for what is left", launch: "time = 1\nsignal = 'B:USR1@1'",
            // The second would run for a minute or more, judged by the first, whatever the tool's start.
            recipe: |recipe| {
                recipe.sweep.use_cases = ["chat:32/16", "long:32/4000"].map(|text| text.parse().unwrap()).into();
                recipe.sweep.concurrency = [2].into();
            },
            end: End::Code(6), says: "left out: long 32/4000, concurrency 2", kept: 1, ..ROW },
        Fault { name: "job: a slow start is not taken for work", launch: "time = 2\nsignal = 'B:USR1@1'", kept: 2,
            variables: &[("LAB_TOOL_START_DELAY", "8")],
            recipe: twenty_times_the_work, end: End::Code(0), says: "exit 0", ..ROW },
        Fault { name: "job: AIPerf's slow start is not taken for work", launch: "time = 5\nsignal = 'B:USR1@1'", kept: 2,
            variables: &[("LAB_TOOL_START_DELAY", "8")],
            recipe: |recipe| {
                aiperf(recipe);
                twenty_times_the_work(recipe);
            },
            end: End::Code(0), says: "exit 0", ..ROW },
        Fault { name: "job: requeue in the middle of a point", kept: 1, end: End::Code(0), says: "exit 0",
            during: |site, job| {
                inside_second_point(site, job);
                run(job.lab.command("scontrol").args(["requeue", &job.id]));
                goes_on(job, 1);
            }, ..ROW },
        Fault { name: "job: requeues itself when its time is up", launch: "time = 1\nrequeue = true\nsignal = 'B:USR1@1'", kept: 3,
            recipe: |recipe| {
                recipe.sweep.use_cases = vec!["long:32/1500".parse().unwrap()];
                recipe.sweep.concurrency = [1, 2, 4].into();
            },
            end: End::Code(0), says: "restart 1 of at most 2",
            during: |site, job| {
                // On a slow machine, once may not be enough.
                for restarts in 1..=2 {
                    goes_on(job, restarts);
                    job.wait_until("the end of a run", || {
                        let field = |name| job.lab.job_field(&job.id, name);
                        site.exit_code(&job.id) == Some(0) || field("Restarts") != restarts.to_string()
                    });
                    if site.exit_code(&job.id) == Some(0) {
                        break;
                    }
                }
            }, ..ROW },
        Fault { name: "job: batch shell SIGKILLed", kept: 1, end: End::Killed("FAILED"), says: "",
            during: |site, job| { inside_second_point(site, job); scancel(job, &["--batch", "--signal=KILL"]); }, ..ROW },
        Fault { name: "job: slurmd of the node killed and restarted", kept: 4, end: End::Code(0), says: "exit 0",
            during: |site, job| {
                inside_second_point(site, job);
                restart(job.lab, "slurmd.node1", &["slurmd", "-N", "node1"]);
            }, ..ROW },
        Fault { name: "job: slurmctld restarted", kept: 4, end: End::Code(0), says: "exit 0",
            during: |site, job| {
                inside_second_point(site, job);
                restart(job.lab, "slurmctld", &["slurmctld"]);
            }, ..ROW },
        Fault { name: "job: submitted twice at once", kept: 4, end: End::Code(0), says: "exit 0",
            during: |site, job| {
                let second = submit_on_another_port(site, job.lab).wait();
                second.assert(0, "4 of 4 points");
            }, ..ROW },
        Fault { name: "job: submitted from another directory", kept: 4, end: End::Code(0), says: "exit 0",
            launch: "chdir", ..ROW },
        Fault { name: "job: set -x exported by the caller", kept: 4, end: End::Code(0), says: "exit 0",
            variables: &[("SHELLOPTS", "braceexpand:hashall:interactive-comments:noclobber:noglob:xtrace")],
            during: |site, job| {
                job.wait_until("the end", || site.exit_code(&job.id).is_some());
                assert!(!site.log("benchmarking", &job.id).contains("++ "), "a trace");
            }, ..ROW },
        Fault { name: "job: variables left by a login shell or another job", kept: 4,
            variables: &[
                ("SLURM_CPU_BIND", "map_cpu:99"), ("SLURM_CPUS_PER_TASK", "99"), ("SLURM_MEM_PER_CPU", "999999"),
                ("SLURM_MEM_PER_NODE", "1"), ("SLURM_NTASKS", "7"), ("SLURM_NTASKS_PER_NODE", "7"), ("SLURM_NPROCS", "7"),
                ("SLURM_EXPORT_ENV", "NONE"), ("SLURM_GRES", "gpu:99"), ("SLURM_GPUS_PER_TASK", "9"), ("SLURM_MPI_TYPE", "none_such"),
                ("SLURM_OVERLAP", "0"), ("SLURM_EXCLUSIVE", "1"), ("SLURM_WAIT", "1"), ("SLURM_TIMELIMIT", "1"),
                ("SRUN_EXPORT_ENV", "NONE"), ("SRUN_CPUS_PER_TASK", "99"), ("SRUN_OUTPUT", "/none/such"),
                // With this one, scancel would ask and ask again.
                ("SCANCEL_INTERACTIVE", "1"), ("SQUEUE_FORMAT", "%u"),
                // The job's end would be a day of the past, and its points left out.
                ("SLURM_TIME_FORMAT", "%Y-01-01"), ("SLURM_NO_KILL", "1"), ("SLURM_HET_SIZE", "2"), ("SLURM_SRUN_MULTI", "1"),
                ("PYXIS_CONTAINER_IMAGE", "/none/such"), ("PYXIS_CONTAINER_MOUNTS", "/none:/such"),
            ],
            end: End::Code(0), says: "exit 0", ..ROW },
        Fault { name: "job: pyxis is too old", end: End::Code(2), says: "missing: srun's option --container-env",
            // Before 0.15.
            variables: &[("BASH_FUNC_srun%%", "() { if [[ $* == --help ]]; then command srun --help | grep -v container-env; else command srun \"$@\"; fi; }")],
            ..ROW },
        Fault { name: "job: squeue gives no answer", kept: 4, end: End::Code(0), says: "exit 0",
            // The steps cannot be told to end without it.
            recipe: |recipe| recipe.server.stop_timeout = 1,
            variables: &[("BASH_FUNC_squeue%%", "() { return 1; }")], ..ROW },
        Fault { name: "job: results on a read-only file system", end: End::Code(1), says: "cannot write in",
            before: |_, site| {
                fs::create_dir_all(site.results()).unwrap();
                run(Command::new("mount").arg("--bind").args([site.results(), site.results()]));
                run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(site.results()));
            },
            after: |site| unmount(&site.results()), ..ROW },
        Fault { name: "job: no space left for results", marked: true, end: End::Code(1), says: "no space is left in",
            before: |_, site| {
                mount_small(site, &site.results(), 4);
                // A point writes more than 100 KiB; 40 are left.
                let mut ballast = fs::File::create(site.results().join("ballast")).unwrap();
                let mut written = 0;
                while ballast.write_all(&[1; 1024]).is_ok() {
                    written += 1024;
                }
                ballast.set_len(written - (40 << 10)).unwrap();
            },
            after: |site| fs::remove_file(site.results().join("ballast")).unwrap(), ..ROW },

        // -- setup
        Fault { name: "setup: killed in the middle of an import", marked: true, script: Setup,
            variables: &[("LAB_ENROOT_DELAY", "60")], end: End::Killed("CANCELLED"),
            during: |site, job| {
                job.wait_until("two parts", || count_parts(site) == 2);
                scancel(job, &["--full", "--signal=KILL"]);
            }, ..ROW },
        Fault { name: "setup: killed between the two imports", script: Setup,
            variables: &[("LAB_ENROOT_DELAY", "tritonserver=60")], end: End::Killed("CANCELLED"),
            during: |site, job| {
                job.wait_until("the first image", || squash_files(site)[1].exists());
                scancel(job, &["--full", "--signal=KILL"]);
            }, ..ROW },
        Fault { name: "setup: cancelled", script: Setup, variables: &[("LAB_ENROOT_DELAY", "60")],
            end: End::Killed("CANCELLED"), says: "stopped by a signal",
            during: |site, job| {
                job.wait_until("two parts", || count_parts(site) == 2);
                scancel(job, &[]);
            }, ..ROW },
        Fault { name: "setup: two at once", script: Setup, variables: &[("LAB_ENROOT_DELAY", "2")], end: End::Code(0),
            during: |site, job| assert_eq!(site.submit(job.lab, Setup).wait().code, 0), says: "all images are in", ..ROW },
        Fault { name: "setup: image that does not exist", script: Setup, end: End::Code(1), says: "the registry has no such image for x86_64: ",
            recipe: |recipe| recipe.client.image = "nvcr.io/nvidia/none:1".parse().unwrap(), ..ROW },
        Fault { name: "setup: wrong key", script: Setup, variables: &[("LAB_NGC_ACCEPTS", "another")],
            end: End::Code(1), says: "nvcr.io does not take the key in NGC_API_KEY", ..ROW },
        Fault { name: "setup: a registry that refuses without a word", script: Setup, variables: &[("LAB_ENROOT_FAULT", "silent")],
            end: End::Code(1), says: "nvcr.io does not take the key in NGC_API_KEY", ..ROW },
        Fault { name: "setup: an image for another processor", script: Setup, variables: &[("LAB_ENROOT_FAULT", "architecture")],
            end: End::Code(1), says: "is for another processor", ..ROW },
        Fault { name: "setup: no key", script: Setup, variables: &[("NGC_API_KEY", "")],
            end: End::Code(2), says: "missing: a login for nvcr.io", ..ROW },
        Fault { name: "setup: disk full", script: Setup, end: End::Code(1), says: "there is no space left, or no quota: ",
            recipe: |recipe| {
                recipe.server.disk = "1 MiB".parse().unwrap();
                recipe.client.disk = "1 MiB".parse().unwrap();
            },
            before: |_, site| mount_small(site, &site.stage(), 200),
            after: |site| unmount(&site.stage()), ..ROW },
        Fault { name: "setup: squash file truncated by an earlier crash", script: Setup, end: End::Code(0), says: "damaged-1",
            before: |_, site| {
                fs::create_dir_all(site.stage()).unwrap();
                fs::write(&squash_files(site)[0], b"hsqs and no more").unwrap();
            }, ..ROW },
        Fault { name: "setup: enroot reports success for half a file", script: Setup,
            variables: &[("LAB_ENROOT_FAULT", "truncate:tritonserver")], end: End::Code(1), says: "is not a whole squashfs file", ..ROW },

        // -- models
        Fault { name: "models: killed in the middle", script: PrepareModels, variables: &[("LAB_NGC_DELAY", "60")],
            end: End::Killed("CANCELLED"),
            during: |site, job| {
                job.wait_until("files of the weights", || files_of_part(site) == 40);
                scancel(job, &["--full", "--signal=KILL"]);
            }, ..ROW },
        Fault { name: "models: cancelled", script: PrepareModels, variables: &[("LAB_NGC_DELAY", "60")],
            end: End::Killed("CANCELLED"), says: "stopped by a signal",
            during: |site, job| {
                job.wait_until("files of the weights", || files_of_part(site) == 40);
                scancel(job, &[]);
            }, ..ROW },
        Fault { name: "models: short download reported as COMPLETED", marked: true, script: PrepareModels,
            variables: &[("LAB_NGC_FAULT", "short")], end: End::Code(1), says: "an old NGC CLI claims success", ..ROW },
        Fault { name: "models: one shard missing", script: PrepareModels, variables: &[("LAB_NGC_FAULT", "shard")],
            end: End::Code(1), says: "safetensors is missing", ..ROW },
        Fault { name: "models: one shard cut off", script: PrepareModels, variables: &[("LAB_NGC_FAULT", "truncate")],
            end: End::Code(1), says: "its header promises 4580000", ..ROW },
        Fault { name: "models: wrong checksum", script: PrepareModels, variables: &[("LAB_NGC_FAULT", "checksum")],
            end: End::Code(1), says: "checksum of rank", ..ROW },
        Fault { name: "models: engine folder from another version in place", script: PrepareModels, end: End::Code(0),
            says: "trtllm_engine.other-1",
            before: |lab, site| {
                site.put_model(lab);
                let link = model(site).join("trtllm_engine");
                fs::remove_file(&link).unwrap();
                fs::create_dir(&link).unwrap();
                fs::write(link.join("rank0.engine"), "another").unwrap();
            }, ..ROW },
        Fault { name: "models: two at once", script: PrepareModels, variables: &[("LAB_NGC_DELAY", "2")], end: End::Code(0),
            says: "the model in",
            during: |site, job| assert_eq!(site.submit(job.lab, PrepareModels).wait().code, 0), ..ROW },
        Fault { name: "models: no space", script: PrepareModels, end: End::Code(2), says: "missing: free space",
            recipe: |recipe| recipe.model.weights.size = "900 TiB".parse().unwrap(), ..ROW },
    ]
}

/// Submits launch.sh once more. The lab's nodes share one network, where two servers
/// would meet; on a cluster each node has its own.
fn submit_on_another_port<'a>(site: &Site, lab: &'a Lab) -> Job<'a> {
    let port = lab::recipe().server.port;
    let text = fs::read_to_string(site.folder.join("launch.sh")).unwrap();
    let other = text.replace(
        &format!("readonly port={port}\n"),
        &format!("readonly port={}\n", port + 1),
    );
    assert_ne!(text, other);
    let path = site.folder.join("launch-second.sh");
    fs::write(&path, other).unwrap();
    site.submit_file(lab, &path, &[])
}

/// Lets a requeued job run soon; Slurm would hold it back for two minutes. The node
/// refuses credentials of the second in which the earlier run was ended.
fn goes_on(job: &Job, restarts: u32) {
    let pending = || job.lab.job_field(&job.id, "JobState") == "PENDING";
    let restarted = || job.lab.job_field(&job.id, "Restarts") == restarts.to_string();
    job.wait_until("the requeue", || restarted() && pending());
    run(job.lab.command("scontrol").args([
        "update",
        &format!("jobid={}", job.id),
        "starttime=now+2",
    ]));
    job.wait_until("the next run", || !pending());
}

/// Finished points, each with what shows that it was made anew.
fn stamps(site: &Site) -> BTreeMap<String, (u64, i64, i64)> {
    let stamp = |name: &String| {
        let file = |tool| {
            let table = format!("profile_export_{tool}.csv");
            fs::metadata(site.results().join(name).join(table))
        };
        let data = file("genai_perf").or_else(|_| file("aiperf")).unwrap();
        (data.ino(), data.mtime(), data.mtime_nsec())
    };
    site.points()
        .iter()
        .map(|name| (name.clone(), stamp(name)))
        .collect()
}

/// The name without the job's number: what is measured.
fn what(point: &str) -> &str {
    point.rsplit_once('_').unwrap().0
}

/// The words for the cause of an exit code.
fn causes(code: i64) -> &'static [&'static str] {
    match code {
        0 => &["finished"],
        2 => &["client_lacks", "refused"],
        3 => &["server_ended", "no_answer"],
        4 => &["not_ready"],
        5 => &["points_failed"],
        6 => &["signal", "client_stopped", "no_time_left"],
        _ => &["client_failed", "left_alone", "points_missing", "no_space"],
    }
}

fn check_end(row: &Fault, site: &Site, ended: &Ended) {
    let shown = format!("{:?}\n{}", ended.state, ended.output);
    match row.end {
        End::Code(code) => {
            assert_eq!(ended.code, code, "exit code: {shown}");
            if row.script == Launch
                && code != 2
                && !row.name.contains("read-only")
                && !row.name.contains("no space")
            {
                assert_eq!(
                    site.exit_code(&ended.id),
                    Some(i64::from(code)),
                    "manifest: {shown}"
                );
            }
            assert_eq!(
                ended.state,
                if code == 0 { "COMPLETED" } else { "FAILED" },
                "{shown}"
            );
        }
        End::State(state, code) => {
            assert_eq!(ended.state, state, "{shown}");
            assert_eq!(site.exit_code(&ended.id), Some(code), "manifest: {shown}");
        }
        End::Killed(state) => {
            assert_eq!(ended.state, state, "{shown}");
            assert_eq!(site.exit_code(&ended.id), None, "manifest: {shown}");
        }
    }
    if let (Launch, Some(code)) = (row.script, site.exit_code(&ended.id)) {
        let cause = site.manifest(&ended.id)["exit_cause"].clone();
        assert!(
            causes(code).iter().any(|word| cause == *word),
            "{cause}: {shown}"
        );
    }
    assert!(
        ended.output.contains(row.says),
        "no {:?} in: {shown}",
        row.says
    );
}

/// The model is there, and what a killed download left of it was no part of it.
fn check_model(row: &Fault, site: &Site, second: &Ended) {
    assert!(model(site).join("trtllm_engine/rank3.engine").exists());
    let was_killed = matches!(row.end, End::Killed(_));
    let words = "left by a download that did not end";
    let is_told = second.output.contains(words);
    assert!(is_told || !was_killed, "{}", second.output);
}

fn run_row(lab: &Lab, row: &Fault) {
    let mut recipe = lab::recipe();
    (row.recipe)(&mut recipe);
    let file_name: String = row
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    // Two words are no options of the script, but of its submission.
    let (launch, arguments): (_, &[&str]) = match row.launch {
        "begin" => ("", &["--hold"]),
        "chdir" => ("", &["--chdir=/"]),
        launch => (launch, &[]),
    };
    let mut site = Site::with_settings(&file_name, recipe, lab::settings(launch));
    (row.before)(lab, &site);
    if row.script == Launch {
        site.put_images(lab);
        site.put_model(lab);
    }
    let usual = site.variables.clone();
    for &(name, value) in row.variables {
        if value.is_empty() {
            site.variables.remove(name);
        } else {
            site.set(name, value);
        }
    }

    // A panic must not leave mounts behind.
    let first = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let job = site.submit_with(lab, row.script, arguments);
        (row.during)(&site, &job);
        job.wait()
    }));
    (row.after)(&site);
    let first = first.unwrap_or_else(|panic| panic::resume_unwind(panic));
    check_end(row, &site, &first);
    let before = stamps(&site);
    let mine = before
        .keys()
        .filter(|name| name.ends_with(&first.id))
        .count();
    assert!(mine >= row.kept, "{mine} points are kept: {}", first.output);

    // The second run, without the fault, finishes what is missing.
    site.variables = usual;
    let mut recipe = lab::recipe();
    recipe.sweep.use_cases.retain(|_| row.script == Launch);
    let mut whole = lab::recipe();
    (row.recipe)(&mut whole);
    recipe.sweep = whole.sweep;
    // The image without GenAI-Perf is a fault; the tool is not.
    if whole.client.tool != recipe.client.tool {
        recipe.client = whole.client.clone();
    }
    recipe.sweep.point_timeout = 300;
    // A fault that is a word of the server's or of the client's is another measurement.
    let is_same = whole.server.command == recipe.server.command
        && whole.server.environment == recipe.server.environment
        && whole.client.ignore_eos == recipe.client.ignore_eos;
    site.render(recipe.clone(), lab::settings(""));
    let has_results = first.code != 2 && !before.is_empty();
    if row.script == Launch && has_results {
        site.set("RESUME_JOB_ID", &first.id);
    }
    let second = site.job(lab, row.script);
    assert_eq!(second.code, 0, "the second run: {}", second.output);
    if has_results && mine > 0 {
        let is_told = second.output.contains("does not count: ");
        assert_eq!(is_told, !is_same, "the second run: {}", second.output);
    }
    let after = stamps(&site);
    for (point, stamp) in &before {
        assert_eq!(after.get(point), Some(stamp), "{point} was made again");
        let again = format!("{}_{}", what(point), second.id);
        assert!(
            !has_results || !is_same || !point.ends_with(&first.id) || !after.contains_key(&again),
            "{point} was measured twice"
        );
    }
    match row.script {
        Launch => {
            for point in recipe.sweep.points() {
                let (use_case, concurrency) = (&point.use_case, point.load);
                let what_it_is = format!(
                    "llama-3-70b-instruct_4_{concurrency}_{}_{}_{}",
                    use_case.name(),
                    use_case.input_tokens(),
                    use_case.output_tokens()
                );
                assert!(
                    after.keys().any(|found| what(found) == what_it_is),
                    "no {what_it_is}: {after:?}"
                );
            }
        }
        Setup => assert!(
            squash_files(&site)
                .iter()
                .all(|file| file.metadata().unwrap().len() > 1_000_000)
        ),
        PrepareModels => check_model(row, &site, &second),
    }
    assert_eq!(count_parts(&site), 0, "nothing half-written is left");
    site.assert_no_secret();
    lab::remove(&site.folder);
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn fault_table() {
    let chosen = env::var("NIM_SLURM_FAULTS").unwrap_or_else(|_| "marked".to_owned());
    let lab = Lab::enter_first();
    let rows: Vec<_> = table()
        .into_iter()
        .filter(|row| match chosen.as_str() {
            "all" => true,
            "marked" => row.marked,
            name => row.name.contains(name),
        })
        .collect();
    assert!(!rows.is_empty(), "no row has {chosen:?} in its name");
    let mut failed = Vec::new();
    for row in &rows {
        let start = Instant::now();
        let passed = panic::catch_unwind(panic::AssertUnwindSafe(|| run_row(&lab, row))).is_ok();
        println!(
            "{} {:5.1} s  {}",
            if passed { "ok  " } else { "FAIL" },
            start.elapsed().as_secs_f64(),
            row.name
        );
        if !passed {
            failed.push(row.name);
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} rows failed: {failed:#?}",
        failed.len(),
        rows.len()
    );
    println!("{} rows passed", rows.len());
}
