//! The static binary for login nodes: small, and it needs nothing of the machine that it runs on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

use common::PROGRAM;

mod common;

const TARGET: &str = "x86_64-unknown-linux-musl";
const MOST_BYTES: u64 = 8 << 20;

/// Whether Rust's own library is there for the target, or can be had.
fn has_target() -> bool {
    let rustc = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .unwrap();
    let folder = String::from_utf8(rustc.stdout).unwrap();
    let is_there = fs::read_dir(folder.trim()).is_ok_and(|mut files| files.next().is_some());
    let add = || {
        Command::new("rustup")
            .args(["target", "add", TARGET])
            .status()
    };
    is_there || add().is_ok_and(|status| status.success())
}

/// Runs a program in a root that has nothing else.
fn in_root(root: &Path, words: &[&str]) -> Output {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = Command::new(if is_root { "chroot" } else { "unshare" });
    if !is_root {
        command.args(["--map-root-user", "chroot"]);
    }
    command.arg(root).args(words).env_clear();
    // For chroot itself: there is none of these folders inside.
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    command.env("PATH", path).output().unwrap()
}

#[test]
#[ignore = "builds for another target, which may have to be installed: run tests/run"]
fn an_empty_root_is_enough() {
    if !has_target() {
        eprintln!("NOT CHECKED: the static binary: rustup has no {TARGET} here");
        return;
    }
    // The README's command, for one processor.
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile=static",
            "--features=cli",
            "--target",
            TARGET,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.unwrap().success());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let binary = target.join(TARGET).join("static/nim-slurm");
    let bytes = fs::metadata(&binary).unwrap().len();
    println!("{bytes} bytes");
    assert!(bytes < MOST_BYTES, "{bytes} bytes");

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::copy(&binary, root.join("nim-slurm")).unwrap();
    // Another program misses its libc there.
    fs::copy(PROGRAM, root.join("dynamic")).unwrap();
    assert!(!in_root(&root, &["/dynamic", "--version"]).status.success());
    fs::remove_file(root.join("dynamic")).unwrap();

    for recipe in nim_slurm::Recipe::BUILT_IN {
        let flags = ["render", "--recipe", recipe, "--gres=gpu:8"];
        let output = in_root(
            &root,
            &[&["/nim-slurm"], &flags[..], &["/scripts"]].concat(),
        );
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        let place = folder.path().join("scripts");
        let mut own = Command::new(PROGRAM);
        let output = own.args(flags).arg(&place).env_clear().output().unwrap();
        assert!(output.status.success());
        for script in ["setup.sh", "prepare_models.sh", "launch.sh"] {
            let read = |folder: &Path| fs::read(folder.join(script)).unwrap();
            assert!(
                read(&root.join("scripts")) == read(&place),
                "{recipe}: {script}"
            );
        }
    }
    // What is missing there is said.
    let output = in_root(
        &root,
        &["/nim-slurm", "run", "--stage-path=/stage", "/scripts"],
    );
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("error    no sbatch on PATH"), "{error}");
}
