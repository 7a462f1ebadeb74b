//! Records between runs, made-up records, the index page, hostile input.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

use clientsync::core::Json;
use clientsync::provider::Catalog;
use clientsync::sandbox::{Running, Sandbox, SandboxError, SandboxSettings, Seed};

use super::{
    FORM, JSON, creating, held, lane, login, post_cc, put_nx, raw, raw_key, send, settings, started,
};

#[tokio::test(flavor = "multi_thread")]
async fn accepted_writes_outlive_the_sandbox_and_are_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("records.jsonl");
    let start = || async {
        Sandbox::start(SandboxSettings {
            records_file: Some(path.clone()),
            ..settings(None)
        })
        .await
    };
    let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
    let at = start().await.unwrap();
    for number in ["1", "2", "3"] {
        let body = format!(r#"{{"mobile":"{number}"}}"#);
        assert_eq!(post_cc(&at, &body).status, 200);
    }
    assert_eq!(post_cc(&at, r#"{"nope":1}"#).status, 400);
    let before = held(&at, "cc", "abc");
    assert_eq!(lines(), 3);
    at.stop().await;

    // A kill in the middle of a line loses nothing that was answered.
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(br#"{"lane":"cc","id":"a"#).unwrap();
    let at = start().await.unwrap();
    assert_eq!(held(&at, "cc", "abc"), before);
    assert!(held(&at, "nx", "7").contains("tablet"));
    assert_eq!(lines(), 1);
    assert_eq!(post_cc(&at, r#"{"mobile":"4"}"#).status, 200);
    assert_eq!(lines(), 2);
    at.stop().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    file.write_all(b"not JSON\n").unwrap();
    std::fs::write(&path, "not JSON\n").unwrap();
    let error = start().await.unwrap_err();
    assert!(matches!(error, SandboxError::Records { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not JSON\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_id_is_not_found_or_made_up_as_asked() {
    let at = started().await;
    let key = raw_key(&at);
    let read = |at: &Running, path: &str| send(at, "GET", path, &[&key], "");
    let answer = read(&at, "/cc/v1/clients/nobody");
    assert_eq!(answer.status, 404);
    assert!(answer.json()["message"].is_string());
    assert_eq!(read(&at, "/cc/v2/clients/abc").status, 404);
    assert_eq!(read(&at, "/none/v1").status, 404);
    assert_eq!(
        send(&at, "DELETE", "/cc/v1/clients/abc", &[&key], "").status,
        404
    );

    let at = creating().await;
    assert_eq!(
        read(&at, "/cc/v1/clients/nobody").body,
        r#"{"id":"nobody","type":"person"}"#
    );
    assert_eq!(read(&at, "/cc/v1/clients/a%20b").status, 404);
    let access = login(&at);
    let made_up = send(&at, "GET", "/nx/api/sys/users/41", &[&access], "");
    assert_eq!(made_up.status, 200);
    // What it shows is valid: it can be sent back as it is.
    assert_eq!(put_nx(&at, &access, &made_up.body).status, 200);
    let zero = send(&at, "GET", "/nx/api/sys/users/041", &[&access], "");
    assert_eq!(zero.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_page_lets_a_stranger_go_on() {
    let at = started().await;
    let page = send(&at, "GET", "/", &[], "").json();
    assert_eq!(page["lanes"]["cc"]["base_url"], at.base_url("cc"));
    let header = page["lanes"]["cc"]["header"].as_str().unwrap();
    let read = send(&at, "GET", "/cc/v1/clients/abc", &[header], "");
    assert_eq!(read.status, 200);
    assert!(at.base_url("my crm").ends_with("/my%20crm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_gets_an_answer_and_the_sandbox_goes_on() {
    let at = started().await;
    let key = raw_key(&at);
    let deep = format!(
        "{{\"metadata\":{}1{}}}",
        "[".repeat(90_000),
        "]".repeat(90_000)
    );
    let nested = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let many: Vec<String> = (0..60_000).map(|n| format!("\"m{n}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    let bodies = [
        "",
        "null",
        "[]",
        "{",
        "{\"a\":1e999}",
        "\u{feff}{}",
        deep.as_str(),
        nested.as_str(),
        many.as_str(),
    ];
    for body in bodies {
        let answer = post_cc(&at, body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.json()["message"].is_string());
    }
    let answer = post_cc(&at, &many);
    assert!(answer.body.contains("too many members"), "{}", answer.body);
    let not_json = send(&at, "POST", "/cc/v1/clients/abc", &[&key, FORM], "{}");
    assert_eq!(not_json.status, 415);

    let big = format!(
        "POST /cc/v1/clients/abc HTTP/1.1\r\nHost: localhost\r\n{key}\r\n{JSON}\r\nContent-Length: 9999999\r\n\r\n{{"
    );
    assert_eq!(raw(at.address(), big.as_bytes()).unwrap().status, 413);
    let chunked = format!(
        "POST /cc/v1/clients/abc HTTP/1.1\r\nHost: localhost\r\n{key}\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n{}",
        "x".repeat(1024 * 1024 + 1)
    );
    assert_eq!(raw(at.address(), chunked.as_bytes()).unwrap().status, 413);

    for path in ["/cc/v1/clients/%zz", "/cc/v1/clients/%ff", "/%"] {
        assert_eq!(send(&at, "GET", path, &[&key], "").status, 400, "{path}");
    }
    for path in [
        "//",
        "/cc",
        "/cc//v1",
        "/cc/v1/clients/",
        "/_sandbox/records/x/y",
    ] {
        assert_eq!(send(&at, "GET", path, &[&key], "").status, 404, "{path}");
    }
    let rebound = "GET / HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(at.address(), rebound.as_bytes()).unwrap().status, 403);
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "\u{16}\u{3}\u{1}"] {
        let mut stream = TcpStream::connect(at.address()).unwrap();
        stream.write_all(garbage.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let odd = b"GET /cc/v1/clients/abc HTTP/1.1\r\nHost: localhost\r\nAuthorization: \xff\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(at.address(), odd).unwrap().status, 401);
    assert_eq!(post_cc(&at, "{}").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_told_at_the_start() {
    let catalog = Catalog::load(&[]).unwrap();
    let provider = catalog.get("complycube").unwrap();
    for names in [["_sandbox", "a"], ["a", "a"], ["a", ""]] {
        let started = Sandbox::start(SandboxSettings {
            lanes: names.map(|name| lane(name, &provider, None)).into(),
            ..settings(None)
        });
        assert!(matches!(
            started.await.unwrap_err(),
            SandboxError::Lane { .. }
        ));
    }
    for text in ["[]", "{", r#"{"cc":1}"#] {
        assert!(Seed::parse(text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        r#"{"cc":[{"id":"no good"}]}"#,
        r#"{"cc":[{}]}"#,
        r#"{"cc":[{"id":"a"},{"id":"a"}]}"#,
    ] {
        let started = Sandbox::start(SandboxSettings {
            seed: Some(Seed::parse(text.as_bytes()).unwrap()),
            ..settings(None)
        });
        let error = started.await.unwrap_err();
        assert!(matches!(error, SandboxError::Seed(_)), "{error}");
        assert!(!error.to_string().contains("no good"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quick_start_seed_is_served_as_it_is_written() {
    let text = include_str!("../../../samples/quickstart/sandbox.json");
    let catalog = Catalog::load(&[]).unwrap();
    let names = ["complycube", "nexudus", "placio", "spp", "weel"];
    let at = Sandbox::start(SandboxSettings {
        lanes: names
            .map(|name| lane(name, &catalog.get(name).unwrap(), None))
            .into(),
        seed: Some(Seed::parse(text.as_bytes()).unwrap()),
        ..settings(None)
    })
    .await
    .unwrap();
    let seed = Json::parse(text.as_bytes()).unwrap();
    for lane in names {
        let id = if lane == "nexudus" { "Id" } else { "id" };
        let Some(Json::Array(records)) = seed.get(lane) else {
            panic!()
        };
        for record in records {
            let id = record.get(id).unwrap().to_value();
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            assert_eq!(at.record(lane, &id).as_ref(), Some(record));
        }
    }
}
