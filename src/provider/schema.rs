//! Reading a contract's schema: annotations, nodes and messages.
//!
//! Walks JSON Schema values only; it never judges a record.

use serde_json::Value;
use thiserror::Error;

use crate::core::Compare;

/// Why a contract cannot be used.
#[derive(Debug, Error)]
pub enum ContractError {
    /// The file is not JSON.
    #[error("the contract is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line of the file, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The schema does not compile.
    #[error("the contract is not a JSON Schema (2020-12): {}: {why}", spot(at))]
    Schema {
        /// Where in the schema.
        at: String,
        /// What is wrong there.
        why: String,
    },
    /// An `x-` key that nobody knows.
    #[error("the contract uses the unknown annotation `{key}` {}", spot(at))]
    Annotation {
        /// The key.
        key: String,
        /// Where in the schema.
        at: String,
    },
    /// An annotation that does not hold what it must.
    #[error("the contract's `{key}` {} {why}", spot(at))]
    Value {
        /// The key.
        key: &'static str,
        /// Where in the schema.
        at: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ContractError {
    /// The place of a rule that is no JSON Schema.
    pub(super) fn place(&self) -> Option<&str> {
        match self {
            Self::Schema { at, .. } => Some(at),
            _ => None,
        }
    }
}

/// A place in a schema, for a person.
fn spot(at: &str) -> String {
    if at.is_empty() {
        "at the top".to_owned()
    } else {
        format!("at `{at}`")
    }
}

/// The annotations of a contract (see the manifest page of the documentation).
const ANNOTATIONS: [&str; 9] = [
    "x-list",
    "x-read-as",
    "x-compare",
    "x-clear",
    "x-immutable",
    "x-sensitive",
    "x-message",
    "x-source",
    "x-verified",
];

/// The unknown annotations anywhere in the schema.
pub(super) fn check_annotations(schema: &Value, at: &str, found: &mut Vec<ContractError>) {
    match schema {
        Value::Object(members) => {
            // A property may have any name; what follows it is a schema again.
            let is_property = at.ends_with("/properties") || at.ends_with("/$defs");
            for (name, member) in members {
                if name.starts_with("x-") && !is_property && !ANNOTATIONS.contains(&name.as_str()) {
                    found.push(ContractError::Annotation {
                        key: name.clone(),
                        at: at.to_owned(),
                    });
                }
                check_annotations(member, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                check_annotations(item, &format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
}

/// Whether an annotation or keyword is `true`.
pub(super) fn is_set(node: &Value, key: &str) -> bool {
    node.get(key) == Some(&Value::Bool(true))
}

/// The types a node allows.
pub(super) fn types(node: &Value) -> Vec<&str> {
    match node.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a node allows null.
pub(super) fn allows_null(node: &Value) -> bool {
    types(node).contains(&"null")
}

/// The schema of a member: a listed property, else the schema of the rest.
/// A node that says nothing about other members allows none: a contract lists
/// what is writable.
pub(super) fn member<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    node.get("properties")
        .and_then(|properties| properties.get(name))
        .or_else(|| rest(node))
}

/// The schema of members that are not listed, where the node is a map.
pub(super) fn rest(node: &Value) -> Option<&Value> {
    node.get("additionalProperties")
        .filter(|rest| rest.is_object())
}

/// How values of a node are compared; numbers by their value unless it says
/// otherwise, as JSON Schema itself compares them.
pub(super) fn compare(node: &Value, at: &str) -> Result<Compare, ContractError> {
    match node.get("x-compare") {
        None if types(node)
            .iter()
            .any(|t| matches!(*t, "number" | "integer")) =>
        {
            Ok(Compare::Number)
        }
        None => Ok(Compare::Exact),
        Some(name) => serde_json::from_value(name.clone()).map_err(|_| ContractError::Value {
            key: "x-compare",
            at: at.to_owned(),
            why: "is not one of exact, number, set, phone, nocase, instant".to_owned(),
        }),
    }
}

/// The nearest message that encloses a place of the schema.
pub(super) fn message<'a, 'b>(
    schema: &'a Value,
    tokens: impl Iterator<Item = &'b str>,
) -> Option<&'a str> {
    let mut node = schema;
    let mut nearest = None;
    for token in tokens {
        node = match node {
            Value::Array(items) => match token.parse::<usize>().ok().and_then(|i| items.get(i)) {
                Some(item) => item,
                None => break,
            },
            other => match other.get(token) {
                Some(member) => member,
                None => break,
            },
        };
        if let Some(text) = node.get("x-message").and_then(Value::as_str) {
            nearest = Some(text);
        }
    }
    nearest
}
