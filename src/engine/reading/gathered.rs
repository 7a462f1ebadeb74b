//! What gathering brings: records of rows, and rows without one.
//!
//! Plain values.

use crate::core::{Json, Outcome, Problem};

/// A record of one row.
#[derive(Debug)]
pub(super) struct Taken {
    /// The row's place in the roster.
    pub(super) place: usize,
    /// The record, or what the lane maps of it.
    pub(super) record: Json,
}

/// A row that has no record, and why.
#[derive(Debug)]
pub(super) struct Missed {
    /// The row's place in the roster.
    pub(super) place: usize,
    /// What became of it.
    pub(super) outcome: Outcome,
    /// The status of the last answer, where one was asked for.
    pub(super) status: Option<u16>,
    /// Why.
    pub(super) problems: Vec<Problem>,
}

/// What one step brought.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) taken: Vec<Taken>,
    pub(super) missed: Vec<Missed>,
}

impl Batch {
    /// The places of all its rows.
    pub(super) fn places(&self) -> Vec<usize> {
        let taken = self.taken.iter().map(|taken| taken.place);
        let missed = self.missed.iter().map(|missed| missed.place);
        taken.chain(missed).collect()
    }
}
