//! From raw bytes to UTF-8, strictly, with the hash of the raw bytes.
//!
//! It must never repair: bytes that are not in the encoding are handed up with
//! their offset, and the text goes on behind them so that one pass finds all.

use std::fmt;
use std::io::{self, Read};

use encoding_rs::DecoderResult;
use sha2::{Digest, Sha256};

use super::encoding::Reading;
use super::input::RawReader;

/// Bytes read at a time.
pub(super) const CHUNK: usize = 64 * 1024;

/// Decodes a file piece by piece.
pub(super) struct Decoded {
    raw: RawReader,
    hash: Sha256,
    decoder: encoding_rs::Decoder,
    /// Bytes of the byte order mark that are still to be left out.
    mark: usize,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// The offset in the file of `buffer[start]`.
    offset: u64,
    /// The last bytes before `buffer`: a malformed sequence may begin there.
    tail: Vec<u8>,
    text: Box<[u8]>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Reading,
    Draining,
    Done,
}

/// What follows a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// More text, perhaps.
    More,
    /// A byte that is not in the encoding.
    Malformed { offset: u64, byte: u8 },
    /// The end of the file.
    End,
}

impl Decoded {
    pub(super) fn new(raw: RawReader, reading: &Reading) -> Self {
        Self {
            raw,
            hash: Sha256::new(),
            decoder: reading.encoding.decoder(),
            mark: reading.mark,
            buffer: vec![0; CHUNK].into_boxed_slice(),
            start: 0,
            end: 0,
            offset: 0,
            tail: Vec::new(),
            text: vec![0; CHUNK].into_boxed_slice(),
            stage: Stage::Reading,
        }
    }

    /// The next piece of text, and what follows it.
    pub(super) fn next(&mut self) -> io::Result<(&[u8], Then)> {
        let (length, then) = self.step()?;
        Ok((&self.text[..length], then))
    }

    /// Reads what is left and gives the hash of all raw bytes.
    pub(super) fn finish(mut self) -> io::Result<[u8; 32]> {
        while self.refill()? {}
        Ok(self.hash.finalize().into())
    }

    fn step(&mut self) -> io::Result<(usize, Then)> {
        loop {
            if self.stage == Stage::Done {
                return Ok((0, Then::End));
            }
            if self.start == self.end && self.stage == Stage::Reading && !self.refill()? {
                self.stage = Stage::Draining;
            }
            let skipped = self.mark.min(self.end - self.start);
            self.mark -= skipped;
            self.consume(skipped);
            let last = self.stage == Stage::Draining;
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
                &self.buffer[self.start..self.end],
                &mut self.text,
                last,
            );
            self.consume(read);
            match result {
                DecoderResult::Malformed(length, behind) => {
                    return Ok((written, self.malformed(length, behind)));
                }
                DecoderResult::InputEmpty if last => {
                    self.stage = Stage::Done;
                    return Ok((written, Then::End));
                }
                DecoderResult::InputEmpty if written == 0 => {}
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {
                    return Ok((written, Then::More));
                }
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    /// Fills the buffer; `false` at the end of the file.
    fn refill(&mut self) -> io::Result<bool> {
        self.tail.extend_from_slice(&self.buffer[..self.end]);
        let old = self.tail.len().saturating_sub(8);
        self.tail.drain(..old);
        (self.start, self.end) = (0, 0);
        let read = loop {
            match self.raw.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.hash.update(&self.buffer[..read]);
        self.end = read;
        Ok(read > 0)
    }

    fn malformed(&self, length: u8, behind: u8) -> Then {
        let back = usize::from(length) + usize::from(behind);
        let byte = match self.start.checked_sub(back) {
            Some(index) => self.buffer.get(index),
            None => (self.tail.len() + self.start)
                .checked_sub(back)
                .and_then(|index| self.tail.get(index)),
        };
        Then::Malformed {
            offset: self.offset.saturating_sub(back as u64),
            byte: byte.copied().unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Decoded {
    /// Prints the position only: the buffers hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded")
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::encoding::{Encoding, sniff};
    use crate::source::input::Opened;

    fn decode(bytes: &[u8], label: &str) -> (String, Vec<(u64, u8)>) {
        let reading = sniff(bytes, Encoding::parse(label).unwrap()).unwrap();
        let raw = Opened::spool(bytes).unwrap().reader().unwrap();
        let mut decoded = Decoded::new(raw, &reading);
        let (mut text, mut malformed) = (Vec::new(), Vec::new());
        loop {
            let (piece, then) = decoded.next().unwrap();
            text.extend_from_slice(piece);
            match then {
                Then::More => {}
                Then::Malformed { offset, byte } => malformed.push((offset, byte)),
                Then::End => return (String::from_utf8(text).unwrap(), malformed),
            }
        }
    }

    #[test]
    fn malformed_bytes_have_their_offset_also_across_buffers() {
        assert_eq!(
            decode(b"a\xE9,b\xFF", "utf-8"),
            ("a,b".into(), vec![(1, 0xE9), (4, 0xFF)])
        );
        // A sequence that begins on the last byte of a buffer.
        let mut long = vec![b'x'; CHUNK - 1];
        long.extend_from_slice(b"\xE2\x82,");
        let (text, malformed) = decode(&long, "utf-8");
        assert_eq!(malformed, [(CHUNK as u64 - 1, 0xE2)]);
        assert_eq!(text.len(), CHUNK);
    }

    #[test]
    fn utf16_is_strict_about_odd_lengths_and_lone_surrogates() {
        assert_eq!(decode(b"\xFF\xFEi\0d\0", "utf-8"), ("id".into(), vec![]));
        assert_eq!(decode(b"\xFE\xFF\0i\0d", "utf-8"), ("id".into(), vec![]));
        assert_eq!(decode(b"\xFF\xFEi\0d", "utf-8").1, [(4, b'd')]);
        assert_eq!(decode(b"\xFF\xFE\x3D\xD8i\0", "utf-8").1.len(), 1);
    }

    #[test]
    fn legacy_bytes_become_utf8() {
        let (text, malformed) = decode(b"Jos\xE9 \x80", "windows-1252");
        assert_eq!((text.as_str(), malformed.len()), ("José €", 0));
    }
}
