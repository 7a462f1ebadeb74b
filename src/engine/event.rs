//! What the engine tells the outside while it works.
//!
//! Events hold no cell values. The engine knows no reporter, reporters know no
//! engine internals.

use std::time::Duration;

use crate::core::{Outcome, RecordKey};

/// What a lane does with its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It sends their updates.
    Send,
    /// It reads their records.
    Read,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A lane begins.
    LaneStarted {
        /// The lane's name.
        lane: String,
        /// What it does with its rows.
        work: Work,
        /// How many rows.
        rows: u64,
    },
    /// A request was answered or not; `retry` when it repeats an earlier one.
    Requested {
        /// The lane's name.
        lane: String,
        /// Whether it repeats an earlier request of the same row.
        retry: bool,
    },
    /// A row came to an outcome.
    Settled {
        /// The lane's name.
        lane: String,
        /// The row's key.
        key: RecordKey,
        /// What became of it.
        outcome: Outcome,
    },
    /// The whole lane waits.
    Paused {
        /// The lane's name.
        lane: String,
        /// For how long.
        wait: Duration,
        /// Why, in a few words ("provider asked").
        reason: &'static str,
    },
    /// The lane ends.
    LaneEnded {
        /// The lane's name.
        lane: String,
        /// Why it ended early, if it did.
        stopped: Option<String>,
    },
}

/// Someone who listens. Called from several tasks; must not block.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn observe(&self, event: Event);
}

/// An observer that listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: Event) {}
}
