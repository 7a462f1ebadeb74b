//! One round of a row: plan, read where a read is needed, complete, check,
//! send, and settle the snapshot; step by step as the engine does it.

use clientsync::core::{
    Acknowledged, Body, Change, Completed, Completing, DiffContext, Draft, FieldPath, Json, Key,
    Known, assemble, complete, diff,
};

use super::case::Case;
use super::server::Server;

/// How a round ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// Nothing differs from what is known.
    NothingPlanned,
    /// The read showed that nothing is to be sent.
    NothingSent,
    /// This body was accepted.
    Sent(Json),
    /// The row was refused, with these codes; nothing was sent.
    Invalid(Vec<String>),
}

/// A round and what it went through.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) ended: Ended,
    pub(super) draft: Draft,
    pub(super) read: Option<Json>,
    pub(super) drifted: Vec<FieldPath>,
}

/// Whether a round reads the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    AsNeeded,
    Always,
}

/// The changes that a row plans.
pub(super) fn changes(
    case: &Case,
    known: &Acknowledged,
    key: Option<&Key>,
) -> Result<Vec<Change>, Vec<String>> {
    let context = DiffContext {
        key,
        mapped_before: None,
    };
    diff(&case.mappings, &case.desired, known, context)
        .map_err(|problems| problems.iter().map(|p| p.code.to_string()).collect())
}

/// Runs one round against a server. A body that the server refuses is an
/// error of the test.
pub(super) fn round(
    case: &Case,
    server: &mut Server,
    known: &mut Acknowledged,
    key: Option<&Key>,
    reads: Reads,
) -> Result<Round, String> {
    let mut round = Round {
        ended: Ended::NothingPlanned,
        draft: Draft::default(),
        read: None,
        drifted: Vec::new(),
    };
    let changes = match changes(case, known, key) {
        Ok(changes) => changes,
        Err(codes) => {
            round.ended = Ended::Invalid(codes);
            return Ok(round);
        }
    };
    let shape = &case.world.provider.shape;
    round.draft = assemble(shape, &case.mappings, &case.desired, changes);
    if round.draft.changes.is_empty() {
        return Ok(round);
    }
    if reads == Reads::Always || !round.draft.read.is_empty() {
        round.read = Some(server.read());
    }
    let with = Completing {
        shape,
        mappings: &case.mappings,
        known,
        key,
        remote_id: case.world.id,
    };
    let (ended, settled) = match complete(&round.draft, round.read.as_ref(), &with) {
        Err(problems) => {
            let codes = problems.iter().map(|p| p.code.to_string()).collect();
            round.ended = Ended::Invalid(codes);
            return Ok(round);
        }
        Ok(Completed::Unchanged(settled)) => (Ended::NothingSent, settled),
        Ok(Completed::Body(body)) => {
            let Body {
                json,
                ours,
                settled,
                ..
            } = *body;
            let provider = &case.world.provider;
            let broken = provider
                .check_body(&json.to_value(), &ours, case.world.id)
                .violations;
            if !broken.is_empty() {
                round.ended = Ended::Invalid(broken.iter().map(|v| v.code.to_owned()).collect());
                return Ok(round);
            }
            let text = json.to_text();
            server
                .apply(&json)
                .map_err(|why| format!("the server refuses {text}: {why}"))?;
            (Ended::Sent(json), settled)
        }
    };
    for (path, value) in settled.values {
        let field = case.mappings.iter().find(|m| m.field.path == path);
        match (field, value) {
            (Some(mapping), Some(value)) => {
                known.insert(path, Known::of(&mapping.field, &value, key));
            }
            _ => drop(known.remove(&path)),
        }
    }
    round.drifted = settled.drifted;
    round.ended = ended;
    Ok(round)
}
