//! What earlier runs sent that still counts, window by window.
//!
//! Only the windows in use are read, and of each no more than its quota.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{MARGIN, window};
use crate::provider::{Limits, Window};
use crate::store::{Counted, Store, StoreError};

/// The requests of earlier runs that may still count when a run begins.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// When the run begins.
    pub(super) began: Timestamp,
    /// The same on the clock that only goes on.
    pub(super) start: Instant,
    /// For each quota until when they may have arrived, newest first.
    sent: Vec<Vec<Timestamp>>,
}

impl Ledger {
    /// The ledger of a lane that has sent nothing yet.
    #[must_use]
    pub fn empty(began: Timestamp) -> Self {
        Self {
            began,
            start: Instant::now(),
            sent: Vec::new(),
        }
    }

    /// Reads what a lane's limits need to know.
    pub fn read(
        store: &Store,
        lane: &str,
        limits: &Limits,
        began: Timestamp,
    ) -> Result<Self, StoreError> {
        let start = Instant::now();
        let sent = limits.quota.iter().map(|quota| {
            let since = match quota.per {
                Window::Day => window::midnight(window::day_of(began)),
                Window::Second | Window::Minute | Window::Hour => {
                    let length = Duration::from_secs(quota.per.seconds()) + MARGIN;
                    began.checked_sub(length).unwrap_or(Timestamp::MIN)
                }
            };
            let counted = if quota.writes_only {
                Counted::Writes
            } else {
                Counted::Requests
            };
            store.requests_since(lane, (since, began), counted, quota.calls)
        });
        Ok(Self {
            began,
            start,
            sent: sent.collect::<Result<_, _>>()?,
        })
    }

    /// How long ago the requests that a quota counts had arrived, newest first.
    /// One from the future, by a clock that was set back, counts as of now: a
    /// run never waits longer for it than its window.
    pub(super) fn sent(&self, quota: usize) -> impl Iterator<Item = Duration> {
        let sent = self.sent.get(quota).into_iter().flatten();
        sent.map(|at| {
            let age: SignedDuration = self.began.duration_since(*at);
            Duration::try_from(age).unwrap_or_default()
        })
    }
}
