//! All mistakes of a recipe or settings file are told at once, each with its line and value.

use nim_slurm::{FileErrorKind, Recipe, Settings};

const REFERENCE: &str = include_str!("../src/recipe/llama3-70b-h100x4-fp8.toml");

/// What is told of a recipe, a line each.
fn of_recipe(text: &str) -> Vec<String> {
    told(&Recipe::from_toml(text).unwrap_err())
}

fn of_settings(text: &str) -> Vec<String> {
    told(&Settings::from_toml(text).unwrap_err())
}

fn told(error: &nim_slurm::FileError) -> Vec<String> {
    let mistakes = error.mistakes().iter().map(|mistake| {
        let line = mistake.line().unwrap();
        format!("{line}: {}", mistake.message())
    });
    mistakes.collect()
}

#[track_caller]
fn begin_with(told: &[String], starts: &[&str]) {
    let is_so = told.len() == starts.len()
        && told
            .iter()
            .zip(starts)
            .all(|(own, start)| own.starts_with(start));
    assert!(is_so, "{told:#?}\nshould begin with\n{starts:#?}");
}

#[test]
fn of_a_recipe() {
    let text = r#"nam = "my-recipe"
result_name = "a b"
[server]
image = "vllm/vllm-openai:"
gpu = 4
gpus = 0
command = "vllm serve"
[sever]
x = { y = 1 }
[[server.variants]]
nme = "a"
[model.weights]
hugging_face = "Qwen/Qwen3@main"
size = "1 GG"
[model.engine]
ngc = "a"
[client]
image = "nvcr.io/nvidia/tritonserver:25.01-py3-sdk"
tool = { aiprf = "1" }
goodput = { time_to_first_token = "x" }
[sweep]
use_cases = ["chat:128/128", "x", "y"]
concurrency = [1, 0]
array = "usecase"
[slurm]
output = "x"
[slurm.lanch]
time = "1h"
[slurm.launch]
time = "1h"
mem_ = 1
"#;
    begin_with(
        &of_recipe(text),
        &[
            "1: unknown key \"nam\": perhaps name is meant",
            "2: unexpected character ' ' in result name \"a b\"",
            "3: the key served_model_name is missing",
            "4: cannot take \"vllm/vllm-openai:\" as image",
            "5: unknown key \"gpu\": perhaps gpus is meant",
            "6: invalid value: integer `0`, expected a whole number from 1",
            "7: invalid type: string \"vllm serve\", expected a list in brackets: write [\"vllm\", \"serve\"]",
            "8: unknown key \"sever\": perhaps server is meant",
            "11: unknown key \"nme\": perhaps name is meant",
            "12: the key files is missing",
            "13: cannot take \"Qwen/Qwen3@main\" as Hugging Face model",
            "14: cannot take \"1 GG\" as size",
            "15: the key files is missing",
            "15: the key size is missing",
            "16: cannot take \"a\" as NGC model",
            "19: unknown word \"aiprf\": perhaps aiperf is meant",
            "20: unexpected character 'x' in number of milliseconds",
            "22: cannot take \"x\" as use case",
            "22: cannot take \"y\" as use case",
            "23: invalid value: integer `0`",
            "24: unknown word \"usecase\": perhaps use_case is meant",
            "26: the recipe sets --output, which is for settings and flags",
            "27: unknown key \"lanch\": perhaps launch is meant",
            "30: unexpected character 'h' in time limit \"1h\"",
            "31: unknown key \"mem_\": perhaps mem is meant",
        ],
    );
    let error = Recipe::from_toml(text).unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Content);
    assert_eq!(error.mistakes()[3].value(), Some("\"vllm/vllm-openai:\""));
    let shown = error.to_string();
    assert!(
        shown.starts_with("recipe: 25 mistakes\nline 1, column 1: unknown key"),
        "{shown}"
    );
    assert!(
        shown.contains("\n  22 | use_cases = [\"chat:128/128\", \"x\", \"y\"]\n"),
        "{shown}"
    );
}

/// A mistyped key is not missing, too, at no level.
#[test]
fn a_mistyped_key_is_one_mistake() {
    for (right, mistyped, told) in [
        (
            "[sweep]",
            "[sweeps]",
            "unknown key \"sweeps\": perhaps sweep is meant",
        ),
        (
            "[server]",
            "[servers]",
            "unknown key \"servers\": perhaps server is meant",
        ),
        (
            "\nconcurrency =",
            "\nconcurrencies =",
            "unknown key \"concurrencies\": perhaps concurrency is meant",
        ),
        (
            "\nsize = \"131",
            "\nsizes = \"131",
            "unknown key \"sizes\": perhaps size is meant",
        ),
        (
            "\ngpus = 4",
            "\ngpu = 4",
            "unknown key \"gpu\": perhaps gpus is meant",
        ),
    ] {
        let (before, _) = REFERENCE.split_once(right).unwrap();
        let line = 1 + before.matches('\n').count() + usize::from(right.starts_with('\n'));
        let text = REFERENCE.replacen(right, mistyped, 1);
        assert_eq!(of_recipe(&text), [format!("{line}: {told}")]);
    }
    // What else is missing is told.
    let text = REFERENCE.replacen("[sweep]", "[sweeps]", 1);
    let text = text.replacen("\ngpus = 4", "", 1);
    begin_with(
        &of_recipe(&text)
            .iter()
            .map(|own| own.split_once(": ").unwrap().1.to_owned())
            .collect::<Vec<_>>(),
        &["the key gpus is missing", "unknown key \"sweeps\""],
    );
}

#[test]
fn one_value_where_a_list_is_expected() {
    for (list, given, told) in [
        (
            "concurrency = [",
            "concurrency = 8",
            "invalid type: integer `8`, expected a list in brackets: write [8]",
        ),
        (
            "concurrency = [",
            "concurrency = '1,2'",
            "invalid type: string \"1,2\", expected a list in brackets: write [1, 2]",
        ),
        (
            "concurrency = [",
            "concurrency = '1 2'",
            "invalid type: string \"1 2\", expected a list in brackets: write [1, 2]",
        ),
        (
            "use_cases = [",
            "use_cases = 'chat:128/128'",
            "invalid type: string \"chat:128/128\", expected a list in brackets: write [\"chat:128/128\"]",
        ),
        (
            "use_cases = [",
            "use_cases = [{ name = 'a', input = 1, output = 1, request_rate = 2.5 }]",
            "invalid type: number `2.5`, expected a list in brackets: write [2.5]",
        ),
        (
            "use_cases = [",
            "use_cases = { name = 'a' }",
            "invalid type: table, expected a list in brackets: write [{ name = 'a' }]",
        ),
        (
            "command = [",
            "command = 'vllm serve --port 8000'",
            "invalid type: string \"vllm serve --port 8000\", expected a list in brackets: write [\"vllm\", \"serve\", ...]",
        ),
    ] {
        let start = REFERENCE.find(&format!("\n{list}")).unwrap() + 1;
        let end = start + REFERENCE[start..].find("]\n").unwrap() + 1;
        let text = format!("{}{given}{}", &REFERENCE[..start], &REFERENCE[end..]);
        let line = 1 + REFERENCE[..start].matches('\n').count();
        assert_eq!(of_recipe(&text), [format!("{line}: {told}")]);
    }
}

/// What is in it is not told as well.
#[test]
fn a_list_where_one_value_is_expected() {
    let text = "[[slurm]]\npartition = 'batch'\n";
    assert_eq!(
        of_settings(text),
        ["1: invalid type: list, expected a table of sbatch's options"]
    );
    let text = "[slurm]\npartition = ['batch', '']\n";
    assert_eq!(
        of_settings(text),
        ["2: invalid type: list, expected a value for --partition, or false to leave it out"]
    );
}

/// What only several keys together show is told beside what is wrong with each.
#[test]
fn of_keys_together() {
    let weights = |own: &str| {
        let start = REFERENCE.find("ngc = \"nim").unwrap();
        let end = REFERENCE.find("# Optional: the engine").unwrap();
        of_recipe(&format!(
            "{}{own}\n{}",
            &REFERENCE[..start],
            &REFERENCE[end..]
        ))
    };
    let line = 1 + REFERENCE[..REFERENCE.find("[model.weights]").unwrap()]
        .matches('\n')
        .count();
    let source = format!("{line}: weights have one source: ngc, hugging_face or path");
    begin_with(&weights("size = '1 GB'\nfiles = []"), &[&source]);
    let two = "path = '/a'\nngc = 'a/b:c'\nsize = '1 GB'\nfiles = []";
    begin_with(&weights(two), &[&source]);
    let size = format!("{}: cannot take \"1\" as size", line + 1);
    begin_with(&weights("size = '1'\nfiles = []"), &[&source, &size]);
    let exclude = format!("{line}: exclude is for weights from hugging_face");
    begin_with(
        &weights("path = '/a'\nexclude = ['a']\nsize = '1 GB'\nfiles = []"),
        &[&exclude],
    );
    begin_with(
        &of_settings(
            "slurm.switches = '1'\nslurm.passthrough = ['--switches=2']\nstage_path = 'x'",
        ),
        &[
            "1: --switches is set twice",
            "3: cannot take \"x\" as stage path",
        ],
    );
}

#[test]
fn of_settings_at_each_level() {
    let text = r#"stage = "/x"
stage_path = "x"
[container]
runtime = "pixis"
mounts = ["/a:/b", "c", "d"]
registries = { "nvcr.io" = "m m" }
[cluster]
slurm = "1"
proxy = { htps = "x", http = "y" }
[slurm]
partition = "a b"
partiton = "x"
gres = true
passthrough = ["--new=1", "--x y", "-3"]
[slurm.launch]
time = 1.5
[hooks]
server = 3
lanch = {}
[hooks.launch]
bfore = "x"
"#;
    begin_with(
        &of_settings(text),
        &[
            "1: unknown key \"stage\": allowed are stage_path, slurm",
            "2: cannot take \"x\" as stage path",
            "4: unknown word \"pixis\": perhaps pyxis is meant",
            "5: cannot take \"c\" as mount",
            "5: cannot take \"d\" as mount",
            "6: unexpected character ' ' in registry \"m m\"",
            "8: cannot take \"1\" as release of Slurm",
            "9: unknown key \"htps\": perhaps https is meant",
            "9: cannot take \"y\" as proxy",
            "11: unexpected character ' ' in partition \"a b\"",
            "12: unknown key \"partiton\": perhaps partition is meant",
            "13: --gres needs a value",
            "14: cannot take \"--x y\" as passed-through option",
            "14: cannot take \"-3\" as passed-through option",
            "16: invalid type: number `1.5`",
            "18: invalid type: integer `3`, expected a path",
            "19: unknown key \"lanch\": perhaps launch is meant",
            "21: unknown key \"bfore\": perhaps before is meant",
        ],
    );
}

/// Whatever is broken, alone or with others, each line of it is named and no other.
#[test]
fn each_broken_line_is_named() {
    let is_setting = |line: &&str| {
        let (key, value) = line.split_once(" = ").unwrap_or_default();
        !key.is_empty() && !key.starts_with('#') && !value.ends_with('[')
    };
    let all: Vec<_> = REFERENCE.lines().collect();
    let settings = (0..all.len()).filter(|&number| is_setting(&all[number]));
    let settings: Vec<_> = settings.collect();
    assert!((30..=50).contains(&settings.len()), "{}", settings.len());
    let broken = |numbers: &[usize]| {
        let mut lines: Vec<_> = all.iter().map(ToString::to_string).collect();
        for &number in numbers {
            let (key, _) = all[number].split_once(" = ").unwrap();
            lines[number] = format!("{key} = 1979-05-27"); // no value is a date
        }
        let error = Recipe::from_toml(&lines.join("\n")).unwrap_err();
        let mistakes = error.mistakes().iter();
        let named: Vec<_> = mistakes
            .map(|mistake| mistake.line().unwrap() - 1)
            .collect();
        assert_eq!(named, numbers, "{error}");
    };
    broken(&settings);
    for (place, &number) in settings.iter().enumerate() {
        broken(&[number]);
        if let Some(&other) = settings.get(place + 7) {
            broken(&[number, other]);
        }
    }
}

#[test]
fn of_what_is_no_toml() {
    let error = Settings::from_toml("a = [\nb = \n c = 3 x\n\n[slurm\n").unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Syntax);
    assert!(error.mistakes().len() > 1, "{error}");
    let mut lines: Vec<_> = error
        .mistakes()
        .iter()
        .map(nim_slurm::FileMistake::line)
        .collect();
    assert!(lines.is_sorted());
    lines.dedup();
    assert_eq!(
        lines.len(),
        error.mistakes().len(),
        "one for each line: {error}"
    );
    for (text, told) in [
        (
            "[srun]\nmpi = 'a'\nmpi = 'b'\n",
            "3: the key mpi is there twice: leave one out",
        ),
        (
            "[srun]\nmpi = 'a',\n",
            "2: the line should end here: only a comment, # ..., may follow",
        ),
        (
            "[srun]\nmpi 'a'\n",
            "2: the key has no value: write KEY = VALUE",
        ),
        (
            "[srun]\nmpi = pmix\n",
            "2: a text needs quotes: write \"pmix\"",
        ),
        ("[srun]\nmpi = \"pmix\n", "2: the text has no closing quote"),
    ] {
        assert_eq!(of_settings(text), [told]);
    }
}

/// What is wrong in `[slurm.launch]` is not said of `[slurm.setup]`, the first header with `slurm`.
#[test]
fn of_a_table_beside_another() {
    let text = REFERENCE.replacen("[slurm.launch]", "[slurm.launch]\npartition = 'a'", 1);
    let (before, _) = text.split_once("\npartition").unwrap();
    let line = before.matches('\n').count() + 2;
    begin_with(
        &of_recipe(&text),
        &[&format!("{line}: the recipe sets --partition")],
    );
}

/// A file of others may be as long as it wants; what is told of it is not.
#[test]
fn of_a_long_file() {
    let start = std::time::Instant::now();
    let is_short = |text: &str| {
        let error = Recipe::from_toml(text).unwrap_err();
        let shown = error.to_string();
        assert!(
            !error.mistakes().is_empty() && shown.len() < 20_000,
            "{}",
            shown.len()
        );
    };
    is_short(&format!("x = [{}]\n{REFERENCE}", "0, ".repeat(100_000)));
    is_short(&format!("{} = 0\n{REFERENCE}", "x".repeat(100_000)));
    let concurrency = format!("concurrency = [{}0]", "1, ".repeat(100_000));
    is_short(&REFERENCE.replace("concurrency = [1, 25, 50, 100]", &concurrency));
    let port = format!("port = '{}'", "8".repeat(100_000));
    is_short(&REFERENCE.replace("port = 8000", &port));
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

/// To open a FIFO waits for a writer, who may never come.
#[cfg(unix)]
#[test]
fn a_fifo_in_a_file_s_place_holds_nobody_up() {
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};
    use std::sync::mpsc;
    use std::time::Duration;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo.toml");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let path = path.to_str().unwrap().to_owned();
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        say.send(Recipe::read(&path).map(|_| ())).unwrap();
        say.send(Settings::read(&path).map(|_| ())).unwrap();
    });
    for _ in 0..2 {
        let error = said.recv_timeout(Duration::from_secs(20)).unwrap();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), FileErrorKind::Read);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "it is a named pipe: a file is read, or /dev/stdin");
    }
    // A pipe that this program was given is read.
    if std::path::Path::new("/dev/fd").exists() {
        let mut cat = Command::new("sh")
            .args(["-c", "sleep 0.2; echo 'stage_path = \"/x\"'"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = cat.stdout.take().unwrap();
        let settings = Settings::read(format!("/dev/fd/{}", pipe.as_raw_fd())).unwrap();
        assert_eq!(settings.stage_path().unwrap().as_str(), "/x");
        cat.wait().unwrap();
    }
}

/// An own option of the client is refused at its own place, also where the word before it decides.
#[test]
fn of_own_options() {
    let head = REFERENCE.find("[sweep]").unwrap();
    let (before, after) = REFERENCE.split_at(head);
    let recipe = format!(
        "{before}options = [\n  \"--extra-inputs\", \"max_tokens:5\",\n  \"--concurrency\", \"8\",\n]\n{after}"
    );
    let line = before.matches('\n').count() + 2;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, &recipe).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(
        Recipe::read(path).unwrap_err().to_string(),
        format!(
            "recipe file {path}: 2 mistakes\n\
             line {line}, column 21: cannot take \"max_tokens:5\" as option of the client: max_tokens: the recipe's \
             sweep.use_cases decides that; leave it out here\n  \
             {line} |   \"--extra-inputs\", \"max_tokens:5\",\n\
             line {}, column 3: cannot take \"--concurrency\" as option of the client: the recipe's sweep.concurrency \
             decides that; leave it out here\n  \
             {} |   \"--concurrency\", \"8\",",
            line + 1,
            line + 1,
        )
    );
    assert_eq!(
        of_recipe(&format!("{before}options = '--verbose'\n{after}")).len(),
        1
    );
}

/// What a program says whose `main` returns `Result<(), Box<dyn Error>>`.
#[test]
fn main_prints_sentences() {
    let said = |error: Box<dyn std::error::Error>| format!("{error:?}");
    let settings = nim_slurm::Settings::from_toml("slurm.launch.gres = 'gpu:2'").unwrap();
    let error =
        nim_slurm::Plan::new(nim_slurm::Recipe::llama3_70b_h100x4_fp8(), settings).unwrap_err();
    let text = error.to_string();
    assert_eq!(said(error.into()), text);

    let error = nim_slurm::Settings::from_toml("slurm.partition = 'a b'").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("unexpected character ' ' in partition"),
        "{text}"
    );
    assert_eq!(said(error.into()), text);

    let error = nim_slurm::Load::parse("x").unwrap_err();
    let text = error.to_string();
    assert_eq!(said(error.into()), text);

    let error = nim_slurm::Recipe::read("/no/such/recipe.toml").unwrap_err();
    let text = said(error.into());
    let reason = "cannot read recipe file /no/such/recipe.toml: No such file";
    assert!(text.starts_with(reason), "{text}");

    // A text of others moves no cursor.
    let error = nim_slurm::SubmitError::Unanswered {
        script: "launch.sh".into(),
        message: "\u{1b}[2Jwell".to_owned(),
    };
    let text = said(error.into());
    assert!(text.contains("\\u{1b}[2Jwell"), "{text}");
}

/// A time without quotes is none of TOML's, or one that sbatch would not take as it is.
#[test]
fn a_time_without_quotes() {
    for time in [
        "2:00:00",
        "02:00:00",
        "20:00",
        "1-02:00:00",
        "30:00",
        "1:30",
    ] {
        let text = format!("[slurm.launch]\ntime = {time} # so long\n");
        let told = format!("2: a text needs quotes: write \"{time}\"");
        assert_eq!(of_settings(&text), [told]);
    }
    let text = "[srun]\nmpi = { a = 2 }\n";
    begin_with(
        &of_settings(text),
        &["2: invalid type: table, expected a text"],
    );
}

#[test]
fn a_registry_without_quotes_or_with_a_path() {
    let table = "[container.registries]\n\"ghcr.io\" = 'mirror'\nnvcr.io = 'mirror'\n";
    let told = "3: a name with a dot needs quotes: write \"nvcr.io\" = ...";
    assert_eq!(of_settings(table), [told]);
    let inline = "container.registries = { docker.io = 'mirror.site:5000' }";
    let told = "1: a name with a dot needs quotes: write \"docker.io\" = ...";
    assert_eq!(of_settings(inline), [told]);
    let path = "container.registries = { 'docker.io' = 'mirror.site:5000/proxy' }";
    let told = "1: cannot take \"mirror.site:5000/proxy\" as registry: a host and perhaps a port is allowed, as in \
                mirror.site:5000; for a mirror below a path, name the whole path as image in the recipe, as in \
                mirror.site:5000/proxy/NAME:TAG";
    assert_eq!(of_settings(path), [told]);
}

/// What belongs into another table is told with that one's name.
#[test]
fn a_key_of_another_table() {
    let use_case = "use_cases = [{ name = 'a', input = 1, output = 1, search = { itl = 1, to = 2 }, concurrency = [1] }]";
    let start = REFERENCE.find("\nuse_cases = [").unwrap() + 1;
    let end = start + REFERENCE[start..].find("]\n").unwrap() + 1;
    let line = 1 + REFERENCE[..start].matches('\n').count();
    let told = |key: &str| {
        format!("{line}: unknown key \"{key}\": it belongs to [sweep], and is for all use cases")
    };
    let text = format!("{}{use_case}{}", &REFERENCE[..start], &REFERENCE[end..]);
    assert_eq!(of_recipe(&text), [told("search"), told("concurrency")]);
    assert_eq!(
        of_settings("[launch]\ngres = 'gpu:4'\nmax_requeue = 1\n"),
        [
            "2: unknown key \"gres\": allowed are max_requeues, gpu_samples; options of sbatch belong to [slurm.launch]",
            "3: unknown key \"max_requeue\": perhaps max_requeues is meant",
        ]
    );
}

/// Who takes one file for the other is told that alone.
#[test]
fn a_recipe_given_as_settings() {
    let error = Settings::from_toml(REFERENCE).unwrap_err();
    let told = "settings: this looks like a recipe: use --recipe";
    assert_eq!(error.to_string(), told);
    let error = Recipe::read("examples/settings/shared-nodes.toml").unwrap_err();
    let told =
        "recipe file examples/settings/shared-nodes.toml: this looks like settings: use --settings";
    assert_eq!(error.to_string(), told);
    assert_eq!(error.kind(), FileErrorKind::Content);
    // One table too many is still that.
    let text = "stage_path = '/a'\n[server]\n";
    begin_with(&of_settings(text), &["2: unknown key \"server\""]);
}

#[test]
fn a_revision_and_a_percentile_with_what_is_allowed() {
    for given in ["Qwen/Qwen3", "Qwen/Qwen3@main"] {
        let start = REFERENCE.find("ngc = \"nim").unwrap();
        let end = start + REFERENCE[start..].find('\n').unwrap();
        let text = format!(
            "{}hugging_face = \"{given}\"{}",
            &REFERENCE[..start],
            &REFERENCE[end..]
        );
        let line = 1 + REFERENCE[..start].matches('\n').count();
        let told = format!(
            "{line}: cannot take \"{given}\" as Hugging Face model: OWNER/NAME@REVISION is allowed, with the 40 digits of a \
             commit: see https://huggingface.co/Qwen/Qwen3/commits/main"
        );
        assert_eq!(of_recipe(&text), [told]);
    }
    let start = REFERENCE.find("\nconcurrency = [").unwrap() + 1;
    let end = start + REFERENCE[start..].find("]\n").unwrap() + 1;
    for at in ["95", "\"p94\""] {
        let search = format!("search = {{ itl = 25, to = 8, at = {at} }}");
        let text = format!("{}{search}{}", &REFERENCE[..start], &REFERENCE[end..]);
        let line = 1 + REFERENCE[..start].matches('\n').count();
        let told = format!(
            "{line}: cannot take \"{}\" as percentile of a search: \"p50\", \"p75\", \"p90\", \"p95\" or \"p99\" is allowed",
            at.trim_matches('"')
        );
        assert_eq!(of_recipe(&text), [told]);
    }
}

/// Neither the words of a table nor those of `client.tool`.
#[test]
fn a_word_in_place_of_a_table_or_list() {
    for value in [
        "[]",
        "{}",
        "{ a = 1 }",
        "{ exclusive = 1 }",
        "{ exclusive = {}, shared = {} }",
        "['exclusive']",
        "['exclusive', 'b']",
    ] {
        let error = Settings::from_toml(&format!("[cluster]\nnodes = {value}\n")).unwrap_err();
        let [mistake] = error.mistakes() else {
            panic!("{error}");
        };
        assert_eq!(mistake.message(), "a word is expected: exclusive or shared");
        assert_eq!((mistake.line(), mistake.value()), (Some(2), Some(value)));
    }
    let error = Settings::from_toml("[cluster.nodes]\na = 1\nb = 2\n").unwrap_err();
    assert_eq!(error.mistakes().len(), 1, "{error}");
    assert_eq!(error.line(), Some(1));
}
