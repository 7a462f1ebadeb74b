//! Planning: rows and the snapshot in, a plan file out, and what judges it.
//!
//! It is synchronous and has no transport in reach: a plan cannot send.

pub(super) mod declare;
pub(super) mod estimate;
pub(super) mod guards;
pub(super) mod periods;
pub(super) mod plan_file;
pub(super) mod planner;
pub(super) mod rows;
