//! Clients that a whole file does not have any more: counted, set once where
//! the configuration says so, and never deleted.

use serde_json::json;

use crate::support::book::Book;
use crate::support::workdir::{Remote, Workdir, counts, expected};

const FIELDS: &str = r#"email = "email"
"metadata.tier" = "tier"
"personDetails.firstName" = { column = "first" }"#;

const HEADER: &str = "no,cc_id,email,tier,first\n";
const ROWS: [&str; 3] = [
    "1,a,ann@example.com,gold,Ann\n",
    "2,b,bob@example.com,gold,Bob\n",
    "3,c,cyd@example.com,gold,Cyd\n",
];

/// Three clients that were synced, and a lane with these lines.
fn synced(lines: &str) -> (Workdir, Book, Remote) {
    let client = |id| json!({ "id": id, "metadata": { "note": "theirs" } });
    let book = Book::new(["a", "b", "c"].map(client));
    let remote = book.serve();
    let workdir = Workdir::with(&remote.url(), FIELDS, &[HEADER, &ROWS.concat()].concat());
    workdir.edit(
        "clientsync.toml",
        "id = \"cc_id\"",
        &format!("id = \"cc_id\"\n{lines}"),
    );
    workdir.report(0, &["sync"]);
    (workdir, book, remote)
}

fn write(workdir: &Workdir, rows: &[&str]) {
    workdir.write("clients.csv", [HEADER, &rows.concat()].concat());
}

const LEFT: &str = r#"absent = { metadata.tier = { const = "left" }, "personDetails.firstName" = { const = "(left)" } }"#;

#[test]
fn by_default_nothing_happens_to_them_and_they_are_counted() {
    let (workdir, book, remote) = synced("");
    write(&workdir, &ROWS[..1]);
    let before = (remote.count(), book.get("b"));
    let report = workdir.report(0, &["sync"]);
    assert_eq!(counts(&report), expected([("rows", 1), ("unchanged", 1)]));
    assert_eq!(report["providers"]["complycube"]["absent"], 2);
    assert_eq!((remote.count(), book.get("b")), before);
    let text = workdir.expect(0, &["plan", "--format", "text"]).stdout;
    assert!(
        text.contains("complycube: 2 known clients are not in the file"),
        "{text}"
    );
}

#[test]
fn they_are_set_once_and_nothing_of_others_is_lost() {
    let (workdir, book, remote) = synced(LEFT);
    write(&workdir, &ROWS[..2]);
    let plan = workdir.expect(0, &["plan"]).stdout;
    for words in [
        "~ 3  complycube c  (not in the file)",
        r#"metadata.tier            "gold" -> "left""#,
        r#"personDetails.firstName  "Cyd" -> "(left)""#,
    ] {
        assert!(plan.contains(words), "no {words:?} in\n{plan}");
    }
    let before = remote.count();
    let report = workdir.report(0, &["sync"]);
    let all = [
        ("rows", 3),
        ("unchanged", 2),
        ("updated", 1),
        ("requests", 2),
    ];
    assert_eq!(counts(&report), expected(all));
    assert!(
        report["changes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|change| change["line"].is_null())
    );
    let sent = remote.sent_since(before + 1);
    let body =
        r#"{"metadata":{"note":"theirs","tier":"left"},"personDetails":{"firstName":"(left)"}}"#;
    let same = |sent: &str| {
        let [sent, body] =
            [sent, body].map(|t| serde_json::from_str::<serde_json::Value>(t).unwrap());
        sent == body
    };
    assert!(
        sent.len() == 1 && sent[0].0 == "c" && same(&sent[0].1),
        "{sent:?}"
    );
    assert_eq!(book.get("c")["email"], "cyd@example.com");
    // Once: neither by the next run nor after somebody else changed it.
    book.change("c", json!({ "metadata": { "tier": "platinum" } }));
    let again = workdir.report(0, &["sync"]);
    assert_eq!(counts(&again), expected([("rows", 2), ("unchanged", 2)]));
    assert_eq!(again["providers"]["complycube"]["absent"], 1);
    // The history tells it, too.
    let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
    let run = runs["runs"][1]["run_id"].as_str().unwrap();
    let shown = workdir
        .expect(0, &["runs", "show", run, "--format", "json"])
        .json();
    assert_eq!(shown["outcomes"][0]["key"], "3");
    assert!(shown["outcomes"][0]["line"].is_null(), "{shown:#}");
}

#[test]
fn who_comes_back_gets_what_the_file_says() {
    let (workdir, book, _remote) = synced(LEFT);
    write(&workdir, &ROWS[..2]);
    workdir.report(0, &["sync"]);
    write(&workdir, &ROWS);
    workdir.report(0, &["sync"]);
    assert_eq!(book.get("c")["metadata"]["tier"], "gold");
}

#[test]
fn a_part_of_the_population_makes_nobody_absent() {
    let (workdir, _book, remote) = synced(LEFT);
    write(&workdir, &ROWS[..1]);
    let before = remote.count();
    for narrowed in [
        &["--partial"][..],
        &["--only", "1"],
        &["--limit", "5"],
        &["--fields", "metadata.tier"],
        &["--provider", "complycube"],
    ] {
        let report = workdir.report(0, &[&["sync"], narrowed].concat());
        assert_eq!(report["providers"]["complycube"]["absent"], 0);
    }
    assert_eq!(remote.count(), before);
}

#[test]
fn a_file_that_was_cut_off_sets_nobody() {
    let many: Vec<String> = (10..30)
        .map(|n| format!("{n},r{n},x{n}@example.com,gold,Ann\n"))
        .collect();
    let book = Book::new((10..30).map(|n| json!({ "id": format!("r{n}") })));
    let remote = book.serve();
    let workdir = Workdir::with(&remote.url(), FIELDS, &[HEADER, &many.concat()].concat());
    workdir.edit(
        "clientsync.toml",
        "id = \"cc_id\"",
        &format!("id = \"cc_id\"\n{LEFT}"),
    );
    workdir.report(0, &["sync"]);
    let before = remote.count();
    workdir.write("clients.csv", [HEADER, &many[..5].concat()].concat());
    workdir.report(4, &["sync"]);
    assert_eq!(remote.count(), before);
}

#[test]
fn a_key_whose_rows_cannot_be_used_is_not_absent() {
    let (workdir, _book, remote) = synced(LEFT);
    let before = remote.count();
    // Two rows of one key, and one with a value that the contract refuses.
    write(
        &workdir,
        &[
            ROWS[0],
            ROWS[1],
            "2,b,other@example.com,gold,Bob\n",
            "3,c,no address,gold,Cyd\n",
        ],
    );
    let report = workdir.report(3, &["sync"]);
    assert_eq!(report["providers"]["complycube"]["absent"], 0);
    assert_eq!(remote.count(), before);
}
