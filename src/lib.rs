//! clientsync.
pub mod cli;
pub mod core;
pub mod engine;
pub mod provider;
pub mod source;
