//! clientsync.
pub mod core;
pub mod engine;
pub mod provider;
pub mod sandbox;
pub mod source;
