//! The journal: intents before requests, answers and outcomes after them.
//!
//! A batch is one transaction: all of it is durable when the call returns, or
//! none of it. The snapshot moves here and nowhere else.

use rusqlite::{Connection, TransactionBehavior, params};

use super::convert::{int, key_hash, micros, millis, reason, to_json};
use super::entry::{Adopted, Answer, Entry, Intent, OpenRun, RunEnd, RunStart, Settlement};
use super::lane::leave_alone;
use super::snapshot::{close, merge};
use super::{Store, StoreError};
use crate::core::{LeftOut, LeftOutReason, Method, Outcome, RecordKey, Scope};
use crate::failpoint::{Point, reach};

/// Records adopted in one transaction.
const CHUNK: usize = 8192;

impl Store {
    /// Records that a run begins. Its lanes are bound already.
    pub fn begin(&mut self, start: &RunStart) -> Result<OpenRun, StoreError> {
        reach(Point::Begin).map_err(StoreError::system)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "INSERT INTO run (run_id, command, scope, started, plan_sha256, plan_path,
                              source_sha256, source_rows, tool_version, guards, allowed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                start.run_id,
                start.command,
                scope_name(start.scope),
                micros(start.started),
                start.plan_sha256,
                start.plan_path,
                start.source_sha256,
                start.source_rows.map(int),
                start.tool_version,
                to_json(&start.guards)?,
                to_json(&start.allowed)?,
            ],
        )?;
        let run = transaction.last_insert_rowid();
        for (lane, counts) in &start.lanes {
            let lane_id = self
                .lanes
                .get(lane)
                .ok_or_else(|| StoreError::UnknownLane(lane.clone()))?;
            transaction.execute(
                "INSERT INTO run_lane (run_rid, lane_id, planned) VALUES (?1, ?2, ?3)",
                params![run, lane_id, to_json(counts)?],
            )?;
        }
        // Reads that a killed run left without an answer changed nothing.
        transaction.execute(
            "UPDATE attempt SET open = 0 WHERE open = 1 AND method = 'GET'",
            [],
        )?;
        transaction.commit()?;
        reach(Point::Begun).map_err(StoreError::system)?;
        Ok(OpenRun(run))
    }

    /// Records a batch, in its order, in one transaction.
    pub fn record(&mut self, run: OpenRun, entries: &[Entry]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let lane_id = |lane: &str| {
            self.lanes
                .get(lane)
                .copied()
                .ok_or_else(|| StoreError::UnknownLane(lane.to_owned()))
        };
        for entry in entries {
            reach(entry.before()).map_err(StoreError::system)?;
            match entry {
                Entry::Intent(intent) => {
                    intend(&transaction, run, lane_id(&intent.lane)?, intent)?;
                }
                Entry::Answer(answer) => answered(&transaction, run, answer)?,
                Entry::Settle(settlement) => {
                    settle(&transaction, run, lane_id(&settlement.lane)?, settlement)?;
                }
                Entry::LeaveAlone { lane, until } => {
                    leave_alone(&transaction, lane_id(lane)?, *until)?;
                }
                Entry::LeftOut(row, at) => {
                    leave_out(&transaction, run, lane_id(&row.lane)?, row, micros(*at))?;
                }
                // What nobody wants to know stays unknown.
                Entry::Moot { lane, key } => {
                    acknowledge(&transaction, run, lane_id(lane)?, key, None)?;
                }
                Entry::Adopt { lane, records } => {
                    take_over(&transaction, run, lane_id(lane)?, records)?;
                }
            }
        }
        transaction.commit()?;
        for entry in entries {
            reach(entry.after()).map_err(StoreError::system)?;
        }
        Ok(())
    }

    /// Takes over what a provider holds, or is declared to hold. Large batches
    /// are committed in chunks: a kill keeps the chunks that were done.
    pub fn adopt(
        &mut self,
        run: OpenRun,
        lane: &str,
        records: &[Adopted],
    ) -> Result<(), StoreError> {
        let lane_id = self.lane_id(lane)?;
        for chunk in records.chunks(CHUNK) {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            take_over(&transaction, run, lane_id, chunk)?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Records that a run ends.
    pub fn end(&mut self, run: OpenRun, end: &RunEnd) -> Result<(), StoreError> {
        reach(Point::End).map_err(StoreError::system)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ended = transaction.execute(
            "UPDATE run SET ended = ?2, exit_code = ?3, exit_name = ?4 WHERE rid = ?1 AND ended IS NULL",
            params![run.0, micros(end.at), end.exit.code, end.exit.name],
        )?;
        if ended != 1 {
            return Err(StoreError::Journal("the run has ended before"));
        }
        for (lane, counts) in &end.lanes {
            let lane_id = self
                .lanes
                .get(lane)
                .ok_or_else(|| StoreError::UnknownLane(lane.clone()))?;
            let counts = to_json(counts)?;
            transaction.execute(
                "INSERT INTO run_lane (run_rid, lane_id, planned, final) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (run_rid, lane_id) DO UPDATE SET final = excluded.final",
                params![run.0, lane_id, counts],
            )?;
        }
        transaction.commit()?;
        reach(Point::Ended).map_err(StoreError::system)?;
        Ok(())
    }
}

pub(super) fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Whole => "whole",
        Scope::Partial => "partial",
    }
}

fn intend(
    connection: &Connection,
    run: OpenRun,
    lane_id: i64,
    intent: &Intent,
) -> Result<(), StoreError> {
    if intent.method.is_write() && (intent.key.is_none() || intent.line.is_none()) {
        return Err(StoreError::Journal("a write belongs to no row"));
    }
    if intent.method == Method::Get && !intent.fields.is_empty() {
        return Err(StoreError::Journal("a read changes no field"));
    }
    connection
        .prepare_cached(
            "INSERT INTO attempt (run_rid, request, lane_id, key, key_hash, line, n, method,
                                  started, body_sha256, fields, open)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1)",
        )?
        .execute(params![
            run.0,
            int(intent.request),
            lane_id,
            intent.key.as_ref().map(RecordKey::as_str),
            intent.key.as_ref().map(key_hash),
            intent.line.map(int),
            intent.n,
            intent.method.as_str(),
            micros(intent.at),
            intent.body_sha256,
            to_json(&intent.fields)?,
        ])?;
    Ok(())
}

fn answered(connection: &Connection, run: OpenRun, answer: &Answer) -> Result<(), StoreError> {
    // An accepted write stays open until its row is settled: until then the
    // snapshot holds the values from before it.
    let changed = connection
        .prepare_cached(
            "UPDATE attempt SET result = ?3, status = ?4, provider_request_id = ?5, message = ?6,
                    started = ?7, duration_ms = ?8, open = (method <> 'GET' AND ?3 IN ('in_doubt', 'accepted'))
             WHERE run_rid = ?1 AND request = ?2 AND result IS NULL",
        )?
        .execute(params![
            run.0,
            int(answer.request),
            answer.result.as_str(),
            answer.status,
            answer.provider_request_id,
            answer.message,
            micros(answer.sent),
            millis(answer.took),
        ])?;
    if changed == 1 {
        Ok(())
    } else {
        Err(StoreError::Journal("an answer without an open intent"))
    }
}

fn settle(
    connection: &Connection,
    run: OpenRun,
    lane_id: i64,
    row: &Settlement,
) -> Result<(), StoreError> {
    if let Some(answer) = &row.answer {
        answered(connection, run, answer)?;
    }
    match (row.outcome, &row.snapshot) {
        (Outcome::Updated | Outcome::Unchanged, snapshot) => {
            acknowledge(connection, run, lane_id, &row.key, snapshot.as_ref())?;
        }
        (_, Some(_)) => {
            return Err(StoreError::Journal(
                "the snapshot moves only with what the provider acknowledged",
            ));
        }
        (_, None) => {}
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO outcome (run_rid, lane_id, line, key, remote_id, settles, outcome,
                    reason, code, message, attempts, status, provider_request_id, duration_ms, at,
                    problems, note)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            run.0,
            lane_id,
            int(row.line),
            row.key.as_str(),
            row.remote_id,
            row.outcome.as_str(),
            reason(row.outcome),
            row.code,
            row.message,
            row.attempts,
            row.status,
            row.provider_request_id,
            millis(row.took),
            micros(row.at),
            to_json(&row.problems)?,
            row.note,
        ])?;
    Ok(())
}

fn leave_out(
    connection: &Connection,
    run: OpenRun,
    lane_id: i64,
    row: &LeftOut,
    at: i64,
) -> Result<(), StoreError> {
    let outcome = match row.reason {
        LeftOutReason::Invalid => Outcome::Invalid,
        LeftOutReason::Skipped(reason) => Outcome::Skipped(reason),
    };
    let first = row.problems.first();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO outcome (run_rid, lane_id, line, key, settles, outcome, reason,
                    code, message, attempts, duration_ms, at, problems)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, 0, 0, ?9, ?10)",
        )?
        .execute(params![
            run.0,
            lane_id,
            int(row.line),
            row.key.as_ref().map(RecordKey::as_str),
            outcome.as_str(),
            reason(outcome),
            first.map(|problem| problem.code.as_ref()),
            first.map(|problem| problem.message.as_str()),
            at,
            to_json(&row.problems)?,
        ])?;
    Ok(())
}

fn take_over(
    connection: &Connection,
    run: OpenRun,
    lane_id: i64,
    records: &[Adopted],
) -> Result<(), StoreError> {
    records.iter().try_for_each(|record| {
        let snapshot = Some(&record.snapshot);
        acknowledge(connection, run, lane_id, &record.key, snapshot)
    })
}

/// Closes the open attempts of a record and moves its snapshot.
fn acknowledge(
    connection: &Connection,
    run: OpenRun,
    lane_id: i64,
    key: &RecordKey,
    write: Option<&super::SnapshotWrite>,
) -> Result<(), StoreError> {
    reach(Point::Acknowledge).map_err(StoreError::system)?;
    let unsure = close(connection, lane_id, key)?;
    merge(connection, run.0, lane_id, key, write, &unsure)?;
    reach(Point::Acknowledged).map_err(StoreError::system)
}
