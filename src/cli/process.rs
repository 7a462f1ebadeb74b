//! What the process asks of the system before it does anything else.
//!
//! Where the system refuses, the program works all the same: these are its
//! second lines of defence.

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Prepares the process.
pub(super) fn prepare() {
    leave_no_core();
    outlive_file_size_limit();
}

/// A crash leaves no image of the memory, which may hold secrets. Commands that
/// print a secret inherit that.
fn leave_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}

/// Lets a file that may grow no further (`ulimit -f`) be an error of the write
/// that meets it, and not the end of the process: any handler does that.
fn outlive_file_size_limit() {
    let Ok(runtime) = Builder::new_current_thread().enable_io().build() else {
        return;
    };
    let _inside = runtime.enter();
    // The handler stays when what listens is gone; without it the limit ends
    // the process, as it does by itself.
    drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw())));
}
