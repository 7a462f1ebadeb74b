//! Opening a state: its file, its settings, its version.
//!
//! Every setting is read back. A file that is not ours, is damaged or newer is
//! left exactly as it is.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags, TransactionBehavior};

use super::error::StoreError;
use super::files;

/// What marks a database as ours: `clsy` in ASCII.
pub(super) const APPLICATION_ID: i32 = 0x636c_7379;

/// The numbered migrations, oldest first; `user_version` counts them.
const MIGRATIONS: [(i32, &str); 1] = [(1, include_str!("migrations/0001_init.sql"))];

/// How long `SQLite` waits for another program that holds the database.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Statements kept prepared; the journal alone uses about a dozen.
const STATEMENTS: usize = 64;

/// The length of a database's header.
const HEADER: u64 = 100;

/// How a file looked when it was opened without a lock.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stand {
    path: PathBuf,
    inode: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl Stand {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let found = fs::symlink_metadata(path).map_err(StoreError::io(path))?;
        Ok(Self {
            path: path.to_owned(),
            inode: found.ino(),
            length: found.len(),
            modified: found.modified().ok(),
        })
    }

    /// Whether the file still looks the same.
    pub(super) fn unmoved(&self) -> Result<bool, StoreError> {
        Ok(Self::of(&self.path)? == *self)
    }
}

/// Opens a state for writing, and makes it where it is missing.
pub(super) fn writable(path: &Path) -> Result<Connection, StoreError> {
    files::prepare_parent(path)?;
    let path = files::resolved(path)?;
    files::refuse_network(&path)?;
    if files::private(&path)?.is_none() {
        if files::length(&files::beside(&path, "-wal")) > 0 {
            return Err(StoreError::corrupt(
                "its write-ahead log is there, but the database is not",
            ));
        }
        make(&path)?;
    }
    check_length(&path)?;
    let mut connection = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    connection.busy_timeout(BUSY)?;
    // Before any setting is touched, so that a foreign file stays as it is.
    check_version(&connection)?;
    if connection.is_readonly(MAIN_DB)? {
        return Err(StoreError::io(&path)(
            std::io::ErrorKind::PermissionDenied.into(),
        ));
    }
    set(&connection, "journal_mode", "wal", "wal")?;
    configure(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a state for reading without making any file beside it, or `None`
/// where there is none. A database without a write-ahead log is read as an
/// immutable file: the caller asks [`Stand::unmoved`] at the end. One with a
/// log, which a running or killed writer left, is read in one transaction, so
/// it shows one moment and cannot move.
pub(super) fn readable(path: &Path) -> Result<Option<(Connection, Option<Stand>)>, StoreError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => return Ok(None),
        _ => {}
    }
    let path = files::resolved(path)?;
    let log = files::length(&files::beside(&path, "-wal")) > 0;
    if files::private(&path)?.is_none() {
        return if log {
            Err(StoreError::corrupt(
                "its write-ahead log is there, but the database is not",
            ))
        } else {
            Ok(None)
        };
    }
    let stand = Stand::of(&path)?;
    check_length(&path)?;
    let connection = Connection::open_with_flags(
        uri(&path, if log { "mode=ro" } else { "immutable=1" }),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    set(&connection, "trusted_schema", "OFF", "0")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch("BEGIN")?;
    let version = check_version(&connection)?;
    if version < newest() {
        return Err(StoreError::Version {
            detail: format!(
                "the state has schema version {version}, this program reads {}; run `sync` or `apply` once, they convert it",
                newest()
            ),
        });
    }
    Ok(Some((connection, (!log).then_some(stand))))
}

/// A state that lives in memory.
pub(super) fn in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    configure(&connection)?;
    initialize(&mut connection)?;
    Ok(connection)
}

/// Makes a complete, empty state under another name and then names it, so that
/// a kill leaves either no state or a whole one.
fn make(path: &Path) -> Result<(), StoreError> {
    let unfinished = files::beside(path, ".new");
    files::remove_leftover(&unfinished)?;
    files::remove_leftover(&files::beside(&unfinished, "-journal"))?;
    let file = files::create(&unfinished)?;
    let mut connection = Connection::open_with_flags(
        &unfinished,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    configure(&connection)?;
    initialize(&mut connection)?;
    connection.close().map_err(|(_, error)| error)?;
    file.sync_all().map_err(StoreError::io(&unfinished))?;
    files::publish(&unfinished, path)
}

fn initialize(connection: &mut Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    migrate(connection)
}

/// Sets what keeps the state safe and reads each setting back.
fn configure(connection: &Connection) -> Result<(), StoreError> {
    set(connection, "synchronous", "FULL", "2")?;
    set(connection, "foreign_keys", "ON", "1")?;
    set(connection, "busy_timeout", "5000", "5000")?;
    set(connection, "secure_delete", "ON", "1")?;
    set(connection, "trusted_schema", "OFF", "0")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn set(
    connection: &Connection,
    pragma: &'static str,
    value: &str,
    expected: &str,
) -> Result<(), StoreError> {
    connection.pragma_update(None, pragma, value)?;
    let found = connection.pragma_query_value(None, pragma, |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str()?.to_owned(),
        })
    })?;
    if found == expected {
        Ok(())
    } else {
        Err(StoreError::Setting { pragma, found })
    }
}

fn newest() -> i32 {
    MIGRATIONS[MIGRATIONS.len() - 1].0
}

/// The schema version of a database of ours that is not newer than we are.
fn check_version(connection: &Connection) -> Result<i32, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    if number("application_id")? != APPLICATION_ID {
        return Err(StoreError::Version {
            detail: "the state file is a database of another program; name another file".to_owned(),
        });
    }
    let version = number("user_version")?;
    if version > newest() {
        return Err(StoreError::Version {
            detail: format!(
                "the state has schema version {version}, this program knows {} at most; use the newer program",
                newest()
            ),
        });
    }
    Ok(version)
}

/// Runs the migrations that a database lacks, each in a transaction of its own.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    for (version, sql) in MIGRATIONS {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let present =
            transaction.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))?;
        if present < version {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

/// Refuses a file too short for a database, which `SQLite` would take for a new
/// one. It only looks at the length: opening and closing the file by hand would
/// drop `SQLite`'s locks on it. The rest of the header `SQLite` judges itself.
fn check_length(path: &Path) -> Result<(), StoreError> {
    if files::length(path) < HEADER {
        return Err(StoreError::corrupt("it is no SQLite database"));
    }
    Ok(())
}

/// The path as a URI that `SQLite` opens with a parameter.
fn uri(path: &Path, parameter: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push('?');
    uri.push_str(parameter);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_keeps_the_state_safe_is_on() {
        let directory = tempfile::tempdir().unwrap();
        let connection = writable(&directory.path().join("a.db")).unwrap();
        let number = |pragma| {
            connection
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
                .unwrap()
        };
        let found = [
            "synchronous",
            "foreign_keys",
            "secure_delete",
            "trusted_schema",
            "busy_timeout",
        ]
        .map(number);
        assert_eq!(found, [2, 1, 1, 0, 5000]);
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn a_setting_that_does_not_take_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        let error = set(&connection, "journal_mode", "wal", "wal").unwrap_err();
        assert!(matches!(error, StoreError::Setting { .. }), "{error}");
    }

    #[test]
    fn a_database_that_another_program_holds_is_busy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let connection = writable(&path).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let foreign = Connection::open(&path).unwrap();
        foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = connection.execute_batch("BEGIN IMMEDIATE").unwrap_err();
        assert!(matches!(StoreError::from(error), StoreError::Busy));
    }

    #[test]
    fn uris_keep_every_byte_of_a_path() {
        assert_eq!(
            uri(Path::new("/a b/c?d#e%f.db"), "mode=ro"),
            "file:/a%20b/c%3Fd%23e%25f.db?mode=ro"
        );
    }
}
