//! `--only KEY`: keys as the command line spells them, and what is said of one
//! that no row has. It never prints a key raw.

use std::collections::BTreeSet;

use super::exit::ExitCode;
use super::failure::Failure;
use crate::core::RecordKey;
use crate::report::escape;

/// The keys that were typed, for a source with so many key columns.
pub(super) fn keys(typed: &[String], columns: usize) -> Result<BTreeSet<RecordKey>, Failure> {
    typed.iter().map(|text| key(text, columns)).collect()
}

/// A key that was mistyped must not look like one that has nothing to do.
pub(super) fn check(missing: &BTreeSet<RecordKey>) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = missing
        .iter()
        .map(|key| {
            let key = escape(key.as_str());
            format!("--only {key}: no row of the source has this key")
        })
        .collect();
    Err(Failure::say(ExitCode::Usage, lines.join("\n")))
}

/// A key as the command line spells it: of several columns it is one CSV record.
fn key(text: &str, columns: usize) -> Result<RecordKey, Failure> {
    if columns == 1 {
        return Ok(RecordKey::from_cells([text]));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    match reader.records().next() {
        Some(Ok(record)) if record.len() == columns => Ok(RecordKey::from_cells(record.iter())),
        _ => Err(Failure::say(
            ExitCode::Usage,
            format!(
                "--only: a key of this source is one CSV record of {columns} cells, for example `a,b`"
            ),
        )),
    }
}
