//! `status`: what it tells in each situation, and that it touches nothing.

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cli::signals::{NEVER, holding};
use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Ran, Remote, Workdir};

/// The one state that is told.
fn status(workdir: &Workdir) -> Value {
    let told = workdir.expect(0, &["status", "--format", "json"]).json();
    assert_eq!(told["format"], 1);
    let states = told["states"].as_array().unwrap();
    assert_eq!(states.len(), 1, "{told:#}");
    states[0].clone()
}

#[test]
fn no_state_is_a_sentence_and_stays_no_state() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS).token(None);
    workdir.edit("clientsync.toml", "\"state.db\"", "\"deep/state.db\"");
    let before = workdir.fingerprint();
    let ran = workdir.expect(0, &["status"]);
    assert!(ran.stdout.contains("There is no state yet"), "{ran:#?}");
    let told = status(&workdir);
    assert_eq!(
        (&told["exists"], &told["last_run"]),
        (&false.into(), &().into())
    );
    assert_eq!(workdir.fingerprint(), before);
    assert!(!workdir.path("deep").exists());
}

#[test]
fn after_a_run_it_tells_the_run_and_what_is_left() {
    let remote = Remote::except("bb", Answer::reply(500, ""));
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(3, &["sync"]);
    let before = workdir.fingerprint();
    let told = status(&workdir);
    assert_eq!(workdir.fingerprint(), before);
    assert_eq!(told["at_work"], Value::Null);
    assert_eq!(
        told["last_run"]["exit"],
        json!({"code": 3, "name": "rejects"})
    );
    assert_eq!(told["pending_since"], told["last_run"]["run_id"]);
    assert_eq!(
        told["providers"]["complycube"],
        json!({"records": 2, "pending": 0, "in_doubt": 1, "blocked_until": null}),
        "a row that failed and is in doubt counts once"
    );
    // A part that was sent later does not hide what the whole file left.
    workdir.expect(0, &["sync", "--only", "1"]);
    let later = status(&workdir);
    assert_eq!(later["providers"], told["providers"]);
    assert_eq!(later["pending_since"], told["pending_since"]);
    let text = workdir.expect(0, &["status"]).stdout;
    let shown = [
        "exit 0 ok",
        "pending:  as run",
        "complycube        2        0         1  -",
    ];
    for part in shown {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn while_a_run_is_at_work_it_says_who_and_keeps_nobody_out() {
    let (remote, holds, release) = holding(2);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let child = workdir.start(&["sync"]);
    holds.recv_timeout(NEVER).unwrap();
    let told = status(&workdir);
    assert_eq!(told["at_work"]["pid"], child.id(), "{told:#}");
    assert_eq!(told["at_work"]["run_id"], told["last_run"]["run_id"]);
    assert_eq!(told["last_run"]["ended"], Value::Null);
    assert_eq!(told["providers"]["complycube"]["pending"], 1);
    let text = workdir.expect(0, &["status"]).stdout;
    assert!(
        text.contains(&format!("at work:  process {} on ", child.id())),
        "{text}"
    );
    release.send(()).unwrap();
    Ran::from(child.wait_with_output().unwrap()).ended(0);
    assert_eq!(status(&workdir)["at_work"], Value::Null);
}

#[test]
fn after_a_kill_nobody_is_at_work_and_the_open_request_is_in_doubt() {
    let (remote, holds, release) = holding(2);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let mut child = workdir.start(&["sync"]);
    holds.recv_timeout(NEVER).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(release);
    let told = status(&workdir);
    assert_eq!(told["at_work"], Value::Null, "{told:#}");
    assert_eq!(told["last_run"]["exit"], Value::Null);
    assert_eq!(
        told["providers"]["complycube"],
        json!({"records": 1, "pending": 1, "in_doubt": 1, "blocked_until": null}),
    );
    assert!(workdir.expect(0, &["status"]).stdout.contains("not ended"));
}

#[test]
fn a_provider_that_is_left_alone_is_told_until_its_time_has_come() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    let block = |until: i64| {
        let state = Connection::open(workdir.path("state.db")).unwrap();
        let changed = state.execute("UPDATE lane SET blocked_until = ?1", [until]);
        assert_eq!(changed.unwrap(), 1);
    };
    block(4_070_908_800_000_000);
    let lane = status(&workdir)["providers"]["complycube"].clone();
    assert_eq!(lane["blocked_until"], "2099-01-01T00:00:00Z");
    block(1_000_000);
    let lane = status(&workdir)["providers"]["complycube"].clone();
    assert_eq!(lane["blocked_until"], Value::Null);
}

#[test]
fn the_sandboxs_state_is_told_beside_the_real_one() {
    let workdir = Workdir::with("http://127.0.0.1:9", FIELDS, ROWS).token(None);
    workdir.expect(0, &["sync", "--sandbox"]);
    let told = workdir.expect(0, &["status", "--format", "json"]).json();
    let states = told["states"].as_array().unwrap();
    let facts: Vec<_> = states
        .iter()
        .map(|state| (state["sandbox"].clone(), state["exists"].clone()))
        .collect();
    assert_eq!(
        facts,
        [(json!(false), json!(false)), (json!(true), json!(true))]
    );
}
