//! A provider in memory that keeps its records and a log, a clock that never
//! waits, and lanes that send to it.
//!
//! The provider is the judge: what became of a record is what it holds. Whether
//! a request fails is a function of the seed, the record and how often it was
//! asked for, so that a seed gives the same faults whatever the order.
//!
//! What happens late has no timer of its own: it happens with the first request
//! after its time.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use super::*;

/// What the provider does about a request.
#[derive(Clone, Debug)]
pub(super) enum Does {
    /// What it is there for.
    Works,
    /// Answers with this status and these headers, and does nothing.
    Says(u16, Vec<(String, String)>),
    /// Does it, and the connection is reset.
    AppliesAndResets,
    /// Never answers; does it so long after it was asked.
    AppliesLate(Duration),
    /// No answer, and nothing done.
    Nothing(NoResponse),
}

impl Does {
    pub(super) fn says(status: u16) -> Self {
        Self::Says(status, Vec::new())
    }
}

/// One request as the provider saw it.
#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) id: String,
    pub(super) is_write: bool,
    pub(super) at: Duration,
    pub(super) answered: Option<Duration>,
}

/// How a request is judged: which one it is of its record (from 0), and it.
type Judge = dyn Fn(&Ask<'_>) -> Does + Send + Sync;

/// A request that is judged.
pub(super) struct Ask<'a> {
    pub(super) id: &'a str,
    pub(super) is_write: bool,
    /// Requests of this record before it.
    pub(super) nth: u64,
    /// Requests of the provider before it.
    pub(super) number: usize,
}

#[derive(Default)]
struct Held {
    records: BTreeMap<String, Value>,
    /// How often an update of a record was applied.
    applied: BTreeMap<String, u32>,
    /// Requests of each record so far.
    asked: BTreeMap<String, u64>,
    open: BTreeSet<String>,
    /// Updates that were asked for and are applied later.
    late: Vec<(Instant, String, String)>,
    log: Vec<Logged>,
}

/// A provider in memory.
#[derive(Clone)]
pub(super) struct Provider {
    start: Instant,
    judge: Arc<Judge>,
    held: Arc<Mutex<Held>>,
}

impl Provider {
    pub(super) fn new(judge: impl Fn(&Ask<'_>) -> Does + Send + Sync + 'static) -> Self {
        Self {
            start: Instant::now(),
            judge: Arc::new(judge),
            held: Arc::default(),
        }
    }

    /// The same provider with its records, judged in another way from now on.
    pub(super) fn judged(&self, judge: impl Fn(&Ask<'_>) -> Does + Send + Sync + 'static) -> Self {
        {
            let mut held = self.held.lock().unwrap();
            held.log.clear();
            held.asked.clear();
        }
        Self {
            start: Instant::now(),
            judge: Arc::new(judge),
            held: Arc::clone(&self.held),
        }
    }

    pub(super) fn log(&self) -> Vec<Logged> {
        self.held.lock().unwrap().log.clone()
    }

    pub(super) fn requests(&self) -> usize {
        self.held.lock().unwrap().log.len()
    }

    pub(super) fn emails(&self) -> BTreeMap<String, String> {
        let held = self.held.lock().unwrap();
        let email = |(id, record): (&String, &Value)| {
            Some((id.clone(), record.get("email")?.as_str()?.to_owned()))
        };
        held.records.iter().filter_map(email).collect()
    }

    /// How often the updates of each record were applied.
    pub(super) fn applied(&self) -> BTreeMap<String, u32> {
        self.held.lock().unwrap().applied.clone()
    }

    /// Applies the late updates whose time has come.
    pub(super) fn land(&self) {
        let mut held = self.held.lock().unwrap();
        let now = Instant::now();
        let due: Vec<_> = held.late.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, id, body) in due {
            Self::apply(&mut held, &id, Some(&body));
        }
    }

    fn apply(held: &mut Held, id: &str, body: Option<&str>) -> String {
        let record = held
            .records
            .entry(id.to_owned())
            .or_insert_with(|| json!({ "id": id }));
        if let (Some(body), Value::Object(record)) = (body, &mut *record) {
            let body: Map<String, Value> = serde_json::from_str(body).unwrap();
            record.extend(body);
            *held.applied.entry(id.to_owned()).or_default() += 1;
        }
        held.records[id].to_string()
    }
}

impl Transport for Provider {
    fn send(&self, request: Request) -> impl Future<Output = (Exchange, Generation)> + Send {
        let me = self.clone();
        async move {
            let id = request.url.rsplit('/').next().unwrap().to_owned();
            me.land();
            let (place, does) = {
                let mut held = me.held.lock().unwrap();
                let is_new = held.open.insert(id.clone());
                assert!(is_new, "one record never has two requests open");
                let nth = held.asked.get(&id).copied().unwrap_or_default();
                held.asked.insert(id.clone(), nth + 1);
                let does = (me.judge)(&Ask {
                    id: &id,
                    is_write: request.body.is_some(),
                    nth,
                    number: held.log.len(),
                });
                held.log.push(Logged {
                    id: id.clone(),
                    is_write: request.body.is_some(),
                    at: me.start.elapsed(),
                    answered: None,
                });
                (held.log.len() - 1, does)
            };
            let took = match &does {
                Does::Nothing(NoResponse::TimedOut) | Does::AppliesLate(_) => 30_000,
                Does::Nothing(NoResponse::NotSent) => 5,
                _ => 20,
            };
            let took = Duration::from_millis(took);
            if let (Does::AppliesLate(late), Some(body)) = (&does, &request.body) {
                let late = (Instant::now() + took + *late, id.clone(), body.clone());
                me.held.lock().unwrap().late.push(late);
            }
            tokio::time::sleep(took).await;
            let mut held = me.held.lock().unwrap();
            held.log[place].answered = Some(me.start.elapsed());
            held.open.remove(&id);
            let result = match does {
                Does::Works => {
                    let shown = Self::apply(&mut held, &id, request.body.as_deref());
                    Ok(answer(200, Vec::new(), &shown))
                }
                Does::Says(status, headers) => Ok(answer(status, headers, "{}")),
                Does::AppliesAndResets => {
                    Self::apply(&mut held, &id, request.body.as_deref());
                    Err(NoResponse::Broken)
                }
                Does::AppliesLate(_) => Err(NoResponse::TimedOut),
                Does::Nothing(nothing) => Err(nothing),
            };
            (Exchange { result, took }, Generation(0))
        }
    }

    fn renew(&self, _refused: Generation) -> impl Future<Output = Renewal> + Send {
        std::future::ready(Renewal::Impossible)
    }
}

fn answer(status: u16, headers: Vec<(String, String)>, body: &str) -> Response {
    Response {
        status,
        headers,
        body: body.as_bytes().to_vec(),
    }
}

/// A number from a seed and a few words (splitmix64 over their bytes).
pub(super) fn drawn(seed: u64, words: &[&str]) -> u64 {
    let mut state = seed;
    let mut next = |word: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ word;
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    };
    for word in words {
        word.bytes().for_each(|byte| next(u64::from(byte)));
        next(256);
    }
    state
}

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    static SHARES: Cell<u64> = const { Cell::new(0) };
}

/// When the clock of [`clock`] begins.
pub(super) const EPOCH: &str = "2026-01-01T00:00:00Z";

/// The time of day on the paused clock, and shares from a seed.
pub(super) fn clock(seed: u64) -> Clock {
    BEGAN.set(Some(Instant::now()));
    SHARES.set(seed);
    Clock {
        now: || {
            let passed = BEGAN.get().map_or(Duration::ZERO, |began| began.elapsed());
            EPOCH.parse::<Timestamp>().unwrap() + passed
        },
        share: || {
            let next = drawn(SHARES.get(), &["share"]);
            SHARES.set(next);
            f64::from(u32::try_from(next >> 32).unwrap()) / f64::from(u32::MAX)
        },
    }
}

/// Lanes over one source, with their state in memory between runs.
pub(super) struct World {
    folder: Folder,
    store: Option<Store>,
    runs: usize,
}

impl World {
    pub(super) fn new(lanes: &[&str], rows: usize, limits: &str, seed: u64) -> Self {
        let mut folder = Folder::new(lanes, rows, limits);
        folder.clock = clock(seed);
        Self {
            folder,
            store: Some(Store::open_in_memory().unwrap()),
            runs: 0,
        }
    }

    pub(super) fn bounds(&mut self, bounds: Bounds) {
        self.folder.bounds = bounds;
    }

    /// Gives every row another address; what each record is to hold then.
    pub(super) fn rewrite(&self, rows: usize, name: &str) -> BTreeMap<String, String> {
        let email = |n: usize| format!("{name}{n}@example.com");
        let row = |n: usize| format!("c{n},r{n},{}\n", email(n));
        let text: String = (0..rows).map(row).collect();
        let text = ["client_id,remote,email\n", &text].concat();
        fs::write(self.source(), text).unwrap();
        (0..rows).map(|n| (format!("r{n}"), email(n))).collect()
    }

    pub(super) fn source(&self) -> PathBuf {
        self.folder.directory.path().join("clients.csv")
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// One run; one provider for each lane.
    pub(super) async fn sync(&mut self, providers: &[&Provider]) -> BTreeMap<String, LaneEnd> {
        self.runs += 1;
        let run_id = format!("run-{}", self.runs);
        let providers = providers.iter().map(|p| (*p).clone()).collect();
        let store = self.store.take().unwrap();
        let (ends, store) = self.folder.run(store, &run_id, providers).await;
        self.store = Some(store);
        ends
    }

    /// One run of the only lane.
    pub(super) async fn sync_one(&mut self, provider: &Provider) -> LaneEnd {
        let mut ends = self.sync(&[provider]).await;
        ends.remove("crm").unwrap()
    }
}
