//! One row on its way through its attempts, and what providers said to it.
//!
//! Plain values; the worker moves them.

use tokio::time::Instant;

use super::decide::{Action, Came, nothing_in_words};
use crate::core::{NoResponse, Outcome, PlannedUpdate, Problem, Response, Shown};
use crate::engine::past::Earlier;
use crate::provider::{Answer, Asked, Refusal};
use crate::store::SnapshotRow;

/// One row on its way.
pub(in crate::engine) struct Journey {
    pub(in crate::engine) update: PlannedUpdate,
    pub(in crate::engine) known: Option<SnapshotRow>,
    pub(in crate::engine) began: Instant,
    pub(in crate::engine) tries: Tries,
    /// What an earlier run made of it.
    pub(in crate::engine) earlier: Earlier,
    /// Whether it still has to be found out what became of the last write.
    pub(in crate::engine) unverified: bool,
    /// Whether this is its last chance: it is not put aside again.
    pub(in crate::engine) last_chance: bool,
}

impl Journey {
    pub(in crate::engine) fn new(
        update: PlannedUpdate,
        known: Option<SnapshotRow>,
        earlier: Earlier,
    ) -> Self {
        Self {
            earlier,
            unverified: earlier == Earlier::InDoubt,
            last_chance: false,
            update,
            known,
            began: Instant::now(),
            tries: Tries::default(),
        }
    }

    /// Whether nobody knows what became of a write.
    pub(in crate::engine) fn is_in_doubt(&self) -> bool {
        self.unverified || self.tries.unanswered
    }

    /// A read has told what became of it.
    pub(in crate::engine) fn verified(&mut self) {
        self.unverified = false;
        self.tries.unanswered = false;
    }
}

/// Where the attempts of one thing stand: of a row, or of a page.
pub(in crate::engine) struct Tries {
    /// Attempts that count, from 1.
    pub(in crate::engine) number: u32,
    /// Requests sent: reads, writes.
    pub(in crate::engine) sent: [u32; 2],
    /// Whether credentials were renewed and have not worked yet, alike.
    renewed: [bool; 2],
    /// Whether an earlier attempt of this run may have been applied.
    pub(in crate::engine) in_doubt: bool,
    /// Whether the last write has no answer that can be trusted: a read tells
    /// what became of it.
    pub(in crate::engine) unanswered: bool,
    /// When the first request left.
    pub(in crate::engine) began: Option<Instant>,
    pub(in crate::engine) last: Option<Seen>,
    /// What is to be told of the row whatever becomes of it.
    pub(in crate::engine) warnings: Vec<Problem>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            number: 1,
            sent: [0; 2],
            renewed: [false; 2],
            in_doubt: false,
            unanswered: false,
            began: None,
            last: None,
            warnings: Vec::new(),
        }
    }
}

impl Tries {
    /// Counts one more request of this kind; the number of the try.
    pub(in crate::engine) fn count(&mut self, asked: Asked) -> u32 {
        let tries = &mut self.sent[of(asked)];
        *tries += 1;
        *tries
    }

    /// Whether credentials were renewed for this kind of request, in vain so far.
    pub(in crate::engine) fn has_renewed(&self, asked: Asked) -> bool {
        self.renewed[of(asked)]
    }

    /// Credentials are renewed for this kind of request.
    pub(in crate::engine) fn renew(&mut self, asked: Asked) {
        self.renewed[of(asked)] = true;
    }

    /// Takes note of what came of a request: a write whose end is unknown raises
    /// the question, and only an accepted one answers it.
    pub(in crate::engine) fn heard(&mut self, asked: Asked, came: &Came) {
        if matches!(came, Came::Answer(Answer::Accepted)) {
            // The new credentials work for this; a refusal later is a new one.
            self.renewed[of(asked)] = false;
        }
        if asked != Asked::Write {
            return;
        }
        match came {
            Came::Answer(Answer::Unreadable(_))
            | Came::Nothing(NoResponse::TimedOut | NoResponse::Broken | NoResponse::TooLarge) => {
                self.unanswered = true;
            }
            Came::Answer(Answer::Accepted) => self.unanswered = false,
            Came::Answer(_) | Came::Nothing(_) => {}
        }
    }

    /// Warns once of a wait that was asked for and could not be read.
    pub(in crate::engine) fn warn_of_wait(&mut self) {
        const CODE: &str = "W_RETRY_AFTER";
        if self.warnings.iter().all(|warning| warning.code != CODE) {
            self.warnings.push(Problem::new(
                CODE,
                "the provider asked to wait with a `Retry-After` that is neither seconds nor a date",
            ));
        }
    }
}

/// The place of a kind of request: reads, writes.
fn of(asked: Asked) -> usize {
    usize::from(asked == Asked::Write)
}

/// The last answer, for an outcome.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Seen {
    pub(in crate::engine) status: Option<u16>,
    pub(in crate::engine) provider_request_id: Option<String>,
}

impl Seen {
    pub(in crate::engine) fn of(response: &Response) -> Self {
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
pub(in crate::engine) fn without_sensitive(update: &PlannedUpdate, refusal: Refusal) -> Refusal {
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

pub(in crate::engine) fn refusal_of(action: &Action) -> Option<&Refusal> {
    match action {
        Action::Reject(refusal)
        | Action::Fail(refusal)
        | Action::InDoubt(refusal)
        | Action::Stop(_, refusal)
        | Action::LeaveAlone(_, refusal) => Some(refusal),
        Action::Accept | Action::RetryAfter(_) | Action::Pause(_) | Action::Renew => None,
    }
}

/// What an attempt that goes on came to, in a few words.
pub(in crate::engine) fn words_of(came: &Came) -> Option<String> {
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

pub(in crate::engine) fn code_of(outcome: Outcome, status: Option<u16>) -> &'static str {
    match (outcome, status) {
        (Outcome::Rejected, Some(404)) => "E_NOT_FOUND",
        (Outcome::Rejected, _) => "E_REJECTED",
        (Outcome::Failed, _) => "E_FAILED",
        _ => "E_IN_DOUBT",
    }
}
