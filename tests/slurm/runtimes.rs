//! The other runtimes: podman is the real one, apptainer a stand-in that takes nothing
//! but its documented options and enters the image as the lab's plugin does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nim_slurm::ScriptKind::{Launch, Setup};
use nim_slurm::container::Runtime;
use nim_slurm::{Recipe, Settings};

use crate::attacks::Attacks;
use crate::lab::{Lab, Listening, SECRET, Site, recipe, run, settings};

/// What a shell would run.
const HOSTILE: &str = "it's \"$(touch /tmp/lab-ran)\" `id` $HOME";

/// The lab's small recipe with a variable that a shell could run, a secret for the
/// server, and one point.
fn small_recipe() -> Recipe {
    let mut recipe = recipe().with_use_cases(["chat:32/16".parse().unwrap()]);
    recipe.sweep.concurrency.truncate(1);
    recipe.server.secrets = vec!["NGC_API_KEY".parse().unwrap()];
    recipe
        .server
        .environment
        .insert("LAB_HOSTILE".parse().unwrap(), HOSTILE.parse().unwrap());
    recipe
}

/// What a runtime's site says, with a folder that both containers see.
fn site_settings(site_folder: &str, runtime: Runtime) -> Settings {
    let mount = format!("{site_folder}:/data:ro");
    settings("")
        .with_runtime(runtime)
        .with_mount(mount.parse().unwrap())
}

fn site(name: &str, recipe: &Recipe, runtime: Runtime) -> (Site, Attacks) {
    let site = Site::new(name, recipe.clone());
    let data = site.folder.join("data");
    fs::create_dir(&data).unwrap();
    let settings = site_settings(data.to_str().unwrap(), runtime);
    let (attacks, settings) = Attacks::contained(&site, settings);
    site.render(recipe.clone(), settings);
    (site, attacks)
}

/// The calls of a program that a job made, as the lab noted them.
fn calls(lab: &Lab, job: &str, program: &str) -> Vec<String> {
    let log = fs::read_to_string(lab.folder().join("calls.log")).unwrap();
    let marker = format!("job={job} {program} ");
    let lines = log.lines().filter(|line| line.contains(&marker));
    lines.map(str::to_owned).collect()
}

/// The variables of the site's server, which is in its container. Other labs of the machine
/// may have one, too.
fn server_environment(site: &Site) -> Option<String> {
    let text = |path: PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let processes = fs::read_dir("/proc").unwrap();
    let mut folders = processes.map(|entry| entry.unwrap().path());
    let server = folders.find(|folder| {
        let command = text(folder.join("cmdline"));
        let environment = text(folder.join("environ"));
        command.starts_with("python3\0-m\0vllm_nvext.")
            && environment.contains("LAB_HOSTILE=")
            && environment.contains(site.stage().to_str().unwrap())
    })?;
    Some(text(server.join("environ")))
}

/// setup.sh twice and launch.sh: images that are whole, a point that is valid, a server
/// that was stopped gently, and no secret in a file or an argument list.
///
/// Its images try all that a container must withstand.
fn runs(lab: &Lab, site: &mut Site, program: &str, ending: &str, attacks: &Attacks) -> String {
    let setup = site.job(lab, Setup);
    setup.assert(0, "done: all images are in");
    for image in [
        "nvidia+tritonserver+25.01",
        "nim+meta+llama3-70b-instruct+1.0.3",
    ] {
        assert!(site.stage().join(format!("{image}.{ending}")).exists());
    }
    site.job(lab, Setup).assert(0, "nothing to do");
    site.put_model(lab);

    attacks.prepare(site);
    let site = &*site;
    let job = site.submit(lab, Launch);
    let command_lines = std::cell::RefCell::new(String::new());
    let environment = std::cell::RefCell::new(None);
    job.wait_until("the last point", || {
        let lines = run(lab.command("ps").args(["-eo", "args"]));
        command_lines.borrow_mut().push_str(&lines);
        if let Some(found) = server_environment(site) {
            *environment.borrow_mut() = Some(found);
        }
        job.printed().contains("points are in")
    });
    let ended = job.wait();
    ended.assert(0, "exit 0: all points are finished");
    let environment = environment.into_inner().expect("the server was seen");
    let variables: Vec<_> = environment.split('\0').collect();
    let model = site.stage().join("llama3-70b-instruct_vhf/");
    for variable in [
        // Under the name that the image has for it, too.
        format!("NIM_MODEL_NAME={}", model.display()),
        format!("LAB_HOSTILE={HOSTILE}"),
        format!("NGC_API_KEY={SECRET}"),
        "CUDA_VISIBLE_DEVICES=0,1,2,3".to_owned(),
    ] {
        let is_there = variables.contains(&variable.as_str());
        assert!(is_there, "no {variable} in {variables:?}");
    }
    assert!(!Path::new("/tmp/lab-ran").exists());
    println!("{program}: setup {:?}, launch {:?}", setup.took, ended.took);
    let server = site.log("server", &ended.id);
    assert!(server.contains("gpus 0,1,2,3"), "{server}");
    assert!(server.contains("SIGTERM"), "stopped gently: {server}");
    assert_eq!(site.points().len(), 1);
    assert_eq!(site.manifest(&ended.id)["exit_code"], 0);
    assert!(calls(lab, &setup.id, program).len() > 1);
    assert!(calls(lab, &ended.id, program).len() > 1);
    for text in [
        command_lines.borrow().as_str(),
        &calls(lab, &setup.id, program).concat(),
        &calls(lab, &ended.id, program).concat(),
    ] {
        assert!(!text.contains(SECRET), "{text}");
    }
    site.assert_no_secret();
    attacks.assert_held(site, &ended.id);
    ended.id
}

/// A registry on this machine that has the lab's images.
fn registry_with_images(lab: &Lab) -> Listening {
    let folder = lab.folder().join("oci");
    for (name, file) in [
        (
            "nim/meta/llama3-70b-instruct:1.0.3",
            "nim+meta+llama3-70b-instruct+1.0.3.sqsh",
        ),
        (
            "nvidia/tritonserver:25.01-py3-sdk",
            "nvidia+tritonserver+25.01-py3-sdk.sqsh",
        ),
    ] {
        let mut add = Command::new("tests/lab/registry.py");
        add.arg("add").arg(&folder).arg(name);
        run(add.arg(lab.folder().join("registry").join(file)));
    }
    let mut command = Command::new("tests/lab/registry.py");
    command.args(["serve", "0"]).arg(&folder);
    Listening::start("registry", command.env("LAB_NGC_ACCEPTS", SECRET))
}

/// podman in the lab, as the scripts find it.
fn podman(lab: &Lab, arguments: &[&str]) -> String {
    run(lab.command("podman").args(arguments))
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn the_real_podman() {
    let lab = Lab::enter_first();
    let registry = registry_with_images(&lab);
    let mut recipe = small_recipe();
    let port = registry.port;
    recipe.server.image = format!("nvcr.io:{port}/nim/meta/llama3-70b-instruct:1.0.3")
        .parse()
        .unwrap();
    recipe.client.image = format!("nvcr.io:{port}/nvidia/tritonserver:25.01-py3-sdk")
        .parse()
        .unwrap();
    let (mut site, attacks) = site("podman", &recipe, Runtime::Podman);
    site.set("LAB_REGISTRY_PORT", &port.to_string());

    // A key that is wrong is named as the reason, and leaves nothing behind.
    site.set("NGC_API_KEY", "wrong");
    site.job(&lab, Setup)
        .assert(1, "does not take the key in NGC_API_KEY");
    site.set("NGC_API_KEY", SECRET);
    let id = runs(&lab, &mut site, "podman", "tar", &attacks);
    // The digest is written down by which the registry has the image.
    let manifest = lab.folder().join("oci/nim+meta+llama3-70b-instruct:1.0.3");
    let sum = run(Command::new("sha256sum").arg(manifest));
    let told = format!("{}@sha256:{}", recipe.server.image, &sum[..64]);
    let image = site.stage().join("nim+meta+llama3-70b-instruct+1.0.3.tar");
    let length = fs::metadata(&image).unwrap().len();
    let written = fs::read_to_string(image.with_extension("tar.reference")).unwrap();
    assert_eq!(written, format!("{told} {length} amd64\n"));
    let server = &site.manifest(&id)["images"]["server"];
    assert_eq!(server["reference"], told);
    assert_eq!(server["digest"], format!("sha256:{}", &sum[..64]));

    // A description of the GPUs in a later version than launch.sh's check_runtime knows of this podman is none for it.
    let version = podman(&lab, &["--version"]);
    assert!(version.contains(" 4.3."), "{version}");
    let archive = format!("docker-archive:{}", image.display());
    for (version, is_read) in [("0.5.0", true), ("0.6.0", false), ("0.7.0", false)] {
        let mut command = lab.command("podman");
        command.args([
            "run",
            "--rm",
            "--quiet",
            "--cgroups=disabled",
            "--network=host",
        ]);
        command.args([
            "--entrypoint=",
            "--device=nvidia.com/gpu=all",
            &archive,
            "env",
        ]);
        let output = command.env("LAB_CDI_VERSION", version).output().unwrap();
        let words = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let expected = if is_read {
            "LAB_CDI=all"
        } else {
            "unresolvable CDI devices nvidia.com/gpu=all"
        };
        assert_eq!(output.status.success(), is_read, "{version}: {words}");
        assert!(words.contains(expected), "{version}: {words}");
    }

    // A container that a killed job left goes with the next launch; a job's that is still
    // there stays.
    let other = lab.wrap(&[], "sleep 60");
    let image = format!(
        "docker-archive:{}",
        site.stage()
            .join("nim+meta+llama3-70b-instruct+1.0.3.tar")
            .display()
    );
    let start = |job: &str| {
        let name = format!("--name=nim-slurm-{job}-server-1");
        let options = [
            "run",
            "--quiet",
            "--detach",
            "--cgroups=disabled",
            "--network=host",
        ];
        let rest = ["--entrypoint=", &name, &image, "sleep", "60"];
        podman(&lab, &[&options[..], &rest[..]].concat());
    };
    start("1");
    start(&other);

    // An archive that a killed save left is not taken for whole.
    let image = site.stage().join("nim+meta+llama3-70b-instruct+1.0.3.tar");
    let file = fs::File::options().write(true).open(image).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1024).unwrap();
    site.job(&lab, Launch)
        .assert(2, "(absent or damaged): submit setup.sh");
    let left = |job: &str| {
        let name = format!("--filter=name=^nim-slurm-{job}-");
        podman(&lab, &["ps", "--all", "--quiet", &name])
            .lines()
            .count()
    };
    assert_eq!([left(&id), left("1"), left(&other)], [0, 0, 1]);
    run(lab.command("scancel").arg(&other));
    podman(&lab, &["rm", "--all", "--force", "--time=0"]);
    // Gigabytes, which nobody needs any more.
    podman(&lab, &["rmi", "--all", "--force"]);
    fs::remove_dir_all(lab.folder().join("oci")).unwrap();
}

/// Images that were made for another runtime are not taken for this one's.
#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn images_of_another_runtime() {
    let lab = Lab::enter();
    let (site, _) = site("foreign_images", &small_recipe(), Runtime::Podman);
    site.put_images(&lab);
    site.put_model(&lab);
    site.job(&lab, Launch)
        .assert(2, "nvidia+tritonserver+25.01.tar (absent or damaged)");
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn apptainer_s_command_line() {
    let lab = Lab::enter();
    let (mut site, attacks) = site("apptainer", &small_recipe(), Runtime::Apptainer);
    // What a login shell left there changes nothing.
    site.set("APPTAINER_CONTAIN", "1");
    site.set("APPTAINER_PULLDIR", "/nowhere");
    site.set("DOCKER_USERNAME", "me");
    site.set("APPTAINERENV_NIM_MODEL_NAME", "/nowhere");
    site.set("LAB_NGC_ACCEPTS", SECRET);
    site.set("NGC_API_KEY", "wrong");
    site.job(&lab, Setup)
        .assert(1, "does not take the key in NGC_API_KEY");
    site.set("NGC_API_KEY", SECRET);
    let id = runs(&lab, &mut site, "apptainer", "sif", &attacks);
    let with_gpus = calls(&lab, &id, "apptainer");
    let with_gpus = with_gpus.iter().filter(|call| call.contains(" --nv "));
    assert_eq!(with_gpus.count(), 1, "the server alone has them");

    let image = site.stage().join("nim+meta+llama3-70b-instruct+1.0.3.sif");
    let file = fs::File::options().write(true).open(image).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    site.job(&lab, Launch)
        .assert(2, "(absent or damaged): submit setup.sh");
}
