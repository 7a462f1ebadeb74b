//! One run of the program: the file is planned against the state, the plan is
//! applied, and somewhere on the way the program may be killed.
//!
//! Killed means that the runtime and the recorder are dropped where they stand:
//! what was committed and what had left is all that remains. Most states lie in
//! memory, because a disk's flushes take most of the time; some lie in a file,
//! which is opened again for every run.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use clientsync::core::{LaneCounts, RecordKey, Scope};
use clientsync::engine::{
    ApplyLane, Bounds, Interrupt, Lane, LaneEnd, Ledger, Past, Recorder, Recording, Silent, apply,
};
use clientsync::provider::Catalog;
use clientsync::store::{Adopted, OpenRun, RunEnd, RunExit, RunStart, SnapshotWrite, Store};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fate::Weather;
use super::judge;
use super::outside::Outside;
use super::time;
use super::town::Town;
use super::wire::Wire;
use crate::support::campaign::{Chance, say};
use crate::support::lane::{Plan, Setup};

/// Compiled once: seeds share them.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::load(&[]).unwrap());

/// How long a run may take, as the command line has it, and how long it may
/// take to notice.
const RUN_TIME: Duration = Duration::from_secs(6 * 3600);
const NOTICING: Duration = Duration::from_secs(600);

/// Where the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// At this request of the run, from 1.
    Request(u64, Moment),
    /// At this commit of the journal, from 1.
    Commit(u64, Side),
}

/// When, at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Its intent is durable, and it has not left.
    Leaving,
    /// It has left.
    UnderWay,
    /// The first answer after it has come, and nobody has heard it.
    Answered,
}

/// Before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    /// Before anybody hears of it.
    After,
}

impl Crash {
    pub(super) fn draw(chance: &mut Chance, busy: u64) -> Self {
        let at = 1 + chance.below(busy.max(1));
        match chance.below(5) {
            0 => Self::Request(at, Moment::Leaving),
            1 => Self::Request(at, Moment::UnderWay),
            2 => Self::Request(at, Moment::Answered),
            3 => Self::Commit(2 * at, Side::Before),
            _ => Self::Commit(2 * at, Side::After),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There was nothing to do, and nothing was done.
    NothingPlanned,
    /// By itself.
    Through,
    /// It was killed.
    Killed,
}

/// The machine that the program runs on.
pub(super) struct Site {
    directory: TempDir,
    /// The state between runs, where it lies in memory.
    kept: Option<Store>,
    config: String,
    town: Town,
    outside: Arc<Mutex<Outside>>,
    runs: usize,
}

impl Site {
    /// A new state, in which some of what the providers hold is known.
    pub(super) fn build(town: Town, chance: &mut Chance) -> Self {
        let in_memory = || Store::open_in_memory().unwrap();
        let mut site = Self {
            directory: TempDir::new().unwrap(),
            kept: (!chance.percent(6)).then(in_memory),
            config: town.config(),
            outside: Arc::new(Mutex::new(Outside::new(&town, chance))),
            town,
            runs: 0,
        };
        fs::write(site.source(), site.town.source()).unwrap();
        let (mut store, is_kept) = site.open();
        let setup = site.setup();
        setup.bind(&mut store);
        let run = store.begin(&start("adopt", &BTreeMap::new())).unwrap();
        for lane in &setup.lanes {
            store
                .adopt(run, &lane.name, &site.known(lane, chance))
                .unwrap();
        }
        store.end(run, &end(BTreeMap::new())).unwrap();
        site.kept = is_kept.then_some(store);
        site
    }

    /// What is known of some of the records in the beginning.
    fn known(&self, lane: &Lane, chance: &mut Chance) -> Vec<Adopted> {
        let share = *chance.one(&[0, 50, 100]);
        let mut outside = self.outside.lock().unwrap();
        let remote = outside.remotes.get_mut(&lane.name).unwrap();
        let mut known = Vec::new();
        for client in &self.town.clients {
            let Some(id) = &client.lanes[lane.name.as_str()].id else {
                continue;
            };
            if !chance.percent(share) {
                continue;
            }
            let state = remote.records[id].began.clone();
            let mut settled = Vec::new();
            for mapping in &lane.mappings {
                let value = judge::held(&mapping.field, &state);
                if chance.percent(80) {
                    let value = lane.keep(&mapping.field, &value);
                    settled.push((mapping.field.path.clone(), Some(value)));
                }
            }
            remote.told.entry(id.clone()).or_default().push(state);
            known.push(Adopted {
                key: RecordKey::from_cells([client.key.as_str()]),
                snapshot: SnapshotWrite {
                    remote_id: id.clone(),
                    settled,
                },
            });
        }
        known
    }

    fn source(&self) -> PathBuf {
        self.directory.path().join("clients.csv")
    }

    fn state(&self) -> PathBuf {
        self.directory.path().join("state.db")
    }

    /// The state, and whether it is to be kept in memory.
    fn open(&mut self) -> (Store, bool) {
        match self.kept.take() {
            Some(store) => (store, true),
            None => (Store::open(&self.state()).unwrap(), false),
        }
    }

    fn setup(&self) -> Setup {
        Setup::read_with(&CATALOG, &self.config, self.directory.path()).unwrap()
    }

    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    /// About how many requests a run may send.
    pub(super) fn busy(&self) -> u64 {
        u64::try_from(self.town.clients.len()).unwrap() * 3
    }

    pub(super) fn log(&self) -> Vec<String> {
        self.outside.lock().unwrap().log.clone()
    }

    /// The file changes, and people change what is theirs at the providers.
    pub(super) fn change(&mut self, chance: &mut Chance) {
        self.town.change(chance);
        fs::write(self.source(), self.town.source()).unwrap();
        let mut outside = self.outside.lock().unwrap();
        outside.land(time::now());
        outside.drift(&self.town, chance);
    }

    /// One run, judged where it stopped; each lane may send so many requests.
    pub(super) fn run(
        &mut self,
        weather: Weather,
        crash: Option<Crash>,
        budget: Option<u64>,
    ) -> Ended {
        let (mut store, is_kept) = self.open();
        let setup = self.setup();
        setup.bind(&mut store);
        let plan = setup.plan(&store);
        judge::plan(&self.town, &plan.trailer.lanes);
        if plan.trailer.lanes.values().all(|lane| lane.planned == 0) {
            self.kept = is_kept.then_some(store);
            return Ended::NothingPlanned;
        }
        self.runs += 1;
        let run_id = format!("run-{}", self.runs);
        let run = store.begin(&start(&run_id, &plan.trailer.lanes)).unwrap();
        self.outside.lock().unwrap().begin(weather, crash);
        let (ends, mut store) = self.apply(store, run, setup.lanes, &plan, budget);
        let ended = if let Some(ends) = ends {
            let requests = self.outside.lock().unwrap().requests;
            judge::counts(&ends, &plan.trailer.lanes, requests, budget);
            let counts = ends.into_iter().map(|(name, end)| (name, end.counts));
            store.end(run, &end(counts.collect())).unwrap();
            Ended::Through
        } else {
            Ended::Killed
        };
        self.kept = is_kept.then_some(store);
        let (store, _) = self.open();
        let mut outside = self.outside.lock().unwrap();
        outside.land(time::now());
        judge::journal(&store, &run_id, &self.town, &outside);
        judge::snapshot(&store, &self.town, &outside);
        drop(outside);
        self.kept = is_kept.then_some(store);
        ended
    }

    /// Applies a plan: how the lanes end, unless the program was killed, and the
    /// state as far as it was written.
    fn apply(
        &self,
        store: Store,
        run: OpenRun,
        lanes: Vec<Lane>,
        plan: &Plan,
        budget: Option<u64>,
    ) -> (Option<BTreeMap<String, LaneEnd>>, Store) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            time::run();
            let killed = Arc::new(Notify::new());
            let dead = Arc::new(Notify::new());
            let ready = lanes
                .into_iter()
                .filter(|lane| plan.trailer.lanes[&lane.name].planned > 0)
                .map(|lane| {
                    let mut ready = self.ready(lane, plan, &store, &killed);
                    ready.bounds.budget = budget;
                    ready
                })
                .collect();
            let (recorder, recording) = Recorder::new(store, run);
            let outside = Arc::clone(&self.outside);
            let until = (Arc::clone(&killed), Arc::clone(&dead));
            let recorded = tokio::spawn(serve(recording, outside, until));
            let (_trip, interrupt) = Interrupt::new();
            let applied = apply(ready, recorder, Arc::new(Silent), time::clock(), &interrupt);
            let ends = tokio::select! {
                biased;
                () = killed.notified() => None,
                ends = tokio::time::timeout(RUN_TIME + NOTICING, applied) => {
                    Some(ends.expect("the run ends by itself"))
                }
            };
            dead.notify_one();
            let store = recorded.await.unwrap();
            time::stop();
            (ends, store)
        })
    }

    fn ready(
        &self,
        lane: Lane,
        plan: &Plan,
        store: &Store,
        killed: &Arc<Notify>,
    ) -> ApplyLane<Wire> {
        let bytes = plan.bytes.clone();
        ApplyLane {
            transport: Wire {
                lane: lane.name.clone(),
                is_renewable: lane.name == "nexudus",
                outside: Arc::clone(&self.outside),
                killed: Arc::clone(killed),
                generation: Arc::new(AtomicU64::new(1)),
            },
            tps_limit: None,
            ledger: Ledger::read(store, &lane.name, &lane.limits, time::of_day()).unwrap(),
            bounds: Bounds {
                budget: None,
                deadline: Some(Instant::now() + RUN_TIME),
                not_before: store.blocked_until(&lane.name).unwrap(),
            },
            counts: plan.trailer.lanes[&lane.name].clone(),
            past: Past::read(store, &lane.name).unwrap(),
            plan: Box::new(move || Ok(Box::new(Cursor::new(bytes.clone())))),
            lane: Arc::new(lane),
        }
    }

    /// The end of all: everyone holds what the file says.
    pub(super) fn judge_end(&self) {
        let outside = self.outside.lock().unwrap();
        judge::end(&self.town, &outside);
        for lane in &self.setup().lanes {
            judge::pace(lane, &outside);
        }
    }
}

impl Drop for Site {
    /// Where a seed is asked for and fails, all that was asked is told.
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("CLIENTSYNC_SEED").is_some() {
            let outside = self.outside.lock().unwrap_or_else(PoisonError::into_inner);
            outside.log.iter().for_each(|line| say(line));
        }
    }
}

/// Writes the journal on the runtime's own thread, so that no thread races the
/// clock.
async fn serve(
    mut recording: Recording,
    outside: Arc<Mutex<Outside>>,
    (killed, dead): (Arc<Notify>, Arc<Notify>),
) -> Store {
    let mut commits = 0;
    loop {
        let asked = tokio::select! {
            biased;
            () = dead.notified() => false,
            asked = recording.asked() => asked,
        };
        if !asked {
            return recording.end();
        }
        // Whoever is about to ask shares the transaction.
        tokio::task::yield_now().await;
        commits += 1;
        let dies = |side| {
            let mut outside = outside.lock().unwrap();
            outside.dies(Crash::Commit(commits, side), &killed)
        };
        if !dies(Side::Before) {
            recording.commit().unwrap();
            dies(Side::After);
        }
    }
}

fn start(run_id: &str, lanes: &BTreeMap<String, LaneCounts>) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        command: "sync".to_owned(),
        scope: Scope::Whole,
        started: time::of_day(),
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

fn end(lanes: BTreeMap<String, LaneCounts>) -> RunEnd {
    RunEnd {
        exit: RunExit {
            code: 0,
            name: "ok".to_owned(),
        },
        at: time::of_day(),
        lanes,
    }
}
