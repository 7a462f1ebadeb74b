//! Signals: the first asks the run to end well, the second ends it at once.
//!
//! They are listened to only while something is sent. Before that nothing is
//! lost by the system's own answer to them.

use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::warn;

use super::exit::ExitCode;
use super::failure::Failure;
use crate::engine::Interrupt;

/// What listens, and what it has heard.
#[derive(Debug)]
pub(super) struct Signals {
    heard: Arc<OnceLock<ExitCode>>,
    pub(super) interrupt: Interrupt,
}

impl Signals {
    /// Begins to listen, on the runtime that it is called on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let open = |kind| signal(kind).map_err(|error| Failure::new(ExitCode::Error, error));
        let signals = [
            open(SignalKind::interrupt())?,
            open(SignalKind::terminate())?,
            open(SignalKind::hangup())?,
        ];
        let (trip, interrupt) = Interrupt::new();
        let heard = Arc::new(OnceLock::new());
        tokio::spawn(watch_for(signals, trip, Arc::clone(&heard)));
        Ok(Self { heard, interrupt })
    }

    /// How the run ends, where a signal asked for it.
    pub(super) fn exit(&self) -> Option<ExitCode> {
        self.heard.get().copied()
    }
}

async fn watch_for(
    [mut interrupt, mut terminate, mut hangup]: [Signal; 3],
    trip: watch::Sender<bool>,
    heard: Arc<OnceLock<ExitCode>>,
) {
    loop {
        let code = tokio::select! {
            _ = interrupt.recv() => ExitCode::Interrupted,
            _ = terminate.recv() => ExitCode::Terminated,
            _ = hangup.recv() => ExitCode::Terminated,
        };
        if heard.set(code).is_err() {
            end_at_once(code);
        }
        warn!("Asked to stop: what is under way is finished first. Ask once more to stop at once.");
        // Without a lane that listens there is nothing to stop.
        let _ = trip.send(true);
    }
}

/// The next run treats what was under way as after a kill.
#[expect(
    clippy::exit,
    reason = "the person asked twice, and whatever still runs may not end by itself"
)]
fn end_at_once(code: ExitCode) {
    std::process::exit(i32::from(code.code()));
}
