//! `check`: the configuration and every row, all problems in one pass.

use crate::cli::details::Told;
use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::output::{Look, ReportFiles, Story, show};
use crate::cli::reporting;
use crate::cli::session::Session;

/// Runs the command: a plan of which only what is wrong is told.
pub(in crate::cli) fn run(session: &Session, look: Look) -> Result<ExitCode, Failure> {
    let files = ReportFiles::prepare(session.report_files())?;
    let (planned, mut report) = super::plan::read_only_plan(session, "check")?;
    let story = Story {
        plan: &planned.file,
        outcomes: None,
    };
    story.collect(&mut report)?;
    let code = ExitCode::of(&reporting::exit_of_rows(&report));
    report.exit = reporting::exit(code);
    show(&story, &report, look, files, Told::Problems)?;
    Ok(code)
}
