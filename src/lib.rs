#![doc = include_str!("ARCHITECTURE.md")]

pub mod cli;
pub mod core;
pub mod engine;
pub mod failpoint;
pub mod http;
pub mod provider;
pub mod report;
pub mod sandbox;
pub mod source;
pub mod store;
