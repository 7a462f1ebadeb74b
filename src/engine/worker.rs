//! The worker of one lane: takes a row through its attempts to its outcome.
//!
//! Read, build, check, send happen inside the attempt, so that a retry begins
//! with a fresh read. The snapshot moves only in the transaction that records
//! the answer.

use std::sync::Mutex;

use super::ends::{LaneEnd, Stopped};
use super::event::Event;
use super::exchanger::{Exchanger, LaneStopped, Means, Question, Reached, lock};
use super::journey::{Journey, code_of, without_sensitive};
use super::lane::Lane;
use super::recorder::Recorder;
use super::transport::Transport;
use crate::core::{
    FieldPath, Json, LaneCounts, Outcome, PlannedUpdate, Request, Response, SkipReason,
};
use crate::provider::{Asked, Refusal};
use crate::store::{Answer, Entry, Settlement, SnapshotRow};

/// Works off the rows of one lane.
pub struct Worker<T> {
    exchanger: Exchanger<T>,
    recorder: Recorder,
    counts: Mutex<LaneCounts>,
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

impl<T> std::fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}

impl<T: Transport> Worker<T> {
    /// A worker with nothing done yet.
    pub(super) fn new(means: Means<T>, recorder: Recorder, counts: LaneCounts) -> Self {
        Self {
            exchanger: Exchanger::new(means),
            recorder,
            counts: Mutex::new(counts),
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
            stopped: self.exchanger.stopped(),
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
        let known = self.recorder.lookup(&self.lane().name, &update.key).await?;
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

    /// One request of a row with its answer, and the row's outcome where it is
    /// the last one.
    pub(super) async fn exchange(
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
        let mut settlement = self.settlement(journey, outcome);
        settlement.code = Some(code_of(outcome, settlement.status).to_owned());
        settlement.problems =
            super::refusal_problems(self.lane(), &refusal, code_of(outcome, settlement.status));
        settlement.message = Some(refusal.message);
        settlement.answer = Some(answer);
        self.record(settlement).await?;
        Ok(Step::Ended)
    }

    /// Whether a record is the one that was asked for; see [`Exchanger::is_own`].
    pub(super) fn is_own(&self, record: &Json, asked: &str) -> Result<bool, LaneStopped> {
        self.exchanger.is_own(record, asked)
    }

    /// A settlement of a row with all that is known of its way.
    pub(super) fn settlement(&self, journey: &Journey, outcome: Outcome) -> Settlement {
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
            problems: Vec::new(),
            note: None,
            answer: None,
            snapshot: None,
        }
    }

    /// Records a row's outcome and counts it.
    pub(super) async fn record(&self, settlement: Settlement) -> Result<(), LaneStopped> {
        let (key, outcome) = (settlement.key.clone(), settlement.outcome);
        self.exchanger
            .record(vec![Entry::Settle(Box::new(settlement))])
            .await?;
        lock(&self.counts).settle(outcome);
        self.exchanger.observe(Event::Settled {
            lane: self.lane().name.clone(),
            key,
            outcome,
        });
        Ok(())
    }

    /// The answer to a good read is recorded before the row goes on.
    pub(super) async fn record_answer(&self, answer: Answer) -> Result<(), LaneStopped> {
        self.exchanger.record(vec![Entry::Answer(answer)]).await
    }
}
