//! The state: one `SQLite` file with the snapshot, the journal and the history.
//!
//! Only this module speaks SQL, and it speaks it with bound parameters alone.
//! It is synchronous, reads no clock, and never recreates a state it cannot
//! read. The snapshot moves only in the transaction that records what a
//! provider acknowledged ([`Store::record`], [`Store::adopt`]).
//!
//! Writing commands take the [`Lock`] first and open the state after it.

mod convert;
mod entry;
mod erase;
mod error;
mod files;
mod history;
mod journal;
mod keyfile;
mod lane;
mod lock;
mod open;
mod run;
mod snapshot;
mod status;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use rusqlite::Connection;

pub use entry::{
    Adopted, Answer, AttemptResult, Entry, Intent, OpenRun, RunEnd, RunExit, RunStart, Settlement,
    SnapshotWrite,
};
pub use erase::Erase;
pub use error::StoreError;
pub use history::{AttemptRow, Counted, OutcomeRow};
pub use keyfile::{digest_key, existing_key, key_path};
pub use lock::{Holder, Lock};
pub use run::{LastGood, RunRow};
pub use snapshot::{SnapshotReader, SnapshotRow};
pub use tokens::TokenFile;

/// An open state.
pub struct Store {
    connection: Connection,
    lanes: BTreeMap<String, i64>,
    stand: Option<open::Stand>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("lanes", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a state for writing. A missing one is made (0600, its directory
    /// 0700), an older one is migrated; a damaged, foreign or newer one is an
    /// error and stays as it is. Callers hold the [`Lock`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::of(open::writable(path)?, None)
    }

    /// A state in memory, gone when it is dropped.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        Self::of(open::in_memory()?, None)
    }

    /// Opens a state for reading, without a lock and without making a file
    /// beside it; `None` where there is no state. Ask [`Store::unmoved`] when
    /// all is read.
    ///
    /// One case makes a file: a write-ahead log without its `-shm`, as a copy
    /// of the files leaves it, cannot be read without `SQLite` making that.
    pub fn open_read_only(path: &Path) -> Result<Option<Self>, StoreError> {
        open::readable(path)?
            .map(|(connection, stand)| Self::of(connection, stand))
            .transpose()
    }

    /// Whether all that was read since [`Store::open_read_only`] belongs to one
    /// moment; if not, a writer came between, and what was read is void.
    pub fn unmoved(&self) -> Result<bool, StoreError> {
        self.stand.as_ref().map_or(Ok(true), open::Stand::unmoved)
    }

    fn of(connection: Connection, stand: Option<open::Stand>) -> Result<Self, StoreError> {
        let mut store = Self {
            connection,
            lanes: BTreeMap::new(),
            stand,
        };
        store.load_lanes()?;
        Ok(store)
    }

    fn lane_id(&self, lane: &str) -> Result<i64, StoreError> {
        self.lanes
            .get(lane)
            .copied()
            .ok_or_else(|| StoreError::UnknownLane(lane.to_owned()))
    }
}
