//! Five providers on the wire, one of them in trouble: the others finish all
//! that is theirs.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::support::server::Answer;
use crate::support::workdir::{Remote, TOKEN_VARIABLE, Workdir};

const ROWS: u64 = 30;
const GOOD: [&str; 4] = ["a", "b", "c", "d"];

/// A configuration of four lanes that are well and one that goes to `dead`.
fn workdir(good: &[Remote], dead: &str) -> Workdir {
    let mut config = "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"no\"\n[state]\npath = \"state.db\"\n".to_owned();
    let urls = good.iter().map(Remote::url).chain([dead.to_owned()]);
    for (name, url) in GOOD.into_iter().chain(["dead"]).zip(urls) {
        write!(
            config,
            "[providers.{name}]\nkind = \"complycube\"\ntoken_env = \"{TOKEN_VARIABLE}\"\nid = \"id\"\n\
             settings = {{ base_url = \"{url}\" }}\n\
             limits = {{ quota = [{{ calls = 1000, per = \"second\" }}], concurrency = 2 }}\n\
             [providers.{name}.fields]\nemail = \"email\"\n"
        )
        .unwrap();
    }
    let workdir = Workdir::new();
    workdir.write("clientsync.toml", config);
    let rows: Vec<String> = (0..ROWS)
        .map(|n| format!("{n},r{n},c{n}@example.com\n"))
        .collect();
    workdir.write("clients.csv", ["no,id,email\n", &rows.concat()].concat());
    workdir
}

/// One lane is dead in this way: the other four send every row once, and the
/// dead one keeps its rows for the next run.
fn the_others_finish(dead: &str) {
    let good = GOOD.map(|_| Remote::accepting());
    let workdir = workdir(&good, dead);
    let report = workdir.report(6, &["sync", "--max-duration", "2s"]);
    let lane = |name: &str| -> &Value { &report["providers"][name] };
    for (name, remote) in GOOD.into_iter().zip(&good) {
        assert_eq!(lane(name)["updated"], ROWS, "{name}");
        assert_eq!(lane(name)["requests"], ROWS, "{name}");
        assert_eq!(u64::try_from(remote.count()).unwrap(), ROWS);
    }
    let dead = lane("dead");
    assert_eq!(
        (&dead["updated"], &dead["rejected"]),
        (&0.into(), &0.into()),
        "{dead}"
    );
    assert!(dead["requests"].as_u64().unwrap() <= 20, "{dead}");
}

#[test]
fn nobody_at_one_address_slows_no_other() {
    // A port that was free a moment ago, and where nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    the_others_finish(&format!("http://{address}"));
}

#[test]
fn a_provider_that_fails_slows_no_other() {
    let failing = Remote::new(|_| Answer::reply(503, r#"{"message":"maintenance"}"#));
    the_others_finish(&failing.url());
}

#[test]
fn a_provider_that_never_answers_slows_no_other() {
    let silent = Remote::new(|_| Answer::Hang);
    the_others_finish(&silent.url());
}

#[test]
fn a_provider_that_drips_slows_no_other() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    let dripping = Remote::new(move |_| Answer::Drip(head.clone(), Duration::from_millis(50)));
    the_others_finish(&dripping.url());
}
