//! `[source]`: which file, and how it is read.
//!
//! It must never open the file.

use std::path::{Path, PathBuf};

use crate::source::Encoding;

use super::reader::{Section, Value};
use crate::core::Blank;

/// The `[source]` table, with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTable {
    /// The file, or standard input.
    pub path: SourcePath,
    /// The key columns, at least one, in their order.
    pub key: Vec<String>,
    /// The byte between cells: ASCII, no quote, no line break.
    pub delimiter: u8,
    /// The label of the encoding, known to the WHATWG Encoding Standard.
    pub encoding: String,
    /// What an empty cell says, where a field says nothing else. It is part of
    /// every mapping already.
    pub blank: Blank,
    /// Whether white space around cells and keys is removed. It is part of
    /// every mapping already.
    pub trim: bool,
    /// Cells that mean blank. They are part of every mapping already.
    pub null_tokens: Vec<String>,
    /// The number of physical lines above the header.
    pub skip_lines: u64,
    /// Whether a file without a final line break is refused.
    pub require_final_newline: bool,
    /// What columns that nothing maps are answered with.
    pub unused_columns: UnusedColumns,
    /// Where `blank` stands in the file, for a problem that the mappings show.
    pub(super) blank_at: usize,
}

/// Where the rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcePath {
    /// A file.
    File(PathBuf),
    /// Standard input (`-`).
    Stdin,
}

/// What columns that nothing maps are answered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnusedColumns {
    /// One warning that names them.
    #[default]
    Warn,
    /// Nothing.
    Ignore,
    /// An error.
    Error,
}

pub(super) const BLANKS: [(&str, Blank); 3] = [
    ("keep", Blank::Keep),
    ("clear", Blank::Clear),
    ("reject", Blank::Reject),
];

/// Reads the table. What could not be read has its default, and a problem.
pub(super) fn read(mut section: Section<'_>, directory: &Path) -> SourceTable {
    if !section.has("path") {
        section.missing("path", "name the CSV file, or \"-\" for standard input");
    }
    let path = match section.text("path").as_deref() {
        Some("-") | None => SourcePath::Stdin,
        Some(path) => SourcePath::File(directory.join(path)),
    };
    if !section.has("key") {
        section.missing(
            "key",
            "name the column (or a list of columns) that identifies a client",
        );
    }
    let blank = section.take("blank");
    let table = SourceTable {
        path,
        key: section.take("key").map(key).unwrap_or_default(),
        delimiter: section
            .take("delimiter")
            .and_then(|value| delimiter(&value))
            .unwrap_or(b','),
        encoding: section
            .take("encoding")
            .and_then(|value| encoding(&value))
            .unwrap_or_else(|| "utf-8".to_owned()),
        blank: blank
            .as_ref()
            .and_then(|value| value.choice(&BLANKS))
            .unwrap_or_default(),
        trim: section.flag("trim").unwrap_or(true),
        null_tokens: section.texts("null_tokens").unwrap_or_default(),
        skip_lines: section.whole("skip_lines", 0..=1_000_000).unwrap_or(0),
        require_final_newline: section.flag("require_final_newline").unwrap_or(false),
        unused_columns: section
            .choice(
                "unused_columns",
                &[
                    ("warn", UnusedColumns::Warn),
                    ("ignore", UnusedColumns::Ignore),
                    ("error", UnusedColumns::Error),
                ],
            )
            .unwrap_or_default(),
        blank_at: blank.map_or(0, |value| value.key_at),
    };
    section.finish();
    table
}

fn key(value: Value<'_>) -> Vec<String> {
    if value.inner().is_array() {
        value.names().unwrap_or_default()
    } else {
        value.text().into_iter().collect()
    }
}

fn delimiter(value: &Value<'_>) -> Option<u8> {
    let text = value.any_text()?;
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n' | 0) => Some(*byte),
        _ => {
            value.refuse(
                "must be one ASCII character, and no quote or line break, for example \";\" or \"\\t\"",
            );
            None
        }
    }
}

fn encoding(value: &Value<'_>) -> Option<String> {
    let label = value.text()?;
    if Encoding::parse(&label).is_err() {
        value.refuse(
            "is not a known encoding; use utf-8, utf-16le, utf-16be, windows-1252 or another WHATWG label",
        );
        return None;
    }
    Some(label)
}
