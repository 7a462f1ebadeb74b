//! Whether a request of a lane may leave now: pauses, the breaker, the bounds
//! of the run, and the lane's end.
//!
//! Everyone who waits, waits here, and hears of the lane's end at once. It
//! decides nothing about answers.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::bounds::{Bound, Bounds, Place, Places};
use super::breaker::{Breaker, Change, Heard, Pass};
use super::decide::{Came, Leeway, PAUSE_CAP, Stop};
use super::trouble::Trouble;
use crate::engine::ends::{LaneStopped, Stopped};

/// See the module.
pub(in crate::engine) struct Gate {
    deadline: Option<Instant>,
    places: Places,
    began: Instant,
    stopped: Mutex<Option<Stopped>>,
    /// Wakes whoever waits for something that no longer matters.
    ended: Notify,
    /// Wakes whoever waits for the probe.
    probed: Notify,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    trouble: Trouble,
    /// How long the breaker was open.
    open: Duration,
    /// Until when the provider asked to be left alone, beyond this run.
    resume: Option<Timestamp>,
}

/// Whether a request is the one that finds out about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Probe {
    Yes,
    No,
}

impl Gate {
    /// A lane that begins; `now` is compared with the time before which the
    /// provider asked not to be called.
    pub(in crate::engine) fn new(bounds: Bounds, now: Timestamp) -> Self {
        let gate = Self {
            deadline: bounds.deadline,
            places: Places::new(bounds.budget),
            began: Instant::now(),
            stopped: Mutex::default(),
            ended: Notify::new(),
            probed: Notify::new(),
            state: Mutex::new(State {
                breaker: Breaker::new(),
                trouble: Trouble::default(),
                open: Duration::ZERO,
                resume: None,
            }),
        };
        if let Some(until) = bounds.not_before {
            gate.leave_alone_until(until, now);
        }
        gate
    }

    /// Keeps what an earlier run was asked: a short rest is waited out, a long
    /// one ends the lane before it begins.
    fn leave_alone_until(&self, until: Timestamp, now: Timestamp) {
        let Ok(wait) = Duration::try_from(until.duration_since(now)) else {
            return;
        };
        if wait > PAUSE_CAP || self.time_left().is_some_and(|left| left < wait) {
            lock(&self.state).resume = Some(until);
            let why = "the provider asked an earlier run to leave it alone".to_owned();
            self.stop(Stopped::Provider(Stop::Deferred, why));
        } else if !wait.is_zero() {
            self.pause(wait);
        }
    }

    /// Whether the lane has ended early.
    pub(in crate::engine) fn has_stopped(&self) -> bool {
        lock(&self.stopped).is_some()
    }

    /// Why the lane has ended early.
    pub(in crate::engine) fn stopped(&self) -> Option<Stopped> {
        lock(&self.stopped).clone()
    }

    /// Ends the lane; the first reason stays.
    pub(in crate::engine) fn stop(&self, why: Stopped) -> LaneStopped {
        lock(&self.stopped).get_or_insert(why);
        self.ended.notify_waiters();
        LaneStopped
    }

    /// When the next run may go on, where the provider said so.
    pub(in crate::engine) fn resume(&self) -> Option<Timestamp> {
        lock(&self.state).resume
    }

    /// The lane is over, and the provider is to be left alone for so long; the
    /// time until when that is.
    pub(in crate::engine) fn leave_alone(&self, wait: Duration, now: Timestamp) -> Timestamp {
        let until = after(now, wait);
        self.resume_at(until);
        until
    }

    /// How long the lane waited as a whole.
    pub(in crate::engine) fn waited(&self) -> Duration {
        let state = lock(&self.state);
        // A wait that was cut short by the lane's end was not waited.
        (state.trouble.waited() + state.open).min(self.began.elapsed())
    }

    /// How many requests of the budget are left, where there is one.
    pub(in crate::engine) fn budget_left(&self) -> Option<u64> {
        self.places.left()
    }

    /// Whether the provider is trusted to work now.
    pub(in crate::engine) fn is_calm(&self) -> bool {
        lock(&self.state).breaker.is_closed()
    }

    /// Waits for something, but not beyond the lane's end or the run's time.
    pub(in crate::engine) async fn unless_ended<V>(
        &self,
        wait: impl Future<Output = V>,
    ) -> Result<V, LaneStopped> {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        // From here on no end is missed, so the look comes after it.
        ended.as_mut().enable();
        if self.has_stopped() {
            return Err(LaneStopped);
        }
        tokio::select! {
            // Where several are there at once, the same one counts in every run.
            biased;
            () = ended => Err(LaneStopped),
            () = self.out_of_time() => Err(self.reached(Bound::Time)),
            done = wait => Ok(done),
        }
    }

    /// Sleeps until then; a sleep that the run's time cannot hold is not begun.
    pub(in crate::engine) async fn sleep_until(&self, until: Instant) -> Result<(), LaneStopped> {
        if self.deadline.is_some_and(|deadline| deadline < until) {
            return Err(self.reached(Bound::Time));
        }
        self.unless_ended(tokio::time::sleep_until(until)).await
    }

    async fn out_of_time(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    fn time_left(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn reached(&self, bound: Bound) -> LaneStopped {
        self.stop(Stopped::Bound(bound))
    }

    /// Waits until neither a pause nor the breaker holds requests back. The
    /// probe is not taken yet: whoever holds it must not wait for anything that
    /// those who wait for it hold.
    pub(in crate::engine) async fn ready(&self) -> Result<(), LaneStopped> {
        self.wait_for(|breaker, now| breaker.look(now)).await?;
        Ok(())
    }

    /// The last look before a request leaves: a pause or a stop that came while
    /// it waited for its chance, or for its intent to be durable, holds for it too.
    pub(in crate::engine) async fn leave(&self) -> Result<Probe, LaneStopped> {
        self.wait_for(Breaker::pass).await
    }

    async fn wait_for(
        &self,
        pass: impl Fn(&mut Breaker, Instant) -> Pass,
    ) -> Result<Probe, LaneStopped> {
        loop {
            let probed = self.probed.notified();
            tokio::pin!(probed);
            // From here on no probe's end is missed, so the look comes after it.
            probed.as_mut().enable();
            if self.has_stopped() {
                return Err(LaneStopped);
            }
            if let Some(until) = self.paused() {
                self.sleep_until(until).await?;
                continue;
            }
            let passed = pass(&mut lock(&self.state).breaker, Instant::now());
            match passed {
                Pass::Go => return Ok(Probe::No),
                Pass::Probe => return Ok(Probe::Yes),
                Pass::Until(until) => self.sleep_until(until).await?,
                Pass::AfterProbe => self.unless_ended(probed).await?,
            }
        }
    }

    /// How long the lane is paused from now on, where it is.
    pub(in crate::engine) fn rest(&self) -> Option<Duration> {
        let until = self.paused()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    fn paused(&self) -> Option<Instant> {
        let until = lock(&self.state).trouble.paused_until();
        until.filter(|until| *until > Instant::now())
    }

    /// A place in the budget for one request.
    pub(in crate::engine) async fn place(&self) -> Result<Place<'_>, LaneStopped> {
        let place = self.unless_ended(self.places.take()).await?;
        place.map_err(|bound| self.reached(bound))
    }

    /// Counts a request that leaves and repeats nothing.
    pub(in crate::engine) fn count_first(&self) {
        lock(&self.state).trouble.count_first();
    }

    /// Counts a retry.
    pub(in crate::engine) fn spend(&self, cost: u64) {
        lock(&self.state).trouble.spend(cost);
    }

    /// Spends one retry, where one is left.
    pub(in crate::engine) fn may_retry(&self) -> bool {
        let mut state = lock(&self.state);
        let left = state.trouble.leeway(None).retries > 0;
        state.trouble.spend(u64::from(left));
        left
    }

    /// Hears of an attempt that left at this time: what the lane may still
    /// spend, and for how long the provider is left alone from now on.
    pub(in crate::engine) fn hear(
        &self,
        came: &Came,
        probe: Probe,
        left: Instant,
    ) -> (Leeway, Option<Duration>) {
        let now = Instant::now();
        let change = {
            let mut state = lock(&self.state);
            state.trouble.hear(came, left);
            state
                .breaker
                .hear(Heard::of(came), probe == Probe::Yes, now)
        };
        let opened = match change {
            Change::None => None,
            Change::Closed => {
                self.probed.notify_waiters();
                None
            }
            Change::Opened(wait) => {
                lock(&self.state).open += wait;
                self.probed.notify_waiters();
                Some(wait)
            }
            Change::GaveUp => {
                let words = super::journey::words_of(came).unwrap_or_default();
                let why = format!("the provider keeps failing: {words}");
                self.stop(Stopped::Provider(Stop::Deferred, why));
                None
            }
        };
        let leeway = lock(&self.state).trouble.leeway(self.time_left());
        (leeway, opened)
    }

    /// Says when the next run may go on.
    pub(in crate::engine) fn resume_at(&self, until: Timestamp) {
        let mut state = lock(&self.state);
        // Who asked for more before is not forgotten.
        state.resume = state.resume.max(Some(until));
    }

    /// Holds the whole lane back for so long from now on, though nobody refused
    /// anything.
    pub(in crate::engine) fn hold(&self, wait: Duration) {
        lock(&self.state).trouble.hold(wait, Instant::now());
    }

    /// Pauses the whole lane for so long from now on; how long it is paused,
    /// which is longer where somebody asked for more before.
    pub(in crate::engine) fn pause(&self, wait: Duration) -> Duration {
        let now = Instant::now();
        lock(&self.state).trouble.pause(wait, now) - now
    }
}

/// So long after a time, and never before: the next whole second, or the last
/// time there is.
pub(in crate::engine) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let seconds = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(RoundMode::Ceil);
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .and_then(|until| until.round(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// A lock that a panic elsewhere does not take away: what it guards is whole.
pub(in crate::engine) fn lock<V>(mutex: &Mutex<V>) -> std::sync::MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
