//! Signals while something is sent: the first ends the run well, the second at
//! once.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::support::campaign::{Chance, times};
use crate::support::judge::{Judge, rows};
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
fn a_signal_at_any_request_leaves_nothing_in_doubt_and_a_whole_report() {
    const COUNT: u32 = 60;
    let mut chance = Chance::new("signals");
    let mut stopped = 0;
    for turn in 0..times(10, 100) {
        let (name, code) = [("INT", 130), ("TERM", 143), ("HUP", 143)][turn % 3];
        let judge = Judge::of(5);
        let workdir = judge.workdir(4);
        workdir.write("clients.csv", rows(COUNT, 1));
        let (ring, rings) = mpsc::channel();
        let (answer, answers) = mpsc::channel::<()>();
        // The request is held until the program has heard, so that it is open then.
        judge.after(1 + chance.below(u64::from(COUNT) * 6), move || {
            ring.send(()).unwrap();
            let _ = answers.recv();
        });
        let mut child = workdir.start(&["sync", "--report", "report.json"]);
        rings.recv_timeout(NEVER).unwrap();
        signal(&child, name);
        let mut stderr = until_heard(&mut child);
        answer.send(()).unwrap();
        drop(child.stdout.take());
        stderr.read_to_string(&mut String::new()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        let report: Value = serde_json::from_str(&workdir.read("report.json")).unwrap();
        assert_eq!(
            report["exit"],
            serde_json::json!({"code": code, "name": "interrupted"})
        );
        assert_eq!(report["complete"], true);
        assert_adds_up(&report["providers"]);
        for (lane, counts) in report["providers"].as_object().unwrap() {
            assert_eq!(counts["in_doubt"], 0, "{lane}: {counts:#}");
        }
        assert!(judge.assert_recorded(&workdir.path("state.db")).is_empty());
        stopped += usize::from(judge.writes() < 5 * COUNT as usize);
        let before = judge.writes();
        workdir.expect(0, &["sync"]);
        judge.assert_holds(COUNT, 1);
        assert!(
            judge.repeated_since(before).is_empty(),
            "what was done is not sent again"
        );
    }
    assert!(stopped > 0, "no run was stopped before its end");
}

#[test]
fn the_second_signal_ends_the_run_at_once() {
    let signals = ["INT", "TERM", "HUP"];
    for turn in 0..times(9, 90) {
        let (first, second) = (signals[turn % 3], signals[turn / 3 % 3]);
        let (remote, holds, release) = holding(2);
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        let mut child = workdir.start(&["sync"]);
        holds.recv_timeout(NEVER).unwrap();
        signal(&child, first);
        let _stderr = until_heard(&mut child);
        signal(&child, second);
        let code = if second == "INT" { 130 } else { 143 };
        assert_eq!(
            child.wait().unwrap().code(),
            Some(code),
            "{first}, {second}"
        );
        drop(release);
        let next = workdir.report(0, &["sync"]);
        assert_eq!(
            next["providers"]["complycube"]["updated"], 2,
            "what was under way is sent again"
        );
    }
}
