//! `status`: the last run, what is pending or in doubt, and who is at work.
//!
//! It only reads: it takes no lock and needs no secret.

use std::path::Path;

use crate::cli::clock;
use crate::cli::commands::runs::run_line;
use crate::cli::config::{Config, PageFormat};
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{PageLook, print};
use crate::cli::session::sandbox_state;
use crate::report::{AtWork, LaneStatus, StatusReport, write_status_json, write_status_text};
use crate::store::{Holder, Lock, Store, StoreError};

/// How often a state is read again that moved while it was read.
const TRIES: u32 = 5;

/// Runs the command.
pub(in crate::cli) fn run(config: &Config, look: PageLook) -> Result<ExitCode, Failure> {
    let mut states = vec![read(&config.state.path, false)?];
    let played = read(&sandbox_state(&config.state.path), true)?;
    if played.exists || played.at_work.is_some() {
        states.push(played);
    }
    print(|out| match look.format {
        PageFormat::Text => write_status_text(out, &states, look.colour),
        PageFormat::Json => write_status_json(out, &states),
    })?;
    Ok(ExitCode::Ok)
}

/// Reads a state at one moment: a run may begin or end meanwhile.
fn read(path: &Path, sandbox: bool) -> Result<StatusReport, Failure> {
    for _ in 0..TRIES {
        let mut report = StatusReport {
            state: path.display().to_string(),
            sandbox,
            exists: false,
            at_work: Lock::holder(path)?.map(at_work),
            last_run: None,
            pending_since: None,
            providers: std::collections::BTreeMap::new(),
        };
        let Some(store) = Store::open_read_only(path)? else {
            return Ok(report);
        };
        fill(&mut report, &store)?;
        if store.unmoved()? {
            return Ok(report);
        }
    }
    Err(StoreError::Busy.into())
}

fn fill(report: &mut StatusReport, store: &Store) -> Result<(), StoreError> {
    let now = clock::now();
    let whole = store.last_whole_run()?;
    report.exists = true;
    report.last_run = store.last_run()?.map(run_line);
    report.pending_since = whole.as_ref().map(|run| run.run_id.clone());
    for lane in store.lanes() {
        let left = whole.as_ref().and_then(|run| run.lanes.get(lane));
        let blocked = store.blocked_until(lane)?.filter(|until| *until > now);
        let in_doubt = u64::try_from(store.in_doubt(lane)?.len()).unwrap_or(u64::MAX);
        // Of rows that failed, some are in doubt as well: each counts once.
        let undone = left.map_or(0, |c| c.planned + c.failed + c.in_doubt);
        let status = LaneStatus {
            records: store.records(lane)?,
            pending: undone.saturating_sub(in_doubt),
            in_doubt,
            blocked_until: blocked.map(clock::text),
        };
        report.providers.insert(lane.to_owned(), status);
    }
    Ok(())
}

fn at_work(holder: Holder) -> AtWork {
    AtWork {
        pid: holder.pid,
        host: holder.host,
        started: clock::text(holder.started),
        run_id: holder.run_id,
    }
}
