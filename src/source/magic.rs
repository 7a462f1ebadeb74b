//! Files that are not CSV at all, known by how they begin.
//!
//! It must never refuse text that could be a header: a shape is listed only
//! when no table begins with it.

use super::SourceError;
use crate::core::Problem;

const MAGIC: [(&[u8], &str); 10] = [
    (b"\x1F\x8B", "a gzip file"),
    (b"PK\x03\x04", "a ZIP file, perhaps an Excel workbook"),
    (b"PK\x05\x06", "an empty ZIP file"),
    (b"%PDF", "a PDF"),
    (
        b"\xD0\xCF\x11\xE0",
        "an old Office file, perhaps an Excel workbook",
    ),
    (b"\x28\xB5\x2F\xFD", "a zstd file"),
    (b"\xFD7zXZ\0", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
];

const MARKUP: [&str; 5] = ["<!doctype", "<html", "<?xml", "<head", "<!--"];

/// Refuses a file that begins as another format does.
pub(super) fn refuse(head: &[u8]) -> Result<(), SourceError> {
    match seen(head) {
        Some(what) => {
            let message = format!("the file is {what}, not CSV; export it as CSV");
            Err(SourceError::one(Problem::new("E_NOT_CSV", message)))
        }
        None => Ok(()),
    }
}

fn seen(head: &[u8]) -> Option<&'static str> {
    let binary = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
    if let Some((_, what)) = binary {
        return Some(what);
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let text = text.trim_ascii_start();
    let markup = MARKUP.iter().any(|tag| {
        text.get(..tag.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
    });
    if markup {
        return Some("HTML or XML, perhaps an error page");
    }
    // A header may begin with a bracket, but not with one that opens JSON.
    let (first, rest) = text.split_first()?;
    let second = rest.trim_ascii_start().first()?;
    (matches!(first, b'{' | b'[') && matches!(second, b'"' | b'{' | b'[' | b'}' | b']'))
        .then_some("JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_are_named() {
        let cases: [(&[u8], &str); 8] = [
            (b"\x1F\x8B\x08", "gzip"),
            (b"PK\x03\x04\x14", "ZIP"),
            (b"%PDF-1.7", "PDF"),
            (b"\xEF\xBB\xBF\n <!DOCTYPE html>", "HTML"),
            (b"<HTML>", "HTML"),
            (b"[\n  {\"id\": 1}]", "JSON"),
            (b"{ \"error\": 1 }", "JSON"),
            (b"\xD0\xCF\x11\xE0", "Excel"),
        ];
        for (head, name) in cases {
            let refusal = refuse(head).unwrap_err().to_string();
            assert!(refusal.contains("E_NOT_CSV"));
            assert!(refusal.contains(name), "{name}");
        }
    }

    #[test]
    fn tables_with_odd_headers_pass() {
        for head in [
            b"".as_slice(),
            b"[id],name",
            b"{id},x",
            b"<id>,x",
            b"P,K",
            b"{",
        ] {
            assert!(refuse(head).is_ok());
        }
    }
}
