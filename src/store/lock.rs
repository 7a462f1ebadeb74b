//! The lock of a state: one run at a time, and a dead run never blocks.
//!
//! It is the system's lock on a file of its own, so it ends with the process.
//! It must never be taken on the database file: closing that by hand would
//! drop `SQLite`'s own locks.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files;

/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The most that is read of a lock file: what we write is far shorter.
const LONGEST: u64 = 4096;

/// The lock of a state, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    previous: Option<Holder>,
}

/// Who holds a lock, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// When it took the lock.
    pub started: Timestamp,
    /// Its run.
    pub run_id: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "process {}, since {}, run {}",
            self.pid, self.started, self.run_id
        )
    }
}

impl Lock {
    /// Takes the lock of a state, waiting at most `timeout` for its holder;
    /// zero fails at once. The lock file (`<state>.lock`, 0600) and its
    /// directory are made where they are missing.
    ///
    /// [`StoreError::Locked`] names the holder.
    pub fn acquire(
        state: &Path,
        run_id: &str,
        now: Timestamp,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        files::prepare_parent(state)?;
        files::refuse_network(&files::resolved(state)?)?;
        let path = files::beside(state, ".lock");
        let io = || StoreError::io(&path);
        let mut file = files::open_private(&path)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if waited < timeout => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked {
                        holder: holder(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(io()(error)),
            }
        }
        let previous = holder(&mut file);
        let text = serde_json::to_string(&Holder {
            pid: std::process::id(),
            started: now,
            run_id: run_id.to_owned(),
        })
        .map_err(|_| StoreError::Unstorable("the holder of the lock"))?;
        write(&mut file, &text).map_err(io())?;
        Ok(Self { file, previous })
    }

    /// The run that held the lock before and did not give it back: it was
    /// killed.
    #[must_use]
    pub fn previous(&self) -> Option<&Holder> {
        self.previous.as_ref()
    }
}

impl Drop for Lock {
    /// Empties the file, so that the next run does not take this one for dead.
    /// The file itself stays: removing it would let two runs lock two files.
    fn drop(&mut self) {
        // When this fails the next run only notes that this one did not end.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, text: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}
