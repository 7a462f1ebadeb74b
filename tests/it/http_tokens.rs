//! The password grant against a token endpoint that refuses, throttles and
//! breaks: how often it is asked, and with what.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clientsync::core::{Exchange, NoResponse, Request, Secret};
use clientsync::engine::{Generation, Renewal, Transport};
use clientsync::http::{Credentials, LaneTransport, TokenKeeper};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::http::{CANARY, get, head, patch, send, settings};
use crate::support::server::{Answer, Hit, Server};

pub(crate) fn password_grant(token_url: String) -> Credentials {
    Credentials::OAuth2Password {
        token_url,
        headers: vec![("client_id".into(), "clientsync".into())],
        username: Secret::new("ann+x@example.com".into()),
        password: Secret::new(format!("{CANARY} &=%\u{e9}")),
        keeper: None,
    }
}

/// A token endpoint that hands out `a1`/`r1`, `a2`/`r2` and so on at `/token`;
/// elsewhere the script answers.
pub(crate) async fn token_server(
    elsewhere: impl Fn(&Hit) -> Answer + Send + Sync + 'static,
) -> Server {
    let issued = AtomicU32::new(0);
    Server::new(move |hit| {
        if !hit.target.starts_with("/token") {
            return elsewhere(hit);
        }
        let n = 1 + issued.fetch_add(1, Ordering::SeqCst);
        Answer::reply(200, &tokens(n))
    })
    .await
}

fn tokens(n: u32) -> String {
    format!(
        "{{\"access_token\":\"a{n}\",\"token_type\":\"Bearer\",\"expires_in\":604799,\"refresh_token\":\"r{n}\"}}"
    )
}

fn grant_lane(server: &Server) -> LaneTransport {
    LaneTransport::new(settings(
        server.url(""),
        password_grant(server.url("/token")),
    ))
    .unwrap()
}

/// The bodies of the token requests, in order.
fn asked(server: &Server) -> Vec<String> {
    let hits = server.hits();
    let asked = hits.iter().filter(|hit| hit.target == "/token");
    asked.map(Hit::text).collect()
}

async fn status(lane: &LaneTransport, request: Request) -> (u16, Generation) {
    let (Exchange { result, .. }, generation) = lane.send(request).await;
    (result.unwrap().status, generation)
}

const BY_PASSWORD: &str =
    "grant_type=password&username=ann%2Bx%40example.com&password=canary-7f3a+%26%3D%25%C3%A9";

#[tokio::test]
async fn a_token_is_obtained_once_and_before_the_first_request() {
    let server = token_server(|_| Answer::reply(200, "{}")).await;
    let lane = grant_lane(&server);
    assert_eq!(server.hits().len(), 0);
    let both = tokio::join!(
        send(&lane, get(server.url("/x"))),
        send(&lane, get(server.url("/x")))
    );
    assert!(both.0.is_ok() && both.1.is_ok());
    let hits = server.hits();
    assert_eq!(asked(&server), [BY_PASSWORD]);
    assert_eq!(
        (hits[0].method.as_str(), hits[0].header("client_id")),
        ("POST", Some("clientsync"))
    );
    assert_eq!(
        hits[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(hits[0].header("authorization"), None);
    for hit in &hits[1..] {
        assert_eq!(hit.header("authorization"), Some("Bearer a1"));
        assert_eq!(hit.header("client_id"), None);
    }
}

#[tokio::test]
async fn twenty_refusals_of_one_token_make_one_renewal() {
    let server = token_server(|hit| {
        let old = hit.header("authorization") == Some("Bearer a1");
        Answer::reply(if old { 401 } else { 200 }, "{}")
    })
    .await;
    let lane = Arc::new(grant_lane(&server));
    let all_refused = Arc::new(Barrier::new(20));
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let (lane, url) = (Arc::clone(&lane), server.url("/x"));
        let all_refused = Arc::clone(&all_refused);
        callers.spawn(async move {
            let (refused, generation) = status(&lane, get(url.clone())).await;
            assert_eq!(refused, 401);
            all_refused.wait().await;
            assert_eq!(lane.renew(generation).await, Renewal::Renewed);
            status(&lane, get(url)).await.0
        });
    }
    assert_eq!(callers.join_all().await, [200; 20]);
    let asked = asked(&server);
    assert_eq!(
        asked,
        [BY_PASSWORD, "grant_type=refresh_token&refresh_token=r1"]
    );
    assert!(
        server
            .hits()
            .iter()
            .filter(|h| h.target == "/token")
            .all(|h| h.header("client_id") == Some("clientsync"))
    );
}

#[tokio::test]
async fn each_renewal_uses_the_newest_refresh_token() {
    // Every token is good for one write.
    let used = Mutex::new(HashSet::new());
    let server = token_server(move |hit| {
        let token = hit.header("authorization").unwrap_or_default().to_owned();
        let fresh = used.lock().unwrap().insert(token);
        Answer::reply(if fresh { 200 } else { 401 }, "{}")
    })
    .await;
    let lane = grant_lane(&server);
    for _ in 0..3 {
        assert_eq!(status(&lane, patch(server.url("/x"))).await.0, 200);
        let (refused, generation) = status(&lane, patch(server.url("/x"))).await;
        assert_eq!(refused, 401);
        assert_eq!(lane.renew(generation).await, Renewal::Renewed);
    }
    let refreshes: Vec<_> = asked(&server)[1..].to_vec();
    let refresh = |n| format!("grant_type=refresh_token&refresh_token=r{n}");
    assert_eq!(refreshes, [refresh(1), refresh(2), refresh(3)]);
}

#[tokio::test]
async fn a_token_refused_straight_after_its_renewal_ends_it() {
    // The account may read, and lacks the right to write: reads say nothing about that.
    let server =
        token_server(|hit| Answer::reply(if hit.method == "GET" { 200 } else { 401 }, "{}")).await;
    let lane = grant_lane(&server);
    for expected in [Renewal::Renewed, Renewal::Impossible] {
        assert_eq!(status(&lane, get(server.url("/x"))).await.0, 200);
        let (refused, generation) = status(&lane, patch(server.url("/x"))).await;
        assert_eq!(refused, 401);
        assert_eq!(lane.renew(generation).await, expected);
    }
    let hits = server.hits().len();
    assert_eq!(
        send(&lane, get(server.url("/x"))).await,
        Err(NoResponse::NoCredentials)
    );
    assert_eq!(lane.renew(Generation(1)).await, Renewal::Impossible);
    assert_eq!((asked(&server).len(), server.hits().len()), (2, hits));
}

const INVALID_GRANT: &str = "{\"error\":\"invalid_grant\",\"error_description\":\"incorrect.\"}";

#[tokio::test]
async fn a_refused_password_is_not_tried_twice() {
    for answer in [
        Answer::reply(400, INVALID_GRANT),
        Answer::reply(401, ""),
        Answer::reply(302, "").with("Location", "/login"),
        Answer::reply(200, "<html>sign in</html>"),
        Answer::reply(200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}"),
        Answer::reply(200, "{\"access_token\":\"\",\"token_type\":\"bearer\"}"),
        Answer::reply(
            200,
            "{\"access_token\":\"a\\nb\",\"token_type\":\"bearer\"}",
        ),
        Answer::Endless(head(200, 1 << 30)),
    ] {
        let server = Server::scripted(vec![answer.clone()]).await;
        let lane = grant_lane(&server);
        for _ in 0..2 {
            assert_eq!(
                send(&lane, patch(server.url("/x"))).await,
                Err(NoResponse::NoCredentials),
                "{answer:?}"
            );
        }
        assert_eq!(asked(&server), [BY_PASSWORD]);
        assert_eq!(server.hits().len(), 1);
    }
}

#[tokio::test]
async fn the_password_is_used_once_where_the_refresh_is_refused() {
    for (by_password, expected) in [(200, Renewal::Renewed), (400, Renewal::Impossible)] {
        let server = Server::scripted(vec![
            Answer::reply(200, &tokens(1)),
            Answer::reply(401, ""),
            Answer::reply(400, INVALID_GRANT),
            Answer::reply(by_password, &tokens(2)),
            Answer::reply(200, "{}"),
        ])
        .await;
        let lane = grant_lane(&server);
        let (_, generation) = status(&lane, patch(server.url("/x"))).await;
        assert_eq!(lane.renew(generation).await, expected);
        assert_eq!(
            asked(&server),
            [
                BY_PASSWORD,
                "grant_type=refresh_token&refresh_token=r1",
                BY_PASSWORD
            ]
        );
        let sent = send(&lane, patch(server.url("/x"))).await;
        assert_eq!(sent.is_ok(), expected == Renewal::Renewed);
    }
}

#[tokio::test]
async fn a_troubled_token_endpoint_is_passing_trouble() {
    let at_once = Some(Duration::ZERO);
    for (trouble, nothing) in [
        (Answer::reply(503, ""), NoResponse::NotSent),
        (Answer::reply(429, ""), NoResponse::CredentialsLater(None)),
        (
            Answer::reply(409, "").with("Retry-After", "0"),
            NoResponse::CredentialsLater(at_once),
        ),
        (
            Answer::After(Duration::from_millis(5), Box::new(Answer::Close)),
            NoResponse::NotSent,
        ),
    ] {
        let server = Server::scripted(vec![
            trouble.clone(),
            Answer::reply(200, &tokens(1)),
            Answer::reply(401, ""),
            trouble.clone(),
            Answer::reply(200, &tokens(2)),
            Answer::reply(200, "{}"),
        ])
        .await;
        let lane = grant_lane(&server);
        let request = || patch(server.url("/x"));
        assert_eq!(send(&lane, request()).await, Err(nothing), "{trouble:?}");
        let (refused, generation) = status(&lane, request()).await;
        assert_eq!(refused, 401);
        // The renewal fails for now; its refresh token is still there the next time.
        assert_eq!(lane.renew(generation).await, Renewal::Renewed);
        assert_eq!(status(&lane, request()).await.0, 200);
        let refresh = "grant_type=refresh_token&refresh_token=r1";
        assert_eq!(asked(&server), [BY_PASSWORD, BY_PASSWORD, refresh, refresh]);
    }
}

#[tokio::test]
async fn a_throttled_token_endpoint_is_left_alone_for_as_long_as_it_asks() {
    let date = "Thu, 01 Jan 2026 00:00:00 GMT";
    let in_an_hour = "Thu, 01 Jan 2026 01:00:00 GMT";
    let later = |seconds| Answer::reply(409, "").with("Retry-After", seconds);
    for (throttle, seconds) in [
        (later("3600"), 3600),
        (later(in_an_hour).with("Date", date), 3600),
        (later("99999999999"), 99_999_999_999),
        (later("120, 3600"), 3600),
    ] {
        let server = Server::scripted(vec![throttle, Answer::reply(200, &tokens(1))]).await;
        let lane = grant_lane(&server);
        let asked = Duration::from_secs(seconds);
        for _ in 0..5 {
            let sent = send(&lane, patch(server.url("/x"))).await;
            let Err(NoResponse::CredentialsLater(Some(wait))) = sent else {
                panic!("{seconds}: {sent:?}");
            };
            // What is left of it, when it is asked for again.
            assert!(wait <= asked && wait + Duration::from_secs(60) > asked);
        }
        assert_eq!(server.hits().len(), 1);
    }
}

/// A keeper in memory, which notes how many requests had been seen when it was
/// called.
struct Keeper {
    token: Mutex<Option<String>>,
    calls: Mutex<Vec<(Option<String>, usize)>>,
    seen: Arc<AtomicU32>,
}

impl TokenKeeper for Keeper {
    fn kept(&self) -> Option<Secret> {
        self.token.lock().unwrap().clone().map(Secret::new)
    }

    fn keep(&self, refresh: Option<&Secret>) {
        let token = refresh.map(|token| token.expose().to_owned());
        let seen = self.seen.load(Ordering::SeqCst) as usize;
        self.calls.lock().unwrap().push((token.clone(), seen));
        *self.token.lock().unwrap() = token;
    }
}

#[tokio::test]
async fn a_refresh_token_is_kept_before_what_came_with_it_is_used() {
    let seen = Arc::new(AtomicU32::new(0));
    let used = Arc::clone(&seen);
    // Every access token is good once.
    let once = Mutex::new(HashSet::new());
    let server = token_server(move |hit| {
        used.fetch_add(1, Ordering::SeqCst);
        let token = hit.header("authorization").unwrap().to_owned();
        let status = if once.lock().unwrap().insert(token) {
            200
        } else {
            401
        };
        Answer::reply(status, "{}")
    })
    .await;
    let keeper = Arc::new(Keeper {
        token: Mutex::new(Some("r0".to_owned())),
        calls: Mutex::default(),
        seen,
    });
    let Credentials::OAuth2Password {
        token_url,
        headers,
        username,
        password,
        ..
    } = password_grant(server.url("/token"))
    else {
        panic!("a password grant");
    };
    let credentials = Credentials::OAuth2Password {
        token_url,
        headers,
        username,
        password,
        keeper: Some(Arc::clone(&keeper) as Arc<dyn TokenKeeper>),
    };
    let lane = LaneTransport::new(settings(server.url(""), credentials)).unwrap();
    assert_eq!(status(&lane, get(server.url("/x"))).await.0, 200);
    let (refused, generation) = status(&lane, get(server.url("/x"))).await;
    assert_eq!(refused, 401);
    assert_eq!(lane.renew(generation).await, Renewal::Renewed);
    assert_eq!(status(&lane, get(server.url("/x"))).await.0, 200);
    // The run begins with what the last one kept, and no password is sent.
    let refresh = |n| format!("grant_type=refresh_token&refresh_token=r{n}");
    assert_eq!(asked(&server), [refresh(0), refresh(1)]);
    let kept = |n: u32, seen| (Some(format!("r{n}")), seen);
    assert_eq!(*keeper.calls.lock().unwrap(), [kept(1, 0), kept(2, 2)]);
}
