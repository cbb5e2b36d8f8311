//! What `[cluster]` and `[hooks]` say, and the example settings of typical sites.

use std::fs;

use camino::Utf8PathBuf;
use nim_slurm::slurm::OptionName;
use nim_slurm::{HookPlace, Plan, Recipe, ScriptKind, Settings};

fn examples() -> Vec<Utf8PathBuf> {
    let entries = fs::read_dir("examples/settings").unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| Utf8PathBuf::from_path_buf(entry.unwrap().path()).unwrap())
        .filter(|path| path.extension() == Some("toml"))
        .collect();
    files.sort();
    files
}

fn plan(settings: &str) -> Result<Plan, String> {
    let settings = Settings::from_toml(settings).map_err(|error| error.to_string())?;
    Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).map_err(|error| error.to_string())
}

fn launch_option(plan: &Plan, name: OptionName) -> Option<String> {
    plan.directives(ScriptKind::Launch).get(name)
}

#[test]
fn example_settings_go_with_every_recipe() {
    let files = examples();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        let settings = Settings::read(file).unwrap();
        for name in Recipe::BUILT_IN {
            let plan = Plan::new(Recipe::built_in(name).unwrap(), settings.clone())
                .unwrap_or_else(|error| panic!("{file}, {name}: {error}"));
            for kind in ScriptKind::ALL {
                assert!(plan.script(kind).text().len() > 1000);
            }
        }
    }
}

#[test]
fn example_settings_ask_for_gpus_each_in_its_way() {
    let option = |file: &str, name| {
        let settings = Settings::read(format!("examples/settings/{file}.toml")).unwrap();
        let plan = Plan::new(Recipe::llama3_70b_h100x4_fp8(), settings).unwrap();
        launch_option(&plan, name)
    };
    assert_eq!(
        option("exclusive-nodes", OptionName::Gres).as_deref(),
        Some("gpu:h100:8")
    );
    assert_eq!(
        option("exclusive-nodes", OptionName::Mem).as_deref(),
        Some("0")
    );
    assert_eq!(
        option("shared-nodes", OptionName::GpusPerNode).as_deref(),
        Some("4")
    );
    assert_eq!(option("shared-nodes", OptionName::Exclusive), None);
    assert_eq!(
        option("shared-nodes", OptionName::Mem).as_deref(),
        Some("480G")
    );
    for name in [OptionName::Gres, OptionName::GpusPerNode] {
        assert_eq!(option("closed-network", name), None);
    }
}

#[test]
fn an_option_wins_over_the_cluster() {
    let cluster = "[cluster]\ngpus = 'gres'\nnodes = 'shared'\n";
    let own = plan(&format!(
        "{cluster}[slurm.launch]\ngpus_per_node = 8\nmem = '100G'"
    ))
    .unwrap();
    assert_eq!(launch_option(&own, OptionName::Gres), None);
    assert_eq!(
        launch_option(&own, OptionName::GpusPerNode).as_deref(),
        Some("8")
    );
    assert_eq!(
        launch_option(&own, OptionName::Mem).as_deref(),
        Some("100G")
    );
    // Without one, all memory of a node is not asked for where others have their share.
    let shared = plan(cluster).unwrap();
    assert_eq!(launch_option(&shared, OptionName::Mem), None);
    let of_setup = shared.directives(ScriptKind::Setup);
    assert_eq!(of_setup.get(OptionName::Mem).as_deref(), Some("16G"));
    assert_eq!(of_setup.get(OptionName::Gres), None);
}

#[test]
fn where_the_cluster_s_options_come_from() {
    let plan = plan("cluster = { gpus = 'gres', nodes = 'shared' }").unwrap();
    let told: Vec<_> = plan
        .explain(ScriptKind::Launch, [("HOME", "/root")])
        .iter()
        .map(ToString::to_string)
        .collect();
    for line in [
        "--gres=gpu:4 ([cluster] of the settings)",
        "--mem is left out ([cluster] of the settings)",
    ] {
        assert!(told.iter().any(|told| told == line), "{told:?}");
    }
}

#[test]
fn what_the_cluster_cannot_mean() {
    for (settings, sentence) in [
        (
            "cluster = { gpu_type = 'h100' }",
            "[cluster] of the settings has gpu_type, which needs gpus = \"gres\" or \"gpus_per_node\"",
        ),
        (
            "cluster = { gpus = 'none', gpus_on_node = 8 }",
            "[cluster] of the settings has gpus_on_node, which needs gpus = \"gres\" or \"gpus_per_node\"",
        ),
        (
            "cluster = { gpus = 'gres', gpus_on_node = 2 }",
            "launch.sh asks for 2 GPUs with --gres ([cluster] of the settings), but the recipe's server uses 4: ask for 4 at least",
        ),
        (
            "cluster = { gpus = 'gres', gpus_on_node = 8, nodes = 'shared' }",
            "[cluster] of the settings has gpus_on_node = 8 and nodes = \"shared\": each job would ask for 8 GPUs, \
             whatever its server uses. Leave gpus_on_node out, and it asks for as many as the server uses",
        ),
        (
            "cluster = { gpus = 'gres', gpu_type = 'gpu' }",
            "cannot take \"gpu\" as GPU type: \"gpu\" is the resource: a type is allowed, as in h100",
        ),
        (
            "cluster.proxy.https = 'http://me:secret@proxy.site:3128'",
            "a script is no place for a password: export https_proxy in the shell that submits",
        ),
        (
            "cluster = { modules = ['-t avail'] }",
            "unexpected character ' ' in module \"-t avail\"",
        ),
        (
            "cluster = { enroot_temp_path = '$TMPDIR' }",
            "unexpected character '$' in folder \"$TMPDIR\"",
        ),
        (
            "hooks = { lunch = {} }",
            "unknown key \"lunch\": perhaps launch is meant",
        ),
    ] {
        let error = plan(settings).unwrap_err();
        assert!(error.contains(sentence), "{settings}: {error}");
    }
}

#[test]
fn hooks_are_files_beside_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let file = folder.join("site.toml");
    fs::write(&file, "[hooks]\nserver = 'lines.sh'\n").unwrap();
    let error = Settings::read(&file).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "settings file {file}: line 2, column 10: server: hook file {folder}/lines.sh cannot be read: No such file or directory \
             (os error 2)\n  2 | server = 'lines.sh'"
        )
    );
    fs::write(&file, "[hooks]\nserver = '/dev/zero'\n").unwrap();
    assert!(
        Settings::read(&file).is_err(),
        "an endless file is given up"
    );
    fs::write(&file, "[hooks]\nserver = 'lines.sh'\n").unwrap();
    fs::write(folder.join("lines.sh"), "export A=1\r\n").unwrap();
    let error = Settings::read(&file).unwrap_err().to_string();
    assert!(
        error.contains(&format!(
            "server: hook file {folder}/lines.sh, line 1: unexpected character '\\r'"
        )),
        "{error}"
    );
    fs::write(folder.join("lines.sh"), "export A=1\n").unwrap();
    let settings = Settings::read(&file).unwrap();
    assert_eq!(
        settings.hook(HookPlace::InServer).unwrap().as_str(),
        "export A=1"
    );
    assert_eq!(settings.hook(HookPlace::InClient), None);
    // All at once, each with its line. The text need not be that of a file.
    let text = "[hooks]\nserver = ''\n[hooks.launch]\nafter = 'gone.sh'\nbefore = 'two.sh'\n[hooks.setup]\n\
                before = 'lines.sh'\n";
    fs::write(folder.join("two.sh"), "a\n#SBATCH -N 2\n").unwrap();
    let error = Settings::from_toml_at(text, &file).unwrap_err();
    let mistakes = error.mistakes().iter();
    let mistakes: Vec<_> = mistakes
        .map(|own| (own.line(), own.column(), own.message().to_owned()))
        .collect();
    assert_eq!(error.path(), Some(file.as_path()));
    assert_eq!(
        mistakes,
        [
            (
                Some(2),
                Some(10),
                "server: the path is empty: a file with lines of bash is expected".to_owned()
            ),
            (
                Some(4),
                Some(9),
                format!(
                    "launch.after: hook file {folder}/gone.sh cannot be read: No such file or directory (os error 2)"
                )
            ),
            (
                Some(5),
                Some(10),
                format!(
                    "launch.before: hook file {folder}/two.sh: cannot take \"a\\n#SBATCH -N 2\\n\" as hook: line 2 begins with \
                     #SBATCH, which sbatch would read as options of the job"
                )
            ),
        ]
    );
}
