//! A spool: records that are read now and needed later, outside of memory.
//!
//! It holds only the members that the lane maps, in a file that its owner gave
//! and that nobody else can open. It must never outlive the command.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::core::{Json, Mapping, ReadToken};
use crate::engine::ends::Stopped;
use crate::engine::lane::Lane;

/// Where a record lies in a [`Spool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    at: u64,
    length: u32,
}

/// Records in a file.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    end: u64,
}

impl Spool {
    /// A spool in an empty file.
    pub(super) fn new(file: File) -> Self {
        Self { file, end: 0 }
    }

    /// Keeps what the lane maps of a record.
    pub(super) fn keep(&mut self, lane: &Lane, record: &Json) -> io::Result<Place> {
        let text = mapped_part(&lane.mappings, record).to_text();
        let length = u32::try_from(text.len()).map_err(io::Error::other)?;
        let place = Place {
            at: self.end,
            length,
        };
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(text.as_bytes())?;
        self.end += u64::from(length);
        Ok(place)
    }

    /// Gives back what was kept.
    pub(super) fn get(&mut self, place: Place) -> io::Result<Json> {
        let mut text = vec![0; usize::try_from(place.length).map_err(io::Error::other)?];
        self.file.seek(SeekFrom::Start(place.at))?;
        self.file.read_exact(&mut text)?;
        Json::parse(&text).map_err(io::Error::other)
    }
}

/// Why a lane ends when its spool fails.
pub(super) fn stopped(error: &io::Error) -> Stopped {
    Stopped::Plan(format!("a temporary file failed: {error}"))
}

/// The members at the top of a record that mapped fields are read from.
fn mapped_part(mappings: &[Mapping], record: &Json) -> Json {
    let mut kept = Json::object();
    for mapping in mappings {
        let name = match &mapping.field.read_as {
            Some(read_as) => match read_as.0.first() {
                Some(ReadToken::Member(name)) => name,
                _ => continue,
            },
            None => match mapping.field.place.members().first() {
                Some(name) => name,
                None => continue,
            },
        };
        if let (None, Some(member)) = (kept.get(name), record.get(name)) {
            kept.set(name, member.clone());
        }
    }
    kept
}
