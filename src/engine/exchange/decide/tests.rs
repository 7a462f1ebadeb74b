//! What follows from each attempt.

use super::*;

fn attempt(asked: Asked, number: u32) -> Attempt {
    Attempt {
        asked,
        number,
        age: Duration::ZERO,
        repeatable: true,
        readable: true,
        renewed: false,
        share: 0.5,
    }
}

/// An leeway that is never used up.
const PLENTY: Leeway = Leeway {
    retries: 1000,
    throttles: 1,
    paused: Duration::ZERO,
    time: None,
};

/// The decision where the lane may spend what it likes.
fn decided(attempt: Attempt, came: &Came) -> Action {
    decide(attempt, came, PLENTY)
}

fn throttle(wait: Option<u64>) -> Came {
    Came::Answer(Answer::Throttled {
        wait: wait.map(Duration::from_secs),
        usual: None,
        refusal: refusal(),
    })
}

fn refusal() -> Refusal {
    Refusal::new("no")
}

#[test]
fn transient_answers_are_retried_four_times_in_all() {
    let came = Came::Answer(Answer::Transient(refusal()));
    for number in 1..ATTEMPTS {
        assert!(matches!(
            decided(attempt(Asked::Write, number), &came),
            Action::RetryAfter(_)
        ));
    }
    assert_eq!(
        decided(attempt(Asked::Write, ATTEMPTS), &came),
        Action::Fail(refusal())
    );
    assert_eq!(
        decided(attempt(Asked::Read, ATTEMPTS), &came),
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
        decided(once, &Came::Nothing(NoResponse::TimedOut)),
        Action::InDoubt(_)
    ));
    assert!(matches!(
        decided(once, &Came::Answer(Answer::Transient(refusal()))),
        Action::InDoubt(_)
    ));
    assert!(matches!(
        decided(once, &Came::Nothing(NoResponse::NotSent)),
        Action::RetryAfter(_)
    ));
    assert!(matches!(
        decided(
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
            decided(attempt(Asked::Write, ATTEMPTS), &came),
            Action::InDoubt(_)
        ));
        assert!(matches!(
            decided(attempt(Asked::Read, ATTEMPTS), &came),
            Action::Fail(_)
        ));
        assert_eq!(applied(Asked::Write, &came, None), AttemptResult::InDoubt);
        assert_eq!(applied(Asked::Read, &came, None), AttemptResult::NotApplied);
    }
}

#[test]
fn a_redirect_may_answer_an_update_that_was_made_and_an_error_does_not() {
    let came = Came::Answer(Answer::Stopped(refusal()));
    let write = |status| applied(Asked::Write, &came, Some(status));
    assert_eq!(write(303), AttemptResult::InDoubt);
    assert_eq!(write(501), AttemptResult::NotApplied);
    assert_eq!(
        applied(Asked::Read, &came, Some(303)),
        AttemptResult::NotApplied
    );
}

#[test]
fn an_asked_wait_is_never_undercut_and_never_shortened() {
    for seconds in [0, 1, 7, 299, 300] {
        let came = throttle(Some(seconds));
        for share in [0.0, 0.3, 1.0] {
            let Action::Pause(wait) = decided(
                Attempt {
                    share,
                    ..attempt(Asked::Write, 1)
                },
                &came,
            ) else {
                panic!()
            };
            assert!(
                wait >= Duration::from_secs(seconds) && wait <= Duration::from_secs(seconds + 1)
            );
        }
    }
    for asked in [301, 1_000_000, u64::MAX] {
        let action = decided(attempt(Asked::Write, 1), &throttle(Some(asked)));
        let Action::LeaveAlone(wait, _) = action else {
            panic!("{action:?}")
        };
        assert!(wait >= Duration::from_secs(asked));
    }
}

#[test]
fn pauses_without_a_named_time_double_and_end() {
    let pause = |usual, throttles| {
        let came = Came::Answer(Answer::Throttled {
            wait: None,
            usual,
            refusal: refusal(),
        });
        let calm = Attempt {
            share: 0.0,
            ..attempt(Asked::Write, 1)
        };
        decide(
            calm,
            &came,
            Leeway {
                throttles,
                ..PLENTY
            },
        )
    };
    let vendor = Some(Duration::from_secs(30));
    for (usual, throttles, seconds) in [
        (None, 1, 5),
        (None, 2, 10),
        (None, 20, 300),
        (vendor, 1, 30),
        (vendor, 2, 60),
        (vendor, 5, 300),
    ] {
        assert_eq!(
            pause(usual, throttles),
            Action::Pause(Duration::from_secs(seconds))
        );
    }
    assert!(matches!(pause(None, 21), Action::LeaveAlone(..)));
}

#[test]
fn pauses_end_with_the_time_that_a_run_has_for_them() {
    let asked =
        |seconds, leeway| decide(attempt(Asked::Write, 1), &throttle(Some(seconds)), leeway);
    let paused = |seconds| Leeway {
        paused: Duration::from_secs(seconds),
        ..PLENTY
    };
    assert!(matches!(asked(200, paused(1590)), Action::Pause(_)));
    assert!(matches!(asked(200, paused(1700)), Action::LeaveAlone(..)));
    let time = |seconds| Leeway {
        time: Some(Duration::from_secs(seconds)),
        ..PLENTY
    };
    assert!(matches!(asked(10, time(11)), Action::Pause(_)));
    assert!(matches!(asked(10, time(9)), Action::LeaveAlone(..)));
}

#[test]
fn retries_end_with_the_lanes_leeway_and_a_timeout_counts_twice() {
    let with = |retries, came: &Came| {
        let leeway = Leeway { retries, ..PLENTY };
        decide(attempt(Asked::Write, 1), came, leeway)
    };
    let error = Came::Answer(Answer::Transient(refusal()));
    assert!(matches!(with(1, &error), Action::RetryAfter(_)));
    assert!(matches!(with(0, &error), Action::Fail(_)));
    let timeout = Came::Nothing(NoResponse::TimedOut);
    assert!(matches!(with(2, &timeout), Action::RetryAfter(_)));
    assert!(matches!(with(1, &timeout), Action::InDoubt(_)));
    // A throttle answer costs no retry.
    assert!(matches!(with(0, &throttle(Some(1))), Action::Pause(_)));
}

#[test]
fn a_row_is_attempted_for_ten_minutes_at_most() {
    let came = Came::Answer(Answer::Transient(refusal()));
    let aged = |seconds| Attempt {
        age: Duration::from_secs(seconds),
        ..attempt(Asked::Write, 2)
    };
    assert!(matches!(decided(aged(590), &came), Action::RetryAfter(_)));
    assert!(matches!(decided(aged(600), &came), Action::Fail(_)));
}

#[test]
fn an_unreadable_success_that_cannot_be_looked_into_is_repeated_once() {
    let came = Came::Answer(Answer::Unreadable(refusal()));
    let blind = |number| Attempt {
        readable: false,
        ..attempt(Asked::Write, number)
    };
    assert!(matches!(decided(blind(1), &came), Action::RetryAfter(_)));
    assert!(matches!(decided(blind(2), &came), Action::InDoubt(_)));
    let seeing = attempt(Asked::Write, 2);
    assert!(matches!(decided(seeing, &came), Action::RetryAfter(_)));
}

#[test]
fn credentials_are_renewed_once_for_a_row() {
    let came = Came::Answer(Answer::Unauthorized(refusal()));
    assert_eq!(decided(attempt(Asked::Write, 1), &came), Action::Renew);
    let renewed = Attempt {
        renewed: true,
        ..attempt(Asked::Write, 1)
    };
    assert_eq!(
        decided(renewed, &came),
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
