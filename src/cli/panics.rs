//! Panics: bugs of ours. One is told with its place and its run, never with its
//! payload, which may hold a cell's value; the process ends with 1.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::sync::OnceLock;

use super::exit::ExitCode;

/// The run of this process, once it has one.
static RUN: OnceLock<String> = OnceLock::new();

/// Names the run that a panic from now on belongs to.
pub(super) fn belong_to(run_id: &str) {
    // A process has one run.
    let _ = RUN.set(run_id.to_owned());
}

/// Runs the program; a panic that nobody caught before ends it here.
pub(super) fn contained(run: impl FnOnce() -> ExitCode) -> ExitCode {
    set_hook(Box::new(tell));
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(ExitCode::Error)
}

fn tell(panic: &PanicHookInfo<'_>) {
    let run = RUN
        .get()
        .map_or_else(String::new, |run| format!(" in run {run}"));
    let place = panic.location().map_or_else(String::new, |place| {
        format!(" at {}:{}", place.file(), place.line())
    });
    let text = format!(
        "clientsync: internal error{run}{place}\nThis is a bug; please report this line. \
         The next run goes on where this one ended.\nexit {} {}\n",
        ExitCode::Error.code(),
        ExitCode::Error.name()
    );
    // A closed stderr leaves the exit code to say it.
    drop(io::stderr().write_all(text.as_bytes()));
}
