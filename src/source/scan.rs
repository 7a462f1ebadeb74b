//! The strict structure pass: a quote-aware scanner over decoded text.
//!
//! It vouches for what the csv crate splits behind it: where each record
//! begins, how many cells it has, and that nothing in it is malformed. The
//! csv crate alone accepts an unterminated quote, text behind a closing quote
//! and much else without a word. The scanner must agree with the csv crate on
//! where records and cells end, for every input, also a malformed one; and it
//! must never keep text, except the first bytes of the first record.

mod report;

use std::collections::VecDeque;

use memchr::{memchr, memchr3};

use super::faults::{Faults, Place};
use crate::core::Problem;

/// The longest cell in bytes.
pub(super) const MAX_CELL: usize = 1 << 20;
/// The longest record in bytes.
pub(super) const MAX_RECORD: usize = 4 << 20;
/// The most columns.
pub(super) const MAX_COLUMNS: usize = 1000;
/// A quoted cell of more bytes than this is taken for a stray quote.
pub(super) const MAX_QUOTED: usize = 64 * 1024;
/// A quoted cell over more lines than this is taken for a stray quote.
pub(super) const MAX_QUOTED_LINES: u64 = 100;
/// As much of the first record as a `sep=` line can have.
const LEAD: usize = 16;

/// Where one record of the csv crate began, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: u64,
    pub(super) cells: usize,
    pub(super) kind: Kind,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The header or a data record.
    Row,
    /// A line of spaces and tabs.
    Blank,
    /// The `sep=` line that spreadsheets write.
    Separator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a record.
    Record,
    /// At the beginning of a cell.
    Cell,
    Plain,
    Quoted,
    /// Behind a quote inside a quoted cell: its end, or half of a doubled one.
    Quote,
}

#[derive(Debug)]
struct Record {
    line: u64,
    /// Finished cells.
    cells: usize,
    bytes: usize,
    /// Its first cell holds nothing but spaces and tabs, without quotes.
    blank: bool,
    /// One fault per record: what follows the first is its consequence.
    faulty: bool,
}

#[derive(Debug)]
struct Cell {
    bytes: usize,
    /// Only spaces and tabs so far.
    spaces: bool,
    /// The line on which its quote opened.
    opened: u64,
    /// The byte before its last quote was a backslash.
    backslash: bool,
}

/// The scanner; text goes in through [`Scanner::skip`] and [`Scanner::feed`].
#[derive(Debug)]
pub(super) struct Scanner {
    delimiter: u8,
    to_skip: u64,
    state: State,
    line: u64,
    after_cr: bool,
    record: Record,
    cell: Cell,
    lead: Option<Vec<u8>>,
    /// The width of the header, once it is known.
    width: Option<usize>,
    stopped: bool,
    seen: report::Seen,
    /// The records that the csv crate will deliver, in its order.
    pub(super) marks: VecDeque<Mark>,
    /// What is wrong so far.
    pub(super) faults: Faults,
}

impl Scanner {
    pub(super) fn new(delimiter: u8, skip_lines: u64) -> Self {
        Self {
            delimiter,
            to_skip: skip_lines,
            state: State::Record,
            line: 1,
            after_cr: false,
            record: Record {
                line: 1,
                cells: 0,
                bytes: 0,
                blank: false,
                faulty: false,
            },
            cell: Cell {
                bytes: 0,
                spaces: true,
                opened: 0,
                backslash: false,
            },
            lead: Some(Vec::with_capacity(LEAD)),
            width: None,
            stopped: false,
            seen: report::Seen::default(),
            marks: VecDeque::new(),
            faults: Faults::default(),
        }
    }

    /// Whether going on is pointless: a limit was passed.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes the lines above the header off the front of the text; the answer
    /// is how many bytes they are, which the csv crate must not see.
    pub(super) fn skip(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while self.to_skip > 0 && at < text.len() {
            let byte = text[at];
            if !matches!(byte, b'\r' | b'\n') {
                self.after_cr = false;
            } else if self.line_break(byte) {
                self.to_skip -= 1;
            }
            at += 1;
        }
        at
    }

    /// Scans the next piece of text; pieces may end anywhere.
    pub(super) fn feed(&mut self, text: &[u8]) {
        if let Some(lead) = &mut self.lead {
            lead.extend(text.iter().take(LEAD - lead.len()));
        }
        let mut rest = text;
        while let Some(at) = memchr(0, rest) {
            self.scan(&rest[..at]);
            self.scan(&[0]);
            self.nul();
            rest = &rest[at + 1..];
        }
        self.scan(rest);
    }

    /// Ends the text.
    pub(super) fn end(&mut self) {
        if self.stopped {
            return;
        }
        if self.state == State::Quoted {
            self.unterminated();
        }
        if self.state != State::Record {
            self.seen.final_newline = false;
            self.end_cell();
            self.end_record();
        }
        self.last_row();
    }

    fn scan(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() && !self.stopped {
            let byte = text[at];
            match self.state {
                State::Record if matches!(byte, b'\r' | b'\n') => {
                    let line = self.line;
                    if self.line_break(byte) {
                        self.seen.blank(line);
                    }
                    at += 1;
                }
                State::Record => self.begin_record(),
                State::Cell if byte == b'"' => {
                    self.cell.spaces = false;
                    self.cell.opened = self.line;
                    self.state = State::Quoted;
                    at += 1;
                }
                State::Cell | State::Plain => at += self.plain(&text[at..]),
                State::Quoted => at += self.quoted(&text[at..]),
                State::Quote if byte == b'"' => {
                    self.state = State::Quoted;
                    self.extend_cell(1);
                    at += 1;
                }
                State::Quote => {
                    if byte != self.delimiter && !matches!(byte, b'\r' | b'\n') {
                        self.text_behind_quote(byte);
                    }
                    self.state = State::Plain;
                }
            }
        }
    }

    /// Scans an unquoted cell up to and with the byte that ends it.
    fn plain(&mut self, text: &[u8]) -> usize {
        let delimiter = self.delimiter;
        let stops = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
        let run = text.iter().position(stops).unwrap_or(text.len());
        self.state = State::Plain;
        if self.cell.spaces {
            self.cell.spaces = text[..run].iter().all(|b| matches!(b, b' ' | b'\t'));
        }
        self.extend_cell(run);
        match text.get(run) {
            None => return run,
            Some(b'"') => {
                self.bare_quote();
                self.cell.spaces = false;
                self.extend_cell(1);
            }
            Some(byte) if *byte == delimiter => {
                self.end_cell();
                self.state = State::Cell;
            }
            Some(byte) => {
                self.end_cell();
                self.end_record();
                self.line_break(*byte);
            }
        }
        run + 1
    }

    /// Scans a quoted cell up to and with a quote or a line break.
    fn quoted(&mut self, text: &[u8]) -> usize {
        let run = memchr3(b'"', b'\r', b'\n', text).unwrap_or(text.len());
        if run > 0 {
            self.after_cr = false;
            self.cell.backslash = text[run - 1] == b'\\';
        }
        self.extend_cell(run);
        match text.get(run) {
            None => return run,
            Some(b'"') => {
                self.after_cr = false;
                self.state = State::Quote;
            }
            Some(byte) => {
                self.cell.backslash = false;
                self.line_break(*byte);
                self.extend_cell(1);
            }
        }
        if self.line - self.cell.opened > MAX_QUOTED_LINES {
            self.suspect_quote();
        }
        run + 1
    }

    fn begin_record(&mut self) {
        self.after_cr = false;
        self.record = Record {
            line: self.line,
            cells: 0,
            bytes: 0,
            blank: false,
            faulty: false,
        };
        self.begin_cell();
        self.state = State::Cell;
    }

    fn begin_cell(&mut self) {
        self.cell.bytes = 0;
        self.cell.spaces = true;
        self.cell.backslash = false;
    }

    fn extend_cell(&mut self, bytes: usize) {
        self.cell.bytes += bytes;
        self.record.bytes += bytes;
        if self.state == State::Quoted && self.cell.bytes > MAX_QUOTED {
            self.suspect_quote();
        } else if self.cell.bytes > MAX_CELL {
            self.too_large("a cell is larger than 1 MiB");
        } else if self.record.bytes > MAX_RECORD {
            self.too_large("the row is larger than 4 MiB");
        }
    }

    fn end_cell(&mut self) {
        self.record.cells += 1;
        if self.record.cells > MAX_COLUMNS {
            self.too_large("the row has more than 1000 columns");
        }
        if self.record.cells == 1 {
            self.record.blank = self.cell.spaces;
        }
        self.begin_cell();
    }

    fn end_record(&mut self) {
        self.state = State::Record;
        let Record { line, cells, .. } = self.record;
        let lead = self.lead.take();
        let kind = if cells == 1 && self.record.blank {
            self.seen.blank(line);
            Kind::Blank
        } else if let Some(separator) = lead.as_deref().and_then(separator_line) {
            self.check_separator(separator);
            Kind::Separator
        } else {
            match self.width {
                None => self.width = Some(cells),
                Some(width) => self.check_width(width),
            }
            self.seen.row();
            Kind::Row
        };
        self.marks.push_back(Mark { line, cells, kind });
    }

    /// Counts a line break; `false` for the second half of CR LF.
    fn line_break(&mut self, byte: u8) -> bool {
        let second_half = byte == b'\n' && self.after_cr;
        self.after_cr = byte == b'\r';
        // Line breaks inside a cell are text and say nothing about the file.
        if self.state != State::Quoted {
            self.seen.newline(byte, second_half);
        }
        if !second_half {
            self.line += 1;
        }
        !second_half
    }

    /// Adds a fault of the record in progress, unless it has one already.
    fn fault(&mut self, problem: Problem) -> Option<usize> {
        if self.record.faulty {
            return None;
        }
        self.record.faulty = true;
        self.faults
            .add(problem, Some(self.record.cells), self.place())
    }

    fn place(&self) -> Place {
        match self.width {
            None => Place::Header,
            Some(_) => Place::Rows,
        }
    }
}

/// The separator that a line like `sep=;` names; it may stand in quotes.
fn separator_line(lead: &[u8]) -> Option<&str> {
    let start = lead.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
    let line = lead[start..].split(|b| matches!(b, b'\r' | b'\n')).next()?;
    let line = match line {
        [b'"', inner @ .., b'"'] => inner,
        _ => line,
    };
    let (name, value) = line.split_at_checked(4)?;
    let value = std::str::from_utf8(value).ok()?;
    (name.eq_ignore_ascii_case(b"sep=") && value.chars().count() == 1).then_some(value)
}

#[cfg(test)]
mod tests;
