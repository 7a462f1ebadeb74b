//! `adopt --from provider`: reads what the providers hold.
//!
//! Rows are linked by their remote ids and by `match`; what belongs to no row,
//! and whatever is not unique, is listed and left alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Adopted, Adopting, Writer};
use crate::cli::clock;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::lanes::{Destination, runtime};
use crate::cli::reading::{left_out, read_lanes, rosters, tell_left_out};
use crate::cli::signals::Signals;
use crate::core::{Key, LeftOutReason, Note};
use crate::engine::{Adoption, LookFor, Observer, Recorder, adopt as read};
use crate::store::{Entry, Store};

/// Reads every lane.
pub(super) fn adopt(
    adopting: &Adopting<'_>,
    key: &Key,
    store: Store,
    writer: &mut Writer<'_>,
    observer: Arc<dyn Observer>,
) -> Result<Adopted, Failure> {
    let session = adopting.session;
    let runtime = runtime()?;
    let destination = Destination::open(session, &runtime)?;
    let lanes = session.lanes(&adopting.opened.source, Some(key), &|lane| {
        destination.base_url(lane)
    });
    let lanes: Vec<Arc<crate::engine::Lane>> = lanes.into_iter().map(Arc::new).collect();
    let rosters = rosters(
        session,
        adopting.opened,
        &lanes,
        Some(&store),
        LookFor::Matches,
    )?;
    let ready = read_lanes(session, &destination, &lanes, rosters, Some(&store))?;
    let counts = |lane: &crate::engine::ReadLane<_>| (lane.lane.name.clone(), lane.roster.counts());
    let planned = ready.iter().map(counts).collect();
    let mut store = store;
    let run = adopting.begin(&mut store, planned)?;
    let invalid = ready
        .iter()
        .flat_map(|lane| left_out(&lane.lane.name, &lane.roster))
        .filter(|row| row.reason == LeftOutReason::Invalid)
        .map(|row| Entry::LeftOut(row, clock::now()));
    store.record(run, &invalid.collect::<Vec<_>>())?;
    let signals = runtime.block_on(async { Signals::listen() })?;
    let (recorder, recording) = Recorder::start(store, run);
    let adopted = runtime.block_on(read(
        ready,
        adopting.header.scope,
        recorder,
        observer,
        clock::clock(),
        &signals.interrupt,
    ));
    destination.close(&runtime);
    let (store, recorded) = recording.finish().ok_or_else(|| {
        Failure::say(
            ExitCode::Error,
            "internal error: the recorder ended without a word",
        )
    })?;
    let mut codes: Vec<ExitCode> = signals.exit().into_iter().collect();
    if let Err(error) = recorded {
        tracing::error!("What was read could not be recorded: {error}.");
        codes.push(ExitCode::Io);
    }
    let mut ends = BTreeMap::new();
    for (name, adoption) in adopted {
        tell(&name, &adoption, writer)?;
        ends.insert(name, adoption.end);
    }
    Ok(Adopted {
        store,
        run,
        ends,
        codes,
    })
}

/// Writes what the report lists of a lane.
fn tell(name: &str, adoption: &Adoption, writer: &mut Writer<'_>) -> Result<(), Failure> {
    tell_left_out(name, &adoption.roster, writer)?;
    for problem in &adoption.notes {
        writer.note(Note {
            lane: name.to_owned(),
            outcome: None,
            problem: problem.clone(),
        })?;
    }
    Ok(())
}
