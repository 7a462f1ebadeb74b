//! One run at a time: who comes second is told at once, or waits; the dead
//! hold nothing.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc;

use crate::cli::signals::{NEVER, holding};
use crate::support::campaign::times;
use crate::support::workdir::{FIELDS, ROWS, Ran, Workdir, counts};

const STARTS: usize = 50;

#[test]
fn of_fifty_simultaneous_starts_one_runs_and_the_others_send_nothing() {
    for _ in 0..times(3, 20) {
        let (remote, holds, release) = holding(1);
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        let (done, ended) = mpsc::channel();
        std::thread::scope(|scope| {
            let children: Vec<_> = (0..STARTS)
                .map(|_| workdir.start(&["sync", "--format", "json"]))
                .collect();
            for child in children {
                let done = done.clone();
                scope.spawn(move || {
                    let pid = child.id();
                    let ran = Ran::from(child.wait_with_output().unwrap());
                    done.send((pid, ran)).unwrap();
                });
            }
            let refused: Vec<(u32, Ran)> = (1..STARTS)
                .map(|_| ended.recv_timeout(NEVER).unwrap())
                .collect();
            holds.recv_timeout(NEVER).unwrap();
            release.send(()).unwrap();
            let (winner, ran) = ended.recv_timeout(NEVER).unwrap();
            assert_eq!(counts(&ran.ended(0).json())["updated"], 3);
            for (_, ran) in refused {
                let ran = ran.ended(7);
                ran.says(&["exit 7 locked", "another run holds the state"]);
                // Whoever came before the winner had written its name knows none.
                assert!(
                    !ran.stderr.contains("process")
                        || ran.stderr.contains(&format!("process {winner} on ")),
                    "{winner}: {ran:#?}"
                );
            }
        });
        assert_eq!(remote.count(), 3);
        let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
        assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn the_lock_of_a_killed_run_is_free_at_once() {
    for _ in 0..times(3, 100) {
        let (remote, holds, release) = holding(2);
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        let mut child = workdir.start(&["sync"]);
        holds.recv_timeout(NEVER).unwrap();
        let held = workdir.expect(7, &["sync"]);
        held.says(&[&format!("process {} on ", child.id()), "since ", "run "]);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(release);
        workdir.expect(0, &["sync"]).says(&["did not end"]);
        assert!(!workdir.expect(0, &["sync"]).stderr.contains("did not end"));
    }
}

#[test]
fn with_a_timeout_the_second_run_waits_for_the_first_and_finds_nothing_to_do() {
    for (key, arguments) in [
        ("", &["sync", "--lock-timeout", "10m"][..]),
        ("[run]\nlock_timeout = \"10m\"\n", &["sync"]),
        // The command line wins.
        (
            "[run]\nlock_timeout = \"0\"\n",
            &["sync", "--lock-timeout", "1h"],
        ),
    ] {
        let (remote, holds, release) = holding(2);
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        workdir.edit("clientsync.toml", "[state]", &format!("{key}[state]"));
        let first = workdir.start(&["sync"]);
        holds.recv_timeout(NEVER).unwrap();
        let mut second = workdir.start(&[arguments, &["--format", "json"]].concat());
        let mut stderr = BufReader::new(second.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Waiting: another run holds the state: process") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it did not wait");
        }
        release.send(()).unwrap();
        Ran::from(first.wait_with_output().unwrap()).ended(0);
        stderr.read_to_string(&mut String::new()).unwrap();
        let ran = Ran::from(second.wait_with_output().unwrap()).ended(0);
        assert_eq!(counts(&ran.json())["unchanged"], 3);
        assert_eq!(remote.count(), 3);
    }
}

#[test]
fn a_timeout_that_passes_ends_with_7() {
    let (remote, holds, release) = holding(2);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let first = workdir.start(&["sync"]);
    holds.recv_timeout(NEVER).unwrap();
    for arguments in [
        &["sync", "--lock-timeout", "1s"][..],
        &["adopt", "--from", "source", "--lock-timeout", "0"],
    ] {
        workdir.expect(7, arguments).says(&["exit 7 locked"]);
    }
    release.send(()).unwrap();
    Ran::from(first.wait_with_output().unwrap()).ended(0);
    assert_eq!(remote.count(), 3);
}
