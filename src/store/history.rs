//! Outcomes and attempts as they are read back, and the ledger of requests.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::convert::{
    count, duration, from_json, int, key, micros, optional_count, optional_key, outcome, timestamp,
};
use super::entry::AttemptResult;
use super::{Store, StoreError};
use crate::core::{FieldPath, Outcome, Problem, RecordKey};

/// What became of one row in one lane.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeRow {
    /// The run.
    pub run_id: String,
    /// The lane's name.
    pub lane: String,
    /// The row's key; `None` where it has none, or was purged.
    pub key: Option<RecordKey>,
    /// The physical line on which the row began.
    pub line: u64,
    /// The provider's own id of the record.
    pub remote_id: Option<String>,
    /// What became of the row.
    pub outcome: Outcome,
    /// The stable code of what went wrong.
    pub code: Option<String>,
    /// What went wrong and what to do.
    pub message: Option<String>,
    /// Requests sent for the row.
    pub attempts: u32,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// The id that the provider gave the last request.
    pub provider_request_id: Option<String>,
    /// How long the row took, to the millisecond.
    pub took: Duration,
    /// When it was settled.
    pub at: Timestamp,
    /// Every problem of the row in this lane.
    pub problems: Vec<Problem>,
    /// Something worth telling about a good outcome.
    pub note: Option<String>,
}

/// One request of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// Its number in the run.
    pub request: u64,
    /// The lane's name.
    pub lane: String,
    /// The row's key.
    pub key: Option<RecordKey>,
    /// The physical line on which the row began.
    pub line: Option<u64>,
    /// Which try it was, from 1.
    pub n: u32,
    /// The HTTP method's name.
    pub method: String,
    /// When it was sent.
    pub started: Timestamp,
    /// SHA-256 of the body.
    pub body_sha256: Option<String>,
    /// The fields it could change.
    pub fields: Vec<FieldPath>,
    /// Whether those fields are still unknown because of it.
    pub open: bool,
    /// What it came to; `None` where no answer was recorded.
    pub result: Option<AttemptResult>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The id that the provider gave the request.
    pub provider_request_id: Option<String>,
    /// What the provider said.
    pub message: Option<String>,
    /// From the first byte sent to the last byte read.
    pub took: Option<Duration>,
}

/// How long after its intent a request may still be answered, in microseconds:
/// all pauses that a run waits out, all that the breaker waits, and an attempt's
/// timeout, with room.
const LONGEST_EXCHANGE: i64 = 3_600_000_000;

/// Which requests of the ledger count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// All of them.
    Requests,
    /// All but reads.
    Writes,
}

impl Store {
    /// Gives every recorded outcome of a run, in the order of recording, and
    /// then the rows that a killed run left in doubt.
    pub fn outcomes<E: From<StoreError>>(
        &self,
        run_id: &str,
        mut each: impl FnMut(OutcomeRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_row(
            "SELECT lane.name AS lane, run.run_id, outcome.*
             FROM outcome JOIN lane USING (lane_id) JOIN run ON run.rid = run_rid
             WHERE run_rid = (SELECT rid FROM run WHERE run_id = ?1) ORDER BY outcome.rid",
            run_id,
            |row| each(read_outcome(row)?),
        )?;
        self.each_row(
            "SELECT lane.name AS lane, run.run_id, a.key, a.line, count(*) AS attempts, max(a.started) AS at
             FROM attempt AS a JOIN lane USING (lane_id)
             JOIN run ON run.rid = a.run_rid
             WHERE run.run_id = ?1 AND run.ended IS NULL AND a.line IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM outcome AS o WHERE o.run_rid = a.run_rid
                               AND o.lane_id = a.lane_id AND o.line = a.line)
             GROUP BY a.lane_id, a.line
             HAVING max(a.method <> 'GET'
                        AND (a.result IS NULL OR a.result IN ('in_doubt', 'accepted')))
             ORDER BY min(a.rid)",
            run_id,
            |row| each(read_in_doubt(row)?),
        )
    }

    /// The records whose last update the provider rejected.
    pub fn rejected(&self, lane: &str) -> Result<BTreeSet<RecordKey>, StoreError> {
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(BTreeSet::new());
        };
        // SQLite gives the columns beside `max` from the row that has it.
        let mut statement = self.connection.prepare_cached(
            "SELECT key, outcome, max(rid) FROM outcome
             WHERE lane_id = ?1 AND settles = 1 AND key IS NOT NULL
             GROUP BY key HAVING outcome = 'rejected'",
        )?;
        let rows = statement.query_map([lane_id], |row| row.get::<_, String>(0))?;
        rows.map(|text| Ok(key(&text?))).collect()
    }

    /// What became of one row of a run; `None` while nothing is recorded of it.
    pub fn outcome(
        &self,
        run_id: &str,
        lane: &str,
        line: u64,
    ) -> Result<Option<OutcomeRow>, StoreError> {
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(None);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT lane.name AS lane, run.run_id, outcome.*
             FROM outcome JOIN lane USING (lane_id) JOIN run ON run.rid = run_rid
             WHERE run.run_id = ?1 AND lane_id = ?2 AND line = ?3",
        )?;
        let mut rows = statement.query(params![run_id, lane_id, int(line)])?;
        rows.next()?.map(read_outcome).transpose()
    }

    /// Gives every recorded outcome of one client, in all lanes, oldest first.
    /// It reads the whole history: it serves one key at a time, not a file.
    pub fn outcomes_of<E: From<StoreError>>(
        &self,
        key: &RecordKey,
        mut each: impl FnMut(OutcomeRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_row(
            "SELECT lane.name AS lane, run.run_id, outcome.*
             FROM outcome JOIN lane USING (lane_id) JOIN run ON run.rid = run_rid
             WHERE outcome.key = ?1 ORDER BY outcome.rid",
            key.as_str(),
            |row| each(read_outcome(row)?),
        )
    }

    /// Gives every attempt of a run, in the order of the requests.
    pub fn attempts<E: From<StoreError>>(
        &self,
        run_id: &str,
        mut each: impl FnMut(AttemptRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_row(
            "SELECT lane.name AS lane, attempt.* FROM attempt JOIN lane USING (lane_id)
             WHERE run_rid = (SELECT rid FROM run WHERE run_id = ?1) ORDER BY request",
            run_id,
            |row| each(read_attempt(row)?),
        )
    }

    /// Until when each of the lane's latest requests may have arrived, newest
    /// first, of whatever run: quotas hold across restarts. At most `at_most`
    /// are told, and only those that may have arrived since `since` (included).
    ///
    /// An answer proves that its request had arrived. An intent without one may
    /// have been sent at any time before its run died, so it counts as late as
    /// it can: runs never overlap, which bounds it by the next run's beginning,
    /// and by `now` where there is none. The same bound tames times from a clock
    /// that was ahead: they are never later than what came after them.
    pub fn requests_since(
        &self,
        lane: &str,
        (since, now): (Timestamp, Timestamp),
        counted: Counted,
        at_most: u32,
    ) -> Result<Vec<Timestamp>, StoreError> {
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(Vec::new());
        };
        // A window of minutes reads minutes of the ledger, by its index.
        let mut statement = self.connection.prepare_cached(
            "WITH bound AS (SELECT rid, min(started) OVER (ORDER BY rid
                            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS at FROM run)
             SELECT min(coalesce(attempt.started + (duration_ms + 1) * 1000, ?3),
                        coalesce(bound.at, ?3), ?3) AS arrived
             FROM attempt JOIN bound ON bound.rid = run_rid
             WHERE lane_id = ?1 AND started >= ?2 - ?6 AND (?4 OR method <> 'GET')
               AND arrived >= ?2
             ORDER BY arrived DESC LIMIT ?5",
        )?;
        let reads = counted == Counted::Requests;
        let mut rows = statement.query(params![
            lane_id,
            micros(since),
            micros(now),
            reads,
            at_most,
            LONGEST_EXCHANGE
        ])?;
        let mut arrived = Vec::new();
        while let Some(row) = rows.next()? {
            arrived.push(timestamp(row.get(0)?)?);
        }
        Ok(arrived)
    }

    fn each_row<E: From<StoreError>>(
        &self,
        sql: &'static str,
        of: &str,
        mut each: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let database = |error: rusqlite::Error| E::from(StoreError::from(error));
        let mut statement = self.connection.prepare_cached(sql).map_err(database)?;
        let mut rows = statement.query([of]).map_err(database)?;
        while let Some(row) = rows.next().map_err(database)? {
            each(row)?;
        }
        Ok(())
    }
}

fn read_outcome(row: &Row<'_>) -> Result<OutcomeRow, StoreError> {
    let reason: Option<String> = row.get("reason")?;
    Ok(OutcomeRow {
        run_id: row.get("run_id")?,
        lane: row.get("lane")?,
        key: optional_key(row)?,
        line: count(row.get("line")?)?,
        remote_id: row.get("remote_id")?,
        outcome: outcome(&row.get::<_, String>("outcome")?, reason.as_deref())?,
        code: row.get("code")?,
        message: row.get("message")?,
        attempts: row.get("attempts")?,
        status: row.get("status")?,
        provider_request_id: row.get("provider_request_id")?,
        took: duration(row.get("duration_ms")?)?,
        at: timestamp(row.get("at")?)?,
        problems: from_json(&row.get::<_, String>("problems")?, "outcome.problems")?,
        note: row.get("note")?,
    })
}

fn read_in_doubt(row: &Row<'_>) -> Result<OutcomeRow, StoreError> {
    Ok(OutcomeRow {
        run_id: row.get("run_id")?,
        lane: row.get("lane")?,
        key: optional_key(row)?,
        line: count(row.get("line")?)?,
        remote_id: None,
        outcome: Outcome::InDoubt,
        code: None,
        message: None,
        attempts: row.get("attempts")?,
        status: None,
        provider_request_id: None,
        took: Duration::ZERO,
        at: timestamp(row.get("at")?)?,
        problems: Vec::new(),
        note: Some("the run ended before the answer was recorded".to_owned()),
    })
}

fn read_attempt(row: &Row<'_>) -> Result<AttemptRow, StoreError> {
    let result: Option<String> = row.get("result")?;
    Ok(AttemptRow {
        request: count(row.get("request")?)?,
        lane: row.get("lane")?,
        key: optional_key(row)?,
        line: optional_count(row, "line")?,
        n: row.get("n")?,
        method: row.get("method")?,
        started: timestamp(row.get("started")?)?,
        body_sha256: row.get("body_sha256")?,
        fields: from_json(&row.get::<_, String>("fields")?, "attempt.fields")?,
        open: row.get("open")?,
        result: result
            .map(|name| {
                AttemptResult::parse(&name)
                    .ok_or_else(|| StoreError::corrupt("an attempt has an unknown result"))
            })
            .transpose()?,
        status: row.get("status")?,
        provider_request_id: row.get("provider_request_id")?,
        message: row.get("message")?,
        took: row
            .get::<_, Option<i64>>("duration_ms")?
            .map(duration)
            .transpose()?,
    })
}
