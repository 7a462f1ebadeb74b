//! Decoded text on its way to the csv crate, past the scanner.
//!
//! The csv crate must never see a byte that the scanner has not seen, nor a
//! whole piece behind the one in which the scanner gave up; that bounds its
//! memory.

use std::io::{self, Read};

use super::decode::{Decoded, Then};
use super::encoding::Encoding;
use super::scan::Scanner;
use crate::core::Problem;

/// Ends files of some old systems.
const CTRL_Z: u8 = 0x1A;

/// A reader of UTF-8 text that the scanner has seen.
#[derive(Debug)]
pub(super) struct Pipe {
    decoded: Decoded,
    encoding: Encoding,
    scanner: Scanner,
    /// Text that was scanned and not yet handed on.
    ready: Ready,
    /// A Ctrl-Z is held back until it is known whether the file ends with it.
    ctrl_z: bool,
    ended: bool,
}

#[derive(Default)]
struct Ready {
    text: Vec<u8>,
    at: usize,
}

impl Pipe {
    pub(super) fn new(decoded: Decoded, encoding: Encoding, scanner: Scanner) -> Self {
        Self {
            decoded,
            encoding,
            scanner,
            ready: Ready::default(),
            ctrl_z: false,
            ended: false,
        }
    }

    pub(super) fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    pub(super) fn scanner_mut(&mut self) -> &mut Scanner {
        &mut self.scanner
    }

    /// Lets go of the scanner and hashes what is left of the file.
    pub(super) fn finish(self) -> io::Result<[u8; 32]> {
        self.decoded.finish()
    }

    /// What was odd but is harmless, once the text has ended.
    pub(super) fn warnings(&self) -> Vec<Problem> {
        let mut warnings = self.scanner.warnings();
        if self.ctrl_z {
            let message = "the file ends with Ctrl-Z (0x1A), which is left out";
            warnings.push(Problem::new("W_CTRL_Z", message).line(self.scanner.line()));
        }
        warnings
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.text.clear();
        self.ready.at = 0;
        let (piece, then) = self.decoded.next()?;
        if self.ctrl_z && !(piece.is_empty() && then == Then::End) {
            self.ready.text.push(CTRL_Z);
            self.ctrl_z = false;
        }
        self.ready.text.extend_from_slice(piece);
        // What is not in the encoding is text like any other here.
        if !piece.is_empty() && !matches!(then, Then::Malformed { .. }) {
            self.ctrl_z = self.ready.text.pop_if(|byte| *byte == CTRL_Z).is_some();
        }
        self.scan_from(0);
        match then {
            Then::More => {}
            Then::Malformed { offset, byte } => {
                self.scanner
                    .malformed(malformed(self.encoding, offset, byte));
                let from = self.ready.text.len();
                // Both readers go on with a stand-in, to find what else is wrong.
                let stand_in = char::REPLACEMENT_CHARACTER;
                let mut bytes = [0; 4];
                let stand_in = stand_in.encode_utf8(&mut bytes);
                self.ready.text.extend_from_slice(stand_in.as_bytes());
                self.scan_from(from);
            }
            Then::End => {
                self.scanner.end();
                self.ended = true;
            }
        }
        // What is ready is still handed on: sound records stand before the fault.
        self.ended |= self.scanner.stopped();
        Ok(())
    }

    /// Scans the ready text from here; skipped lines are not handed on.
    fn scan_from(&mut self, from: usize) {
        let skipped = self.scanner.skip(&self.ready.text[from..]);
        self.scanner.feed(&self.ready.text[from + skipped..]);
        if skipped > 0 {
            self.ready.at = from + skipped;
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.at == self.ready.text.len() && !self.ended {
            self.refill()?;
        }
        let mut rest = &self.ready.text[self.ready.at..];
        let read = rest.read(buffer)?;
        self.ready.at += read;
        Ok(read)
    }
}

impl std::fmt::Debug for Ready {
    /// Prints the position only: the text is personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

fn malformed(encoding: Encoding, offset: u64, byte: u8) -> Problem {
    let hint = if encoding == Encoding::UTF_8 {
        "set `encoding = \"windows-1252\"` if the file comes from Excel or Windows"
    } else {
        "set `encoding` to the file's own"
    };
    let message = format!(
        "byte 0x{byte:02X} at offset {offset} is not {}; {hint}",
        encoding.name()
    );
    Problem::new("E_ENCODING", message)
}
