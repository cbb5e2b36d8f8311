//! The templates keep the form in which quoting cannot be forgotten: each value
//! alone at the end of its line, with nothing in front that would take its quotes
//! for characters.

use std::fs;

#[path = "common/plans.rs"]
mod plans;

/// What is wrong with a line of a template.
fn fault(line: &str) -> Option<&'static str> {
    if line.contains("|safe")
        || line.contains("| safe")
        || line.contains("|escape")
        || line.contains("|e }")
    {
        return Some("a filter that takes the quotes off");
    }
    if line.contains("{%") && !(line.starts_with("{%- ") || line.starts_with("{% include ")) {
        return Some("a tag that does not stand alone at the line's start");
    }
    if line.contains("-%}") {
        return Some("a tag that eats the next line's break");
    }
    let is_comment = line.trim_start().starts_with('#');
    if !is_comment && line.split_whitespace().any(|word| word == "eval") {
        return Some("eval");
    }
    if !is_comment && line.contains("bash -c") {
        return Some("a command in a string");
    }
    let is_raw = |typed: &&str| {
        line.contains(&format!("{typed} $")) && !line.contains(&format!("{typed} $(printf %q "))
    };
    if !is_comment
        && ["chmod a+x", "chmod -R a+rX", "tail -f", "namei -l"]
            .iter()
            .any(is_raw)
    {
        return Some("a path to type that is not quoted");
    }
    // bash can lose its place, and end, when a second signal comes while a function handles the first.
    if line.contains("do trap ") && !line.contains("stopped_by=$name") {
        return Some("a signal's handler that is more than a note of it");
    }
    let start = line.find("{{")?;
    if line.matches("{{").count() > 1 {
        return Some("two values on one line");
    }
    if !line.ends_with("}}") {
        return Some("text behind a value");
    }
    let before = &line[..start];
    let takes_a_word = before.trim().is_empty() || before.ends_with('=');
    (!takes_a_word || before.contains(['"', '\'', '`', '$', '#']))
        .then_some("a value that is no word of its own")
}

#[test]
fn every_value_is_a_word_of_its_own() {
    let files = plans::templates();
    assert!(files.len() > 6, "{files:?}");
    let mut values = 0;
    for (file, lines) in files {
        for (number, line) in lines.iter().enumerate() {
            values += line.matches("{{").count();
            if let Some(fault) = fault(line) {
                panic!("{}:{}: {fault}: {line}", file.display(), number + 1);
            }
        }
    }
    assert!(values > 30, "only {values} values were seen");
}

/// What askama writes into it is text or stands between quotes; a script or a style of a
/// user's would be neither.
#[test]
fn the_page_takes_no_value_but_text() {
    for page in plans::PAGES {
        let text = fs::read_to_string(page).unwrap();
        for unsafe_form in ["|safe", "={{", "<script", " onload", "style=", "href="] {
            assert!(!text.contains(unsafe_form), "{page}: {unsafe_form}");
        }
    }
}

#[test]
fn the_lint_sees_what_it_is_for() {
    for line in [
        "x=\"{{ path }}/logs\"",
        "x=\"{{ path }}\"",
        "x={{ path }}/logs",
        "x=$({{ path }})",
        "x='{{ path }}'",
        "x={{ path|safe }}",
        "run {{ a }} {{ b }}",
        "  {%- if x %}",
        "{%- if x -%}",
        "eval \"$x\"",
        "srun bash -c \"$x\"",
        "say \"type: tail -f $log\"",
        "for name in TERM INT; do trap \"on_signal $name\" \"$name\"; done",
        "# the path is {{ path }}",
        "rm -rf {{ path }}",
    ] {
        assert!(fault(line).is_some(), "{line}");
    }
    for line in [
        "readonly x={{ path }}",
        "  {{ word }}",
        "say \"type: tail -f $(printf %q \"$log\")\"",
        "{%- for word in words %}",
        "{% include \"lib/x.sh\" %}",
    ] {
        assert_eq!(fault(line), None, "{line}");
    }
}
