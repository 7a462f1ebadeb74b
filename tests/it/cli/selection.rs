//! Narrowed runs: what is left out stays exactly as it was.

use crate::support::book::Book;
use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, config, counts, expected};

/// A directory with the usual lane, and a lane `other` with fields of its own.
fn two_lanes(first: &Remote, second: &Remote, fields: &str) -> Workdir {
    let workdir = Workdir::with(&first.url(), FIELDS, ROWS);
    let lane = config(&second.url(), fields);
    let (_, lane) = lane.split_once("[providers.complycube]").unwrap();
    let lane = lane.replace("[providers.complycube.fields]", "[providers.other.fields]");
    let text = format!(
        "{}[providers.other]\nkind = \"complycube\"{lane}",
        workdir.read("clientsync.toml")
    );
    workdir.write("clientsync.toml", text);
    workdir
}

#[test]
fn only_named_clients_are_seen() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(0, &["sync", "--only", "3", "--only", "1"]);
    assert_eq!(report["scope"], "partial");
    let ids: Vec<String> = remote.sent_since(0).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["aa", "cc"]);
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
}

#[test]
fn a_key_that_no_row_has_is_a_usage_error_before_anything_is_sent() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    let runs = workdir.expect(0, &["runs"]).stdout;
    // A client that the state knows and the file no longer has is no row of it.
    workdir.write("clients.csv", ROWS.replace("2,bb,bob", "9,bb,bob"));
    for command in [
        &["plan"][..],
        &["sync"],
        &["check"],
        &["adopt", "--from", "provider"],
        &["adopt", "--from", "source"],
        &["drift"],
    ] {
        let only = ["--only", "1", "--only", "2", "--only", "n\u{1b}o"];
        let ran = workdir.expect(64, &[command, &only].concat());
        ran.says(&[
            "--only 2: no row of the source has this key",
            "--only n\\u{1b}o: no row",
            "exit 64 usage",
        ]);
        assert!(!ran.stderr.contains("--only 1"), "{ran:#?}");
        assert!(ran.stdout.is_empty(), "{ran:#?}");
    }
    assert_eq!(remote.count(), 3);
    assert_eq!(workdir.expect(0, &["runs"]).stdout, runs);
}

#[test]
fn a_key_of_several_columns_is_one_csv_record() {
    let remote = Remote::accepting();
    let rows = "region,no,cc_id,email\n eu ,17,aa,ann@example.com\nus,17,bb,bob@example.com\n";
    let workdir = Workdir::with(&remote.url(), "email = \"email\"", rows);
    workdir.edit(
        "clientsync.toml",
        "key = \"no\"",
        "key = [\"region\", \"no\"]",
    );
    let report = workdir.report(0, &["plan", "--only", "eu,17"]);
    assert_eq!(report["providers"]["complycube"]["planned"], 1);
    let ran = workdir.expect(64, &["plan", "--only", "eu,18"]);
    ran.says(&["--only eu,18: no row of the source has this key"]);
    let ran = workdir.expect(64, &["plan", "--only", "17"]);
    ran.says(&["one CSV record of 2 cells"]);
}

#[test]
fn only_named_fields_are_sent_and_the_others_follow_later() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(0, &["sync", "--fields", "joinedDate"]);
    assert_eq!(report["scope"], "partial");
    assert_eq!(remote.sent_since(0)[0].1, r#"{"joinedDate":"2020-01-01"}"#);
    workdir.report(0, &["sync"]);
    assert_eq!(
        remote.sent_since(3)[0].1,
        r#"{"email":"ann@example.com","personDetails":{"firstName":"Ann"}}"#
    );
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn a_limit_sends_the_first_rows_and_the_next_run_the_rest_only() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(0, &["sync", "--limit", "2"]);
    assert_eq!(report["scope"], "partial");
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("updated", 2),
            ("skipped(limit)", 1),
            ("requests", 2)
        ])
    );
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
    let ids: Vec<String> = remote.sent_since(0).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["aa", "bb", "cc"]);
    assert_eq!(
        counts(&workdir.report(0, &["plan", "--limit", "1"]))["unchanged"],
        3
    );
}

#[test]
fn only_named_providers_are_sent_to() {
    let (first, second) = (Remote::accepting(), Remote::accepting());
    let workdir = two_lanes(&first, &second, "email = \"email\"");
    let report = workdir.report(0, &["sync", "--provider", "other"]);
    assert_eq!(report["scope"], "partial");
    assert_eq!((first.count(), second.count()), (0, 3));
    assert!(report["providers"].get("complycube").is_none());
    let report = workdir.report(0, &["sync"]);
    assert_eq!((first.count(), second.count()), (3, 3));
    assert_eq!(report["providers"]["other"]["unchanged"], 3);
}

#[test]
fn one_provider_in_trouble_never_keeps_another_back() {
    let (broken, fine) = (
        Remote::new(|_| Answer::reply(401, "{}")),
        Remote::accepting(),
    );
    let workdir = two_lanes(&broken, &fine, "email = \"email\"");
    let report = workdir.report(77, &["sync"]);
    assert_eq!(report["providers"]["other"]["updated"], 3);
    assert_eq!(report["providers"]["complycube"]["planned"], 3);
}

#[test]
fn a_bad_cell_is_invalid_only_where_it_is_mapped() {
    let (first, second) = (Remote::accepting(), Remote::accepting());
    let workdir = two_lanes(&first, &second, "joinedDate = \"joined\"");
    workdir.edit("clients.csv", "bob@example.com", "bob");
    let report = workdir.report(3, &["sync"]);
    assert_eq!(report["providers"]["complycube"]["invalid"], 1);
    assert_eq!(report["providers"]["other"]["updated"], 3);
}

#[test]
fn a_partial_file_has_no_row_guard_and_does_not_become_the_last_good_run() {
    let remote = Remote::accepting();
    let row = |i: u32| format!("{i},id{i},c{i}@example.com,2020-01-01,Ann\n");
    let rows =
        |n: u32| "no,cc_id,email,joined,first\n".to_owned() + &(1..=n).map(row).collect::<String>();
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows(12));
    workdir.expect(0, &["sync"]);
    workdir.write("clients.csv", rows(2));
    workdir.expect(4, &["sync"]);
    for narrowed in [
        &["--partial"][..],
        &["--limit", "5"],
        &["--only", "1"],
        &["--fields", "email"],
        &["--provider", "complycube"],
    ] {
        let report = workdir.report(0, &[&["sync"], narrowed].concat());
        assert_eq!(report["scope"], "partial");
    }
    workdir.expect(4, &["sync"]);
    assert_eq!(remote.count(), 12);
}

#[test]
fn a_file_without_rows_is_said_to_have_none() {
    let remote = Book::new([]).serve();
    let workdir = Workdir::with(&remote.url(), FIELDS, "no,cc_id,email,joined,first\n");
    workdir.edit(
        "clientsync.toml",
        "[state]",
        "[guards]\nmin_rows = 0\n[state]",
    );
    for command in [
        &["plan"][..],
        &["check"],
        &["sync"],
        &["adopt", "--from", "provider"],
        &["adopt", "--from", "source"],
        &["drift"],
    ] {
        for form in ["text", "markdown", "html"] {
            let shown = workdir.expect(0, &[command, &["--format", form]].concat());
            let shown = shown.stdout;
            assert!(
                shown.contains("There are no rows in the file."),
                "{command:?}: {shown}"
            );
            for nonsense in ["every provider", "Every row", "0 rows say", "No drift"] {
                assert!(!shown.contains(nonsense), "{command:?}: {shown}");
            }
        }
    }
}
