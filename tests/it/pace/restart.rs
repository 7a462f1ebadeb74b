//! Across restarts: what earlier runs sent counts, whether they ended or were
//! killed, and whatever became of the clock meanwhile.

use std::collections::BTreeMap;

use clientsync::core::{LaneCounts, Method, Scope};
use clientsync::store::{Answer, AttemptResult, Entry, Intent, RunStart, Store};

use super::*;

/// A state with one lane, and the time of day that goes with the paused clock.
struct State {
    // It goes away with the state.
    _directory: TempDir,
    store: Store,
    start: Instant,
    runs: u32,
}

/// One request of a run.
struct Sent {
    intended: Timestamp,
    departed: Timestamp,
    took: Option<Duration>,
}

impl State {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let config = "version = 1\n[source]\npath = \"clients.csv\"\nkey = \"client_id\"\n\
                      [providers.crm]\nkind = \"complycube\"\nid = \"remote\"\n\
                      [providers.crm.fields]\nemail = \"email\"\n";
        let source = directory.path().join("clients.csv");
        fs::write(source, "client_id,remote,email\n1,a,x@example.com\n").unwrap();
        let setup = Setup::read(config, directory.path()).unwrap();
        let mut store = Store::open(&directory.path().join("state.db")).unwrap();
        setup.bind(&mut store);
        Self {
            _directory: directory,
            store,
            start: Instant::now(),
            runs: 0,
        }
    }

    fn time(&self) -> Timestamp {
        now() + self.start.elapsed()
    }

    /// Records a run and what it sent.
    fn record(&mut self, began: Timestamp, sent: &[Sent]) {
        self.runs += 1;
        let start = RunStart {
            run_id: format!("run-{}", self.runs),
            command: "sync".to_owned(),
            scope: Scope::Whole,
            started: began,
            plan_sha256: None,
            plan_path: None,
            source_sha256: None,
            source_rows: None,
            tool_version: "0".to_owned(),
            guards: Vec::new(),
            allowed: Vec::new(),
            lanes: BTreeMap::from([("crm".to_owned(), LaneCounts::default())]),
        };
        let run = self.store.begin(&start).unwrap();
        let mut entries = Vec::new();
        for (sent, request) in sent.iter().zip(1..) {
            entries.push(Entry::Intent(Intent {
                request,
                lane: "crm".to_owned(),
                key: None,
                line: None,
                n: 1,
                method: Method::Get,
                at: sent.intended,
                body_sha256: None,
                fields: Vec::new(),
            }));
            entries.extend(sent.took.map(|took| {
                Entry::Answer(Answer {
                    request,
                    result: AttemptResult::Accepted,
                    status: Some(200),
                    provider_request_id: None,
                    message: None,
                    sent: sent.departed,
                    took,
                })
            }));
        }
        self.store.record(run, &entries).unwrap();
    }

    /// A pacer for a run that begins now, by this clock.
    fn pacer(&self, limits: &Limits, time: Timestamp) -> Arc<Pacer> {
        let ledger = Ledger::read(&self.store, "crm", limits, time).unwrap();
        Arc::new(Pacer::new(limits, None, &ledger))
    }

    /// A run that is killed after so long. Gives when its requests arrived, also
    /// of those that were under way.
    async fn killed_run(
        &mut self,
        limits: &Limits,
        length: Duration,
        trip: &Trip,
    ) -> Vec<Duration> {
        let (began, start) = (self.time(), self.start);
        let pacer = self.pacer(limits, began);
        let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let arrivals: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let mut tasks = JoinSet::new();
        for _ in 0..256 {
            let (pacer, trip) = (Arc::clone(&pacer), Arc::clone(trip));
            let (sent, arrivals) = (Arc::clone(&sent), Arc::clone(&arrivals));
            tasks.spawn(async move {
                loop {
                    let turn = pacer.admit(Asked::Read).await.unwrap();
                    let intended = now() + start.elapsed();
                    // The intent becomes durable.
                    tokio::time::sleep(millis(3)).await;
                    let number = {
                        let mut sent = sent.lock().unwrap();
                        sent.push(Sent {
                            intended,
                            departed: now() + start.elapsed(),
                            took: None,
                        });
                        sent.len() - 1
                    };
                    let (there, back) = trip();
                    // What has left arrives, whether its sender lives or not.
                    arrivals.lock().unwrap().push(start.elapsed() + there);
                    tokio::time::sleep(there + back).await;
                    sent.lock().unwrap()[number].took = Some(there + back);
                    turn.end(Ending::Answered);
                }
            });
        }
        let ended = tokio::time::timeout(length, tasks.join_next()).await;
        assert!(ended.is_err(), "no task ends by itself");
        tasks.shutdown().await;
        // What is older than any window is of no use to the ledger.
        let sent = std::mem::take(&mut *sent.lock().unwrap());
        let old = sent.len().saturating_sub(3_000);
        self.record(began, &sent[old..]);
        arrivals.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn no_window_is_over_across_a_kill_and_99_percent_are_used() {
    for (calls, per, requests) in RATES {
        for latency in [20, 200] {
            let limits = limits(&[(calls, per)]);
            let rate = f64::from(calls) / Duration::from_secs(per.seconds()).as_secs_f64();
            let length =
                Duration::from_secs_f64(f64::from(u32::try_from(requests).unwrap()) / rate);
            let mut state = State::new();
            let mut arrivals = state.killed_run(&limits, length, &steady(latency)).await;
            arrivals.extend(state.killed_run(&limits, length, &steady(latency)).await);
            let over = windows_over(&arrivals, calls, per);
            assert_eq!(over, 0, "{calls} per {per:?} at {latency} ms");
            let used = used(&arrivals, calls, per);
            assert!(used >= 0.99, "{calls} per {per:?} at {latency} ms: {used}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_short_runs_that_are_killed_let_no_window_be_over() {
    for seed in 0..12 {
        let seeded = Seeded::new(seed);
        let calls = u32::try_from(seeded.below(60)).unwrap() + 1;
        let quotas = [(calls, Window::Second), (2 * calls, Window::Minute)];
        let mut state = State::new();
        let trip = jittery(seeded.below(300), 50, seed);
        let mut arrivals = Vec::new();
        for _ in 0..20 {
            let length = millis(seeded.below(20_000));
            arrivals.extend(state.killed_run(&limits(&quotas), length, &trip).await);
            tokio::time::advance(millis(seeded.below(3_000))).await;
        }
        for (calls, per) in quotas {
            assert_eq!(
                windows_over(&arrivals, calls, per),
                0,
                "seed {seed}: {calls} per {per:?}"
            );
        }
        assert!(
            used(&arrivals, 2 * calls, Window::Minute) > 0.5,
            "seed {seed}"
        );
    }
}

/// So many answered requests at a time.
fn at_once(count: usize, at: Timestamp) -> Vec<Sent> {
    let sent = |_| Sent {
        intended: at,
        departed: at,
        took: Some(millis(20)),
    };
    (0..count).map(sent).collect()
}

/// How long the first request of a run waits.
async fn first_wait(state: &State, limits: &Limits, time: Timestamp) -> Duration {
    let pacer = state.pacer(limits, time);
    let start = Instant::now();
    pacer
        .admit(Asked::Read)
        .await
        .unwrap()
        .end(Ending::Answered);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_makes_nobody_wait_longer_than_a_window() {
    let limits = limits(&[(60, Window::Minute)]);
    let minute = Duration::from_secs(60);
    for ahead in [1, 30, 3_600, 86_400, 80 * 365 * 86_400] {
        let mut state = State::new();
        let wrong = now() + Duration::from_secs(ahead);
        state.record(wrong, &at_once(60, wrong));
        let wait = first_wait(&state, &limits, now()).await;
        assert!(
            wait >= minute && wait <= minute + millis(10),
            "{ahead} s: {wait:?}"
        );
        // A run that began with the right clock shows that they are old.
        state.record(now(), &[]);
        let later = now() + 2 * minute;
        assert_eq!(first_wait(&state, &limits, later).await, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_spends_no_later_day() {
    let limits = limits(&[(60, Window::Day)]);
    let mut state = State::new();
    let wrong: Timestamp = "2106-01-01T00:00:00Z".parse().unwrap();
    state.record(wrong, &at_once(60, wrong));
    let today = state.pacer(&limits, now());
    assert!(today.admit(Asked::Read).await.is_err());
    state.record(now(), &[]);
    let tomorrow = now() + Duration::from_secs(86_400);
    assert_eq!(first_wait(&state, &limits, tomorrow).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_day_counts_what_earlier_runs_sent_since_midnight() {
    let mut limits = limits(&[(5, Window::Day)]);
    let mut state = State::new();
    let yesterday = now() - Duration::from_secs(12 * 3_600 + 1);
    state.record(yesterday, &at_once(9, yesterday));
    let today = now() - Duration::from_secs(12 * 3_600);
    state.record(today, &at_once(3, today));
    let pacer = state.pacer(&limits, now());
    drive(&pacer, Asked::Read, 2, &steady(0)).await;
    assert!(pacer.admit(Asked::Read).await.is_err());
    // They were reads: a day's quota of writes knows nothing of them.
    limits.quota[0].writes_only = true;
    let pacer = state.pacer(&limits, now());
    drive(&pacer, Asked::Write, 5, &steady(0)).await;
    assert!(pacer.admit(Asked::Write).await.is_err());
}
