//! Problems of the configuration, with their place in the file.
//!
//! A message names keys and what to do. It must never repeat a value of the
//! file: a secret may stand where it does not belong.

use std::cell::RefCell;
use std::path::Path;

/// One problem of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// A stable code: `E_TOML`, `E_UNKNOWN_KEY`, `E_LITERAL_SECRET`,
    /// `E_NOT_AVAILABLE` or `E_CONFIG`.
    pub code: &'static str,
    /// What is wrong and what to do, as a fragment that follows the key.
    pub message: String,
    /// The line, from 1; 0 where the file could not be read at all.
    pub line: usize,
    /// The column in characters, from 1; 0 where there is no line.
    pub column: usize,
    /// The dotted key, for example `run.tps_limit`; empty for the whole file.
    pub key: String,
}

impl ConfigProblem {
    /// One line for people: `clientsync.toml:12:5: [run.tps_limit] must be ...`.
    #[must_use]
    pub fn render(&self, file: &Path) -> String {
        let mut text = file.display().to_string();
        if self.line > 0 {
            text = format!("{text}:{}:{}", self.line, self.column);
        }
        if self.key.is_empty() {
            format!("{text}: {}", self.message)
        } else {
            format!("{text}: [{}] {}", self.key, self.message)
        }
    }

    /// A problem of a file that could not be read.
    pub(super) fn of_file(message: String) -> Self {
        Self {
            code: "E_CONFIG",
            message,
            line: 0,
            column: 0,
            key: String::new(),
        }
    }
}

/// The problems found so far in one text.
#[derive(Debug)]
pub(super) struct Problems<'t> {
    text: &'t str,
    found: RefCell<Vec<(usize, ConfigProblem)>>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            found: RefCell::new(Vec::new()),
        }
    }

    /// Records a problem at a byte offset.
    pub(super) fn push(&self, code: &'static str, at: usize, key: &str, message: impl AsRef<str>) {
        let (line, column) = self.position(at);
        let problem = ConfigProblem {
            code,
            message: printable(message.as_ref()),
            line,
            column,
            key: key.to_owned(),
        };
        self.found.borrow_mut().push((at, problem));
    }

    /// The line and the column, both from 1, of a byte offset.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        position(self.text.get(..at).unwrap_or(self.text))
    }

    /// All problems in the order of the file; `None` where there is none.
    pub(super) fn into_found(self) -> Option<Vec<ConfigProblem>> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|(at, _)| *at);
        let problems: Vec<ConfigProblem> = found.into_iter().map(|(_, problem)| problem).collect();
        (!problems.is_empty()).then_some(problems)
    }
}

/// The line and the column, both from 1, of what follows a text.
pub(super) fn position(before: &str) -> (usize, usize) {
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    // Editors do not count a byte order mark.
    let shown = before[line_start..].trim_start_matches('\u{feff}');
    (line, shown.chars().count() + 1)
}

/// Keys reach terminals, so control characters in them are spelt out.
fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, c| {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    })
}
