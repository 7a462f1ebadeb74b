//! The pace of one lane: every window of its limits at once.
//!
//! Short windows are paced evenly by governor with a burst of one, so that no
//! window of the server's clock ever sees more than its quota. A day is too
//! long to pace: its requests are counted, and what earlier runs sent today
//! counts too. It runs on tokio's clock, which tests pause.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as GovernorQuota, RateLimiter};
use tokio::time::Instant;

use crate::provider::{Asked, Limits, Window};

/// Tokio's clock, as governor asks for one: the time since the pacer was made.
#[derive(Clone, Copy, Debug)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// The share of an interval that is added to it, so that requests which travel
/// at different speeds do not arrive closer than the quota allows: one in a
/// hundred leaves 10 ms in a window of a second.
const MARGIN: u32 = 100;

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// Admits the requests of one lane.
pub struct Pacer {
    clock: TokioClock,
    windows: Vec<(WritesOnly, Limiter)>,
    days: Vec<Day>,
}

/// Whether a window counts writes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WritesOnly {
    Yes,
    No,
}

impl WritesOnly {
    fn counts(self, asked: Asked) -> bool {
        self == Self::No || asked == Asked::Write
    }
}

/// A day's quota and what is left of it.
#[derive(Debug)]
struct Day {
    writes_only: WritesOnly,
    left: Mutex<u64>,
}

/// What earlier runs sent since the UTC day began.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentToday {
    /// All requests.
    pub requests: u64,
    /// Writes alone.
    pub writes: u64,
}

/// The day's quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayUsedUp;

impl std::fmt::Debug for Pacer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pacer")
            .field("windows", &self.windows.len())
            .field("days", &self.days)
            .finish_non_exhaustive()
    }
}

impl Pacer {
    /// Paces by these limits; `tps_limit` lowers them further.
    #[must_use]
    pub fn new(limits: &Limits, tps_limit: Option<f64>, sent_today: SentToday) -> Self {
        let clock = TokioClock {
            start: Instant::now(),
        };
        let limiter = |interval: Duration| {
            let quota = GovernorQuota::with_period(interval.max(Duration::from_nanos(1)))?
                .allow_burst(NonZeroU32::MIN);
            Some(RateLimiter::direct_with_clock(quota, clock))
        };
        let mut windows = Vec::new();
        let mut days = Vec::new();
        for quota in &limits.quota {
            let writes_only = if quota.writes_only {
                WritesOnly::Yes
            } else {
                WritesOnly::No
            };
            if quota.per == Window::Day {
                let sent = if quota.writes_only {
                    sent_today.writes
                } else {
                    sent_today.requests
                };
                days.push(Day {
                    writes_only,
                    left: Mutex::new(u64::from(quota.calls).saturating_sub(sent)),
                });
            } else {
                let interval = Duration::from_secs(quota.per.seconds()) / quota.calls.max(1);
                let interval = interval + interval / MARGIN;
                windows.extend(limiter(interval).map(|limiter| (writes_only, limiter)));
            }
        }
        if let Some(rate) = tps_limit {
            windows.extend(
                limiter(Duration::from_secs_f64(1.0 / rate))
                    .map(|limiter| (WritesOnly::No, limiter)),
            );
        }
        Self {
            clock,
            windows,
            days,
        }
    }

    /// Waits until every window admits one more request.
    pub async fn admit(&self, asked: Asked) -> Result<(), DayUsedUp> {
        for day in self.days.iter().filter(|day| day.writes_only.counts(asked)) {
            let Ok(mut left) = day.left.lock() else {
                return Err(DayUsedUp);
            };
            *left = left.checked_sub(1).ok_or(DayUsedUp)?;
        }
        for (_, limiter) in self
            .windows
            .iter()
            .filter(|(writes_only, _)| writes_only.counts(asked))
        {
            while let Err(not_until) = limiter.check() {
                tokio::time::sleep(not_until.wait_time_from(self.clock.now())).await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Quota;

    fn limits(quota: &[(u32, Window, bool)]) -> Limits {
        let quota = quota.iter().map(|(calls, per, writes_only)| Quota {
            calls: *calls,
            per: *per,
            writes_only: *writes_only,
        });
        Limits {
            quota: quota.collect(),
            concurrency: 1,
        }
    }

    async fn admitted(pacer: &Pacer, asked: Asked, count: usize) -> Vec<Duration> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            pacer.admit(asked).await.unwrap();
            times.push(start.elapsed());
        }
        times
    }

    fn most_in_any_window(times: &[Duration], window: Duration) -> usize {
        times
            .iter()
            .map(|from| {
                times
                    .iter()
                    .filter(|t| *t >= from && **t < *from + window)
                    .count()
            })
            .max()
            .unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn no_sliding_window_sees_more_than_its_quota() {
        let pacer = Pacer::new(
            &limits(&[(10, Window::Second, false), (120, Window::Minute, false)]),
            None,
            SentToday::default(),
        );
        let times = admitted(&pacer, Asked::Write, 300).await;
        assert!(most_in_any_window(&times, Duration::from_secs(1)) <= 10);
        assert!(most_in_any_window(&times, Duration::from_secs(60)) <= 120);
    }

    #[tokio::test(start_paused = true)]
    async fn windows_of_writes_let_reads_pass() {
        let pacer = Pacer::new(
            &limits(&[(1, Window::Minute, true)]),
            None,
            SentToday::default(),
        );
        let reads = admitted(&pacer, Asked::Read, 100).await;
        assert!(reads.last().unwrap() < &Duration::from_secs(1));
        let writes = admitted(&pacer, Asked::Write, 3).await;
        assert!(writes.last().unwrap() >= &Duration::from_secs(120));
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_counts_what_earlier_runs_sent() {
        let pacer = Pacer::new(
            &limits(&[(5, Window::Day, true)]),
            None,
            SentToday {
                requests: 9,
                writes: 3,
            },
        );
        assert_eq!(pacer.admit(Asked::Read).await, Ok(()));
        assert_eq!(pacer.admit(Asked::Write).await, Ok(()));
        assert_eq!(pacer.admit(Asked::Write).await, Ok(()));
        assert_eq!(pacer.admit(Asked::Write).await, Err(DayUsedUp));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lower_rate_of_the_user_holds_too() {
        let pacer = Pacer::new(
            &limits(&[(100, Window::Second, false)]),
            Some(2.0),
            SentToday::default(),
        );
        let times = admitted(&pacer, Asked::Write, 5).await;
        assert!(times.last().unwrap() >= &Duration::from_secs(2));
    }
}
