//! Applying: sends exactly what a plan file says, lane by lane, side by side.
//!
//! It recomputes nothing of the plan. Each lane has its own pace, its own
//! transport and its own end; a lane that stops never slows another.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::worker::Worker;
use crate::core::{LaneCounts, PlannedUpdate};
use crate::engine::ends::{LaneEnd, Stopped};
use crate::engine::event::{Event, Observer, Work};
use crate::engine::exchange::bounds::Bounds;
use crate::engine::exchange::exchanger::{Clock, Means};
use crate::engine::exchange::pacer::{Ledger, Pacer};
use crate::engine::lane::Lane;
use crate::engine::past::{Earlier, ORDER, Past};
use crate::engine::planning::plan_file::{PlanFileError, PlanReader, open_update};
use crate::engine::recorder::Recorder;
use crate::engine::transport::Transport;

/// One lane of a run.
pub struct ApplyLane<T> {
    /// The lane.
    pub lane: Arc<Lane>,
    /// Its transport.
    pub transport: T,
    /// A rate of the user, lower than the lane's limits.
    pub tps_limit: Option<f64>,
    /// What earlier runs sent that still counts.
    pub ledger: Ledger,
    /// How far it may go in this run.
    pub bounds: Bounds,
    /// The counts of the plan.
    pub counts: LaneCounts,
    /// What earlier runs made of its rows.
    pub past: Past,
    /// Opens the plan file from its beginning.
    pub plan: OpenPlan,
}

/// Opens a plan file from its beginning.
pub type OpenPlan = Box<dyn Fn() -> io::Result<PlanBytes> + Send + Sync>;

/// The bytes of a plan file.
pub type PlanBytes = Box<dyn BufRead + Send>;

impl<T> std::fmt::Debug for ApplyLane<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApplyLane")
            .field("lane", &self.lane.name)
            .finish_non_exhaustive()
    }
}

/// Somebody's wish that a run end: nothing more is begun, and what is under way
/// is finished.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// An interrupt, and what trips it.
    #[must_use]
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (trip, tripped) = watch::channel(false);
        (trip, Self(tripped))
    }

    /// Waits until it is tripped; for ever where nothing can trip it any more.
    pub(in crate::engine) async fn tripped(mut self) {
        if self.0.wait_for(|tripped| *tripped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Applies a plan. Ends when every lane has ended.
pub async fn apply<T: Transport + 'static>(
    lanes: Vec<ApplyLane<T>>,
    recorder: Recorder,
    observer: Arc<dyn Observer>,
    clock: Clock,
    interrupt: &Interrupt,
) -> BTreeMap<String, LaneEnd> {
    let mut running = JoinSet::new();
    for lane in lanes {
        let (recorder, observer) = (recorder.clone(), Arc::clone(&observer));
        let interrupt = interrupt.clone();
        running.spawn(async move {
            let name = lane.lane.name.clone();
            (
                name,
                run_lane(lane, recorder, observer, clock, interrupt).await,
            )
        });
    }
    drop(recorder);
    let mut ends = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        // A task ends by panicking only through a bug; the panic goes on.
        match ended {
            Ok((name, end)) => {
                ends.insert(name, end);
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    ends
}

async fn run_lane<T: Transport + 'static>(
    lane: ApplyLane<T>,
    recorder: Recorder,
    observer: Arc<dyn Observer>,
    clock: Clock,
    interrupt: Interrupt,
) -> LaneEnd {
    let name = lane.lane.name.clone();
    observer.observe(Event::LaneStarted {
        lane: name.clone(),
        work: Work::Send,
        rows: lane.counts.planned,
    });
    let permits = Arc::new(Semaphore::new(
        usize::try_from(lane.lane.limits.concurrency.max(1)).unwrap_or(1),
    ));
    let pacer = Pacer::new(&lane.lane.limits, lane.tps_limit, &lane.ledger);
    let means = Means {
        lane: lane.lane,
        transport: lane.transport,
        pacer,
        bounds: lane.bounds,
        recorder: Some(recorder.clone()),
        observer: Arc::clone(&observer),
        clock,
    };
    let worker = Arc::new(Worker::new(means, recorder, lane.counts));
    let listening = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move {
            interrupt.tripped().await;
            worker.stop(Stopped::Interrupted);
        }
    });
    // One key never has two requests open: it has one row, and that is in one
    // of the passes.
    for earlier in ORDER {
        if lane.past.may_have(earlier) {
            settle_rows(&worker, &permits, &lane.plan, &lane.past, earlier).await;
        }
    }
    worker.finish().await;
    listening.abort();
    let end = worker.end();
    observer.observe(Event::LaneEnded {
        lane: name,
        stopped: end.stopped.as_ref().map(Stopped::in_short),
    });
    end
}

/// Settles the rows of the plan that have this past, as many side by side as
/// there are permits.
async fn settle_rows<T: Transport + 'static>(
    worker: &Arc<Worker<T>>,
    permits: &Arc<Semaphore>,
    plan: &OpenPlan,
    past: &Past,
    earlier: Earlier,
) {
    let mut plan = match plan() {
        Ok(bytes) => PlanReader::new(bytes),
        Err(error) => return worker.stop(Stopped::Plan(error.to_string())),
    };
    let mut rows = JoinSet::new();
    while !worker.has_stopped() {
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else {
            break;
        };
        match next_update(&mut plan, worker, past, earlier) {
            Ok(Some(update)) => {
                let worker = Arc::clone(worker);
                rows.spawn(async move {
                    worker.settle(update, earlier).await;
                    drop(permit);
                });
            }
            Ok(None) => break,
            Err(error) => {
                worker.stop(Stopped::Plan(error.to_string()));
                break;
            }
        }
        // Ended tasks are let go of while the lane goes on.
        while let Some(ended) = rows.try_join_next() {
            resume(ended);
        }
    }
    while let Some(ended) = rows.join_next().await {
        resume(ended);
    }
}

fn resume(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn next_update<T: Transport>(
    plan: &mut PlanReader<PlanBytes>,
    worker: &Worker<T>,
    past: &Past,
    earlier: Earlier,
) -> Result<Option<PlannedUpdate>, PlanFileError> {
    let lane = worker.lane();
    while let Some(mut update) = plan.next_update(&lane.name)? {
        if past.of(&update.key) != earlier {
            continue;
        }
        if let Some(key) = &lane.keeping.key {
            open_update(&mut update, key)?;
        }
        return Ok(Some(update));
    }
    Ok(None)
}
