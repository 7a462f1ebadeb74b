//! The source: a CSV file, read as it is meant or refused.
//!
//! Raw bytes are hashed and strictly decoded (`decode`), their structure is
//! judged by a scanner (`scan`), and the csv crate splits what the scanner let
//! through (`records`); the two must agree on every record. The first pass,
//! [`Source::survey`], covers the whole file, so a broken file is refused
//! before a single row of it is used; the second, [`Source::rows`], delivers.
//!
//! The source knows columns and keys. It must never interpret a mapped cell,
//! trim one, hold the file in memory, or put a value into a message.

mod decode;
mod encoding;
mod faults;
mod header;
mod input;
mod key;
mod magic;
mod pipe;
mod records;
mod rows;
mod scan;
mod survey;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use csv::StringRecord;
use thiserror::Error;

pub use encoding::{Encoding, UnknownEncoding};
pub use header::Header;
pub use input::Input;
pub use key::key_of;
pub use rows::Rows;
pub use survey::Survey;

use crate::core::{Problem, RecordKey};
use encoding::Reading;
use input::Opened;
use records::Records;

/// As much of a file as tells its format and encoding.
const HEAD: u64 = 4096;

/// How the source is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// The file, or standard input.
    pub input: Input,
    /// The key columns, in the order the key is built; at least one.
    pub key: Vec<String>,
    /// The byte between cells: ASCII, no quote, no line break.
    pub delimiter: u8,
    /// The declared encoding; a byte order mark overrules it.
    pub encoding: Encoding,
    /// Whether white space around keys is left out.
    pub trim: bool,
    /// The number of physical lines above the header.
    pub skip_lines: u64,
    /// Whether a file without a final line break is refused.
    pub require_final_newline: bool,
}

/// A source whose header has been read and found good.
#[derive(Debug)]
pub struct Source {
    settings: SourceSettings,
    input: Arc<Opened>,
    reading: Reading,
    header: Header,
    key_columns: Vec<usize>,
}

/// Why a source cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file is not what it must be; all problems of one pass.
    #[error("the source cannot be used: {}", summary(.0))]
    Broken(Vec<Problem>),
    /// The machine failed, not the file.
    #[error("cannot {action}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl SourceError {
    fn one(problem: Problem) -> Self {
        Self::Broken(vec![problem])
    }
}

fn summary(problems: &[Problem]) -> String {
    match problems {
        [only] => format!("{}: {}", only.code, only.message),
        _ => format!("{} problems", problems.len()),
    }
}

impl Source {
    /// Opens the input (standard input is spooled) and reads its header.
    pub fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        let input = match &settings.input {
            Input::File(path) => Opened::file(path)?,
            Input::Stdin => Opened::spool(io::stdin().lock())?,
        };
        Self::of(settings, input)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The indexes of the key columns, in the order of the settings.
    #[must_use]
    pub fn key_columns(&self) -> &[usize] {
        &self.key_columns
    }

    /// Reads the whole file once, finds everything that is wrong with its
    /// structure, and rows that share a key or an id of these columns.
    pub fn survey(&self, id_columns: &[usize]) -> Result<Survey, SourceError> {
        self.survey_for(id_columns, &BTreeSet::new())
    }

    /// The same, and which of these keys no row has.
    pub fn survey_for(
        &self,
        id_columns: &[usize],
        keys: &BTreeSet<RecordKey>,
    ) -> Result<Survey, SourceError> {
        Survey::take(self, id_columns, keys)
    }

    /// Begins the pass that delivers the rows of the surveyed file.
    pub fn rows(&self, survey: &Survey) -> Result<Rows, SourceError> {
        Rows::begin(self, survey.sha256)
    }

    fn of(settings: &SourceSettings, input: Opened) -> Result<Self, SourceError> {
        let delimiter = settings.delimiter;
        if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n' | 0) {
            let message = "the delimiter must be one ASCII character, and no quote or line break";
            return Err(SourceError::one(Problem::new("E_DELIMITER", message)));
        }
        let mut head = Vec::new();
        let read = input.reader()?.take(HEAD).read_to_end(&mut head);
        read.map_err(records::failed)?;
        if head.is_empty() {
            let message = "the file is empty (0 bytes)";
            return Err(SourceError::one(Problem::new("E_EMPTY_FILE", message)));
        }
        magic::refuse(&head)?;
        let reading = encoding::sniff(&head, settings.encoding)?;
        let mut records = Records::new(input.reader()?, &reading, delimiter, settings.skip_lines);
        let mut record = StringRecord::new();
        let line = records.next(&mut record)?;
        let faults = std::mem::take(records.faults()).into_header_problems();
        if !faults.is_empty() {
            return Err(SourceError::Broken(faults));
        }
        let line = line.ok_or_else(|| SourceError::one(no_header(settings.skip_lines)))?;
        let header =
            Header::read(&record, line, &settings.key, delimiter).map_err(SourceError::Broken)?;
        let key_columns = settings.key.iter().filter_map(|name| header.position(name));
        Ok(Self {
            settings: settings.clone(),
            key_columns: key_columns.collect(),
            input: Arc::new(input),
            reading,
            header,
        })
    }

    /// The records of a new pass, behind the header.
    fn records(&self) -> Result<Records, SourceError> {
        let SourceSettings {
            delimiter,
            skip_lines,
            ..
        } = self.settings;
        let raw = self.input.reader()?;
        let mut records = Records::new(raw, &self.reading, delimiter, skip_lines);
        let mut record = StringRecord::new();
        records.next(&mut record)?;
        if !record.iter().eq(self.header.names()) {
            return Err(input::changed());
        }
        Ok(records)
    }
}

fn no_header(skip_lines: u64) -> Problem {
    let message = match skip_lines {
        0 => "the file holds no header, only blank lines at most".to_owned(),
        _ => format!("the file holds no header below the {skip_lines} lines of `skip_lines`"),
    };
    Problem::new("E_NO_HEADER", message)
}
