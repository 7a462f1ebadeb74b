//! The field view: the only two functions that know the wire.
//!
//! In the view a record is a map of paths to values, keyed lists are maps, and
//! names are the write names. [`decode`] reads a field out of a read record,
//! [`encode`] writes a field into a body. Diff, policy, snapshot, plan and
//! reports see the view alone. Neither function ever guesses between two
//! entries of one key.

use serde_json::Value;
use thiserror::Error;

use super::compare::Compare;
use super::field::{Clear, Field, KeyedList, Place, ReadToken};
use super::json::Json;
use super::known::Known;
use super::path::FieldPath;
use super::secret::Key;

/// What tells duplicate entries of a keyed list apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint<'a> {
    /// The value the source wants there.
    pub desired: Option<&'a Value>,
    /// What the provider acknowledged last, and the key of its digest.
    pub acknowledged: Option<(&'a Known, Option<&'a Key>)>,
}

impl Hint<'_> {
    /// Whether a value is the one that was acknowledged last.
    fn is_acknowledged(&self, path: &FieldPath, compare: Compare, value: &Value) -> bool {
        self.acknowledged
            .is_some_and(|(known, key)| known.equals_at(path, compare, value, key))
    }
}

/// Gives the hint for a path of the view.
pub type Hints<'a> = dyn Fn(&FieldPath) -> Hint<'a> + 'a;

/// Why a field cannot be read or written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ViewError {
    /// The list holds several entries of this key, and none equals the value
    /// wanted or the value acknowledged last.
    #[error("the provider holds several entries of this kind, and none is the one we know")]
    AmbiguousEntry,
    /// The flag names an entry that the list does not hold.
    #[error("the entry that should be flagged does not exist")]
    NoSuchEntry,
}

/// Reads a field out of a read record; what is absent is null.
pub fn decode(field: &Field, record: &Json, hints: &Hints<'_>) -> Result<Value, ViewError> {
    if let Some(read_as) = &field.read_as {
        return Ok(read(record, &read_as.0));
    }
    let items = || match record.at(field.place.members()) {
        Some(Json::Array(items)) => items.as_slice(),
        _ => &[],
    };
    match &field.place {
        Place::Member(members) => Ok(record.at(members).map_or(Value::Null, Json::to_value)),
        Place::Entry { list, key } => {
            let found = entry(list, key, items(), hints)?;
            Ok(found
                .and_then(|index| items()[index].get(&list.value))
                .map_or(Value::Null, Json::to_value))
        }
        Place::Flag { list, member } => {
            let flagged = items().iter().position(|item| is_flagged(item, member));
            let Some((index, key)) =
                flagged.and_then(|index| Some((index, text(items()[index].get(&list.key)?)?)))
            else {
                return Ok(Value::Null);
            };
            // The flag means the entry that the mapping addresses; a foreign
            // entry of the same kind that carries it is not ours. A key that the
            // row does not ask for needs no such answer.
            let asked = hints(&field.path).desired == Some(&Value::from(key.as_str()));
            if !asked {
                return Ok(Value::String(key));
            }
            let addressed = entry(list, &key, items(), hints)?;
            Ok(if addressed == Some(index) {
                Value::String(key)
            } else {
                Value::Null
            })
        }
    }
}

/// Writes a field into a body and returns the pointer tokens of what it wrote.
///
/// Flags are written after the entries they may name.
pub fn encode(
    field: &Field,
    value: &Value,
    body: &mut Json,
    hints: &Hints<'_>,
) -> Result<Vec<String>, ViewError> {
    let at = field.place.members();
    match &field.place {
        Place::Member(members) => {
            if value.is_null() && field.clear == Clear::Remove {
                if let Some(parent) = at
                    .split_last()
                    .and_then(|(name, parent)| Some((name, at_mut(body, parent)?)))
                {
                    parent.1.remove(parent.0);
                }
            } else {
                body.set_at(members, Json::from_value(value));
            }
            Ok(members.clone())
        }
        Place::Entry { list, key } => {
            let mut items = list_of(body, at);
            let mut tokens = at.to_vec();
            match (entry(list, key, &items, hints)?, value.is_null()) {
                // What is gone has no index: the list itself was touched, and
                // none of the entries that stay.
                (Some(index), true) => {
                    items.remove(index);
                    tokens.push("-".to_owned());
                }
                (None, true) => tokens.push("-".to_owned()),
                (Some(index), false) => {
                    items[index].set(&list.value, Json::from_value(value));
                    tokens.extend([index.to_string(), list.value.clone()]);
                }
                (None, false) => {
                    let mut new = Json::object();
                    new.set(&list.key, Json::from_value(&Value::from(key.as_str())));
                    new.set(&list.value, Json::from_value(value));
                    if let Some(flag) = &list.flag {
                        new.set(flag, Json::from_value(&Value::Bool(false)));
                    }
                    tokens.push(items.len().to_string());
                    items.push(new);
                }
            }
            body.set_at(at, Json::Array(items));
            Ok(tokens)
        }
        Place::Flag { list, member } => {
            let mut items = list_of(body, at);
            let chosen = match value.as_str() {
                Some(key) => entry(list, key, &items, hints)?,
                None => None,
            };
            let chosen = chosen.ok_or(ViewError::NoSuchEntry)?;
            for (index, item) in items.iter_mut().enumerate() {
                // An entry that says nothing of the flag goes back like that.
                if is_flagged(item, member) != (index == chosen) {
                    item.set(member, Json::from_value(&Value::Bool(index == chosen)));
                }
            }
            let mut tokens = at.to_vec();
            tokens.extend([chosen.to_string(), member.clone()]);
            body.set_at(at, Json::Array(items));
            Ok(tokens)
        }
    }
}

/// The view path of an entry of a keyed list.
fn entry_path(list: &KeyedList, key: &str) -> FieldPath {
    FieldPath::new(list.at.iter().cloned().chain([key.to_owned()]).collect())
}

/// Whether an entry carries the flag.
fn is_flagged(item: &Json, member: &str) -> bool {
    item.get(member)
        .is_some_and(|flag| flag.to_value() == Value::Bool(true))
}

/// The index of the entry that a key addresses: the only one, else the one
/// equal to the desired value, else to the acknowledged one.
fn entry(
    list: &KeyedList,
    key: &str,
    items: &[Json],
    hints: &Hints<'_>,
) -> Result<Option<usize>, ViewError> {
    let of_key: Vec<usize> = (0..items.len())
        .filter(|&index| {
            items[index]
                .get(&list.key)
                .and_then(|k| text(Some(k)?))
                .as_deref()
                == Some(key)
        })
        .collect();
    if of_key.len() < 2 {
        return Ok(of_key.first().copied());
    }
    let path = entry_path(list, key);
    let hint = hints(&path);
    let find = |is_meant: &dyn Fn(&Value) -> bool| {
        of_key.iter().copied().find(|&index| {
            items[index]
                .get(&list.value)
                .is_some_and(|value| is_meant(&value.to_value()))
        })
    };
    find(&|value| {
        hint.desired
            .is_some_and(|wanted| list.compare.equal(value, wanted))
    })
    .or_else(|| find(&|value| hint.is_acknowledged(&path, list.compare, value)))
    .map(Some)
    .ok_or(ViewError::AmbiguousEntry)
}

/// The items of the list at a place of the body; none where there is no list.
fn list_of(body: &Json, at: &[String]) -> Vec<Json> {
    match body.at(at) {
        Some(Json::Array(items)) => items.clone(),
        _ => Vec::new(),
    }
}

fn text(json: &Json) -> Option<String> {
    json.to_value().as_str().map(str::to_owned)
}

fn read(record: &Json, tokens: &[ReadToken]) -> Value {
    match tokens {
        [] => record.to_value(),
        [ReadToken::Member(name), rest @ ..] => record
            .get(name)
            .map_or(Value::Null, |member| read(member, rest)),
        [ReadToken::Each, rest @ ..] => match record {
            Json::Array(items) => Value::Array(items.iter().map(|item| read(item, rest)).collect()),
            _ => Value::Null,
        },
    }
}

fn at_mut<'a>(json: &'a mut Json, members: &[String]) -> Option<&'a mut Json> {
    members
        .iter()
        .try_fold(json, |json, name| json.get_mut(name))
}
