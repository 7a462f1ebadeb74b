//! Lanes: their names, the target each is bound to, the fields it maps.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::convert::{count, from_json, micros, timestamp, to_json};
use super::{Store, StoreError};
use crate::core::{FieldPath, LaneHeader};

impl Store {
    /// Binds lanes to their targets: a new lane for good, a known one must be
    /// bound to the same. Nothing is bound when one of them contradicts.
    pub fn bind(&mut self, lanes: &[LaneHeader]) -> Result<(), StoreError> {
        for lane in lanes {
            self.check_target(lane)?;
        }
        let transaction = self.connection.transaction()?;
        for lane in lanes {
            transaction
                .prepare_cached(
                    "INSERT INTO lane (name, kind, target) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, target = excluded.target
                     WHERE target IS NULL",
                )?
                .execute(params![lane.lane, lane.kind, lane.target])?;
        }
        transaction.commit()?;
        self.load_lanes()
    }

    /// Refuses a lane whose rows belong to another target; a lane that is not
    /// known yet fits.
    pub fn check_target(&self, lane: &LaneHeader) -> Result<(), StoreError> {
        let bound = self
            .connection
            .prepare_cached("SELECT kind, target FROM lane WHERE name = ?1 AND target IS NOT NULL")?
            .query_row([&lane.lane], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .optional()?;
        match bound {
            Some((kind, target)) if (&kind, &target) != (&lane.kind, &lane.target) => {
                Err(StoreError::OtherTarget {
                    lane: lane.lane.clone(),
                    bound: format!("{kind} at {target}"),
                    wanted: format!("{} at {}", lane.kind, lane.target),
                })
            }
            _ => Ok(()),
        }
    }

    /// The names of the lanes that have rows or a history here, sorted.
    pub fn lanes(&self) -> impl Iterator<Item = &str> {
        self.lanes.keys().map(String::as_str)
    }

    /// The fields that the lane has mapped before; `None` before its first run.
    pub fn mapped_fields(&self, lane: &str) -> Result<Option<BTreeSet<FieldPath>>, StoreError> {
        self.connection
            .prepare_cached("SELECT mapped_fields FROM lane WHERE name = ?1")?
            .query_row([lane], |row| row.get::<_, Option<String>>(0))
            .optional()?
            .flatten()
            .map(|text| from_json(&text, "lane.mapped_fields"))
            .transpose()
    }

    /// Replaces the fields that the lane has mapped before.
    pub fn set_mapped_fields(
        &mut self,
        lane: &str,
        fields: &BTreeSet<FieldPath>,
    ) -> Result<(), StoreError> {
        let lane_id = self.lane_id(lane)?;
        self.connection
            .prepare_cached("UPDATE lane SET mapped_fields = ?2 WHERE lane_id = ?1")?
            .execute(params![lane_id, to_json(fields)?])?;
        Ok(())
    }

    /// Until when the lane's provider asked to be left alone.
    pub fn blocked_until(&self, lane: &str) -> Result<Option<Timestamp>, StoreError> {
        self.connection
            .prepare_cached("SELECT blocked_until FROM lane WHERE name = ?1")?
            .query_row([lane], |row| row.get::<_, Option<i64>>(0))
            .optional()?
            .flatten()
            .map(timestamp)
            .transpose()
    }

    /// Records until when the provider asked to be left alone; `None` when it
    /// may be called again.
    pub fn set_blocked_until(
        &mut self,
        lane: &str,
        until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let lane_id = self.lane_id(lane)?;
        self.connection
            .prepare_cached("UPDATE lane SET blocked_until = ?2 WHERE lane_id = ?1")?
            .execute(params![lane_id, until.map(micros)])?;
        Ok(())
    }

    /// The number of records that the snapshot knows in a lane; 0 for a lane
    /// it does not know.
    pub fn records(&self, lane: &str) -> Result<u64, StoreError> {
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(0);
        };
        let records = self
            .connection
            .prepare_cached("SELECT count(*) FROM snapshot WHERE lane_id = ?1")?
            .query_row([lane_id], |row| row.get(0))?;
        count(records)
    }

    pub(super) fn load_lanes(&mut self) -> Result<(), StoreError> {
        self.lanes = self
            .connection
            .prepare_cached("SELECT name, lane_id FROM lane")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Writes until when a lane's provider asked to be left alone. Several may ask at
/// once, and answers come in any order: the longest wait holds.
pub(super) fn leave_alone(
    connection: &Connection,
    lane_id: i64,
    until: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE lane SET blocked_until = max(coalesce(blocked_until, ?2), ?2)
             WHERE lane_id = ?1",
        )?
        .execute(params![lane_id, micros(until)])?;
    Ok(())
}
