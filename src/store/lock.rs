//! The lock of a state: one run at a time, and a dead run never blocks.
//!
//! It is the system's lock on a file of its own, so it ends with the process.
//! It must never be taken on the database file: closing that by hand would
//! drop `SQLite`'s own locks. The file also remembers the number of the last
//! run, by which a state that was restored from an older copy is found out.

use std::cell::Cell;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::files;
use crate::failpoint::{Point, reach};

/// How often the system's list of locks is looked at before a lock counts as
/// free, and the file before the name in it counts.
const LOOKS: u32 = 5;

/// How long to wait between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The most that is read of a lock file: what we write is far shorter.
const LONGEST: u64 = 4096;

/// How long a lock file is, with blanks where less is to be said.
const LENGTH: u64 = 512;

/// The lock of a state, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    previous: Option<Holder>,
    holder: Holder,
    last_run: Cell<u64>,
}

/// Who holds a lock, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine, or the container, that it runs on.
    pub host: String,
    /// When it took the lock.
    pub started: Timestamp,
    /// Its run.
    pub run_id: String,
}

/// What a lock file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Content {
    /// `None` after a run that gave the lock back.
    holder: Option<Holder>,
    /// The number of the last run that was recorded in the state.
    last_run: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "process {} on {}, since {}, run {}",
            self.pid, self.host, self.started, self.run_id
        )
    }
}

impl Lock {
    /// Takes the lock of a state, waiting at most `timeout` for its holder;
    /// zero fails at once. The lock file (`<state>.lock`, 0600) and its
    /// directory are made where they are missing.
    ///
    /// [`StoreError::Locked`] names the holder.
    pub fn acquire(state: &Path, holder: &Holder, timeout: Duration) -> Result<Self, StoreError> {
        files::prepare_parent(state)?;
        files::refuse_network(&files::resolved(state)?)?;
        let path = files::beside(state, ".lock");
        let mut file = files::open_private(&path)?;
        reach(Point::Lock).map_err(StoreError::system)?;
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
                        holder: settled_holder(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(StoreError::io(&path)(error)),
            }
        }
        let found = read(&mut file);
        let content = Content {
            holder: Some(holder.clone()),
            last_run: found.last_run,
        };
        write(&file, &content).map_err(StoreError::io(&path))?;
        reach(Point::Locked).map_err(StoreError::system)?;
        Ok(Self {
            file,
            previous: found.holder,
            holder: holder.clone(),
            last_run: Cell::new(found.last_run),
        })
    }

    /// Who holds the lock of a state now. It is asked for without taking the
    /// lock, so that nobody is kept out by the question: the system's list of
    /// locks tells, and where there is none, the file is believed.
    pub fn holder(state: &Path) -> Result<Option<Holder>, StoreError> {
        let path = files::beside(state, ".lock");
        let Some(mut file) = files::read_private(&path)? else {
            return Ok(None);
        };
        let inode = file.metadata().map_err(StoreError::io(&path))?.ino();
        // The list is read in pieces, and locks that others give back meanwhile
        // make it skip some: what is there is there in one of several looks.
        let held = (0..LOOKS).any(|_| {
            std::fs::read_to_string("/proc/locks").map_or(true, |locks| is_locked(&locks, inode))
        });
        Ok(read(&mut file).holder.filter(|_| held))
    }

    /// The run that held the lock before and did not give it back: it was
    /// killed.
    #[must_use]
    pub fn previous(&self) -> Option<&Holder> {
        self.previous.as_ref()
    }

    /// The number of the last run that the lock file remembers.
    #[must_use]
    pub fn last_run(&self) -> u64 {
        self.last_run.get()
    }

    /// Remembers the number of a run that is recorded in the state.
    pub fn remember(&self, number: u64) -> Result<(), StoreError> {
        let content = Content {
            holder: Some(self.holder.clone()),
            last_run: number,
        };
        write(&self.file, &content).map_err(StoreError::io(Path::new("the lock file")))?;
        self.last_run.set(number);
        Ok(())
    }
}

impl Drop for Lock {
    /// Takes the name out of the file, so that the next run does not take this
    /// one for dead. The file itself stays: removing it would let two runs
    /// lock two files.
    fn drop(&mut self) {
        let content = Content {
            holder: None,
            last_run: self.last_run.get(),
        };
        // When this fails the next run only notes that this one did not end.
        let _ = write(&self.file, &content);
        let _ = self.file.unlock();
    }
}

/// Who holds a lock that is held. Its holder may not have written its name yet,
/// and then the file names the one before, or nobody: a name counts when it
/// stands for a moment.
fn settled_holder(file: &mut File) -> Option<Holder> {
    let mut before = read(file).holder;
    for _ in 0..LOOKS {
        std::thread::sleep(PAUSE);
        let now = read(file).holder;
        if now.is_some() && now == before {
            break;
        }
        before = now;
    }
    before
}

/// What the file says; nothing where it cannot be understood.
fn read(file: &mut File) -> Content {
    let mut text = String::new();
    let whole = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(LONGEST).read_to_string(&mut text));
    whole
        .ok()
        .and_then(|_| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Writes the content over the one before, in one piece and never shorter: a
/// process that is killed meanwhile must not leave a file that says nothing.
fn write(file: &File, content: &Content) -> std::io::Result<()> {
    let mut text = serde_json::to_string(content)?;
    let length = usize::try_from(file.metadata()?.len().clamp(LENGTH, LONGEST));
    let blanks = length.unwrap_or_default().saturating_sub(text.len());
    text.extend(std::iter::repeat_n(' ', blanks));
    file.write_all_at(text.as_bytes(), 0)?;
    file.sync_data()
}

/// Whether the system's list of locks has one on this file. A line reads
/// `1: FLOCK  ADVISORY  WRITE 4711 fd:01:131078 0 EOF`.
fn is_locked(locks: &str, inode: u64) -> bool {
    locks.lines().any(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let kind = words.next();
        let of = words.nth(3).and_then(|place| place.rsplit(':').next());
        kind == Some("FLOCK") && of.and_then(|of| of.parse().ok()) == Some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_list_tells_which_file_is_locked() {
        let locks = "1: POSIX  ADVISORY  WRITE 12 fd:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4711 fd:01:131078 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 fd:01:99 0 EOF\n";
        assert!(is_locked(locks, 131_078));
        for other in [77, 1, 99, 13_107] {
            assert!(!is_locked(locks, other), "{other}");
        }
    }
}
