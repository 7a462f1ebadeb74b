//! What earlier runs made of a lane's rows, as far as it says how to go on.
//!
//! Rows in doubt come first, because somebody waits to know. Rows that the
//! provider rejected come last: they must not keep those back that it has not
//! seen, and their next refusal says nothing new about the lane.

use std::collections::BTreeSet;

use crate::core::RecordKey;
use crate::store::{Store, StoreError};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Past {
    in_doubt: BTreeSet<RecordKey>,
    rejected: BTreeSet<RecordKey>,
}

/// What an earlier run made of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Earlier {
    /// Nobody knows what became of its update.
    InDoubt,
    /// Nothing that matters.
    Nothing,
    /// The provider said no.
    Rejected,
}

/// The order in which rows are worked off.
pub(in crate::engine) const ORDER: [Earlier; 3] =
    [Earlier::InDoubt, Earlier::Nothing, Earlier::Rejected];

impl Past {
    /// Reads the past of a lane.
    pub fn read(store: &Store, lane: &str) -> Result<Self, StoreError> {
        Ok(Self {
            in_doubt: store.in_doubt(lane)?.into_keys().collect(),
            rejected: store.rejected(lane)?,
        })
    }

    /// What became of a row.
    pub(in crate::engine) fn of(&self, key: &RecordKey) -> Earlier {
        if self.in_doubt.contains(key) {
            Earlier::InDoubt
        } else if self.rejected.contains(key) {
            Earlier::Rejected
        } else {
            Earlier::Nothing
        }
    }

    /// Whether any row may have this past.
    pub(in crate::engine) fn may_have(&self, earlier: Earlier) -> bool {
        match earlier {
            Earlier::InDoubt => !self.in_doubt.is_empty(),
            Earlier::Nothing => true,
            Earlier::Rejected => !self.rejected.is_empty(),
        }
    }
}
