//! One exchange with a provider, at the lane's pace: intent, request, answer,
//! and what follows from it for the lane.
//!
//! Whoever writes and whoever reads goes through here, so that both obey the
//! same pauses, limits and stops. No request leaves before its intent is
//! durable, where there is a journal. What becomes of a row is not decided here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::bounds::{Bounds, Place};
use super::decide::{Action, Attempt, Came, Leeway, Stop, applied, cost, decide};
use super::gate::{Gate, Probe, after};
use super::journey::{Seen, Tries, refusal_of, words_of};
use super::pacer::{Ending, Pacer, Turn};
use crate::core::{Exchange, FieldPath, Json, Outcome, RecordKey, Request, Response, sha256_hex};
use crate::engine::ends::{LaneEnd, LaneStopped, Stopped};
use crate::engine::event::{Event, Observer};
use crate::engine::lane::Lane;
use crate::engine::recorder::Recorder;
use crate::engine::transport::{Generation, Renewal, Transport};
use crate::provider::{self, Asked, Refusal, allowances, garbled_retry_after};
use crate::store::{Answer, AttemptResult, Entry, Intent};

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

/// What the exchanges of a lane work with.
pub(in crate::engine) struct Means<T> {
    pub(in crate::engine) lane: Arc<Lane>,
    pub(in crate::engine) transport: T,
    pub(in crate::engine) pacer: Pacer,
    pub(in crate::engine) bounds: Bounds,
    /// The journal; none where a command leaves no trace.
    pub(in crate::engine) recorder: Option<Recorder>,
    pub(in crate::engine) observer: Arc<dyn Observer>,
    pub(in crate::engine) clock: Clock,
}

/// The exchanges of one lane.
pub(in crate::engine) struct Exchanger<T> {
    with: Means<T>,
    gate: Gate,
    /// The last number that was given to a request.
    numbered: AtomicU64,
    sent: AtomicU64,
    retried: AtomicU64,
}

/// One thing to ask.
pub(in crate::engine) struct Question<'a> {
    pub(in crate::engine) asked: Asked,
    pub(in crate::engine) request: Request,
    /// The row that it serves, and its line.
    pub(in crate::engine) row: Option<(&'a RecordKey, u64)>,
    /// The fields that it may change.
    pub(in crate::engine) fields: Vec<FieldPath>,
    /// Takes out of a provider's words what must not be stored.
    pub(in crate::engine) hide: &'a (dyn Fn(Refusal) -> Refusal + Sync),
}

/// What one exchange led to.
pub(in crate::engine) enum Reached {
    /// The answer is good; whoever asked records it.
    Accepted(Response, Answer),
    /// Once more from the beginning; all waiting is done.
    Again,
    /// The end of the attempts; whoever asked records the answer.
    Ended(Outcome, Refusal, Answer),
}

impl<T: Transport> Exchanger<T> {
    pub(in crate::engine) fn new(with: Means<T>) -> Self {
        let exchanger = Self {
            gate: Gate::new(with.bounds, (with.clock.now)()),
            with,
            numbered: AtomicU64::default(),
            sent: AtomicU64::default(),
            retried: AtomicU64::default(),
        };
        if let Some(wait) = exchanger.gate.rest() {
            exchanger.tell_wait(wait, "provider asked an earlier run");
        }
        exchanger
    }

    pub(in crate::engine) fn lane(&self) -> &Lane {
        &self.with.lane
    }

    pub(in crate::engine) fn now(&self) -> Timestamp {
        (self.with.clock.now)()
    }

    pub(in crate::engine) fn observe(&self, event: Event) {
        self.with.observer.observe(event);
    }

    /// Requests sent, and those among them that repeat an earlier one.
    pub(in crate::engine) fn sent(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.sent), read(&self.retried))
    }

    /// How the lane stands at its end, without what became of its rows.
    pub(in crate::engine) fn end(&self) -> LaneEnd {
        LaneEnd {
            stopped: self.gate.stopped(),
            waited: self.gate.waited(),
            budget_left: self.gate.budget_left(),
            resume: self.gate.resume().or_else(|| self.rest_until()),
            ..LaneEnd::default()
        }
    }

    /// Until when the provider is to be left alone, where a lane ends in a pause.
    fn rest_until(&self) -> Option<Timestamp> {
        let rest = self.gate.stopped().and_then(|_| self.gate.rest())?;
        Some(after(self.now(), rest))
    }

    /// Whether the lane has ended early.
    pub(in crate::engine) fn has_stopped(&self) -> bool {
        self.gate.has_stopped()
    }

    /// Why the lane has ended early.
    pub(in crate::engine) fn stopped(&self) -> Option<Stopped> {
        self.gate.stopped()
    }

    /// Ends the lane; the first reason stays.
    pub(in crate::engine) fn stop(&self, why: Stopped) -> LaneStopped {
        self.gate.stop(why)
    }

    /// Whether the provider is trusted to work now.
    pub(in crate::engine) fn is_calm(&self) -> bool {
        self.gate.is_calm()
    }

    /// Spends one retry for a row's last chance, where one is left.
    pub(in crate::engine) fn may_retry(&self) -> bool {
        self.gate.may_retry()
    }

    /// One request with its intent, its answer and what follows from it.
    pub(in crate::engine) async fn ask(
        &self,
        tries: &mut Tries,
        question: Question<'_>,
    ) -> Result<Reached, LaneStopped> {
        let Question {
            asked,
            request,
            row,
            fields,
            hide,
        } = question;
        let (place, turn) = self.wait_for_turn(asked).await?;
        let number = self.next_number();
        let n = tries.count(asked);
        let intent = Intent {
            request: number,
            lane: self.lane().name.clone(),
            key: row.map(|(key, _)| key.clone()),
            line: row.map(|(_, line)| line),
            n,
            method: request.method,
            at: self.now(),
            body_sha256: request
                .body
                .as_ref()
                .map(|body| sha256_hex(body.as_bytes())),
            fields,
        };
        self.record(vec![Entry::Intent(intent)]).await?;
        let probe = self.last_look(number).await?;
        place.used();
        self.count_request(n > 1);
        let left = Instant::now();
        let began = *tries.began.get_or_insert(left);
        let sent = self.now();
        let (Exchange { result, took }, generation) = self.with.transport.send(request).await;
        let response = result.as_ref().ok().cloned();
        let came = match result {
            Ok(response) => {
                let answer = self.lane().provider.classify(&response, asked, self.now());
                Came::Answer(answer.map_refusal(hide))
            }
            Err(nothing) => Came::Nothing(nothing),
        };
        self.after(turn, &came, response.as_ref());
        let seen = response.as_ref().map(Seen::of).unwrap_or_default();
        if response.as_ref().is_some_and(garbled_retry_after) {
            tries.warn_of_wait();
        }
        let manifest = &self.lane().provider.manifest;
        let attempt = Attempt {
            asked,
            number: tries.number,
            age: began.elapsed(),
            repeatable: manifest.update.repeatable,
            readable: manifest.read.is_some(),
            renewed: tries.has_renewed(asked),
            share: (self.with.clock.share)(),
        };
        let action = decide(attempt, &came, self.hear(&came, probe, left));
        let result = applied(asked, &came, seen.status);
        tries.in_doubt |= result == AttemptResult::InDoubt;
        tries.heard(asked, &came);
        tries.last = Some(seen.clone());
        let answer = Answer {
            request: number,
            result,
            status: seen.status,
            provider_request_id: seen.provider_request_id,
            message: refusal_of(&action)
                .map(|refusal| refusal.message.clone())
                .or_else(|| words_of(&came)),
            sent,
            took,
        };
        match (action, response) {
            (Action::Accept, Some(response)) => Ok(Reached::Accepted(response, answer)),
            (action, _) => {
                let price = cost(&came);
                self.follow(tries, asked, action, (price, generation), answer)
                    .await
            }
        }
    }

    /// Whether a read was answered with the record that was asked for, and not
    /// with nothing. Another record ends the lane: what is built on it would
    /// write one client's values into another's record.
    pub(in crate::engine) fn is_own(
        &self,
        record: &Json,
        asked: &str,
    ) -> Result<bool, LaneStopped> {
        let provider = &self.lane().provider;
        match provider.says_id(record) {
            Some(id) if id == asked => Ok(true),
            Some(_) => {
                let why =
                    "a read was answered with another record than was asked for; it is not used"
                        .to_owned();
                Err(self.stop(Stopped::Provider(Stop::Unusable, why)))
            }
            // Without a list nobody says where a record holds its id.
            None => Ok(provider.manifest.list.is_none()
                && !matches!(record, Json::Object(members) if members.is_empty())),
        }
    }

    /// Records entries, where there is a journal.
    pub(in crate::engine) async fn record(&self, entries: Vec<Entry>) -> Result<(), LaneStopped> {
        match &self.with.recorder {
            Some(recorder) => Ok(recorder.record(entries).await?),
            None => Ok(()),
        }
    }

    /// What is not an acceptance: wait, renew, or end.
    async fn follow(
        &self,
        tries: &mut Tries,
        asked: Asked,
        action: Action,
        (price, generation): (u64, Generation),
        answer: Answer,
    ) -> Result<Reached, LaneStopped> {
        match action {
            Action::RetryAfter(wait) => {
                self.gate.spend(price);
                self.record(vec![Entry::Answer(answer)]).await?;
                tries.number += 1;
                self.gate.sleep_until(Instant::now() + wait).await?;
                Ok(Reached::Again)
            }
            Action::Pause(wait) => {
                // Everyone waits from now on, not from when it is recorded.
                let wait = self.gate.pause(wait);
                self.tell_wait(wait, "provider asked");
                self.record_rest(answer, after(self.now(), wait)).await?;
                Ok(Reached::Again)
            }
            Action::Renew => {
                self.record(vec![Entry::Answer(answer)]).await?;
                if self.has_stopped() {
                    return Err(LaneStopped);
                }
                tries.renew(asked);
                match self.with.transport.renew(generation).await {
                    Renewal::Renewed => Ok(Reached::Again),
                    Renewal::Impossible => {
                        let why = "the provider answers 401; check the secret, and the rights of its account".to_owned();
                        Err(self.stop(Stopped::Provider(Stop::Credentials, why)))
                    }
                }
            }
            Action::Stop(stop, refusal) => {
                self.record(vec![Entry::Answer(answer)]).await?;
                Err(self.stop(Stopped::Provider(stop, refusal.message)))
            }
            Action::LeaveAlone(wait, refusal) => {
                let until = self.gate.leave_alone(wait, self.now());
                // Nobody sends from now on, not from when it is recorded.
                let stopped = self.stop(Stopped::Provider(Stop::Deferred, refusal.message));
                self.record_rest(answer, until).await?;
                Err(stopped)
            }
            // An acceptance without an answer does not exist.
            Action::Accept => Ok(Reached::Ended(Outcome::InDoubt, Refusal::default(), answer)),
            Action::Reject(refusal) => Ok(Reached::Ended(Outcome::Rejected, refusal, answer)),
            Action::Fail(refusal) => Ok(Reached::Ended(Outcome::Failed, refusal, answer)),
            Action::InDoubt(refusal) => Ok(Reached::Ended(Outcome::InDoubt, refusal, answer)),
        }
    }

    /// Lets the lane hear of an attempt: what it may still spend.
    fn hear(&self, came: &Came, probe: Probe, left: Instant) -> Leeway {
        let (leeway, opened) = self.gate.hear(came, probe, left);
        if let Some(wait) = opened {
            self.tell_wait(wait, "provider fails");
        }
        leeway
    }

    /// Waits for the lane's pauses and its pace; gives the request its place in
    /// the budget, and its turn.
    async fn wait_for_turn(&self, asked: Asked) -> Result<(Place<'_>, Turn<'_>), LaneStopped> {
        self.gate.ready().await?;
        let place = self.gate.place().await?;
        let admitted = self.gate.unless_ended(self.with.pacer.admit(asked)).await?;
        let turn = admitted.map_err(|day| {
            self.gate.resume_at(day.until);
            let why = format!(
                "the provider's requests of this UTC day are used up; the next begins at {}",
                day.until
            );
            self.stop(Stopped::Provider(Stop::Deferred, why))
        })?;
        Ok((place, turn))
    }

    /// What an exchange means for the pace, whatever it means for the row.
    fn after(&self, turn: Turn<'_>, came: &Came, response: Option<&Response>) {
        let told = response.map(|response| allowances(response, self.now()));
        if let Some(wait) = self.with.pacer.heed(&told.unwrap_or_default()) {
            self.gate.hold(wait);
            self.tell_wait(wait, "its quota is used up");
        }
        turn.end(match (came, response) {
            (Came::Answer(provider::Answer::Throttled { .. }), _) => Ending::Throttled,
            (_, Some(_)) => Ending::Answered,
            (_, None) => Ending::Unanswered,
        });
    }

    /// The last look before a request leaves; an intent that is not followed by
    /// its request says so.
    async fn last_look(&self, request: u64) -> Result<Probe, LaneStopped> {
        let stopped = match self.gate.leave().await {
            Ok(probe) => return Ok(probe),
            Err(stopped) => stopped,
        };
        let never_sent = Answer {
            request,
            result: AttemptResult::NotApplied,
            status: None,
            provider_request_id: None,
            message: Some("not sent: the lane had ended".to_owned()),
            sent: self.now(),
            took: Duration::ZERO,
        };
        self.record(vec![Entry::Answer(never_sent)]).await?;
        Err(stopped)
    }

    /// Records an answer, and until when its provider is to be left alone: a
    /// run that is killed meanwhile leaves that to the next one.
    async fn record_rest(&self, answer: Answer, until: Timestamp) -> Result<(), LaneStopped> {
        let lane = self.lane().name.clone();
        self.record(vec![
            Entry::Answer(answer),
            Entry::LeaveAlone { lane, until },
        ])
        .await
    }

    fn tell_wait(&self, wait: Duration, reason: &'static str) {
        self.observe(Event::Paused {
            lane: self.lane().name.clone(),
            wait,
            reason,
        });
    }

    /// Request numbers are the run's: lanes share them by taking turns.
    fn next_number(&self) -> u64 {
        let number = self.numbered.fetch_add(1, Ordering::Relaxed) + 1;
        number * 256 + u64::from(self.lane().ordinal)
    }

    fn count_request(&self, retry: bool) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if !retry {
            self.gate.count_first();
        }
        self.retried.fetch_add(u64::from(retry), Ordering::Relaxed);
        self.observe(Event::Requested {
            lane: self.lane().name.clone(),
            retry,
        });
    }
}
