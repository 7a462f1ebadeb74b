//! The first pass: is the whole file sound, and which rows stand in each
//! other's way.
//!
//! A file that is not sound must never give a survey. Keys and remote ids are
//! kept as 128-bit hashes, which only say whether a closer look is needed
//! (`twins`); a row must never be called a duplicate because of a hash.

use std::collections::BTreeSet;
use std::fmt;

use csv::StringRecord;
use xxhash_rust::xxh3::xxh3_128;

use super::records::Records;
use super::{Source, SourceError, key_of};
use crate::core::{Problem, RecordKey, Row};

mod twins;

use twins::{Suspects, Twins};

/// The most data rows.
const MAX_ROWS: u64 = 10_000_000;

/// What the first pass found out about a sound file.
pub struct Survey {
    /// The number of data rows, repetitions included.
    pub rows: u64,
    /// The SHA-256 of the file's bytes.
    pub sha256: [u8; 32],
    /// What is odd about the file but does not keep it from being used.
    pub warnings: Vec<Problem>,
    /// The keys that were looked for and that no row has.
    pub missing: BTreeSet<RecordKey>,
    twins: Twins,
}

impl Survey {
    /// The lines of all rows with this key, when they do not all say the same:
    /// none of them can be used (`E_DUPLICATE_KEY`).
    #[must_use]
    pub fn key_lines(&self, key: &RecordKey) -> Option<&[u64]> {
        self.twins.key_lines(key)
    }

    /// Whether the row on this line repeats an earlier row cell by cell, so
    /// that it can be dropped (`W_DUPLICATE_ROW` counts them).
    #[must_use]
    pub fn is_repeat(&self, line: u64) -> bool {
        self.twins.repeats().binary_search(&line).is_ok()
    }

    /// The lines of all rows with this remote id, when they have different
    /// keys; the column is one of those the survey was asked for.
    #[must_use]
    pub fn id_lines(&self, id_column: usize, id: &str) -> Option<&[u64]> {
        self.twins.id_lines(id_column, id)
    }

    pub(super) fn take(
        source: &Source,
        id_columns: &[usize],
        looked_for: &BTreeSet<RecordKey>,
    ) -> Result<Self, SourceError> {
        let mut records = source.records()?;
        let mut seen = Seen {
            hashes: Hashes::new(id_columns),
            missing: looked_for.clone(),
        };
        let rows = read_through(source, &mut records, &mut seen)?;
        let warnings = conclude(source, &mut records)?;
        let sha256 = records.finish()?;
        source.input.check_unchanged()?;
        let mut survey = Self {
            rows,
            sha256,
            warnings,
            missing: seen.missing,
            twins: Twins::default(),
        };
        let suspects = seen.hashes.suspects();
        if !suspects.is_empty() {
            survey.twins = Twins::find(source, &survey, id_columns, &suspects)?;
        }
        let repeats = survey.twins.repeats();
        if let Some(first) = repeats.first() {
            let message = format!(
                "{} rows repeat an earlier row and are left out; this is the first",
                repeats.len()
            );
            let warning = Problem::new("W_DUPLICATE_ROW", message).line(*first);
            survey.warnings.push(warning);
        }
        Ok(survey)
    }
}

impl fmt::Debug for Survey {
    /// Leaves out keys and ids: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Survey")
            .field("rows", &self.rows)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// What is kept of the rows that were gone through.
struct Seen {
    hashes: Hashes,
    /// The keys looked for that did not come yet.
    missing: BTreeSet<RecordKey>,
}

impl Seen {
    fn add(&mut self, record: &StringRecord, key: Option<&RecordKey>) {
        self.hashes.add(record, key);
        if let Some(key) = key.filter(|_| !self.missing.is_empty()) {
            self.missing.remove(key);
        }
    }
}

/// The hashes of all keys, and of the remote ids of each asked column.
struct Hashes {
    keys: Vec<u128>,
    ids: Vec<(usize, Vec<u128>)>,
}

impl Hashes {
    fn new(id_columns: &[usize]) -> Self {
        Self {
            keys: Vec::new(),
            ids: id_columns
                .iter()
                .map(|column| (*column, Vec::new()))
                .collect(),
        }
    }

    fn add(&mut self, record: &StringRecord, key: Option<&RecordKey>) {
        self.keys.extend(key.map(hash_of_key));
        for (column, hashes) in &mut self.ids {
            let id = record.get(*column).filter(|id| !id.is_empty());
            hashes.extend(id.map(hash_of_id));
        }
    }

    fn suspects(self) -> Suspects {
        Suspects {
            keys: repeated(self.keys),
            ids: self.ids.into_iter().map(|(_, ids)| repeated(ids)).collect(),
        }
    }
}

fn hash_of_key(key: &RecordKey) -> u128 {
    xxh3_128(key.as_str().as_bytes())
}

fn hash_of_id(id: &str) -> u128 {
    xxh3_128(id.as_bytes())
}

/// The hashes that come more than once, sorted.
fn repeated(mut hashes: Vec<u128>) -> Vec<u128> {
    hashes.sort_unstable();
    let runs = hashes.chunk_by(|a, b| a == b);
    runs.filter(|run| run.len() > 1).map(|run| run[0]).collect()
}

/// Reads all rows, adding the faults that only the cells show.
fn read_through(
    source: &Source,
    records: &mut Records,
    seen: &mut Seen,
) -> Result<u64, SourceError> {
    let header = &source.header;
    let mut nameless = header.nameless();
    let mut keys = KeyReader::new(source);
    let mut record = StringRecord::new();
    let mut rows = 0;
    while let Some(line) = records.next(&mut record)? {
        rows += 1;
        if rows > MAX_ROWS {
            let message = "the file has more than 10 million rows; split it";
            records.fault(Problem::new("E_TOO_LARGE", message).line(line), None);
            break;
        }
        if header.is_repeated(&record) {
            let message = "the header stands here again: were several files put together?";
            records.fault(Problem::new("E_REPEATED_HEADER", message).line(line), None);
        }
        nameless.retain(|column| {
            let empty = record
                .get(*column)
                .is_none_or(|cell| cell.trim().is_empty());
            if !empty {
                let message = format!("column {} has values but no name in the header", column + 1);
                records.fault(Problem::new("E_EMPTY_HEADER", message).line(line), None);
            }
            empty
        });
        // Behind a fault nothing but more faults is of interest.
        if records.faults().is_empty() {
            seen.add(&record, keys.key(&record).as_ref());
        }
    }
    Ok(rows)
}

/// The warnings of a sound file, or all faults of a broken one.
fn conclude(source: &Source, records: &mut Records) -> Result<Vec<Problem>, SourceError> {
    let scanner = records.pipe().scanner();
    let mut warnings: Vec<Problem> = source.reading.warning.iter().cloned().collect();
    let nameless = source.header.nameless();
    if let Some(first) = nameless.first() {
        let message = format!(
            "{} columns have no name and no values, column {} first; they are left out",
            nameless.len(),
            first + 1
        );
        warnings.push(Problem::new("W_EMPTY_HEADER", message));
    }
    warnings.extend(records.pipe().warnings());
    if !scanner.has_final_newline() {
        let line = scanner.line();
        let message =
            "the last line does not end with a line break; a file that was cut off ends so";
        if source.settings.require_final_newline {
            records.fault(Problem::new("E_NO_FINAL_NEWLINE", message).line(line), None);
        } else {
            warnings.push(Problem::new("W_NO_FINAL_NEWLINE", message).line(line));
        }
    }
    let faults = std::mem::take(records.faults());
    if faults.is_empty() {
        return Ok(warnings);
    }
    Err(SourceError::Broken(
        faults.into_problems(source.header.names()),
    ))
}

/// Takes the key out of a record without copying its other cells.
struct KeyReader<'a> {
    source: &'a Source,
    parts: Row,
    columns: Vec<usize>,
}

impl<'a> KeyReader<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            parts: Row::default(),
            columns: (0..source.key_columns.len()).collect(),
        }
    }

    fn key(&mut self, record: &StringRecord) -> Option<RecordKey> {
        self.parts.start(0);
        for column in &self.source.key_columns {
            self.parts.push(record.get(*column).unwrap_or_default());
        }
        key_of(&self.parts, &self.columns, self.source.settings.trim).ok()
    }
}
