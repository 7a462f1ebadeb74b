//! The fields of a contract, for pages about the provider and for whoever goes
//! through all of them.

use serde_json::Value;

use super::contract::Contract;
use super::leaf::leaf_type;
use super::schema::{allows_null, is_set, rest};
use super::spoken::{RuleFacts, rules};
use crate::core::{Clear, Visibility};

/// One field of a contract, for pages about the provider.
#[derive(Clone, Debug)]
pub struct FieldFacts {
    /// Its path; `*` stands for a key of the user's own.
    pub path: String,
    /// The part of the schema that describes it.
    pub schema: Value,
    /// Whether the body must hold it.
    pub required: bool,
    /// What it is in the group that holds it.
    pub role: FieldRole,
    /// How an empty cell may clear it.
    pub clear: Clear,
    /// Whether its values may be shown.
    pub visibility: Visibility,
    /// Its rules in words.
    pub rules: Vec<RuleFacts>,
}

/// What a field is in the group that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// A member of its own name.
    Member,
    /// The value of a map's member.
    Value {
        /// The rules of the map's keys.
        keys: Vec<RuleFacts>,
    },
    /// The value of an entry of a keyed list.
    Entry {
        /// The entry's member that `*` stands for.
        key: String,
        /// The rules of that member.
        keys: Vec<RuleFacts>,
    },
    /// The key of the one flagged entry of a keyed list.
    Flag {
        /// The entry's member that is named.
        key: String,
        /// The entry's member that is true in it alone.
        member: String,
    },
}

impl Contract {
    /// Every leaf of the contract, in its order, with what describes it.
    #[must_use]
    pub fn facts(&self) -> Vec<FieldFacts> {
        let mut walk = Walk {
            root: self.schema(),
            found: Vec::new(),
        };
        walk.collect(self.schema(), &Above::default(), FieldRole::Member);
        walk.found
    }
}

/// What the groups that hold a node say of it.
#[derive(Clone, Default)]
struct Above {
    path: String,
    required: bool,
    sensitive: bool,
    removable: bool,
}

impl Above {
    /// The same for a member of this name.
    fn below(&self, node: &Value, name: &str) -> Self {
        let needs = node.get("required").and_then(Value::as_array);
        Self {
            path: if self.path.is_empty() {
                name.to_owned()
            } else {
                format!("{}.{name}", self.path)
            },
            required: needs.is_some_and(|needs| needs.iter().any(|one| one == name)),
            sensitive: self.sensitive || is_set(node, "x-sensitive"),
            removable: self.removable
                || node.get("x-clear").and_then(Value::as_str) == Some("remove"),
        }
    }
}

struct Walk<'a> {
    root: &'a Value,
    found: Vec<FieldFacts>,
}

impl Walk<'_> {
    fn collect(&mut self, node: &Value, above: &Above, role: FieldRole) {
        if let Some(list) = node.get("x-list") {
            self.keyed(node, list, above);
            return;
        }
        let listed = node.get("properties").and_then(Value::as_object);
        for (name, member) in listed.into_iter().flatten() {
            self.collect(member, &above.below(node, name), FieldRole::Member);
        }
        match rest(node) {
            Some(rest) => {
                let names = node.get("propertyNames");
                let keys = names.map_or_else(Vec::new, |names| rules(names, self.root));
                self.collect(rest, &above.below(node, "*"), FieldRole::Value { keys });
            }
            None if listed.is_none() && leaf_type(node).is_some() => self.add(node, above, role),
            None => {}
        }
    }

    /// The fields of a keyed list: its entries, and the one that has the flag.
    fn keyed(&mut self, node: &Value, list: &Value, above: &Above) {
        let item = |name: &str| node.get("items")?.get("properties")?.get(name);
        let text = |pointer: &str| list.pointer(pointer).and_then(Value::as_str);
        let Some((key, keys)) = text("/key").and_then(|key| Some((key, item(key)?))) else {
            return;
        };
        if let Some(value) = text("/value").and_then(item) {
            let role = FieldRole::Entry {
                key: key.to_owned(),
                keys: rules(keys, self.root),
            };
            self.add(value, &above.below(node, "*"), role);
        }
        if let (Some(name), Some(member)) = (text("/flag/name"), text("/flag/member")) {
            let role = FieldRole::Flag {
                key: key.to_owned(),
                member: member.to_owned(),
            };
            self.add(keys, &above.below(node, name), role);
        }
    }

    fn add(&mut self, node: &Value, above: &Above, role: FieldRole) {
        let clear = match role {
            // Which entry is flagged can be changed, never taken back.
            FieldRole::Flag { .. } => Clear::Unsupported,
            _ if allows_null(node) => Clear::Null,
            _ if above.removable => Clear::Remove,
            _ => Clear::Unsupported,
        };
        let hidden = above.sensitive || is_set(node, "x-sensitive");
        self.found.push(FieldFacts {
            path: above.path.clone(),
            schema: node.clone(),
            required: above.required && role == FieldRole::Member,
            rules: rules(node, self.root),
            role,
            clear,
            visibility: if hidden {
                Visibility::Sensitive
            } else {
                Visibility::Shown
            },
        });
    }
}
