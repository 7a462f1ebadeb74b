//! The recorder, served by the test's own runtime.
//!
//! A paused clock leaps to its next timer while everyone waits for another
//! thread, so under one the order of requests would be the scheduler's. It must
//! never be used where a commit may fail: that is for the recorder's thread.

use clientsync::engine::{Recorder, Recording};
use clientsync::store::{OpenRun, Store};
use tokio::task::JoinHandle;

/// A recorder; the store comes back when all its handles are gone.
pub(crate) fn recorded(store: Store, run: OpenRun) -> (Recorder, JoinHandle<Store>) {
    let (recorder, recording) = Recorder::new(store, run);
    (recorder, tokio::spawn(serve(recording)))
}

async fn serve(mut recording: Recording) -> Store {
    while recording.asked().await {
        // Whoever is about to ask shares the transaction.
        tokio::task::yield_now().await;
        recording.commit().unwrap();
    }
    recording.end()
}
