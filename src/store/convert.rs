//! Between our types and SQL's. A column that holds what we never wrote is a
//! damaged state; its content never reaches the error.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::error::StoreError;
use crate::core::{Outcome, RecordKey, SkipReason};

/// The first 16 bytes of the key's SHA-256: for lookups, never an identity.
pub(super) fn key_hash(key: &RecordKey) -> [u8; 16] {
    let mut hash = [0; 16];
    let digest = Sha256::digest(key.as_str().as_bytes());
    hash.iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    hash
}

/// A count as SQL holds it; counts beyond 2^63 do not occur.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn duration(millis: i64) -> Result<Duration, StoreError> {
    count(millis).map(Duration::from_millis)
}

pub(super) fn count(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::corrupt("a count is negative"))
}

/// A time as it is stored; the last second of all times counts as its beginning,
/// which is the latest that can be read back.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
        .min(Timestamp::MAX.as_second() * 1_000_000)
}

pub(super) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| StoreError::corrupt("a time is out of range"))
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unstorable("it has no JSON form"))
}

pub(super) fn from_json<T: DeserializeOwned>(
    text: &str,
    column: &'static str,
) -> Result<T, StoreError> {
    // What serde says may quote a value.
    serde_json::from_str(text).map_err(|_| {
        StoreError::corrupt(format!("column {column} does not hold what we write there"))
    })
}

/// A record key back from its column: it is stored as its text.
pub(super) fn key(text: &str) -> RecordKey {
    RecordKey::from_cells([text])
}

pub(super) fn outcome(name: &str, reason: Option<&str>) -> Result<Outcome, StoreError> {
    [
        Outcome::Unchanged,
        Outcome::Planned,
        Outcome::Updated,
        Outcome::Rejected,
        Outcome::Failed,
        Outcome::InDoubt,
        Outcome::Invalid,
    ]
    .into_iter()
    .chain(reason.and_then(SkipReason::parse).map(Outcome::Skipped))
    .find(|outcome| outcome.as_str() == name)
    .ok_or_else(|| StoreError::corrupt("an outcome has an unknown name"))
}

pub(super) fn reason(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Skipped(reason) => Some(reason.as_str()),
        _ => None,
    }
}

/// Reads a nullable count.
pub(super) fn optional_count(row: &Row<'_>, column: &str) -> Result<Option<u64>, StoreError> {
    row.get::<_, Option<i64>>(column)?.map(count).transpose()
}

/// Reads a nullable key.
pub(super) fn optional_key(row: &Row<'_>) -> Result<Option<RecordKey>, StoreError> {
    Ok(row.get::<_, Option<String>>("key")?.map(|text| key(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_that_is_written_is_read_back() {
        for at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let back = timestamp(micros(at)).unwrap();
            assert!(at.duration_since(back).as_secs() == 0, "{at} {back}");
        }
    }
}
