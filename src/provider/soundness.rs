//! What is wrong with a contract before it judges anything: what JSON Schema
//! refuses, and what it lets pass although no contract can mean it.
//!
//! Everything is found in one pass, each with its place and in words.

use jiff::civil::Date;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::{Value, json};

use super::contract::compile;
use super::field::nearest;
use super::schema::{ContractError, is_set};

/// The types of JSON, as a schema spells them.
const TYPES: [&str; 7] = [
    "string", "integer", "number", "boolean", "array", "object", "null",
];

/// Keywords that hold one schema.
const ONE: [&str; 10] = [
    "additionalProperties",
    "items",
    "contains",
    "propertyNames",
    "if",
    "then",
    "else",
    "not",
    "unevaluatedProperties",
    "unevaluatedItems",
];

/// Keywords that hold schemas by name.
const NAMED: [&str; 4] = [
    "properties",
    "$defs",
    "patternProperties",
    "dependentSchemas",
];

/// Keywords that hold a list of schemas.
const SEVERAL: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

/// What a schema says that no contract can mean.
pub(super) fn check_meaning(schema: &Value) -> Vec<ContractError> {
    let mut found = Vec::new();
    walk(schema, "", &mut |node, at| {
        found.extend(unknown_types(node, at));
        found.extend(unlisted_members(node, at));
        if is_set(node, "readOnly") && is_set(node, "writeOnly") {
            let why = "stands beside `writeOnly`, so the member could be neither read nor written";
            found.push(value("readOnly", at, why));
        }
        if node.get("x-verified").is_some_and(|day| !is_day(day)) {
            let why = "is not a day of the form YYYY-MM-DD";
            found.push(value("x-verified", at, why));
        }
    });
    found
}

/// All that JSON Schema refuses of a schema; `first` is what its compiler said,
/// which stops at one.
pub(super) fn refused(schema: &Value, first: ContractError) -> Vec<ContractError> {
    let judge = jsonschema::meta::validator_for(schema).ok();
    let judged = judge.iter().flat_map(|judge| judge.iter_errors(schema));
    let mut all: Vec<ContractError> = judged.map(|error| in_words(&error)).collect();
    // The rules for schemas leave patterns to the compiler.
    walk(schema, "", &mut |node, at| {
        let pattern = node.get("pattern").filter(|pattern| pattern.is_string());
        let error = pattern.and_then(|pattern| compile(&json!({ "pattern": pattern })).err());
        if let Some(ContractError::Schema { why, .. }) = error {
            let at = format!("{at}/pattern");
            all.push(ContractError::Schema { at, why });
        }
    });
    // The compiler also knows what the rules for schemas do not say.
    if !all.iter().any(|one| one.place() == first.place()) {
        all.push(first);
    }
    all
}

/// A finding about a schema; a pattern with the reason, which the validator
/// keeps to itself.
pub(super) fn in_words(error: &ValidationError<'_>) -> ContractError {
    let pattern = match error.kind() {
        Kind::Format { format } if format == "regex" => error.instance().as_str(),
        _ => None,
    };
    ContractError::Schema {
        at: error.instance_path().as_str().to_owned(),
        why: pattern.map_or_else(
            || error.to_string(),
            |text| format!("`{text}` is no regular expression{}", why_no_pattern(text)),
        ),
    }
}

/// Why a pattern is no regular expression, where that can be said.
pub(super) fn why_no_pattern(pattern: &str) -> String {
    match regex_syntax::Parser::new().parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => {
            let column = error.span().start.column;
            format!(": {} at character {column}", error.kind())
        }
        Err(regex_syntax::Error::Translate(error)) => {
            let column = error.span().start.column;
            format!(": {} at character {column}", error.kind())
        }
        _ => String::new(),
    }
}

fn value(key: &'static str, at: &str, why: &str) -> ContractError {
    ContractError::Value {
        key,
        at: at.to_owned(),
        why: why.to_owned(),
    }
}

/// Calls `each` with every schema in a schema, and its place.
fn walk(node: &Value, at: &str, each: &mut impl FnMut(&Value, &str)) {
    let Value::Object(members) = node else {
        return;
    };
    each(node, at);
    for (key, inner) in members {
        let at = format!("{at}/{key}");
        match inner {
            Value::Object(named) if NAMED.contains(&key.as_str()) => {
                for (name, schema) in named {
                    walk(schema, &format!("{at}/{name}"), each);
                }
            }
            Value::Array(several) if SEVERAL.contains(&key.as_str()) => {
                for (place, schema) in several.iter().enumerate() {
                    walk(schema, &format!("{at}/{place}"), each);
                }
            }
            one if ONE.contains(&key.as_str()) => walk(one, &at, each),
            _ => {}
        }
    }
}

fn unknown_types(node: &Value, at: &str) -> Vec<ContractError> {
    let named: Vec<&str> = match node.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let known = TYPES.map(str::to_owned);
    let unknown = named.into_iter().filter(|name| !TYPES.contains(name));
    unknown
        .map(|name| {
            let hint = nearest(name, &known).map_or_else(
                || format!("the types are {}", TYPES.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            ContractError::Schema {
                at: format!("{at}/type"),
                why: format!("`{name}` is not a JSON type; {hint}"),
            }
        })
        .collect()
}

/// Members that a closed object needs and does not list: no record could keep
/// both rules.
fn unlisted_members(node: &Value, at: &str) -> Vec<ContractError> {
    if node.get("additionalProperties") != Some(&Value::Bool(false))
        || node.get("patternProperties").is_some()
    {
        return Vec::new();
    }
    let listed = |name: &str| {
        let listed = node.get("properties");
        listed.is_some_and(|listed| listed.get(name).is_some())
    };
    let mut found = Vec::new();
    for (part, place) in [("", ""), ("/then", "/then"), ("/else", "/else")] {
        let needed = node.pointer(&format!("{part}/required"));
        let needed = needed.and_then(Value::as_array).into_iter().flatten();
        for name in needed.filter_map(Value::as_str).filter(|n| !listed(n)) {
            found.push(value(
                "required",
                &format!("{at}{place}"),
                &format!("names `{name}`, which the object does not list and does not allow"),
            ));
        }
    }
    found
}

/// Whether a value is a day in the one form that a page shows.
fn is_day(day: &Value) -> bool {
    let text = day.as_str().unwrap_or_default();
    text.parse::<Date>()
        .is_ok_and(|day| day.to_string() == text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(schema: &Value) -> Vec<String> {
        check_meaning(schema)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn all_that_cannot_be_meant_is_found_at_once_and_at_its_place() {
        let schema = json!({
            "x-verified": "soon",
            "additionalProperties": false,
            "required": ["a", "c"],
            "properties": {
                "a": {"type": "strng"},
                "b": {"type": ["string", "money"], "readOnly": true, "writeOnly": true},
                "type": {"enum": ["type"]}
            },
            "then": {"required": ["d"]}
        });
        assert_eq!(
            said(&schema),
            [
                "the contract's `required` at the top names `c`, which the object does not list and \
                 does not allow",
                "the contract's `required` at `/then` names `d`, which the object does not list \
                 and does not allow",
                "the contract's `x-verified` at the top is not a day of the form YYYY-MM-DD",
                "the contract is not a JSON Schema (2020-12): at `/properties/a/type`: `strng` is \
                 not a JSON type; did you mean `string`?",
                "the contract is not a JSON Schema (2020-12): at `/properties/b/type`: `money` is \
                 not a JSON type; the types are string, integer, number, boolean, array, object, \
                 null",
                "the contract's `readOnly` at `/properties/b` stands beside `writeOnly`, so the \
                 member could be neither read nor written",
            ]
        );
    }

    #[test]
    fn what_is_sound_is_left_alone() {
        for schema in [
            json!({"x-verified": "2026-11-20", "properties": {"required": {"type": "null"}}}),
            json!({"required": ["a"], "properties": {}}),
            json!({"additionalProperties": false, "properties": {"a": {}}, "required": ["a"]}),
            json!({"const": {"type": "strng", "x-verified": "soon"}}),
            json!({"contains": {"properties": {"on": {"const": true}}, "required": ["on"]}}),
        ] {
            assert!(said(&schema).is_empty(), "{schema}");
        }
        for day in ["2026-02-30", "20261120", "2026-11-20T00:00:00", "1/2/2026"] {
            assert!(!is_day(&day.into()), "{day}");
        }
    }
}
