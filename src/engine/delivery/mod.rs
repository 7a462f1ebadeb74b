//! Delivery: sends what a plan file says, and records what came of it.
//!
//! It recomputes nothing of a plan.

pub(super) mod apply;
pub(super) mod attempt;
pub(super) mod sweep;
pub(super) mod tally;
pub(super) mod worker;
