//! The transport against a server that misbehaves: what leaves the machine,
//! where it goes, and what each failure is called.

use std::time::Duration;

use clientsync::core::{Method, NoResponse, Request, Response, Secret};
use clientsync::engine::{Renewal, Transport};
use clientsync::http::{
    ATTEMPT_TIMEOUT, Credentials, HttpError, LaneSettings, LaneTransport, OriginError,
};

use crate::http_tokens::{password_grant, token_server};
use crate::support::server::{Answer, Server};

pub(crate) const CANARY: &str = "canary-7f3a";

pub(crate) fn settings(base_url: String, credentials: Credentials) -> LaneSettings {
    LaneSettings {
        base_url,
        credentials,
        timeout: Duration::from_secs(5),
        concurrency: 4,
    }
}

fn key_header() -> Credentials {
    Credentials::Header {
        name: "X-Api-Key".into(),
        value: Secret::new(CANARY.into()),
    }
}

fn lane(server: &Server) -> LaneTransport {
    LaneTransport::new(settings(server.url("/v1"), key_header())).unwrap()
}

pub(crate) fn patch(url: String) -> Request {
    Request {
        method: Method::Patch,
        url,
        headers: vec![("Api-Version".into(), "2024-03-05".into())],
        body: Some("{\"name\":\"Zo\u{eb}\\u0000\", \"n\":1.10}".into()),
    }
}

pub(crate) fn get(url: String) -> Request {
    Request {
        method: Method::Get,
        url,
        headers: Vec::new(),
        body: None,
    }
}

pub(crate) async fn send(lane: &LaneTransport, request: Request) -> Result<Response, NoResponse> {
    lane.send(request).await.0.result
}

/// Sends one PATCH to a server with this answer.
async fn outcome_of(answer: Answer) -> Result<Response, NoResponse> {
    let server = Server::scripted(vec![answer]).await;
    send(&lane(&server), patch(server.url("/v1/clients/1"))).await
}

pub(crate) fn head(status: u16, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status} Scripted\r\nContent-Length: {length}\r\n\r\n").into()
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_with_its_credentials() {
    let server = Server::scripted(vec![
        Answer::reply(200, "{\"id\":1}").with("X-Request-ID", "r1"),
    ])
    .await;
    let request = patch(server.url("/v1/clients/1?x=%2F"));
    let body = request.body.clone().unwrap();
    let lane = lane(&server);
    let response = send(&lane, request).await.unwrap();
    assert_eq!(
        (response.status, response.body),
        (200, b"{\"id\":1}".to_vec())
    );
    assert_eq!(response.headers[0], ("x-request-id".into(), "r1".into()));
    send(&lane, get(server.url("/v1/clients/1"))).await.unwrap();

    let hits = server.hits();
    assert_eq!(hits.len(), 2);
    assert_eq!(
        (hits[0].method.as_str(), hits[0].target.as_str()),
        ("PATCH", "/v1/clients/1?x=%2F")
    );
    assert_eq!(hits[0].body, body.into_bytes());
    for (name, value) in [
        ("x-api-key", CANARY),
        ("api-version", "2024-03-05"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        (
            "user-agent",
            concat!("clientsync/", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        let values: Vec<_> = hits[0]
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .collect();
        assert_eq!(values.len(), 1, "{name}");
        assert_eq!(values[0].1, value);
    }
    for name in ["accept-encoding", "referer", "cookie"] {
        assert_eq!(hits[0].header(name), None);
    }
    assert_eq!(
        (hits[1].header("content-type"), hits[1].text()),
        (None, String::new())
    );
}

#[tokio::test]
async fn a_redirect_is_the_answer_and_its_target_sees_nothing() {
    let target = Server::scripted(vec![Answer::reply(200, "{}")]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = target.url("/v1/clients/1");
        let server =
            Server::scripted(vec![Answer::reply(status, "").with("Location", &location)]).await;
        let response = send(&lane(&server), patch(server.url("/v1/clients/1")))
            .await
            .unwrap();
        assert_eq!(response.status, status);
        assert_eq!(response.header("location"), Some(location.as_str()));
        assert_eq!(server.hits().len(), 1);
    }
    assert_eq!(target.hits().len(), 0);
}

#[tokio::test]
async fn cookies_are_not_kept_and_headers_need_not_be_text() {
    let mut raw =
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nX-Odd: caf\xe9\r\nX-Twice: 1\r\nX-Twice: 2\r\n"
            .to_vec();
    raw.extend_from_slice(b"Content-Length: 2\r\n\r\n{}");
    let server = Server::scripted(vec![Answer::Raw(raw)]).await;
    let lane = lane(&server);
    let response = send(&lane, get(server.url("/v1/a"))).await.unwrap();
    assert_eq!(response.header("x-odd"), Some("caf\u{fffd}"));
    assert_eq!(
        response.header_values("X-Twice").collect::<Vec<_>>(),
        ["1", "2"]
    );
    send(&lane, get(server.url("/v1/b"))).await.unwrap();
    assert_eq!(server.hits()[1].header("cookie"), None);
}

#[tokio::test]
async fn a_success_larger_than_the_cap_is_no_answer() {
    let endless = |status| Answer::Endless(head(status, 1 << 40));
    assert_eq!(outcome_of(endless(200)).await, Err(NoResponse::TooLarge));
    let unchunked = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    assert_eq!(
        outcome_of(Answer::Endless(unchunked)).await,
        Err(NoResponse::TooLarge)
    );
    let exact = " ".repeat(1024 * 1024);
    assert_eq!(
        outcome_of(Answer::reply(200, &exact))
            .await
            .unwrap()
            .body
            .len(),
        exact.len()
    );
    // A refusal stands, with what was read of it.
    let refused = outcome_of(endless(422)).await.unwrap();
    assert_eq!((refused.status, refused.body.len()), (422, 1024 * 1024));
}

#[tokio::test]
async fn a_cut_answer_is_broken_unless_it_is_a_refusal() {
    let cut = |status| {
        let mut bytes = head(status, 100);
        bytes.extend_from_slice(b"{\"par");
        Answer::Raw(bytes)
    };
    assert_eq!(outcome_of(cut(200)).await, Err(NoResponse::Broken));
    let refused = outcome_of(cut(500)).await.unwrap();
    assert_eq!((refused.status, refused.body), (500, b"{\"par".to_vec()));
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_broken_and_sent_once() {
    for answer in [
        Answer::Close,
        Answer::Reset,
        Answer::Raw(b"SSH-2.0-x\r\n".to_vec()),
    ] {
        let server = Server::scripted(vec![answer.clone()]).await;
        let result = send(&lane(&server), patch(server.url("/v1/clients/1"))).await;
        assert_eq!(result, Err(NoResponse::Broken), "{answer:?}");
        assert_eq!(server.hits().len(), 1, "{answer:?}");
    }
    let slamming = Server::slamming().await;
    let result = send(&lane(&slamming), patch(slamming.url("/v1/clients/1"))).await;
    assert_eq!(result, Err(NoResponse::Broken));
}

#[tokio::test]
async fn silence_and_a_dripping_body_end_at_the_timeout() {
    let every = Duration::from_millis(10);
    for answer in [
        Answer::Hang,
        Answer::Drip(head(200, 1 << 20), every),
        Answer::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), every),
    ] {
        let server = Server::scripted(vec![answer.clone()]).await;
        let timeout = Duration::from_millis(150);
        let lane = LaneTransport::new(LaneSettings {
            timeout,
            ..settings(server.url(""), key_header())
        })
        .unwrap();
        let result = send(&lane, patch(server.url("/x"))).await;
        assert_eq!(result, Err(NoResponse::TimedOut), "{answer:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    // A port that was free a moment ago: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let lane = LaneTransport::new(settings(gone.clone(), key_header())).unwrap();
    assert_eq!(send(&lane, patch(gone)).await, Err(NoResponse::NotSent));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_five_seconds_is_not_sent() {
    // The kernel completes the TCP handshake; nobody answers the TLS one.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}/v1", listener.local_addr().unwrap());
    let lane = LaneTransport::new(LaneSettings {
        timeout: ATTEMPT_TIMEOUT,
        ..settings(base.clone(), key_header())
    })
    .unwrap();
    let (exchange, _) = lane.send(patch(base)).await;
    assert_eq!(exchange.result, Err(NoResponse::NotSent));
    assert_eq!(exchange.took.as_secs(), 5);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_named_as_that() {
    // The greeting of a plaintext server is an answer that TLS cannot read.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/v1", listener.local_addr().unwrap());
    let greet = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad\r\n\r\n")
            .await
            .unwrap();
        stream
    };
    let lane = LaneTransport::new(settings(base.clone(), key_header())).unwrap();
    let (result, _stream) = tokio::join!(send(&lane, patch(base)), greet);
    assert_eq!(result, Err(NoResponse::Tls));
}

#[tokio::test]
async fn nothing_is_sent_to_another_origin() {
    let ours = Server::scripted(vec![Answer::reply(200, "{}")]).await;
    let other = Server::scripted(vec![Answer::reply(200, "{}")]).await;
    let lane = lane(&ours);
    let port = ours.url("").rsplit(':').next().unwrap().to_owned();
    for url in [
        other.url("/v1/clients/1"),
        format!("http://localhost:{port}/v1/clients/1"),
        format!("https://127.0.0.1:{port}/v1/clients/1"),
        format!("http://user@127.0.0.1:{port}/v1/clients/1"),
        "/v1/clients/1".into(),
    ] {
        assert_eq!(
            send(&lane, patch(url.clone())).await,
            Err(NoResponse::NotSent),
            "{url}"
        );
    }
    let split = Request {
        headers: vec![("X".into(), "a\r\nY: b".into())],
        ..get(ours.url("/v1"))
    };
    assert_eq!(send(&lane, split).await, Err(NoResponse::NotSent));
    assert_eq!(ours.hits().len() + other.hits().len(), 0);
}

#[test]
fn a_lane_that_would_leak_its_credentials_is_not_built() {
    let build = |base: &str, credentials| LaneTransport::new(settings(base.into(), credentials));
    let plaintext = build("http://api.example.com/v1", key_header());
    assert!(matches!(
        plaintext,
        Err(HttpError::Origin {
            setting: "base_url",
            problem: OriginError::Plaintext
        })
    ));
    let token_url = build(
        "http://localhost",
        password_grant("http://api.example.com/token".into()),
    );
    assert!(matches!(
        token_url,
        Err(HttpError::Origin {
            setting: "token_url",
            problem: OriginError::Plaintext
        })
    ));
    let userinfo = build(
        &format!("https://me:{CANARY}@api.example.com"),
        key_header(),
    )
    .unwrap_err();
    let line_end = Credentials::Bearer(Secret::new(format!("{CANARY}\n")));
    let line_end = build("http://localhost", line_end).unwrap_err();
    assert!(matches!(line_end, HttpError::HeaderValue { .. }));
    for error in [userinfo, line_end] {
        assert!(!format!("{error} {error:?}").contains(CANARY));
    }
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let server = token_server(|_| Answer::reply(200, "{}")).await;
    let bearer = Credentials::Bearer(Secret::new(CANARY.into()));
    for credentials in [
        bearer,
        key_header(),
        password_grant(server.url("/token?k=canary-7f3a")),
    ] {
        let settings = settings(server.url(""), credentials);
        assert!(!format!("{settings:?}").contains(CANARY));
        let lane = LaneTransport::new(settings).unwrap();
        let sent = lane.send(patch(server.url("/canary-7f3a"))).await;
        assert!(!format!("{lane:?} {sent:?} {:?}", patch(CANARY.into())).contains(CANARY));
    }
}

#[tokio::test]
async fn fixed_credentials_are_never_renewed() {
    let server = Server::scripted(vec![Answer::reply(401, "")]).await;
    let lane = LaneTransport::new(settings(
        server.url(""),
        Credentials::Bearer(Secret::new("t".into())),
    ))
    .unwrap();
    let (exchange, generation) = lane.send(get(server.url("/x"))).await;
    assert_eq!(exchange.result.unwrap().status, 401);
    assert_eq!(server.hits()[0].header("authorization"), Some("Bearer t"));
    assert_eq!(lane.renew(generation).await, Renewal::Impossible);
    assert_eq!(server.hits().len(), 1);
}
