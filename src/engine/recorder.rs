//! The recorder: the one thread that writes the journal while a run goes on.
//!
//! Lanes hand it records and wait until they are durable. What waits at the
//! same time shares one transaction, so that many lanes cost one flush. It
//! must never answer before the commit, and after a failed commit it answers
//! nothing but the failure: without a journal nothing may be sent.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::core::RecordKey;
use crate::store::{Entry, OpenRun, SnapshotRow, Store, StoreError};

/// How many entries share a transaction at most; beyond it nothing is gained.
const GROUP: usize = 256;
/// How many requests may wait for the recorder: a slow disk slows the senders.
const QUEUE: usize = 512;

/// The state does not take what must be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state could not be written")]
pub struct NotRecorded;

enum Ask {
    Record(Vec<Entry>, oneshot::Sender<()>),
    Lookup(String, RecordKey, oneshot::Sender<Option<SnapshotRow>>),
}

/// A handle to the recorder, one for each worker.
#[derive(Clone, Debug)]
pub struct Recorder {
    asks: mpsc::Sender<Ask>,
}

/// The running recorder; it gives the store back when all handles are gone.
#[derive(Debug)]
pub struct RecorderThread {
    thread: JoinHandle<(Store, Result<(), StoreError>)>,
}

impl Recorder {
    /// Starts the recorder on its own thread.
    #[must_use]
    pub fn start(store: Store, run: OpenRun) -> (Self, RecorderThread) {
        let (asks, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::spawn(move || serve(store, run, queue));
        (Self { asks }, RecorderThread { thread })
    }

    /// Records entries; they are durable when this returns.
    pub async fn record(&self, entries: Vec<Entry>) -> Result<(), NotRecorded> {
        let (done, recorded) = oneshot::channel();
        self.asks
            .send(Ask::Record(entries, done))
            .await
            .map_err(|_| NotRecorded)?;
        recorded.await.map_err(|_| NotRecorded)
    }

    /// What the snapshot holds of a record.
    pub async fn lookup(
        &self,
        lane: &str,
        key: &RecordKey,
    ) -> Result<Option<SnapshotRow>, NotRecorded> {
        let (done, found) = oneshot::channel();
        self.asks
            .send(Ask::Lookup(lane.to_owned(), key.clone(), done))
            .await
            .map_err(|_| NotRecorded)?;
        found.await.map_err(|_| NotRecorded)
    }
}

impl RecorderThread {
    /// Waits until every handle is dropped and all is written; gives the store
    /// back, and the error that ended the recording, if one did.
    #[must_use]
    pub fn finish(self) -> Option<(Store, Result<(), StoreError>)> {
        self.thread.join().ok()
    }
}

fn serve(
    mut store: Store,
    run: OpenRun,
    mut queue: mpsc::Receiver<Ask>,
) -> (Store, Result<(), StoreError>) {
    while let Some(first) = queue.blocking_recv() {
        let mut entries = Vec::new();
        let mut waiting = Vec::new();
        let mut lookups = Vec::new();
        let mut next = Some(first);
        while let Some(ask) = next {
            match ask {
                Ask::Record(more, done) => {
                    entries.extend(more);
                    waiting.push(done);
                }
                Ask::Lookup(lane, key, done) => lookups.push((lane, key, done)),
            }
            next = if entries.len() < GROUP {
                queue.try_recv().ok()
            } else {
                None
            };
        }
        if !entries.is_empty()
            && let Err(error) = store.record(run, &entries)
        {
            // Dropping the queue and the waiting tells everyone.
            return (store, Err(error));
        }
        for done in waiting {
            // Whoever no longer waits has been stopped; the record stands.
            let _ = done.send(());
        }
        for (lane, key, done) in lookups {
            match store.acknowledged(&lane, &key) {
                Ok(found) => {
                    let _ = done.send(found);
                }
                Err(error) => return (store, Err(error)),
            }
        }
    }
    (store, Ok(()))
}
