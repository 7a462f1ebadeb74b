//! The windows of a lane's limits and the requests that they count.
//!
//! Plain values: the time comes in, and nothing here waits.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::{MARGIN, WritesOnly};
use crate::provider::Quota;

/// When there is room for one more request; the later, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    Now,
    At(Duration),
    /// Everything that counts is under way: an exchange has to end first.
    AfterAnEnd,
}

/// One sliding window.
#[derive(Debug)]
pub(super) struct SlidingWindow {
    pub(super) writes_only: WritesOnly,
    pub(super) calls: usize,
    pub(super) length: Duration,
    /// Requests under way.
    pub(super) open: usize,
    /// When the others ended, oldest first.
    ended: VecDeque<Duration>,
}

impl SlidingWindow {
    /// A window that has counted these already, newest first.
    pub(super) fn new(quota: Quota, ended: impl Iterator<Item = Duration>) -> Self {
        let mut ended: VecDeque<Duration> = ended.collect();
        ended.make_contiguous().reverse();
        Self {
            writes_only: WritesOnly::of(quota),
            calls: usize::try_from(quota.calls).unwrap_or(usize::MAX),
            length: Duration::from_secs(quota.per.seconds()),
            open: 0,
            ended,
        }
    }

    /// The gap between requests that are spread evenly.
    pub(super) fn interval(&self) -> Duration {
        self.length / u32::try_from(self.calls.max(1)).unwrap_or(u32::MAX)
    }

    /// Whether one more request fits, or when it will. What every exchange takes
    /// from its arrival to its answer and the next one takes to arrive is given
    /// back.
    pub(super) fn room(&mut self, now: Duration, given_back: Duration) -> Room {
        let counts_for = (self.length + MARGIN).saturating_sub(given_back);
        while self
            .ended
            .front()
            .is_some_and(|ended| *ended + counts_for <= now)
        {
            self.ended.pop_front();
        }
        let too_many = (self.open + self.ended.len() + 1).saturating_sub(self.calls);
        match too_many.checked_sub(1).map(|last| self.ended.get(last)) {
            None => Room::Now,
            Some(Some(ended)) => Room::At(*ended + counts_for),
            Some(None) => Room::AfterAnEnd,
        }
    }

    pub(super) fn end(&mut self, now: Duration) {
        self.open = self.open.saturating_sub(1);
        self.ended.push_back(now);
    }
}

/// A day's quota and what was used of it. A day is too long to be paced.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) writes_only: WritesOnly,
    calls: usize,
    /// Which day of UTC it is, counted from 1970.
    number: i64,
    used: usize,
    /// Requests under way.
    pub(super) open: usize,
}

impl Day {
    pub(super) fn new(quota: Quota, at: Timestamp, used: usize) -> Self {
        Self {
            writes_only: WritesOnly::of(quota),
            calls: usize::try_from(quota.calls).unwrap_or(usize::MAX),
            number: day_of(at),
            used,
            open: 0,
        }
    }

    pub(super) fn is_used_up(&mut self, today: i64) -> bool {
        if today > self.number {
            self.number = today;
            // What is under way at midnight may arrive after it.
            self.used = self.open;
        }
        self.used >= self.calls
    }

    pub(super) fn admit(&mut self, today: i64) {
        self.is_used_up(today);
        self.used += 1;
        self.open += 1;
    }
}

const DAY: i64 = 86_400;

/// The day of UTC, counted from 1970.
pub(super) fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(DAY)
}

/// When a day of UTC begins.
pub(super) fn midnight(day: i64) -> Timestamp {
    Timestamp::from_second(day.saturating_mul(DAY)).unwrap_or(Timestamp::MAX)
}
