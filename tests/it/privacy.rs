//! Canaries: secrets are in nothing that the program says or keeps, and what
//! clients' cells hold is in none of its logs, whatever goes wrong.
//!
//! Every scenario runs at `-vv`, with a log file beside.

use std::path::PathBuf;
use std::thread;

use serde_json::Value;

use crate::support::server::{Answer, Hit};
use crate::support::workdir::{FIELDS, Ran, Remote, TOKEN_VARIABLE, Workdir};

/// It has characters that encodings change.
const TOKEN: &str = "s3cret+canary/7f=a%3f&b";
const USER: &str = "canary.user+1@login.example";
const PASSWORD: &str = "pass/canary?9=%41 z";
const ACCESS: &str = "access-canary/Zm9v+1=";
const REFRESH: &str = "refresh-canary/QmFy+2=";

/// Cells: key, remote id, e-mail address, name.
const CELLS: [&str; 4] = [
    "keycanary1",
    "idcanary2",
    "mailcanary3@example.com",
    "Namecanary4",
];

fn rows() -> String {
    let [key, id, email, name] = CELLS;
    format!("no,cc_id,email,joined,first\n{key},{id},{email},2020-01-01,{name}\n")
}

/// A secret as it stands, in base64 and percent-encoded.
fn spellings(secret: &str) -> Vec<String> {
    let percent = |keep: fn(u8) -> bool| -> String {
        let spell = |byte: u8| match keep(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        secret.bytes().map(spell).collect()
    };
    vec![
        secret.to_owned(),
        base64(secret.as_bytes()),
        percent(|byte| byte.is_ascii_alphanumeric()),
        percent(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    ]
}

/// Base64 without the end, which depends on what follows.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks_exact(3)
        .flat_map(|three| {
            let all = three
                .iter()
                .fold(0, |all, byte| all << 8 | usize::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(SIGNS[all >> shift & 63]))
        })
        .collect()
}

/// No secret in what was said or left; no cell in the logs.
fn assert_private(scenario: &str, workdir: &Workdir, ran: &Ran, secrets: &[&str], kept: &[&str]) {
    let log = match workdir.path("run.log").exists() {
        true => workdir.read("run.log"),
        false => String::new(),
    };
    for secret in secrets {
        for spelled in spellings(secret) {
            assert!(!ran.said().contains(&spelled), "{scenario}: {ran:#?}");
            let files: Vec<PathBuf> = workdir.files_with(&spelled);
            let ours = |file: &PathBuf| !kept.iter().any(|name| file == &PathBuf::from(name));
            assert!(
                !files.iter().any(ours),
                "{scenario}: {spelled} in {files:?}"
            );
        }
    }
    for cell in CELLS {
        assert!(!ran.stderr.contains(cell), "{scenario}: {cell} in {ran:#?}");
        assert!(!log.contains(cell), "{scenario}: {cell} in the log {log}");
    }
}

/// Quotes what it was sent, as providers do in their messages.
fn quoting(status: u16) -> impl Fn(&Hit) -> Answer {
    move |hit| {
        let body: Value = serde_json::from_slice(&hit.body).unwrap_or_default();
        let message = format!("{} of {} is refused", body, hit.target);
        Answer::reply(
            status,
            &serde_json::json!({"message": message, "param": "email"}).to_string(),
        )
    }
}

const SYNC: [&str; 4] = ["sync", "-vv", "--log-file", "run.log"];

#[test]
fn whatever_the_provider_answers_neither_secrets_nor_cells_get_out() {
    type Script = Box<dyn Fn(&Hit) -> Answer + Send + Sync>;
    let fixed = |answer: Answer| -> Script { Box::new(move |_| answer.clone()) };
    let mut scenarios: Vec<(String, i32, Script)> = Vec::new();
    for (status, code) in [
        (400, 3),
        (401, 77),
        (402, 6),
        (403, 3),
        (404, 3),
        (409, 3),
        (413, 3),
        (422, 3),
        (451, 3),
        (500, 3),
        (501, 1),
        (503, 3),
        (511, 1),
        (599, 3),
    ] {
        scenarios.push((status.to_string(), code, Box::new(quoting(status))));
    }
    let long_wait = |hit: &Hit| quoting(429)(hit).with("Retry-After", "99999");
    scenarios.push(("a long wait".into(), 6, Box::new(long_wait)));
    let away = |hit: &Hit| {
        Answer::reply(307, "").with("Location", &format!("http://127.0.0.1:1{}", hit.target))
    };
    scenarios.push(("a redirect".into(), 1, Box::new(away)));
    for (name, answer) in [
        ("a portal", Answer::reply(200, "<html>mailcanary3@example.com</html>").with("Content-Type", "text/html")),
        ("no body", Answer::reply(200, "")),
        ("a closed connection", Answer::Close),
        ("a reset connection", Answer::Reset),
        ("another protocol", Answer::Raw(b"220 mailcanary3@example.com ESMTP\r\n\r\n".to_vec())),
        ("half an answer", Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"email\":\"mailcanary3@example.com\"".to_vec())),
        ("a broken header", Answer::Raw(b"HTTP/1.1 200 OK\r\nmailcanary3@example.com\r\n\r\n{}".to_vec())),
    ] {
        scenarios.push((name.into(), 3, fixed(answer)));
    }
    thread::scope(|scope| {
        for (name, code, script) in scenarios {
            scope.spawn(move || {
                let remote = Remote::new(script);
                let workdir = Workdir::with(&remote.url(), FIELDS, &rows()).token(Some(TOKEN));
                let ran = workdir.run(&SYNC);
                assert_eq!(ran.code, code, "{name}: {ran:#?}");
                assert!(remote.count() > 0, "{name}");
                assert_eq!(remote.hits()[0].header("authorization"), Some(TOKEN));
                assert_private(&name, &workdir, &ran, &[TOKEN], &[]);
                let runs = workdir.run(&["runs", "-vv"]);
                assert_private(&name, &workdir, &runs, &[TOKEN], &[]);
            });
        }
    });
}

#[test]
fn whatever_is_wrong_with_the_files_neither_secrets_nor_cells_get_out() {
    let remote = Remote::accepting();
    type Spoil = fn(&Workdir);
    let scenarios: [(&str, i32, Spoil); 22] = [
        ("a literal secret", 78, |w| {
            w.edit(
                "clientsync.toml",
                "token_env = \"E2E_TOKEN\"",
                &format!("token = \"{TOKEN}\""),
            )
        }),
        ("a secret as the variable's name", 78, |w| {
            w.edit("clientsync.toml", "\"E2E_TOKEN\"", &format!("\"{TOKEN}\""))
        }),
        ("a secret in the address", 78, |w| {
            w.edit("clientsync.toml", "http://", &format!("http://me:{TOKEN}@"))
        }),
        ("a secret in the query", 78, |w| {
            w.edit(
                "clientsync.toml",
                "\" }\nlimits",
                &format!("/?key={TOKEN}\" }}\nlimits"),
            )
        }),
        ("a secret as a setting", 78, |w| {
            w.edit(
                "clientsync.toml",
                "settings = { ",
                &format!("settings = {{ environment = \"{TOKEN}\", "),
            )
        }),
        ("a secret under an unknown key", 78, |w| {
            w.edit(
                "clientsync.toml",
                "token_env",
                &format!("api_key = \"{TOKEN}\"\ntoken_env"),
            )
        }),
        ("a secret in broken TOML", 78, |w| {
            w.edit(
                "clientsync.toml",
                "token_env = \"E2E_TOKEN\"",
                &format!("token_env = {TOKEN}"),
            )
        }),
        ("an open secret file", 77, |w| {
            w.edit(
                "clientsync.toml",
                "token_env = \"E2E_TOKEN\"",
                "token_file = \"kept\"",
            );
            w.write("kept", TOKEN);
            w.set_mode("kept", 0o644);
        }),
        ("a secret file of two lines", 78, |w| {
            w.edit(
                "clientsync.toml",
                "token_env = \"E2E_TOKEN\"",
                "token_file = \"kept\"",
            );
            w.write("kept", format!("{TOKEN}\n{TOKEN}\n"));
            w.set_mode("kept", 0o600);
        }),
        ("a secret command that fails and talks", 78, |w| {
            w.edit("clientsync.toml", "token_env = \"E2E_TOKEN\"", "token_command = \"while read -r line; do echo $line; echo $line >&2; done < kept; exit 3\"");
            w.write("kept", TOKEN);
        }),
        ("a secret command of two lines", 78, |w| {
            w.edit(
                "clientsync.toml",
                "token_env = \"E2E_TOKEN\"",
                "token_command = \"while read -r line; do echo $line; echo $line; done < kept\"",
            );
            w.write("kept", format!("{TOKEN}\n"));
        }),
        ("a broken address", 3, |w| {
            w.edit(
                "clients.csv",
                "mailcanary3@example.com",
                "mailcanary3@example.com@Namecanary4",
            )
        }),
        ("a broken date", 3, |w| {
            w.edit("clients.csv", "2020-01-01", "Namecanary4")
        }),
        ("a broken id", 3, |w| {
            w.edit("clients.csv", "idcanary2", "idcanary2/..")
        }),
        ("one key twice", 3, |w| {
            w.edit(
                "clients.csv",
                "Namecanary4\n",
                "Namecanary4\nkeycanary1,x,mailcanary3@example.com,,\n",
            )
        }),
        ("a control character", 3, |w| {
            w.edit("clients.csv", "keycanary1", "keycanary1\u{1b}[31m")
        }),
        ("an open quote", 65, |w| {
            w.edit("clients.csv", "mailcanary3", "\"mailcanary3")
        }),
        ("a short row", 65, |w| {
            w.edit("clients.csv", ",2020-01-01", "")
        }),
        ("no header", 65, |w| {
            w.edit("clients.csv", "no,cc_id,email,joined,first\n", "")
        }),
        ("another encoding", 65, |w| {
            w.write(
                "clients.csv",
                [
                    rows().as_bytes(),
                    b"keycanary1\xFF,idcanary2,Namecanary4,,\n",
                ]
                .concat(),
            )
        }),
        ("too few rows", 4, |w| {
            w.edit(
                "clientsync.toml",
                "[state]",
                "[guards]\nmin_rows = 9\n[state]",
            )
        }),
        ("a damaged state", 74, |w| {
            w.write("state.db", format!("{} {}", rows(), "x".repeat(500)))
        }),
    ];
    for (name, code, spoil) in scenarios {
        let workdir = Workdir::with(&remote.url(), FIELDS, &rows()).token(Some(TOKEN));
        spoil(&workdir);
        if workdir.path("state.db").exists() {
            workdir.set_mode("state.db", 0o600);
        }
        let ran = workdir.run(&SYNC);
        assert_eq!(ran.code, code, "{name}: {ran:#?}");
        assert_private(name, &workdir, &ran, &[TOKEN], &["clientsync.toml", "kept"]);
        for arguments in [&["plan", "-vv"][..], &["check", "-vv"]] {
            let ran = workdir.run(arguments);
            assert_private(name, &workdir, &ran, &[TOKEN], &["clientsync.toml", "kept"]);
        }
    }
    assert_eq!(remote.count(), 0);
}

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

#[test]
fn a_secret_is_in_no_command_line_and_no_environment_of_a_child() {
    // The secret command gets neither the other secrets nor a prompt.
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows()).token(Some(TOKEN));
    workdir.edit(
        "clientsync.toml",
        "token_env = \"E2E_TOKEN\"",
        "token_command = \"export -p >&2; export -p > seen; echo other\"",
    );
    let ran = workdir.run(&SYNC);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(remote.hits()[0].header("authorization"), Some("other"));
    assert!(!ran.stderr.contains(TOKEN_VARIABLE), "{ran:#?}");
}
