//! From a plan and a run to the report's head.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::clock;
use super::exit::ExitCode;
use super::planning::Planned;
use crate::core::{LaneCounts, LaneHeader};
use crate::engine::LaneEnd;
use crate::report::{Exit, LaneReport, REPORT_FORMAT, Report, SourceReport, Waiting};

/// The version of this program.
pub(super) const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The report of a plan, before its rows are collected.
pub(super) fn of_plan(command: &str, planned: &Planned) -> Report {
    let Planned {
        header, trailer, ..
    } = planned;
    let lanes = header.lanes.iter().map(|lane| {
        let counts = trailer.lanes.get(&lane.lane).cloned().unwrap_or_default();
        let estimate = trailer.estimate.get(&lane.lane).copied();
        (
            lane.lane.clone(),
            LaneReport {
                estimate,
                ..lane_report(lane, counts)
            },
        )
    });
    Report {
        format: REPORT_FORMAT,
        tool_version: TOOL_VERSION.to_owned(),
        run_id: None,
        plan_id: Some(header.plan_id.clone()),
        command: command.to_owned(),
        started: header.created.clone(),
        ended: None,
        exit: exit(ExitCode::Ok),
        scope: header.scope,
        source: SourceReport {
            rows: trailer.source_rows,
            sha256: trailer.source_sha256.clone(),
        },
        providers: lanes.collect(),
        guards: trailer.guards.clone(),
        allowed: trailer.allowed.clone(),
        warnings: trailer.warnings.clone(),
        problem_groups: Vec::new(),
        problems_not_grouped: 0,
    }
}

/// A lane of a report.
pub(super) fn lane_report(lane: &LaneHeader, counts: LaneCounts) -> LaneReport {
    LaneReport {
        kind: lane.kind.clone(),
        target: lane.target.clone(),
        counts,
        new_fields: lane.new_fields.clone(),
        estimate: None,
        stopped: None,
        waiting: Waiting::default(),
        field_changes: BTreeMap::new(),
    }
}

/// How the requests of a lane were held back.
pub(super) fn waiting(end: &LaneEnd) -> Waiting {
    Waiting {
        waited_seconds: end.waited.as_secs(),
        budget_left: end.budget_left,
        resume_at: end.resume.map(clock::text),
    }
}

/// How a command ended, as reports say it.
pub(super) fn exit(code: ExitCode) -> Exit {
    Exit {
        code: code.code(),
        name: Cow::Borrowed(code.name()),
    }
}

/// What the rows of a report say of the exit code.
pub(super) fn exit_of_rows(report: &Report) -> Vec<ExitCode> {
    let mut codes = vec![ExitCode::Ok];
    if report
        .guards
        .iter()
        .any(|verdict| verdict.ruling == crate::core::Ruling::Refused)
    {
        codes.push(ExitCode::Guard);
    }
    if report
        .providers
        .values()
        .any(|lane| lane.counts.troubled() > 0)
    {
        codes.push(ExitCode::Rejects);
    }
    codes
}
