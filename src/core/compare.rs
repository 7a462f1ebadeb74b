//! Canonical forms: equality is a property of the field, not of the value.
//!
//! A form is taken before every comparison and before every digest, so both
//! agree. It must never be sent: what is sent is the value itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How two values of a field are compared (`x-compare`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Equal JSON values.
    #[default]
    Exact,
    /// Equal numbers, also where one side is a numeric string.
    Number,
    /// Equal sets of items; order and repetition say nothing.
    Set,
    /// Equal digits and leading plus sign; separators say nothing.
    Phone,
    /// Equal after lower-casing.
    Nocase,
    /// The same instant, however it is written.
    Instant,
}

impl Compare {
    /// The canonical form of a value. Null stays null under every comparison.
    ///
    /// ```
    /// use clientsync::core::Compare;
    /// use serde_json::json;
    /// assert_eq!(Compare::Number.canonical(&json!("10.00")), Compare::Number.canonical(&json!(10)));
    /// assert_eq!(Compare::Phone.canonical(&json!("+12 345-678")), json!("+12345678"));
    /// ```
    #[must_use]
    pub fn canonical(self, value: &Value) -> Value {
        match (self, value) {
            (Self::Number, Value::String(text)) => {
                canonical_number(text).map_or_else(|| value.clone(), Value::String)
            }
            (Self::Number, Value::Number(number)) => {
                canonical_number(&number.to_string()).map_or_else(|| value.clone(), Value::String)
            }
            (Self::Set, Value::Array(items)) => {
                let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
                texts.sort_unstable();
                texts.dedup();
                Value::Array(texts.into_iter().map(Value::String).collect())
            }
            (Self::Phone, Value::String(text)) => Value::String(canonical_phone(text)),
            (Self::Nocase, Value::String(text)) => Value::String(text.to_lowercase()),
            (Self::Instant, Value::String(text)) => match text.parse::<Timestamp>() {
                Ok(instant) => Value::String(instant.to_string()),
                Err(_) => value.clone(),
            },
            _ => value.clone(),
        }
    }

    /// Whether two values are equal under this comparison.
    #[must_use]
    pub fn equal(self, one: &Value, other: &Value) -> bool {
        one == other || self.canonical(one) == self.canonical(other)
    }
}

/// Whether a value counts as empty: null, an empty text, an empty list.
#[must_use]
pub fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Digits and a leading plus. A text in which something else than digits and
/// separators stands (an extension, a word) keeps it, lower-cased, so that two
/// different extensions stay different.
fn canonical_phone(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}'))
        .flat_map(char::to_lowercase)
        .collect();
    // Last, because white space may stand inside of separators.
    kept.trim().to_owned()
}

/// The shortest decimal text of a number: no exponent, no needless zero.
/// Works on the text, so that no digit is lost; `None` where it is no number.
fn canonical_number(text: &str) -> Option<String> {
    let text = text.trim();
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || exponent.unsigned_abs() > 400 {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let (whole, fraction) = if point <= 0 {
        (
            String::new(),
            format!("{}{all}", "0".repeat(usize::try_from(-point).ok()?)),
        )
    } else {
        let point = usize::try_from(point).ok()?;
        if point >= all.len() {
            (
                format!("{all}{}", "0".repeat(point - all.len())),
                String::new(),
            )
        } else {
            (all[..point].to_owned(), all[point..].to_owned())
        }
    };
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() && fraction.is_empty() {
        return Some("0".to_owned());
    }
    let sign = if negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_by_their_value_and_lose_no_digit() {
        let equal = |a: Value, b: Value| Compare::Number.equal(&a, &b);
        assert!(equal(json!("10.00"), json!(10)));
        assert!(equal(json!(1e3), json!("1000")));
        assert!(equal(json!("-0.0"), json!(0)));
        assert!(equal(json!("1.5e-2"), json!("0.0150")));
        assert!(!equal(
            json!("12345678901234567890123"),
            json!("12345678901234567890124")
        ));
        assert!(!equal(json!("ten"), json!(10)));
    }

    #[test]
    fn sets_ignore_order_and_repetition() {
        assert!(Compare::Set.equal(&json!([3, 1, 1]), &json!([1, 3])));
        assert!(!Compare::Set.equal(&json!([1]), &json!(["1"])));
    }

    #[test]
    fn phones_ignore_separators_but_not_extensions() {
        assert!(Compare::Phone.equal(&json!("+12 345678910"), &json!("+12345678910")));
        assert!(!Compare::Phone.equal(&json!("846-790-4623x4715"), &json!("846-790-4623x4716")));
        assert!(!Compare::Phone.equal(&json!("+49 1"), &json!("49 1")));
        assert!(Compare::Phone.equal(&json!("+49 1\t-"), &json!("+49 1")));
    }

    #[test]
    fn instants_ignore_the_offset_and_the_fraction_zero() {
        assert!(Compare::Instant.equal(
            &json!("2021-09-01T00:00:00+00:00"),
            &json!("2021-09-01T02:00:00.000+02:00")
        ));
        assert!(!Compare::Instant.equal(
            &json!("2021-09-01T00:00:00Z"),
            &json!("2021-09-01T00:00:01Z")
        ));
    }

    #[test]
    fn null_equals_only_null() {
        for compare in [
            Compare::Exact,
            Compare::Number,
            Compare::Set,
            Compare::Phone,
            Compare::Nocase,
            Compare::Instant,
        ] {
            assert!(compare.equal(&Value::Null, &Value::Null));
            assert!(!compare.equal(&Value::Null, &json!("")));
        }
    }
}
