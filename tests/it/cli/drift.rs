//! `drift`: what somebody else changed, against what was acknowledged and what
//! the file says; and that nothing is changed by looking.

use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::workdir::{Remote, Workdir, counts, expected};

const FIELDS: &str = r#"email = "email"
joinedDate = "joined"
"personDetails.ssn" = "ssn"
"metadata.tier" = { column = "tier", policy = "once" }"#;

const ROWS: &str = "no,cc_id,email,joined,ssn,tier\n\
    1,a,ann@example.com,2020-01-01,S-1,gold\n\
    2,b,bob@example.com,2020-01-02,S-2,gold\n\
    3,c,cyd@example.com,2020-01-03,S-3,gold\n\
    4,,dee@example.com,2020-01-04,S-4,gold\n";

/// Three clients whose provider acknowledged what the file says.
fn synced() -> (Workdir, Book, Remote) {
    let client = |id| json!({ "id": id, "type": "person", "metadata": { "note": "n" } });
    let book = Book::new(["a", "b", "c"].map(client));
    let remote = book.serve();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.report(0, &["sync"]);
    (workdir, book, remote)
}

/// The drifted fields of a report: key, field, acknowledged, now, what the file
/// says, its value.
fn drifted(report: &Value) -> Vec<[Value; 6]> {
    let entries = report["changes"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            assert_eq!(entry["role"], "drift", "{entry}");
            assert_eq!(entry["outcome"], "skipped(drifted)", "{entry}");
            ["key", "field", "before", "now", "source", "after"].map(|name| entry[name].clone())
        })
        .collect()
}

#[test]
fn drift_is_told_in_every_form() {
    let (workdir, book, _remote) = synced();
    book.change("a", json!({ "email": "changed@example.com" }));
    for form in ["text", "json", "csv", "markdown", "html"] {
        let ran = workdir.expect(0, &["drift", "--format", form]);
        for word in ["changed@example.com", "ann@example.com", "email", "drift"] {
            assert!(ran.stdout.contains(word), "{word} in {form}: {ran:#?}");
        }
        let ran = workdir.expect(0, &["drift", "--format", form, "--hide-values"]);
        assert!(!ran.stdout.contains("@example.com"), "{ran:#?}");
    }
}

#[test]
fn nothing_has_drifted_right_after_a_sync() {
    let (workdir, _, remote) = synced();
    let before = (remote.count(), workdir.fingerprint());
    let report = workdir.report(0, &["drift", "--expect-no-changes"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 4),
            ("unchanged", 3),
            ("skipped(unlinked)", 1),
            ("requests", 1)
        ])
    );
    assert_eq!(report["changes"], json!([]));
    // The state is as it was, and all that was sent was one look at the list.
    assert_eq!(
        (remote.count(), workdir.fingerprint()),
        (before.0 + 1, before.1)
    );
    assert_eq!(remote.hits().last().unwrap().method, "GET");
    let text = workdir.expect(0, &["drift"]).stdout;
    assert!(
        text.contains("No drift: what was read is what the providers acknowledged last"),
        "{text}"
    );
}

#[test]
fn what_somebody_else_changed_is_told_against_the_snapshot_and_the_file() {
    let (workdir, book, remote) = synced();
    book.change(
        "a",
        json!({ "email": "other@example.com", "joinedDate": null }),
    );
    book.change(
        "b",
        json!({ "email": "BOB@example.com", "metadata": { "note": "foreign" } }),
    );
    book.change("c", json!({ "metadata": { "tier": "silver" } }));
    workdir.edit(
        "clients.csv",
        "ann@example.com,2020-01-01",
        "other@example.com,",
    );
    workdir.edit("clients.csv", "S-3,gold", "S-3,bronze");
    let fingerprint = workdir.fingerprint();
    let before = remote.count();
    let report = workdir.report(2, &["drift", "--expect-no-changes"]);
    let text = |text: &str| Value::from(text);
    assert_eq!(
        drifted(&report),
        [
            [
                text("1"),
                text("email"),
                text("ann@example.com"),
                text("other@example.com"),
                text("same"),
                Value::Null
            ],
            [
                text("1"),
                text("joinedDate"),
                text("2020-01-01"),
                Value::Null,
                text("nothing"),
                Value::Null
            ],
            [
                text("3"),
                text("metadata.tier"),
                text("gold"),
                text("silver"),
                text("other"),
                text("bronze")
            ],
        ]
    );
    let all = [
        ("rows", 4),
        ("unchanged", 1),
        ("skipped(drifted)", 2),
        ("skipped(unlinked)", 1),
        ("requests", 1),
    ];
    assert_eq!(counts(&report), expected(all));
    let fields = &report["providers"]["complycube"]["field_changes"];
    assert_eq!(
        *fields,
        json!({ "email": 1, "joinedDate": 1, "metadata.tier": 1 })
    );
    assert_eq!(workdir.fingerprint(), fingerprint);
    assert!(
        remote.hits()[before..]
            .iter()
            .all(|hit| hit.method == "GET")
    );
    // Without the flag it is no failure; in words it says what to do.
    let shown = workdir.expect(0, &["drift"]).stdout;
    for words in [
        "~ 1  complycube a  (line 2)",
        r#"email       "ann@example.com" -> "other@example.com"  (the file says the same)"#,
        r#"joinedDate  "2020-01-01" -> (empty)  (the file says nothing)"#,
        r#"metadata.tier  "gold" -> "silver"  (the file says "bronze")"#,
        "Drifted records, by field",
        "`adopt --from provider` takes over what the providers hold",
        "exit 0 ok",
    ] {
        assert!(shown.contains(words), "no {words:?} in\n{shown}");
    }
}

#[test]
fn taking_over_what_drifted_and_syncing_puts_the_file_in_its_place() {
    let (workdir, book, _remote) = synced();
    book.change("a", json!({ "email": "other@example.com" }));
    // A plan alone does not see it.
    assert_eq!(workdir.report(0, &["plan"])["changes"], json!([]));
    workdir.report(0, &["adopt", "--from", "provider"]);
    assert_eq!(
        workdir.report(0, &["drift", "--expect-no-changes"])["changes"],
        json!([])
    );
    workdir.report(0, &["sync"]);
    assert_eq!(book.get("a")["email"], "ann@example.com");
    workdir.report(0, &["drift", "--expect-no-changes"]);
}

#[test]
fn where_nothing_was_acknowledged_the_file_is_the_measure() {
    let book = Book::new([
        json!({ "id": "a", "email": "ann@example.com", "joinedDate": "2020-01-01", "personDetails": { "ssn": "S-1" } }),
        json!({ "id": "b", "email": "x@example.com", "joinedDate": "2020-01-02", "personDetails": { "ssn": "S-2" } }),
    ]);
    let remote = book.serve();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(2, &["drift", "--detailed-exitcode"]);
    let text = |text: &str| Value::from(text);
    assert_eq!(
        drifted(&report),
        // `once` says nothing against what is there, or is not.
        [[
            text("2"),
            text("email"),
            Value::Null,
            text("x@example.com"),
            text("other"),
            text("bob@example.com")
        ]]
    );
    assert_eq!(report["changes"][0]["before_state"], "unknown");
    // The third client is nowhere: asked for by its id before that is said.
    assert_eq!(counts(&report)["skipped(not_found)"], 1);
    assert_eq!(remote.hits().last().unwrap().target, "/v1/clients/c");
    // There was no state, and there is none now.
    assert!(!workdir.path("state.db").exists());
}

#[test]
fn sensitive_values_are_told_as_changed_and_never_shown() {
    let (workdir, book, _remote) = synced();
    book.change("a", json!({ "personDetails": { "ssn": "S-99" } }));
    for arguments in [&["drift"][..], &["drift", "--format", "json"]] {
        let ran = workdir.expect(0, arguments);
        assert!(ran.stdout.contains("personDetails.ssn"), "{}", ran.stdout);
        for secret in ["S-1", "S-99"] {
            assert!(!ran.said().contains(secret), "{ran:#?}");
        }
    }
    book.change("b", json!({ "email": "other@example.com" }));
    let hidden = workdir.expect(0, &["drift", "--hide-values"]);
    assert!(!hidden.said().contains("other@example.com"), "{hidden:#?}");
}

#[test]
fn a_row_that_cannot_be_used_is_read_all_the_same() {
    let (workdir, book, _remote) = synced();
    book.change("b", json!({ "email": "other@example.com" }));
    workdir.edit("clients.csv", "bob@example.com", "no address");
    let report = workdir.report(0, &["drift"]);
    assert_eq!(drifted(&report)[0][4], "invalid");
}

#[test]
fn a_record_that_is_gone_is_told() {
    let (workdir, book, _remote) = synced();
    book.delete("b");
    let report = workdir.report(2, &["drift", "--expect-no-changes"]);
    assert_eq!(counts(&report)["skipped(not_found)"], 1);
    let gone = &report["problems"][0];
    assert_eq!(
        ["code", "key", "remote_id", "outcome"].map(|name| gone[name].clone()),
        ["W_NOT_FOUND", "2", "b", "skipped(not_found)"]
    );
    let csv = workdir.expect(0, &["drift", "--format", "csv"]).stdout;
    let line = r#""complycube","2","3","b","","skipped(not_found)","problem""#;
    assert!(csv.contains(line), "{csv}");
    says(
        &workdir,
        &[
            "1 record was not found. Of the others, what was read is what",
            "the provider has no record with this remote id",
            "record b",
        ],
        "1 record was not found; nothing was changed.",
    );
    book.delete("a");
    book.delete("c");
    says(
        &workdir,
        &["3 records were not found; nothing else was compared."],
        "3 records were not found; nothing was changed.",
    );
}

/// What `drift` says in words, and in the headline of a page.
fn says(workdir: &Workdir, words: &[&str], headline: &str) {
    let text = workdir.expect(0, &["drift"]).stdout;
    for words in words {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    assert!(!text.contains("No drift"), "{text}");
    for form in ["markdown", "html"] {
        let page = workdir.expect(0, &["drift", "--format", form]).stdout;
        assert!(page.contains(headline), "no {headline:?} in\n{page}");
        assert!(!page.contains("No drift was found"), "{page}");
    }
}

#[test]
fn gone_records_are_told_beside_those_that_drifted() {
    let (workdir, book, _remote) = synced();
    book.delete("b");
    book.change("a", json!({ "email": "other@example.com" }));
    says(
        &workdir,
        &["~ 1  complycube a", "the provider has no record with this"],
        "1 record holds something else than was acknowledged last, 1 record was not found; nothing was changed.",
    );
}

#[test]
fn no_drift_is_never_said_of_what_was_not_read() {
    let (workdir, _, remote) = synced();
    workdir.write(
        "clients.csv",
        "no,cc_id,email,joined,ssn,tier\n7,,gus@example.com,2020-01-07,S-7,gold\n",
    );
    let before = remote.count();
    says(
        &workdir,
        &["Nothing was compared: no record was read."],
        "Nothing was compared, because no record was read; nothing was changed.",
    );
    assert_eq!(remote.count(), before);
}

#[test]
fn without_a_state_no_drift_is_not_said_to_be_what_was_acknowledged() {
    let book = Book::new([json!({ "id": "a", "email": "ann@example.com" })]);
    let remote = book.serve();
    let workdir = Workdir::with(
        &remote.url(),
        "email = \"email\"",
        "no,cc_id,email\n1,a,ann@example.com\n",
    );
    let text = workdir.expect(0, &["drift"]).stdout;
    let words = "No drift: what was read is what the providers acknowledged last, or what the file says where they acknowledged nothing.";
    assert!(text.contains(words), "{text}");
}

#[test]
fn what_was_read_is_void_where_a_run_wrote_the_state_meanwhile() {
    let book = Book::new([json!({ "id": "a" }), json!({ "id": "b" })]);
    let shown = book.clone();
    let meanwhile: Arc<Mutex<Option<Command>>> = Arc::default();
    let once = Arc::clone(&meanwhile);
    let remote = Remote::new(move |hit| {
        let command = once.lock().unwrap().take();
        if let Some(mut command) = command {
            // It asks nobody, so it can run while this request waits.
            assert!(command.status().unwrap().success());
        }
        shown.answer(hit)
    });
    let workdir = Workdir::with(&remote.url(), "email = \"email\"", ROWS);
    workdir.expect(0, &["adopt", "--from", "source"]);
    workdir.edit("clients.csv", "ann@example.com", "new@example.com");
    let mut adopting = workdir.command(&["adopt", "--from", "source", "-q"]);
    adopting.stdout(std::process::Stdio::null());
    *meanwhile.lock().unwrap() = Some(adopting);
    workdir
        .expect(7, &["drift"])
        .says(&["another run wrote the state while the providers were read"]);
    workdir.expect(0, &["drift"]);
}

#[test]
fn what_is_kept_back_while_a_condition_does_not_hold_is_no_drift() {
    let workdir = Workdir::new();
    let text = "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"no\"\n[state]\npath = \"state.db\"\n\
                [providers.weel]\nid = \"id\"\nsettings = { business_id = 1 }\n\
                limits = { quota = [{ calls = 1000, per = \"second\" }] }\n\
                [providers.weel.fields]\nout_of_office_mode = \"away\"\n\
                out_of_office_start_date = \"first\"\nout_of_office_end_date = \"last\"\n";
    workdir.write("clientsync.toml", text);
    workdir.write(
        "clients.csv",
        "no,id,away,first,last\n1,1,false,2026-02-01,2026-02-03\n2,2,true,2026-03-01,2026-03-02\n",
    );
    let user = |id: u32, last: &str| {
        json!({ "id": id, "out_of_office_mode": true,
                "out_of_office_start_date": "2026-01-01", "out_of_office_end_date": last })
    };
    let seed = json!({ "weel": [user(1, "2026-01-05"), user(2, "2026-01-05")] });
    workdir.write("sandbox.json", seed.to_string());
    let drift = ["drift", "--sandbox", "--expect-no-changes"];
    workdir.expect(0, &["adopt", "--from", "provider", "--sandbox", "--fresh"]);
    workdir.expect(0, &["sync", "--sandbox"]);
    workdir.expect(0, &drift);
    // Where nothing was acknowledged, the row's own days still count.
    workdir.edit("clients.csv", "2,2,true", "2,2,false");
    workdir.expect(0, &["sync", "--sandbox"]);
    workdir.expect(0, &drift);
}
