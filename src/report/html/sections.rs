//! What stands above the table of records: the headline, the totals with the
//! estimate, the guards, and the changed records by field.

use crate::core::{LaneCounts, Ruling, Scope};
use crate::report::headline::{Tone, changed_by_field, headline, shows_changes};
use crate::report::model::{LaneReport, Report, ReportError};
use crate::report::text::parts;
use crate::report::value::{Values, WORDS_HIDDEN, foreign};
use crate::report::words::{counted, duration, number, rows};

use super::chart;
use super::page::Page;

/// How each part of the totals is coloured, in the order of [`parts`].
const CLASSES: [&str; 8] = [
    "unchanged",
    "planned",
    "updated",
    "rejected",
    "failed",
    "in-doubt",
    "invalid",
    "skipped",
];

/// Writes all of it.
pub(super) fn write(
    page: &mut Page<'_>,
    report: &Report,
    values: Values,
) -> Result<(), ReportError> {
    top(page, report)?;
    let lanes = report.providers.iter();
    totals(page, lanes.map(|(name, lane)| (name, &lane.counts)))?;
    remarks(page, report, values)?;
    if has_guards(report) {
        guards(page, report)?;
    }
    if has_fields(report) {
        fields(page, report)?;
    }
    Ok(())
}

fn top(page: &mut Page<'_>, report: &Report) -> Result<(), ReportError> {
    let headline = headline(report);
    let tone = match headline.tone {
        Tone::Good => "verdict good",
        Tone::Attention => "verdict attention",
        Tone::Bad => "verdict bad",
    };
    page.element("header", &[], |page| {
        page.leaf("h1", &[], headline.title)?;
        page.leaf("p", &[("class", tone)], &headline.sentence)?;
        page.element("ul", &[("class", "figures")], |page| {
            for (figure, what) in figures(report) {
                page.element("li", &[], |page| {
                    page.leaf("strong", &[], &figure)?;
                    page.text(" ")?;
                    page.leaf("span", &[], &what)
                })?;
            }
            Ok(())
        })?;
        contents(page, report)
    })?;
    page.markup("\n<main>\n")
}

/// Links to the sections that this page has.
fn contents(page: &mut Page<'_>, report: &Report) -> Result<(), ReportError> {
    let problems = !report.problem_groups.is_empty() || !report.warnings.is_empty();
    let links = [
        (true, "#totals", "Totals"),
        (has_guards(report), "#guards", "Safety guards"),
        (has_fields(report), "#fields", "By field"),
        (problems, "#problems", "Problems"),
        (true, "#records-title", "Record by record"),
    ];
    page.element("nav", &[("aria-label", "Sections")], |page| {
        for (_, target, title) in links.iter().filter(|(there, ..)| *there) {
            page.leaf("a", &[("href", target)], title)?;
            page.text(" ")?;
        }
        Ok(())
    })
}

fn has_guards(report: &Report) -> bool {
    !report.guards.is_empty() || !report.allowed.is_empty()
}

fn has_fields(report: &Report) -> bool {
    let mut lanes = report.providers.values();
    shows_changes(report) && lanes.any(|lane| !lane.field_changes.is_empty())
}

/// The figures that a reader wants first.
fn figures(report: &Report) -> Vec<(String, String)> {
    let lanes = || report.providers.values();
    let sum = |part: fn(&LaneCounts) -> u64| -> u64 { lanes().map(|l| part(&l.counts)).sum() };
    let scope = match report.scope {
        Scope::Whole => "in the file",
        Scope::Partial => "in the file, a part of which is looked at",
    };
    let mut figures = vec![(rows(report.source.rows), scope.to_owned())];
    let [updated, planned] = [sum(|c| c.updated), sum(|c| c.planned)];
    if report.run_id.is_some() && shows_changes(report) {
        figures.push((number(updated), "updated".to_owned()));
    }
    if planned > 0 {
        let left = if report.run_id.is_some() {
            "left for the next run"
        } else {
            "to update"
        };
        figures.push((number(planned), left.to_owned()));
    }
    figures.push((
        number(sum(LaneCounts::troubled)),
        "need attention".to_owned(),
    ));
    figures.push((number(sum(LaneCounts::skipped_total)), "skipped".to_owned()));
    // The providers work side by side, so the slowest one decides.
    let estimates = lanes().filter_map(|lane| lane.estimate);
    let longest = estimates
        .filter(|e| e.requests > 0)
        .map(|e| e.seconds)
        .max();
    if let Some(seconds) = longest.filter(|_| shows_changes(report)) {
        figures.push((
            format!("about {}", duration(seconds)),
            "to apply it".to_owned(),
        ));
    }
    figures
}

/// Opens a section with its heading, and closes it behind the content.
pub(super) fn section(
    page: &mut Page<'_>,
    id: &'static str,
    title: &str,
    content: impl FnOnce(&mut Page<'_>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    page.element("section", &[("aria-labelledby", id)], |page| {
        page.leaf("h2", &[("id", id)], title)?;
        content(page)
    })?;
    page.markup("\n")
}

/// The table of rows by outcome; a column that is zero everywhere is left out.
pub(super) fn totals<'a>(
    page: &mut Page<'_>,
    lanes: impl Iterator<Item = (&'a String, &'a LaneCounts)>,
) -> Result<(), ReportError> {
    let lanes: Vec<_> = lanes.collect();
    let any = |c: usize| lanes.iter().any(|(_, counts)| parts(counts)[c].1 > 0);
    let columns: Vec<usize> = (0..8).filter(|&c| c == 0 || any(c)).collect();
    let names = parts(&LaneCounts::default()).map(|(name, _)| name);
    section(page, "totals", "Totals", |page| {
        page.element("div", &[("class", "wide")], |page| {
            page.element("table", &[], |page| {
                page.element("thead", &[], |page| {
                    page.element("tr", &[], |page| {
                        page.leaf("th", &[("scope", "col")], "provider")?;
                        page.leaf("th", &[("scope", "col"), ("class", "n")], "rows")?;
                        for &c in &columns {
                            page.element("th", &[("scope", "col"), ("class", "n")], |page| {
                                let swatch = format!("swatch {}", CLASSES[c]);
                                page.leaf("span", &[("class", &swatch)], "")?;
                                page.text(names[c])
                            })?;
                        }
                        page.leaf(
                            "th",
                            &[("scope", "col"), ("class", "chart")],
                            "share of rows",
                        )
                    })
                })?;
                page.element("tbody", &[], |page| {
                    lanes
                        .iter()
                        .try_for_each(|(name, counts)| lane(page, name, counts, &columns))
                })
            })
        })?;
        page.markup(include_str!("words.html"))
    })
}

fn lane(
    page: &mut Page<'_>,
    name: &str,
    counts: &LaneCounts,
    columns: &[usize],
) -> Result<(), ReportError> {
    let parts = parts(counts);
    page.element("tr", &[], |page| {
        page.leaf("th", &[("scope", "row")], &foreign(name))?;
        page.leaf("td", &[("class", "n")], &number(counts.rows))?;
        for &c in columns {
            page.leaf("td", &[("class", "n")], &number(parts[c].1))?;
        }
        let mut coloured = CLASSES.map(|class| (class, 0));
        for (coloured, (_, n)) in coloured.iter_mut().zip(parts) {
            coloured.1 = n;
        }
        page.element("td", &[("class", "chart")], |page| {
            chart::parts(page, &coloured, counts.rows)
        })
    })
}

/// What the table does not say of the lanes.
fn remarks(page: &mut Page<'_>, report: &Report, values: Values) -> Result<(), ReportError> {
    section(page, "providers", "Providers", |page| {
        page.element("dl", &[], |page| {
            for (name, lane) in &report.providers {
                page.leaf("dt", &[], &foreign(name))?;
                page.leaf("dd", &[], &remarks_of(lane, values).join("; "))?;
            }
            Ok(())
        })
    })
}

fn remarks_of(lane: &LaneReport, values: Values) -> Vec<String> {
    let counts = &lane.counts;
    let mut remarks = vec![format!("at {}", foreign(&lane.target))];
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
    if counts.absent > 0 {
        let known = counted(counts.absent, "known client is", "known clients are");
        remarks.push(format!("{known} not in the file"));
    }
    for (reason, n) in &counts.skipped {
        remarks.push(format!("{} skipped: {}", number(*n), foreign(reason)));
    }
    if let Some(stopped) = &lane.stopped {
        let why = match values {
            Values::Hidden => WORDS_HIDDEN.to_owned(),
            Values::Shown => foreign(stopped),
        };
        remarks.push(format!("stopped early: {why}"));
    }
    remarks
}

fn guards(page: &mut Page<'_>, report: &Report) -> Result<(), ReportError> {
    section(page, "guards", "Safety guards", |page| {
        page.element("ul", &[("class", "plain")], |page| {
            for verdict in &report.guards {
                let (class, word) = match verdict.ruling {
                    Ruling::Refused => ("tag bad", "refused"),
                    Ruling::Passed => ("tag good", "passed"),
                };
                let lane = match &verdict.lane {
                    Some(lane) => format!(" ({})", foreign(lane)),
                    None => String::new(),
                };
                let (guard, message) = (foreign(&verdict.guard), foreign(&verdict.message));
                page.element("li", &[], |page| {
                    page.leaf("span", &[("class", class)], word)?;
                    page.text(&format!(" {guard}{lane}: {message}"))
                })?;
            }
            for allowed in &report.allowed {
                page.element("li", &[], |page| {
                    page.leaf("span", &[("class", "tag")], "allowed")?;
                    page.text(&format!(" for this plan: {}", foreign(allowed)))
                })?;
            }
            Ok(())
        })
    })
}

fn fields(page: &mut Page<'_>, report: &Report) -> Result<(), ReportError> {
    let changed = |lane: &LaneReport| lane.field_changes.values().copied().max();
    let longest = report.providers.values().filter_map(changed).max();
    let longest = longest.unwrap_or_default();
    section(page, "fields", changed_by_field(report), |page| {
        page.element("div", &[("class", "pairs")], |page| {
            let lanes = report.providers.iter();
            lanes
                .filter(|(_, lane)| !lane.field_changes.is_empty())
                .try_for_each(|(name, lane)| fields_of(page, name, lane, longest))
        })
    })
}

fn fields_of(
    page: &mut Page<'_>,
    name: &str,
    lane: &LaneReport,
    longest: u64,
) -> Result<(), ReportError> {
    page.element("table", &[("class", "fields")], |page| {
        page.leaf("caption", &[], &foreign(name))?;
        page.element("thead", &[], |page| {
            page.element("tr", &[], |page| {
                page.leaf("th", &[("scope", "col")], "field")?;
                page.leaf("th", &[("scope", "col"), ("class", "n")], "records")?;
                page.leaf("th", &[("scope", "col"), ("class", "chart")], "")
            })
        })?;
        page.element("tbody", &[], |page| {
            for (field, n) in &lane.field_changes {
                page.element("tr", &[], |page| {
                    page.element("th", &[("scope", "row")], |page| {
                        page.text(&foreign(&field.to_string()))?;
                        if lane.new_fields.contains(field) {
                            page.text(" ")?;
                            page.leaf("span", &[("class", "tag")], "new field")?;
                        }
                        Ok(())
                    })?;
                    page.leaf("td", &[("class", "n")], &number(*n))?;
                    page.element("td", &[("class", "chart")], |page| {
                        chart::bar(page, *n, longest)
                    })
                })?;
            }
            Ok(())
        })
    })
}

/// Facts for whoever keeps the report.
pub(super) fn facts(
    page: &mut Page<'_>,
    facts: &[(&'static str, Option<&str>)],
) -> Result<(), ReportError> {
    page.markup("</main>\n")?;
    page.element("footer", &[], |page| {
        page.element("dl", &[], |page| {
            for (name, fact) in facts {
                if let Some(fact) = fact {
                    page.leaf("dt", &[], name)?;
                    page.leaf("dd", &[], &foreign(fact))?;
                }
            }
            Ok(())
        })
    })?;
    page.markup("\n")
}

/// Closes the page's main part and names what it is a report of.
pub(super) fn footer(page: &mut Page<'_>, report: &Report) -> Result<(), ReportError> {
    let exit = format!("{} {}", report.exit.code, report.exit.name);
    let sha256 = Some(report.source.sha256.as_str()).filter(|text| !text.is_empty());
    facts(
        page,
        &[
            ("command", Some(&report.command)),
            ("plan", report.plan_id.as_deref()),
            ("run", report.run_id.as_deref()),
            ("began", Some(&report.started)),
            ("ended", report.ended.as_deref()),
            ("exit", Some(&exit)),
            ("SHA-256 of the source", sha256),
            ("clientsync", Some(&report.tool_version)),
        ],
    )
}
