//! The worker of one lane: takes a row through its attempts to its outcome.
//!
//! Read, build, check, send happen inside the attempt, so that a retry begins
//! with a fresh read. No request leaves before its intent is durable, and the
//! snapshot moves only in the transaction that records the answer.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::decide::{Action, Attempt, Came, Stop, applied, decide};
use super::ends::{LaneEnd, Stopped};
use super::event::{Event, Observer};
use super::journey::{Journey, Seen, code_of, refusal_of, without_sensitive, words_of};
use super::lane::Lane;
use super::pacer::Pacer;
use super::recorder::{NotRecorded, Recorder};
use super::transport::{Generation, Renewal, Transport};
use crate::core::{
    Exchange, FieldPath, LaneCounts, Outcome, PlannedUpdate, Request, Response, SkipReason,
    sha256_hex,
};
use crate::provider::{Asked, Refusal};
use crate::store::{Answer, AttemptResult, Entry, Intent, Settlement, SnapshotRow};

/// Where the time and the jitter come from; the command line gives the real
/// ones, tests their own.
#[derive(Clone, Copy)]
pub struct Clock {
    /// The time of day, for the journal and for `Retry-After` dates.
    pub now: fn() -> Timestamp,
    /// A random share in 0..1.
    pub share: fn() -> f64,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Works off the rows of one lane.
pub struct Worker<T> {
    lane: Arc<Lane>,
    transport: T,
    pacer: Pacer,
    recorder: Recorder,
    observer: Arc<dyn Observer>,
    clock: Clock,
    counts: Mutex<LaneCounts>,
    stopped: Mutex<Option<Stopped>>,
    paused_until: Mutex<Option<Instant>>,
    throttles: AtomicU32,
    requests: AtomicU64,
}

/// What one exchange led to.
pub(super) enum Step {
    /// The answer is good; it is recorded with the outcome.
    Accepted(Response, Answer),
    /// Once more from the beginning.
    Again,
    /// The row has come to its outcome.
    Ended,
}

/// The lane has ended; the row stays planned.
pub(super) struct LaneStopped;

impl From<NotRecorded> for LaneStopped {
    fn from(_: NotRecorded) -> Self {
        Self
    }
}

impl<T> std::fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("lane", &self.lane.name)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> Worker<T> {
    /// A worker with nothing done yet.
    #[must_use]
    pub fn new(
        lane: Arc<Lane>,
        transport: T,
        pacer: Pacer,
        recorder: Recorder,
        observer: Arc<dyn Observer>,
        clock: Clock,
        counts: LaneCounts,
    ) -> Self {
        Self {
            lane,
            transport,
            pacer,
            recorder,
            observer,
            clock,
            counts: Mutex::new(counts),
            stopped: Mutex::new(None),
            paused_until: Mutex::new(None),
            throttles: AtomicU32::new(0),
            requests: AtomicU64::new(0),
        }
    }

    /// The lane.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Whether the lane has ended early.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        lock(&self.stopped).is_some()
    }

    /// Ends the lane; the first reason stays.
    pub fn stop(&self, why: Stopped) {
        lock(&self.stopped).get_or_insert(why);
    }

    /// What became of the lane.
    #[must_use]
    pub fn end(&self) -> LaneEnd {
        LaneEnd {
            counts: lock(&self.counts).clone(),
            stopped: lock(&self.stopped).clone(),
        }
    }

    /// Takes one row to its outcome, or leaves it planned where the lane ends.
    pub async fn settle(&self, update: PlannedUpdate) {
        if self.try_settle(update).await.is_err() {
            // Whoever stopped the lane said why; all that is left is a state
            // that did not answer.
            self.stop(Stopped::NotRecorded);
        }
    }

    async fn try_settle(&self, update: PlannedUpdate) -> Result<(), LaneStopped> {
        let known = self.recorder.lookup(&self.lane.name, &update.key).await?;
        let basis = known.as_ref().map(SnapshotRow::basis).unwrap_or_default();
        let moved = basis != update.basis;
        let mut journey = Journey::new(update, known);
        if moved {
            let settlement = self.settlement(&journey, Outcome::Skipped(SkipReason::Superseded));
            return self.record(settlement).await;
        }
        while let Step::Again = self.attempt(&mut journey).await? {}
        Ok(())
    }

    /// One request with its intent, its answer and what follows from it.
    pub(super) async fn exchange(
        &self,
        journey: &mut Journey,
        asked: Asked,
        request: Request,
        fields: Vec<FieldPath>,
    ) -> Result<Step, LaneStopped> {
        self.wait_for_turn(asked).await?;
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let tries = journey.count(asked);
        let number = self.request_number(number);
        let intent = Intent {
            request: number,
            lane: self.lane.name.clone(),
            key: Some(journey.update.key.clone()),
            line: Some(journey.update.line),
            n: tries,
            method: request.method,
            at: (self.clock.now)(),
            body_sha256: request
                .body
                .as_ref()
                .map(|body| sha256_hex(body.as_bytes())),
            fields,
        };
        self.recorder.record(vec![Entry::Intent(intent)]).await?;
        self.last_look(number).await?;
        self.count_request(tries > 1);
        let (Exchange { result, took }, generation) = self.transport.send(request).await;
        let response = result.as_ref().ok().cloned();
        let hide = |refusal: Refusal| without_sensitive(&journey.update, refusal);
        let came = match result {
            Ok(response) => {
                let answer = self
                    .lane
                    .provider
                    .classify(&response, asked, (self.clock.now)());
                Came::Answer(answer.map_refusal(hide))
            }
            Err(nothing) => Came::Nothing(nothing),
        };
        let seen = response.as_ref().map(Seen::of).unwrap_or_default();
        let asked_to_wait = matches!(
            came,
            Came::Answer(crate::provider::Answer::Throttled { .. })
        );
        let throttles = if asked_to_wait {
            self.throttles.fetch_add(1, Ordering::Relaxed) + 1
        } else {
            0
        };
        if !asked_to_wait && response.is_some() {
            self.throttles.store(0, Ordering::Relaxed);
        }
        let action = decide(
            Attempt {
                asked,
                number: journey.number,
                throttles,
                repeatable: self.lane.provider.manifest.update.repeatable,
                renewed: journey.renewed,
                share: (self.clock.share)(),
            },
            &came,
        );
        let result = applied(asked, &came);
        journey.in_doubt |= result == AttemptResult::InDoubt;
        journey.last = Some(seen.clone());
        let answer = Answer {
            request: number,
            result,
            status: seen.status,
            provider_request_id: seen.provider_request_id,
            message: refusal_of(&action)
                .map(|refusal| refusal.message.clone())
                .or_else(|| words_of(&came)),
            took,
        };
        match (action, response) {
            (Action::Accept, Some(response)) => Ok(Step::Accepted(response, answer)),
            (action, _) => self.follow(journey, action, answer, generation).await,
        }
    }

    /// What is not an acceptance: wait, renew, end the row or the lane.
    async fn follow(
        &self,
        journey: &mut Journey,
        action: Action,
        answer: Answer,
        generation: Generation,
    ) -> Result<Step, LaneStopped> {
        let (outcome, refusal) = match action {
            Action::RetryAfter(wait) => {
                self.recorder.record(vec![Entry::Answer(answer)]).await?;
                journey.number += 1;
                tokio::time::sleep(wait).await;
                return Ok(Step::Again);
            }
            Action::Pause(wait) => {
                // Everyone waits from now on, not from when it is recorded.
                self.pause(wait);
                self.recorder.record(vec![Entry::Answer(answer)]).await?;
                return Ok(Step::Again);
            }
            Action::Renew => {
                self.recorder.record(vec![Entry::Answer(answer)]).await?;
                journey.renewed = true;
                return match self.transport.renew(generation).await {
                    Renewal::Renewed => Ok(Step::Again),
                    Renewal::Impossible => {
                        let why = "the provider answers 401; check the secret, and the rights of its account".to_owned();
                        self.stop(Stopped::Provider(Stop::Credentials, why));
                        Err(LaneStopped)
                    }
                };
            }
            Action::Stop(stop, refusal) => {
                self.recorder.record(vec![Entry::Answer(answer)]).await?;
                self.stop(Stopped::Provider(stop, refusal.message));
                return Err(LaneStopped);
            }
            // An acceptance without an answer does not exist.
            Action::Accept => (Outcome::InDoubt, Refusal::default()),
            Action::Reject(refusal) => (Outcome::Rejected, refusal),
            Action::Fail(refusal) => (Outcome::Failed, refusal),
            Action::InDoubt(refusal) => (Outcome::InDoubt, refusal),
        };
        let mut settlement = self.settlement(journey, outcome);
        settlement.code = Some(code_of(outcome, settlement.status).to_owned());
        settlement.problems =
            super::refusal_problems(&self.lane, &refusal, code_of(outcome, settlement.status));
        settlement.message = Some(refusal.message);
        settlement.answer = Some(answer);
        self.record(settlement).await?;
        Ok(Step::Ended)
    }

    /// Waits for the lane's pauses and its pace.
    async fn wait_for_turn(&self, asked: Asked) -> Result<(), LaneStopped> {
        self.wait_while_paused().await?;
        self.pacer.admit(asked).await.map_err(|_| {
            let why = "the provider's requests of this UTC day are used up".to_owned();
            self.stop(Stopped::Provider(Stop::Deferred, why));
            LaneStopped
        })
    }

    async fn wait_while_paused(&self) -> Result<(), LaneStopped> {
        loop {
            if self.has_stopped() {
                return Err(LaneStopped);
            }
            let until = *lock(&self.paused_until);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return Ok(()),
            }
        }
    }

    /// The last look before a request leaves: a pause or a stop that came while
    /// it waited for its turn, or for its intent to be durable, holds for it too.
    async fn last_look(&self, request: u64) -> Result<(), LaneStopped> {
        let Err(stopped) = self.wait_while_paused().await else {
            return Ok(());
        };
        let never_sent = Answer {
            request,
            result: AttemptResult::NotApplied,
            status: None,
            provider_request_id: None,
            message: Some("not sent: the lane had ended".to_owned()),
            took: Duration::ZERO,
        };
        self.recorder
            .record(vec![Entry::Answer(never_sent)])
            .await?;
        Err(stopped)
    }

    fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        {
            let mut paused = lock(&self.paused_until);
            *paused = Some(paused.map_or(until, |before| before.max(until)));
        }
        self.observer.observe(Event::Paused {
            lane: self.lane.name.clone(),
            wait,
            reason: "provider asked",
        });
    }

    /// Request numbers are the run's: lanes share them by taking turns.
    fn request_number(&self, number: u64) -> u64 {
        number * 256 + u64::from(self.lane.ordinal)
    }

    fn count_request(&self, retry: bool) {
        {
            let mut counts = lock(&self.counts);
            counts.requests += 1;
            counts.retries += u64::from(retry);
        }
        self.observer.observe(Event::Requested {
            lane: self.lane.name.clone(),
            retry,
        });
    }

    /// A settlement of a row with all that is known of its way.
    pub(super) fn settlement(&self, journey: &Journey, outcome: Outcome) -> Settlement {
        let seen = journey.last.clone().unwrap_or_default();
        Settlement {
            lane: self.lane.name.clone(),
            key: journey.update.key.clone(),
            line: journey.update.line,
            remote_id: Some(journey.update.remote_id.clone()),
            outcome,
            code: None,
            message: None,
            attempts: journey.sent.iter().sum(),
            status: seen.status,
            provider_request_id: seen.provider_request_id,
            took: journey.began.elapsed(),
            at: (self.clock.now)(),
            problems: Vec::new(),
            note: None,
            answer: None,
            snapshot: None,
        }
    }

    /// Records a row's outcome and counts it.
    pub(super) async fn record(&self, settlement: Settlement) -> Result<(), LaneStopped> {
        let (key, outcome) = (settlement.key.clone(), settlement.outcome);
        self.recorder
            .record(vec![Entry::Settle(Box::new(settlement))])
            .await?;
        lock(&self.counts).settle(outcome);
        self.observer.observe(Event::Settled {
            lane: self.lane.name.clone(),
            key,
            outcome,
        });
        Ok(())
    }

    /// The answer to a good read is recorded before the row goes on.
    pub(super) async fn record_answer(&self, answer: Answer) -> Result<(), LaneStopped> {
        Ok(self.recorder.record(vec![Entry::Answer(answer)]).await?)
    }
}

/// A lock that a panic elsewhere does not take away: what it guards is whole.
fn lock<V>(mutex: &Mutex<V>) -> std::sync::MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
