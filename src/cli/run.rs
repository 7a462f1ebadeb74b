//! The program: from the command line to the exit code.
//!
//! Errors end here: one place says what happened, on stderr, and with which
//! code the process ends.

use std::env::ArgsOs;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressDrawTarget;
use tokio::time::Instant;
use tracing::info;

use super::args::{
    Args, Command, Common, InSandbox, Output, Portion, Providers, ProvidersCommand, Runs,
    RunsCommand, Status, parse,
};
use super::catalog::catalog_of;
use super::commands::{self, plan::Changes};
use super::config::{Config, PageFormat, RunTable, variable};
use super::exit::ExitCode;
use super::failure::Failure;
use super::logging::{self, Verbosity};
use super::output::{Look, PageLook};
use super::session::{Asked, Session, colours, log_format};
use crate::engine::{Observer, Silent};
#[cfg(feature = "failpoints")]
use crate::failpoint;
use crate::report::{Bars, Colour, ProgressLog, Style, Values};
use crate::sandbox::Faults;

/// Runs the program.
#[must_use]
pub fn main() -> std::process::ExitCode {
    #[cfg(feature = "failpoints")]
    if let Some(asked) = variable(failpoint::VARIABLE)
        && !failpoint::arm(&asked.to_string_lossy())
    {
        complain(&Failure::say(
            ExitCode::Usage,
            "the failpoints are not understood",
        ));
        return ExitCode::Usage.into();
    }
    super::process::prepare();
    super::panics::contained(|| answer(std::env::args_os())).into()
}

/// Understands what was typed, does it, and says what went wrong.
fn answer(typed: ArgsOs) -> ExitCode {
    match parse(typed) {
        Ok(args) => match dispatch(args) {
            Ok(code) => code,
            Err(failure) => {
                complain(&failure);
                failure.code
            }
        },
        Err((code, text)) => {
            let written = if code == ExitCode::Ok {
                io::stdout().write_all(text.as_bytes())
            } else {
                io::stderr().write_all(text.as_bytes())
            };
            // Whoever closed the stream does not want the text.
            drop(written);
            code
        }
    }
}

/// Says on stderr what went wrong; the last line names the exit code.
fn complain(failure: &Failure) {
    let text = format!(
        "clientsync: {:#}\nexit {} {}\n",
        failure.error,
        failure.code.code(),
        failure.code.name()
    );
    // A closed stderr leaves the exit code to say it.
    drop(io::stderr().write_all(text.as_bytes()));
}

fn dispatch(args: Args) -> Result<ExitCode, Failure> {
    let common = args.common;
    match args.command {
        Command::Plan(plan) => {
            let changes = changes(plan.expect_no_changes || plan.detailed_exitcode);
            let asked = Asked {
                selection: plan.selection,
                portion: plan.portion,
                sandbox: plan.sandbox,
                output: plan.output,
                ..Asked::default()
            };
            let (session, look, _) = open(&common, asked)?;
            commands::plan::run(&session, look, changes, "plan")
        }
        Command::Sync(sync) => {
            let changes = changes(sync.expect_no_changes || sync.detailed_exitcode);
            let asked = Asked {
                selection: sync.selection,
                portion: sync.portion,
                pace: sync.pace,
                locking: sync.locking,
                sandbox: sync.sandbox,
                output: sync.output,
                ..Asked::default()
            };
            let (session, look, observer) = open(&common, asked)?;
            if sync.dry_run {
                return commands::plan::run(&session, look, changes, "sync --dry-run");
            }
            commands::sync::run(&session, look, observer)
        }
        Command::Check(check) => {
            let portion = Portion {
                partial: check.partial,
                ..Default::default()
            };
            let asked = Asked {
                selection: check.selection,
                portion,
                sandbox: check.sandbox,
                output: check.output,
                judge_unlinked: true,
                ..Asked::default()
            };
            let (session, look, _) = open(&common, asked)?;
            commands::check::run(&session, look)
        }
        Command::Adopt(adopt) => {
            let asked = Asked {
                selection: adopt.selection,
                pace: adopt.pace,
                locking: adopt.locking,
                sandbox: adopt.sandbox,
                output: adopt.output,
                ..Asked::default()
            };
            let (session, look, observer) = open(&common, asked)?;
            commands::adopt::run(&session, look, adopt.from, observer)
        }
        Command::Drift(drift) => {
            let changes = changes(drift.expect_no_changes || drift.detailed_exitcode);
            let asked = Asked {
                selection: drift.selection,
                pace: drift.pace,
                sandbox: drift.sandbox,
                output: drift.output,
                ..Asked::default()
            };
            let (session, look, observer) = open(&common, asked)?;
            commands::drift::run(&session, look, changes, observer)
        }
        Command::Sandbox(sandbox) => {
            let served = InSandbox {
                sandbox: true,
                fresh: sandbox.fresh,
            };
            let (session, _, _) = open(
                &common,
                Asked {
                    sandbox: served,
                    ..Asked::default()
                },
            )?;
            let faults = Faults {
                kinds: sandbox.fault,
                seed: sandbox.fault_seed,
            };
            commands::sandbox::run(&session, sandbox.port, faults)
        }
        Command::Status(asked) => status(&common, asked),
        Command::Runs(runs) => history(&common, runs),
        Command::Providers(providers) => catalogue(&common, providers),
    }
}

fn status(common: &Common, asked: Status) -> Result<ExitCode, Failure> {
    let config = read_config(common)?;
    let format = asked.format.or(config.run.format.map(PageFormat::nearest));
    commands::status::run(&config, page(common, &config.run, format))
}

fn read_config(common: &Common) -> Result<Config, Failure> {
    let catalog = catalog_of(common)?;
    Config::read(&common.config, &catalog)
        .map_err(|problems| Failure::config(&common.config, &problems))
}

fn history(common: &Common, runs: Runs) -> Result<ExitCode, Failure> {
    let config = read_config(common)?;
    match runs.show {
        None => {
            let asked = runs.format.or(config.run.format.map(PageFormat::nearest));
            commands::runs::list(&config, page(common, &config.run, asked))
        }
        Some(RunsCommand::Show { id, output }) => {
            let look = look(common, &config.run, &output);
            commands::runs::show(&config, &id, &output.report, look)
        }
    }
}

fn catalogue(common: &Common, providers: Providers) -> Result<ExitCode, Failure> {
    let catalog = || catalog_of(common);
    let look = |format| page(common, &RunTable::default(), format);
    match providers.show {
        None => commands::providers::list(&catalog()?, look(providers.format)),
        Some(ProvidersCommand::Show { name, format }) => {
            commands::providers::show(&catalog()?, &name, look(format))
        }
        // It needs no catalog: a folder that is wrong would keep it from loading.
        Some(ProvidersCommand::Check { dir }) => commands::providers::check(&dir),
    }
}

fn changes(told: bool) -> Changes {
    if told {
        Changes::Told
    } else {
        Changes::Expected
    }
}

/// Opens the session, and starts logs and progress as it says.
fn open(common: &Common, asked: Asked) -> Result<(Session, Look, Arc<dyn Observer>), Failure> {
    let session = Session::open(common, asked)?;
    let run = &session.config.run;
    let terminal = io::stderr().is_terminal();
    let bars = Arc::new(Bars::new(ProgressDrawTarget::stderr()));
    let verbosity = match (common.quiet, common.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, 0) => Verbosity::Normal,
        (_, 1) => Verbosity::Detailed,
        _ => Verbosity::Everything,
    };
    let log_file = common.log_file.as_deref().or(run.log_file.as_deref());
    let coloured = colours(common.color, run.color, terminal, no_color());
    let started = logging::start(
        verbosity,
        log_format(common.log_format, run.log_format),
        coloured,
        log_file,
        &bars,
    );
    started.map_err(|error| {
        Failure::say(
            ExitCode::Io,
            format!("the log file cannot be written: {error}"),
        )
    })?;
    let silent = common.quiet || common.no_progress || run.no_progress.unwrap_or_default();
    let observer: Arc<dyn Observer> = match (silent, terminal) {
        (true, _) => Arc::new(Silent),
        (false, true) => bars,
        (false, false) => {
            let begin = Instant::now();
            Arc::new(ProgressLog::new(
                Duration::from_secs(10),
                move || begin.elapsed(),
                |line| info!("{line}"),
            ))
        }
    };
    let look = look(common, run, &session.asked.output);
    Ok((session, look, observer))
}

/// How a list or a page is shown on stdout.
fn page(common: &Common, run: &RunTable, format: Option<PageFormat>) -> PageLook {
    let look = look(common, run, &Output::default());
    PageLook {
        format: format.unwrap_or_default(),
        colour: look.style.colour,
    }
}

/// How a report is shown on stdout.
fn look(common: &Common, run: &RunTable, output: &Output) -> Look {
    let format = output.format.or(run.format).unwrap_or_default();
    let terminal = io::stdout().is_terminal();
    let style = Style {
        colour: if colours(common.color, run.color, terminal, no_color()) {
            Colour::Ansi
        } else {
            Colour::Plain
        },
        values: if output.hide_values || run.hide_values.unwrap_or_default() {
            Values::Hidden
        } else {
            Values::Shown
        },
        ..Style::default()
    };
    Look::new(format, terminal, style, common.quiet)
}

/// Whether the environment asks for no colours (<https://no-color.org>).
fn no_color() -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}
