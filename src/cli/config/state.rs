//! `[state]`: where the state is kept, in which form and for how long.
//!
//! It must never open the state or read the key file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::{Section, Value};

/// The `[state]` table, with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateTable {
    /// The database file.
    pub path: PathBuf,
    /// The form in which values are kept.
    pub values: StoredValues,
    /// How long outcomes, rejects and saved plans are kept.
    pub keep_runs: Duration,
}

/// The form in which acknowledged values are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredValues {
    /// As they are; sensitive fields as digests all the same.
    Plain,
    /// As digests under the key in this file.
    Digest(PathBuf),
}

const DAY: Duration = Duration::from_secs(86_400);

/// Reads the table; without one, everything has its default.
pub(super) fn read(section: Option<Section<'_>>, directory: &Path) -> StateTable {
    let mut table = StateTable {
        path: directory.join("state/clientsync.db"),
        values: StoredValues::Plain,
        keep_runs: 90 * DAY,
    };
    let Some(mut section) = section else {
        return table;
    };
    if let Some(path) = section.text("path") {
        table.path = directory.join(path);
    }
    let digest = section
        .choice("values", &[("plain", false), ("digest", true)])
        .unwrap_or(false);
    let key_file = section.take("digest_key_file");
    match (digest, key_file) {
        (true, Some(file)) => {
            if let Some(file) = file.text() {
                table.values = StoredValues::Digest(directory.join(file));
            }
        }
        (true, None) => section.missing(
            "digest_key_file",
            "values = \"digest\" needs the file that holds its key",
        ),
        (false, Some(file)) => file.refuse_key("means nothing without values = \"digest\""),
        (false, None) => {}
    }
    if let Some(kept) = section.take("keep_runs").and_then(|value| keep(&value)) {
        table.keep_runs = kept;
    }
    section.finish();
    table
}

fn keep(value: &Value<'_>) -> Option<Duration> {
    let text = value.any_text()?;
    match parse_duration(&text) {
        Some(duration) if (DAY..=36_500 * DAY).contains(&duration) => Some(duration),
        _ => {
            value.refuse("must be a duration from \"1d\" to \"36500d\"");
            None
        }
    }
}

/// Reads a duration: whole numbers with one of the units `w`, `d`, `h`, `m`, `s`
/// each, the longest first and none twice, above 0 together.
///
/// ```
/// use clientsync::cli::config::parse_duration;
/// assert_eq!(parse_duration("2h").map(|d| d.as_secs()), Some(7200));
/// assert_eq!(parse_duration("1h30m").map(|d| d.as_secs()), Some(5400));
/// assert_eq!(parse_duration("10y"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(char, u64); 5] = [
        ('w', 604_800),
        ('d', 86_400),
        ('h', 3600),
        ('m', 60),
        ('s', 1),
    ];
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (digits, tail) = rest.split_at(end);
        let unit = tail.chars().next()?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        let number: u64 = digits.parse().ok()?;
        total = total.checked_add(number.checked_mul(*seconds)?)?;
        rest = &tail[unit.len_utf8()..];
    }
    (total > 0).then_some(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units_the_longest_first() {
        for (text, seconds) in [
            ("1s", 1),
            ("5m", 300),
            ("90d", 7_776_000),
            ("2w", 1_209_600),
            ("1h30m", 5400),
            ("1w2d3h4m5s", 788_645),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)));
        }
        for text in [
            "",
            "0",
            "0s",
            "abc",
            "10y",
            "-1d",
            "1.5h",
            "30m1h",
            "1h1h",
            "1h30",
            "h30m",
            "0h0m",
            "d",
            "5 m",
            "+1d",
            "9é",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
