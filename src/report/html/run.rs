//! One run in full as HTML: its totals, and every row with the requests that
//! were sent for it.

use std::error::Error;
use std::io::Write;

use crate::core::Scope;
use crate::report::model::ReportError;
use crate::report::runs::{OutcomeLine, RunDetail, exit, hide, in_words};
use crate::report::value::{Values, foreign};

use super::page::Page;
use super::records::{Item, Kind, Records, Subject, item_of_words};
use super::{BROWSER, document, sections};

/// Writes one run in full as one HTML file.
pub fn write_run_html<O, E>(
    out: &mut dyn Write,
    run: &RunDetail,
    values: Values,
    outcomes: O,
) -> Result<(), ReportError>
where
    O: IntoIterator<Item = Result<OutcomeLine, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    document(out, "One run", |page| {
        page.markup("<header><h1>One run</h1></header>\n<main>\n")?;
        sections::totals(page, run.run.providers.iter())?;
        page.markup(BROWSER)?;
        let mut records = Records::begin(page)?;
        let told = outcomes.into_iter().try_for_each(|outcome| {
            let mut outcome = outcome.map_err(|error| ReportError::Details(error.into()))?;
            if values == Values::Hidden {
                hide(&mut outcome);
            }
            row(&mut records, &outcome)
        });
        records.end(&told)?;
        footer(page, run)?;
        Ok(told)
    })
}

fn row(records: &mut Records<'_, '_>, outcome: &OutcomeLine) -> Result<(), ReportError> {
    let subject = Subject {
        lane: Some(&outcome.provider),
        key: outcome.key.as_str(),
        line: outcome.line,
        remote_id: outcome.remote_id.as_deref(),
        outcome: Some(outcome.outcome.to_string()),
        push: None,
    };
    let said = outcome.message.as_deref().unwrap_or_default();
    let mut items: Vec<Item> = vec![item_of_words(Kind::Outcome, foreign(said))];
    let requests = outcome
        .attempts
        .iter()
        .map(|attempt| in_words(attempt, foreign));
    items.extend(requests.map(|words| item_of_words(Kind::Request, words)));
    records.row(&subject, &items)
}

fn footer(page: &mut Page<'_>, detail: &RunDetail) -> Result<(), ReportError> {
    let run = &detail.run;
    let scope = match run.scope {
        Scope::Whole => "the whole population",
        Scope::Partial => "a part of the population",
    };
    let ended = run.ended.as_deref().unwrap_or("not ended");
    let exit = exit(run.exit.as_ref());
    sections::facts(
        page,
        &[
            ("run", Some(&run.run_id)),
            ("command", Some(&run.command)),
            ("began", Some(&run.started)),
            ("ended", Some(ended)),
            ("exit", Some(&exit)),
            ("plan", detail.plan_id.as_deref()),
            ("source", Some(scope)),
            ("SHA-256 of the source", detail.source_sha256.as_deref()),
            ("clientsync", Some(&detail.tool_version)),
        ],
    )
}
