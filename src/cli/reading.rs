//! Reading from providers: lanes made ready for it, and what is told of rows
//! that were left out.
//!
//! Nothing is read here, and nothing of a lane is recorded.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use tempfile::tempfile;

use super::exit::ExitCode;
use super::failure::Failure;
use super::lanes::{Destination, transports};
use super::planning::with_source;
use super::sending::ledger;
use super::session::{Opened, Session};
use crate::core::{LeftOut, LeftOutReason, Note, Outcome, Problem, SkipReason};
use crate::engine::{Lane, LookFor, MatchCell, Pacer, PlanWriter, ReadLane, Roster, unlinked};
use crate::http::LaneTransport;
use crate::store::Store;

/// A row whose record the provider does not have.
const NOT_FOUND: LeftOutReason = LeftOutReason::Skipped(SkipReason::NotFound);

/// The rows of each lane, in the order of the lanes.
pub(super) fn rosters(
    session: &Session,
    opened: &Opened,
    lanes: &[Arc<Lane>],
    store: Option<&Store>,
    look_for: LookFor,
) -> Result<Vec<Roster>, Failure> {
    let only = session.only()?;
    let roster = |lane: &Arc<Lane>| {
        let read_before = match (look_for, store) {
            (LookFor::Matches, Some(store)) => store.adopted_so_far(&lane.name)?,
            _ => BTreeSet::new(),
        };
        let mut roster = with_source(opened, |source| {
            Roster::gather(lane, source, store, only.as_ref(), look_for, &read_before)
        })??;
        if look_for == LookFor::Matches {
            tell_blank(lane, &mut roster);
        }
        Ok(roster)
    };
    lanes.iter().map(roster).collect()
}

/// Says of the rows that nothing is looked for by, that their cell of `match` is
/// blank.
fn tell_blank(lane: &Lane, roster: &mut Roster) {
    let Some(problem) = unlinked(lane, MatchCell::Blank) else {
        return;
    };
    let rows = roster.rows.iter().enumerate();
    let blank = rows.filter(|(_, row)| row.outcome == Outcome::Skipped(SkipReason::Unlinked));
    let told = blank.map(|(place, _)| (place, vec![problem.clone()]));
    roster.problems.extend(told);
}

/// The lanes, ready to be read; all missing secrets are found here.
pub(super) fn read_lanes(
    session: &Session,
    destination: &Destination,
    lanes: &[Arc<Lane>],
    rosters: Vec<Roster>,
    store: Option<&Store>,
) -> Result<Vec<ReadLane<LaneTransport>>, Failure> {
    let lanes: Vec<&Arc<Lane>> = lanes.iter().collect();
    let transports = transports(session, destination, &lanes)?;
    let mut ready = Vec::new();
    for ((lane, transport), roster) in lanes.into_iter().zip(transports).zip(rosters) {
        let ledger = ledger(store, lane)?;
        let not_before = store
            .map(|store| store.blocked_until(&lane.name))
            .transpose()?;
        ready.push(ReadLane {
            lane: Arc::clone(lane),
            transport,
            pacer: Pacer::new(&lane.limits, session.tps_limit(), &ledger),
            bounds: session.bounds(None, not_before.flatten()),
            roster,
            spool: tempfile().map_err(|error| Failure::new(ExitCode::Io, error))?,
        });
    }
    Ok(ready)
}

/// The rows of a lane that are left out, in the order of the source.
pub(super) fn left_out<'a>(
    lane: &'a str,
    roster: &'a Roster,
) -> impl Iterator<Item = LeftOut> + 'a {
    let rows = roster.rows.iter().enumerate();
    rows.filter_map(move |(place, row)| {
        let reason = match row.outcome {
            Outcome::Invalid => LeftOutReason::Invalid,
            // Told one by one, with what drifted.
            Outcome::Skipped(SkipReason::Drifted) => return None,
            Outcome::Skipped(reason) => LeftOutReason::Skipped(reason),
            _ => return None,
        };
        let mut problems = roster.problems.get(&place).cloned().unwrap_or_default();
        if let (true, Some(id)) = (reason == NOT_FOUND && problems.is_empty(), &row.remote_id) {
            problems.push(SkipReason::NotFound.problem().remote_id(id.clone()));
        }
        Some(LeftOut::of(
            lane,
            row.key.clone(),
            row.line,
            reason,
            problems,
        ))
    })
}

/// Writes what [`tell_left_out`] does of a lane whose linked rows alone were to
/// be read.
pub(super) fn tell_left_out_of_links(
    lane: &Lane,
    roster: &Roster,
    writer: &mut PlanWriter<'_, File>,
) -> Result<(), Failure> {
    let unseen = unlinked(lane, MatchCell::Unseen);
    tell(&lane.name, roster, unseen.as_ref(), writer)
}

/// Writes the rows of a lane that are left out, or could not be read.
pub(super) fn tell_left_out(
    lane: &str,
    roster: &Roster,
    writer: &mut PlanWriter<'_, File>,
) -> Result<(), Failure> {
    tell(lane, roster, None, writer)
}

fn tell(
    lane: &str,
    roster: &Roster,
    unlinked: Option<&Problem>,
    writer: &mut PlanWriter<'_, File>,
) -> Result<(), Failure> {
    for mut row in left_out(lane, roster) {
        let is_unlinked = row.reason == LeftOutReason::Skipped(SkipReason::Unlinked);
        if is_unlinked && row.problems.is_empty() {
            row.problems.extend(unlinked.cloned());
        }
        writer.left_out(row)?;
    }
    let failed = |place: usize| roster.rows[place].outcome == Outcome::Failed;
    for (place, problems) in roster.problems.iter().filter(|(place, _)| failed(**place)) {
        let row = &roster.rows[*place];
        for problem in problems {
            let mut problem = problem.clone().line(row.line);
            problem.key.clone_from(&row.key);
            writer.note(Note {
                lane: lane.to_owned(),
                outcome: Some(Outcome::Failed),
                problem,
            })?;
        }
    }
    Ok(())
}
