//! `completions` and `man`: what a shell and a reader want of the program.

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::output::{Failure, other, print};

/// Print completions for a shell
///
/// In bash: source <(nim-slurm completions bash)
///
/// In zsh: source <(nim-slurm completions zsh)
///
/// In fish: nim-slurm completions fish | source
#[derive(Args)]
pub(crate) struct Completions {
    shell: Shell,
}

/// Print a manual page, of the program or of one command
///
/// To read it: nim-slurm man render | man -l -
#[derive(Args)]
pub(crate) struct Man {
    #[arg(value_parser = PossibleValuesParser::new(commands()))]
    command: Option<String>,
}

const NAME: &str = "nim-slurm";

fn commands() -> [&'static str; 11] {
    [
        "render",
        "explain",
        "check",
        "run",
        "submit",
        "follow",
        "status",
        "report",
        "recipes",
        "completions",
        "man",
    ]
}

pub(crate) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut text = Vec::new();
    let mut program = crate::Arguments::command();
    clap_complete::generate(arguments.shell, &mut program, NAME, &mut text);
    let text = String::from_utf8_lossy(&text);
    // clap_complete takes the hyphen for one before a command in half of what it writes for bash.
    print(&text.replace("nim__subcmd__slurm", "nim__slurm"))
}

pub(crate) fn man(arguments: &Man) -> Result<(), Failure> {
    let mut program = crate::Arguments::command();
    // Global flags reach the commands, and each command has its whole name.
    program.build();
    let page = match &arguments.command {
        Some(name) => program
            .find_subcommand(name)
            .expect("clap checked it")
            .clone(),
        None => program,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(other)?;
    print(&String::from_utf8_lossy(&text))
}
