//! One field of a contract, put into what the report shows.

use serde_json::Value;

use super::page::rule_line;
use crate::core::{Clear, Visibility};
use crate::provider::{FieldFacts, FieldRole, RuleFacts};
use crate::report::FieldLine;

/// One field with its type, its rules and what else is true of it.
pub(super) fn field(facts: &FieldFacts) -> FieldLine {
    let schema = &facts.schema;
    let text = |key: &str| schema.get(key).and_then(Value::as_str).map(str::to_owned);
    let (key, description) = match &facts.role {
        FieldRole::Member => (None, text("description")),
        FieldRole::Value { keys } => (Some(star("a key of your own", keys)), text("description")),
        FieldRole::Entry { key, keys } => (
            Some(star(&format!("the entry's {key}"), keys)),
            text("description"),
        ),
        FieldRole::Flag { key, member } => (
            None,
            Some(format!(
                "The {key} of the one entry whose {member} is true; that of the others is false."
            )),
        ),
    };
    FieldLine {
        path: facts.path.clone(),
        kind: kind(schema),
        key,
        constraints: facts.rules.iter().map(|rule| rule.text.clone()).collect(),
        rules: facts.rules.iter().cloned().map(rule_line).collect(),
        message: text("x-message"),
        flags: flags(facts),
        writable: !is_set(schema, "readOnly") && !is_set(schema, "x-immutable"),
        clear: match facts.clear {
            Clear::Null => "null",
            Clear::Remove => "remove",
            Clear::Unsupported => "no",
        }
        .to_owned(),
        description,
        source: text("x-source"),
    }
}

/// What `*` stands for in a path.
fn star(what: &str, keys: &[RuleFacts]) -> String {
    let rules: Vec<&str> = keys.iter().map(|rule| rule.text.as_str()).collect();
    match rules[..] {
        [] => what.to_owned(),
        _ => format!("{what}, which {}", rules.join(", and ")),
    }
}

fn is_set(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn flags(facts: &FieldFacts) -> Vec<String> {
    let schema = &facts.schema;
    let mut flags: Vec<String> = [
        ("readOnly", "read-only"),
        ("writeOnly", "write-only"),
        ("x-immutable", "immutable"),
    ]
    .into_iter()
    .filter(|(key, _)| is_set(schema, key))
    .map(|(_, word)| word.to_owned())
    .collect();
    if facts.visibility == Visibility::Sensitive {
        flags.push("hidden".to_owned());
    }
    if facts.required {
        flags.push("required".to_owned());
    }
    if let Some(compare) = schema.get("x-compare").and_then(Value::as_str) {
        flags.push(format!("compared as {compare}"));
    }
    if let Some(place) = schema.get("x-read-as").and_then(Value::as_str) {
        flags.push(format!("read at {place}"));
    }
    flags
}

fn kind(schema: &Value) -> String {
    let names = |value: &Value| match value {
        Value::String(name) => name.clone(),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    };
    let own = schema.get("type").map_or_else(|| "any".to_owned(), names);
    match schema.get("items").and_then(|items| items.get("type")) {
        Some(item) => format!("{own} of {}", names(item)),
        None => own,
    }
}
