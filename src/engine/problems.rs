//! From broken rules and provider's refusals to problems of a row: in the
//! user's terms, at the user's columns.

use super::lane::{Lane, Matching};
use crate::core::{Body, FieldPath, Problem, Row};
use crate::provider::{Refusal, Violation};

/// What refuses the final body of a record: the rules it breaks at places that
/// are ours, and those between members.
#[must_use]
pub fn body_problems(lane: &Lane, body: &Body, remote_id: &str) -> Vec<Problem> {
    let checked = lane
        .provider
        .check_body(&body.json.to_value(), &body.ours, remote_id);
    checked
        .violations
        .into_iter()
        .map(|violation| violation_problem(lane, violation))
        .collect()
}

/// What is known of the cell of `match` of a row without a remote id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchCell {
    /// It is blank: no record is ever found by it.
    Blank,
    /// It says what to look for.
    Filled,
    /// Nobody looked at it.
    Unseen,
}

impl MatchCell {
    /// The cell of a row; a value that cannot be used is one all the same.
    pub(super) fn of(lane: &Lane, row: &Row) -> Self {
        let value = lane.matching.as_ref().map(|matching| matching.of_row(row));
        match value {
            Some(Ok(None)) => Self::Blank,
            _ => Self::Filled,
        }
    }
}

/// Why a row has no record in this lane, and what to do. Where only the id
/// column could link it, [`crate::core::SkipReason::problem`] says all.
#[must_use]
pub fn unlinked(lane: &Lane, cell: MatchCell) -> Option<Problem> {
    let matching = lane.matching.as_ref()?;
    let why = match (cell, &lane.id) {
        (MatchCell::Filled, _) => {
            "no remote id yet: `adopt --from provider` looks for the record by `match`"
        }
        (MatchCell::Unseen, _) => {
            "no remote id yet: `adopt --from provider` looks for the record by `match`, where the cell is filled"
        }
        (MatchCell::Blank, Some(_)) => {
            "no remote id, and the cell of `match` is blank: fill one of the two"
        }
        (MatchCell::Blank, None) => {
            "no remote id, and the cell of `match` is blank, so no record is looked for: fill it"
        }
    };
    Some(at_match(matching, Problem::new("W_UNLINKED", why)))
}

/// The problem at the field and the column of `match`.
pub(super) fn at_match(matching: &Matching, problem: Problem) -> Problem {
    let problem = problem.field(&matching.mapping.field.path);
    match matching.mapping.cell.columns() {
        [column, ..] => problem.column(column),
        [] => problem,
    }
}

/// A broken rule at the field and column that it concerns.
pub(super) fn violation_problem(lane: &Lane, violation: Violation) -> Problem {
    let Violation { at, code, message } = violation;
    let mapping = lane
        .mappings
        .iter()
        .find(|m| m.field.path.members() == at || m.field.place.members() == at);
    let mut problem = Problem::new(code, message);
    problem.column = mapping.and_then(|mapping| mapping.cell.columns().first().cloned());
    problem.field = match mapping {
        Some(mapping) => Some(mapping.field.path.clone()),
        None => (!at.is_empty()).then(|| FieldPath::new(at)),
    };
    problem
}

/// What the provider said against a row; its own field names are mapped back
/// to columns where they can be.
pub(super) fn refusal_problems(lane: &Lane, refusal: &Refusal, code: &'static str) -> Vec<Problem> {
    if refusal.fields.is_empty() {
        return vec![Problem::new(code, refusal.message.clone())];
    }
    let problem = |(name, message): &(String, String)| {
        let mapping = lane.mappings.iter().find(|m| {
            let path = m.field.path.to_string();
            path == *name || m.field.path.members().last() == Some(name)
        });
        let text = if message.is_empty() {
            format!("the provider refuses `{name}`")
        } else {
            format!("{name}: {message}")
        };
        let mut problem = Problem::new(code, text);
        problem.field = mapping.map(|m| m.field.path.clone());
        problem.column = mapping.and_then(|m| m.cell.columns().first().cloned());
        problem
    };
    refusal.fields.iter().map(problem).collect()
}
