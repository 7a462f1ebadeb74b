//! Killed in the middle of a request: nothing is lost, nothing stays locked,
//! and the history adds up.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::support::samples::harbour;
use crate::support::server::Answer;
use crate::support::workdir::{
    FIELDS, ROWS, Remote, Workdir, accepted, assert_adds_up, counts, expected, record_id,
};

/// A server that holds the n-th request open for ever and says so.
fn hanging(nth: u32) -> (Remote, Receiver<()>) {
    let (held, holds) = mpsc::channel();
    let state = Mutex::new((0, held));
    let accept = accepted();
    let remote = Remote::new(move |hit| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.0 == nth {
            state.1.send(()).unwrap();
            return Answer::Hang;
        }
        accept(hit)
    });
    (remote, holds)
}

/// Starts a run and kills it while its n-th request waits for the answer.
fn killed_at(nth: u32) -> (Remote, Workdir) {
    let (remote, holds) = hanging(nth);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let mut child = workdir.start(&["sync"]);
    // Not a wait for time: the test ends here only if the request never comes.
    holds.recv_timeout(Duration::from_secs(60)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    (remote, workdir)
}

#[test]
fn a_killed_run_is_shown_unfinished_and_its_rows_add_up() {
    let (_remote, workdir) = killed_at(2);
    let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
    let run = &runs["runs"][0];
    assert_eq!(
        (&run["ended"], &run["exit"]),
        (&().into(), &().into()),
        "{run:#}"
    );
    assert_adds_up(&run["providers"]);
    let lane = &run["providers"]["complycube"];
    assert_eq!(
        (&lane["rows"], &lane["updated"], &lane["rejected"]),
        (&3.into(), &1.into(), &0.into()),
        "{lane:#}"
    );
    // The row that was under way is in doubt, whatever the plan said of it.
    assert_eq!(
        (&lane["in_doubt"], &lane["planned"]),
        (&1.into(), &1.into()),
        "{lane:#}"
    );
    let id = run["run_id"].as_str().unwrap();
    let shown = workdir
        .expect(0, &["runs", "show", id, "--format", "json"])
        .json();
    assert_eq!(shown["complete"], true);
    workdir.expect(0, &["runs"]);
    workdir.expect(0, &["runs", "show", id]);
}

#[test]
fn the_run_after_a_kill_sends_what_is_missing_and_converges() {
    let (remote, workdir) = killed_at(2);
    let ran = workdir.expect(0, &["sync", "--format", "json"]);
    ran.says(&["did not end"]);
    let report = ran.json();
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("unchanged", 1),
            ("updated", 2),
            ("requests", 3)
        ])
    );
    let methods: Vec<(String, String)> = remote
        .hits()
        .iter()
        .map(|hit| (hit.method.clone(), record_id(hit)))
        .collect();
    let row = |method: &str, id: &str| (method.to_owned(), id.to_owned());
    // What is in doubt is read before anything is sent again.
    let order = [
        row("POST", "aa"),
        row("POST", "bb"),
        row("GET", "bb"),
        row("POST", "bb"),
        row("POST", "cc"),
    ];
    assert_eq!(methods, order);
    // The repeated update is the same to the byte.
    let sent = remote.sent_since(0);
    assert_eq!(sent[1], sent[3]);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
    let ran = workdir.expect(0, &["sync", "--format", "json"]);
    assert_eq!(
        counts(&ran.json()),
        expected([("rows", 3), ("unchanged", 3)])
    );
    assert!(!ran.stderr.contains("did not end"), "{ran:#?}");
}

/// Applies its n-th request, never answers it, and tells that it came.
fn applying(nth: u32) -> (Remote, Receiver<()>) {
    let (tell, holds) = mpsc::channel();
    let state = Mutex::new((0, tell));
    let accept = accepted();
    let remote = Remote::new(move |hit| {
        let mut state = state.lock().unwrap();
        state.0 += 1;
        let answer = accept(hit);
        if state.0 == nth {
            state.1.send(()).unwrap();
            return Answer::Hang;
        }
        answer
    });
    (remote, holds)
}

#[test]
fn an_update_that_was_applied_and_never_answered_is_not_sent_again() {
    let (remote, holds) = applying(2);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let mut child = workdir.start(&["sync"]);
    holds.recv_timeout(Duration::from_secs(60)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("unchanged", 1),
            ("updated", 2),
            ("requests", 2)
        ])
    );
    let hits = remote.hits();
    let updates = |id: &str| {
        let writes = hits.iter().filter(|hit| hit.method != "GET");
        writes.filter(|hit| record_id(hit) == id).count()
    };
    assert_eq!(["aa", "bb", "cc"].map(updates), [1, 1, 1]);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn a_row_in_doubt_after_a_kill_is_sent_although_the_file_has_the_old_value_again() {
    let (remote, holds) = applying(4);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "bob@", "new@");
    let mut child = workdir.start(&["sync"]);
    holds.recv_timeout(Duration::from_secs(60)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    workdir.edit("clients.csv", "new@", "bob@");
    let report = workdir.report(0, &["sync"]);
    assert_eq!(counts(&report)["updated"], 1);
    assert_eq!(
        remote.sent_since(4),
        [
            ("bb".to_owned(), String::new()),
            ("bb".to_owned(), r#"{"email":"bob@example.com"}"#.to_owned())
        ]
    );
}

#[test]
fn a_plan_can_be_made_while_a_run_is_under_way_and_after_it_was_killed() {
    let (remote, holds) = hanging(2);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let mut child = workdir.start(&["sync"]);
    holds.recv_timeout(Duration::from_secs(60)).unwrap();
    workdir
        .expect(7, &["sync"])
        .says(&["another run holds the state: process"]);
    workdir.expect(0, &["plan"]);
    workdir.expect(0, &["runs"]);
    child.kill().unwrap();
    child.wait().unwrap();
    // SQLite rebuilds its shared memory file for the reader; it is no state.
    let print = || {
        let mut print = workdir.fingerprint();
        print.remove(&workdir.path("state.db-shm")).unwrap();
        print
    };
    let before = print();
    let report = workdir.report(0, &["plan"]);
    assert_eq!(counts(&report)["planned"], 2);
    assert_eq!(print(), before);
    assert_eq!(remote.count(), 2);
}

#[test]
fn what_is_in_doubt_and_wanted_by_nobody_any_more_is_let_go() {
    let in_doubt = |workdir: &Workdir| {
        let status = workdir.expect(0, &["status", "--format", "json"]).json();
        status["states"][0]["providers"]["complycube"]["in_doubt"]
            .as_u64()
            .unwrap()
    };
    // The cells of its fields are blank by now, or its row is gone.
    for rest in [
        "2,bb,,,\n3,cc,cyd@example.com,2020-01-03,Cyd\n",
        "3,cc,,,\n",
    ] {
        let (remote, workdir) = killed_at(2);
        assert_eq!(in_doubt(&workdir), 1);
        let rows = "no,cc_id,email,joined,first\n1,aa,ann@example.com,2020-01-01,Ann\n";
        workdir.write("clients.csv", [rows, rest].concat());
        workdir.edit(
            "clientsync.toml",
            "[state]",
            "[guards]\nmax_row_drop = \"off\"\n[state]",
        );
        // A part of the file says nothing of the rest.
        workdir.expect(0, &["sync", "--only", "1"]);
        assert_eq!(in_doubt(&workdir), 1);
        let before = remote.count();
        workdir.expect(0, &["sync"]);
        assert_eq!(in_doubt(&workdir), 0, "{rest}");
        let asked = remote.hits().split_off(before);
        assert!(asked.iter().all(|hit| record_id(hit) == "cc"), "{asked:?}");
        // The fields are unknown: whoever wants them again sends them.
        workdir.write("clients.csv", ROWS);
        let report = workdir.report(0, &["sync"]);
        assert_eq!(counts(&report).get("in_doubt"), None);
        assert!(remote.hits().iter().any(|hit| record_id(hit) == "bb"));
        workdir.expect(0, &["plan", "--expect-no-changes"]);
    }
}

#[test]
fn an_update_that_must_not_be_repeated_and_cannot_be_looked_into_stays_in_doubt() {
    let (remote, holds) = hanging(1);
    let workdir = harbour(&remote.url(), "", |manifest| {
        let (head, tail) = manifest.split_once("[read]").unwrap();
        let (_, tail) = tail.split_once("[response]").unwrap();
        format!("{head}[response]{tail}")
            .replace("repeatable = true", "repeatable = false")
            .replace("whole      = [\"/address\"]", "")
    });
    workdir.write("clients.csv", "no,cc_id,name\n1,M-1,Ann\n2,M-2,Bob\n");
    let mut child = workdir.start(&["sync"]);
    holds.recv_timeout(Duration::from_secs(60)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for updated in [1, 0] {
        let report = workdir.report(3, &["sync"]);
        let lane = &report["providers"]["harbour"];
        assert_eq!(
            (&lane["in_doubt"], &lane["updated"]),
            (&1.into(), &updated.into())
        );
    }
    let asked: Vec<String> = remote.hits().iter().map(record_id).collect();
    assert_eq!(asked, ["M-1", "M-2"], "it was sent once, and never again");
}
