//! Whatever a user writes into a field, bash reads it back as it was, and nothing
//! of it runs; and sbatch reads its directives back in the same way.

use std::io::Write;
use std::process::{Command, Stdio};

use nim_slurm::recipe::Word;
use nim_slurm::slurm::{Comment, Directives, JobName};
use nim_slurm::{Plan, Recipe, Settings, shell_word};
use proptest::prelude::*;

/// What a shell might do something with.
const NASTY: [&str; 24] = [
    "it's",
    "'",
    "''",
    "'\\''",
    "\"",
    "$HOME",
    "${IFS}",
    "$(touch ran)",
    "`touch ran`",
    "\\",
    "\\n",
    "a\nb",
    "\n",
    " ",
    " lead and trail ",
    "\t",
    "*",
    "~",
    "!x",
    "#no comment",
    "; touch ran",
    "&& touch ran",
    "{model_path}",
    "ü→漢字",
];

/// Runs a program in bash, in a folder of its own; what it prints, cut at NUL.
/// Fails when the program leaves a file behind.
fn bash(program: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("bash")
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = program.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "something ran"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// The settings of a script, which are plain assignments.
fn settings_of(script: &str) -> &str {
    let (_, rest) = script.split_once("\n# ---- Settings").unwrap();
    rest.split_once("\n# ---- Common ground")
        .unwrap()
        .0
        .split_once('\n')
        .unwrap()
        .1
}

#[test]
fn nasty_words_in_a_script() {
    let words: Vec<Word> = NASTY.iter().map(|text| text.parse().unwrap()).collect();
    let mut recipe =
        Recipe::llama3_70b_h100x4_fp8().with_tokenizer("/opt/it's $(touch ran)".parse().unwrap());
    recipe.server.command.clone_from(&words);
    for (number, word) in words.iter().enumerate() {
        recipe
            .server
            .environment
            .insert(format!("N{number}").parse().unwrap(), word.clone());
    }
    let script = Plan::new(recipe, Settings::new()).unwrap().launch();
    let program = format!(
        "{}\nprintf '%s\\0' \"${{server_command[@]}}\"\nprintf '%s\\0' \"${{server_environment[@]}}\" \"$tokenizer\"",
        settings_of(script.text())
    );
    let read = bash(&program);
    assert_eq!(read[..NASTY.len()], NASTY);
    for (number, text) in NASTY.iter().enumerate() {
        assert!(read.contains(&format!("N{number}={text}")), "{text:?}");
    }
    assert_eq!(read.last().unwrap(), "/opt/it's $(touch ran)");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// A hundred words at a time, since starting bash is what takes the time.
    #[test]
    fn any_word(words in prop::collection::vec("[^\0]{0,40}", 100)) {
        let quoted: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
        let program = format!("words=(\n{}\n)\nprintf '%s\\0' \"${{words[@]}}\"", quoted.join("\n"));
        prop_assert_eq!(bash(&program), words);
    }

    /// Printable text in directives, without what turns it around, read by sbatch's rules.
    #[test]
    fn any_directive(text in "[^\\p{Cc}\u{61c}\u{200e}\u{200f}\u{2028}-\u{202e}\u{2066}-\u{2069}]{1,60}") {
        let name = text.replace('/', "-");
        let directives = Directives::new()
            .job_name(JobName::parse(&name).unwrap())
            .comment(Comment::parse(&text).unwrap());
        let read = directives_of(&directives.header());
        prop_assert_eq!(read, [format!("--job-name={name}"), format!("--comment={text}")]);
    }
}

/// Reads directives as sbatch does: a blank ends a word, quotes group and are
/// taken off, a backslash takes the next character as it is (inside quotes as
/// well), and a `#` outside of quotes ends the line.
fn directives_of(script: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in script
        .lines()
        .filter_map(|line| line.strip_prefix("#SBATCH"))
    {
        let mut word: Option<String> = None;
        let mut quote = None;
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            match c {
                '\\' => word.get_or_insert_default().extend(characters.next()),
                c if quote == Some(c) => quote = None,
                '"' | '\'' if quote.is_none() => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                '#' if quote.is_none() => break,
                c if quote.is_none() && c.is_ascii_whitespace() => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        assert_eq!(quote, None, "{line}");
        words.extend(word);
    }
    words
}
