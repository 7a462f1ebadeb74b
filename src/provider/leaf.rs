//! What a leaf of the contract holds: the type that cells are parsed to.

use serde_json::Value;

use super::schema::types;

/// The type that cells of a field are parsed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafType {
    /// One value.
    One(Scalar),
    /// A list of values.
    Many(Scalar),
}

/// The type of a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    Text,
    /// A 64-bit integer.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// What a leaf is, by its schema.
pub(super) fn leaf_type(node: &Value) -> Option<LeafType> {
    let scalar = |node: &Value| match types(node).into_iter().find(|t| *t != "null") {
        Some("string") => Some(Scalar::Text),
        Some("integer") => Some(Scalar::Integer),
        Some("number") => Some(Scalar::Number),
        Some("boolean") => Some(Scalar::Boolean),
        _ => None,
    };
    if types(node).contains(&"array") {
        return scalar(node.get("items")?).map(LeafType::Many);
    }
    scalar(node).map(LeafType::One)
}
