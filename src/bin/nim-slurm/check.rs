//! `check`: what stands in the way of the three jobs, seen from this login node before anything
//! queues.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use nim_slurm::preflight::{Finding, Preflight, Severity};
use serde_json::json;

use crate::inputs::Inputs;
use crate::output::{Failure, colored, columns, is_quiet, print, print_json};

/// Say what stands in the way of the three jobs on this login node
///
/// Looks at the programs on PATH, asks Slurm about the jobs, and looks at variables, logins, images and model. It
/// submits and changes nothing. Exit code: 0 when nothing stands in the way, 1 when something does, 2 for bad input.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,

    /// List what is well, too
    #[arg(short, long, help_heading = "Output", conflicts_with = "json")]
    verbose: bool,

    /// Print {"schema": 1, "findings": [{"severity", "message", "fix"}]}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = arguments.inputs.plan()?;
    let findings = Preflight::new(&plan, std::env::vars_os()).check();
    if arguments.json {
        print_json(&json!({ "schema": 1, "findings": findings }))?;
    } else {
        let least = match (is_quiet(), arguments.verbose) {
            (true, _) => Severity::Warning,
            (false, true) => Severity::Ok,
            (false, false) => Severity::Note,
        };
        let mut text = String::new();
        let well = count(&findings, Severity::Ok);
        if least == Severity::Note && well > 0 {
            let mark = colored(&format!("{:INDENT$}", Severity::Ok), &std::io::stdout());
            text = format!("{mark}{well} looked at and well (--verbose lists them)\n");
        }
        text.push_str(&list(&findings, least, &std::io::stdout()));
        if !text.is_empty() {
            text.push('\n');
        }
        print(&format!("{text}{}\n", verdict(&findings)))?;
    }
    Ok(ExitCode::from(u8::from(
        count(&findings, Severity::Error) > 0,
    )))
}

/// Where the sentences begin: behind the longest mark word.
const INDENT: usize = 9;

/// The findings as a person reads them: what matters most stands last, where it is seen.
pub(crate) fn list(findings: &[Finding], least: Severity, stream: &impl IsTerminal) -> String {
    let mut shown: Vec<_> = findings
        .iter()
        .filter(|own| own.severity() >= least)
        .collect();
    shown.sort_by_key(|finding| finding.severity());
    shown.iter().map(|own| lines(own, stream)).collect()
}

/// A finding as a person reads it: mark and sentence, and below them how to fix it.
fn lines(finding: &Finding, stream: &impl IsTerminal) -> String {
    let mark = format!("{:INDENT$}", finding.severity());
    let mut text = colored(&mark, stream);
    fold(&mut text, finding.message(), INDENT);
    let mut arrow = "-> ";
    for words in parts(finding) {
        text.push_str(&" ".repeat(INDENT));
        text.push_str(std::mem::replace(&mut arrow, "   "));
        match words {
            Part::Words(words) => fold(&mut text, words, INDENT + 3),
            // Whole, however long: it is to be copied.
            Part::Command(command) => text.push_str(&format!("{command}\n")),
        }
    }
    text
}

/// What stands on lines of its own.
enum Part<'a> {
    Words(&'a str),
    Command(&'a str),
}

/// How to fix it: on one line where that is wide enough, else with each command apart.
fn parts(finding: &Finding) -> Vec<Part<'_>> {
    let Some(fix) = finding.fix() else {
        return Vec::new();
    };
    if INDENT + 3 + fix.chars().count() <= columns() {
        return vec![Part::Words(fix)];
    }
    let mut parts = Vec::new();
    let mut end = 0;
    for place in finding.commands() {
        parts.push(Part::Words(&fix[end..place.start]));
        parts.push(Part::Command(&fix[place.clone()]));
        end = place.end;
    }
    parts.push(Part::Words(&fix[end..]));
    for part in &mut parts {
        if let Part::Words(words) = part {
            *words = words.trim_start_matches([',', ';']).trim();
        }
    }
    parts.retain(|part| !matches!(part, Part::Words("")));
    parts
}

/// Appends words, with a new line where one would not fit, and a line break at the
/// end. A word is never broken: it may be a path to copy.
fn fold(text: &mut String, words: &str, indent: usize) {
    let width = columns();
    let mut column = indent;
    for (index, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > width {
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

pub(crate) fn verdict(findings: &[Finding]) -> String {
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
