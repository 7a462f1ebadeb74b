//! Reads all records of a lane, page by page, at the lane's pace.
//!
//! It writes nothing anywhere but intents into a journal, where it is given
//! one. An answer that is empty is never taken for absence: a reading that did
//! not reach the end of the list says why.

use std::collections::HashSet;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::core::{Json, Outcome, Request, Response};
use crate::engine::ends::{LaneEnd, LaneStopped, Stopped};
use crate::engine::event::Observer;
use crate::engine::exchange::bounds::Bounds;
use crate::engine::exchange::decide::Stop;
use crate::engine::exchange::exchanger::{Clock, Exchanger, Means, Question, Reached};
use crate::engine::exchange::journey::Tries;
use crate::engine::exchange::pacer::Pacer;
use crate::engine::lane::Lane;
use crate::engine::recorder::Recorder;
use crate::engine::transport::Transport;
use crate::provider::{Asked, ListPage, Position, Refusal};
use crate::store::Entry;

/// How many pages in a row may hold nothing new. A list that is written to
/// while it is read repeats records, but not whole pages for long.
const REPEATS: u32 = 3;

/// One record, as the list or a read by its id shows it.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// It was read.
    Record {
        /// Its remote id.
        id: String,
        /// The record, as the provider shows it.
        record: Json,
    },
    /// It could not be read by its id.
    Unread {
        /// Its remote id.
        id: String,
        /// The HTTP status of the last answer, where there was one: 404 where
        /// it went away meanwhile.
        status: Option<u16>,
        /// What it means for a reading that cannot do without the record.
        stop: Stop,
        /// What the provider said.
        why: Refusal,
    },
    /// The list shows no id of the provider's form for it.
    Nameless {
        /// The record, as the list shows it.
        record: Json,
    },
}

/// How a reading ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadEnd {
    /// Different ids that the list showed.
    pub records: u64,
    /// Records that the list showed once more: it moved meanwhile.
    pub repeated: u64,
    /// Requests sent, retries included.
    pub requests: u64,
    /// Requests that repeat an earlier one.
    pub retries: u64,
    /// Why the reading ended before the list did.
    pub stopped: Option<Stopped>,
}

/// Reads the records of one lane. Only one page is held at a time, and a hash
/// of each id.
pub struct Reader<T> {
    exchanger: Arc<Exchanger<T>>,
    /// Where the next page begins.
    position: Option<Position>,
    seen: Seen,
    end: ReadEnd,
    /// Pages in a row that held nothing new.
    repeats: u32,
}

impl<T> std::fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl<T: Transport + 'static> Reader<T> {
    /// A reader with nothing read yet. Without a recorder it leaves no trace.
    #[must_use]
    pub fn new(
        lane: Arc<Lane>,
        transport: T,
        pacer: Pacer,
        bounds: Bounds,
        recorder: Option<Recorder>,
        observer: Arc<dyn Observer>,
        clock: Clock,
    ) -> Self {
        Self {
            exchanger: Arc::new(Exchanger::new(Means {
                lane,
                transport,
                pacer,
                bounds,
                recorder,
                observer,
                clock,
            })),
            position: Some(Position::default()),
            seen: Seen::default(),
            end: ReadEnd::default(),
            repeats: 0,
        }
    }

    /// The records of the next page, each id once; `None` once the list or the
    /// lane has ended. A page may hold nothing new.
    pub async fn next(&mut self) -> Option<Vec<Found>> {
        let found = self.try_next(self.position?).await;
        if found.is_err() {
            self.position = None;
            // Whoever stopped the lane said why; all that is left is a state
            // that did not answer.
            self.exchanger.stop(Stopped::NotRecorded);
        }
        found.ok()
    }

    /// Reads records by their ids, side by side as the lane allows. What was
    /// read when the lane ended is given, in the order asked for; the rest is
    /// left out.
    pub async fn read_each(&mut self, ids: Vec<String>) -> Vec<Found> {
        let permits = usize::try_from(self.exchanger.lane().limits.concurrency).unwrap_or(1);
        let permits = Arc::new(Semaphore::new(permits.max(1)));
        let mut found: Vec<Option<Found>> = Vec::new();
        let mut reads = JoinSet::new();
        for (place, id) in ids.into_iter().enumerate() {
            let (exchanger, permits) = (Arc::clone(&self.exchanger), Arc::clone(&permits));
            found.push(None);
            reads.spawn(async move {
                let _permit = permits.acquire_owned().await;
                (place, by_id(&exchanger, id).await)
            });
        }
        while let Some(ended) = reads.join_next().await {
            // A task ends by panicking only through a bug; the panic goes on.
            let (place, read) = match ended {
                Ok(ended) => ended,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            match read {
                Ok(read) => found[place] = Some(read),
                Err(LaneStopped) => drop(self.exchanger.stop(Stopped::NotRecorded)),
            }
        }
        found.into_iter().flatten().collect()
    }

    /// Ends the reading from elsewhere; what is under way is finished.
    #[must_use]
    pub fn stopper(&self) -> Stopper<T> {
        Stopper(Arc::clone(&self.exchanger))
    }

    pub(super) fn lane(&self) -> &Lane {
        self.exchanger.lane()
    }

    /// What the reading came to so far.
    #[must_use]
    pub fn end(&self) -> ReadEnd {
        let (requests, retries) = self.exchanger.sent();
        ReadEnd {
            requests,
            retries,
            stopped: self.exchanger.stopped(),
            ..self.end.clone()
        }
    }

    /// How the lane stands, without what became of its rows.
    pub(super) fn lane_end(&self) -> LaneEnd {
        self.exchanger.end()
    }

    async fn try_next(&mut self, at: Position) -> Result<Vec<Found>, LaneStopped> {
        let page = self.page(at).await?;
        let before = self.end.records;
        let mut found = Vec::new();
        for (id, record) in page.records {
            match id {
                None => found.push(Found::Nameless { record }),
                Some(id) if self.seen.is_new(&id) => {
                    self.end.records += 1;
                    found.push(Found::Record { id, record });
                }
                Some(_) => self.end.repeated += 1,
            }
        }
        let is_repeat = self.end.records == before;
        self.repeats = if is_repeat { self.repeats + 1 } else { 0 };
        if self.repeats == REPEATS && page.next.is_some() {
            return Err(self.unusable("its list repeats itself: page after page holds nothing new"));
        }
        self.position = page.next;
        Ok(found)
    }

    /// One page, however often it must be asked for.
    async fn page(&self, at: Position) -> Result<ListPage, LaneStopped> {
        let lane = self.exchanger.lane();
        let request = match lane.provider.list_request(&lane.settings, at) {
            Ok(Some(request)) => request,
            Ok(None) => return Err(self.unusable("it has no list of its records")),
            Err(problem) => return Err(self.unusable(&problem.message)),
        };
        let (stop, status, refusal) = match ask(&self.exchanger, Asked::List(at), request).await? {
            Asking::Answered(response) => match lane.provider.list_page(&response, at) {
                Ok(page) => return Ok(page),
                Err(refusal) => (Stop::Unusable, None, refusal),
            },
            Asking::Refused { stop, status, why } => (stop, status, why),
        };
        let status = status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        let why = format!("its list cannot be read{status}: {}", refusal.message);
        Err(self.exchanger.stop(Stopped::Provider(stop, why)))
    }

    fn unusable(&self, why: &str) -> LaneStopped {
        self.exchanger
            .stop(Stopped::Provider(Stop::Unusable, why.to_owned()))
    }
}

/// Ends a [`Reader`] from elsewhere.
pub struct Stopper<T>(Arc<Exchanger<T>>);

impl<T> std::fmt::Debug for Stopper<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stopper")
    }
}

impl<T: Transport> Stopper<T> {
    /// Ends the reading; the first reason stays.
    pub fn stop(&self, why: Stopped) {
        self.0.stop(why);
    }
}

/// What asking came to, when all attempts are over.
enum Asking {
    Answered(Response),
    Refused {
        status: Option<u16>,
        stop: Stop,
        why: Refusal,
    },
}

/// What attempts that are used up mean for a reading that cannot do without
/// their answer: errors and silence pass, a right that is missing is a matter of
/// credentials, and another answer than a reader can read does not pass.
fn stop_of(outcome: Outcome, status: Option<u16>) -> Stop {
    let is_success = status.is_some_and(|status| status < 300);
    match outcome {
        Outcome::Failed if !is_success => Stop::Deferred,
        Outcome::Rejected if status == Some(403) => Stop::Credentials,
        _ => Stop::Unusable,
    }
}

/// Asks until there is an answer or the attempts are used up.
async fn ask<T: Transport>(
    exchanger: &Exchanger<T>,
    asked: Asked,
    request: Request,
) -> Result<Asking, LaneStopped> {
    let mut tries = Tries::default();
    loop {
        let question = Question {
            asked,
            request: request.clone(),
            row: None,
            fields: Vec::new(),
            hide: &|refusal| refusal,
        };
        let reached = exchanger.ask(&mut tries, question).await;
        let (asking, answer) = match reached? {
            Reached::Again => continue,
            Reached::Accepted(response, answer) => (Asking::Answered(response), answer),
            Reached::Ended(outcome, why, answer) => (
                Asking::Refused {
                    status: answer.status,
                    stop: stop_of(outcome, answer.status),
                    why,
                },
                answer,
            ),
        };
        exchanger.record(vec![Entry::Answer(answer)]).await?;
        return Ok(asking);
    }
}

/// One record by its id.
async fn by_id<T: Transport>(exchanger: &Exchanger<T>, id: String) -> Result<Found, LaneStopped> {
    let lane = exchanger.lane();
    let unread = |id: String, status: Option<u16>, stop: Stop, why: Refusal| {
        Ok(Found::Unread {
            id,
            status,
            stop,
            why,
        })
    };
    let request = match lane.provider.read_request(&lane.settings, &id) {
        Ok(Some(request)) => request,
        Ok(None) => {
            let why = Refusal::new("the provider has no way to read one record");
            return unread(id, None, Stop::Unusable, why);
        }
        Err(problem) => {
            let why = Refusal::new(problem.message);
            return unread(id, None, Stop::Unusable, why);
        }
    };
    match ask(exchanger, Asked::Read, request).await? {
        Asking::Refused { status, stop, why } => unread(id, status, stop, why),
        Asking::Answered(response) => {
            let record = lane.provider.record(&response).unwrap_or_else(Json::object);
            if exchanger.is_own(&record, &id)? {
                return Ok(Found::Record { id, record });
            }
            let why = Refusal::new("the provider's answer to the read holds no record with an id");
            unread(id, Some(response.status), Stop::Unusable, why)
        }
    }
}

/// The ids that were seen, as hashes: 16 bytes each, however long they are.
#[derive(Default)]
struct Seen(HashSet<[u8; 16]>);

impl Seen {
    fn is_new(&mut self, id: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        self.0.insert(short)
    }
}
