//! clientsync.
pub mod core;
pub mod engine;
pub mod source;
pub mod store;
