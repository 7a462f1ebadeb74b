//! Chosen faults, seen by our own transport and by a whole run.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use clientsync::core::{Exchange, Method, NoResponse, Request};
use clientsync::engine::Transport as _;
use clientsync::http::{Credentials as Secrets, LaneSettings, LaneTransport};
use clientsync::provider::{Answer, Asked, Catalog};
use clientsync::sandbox::{
    Credentials, Fault, FaultKind, Faults, LoggedRequest, Running, Sandbox, SandboxSettings, Seed,
};

use super::{JSON, held, login, patch_crm, post_cc, raw_key, send, settings, started};
use crate::support::workdir::{TOKEN_VARIABLE, Workdir};

async fn failing(faults: &[&str], seed: u64) -> Running {
    let kinds = faults.iter().map(|fault| Fault::parse(fault).unwrap());
    Sandbox::start(SandboxSettings {
        faults: Faults {
            kinds: kinds.collect(),
            seed,
        },
        ..settings(None)
    })
    .await
    .unwrap()
}

fn key(at: &Running) -> String {
    let Some(Credentials::Token(token)) = at.secrets("cc") else {
        panic!()
    };
    token.expose().to_owned()
}

fn transport(at: &Running) -> LaneTransport {
    LaneTransport::new(LaneSettings {
        base_url: at.base_url("cc"),
        credentials: Secrets::Header {
            name: "Authorization".to_owned(),
            value: clientsync::core::Secret::new(key(at)),
        },
        timeout: Duration::from_millis(300),
        concurrency: 1,
    })
    .unwrap()
}

fn update(at: &Running, mobile: &str) -> Request {
    Request {
        method: Method::Post,
        url: format!("{}/v1/clients/abc", at.base_url("cc")),
        headers: Vec::new(),
        body: Some(format!(r#"{{"mobile":"{mobile}"}}"#)),
    }
}

/// What came of an exchange: why nothing did, or what the answer means.
fn came(exchange: Exchange) -> Result<Answer, NoResponse> {
    let provider = Catalog::load(&[]).unwrap().get("complycube").unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    exchange
        .result
        .map(|response| provider.classify(&response, Asked::Write, now))
}

/// The answer's kind, without its words.
fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Accepted => "accepted",
        Answer::Transient(_) => "transient",
        Answer::Throttled {
            wait: Some(wait), ..
        } if *wait == Duration::from_secs(1) => "throttled",
        Answer::Unreadable(_) => "unreadable",
        _ => "something else",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_what_it_says_on_new_connections_and_on_kept_ones() {
    for (fault, expected, applied) in [
        ("500", Ok("transient"), false),
        ("503", Ok("transient"), false),
        ("throttle", Ok("throttled"), false),
        ("reset-before", Err(NoResponse::Broken), false),
        ("reset-after", Err(NoResponse::Broken), true),
        ("timeout", Err(NoResponse::TimedOut), false),
        ("html", Ok("unreadable"), false),
        ("truncated", Err(NoResponse::Broken), true),
    ] {
        let at = failing(&[fault], 0).await;
        let transport = transport(&at);
        for number in ["1", "2", "3"] {
            let (exchange, _) = transport.send(update(&at, number)).await;
            let seen = came(exchange);
            assert_eq!(
                seen.as_ref().map(kind),
                expected.as_ref().copied(),
                "{fault}"
            );
            let wanted = format!(r#""mobile":"{number}""#);
            assert_eq!(held(&at, "cc", "abc").contains(&wanted), applied, "{fault}");
        }
        let requests = at.requests();
        let struck = |request: &LoggedRequest| request.fault.map(FaultKind::name);
        assert!(requests.iter().all(|one| struck(one) == Some(fault)));
        at.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_is_cut_in_the_middle_of_its_life() {
    // The seed lets the first requests pass and strikes later ones.
    let at = failing(&["reset-before=0.2"], 0).await;
    let transport = transport(&at);
    let mut seen = Vec::new();
    for number in 0..40 {
        let (exchange, _) = transport.send(update(&at, &number.to_string())).await;
        seen.push(came(exchange));
    }
    let broken = seen
        .iter()
        .filter(|came| **came == Err(NoResponse::Broken))
        .count();
    let accepted = seen
        .iter()
        .filter(|came| **came == Ok(Answer::Accepted))
        .count();
    assert_eq!((broken + accepted, at.requests().len()), (40, 40));
    assert!((3..20).contains(&broken), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_requests_fail_every_time_and_others_with_another_seed() {
    let struck = async |seed| {
        let at = failing(&["500=0.3", "html=0.3"], seed).await;
        for number in 0..60 {
            let body = format!(r#"{{"mobile":"{number}"}}"#);
            assert!([200, 500].contains(&post_cc(&at, &body).status));
        }
        let faults = at.requests().into_iter().map(|request| request.fault);
        faults.collect::<Vec<_>>()
    };
    let first = struck(0).await;
    assert_eq!(first, struck(0).await);
    assert_ne!(first, struck(1).await);
}

/// Two lanes ask in another order each time, and with another number of
/// requests between: the n-th of a lane fares as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_lanes_requests_fare_alike_however_those_of_others_fall_between() {
    let fates = async |order: &[&str]| {
        let at = failing(&["500=0.3", "503=0.3"], 0).await;
        for lane in order {
            match *lane {
                "cc" => post_cc(&at, r#"{"mobile":"1"}"#),
                _ => patch_crm(&at, "c1", "{}"),
            };
        }
        let requests = at.requests();
        let of = |lane: &str| -> Vec<Option<FaultKind>> {
            let own = requests.iter().filter(|request| request.lane == lane);
            own.map(|request| request.fault).collect()
        };
        (of("cc"), of("my crm"))
    };
    let in_turn = ["cc", "my crm"].repeat(20);
    let one_first = [["cc"; 20], ["my crm"; 20]].concat();
    let mixed = [
        "my crm", "my crm", "cc", "cc", "my crm", "cc", "cc", "my crm",
    ]
    .repeat(5);
    let first = fates(&in_turn).await;
    assert_eq!((first.0.len(), first.1.len()), (20, 20));
    assert!(first.0.iter().any(Option::is_some) && first.0.iter().any(Option::is_none));
    assert_ne!(first.0, first.1);
    assert_eq!(first, fates(&one_first).await);
    assert_eq!(first, fates(&mixed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_the_sandboxes_own_pages_never_fail() {
    let at = failing(&["500"], 0).await;
    let access = login(&at);
    let read = send(&at, "GET", "/nx/api/sys/users/7", &[&access], "");
    assert_eq!(read.status, 500);
    assert_eq!(read.json()["WasSuccessful"], false);
    assert_eq!(send(&at, "GET", "/", &[], "").status, 200);
    let log = send(&at, "GET", "/_sandbox/requests", &[], "").json();
    assert_eq!(log[0]["fault"], serde_json::Value::Null);
    assert_eq!(
        (&log[1]["fault"], &log[1]["status"]),
        (&"500".into(), &500.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_unless_it_is_asked_for() {
    let at = started().await;
    let sent = send(
        &at,
        "POST",
        "/cc/v1/clients/abc",
        &[&raw_key(&at), JSON],
        "{}",
    );
    assert_eq!(sent.status, 200);
    assert!(at.requests().iter().all(|request| request.fault.is_none()));
}

/// Every row is right at the provider in the end. One request at a time, so
/// that the same ones are struck every time.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_answers_get_lost_converges() {
    const ROWS: usize = 30;
    let records: Vec<String> = (0..ROWS)
        .map(|n| format!(r#"{{"id":"r{n}","type":"person","email":"old{n}@example.com"}}"#))
        .collect();
    let seed = format!(r#"{{"cc":[{}]}}"#, records.join(","));
    let at = Sandbox::start(SandboxSettings {
        seed: Some(Seed::parse(seed.as_bytes()).unwrap()),
        faults: Faults {
            kinds: vec![Fault::parse("reset-after=0.2").unwrap()],
            seed: 0,
        },
        ..settings(None)
    })
    .await
    .unwrap();
    let workdir = Workdir::new();
    workdir.write(
        "clientsync.toml",
        format!(
            "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"no\"\n\
             [providers.cc]\nkind = \"complycube\"\ntoken_env = \"{TOKEN_VARIABLE}\"\nid = \"id\"\n\
             settings = {{ base_url = \"{}\" }}\n\
             limits = {{ quota = [{{ calls = 1000, per = \"second\" }}], concurrency = 1 }}\n\
             [providers.cc.fields]\nemail = \"email\"\n\"metadata.tier\" = \"tier\"\n",
            at.base_url("cc")
        ),
    );
    let mut rows = "no,id,email,tier\n".to_owned();
    for n in 0..ROWS {
        writeln!(rows, "{n},r{n},new{n}@example.com,gold").unwrap();
    }
    fs::write(workdir.path("clients.csv"), rows).unwrap();
    let workdir = workdir.token(Some(&key(&at)));

    let first = workdir.run(&["sync"]);
    assert!([0, 3].contains(&first.code), "{first:#?}");
    let second = workdir.run(&["sync"]);
    assert!([0, 3].contains(&second.code), "{second:#?}");
    let lost = at.requests().iter().filter(|one| one.status == 0).count();
    assert!(lost > 5, "only {lost} answers were lost");
    for n in 0..ROWS {
        let record = held(&at, "cc", &format!("r{n}"));
        assert!(record.contains(&format!("new{n}@example.com")), "{record}");
        assert!(record.contains(r#""tier":"gold""#), "{record}");
    }
    workdir.expect(0, &["plan", "--expect-no-changes"]);
}
