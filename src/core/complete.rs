//! The final body: our values over the writable part of a fresh read.
//!
//! It runs when planning where no read is needed, and inside the attempt where
//! one is. It is pure. No foreign value is ever invented, dropped or
//! reformatted here.

use serde_json::Value;

use super::compare::is_blank;
use super::diff::{Change, When, immutable_problem};
use super::field::{Access, Place};
use super::json::Json;
use super::known::Acknowledged;
use super::mapping::{Mapping, Policy};
use super::path::FieldPath;
use super::payload::{Draft, Extra, Travels, place_of};
use super::problem::Problem;
use super::secret::Key;
use super::shape::{Shape, Together};
use super::view::{Hint, ViewError, decode, encode};

/// The code of a change that was not sent, because the read showed a value that
/// its policy keeps. Whoever tells of changes must not tell of it as done.
pub const KEPT: &str = "W_KEPT";

/// The outcome of [`complete`].
#[derive(Clone, Debug)]
pub enum Completed {
    /// The provider holds all of it already: nothing is sent.
    Unchanged(Settled),
    /// The body to send.
    Body(Box<Body>),
}

/// A body, and what its acceptance means for the snapshot.
#[derive(Clone, Debug)]
pub struct Body {
    /// The exact JSON to send.
    pub json: Json,
    /// The wire places we wrote: a violation elsewhere is not ours.
    pub ours: Vec<Vec<String>>,
    /// The fields whose values are ours: in doubt until it is answered.
    pub sent: Vec<FieldPath>,
    /// What the snapshot knows once this body is accepted.
    pub settled: Settled,
}

/// What becomes known of the mapped fields.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Per field its value, or `None` where it becomes unknown.
    pub values: Vec<(FieldPath, Option<Value>)>,
    /// The fields that someone else changed since they were acknowledged.
    pub drifted: Vec<FieldPath>,
    /// The fields that shall change and do not: the provider holds another value
    /// already, and their policy keeps it.
    pub kept: Vec<FieldPath>,
}

/// What [`complete`] needs beside the draft.
#[derive(Clone, Copy, Debug)]
pub struct Completing<'a> {
    /// The provider's shape.
    pub shape: &'a Shape,
    /// The lane's mapped fields.
    pub mappings: &'a [Mapping],
    /// The snapshot of the record.
    pub known: &'a Acknowledged,
    /// The key of the snapshot's digests.
    pub key: Option<&'a Key>,
    /// The provider's own id of the record.
    pub remote_id: &'a str,
}

/// Builds the body: our values over the writable part of a fresh read.
///
/// Without a read it is the overlay alone. With one, changes that the provider
/// already shows are left out, and when nothing is left, nothing is sent.
pub fn complete(
    draft: &Draft,
    read: Option<&Json>,
    with: &Completing<'_>,
) -> Result<Completed, Vec<Problem>> {
    let reading = Reading::of(draft, read, with)?;
    let mut changes: Vec<&Change> = draft
        .changes
        .iter()
        .filter(|change| reading.survives(change, with))
        .collect();
    let idle = dependents_without_condition(&changes, draft, read, with);
    changes.retain(|change| !idle.contains(&&change.field));
    let kept = reading.kept(draft, with);
    let mut settled = reading.settled;
    settled.kept = kept;
    for field in draft.withheld.iter().map(|w| &w.field).chain(idle.clone()) {
        settled.values.retain(|(path, _)| path != field);
        settled.values.push((field.clone(), None));
    }
    if changes.is_empty() {
        return Ok(Completed::Unchanged(settled));
    }
    let touches = |at: &[String]| {
        changes
            .iter()
            .any(|c| place_of(with.mappings, &c.field).is_some_and(|place| place.starts_with(at)))
    };
    let mut json = Json::object();
    for whole in with.shape.wholes.iter().filter(|whole| touches(&whole.at)) {
        if let Some(kept) = read
            .and_then(|read| read.at(&whole.at))
            .and_then(|unit| whole.writable.keep(unit))
            .filter(|unit| !unit.is_null())
        {
            json.set_at(&whole.at, kept);
        }
    }
    let travels = |extra: &&Extra| match &extra.because {
        Travels::Whole(unit) => touches(unit.tokens()),
        Travels::Together(first) => with.shape.groups.iter().any(|g| {
            g.members
                .first()
                .is_some_and(|m| m.as_slice() == first.tokens())
                && g.members.iter().any(|m| touches(m))
        }),
    };
    let extras: Vec<&Extra> = draft
        .extras
        .iter()
        .filter(travels)
        .filter(|extra| !idle.contains(&&extra.field))
        .collect();
    let assignments: Vec<(&FieldPath, &Value)> = changes
        .iter()
        .map(|c| (&c.field, &c.after))
        .chain(extras.iter().map(|e| (&e.field, &e.value)))
        .collect();
    let mut ours = write(&assignments, &mut json, draft, with)?;
    if let Some(read) = read {
        fill_groups(&mut json, read, with.shape, &touches);
    }
    if let Some(id) = &with.shape.id {
        json.set_at(&id.at, id.json(with.remote_id));
        ours.push(id.at.clone());
    }
    let sent = assignments
        .iter()
        .map(|(path, _)| (*path).clone())
        .collect();
    for (path, value) in assignments {
        settled.values.retain(|(p, _)| p != path);
        settled.values.push((path.clone(), Some(value.clone())));
    }
    Ok(Completed::Body(Box::new(Body {
        json,
        ours,
        sent,
        settled,
    })))
}

/// The dependent members of groups whose condition, which the row leaves to
/// the record, the read shows to be false: they are not sent.
fn dependents_without_condition<'a>(
    changes: &[&Change],
    draft: &'a Draft,
    read: Option<&Json>,
    with: &Completing<'_>,
) -> Vec<&'a FieldPath> {
    let is_false = |(member, wanted): &(Vec<String>, Value)| {
        let at = |field: &FieldPath| place_of(with.mappings, field) == Some(member.as_slice());
        let extras = draft.extras.iter().filter(|e| at(&e.field));
        let said = changes
            .iter()
            .filter(|c| at(&c.field))
            .map(|c| &c.after)
            .chain(extras.map(|e| &e.value))
            .next();
        match (said, read) {
            (Some(value), _) => value != wanted,
            (None, Some(read)) => read.at(member).is_none_or(|v| v.to_value() != *wanted),
            (None, None) => false,
        }
    };
    let idle: Vec<&Together> = with
        .shape
        .groups
        .iter()
        .filter(|group| group.when.as_ref().is_some_and(is_false))
        .collect();
    let fields = draft.changes.iter().map(|c| &c.field);
    fields
        .chain(draft.extras.iter().map(|e| &e.field))
        .filter(|field| {
            place_of(with.mappings, field)
                .is_some_and(|place| idle.iter().any(|group| group.depends(place)))
        })
        .collect()
}

/// Writes our values into the body, in the order of the mapping; what is taken
/// out first, because it moves the entries behind it, and flags last.
fn write(
    assignments: &[(&FieldPath, &Value)],
    body: &mut Json,
    draft: &Draft,
    with: &Completing<'_>,
) -> Result<Vec<Vec<String>>, Vec<Problem>> {
    let hints = |path: &FieldPath| hint(draft, with, path);
    let mut ours = Vec::new();
    let mut problems = Vec::new();
    let mut ordered: Vec<(&Mapping, &Value)> = with
        .mappings
        .iter()
        .filter_map(|mapping| {
            let (_, value) = assignments
                .iter()
                .find(|(path, _)| **path == mapping.field.path)?;
            Some((mapping, *value))
        })
        .collect();
    ordered.sort_by_key(|(mapping, value)| match mapping.field.place {
        Place::Flag { .. } => 2,
        _ if value.is_null() => 0,
        _ => 1,
    });
    for (mapping, value) in ordered {
        match encode(&mapping.field, value, body, &hints) {
            Ok(place) => ours.push(place),
            Err(error) => problems.push(view_problem(mapping, error)),
        }
    }
    if problems.is_empty() {
        Ok(ours)
    } else {
        Err(problems)
    }
}

/// Members of a touched group that this row has no value for come from the read.
fn fill_groups(body: &mut Json, read: &Json, shape: &Shape, touches: &dyn Fn(&[String]) -> bool) {
    for group in shape
        .groups
        .iter()
        .filter(|group| group.members.iter().any(|m| touches(m)))
    {
        if let Some((member, wanted)) = &group.when {
            let holds = body
                .at(member)
                .or_else(|| read.at(member))
                .is_some_and(|value| value.to_value() == *wanted);
            if !holds {
                continue;
            }
        }
        for member in &group.members {
            if body.at(member).is_none()
                && let Some(value) = read.at(member).filter(|value| !value.is_null())
            {
                body.set_at(member, value.clone());
            }
        }
    }
}

/// The mapped fields as a fresh read shows them.
struct Reading {
    /// Per mapped field what the read shows; nothing without a read.
    seen: Vec<(FieldPath, Value)>,
    settled: Settled,
}

impl Reading {
    fn of(draft: &Draft, read: Option<&Json>, with: &Completing<'_>) -> Result<Self, Vec<Problem>> {
        let mut reading = Self {
            seen: Vec::new(),
            settled: Settled::default(),
        };
        let Some(record) = read else {
            return Ok(reading);
        };
        let hints = |path: &FieldPath| hint(draft, with, path);
        let mut problems = Vec::new();
        for mapping in with
            .mappings
            .iter()
            .filter(|m| m.field.access != Access::WriteOnly)
        {
            let path = &mapping.field.path;
            let value = match decode(&mapping.field, record, &hints) {
                Ok(value) => value,
                Err(error) => {
                    if draft.changes.iter().any(|c| c.field == *path) {
                        problems.push(view_problem(mapping, error));
                    }
                    continue;
                }
            };
            if let Some((_, expected)) = draft.expected.iter().find(|(p, _)| p == path)
                // A record that does not show the field contradicts nothing.
                && !value.is_null()
                && !mapping.field.compare.equal(expected, &value)
            {
                problems.push(immutable_problem(mapping));
            }
            // What is as we want it may be our own doing: an earlier attempt.
            let wanted =
                |c: &Change| c.field == *path && mapping.field.compare.equal(&c.after, &value);
            let moved = with
                .known
                .get(path)
                .is_some_and(|known| !known.equals(&mapping.field, &value, with.key));
            if moved && !draft.changes.iter().any(wanted) {
                reading.settled.drifted.push(path.clone());
            }
            reading
                .settled
                .values
                .push((path.clone(), Some(value.clone())));
            reading.seen.push((path.clone(), value));
        }
        if problems.is_empty() {
            Ok(reading)
        } else {
            Err(problems)
        }
    }

    /// Whether a change is still to be sent, given what the read shows.
    fn survives(&self, change: &Change, with: &Completing<'_>) -> bool {
        let Some((_, seen)) = self.seen.iter().find(|(path, _)| *path == change.field) else {
            // Not read, or never readable: the plan stands, but what depends on
            // a read that did not happen is not sent.
            return change.when == When::Always;
        };
        let Some(mapping) = with.mappings.iter().find(|m| m.field.path == change.field) else {
            return false;
        };
        !keeps(mapping, change, seen) && !mapping.field.compare.equal(seen, &change.after)
    }

    /// The fields of changes that another value at the provider declines.
    fn kept(&self, draft: &Draft, with: &Completing<'_>) -> Vec<FieldPath> {
        let is_kept = |change: &&Change| {
            let seen = self.seen.iter().find(|(path, _)| *path == change.field);
            let mapping = with.mappings.iter().find(|m| m.field.path == change.field);
            let (Some((_, seen)), Some(mapping)) = (seen, mapping) else {
                return false;
            };
            keeps(mapping, change, seen) && !mapping.field.compare.equal(seen, &change.after)
        };
        let changes = draft.changes.iter().filter(is_kept);
        changes.map(|change| change.field.clone()).collect()
    }
}

/// Whether the policy of a change keeps what a read shows. What the snapshot took
/// for empty may have been filled since: a read that was made anyway is believed,
/// whatever it was made for.
fn keeps(mapping: &Mapping, change: &Change, seen: &Value) -> bool {
    let guarded = matches!(mapping.policy, Policy::Once | Policy::FillBlank);
    (guarded || change.when == When::Blank) && !is_blank(seen)
}

fn hint<'a>(draft: &'a Draft, with: &Completing<'a>, path: &FieldPath) -> Hint<'a> {
    let changed = draft
        .changes
        .iter()
        .find(|c| c.field == *path)
        .map(|c| &c.after);
    Hint {
        desired: changed.or_else(|| {
            draft
                .extras
                .iter()
                .find(|e| e.field == *path)
                .map(|e| &e.value)
        }),
        acknowledged: with.known.get(path).map(|known| (known, with.key)),
    }
}

fn view_problem(mapping: &Mapping, error: ViewError) -> Problem {
    let (code, message) = match error {
        ViewError::AmbiguousEntry => (
            "E_AMBIGUOUS_ENTRY",
            format!("{error}; remove the duplicate at the provider"),
        ),
        ViewError::NoSuchEntry => (
            "E_GROUP",
            format!("{error}; map its value too, or choose another entry"),
        ),
    };
    let problem = Problem::new(code, message).field(&mapping.field.path);
    match mapping.cell.columns() {
        [column, ..] => problem.column(column),
        [] => problem,
    }
}
