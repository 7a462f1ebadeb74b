//! The roster: the rows of a source as a reading of their provider needs them,
//! by remote id and by the value that they are matched by.
//!
//! Two sides are linked only where exactly one row and exactly one record hold
//! the same value. Everything else is told and left alone. A hash of 128 bits
//! stands for an id or a value.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::spool::Place;
use crate::core::{
    FieldPath, LaneCounts, Mapping, Outcome, Place as FieldPlace, Problem, RecordKey, Row,
    SkipReason,
};
use crate::engine::lane::{Lane, Matching};
use crate::engine::planning::planner::PlanError;
use crate::engine::planning::rows::{Links, SourceView, identify};
use crate::store::{Store, StoreError};

/// 128 bits of the SHA-256 of an id or a value.
type Hash = [u8; 16];

fn hash(bytes: &[u8]) -> Hash {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// Which rows a reading is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookFor {
    /// Those that are linked, and those that `match` may link.
    Matches,
    /// Those that are linked.
    Links,
}

/// The rows of one lane.
#[derive(Debug, Default)]
pub struct Roster {
    /// The rows, in the order of the source.
    pub rows: Vec<RosterRow>,
    /// The problems of rows, by their place in `rows`.
    pub problems: BTreeMap<usize, Vec<Problem>>,
    by_id: HashMap<Hash, Holder>,
    wanted: HashMap<Hash, Wanted>,
}

/// One row.
#[derive(Debug)]
pub struct RosterRow {
    /// Its key, unless it has none or shares it.
    pub key: Option<RecordKey>,
    /// The physical line on which it begins.
    pub line: u64,
    /// The provider's own id of its record.
    pub remote_id: Option<String>,
    /// What became of it so far; `planned` while it waits to be read.
    pub outcome: Outcome,
    /// What it wants in keyed lists: tells duplicate entries apart.
    pub(super) hints: Vec<(FieldPath, Value)>,
}

/// Who a remote id belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A row, by its place.
    Row(usize),
    /// Someone whom this reading is not for: a row outside of the selection, or
    /// a key that the state knows and the source does not have.
    Other,
}

/// Who holds one value of `match`.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Rows without a record, by their places.
    pub(super) seekers: Vec<usize>,
    /// All other rows that hold it.
    pub(super) others: u64,
    /// How many records hold it.
    pub(super) records: u64,
    /// The first record of it that belongs to nobody.
    pub(super) free: Option<Free>,
}

/// A record that belongs to nobody yet.
#[derive(Debug)]
pub(super) struct Free {
    pub(super) id: String,
    /// Where it lies, where all that is needed of it was read.
    pub(super) kept: Option<Place>,
}

impl Roster {
    /// Gathers the rows. Those of `read_before` were read by an adoption that
    /// was cut short: they count as taken where all mapped fields are known.
    pub fn gather<S: std::error::Error>(
        lane: &Lane,
        source: &mut SourceView<'_, S>,
        store: Option<&Store>,
        only: Option<&BTreeSet<RecordKey>>,
        look_for: LookFor,
        read_before: &BTreeSet<RecordKey>,
    ) -> Result<Self, PlanError<S>> {
        let known = store.filter(|store| store.lanes().any(|name| name == lane.name));
        let matching = lane
            .matching
            .as_ref()
            .filter(|_| look_for == LookFor::Matches);
        let mut links = Links::new(lane, known)?;
        let mut roster = Self::default();
        let mut row = Row::default();
        while (source.next)(&mut row).map_err(PlanError::Source)? {
            if (source.is_repeat)(row.line()) {
                continue;
            }
            let key = match identify(&row, source) {
                Ok(key) => key,
                Err(problem) => {
                    // A row that cannot be used still holds what it says.
                    let id = lane.id.as_ref().and_then(|column| row.cell(column.index));
                    if let Some(id) = id.filter(|id| !id.is_empty()) {
                        let held = roster.by_id.entry(hash(id.as_bytes()));
                        held.or_insert(Holder::Other);
                    }
                    roster.bystander(None, matching, &row);
                    if only.is_none() {
                        roster.invalid(problem.key.clone(), row.line(), vec![problem]);
                    }
                    continue;
                }
            };
            let link = links.of(&row, &key, source)?;
            if only.is_some_and(|only| !only.contains(&key)) {
                roster.bystander(link.remote_id.as_deref(), matching, &row);
                continue;
            }
            if !link.problems.is_empty() {
                roster.bystander(link.remote_id.as_deref(), matching, &row);
                roster.invalid(Some(key), row.line(), link.problems);
                continue;
            }
            let values = link.known.as_ref().map(|known| &known.values);
            let is_read = read_before.contains(&key)
                && values.is_some_and(|v| lane.readable().all(|m| v.contains_key(&m.field.path)));
            roster.add(lane, &row, key, link.remote_id, matching);
            if let (true, Some(row)) = (is_read, roster.rows.last_mut()) {
                row.outcome = Outcome::Unchanged;
            }
        }
        if let Some(store) = known {
            roster.reserve(lane, store)?;
        }
        Ok(roster)
    }

    fn add(
        &mut self,
        lane: &Lane,
        row: &Row,
        key: RecordKey,
        remote_id: Option<String>,
        matching: Option<&Matching>,
    ) {
        let place = self.rows.len();
        let wanted = matching.map_or(Ok(None), |matching| matching.of_row(row));
        let mut outcome = Outcome::Planned;
        match (&remote_id, wanted) {
            (Some(id), wanted) => {
                self.by_id.insert(hash(id.as_bytes()), Holder::Row(place));
                if let Ok(Some(value)) = wanted {
                    self.wanted(&value).others += 1;
                }
            }
            (None, Ok(Some(value))) => self.wanted(&value).seekers.push(place),
            (None, Ok(None)) => outcome = Outcome::Skipped(SkipReason::Unlinked),
            (None, Err(problems)) => {
                outcome = Outcome::Invalid;
                self.problems.insert(place, problems);
            }
        }
        self.rows.push(RosterRow {
            key: Some(key),
            line: row.line(),
            remote_id,
            outcome,
            hints: hints(lane, row),
        });
    }

    fn invalid(&mut self, key: Option<RecordKey>, line: u64, problems: Vec<Problem>) {
        self.problems.insert(self.rows.len(), problems);
        self.rows.push(RosterRow {
            key,
            line,
            remote_id: None,
            outcome: Outcome::Invalid,
            hints: Vec::new(),
        });
    }

    /// A row that the reading is not for still holds its record and its value.
    fn bystander(&mut self, id: Option<&str>, matching: Option<&Matching>, row: &Row) {
        if let Some(id) = id {
            self.by_id.insert(hash(id.as_bytes()), Holder::Other);
        }
        if let Some(Ok(Some(value))) = matching.map(|matching| matching.of_row(row)) {
            self.wanted(&value).others += 1;
        }
    }

    /// Records of keys that the source does not have belong to them.
    fn reserve(&mut self, lane: &Lane, store: &Store) -> Result<(), StoreError> {
        store.each_record(&lane.name, |_, known| {
            let id = hash(known.remote_id.as_bytes());
            self.by_id.entry(id).or_insert(Holder::Other);
            Ok(())
        })
    }

    fn wanted(&mut self, value: &Value) -> &mut Wanted {
        let text = value.to_string();
        self.wanted.entry(hash(text.as_bytes())).or_default()
    }

    /// Who holds a remote id.
    pub(super) fn holder(&self, id: &str) -> Option<Holder> {
        self.by_id.get(&hash(id.as_bytes())).copied()
    }

    /// A value that at least one row holds.
    pub(super) fn sought(&mut self, value: &Value) -> Option<&mut Wanted> {
        self.wanted.get_mut(&hash(value.to_string().as_bytes()))
    }

    /// Whether any row has no record yet.
    pub(super) fn seeks(&self) -> bool {
        self.wanted
            .values()
            .any(|wanted| !wanted.seekers.is_empty())
    }

    /// All values of `match`, taken out.
    pub(super) fn take_wanted(&mut self) -> Vec<Wanted> {
        let mut all: Vec<Wanted> = std::mem::take(&mut self.wanted).into_values().collect();
        all.sort_by_key(|wanted| wanted.seekers.first().copied());
        all
    }

    /// Links a row to its record.
    pub(super) fn link(&mut self, place: usize, id: String) {
        self.by_id.insert(hash(id.as_bytes()), Holder::Row(place));
        self.rows[place].remote_id = Some(id);
    }

    /// The linked rows that wait to be read, by their places.
    pub(super) fn waiting(&self) -> impl Iterator<Item = usize> {
        let waits = |row: &RosterRow| row.outcome == Outcome::Planned && row.remote_id.is_some();
        let rows = self.rows.iter().enumerate();
        rows.filter(move |(_, row)| waits(row))
            .map(|(place, _)| place)
    }

    /// A row has no record.
    pub(super) fn miss(&mut self, place: usize, outcome: Outcome, problems: Vec<Problem>) {
        self.rows[place].outcome = outcome;
        if !problems.is_empty() {
            self.problems.insert(place, problems);
        }
    }

    /// The rows by what became of them so far.
    #[must_use]
    pub fn counts(&self) -> LaneCounts {
        let mut counts = LaneCounts::default();
        for row in &self.rows {
            counts.add(row.outcome);
        }
        counts
    }
}

/// What a row wants in keyed lists. A row that is invalid wants nothing.
fn hints(lane: &Lane, row: &Row) -> Vec<(FieldPath, Value)> {
    let is_keyed = |mapping: &Mapping| !matches!(mapping.field.place, FieldPlace::Member(_));
    if !lane.mappings.iter().any(is_keyed) {
        return Vec::new();
    }
    let Ok(desired) = lane.desired(row) else {
        return Vec::new();
    };
    let all = lane.mappings.iter().zip(desired);
    all.filter(|(mapping, _)| is_keyed(mapping))
        .filter_map(|(mapping, desired)| {
            Some((mapping.field.path.clone(), desired.value()?.clone()))
        })
        .collect()
}
