//! Adoption: fills the snapshot with what the providers hold, and links rows to
//! their records. It writes nothing at a provider.
//!
//! What was read is recorded before the next records are asked for, so that an
//! adoption that is cut short goes on where it ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::gathered::{Batch, Missed, Taken};
use super::gathering::Breadth;
use super::lanes::{Keep, ReadLane, Sharing, read_lanes};
use super::roster::Roster;
use super::spool::Spool;
use crate::core::{Acknowledged, FieldPath, Outcome, Problem, Scope};
use crate::engine::delivery::apply::Interrupt;
use crate::engine::ends::{LaneEnd, Stopped};
use crate::engine::event::Observer;
use crate::engine::exchange::exchanger::Clock;
use crate::engine::lane::Lane;
use crate::engine::recorder::{NotRecorded, Recorder};
use crate::engine::transport::Transport;
use crate::store::{self, Entry, Settlement, SnapshotWrite};

/// What an adoption of one lane came to.
#[derive(Debug)]
pub struct Adoption {
    /// The rows, with what became of each. Those that are still planned were
    /// not reached.
    pub roster: Roster,
    /// Records that belong to no row, and what else the rows do not tell.
    pub notes: Vec<Problem>,
    /// The counts, and why it ended early, if it did.
    pub end: LaneEnd,
}

/// Adopts what the providers hold, lane by lane, side by side. Under a whole
/// file the records that no row belongs to are named.
pub async fn adopt<T: Transport + 'static>(
    lanes: Vec<ReadLane<T>>,
    scope: Scope,
    recorder: Recorder,
    observer: Arc<dyn Observer>,
    clock: Clock,
    interrupt: &Interrupt,
) -> BTreeMap<String, Adoption> {
    let breadth = match scope {
        Scope::Whole => Breadth::All,
        Scope::Partial => Breadth::Rows,
    };
    let with = Sharing {
        recorder: Some(recorder.clone()),
        observer,
        clock,
        breadth,
        interrupt,
    };
    let read = read_lanes(lanes, with, |lane| Adopter {
        lane: Arc::clone(lane),
        recorder: recorder.clone(),
        clock,
        notes: Vec::new(),
    });
    let read = read.await;
    let adoption = |(name, read): (String, super::lanes::LaneRead<Adopter>)| {
        let mut notes = read.keeper.notes;
        notes.extend(read.strays);
        let adoption = Adoption {
            roster: read.roster,
            notes,
            end: read.end,
        };
        (name, adoption)
    };
    read.into_iter().map(adoption).collect()
}

/// Records what was read.
#[derive(Debug)]
struct Adopter {
    lane: Arc<Lane>,
    recorder: Recorder,
    clock: Clock,
    notes: Vec<Problem>,
}

impl Keep for Adopter {
    async fn keep(
        &mut self,
        roster: &mut Roster,
        _spool: &mut Spool,
        batch: Batch,
    ) -> Result<(), Stopped> {
        let kept = async {
            self.take(roster, batch.taken).await?;
            self.miss(roster, batch.missed).await
        };
        kept.await.map_err(|NotRecorded| Stopped::NotRecorded)
    }
}

impl Adopter {
    async fn take(&mut self, roster: &mut Roster, taken: Vec<Taken>) -> Result<(), NotRecorded> {
        let mut records = Vec::with_capacity(taken.len());
        let mut places = Vec::with_capacity(taken.len());
        for taken in taken {
            places.push(taken.place);
            records.extend(self.record_of(roster, &taken).await?);
        }
        if !records.is_empty() {
            let lane = self.lane.name.clone();
            let entry = Entry::Adopt { lane, records };
            self.recorder.record(vec![entry]).await?;
        }
        for place in places {
            roster.rows[place].outcome = Outcome::Unchanged;
        }
        Ok(())
    }

    /// What becomes known by a record.
    async fn record_of(
        &mut self,
        roster: &Roster,
        taken: &Taken,
    ) -> Result<Option<store::Adopted>, NotRecorded> {
        let row = &roster.rows[taken.place];
        let (Some(key), Some(remote_id)) = (&row.key, &row.remote_id) else {
            return Ok(None);
        };
        // Only entries that a list may hold twice need to know what we knew.
        let known = if row.hints.is_empty() {
            None
        } else {
            self.recorder.lookup(&self.lane.name, key).await?
        };
        let nothing = Acknowledged::new();
        let known = known.as_ref().map_or(&nothing, |known| &known.values);
        let desired = |path: &FieldPath| {
            let hint = row.hints.iter().find(|(hinted, _)| hinted == path)?;
            Some(&hint.1)
        };
        let values = self.lane.view(&taken.record, &desired, known);
        let ambiguous = values.iter().filter(|(_, value)| value.is_none());
        let notes = ambiguous.map(|(path, _)| {
            let why = "the provider holds several entries of this kind, and none is the one that the row names; it stays unknown";
            let problem = Problem::new("W_AMBIGUOUS_ENTRY", why);
            problem.field(path).line(row.line).key(key)
        });
        self.notes.extend(notes);
        Ok(Some(store::Adopted {
            key: key.clone(),
            snapshot: SnapshotWrite {
                remote_id: remote_id.clone(),
                settled: self.lane.settled(&values),
            },
        }))
    }

    async fn miss(&self, roster: &mut Roster, missed: Vec<Missed>) -> Result<(), NotRecorded> {
        if missed.is_empty() {
            return Ok(());
        }
        let entries = missed
            .iter()
            .filter_map(|missed| self.settlement(roster, missed))
            .map(|settlement| Entry::Settle(Box::new(settlement)));
        self.recorder.record(entries.collect()).await?;
        for missed in missed {
            roster.miss(missed.place, missed.outcome, missed.problems);
        }
        Ok(())
    }

    fn settlement(&self, roster: &Roster, missed: &Missed) -> Option<Settlement> {
        let row = &roster.rows[missed.place];
        let first = missed.problems.first();
        Some(Settlement {
            lane: self.lane.name.clone(),
            key: row.key.clone()?,
            line: row.line,
            remote_id: row.remote_id.clone(),
            outcome: missed.outcome,
            code: first.map(|problem| problem.code.to_string()),
            message: first.map(|problem| problem.message.clone()),
            attempts: 0,
            status: missed.status,
            provider_request_id: None,
            took: Duration::ZERO,
            at: (self.clock.now)(),
            problems: missed.problems.clone(),
            note: None,
            answer: None,
            snapshot: None,
        })
    }
}
