//! The time of the simulated world: it goes on while a run's paused clock does,
//! and leaps between runs. Each thread has its own.

use std::cell::Cell;
use std::time::Duration;

use crate::support::campaign::Chance;
use clientsync::engine::Clock;
use jiff::Timestamp;
use tokio::time::Instant;

thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static RUNNING: Cell<Option<Instant>> = const { Cell::new(None) };
    static SHARES: Cell<Chance> = const { Cell::new(Chance::of(0)) };
}

/// Sets the world to its beginning; jitter comes from this seed.
pub(super) fn begin(seed: u64) {
    PASSED.set(Duration::ZERO);
    RUNNING.set(None);
    SHARES.set(Chance::of(seed));
}

/// What has passed since the beginning.
pub(super) fn now() -> Duration {
    PASSED.get()
        + RUNNING
            .get()
            .map_or(Duration::ZERO, |since| since.elapsed())
}

/// The time of day.
pub(super) fn of_day() -> Timestamp {
    "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap() + now()
}

/// Leaps, while nothing runs.
pub(super) fn pass(time: Duration) {
    PASSED.set(PASSED.get() + time);
}

/// Goes on with tokio's clock from here on, until [`stop`].
pub(super) fn run() {
    RUNNING.set(Some(Instant::now()));
}

/// Stands still again.
pub(super) fn stop() {
    PASSED.set(now());
    RUNNING.set(None);
}

/// The engine's clock.
pub(super) fn clock() -> Clock {
    Clock {
        now: of_day,
        share: || {
            let mut shares = SHARES.get();
            let share = u32::try_from(shares.below(1 << 20)).unwrap();
            SHARES.set(shares);
            f64::from(share) / f64::from(1 << 20)
        },
    }
}
