//! The exit codes of runs that talk to a provider, and what each means for the
//! rows.

use std::io::Write;
use std::net::TcpListener;

use crate::support::server::Answer;
use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir, config, counts, expected};

fn workdir(remote: &Remote) -> Workdir {
    Workdir::with(&remote.url(), FIELDS, ROWS)
}

#[test]
fn a_run_ends_with_0_and_the_next_one_sends_nothing() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote);
    let report = workdir.report(0, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("updated", 3), ("requests", 3)])
    );
    assert_eq!(
        remote.sent_since(0)[1],
        (
            "bb".to_owned(),
            r#"{"email":"bob@example.com","joinedDate":"2020-01-02","personDetails":{"firstName":"Bob"}}"#
                .to_owned()
        )
    );
    let report = workdir.report(0, &["sync"]);
    assert_eq!(counts(&report), expected([("rows", 3), ("unchanged", 3)]));
    assert_eq!(remote.count(), 3);
}

#[test]
fn changes_end_with_2_only_where_that_was_asked_for() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote);
    workdir.expect(0, &["plan"]);
    workdir.expect(0, &["sync", "--dry-run"]);
    for asked in ["--expect-no-changes", "--detailed-exitcode"] {
        assert_eq!(
            workdir.report(2, &["plan", asked])["exit"]["name"],
            "changes"
        );
        workdir.expect(2, &["sync", "--dry-run", asked]);
        workdir.expect(64, &["sync", asked]);
        workdir.expect(64, &["check", asked]);
    }
    assert_eq!(remote.count(), 0);
    workdir.expect(0, &["sync"]);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
    workdir.expect(0, &["plan", "--detailed-exitcode"]);
}

#[test]
fn an_invalid_row_ends_with_3_and_keeps_no_other_back() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote);
    workdir.edit("clients.csv", "bob@example.com", "bob at example.com");
    let report = workdir.report(3, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("updated", 2), ("invalid", 1), ("requests", 2)])
    );
    let problem = &report["problems"][0];
    assert_eq!(
        (&problem["line"], &problem["key"], &problem["column"]),
        (&3.into(), &"2".into(), &"email".into()),
        "{problem:#}"
    );
    assert!(!problem.to_string().contains("bob at"), "{problem:#}");
    workdir.expect(3, &["plan"]);
    workdir.expect(3, &["check"]);
}

#[test]
fn a_rejected_row_ends_with_3_and_is_tried_again() {
    let no = Answer::reply(422, r#"{"message":"email is in use","param":"email"}"#);
    let remote = Remote::except("bb", no.with("X-Request-Id", "r-17"));
    let workdir = workdir(&remote);
    for run in 1..=2 {
        let before = remote.count();
        let report = workdir.report(3, &["sync"]);
        let counts = counts(&report);
        assert_eq!(
            (counts["rejected"], remote.count() - before),
            (1, [3, 1][run - 1])
        );
        let problem = &report["problems"][0];
        assert_eq!(problem["status"], 422, "{problem:#}");
        assert_eq!(problem["provider_request_id"], "r-17", "{problem:#}");
        assert_eq!(problem["column"], "email", "{problem:#}");
        assert!(
            problem["message"]
                .as_str()
                .unwrap()
                .contains("email is in use")
        );
    }
}

#[test]
fn a_refused_token_ends_with_77_and_leaves_every_row_planned() {
    let remote = Remote::new(|_| Answer::reply(401, r#"{"message":"who are you?"}"#));
    let workdir = workdir(&remote);
    workdir.edit("clientsync.toml", "concurrency = 1", "concurrency = 2");
    let report = workdir.report(77, &["sync"]);
    let counts = counts(&report);
    assert_eq!((counts["rows"], counts["planned"]), (3, 3), "{counts:?}");
    assert!((1..=2).contains(&remote.count()), "{}", remote.count());
    let stopped = &report["providers"]["complycube"]["stopped"];
    assert!(stopped.as_str().unwrap().contains("401"), "{stopped}");
}

#[test]
fn a_provider_that_asks_for_a_long_wait_or_for_money_ends_with_6() {
    let wait = Answer::reply(429, "{}").with("Retry-After", "1000000");
    let pay = Answer::reply(402, r#"{"message":"payment is due"}"#);
    for answer in [wait, pay] {
        let remote = Remote::at_first(vec![answer]);
        let workdir = workdir(&remote);
        let report = workdir.report(6, &["sync"]);
        assert_eq!(
            counts(&report),
            expected([("rows", 3), ("planned", 3), ("requests", 1)])
        );
        assert_eq!(report["exit"]["name"], "deferred");
    }
}

#[test]
fn a_run_that_was_deferred_is_gone_on_with_by_the_next() {
    let pay = Answer::reply(402, r#"{"message":"payment is due"}"#);
    let remote = Remote::new({
        let accept = crate::support::workdir::accepted();
        let seen = std::sync::atomic::AtomicU32::new(0);
        move |hit| match seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            1 => pay.clone(),
            _ => accept(hit),
        }
    });
    let workdir = workdir(&remote);
    let counted = counts(&workdir.report(6, &["sync"]));
    assert_eq!((counted["updated"], counted["planned"]), (1, 2));
    let counted = counts(&workdir.report(0, &["sync"]));
    assert_eq!((counted["unchanged"], counted["updated"]), (1, 2));
    assert_eq!(remote.count(), 4);
}

#[test]
fn a_redirect_ends_with_1_and_is_not_followed() {
    let elsewhere = Remote::accepting();
    let target = format!("{}/v1/clients/aa?secret=1", elsewhere.url());
    let remote = Remote::new(move |_| Answer::reply(302, "").with("Location", &target));
    let workdir = workdir(&remote);
    let report = workdir.report(1, &["sync"]);
    assert_eq!(
        counts(&report),
        expected([("rows", 3), ("planned", 3), ("requests", 1)])
    );
    let stopped = report["providers"]["complycube"]["stopped"].to_string();
    assert!(
        stopped.contains("redirect") && !stopped.contains("secret=1"),
        "{stopped}"
    );
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn a_port_that_does_not_speak_tls_ends_with_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let plain = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            // Whether the client still listens is its own matter.
            drop(stream.unwrap().write_all(plain));
        }
    });
    let workdir = Workdir::with(&url, FIELDS, ROWS);
    let report = workdir.report(1, &["sync"]);
    assert_eq!(counts(&report)["planned"], 3);
    let stopped = report["providers"]["complycube"]["stopped"].to_string();
    assert!(stopped.contains("certificate"), "{stopped}");
}

#[test]
fn nobody_at_the_address_leaves_rows_failed_or_planned_but_never_rejected() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let workdir = Workdir::with(
        &url,
        FIELDS,
        "no,cc_id,email,joined,first\n1,aa,a@b.example,2020-01-01,Ann\n",
    );
    let report = workdir.report(3, &["sync"]);
    let counts = counts(&report);
    assert_eq!(counts["failed"], 1, "{counts:?}");
    let message = report["problems"][0]["message"].to_string();
    assert!(message.contains("no connection"), "{message}");
}

#[test]
fn the_worst_of_several_codes_wins() {
    // One row invalid (3), then the credentials are refused (77).
    let remote = Remote::new(|_| Answer::reply(401, "{}"));
    let workdir = workdir(&remote);
    workdir.edit("clients.csv", "bob@example.com", "nobody");
    let report = workdir.report(77, &["sync"]);
    let counts = counts(&report);
    assert_eq!((counts["invalid"], counts["planned"]), (1, 2));
    // One row invalid (3), and a guard refuses (4).
    let text = config(&remote.url(), FIELDS).replace("[state]", "[guards]\nmin_rows = 4\n[state]");
    workdir.write("clientsync.toml", text);
    workdir.report(4, &["plan"]);
}
