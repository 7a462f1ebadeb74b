//! Drift: what a provider holds now against what it acknowledged last and what
//! the source says.
//!
//! Plain values; comparing is `engine`'s work. A member that nobody maps has no
//! baseline and is never here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Before, Shown};
use super::path::FieldPath;
use super::record::RecordKey;

/// A record in which the provider holds something else than it acknowledged,
/// or, where nothing was acknowledged, than the source says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The lane's name.
    pub lane: String,
    /// The row's key.
    pub key: RecordKey,
    /// The physical line on which the row begins.
    pub line: u64,
    /// The provider's own id of the record.
    pub remote_id: String,
    /// The fields that differ, in the order of the mapping.
    pub fields: Vec<DriftedField>,
}

/// One field of a [`Drift`]. Values that must not be shown are null in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftedField {
    /// The field.
    pub field: FieldPath,
    /// What the provider acknowledged last.
    pub acknowledged: Before,
    /// What it holds now.
    pub now: Value,
    /// What the row says.
    pub source: Says,
    /// Whether the values may be shown.
    #[serde(default, skip_serializing_if = "Shown::is_clear")]
    pub shown: Shown,
}

/// What a row says about a field that drifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// Nothing.
    Nothing,
    /// What the provider holds now.
    Same,
    /// Another value.
    Other(Value),
    /// Its cells cannot be used.
    Invalid,
}
