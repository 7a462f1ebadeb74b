//! The groups of a contract, for pages about the provider: the whole record,
//! its objects, maps and lists, with the rules that no single field has.

use serde_json::Value;

use super::contract::Contract;
use super::leaf::leaf_type;
use super::schema::rest;
use super::spoken::{RuleFacts, rules};

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// The whole record, as an update sends it.
    Record,
    /// The whole record, as far as the row and the state know it.
    Known,
    /// Members by the names of the contract.
    Object,
    /// Members by keys of the user's own.
    Map,
    /// A list whose entries are addressed by one of their members.
    Keyed {
        /// The member that holds an entry's key.
        key: String,
    },
    /// A list of objects that cannot be mapped.
    List,
}

/// One group of a contract.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// Its path; empty for the whole record.
    pub path: String,
    /// What it is.
    pub kind: GroupKind,
    /// What it means.
    pub description: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Its rules, those of its fields aside.
    pub rules: Vec<RuleFacts>,
}

impl Contract {
    /// Every group of the contract, the whole record first.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupFacts> {
        let root = self.schema();
        let mut found = vec![facts(root, root, String::new(), GroupKind::Record)];
        if let Some(known) = root.pointer("/$defs/record") {
            found.push(facts(known, root, String::new(), GroupKind::Known));
        }
        collect(root, root, "", &mut found);
        found
    }

    /// The day on which the contract was last held against its sources.
    #[must_use]
    pub fn verified(&self) -> Option<&str> {
        self.schema().get("x-verified").and_then(Value::as_str)
    }
}

fn collect(node: &Value, root: &Value, at: &str, found: &mut Vec<GroupFacts>) {
    let listed = node.get("properties").and_then(Value::as_object);
    let listed = listed
        .into_iter()
        .flatten()
        .map(|(name, node)| (name.as_str(), node));
    for (name, member) in listed.chain(rest(node).map(|rest| ("*", rest))) {
        let Some(kind) = kind(member) else {
            continue;
        };
        let path = if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}.{name}")
        };
        found.push(facts(member, root, path.clone(), kind));
        collect(member, root, &path, found);
    }
}

/// What group a node is; `None` for a field.
fn kind(node: &Value) -> Option<GroupKind> {
    if let Some(key) = node.pointer("/x-list/key").and_then(Value::as_str) {
        return Some(GroupKind::Keyed {
            key: key.to_owned(),
        });
    }
    if leaf_type(node).is_some() {
        return None;
    }
    if rest(node).is_some() {
        return Some(GroupKind::Map);
    }
    let is_list = node.get("items").is_some();
    Some(if is_list {
        GroupKind::List
    } else {
        GroupKind::Object
    })
}

fn facts(node: &Value, root: &Value, path: String, kind: GroupKind) -> GroupFacts {
    let text = |key: &str| node.get(key).and_then(Value::as_str).map(str::to_owned);
    GroupFacts {
        path,
        kind,
        description: text("description"),
        source: text("x-source"),
        rules: rules(node, root),
    }
}
