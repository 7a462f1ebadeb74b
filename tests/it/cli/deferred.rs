//! Runs that end early on purpose: what a scheduler and its reader learn.

use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, counts, expected};

/// So many rows for the usual fields.
fn rows(count: usize) -> String {
    let row = |n: usize| format!("{n},id{n},p{n}@example.com,2020-01-01,Ann\n");
    let rows: String = (0..count).map(row).collect();
    ["no,cc_id,email,joined,first\n", &rows].concat()
}

#[test]
fn a_long_wait_is_kept_by_the_next_run_which_sends_nothing_and_says_until_when() {
    let wait = Answer::reply(429, "{}").with("Retry-After", "4000");
    let remote = Remote::at_first(vec![wait]);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(6, &["sync"]);
    let until = report["providers"]["complycube"]["resume_at"].clone();
    assert!(until.is_string(), "{report:#}");
    let report = workdir.report(6, &["sync"]);
    assert_eq!(counts(&report), expected([("rows", 3), ("planned", 3)]));
    assert_eq!(report["providers"]["complycube"]["resume_at"], until);
    let ran = workdir.expect(6, &["sync"]);
    let told = format!("the next run may go on from {}", until.as_str().unwrap());
    assert!(ran.stdout.contains(&told), "{ran:#?}");
    assert_eq!(remote.count(), 1);
}

#[test]
fn a_wait_that_was_waited_for_is_told_and_not_kept() {
    let wait = Answer::reply(429, "{}").with("Retry-After", "1");
    let remote = Remote::at_first(vec![wait]);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(0, &["sync", "--budget", "10"]);
    let lane = &report["providers"]["complycube"];
    assert!(lane["waited_seconds"].as_u64().unwrap() >= 1, "{lane:#}");
    assert_eq!(
        (&lane["budget_left"], &lane["resume_at"]),
        (&6.into(), &().into())
    );
    workdir.edit("clients.csv", "bob@", "bobby@");
    let ran = workdir.expect(0, &["sync", "--budget", "10"]);
    assert!(
        ran.stdout.contains("9 requests of the budget left"),
        "{ran:#?}"
    );
    assert!(!ran.stdout.contains("waited"), "{ran:#?}");
}

#[test]
fn a_workspace_that_knows_nobody_ends_with_1_and_rejects_nothing() {
    let remote = Remote::new(|_| Answer::reply(404, r#"{"message":"no such client"}"#));
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows(25));
    let report = workdir.report(1, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 25), ("planned", 25), ("requests", 20)])
    );
    let why = report["providers"]["complycube"]["stopped"]
        .as_str()
        .unwrap();
    assert!(why.contains("none of the first 20 records"), "{why}");
    assert!(why.contains("no such client"), "{why}");
}

#[test]
fn rows_that_may_not_be_written_end_with_77_and_are_not_rejected() {
    let remote = Remote::new(|_| Answer::reply(403, "{}"));
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows(25));
    let report = workdir.report(77, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 25), ("planned", 25), ("requests", 5)])
    );
}

#[test]
fn too_many_rejects_end_with_6_and_the_rest_stays_planned() {
    let remote = Remote::new(|_| Answer::reply(422, r#"{"message":"email is taken"}"#));
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows(40));
    let report = workdir.report(6, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 40),
            ("planned", 20),
            ("rejected", 20),
            ("requests", 20)
        ])
    );
    let why = report["providers"]["complycube"]["stopped"]
        .as_str()
        .unwrap();
    assert!(why.contains("too many rejects: 20 of 20 rows"), "{why}");
}
