//! A row of the source and its identity.
//!
//! A row is one buffer that the reader fills again and again, so that a
//! million rows cost no allocation each. It must never interpret a cell: what
//! a cell means is decided by the mapping and the contract.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One record of the source: its cells, decoded to UTF-8, and where it began.
///
/// ```
/// use clientsync::core::Row;
/// let mut row = Row::default();
/// row.start(2);
/// row.push("17");
/// row.push("Ann");
/// assert_eq!((row.line(), row.cell(1), row.cell(2)), (2, Some("Ann"), None));
/// ```
#[derive(Clone, Default)]
pub struct Row {
    line: u64,
    text: String,
    ends: Vec<usize>,
}

impl Row {
    /// Empties the row and sets the physical line (1-based) its record begins on.
    pub fn start(&mut self, line: u64) {
        self.line = line;
        self.text.clear();
        self.ends.clear();
    }

    /// Appends a cell.
    pub fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    /// The physical line (1-based) on which the record begins.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The cell at a column index, or `None` beyond the last column.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<&str> {
        let end = *self.ends.get(column)?;
        let start = if column == 0 {
            0
        } else {
            self.ends[column - 1]
        };
        self.text.get(start..end)
    }

    /// The number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the row has no cell at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl fmt::Debug for Row {
    /// Prints the position only: cells are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("line", &self.line)
            .field("cells", &self.len())
            .finish_non_exhaustive()
    }
}

/// Where the line numbers of clients begin that the file does not have: each of
/// them has a number of its own, beyond any line of a file.
pub const NOT_IN_FILE: u64 = 1 << 40;

/// The physical line of a row; `None` for a client that the file does not have.
#[must_use]
pub fn line_in_file(line: u64) -> Option<u64> {
    (line < NOT_IN_FILE).then_some(line)
}

/// The source's own identity of a client, unique in the file.
///
/// A key of one column is that cell; a key of several columns is one CSV
/// record of them (`eu,17`), quoted only where CSV needs it, so that equal
/// keys have equal text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordKey(String);

impl RecordKey {
    /// Builds the key from its cells, in the order the configuration names them.
    ///
    /// ```
    /// use clientsync::core::RecordKey;
    /// assert_eq!(RecordKey::from_cells(["a,b"]).as_str(), "a,b");
    /// assert_eq!(RecordKey::from_cells(["eu", "1,7"]).as_str(), "eu,\"1,7\"");
    /// ```
    #[must_use]
    pub fn from_cells<'a>(cells: impl IntoIterator<Item = &'a str>) -> Self {
        let cells: Vec<&str> = cells.into_iter().collect();
        if let [only] = cells[..] {
            return Self(only.to_owned());
        }
        let mut text = String::new();
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if cell.is_empty() || cell.contains([',', '"', '\r', '\n']) {
                text.push('"');
                text.push_str(&cell.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(cell);
            }
        }
        Self(text)
    }

    /// The key's text, as reports and the command line spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composite_keys_do_not_collide_across_their_borders() {
        let one = RecordKey::from_cells(["a,b", "c"]);
        let other = RecordKey::from_cells(["a", "b,c"]);
        assert_ne!(one, other);
    }

    #[test]
    fn debug_of_a_row_shows_no_cell() {
        let mut row = Row::default();
        row.start(7);
        row.push("secret person");
        assert!(!format!("{row:?}").contains("secret"));
    }
}
