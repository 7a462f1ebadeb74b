//! The worker of one lane: takes a row through its attempts to its outcome.
//!
//! Read, build, check, send happen inside the attempt, so that a retry begins
//! with a fresh read. The snapshot moves only in the transaction that records
//! the answer.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::sweep::Waiting;
use crate::core::{
    FieldPath, Json, LaneCounts, Outcome, PlannedUpdate, RecordKey, Request, Response, SkipReason,
};
use crate::engine::ends::{LaneEnd, LaneStopped, Stopped};
use crate::engine::event::Event;
use crate::engine::exchange::exchanger::{Exchanger, Means, Question, Reached};
use crate::engine::exchange::gate::lock;
use crate::engine::exchange::journey::{Journey, code_of, without_sensitive};
use crate::engine::lane::Lane;
use crate::engine::past::Earlier;
use crate::engine::recorder::{NotRecorded, Recorder};
use crate::engine::transport::Transport;
use crate::provider::{Asked, Refusal};
use crate::store::{Answer, Entry, Settlement, SnapshotRow};

/// Works off the rows of one lane.
pub struct Worker<T> {
    pub(in crate::engine) exchanger: Exchanger<T>,
    recorder: Recorder,
    counts: Mutex<LaneCounts>,
    /// Rows whose outcome waits for something.
    pub(in crate::engine) waiting: Mutex<Waiting>,
    /// Rows whose update was sent and whose outcome could not be recorded.
    lost: Mutex<BTreeSet<RecordKey>>,
}

/// What one exchange led to.
pub(in crate::engine) enum Step {
    /// The answer is good; it is recorded with the outcome.
    Accepted(Response, Answer),
    /// Once more from the beginning.
    Again,
    /// The row has come to its outcome.
    Ended,
    /// The row has come to this outcome, unless it is given a last chance.
    Aside(Box<Settlement>),
}

impl<T> std::fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}

impl<T: Transport> Worker<T> {
    /// A worker with nothing done yet.
    pub(in crate::engine) fn new(means: Means<T>, recorder: Recorder, counts: LaneCounts) -> Self {
        Self {
            exchanger: Exchanger::new(means),
            recorder,
            waiting: Mutex::new(Waiting::new(&counts)),
            counts: Mutex::new(counts),
            lost: Mutex::default(),
        }
    }

    /// The lane.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        self.exchanger.lane()
    }

    /// Whether the lane has ended early.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.exchanger.has_stopped()
    }

    /// Ends the lane; the first reason stays.
    pub fn stop(&self, why: Stopped) {
        self.exchanger.stop(why);
    }

    /// What became of the lane.
    #[must_use]
    pub fn end(&self) -> LaneEnd {
        let mut counts = lock(&self.counts).clone();
        let (requests, retries) = self.exchanger.sent();
        counts.requests += requests;
        counts.retries += retries;
        LaneEnd {
            counts,
            ..self.exchanger.end()
        }
    }

    /// Takes one row to its outcome, puts it aside for a last chance, or leaves
    /// it planned where the lane ends.
    pub(in crate::engine) async fn settle(&self, update: PlannedUpdate, earlier: Earlier) {
        let known = match self.recorder.lookup(&self.lane().name, &update.key).await {
            Ok(known) => known,
            Err(NotRecorded) => return self.stop(Stopped::NotRecorded),
        };
        let journey = Journey::new(update, known, earlier);
        let (journey, ended) = self.travel(journey).await;
        match ended {
            Ok(Some(settlement)) => self.put_aside(journey, settlement),
            Ok(None) => {}
            Err(LaneStopped) => self.leave(&journey).await,
        }
    }

    /// Takes a row through its attempts: to its outcome, or to the one that it
    /// has unless it is given a last chance.
    pub(in crate::engine) async fn travel(
        &self,
        mut journey: Journey,
    ) -> (Journey, Result<Option<Box<Settlement>>, LaneStopped>) {
        let ended = self.try_travel(&mut journey).await;
        (journey, ended)
    }

    async fn try_travel(
        &self,
        journey: &mut Journey,
    ) -> Result<Option<Box<Settlement>>, LaneStopped> {
        let basis = journey.known.as_ref().map(SnapshotRow::basis);
        if basis.unwrap_or_default() != journey.update.basis {
            let settlement = self.settlement(journey, Outcome::Skipped(SkipReason::Superseded));
            return self.record(settlement).await.map(|()| None);
        }
        loop {
            match self.attempt(journey).await? {
                Step::Again => {}
                Step::Aside(settlement) => return Ok(Some(settlement)),
                Step::Accepted(..) | Step::Ended => return Ok(None),
            }
        }
    }

    /// The lane ended under a row. Where nobody knows what became of its write,
    /// that is its outcome; else it stays planned.
    pub(in crate::engine) async fn leave(&self, journey: &Journey) {
        let is_lost = !lock(&self.lost).is_empty();
        if journey.tries.unanswered && is_lost {
            self.lose(&journey.update.key);
        } else if journey.tries.unanswered {
            let mut settlement = self.settlement(journey, Outcome::InDoubt);
            settlement.code = Some(code_of(Outcome::InDoubt, None).to_owned());
            let why = "the lane ended before it was known whether the update was applied";
            settlement.message = Some(why.to_owned());
            // A state that takes nothing more keeps the intent, which says it too.
            drop(self.record(settlement).await);
        }
        // Whoever stopped the lane said why; all that is left is a state that
        // did not answer.
        self.stop(Stopped::NotRecorded);
    }

    /// One request of a row with its answer, and the row's outcome where it is
    /// the last one.
    pub(in crate::engine) async fn exchange(
        &self,
        journey: &mut Journey,
        asked: Asked,
        request: Request,
        fields: Vec<FieldPath>,
    ) -> Result<Step, LaneStopped> {
        let Journey { update, tries, .. } = journey;
        let hide = |refusal: Refusal| without_sensitive(update, refusal);
        let question = Question {
            asked,
            request,
            row: Some((&update.key, update.line)),
            fields,
            hide: &hide,
        };
        let (outcome, refusal, answer) = match self.exchanger.ask(tries, question).await? {
            Reached::Accepted(response, answer) => return Ok(Step::Accepted(response, answer)),
            Reached::Again => return Ok(Step::Again),
            Reached::Ended(outcome, refusal, answer) => (outcome, refusal, answer),
        };
        // A read that failed leaves open what it was to find out.
        let outcome = if outcome == Outcome::Failed && journey.is_in_doubt() {
            Outcome::InDoubt
        } else {
            outcome
        };
        let mut settlement = self.settlement(journey, outcome);
        let code = code_of(outcome, settlement.status);
        settlement.code = Some(code.to_owned());
        settlement
            .problems
            .extend(crate::engine::refusal_problems(self.lane(), &refusal, code));
        settlement.message = Some(refusal.message);
        if outcome == Outcome::Rejected {
            settlement.answer = Some(answer);
            self.refuse(settlement, journey.earlier).await?;
        } else if self.has_last_chance(journey, outcome) {
            self.record_answer(answer).await?;
            return Ok(Step::Aside(Box::new(settlement)));
        } else {
            settlement.answer = Some(answer);
            self.record(settlement).await?;
        }
        Ok(Step::Ended)
    }

    /// Whether a record is the one that was asked for; see [`Exchanger::is_own`].
    pub(in crate::engine) fn is_own(
        &self,
        record: &Json,
        asked: &str,
    ) -> Result<bool, LaneStopped> {
        self.exchanger.is_own(record, asked)
    }

    /// A settlement of a row with all that is known of its way.
    pub(in crate::engine) fn settlement(&self, journey: &Journey, outcome: Outcome) -> Settlement {
        let seen = journey.tries.last.clone().unwrap_or_default();
        Settlement {
            lane: self.lane().name.clone(),
            key: journey.update.key.clone(),
            line: journey.update.line,
            remote_id: Some(journey.update.remote_id.clone()),
            outcome,
            code: None,
            message: None,
            attempts: journey.tries.sent.iter().sum(),
            status: seen.status,
            provider_request_id: seen.provider_request_id,
            took: journey.began.elapsed(),
            at: self.exchanger.now(),
            problems: journey.tries.warnings.clone(),
            note: None,
            answer: None,
            snapshot: None,
        }
    }

    /// Records a row's outcome, counts it, and what it says of others.
    pub(in crate::engine) async fn record(
        &self,
        settlement: Settlement,
    ) -> Result<(), LaneStopped> {
        let outcome = settlement.outcome;
        self.write(settlement).await?;
        lock(&self.waiting).tally.settle(outcome);
        self.release().await
    }

    /// Records a row's outcome and counts it. An update whose end cannot be
    /// recorded is in doubt: the next run knows of its intent alone.
    pub(in crate::engine) async fn write(&self, settlement: Settlement) -> Result<(), LaneStopped> {
        let (key, outcome) = (settlement.key.clone(), settlement.outcome);
        let entry = Entry::Settle(Box::new(settlement));
        if let Err(stopped) = self.exchanger.record(vec![entry]).await {
            if [Outcome::Updated, Outcome::Rejected, Outcome::InDoubt].contains(&outcome) {
                self.lose(&key);
            }
            return Err(stopped);
        }
        lock(&self.counts).settle(outcome);
        self.exchanger.observe(Event::Settled {
            lane: self.lane().name.clone(),
            key,
            outcome,
        });
        Ok(())
    }

    /// A row whose outcome is lost is in doubt, once.
    fn lose(&self, key: &RecordKey) {
        if lock(&self.lost).insert(key.clone()) {
            lock(&self.counts).settle(Outcome::InDoubt);
        }
    }

    /// The answer to a good read is recorded before the row goes on.
    pub(in crate::engine) async fn record_answer(&self, answer: Answer) -> Result<(), LaneStopped> {
        self.exchanger.record(vec![Entry::Answer(answer)]).await
    }
}
