//! Reading all records of a lane, against a transport in memory and on a paused
//! clock: pages, single reads, waits, stops, and what is handed over.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clientsync::core::{Exchange, Json, NoResponse, Request, Response, Scope};
use clientsync::engine::{
    Bound, Bounds, Clock, Found, Generation, Ledger, Pacer, ReadEnd, Reader, Recorder, Renewal,
    Silent, Stop, Stopped, Transport,
};
use clientsync::store::{Counted, RunStart, Store};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::support::lane::Setup;
use super::support::recording::recorded;

const FAST: &str = "quota = [{ calls = 1000, per = \"second\" }], concurrency = 4";

/// What the other side does.
enum Answered {
    /// An answer: a status, headers and a body.
    With(u16, Vec<(&'static str, &'static str)>, String),
    /// No answer.
    Nothing(NoResponse),
}

type Script = dyn Fn(usize, &str) -> Answered + Send + Sync;

/// A transport in memory: its script knows the number of the request, from 0,
/// and the URL behind the host.
#[derive(Clone)]
struct Remote {
    start: Instant,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<(String, Duration)>>>,
    open: Arc<AtomicUsize>,
    most_open: Arc<AtomicUsize>,
    renewal: Renewal,
    renewals: Arc<AtomicUsize>,
}

impl Remote {
    fn new(script: impl Fn(usize, &str) -> Answered + Send + Sync + 'static) -> Self {
        Self {
            start: Instant::now(),
            script: Arc::new(script),
            seen: Arc::default(),
            open: Arc::default(),
            most_open: Arc::default(),
            renewal: Renewal::Renewed,
            renewals: Arc::default(),
        }
    }

    fn urls(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(url, _)| url.clone()).collect()
    }

    fn times(&self) -> Vec<Duration> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(_, at)| *at)
            .collect()
    }
}

impl Transport for Remote {
    fn send(&self, request: Request) -> impl Future<Output = (Exchange, Generation)> + Send {
        let me = self.clone();
        async move {
            assert!(request.body.is_none() && !request.method.is_write());
            let url = request
                .url
                .split_once("complycube.com")
                .unwrap()
                .1
                .to_owned();
            let number = {
                let mut seen = me.seen.lock().unwrap();
                seen.push((url.clone(), me.start.elapsed()));
                seen.len() - 1
            };
            let open = me.open.fetch_add(1, Ordering::SeqCst) + 1;
            me.most_open.fetch_max(open, Ordering::SeqCst);
            // The later ones are faster, so that answers come out of order.
            let took = Duration::from_millis(100 - u64::try_from(number % 7).unwrap() * 10);
            tokio::time::sleep(took).await;
            me.open.fetch_sub(1, Ordering::SeqCst);
            let result = match (me.script)(number, &url) {
                Answered::Nothing(nothing) => Err(nothing),
                Answered::With(status, headers, body) => Ok(Response {
                    status,
                    headers: headers
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect(),
                    body: body.into_bytes(),
                }),
            };
            (Exchange { result, took }, Generation(0))
        }
    }

    fn renew(&self, _refused: Generation) -> impl Future<Output = Renewal> + Send {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        std::future::ready(self.renewal)
    }
}

fn ok(body: &Value) -> Answered {
    Answered::With(200, Vec::new(), body.to_string())
}

fn status(status: u16) -> Answered {
    Answered::With(status, Vec::new(), r#"{"message":"no"}"#.to_owned())
}

/// A list of so many clients, read by page or by id.
fn clients(count: usize) -> impl Fn(&str) -> Answered + Send + Sync + Clone {
    move |url| {
        let Some(query) = url.strip_prefix("/v1/clients?") else {
            let id = url.rsplit('/').next().unwrap();
            return ok(&json!({"id": id, "email": "whole@example.com"}));
        };
        let query: BTreeMap<&str, usize> = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        let size = query["pageSize"];
        let from = (query["page"] - 1) * size;
        let items: Vec<Value> = (from..count.min(from + size))
            .map(|n| json!({"id": format!("r{n}"), "email": "listed@example.com"}))
            .collect();
        ok(&json!({"items": items, "pages": count.div_ceil(size)}))
    }
}

/// What came of a reading.
struct Read {
    end: ReadEnd,
    found: Vec<Found>,
}

impl Read {
    fn ids(&self) -> Vec<&str> {
        fn id(found: &Found) -> Option<&str> {
            match found {
                Found::Record { id, .. } => Some(id),
                Found::Unread { .. } | Found::Nameless { .. } => None,
            }
        }
        self.found.iter().filter_map(id).collect()
    }

    fn emails(&self) -> Vec<Option<String>> {
        let email = |found: &Found| match found {
            Found::Record { record, .. } => record.get("email").map(Json::to_text),
            Found::Unread { .. } | Found::Nameless { .. } => None,
        };
        self.found.iter().map(email).collect()
    }
}

fn setup(directory: &TempDir, limits: &str) -> Setup {
    let config = format!(
        "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"client_id\"\n\
         [providers.crm]\nkind = \"complycube\"\nid = \"remote\"\nlimits = {{ {limits} }}\n\
         [providers.crm.fields]\nemail = \"email\"\n"
    );
    let source = directory.path().join("clients.csv");
    fs::write(source, "client_id,remote,email\n1,a,x@example.com\n").unwrap();
    Setup::read(&config, directory.path()).unwrap()
}

fn reader(remote: &Remote, limits: &str, journal: Option<Recorder>) -> Reader<Remote> {
    bounded(remote, limits, journal, Bounds::default())
}

fn bounded(
    remote: &Remote,
    limits: &str,
    journal: Option<Recorder>,
    bounds: Bounds,
) -> Reader<Remote> {
    let directory = TempDir::new().unwrap();
    let lane = setup(&directory, limits).lanes.pop().unwrap();
    let pacer = Pacer::new(&lane.limits, None, &Ledger::empty(Timestamp::UNIX_EPOCH));
    let clock = Clock {
        now: || "2026-01-01T00:00:00Z".parse().unwrap(),
        share: || 0.5,
    };
    let observer = Arc::new(Silent);
    Reader::new(
        Arc::new(lane),
        remote.clone(),
        pacer,
        bounds,
        journal,
        observer,
        clock,
    )
}

/// What a test wants of each record.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    /// What the list shows.
    Listed,
    /// All of it, by a read of its own.
    Whole,
}

async fn read_with(mut reader: Reader<Remote>, need: Need) -> Read {
    let mut found = Vec::new();
    while let Some(page) = reader.next().await {
        if need == Need::Listed {
            found.extend(page);
            continue;
        }
        let id = |found: Found| match found {
            Found::Record { id, .. } => Some(id),
            Found::Unread { .. } | Found::Nameless { .. } => None,
        };
        let ids = page.into_iter().filter_map(id).collect();
        found.extend(reader.read_each(ids).await);
    }
    let end = reader.end();
    Read { end, found }
}

async fn read(remote: &Remote, need: Need) -> Read {
    read_with(reader(remote, FAST, None), need).await
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("r{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn every_record_of_every_page_is_read_once_and_in_order() {
    for (count, pages) in [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)] {
        let served = clients(count);
        let remote = Remote::new(move |_, url| served(url));
        let read = read(&remote, Need::Listed).await;
        assert_eq!(read.ids(), names(count));
        let expected = ReadEnd {
            records: u64::try_from(count).unwrap(),
            requests: pages,
            ..ReadEnd::default()
        };
        assert_eq!(read.end, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_list_omits_costs_one_request_per_record_at_the_lanes_concurrency() {
    let served = clients(130);
    let remote = Remote::new(move |_, url| served(url));
    let read = read(&remote, Need::Whole).await;
    assert_eq!(read.ids(), names(130));
    assert_eq!(read.end.requests, 2 + 130);
    let whole = Some("\"whole@example.com\"".to_owned());
    assert!(read.emails().iter().all(|email| *email == whole));
    assert_eq!(remote.most_open.load(Ordering::SeqCst), 4);
    assert!(remote.urls().contains(&"/v1/clients/r129".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_the_lane_ended_is_given() {
    let served = clients(10);
    let remote = Remote::new(move |number, url| match number {
        0..=6 => served(url),
        _ => status(402),
    });
    let read = read(&remote, Need::Whole).await;
    // The list, six records, and up to four that were under way.
    assert_eq!(read.ids(), names(6));
    assert!(matches!(
        read.end.stopped,
        Some(Stopped::Provider(Stop::Deferred, _))
    ));
    assert!(read.end.requests <= 11);
}

#[tokio::test(start_paused = true)]
async fn a_reading_ends_when_it_is_stopped_from_elsewhere() {
    let served = clients(500);
    let remote = Remote::new(move |_, url| served(url));
    let mut reader = reader(&remote, FAST, None);
    let stopper = reader.stopper();
    assert_eq!(reader.next().await.unwrap().len(), 100);
    stopper.stop(Stopped::Interrupted);
    assert_eq!(reader.next().await, None);
    assert!(reader.read_each(vec!["r1".to_owned()]).await.is_empty());
    let end = reader.end();
    assert_eq!((end.requests, end.stopped), (1, Some(Stopped::Interrupted)));
}

#[tokio::test(start_paused = true)]
async fn no_window_of_the_lane_sees_more_than_its_quota() {
    let served = clients(30);
    let remote = Remote::new(move |_, url| served(url));
    let slow = "quota = [{ calls = 10, per = \"second\" }], concurrency = 4";
    let read = read_with(reader(&remote, slow, None), Need::Whole).await;
    assert_eq!(read.end.requests, 31);
    let times = remote.times();
    for from in &times {
        let window = *from..*from + Duration::from_secs(1);
        assert!(times.iter().filter(|at| window.contains(at)).count() <= 10);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_and_nothing_is_lost() {
    let served = clients(150);
    let remote = Remote::new(move |number, url| match number {
        0 => status(503),
        1 => Answered::Nothing(NoResponse::Broken),
        2 => Answered::With(200, Vec::new(), "<html>".to_owned()),
        4 => status(502),
        7 => Answered::Nothing(NoResponse::TimedOut),
        _ => served(url),
    });
    let read = read(&remote, Need::Whole).await;
    assert_eq!(read.ids(), names(150));
    assert_eq!(read.end.stopped, None);
    assert_eq!((read.end.requests, read.end.retries), (2 + 150 + 5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_gone_or_refused_keeps_no_other_back() {
    let served = clients(5);
    let remote = Remote::new(move |_, url| match url {
        "/v1/clients/r1" => status(404),
        "/v1/clients/r2" => status(500),
        "/v1/clients/r3" => ok(&json!({})),
        _ => served(url),
    });
    let read = read(&remote, Need::Whole).await;
    assert_eq!(read.ids(), ["r0", "r4"]);
    assert_eq!((read.end.records, read.end.stopped.clone()), (5, None));
    let unread = |found: &Found| match found {
        Found::Unread { id, status, .. } => Some((id.clone(), *status)),
        Found::Record { .. } | Found::Nameless { .. } => None,
    };
    let unread: Vec<_> = read.found.iter().filter_map(unread).collect();
    let expected = [("r1", Some(404)), ("r2", Some(500)), ("r3", Some(200))];
    assert_eq!(unread, expected.map(|(id, status)| (id.to_owned(), status)));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_asks_to_wait_is_waited_for_by_everyone() {
    let served = clients(20);
    let remote = Remote::new(move |number, url| match number {
        5 => Answered::With(429, vec![("retry-after", "60")], "{}".to_owned()),
        _ => served(url),
    });
    let read = read(&remote, Need::Whole).await;
    assert_eq!(read.ids(), names(20));
    let times = remote.times();
    let asked = times[5];
    let quiet = asked + Duration::from_millis(200)..asked + Duration::from_secs(60);
    assert!(!times.iter().any(|at| quiet.contains(at)), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_renewed_once_and_then_stop_the_lane() {
    let served = clients(3);
    let remote = Remote::new(move |number, url| match number {
        0 => status(401),
        _ => served(url),
    });
    assert_eq!(read(&remote, Need::Listed).await.ids(), names(3));
    assert_eq!(remote.renewals.load(Ordering::SeqCst), 1);

    for renewal in [Renewal::Renewed, Renewal::Impossible] {
        let mut remote = Remote::new(|_, _| status(401));
        remote.renewal = renewal;
        let read = read(&remote, Need::Listed).await;
        assert!(matches!(
            read.end.stopped,
            Some(Stopped::Provider(Stop::Credentials, _))
        ));
        assert!(read.end.requests <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_moves_repeats_records_which_come_once() {
    let served = clients(250);
    let remote = Remote::new(move |number, url| match number {
        // The second page begins with the last records of the first one.
        1 => {
            let items: Vec<Value> = (95..195).map(|n| json!({"id": format!("r{n}")})).collect();
            ok(&json!({"items": items, "pages": 3}))
        }
        _ => served(url),
    });
    let read = read(&remote, Need::Listed).await;
    let (mut ids, mut all) = (read.ids(), names(250));
    all.retain(|id| !(195..200).any(|n| *id == format!("r{n}")));
    ids.sort_unstable();
    all.sort_unstable();
    assert_eq!(ids, all);
    assert_eq!((read.end.records, read.end.repeated), (245, 5));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_repeats_itself_for_ever_is_left_with_a_reason() {
    let remote = Remote::new(|_, _| ok(&json!({"items": [{"id": "a"}], "pages": 1_000_000})));
    let read = read(&remote, Need::Listed).await;
    assert_eq!(read.ids(), ["a"]);
    let Some(Stopped::Provider(Stop::Unusable, why)) = read.end.stopped else {
        panic!()
    };
    assert!(why.contains("repeats itself"), "{why}");
    assert_eq!(read.end.requests, 4);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_is_never_taken_for_an_empty_one() {
    // What fails may work for the next run; what answers something else does not.
    let refused: [(fn() -> Answered, Stop); 7] = [
        (|| status(403), Stop::Credentials),
        (|| status(404), Stop::Unusable),
        (|| status(500), Stop::Deferred),
        (|| Answered::Nothing(NoResponse::Broken), Stop::Deferred),
        (
            || Answered::With(200, Vec::new(), "<html>".to_owned()),
            Stop::Unusable,
        ),
        (|| ok(&json!({"pages": 0})), Stop::Unusable),
        (|| ok(&json!({"items": [{"id": "r9"}]})), Stop::Unusable),
    ];
    for (answer, stop) in refused {
        let served = clients(150);
        let remote = Remote::new(move |number, url| match number {
            0 => served(url),
            _ => answer(),
        });
        let read = read(&remote, Need::Listed).await;
        assert_eq!(read.ids(), names(100));
        let Some(Stopped::Provider(stopped, why)) = read.end.stopped else {
            panic!()
        };
        assert_eq!(stopped, stop, "{why}");
        assert!(why.contains("list cannot be read"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_another_record_ends_the_reading() {
    let served = clients(2);
    let remote = Remote::new(move |_, url| match url {
        "/v1/clients/r1" => ok(&json!({"id": "r0"})),
        _ => served(url),
    });
    let read = read(&remote, Need::Whole).await;
    assert_eq!(read.ids(), ["r0"]);
    assert!(matches!(
        read.end.stopped,
        Some(Stopped::Provider(Stop::Unusable, _))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_days_quota_defers_the_rest() {
    let served = clients(250);
    let remote = Remote::new(move |_, url| served(url));
    let day = "quota = [{ calls = 2, per = \"day\" }], concurrency = 1";
    let read = read_with(reader(&remote, day, None), Need::Listed).await;
    assert_eq!(read.ids(), names(200));
    assert!(matches!(
        read.end.stopped,
        Some(Stopped::Provider(Stop::Deferred, _))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_id_is_told() {
    let remote = Remote::new(|_, _| {
        ok(&json!({"items": [{"id": "a"}, {"name": "x"}, {"id": "b"}], "pages": 1}))
    });
    let read = read(&remote, Need::Listed).await;
    let is_nameless = |found: &Found| matches!(found, Found::Nameless { .. });
    assert!(read.found.iter().any(is_nameless));
    assert_eq!(read.ids(), ["a", "b"]);
}

#[tokio::test]
async fn a_journal_has_every_request_before_it_leaves() {
    let directory = TempDir::new().unwrap();
    let setup = setup(&directory, FAST);
    let mut store = Store::open(&directory.path().join("state.db")).unwrap();
    setup.bind(&mut store);
    let start = RunStart {
        run_id: "run-1".to_owned(),
        command: "adopt".to_owned(),
        scope: Scope::Whole,
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        plan_sha256: None,
        plan_path: None,
        source_sha256: None,
        source_rows: None,
        tool_version: "0".to_owned(),
        guards: Vec::new(),
        allowed: Vec::new(),
        lanes: BTreeMap::from([("crm".to_owned(), clientsync::core::LaneCounts::default())]),
    };
    let run = store.begin(&start).unwrap();
    let (journal, recording) = recorded(store, run);
    let served = clients(3);
    let remote = Remote::new(move |_, url| served(url));
    let read = read_with(reader(&remote, FAST, Some(journal)), Need::Whole).await;
    assert_eq!((read.ids().len(), read.end.stopped), (3, None));
    let store = recording.await.unwrap();
    let times = ["2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z"].map(|at| at.parse().unwrap());
    let sent = store.requests_since("crm", times.into(), Counted::Requests, 9);
    assert_eq!(sent.unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_reading_obeys_the_budget_and_the_time_of_the_run() {
    let served = clients(500);
    let remote = Remote::new(move |_, url| served(url));
    let bounds = Bounds {
        budget: Some(3),
        ..Bounds::default()
    };
    let read = read_with(bounded(&remote, FAST, None, bounds), Need::Listed).await;
    assert_eq!(read.end.stopped, Some(Stopped::Bound(Bound::Budget(3))));
    assert_eq!((read.found.len(), remote.urls().len()), (300, 3));

    let served = clients(500);
    let slow = "quota = [{ calls = 60, per = \"minute\" }], concurrency = 4";
    let remote = Remote::new(move |_, url| served(url));
    let bounds = Bounds {
        deadline: Some(Instant::now() + Duration::from_secs(3)),
        ..Bounds::default()
    };
    let read = read_with(bounded(&remote, slow, None, bounds), Need::Listed).await;
    assert_eq!(read.end.stopped, Some(Stopped::Bound(Bound::Time)));
    assert!((200..500).contains(&read.found.len()));
}
