//! Reading the records of lanes, side by side, for whoever keeps them.
//!
//! It decides nothing about a record. A lane that ends early never slows
//! another.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::gathered::Batch;
use super::gathering::{Breadth, Gatherer};
use super::reader::Reader;
use super::roster::Roster;
use super::spool::Spool;
use crate::core::{Outcome, Problem};
use crate::engine::delivery::apply::Interrupt;
use crate::engine::ends::{LaneEnd, Stopped};
use crate::engine::event::{Event, Observer, Work};
use crate::engine::exchange::bounds::Bounds;
use crate::engine::exchange::exchanger::Clock;
use crate::engine::exchange::pacer::Pacer;
use crate::engine::lane::Lane;
use crate::engine::recorder::Recorder;
use crate::engine::transport::Transport;

/// One lane whose records are to be read.
pub struct ReadLane<T> {
    /// The lane.
    pub lane: Arc<Lane>,
    /// Its transport.
    pub transport: T,
    /// Its pace.
    pub pacer: Pacer,
    /// How far it may go.
    pub bounds: Bounds,
    /// Its rows.
    pub roster: Roster,
    /// An empty file that nobody else can open, for what is needed later.
    pub spool: File,
}

impl<T> std::fmt::Debug for ReadLane<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadLane")
            .field("lane", &self.lane.name)
            .finish_non_exhaustive()
    }
}

/// Who keeps what is read.
pub(super) trait Keep: Send {
    /// Keeps a batch, before the next one is asked for.
    fn keep(
        &mut self,
        roster: &mut Roster,
        spool: &mut Spool,
        batch: Batch,
    ) -> impl Future<Output = Result<(), Stopped>> + Send;
}

/// What reading a lane came to.
#[derive(Debug)]
pub(super) struct LaneRead<K> {
    pub(super) keeper: K,
    pub(super) roster: Roster,
    pub(super) spool: Spool,
    /// Records of no row; empty where the list was not read to its end.
    pub(super) strays: Vec<Problem>,
    pub(super) end: LaneEnd,
}

/// What all lanes share.
#[derive(Clone)]
pub(super) struct Sharing<'a> {
    /// The journal, where there is one.
    pub(super) recorder: Option<Recorder>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) clock: Clock,
    pub(super) breadth: Breadth,
    pub(super) interrupt: &'a Interrupt,
}

/// Reads lanes side by side, each with a keeper of its own.
pub(super) async fn read_lanes<T: Transport + 'static, K: Keep + 'static>(
    lanes: Vec<ReadLane<T>>,
    with: Sharing<'_>,
    keeper: impl Fn(&Arc<Lane>) -> K,
) -> BTreeMap<String, LaneRead<K>> {
    let mut running = JoinSet::new();
    for lane in lanes {
        let keeper = keeper(&lane.lane);
        let name = lane.lane.name.clone();
        let interrupt = with.interrupt.clone();
        let (recorder, observer) = (with.recorder.clone(), Arc::clone(&with.observer));
        let (clock, breadth) = (with.clock, with.breadth);
        running.spawn(async move {
            let shared = Sharing {
                recorder,
                observer,
                clock,
                breadth,
                interrupt: &interrupt,
            };
            (name, read_lane(lane, &shared, keeper).await)
        });
    }
    drop(with);
    let mut read = BTreeMap::new();
    while let Some(ended) = running.join_next().await {
        // A task ends by panicking only through a bug; the panic goes on.
        match ended {
            Ok((name, lane)) => {
                read.insert(name, lane);
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    read
}

async fn read_lane<T: Transport + 'static, K: Keep>(
    lane: ReadLane<T>,
    with: &Sharing<'_>,
    mut keeper: K,
) -> LaneRead<K> {
    let name = lane.lane.name.clone();
    with.observer.observe(Event::LaneStarted {
        lane: name.clone(),
        work: Work::Read,
        rows: lane.roster.counts().planned,
    });
    let reader = Reader::new(
        lane.lane,
        lane.transport,
        lane.pacer,
        lane.bounds,
        with.recorder.clone(),
        Arc::clone(&with.observer),
        with.clock,
    );
    let stopper = reader.stopper();
    let listening = tokio::spawn({
        let (stopper, interrupt) = (reader.stopper(), with.interrupt.clone());
        async move {
            interrupt.tripped().await;
            stopper.stop(Stopped::Interrupted);
        }
    });
    let mut gatherer = Gatherer::new(reader, lane.roster, with.breadth, lane.spool);
    while let Some(batch) = gatherer.next().await {
        let places = batch.places();
        let kept = keeper
            .keep(&mut gatherer.roster, &mut gatherer.spool, batch)
            .await;
        if let Err(why) = kept {
            stopper.stop(why);
            break;
        }
        for place in places {
            with.settled(&name, &gatherer.roster, place);
        }
    }
    listening.abort();
    let read = gatherer.reader.end();
    with.observer.observe(Event::LaneEnded {
        lane: name,
        stopped: read.stopped.as_ref().map(Stopped::in_short),
    });
    let mut counts = gatherer.roster.counts();
    counts.requests = read.requests;
    counts.retries = read.retries;
    let is_complete = read.stopped.is_none() && with.breadth == Breadth::All;
    LaneRead {
        keeper,
        roster: gatherer.roster,
        spool: gatherer.spool,
        strays: if is_complete {
            gatherer.strays
        } else {
            gatherer.left.into_iter().collect()
        },
        end: LaneEnd {
            counts,
            ..gatherer.reader.lane_end()
        },
    }
}

impl Sharing<'_> {
    fn settled(&self, lane: &str, roster: &Roster, place: usize) {
        let row = &roster.rows[place];
        if let (Some(key), true) = (&row.key, row.outcome != Outcome::Planned) {
            self.observer.observe(Event::Settled {
                lane: lane.to_owned(),
                key: key.clone(),
                outcome: row.outcome,
            });
        }
    }
}
