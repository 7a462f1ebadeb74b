//! The built program against a server on loopback that stamps what arrives: a
//! count of safety, in real time. Nothing is asserted about speed, but by the
//! campaign that is run on request.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Window, used, windows_over};
use crate::support::server::{Answer, Hit};
use crate::support::workdir::{FIELDS, Remote, Workdir, accepted};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

/// A server that stamps each request, and answers after this time.
fn stamping(latency: Duration) -> (Remote, Arc<Mutex<Vec<Duration>>>) {
    let (start, accept) = (Instant::now(), accepted());
    let arrivals: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let stamps = Arc::clone(&arrivals);
    let remote = Remote::new(move |hit: &Hit| {
        let mut stamps = stamps.lock().unwrap_or_else(PoisonError::into_inner);
        stamps.push(start.elapsed());
        Answer::After(latency, Box::new(accept(hit)))
    });
    (remote, arrivals)
}

/// So many clients with a first name of this run.
fn rows(count: usize, run: &str) -> String {
    let mut rows = "no,cc_id,email,joined,first\n".to_owned();
    for n in 0..count {
        let _ = writeln!(rows, "{n},r{n},person{n}@example.com,2020-01-01,{run}");
    }
    rows
}

/// Syncs two files one right after the other, and gives what arrived.
fn two_runs(quota: &str, concurrency: u32, rows_each: usize, latency: Duration) -> Vec<Duration> {
    let (remote, arrivals) = stamping(latency);
    let workdir = Workdir::with(&remote.url(), FIELDS, &rows(rows_each, "Ann"));
    let limits = r#"quota = [{ calls = 1000, per = "second" }], concurrency = 1"#;
    let slower = format!("quota = [{quota}], concurrency = {concurrency}");
    workdir.edit("clientsync.toml", limits, &slower);
    let off = "[guards]\nmax_updates = \"off\"\nmax_same_value = \"off\"\nmax_field_change = { \"*\" = \"off\" }\n";
    let with_guards = format!("{off}[state]");
    workdir.edit("clientsync.toml", "[state]", &with_guards);
    workdir.expect(0, &["sync"]);
    workdir.write("clients.csv", rows(rows_each, "Bea"));
    workdir.expect(0, &["sync"]);
    let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(arrivals.len(), 2 * rows_each);
    arrivals.clone()
}

#[test]
fn the_program_never_exceeds_its_quota_on_the_servers_clock() {
    for (calls, latency) in [(10, 0), (50, 20), (400, 5)] {
        let quota = format!(r#"{{ calls = {calls}, per = "second" }}"#);
        let rows = usize::try_from(calls).unwrap() * 3 / 2;
        let arrivals = two_runs(&quota, 16, rows, Duration::from_millis(latency));
        assert_eq!(windows_over(&arrivals, calls, Window::Second), 0, "{calls}");
    }
}

/// `CLIENTSYNC_PACE=10000 cargo test --test it pace::real -- --nocapture`: so many
/// requests at each rate and latency, all at the same time, in two runs each.
#[test]
fn a_campaign_of_every_rate_on_request() {
    let Some(requests) = std::env::var_os("CLIENTSYNC_PACE") else {
        return;
    };
    let requests: usize = requests.into_string().unwrap().parse().unwrap();
    let campaigns = [10, 50, 600, 1_000].into_iter().flat_map(|calls| {
        [20, 200].map(|latency| std::thread::spawn(move || campaign(calls, latency, requests)))
    });
    let lines: Vec<String> = campaigns
        .collect::<Vec<_>>()
        .into_iter()
        .map(|campaign| campaign.join().unwrap())
        .collect();
    assert_eq!(lines.len(), 8);
}

fn campaign(calls: u32, latency: u64, requests: usize) -> String {
    let (name, per) = match calls {
        600 => ("minute", Window::Minute),
        _ => ("second", Window::Second),
    };
    let quota = format!(r#"{{ calls = {calls}, per = "{name}" }}"#);
    let arrivals = two_runs(&quota, 256, requests / 2, Duration::from_millis(latency));
    let over = windows_over(&arrivals, calls, per);
    // The pause between the runs is the program's start, not its pace.
    let (first, second) = arrivals.split_at(requests / 2);
    let line = format!(
        "{calls} a {name} at {latency} ms: {} requests, {over} windows over, used {:.4} and {:.4}",
        arrivals.len(),
        used(first, calls, per),
        used(second, calls, per),
    );
    say(&line);
    assert_eq!(over, 0, "{line}");
    line
}

/// Tells whoever asked for the campaign how it goes.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{line}");
}
