//! The records of a source: split by the csv crate, vouched for by the scanner.
//!
//! Each record of the csv crate is paired with the scanner's mark of it. The
//! two must agree on every record; a file on which they do not is never read.

use std::io;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::SourceError;
use super::decode::{CHUNK, Decoded};
use super::encoding::Reading;
use super::faults::{Faults, Place};
use super::input::RawReader;
use super::pipe::Pipe;
use super::scan::{Kind, Scanner};
use crate::core::Problem;

/// The records of one pass, the header first.
#[derive(Debug)]
pub(super) struct Records {
    csv: csv::Reader<Pipe>,
}

impl Records {
    pub(super) fn new(raw: RawReader, reading: &Reading, delimiter: u8, skip_lines: u64) -> Self {
        let decoded = Decoded::new(raw, reading);
        let scanner = Scanner::new(delimiter, skip_lines);
        let pipe = Pipe::new(decoded, reading.encoding, scanner);
        let csv = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            // The scanner judges widths, so that all ragged rows are found.
            .flexible(true)
            .trim(Trim::None)
            .buffer_capacity(CHUNK)
            .from_reader(pipe);
        Self { csv }
    }

    /// Reads the next row and gives the line it begins on; `None` at the end,
    /// which comes early when the scanner gave up.
    pub(super) fn next(&mut self, record: &mut StringRecord) -> Result<Option<u64>, SourceError> {
        loop {
            if !self.csv.read_record(record).map_err(unreadable)? {
                if !self.pipe().scanner().marks.is_empty() {
                    self.disagree();
                }
                return Ok(None);
            }
            let mark = self.scanner_mut().marks.pop_front();
            let Some(mark) = mark.filter(|mark| mark.cells == record.len()) else {
                self.disagree();
                return Ok(None);
            };
            if mark.kind == Kind::Row {
                return Ok(Some(mark.line));
            }
        }
    }

    /// Adds a fault that only shows in the split cells.
    pub(super) fn fault(&mut self, problem: Problem, column: Option<usize>) {
        self.scanner_mut().faults.add(problem, column, Place::Rows);
    }

    /// The faults so far, which may be of lines ahead of the last record.
    pub(super) fn faults(&mut self) -> &mut Faults {
        &mut self.scanner_mut().faults
    }

    pub(super) fn pipe(&self) -> &Pipe {
        self.csv.get_ref()
    }

    /// Reads what is left of the file and gives the hash of all its bytes.
    pub(super) fn finish(self) -> Result<[u8; 32], SourceError> {
        self.csv.into_inner().finish().map_err(failed)
    }

    fn scanner_mut(&mut self) -> &mut Scanner {
        self.csv.get_mut().scanner_mut()
    }

    /// Refuses the file, unless it is refused already: behind a fault the
    /// scanner may have stopped in the middle of a record.
    fn disagree(&mut self) {
        if self.faults().is_empty() {
            let message = "two readers do not agree on the rows of this file; please report it";
            let line = self.pipe().scanner().line();
            let problem = Problem::new("E_READERS_DISAGREE", message).line(line);
            self.scanner_mut().faults.add(problem, None, Place::Header);
        }
    }
}

fn unreadable(error: csv::Error) -> SourceError {
    failed(match error.into_kind() {
        ErrorKind::Io(error) => error,
        // Nothing else can happen: the text is UTF-8 and widths are free.
        _ => io::Error::from(io::ErrorKind::InvalidData),
    })
}

pub(super) fn failed(source: io::Error) -> SourceError {
    SourceError::Io {
        action: "read the source",
        source,
    }
}
