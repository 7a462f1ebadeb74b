//! Sending a plan: the lanes that have something to send, each with its
//! transport and its own reader of the plan file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::clock;
use super::exit::ExitCode;
use super::failure::Failure;
use super::lanes::{Destination, transports};
use super::planning::Planned;
use super::session::Session;
use super::signals::Signals;
use crate::engine::{
    ApplyLane, Lane, LaneEnd, Ledger, Observer, Past, Recorder, Stop, Stopped, Unrecorded, apply,
};
use crate::http::LaneTransport;
use crate::store::{OpenRun, Store};

/// How long a run may take where nobody says otherwise.
const RUN_TIME: Duration = Duration::from_secs(6 * 3600);

/// What sending came to.
#[derive(Debug)]
pub(super) struct Sent {
    /// The state, given back by the recorder.
    pub(super) store: Store,
    /// The error that ended the recording, if one did.
    pub(super) recorded: Result<(), Unrecorded>,
    /// How the run ends, where a signal asked for it.
    pub(super) interrupted: Option<ExitCode>,
    /// Per lane what became of it.
    pub(super) ends: BTreeMap<String, LaneEnd>,
}

/// The lanes that are to send, ready to.
pub(super) type Ready = Vec<ApplyLane<LaneTransport>>;

/// Makes ready the lanes that have something to send; all missing secrets are
/// found here, before anything of the run is recorded.
pub(super) fn make_ready(
    session: &Session,
    destination: &Destination,
    lanes: &[Arc<Lane>],
    planned: &Planned,
    path: &Path,
    store: &Store,
) -> Result<Ready, Failure> {
    let counts = |lane: &Lane| {
        planned
            .trailer
            .lanes
            .get(&lane.name)
            .cloned()
            .unwrap_or_default()
    };
    let busy: Vec<&Arc<Lane>> = lanes
        .iter()
        .filter(|lane| counts(lane).planned > 0)
        .collect();
    let transports = transports(session, destination, &busy)?;
    let mut ready = Vec::new();
    for (lane, transport) in busy.into_iter().zip(transports) {
        let path = path.to_owned();
        ready.push(ApplyLane {
            lane: Arc::clone(lane),
            transport,
            tps_limit: session.tps_limit(),
            ledger: ledger(Some(store), lane)?,
            bounds: session.bounds(Some(RUN_TIME), store.blocked_until(&lane.name)?),
            counts: counts(lane),
            past: Past::read(store, &lane.name)?,
            plan: Box::new(move || Ok(Box::new(BufReader::new(File::open(&path)?)))),
        });
    }
    Ok(ready)
}

/// Sends, and waits until every lane has ended and all is recorded.
pub(super) fn send(
    ready: Ready,
    store: Store,
    run: OpenRun,
    observer: Arc<dyn Observer>,
    runtime: &Runtime,
    signals: &Signals,
) -> Result<Sent, Failure> {
    let (recorder, recording) = Recorder::start(store, run);
    let ends = runtime.block_on(apply(
        ready,
        recorder,
        observer,
        clock::clock(),
        &signals.interrupt,
    ));
    let lost = || {
        Failure::say(
            ExitCode::Error,
            "internal error: the recorder ended without a word",
        )
    };
    let (store, recorded) = recording.finish().ok_or_else(lost)?;
    Ok(Sent {
        store,
        recorded,
        ends,
        interrupted: signals.exit(),
    })
}

/// The exit code of a lane that ended early; a signal has its own.
pub(super) fn exit_of(stopped: &Stopped) -> Option<ExitCode> {
    Some(match stopped {
        Stopped::Provider(Stop::Deferred, _) | Stopped::Bound(_) => ExitCode::Deferred,
        Stopped::Provider(Stop::Unusable, _) => ExitCode::Error,
        Stopped::Provider(Stop::Credentials, _) => ExitCode::Auth,
        Stopped::NotRecorded | Stopped::Plan(_) => ExitCode::Io,
        Stopped::Interrupted => return None,
    })
}

/// What earlier runs sent to a lane that still counts.
pub(super) fn ledger(store: Option<&Store>, lane: &Lane) -> Result<Ledger, Failure> {
    let now = clock::now();
    match store {
        Some(store) => Ok(Ledger::read(store, &lane.name, &lane.limits, now)?),
        None => Ok(Ledger::empty(now)),
    }
}
