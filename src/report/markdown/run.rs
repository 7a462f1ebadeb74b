//! One run in full as Markdown: its head, its rows by outcome, and the first
//! rows with every request that was sent for them.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write;

use crate::core::Scope;
use crate::report::model::ReportError;
use crate::report::runs::{OutcomeLine, RunDetail, exit, hide, in_words};
use crate::report::value::Values;
use crate::report::words::length;

use super::List;
use super::code::code;
use super::sections::totals;

/// Writes one run in full as Markdown.
pub fn write_run_markdown<O, E>(
    out: &mut dyn Write,
    run: &RunDetail,
    values: Values,
    outcomes: O,
) -> Result<(), ReportError>
where
    O: IntoIterator<Item = Result<OutcomeLine, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let head = head(run);
    out.write_all(head.as_bytes())?;
    let mut list = List::after(length(head.len()));
    let told = outcomes.into_iter().try_for_each(|outcome| {
        let mut outcome = outcome.map_err(|error| ReportError::Details(error.into()))?;
        if values == Values::Hidden {
            hide(&mut outcome);
        }
        list.entry(out, || block(&outcome))
    });
    list.end(out, "row", "rows", &told)?;
    out.flush()?;
    told
}

fn head(detail: &RunDetail) -> String {
    let run = &detail.run;
    let scope = match run.scope {
        Scope::Whole => "the whole population",
        Scope::Partial => "a part of the population",
    };
    let mut text = format!("## Run {}\n\n", code(&run.run_id));
    let facts = [
        ("command", Some(code(&run.command))),
        ("started", Some(code(&run.started))),
        (
            "ended",
            Some(run.ended.as_deref().map_or("not ended".to_owned(), code)),
        ),
        ("exit", Some(code(&exit(run.exit.as_ref())))),
        ("plan", detail.plan_id.as_deref().map(code)),
        ("source", Some(scope.to_owned())),
        ("SHA-256", detail.source_sha256.as_deref().map(code)),
        ("version", Some(code(&detail.tool_version))),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "- {name}: {fact}");
        }
    }
    totals(&mut text, run.providers.iter());
    text
}

fn block(outcome: &OutcomeLine) -> String {
    let mut place = Vec::new();
    place.extend(outcome.remote_id.as_deref().map(code));
    place.extend(outcome.line.map(|line| format!("line {line}")));
    let place = if place.is_empty() {
        String::new()
    } else {
        format!(" ({})", place.join(", "))
    };
    let (key, provider) = (code(outcome.key.as_str()), code(&outcome.provider));
    let message = match &outcome.message {
        Some(message) => format!(": {}", code(message)),
        None => String::new(),
    };
    let became = outcome.outcome;
    let mut text = format!("- {key} at {provider}{place}: {became}{message}\n");
    for attempt in &outcome.attempts {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  - {}", in_words(attempt, code));
    }
    text
}
