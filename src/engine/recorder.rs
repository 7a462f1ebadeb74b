//! The recorder: the one thread that writes the journal while a run goes on.
//!
//! Lanes hand it records and wait until they are durable. What waits at the
//! same time shares one transaction, so that many lanes cost one flush. It
//! must never answer before the commit. While the disk is full it tries again
//! for a while, and nothing is sent meanwhile, because every request waits for
//! its intent; after that it answers nothing but the failure.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::core::{RecordKey, sha256_hex};
use crate::store::{Entry, OpenRun, SnapshotRow, Store, StoreError};

/// How many entries share a transaction at most; beyond it nothing is gained.
const GROUP: usize = 256;
/// How many requests may wait for the recorder: a slow disk slows the senders.
const QUEUE: usize = 512;

/// For how long a commit that failed for a cause that may pass is tried again,
/// and after which time. Nobody empties the disks that tests fill, so they wait
/// less.
const PATIENCE: Duration = if cfg!(debug_assertions) {
    Duration::from_millis(200)
} else {
    Duration::from_secs(30)
};
const BETWEEN: Duration = if cfg!(debug_assertions) {
    Duration::from_millis(50)
} else {
    Duration::from_millis(500)
};

/// The state does not take what must be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state could not be written")]
pub struct NotRecorded;

#[derive(Debug)]
enum Ask {
    Record(Vec<Entry>, oneshot::Sender<()>),
    Lookup(String, RecordKey, oneshot::Sender<Option<SnapshotRow>>),
}

/// A handle to the recorder, one for each worker.
#[derive(Clone, Debug)]
pub struct Recorder {
    asks: mpsc::Sender<Ask>,
    lost: Lost,
}

/// The keys whose outcomes could not be recorded.
type Lost = Arc<Mutex<Vec<RecordKey>>>;

/// The recording ended before everything was recorded.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unrecorded {
    /// Why.
    pub error: StoreError,
    /// SHA-256, in hex, of each key whose outcome is known to nobody now.
    pub keys: Vec<String>,
}

/// The running recorder; it gives the store back when all handles are gone.
#[derive(Debug)]
pub struct RecorderThread {
    thread: JoinHandle<(Store, Result<(), StoreError>)>,
    lost: Lost,
}

/// The recorder's own end: the state, and what is to be written to it. Somebody
/// must serve it; a simulation does so itself, where no thread may race its clock.
#[derive(Debug)]
pub struct Recording {
    store: Store,
    run: OpenRun,
    queue: mpsc::Receiver<Ask>,
    /// What was taken out of the queue and is not written yet.
    next: Option<Ask>,
}

impl Recorder {
    /// Starts the recorder on its own thread.
    #[must_use]
    pub fn start(store: Store, run: OpenRun) -> (Self, RecorderThread) {
        let (recorder, recording) = Self::new(store, run);
        let thread = std::thread::spawn(move || recording.serve());
        let lost = Arc::clone(&recorder.lost);
        (recorder, RecorderThread { thread, lost })
    }

    /// A recorder that nobody serves yet.
    #[must_use]
    pub fn new(store: Store, run: OpenRun) -> (Self, Recording) {
        let (asks, queue) = mpsc::channel(QUEUE);
        let recording = Recording {
            store,
            run,
            queue,
            next: None,
        };
        let lost = Lost::default();
        (Self { asks, lost }, recording)
    }

    /// Records entries; they are durable when this returns.
    pub async fn record(&self, entries: Vec<Entry>) -> Result<(), NotRecorded> {
        let settled: Vec<RecordKey> = entries.iter().filter_map(settled).collect();
        let recorded = self.hand_over(entries).await;
        if recorded.is_err() {
            lock(&self.lost).extend(settled);
        }
        recorded
    }

    async fn hand_over(&self, entries: Vec<Entry>) -> Result<(), NotRecorded> {
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
    /// back, and what could not be recorded, if anything.
    #[must_use]
    pub fn finish(self) -> Option<(Store, Result<(), Unrecorded>)> {
        let (store, recorded) = self.thread.join().ok()?;
        let keys = || {
            let lost = lock(&self.lost);
            lost.iter()
                .map(|key| sha256_hex(key.as_str().as_bytes()))
                .collect()
        };
        let recorded = recorded.map_err(|error| Unrecorded {
            error,
            keys: keys(),
        });
        Some((store, recorded))
    }
}

/// The key of the row that an entry settles.
fn settled(entry: &Entry) -> Option<RecordKey> {
    match entry {
        Entry::Settle(settlement) => Some(settlement.key.clone()),
        _ => None,
    }
}

fn lock<V>(mutex: &Mutex<V>) -> std::sync::MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something until it is done, fails for good, or the patience ends: then
/// the first failure is the one that counts.
fn patiently(
    mut attempt: impl FnMut() -> Result<(), StoreError>,
    mut wait: impl FnMut(),
) -> Result<(), StoreError> {
    let mut left = PATIENCE;
    let mut first = None;
    loop {
        let Err(error) = attempt() else {
            return Ok(());
        };
        // What does not pass takes all the patience there is.
        let waited = error.waited().unwrap_or(left);
        let counts = first.take().unwrap_or(error);
        left = left.saturating_sub(waited + BETWEEN);
        if left.is_zero() {
            return Err(counts);
        }
        first = Some(counts);
        wait();
    }
}

impl Recording {
    /// Waits until something is asked; `false` when all handles are gone.
    pub async fn asked(&mut self) -> bool {
        self.next = self.queue.recv().await;
        self.next.is_some()
    }

    /// Writes what waits, in one transaction, and then answers it.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        let mut entries = Vec::new();
        let mut waiting = Vec::new();
        let mut lookups = Vec::new();
        while let Some(ask) = self.next.take() {
            match ask {
                Ask::Record(more, done) => {
                    entries.extend(more);
                    waiting.push(done);
                }
                Ask::Lookup(lane, key, done) => lookups.push((lane, key, done)),
            }
            if entries.len() < GROUP {
                self.next = self.queue.try_recv().ok();
            }
        }
        if !entries.is_empty() {
            let commit = || self.store.record(self.run, &entries);
            patiently(commit, || std::thread::sleep(BETWEEN))?;
        }
        for done in waiting {
            // Whoever no longer waits has been stopped; the record stands.
            let _ = done.send(());
        }
        for (lane, key, done) in lookups {
            let _ = done.send(self.store.acknowledged(&lane, &key)?);
        }
        Ok(())
    }

    /// Ends the recording: what was asked and not written yet is told so.
    #[must_use]
    pub fn end(self) -> Store {
        self.store
    }

    fn serve(mut self) -> (Store, Result<(), StoreError>) {
        loop {
            self.next = self.queue.blocking_recv();
            if self.next.is_none() {
                return (self.end(), Ok(()));
            }
            // Dropping the queue and the waiting tells everyone.
            if let Err(error) = self.commit() {
                return (self.end(), Err(error));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries against a disk that is full so often; the result, and the waits.
    fn tried(
        full: u32,
        then: impl Fn() -> Result<(), StoreError>,
    ) -> (Result<(), StoreError>, u32) {
        let (mut tries, mut waits) = (0, 0);
        let attempt = || {
            tries += 1;
            if tries <= full {
                return Err(StoreError::Full);
            }
            then()
        };
        let done = patiently(attempt, || waits += 1);
        (done, waits)
    }

    #[test]
    fn a_commit_waits_for_space_and_only_for_that() {
        assert!(matches!(tried(0, || Ok(())), (Ok(()), 0)));
        assert!(matches!(tried(3, || Ok(())), (Ok(()), 3)));
        let (ended, waits) = tried(u32::MAX, || Ok(()));
        assert!(matches!(ended, Err(StoreError::Full)));
        assert_eq!(BETWEEN * (waits + 1), PATIENCE);
        // SQLite has waited for another program itself, each time.
        let busy = patiently(|| Err(StoreError::Busy), || ());
        assert!(matches!(busy, Err(StoreError::Busy)));
        let bug = || Err(StoreError::Journal("no"));
        assert!(matches!(tried(0, bug), (Err(StoreError::Journal(_)), 0)));
        assert!(matches!(tried(1, bug), (Err(StoreError::Full), 1)));
    }
}
