//! Says, on a login node and before anything queues, what stands in the way of the
//! three jobs.

#![expect(
    clippy::doc_markdown,
    reason = "the comments on the flags are their help text"
)]

use std::process::ExitCode;

use clap::Parser;
use common::{Failure, input, other, print};
use nim_slurm::Plan;
use nim_slurm::preflight::{Finding, Preflight, Severity};
use site::Input;

mod common;
#[path = "common/site.rs"]
mod site;

/// Say what stands in the way of setup.sh, prepare_models.sh and launch.sh on this login node.
///
/// Looks at the programs on PATH, asks Slurm about the jobs, and looks at variables, logins, images and model. It
/// submits and changes nothing. Exit code: 0 when nothing stands in the way, 1 when something does, 2 for bad input.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    input: Input,

    /// Print {"schema": 1, "findings": [{"severity", "message", "fix"}]}
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let recipe = arguments.input.recipe()?;
    let plan = Plan::new(recipe, arguments.input.settings()?).map_err(input)?;
    let findings = Preflight::new(&plan, std::env::vars_os()).check();
    if arguments.json {
        let report = serde_json::json!({ "schema": 1, "findings": findings });
        let text = serde_json::to_string_pretty(&report).map_err(other)?;
        print(&format!("{text}\n"))?;
    } else {
        let text: String = findings.iter().map(lines).collect();
        print(&format!("{text}\n{}\n", verdict(&findings)))?;
    }
    Ok(if count(&findings, Severity::Error) == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// Where the sentences begin: behind the longest mark word.
const INDENT: usize = 9;
const WIDTH: usize = 100;

/// A finding as a person reads it: mark and sentence, and below them how to fix it.
fn lines(finding: &Finding) -> String {
    let mut text = format!("{:INDENT$}", finding.severity());
    fold(&mut text, finding.message(), INDENT);
    if let Some(fix) = finding.fix() {
        text.push_str(&" ".repeat(INDENT));
        fold(&mut text, &format!("-> {fix}"), INDENT + 3);
    }
    text
}

/// Appends words, with a new line where one would not fit, and a line break at the
/// end. A word is never broken: it may be a path to copy.
fn fold(text: &mut String, words: &str, indent: usize) {
    let mut column = INDENT;
    for (index, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings
        .iter()
        .filter(|finding| finding.severity() == severity)
        .count()
}

fn verdict(findings: &[Finding]) -> String {
    let (errors, warnings) = (
        count(findings, Severity::Error),
        count(findings, Severity::Warning),
    );
    let warnings = match warnings {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        more => format!("; {more} warnings"),
    };
    match errors {
        0 => format!("nothing stands in the way{warnings}"),
        1 => format!("1 thing stands in the way{warnings}"),
        more => format!("{more} things stand in the way{warnings}"),
    }
}
