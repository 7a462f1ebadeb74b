//! What the scanner says: its faults and its warnings, in words.
//!
//! It must never put a cell's text into a message.

use super::{Kind, MAX_QUOTED_LINES, Scanner, State};
use crate::core::Problem;
use crate::source::faults::Place;

/// What was seen of the file that is no fault by itself.
#[derive(Debug)]
pub(super) struct Seen {
    crlf: u64,
    lf: u64,
    cr: u64,
    blank_lines: u64,
    first_blank: u64,
    /// The last blank line since the last row, when rows stand above it.
    gap: Option<u64>,
    rows: u64,
    /// The width of a second table that was reported already.
    second_table: Option<usize>,
    /// The fault of the last row, when that row was too short.
    short: Option<usize>,
    pub(super) final_newline: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            crlf: 0,
            lf: 0,
            cr: 0,
            blank_lines: 0,
            first_blank: 0,
            gap: None,
            rows: 0,
            second_table: None,
            short: None,
            final_newline: true,
        }
    }
}

impl Seen {
    pub(super) fn blank(&mut self, line: u64) {
        if self.blank_lines == 0 {
            self.first_blank = line;
        }
        self.blank_lines += 1;
        if self.rows > 0 {
            self.gap = Some(line);
        }
    }

    pub(super) fn row(&mut self) {
        self.gap = None;
        self.rows += 1;
    }

    pub(super) fn newline(&mut self, byte: u8, second_half: bool) {
        match byte {
            b'\n' if second_half => {
                self.cr -= 1;
                self.crlf += 1;
            }
            b'\n' => self.lf += 1,
            _ => self.cr += 1,
        }
    }
}

impl Scanner {
    /// A byte that is not in the encoding stands where the scanner is.
    pub(in crate::source) fn malformed(&mut self, problem: Problem) {
        if self.to_skip > 0 {
            self.faults
                .add(problem.line(self.line), None, Place::Header);
            return;
        }
        if self.state == State::Record {
            self.begin_record();
        }
        self.fault(problem.line(self.line));
    }

    /// Whether the text ended behind a line break.
    pub(in crate::source) fn has_final_newline(&self) -> bool {
        self.seen.final_newline
    }

    /// The physical line the scanner has come to.
    pub(in crate::source) fn line(&self) -> u64 {
        self.line
    }

    /// What was odd but is harmless, once the text has ended.
    pub(in crate::source) fn warnings(&self) -> Vec<Problem> {
        let Seen { crlf, lf, cr, .. } = self.seen;
        let mut warnings = Vec::new();
        if self.seen.blank_lines > 0 {
            let message = format!(
                "{} blank lines skipped; this is the first",
                self.seen.blank_lines
            );
            warnings.push(Problem::new("W_BLANK_LINE", message).line(self.seen.first_blank));
        }
        if [crlf, lf, cr].iter().filter(|count| **count > 0).count() > 1 {
            let message = format!("line endings are mixed: {crlf} CR LF, {lf} LF, {cr} CR");
            warnings.push(Problem::new("W_MIXED_NEWLINES", message));
        }
        warnings
    }

    pub(super) fn nul(&mut self) {
        let message = "the file holds a NUL byte; the export is damaged or not text";
        self.fault(Problem::new("E_NUL", message).line(self.line));
    }

    pub(super) fn unterminated(&mut self) {
        // The line breaks inside it may have been faults of their own.
        self.record.faulty = false;
        let message = "a quote opens on this line and is never closed; close it, or double it if it is text (the file may also have been cut off)";
        self.fault(Problem::new("E_UNTERMINATED_QUOTE", message).line(self.cell.opened));
    }

    pub(super) fn suspect_quote(&mut self) {
        let message = format!(
            "a quote opens on this line and its cell goes on for more than {MAX_QUOTED_LINES} lines or 64 KiB, so the quote is probably a stray one; nothing below this line was checked"
        );
        self.fault(Problem::new("E_SUSPECT_QUOTE", message).line(self.cell.opened));
        self.stopped = true;
    }

    pub(super) fn too_large(&mut self, what: &str) {
        let message = format!("{what}; nothing below this line was checked");
        self.fault(Problem::new("E_TOO_LARGE", message).line(self.record.line));
        self.stopped = true;
    }

    pub(super) fn text_behind_quote(&mut self, byte: u8) {
        let hint = if self.cell.backslash {
            "; a quote inside a cell is written twice (\"\"), not with a backslash"
        } else if matches!(byte, b' ' | b'\t') {
            "; remove the space behind the closing quote"
        } else {
            "; a quote inside a cell is written twice (\"\")"
        };
        let opened = if self.cell.opened == self.line {
            String::new()
        } else {
            format!(" (the quote opened on line {})", self.cell.opened)
        };
        let message = format!("text follows a closing quote{opened}{hint}");
        self.fault(Problem::new("E_BAD_QUOTE", message).line(self.line));
    }

    pub(super) fn bare_quote(&mut self) {
        let hint = if self.cell.spaces && self.cell.bytes > 0 {
            "remove the space before the quote"
        } else {
            "put the whole cell in quotes and write the quote inside it twice (\"\")"
        };
        let message = format!("a quote stands inside an unquoted cell; {hint}");
        self.fault(Problem::new("E_BAD_QUOTE", message).line(self.line));
    }

    pub(super) fn check_separator(&mut self, separator: &str) {
        if separator.as_bytes() == [self.delimiter] {
            return;
        }
        let message = format!(
            "the first line says `sep={}` but the delimiter is {:?}; set `delimiter` to the file's own",
            separator.escape_debug(),
            char::from(self.delimiter)
        );
        self.fault(Problem::new("E_SEP", message).line(self.record.line));
    }

    pub(super) fn check_width(&mut self, width: usize) {
        let (line, cells) = (self.record.line, self.record.cells);
        self.seen.short = None;
        if cells == width || self.seen.second_table == Some(cells) {
            return;
        }
        let problem = if let Some(gap) = self.seen.gap {
            self.seen.second_table = Some(cells);
            let message = format!(
                "behind the blank line {gap} rows have {cells} cells instead of {width}: a second table? Only one can be read"
            );
            Problem::new("E_BLANK_LINE_INSIDE", message)
        } else {
            let message = format!("the row has {cells} cells instead of {width}");
            Problem::new("E_RAGGED", message)
        };
        // The whole row is wrong, so no column is named.
        if !self.record.faulty {
            self.record.faulty = true;
            let number = self.faults.add(problem.line(line), None, self.place());
            self.seen.short = number.filter(|_| cells < width);
        }
    }

    /// Says of a short row that nothing follows it: a cut-off file ends so.
    pub(super) fn last_row(&mut self) {
        let last = self.marks.back().is_none_or(|mark| mark.kind == Kind::Row);
        if let Some(number) = self.seen.short.filter(|_| last) {
            self.faults.remark(number, "; last row: file truncated?");
        }
    }
}
