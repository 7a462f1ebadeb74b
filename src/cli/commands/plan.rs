//! `plan`: what would change, and nothing else.
//!
//! It needs no secret, takes no lock and creates no file beside the state.

use tempfile::tempfile;

use crate::cli::details::Told;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{Look, ReportFiles, Story, show};
use crate::cli::planning::{Planned, plan_into};
use crate::cli::reporting;
use crate::cli::session::Session;
use crate::report::Report;
use crate::store::Store;

/// Whether changes are a finding of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Changes {
    /// They are what a plan is for.
    Expected,
    /// They end the command with 2.
    Told,
}

/// Runs the command.
pub(in crate::cli) fn run(
    session: &Session,
    look: Look,
    changes: Changes,
    command: &str,
) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(session.report_files())?;
    let (planned, mut report) = read_only_plan(session, command)?;
    let story = Story {
        plan: &planned.file,
        outcomes: None,
    };
    story.collect(&mut report)?;
    let mut codes = reporting::exit_of_rows(&report);
    if changes == Changes::Told
        && report
            .providers
            .values()
            .any(|lane| lane.counts.planned > 0)
    {
        codes.push(ExitCode::Changes);
    }
    let code = ExitCode::of(&codes);
    report.exit = reporting::exit(code);
    show(&story, &report, look, files, Told::All)?;
    Ok(code)
}

/// Plans without touching anything: the state is read as it lies, and the plan
/// goes to a file that has no name.
pub(in crate::cli) fn read_only_plan(
    session: &Session,
    command: &str,
) -> Result<(Planned, Report), Failure> {
    let opened = session.open_source()?;
    let path = session.state_path();
    // A writer that comes between makes what was read void: once more, then.
    for _ in 0..3 {
        let store = if session.asked.sandbox.fresh {
            None
        } else {
            Store::open_read_only(&path)
                .map_err(|error| Failure::from(error).during(format!("state {}", path.display())))?
        };
        let key = if store.is_some() {
            session.known_key()?
        } else {
            None
        };
        let lanes = session.lanes(&opened.source, key.as_ref(), &|_| None);
        let file = tempfile().map_err(|error| Failure::new(ExitCode::Io, error))?;
        let planned = plan_into(file, session, &opened, &lanes, store.as_ref(), key.as_ref())?;
        if store
            .as_ref()
            .is_none_or(|store| store.unmoved().unwrap_or_default())
        {
            let report = reporting::of_plan(command, &planned);
            return Ok((planned, report));
        }
    }
    Err(Failure::say(
        ExitCode::Locked,
        "another run is writing the state; plan again when it has ended",
    ))
}
