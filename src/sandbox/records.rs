//! The file that keeps accepted writes between runs.
//!
//! One JSON line per accepted write, the last one of an id stands. It is
//! compacted when it is opened, holds clear values (mode 0600), and is written
//! before a write is answered: what was accepted is never lost.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::SandboxError;
use crate::core::Json;

/// Kept records: lane, then id.
pub(super) type Kept = BTreeMap<String, BTreeMap<String, Json>>;

/// The file, open for appending.
#[derive(Debug)]
pub(super) struct RecordsFile {
    file: File,
    /// The length of all whole lines, in bytes.
    length: u64,
}

impl RecordsFile {
    /// Reads what is kept and compacts the file. A last line that was cut off
    /// by a kill was never answered, so it is dropped; any other broken line is
    /// an error.
    pub(super) fn open(path: &Path) -> Result<(Self, Kept), SandboxError> {
        let wrong = |why: String| SandboxError::Records {
            path: path.to_owned(),
            why,
        };
        let unusable = |error: io::Error| wrong(format!("cannot be used: {error}"));
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unusable(error)),
        };
        let mut kept = Kept::new();
        let whole = text
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        for (index, entry) in text[..whole].split(|&b| b == b'\n').enumerate() {
            if entry.is_empty() {
                continue;
            }
            let (lane, id, record) = parse(entry).ok_or_else(|| {
                wrong(format!(
                    "are damaged in line {}; start over with `--fresh`",
                    index + 1
                ))
            })?;
            kept.entry(lane).or_default().insert(id, record);
        }
        let mut compact = String::new();
        for (lane, records) in &kept {
            for (id, record) in records {
                compact.push_str(&line(lane, id, record));
            }
        }
        let beside = beside(path);
        write_private(&beside, compact.as_bytes()).map_err(unusable)?;
        fs::rename(&beside, path).map_err(unusable)?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(unusable)?;
        let length = u64::try_from(compact.len()).unwrap_or(u64::MAX);
        Ok((Self { file, length }, kept))
    }

    /// Appends a record. After a failure the file ends with a whole line again.
    pub(super) fn append(&mut self, lane: &str, id: &str, record: &Json) -> io::Result<()> {
        let text = line(lane, id, record);
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.flush());
        match written {
            Ok(()) => {
                self.length += u64::try_from(text.len()).unwrap_or_default();
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.length)?;
                Err(error)
            }
        }
    }
}

fn line(lane: &str, id: &str, record: &Json) -> String {
    let text = |text: &str| Json::from_value(&Value::from(text));
    let mut entry = Json::Object(vec![
        ("lane".to_owned(), text(lane)),
        ("id".to_owned(), text(id)),
        ("record".to_owned(), record.clone()),
    ])
    .to_text();
    entry.push('\n');
    entry
}

fn parse(entry: &[u8]) -> Option<(String, String, Json)> {
    let mut json = Json::parse(entry).ok()?;
    let text = |json: &Json, name: &str| json.get(name)?.to_value().as_str().map(str::to_owned);
    let (lane, id) = (text(&json, "lane")?, text(&json, "id")?);
    Some((lane, id, json.remove("record")?))
}

/// The name under which the compacted file is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    // One that was left by a kill may have another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}
