//! The one decision: what follows from an attempt.
//!
//! Pure: the attempt, what came back, what the lane may still spend and a random
//! share go in, an action comes out. Nothing here waits, sends or records, and
//! nothing else in the engine decides about retries.

use std::time::Duration;

use crate::core::NoResponse;
use crate::provider::{Answer, Asked, Refusal};
use crate::store::AttemptResult;

/// How often one row is attempted in a run, its last chance apart.
pub const ATTEMPTS: u32 = 4;
/// How often, where an unreadable success cannot be looked into: once more.
const BLIND_ATTEMPTS: u32 = 2;
/// How long a row is attempted, waits included.
const ROW_TIME: Duration = Duration::from_secs(600);
/// The longest wait between two attempts.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// The shortest one, so that a lucky draw is no tight loop.
const BACKOFF_FLOOR: Duration = Duration::from_millis(100);
/// The pause after a throttle answer that names no time, before doubling.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that a run waits out.
pub(in crate::engine) const PAUSE_CAP: Duration = Duration::from_secs(300);
/// How many pauses in a row a run waits out.
const PAUSES: u32 = 20;
/// How long a lane is paused in a run, all pauses together.
const PAUSED_CAP: Duration = Duration::from_secs(1800);

/// Where a row's attempts stand.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What was asked.
    pub asked: Asked,
    /// Which attempt this was, from 1; throttled ones do not count.
    pub number: u32,
    /// How long the row has been attempted, waits included.
    pub age: Duration,
    /// Whether the update may be sent twice.
    pub repeatable: bool,
    /// Whether a read can tell what became of a write.
    pub readable: bool,
    /// Whether the credentials were renewed for this already, in vain so far.
    pub renewed: bool,
    /// A random share in 0..1, for the jitter.
    pub share: f64,
}

/// What the lane may still spend on trouble.
#[derive(Clone, Copy, Debug)]
pub struct Leeway {
    /// Retries.
    pub retries: u64,
    /// How many throttle answers it got in a row, this one included.
    pub throttles: u32,
    /// How long it was paused in this run.
    pub paused: Duration,
    /// How long the run may still take, where that is bounded.
    pub time: Option<Duration>,
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
    /// The lane ends on purpose, and the provider is left alone so long.
    LeaveAlone(Duration, Refusal),
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

/// What an attempt means for the record: whether it may have been applied. A
/// redirect may be the answer to an update that was made.
#[must_use]
pub fn applied(asked: Asked, came: &Came, status: Option<u16>) -> AttemptResult {
    let is_error = status.is_none_or(|status| status >= 400);
    match came {
        Came::Answer(Answer::Accepted) => AttemptResult::Accepted,
        Came::Answer(Answer::Rejected(_)) => AttemptResult::Rejected,
        Came::Answer(Answer::Stopped(_)) if asked == Asked::Write && !is_error => {
            AttemptResult::InDoubt
        }
        Came::Answer(Answer::Transient(_) | Answer::Unreadable(_))
        | Came::Nothing(NoResponse::TimedOut | NoResponse::Broken | NoResponse::TooLarge)
            if asked == Asked::Write =>
        {
            AttemptResult::InDoubt
        }
        Came::Answer(_) | Came::Nothing(_) => AttemptResult::NotApplied,
    }
}

/// What a retry costs of the lane's leeway. A timeout held a connection of
/// the provider for as long as it lasted, so its retry counts twice.
#[must_use]
pub fn cost(came: &Came) -> u64 {
    match came {
        Came::Nothing(NoResponse::TimedOut) => 2,
        Came::Nothing(_) | Came::Answer(_) => 1,
    }
}

/// Decides what follows from an attempt.
#[must_use]
pub fn decide(attempt: Attempt, came: &Came, leeway: Leeway) -> Action {
    let again = |attempt, refusal, end| again(attempt, came, leeway, refusal, end);
    match came {
        Came::Answer(Answer::Accepted) => Action::Accept,
        Came::Answer(Answer::Rejected(refusal)) => Action::Reject(refusal.clone()),
        Came::Answer(Answer::Throttled {
            wait,
            usual,
            refusal,
        }) => throttled(attempt, *wait, *usual, leeway, refusal),
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
                NoResponse::CredentialsLater(wait) => {
                    throttled(attempt, *wait, None, leeway, &refusal)
                }
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
pub(in crate::engine) fn nothing_in_words(nothing: NoResponse) -> &'static str {
    match nothing {
        NoResponse::NoCredentials => {
            "no access token could be obtained; check user name and password"
        }
        NoResponse::CredentialsLater(_) => "no access token is given for now",
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
fn again(
    attempt: Attempt,
    came: &Came,
    leeway: Leeway,
    refusal: Refusal,
    end: fn(Refusal) -> Action,
) -> Action {
    let is_write = attempt.asked == Asked::Write;
    let allowed = attempt.repeatable || !is_write;
    // Only a success is too large: a refusal stands with as much as came of it.
    let unreadable = matches!(
        came,
        Came::Answer(Answer::Unreadable(_)) | Came::Nothing(NoResponse::TooLarge)
    );
    let blind = is_write && !attempt.readable && unreadable;
    let attempts = if blind { BLIND_ATTEMPTS } else { ATTEMPTS };
    let wait = backoff(attempt.number, attempt.share);
    if allowed
        && attempt.number < attempts
        && attempt.age + wait < ROW_TIME
        && cost(came) <= leeway.retries
    {
        return Action::RetryAfter(wait);
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

fn throttled(
    attempt: Attempt,
    wait: Option<Duration>,
    usual: Option<Duration>,
    leeway: Leeway,
    refusal: &Refusal,
) -> Action {
    let pause = wait.unwrap_or_else(|| {
        let doubling = 1 << leeway.throttles.saturating_sub(1).min(10);
        let usual = usual.unwrap_or(PAUSE).saturating_mul(doubling);
        usual.min(PAUSE_CAP)
    });
    // Jitter only upwards: asked waits are never undercut. Where nobody said for
    // how long, it grows with the pause, so that many clients do not return at once.
    let most = match wait {
        Some(_) => Duration::from_secs(1),
        None => Duration::from_secs(1) + pause / 10,
    };
    let jitter = most.mul_f64(attempt.share.clamp(0.0, 1.0));
    let pause = pause.saturating_add(jitter);
    let too_much = if pause > PAUSE_CAP + jitter {
        Some(format!(
            "asks to wait {} s, longer than a run waits",
            pause.saturating_sub(jitter).as_secs()
        ))
    } else if leeway.throttles > PAUSES {
        Some(format!("asked to wait {} times in a row", leeway.throttles))
    } else if leeway.paused + pause > PAUSED_CAP {
        let minutes = PAUSED_CAP.as_secs() / 60;
        Some(format!("asked to wait for more than {minutes} min in all"))
    } else if leeway.time.is_some_and(|left| left < pause) {
        Some(format!(
            "asks to wait {} s, longer than the run may still take",
            pause.as_secs()
        ))
    } else {
        None
    };
    match too_much {
        None => Action::Pause(pause),
        Some(why) => Action::LeaveAlone(
            pause,
            Refusal {
                message: format!("the provider {why}: {}", refusal.message),
                fields: refusal.fields.clone(),
            },
        ),
    }
}

#[cfg(test)]
mod tests;
