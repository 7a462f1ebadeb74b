//! A minimal record for an id that nobody seeded, so that anyone's own file can
//! be rehearsed.
//!
//! It holds what the contract requires and what cannot be written later, each
//! with a value that the contract accepts; all else is absent. The values are
//! made up and mean nothing.

use serde_json::Value;

use super::answer::{id_json, id_place};
use super::apply::put;
use super::judge::is_set;
use crate::core::{FieldPath, Json};
use crate::provider::Provider;

/// Texts of the forms that contracts ask for; the first that fits is taken.
const TEXTS: [&str; 10] = [
    "sandbox",
    "sandbox@example.com",
    "2000-01-01",
    "2000-01-01T00:00:00Z",
    "https://sandbox.example",
    "+15550100",
    "GB",
    "GBR",
    "en-GB",
    "1",
];

/// The minimal record of an id.
pub(super) fn record(provider: &Provider, id: &str) -> Json {
    let schema = provider.contract.schema();
    let mut record = Json::object();
    record.set_at(id_place(provider).tokens(), id_json(provider, id));
    for (name, node) in members(schema) {
        let needed = is_required(schema, name) || is_set(node, "x-immutable");
        if !needed || is_set(node, "writeOnly") || record.get(name).is_some() {
            continue;
        }
        let at = [name.clone()];
        let value = instance(provider, node, &at);
        let read_as = provider
            .contract
            .field(&FieldPath::new(at.to_vec()))
            .ok()
            .and_then(|field| field.read_as);
        match read_as {
            Some(place) => put(&mut record, &place.0, &value),
            None => record.set(name, value),
        }
    }
    record
}

fn members(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node.get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn is_required(node: &Value, name: &str) -> bool {
    node.get("required")
        .and_then(Value::as_array)
        .is_some_and(|required| required.iter().any(|r| r == name))
}

/// A small value that a part of the contract accepts.
fn instance(provider: &Provider, node: &Value, at: &[String]) -> Json {
    let fixed = node
        .get("const")
        .or_else(|| node.get("enum").and_then(|values| values.get(0)))
        .or_else(|| node.get("default"));
    if let Some(value) = fixed {
        return Json::from_value(value);
    }
    let kind = match node.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        _ if node.get("properties").is_some() => "object",
        _ => "null",
    };
    match kind {
        "object" => Json::Object(
            members(node)
                .filter(|(name, _)| is_required(node, name))
                .map(|(name, node)| {
                    let at: Vec<String> = at.iter().chain([name]).cloned().collect();
                    (name.clone(), instance(provider, node, &at))
                })
                .collect(),
        ),
        "array" => {
            let count = node.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            // A contract may be a stranger's: no list of a million made-up items.
            let count = usize::try_from(count.min(100)).unwrap_or(0);
            let items = node.get("items").unwrap_or(&Value::Null);
            Json::Array(vec![instance(provider, items, at); count])
        }
        "integer" | "number" => {
            let least = node
                .get("minimum")
                .cloned()
                .unwrap_or_else(|| Value::from(0));
            Json::from_value(&least)
        }
        "boolean" => Json::from_value(&Value::Bool(false)),
        "string" => {
            let rules = provider.contract.leaf_rules(&FieldPath::new(at.to_vec()));
            let fits = |text: &Value| rules.as_ref().is_none_or(|r| r.check(text).is_empty());
            let text = TEXTS.into_iter().map(Value::from).find(fits);
            Json::from_value(&text.unwrap_or_else(|| Value::from(TEXTS[0])))
        }
        _ => Json::null(),
    }
}
