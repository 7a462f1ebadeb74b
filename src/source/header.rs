//! The header: the names of the columns, and what is wrong with them.
//!
//! Names are exact: nothing is trimmed or folded to make a name fit. When the
//! key columns are not found the first line may be data, so it must never be
//! quoted then.

use std::collections::HashMap;

use csv::StringRecord;

use crate::core::Problem;

/// Delimiters that a file may have in place of the configured one.
const DELIMITERS: [char; 5] = [',', ';', '\t', '|', '^'];

/// The column names of a source, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    names: Vec<String>,
}

impl Header {
    /// The column names, in file order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The index of the column with exactly this name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The header in this record, or everything that is wrong with it.
    pub(super) fn read(
        record: &StringRecord,
        line: u64,
        key: &[String],
        delimiter: u8,
    ) -> Result<Self, Vec<Problem>> {
        let header = Self {
            names: record.iter().map(str::to_owned).collect(),
        };
        let mut problems = header.missing(key, delimiter);
        problems.extend(header.duplicates(problems.is_empty()));
        if problems.is_empty() {
            return Ok(header);
        }
        Err(problems.into_iter().map(|p| p.line(line)).collect())
    }

    /// Whether the record repeats the header, as concatenated files do.
    pub(super) fn is_repeated(&self, record: &StringRecord) -> bool {
        let mut names = self.names.iter().map(String::as_str);
        let mut cells = record.iter();
        // The second of two concatenated files brings its byte order mark.
        let first = cells
            .next()
            .map(|c| c.strip_prefix('\u{FEFF}').unwrap_or(c));
        record.len() == self.names.len() && first == names.next() && cells.eq(names)
    }

    /// The columns without a name.
    pub(super) fn nameless(&self) -> Vec<usize> {
        let columns = 0..self.names.len();
        columns
            .filter(|i| self.names[*i].trim().is_empty())
            .collect()
    }

    fn missing(&self, key: &[String], delimiter: u8) -> Vec<Problem> {
        let missing: Vec<&String> = key
            .iter()
            .filter(|name| self.position(name).is_none())
            .collect();
        if missing.is_empty() {
            return Vec::new();
        }
        if let Some(problem) = self.other_delimiter(delimiter) {
            return vec![problem];
        }
        let absent = |name: &&String| {
            let message = format!(
                "the key column is not among the {} columns of the header; if the first line is data, add a header, and if lines stand above the header, set `skip_lines`",
                self.names.len()
            );
            Problem::new("E_MISSING_COLUMN", message).column(name.as_str())
        };
        missing.iter().map(absent).collect()
    }

    fn other_delimiter(&self, delimiter: u8) -> Option<Problem> {
        let [only] = &self.names[..] else { return None };
        let candidates = DELIMITERS
            .into_iter()
            .filter(|candidate| *candidate != char::from(delimiter))
            .map(|candidate| (only.matches(candidate).count() + 1, candidate));
        let (columns, candidate) = candidates.rev().max_by_key(|(columns, _)| *columns)?;
        (columns > 1).then(|| {
            let message = format!(
                "the header has 1 column with the delimiter {:?}; {candidate:?} would give {columns}",
                char::from(delimiter)
            );
            Problem::new("E_DELIMITER", message)
        })
    }

    /// Names that stand twice, also when only case and outer spaces differ.
    fn duplicates(&self, is_a_header: bool) -> Vec<Problem> {
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut problems = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let folded = name.trim().to_lowercase();
            if folded.is_empty() {
                continue;
            }
            let earlier = *first.entry(folded).or_insert(index);
            if earlier != index {
                let message = format!(
                    "columns {} and {} have the same name, apart from case and outer spaces at most",
                    earlier + 1,
                    index + 1
                );
                let problem = Problem::new("E_DUPLICATE_HEADER", message);
                problems.push(if is_a_header {
                    problem.column(name)
                } else {
                    problem
                });
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cells: &[&str], key: &[&str]) -> Result<Header, Vec<Problem>> {
        let key: Vec<String> = key.iter().map(|k| (*k).to_owned()).collect();
        Header::read(&StringRecord::from(cells.to_vec()), 1, &key, b',')
    }

    #[test]
    fn names_are_found_exactly() {
        let header = read(&["id", "Email ", "naïve"], &["id"]).unwrap();
        assert_eq!(header.position("naïve"), Some(2));
        assert_eq!(header.position("Email"), None);
    }

    #[test]
    fn all_problems_are_reported_and_data_is_not_quoted() {
        let problems = read(&["Ann", "ann ", "x"], &["id", "region"]).unwrap_err();
        let codes: Vec<&str> = problems.iter().map(|p| p.code.as_ref()).collect();
        assert_eq!(
            codes,
            ["E_MISSING_COLUMN", "E_MISSING_COLUMN", "E_DUPLICATE_HEADER"]
        );
        assert!(!format!("{problems:?}").to_lowercase().contains("ann"));
        let named = read(&["id", "A", " a"], &["id"]).unwrap_err();
        assert_eq!(named[0].column.as_deref(), Some(" a"));
    }

    #[test]
    fn another_delimiter_is_counted() {
        let problems = read(&["id;name;city, country"], &["id"]).unwrap_err();
        assert_eq!(problems[0].code, "E_DELIMITER");
        assert!(problems[0].message.ends_with("';' would give 3"));
        assert!(read(&["a;b"], &["a;b"]).is_ok());
    }

    #[test]
    fn a_repeated_header_may_carry_a_mark() {
        let header = read(&["id", "x"], &["id"]).unwrap();
        for (cells, repeated) in [
            (vec!["id", "x"], true),
            (vec!["\u{FEFF}id", "x"], true),
            (vec!["id", "y"], false),
            (vec!["id"], false),
        ] {
            assert_eq!(header.is_repeated(&StringRecord::from(cells)), repeated);
        }
    }
}
