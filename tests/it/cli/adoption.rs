//! `adopt --from provider`: what is read, who is linked with whom, and what the
//! first plan after it says. The server is the judge of what was asked.

use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::samples::harbour;
use crate::support::server::Answer;
use crate::support::workdir::{Remote, Workdir, config, counts, expected};

const FIELDS: &str = r#"email = "email"
joinedDate = { column = "joined", policy = "once" }
"personDetails.firstName" = "first"
"metadata.tier" = "tier""#;

/// A directory whose lane finds records by the key in their metadata.
fn matching(url: &str, rows: &str) -> Workdir {
    let workdir = Workdir::new();
    let by_number = "id = \"cc_id\"\nmatch = { field = \"metadata.client_no\", column = \"no\" }";
    let text = config(url, FIELDS).replace("id = \"cc_id\"", by_number);
    workdir.write("clientsync.toml", text);
    workdir.write("clients.csv", rows);
    workdir
}

fn client(id: &str, number: &str, email: &str) -> Value {
    json!({
        "id": id, "type": "person", "email": email,
        "personDetails": { "firstName": "Ann", "lastName": "Lee" },
        "metadata": { "client_no": number, "tier": "gold" },
    })
}

const ADOPT: [&str; 3] = ["adopt", "--from", "provider"];

/// The problems of a code: line, key and remote id of each.
fn told(report: &Value, code: &str) -> Vec<(Value, Value, Value)> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems
        .filter(|problem| problem["code"] == code)
        .map(|p| (p["line"].clone(), p["key"].clone(), p["remote_id"].clone()))
        .collect()
}

/// What each planned update of a report changes: key, field, before, after.
fn planned(report: &Value) -> Vec<(String, String, Value, Value)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let changes = report["changes"].as_array().unwrap().iter();
    changes
        .filter(|change| change["role"] == "change")
        .map(|c| {
            assert_eq!(c["before_state"], "value", "{c}");
            (
                text(&c["key"]),
                text(&c["field"]),
                c["before"].clone(),
                c["after"].clone(),
            )
        })
        .collect()
}

#[test]
fn rows_are_linked_by_a_value_and_the_first_plan_shows_only_true_differences() {
    let book = Book::new([
        client("a", "1", "ann@example.com"),
        client("b", "2", "OLD@example.com"),
        client("c", "3", "cyd@example.com"),
    ]);
    book.change(
        "c",
        json!({ "joinedDate": "2019-05-05", "metadata": { "tier": "silver" } }),
    );
    let remote = book.serve();
    let workdir = matching(
        &remote.url(),
        "no,cc_id,email,joined,first,tier\n\
         1,,Ann@Example.com,2020-01-01,Ann,gold\n\
         2,,bob@example.com,,Ann,gold\n\
         3,c,cyd@example.com,2020-01-03,Ann,gold\n",
    );
    let report = workdir.report(0, &ADOPT);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("unchanged", 3), ("requests", 1)])
    );
    assert!(remote.hits().iter().all(|hit| hit.method == "GET"));
    // Letter case of an e-mail says nothing, `once` leaves what is there, and
    // what is missing is known to be missing.
    let plan = workdir.report(0, &["plan"]);
    let change = |key: &str, field: &str, before: Value, after: &str| {
        (key.to_owned(), field.to_owned(), before, Value::from(after))
    };
    let true_differences = [
        change("1", "joinedDate", Value::Null, "2020-01-01"),
        change("2", "email", json!("OLD@example.com"), "bob@example.com"),
        change("3", "metadata.tier", json!("silver"), "gold"),
    ];
    assert_eq!(planned(&plan), true_differences);
    let before = remote.count();
    workdir.report(0, &["sync"]);
    let sent: Vec<(String, String)> = remote
        .sent_since(before)
        .into_iter()
        .filter(|(_, body)| !body.is_empty())
        .collect();
    let body = |id: &str, body: &str| (id.to_owned(), body.to_owned());
    assert_eq!(
        sent,
        [
            body("a", r#"{"joinedDate":"2020-01-01"}"#),
            body("b", r#"{"email":"bob@example.com"}"#),
            body("c", r#"{"metadata":{"client_no":"3","tier":"gold"}}"#),
        ]
    );
    assert_eq!(workdir.report(0, &["plan"])["changes"], json!([]));
}

#[test]
fn what_is_not_unique_on_both_sides_is_listed_and_left_alone() {
    let book = Book::new([
        client("a", "1", "x@example.com"),
        client("b1", "2", "x@example.com"),
        client("b2", "2", "x@example.com"),
        client("c", "3", "x@example.com"),
        client("d", "4", "x@example.com"),
        client("f", "", "x@example.com"),
        client("g", "17", "x@example.com"),
    ]);
    let remote = book.serve();
    let workdir = Workdir::new();
    let by_number = "id = \"cc_id\"\nmatch = { field = \"metadata.client_no\", column = \"ref\" }";
    let text = config(&remote.url(), "email = \"email\"").replace("id = \"cc_id\"", by_number);
    workdir.write("clientsync.toml", text);
    workdir.write(
        "clients.csv",
        "no,ref,cc_id,email\n\
         1,1,,a@example.com\n\
         2,2,,a@example.com\n\
         3,3,,a@example.com\n\
         33,3,,a@example.com\n\
         4,4,,a@example.com\n\
         44,4,d,a@example.com\n\
         5,5,,a@example.com\n\
         6,,,a@example.com\n",
    );
    let report = workdir.report(0, &ADOPT);
    let all = [
        ("rows", 8),
        ("unchanged", 2),
        ("skipped(ambiguous)", 4),
        ("skipped(unlinked)", 2),
        ("requests", 1),
    ];
    assert_eq!(counts(&report), expected(all));
    let row = |line: u64, key: &str| (json!(line), json!(key), Value::Null);
    let ambiguous = [row(3, "2"), row(4, "3"), row(5, "33"), row(6, "4")];
    assert_eq!(told(&report, "W_AMBIGUOUS"), ambiguous);
    assert_eq!(told(&report, "W_UNMATCHED"), [row(8, "5")]);
    assert_eq!(told(&report, "W_UNLINKED"), [row(9, "6")]);
    let record = |id: &str| (Value::Null, Value::Null, json!(id));
    let mut twins = told(&report, "W_AMBIGUOUS_RECORD");
    twins.sort_by_key(|(_, _, id)| id.to_string());
    assert_eq!(twins, [record("b1"), record("b2"), record("c")]);
    assert_eq!(
        told(&report, "W_UNMATCHED_RECORD"),
        [record("f"), record("g")]
    );
    // None of them is linked: a sync leaves them out.
    let plan = workdir.report(0, &["plan"]);
    assert_eq!(
        counts(&plan),
        expected([("rows", 8), ("planned", 2), ("skipped(unlinked)", 6)])
    );
    // In words, too.
    let text = workdir.expect(0, &ADOPT).stdout;
    for words in [
        "2 records: a record at the provider that no row belongs to",
        "several records at the provider hold this value; fill the id column",
        "record g",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
}

#[test]
fn an_empty_list_is_not_taken_for_absence() {
    // ComplyCube answers 200 and nothing to what it does not understand.
    let book = Book::new([client("a", "1", "ann@example.com")]);
    let shown = book.clone();
    let remote = Remote::new(move |hit| {
        if hit.target.contains('?') {
            Answer::reply(200, r#"{"items":[],"pages":0}"#)
        } else {
            shown.answer(hit)
        }
    });
    let workdir = matching(
        &remote.url(),
        "no,cc_id,email,joined,first,tier\n1,a,new@example.com,,,\n2,gone,x@example.com,,,\n3,,y@example.com,,,\n",
    );
    let report = workdir.report(0, &ADOPT);
    let all = [
        ("rows", 3),
        ("unchanged", 1),
        ("skipped(not_found)", 1),
        ("skipped(unlinked)", 1),
        ("requests", 3),
    ];
    assert_eq!(counts(&report), expected(all));
    assert_eq!(
        told(&report, "W_NOT_FOUND"),
        [(json!(3), json!("2"), json!("gone"))]
    );
    let plan = workdir.report(0, &["plan", "--only", "1"]);
    let before = json!("ann@example.com");
    assert_eq!(
        planned(&plan),
        [(
            "1".to_owned(),
            "email".to_owned(),
            before,
            json!("new@example.com")
        )]
    );
}

#[test]
fn a_list_that_cannot_be_read_to_its_end_links_nobody() {
    let clients = (0..150).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com"));
    let book = Book::new(clients);
    let shown = book.clone();
    let remote = Remote::new(move |hit| {
        if hit.target.contains("page=2") {
            Answer::reply(200, "<html>maintenance</html>")
        } else {
            shown.answer(hit)
        }
    });
    let workdir = matching(
        &remote.url(),
        "no,cc_id,email,joined,first,tier\n1,,a@example.com,,,\n2,r2,b@example.com,,,\n140,r140,b@example.com,,,\n",
    );
    let report = workdir.report(1, &ADOPT);
    // What was read is kept; what was not reached is said to be.
    assert_eq!(counts(&report)["unchanged"], 1);
    assert_eq!(counts(&report)["planned"], 2);
    assert!(
        report["providers"]["complycube"]["stopped"]
            .as_str()
            .unwrap()
            .contains("list cannot be read")
    );
    assert_eq!(told(&report, "W_UNMATCHED_RECORD"), []);
    let plan = workdir.report(0, &["plan"]);
    assert_eq!(counts(&plan)["skipped(unlinked)"], 1);
}

#[test]
fn a_list_that_moves_while_it_is_read_links_each_record_once() {
    let clients = (0..250).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com"));
    let book = Book::new(clients);
    let moving = book.clone();
    let remote = Remote::new(move |hit| {
        let answer = moving.answer(hit);
        if hit.target.contains("page=1&") {
            // A client that is made meanwhile moves the rest down by one.
            moving.create(client("new", "new", "n@example.com"));
        }
        answer
    });
    let rows: Vec<String> = (0..250)
        .map(|n| format!("{n},,x@example.com,,Ann,gold\n"))
        .collect();
    let rows = rows.concat();
    let workdir = matching(
        &remote.url(),
        &format!("no,cc_id,email,joined,first,tier\n{rows}"),
    );
    let report = workdir.report(0, &ADOPT);
    assert_eq!(
        counts(&report),
        expected([("rows", 250), ("unchanged", 250), ("requests", 3)])
    );
    assert_eq!(told(&report, "W_UNMATCHED_RECORD"), []);
    assert_eq!(workdir.report(0, &["plan"])["changes"], json!([]));
}

#[test]
fn a_record_of_a_key_that_left_the_file_is_not_given_to_another_row() {
    let book = Book::new([client("a", "1", "ann@example.com")]);
    let remote = book.serve();
    let workdir = matching(
        &remote.url(),
        "no,cc_id,email,joined,first,tier\n1,,ann@example.com,,,\n",
    );
    workdir.report(0, &ADOPT);
    // The same person under a new key: nobody decides that but a person.
    book.change("a", json!({ "metadata": { "client_no": "2" } }));
    workdir.write(
        "clients.csv",
        "no,cc_id,email,joined,first,tier\n2,,ann@example.com,,,\n",
    );
    let report = workdir.report(0, &ADOPT);
    assert_eq!(counts(&report)["skipped(ambiguous)"], 1);
    assert_eq!(workdir.report(0, &["plan"])["changes"], json!([]));
}

#[test]
fn one_client_is_read_by_its_id_and_no_list_is_asked_for() {
    let clients = (0..3).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com"));
    let remote = Book::new(clients).serve();
    let rows = "no,cc_id,email,joined,first,tier\n0,r0,x@example.com,,,\n1,r1,x@example.com,,,\n2,r2,x@example.com,,,\n";
    let workdir = matching(&remote.url(), rows);
    let report = workdir.report(0, &["adopt", "--from", "provider", "--only", "1"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 1), ("unchanged", 1), ("requests", 1)])
    );
    assert_eq!(remote.hits()[0].target, "/v1/clients/r1");
}

#[test]
fn a_record_that_cannot_be_read_fails_alone() {
    let clients = (0..3).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com"));
    let book = Book::new(clients);
    let remote = Remote::new(move |hit| match hit.target.as_str() {
        "/v1/clients/r1" => Answer::reply(403, r#"{"message":"not for you"}"#),
        _ if hit.target.contains('?') => Answer::reply(200, r#"{"items":[],"pages":0}"#),
        _ => book.answer(hit),
    });
    let rows = "no,cc_id,email,joined,first,tier\n0,r0,x@example.com,,,\n1,r1,x@example.com,,,\n2,r2,x@example.com,,,\n";
    let workdir = matching(&remote.url(), rows);
    let report = workdir.report(3, &ADOPT);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("unchanged", 2),
            ("failed", 1),
            ("requests", 4)
        ])
    );
    assert_eq!(
        told(&report, "E_UNREAD"),
        [(json!(3), json!("1"), Value::Null)]
    );
    let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
    let run = runs["runs"][0]["run_id"].as_str().unwrap();
    let shown = workdir
        .expect(0, &["runs", "show", run, "--format", "json"])
        .json();
    assert_eq!(counts(&shown)["failed"], 1);
    assert_eq!(shown["outcomes"][0]["message"], "not for you");
}

#[test]
fn wrong_credentials_end_the_adoption_after_few_requests_and_adopt_nothing() {
    let remote = Remote::new(|_| Answer::reply(401, r#"{"message":"no"}"#));
    let workdir = matching(
        &remote.url(),
        "no,cc_id,email,joined,first,tier\n1,a,x@example.com,,,\n",
    );
    let report = workdir.report(77, &ADOPT);
    assert_eq!(counts(&report)["planned"], 1);
    assert!(remote.count() <= 2, "{}", remote.count());
}

#[test]
fn a_lane_without_an_id_column_lives_by_its_links() {
    let book = Book::new([client("a", "1", "ann@example.com")]);
    let remote = book.serve();
    let workdir = Workdir::new();
    let by_number = "match = { field = \"metadata.client_no\", column = \"no\" }";
    workdir.write(
        "clientsync.toml",
        config(&remote.url(), "email = \"email\"").replace("id = \"cc_id\"", by_number),
    );
    workdir.write(
        "clients.csv",
        "no,email\n1,new@example.com\n2,x@example.com\n",
    );
    let before = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&before),
        expected([("rows", 2), ("skipped(unlinked)", 2)])
    );
    assert_eq!(remote.count(), 0);
    workdir.report(0, &ADOPT);
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
    assert_eq!(book.get("a")["email"], "new@example.com");
}

#[test]
fn an_adoption_that_is_cut_short_goes_on_where_it_ended() {
    // A list without the mapped members: one read for each client.
    let clients = (0..40).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com"));
    let book = Book::new(clients);
    let shown = book.clone();
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let remote = Remote::new(move |hit| {
        let n = answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match hit.target.contains('?') {
            true => Answer::reply(200, r#"{"items":[],"pages":0}"#),
            // Payment is due after the twentieth request, until somebody pays.
            false if (20..21).contains(&n) => Answer::reply(402, r#"{"message":"due"}"#),
            false => shown.answer(hit),
        }
    });
    let rows: Vec<String> = (0..40)
        .map(|n| format!("{n},r{n},y@example.com,,Ann,gold\n"))
        .collect();
    let rows = rows.concat();
    let workdir = matching(
        &remote.url(),
        &format!("no,cc_id,email,joined,first,tier\n{rows}"),
    );
    let first = workdir.report(6, &ADOPT);
    assert_eq!(
        counts(&first),
        expected([
            ("rows", 40),
            ("unchanged", 19),
            ("planned", 21),
            ("requests", 21)
        ])
    );
    let second = workdir.report(0, &ADOPT);
    // The list once more, and the records that were not read yet.
    assert_eq!(
        counts(&second),
        expected([("rows", 40), ("unchanged", 40), ("requests", 22)])
    );
    // A finished adoption reads everything again.
    assert_eq!(counts(&workdir.report(0, &ADOPT))["requests"], 41);
    let plan = workdir.report(0, &["plan"]);
    assert_eq!(planned(&plan).len(), 40);
}

#[test]
fn of_two_entries_of_one_kind_the_one_that_the_row_names_is_ours() {
    let client = |id: &str, work: &str| {
        json!({ "id": id, "name": "Ann", "contactMethods": [
            { "type": "email", "value": "private@example.com", "isPreferred": true },
            { "type": "email", "value": work, "isPreferred": false },
        ], "customFields": [] })
    };
    let clients =
        json!({ "clients": [client("p1", "ann@example.com"), client("p2", "old@example.com")] });
    let remote = Remote::new(move |_| Answer::reply(200, &clients.to_string()));
    let workdir = Workdir::new();
    workdir.write(
        "clientsync.toml",
        config(&remote.url(), "\"contactMethods.email\" = \"email\"")
            .replace("complycube", "placio")
            .replace("cc_id", "placio_id")
            .replace("settings = { ", "settings = { workspace_id = \"w\", "),
    );
    workdir.write(
        "clients.csv",
        "no,placio_id,email\n1,p1,ann@example.com\n2,p2,bob@example.com\n",
    );
    let report = workdir.report(0, &ADOPT);
    assert_eq!(report["providers"]["placio"]["unchanged"], 2);
    // Of the second nobody can say which one is ours: it stays unknown.
    let note = (json!(3), json!("2"), Value::Null);
    assert_eq!(told(&report, "W_AMBIGUOUS_ENTRY"), [note]);
    let plan = workdir.report(0, &["plan"]);
    let changes = plan["changes"].as_array().unwrap();
    let keys: Vec<&Value> = changes.iter().map(|change| &change["key"]).collect();
    assert!(
        !keys.is_empty() && keys.iter().all(|key| **key == "2"),
        "{changes:#?}"
    );
}

#[test]
fn a_budget_is_kept_and_the_next_adoption_reads_only_the_rest() {
    let clients = (0..30).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com"));
    let book = Book::new(clients);
    let remote = Remote::new(move |hit| {
        if hit.target.contains('?') {
            Answer::reply(200, r#"{"items":[],"pages":0}"#)
        } else {
            book.answer(hit)
        }
    });
    let rows: Vec<String> = (0..30)
        .map(|n| format!("{n},r{n},y@example.com,,Ann,gold\n"))
        .collect();
    let text = ["no,cc_id,email,joined,first,tier\n", &rows.concat()].concat();
    let workdir = matching(&remote.url(), &text);
    for (end, adopted, budget) in [(6, 11, "12"), (6, 22, "12"), (0, 30, "12")] {
        let before = remote.count();
        let report = workdir.report(end, &[&ADOPT[..], &["--budget", budget]].concat());
        assert_eq!(counts(&report)["unchanged"], adopted);
        assert!(remote.count() - before <= 12);
    }
    // Each record was asked for once.
    let mut asked: Vec<String> = remote.hits().iter().map(|hit| hit.target.clone()).collect();
    asked.retain(|target| !target.contains('?'));
    asked.sort_unstable();
    asked.dedup();
    assert_eq!((asked.len(), remote.count()), (30, 30 + 3));
    // Looking for drift is bounded as well, and says what it did not reach.
    let drift = workdir.report(6, &["drift", "--budget", "1"]);
    assert_eq!(counts(&drift)["requests"], 1);
    assert!(counts(&drift)["planned"] > 0);
}

/// A directory with the sample of an own provider, whose list shows no e-mail
/// address, and whose records are found by it.
fn own_provider(url: &str) -> Workdir {
    let by_mail = "match = { field = \"email\", column = \"email\" }\n";
    let workdir = harbour(url, by_mail, |manifest| {
        let omits = "id    = \"/number\"\nomits = [\"/email\"]";
        manifest.replace("id    = \"/number\"", omits)
    });
    workdir.write(
        "clients.csv",
        "no,cc_id,name,email\n1,M-1,Ann,a1@example.com\n2,,Bob,a2@example.com\n3,,Cyd,a3@example.com\n",
    );
    workdir
}

#[test]
fn where_a_list_hides_the_value_each_record_is_read_and_what_was_read_stands() {
    let refuses = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let refusing = std::sync::Arc::clone(&refuses);
    let remote = Remote::new(move |hit| {
        let Some(id) = hit.target.strip_prefix("/v2/clubs/north/members/") else {
            let members = [1, 2, 3].map(|n| json!({ "number": format!("M-{n}"), "name": "Old" }));
            return Answer::reply(200, &json!({ "members": members, "total": 3 }).to_string());
        };
        if id == "M-1" && refusing.load(std::sync::atomic::Ordering::SeqCst) {
            return Answer::reply(403, r#"{"error":"not for you"}"#);
        }
        let email = format!("a{}@example.com", &id[2..]);
        let member = json!({ "number": id, "name": "Old", "email": email });
        Answer::reply(200, &json!({ "member": member }).to_string())
    });
    let workdir = own_provider(&remote.url());
    let lane = |report: &Value| report["providers"]["harbour"].clone();
    // The list and two of three records: nobody is linked by a value yet.
    let first = lane(&workdir.report(6, &[&ADOPT[..], &["--budget", "3"]].concat()));
    assert_eq!(
        (&first["unchanged"], &first["planned"]),
        (&json!(1), &json!(2))
    );
    refuses.store(true, std::sync::atomic::Ordering::SeqCst);
    let second = lane(&workdir.report(0, &ADOPT));
    assert_eq!(
        (&second["unchanged"], &second["failed"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(second["requests"], 4);
    let plan = workdir.report(0, &["plan"]);
    assert_eq!(lane(&plan)["planned"], 3);
}

/// Rows by number and remote id, all of them of client 7, and the list; nobody
/// is linked by that number.
fn assert_nobody_is_linked(rows: &str, records: &str) {
    let records = records.to_owned();
    let remote = Remote::new(move |_| Answer::reply(200, &records));
    let workdir = Workdir::new();
    let by_mail = "id = \"cc_id\"\nmatch = { field = \"email\", column = \"email\" }";
    let text = config(&remote.url(), "joinedDate = \"joined\"").replace("id = \"cc_id\"", by_mail);
    workdir.write("clientsync.toml", text);
    workdir.write("clients.csv", format!("no,cc_id,email,joined\n{rows}"));
    let ran = workdir.run(&[&ADOPT[..], &["--format", "json"]].concat());
    let lane = &ran.json()["providers"]["complycube"];
    assert_eq!(lane["skipped"]["ambiguous"], 1, "{rows}: {lane:#}");
    assert_eq!(lane["unchanged"], 0, "{rows}: {lane:#}");
    workdir.run(&["sync"]);
    let writes = remote
        .hits()
        .iter()
        .filter(|hit| hit.method == "POST")
        .count();
    assert_eq!(writes, 0, "{rows}");
}

#[test]
fn a_row_that_cannot_be_used_and_a_record_without_an_id_hold_their_values_too() {
    let one = |id: &str| {
        let record = json!({ "id": id, "email": "a@example.com", "joinedDate": "2001-01-01" });
        json!({ "items": [record], "pages": 1 }).to_string()
    };
    // A key that stands on different rows, a key that is empty, a bad id.
    for others in [
        "1,,a@example.com,2001-01-01\n1,,a@example.com,2001-01-02\n",
        ",,a@example.com,2001-01-01\n",
        "3,bad/id,a@example.com,2001-01-01\n",
    ] {
        let rows = format!("{others}2,,a@example.com,2020-01-01\n");
        assert_nobody_is_linked(&rows, &one("r1"));
    }
    // A row without a key still has its record.
    let rows = ",r1,b@example.com,2001-01-01\n2,,a@example.com,2020-01-01\n";
    assert_nobody_is_linked(rows, &one("r1"));
    let twin = json!({ "email": "a@example.com" });
    let record = json!({ "id": "r1", "email": "a@example.com" });
    let list = json!({ "items": [record, twin], "pages": 1 }).to_string();
    assert_nobody_is_linked("2,,a@example.com,2020-01-01\n", &list);
}

#[test]
fn a_run_that_leaves_a_list_early_says_what_it_needs() {
    let book =
        Book::new((0..250).map(|n| client(&format!("r{n}"), &n.to_string(), "x@example.com")));
    let remote = book.serve();
    let workdir = matching(
        &remote.url(),
        "no,cc_id,email,joined,first,tier\n7,,a@example.com,,,\n240,,b@example.com,,,\n",
    );
    let report = workdir.report(6, &[&ADOPT[..], &["--budget", "2"]].concat());
    assert_eq!(counts(&report)["planned"], 2);
    let left = report["problems"].as_array().unwrap().iter();
    let left: Vec<&Value> = left.filter(|p| p["code"] == "W_LIST_LEFT").collect();
    assert_eq!(left.len(), 1, "{report:#}");
    assert!(
        left[0]["message"]
            .as_str()
            .unwrap()
            .contains("after 2 pages")
    );
    let report = workdir.report(0, &ADOPT);
    assert_eq!(counts(&report)["unchanged"], 2);
}
