//! The lines of a plan file.
//!
//! A plan is data: it can be printed, stored, compared, and applied without
//! being computed again. Nothing here reads or writes a file. Each type is one
//! line of the file, which is JSON Lines: header, updates and rows left out,
//! trailer. Adoption and drift tell their rows in the same form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::drift::Drift;
use super::json::Json;
use super::outcome::{LaneCounts, LeftOutReason, Outcome};
use super::path::FieldPath;
use super::payload::Draft;
use super::problem::Problem;
use super::record::RecordKey;

/// The version of the plan file's format.
pub const PLAN_FORMAT: u32 = 1;

/// One line of a plan file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanLine {
    /// The first line.
    Header(Header),
    /// An update.
    Update(Box<PlannedUpdate>),
    /// A row that is left out in a lane.
    LeftOut(LeftOut),
    /// A problem that belongs to no update and keeps no row out.
    Note(Note),
    /// A record in which the provider holds something else than it acknowledged.
    Drift(Box<Drift>),
    /// The last line.
    Trailer(Trailer),
}

/// What the plan is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The plan's own id.
    pub plan_id: String,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// SHA-256 of the configuration file.
    pub config_sha256: String,
    /// Whether the source is not the whole population.
    pub scope: Scope,
    /// The lanes, in the order of the configuration.
    pub lanes: Vec<LaneHeader>,
}

/// Whether the source holds every client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The file is the whole population.
    Whole,
    /// The file, or what is planned of it, is a part.
    Partial,
}

/// What the plan is for, per lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneHeader {
    /// The lane's name.
    pub lane: String,
    /// The provider's name.
    pub kind: String,
    /// Where requests go: scheme, host and path prefix, with the settings that
    /// choose the account. Binds the lane's state.
    pub target: String,
    /// SHA-256 of the manifest.
    pub manifest_sha256: String,
    /// SHA-256 of the contract.
    pub contract_sha256: String,
    /// The mapped fields that were not mapped when the lane was last synced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_fields: Vec<FieldPath>,
}

/// One record's update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedUpdate {
    /// The lane's name.
    pub lane: String,
    /// The row's key.
    pub key: RecordKey,
    /// The provider's own id of the record.
    pub remote_id: String,
    /// The physical line on which the row begins; from [`NOT_IN_FILE`] on it is
    /// a client that the file does not have.
    ///
    /// [`NOT_IN_FILE`]: crate::core::NOT_IN_FILE
    pub line: u64,
    /// Whether anything was ever acknowledged for this record.
    pub push: Push,
    /// The changes and what must travel with them.
    pub draft: Draft,
    /// What is sent: the exact body where no read is needed, else our values
    /// in the field view.
    pub overlay: Overlay,
    /// SHA-256 of the snapshot row it was computed from; empty where there is
    /// none.
    pub basis: String,
}

/// What is sent of an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlay {
    /// In clear.
    Clear(Json),
    /// Sealed, because it holds a sensitive value.
    Sealed(String),
}

/// Whether anything was ever acknowledged for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Push {
    /// Never: all mapped fields are sent.
    First,
    /// Yes: only what differs is sent.
    Update,
}

/// A row that is left out in a lane, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The lane's name.
    pub lane: String,
    /// The row's key, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<RecordKey>,
    /// The physical line on which the row begins.
    pub line: u64,
    /// Why.
    pub reason: LeftOutReason,
    /// Every problem of the row in this lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// A problem of a lane, told beside its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The lane's name.
    pub lane: String,
    /// What became of the row, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The problem.
    pub problem: Problem,
}

impl LeftOut {
    /// A row that is left out; its problems are put at its line and key.
    #[must_use]
    pub fn of(
        name: &str,
        key: Option<RecordKey>,
        line: u64,
        reason: LeftOutReason,
        problems: Vec<Problem>,
    ) -> Self {
        let place = |mut problem: Problem| {
            problem.line = Some(line);
            problem.key.clone_from(&key);
            problem
        };
        let problems = problems.into_iter().map(place).collect();
        Self {
            lane: name.to_owned(),
            key,
            line,
            reason,
            problems,
        }
    }
}

/// What the plan comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trailer {
    /// SHA-256 of the source's bytes.
    pub source_sha256: String,
    /// The number of rows of the source.
    pub source_rows: u64,
    /// Per lane what becomes of its rows; `planned` counts the updates.
    pub lanes: BTreeMap<String, LaneCounts>,
    /// What the guards said.
    pub guards: Vec<GuardVerdict>,
    /// What was allowed on the command line (`NAME=VALUE`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Per lane what applying it will take.
    pub estimate: BTreeMap<String, Estimate>,
    /// Warnings of the whole file or plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
    /// SHA-256 of every byte before this line.
    pub sha256: String,
}

/// What one guard said of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardVerdict {
    /// The guard's name in the configuration.
    pub guard: String,
    /// The lane, for guards of one lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Whether it refuses the plan.
    pub ruling: Ruling,
    /// The numbers it judged and, where it refuses, how to allow them.
    pub message: String,
}

/// Whether a guard refuses a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The plan may be applied.
    Passed,
    /// Nothing of the plan may be sent.
    Refused,
}

/// What applying a lane's updates will take, without retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Requests, reads included.
    pub requests: u64,
    /// Seconds at the lane's limits.
    pub seconds: u64,
}

impl Trailer {
    /// The verdicts that refuse the plan.
    pub fn refusals(&self) -> impl Iterator<Item = &GuardVerdict> {
        self.guards
            .iter()
            .filter(|verdict| verdict.ruling == Ruling::Refused)
    }
}
