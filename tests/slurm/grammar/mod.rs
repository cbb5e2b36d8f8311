//! What the crate takes, sbatch takes as well, in each release that Debian has, and
//! means the same by it. What sbatch takes and the crate refuses is on a list in the
//! crate's documentation.
//!
//! `NIM_SLURM_CASES=100` tries as many texts of each pattern, all hostile texts in
//! each release, and ten times as many whole scripts.

mod meanings;
mod pairs;
mod refusals;
mod scripts;
mod site;
mod slurms;
mod tally;
mod values;

use std::time::SystemTime;
use std::{env, thread};

use nim_slurm::slurm::{Directives, OptionName};
use proptest::test_runner::TestRunner;

use self::slurms::{Answer, Slurm, hold_controllers, slurms};
use self::tally::Tally;
use crate::lab::Lab;

/// A job that was given to the crate and to sbatch.
struct Job {
    /// The options that it is about.
    names: Vec<OptionName>,
    /// As it was given, for a person.
    given: String,
    /// The options, if the crate takes them.
    taken: Result<Directives, String>,
    asked: SystemTime,
    answer: Answer,
    /// What sbatch makes of the text itself, where the crate writes another one.
    as_given: Option<Answer>,
}

impl Job {
    /// One option with a text; the crate's own spelling of it, or if the crate refuses
    /// it, the text as it is.
    fn with_text(slurm: &Slurm, name: OptionName, text: &str, others: &str) -> Self {
        let others: Directives = toml::from_str(others).unwrap();
        let asked = SystemTime::now();
        let taken = taken(slurm, name, text, others.clone());
        let mut arguments = others.arguments();
        arguments.retain(|argument| !argument.starts_with(&format!("{name}=")));
        arguments.push(format!("{name}={text}"));
        let as_given = || slurm.submit(&arguments, "#!/bin/sh\ntrue\n");
        let (answer, as_given) = if let Ok(directives) = &taken {
            let is_rewritten = directives.get(name).is_some_and(|own| own != text);
            let answer = slurm.submit(&[], &(directives.header() + "true\n"));
            (answer, is_rewritten.then(as_given))
        } else {
            (as_given(), None)
        };
        Self {
            names: vec![name],
            given: text.to_owned(),
            taken,
            asked,
            answer,
            as_given,
        }
    }

    /// Many options together.
    fn with_options(slurm: &Slurm, directives: Directives) -> Self {
        let asked = SystemTime::now();
        Self {
            names: directives.names().collect(),
            given: directives.arguments().join(" "),
            asked,
            answer: slurm.submit(&[], &(directives.header() + "true\n")),
            as_given: None,
            taken: Ok(directives),
        }
    }
}

/// The options of a job with one more, or why a plan refuses it.
fn taken(
    slurm: &Slurm,
    name: OptionName,
    text: &str,
    mut directives: Directives,
) -> Result<Directives, String> {
    directives
        .set(name, text)
        .map_err(|error| error.to_string())?;
    if let Some(conflict) = directives.conflicts().first() {
        return Err(format!("{conflict:?}"));
    }
    if let Some(need) = directives.needs().first() {
        return Err(format!("{need:?}"));
    }
    if let Some(unknown) = directives.unknown_to(slurm.release()).first() {
        return Err(format!("{unknown:?}"));
    }
    Ok(directives)
}

/// How much is tried.
#[derive(Clone, Copy)]
struct Effort {
    /// Texts of each pattern as they are meant, and as many mistyped.
    cases: usize,
    scripts: usize,
    /// Every so many of the hostile texts, another share in each release.
    share: usize,
}

impl Effort {
    fn of_the_caller() -> Self {
        match env::var("NIM_SLURM_CASES") {
            Ok(cases) => {
                let cases = cases.parse().unwrap();
                Self {
                    cases,
                    scripts: cases * 10,
                    share: 1,
                }
            }
            Err(_) => Self {
                cases: 4,
                scripts: 150,
                share: 3,
            },
        }
    }
}

/// Compares all options of a release, each alone and then many together.
fn compare(slurm: &Slurm, place: usize, effort: Effort) -> [Tally; 2] {
    // The same texts each time, so that a failure can be looked at again.
    let mut runner = TestRunner::deterministic();
    let mut alone = Tally::default();
    for &name in OptionName::ALL {
        let mut texts = values::texts(name, effort.cases, &mut runner);
        texts.extend(values::hostile(name, place, effort.share));
        if !(name.first_release()..=name.last_release()).contains(&slurm.release()) {
            continue;
        }
        let job = |(text, others): &(String, &str)| Job::with_text(slurm, name, text, others);
        let jobs: Vec<_> = texts.iter().map(job).collect();
        alone.add(slurm, &jobs);
        slurm.cancel_all();
    }
    let mut together = Tally::default();
    let scripts = (0..effort.scripts).map(|_| scripts::script(slurm, &mut runner));
    let jobs: Vec<_> = scripts
        .map(|script| Job::with_options(slurm, script))
        .collect();
    together.add(slurm, &jobs);
    slurm.cancel_all();
    [alone, together]
}

#[test]
#[ignore = "needs the Slurm lab: run tests/run"]
fn sbatch_takes_what_the_types_take() {
    let lab = Lab::without_images();
    let effort = Effort::of_the_caller();
    let _held = hold_controllers();
    let slurms = slurms(&lab);
    let tallies: Vec<_> = thread::scope(|scope| {
        let slurms = slurms.iter().enumerate();
        let compare = |(place, slurm)| scope.spawn(move || compare(slurm, place, effort));
        let threads: Vec<_> = slurms.map(compare).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for (slurm, [alone, together]) in slurms.iter().zip(&tallies) {
        println!("Slurm {}, each option alone: {alone}", slurm.version);
        println!("Slurm {}, many options together: {together}", slurm.version);
    }
    let tallies: Vec<_> = tallies.iter().flatten().collect();
    let mut faults: Vec<_> = tallies
        .iter()
        .flat_map(|tally| tally.disagreements())
        .collect();
    // What no release takes has no place on the list, and neither has a reason that
    // nothing has.
    let not_taken = refusals::examples()
        .filter(|&(name, text)| {
            !tallies
                .iter()
                .any(|tally| tally.is_refused_by_us(name, text))
        })
        .map(|(name, text)| format!("no sbatch takes the list's example {name}={text}"));
    faults.extend(not_taken);
    let without = refusals::names()
        .into_iter()
        .filter(|reason| !tallies.iter().any(|tally| tally.has(reason)))
        .map(|reason| format!("nothing was refused for {reason:?}"));
    faults.extend(without);
    let known: Vec<_> = OptionName::ALL
        .iter()
        .filter(|&&name| !tallies.iter().any(|tally| tally.met(name)))
        .map(|name| format!("no release was asked for {name}"))
        .collect();
    faults.extend(known);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
