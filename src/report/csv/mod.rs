//! The CSV report: one line for each change, each thing that travels with one,
//! and each problem. Its columns are an output contract: they keep their names
//! and meanings, new ones are added before `_escaped`; find them by name.
//!
//! ```text
//! provider             the lane; empty for a problem of no lane
//! key, line            the row: its key and the physical line it begins on; no line for a client
//!                      that the file does not have
//! remote_id            the provider's own id of the record, where it is known
//! push                 first | update; empty for a row that is left out
//! outcome              what became of the row, skip reasons as skipped(reason)
//! role                 which of the following the line is
//!   change               a field that changes: field, before_state ... when
//!   kept                 a change that was not sent, because the provider held a value already:
//!                        field, when
//!   extra                sent with the changes: field, after_state, after, because whole |
//!                        together, unit
//!   withheld             kept back now: field, because while_false, unit
//!   drift                a field in which the provider holds something else than it acknowledged:
//!                        field, before: what it acknowledged, now: what it holds, source: what
//!                        the row says, after: its value, where that is another
//!   carried              what else the unit holds is carried from the read: unit
//!   problem              code, message, column, field, status, provider_request_id
//!   warning              a problem of the whole file: code, message, column, field, line, key
//!   incomplete           the rows could not be read to their end: message; always the last line
//! field                the field of the provider, as a path
//! before_state         value | empty (a null) | unknown | new_field | hidden
//! before               what the provider holds: a text as it is, anything else as JSON
//! after_state, after   the same of what it is to hold
//! now_state, now       the same of what it holds now
//! source               nothing | same (as the provider holds) | other | invalid
//! when                 always | blank (only if the provider holds nothing)
//! because, unit        what forces or forbids the field, and the wire pointer of it; an
//!                      empty pointer is the whole record
//! code, message        what is wrong and what to do
//! column               the column of the source
//! attempts             requests that were sent for the row
//! status               the status of the last answer
//! provider_request_id  the provider's id of that answer
//! _escaped             1 where a cell of the line was escaped, else 0
//! ```
//!
//! Every cell is quoted. A cell that begins with one of `= + - @ ' TAB CR LF`
//! gets a leading `'`, so that no spreadsheet takes it for a formula; to undo
//! it, take one `'` from each cell of a line with `_escaped` 1 that begins with
//! one. With hidden values the words of a provider are replaced by a fixed text.

mod cell;
mod run;

use std::borrow::Cow;
use std::error::Error;
use std::io::Write;

use serde_json::Value;

use crate::core::{Drift, Outcome, Problem, Push, Says, SkipReason, Travels, When};

use super::model::{Detail, ProblemDetail, Report, ReportError, RowDetail};
use super::value::{Side, Values, WORDS_HIDDEN};

pub use cell::Cells;
pub use run::write_run_csv;

use cell::Sheet;

/// The columns, in their order; [`Entry::cells`] has the same.
const COLUMNS: [&str; 24] = [
    "provider",
    "key",
    "line",
    "remote_id",
    "push",
    "outcome",
    "role",
    "field",
    "before_state",
    "before",
    "after_state",
    "after",
    "now_state",
    "now",
    "source",
    "when",
    "because",
    "unit",
    "code",
    "message",
    "column",
    "attempts",
    "status",
    "provider_request_id",
];

/// One line; what does not apply is empty.
#[derive(Clone, Default)]
struct Entry<'a> {
    provider: &'a str,
    key: &'a str,
    line: Option<u64>,
    remote_id: &'a str,
    push: &'static str,
    outcome: String,
    role: &'static str,
    field: String,
    before: Option<Side<'a>>,
    after: Option<Side<'a>>,
    now: Option<Side<'a>>,
    source: &'static str,
    when: &'static str,
    because: &'static str,
    unit: String,
    code: &'a str,
    message: Cow<'a, str>,
    column: &'a str,
    attempts: Option<u32>,
    status: Option<u16>,
    provider_request_id: &'a str,
}

impl<'a> Entry<'a> {
    fn of_row(row: &'a RowDetail, role: &'static str) -> Self {
        Self {
            provider: &row.provider,
            key: row.key.as_str(),
            line: row.line,
            remote_id: &row.remote_id,
            push: match row.push {
                Push::First => "first",
                Push::Update => "update",
            },
            outcome: row.outcome.to_string(),
            role,
            attempts: Some(row.attempts),
            ..Self::default()
        }
    }

    fn of_problem(detail: &'a ProblemDetail, values: Values) -> Self {
        let hidden = values == Values::Hidden && detail.quotes_provider();
        let words = if hidden {
            WORDS_HIDDEN
        } else {
            &detail.problem.message
        };
        Self {
            provider: detail.provider.as_deref().unwrap_or_default(),
            outcome: detail.outcome.map(|o| o.to_string()).unwrap_or_default(),
            role: "problem",
            message: words.into(),
            status: detail.status,
            provider_request_id: detail.provider_request_id.as_deref().unwrap_or_default(),
            ..Self::of_warning(&detail.problem)
        }
    }

    fn of_warning(problem: &'a Problem) -> Self {
        Self {
            key: problem.key.as_ref().map_or("", |key| key.as_str()),
            line: problem.line,
            remote_id: problem.remote_id.as_deref().unwrap_or_default(),
            role: "warning",
            field: problem
                .field
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            code: &problem.code,
            message: (&problem.message).into(),
            column: problem.column.as_deref().unwrap_or_default(),
            ..Self::default()
        }
    }

    fn cells(&self) -> [Cow<'_, str>; COLUMNS.len()] {
        [
            self.provider.into(),
            self.key.into(),
            number(self.line),
            self.remote_id.into(),
            self.push.into(),
            (&self.outcome).into(),
            self.role.into(),
            (&self.field).into(),
            state(self.before).into(),
            text(self.before),
            state(self.after).into(),
            text(self.after),
            state(self.now).into(),
            text(self.now),
            self.source.into(),
            self.when.into(),
            self.because.into(),
            (&self.unit).into(),
            self.code.into(),
            Cow::Borrowed(&self.message),
            self.column.into(),
            number(self.attempts),
            number(self.status),
            self.provider_request_id.into(),
        ]
    }
}

fn number(n: Option<impl ToString>) -> Cow<'static, str> {
    n.map(|n| n.to_string()).unwrap_or_default().into()
}

fn state(side: Option<Side<'_>>) -> &'static str {
    match side {
        None => "",
        Some(Side::Value(Value::Null)) => "empty",
        Some(side) => side.state(),
    }
}

fn text(side: Option<Side<'_>>) -> Cow<'_, str> {
    match side.and_then(Side::value) {
        None | Some(Value::Null) => "".into(),
        Some(Value::String(text)) => text.into(),
        Some(other) => other.to_string().into(),
    }
}

/// Writes the report as CSV. When the details end in an error, the last line
/// says so.
pub fn write_csv<D, E>(
    out: &mut dyn Write,
    report: &Report,
    values: Values,
    cells: Cells,
    details: D,
) -> Result<(), ReportError>
where
    D: IntoIterator<Item = Result<Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut sheet = Sheet::begin(out, cells, &COLUMNS)?;
    for warning in &report.warnings {
        sheet.line(Entry::of_warning(warning).cells())?;
    }
    let told = details.into_iter().try_for_each(|detail| {
        match detail.map_err(|error| ReportError::Details(error.into()))? {
            Detail::Row(row) => write_row(&mut sheet, &row, values),
            Detail::Problem(problem) => write_problem(&mut sheet, &problem, values),
            Detail::Drift(drift) => write_drift(&mut sheet, &drift, values),
        }
    });
    if let Err(error @ ReportError::Details(_)) = &told {
        let line = Entry {
            role: "incomplete",
            message: error.to_string().into(),
            ..Entry::default()
        };
        sheet.line(line.cells())?;
    }
    sheet.finish()?;
    told
}

fn write_row(sheet: &mut Sheet<'_>, row: &RowDetail, values: Values) -> Result<(), ReportError> {
    let draft = &row.draft;
    for change in &draft.changes {
        let kept = Entry {
            field: change.field.to_string(),
            when: match change.when {
                When::Always => "always",
                When::Blank => "blank",
            },
            ..Entry::of_row(row, "kept")
        };
        let line = if row.is_kept(&change.field) {
            kept
        } else {
            Entry {
                before: Some(Side::before(&change.before, change.shown, values)),
                after: Some(Side::of(&change.after, change.shown, values)),
                role: "change",
                ..kept
            }
        };
        sheet.line(line.cells())?;
    }
    for extra in &draft.extras {
        let (because, unit) = match &extra.because {
            Travels::Whole(unit) => ("whole", unit),
            Travels::Together(unit) => ("together", unit),
        };
        let line = Entry {
            field: extra.field.to_string(),
            after: Some(Side::of(&extra.value, extra.shown, values)),
            because,
            unit: unit.to_string(),
            ..Entry::of_row(row, "extra")
        };
        sheet.line(line.cells())?;
    }
    for withheld in &draft.withheld {
        let line = Entry {
            field: withheld.field.to_string(),
            because: "while_false",
            unit: withheld.while_false.to_string(),
            ..Entry::of_row(row, "withheld")
        };
        sheet.line(line.cells())?;
    }
    for unit in &draft.carried {
        let line = Entry {
            unit: unit.to_string(),
            ..Entry::of_row(row, "carried")
        };
        sheet.line(line.cells())?;
    }
    for problem in row.problem_details() {
        let line = Entry {
            remote_id: &row.remote_id,
            attempts: Some(row.attempts),
            ..Entry::of_problem(&problem, values)
        };
        sheet.line(line.cells())?;
    }
    Ok(())
}

fn write_drift(sheet: &mut Sheet<'_>, drift: &Drift, values: Values) -> Result<(), ReportError> {
    for field in &drift.fields {
        let (source, after) = match &field.source {
            Says::Nothing => ("nothing", None),
            Says::Same => ("same", None),
            Says::Other(value) => ("other", Some(Side::of(value, field.shown, values))),
            Says::Invalid => ("invalid", None),
        };
        let line = Entry {
            provider: &drift.lane,
            key: drift.key.as_str(),
            line: Some(drift.line),
            remote_id: &drift.remote_id,
            outcome: Outcome::Skipped(SkipReason::Drifted).to_string(),
            role: "drift",
            field: field.field.to_string(),
            before: Some(Side::before(&field.acknowledged, field.shown, values)),
            now: Some(Side::of(&field.now, field.shown, values)),
            source,
            after,
            ..Entry::default()
        };
        sheet.line(line.cells())?;
    }
    Ok(())
}

fn write_problem(
    sheet: &mut Sheet<'_>,
    problem: &ProblemDetail,
    values: Values,
) -> Result<(), ReportError> {
    sheet.line(Entry::of_problem(problem, values).cells())
}
