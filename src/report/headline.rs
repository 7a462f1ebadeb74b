//! What a report comes to, in a title and a sentence, for readers who are not
//! engineers.
//!
//! All words are ours and there is no markup, so each rendering may place them
//! as they are. Nothing here looks at single rows.

use crate::core::{LaneCounts, Ruling, SkipReason};

use super::model::{ProblemGroup, Report};
use super::words::{counted, rows};

/// Whether a reader must do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing.
    Good,
    /// Look at it.
    Attention,
    /// Something was refused or broke off.
    Bad,
}

/// What a report comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) title: &'static str,
    pub(super) sentence: String,
    pub(super) tone: Tone,
}

/// Whether the report is about changes, or about drift.
pub(super) fn shows_changes(report: &Report) -> bool {
    report.command != "check" && !adopts(report)
}

fn adopts(report: &Report) -> bool {
    report.command.starts_with("adopt")
}

/// The title over the numbers of records by field.
pub(super) fn changed_by_field(report: &Report) -> &'static str {
    match report.command.as_str() {
        "drift" => "Drifted records, by field",
        _ => "Changed records, by field",
    }
}

/// How many rows of the file have a problem, or how many records of a provider
/// that no row stands for.
pub(super) fn rows_or_records(group: &ProblemGroup, n: u64) -> String {
    if group.first.iter().all(|place| place.line.is_none()) {
        counted(n, "record", "records")
    } else {
        rows(n)
    }
}

/// What stands in place of any finding, where there was no row to find it in.
pub(super) fn without_any_row(report: &Report) -> Option<&'static str> {
    let mut lanes = report.providers.values().map(|lane| &lane.counts);
    let empty = lanes.all(|counts| counts.rows == 0 && counts.absent == 0);
    (empty && !report.providers.is_empty()).then_some(match report.source.rows {
        0 => "There are no rows in the file.",
        _ => "There are no rows to look at.",
    })
}

/// What this report comes to.
pub(super) fn headline(report: &Report) -> Headline {
    let sum =
        |part: fn(&LaneCounts) -> u64| report.providers.values().map(|l| part(&l.counts)).sum();
    let troubled: u64 = sum(LaneCounts::troubled);
    let title = match report.command.as_str() {
        "check" => "Check",
        "plan" | "sync --dry-run" => "Plan for review",
        "sync" => "Run",
        "drift" => "Drift",
        _ if adopts(report) => "Adoption",
        _ => "Report",
    };
    let refused = report.guards.iter().any(|v| v.ruling == Ruling::Refused);
    let nothing = without_any_row(report);
    let (mut sentence, tone) = match report.command.as_str() {
        _ if refused => (
            "A guard refuses this plan. Nothing was sent.".to_owned(),
            Tone::Bad,
        ),
        _ if report.exit.code == 0 && nothing.is_some() => {
            (nothing.unwrap_or_default().to_owned(), Tone::Attention)
        }
        "check" => (checked(troubled), Tone::Good),
        "plan" | "sync --dry-run" => (planned(report, sum(|counts| counts.planned)), Tone::Good),
        "drift" => drifted(report),
        _ if adopts(report) && report.exit.code == 0 => {
            let rows = counted(sum(|counts| counts.unchanged), "row counts", "rows count");
            let sentence = format!("Nothing was written. {rows} as held by the provider now.");
            (sentence, Tone::Good)
        }
        _ => ended(
            report,
            sum(|counts| counts.updated),
            sum(|counts| counts.planned),
        ),
    };
    let tone = match tone {
        Tone::Good if troubled > 0 => Tone::Attention,
        tone => tone,
    };
    if troubled > 0 && report.command != "check" {
        let rows = counted(troubled, "row needs", "rows need");
        sentence = format!("{sentence} {rows} attention.");
    }
    Headline {
        title,
        sentence,
        tone,
    }
}

/// What reading the providers back came to.
pub(super) struct ReadBack {
    /// Records that hold something else than they should.
    drifted: u64,
    /// Records that hold what they should.
    same: u64,
    /// Records that were looked for by their ids, and are not there.
    gone: u64,
}

impl ReadBack {
    pub(super) fn of(report: &Report) -> Self {
        let lanes = || report.providers.values().map(|lane| &lane.counts);
        let skipped = |reason: SkipReason| {
            let of_lane = |counts: &LaneCounts| counts.skipped.get(reason.as_str()).copied();
            lanes().filter_map(of_lane).sum()
        };
        Self {
            drifted: skipped(SkipReason::Drifted),
            same: lanes().map(|counts| counts.unchanged).sum(),
            gone: skipped(SkipReason::NotFound),
        }
    }

    /// What stands where no record drifted. It says no more than was looked at.
    pub(super) fn without_drift(&self) -> String {
        let same = "what was read is what the providers acknowledged last, or what the file says where they acknowledged nothing.";
        match (self.same, self.gone) {
            (0, 0) => "Nothing was compared: no record was read.".to_owned(),
            (0, _) => format!("{}; nothing else was compared.", self.gone_records()),
            (_, 0) => format!("No drift: {same}"),
            _ => format!("{}. Of the others, {same}", self.gone_records()),
        }
    }

    fn gone_records(&self) -> String {
        counted(self.gone, "record was not found", "records were not found")
    }

    fn sentence(&self) -> String {
        let mut found = Vec::new();
        if self.drifted > 0 {
            let records = counted(self.drifted, "record holds", "records hold");
            found.push(format!(
                "{records} something else than was acknowledged last"
            ));
        }
        if self.gone > 0 {
            found.push(self.gone_records());
        }
        match (found.is_empty(), self.same) {
            (false, _) => found.join(", "),
            (true, 0) => "Nothing was compared, because no record was read".to_owned(),
            (true, _) => "No drift was found".to_owned(),
        }
    }
}

fn drifted(report: &Report) -> (String, Tone) {
    let read = ReadBack::of(report);
    let stopped = report.providers.values().any(|lane| lane.stopped.is_some());
    let end = if stopped {
        "not everything was read"
    } else {
        "nothing was changed"
    };
    let tone = if read.drifted > 0 || read.gone > 0 || read.same == 0 || stopped {
        Tone::Attention
    } else {
        Tone::Good
    };
    (format!("{}; {end}.", read.sentence()), tone)
}

fn checked(troubled: u64) -> String {
    match troubled {
        0 => "Every row can be sent, or says nothing.".to_owned(),
        n => {
            let rows = counted(n, "row has", "rows have");
            format!("{rows} problems; what they say would not be sent.")
        }
    }
}

fn planned(report: &Report, planned: u64) -> String {
    if planned == 0 {
        return "Nothing would be sent.".to_owned();
    }
    let lanes = report.providers.values();
    let lanes = lanes.filter(|lane| lane.counts.planned > 0).count();
    format!(
        "{} would be sent to {}. Nothing was sent yet.",
        counted(planned, "update", "updates"),
        counted(super::words::length(lanes), "provider", "providers"),
    )
}

/// How a run that sends has ended.
fn ended(report: &Report, updated: u64, left: u64) -> (String, Tone) {
    let done = match updated {
        0 => "No record was updated".to_owned(),
        n => counted(n, "record was updated", "records were updated"),
    };
    match &*report.exit.name {
        "ok" => (format!("{done}."), Tone::Good),
        "rejects" => (format!("{done}."), Tone::Attention),
        "deferred" | "interrupted" => {
            let left = counted(left, "is left", "are left");
            let sentence = format!("{done}; {left}, and the next run goes on.");
            (sentence, Tone::Attention)
        }
        "auth" => (
            format!("{done}; a provider refused the credentials."),
            Tone::Bad,
        ),
        "io" => (
            format!("{done}; the state, the disk or a report failed."),
            Tone::Bad,
        ),
        _ => (format!("{done}; the run ended with an error."), Tone::Bad),
    }
}
