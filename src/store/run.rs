//! Runs as they are read back, and the counts of those that never ended.
//!
//! The counts of a killed run are its plan's, moved by what the journal
//! recorded: they add up like those of any other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::convert::{count, from_json, int, key, optional_count, outcome, timestamp};
use super::entry::RunExit;
use super::journal::scope_name;
use super::{Store, StoreError};
use crate::core::{GuardVerdict, LaneCounts, Outcome, RecordKey, Scope};

/// The columns of [`RunRow`].
const COLUMNS: &str = "SELECT * FROM run";

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Its id.
    pub run_id: String,
    /// `apply`, `sync` or `adopt`.
    pub command: String,
    /// Whether the source was the whole population.
    pub scope: Scope,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs, and after a kill.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub exit: Option<RunExit>,
    /// SHA-256 of its plan.
    pub plan_sha256: Option<String>,
    /// The file that held its plan.
    pub plan_path: Option<String>,
    /// SHA-256 of the source's bytes.
    pub source_sha256: Option<String>,
    /// The number of rows of the source.
    pub source_rows: Option<u64>,
    /// The version of the program that ran.
    pub tool_version: String,
    /// What the guards said of the plan.
    pub guards: Vec<GuardVerdict>,
    /// What was allowed on the command line.
    pub allowed: Vec<String>,
    /// Per lane what became of its rows.
    pub lanes: BTreeMap<String, LaneCounts>,
}

/// What the row guards compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastGood {
    /// The run.
    pub run_id: String,
    /// The rows of its source.
    pub rows: u64,
}

impl Store {
    /// The last good run: the newest run of a whole file that was not refused
    /// before sending and that ended.
    pub fn last_good(&self) -> Result<Option<LastGood>, StoreError> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT run_id, source_rows FROM run
                 WHERE scope = 'whole' AND exit_code IN (0, 3, 6) AND source_rows IS NOT NULL
                 ORDER BY rid DESC LIMIT 1",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        found
            .map(|(run_id, rows)| {
                Ok(LastGood {
                    run_id,
                    rows: count(rows)?,
                })
            })
            .transpose()
    }

    /// The newest runs, newest first.
    pub fn runs(&self, limit: u64) -> Result<Vec<RunRow>, StoreError> {
        self.select("ORDER BY rid DESC LIMIT ?1", int(limit))
    }

    /// One run.
    pub fn run(&self, run_id: &str) -> Result<Option<RunRow>, StoreError> {
        Ok(self.select("WHERE run_id = ?1", run_id)?.pop())
    }

    /// The runs of one plan, oldest first: a plan can be applied once.
    pub fn runs_of_plan(&self, plan_sha256: &str) -> Result<Vec<RunRow>, StoreError> {
        self.select("WHERE plan_sha256 = ?1 ORDER BY rid", plan_sha256)
    }

    /// The keys whose records were read by adoptions of a lane that were cut
    /// short, since the last one that was not: the next goes on after them.
    pub fn adopted_so_far(&self, lane: &str) -> Result<BTreeSet<RecordKey>, StoreError> {
        let mut keys = BTreeSet::new();
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(keys);
        };
        let mut runs = self.connection.prepare_cached(
            "SELECT run.rid, final FROM run JOIN run_lane ON run_rid = run.rid AND lane_id = ?1
             WHERE command = 'adopt' AND EXISTS
                   (SELECT 1 FROM attempt AS a WHERE a.run_rid = run.rid AND a.lane_id = ?1)
             ORDER BY run.rid DESC",
        )?;
        let mut of_run = self
            .connection
            .prepare_cached("SELECT key FROM snapshot WHERE lane_id = ?1 AND updated_run = ?2")?;
        let mut rows = runs.query([lane_id])?;
        while let Some(row) = rows.next()? {
            let run: i64 = row.get(0)?;
            if let Some(last) = row.get::<_, Option<String>>(1)? {
                let counts: LaneCounts = from_json(&last, "run_lane.final")?;
                if counts.planned == 0 {
                    break;
                }
            }
            let mut read = of_run.query([*lane_id, run])?;
            while let Some(row) = read.next()? {
                keys.insert(key(&row.get::<_, String>(0)?));
            }
        }
        Ok(keys)
    }

    fn select(
        &self,
        tail: &'static str,
        value: impl rusqlite::ToSql,
    ) -> Result<Vec<RunRow>, StoreError> {
        let mut statement = self.connection.prepare_cached(&[COLUMNS, tail].join(" "))?;
        let mut rows = statement.query([value])?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(self.read_run(row)?);
        }
        Ok(runs)
    }

    fn read_run(&self, row: &Row<'_>) -> Result<RunRow, StoreError> {
        let scope: String = row.get("scope")?;
        let code: Option<u8> = row.get("exit_code")?;
        let name: Option<String> = row.get("exit_name")?;
        Ok(RunRow {
            run_id: row.get("run_id")?,
            command: row.get("command")?,
            scope: [Scope::Whole, Scope::Partial]
                .into_iter()
                .find(|s| scope_name(*s) == scope)
                .ok_or_else(|| StoreError::corrupt("a run has an unknown scope"))?,
            started: timestamp(row.get("started")?)?,
            ended: row
                .get::<_, Option<i64>>("ended")?
                .map(timestamp)
                .transpose()?,
            exit: code.zip(name).map(|(code, name)| RunExit { code, name }),
            plan_sha256: row.get("plan_sha256")?,
            plan_path: row.get("plan_path")?,
            source_sha256: row.get("source_sha256")?,
            source_rows: optional_count(row, "source_rows")?,
            tool_version: row.get("tool_version")?,
            guards: from_json(&row.get::<_, String>("guards")?, "run.guards")?,
            allowed: from_json(&row.get::<_, String>("allowed")?, "run.allowed")?,
            lanes: counts(&self.connection, row.get("rid")?)?,
        })
    }
}

/// Per lane the counts of a run: the final ones, or what the journal makes of
/// the plan's.
fn counts(connection: &Connection, run: i64) -> Result<BTreeMap<String, LaneCounts>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT name, lane_id, planned, final FROM run_lane JOIN lane USING (lane_id)
         WHERE run_rid = ?1",
    )?;
    let mut rows = statement.query([run])?;
    let mut lanes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let counts = if let Some(last) = row.get::<_, Option<String>>(3)? {
            from_json(&last, "run_lane.final")?
        } else {
            let planned = from_json(&row.get::<_, String>(2)?, "run_lane.planned")?;
            derived(connection, run, row.get(1)?, planned)?
        };
        lanes.insert(row.get(0)?, counts);
    }
    Ok(lanes)
}

/// The counts of a lane in a run that has not ended.
pub(super) fn derived(
    connection: &Connection,
    run: i64,
    lane_id: i64,
    mut counts: LaneCounts,
) -> Result<LaneCounts, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT outcome, reason, count(*) FROM outcome
         WHERE run_rid = ?1 AND lane_id = ?2 AND settles = 1 GROUP BY outcome, reason",
    )?;
    let mut rows = statement.query(params![run, lane_id])?;
    while let Some(row) = rows.next()? {
        let reason: Option<String> = row.get(1)?;
        let outcome = outcome(&row.get::<_, String>(0)?, reason.as_deref())?;
        for _ in 0..row.get::<_, i64>(2)? {
            counts.settle(outcome);
        }
    }
    // Rows that were adopted have no outcome of their own.
    let adopted: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM snapshot JOIN run ON run.rid = ?1
             WHERE command = 'adopt' AND updated_run = ?1 AND lane_id = ?2",
        )?
        .query_row(params![run, lane_id], |row| row.get(0))?;
    for _ in 0..adopted.min(int(counts.planned)) {
        counts.settle(Outcome::Unchanged);
    }
    // A write that was sent, or may have been, and whose row has no outcome.
    let in_doubt: i64 = connection
        .prepare_cached(
            "SELECT count(DISTINCT line) FROM attempt AS a
             WHERE run_rid = ?1 AND lane_id = ?2 AND method <> 'GET'
               AND (result IS NULL OR result IN ('in_doubt', 'accepted'))
               AND NOT EXISTS (SELECT 1 FROM outcome AS o WHERE o.run_rid = a.run_rid
                               AND o.lane_id = a.lane_id AND o.line = a.line)",
        )?
        .query_row(params![run, lane_id], |row| row.get(0))?;
    for _ in 0..in_doubt {
        counts.settle(Outcome::InDoubt);
    }
    let (requests, retries) = connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE n > 1) FROM attempt
             WHERE run_rid = ?1 AND lane_id = ?2",
        )?
        .query_row(params![run, lane_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    counts.requests = count(requests)?;
    counts.retries = count(retries)?;
    Ok(counts)
}
