//! One row of a text report: what is planned for it, and what became of it.

use std::fmt::Write as _;

use crate::core::{Change, FieldPath, Outcome, Pointer, Push, ReadReason, Travels, When};
use crate::report::escape::escape;
use crate::report::model::{RowDetail, quotes_provider};
use crate::report::paint::Paint;
use crate::report::value::{self, KEPT_WORDS, Values, WORDS_HIDDEN};
use crate::report::words::counted;

use super::Style;

/// The longest field name that others are aligned to.
pub(super) const WIDEST: usize = 40;

/// The lines of one row, each with its line end.
pub(super) fn block(row: &RowDetail, run: bool, style: Style) -> String {
    let colour = style.colour;
    let (mark, paint) = mark(row.push, row.outcome);
    let mut text = format!(
        "{} {}  {} {}  {}",
        colour.paint(paint, mark),
        colour.paint(Paint::Bold, &escape(row.key.as_str())),
        escape(&row.provider),
        escape(&row.remote_id),
        colour.paint(Paint::Dim, &place(row.line)),
    );
    if run {
        let outcome = match row.outcome {
            Outcome::Planned => "not yet attempted".to_owned(),
            Outcome::Unchanged if row.draft.changes.iter().any(|c| row.is_kept(&c.field)) => {
                "unchanged: nothing was left to send".to_owned()
            }
            Outcome::Unchanged => "unchanged: the provider held it already".to_owned(),
            Outcome::InDoubt => "in doubt".to_owned(),
            other => other.to_string(),
        };
        push(&mut text, "  ", &colour.paint(paint, &outcome));
    }
    text.push('\n');
    fields(&mut text, row, style);
    for unit in &row.draft.carried {
        let rest = format!("carried from the read: the rest of {}", named(unit));
        line(&mut text, &colour.paint(Paint::Dim, &rest));
    }
    if row.draft.read.contains(&ReadReason::Together) {
        let why = "read first: its group needs a member that this row has no value for";
        line(&mut text, &colour.paint(Paint::Dim, why));
    }
    if !row.draft.expected.is_empty() {
        let names: Vec<String> = row
            .draft
            .expected
            .iter()
            .map(|(field, _)| safe(field))
            .collect();
        let checked = format!("checked, never sent: {}", names.join(", "));
        line(&mut text, &colour.paint(Paint::Dim, &checked));
    }
    answer(&mut text, row, style);
    text
}

fn mark(push: Push, outcome: Outcome) -> (&'static str, Paint) {
    match (outcome, push) {
        (Outcome::Unchanged, _) => ("=", Paint::Dim),
        (Outcome::Invalid | Outcome::Rejected | Outcome::Failed, _) => ("!", Paint::Red),
        (Outcome::InDoubt, _) => ("?", Paint::Magenta),
        (Outcome::Skipped(_), _) => (" ", Paint::Dim),
        (Outcome::Planned | Outcome::Updated, Push::First) => ("+", Paint::Green),
        (Outcome::Planned | Outcome::Updated, Push::Update) => ("~", Paint::Yellow),
    }
}

fn place(line: Option<u64>) -> String {
    line.map_or_else(
        || "(not in the file)".to_owned(),
        |line| format!("(line {line})"),
    )
}

fn fields(text: &mut String, row: &RowDetail, style: Style) {
    let draft = &row.draft;
    let dim = |label: String| style.colour.paint(Paint::Dim, &label);
    let mut lines: Vec<(String, String)> = Vec::new();
    for change in &draft.changes {
        if row.is_kept(&change.field) {
            lines.push((safe(&change.field), dim(format!("({KEPT_WORDS})"))));
            continue;
        }
        lines.push((safe(&change.field), changed(change, style)));
    }
    for extra in &draft.extras {
        let because = match &extra.because {
            Travels::Whole(unit) => format!("because {} is sent whole", named(unit)),
            Travels::Together(first) => {
                format!("because the group of {} is sent together", named(first))
            }
        };
        let label = dim(format!("(sent with it, {because})"));
        let value = value::extra(extra, style.values);
        lines.push((safe(&extra.field), format!("{value}  {label}")));
    }
    for withheld in &draft.withheld {
        let label = format!("(not sent while {} is false)", named(&withheld.while_false));
        lines.push((safe(&withheld.field), dim(label)));
    }
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count().min(WIDEST))
        .max()
        .unwrap_or(0);
    for (name, rest) in lines {
        line(text, &format!("{name:<width$}  {rest}"));
    }
}

fn changed(change: &Change, style: Style) -> String {
    let mut text = value::transition(change, style.values);
    if change.when == When::Blank {
        let label = style.colour.paint(Paint::Dim, "(only if blank)");
        push(&mut text, "  ", &label);
    }
    text
}

/// What the provider said, or that it said nothing.
fn answer(text: &mut String, row: &RowDetail, style: Style) {
    if !quotes_provider(Some(row.outcome)) {
        return;
    }
    let said: Vec<String> = match &row.message {
        _ if style.values == Values::Hidden => vec![WORDS_HIDDEN.to_owned()],
        Some(message) => vec![value::foreign(message)],
        None => row
            .problem_details()
            .iter()
            .map(|detail| value::foreign(&detail.problem.message))
            .collect(),
    };
    let mut facts = Vec::new();
    if let Some(status) = row.status {
        facts.push(format!("status {status}"));
    }
    if let Some(id) = &row.provider_request_id {
        facts.push(format!("request id {}", value::foreign(id)));
    }
    facts.push(counted(u64::from(row.attempts), "attempt", "attempts"));
    let facts = style
        .colour
        .paint(Paint::Dim, &format!("({})", facts.join(", ")));
    line(
        text,
        &format!("{}: {}  {facts}", speaker(row.outcome), said.join("; ")),
    );
}

/// Who says what stands beside an outcome.
pub(in crate::report) fn speaker(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Rejected => "the provider said",
        Outcome::InDoubt => "in doubt",
        _ => "failed",
    }
}

/// A wire unit as a reader names it.
pub(in crate::report) fn named(unit: &Pointer) -> String {
    if unit.tokens().is_empty() {
        "the record".to_owned()
    } else {
        safe(&FieldPath::new(unit.tokens().to_vec()))
    }
}

fn safe(field: &FieldPath) -> String {
    escape(&field.to_string()).into_owned()
}

fn push(text: &mut String, gap: &str, more: &str) {
    text.push_str(gap);
    text.push_str(more);
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    {content}");
}
