//! Forgetting: retention, purging a person or a lane, unlinking; and checking
//! that the state is whole.
//!
//! Erased text is overwritten (`secure_delete`) and the log is emptied, so it
//! is gone from the files. What counts requests and rows stays, without saying
//! whose they were.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::convert::{from_json, key, key_hash, micros, to_json};
use super::run::derived;
use super::{Store, StoreError};
use crate::core::{Acknowledged, RecordKey};

/// The runs that began before ?1 and may go: those with an open attempt stay.
const OLD: &str = "SELECT rid FROM run WHERE started < ?1
    AND NOT EXISTS (SELECT 1 FROM attempt
                    WHERE run_rid = run.rid AND (open = 1 OR attempt.started >= ?1))";

/// The last good run, whose row the guards compare with.
const LAST_GOOD: &str = "SELECT max(rid) FROM run
    WHERE scope = 'whole' AND exit_code IN (0, 3, 6) AND source_rows IS NOT NULL";

/// Whose traces are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erase<'a> {
    /// One client's, in every lane.
    Key(&'a RecordKey),
    /// One lane's; its target is forgotten too.
    Lane(&'a str),
}

impl Store {
    /// Drops runs that began before a time, with their attempts and outcomes.
    /// Runs with an open attempt stay, and so does the row of the last good
    /// run. Returns how many runs are gone.
    ///
    /// The ledger of requests goes with the attempts, so the time lies before
    /// the longest quota window.
    pub fn purge_older_than(&mut self, at: Timestamp) -> Result<u64, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        freeze(&transaction, micros(at))?;
        for table in ["attempt", "outcome"] {
            transaction.execute(
                &["DELETE FROM", table, "WHERE run_rid IN (", OLD, ")"].join(" "),
                [micros(at)],
            )?;
        }
        let gone = transaction.execute(
            &[
                "DELETE FROM run WHERE rid IN (",
                OLD,
                ") AND rid IS NOT (",
                LAST_GOOD,
                ")",
            ]
            .join(" "),
            [micros(at)],
        )?;
        transaction.commit()?;
        self.empty_log()?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Erases a client or a lane from snapshot, journal and outcomes. Counts
    /// and the ledger of requests stay. Returns the number of snapshot rows
    /// that are gone. [`StoreError::Busy`] means that it is erased from the
    /// database but that a reader still keeps the old log: run it again.
    pub fn erase(&mut self, whose: Erase<'_>) -> Result<u64, StoreError> {
        let (key, lane_id) = match whose {
            Erase::Key(key) => (Some(key), None),
            Erase::Lane(lane) => (None, Some(self.lane_id(lane)?)),
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let bound = params![key.map(RecordKey::as_str), lane_id];
        let gone =
            transaction.execute("DELETE FROM snapshot WHERE key = ?1 OR lane_id = ?2", bound)?;
        transaction.execute(
            "UPDATE attempt SET key = NULL, key_hash = NULL, body_sha256 = NULL, message = NULL,
                    provider_request_id = NULL, fields = '[]', open = 0
             WHERE key = ?1 OR lane_id = ?2",
            bound,
        )?;
        transaction.execute(
            "UPDATE outcome SET key = NULL, remote_id = NULL, message = NULL, note = NULL,
                    provider_request_id = NULL, problems = '[]'
             WHERE key = ?1 OR lane_id = ?2",
            bound,
        )?;
        transaction.execute(
            "UPDATE lane SET kind = NULL, target = NULL, mapped_fields = NULL,
                    blocked_until = NULL WHERE lane_id = ?1",
            [lane_id],
        )?;
        transaction.commit()?;
        // Pages moved while trees were balanced may hold old text.
        self.connection.execute_batch("VACUUM")?;
        if !self.empty_log()? {
            return Err(StoreError::Busy);
        }
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Forgets what a lane's provider holds, and its target: the lane starts
    /// over. Its history stays. Returns the number of rows that are gone.
    pub fn reset(&mut self, lane: &str) -> Result<u64, StoreError> {
        let lane_id = self.lane_id(lane)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let gone = transaction.execute("DELETE FROM snapshot WHERE lane_id = ?1", [lane_id])?;
        transaction.execute(
            "UPDATE attempt SET open = 0 WHERE open = 1 AND lane_id = ?1",
            [lane_id],
        )?;
        transaction.execute(
            "UPDATE lane SET kind = NULL, target = NULL, mapped_fields = NULL,
                    blocked_until = NULL WHERE lane_id = ?1",
            [lane_id],
        )?;
        transaction.commit()?;
        self.empty_log()?;
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Forgets what every provider holds, and keeps the links: what was known may
    /// be older than what the providers hold. Returns the number of records.
    pub fn forget_values(&mut self) -> Result<u64, StoreError> {
        let changed = self
            .connection
            .execute("UPDATE snapshot SET fields = '{}'", [])?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    /// Forgets the link of a key in a lane, and with it what was known of the
    /// record. Says whether there was one.
    pub fn unlink(&mut self, lane: &str, key: &RecordKey) -> Result<bool, StoreError> {
        let lane_id = self.lane_id(lane)?;
        let gone = self.connection.execute(
            "DELETE FROM snapshot WHERE lane_id = ?1 AND key_hash = ?2 AND key = ?3",
            params![lane_id, key_hash(key), key.as_str()],
        )?;
        self.empty_log()?;
        Ok(gone > 0)
    }

    /// Reads all of the state and says what does not fit; nothing where it is
    /// whole.
    pub fn verify(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let said: String = row.get(0)?;
            if said != "ok" {
                found.push(said);
            }
        }
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let table: String = row.get(0)?;
            found.push(format!("table {table}: a row refers to one that is gone"));
        }
        let mut statement = self
            .connection
            .prepare("SELECT rid, key, key_hash, fields FROM snapshot ORDER BY rid")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let rid: i64 = row.get(0)?;
            if row.get::<_, [u8; 16]>(2)? != key_hash(&key(&row.get::<_, String>(1)?)) {
                found.push(format!("snapshot row {rid}: the hash is not its key's"));
            }
            if from_json::<Acknowledged>(&row.get::<_, String>(3)?, "snapshot.fields").is_err() {
                found.push(format!("snapshot row {rid}: the fields cannot be read"));
            }
        }
        Ok(found)
    }

    /// Moves the write-ahead log into the database and empties it. Says
    /// whether it could: a reader keeps the log until it is done.
    fn empty_log(&self) -> Result<bool, StoreError> {
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(busy == 0)
    }
}

/// Stores the counts of old runs that never ended, before what they are
/// derived from goes.
fn freeze(connection: &Connection, before: i64) -> Result<(), StoreError> {
    let mut statement = connection.prepare(
        &[
            "SELECT run_rid, lane_id, planned FROM run_lane WHERE final IS NULL AND run_rid IN (",
            OLD,
            ")",
        ]
        .join(" "),
    )?;
    let lanes: Vec<(i64, i64, String)> = statement
        .query_map([before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (run, lane_id, planned) in lanes {
        let planned = from_json(&planned, "run_lane.planned")?;
        connection.execute(
            "UPDATE run_lane SET final = ?3 WHERE run_rid = ?1 AND lane_id = ?2",
            params![
                run,
                lane_id,
                to_json(&derived(connection, run, lane_id, planned)?)?
            ],
        )?;
    }
    Ok(())
}
