//! What stands below the rows: problems by cause, guards, totals, the last line.

use std::fmt::Write as _;

use crate::core::{FieldPath, LaneCounts, Outcome, Problem, Ruling, SkipReason};
use crate::report::collect::MAX_PLACES;
use crate::report::escape::escape;
use crate::report::model::{LaneReport, Place, ProblemGroup, Report, quotes_provider};
use crate::report::paint::{Colour, Paint};
use crate::report::table::{Align, Table};
use crate::report::value::{self, Values, WORDS_HIDDEN};
use crate::report::words::{counted, duration, length, number, rows};

use super::{Part, Style};

/// All sections and the last line.
pub(super) fn all(report: &Report, style: Style) -> String {
    let mut text = String::new();
    problems(&mut text, report, style);
    if style.part != Part::Outcome {
        guards(&mut text, report, style.colour);
    }
    if matches!(style.part, Part::Whole | Part::Plan | Part::Drift) {
        fields(&mut text, report, style);
    }
    totals(&mut text, report, style);
    if style.part == Part::Drift
        && report
            .providers
            .values()
            .any(|l| !l.field_changes.is_empty())
    {
        text.push_str("\nNothing was changed. `adopt --from provider` takes over what the providers hold; after it `plan` shows what the file would change back.\n");
    }
    if style.part != Part::Plan {
        text.push('\n');
    }
    text.push_str(&last_line(report, style));
    text
}

/// The last line: the exit code and its name.
pub(super) fn last_line(report: &Report, style: Style) -> String {
    if style.part == Part::Plan {
        return String::new();
    }
    let line = format!("exit {} {}", report.exit.code, escape(&report.exit.name));
    let paint = if report.exit.code == 0 {
        Paint::Green
    } else {
        Paint::Red
    };
    format!("{}\n", style.colour.paint(paint, &line))
}

/// The parts that the rows of a lane add up from.
pub(in crate::report) fn parts(counts: &LaneCounts) -> [(&'static str, u64); 8] {
    [
        ("unchanged", counts.unchanged),
        ("planned", counts.planned),
        ("updated", counts.updated),
        ("rejected", counts.rejected),
        ("failed", counts.failed),
        ("in doubt", counts.in_doubt),
        ("invalid", counts.invalid),
        ("skipped", counts.skipped_total()),
    ]
}

fn heading(text: &mut String, colour: Colour, title: &str) {
    text.push('\n');
    line(text, "", &colour.paint(Paint::Bold, title));
}

fn line(text: &mut String, indent: &str, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indent}{content}");
}

fn problems(text: &mut String, report: &Report, style: Style) {
    // Rows that were merely skipped were told with the plan.
    let skipped = |group: &&ProblemGroup| {
        matches!(
            group.outcome,
            Some(Outcome::Skipped(SkipReason::Unlinked | SkipReason::Limit))
        )
    };
    let groups: Vec<&ProblemGroup> = report
        .problem_groups
        .iter()
        .filter(|group| style.part != Part::Outcome || !skipped(group))
        .collect();
    let warnings: &[Problem] = if style.part == Part::Outcome {
        &[]
    } else {
        &report.warnings
    };
    if groups.is_empty() && warnings.is_empty() {
        return;
    }
    heading(text, style.colour, "Problems");
    for group in groups {
        problem_group(text, group, style);
    }
    if report.problems_not_grouped > 0 {
        let more = counted(report.problems_not_grouped, "problem", "problems");
        line(
            text,
            "  ",
            &format!("{more} of further causes: the JSON report lists all"),
        );
    }
    for warning in warnings {
        line(text, "  ", &format!("warning: {}", told(warning)));
    }
}

fn problem_group(text: &mut String, group: &ProblemGroup, style: Style) {
    let (mark, paint) = match group.outcome {
        Some(Outcome::InDoubt) => ("?", Paint::Magenta),
        Some(Outcome::Skipped(_) | Outcome::Updated | Outcome::Unchanged | Outcome::Planned) => {
            (" ", Paint::Dim)
        }
        _ if group.code.starts_with("W_") => (" ", Paint::Dim),
        _ => ("!", Paint::Red),
    };
    let hidden = style.values == Values::Hidden && quotes_provider(group.outcome);
    let message = if hidden {
        WORDS_HIDDEN.to_owned()
    } else {
        value::foreign(&group.message)
    };
    let is_of_records = group.first.iter().all(|place| place.line.is_none());
    let rows = match group.rows {
        0 => String::new(),
        n if is_of_records => format!("{}: ", counted(n, "record", "records")),
        n => format!("{}: ", rows(n)),
    };
    let subject = subject(group.column.as_deref(), group.field.as_ref());
    let code = escape(&group.code);
    let at = match &group.provider {
        Some(provider) => format!("({}, {code})", escape(provider)),
        None => format!("({code})"),
    };
    let new = if group.new == Some(true) {
        style
            .colour
            .paint(Paint::Yellow, "  new since the last run")
    } else {
        String::new()
    };
    let content = format!(
        "{} {rows}{subject}{message}  {}{new}",
        style.colour.paint(paint, mark),
        style.colour.paint(Paint::Dim, &at)
    );
    line(text, "", &content);
    for place in group.first.iter().take(MAX_PLACES) {
        line(text, "    ", &placed(place));
    }
    let more = group.rows.saturating_sub(length(group.first.len()));
    if more > 0 {
        let more = format!("... and {} more: the JSON report lists all", number(more));
        line(text, "    ", &more);
    }
}

/// The column, and the field where the provider names it otherwise.
fn subject(column: Option<&str>, field: Option<&FieldPath>) -> String {
    let field = field.map(ToString::to_string);
    let subject = match (column, field) {
        (Some(column), Some(field)) if column != field => format!("{column} ({field}): "),
        (Some(column), _) => format!("{column}: "),
        (None, Some(field)) => format!("{field}: "),
        (None, None) => String::new(),
    };
    escape(&subject).into_owned()
}

fn placed(place: &Place) -> String {
    let line = place.line.map(|line| format!("line {line}"));
    let key = place
        .key
        .as_ref()
        .map(|key| escape(key.as_str()).into_owned());
    let id = place
        .remote_id
        .as_ref()
        .map(|id| format!("record {}", escape(id)));
    [line, key, id]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("  ")
}

fn told(problem: &Problem) -> String {
    let line = match problem.line {
        Some(line) => format!("line {line}: "),
        None => String::new(),
    };
    format!(
        "{line}{}{}  ({})",
        subject(problem.column.as_deref(), problem.field.as_ref()),
        value::foreign(&problem.message),
        escape(&problem.code)
    )
}

fn guards(text: &mut String, report: &Report, colour: Colour) {
    if report.guards.is_empty() && report.allowed.is_empty() {
        return;
    }
    heading(text, colour, "Guards");
    let refused = |ruling| ruling == Ruling::Refused;
    for verdict in report.guards.iter().filter(|v| refused(v.ruling)) {
        let lane = match &verdict.lane {
            Some(lane) => format!(" ({})", escape(lane)),
            None => String::new(),
        };
        let content = format!(
            "{} {}{lane} refuses the plan: {}",
            colour.paint(Paint::Red, "!"),
            escape(&verdict.guard),
            value::foreign(&verdict.message)
        );
        line(text, "", &content);
    }
    let passed = report.guards.iter().filter(|v| !refused(v.ruling)).count();
    if passed > 0 {
        line(text, "  ", &format!("{} passed", number(length(passed))));
    }
    for allowed in &report.allowed {
        let allowed = format!("allowed for this plan: {}", escape(allowed));
        line(text, "  ", &allowed);
    }
}

fn fields(text: &mut String, report: &Report, style: Style) {
    let colour = style.colour;
    if report
        .providers
        .values()
        .all(|l| l.field_changes.is_empty())
    {
        return;
    }
    let title = if style.part == Part::Drift {
        "Drifted records, by field"
    } else {
        "Changed records, by field"
    };
    heading(text, colour, title);
    for (name, lane) in &report.providers {
        if lane.field_changes.is_empty() {
            continue;
        }
        let fields: Vec<String> = lane
            .field_changes
            .iter()
            .map(|(field, n)| {
                let new = if lane.new_fields.contains(field) {
                    " (new field)"
                } else {
                    ""
                };
                format!("{} {}{new}", escape(&field.to_string()), number(*n))
            })
            .collect();
        line(
            text,
            "  ",
            &format!("{}: {}", escape(name), fields.join(", ")),
        );
    }
}

fn totals(text: &mut String, report: &Report, style: Style) {
    let colour = style.colour;
    if report.providers.is_empty() {
        return;
    }
    let lanes: Vec<(&String, &LaneCounts)> = report
        .providers
        .iter()
        .map(|(name, lane)| (name, &lane.counts))
        .collect();
    // A column that is zero everywhere is left out: sums stay the same.
    let columns: Vec<usize> = (0..8)
        .filter(|&c| c == 0 || lanes.iter().any(|(_, counts)| parts(counts)[c].1 > 0))
        .collect();
    let names = parts(&LaneCounts::default()).map(|(name, _)| name);
    let head = ["Totals", "rows"]
        .into_iter()
        .chain(columns.iter().map(|&c| names[c]))
        .enumerate()
        .map(|(i, name)| (name, if i == 0 { Align::Left } else { Align::Right }));
    let mut table = Table::new(head);
    let mut sums = vec![0_u64; columns.len() + 1];
    for (name, counts) in &lanes {
        let numbers: Vec<u64> = std::iter::once(counts.rows)
            .chain(columns.iter().map(|&c| parts(counts)[c].1))
            .collect();
        for (sum, n) in sums.iter_mut().zip(&numbers) {
            *sum += n;
        }
        row(&mut table, name, &numbers);
    }
    if lanes.len() > 1 {
        row(&mut table, "all", &sums);
    }
    text.push('\n');
    for (index, content) in table.text().iter().enumerate() {
        let paint = |content: &str| colour.paint(Paint::Bold, content);
        let content = if index == 0 {
            paint(content)
        } else {
            content.clone()
        };
        line(text, "", &content);
    }
    for (name, lane) in &report.providers {
        for remark in remarks(lane, style.values) {
            line(text, "", &format!("{}: {remark}", escape(name)));
        }
    }
}

fn row(table: &mut Table, name: &str, numbers: &[u64]) {
    let cells: Vec<String> = numbers.iter().map(|n| number(*n)).collect();
    table.row(std::iter::once(name).chain(cells.iter().map(String::as_str)));
}

/// What the table does not say of a lane.
fn remarks(lane: &LaneReport, values: Values) -> Vec<String> {
    let counts = &lane.counts;
    let mut remarks = Vec::new();
    if !counts.skipped.is_empty() {
        let reasons: Vec<String> = counts
            .skipped
            .iter()
            .map(|(reason, n)| format!("{} {}", number(*n), escape(reason)))
            .collect();
        remarks.push(format!("skipped: {}", reasons.join(", ")));
    }
    if counts.absent > 0 {
        let known = counted(counts.absent, "known client is", "known clients are");
        remarks.push(format!("{known} not in the file"));
    }
    if let Some(estimate) = lane.estimate.filter(|estimate| estimate.requests > 0) {
        remarks.push(format!(
            "applying it takes about {} and {}",
            counted(estimate.requests, "request", "requests"),
            duration(estimate.seconds)
        ));
    }
    if counts.requests > 0 {
        let retries = match counts.retries {
            0 => String::new(),
            n => format!(", {} of them repeated", number(n)),
        };
        let requests = counted(counts.requests, "request", "requests");
        remarks.push(format!("{requests} sent{retries}"));
    }
    let waiting = &lane.waiting;
    if waiting.waited_seconds > 0 {
        remarks.push(format!("waited {}", duration(waiting.waited_seconds)));
    }
    if let Some(left) = waiting.budget_left {
        let left = counted(left, "request", "requests");
        remarks.push(format!("{left} of the budget left"));
    }
    if let Some(stopped) = &lane.stopped {
        let why = if values == Values::Hidden {
            WORDS_HIDDEN.to_owned()
        } else {
            value::foreign(stopped)
        };
        remarks.push(format!("stopped early: {why}"));
    }
    if let Some(at) = &waiting.resume_at {
        remarks.push(format!("the next run may go on from {}", escape(at)));
    }
    remarks
}
