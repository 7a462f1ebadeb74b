//! The closed set of named checks: rules between members that JSON Schema
//! cannot say (`[[check]]` of a manifest).
//!
//! They judge a final body; they never change it, and no message holds a value.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::ProviderError;
use super::check::meaning;
use super::contract::{Checked, Contract};
use super::leaf::{LeafType, Scalar};
use super::violation::Violation;
use crate::core::{FieldPath, Pointer};

/// A rule between members, by its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum NamedCheck {
    /// A day or an instant is not before another one.
    NotBefore {
        /// The later one.
        pointer: Pointer,
        /// The earlier one.
        other: Pointer,
    },
    /// A remote id, or a list of them, does not name the record itself.
    NotSelf {
        /// The member that holds it.
        pointer: Pointer,
    },
    /// A record does not name another one whose period shares a day with its
    /// own. It is judged over the whole plan, not by a body.
    NoOverlap {
        /// The member that holds the other one's remote id.
        pointer: Pointer,
        /// The member that says whether there is a period.
        on: Pointer,
        /// The first day of the period.
        from: Pointer,
        /// The last day of the period.
        to: Pointer,
    },
}

impl NamedCheck {
    /// What a final body breaks; `id` is the record's own remote id. Members
    /// that the body does not hold break nothing.
    fn violation(&self, body: &Value, id: &str) -> Option<Violation> {
        let broken = |pointer: &Pointer, message: String| Violation {
            at: pointer.tokens().to_vec(),
            code: "E_INVALID",
            message,
        };
        match self {
            Self::NotBefore { pointer, other } => {
                let (late, early) = (text(body, pointer)?, text(body, other)?);
                is_before(late, early).then(|| {
                    let name = FieldPath::new(other.tokens().to_vec());
                    broken(pointer, format!("is before `{name}`"))
                })
            }
            Self::NotSelf { pointer } => {
                let named = match at(body, pointer)? {
                    Value::Array(items) => items.iter().any(|item| is_id(item, id)),
                    one => is_id(one, id),
                };
                named.then(|| broken(pointer, "names the record itself".to_owned()))
            }
            Self::NoOverlap { .. } => None,
        }
    }
}

/// What the named checks say against a body.
pub(super) fn broken_rules<'a>(
    checks: &'a [NamedCheck],
    body: &'a Value,
    id: &'a str,
) -> impl Iterator<Item = Violation> + 'a {
    checks.iter().filter_map(|check| check.violation(body, id))
}

/// The contract's verdict on a final body, and that of the named checks. What a
/// check relates is sent together, so a broken one always refuses the body.
pub(super) fn check_body(
    contract: &Contract,
    checks: &[NamedCheck],
    body: &Value,
    ours: &[Vec<String>],
    id: &str,
) -> Checked {
    let mut checked = contract.check_body(body, ours);
    checked.violations.extend(broken_rules(checks, body, id));
    checked
}

/// What makes a check impossible: members that are not there, or of a type that
/// it cannot judge; one finding for each check.
pub(super) fn check_rules(checks: &[NamedCheck], contract: &Contract) -> Vec<ProviderError> {
    let wrong = |check| check_rule(check, contract).err();
    checks.iter().filter_map(wrong).collect()
}

fn check_rule(check: &NamedCheck, contract: &Contract) -> Result<(), ProviderError> {
    let kind = |pointer: &Pointer, key: &str| {
        let path = FieldPath::new(pointer.tokens().to_vec());
        let rules = contract.leaf_rules(&path);
        rules.map(|rules| rules.kind).ok_or_else(|| {
            let why = format!("names `{pointer}`, which is no field of the contract");
            meaning(key, &why)
        })
    };
    let refuse = |key: &str, pointer: &Pointer, wanted: &str| {
        Err(meaning(
            key,
            &format!("names `{pointer}`, which is not {wanted}"),
        ))
    };
    let is_id = |pointer: &Pointer, key: &str| {
        let (LeafType::One(scalar) | LeafType::Many(scalar)) = kind(pointer, key)?;
        match scalar {
            Scalar::Text | Scalar::Integer => Ok(()),
            Scalar::Number | Scalar::Boolean => refuse(key, pointer, "an id"),
        }
    };
    let is_one = |pointer: &Pointer, key: &str, wanted: Scalar, name: &str| {
        if kind(pointer, key)? == LeafType::One(wanted) {
            return Ok(());
        }
        refuse(key, pointer, name)
    };
    match check {
        NamedCheck::NotBefore { pointer, other } => {
            is_one(pointer, "check.not_before", Scalar::Text, "a date")?;
            is_one(other, "check.not_before", Scalar::Text, "a date")
        }
        NamedCheck::NotSelf { pointer } => is_id(pointer, "check.not_self"),
        NamedCheck::NoOverlap {
            pointer,
            on,
            from,
            to,
        } => {
            is_id(pointer, "check.no_overlap")?;
            is_one(on, "check.no_overlap", Scalar::Boolean, "true or false")?;
            is_one(from, "check.no_overlap", Scalar::Text, "a date")?;
            is_one(to, "check.no_overlap", Scalar::Text, "a date")
        }
    }
}

fn at<'a>(body: &'a Value, pointer: &Pointer) -> Option<&'a Value> {
    let mut tokens = pointer.tokens().iter();
    tokens.try_fold(body, |value, name| value.get(name))
}

fn text<'a>(body: &'a Value, pointer: &Pointer) -> Option<&'a str> {
    at(body, pointer)?.as_str()
}

fn is_id(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Number(number) => number.to_string() == id,
        _ => false,
    }
}

/// Whether one day or instant is before another; what is neither is judged by
/// the contract.
fn is_before(one: &str, other: &str) -> bool {
    if let (Ok(one), Ok(other)) = (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        return one < other;
    }
    match (one.parse::<Date>(), other.parse::<Date>()) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn broken(check: &str, body: &Value) -> bool {
        let check: NamedCheck = toml::from_str(check).unwrap();
        check.violation(body, "17").is_some()
    }

    #[test]
    fn the_later_day_may_be_the_same_day() {
        let check = "rule = 'not_before'\npointer = '/to'\nother = '/from'";
        let body = |from: &str, to: &str| json!({"from": from, "to": to});
        assert!(!broken(check, &body("2026-06-01", "2026-06-01")));
        assert!(!broken(check, &body("2026-06-30", "2026-07-01")));
        assert!(broken(check, &body("2026-06-02", "2026-06-01")));
        assert!(!broken(
            check,
            &body("2026-06-01T10:00:00+02:00", "2026-06-01T08:00:00Z")
        ));
        assert!(broken(
            check,
            &body("2026-06-01T10:00:00+02:00", "2026-06-01T07:59:59Z")
        ));
        assert!(!broken(check, &json!({"to": "2026-06-01"})));
    }

    #[test]
    fn an_id_is_the_same_as_number_text_and_in_a_list() {
        let check = "rule = 'not_self'\npointer = '/deputy'";
        for own in [json!(17), json!("17"), json!([3, 17])] {
            assert!(broken(check, &json!({"deputy": own})));
        }
        for other in [json!(1), json!(null), json!([]), json!([171])] {
            assert!(!broken(check, &json!({"deputy": other})));
        }
    }

    #[test]
    fn a_check_that_nobody_knows_is_an_error() {
        let parse = |text: &str| toml::from_str::<NamedCheck>(text).is_err();
        assert!(parse("rule = 'not_later'\npointer = '/a'\nother = '/b'"));
        assert!(parse("rule = 'not_self'\npointer = '/a'\nother = '/b'"));
        assert!(parse("rule = 'not_before'\npointer = '/a'"));
    }
}
