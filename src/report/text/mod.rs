//! The text report of a plan and of a run.
//!
//! Marks: `+` first push, `~` update, `=` unchanged, `!` invalid or refused,
//! `?` in doubt, and unknown where it stands for a value. Rows are written as
//! they come; nothing from outside is written unescaped.

mod drift;
mod row;
mod sections;

use std::borrow::Cow;
use std::error::Error;
use std::io::Write;

use crate::core::{LaneCounts, Scope};

use super::escape::escape;
use super::headline::{ReadBack, without_any_row};
use super::model::{Detail, Report, ReportError};
use super::paint::{Colour, Paint};
use super::value::Values;
use super::words::{number, rows};

pub(super) use row::{named, speaker};
pub(super) use sections::parts;

const LEGEND: &str =
    "+ first push  ~ update  = unchanged  ! invalid or refused  ? unknown or in doubt";

const DRIFT_LEGEND: &str =
    "acknowledged last -> held by the provider now; ? where nothing was acknowledged";

/// How a text report looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether it uses colours.
    pub colour: Colour,
    /// Whether it shows values.
    pub values: Values,
    /// Which part of the report it is.
    pub part: Part,
}

/// Which part of a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// The plan, before it is applied: no exit code yet.
    Plan,
    /// What came of a plan that was written before: only the rows to look at,
    /// their problems and the totals.
    Outcome,
    /// What is wrong with rows, and none of what would be sent.
    Check,
    /// What was adopted; nothing was to be sent.
    Adoption,
    /// What drifted at the providers; nothing was to be sent.
    Drift,
}

impl Part {
    /// What stands where no row is listed.
    fn without_rows(self, report: &Report) -> Option<Cow<'static, str>> {
        if let Some(words) = without_any_row(report).filter(|_| self != Self::Outcome) {
            return Some(words.into());
        }
        let troubled = report
            .providers
            .values()
            .any(|lane| lane.counts.troubled() > 0);
        let words = match self {
            Self::Whole | Self::Plan => "Nothing to send.",
            Self::Outcome => return None,
            Self::Check if troubled => return None,
            Self::Check => "Every row can be sent, or says nothing.",
            Self::Adoption if report.command.ends_with("provider") => {
                "Nothing was written. The snapshot has what the providers hold of the unchanged rows."
            }
            Self::Adoption => {
                "Nothing was sent. What the unchanged rows say now counts as held by their providers."
            }
            Self::Drift if report.providers.values().any(|l| l.stopped.is_some()) => return None,
            Self::Drift => return Some(ReadBack::of(report).without_drift().into()),
        };
        Some(words.into())
    }
}

/// Writes the report of a plan or of a run; of the details only the rows are
/// listed, because the problems stand grouped in the report. When the details
/// end in an error, what follows them is written all the same.
pub fn write_text<D, E>(
    out: &mut dyn Write,
    report: &Report,
    style: Style,
    details: D,
) -> Result<(), ReportError>
where
    D: IntoIterator<Item = Result<Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    if nothing_to_do(report) {
        let last = sections::last_line(report, style);
        let text = format!("{}\n{last}", idle_words(report));
        out.write_all(text.as_bytes())?;
        out.flush()?;
        return Ok(());
    }
    let mut head = head(report, style.colour);
    if style.part == Part::Outcome {
        // The plan named the source and the targets already.
        head = format!("\n{}\n", head.lines().next().unwrap_or_default());
    }
    out.write_all(head.as_bytes())?;
    let listed = list(out, report, style, details);
    if let Err(ReportError::Write(_)) = listed {
        return listed;
    }
    if let Err(error) = &listed {
        out.write_all(format!("\n{}\n", escape(&error.to_string())).as_bytes())?;
    }
    out.write_all(sections::all(report, style).as_bytes())?;
    out.flush()?;
    listed
}

fn list<D, E>(
    out: &mut dyn Write,
    report: &Report,
    style: Style,
    details: D,
) -> Result<(), ReportError>
where
    D: IntoIterator<Item = Result<Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let mut first = true;
    for detail in details {
        let detail = detail.map_err(|error| ReportError::Details(error.into()))?;
        let (legend, block) = match detail {
            Detail::Row(row) => (LEGEND, row::block(&row, report.run_id.is_some(), style)),
            Detail::Drift(drift) => (DRIFT_LEGEND, drift::block(&drift, style)),
            Detail::Problem(_) => continue,
        };
        if first {
            let legend = style.colour.paint(Paint::Dim, legend);
            out.write_all(format!("\n{legend}\n\n").as_bytes())?;
            first = false;
        }
        out.write_all(block.as_bytes())?;
    }
    if first && let Some(words) = style.part.without_rows(report) {
        out.write_all(format!("\n{words}\n").as_bytes())?;
    }
    Ok(())
}

/// What stands in place of a report of which there is nothing to tell.
fn idle_words(report: &Report) -> String {
    if let Some(words) = without_any_row(report) {
        return format!("Nothing to do. {words}");
    }
    // A narrowed run has fewer rows than the file.
    let lanes = report.providers.values().map(|lane| lane.counts.rows);
    let what = match lanes.max().unwrap_or_default() {
        1 => "what the 1 row says".to_owned(),
        n => format!("what the {} say", rows(n)),
    };
    format!("Nothing to do: every provider already holds {what}.")
}

fn nothing_to_do(report: &Report) -> bool {
    let idle = |counts: &LaneCounts| {
        counts.rows == counts.unchanged && counts.requests == 0 && counts.absent == 0
    };
    report
        .providers
        .values()
        .all(|lane| idle(&lane.counts) && lane.stopped.is_none())
        && !report.providers.is_empty()
        && report.exit.code == 0
        && report.warnings.is_empty()
        && report.problem_groups.is_empty()
}

fn head(report: &Report, colour: Colour) -> String {
    let plan = report
        .plan_id
        .as_ref()
        .map_or_else(|| "plan".to_owned(), |plan| format!("plan {plan}"));
    let of_plan = report
        .plan_id
        .as_ref()
        .map_or_else(String::new, |_| format!(" of {plan}"));
    let title = match (&report.run_id, &report.ended) {
        (None, _) if matches!(report.command.as_str(), "check" | "drift") => {
            format!("{}, {}", report.command, report.started)
        }
        (None, _) => format!("{plan}, made {}", report.started),
        (Some(run), ended) => {
            let ended = match ended {
                Some(ended) => format!("to {ended}"),
                None => "and not ended".to_owned(),
            };
            let (command, started) = (&report.command, &report.started);
            format!("run {run} ({command}){of_plan}, {started} {ended}")
        }
    };
    let scope = match report.scope {
        Scope::Whole => "the whole population",
        Scope::Partial => "a part of the population",
    };
    let mut text = format!(
        "{}\nsource: {}, {scope}",
        colour.paint(Paint::Bold, &escape(&title)),
        rows(report.source.rows),
    );
    if !report.source.sha256.is_empty() {
        text.push_str(", SHA-256 ");
        text.push_str(&escape(&report.source.sha256));
    }
    text.push('\n');
    for (name, lane) in &report.providers {
        let kind = if *name == lane.kind {
            String::new()
        } else {
            format!(" ({})", lane.kind)
        };
        let line = format!("provider {name}{kind}: {}", lane.target);
        text.push_str(&escape(&line));
        text.push('\n');
    }
    text
}

/// The whole report in one line, for `-q`.
#[must_use]
pub fn summary_line(report: &Report) -> String {
    let mut parts: Vec<String> = report
        .providers
        .iter()
        .map(|(name, lane)| {
            let parts: Vec<String> = parts(&lane.counts)
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .map(|(word, n)| format!("{} {word}", number(n)))
                .collect();
            let parts = if parts.is_empty() {
                String::new()
            } else {
                format!(" ({})", parts.join(", "))
            };
            format!("{name} {}{parts}", rows(lane.counts.rows))
        })
        .collect();
    parts.push(format!("exit {} {}", report.exit.code, report.exit.name));
    let line = format!("{}: {}", report.command, parts.join("; "));
    escape(&line).into_owned()
}
