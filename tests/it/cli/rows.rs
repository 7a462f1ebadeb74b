//! Rows that stand in each other's way, and rows that belong to nobody.

use serde_json::Value;

use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, counts, expected};

const HEAD: &str = "no,cc_id,email,joined,first\n";

fn workdir(remote: &Remote, rows: &str) -> Workdir {
    Workdir::with(&remote.url(), FIELDS, &format!("{HEAD}{rows}"))
}

fn problems<'r>(report: &'r Value, code: &str) -> Vec<&'r Value> {
    let all = report["problems"].as_array().unwrap();
    all.iter()
        .filter(|problem| problem["code"] == code)
        .collect()
}

#[test]
fn all_rows_of_a_key_that_stands_twice_are_invalid_and_both_lines_are_named() {
    let remote = Remote::accepting();
    let workdir = workdir(
        &remote,
        "1,aa,ann@example.com,2020-01-01,Ann\n\
         2,bb,bob@example.com,2020-01-02,Bob\n\
         1 ,aa,ann@example.org,2020-01-01,Ann\n",
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("updated", 1), ("invalid", 2), ("requests", 1)])
    );
    let found = problems(&report, "E_DUPLICATE_KEY");
    let lines: Vec<_> = found.iter().map(|problem| &problem["line"]).collect();
    assert_eq!(lines, [2, 4]);
    for problem in found {
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains("2, 4"), "{message}");
    }
    assert_eq!(remote.sent_since(0)[0].0, "bb");
}

#[test]
fn rows_that_say_the_same_are_one_row_and_a_warning() {
    let remote = Remote::accepting();
    let row = "1,aa,ann@example.com,2020-01-01,Ann\n";
    let workdir = workdir(&remote, &format!("{row}{row}{row}"));
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 1), ("updated", 1), ("requests", 1)])
    );
    let warning = &report["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["line"]),
        (&"W_DUPLICATE_ROW".into(), &3.into())
    );
    assert!(warning["message"].as_str().unwrap().starts_with("2 rows"));
}

#[test]
fn two_keys_with_one_remote_id_are_both_invalid() {
    let remote = Remote::accepting();
    let workdir = workdir(
        &remote,
        "1,aa,ann@example.com,2020-01-01,Ann\n\
         2,bb,bob@example.com,2020-01-02,Bob\n\
         3,aa,cyd@example.com,2020-01-03,Cyd\n",
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(counts(&report)["invalid"], 2);
    let found = problems(&report, "E_DUPLICATE_ID");
    assert_eq!(found.len(), 2);
    for problem in found {
        assert!(problem["message"].as_str().unwrap().contains("2, 4"));
    }
    assert_eq!(remote.sent_since(0)[0].0, "bb");
    assert_eq!(remote.count(), 1);
}

#[test]
fn an_id_that_contradicts_the_stored_link_is_invalid() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote, "1,aa,ann@example.com,2020-01-01,Ann\n");
    workdir.expect(0, &["sync"]);
    // The key has another id now.
    workdir.write(
        "clients.csv",
        format!("{HEAD}1,zz,anna@example.com,2020-01-01,Ann\n"),
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(problems(&report, "E_LINK").len(), 1);
    // The id has another key now.
    workdir.write(
        "clients.csv",
        format!("{HEAD}9,aa,anna@example.com,2020-01-01,Ann\n"),
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(problems(&report, "E_LINK").len(), 1);
    assert_eq!(remote.count(), 1);
}

#[test]
fn a_row_whose_id_cell_went_blank_keeps_its_link() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote, "1,aa,ann@example.com,2020-01-01,Ann\n");
    workdir.expect(0, &["sync"]);
    workdir.write(
        "clients.csv",
        format!("{HEAD}1,,anna@example.com,2020-01-01,Ann\n"),
    );
    workdir.expect(0, &["sync"]);
    assert_eq!(
        remote.sent_since(1),
        [(
            "aa".to_owned(),
            r#"{"email":"anna@example.com"}"#.to_owned()
        )]
    );
}

#[test]
fn a_row_without_a_remote_id_is_skipped_and_counted_and_no_fault() {
    let remote = Remote::accepting();
    let workdir = workdir(
        &remote,
        "1,aa,ann@example.com,2020-01-01,Ann\n2,,bob@example.com,2020-01-02,Bob\n",
    );
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 2),
            ("updated", 1),
            ("skipped(unlinked)", 1),
            ("requests", 1)
        ])
    );
}

#[test]
fn an_id_that_could_lead_elsewhere_never_makes_a_url() {
    let remote = Remote::accepting();
    let ids = [
        "..",
        ".",
        "../../admin",
        "%2e%2e",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        " aa",
        "a\u{202e}b",
        "\"a\nb\"",
    ];
    let row = |(id, no): (&&str, u32)| format!("{no},{id},c{no}@example.com,2020-01-01,Ann\n");
    let rows: Vec<String> = ids.iter().zip(1..).map(row).collect();
    let workdir = workdir(&remote, &rows.concat());
    let report = workdir.report(3, &["sync"]);
    let n = u64::try_from(ids.len()).unwrap();
    assert_eq!(counts(&report), expected([("rows", n), ("invalid", n)]));
    assert_eq!(remote.count(), 0);
}

#[test]
fn a_row_with_a_key_that_nobody_can_type_is_invalid() {
    let remote = Remote::accepting();
    let workdir = workdir(
        &remote,
        " ,aa,ann@example.com,2020-01-01,Ann\n\
         \u{a0},bb,bob@example.com,2020-01-02,Bob\n\
         a\u{200b}b,cc,cyd@example.com,2020-01-03,Cyd\n\
         4,dd,dan@example.com,2020-01-04,Dan\n",
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 4), ("updated", 1), ("invalid", 3), ("requests", 1)])
    );
    assert_eq!(problems(&report, "E_EMPTY_KEY").len(), 2);
    assert_eq!(problems(&report, "E_INVISIBLE_CHAR").len(), 1);
}

#[test]
fn a_blank_cell_says_nothing_unless_the_field_says_otherwise() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "2020-01-02", "");
    workdir.expect(0, &["plan", "--expect-no-changes"]);
    workdir.edit(
        "clientsync.toml",
        "joinedDate = \"joined\"",
        "joinedDate = { column = \"joined\", blank = \"reject\" }",
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        (counts(&report)["invalid"], counts(&report)["unchanged"]),
        (1, 2)
    );
    assert_eq!(remote.count(), 3);
}

#[test]
fn a_key_of_two_columns_and_a_row_missing_from_the_file_are_no_trouble() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(
        &remote.url(),
        "email = \"email\"",
        "region,no,cc_id,email\neu,1,aa,a@example.com\nus,1,bb,b@example.com\n",
    );
    workdir.edit(
        "clientsync.toml",
        "key = \"no\"",
        "key = [\"region\", \"no\"]",
    );
    assert_eq!(counts(&workdir.report(0, &["sync"]))["updated"], 2);
    workdir.edit("clients.csv", "a@example.com", "aa@example.com");
    workdir.edit("clients.csv", "b@example.com", "bb@example.com");
    workdir.expect(64, &["sync", "--only", "eu"]);
    assert_eq!(
        counts(&workdir.report(0, &["sync", "--only", "us,1"]))["updated"],
        1
    );
    assert_eq!(remote.sent_since(2)[0].0, "bb");
    // Who left the file is left alone.
    workdir.write(
        "clients.csv",
        "region,no,cc_id,email\nus,1,bb,bb@example.com\n",
    );
    assert_eq!(
        counts(&workdir.report(0, &["sync"])),
        expected([("rows", 1), ("unchanged", 1)])
    );
    assert_eq!(remote.count(), 3);
}

#[test]
fn damaged_text_is_invalid_and_line_breaks_and_tabs_are_text() {
    let remote = Remote::accepting();
    let workdir = workdir(
        &remote,
        "1,aa,ann@example.com,2020-01-01,A\u{1b}[31mnn\n\
         2,bb,bob@example.com,2020-01-02,B\u{fffd}b\n\
         3,cc,cyd@example.com,2020-01-03,C\u{7f}d\n\
         4,dd,dan@example.com,2020-01-04,\"D\tn\r\nx\"\n",
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(problems(&report, "E_CONTROL_CHAR").len(), 2);
    let damaged = problems(&report, "E_REPLACEMENT_CHAR");
    assert_eq!(
        (&damaged[0]["line"], &damaged[0]["column"]),
        (&3.into(), &"first".into())
    );
    let sent = remote.sent_since(0);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].1.contains(r#""firstName":"D\tn\r\nx""#), "{sent:?}");
}
