//! A script on disk is whole or not there, and what was there is kept.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{env, fs};

use camino::{Utf8Path, Utf8PathBuf};
use nim_slurm::{Plan, Recipe, Script, Settings};

fn script() -> Script {
    Plan::new(Recipe::llama3_70b_h100x4_fp8(), Settings::new())
        .unwrap()
        .setup()
}

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    (folder, path)
}

fn names(folder: &Utf8Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_executable() {
    let (_guard, folder) = folder();
    let written = script().write_to(folder.join("deep/er")).unwrap();
    assert_eq!((written.unchanged, &written.backup), (false, &None));
    assert_eq!(fs::read_to_string(&written.path).unwrap(), script().text());
    assert_eq!(
        fs::metadata(&written.path).unwrap().permissions().mode() & 0o100,
        0o100
    );
    assert_eq!(names(&folder.join("deep/er")), ["setup.sh"]);
}

/// Who could write to a script would run what they like as the user.
#[test]
fn nobody_else_may_write() {
    if let Some(folder) = env::var_os("NIM_SLURM_WRITE_TO") {
        // In a process of its own, since all threads share the umask.
        let folder = Utf8PathBuf::from_path_buf(folder.into()).unwrap();
        script().write_to(folder).unwrap();
        return;
    }
    for (umask, expected) in [
        ("000", 0o755),
        ("002", 0o755),
        ("027", 0o750),
        ("077", 0o700),
    ] {
        let (_guard, folder) = folder();
        let status = Command::new("sh")
            .args(["-c", "umask \"$1\" && shift && exec \"$0\" \"$@\""])
            .arg(env::current_exe().unwrap())
            .args([umask, "--exact", "nobody_else_may_write"])
            .env("NIM_SLURM_WRITE_TO", folder.join("new"))
            .status()
            .unwrap();
        assert!(status.success());
        for path in [folder.join("new"), folder.join("new/setup.sh")] {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, expected, "{path} with umask {umask}: {mode:o}");
        }
    }
}

/// Who has a file open for writing keeps it open, whatever becomes of its mode.
#[test]
fn nobody_else_may_write_meanwhile() {
    if let Some(folder) = env::var_os("NIM_SLURM_WRITE_TO") {
        let folder = Utf8PathBuf::from_path_buf(folder.into()).unwrap();
        script().write_to(folder).unwrap();
        return;
    }
    let (_guard, folder) = folder();
    // A file of any size ends the process, which leaves the part as it was made.
    let ended = Command::new("sh")
        .args([
            "-c",
            "umask 000 && ulimit -c 0 && ulimit -f 0 && exec \"$0\" \"$@\"",
        ])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "nobody_else_may_write_meanwhile"])
        .env("NIM_SLURM_WRITE_TO", &folder)
        .output()
        .unwrap();
    assert!(!ended.status.success());
    let [part] = &names(&folder)[..] else {
        panic!("{ended:?}: {:?}", names(&folder))
    };
    let mode = fs::metadata(folder.join(part))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7022, 0, "{part}: {mode:o}");
}

/// A system may allow no second name of another's link; its copy would be read by others.
#[test]
#[ignore = "needs root: run tests/run"]
fn a_link_of_another_is_not_copied() {
    const USER: u32 = 12345;
    if let Some(folder) = env::var_os("NIM_SLURM_WRITE_TO") {
        let folder = Utf8PathBuf::from_path_buf(folder.into()).unwrap();
        script().write_to(folder).unwrap();
        return;
    }
    let protected = fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap();
    assert_eq!(protected.trim(), "1", "this system allows such links");
    let (_guard, folder) = folder();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let (own, test) = (folder.join("own"), folder.join("test"));
    fs::create_dir(&own).unwrap();
    fs::copy(env::current_exe().unwrap(), &test).unwrap();
    fs::write(own.join("secret"), "key").unwrap();
    fs::set_permissions(own.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    // The link is root's, all else the user's.
    for path in [&own, &own.join("secret")] {
        std::os::unix::fs::chown(path, Some(USER), Some(USER)).unwrap();
    }
    std::os::unix::fs::symlink("secret", own.join("setup.sh")).unwrap();
    let status = Command::new(&test)
        .args(["--exact", "a_link_of_another_is_not_copied", "--ignored"])
        .env("NIM_SLURM_WRITE_TO", &own)
        .uid(USER)
        .gid(USER)
        .status()
        .unwrap();
    assert!(status.success());
    assert!(own.join("setup.sh.bak-1").is_symlink());
    assert_eq!(names(&own), ["secret", "setup.sh", "setup.sh.bak-1"]);
}

#[test]
fn the_same_bytes_are_left_alone() {
    let (_guard, folder) = folder();
    script().write_to(&folder).unwrap();
    let before = fs::metadata(folder.join("setup.sh"))
        .unwrap()
        .modified()
        .unwrap();
    let written = script().write_to(&folder).unwrap();
    assert!(written.unchanged);
    assert_eq!(
        fs::metadata(folder.join("setup.sh"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
    assert_eq!(names(&folder), ["setup.sh"]);
}

/// As in a folder that is read-only, or on a full disk.
#[test]
fn nothing_is_written_to_leave_the_same_bytes_alone() {
    let (_guard, folder) = folder();
    script().write_to(&folder).unwrap();
    let changed = || fs::metadata(&folder).unwrap().modified().unwrap();
    let before = changed();
    // Longer than a step of the file system's clock.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(script().write_to(&folder).unwrap().unchanged);
    assert_eq!(changed(), before);
}

/// Each text that was written is in a file.
#[test]
fn threads_write_to_one_folder() {
    let script = |minutes: u32| {
        let settings = Settings::from_toml(&format!("slurm.setup.time = {minutes}")).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        plan.setup()
    };
    let scripts: Vec<_> = (1..9).map(|number| script(number / 2 + 1)).collect();
    for _ in 0..30 {
        let (_guard, folder) = folder();
        let folder = folder.join("new");
        std::thread::scope(|scope| {
            for script in &scripts {
                scope.spawn(|| script.write_to(&folder).unwrap());
            }
        });
        let texts = names(&folder).into_iter().map(|name| {
            assert!(name.starts_with("setup.sh"), "{name}");
            fs::read_to_string(folder.join(name)).unwrap()
        });
        let texts: std::collections::BTreeSet<_> = texts.collect();
        let written = scripts.iter().map(|script| script.text().to_owned());
        assert_eq!(texts, written.collect());
    }
}

/// Who else may write to what is there could change it once it is looked at.
#[test]
fn the_same_bytes_of_another_are_written_anew() {
    let (_guard, folder) = folder();
    let path = folder.join("setup.sh");
    let is_own_now = || {
        let there = fs::symlink_metadata(&path).unwrap();
        there.is_file() && there.permissions().mode() & 0o777 == 0o755
    };
    for mode in [0o775, 0o757, 0o777] {
        script().write_to(&folder).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let written = script().write_to(&folder).unwrap();
        assert_eq!((written.unchanged, written.backup), (false, None));
        assert!(is_own_now(), "{mode:o}");
    }
    assert_eq!(names(&folder), ["setup.sh"]);

    // A link is kept, and the file that it leads to stays as it is.
    fs::rename(&path, folder.join("other")).unwrap();
    std::os::unix::fs::symlink("other", &path).unwrap();
    let written = script().write_to(&folder).unwrap();
    let backup = folder.join("setup.sh.bak-1");
    assert_eq!((written.unchanged, &written.backup), (false, &Some(backup)));
    assert!(is_own_now());
    assert_eq!(names(&folder), ["other", "setup.sh", "setup.sh.bak-1"]);

    // Only root can give a file away.
    fs::remove_file(folder.join("setup.sh.bak-1")).unwrap();
    if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
        assert!(!script().write_to(&folder).unwrap().unchanged);
        let owner = |path: &Utf8Path| fs::metadata(path).map(|there| there.uid()).unwrap();
        assert_eq!(owner(&path), owner(&folder));
    }
}

#[test]
fn other_bytes_are_kept() {
    let (_guard, folder) = folder();
    for number in 1..=3 {
        fs::write(folder.join("setup.sh"), format!("mine {number}")).unwrap();
        let written = script().write_to(&folder).unwrap();
        let backup = written.backup.unwrap();
        assert_eq!(backup, folder.join(format!("setup.sh.bak-{number}")));
        assert_eq!(
            fs::read_to_string(backup).unwrap(),
            format!("mine {number}")
        );
        assert_eq!(
            fs::read_to_string(folder.join("setup.sh")).unwrap(),
            script().text()
        );
    }
    assert_eq!(
        fs::read_to_string(folder.join("setup.sh.bak-1")).unwrap(),
        "mine 1"
    );
}

#[test]
fn the_same_bytes_are_kept_once() {
    let (_guard, folder) = folder();
    let other = script().text().replace("00:45:00", "00:46:00");
    for _ in 0..3 {
        fs::write(folder.join("setup.sh"), &other).unwrap();
        let written = script().write_to(&folder).unwrap();
        assert_eq!(written.backup, Some(folder.join("setup.sh.bak-1")));
    }
    assert_eq!(names(&folder), ["setup.sh", "setup.sh.bak-1"]);

    // A link to the file itself is no copy of it.
    fs::write(folder.join("setup.sh"), "mine").unwrap();
    std::os::unix::fs::symlink("setup.sh", folder.join("setup.sh.bak-2")).unwrap();
    let written = script().write_to(&folder).unwrap();
    let backup = written.backup.unwrap();
    assert_eq!(backup, folder.join("setup.sh.bak-3"));
    assert_eq!(fs::read_to_string(backup).unwrap(), "mine");
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let (_guard, folder) = folder();
    fs::write(folder.join("precious"), "do not touch").unwrap();
    std::os::unix::fs::symlink("precious", folder.join("setup.sh")).unwrap();
    script().write_to(&folder).unwrap();
    assert_eq!(
        fs::read_to_string(folder.join("precious")).unwrap(),
        "do not touch"
    );
    assert!(!folder.join("setup.sh").is_symlink());
    assert!(folder.join("setup.sh.bak-1").is_symlink());
}

#[test]
fn a_half_written_file_is_not_trusted() {
    let (_guard, folder) = folder();
    let pid = std::process::id();
    std::os::unix::fs::symlink("elsewhere", folder.join(format!(".setup.sh.{pid}-0.part")))
        .unwrap();
    script().write_to(&folder).unwrap();
    assert!(!folder.join("elsewhere").exists());
    assert_eq!(
        fs::read_to_string(folder.join("setup.sh")).unwrap(),
        script().text()
    );
}

#[test]
fn a_failure_keeps_what_is_there() {
    let (_guard, folder) = folder();
    fs::create_dir(folder.join("setup.sh")).unwrap();
    let error = script().write_to(&folder).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write {folder}/setup.sh: what is there is no regular file")
    );
    let reason =
        |error: &nim_slurm::WriteError| std::error::Error::source(error).unwrap().to_string();
    assert_eq!(reason(&error), "it is a folder");
    assert_eq!(names(&folder), ["setup.sh"]);
    fs::write(folder.join("file"), "").unwrap();
    let error = script().write_to(folder.join("file")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write {folder}/file/setup.sh: cannot make the folder")
    );
    let words = format!("{folder}/file is there and is no folder: name another one");
    assert_eq!(reason(&error), words);
    // Not even in the current folder.
    let error = script().write_to("").unwrap_err();
    assert_eq!(error.to_string(), "cannot write \"\"");
    let words = "the path is empty: . is the current folder";
    assert_eq!(reason(&error), words);
    assert!(!Utf8Path::new("setup.sh").exists());
}
