//! What is written into the state: plain values, no SQL.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::core::{
    FieldPath, GuardVerdict, Known, LaneCounts, LeftOut, Method, Outcome, Problem, RecordKey, Scope,
};
use crate::failpoint::Point;

/// A run as it begins.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// Its id, never used before.
    pub run_id: String,
    /// `apply`, `sync` or `adopt`.
    pub command: String,
    /// Whether the source is the whole population.
    pub scope: Scope,
    /// When it began.
    pub started: Timestamp,
    /// SHA-256 of the plan, where there is one.
    pub plan_sha256: Option<String>,
    /// The file that holds the plan.
    pub plan_path: Option<String>,
    /// SHA-256 of the source's bytes.
    pub source_sha256: Option<String>,
    /// The number of rows of the source, where one was read.
    pub source_rows: Option<u64>,
    /// The version of this program.
    pub tool_version: String,
    /// What the guards said of the plan.
    pub guards: Vec<GuardVerdict>,
    /// What was allowed on the command line (`NAME=VALUE`).
    pub allowed: Vec<String>,
    /// Per lane the counts of the plan. The lanes are bound already.
    pub lanes: BTreeMap<String, LaneCounts>,
}

/// A run that has begun and not ended; [`crate::store::Store::begin`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRun(pub(super) i64);

/// A run as it ends.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// How the command ends.
    pub exit: RunExit,
    /// When it ended.
    pub at: Timestamp,
    /// Per lane the final counts.
    pub lanes: BTreeMap<String, LaneCounts>,
}

/// How a command ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunExit {
    /// The exit code.
    pub code: u8,
    /// Its name.
    pub name: String,
}

/// One record of the journal.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A request is about to be sent. It may be sent once this is committed.
    Intent(Intent),
    /// An attempt came to an end, and its row goes on.
    Answer(Answer),
    /// A planned row came to its outcome.
    Settle(Box<Settlement>),
    /// A lane's provider asked to be left alone until then.
    LeaveAlone {
        /// The lane's name.
        lane: String,
        /// Until when.
        until: Timestamp,
    },
    /// A row that planning left out, and when that was recorded.
    LeftOut(LeftOut, Timestamp),
    /// A record in doubt of whose fields in doubt nothing is wanted any more.
    Moot {
        /// The lane's name.
        lane: String,
        /// The record's key.
        key: RecordKey,
    },
    /// Records that were read from a provider.
    Adopt {
        /// The lane's name.
        lane: String,
        /// What it holds.
        records: Vec<Adopted>,
    },
}

impl Entry {
    /// The place before it is written.
    pub(super) fn before(&self) -> Point {
        match self {
            Self::Intent(_) => Point::Intend,
            Self::Answer(_) | Self::LeaveAlone { .. } => Point::Answer,
            Self::Settle(_) | Self::Moot { .. } | Self::Adopt { .. } => Point::Settle,
            Self::LeftOut(..) => Point::LeaveOut,
        }
    }

    /// The place after it is durable.
    pub(super) fn after(&self) -> Point {
        match self {
            Self::Intent(_) => Point::Intended,
            Self::Answer(_) | Self::LeaveAlone { .. } => Point::Answered,
            Self::Settle(_) | Self::Moot { .. } | Self::Adopt { .. } => Point::Settled,
            Self::LeftOut(..) => Point::LeftOut,
        }
    }
}

/// A request that is about to be sent.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The request's number in the run, never used before in it.
    pub request: u64,
    /// The lane's name.
    pub lane: String,
    /// The row's key; `None` for a read that serves no single row.
    pub key: Option<RecordKey>,
    /// The physical line on which the row begins.
    pub line: Option<u64>,
    /// Which try of this request it is, from 1; more than 1 is a retry.
    pub n: u32,
    /// The method; GET is a read.
    pub method: Method,
    /// When it was written; the request leaves a little later.
    pub at: Timestamp,
    /// SHA-256 of the body.
    pub body_sha256: Option<String>,
    /// The fields it may change: they are unknown until it is answered.
    pub fields: Vec<FieldPath>,
}

/// What an attempt came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The number of the [`Intent`] it belongs to.
    pub request: u64,
    /// What it means.
    pub result: AttemptResult,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The id that the provider gave the request.
    pub provider_request_id: Option<String>,
    /// What the provider said, sanitised.
    pub message: Option<String>,
    /// When the request left.
    pub sent: Timestamp,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

/// What an answer means for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The provider acknowledged it. The fields of a write stay unknown until
    /// a [`Settlement`] says what they hold now.
    Accepted,
    /// The provider said no; nothing changed.
    Rejected,
    /// It was certainly not applied: never sent, or throttled.
    NotApplied,
    /// It may have been applied.
    InDoubt,
}

impl AttemptResult {
    /// The result's name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotApplied => "not_applied",
            Self::InDoubt => "in_doubt",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [
            Self::Accepted,
            Self::Rejected,
            Self::NotApplied,
            Self::InDoubt,
        ]
        .into_iter()
        .find(|result| result.as_str() == name)
    }
}

/// A planned row that came to its outcome.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The lane's name.
    pub lane: String,
    /// The row's key.
    pub key: RecordKey,
    /// The physical line on which the row begins.
    pub line: u64,
    /// The provider's own id of the record.
    pub remote_id: Option<String>,
    /// What became of the row.
    pub outcome: Outcome,
    /// The stable code of what went wrong.
    pub code: Option<String>,
    /// What went wrong and what to do, sanitised.
    pub message: Option<String>,
    /// Requests sent for the row, reads included.
    pub attempts: u32,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// The id that the provider gave the last request.
    pub provider_request_id: Option<String>,
    /// How long the row took, waits included.
    pub took: Duration,
    /// When it was settled.
    pub at: Timestamp,
    /// Every problem of the row in this lane.
    pub problems: Vec<Problem>,
    /// Something worth telling about a good outcome ("was in doubt").
    pub note: Option<String>,
    /// The last attempt's answer, recorded in the same transaction.
    pub answer: Option<Answer>,
    /// What is known of the record now; only with `updated` and `unchanged`.
    pub snapshot: Option<SnapshotWrite>,
}

/// What becomes known of a record. It is merged into what was known; where the
/// remote id differs it replaces it.
#[derive(Clone, Debug)]
pub struct SnapshotWrite {
    /// The provider's own id of the record.
    pub remote_id: String,
    /// Per field what is known, or `None` where it becomes unknown.
    pub settled: Vec<(FieldPath, Option<Known>)>,
}

/// A record that is adopted.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// The row's key.
    pub key: RecordKey,
    /// What the provider holds.
    pub snapshot: SnapshotWrite,
}
