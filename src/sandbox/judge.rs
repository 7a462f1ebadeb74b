//! Judges the body of an update as the server would: by the whole contract, and
//! by who may write what.
//!
//! Two things are forgiven: what stands at the record already (a null that a
//! person left behind goes back in a full-record update), and the id in the
//! body. Nothing here changes a record, and no message holds a value.

use serde_json::Value;

use super::answer::{id_place, id_text};
use crate::core::Json;
use crate::provider::{Provider, Violation};

/// The schema of a member, listed or of the map; none where it is not writable.
pub(super) fn member<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    let listed = node.get("properties").and_then(|listed| listed.get(name));
    listed.or_else(|| rest(node))
}

/// The schema of the members that are not listed, where the node is a map.
pub(super) fn rest(node: &Value) -> Option<&Value> {
    node.get("additionalProperties")
        .filter(|rest| rest.is_object())
}

/// Whether an annotation is `true`.
pub(super) fn is_set(node: &Value, key: &str) -> bool {
    node.get(key) == Some(&Value::Bool(true))
}

/// What is wrong with a body: the provider's name of a field, and a message.
pub(super) fn judge(provider: &Provider, sent: &Value, stored: &Json) -> Vec<(String, String)> {
    let schema = provider.contract.schema();
    let id = stored.pointer(&id_place(provider)).and_then(id_text);
    let id = id.unwrap_or_default();
    let stored = stored.to_value();
    let mut wrong = Vec::new();
    let ids = [Some(id_place(provider)), provider.manifest.id.body.clone()];
    let is_id = |at: &[String]| ids.iter().flatten().any(|id| id.tokens() == at);
    let mut walk = Walk {
        stored: &stored,
        is_id: &is_id,
        wrong: &mut wrong,
    };
    walk.object(sent, schema, &mut Vec::new());
    for violation in provider.check_all(sent, &id) {
        if !stands(&violation.at, sent, &stored) && !is_id(&violation.at) {
            told(&violation, sent, schema, &mut wrong);
        }
    }
    wrong.dedup();
    wrong
}

/// Whether what was sent at a place is what the record holds there; an absent
/// member holds null. The record itself never stands: its members are judged.
fn stands(at: &[String], sent: &Value, stored: &Value) -> bool {
    let get = |value: &Value| {
        at.iter()
            .try_fold(value.clone(), |v, token| child(&v, token))
    };
    !at.is_empty() && get(sent).unwrap_or_default() == get(stored).unwrap_or_default()
}

fn child(value: &Value, token: &str) -> Option<Value> {
    match value {
        Value::Array(items) => items.get(token.parse::<usize>().ok()?).cloned(),
        other => other.get(token).cloned(),
    }
}

/// Tells a violation by the names of the members that it is about.
fn told(violation: &Violation, sent: &Value, schema: &Value, wrong: &mut Vec<(String, String)>) {
    let at = &violation.at;
    let node = at.iter().try_fold(schema, |node, name| member(node, name));
    let there = at
        .iter()
        .try_fold(sent, |value, name| value.get(name))
        .and_then(Value::as_object);
    let mut names: Vec<&String> = Vec::new();
    if let (Some(node), Some(there)) = (node, there) {
        if violation.code == "E_MISSING_REQUIRED" {
            let required = node.get("required").and_then(Value::as_array);
            let missing = required
                .into_iter()
                .flatten()
                .filter_map(|name| match name {
                    Value::String(name) => Some(name),
                    _ => None,
                });
            names.extend(missing.filter(|name| !there.contains_key(name.as_str())));
        } else if node.get("additionalProperties") == Some(&Value::Bool(false)) {
            names.extend(there.keys().filter(|name| member(node, name).is_none()));
        }
    }
    let missing = violation.code == "E_MISSING_REQUIRED";
    if names.is_empty() {
        wrong.push((at.join("."), violation.message.clone()));
    }
    for name in names {
        let field: Vec<&str> = at.iter().chain([name]).map(String::as_str).collect();
        let message = if missing {
            "is a required field".to_owned()
        } else {
            "is not a member that the provider lists".to_owned()
        };
        let entry = (field.join("."), message);
        if !wrong.contains(&entry) {
            wrong.push(entry);
        }
    }
}

/// Looks for members that nobody may write.
struct Walk<'a> {
    stored: &'a Value,
    is_id: &'a dyn Fn(&[String]) -> bool,
    wrong: &'a mut Vec<(String, String)>,
}

impl Walk<'_> {
    fn object(&mut self, sent: &Value, node: &Value, at: &mut Vec<String>) {
        for (name, value) in sent.as_object().into_iter().flatten() {
            let Some(node) = member(node, name) else {
                continue;
            };
            at.push(name.clone());
            if is_set(node, "x-immutable") {
                self.refuse(at, "cannot be changed and must not be sent");
            } else if is_set(node, "readOnly") && !(self.is_id)(at) {
                let there = at
                    .iter()
                    .try_fold(self.stored, |value, name| value.get(name));
                if there.unwrap_or(&Value::Null) != value {
                    self.refuse(at, "is read-only");
                }
            } else {
                self.object(value, node, at);
            }
            at.pop();
        }
    }

    fn refuse(&mut self, at: &[String], why: &str) {
        self.wrong.push((at.join("."), why.to_owned()));
    }
}
