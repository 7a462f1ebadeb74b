//! `once` and `fill_blank` where the provider holds a value already: what is
//! sent, and that no report tells of a change that was not.

use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::workdir::{Remote, Workdir, counts, expected};

const FIELDS: &str = r#"email = "email"
joinedDate = { column = "joined", policy = "once" }
"metadata.note" = { column = "note", policy = "fill_blank" }"#;

const ROWS: &str = "no,cc_id,email,joined,note\n1,a,new@example.com,2020-01-01,N1\n";

/// One client that somebody else filled in.
fn filled(members: Value) -> (Workdir, Book, Remote) {
    let book = Book::new([json!({ "id": "a", "type": "person" })]);
    book.change("a", members);
    let remote = book.serve();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    (workdir, book, remote)
}

/// The bodies of all updates.
fn sent(remote: &Remote) -> Vec<Value> {
    let hits = remote.hits();
    let bodies = hits.iter().filter(|hit| !hit.body.is_empty());
    bodies
        .map(|hit| serde_json::from_slice(&hit.body).unwrap())
        .collect()
}

/// The entries of a report's changes: role, field, value.
fn changes(report: &Value) -> Vec<[Value; 3]> {
    let entries = report["changes"].as_array().unwrap().iter();
    entries
        .map(|entry| ["role", "field", "after"].map(|name| entry[name].clone()))
        .filter(|[role, ..]| role != "carried")
        .collect()
}

#[test]
fn a_change_that_was_declined_is_told_as_kept_and_the_others_as_done() {
    let (workdir, book, remote) = filled(json!({ "metadata": { "note": "theirs" } }));
    let plan = workdir.report(0, &["plan"]);
    assert_eq!(plan["changes"][2]["role"], "change");
    assert_eq!(plan["changes"][2]["when"], "blank");
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        sent(&remote),
        [json!({ "email": "new@example.com", "joinedDate": "2020-01-01" })]
    );
    assert_eq!(book.get("a")["metadata"]["note"], "theirs");
    assert_eq!(
        changes(&report),
        [
            [json!("change"), json!("email"), json!("new@example.com")],
            [json!("change"), json!("joinedDate"), json!("2020-01-01")],
            [json!("kept"), json!("metadata.note"), Value::Null],
        ]
    );
    assert_eq!(
        report["providers"]["complycube"]["field_changes"],
        json!({ "email": 1, "joinedDate": 1 })
    );
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(
        ["code", "field", "message"].map(|name| problems[0][name].clone()),
        [
            "W_KEPT",
            "metadata.note",
            "the provider holds a value already, and `fill_blank` keeps it"
        ]
    );
    // What was read is known now, so the next run has nothing to ask.
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn every_form_says_that_a_value_was_kept() {
    for (form, words) in [
        (
            "text",
            "metadata.note  (kept: the provider holds a value already)",
        ),
        ("json", r#""role":"kept""#),
        ("csv", r#""updated","kept","metadata.note""#),
        (
            "markdown",
            "`metadata.note`: kept: the provider holds a value already",
        ),
        ("html", "kept: the provider holds a value already"),
    ] {
        let (workdir, _, _remote) = filled(json!({ "metadata": { "note": "theirs" } }));
        workdir.expect(
            0,
            &["sync", "--report", &format!("report.{}", ending(form))],
        );
        let report = workdir.read(&format!("report.{}", ending(form)));
        assert!(report.contains(words), "no {words:?} in\n{report}");
        assert!(!report.contains("N1"), "{form}:\n{report}");
    }
}

fn ending(form: &str) -> &str {
    match form {
        "text" => "txt",
        "markdown" => "md",
        other => other,
    }
}

#[test]
fn a_row_of_which_all_is_kept_is_unchanged_and_says_so() {
    let held = json!({
        "email": "new@example.com",
        "joinedDate": "2019-09-09",
        "metadata": { "note": "theirs" },
    });
    let (workdir, _, remote) = filled(held);
    let report = workdir.report(0, &["sync", "--report", "report.txt"]);
    assert_eq!(sent(&remote), [] as [Value; 0]);
    assert_eq!(
        counts(&report),
        expected([("rows", 1), ("unchanged", 1), ("requests", 1)])
    );
    assert_eq!(
        report["providers"]["complycube"]["field_changes"],
        json!({})
    );
    let roles: Vec<Value> = changes(&report)
        .into_iter()
        .map(|[role, ..]| role)
        .collect();
    assert_eq!(roles, ["change", "kept", "kept"]);
    let text = workdir.read("report.txt");
    for words in [
        "unchanged: nothing was left to send",
        "joinedDate     (kept: the provider holds a value already)",
        "joinedDate: the provider holds a value already, and `once` keeps it  (complycube, W_KEPT)",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
}

#[test]
fn a_value_that_is_there_as_wanted_is_not_told_as_kept() {
    let (workdir, _, remote) = filled(json!({ "metadata": { "note": "N1" } }));
    let report = workdir.report(0, &["sync"]);
    assert_eq!(sent(&remote).len(), 1);
    assert_eq!(report["problems"], json!([]));
    assert_eq!(
        changes(&report)[2],
        [json!("change"), json!("metadata.note"), json!("N1")]
    );
}
