//! Holding a state: taking its lock, opening it, and what the run before left to
//! say. A state that is held is the one that its lock remembers.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::clock;
use super::failure::Failure;
use super::panics;
use super::session::Session;
use crate::store::{Holder, Lock, Store, StoreError};

/// Takes the lock for a run, and says so while it waits for another.
pub(super) fn lock(session: &Session, run_id: &str, started: Timestamp) -> Result<Lock, Failure> {
    panics::belong_to(run_id);
    let state = session.state_path();
    let holder = Holder {
        pid: std::process::id(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        started,
        run_id: run_id.to_owned(),
    };
    let timeout = session.lock_timeout();
    let lock = match Lock::acquire(&state, &holder, Duration::ZERO) {
        Err(locked @ StoreError::Locked { .. }) if !timeout.is_zero() => {
            info!("Waiting: {locked}.");
            Lock::acquire(&state, &holder, timeout)?
        }
        other => other?,
    };
    if let Some(previous) = lock.previous() {
        warn!(
            run = previous.run_id,
            "The previous run did not end by itself; what it left in doubt is sent again."
        );
    }
    Ok(lock)
}

/// Opens the state that is held. One that is older than its lock remembers was
/// restored from a copy: what was sent since then is in no journal, so nothing
/// that it believes of the providers can be trusted.
pub(super) fn open(session: &Session, lock: &Lock, started: Timestamp) -> Result<Store, Failure> {
    let mut store = Store::open(&session.state_path())?;
    let newest = store.last_number()?;
    if newest > 0 && newest < lock.last_run() {
        let forgotten = store.forget_values()?;
        warn!(
            records = forgotten,
            "The state is older than its last run: it was restored from a copy. What it believed of the providers is forgotten, and every mapped field is sent again."
        );
    }
    if let Some(last) = store.last_run()?
        && last.started > started
    {
        warn!(
            "The clock is behind the last run, which began at {}; runs keep their order, but times cannot be trusted.",
            clock::text(last.started)
        );
    }
    Ok(store)
}

/// Remembers the run that was just recorded, so that an older copy of the state
/// is found out.
pub(super) fn remember(lock: &Lock, store: &Store) -> Result<(), Failure> {
    Ok(lock.remember(store.last_number()?)?)
}
