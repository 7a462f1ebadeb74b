//! The breaker of one lane: a provider that keeps failing is left alone for a
//! while, then asked by one request alone.
//!
//! It has no clock and waits for nobody: the time is given to it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::decide::Came;
use crate::core::NoResponse;
use crate::provider::Answer;

/// Failures in a row that open it.
const IN_A_ROW: u32 = 10;
/// Connections in a row that could not be made.
const UNREACHED: u32 = 5;
/// Failures among the last [`RECENT`] attempts. At a fifth of random failures
/// that happens once in ten thousand times.
const MANY: usize = 12;
const RECENT: usize = 20;
/// How long it is open the first time; each time that the one request fails it
/// is twice as long.
const OPEN: Duration = Duration::from_secs(30);
const OPEN_CAP: Duration = Duration::from_secs(300);
/// How long it is open in a run, all together, and how often it opens.
const OPEN_SUM: Duration = Duration::from_secs(900);
const OPENINGS: u32 = 5;

/// What an attempt says about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Heard {
    /// It did what it is there for.
    Works,
    /// It is there, and works on nothing now.
    Answers,
    /// It failed, or nobody knows what it did.
    Fails,
    /// It could not be reached.
    Silent,
}

impl Heard {
    pub(in crate::engine) fn of(came: &Came) -> Self {
        match came {
            Came::Answer(Answer::Accepted | Answer::Rejected(_)) => Self::Works,
            Came::Answer(Answer::Transient(_) | Answer::Unreadable(_))
            | Came::Nothing(NoResponse::TimedOut | NoResponse::Broken | NoResponse::TooLarge) => {
                Self::Fails
            }
            Came::Nothing(NoResponse::NotSent) => Self::Silent,
            Came::Answer(
                Answer::Throttled { .. }
                | Answer::Unauthorized(_)
                | Answer::Deferred(_)
                | Answer::Stopped(_),
            )
            // The first two end the lane, and the third pauses it.
            | Came::Nothing(
                NoResponse::Tls | NoResponse::NoCredentials | NoResponse::CredentialsLater(_),
            ) => Self::Answers,
        }
    }
}

/// Whether a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Pass {
    /// It may.
    Go,
    /// It may, as the one that finds out whether the provider works again.
    Probe,
    /// Not before then.
    Until(Instant),
    /// Not before the probe is answered.
    AfterProbe,
}

/// What hearing of an attempt led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Change {
    /// Nothing.
    None,
    /// It opened, for so long.
    Opened(Duration),
    /// It closed.
    Closed,
    /// The provider failed for so long that the run does not wait any more.
    GaveUp,
}

#[derive(Debug)]
enum State {
    Closed,
    Open(Instant),
    Probing,
}

/// See the module.
#[derive(Debug)]
pub(in crate::engine) struct Breaker {
    state: State,
    /// Whether the last attempts failed, the oldest first.
    recent: VecDeque<bool>,
    in_a_row: u32,
    unreached: u32,
    openings: u32,
    /// How long it is open next.
    next: Duration,
    open_sum: Duration,
}

impl Breaker {
    pub(in crate::engine) fn new() -> Self {
        Self {
            state: State::Closed,
            recent: VecDeque::with_capacity(RECENT),
            in_a_row: 0,
            unreached: 0,
            openings: 0,
            next: OPEN,
            open_sum: Duration::ZERO,
        }
    }

    pub(in crate::engine) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether one more request might leave now.
    pub(in crate::engine) fn look(&self, now: Instant) -> Pass {
        match self.state {
            State::Closed => Pass::Go,
            State::Open(until) if now < until => Pass::Until(until),
            State::Open(_) => Pass::Probe,
            State::Probing => Pass::AfterProbe,
        }
    }

    /// Lets one more request leave, where it may. A probe that is given away
    /// must be heard of, or the lane has ended.
    pub(in crate::engine) fn pass(&mut self, now: Instant) -> Pass {
        let pass = self.look(now);
        if pass == Pass::Probe {
            self.state = State::Probing;
        }
        pass
    }

    /// Hears of an attempt. What left before it opened says nothing any more.
    pub(in crate::engine) fn hear(&mut self, heard: Heard, probe: bool, now: Instant) -> Change {
        let failed = matches!(heard, Heard::Fails | Heard::Silent);
        if probe {
            if failed {
                self.next = self.next.saturating_mul(2).min(OPEN_CAP);
                return self.open(now);
            }
            self.close();
            return Change::Closed;
        }
        if !self.is_closed() || heard == Heard::Answers {
            return Change::None;
        }
        self.count(heard, failed);
        let many = self.recent.iter().filter(|failed| **failed).count() >= MANY;
        if many || self.in_a_row >= IN_A_ROW || self.unreached >= UNREACHED {
            self.openings += 1;
            return self.open(now);
        }
        Change::None
    }

    fn count(&mut self, heard: Heard, failed: bool) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(failed);
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        self.unreached = if heard == Heard::Silent {
            self.unreached + 1
        } else {
            0
        };
    }

    fn open(&mut self, now: Instant) -> Change {
        let wait = self.next.min(OPEN_SUM.saturating_sub(self.open_sum));
        if self.openings >= OPENINGS || wait.is_zero() {
            return Change::GaveUp;
        }
        self.open_sum += wait;
        self.state = State::Open(now + wait);
        Change::Opened(wait)
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.recent.clear();
        self.in_a_row = 0;
        self.unreached = 0;
        self.next = OPEN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(turn: Change) -> Option<u64> {
        match turn {
            Change::Opened(wait) => Some(wait.as_secs()),
            Change::None | Change::Closed | Change::GaveUp => None,
        }
    }

    /// Hears the same so often; the first turn that is one, and when.
    fn until_turn(breaker: &mut Breaker, pattern: &[Heard], now: Instant) -> (usize, Change) {
        for (n, heard) in pattern.iter().enumerate() {
            match breaker.hear(*heard, false, now) {
                Change::None => {}
                turn => return (n + 1, turn),
            }
        }
        (pattern.len(), Change::None)
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_each_of_its_limits_and_not_before() {
        use Heard::{Answers, Fails, Silent, Works};
        let now = Instant::now();
        let opens = |pattern: &[Heard]| until_turn(&mut Breaker::new(), pattern, now).0;
        let opened = Change::Opened(OPEN);
        let turn = |pattern: &[Heard]| until_turn(&mut Breaker::new(), pattern, now).1;
        assert_eq!((opens(&[Fails; 30]), turn(&[Fails; 30])), (10, opened));
        assert_eq!((opens(&[Silent; 30]), turn(&[Silent; 30])), (5, opened));
        // Three failures and two successes, again and again: 12 of 20.
        let mixed: Vec<Heard> = [Fails, Fails, Works, Fails, Works].repeat(10);
        assert_eq!(opens(&mixed), 19);
        let half: Vec<Heard> = [Fails, Works].repeat(100);
        assert_eq!(turn(&half), Change::None);
        let broken_up: Vec<Heard> = [[Silent; 4].as_slice(), &[Works; 5]].concat().repeat(9);
        assert_eq!(turn(&broken_up), Change::None);
        // A throttle answer is no failure, and ends no row of failures.
        let throttled: Vec<Heard> = [Fails, Answers].repeat(10);
        assert_eq!(opens(&throttled), 19);
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_alone_finds_out_whether_the_provider_works_again() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        until_turn(&mut breaker, &[Heard::Fails; 10], now);
        assert_eq!(breaker.pass(now), Pass::Until(now + OPEN));
        // What had left before comes back, and changes nothing.
        assert_eq!(breaker.hear(Heard::Works, false, now), Change::None);
        now += OPEN;
        assert_eq!(breaker.pass(now), Pass::Probe);
        assert_eq!(breaker.pass(now), Pass::AfterProbe);
        assert_eq!(seconds(breaker.hear(Heard::Fails, true, now)), Some(60));
        now += Duration::from_secs(60);
        assert_eq!(breaker.pass(now), Pass::Probe);
        assert_eq!(breaker.hear(Heard::Works, true, now), Change::Closed);
        assert_eq!(breaker.pass(now), Pass::Go);
        assert_eq!(breaker.pass(now), Pass::Go);
        // It begins anew with its shortest time.
        let (_, turn) = until_turn(&mut breaker, &[Heard::Silent; 5], now);
        assert_eq!(seconds(turn), Some(30));
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_after_a_quarter_of_an_hour_in_all() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        let (_, mut turn) = until_turn(&mut breaker, &[Heard::Fails; 10], now);
        let mut waits = Vec::new();
        while let Change::Opened(wait) = turn {
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(breaker.pass(now), Pass::Probe);
            turn = breaker.hear(Heard::Fails, true, now);
        }
        assert_eq!(
            (turn, waits),
            (Change::GaveUp, vec![30, 60, 120, 240, 300, 150])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_at_its_fifth_opening() {
        let mut breaker = Breaker::new();
        let mut now = Instant::now();
        for _ in 0..4 {
            let (_, turn) = until_turn(&mut breaker, &[Heard::Fails; 10], now);
            assert_eq!(turn, Change::Opened(OPEN));
            now += OPEN;
            assert_eq!(breaker.pass(now), Pass::Probe);
            assert_eq!(breaker.hear(Heard::Works, true, now), Change::Closed);
        }
        let (_, turn) = until_turn(&mut breaker, &[Heard::Fails; 10], now);
        assert_eq!(turn, Change::GaveUp);
    }
}
