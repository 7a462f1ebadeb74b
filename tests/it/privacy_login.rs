//! Canaries of a provider that is logged in to, and whose records hold secrets
//! of their own: they travel, and are kept and shown nowhere.

use std::path::PathBuf;
use std::thread;

use serde_json::Value;

use crate::privacy::{CELLS, SYNC, assert_private};
use crate::support::server::Answer;
use crate::support::workdir::{Remote, Workdir};

const USER: &str = "canary.user+1@login.example";
const PASSWORD: &str = "pass/canary?9=%41 z";
const ACCESS: &str = "access-canary/Zm9v+1=";
const REFRESH: &str = "refresh-canary/QmFy+2=";

/// A configuration of the lane that logs in, and whose records hold secrets.
fn nexudus(url: &str) -> Workdir {
    let workdir = Workdir::new();
    workdir.write(
        "clientsync.toml",
        format!(
            r#"version = 1
[source]
path = "clients.csv"
key = "no"
[state]
path = "state.db"
[providers.nexudus]
username_file = "user"
password_file = "password"
id = "id"
settings = {{ base_url = "{url}" }}
limits = {{ quota = [{{ calls = 1000, per = "second" }}], concurrency = 1 }}
[providers.nexudus.fields]
FullName = "name"
"#
        ),
    );
    let [key, _, _, name] = CELLS;
    workdir.write(
        "clients.csv",
        format!("no,id,name\n{key},240013370,{name}\n"),
    );
    for (file, secret) in [("user", USER), ("password", PASSWORD)] {
        workdir.write(file, format!("{secret}\n"));
        workdir.set_mode(file, 0o600);
    }
    workdir
}

const SALT: &str = "salt-canary-5";
const SECOND: &str = "totp-canary-6";

/// A record as the provider answers a read: with secrets of its own.
fn record() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/quickstart/sandbox.json");
    let held: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut record = held["nexudus"][0].clone();
    assert_eq!(record["Id"], 240_013_370);
    record["PasswordSalt"] = SALT.into();
    record["TwoFactorSecret"] = SECOND.into();
    record.to_string()
}

#[test]
fn a_login_leaves_no_trace_however_it_ends() {
    let login = format!(
        r#"{{"access_token":"{ACCESS}","token_type":"bearer","expires_in":3600,"refresh_token":"{REFRESH}"}}"#
    );
    let quoted =
        format!(r#"{{"error":"invalid_grant","error_description":"{USER} with {PASSWORD}"}}"#);
    let accept = r#"{"Status":200,"Message":"saved","Value":{"Id":240013370},"WasSuccessful":true,"Errors":null}"#;
    // At the token URL, at the read, at the write.
    let scenarios: [(&str, i32, Answer, Answer, Answer); 8] = [
        (
            "all is well",
            0,
            Answer::reply(200, &login),
            Answer::reply(200, &record()),
            Answer::reply(200, accept),
        ),
        (
            "the login is refused",
            77,
            Answer::reply(400, &quoted),
            Answer::Close,
            Answer::Close,
        ),
        (
            "the login is unreadable",
            77,
            Answer::reply(200, &quoted),
            Answer::Close,
            Answer::Close,
        ),
        (
            "the login leads away",
            77,
            Answer::reply(302, &quoted).with("Location", "http://127.0.0.1:1/"),
            Answer::Close,
            Answer::Close,
        ),
        (
            "the token is refused",
            77,
            Answer::reply(200, &login),
            Answer::reply(401, &login),
            Answer::Close,
        ),
        (
            "the read is refused",
            3,
            Answer::reply(200, &login),
            Answer::reply(404, &login),
            Answer::Close,
        ),
        (
            "the write is refused",
            3,
            Answer::reply(200, &login),
            Answer::reply(200, &record()),
            Answer::reply(400, &record()),
        ),
        (
            "the write is unreadable",
            3,
            Answer::reply(200, &login),
            Answer::reply(200, &record()),
            Answer::reply(200, &record()[..40]),
        ),
    ];
    let secrets = [USER, PASSWORD, ACCESS, REFRESH, SALT, SECOND];
    thread::scope(|scope| {
        for (name, code, token, read, write) in scenarios {
            scope.spawn(move || {
                let remote =
                    Remote::new(
                        move |hit| match (hit.target.as_str(), hit.method.as_str()) {
                            ("/api/token", _) => token.clone(),
                            (_, "GET") => read.clone(),
                            _ => write.clone(),
                        },
                    );
                let workdir = nexudus(&remote.url());
                let ran = workdir.run(&[&SYNC[..], &["--report", "r.json"]].concat());
                assert_eq!(ran.code, code, "{name}: {ran:#?}");
                assert_private(name, &workdir, &ran, &secrets, &["user", "password"]);
                if code == 0 {
                    // The record went back whole, its own secrets with it or left as they are.
                    let hits = remote.hits();
                    let body: Value = serde_json::from_slice(&hits.last().unwrap().body).unwrap();
                    assert_eq!(body["FullName"], CELLS[3], "{body:#}");
                }
            });
        }
    });
}
