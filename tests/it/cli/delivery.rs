//! What is sent, how often, and what is known afterwards.

use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, accepted, counts, expected};

const ONE: &str = "no,cc_id,email,joined,first\n1,aa,ann@example.com,2020-01-01,Ann\n";

fn html() -> Answer {
    Answer::reply(200, "<html>Welcome to the portal</html>").with("Content-Type", "text/html")
}

#[test]
fn one_changed_cell_is_one_request_with_exactly_one_field() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "Bob\n", "Bo\u{df}\n");
    let report = workdir.report(0, &["sync"]);
    let hits = remote.hits();
    let [.., hit] = &hits[..] else { panic!() };
    assert_eq!(hits.len(), 4);
    assert_eq!(
        hit.body,
        "{\"personDetails\":{\"firstName\":\"Bo\u{df}\"}}".as_bytes()
    );
    assert_eq!(
        (hit.method.as_str(), hit.target.as_str()),
        ("POST", "/v1/clients/bb")
    );
    assert_eq!(hit.header("authorization"), Some("test-token-1"));
    assert_eq!(hit.header("content-type"), Some("application/json"));
    let changes = report["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!(
        (
            &changes[0]["field"],
            &changes[0]["before"],
            &changes[0]["after"],
            &changes[0]["push"]
        ),
        (
            &"personDetails.firstName".into(),
            &"Bob".into(),
            &"Bo\u{df}".into(),
            &"update".into()
        )
    );
}

#[test]
fn a_value_that_changes_and_changes_back_before_a_run_is_no_change() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "bob@", "BOB@");
    // Letter case says nothing in an address.
    workdir.expect(0, &["plan", "--expect-no-changes"]);
    workdir.edit("clients.csv", "BOB@", "bobby@");
    workdir.expect(2, &["plan", "--expect-no-changes"]);
    workdir.edit("clients.csv", "bobby@", "bob@");
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn a_row_that_fails_four_times_and_a_last_one_is_failed_and_tried_again_by_the_next_run() {
    let sorry = Answer::reply(503, r#"{"message":"down for maintenance"}"#);
    let remote = Remote::at_first(vec![sorry; 5]);
    let workdir = Workdir::with(&remote.url(), FIELDS, ONE);
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 1), ("failed", 1), ("requests", 5), ("retries", 4)])
    );
    assert!(
        report["problems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("maintenance")
    );
    let report = workdir.report(0, &["sync"]);
    // An error answer says nothing about what was done: the next run looks first.
    assert_eq!(
        counts(&report),
        expected([("rows", 1), ("updated", 1), ("requests", 2)])
    );
    let mut bodies = remote.sent_since(0);
    assert_eq!(bodies.remove(5).1, "");
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[test]
fn a_server_error_is_retried_and_forgotten() {
    let remote = Remote::at_first(vec![Answer::reply(503, ""), Answer::Close]);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        // After the lost answer a read looks what became of the update.
        expected([("rows", 3), ("updated", 3), ("requests", 6), ("retries", 2)])
    );
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn a_row_that_fails_keeps_no_other_back() {
    let remote = Remote::except("bb", Answer::reply(500, ""));
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 3),
            ("updated", 2),
            ("failed", 1),
            ("requests", 7),
            ("retries", 4)
        ])
    );
}

#[test]
fn a_provider_that_asks_to_wait_is_waited_for_and_nothing_is_lost() {
    let wait = Answer::reply(429, "{}").with("Retry-After", "1");
    let remote = Remote::at_first(vec![wait]);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("updated", 3), ("requests", 4), ("retries", 1)])
    );
    // The pause is everyone's: nobody overtakes the row that was asked to wait.
    let ids: Vec<String> = remote.sent_since(0).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["aa", "aa", "bb", "cc"]);
}

#[test]
fn an_answer_that_cannot_be_read_leaves_the_row_in_doubt_until_it_is_sent_again() {
    let remote = Remote::new({
        let accept = accepted();
        let seen = std::sync::atomic::AtomicU32::new(0);
        // The first update passes. The second is applied, and a portal answers
        // in its place from then on.
        move |hit| {
            let answer = accept(hit);
            match seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                1..=5 => html(),
                _ => answer,
            }
        }
    });
    let workdir = Workdir::with(&remote.url(), FIELDS, ONE);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "ann@", "new@");
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([
            ("rows", 1),
            ("in_doubt", 1),
            ("requests", 5),
            ("retries", 3)
        ])
    );
    // One update and four reads that could not tell what became of it.
    let writes = |hit: &&crate::support::server::Hit| hit.method == "POST";
    assert_eq!(remote.hits().iter().filter(writes).count(), 2);
    // The old value is back in the file, but the provider holds the new one.
    workdir.edit("clients.csv", "new@", "ann@");
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 1), ("updated", 1), ("requests", 2)])
    );
    assert_eq!(remote.sent_since(7)[0].1, r#"{"email":"ann@example.com"}"#);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}

#[test]
fn answers_that_are_no_answers_are_never_taken_for_a_success() {
    let bodies = ["", "null", "[]", "{\"id\":\"aa\"", "\"ok\"", "\u{0}"];
    for answer in bodies
        .map(|body| Answer::reply(200, body))
        .into_iter()
        .chain([
            Answer::reply(204, ""),
            Answer::reply(202, "{}"),
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":\"aa\"}".to_vec()),
            Answer::Raw(b"SMTP ready\r\n\r\n".to_vec()),
        ])
    {
        let remote = Remote::at_first(vec![answer.clone()]);
        let workdir = Workdir::with(&remote.url(), FIELDS, ONE);
        let report = workdir.report(0, &["sync"]);
        assert_eq!(
            counts(&report),
            // A read finds that nothing was applied; then it is sent again.
            expected([("rows", 1), ("updated", 1), ("requests", 3), ("retries", 1)]),
            "{answer:?}"
        );
    }
}

#[test]
fn a_change_that_the_provider_ignores_without_a_word_is_warned_of() {
    let remote = Remote::new(|_| {
        Answer::reply(
            200,
            r#"{"id":"aa","email":"old@example.com","joinedDate":"2020-01-01","personDetails":{"firstName":"Ann"}}"#,
        )
    });
    let workdir = Workdir::with(&remote.url(), FIELDS, ONE);
    let report = workdir.report(0, &["sync"]);
    assert_eq!(counts(&report)["updated"], 1);
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(
        (&problems[0]["code"], &problems[0]["field"]),
        (&"W_NOT_ECHOED".into(), &"email".into())
    );
}

#[test]
fn what_travels_with_a_change_is_read_afresh_and_nothing_of_others_is_lost() {
    let remote = Remote::at_first(vec![
        // The first read: a colleague keeps a note there.
        Answer::reply(
            200,
            r#"{"id":"aa","type":"person","metadata":{"note":"hand-made","tier":"old"}}"#,
        ),
    ]);
    let workdir = Workdir::with(&remote.url(), "\"metadata.tier\" = \"first\"", ONE);
    let report = workdir.report(0, &["sync"]);
    let hits = remote.hits();
    assert_eq!((hits[0].method.as_str(), hits[0].body.len()), ("GET", 0));
    assert_eq!(hits[1].method, "POST");
    let body: serde_json::Value = serde_json::from_slice(&hits[1].body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"metadata": {"note": "hand-made", "tier": "Ann"}})
    );
    assert_eq!(counts(&report)["requests"], 2);
    workdir.expect(0, &["sync"]);
    assert_eq!(remote.count(), 2);
}

#[test]
fn a_budget_is_never_exceeded_and_the_next_run_goes_on() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(6, &["sync", "--budget", "2"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("updated", 2), ("planned", 1), ("requests", 2)])
    );
    assert_eq!(remote.count(), 2);
    let stopped = report["providers"]["complycube"]["stopped"].as_str();
    assert_eq!(
        stopped,
        Some("deferred: the budget of 2 requests is used up")
    );
    workdir.edit(
        "clientsync.toml",
        "[state]",
        "[run]\nbudget = 1\nmax_duration = \"1h\"\n[state]",
    );
    let report = workdir.report(0, &["sync"]);
    assert_eq!(counts(&report)["updated"], 1);
    assert_eq!(remote.count(), 3);
}

#[test]
fn a_wait_that_max_duration_cannot_hold_ends_the_run_at_once() {
    let wait = Answer::reply(429, "{}").with("Retry-After", "120");
    let remote = Remote::at_first(vec![wait]);
    let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
    let report = workdir.report(6, &["sync", "--max-duration", "1m"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("planned", 3), ("requests", 1)])
    );
}
