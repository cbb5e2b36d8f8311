//! What the cells of a table mean.

/// The name that JSON files have for the metric in a table's label, and its unit:
/// `Time To First Token (ms)` is `time_to_first_token` in `ms`.
pub(super) fn name_and_unit(label: &str) -> (String, &str) {
    let label = label.trim();
    let (title, unit) = label
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once(" ("))
        .unwrap_or((label, ""));
    let mut name = String::with_capacity(title.len());
    for character in title.chars() {
        if character.is_alphanumeric() {
            name.extend(character.to_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    (name, unit)
}

/// A number as Python's `,.2f` and `str` write it, with or without commas between
/// thousands; `Ok(None)` for what the tools write when there is none.
pub(super) fn number(cell: &str) -> Result<Option<f64>, ()> {
    let cell = cell.trim();
    if matches!(cell, "" | "N/A" | "None") {
        return Ok(None);
    }
    let plain;
    let digits = if cell.contains(',') {
        if !has_thousands(cell) {
            return Err(());
        }
        plain = cell.replace(',', "");
        &plain
    } else {
        cell
    };
    // Rust reads words such as "inf", too.
    let value: f64 = digits.parse().map_err(drop)?;
    if value.is_finite() {
        Ok(Some(value))
    } else {
        Err(())
    }
}

/// Whether the commas stand where thousands end.
fn has_thousands(cell: &str) -> bool {
    let whole = cell.split('.').next().unwrap_or_default();
    let mut groups = whole.trim_start_matches('-').split(',');
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && groups.all(|group| group.len() == 3)
        && !cell[whole.len()..].contains(',')
        && whole
            .trim_start_matches('-')
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (cell, value) in [
            ("23.94", 23.94),
            ("5,919.16", 5919.16),
            ("1,234,567", 1_234_567.0),
            ("-1", -1.0),
            (" 7 ", 7.0),
            ("1e-05", 1e-5),
        ] {
            assert_eq!(number(cell), Ok(Some(value)), "{cell}");
        }
        for cell in ["", " ", "N/A", "None"] {
            assert_eq!(number(cell), Ok(None), "{cell}");
        }
        for cell in [
            "fast", "1,2", "5.919,16", ",123", "1,,234", "nan", "inf", "1 2", "0x1",
        ] {
            assert_eq!(number(cell), Err(()), "{cell}");
        }
    }

    #[test]
    fn labels() {
        for (label, name, unit) in [
            ("Time To First Token (ms)", "time_to_first_token", "ms"),
            ("Time to First Token (ms)", "time_to_first_token", "ms"),
            ("Output Sequence Length", "output_sequence_length", ""),
            (
                "HTTP Duration (excl. conn) (ms)",
                "http_duration_excl_conn",
                "ms",
            ),
            ("OSL Mismatch Diff % (%)", "osl_mismatch_diff", "%"),
        ] {
            assert_eq!(name_and_unit(label), (name.to_owned(), unit));
        }
    }
}
