//! Retention: what runs left behind is dropped when `[state] keep_runs` says so.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use tracing::{debug, warn};

use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::store::Store;

/// Drops runs and saved plans that are older than the configuration keeps.
pub(super) fn forget_old(
    session: &Session,
    store: &mut Store,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(limit) = SignedDuration::try_from(session.config.state.keep_runs)
        .ok()
        .and_then(|keep| now.checked_sub(keep).ok())
    else {
        return Ok(());
    };
    let dropped = store.purge_older_than(limit)?;
    if dropped > 0 {
        debug!(runs = dropped, "Dropped runs older than keep_runs.");
    }
    // Plans are named by their run, and a run's name begins with its time.
    let oldest = limit.strftime("%Y%m%dT%H%M%SZ").to_string();
    let Ok(plans) = fs::read_dir(session.plans_folder()) else {
        return Ok(());
    };
    for plan in plans.flatten() {
        let name = plan.file_name().to_string_lossy().into_owned();
        let is_plan = plan
            .path()
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        if is_plan && name < oldest && fs::remove_file(plan.path()).is_err() {
            warn!("A saved plan older than keep_runs could not be removed.");
        }
    }
    Ok(())
}
