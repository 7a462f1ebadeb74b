//! `sync`: plan, guards and apply in one go, for cron.
//!
//! The plan is written to a file and that file is applied: what was shown is
//! what is sent. Nothing is sent while a guard refuses.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::cli::clock;
use crate::cli::details::{Outcomes, Told};
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::lanes::{Destination, transports};
use crate::cli::output::{Look, ReportFiles, Story, print, show};
use crate::cli::planning::{Planned, plan_into};
use crate::cli::reporting::{self, TOOL_VERSION};
use crate::cli::session::Session;
use crate::core::{LeftOut, LeftOutReason, PlanLine, Scope};
use crate::engine::{
    ApplyLane, Lane, LaneEnd, Observer, PlanReader, Recorder, SentToday, Stop, Stopped, apply,
};
use crate::report::{Ending, Report, Style, write_text};
use crate::store::{Counted, Entry, Lock, OpenRun, RunEnd, RunExit, RunStart, Store};

/// Runs the command.
pub(in crate::cli) fn run(
    session: &Session,
    look: Look,
    observer: Arc<dyn Observer>,
) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(session.report_files())?;
    let started = clock::now();
    let run_id = clock::new_id(started)?;
    let state = session.state_path();
    let lock = Lock::acquire(&state, &run_id, started, Duration::ZERO)?;
    if session.asked.sandbox.fresh {
        super::sandbox::forget(session)?;
    }
    if let Some(previous) = lock.previous() {
        warn!(
            run = previous.run_id,
            "The previous run did not end by itself; what it left in doubt is sent again."
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Error, error))?;
    let opened = session.open_source()?;
    let mut store = Store::open(&state)?;
    let key = session.key()?;
    let destination = Destination::open(session, &runtime)?;
    let lanes = session.lanes(&opened.source, Some(&key), &|lane| {
        destination.base_url(lane)
    });
    let (path, file) = plan_file(session, &run_id)?;
    let planned = plan_into(file, session, &opened, &lanes, Some(&store), Some(&key))?;
    let mut report = reporting::of_plan("sync", &planned);
    show_plan(&planned, &mut report, look)?;
    report.run_id = Some(run_id.clone());
    report.started = clock::text(started);
    store.bind(&planned.header.lanes)?;
    let run = store.begin(&RunStart {
        run_id: run_id.clone(),
        command: "sync".to_owned(),
        scope: planned.header.scope,
        started,
        plan_sha256: Some(planned.trailer.sha256.clone()),
        plan_path: Some(path.display().to_string()),
        source_sha256: Some(planned.trailer.source_sha256.clone()),
        source_rows: Some(planned.trailer.source_rows),
        tool_version: TOOL_VERSION.to_owned(),
        guards: planned.trailer.guards.clone(),
        allowed: planned.trailer.allowed.clone(),
        lanes: planned.trailer.lanes.clone(),
    })?;
    record_left_out(&mut store, run, &planned)?;
    let refused = planned.trailer.refusals().next().is_some();
    let nothing = planned
        .trailer
        .lanes
        .values()
        .all(|counts| counts.planned == 0);
    let mut codes = reporting::exit_of_rows(&report);
    if !refused && !nothing {
        let lanes: Vec<Arc<Lane>> = lanes.into_iter().map(Arc::new).collect();
        let applying = applying(session, &destination, &lanes, &planned, &path, &store)?;
        info!(run = run_id, "Sending.");
        let (recorder, recording) = Recorder::start(store, run);
        let ends = runtime.block_on(apply(applying, recorder, observer, clock::clock()));
        let Some((back, recorded)) = recording.finish() else {
            return Err(Failure::say(
                ExitCode::Error,
                "internal error: the recorder ended without a word",
            ));
        };
        store = back;
        for (name, end) in &ends {
            codes.extend(end.stopped.as_ref().map(exit_of));
            tell_end(&mut report, name, end);
        }
        codes.extend(reporting::exit_of_rows(&report));
        if let Err(error) = recorded {
            return Err(
                Failure::from(error).during("recording what was sent; the next run settles it")
            );
        }
        remember_fields(&mut store, &lanes, &planned, &ends)?;
    } else if !refused {
        remember_all(&mut store, &lanes, planned.header.scope)?;
    }
    finish(
        session,
        store,
        run,
        &run_id,
        &planned,
        report,
        ExitCode::of(&codes),
        look,
        files,
        destination,
        &runtime,
    )
}

/// Ends the run: the state first, then the report.
#[expect(
    clippy::too_many_arguments,
    reason = "the end of a run gathers all that the run was made of"
)]
fn finish(
    session: &Session,
    mut store: Store,
    run: OpenRun,
    run_id: &str,
    planned: &Planned,
    mut report: Report,
    code: ExitCode,
    look: Look,
    files: ReportFiles,
    destination: Destination,
    runtime: &tokio::runtime::Runtime,
) -> Result<ExitCode, Failure> {
    let ended = clock::now();
    let lanes = report
        .providers
        .iter()
        .map(|(name, lane)| (name.clone(), lane.counts.clone()))
        .collect();
    store.end(
        run,
        &RunEnd {
            exit: RunExit {
                code: code.code(),
                name: code.name().to_owned(),
            },
            at: ended,
            lanes,
        },
    )?;
    destination.close(runtime);
    report.ended = Some(clock::text(ended));
    report.exit = reporting::exit(code);
    for lane in report.providers.values_mut() {
        lane.estimate = None;
    }
    let story = Story {
        plan: &planned.file,
        outcomes: Some(Outcomes {
            store: &store,
            run_id,
        }),
    };
    story.collect(&mut report)?;
    show(&story, &report, look, files, Told::Troubled)?;
    super::retention::forget_old(session, &mut store, ended)?;
    Ok(code)
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

/// Shows the plan before anything is sent; a program gets one report at the end.
fn show_plan(planned: &Planned, report: &mut Report, look: Look) -> Result<(), Failure> {
    let story = Story {
        plan: &planned.file,
        outcomes: None,
    };
    story.collect(report)?;
    if look.quiet || look.format != crate::cli::config::Format::Text {
        return Ok(());
    }
    let details = story.details(Told::All)?;
    let style = Style {
        ending: Ending::Open,
        ..look.style
    };
    print(|out| write_text(out, report, style, details))
}

/// Rows that planning refused are outcomes too; skipped ones are in the plan.
fn record_left_out(store: &mut Store, run: OpenRun, planned: &Planned) -> Result<(), Failure> {
    const GROUP: usize = 256;
    let mut file = planned
        .file
        .try_clone()
        .map_err(|error| Failure::new(ExitCode::Io, error))?;
    file.seek(SeekFrom::Start(0))
        .map_err(|error| Failure::new(ExitCode::Io, error))?;
    let mut reader = PlanReader::new(BufReader::new(file));
    let mut entries = Vec::new();
    while let Some(line) = reader.next_line()? {
        if let PlanLine::LeftOut(
            left @ LeftOut {
                reason: LeftOutReason::Invalid,
                ..
            },
        ) = line
        {
            entries.push(Entry::LeftOut(left, clock::now()));
        }
        if entries.len() == GROUP {
            store.record(run, &entries)?;
            entries.clear();
        }
    }
    if !entries.is_empty() {
        store.record(run, &entries)?;
    }
    Ok(())
}

/// The lanes that have something to send, each with its own reader of the plan.
fn applying(
    session: &Session,
    destination: &Destination,
    lanes: &[Arc<Lane>],
    planned: &Planned,
    path: &Path,
    store: &Store,
) -> Result<Vec<ApplyLane<crate::http::LaneTransport>>, Failure> {
    let busy: Vec<&Arc<Lane>> = lanes
        .iter()
        .filter(|lane| {
            planned
                .trailer
                .lanes
                .get(&lane.name)
                .is_some_and(|counts| counts.planned > 0)
        })
        .collect();
    let transports = transports(session, destination, &busy)?;
    let day = clock::now()
        .to_string()
        .split('T')
        .next()
        .map(|day| format!("{day}T00:00:00Z"))
        .unwrap_or_default();
    let midnight = day.parse().unwrap_or_else(|_| clock::now());
    let mut applying = Vec::new();
    for (lane, transport) in busy.into_iter().zip(transports) {
        let sent = |counted| {
            store
                .requests_since(&lane.name, midnight, counted)
                .map(|sent| u64::try_from(sent.len()).unwrap_or(u64::MAX))
        };
        let plan = File::open(path).map_err(|error| Failure::new(ExitCode::Io, error))?;
        applying.push(ApplyLane {
            lane: Arc::clone(lane),
            transport,
            tps_limit: session.tps_limit(),
            sent_today: SentToday {
                requests: sent(Counted::Requests)?,
                writes: sent(Counted::Writes)?,
            },
            counts: planned
                .trailer
                .lanes
                .get(&lane.name)
                .cloned()
                .unwrap_or_default(),
            plan: Box::new(BufReader::new(plan)),
        });
    }
    Ok(applying)
}

fn tell_end(report: &mut Report, name: &str, end: &LaneEnd) {
    if let Some(lane) = report.providers.get_mut(name) {
        lane.counts = end.counts.clone();
        lane.stopped = end.stopped.as_ref().map(ToString::to_string);
    }
}

fn exit_of(stopped: &Stopped) -> ExitCode {
    match stopped {
        Stopped::Provider(Stop::Deferred, _) => ExitCode::Deferred,
        Stopped::Provider(Stop::Unusable, _) => ExitCode::Error,
        Stopped::Provider(Stop::Credentials, _) => ExitCode::Auth,
        Stopped::NotRecorded | Stopped::Plan(_) => ExitCode::Io,
    }
}

/// A lane that went through a whole file knows its mapped fields from now on.
fn remember_fields(
    store: &mut Store,
    lanes: &[Arc<Lane>],
    planned: &Planned,
    ends: &std::collections::BTreeMap<String, LaneEnd>,
) -> Result<(), Failure> {
    for lane in lanes {
        let whole = ends.get(&lane.name).is_none_or(|end| end.stopped.is_none());
        if whole && planned.header.scope == Scope::Whole {
            remember(store, lane)?;
        }
    }
    Ok(())
}

fn remember_all(store: &mut Store, lanes: &[Lane], scope: Scope) -> Result<(), Failure> {
    if scope == Scope::Whole {
        lanes.iter().try_for_each(|lane| remember(store, lane))?;
    }
    Ok(())
}

pub(super) fn remember(store: &mut Store, lane: &Lane) -> Result<(), Failure> {
    let fields = lane
        .mappings
        .iter()
        .map(|mapping| mapping.field.path.clone())
        .collect();
    Ok(store.set_mapped_fields(&lane.name, &fields)?)
}
