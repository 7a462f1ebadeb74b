//! `drift`: what the providers hold now against what they acknowledged last and
//! what the file says.
//!
//! It reads and changes nothing, takes no lock, and records nothing. Where
//! another run writes the state meanwhile, what was read is void.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use tempfile::tempfile;

use super::plan::Changes;
use crate::cli::clock;
use crate::cli::details::Told;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::lanes::{Destination, runtime};
use crate::cli::output::{Look, ReportFiles, Story, show};
use crate::cli::planning::{Planned, header, with_source};
use crate::cli::reading::{read_lanes, rosters, tell_left_out_of_links};
use crate::cli::reporting;
use crate::cli::sending::exit_of;
use crate::cli::session::{Opened, Session};
use crate::cli::signals::Signals;
use crate::core::{Note, Trailer, hex};
use crate::engine::{
    Lane, LookFor, Observer, PlanError, PlanWriter, ReadBack, Sealing, Tellers, compare, read_back,
};
use crate::source::SourceError;
use crate::store::Store;

/// Runs the command.
pub(in crate::cli) fn run(
    session: &Session,
    look: Look,
    changes: Changes,
    observer: Arc<dyn Observer>,
) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(session.report_files())?;
    let opened = session.open_source()?;
    let path = session.state_path();
    let store = if session.asked.sandbox.fresh {
        None
    } else {
        Store::open_read_only(&path)
            .map_err(|error| Failure::from(error).during(format!("state {}", path.display())))?
    };
    let key = match &store {
        Some(_) => session.known_key()?,
        None => None,
    };
    let runtime = runtime()?;
    let destination = Destination::open_to_read(session, &runtime)?;
    let lanes = session.lanes(&opened.source, key.as_ref(), &|lane| {
        destination.base_url(lane)
    });
    let header = header(session, &lanes, store.as_ref())?;
    let lanes: Vec<Arc<Lane>> = lanes.into_iter().map(Arc::new).collect();
    let rosters = rosters(session, &opened, &lanes, store.as_ref(), LookFor::Links)?;
    let ready = read_lanes(session, &destination, &lanes, rosters, store.as_ref())?;
    let signals = runtime.block_on(async { Signals::listen() })?;
    let back = runtime.block_on(read_back(
        ready,
        observer,
        clock::clock(),
        &signals.interrupt,
    ));
    destination.close(&runtime);
    let file = tempfile().map_err(|error| Failure::new(ExitCode::Io, error))?;
    let mut writer = PlanWriter::begin(file, &header, Sealing::LeaveOut)?;
    let mut codes: Vec<ExitCode> = signals.exit().into_iter().collect();
    let compared = compare_all(session, &opened, store.as_ref(), &lanes, back, &mut writer)?;
    if store
        .as_ref()
        .is_some_and(|store| !store.unmoved().unwrap_or_default())
    {
        return Err(Failure::say(
            ExitCode::Locked,
            "another run wrote the state while the providers were read; run `drift` again when it has ended",
        ));
    }
    let (trailer, file) = writer.finish(Trailer {
        source_sha256: hex(&opened.survey.sha256),
        source_rows: opened.survey.rows,
        warnings: opened.warnings.clone(),
        lanes: compared
            .iter()
            .map(|(name, read)| (name.clone(), read.end.counts.clone()))
            .collect(),
        ..Trailer::default()
    })?;
    let planned = Planned {
        header,
        trailer,
        file,
    };
    let mut report = reporting::of_plan("drift", &planned);
    report.plan_id = None;
    report.ended = Some(clock::text(clock::now()));
    for (name, read) in &compared {
        codes.extend(read.end.stopped.as_ref().and_then(exit_of));
        if let Some(lane) = report.providers.get_mut(name) {
            lane.stopped = read.end.stopped.as_ref().map(ToString::to_string);
            lane.waiting = reporting::waiting(&read.end);
        }
    }
    codes.extend(reporting::exit_of_rows(&report));
    let differs = |reason: &str| {
        let lanes = report.providers.values();
        lanes
            .into_iter()
            .any(|lane| lane.counts.skipped.contains_key(reason))
    };
    if changes == Changes::Told && (differs("drifted") || differs("not_found")) {
        codes.push(ExitCode::Changes);
    }
    let code = ExitCode::of(&codes);
    report.exit = reporting::exit(code);
    let story = Story {
        plan: &planned.file,
        outcomes: None,
    };
    story.collect(&mut report)?;
    show(&story, &report, look, files, Told::All)?;
    Ok(code)
}

/// Compares each lane, and writes what its report lists.
fn compare_all(
    session: &Session,
    opened: &Opened,
    store: Option<&Store>,
    lanes: &[Arc<Lane>],
    mut back: BTreeMap<String, ReadBack>,
    writer: &mut PlanWriter<'_, File>,
) -> Result<BTreeMap<String, ReadBack>, Failure> {
    let only = session.only()?;
    for lane in lanes {
        let Some(read) = back.get_mut(&lane.name) else {
            continue;
        };
        let mut notes = Vec::new();
        let mut tell = Tellers {
            drift: &mut |drift| Ok::<_, PlanError<SourceError>>(writer.drift(drift)?),
            note: &mut |problem| {
                notes.push(problem);
                Ok(())
            },
        };
        with_source(opened, |source| {
            compare(lane, source, store, only.as_ref(), read, &mut tell)
        })??;
        // Records that drifted are told one by one, above.
        tell_left_out_of_links(lane, &read.roster, writer)?;
        for problem in notes {
            writer.note(Note {
                lane: lane.name.clone(),
                outcome: None,
                problem,
            })?;
        }
    }
    Ok(back)
}
