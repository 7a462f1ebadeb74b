//! How much of an exchange every exchange needs: from the admission to the
//! arrival, and from the arrival to the answer.
//!
//! A request arrives no later than its answer and no earlier than its
//! admission. Between the answer to one and the admission of another, their
//! arrivals lie further apart by the least that both ways together take. The
//! shortest exchange is the estimate of that; it is taken with the more caution
//! the more exchanges differ, and not at all before there are enough of them.

use std::time::Duration;

/// How many exchanges are needed before they are trusted.
const FEW: u32 = 64;
/// How many exchanges a block holds; two blocks are remembered.
const BLOCK: u32 = 256;

/// What was learned of the lane's exchanges.
#[derive(Debug, Default)]
pub(super) struct Travel {
    /// The block before, and the one that is being filled.
    blocks: [Block; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    count: u32,
    least: Duration,
    sum: Duration,
}

impl Travel {
    /// What every exchange takes at least: as far below the shortest one as that
    /// is below their mean, so that exchanges that differ widely give nothing.
    pub(super) fn floor(&self) -> Duration {
        let both = self.both();
        if both.count < FEW {
            return Duration::ZERO;
        }
        (both.least * 2).saturating_sub(both.sum / both.count)
    }

    pub(super) fn learn(&mut self, took: Duration) {
        let [before, filling] = &mut self.blocks;
        if filling.count == BLOCK {
            *before = std::mem::take(filling);
        }
        filling.least = if filling.count == 0 {
            took
        } else {
            took.min(filling.least)
        };
        filling.count += 1;
        // One that waited for long must not outweigh all the others.
        filling.sum += took.min(filling.least.saturating_mul(4));
    }

    fn both(&self) -> Block {
        let [before, filling] = self.blocks;
        match (before.count, filling.count) {
            (0, _) => filling,
            (_, 0) => before,
            _ => Block {
                count: before.count + filling.count,
                least: before.least.min(filling.least),
                sum: before.sum + filling.sum,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(exchanges: impl IntoIterator<Item = u64>) -> Duration {
        let mut travel = Travel::default();
        for took in exchanges {
            travel.learn(Duration::from_millis(took));
        }
        travel.floor()
    }

    #[test]
    fn a_few_exchanges_give_nothing() {
        assert_eq!(learned([200; 63]), Duration::ZERO);
        assert_eq!(learned([200; 64]), Duration::from_millis(200));
    }

    #[test]
    fn the_more_exchanges_differ_the_less_they_give() {
        let between = |low: u64, high: u64| (0..100).map(move |n| low + n * (high - low) / 100);
        let even = learned(between(200, 210));
        let uneven = learned(between(200, 250));
        assert!(even > uneven && even < Duration::from_millis(200));
        assert!(uneven > Duration::from_millis(170));
        assert_eq!(learned(between(100, 900)), Duration::ZERO);
    }

    #[test]
    fn one_slow_exchange_changes_little_and_a_fast_one_all() {
        let but = |odd: u64| (0..100).map(move |n| if n == 50 { odd } else { 200 });
        assert!(learned(but(60_000)) > Duration::from_millis(190));
        assert_eq!(learned(but(2)), Duration::ZERO);
    }

    #[test]
    fn what_lies_far_back_is_forgotten() {
        let change = std::iter::repeat_n(2, 10).chain(std::iter::repeat_n(200, 1000));
        assert_eq!(learned(change), Duration::from_millis(200));
    }
}
