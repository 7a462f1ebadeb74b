//! One run in full as CSV: one line for each row, and one for each request that
//! was sent for it. Its columns are an output contract, like those of a report.
//!
//! ```text
//! run_id               the run
//! provider, key, line, remote_id
//!                      the row
//! outcome              what became of it
//! role                 outcome | attempt | incomplete (always the last line)
//! attempt              the number of the request, from 1
//! method, started      how and when it was sent (RFC 3339, UTC)
//! status               the status of the answer; empty where none came
//! provider_request_id  the provider's id of the answer
//! took_ms              milliseconds from the first byte sent to the last byte read
//! message              the provider's words or ours
//! _escaped             as in a report
//! ```

use std::borrow::Cow;
use std::error::Error;
use std::io::Write;

use crate::report::model::ReportError;
use crate::report::runs::{AttemptLine, OutcomeLine, RunDetail, hide};
use crate::report::value::Values;

use super::cell::{Cells, Sheet};
use super::number;

/// The columns, in their order.
const COLUMNS: [&str; 14] = [
    "run_id",
    "provider",
    "key",
    "line",
    "remote_id",
    "outcome",
    "role",
    "attempt",
    "method",
    "started",
    "status",
    "provider_request_id",
    "took_ms",
    "message",
];

/// Writes one run in full as CSV.
pub fn write_run_csv<O, E>(
    out: &mut dyn Write,
    run: &RunDetail,
    values: Values,
    cells: Cells,
    outcomes: O,
) -> Result<(), ReportError>
where
    O: IntoIterator<Item = Result<OutcomeLine, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let id = &run.run.run_id;
    let mut sheet = Sheet::begin(out, cells, &COLUMNS)?;
    let told = outcomes.into_iter().try_for_each(|outcome| {
        let mut outcome = outcome.map_err(|error| ReportError::Details(error.into()))?;
        if values == Values::Hidden {
            hide(&mut outcome);
        }
        write_outcome(&mut sheet, id, &outcome)
    });
    if let Err(error @ ReportError::Details(_)) = &told {
        let mut line: [Cow<'_, str>; COLUMNS.len()] = Default::default();
        line[0] = id.into();
        line[6] = "incomplete".into();
        line[13] = error.to_string().into();
        sheet.line(line)?;
    }
    sheet.finish()?;
    told
}

fn write_outcome(
    sheet: &mut Sheet<'_>,
    run_id: &str,
    outcome: &OutcomeLine,
) -> Result<(), ReportError> {
    sheet.line(cells(run_id, outcome, None))?;
    outcome
        .attempts
        .iter()
        .try_for_each(|attempt| sheet.line(cells(run_id, outcome, Some(attempt))))
}

/// The line of a row, or of one of its requests.
fn cells<'a>(
    run_id: &'a str,
    outcome: &'a OutcomeLine,
    attempt: Option<&'a AttemptLine>,
) -> [Cow<'a, str>; COLUMNS.len()] {
    let message = match attempt {
        None => &outcome.message,
        Some(attempt) => &attempt.message,
    };
    let request_id = attempt.and_then(|attempt| attempt.provider_request_id.as_deref());
    [
        run_id.into(),
        (&outcome.provider).into(),
        outcome.key.as_str().into(),
        number(outcome.line),
        outcome.remote_id.as_deref().unwrap_or_default().into(),
        outcome.outcome.to_string().into(),
        attempt.map_or("outcome", |_| "attempt").into(),
        number(attempt.map(|attempt| attempt.n)),
        attempt.map_or("", |attempt| &attempt.method).into(),
        attempt.map_or("", |attempt| &attempt.started).into(),
        number(attempt.and_then(|attempt| attempt.status)),
        request_id.unwrap_or_default().into(),
        number(
            attempt
                .and_then(|attempt| attempt.took)
                .map(|took| took.as_millis()),
        ),
        message.as_deref().unwrap_or_default().into(),
    ]
}
