//! `adopt`: fills the snapshot without writing to a provider.
//!
//! `--from source` declares that the providers hold what the file says; nobody
//! is asked. `--from provider` reads what they hold and links rows by `match`.
//! Either way the next run sends only what differs from then on.

mod provider;
mod source;

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use tempfile::tempfile;

use crate::cli::args::AdoptFrom;
use crate::cli::clock;
use crate::cli::details::Told;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::locking;
use crate::cli::output::{Look, ReportFiles, Story, show};
use crate::cli::planning::{Planned, guards, header};
use crate::cli::reporting::{self, TOOL_VERSION};
use crate::cli::session::{Opened, Session};
use crate::core::{GuardVerdict, Header, LaneCounts, LaneHeader, Ruling, Scope, Trailer, hex};
use crate::engine::{Lane, LaneEnd, Observer, PlanWriter, Sealing};
use crate::store::{Lock, OpenRun, RunEnd, RunExit, RunStart, Store};

/// What both ways work with.
#[derive(Debug)]
struct Adopting<'a> {
    session: &'a Session,
    opened: &'a Opened,
    run_id: &'a str,
    lock: &'a Lock,
    /// The command, as typed.
    command: &'static str,
    header: Header,
    verdicts: Vec<GuardVerdict>,
    started: jiff::Timestamp,
}

/// What one way came to.
#[derive(Debug)]
struct Adopted {
    store: Store,
    run: OpenRun,
    /// What became of each lane.
    ends: BTreeMap<String, LaneEnd>,
    /// Codes that neither rows nor lanes give.
    codes: Vec<ExitCode>,
}

/// Where the rows of the report go.
type Writer<'a> = PlanWriter<'a, File>;

/// Runs the command.
pub(in crate::cli) fn run(
    session: &Session,
    look: Look,
    from: AdoptFrom,
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
    let store = locking::open(session, &lock, started)?;
    let key = session.key()?;
    let verdicts = guards(session, &opened, Some(&store))?;
    let lanes = session.lanes(&opened.source, Some(&key), &|_| None);
    let adopting = Adopting {
        session,
        opened: &opened,
        run_id: &run_id,
        lock: &lock,
        command: match from {
            AdoptFrom::Provider => "adopt --from provider",
            AdoptFrom::Source => "adopt --from source",
        },
        header: header(session, &lanes, Some(&store))?,
        verdicts,
        started,
    };
    let file = tempfile().map_err(|error| Failure::new(ExitCode::Io, error))?;
    let mut writer = PlanWriter::begin(file, &adopting.header, Sealing::LeaveOut)?;
    let adopted = match from {
        _ if adopting.is_refused() => adopting.refuse(store)?,
        AdoptFrom::Source => source::adopt(&adopting, &lanes, store, &mut writer)?,
        AdoptFrom::Provider => provider::adopt(&adopting, &key, store, &mut writer, observer)?,
    };
    adopting.end(adopted, &lanes, writer, look, files)
}

impl Adopting<'_> {
    fn is_refused(&self) -> bool {
        let refuses = |verdict: &GuardVerdict| verdict.ruling == Ruling::Refused;
        self.verdicts.iter().any(refuses)
    }

    /// Records that the run begins with these rows to adopt.
    fn begin(
        &self,
        store: &mut Store,
        lanes: BTreeMap<String, LaneCounts>,
    ) -> Result<OpenRun, Failure> {
        store.bind(&self.header.lanes)?;
        let run = store.begin(&RunStart {
            run_id: self.run_id.to_owned(),
            command: "adopt".to_owned(),
            scope: self.header.scope,
            started: self.started,
            plan_sha256: None,
            plan_path: None,
            source_sha256: Some(hex(&self.opened.survey.sha256)),
            source_rows: Some(self.opened.survey.rows),
            tool_version: TOOL_VERSION.to_owned(),
            guards: self.verdicts.clone(),
            allowed: Vec::new(),
            lanes,
        })?;
        locking::remember(self.lock, store)?;
        Ok(run)
    }

    /// A guard refuses: the run is recorded, and nothing is adopted.
    fn refuse(&self, mut store: Store) -> Result<Adopted, Failure> {
        let nothing = |lane: &LaneHeader| (lane.lane.clone(), LaneCounts::default());
        let lanes = self.header.lanes.iter().map(nothing).collect();
        let run = self.begin(&mut store, lanes)?;
        Ok(Adopted {
            store,
            run,
            ends: BTreeMap::new(),
            codes: Vec::new(),
        })
    }

    /// Records how the run ends, and shows it.
    fn end(
        self,
        adopted: Adopted,
        lanes: &[Lane],
        writer: Writer<'_>,
        look: Look,
        files: ReportFiles,
    ) -> Result<ExitCode, Failure> {
        let Adopted {
            mut store,
            run,
            ends,
            codes,
        } = adopted;
        let counts: BTreeMap<String, LaneCounts> = ends
            .iter()
            .map(|(name, end)| (name.clone(), end.counts.clone()))
            .collect();
        let whole = self.header.scope == Scope::Whole && !self.is_refused();
        let finished = |lane: &&Lane| ends.get(&lane.name).is_none_or(|end| end.stopped.is_none());
        let remembered = lanes
            .iter()
            .filter(finished)
            .filter(|_| whole)
            .try_for_each(|lane| super::sync::remember(&mut store, lane));
        let (trailer, file) = writer.finish(Trailer {
            source_sha256: hex(&self.opened.survey.sha256),
            source_rows: self.opened.survey.rows,
            guards: self.verdicts,
            warnings: self.opened.warnings.clone(),
            lanes: counts.clone(),
            ..Trailer::default()
        })?;
        let planned = Planned {
            header: self.header,
            trailer,
            file,
        };
        let mut report = reporting::of_plan(self.command, &planned);
        report.run_id = Some(self.run_id.to_owned());
        report.plan_id = None;
        report.started = clock::text(self.started);
        let at = clock::now();
        report.ended = Some(clock::text(at));
        let mut codes = codes;
        for (name, end) in &ends {
            let stopped = end.stopped.as_ref();
            codes.extend(stopped.and_then(crate::cli::sending::exit_of));
            if let Some(lane) = report.providers.get_mut(name) {
                lane.stopped = stopped.map(ToString::to_string);
                lane.waiting = reporting::waiting(end);
            }
        }
        codes.extend(reporting::exit_of_rows(&report));
        let code = ExitCode::of(&codes);
        report.exit = reporting::exit(code);
        let exit = RunExit {
            code: code.code(),
            name: code.name().to_owned(),
        };
        let lanes = counts;
        // The report is shown also where the state does not take the end.
        let ended = remembered.and_then(|()| Ok(store.end(run, &RunEnd { exit, at, lanes })?));
        let story = Story {
            plan: &planned.file,
            outcomes: None,
        };
        story.collect(&mut report)?;
        show(&story, &report, look, files, Told::All)?;
        ended?;
        super::retention::forget_old(self.session, &mut store, clock::now())?;
        Ok(code)
    }
}
