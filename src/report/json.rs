//! The JSON report. Its members are an output contract: they keep their names
//! and meanings, and only new ones are added (`format` counts up otherwise).
//!
//! ```text
//! format                 1
//! tool_version           the program's version
//! run_id                 text, or null for a plan
//! plan_id                text or null
//! command                what was run
//! started, ended         RFC 3339, UTC; ended is null when it was cut off
//! exit                   {code, name}
//! scope                  "whole" | "partial": whether the source is the whole population
//! source                 {rows, sha256}
//! providers.NAME         {kind, target, rows, unchanged, planned, updated, rejected, failed,
//!                        in_doubt, invalid, skipped {reason: n}, absent, requests, retries,
//!                        new_fields [path], estimate {requests, seconds} | null,
//!                        stopped text | null, field_changes {path: n},
//!                        waited_seconds, budget_left n | null, resume_at RFC 3339 | null}
//!                        waited_seconds is for how long the whole lane was held back;
//!                        resume_at is when the provider may be called again
//!                        rows = unchanged + planned + ... + invalid + all of skipped
//! guards                 [{guard, lane?, ruling "passed" | "refused", message}]
//! allowed                [NAME=VALUE]
//! warnings               [{code, message, column?, field?, line?, key?}]
//! problem_groups         [{code, message, provider, column, field, outcome, rows,
//!                        first [{line, key, remote_id}], new}]  new is null where no last run is known
//! problems_not_grouped   problems of further causes than there are groups for
//! problems               [{code, message, provider, column, field, line, key, remote_id, outcome,
//!                        status, provider_request_id}]
//! changes                one entry per field, below
//! complete               false when the rows could not be read to their end
//!
//! a line is null for a client that the file does not have (`absent`)
//!
//! every entry of changes has provider, key, line, remote_id, push "first" | "update", outcome,
//! and role, which says what else it has:
//!   "change"    field, before_state "value" | "unknown" | "new_field" | "hidden", before?,
//!               after?, when "always" | "blank" (only if the provider holds nothing)
//!   "kept"      field, when: a change that was not sent, because the provider held a value already
//!   "extra"     field, after?, because {whole | together: pointer}: sent with the changes
//!   "withheld"  field, while_false: pointer: kept back now
//!   "carried"   unit: pointer: what else it holds is carried from the read
//!   "drift"     field, before_state and before?: what was acknowledged, now?: what the provider
//!               holds, source "nothing" | "same" | "other" | "invalid": what the row says,
//!               after?: its other value; it has no push
//! ```
//!
//! Skip reasons inside `outcome` are spelled `skipped(reason)`. A value that is
//! not shown is absent, and the entry has `"hidden": true`. With hidden values
//! the words of a provider (messages of rejected, failed and in-doubt rows, and
//! why a lane stopped) are replaced by a fixed text. The text is valid JSON also when the rows end
//! early; then `complete` is false.

use std::error::Error;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use crate::core::{
    Change, Drift, Extra, FieldPath, Outcome, Pointer, Push, RecordKey, Says, SkipReason, Travels,
    When,
};

use super::model::{Detail, ProblemDetail, Report, ReportError, RowDetail, quotes_provider};
use super::stream::{ArrayWriter, ObjectWriter};
use super::value::{Side, Values, WORDS_HIDDEN};

/// Writes the report. The rows are gone through twice, so that nothing is
/// held: `problems` and `changes` are two iterators over the same details.
pub fn write_json<P, C, E>(
    out: &mut dyn Write,
    report: &Report,
    values: Values,
    problems: P,
    changes: C,
) -> Result<(), ReportError>
where
    P: IntoIterator<Item = Result<Detail, E>>,
    C: IntoIterator<Item = Result<Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut object = ObjectWriter::new(out)?;
    object.members_of(&head(report, values))?;
    let told = object.array("problems", |array| {
        each(problems, |detail| match detail {
            Detail::Row(row) => row
                .problem_details()
                .iter()
                .try_for_each(|problem| array.entry(&ProblemEntry::of(problem, values))),
            Detail::Problem(problem) => array.entry(&ProblemEntry::of(&problem, values)),
            Detail::Drift(_) => Ok(()),
        })
    });
    let shown = object.array("changes", |array| {
        each(changes, |detail| match detail {
            Detail::Row(row) => write_row(array, &row, values),
            Detail::Drift(drift) => write_drift(array, &drift, values),
            Detail::Problem(_) => Ok(()),
        })
    });
    let ended = told.and(shown);
    object.member("complete", &ended.is_ok())?;
    object.finish()?;
    ended
}

fn each<I, E>(
    details: I,
    mut write: impl FnMut(Detail) -> Result<(), ReportError>,
) -> Result<(), ReportError>
where
    I: IntoIterator<Item = Result<Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    details
        .into_iter()
        .try_for_each(|detail| write(detail.map_err(|error| ReportError::Details(error.into()))?))
}

/// The head without the words that hidden values forbid.
fn head(report: &Report, values: Values) -> Report {
    let mut head = report.clone();
    if values == Values::Hidden {
        for group in &mut head.problem_groups {
            if quotes_provider(group.outcome) {
                WORDS_HIDDEN.clone_into(&mut group.message);
            }
        }
        for stopped in head
            .providers
            .values_mut()
            .filter_map(|lane| lane.stopped.as_mut())
        {
            WORDS_HIDDEN.clone_into(stopped);
        }
    }
    head
}

#[derive(Serialize)]
struct ProblemEntry<'a> {
    code: &'a str,
    message: &'a str,
    provider: Option<&'a str>,
    column: Option<&'a str>,
    field: Option<&'a FieldPath>,
    line: Option<u64>,
    key: Option<&'a RecordKey>,
    remote_id: Option<&'a str>,
    outcome: Option<String>,
    status: Option<u16>,
    provider_request_id: Option<&'a str>,
}

impl<'a> ProblemEntry<'a> {
    fn of(detail: &'a ProblemDetail, values: Values) -> Self {
        let problem = &detail.problem;
        let hidden = values == Values::Hidden && detail.quotes_provider();
        Self {
            code: &problem.code,
            message: if hidden {
                WORDS_HIDDEN
            } else {
                &problem.message
            },
            provider: detail.provider.as_deref(),
            column: problem.column.as_deref(),
            field: problem.field.as_ref(),
            line: problem.line,
            key: problem.key.as_ref(),
            remote_id: problem.remote_id.as_deref(),
            outcome: detail.outcome.map(|outcome| outcome.to_string()),
            status: detail.status,
            provider_request_id: detail.provider_request_id.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ChangeEntry<'a> {
    provider: &'a str,
    key: &'a RecordKey,
    line: Option<u64>,
    remote_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    push: Option<Push>,
    outcome: String,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a FieldPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a Travels>,
    #[serde(skip_serializing_if = "Option::is_none")]
    while_false: Option<&'a Pointer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a Pointer>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
}

impl<'a> ChangeEntry<'a> {
    fn new(row: &'a RowDetail, role: &'static str) -> Self {
        Self {
            push: Some(row.push),
            ..Self::of(
                &row.provider,
                &row.key,
                row.line,
                &row.remote_id,
                row.outcome,
                role,
            )
        }
    }

    fn of(
        provider: &'a str,
        key: &'a RecordKey,
        line: Option<u64>,
        remote_id: &'a str,
        outcome: Outcome,
        role: &'static str,
    ) -> Self {
        Self {
            provider,
            key,
            line,
            remote_id,
            push: None,
            outcome: outcome.to_string(),
            role,
            field: None,
            before_state: None,
            before: None,
            now: None,
            source: None,
            after: None,
            when: None,
            because: None,
            while_false: None,
            unit: None,
            hidden: false,
        }
    }

    fn change(row: &'a RowDetail, change: &'a Change, values: Values) -> Self {
        let before = Side::before(&change.before, change.shown, values);
        let after = Side::of(&change.after, change.shown, values);
        Self {
            field: Some(&change.field),
            before_state: Some(before.state()),
            before: before.value(),
            after: after.value(),
            when: Some(change.when),
            hidden: after == Side::Hidden,
            ..Self::new(row, "change")
        }
    }

    /// A change that was not done has nothing before and after.
    fn kept(row: &'a RowDetail, change: &'a Change) -> Self {
        Self {
            field: Some(&change.field),
            when: Some(change.when),
            ..Self::new(row, "kept")
        }
    }

    fn extra(row: &'a RowDetail, extra: &'a Extra, values: Values) -> Self {
        let after = Side::of(&extra.value, extra.shown, values);
        Self {
            field: Some(&extra.field),
            after: after.value(),
            because: Some(&extra.because),
            hidden: after == Side::Hidden,
            ..Self::new(row, "extra")
        }
    }
}

fn write_drift(
    array: &mut ArrayWriter<'_>,
    drift: &Drift,
    values: Values,
) -> Result<(), ReportError> {
    let outcome = Outcome::Skipped(SkipReason::Drifted);
    drift.fields.iter().try_for_each(|field| {
        let before = Side::before(&field.acknowledged, field.shown, values);
        let now = Side::of(&field.now, field.shown, values);
        let (source, after) = match &field.source {
            Says::Nothing => ("nothing", None),
            Says::Same => ("same", None),
            Says::Other(value) => ("other", Side::of(value, field.shown, values).value()),
            Says::Invalid => ("invalid", None),
        };
        array.entry(&ChangeEntry {
            field: Some(&field.field),
            before_state: Some(before.state()),
            before: before.value(),
            now: now.value(),
            source: Some(source),
            after,
            hidden: now == Side::Hidden,
            ..ChangeEntry::of(
                &drift.lane,
                &drift.key,
                Some(drift.line),
                &drift.remote_id,
                outcome,
                "drift",
            )
        })
    })
}

fn write_row(
    array: &mut ArrayWriter<'_>,
    row: &RowDetail,
    values: Values,
) -> Result<(), ReportError> {
    for change in &row.draft.changes {
        array.entry(&if row.is_kept(&change.field) {
            ChangeEntry::kept(row, change)
        } else {
            ChangeEntry::change(row, change, values)
        })?;
    }
    for extra in &row.draft.extras {
        array.entry(&ChangeEntry::extra(row, extra, values))?;
    }
    for withheld in &row.draft.withheld {
        array.entry(&ChangeEntry {
            field: Some(&withheld.field),
            while_false: Some(&withheld.while_false),
            ..ChangeEntry::new(row, "withheld")
        })?;
    }
    for unit in &row.draft.carried {
        array.entry(&ChangeEntry {
            unit: Some(unit),
            ..ChangeEntry::new(row, "carried")
        })?;
    }
    Ok(())
}
