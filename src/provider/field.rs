//! Resolving fields: from a path of the view to what the contract says of it.
//!
//! A path that the contract does not list is an error with a suggestion, never
//! a guess.

use serde_json::Value;
use thiserror::Error;

use super::contract::Contract;
use super::facts::FieldFacts;
use super::leaf::leaf_type;
use super::schema::{ContractError, allows_null, compare, is_set, member};
use crate::core::{
    Access, Clear, Field, FieldPath, KeyedList, Place, ReadAs, ReadToken, Visibility,
};

/// Why a path cannot be mapped.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FieldError {
    /// The contract does not list it.
    #[error("the provider has no field `{path}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// The path asked for.
        path: String,
        /// The nearest field there is.
        suggestion: Option<String>,
    },
    /// It holds members of its own.
    #[error("`{0}` is not a single value; map its members, for example `{0}.{1}`")]
    NotALeaf(String, String),
    /// The provider does not let it be written.
    #[error("`{0}` is read-only at the provider")]
    ReadOnly(String),
    /// Its own name is against the rules of the map that holds it.
    #[error("`{0}`: {1}")]
    Name(String, String),
}

/// A node reached by a path, with what its ancestors say.
struct Reached<'a> {
    node: &'a Value,
    place: Place,
    sensitive: bool,
    removable: bool,
}

impl Contract {
    /// The part of the schema that describes the leaf at a path.
    pub(super) fn leaf(&self, path: &FieldPath) -> Option<&Value> {
        self.reach(path).map(|reached| reached.node)
    }

    fn reach(&self, path: &FieldPath) -> Option<Reached<'_>> {
        let mut node = &self.schema;
        let mut sensitive = false;
        let mut removable = false;
        for (depth, name) in path.members().iter().enumerate() {
            sensitive |= is_set(node, "x-sensitive");
            removable |= node.get("x-clear").and_then(Value::as_str) == Some("remove");
            if node.get("x-list").is_some() {
                let at = path.members()[..depth].to_vec();
                let (node, place) = entry(node, at, name)?;
                return (depth + 1 == path.members().len()).then_some(Reached {
                    node,
                    place,
                    sensitive,
                    removable,
                });
            }
            node = member(node, name)?;
        }
        sensitive |= is_set(node, "x-sensitive");
        Some(Reached {
            node,
            place: Place::Member(path.members().to_vec()),
            sensitive,
            removable,
        })
    }

    /// The field at a path, if it can be written.
    pub fn field(&self, path: &FieldPath) -> Result<Field, FieldError> {
        let field = self.readable(path)?;
        if field.access == Access::ReadOnly {
            return Err(FieldError::ReadOnly(path.to_string()));
        }
        Ok(field)
    }

    /// The field at a path, whether or not it can be written: a record may be
    /// known by what only its provider sets.
    pub fn readable(&self, path: &FieldPath) -> Result<Field, FieldError> {
        let text = path.to_string();
        let Some(Reached {
            node,
            place,
            sensitive,
            removable,
        }) = self.reach(path)
        else {
            let candidates: Vec<String> =
                self.facts().into_iter().map(|facts| facts.path).collect();
            return Err(FieldError::Unknown {
                suggestion: nearest(&text, &candidates),
                path: text,
            });
        };
        let flag = matches!(place, Place::Flag { .. });
        if !flag && leaf_type(node).is_none() {
            let inner = node
                .get("properties")
                .and_then(Value::as_object)
                .and_then(|p| p.keys().next())
                .cloned();
            return Err(FieldError::NotALeaf(
                text,
                inner.unwrap_or_else(|| "name".to_owned()),
            ));
        }
        self.check_name(path)?;
        let access = if is_set(node, "readOnly") {
            Access::ReadOnly
        } else if is_set(node, "writeOnly") {
            Access::WriteOnly
        } else if is_set(node, "x-immutable") {
            Access::Immutable
        } else {
            Access::ReadWrite
        };
        Ok(Field {
            path: path.clone(),
            place,
            compare: compare(node, &text).unwrap_or_default(),
            read_as: read_as(node),
            clear: if allows_null(node) && !flag {
                Clear::Null
            } else if removable && !flag {
                Clear::Remove
            } else {
                Clear::Unsupported
            },
            access,
            visibility: if sensitive {
                Visibility::Sensitive
            } else {
                Visibility::Shown
            },
        })
    }

    /// A key of a map is checked when it is mapped, not with every row.
    fn check_name(&self, path: &FieldPath) -> Result<(), FieldError> {
        let Some((name, parent)) = path.members().split_last() else {
            return Ok(());
        };
        let Some(map) = parent
            .iter()
            .try_fold(self.schema(), |node, name| member(node, name))
        else {
            return Ok(());
        };
        let Some(rules) = map.get("propertyNames").or_else(|| key_rules(map, name)) else {
            return Ok(());
        };
        match jsonschema::draft202012::new(rules) {
            Ok(validator) if !validator.is_valid(&Value::from(name.as_str())) => {
                let why = rules
                    .get("x-message")
                    .and_then(Value::as_str)
                    .unwrap_or("is not a name that the provider allows");
                Err(FieldError::Name(path.to_string(), why.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses annotations that cannot mean anything.
    pub(super) fn check_fields(&self) -> Result<(), ContractError> {
        check_lists(&self.schema, "")?;
        for FieldFacts { path, schema, .. } in self.facts() {
            compare(&schema, &path)?;
            if let Some(text) = schema.get("x-read-as") {
                let tokens = text.as_str().and_then(read_tokens);
                if tokens.is_none_or(|tokens| {
                    tokens.iter().filter(|t| **t == ReadToken::Each).count() > 1
                }) {
                    let why = "is not a JSON Pointer with at most one `*`".to_owned();
                    return Err(ContractError::Value {
                        key: "x-read-as",
                        at: path,
                        why,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Refuses a keyed list in which a key may have the name of the flag: a path
/// that ends in it would mean two things.
fn check_lists(node: &Value, at: &str) -> Result<(), ContractError> {
    if let Some(list) = node.get("x-list") {
        let flag = list.pointer("/flag/name");
        let key = list.get("key").and_then(Value::as_str).unwrap_or_default();
        let keys = node.pointer(&format!("/items/properties/{key}/enum"));
        let keys = keys.and_then(Value::as_array).into_iter().flatten();
        if flag.is_some_and(|flag| keys.clone().any(|key| key == flag)) {
            return Err(ContractError::Value {
                key: "x-list",
                at: at.to_owned(),
                why: "gives its flag the name of a key".to_owned(),
            });
        }
    }
    let listed = node.get("properties").and_then(Value::as_object);
    listed
        .into_iter()
        .flatten()
        .try_for_each(|(name, node)| check_lists(node, &format!("{at}/{name}")))
}

/// The rules on the keys of a keyed list; none for the name of its flag.
fn key_rules<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    let keyed = list.get("x-list")?;
    let flag = keyed.pointer("/flag/name").and_then(Value::as_str);
    let key = keyed.get("key").and_then(Value::as_str)?;
    let rules = list.get("items")?.get("properties")?.get(key)?;
    (flag != Some(name)).then_some(rules)
}

fn read_tokens(pointer: &str) -> Option<Vec<ReadToken>> {
    let token = |t: &str| {
        if t == "*" {
            ReadToken::Each
        } else {
            ReadToken::Member(t.replace("~1", "/").replace("~0", "~"))
        }
    };
    Some(pointer.strip_prefix('/')?.split('/').map(token).collect())
}

fn read_as(node: &Value) -> Option<ReadAs> {
    node.get("x-read-as")
        .and_then(Value::as_str)
        .and_then(read_tokens)
        .map(ReadAs)
}

/// The keyed list of a node and the place that a name of the view means in it.
fn entry<'a>(node: &'a Value, at: Vec<String>, name: &str) -> Option<(&'a Value, Place)> {
    let list = node.get("x-list")?;
    let text = |key: &str| list.get(key).and_then(Value::as_str).map(str::to_owned);
    let flag = list.get("flag");
    let flag_text = |key: &str| flag.and_then(|flag| flag.get(key)).and_then(Value::as_str);
    let member_of_item = |name: &str| {
        node.get("items")
            .and_then(|items| items.get("properties"))
            .and_then(|p| p.get(name))
    };
    let value = text("value")?;
    let keyed = KeyedList {
        compare: compare(member_of_item(&value)?, &value).unwrap_or_default(),
        at,
        key: text("key")?,
        value,
        flag: flag_text("member").map(str::to_owned),
    };
    if flag_text("name") == Some(name) {
        // The flag's value in the view is a key of the list.
        let node = member_of_item(&keyed.key)?;
        return Some((
            node,
            Place::Flag {
                member: flag_text("member")?.to_owned(),
                list: keyed,
            },
        ));
    }
    let node = member_of_item(&keyed.value)?;
    Some((
        node,
        Place::Entry {
            list: keyed,
            key: name.to_owned(),
        },
    ))
}

/// The nearest candidate, if it is near enough to be meant.
#[must_use]
pub fn nearest(text: &str, candidates: &[String]) -> Option<String> {
    candidates
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&text.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.clone())
}
