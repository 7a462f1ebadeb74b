//! Lines of CSV in which no cell is a formula.
//!
//! It knows nothing of reports. A spreadsheet runs what begins like a formula,
//! so such a cell gets a leading apostrophe and its line says so.

use std::borrow::Cow;
use std::io::{self, Write};

use ::csv::{QuoteStyle, Writer, WriterBuilder};

use crate::report::escape::escape;
use crate::report::model::ReportError;

/// The column that says whether a cell of its line was escaped.
const ESCAPED: &str = "_escaped";

/// Whether the cells are for a program or for a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cells {
    /// Byte for byte what the values are.
    #[default]
    Exact,
    /// What could harm a terminal is spelled out.
    Spelled,
}

/// A CSV file that is being written. [`Sheet::finish`] ends it.
pub(super) struct Sheet<'w> {
    writer: Writer<&'w mut dyn Write>,
    cells: Cells,
}

impl<'w> Sheet<'w> {
    /// Writes the head: these columns and `_escaped`.
    pub(super) fn begin(
        out: &'w mut dyn Write,
        cells: Cells,
        columns: &[&str],
    ) -> Result<Self, ReportError> {
        let mut writer = WriterBuilder::new()
            .quote_style(QuoteStyle::Always)
            .from_writer(out);
        writer
            .write_record(columns.iter().chain([&ESCAPED]))
            .map_err(refused)?;
        Ok(Self { writer, cells })
    }

    /// Writes one line.
    pub(super) fn line<const N: usize>(
        &mut self,
        cells: [Cow<'_, str>; N],
    ) -> Result<(), ReportError> {
        let mut escaped = false;
        for cell in cells {
            let cell = match self.cells {
                Cells::Exact => cell,
                Cells::Spelled => Cow::Owned(escape(&cell).into_owned()),
            };
            if is_formula(&cell) {
                escaped = true;
                self.writer.write_field(format!("'{cell}"))
            } else {
                self.writer.write_field(&*cell)
            }
            .map_err(refused)?;
        }
        let escaped = if escaped { "1" } else { "0" };
        self.writer.write_field(escaped).map_err(refused)?;
        self.writer.write_record(None::<&[u8]>).map_err(refused)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), ReportError> {
        Ok(self.writer.flush()?)
    }
}

/// Whether a spreadsheet could take the cell for a formula. The apostrophe is
/// among them so that the escape can be undone.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\'', '\t', '\r', '\n'])
}

/// The writer's own error, so that a closed pipe is known as one.
fn refused(error: csv::Error) -> ReportError {
    ReportError::Write(match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
}
