//! One exchange with a provider, at the lane's pace: intent, request, answer,
//! and what follows from it for the lane.
//!
//! Whoever writes and whoever reads goes through here, so that both obey the
//! same pauses, limits and stops. No request leaves before its intent is
//! durable, where there is a journal. What becomes of a row is not decided here.

use std::future::Future;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::bounds::{Bound, Bounds, Place, Places};
use super::decide::{Action, Attempt, Came, Stop, applied, decide};
use super::ends::Stopped;
use super::event::{Event, Observer};
use super::journey::{Seen, Tries, refusal_of, words_of};
use super::lane::Lane;
use super::pacer::{Ending, Pacer, Turn};
use super::recorder::{NotRecorded, Recorder};
use super::transport::{Generation, Renewal, Transport};
use crate::core::{Exchange, FieldPath, Json, Outcome, RecordKey, Request, Response, sha256_hex};
use crate::provider::{self, Asked, Refusal, allowances};
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
pub(super) struct Means<T> {
    pub(super) lane: Arc<Lane>,
    pub(super) transport: T,
    pub(super) pacer: Pacer,
    pub(super) bounds: Bounds,
    /// The journal; none where a command leaves no trace.
    pub(super) recorder: Option<Recorder>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) clock: Clock,
}

/// The exchanges of one lane.
pub(super) struct Exchanger<T> {
    with: Means<T>,
    places: Places,
    stopped: Mutex<Option<Stopped>>,
    /// Wakes whoever waits for something that no longer matters.
    ended: Notify,
    paused_until: Mutex<Option<Instant>>,
    throttles: AtomicU32,
    /// The last number that was given to a request.
    numbered: AtomicU64,
    sent: AtomicU64,
    retried: AtomicU64,
}

/// One thing to ask.
pub(super) struct Question<'a> {
    pub(super) asked: Asked,
    pub(super) request: Request,
    /// The row that it serves, and its line.
    pub(super) row: Option<(&'a RecordKey, u64)>,
    /// The fields that it may change.
    pub(super) fields: Vec<FieldPath>,
    /// Takes out of a provider's words what must not be stored.
    pub(super) hide: &'a (dyn Fn(Refusal) -> Refusal + Sync),
}

/// What one exchange led to.
pub(super) enum Reached {
    /// The answer is good; whoever asked records it.
    Accepted(Response, Answer),
    /// Once more from the beginning; all waiting is done.
    Again,
    /// The end of the attempts; whoever asked records the answer.
    Ended(Outcome, Refusal, Answer),
}

/// The lane has ended; what was under way stays as it is.
pub(super) struct LaneStopped;

impl From<NotRecorded> for LaneStopped {
    fn from(_: NotRecorded) -> Self {
        Self
    }
}

impl<T: Transport> Exchanger<T> {
    pub(super) fn new(with: Means<T>) -> Self {
        Self {
            places: Places::new(with.bounds.budget),
            with,
            stopped: Mutex::default(),
            ended: Notify::new(),
            paused_until: Mutex::default(),
            throttles: AtomicU32::default(),
            numbered: AtomicU64::default(),
            sent: AtomicU64::default(),
            retried: AtomicU64::default(),
        }
    }

    pub(super) fn lane(&self) -> &Lane {
        &self.with.lane
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.with.clock.now)()
    }

    pub(super) fn observe(&self, event: Event) {
        self.with.observer.observe(event);
    }

    /// Requests sent, and those among them that repeat an earlier one.
    pub(super) fn sent(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.sent), read(&self.retried))
    }

    /// Whether the lane has ended early.
    pub(super) fn has_stopped(&self) -> bool {
        lock(&self.stopped).is_some()
    }

    /// Why the lane has ended early.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        lock(&self.stopped).clone()
    }

    /// Ends the lane; the first reason stays.
    pub(super) fn stop(&self, why: Stopped) {
        lock(&self.stopped).get_or_insert(why);
        self.ended.notify_waiters();
    }

    /// Waits for something, but not beyond the lane's end.
    async fn unless_ended<V>(&self, wait: impl Future<Output = V>) -> Result<V, LaneStopped> {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        // From here on no end is missed, so the look comes after it.
        ended.as_mut().enable();
        if self.has_stopped() {
            return Err(LaneStopped);
        }
        tokio::select! {
            done = wait => Ok(done),
            () = ended => Err(LaneStopped),
            () = self.out_of_time() => Err(self.reached(Bound::Time)),
        }
    }

    /// Sleeps until then; a sleep that the run's time cannot hold is not begun.
    async fn sleep_until(&self, until: Instant) -> Result<(), LaneStopped> {
        if self.with.bounds.deadline.is_some_and(|end| end < until) {
            return Err(self.reached(Bound::Time));
        }
        self.unless_ended(tokio::time::sleep_until(until)).await
    }

    async fn out_of_time(&self) {
        match self.with.bounds.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    fn reached(&self, bound: Bound) -> LaneStopped {
        self.stop(Stopped::Bound(bound));
        LaneStopped
    }

    /// One request with its intent, its answer and what follows from it.
    pub(super) async fn ask(
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
        self.last_look(number).await?;
        place.used();
        self.count_request(n > 1);
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
        let action = decide(
            Attempt {
                asked,
                number: tries.number,
                throttles: self.throttles_after(&came, response.is_some()),
                repeatable: self.lane().provider.manifest.update.repeatable,
                renewed: tries.renewed,
                share: (self.with.clock.share)(),
            },
            &came,
        );
        let result = applied(asked, &came);
        tries.in_doubt |= result == AttemptResult::InDoubt;
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
            (action, _) => self.follow(tries, action, answer, generation).await,
        }
    }

    /// Whether a read was answered with the record that was asked for, and not
    /// with nothing. Another record ends the lane: what is built on it would
    /// write one client's values into another's record.
    pub(super) fn is_own(&self, record: &Json, asked: &str) -> Result<bool, LaneStopped> {
        let provider = &self.lane().provider;
        match provider.says_id(record) {
            Some(id) if id == asked => Ok(true),
            Some(_) => {
                let why =
                    "a read was answered with another record than was asked for; it is not used"
                        .to_owned();
                self.stop(Stopped::Provider(Stop::Unusable, why));
                Err(LaneStopped)
            }
            // Without a list nobody says where a record holds its id.
            None => Ok(provider.manifest.list.is_none()
                && !matches!(record, Json::Object(members) if members.is_empty())),
        }
    }

    /// Records entries, where there is a journal.
    pub(super) async fn record(&self, entries: Vec<Entry>) -> Result<(), LaneStopped> {
        match &self.with.recorder {
            Some(recorder) => Ok(recorder.record(entries).await?),
            None => Ok(()),
        }
    }

    /// What is not an acceptance: wait, renew, or end.
    async fn follow(
        &self,
        tries: &mut Tries,
        action: Action,
        answer: Answer,
        generation: Generation,
    ) -> Result<Reached, LaneStopped> {
        match action {
            Action::RetryAfter(wait) => {
                self.record(vec![Entry::Answer(answer)]).await?;
                tries.number += 1;
                self.sleep_until(Instant::now() + wait).await?;
                Ok(Reached::Again)
            }
            Action::Pause(wait) => {
                // Everyone waits from now on, not from when it is recorded.
                self.pause(wait, "provider asked");
                self.record(vec![Entry::Answer(answer)]).await?;
                Ok(Reached::Again)
            }
            Action::Renew => {
                self.record(vec![Entry::Answer(answer)]).await?;
                tries.renewed = true;
                match self.with.transport.renew(generation).await {
                    Renewal::Renewed => Ok(Reached::Again),
                    Renewal::Impossible => {
                        let why = "the provider answers 401; check the secret, and the rights of its account".to_owned();
                        self.stop(Stopped::Provider(Stop::Credentials, why));
                        Err(LaneStopped)
                    }
                }
            }
            Action::Stop(stop, refusal) => {
                self.record(vec![Entry::Answer(answer)]).await?;
                self.stop(Stopped::Provider(stop, refusal.message));
                Err(LaneStopped)
            }
            // An acceptance without an answer does not exist.
            Action::Accept => Ok(Reached::Ended(Outcome::InDoubt, Refusal::default(), answer)),
            Action::Reject(refusal) => Ok(Reached::Ended(Outcome::Rejected, refusal, answer)),
            Action::Fail(refusal) => Ok(Reached::Ended(Outcome::Failed, refusal, answer)),
            Action::InDoubt(refusal) => Ok(Reached::Ended(Outcome::InDoubt, refusal, answer)),
        }
    }

    /// How many throttle answers the lane got in a row, this one included.
    fn throttles_after(&self, came: &Came, answered: bool) -> u32 {
        let asked_to_wait = matches!(came, Came::Answer(provider::Answer::Throttled { .. }));
        if asked_to_wait {
            return self.throttles.fetch_add(1, Ordering::Relaxed) + 1;
        }
        if answered {
            self.throttles.store(0, Ordering::Relaxed);
        }
        0
    }

    /// Waits for the lane's pauses and its pace; gives the request its place in
    /// the budget, and its turn.
    async fn wait_for_turn(&self, asked: Asked) -> Result<(Place<'_>, Turn<'_>), LaneStopped> {
        self.wait_while_paused().await?;
        let place = self.unless_ended(self.places.take()).await?;
        let place = place.map_err(|bound| self.reached(bound))?;
        let admitted = self.unless_ended(self.with.pacer.admit(asked)).await?;
        let turn = admitted.map_err(|day| {
            let why = format!(
                "the provider's requests of this UTC day are used up; the next begins at {}",
                day.until
            );
            self.stop(Stopped::Provider(Stop::Deferred, why));
            LaneStopped
        })?;
        Ok((place, turn))
    }

    /// What an exchange means for the pace, whatever it means for the row.
    fn after(&self, turn: Turn<'_>, came: &Came, response: Option<&Response>) {
        let told = response.map(|response| allowances(response, self.now()));
        if let Some(wait) = self.with.pacer.heed(&told.unwrap_or_default()) {
            self.pause(wait, "its quota is used up");
        }
        turn.end(match (came, response) {
            (Came::Answer(provider::Answer::Throttled { .. }), _) => Ending::Throttled,
            (_, Some(_)) => Ending::Answered,
            (_, None) => Ending::Unanswered,
        });
    }

    async fn wait_while_paused(&self) -> Result<(), LaneStopped> {
        loop {
            if self.has_stopped() {
                return Err(LaneStopped);
            }
            let until = *lock(&self.paused_until);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => self.sleep_until(until).await?,
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
            sent: self.now(),
            took: Duration::ZERO,
        };
        self.record(vec![Entry::Answer(never_sent)]).await?;
        Err(stopped)
    }

    fn pause(&self, wait: Duration, reason: &'static str) {
        let until = Instant::now() + wait;
        {
            let mut paused = lock(&self.paused_until);
            *paused = Some(paused.map_or(until, |before| before.max(until)));
        }
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
        self.retried.fetch_add(u64::from(retry), Ordering::Relaxed);
        self.observe(Event::Requested {
            lane: self.lane().name.clone(),
            retry,
        });
    }
}

/// A lock that a panic elsewhere does not take away: what it guards is whole.
pub(super) fn lock<V>(mutex: &Mutex<V>) -> std::sync::MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
