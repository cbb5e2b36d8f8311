//! A golden test of one's own scripts: they stand in the repository, and a change of them is seen.
//!
//! `cargo run --example golden_scripts -- FOLDER` compares, and with `GOLDEN=overwrite` writes. In a project of your
//! own, `check` is called by a test.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use nim_slurm::slurm::Directives;
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("which folder?")?;
    // Written here, so that nobody's environment changes it.
    let slurm = Directives::new()
        .account("proj".parse()?)
        .partition("batch".parse()?)
        .gpus_per_node(8);
    let settings = Settings::new().with_slurm(slurm);
    let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings)?;
    check(&plan, Path::new(&folder))
}

/// Compares a plan's scripts with those of a folder.
fn check(plan: &Plan, folder: &Path) -> Result<(), Box<dyn Error>> {
    let overwrites = env::var("GOLDEN").is_ok_and(|word| word == "overwrite");
    if overwrites {
        fs::create_dir_all(folder)?;
    }
    for kind in ScriptKind::ALL {
        let (path, script) = (folder.join(kind.file_name()), plan.script(kind));
        if overwrites {
            fs::write(&path, script.text())?;
        }
        let says = |what: &str| format!("{}: {what}; GOLDEN=overwrite writes it", path.display());
        let golden = fs::read_to_string(&path).map_err(|error| says(&error.to_string()))?;
        if golden != script.text() {
            return Err(says("it is another script now").into());
        }
        println!("{} is as it was", path.display());
    }
    Ok(())
}
