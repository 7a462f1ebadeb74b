//! What applying a lane's plan will take, at the lane's limits.

use crate::core::Estimate;
use crate::provider::Limits;

/// Requests and seconds for so many reads and updates, without retries.
#[must_use]
pub fn estimate(limits: &Limits, reads: u64, updates: u64) -> Estimate {
    let window = |quota: &crate::provider::Quota| {
        let requests = if quota.writes_only {
            updates
        } else {
            updates + reads
        };
        (requests * quota.per.seconds()).div_ceil(u64::from(quota.calls.max(1)))
    };
    Estimate {
        requests: updates + reads,
        seconds: limits.quota.iter().map(window).max().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Quota, Window};

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
}
