//! `adopt --from source`: declares that the providers hold what the file says.
//!
//! Nothing is sent and nobody is asked; the snapshot is filled, so that the
//! next run sends only what changes from here on.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use tempfile::tempfile;

use crate::cli::clock;
use crate::cli::details::Told;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{Look, ReportFiles, Story, show};
use crate::cli::planning::{Planned, guards, header, with_source};
use crate::cli::reporting::{self, TOOL_VERSION};
use crate::cli::session::{Opened, Session};
use crate::core::{LaneCounts, LeftOut, LeftOutReason, Ruling, Scope, Trailer, hex};
use crate::engine::{Lane, PlanError, PlanWriter, Sealing, Takers, adopt};
use crate::source::SourceError;
use crate::store::{Adopted, Entry, Lock, OpenRun, RunEnd, RunExit, RunStart, Store};

/// Runs the command.
pub(in crate::cli) fn run(session: &Session, look: Look) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(session.report_files())?;
    let started = clock::now();
    let run_id = clock::new_id(started)?;
    let state = session.state_path();
    let _lock = Lock::acquire(&state, &run_id, started, Duration::ZERO)?;
    if session.asked.sandbox.fresh {
        super::sandbox::forget(session)?;
    }
    let opened = session.open_source()?;
    let mut store = Store::open(&state)?;
    let key = session.key()?;
    let lanes = session.lanes(&opened.source, Some(&key), &|_| None);
    let header = header(session, &lanes, Some(&store))?;
    let verdicts = guards(session, &opened, Some(&store))?;
    let refused = verdicts
        .iter()
        .any(|verdict| verdict.ruling == Ruling::Refused);
    store.bind(&header.lanes)?;
    let empty: BTreeMap<String, LaneCounts> = lanes
        .iter()
        .map(|lane| (lane.name.clone(), LaneCounts::default()))
        .collect();
    let run = store.begin(&RunStart {
        run_id: run_id.clone(),
        command: "adopt".to_owned(),
        scope: header.scope,
        started,
        plan_sha256: None,
        plan_path: None,
        source_sha256: Some(hex(&opened.survey.sha256)),
        source_rows: Some(opened.survey.rows),
        tool_version: TOOL_VERSION.to_owned(),
        guards: verdicts.clone(),
        allowed: Vec::new(),
        lanes: empty,
    })?;
    let file = tempfile().map_err(|error| Failure::new(ExitCode::Io, error))?;
    let mut writer = PlanWriter::begin(file, &header, Sealing::LeaveOut)?;
    let mut trailer = Trailer {
        source_sha256: hex(&opened.survey.sha256),
        source_rows: opened.survey.rows,
        guards: verdicts,
        warnings: opened.warnings.clone(),
        ..Trailer::default()
    };
    for lane in lanes.iter().filter(|_| !refused) {
        let counts = take_over(session, &opened, lane, &mut store, run, &mut writer)?;
        trailer.lanes.insert(lane.name.clone(), counts);
        if header.scope == Scope::Whole {
            super::sync::remember(&mut store, lane)?;
        }
    }
    let (trailer, file) = writer.finish(trailer)?;
    let planned = Planned {
        header,
        trailer,
        file,
    };
    let mut report = reporting::of_plan("adopt", &planned);
    report.run_id = Some(run_id);
    report.plan_id = None;
    report.started = clock::text(started);
    let ended = clock::now();
    report.ended = Some(clock::text(ended));
    let code = ExitCode::of(&reporting::exit_of_rows(&report));
    report.exit = reporting::exit(code);
    let counts = planned.trailer.lanes.clone();
    store.end(
        run,
        &RunEnd {
            exit: RunExit {
                code: code.code(),
                name: code.name().to_owned(),
            },
            at: ended,
            lanes: counts,
        },
    )?;
    let story = Story {
        plan: &planned.file,
        outcomes: None,
    };
    story.collect(&mut report)?;
    show(&story, &report, look, files, Told::All)?;
    Ok(code)
}

/// Takes over the rows of one lane.
fn take_over(
    session: &Session,
    opened: &Opened,
    lane: &Lane,
    store: &mut Store,
    run: OpenRun,
    left: &mut PlanWriter<'_, File>,
) -> Result<LaneCounts, Failure> {
    let only = session.only()?;
    // The rows are judged against the state as it was when they began: a row's
    // own link never changes while it is adopted.
    let before = Store::open_read_only(&session.state_path())?;
    let mut invalid: Vec<Entry> = Vec::new();
    let mut records = |records: Vec<Adopted>| {
        Ok::<_, PlanError<SourceError>>(store.adopt(run, &lane.name, &records)?)
    };
    let mut left_out = |row: LeftOut| {
        if row.reason == LeftOutReason::Invalid {
            invalid.push(Entry::LeftOut(row.clone(), clock::now()));
        }
        Ok(left.left_out(row)?)
    };
    let mut takers = Takers {
        records: &mut records,
        left_out: &mut left_out,
    };
    let counts = with_source(opened, |source| {
        adopt(lane, source, before.as_ref(), only.as_ref(), &mut takers)
    })??;
    store.record(run, &invalid)?;
    Ok(counts)
}
