//! What is said of rows without a record: in each command, what is true for the
//! lane that they are in.

use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::workdir::{Remote, Workdir, config};

const NUMBER: &str = "match = { field = \"metadata.client_no\", column = \"ref\" }";

const ROWS: &str = "no,ref,cc_id,email\n1,,,ann@example.com\n2,9,,bob@example.com\n";

/// A directory whose lane has these keys in place of `id`, with a row whose
/// cell of `match` is blank and one that no record answers.
fn linked_by(keys: &str) -> (Workdir, Remote) {
    let book = Book::new([json!({ "id": "a", "type": "person" })]);
    let remote = book.serve();
    let workdir = Workdir::new();
    let text = config(&remote.url(), "email = \"email\"").replace("id = \"cc_id\"", keys);
    workdir.write(
        "clientsync.toml",
        text.replace("[state]", "unused_columns = \"ignore\"\n[state]"),
    );
    workdir.write("clients.csv", ROWS);
    (workdir, remote)
}

/// Per row what it is told: code, column, words.
fn told(report: &Value) -> Vec<[Value; 3]> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems
        .filter(|problem| problem["outcome"] == "skipped(unlinked)")
        .map(|p| ["code", "column", "message"].map(|name| p[name].clone()))
        .collect()
}

const PROVIDER: [&str; 3] = ["adopt", "--from", "provider"];
const SOURCE: [&str; 3] = ["adopt", "--from", "source"];

#[test]
fn a_lane_without_an_id_column_is_never_told_to_fill_it() {
    let (workdir, _remote) = linked_by(NUMBER);
    let row = |code: &str, words: &str| [json!(code), json!("ref"), json!(words)];
    let blank = row(
        "W_UNLINKED",
        "no remote id, and the cell of `match` is blank, so no record is looked for: fill it",
    );
    let later = row(
        "W_UNLINKED",
        "no remote id yet: `adopt --from provider` looks for the record by `match`",
    );
    let unseen = row(
        "W_UNLINKED",
        "no remote id yet: `adopt --from provider` looks for the record by `match`, where the cell is filled",
    );
    let unmatched = row("W_UNMATCHED", "no record at the provider holds this value");
    let read = [blank.clone(), unmatched];
    let planned = [blank, later];
    assert_eq!(told(&workdir.report(0, &["plan"])), planned);
    assert_eq!(
        told(&workdir.report(0, &["drift"])),
        [unseen.clone(), unseen]
    );
    assert_eq!(told(&workdir.report(0, &PROVIDER)), read);
    assert_eq!(told(&workdir.report(0, &SOURCE)), planned);
    for command in [&["plan"][..], &["drift"], &PROVIDER, &SOURCE, &["sync"]] {
        for format in ["text", "json", "csv", "markdown", "html"] {
            let ran = workdir.expect(0, &[command, &["--format", format]].concat());
            assert!(!ran.stdout.contains("id column"), "{command:?}: {ran:#?}");
        }
    }
}

#[test]
fn a_lane_with_an_id_column_and_no_match_is_told_to_fill_it() {
    let (workdir, _remote) = linked_by("id = \"cc_id\"");
    for command in [&["plan"][..], &["drift"], &PROVIDER, &SOURCE] {
        let report = workdir.report(0, command);
        let fill = [
            json!("W_UNLINKED"),
            Value::Null,
            json!("no remote id: fill the id column"),
        ];
        assert_eq!(told(&report), [fill.clone(), fill], "{command:?}");
    }
}

#[test]
fn a_lane_with_both_is_told_to_fill_either() {
    let (workdir, _remote) = linked_by(&format!("id = \"cc_id\"\n{NUMBER}"));
    for command in [&["plan"][..], &PROVIDER, &SOURCE] {
        let [_, _, words] = &told(&workdir.report(0, command))[0];
        assert_eq!(
            words, "no remote id, and the cell of `match` is blank: fill one of the two",
            "{command:?}"
        );
    }
}
