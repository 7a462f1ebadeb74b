//! One record of a Markdown report: what is planned for it and what became of
//! it, as an entry of a list.

use std::fmt::Write as _;

use crate::core::{Drift, DriftedField, Outcome, Pointer, Push, ReadReason, Says, Travels, When};
use crate::report::model::{RowDetail, quotes_provider};
use crate::report::text::{named, speaker};
use crate::report::value::{self, KEPT_WORDS, Values, WORDS_HIDDEN};
use crate::report::words::counted;

use super::code::{code, span};

/// The lines of one record, each with its line end.
pub(super) fn block(row: &RowDetail, run: bool, values: Values) -> String {
    let became = match (run, row.outcome, row.push) {
        (true, Outcome::Planned, _) => "not yet attempted".to_owned(),
        (true, Outcome::InDoubt, _) => "in doubt".to_owned(),
        (true, other, _) => other.to_string(),
        (false, _, Push::First) => "first push".to_owned(),
        (false, _, Push::Update) => "update".to_owned(),
    };
    let (key, lane) = (code(row.key.as_str()), code(&row.provider));
    let place = place(&row.remote_id, row.line);
    let mut text = format!("- {key} at {lane} ({place}): {became}\n");
    fields(&mut text, row, values);
    remarks(&mut text, row);
    answer(&mut text, row, values);
    text
}

/// The lines of one record that drifted.
pub(super) fn drifted(drift: &Drift, values: Values) -> String {
    let (key, lane) = (code(drift.key.as_str()), code(&drift.lane));
    let place = place(&drift.remote_id, Some(drift.line));
    let mut text = format!("- {key} at {lane} ({place}): drifted\n");
    for drifted in &drift.fields {
        let DriftedField { shown, .. } = *drifted;
        let sides = value::sides(&drifted.acknowledged, &drifted.now, shown, values);
        let [acknowledged, now] = sides.map(|side| span(&side));
        let says = match &drifted.source {
            Says::Nothing => "says nothing".to_owned(),
            Says::Same => "says the same".to_owned(),
            Says::Other(wanted) => {
                format!("says {}", span(&value::shown(wanted, shown, values)))
            }
            Says::Invalid => "has a row that cannot be used".to_owned(),
        };
        let field = code(&drifted.field.to_string());
        let held = format!("{field}: {acknowledged} → {now} (the file {says})");
        line(&mut text, &held);
    }
    text
}

fn place(remote_id: &str, line: Option<u64>) -> String {
    let line = line.map_or_else(
        || "not in the file".to_owned(),
        |line| format!("line {line}"),
    );
    format!("{}, {line}", code(remote_id))
}

fn fields(text: &mut String, row: &RowDetail, values: Values) {
    for change in &row.draft.changes {
        if row.is_kept(&change.field) {
            let field = code(&change.field.to_string());
            line(text, &format!("{field}: {KEPT_WORDS}"));
            continue;
        }
        let sides = value::sides(&change.before, &change.after, change.shown, values);
        let [before, after] = sides.map(|side| span(&side));
        let when = match change.when {
            When::Always => "",
            When::Blank => " (only if blank)",
        };
        let field = code(&change.field.to_string());
        line(text, &format!("{field}: {before} → {after}{when}"));
    }
    for extra in &row.draft.extras {
        let because = match &extra.because {
            Travels::Whole(at) => format!("{} is sent whole", unit(at)),
            Travels::Together(first) => format!("the group of {} is sent together", unit(first)),
        };
        let (field, value) = (code(&extra.field.to_string()), value::extra(extra, values));
        let value = span(&value);
        line(
            text,
            &format!("{field}: {value} (sent with it, because {because})"),
        );
    }
    for withheld in &row.draft.withheld {
        let (field, flag) = (
            code(&withheld.field.to_string()),
            unit(&withheld.while_false),
        );
        line(text, &format!("{field}: not sent while {flag} is false"));
    }
}

fn remarks(text: &mut String, row: &RowDetail) {
    for at in &row.draft.carried {
        let rest = format!("carried from the read: the rest of {}", unit(at));
        line(text, &rest);
    }
    if row.draft.read.contains(&ReadReason::Together) {
        let why = "read first: its group needs a member that this row has no value for";
        line(text, why);
    }
    if !row.draft.expected.is_empty() {
        let expected = row.draft.expected.iter();
        let names: Vec<String> = expected
            .map(|(field, _)| code(&field.to_string()))
            .collect();
        line(text, &format!("checked, never sent: {}", names.join(", ")));
    }
}

/// What the provider said, or that it said nothing.
fn answer(text: &mut String, row: &RowDetail, values: Values) {
    if !quotes_provider(Some(row.outcome)) {
        return;
    }
    let said: Vec<String> = match &row.message {
        _ if values == Values::Hidden => vec![WORDS_HIDDEN.to_owned()],
        Some(message) => vec![code(message)],
        None => {
            let problems = row.problem_details();
            problems.iter().map(|d| code(&d.problem.message)).collect()
        }
    };
    let mut facts = Vec::new();
    if let Some(status) = row.status {
        facts.push(format!("status {status}"));
    }
    if let Some(id) = &row.provider_request_id {
        facts.push(format!("request id {}", code(id)));
    }
    facts.push(counted(u64::from(row.attempts), "attempt", "attempts"));
    let (who, said, facts) = (speaker(row.outcome), said.join("; "), facts.join(", "));
    line(text, &format!("{who}: {said} ({facts})"));
}

fn unit(at: &Pointer) -> String {
    span(&named(at))
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  - {content}");
}
