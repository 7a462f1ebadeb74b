//! `sync`: plan, guards and apply in one go, for cron.
//!
//! The plan is written to a file and that file is applied: what was shown is
//! what is sent. Nothing is sent while a guard refuses.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{error, info, warn};

use crate::cli::clock;
use crate::cli::config::Format;
use crate::cli::details::{Outcomes, Told};
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::lanes::{Destination, runtime};
use crate::cli::locking;
use crate::cli::output::{Look, ReportFiles, Story, print, show};
use crate::cli::planning::{Planned, plan_into};
use crate::cli::reporting::{self, TOOL_VERSION};
use crate::cli::sending::{Sent, exit_of, make_ready, send};
use crate::cli::session::Session;
use crate::cli::signals::Signals;
use crate::core::{LeftOutReason, PlanLine, Scope};
use crate::engine::{Lane, LaneEnd, Observer, PlanReader};
use crate::failpoint::{Point, reach};
use crate::report::{Part, Report, ReportError, Style, write_text};
use crate::store::{Entry, OpenRun, RunEnd, RunExit, RunStart, Store};

/// Runs the command.
pub(in crate::cli) fn run(
    session: &Session,
    look: Look,
    observer: Arc<dyn Observer>,
) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(session.report_files())?;
    let started = clock::now();
    let run_id = clock::new_id(started)?;
    let lock = locking::lock(session, &run_id, started)?;
    let opened = session.open_source()?;
    if session.asked.sandbox.fresh {
        super::sandbox::forget(session)?;
    }
    let mut store = locking::open(session, &lock, started)?;
    let key = session.key()?;
    let runtime = runtime()?;
    let destination = Destination::open(session, &runtime)?;
    let lanes = session.lanes(&opened.source, Some(&key), &|lane| {
        destination.base_url(lane)
    });
    let (path, file) = plan_file(session, &run_id)?;
    let planned = plan_into(file, session, &opened, &lanes, Some(&store), Some(&key))?;
    reach(Point::Planned).map_err(|error| Failure::new(ExitCode::Io, error))?;
    let lanes: Vec<Arc<Lane>> = lanes.into_iter().map(Arc::new).collect();
    let mut report = reporting::of_plan("sync", &planned);
    let told = show_plan(&planned, &mut report, look)?;
    let refused = planned.trailer.refusals().next().is_some();
    let ready = if refused {
        Vec::new()
    } else {
        let ready = make_ready(session, &destination, &lanes, &planned, &path, &store);
        // A plan that no run will name is of no use to anyone, and holds values.
        ready.inspect_err(|_| drop(fs::remove_file(&path)))?
    };
    store.bind(&planned.header.lanes)?;
    let run = store.begin(&run_start(&run_id, started, &planned, &path))?;
    locking::remember(&lock, &store)?;
    record_left_out(&mut store, run, &planned)?;
    let mut codes = Vec::new();
    let mut ends = std::collections::BTreeMap::new();
    if !ready.is_empty() {
        // Whoever reads that it sends may ask it to stop from then on.
        let signals = runtime.block_on(async { Signals::listen() })?;
        info!(run = run_id, "Sending.");
        let Sent {
            store: back,
            recorded,
            interrupted,
            ends: ended,
        } = send(ready, store, run, observer, &runtime, &signals)?;
        (store, ends) = (back, ended);
        codes.extend(interrupted);
        if let Err(error) = recorded {
            error!("What was sent could not be recorded: {error}. The next run settles it.");
            if !error.keys.is_empty() {
                let keys = error.keys.join(", ");
                error!("Sent and not recorded, by SHA-256 of the key: {keys}");
            }
            codes.push(ExitCode::Io);
        }
    }
    destination.close(&runtime);
    for (name, end) in &ends {
        codes.extend(end.stopped.as_ref().and_then(exit_of));
        tell_end(&mut report, name, end);
    }
    codes.extend(reporting::exit_of_rows(&report));
    let code = ExitCode::of(&codes);
    report.run_id = Some(run_id.clone());
    report.started = clock::text(started);
    let ended = end(&mut store, run, &mut report, code).and_then(|()| {
        let finished =
            |lane: &&Arc<Lane>| ends.get(&lane.name).is_none_or(|end| end.stopped.is_none());
        let known = !refused && planned.header.scope == Scope::Whole;
        lanes
            .iter()
            .filter(finished)
            .filter(|_| known)
            .try_for_each(|lane| remember(&mut store, lane))
    });
    let story = Story {
        plan: &planned.file,
        outcomes: Some(Outcomes {
            store: &store,
            run_id: &run_id,
        }),
    };
    story.collect(&mut report)?;
    show(&story, &report, look, files, told)?;
    ended?;
    forget_rests(&mut store, ends.keys())?;
    super::retention::forget_old(session, &mut store, clock::now())?;
    Ok(code)
}

fn run_start(run_id: &str, started: Timestamp, planned: &Planned, path: &Path) -> RunStart {
    let Planned {
        header, trailer, ..
    } = planned;
    RunStart {
        run_id: run_id.to_owned(),
        command: "sync".to_owned(),
        scope: header.scope,
        started,
        plan_sha256: Some(trailer.sha256.clone()),
        plan_path: Some(path.display().to_string()),
        source_sha256: Some(trailer.source_sha256.clone()),
        source_rows: Some(trailer.source_rows),
        tool_version: TOOL_VERSION.to_owned(),
        guards: trailer.guards.clone(),
        allowed: trailer.allowed.clone(),
        lanes: trailer.lanes.clone(),
    }
}

/// Records how the run ends, with the counts that its report shows.
fn end(
    store: &mut Store,
    run: OpenRun,
    report: &mut Report,
    code: ExitCode,
) -> Result<(), Failure> {
    let at = clock::now();
    report.ended = Some(clock::text(at));
    report.exit = reporting::exit(code);
    for lane in report.providers.values_mut() {
        lane.estimate = None;
    }
    let lanes = report
        .providers
        .iter()
        .map(|(name, lane)| (name.clone(), lane.counts.clone()))
        .collect();
    Ok(store.end(
        run,
        &RunEnd {
            exit: RunExit {
                code: code.code(),
                name: code.name().to_owned(),
            },
            at,
            lanes,
        },
    )?)
}

/// The plan file of a run: beside the state, for no one else to read.
fn plan_file(session: &Session, run_id: &str) -> Result<(PathBuf, File), Failure> {
    let folder = session.plans_folder();
    let cannot = |path: &Path, error: std::io::Error| {
        Failure::say(
            ExitCode::Io,
            format!("{} cannot be made: {error}", path.display()),
        )
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| cannot(&folder, error))?;
    let path = folder.join(format!("{run_id}.jsonl"));
    reach(Point::Plan).map_err(|error| cannot(&path, error))?;
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| cannot(&path, error))?;
    Ok((path, file))
}

/// Shows the plan before anything is sent. A program gets one report at the
/// end, and where there is nothing to send the end says it all. Returns what
/// is left to tell then.
fn show_plan(planned: &Planned, report: &mut Report, look: Look) -> Result<Told, Failure> {
    let nothing = planned
        .trailer
        .lanes
        .values()
        .all(|counts| counts.planned == 0);
    let refused = planned.trailer.refusals().next().is_some();
    if look.quiet || nothing || refused || look.format != Format::Text {
        return Ok(Told::All);
    }
    let story = Story {
        plan: &planned.file,
        outcomes: None,
    };
    story.collect(report)?;
    let details = story.details(Told::All);
    let style = Style {
        part: Part::Plan,
        ..look.style
    };
    match print(|out| write_text(out, report, style, details)) {
        Ok(()) => Ok(Told::Troubled),
        Err(failure) if is_unwritten(&failure) => {
            warn!(
                "The plan cannot be shown: {}. The run goes on.",
                failure.error
            );
            Ok(Told::All)
        }
        Err(failure) => Err(failure),
    }
}

/// Whether stdout could not be written: the report at the end fails as well and
/// says so with the exit code, but nobody's update waits for a full disk there.
fn is_unwritten(failure: &Failure) -> bool {
    matches!(failure.error.downcast_ref(), Some(ReportError::Write(_)))
}

/// Rows that planning refused are outcomes too; skipped ones are in the plan.
/// What is in doubt and in no line of a plan that is carried out and has all
/// rows is wanted by nobody any more: nothing is asked or sent for it.
fn record_left_out(store: &mut Store, run: OpenRun, planned: &Planned) -> Result<(), Failure> {
    const GROUP: usize = 256;
    let mut moot = BTreeSet::new();
    let is_refused = planned.trailer.refusals().next().is_some();
    if !is_refused && planned.header.scope == Scope::Whole {
        for lane in &planned.header.lanes {
            let keys = store.in_doubt(&lane.lane)?.into_keys();
            moot.extend(keys.map(|key| (lane.lane.clone(), key)));
        }
    }
    let mut file = planned
        .file
        .try_clone()
        .map_err(|error| Failure::new(ExitCode::Io, error))?;
    file.seek(SeekFrom::Start(0))
        .map_err(|error| Failure::new(ExitCode::Io, error))?;
    let mut reader = PlanReader::new(BufReader::new(file));
    let mut entries = Vec::new();
    while let Some(line) = reader.next_line()? {
        match line {
            PlanLine::Update(update) if !moot.is_empty() => {
                moot.remove(&(update.lane, update.key));
            }
            PlanLine::LeftOut(left) => {
                if let Some(key) = &left.key {
                    moot.remove(&(left.lane.clone(), key.clone()));
                }
                if left.reason == LeftOutReason::Invalid {
                    entries.push(Entry::LeftOut(left, clock::now()));
                }
            }
            _ => {}
        }
        if entries.len() == GROUP {
            store.record(run, &entries)?;
            entries.clear();
        }
    }
    if !moot.is_empty() {
        info!(
            records = moot.len(),
            "Updates in doubt are of no more concern: the file says nothing about their fields."
        );
    }
    entries.extend(
        moot.into_iter()
            .map(|(lane, key)| Entry::Moot { lane, key }),
    );
    if !entries.is_empty() {
        store.record(run, &entries)?;
    }
    Ok(())
}

fn tell_end(report: &mut Report, name: &str, end: &LaneEnd) {
    if let Some(lane) = report.providers.get_mut(name) {
        lane.counts = end.counts.clone();
        lane.stopped = end.stopped.as_ref().map(ToString::to_string);
        lane.waiting = reporting::waiting(end);
    }
}

/// A rest that a provider asked for and that is over is nobody's concern.
fn forget_rests<'a>(
    store: &mut Store,
    lanes: impl Iterator<Item = &'a String>,
) -> Result<(), Failure> {
    let now = clock::now();
    for lane in lanes {
        if store.blocked_until(lane)?.is_some_and(|until| until <= now) {
            store.set_blocked_until(lane, None)?;
        }
    }
    Ok(())
}

/// A lane that went through a whole file knows its mapped fields from now on.
pub(super) fn remember(store: &mut Store, lane: &Lane) -> Result<(), Failure> {
    let fields = lane
        .mappings
        .iter()
        .map(|mapping| mapping.field.path.clone())
        .collect();
    Ok(store.set_mapped_fields(&lane.name, &fields)?)
}
