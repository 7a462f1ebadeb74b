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

/// Cells: key, remote id, e-mail address, name.
pub(crate) const CELLS: [&str; 4] = [
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
    let percent = |keep: fn(u8) -> bool| {
        secret.bytes().fold(String::new(), |text, byte| {
            let spelled = if keep(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            };
            text + &spelled
        })
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
pub(crate) fn assert_private(
    scenario: &str,
    workdir: &Workdir,
    ran: &Ran,
    secrets: &[&str],
    kept: &[&str],
) {
    let log = if workdir.path("run.log").exists() {
        workdir.read("run.log")
    } else {
        String::new()
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

/// Quotes what it was sent, credentials too, as providers do in their messages.
fn quoting(status: u16) -> impl Fn(&Hit) -> Answer {
    move |hit| {
        let body: Value = serde_json::from_slice(&hit.body).unwrap_or_default();
        let token = hit.header("authorization").unwrap_or_default();
        let message = format!("{body} of {} with {token} is refused", hit.target);
        let answer = serde_json::json!({"message": message, "param": "email"});
        Answer::reply(status, &answer.to_string()).with("X-Request-Id", token)
    }
}

pub(crate) const SYNC: [&str; 4] = ["sync", "-vv", "--log-file", "run.log"];

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

/// Runs everything that reads a spoiled file: `from` becomes `to` in it.
fn spoiled(remote: &Remote, name: &str, code: i32, (file, from, to): (&str, &str, &str)) {
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows()).token(Some(TOKEN));
    workdir.write("kept", format!("{TOKEN}\n"));
    workdir.set_mode("kept", 0o644);
    workdir.write("two", format!("{TOKEN}\n{TOKEN}\n"));
    workdir.set_mode("two", 0o600);
    workdir.edit(file, from, to);
    let kept = ["clientsync.toml", "kept", "two"];
    let ran = workdir.run(&SYNC);
    assert_eq!(ran.code, code, "{name}: {ran:#?}");
    assert_private(name, &workdir, &ran, &[TOKEN], &kept);
    for arguments in [&["plan", "-vv"][..], &["check", "-vv"]] {
        assert_private(name, &workdir, &workdir.run(arguments), &[TOKEN], &kept);
    }
    assert_eq!(remote.count(), 0, "{name}");
}

#[test]
fn a_secret_where_it_does_not_belong_is_not_repeated() {
    let remote = Remote::accepting();
    let reference = "token_env = \"E2E_TOKEN\"";
    let talks = |then: &str| {
        format!("token_command = \"while read -r x; do echo $x; {then}; done < kept; exit 3\"")
    };
    let scenarios: [(&str, i32, &str, String); 12] = [
        (
            "a literal secret",
            78,
            reference,
            format!("token = \"{TOKEN}\""),
        ),
        ("a variable's name", 78, "E2E_TOKEN", TOKEN.to_owned()),
        ("broken TOML", 78, "\"E2E_TOKEN\"", TOKEN.to_owned()),
        (
            "an unknown key",
            78,
            reference,
            format!("api_key = \"{TOKEN}\"\n{reference}"),
        ),
        ("the address", 78, "http://", format!("http://me:{TOKEN}@")),
        (
            "its query",
            78,
            "\" }\nlimits",
            format!("/?key={TOKEN}\" }}\nlimits"),
        ),
        (
            "a setting",
            78,
            "settings = { ",
            format!("settings = {{ environment = \"{TOKEN}\", "),
        ),
        (
            "a file for all to read",
            77,
            reference,
            "token_file = \"kept\"".to_owned(),
        ),
        (
            "a file of two lines",
            78,
            reference,
            "token_file = \"two\"".to_owned(),
        ),
        ("a folder", 77, reference, "token_file = \".\"".to_owned()),
        (
            "a command that complains",
            78,
            reference,
            talks("echo $x >&2"),
        ),
        (
            "a command of two lines",
            78,
            reference,
            talks("echo $x").replace("; exit 3", ""),
        ),
    ];
    for (name, code, from, to) in scenarios {
        spoiled(&remote, name, code, ("clientsync.toml", from, &to));
    }
}

#[test]
fn a_cell_that_cannot_be_used_is_not_repeated_in_a_log() {
    let remote = Remote::accepting();
    let head = "no,cc_id,email,joined,first\n";
    let name = "Namecanary4\n";
    let scenarios: [(&str, i32, &str, &str); 12] = [
        (
            "a broken address",
            3,
            "@example.com",
            "@example.com@example.com",
        ),
        ("a broken date", 3, "2020-01-01", "Namecanary4"),
        ("a broken id", 3, "idcanary2", "idcanary2/.."),
        (
            "one key twice",
            3,
            name,
            "Namecanary4\nkeycanary1,x,mailcanary3@example.com,,\n",
        ),
        (
            "one id twice",
            3,
            name,
            "Namecanary4\nk2,idcanary2,mailcanary3@example.com,,\n",
        ),
        (
            "a key with a control character",
            3,
            "keycanary1",
            "keycanary1\u{1b}[31m",
        ),
        ("an open quote", 65, "mailcanary3", "\"mailcanary3"),
        (
            "text behind a quote",
            65,
            "mailcanary3@example.com",
            "\"mailcanary3@example.com\"x",
        ),
        ("a short row", 65, ",2020-01-01", ""),
        ("no header", 65, head, ""),
        ("a NUL", 65, "Namecanary4", "Namecanary4\0"),
        (
            "a header twice",
            65,
            name,
            "Namecanary4\nno,cc_id,email,joined,first\n",
        ),
    ];
    for (name, code, from, to) in scenarios {
        spoiled(&remote, name, code, ("clients.csv", from, to));
    }
    spoiled(
        &remote,
        "too few rows",
        4,
        (
            "clientsync.toml",
            "[state]",
            "[guards]\nmin_rows = 9\n[state]",
        ),
    );
}

#[test]
fn what_a_secret_command_says_beside_the_secret_is_not_shown() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows()).token(Some(TOKEN));
    let reference = "token_env = \"E2E_TOKEN\"";
    let command = "token_command = \"export -p >&2; echo other\"";
    workdir.edit("clientsync.toml", reference, command);
    let ran = workdir.expect(0, &SYNC);
    assert_eq!(remote.hits()[0].header("authorization"), Some("other"));
    assert!(!ran.said().contains(TOKEN_VARIABLE), "{ran:#?}");
    assert_private(
        "a command",
        &workdir,
        &ran,
        &[TOKEN, "other"],
        &["clientsync.toml"],
    );
}

#[test]
fn a_crash_would_leave_no_image_of_the_memory() {
    let remote = Remote::accepting();
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows()).token(Some(TOKEN));
    let reference = "token_env = \"E2E_TOKEN\"";
    // The command has the limits of the program that starts it.
    let command = "token_command = \"ulimit -H -c > limit; echo other\"";
    workdir.edit("clientsync.toml", reference, command);
    workdir.expect(0, &SYNC);
    assert_eq!(workdir.read("limit"), "0\n");
}
