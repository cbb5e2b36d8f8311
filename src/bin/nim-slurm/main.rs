//! `nim-slurm`: the library as a program.

#![expect(
    clippy::doc_markdown,
    reason = "the comments on the flags are their help text"
)]

mod check;
mod demo;
mod explain;
mod follow;
mod inputs;
mod output;
mod pages;
mod reattach;
mod recipes;
mod render;
mod report;
mod run;
mod sbatch_option;
mod shared;
mod status;
mod submit;
mod view;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use nim_slurm::slurm::OptionName;

use crate::output::{Failure, OutputFlags};

/// Benchmark inference servers on a Slurm cluster.
///
/// A recipe says what is run, settings say where. Each option of sbatch is taken from the flags, else from sbatch's own
/// variables (SBATCH_PARTITION, ...), else from the settings file, else from the recipe.
///
/// Exit code: 0 on success, 2 on bad input, 130 after Ctrl-C (the jobs go on), 141 when nobody reads on, 1 on anything
/// else. Results go to stdout, all else to stderr.
#[derive(Parser)]
#[command(
    name = "nim-slurm",
    version,
    max_term_width = 100,
    propagate_version = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    output: OutputFlags,
}

#[derive(Subcommand)]
enum Command {
    Render(render::Arguments),
    Explain(explain::Arguments),
    Check(check::Arguments),
    Run(run::Arguments),
    Submit(submit::Arguments),
    Follow(follow::Arguments),
    Status(status::Arguments),
    Report(report::Arguments),
    Recipes(recipes::Arguments),
    Completions(pages::Completions),
    Man(pages::Man),
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let texts: Vec<_> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let program = Arguments::command().color(output::color_choice(&texts));
    let matches = program
        .try_get_matches_from(words)
        .unwrap_or_else(|error| exit(error));
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    output::set(arguments.output);
    match run(&arguments.command) {
        // As a program that SIGPIPE ended: not 0, which would say that a job that was followed succeeded.
        Ok(_) if output::is_reader_gone() => ExitCode::from(141),
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// Shows what clap found, and ends the program. It knows no flags of sbatch, and would tell of another one; and it would show
/// the value of an `export` that is refused, which may be a secret.
fn exit(mut error: clap::Error) -> ! {
    let value = error.get(ContextKind::InvalidValue);
    if matches!(value, Some(ContextValue::String(value)) if value.contains("export")) {
        let hidden = ContextValue::String("...".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(given)) if error.kind() == ErrorKind::UnknownArgument => given,
        _ => error.exit(),
    };
    let mut options = OptionName::ALL.iter();
    let option = options.find(|option| option.to_string() == *given);
    let Some(option) = option else { error.exit() };
    let name = given.trim_start_matches('-');
    let words = format!(
        "unexpected argument {given}: render, explain, check, run, submit and follow take sbatch's {option} as --sbatch {name}=VALUE, \
         or as --sbatch launch.{name}=VALUE for one script"
    );
    Failure::Input(words.into()).report();
    std::process::exit(2)
}

fn run(command: &Command) -> Result<ExitCode, Failure> {
    // What these read and write is named from here.
    if let Command::Render(_) | Command::Check(_) | Command::Run(_) | Command::Submit(_) = command {
        output::own_folder()?;
    }
    match command {
        Command::Render(arguments) => render::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Check(arguments) => return check::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Submit(arguments) => submit::run(arguments),
        Command::Follow(arguments) => follow::run(arguments),
        Command::Status(arguments) => return status::run(arguments),
        Command::Report(arguments) => return report::run(arguments),
        Command::Recipes(arguments) => recipes::run(arguments),
        Command::Completions(arguments) => pages::completions(arguments),
        Command::Man(arguments) => pages::man(arguments),
    }?;
    Ok(ExitCode::SUCCESS)
}
