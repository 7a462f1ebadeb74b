//! Numbers, durations and plurals as people read them.
//!
//! Nothing here knows what is counted.

use std::time::Duration;

/// A number with thousands separators.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 row`, `1,204 rows`.
pub(super) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A number of rows.
pub(super) fn rows(n: u64) -> String {
    counted(n, "row", "rows")
}

/// A length for `{:>width$}` and loops, from a collection's size.
pub(super) fn length(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A duration in its two largest units: `45 s`, `2 min`, `1 h 5 min`, `3 d 2 h`.
pub(super) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let (large, rest) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => (format!("{minutes} min"), part(seconds % 60, "s")),
        3_600..86_400 => (format!("{hours} h"), part(minutes % 60, "min")),
        _ => (format!("{} d", number(days)), part(hours % 24, "h")),
    };
    format!("{large}{rest}")
}

fn part(n: u64, unit: &str) -> String {
    if n == 0 {
        String::new()
    } else {
        format!(" {n} {unit}")
    }
}

/// How long one request took: `340 ms`, `1.2 s`.
pub(super) fn took(took: Duration) -> String {
    match took.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        millis @ 1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => duration(took.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thousands_separators() {
        let table = [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (n, expected) in table {
            assert_eq!(number(n), expected);
        }
    }

    #[test]
    fn one_is_singular_and_all_else_is_plural() {
        assert_eq!(rows(0), "0 rows");
        assert_eq!(rows(1), "1 row");
        assert_eq!(rows(2), "2 rows");
        assert_eq!(rows(1_204), "1,204 rows");
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let table = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h"),
            (3_905, "1 h 5 min"),
            (86_399, "23 h 59 min"),
            (93_600, "1 d 2 h"),
        ];
        for (seconds, expected) in table {
            assert_eq!(duration(seconds), expected);
        }
        assert_eq!(took(Duration::from_millis(999)), "999 ms");
        assert_eq!(took(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(took(Duration::from_secs(61)), "1 min 1 s");
    }
}
