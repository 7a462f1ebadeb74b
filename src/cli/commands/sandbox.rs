//! `sandbox`: serves the providers on this machine until it is stopped.

use std::fs;
use std::path::PathBuf;

use crate::cli::exit::ExitCode;
use crate::cli::failure::Failure;
use crate::cli::lanes::{runtime, start_sandbox};
use crate::cli::locking;
use crate::cli::output::print;
use crate::cli::session::{Session, sandbox_state};
use crate::sandbox::{Credentials, Fault, Faults};

/// Runs the command.
pub(in crate::cli) fn run(
    session: &Session,
    port: Option<u16>,
    faults: Faults,
) -> Result<ExitCode, Failure> {
    // One sandbox at a time keeps the records; a `sync --sandbox` is another.
    let now = crate::cli::clock::now();
    let run_id = crate::cli::clock::new_id(now)?;
    let _lock = locking::lock(session, &run_id, now)?;
    if session.asked.sandbox.fresh {
        forget(session)?;
    }
    let chosen = in_words(&faults);
    let runtime = runtime()?;
    let sandbox = start_sandbox(
        session,
        &runtime,
        port.unwrap_or_default(),
        faults,
        Some(session.sandbox_records()),
    )?;
    print(|out| {
        writeln!(
            out,
            "The sandbox listens on http://{} until it is stopped (Ctrl-C).",
            sandbox.address()
        )?;
        for lane in &session.config.lanes {
            writeln!(out, "\n{} ({})", lane.name, lane.provider.manifest.title)?;
            writeln!(out, "  base URL  {}", sandbox.base_url(&lane.name))?;
            match sandbox.secrets(&lane.name) {
                Some(Credentials::Token(token)) => writeln!(out, "  token     {}", token.expose())?,
                Some(Credentials::Password { username, password }) => {
                    writeln!(
                        out,
                        "  username  {}\n  password  {}",
                        username.expose(),
                        password.expose()
                    )?;
                }
                None => {}
            }
        }
        if let Some(chosen) = chosen {
            writeln!(out, "\nRequests fail on purpose: {chosen}")?;
        }
        writeln!(
            out,
            "\nThe requests it got: http://{}/_sandbox/requests",
            sandbox.address()
        )?;
        Ok(())
    })?;
    let ended = runtime.block_on(tokio::signal::ctrl_c());
    runtime.block_on(sandbox.stop());
    match ended {
        Ok(()) => Ok(ExitCode::Interrupted),
        Err(error) => Err(Failure::new(ExitCode::Error, error)),
    }
}

/// The chosen faults, for a person.
fn in_words(faults: &Faults) -> Option<String> {
    let one = |fault: &Fault| format!("{}={}", fault.kind, fault.rate);
    let all: Vec<String> = faults.kinds.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("{} (seed {})", all.join(", "), faults.seed))
}

/// Starts over from the seed file: records and state of the sandbox go.
pub(super) fn forget(session: &Session) -> Result<(), Failure> {
    let state = sandbox_state(&session.config.state.path);
    let beside = |suffix: &str| {
        let mut path = state.clone().into_os_string();
        path.push(suffix);
        PathBuf::from(path)
    };
    for path in [
        session.sandbox_records(),
        state.clone(),
        beside("-wal"),
        beside("-shm"),
    ] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::say(
                    ExitCode::Io,
                    format!("{} cannot be removed: {error}", path.display()),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
