//! A problem: something that keeps a row, a file or a setting from being used.
//!
//! A problem names its place and what to do. It must never hold a cell's
//! value: problems reach logs and terminals.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::path::FieldPath;
use super::record::RecordKey;

/// A stable code, for example `E_DUPLICATE_KEY`; `W_` begins a warning.
pub type Code = Cow<'static, str>;

/// One problem, with as much of its place as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What is wrong and what to do, without any value.
    pub message: String,
    /// The source column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The field of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldPath>,
    /// The physical line of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The row's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
    /// The provider's own id of the record that it concerns, where that says
    /// more than the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<String>,
}

impl Problem {
    /// A problem without a place.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code),
            message: message.into(),
            column: None,
            field: None,
            line: None,
            key: None,
            remote_id: None,
        }
    }

    /// The same problem, at a source column.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// The same problem, at a field of the provider.
    #[must_use]
    pub fn field(mut self, field: &FieldPath) -> Self {
        self.field = Some(field.clone());
        self
    }

    /// The same problem, at a physical line (1-based).
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same problem, of the row with this key.
    #[must_use]
    pub fn key(mut self, key: &RecordKey) -> Self {
        self.key = Some(key.clone());
        self
    }

    /// The same problem, of the record with this remote id.
    #[must_use]
    pub fn remote_id(mut self, id: impl Into<String>) -> Self {
        self.remote_id = Some(id.into());
        self
    }

    /// Whether it only warns.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.code.starts_with("W_")
    }
}
