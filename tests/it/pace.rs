//! The pace, judged by arrivals: no sliding window of the server's clock sees
//! more than its quota, and hardly any of the quota is left unused.
//!
//! Most of it runs on a paused clock, where a request travels for as long as a
//! test says. What arrived when is kept by the other side.

mod headers;
mod random;
mod real;
mod restart;
mod windows;

use std::fs;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clientsync::core::{Exchange, Request, Response};
use clientsync::engine::{
    Bounds, Clock, Ending, Found, Generation, Ledger, Pacer, ReadEnd, Reader, Renewal, Silent,
    Transport,
};
use clientsync::provider::{Asked, Limits, Quota, Window};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::support::lane::Setup;

/// The rates that are promised: calls, window, and requests enough to mean something.
const RATES: [(u32, Window, usize); 4] = [
    (10, Window::Second, 5_000),
    (50, Window::Second, 5_000),
    (600, Window::Minute, 6_000),
    (1_000, Window::Second, 12_000),
];

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn limits(quota: &[(u32, Window)]) -> Limits {
    let quota = quota.iter().map(|(calls, per)| Quota {
        calls: *calls,
        per: *per,
        writes_only: false,
    });
    Limits {
        quota: quota.collect(),
        concurrency: 256,
    }
}

/// How many windows of the server's clock held more than the quota: each
/// arrival begins one.
pub(crate) fn windows_over(arrivals: &[Duration], calls: u32, per: Window) -> usize {
    let mut sorted = arrivals.to_vec();
    sorted.sort_unstable();
    let length = Duration::from_secs(per.seconds());
    let calls = usize::try_from(calls).unwrap();
    let over = |first: &Duration, beyond: &Duration| beyond.abs_diff(*first) < length;
    let pairs = sorted.iter().zip(sorted.iter().skip(calls));
    pairs.filter(|(first, beyond)| over(first, beyond)).count()
}

/// The share of the quota that was used from the first arrival to the last.
fn used(arrivals: &[Duration], calls: u32, per: Window) -> f64 {
    let (first, last) = (arrivals.iter().min(), arrivals.iter().max());
    let took = last.unwrap().abs_diff(*first.unwrap()).as_secs_f64();
    let windows = took / Duration::from_secs(per.seconds()).as_secs_f64();
    let count = u32::try_from(arrivals.len() - 1).unwrap();
    f64::from(count) / (f64::from(calls) * windows)
}

fn gaps(arrivals: &[Duration]) -> impl Iterator<Item = Duration> {
    let pairs = arrivals.iter().zip(&arrivals[1..]);
    pairs.map(|(before, after)| after.abs_diff(*before))
}

fn narrowest(arrivals: &[Duration]) -> Duration {
    gaps(arrivals).min().unwrap()
}

fn widest(arrivals: &[Duration]) -> Duration {
    gaps(arrivals).max().unwrap()
}

/// Numbers by a seed (splitmix64): the same with every run.
#[derive(Clone)]
struct Seeded(Arc<Mutex<u64>>);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// A number below this one.
    fn below(&self, end: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// How long a request takes there, and its answer back.
type Trip = Arc<dyn Fn() -> (Duration, Duration) + Send + Sync>;

/// Half there, half back, always the same.
fn steady(latency: u64) -> Trip {
    Arc::new(move || (millis(latency) / 2, millis(latency) / 2))
}

/// Up to so many milliseconds more on each way.
fn jittery(latency: u64, jitter: u64, seed: u64) -> Trip {
    let seeded = Seeded::new(seed);
    let way = move || Duration::from_micros(latency * 500 + seeded.below(jitter * 1_000 + 1));
    Arc::new(move || (way(), way()))
}

/// Works a pacer with so many tasks until so many requests have arrived.
async fn drive(pacer: &Arc<Pacer>, asked: Asked, requests: usize, trip: &Trip) -> Vec<Duration> {
    let start = Instant::now();
    let left = Arc::new(Mutex::new(requests));
    let arrivals: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let mut tasks = JoinSet::new();
    for _ in 0..requests.min(256) {
        let (pacer, trip) = (Arc::clone(pacer), Arc::clone(trip));
        let (left, arrivals) = (Arc::clone(&left), Arc::clone(&arrivals));
        tasks.spawn(async move {
            loop {
                {
                    let mut left = left.lock().unwrap();
                    if *left == 0 {
                        return;
                    }
                    *left -= 1;
                }
                let turn = pacer.admit(asked).await.unwrap();
                let (there, back) = trip();
                tokio::time::sleep(there).await;
                arrivals.lock().unwrap().push(start.elapsed());
                tokio::time::sleep(back).await;
                turn.end(Ending::Answered);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    Arc::into_inner(arrivals).unwrap().into_inner().unwrap()
}

/// What the other side answers to a read, by its number from 0.
type Script = Arc<dyn Fn(usize) -> (u16, Vec<(&'static str, &'static str)>) + Send + Sync>;

/// A provider in memory, that lists so many records and is read by their ids.
#[derive(Clone)]
struct Remote {
    start: Instant,
    records: usize,
    trip: Trip,
    script: Script,
    arrivals: Arc<Mutex<Vec<Duration>>>,
}

impl Remote {
    fn new(records: usize, trip: Trip) -> Self {
        Self {
            start: Instant::now(),
            records,
            trip,
            script: Arc::new(|_| (200, Vec::new())),
            arrivals: Arc::default(),
        }
    }

    /// When the reads by id arrived.
    fn reads(&self) -> Vec<Duration> {
        self.arrivals.lock().unwrap()[1..].to_vec()
    }

    fn arrivals(&self) -> Vec<Duration> {
        self.arrivals.lock().unwrap().clone()
    }

    fn list(&self) -> Value {
        let items: Vec<Value> = (0..self.records)
            .map(|n| json!({ "id": format!("r{n}") }))
            .collect();
        json!({ "items": items, "pages": 1 })
    }
}

impl Transport for Remote {
    fn send(&self, request: Request) -> impl Future<Output = (Exchange, Generation)> + Send {
        let me = self.clone();
        async move {
            let (there, back) = (me.trip)();
            tokio::time::sleep(there).await;
            let number = {
                let mut arrivals = me.arrivals.lock().unwrap();
                arrivals.push(me.start.elapsed());
                arrivals.len() - 1
            };
            let (status, headers, body) = match number.checked_sub(1) {
                None => (200, Vec::new(), me.list()),
                Some(read) => {
                    let (status, headers) = (me.script)(read);
                    let id = request.url.rsplit('/').next().unwrap();
                    (status, headers, json!({ "id": id }))
                }
            };
            tokio::time::sleep(back).await;
            let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let response = Response {
                status,
                headers: headers.into_iter().map(named).collect(),
                body: body.to_string().into_bytes(),
            };
            let exchange = Exchange {
                result: Ok(response),
                took: there + back,
            };
            (exchange, Generation(0))
        }
    }

    fn renew(&self, _refused: Generation) -> impl Future<Output = Renewal> + Send {
        std::future::ready(Renewal::Impossible)
    }
}

/// Lists and reads every record through the engine, as these limits allow.
async fn read_all(remote: Remote, limits: Limits, tps_limit: Option<f64>) -> ReadEnd {
    let directory = TempDir::new().unwrap();
    let config = "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"client_id\"\n\
                  [providers.crm]\nkind = \"complycube\"\nid = \"remote\"\n\
                  [providers.crm.fields]\nemail = \"email\"\n";
    let source = directory.path().join("clients.csv");
    fs::write(source, "client_id,remote,email\n1,a,x@example.com\n").unwrap();
    let setup = Setup::read(config, directory.path()).unwrap();
    let mut lane = setup.lanes.into_iter().next().unwrap();
    lane.limits = limits;
    let pacer = Pacer::new(&lane.limits, tps_limit, &Ledger::empty(now()));
    let clock = Clock { now, share: || 0.0 };
    let (observer, bounds) = (Arc::new(Silent), Bounds::default());
    let mut reader = Reader::new(Arc::new(lane), remote, pacer, bounds, None, observer, clock);
    let listed = reader.next().await.unwrap();
    let ids = listed.into_iter().map(|found| match found {
        Found::Record { id, .. } => id,
        Found::Unread { .. } | Found::Nameless { .. } => panic!("the list names every record"),
    });
    let ids: Vec<String> = ids.collect();
    assert_eq!(reader.read_each(ids.clone()).await.len(), ids.len());
    reader.end()
}
