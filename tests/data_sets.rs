//! Requests that come out of a file: what a recipe says of it, what launch.sh takes, and what a point gets of it.

#[path = "common/client.rs"]
mod client;

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use nim_slurm::recipe::{
    ArrayBy, ClientTool, DataFormat, DataSet, Prefix, PrefixCache, Search, SearchedLoad, UseCase,
    Variant,
};
use nim_slurm::results::{Difference, Run};
use nim_slurm::{Length, Load, Plan, Recipe, Settings};

use crate::client::{own_commands, run_in_client};

const PROGRAM: &str = include_str!("../src/script/data.py");

fn genai_perf(release: &str) -> ClientTool {
    ClientTool::GenaiPerf(release.parse().unwrap())
}

fn aiperf(release: &str) -> ClientTool {
    ClientTool::Aiperf(release.parse().unwrap())
}

/// The built-in recipe with these use cases, or what is said against it.
fn with(use_cases: &str) -> Result<Recipe, String> {
    let text = Recipe::llama3_70b_h100x4_fp8().to_toml();
    let own = "use_cases = [\"chat:128/128\", \"summarization:4096/512\"]";
    let text = text.replace(own, &format!("use_cases = [{use_cases}]"));
    Recipe::from_toml(&text).map_err(|error| error.to_string())
}

fn plan(recipe: Recipe) -> Result<String, String> {
    let plan = Plan::new(recipe, Settings::new()).map_err(|error| error.to_string())?;
    Ok(plan.launch().text().to_owned())
}

const DATA: &str = "data = { file = '/data/prompts.jsonl', format = 'prompts' }";

/// Neither kind of search takes this use case.
fn no_search_has(table: &str) {
    let mut recipe = with(table).unwrap().with_concurrency([]);
    recipe.client.tool = aiperf("0.13.0");
    for of in [SearchedLoad::Concurrency, SearchedLoad::RequestRate] {
        let mut search = Search::new(1, 8).with_itl("25".parse().unwrap());
        search.of = of;
        recipe.sweep.search = Some(search);
        let error = plan(recipe.clone()).unwrap_err();
        assert!(
            error.contains(", which sweep.search does not take: put it into"),
            "{error}"
        );
    }
}

#[test]
fn toml_and_rust_say_the_same() {
    let recipe = with(&format!(
        "'chat:128/128', {{ name = 'support', {DATA}, output = '256s10', request_rate = [2], arrival = 'constant' }}"
    ))
    .unwrap();
    let data = DataSet::new("/data/prompts.jsonl".parse().unwrap(), DataFormat::Prompts);
    let support: UseCase = "support:1/256s10".parse().unwrap();
    let support = support
        .with_data(data)
        .with_request_rate(["2".parse().unwrap()])
        .with_arrival(nim_slurm::recipe::Arrival::Constant);
    assert_eq!(recipe.sweep.use_cases[1], support);
    assert_eq!((support.input(), support.input_tokens()), (Length::DATA, 0));
    let text = recipe.to_toml();
    assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
    // Tables alone have another form in TOML.
    let alone = recipe.with_use_cases([support]);
    let text = alone.to_toml();
    assert_eq!(Recipe::from_toml(&text).unwrap(), alone, "{text}");
}

#[test]
fn mistakes_in_a_recipe() {
    for (table, expected) in [
        (
            "{ name = 'a', output = 1 }".to_owned(),
            "it has neither of input and data: write input = 128 for synthetic prompts, or data = {",
        ),
        (
            format!("{{ name = 'a', input = 1, output = 1, {DATA} }}"),
            "it has both of input and data",
        ),
        (
            "{ name = 'a', input = 'data', output = 1 }".to_owned(),
            "data is no length: write a table",
        ),
        (
            "'a:data/128'".to_owned(),
            "data is no length: write a table",
        ),
        (
            "'a:128/data'".to_owned(),
            "data is no length: write a table",
        ),
        (
            format!("{{ name = 'a', output = 'data', {DATA} }}"),
            "data is no length",
        ),
        (
            "{ name = 'a', output = 1, data = { file = 'a.jsonl', format = 'prompts' } }"
                .to_owned(),
            "cannot take \"a.jsonl\" as data file: an absolute path of a visible .json or .jsonl file is allowed",
        ),
        (
            "{ name = 'a', output = 1, data = { file = '/a/b.json', format = 'csv' } }".to_owned(),
            "unknown word \"csv\": allowed are prompts, sharegpt, mooncake",
        ),
        (
            "{ name = 'a', output = 1, data = { file = '/a/b.json' } }".to_owned(),
            "format",
        ),
    ] {
        let error = with(&table).unwrap_err();
        assert!(error.contains(expected), "{table}: {error}");
    }
}

#[test]
fn releases_that_cannot_are_refused_with_the_first_that_can() {
    let recipe = with(&format!("{{ name = 'a', {DATA}, output = 128 }}")).unwrap();
    for (tool, first) in [
        (genai_perf("24.06"), "GenAI-Perf 0.0.4 (SDK 24.07)"),
        (aiperf("0.2.0"), "AIPerf 0.3.0"),
    ] {
        let mut recipe = recipe.clone();
        recipe.client.tool = tool;
        let error = plan(recipe).unwrap_err();
        let expected = format!("cannot do data: {first} is the first that can");
        assert!(error.contains(&expected), "{error}");
    }
    for tool in [genai_perf("24.07"), genai_perf("25.12"), aiperf("0.3.0")] {
        let mut recipe = recipe.clone();
        recipe.client.tool = tool;
        plan(recipe).unwrap();
    }
    // A search needs lengths that a level can be compared by.
    let mut recipe = recipe;
    recipe.sweep.concurrency.clear();
    recipe.sweep.search =
        Some(nim_slurm::recipe::Search::new(1, 8).with_itl("25".parse().unwrap()));
    let error = plan(recipe).unwrap_err();
    assert!(
        error.contains("it has data, which sweep.search does not take"),
        "{error}"
    );
}

/// Two use cases with the prompts of one file, and one with those of another.
fn of_two_files() -> Recipe {
    let other = "data = { file = '/data/b.json', format = 'sharegpt' }";
    with(&format!(
        "'chat:128/128', {{ name = 'a', {DATA}, output = 128 }}, {{ name = 'b', {other}, output = 128 }}, \
         {{ name = 'c', {DATA}, output = 128, request_rate = [1] }}"
    ))
    .unwrap()
    .with_concurrency([1, 8])
}

fn rows(launch: &str) -> Vec<String> {
    let (_, rows) = launch.split_once("\npoints=(\n").unwrap();
    let (rows, _) = rows.split_once("\n)\n").unwrap();
    let rows = rows.lines().map(|row| row.trim().trim_matches('\''));
    rows.filter(|row| row.contains(" data "))
        .map(str::to_owned)
        .collect()
}

fn sets(launch: &str) -> Vec<String> {
    let (_, sets) = launch.split_once("\nreadonly data_sets=(\n").unwrap();
    let (sets, _) = sets.split_once("\n)\n").unwrap();
    sets.lines().map(|set| set.trim().to_owned()).collect()
}

/// Points take the prompts in turn, each set its own, and the command names the set.
#[test]
fn each_point_has_prompts_of_its_own() {
    let recipe = of_two_files();
    let launch = plan(recipe.clone()).unwrap();
    let expected = [
        "a data 128 8 40 40 0 1 1 0",
        "b data 128 8 40 40 0 1 2 0",
        "a data 128 1 20 20 40 1 1 0",
        "b data 128 1 20 20 40 1 2 0",
        "c data 128 rate1 60 60 60 1 3 60",
    ];
    assert_eq!(rows(&launch), expected);
    // Without a cache, each point alone must find its prompts.
    assert_eq!(
        sets(&launch),
        [
            "'prompts 60 /data/prompts.jsonl'",
            "'sharegpt 40 /data/b.json'"
        ]
    );
    let commands = own_commands(&launch, &[]);
    let files = commands.iter().map(|command| {
        let place = command.iter().position(|word| word == "--input-file");
        command[place.unwrap() + 1].as_str()
    });
    let files: Vec<_> = files.collect();
    assert_eq!(
        files,
        ["{data}.0.jsonl", "{data}.1.jsonl", "{data}.0.jsonl"]
    );
    for command in &commands {
        let synthetic = ["--synthetic-input-tokens-mean", "--num-prompts"];
        assert!(
            !command
                .iter()
                .any(|word| synthetic.contains(&word.as_str()))
        );
    }
    // A server that keeps prompts must see none twice.
    let mut cached = recipe.clone();
    cached.server.prefix_cache = PrefixCache::On;
    assert_eq!(
        sets(&plan(cached).unwrap()),
        [
            "'prompts 120 /data/prompts.jsonl'",
            "'sharegpt 60 /data/b.json'"
        ]
    );
    // Repeats go on; another tool has another name for a prompt.
    let mut again = recipe;
    again.sweep.repeat = 2;
    again.client.tool = aiperf("0.13.0");
    let launch = plan(again).unwrap();
    assert_eq!(rows(&launch)[5], "a data 128 8 40 40 120 2 1 0");
    assert!(launch.contains("\nreadonly data_sets_key=text\n"));
    let command = &own_commands(&launch, &[])[0];
    assert!(
        command
            .windows(2)
            .any(|words| words == ["--custom-dataset-type", "single_turn"])
    );
}

/// Each turn and each task has a server of its own, which has seen nothing yet.
#[test]
fn a_server_has_the_prompts_of_its_own_points() {
    let mut several = of_two_files();
    several.server.prefix_cache = PrefixCache::On;
    several.sweep.repeat = 2;
    let mut in_turns = several.clone();
    in_turns.server.variants = ["one", "two"]
        .map(|name| Variant::new(name.parse().unwrap()))
        .into();
    let launch = plan(in_turns.clone()).unwrap();
    assert_eq!(sets(&launch)[1], "'sharegpt 60 /data/b.json'");
    assert_eq!(rows(&launch)[1], "0 b data 128 8 40 40 0 1 2 0");
    // The turns of the second round have other prompts than those of the first.
    assert_eq!(rows(&launch)[11], "2 b data 128 8 40 40 60 2 2 0");
    assert_eq!(rows(&launch)[16], "3 b data 128 8 40 40 60 2 2 0");
    in_turns.sweep.array = Some(ArrayBy::Server);
    assert_eq!(
        sets(&plan(in_turns).unwrap())[1],
        "'sharegpt 120 /data/b.json'"
    );
    several.sweep.array = Some(ArrayBy::Point);
    let launch = plan(several).unwrap();
    assert_eq!(
        sets(&launch),
        [
            "'prompts 120 /data/prompts.jsonl'",
            "'sharegpt 80 /data/b.json'"
        ]
    );
    // The repeats of a task's point lie side by side in the file.
    assert_eq!(
        rows(&launch)[2..4],
        [
            "2 b data 128 8 40 40 0 1 2 0",
            "2 b data 128 8 40 40 40 2 2 0"
        ]
    );
}

#[test]
fn two_files_with_one_name_would_share_folders() {
    let other = "data = { file = '/data/b.json', format = 'sharegpt' }";
    let recipe = with(&format!(
        "{{ name = 'a', {DATA}, output = 128 }}, {{ name = 'a', {other}, output = 128 }}"
    ));
    let error = plan(recipe.unwrap()).unwrap_err();
    assert!(error.contains("a:data/128"), "{error}");
    let name = "llama_4_8_a_data_128_4711";
    let name = nim_slurm::results::PointName::parse(name).unwrap();
    assert_eq!(
        (name.input(), name.load()),
        (Length::DATA, Load::Concurrency(8))
    );
}

/// What launch.sh says of these data sets, and of those that it copied form and checksum.
#[track_caller]
fn take(folder: &Path, files: &[&str], most: u64) -> Vec<String> {
    let (is_well, said) = take_all(folder, files, most);
    assert!(is_well, "{said:?}");
    said
}

/// The same, and whether it went well.
fn take_all(folder: &Path, files: &[&str], most: u64) -> (bool, Vec<String>) {
    let port = include_str!("../templates/launch/port.sh");
    let start = port.find("own_folder() {").unwrap();
    let end = start + port[start..].find("\n}\n").unwrap() + 3;
    let own_folder = &port[start..end];
    let script = format!(
        "set -Eeuo pipefail\n\
         problems=0 HOSTNAME=node1 job_id=7 results=$PWD stage_path=$PWD/stage HOME=$PWD/home\n\
         missing() {{ echo \"missing: $*\"; problems=$((problems + 1)); }}\n\
         fail() {{ echo \"error: $*\"; exit 1; }}\n\
         {own_folder}\n\
         stop_if_missing() {{ ((problems == 0)) || exit 0; }}\n\
         data_sets=(\"$@\")\n{}\n\
         printf '%s\\n' \"${{data_taken[@]%% /*}}\"; ls \"$data_sets_folder\"",
        include_str!("../templates/launch/data.sh").replace("1 << 30", &most.to_string())
    );
    let sets = files
        .iter()
        .map(|file| format!("prompts 1 {}/{file}", folder.display()));
    let output = Command::new("timeout")
        .args(["20", "bash", "-c", &script, "launch"])
        .args(sets)
        .current_dir(folder)
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let words = words.replace(folder.to_str().unwrap(), "FOLDER");
    let said = words.lines().map(str::to_owned).collect();
    (output.status.success(), said)
}

/// The client's image sees a data set whole, and a recipe may come from elsewhere.
#[test]
fn a_data_set_is_no_file_of_the_system_or_of_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for place in [
        "home/.config",
        "home/data",
        "stage/results/p_4",
        "stage/.tmp",
        "stage/data",
    ] {
        fs::create_dir_all(folder.join(place)).unwrap();
        fs::write(folder.join(place).join("a.json"), "{}").unwrap();
    }
    symlink(folder.join("home/.config"), folder.join("home/data/link")).unwrap();
    symlink("/proc/self", folder.join("self")).unwrap();
    let refused = [
        "home/.config/a.json",
        "home/data/link/a.json",
        "stage/results/p_4/a.json",
        "stage/.tmp/a.json",
        "self/environ",
    ];
    for file in refused {
        let said = take(folder, &[file], 1000);
        let start = format!("missing: a folder of data for the data set FOLDER/{file}: ");
        assert!(said.len() == 1 && said[0].starts_with(&start), "{said:?}");
        assert!(!folder.join(".run_7").exists(), "{file}");
    }
    let taken = take(folder, &["home/data/a.json", "stage/data/a.json"], 1000);
    assert_eq!(taken[2..], ["0", "1"]);
}

#[test]
fn launch_copies_a_regular_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let name = "it's \"mine\" $(touch ran).jsonl";
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join(name), "{\"text\": \"a\"}\n").unwrap();
    fs::write(folder.join("-"), "{\"text\": \"b\"}\n").unwrap();
    let before = take(folder, &[name, "-"], 1000);
    assert_eq!(before.len(), 4, "{before:?}");
    assert!(before[0].len() == "prompts ".len() + 64, "{before:?}");
    assert_ne!(before[0], before[1]);
    assert_eq!(before[2..], ["0", "1"]);
    assert!(!folder.join("ran").exists());
    // The copies are the user's alone, and the results stay as open as they were.
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("."), mode(".run_7/data")), (0o755, 0o700));
    // One that changes has another sum, by which a resume tells the two.
    fs::write(folder.join(name), "{\"text\": \"c\"}\n").unwrap();
    let after = take(folder, &[name, "-"], 1000);
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1..], before[1..]);

    symlink("-", folder.join("link")).unwrap();
    let fifo = CString::new(folder.join("fifo").as_os_str().as_bytes()).unwrap();
    let piped = Command::new("mkfifo").arg(fifo.to_str().unwrap()).status();
    assert!(piped.unwrap().success());
    fs::create_dir(folder.join("folder")).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("large"), "x".repeat(1001)).unwrap();
    fs::write(folder.join("just"), "x".repeat(1000)).unwrap();
    let said = take(
        folder,
        &["link", "fifo", "folder", "none", "empty", "large", "just"],
        1000,
    );
    let on = "on node1";
    assert_eq!(
        said,
        [
            format!(
                "missing: the data set FOLDER/link {on} as a file: it is a link; write the path that it leads to in the recipe"
            ),
            format!("missing: the data set FOLDER/fifo {on}: there is no such file"),
            format!("missing: the data set FOLDER/folder {on}: there is no such file"),
            format!("missing: the data set FOLDER/none {on}: there is no such file"),
            "missing: prompts in the data set FOLDER/empty: it is empty".to_owned(),
            "missing: a data set of at most 1 GiB: FOLDER/large has more; write a part of it into a file of its own"
                .to_owned(),
        ]
    );
    // What nobody will read is not kept.
    assert!(!folder.join(".run_7").exists());
    // Nobody leads the copies elsewhere.
    fs::create_dir_all(folder.join("home/data")).unwrap();
    fs::write(folder.join("home/data/own"), "x").unwrap();
    symlink("home", folder.join(".run_7")).unwrap();
    let said = take_all(folder, &["just"], 1000);
    assert_eq!(
        said.1,
        ["error: FOLDER/.run_7 is a link, or another user's: remove it"]
    );
    assert!(!said.0 && folder.join("home/data/own").exists());
    fs::remove_file(folder.join(".run_7")).unwrap();
    // root may read all.
    fs::set_permissions(folder.join("just"), fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(folder.join("just")).is_err() {
        assert!(take(folder, &["just"], 1000)[0].starts_with("missing: permission to read"));
    }
}

/// What the client makes of a file: the prompts of points of so many, behind so many before them.
#[track_caller]
fn prompts(format: &str, text: &[u8], needed: u64, points: &[(u64, u64)]) -> String {
    prompts_with(format, text, needed, points, "")
}

/// The same, after lines of bash.
#[track_caller]
fn prompts_with(
    format: &str,
    text: &[u8],
    needed: u64,
    points: &[(u64, u64)],
    before: &str,
) -> String {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("0"), text).unwrap();
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    let points = points.iter().map(|(count, before)| {
        format!(
            "facts=([data]=$run/out [prompts]=9) REPLIES=(tool --input-file {{data}}.0.jsonl)\n\
             take_prompts {count} {before}; echo \"of ${{facts[prompts]:-no number}}\"; cat \"$run/out.0.jsonl\"\n"
        )
    });
    let lines = format!(
        "stop_if_full() {{ :; }}\n\
         say() {{ echo \"$*\"; }}\n\
         data_sets=('{format} {needed} /data/it s.jsonl') prefix_cache=off data_sets_key=text\n\
         points=('a data 8 4 2 2 0 1 1 0' 'replay data data schedule 3 3 7 1 2 @0') point_timeout=60\n\
         own_command() {{ REPLIES=(tool --input-file {{data}}.0.jsonl); }}\n\
         said=$( (source templates/launch/data_in_client.sh\n{before}{}) 2>&1) || true\n\
         echo \"$said\"",
        points.collect::<String>()
    );
    let folder = data.path().to_str().unwrap();
    let variables = [("data_sets_program", PROGRAM), ("data_sets_folder", folder)];
    run_in_client(&recipe, &lines, &variables)
}

#[test]
fn a_point_goes_on_where_the_one_before_ended() {
    let text = "\u{feff}{\"text\": \"a b\"}\n\n{\"prompt\": \"\u{fc}\", \"id\": 7}\r\n{\"text_input\": \" a b \"}\n\
                {\"text\": \"c\"}";
    let [a, b, c] = ["a b", "\\u00fc", "c"].map(|prompt| format!("{{\"text\": \"{prompt}\"}}"));
    let said = prompts("prompts", text.as_bytes(), 3, &[(2, 0), (2, 2), (3, 7)]);
    let own = "of no number";
    assert_eq!(
        said,
        format!("{own}\n{a}\n{b}\n{own}\n{a}\n{c}\n{own}\n{a}\n{b}\n{c}")
    );
    let said = prompts("prompts", text.as_bytes(), 4, &[]);
    assert_eq!(
        said,
        "error: missing: prompts in the data set /data/it s.jsonl: it has 3 that differ, and 4 are needed, one for each \
         request of a point; take a larger file, or send fewer requests"
    );
}

/// A server whose context is short takes the prompts of its data set, and none of a length of ours.
#[test]
fn the_warm_up_is_as_long_as_the_prompts() {
    let said = |format: &str, text: &str| {
        let lines = "echo \"${words_of[a]} ${words_of[replay]}\"; ";
        prompts_with(format, text.as_bytes(), 0, &[], lines)
    };
    let text = |words: usize| format!("{{\"text\": \"{words}{}\"}}\n", " word".repeat(words));
    assert_eq!(said("prompts", &(text(100) + &text(300))), "200 200");
    assert_eq!(said("prompts", "{\"text\": \"a\"}"), "1 1");
    let turn =
        |from: &str, value: &str| format!("{{\"from\": \"{from}\", \"value\": \"{value}\"}}");
    let talk = [turn("human", &" word".repeat(50)), turn("gpt", "a")].join(", ");
    assert_eq!(
        said("sharegpt", &format!("[{{\"conversations\": [{talk}]}}]")),
        "49 49"
    );
    // A trace says it.
    let row = |input: u32| {
        format!("{{\"timestamp\": 0, \"input_length\": {input}, \"output_length\": 8}}\n")
    };
    let said = said("mooncake", &(row(300) + &row(701)));
    assert_eq!(said, "500 500");
}

#[test]
fn conversations() {
    let turn =
        |from: &str, value: &str| format!("{{\"from\": \"{from}\", \"value\": \"{value}\"}}");
    let talk = |turns: &[String]| format!("{{\"conversations\": [{}]}}", turns.join(", "));
    let one = talk(&[
        turn("system", "s"),
        turn("human", "q1"),
        turn("gpt", "a"),
        turn("human", "q9"),
    ]);
    let none = talk(&[turn("human", "no answer")]);
    let late = talk(&[turn("gpt", "x"), turn("human", "q2"), turn("gpt", "a")]);
    let expected = "of no number\n{\"text\": \"q1\"}\n{\"text\": \"q2\"}";
    let list = format!("[\n{one},{none} ,\n{late}]\n");
    assert_eq!(prompts("sharegpt", list.as_bytes(), 2, &[(2, 0)]), expected);
    let lines = format!("{one}\n{none}\n{late}\n");
    assert_eq!(
        prompts("sharegpt", lines.as_bytes(), 2, &[(2, 0)]),
        expected
    );
}

/// With turns, the questions that have answers are a conversation; one with fewer is left out, and one more is not sent.
#[test]
fn conversations_of_several_turns() {
    let turn =
        |from: &str, value: &str| format!("{{\"from\": \"{from}\", \"value\": \"{value}\"}}");
    let talk = |questions: &[&str]| {
        let asked = |question: &&str| turn("human", question) + ", " + &turn("gpt", "a");
        let turns: Vec<_> = questions.iter().map(asked).collect();
        format!("{{\"conversations\": [{}]}}", turns.join(", "))
    };
    let open = talk(&["q4"]).replace("]}", &format!(", {}]}}", turn("human", "no answer")));
    let lines = [
        talk(&["q1", " q2 ", "q3"]),
        talk(&["q0"]),
        open,
        talk(&["q1", "again"]),
        talk(&["q5", "q6"]),
    ]
    .join("\n");
    let before = "own=\"$(declare -f take_prompts)\"; eval \"${own/#take_prompts/own_prompts}\"\n\
                  take_prompts() { REPLIES+=(--num-conversations '{prompts}'); own_prompts \"$@\"; echo \"${REPLIES[*]:3}\"; }\n";
    let said = |needed, points: &[(u64, u64)]| {
        prompts_with("sharegpt-t2d1500", lines.as_bytes(), needed, points, before)
    };
    // The tool learns how many there are, and the gate nothing: they stay as they are.
    assert_eq!(
        said(2, &[(2, 0)]),
        "--num-conversations 2\nof no number\n\
         {\"turns\": [{\"text\": \"q1\"}, {\"text\": \"q2\", \"delay\": 1500}]}\n\
         {\"turns\": [{\"text\": \"q5\"}, {\"text\": \"q6\", \"delay\": 1500}]}"
    );
    assert_eq!(
        said(3, &[]),
        "error: missing: conversations of enough turns in the data set /data/it s.jsonl: it has 2 that differ, and 3 are \
         needed, one for each conversation of a point; take a larger file, or send fewer requests"
    );
    let said = prompts("sharegpt-t2d0", b"[{\"conversations\": 1}]", 1, &[]);
    let expected = "a data set of the form \"sharegpt\" in /data/it s.jsonl: entry 1 has no list under conversations";
    assert!(said.contains(expected), "{said}");
}

/// A file is another data set for each number of turns and delay, and points take conversations in turn.
#[test]
fn a_file_has_conversations_for_its_turns() {
    let data = "data = { file = '/data/b.json', format = 'sharegpt' }";
    let table = |more: &str| format!("{{ name = 'a', {data}, output = 64{more} }}");
    let tables = ["", ", turns = 3, delay = 2", ", turns = 4"].map(table);
    let mut recipe = with(&tables.join(", ")).unwrap().with_concurrency([1, 8]);
    recipe.client.tool = aiperf("0.13.0");
    let launch = plan(recipe).unwrap();
    for words in [
        "\nreadonly data_sets=(\n  'sharegpt 40 /data/b.json'\n  'sharegpt-t3d2000 40 /data/b.json'\n  \
         'sharegpt-t4d0 40 /data/b.json'\n)\n",
        "'a data 64 8 40 40 0 1 1 0'",
        "'a-t3 data 64 8 120 40 0 1 2 0'",
        "'a-t3 data 64 1 21 7 40 1 2 0'",
        "'a-t4 data 64 1 20 5 40 1 3 0'",
    ] {
        assert!(launch.contains(words), "{words}: {launch}");
    }
    let command = own_commands(&launch, &[]).remove(1).join(" ");
    for words in [
        " --input-file {data}.1.jsonl --custom-dataset-type multi_turn ",
        " --num-conversations ",
    ] {
        assert!(command.contains(words), "{command}");
    }
    for word in ["--conversation-turn", "--request-count", "--num-dataset"] {
        assert!(!command.contains(word), "{command}");
    }
}

#[test]
fn what_is_no_data_set_is_named() {
    let deep = "[".repeat(200_000);
    for (format, text, expected) in [
        (
            "prompts",
            &b"{\"text\": \"a\"}\n[1]\n"[..],
            "line 2 is no object of JSON",
        ),
        (
            "prompts",
            b"{\"text\": \"a\", \"image\": \"/etc/passwd\"}",
            "line 1 has image, which is not sent; take it out",
        ),
        (
            "prompts",
            b"{\"text\": 7}",
            "line 1 must have a text under text, text_input or prompt",
        ),
        ("prompts", b"{\"text\": \" \"}", "line 1 must have a text"),
        (
            "prompts",
            b"{\"text\": \"a\", \"prompt\": \"b\"}",
            "under one of them",
        ),
        (
            "prompts",
            b"text\n",
            "at the beginning or behind it: this is no JSON",
        ),
        ("prompts", b"\xff\xfe\0", "this is no text in UTF-8"),
        (
            "prompts",
            b"{\"text\": \"\\ud800\"}",
            "this is no text in UTF-8",
        ),
        ("prompts", b"\0", "this is no JSON"),
        (
            "prompts",
            b"{\"text\": \"a\", \"max_tokens\": 5}",
            "line 1 has max_tokens, which is not sent; take it out",
        ),
        (
            "sharegpt",
            b"[{\"conversations\": []}] \n [{\"conversations\": []}]",
            "behind entry 1, the list ends, and more follows: one list, or an object a line",
        ),
        ("sharegpt", b"[[1]]", "entry 1 is no object of JSON"),
        (
            "sharegpt",
            b"[{\"conversations\": 1}]",
            "entry 1 has no list under conversations",
        ),
        (
            "sharegpt",
            b"[{\"conversations\": []}",
            "at entry 1 or behind it: this is no JSON",
        ),
        ("sharegpt", deep.as_bytes(), "too deep"),
        (
            "sharegpt",
            b"[{\"conversations\": []}]",
            "it has 0 that differ, and 1 are needed",
        ),
    ] {
        let said = prompts(format, text, 1, &[]);
        let place = "the data set /data/it s.jsonl";
        let form =
            format!("error: missing: a data set of the form \"{format}\" in /data/it s.jsonl: ");
        assert!(said.contains(expected), "{said}");
        assert!(said.starts_with(&form) || said.contains(place), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// GenAI-Perf's own prompts get letters in front; those of a user stay.
#[test]
fn the_gate_leaves_prompts_of_a_file() {
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    let lines = r#"
mkdir "$gates/point" && : >"$gates/point/open"
printf '  "content": "one two three four"\n' >"$run/inputs.json"
mkdir "$run/bin" && printf '#!/bin/sh\ncat "$2"\n' >"$run/bin/perf_analyzer" && chmod +x "$run/bin/perf_analyzer"
for NIM_SLURM_PROMPTS in '' 1; do
  export NIM_SLURM_PROMPTS NIM_SLURM_SEED=7 NIM_SLURM_GATE=$gates/point
  PATH=$gates:$run/bin:$PATH perf_analyzer --input-data "$run/inputs.json"
done
"#;
    let said = run_in_client(&recipe, lines, &[]);
    let (first, second) = said.split_once('\n').unwrap();
    assert_eq!(first, "  \"content\": \"one two three four\"");
    assert!(
        second.ends_with(" four\"") && !second.contains("one"),
        "{said}"
    );
}

/// Two results of one name whose files had another content are told apart before their figures are compared.
#[test]
fn a_comparison_names_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let runs = ["1", "2"].map(|sum| {
        let results = folder.path().join(sum);
        let point = results.join("llama_4_25_support_data_128_4711");
        fs::create_dir_all(&point).unwrap();
        let name = "profile_export_genai_perf.json";
        let result = format!("tests/data/genai-perf/0.0.10/{name}");
        fs::copy(result, point.join(name)).unwrap();
        fs::write(
            point.join("measurement.txt"),
            format!("seed=0\ndata=prompts {sum}\n"),
        )
        .unwrap();
        Run::read(camino::Utf8Path::from_path(&results).unwrap()).unwrap()
    });
    let differences = Difference::between(&runs[0], &runs[1]);
    let said: Vec<_> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["data sets: prompts 1 -> prompts 2"]);
    // The file decided the length, whatever the tool's own options say.
    let point = &runs[0].points()[0];
    assert_eq!(
        (point.input(), point.input_tokens()),
        (Some(Length::DATA), None)
    );
    assert!(runs[0].problems().is_empty(), "{:?}", runs[0].problems());
    let report = nim_slurm::Report::new(&runs[0]);
    let (table, csv) = (report.to_table(), report.to_csv());
    assert!(
        table.contains("support") && table.contains("data"),
        "{table}"
    );
    assert!(csv.contains("support,,128,25,"), "{csv}");
}

/// A data set that a client cannot take ends the job with 2, which is not the server's fault.
#[test]
fn the_job_says_that_it_was_the_data() {
    let outcome = include_str!("../templates/launch/outcome.sh");
    let start = outcome.find("explain() {").unwrap();
    let end = start + outcome[start..].find("\n}\n").unwrap() + 3;
    let script = format!(
        "set -Eeuo pipefail; replicas=1\n{}\nexplain data_lacks; echo \"$code: $reason; $to_do\"",
        &outcome[start..end]
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "2: a data set cannot be measured; fix what the lines above name\n"
    );
}

/// Prompts that begin alike, in folders of their own.
#[test]
fn a_prefix_is_a_part_of_the_name() {
    let table =
        "{ name = 'agent', input = 128, output = 64, prefix = { length = 1024, count = 4 } }";
    let mut recipe = with(&format!("'agent:128/64', {table}"))
        .unwrap()
        .with_concurrency([8]);
    let agent: UseCase = "agent:128/64".parse().unwrap();
    let agent = agent.with_prefix(Prefix::new(1024, 4));
    assert_eq!(recipe.sweep.use_cases[1], agent);
    let text = recipe.to_toml();
    assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
    recipe.client.tool = aiperf("0.13.0");
    let mut seeds = Vec::new();
    for cache in [PrefixCache::Off, PrefixCache::On] {
        recipe.server.prefix_cache = cache;
        let launch = plan(recipe.clone()).unwrap();
        assert!(launch.contains("'agent 128 64 8 "), "{launch}");
        let (_, row) = launch.split_once("'agent-p1024x4 128 64 8 40 40 ").unwrap();
        seeds.push(row.split(' ').next().unwrap().to_owned());
        let command = own_commands(&launch, &[]).remove(0).join(" ");
        let options = "--synthetic-input-tokens-mean 128 --synthetic-input-tokens-stddev 0 --num-prefix-prompts 4 \
                       --prefix-prompt-length 1024 ";
        assert!(command.contains(options), "{command}");
    }
    // With and without the cache, the same prompts are sent.
    assert_eq!(seeds[0], seeds[1]);
    let name = "llama_4_8_agent-p1024x4_128_64_4711";
    let name = nim_slurm::results::PointName::parse(name).unwrap();
    assert_eq!(
        (name.use_case(), name.input().mean()),
        ("agent-p1024x4", 128)
    );
    // Each point has beginnings that no other has, but within it they repeat.
    recipe.server.prefix_cache = PrefixCache::Flush;
    let error = plan(recipe.clone()).unwrap_err();
    let expected = "its prefix comes out of the cache within a point, which server.prefix_cache = \"flush\" does not allow";
    assert!(error.contains(expected), "{error}");
    recipe.server.prefix_cache = PrefixCache::On;
    recipe.client.tool = genai_perf("25.12");
    let error = plan(recipe.clone()).unwrap_err();
    let expected = "cannot do prefix: AIPerf 0.3.0 is the first that can";
    assert!(error.contains(expected), "{error}");
    for (prefix, expected) in [
        ("{ length = 0, count = 1 }", "0"),
        ("{ length = 8 }", "the key count is missing"),
        (
            "{ length = 8, count = 1, pool = 1 }",
            "unknown key \"pool\"",
        ),
    ] {
        let error = with(&table.replace("{ length = 1024, count = 4 }", prefix)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let table = table.replace("input = 128", DATA);
    let mut recipe = with(&table).unwrap();
    recipe.client.tool = aiperf("0.13.0");
    let error = plan(recipe.clone()).unwrap_err();
    assert!(error.contains("prefix is for synthetic prompts"), "{error}");
    let agent: UseCase = "agent:128/64".parse().unwrap();
    recipe.sweep.use_cases = vec![agent.with_prefix(Prefix::new(0, 4))];
    let error = plan(recipe).unwrap_err();
    assert!(
        error.contains("length and count of its prefix must be at least 1"),
        "{error}"
    );
}

/// Several requests of a conversation: what the plan makes of them.
#[test]
fn turns_are_whole_conversations() {
    let table =
        |more: &str| format!("{{ name = 'talk', input = 128, output = 64, turns = 3{more} }}");
    let mut recipe = with(&format!(
        "'talk:128/64', {}, {}",
        table(", delay = '2s'"),
        table(", request_rate = [2]")
    ))
    .unwrap()
    .with_concurrency([1, 8]);
    let talk: UseCase = "talk:128/64".parse().unwrap();
    let talk = talk.with_turns(3).with_delay("2s".parse().unwrap());
    assert_eq!(recipe.sweep.use_cases[1], talk);
    assert_eq!((talk.turns(), talk.input_tokens()), (3, 128));
    let text = recipe.to_toml();
    assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
    recipe.client.tool = aiperf("0.13.0");
    recipe.sweep.min_requests = 20;
    let launch = plan(recipe.clone()).unwrap();
    // For each one in flight five conversations, of which none is cut short; and so at a rate, and of a minimum.
    for row in [
        "'talk-t3 128 64 8 120 40 ",
        "'talk-t3 128 64 1 21 7 ",
        "'talk-t3 128 64 rate2 120 40 ",
        "'talk 128 64 8 40 40 ",
    ] {
        assert!(launch.contains(row), "{row}: {launch}");
    }
    let commands = own_commands(&launch, &[]);
    let commands: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
    let delayed = " --conversation-turn-mean 3 --conversation-turn-stddev 0 --conversation-turn-delay-mean 2000 \
                   --conversation-turn-delay-stddev 0 --output-tokens-mean 64 ";
    assert!(commands[0].contains(delayed), "{}", commands[0]);
    let plain = " --conversation-turn-mean 3 --conversation-turn-stddev 0 --output-tokens-mean 64 ";
    assert!(commands[1].contains(plain), "{}", commands[1]);
    for command in &commands {
        let counts = " --num-dataset-entries 150 ";
        assert!(command.contains(counts) && command.contains(" --num-conversations 150"));
        assert!(!command.contains("--request-count"), "{command}");
    }
    // Each of its streams has 2,048 tokens, which is 11 conversations; and a p95 needs 90 requests.
    recipe.sweep.percentile = Some("p95".parse().unwrap());
    let launch = plan(recipe.clone()).unwrap();
    for row in ["'talk-t3 128 64 8 264 88 ", "'talk-t3 128 64 1 90 30 "] {
        assert!(launch.contains(row), "{row}: {launch}");
    }
    // When a time ends it, each one in flight has begun a conversation more; at a rate, all may have.
    let timed = [
        ", duration = 60, prompts = 100",
        ", duration = 30, request_rate = [2]",
    ];
    let mut timed = with(&timed.map(table).join(", "))
        .unwrap()
        .with_concurrency([8]);
    timed.client.tool = aiperf("0.5.0");
    let launch = plan(timed).unwrap();
    for row in [
        "'talk-t3 128 64 8 1-100 42 ",
        "'talk-t3 128 64 rate2 1-112 112 ",
    ] {
        assert!(launch.contains(row), "{row}: {launch}");
    }
    assert!(!launch.contains("--num-conversations"), "{launch}");
    let name = "llama_4_8_talk-p64x2-t3_128_64_4711";
    let name = nim_slurm::results::PointName::parse(name).unwrap();
    assert_eq!(name.use_case(), "talk-p64x2-t3");
    let both = talk.with_prefix(Prefix::new(64, 2));
    assert_eq!(
        both.to_string(),
        "talk:128/64, prefix = { length = 64, count = 2 }, turns = 3, delay = 2s"
    );
    recipe.sweep.use_cases = vec![both];
    let launch = plan(recipe).unwrap();
    assert!(launch.contains("'talk-p64x2-t3 128 64 8 "), "{launch}");
}

/// The last requests of a rate wait as long as their conversation does.
#[test]
fn delays_count_for_the_time_of_a_point() {
    let table =
        "{ name = 'talk', input = 128, output = 64, turns = 4, delay = 290, request_rate = [2] }";
    let mut recipe = with(table).unwrap().with_concurrency([]);
    recipe.client.tool = aiperf("0.13.0");
    let error = plan(recipe.clone()).unwrap_err();
    let expected = "its requests are sent for 930 s at request_rate 2, and sweep.point_timeout gives a point up after 900 s";
    assert!(error.contains(expected), "{error}");
    recipe.sweep.point_timeout = 1000;
    assert!(
        plan(recipe)
            .unwrap()
            .contains("'talk-t4 128 64 rate2 120 30 ")
    );
    // In flight, each has five conversations, one after the other.
    let table = table.replace(", request_rate = [2]", "");
    let recipe = with(&table.replace("290", "60"));
    let mut recipe = recipe.unwrap().with_concurrency([8]);
    recipe.client.tool = aiperf("0.13.0");
    let error = plan(recipe.clone()).unwrap_err();
    let expected = "its requests are sent for 900 s at concurrency 8, and sweep.point_timeout gives a point up after 900 s";
    assert!(error.contains(expected), "{error}");
    recipe.sweep.point_timeout = 901;
    plan(recipe).unwrap();
}

#[test]
fn what_does_not_go_with_turns() {
    let said = |table: &str, tool: ClientTool, cache: PrefixCache| {
        let mut recipe = with(table)?;
        recipe.client.tool = tool;
        recipe.server.prefix_cache = cache;
        plan(recipe)
    };
    let start = "name = 'talk', input = 128, output = 64";
    for (keys, expected) in [
        (
            "delay = 2",
            "delay is for turns, which it has not: write turns = 4, or leave delay out",
        ),
        ("turns = 1", "turns must be at least 2: leave turns out"),
        ("turns = 0", "turns must be at least 2: leave turns out"),
        ("turns = '4s1'", "expected a whole number"),
        (
            "turns = 4, delay = '500ms'",
            "whole seconds are allowed, at least one, as in 120s",
        ),
    ] {
        let table = format!("{{ {start}, {keys} }}");
        let error = said(&table, aiperf("0.13.0"), PrefixCache::On).unwrap_err();
        assert!(error.contains(expected), "{keys}: {error}");
    }
    let table = format!("{{ name = 'talk', {DATA}, output = 64, turns = 4 }}");
    let error = said(&table, aiperf("0.13.0"), PrefixCache::On).unwrap_err();
    let expected = "turns is for synthetic prompts and for format = \"sharegpt\", and its data has no conversations";
    assert!(error.contains(expected), "{error}");
    // A server that must not find what was said before cannot be measured in this way.
    let table = format!("{{ {start}, turns = 4 }}");
    for cache in [PrefixCache::On, PrefixCache::Off] {
        said(&table, aiperf("0.3.0"), cache).unwrap();
    }
    let error = said(&table, aiperf("0.13.0"), PrefixCache::Flush).unwrap_err();
    let expected = "what was said before comes out of the cache within a point, which server.prefix_cache = \"flush\" does \
                    not allow: write \"on\" there, or \"off\" to measure without the cache, or leave turns out";
    assert!(error.contains(expected), "{error}");
    // Releases before sent each turn alone.
    for tool in [genai_perf("25.12"), aiperf("0.2.0")] {
        let error = said(&table, tool, PrefixCache::On).unwrap_err();
        let expected = "cannot do turns: AIPerf 0.3.0 is the first that can";
        assert!(error.contains(expected), "{error}");
    }
    for key in ["request_rate", "duration"] {
        let value = if key == "duration" { "60" } else { "[2]" };
        let table = format!("{{ {start}, turns = 4, {key} = {value} }}");
        let error = said(&table, aiperf("0.4.0"), PrefixCache::On).unwrap_err();
        let expected = format!("cannot do turns with {key}: AIPerf 0.5.0 is the first that can");
        assert!(error.contains(&expected), "{error}");
        said(&table, aiperf("0.5.0"), PrefixCache::On).unwrap();
    }
    // A search compares levels by what one request costs.
    no_search_has(&table);
}

const TRACE: &str = "data = { file = '/data/trace.jsonl', format = 'mooncake' }";

#[test]
fn a_trace_is_its_own_load() {
    let recipe = with(&format!(
        "'chat:128/128', {{ name = 'replay', {TRACE} }}, {{ name = 'file', {DATA}, output = 8 }}"
    ))
    .unwrap();
    let trace = DataSet::new("/data/trace.jsonl".parse().unwrap(), DataFormat::Mooncake);
    let replay: UseCase = "replay:1/1".parse().unwrap();
    let replay = replay.with_data(trace);
    assert_eq!(recipe.sweep.use_cases[1], replay);
    assert_eq!(
        (replay.input(), replay.output()),
        (Length::DATA, Length::DATA)
    );
    let text = recipe.to_toml();
    assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
    // Alone, it needs no concurrency, and has one point for each repeat, with prompts of its own.
    let mut alone = recipe
        .clone()
        .with_use_cases([replay.clone()])
        .with_concurrency([]);
    alone.client.tool = aiperf("0.13.0");
    alone.sweep.repeat = 2;
    alone.sweep.percentile = Some("p95".parse().unwrap());
    let text = alone.to_toml();
    assert_eq!(Recipe::from_toml(&text).unwrap(), alone, "{text}");
    let no_effect = "the recipe's sweep.percentile = \"p95\" has no effect: it asks for more requests, and a duration or a trace \
                     ends the points of each use case: leave it out";
    let said = plan(alone.clone()).unwrap_err();
    assert_eq!(said.lines().last(), Some(no_effect), "{said}");
    let mut timed = alone.clone().with_concurrency([1]);
    let quick = UseCase::parse("quick:128/64").unwrap();
    let quick = quick.with_duration("5s".parse().unwrap());
    timed.sweep.use_cases.push(quick);
    let said = plan(timed.clone()).unwrap_err();
    assert_eq!(said.lines().last(), Some(no_effect), "{said}");
    // It has one where some points are ended by their requests.
    timed.sweep.use_cases.push("chat:128/64".parse().unwrap());
    plan(timed).unwrap();
    alone.sweep.percentile = None;
    let points = alone.sweep.points();
    let loads: Vec<_> = points
        .iter()
        .map(|point| (point.load, point.requests))
        .collect();
    assert_eq!(loads, [(Load::Schedule, 0); 2]);
    let launch = plan(alone).unwrap();
    let (_, rows) = launch.split_once("\npoints=(\n").unwrap();
    let (rows, _) = rows.split_once("\n)\n").unwrap();
    let rows: Vec<Vec<&str>> = (rows.lines())
        .map(|row| row.trim().trim_matches('\'').split(' ').collect())
        .collect();
    for (row, repeat) in rows.iter().zip(["1", "2"]) {
        assert_eq!(row[..6], ["replay", "data", "data", "schedule", "@0", "@0"]);
        assert_eq!(row[7..], [repeat, "1", "@0"]);
    }
    assert_ne!(rows[0][6], rows[1][6], "seeds");
    let command = own_commands(&launch, &[]).remove(0);
    let text = command.join(" ");
    assert!(
        text.contains(
            " --input-file {data}.0.jsonl --custom-dataset-type mooncake_trace --fixed-schedule "
        ),
        "{text}"
    );
    // Load and lengths come from the trace alone.
    for option in [
        "--concurrency",
        "--request-rate",
        "--request-count",
        "--output-tokens-mean",
        "max_tokens:",
        "min_tokens:",
        "{",
    ] {
        let text = text.replace("{data}", "");
        assert!(!text.contains(option), "{option}: {text}");
    }
    // Beside others, it comes last.
    let mut beside = recipe.with_concurrency([1, 8]);
    beside.client.tool = aiperf("0.2.0");
    beside.sweep.use_cases.truncate(2);
    let loads: Vec<_> = (beside.sweep.points().iter())
        .map(|point| format!("{} {}", point.use_case.name(), point.load))
        .collect();
    assert_eq!(loads, ["chat 8", "chat 1", "replay schedule"]);
    plan(beside).unwrap();
}

#[test]
fn what_does_not_go_with_a_trace() {
    let said = |table: &str, tool: ClientTool| {
        with(table).and_then(|mut recipe| {
            recipe.client.tool = tool;
            plan(recipe)
        })
    };
    for (key, expected) in [
        (
            "output = 8",
            "its trace says how long each answer is: leave output out",
        ),
        ("input = 8", "it has both of input and data"),
        (
            "request_rate = [1]",
            "its trace says when requests are sent: leave request_rate out",
        ),
        (
            "duration = 60",
            "its trace says for how long requests are sent: leave duration out",
        ),
        (
            "ramp = 60",
            "its trace says when requests are sent: leave ramp out",
        ),
        ("arrival = 'constant'", "arrival needs request_rate"),
        ("prompts = 8", "prompts is for duration, which it has not"),
    ] {
        let table = format!("{{ name = 'replay', {TRACE}, {key} }}");
        let error = said(&table, aiperf("0.13.0")).unwrap_err();
        assert!(error.contains(expected), "{key}: {error}");
    }
    let table = format!("{{ name = 'replay', {TRACE} }}");
    for tool in [genai_perf("24.05"), genai_perf("25.12"), aiperf("0.1.1")] {
        let error = said(&table, tool).unwrap_err();
        let expected = "cannot do format = \"mooncake\": AIPerf 0.2.0 is the first that can";
        assert!(error.contains(expected), "{error}");
    }
    let error = with(&format!("{{ name = 'a', {DATA} }}")).unwrap_err();
    assert!(error.contains("the key output is missing"), "{error}");
    // A search looks for a load, which a trace has.
    no_search_has(&table);
    // Another format once more has no length of the answers.
    let replay: UseCase = "replay:1/8".parse().unwrap();
    let [trace, prompts] = [DataFormat::Mooncake, DataFormat::Prompts]
        .map(|format| DataSet::new("/data/a.json".parse().unwrap(), format));
    let recipe = Recipe::llama3_70b_h100x4_fp8();
    let error = plan(recipe.with_use_cases([replay.with_data(trace).with_data(prompts)]));
    assert!(error.unwrap_err().contains("it has no output"));
}

/// The lines of a trace are its requests: launch.sh counts them before it looks for what is finished.
#[test]
fn launch_counts_the_lines_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("a"), b"{}\n\n \r\n{}\n\xa0\n{}").unwrap();
    let data = include_str!("../templates/launch/data.sh");
    let script = format!(
        "set -Eeuo pipefail; results=$PWD stage_path=$PWD/stage HOME=$PWD/home job_id=7 problems=0\n\
         own_folder() {{ mkdir -p \"$1\"; }}; stop_if_missing() {{ :; }}\n\
         data_sets=('prompts 1 '\"$PWD/a\" 'mooncake 0 '\"$PWD/a\")\n\
         points=('0 replay data data schedule @1 @1 5 1 2 @1' 'chat 1 1 4 20 20 7 1')\n\
         {data}\nprintf '%s\\n' \"${{points[@]}}\""
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "0 replay data data schedule 4 4 5 1 2 @1\nchat 1 1 4 20 20 7 1\n",
        "{output:?}"
    );
}

#[test]
fn a_trace_begins_at_its_first_request() {
    let text = "\u{feff}{\"timestamp\": 27000.4, \"input_length\": 1100, \"output_length\": 30, \"hash_ids\": [4, 0, 9]}\n\n\
                {\"timestamp\": 27000, \"input_length\": 7, \"output_length\": 20, \"kind\": \"chat\"}\r\n\
                {\"timestamp\": 29001, \"input_length\": 512, \"output_length\": 41, \"hash_ids\": []}";
    let lines = "echo \"${points[*]}\"; ";
    let said = prompts_with("mooncake", text.as_bytes(), 0, &[(3, 4711)], lines);
    assert_eq!(
        said,
        "a data 8 4 2 2 0 1 1 0 replay data 30s0 schedule 3 3 7 1 2 3\nof no number\n\
         {\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 30, \"hash_ids\": [4, 0, 9]}\n\
         {\"timestamp\": 0, \"input_length\": 7, \"output_length\": 20}\n\
         {\"timestamp\": 2001, \"input_length\": 512, \"output_length\": 41}"
    );
}

#[test]
fn what_is_no_trace_is_named() {
    let row = |more: &str| {
        format!("{{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 8{more}}}\n")
    };
    let late = |at: &str| row("") + &row("").replace("\": 0,", &format!("\": {at},"));
    for (text, expected) in [
        (" \n".to_owned(), "it has no requests"),
        ("[1]".to_owned(), "line 1 is no object of JSON"),
        (
            row("") + "{\"text\": \"a\"}",
            "line 2 has text, which is not sent; take it out",
        ),
        (
            row(", \"session_id\": \"a\""),
            "line 1 has session_id, which is not sent",
        ),
        (
            row(", \"text_input\": \"a\""),
            "line 1 has text_input, which is not sent",
        ),
        (
            row("").replace("stamp", ""),
            "line 1 must have its time in milliseconds under timestamp",
        ),
        (
            late("true"),
            "line 2 must have its time in milliseconds under timestamp",
        ),
        (
            late("NaN"),
            "line 2 must have its time in milliseconds under timestamp",
        ),
        (
            late("1e999"),
            "line 2 must have its time in milliseconds under timestamp",
        ),
        (
            late("-1"),
            "line 2 must have its time in milliseconds under timestamp",
        ),
        (
            row("").replace("600", "0"),
            "line 1 must have a number of tokens under input_length, at least 1",
        ),
        (
            row("").replace("8}", "\"8\"}"),
            "line 1 must have a number of tokens under output_length, at least 1",
        ),
        (
            row(", \"hash_ids\": [1]"),
            "line 1 has 1 hash_ids, and its input_length is 2 blocks of 512 tokens",
        ),
        (
            row(", \"hash_ids\": {\"a\": 1}"),
            "line 1 must have a list of whole numbers under hash_ids",
        ),
        (
            row(", \"hash_ids\": [1, \"2\"]"),
            "line 1 must have a list of whole numbers under hash_ids",
        ),
        // A block has one length: 88 tokens here, and all of its 512 there.
        (
            row(", \"hash_ids\": [1, 2]")
                + &row(", \"hash_ids\": [1, 2, 3]").replace("600", "1100"),
            "line 2 has 512 tokens under the hash_id 2, and a line above it 88: AIPerf refuses that, or sends other prompts",
        ),
        (
            late("5") + &row(""),
            "line 3 is sent before the one above it: sort the lines by timestamp",
        ),
        (
            late("60000"),
            "line 2 is sent after 60 s, and sweep.point_timeout gives a point up after 60 s: raise that, or take the lines \
             above it alone, as with head -n 1",
        ),
        (
            row("").replace('}', ""),
            "at the beginning or behind it: this is no JSON",
        ),
    ] {
        let said = prompts("mooncake", text.as_bytes(), 0, &[]);
        let form = "error: missing: a data set of the form \"mooncake\" in /data/it s.jsonl: ";
        assert!(said.starts_with(form) && said.contains(expected), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(prompts("mooncake", late("59999").as_bytes(), 0, &[]), "");
}
