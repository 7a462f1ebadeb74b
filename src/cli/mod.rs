//! The command line: what was typed, what the configuration means, and how a
//! run ends.
//!
//! This layer wires the others and is the only one that reads the environment.

pub mod args;
pub mod config;
pub mod exit;
pub mod secrets;
