//! The one report model that every rendering reads.
//!
//! The [`Report`] is the head: bounded, whatever the number of rows. The rows
//! themselves come as an iterator of [`Detail`]s. Nothing here formats text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use thiserror::Error;

use crate::core::{
    Code, Draft, Drift, Estimate, FieldPath, GuardVerdict, KEPT, LaneCounts, LeftOut,
    LeftOutReason, Note, Outcome, PlannedUpdate, Problem, Push, RecordKey, Scope, line_in_file,
};

/// The version of the JSON report's format.
pub const REPORT_FORMAT: u32 = 1;

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The writer refused.
    #[error("cannot write the report: {0}")]
    Write(io::Error),
    /// A part of the report is not JSON.
    #[error("cannot encode the report: {0}")]
    Encode(serde_json::Error),
    /// The rows could not be read to their end; what came before is written.
    #[error("the report ends early: {0}")]
    Details(Box<dyn Error + Send + Sync>),
}

impl From<io::Error> for ReportError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<serde_json::Error> for ReportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}

/// What a plan or a run comes to: the head of the report.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// The version of this program.
    pub tool_version: String,
    /// The run; `None` for a plan.
    pub run_id: Option<String>,
    /// The plan.
    pub plan_id: Option<String>,
    /// The command, as typed (`plan`, `sync`).
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// When it ended; `None` when it was cut off.
    pub ended: Option<String>,
    /// How it ended.
    pub exit: Exit,
    /// Whether the source is the whole population.
    pub scope: Scope,
    /// The source.
    pub source: SourceReport,
    /// The lanes by name.
    pub providers: BTreeMap<String, LaneReport>,
    /// What the guards said.
    pub guards: Vec<GuardVerdict>,
    /// What was allowed on the command line (`NAME=VALUE`).
    pub allowed: Vec<String>,
    /// Warnings of the whole file or plan.
    pub warnings: Vec<Problem>,
    /// The problems by cause: new ones first, then by the number of rows. A
    /// [`crate::report::Collector`] fills it.
    pub problem_groups: Vec<ProblemGroup>,
    /// Problems of further causes, when there were too many to keep apart.
    pub problems_not_grouped: u64,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Exit {
    /// The exit code.
    pub code: u8,
    /// The code's name.
    pub name: Cow<'static, str>,
}

/// The source of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SourceReport {
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// One lane of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaneReport {
    /// The provider's name.
    pub kind: String,
    /// Where its requests go.
    pub target: String,
    /// Its rows by outcome. In JSON these stand beside the other members.
    pub counts: LaneCounts,
    /// Mapped fields that were not mapped when the lane was last synced.
    pub new_fields: Vec<FieldPath>,
    /// What applying the plan will take, where it is still to be applied.
    pub estimate: Option<Estimate>,
    /// Why the lane ended early, if it did.
    pub stopped: Option<String>,
    /// How its requests were held back.
    pub waiting: Waiting,
    /// Per field the records in which it was changed or is still to be.
    pub field_changes: BTreeMap<FieldPath, u64>,
}

/// How the requests of a lane were held back. In JSON its members stand beside
/// the lane's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Seconds for which the whole lane waited.
    pub waited_seconds: u64,
    /// Requests of the budget that are left, where there is one.
    pub budget_left: Option<u64>,
    /// When the next run may go on, where the provider said so (RFC 3339, UTC).
    pub resume_at: Option<String>,
}

impl Serialize for LaneReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = &self.counts;
        let mut lane = serializer.serialize_struct("LaneReport", 21)?;
        lane.serialize_field("kind", &self.kind)?;
        lane.serialize_field("target", &self.target)?;
        lane.serialize_field("rows", &counts.rows)?;
        lane.serialize_field("unchanged", &counts.unchanged)?;
        lane.serialize_field("planned", &counts.planned)?;
        lane.serialize_field("updated", &counts.updated)?;
        lane.serialize_field("rejected", &counts.rejected)?;
        lane.serialize_field("failed", &counts.failed)?;
        lane.serialize_field("in_doubt", &counts.in_doubt)?;
        lane.serialize_field("invalid", &counts.invalid)?;
        lane.serialize_field("skipped", &counts.skipped)?;
        lane.serialize_field("absent", &counts.absent)?;
        lane.serialize_field("requests", &counts.requests)?;
        lane.serialize_field("retries", &counts.retries)?;
        lane.serialize_field("new_fields", &self.new_fields)?;
        lane.serialize_field("estimate", &self.estimate)?;
        lane.serialize_field("stopped", &self.stopped)?;
        lane.serialize_field("field_changes", &self.field_changes)?;
        lane.serialize_field("waited_seconds", &self.waiting.waited_seconds)?;
        lane.serialize_field("budget_left", &self.waiting.budget_left)?;
        lane.serialize_field("resume_at", &self.waiting.resume_at)?;
        lane.end()
    }
}

/// What two problems have in common when they are told as one. It is also what
/// says whether a problem is new since the last run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The lane, for a problem of one lane.
    pub provider: Option<String>,
    /// The stable code.
    pub code: Code,
    /// The source column.
    pub column: Option<String>,
    /// The field of the provider.
    pub field: Option<FieldPath>,
}

/// Problems of one cause.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ProblemGroup {
    /// The stable code.
    pub code: Code,
    /// What is wrong and what to do. Of a provider's words what differs from
    /// row to row is left out.
    pub message: String,
    /// The lane, for a problem of one lane.
    pub provider: Option<String>,
    /// The source column.
    pub column: Option<String>,
    /// The field of the provider.
    pub field: Option<FieldPath>,
    /// What became of the rows.
    #[serde(serialize_with = "spelled")]
    pub outcome: Option<Outcome>,
    /// How many rows have it; 0 for a problem of no row.
    pub rows: u64,
    /// The first rows that have it.
    pub first: Vec<Place>,
    /// Whether the last run did not have it; `None` where no run is known.
    pub new: Option<bool>,
}

/// Spells an outcome as every report does: `skipped(limit)`, not an object.
#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the member by reference"
)]
fn spelled<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    match outcome {
        Some(outcome) => serializer.collect_str(outcome),
        None => serializer.serialize_none(),
    }
}

/// Where a row stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The physical line of the source.
    pub line: Option<u64>,
    /// The row's key.
    pub key: Option<RecordKey>,
    /// The provider's own id of the record, where the problem is one of a record.
    pub remote_id: Option<String>,
}

/// One thing of the stream of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// A row with an update.
    Row(Box<RowDetail>),
    /// A problem, of a row that is left out or of no row.
    Problem(Box<ProblemDetail>),
    /// A record that drifted.
    Drift(Box<Drift>),
}

/// A row with an update: what is planned, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RowDetail {
    /// The lane's name.
    pub provider: String,
    /// The row's key.
    pub key: RecordKey,
    /// The physical line on which the row begins; `None` for a client that the
    /// file does not have.
    pub line: Option<u64>,
    /// The provider's own id of the record.
    pub remote_id: String,
    /// Whether anything was ever acknowledged for this record.
    pub push: Push,
    /// What became of it; [`Outcome::Planned`] while it was not attempted.
    pub outcome: Outcome,
    /// The changes and what travels with them.
    pub draft: Draft,
    /// Requests that were sent for it.
    pub attempts: u32,
    /// The last answer's status.
    pub status: Option<u16>,
    /// The last answer's id at the provider.
    pub provider_request_id: Option<String>,
    /// The provider's words, sensitive values already taken out by whoever
    /// recorded them: this layer never has those values and cannot look for them.
    pub message: Option<String>,
    /// The problems that the answer or the checks before sending named.
    pub problems: Vec<Problem>,
}

/// A problem with the lane and the outcome it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemDetail {
    /// The lane, for a problem of one lane.
    pub provider: Option<String>,
    /// What became of the row; `None` for a problem of no row.
    pub outcome: Option<Outcome>,
    /// The problem.
    pub problem: Problem,
    /// The last answer's status, where there was one.
    pub status: Option<u16>,
    /// The last answer's id at the provider.
    pub provider_request_id: Option<String>,
}

impl From<PlannedUpdate> for RowDetail {
    fn from(update: PlannedUpdate) -> Self {
        Self {
            provider: update.lane,
            key: update.key,
            line: line_in_file(update.line),
            remote_id: update.remote_id,
            push: update.push,
            outcome: Outcome::Planned,
            draft: update.draft,
            attempts: 0,
            status: None,
            provider_request_id: None,
            message: None,
            problems: Vec::new(),
        }
    }
}

impl From<ProblemDetail> for Detail {
    fn from(problem: ProblemDetail) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Note> for ProblemDetail {
    fn from(note: Note) -> Self {
        Self {
            provider: Some(note.lane),
            outcome: note.outcome,
            problem: note.problem,
            status: None,
            provider_request_id: None,
        }
    }
}

impl RowDetail {
    /// Whether the provider held a value already that the field's policy kept, so
    /// that this change was not sent.
    #[must_use]
    pub fn is_kept(&self, field: &FieldPath) -> bool {
        let of_field = |problem: &Problem| problem.field.as_ref() == Some(field);
        let mut kept = self.problems.iter().filter(|problem| problem.code == KEPT);
        kept.any(of_field)
    }

    /// The row's problems: those that were named, or the one that its outcome is.
    #[must_use]
    pub fn problem_details(&self) -> Vec<ProblemDetail> {
        let own = match self.outcome {
            _ if !self.problems.is_empty() => None,
            Outcome::Rejected => Some((
                "E_REJECTED",
                "the provider refused the update and did not say why",
            )),
            Outcome::Failed => Some((
                "E_FAILED",
                "the retries are used up; the next run tries again",
            )),
            Outcome::InDoubt => Some((
                "E_IN_DOUBT",
                "no answer that can be trusted; the next run settles it first",
            )),
            _ => None,
        };
        let own = own.map(|(code, message)| {
            Problem::new(code, self.message.clone().unwrap_or(message.to_owned()))
        });
        own.iter()
            .chain(&self.problems)
            .map(|problem| ProblemDetail {
                provider: Some(self.provider.clone()),
                outcome: Some(self.outcome),
                problem: Problem {
                    line: problem.line.and_then(line_in_file).or(self.line),
                    key: problem.key.clone().or_else(|| Some(self.key.clone())),
                    ..problem.clone()
                },
                status: self.status,
                provider_request_id: self.provider_request_id.clone(),
            })
            .collect()
    }
}

impl ProblemDetail {
    /// Whether the message may quote the provider, who may quote a value.
    #[must_use]
    pub fn quotes_provider(&self) -> bool {
        quotes_provider(self.outcome)
    }
}

/// Whether a message that comes with this outcome may quote the provider.
pub(super) fn quotes_provider(outcome: Option<Outcome>) -> bool {
    matches!(
        outcome,
        Some(Outcome::Rejected | Outcome::Failed | Outcome::InDoubt)
    )
}

/// The problems of a row that is left out of a lane; a row that is merely
/// skipped has one that says why.
#[must_use]
pub fn left_out_problems(left: LeftOut) -> Vec<ProblemDetail> {
    let (outcome, why) = match left.reason {
        LeftOutReason::Invalid => (
            Outcome::Invalid,
            Problem::new(
                "E_INVALID",
                "the row is refused by the mapping or the contract",
            ),
        ),
        LeftOutReason::Skipped(reason) => (Outcome::Skipped(reason), reason.problem()),
    };
    let problems = if left.problems.is_empty() {
        vec![why]
    } else {
        left.problems
    };
    problems
        .into_iter()
        .map(|problem| ProblemDetail {
            provider: Some(left.lane.clone()),
            outcome: Some(outcome),
            problem: Problem {
                line: line_in_file(problem.line.unwrap_or(left.line)),
                key: problem.key.or_else(|| left.key.clone()),
                ..problem
            },
            status: None,
            provider_request_id: None,
        })
        .collect()
}
