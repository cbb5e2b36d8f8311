//! How the program speaks: results to stdout, all else to stderr, and how it ends.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ColorChoice};
use nim_slurm::{VariableError, plain, shell_word};

/// How it is printed.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// When to use colors; auto: at a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,

    /// Print results, warnings and errors, but no notes
    #[arg(short, long, global = true)]
    quiet: bool,
}

static FLAGS: OnceLock<OutputFlags> = OnceLock::new();

/// Sets how it is printed from here on.
pub(crate) fn set(flags: OutputFlags) {
    let _ = FLAGS.set(flags);
}

pub(crate) fn is_quiet() -> bool {
    FLAGS.get().is_some_and(|flags| flags.quiet)
}

/// What `--color` says, looked up before clap reads the flags and may complain of them in color.
pub(crate) fn color_choice(words: &[String]) -> ColorChoice {
    let mut choice = ColorChoice::Auto;
    for (index, word) in words.iter().enumerate() {
        let value = match word.strip_prefix("--color=") {
            None if word == "--color" => words.get(index + 1).map(String::as_str),
            value => value,
        };
        choice = match value {
            Some("always") => ColorChoice::Always,
            Some("never") => ColorChoice::Never,
            _ => choice,
        };
    }
    choice
}

fn has_color(stream: &impl IsTerminal) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match FLAGS.get().map_or(ColorChoice::Auto, |flags| flags.color) {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            stream.is_terminal() && !is_set("NO_COLOR") && !is_dumb
        }
    }
}

/// A word in the color of what it says: `error`, `warning`, `note`, `ok`.
pub(crate) fn colored(word: &str, stream: &impl IsTerminal) -> String {
    let code = match word.trim_end_matches([' ', ':']) {
        "error" => "1;31",
        "warning" => "1;33",
        "note" => "1;36",
        "ok" => "32",
        _ => return word.to_owned(),
    };
    if has_color(stream) {
        format!("\u{1b}[{code}m{word}\u{1b}[0m")
    } else {
        word.to_owned()
    }
}

/// How many columns a line of sentences has: as many as the terminal, and 100 at most.
pub(crate) fn columns() -> usize {
    const MOST: usize = 100;
    const FEWEST: usize = 40;
    // Where stdout goes elsewhere, stderr or stdin is still the terminal.
    terminal_size::terminal_size()
        .map_or(MOST, |(width, _)| usize::from(width.0).clamp(FEWEST, MOST))
}

/// The program as it was started, as a word of a command.
pub(crate) fn program() -> String {
    let name = std::env::args_os().next().filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "nim-slurm".into());
    shell_word(&name.to_string_lossy())
}

/// The folder in which the program was started.
pub(crate) fn own_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        let words =
            format!("the folder in which this was started is gone ({error}): cd to another one");
        Failure::Other(words.into())
    })
}

/// What ends the program early: bad input, or anything else.
pub(crate) enum Failure {
    Input(Box<dyn std::error::Error>),
    Other(Box<dyn std::error::Error>),
}

pub(crate) fn input(error: impl std::error::Error + 'static) -> Failure {
    Failure::Input(Box::new(error))
}

pub(crate) fn other(error: impl std::error::Error + 'static) -> Failure {
    Failure::Other(Box::new(error))
}

impl Failure {
    /// Says on stderr what happened, and why; the exit code for it.
    pub(crate) fn report(&self) -> ExitCode {
        let (Self::Input(error) | Self::Other(error)) = self;
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        let variables = error.downcast_ref::<VariableError>();
        for other in variables.into_iter().flat_map(VariableError::others) {
            text.push_str(&format!("\n{other}: {}", other.value_error()));
        }
        // Errors quote files and programs, some of which have several lines.
        let lines: Vec<_> = text.lines().map(plain).collect();
        let mark = colored("error:", &std::io::stderr());
        // The exit code says it, too, where nobody hears it.
        let _ = writeln!(std::io::stderr(), "{mark} {}", lines.join("\n"));
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Other(_) => ExitCode::from(1),
        }
    }
}

/// Whether nobody reads stdout any more.
static IS_READER_GONE: AtomicBool = AtomicBool::new(false);

/// Whether nobody reads stdout any more, as behind `| head -1`: what is begun is ended, and nothing is waited for.
pub(crate) fn is_reader_gone() -> bool {
    IS_READER_GONE.load(Ordering::Relaxed)
}

/// Prints to stdout; a reader that has gone away is no failure of ours to shout about.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            IS_READER_GONE.store(true, Ordering::Relaxed);
            Ok(())
        }
        printed => printed
            .map_err(|error| Failure::Other(format!("cannot write to stdout: {error}").into())),
    }
}

/// Prints what a program reads.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(other)?;
    print(&format!("{text}\n"))
}

/// Says a line on stderr, unless nobody can hear it.
pub(crate) fn tell(line: &str) {
    tell_lines(&format!("{}\n", plain(line)));
}

/// Says whole lines on stderr, which have nothing of others in them.
pub(crate) fn tell_lines(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says on stderr what is good to know, unless it is not wanted.
pub(crate) fn note(words: &str) {
    if !is_quiet() {
        let mark = colored("note:", &std::io::stderr());
        let _ = writeln!(std::io::stderr(), "{mark} {}", plain(words));
    }
}
