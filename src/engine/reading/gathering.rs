//! Gathering: the records of a roster's rows, from the provider's list, from
//! reads by id, or from both, and the links that `match` finds.
//!
//! A list that did not end tells nothing of what it did not show. A row that a
//! list did not show is read by its id before it is called not found.

use std::collections::VecDeque;
use std::fs::File;

use super::gathered::{Batch, Missed, Taken};
use super::linking::{Links, stray, stray_twin};
use super::reader::{Found, Reader};
use super::roster::{Free, Holder, Roster};
use super::spool::{Place, Spool};
use crate::core::{Json, Mapping, Outcome, Problem, SkipReason};
use crate::engine::ends::Stopped;
use crate::engine::exchange::decide::Stop;
use crate::engine::transport::Transport;
use crate::provider::Refusal;

/// Whether the list must be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    /// All of the provider's records are wanted, to name those of no row.
    All,
    /// Only those of the roster's rows.
    Rows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Listing,
    Linking,
    Reading,
    Ended,
}

/// Gathers the records of one lane's rows.
#[derive(Debug)]
pub(super) struct Gatherer<T> {
    pub(super) reader: Reader<T>,
    pub(super) roster: Roster,
    /// Problems of records that belong to no row.
    pub(super) strays: Vec<Problem>,
    /// Why the list was left before its end, where that is to be told.
    pub(super) left: Option<Problem>,
    breadth: Breadth,
    stage: Stage,
    pub(super) spool: Spool,
    /// Rows to be read by their ids.
    queue: VecDeque<usize>,
    /// Links whose records are in the spool.
    linked: VecDeque<(usize, Place)>,
    /// Records of nobody that must be read to know their value of `match`.
    unknown: VecDeque<String>,
    seen: Vec<bool>,
    pages: usize,
}

impl<T: Transport + 'static> Gatherer<T> {
    pub(super) fn new(reader: Reader<T>, roster: Roster, breadth: Breadth, spool: File) -> Self {
        let has_list = reader.lane().provider.manifest.list.is_some();
        let lists = has_list
            && (roster.seeks()
                || match breadth {
                    Breadth::All => true,
                    Breadth::Rows => Self::list_is_worth_it(&reader, &roster),
                });
        let mut gatherer = Self {
            stage: if lists {
                Stage::Listing
            } else {
                Stage::Reading
            },
            seen: vec![false; roster.rows.len()],
            reader,
            roster,
            strays: Vec::new(),
            left: None,
            breadth,
            spool: Spool::new(spool),
            queue: VecDeque::new(),
            linked: VecDeque::new(),
            unknown: VecDeque::new(),
            pages: 0,
        };
        if !lists {
            gatherer.queue_unseen();
        }
        gatherer
    }

    /// A list costs a request a page, and says nothing new where each record
    /// must be read by its id anyway.
    fn list_is_worth_it(reader: &Reader<T>, roster: &Roster) -> bool {
        let provider = &reader.lane().provider;
        if provider.manifest.read.is_none() {
            return true;
        }
        let shows_all = !reader
            .lane()
            .readable()
            .any(|mapping| provider.list_omits(&mapping.field));
        shows_all && roster.waiting().nth(1).is_some()
    }

    /// The next records and rows without one; `None` at the end, or where the
    /// lane ended.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        loop {
            let mut batch = Batch::default();
            match self.stage {
                Stage::Listing => self.list(&mut batch).await,
                Stage::Linking => self.give_linked(&mut batch),
                Stage::Reading => self.read(&mut batch).await,
                Stage::Ended => return None,
            }
            if !(batch.taken.is_empty() && batch.missed.is_empty()) {
                return Some(batch);
            }
        }
    }

    /// How many records are read by id at once, so that what was read is kept
    /// before long.
    fn portion(&self) -> usize {
        let side_by_side = usize::try_from(self.reader.lane().limits.concurrency).unwrap_or(1);
        side_by_side.saturating_mul(4).max(8)
    }

    async fn list(&mut self, batch: &mut Batch) {
        // Whoever is known only by a read is read while the list goes on, so
        // that nothing waits in memory for its end.
        if self.unknown.len() >= self.portion() {
            return self.read_unknown(batch).await;
        }
        if self.queue.len() >= self.portion() {
            return self.read_queued(batch).await;
        }
        if self.breadth == Breadth::Rows && !self.roster.seeks() && self.is_left_early() {
            self.stage = Stage::Reading;
            self.queue_unseen();
            return;
        }
        match self.reader.next().await {
            Some(found) => {
                self.pages += 1;
                for found in found {
                    self.listed(found, batch);
                }
            }
            None if self.has_stopped() => self.leave_list(),
            None if !self.unknown.is_empty() => self.read_unknown(batch).await,
            None => {
                let links = Links::of(self.reader.lane(), &mut self.roster);
                batch.missed.extend(links.missed);
                self.strays.extend(links.strays);
                for (place, kept) in links.found {
                    self.seen[place] = true;
                    match kept {
                        Some(kept) => self.linked.push_back((place, kept)),
                        None => self.queue.push_back(place),
                    }
                }
                self.queue_unseen();
                self.stage = Stage::Linking;
            }
        }
    }

    /// Whether reading what is left by id costs no more than the pages so far.
    fn is_left_early(&self) -> bool {
        let left = self.roster.waiting().filter(|place| !self.seen[*place]);
        self.reader.lane().provider.manifest.read.is_some()
            && left.take(self.pages).count() < self.pages
    }

    /// The lane ended before its list did.
    fn leave_list(&mut self) {
        self.stage = Stage::Ended;
        if let Some(Stopped::Bound(_)) = self.reader.end().stopped {
            let why = format!(
                "the list of its records was left after {} pages; a list is read from its beginning each time, so a run needs a budget and a time that hold all of it",
                self.pages
            );
            self.left = Some(Problem::new("W_LIST_LEFT", why));
        }
    }

    fn has_stopped(&self) -> bool {
        self.reader.end().stopped.is_some()
    }

    /// One record of the list.
    fn listed(&mut self, found: Found, batch: &mut Batch) {
        let lane = self.reader.lane();
        let (id, record) = match found {
            Found::Record { id, record } => (id, record),
            Found::Nameless { record } => {
                // It holds its value like any other, so nobody is linked by that.
                let matching = lane.matching.as_ref();
                let value = matching.and_then(|matching| matching.of_record(&record));
                if let Some(wanted) = value.and_then(|value| self.roster.sought(&value)) {
                    wanted.records += 1;
                }
                let nameless = "the list shows a record without an id of the provider's form";
                self.strays.push(Problem::new("W_NO_ID", nameless));
                return;
            }
            Found::Unread { .. } => return,
        };
        let omits = |mapping: &Mapping| lane.provider.list_omits(&mapping.field);
        let is_whole = !lane.readable().any(omits);
        let matching = lane.matching.as_ref();
        if matching.is_some_and(|matching| omits(&matching.mapping)) && self.roster.seeks() {
            self.unknown.push_back(id);
        } else {
            self.sort(id, record, is_whole, batch);
        }
    }

    /// Gives a record to its row, to those who look for its value, or to nobody.
    fn sort(&mut self, id: String, record: Json, is_whole: bool, batch: &mut Batch) {
        let holder = self.roster.holder(&id);
        let matching = self.reader.lane().matching.as_ref();
        let value = matching.and_then(|matching| matching.of_record(&record));
        let sought = value.and_then(|value| self.roster.sought(&value));
        let is_sought = sought.is_some();
        if let Some(wanted) = sought {
            wanted.records += 1;
            if holder.is_none() && wanted.free.is_none() {
                let kept = if is_whole {
                    match self.spool.keep(self.reader.lane(), &record) {
                        Ok(place) => Some(place),
                        Err(error) => return self.cannot_spool(&error),
                    }
                } else {
                    None
                };
                wanted.free = Some(Free { id, kept });
                return;
            }
        }
        match holder {
            Some(Holder::Row(place)) => {
                self.seen[place] = true;
                if self.roster.rows[place].outcome != Outcome::Planned {
                    return;
                }
                if is_whole {
                    batch.taken.push(Taken { place, record });
                } else {
                    self.queue.push_back(place);
                }
            }
            Some(Holder::Other) => {}
            None if is_sought => self.strays.push(stray_twin(id)),
            None => self.strays.push(stray(id)),
        }
    }

    fn give_linked(&mut self, batch: &mut Batch) {
        for _ in 0..self.portion().max(100) {
            let Some((place, kept)) = self.linked.pop_front() else {
                self.stage = Stage::Reading;
                return;
            };
            match self.spool.get(kept) {
                Ok(record) => batch.taken.push(Taken { place, record }),
                Err(error) => return self.cannot_spool(&error),
            }
        }
    }

    /// Linked rows that were not seen yet are read by their ids.
    fn queue_unseen(&mut self) {
        let queued: std::collections::BTreeSet<usize> = self.queue.iter().copied().collect();
        let unseen = self.roster.waiting().filter(|place| !self.seen[*place]);
        self.queue.extend(
            unseen
                .filter(|place| !queued.contains(place))
                .collect::<Vec<_>>(),
        );
    }

    async fn read(&mut self, batch: &mut Batch) {
        if self.queue.is_empty() || self.has_stopped() {
            self.stage = Stage::Ended;
        } else {
            self.read_queued(batch).await;
        }
    }

    /// Reads the next rows by their ids.
    async fn read_queued(&mut self, batch: &mut Batch) {
        let portion = self.portion().min(self.queue.len());
        let places: Vec<usize> = self.queue.drain(..portion).collect();
        if self.reader.lane().provider.manifest.read.is_none() {
            batch.missed.extend(places.into_iter().map(not_found));
            return;
        }
        let id = |place: &usize| self.roster.rows[*place].remote_id.clone();
        let ids = places.iter().filter_map(id).collect();
        for found in self.reader.read_each(ids).await {
            match found {
                Found::Record { id, record } => {
                    if let Some(Holder::Row(place)) = self.roster.holder(&id) {
                        batch.taken.push(Taken { place, record });
                    }
                }
                Found::Unread {
                    id, status, why, ..
                } => {
                    if let Some(Holder::Row(place)) = self.roster.holder(&id) {
                        batch.missed.push(unread(place, status, &why));
                    }
                }
                Found::Nameless { .. } => {}
            }
        }
        if self.has_stopped() {
            self.stage = Stage::Ended;
        }
    }

    /// Reads records whose value of `match` the list does not show.
    async fn read_unknown(&mut self, batch: &mut Batch) {
        let portion = self.portion().min(self.unknown.len());
        let ids = self.unknown.drain(..portion).collect();
        for found in self.reader.read_each(ids).await {
            match found {
                Found::Record { id, record } => self.sort(id, record, true, batch),
                Found::Unread {
                    id,
                    status,
                    stop,
                    why,
                } => match self.roster.holder(&id) {
                    Some(Holder::Row(place)) => {
                        self.seen[place] = true;
                        // What an earlier adoption read stands.
                        if self.roster.rows[place].outcome == Outcome::Planned {
                            batch.missed.push(unread(place, status, &why));
                        }
                    }
                    Some(Holder::Other) => {}
                    None if status == Some(404) => {}
                    // What it holds is not known, so no value is unique any more.
                    None => {
                        let why = "a record could not be read, so nothing can be matched";
                        self.stop(stop, why);
                    }
                },
                Found::Nameless { .. } => {}
            }
        }
        if self.has_stopped() {
            self.stage = Stage::Ended;
        }
    }

    fn cannot_spool(&mut self, error: &std::io::Error) {
        self.reader.stopper().stop(super::spool::stopped(error));
        self.stage = Stage::Ended;
    }

    fn stop(&self, stop: Stop, why: &str) {
        self.reader
            .stopper()
            .stop(Stopped::Provider(stop, why.to_owned()));
    }
}

fn not_found(place: usize) -> Missed {
    Missed {
        place,
        outcome: Outcome::Skipped(SkipReason::NotFound),
        status: None,
        problems: Vec::new(),
    }
}

fn unread(place: usize, status: Option<u16>, why: &Refusal) -> Missed {
    if status == Some(404) {
        return Missed {
            status,
            ..not_found(place)
        };
    }
    Missed {
        place,
        outcome: Outcome::Failed,
        status,
        problems: vec![Problem::new("E_UNREAD", why.message.clone())],
    }
}
