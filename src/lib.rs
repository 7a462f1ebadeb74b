//! clientsync.
pub mod core;
pub mod engine;
pub mod report;
pub mod source;
