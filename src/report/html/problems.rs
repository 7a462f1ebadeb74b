//! The problems by cause, and the warnings of the whole file.

use crate::core::{FieldPath, Outcome};
use crate::report::headline::rows_or_records;
use crate::report::model::{Place, ProblemGroup, Report, ReportError, quotes_provider};
use crate::report::value::{Values, WORDS_HIDDEN, foreign};
use crate::report::words::{counted, length, number};

use super::page::Page;
use super::sections::section;

/// How many causes are listed.
const MOST: usize = 200;

/// Writes the section, if there is anything to say in it.
pub(super) fn write(
    page: &mut Page<'_>,
    report: &Report,
    values: Values,
) -> Result<(), ReportError> {
    if report.problem_groups.is_empty() && report.warnings.is_empty() {
        return Ok(());
    }
    section(page, "problems", "Problems, by cause", |page| {
        for group in report.problem_groups.iter().take(MOST) {
            cause(page, group, values)?;
        }
        let more = report.problem_groups.len().saturating_sub(MOST);
        if more > 0 {
            left_out(page, &counted(length(more), "more cause", "more causes"))?;
        }
        if report.problems_not_grouped > 0 {
            let problems = counted(report.problems_not_grouped, "problem", "problems");
            left_out(page, &format!("{problems} of further causes"))?;
        }
        page.element("ul", &[("class", "plain")], |page| {
            for warning in &report.warnings {
                let line = match warning.line {
                    Some(line) => format!("line {line}: "),
                    None => String::new(),
                };
                let subject = subject(warning.column.as_deref(), warning.field.as_ref());
                let (message, code) = (foreign(&warning.message), foreign(&warning.code));
                page.element("li", &[], |page| {
                    page.leaf("span", &[("class", "tag attention")], "warning")?;
                    page.text(&format!(" {line}{subject}{message} "))?;
                    page.leaf("code", &[], &code)
                })?;
            }
            Ok(())
        })
    })
}

fn left_out(page: &mut Page<'_>, what: &str) -> Result<(), ReportError> {
    let text = format!("and {what}: the JSON report lists all.");
    page.leaf("p", &[("class", "muted")], &text)
}

fn cause(page: &mut Page<'_>, group: &ProblemGroup, values: Values) -> Result<(), ReportError> {
    let hidden = values == Values::Hidden && quotes_provider(group.outcome);
    let message = if hidden {
        WORDS_HIDDEN.to_owned()
    } else {
        foreign(&group.message)
    };
    let subject = subject(group.column.as_deref(), group.field.as_ref());
    let tone = match group.outcome {
        Some(Outcome::Skipped(_) | Outcome::Updated | Outcome::Unchanged | Outcome::Planned) => {
            "tag"
        }
        Some(Outcome::InDoubt) => "tag attention",
        Some(Outcome::Invalid | Outcome::Rejected | Outcome::Failed) | None => "tag bad",
    };
    page.element("details", &[], |page| {
        page.element("summary", &[], |page| {
            page.leaf(
                "span",
                &[("class", tone)],
                &rows_or_records(group, group.rows),
            )?;
            page.text(&format!(" {subject}{message} "))?;
            if group.new == Some(true) {
                page.leaf(
                    "span",
                    &[("class", "tag attention")],
                    "new since the last run",
                )?;
            }
            Ok(())
        })?;
        page.element("p", &[("class", "muted")], |page| {
            if let Some(provider) = &group.provider {
                page.text(&format!("{}, ", foreign(provider)))?;
            }
            page.leaf("code", &[], &foreign(&group.code))
        })?;
        places(page, group)
    })?;
    page.markup("\n")
}

fn places(page: &mut Page<'_>, group: &ProblemGroup) -> Result<(), ReportError> {
    page.element("ul", &[("class", "places")], |page| {
        for place in &group.first {
            page.leaf("li", &[], &placed(place))?;
        }
        let more = group.rows.saturating_sub(length(group.first.len()));
        if more > 0 {
            let more = format!("and {} more: search below", number(more));
            page.leaf("li", &[("class", "muted")], &more)?;
        }
        Ok(())
    })
}

/// The column, and the field where the provider names it otherwise.
fn subject(column: Option<&str>, field: Option<&FieldPath>) -> String {
    let field = field.map(ToString::to_string);
    match (column, field) {
        (Some(column), Some(field)) if column != field => {
            format!("{} ({}): ", foreign(column), foreign(&field))
        }
        (Some(one), _) => format!("{}: ", foreign(one)),
        (None, Some(one)) => format!("{}: ", foreign(&one)),
        (None, None) => String::new(),
    }
}

fn placed(place: &Place) -> String {
    let line = place.line.map(|line| format!("line {line}"));
    let key = place.key.as_ref().map(|key| foreign(key.as_str()));
    let id = place.remote_id.as_ref();
    let id = id.map(|id| format!("record {}", foreign(id)));
    let parts: Vec<String> = [line, key, id].into_iter().flatten().collect();
    parts.join(", ")
}
