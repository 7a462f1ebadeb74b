//! The one decision: what follows from an attempt.
//!
//! Pure: the attempt's number, what came back and a random share go in, an
//! action comes out. Nothing here waits, sends or records, and nothing else in
//! the engine decides about retries.

use std::time::Duration;

use crate::core::NoResponse;
use crate::provider::{Answer, Asked, Refusal};
use crate::store::AttemptResult;

/// How often one row is attempted in a run.
pub const ATTEMPTS: u32 = 4;
/// The longest wait between two attempts.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// The shortest one, so that a lucky draw is no tight loop.
const BACKOFF_FLOOR: Duration = Duration::from_millis(100);
/// The pause after a throttle answer that names no time, before doubling.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that a run waits out.
pub(super) const PAUSE_CAP: Duration = Duration::from_secs(300);
/// How many pauses in a row a run waits out.
const PAUSES: u32 = 20;

/// Where a row's attempts stand.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What was asked.
    pub asked: Asked,
    /// Which attempt this was, from 1; throttled ones do not count.
    pub number: u32,
    /// How many throttle answers the lane got in a row, this one included.
    pub throttles: u32,
    /// Whether the update may be sent twice.
    pub repeatable: bool,
    /// Whether the credentials were renewed for this row already.
    pub renewed: bool,
    /// A random share in 0..1, for the jitter.
    pub share: f64,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Came {
    /// An answer, classified.
    Answer(Answer),
    /// None.
    Nothing(NoResponse),
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The answer is good.
    Accept,
    /// The same row again after this wait.
    RetryAfter(Duration),
    /// All of the lane waits so long; then the same row again.
    Pause(Duration),
    /// New credentials, then the same row again.
    Renew,
    /// The provider said no to this row.
    Reject(Refusal),
    /// The retries are used up.
    Fail(Refusal),
    /// Whether it was applied is not known, and it is not sent again.
    InDoubt(Refusal),
    /// The lane ends; the row stays planned.
    Stop(Stop, Refusal),
}

/// Why a lane ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// On purpose; the next run goes on.
    Deferred,
    /// The provider cannot be used as it is configured.
    Unusable,
    /// The credentials were refused.
    Credentials,
}

/// What an attempt means for the record: whether it may have been applied.
#[must_use]
pub fn applied(asked: Asked, came: &Came) -> AttemptResult {
    match came {
        Came::Answer(Answer::Accepted) => AttemptResult::Accepted,
        Came::Answer(Answer::Rejected(_)) => AttemptResult::Rejected,
        Came::Answer(Answer::Transient(_) | Answer::Unreadable(_))
        | Came::Nothing(NoResponse::TimedOut | NoResponse::Broken | NoResponse::TooLarge)
            if asked == Asked::Write =>
        {
            AttemptResult::InDoubt
        }
        Came::Answer(_) | Came::Nothing(_) => AttemptResult::NotApplied,
    }
}

/// Decides what follows from an attempt.
#[must_use]
pub fn decide(attempt: Attempt, came: &Came) -> Action {
    match came {
        Came::Answer(Answer::Accepted) => Action::Accept,
        Came::Answer(Answer::Rejected(refusal)) => Action::Reject(refusal.clone()),
        Came::Answer(Answer::Throttled { wait, refusal }) => throttled(attempt, *wait, refusal),
        Came::Answer(Answer::Unauthorized(refusal)) if attempt.renewed => {
            Action::Stop(Stop::Credentials, refusal.clone())
        }
        Came::Answer(Answer::Unauthorized(_)) => Action::Renew,
        Came::Answer(Answer::Deferred(refusal)) => Action::Stop(Stop::Deferred, refusal.clone()),
        Came::Answer(Answer::Stopped(refusal)) => Action::Stop(Stop::Unusable, refusal.clone()),
        Came::Answer(Answer::Transient(refusal)) => again(attempt, refusal.clone(), Action::Fail),
        Came::Answer(Answer::Unreadable(refusal)) => {
            again(attempt, refusal.clone(), Action::InDoubt)
        }
        Came::Nothing(nothing) => {
            let refusal = Refusal::new(nothing_in_words(*nothing));
            match nothing {
                NoResponse::NoCredentials => Action::Stop(Stop::Credentials, refusal),
                NoResponse::Tls => Action::Stop(Stop::Unusable, refusal),
                // Certainly not applied, so even what must not be repeated may be sent.
                NoResponse::NotSent => again(
                    Attempt {
                        repeatable: true,
                        ..attempt
                    },
                    refusal,
                    Action::Fail,
                ),
                NoResponse::TimedOut | NoResponse::Broken | NoResponse::TooLarge => {
                    again(attempt, refusal, Action::InDoubt)
                }
            }
        }
    }
}

/// Why there is no answer, in a few words.
#[must_use]
pub(super) fn nothing_in_words(nothing: NoResponse) -> &'static str {
    match nothing {
        NoResponse::NoCredentials => {
            "no access token could be obtained; check user name and password"
        }
        NoResponse::Tls => {
            "no secure connection could be made; check `base_url` and the host's certificate"
        }
        NoResponse::NotSent => "no connection could be made",
        NoResponse::TimedOut => "no answer came in time",
        NoResponse::Broken => "the connection ended before the answer did",
        NoResponse::TooLarge => "the answer is larger than 1 MiB",
    }
}

/// Another attempt where it is allowed, else the given end. A read has no
/// effect: it may always be repeated, and its end is never in doubt.
fn again(attempt: Attempt, refusal: Refusal, end: fn(Refusal) -> Action) -> Action {
    let allowed = attempt.repeatable || attempt.asked != Asked::Write;
    if allowed && attempt.number < ATTEMPTS {
        return Action::RetryAfter(backoff(attempt.number, attempt.share));
    }
    match attempt.asked {
        Asked::Read | Asked::List(_) => Action::Fail(refusal),
        Asked::Write if !allowed => Action::InDoubt(refusal),
        Asked::Write => end(refusal),
    }
}

/// Full jitter: a random share of a doubling cap, never below the floor.
fn backoff(number: u32, share: f64) -> Duration {
    let cap = Duration::from_millis(500)
        .saturating_mul(1 << number.saturating_sub(1).min(10))
        .min(BACKOFF_CAP);
    cap.mul_f64(share.clamp(0.0, 1.0)).max(BACKOFF_FLOOR)
}

fn throttled(attempt: Attempt, wait: Option<Duration>, refusal: &Refusal) -> Action {
    let doubling = 1 << attempt.throttles.saturating_sub(1).min(10);
    let pause = wait.unwrap_or_else(|| PAUSE.saturating_mul(doubling).min(PAUSE_CAP));
    if pause > PAUSE_CAP || attempt.throttles > PAUSES {
        let message = format!(
            "{}: asked to wait {} s, which is longer than a run waits",
            refusal.message,
            pause.as_secs()
        );
        return Action::Stop(
            Stop::Deferred,
            Refusal {
                message,
                fields: refusal.fields.clone(),
            },
        );
    }
    // Jitter only upwards: asked waits are never undercut.
    Action::Pause(pause + Duration::from_secs(1).mul_f64(attempt.share.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(asked: Asked, number: u32) -> Attempt {
        Attempt {
            asked,
            number,
            throttles: 1,
            repeatable: true,
            renewed: false,
            share: 0.5,
        }
    }

    fn refusal() -> Refusal {
        Refusal::new("no")
    }

    #[test]
    fn transient_answers_are_retried_four_times_in_all() {
        let came = Came::Answer(Answer::Transient(refusal()));
        for number in 1..ATTEMPTS {
            assert!(matches!(
                decide(attempt(Asked::Write, number), &came),
                Action::RetryAfter(_)
            ));
        }
        assert_eq!(
            decide(attempt(Asked::Write, ATTEMPTS), &came),
            Action::Fail(refusal())
        );
        assert_eq!(
            decide(attempt(Asked::Read, ATTEMPTS), &came),
            Action::Fail(refusal())
        );
    }

    #[test]
    fn what_must_not_be_repeated_ends_in_doubt_unless_it_was_never_sent() {
        let once = Attempt {
            repeatable: false,
            ..attempt(Asked::Write, 1)
        };
        assert!(matches!(
            decide(once, &Came::Nothing(NoResponse::TimedOut)),
            Action::InDoubt(_)
        ));
        assert!(matches!(
            decide(once, &Came::Answer(Answer::Transient(refusal()))),
            Action::InDoubt(_)
        ));
        assert!(matches!(
            decide(once, &Came::Nothing(NoResponse::NotSent)),
            Action::RetryAfter(_)
        ));
        assert!(matches!(
            decide(
                Attempt {
                    asked: Asked::Read,
                    ..once
                },
                &Came::Nothing(NoResponse::TimedOut)
            ),
            Action::RetryAfter(_)
        ));
    }

    #[test]
    fn unknown_ends_are_in_doubt_for_writes_and_failures_for_reads() {
        for came in [
            Came::Nothing(NoResponse::Broken),
            Came::Nothing(NoResponse::TimedOut),
            Came::Answer(Answer::Unreadable(refusal())),
        ] {
            assert!(matches!(
                decide(attempt(Asked::Write, ATTEMPTS), &came),
                Action::InDoubt(_)
            ));
            assert!(matches!(
                decide(attempt(Asked::Read, ATTEMPTS), &came),
                Action::Fail(_)
            ));
            assert_eq!(applied(Asked::Write, &came), AttemptResult::InDoubt);
            assert_eq!(applied(Asked::Read, &came), AttemptResult::NotApplied);
        }
    }

    #[test]
    fn an_asked_wait_is_never_undercut_and_never_shortened() {
        for seconds in [0, 1, 7, 299, 300] {
            let came = Came::Answer(Answer::Throttled {
                wait: Some(Duration::from_secs(seconds)),
                refusal: refusal(),
            });
            for share in [0.0, 0.3, 1.0] {
                let Action::Pause(wait) = decide(
                    Attempt {
                        share,
                        ..attempt(Asked::Write, 1)
                    },
                    &came,
                ) else {
                    panic!()
                };
                assert!(
                    wait >= Duration::from_secs(seconds)
                        && wait <= Duration::from_secs(seconds + 1)
                );
            }
        }
        let came = Came::Answer(Answer::Throttled {
            wait: Some(Duration::from_secs(1_000_000)),
            refusal: refusal(),
        });
        assert!(matches!(
            decide(attempt(Asked::Write, 1), &came),
            Action::Stop(Stop::Deferred, _)
        ));
    }

    #[test]
    fn pauses_without_a_named_time_double_and_end() {
        let came = Came::Answer(Answer::Throttled {
            wait: None,
            refusal: refusal(),
        });
        let pause = |throttles| {
            decide(
                Attempt {
                    throttles,
                    share: 0.0,
                    ..attempt(Asked::Write, 1)
                },
                &came,
            )
        };
        assert_eq!(pause(1), Action::Pause(Duration::from_secs(5)));
        assert_eq!(pause(2), Action::Pause(Duration::from_secs(10)));
        assert_eq!(pause(20), Action::Pause(Duration::from_secs(300)));
        assert!(matches!(pause(21), Action::Stop(Stop::Deferred, _)));
    }

    #[test]
    fn credentials_are_renewed_once_for_a_row() {
        let came = Came::Answer(Answer::Unauthorized(refusal()));
        assert_eq!(decide(attempt(Asked::Write, 1), &came), Action::Renew);
        let renewed = Attempt {
            renewed: true,
            ..attempt(Asked::Write, 1)
        };
        assert_eq!(
            decide(renewed, &came),
            Action::Stop(Stop::Credentials, refusal())
        );
    }

    #[test]
    fn backoff_is_full_jitter_between_its_bounds() {
        for number in 1..40 {
            for share in [0.0, 0.25, 0.5, 1.0] {
                let wait = backoff(number, share);
                assert!(wait >= BACKOFF_FLOOR && wait <= BACKOFF_CAP);
            }
        }
        assert_eq!(backoff(1, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(3, 0.5), Duration::from_secs(1));
        assert_eq!(backoff(30, 1.0), BACKOFF_CAP);
    }
}
