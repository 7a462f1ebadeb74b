//! The snapshot: what each lane's provider acknowledged last, per key.
//!
//! A field that an open attempt may have changed is unknown, whatever the
//! stored row says. Rows move only through [`merge`], which its callers run in
//! the transaction that records the acknowledgement.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sha2::{Digest as _, Sha256};

use super::convert::{from_json, key, key_hash, to_json};
use super::entry::SnapshotWrite;
use super::{Store, StoreError};
use crate::core::{Acknowledged, FieldPath, RecordKey, hex};

/// The bits of a rid below the lane's id.
const ORDER_BITS: u32 = 40;

/// Rows read ahead at once.
const AHEAD: usize = 256;

/// How far the stored order is searched before the index is asked: rows that
/// left the source are passed over, a reordered source does not search long.
const WINDOW: usize = 16;

/// What is known of one record.
#[derive(Clone, PartialEq)]
pub struct SnapshotRow {
    /// The provider's own id of the record.
    pub remote_id: String,
    /// What the provider acknowledged last, without the open fields.
    pub values: Acknowledged,
    /// The fields that an attempt without a definite answer may have changed.
    pub open: BTreeSet<FieldPath>,
    stored: String,
}

impl SnapshotRow {
    /// SHA-256 over the row as stored and its open fields: it differs as soon
    /// as the row moves.
    #[must_use]
    pub fn basis(&self) -> String {
        let mut hash = Sha256::new();
        let open = self.open.iter().map(ToString::to_string);
        for part in [self.remote_id.clone(), self.stored.clone()]
            .into_iter()
            .chain(open)
        {
            // Lengths keep two parts from passing for one.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex(&hash.finalize())
    }
}

impl fmt::Debug for SnapshotRow {
    /// Prints no value: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotRow")
            .field("values", &self.values.len())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// A row as it lies in the table.
struct Stored {
    rid: i64,
    key: RecordKey,
    remote_id: String,
    fields: String,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            rid: row.get("rid")?,
            key: key(&row.get::<_, String>("key")?),
            remote_id: row.get("remote_id")?,
            fields: row.get("fields")?,
        })
    }

    fn known(self, open: BTreeSet<FieldPath>) -> Result<SnapshotRow, StoreError> {
        let mut values: Acknowledged = from_json(&self.fields, "snapshot.fields")?;
        for path in &open {
            values.remove(path);
        }
        Ok(SnapshotRow {
            remote_id: self.remote_id,
            values,
            open,
            stored: self.fields,
        })
    }
}

/// Reads the snapshot of one lane, fastest when keys come in the order in
/// which they were stored.
pub struct SnapshotReader<'a> {
    connection: &'a Connection,
    lane_id: Option<i64>,
    open: BTreeMap<RecordKey, BTreeSet<FieldPath>>,
    ahead: VecDeque<Stored>,
    /// The rid after which the next rows are read ahead.
    after: i64,
    /// The rid of the last row given.
    last: i64,
    /// Which rows were given, one bit each, by their order of appending.
    given: Vec<u64>,
}

impl fmt::Debug for SnapshotReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotReader")
            .field("lane_id", &self.lane_id)
            .finish_non_exhaustive()
    }
}

impl SnapshotReader<'_> {
    /// What is known of a record; `None` where nothing is.
    pub fn get(&mut self, key: &RecordKey) -> Result<Option<SnapshotRow>, StoreError> {
        let Some(lane_id) = self.lane_id else {
            return Ok(None);
        };
        if self.ahead.is_empty() {
            self.read_ahead(lane_id)?;
        }
        let found = self.ahead.iter().take(WINDOW).position(|s| s.key == *key);
        let stored = match found {
            Some(index) => self.ahead.drain(..=index).next_back(),
            None => find(self.connection, lane_id, key)?,
        };
        let Some(stored) = stored else {
            return Ok(None);
        };
        let (word, bit) = bit_of(stored.rid, lane_id);
        if self.given.len() <= word {
            self.given.resize(word + 1, 0);
        }
        self.given[word] |= bit;
        let step = stored.rid - self.last;
        self.last = stored.rid;
        if found.is_none() && (1..=256).contains(&step) {
            // The stored order goes on at another place: follow it from there.
            self.ahead.clear();
            self.after = stored.rid;
        }
        let open = self.open.get(key).cloned().unwrap_or_default();
        stored.known(open).map(Some)
    }

    /// Gives the records that were not asked for so far, in the order in which
    /// they were stored.
    pub fn each_other<E: From<StoreError>>(
        mut self,
        mut each: impl FnMut(RecordKey, SnapshotRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(lane_id) = self.lane_id else {
            return Ok(());
        };
        self.ahead.clear();
        self.after = start(lane_id);
        loop {
            self.read_ahead(lane_id)?;
            if self.ahead.is_empty() {
                return Ok(());
            }
            while let Some(stored) = self.ahead.pop_front() {
                let (word, bit) = bit_of(stored.rid, lane_id);
                if self.given.get(word).is_some_and(|given| given & bit != 0) {
                    continue;
                }
                let key = stored.key.clone();
                let open = self.open.get(&key).cloned().unwrap_or_default();
                each(key, stored.known(open)?)?;
            }
        }
    }

    fn read_ahead(&mut self, lane_id: i64) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT rid, key, remote_id, fields FROM snapshot
             WHERE rid > ?1 AND rid < ?2 ORDER BY rid LIMIT ?3",
        )?;
        let limit = i64::try_from(AHEAD).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![self.after, end(lane_id), limit], Stored::read)?;
        for row in rows {
            self.ahead.push_back(row?);
        }
        // At the end the next rows are looked for behind the lane's last rid,
        // which is one step in the tree and finds nothing.
        self.after = self.ahead.back().map_or(end(lane_id), |row| row.rid);
        Ok(())
    }
}

impl Store {
    /// A reader of a lane's snapshot; it is empty for a lane not known.
    pub fn snapshot(&self, lane: &str) -> Result<SnapshotReader<'_>, StoreError> {
        let lane_id = self.lanes.get(lane).copied();
        let open = self.in_doubt(lane)?;
        let start = lane_id.map_or(0, start);
        Ok(SnapshotReader {
            connection: &self.connection,
            lane_id,
            open,
            ahead: VecDeque::new(),
            after: start,
            last: start,
            given: Vec::new(),
        })
    }

    /// The records that an attempt without a definite answer may have changed,
    /// and in which fields.
    pub fn in_doubt(
        &self,
        lane: &str,
    ) -> Result<BTreeMap<RecordKey, BTreeSet<FieldPath>>, StoreError> {
        let mut open: BTreeMap<RecordKey, BTreeSet<FieldPath>> = BTreeMap::new();
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(open);
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT key, fields FROM attempt
             WHERE open = 1 AND lane_id = ?1 AND method <> 'GET'",
        )?;
        let mut rows = statement.query([lane_id])?;
        while let Some(row) = rows.next()? {
            let fields: Vec<FieldPath> = from_json(&row.get::<_, String>(1)?, "attempt.fields")?;
            open.entry(key(&row.get::<_, String>(0)?))
                .or_default()
                .extend(fields);
        }
        Ok(open)
    }

    /// What is known of one record, by the index.
    pub fn acknowledged(
        &self,
        lane: &str,
        key: &RecordKey,
    ) -> Result<Option<SnapshotRow>, StoreError> {
        let Some(lane_id) = self.lanes.get(lane).copied() else {
            return Ok(None);
        };
        find(&self.connection, lane_id, key)?
            .map(|stored| stored.known(open_fields(&self.connection, lane_id, key)?))
            .transpose()
    }

    /// The key that a remote id is linked to in a lane.
    pub fn link_of(&self, lane: &str, remote_id: &str) -> Result<Option<RecordKey>, StoreError> {
        let Some(lane_id) = self.lanes.get(lane) else {
            return Ok(None);
        };
        let found = self
            .connection
            .prepare_cached(
                "SELECT key FROM snapshot WHERE lane_id = ?1 AND remote_id = ?2 ORDER BY rid LIMIT 1",
            )?
            .query_row(params![lane_id, remote_id], |row| row.get::<_, String>(0))
            .optional()?;
        Ok(found.map(|text| key(&text)))
    }

    /// Gives every record of a lane in the order in which it was stored.
    pub fn each_record<E: From<StoreError>>(
        &self,
        lane: &str,
        each: impl FnMut(RecordKey, SnapshotRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.snapshot(lane)?.each_other(each)
    }
}

/// Writes what was acknowledged into a record's row. `unsure` are the fields
/// of the attempts that this acknowledgement closes: what it does not settle
/// of them becomes unknown for good.
pub(super) fn merge(
    connection: &Connection,
    run: i64,
    lane_id: i64,
    key: &RecordKey,
    write: Option<&SnapshotWrite>,
    unsure: &BTreeSet<FieldPath>,
) -> Result<(), StoreError> {
    let found = find(connection, lane_id, key)?;
    let remote_id = match (write, &found) {
        (Some(write), _) => write.remote_id.clone(),
        (None, Some(found)) if !unsure.is_empty() => found.remote_id.clone(),
        (None, _) => return Ok(()),
    };
    let mut fields = match &found {
        // Under another id it is another record: nothing is known of it.
        Some(found) if found.remote_id == remote_id => {
            from_json::<Acknowledged>(&found.fields, "snapshot.fields")?
        }
        _ => Acknowledged::new(),
    };
    for path in unsure {
        fields.remove(path);
    }
    for (path, known) in write.iter().flat_map(|write| &write.settled) {
        match known {
            Some(known) => fields.insert(path.clone(), known.clone()),
            None => fields.remove(path),
        };
    }
    let fields = to_json(&fields)?;
    if let Some(found) = found {
        connection
            .prepare_cached(
                "UPDATE snapshot SET remote_id = ?2, fields = ?3, updated_run = ?4 WHERE rid = ?1",
            )?
            .execute(params![found.rid, remote_id, fields, run])?;
    } else {
        connection
            .prepare_cached(
                "INSERT INTO snapshot (rid, lane_id, key, key_hash, remote_id, fields, updated_run)
                 VALUES ((SELECT coalesce(max(rid), ?1) + 1 FROM snapshot WHERE rid > ?1 AND rid < ?2),
                         ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                start(lane_id),
                end(lane_id),
                lane_id,
                key.as_str(),
                key_hash(key),
                remote_id,
                fields,
                run
            ])?;
    }
    Ok(())
}

/// Closes the open attempts of a record and gives the fields they may have
/// changed.
pub(super) fn close(
    connection: &Connection,
    lane_id: i64,
    key: &RecordKey,
) -> Result<BTreeSet<FieldPath>, StoreError> {
    let statement = connection.prepare_cached(
        "UPDATE attempt SET open = 0
         WHERE open = 1 AND lane_id = ?1 AND key_hash = ?2 AND key = ?3 RETURNING fields",
    )?;
    fields(statement, lane_id, key)
}

/// The fields of a record that open attempts may have changed.
fn open_fields(
    connection: &Connection,
    lane_id: i64,
    key: &RecordKey,
) -> Result<BTreeSet<FieldPath>, StoreError> {
    let statement = connection.prepare_cached(
        "SELECT fields FROM attempt
         WHERE open = 1 AND lane_id = ?1 AND key_hash = ?2 AND key = ?3",
    )?;
    fields(statement, lane_id, key)
}

fn fields(
    mut statement: CachedStatement<'_>,
    lane_id: i64,
    key: &RecordKey,
) -> Result<BTreeSet<FieldPath>, StoreError> {
    let mut open = BTreeSet::new();
    let mut rows = statement.query(params![lane_id, key_hash(key), key.as_str()])?;
    while let Some(row) = rows.next()? {
        let fields: Vec<FieldPath> = from_json(&row.get::<_, String>(0)?, "attempt.fields")?;
        open.extend(fields);
    }
    Ok(open)
}

fn find(
    connection: &Connection,
    lane_id: i64,
    key: &RecordKey,
) -> Result<Option<Stored>, StoreError> {
    let stored = connection
        .prepare_cached(
            "SELECT rid, key, remote_id, fields FROM snapshot WHERE lane_id = ?1 AND key_hash = ?2",
        )?
        .query_row(params![lane_id, key_hash(key)], Stored::read)
        .optional()?;
    match stored {
        // Two keys of one 128-bit hash do not occur by chance.
        Some(stored) if stored.key != *key => Err(StoreError::corrupt(
            "a snapshot row stands under the hash of another key",
        )),
        stored => Ok(stored),
    }
}

/// The bit of a row: its word, and the bit in it.
fn bit_of(rid: i64, lane_id: i64) -> (usize, u64) {
    let order = rid - start(lane_id);
    let word = usize::try_from(order / 64).unwrap_or_default();
    (word, 1 << (order % 64))
}

/// The rid before a lane's first.
fn start(lane_id: i64) -> i64 {
    lane_id << ORDER_BITS
}

/// The rid after a lane's last.
fn end(lane_id: i64) -> i64 {
    (lane_id + 1) << ORDER_BITS
}
