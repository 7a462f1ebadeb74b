//! Signals while something is sent: the first ends the run well, the second at
//! once.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, accepted, assert_adds_up};

/// Not a wait for time: a test comes here only if what it waits for never comes.
pub(super) const NEVER: Duration = Duration::from_secs(60);

/// A server that holds its n-th request until it is told to answer.
pub(super) fn holding(nth: u32) -> (Remote, Receiver<()>, Sender<()>) {
    let (held, holds) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let state = Mutex::new((0, held, released));
    let accept = accepted();
    let remote = Remote::new(move |hit| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.0 == nth {
            state.1.send(()).unwrap();
            // A test that is done, or has failed, lets go by dropping its end.
            let _ = state.2.recv();
        }
        accept(hit)
    });
    (remote, holds, release)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Waits until the program says that it was asked to stop.
fn until_heard(child: &mut Child) -> impl BufRead + use<> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Asked to stop") {
        line.clear();
        assert!(
            stderr.read_line(&mut line).unwrap() > 0,
            "it never said that it was asked to stop"
        );
    }
    stderr
}

#[test]
fn the_first_signal_finishes_what_is_under_way_and_writes_the_report() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let (remote, holds, release) = holding(2);
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        let mut child = workdir.start(&["sync", "--format", "json"]);
        holds.recv_timeout(NEVER).unwrap();
        signal(&child, name);
        let mut stderr = until_heard(&mut child);
        release.send(()).unwrap();
        let mut stdout = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        stderr.read_to_string(&mut String::new()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(report["exit"]["name"], "interrupted");
        assert_adds_up(&report["providers"]);
        let lane = &report["providers"]["complycube"];
        assert_eq!(
            (&lane["updated"], &lane["planned"], &lane["in_doubt"]),
            (&2.into(), &1.into(), &0.into()),
            "{lane:#}"
        );
        assert_eq!(remote.count(), 2);
        // The next run goes on where this one stopped.
        let next = workdir.report(0, &["sync"]);
        assert_eq!(next["providers"]["complycube"]["updated"], 1);
        assert_eq!(remote.count(), 3);
    }
}

#[test]
fn the_second_signal_ends_the_run_at_once() {
    let (remote, holds, release) = holding(2);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let mut child = workdir.start(&["sync"]);
    holds.recv_timeout(NEVER).unwrap();
    signal(&child, "INT");
    let _stderr = until_heard(&mut child);
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(release);
    let next = workdir.report(0, &["sync"]);
    assert_eq!(
        next["providers"]["complycube"]["updated"], 2,
        "what was under way is sent again"
    );
}
