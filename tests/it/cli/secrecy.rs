//! A sensitive field reaches the provider, and is in clear nowhere else.

use crate::support::server::Answer;
use crate::support::workdir::{Remote, Workdir, counts};

const CANARY: &str = "078-05-1120";

fn workdir(remote: &Remote) -> Workdir {
    Workdir::with(
        &remote.url(),
        "email = \"email\"\n\"personDetails.ssn\" = \"ssn\"",
        &format!(
            "no,cc_id,email,ssn\n1,aa,ann@example.com,{CANARY}\n2,bb,bob@example.com,078-05-1121\n"
        ),
    )
}

/// Only the source itself may hold the value.
fn assert_nowhere_else(workdir: &Workdir) {
    let files = workdir.files_with(CANARY);
    assert_eq!(files, [std::path::PathBuf::from("clients.csv")]);
}

#[test]
fn a_sensitive_value_reaches_the_provider_and_no_file() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote);
    for command in ["plan", "sync", "sync", "plan", "check", "runs"] {
        let ran = workdir.expect(0, &[command, "-vv"]);
        assert!(!ran.said().contains(CANARY), "{ran:#?}");
        if command != "runs" {
            let report = workdir.expect(
                0,
                &[
                    command,
                    "--format",
                    "json",
                    "--report",
                    "r.json",
                    "--report",
                    "r.txt",
                    "--log-file",
                    "log",
                ],
            );
            assert!(!report.said().contains(CANARY), "{report:#?}");
        }
        assert_nowhere_else(&workdir);
    }
    assert_eq!(remote.count(), 2);
    assert_eq!(
        remote.sent_since(0)[0].1,
        format!(r#"{{"email":"ann@example.com","personDetails":{{"ssn":"{CANARY}"}}}}"#)
    );
}

#[test]
fn a_changed_sensitive_value_is_one_update_without_its_values() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote);
    workdir.expect(0, &["sync"]);
    workdir.edit("clients.csv", "078-05-1121", CANARY);
    let ran = workdir.expect(0, &["sync", "-vv", "--format", "json"]);
    let report = ran.json();
    assert_eq!(counts(&report)["updated"], 1);
    let change = &report["changes"][0];
    assert_eq!(
        (&change["field"], &change["hidden"]),
        (&"personDetails.ssn".into(), &true.into())
    );
    assert!(
        change.get("after").is_none() && change.get("before").is_none(),
        "{change:#}"
    );
    assert!(!ran.said().contains(CANARY));
    assert_nowhere_else(&workdir);
    assert_eq!(
        remote.sent_since(2)[0].1,
        format!(r#"{{"personDetails":{{"ssn":"{CANARY}"}}}}"#)
    );
}

#[test]
fn a_provider_that_quotes_a_sensitive_value_is_not_repeated() {
    let body = format!(r#"{{"message":"{CANARY} is no ssn","param":"personDetails.ssn"}}"#);
    for status in [422, 500] {
        let remote = Remote::except("aa", Answer::reply(status, &body));
        let workdir = workdir(&remote);
        let ran = workdir.expect(
            3,
            &["sync", "-vv", "--report", "r.json", "--log-file", "log"],
        );
        assert!(!ran.said().contains(CANARY), "{ran:#?}");
        assert!(ran.stdout.contains("(hidden) is no ssn"), "{ran:#?}");
        let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
        let id = runs["runs"][0]["run_id"].as_str().unwrap().to_owned();
        for format in ["text", "json"] {
            let shown = workdir.expect(0, &["runs", "show", &id, "--format", format]);
            assert!(!shown.said().contains(CANARY), "{shown:#?}");
        }
        assert_nowhere_else(&workdir);
    }
}

#[test]
fn adopting_a_sensitive_value_keeps_no_clear_text() {
    let remote = Remote::accepting();
    let workdir = workdir(&remote);
    workdir.expect(0, &["adopt", "--from", "source", "-vv"]);
    assert_nowhere_else(&workdir);
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}
