//! Rows that share a key or a remote id, by their texts.
//!
//! The file is read again when some hash came twice. Only rows under suspicion
//! are remembered, so the memory must never grow with the sound rows.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::{Survey, hash_of_id, hash_of_key};
use crate::core::{RecordKey, Row};
use crate::source::{Source, SourceError, key_of};

/// The hashes that came more than once, sorted.
pub(super) struct Suspects {
    pub(super) keys: Vec<u128>,
    /// By remote id column, in the order they were asked for.
    pub(super) ids: Vec<Vec<u128>>,
}

impl Suspects {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ids.iter().all(Vec::is_empty)
    }
}

/// Rows that share a key or a remote id.
#[derive(Default)]
pub(super) struct Twins {
    conflicts: HashMap<RecordKey, Vec<u64>>,
    /// Lines, sorted.
    repeats: Vec<u64>,
    ids: HashMap<usize, HashMap<String, Vec<u64>>>,
}

/// The SHA-256 of a row's cells.
type Content = [u8; 32];

/// The rows with each remote id: their lines and keys.
type RowsById = HashMap<String, Vec<(u64, Option<RecordKey>)>>;

/// Everything of the suspected rows that the verdict needs.
struct Gathered {
    keys: HashMap<RecordKey, Vec<(u64, Content)>>,
    ids: Vec<RowsById>,
}

impl Twins {
    pub(super) fn key_lines(&self, key: &RecordKey) -> Option<&[u64]> {
        self.conflicts.get(key).map(Vec::as_slice)
    }

    pub(super) fn repeats(&self) -> &[u64] {
        &self.repeats
    }

    pub(super) fn id_lines(&self, column: usize, id: &str) -> Option<&[u64]> {
        self.ids.get(&column)?.get(id).map(Vec::as_slice)
    }

    pub(super) fn find(
        source: &Source,
        survey: &Survey,
        id_columns: &[usize],
        suspects: &Suspects,
    ) -> Result<Self, SourceError> {
        let gathered = Gathered::read(source, survey, id_columns, suspects)?;
        let mut twins = Self::default();
        for (key, rows) in gathered.keys {
            if rows.iter().all(|(_, content)| *content == rows[0].1) {
                twins.repeats.extend(rows[1..].iter().map(|(line, _)| line));
            } else {
                let lines = rows.into_iter().map(|(line, _)| line).collect();
                twins.conflicts.insert(key, lines);
            }
        }
        twins.repeats.sort_unstable();
        for (column, ids) in id_columns.iter().zip(gathered.ids) {
            let shared = ids.into_iter().filter_map(|(id, rows)| {
                let different = rows.iter().any(|(_, key)| *key != rows[0].1);
                let lines = rows.iter().map(|(line, _)| *line);
                let lines = lines.filter(|line| twins.repeats.binary_search(line).is_err());
                different.then(|| (id, lines.collect()))
            });
            let shared: HashMap<String, Vec<u64>> = shared.collect();
            twins.ids.insert(*column, shared);
        }
        Ok(twins)
    }
}

impl Gathered {
    fn read(
        source: &Source,
        survey: &Survey,
        id_columns: &[usize],
        suspects: &Suspects,
    ) -> Result<Self, SourceError> {
        let mut gathered = Self {
            keys: HashMap::new(),
            ids: id_columns.iter().map(|_| HashMap::new()).collect(),
        };
        let mut rows = source.rows(survey)?;
        let mut row = Row::default();
        while rows.read(&mut row)? {
            let key = key_of(&row, &source.key_columns, source.settings.trim).ok();
            let columns = id_columns.iter().zip(&suspects.ids);
            for ((column, hashes), found) in columns.zip(&mut gathered.ids) {
                let id = row.cell(*column).filter(|id| !id.is_empty());
                if let Some(id) = id.filter(|id| is_among(hashes, hash_of_id(id))) {
                    let places = found.entry(id.to_owned()).or_default();
                    places.push((row.line(), key.clone()));
                }
            }
            if let Some(key) = key.filter(|key| is_among(&suspects.keys, hash_of_key(key))) {
                let places = gathered.keys.entry(key).or_default();
                places.push((row.line(), content(&row)));
            }
        }
        rows.finish()?;
        Ok(gathered)
    }
}

fn is_among(hashes: &[u128], hash: u128) -> bool {
    hashes.binary_search(&hash).is_ok()
}

/// Stands for all cells of a row; a hash that cannot be collided on purpose.
fn content(row: &Row) -> Content {
    let mut hash = Sha256::new();
    let cells = (0..row.len()).filter_map(|column| row.cell(column));
    for cell in cells {
        hash.update((cell.len() as u64).to_le_bytes());
        hash.update(cell);
    }
    hash.finalize().into()
}
