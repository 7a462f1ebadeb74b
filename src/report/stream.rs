//! A JSON object written member by member, so that an array of any length
//! needs no memory.
//!
//! Each member and each entry is encoded before a byte of it is written: what
//! stands in the file is always whole. JSON may be read on a terminal, so what is
//! dangerous there is spelled out. It knows nothing of reports.

use std::io::Write;

use serde::Serialize;

use super::escape;
use super::model::ReportError;

/// An object that is being written. [`ObjectWriter::finish`] closes it.
pub(super) struct ObjectWriter<'w> {
    out: &'w mut dyn Write,
    members: u64,
}

impl<'w> ObjectWriter<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Result<Self, ReportError> {
        out.write_all(b"{\n")?;
        Ok(Self { out, members: 0 })
    }

    /// Writes one member.
    pub(super) fn member(&mut self, name: &str, value: &impl Serialize) -> Result<(), ReportError> {
        let text = escape::json(serde_json::to_string(value)?);
        self.name(name)?;
        self.out.write_all(text.as_bytes())?;
        Ok(())
    }

    /// Writes the members of an object as members of this one.
    pub(super) fn members_of(&mut self, object: &impl Serialize) -> Result<(), ReportError> {
        if let serde_json::Value::Object(members) = serde_json::to_value(object)? {
            for (name, value) in &members {
                self.member(name, value)?;
            }
        }
        Ok(())
    }

    /// Opens an array, lets `fill` write its entries, and closes it, also when
    /// `fill` fails.
    pub(super) fn array(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut ArrayWriter<'_>) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        self.name(name)?;
        self.out.write_all(b"[")?;
        let mut array = ArrayWriter {
            out: &mut *self.out,
            entries: 0,
        };
        let filled = fill(&mut array);
        let end: &[u8] = if array.entries == 0 { b"]" } else { b"\n  ]" };
        self.out.write_all(end)?;
        filled
    }

    /// Closes the object.
    pub(super) fn finish(self) -> Result<(), ReportError> {
        self.out.write_all(b"\n}\n")?;
        self.out.flush()?;
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), ReportError> {
        if self.members > 0 {
            self.out.write_all(b",\n")?;
        }
        self.members += 1;
        let name = escape::json(serde_json::to_string(name)?);
        self.out.write_all(format!("  {name}: ").as_bytes())?;
        Ok(())
    }
}

/// An array that is being written.
pub(super) struct ArrayWriter<'w> {
    out: &'w mut dyn Write,
    entries: u64,
}

impl ArrayWriter<'_> {
    /// Writes one entry.
    pub(super) fn entry(&mut self, value: &impl Serialize) -> Result<(), ReportError> {
        let mut text = escape::json(serde_json::to_string(value)?);
        text.insert_str(
            0,
            if self.entries > 0 {
                ",\n    "
            } else {
                "\n    "
            },
        );
        self.entries += 1;
        self.out.write_all(text.as_bytes())?;
        Ok(())
    }
}
