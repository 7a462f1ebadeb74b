//! The commands, one short file each.

pub(super) mod adopt;
pub(super) mod check;
pub(super) mod drift;
pub(super) mod plan;
pub(super) mod providers;
mod retention;
pub(super) mod runs;
pub(super) mod sandbox;
pub(super) mod status;
pub(super) mod sync;
