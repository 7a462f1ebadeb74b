//! What a lane has spent on trouble in one run: retries and pauses.
//!
//! It counts; what follows from the counts is decided in
//! [`decide`](super::decide::decide) alone.

use std::time::Duration;

use tokio::time::Instant;

use super::decide::{Came, Leeway};
use crate::core::NoResponse;
use crate::provider::Answer;

/// Retries that a lane has in any case.
const RETRIES: u64 = 20;
/// Requests that earn one more: a fifth of extra load at most.
const PER_RETRY: u64 = 5;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::engine) struct Trouble {
    /// Requests that repeat nothing.
    first: u64,
    /// Retries that were spent, at their cost.
    spent: u64,
    /// Throttle answers in a row.
    throttles: u32,
    /// How long the lane was paused.
    paused: Duration,
    /// How long it was held back before anything was refused.
    held: Duration,
    /// When it was last asked to wait: what left before has seen nothing of it.
    asked: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Trouble {
    /// A request that repeats nothing leaves.
    pub(in crate::engine) fn count_first(&mut self) {
        self.first += 1;
    }

    /// A retry is spent.
    pub(in crate::engine) fn spend(&mut self, cost: u64) {
        self.spent += cost;
    }

    /// Retries that are left.
    fn left(&self) -> u64 {
        (RETRIES + self.first / PER_RETRY).saturating_sub(self.spent)
    }

    /// Hears of an attempt that left at this time. Several that left before one
    /// pause and are all asked to wait were asked once.
    pub(in crate::engine) fn hear(&mut self, came: &Came, left: Instant) {
        match came {
            Came::Answer(Answer::Throttled { .. })
            | Came::Nothing(NoResponse::CredentialsLater(_)) => {
                if self.asked.is_none_or(|asked| asked <= left) {
                    self.throttles += 1;
                }
                self.asked = Some(Instant::now());
            }
            Came::Answer(_) if self.asked.is_none_or(|asked| asked <= left) => self.throttles = 0,
            Came::Answer(_) | Came::Nothing(_) => {}
        }
    }

    /// What the lane may still spend, with so much time left.
    pub(in crate::engine) fn leeway(&self, time: Option<Duration>) -> Leeway {
        // What is left of a pause is waited once, whoever else asks for it.
        let now = Instant::now();
        let ends = self.paused_until.unwrap_or(now);
        let left = ends.saturating_duration_since(now);
        Leeway {
            retries: self.left(),
            throttles: self.throttles,
            paused: self.paused.saturating_sub(left),
            time,
        }
    }

    /// The lane is paused: the end of its pause, which a shorter one does not
    /// bring nearer.
    pub(in crate::engine) fn pause(&mut self, wait: Duration, now: Instant) -> Instant {
        let (more, ends) = self.extend(wait, now);
        self.paused += more;
        ends
    }

    /// The lane is held back, which is no sign of trouble.
    pub(in crate::engine) fn hold(&mut self, wait: Duration, now: Instant) {
        let (more, _) = self.extend(wait, now);
        self.held += more;
    }

    fn extend(&mut self, wait: Duration, now: Instant) -> (Duration, Instant) {
        let begins = self.paused_until.map_or(now, |until| until.max(now));
        let ends = begins.max(now + wait);
        self.paused_until = Some(ends);
        (ends - begins, ends)
    }

    /// Until when the lane is paused.
    pub(in crate::engine) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// How long the lane was paused and held back in all.
    pub(in crate::engine) fn waited(&self) -> Duration {
        self.paused + self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Refusal;

    fn throttled() -> Came {
        Came::Answer(Answer::Throttled {
            wait: None,
            usual: None,
            refusal: Refusal::default(),
        })
    }

    #[test]
    fn retries_are_twenty_and_a_fifth_of_what_repeats_nothing() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.leeway(None).retries, 20);
        (0..100).for_each(|_| trouble.count_first());
        assert_eq!(trouble.leeway(None).retries, 40);
        trouble.spend(39);
        trouble.spend(2);
        assert_eq!(trouble.leeway(None).retries, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_to_what_left_before_a_pause_are_one_answer() {
        let mut trouble = Trouble::default();
        let left = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..4 {
            trouble.hear(&throttled(), left);
            assert_eq!(trouble.leeway(None).throttles, 1);
        }
        trouble.hear(&Came::Answer(Answer::Accepted), left);
        assert_eq!(trouble.leeway(None).throttles, 1, "it left before");
        trouble.hear(&throttled(), Instant::now());
        assert_eq!(trouble.leeway(None).throttles, 2);
        trouble.hear(&Came::Answer(Answer::Accepted), Instant::now());
        assert_eq!(trouble.leeway(None).throttles, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_that_overlap_count_once() {
        let mut trouble = Trouble::default();
        let now = Instant::now();
        let seconds = Duration::from_secs;
        assert_eq!(trouble.pause(seconds(10), now), now + seconds(10));
        assert_eq!(trouble.pause(seconds(4), now), now + seconds(10));
        assert_eq!(trouble.pause(seconds(12), now), now + seconds(12));
        assert_eq!(trouble.waited(), seconds(12));
        // Another that asks for the same pause asks for nothing more.
        assert_eq!(trouble.leeway(None).paused, seconds(0));
        tokio::time::advance(seconds(13)).await;
        assert_eq!(trouble.leeway(None).paused, seconds(12));
        trouble.pause(seconds(5), now + seconds(100));
        assert_eq!(trouble.waited(), seconds(17));
    }
}
