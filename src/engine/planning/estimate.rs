//! What applying a lane's plan will take, at the lane's limits.

use crate::core::Estimate;
use crate::provider::{Limits, Window};

/// Requests and seconds for so many reads and updates, without retries.
#[must_use]
pub fn estimate(limits: &Limits, reads: u64, updates: u64) -> Estimate {
    let window = |quota: &crate::provider::Quota| {
        let requests = if quota.writes_only {
            updates
        } else {
            updates + reads
        };
        let calls = u64::from(quota.calls.max(1));
        match quota.per {
            // A day is counted and not paced: only what is over waits for the next.
            Window::Day => requests.saturating_sub(1) / calls * quota.per.seconds(),
            _ => (requests * quota.per.seconds()).div_ceil(calls),
        }
    };
    Estimate {
        requests: updates + reads,
        seconds: limits.quota.iter().map(window).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Quota;

    #[test]
    fn the_tightest_window_decides() {
        let quota = |calls, per, writes_only| Quota {
            calls,
            per,
            writes_only,
        };
        let limits = Limits {
            quota: vec![
                quota(9, Window::Second, false),
                quota(54, Window::Minute, true),
            ],
            concurrency: 1,
        };
        assert_eq!(
            estimate(&limits, 54, 54),
            Estimate {
                requests: 108,
                seconds: 60
            }
        );
        assert_eq!(
            estimate(&limits, 0, 0),
            Estimate {
                requests: 0,
                seconds: 0
            }
        );
    }

    #[test]
    fn a_days_quota_costs_no_time_before_it_is_used_up() {
        let limits = Limits {
            quota: vec![Quota {
                calls: 100,
                per: Window::Day,
                writes_only: true,
            }],
            concurrency: 1,
        };
        for (updates, seconds) in [(1, 0), (100, 0), (101, 86_400), (250, 2 * 86_400)] {
            assert_eq!(estimate(&limits, 0, updates).seconds, seconds, "{updates}");
        }
    }
}
