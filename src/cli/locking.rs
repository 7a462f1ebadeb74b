//! Taking the lock of a state: whose it is, how long to wait, and what the run
//! before left to say.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::failure::Failure;
use super::panics;
use super::session::Session;
use crate::store::{Holder, Lock, StoreError};

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
