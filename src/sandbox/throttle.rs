//! Counts requests in sliding windows, as a server does.
//!
//! Every window holds at once. It reads no clock: the time comes in with each
//! request. A request that is refused is not counted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::provider::{Limits, Quota};

/// The windows of one lane and the requests that they hold.
#[derive(Debug)]
pub(super) struct Throttle {
    windows: Vec<(Quota, VecDeque<Instant>)>,
}

impl Throttle {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            windows: limits
                .quota
                .iter()
                .map(|quota| (*quota, VecDeque::new()))
                .collect(),
        }
    }

    /// Counts a request, or says how long until all windows would admit it.
    pub(super) fn admit(&mut self, now: Instant, is_write: bool) -> Result<(), Duration> {
        let mut wait = None;
        for (quota, seen) in &mut self.windows {
            let length = Duration::from_secs(quota.per.seconds());
            while seen
                .front()
                .is_some_and(|at| now.saturating_duration_since(*at) >= length)
            {
                seen.pop_front();
            }
            let full = seen.len() >= usize::try_from(quota.calls).unwrap_or(usize::MAX);
            if full && (is_write || !quota.writes_only) {
                let oldest = seen.front().copied().unwrap_or(now);
                wait = wait.max(Some(
                    length.saturating_sub(now.saturating_duration_since(oldest)),
                ));
            }
        }
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (quota, seen) in &mut self.windows {
            if is_write || !quota.writes_only {
                seen.push_back(now);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Window;

    fn throttle(quota: &[(u32, Window, bool)]) -> Throttle {
        Throttle::new(&Limits {
            quota: quota
                .iter()
                .map(|&(calls, per, writes_only)| Quota {
                    calls,
                    per,
                    writes_only,
                })
                .collect(),
            concurrency: 1,
        })
    }

    #[test]
    fn a_window_slides() {
        let mut throttle = throttle(&[(2, Window::Second, false)]);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.admit(at(0), false), Ok(()));
        assert_eq!(throttle.admit(at(900), false), Ok(()));
        assert_eq!(
            throttle.admit(at(950), false),
            Err(Duration::from_millis(50))
        );
        assert_eq!(throttle.admit(at(1000), false), Ok(()));
        // A fixed window would begin anew here; the request at 900 still counts.
        assert_eq!(
            throttle.admit(at(1100), false),
            Err(Duration::from_millis(800))
        );
    }

    #[test]
    fn the_longest_wait_of_all_windows_is_told_and_a_refusal_is_free() {
        let mut throttle = throttle(&[(1, Window::Second, false), (2, Window::Day, true)]);
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(throttle.admit(at(0), true), Ok(()));
        assert_eq!(throttle.admit(at(1), true), Ok(()));
        assert_eq!(
            throttle.admit(at(1), true),
            Err(Duration::from_secs(86_399))
        );
        assert_eq!(throttle.admit(at(2), false), Ok(()));
        assert_eq!(
            throttle.admit(at(3), true),
            Err(Duration::from_secs(86_397))
        );
        assert_eq!(throttle.admit(at(86_400), true), Ok(()));
    }
}
