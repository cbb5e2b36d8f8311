//! Attacks on launch.sh, on the real Slurm: what a client's image, a job's name and a neighbour
//! in the stage path can do. tests/hostile_launch.rs and tests/hostile_trees.rs have more.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use nim_slurm::HookPlace;
use nim_slurm::ScriptKind::Launch;

use crate::lab::{Lab, Site, recipe, run, settings};

/// What a user keeps, and nobody else may see.
const CANARY: &str = "the-canary-sings";

/// All that an image can do with what it sees, as own lines in its container.
const ATTACK: &str = r#"
secret=@HOME@/secret
echo "sees: $(ls -A "$results") / $(ls -A "$results/..") / $(cat "$secret" 2>&1)"
for name in run_@JOB@.json run_@JOB@.json.part; do ln -s "$secret" "$results/$name"; done
ln -s "$secret" "$run/points.1"
mkfifo "$run/fifo"
mkdir -p "$run/finished/llama-3-70b-instruct_4_9_chat_32_16_@JOB@"
# While points come and go, links appear in them.
(
  cd "$run"
  while :; do
    for folder in finished failed llama*/ finished/*/; do
      [[ ! -d $folder ]] || ln -s "$secret" "$folder/x.log"
      [[ ! -d $folder ]] || mkfifo "$folder/y.log"
    done
    sleep 0.02
  done
) 2>/dev/null &
"#;

/// A client's image sees one folder of results, and leads nobody out of it.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_client_s_image_stays_in_its_folder() {
    let lab = Lab::enter();
    let recipe = recipe().with_use_cases(["chat:32/16".parse().unwrap()]);
    let site = Site::ready(&lab, "hostile_client", recipe.clone());
    let home = site.folder.join("home");
    fs::write(home.join("secret"), CANARY).unwrap();
    let lines = ATTACK
        .replace("@HOME@", home.to_str().unwrap())
        .replace("@JOB@", "$job_id");
    let lines = lines.parse().unwrap();
    site.render(recipe, settings("").with_hook(HookPlace::InClient, lines));
    let ended = site.job(&lab, Launch);
    println!("{}", ended.output);
    // The links make results of none; the job ends all the same.
    assert!(matches!(ended.code, 0 | 1 | 5), "{}", ended.output);
    let log = site.log("benchmarking", &ended.id);
    let (_, seen) = log.split_once("sees: ").unwrap();
    let expected = format!(".run_{} / ", ended.id);
    assert!(seen.starts_with(&expected), "{seen}");
    assert!(
        !seen.contains("logs") && seen.contains("No such file"),
        "{seen}"
    );
    assert_eq!(fs::read_to_string(home.join("secret")).unwrap(), CANARY);
    // It is nowhere but in its file.
    let found = run(Command::new("bash")
        .args(["-c", "grep -rlF \"$1\" \"$0\" || true"])
        .arg(&site.folder)
        .arg(CANARY));
    assert_eq!(found.trim(), home.join("secret").to_str().unwrap());
    // Nothing but files and folders was brought out, and no point that is not the sweep's.
    let stray = run(Command::new("find").arg(site.results()).args([
        "-name", ".run_*", "-prune", "-o", "!", "-type", "f", "!", "-type", "d", "-print",
    ]));
    assert_eq!(stray, "");
    assert!(
        !site
            .points()
            .iter()
            .any(|point| point.contains("_4_9_chat"))
    );
    assert_eq!(site.manifest(&ended.id)["exit_code"], ended.code);
}

/// No text of a user's is read as Slurm's: the count of restarts is Slurm's own.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_job_s_name_says_nothing() {
    let lab = Lab::enter();
    let site = Site::ready(&lab, "hostile_name", recipe());
    let words = [
        "--job-name=x Restarts=9 Command=/bin/false",
        "--comment=y Restarts=8",
        "--time=2",
    ];
    let mut site = site;
    site.set("LAB_NIM_ARGS", "--exit-at-once");
    let ended = site.submit_with(&lab, Launch, &words).wait();
    ended.assert(3, "the server exited");
    assert_eq!(site.manifest(&ended.id)["restart"], 0);
    let script = site.folder.join("launch.sh");
    let next = format!("RESUME_JOB_ID={} sbatch {}", ended.id, script.display());
    assert!(ended.output.contains(&next), "{}", ended.output);
}

/// What somebody puts in the place of logs, locks and folders of jobs to come.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn a_neighbour_in_the_stage_path_holds_nobody_up() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "hostile_neighbour", recipe());
    site.set("LAB_NIM_ARGS", "--exit-at-once");
    let home = site.folder.join("home");
    fs::write(home.join("kept"), CANARY).unwrap();
    // Job numbers are no secret: this is the next one, or the one after it.
    let last: u32 = lab.wrap(&[], "true").parse().unwrap();
    let logs = site.stage().join("logs");
    fs::create_dir_all(&logs).unwrap();
    fs::create_dir_all(site.results()).unwrap();
    let fifo = |path: std::path::PathBuf| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    for job in last + 1..last + 5 {
        symlink(home.join("kept"), logs.join(format!("server_{job}.out"))).unwrap();
        fifo(logs.join(format!("benchmarking_{job}.out")));
        fifo(site.results().join(format!("run_{job}.json.part")));
        symlink(
            home.join("kept"),
            site.results().join(format!("run_{job}.json")),
        )
        .unwrap();
        fifo(logs.join(format!(".port_node1_{}.{job}", recipe().server.port)));
    }
    let ended = site.job(&lab, Launch);
    ended.assert(3, "the server exited");
    assert_eq!(fs::read_to_string(home.join("kept")).unwrap(), CANARY);
    assert_eq!(site.manifest(&ended.id)["exit_code"], 3);
    let log = fs::symlink_metadata(logs.join(format!("server_{}.out", ended.id))).unwrap();
    assert!(log.is_file());
}
