//! Sweeps that are spread over the tasks of a job array.

use std::fs;

use nim_slurm::Recipe;
use nim_slurm::ScriptKind::Launch;
use nim_slurm::recipe::{ArrayBy, Variant};
use nim_slurm::results::Run;

use crate::follow::{line, program_with, write_files};
use crate::lab::{Lab, Site, recipe, run, settings, wait_until, words};

/// The lab's recipe as an array, of which one task runs at a time: the nodes share the
/// server's port.
fn array(by: ArrayBy) -> Recipe {
    let mut recipe = recipe();
    recipe.sweep.array = Some(by);
    recipe.sweep.array_limit = Some(1);
    recipe
}

/// Submits the launch job; the array's number.
pub(crate) fn submit(lab: &Lab, site: &Site) -> String {
    let output = format!("--output={}/slurm-%A_%a.out", site.folder.display());
    site.submit_with(lab, Launch, &[&output]).id
}

/// What a task printed.
pub(crate) fn printed(site: &Site, array: &str, task: u32) -> String {
    fs::read_to_string(site.folder.join(format!("slurm-{array}_{task}.out"))).unwrap_or_default()
}

pub(crate) fn wait_for_end(lab: &Lab, array: &str) {
    wait_until("the array's end", || {
        let left = lab
            .command("squeue")
            .args(["--noheader", "--jobs", array])
            .output()
            .unwrap();
        // A controller that is busy answers nothing; one that has forgotten the job says so.
        let forgotten = String::from_utf8_lossy(&left.stderr).contains("Invalid job id");
        left.stdout.is_empty() && (left.status.success() || forgotten)
    });
}

fn read_jobs(site: &Site, jobs: &[&str]) -> Run {
    let jobs: Vec<_> = jobs.iter().map(|job| job.parse().unwrap()).collect();
    let results = camino::Utf8PathBuf::from_path_buf(site.results()).unwrap();
    let run = Run::read_jobs(results, &jobs).unwrap();
    assert!(run.problems().is_empty(), "{:?}", run.problems());
    run
}

/// One task after the other, and when one was cancelled, the array again: only what is
/// missing is measured.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn array_by_use_case_is_resumed() {
    let lab = Lab::enter();
    let mut recipe = array(ArrayBy::UseCase);
    // So that a point is not over before it can be cancelled, on a busy machine.
    recipe.sweep.min_requests = 24;
    let mut site = Site::ready(&lab, "array_use_case", recipe.clone());
    write_files(&site, &recipe);
    let first = submit(&lab, &site);
    let (chat, summarization) = (format!("{first}-0"), format!("{first}-1"));
    wait_until("the throttle", || {
        lab.job_field(&format!("{first}_1"), "Reason") == "JobArrayTaskLimit"
    });
    wait_until("the first task's end", || site.exit_code(&chat) == Some(0));
    let point = |concurrency, use_case, job: &str| {
        format!("llama-3-70b-instruct_4_{concurrency}_{use_case}_{job}")
    };
    let begun = point(2, "summarization_64_24", &summarization);
    wait_until("a point of the second task", || {
        site.points().contains(&begun)
    });
    run(lab.command("scancel").arg(format!("{first}_1")));
    wait_for_end(&lab, &first);
    assert_eq!(site.exit_code(&summarization), Some(6));
    let script = site.folder.join("launch.sh");
    let again = format!(
        "RESUME_JOB_ID={summarization} sbatch --array=1 {}\n",
        script.display()
    );
    let said = printed(&site, &first, 1);
    assert!(said.contains(&again), "{said}");
    for (job, points) in [(&chat, 2), (&summarization, 2)] {
        let rows = site.manifest(job)["points"].as_array().unwrap().len();
        assert_eq!(rows, points, "a task's manifest has its own points");
    }

    // Who follows the array sees all of its tasks.
    let follow = |array: &str| {
        program_with(&lab, &site, &["follow", array])
            .output()
            .unwrap()
    };
    let told = || {
        let seen = follow(&first);
        assert_eq!(seen.status.code(), Some(1), "{}", words(&seen));
        let seen = words(&seen);
        assert_eq!(
            line(&seen, "error: "),
            "error: task 1: launch ended with 6: stopped by signal TERM"
        );
        assert!(seen.contains("point 3 of 4 is finished: "), "{seen}");
        assert!(line(&seen, "to print them: ").ends_with(&format!(" --job {first}")));
    };
    told();
    // A site's controller forgets a job after minutes.
    lab.forget_all_jobs();
    told();

    site.set("RESUME_JOB_ID", &first);
    let second = submit(&lab, &site);
    wait_for_end(&lab, &second);
    let said = printed(&site, &second, 0);
    assert!(said.contains("2 of 2 points are in"), "{said}");
    assert_eq!(
        site.log("server", &format!("{second}-0")),
        "",
        "no server ran"
    );
    assert_eq!(site.exit_code(&format!("{second}-1")), Some(0));
    let mut expected = vec![
        point(1, "chat_32_16", &chat),
        point(2, "chat_32_16", &chat),
        point(1, "summarization_64_24", &format!("{second}-1")),
        begun,
    ];
    expected.sort();
    assert_eq!(site.points(), expected);
    assert_eq!(read_jobs(&site, &[&first, &second]).points().len(), 4);
    let seen = program_with(&lab, &site, &["follow", &second])
        .output()
        .unwrap();
    assert!(seen.status.success(), "{}", words(&seen));
    let report = words(&seen);
    let report = line(&report, "to print them: ");
    assert!(report.ends_with(&format!(" --job {second}")), "{report}");
    // Those of the first job are among them.
    assert_eq!(read_jobs(&site, &[&second]).points().len(), 4);
}

/// The last task of an array to start has the array's own number. What it asks of Slurm, it
/// asks for itself alone.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn the_last_task_goes_into_the_queue_alone() {
    let lab = Lab::enter();
    let mut recipe = array(ArrayBy::UseCase).with_concurrency([1, 2, 4]);
    recipe.sweep.array_limit = None;
    let mut site = Site::ready(&lab, "array_requeue", recipe.clone());
    // As if submitted from inside of a job that was requeued.
    site.set("SLURM_RESTART_COUNT", "5");
    let port = recipe.server.port;
    site.render(recipe, settings("requeue = true"));
    // Both run at once, on nodes that share one network.
    let script = site.folder.join("launch.sh");
    let text = fs::read_to_string(&script).unwrap();
    let apart = text.replace(
        &format!("readonly port={port}\n"),
        &format!("readonly port=$(({port} + SLURM_ARRAY_TASK_ID))\n"),
    );
    assert_ne!(text, apart);
    fs::write(&script, apart).unwrap();

    let array = submit(&lab, &site);
    let name = |task: u32| format!("{array}-{task}");
    wait_until("two servers", || {
        [0, 1].iter().all(|&task| {
            let log = site.log("benchmarking", &name(task));
            log.contains("the server is ready")
        })
    });
    let number = |task: &u32| {
        let task = format!("--jobs={array}_{task}");
        let arguments = ["--noheader", "--format=%A", &task];
        run(lab.command("squeue").args(arguments))
    };
    let last = [0, 1].into_iter().find(|task| number(task).trim() == array);
    let last = last.expect("a task has the array's number");
    let (task, other) = (format!("{array}_{last}"), 1 - last);
    // It goes on by itself once it has finished a point.
    wait_until("its first point", || {
        let points = site.points_of("llama-3-70b-instruct");
        points
            .iter()
            .any(|point| point.ends_with(&format!("_{}", name(last))))
    });
    run(lab
        .command("scancel")
        .args(["--batch", "--signal=USR1", &task]));
    wait_until("the requeue", || {
        printed(&site, &array, last).contains("restart 1 of at most 2")
    });
    wait_until("the other task's end", || {
        site.exit_code(&name(other)) == Some(0)
    });
    let said = printed(&site, &array, last);
    assert!(!said.contains("did not end by itself"), "{said}");
    wait_until("the task's return into the queue", || {
        lab.job_field(&task, "JobState") == "PENDING"
    });
    let other = format!("{array}_{other}");
    assert_eq!(lab.job_field(&other, "Restarts"), "0");
    run(lab.command("scancel").arg(&array));
    wait_for_end(&lab, &array);
}

/// A tool that cannot work stops each task's part of the sweep by itself.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn tools_that_cannot_work_stop_each_task() {
    let lab = Lab::enter();
    let three = [1, 2, 4];
    let recipe = array(ArrayBy::UseCase).with_concurrency(three);
    let mut site = Site::ready(&lab, "array_fails", recipe.clone());
    write_files(&site, &recipe);
    site.set("LAB_GENAI_FAULT", "fail");
    let array = submit(&lab, &site);
    wait_for_end(&lab, &array);
    for task in [0, 1] {
        let said = printed(&site, &array, task);
        assert!(said.contains("exit 5: 2 of 3 points failed"), "{said}");
        let points = site.manifest(&format!("{array}-{task}"))["points"].clone();
        let statuses = [0, 1, 2].map(|point: usize| points[point]["status"].clone());
        assert_eq!(statuses, ["failed", "failed", "not run"], "{points}");
    }
    // Both say the same, of points and logs of their own, and go on by one command.
    let seen = program_with(&lab, &site, &["follow", &array])
        .output()
        .unwrap();
    let seen = words(&seen);
    assert_eq!(
        line(&seen, "error: "),
        "error: tasks 0,1: launch ended with 5: 2 of 3 points failed"
    );
    let script = site.folder.join("launch.sh");
    assert_eq!(
        line(&seen, "after that: "),
        format!(
            "after that: RESUME_JOB_ID={array} sbatch --array=0-1%1 {}",
            script.display()
        )
    );
    for task in [0, 1] {
        let log = format!("/failed_{array}-{task}/llama-3-70b-instruct_4_2_");
        let lines = seen.split(&log).nth(1).unwrap_or_else(|| panic!("{seen}"));
        let shown = lines.split("\nwhat ").next().unwrap();
        assert!(shown.contains("\n  | no line looks like it\n"), "{seen}");
    }
}

/// Each variant of a server has a task, and its name in its results' names.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn array_by_server_variant() {
    let lab = Lab::enter();
    let mut recipe = array(ArrayBy::Server)
        .with_use_cases(["chat:32/16".parse().unwrap()])
        .with_concurrency([1]);
    let variant = |text: &str| -> Variant { toml::from_str(text).unwrap() };
    recipe.server.variants = vec![
        variant("name = 'local'\ncommand = ['--host', '127.0.0.1']"),
        variant("name = 'slow'\nenvironment = { LAB_NIM_ARGS = '--itl-ms 12' }"),
    ];
    let site = Site::ready(&lab, "array_variants", recipe);
    let array = submit(&lab, &site);
    wait_for_end(&lab, &array);
    for (task, name) in ["local", "slow"].into_iter().enumerate() {
        let name = format!("llama-3-70b-instruct-{name}");
        let point = format!("{name}_4_1_chat_32_16_{array}-{task}");
        assert_eq!(site.points_of(&name), [point]);
    }
    let [local, slow] = [0, 1].map(|task| site.log("server", &format!("{array}-{task}")));
    assert!(
        local.contains("'--host', '127.0.0.1']") && !slow.contains("--host"),
        "{local}{slow}"
    );
    let speeds: Vec<_> = read_jobs(&site, &[&array])
        .points()
        .iter()
        .map(|point| {
            (
                point.model().unwrap().to_owned(),
                point.throughput_per_user(),
            )
        })
        .collect();
    assert!(speeds[0].0.ends_with("-local") && speeds[1].0.ends_with("-slow"));
    assert!(speeds[0].1 > speeds[1].1, "{speeds:?}");
}

/// Two variants alternate in one job. When it is cancelled in the third turn, a job that resumes it measures what is left.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn variants_take_turns_in_one_job() {
    let lab = Lab::enter();
    let mut recipe = recipe()
        .with_use_cases(["chat:32/16".parse().unwrap()])
        .with_concurrency([1]);
    recipe.sweep.repeat = 2;
    let variant = |text: &str| -> Variant { toml::from_str(text).unwrap() };
    recipe.server.variants = vec![
        variant("name = 'local'\ncommand = ['--host', '127.0.0.1']"),
        variant("name = 'slow'\nenvironment = { LAB_NIM_ARGS = '--itl-ms 12' }"),
    ];
    let mut site = Site::ready(&lab, "turns", recipe.clone());
    write_files(&site, &recipe);
    let first = site.submit(&lab, Launch).id;
    let points = |jobs: [&str; 4]| -> Vec<String> {
        let turns = [
            ("local", ""),
            ("slow", ""),
            ("local", "_r2"),
            ("slow", "_r2"),
        ];
        let turns = turns.iter().zip(jobs).enumerate();
        turns
            .map(|(turn, ((name, again), job))| {
                format!("llama-3-70b-instruct-{name}_4_1_chat_32_16{again}_{job}-{turn}")
            })
            .collect()
    };
    let of_first = points([&first; 4]);
    let has = |site: &Site, point: &str| site.results().join(point).exists();
    wait_until("the second turn's point", || has(&site, &of_first[1]));
    wait_until("the third turn's server", || {
        let log = site.log("benchmarking", &format!("{first}-2"));
        log.contains("the server is ready")
    });
    run(lab.command("scancel").arg(&first));
    wait_for_end(&lab, &first);
    let codes = [0, 1, 2, 3].map(|turn| site.exit_code(&format!("{first}-{turn}")));
    let said = fs::read_to_string(site.folder.join(format!("slurm-{first}.out"))).unwrap();
    assert_eq!(codes, [Some(0), Some(0), Some(6), None], "{said}");
    let script = site.folder.join("launch.sh");
    let again = format!("RESUME_JOB_ID={first} sbatch {}\n", script.display());
    assert!(
        said.contains(&again) && said.ends_with("exit 6: 3 of 4 turns ran\n"),
        "{said}"
    );
    let [local, slow] = [0, 1].map(|turn| site.log("server", &format!("{first}-{turn}")));
    assert!(
        local.contains("'--host', '127.0.0.1']") && !slow.contains("--host"),
        "{local}{slow}"
    );

    site.set("RESUME_JOB_ID", &first);
    let second = site.submit(&lab, Launch).id;
    let seen = program_with(&lab, &site, &["follow", &second])
        .output()
        .unwrap();
    assert!(seen.status.success(), "{}", words(&seen));
    assert!(
        words(&seen).contains("point 4 of 4 is finished: "),
        "{}",
        words(&seen)
    );
    let third = if has(&site, &of_first[2]) {
        &first
    } else {
        &second
    };
    let mut expected = points([&first, &first, third, &second]);
    expected.sort();
    let mut all = [
        site.points_of("llama-3-70b-instruct-local"),
        site.points_of("llama-3-70b-instruct-slow"),
    ]
    .concat();
    all.sort();
    assert_eq!(all, expected);
    let said = fs::read_to_string(site.folder.join(format!("slurm-{second}.out"))).unwrap();
    assert!(said.contains("1 of 1 points are in"), "{said}");
    assert_eq!(
        site.log("server", &format!("{second}-0")),
        "",
        "no server ran"
    );
    let of_both = read_jobs(&site, &[&first, &second]);
    assert_eq!(of_both.points().len(), 4);
}

/// A task that the sweep has no part for says so, and so does a job that is no task.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_job_without_a_part_of_the_sweep() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "array_no_part", array(ArrayBy::Point));
    let output = format!("--output={}/slurm-%A_%a.out", site.folder.display());
    let outside = site.submit_with(&lab, Launch, &["--array=4", &output]).id;
    wait_for_end(&lab, &outside);
    let said = printed(&site, &outside, 4);
    assert!(
        said.contains("missing: work for task 4: the tasks from 0 to 3 have some"),
        "{said}"
    );
    // The same script, submitted as a single job.
    let script = site.folder.join("launch.sh");
    let text = fs::read_to_string(&script).unwrap();
    let alone: Vec<_> = text
        .lines()
        .filter(|line| !line.contains(" --array="))
        .collect();
    fs::write(&script, alone.join("\n")).unwrap();
    let ended = site.job(&lab, Launch);
    ended.assert(2, "missing: the number of this job's task");
}
