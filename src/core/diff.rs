//! The diff: what one row wants against what its provider last acknowledged.
//!
//! It decides by comparison and policy alone. It never decides what else must
//! travel (see [`crate::core::payload`]) and never sees the provider.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::is_blank;
use super::field::{Access, Visibility};
use super::known::{Acknowledged, Known};
use super::mapping::{Desired, Mapping, Policy};
use super::path::FieldPath;
use super::problem::Problem;
use super::secret::Key;

/// One field of one record that shall change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The field.
    pub field: FieldPath,
    /// What the provider acknowledged last.
    pub before: Before,
    /// What it shall hold; null clears it.
    pub after: Value,
    /// Whether the read at apply decides.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// Whether `after` may be shown; sealed in the plan file where it may not.
    #[serde(default, skip_serializing_if = "Shown::is_clear")]
    pub shown: Shown,
}

/// The value before a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// Nothing is known of the field at this provider.
    Unknown,
    /// The field was not mapped when this lane was last synced.
    NewField,
    /// The last acknowledged value.
    Value(Value),
    /// Known, but not to be shown.
    Hidden,
}

/// When a change is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Always.
    #[default]
    Always,
    /// Only if the fresh read shows that the provider holds nothing.
    Blank,
}

impl When {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes the field by reference"
    )]
    fn is_always(&self) -> bool {
        *self == Self::Always
    }
}

/// Whether a value of the plan is clear or sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// In clear.
    #[default]
    Clear,
    /// Hidden in every report; in the plan file the value is a sealed text.
    Masked,
}

impl Shown {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes the field by reference"
    )]
    pub(super) fn is_clear(&self) -> bool {
        *self == Self::Clear
    }
}

impl From<Visibility> for Shown {
    fn from(visibility: Visibility) -> Self {
        match visibility {
            Visibility::Shown => Self::Clear,
            Visibility::Sensitive => Self::Masked,
        }
    }
}

/// What the diff needs beside the row and the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct DiffContext<'a> {
    /// The key of the digests, where the state has one.
    pub key: Option<&'a Key>,
    /// The paths that this lane has mapped before; `None` on its first run.
    pub mapped_before: Option<&'a std::collections::BTreeSet<FieldPath>>,
}

/// The changes of one row in one lane, in the order of the mapping.
///
/// `desired` stands parallel to `mappings`. A record that contradicts an
/// immutable field is a problem of the row: nothing of it is sent.
pub fn diff(
    mappings: &[Mapping],
    desired: &[Desired],
    known: &Acknowledged,
    context: DiffContext<'_>,
) -> Result<Vec<Change>, Vec<Problem>> {
    let mut changes = Vec::new();
    let mut problems = Vec::new();
    for (mapping, desired) in mappings.iter().zip(desired) {
        let field = &mapping.field;
        let Desired::Set(after) = desired else {
            continue;
        };
        let before = known.get(&field.path);
        if field.access == Access::Immutable {
            // A record that does not show the field contradicts nothing.
            if before.is_some_and(|before| {
                !before.is_blank() && !before.equals(field, after, context.key)
            }) {
                problems.push(immutable_problem(mapping));
            }
            continue;
        }
        let Some(when) = decide(mapping, after, before, context.key) else {
            continue;
        };
        let new_field = context
            .mapped_before
            .is_some_and(|paths| !paths.contains(&field.path));
        changes.push(Change {
            field: field.path.clone(),
            before: match before {
                None if new_field => Before::NewField,
                None => Before::Unknown,
                Some(_) if field.visibility == Visibility::Sensitive => Before::Hidden,
                Some(Known::Value(value)) => Before::Value(value.clone()),
                Some(Known::Digest(_)) => Before::Hidden,
            },
            after: after.clone(),
            when,
            shown: field.visibility.into(),
        });
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(problems)
    }
}

/// The problem of a row that contradicts an immutable field.
#[must_use]
pub fn immutable_problem(mapping: &Mapping) -> Problem {
    let problem = Problem::new("E_IMMUTABLE", "cannot change after the record was created; correct the cell, or create a new record at the provider")
        .field(&mapping.field.path);
    match mapping.cell.columns() {
        [column, ..] => problem.column(column),
        [] => problem,
    }
}

/// Whether a value is sent, and when; `None` where there is nothing to do.
fn decide(
    mapping: &Mapping,
    after: &Value,
    before: Option<&Known>,
    key: Option<&Key>,
) -> Option<When> {
    match (mapping.policy, before) {
        (Policy::Ignore, _) => None,
        (Policy::Source, before) => {
            let equal = before.is_some_and(|before| before.equals(&mapping.field, after, key));
            (!equal).then_some(When::Always)
        }
        // An empty value cannot fill anything.
        (Policy::Once | Policy::FillBlank, _) if is_blank(after) => None,
        (Policy::Once | Policy::FillBlank, Some(before)) if !before.is_blank() => None,
        // Known to be empty, and `once` asks no more than that.
        (Policy::Once, Some(_)) => Some(When::Always),
        // No read ever shows it, so none could decide: unknown means never set by us.
        (Policy::Once, None) if mapping.field.access == Access::WriteOnly => Some(When::Always),
        (Policy::Once | Policy::FillBlank, _) => Some(When::Blank),
    }
}
