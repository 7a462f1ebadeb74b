//! A lane that logs in: its refresh token goes from run to run, sealed, and is
//! never asked for more than it can give.

use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::server::{Answer, Hit};
use crate::support::workdir::{Remote, Workdir};

/// A provider with a token endpoint at which each refresh token is good once.
fn serving() -> Remote {
    let valid = Mutex::new((0, "none".to_owned()));
    let record = Mutex::new(json!({
        "Id": 7, "FullName": "Old", "Email": "a@example.com", "Language": 1,
        "PasswordSalt": "s", "LastHelpVisited": 0, "InvalidLoginAttempts": 0,
    }));
    Remote::new(move |hit| {
        if hit.target == "/api/token" {
            let mut valid = valid.lock().unwrap();
            let body = hit.text();
            let known = body.contains("grant_type=password")
                || body.ends_with(&format!("refresh_token={}", valid.1));
            if !known {
                return Answer::reply(400, r#"{"error":"invalid_grant"}"#);
            }
            valid.0 += 1;
            valid.1 = format!("refresh-{}", valid.0);
            let answer = json!({ "access_token": format!("access-{}", valid.0), "token_type": "bearer",
                                 "expires_in": 604_799, "refresh_token": valid.1 });
            return Answer::reply(200, &answer.to_string());
        }
        let mut record = record.lock().unwrap();
        if hit.method == "PUT" {
            *record = serde_json::from_slice(&hit.body).unwrap();
            return Answer::reply(
                200,
                r#"{"Status":200,"WasSuccessful":true,"Value":{"Id":7},"Errors":null}"#,
            );
        }
        Answer::reply(200, &record.to_string())
    })
}

fn workdir(url: &str) -> Workdir {
    let workdir = Workdir::new();
    workdir.write(
        "clientsync.toml",
        format!(
            "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"no\"\n[state]\npath = \"state.db\"\n\
             [providers.nexudus]\nusername_file = \"user\"\npassword_file = \"password\"\nid = \"id\"\n\
             settings = {{ base_url = \"{url}\" }}\n[providers.nexudus.fields]\nFullName = \"name\"\n"
        ),
    );
    for (file, secret) in [("user", "ann@example.com"), ("password", "pass-1")] {
        workdir.write(file, secret);
        workdir.set_mode(file, 0o600);
    }
    name(&workdir, "Ann");
    workdir
}

fn name(workdir: &Workdir, name: &str) {
    workdir.write("clients.csv", format!("no,id,name\n1,7,{name}\n"));
}

/// The grants that were asked for since the n-th request.
fn grants(remote: &Remote, n: usize) -> Vec<String> {
    let is_token = |hit: &&Hit| hit.target == "/api/token";
    let hits = remote.hits();
    let grant = |hit: &Hit| hit.text().split('&').next().unwrap().to_owned();
    hits.iter().skip(n).filter(is_token).map(grant).collect()
}

const PASSWORD: &str = "grant_type=password";
const REFRESH: &str = "grant_type=refresh_token";

#[test]
fn a_second_run_refreshes_where_the_first_one_logged_in() {
    let remote = serving();
    let workdir = workdir(&remote.url());
    workdir.expect(0, &["sync"]);
    assert_eq!(grants(&remote, 0), [PASSWORD]);
    for name_now in ["Bea", "Cleo", "Dora"] {
        let before = remote.count();
        name(&workdir, name_now);
        workdir.expect(0, &["sync"]);
        assert_eq!(grants(&remote, before), [REFRESH]);
    }
    // Sealed, and for nobody else to read.
    assert_eq!(workdir.mode("state.db.tokens"), 0o600);
    for secret in ["refresh-", "access-", "pass-1"] {
        let found = workdir.files_with(secret);
        assert!(
            found.iter().all(|file| file.ends_with("password")),
            "{secret}: {found:?}"
        );
    }
}

#[test]
fn a_refresh_token_that_is_refused_is_forgotten_and_the_password_is_asked_for_once() {
    let remote = serving();
    let workdir = workdir(&remote.url());
    workdir.expect(0, &["sync"]);
    let other = serving();
    workdir.edit("clientsync.toml", &remote.url(), &other.url());
    // Another target is another state; what was kept is of no use there.
    std::fs::remove_file(workdir.path("state.db")).unwrap();
    workdir.expect(0, &["sync"]);
    assert_eq!(grants(&other, 0), [PASSWORD]);
    // Somebody else logged in meanwhile: ours has ended.
    let before = remote.count();
    std::fs::remove_file(workdir.path("state.db")).unwrap();
    workdir.edit("clientsync.toml", &other.url(), &remote.url());
    name(&workdir, "Bea");
    std::fs::write(workdir.path("state.db.tokens"), b"not ours").unwrap();
    workdir.expect(0, &["sync"]);
    assert_eq!(grants(&remote, before), [PASSWORD]);
}

#[test]
fn wrong_credentials_are_shown_once_and_end_the_lane() {
    let remote = Remote::new(|_| Answer::reply(400, r#"{"error":"invalid_grant"}"#));
    let workdir = workdir(&remote.url());
    let report: Value = workdir.report(77, &["sync"]);
    assert_eq!(report["providers"]["nexudus"]["planned"], 1);
    assert_eq!(grants(&remote, 0), [PASSWORD]);
    assert!(!workdir.path("state.db.tokens").exists());
}

#[test]
fn looking_for_drift_keeps_no_token() {
    let remote = serving();
    let workdir = workdir(&remote.url());
    workdir.expect(0, &["sync"]);
    let before = workdir.fingerprint();
    workdir.expect(0, &["drift"]);
    assert_eq!(workdir.fingerprint(), before);
}
