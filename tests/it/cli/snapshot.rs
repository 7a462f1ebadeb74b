//! What the state knows without having sent it, and in which form it knows it.

use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, counts, expected};

#[test]
fn adopting_from_the_source_sends_nothing_and_needs_no_secret() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS).token(None);
    let report = workdir.report(0, &["adopt", "--from", "source"]);
    assert_eq!(counts(&report), expected([("rows", 3), ("unchanged", 3)]));
    workdir.expect(0, &["plan", "--expect-no-changes"]);
    assert_eq!(remote.count(), 0);
    let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
    assert_eq!(runs["runs"][0]["command"], "adopt");
}

#[test]
fn a_cell_changed_after_an_adoption_is_one_update_with_its_before_value() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["adopt", "--from", "source"]);
    workdir.edit("clients.csv", "2020-01-02", "2019-12-31");
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("unchanged", 2),
            ("updated", 1),
            ("requests", 1)
        ])
    );
    let change = &report["changes"][0];
    assert_eq!(
        (
            &change["field"],
            &change["before_state"],
            &change["before"],
            &change["after"]
        ),
        (
            &"joinedDate".into(),
            &"value".into(),
            &"2020-01-02".into(),
            &"2019-12-31".into()
        )
    );
    assert_eq!(
        remote.sent_since(0),
        [("bb".to_owned(), r#"{"joinedDate":"2019-12-31"}"#.to_owned())]
    );
}

#[test]
fn rows_that_could_not_be_sent_are_not_adopted() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.edit("clients.csv", "bob@example.com", "bob");
    workdir.edit("clients.csv", "3,cc,", "3,,");
    let report = workdir.report(3, &["adopt", "--from", "source"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("unchanged", 1),
            ("invalid", 1),
            ("skipped(unlinked)", 1)
        ])
    );
    workdir.write("clients.csv", ROWS);
    assert_eq!(counts(&workdir.report(0, &["plan"]))["planned"], 2);
}

#[test]
fn an_empty_file_is_not_adopted() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, "no,cc_id,email,joined,first\n");
    workdir.report(4, &["adopt", "--from", "source"]);
}

#[test]
fn a_field_that_was_not_mapped_before_is_new_and_no_change_of_every_record() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), "email = \"email\"", ROWS);
    workdir.expect(0, &["sync"]);
    workdir.edit(
        "clientsync.toml",
        "email = \"email\"",
        "email = \"email\"\njoinedDate = \"joined\"",
    );
    let report = workdir.report(0, &["plan"]);
    assert_eq!(
        report["providers"]["complycube"]["new_fields"],
        serde_json::json!(["joinedDate"])
    );
    for change in report["changes"].as_array().unwrap() {
        assert_eq!(
            (&change["field"], &change["before_state"]),
            (&"joinedDate".into(), &"new_field".into())
        );
    }
    workdir.expect(0, &["sync"]);
    assert_eq!(remote.sent_since(3)[0].1, r#"{"joinedDate":"2020-01-01"}"#);
}

#[test]
fn a_state_of_digests_holds_no_value_and_still_sends_single_fields() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.edit(
        "clientsync.toml",
        "path = \"state.db\"",
        "path = \"state.db\"\nvalues = \"digest\"\ndigest_key_file = \"digest.key\"",
    );
    workdir.expect(0, &["sync"]);
    assert_eq!(workdir.mode("digest.key"), 0o600);
    workdir.expect(0, &["sync"]);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
    assert_eq!(remote.count(), 3);
    workdir.edit("clients.csv", "bob@", "new@");
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        remote.sent_since(3),
        [("bb".to_owned(), r#"{"email":"new@example.com"}"#.to_owned())]
    );
    let change = &report["changes"][0];
    assert_eq!(change["before_state"], "hidden", "{change:#}");
    for value in [
        "ann@example.com",
        "bob@example.com",
        "new@example.com",
        "2020-01-01",
        "Cyd",
    ] {
        let files = workdir.files_with(value);
        let state: Vec<_> = files
            .iter()
            .filter(|file| {
                file.starts_with("state.db") || file.to_string_lossy().starts_with("state.db")
            })
            .collect();
        assert!(state.is_empty(), "{value} in {state:?}");
    }
}

#[test]
fn a_lost_digest_key_is_told_and_nothing_is_sent_by_mistake() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.edit(
        "clientsync.toml",
        "path = \"state.db\"",
        "path = \"state.db\"\nvalues = \"digest\"\ndigest_key_file = \"digest.key\"",
    );
    workdir.expect(0, &["sync"]);
    workdir.set_mode("digest.key", 0o644);
    workdir.expect(77, &["sync"]).says(&["chmod 600"]);
    workdir.set_mode("digest.key", 0o600);
    workdir.write("digest.key", "short");
    let ran = workdir.run(&["sync"]);
    assert_ne!(ran.code, 0, "{ran:#?}");
    assert_eq!(remote.count(), 3);
}
