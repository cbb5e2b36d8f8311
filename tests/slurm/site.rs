//! What `[cluster]` and `[hooks]` add, on a real Slurm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nim_slurm::ScriptKind::{Launch, PrepareModels, Setup};
use nim_slurm::{HookPlace, ScriptKind, Settings};

use crate::lab::{Lab, SECRET, Site, recipe, run, words};

/// A site that shares its nodes, with modules, a proxy and hooks everywhere.
fn settings(folder: &str, lines: impl Fn(HookPlace) -> String) -> Settings {
    let text = format!(
        "slurm.partition = 'batch'
         slurm.launch = {{ cpus_per_task = 4, mem = '8G' }}
         srun.mpi = 'none'
         [cluster]
         gpus = 'gres'
         nodes = 'shared'
         modules = ['enroot/3.5.0']
         enroot_cache_path = '{folder}/cache'
         enroot_temp_path = '{folder}/temp'
         proxy = {{ https = 'http://proxy.site:3128' }}"
    );
    let settings = Settings::from_toml(&text).unwrap_or_else(|error| panic!("{error}"));
    HookPlace::ALL.iter().fold(settings, |settings, &place| {
        settings.with_hook(place, lines(place).parse().unwrap())
    })
}

/// Lines that say where they run, and what they know.
fn told(place: HookPlace) -> String {
    let said = match place {
        HookPlace::Before(_) => "before, $LOADEDMODULES, $https_proxy, $HTTPS_PROXY",
        HookPlace::After(_) => "after, code $code",
        HookPlace::InServer => "in the server, $MARK, $(ls -d /lab), $(ulimit -Sn) files",
        HookPlace::InClient => "in the client, $MARK, $(ls -d /opt/genai), $(ulimit -Sn) files",
        _ => unreachable!("no other place is known"),
    };
    format!("echo \"hook {said}\"\nexport MARK='it'\\''s ours'\n")
}

/// As a site's login shell has it: `module` is an exported function.
const MODULE: &str = "() { [[ $1 == load ]] && shift && export LOADEDMODULES=\"$*\"; }";

fn site(name: &str, lines: impl Fn(HookPlace) -> String) -> Site {
    let mut site = Site::new(name, recipe());
    let folder = site.folder.join("scratch");
    let settings = settings(folder.to_str().unwrap(), lines);
    site.render(recipe(), settings);
    site.set("BASH_FUNC_module%%", MODULE);
    site.set("NGC_API_KEY", SECRET);
    site
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn modules_proxy_scratch_and_own_lines() {
    let lab = Lab::enter();
    let mut site = site("site", told);
    let around = |output: &str, code: i32| {
        for words in [
            "hook before, enroot/3.5.0, http://proxy.site:3128, http://proxy.site:3128".to_owned(),
            format!("hook after, code {code}"),
        ] {
            assert!(output.contains(&words), "no {words:?} in {output}");
        }
    };
    let ended = site.job(&lab, Setup);
    ended.assert(0, "done: all images are in");
    around(&ended.output, 0);
    for name in ["cache", "temp"] {
        assert!(site.folder.join("scratch").join(name).is_dir());
    }
    let output = site.bash(&lab, PrepareModels);
    assert!(output.status.success(), "{}", words(&output));
    around(&words(&output), 0);

    // As most login shells have it; Slurm gives the job the same.
    let bin = site.folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let sbatch = which::which_in("sbatch", Some(lab.path()), "/").unwrap();
    let text = format!(
        "#!/bin/bash\nulimit -Sn 1024\nexec {} \"$@\"\n",
        sbatch.display()
    );
    fs::write(bin.join("sbatch"), text).unwrap();
    fs::set_permissions(bin.join("sbatch"), fs::Permissions::from_mode(0o755)).unwrap();
    site.set("PATH", &format!("{}:{}", bin.display(), lab.path()));
    let most = run(Command::new("bash").args(["-c", "ulimit -Hn"]));
    let most: u32 = most.trim().parse().unwrap_or(u32::MAX);
    let files = most.min(65_536);
    let job = site.submit(&lab, Launch);
    job.wait_until("the job's begin", || {
        lab.job_field(&job.id, "JobState") == "RUNNING"
    });
    assert!(lab.job_field(&job.id, "TRES").contains("cpu=4,mem=8G"));
    assert!(lab.job_field(&job.id, "TresPerNode").ends_with("gpu:4"));
    let ended = job.wait();
    ended.assert(0, "exit 0: all points are finished");
    around(&ended.output, 0);
    let (server, client) = (
        site.log("server", &ended.id),
        site.log("benchmarking", &ended.id),
    );
    assert!(
        server.contains(&format!(
            "hook in the server, it's ours, /lab, {files} files"
        )),
        "{server}"
    );
    assert!(
        client.contains(&format!(
            "hook in the client, it's ours, /opt/genai, {files} files"
        )),
        "{client}"
    );
    assert_eq!(site.points().len(), 4);
    site.assert_no_secret();
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn own_lines_that_fail() {
    let lab = Lab::enter();
    for (place, code, said) in [
        (
            HookPlace::Before(Launch),
            1,
            "error: the hook before the work failed with 7",
        ),
        (
            HookPlace::After(Launch),
            0,
            "warning: the hook at the end failed with 7",
        ),
        (
            HookPlace::InServer,
            3,
            "error: the hook in the server's container failed with 7",
        ),
        (
            HookPlace::InClient,
            1,
            "error: the hook in the client's container failed with 7",
        ),
    ] {
        let lines = |other: HookPlace| if other == place { "(exit 7)" } else { "true" }.to_owned();
        let site = site("failing_lines", lines);
        site.put_images(&lab);
        site.put_model(&lab);
        let ended = site.job(&lab, Launch);
        ended.assert(code, said);
        assert!(ended.took.as_secs() < 60, "{place:?}: {:?}", ended.took);
    }
}

/// The end's lines run, too, when nothing could be done.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn own_lines_after_what_is_missing() {
    let lab = Lab::enter();
    let site = site("lines_after_missing", told);
    for kind in [ScriptKind::Launch, ScriptKind::PrepareModels] {
        fs::create_dir_all(site.stage()).unwrap();
        let output = site
            .command(&lab, "bash")
            .arg(kind.file_name())
            .env_remove("STAGE_PATH")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", words(&output));
        assert!(
            words(&output).contains("hook after, code 2"),
            "{}",
            words(&output)
        );
    }
}

/// A server that loads does not listen yet: the one job would measure the other's server.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn jobs_on_one_node_do_not_share_a_port() {
    let lab = Lab::enter();
    let mut site = Site::ready(&lab, "one_port", recipe());
    let shared = "slurm = { partition = 'batch', nodelist = 'node1', mem = '1G' }
        srun.mpi = 'none'
        cluster = { gpus = 'gres', nodes = 'shared' }";
    site.render(recipe(), Settings::from_toml(shared).unwrap());
    site.set("LAB_NIM_ARGS", "--bind-late --startup-delay 60");
    let loading = site.submit(&lab, Launch);
    loading.wait_until("the first server", || {
        loading.printed().contains("started; servers")
    });
    let second = site.job(&lab, Launch);
    second.assert(2, "another job there has it");
    run(lab.command("scancel").arg(&loading.id));
    loading.wait();
    // With its job, the port is free.
    site.set("LAB_NIM_ARGS", "--exit-at-once");
    site.job(&lab, Launch).assert(3, "the server exited");
}

/// srun lists PMIx here, and its library is not there: the job says so before a GPU is used.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn an_mpi_plugin_that_cannot_be_loaded() {
    let lab = Lab::enter();
    let list = words(&lab.command("srun").arg("--mpi=list").output().unwrap());
    assert!(list.contains("pmix"), "{list}");
    let site = Site::ready(&lab, "no_pmix", recipe());
    let settings = "slurm = { partition = 'batch', gres = 'gpu:8' }";
    site.render(recipe(), Settings::from_toml(settings).unwrap());
    let ended = site.job(&lab, Launch);
    ended.assert(2, "missing: srun's MPI plugin pmix on node");
    ended.assert(
        2,
        "set it to none, or to another (--mpi, or [srun] in the settings). srun: error: ",
    );
}
