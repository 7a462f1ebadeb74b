//! What stands above the records: the headline, totals, guards, fields and
//! causes. Each list is bounded and says what it leaves out.

use std::fmt::Write as _;

use crate::core::{FieldPath, GuardVerdict, LaneCounts, Problem, Ruling, Scope};
use crate::report::headline::{changed_by_field, headline, rows_or_records, shows_changes};
use crate::report::model::{LaneReport, Place, ProblemGroup, Report, quotes_provider};
use crate::report::text::parts;
use crate::report::value::{Values, WORDS_HIDDEN};
use crate::report::words::{counted, duration, length, number, rows};

use super::code::{cell, code};

/// How many fields, causes and warnings are listed, each.
const MOST: usize = 40;

/// How many rows of a cause are named.
const PLACES: usize = 5;

/// Everything above the records.
pub(super) fn all(report: &Report, values: Values) -> String {
    let headline = headline(report);
    let mut text = format!("## {}\n\n**{}**\n", headline.title, headline.sentence);
    source(&mut text, report);
    totals(
        &mut text,
        report
            .providers
            .iter()
            .map(|(name, lane)| (name, &lane.counts)),
    );
    lanes(&mut text, report, values);
    guards(&mut text, report);
    if shows_changes(report) {
        fields(&mut text, report);
    }
    problems(&mut text, report, values);
    text
}

fn paragraph(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{content}");
}

fn heading(text: &mut String, title: &str) {
    paragraph(text, &format!("### {title}\n"));
}

fn item(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "- {content}");
}

/// Says how much a bounded list leaves out.
fn more(text: &mut String, all: usize, shown: usize, one: &str, many: &str) {
    let left = all.saturating_sub(shown);
    if left > 0 {
        let left = counted(length(left), one, many);
        item(
            text,
            &format!("and {left}: the HTML or JSON report lists all"),
        );
    }
}

fn source(text: &mut String, report: &Report) {
    let scope = match report.scope {
        Scope::Whole => "the whole population",
        Scope::Partial => "a part of the population",
    };
    let mut facts = vec![format!("command {}", code(&report.command))];
    facts.extend(report.run_id.as_ref().map(|id| format!("run {}", code(id))));
    facts.extend(
        report
            .plan_id
            .as_ref()
            .map(|id| format!("plan {}", code(id))),
    );
    facts.push(match (&report.run_id, &report.ended) {
        (None, _) => format!("made {}", code(&report.started)),
        (Some(_), Some(ended)) => format!("{} to {}", code(&report.started), code(ended)),
        (Some(_), None) => format!("{}, not ended", code(&report.started)),
    });
    facts.push(format!("source: {}, {scope}", rows(report.source.rows)));
    if !report.source.sha256.is_empty() {
        facts.push(format!("SHA-256 {}", code(&report.source.sha256)));
    }
    paragraph(text, &facts.join(", "));
}

/// The table of rows by outcome; a column that is zero everywhere is left out.
pub(super) fn totals<'a>(
    text: &mut String,
    lanes: impl Iterator<Item = (&'a String, &'a LaneCounts)>,
) {
    let lanes: Vec<_> = lanes.collect();
    if lanes.is_empty() {
        return;
    }
    let counted = |c: usize| lanes.iter().any(|(_, counts)| parts(counts)[c].1 > 0);
    let columns: Vec<usize> = (0..8).filter(|&c| c == 0 || counted(c)).collect();
    let names = parts(&LaneCounts::default()).map(|(name, _)| name);
    let head: Vec<&str> = columns.iter().map(|&c| names[c]).collect();
    paragraph(text, &format!("| provider | rows | {} |", head.join(" | ")));
    item_of_table(
        text,
        "| --- | ---: |",
        &vec!["---:".to_owned(); columns.len()],
    );
    for (name, counts) in lanes {
        let parts = parts(counts);
        let numbers: Vec<String> = columns.iter().map(|&c| number(parts[c].1)).collect();
        let lead = format!("| {} | {} |", cell(name), number(counts.rows));
        item_of_table(text, &lead, &numbers);
    }
}

fn item_of_table(text: &mut String, lead: &str, cells: &[String]) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{lead} {} |", cells.join(" | "));
}

fn lanes(text: &mut String, report: &Report, values: Values) {
    if !report.providers.is_empty() {
        text.push('\n');
    }
    for (name, lane) in &report.providers {
        let mut facts = vec![format!("{} at {}", code(name), code(&lane.target))];
        facts.extend(remarks(lane, values));
        item(text, &facts.join("; "));
    }
}

/// What the table does not say of a lane.
fn remarks(lane: &LaneReport, values: Values) -> Vec<String> {
    let counts = &lane.counts;
    let skipped = counts.skipped.iter();
    let mut remarks: Vec<String> = skipped
        .map(|(reason, n)| format!("{} skipped: {}", number(*n), code(reason)))
        .collect();
    if counts.absent > 0 {
        let known = counted(counts.absent, "known client is", "known clients are");
        remarks.push(format!("{known} not in the file"));
    }
    if let Some(estimate) = lane.estimate.filter(|estimate| estimate.requests > 0) {
        let requests = counted(estimate.requests, "request", "requests");
        let takes = duration(estimate.seconds);
        remarks.push(format!("applying it takes about {requests} and {takes}"));
    }
    if counts.requests > 0 {
        let requests = counted(counts.requests, "request", "requests");
        let repeated = number(counts.retries);
        remarks.push(format!("{requests} sent, {repeated} of them repeated"));
    }
    if let Some(stopped) = &lane.stopped {
        let why = match values {
            Values::Hidden => WORDS_HIDDEN.to_owned(),
            Values::Shown => code(stopped),
        };
        remarks.push(format!("**stopped early**: {why}"));
    }
    remarks
}

fn guards(text: &mut String, report: &Report) {
    if report.guards.is_empty() && report.allowed.is_empty() {
        return;
    }
    heading(text, "Guards");
    let refused = |verdict: &&GuardVerdict| verdict.ruling == Ruling::Refused;
    for verdict in report.guards.iter().filter(refused) {
        let lane = match &verdict.lane {
            Some(lane) => format!(" ({})", code(lane)),
            None => String::new(),
        };
        let (guard, message) = (code(&verdict.guard), code(&verdict.message));
        item(text, &format!("**refused** by {guard}{lane}: {message}"));
    }
    let passed = report.guards.iter().filter(|v| !refused(v)).count();
    if passed > 0 {
        item(text, &format!("{} passed", number(length(passed))));
    }
    for allowed in &report.allowed {
        item(text, &format!("allowed for this plan: {}", code(allowed)));
    }
}

fn fields(text: &mut String, report: &Report) {
    let fields: Vec<(&String, &LaneReport, &FieldPath, u64)> = report
        .providers
        .iter()
        .flat_map(|(name, lane)| {
            let fields = lane.field_changes.iter();
            fields.map(move |(field, n)| (name, lane, field, *n))
        })
        .collect();
    if fields.is_empty() {
        return;
    }
    heading(text, changed_by_field(report));
    text.push_str("| provider | field | records |\n| --- | --- | ---: |\n");
    for (name, lane, field, n) in fields.iter().take(MOST) {
        let new = if lane.new_fields.contains(field) {
            " (new field)"
        } else {
            ""
        };
        let lead = format!("| {} | {}{new} |", cell(name), cell(&field.to_string()));
        item_of_table(text, &lead, &[number(*n)]);
    }
    if fields.len() > MOST {
        text.push('\n');
        more(text, fields.len(), MOST, "more field", "more fields");
    }
}

fn problems(text: &mut String, report: &Report, values: Values) {
    if report.problem_groups.is_empty() && report.warnings.is_empty() {
        return;
    }
    heading(text, "Problems");
    for group in report.problem_groups.iter().take(MOST) {
        problem_group(text, group, values);
    }
    let ungrouped = usize::try_from(report.problems_not_grouped).unwrap_or(usize::MAX);
    let causes = report.problem_groups.len();
    more(text, causes, MOST, "more cause", "more causes");
    more(
        text,
        ungrouped,
        0,
        "problem of further causes",
        "problems of further causes",
    );
    for warning in report.warnings.iter().take(MOST) {
        item(text, &format!("warning: {}", told(warning)));
    }
    more(
        text,
        report.warnings.len(),
        MOST,
        "more warning",
        "more warnings",
    );
}

fn problem_group(text: &mut String, group: &ProblemGroup, values: Values) {
    let hidden = values == Values::Hidden && quotes_provider(group.outcome);
    let message = if hidden {
        WORDS_HIDDEN.to_owned()
    } else {
        code(&group.message)
    };
    let rows = match group.rows {
        0 => String::new(),
        n => format!("**{}**: ", rows_or_records(group, n)),
    };
    let subject = subject(group.column.as_deref(), group.field.as_ref());
    let lane = match &group.provider {
        Some(provider) => format!("{}, ", code(provider)),
        None => String::new(),
    };
    let new = if group.new == Some(true) {
        ", new since the last run"
    } else {
        ""
    };
    let id = code(&group.code);
    item(text, &format!("{rows}{subject}{message} ({lane}{id}{new})"));
    let places: Vec<String> = group.first.iter().take(PLACES).map(placed).collect();
    if !places.is_empty() {
        let places = places.join(", ");
        let left = group
            .rows
            .saturating_sub(length(PLACES.min(group.first.len())));
        let left = match left {
            0 => String::new(),
            n => format!(", and {} more", number(n)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  - {places}{left}");
    }
}

/// The column, and the field where the provider names it otherwise.
fn subject(column: Option<&str>, field: Option<&FieldPath>) -> String {
    let field = field.map(ToString::to_string);
    match (column, field) {
        (Some(column), Some(field)) if column != field => {
            format!("{} ({}): ", code(column), code(&field))
        }
        (Some(one), _) => format!("{}: ", code(one)),
        (None, Some(one)) => format!("{}: ", code(&one)),
        (None, None) => String::new(),
    }
}

fn placed(place: &Place) -> String {
    let line = place.line.map(|line| format!("line {line}"));
    let key = place.key.as_ref().map(|key| code(key.as_str()));
    let id = place.remote_id.as_ref();
    let id = id.map(|id| format!("record {}", code(id)));
    let parts: Vec<String> = [line, key, id].into_iter().flatten().collect();
    parts.join(" ")
}

fn told(problem: &Problem) -> String {
    let line = match problem.line {
        Some(line) => format!("line {line}: "),
        None => String::new(),
    };
    let subject = subject(problem.column.as_deref(), problem.field.as_ref());
    let (message, id) = (code(&problem.message), code(&problem.code));
    format!("{line}{subject}{message} ({id})")
}
