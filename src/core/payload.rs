//! The payload: what must travel with the changes of a row.
//!
//! It runs when planning and never sees the provider. Nothing travels without
//! a label that says why.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diff::{Change, Shown, When};
use super::field::{Access, Field};
use super::mapping::{Desired, Mapping, Policy};
use super::path::{FieldPath, Pointer};
use super::shape::{Shape, Together};

/// What one record's update is made of, before any read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// The fields that change.
    pub changes: Vec<Change>,
    /// The fields that must travel with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Extra>,
    /// The fields that must not travel now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
    /// Immutable fields: what the source says of them, to be checked, never sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<(FieldPath, Value)>,
    /// The units whose other members are carried from the read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Pointer>,
    /// Why a fresh read is needed before sending.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub read: BTreeSet<ReadReason>,
}

/// A field that does not change and must travel all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    /// The field.
    pub field: FieldPath,
    /// Its value, the source's own.
    pub value: Value,
    /// What forces it to travel.
    pub because: Travels,
    /// Whether the value may be shown.
    #[serde(default)]
    pub shown: Shown,
}

/// What forces a field to travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Travels {
    /// The unit at this pointer is sent complete.
    Whole(Pointer),
    /// The group of members that begins with this one is sent together.
    Together(Pointer),
}

/// A field that the row has a value for and that is not sent now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withheld {
    /// The field.
    pub field: FieldPath,
    /// The member whose value keeps it back.
    pub while_false: Pointer,
}

/// Why a fresh read is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadReason {
    /// A unit is sent complete and holds members that we do not map.
    Whole,
    /// A group needs a member that this row has no value for.
    Together,
    /// A policy depends on what the provider holds.
    Policy,
}

/// Adds to the changes of one row what must travel with them.
#[must_use]
pub fn assemble(
    shape: &Shape,
    mappings: &[Mapping],
    desired: &[Desired],
    changes: Vec<Change>,
) -> Draft {
    let mut draft = Draft {
        changes,
        ..Draft::default()
    };
    let row: Vec<(&Mapping, &Value)> = mappings
        .iter()
        .zip(desired)
        .filter_map(|(m, d)| Some((m, d.value()?)))
        .collect();
    for group in &shape.groups {
        withhold(&mut draft, group, &row);
    }
    for group in &shape.groups {
        travel_together(&mut draft, group, mappings, &row);
    }
    for whole in &shape.wholes {
        let inside = |field: &Field| whole.holds(field.place.members());
        if !draft
            .changes
            .iter()
            .any(|c| place_of(mappings, &c.field).is_some_and(|place| whole.holds(place)))
        {
            continue;
        }
        for (mapping, value) in row.iter().filter(|(m, _)| inside(&m.field)) {
            add_extra(&mut draft, mapping, value, Travels::Whole(whole.pointer()));
        }
        let assigned = |leaf: &Vec<String>| {
            let at = |field: &FieldPath| place_of(mappings, field) == Some(leaf.as_slice());
            draft
                .changes
                .iter()
                .any(|c| c.when == When::Always && at(&c.field))
                || draft.extras.iter().any(|e| at(&e.field))
        };
        if !whole
            .closed
            .as_ref()
            .is_some_and(|leaves| leaves.iter().all(assigned))
        {
            draft.carried.push(whole.pointer());
            draft.read.insert(ReadReason::Whole);
        }
    }
    if draft
        .changes
        .iter()
        .any(|change| change.when == When::Blank)
    {
        draft.read.insert(ReadReason::Policy);
    }
    if draft.changes.is_empty() {
        return Draft {
            withheld: draft.withheld,
            ..Draft::default()
        };
    }
    draft.expected = row
        .iter()
        .filter(|(mapping, _)| mapping.field.access == Access::Immutable)
        .map(|(mapping, value)| (mapping.field.path.clone(), (*value).clone()))
        .collect();
    draft
}

/// What a member will certainly hold by this row alone, whatever a read shows.
fn certain<'a>(
    draft: &'a Draft,
    row: &[(&Mapping, &'a Value)],
    member: &[String],
) -> Option<&'a Value> {
    let (mapping, value) = row
        .iter()
        .find(|(m, _)| m.field.place.members() == member)?;
    let changes = draft
        .changes
        .iter()
        .any(|c| c.field == mapping.field.path && c.when == When::Always);
    (changes || mapping.policy == Policy::Source).then_some(*value)
}

/// Takes the dependent members of a group out of the changes while the row
/// itself says that the condition is false.
fn withhold(draft: &mut Draft, group: &Together, row: &[(&Mapping, &Value)]) {
    let Some((member, wanted)) = &group.when else {
        return;
    };
    if certain(draft, row, member).is_none_or(|value| value == wanted) {
        return;
    }
    for (mapping, _) in row {
        if group.depends(mapping.field.place.members()) {
            draft
                .changes
                .retain(|change| change.field != mapping.field.path);
            draft.withheld.push(Withheld {
                field: mapping.field.path.clone(),
                while_false: Pointer::new(member.clone()),
            });
        }
    }
}

/// One member of a group changes: all travel that this row has a value for.
fn travel_together(
    draft: &mut Draft,
    group: &Together,
    mappings: &[Mapping],
    row: &[(&Mapping, &Value)],
) {
    let in_group = |place: &[String]| group.members.iter().any(|m| m.as_slice() == place);
    if !draft
        .changes
        .iter()
        .any(|c| place_of(mappings, &c.field).is_some_and(in_group))
    {
        return;
    }
    let first = Pointer::new(group.members.first().cloned().unwrap_or_default());
    for (mapping, value) in row
        .iter()
        .filter(|(m, _)| in_group(m.field.place.members()))
    {
        if !draft.withheld.iter().any(|w| w.field == mapping.field.path) {
            add_extra(draft, mapping, value, Travels::Together(first.clone()));
        }
    }
    let false_by_row = group.when.as_ref().is_some_and(|(member, wanted)| {
        certain(draft, row, member).is_some_and(|value| value != wanted)
    });
    // A value that the row has and its policy keeps back is missing as well.
    let missing = |member: &Vec<String>| {
        let at = |field: &FieldPath| place_of(mappings, field) == Some(member.as_slice());
        !draft.changes.iter().any(|c| at(&c.field)) && !draft.extras.iter().any(|e| at(&e.field))
    };
    if !false_by_row && group.members.iter().any(missing) {
        draft.read.insert(ReadReason::Together);
    }
}

/// Adds an unchanged field of ours to the load; what another policy guards,
/// what is only written or only compared, does not ride along.
fn add_extra(draft: &mut Draft, mapping: &Mapping, value: &Value, because: Travels) {
    let field = &mapping.field;
    let there = draft.changes.iter().any(|c| c.field == field.path)
        || draft.extras.iter().any(|e| e.field == field.path);
    if there || mapping.policy != Policy::Source || field.access != Access::ReadWrite {
        return;
    }
    draft.extras.push(Extra {
        field: field.path.clone(),
        value: value.clone(),
        because,
        shown: field.visibility.into(),
    });
}

pub(super) fn place_of<'a>(mappings: &'a [Mapping], path: &FieldPath) -> Option<&'a [String]> {
    mappings
        .iter()
        .find(|m| m.field.path == *path)
        .map(|m| m.field.place.members())
}
