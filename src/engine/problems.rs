//! From broken rules and provider's refusals to problems of a row: in the
//! user's terms, at the user's columns.

use super::lane::Lane;
use crate::core::{Body, FieldPath, Problem};
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
