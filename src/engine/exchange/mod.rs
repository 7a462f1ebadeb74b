//! Exchanges with providers: pace, budget, pauses, breaker, retries.
//!
//! Whoever reads and whoever writes comes through here. What becomes of a row is
//! not decided here.

pub(super) mod bounds;
pub(super) mod breaker;
pub(super) mod decide;
pub(super) mod exchanger;
pub(super) mod gate;
pub(super) mod journey;
pub(super) mod pacer;
pub(super) mod trouble;
