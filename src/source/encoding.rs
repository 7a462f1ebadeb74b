//! Encodings: the declared one, and what the first bytes of a file say.
//!
//! A byte order mark decides; without one the declared encoding stands. It
//! must never guess an encoding from the text itself: the shapes it does
//! recognise are refused with the setting to use.

use thiserror::Error;

use super::SourceError;
use crate::core::Problem;

/// A character encoding, as the WHATWG Encoding Standard defines it.
///
/// The standard reads `latin1` and `iso-8859-1` as windows-1252, as browsers
/// and spreadsheets do.
///
/// ```
/// use clientsync::source::Encoding;
/// assert_eq!(Encoding::parse("latin1").unwrap().name(), "windows-1252");
/// assert!(Encoding::parse("utf-9").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// The label names no encoding that can be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a known encoding; use `utf-8`, `utf-16le`, `utf-16be`, `windows-1252` or another WHATWG label"
)]
pub struct UnknownEncoding(String);

impl Encoding {
    /// UTF-8, the default.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);

    /// The encoding with this label, in any case.
    pub fn parse(label: &str) -> Result<Self, UnknownEncoding> {
        // `for_label_no_replacement` leaves out the labels that the standard
        // maps to "refuse everything".
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())
            .map(Self)
            .ok_or_else(|| UnknownEncoding(label.to_owned()))
    }

    /// The standard's name of the encoding, in lower case.
    #[must_use]
    pub fn name(self) -> String {
        self.0.name().to_ascii_lowercase()
    }

    /// A decoder that leaves byte order marks alone.
    pub(super) fn decoder(self) -> encoding_rs::Decoder {
        self.0.new_decoder_without_bom_handling()
    }

    fn is_utf16(self) -> bool {
        self.0 == encoding_rs::UTF_16LE || self.0 == encoding_rs::UTF_16BE
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self::UTF_8
    }
}

/// How to read a file: its encoding, the length of its byte order mark, and a
/// warning when the mark overruled the declared encoding.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) encoding: Encoding,
    pub(super) mark: usize,
    pub(super) warning: Option<Problem>,
}

/// Decides how to read a file that begins with `head`.
pub(super) fn sniff(head: &[u8], declared: Encoding) -> Result<Reading, SourceError> {
    if head.starts_with(&[0xFF, 0xFE, 0, 0]) || head.starts_with(&[0, 0, 0xFE, 0xFF]) {
        return Err(utf32());
    }
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(head) {
        let encoding = Encoding(encoding);
        let warning = (encoding != declared).then(|| {
            Problem::new(
                "W_ENCODING_BOM",
                format!(
                    "the byte order mark says {}, so the file is read as that and not as the declared {}; set `encoding = \"{}\"`",
                    encoding.name(),
                    declared.name(),
                    encoding.name()
                ),
            )
        });
        return Ok(Reading {
            encoding,
            mark,
            warning,
        });
    }
    if !declared.is_utf16() {
        refuse_wide(head)?;
    }
    Ok(Reading {
        encoding: declared,
        mark: 0,
        warning: None,
    })
}

/// Refuses text of two or four bytes per character that carries no mark:
/// Latin text in it has a zero in every second, or in three of four bytes.
fn refuse_wide(head: &[u8]) -> Result<(), SourceError> {
    match *head {
        [0, 0, 0, x, ..] | [x, 0, 0, 0, ..] if x != 0 => return Err(utf32()),
        _ => {}
    }
    let sample = &head[..head.len() & !1];
    let zeros = |offset: usize| {
        let bytes = sample.iter().skip(offset).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    let label = if half >= 2 && even == 0 && odd * 2 >= half {
        "utf-16le"
    } else if half >= 2 && odd == 0 && even * 2 >= half {
        "utf-16be"
    } else {
        return Ok(());
    };
    Err(SourceError::one(Problem::new(
        "E_ENCODING",
        format!(
            "the file looks like {} without a byte order mark; set `encoding = \"{label}\"`",
            label.to_ascii_uppercase()
        ),
    )))
}

fn utf32() -> SourceError {
    let message = "the file looks like UTF-32, which is not supported; export it as UTF-8";
    SourceError::one(Problem::new("E_ENCODING", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(head: &[u8]) -> String {
        sniff(head, Encoding::UTF_8).unwrap_err().to_string()
    }

    #[test]
    fn marks_decide_over_the_declaration() {
        let cases: [(&[u8], &str, usize); 3] = [
            (b"\xEF\xBB\xBFid", "utf-8", 3),
            (b"\xFF\xFEi\0", "utf-16le", 2),
            (b"\xFE\xFF\0i", "utf-16be", 2),
        ];
        for (head, name, mark) in cases {
            let declared = Encoding::parse("windows-1252").unwrap();
            let reading = sniff(head, declared).unwrap();
            assert_eq!(
                (reading.encoding.name().as_str(), reading.mark),
                (name, mark)
            );
            assert!(reading.warning.unwrap().is_warning());
        }
        let plain = sniff(b"\xEF\xBB\xBFid", Encoding::UTF_8).unwrap();
        assert!(plain.warning.is_none());
    }

    #[test]
    fn wide_text_without_a_mark_is_refused_with_the_setting() {
        assert!(refusal(b"i\0d\0,\0x\0\n\0").contains("`encoding = \"utf-16le\"`"));
        assert!(refusal(b"\0i\0d\0,\0x\0\n").contains("`encoding = \"utf-16be\"`"));
        for head in [
            b"i\0\0\0d\0\0\0".as_slice(),
            b"\0\0\0i\0\0\0d",
            b"\xFF\xFE\0\0i\0\0\0",
            b"\0\0\xFE\xFFid",
        ] {
            assert!(refusal(head).contains("UTF-32"));
        }
    }

    #[test]
    fn declared_wide_text_and_plain_text_are_read() {
        let declared = Encoding::parse("utf-16le").unwrap();
        assert_eq!(sniff(b"i\0d\0", declared).unwrap().encoding, declared);
        for head in [b"".as_slice(), b"i", b"id,x\n1,2\n"] {
            assert!(sniff(head, Encoding::UTF_8).is_ok());
        }
    }
}
