//! One row on its way through its attempts, and what providers said to it.
//!
//! Plain values; the worker moves them.

use tokio::time::Instant;

use super::decide::{Action, Came, nothing_in_words};
use crate::core::{Outcome, PlannedUpdate, Response, Shown};
use crate::provider::{Answer, Asked, Refusal};
use crate::store::SnapshotRow;

/// One row on its way.
pub(super) struct Journey {
    pub(super) update: PlannedUpdate,
    pub(super) known: Option<SnapshotRow>,
    pub(super) began: Instant,
    pub(super) tries: Tries,
}

impl Journey {
    pub(super) fn new(update: PlannedUpdate, known: Option<SnapshotRow>) -> Self {
        Self {
            update,
            known,
            began: Instant::now(),
            tries: Tries::default(),
        }
    }
}

/// Where the attempts of one thing stand: of a row, or of a page.
pub(super) struct Tries {
    /// Attempts that count, from 1.
    pub(super) number: u32,
    /// Requests sent: reads, writes.
    pub(super) sent: [u32; 2],
    pub(super) renewed: bool,
    /// Whether an earlier attempt of this run may have been applied.
    pub(super) in_doubt: bool,
    pub(super) last: Option<Seen>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            number: 1,
            sent: [0; 2],
            renewed: false,
            in_doubt: false,
            last: None,
        }
    }
}

impl Tries {
    /// Counts one more request of this kind; the number of the try.
    pub(super) fn count(&mut self, asked: Asked) -> u32 {
        let tries = &mut self.sent[usize::from(asked == Asked::Write)];
        *tries += 1;
        *tries
    }
}

/// The last answer, for an outcome.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) status: Option<u16>,
    pub(super) provider_request_id: Option<String>,
}

impl Seen {
    pub(super) fn of(response: &Response) -> Self {
        // The names that providers give the id of a request.
        let id = [
            "x-request-id",
            "request-id",
            "x-correlation-id",
            "x-api-identifier",
        ]
        .iter()
        .find_map(|name| response.header(name));
        Self {
            status: Some(response.status),
            provider_request_id: id.map(|id| id.chars().take(100).collect()),
        }
    }
}

/// A provider may quote what it refuses: values that must not be stored in
/// clear are taken out of its words.
pub(super) fn without_sensitive(update: &PlannedUpdate, refusal: Refusal) -> Refusal {
    let changes = update
        .draft
        .changes
        .iter()
        .map(|change| (change.shown, &change.after));
    let extras = update
        .draft
        .extras
        .iter()
        .map(|extra| (extra.shown, &extra.value));
    let masked: Vec<String> = changes
        .chain(extras)
        .filter(|(shown, _)| *shown == Shown::Masked)
        .map(|(_, value)| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .filter(|text| !text.is_empty())
        .collect();
    let hide = |text: String| {
        masked
            .iter()
            .fold(text, |text, value| text.replace(value.as_str(), "(hidden)"))
    };
    Refusal {
        message: hide(refusal.message),
        fields: refusal
            .fields
            .into_iter()
            .map(|(name, message)| (name, hide(message)))
            .collect(),
    }
}

pub(super) fn refusal_of(action: &Action) -> Option<&Refusal> {
    match action {
        Action::Reject(refusal)
        | Action::Fail(refusal)
        | Action::InDoubt(refusal)
        | Action::Stop(_, refusal) => Some(refusal),
        Action::Accept | Action::RetryAfter(_) | Action::Pause(_) | Action::Renew => None,
    }
}

/// What an attempt that goes on came to, in a few words.
pub(super) fn words_of(came: &Came) -> Option<String> {
    let refusal = match came {
        Came::Answer(Answer::Accepted) => return None,
        Came::Nothing(nothing) => {
            return Some(nothing_in_words(*nothing).to_owned());
        }
        Came::Answer(
            Answer::Rejected(refusal)
            | Answer::Transient(refusal)
            | Answer::Throttled { refusal, .. }
            | Answer::Unauthorized(refusal)
            | Answer::Deferred(refusal)
            | Answer::Stopped(refusal)
            | Answer::Unreadable(refusal),
        ) => refusal,
    };
    Some(refusal.message.clone())
}

pub(super) fn code_of(outcome: Outcome, status: Option<u16>) -> &'static str {
    match (outcome, status) {
        (Outcome::Rejected, Some(404)) => "E_NOT_FOUND",
        (Outcome::Rejected, _) => "E_REJECTED",
        (Outcome::Failed, _) => "E_FAILED",
        _ => "E_IN_DOUBT",
    }
}
