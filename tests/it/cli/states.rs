//! States that cannot be used, or not as they are: each ends as documented,
//! sends nothing, and is left as it was.

use std::fs;

use rusqlite::Connection;

use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, counts};

/// A directory whose state knows three records, and how many requests came.
fn settled() -> (Remote, Workdir) {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "bob@", "new@");
    (remote, workdir)
}

/// A sync must end with this code and words, send nothing, and leave the state.
fn refused(remote: &Remote, workdir: &Workdir, code: i32, words: &[&str]) {
    let (before, sent) = (fs::read(workdir.path("state.db")).ok(), remote.count());
    workdir.expect(code, &["sync"]).says(words);
    assert_eq!(fs::read(workdir.path("state.db")).ok(), before);
    assert_eq!(remote.count(), sent);
}

#[test]
fn a_state_that_another_program_writes_to_is_waited_for_and_then_74() {
    let (remote, workdir) = settled();
    let foreign = Connection::open(workdir.path("state.db")).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let sent = remote.count();
    let ran = workdir.expect(74, &["sync"]);
    ran.says(&["in use by another program", "exit 74 io"]);
    assert_eq!(remote.count(), sent);
    foreign.execute_batch("ROLLBACK").unwrap();
    drop(foreign);
    workdir.expect(0, &["sync"]);
    assert_eq!(remote.count(), sent + 1);
}

#[test]
fn a_state_that_is_damaged_is_74_and_never_made_anew() {
    let (remote, workdir) = settled();
    let whole = fs::read(workdir.path("state.db")).unwrap();
    let mut flipped = whole.clone();
    for byte in flipped.iter_mut().skip(100).step_by(97).take(400) {
        *byte ^= 0x55;
    }
    for content in [
        b"a letter to a friend, which is longer than a header of a database must be, and then some more of it"
            .to_vec(),
        Vec::new(),
        whole[..whole.len() / 2].to_vec(),
        flipped,
    ] {
        fs::write(workdir.path("state.db"), content).unwrap();
        refused(&remote, &workdir, 74, &["the state is damaged", "exit 74 io"]);
    }
    fs::write(workdir.path("state.db"), whole).unwrap();
    workdir.expect(0, &["sync"]);
}

#[test]
fn a_log_whose_state_is_gone_is_74() {
    let (remote, workdir) = settled();
    fs::rename(workdir.path("state.db"), workdir.path("state.db-wal")).unwrap();
    refused(&remote, &workdir, 74, &["its write-ahead log is there"]);
}

#[test]
fn a_state_of_a_newer_version_or_of_another_program_is_78() {
    for (pragma, words) in [
        ("user_version", "use the newer program"),
        ("application_id", "another program"),
    ] {
        let (remote, workdir) = settled();
        let state = Connection::open(workdir.path("state.db")).unwrap();
        state.pragma_update(None, pragma, 9999).unwrap();
        drop(state);
        refused(&remote, &workdir, 78, &[words, "exit 78 config"]);
    }
}

#[test]
fn a_state_of_another_target_is_5() {
    let (remote, workdir) = settled();
    let elsewhere = Remote::accepting();
    workdir.edit("clientsync.toml", &remote.url(), &elsewhere.url());
    refused(&remote, &workdir, 5, &["is bound to", "exit 5 stale"]);
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn an_older_copy_of_a_state_is_found_out_and_everything_is_sent_again() {
    let (remote, workdir) = settled();
    let copy = fs::read(workdir.path("state.db")).unwrap();
    workdir.expect(0, &["sync"]);
    assert_eq!(remote.count(), 4);
    // The copy and the file say the same of the client whose record has moved
    // since: without the warning nobody would ever look.
    fs::write(workdir.path("state.db"), copy).unwrap();
    workdir.edit("clients.csv", "new@", "bob@");
    let ran = workdir.expect(0, &["sync", "--format", "json"]);
    ran.says(&["restored from a copy"]);
    assert_eq!(counts(&ran.json())["updated"], 3);
    let sent = remote.sent_since(4);
    assert!(sent[1].1.contains("bob@example.com"), "{sent:?}");
    let ran = workdir.expect(0, &["sync", "--format", "json"]);
    assert!(!ran.stderr.contains("restored"), "{ran:#?}");
    assert_eq!(counts(&ran.json())["unchanged"], 3);
}

#[test]
fn a_state_that_starts_over_is_no_older_copy() {
    let (_remote, workdir) = settled();
    fs::remove_file(workdir.path("state.db")).unwrap();
    let ran = workdir.expect(0, &["adopt", "--from", "source"]);
    assert!(!ran.stderr.contains("restored"), "{ran:#?}");
}

#[test]
fn a_place_that_takes_no_state_is_74_before_any_request() {
    for place in [
        "/proc/clientsync.db",
        "/proc/none/clientsync.db",
        "clients.csv/state.db",
    ] {
        let remote = Remote::accepting();
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        workdir.edit("clientsync.toml", "state.db", place);
        workdir
            .expect(74, &["sync"])
            .says(&["cannot use", "exit 74 io"]);
        assert_eq!(remote.count(), 0);
    }
}

#[test]
fn a_state_open_to_others_is_77_with_the_command_that_helps() {
    for file in ["state.db", "state.db.lock", "state.db.key"] {
        let (remote, workdir) = settled();
        workdir.set_mode(file, 0o644);
        let words = [
            &format!("{file} has mode 0644"),
            "run: chmod 600",
            "exit 77 auth",
        ];
        refused(&remote, &workdir, 77, &words);
    }
}

#[test]
fn a_clock_that_went_back_is_told_and_runs_keep_their_order() {
    let (_remote, workdir) = settled();
    let state = Connection::open(workdir.path("state.db")).unwrap();
    let later = "UPDATE run SET started = 4070908800000000";
    assert_eq!(state.execute(later, []).unwrap(), 1);
    drop(state);
    workdir
        .expect(0, &["sync"])
        .says(&["The clock is behind the last run, which began at 2099-01-01T00:00:00Z"]);
    let state = Connection::open(workdir.path("state.db")).unwrap();
    let newest: i64 = state
        .query_row(
            "SELECT started FROM run ORDER BY rid DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(newest < 4_070_908_800_000_000);
    let status = workdir.expect(0, &["status", "--format", "json"]).json();
    let last = &status["states"][0]["last_run"]["providers"]["complycube"];
    assert_eq!(
        last["updated"], 1,
        "the last run is the newest, not the latest"
    );
}
