//! clientsync.
pub mod core;
pub mod provider;
pub mod source;
pub mod store;
pub mod engine;
pub mod http;
pub mod report;
pub mod sandbox;
pub mod cli;
