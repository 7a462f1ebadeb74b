//! What is known of a record: the values that its provider acknowledged last,
//! or their digests.
//!
//! Blank is always recognisable, and a digest never passes for a value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::{Compare, is_blank};
use super::field::Field;
use super::path::FieldPath;
use super::secret::{Digest, Key};

/// The snapshot of one record: what its provider last acknowledged, by path.
/// A path that is not there is unknown; null means the provider holds nothing.
pub type Acknowledged = BTreeMap<FieldPath, Known>;

/// A known value, or only its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The value itself; null where the provider holds nothing.
    Value(Value),
    /// The keyed digest of a value that is not blank.
    Digest(Digest),
}

impl Known {
    /// What the snapshot keeps of a value: a digest where it must not be
    /// readable, but blank always recognisable, or `fill_blank` would break.
    #[must_use]
    pub fn of(field: &Field, value: &Value, key: Option<&Key>) -> Self {
        match key {
            Some(key) if !is_blank(value) => {
                Self::Digest(key.digest(&field.path, field.compare, value))
            }
            _ => Self::Value(value.clone()),
        }
    }

    /// Whether a value equals what is known. Without the key a digest equals
    /// nothing, so the value is sent: never the other way round.
    #[must_use]
    pub fn equals(&self, field: &Field, value: &Value, key: Option<&Key>) -> bool {
        self.equals_at(&field.path, field.compare, value, key)
    }

    /// [`Known::equals`] for a field of which only path and comparison are at
    /// hand, as for the entries that a flag may name.
    #[must_use]
    pub(super) fn equals_at(
        &self,
        path: &FieldPath,
        compare: Compare,
        value: &Value,
        key: Option<&Key>,
    ) -> bool {
        match (self, key) {
            (Self::Value(known), _) => compare.equal(known, value),
            (Self::Digest(known), Some(key)) => {
                !is_blank(value) && *known == key.digest(path, compare, value)
            }
            (Self::Digest(_), None) => false,
        }
    }

    /// Whether the provider is known to hold nothing.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Value(value) if is_blank(value))
    }

    /// The value, where it is readable.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Digest(_) => None,
        }
    }
}
