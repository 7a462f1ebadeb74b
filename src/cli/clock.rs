//! The one place that reads the clock and draws random numbers.

use jiff::Timestamp;

use super::exit::ExitCode;
use super::failure::Failure;
use crate::core::hex;
use crate::engine::Clock;

/// The time of day.
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// A time as reports say it: RFC 3339, UTC, to the second.
pub(super) fn text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The clock and the jitter of a run.
pub(super) fn clock() -> Clock {
    Clock { now, share }
}

/// A random share in 0..1; without randomness the middle, which is as good a
/// wait as any.
fn share() -> f64 {
    let mut bytes = [0; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        Err(_) => 0.5,
    }
}

/// Random bytes for an id, a key or a nonce, which must not come twice.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::say(
            ExitCode::Error,
            format!("the system gives no random numbers: {error}"),
        )
    })?;
    Ok(bytes)
}

/// A new id: the time, to be found by, and a random tail, to be unique.
pub(super) fn new_id(at: Timestamp) -> Result<String, Failure> {
    let time = at.strftime("%Y%m%dT%H%M%SZ");
    Ok(format!("{time}-{}", hex(&random::<4>()?)))
}
