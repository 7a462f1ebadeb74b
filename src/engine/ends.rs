//! How a lane ends: its counts, and why it ended before its plan did.

use std::time::Duration;

use jiff::Timestamp;

use super::exchange::bounds::Bound;
use super::exchange::decide::Stop;
use super::recorder::NotRecorded;
use crate::core::LaneCounts;

/// What became of a lane.
#[derive(Clone, Debug, Default)]
pub struct LaneEnd {
    /// Its rows.
    pub counts: LaneCounts,
    /// Why it ended before its plan did.
    pub stopped: Option<Stopped>,
    /// How long all of it waited: pauses that the provider asked for, and the
    /// times for which it was left alone because it failed.
    pub waited: Duration,
    /// Requests of the budget that are left, where there is one.
    pub budget_left: Option<u64>,
    /// When the next run may go on, where the provider said so.
    pub resume: Option<Timestamp>,
}

/// The lane has ended; what was under way stays as it is.
pub(super) struct LaneStopped;

impl From<NotRecorded> for LaneStopped {
    fn from(_: NotRecorded) -> Self {
        Self
    }
}

/// Why a lane ended before its plan did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The provider, or its limits.
    Provider(Stop, String),
    /// A bound that the user set.
    Bound(Bound),
    /// The state could not be written.
    NotRecorded,
    /// The plan file could not be read.
    Plan(String),
    /// Somebody asked the run to end.
    Interrupted,
}

impl Stopped {
    /// The reason without the provider's own words: those may quote a client,
    /// and belong in the report, not in a log.
    #[must_use]
    pub fn in_short(&self) -> String {
        let words = match self {
            Self::Provider(Stop::Deferred, _) => "deferred",
            Self::Provider(Stop::Unusable, _) => "the provider cannot be used",
            Self::Provider(Stop::Credentials, _) => "the credentials were refused",
            Self::Bound(_) | Self::NotRecorded | Self::Plan(_) | Self::Interrupted => {
                return self.to_string();
            }
        };
        format!("{words}, as the report says")
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(Stop::Deferred, why) => write!(f, "deferred: {why}"),
            Self::Provider(Stop::Unusable, why) => write!(f, "the provider cannot be used: {why}"),
            Self::Provider(Stop::Credentials, why) => {
                write!(f, "the credentials were refused: {why}")
            }
            Self::Bound(bound) => write!(f, "deferred: {bound}"),
            Self::NotRecorded => f.write_str("the state could not be written"),
            Self::Interrupted => f.write_str("interrupted; what was under way is finished"),
            Self::Plan(why) => write!(f, "the plan could not be read: {why}"),
        }
    }
}
