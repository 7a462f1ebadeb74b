//! The shape of a provider's update: which members travel together.
//!
//! Made from manifest and contract when a provider is loaded; the payload is
//! built from it alone. A full-record update is the shape whose one whole is
//! the record itself.

use serde_json::Value;

use super::json::Json;
use super::path::Pointer;

/// Which members of a record travel together.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The units that are sent complete.
    pub wholes: Vec<Whole>,
    /// The members that only make sense together.
    pub groups: Vec<Together>,
    /// Where the remote id is written in the body, if it is.
    pub id: Option<BodyId>,
}

/// A unit that is sent complete (`update.whole`).
#[derive(Clone, Debug)]
pub struct Whole {
    /// Its members from the root; none for the whole record.
    pub at: Vec<String>,
    /// What of a fresh read may be sent back.
    pub writable: Writable,
    /// All its writable leaves, where the contract closes it: when a row has a
    /// value for each, no read is needed.
    pub closed: Option<Vec<Vec<String>>>,
}

/// What of a read value may be sent back.
#[derive(Clone, Debug, PartialEq)]
pub enum Writable {
    /// All of it, as it was read.
    All,
    /// None of it.
    Nothing,
    /// These members of an object, and the rest by one rule.
    Members(Vec<(String, Writable)>, Box<Writable>),
    /// Every item of a list, each by one rule.
    Items(Box<Writable>),
}

/// Members that only make sense together (`update.together`).
#[derive(Clone, Debug)]
pub struct Together {
    /// The members, each by its path from the root.
    pub members: Vec<Vec<String>>,
    /// The member and the value under which the others travel.
    pub when: Option<(Vec<String>, Value)>,
}

/// Where the remote id is written in the body, and as what.
#[derive(Clone, Debug)]
pub struct BodyId {
    /// Its members from the root.
    pub at: Vec<String>,
    /// Whether it is written as a number or as a text.
    pub kind: IdKind,
}

/// The JSON type of a remote id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// A positive 64-bit integer.
    Integer,
    /// A string.
    Text,
}

impl BodyId {
    /// The id as it stands in a body. Integer ids were checked to be digits,
    /// so their text is a JSON number.
    #[must_use]
    pub fn json(&self, id: &str) -> Json {
        match (self.kind, id.parse::<i64>()) {
            (IdKind::Integer, Ok(number)) => Json::from_value(&Value::from(number)),
            _ => Json::from_value(&Value::from(id)),
        }
    }
}

impl Writable {
    /// The part of a read value that may be sent back, untouched.
    #[must_use]
    pub fn keep(&self, read: &Json) -> Option<Json> {
        match (self, read) {
            (Self::Nothing, _) => None,
            (Self::Members(members, rest), Json::Object(read)) => Some(Json::Object(
                read.iter()
                    .filter_map(|(name, member)| {
                        let rule = members
                            .iter()
                            .find(|(n, _)| n == name)
                            .map_or(rest.as_ref(), |(_, rule)| rule);
                        Some((name.clone(), rule.keep(member)?))
                    })
                    .collect(),
            )),
            (Self::Items(rule), Json::Array(items)) => Some(Json::Array(
                items.iter().filter_map(|item| rule.keep(item)).collect(),
            )),
            // Where the read does not have the contract's shape, it goes back
            // as it is; what is wrong with it is then not our doing.
            (Self::All | Self::Members(..) | Self::Items(_), read) => Some(read.clone()),
        }
    }
}

impl Together {
    /// Whether the member at a place travels only under the group's condition.
    #[must_use]
    pub fn depends(&self, place: &[String]) -> bool {
        self.when
            .as_ref()
            .is_some_and(|(member, _)| member != place)
            && self.members.iter().any(|member| member == place)
    }
}

impl Whole {
    /// The unit's pointer, for labels.
    #[must_use]
    pub fn pointer(&self) -> Pointer {
        Pointer::new(self.at.clone())
    }

    /// Whether a place of the wire lies in the unit.
    #[must_use]
    pub fn holds(&self, place: &[String]) -> bool {
        place.starts_with(&self.at)
    }
}
