//! Slower than the limits: after a throttle answer, and where a provider's
//! headers say that little is left.
//!
//! It only ever adds to the gap between requests.

use std::time::Duration;

use super::PAUSE_CAP;
use crate::provider::Allowance;

/// What a throttle answer leaves of the rate.
const CUT: f64 = 0.7;
/// The share of the ceiling that comes back in a minute without one.
const BACK_PER_MINUTE: f64 = 0.05;
/// The least share: one minute's worth.
const LEAST: f64 = BACK_PER_MINUTE;

/// How much slower, and until when.
#[derive(Debug)]
pub(super) struct Slowdown {
    /// The share of the ceiling after the last cut.
    share: f64,
    cut_at: Option<Duration>,
    /// The first admission after the cut: while nothing is sent, nothing shows
    /// that more would be welcome.
    since: Option<Duration>,
    /// A gap, until when.
    spread: Option<(Duration, Duration)>,
}

impl Default for Slowdown {
    fn default() -> Self {
        Self {
            share: 1.0,
            cut_at: None,
            since: None,
            spread: None,
        }
    }
}

impl Slowdown {
    /// The share of the ceiling that is used now, at most 1.
    pub(super) fn share(&self, now: Duration) -> f64 {
        let climbing = self
            .since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let back = BACK_PER_MINUTE * climbing.as_secs_f64() / 60.0;
        (self.share + back).min(1.0)
    }

    /// A request was refused that was admitted then. Those that were under way
    /// together with one that was refused before tell nothing new.
    pub(super) fn throttled(&mut self, admitted: Duration, now: Duration) {
        if self.cut_at.is_some_and(|cut| admitted <= cut) {
            return;
        }
        self.share = (self.share(now) * CUT).max(LEAST);
        self.cut_at = Some(now);
        self.since = None;
    }

    pub(super) fn admitted(&mut self, now: Duration) {
        if self.cut_at.is_some() && self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// The gap that headers ask for.
    pub(super) fn gap(&self, now: Duration) -> Option<Duration> {
        self.spread
            .filter(|(_, until)| now < *until)
            .map(|(gap, _)| gap)
    }

    /// Takes what an answer said of what is left; the latest word counts. Gives
    /// the pause that all of the lane shall make, where nothing is left.
    pub(super) fn heed(
        &mut self,
        allowances: &[Allowance],
        now: Duration,
        quota_for: impl Fn(Duration) -> Option<u64>,
    ) -> Option<Duration> {
        if !allowances.is_empty() {
            self.spread = None;
        }
        let mut pause = None;
        for allowance in allowances {
            let Some(reset) = allowance.reset else {
                continue;
            };
            let wait = reset.min(PAUSE_CAP);
            if allowance.left == 0 {
                pause = pause.max(Some(wait));
                continue;
            }
            let quota = allowance.quota.or_else(|| quota_for(reset));
            if quota.is_some_and(|quota| allowance.left.saturating_mul(10) < quota) {
                let left = u32::try_from(allowance.left).unwrap_or(u32::MAX);
                self.spread = self.spread.max(Some((wait / left, now + wait)));
            }
        }
        pause.filter(|pause| *pause > Duration::ZERO)
    }
}
