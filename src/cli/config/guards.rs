//! `[guards]` and `[providers.NAME.guards]`: when a plan is refused.
//!
//! A guard that is not there yet must never be configured tighter than its
//! documented default without an answer: somebody would rely on it.

use crate::engine::{Guards, Limit};

use super::reader::{Section, Value, integer};

/// Guards that do not act yet, and the share of their documented default.
const LATER: [(&str, u32); 5] = [
    ("max_updates", 3_000),
    ("max_blanked", 5_000),
    ("max_same_value", 9_000),
    ("max_invalid", 2_000),
    ("max_unlinked", 10_000),
];

const MAX_FIELD_CHANGE: u32 = 5_000;

/// Reads a table of guards over those that hold without it.
pub(super) fn read(section: Option<Section<'_>>, base: Guards) -> Guards {
    let Some(mut section) = section else {
        return base;
    };
    let mut guards = base;
    if let Some(rows) = section.take("min_rows").and_then(|value| min_rows(&value)) {
        guards.min_rows = rows;
    }
    if let Some(limit) = section.take("max_row_drop").and_then(|value| limit(&value)) {
        guards.max_row_drop = limit;
    }
    for (name, default) in LATER {
        if let Some(value) = section.take(name) {
            not_tighter(&value, default);
        }
    }
    if let Some(columns) = section.section("max_field_change") {
        for value in columns.entries() {
            not_tighter(&value, MAX_FIELD_CHANGE);
        }
    }
    // `stop`, the default, is the tightest there is.
    section.choice("column_shift", &[("stop", ()), ("warn", ()), ("off", ())]);
    section.finish();
    guards
}

fn min_rows(value: &Value<'_>) -> Option<u64> {
    if value.inner().as_str() == Some("off") {
        return Some(0);
    }
    let rows = integer(value.inner()).and_then(|rows| u64::try_from(rows).ok());
    if rows.is_none() {
        value.refuse("must be a whole number of rows, or \"off\"");
    }
    rows
}

fn not_tighter(value: &Value<'_>, default: u32) {
    let tighter = match limit(value) {
        Some(Limit::Share(share)) => share < default,
        Some(Limit::Count(_)) => true,
        Some(Limit::Off) | None => false,
    };
    if tighter {
        value.later(&format!(
            ", and nothing guards the run until then; leave it out, or set it to \"{}%\" or more",
            default / 100
        ));
    }
}

fn limit(value: &Value<'_>) -> Option<Limit> {
    let parsed = match value.inner().as_str() {
        Some("off") => Some(Limit::Off),
        Some(text) => percent(text).map(Limit::Share),
        None => integer(value.inner())
            .and_then(|number| u64::try_from(number).ok())
            .map(Limit::Count),
    };
    if parsed.is_none() {
        value.refuse("must be a percentage from \"0%\" to \"100%\", a whole number, or \"off\"");
    }
    parsed
}

/// A percentage in hundredths of a percent; at most two decimals.
fn percent(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 2 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let hundredths: u32 = format!("{fraction:0<2}").parse().ok()?;
    let share = whole * 100 + hundredths;
    (share <= 10_000).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact_hundredths() {
        for (text, share) in [
            ("0%", 0),
            ("10%", 1_000),
            ("2.5%", 250),
            ("0.01%", 1),
            ("100%", 10_000),
        ] {
            assert_eq!(percent(text), Some(share), "{text}");
        }
        for text in [
            "", "%", "10", "100.01%", "-1%", "1e1%", "10 %", ".5%", "5.%", "0.001%", "1000%",
        ] {
            assert_eq!(percent(text), None, "{text}");
        }
    }
}
