//! How long an answer asks everyone to wait: by `Retry-After`, or else until there
//! is something left of a quota that is used up.
//!
//! A wait is never made shorter than it was asked for. What cannot be read
//! counts as absent, and is told apart from what was never said.

use std::time::Duration;

use jiff::Timestamp;

use super::allowance::allowances;
use crate::core::Response;

/// The wait that an answer asks for: by `Retry-After`, or else until there is
/// something left of a quota that is used up.
pub(super) fn asked_wait(response: &Response, now: Timestamp) -> Option<Duration> {
    retry_after(response, now).or_else(|| {
        let used_up = allowances(response, now).into_iter();
        used_up
            .filter(|allowance| allowance.left == 0)
            .filter_map(|allowance| allowance.reset)
            .max()
    })
}

/// Whether an answer says that nothing is left of a quota.
pub(super) fn is_used_up(response: &Response, now: Timestamp) -> bool {
    let allowances = allowances(response, now);
    allowances.iter().any(|allowance| allowance.left == 0)
}

/// The wait that `Retry-After` asks for (RFC 9110 section 10.2.3): the longest
/// where it says several. A date counts from the answer's own `Date`, which
/// shares the clock it was made by, and from `now` where there is none; one
/// that has passed asks for nothing.
pub(super) fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let clock = response.header("date").and_then(http_date).unwrap_or(now);
    values(response)
        .filter_map(|value| match value {
            After::Seconds(seconds) => Some(Duration::from_secs(seconds)),
            After::Date(date) => until(date, clock),
            After::Garbled => None,
        })
        .max()
}

/// How long an answer asks to wait by its own words alone, for those who have no
/// clock: a date counts from the answer's `Date`.
#[must_use]
pub fn told_wait(response: &Response) -> Option<Duration> {
    retry_after(response, Timestamp::MAX)
}

/// Whether an answer has a `Retry-After` that can be read, also one that has
/// passed.
pub(super) fn has_retry_after(response: &Response) -> bool {
    values(response).any(|value| !matches!(value, After::Garbled))
}

/// Whether an answer has a `Retry-After` that nobody can read.
#[must_use]
pub fn garbled_retry_after(response: &Response) -> bool {
    values(response).any(|value| matches!(value, After::Garbled))
}

/// One value of `Retry-After`.
enum After {
    Seconds(u64),
    Date(Timestamp),
    Garbled,
}

fn values(response: &Response) -> impl Iterator<Item = After> {
    response.header_values("retry-after").flat_map(|value| {
        // The comma of a date is no end of a value.
        let values = match http_date(value) {
            Some(_) => vec![value],
            None => value.split(',').collect(),
        };
        values.into_iter().map(one)
    })
}

/// One value; a number that is too large to be held is the largest there is.
fn one(value: &str) -> After {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return After::Seconds(value.parse().unwrap_or(u64::MAX));
    }
    http_date(value).map_or(After::Garbled, After::Date)
}

/// The time until then; nothing where it has passed.
fn until(date: Timestamp, clock: Timestamp) -> Option<Duration> {
    let wait = Duration::try_from(date.duration_since(clock)).ok()?;
    (wait > Duration::ZERO).then_some(wait)
}

/// A date of HTTP; one beyond the last time there is counts as that.
pub(super) fn http_date(value: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(Timestamp::try_from(date).unwrap_or(Timestamp::MAX))
}
