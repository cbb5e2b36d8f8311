//! Renders a script with nothing but what the crate exports.

use std::error::Error;

use nim_slurm::slurm::Directives;
use nim_slurm::{Plan, Recipe, ScriptKind, Settings};

/// What a program that renders in threads needs.
const fn is_sent_and_shared<T: Send + Sync>() {}
const _: () = {
    is_sent_and_shared::<Plan>();
    is_sent_and_shared::<Recipe>();
    is_sent_and_shared::<Settings>();
    is_sent_and_shared::<nim_slurm::Script>();
    is_sent_and_shared::<nim_slurm::PlanError>();
    is_sent_and_shared::<nim_slurm::FileError>();
};
#[cfg(feature = "all")]
const _: () = {
    is_sent_and_shared::<nim_slurm::results::Run>();
    is_sent_and_shared::<nim_slurm::SubmitError>();
};

fn main() -> Result<(), Box<dyn Error>> {
    let slurm = Directives::new()
        .partition("batch".parse()?)
        .account("proj".parse()?);
    let settings = Settings::new()
        .with_stage_path("/lustre/project/nim".parse()?)
        .with_slurm(slurm)
        .with_script_slurm(ScriptKind::Launch, Directives::new().gres("gpu:8".parse()?));
    for name in Recipe::BUILT_IN {
        let recipe = Recipe::built_in(name).ok_or("it is built in")?;
        let plan = Plan::new(recipe, settings.clone())?;
        for kind in ScriptKind::ALL {
            let script = plan.script(kind);
            assert!(script.text().contains("#SBATCH --partition=batch\n"));
            println!("{name}: {}, {} bytes", kind.file_name(), script.text().len());
        }
    }
    Ok(())
}
