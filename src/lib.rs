//! clientsync.
pub mod core;
pub mod source;
