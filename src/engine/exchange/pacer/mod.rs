//! The pace of one lane: every window of its limits at once, evenly.
//!
//! Two things admit a request. Governor spaces departures, a little closer than
//! the quota says, so that a late timer costs nothing. Each window's log then
//! keeps what a server may count under the quota: a request counts from its
//! admission until a window's length after its answer, which proves that it had
//! arrived. How long before the answer it did is unknown; the shortest exchange
//! tells how much of that time every exchange needs, and that much is given
//! back (see [`Travel`](travel::Travel)).
//!
//! What is guaranteed: no sliding window of the server's clock sees more than
//! its quota, however long requests travel, as long as none goes there and back
//! faster than the shortest exchanges of the last few hundred, less what those
//! differ, by more than [`MARGIN`]. Until there are enough exchanges, and where
//! they differ widely, nothing is given back, and then it holds whatever
//! happens. A request that was never answered is taken to have arrived by the
//! time it was given up. A day is a day of UTC by our clock. Nothing is
//! guaranteed of requests that do not come through here (those for tokens, and
//! another program's under the same account), nor of those of an earlier command
//! that kept no journal.
//!
//! It runs on tokio's clock, which tests pause and no one sets: the time of day
//! is read once, when the run begins.

mod ledger;
mod slowdown;
mod travel;
mod window;

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as GovernorQuota, RateLimiter};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use ledger::Ledger;
use slowdown::Slowdown;
use travel::Travel;
use window::{Day, Room, SlidingWindow};

use super::decide::PAUSE_CAP;
use crate::provider::{Allowance, Asked, Limits, Quota, Window};

/// What is added to every window, for the differences that the shortest
/// exchange does not show: it costs half a percent of a window of a second.
pub const MARGIN: Duration = Duration::from_millis(5);

/// How much closer than evenly requests are spaced, at most: timers are up to a
/// millisecond late and never early, and a window's log takes back what is too
/// much. A twenty-fifth at most, so that no gap gets noticeably shorter.
const LATENESS: Duration = Duration::from_millis(2);
const LATENESS_SHARE: u32 = 25;

/// How much of its pace a lane may catch up at once: what lies further back is
/// lost. Below twenty requests a second that is nothing, and none leave together.
const CATCH_UP: Duration = Duration::from_millis(50);

/// The longest gap that a rate can mean.
const SLOWEST: Duration = Duration::from_secs(86_400);

/// Where the pacer's own time begins: later than the longest window, so that
/// what earlier runs sent has a place before it.
const BEGINNING: Duration = Duration::from_secs(7200);

/// Tokio's clock, as governor asks for one.
#[derive(Clone, Copy, Debug)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;
    fn now(&self) -> Duration {
        BEGINNING + self.start.elapsed()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// Admits the requests of one lane.
pub struct Pacer {
    clock: TokioClock,
    /// When the clock stood at [`BEGINNING`].
    began: Timestamp,
    /// Whoever is next waits inside, so that nobody passes another.
    gate: tokio::sync::Mutex<()>,
    paces: Vec<Pace>,
    counts: Mutex<Counts>,
    /// Told of every exchange that ends.
    ended: Notify,
}

/// Whether a window counts writes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WritesOnly {
    Yes,
    No,
}

impl WritesOnly {
    fn of(quota: Quota) -> Self {
        if quota.writes_only {
            Self::Yes
        } else {
            Self::No
        }
    }

    fn counts(self, asked: Asked) -> bool {
        self == Self::No || asked == Asked::Write
    }
}

/// An even pace.
struct Pace {
    writes_only: WritesOnly,
    /// The gap of the ceiling.
    interval: Duration,
    limiter: Limiter,
}

/// What was sent, and what follows from it.
#[derive(Debug, Default)]
struct Counts {
    windows: Vec<SlidingWindow>,
    days: Vec<Day>,
    travel: Travel,
    slowdown: Slowdown,
    /// The last admission: of any request, of a write.
    last: [Option<Duration>; 2],
}

/// The day's quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsedUp {
    /// When the next day begins.
    pub until: Timestamp,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an answer.
    Answered,
    /// With an answer that asks everyone to wait.
    Throttled,
    /// Without one, or it was never sent.
    Unanswered,
}

/// A request that was admitted. It counts as under way until this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    pacer: &'a Pacer,
    asked: Asked,
    admitted: Duration,
}

impl Turn<'_> {
    /// The exchange is over.
    pub fn end(self, ending: Ending) {
        let now = self.pacer.clock.now();
        let mut counts = self.pacer.counts();
        if ending != Ending::Unanswered {
            counts.travel.learn(now.saturating_sub(self.admitted));
        }
        if ending == Ending::Throttled {
            counts.slowdown.throttled(self.admitted, now);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let now = self.pacer.clock.now();
        self.pacer.counts().end(self.asked, now);
        self.pacer.ended.notify_one();
    }
}

impl std::fmt::Debug for Pacer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pacer")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Pacer {
    /// Paces by these limits, after what the ledger knows; `tps_limit` lowers
    /// them further.
    #[must_use]
    pub fn new(limits: &Limits, tps_limit: Option<f64>, ledger: &Ledger) -> Self {
        let clock = TokioClock {
            start: ledger.start,
        };
        let mut paces = Vec::new();
        let mut counts = Counts::default();
        for (place, quota) in limits.quota.iter().copied().enumerate() {
            if quota.per == Window::Day {
                let sent = ledger.sent(place).count();
                counts.days.push(Day::new(quota, ledger.began, sent));
                continue;
            }
            let sent = ledger.sent(place).map(|age| BEGINNING.saturating_sub(age));
            let window = SlidingWindow::new(quota, sent);
            let interval = window.interval();
            let spacing = interval.saturating_sub(LATENESS.min(interval / LATENESS_SHARE));
            let catch_up = CATCH_UP.as_nanos() / spacing.as_nanos().max(1);
            let burst = u32::try_from(catch_up).unwrap_or(0).saturating_add(1);
            paces.extend(Pace::new(
                WritesOnly::of(quota),
                interval,
                spacing,
                burst,
                clock,
            ));
            counts.windows.push(window);
        }
        if let Some(rate) = tps_limit {
            let gap = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(SLOWEST);
            let gap = gap.min(SLOWEST);
            paces.extend(Pace::new(WritesOnly::No, gap, gap, 1, clock));
        }
        Self {
            clock,
            began: ledger.began,
            gate: tokio::sync::Mutex::default(),
            paces,
            counts: Mutex::new(counts),
            ended: Notify::new(),
        }
    }

    /// Waits until every window admits one more request.
    pub async fn admit(&self, asked: Asked) -> Result<Turn<'_>, DayUsedUp> {
        let _next = self.gate.lock().await;
        self.wait_for_room(asked).await?;
        self.keep_distance(asked).await;
        // An answer may have asked for more distance meanwhile.
        self.wait_for_room(asked).await?;
        let admitted = self.clock.now();
        self.counts().admit(asked, admitted, self.day(admitted));
        Ok(Turn {
            pacer: self,
            asked,
            admitted,
        })
    }

    /// Slows down as a provider's headers ask, before it has to refuse. It
    /// never speeds up. Gives the pause that the whole lane shall make, if any.
    pub fn heed(&self, allowances: &[Allowance]) -> Option<Duration> {
        let now = self.clock.now();
        let mut counts = self.counts();
        let Counts {
            windows, slowdown, ..
        } = &mut *counts;
        slowdown.heed(allowances, now, |reset| {
            // Without a word about its quota, ours for such a time is meant.
            let fitting = windows.iter().filter(|window| window.length >= reset);
            let shortest = fitting.min_by_key(|window| window.length)?;
            u64::try_from(shortest.calls).ok()
        })
    }

    /// When the next request may be admitted, apart from governor's spacing.
    fn room(&self, asked: Asked) -> Result<Room, DayUsedUp> {
        let now = self.clock.now();
        let mut counts = self.counts();
        let mut room = counts.room(asked, now);
        if counts.is_day_used_up(asked, self.day(now)) {
            let midnight = self.midnight_after(now);
            let is_far = midnight.saturating_sub(now) > PAUSE_CAP;
            if is_far && counts.is_any_under_way(asked) {
                // The lane must not end while what was admitted has not left.
                return Ok(Room::AfterAnEnd);
            }
            if is_far {
                let until = self.time_of_day(midnight);
                return Err(DayUsedUp { until });
            }
            room = room.max(Room::At(midnight));
        }
        let share = counts.slowdown.share(now);
        let spread = counts.slowdown.gap(now);
        let slow = self.paces_of(asked).filter_map(|pace| {
            let last = counts.last[usize::from(pace.writes_only == WritesOnly::Yes)]?;
            (share < 1.0).then(|| last + pace.interval.div_f64(share))
        });
        let spread = counts.last[0].zip(spread).map(|(last, gap)| last + gap);
        let at = slow.chain(spread).max().filter(|at| *at > now);
        Ok(at.map_or(room, |at| room.max(Room::At(at))))
    }

    fn paces_of(&self, asked: Asked) -> impl Iterator<Item = &Pace> {
        let counted = move |pace: &&Pace| pace.writes_only.counts(asked);
        self.paces.iter().filter(counted)
    }

    async fn wait_for_room(&self, asked: Asked) -> Result<(), DayUsedUp> {
        loop {
            match self.room(asked)? {
                Room::Now => return Ok(()),
                // Whatever ends meanwhile may change what is waited for.
                Room::At(at) => {
                    let wait = at.saturating_sub(self.clock.now());
                    let _ = tokio::time::timeout(wait, self.ended.notified()).await;
                }
                Room::AfterAnEnd => self.ended.notified().await,
            }
        }
    }

    async fn keep_distance(&self, asked: Asked) {
        for pace in self.paces_of(asked) {
            while let Err(not_until) = pace.limiter.check() {
                tokio::time::sleep(not_until.wait_time_from(self.clock.now())).await;
            }
        }
    }

    /// The time of day, as far as this run knows: a clock that is set meanwhile
    /// moves neither a window nor midnight.
    fn time_of_day(&self, now: Duration) -> Timestamp {
        let since = now.saturating_sub(BEGINNING);
        self.began.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    fn day(&self, now: Duration) -> i64 {
        window::day_of(self.time_of_day(now))
    }

    fn midnight_after(&self, now: Duration) -> Duration {
        let next = window::midnight(self.day(now) + 1);
        let wait = next.duration_since(self.began);
        BEGINNING + Duration::try_from(wait).unwrap_or_default()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    fn new(
        writes_only: WritesOnly,
        interval: Duration,
        spacing: Duration,
        burst: u32,
        clock: TokioClock,
    ) -> Option<Self> {
        let quota = GovernorQuota::with_period(spacing.max(Duration::from_nanos(1)))?
            .allow_burst(NonZeroU32::new(burst)?);
        Some(Self {
            writes_only,
            interval,
            limiter: RateLimiter::direct_with_clock(quota, clock),
        })
    }
}

impl Counts {
    fn room(&mut self, asked: Asked, now: Duration) -> Room {
        let given_back = self.travel.floor();
        let windows = self.windows.iter_mut();
        windows
            .filter(|window| window.writes_only.counts(asked))
            .map(|window| window.room(now, given_back))
            .max()
            .unwrap_or(Room::Now)
    }

    fn is_day_used_up(&mut self, asked: Asked, today: i64) -> bool {
        let mut days = self.days.iter_mut();
        days.any(|day| day.writes_only.counts(asked) && day.is_used_up(today))
    }

    fn is_any_under_way(&self, asked: Asked) -> bool {
        let mut days = self.days.iter();
        days.any(|day| day.writes_only.counts(asked) && day.open > 0)
    }

    fn admit(&mut self, asked: Asked, now: Duration, today: i64) {
        for window in self
            .windows
            .iter_mut()
            .filter(|w| w.writes_only.counts(asked))
        {
            window.open += 1;
        }
        for day in self.days.iter_mut().filter(|d| d.writes_only.counts(asked)) {
            day.admit(today);
        }
        self.slowdown.admitted(now);
        self.last[0] = Some(now);
        if asked == Asked::Write {
            self.last[1] = Some(now);
        }
    }

    fn end(&mut self, asked: Asked, now: Duration) {
        for window in self
            .windows
            .iter_mut()
            .filter(|w| w.writes_only.counts(asked))
        {
            window.end(now);
        }
        for day in self.days.iter_mut().filter(|d| d.writes_only.counts(asked)) {
            day.open = day.open.saturating_sub(1);
        }
    }
}
