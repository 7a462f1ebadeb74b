//! Applying, against a transport in memory and on a paused clock: waits,
//! pauses, stops, and the order of journal and request.
//!
//! The transport keeps what it was asked and when; it is the judge.

mod bounds;
mod faults;
mod refusals;
mod waits;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::Future;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clientsync::core::{Exchange, LaneCounts, NoResponse, Request, Response, Scope};
use clientsync::engine::{
    ApplyLane, Bounds, Clock, Generation, Interrupt, LaneEnd, Ledger, OpenPlan, Past, Renewal,
    Silent, Stop, Stopped, Transport, apply,
};
use clientsync::store::{RunStart, Store};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::time::Instant;

use super::support::lane::Setup;
use super::support::recording::recorded;

/// What a scripted transport answers: by the number of the request, from 0.
type Script = Box<dyn Fn(usize, &Request) -> Play + Send + Sync>;

/// One answer.
enum Play {
    /// This status with this JSON body and these headers, after this time.
    Answer(
        u16,
        &'static str,
        Vec<(&'static str, &'static str)>,
        Duration,
    ),
    /// No answer, after this time.
    Nothing(NoResponse, Duration),
}

/// An answer at once.
fn status(status: u16) -> Play {
    Play::Answer(status, "{}", Vec::new(), Duration::from_millis(20))
}

/// One request as the transport saw it.
#[derive(Clone, Debug)]
struct Seen {
    url: String,
    began: Duration,
    ended: Option<Duration>,
}

/// A transport in memory.
#[derive(Clone)]
struct Scripted {
    start: Instant,
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
    renewals: Arc<AtomicUsize>,
    /// Called before a request leaves.
    watch: Arc<dyn Fn(&Request) + Send + Sync>,
    /// No answer comes before this holds.
    hold: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Scripted {
    fn new(script: impl Fn(usize, &Request) -> Play + Send + Sync + 'static) -> Self {
        Self {
            start: Instant::now(),
            script: Arc::new(Box::new(script)),
            seen: Arc::default(),
            renewals: Arc::default(),
            watch: Arc::new(|_| {}),
            hold: None,
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request) -> impl Future<Output = (Exchange, Generation)> + Send {
        let me = self.clone();
        async move {
            (me.watch)(&request);
            let number = {
                let mut seen = me.seen.lock().unwrap();
                let open = seen
                    .iter()
                    .any(|other| other.url == request.url && other.ended.is_none());
                assert!(!open, "one record never has two requests open");
                seen.push(Seen {
                    url: request.url.clone(),
                    began: me.start.elapsed(),
                    ended: None,
                });
                seen.len() - 1
            };
            let (result, took) = match (me.script)(number, &request) {
                Play::Answer(status, body, headers, took) => {
                    let headers = headers
                        .into_iter()
                        .map(|(n, v)| (n.to_owned(), v.to_owned()))
                        .collect();
                    (
                        Ok(Response {
                            status,
                            headers,
                            body: body.as_bytes().to_vec(),
                        }),
                        took,
                    )
                }
                Play::Nothing(nothing, took) => (Err(nothing), took),
            };
            tokio::time::sleep(took).await;
            while me.hold.as_ref().is_some_and(|holds| !holds()) {
                tokio::task::yield_now().await;
            }
            me.seen.lock().unwrap()[number].ended = Some(me.start.elapsed());
            (Exchange { result, took }, Generation(0))
        }
    }

    fn renew(&self, _refused: Generation) -> impl Future<Output = Renewal> + Send {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Renewal::Impossible)
    }
}

/// A folder with lanes that map the e-mail of so many clients.
struct Folder {
    directory: TempDir,
    config: String,
    bounds: Bounds,
    clock: Clock,
}

impl Folder {
    fn new(lanes: &[&str], rows: usize, limits: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let rows: Vec<String> = (0..rows)
            .map(|n| {
                format!(
                    "c{n},r{n},person{n}@example.com
"
                )
            })
            .collect();
        let rows = rows.concat();
        fs::write(
            directory.path().join("clients.csv"),
            format!("client_id,remote,email\n{rows}"),
        )
        .unwrap();
        let lane = |name: &&str| {
            format!(
                "[providers.{name}]\nkind = \"complycube\"\nid = \"remote\"\nlimits = {{ {limits} }}\n\
                 [providers.{name}.fields]\nemail = \"email\"\n"
            )
        };
        let lanes: String = lanes.iter().map(lane).collect();
        let config =
            format!("version = 1\n[source]\npath = \"clients.csv\"\nkey = \"client_id\"\n{lanes}");
        Self {
            directory,
            config,
            bounds: Bounds::default(),
            clock: Clock {
                now: || "2026-01-01T00:00:00Z".parse().unwrap(),
                share: || 0.5,
            },
        }
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state.db")
    }

    /// Plans and applies, each lane with its own transport.
    async fn sync(&self, run_id: &str, transports: Vec<Scripted>) -> BTreeMap<String, LaneEnd> {
        let store = Store::open(&self.state()).unwrap();
        self.run(store, run_id, transports).await.0
    }

    async fn run<T: Transport + 'static>(
        &self,
        mut store: Store,
        run_id: &str,
        transports: Vec<T>,
    ) -> (BTreeMap<String, LaneEnd>, Store) {
        let setup = Setup::read(&self.config, self.directory.path()).unwrap();
        setup.bind(&mut store);
        let plan = setup.plan(&store);
        let past: BTreeMap<String, Past> = setup
            .lanes
            .iter()
            .map(|lane| {
                let past = Past::read(&store, &lane.name).unwrap();
                (lane.name.clone(), past)
            })
            .collect();
        let not_before: BTreeMap<String, Option<Timestamp>> = setup
            .lanes
            .iter()
            .map(|lane| (lane.name.clone(), store.blocked_until(&lane.name).unwrap()))
            .collect();
        let run = store.begin(&start(run_id, &plan.trailer.lanes)).unwrap();
        let (handle, recording) = recorded(store, run);
        let ready = setup
            .lanes
            .into_iter()
            .zip(transports)
            .map(|(lane, transport)| ApplyLane {
                counts: plan.trailer.lanes[&lane.name].clone(),
                transport,
                tps_limit: None,
                ledger: Ledger::empty(Timestamp::UNIX_EPOCH),
                bounds: Bounds {
                    not_before: not_before[&lane.name],
                    ..self.bounds
                },
                past: past[&lane.name].clone(),
                plan: opens(&plan.bytes),
                lane: Arc::new(lane),
            });
        let ends = apply(
            ready.collect(),
            handle,
            Arc::new(Silent),
            self.clock,
            &Interrupt::new().1,
        )
        .await;
        let store = recording.await.unwrap();
        assert!(ends.values().all(|end| end.counts.adds_up()));
        (ends, store)
    }
}

/// Opens these bytes as a plan file.
fn opens(bytes: &[u8]) -> OpenPlan {
    let bytes: Arc<[u8]> = bytes.into();
    Box::new(move || Ok(Box::new(Cursor::new(Arc::clone(&bytes)))))
}

fn start(run_id: &str, lanes: &BTreeMap<String, LaneCounts>) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        command: "sync".to_owned(),
        scope: Scope::Whole,
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        plan_sha256: None,
        plan_path: None,
        source_sha256: None,
        source_rows: None,
        tool_version: "0".to_owned(),
        guards: Vec::new(),
        allowed: Vec::new(),
        lanes: lanes.clone(),
    }
}

const FAST: &str = "quota = [{ calls = 1000, per = \"second\" }], concurrency = 4";

#[tokio::test(start_paused = true)]
async fn one_throttle_answer_pauses_every_worker_of_its_lane() {
    let folder = Folder::new(&["crm"], 40, FAST);
    let transport = Scripted::new(|number, _| match number {
        10 => Play::Answer(
            429,
            "{}",
            vec![("retry-after", "7")],
            Duration::from_millis(20),
        ),
        _ => status(200),
    });
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    assert_eq!(ends["crm"].counts.updated, 40);
    let seen = transport.seen();
    assert_eq!(seen.len(), 41);
    let asked = seen[10].ended.unwrap();
    let during = seen
        .iter()
        .filter(|s| s.began > asked && s.began < asked + Duration::from_secs(7))
        .count();
    assert_eq!(during, 0, "nothing begins while the provider asks to wait");
    assert!(
        seen.iter()
            .any(|s| s.began >= asked + Duration::from_secs(7))
    );
}

#[tokio::test(start_paused = true)]
async fn a_row_is_attempted_four_times_and_once_at_the_end_and_the_next_run_tries_again() {
    let folder = Folder::new(&["crm"], 5, FAST);
    let poisoned = |request: &Request| request.url.ends_with("/r3");
    let transport =
        Scripted::new(move |_, request| status(if poisoned(request) { 503 } else { 200 }));
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let counts = &ends["crm"].counts;
    assert_eq!(
        (
            counts.updated,
            counts.failed,
            counts.requests,
            counts.retries
        ),
        (4, 1, 9, 4)
    );
    let tries: Vec<Seen> = transport
        .seen()
        .into_iter()
        .filter(|s| s.url.ends_with("/r3"))
        .collect();
    // With a share of one half the waits are 250, 500 and 1,000 ms.
    for (pair, wait) in tries.windows(2).zip([250, 500, 1000]) {
        let waited = pair[1].began.saturating_sub(pair[0].ended.unwrap());
        assert!(waited >= Duration::from_millis(wait), "{waited:?}");
    }
    let again = Scripted::new(|_, _| {
        Play::Answer(200, r#"{"id":"r3"}"#, Vec::new(), Duration::from_millis(20))
    });
    let ends = folder.sync("run-2", vec![again.clone()]).await;
    assert_eq!(
        (ends["crm"].counts.unchanged, ends["crm"].counts.updated),
        (4, 1)
    );
    // A read, because nobody knows what the errors did, and the update.
    assert_eq!(again.seen().len(), 2);
    let third = Scripted::new(|_, _| status(200));
    folder.sync("run-3", vec![third.clone()]).await;
    assert_eq!(third.seen().len(), 0);
}

#[tokio::test]
async fn a_lane_that_hangs_does_not_slow_another() {
    let folder = Folder::new(&["hangs", "works"], 30, FAST);
    let works = Scripted::new(|_, _| status(200));
    // The hanging provider answers only once the other lane is done: were one
    // lane to wait for the other, this test would never end.
    let done = works.clone();
    let mut hangs = Scripted::new(|_, _| status(200));
    hangs.hold = Some(Arc::new(move || {
        done.seen().iter().filter(|s| s.ended.is_some()).count() == 30
    }));
    let ends = folder.sync("run-1", vec![hangs, works]).await;
    assert_eq!(ends["works"].counts.updated, 30);
    assert_eq!(ends["hangs"].counts.updated, 30);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_stop_the_lane_and_reject_nothing() {
    let folder = Folder::new(&["crm"], 100, FAST);
    let transport = Scripted::new(|_, _| status(401));
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let end = &ends["crm"];
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Credentials, _))
    ));
    assert_eq!((end.counts.planned, end.counts.rejected), (100, 0));
    assert!(
        transport.seen().len() <= 4,
        "{} requests saw a 401",
        transport.seen().len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_longer_than_a_run_waits_defers_the_lane() {
    let folder = Folder::new(&["crm"], 50, FAST);
    let transport = Scripted::new(|number, _| match number {
        0..10 => status(200),
        _ => Play::Answer(
            429,
            "{}",
            vec![("retry-after", "1000000")],
            Duration::from_millis(20),
        ),
    });
    let ends = folder.sync("run-1", vec![transport.clone()]).await;
    let end = &ends["crm"];
    assert!(matches!(
        end.stopped,
        Some(Stopped::Provider(Stop::Deferred, _))
    ));
    assert_eq!((end.counts.updated, end.counts.planned), (10, 40));
    assert!(transport.seen().len() <= 14);
}

#[tokio::test(start_paused = true)]
async fn a_day_that_is_used_up_defers_the_lane() {
    for concurrency in [1, 4, 8] {
        let limits = format!(
            "quota = [{{ calls = 1000, per = \"second\" }}, {{ calls = 6, per = \"day\", writes_only = true }}], concurrency = {concurrency}"
        );
        let folder = Folder::new(&["crm"], 20, &limits);
        let transport = Scripted::new(|_, _| status(200));
        let ends = folder.sync("run-1", vec![transport.clone()]).await;
        assert_eq!(
            (ends["crm"].counts.updated, ends["crm"].counts.planned),
            (6, 14)
        );
        assert!(matches!(
            ends["crm"].stopped,
            Some(Stopped::Provider(Stop::Deferred, _))
        ));
        assert_eq!(transport.seen().len(), 6, "all of the quota is used");
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_leaves_before_its_intent_is_durable() {
    let folder = Folder::new(&["crm"], 60, FAST);
    let state = folder.state();
    let checked = Arc::new(AtomicUsize::new(0));
    let transport = Scripted {
        watch: {
            let checked = Arc::clone(&checked);
            Arc::new(move |request| {
                let key = request.url.rsplit_once("/r").unwrap().1;
                assert!(
                    in_doubt(&state).contains(&format!("c{key}")),
                    "no intent of c{key}"
                );
                checked.fetch_add(1, Ordering::SeqCst);
            })
        },
        // Fewer refusals than a row has attempts: none can use all of its own up,
        // whatever order the requests come in.
        ..Scripted::new(|number, _| {
            status(if number % 5 == 0 && number < 15 {
                500
            } else {
                200
            })
        })
    };
    folder.sync("run-1", vec![transport.clone()]).await;
    assert_eq!(checked.load(Ordering::SeqCst), transport.seen().len());
    assert!(
        in_doubt(&folder.state()).is_empty(),
        "an acceptance settles what was in doubt before it"
    );
}

/// The keys whose fields are unknown because of an attempt without an answer.
fn in_doubt(state: &Path) -> BTreeSet<String> {
    let store = Store::open_read_only(state).unwrap().unwrap();
    store
        .in_doubt("crm")
        .unwrap()
        .into_keys()
        .map(|key| key.as_str().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_is_sent_again_even_if_the_file_went_back() {
    let folder = Folder::new(&["crm"], 1, FAST);
    let write = |email: &str| {
        fs::write(
            folder.directory.path().join("clients.csv"),
            format!("client_id,remote,email\nc0,r0,{email}\n"),
        )
        .unwrap();
    };
    write("old@example.com");
    folder
        .sync("run-1", vec![Scripted::new(|_, _| status(200))])
        .await;
    write("new@example.com");
    let lost = Scripted::new(|_, _| Play::Nothing(NoResponse::Broken, Duration::from_millis(20)));
    let ends = folder.sync("run-2", vec![lost]).await;
    assert_eq!(ends["crm"].counts.in_doubt, 1);
    write("old@example.com");
    let held = r#"{"id":"r0","email":"new@example.com"}"#;
    let back = Scripted::new(move |number, request| {
        let sent = request.body.as_deref();
        let expected = [None, Some(r#"{"email":"old@example.com"}"#)];
        assert_eq!(sent, expected[number], "it is read before it is sent");
        Play::Answer(200, held, Vec::new(), Duration::from_millis(20))
    });
    let ends = folder.sync("run-3", vec![back.clone()]).await;
    assert_eq!((ends["crm"].counts.updated, back.seen().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn the_pace_holds_on_the_providers_side() {
    let folder = Folder::new(
        &["crm"],
        60,
        "quota = [{ calls = 10, per = \"second\" }, { calls = 120, per = \"minute\" }], concurrency = 8",
    );
    let transport = Scripted::new(|_, _| status(200));
    folder.sync("run-1", vec![transport.clone()]).await;
    let times: Vec<Duration> = transport.seen().iter().map(|s| s.began).collect();
    for (window, quota) in [(1, 10), (60, 120)] {
        let window = Duration::from_secs(window);
        let most = times
            .iter()
            .map(|from| {
                times
                    .iter()
                    .filter(|t| *t >= from && **t < *from + window)
                    .count()
            })
            .max();
        assert!(most <= Some(quota), "{most:?} in {window:?}");
    }
}
