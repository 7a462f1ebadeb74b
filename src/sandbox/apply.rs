//! Applies an accepted body to a record, in the pessimistic reading.
//!
//! Merged objects merge member by member; lists are replaced; a unit of
//! `update.whole` becomes what was sent; in mode `replace` the record itself is
//! such a unit. What the server owns (read-only, immutable, not listed) stays.
//! Numbers and dates keep the text they came with.

use serde_json::Value;

use super::answer::id_place;
use super::judge::{is_set, member, rest};
use crate::core::{FieldPath, Json, Pointer, ReadToken};
use crate::provider::{Mode, Provider};

/// What became of a record.
#[derive(Debug)]
pub(super) struct Applied {
    /// The record as it is now.
    pub(super) record: Json,
    /// The paths of the `writeOnly` members that came: applied, never shown.
    pub(super) commands: Vec<String>,
}

/// Applies a body that was judged.
pub(super) fn apply(provider: &Provider, stored: &Json, sent: &Json) -> Applied {
    let mut write = Write {
        provider,
        ids: [Some(id_place(provider)), provider.manifest.id.body.clone()],
        commands: Vec::new(),
        elsewhere: Vec::new(),
    };
    let schema = provider.contract.schema();
    let mut record = stored.clone();
    match provider.manifest.update.mode {
        Mode::Replace => record = write.replace(Some(stored), sent, schema, &mut Vec::new()),
        Mode::Merge => write.merge(&mut record, sent, schema, &mut Vec::new()),
    }
    for (place, value) in &write.elsewhere {
        put(&mut record, place, value);
    }
    Applied {
        record,
        commands: write.commands,
    }
}

/// Puts a written value at the place where a read shows it (`x-read-as`); items
/// of a list become objects that hold the value, the known ones stay as they are.
pub(super) fn put(record: &mut Json, place: &[ReadToken], value: &Json) {
    let names = |tokens: &[ReadToken]| -> Vec<String> {
        let name = |token: &ReadToken| match token {
            ReadToken::Member(name) => Some(name.clone()),
            ReadToken::Each => None,
        };
        tokens.iter().filter_map(name).collect()
    };
    let Some(each) = place.iter().position(|token| *token == ReadToken::Each) else {
        record.set_at(&names(place), value.clone());
        return;
    };
    let (list, inner) = (names(&place[..each]), names(&place[each..]));
    let known = match record.at(&list) {
        Some(Json::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let wanted = match value {
        Json::Array(items) => items.as_slice(),
        null if null.is_null() => &[],
        one => std::slice::from_ref(one),
    };
    let item = |wanted: &Json| {
        let holds = |known: &&Json| known.at(&inner).map(Json::to_value) == Some(wanted.to_value());
        known.iter().find(holds).cloned().unwrap_or_else(|| {
            let mut new = Json::object();
            new.set_at(&inner, wanted.clone());
            new
        })
    };
    record.set_at(&list, Json::Array(wanted.iter().map(item).collect()));
}

struct Write<'a> {
    provider: &'a Provider,
    ids: [Option<Pointer>; 2],
    commands: Vec<String>,
    elsewhere: Vec<(Vec<ReadToken>, Json)>,
}

impl Write<'_> {
    /// Takes a member that is not simply stored where it was sent; whether it did.
    fn takes(&mut self, at: &[String], node: &Value, value: &Json) -> bool {
        if self.ids.iter().flatten().any(|id| id.tokens() == at) {
            return true;
        }
        if is_set(node, "writeOnly") {
            if !value.is_null() {
                self.commands.push(at.join("."));
            }
            return true;
        }
        if is_set(node, "readOnly") || is_set(node, "x-immutable") {
            return true;
        }
        if node.get("x-read-as").is_some()
            && let Ok(field) = self.provider.contract.field(&FieldPath::new(at.to_vec()))
            && let Some(place) = field.read_as
        {
            self.elsewhere.push((place.0, value.clone()));
            return true;
        }
        false
    }

    fn merge(&mut self, stored: &mut Json, sent: &Json, node: &Value, at: &mut Vec<String>) {
        let Json::Object(members) = sent else {
            return;
        };
        for (name, value) in members {
            // A member that an open contract does not list is accepted and lost.
            let Some(node) = member(node, name) else {
                continue;
            };
            at.push(name.clone());
            if !self.takes(at, node, value) {
                let is_whole = self
                    .provider
                    .manifest
                    .update
                    .whole
                    .iter()
                    .any(|unit| unit.tokens() == at.as_slice());
                let is_object = matches!(value, Json::Object(_))
                    && (node.get("properties").is_some() || rest(node).is_some());
                if is_whole || !is_object {
                    let new = self.replace(stored.get(name), value, node, at);
                    stored.set(name, new);
                } else {
                    if !matches!(stored.get(name), Some(Json::Object(_))) {
                        stored.set(name, Json::object());
                    }
                    if let Some(inner) = stored.get_mut(name) {
                        self.merge(inner, value, node, at);
                    }
                }
            }
            at.pop();
        }
    }

    /// The unit that replaces what is stored: writable members that were not
    /// sent are lost, what the server owns stays.
    fn replace(
        &mut self,
        stored: Option<&Json>,
        sent: &Json,
        node: &Value,
        at: &mut Vec<String>,
    ) -> Json {
        let Json::Object(members) = sent else {
            return sent.clone();
        };
        if node.get("properties").is_none() && rest(node).is_none() {
            return sent.clone();
        }
        let mut unit = Json::object();
        if let Some(Json::Object(before)) = stored {
            for (name, value) in before {
                at.push(name.clone());
                let is_id = self
                    .ids
                    .iter()
                    .flatten()
                    .any(|id| id.tokens() == at.as_slice());
                at.pop();
                let stays = is_id
                    || member(node, name).is_none_or(|node| {
                        ["readOnly", "writeOnly", "x-immutable"]
                            .into_iter()
                            .any(|key| is_set(node, key))
                    });
                let listed = node
                    .get("properties")
                    .is_some_and(|p| p.get(name).is_some());
                if stays {
                    unit.set(name, value.clone());
                } else if listed {
                    unit.set(name, Json::null());
                }
            }
        }
        for (name, value) in members {
            let Some(node) = member(node, name) else {
                continue;
            };
            at.push(name.clone());
            if !self.takes(at, node, value) {
                let before = stored.and_then(|stored| stored.get(name));
                let new = self.replace(before, value, node, at);
                unit.set(name, new);
            }
            at.pop();
        }
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_read_name_with_a_star_keeps_the_objects_that_are_known() {
        let member = |name: &str| ReadToken::Member(name.to_owned());
        let place = [member("managers"), ReadToken::Each, member("id")];
        let mut record = json(r#"{"managers":[{"id":1,"name":"Ann"},{"id":2}]}"#);
        put(&mut record, &place, &json("[3,1]"));
        assert_eq!(
            record,
            json(r#"{"managers":[{"id":3},{"id":1,"name":"Ann"}]}"#)
        );
        put(&mut record, &place, &Json::null());
        assert_eq!(record, json(r#"{"managers":[]}"#));
        put(&mut record, &[member("status"), member("id")], &json("7"));
        assert_eq!(record, json(r#"{"managers":[],"status":{"id":7}}"#));
    }
}
