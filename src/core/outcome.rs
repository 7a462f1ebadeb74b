//! What became of a row in a lane, and the counts of it.
//!
//! One vocabulary for the plan, the journal and every report.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// What became of a row in a lane once it was attempted or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider already holds what the row says; nothing was sent.
    Unchanged,
    /// Not yet attempted.
    Planned,
    /// The provider acknowledged the update.
    Updated,
    /// The provider said no.
    Rejected,
    /// The retries are used up.
    Failed,
    /// No answer that can be trusted.
    InDoubt,
    /// Refused by mapping or contract; nothing was sent.
    Invalid,
    /// Left out for this reason.
    Skipped(SkipReason),
}

/// Why a row is left out of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// Refused by mapping or contract.
    Invalid,
    /// Left out for this reason.
    Skipped(SkipReason),
}

/// Why a row is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The row has no remote id in this lane.
    Unlinked,
    /// `--limit` was reached.
    Limit,
    /// The snapshot row has moved since the plan was made.
    Superseded,
    /// Its value does not belong to exactly one row and one record.
    Ambiguous,
    /// The provider has no record with its remote id.
    NotFound,
    /// The provider holds something else than it acknowledged.
    Drifted,
}

impl From<LeftOutReason> for Outcome {
    fn from(reason: LeftOutReason) -> Self {
        match reason {
            LeftOutReason::Invalid => Self::Invalid,
            LeftOutReason::Skipped(skip) => Self::Skipped(skip),
        }
    }
}

impl SkipReason {
    /// The reason's name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unlinked => "unlinked",
            Self::Limit => "limit",
            Self::Superseded => "superseded",
            Self::Ambiguous => "ambiguous",
            Self::NotFound => "not_found",
            Self::Drifted => "drifted",
        }
    }

    /// The reason of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Unlinked,
            Self::Limit,
            Self::Superseded,
            Self::Ambiguous,
            Self::NotFound,
            Self::Drifted,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == name)
    }

    /// What is told of a row that is skipped, where nobody knows more of it.
    #[must_use]
    pub fn problem(self) -> Problem {
        let (code, message) = match self {
            Self::Unlinked => ("W_UNLINKED", "no remote id: fill the id column"),
            Self::Limit => ("W_LIMIT", "left out by --limit"),
            Self::Superseded => (
                "W_SUPERSEDED",
                "the record was updated since the plan was made; the next plan sees it",
            ),
            Self::Ambiguous => (
                "W_AMBIGUOUS",
                "the value of `match` does not belong to exactly one row and one record; fill the id column",
            ),
            Self::NotFound => (
                "W_NOT_FOUND",
                "the provider has no record with this remote id; correct the cell, or unlink the key",
            ),
            Self::Drifted => (
                "W_DRIFT",
                "the provider holds something else than it acknowledged last",
            ),
        };
        Problem::new(code, message)
    }
}

impl Outcome {
    /// The outcome's name in SQL, JSON and reports; a skip's reason stands apart.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Planned => "planned",
            Self::Updated => "updated",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Invalid => "invalid",
            Self::Skipped(_) => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(reason) => write!(f, "skipped({})", reason.as_str()),
            other => f.write_str(other.as_str()),
        }
    }
}

/// The rows of one lane by what became of them.
///
/// Rows are those of the file, and the clients that a whole file does not have
/// and that are to be set.
/// `rows = unchanged + planned + updated + rejected + failed + in_doubt +
/// invalid + skipped`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneCounts {
    /// All rows.
    pub rows: u64,
    /// Rows whose provider holds what they say.
    pub unchanged: u64,
    /// Rows not yet attempted.
    pub planned: u64,
    /// Rows acknowledged.
    pub updated: u64,
    /// Rows that the provider refused.
    pub rejected: u64,
    /// Rows whose retries are used up.
    pub failed: u64,
    /// Rows without an answer that can be trusted.
    pub in_doubt: u64,
    /// Rows refused by mapping or contract.
    pub invalid: u64,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Clients that the lane knows and a whole file does not have. Only those
    /// that are to be set (`absent`) are among the rows.
    #[serde(default)]
    pub absent: u64,
    /// Requests sent, reads and retries included.
    pub requests: u64,
    /// Requests that repeated an earlier one.
    pub retries: u64,
}

impl LaneCounts {
    /// Counts one more row.
    pub fn add(&mut self, outcome: Outcome) {
        self.rows += 1;
        *self.slot(outcome) += 1;
    }

    /// A planned row has come to an outcome.
    pub fn settle(&mut self, outcome: Outcome) {
        self.planned = self.planned.saturating_sub(1);
        *self.slot(outcome) += 1;
    }

    fn slot(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Planned => &mut self.planned,
            Outcome::Updated => &mut self.updated,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Failed => &mut self.failed,
            Outcome::InDoubt => &mut self.in_doubt,
            Outcome::Invalid => &mut self.invalid,
            Outcome::Skipped(reason) => self.skipped.entry(reason.as_str().to_owned()).or_default(),
        }
    }

    /// The skipped rows, all reasons together.
    #[must_use]
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Whether the parts add up to the rows.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.rows
            == self.unchanged
                + self.planned
                + self.updated
                + self.rejected
                + self.failed
                + self.in_doubt
                + self.invalid
                + self.skipped_total()
    }

    /// The rows that a person must look at.
    #[must_use]
    pub fn troubled(&self) -> u64 {
        self.rejected + self.failed + self.in_doubt + self.invalid
    }
}
