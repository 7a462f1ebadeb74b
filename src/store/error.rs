//! Why the state cannot be used. It must never hold a cell's value, not even
//! inside the text of an error it wraps. A text that names its cause does not
//! chain it too: logs show the text alone, the last line of a command all of a
//! chain.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;
use thiserror::Error;

use super::lock::Holder;
use super::open::BUSY;

/// Why the state cannot be used. The command line maps each variant to an exit
/// code.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A file or directory of the state cannot be used (`io`).
    #[error("cannot use {}: {why}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
    /// Another process holds the database longer than we wait (`io`).
    #[error("the state is in use by another program; close it and run again")]
    Busy,
    /// The disk is full, or the file may grow no further (`io`).
    #[error("the state cannot be written: no space is left")]
    Full,
    /// The file is not a database of ours, or is damaged (`io`). It is left as
    /// it is.
    #[error(
        "the state is damaged ({detail}); restore it from a backup, or move it away and run `adopt`"
    )]
    Corrupt {
        /// What does not fit.
        detail: String,
    },
    /// A setting that keeps the state safe did not take (`io`).
    #[error("the database refuses {pragma}: it stays at {found}")]
    Setting {
        /// The pragma.
        pragma: &'static str,
        /// Its value as read back.
        found: String,
    },
    /// The database belongs to another program, or to a newer version of this
    /// one (`config`).
    #[error("{detail}")]
    Version {
        /// Which, and what to do.
        detail: String,
    },
    /// The state lies on a network file system, where its locks do not hold
    /// (`config`).
    #[error("{} lies on a network file system ({kind}), where locks do not hold; put the state on a local disk", path.display())]
    NetworkFilesystem {
        /// The state.
        path: PathBuf,
        /// The file system's type.
        kind: String,
    },
    /// The file has a wider mode than 0600 (`auth`).
    #[error("{} has mode {mode:04o}, wider than 0600; run: chmod 600 {}", path.display(), path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is a symbolic link, or no regular file (`auth`).
    #[error("{} is not a regular file; name the file itself", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The lane's rows belong to another target (`stale`).
    #[error(
        "lane {lane} is bound to {bound}, not to {wanted}; use another state, or `state reset --provider {lane}`"
    )]
    OtherTarget {
        /// The lane's name.
        lane: String,
        /// Kind and target its rows belong to.
        bound: String,
        /// Kind and target asked for.
        wanted: String,
    },
    /// Another run holds the lock (`locked`).
    #[error("another run holds the state{}", holder.as_ref().map_or_else(String::new, |holder| format!(": {holder}")))]
    Locked {
        /// Who, where the lock file says it.
        holder: Option<Holder>,
    },
    /// A lane that was never bound (`error`).
    #[error("the state knows no lane {0}")]
    UnknownLane(String),
    /// A record that breaks the journal's rules: a bug of the caller (`error`).
    #[error("the journal refuses the record: {0}")]
    Journal(&'static str),
    /// A value that cannot be written as JSON or SQL (`error`).
    #[error("a value cannot be stored: {0}")]
    Unstorable(&'static str),
    /// The database refuses for another reason (`error`).
    #[error("the database refuses: {0}")]
    Database(rusqlite::Error),
}

impl StoreError {
    /// How long was waited for a cause that somebody may put right while a run
    /// goes on: a disk can be freed, a lock let go. `None` for any other cause.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        match self {
            Self::Full => Some(Duration::ZERO),
            Self::Busy => Some(BUSY),
            _ => None,
        }
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |why| Self::Io {
            path: path.to_owned(),
            why,
        }
    }

    /// What the system says of the state's files.
    pub(super) fn system(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            return Self::Full;
        }
        Self::io(Path::new("the state"))(error)
    }

    pub(super) fn corrupt(detail: impl Into<String>) -> Self {
        Self::Corrupt {
            detail: detail.into(),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::corrupt("SQLite finds its structure broken")
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Io {
                path: PathBuf::from("the state"),
                why: io::Error::other(error),
            },
            _ => match error {
                // The texts of these two may quote a stored value.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => {
                    Self::corrupt("a column holds what we never wrote")
                }
                error => Self::Database(error),
            },
        }
    }
}
