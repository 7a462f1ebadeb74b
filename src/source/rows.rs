//! The second pass: the rows of a surveyed file, one after the other.
//!
//! Only [`Rows::finish`] knows that the rows were those of the survey, so
//! nothing read from here must ever be sent before it has answered.

use std::sync::Arc;

use csv::StringRecord;

use super::input::Opened;
use super::records::Records;
use super::{Source, SourceError, input};
use crate::core::Row;

/// Delivers the data rows of a source, repetitions included.
#[derive(Debug)]
pub struct Rows {
    input: Arc<Opened>,
    sha256: [u8; 32],
    records: Records,
    record: Cells,
}

#[derive(Default)]
struct Cells(StringRecord);

impl Rows {
    pub(super) fn begin(source: &Source, sha256: [u8; 32]) -> Result<Self, SourceError> {
        Ok(Self {
            input: Arc::clone(&source.input),
            sha256,
            records: source.records()?,
            record: Cells::default(),
        })
    }

    /// Reads the next row; `false` at the end.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, SourceError> {
        let line = self.records.next(&mut self.record.0)?;
        // The survey found no fault, so a fault is a change.
        if !self.records.faults().is_empty() {
            return Err(input::changed());
        }
        let Some(line) = line else { return Ok(false) };
        row.start(line);
        self.record.0.iter().for_each(|cell| row.push(cell));
        Ok(true)
    }

    /// Checks that the file is still the surveyed one (`E_INPUT_CHANGED`);
    /// rows that were not read are read over.
    pub fn finish(self) -> Result<(), SourceError> {
        if self.records.finish()? != self.sha256 {
            return Err(input::changed());
        }
        self.input.check_unchanged()
    }
}

impl std::fmt::Debug for Cells {
    /// Prints the width only: cells are personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cells", self.0.len())
    }
}
