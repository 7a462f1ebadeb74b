//! The rows of a report: the lines of the plan file, joined with what became
//! of each.
//!
//! It goes through the file once and holds one row at a time. It never opens a
//! sealed value: a report has no use for it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use thiserror::Error;

use crate::core::{Outcome, PlanLine};
use crate::engine::{PlanFileError, PlanReader};
use crate::report::{Detail, ProblemDetail, RowDetail, left_out_problems};
use crate::store::{Store, StoreError};

/// Why the rows of a report end early.
#[derive(Debug, Error)]
pub(super) enum DetailError {
    /// The plan file.
    #[error(transparent)]
    Plan(#[from] PlanFileError),
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the outcomes of a run are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcomes<'a> {
    /// The state.
    pub(super) store: &'a Store,
    /// The run.
    pub(super) run_id: &'a str,
}

/// Which rows are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// All.
    All,
    /// Those that a person must look at; what went well was shown before.
    Troubled,
    /// None that is planned: only what keeps rows out.
    Problems,
}

/// A file from its first byte, at a position of its own: a report goes through
/// its plan with several readers, and none may move another.
#[derive(Debug)]
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += u64::try_from(read).map_err(io::Error::other)?;
        Ok(read)
    }
}

/// The rows of a plan, one after the other.
#[derive(Debug)]
pub(super) struct Details<'a> {
    reader: PlanReader<BufReader<FromStart<'a>>>,
    outcomes: Option<Outcomes<'a>>,
    told: Told,
    waiting: VecDeque<Detail>,
}

impl<'a> Details<'a> {
    /// Goes through a plan file from its beginning; `outcomes` is what became
    /// of its rows, where they were attempted.
    pub(super) fn new(plan: &'a File, outcomes: Option<Outcomes<'a>>, told: Told) -> Self {
        Self {
            reader: PlanReader::new(BufReader::new(FromStart { file: plan, at: 0 })),
            outcomes,
            told,
            waiting: VecDeque::new(),
        }
    }

    fn advance(&mut self) -> Result<Option<Detail>, DetailError> {
        loop {
            if let Some(detail) = self.waiting.pop_front() {
                return Ok(Some(detail));
            }
            match self.reader.next_line()? {
                None => return Ok(None),
                Some(PlanLine::Update(_)) if self.told == Told::Problems => {}
                Some(PlanLine::Update(update)) => {
                    let line = update.line;
                    let mut row = RowDetail::from(*update);
                    self.join(&mut row, line)?;
                    let good = matches!(row.outcome, Outcome::Updated | Outcome::Unchanged);
                    if self.told == Told::All || !good || !row.problems.is_empty() {
                        return Ok(Some(Detail::Row(Box::new(row))));
                    }
                }
                Some(PlanLine::LeftOut(left)) => self
                    .waiting
                    .extend(left_out_problems(left).into_iter().map(Detail::from)),
                Some(PlanLine::Note(note)) => {
                    return Ok(Some(ProblemDetail::from(note).into()));
                }
                Some(PlanLine::Drift(drift)) => return Ok(Some(Detail::Drift(drift))),
                Some(PlanLine::Header(_) | PlanLine::Trailer(_)) => {}
            }
        }
    }

    fn join(&self, row: &mut RowDetail, line: u64) -> Result<(), DetailError> {
        let Some(Outcomes { store, run_id }) = self.outcomes else {
            return Ok(());
        };
        let Some(found) = store.outcome(run_id, &row.provider, line)? else {
            return Ok(());
        };
        row.outcome = found.outcome;
        row.attempts = found.attempts;
        row.status = found.status;
        row.provider_request_id = found.provider_request_id;
        row.message = found.message.or(found.note);
        row.problems = found.problems;
        Ok(())
    }
}

impl Iterator for Details<'_> {
    type Item = Result<Detail, DetailError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
