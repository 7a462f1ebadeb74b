//! The command line: what was typed, what the configuration means, and how a
//! run ends.
//!
//! This layer wires the others and is the only one that reads the environment.

pub mod args;
mod catalog;
mod clock;
mod commands;
pub mod config;
mod details;
pub mod exit;
mod failure;
mod lanes;
mod locking;
mod logging;
mod only;
mod output;
mod panics;
mod planning;
mod process;
mod reading;
mod reporting;
mod run;
pub mod secrets;
mod sending;
mod session;
mod signals;

pub use run::main;
